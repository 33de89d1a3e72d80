//! Facts about `resource_abuse`.

use super::*;
use crate::window::{Asked, Callers, DeepDocuments, Page, PrincipalWindow};
use std::cmp::Reverse;

/// Key of the host that everything here happens at.
fn at() -> u64 {
    mix(77)
}

impl Traffic {
    /// Requests of an address for one thing, by so many keys and with so many names of client software.
    fn asks(&mut self, client: IpAddr, requests: u64, keys: u64, agents: u64) {
        if requests == 0 {
            return;
        }
        let mut tally = Tally { requests, response_bytes: requests * 1000, ..Tally::default() };
        tally.statuses.record_n(200, requests as u32);
        tally.moment.record(self.now);
        tally.moment.record(self.now.saturating_add(Duration::from_secs(9)));
        let mut callers = Callers { sampled: requests, ..Callers::default() };
        (0..keys).for_each(|key| callers.principals.insert(mix(key)));
        (0..agents).for_each(|agent| callers.agents.insert(mix(agent ^ 0xa6)));
        callers.signed_in = if keys > 0 { requests } else { 0 };
        let mut window = ClientWindow { tally: tally.clone(), callers: Some(Box::new(callers)), ..new_client(client) };
        window.asked.add(Asked { host: at(), requests, bytes: requests * 1000 });
        self.window.clients.put(key_of(client), window);
        self.window.hosts.put(
            at(),
            HostWindow { host: Arc::from(HOST), tally, clients: Default::default(), errors: None, failures: None },
        );
    }

    /// Documents of GraphQL, of so many levels.
    fn nests(&mut self, client: IpAddr, count: u64, deepest: u32) {
        let moment = Moment { first: self.now, last: self.now };
        let deep = DeepDocuments { count, deepest, moment, ..DeepDocuments::default() };
        let aggregate = ClientWindow { deep: Some(Box::new(deep)), ..new_client(client) };
        self.window.clients.put(key_of(client), aggregate);
    }

    /// A page of a list, asked for by its size.
    fn pages(&mut self, client: IpAddr, asked: u64, rows: u64) {
        self.tally(client, 60, "GET", "/list", 200, false);
        let mut endpoint = an_endpoint("GET", HOST, "/list");
        let paged = endpoint.paged.get_or_insert_default();
        paged.asked.record(asked);
        let evidence = Arc::new(Evidence {
            time: self.now,
            flow_id: 1,
            source: (client, 40_000),
            destination: (IpAddr::from([10, 0, 0, 1]), 80),
            method: "GET".to_owned(),
            host: HOST.to_owned(),
            url: format!("/list?limit={asked}"),
            status: Some(200),
            length: Some(rows * 100),
            user_agent: None,
            protocol: "HTTP/1.1".into(),
        });
        let key = (Reverse(rows), (self.now, u64::from(self.count), 0));
        paged.largest.insert(key, Page { asked, rows, client, principal: None, evidence });
        self.window.endpoints.put(60, endpoint);
    }
}

/// Forty people a window, a request or two of each.
fn ordinary(nth: u64, traffic: &mut Traffic) {
    (0..40).for_each(|person| traffic.asks(person_of(nth * 7 + person), 1 + person % 2, 0, 1));
}

fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64 + 1, ordinary), SILENCE);
    sensor
}

/// What is said where one asks so much in each of so many windows, beside the ordinary.
fn told(sensor: &mut Sensor, windows: u64, mut ask: impl FnMut(u64, &mut Traffic)) -> Vec<(&'static str, Subject)> {
    let mut told: Vec<_> = (0..windows)
        .flat_map(|nth| {
            sensor.window(|traffic| {
                ordinary(nth, traffic);
                ask(nth, traffic);
            })
        })
        .map(|finding| (finding.detector, finding.subject))
        .collect();
    told.sort();
    told.dedup();
    told
}

fn of(client: IpAddr) -> Vec<(&'static str, Subject)> {
    vec![("resource_abuse", Subject::Client(client))]
}

#[test]
fn a_flood_from_one_address_is_named_at_once() {
    assert_eq!(told(&mut learned(), 1, |_, traffic| traffic.asks(attacker(1), 20_000, 0, 1)), of(attacker(1)));
}

#[test]
fn just_under_the_floor_is_nothing_and_just_over_it_is_named() {
    assert_eq!(told(&mut learned(), 1, |_, traffic| traffic.asks(attacker(1), 999, 0, 1)), []);
    assert_eq!(told(&mut learned(), 1, |_, traffic| traffic.asks(attacker(1), 1000, 0, 1)), of(attacker(1)));
}

#[test]
fn a_few_a_second_for_minutes_are_named_too() {
    assert_eq!(told(&mut learned(), 45, |_, traffic| traffic.asks(attacker(1), 30, 0, 1)), of(attacker(1)));
}

