//! Facts about `business_flow_abuse`.

use super::*;
use crate::window::use_key;

const BUY: u64 = 70;

/// Somebody buys so many times.
fn buy(traffic: &mut Traffic, client: IpAddr, person: Option<u64>, times: u64) {
    for _ in 0..times {
        traffic.tally(client, BUY, "POST", "/purchases", 201, person.is_some());
        let of = Reach { endpoint: BUY, uses: 1, lowest: u64::MAX, highest: 0, ..reach_of(client, 0, 0) };
        let mut reach = Reach { principal: person.map(mix), objects: Default::default(), ..of };
        reach.moment.record(traffic.now);
        traffic.window.reaches.put(use_key(BUY, person.map_or(key_of(client), mix)), reach);
    }
}

/// Ten minutes in which everybody buys so many times.
fn a_shop(times: u64) -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| buy(traffic, person_of(nth), Some(nth), times));
    assert_eq!(found, SILENCE);
    sensor
}

#[test]
fn who_buys_far_more_than_others_is_told_of() {
    let mut sensor = a_shop(1);
    assert_eq!(sensor.voices(28, |_, traffic| buy(traffic, attacker(1), Some(999), 1)), SILENCE);
    let found = sensor.voices(20, |_, traffic| buy(traffic, attacker(1), Some(999), 1));
    assert_eq!(found, ["business_flow_abuse"], "an account");
    let mut sensor = a_shop(1);
    assert_eq!(sensor.voices(45, |_, traffic| buy(traffic, attacker(1), None, 2)), SILENCE, "an address of many");
    let found = sensor.voices(15, |_, traffic| buy(traffic, attacker(1), None, 2));
    assert_eq!(found, ["business_flow_abuse"], "an address");
}

#[test]
fn who_is_slow_is_seen_within_the_hour() {
    let found = a_shop(1).voices(400, |nth, traffic| match nth % 6 {
        0 => buy(traffic, attacker(1), Some(999), 1),
        nth => buy(traffic, person_of(nth), Some(1000 + nth), 0),
    });
    assert_eq!(found, ["business_flow_abuse"]);
}

#[test]
fn what_everybody_does_all_the_time_and_what_nobody_does_is_nothing() {
    let found = a_shop(12).voices(60, |_, traffic| buy(traffic, attacker(1), Some(999), 5));
    assert_eq!(found, SILENCE, "an app tells what it does");
    let mut sensor = Sensor::new();
    sensor.voices(LEARNED as u64, |nth, traffic| {
        if nth < 10 {
            buy(traffic, person_of(nth), Some(nth), 1)
        }
    });
    assert_eq!(sensor.voices(60, |_, traffic| buy(traffic, attacker(1), Some(999), 5)), SILENCE, "ten people");
}

#[test]
fn who_always_did_may_go_on() {
    let mut sensor = Sensor::new();
    let busy = |nth: u64, traffic: &mut Traffic| {
        buy(traffic, person_of(nth), Some(nth), 1);
        buy(traffic, attacker(1), Some(999_999), u64::from(nth.is_multiple_of(2)));
    };
    assert_eq!(sensor.voices(LEARNED as u64 + 200, busy), SILENCE);
}
