//! One direction of a flow: where its stream stands, and the pieces that wait for their turn.

use super::conversation::StreamCounters;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What a held segment costs beside its bytes (map node, vector, times).
const HELD_OVERHEAD: usize = 96;
/// How far the first segment of a direction may lie from where the peer's acknowledgements say it should be (16 MiB:
/// the largest receive window that hosts commonly offer). Further off, the acknowledgements were no guide.
const MAX_IMPLIED_DISTANCE: i64 = 16 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    /// Nothing is known of this direction.
    Unseen,
    /// The peer's acknowledgements say where it is; none of its own segments were seen.
    Implied,
    /// Its own segments were seen.
    Seen,
}

/// A piece that cannot be handed on yet.
pub(super) struct Held {
    pub bytes: Vec<u8>,
    /// Bytes behind `bytes` that the capture cut off.
    pub cut: u32,
    pub acknowledged: Option<i64>,
    pub time: Timestamp,
}

impl Held {
    pub fn cost(&self) -> usize {
        self.bytes.len() + HELD_OVERHEAD
    }
}

/// One direction.
pub(super) struct Half {
    pub sight: Sight,
    /// The sequence number of offset 0.
    base: u32,
    /// Offset of the next byte to hand on.
    pub next: i64,
    /// Offset that the peer's first acknowledgement asked for.
    implied_from: i64,
    /// How far the peer has acknowledged.
    pub acknowledged: i64,
    /// Offset of the FIN.
    pub fin: Option<i64>,
    pub ended: bool,
    /// By offset; pieces do not overlap.
    pub held: BTreeMap<i64, Held>,
    pub held_cost: usize,
    /// The initial sequence number, where the SYN was seen.
    pub initial: Option<u32>,
}

impl Half {
    pub fn new() -> Half {
        Half {
            sight: Sight::Unseen,
            base: 0,
            next: 0,
            implied_from: 0,
            acknowledged: 0,
            fin: None,
            ended: false,
            held: BTreeMap::new(),
            held_cost: 0,
            initial: None,
        }
    }

    pub fn offset_of(&self, sequence: u32) -> i64 {
        let expected = self.base.wrapping_add(self.next as u32);
        self.next + i64::from(sequence.wrapping_sub(expected) as i32)
    }

    /// The peer acknowledges up to `sequence`, and nothing else is known yet.
    pub fn imply(&mut self, sequence: u32) {
        self.base = sequence.wrapping_sub(self.next as u32);
        self.sight = Sight::Implied;
    }

    /// The first segment of its own begins at `sequence`. What the peer's acknowledgements said of the place stays
    /// true: bytes between are a hole, and offsets that others remember keep their meaning. Gives how many bytes the
    /// peer has acknowledged meanwhile that were not seen.
    pub fn first_seen(&mut self, sequence: u32) -> u64 {
        let offset = self.offset_of(sequence);
        if self.sight == Sight::Unseen || (offset - self.next).abs() > MAX_IMPLIED_DISTANCE {
            self.base = sequence.wrapping_sub(self.next as u32);
            self.acknowledged = self.acknowledged.min(self.next);
            self.implied_from = self.next;
        } else {
            self.next = self.next.min(offset);
        }
        let unseen = if self.sight == Sight::Implied { self.next - self.implied_from } else { 0 };
        self.sight = Sight::Seen;
        unseen.max(0) as u64
    }

    /// A SYN says that the stream begins at `sequence`.
    pub fn opened_at(&mut self, sequence: u32) {
        if self.sight == Sight::Unseen || self.offset_of(sequence) != self.next {
            self.imply(sequence);
        }
        self.sight = Sight::Seen;
    }

    /// The stream has ended: what is held beyond its end was never part of it.
    pub fn end(&mut self, partition_held: &mut usize) {
        self.ended = true;
        *partition_held -= self.held_cost;
        self.held_cost = 0;
        self.held.clear();
    }

    /// Where the stream ends, as far as is known.
    pub fn last_byte(&self) -> i64 {
        self.fin.unwrap_or(i64::MAX)
    }

    /// Takes out the first held piece.
    pub fn pop(&mut self, partition_held: &mut usize) -> Option<(i64, Held)> {
        let (offset, piece) = self.held.pop_first()?;
        self.held_cost -= piece.cost();
        *partition_held -= piece.cost();
        Some((offset, piece))
    }

    /// Keeps the parts of `bytes` that no held piece covers yet: the first copy wins.
    pub fn hold(
        &mut self,
        offset: i64,
        bytes: &[u8],
        like: Held,
        counters: &mut StreamCounters,
        partition_held: &mut usize,
    ) {
        let end = offset + bytes.len() as i64;
        let mut at = offset;
        let mut fresh: Vec<(i64, i64)> = Vec::new();
        let first = self.held.range(..=offset).next_back().map_or(offset, |(start, _)| *start);
        for (start, piece) in self.held.range(first..end.max(first)) {
            let piece_end = start + piece.bytes.len() as i64;
            if piece_end <= at {
                continue;
            }
            if *start > at {
                fresh.push((at, *start));
            }
            let (from, to) = ((*start).max(offset), piece_end.min(end));
            let held = piece.bytes.iter().skip((from - start) as usize).take((to - from).max(0) as usize);
            if held.ne(bytes.iter().skip((from - offset) as usize).take((to - from).max(0) as usize)) {
                counters.overlap_conflicts += 1;
            }
            at = at.max(piece_end);
        }
        let is_only_cut = bytes.is_empty() && at == offset && !self.held.contains_key(&offset);
        if at < end || is_only_cut {
            fresh.push((at, end));
        }
        let last = fresh.len();
        for (index, (from, to)) in fresh.into_iter().enumerate() {
            let piece = Held {
                bytes: bytes[(from - offset) as usize..(to - offset) as usize].to_vec(), // within offset..end
                cut: if index + 1 == last && to == end { like.cut } else { 0 },
                ..like
            };
            self.held_cost += piece.cost();
            *partition_held += piece.cost();
            if let Some(replaced) = self.held.insert(from, piece) {
                self.held_cost -= replaced.cost();
                *partition_held -= replaced.cost();
            }
        }
    }
}
