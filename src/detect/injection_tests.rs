//! Facts about `injection` and `server_side_request_forgery`.

use super::*;
use crate::hash::HashKey;
use crate::inspect::{Injections, in_target};

fn found_in(target: &str) -> Injections {
    in_target(target.as_bytes(), &HashKey::new([3; 16]))
}

/// A client asks for targets, and each is answered so.
fn ask(traffic: &mut Traffic, client: IpAddr, targets: impl IntoIterator<Item = String>, status: u16) {
    let mut injected = Injected::default();
    for target in targets {
        injected.count(found_in(&target), (200..300).contains(&status), status >= 500, traffic.now);
    }
    let aggregate = ClientWindow { injected: Some(Box::new(injected)), ..new_client(client) };
    traffic.window.clients.put(key_of(client), aggregate);
}

fn told(targets: impl IntoIterator<Item = String>, status: u16) -> Vec<(&'static str, Severity, u64)> {
    let found = Sensor::new().window(|traffic| ask(traffic, attacker(1), targets, status));
    found.iter().map(|finding| (finding.detector, finding.severity, finding.count)).collect()
}

fn code(requests: usize) -> impl Iterator<Item = String> {
    (0..requests).map(|nth| format!("/search?q={nth}%27%20OR%20%271%27=%271"))
}

#[test]
fn one_request_with_code_is_low_some_are_medium_and_what_the_server_took_is_high() {
    assert_eq!(told(code(1), 404), [("injection", Severity::Low, 1)]);
    assert_eq!(told(code(2), 200), [("injection", Severity::Low, 2)]);
    assert_eq!(told(code(3), 404), [("injection", Severity::Medium, 3)]);
    assert_eq!(told(code(20), 200), [("injection", Severity::High, 20)]);
    assert_eq!(told(code(3), 500), [("injection", Severity::High, 3)]);
    assert_eq!(told(["/search?q=O%27Brien".to_owned()], 200), []);
}

#[test]
fn the_kinds_are_told_the_most_frequent_first() {
    let targets = code(2).chain(["/a?f=../../../etc/passwd".to_owned()]);
    let found = Sensor::new().window(|traffic| ask(traffic, attacker(1), targets, 400));
    assert_eq!(
        found[0].observed,
        "3 requests with query language ×2, paths out of the folder ×1 in 1s; 0 answered with success, 0 with 5XX"
    );
    assert_eq!((found[0].probability, &found[0].subject), (None, &Subject::Client(attacker(1))));
}

#[test]
fn a_hidden_address_is_told_at_once_and_inner_ones_when_there_are_many() {
    let forgery = "server_side_request_forgery";
    let hidden = || ["/fetch?url=http://169.254.169.254/latest/".to_owned()];
    let inner = |count: usize| (0..count).map(|nth| format!("/fetch?url=http://10.0.0.{nth}/"));
    assert_eq!(told(hidden(), 400), [(forgery, Severity::Medium, 1)]);
    assert_eq!(told(hidden(), 200), [(forgery, Severity::High, 1)]);
    assert_eq!(told(inner(7), 200), []);
    assert_eq!(told(inner(8), 400), [(forgery, Severity::Medium, 8)]);
    let same = (0..50).map(|_| "/hooks?callback=http://localhost:3000/done".to_owned());
    assert_eq!(told(same, 200), []);
}

#[test]
fn what_it_breaks_is_not_told_of_twice() {
    let found = Sensor::learned().voices(1, |_, traffic| {
        ask(traffic, attacker(1), code(30), 400);
        (0..30).for_each(|_| traffic.tally(attacker(1), 0, "GET", "/search", 400, false));
    });
    assert_eq!(found, ["injection"]);
}
