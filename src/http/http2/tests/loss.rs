//! Bytes are missing: what is given is true, or not given.

use super::messages::{CONVERSATION, conversation};
use super::*;

/// The frames of a conversation, each a chunk of its own.
fn frames() -> Vec<(Side, Vec<u8>)> {
    let mut frames = Vec::new();
    for (side, bytes) in conversation() {
        let mut rest = bytes.as_slice();
        if let Some(behind) = rest.strip_prefix(super::super::PREFACE) {
            frames.push((side, super::super::PREFACE.to_vec()));
            rest = behind;
        }
        while !rest.is_empty() {
            let length = 9 + u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
            let (frame, behind) = rest.split_at(length);
            frames.push((side, frame.to_vec()));
            rest = behind;
        }
    }
    frames
}

/// True when every part of a line is what was said, or missing.
fn is_true(line: &str) -> bool {
    let (request, response) = line.split_once(" -> ").unwrap();
    CONVERSATION.iter().any(|truth| {
        let (asked, answered) = truth.split_once(" -> ").unwrap();
        let fits = |given: &str, truth: &str| {
            let words = |text: &str| text.split('<').next().unwrap().trim().to_string();
            let (given, truth) = (words(given), words(truth));
            let mut pairs = given.split(' ').zip(truth.split(' '));
            given == "-" || given == "103" || pairs.all(|(given, truth)| given == truth || given.is_empty())
        };
        fits(request, asked) && fits(response, answered)
    })
}

#[test]
fn without_any_one_frame_no_transaction_is_wrong() {
    let frames = frames();
    for missing in 0..frames.len() {
        let mut flow = Flow::new();
        for (at, (side, bytes)) in frames.iter().enumerate() {
            if at == missing {
                flow.miss(*side, bytes.len());
            } else {
                flow.say(*side, bytes);
            }
        }
        for line in flow.lines() {
            assert!(is_true(&line), "{line}, without frame {missing}: {:?}", frames[missing]);
        }
    }
}

#[test]
fn without_any_one_byte_no_transaction_is_wrong() {
    let whole = conversation();
    for (missing, (_, bytes)) in whole.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut flow = Flow::new();
            for (index, (side, bytes)) in whole.iter().enumerate() {
                if index == missing {
                    flow.say(*side, &bytes[..at]).miss(*side, 1).say(*side, &bytes[at + 1..]);
                } else {
                    flow.say(*side, bytes);
                }
            }
            for line in flow.lines() {
                assert!(is_true(&line), "{line}, without byte {at} of {missing}");
            }
        }
    }
}

#[test]
fn a_gap_inside_content_loses_nothing_else() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, END_STREAM, &get("/b"))]);
    let content = data(1, END_STREAM, &[b'x'; 100]);
    flow.server(&[headers(1, 0, &status("200")), content[..20].to_vec()]).miss(Side::Server, 50);
    flow.server(&[content[70..].to_vec(), headers(3, END_STREAM, &status("204"))]);
    let seen = flow.finish();
    let expected = format!("GET /a -> 200 <{}[gap]{}>", "x".repeat(11), "x".repeat(39));
    assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), [expected.as_str(), "GET /b -> 204"]);
    assert_eq!(marks_of(&seen), [Marks::GAP_IN_BODY, Marks::none()]);
    assert_eq!(seen.transactions[0].response.as_ref().unwrap().body_length, 100);
}

#[test]
fn a_lost_head_makes_what_refers_to_it_partial() {
    let mut flow = Flow::greeted();
    let first = headers(1, END_STREAM, &indexed(&[(":method", "GET"), (":path", "/a"), (":authority", "h")]));
    flow.miss(Side::Client, first.len());
    // Authority and path as before, the method of the static table.
    flow.client(&[headers(3, END_STREAM, &[0x82, 0xbe, 0xbf]), headers(5, END_STREAM, &get("/c"))]);
    flow.server(&[headers(1, END_STREAM, &status("200")), headers(3, END_STREAM, &status("201"))]);
    flow.server(&[headers(5, END_STREAM, &status("202"))]);
    assert_eq!(flow.handler.counters().http2_framing_lost, 1);
    let seen = flow.finish();
    let lines: Vec<String> = seen.transactions.iter().map(line_of).collect();
    assert_eq!(lines, ["- -> 200", "GET  -> 201", "GET /c -> 202"]);
    let expected = [Marks::RESPONSE_ONLY, Marks::PARTIAL, Marks::none()];
    assert_eq!(marks_of(&seen), expected);
}

#[test]
fn the_framing_is_found_where_a_chunk_begins_with_frames_and_nowhere_else() {
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &get("/a")), headers(3, END_STREAM, &get("/b"))]);
    flow.server(&[headers(1, 0, &status("200")), data(1, 0, b"x")]).miss(Side::Server, 100);
    // Content that looks like text, then a head inside a chunk: neither is believed.
    flow.say(Side::Server, b"the rest of some content");
    flow.server(&[b"abc".to_vec(), headers(3, END_STREAM, &status("500"))]);
    flow.server(&[headers(3, END_STREAM, &status("200"))]);
    assert_eq!(flow.lines(), ["GET /b -> 200", "GET /a -> 200 <x[gap]>"]);
}

#[test]
fn a_direction_that_is_never_found_again_is_given_up() {
    let mut flow = Flow::greeted();
    flow.miss(Side::Client, 1).miss(Side::Server, 1);
    for _ in 0..4096 {
        flow.say(Side::Client, b"opaque").say(Side::Server, b"opaque");
    }
    assert_eq!(flow.handler.counters().http2_directions_given_up, 2);
    assert_eq!(flow.interest, Interest::None);
}
