//! Facts about what is done to accounts besides guessing passwords.

use super::*;
use crate::api::AccountFlow;
use crate::window::attempts_key;
use std::collections::BTreeSet;

const REGISTER: u64 = 601;
const RESET: u64 = 602;
const LOOKUP: u64 = 603;
const CODE: u64 = 604;
const FIRST_STEP: u64 = 605;

/// What an answer to an attempt says.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Yes,
    No,
    /// No, and it gives the account away.
    Telling,
}

fn place(flow: AccountFlow) -> (u64, &'static str) {
    match flow {
        AccountFlow::Login => (LOGIN, "/login"),
        AccountFlow::Code => (CODE, "/login/otp"),
        AccountFlow::Registration => (REGISTER, "/register"),
        AccountFlow::Reset => (RESET, "/reset"),
        AccountFlow::Lookup => (LOOKUP, "/available"),
        AccountFlow::FirstStep => (FIRST_STEP, "/login/start"),
    }
}

pub(super) fn attempt(
    traffic: &mut Traffic,
    flow: AccountFlow,
    client: IpAddr,
    user: u64,
    secret: u64,
    answer: Answer,
) {
    let (endpoint, path) = place(flow);
    let status = if answer == Answer::Yes { 200 } else { 400 };
    traffic.tally(client, endpoint, "POST", path, status, false);
    let now = traffic.now;
    let of = |client_of: Option<IpAddr>, user_of: Option<u64>| {
        let client_key = client_of.map_or(0, key_of);
        let of = Attempts { endpoint, client: client_of, client_key, user: user_of, flow, ..Attempts::default() };
        let mut attempts = of;
        match answer {
            Answer::Yes => attempts.successes = 1,
            Answer::No => attempts.failures = 1,
            Answer::Telling => (attempts.failures, attempts.given_away) = (1, 1),
        }
        let counts = answer != Answer::Yes || !matches!(flow, AccountFlow::Login | AccountFlow::Code);
        if counts {
            attempts.users.insert(mix(user));
            attempts.passwords.insert(mix(secret ^ 0xabc));
            attempts.clients.insert(key_of(client));
            attempts.client_sample.insert(key_of(client), client);
            attempts.moment.record(now);
        }
        attempts
    };
    let mut window: EndpointWindow = an_endpoint("POST", HOST, path);
    match flow {
        AccountFlow::Login => window.logins = Some(Box::new(of(None, None))),
        AccountFlow::Code => {}
        _ => window.accounts = Some(Box::new(of(None, None))),
    }
    traffic.window.endpoints.put(endpoint, window);
    traffic.window.login_clients.put(attempts_key(endpoint, flow, key_of(client)), of(Some(client), None));
    traffic.window.login_accounts.put(attempts_key(endpoint, flow, mix(user)), of(None, Some(mix(user))));
}

/// Ten ordinary minutes: somebody makes an account now and then, forgets a password, mistypes a code.
fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, ordinary);
    assert_eq!(found, SILENCE);
    sensor
}

fn ordinary(nth: u64, traffic: &mut Traffic) {
    let person = person_of(nth);
    traffic.answers(person, 6);
    traffic.login(person, nth, nth, !nth.is_multiple_of(20));
    match nth % 6 {
        0 => attempt(traffic, AccountFlow::Lookup, person, nth + 900, 0, Answer::Yes),
        1 => attempt(traffic, AccountFlow::Registration, person, nth + 900, nth, Answer::Yes),
        2 => attempt(traffic, AccountFlow::Reset, person, nth, 0, Answer::Yes),
        3 => attempt(traffic, AccountFlow::Code, person, nth, 1, Answer::No),
        _ => attempt(traffic, AccountFlow::Code, person, nth, 2, Answer::Yes),
    }
}

#[test]
fn codes_for_one_account_are_guessed_and_a_few_mistyped_ones_are_not() {
    let guess = |codes: u64| {
        learned().voices(codes, |nth, traffic| {
            attempt(traffic, AccountFlow::Code, attacker(nth % 2), 7, nth, Answer::No);
        })
    };
    assert_eq!((guess(9), guess(10)), (SILENCE.to_vec(), vec!["otp_brute_force"]));
    let stuck = learned().voices(30, |_, traffic| attempt(traffic, AccountFlow::Code, attacker(1), 7, 1, Answer::No));
    assert!(!stuck.contains(&"otp_brute_force"), "always the same code: {stuck:?}");
}

#[test]
fn codes_that_one_client_guesses_for_many_accounts_are_its_own_and_worse_once_one_was_right() {
    let mut sensor = learned();
    let mut found = Vec::new();
    for nth in 0..12 {
        found.extend(sensor.window(|traffic| {
            attempt(traffic, AccountFlow::Code, attacker(1), 50 + nth, nth, Answer::No);
        }));
    }
    assert!(!found.is_empty() && found.iter().all(|finding| finding.detector == "otp_brute_force"), "{found:?}");
    assert!(found.iter().all(|finding| finding.subject == Subject::Client(attacker(1))));
}

