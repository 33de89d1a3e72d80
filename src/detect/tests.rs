//! Facts about the detectors, told through the store: windows in, findings out.
//!
//! [`Sensor`] is what the judge is in small: it absorbs a window, judges it, and folds it into the baselines.

use super::*;
use crate::hash::mix;
use crate::http::{Abuse, AbuseKind, Ambiguity};
use crate::inspect::DataClass;
use crate::packet::{FlowKey, Peer};
use crate::stream::FlowInfo;
use crate::time::Timestamp;
use crate::window::distinct::DistinctSet;
use crate::window::{
    Attempts, ClassExposure, ClientWindow, EndpointWindow, Errors, Evasions, EvidenceKey, Exposure, HostWindow,
};
use crate::window::{Carriers, Injected, Moment, Reach, Smuggling, Tally, Window, an_endpoint, new_client, pair_key};
use std::collections::BTreeSet;
use std::time::Duration;

#[path = "account_tests.rs"]
mod account;
#[path = "business_flow_abuse_tests.rs"]
mod business_flow_abuse;
#[path = "credential_leak_tests.rs"]
mod credential_leak;
#[path = "cross_account_access_tests.rs"]
mod cross_account_access;
#[path = "data_exfiltration_tests.rs"]
mod data_exfiltration;
#[path = "excessive_data_exposure_tests.rs"]
mod excessive_data_exposure;
#[path = "idle_api_key_tests.rs"]
mod idle_api_key;
#[path = "injection_tests.rs"]
mod injection;
#[path = "latency_anomaly_tests.rs"]
mod latency_anomaly;
#[path = "login_tests.rs"]
mod logins;
#[path = "object_enumeration_tests.rs"]
mod object_enumeration;
#[path = "privileged_function_tests.rs"]
mod privileged_function;
#[path = "property_tests.rs"]
mod properties;
#[path = "quarantine_tests.rs"]
mod quarantine;
#[path = "resource_abuse_tests.rs"]
mod resource_abuse;
#[path = "response_drift_tests.rs"]
mod response_drift;
#[path = "server_error_spike_tests.rs"]
mod server_error_spike;
#[path = "session_anomaly_tests.rs"]
mod session_anomaly;
#[path = "strangers_tests.rs"]
mod strangers;
#[path = "traffic_drop_tests.rs"]
mod traffic_drop;
#[path = "undocumented_parameter_tests.rs"]
mod undocumented_parameter;
#[path = "unsigned_token_tests.rs"]
mod unsigned_token;
#[path = "zombie_endpoint_tests.rs"]
mod zombie_endpoint;

const LOGIN: u64 = 1;
const ORDERS: u64 = 2;
const CONTACT: u64 = 3;
const HOST: &str = "api.example";
/// Windows of ten seconds that teach before anybody is judged: ten minutes.
const LEARNED: i64 = 60;

struct Sensor {
    store: Store,
    rules: Ruleset,
    memory: Memory,
    odds: Odds,
    window: i64,
}

impl Sensor {
    fn new() -> Sensor {
        let (store, mut rules) = (Store::default(), Ruleset::default());
        // Who learned from ordinary traffic mostly has only what is odd afterwards, and that is silence to it.
        rules.traffic_drop.enabled = false;
        Sensor { store, rules, memory: Memory::default(), odds: Odds::default(), window: 1000 }
    }

    /// Takes in one window that `fill` makes; gives what was found.
    fn window(&mut self, fill: impl FnOnce(&mut Traffic)) -> Vec<Finding> {
        let is_learning = self.window < 1000 + LEARNED;
        let mut traffic = Traffic { window: Window::default(), now: start_of(self.window), count: 0 };
        fill(&mut traffic);
        let touched = self.store.absorb(self.window, traffic.window, is_learning);
        let scene = Scene {
            store: &self.store,
            rules: &self.rules,
            touched: &touched,
            window: self.window,
            is_learning,
            has_descriptions: false,
            odds: &self.odds,
            trials: RefCell::default(),
        };
        let findings = judge(&scene, &mut self.memory);
        let mut spoiled = spoiled_by(&findings);
        spoiled.extend(odd_logins(&scene.trials.take()).map(Spoiled::OddLogins));
        self.store.fold(self.window, &touched, &spoiled);
        self.window += 1;
        findings
    }

