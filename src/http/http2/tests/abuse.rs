//! What is done to exhaust a server, and the bounds that keep it from exhausting us.

use super::*;
use crate::http::Http2Limits;

fn limited(http2: Http2Limits) -> Flow {
    let mut flow = Flow::with(HttpLimits { http2, ..HttpLimits::default() }, true);
    flow.client(&[preface()]).server(&[settings(&[]), settings_ack()]).client(&[settings_ack()]);
    flow
}

#[test]
fn streams_that_are_reset_before_their_response_are_counted() {
    let mut flow = Flow::greeted();
    for stream in [1, 3, 5] {
        flow.client(&[headers(stream, END_STREAM, &get("/a")), reset(stream)]);
    }
    // A download that is called off is none.
    flow.client(&[headers(7, END_STREAM, &get("/a"))]).server(&[headers(7, 0, &status("200"))]).client(&[reset(7)]);
    // Nor is one that the server refuses.
    flow.client(&[headers(9, END_STREAM, &get("/a"))]).server(&[reset(9)]);
    let seen = flow.finish();
    assert_eq!(seen.abuses, [AbuseKind::RapidReset; 3]);
    assert_eq!(seen.transactions.len(), 5);
}

#[test]
fn more_streams_than_are_remembered_push_out_the_oldest() {
    let mut flow = limited(Http2Limits { streams: 2, ..Http2Limits::default() });
    for stream in [1, 3, 5] {
        flow.client(&[headers(stream, END_STREAM, &get(&format!("/{stream}")))]);
    }
    for stream in [1, 3, 5] {
        flow.server(&[headers(stream, END_STREAM, &status("200"))]);
    }
    assert_eq!(flow.handler.counters().http2_streams_over_limit, 1);
    assert_eq!(flow.lines(), ["GET /1 -> -", "GET /3 -> 200", "GET /5 -> 200"]);
}

#[test]
fn a_flood_of_continuations_is_one_and_ends_the_block() {
    for (frames, expected) in [(64, vec![]), (65, vec![AbuseKind::ContinuationFlood])] {
        let mut flow = Flow::greeted();
        flow.client(&[frame(1, END_STREAM, 1, &get("/a"))]);
        for _ in 1..frames {
            flow.client(&[frame(9, 0, 1, &plain(&[("x", "y")]))]);
        }
        flow.client(&[frame(9, END_HEADERS, 1, b""), headers(3, END_STREAM, &get("/b"))]);
        let lines: &[&str] = if expected.is_empty() { &["GET /a -> -", "GET /b -> -"] } else { &["GET /b -> -"] };
        let seen = flow.finish();
        assert_eq!(seen.abuses, expected);
        assert_eq!(seen.transactions.iter().map(line_of).collect::<Vec<_>>(), lines);
    }
}

#[test]
fn a_list_far_larger_than_its_block_is_a_bomb() {
    let value = "v".repeat(120);
    let mut flow = Flow::greeted();
    flow.client(&[headers(1, END_STREAM, &[get("/a"), indexed(&[("x", &value)])].concat())]);
    let repeated = |times| headers(3, END_STREAM, &[get("/b"), vec![0xbe; times]].concat());
    flow.client(&[repeated(100)]);
    let lists = flow.handler.counters().http2_lists_over_limit;
    assert_eq!(lists, 0);
    flow.client(&[headers(5, END_STREAM, &[get("/c"), vec![0xbe; 900]].concat())]);
    assert_eq!(flow.handler.counters().http2_lists_over_limit, 1);
    flow.client(&[headers(7, END_STREAM, &[get("/d"), vec![0xbe; 9000]].concat())]);
    assert_eq!(flow.handler.counters().http2_blocks_refused, 1);
    let seen = flow.finish();
    assert_eq!(seen.abuses, [AbuseKind::HpackBomb; 2]);
    assert!(seen.transactions[2].marks.contains(Marks::FIELDS_OVER_LIMIT));
}

#[test]
fn pings_and_settings_are_a_flood_only_in_bulk_and_for_nothing() {
    let ping = frame(6, 0, 0, &[0; 8]);
    let mut flow = Flow::greeted();
    for _ in 0..199 {
        flow.say(Side::Client, &ping);
    }
    assert!(flow.handler.observer().abuses.is_empty());
    flow.client(&[ping.clone(), settings(&[])]);
    assert_eq!(flow.handler.observer().abuses, [AbuseKind::ControlFlood; 2]);
    // A second later they may come again; with data they measure the path.
    flow.time = Timestamp(1_500_000_000);
    flow.client(&[headers(1, END_STREAM, &get("/a"))]).server(&[headers(1, 0, &status("200"))]);
    for _ in 0..300 {
        flow.server(&[data(1, 0, b"x")]).say(Side::Client, &ping);
    }
    assert_eq!(flow.handler.observer().abuses.len(), 2);
}

#[test]
fn frames_longer_than_is_kept_are_passed_over() {
    let mut flow = Flow::new();
    flow.client(&[preface()]).server(&[settings(&[(5, 1 << 20)])]);
    let large = [get("/a"), vec![0x82; 70_000]].concat();
    flow.client(&[settings_ack(), headers(1, END_STREAM, &large), headers(3, END_STREAM, &get("/b"))]);
    assert_eq!(flow.handler.counters().http2_frames_over_limit, 1);
    assert_eq!(flow.lines(), ["GET /b -> -"]);
}

#[test]
fn what_a_partition_keeps_is_bounded() {
    let limits = HttpLimits { partition_bytes: 20_000, ..HttpLimits::default() };
    let mut flow = Flow::with(limits, true);
    flow.client(&[preface()]);
    for stream in 0..100 {
        flow.client(&[headers(
            2 * stream + 1,
            END_STREAM,
            &indexed(&[(":method", "GET"), (":path", "/a"), ("x", &"y".repeat(100))]),
        )]);
    }
    assert!(flow.handler.counters().pending_over_limit > 50);
    assert_eq!(flow.lines().len(), 100);
}
