//! Facts about `response_drift`.

use super::*;

/// The endpoint's answers to three people in a window; those for whom `carries` holds have a telephone number in them.
fn answers(nth: u64, traffic: &mut Traffic, carries: impl Fn(u64) -> bool) {
    for person in 0..3 {
        let value = nth * 3 + person;
        traffic.tally(person_of(value), 81, "GET", "/users/{id}", 200, true);
        if carries(value) {
            let exposure = exposure_of(person_of(value), DataClass::Phone, value..value + 1, traffic.now);
            let mut endpoint = an_endpoint("GET", HOST, "/users/{id}");
            endpoint.exposure = Some(Box::new(exposure));
            traffic.window.endpoints.put(81, endpoint);
        }
    }
}

fn learned(carries: impl Fn(u64) -> bool) -> Sensor {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| answers(nth, traffic, &carries)), SILENCE);
    sensor
}

#[test]
fn a_field_that_a_release_added_is_told_of_within_minutes() {
    let found = learned(|_| false).voices(12, |nth, traffic| answers(nth, traffic, |_| true));
    assert_eq!(found, ["response_drift"]);
}

#[test]
fn a_number_in_a_comment_is_no_drift() {
    let found = learned(|_| false).voices(60, |nth, traffic| answers(nth, traffic, |value| value.is_multiple_of(60)));
    assert_eq!(found, SILENCE);
}

#[test]
fn what_was_always_there_is_no_drift() {
    let found = learned(|value| value.is_multiple_of(9)).voices(12, |nth, traffic| answers(nth, traffic, |_| true));
    assert_eq!(found, SILENCE);
}

#[test]
fn the_floors_of_responses_and_values_have_an_effect() {
    for change in [
        |rules: &mut crate::rule::ResponseDrift| rules.min_responses = 100,
        |rules: &mut crate::rule::ResponseDrift| rules.min_values.medium = 100,
        |rules: &mut crate::rule::ResponseDrift| rules.min_baseline_responses = 10_000,
    ] {
        let mut sensor = learned(|_| false);
        change(&mut sensor.rules.response_drift);
        assert_eq!(sensor.voices(12, |nth, traffic| answers(nth, traffic, |_| true)), SILENCE);
    }
}
