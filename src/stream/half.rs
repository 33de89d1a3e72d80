//! One direction of a flow: where its stream stands, and the pieces that wait for their turn.

use super::event::StreamCounters;
use super::overlap::OverlapPolicy;
use super::recent::{Trace, difference_of, overlapping};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a held segment costs beside its bytes (map node, vector, times).
const HELD_OVERHEAD: usize = 144;
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
    /// It lies behind what the receiver was seen to take.
    pub is_early: bool,
    /// The segment that it came in; it may be a part of one.
    pub segment: Range<i64>,
    /// From the first of its bytes to the last that another copy had differently.
    pub disputed: Option<Range<i64>>,
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
    /// Up to where bytes have come without a hole, as far as that was looked at; some may be held yet.
    in_order: i64,
    /// Where its latest bytes are remembered.
    pub trace: Trace,
    /// Offset that the peer's first acknowledgement asked for.
    pub implied_from: i64,
    /// How far the peer has acknowledged.
    pub acknowledged: i64,
    /// Offset of the FIN.
    pub fin: Option<i64>,
    pub ended: bool,
    /// By offset; pieces do not overlap.
    pub held: BTreeMap<i64, Held>,
    pub held_cost: usize,
    /// Whether any of them may be early.
    has_early: bool,
    /// The initial sequence number, where the SYN was seen.
    pub initial: Option<u32>,
    /// By how many bits its windows are shifted, where its SYN said so.
    pub scale: Option<u8>,
    /// Up to where the peer takes its bytes, as far as the peer was heard; unknown where a SYN was not seen.
    pub edge: Option<i64>,
    /// Offset of the byte that urgent data end with.
    pub urgent: Option<i64>,
}

impl Half {
    pub fn new() -> Half {
        Half {
            sight: Sight::Unseen,
            base: 0,
            next: 0,
            in_order: 0,
            trace: Trace::default(),
            implied_from: 0,
            acknowledged: 0,
            fin: None,
            ended: false,
            held: BTreeMap::new(),
            held_cost: 0,
            has_early: false,
            initial: None,
            scale: None,
            edge: None,
            urgent: None,
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
        let offset = self.offset_of(sequence);
        if self.sight == Sight::Implied && (self.implied_from..=self.next).contains(&offset) {
            self.next = offset; // what the peer acknowledged meanwhile is still to come
        } else if self.sight == Sight::Unseen || offset != self.next {
            self.imply(sequence);
        }
        self.sight = Sight::Seen;
    }

    /// The peer's answer to a SYN, before anything came: the stream begins at `sequence`.
    pub fn accepted_at(&mut self, sequence: u32) {
        let initial = sequence.wrapping_sub(1);
        if self.initial.is_some_and(|known| known != initial) && self.next == 0 && self.held.is_empty() {
            self.imply(sequence);
            (self.sight, self.initial) = (Sight::Seen, Some(initial));
        }
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

    /// Whether bytes at an offset lie behind what the peer takes (RFC 9293 §3.10.7.4), by so much at least.
    pub fn is_beyond(&self, offset: i64, by: i64) -> bool {
        offset > self.next && self.edge.is_some_and(|edge| offset >= edge + by)
    }

    /// Lets go of what came too early to be taken, where it overlaps a range. How many pieces that were.
    pub fn drop_early(&mut self, range: Range<i64>, partition_held: &mut usize) -> u64 {
        if !self.has_early {
            return 0;
        }
        let before = self.held.len();
        let (mut cost, mut is_left) = (0, false);
        self.held.retain(|offset, piece| {
            let is_dropped = piece.is_early && *offset < range.end && offset + piece.bytes.len() as i64 > range.start;
            cost += if is_dropped { piece.cost() } else { 0 };
            is_left |= piece.is_early && !is_dropped;
            !is_dropped
        });
        self.has_early = is_left;
        self.held_cost -= cost;
        *partition_held -= cost;
        (before - self.held.len()) as u64
    }

    /// Keeps the parts of `bytes` that no held piece covers yet. Where one does, the first copy wins unless the policy
    /// says otherwise and the receiver may still have the choice.
    pub fn hold(
        &mut self,
        offset: i64,
        bytes: &[u8],
        like: Held,
        policy: OverlapPolicy,
        counters: &mut StreamCounters,
        partition_held: &mut usize,
    ) {
        let end = offset + bytes.len() as i64;
        if !like.is_early && self.has_early {
            counters.out_of_window += self.drop_early(offset..end, partition_held);
        }
        self.has_early |= like.is_early;
        let received = self.received();
        let mut at = offset;
        let mut fresh: Vec<(i64, i64)> = Vec::new();
        let first = self.held.range(..=offset).next_back().map_or(offset, |(start, _)| *start);
        for (start, piece) in self.held.range_mut(first..end.max(first)) {
            let piece_end = start + piece.bytes.len() as i64;
            if piece_end <= at {
                continue;
            }
            if *start > at {
                fresh.push((at, *start));
            }
            let shared = overlapping((*start, &piece.bytes), (offset, bytes));
            if let Some(differs) = shared.and_then(|(from, old, new)| difference_of(from, old, new)) {
                counters.overlap_conflicts += 1;
                if policy.prefers_later(&piece.segment, &like.segment) {
                    let (from, to) = (differs.start.max(received), differs.end.max(received));
                    let (old, new) = ((from - start) as usize.., (from - offset) as usize..(to - offset) as usize);
                    if let (Some(old), Some(new)) = (piece.bytes.get_mut(old), bytes.get(new)) {
                        old[..new.len()].copy_from_slice(new); // both overlap up to `differs.end` at least
                    }
                }
                let so_far = piece.disputed.take().unwrap_or(differs.clone());
                piece.disputed = Some(so_far.start.min(differs.start)..so_far.end.max(differs.end));
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
                segment: like.segment.clone(),
                disputed: None,
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

    /// Up to where the receiver has the bytes: what came without a hole, or was acknowledged. It does not take another
    /// copy of those.
    fn received(&mut self) -> i64 {
        self.in_order = self.in_order.max(self.next);
        while let Some((start, piece)) = self.held.range(..=self.in_order).next_back() {
            let end = start + piece.bytes.len() as i64 + i64::from(piece.cut);
            if end <= self.in_order {
                break;
            }
            self.in_order = end;
        }
        self.in_order.max(self.acknowledged)
    }
}