    /// Names of the detectors that spoke in `windows` windows, each once.
    fn voices(&mut self, windows: u64, mut fill: impl FnMut(u64, &mut Traffic)) -> Vec<&'static str> {
        let mut voices: Vec<&'static str> = (0..windows)
            .flat_map(|nth| self.window(|traffic| fill(nth, traffic)))
            .map(|finding| finding.detector)
            .collect();
        voices.sort_unstable();
        voices.dedup();
        voices
    }

    /// Ten ordinary minutes: two logins in a window, of which one in twenty fails, and orders that people look at.
    fn learned() -> Sensor {
        let mut sensor = Sensor::new();
        assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE, "nothing happened");
        sensor
    }
}

fn ordinary(nth: u64, traffic: &mut Traffic) {
    for person in 0..2 {
        let user = nth * 2 + person;
        let person = person_of(user);
        traffic.login(person, user, user, !user.is_multiple_of(20));
        traffic.look(person, user, &[user % 400]);
        traffic.answers(person, 3);
    }
}

/// The address of the n-th of three hundred customers.
fn person_of(nth: u64) -> IpAddr {
    IpAddr::from([10, 1, (nth % 300 / 200) as u8, (nth % 200) as u8])
}

fn attacker(nth: u64) -> IpAddr {
    IpAddr::from([198, 51, 100, nth as u8])
}

fn key_of(client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(client) => mix(u64::from(client.to_bits())),
        IpAddr::V6(client) => mix(client.to_bits() as u64),
    }
}

fn reach_of(client: IpAddr, principal: u64, object: u64) -> Reach {
    Reach {
        endpoint: ORDERS,
        client,
        principal: Some(mix(principal)),
        requests: 1,
        successes: 1,
        misses: 0,
        objects: [mix(object)].into_iter().collect(),
        lowest: object,
        highest: object,
        sensitive: 0,
        uses: 0,
        moment: Moment::default(),
        evidence: EvidenceSample::default(),
    }
}

/// One window in the making.
struct Traffic {
    window: Window,
    now: Timestamp,
    count: u32,
}

impl Traffic {
    /// The next transaction, as it is shown.
    fn shown(&mut self, client: IpAddr, method: &str, path: &str, status: u16) -> (EvidenceKey, Arc<Evidence>) {
        self.count += 1;
        let now = self.now.saturating_add(Duration::from_millis(u64::from(self.count)));
        let evidence = Evidence {
            time: now,
            flow_id: u64::from(self.count),
            source: (client, 40_000),
            destination: (IpAddr::from([10, 0, 0, 1]), 80),
            method: method.to_string(),
            host: HOST.to_string(),
            url: path.to_string(),
            status: Some(status),
            length: Some(100),
            user_agent: None,
            protocol: "HTTP/1.1".into(),
        };
        ((now, u64::from(self.count), 0), Arc::new(evidence))
    }