#[test]
fn codes_that_many_clients_guess_at_once_are_one_attack() {
    let mut sensor = learned();
    let mut found = Vec::new();
    for nth in 0..12 {
        found.extend(sensor.window(|traffic| {
            let tries = |client| attempt(traffic, AccountFlow::Code, attacker(client), 500, nth, Answer::No);
            (0..30).for_each(tries);
        }));
    }
    assert!(!found.is_empty() && found.iter().all(|finding| finding.detector == "otp_brute_force"), "{found:?}");
    let subjects: BTreeSet<_> = found.iter().map(|finding| format!("{:?}", finding.subject)).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
}

#[test]
fn names_that_one_client_asks_for_are_an_enumeration_from_twenty_on() {
    let ask = |names: u64| {
        learned().voices(names, |nth, traffic| {
            attempt(traffic, AccountFlow::Lookup, attacker(1), 5_000 + nth, 0, Answer::Yes);
        })
    };
    assert_eq!((ask(19), ask(20)), (SILENCE.to_vec(), vec!["user_enumeration"]));
}

#[test]
fn the_first_step_of_a_login_gives_names_away_where_its_answers_differ() {
    let ask = |answer: Answer| {
        learned().voices(30, |nth, traffic| {
            attempt(traffic, AccountFlow::FirstStep, attacker(1), 5_000 + nth, 0, answer);
        })
    };
    assert!(!ask(Answer::Yes).contains(&"user_enumeration"));
    assert_eq!(ask(Answer::Telling), ["user_enumeration"]);
}

#[test]
fn who_does_other_things_besides_may_ask_for_some_names_but_not_for_any_number() {
    let ask = |names: u64| {
        learned().voices(names, |nth, traffic| {
            traffic.answers(person_of(1), 8);
            attempt(traffic, AccountFlow::Lookup, person_of(1), 5_000 + nth, 0, Answer::Yes);
        })
    };
    assert_eq!(ask(40), SILENCE, "an office");
    let scanned = learned().voices(8, |nth, traffic| {
        traffic.answers(attacker(1), 90);
        (0..9).for_each(|name| attempt(traffic, AccountFlow::Lookup, attacker(1), nth * 9 + name, 0, Answer::Yes));
    });
    assert_eq!(scanned, ["user_enumeration"]);
}

#[test]
fn a_form_that_asks_at_every_key_is_no_list_of_names() {
    fn type_in(traffic: &mut Traffic, nth: u64, client: IpAddr, keys: u64) {
        ordinary(nth, traffic);
        let ask = |key| attempt(traffic, AccountFlow::Lookup, client, 5_000 + nth * 100 + key, 0, Answer::Yes);
        (0..keys).for_each(ask);
    }
    let last_types = |keys: u64| {
        let mut sensor = Sensor::new();
        let found = sensor.voices(LEARNED as u64, |nth, traffic| type_in(traffic, nth, person_of(nth), 12));
        assert_eq!(found, SILENCE);
        sensor.voices(1, |_, traffic| type_in(traffic, 500, attacker(1), keys))
    };
    assert_eq!((last_types(30), last_types(60)), (SILENCE.to_vec(), vec!["user_enumeration"]));
}

#[test]
fn names_asked_for_by_many_addresses_are_seen_by_the_rate_of_the_endpoint() {
    let found = learned().voices(40, |nth, traffic| {
        ordinary(nth, traffic);
        attempt(traffic, AccountFlow::Lookup, attacker(nth), 5_000 + nth, 0, Answer::Yes);
    });
    assert_eq!(found, ["user_enumeration"]);
}