#[test]
fn nothing_is_said_while_learning() {
    let found = Sensor::new().voices(LEARNED as u64, |nth, traffic| {
        ordinary(nth, traffic);
        traffic.asks(attacker(1), 5000, 0, 1);
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn a_batch_with_a_key_works_through_its_list_in_peace() {
    assert_eq!(told(&mut learned(), 40, |_, traffic| traffic.asks(attacker(1), 150, 1, 1)), []);
    assert_eq!(told(&mut learned(), 40, |_, traffic| traffic.asks(attacker(1), 1500, 1, 1)), of(attacker(1)));
}

#[test]
fn many_keys_or_names_of_software_behind_one_address_are_many_clients() {
    assert_eq!(told(&mut learned(), 10, |_, traffic| traffic.asks(attacker(1), 300, 40, 3)), []);
    assert_eq!(told(&mut learned(), 10, |_, traffic| traffic.asks(attacker(1), 300, 0, 12)), []);
    let disguised = told(&mut learned(), 10, |_, traffic| traffic.asks(attacker(1), 3000, 0, 60));
    assert_eq!(disguised, of(attacker(1)), "names are cheap");
}

#[test]
fn who_was_always_busy_may_be_and_may_not_be_far_busier() {
    let mut sensor = Sensor::new();
    let busy = |nth: u64, traffic: &mut Traffic| {
        ordinary(nth, traffic);
        traffic.asks(attacker(5), 100, 0, 1);
    };
    assert_eq!(sensor.voices(LEARNED as u64 + 1, busy), SILENCE);
    assert_eq!(told(&mut sensor, 60, |_, traffic| traffic.asks(attacker(5), 130, 0, 1)), []);
    assert_eq!(told(&mut sensor, 60, |_, traffic| traffic.asks(attacker(5), 2000, 0, 1)), of(attacker(5)));
}

#[test]
fn with_hardly_any_clients_one_must_ask_more_than_all_of_them() {
    let mut sensor = Sensor::new();
    let lonely = |_, traffic: &mut Traffic| traffic.asks(person_of(1), 40, 0, 1);
    assert_eq!(sensor.voices(LEARNED as u64 + 1, lonely), SILENCE);
    let alone = |sensor: &mut Sensor, requests| {
        let findings = sensor.window(|traffic| traffic.asks(attacker(1), requests, 0, 1));
        findings.into_iter().map(|finding| (finding.detector, finding.subject)).collect::<Vec<_>>()
    };
    assert_eq!(alone(&mut sensor, 9000), []);
    assert_eq!(alone(&mut sensor, 20_000), of(attacker(1)));
}

#[test]
fn one_key_from_many_addresses_is_named_by_the_key() {
    let mut sensor = learned();
    let found = told(&mut sensor, 3, |_, traffic| {
        for bot in 0..50 {
            traffic.asks(attacker(bot), 100, 1, 1);
            let mut window = PrincipalWindow {
                tally: Tally { requests: 100, ..Tally::default() },
                clients: [key_of(attacker(bot))].into_iter().collect(),
                ..PrincipalWindow::default()
            };
            window.tally.moment.record(traffic.now);
            window.client_sample.insert(key_of(attacker(bot)), attacker(bot));
            window.asked.add(Asked { host: at(), requests: 100, bytes: 0 });
            traffic.window.principals.put(mix(4), window);
        }
    });
    assert_eq!(found, [("resource_abuse", Subject::Principal(mix(4)))]);
}

#[test]
fn what_is_abuse_does_not_become_normal() {
    let mut sensor = learned();
    let each: Vec<usize> = (0..200)
        .map(|nth| {
            let found = sensor.window(|traffic| {
                ordinary(nth, traffic);
                traffic.asks(attacker(1), 500, 0, 1);
            });
            found.len()
        })
        .skip(5)
        .collect();
    assert!(each.iter().all(|count| *count == 1), "{each:?}");
}

#[test]
fn who_guesses_passwords_in_bulk_is_named_for_that() {
    let found = Sensor::learned().voices(3, |nth, traffic| {
        (0..500).for_each(|word| traffic.login(attacker(1), 5, nth * 500 + word, false));
        traffic.asks(attacker(1), 2000, 0, 1);
    });
    assert_eq!(found, ["brute_force"]);
}

/// A list that is asked for in pages of twenty, and pages of a hundred by one.
fn listed() -> Sensor {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64 + 1, |nth, traffic| {
        traffic.pages(person_of(nth), if nth.is_multiple_of(9) { 100 } else { 20 }, 20);
    });
    assert_eq!(found, SILENCE);
    sensor
}

fn page(sensor: &mut Sensor, asked: u64, rows: u64) -> Vec<(&'static str, Severity)> {
    let findings = sensor.window(|traffic| traffic.pages(attacker(1), asked, rows));
    findings.into_iter().map(|finding| (finding.detector, finding.severity)).collect()
}

#[test]
fn a_page_far_larger_than_any_before_is_told_of_if_it_was_given() {
    assert_eq!(page(&mut listed(), 10_000, 10_000), [("resource_abuse", Severity::Low)]);
    assert_eq!(page(&mut listed(), 1_000_000, 5000), [("resource_abuse", Severity::Low)], "all there is");
    assert_eq!(page(&mut listed(), 10_000, 100), [], "the server has a limit of its own");
    assert_eq!(page(&mut listed(), 900, 900), [], "few rows");
}

#[test]
fn an_endpoint_whose_pages_were_always_large_may_give_them() {
    let mut sensor = Sensor::new();
    let export = |nth: u64, traffic: &mut Traffic| traffic.pages(person_of(nth), 2000, 2000);
    assert_eq!(sensor.voices(LEARNED as u64 + 1, export), SILENCE);
    assert_eq!(page(&mut sensor, 5000, 5000), []);
}

#[test]
fn documents_deeper_than_anyone_needs_are_told_of_from_the_first_window_on() {
    let mut sensor = Sensor::new();
    let client = person_of(5);
    let mut deep = |levels: u32| sensor.window(|traffic| traffic.nests(client, 3, levels));
    assert!(deep(17).iter().all(|finding| finding.detector != "resource_abuse"));
    let found = deep(18);
    let finding = found.iter().find(|finding| finding.detector == "resource_abuse").unwrap();
    assert_eq!((&finding.subject, finding.severity, finding.count), (&Subject::Client(client), Severity::Medium, 6));
}
