//! What is held and waits: for the bytes before it, for those that it acknowledges, or for its receiver's word that it takes them.
//!
//! In go the time and the limits; out come the gaps of the waits that end, and what waited behind them.

use super::{Context, Conversation};
use crate::packet::Direction;
use crate::stream::event::{Event, StreamLimits};
use crate::stream::half::Sight;
use crate::time::Timestamp;

/// A held piece that cannot be handed on yet.
struct Wait {
    direction: Direction,
    since: Timestamp,
    reason: Reason,
}

enum Reason {
    /// Bytes before it, up to `end`, have not come.
    Hole { end: i64 },
    /// It lies behind what its receiver takes.
    Early,
    /// It acknowledges bytes of the other direction that have not come.
    Causality { acknowledged: i64 },
}

impl Conversation {
    /// Time passed: what waited longer than its grace waits no more. Call it now and then when no segments come.
    pub fn expire<F: FnMut(Direction, Event<'_>)>(&mut self, now: Timestamp, context: &mut Context<'_, F>) {
        loop {
            let over_limit = self.halves.iter().any(|half| half.held_cost > context.limits.held_bytes)
                || *context.partition_held > context.limits.partition_held_bytes;
            if over_limit && self.drop_early(context) {
                continue;
            }
            let is_due = |wait: &Wait| over_limit || self.grace_is_over(wait, now, context.limits);
            let Some(wait) = self.waits().filter(is_due).min_by_key(|wait| (wait.since, wait.direction as u8)) else {
                return;
            };
            context.counters.gaps_at_limit += u64::from(over_limit && matches!(wait.reason, Reason::Hole { .. }));
            self.end_wait(&wait, now, context);
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn end_waits<F: FnMut(Direction, Event<'_>)>(&mut self, now: Timestamp, context: &mut Context<'_, F>) {
        self.drop_early(context);
        while let Some(wait) = self.waits().min_by_key(|wait| (wait.since, wait.direction as u8)) {
            self.end_wait(&wait, now, context);
        }
    }

    /// Lets go of all that came too early to be taken. True when there was any.
    fn drop_early<F>(&mut self, context: &mut Context<'_, F>) -> bool {
        let all = i64::MIN..i64::MAX;
        let dropped: u64 =
            self.halves.iter_mut().map(|half| half.drop_early(all.clone(), context.partition_held)).sum();
        context.counters.out_of_window += dropped;
        dropped > 0
    }

    /// Why the first held piece of each direction still waits.
    fn waits(&self) -> impl Iterator<Item = Wait> + '_ {
        [Direction::FromLow, Direction::FromHigh].into_iter().filter_map(|direction| {
            let half = &self.halves[direction as usize];
            let (offset, piece) = half.held.first_key_value()?;
            let reason = if piece.is_early && *offset > half.next && *offset > half.acknowledged {
                Reason::Early
            } else if *offset > half.next {
                Reason::Hole { end: *offset }
            } else {
                Reason::Causality { acknowledged: piece.acknowledged? }
            };
            Some(Wait { direction, since: piece.time, reason })
        })
    }

    fn grace_is_over(&self, wait: &Wait, now: Timestamp, limits: &StreamLimits) -> bool {
        let waited = now.since(wait.since);
        match wait.reason {
            Reason::Hole { end } if end <= self.halves[wait.direction as usize].acknowledged => {
                waited > limits.acknowledged_grace
            }
            Reason::Hole { .. } => {
                let peer = &self.halves[wait.direction.other() as usize];
                let is_one_sided = peer.sight != Sight::Seen;
                waited > if is_one_sided { limits.one_sided_grace } else { limits.unacknowledged_grace }
            }
            Reason::Causality { .. } | Reason::Early => waited > limits.acknowledged_grace,
        }
    }

    /// Stops waiting: a hole becomes a gap, an acknowledgement of bytes that did not come is passed over.
    fn end_wait<F: FnMut(Direction, Event<'_>)>(&mut self, wait: &Wait, now: Timestamp, context: &mut Context<'_, F>) {
        match wait.reason {
            Reason::Causality { acknowledged } => {
                let is_seen = self.halves[wait.direction.other() as usize].sight == Sight::Seen;
                // Where the other direction is not in the capture at all, that is not waited for again.
                self.waived[wait.direction as usize] = if is_seen { acknowledged } else { i64::MAX };
            }
            Reason::Early => {
                self.halves[wait.direction as usize].pop(context.partition_held);
                context.counters.out_of_window += 1;
            }
            Reason::Hole { end } => {
                let half = &mut self.halves[wait.direction as usize];
                let (offset, length) = (half.next, (end - half.next) as u64);
                half.next = end;
                context.counters.gaps += 1;
                context.counters.gap_bytes += length;
                (context.deliver)(wait.direction, Event::Gap { offset, length, time: now });
                self.end_reached(wait.direction, now, context);
            }
        }
        self.drain(context);
    }
}
