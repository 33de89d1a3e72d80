//! Facts about `undocumented_parameter`.

use super::*;
use crate::api::parameters::Place;
use crate::window::{StrayUse, Strays};
use std::collections::BTreeMap;

const PROFILE: u64 = 60;

#[derive(Clone, Copy)]
struct Name(&'static str, bool, bool);

/// A name that tells of rights; one that a description does not list; one that is both.
const ROLE: Name = Name("role", true, false);
const VERBOSE: Name = Name("verbose", false, true);
const UNDECLARED_ROLE: Name = Name("role", true, true);

impl Traffic {
    /// A changed profile, with fields that are out of place.
    fn changes_profile(&mut self, client: IpAddr, names: &[Name]) {
        self.tally(client, PROFILE, "PATCH", "/profile", 200, true);
        if names.is_empty() {
            return;
        }
        let mut by_name = BTreeMap::new();
        for Name(name, is_telling, is_undeclared) in names {
            let (is_telling, is_undeclared) = (*is_telling, *is_undeclared);
            let (name_of, place) = (name.to_string(), Place::Body);
            let mut used = StrayUse { name: name_of, place, is_telling, is_undeclared, ..StrayUse::default() };
            used.requests = 1;
            used.clients.insert(key_of(client));
            used.client_sample.insert(key_of(client), client);
            used.moment.record(self.now);
            by_name.insert((!is_telling, name.bytes().map(u64::from).sum()), used);
        }
        let mut endpoint = an_endpoint("PATCH", HOST, "/profile");
        endpoint.strays = Some(Box::new(Strays { by_name }));
        self.window.endpoints.put(PROFILE, endpoint);
    }
}

/// Profiles were changed so often while the sensor learned and after that.
fn learned(changes: u64, names: &[Name]) -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| {
        if nth < changes {
            traffic.changes_profile(person_of(nth), names);
        }
        traffic.answers(person_of(nth), 1);
    });
    assert_eq!(found, SILENCE);
    sensor
}

fn told(sensor: &mut Sensor, client: IpAddr, names: &[Name]) -> Vec<(Severity, String)> {
    let found = sensor.window(|traffic| traffic.changes_profile(client, names));
    assert!(found.iter().all(|finding| finding.detector == "undocumented_parameter" && finding.probability.is_none()));
    found.into_iter().map(|finding| (finding.severity, finding.observed)).collect()
}

#[test]
fn a_role_where_nobody_ever_sent_one_is_told_of_after_ten_requests_and_not_after_nine() {
    assert_eq!(told(&mut learned(9, &[]), attacker(1), &[ROLE]), []);
    let expected = (Severity::Medium, "accepted: `role` in the body".to_owned());
    assert_eq!(told(&mut learned(10, &[]), attacker(1), &[ROLE]), [expected]);
    assert_eq!(told(&mut learned(29, &[]), attacker(1), &[VERBOSE]), []);
}

#[test]
fn what_forms_send_is_no_news() {
    let mut sensor = learned(40, &[ROLE, VERBOSE]);
    assert_eq!(told(&mut sensor, attacker(1), &[ROLE, VERBOSE]), []);
    assert_eq!(told(&mut learned(0, &[]), attacker(1), &[ROLE, VERBOSE]), [], "nor what a new endpoint takes");
}

#[test]
fn a_description_speaks_against_a_role_at_once_even_while_the_sensor_learns() {
    let mut sensor = Sensor::new();
    let found = told(&mut sensor, attacker(1), &[UNDECLARED_ROLE, VERBOSE]);
    assert_eq!(found, [(Severity::High, "accepted: `role` in the body".to_owned())]);
}

#[test]
fn other_names_that_it_does_not_list_are_told_of_once_in_low_voice() {
    let mut sensor = learned(40, &[]);
    assert_eq!(
        told(&mut sensor, attacker(1), &[VERBOSE]),
        [(Severity::Low, "accepted: `verbose` in the body".to_owned())]
    );
    assert_eq!(told(&mut sensor, attacker(1), &[VERBOSE]), []);
    assert_eq!(told(&mut sensor, attacker(2), &[VERBOSE]), []);
}

#[test]
fn another_client_with_a_role_is_news_until_many_send_it() {
    let mut sensor = learned(40, &[]);
    let severities: Vec<usize> = (1..7).map(|nth| told(&mut sensor, attacker(nth), &[ROLE]).len()).collect();
    assert_eq!(severities, [1, 1, 1, 0, 0, 0]);
    assert_eq!(told(&mut sensor, attacker(1), &[ROLE]), []);
}

#[test]
fn what_is_kept_of_parameters_comes_back_from_the_disk() {
    let mut sensor = learned(40, &[]);
    told(&mut sensor, attacker(1), &[ROLE]);
    let kept = sensor.store.endpoints.get(&PROFILE).unwrap().parameters.clone().unwrap();
    let json = serde_json::to_string(&kept).unwrap();
    let back: crate::baseline::Parameters = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    let told = back.of_window(sensor.window - 1).map(|(_, parameter)| parameter.told).collect::<Vec<_>>();
    assert_eq!(told, [Some((Severity::Medium, 1))]);
}

#[test]
fn a_header_that_asks_for_another_method_is_named_for_what_it_does() {
    let mut sensor = learned(40, &[]);
    let found = sensor.window(|traffic| {
        traffic.changes_profile(attacker(1), &[Name("DELETE", true, false)]);
        let strays = traffic.window.endpoints.get_mut(PROFILE).and_then(|endpoint| endpoint.strays.as_deref_mut());
        strays
            .into_iter()
            .flat_map(|strays| strays.by_name.values_mut())
            .for_each(|used| used.place = Place::MethodOverride);
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].observed, "accepted: a header that makes it DELETE");
    assert!(found[0].reasons.facts.iter().any(|fact| fact.contains("the request line")), "{:?}", found[0].reasons);
}
