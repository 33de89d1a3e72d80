//! Bytes of both sides of a connection, in chunks and with gaps: nothing panics, what comes out keeps its word.
#![no_main]

mod check;

use apitap::http::{HttpHandler, HttpLimits};
use apitap::packet::{Direction, FlowKey, Peer};
use apitap::stream::{Chunk, Event, FlowInfo, Handler, Interest};
use apitap::time::Timestamp;
use check::Check;
use libfuzzer_sys::fuzz_target;

// A chunk each: one byte of kind (side, gap, end, whether the turn changes), one of length.
fuzz_target!(|input: &[u8]| {
    let limits = HttpLimits { head_bytes: 1024, pending_requests: 4, ..HttpLimits::default() };
    let mut handler = HttpHandler::new(limits, Check::default());
    let peer = |port| Peer { address: [10, 0, 0, 1].into(), port };
    let (key, _) = FlowKey::of(peer(1), peer(2));
    let opened_by = input.first().and_then(|byte| (byte & 1 == 0).then_some(Direction::FromLow));
    let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by };
    let mut state = handler.open(&info);
    let mut sent = [0i64; 2];
    let mut had = [0i64; 2];
    let mut ended = [false; 2];
    let mut rest = input.get(1..).unwrap_or(&[]);
    while let [kind, length, behind @ ..] = rest {
        let direction = if kind & 1 == 0 { Direction::FromLow } else { Direction::FromHigh };
        let (this, other) = (direction as usize, direction.other() as usize);
        let (bytes, behind) = behind.split_at((*length as usize).min(behind.len()));
        rest = behind;
        if ended[this] {
            continue;
        }
        if kind & 2 == 0 {
            had[this] = sent[other];
        }
        let (offset, time) = (sent[this], Timestamp(0));
        let event = match kind >> 2 & 15 {
            0 => Event::Gap { offset, length: u64::from(*length) + 1, time },
            1 if kind & 128 != 0 => Event::End { time, reset: kind & 64 != 0 },
            2 => Event::Conflict { offset: offset - i64::from(*length), length: u64::from(*length) + 1 },
            _ if bytes.is_empty() => continue,
            _ => Event::Data(Chunk { offset, acknowledged: Some(had[this]), time, bytes }),
        };
        match event {
            Event::Data(_) => sent[this] += bytes.len() as i64,
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
