//! Facts about `latency_anomaly`.

use super::*;
use crate::window::{Asked, Callers};

const FIRST: u64 = 70;

impl Traffic {
    /// Answers of the nth endpoint, each after so many milliseconds.
    fn takes_time(&mut self, nth: u64, milliseconds: impl Iterator<Item = u64>) {
        let path = format!("/slow/{nth}");
        let mut latency = crate::window::histogram::LogHistogram::new();
        for milliseconds in milliseconds {
            let client = person_of(milliseconds);
            self.tally(client, FIRST + nth, "GET", &path, 200, false);
            let mut asks = new_client(client);
            asks.asked.add(Asked { host: mix(77), requests: 1, bytes: 0 });
            self.window.clients.put(key_of(client), asks);
            latency.record(milliseconds * 1000);
        }
        let mut endpoint = an_endpoint("GET", HOST, &path);
        endpoint.latency = latency;
        self.window.endpoints.put(FIRST + nth, endpoint);
    }
}

/// Eight answers of each of four endpoints, of 20 to 83 ms, of which a share is so many times slower.
fn answers(traffic: &mut Traffic, nth: u64, slower: impl Fn(u64, u64) -> u64) {
    for endpoint in 0..4 {
        let usual = |answer: u64| 20 + mix(nth * 64 + endpoint * 8 + answer) % 64;
        traffic.takes_time(endpoint, (0..8).map(|answer| usual(answer) * slower(endpoint, answer)));
    }
}

fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| answers(traffic, nth, |_, _| 1)), SILENCE);
    sensor
}

/// What is said in so many windows.
fn told(sensor: &mut Sensor, windows: u64, slower: impl Fn(u64, u64, u64) -> u64) -> Vec<(Subject, Severity)> {
    let mut told: Vec<_> = (0..windows)
        .flat_map(|nth| {
            sensor.window(|traffic| answers(traffic, nth + 500, |endpoint, answer| slower(nth, endpoint, answer)))
        })
        .inspect(|finding| assert_eq!(finding.detector, "latency_anomaly", "{finding:?}"))
        .map(|finding| (finding.subject, finding.severity))
        .collect();
    told.sort();
    told.dedup();
    told
}

#[test]
fn an_endpoint_that_takes_four_times_as_long_is_told_of_and_no_other() {
    let found = told(&mut learned(), 12, |_, endpoint, _| if endpoint == 2 { 4 } else { 1 });
    assert_eq!(found, [(Subject::Endpoint(FIRST + 2), Severity::Low)]);
}

#[test]
fn a_part_of_its_answers_is_enough() {
    let found = told(&mut learned(), 60, |_, endpoint, answer| if endpoint == 2 && answer % 4 == 0 { 5 } else { 1 });
    assert_eq!(found, [(Subject::Endpoint(FIRST + 2), Severity::Low)]);
}

#[test]
fn a_hiccup_and_what_nobody_feels_are_nothing() {
    let hiccup = told(&mut learned(), 60, |nth, _, _| if (20..23).contains(&nth) { 9 } else { 1 });
    assert_eq!(hiccup, []);
    let few = told(&mut learned(), 60, |nth, _, answer| if answer == 0 && nth.is_multiple_of(2) { 9 } else { 1 });
    assert_eq!(few, [], "one in sixteen");
}

#[test]
fn a_host_that_is_slow_as_a_whole_is_told_of_as_such() {
    let mut sensor = learned();
    told(&mut sensor, 10, |_, endpoint, _| if endpoint < 3 { 5 } else { 1 });
    let found = told(&mut sensor, 30, |_, endpoint, _| if endpoint < 3 { 5 } else { 1 });
    assert_eq!(found, [(Subject::Host(HOST.to_owned()), Severity::Medium)]);
}

#[test]
fn nothing_is_said_while_learning_and_what_was_always_slow_is_usual() {
    let mut sensor = Sensor::new();
    let slow = |nth: u64, traffic: &mut Traffic| answers(traffic, nth, |_, answer| 1 + 9 * u64::from(answer == 0));
    assert_eq!(sensor.voices(LEARNED as u64 + 60, slow), SILENCE);
}

#[test]
fn what_is_slow_does_not_become_usual() {
    let mut sensor = learned();
    told(&mut sensor, 20, |_, endpoint, _| if endpoint == 1 { 4 } else { 1 });
    let later: Vec<usize> = (20..400)
        .map(|nth| {
            let found = sensor.window(|traffic| {
                answers(traffic, nth, |endpoint, _| if endpoint == 1 { 4 } else { 1 });
            });
            found.len()
        })
        .collect();
    assert!(later.iter().all(|count| *count == 1), "{later:?}");
}

#[test]
fn a_slowdown_that_creeps_is_found_by_its_sum() {
    let mut sensor = learned();
    let mut told = Vec::new();
    for nth in 0..1500 {
        let found = sensor.window(|traffic| {
            for endpoint in 0..4 {
                let usual = |answer: u64| 20 + mix(nth * 64 + endpoint * 8 + answer + 77) % 64;
                let percent = if endpoint == 1 { 100 + (nth / 10).min(100) } else { 100 };
                traffic.takes_time(endpoint, (0..8).map(|answer| usual(answer) * percent / 100));
            }
        });
        told.extend(found.into_iter().map(|finding| (finding.detector, finding.subject)));
    }
    told.dedup();
    assert_eq!(told, [("latency_anomaly", Subject::Endpoint(FIRST + 1))]);
}

#[test]
fn errors_say_it_better() {
    let mut sensor = learned();
    let found = sensor.voices(40, |nth, traffic| {
        answers(traffic, nth, |_, _| 6);
        for endpoint in 0..4 {
            let path = format!("/slow/{endpoint}");
            (0..4).for_each(|request| {
                traffic.tally(person_of(nth + request), FIRST + endpoint, "GET", &path, 503, false);
            });
        }
    });
    assert_eq!(found, ["server_error_spike"]);
}

#[test]
fn one_client_that_floods_the_host_explains_that_it_is_slow() {
    let mut sensor = learned();
    let mut found = Vec::new();
    for nth in 0..40 {
        let findings = sensor.window(|traffic| {
            answers(traffic, nth, |_, _| 6);
            flood(traffic, 20_000);
        });
        found.extend(findings.into_iter().map(|finding| finding.detector));
    }
    found.dedup();
    assert_eq!(found, ["resource_abuse"]);
}

/// Requests of one address, with a piece of evidence.
fn flood(traffic: &mut Traffic, requests: u64) {
    let client = attacker(9);
    traffic.tally(client, FIRST, "GET", "/slow/0", 400, false);
    let evidence = traffic.window.clients.get(key_of(client)).and_then(|window| window.errors.clone());
    let evidence = evidence.and_then(|errors| errors.evidence.first().map(|(key, shown)| (*key, shown.clone())));
    let (key, shown) = evidence.unwrap();
    let mut callers = Callers { sampled: 1, ..Callers::default() };
    callers.evidence.insert(key, shown);
    let mut tally = Tally { requests, ..Tally::default() };
    tally.statuses.record_n(200, requests as u32);
    tally.moment.record(traffic.now);
    let mut window = ClientWindow { tally, callers: Some(Box::new(callers)), ..new_client(client) };
    window.asked.add(Asked { host: mix(77), requests, bytes: 0 });
    traffic.window.clients.put(key_of(client), window);
}
