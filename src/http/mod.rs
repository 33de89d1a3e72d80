//! HTTP: the ordered bytes of a flow in, [`Transaction`]s out.
//!
//! HTTP/1 is read here, [`http2`] beside it. Framing follows RFC 9112; what peers accept beyond it is accepted with a mark
//! ([`Marks`]). Bodies are dechunked and decoded as they pass and shown to an [`Observer`]; they are never stored. A flow
//! whose first bytes are not HTTP is given up at once, at any port. Requests and responses are paired in order; once bytes are missing, only where the
//! acknowledgement numbers prove that they belong together: rather two halves than a wrong pair.

mod ambiguity;
mod begin;
mod body;
mod connection;
pub mod decode;
mod exchange;
pub mod framing;
pub mod head;
pub mod http2;
mod lenient;
mod marks;
mod proxied;
mod session;
mod shared;
mod suspect;
mod tls;

pub use ambiguity::Ambiguity;
pub use head::{Field, Head};
pub use http2::{Abuse, AbuseKind, Http2Limits};
pub use marks::Marks;
pub use session::{HttpHandler, HttpState};

use crate::counts::add_counts;
use crate::packet::Peer;
use crate::stream::FlowInfo;
use crate::time::Timestamp;
use std::time::Duration;

/// Which end of a connection sent something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Client = 0,
    Server = 1,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
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

    /// A server answers what was a part of a request: the request, with that answer. It is no transaction of its own.
    fn desync(&mut self, _transaction: Transaction<Self::Report>) {}

    /// A client does something that serves to exhaust a server.
    fn abuse(&mut self, _abuse: &Abuse) {}
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<R> {
    pub head: Head,
    /// Time of the frame with its first byte, and with its last.
    pub started: Timestamp,
    pub ended: Timestamp,
    /// Body bytes without framing, before inflating.
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

/// Bounds of the connections of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a head; nginx takes 32 KiB, Apache 8 KiB a line, Node 16 KiB.
    pub head_bytes: usize,
    /// Lines kept of a head's fields that repeat.
    pub repeated_fields: usize,
    /// Bytes of a trailer: trailer fields are bounded like heads.
    pub trailer_bytes: usize,
    /// Requests of one connection that wait for their response.
    pub pending_requests: usize,
    /// What any connection may keep of heads that are not whole or wait for their response, however much others do: a request of
    /// ordinary size. Of HTTP/2 four times as much, for its dynamic tables. How many connections there are the flow table bounds.
    pub connection_bytes: usize,
    /// Bytes that all connections of a partition keep beyond that.
    pub partition_bytes: usize,
    /// First bytes of a direction kept while they could still become HTTP.
    pub undecided_bytes: usize,
    /// Chunks of a flow whose opening was seen that are looked at for the start of a message.
    pub opening_chunks: u16,
    /// The same of a flow that was picked up in the middle: a long body may be under way. The look costs a few bytes a
    /// chunk.
    pub midstream_chunks: u16,
    /// How long the body of a response may go on before its transaction is told.
    pub open_body: Duration,
    pub decode: decode::Limits,
    pub http2: Http2Limits,
}

impl Default for HttpLimits {
    /// 8 MiB a partition are some thousand requests under way in each, and bound all partitions to 128 MiB.
    fn default() -> Self {
        HttpLimits {
            head_bytes: 64 << 10,
            repeated_fields: 64,
            trailer_bytes: 64 << 10,
            pending_requests: 128,
            connection_bytes: 4 << 10,
            partition_bytes: 8 << 20,
            undecided_bytes: head::MAX_SNIFFED_LINE,
            opening_chunks: 8,
            midstream_chunks: 4096,
            open_body: Duration::from_secs(30),
            decode: decode::Limits::default(),
            http2: Http2Limits::default(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCounters {
    pub transactions: u64,
    pub requests_only: u64,
    pub responses_only: u64,
    /// Flows given up because their bytes are not HTTP.
    pub flows_not_http: u64,
    /// Connections of HTTP/2.
    pub flows_http2: u64,
    /// Flows that left HTTP through Upgrade or CONNECT.
    pub flows_upgraded: u64,
    pub heads_refused: u64,
    pub heads_over_limit: u64,
    /// Heads of which not every line that repeats a field was kept.
    pub heads_cut: u64,
    /// Trailers longer than is waited for.
    pub trailers_over_limit: u64,
    pub bodies_with_gap: u64,
    pub bodies_incomplete: u64,
    pub bodies_undecodable: u64,
    pub bodies_over_limit: u64,
    /// Responses whose body went on when their transaction was told, and bytes that came then.
    pub bodies_open: u64,
    pub bodies_open_bytes: u64,
    /// Requests whose end two parsers may place differently.
    pub requests_ambiguous: u64,
    /// Answers to what was a part of a request.
    pub desyncs: u64,
    /// Suspect requests that were not remembered: what follows them is not compared.
    pub suspects_over_limit: u64,
    /// Requests given up because too many waited for a response on one connection.
    pub pending_over_limit: u64,
    /// Frames of HTTP/2 that no receiver accepts.
    pub http2_frames_refused: u64,
    /// Frames longer than is kept.
    pub http2_frames_over_limit: u64,
    /// Times that the place of the next frame was lost.
    pub http2_framing_lost: u64,
    /// Directions given up because it was not found again.
    pub http2_directions_given_up: u64,
    /// Header blocks that cannot be read.
    pub http2_blocks_refused: u64,
    /// Header lists of which a part was not kept.
    pub http2_lists_over_limit: u64,
    /// Entries of dynamic tables that were not kept.
    pub http2_table_entries_left_out: u64,
    /// Streams given up because too many were open.
    pub http2_streams_over_limit: u64,
    /// Acts of clients that serve to exhaust a server.
    pub http2_abuses: u64,
}

impl HttpCounters {
    pub fn add(&mut self, other: &HttpCounters) {
        add_counts!(
            self,
            other,
            HttpCounters {
                transactions,
                requests_only,
                responses_only,
                flows_not_http,
                flows_http2,
                flows_upgraded,
                heads_refused,
                heads_over_limit,
                heads_cut,
                trailers_over_limit,
                bodies_with_gap,
                bodies_incomplete,
                bodies_undecodable,
                bodies_over_limit,
                bodies_open,
                bodies_open_bytes,
                requests_ambiguous,
                desyncs,
                suspects_over_limit,
                pending_over_limit,
                http2_frames_refused,
                http2_frames_over_limit,
                http2_framing_lost,
                http2_directions_given_up,
                http2_blocks_refused,
                http2_lists_over_limit,
                http2_table_entries_left_out,
                http2_streams_over_limit,
                http2_abuses
            }
        );
    }
}
