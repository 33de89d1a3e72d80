//! What the connections of a partition share: limits, counters, decoders, the observer, and room for what waits.

use super::decode::DecoderPool;
use super::http2::Scratch;
use super::{HttpCounters, HttpLimits, Marks};
use crate::stream::FlowInfo;

pub struct Shared<O> {
    pub limits: HttpLimits,
    pub counters: HttpCounters,
    pub decoders: DecoderPool,
    pub observer: O,
    pub(super) scratch: Scratch,
    /// Bytes of heads that are not whole or wait for their response, beyond what any connection may keep:
    /// [`HttpLimits::partition_bytes`] at most.
    pub kept: usize,
    /// Bytes of suspects, whose connections may be many: an eighth of the same at most. Apart from the others, so that
    /// nobody can have heads dropped by being suspect.
    pub suspects: usize,
}

impl<O> Shared<O> {
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.kept + bytes <= self.limits.partition_bytes
    }

    pub fn has_room_for_suspect(&self, bytes: usize) -> bool {
        self.suspects + bytes <= self.limits.partition_bytes / 8
    }

    /// Counts what became of a message.
    pub fn count(&mut self, marks: Marks) {
        let counters = &mut self.counters;
        counters.bodies_with_gap += u64::from(marks.contains(Marks::GAP_IN_BODY));
        counters.bodies_incomplete += u64::from(marks.contains(Marks::INCOMPLETE));
        counters.bodies_undecodable += u64::from(marks.contains(Marks::UNDECODABLE_BODY));
        counters.bodies_over_limit += u64::from(marks.contains(Marks::BODY_OVER_LIMIT));
    }

    /// Counts a transaction of a flow that had so many before; gives its marks and its position.
    #[inline]
    pub fn count_transaction(
        &mut self,
        info: &FlowInfo,
        transactions: &mut u32,
        has: (bool, bool),
        mut marks: Marks,
    ) -> (Marks, u32) {
        let (has_request, has_response) = has;
        if !has_response {
            marks |= Marks::REQUEST_ONLY;
            self.counters.requests_only += 1;
        }
        if !has_request {
            marks |= Marks::RESPONSE_ONLY;
            self.counters.responses_only += 1;
        }
        if info.opened_by.is_none() {
            marks |= Marks::MIDSTREAM;
        }
        self.counters.transactions += 1;
        let index = *transactions;
        *transactions = transactions.saturating_add(1);
        (marks, index)
    }
}
