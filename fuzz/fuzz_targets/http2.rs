//! Frames of both sides of an HTTP/2 connection, whole and torn, with gaps: nothing panics, what comes out keeps its word.
#![no_main]

mod check;

use apitap::http::http2::PREFACE;
use apitap::http::{Http2Limits, HttpHandler, HttpLimits};
use apitap::packet::{Direction, FlowKey, Peer};
use apitap::stream::{Chunk, Event, FlowInfo, Handler, Interest};
use apitap::time::Timestamp;
use check::Check;
use libfuzzer_sys::fuzz_target;

// A chunk each: one byte of what it is (side, gap, end, raw bytes or a frame), one of length. A frame takes its kind,
// flags and stream from the next byte.
fuzz_target!(|input: &[u8]| {
    let http2 = Http2Limits {
        streams: 4,
        table_bytes: 512,
        list_bytes: 1024,
        continuation_frames: 4,
        ..Http2Limits::default()
    };
    let limits = HttpLimits { head_bytes: 1024, partition_bytes: 16 << 10, http2, ..HttpLimits::default() };
    let mut handler = HttpHandler::new(limits, Check::default());
    let peer = |port| Peer { address: [10, 0, 0, 1].into(), port };
    let (key, _) = FlowKey::of(peer(1), peer(2));
    let opened_by = input.first().and_then(|byte| (byte & 1 == 0).then_some(Direction::FromLow));
    let has_preface = input.first().is_some_and(|byte| byte & 2 == 0);
    let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by };
    let mut state = handler.open(&info);
    let mut sent = [0i64; 2];
    let mut ended = [false; 2];
    let time = Timestamp(0);
    if has_preface {
        let chunk = Chunk { offset: 0, acknowledged: Some(0), time, bytes: PREFACE };
        sent[0] = PREFACE.len() as i64;
        handler.event(&info, &mut state, Direction::FromLow, Event::Data(chunk));
    }
    let mut rest = input.get(1..).unwrap_or(&[]);
    while let [what, length, behind @ ..] = rest {
        let direction = if what & 1 == 0 { Direction::FromLow } else { Direction::FromHigh };
        let this = direction as usize;
        let (bytes, behind) = behind.split_at((*length as usize).min(behind.len()));
        rest = behind;
        if ended[this] {
            continue;
        }
        let mut framed = Vec::new();
        let (offset, acknowledged) = (sent[this], Some(sent[1 - this]));
        let event = match (what >> 1 & 7, bytes) {
            (0, _) => Event::Gap { offset, length: u64::from(*length) + 1, time },
            (1, _) if what & 128 != 0 => Event::End { time, reset: what & 64 != 0 },
            (1, _) => Event::Conflict { offset: offset - i64::from(*length), length: u64::from(*length) + 1 },
            (2 | 3, [_, ..]) => Event::Data(Chunk { offset, acknowledged, time, bytes }),
            (_, [kind, payload @ ..]) => {
                framed.extend_from_slice(&[0, 0, payload.len() as u8, kind & 15, what >> 4 | kind >> 4 & 1]);
                framed.extend_from_slice(&[0, 0, 0, kind >> 5 & 7]);
                framed.extend_from_slice(payload);
                Event::Data(Chunk { offset, acknowledged, time, bytes: &framed })
            }
            _ => continue,
        };
        match event {
            Event::Data(chunk) => sent[this] += chunk.bytes.len() as i64,
            Event::Gap { length, .. } => sent[this] += length as i64,
            Event::Conflict { .. } => {}
            Event::End { .. } => ended[this] = true,
        }
        if handler.event(&info, &mut state, direction, event) == Interest::None {
            break;
        }
    }
    handler.close(&info, state, Timestamp(1));
    assert_eq!(handler.observer().scans, 0, "a body was begun and not finished");
});
