//! HTTP in TLS that does not encrypt.

use super::*;
use crate::http::tls::tests::{client_hello, record, server_hello};

const OFFER: [u8; 6] = [0x13, 0x01, 0, 0x3B, 0, 0xFF];
const NULL_SHA256: [u8; 2] = [0, 0x3B];

fn opening() -> (Vec<u8>, Vec<u8>) {
    (client_hello(&OFFER), server_hello(NULL_SHA256, 0))
}

/// Application data with a MAC of 32 bytes.
fn data(text: &str) -> Vec<u8> {
    record(23, &[text.as_bytes(), &[0xAA; 32]].concat())
}

fn with_handshake() -> Flow {
    let mut flow = Flow::new();
    let (client, server) = opening();
    flow.send(Side::Client, &client);
    flow.send(Side::Server, &server);
    for side in [Side::Client, Side::Server] {
        flow.send(side, &[record(20, &[1]), record(22, &[0xBB; 48])].concat());
    }
    flow
}

#[test]
fn exchanges_are_read_however_the_records_are_cut() {
    for size in [1, 7, 64, 4096] {
        let mut flow = Flow::new();
        let (client, server) = opening();
        let finished = [record(20, &[1]), record(22, &[0xBB; 48])].concat();
        let (head, body) = OK.split_at(OK.len() - 1);
        let turns = [
            (Side::Client, client),
            (Side::Server, server),
            (Side::Client, [finished.clone(), data(ASK)].concat()),
            (Side::Server, [finished, data(head), data(body)].concat()),
            (Side::Client, data(ASK)),
            (Side::Server, data(OK)),
        ];
        for (side, bytes) in turns {
            for part in bytes.chunks(size) {
                flow.send(side, part);
            }
        }
        assert_eq!(flow.interest, Interest::Ours);
        assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /a > 200 \"ok\""], "{size}");
    }
}

#[test]
fn where_no_such_suite_is_offered_the_first_bytes_suffice_to_refuse() {
    let mut flow = Flow::new();
    flow.send(Side::Client, HELLO_OF_TLS.as_bytes());
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.handler.counters().flows_not_http, 1);
}

#[test]
fn a_server_that_chooses_to_encrypt_is_refused() {
    let mut flow = Flow::new();
    flow.send(Side::Client, &opening().0);
    assert_eq!(flow.interest, Interest::Undecided);
    flow.send(Side::Server, &server_hello([0xC0, 0x2F], 0));
    assert_eq!(flow.interest, Interest::None);
}

#[test]
fn reading_ends_at_a_gap_with_what_was_asked() {
    let mut flow = with_handshake();
    flow.send(Side::Client, &data(ASK));
    flow.lose(Side::Server, 10);
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.told(), ["GET /a > - request_only"]);
}

#[test]
fn what_was_read_before_the_records_break_off_is_told() {
    let mut flow = Flow::new();
    let (client, server) = opening();
    flow.send(Side::Client, &client);
    flow.send(Side::Server, &[server, data("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"), vec![0; 9]].concat());
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.told(), ["- > 200 \"ok\" response_only,incomplete"]);
}

#[test]
fn disputed_bytes_mark_the_request_that_they_are_of() {
    let mut flow = with_handshake();
    flow.send(Side::Client, &data(ASK));
    flow.dispute(Side::Client, 40);
    flow.send(Side::Server, &data(OK));
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\" overlap_conflict"]);
}

#[test]
fn tls_inside_of_tls_is_not_read() {
    let mut flow = with_handshake();
    let (client, server) = opening();
    flow.send(Side::Client, &record(23, &[client.as_slice(), &[0xAA; 32]].concat()));
    assert_eq!(flow.interest, Interest::Undecided);
    flow.send(Side::Server, &record(23, &[server.as_slice(), &[0xAA; 32]].concat()));
    assert_eq!(flow.interest, Interest::None);
}
