//! Messages: what heads, bodies and streams become.

use super::*;
use crate::http::Field;

fn field(transaction: &Transaction<String>, field: Field) -> Vec<String> {
    let head = &transaction.request.as_ref().unwrap().head;
    head.all(field).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// A conversation with all that a connection may have.
pub fn conversation() -> Vec<(Side, Vec<u8>)> {
    let padded = |content: &[u8]| [&[3][..], content, &[0; 3]].concat();
    let prioritised = [&[0x80, 0, 0, 0, 15][..], &get("/b")].concat();
    let post = indexed(&[(":method", "POST"), (":scheme", "http"), (":path", "/c"), (":authority", "h")]);
    let (start, end) = post.split_at(11);
    let again = [&[0xbf, 0xc0, 0xc1, 0xbe][..], &plain(&[("te", "trailers")])].concat();
    let promise = [&2u32.to_be_bytes()[..], &get("/pushed")].concat();
    let client = |frames: &[Vec<u8>]| (Side::Client, frames.concat());
    let server = |frames: &[Vec<u8>]| (Side::Server, frames.concat());
    vec![
        client(&[preface(), headers(1, END_STREAM, &get("/a"))]),
        server(&[settings(&[(1, 100)]), settings_ack(), frame(8, 0, 0, &[0, 1, 0, 0])]),
        client(&[settings_ack(), headers(3, END_STREAM | PRIORITY, &prioritised), frame(2, 0, 9, &[0; 5])]),
        // A head in three frames, and a padded body.
        client(&[frame(1, 0, 5, start), frame(9, 0, 5, b""), frame(9, END_HEADERS, 5, end)]),
        client(&[data(5, PADDED, &padded(b"{\"a\":")), data(5, 0, b"1")]),
        server(&[headers(1, 0, &status("103")), headers(1, 0, &status("200")), data(1, 0, b"one ")]),
        client(&[data(5, END_STREAM, b"}"), frame(6, 0, 0, &[0; 8])]),
        server(&[frame(6, 1, 0, &[0; 8]), headers(3, 0, &status("201")), data(3, 0, b"three"), data(1, 0, b"and ")]),
        server(&[frame(5, END_HEADERS, 3, &promise), data(3, END_STREAM, b"")]),
        server(&[data(1, END_STREAM | PADDED, &padded(b"more")), frame(0x2a, 0xff, 0, b"grease")]),
        // Trailers, on both sides.
        server(&[headers(5, 0, &status("202")), data(5, 0, b"five"), headers(5, END_STREAM, &plain(&[("t", "v")]))]),
        server(&[headers(2, 0, &status("200")), data(2, END_STREAM, b"two")]),
        client(&[headers(7, 0, &again), data(7, 0, b"x"), headers(7, END_STREAM, &plain(&[("t", "v")]))]),
        server(&[headers(7, END_STREAM, &status("204")), frame(7, 0, 0, &[0; 8])]),
    ]
}

pub const CONVERSATION: [&str; 5] = [
    "GET /b -> 201 <three>",
    "GET /a -> 200 <one and more>",
    "POST /c <{\"a\":1}> -> 202 <five>",
    "GET /pushed -> 200 <two>",
    "POST /c <x> -> 204",
];

#[test]
fn streams_interleave_and_are_told_apart() {
    let mut flow = Flow::new();
    for (side, bytes) in conversation() {
        flow.say(side, &bytes);
    }
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), CONVERSATION);
    let expected = [Marks::none(), Marks::none(), Marks::none(), Marks::PUSHED, Marks::none()];
    assert_eq!(marks_of(&seen), expected);
}

#[test]
fn how_bytes_are_split_changes_nothing() {
    for split in 1..40 {
        let mut flow = Flow::new();
        flow.split = split;
        for (side, bytes) in conversation() {
            flow.say(side, &bytes);
        }
        assert_eq!(flow.lines(), CONVERSATION, "in chunks of {split}");
    }
}

