//! TCP reassembly of one flow: segments of both directions in; in-order bytes, gaps and ends out.
//!
//! In-order payload is handed on as a borrowed slice, without a copy. Payload that cannot be handed on yet is held, up
//! to [`StreamLimits::held_bytes`] a direction. Two things make payload wait:
//!
//! - a **hole** before it: bytes of the same direction that have not come;
//! - **causality**: it acknowledges bytes of the other direction that have not been handed on. A mirror may deliver a
//!   response before its request; held back this way, both directions always come out in an order in which they can
//!   have happened, and what is built on top need not care about disorder.
//!
//! A hole is declared a gap when the bound is reached, when the peer has acknowledged its bytes (so they did arrive,
//! only not here) and a grace has passed, or when the flow ends; the wait for the other direction ends likewise, without
//! a gap: only bytes behind a hole prove it.
//!
//! Where segments overlap, [`Overlaps`] says whose bytes count behind a hole; bytes that were handed on are handed on. A
//! copy that differs is counted and told ([`Event::Conflict`]): from a held one always, from one that was handed on
//! as far as `Recent` remembers it.
//!
//! Timestamps (PAWS, RFC 7323 §5) are not looked at. A receiver drops what is older than what it has seen, but it sees
//! segments in the order in which they reached it; here two mirrors or two queues of a card may have changed the order,
//! and what looks old may be what the receiver took. Sequence numbers within 2^30 are told apart without them.

mod wait;

use super::event::{Chunk, Event, StreamCounters, StreamLimits};
use super::half::{Half, Held, Sight};
use super::overlap::Overlaps;
use super::recent::Recent;
use crate::packet::{Direction, FlowKey, Segment, TcpFlags};
use crate::time::Timestamp;
use std::ops::Range;

/// A sequence number further from the expected one than this belongs to another connection or to an attacker.
const MAX_DISTANCE: i64 = 1 << 30;
/// How far behind what the receiver takes bytes are kept for a moment: its word for more may have been captured later.
const EARLY_DISTANCE: i64 = 64 << 10;
/// A RST is believed within this distance of the expected sequence number (the largest common receive window).
const RESET_DISTANCE: i64 = 4 << 20;

/// Both directions of one flow.
pub struct Conversation {
    halves: [Half; 2],
    /// Up to which acknowledged offset each direction is not held back any more, though the other direction's bytes
    /// have not come: their grace is over.
    waived: [i64; 2],
    /// Who sent a reset, at which offset, and when.
    reset: Option<(Direction, i64, Timestamp)>,
    /// A SYN that would open another connection, until the peer accepts it.
    reopening: Option<(Direction, u32)>,
}

/// Who gets the events, and what is counted and shared between the flows of a partition.
pub struct Context<'c, F> {
    pub limits: &'c StreamLimits,
    pub counters: &'c mut StreamCounters,
    /// What the flows of the partition hold together, [`StreamLimits::partition_held_bytes`] at most.
    pub partition_held: &'c mut usize,
    pub recent: &'c mut Recent,
    pub overlaps: &'c Overlaps,
    pub flow: &'c FlowKey,
    pub deliver: F,
}

impl Default for Conversation {
    fn default() -> Self {
        Conversation::new()
    }
}

impl Conversation {
    pub fn new() -> Conversation {
        Conversation { halves: [Half::new(), Half::new()], waived: [i64::MIN; 2], reset: None, reopening: None }
    }

    /// True once both directions have ended, or a reset was seen. A reset alone does not end the conversation: it may
    /// be forged, and then its supposed sender goes on (RFC 5961 §3); it is ended when nothing follows.
    pub fn is_over(&self) -> bool {
        self.reset.is_some() || self.has_ended()
    }

    /// True once there is nothing left to hand on.
    pub fn has_ended(&self) -> bool {
        self.halves.iter().all(|half| half.ended)
    }

    /// True when the ports are being reused: a SYN with another initial sequence number came when this conversation
    /// was over, or the peer accepted it, or the peer is not in the capture at all. One that nobody accepts is forged
    /// or stray (RFC 5961 §4). One with the same number is a copy, unless it `is_late`: a capture that is played in a loop.
    pub fn is_reopened_by(&mut self, segment: &Segment<'_>, is_late: bool) -> bool {
        let is_answer = segment.flags.has(TcpFlags::ACK);
        let opened_by = (segment.direction.other(), segment.acknowledgement.wrapping_sub(1));
        if is_answer && self.reopening == Some(opened_by) {
            return true;
        }
        let half = &self.halves[segment.direction as usize];
        let is_known = half.initial == Some(segment.sequence) || half.offset_of(segment.sequence.wrapping_add(1)) == 0;
        let is_other = segment.flags.has(TcpFlags::SYN) && half.sight == Sight::Seen && (!is_known || is_late);
        if !is_other {
            return false;
        }
        if !is_answer {
            self.reopening = Some((segment.direction, segment.sequence));
        }
        let is_one_sided = self.halves[segment.direction.other() as usize].sight != Sight::Seen;
        is_one_sided || self.is_over()
    }

