//! Facts about failures of strangers, in `credential_stuffing`.

use super::*;

/// What is said of 27 failures an hour, each of another address that asks so much beside it, at a login where 72 of 360 fail in an
/// hour anyway; after so many windows of it.
fn trickle(windows: u64, beside: u64, share_right: u64) -> Vec<&'static str> {
    let mut sensor = Sensor::new();
    let ordinary = |nth: u64, traffic: &mut Traffic| {
        traffic.answers(person_of(nth), 10);
        traffic.login(person_of(nth), nth, nth, !nth.is_multiple_of(5));
    };
    assert_eq!(sensor.voices(1080, ordinary), SILENCE);
    sensor.voices(windows, |nth, traffic| {
        ordinary(nth, traffic);
        if nth % 13 == 1 {
            let stranger = IpAddr::from([203, (nth % 250) as u8, (nth / 250) as u8, 1]);
            traffic.answers(stranger, beside);
            traffic.login(stranger, 5_000 + nth, nth, share_right > 0 && nth / 13 % share_right == 0);
        }
    })
}

#[test]
fn a_trickle_of_strangers_is_stuffing_before_it_becomes_usual() {
    assert_eq!(trickle(360, 0, 0), ["credential_stuffing"]);
    assert_eq!(trickle(240, 0, 0), SILENCE, "fewer than twenty");
}

#[test]
fn strangers_who_get_in_or_use_the_place_are_no_campaign() {
    assert_eq!(trickle(360, 0, 2), SILENCE, "programs that only log in");
    assert_eq!(trickle(360, 10, 0), SILENCE, "people who came");
}

#[test]
fn programs_in_many_places_with_old_passwords_are_no_campaign() {
    let found = |pairs: u64| {
        let mut sensor = Sensor::new();
        let ordinary = |nth: u64, traffic: &mut Traffic| {
            traffic.answers(person_of(nth), 10);
            traffic.login(person_of(nth), nth, nth, !nth.is_multiple_of(20));
        };
        assert_eq!(sensor.voices(360, ordinary), SILENCE);
        sensor.voices(180, |nth, traffic| {
            ordinary(nth, traffic);
            let device = nth % pairs;
            let address = IpAddr::from([203, (device % 250) as u8, (device / 250) as u8, 1]);
            traffic.login(address, 5_000 + device, 7_000 + device, false);
        })
    };
    let is_told = |pairs: u64| found(pairs).contains(&"credential_stuffing");
    assert!(!is_told(12), "every two minutes each");
    assert!(is_told(180));
}
