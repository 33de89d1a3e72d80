//! Facts about `unsigned_token`.

use super::*;
use crate::api::Credentials;
use crate::window::PrincipalWindow;

/// A client sends so many requests with such tokens, and each is answered so.
fn send(traffic: &mut Traffic, client: IpAddr, requests: u64, status: u16) {
    let mut sent = Carriers::default();
    (0..requests).for_each(|_| sent.count((200..300).contains(&status), status >= 500, traffic.now));
    let aggregate = ClientWindow { unsigned: Some(Box::new(sent)), ..new_client(client) };
    traffic.window.clients.put(key_of(client), aggregate);
}

/// So many clients are served with such tokens.
fn serve(traffic: &mut Traffic, clients: u8) {
    let mut everybody = PrincipalWindow::default();
    (0..u64::from(clients)).for_each(|nth| everybody.clients.insert(crate::hash::mix(nth)));
    traffic.window.principals.put(Credentials::UNSIGNED, everybody);
}

#[test]
fn one_token_that_nobody_signed_is_told_and_one_that_was_taken_is_high() {
    let told = |requests, status| {
        let found = Sensor::new().window(|traffic| send(traffic, attacker(1), requests, status));
        found.iter().map(|finding| (finding.detector, finding.severity, finding.count)).collect::<Vec<_>>()
    };
    assert_eq!(told(1, 401), [("unsigned_token", Severity::Medium, 1)]);
    assert_eq!(told(3, 200), [("unsigned_token", Severity::High, 3)]);
    assert_eq!(told(0, 200), []);
}

#[test]
fn where_many_are_served_with_such_tokens_it_is_how_the_site_works() {
    let told = |clients| {
        let found = Sensor::new().window(|traffic| {
            serve(traffic, clients);
            send(traffic, attacker(1), 1, 200);
        });
        found.len()
    };
    assert_eq!((told(20), told(40)), (1, 0));
}