    /// True when the sender of an end goes on behind it: the peer did not take that end, be it that it was forged or that it
    /// never arrived, and what follows begins a conversation anew.
    pub fn goes_on_behind_its_end(&self, segment: &Segment<'_>) -> bool {
        let half = &self.halves[segment.direction as usize];
        let Some(fin) = half.fin.filter(|_| half.ended && !self.is_over() && !segment.flags.has(TcpFlags::RST)) else {
            return false;
        };
        // A keep-alive probe has one byte, in the place of the end.
        let length = segment.payload.len() as i64 + i64::from(segment.cut);
        let behind = half.offset_of(segment.sequence) + length - fin;
        length > 1 && (1..=RESET_DISTANCE).contains(&behind)
    }

    /// Takes in one segment.
    pub fn segment<F: FnMut(Direction, Event<'_>)>(&mut self, segment: &Segment<'_>, context: &mut Context<'_, F>) {
        let direction = segment.direction;
        let mut sequence = segment.sequence;
        if segment.flags.has(TcpFlags::SYN) {
            let half = &mut self.halves[direction as usize];
            sequence = sequence.wrapping_add(1);
            match half.sight {
                Sight::Seen if half.offset_of(sequence) != 0 => {
                    context.counters.out_of_window += 1;
                    return; // of another connection, which nobody has accepted yet
                }
                Sight::Seen => {}
                _ => half.opened_at(sequence),
            }
            if half.initial.is_none() {
                half.initial = Some(segment.sequence);
                half.scale = segment.control.scale;
            }
            if segment.flags.has(TcpFlags::ACK) {
                // Of several SYNs the answer says which one counts.
                self.halves[direction.other() as usize].accepted_at(segment.acknowledgement);
            }
        }
        let acknowledged = self.note_acknowledgement(segment);
        let half = &mut self.halves[direction as usize];
        if segment.flags.has(TcpFlags::RST) {
            let offset = half.offset_of(sequence);
            let is_near = (offset - half.next).abs() <= RESET_DISTANCE && !half.is_beyond(offset, 1);
            if half.sight != Sight::Seen || is_near {
                self.reset = Some((direction, offset, segment.time));
            } else {
                context.counters.out_of_window += 1;
            }
            return;
        }
        let has_payload = !segment.payload.is_empty() || segment.cut > 0;
        let has_fin = segment.flags.has(TcpFlags::FIN);
        if has_payload || has_fin {
            if half.sight != Sight::Seen {
                let unseen = half.first_seen(sequence);
                if unseen > 0 {
                    context.counters.gaps += 1;
                    context.counters.gap_bytes += unseen;
                    let gap = Event::Gap { offset: half.next - unseen as i64, length: unseen, time: segment.time };
                    (context.deliver)(direction, gap);
                }
            }
            let offset = half.offset_of(sequence);
            if (offset - half.next).abs() > MAX_DISTANCE {
                context.counters.out_of_window += 1;
                return;
            }
            if half.is_beyond(offset, EARLY_DISTANCE) {
                context.counters.out_of_window += 1;
                return;
            }
            if segment.control.urgent > 0 {
                half.urgent = Some(offset + i64::from(segment.control.urgent) - 1);
            }
            let has_fin = has_fin && !half.is_beyond(offset, 0);
            let end = offset + segment.payload.len() as i64 + i64::from(segment.cut);
            if has_fin && half.fin.is_none() && end >= half.next {
                half.fin = Some(end);
            }
            // Who resets a connection sends nothing more, and soon the other neither.
            self.reset = self.reset.filter(|(who, at, when)| {
                let is_contradicted = *who == direction && end > *at;
                !is_contradicted && (!has_payload || segment.time.since(*when) < context.limits.acknowledged_grace)
            });
            if has_payload {
                self.payload(segment, offset, end, acknowledged, context);
            }
            self.end_reached(direction, segment.time, context);
        }
        if self.halves.iter().any(|half| half.held_cost > 0) {
            self.expire(segment.time, context);
        }
    }

    /// The flow is over: what is held comes out with its gaps, then both ends.
    pub fn finish<F: FnMut(Direction, Event<'_>)>(&mut self, now: Timestamp, context: &mut Context<'_, F>) {
        self.end_waits(now, context);
        for direction in [Direction::FromLow, Direction::FromHigh] {
            let half = &mut self.halves[direction as usize];
            if half.ended {
                continue;
            }
            // One missing byte at the end of what was acknowledged is the FIN's own sequence number.
            let missing = half.acknowledged.min(half.fin.unwrap_or(i64::MAX)) - half.next;
            if half.sight == Sight::Seen && missing > 1 && missing < MAX_DISTANCE {
                context.counters.gaps += 1;
                context.counters.gap_bytes += missing as u64;
                let offset = half.next;
                half.next += missing;
                (context.deliver)(direction, Event::Gap { offset, length: missing as u64, time: now });
            }
            self.halves[direction as usize].ended = true;
            (context.deliver)(direction, Event::End { time: now, reset: self.reset.is_some() });
        }
    }