    fn tally(&mut self, client: IpAddr, key: u64, method: &str, path: &str, status: u16, is_signed_in: bool) {
        let (shown, evidence) = self.shown(client, method, path, status);
        let now = evidence.time;
        let mut tally = Tally { requests: 1, with_credentials: u64::from(is_signed_in), ..Tally::default() };
        tally.statuses.record(status);
        tally.moment.record(now);
        let errors = (400..600).contains(&status).then(|| {
            let mut errors = Errors::default();
            errors.statuses.record(status);
            if status == 404 {
                errors.missing_paths.insert(mix(path.len() as u64 ^ u64::from(self.count) << 20 ^ now.0 as u64));
            }
            errors.clients.insert(key_of(client));
            errors.client_sample.insert(key_of(client), client);
            errors.moment.record(now);
            errors.evidence.insert(shown, Arc::clone(&evidence));
            Box::new(errors)
        });
        let (errors, failures) = if status < 500 { (errors, None) } else { (None, errors) };
        if status != 404 {
            let mut endpoint = an_endpoint(method, HOST, path);
            endpoint.is_made = true;
            endpoint.tally = tally.clone();
            endpoint.errors.clone_from(&errors);
            endpoint.failures.clone_from(&failures);
            endpoint.clients.insert(key_of(client));
            endpoint.client_sample.insert(key_of(client), client);
            if status == 200 {
                endpoint.successes = 1;
                endpoint.open_successes = u64::from(!is_signed_in);
                endpoint.evidence.insert(shown, Arc::clone(&evidence));
            }
            self.window.endpoints.put(key, endpoint);
        }
        let client_window = ClientWindow {
            tally: tally.clone(),
            errors: errors.clone(),
            failures: failures.clone(),
            ..new_client(client)
        };
        self.window.clients.put(key_of(client), client_window);
        self.window
            .hosts
            .put(mix(77), HostWindow { host: Arc::from(HOST), tally, clients: Default::default(), errors, failures });
    }

    /// A client does the same to exhaust a server, many times.
    fn abuses(&mut self, client: IpAddr, kind: AbuseKind, times: u64) {
        let peer = |address| Peer { address, port: 80 };
        let server = peer(IpAddr::from([10, 0, 0, 1]));
        let (key, _) = FlowKey::of(peer(client), server);
        let flow = FlowInfo { key, id: 1, first_seen: self.now, opened_by: None };
        let abuse = Abuse { flow, client: peer(client), server, kind, time: self.now };
        let mut aggregate = new_client(client);
        let abuses = aggregate.abuses.get_or_insert_default();
        (0..times).for_each(|_| abuses.record(&abuse));
        self.window.clients.put(key_of(client), aggregate);
    }

    /// Transactions of a client have bytes that came twice and differ.
    fn disputes(&mut self, client: IpAddr, logins: u64, authorised: u64) {
        let moment = Moment { first: self.now, last: self.now };
        let evasions = Evasions { logins, authorised, moment, ..Evasions::default() };
        let aggregate = ClientWindow { evasions: Some(Box::new(evasions)), ..new_client(client) };
        self.window.clients.put(key_of(client), aggregate);
    }

    /// A client's requests end ambiguously, and parts of some are answered.
    fn smuggles(&mut self, client: IpAddr, requests: u64, desyncs: u64) {
        let mut smuggling = Smuggling::default();
        (0..requests).for_each(|_| smuggling.count(Some(Ambiguity::TwoFramings), false, self.now));
        (0..desyncs).for_each(|_| smuggling.count(None, true, self.now));
        let aggregate = ClientWindow { smuggling: Some(Box::new(smuggling)), ..new_client(client) };
        self.window.clients.put(key_of(client), aggregate);
    }

    fn login(&mut self, client: IpAddr, user: u64, password: u64, is_right: bool) {
        self.tally(client, LOGIN, "POST", "/login", if is_right { 200 } else { 401 }, false);
        let now = self.now;
        let of = |client_of: Option<IpAddr>, user_of: Option<u64>| {
            let client_key = client_of.map_or(0, key_of);
            let of = Attempts { endpoint: LOGIN, client: client_of, client_key, user: user_of, ..Attempts::default() };
            let mut attempts = of;
            if is_right {
                (attempts.successes, attempts.with_session) = (1, 1);
                attempts.succeeded.insert(mix(user), mix(user));
            } else {
                attempts.failures = 1;
                attempts.users.insert(mix(user));
                attempts.passwords.insert(mix(password ^ 0xabc));
                attempts.clients.insert(key_of(client));
                attempts.client_sample.insert(key_of(client), client);
                attempts.moment.record(now);
            }
            attempts
        };
        let mut endpoint: EndpointWindow = an_endpoint("POST", HOST, "/login");
        endpoint.logins = Some(Box::new(of(None, None)));
        self.window.endpoints.put(LOGIN, endpoint);
        self.window.login_clients.put(pair_key(LOGIN, key_of(client)), of(Some(client), None));
        self.window.login_accounts.put(pair_key(LOGIN, mix(user)), of(None, Some(mix(user))));
    }

