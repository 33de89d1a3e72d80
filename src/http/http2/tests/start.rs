//! How a connection is recognised.

use super::*;
use crate::http::tls::tests::HELLO_OF_TLS;

#[test]
fn prior_knowledge_is_recognised_by_the_preface() {
    let mut flow = Flow::new();
    flow.client(&[preface(), headers(1, END_STREAM, &get("/a"))]);
    flow.server(&[settings(&[]), settings_ack(), headers(1, 0, &status("200")), data(1, END_STREAM, b"{}")]);
    assert_eq!((flow.interest, flow.handler.counters().flows_http2), (Interest::Ours, 1));
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), ["GET /a -> 200 <{}>"]);
    let transaction = &seen.transactions[0];
    assert_eq!(transaction.marks, Marks::none());
    let head = &transaction.request.as_ref().unwrap().head;
    assert_eq!((head.version(), head.get(crate::http::Field::Host)), ("HTTP/2", Some(&b"api.example"[..])));
}

#[test]
fn a_server_may_speak_first() {
    for split in [usize::MAX, 1, 5] {
        let mut flow = Flow::new();
        flow.split = split;
        flow.server(&[settings(&[(3, 128), (4, 65536), (5, 16_777_215)])]).client(&[preface()]);
        flow.client(&[settings_ack(), headers(1, END_STREAM, &get("/a"))]);
        flow.server(&[settings_ack(), headers(1, END_STREAM, &status("204"))]);
        assert_eq!(flow.lines(), ["GET /a -> 204"]);
    }
}

#[test]
fn a_side_that_is_not_seen_may_allow_anything() {
    let mut flow = Flow::new();
    let resized = [&[0x3f, 0xe1, 0x7f][..], &get("/a")].concat();
    let large = data(1, END_STREAM, &[b'x'; 20_000]);
    flow.client(&[preface(), headers(1, 0, &resized), large, headers(3, END_STREAM, &get("/b"))]);
    let seen = flow.finish();
    assert_eq!(seen.transactions.len(), 2);
    assert_eq!(seen.transactions[0].request.as_ref().unwrap().body_length, 20_000);
}

#[test]
fn a_server_alone_gives_its_halves() {
    let mut flow = Flow::new();
    flow.server(&[settings(&[]), settings_ack(), headers(1, END_STREAM, &status("200"))]);
    assert_eq!(flow.handler.counters().flows_http2, 1);
    assert_eq!(flow.lines(), ["- -> 200"]);
}

#[test]
fn a_server_that_only_seems_to_speak_http2_is_given_up() {
    let mut flow = Flow::new();
    flow.server(&[settings(&[(3, 128)])]).say(Side::Client, b"SSH-2.0-client\r\n");
    assert_eq!(flow.interest, Interest::None);
    assert_eq!((flow.handler.counters().flows_http2, flow.handler.counters().flows_not_http), (0, 1));
    assert_eq!(flow.lines(), Vec::<String>::new());
}

const UPGRADE: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
    HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

#[test]
fn an_upgrade_goes_on_as_stream_1() {
    for split in [usize::MAX, 1, 7] {
        let mut flow = Flow::new();
        flow.split = split;
        flow.say(Side::Client, UPGRADE);
        flow.say(Side::Server, &[SWITCH, &settings(&[])].concat());
        flow.client(&[preface(), settings_ack(), headers(3, END_STREAM, &get("/b"))]);
        flow.server(&[headers(3, END_STREAM, &status("404"))]);
        flow.server(&[headers(1, 0, &status("200")), data(1, END_STREAM, b"one")]);
        let seen = flow.finish();
        let lines: Vec<String> = seen.transactions.iter().map(line_of).collect();
        assert_eq!(lines, ["GET /a -> 101", "GET /b -> 404", "GET /a -> 200 <one>"]);
        let versions = seen.transactions.iter().map(|t| t.request.as_ref().unwrap().head.version());
        assert_eq!(versions.collect::<Vec<_>>(), ["HTTP/1.1", "HTTP/2", "HTTP/2"]);
    }
}