    /// The initial sequence numbers, where they were seen.
    pub fn initial(&self) -> [Option<u32>; 2] {
        [self.halves[0].initial, self.halves[1].initial]
    }

    /// Bytes held, for the partition's account when the conversation is dropped.
    pub fn held_cost(&self) -> usize {
        self.halves.iter().map(|half| half.held_cost).sum()
    }

    fn note_acknowledgement(&mut self, segment: &Segment<'_>) -> Option<i64> {
        if !segment.flags.has(TcpFlags::ACK) || segment.flags.has(TcpFlags::RST) {
            return None;
        }
        let takes = self.window_of(segment);
        let peer = &mut self.halves[segment.direction.other() as usize];
        if peer.sight == Sight::Unseen {
            peer.imply(segment.acknowledgement);
        }
        let offset = peer.offset_of(segment.acknowledgement);
        if (offset - peer.next).abs() > MAX_DISTANCE {
            return None;
        }
        peer.acknowledged = peer.acknowledged.max(offset);
        peer.edge = peer.edge.max(takes.map(|takes| offset + takes));
        if peer.sight == Sight::Implied && offset > peer.next {
            peer.next = offset; // nothing of it was seen: keep the place up to date
        }
        Some(offset)
    }

    /// How much a segment's sender takes behind what it acknowledges (RFC 7323 §2.2), where both SYNs were seen.
    fn window_of(&self, segment: &Segment<'_>) -> Option<i64> {
        let [mine, other] = [segment.direction, segment.direction.other()].map(|one| &self.halves[one as usize]);
        mine.initial.and(other.initial)?;
        let is_scaled = other.scale.is_some() && !segment.flags.has(TcpFlags::SYN);
        Some(i64::from(segment.control.window) << if is_scaled { mine.scale.unwrap_or(0) } else { 0 })
    }

    /// True when everything that was acknowledged with a chunk of `direction` has been handed on.
    fn is_causal(&self, direction: Direction, acknowledged: Option<i64>) -> bool {
        let peer = &self.halves[direction.other() as usize];
        let Some(offset) = acknowledged.filter(|offset| *offset > self.waived[direction as usize]) else { return true };
        match peer.sight {
            Sight::Seen => peer.next >= offset.min(peer.last_byte()),
            // Two cards, one of which is handed over first: the peer's bytes are still to come, all of them.
            Sight::Implied if self.halves[direction as usize].initial.is_some() => offset <= peer.implied_from,
            Sight::Implied | Sight::Unseen => true,
        }
    }

    fn payload<F: FnMut(Direction, Event<'_>)>(
        &mut self,
        segment: &Segment<'_>,
        offset: i64,
        end: i64,
        acknowledged: Option<i64>,
        context: &mut Context<'_, F>,
    ) {
        let causal = self.is_causal(segment.direction, acknowledged);
        let half = &mut self.halves[segment.direction as usize];
        if offset < half.next {
            compare_with_handed_on(half, segment, offset, context);
        }
        if end <= half.next || half.ended {
            context.counters.retransmitted_segments += 1;
            return;
        }
        let overlap = (half.next - offset).max(0) as usize;
        let fresh = segment.payload.get(overlap..).unwrap_or(&[]);
        let begin = offset.max(half.next);
        if begin == half.next && causal && half.held.first_key_value().is_none_or(|(held, _)| *held >= end) {
            let chunk = Chunk { offset: begin, acknowledged, time: segment.time, bytes: fresh };
            half.next = end;
            hand_on(half, segment.direction, chunk, end, context);
        } else {
            context.counters.out_of_order_segments += 1;
            let piece = Held {
                bytes: Vec::new(),
                cut: segment.cut,
                acknowledged,
                time: segment.time,
                is_early: half.is_beyond(offset, 0),
                segment: offset..offset + segment.payload.len() as i64,
                disputed: None,
            };
            let policy = context.overlaps.policy(context.flow, segment.direction);
            half.hold(begin, fresh, piece, policy, context.counters, context.partition_held);
        }
        if self.halves.iter().any(|half| half.held_cost > 0) {
            self.drain(context);
        }
        self.end_reached(segment.direction.other(), segment.time, context);
    }

