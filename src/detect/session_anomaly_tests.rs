//! Facts about `session_anomaly`.

use super::*;
use crate::window::{Places, PrincipalWindow};

const KEY: u64 = 4242;

/// The key is used once from a network, with a program.
fn used(traffic: &mut Traffic, network: u64, agent: u64) {
    let client = IpAddr::from([10, network as u8, 0, 9]);
    let mut places = Places::default();
    places.networks.insert(mix(network));
    places.agents.insert(mix(agent ^ 0xa9e));
    places.sample.insert(mix(network), client);
    places.moment.record(traffic.now);
    let mut tally = Tally { requests: 1, with_credentials: 1, ..Tally::default() };
    tally.moment.record(traffic.now);
    let window = PrincipalWindow { tally, places, ..PrincipalWindow::default() };
    traffic.window.principals.put(KEY, window);
}

#[test]
fn four_networks_with_two_programs_within_minutes_are_an_anomaly() {
    let from = |networks: u64, agents: u64| {
        Sensor::learned().voices(networks, |nth, traffic| used(traffic, nth, nth % agents))
    };
    assert_eq!((from(3, 2), from(4, 2)), (SILENCE.to_vec(), vec!["session_anomaly"]));
    assert_eq!((from(7, 1), from(8, 1)), (SILENCE.to_vec(), vec!["session_anomaly"]), "with one program");
}

#[test]
fn a_partner_with_machines_in_many_networks_was_always_so() {
    let mut sensor = Sensor::new();
    let mut from =
        |windows: u64, networks: u64| sensor.voices(windows, |nth, traffic| used(traffic, nth % networks, nth % 2));
    assert_eq!(from(LEARNED as u64, 6), SILENCE);
    assert_eq!(from(60, 9), SILENCE);
    assert_eq!(from(60, 24), ["session_anomaly"]);
}

#[test]
fn who_changes_networks_now_and_then_is_a_person_on_the_road() {
    let found = Sensor::learned().voices(3000, |nth, traffic| used(traffic, nth / 900, nth / 900 % 2));
    assert_eq!(found, SILENCE);
}

#[test]
fn who_goes_to_work_with_phone_and_computer_is_none() {
    let on_the_way = |networks: u64| {
        let each = 300 / networks;
        Sensor::learned().voices(300, |nth, traffic| used(traffic, nth / each, nth % 2))
    };
    assert_eq!(on_the_way(5), SILENCE, "in fifty minutes");
    assert_eq!(on_the_way(6), ["session_anomaly"]);
}

#[test]
fn what_is_told_names_the_networks_and_the_place_before() {
    let mut sensor = Sensor::learned();
    let mut found = Vec::new();
    for nth in 0..5 {
        found.extend(sensor.window(|traffic| used(traffic, nth, nth)));
    }
    let first = found.first().expect("four networks, four programs");
    assert_eq!((first.subject.clone(), first.count), (Subject::Principal(KEY), 4));
    assert_eq!(first.client_sample.len(), 3, "of the first only that it was another is known");
}
