//! The latest bytes that were handed on, of all flows of a partition: what a second copy of them is compared with.
//!
//! Bytes go in when they are handed on, [`REMEMBERED_BYTES`] of each turn of a direction: heads and short bodies, not
//! long ones, so that it costs next to nothing. Out come the places where a second copy differs. What it has no room for
//! any more it does not compare: the ring has [`RING_BYTES`], and the oldest goes first.
//!
//! The ring is an array of records that a direction finds backwards from its latest one:
//! `position of the one before | offset | length | bytes`.

use std::ops::Range;

/// Bytes of a partition: the latest hundred heads. All partitions together take 1 MiB, so that the ring stays in a cache.
const RING_BYTES: usize = 64 << 10;
/// Bytes of each turn that are kept: nearly all requests, and the heads of all answers, are shorter.
pub(super) const REMEMBERED_BYTES: i64 = 1024;
const HEADER: usize = 20;
/// Records looked at for one segment: all of a turn, were they of a byte each.
const MOST_RECORDS: i64 = REMEMBERED_BYTES;

#[derive(Default)]
pub struct Recent {
    /// Empty until something is remembered.
    ring: Box<[u8]>,
    /// Bytes written since the beginning, and the ring's length once there is one, so that 0 is the position of nothing.
    written: u64,
}

/// Where the bytes of one direction are.
#[derive(Clone, Copy, Default)]
pub(super) struct Trace {
    /// Position of its latest record.
    latest: u64,
    /// What the turn under way acknowledges, and where it began.
    acknowledged: Option<i64>,
    turn: i64,
}

impl Recent {
    /// Bytes of a direction are handed on.
    #[inline]
    pub(super) fn note(&mut self, trace: &mut Trace, offset: i64, acknowledged: Option<i64>, bytes: &[u8]) {
        if acknowledged > trace.acknowledged || trace.latest == 0 {
            trace.acknowledged = acknowledged;
            trace.turn = offset;
        }
        let room = REMEMBERED_BYTES - (offset - trace.turn);
        if room > 0 {
            self.keep(trace, offset, &bytes[..bytes.len().min(room as usize)]); // at most all of them
        }
    }

    fn keep(&mut self, trace: &mut Trace, offset: i64, bytes: &[u8]) {
        if self.ring.is_empty() {
            self.ring = vec![0; RING_BYTES].into_boxed_slice();
            self.written = RING_BYTES as u64;
        }
        let size = HEADER + bytes.len(); // far less than the ring
        let mut at = (self.written % RING_BYTES as u64) as usize;
        if at + size > RING_BYTES {
            self.written += (RING_BYTES - at) as u64;
            at = 0;
        }
        let record = &mut self.ring[at..at + size]; // fits, as just seen to
        record[..8].copy_from_slice(&trace.latest.to_le_bytes());
        record[8..16].copy_from_slice(&offset.to_le_bytes());
        record[16..HEADER].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        record[HEADER..].copy_from_slice(bytes);
        trace.latest = self.written;
        self.written += size as u64;
    }

    /// Where a second copy of bytes from `offset` on differs from what was handed on: from the first such byte to the
    /// last, as far as they are remembered.
    pub(super) fn difference(&self, trace: &Trace, offset: i64, bytes: &[u8]) -> Option<Range<i64>> {
        let mut found: Option<Range<i64>> = None;
        let mut position = trace.latest;
        for _ in 0..MOST_RECORDS {
            let Some(record) = self.record(position) else { break };
            if record.offset + record.bytes.len() as i64 <= offset {
                break; // those before it lie before that
            }
            let shared = overlapping((record.offset, record.bytes), (offset, bytes));
            if let Some(differs) = shared.and_then(|(from, old, new)| difference_of(from, old, new)) {
                let so_far = found.unwrap_or(differs.clone());
                found = Some(so_far.start.min(differs.start)..so_far.end.max(differs.end));
            }
            position = record.before;
        }
        found
    }