    fn look(&mut self, client: IpAddr, principal: u64, objects: &[u64]) {
        for object in objects {
            self.tally(client, ORDERS, "GET", "/orders/{id}", 200, true);
            let mut reach = reach_of(client, principal, *object);
            reach.moment.record(self.now);
            self.window.reaches.put(pair_key(ORDERS, mix(principal)), reach);
        }
    }

    /// Successful answers of an ordinary endpoint.
    fn answers(&mut self, client: IpAddr, count: u64) {
        for _ in 0..count {
            self.tally(client, 9, "GET", "/prices", 200, false);
        }
    }

    /// An answer to somebody who signed in that carries an e-mail address.
    fn own_page(&mut self, key: u64, path: &str, client: IpAddr, value: u64) {
        self.tally(client, key, "GET", path, 200, true);
        let mut endpoint = an_endpoint("GET", HOST, path);
        endpoint.exposure = Some(Box::new(exposure_of(client, DataClass::Email, value..value + 1, self.now)));
        self.window.endpoints.put(key, endpoint);
    }

    /// An answer without credentials that carries e-mail addresses.
    fn open_page(&mut self, key: u64, path: &str, client: IpAddr, class: DataClass, values: std::ops::Range<u64>) {
        self.tally(client, key, "GET", path, 200, false);
        let exposure = exposure_of(client, class, values, self.now);
        let mut endpoint = an_endpoint("GET", HOST, path);
        endpoint.exposure = Some(Box::new(exposure.clone()));
        endpoint.open_exposure = Some(Box::new(exposure));
        self.window.endpoints.put(key, endpoint);
    }
}

/// An answer to a client, with distinct values of one class.
fn exposure_of(client: IpAddr, class: DataClass, values: std::ops::Range<u64>, now: Timestamp) -> Exposure {
    let mut class = ClassExposure {
        class,
        occurrences: values.end - values.start,
        records: 1,
        responses: 1,
        values: DistinctSet::new(),
        sample: Default::default(),
    };
    values.for_each(|value| class.values.insert(mix(value)));
    let mut exposure = Exposure { responses: 1, ..Exposure::default() };
    exposure.classes.push(class);
    exposure.clients.insert(key_of(client));
    exposure.client_sample.insert(key_of(client), client);
    exposure.moment.record(now);
    exposure
}

const SILENCE: [&str; 0] = [];

#[test]
fn many_missing_paths_of_one_client_are_a_scan() {
    let found = Sensor::learned().voices(3, |_, traffic| {
        (0..10).for_each(|_| traffic.tally(attacker(1), 0, "GET", "/backup", 404, false));
    });
    assert_eq!(found, ["scanner"]);
}

#[test]
fn streams_reset_in_bulk_are_an_abuse_of_the_protocol_and_a_few_are_not() {
    for (resets, requests, expected) in [
        (200, 0, &["protocol_abuse"][..]),
        (199, 0, &[]),
        // A busy client that calls off what takes too long.
        (200, 401, &[]),
        (200, 400, &["protocol_abuse"]),
    ] {
        let found = Sensor::learned().voices(1, |_, traffic| {
            (0..requests).for_each(|_| traffic.tally(attacker(1), ORDERS, "GET", "/orders/1", 304, true));
            traffic.abuses(attacker(1), AbuseKind::RapidReset, resets);
        });
        assert_eq!(found, expected, "{resets} of {requests}");
    }
}

#[test]
fn what_no_client_needs_is_an_abuse_at_once() {
    for (kind, least) in [(AbuseKind::ContinuationFlood, 1), (AbuseKind::HpackBomb, 1), (AbuseKind::ControlFlood, 1000)]
    {
        let found = Sensor::learned().window(|traffic| traffic.abuses(attacker(1), kind, least));
        let [finding] = found.as_slice() else { panic!("{kind:?}: {found:?}") };
        assert_eq!((finding.detector, finding.client, finding.count), ("protocol_abuse", Some(attacker(1)), least));
        let found = Sensor::learned().window(|traffic| traffic.abuses(attacker(1), kind, least - 1));
        assert!(found.is_empty(), "{kind:?}: {found:?}");
    }
}

