//! Facts about `credential_stuffing`, `brute_force` and `password_spraying`.

use super::*;

#[test]
fn leaked_pairs_from_one_address_are_stuffing_at_one_a_second() {
    let found = Sensor::learned().voices(3, |nth, traffic| {
        for pair in 0..10 {
            let pair = 5_000 + nth * 10 + pair;
            traffic.login(attacker(1), pair, pair, false);
        }
    });
    assert_eq!(found, ["credential_stuffing"]);
}

#[test]
fn nine_failures_of_one_address_are_nothing_yet() {
    let found = Sensor::learned().voices(1, |_, traffic| {
        (0..9).for_each(|pair| traffic.login(attacker(1), 5_000 + pair, pair, false));
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn an_office_behind_one_address_signs_in_and_sometimes_mistypes() {
    let found = Sensor::learned().voices(12, |nth, traffic| {
        for person in 0..6 {
            let user = 7_000 + nth * 6 + person;
            traffic.login(attacker(9), user, user, person > 1);
        }
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn people_who_mistype_twice_and_then_get_in_are_no_attack_whatever_their_share() {
    let mornings = |gets_in: bool| {
        Sensor::learned().voices(12, move |nth, traffic| {
            for person in 0..2 {
                let user = 6_000 + nth * 2 + person;
                traffic.login(attacker(1), user, user * 3, false);
                traffic.login(attacker(1), user, user * 3 + 1, false);
                if gets_in {
                    traffic.login(attacker(1), user, user * 3 + 2, true);
                }
            }
        })
    };
    assert_eq!(mornings(true), SILENCE);
    assert_eq!(mornings(false), ["credential_stuffing"]);
    // Six tries each, and half of them get in: nobody mistypes that often.
    let lucky = Sensor::learned().voices(12, |nth, traffic| {
        for user in [7_000 + nth * 2, 7_001 + nth * 2] {
            (0..6).for_each(|guess| traffic.login(attacker(1), user, user * 7 + guess, false));
            if user.is_multiple_of(2) {
                traffic.login(attacker(1), user, user, true);
            }
        }
    });
    assert_eq!(lucky, ["credential_stuffing"]);
}

#[test]
fn a_few_strangers_with_one_password_spray() {
    let found = Sensor::learned().voices(6, |nth, traffic| {
        (0..5).for_each(|user| traffic.login(attacker(1), 8_000 + nth * 5 + user, 42, false));
    });
    assert_eq!(found, ["password_spraying"]);
}

#[test]
fn one_password_of_many_users_is_a_spray_however_few_each_address_tries() {
    // People mistype a password of their own, far more often than that.
    let mistyping = |nth: u64, traffic: &mut Traffic| {
        ordinary(nth, traffic);
        traffic.login(person_of(nth * 3), 20_000 + nth, 30_000 + nth, false);
        traffic.login(person_of(nth * 3), 20_000 + nth, 50_000 + nth, true);
    };
    let day = |password_of: fn(u64) -> u64| {
        let mut sensor = Sensor::new();
        sensor.voices(LEARNED as u64, mistyping);
        sensor.voices(90, |nth, traffic| {
            mistyping(nth + 60, traffic);
            if nth % 2 == 0 {
                traffic.login(IpAddr::from([45, (nth % 10) as u8, 7, 1]), 8_000 + nth, password_of(nth), false);
            }
        })
    };
    assert_eq!(day(|_| 42), ["password_spraying"]);
    assert_eq!(day(|nth| 40_000 + nth), SILENCE);
}

#[test]
fn a_spray_beside_stuffing_at_the_same_login_is_told_too() {
    let mut sensor = Sensor::learned();
    let stuffs = |nth: u64, traffic: &mut Traffic| {
        (0..10).for_each(|pair| traffic.login(attacker(1), 5_000 + nth * 10 + pair, nth * 10 + pair, false));
    };
    assert_eq!(sensor.voices(15, stuffs), ["credential_stuffing"]);
    let both = sensor.voices(15, |nth, traffic| {
        stuffs(nth + 15, traffic);
        (0..5).for_each(|user| traffic.login(attacker(2), 8_000 + nth * 5 + user, 42, false));
    });
    assert_eq!(both, ["credential_stuffing", "password_spraying"]);
}

#[test]
fn a_spray_that_takes_one_user_after_the_other_is_no_stuffing() {
    let found = Sensor::learned().voices(20, |nth, traffic| {
        (0..3).for_each(|password| traffic.login(attacker(1), 8_000 + nth, password, false));
    });
    assert_eq!(found, ["password_spraying"]);
}

#[test]
fn one_password_a_second_for_one_account_is_guessing_and_nothing_else() {
    let found = Sensor::learned().voices(6, |nth, traffic| {
        (0..10).for_each(|word| traffic.login(attacker(1), 5, nth * 10 + word, false));
    });
    assert_eq!(found, ["brute_force"]);
}

#[test]
fn an_owner_who_logs_in_beside_the_guesses_opens_nothing_for_them() {
    let worst = |by: IpAddr| {
        let mut sensor = Sensor::learned();
        let found = (0..30).flat_map(|nth| {
            sensor.window(|traffic| {
                (0..10).for_each(|guess| traffic.login(attacker(1), 7, nth * 10 + guess, false));
                if nth == 20 {
                    traffic.login(by, 7, 7, true);
                }
            })
        });
        let guesses = found.filter(|finding| finding.detector == "brute_force");
        guesses.map(|finding| finding.severity).max()
    };
    assert_eq!(worst(person_of(7)), Some(Severity::Medium));
    assert_eq!(worst(attacker(1)), Some(Severity::Critical));
}

#[test]
fn one_of_many_who_guess_twice_each_and_gets_in_opens_the_account() {
    let mut sensor = Sensor::learned();
    let found = (0..30).flat_map(|nth| {
        sensor.window(|traffic| {
            for guess in 0..6 {
                traffic.login(attacker(nth * 3 + guess / 2), 7, nth * 6 + guess, false);
            }
            if nth == 20 {
                traffic.login(attacker(nth * 3), 7, 7, true);
            }
        })
    });
    let guesses = found.filter(|finding| finding.detector == "brute_force");
    assert_eq!(guesses.map(|finding| finding.severity).max(), Some(Severity::Critical));
}

#[test]
fn a_few_accounts_guessed_one_after_the_other_are_no_stuffing() {
    let found = Sensor::learned().voices(20, |nth, traffic| {
        (0..10).for_each(|word| traffic.login(attacker(1), 100 + nth / 4, nth * 10 + word, false));
    });
    assert_eq!(found, ["brute_force"]);
}

#[test]
fn slow_guesses_at_a_few_accounts_are_no_stuffing_of_the_others() {
    let found = Sensor::learned().voices(300, |nth, traffic| {
        (0..3).for_each(|third| ordinary(nth * 3 + third, traffic));
        if nth.is_multiple_of(5) {
            (0..3).for_each(|account| traffic.login(attacker(account), 7_777 + account, nth * 3 + account, false));
        }
    });
    assert!(found.contains(&"brute_force") && !found.contains(&"credential_stuffing"), "{found:?}");
}

#[test]
fn a_program_that_keeps_sending_an_old_password_guesses_nothing() {
    let found = Sensor::learned().voices(30, |_, traffic| traffic.login(person_of(7), 7, 1, false));
    assert!(!found.contains(&"brute_force") && !found.contains(&"credential_stuffing"), "{found:?}");
}

#[test]
fn programs_behind_one_address_with_old_passwords_are_no_stuffing() {
    let found = Sensor::learned().voices(30, |_, traffic| {
        (0..6).for_each(|user| traffic.login(attacker(3), 300 + user, 300 + user, false));
    });
    assert!(!found.contains(&"credential_stuffing"), "{found:?}");
}

#[test]
fn a_release_that_breaks_the_login_for_its_own_users_is_no_stuffing() {
    let found = Sensor::learned().voices(12, |nth, traffic| {
        for person in 0..5 {
            let user = nth * 5 + person;
            traffic.answers(person_of(user), 3);
            traffic.login(person_of(user), user, user, false);
        }
    });
    assert_eq!(found, ["client_error_spike"]);
}

#[test]
fn a_login_that_lets_nobody_in_any_more_is_broken_and_not_attacked() {
    let nobody_gets_in = |nth: u64, traffic: &mut Traffic| {
        for user in [nth * 2, nth * 2 + 1] {
            let person = IpAddr::from([45, (user * 37 % 251) as u8, user as u8, 9]);
            (0..3).for_each(|_| traffic.login(person, 9_000 + user, user, false));
        }
    };
    let mut sensor = Sensor::learned();
    assert_eq!(sensor.voices(12, nobody_gets_in), ["client_error_spike"]);
    let mended = sensor.voices(400, |nth, traffic| {
        let user = nth * 2 + 100;
        traffic.login(person_of(user), user, user, !user.is_multiple_of(20));
    });
    assert!(!mended.contains(&"credential_stuffing"), "{mended:?}");
}

#[test]
fn the_same_failures_from_addresses_that_nobody_knows_are_stuffing() {
    let found = Sensor::learned().voices(12, |nth, traffic| {
        for person in 0..5 {
            let user = nth * 5 + person;
            traffic.login(IpAddr::from([45, (user * 37 % 251) as u8, user as u8, 9]), 9_000 + user, user, false);
        }
    });
    assert_eq!(found, ["credential_stuffing"]);
}

#[test]
fn many_accounts_from_many_addresses_are_stuffing_before_anything_was_learned() {
    let found = Sensor::new().voices(12, |nth, traffic| {
        for pair in 0..10 {
            let pair = nth * 10 + pair;
            traffic.login(attacker(pair % 30), 5_000 + pair, pair, false);
        }
    });
    assert_eq!(found, ["credential_stuffing"]);
}

#[test]
fn thirty_pairs_an_hour_from_one_address_are_stuffing_in_the_end() {
    let found = Sensor::learned().voices(720, |nth, traffic| {
        if nth.is_multiple_of(12) {
            traffic.login(attacker(1), 5_000 + nth, nth, false);
        }
    });
    assert_eq!(found, ["credential_stuffing"]);
}

#[test]
fn guesses_without_a_user_name_are_guesses_of_the_client() {
    let mut sensor = Sensor::learned();
    let mut found = Vec::new();
    for nth in 0..6 {
        let findings = sensor.window(|traffic| {
            for pin in 0..5 {
                let client_key = key_of(attacker(1));
                let of = Attempts { endpoint: LOGIN, client: Some(attacker(1)), client_key, ..Attempts::default() };
                let mut attempts = of;
                attempts.failures = 1;
                attempts.passwords.insert(mix(nth * 5 + pin));
                attempts.clients.insert(key_of(attacker(1)));
                attempts.client_sample.insert(key_of(attacker(1)), attacker(1));
                attempts.moment.record(traffic.now);
                traffic.window.login_clients.put(pair_key(LOGIN, key_of(attacker(1))), attempts);
            }
        });
        found.extend(findings.into_iter().map(|finding| (finding.detector, finding.subject)));
    }
    assert!(found.contains(&("brute_force", Subject::Client(attacker(1)))), "{found:?}");
}

#[test]
fn who_gets_in_at_his_only_try_is_listed_and_customers_are_not() {
    let mut sensor = Sensor::learned();
    let mut listed: Vec<u64> = Vec::new();
    for nth in 0..60 {
        let found = sensor.window(|traffic| {
            traffic.answers(person_of(nth), 5);
            traffic.login(person_of(nth), nth, nth, true);
            for try_ in 0..4 {
                let user = 9_000 + nth * 4 + try_;
                let address = IpAddr::from([45, (user % 251) as u8, (user / 251) as u8, 9]);
                traffic.login(address, user, user, user.is_multiple_of(50));
            }
        });
        listed = found.into_iter().find(|one| one.detector == "credential_stuffing").map_or(listed, |one| one.accounts);
    }
    let taken: BTreeSet<u64> = (9_000..9_210).filter(|user: &u64| user.is_multiple_of(50)).map(mix).collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), taken);
}

#[test]
fn newcomers_who_mistype_and_get_in_are_no_campaign() {
    let mail = |gets_in: bool| {
        let mut sensor = Sensor::learned();
        sensor.voices(80, |nth, traffic| {
            let (customer, newcomer) = (person_of(nth), IpAddr::from([203, 0, 113, (nth / 2) as u8]));
            traffic.login(customer, nth, nth, true);
            if nth.is_multiple_of(2) {
                traffic.login(newcomer, 5_000 + nth / 2, 6_000 + nth / 2, false);
            } else if gets_in {
                traffic.login(newcomer, 5_000 + nth / 2, 7_000 + nth / 2, true);
                traffic.answers(newcomer, 6);
            }
        })
    };
    assert_eq!(mail(true), SILENCE);
    assert!(!mail(false).is_empty());
}