    /// The record at a position, while it is there.
    fn record(&self, position: u64) -> Option<Record<'_>> {
        if position == 0 || self.written - position > RING_BYTES as u64 {
            return None;
        }
        let record = self.ring.get((position % RING_BYTES as u64) as usize..)?;
        let number = |range| record.get(range).and_then(|bytes: &[u8]| bytes.try_into().ok());
        let length = u32::from_le_bytes(record.get(16..HEADER)?.try_into().ok()?) as usize;
        Some(Record {
            before: u64::from_le_bytes(number(0..8)?),
            offset: i64::from_le_bytes(number(8..16)?),
            bytes: record.get(HEADER..HEADER + length)?,
        })
    }
}

struct Record<'r> {
    before: u64,
    offset: i64,
    bytes: &'r [u8],
}

/// What two stretches share: where it begins, and the bytes of each.
pub(super) fn overlapping<'b>(
    (first, old): (i64, &'b [u8]),
    (second, new): (i64, &'b [u8]),
) -> Option<(i64, &'b [u8], &'b [u8])> {
    let from = first.max(second);
    let to = (first + old.len() as i64).min(second + new.len() as i64);
    let part = |start: i64, bytes: &'b [u8]| bytes.get(usize::try_from(from - start).ok()?..(to - start) as usize);
    if from < to { Some((from, part(first, old)?, part(second, new)?)) } else { None }
}

/// From the first byte that differs to the last, for two stretches of equal length that begin at `from`.
pub(super) fn difference_of(from: i64, old: &[u8], new: &[u8]) -> Option<Range<i64>> {
    if old == new {
        return None;
    }
    let differ = |(old, new): (&u8, &u8)| old != new;
    let first = old.iter().zip(new).position(differ)?;
    let last = old.iter().zip(new).rposition(differ)?;
    Some(from + first as i64..from + last as i64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_however_it_is_cut() {
        let mut recent = Recent::default();
        let mut trace = Trace::default();
        recent.note(&mut trace, 0, Some(0), b"GET /a");
        recent.note(&mut trace, 6, Some(0), b"bc HTTP");
        assert_eq!(recent.difference(&trace, 0, b"GET /abc HTTP/1.1"), None);
        assert_eq!(recent.difference(&trace, 4, b"/abx"), Some(7..8));
        assert_eq!(recent.difference(&trace, 3, b"_/aXc"), Some(3..7));
        assert_eq!(recent.difference(&trace, 13, b"what comes next"), None);
    }

    #[test]
    fn of_each_turn_the_first_bytes_are_kept() {
        let mut recent = Recent::default();
        let mut trace = Trace::default();
        let long = [b'x'; 3000];
        recent.note(&mut trace, 0, Some(0), &long);
        recent.note(&mut trace, 3000, Some(0), &long);
        assert_eq!(recent.difference(&trace, 1023, b"yyy"), Some(1023..1024));
        assert_eq!(recent.difference(&trace, 3000, b"yyy"), None);
        recent.note(&mut trace, 6000, Some(9), &long);
        assert_eq!(recent.difference(&trace, 6000, b"yyy"), Some(6000..6003));
    }

    #[test]
    fn what_the_ring_has_lost_is_not_compared() {
        let mut recent = Recent::default();
        let mut traces = [Trace::default(); 3];
        for round in 0..500 {
            for (nth, trace) in traces.iter_mut().enumerate() {
                recent.note(trace, round * 100, Some(round), &[nth as u8; 100]);
            }
        }
        for (nth, trace) in traces.iter().enumerate() {
            assert_eq!(recent.difference(trace, 49_900, &[nth as u8; 100]), None);
            assert_eq!(recent.difference(trace, 49_900, &[9; 100]), Some(49_900..50_000));
            assert_eq!(recent.difference(trace, 0, &[9; 100]), None);
        }
        let records = (0..500).filter(|round| recent.difference(&traces[0], round * 100, &[9; 100]).is_some());
        assert_eq!(records.count(), RING_BYTES / 3 / (HEADER + 100));
    }
}