#[test]
fn one_login_or_call_with_disputed_bytes_is_an_evasion_and_none_is_not() {
    for (logins, authorised, observed) in [
        (1, 0, "1 login with TCP segments sent twice and differently, in 1s"),
        (0, 2, "2 calls with credentials with TCP segments sent twice and differently, in 1s"),
        (2, 1, "2 logins and 1 call with credentials with TCP segments sent twice and differently, in 1s"),
    ] {
        let found = Sensor::learned().window(|traffic| traffic.disputes(attacker(1), logins, authorised));
        let [finding] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((finding.detector, finding.client), ("evasion", Some(attacker(1))));
        assert_eq!((finding.count, finding.probability), (logins + authorised, None));
        assert_eq!(finding.observed, observed);
    }
    assert!(Sensor::learned().window(|traffic| traffic.disputes(attacker(1), 0, 0)).is_empty());
}

#[test]
fn one_ambiguous_request_is_enough_and_an_answer_to_a_part_of_it_is_critical() {
    for (requests, desyncs, expected) in [
        (1, 0, Some(Severity::Medium)),
        (0, 1, Some(Severity::Critical)),
        (0, 0, None),
        (9, 9, Some(Severity::Critical)),
    ] {
        let found = Sensor::new().window(|traffic| traffic.smuggles(attacker(1), requests, desyncs));
        let severities: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, Vec::from_iter(expected), "{found:?}");
        for finding in found {
            assert_eq!((finding.detector, finding.count), ("request_smuggling", requests + desyncs));
            assert_eq!(finding.probability, None);
        }
    }
}

#[test]
fn fewer_ambiguous_requests_than_the_rules_say_are_none() {
    let mut sensor = Sensor::new();
    sensor.rules.request_smuggling.min_requests = 3;
    assert!(sensor.window(|traffic| traffic.smuggles(attacker(1), 2, 0)).is_empty());
    assert_eq!(sensor.window(|traffic| traffic.smuggles(attacker(2), 3, 0)).len(), 1);
}