    /// Hands on all that is held and can go.
    fn drain<F: FnMut(Direction, Event<'_>)>(&mut self, context: &mut Context<'_, F>) {
        let mut quiet = 0;
        let mut direction = Direction::FromLow;
        while quiet < 2 {
            quiet += 1;
            while let Some((chunk_offset, piece)) = self.ready(direction, context.partition_held) {
                let half = &mut self.halves[direction as usize];
                let end = chunk_offset + piece.bytes.len() as i64 + i64::from(piece.cut);
                let skip = (half.next - chunk_offset).max(0);
                if end > half.next {
                    let bytes = piece.bytes.get(skip as usize..).unwrap_or(&[]);
                    let chunk = Chunk {
                        offset: chunk_offset + skip,
                        acknowledged: piece.acknowledged,
                        time: piece.time,
                        bytes,
                    };
                    half.next = end;
                    if let Some(disputed) = piece.disputed {
                        tell_conflict(direction, disputed, context);
                    }
                    hand_on(half, direction, chunk, end, context);
                    self.end_reached(direction, piece.time, context);
                }
                quiet = 0;
            }
            direction = direction.other();
        }
    }

    /// The first held piece of a direction, taken out, if nothing keeps it waiting.
    fn ready(&mut self, direction: Direction, partition_held: &mut usize) -> Option<(i64, Held)> {
        let half = &self.halves[direction as usize];
        let (offset, piece) = half.held.first_key_value()?;
        if *offset > half.next || !self.is_causal(direction, piece.acknowledged) {
            return None;
        }
        self.halves[direction as usize].pop(partition_held)
    }

    fn end_reached<F: FnMut(Direction, Event<'_>)>(
        &mut self,
        direction: Direction,
        time: Timestamp,
        context: &mut Context<'_, F>,
    ) {
        let half = &mut self.halves[direction as usize];
        if !half.ended && half.fin.is_some_and(|fin| half.next >= fin) {
            half.end(context.partition_held);
            (context.deliver)(direction, Event::End { time, reset: false });
        }
    }
}

/// What comes again is compared with what was handed on. One byte before the next is a keep-alive probe, which may hold
/// anything (RFC 9293 §3.8.4).
#[cold]
fn compare_with_handed_on<F: FnMut(Direction, Event<'_>)>(
    half: &Half,
    segment: &Segment<'_>,
    offset: i64,
    context: &mut Context<'_, F>,
) {
    if segment.payload.len() == 1 && offset + 1 == half.next {
        return;
    }
    if let Some(disputed) = context.recent.difference(&half.trace, offset, segment.payload) {
        context.counters.overlap_conflicts += 1;
        tell_conflict(segment.direction, disputed, context);
    }
}

fn tell_conflict<F: FnMut(Direction, Event<'_>)>(
    direction: Direction,
    disputed: Range<i64>,
    context: &mut Context<'_, F>,
) {
    let length = (disputed.end - disputed.start) as u64;
    (context.deliver)(direction, Event::Conflict { offset: disputed.start, length });
}

/// Hands on a chunk, and the gap that a snap length made behind it.
fn hand_on<F: FnMut(Direction, Event<'_>)>(
    half: &mut Half,
    direction: Direction,
    chunk: Chunk<'_>,
    end: i64,
    context: &mut Context<'_, F>,
) {
    let behind = chunk.offset + chunk.bytes.len() as i64;
    let time = chunk.time;
    if !chunk.bytes.is_empty() {
        context.counters.bytes += chunk.bytes.len() as u64;
        context.recent.note(&mut half.trace, chunk.offset, chunk.acknowledged, chunk.bytes);
        match half.urgent.filter(|urgent| (chunk.offset..behind).contains(urgent)) {
            None => (context.deliver)(direction, Event::Data(chunk)),
            Some(urgent) => {
                half.urgent = None;
                hand_on_without(urgent, direction, chunk, context);
            }
        }
    }
    if end > behind {
        context.counters.gaps += 1;
        context.counters.gap_bytes += (end - behind) as u64;
        (context.deliver)(direction, Event::Gap { offset: behind, length: (end - behind) as u64, time });
    }
}

/// Hands on a chunk without its urgent byte, which receivers read apart unless they ask for it in line (RFC 6093 §2).
#[cold]
fn hand_on_without<F: FnMut(Direction, Event<'_>)>(
    urgent: i64,
    direction: Direction,
    chunk: Chunk<'_>,
    context: &mut Context<'_, F>,
) {
    context.counters.urgent_bytes += 1;
    tell_conflict(direction, urgent..urgent + 1, context);
    let (before, rest) = chunk.bytes.split_at((urgent - chunk.offset) as usize); // it lies within
    for (offset, bytes) in [(chunk.offset, before), (urgent + 1, &rest[1..])] {
        if !bytes.is_empty() {
            (context.deliver)(direction, Event::Data(Chunk { offset, bytes, ..chunk }));
        }
    }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
