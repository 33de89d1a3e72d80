//! Facts about `object_enumeration`.

use super::*;

#[test]
fn a_walk_in_sequence_is_seen_whatever_its_pace() {
    for per_window in [1, 3, 20] {
        let found = Sensor::learned().voices(120, |nth, traffic| {
            let ids: Vec<u64> = (0..per_window).map(|id| 10_000 + nth * per_window + id).collect();
            traffic.look(attacker(1), 999_999, &ids);
        });
        assert!(found.contains(&"object_enumeration"), "{per_window} in ten seconds");
    }
}

#[test]
fn a_walk_is_told_as_long_as_it_goes_on_and_teaches_no_pace() {
    let walk = |from: u64, per_window: u64| {
        move |nth: u64, traffic: &mut Traffic| {
            let ids: Vec<u64> = (0..per_window).map(|id| from + nth * per_window + id).collect();
            traffic.look(attacker(1), 999_999, &ids);
        }
    };
    let mut sensor = Sensor::learned();
    assert!(sensor.voices(200, walk(10_000, 5)).contains(&"object_enumeration"));
    assert_eq!(sensor.voices(20, walk(20_000, 5)), ["object_enumeration"], "half an hour later");
    // Each step seven times the one before.
    let mut sensor = Sensor::learned();
    sensor.voices(72, |nth, traffic| {
        if nth < 20 {
            walk(10_000, 1)(nth, traffic)
        }
    });
    sensor.voices(72, walk(20_000, 2));
    assert!(sensor.voices(72, walk(30_000, 14)).contains(&"object_enumeration"));
}

#[test]
fn a_batch_that_was_learned_may_come_again() {
    let mut sensor = Sensor::new();
    let batch = |nth: u64, traffic: &mut Traffic| {
        traffic.look(person_of(nth), nth, &[nth % 400]);
        if nth % 60 < 4 {
            let ids: Vec<u64> = (0..100).map(|id| 50_000 + nth * 100 + id).collect();
            traffic.look(attacker(5), 4_242, &ids);
        }
    };
    assert_eq!(sensor.voices(LEARNED as u64 + 200, batch), SILENCE);
}

#[test]
fn a_walker_is_not_his_own_peer() {
    // Few look at an endpoint, so that one look more is among the greediest.
    for first in [1, 9, 19] {
        let mut sensor = Sensor::new();
        sensor.voices(LEARNED as u64, |nth, traffic| traffic.look(person_of(nth % 20), nth % 20, &[nth % 20]));
        let found = sensor.voices(12, |nth, traffic| {
            let count = if nth == 0 { first } else { 10 };
            let ids: Vec<u64> = (0..count).map(|id| 10_000 + nth * 700 + id * 13).collect();
            traffic.look(attacker(1), 999_999, &ids);
        });
        assert_eq!(found, ["object_enumeration"], "{first}");
    }
}

#[test]
fn a_person_who_looks_at_twenty_objects_walks_nowhere() {
    let found = Sensor::learned().voices(20, |nth, traffic| traffic.look(person_of(1), 1, &[nth * 17 % 400]));
    assert_eq!(found, SILENCE);
}

#[test]
fn a_walk_of_five_hundred_in_a_row_is_told_while_learning_and_one_of_three_hundred_is_not() {
    for (objects, expected) in [(30, 0), (60, 1)] {
        let found = Sensor::new().voices(10, |nth, traffic| {
            let ids: Vec<u64> = (0..objects).map(|id| 10_000 + nth * objects + id).collect();
            traffic.look(attacker(1), 999_999, &ids);
            let refused = Reach { successes: 0, misses: 1, ..reach_of(attacker(1), 999_999, 10_000 + nth * objects) };
            traffic.window.reaches.put(pair_key(ORDERS, mix(999_999)), refused);
        });
        assert_eq!(found.len(), expected, "{found:?}");
    }
}

#[test]
fn a_walk_at_the_pace_that_is_free_in_ten_minutes_is_told_within_the_hour() {
    for pause in [2, 3] {
        let mut sensor = Sensor::learned();
        let told = (0..360u64).find(|nth| {
            let is_looking = nth.is_multiple_of(pause);
            let found = sensor.window(|traffic| {
                traffic.look(person_of(*nth), *nth, &[nth % 400]);
                if is_looking {
                    traffic.look(attacker(1), 999_999, &[10_000 + nth * 7]);
                }
            });
            found.iter().any(|finding| finding.detector == "object_enumeration")
        });
        assert!(told.is_some_and(|nth| nth < 300), "one in {pause} windows: {told:?}");
    }
}

#[test]
fn a_walk_in_sequence_is_told_sooner_than_one_at_random() {
    let objects_when_told = |step: u64| {
        let mut sensor = Sensor::learned();
        (0..1_440u64).find(|nth| {
            let found = sensor.window(|traffic| {
                traffic.look(person_of(*nth), *nth, &[nth % 400]);
                if nth.is_multiple_of(6) {
                    traffic.look(attacker(1), 999_999, &[10_000 + nth / 6 * step]);
                }
            });
            found.iter().any(|finding| finding.detector == "object_enumeration")
        })
    };
    let told = [1, 7].map(|step| objects_when_told(step).map(|nth| nth / 6));
    assert!(told[0].is_some_and(|objects| objects <= 110), "one a minute: {told:?}");
    assert_eq!(told[1], None, "four hours at random are less than a day of an eager reader");
}

