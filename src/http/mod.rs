//! HTTP: the ordered bytes of a flow in, [`Transaction`]s out.
//!
//! Framing follows RFC 9112; what peers accept beyond it is accepted with a mark ([`Marks`]). Bodies are dechunked and
//! decoded as they pass and shown to an [`Observer`]; they are never stored. A flow whose first bytes are not HTTP is
//! given up at once, at any port. Requests and responses are paired in order; once bytes are missing, only where the
//! acknowledgement numbers prove that they belong together: rather two halves than a wrong pair.

mod body;
mod connection;
pub mod decode;
mod exchange;
pub mod framing;
pub mod head;
mod lenient;
mod marks;
mod session;
mod shared;

pub use head::{Field, Head};
pub use marks::Marks;
pub use session::{HttpHandler, HttpState};

use crate::packet::Peer;
use crate::stream::FlowInfo;
use crate::time::Timestamp;

/// Which end of a connection sent something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Client = 0,
    Server = 1,
}

/// Sees the bodies and the transactions of the connections of a partition.
pub trait Observer {
    /// The state of looking at one body.
    type Scan;
    /// What was found in one body.
    type Report;

    /// A message begins; `None` when its body need not be looked at.
    fn begin(&mut self, side: Side, head: &Head) -> Option<Self::Scan>;

    /// Decoded body bytes. False when more of this body need not be shown, so not be decoded either.
    fn data(&mut self, scan: &mut Self::Scan, bytes: &[u8]) -> bool;

    /// Body bytes are missing here.
    fn gap(&mut self, scan: &mut Self::Scan);

    fn finish(&mut self, scan: Self::Scan) -> Self::Report;

    fn transaction(&mut self, transaction: Transaction<Self::Report>);
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<R> {
    pub head: Head,
    /// Time of the frame with its first byte, and with its last.
    pub started: Timestamp,
    pub ended: Timestamp,
    /// Body bytes after dechunking, before inflating.
    pub body_length: u64,
    /// What the observer found in the body.
    pub report: Option<R>,
}

/// A request with its response, or half of one.
#[derive(Clone, Debug)]
pub struct Transaction<R> {
    pub flow: FlowInfo,
    pub client: Peer,
    pub server: Peer,
    /// Position among the transactions of its flow, from 0.
    pub index: u32,
    pub request: Option<Message<R>>,
    pub response: Option<Message<R>>,
    pub marks: Marks,
}

impl<R> Transaction<R> {
    /// When it began: the request, or the response where no request was seen.
    pub fn started(&self) -> Timestamp {
        match (&self.request, &self.response) {
            (Some(request), _) => request.started,
            (None, Some(response)) => response.started,
            (None, None) => self.flow.first_seen,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bytes of a head; nginx takes 32 KiB, Apache 8 KiB a line, Node 16 KiB.
    pub head_bytes: usize,
    /// Requests of one connection that wait for their response.
    pub pending_requests: usize,
    /// Bytes that all connections of a partition keep of heads that are not whole or wait for their response.
    pub partition_bytes: usize,
    pub decode: decode::Limits,
}

impl Default for HttpLimits {
    /// 2 MiB a partition are some thousand requests under way in each, and bound all partitions to 128 MiB.
    fn default() -> Self {
        HttpLimits {
            head_bytes: 64 << 10,
            pending_requests: 128,
            partition_bytes: 2 << 20,
            decode: decode::Limits::default(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCounters {
    pub transactions: u64,
    pub requests_only: u64,
    pub responses_only: u64,
    /// Flows given up because their bytes are not HTTP/1.
    pub flows_not_http: u64,
    /// Flows that open with the HTTP/2 preface.
    pub flows_http2: u64,
    /// Flows that left HTTP through Upgrade or CONNECT.
    pub flows_upgraded: u64,
    pub heads_refused: u64,
    pub heads_over_limit: u64,
    pub bodies_with_gap: u64,
    pub bodies_incomplete: u64,
    pub bodies_undecodable: u64,
    pub bodies_over_limit: u64,
    /// Requests given up because too many waited for a response on one connection.
    pub pending_over_limit: u64,
}