#[test]
fn nineteen_missing_paths_are_a_page_with_dead_links() {
    let found = Sensor::learned().voices(1, |_, traffic| {
        (0..19).for_each(|_| traffic.tally(attacker(1), 0, "GET", "/backup", 404, false));
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn three_calls_make_a_shadow_endpoint_and_two_do_not() {
    let call = |nth: u64, traffic: &mut Traffic| {
        traffic.answers(person_of(nth), 3);
        traffic.tally(attacker(1), 50, "GET", "/internal/export", 200, false);
    };
    assert_eq!(Sensor::learned().voices(2, call), SILENCE);
    assert_eq!(Sensor::learned().voices(3, call), ["shadow_endpoint"]);
}

#[test]
fn a_stranger_who_came_for_several_endpoints_is_one_all_the_same() {
    for (endpoints, is_signed_in) in [(2, false), (2, true), (4, true)] {
        let found = Sensor::learned().voices(6, |nth, traffic| {
            traffic.answers(person_of(nth), 3);
            for endpoint in 0..endpoints {
                let path = format!("/internal/{endpoint}");
                traffic.tally(attacker(1), 50 + endpoint, "GET", &path, 200, is_signed_in);
            }
        });
        assert_eq!(found, ["shadow_endpoint"], "{endpoints}");
    }
}

#[test]
fn what_those_use_now_and_then_who_use_the_host_anyway_was_there_all_the_time() {
    let used = |every: u64, windows: u64| {
        let mut sensor = Sensor::learned();
        sensor.voices(windows, |nth, traffic| {
            traffic.answers(person_of(nth), 6);
            if nth.is_multiple_of(every) {
                traffic.tally(person_of(nth), 51, "POST", "/gift-cards", 200, true);
            }
        })
    };
    assert_eq!(used(30, 360), SILENCE, "every five minutes, within the first hour");
    assert_eq!(used(1, 30), ["shadow_endpoint"], "thirty people in five minutes");
}

#[test]
fn one_more_manual_beside_others_is_no_endpoint_that_nobody_listed() {
    let mut sensor = Sensor::learned();
    let mut asks = |who: u64, windows: u64, names: &[&str]| {
        sensor.voices(windows, |nth, traffic| {
            traffic.answers(person_of(nth), 3);
            for (at, name) in names.iter().enumerate() {
                traffic.tally(attacker(who), 60 + name.len() as u64 * 8 + at as u64, "GET", name, 200, false);
            }
        })
    };
    asks(1, 30, &["/manuals/tv.pdf", "/manuals/radio.pdf"]);
    assert_eq!(asks(2, 5, &["/manuals/kettle.pdf"]), SILENCE);
    assert_eq!(asks(3, 5, &["/manuals/customers.csv"]), ["shadow_endpoint"]);
}

#[test]
fn a_new_contact_page_with_a_few_addresses_is_at_most_of_medium_severity() {
    let mut sensor = Sensor::learned();
    for nth in 0..30 {
        let findings = sensor.window(|traffic| {
            traffic.open_page(CONTACT, "/contact", person_of(nth), DataClass::Email, 0..4);
        });
        assert!(findings.iter().all(|finding| finding.severity <= Severity::Medium), "{findings:?}");
    }
}

#[test]
fn customers_given_to_strangers_are_an_exposure() {
    let found = Sensor::learned().voices(3, |nth, traffic| {
        let values = nth * 50..nth * 50 + 50;
        traffic.open_page(60, "/customers", attacker(1), DataClass::Passport, values);
    });
    assert!(found.contains(&"unauthenticated_data_exposure"), "{found:?}");
}

#[test]
fn a_sign_up_that_shows_everybody_his_own_address_exposes_nothing() {
    let found = Sensor::learned().voices(60, |nth, traffic| {
        for person in nth * 2..nth * 2 + 2 {
            let values = 90_000 + person..90_001 + person;
            traffic.open_page(61, "/register", person_of(person), DataClass::Email, values);
        }
    });
    assert!(!found.contains(&"unauthenticated_data_exposure"), "{found:?}");
}

#[test]
fn data_that_is_given_to_strangers_slowly_does_not_become_usual_within_the_hour() {
    let mut sensor = Sensor::new();
    sensor.voices(LEARNED as u64, |nth, traffic| traffic.tally(person_of(nth), 62, "GET", "/people", 200, true));
    let found = sensor.voices(150, |nth, traffic| {
        traffic.tally(person_of(nth), 62, "GET", "/people", 200, true);
        if nth % 10 == 0 {
            let value = nth / 10;
            traffic.open_page(62, "/people", attacker(value % 3), DataClass::Email, value..value + 1);
        }
    });
    assert!(found.contains(&"unauthenticated_data_exposure"), "{found:?}");
}

#[test]
fn three_records_without_credentials_are_many_where_nobody_ever_got_one() {
    let found = |before: u64| {
        let mut sensor = Sensor::new();
        sensor.voices(LEARNED as u64, |nth, traffic| {
            (0..before).for_each(|more| traffic.own_page(62, "/people/{id}", person_of(nth), 500 + nth * 2 + more));
        });
        sensor.voices(12, |nth, traffic| {
            traffic.own_page(62, "/people/{id}", person_of(nth), 900 + nth);
            if nth % 4 == 0 {
                traffic.open_page(62, "/people/{id}", attacker(1), DataClass::Email, nth..nth + 1);
            }
        })
    };
    assert_eq!(found(2), ["unauthenticated_data_exposure"]);
    assert_eq!(found(1), SILENCE);
}

/// Windows in which each of ten people asks twice, `failing` of twenty requests with an error.
fn ask(traffic: &mut Traffic, nth: u64, failing: u64) {
    for request in 0..20 {
        let status = if request < failing { 422 } else { 200 };
        traffic.tally(person_of(nth * 10 + request % 10), 70, "POST", "/events", status, true);
    }
}

#[test]
fn a_share_of_errors_that_was_large_can_still_grow() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| ask(traffic, nth, 6)), SILENCE);
    assert_eq!(sensor.voices(30, |nth, traffic| ask(traffic, nth, 6)), SILENCE);
    assert_eq!(sensor.voices(60, |nth, traffic| ask(traffic, nth, 16)), ["client_error_spike"]);
}

