//! The forms that messages may have beside the usual one, and what is too much.

use super::{ASK, Flow, OK, exchange};
use crate::http::Side;
use std::io::Write;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn response(fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[test]
fn http_0_9_is_no_http_1() {
    let mut flow = Flow::new();
    flow.client("GET /a\r\n").server("<html>hello</html>").end(Side::Server, false);
    assert!(flow.lines().is_empty());
    // Amid messages of HTTP/1 it is a line that nobody reads; what comes after it is.
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).client("GET /b\r\n\r\n").server("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
    flow.client(&ASK.replace("/a", "/c")).server(OK);
    let lines = flow.lines();
    assert_eq!(flow.handler.counters().heads_refused, 1);
    assert!(lines.contains(&"GET /c > 200 \"ok\"".to_owned()), "{lines:?}");
}

#[test]
fn a_head_of_a_megabyte_is_passed_over_and_the_next_one_read() {
    let huge = format!("GET /a HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut flow = Flow::new();
    for piece in huge.as_bytes().chunks(1400) {
        flow.client(std::str::from_utf8(piece).unwrap());
    }
    flow.server("HTTP/1.1 431 Large\r\nContent-Length: 0\r\n\r\n").client(&ASK.replace("/a", "/b")).server(OK);
    let lines = flow.lines();
    assert_eq!(lines.last().map(String::as_str), Some("GET /b > 200 \"ok\""), "{lines:?}");
    assert_eq!(flow.handler.counters().heads_over_limit, 1);
}

#[test]
fn ten_thousand_fields_are_a_head_like_any_other() {
    let many = "X: y\r\n".repeat(10_000);
    assert_eq!(exchange(&format!("GET /a HTTP/1.1\r\n{many}Host: h\r\n\r\n"), OK), ["GET /a > 200 \"ok\""]);
    // Of those that are read and repeat, a bounded number is kept.
    let many = "Cookie: a=b\r\n".repeat(5_000);
    let mut flow = Flow::new();
    flow.client(&format!("GET /a HTTP/1.1\r\n{many}Host: h\r\n\r\n")).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\" fields_over_limit"]);
    assert_eq!(flow.handler.counters().heads_cut, 1);
    // Those that say where the message ends are all read.
    let many = "Cookie: a=b\r\n".repeat(70);
    let head = format!("POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n{many}Transfer-Encoding: chunked\r\n\r\n");
    let mut flow = Flow::new();
    flow.client(&head).client("0\r\n\r\n").server(OK).client("GET /b HTTP/1.1\r\n\r\n").server(OK);
    let lines = flow.lines();
    assert!(lines.len() == 2 && lines[1] == "GET /b > 200 \"ok\"", "{lines:?}");
    let lengths = format!("POST /a HTTP/1.1\r\nContent-Length: 0\r\n{many}Content-Length: 2\r\n\r\nab");
    let lines = exchange(&lengths, OK);
    assert!(lines[0].contains("content_length_conflict"), "{lines:?}");
}

#[test]
fn a_trailer_is_bounded() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
    let trailer = |lines: usize| "X: 0123456789\r\n".repeat(lines);
    let mut flow = Flow::new();
    flow.client(ASK).server(&format!("{chunked}{}\r\n", trailer(4000))).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /a > 200 \"ok\""]);
    let mut flow = Flow::new();
    flow.client(ASK).server(&format!("{chunked}{}\r\n", trailer(5000))).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\" incomplete", "GET /a > 200 \"ok\""]);
    assert_eq!(flow.handler.counters().trailers_over_limit, 1);
}

#[test]
fn ranges_are_content() {
    let body = b"--r\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--r--\r\n";
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=r\r\nContent-Length: ";
    let text = format!("{head}{}\r\n\r\n{}", body.len(), std::str::from_utf8(body).unwrap());
    let lines = Flow::new().client(ASK).server(&text).client(ASK).server(OK).lines();
    assert!(lines[0].starts_with("GET /a > 206 \"--r\\r\\nContent-Range"), "{lines:?}");
    assert_eq!(lines[1], "GET /a > 200 \"ok\"");
}

#[test]
fn codings_that_are_stacked_or_that_lie() {
    let answered = |fields: &str, body: &[u8]| {
        let mut flow = Flow::new();
        flow.client(ASK);
        flow.send(Side::Server, &response(fields, body));
        flow.lines().remove(0)
    };
    let twice = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&gzip("hello")).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(answered("Content-Encoding: gzip, deflate", &twice), "GET /a > 200 \"hello\"");
    assert_eq!(answered("Content-Encoding: gzip\r\nContent-Encoding: deflate", &twice), "GET /a > 200 \"hello\"");
    assert_eq!(answered("Content-Encoding: gzip", b"plain text"), "GET /a > 200 \"\" undecodable_body");
    assert_eq!(answered("Content-Encoding: gzip, gzip, gzip, gzip", b"x"), "GET /a > 200 undecodable_body");
    assert_eq!(answered("Content-Encoding: frobnicate", b"x"), "GET /a > 200 undecodable_body");
}

