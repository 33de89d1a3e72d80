//! What the connections of a partition share: limits, counters, decoders, the observer, and room for what waits.

use super::decode::DecoderPool;
use super::http2::Scratch;
use super::{HttpCounters, HttpLimits, Marks, Message, Observer, Transaction};
use crate::packet::Direction;
use crate::stream::FlowInfo;

pub struct Shared<O> {
    pub limits: HttpLimits,
    pub counters: HttpCounters,
    pub decoders: DecoderPool,
    pub observer: O,
    pub(super) scratch: Scratch,
    /// Bytes of heads that are not whole or wait for their response, [`HttpLimits::partition_bytes`] at most.
    pub kept: usize,
}

/// What a transaction is made of.
pub(super) struct Told<R> {
    pub request: Option<Message<R>>,
    pub response: Option<Message<R>>,
    pub marks: Marks,
}

impl<O> Shared<O> {
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.kept + bytes <= self.limits.partition_bytes
    }

    /// Counts what became of a message.
    pub fn count(&mut self, marks: Marks) {
        let counters = &mut self.counters;
        counters.bodies_with_gap += u64::from(marks.contains(Marks::GAP_IN_BODY));
        counters.bodies_incomplete += u64::from(marks.contains(Marks::INCOMPLETE));
        counters.bodies_undecodable += u64::from(marks.contains(Marks::UNDECODABLE_BODY));
        counters.bodies_over_limit += u64::from(marks.contains(Marks::BODY_OVER_LIMIT));
    }
}

impl<O: Observer> Shared<O> {
    /// Gives a transaction to the observer; `transactions` is how many its flow had before.
    pub(super) fn tell(&mut self, info: &FlowInfo, client: Direction, transactions: &mut u32, told: Told<O::Report>) {
        let mut marks = told.marks;
        if told.response.is_none() {
            marks |= Marks::REQUEST_ONLY;
            self.counters.requests_only += 1;
        }
        if told.request.is_none() {
            marks |= Marks::RESPONSE_ONLY;
            self.counters.responses_only += 1;
        }
        if info.opened_by.is_none() {
            marks |= Marks::MIDSTREAM;
        }
        self.counters.transactions += 1;
        let index = *transactions;
        *transactions = transactions.saturating_add(1);
        self.observer.transaction(Transaction {
            flow: *info,
            client: info.key.source(client),
            server: info.key.source(client.other()),
            index,
            request: told.request,
            response: told.response,
            marks,
        });
    }
}
