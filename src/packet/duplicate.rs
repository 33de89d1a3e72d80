//! Segments that were seen a moment ago: a mirror of several ports sends a packet where it came in and where it went out.
//!
//! In goes what makes a TCP packet the one it is, out comes whether it was just seen. Reassembly would pass over the
//! second copy of its bytes anyway; but it would count it as a retransmission, and each acknowledgement twice. The
//! copies may differ in what routers and switches change (link layer, tags, tunnels, hop limit), in nothing else.
//!
//! A sender that transmits a segment again gives it another IP identification or timestamp, or does it later than
//! [`MOST_APART_MS`]. Where neither is so, what is dropped here is the same bytes once more: nothing is lost by it.
//! Bounded: [`SLOTS`] segments are remembered, each until another takes its slot.

use crate::hash::mix;
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 32 KiB: at a million packets a second, a few milliseconds.
const SLOTS: usize = 4096;
/// Far more than two ports of a switch or two turns of the reader are apart, far less than the shortest
/// retransmission time-out that is common (200 ms).
const MOST_APART_MS: u64 = 20;
/// The low bits of a slot hold the time, in units of 2^20 ns, which is about a millisecond; 0 is an empty slot's.
const TIME_BITS: u64 = 0x00ff_ffff;

/// Clones share it: a copy may come over another interface, to another reader. Where two write a slot at once, a copy may be
/// missed, which costs a way through a worker and no more.
#[derive(Clone)]
pub struct RecentSegments {
    slots: Arc<[AtomicU64; SLOTS]>,
}

impl Default for RecentSegments {
    fn default() -> Self {
        RecentSegments { slots: Arc::new([const { AtomicU64::new(0) }; SLOTS]) }
    }
}

/// What tells one TCP packet from another of the same flow.
#[derive(Clone, Copy)]
pub struct Likeness {
    pub flow: u64,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub identification: u16,
    pub checksum: u16,
    pub flags: u8,
    pub payload: usize,
}

impl RecentSegments {
    /// Whether the same was there a moment ago; from now on it was.
    #[inline]
    pub fn repeats(&self, like: &Likeness, time: Timestamp) -> bool {
        let numbers = u64::from(like.sequence) << 32 | u64::from(like.acknowledgement);
        let rest = u64::from(like.identification) << 48 | u64::from(like.checksum) << 32 | (like.payload as u64) << 8;
        let print = mix(mix(like.flow ^ numbers) ^ (rest | u64::from(like.flags)));
        let slot = &self.slots[print as usize % SLOTS];
        let last = slot.load(Ordering::Relaxed);
        let now = (time.0 >> 20) as u64 & TIME_BITS;
        let apart = now.wrapping_sub(last) & TIME_BITS;
        // Frames of several interfaces may come in either order.
        let is_close = apart <= MOST_APART_MS || apart >= TIME_BITS - MOST_APART_MS;
        let repeats = last & !TIME_BITS == print & !TIME_BITS && is_close;
        slot.store(print & !TIME_BITS | now, Ordering::Relaxed);
        repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKE: Likeness = Likeness {
        flow: 0x1234_5678_9abc_def0,
        sequence: 1000,
        acknowledgement: 77,
        identification: 9,
        checksum: 0xbeef,
        flags: 0x18,
        payload: 100,
    };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp(1_700_000_000_000_000_000 + milliseconds * 1_000_000)
    }

    #[test]
    fn a_copy_within_milliseconds_is_one_and_a_later_one_is_not() {
        let recent = RecentSegments::default();
        assert!(!recent.repeats(&LIKE, at(0)));
        assert!(recent.repeats(&LIKE, at(18)));
        assert!(recent.clone().repeats(&LIKE, at(10)), "of another interface");
        assert!(!recent.repeats(&LIKE, at(200)));
    }

    #[test]
    fn whatever_differs_is_another_segment() {
        let others = [
            Likeness { flow: 1, ..LIKE },
            Likeness { sequence: 1001, ..LIKE },
            Likeness { acknowledgement: 78, ..LIKE },
            Likeness { identification: 10, ..LIKE },
            Likeness { checksum: 0xbeee, ..LIKE },
            Likeness { flags: 0x10, ..LIKE },
            Likeness { payload: 99, ..LIKE },
        ];
        for other in others {
            let recent = RecentSegments::default();
            assert!(!recent.repeats(&LIKE, at(0)));
            assert!(!recent.repeats(&other, at(0)));
        }
    }
}
