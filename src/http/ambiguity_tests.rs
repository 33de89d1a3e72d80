//! Which heads leave open where a request ends.

use super::*;
use crate::http::head::parse_request;

fn reason(fields: &str) -> Option<Ambiguity> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
    Ambiguity::of_head(&parse_request(head.as_bytes()).unwrap())
}

/// Shapes of public research, as a sensor meets them.
#[test]
fn what_two_parsers_may_read_differently_is_ambiguous() {
    for (fields, expected) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", Ambiguity::TwoFramings),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 4", Ambiguity::Coding),
        ("Transfer-Encoding: xchunked", Ambiguity::Coding),
        ("Transfer-Encoding: \"chunked\"", Ambiguity::Coding),
        ("Transfer-Encoding: chunked;q=1", Ambiguity::Coding),
        ("Transfer-Encoding: chunked, identity", Ambiguity::Coding),
        ("Transfer-Encoding: identity, chunked", Ambiguity::Coding),
        ("Transfer-Encoding: chunked, chunked", Ambiguity::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", Ambiguity::Coding),
        ("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", Ambiguity::Coding),
        ("Transfer-Encoding : chunked", Ambiguity::HiddenField),
        ("Transfer-Encoding\t: chunked\r\nContent-Length: 4", Ambiguity::HiddenField),
        ("Transfer-Encoding:\r\n chunked", Ambiguity::HiddenField),
        ("Transfer-Encoding: \x0bchunked", Ambiguity::HiddenField),
        ("X: y\r\n Transfer-Encoding: chunked", Ambiguity::HiddenField),
        ("X: y\nTransfer-Encoding: chunked", Ambiguity::HiddenField),
        ("X: y\rTransfer-Encoding: chunked", Ambiguity::HiddenField),
        ("Content-Length : 4", Ambiguity::HiddenField),
        ("Content-Length: 4\rX: y", Ambiguity::HiddenField),
        ("Content-Length: 4\r\n 5", Ambiguity::HiddenField),
        ("Content-Length: 4\r\nContent-Length: 5", Ambiguity::Length),
        ("Content-Length: 4, 5", Ambiguity::Length),
        ("Content-Length: +4", Ambiguity::Length),
        ("Content-Length: -4", Ambiguity::Length),
        ("Content-Length: 0x4", Ambiguity::Length),
        ("Content-Length: 4 4", Ambiguity::Length),
        ("Content-Length: 18446744073709551616", Ambiguity::Length),
    ] {
        assert_eq!(reason(fields), Some(expected), "{fields:?}");
    }
}

#[test]
fn what_all_read_alike_is_not_though_it_be_odd() {
    for fields in [
        "Content-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 0005",
        "Content-Length:\t5 ",
        "Content-Length:",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked",
        "transfer-encoding:CHUNKED",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: , chunked",
        "X: y\r\n z\r\nContent-Length: 5",
        "X: a\rb\r\nContent-Length: 5",
        "X : y\r\nContent-Length: 5",
        "X: y\nContent-Length-Of: 5",
        "no colon\r\nContent-Length: 5",
    ] {
        assert_eq!(reason(fields), None, "{fields:?}");
    }
}

#[test]
fn a_head_whose_lines_all_end_with_lf_is_read_by_those_who_take_it() {
    let head = parse_request(b"POST / HTTP/1.1\nHost: h\nContent-Length: 5\n\n").unwrap();
    assert_eq!(Ambiguity::of_head(&head), None);
}

#[test]
fn chunked_coding_in_http_1_0_is_read_by_some_only() {
    let head = parse_request(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    assert_eq!(Ambiguity::of_head(&head), Some(Ambiguity::Coding));
}

#[test]
fn two_framings_that_end_at_one_byte_are_one() {
    let head = parse_request(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let framed = |bytes, is_complete| Framed { bytes, is_complete, fault: ChunkFault::None };
    assert_eq!(Ambiguity::of_request(&head, &framed(5, true)), None);
    assert_eq!(Ambiguity::of_request(&head, &framed(6, true)), Some(Ambiguity::TwoFramings));
    assert_eq!(Ambiguity::of_request(&head, &framed(4, true)), Some(Ambiguity::TwoFramings));
    // Cut off: who reads by the length has not come to its end, or is past it.
    assert_eq!(Ambiguity::of_request(&head, &framed(5, false)), None);
    assert_eq!(Ambiguity::of_request(&head, &framed(6, false)), Some(Ambiguity::TwoFramings));
}