#[test]
fn a_campaign_in_the_news_brings_people_who_look_around() {
    let found = learned().voices(40, |nth, traffic| {
        ordinary(nth, traffic);
        traffic.answers(attacker(nth), 12);
        attempt(traffic, AccountFlow::Registration, attacker(nth), 5_000 + nth, nth, Answer::Yes);
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn what_a_registration_is_called_depends_on_its_answers() {
    let register = |answer: fn(u64) -> Answer| {
        learned().voices(30, |nth, traffic| {
            attempt(traffic, AccountFlow::Registration, attacker(1), 5_000 + nth, nth, answer(nth));
        })
    };
    assert_eq!(register(|_| Answer::Yes), ["registration_abuse"]);
    assert_eq!(register(|nth| if nth.is_multiple_of(4) { Answer::Telling } else { Answer::No }), ["user_enumeration"]);
}

#[test]
fn resets_for_many_accounts_are_abuse_and_an_enumeration_where_the_answers_tell() {
    let reset = |answer: fn(u64) -> Answer| {
        learned().voices(30, |nth, traffic| {
            attempt(traffic, AccountFlow::Reset, attacker(1), 5_000 + nth, 0, answer(nth));
        })
    };
    assert_eq!(reset(|_| Answer::Yes), ["password_reset_abuse"]);
    let telling = reset(|nth| if nth.is_multiple_of(4) { Answer::Yes } else { Answer::Telling });
    assert!(telling.contains(&"user_enumeration"), "{telling:?}");
}

#[test]
fn resets_again_and_again_for_one_account_are_abuse_but_not_those_of_a_monitor() {
    let reset = |others: u64, times: u64| {
        learned().voices(times, |nth, traffic| {
            traffic.answers(attacker(nth % 3), others);
            attempt(traffic, AccountFlow::Reset, attacker(nth % 3), 7, 0, Answer::Yes);
        })
    };
    assert_eq!((reset(0, 7), reset(0, 8)), (SILENCE.to_vec(), vec!["password_reset_abuse"]));
    assert_eq!(reset(6, 20), SILENCE);
}

#[test]
fn a_login_that_tells_names_makes_an_enumeration_of_a_spray_and_leaves_stuffing_its_name() {
    let log_in = |password: fn(u64) -> u64| {
        learned().voices(6, |nth, traffic| {
            (0..6).for_each(|name| {
                let user = 8_000 + nth * 6 + name;
                attempt(traffic, AccountFlow::Login, attacker(1), user, password(user), Answer::Telling);
            });
        })
    };
    assert_eq!(log_in(|_| 1), ["user_enumeration"]);
    assert_eq!(log_in(|user| user), ["credential_stuffing"]);
}

#[test]
fn a_spray_whose_refusals_take_two_kinds_of_time_asks_for_names_too() {
    let spray = |hashed_millis: u64, password: fn(u64) -> u64| {
        learned().voices(6, |nth, traffic| {
            for user in nth * 6..nth * 6 + 6 {
                traffic.login(attacker(1), 8_000 + user, password(user), false);
                let mut timed = Attempts::default();
                let millis = if user.is_multiple_of(5) { hashed_millis } else { 4 };
                timed.refused_after.record(Duration::from_millis(millis));
                traffic.window.login_clients.put(pair_key(LOGIN, key_of(attacker(1))), timed.clone());
                let mut endpoint = an_endpoint("POST", HOST, "/login");
                endpoint.logins = Some(Box::new(timed));
                traffic.window.endpoints.put(LOGIN, endpoint);
            }
        })
    };
    assert_eq!(spray(90, |_| 1), ["password_spraying", "user_enumeration"]);
    assert_eq!(spray(4, |_| 1), ["password_spraying"]);
    assert_eq!(spray(90, |user| user), ["credential_stuffing"]);
}

#[test]
fn while_learning_a_rush_is_no_news_but_one_address_is_told() {
    let mut sensor = Sensor::new();
    let found = sensor.voices(40, |nth, traffic| {
        attempt(traffic, AccountFlow::Lookup, attacker(nth % 200), 5_000 + nth, 0, Answer::Yes);
    });
    assert_eq!(found, SILENCE);
    let found = Sensor::new().voices(40, |nth, traffic| {
        attempt(traffic, AccountFlow::Lookup, attacker(1), 5_000 + nth, 0, Answer::Yes);
    });
    assert_eq!(found, ["user_enumeration"]);
}

#[test]
fn a_sign_up_that_nobody_used_before_gives_each_what_is_his() {
    let severity = |flow: Option<AccountFlow>| {
        let mut sensor = Sensor::learned();
        let found = (0..4).flat_map(|nth| {
            sensor.window(|traffic| {
                traffic.answers(person_of(nth), 3);
                let (endpoint, path) = place(AccountFlow::Registration);
                match flow {
                    Some(flow) => attempt(traffic, flow, attacker(1), 900 + nth, nth, Answer::Yes),
                    None => traffic.tally(attacker(1), endpoint, "POST", path, 200, false),
                }
                let mut window: EndpointWindow = an_endpoint("POST", HOST, path);
                let own = exposure_of(attacker(1), DataClass::Email, nth * 20..nth * 20 + 20, traffic.now);
                window.exposure = Some(Box::new(own));
                traffic.window.endpoints.put(endpoint, window);
            })
        });
        found.filter(|finding| finding.detector == "shadow_endpoint").map(|finding| finding.severity).max()
    };
    assert_eq!(severity(None), Some(Severity::High), "data for anybody");
    assert_eq!(severity(Some(AccountFlow::Registration)), Some(Severity::Medium));
}