#[test]
fn errors_that_come_in_bunches_are_counted_by_client() {
    let mut sensor = Sensor::new();
    let usual = |nth: u64, traffic: &mut Traffic| ask(traffic, nth, u64::from(nth.is_multiple_of(2)));
    assert_eq!(sensor.voices(LEARNED as u64, usual), SILENCE);
    let found = sensor.voices(6, |nth, traffic| {
        usual(nth, traffic);
        // A few people whose token has expired, and whose application tries on.
        (0..6).for_each(|_| traffic.tally(person_of(200 + nth), 70, "POST", "/events", 401, true));
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn errors_of_one_client_are_no_spike_of_the_endpoint_or_host() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| ask(traffic, nth, 1)), SILENCE);
    for nth in 0..60 {
        let findings = sensor.window(|traffic| {
            ask(traffic, nth, 1);
            if nth < 12 {
                (0..20).for_each(|_| traffic.tally(attacker(1), 70, "POST", "/events", 400, true));
            }
        });
        let others = findings.iter().filter(|finding| finding.subject != Subject::Client(attacker(1)));
        assert_eq!(others.count(), 0, "{findings:?}");
    }
}

#[test]
fn a_class_that_comes_slowly_is_new_all_the_same() {
    let mut sensor = Sensor::new();
    let page = |nth: u64, traffic: &mut Traffic, class: DataClass| {
        for person in 0..3 {
            let value = nth * 3 + person;
            traffic.open_page(80, "/me", person_of(value), class, value..value + 1);
        }
    };
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| page(nth, traffic, DataClass::Email)), SILENCE);
    let found = sensor.voices(12, |nth, traffic| page(nth, traffic, DataClass::Passport));
    assert_eq!(found, ["response_drift"]);
}

#[test]
fn endpoints_of_a_host_that_is_hardly_known_are_no_shadows() {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64 + 400, |nth, traffic| {
        if nth.is_multiple_of(12) {
            traffic.answers(person_of(nth), 1);
        }
        if nth > 80 && nth.is_multiple_of(20) {
            traffic.tally(person_of(nth), 90, "GET", "/rates", 200, true);
        }
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn expired_tokens_beside_a_client_that_loops_are_the_clients_errors_only() {
    let mut sensor = Sensor::learned();
    for nth in 0..60 {
        let found = sensor.window(|traffic| {
            traffic.answers(person_of(nth), 3);
            traffic.tally(attacker(1), 9, "GET", "/prices", 401, false);
            if nth.is_multiple_of(2) {
                traffic.tally(person_of(100 + nth), 9, "GET", "/prices", 401, false);
            } else {
                traffic.answers(person_of(99 + nth), 2);
            }
        });
        assert!(found.iter().all(|finding| finding.subject == Subject::Client(attacker(1))), "{nth}: {found:?}");
    }
}

#[test]
fn tokens_that_run_out_while_an_app_asks_for_several_things_are_no_spike() {
    let mut sensor = Sensor::new();
    let ask = |people: std::ops::Range<u64>, traffic: &mut Traffic, status: u16| {
        for person in people {
            for (key, path) in [(70, "/events"), (71, "/prices"), (72, "/me")] {
                traffic.tally(person_of(person), key, "GET", path, status, true);
            }
        }
    };
    let usual = |nth: u64, traffic: &mut Traffic| ask(nth * 6..nth * 6 + 6, traffic, 200);
    assert_eq!(sensor.voices(LEARNED as u64, usual), SILENCE);
    let found = sensor.voices(60, |nth, traffic| {
        usual(nth, traffic);
        // They are refused, get another token, and ask again.
        let first = nth / 2 * 4;
        ask(first..first + 4, traffic, if nth.is_multiple_of(2) { 401 } else { 200 });
    });
    assert_eq!(found, SILENCE);
}
