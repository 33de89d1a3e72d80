//! Facts about `idle_api_key`.

use super::*;
use crate::api::CredentialKind;
use crate::window::{LastingUse, PrincipalWindow, network_hash, network_of};

const KEY: u64 = 4711;
const STOCK: u64 = 40;
const CUSTOMERS: u64 = 41;
/// Windows of a day.
const DAY: i64 = 8640;

fn partner() -> IpAddr {
    IpAddr::from([192, 0, 2, 7])
}

impl Traffic {
    /// A request with an API key.
    fn with_key(&mut self, client: IpAddr, key: u64, endpoint: u64, status: u16) {
        self.tally(client, endpoint, "GET", if endpoint == STOCK { "/stock" } else { "/customers" }, status, true);
        let mut tally = Tally { requests: 1, with_credentials: 1, ..Tally::default() };
        tally.statuses.record(status);
        tally.moment.record(self.now);
        let mut used = LastingUse::new(CredentialKind::ApiKey);
        used.successes = u64::from(status == 200);
        used.networks.insert(network_hash(network_of(client)), network_of(client));
        used.endpoints.insert(endpoint, ());
        let exposure = (endpoint == CUSTOMERS).then(|| Box::new(exposure_of(client, DataClass::Email, 0..3, self.now)));
        let window = PrincipalWindow {
            tally,
            clients: [key_of(client)].into_iter().collect(),
            exposure,
            lasting: Some(Box::new(used)),
            ..PrincipalWindow::default()
        };
        self.window.principals.put(mix(key), window);
    }
}

/// Ten minutes in which a partner's key asks for stock.
fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64 + 10, |nth, traffic| {
        traffic.with_key(partner(), KEY, STOCK, 200);
        traffic.answers(person_of(nth), 1);
    });
    assert_eq!(found, SILENCE);
    sensor
}

/// So many days with others' traffic in some windows of each.
fn days_pass(sensor: &mut Sensor, days: i64) {
    for _ in 0..days {
        sensor.window += DAY - 1;
        assert!(sensor.window(|traffic| traffic.answers(person_of(1), 1)).is_empty());
    }
}

fn of_keys(found: Vec<Finding>) -> Vec<(Severity, String)> {
    found.into_iter().map(|finding| (finding.severity, finding.observed)).collect()
}

/// What is said of the key's first request after so many days.
fn awakens(sensor: &mut Sensor, days: i64, client: IpAddr, endpoint: u64, status: u16) -> Vec<Severity> {
    days_pass(sensor, days);
    let found = sensor.window(|traffic| traffic.with_key(client, KEY, endpoint, status));
    assert!(
        found.iter().all(|finding| finding.detector == "idle_api_key" && finding.probability.is_none()),
        "{found:?}"
    );
    of_keys(found).into_iter().map(|(severity, _)| severity).collect()
}

#[test]
fn a_key_that_slept_for_thirty_days_is_told_of_and_after_twenty_nine_it_is_not() {
    assert_eq!(awakens(&mut learned(), 29, partner(), STOCK, 200), []);
    assert_eq!(awakens(&mut learned(), 31, partner(), STOCK, 200), [Severity::Low]);
}

#[test]
fn each_sign_of_other_hands_makes_it_worse() {
    assert_eq!(awakens(&mut learned(), 31, attacker(1), STOCK, 200), [Severity::Medium], "the network");
    assert_eq!(awakens(&mut learned(), 31, partner(), CUSTOMERS, 200), [Severity::High], "endpoint and personal data");
}

#[test]
fn it_is_told_of_once_and_again_if_it_turns_out_to_be_worse() {
    let mut sensor = learned();
    assert_eq!(awakens(&mut sensor, 40, partner(), STOCK, 200), [Severity::Low]);
    let again = |sensor: &mut Sensor, client, endpoint| {
        of_keys(sensor.window(|traffic| traffic.with_key(client, KEY, endpoint, 200)))
    };
    assert_eq!(again(&mut sensor, partner(), STOCK), []);
    let worse = again(&mut sensor, attacker(1), STOCK);
    assert!(worse.len() == 1 && worse[0].0 == Severity::Medium, "{worse:?}");
    assert!(worse[0].1.contains("198.51.100.0/24"), "{worse:?}");
    assert_eq!(again(&mut sensor, attacker(1), STOCK), []);
}

