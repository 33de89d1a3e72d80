//! TCP streams: segments in; in-order bytes, gaps and ends out, per flow and direction.
//!
//! [`FlowTable`] keeps the flows of one partition and their limits. [`conversation`] puts the segments of one flow in
//! order, `overlap` says what counts where they differ. What reads the bytes is a [`Handler`]; it answers each event with
//! its [`Interest`], and a flow that is of no interest costs a table lookup from then on.

pub mod conversation;
mod event;
mod half;
mod overlap;
mod recent;
mod table;

pub use event::{Chunk, Event, StreamCounters, StreamLimits};
pub use overlap::{OverlapPolicy, Overlaps};
pub use table::{FlowLimits, FlowTable, TableCounters};

use crate::packet::{Direction, FlowKey};
use crate::time::Timestamp;

/// What is known of a flow besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct FlowInfo {
    pub key: FlowKey,
    /// Identifies this flow in records: keyed, positive, below 2^53 so that JSON readers keep it exact.
    pub id: u64,
    pub first_seen: Timestamp,
    /// Who opened the connection, where its SYN or SYN-ACK was seen.
    pub opened_by: Option<Direction>,
}

/// What a handler makes of a flow so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Nothing is known yet.
    Undecided,
    /// It speaks a protocol of ours: keep it longest.
    Ours,
    /// Of no use: drop its buffers, deliver nothing more.
    None,
}

/// Reads the ordered bytes of flows.
pub trait Handler {
    /// The handler's own state of one flow.
    type State;

    fn open(&mut self, info: &FlowInfo) -> Self::State;

    fn event(&mut self, info: &FlowInfo, state: &mut Self::State, direction: Direction, event: Event<'_>) -> Interest;

    /// The flow is over: closed, reset, timed out or evicted. Both directions have had their `End`, if they get one.
    fn close(&mut self, info: &FlowInfo, state: Self::State, time: Timestamp);
}
