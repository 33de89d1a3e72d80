//! What holds for every detector: more evidence never lowers severity, and an innocent client silences nothing.

use super::account::{Answer, attempt};
use super::*;
use crate::api::AccountFlow;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
enum Attack {
    Stuffing,
    Spraying,
    Guessing,
    Codes,
    Names,
    Registrations,
    Resets,
    Scan,
    Walk,
    Exposure,
    Smuggling,
}

const ATTACKS: [Attack; 11] = [
    Attack::Stuffing,
    Attack::Spraying,
    Attack::Guessing,
    Attack::Codes,
    Attack::Names,
    Attack::Registrations,
    Attack::Resets,
    Attack::Scan,
    Attack::Walk,
    Attack::Exposure,
    Attack::Smuggling,
];

/// What the attack does in one window: so many times what is its own.
fn strike(attack: Attack, traffic: &mut Traffic, window: u64, times: u64) {
    let villain = attacker(1);
    for time in 0..times {
        let nth = 5_000 + window * 100 + time;
        match attack {
            Attack::Stuffing => traffic.login(villain, nth, nth, false),
            Attack::Spraying => traffic.login(villain, nth, 42, false),
            Attack::Guessing => traffic.login(villain, 5, nth, false),
            Attack::Codes => attempt(traffic, AccountFlow::Code, villain, 7, nth, Answer::No),
            Attack::Names => attempt(traffic, AccountFlow::Lookup, villain, nth, 0, Answer::Yes),
            Attack::Registrations => attempt(traffic, AccountFlow::Registration, villain, nth, 1, Answer::Yes),
            Attack::Resets => attempt(traffic, AccountFlow::Reset, villain, nth, 0, Answer::Yes),
            Attack::Scan => traffic.tally(villain, 0, "GET", "/backup", 404, false),
            Attack::Walk => traffic.look(villain, 999_999, &[nth]),
            Attack::Exposure => {
                traffic.open_page(60, "/customers", villain, DataClass::Passport, nth * 10..nth * 10 + 10);
            }
            Attack::Smuggling => traffic.smuggles(villain, 1, 0),
        }
    }
}

/// The detectors that speak, each with the worst it says, while the attack lasts and `beside` goes on.
fn told(attack: Attack, times: u64, mut beside: impl FnMut(u64, &mut Traffic)) -> BTreeMap<&'static str, Severity> {
    let mut sensor = Sensor::learned();
    let mut told = BTreeMap::new();
    for window in 0..18 {
        let found = sensor.window(|traffic| {
            strike(attack, traffic, window, times);
            beside(window, traffic);
        });
        for finding in found {
            let worst = told.entry(finding.detector).or_insert(finding.severity);
            *worst = finding.severity.max(*worst);
        }
    }
    told
}

/// What one innocent person does in a window.
fn innocent(person: u64, asks: u64) -> impl FnMut(u64, &mut Traffic) {
    move |window, traffic| {
        let client = person_of(person);
        traffic.answers(client, asks);
        traffic.look(client, person, &[person % 400]);
        if window.is_multiple_of(6) {
            traffic.login(client, person, person, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn more_evidence_never_lowers_severity(attack in 0..ATTACKS.len(), less in 1u64..12, more in 1u64..30) {
        let attack = ATTACKS[attack];
        let worst = |times: u64| told(attack, times, |_, _| {}).into_values().max();
        let (with_less, with_more) = (worst(less), worst(less + more));
        prop_assert!(with_more >= with_less, "{attack:?}: {less} {with_less:?}, {} {with_more:?}", less + more);
    }

    #[test]
    fn an_innocent_client_silences_nothing(attack in 0..ATTACKS.len(), times in 1u64..20, person in 0u64..300, asks in 0u64..8) {
        let attack = ATTACKS[attack];
        let alone = told(attack, times, |_, _| {});
        let beside = told(attack, times, innocent(person, asks));
        for (detector, severity) in alone {
            prop_assert!(beside.get(detector).is_some_and(|other| *other >= severity), "{attack:?} ×{times}: {detector}, {beside:?}");
        }
    }
}