#[test]
fn a_method_that_nobody_used_is_held_against_those_that_are() {
    const DELETE_ORDERS: u64 = 55;
    let told = |objects: u64| {
        let found = Sensor::learned().voices(1, |_, traffic| {
            traffic.tally(attacker(1), DELETE_ORDERS, "DELETE", "/orders/{id}", 204, true);
            for id in 0..objects {
                let mut reach = Reach { endpoint: DELETE_ORDERS, ..reach_of(attacker(1), 999_999, 10_000 + id * 7) };
                reach.moment.record(traffic.now);
                traffic.window.reaches.put(pair_key(DELETE_ORDERS, mix(999_999)), reach);
            }
        });
        found.contains(&"object_enumeration")
    };
    assert_eq!((told(40), told(20)), (true, false));
}

#[test]
fn a_list_of_which_a_few_were_deleted_is_no_guessing() {
    for (misses, expected) in [(4, Severity::Medium), (12, Severity::High)] {
        let mut sensor = Sensor::learned();
        let found = sensor.window(|traffic| {
            let (gone, there): (Vec<u64>, Vec<u64>) = (0..120).partition(|nth| *nth < misses);
            traffic.look(attacker(1), 999_999, &there.iter().map(|nth| 10_000 + nth * 7).collect::<Vec<_>>());
            for nth in gone {
                let reach = reach_of(attacker(1), 999_999, 10_000 + nth * 7);
                traffic.window.reaches.put(pair_key(ORDERS, mix(999_999)), Reach { successes: 0, misses: 1, ..reach });
            }
        });
        let walks = found.iter().filter(|finding| finding.detector == "object_enumeration");
        assert_eq!(walks.map(|walk| walk.severity).collect::<Vec<_>>(), [expected], "{found:?}");
    }
}

#[test]
fn ids_that_are_counted_up_blindly_need_less() {
    let told = |misses: u64| {
        let mut sensor = Sensor::new();
        sensor.voices(LEARNED as u64, |nth, traffic| {
            let ids: Vec<u64> = (0..if nth.is_multiple_of(20) { 6 } else { 1 }).map(|id| nth * 60 + id * 7).collect();
            traffic.look(person_of(nth), nth, &ids);
        });
        let found = sensor.voices(1, |_, traffic| {
            traffic.look(attacker(1), 999_999, &(10_000..10_024 - misses).collect::<Vec<_>>());
            for id in 10_024 - misses..10_024 {
                let refused = Reach { successes: 0, misses: 1, ..reach_of(attacker(1), 999_999, id) };
                traffic.window.reaches.put(pair_key(ORDERS, mix(999_999)), refused);
            }
        });
        found.contains(&"object_enumeration")
    };
    assert_eq!((told(8), told(2)), (true, false));
}

#[test]
fn more_names_than_numbers_are_no_sequence() {
    let mut sensor = Sensor::learned();
    let found = sensor.voices(3, |nth, traffic| {
        traffic.look(attacker(1), 999_999, &[1]);
        for name in 0..8 {
            let reach = Reach { lowest: u64::MAX, highest: 0, ..reach_of(attacker(1), 999_999, nth * 8 + name) };
            traffic.window.reaches.put(pair_key(ORDERS, mix(999_999)), reach);
        }
    });
    assert_eq!(found, SILENCE);
}

/// Objects that an attacker reached when a walk is first told; `None` where it is not.
fn told_at(change: impl Fn(&mut crate::rule::ObjectEnumeration), false_alarms_per_day: f64) -> Option<u64> {
    let mut sensor = Sensor::learned();
    change(&mut sensor.rules.object_enumeration);
    sensor.rules.false_alarms_per_day = false_alarms_per_day;
    (0..30).find_map(|nth| {
        let ids: Vec<u64> = (0..5).map(|id| 10_000 + nth * 500 + id * 7).collect();
        let found = sensor.window(|traffic| traffic.look(attacker(1), 999_999, &ids));
        found.iter().any(|finding| finding.detector == "object_enumeration").then_some((nth + 1) * 5)
    })
}

#[test]
fn every_measure_of_a_walk_has_an_effect() {
    let usual = told_at(|_| (), 1.0);
    assert_eq!(usual, Some(30));
    for later in [
        told_at(|rules| rules.min_objects = 60, 1.0),
        told_at(|rules| rules.reach_factor = 50.0, 1.0),
        told_at(|_| (), 1e-24),
        told_at(|rules| rules.prior_strength = 0.1, 1e-3),
        told_at(|rules| rules.min_peers = 1_000_000, 1.0),
    ] {
        assert!(later.is_none_or(|later| later > 30), "{later:?}");
    }
}
