//! Facts about `zombie_endpoint`.

use super::*;

/// An answer of a version of the same path.
fn answer(traffic: &mut Traffic, client: IpAddr, version: u64, is_signed_in: bool) {
    let path = format!("/api/v{version}/orders");
    traffic.tally(client, 500 + version, "GET", &path, 200, is_signed_in);
}

fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| {
        answer(traffic, person_of(nth), 2, true);
        if nth.is_multiple_of(9) {
            answer(traffic, person_of(nth), 1, true);
        }
    });
    assert_eq!(found, SILENCE);
    sensor
}

#[test]
fn an_older_version_that_still_answers_is_told_of_once() {
    let mut sensor = learned();
    let told: Vec<Finding> =
        (0..40).flat_map(|_| sensor.window(|traffic| answer(traffic, attacker(1), 1, true))).collect();
    assert_eq!(told.iter().map(|finding| finding.detector).collect::<Vec<_>>(), ["zombie_endpoint"]);
    assert_eq!((told[0].severity, &told[0].subject), (Severity::Low, &Subject::Endpoint(501)));
}

#[test]
fn it_is_worse_without_the_credentials_that_the_newer_one_asks_for_and_then_told_of_again() {
    let mut sensor = learned();
    let first = sensor.window(|traffic| answer(traffic, attacker(1), 1, true));
    let second = sensor.window(|traffic| answer(traffic, attacker(1), 1, false));
    let third = sensor.window(|traffic| answer(traffic, attacker(1), 1, false));
    let severities = |found: &[Finding]| found.iter().map(|finding| finding.severity).collect::<Vec<_>>();
    assert_eq!((severities(&first), severities(&second)), (vec![Severity::Low], vec![Severity::Medium]));
    assert_eq!(severities(&third), []);
}

#[test]
fn a_newer_version_on_trial_makes_no_zombie_of_the_one_in_use() {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64 + 30, |nth, traffic| {
        answer(traffic, person_of(nth), 1, true);
        if nth.is_multiple_of(3) {
            answer(traffic, person_of(nth), 2, true);
        }
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn what_a_description_calls_deprecated_is_told_of_at_once() {
    let deprecated = |sensor: &mut Sensor| {
        sensor.window(|traffic| {
            answer(traffic, attacker(1), 1, true);
            let mut endpoint = an_endpoint("GET", HOST, "/api/v1/orders");
            (endpoint.documented, endpoint.is_deprecated) = (Some(true), true);
            traffic.window.endpoints.put(501, endpoint);
        })
    };
    let mut sensor = Sensor::new();
    assert_eq!(deprecated(&mut sensor).iter().map(|finding| finding.detector).collect::<Vec<_>>(), ["zombie_endpoint"]);
    assert!(deprecated(&mut sensor).is_empty(), "told of");
}
