//! Facts about `traffic_drop`.

use super::*;
use crate::window::distinct::DistinctSet;

const OTHER: &str = "other.example";

fn host_key(host: &str) -> u64 {
    mix(host.len() as u64 + 1000)
}

impl Traffic {
    /// Requests to a host, each of another client, answered or not.
    fn comes(&mut self, host: &str, requests: u64, are_answered: bool) {
        self.come(host, requests, requests, are_answered);
    }

    fn come(&mut self, host: &str, came: u64, requests: u64, are_answered: bool) {
        if requests == 0 {
            return;
        }
        let mut tally = Tally { requests, ..Tally::default() };
        if are_answered {
            tally.statuses.record_n(200, requests as u32);
        }
        tally.moment.record(self.now);
        let mut clients = DistinctSet::default();
        (0..came).for_each(|client| clients.insert(mix(client)));
        let window = HostWindow { host: Arc::from(host), tally, clients, errors: None, failures: None };
        self.window.hosts.put(host_key(host), window);
    }
}

/// A sensor that misses traffic.
fn watching() -> Sensor {
    let mut sensor = Sensor::new();
    sensor.rules.traffic_drop.enabled = true;
    sensor
}

/// Between nine and thirteen in a window.
fn about_ten(nth: u64) -> u64 {
    9 + mix(nth) % 5
}

/// Ten minutes of two hosts that get so many requests a window.
fn learned(requests: impl Fn(u64) -> u64) -> Sensor {
    let mut sensor = watching();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| {
        traffic.comes(HOST, requests(nth), true);
        traffic.comes(OTHER, 5, true);
    });
    assert_eq!(found, SILENCE);
    sensor
}

/// What is said in so many windows in which the host gets so many requests.
fn told(sensor: &mut Sensor, windows: u64, requests: impl Fn(u64) -> u64) -> Vec<(Subject, Severity)> {
    let mut told: Vec<_> = (0..windows)
        .flat_map(|nth| {
            sensor.window(|traffic| {
                traffic.comes(HOST, requests(nth), true);
                traffic.comes(OTHER, 5, true);
            })
        })
        .inspect(|finding| assert_eq!(finding.detector, "traffic_drop", "{finding:?}"))
        .map(|finding| (finding.subject, finding.severity))
        .collect();
    told.sort();
    told.dedup();
    told
}

fn of_host(severity: Severity) -> Vec<(Subject, Severity)> {
    vec![(Subject::Host(HOST.to_owned()), severity)]
}

#[test]
fn a_steady_host_that_falls_silent_is_told_of_within_two_minutes() {
    let [(_, first), (_, then)] = &told(&mut learned(about_ten), 12, |_| 0)[..] else { panic!("it gets worse") };
    assert_eq!((*first, *then), (Severity::Medium, Severity::High));
}

#[test]
fn two_fifths_are_a_drop_and_half_is_none() {
    assert_eq!(told(&mut learned(about_ten), 60, |_| 4), of_host(Severity::Medium));
    assert_eq!(told(&mut learned(about_ten), 60, |_| 5), []);
}

#[test]
fn nothing_is_said_while_learning() {
    let found = watching().voices(LEARNED as u64, |nth, traffic| {
        traffic.comes(HOST, if nth < 30 { 10 } else { 0 }, true);
        traffic.comes(OTHER, 5, true);
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn a_small_host_and_a_fitful_one_may_be_silent() {
    assert_eq!(told(&mut learned(|nth| nth % 2), 60, |_| 0), []);
    assert_eq!(told(&mut learned(|nth| if nth % 36 < 12 { 60 } else { 0 }), 60, |_| 0), []);
}

#[test]
fn a_night_that_comes_is_no_drop() {
    let mut sensor = learned(|_| 100);
    assert_eq!(told(&mut sensor, 1440, |nth| 100 - nth * 95 / 1440), [], "four hours");
}

#[test]
fn a_sensor_that_sees_nothing_or_half_of_it_says_nothing() {
    let mut sensor = learned(about_ten);
    sensor.window += 200;
    assert_eq!(told(&mut sensor, 30, about_ten), [], "nothing came of anybody");
    let halves = (0..60).flat_map(|_| {
        sensor.window(|traffic| {
            traffic.comes(HOST, 1, false);
            traffic.comes(OTHER, 5, false);
        })
    });
    assert_eq!(halves.count(), 0, "requests without answers");
}

#[test]
fn a_drop_goes_on_until_it_is_over() {
    let mut sensor = learned(about_ten);
    told(&mut sensor, 12, |_| 0);
    assert_eq!(told(&mut sensor, 1000, |_| 0), of_host(Severity::High));
    told(&mut sensor, 60, about_ten);
    assert_eq!(told(&mut sensor, 300, about_ten), []);
}

#[test]
fn a_client_that_made_most_of_it_may_end() {
    let mut sensor = watching();
    let batch = |traffic: &mut Traffic, requests: u64| traffic.come(HOST, 10, 10 + requests, true);
    assert_eq!(sensor.voices(LEARNED as u64, |_, traffic| batch(traffic, 200)), SILENCE);
    assert_eq!(sensor.voices(60, |_, traffic| batch(traffic, 0)), SILENCE);
}

#[test]
fn fewer_who_ask_less_each_are_a_drop_where_fewer_alone_are_none() {
    let told = |clients: u64, each: u64| {
        let mut sensor = watching();
        let ordinary = |nth, traffic: &mut Traffic| traffic.come(HOST, 2 * about_ten(nth), 8 * about_ten(nth), true);
        assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
        sensor.voices(60, |_, traffic| {
            traffic.come(HOST, clients, clients * each, true);
            traffic.comes(OTHER, 5, true);
        })
    };
    assert_eq!(told(12, 2), ["traffic_drop"], "three fifths of the clients, with three tenths of the requests");
    assert_eq!(told(12, 4), SILENCE, "three fifths of the clients, who ask as ever");
    assert_eq!(told(20, 1), SILENCE, "all of the clients, who ask a quarter");
}

#[test]
fn a_handful_of_people_may_have_a_break_together_and_machines_may_not() {
    let people = |nth: u64| 1 + nth / 12 % 3;
    assert_eq!(told(&mut learned(people), 60, |_| 0), []);
    assert_eq!(told(&mut learned(|_| 2), 60, |_| 0).last(), of_host(Severity::High).last());
}