#[test]
fn a_key_that_is_refused_was_switched_off() {
    assert_eq!(awakens(&mut learned(), 40, attacker(1), STOCK, 404), []);
}

#[test]
fn while_the_sensor_was_off_no_key_slept() {
    let mut sensor = learned();
    days_pass(&mut sensor, 5);
    sensor.window += 60 * DAY;
    assert_eq!(awakens(&mut sensor, 5, attacker(1), STOCK, 200), []);
}

#[test]
fn what_comes_back_each_quarter_is_news_once() {
    let mut sensor = learned();
    assert_eq!(awakens(&mut sensor, 90, partner(), STOCK, 200), [Severity::Low]);
    assert_eq!(awakens(&mut sensor, 92, partner(), STOCK, 200), []);
    assert_eq!(awakens(&mut sensor, 200, partner(), STOCK, 200), [Severity::Low]);
}

#[test]
fn a_nightly_job_learns_its_networks() {
    let mut sensor = learned();
    for _ in 0..3 {
        assert_eq!(awakens(&mut sensor, 1, attacker(1), STOCK, 200), []);
    }
    assert_eq!(awakens(&mut sensor, 31, attacker(1), STOCK, 200), [Severity::Low], "not a new network");
}

#[test]
fn keys_that_wake_up_together_where_they_always_were_were_out_of_sight() {
    let asked = |traffic: &mut Traffic, keys: u64| {
        (0..keys).for_each(|key| traffic.with_key(partner(), key, STOCK, 200));
    };
    for (keys, told) in [(3, 3), (4, 0)] {
        let mut sensor = Sensor::new();
        let ordinary = |nth: u64, traffic: &mut Traffic| {
            asked(traffic, 4);
            traffic.answers(person_of(nth), 1);
        };
        assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
        days_pass(&mut sensor, 31);
        assert_eq!(sensor.window(|traffic| asked(traffic, keys)).len(), told);
    }
}

#[test]
fn where_thousands_have_such_credentials_they_are_peoples() {
    let mut sensor = Sensor::new();
    sensor.rules.idle_api_key.max_credentials = 50;
    assert_eq!(sensor.voices(51, |nth, traffic| traffic.with_key(partner(), nth, STOCK, 200)), SILENCE);
    days_pass(&mut sensor, 31);
    assert!(sensor.window(|traffic| traffic.with_key(partner(), 3, STOCK, 200)).is_empty());
}

#[test]
fn where_many_came_back_before_coming_back_is_usual() {
    let mut sensor = Sensor::new();
    let used = |traffic: &mut Traffic, key: u64| traffic.with_key(attacker(key), key, STOCK, 200);
    let ordinary = |nth: u64, traffic: &mut Traffic| {
        (0..20).for_each(|key| used(traffic, key));
        traffic.answers(person_of(nth), 1);
    };
    assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
    days_pass(&mut sensor, 31);
    let told: Vec<usize> = (0..20)
        .map(|key| {
            days_pass(&mut sensor, 1);
            sensor.window(|traffic| used(traffic, key)).len()
        })
        .collect();
    assert_eq!(told.iter().sum::<usize>(), 10, "{told:?}");
    assert!(told[..10].iter().all(|told| *told == 1), "{told:?}");
}

#[test]
fn an_awakening_comes_back_from_the_disk() {
    let mut sensor = learned();
    awakens(&mut sensor, 31, attacker(1), STOCK, 200);
    let state = sensor.store.principals.get(&mix(KEY)).unwrap().lasting.clone().unwrap();
    let json = serde_json::to_string(&state).unwrap();
    let back: crate::baseline::Lasting = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert_eq!(back.awakening.unwrap().told, Some(Severity::Medium));
}
