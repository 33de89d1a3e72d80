//! Facts about `credential_leak`.

use super::*;
use crate::window::Leaks;

impl Traffic {
    /// An answer with so many distinct secrets of a class.
    fn leaks(&mut self, client: IpAddr, class: DataClass, count: u64, is_open: bool) {
        self.tally(client, 60, "GET", "/debug", 200, !is_open);
        let mut leaks = Leaks { open_responses: u64::from(is_open), ..Leaks::default() };
        leaks.exposure = exposure_of(client, class, 0..count, self.now);
        let mut endpoint = an_endpoint("GET", HOST, "/debug");
        endpoint.leaks = Some(Box::new(leaks));
        self.window.endpoints.put(60, endpoint);
    }
}

fn leak(class: DataClass, count: u64, is_open: bool) -> Option<Severity> {
    let found = Sensor::new().window(|traffic| traffic.leaks(attacker(1), class, count, is_open));
    found.iter().find(|finding| finding.detector == "credential_leak").map(|finding| finding.severity)
}

#[test]
fn one_secret_is_told_of_while_learning_and_worse_without_credentials() {
    assert_eq!(leak(DataClass::ApiKey, 1, false), Some(Severity::High));
    assert_eq!(leak(DataClass::PrivateKey, 1, true), Some(Severity::Critical));
    assert_eq!(leak(DataClass::PasswordHash, 1, false), Some(Severity::High));
}

#[test]
fn four_tokens_are_a_leak_and_three_are_none() {
    assert_eq!(leak(DataClass::Jwt, 3, false), None);
    assert_eq!(leak(DataClass::Jwt, 4, false), Some(Severity::Medium));
}

#[test]
fn classes_may_be_left_out() {
    let mut sensor = Sensor::new();
    sensor.rules.credential_leak.ignored_classes = vec!["api_key".to_owned()];
    let found = sensor.window(|traffic| traffic.leaks(attacker(1), DataClass::ApiKey, 9, true));
    assert!(found.iter().all(|finding| finding.detector != "credential_leak"), "{found:?}");
}

#[test]
fn personal_data_is_none_of_its_business() {
    let mut sensor = Sensor::learned();
    let found = sensor.window(|traffic| traffic.open_page(61, "/people", attacker(1), DataClass::Email, 0..500));
    assert!(found.iter().all(|finding| finding.detector != "credential_leak"), "{found:?}");
}
