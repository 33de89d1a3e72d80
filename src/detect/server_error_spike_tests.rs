//! Facts about `server_error_spike`.

use super::*;

const PAY: u64 = 90;

/// Ten people ask twenty times, and `failing` of these fail; others look at prices.
fn pay(traffic: &mut Traffic, nth: u64, failing: u64) {
    for request in 0..20 {
        let status = if request < failing { 502 } else { 200 };
        traffic.tally(person_of(nth * 10 + request % 10), PAY, "POST", "/payments", status, true);
    }
    (0..5).for_each(|request| traffic.answers(person_of(nth * 5 + request), 4));
}

/// Ten minutes in which hardly anything fails.
fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    let voices = sensor.voices(LEARNED as u64, |nth, traffic| pay(traffic, nth, u64::from(nth % 30 == 7)));
    assert_eq!(voices, SILENCE);
    sensor
}

/// Subjects of what was said while `failing` of twenty requests failed for ten minutes.
fn told(failing: impl Fn(u64) -> u64) -> Vec<(Subject, Severity)> {
    let mut sensor = learned();
    let mut told: Vec<_> = (0..60)
        .flat_map(|nth| sensor.window(|traffic| pay(traffic, nth, failing(nth))))
        .inspect(|finding| assert_eq!(finding.detector, "server_error_spike"))
        .map(|finding| (finding.subject, finding.severity))
        .collect();
    told.sort();
    told.dedup();
    told
}

#[test]
fn failures_of_many_clients_are_told_of_the_endpoint_and_of_nobody_else() {
    assert_eq!(told(|_| 1), [(Subject::Endpoint(PAY), Severity::Medium)]);
}

#[test]
fn an_outage_is_of_high_severity() {
    assert!(told(|_| 18).contains(&(Subject::Endpoint(PAY), Severity::High)));
}

#[test]
fn as_many_failures_as_ever_are_nothing() {
    assert_eq!(told(|nth| u64::from(nth % 30 == 7)), []);
}

#[test]
fn nine_failures_are_nothing_yet_and_fourteen_are_a_spike() {
    for (failures, expected) in [(9, &[][..]), (14, &["server_error_spike"])] {
        let found = learned().voices(1, |nth, traffic| {
            for request in 0..failures {
                traffic.tally(person_of(request), PAY, "POST", "/payments", 500, true);
            }
            traffic.answers(person_of(nth), 1);
        });
        assert_eq!(found, expected, "{failures}");
    }
}

#[test]
fn nothing_is_said_while_learning() {
    assert_eq!(Sensor::new().voices(LEARNED as u64, |nth, traffic| pay(traffic, nth, 15)), SILENCE);
}

#[test]
fn failures_that_were_always_there_are_no_spike() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64 + 60, |nth, traffic| pay(traffic, nth, 3)), SILENCE);
}

#[test]
fn who_alone_has_failures_where_others_are_served_is_named() {
    let mut sensor = learned();
    let mut told = Vec::new();
    for nth in 0..12 {
        let findings = sensor.window(|traffic| {
            pay(traffic, nth, 0);
            (0..3).for_each(|_| traffic.tally(attacker(1), PAY, "POST", "/payments", 500, false));
            traffic.tally(attacker(1), PAY, "POST", "/payments", 400, false);
        });
        told.extend(findings.into_iter().map(|finding| (finding.detector, finding.subject)));
    }
    told.dedup();
    assert_eq!(told, [("server_error_spike", Subject::Client(attacker(1)))]);
}

#[test]
fn who_probes_at_night_when_nobody_else_is_there_is_named() {
    let mut sensor = learned();
    let found: Vec<_> = (0..6)
        .flat_map(|_| {
            sensor.window(|traffic| {
                (0..4).for_each(|_| traffic.tally(attacker(1), PAY, "POST", "/payments", 500, false));
                (0..2).for_each(|_| traffic.tally(attacker(1), PAY, "POST", "/payments", 200, false));
            })
        })
        .map(|finding| (finding.detector, finding.subject))
        .collect();
    assert!(found.contains(&("server_error_spike", Subject::Client(attacker(1)))), "{found:?}");
}

#[test]
fn in_an_outage_nobody_is_named_however_often_he_tries_again() {
    let mut sensor = learned();
    for nth in 0..30 {
        let findings = sensor.window(|traffic| {
            pay(traffic, nth, 18);
            (0..40).for_each(|_| traffic.tally(person_of(3), PAY, "POST", "/payments", 502, true));
        });
        assert!(findings.iter().all(|finding| finding.client.is_none()), "{findings:?}");
    }
}

#[test]
fn the_only_client_of_an_endpoint_is_not_to_blame() {
    let mut sensor = Sensor::new();
    let batch = |nth: u64, traffic: &mut Traffic, status: u16| {
        pay(traffic, nth, 0);
        (0..4).for_each(|_| traffic.tally(attacker(5), 91, "GET", "/export", status, true));
    };
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| batch(nth, traffic, 200)), SILENCE);
    let mut told: Vec<_> = (0..12)
        .flat_map(|nth| sensor.window(|traffic| batch(nth, traffic, 503)))
        .map(|finding| (finding.detector, finding.subject))
        .collect();
    told.dedup();
    assert_eq!(told, [("server_error_spike", Subject::Endpoint(91))]);
}

#[test]
fn what_fails_does_not_become_normal() {
    let mut sensor = learned();
    let found: Vec<usize> = (0..400).map(|nth| sensor.window(|traffic| pay(traffic, nth, 2)).len()).skip(100).collect();
    assert!(found.iter().all(|count| *count > 0), "it is told of to the end");
}
