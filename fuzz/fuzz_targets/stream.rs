//! Any sequence of segments of a few flows: offsets ascend without holes of their own, ends come once, limits hold.
#![no_main]

use apitap::packet::{Control, Direction, FlowKey, Peer, Segment, TcpFlags};
use apitap::stream::{Event, FlowInfo, FlowLimits, FlowTable, Handler, Interest};
use apitap::time::Timestamp;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Move {
    port: u8,
    from_low: bool,
    sequence: i16,
    acknowledgement: i16,
    flags: u8,
    length: u8,
    cut: u8,
    /// Milliseconds since the last; a quarter of them go back in time.
    pause: u16,
    expire: bool,
}

const MAX_MOVES: usize = 512;
const PARTITION_HELD: usize = 4096;

#[derive(Default)]
struct Place {
    next: [Option<i64>; 2],
    /// Single bytes that were told of: those that were urgent are left out.
    told: [BTreeSet<i64>; 2],
    ended: [bool; 2],
}

struct Check {
    open: i32,
}

impl Handler for Check {
    type State = Place;

    fn open(&mut self, _info: &FlowInfo) -> Place {
        self.open += 1;
        Place::default()
    }

    fn event(&mut self, _: &FlowInfo, place: &mut Place, direction: Direction, event: Event<'_>) -> Interest {
        let side = direction as usize;
        // A copy that differs may come when its direction is over, and is told.
        assert!(!place.ended[side] || matches!(event, Event::Conflict { .. }), "something behind the end");
        let (offset, length) = match event {
            Event::Data(chunk) => (chunk.offset, chunk.bytes.len() as i64),
            Event::Gap { offset, length, .. } => (offset, length as i64),
            Event::Conflict { offset, length } => {
                place.told[side].extend((length == 1).then_some(offset));
                return Interest::Undecided;
            }
            Event::End { .. } => {
                place.ended[side] = true;
                return Interest::Undecided;
            }
        };
        assert!(length > 0);
        let expected = place.next[side].replace(offset + length);
        let is_next = |expected| expected == offset || expected + 1 == offset && place.told[side].contains(&expected);
        assert!(expected.is_none_or(is_next), "{expected:?} {offset}");
        if length % 7 == 0 { Interest::Ours } else { Interest::Undecided }
    }

    fn close(&mut self, _: &FlowInfo, place: Place, _: Timestamp) {
        assert_eq!(place.ended, [true, true]);
        self.open -= 1;
    }
}

fuzz_target!(|moves: Vec<Move>| {
    let mut limits = FlowLimits { flows: 3, ..FlowLimits::default() };
    limits.stream.held_bytes = 1024;
    limits.stream.partition_held_bytes = PARTITION_HELD;
    let mut table = FlowTable::new(limits);
    let mut check = Check { open: 0 };
    let payload: Vec<u8> = (0..=255).collect();
    let mut now = Timestamp(0);
    for step in moves.iter().take(MAX_MOVES) {
        let pause = Duration::from_millis(u64::from(step.pause));
        now = if step.pause % 4 == 0 { now.saturating_sub(pause) } else { now.saturating_add(pause) };
        let low = Peer { address: [10, 0, 0, 1].into(), port: 80 };
        let high = Peer { address: [10, 0, 0, 2].into(), port: u16::from(step.port % 6) };
        let (source, destination) = if step.from_low { (low, high) } else { (high, low) };
        let (flow, direction) = FlowKey::of(source, destination);
        table.segment(
            &Segment {
                time: now,
                flow,
                hash: u64::from(step.port % 6 / 2), // some collide
                direction,
                sequence: i32::from(step.sequence) as u32,
                acknowledgement: i32::from(step.acknowledgement) as u32,
                flags: TcpFlags(step.flags),
                control: Control {
                    window: u16::from(step.cut) * 16,
                    scale: step.from_low.then_some(step.port % 15),
                    urgent: u16::from(step.length / 2),
                },
                payload: &payload[..usize::from(step.length)],
                cut: u32::from(step.cut / 64),
            },
            &mut check,
        );
        if step.expire {
            table.expire(now, &mut check);
        }
        assert!(table.len() <= 3);
    }
    table.finish(now, &mut check);
    assert_eq!(check.open, 0);
    assert!(table.is_empty());
});
