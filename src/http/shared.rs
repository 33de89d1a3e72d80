//! What the connections of a partition share: limits, counters, decoders, the observer, and room for what waits.

use super::decode::DecoderPool;
use super::{HttpCounters, HttpLimits};

pub struct Shared<O> {
    pub limits: HttpLimits,
    pub counters: HttpCounters,
    pub decoders: DecoderPool,
    pub observer: O,
    /// Bytes of heads that are not whole or wait for their response, [`HttpLimits::partition_bytes`] at most.
    pub kept: usize,
}

impl<O> Shared<O> {
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.kept + bytes <= self.limits.partition_bytes
    }
}