/// RFC 9112 §7: what is coded for the transfer is decoded like what is coded as content, after it.
#[test]
fn codings_of_the_transfer_are_undone() {
    let coded = gzip("hello");
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    let chunk = [format!("{:x}\r\n", coded.len()).as_bytes(), &coded, b"\r\n0\r\n\r\n"].concat();
    let mut flow = Flow::new();
    flow.client(ASK);
    flow.send(Side::Server, &[&head[..], &chunk].concat());
    flow.client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"hello\"", "GET /a > 200 \"ok\""]);
}

#[test]
fn what_is_inside_of_connect_is_read() {
    let connect = "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n";
    let mut flow = Flow::new();
    flow.client(connect).server("HTTP/1.1 200 Connected\r\n\r\n");
    flow.client(ASK).server(OK).client(&ASK.replace("/a", "/b")).server(OK);
    assert_eq!(flow.lines(), ["CONNECT h:80 > 200 upgraded", "GET /a > 200 \"ok\"", "GET /b > 200 \"ok\""]);
    let indices: Vec<u32> = flow.handler.observer().transactions.iter().map(|told| told.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    // Sent along with the request for the tunnel, before it is granted.
    let mut flow = Flow::new();
    flow.client(connect).server(&["HTTP/1.1 200 Connected\r\n\r\n", "220 smtp.example\r\n"].concat());
    flow.client("EHLO h\r\n");
    assert_eq!(flow.lines(), ["CONNECT h:80 > 200 upgraded"]);
    assert_eq!(flow.handler.counters().flows_not_http, 0);
}

#[test]
fn targets_have_four_forms() {
    for (request, line) in [
        ("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b > 200 \"ok\""),
        ("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://h/a?b > 200 \"ok\""),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * > 200 \"ok\""),
    ] {
        assert_eq!(exchange(request, OK), [line]);
    }
}

#[test]
fn what_a_load_balancer_puts_before_the_first_request_is_passed_over() {
    let text = "PROXY TCP4 203.0.113.7 10.0.0.1 56324 80\r\n";
    let binary = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x0c\x04\0\x50";
    for header in [text, binary] {
        let mut at_once = Flow::new();
        at_once.client(&[header, ASK].concat()).server(OK).client(ASK).server(OK);
        let mut apart = Flow::new();
        apart.client(&header[..9]).client(&header[9..]).client(ASK).server(OK).client(ASK).server(OK);
        let mut upload = Flow::new();
        let body = "x".repeat(12_000);
        upload.client(header).client("POST /a HTTP/1.1\r\nContent-Length: 12000\r\n\r\n");
        body.as_bytes().chunks(1000).for_each(|part| upload.send(Side::Client, part));
        upload.server(OK);
        for mut flow in [at_once, apart] {
            assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /a > 200 \"ok\""]);
        }
        assert_eq!(upload.told().len(), 1);
    }
}

#[test]
fn a_line_that_looks_like_the_preface_is_a_request_unless_all_of_it_comes() {
    let mut flow = Flow::new();
    flow.client("PRI * HTTP/2.0\r\n").client("Host: h\r\n\r\n").server(OK).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["PRI * > 200 \"ok\" lenient_head", "GET /a > 200 \"ok\""]);
}

#[test]
fn request_lines_that_servers_accept_begin_a_connection() {
    for line in [
        "POST /a HTTP/3.0",
        "POST /a HTTP/1.01",
        "POST /a HTTP/1.10",
        "POST /a HTTP/1.1 ",
        "post /a HTTP/1.1",
        "X.Y1 /a HTTP/1.1",
        &format!("{} /a HTTP/1.1", "A".repeat(100)),
    ] {
        let mut flow = Flow::new();
        flow.client(&format!("{line}\r\nHost: h\r\n\r\n")).server(OK).client(ASK).server(OK);
        let told = flow.lines();
        assert!(told.len() == 2 && told[0].contains(" /a > 200 ") && told[1].starts_with("GET /a > 200"), "{told:?}");
    }
    for line in [
        "INVITE sip:a@b SIP/2.0",
        "DESCRIBE rtsp://h/a RTSP/1.0",
        "REQMOD icap://h/a ICAP/1.0",
        "GET /a HTTP/",
        "GET /a HTTP/1",
    ] {
        let mut flow = Flow::new();
        flow.client(&format!("{line}\r\nHost: h\r\n\r\n"));
        assert_eq!(flow.lines(), [""; 0], "{line}");
    }
}