#[test]
fn crumbs_of_a_cookie_are_joined_and_authority_is_the_host() {
    let mut block = get("/a");
    block.extend(plain(&[("cookie", "a=1"), ("accept", "*/*"), ("cookie", "session=2"), ("host", "api.example")]));
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &block)]).server(&[headers(1, END_STREAM, &status("200"))]);
    let seen = flow.finish();
    assert_eq!(field(&seen.transactions[0], Field::Cookie), ["a=1; session=2"]);
    assert_eq!(field(&seen.transactions[0], Field::Host), ["api.example"]);
    assert_eq!(seen.transactions[0].marks, Marks::none());
}

#[test]
fn what_is_malformed_is_read_and_marked() {
    let with = |extra: &[(&str, &str)]| [get("/a"), plain(extra)].concat();
    let user = plain(&[(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "me:secret@h")]);
    let cases = [
        (with(&[("host", "other.example")]), Marks::BAD_HOST),
        (user, Marks::BAD_HOST),
        (with(&[("Accept", "x")]), Marks::LENIENT_HEAD),
        (with(&[("connection", "close")]), Marks::LENIENT_HEAD),
        (with(&[("a", "b\r\nx: y")]), Marks::LENIENT_HEAD),
        (with(&[("a", "b"), (":path", "/b")]), Marks::LENIENT_HEAD),
        (plain(&[(":method", "GET"), (":scheme", "http")]), Marks::LENIENT_HEAD),
    ];
    for (block, expected) in cases {
        let mut flow = Flow::greeted();
        flow.client(&[headers(1, END_STREAM, &block)]).server(&[headers(1, END_STREAM, &status("400"))]);
        let seen = flow.finish();
        assert_eq!(marks_of(&seen), [expected], "{}", String::from_utf8_lossy(&block));
        let host = seen.transactions[0].request.as_ref().unwrap().head.get(Field::Host);
        assert!(host.is_none_or(|host| !host.contains(&b'@')));
    }
}

#[test]
fn content_is_decoded() {
    use std::io::Write;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(b"some text that was compressed").unwrap();
    let coded = coder.finish().unwrap();
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a"))]);
    flow.server(&[headers(1, 0, &plain(&[(":status", "200"), ("content-encoding", "gzip")]))]);
    flow.server(&[data(1, 0, &coded[..9]), data(1, END_STREAM, &coded[9..])]);
    let seen = flow.finish();
    assert_eq!(line_of(&seen.transactions[0]), "GET /a -> 200 <some text that was compressed>");
    assert_eq!(seen.transactions[0].response.as_ref().unwrap().body_length, coded.len() as u64);
}

#[test]
fn a_length_that_is_not_that_of_the_content_is_marked() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, END_STREAM, &get("/b"))]);
    let head = plain(&[(":status", "200"), ("content-length", "3")]);
    flow.server(&[
        headers(1, 0, &head),
        data(1, END_STREAM, b"abc"),
        headers(3, 0, &head),
        data(3, END_STREAM, b"abcd"),
    ]);
    assert_eq!(marks_of(&flow.finish()), [Marks::none(), Marks::CONTENT_LENGTH_CONFLICT]);
}

#[test]
fn connect_leaves_http_and_so_does_a_websocket() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, 0, &plain(&[(":method", "CONNECT"), (":authority", "db:5432")]))]);
    let websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "h"),
    ];
    flow.client(&[headers(3, 0, &plain(&websocket))]);
    flow.server(&[headers(1, 0, &status("200")), headers(3, 0, &status("200")), data(3, 0, b"\x81\x02hi")]);
    flow.client(&[data(1, 0, b"opaque")]);
    let seen = flow.finish();
    let lines: Vec<String> = seen.transactions.iter().map(line_of).collect();
    assert_eq!(lines, ["CONNECT db:5432 <> -> 200", "CONNECT /chat <> -> 200"]);
    assert!(marks_of(&seen).iter().all(|marks| marks.contains(Marks::UPGRADED)));
}

