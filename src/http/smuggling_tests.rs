//! What two ends read of the same bytes: which requests are ambiguous, and what shows that the ends disagreed.

use super::{ASK, Flow, OK};
use crate::http::Side;

const NOT_FOUND: &str = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: h\r\nX: x";

fn post(fields: &str, body: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{body}")
}

/// A front that goes by the length, a server that goes by the chunks: it answers the rest with the next request in it.
#[test]
fn cl_te_shows_in_the_answer_to_the_request_inside() {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let ask = post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", body.len()), &body);
    let mut flow = Flow::new();
    flow.client(&ask).server(OK).client(ASK).server(NOT_FOUND);
    assert_eq!(
        flow.lines(),
        ["POST /a \"\" > 200 \"ok\" length_and_chunked,ambiguous_length", "GET /admin > 404 desync"]
    );
}

/// A front that goes by the chunks, a server that goes by the length: it gives an answer too many.
#[test]
fn te_cl_shows_in_an_answer_that_nobody_asked_for() {
    let inside = "GET /admin HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx=";
    let body = format!("{:x}\r\n{inside}\r\n0\r\n\r\n", inside.len());
    let ask = post("Content-Length: 4\r\nTransfer-Encoding: chunked", &body);
    let mut flow = Flow::new();
    flow.client(&ask).server(OK).server(NOT_FOUND);
    let lines = flow.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("> 200 \"ok\" length_and_chunked,ambiguous_length"), "{lines:?}");
    assert_eq!(lines[1], "- > 404 response_only,desync");
    assert_eq!(flow.handler.observer().desyncs, ["POST /a > 404 length_and_chunked,ambiguous_length,desync"]);
}

/// A server that passes over the body of a request answers what is in it (CL.0).
#[test]
fn a_body_that_was_answered_is_a_desync_without_any_ambiguity() {
    let inside = format!("{SMUGGLED}\r\n\r\n");
    let ask = post(&format!("Content-Length: {}", inside.len()), &inside);
    let mut flow = Flow::new();
    flow.client(&ask).server(OK).server(NOT_FOUND);
    assert_eq!(flow.lines()[1], "- > 404 response_only,desync");
    assert_eq!(flow.handler.observer().desyncs, ["POST /a > 404 desync"]);
    // The same answered once: somebody uploads a request.
    let mut flow = Flow::new();
    flow.client(&ask).server(OK).client(ASK).server(OK);
    assert!(flow.lines().iter().all(|line| line.ends_with("> 200 \"ok\"")));
}

#[test]
fn an_unasked_answer_is_no_desync_where_there_is_another_reason_for_it() {
    let ambiguous = post("Content-Length: 4\r\nTransfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n");
    for (ask, unasked, has_gap) in [
        // Nothing suspect was sent.
        (ASK, NOT_FOUND, false),
        // The server closes an idle connection.
        (&*ambiguous, "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", false),
        // A request was lost.
        (&*ambiguous, NOT_FOUND, true),
    ] {
        let mut flow = Flow::new();
        flow.client(ask).server(OK);
        if has_gap {
            flow.lose(Side::Client, 40);
        }
        flow.server(unasked);
        assert!(flow.lines().iter().all(|line| !line.contains("desync")), "{ask} {unasked}");
        assert!(flow.handler.observer().desyncs.is_empty());
    }
}

/// A client that announces the length before coding, and keeps the connection.
#[test]
fn the_next_request_of_a_client_that_waited_is_its_own() {
    let ask = post("Content-Length: 500\r\nTransfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n");
    let mut flow = Flow::new();
    flow.client(&ask).server(OK).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["POST /a \"x\" > 200 \"ok\" length_and_chunked,ambiguous_length", "GET /a > 200 \"ok\""]);
}

#[test]
fn chunks_that_some_read_otherwise_are_ambiguous() {
    for (body, is_ambiguous) in [
        ("1\r\nx\r\n0\r\n\r\n", false),
        ("0000000000000000000001\r\nx\r\n0\r\n\r\n", false),
        ("1 \r\nx\r\n0\r\n\r\n", false),
        ("1;a=b\r\nx\r\n0\r\n\r\n", false),
        ("0x1\r\nx\r\n0\r\n\r\n", true),
        ("+1\r\nx\r\n0\r\n\r\n", true),
        ("-1\r\nx\r\n0\r\n\r\n", true),
        ("10000000000000001\r\nx\r\n0\r\n\r\n", true),
        ("1\nx\r\n0\r\n\r\n", true),
        ("1;a\nx\r\n0\r\n\r\n", true),
        ("1;a\rx\r\n0\r\n\r\n", true),
        ("1\r\nx\n0\r\n\r\n", true),
        ("1\r\nxy0\r\n\r\n", true),
    ] {
        let mut flow = Flow::new();
        flow.client(&post("Transfer-Encoding: chunked", body)).server(OK);
        let lines = flow.lines();
        assert_eq!(lines[0].contains("ambiguous_length"), is_ambiguous, "{body:?}: {lines:?}");
    }
    let all_lf = "POST /a HTTP/1.1\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n";
    assert_eq!(Flow::new().client(all_lf).server(OK).lines(), ["POST /a \"x\" > 200 \"ok\" bare_lf,lenient_chunk"]);
}

/// Probes by time: one of the two waits for what never comes.
#[test]
fn a_request_that_never_ends_for_one_of_two_is_ambiguous() {
    let framings = "Content-Length: 6\r\nTransfer-Encoding: chunked";
    for body in ["0\r\n\r\nX", "3\r\nabc\r\nX"] {
        let mut flow = Flow::new();
        flow.client(&post(framings, body)).end(Side::Client, false);
        let lines = flow.lines();
        assert!(lines[0].contains("ambiguous_length"), "{body:?}: {lines:?}");
    }
    // A client that gives up in the middle, neither reading being over.
    let mut flow = Flow::new();
    flow.client(&post("Content-Length: 60\r\nTransfer-Encoding: chunked", "3\r\na")).end(Side::Client, true);
    assert!(!flow.lines()[0].contains("ambiguous_length"));
}

#[test]
fn a_response_is_never_ambiguous() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n";
    let lines = Flow::new().client(ASK).server(response).lines();
    assert_eq!(lines, ["GET /a > 200 \"x\" length_and_chunked,lenient_chunk"]);
}
