//! Facts about `cross_account_access`.

use super::*;
use crate::window::{PrincipalWindow, contact_key};

const LISTS: u64 = 90;

/// An account is given an object.
fn give(traffic: &mut Traffic, method: &str, account: u64, object: u64) {
    traffic.tally(person_of(account), LISTS, method, "/lists/{id}", 200, true);
    let mut endpoint = an_endpoint(method, HOST, "/lists/{id}");
    let contact = (mix(object), mix(1_000_000 + account));
    endpoint.contacts.insert(contact_key(contact), contact);
    endpoint.tally.moment.record(traffic.now);
    traffic.window.endpoints.put(LISTS, endpoint);
    let mut principal = PrincipalWindow::default();
    principal.clients.insert(key_of(person_of(account)));
    traffic.window.principals.put(contact.1, principal);
}

/// People who look at four lists of their own each, while the sensor learned.
fn learned(method: &'static str, people: u64) -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| {
        (0..people).for_each(|account| give(traffic, method, account, 4 * account + nth % 4));
    });
    assert_eq!(found, SILENCE);
    sensor
}

fn told(sensor: &mut Sensor, method: &str, account: u64, objects: &[u64]) -> Vec<(Severity, String)> {
    let found = sensor.window(|traffic| objects.iter().for_each(|object| give(traffic, method, account, *object)));
    let found = found.into_iter().filter(|finding| finding.detector == "cross_account_access");
    found.map(|finding| (finding.severity, finding.observed)).collect()
}

#[test]
fn who_is_given_three_objects_of_three_others_is_told_of() {
    let mut sensor = learned("GET", 12);
    assert_eq!(told(&mut sensor, "GET", 50, &[0, 1, 2, 3, 4]), [], "of two others");
    let expected = (Severity::Medium, "6 objects of 3 other accounts were given".to_owned());
    assert_eq!(told(&mut sensor, "GET", 50, &[8]), [expected]);
    assert_eq!(told(&mut sensor, "GET", 3, &[12, 13, 14, 15]), [], "his own");
}

#[test]
fn who_changes_what_is_of_others_is_worse() {
    let found = told(&mut learned("PUT", 12), "PUT", 50, &[0, 4, 8]);
    assert_eq!(found, [(Severity::High, "3 objects of 3 other accounts were given".to_owned())]);
}

#[test]
fn few_owners_show_nothing() {
    assert_eq!(told(&mut learned("GET", 9), "GET", 50, &[0, 4, 8, 12]), []);
}
