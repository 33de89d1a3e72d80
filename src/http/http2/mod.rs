//! HTTP/2 in clear text: the ordered bytes of a flow in, the same transactions out as of HTTP/1.
//!
//! With prior knowledge, by Upgrade, inside a CONNECT tunnel, or picked up in the middle (RFC 9113, RFC 7540 §3.2). All
//! frame types are read; flow control and priorities are passed over, since who listens has no say in them. A stream is one
//! transaction: its head is made to look like one of HTTP/1 (`head`), its content is decoded by the same code. What
//! refers to header fields that were sent when nobody saw it is unknown and marked so; nothing is guessed.
//!
//! Nothing here knows of TCP or of clear text: whoever has the bytes of both directions can have them read.
//!
//! Refused: frames that no receiver accepts, after which the direction looks for its framing again. Bounded
//! ([`Http2Limits`]): streams, tables, header lists, continuations. What is done to exhaust a server is told as an
//! [`Abuse`].

mod blocks;
mod connection;
mod control;
mod frame;
mod head;
pub mod hpack;
mod messages;
mod reader;
mod sniff;
mod streams;

pub use connection::Connection;
pub use frame::{PREFACE, PREFACE_LINE};
pub use sniff::{FirstWords, first_words, side_of};

use crate::packet::Peer;
use crate::stream::FlowInfo;
use crate::time::Timestamp;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Limits {
    /// Streams that are open at once; servers allow 100 to 250.
    pub streams: usize,
    /// Bytes kept of the dynamic table of a direction, whatever its receiver allows; 4 KiB is the default, browsers
    /// allow 64 KiB.
    pub table_bytes: usize,
    /// Size and fields of a header list (RFC 9113 §10.5.1).
    pub list_bytes: usize,
    pub fields: usize,
    /// CONTINUATION frames of a block; one of 64 KiB has 3 of the usual size.
    pub continuation_frames: usize,
    /// A list may grow to so many times its limit, uncounted, before its block is given up.
    pub expansion: usize,
    /// Settings and pings of a client within a second, from which on they are a flood.
    pub control_frames: u32,
    /// Streams that were closed last are remembered, so that what was under way to them is known for what it is.
    pub closed_streams: usize,
    /// Chunks without a frame at their start, after which a direction that lost its framing is given up.
    pub lost_chunks: u16,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Http2Limits {
            streams: 256,
            table_bytes: 64 << 10,
            list_bytes: 64 << 10,
            fields: 256,
            expansion: 16,
            continuation_frames: 64,
            control_frames: 200,
            closed_streams: 64,
            lost_chunks: 4096,
        }
    }
}

/// What a client does that serves to exhaust a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AbuseKind {
    /// A stream that was opened and reset before its response began (CVE-2023-44487).
    RapidReset,
    /// A header block of more CONTINUATION frames than anyone needs (CVE-2024-27316).
    ContinuationFlood,
    /// A header list far larger than its block on the wire.
    HpackBomb,
    /// Settings or pings beyond all need (CVE-2019-9512, CVE-2019-9515).
    ControlFlood,
}

impl AbuseKind {
    pub const COUNT: usize = AbuseKind::ControlFlood as usize + 1;
}

/// One such act.
#[derive(Clone, Debug)]
pub struct Abuse {
    pub flow: FlowInfo,
    pub client: Peer,
    pub server: Peer,
    pub kind: AbuseKind,
    pub time: Timestamp,
}

/// Buffers that all connections of a partition use in turn.
#[derive(Default)]
pub(super) struct Scratch {
    fields: hpack::Fields,
    builder: head::HeadBuilder,
}

#[cfg(test)]
mod tests;