#[test]
fn a_reset_gives_what_has_come() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, END_STREAM, &get("/b"))]);
    flow.server(&[headers(3, 0, &status("200")), data(3, 0, b"a part")]).client(&[reset(3), reset(1)]);
    // Under way when the reset came.
    flow.server(&[data(3, END_STREAM, b"of it"), headers(1, END_STREAM, &status("200"))]);
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), ["GET /b -> 200 <a part>", "GET /a -> -"]);
    assert_eq!(marks_of(&seen), [Marks::RESET | Marks::INCOMPLETE, Marks::RESET | Marks::REQUEST_ONLY]);
}

#[test]
fn what_a_server_will_not_answer_is_given_at_once() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, END_STREAM, &get("/b"))]);
    flow.server(&[frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])]);
    flow.server(&[headers(1, END_STREAM, &status("200"))]);
    assert_eq!(flow.lines(), ["GET /b -> -", "GET /a -> 200"]);
}

#[test]
fn the_end_of_the_connection_gives_what_is_open() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, 0, &get("/b")), data(3, 0, b"x")]);
    flow.server(&[headers(1, 0, &status("200")), data(1, 0, b"part")]);
    let seen = flow.finish();
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), ["GET /a -> 200 <part>", "GET /b <x> -> -"]);
    assert!(marks_of(&seen).iter().all(|marks| marks.contains(Marks::INCOMPLETE)));
}

#[test]
fn a_frame_that_no_receiver_accepts_ends_the_framing() {
    let broken: [Vec<u8>; 6] = [
        frame(1, END_HEADERS, 0, &get("/x")),
        frame(4, 0, 1, b""),
        frame(4, 0, 0, b"12345"),
        frame(3, 0, 1, b"12345"),
        frame(6, 0, 0, b"1234567"),
        data(1, PADDED, &[9, 1, 2]),
    ];
    for bytes in broken {
        let mut flow = Flow::greeted();
        flow.client(&[headers(1, END_STREAM, &get("/a")), bytes.clone(), headers(3, END_STREAM, &get("/b"))]);
        assert_eq!(flow.handler.counters().http2_frames_refused, 1, "{bytes:?}");
        assert_eq!(flow.lines(), ["GET /a -> -"]);
    }
}

#[test]
fn a_block_that_is_interrupted_is_void() {
    let mut flow = Flow::greeted();
    flow.client(&[frame(1, END_STREAM, 1, &get("/a")), data(1, 0, b"x"), frame(9, END_HEADERS, 1, b"")]);
    flow.client(&[headers(3, END_STREAM, &get("/b"))]).server(&[headers(3, END_STREAM, &status("200"))]);
    assert_eq!(flow.handler.counters().http2_frames_refused, 1);
    assert_eq!(flow.lines(), ["GET /b -> 200"]);
}

#[test]
fn a_block_that_cannot_be_read_leaves_the_rest_readable() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &[0xff]), headers(3, END_STREAM, &get("/b"))]);
    flow.server(&[headers(1, END_STREAM, &status("400")), headers(3, END_STREAM, &status("200"))]);
    assert_eq!(flow.handler.counters().http2_blocks_refused, 1);
    assert_eq!(flow.lines(), ["- -> 400", "GET /b -> 200"]);
}

#[test]
fn tables_are_as_large_as_the_receiver_allows() {
    let resized = [&[0x3f, 0xe1, 0x7f][..], &get("/a")].concat(); // to 16352
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &resized)]);
    assert_eq!(flow.handler.counters().http2_blocks_refused, 1);
    let mut flow = Flow::new();
    flow.client(&[preface()]).server(&[settings(&[(1, 16_384)])]);
    flow.client(&[settings_ack(), headers(1, END_STREAM, &resized)]);
    assert_eq!(flow.handler.counters().http2_blocks_refused, 0);
}

/// Content that ends a message, and then its head: what came last is the message.
#[test]
fn a_head_behind_the_end_of_its_content_begins_anew() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, 0, &get("/a"))]).server(&[data(1, END_STREAM, b"x"), headers(1, 0, &status("200"))]);
    flow.client(&[data(1, END_STREAM, b"y")]).server(&[data(1, 0, b"z")]);
    assert_eq!(flow.lines(), ["GET /a <y> -> 200 <z>"]);
}