#[test]
fn another_upgrade_is_none() {
    let mut flow = Flow::new();
    flow.say(Side::Client, b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    flow.say(Side::Server, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(flow.interest, Interest::None);
}

#[test]
fn a_tunnel_may_carry_http2() {
    for split in [usize::MAX, 1] {
        let mut flow = Flow::new();
        flow.split = split;
        flow.say(Side::Client, b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n");
        flow.say(Side::Server, b"HTTP/1.1 200 OK\r\n\r\n").server(&[settings(&[])]);
        flow.client(&[preface(), headers(1, END_STREAM, &get("/in"))]);
        flow.server(&[headers(1, END_STREAM, &status("200"))]);
        assert_eq!(flow.lines(), ["CONNECT h:80 -> 200", "GET /in -> 200"]);
    }
}

#[test]
fn a_tunnel_of_something_else_is_given_up() {
    let mut flow = Flow::new();
    flow.say(Side::Client, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n")
        .say(Side::Server, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(flow.interest, Interest::Ours);
    flow.say(Side::Client, HELLO_OF_TLS.as_bytes());
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.lines(), ["CONNECT h:443 -> 200"]);
}

#[test]
fn the_middle_of_a_connection_is_recognised_and_partial() {
    let mut flow = Flow::midstream();
    // The end of something, then a request whose authority was indexed before anyone listened.
    flow.server(&[b"rest of some content".to_vec()]);
    let request = [&[0x82, 0x86, 0xc1][..], &plain(&[(":path", "/a")])].concat();
    flow.client(&[headers(7, END_STREAM, &request)]);
    flow.server(&[headers(7, 0, &[0x88, 0xc0]), data(7, END_STREAM, b"{}")]);
    assert_eq!(flow.interest, Interest::Ours);
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), ["GET /a -> 200 <{}>"]);
    assert_eq!(marks_of(&seen), [Marks::PARTIAL | Marks::MIDSTREAM]);
}

#[test]
fn what_is_unknown_stays_unknown() {
    let mut flow = Flow::midstream();
    flow.client(&[headers(7, END_STREAM, &[0x82, 0x86, 0xc1, 0xc2])]);
    flow.server(&[headers(7, END_STREAM, &[0xc1, 0xc2]), headers(9, END_STREAM, &[0x88])]);
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), ["GET  -> -", "- -> 200"]);
    assert!(seen.transactions[0].marks.contains(Marks::PARTIAL));
}

#[test]
fn nothing_else_is_taken_for_http2_in_the_middle() {
    let not: [&[u8]; 7] = [
        b"{\"text\": \"of some length\", \"more\": [1, 2, 3]}",
        b"\x17\x03\x03\x00\x20rest of a record of TLS, opaque",
        &[0; 64],
        &[0, 0, 4, 8, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        &[0, 0, 5, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5],
        // A header block that refers to nothing.
        &[0, 0, 2, 1, 5, 0, 0, 0, 1, 0x80, 0x80],
        // Frames, and text behind them.
        &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82, b't', b'e', b'x', b't', b't', b'e', b'x', b't', b't'],
    ];
    for bytes in not {
        let mut flow = Flow::midstream();
        flow.say(Side::Client, bytes).say(Side::Server, bytes);
        assert_eq!(flow.handler.counters().flows_http2, 0, "{bytes:?}");
        assert_eq!(flow.lines(), Vec::<String>::new());
    }
}

#[test]
fn http1_in_the_middle_stays_http1() {
    let mut flow = Flow::midstream();
    flow.say(Side::Client, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    flow.say(
        Side::Server,
        &[&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"[..], &headers(1, END_STREAM, &[0x88])].concat(),
    );
    assert_eq!(flow.lines().len(), 1);
}

/// A server's words that read like settings and a response; the client's are none of HTTP/2.
#[test]
fn what_is_no_http2_after_all_leaves_nothing_behind() {
    let mut flow = Flow::new();
    flow.miss(Side::Client, 1).server(&[settings(&[]), headers(1, 0, &status("200")), data(1, 0, b"abc")]);
    assert!(flow.handler.observer().scans() > 0);
    flow.client(&[b"\nDDDDDDDDDDDD\n".to_vec()]);
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.lines(), Vec::<String>::new());
}
