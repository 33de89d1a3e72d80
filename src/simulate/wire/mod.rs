//! From exchanged bytes to frames: what tests and benches use directly, and what the simulator is built on.
//!
//! A test says who talks to whom and what is sent; out come frames with times, or a capture file:
//!
//! ```
//! use apitap::simulate::wire::Conversation;
//! let talk = Conversation::new("192.0.2.7:40001", "10.20.0.11:80")
//!     .exchange("GET /v1/orders/7 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n")
//!     .close();
//! assert_eq!(talk.clone().frames().len(), 9);
//! let capture_file: Vec<u8> = talk.pcap();
//! ```
//!
//! Frames are Ethernet, times strictly increase. [`Connection`] is the layer below, for odd connections.

pub mod connection;
pub mod frame;
pub mod hpack;
pub mod http2;
pub mod impairment;
pub mod pcap;
#[cfg(test)]
mod tests;
pub mod tunnel;

use crate::time::Timestamp;
pub use connection::{Connection, FrameSink, Side};
pub use impairment::{Impairment, impair};
pub use pcap::{FULL_SNAPLEN, pcap};
use std::net::SocketAddr;
use std::time::Duration;
pub use tunnel::Tunnel;

/// 2025-11-24 09:00 UTC, a Monday: when a conversation starts unless told otherwise.
pub const DEFAULT_START: Timestamp = Timestamp(1_763_974_800_000_000_000);
/// A server's thinking time unless told otherwise.
const DEFAULT_SERVICE: Duration = Duration::from_millis(5);

/// Builds one connection step by step. Time moves on with what is sent; `at` and `pause` move it further.
#[derive(Clone, Debug)]
pub struct Conversation {
    connection: Connection,
    now: Timestamp,
    opened: bool,
    frames: Vec<(Timestamp, Vec<u8>)>,
}

impl Conversation {
    /// Between two `address:port` (`[v6]:port`). Panics if one is not such: this is for tests and benches.
    pub fn new(client: &str, server: &str) -> Conversation {
        let parse = |text: &str| -> SocketAddr {
            text.parse().unwrap_or_else(|_| panic!("`{text}` is not an address and port, such as 192.0.2.7:40001"))
        };
        Conversation::between(parse(client), parse(server))
    }

    pub fn between(client: SocketAddr, server: SocketAddr) -> Conversation {
        let connection = Connection::new(client, server, u64::from(client.port()));
        Conversation { connection, now: DEFAULT_START, opened: false, frames: Vec::new() }
    }

    /// What follows happens at `at`, or as soon after it as the connection allows.
    pub fn at(mut self, at: Timestamp) -> Conversation {
        self.now = at;
        self
    }

    pub fn pause(mut self, span: Duration) -> Conversation {
        self.now = self.now.saturating_add(span);
        self
    }

    pub fn rtt(mut self, rtt: Duration) -> Conversation {
        self.connection = self.connection.with_rtt(rtt);
        self
    }

    pub fn vlan(mut self, vlan: u16) -> Conversation {
        self.connection = self.connection.with_vlan(Some(vlan));
        self
    }

    /// Cuts what is sent into segments of this many bytes.
    pub fn segment_bytes(mut self, bytes: usize) -> Conversation {
        self.connection = self.connection.with_segment_bytes(bytes);
        self
    }

    /// The tap did not see the handshake.
    pub fn midstream(mut self) -> Conversation {
        self.connection.open_unseen(self.now);
        self.opened = true;
        self
    }

    fn open(&mut self) {
        if !self.opened {
            self.opened = true;
            self.now = self.connection.open(self.now, &mut self.frames);
        }
    }

    fn send(mut self, from: Side, bytes: &[u8]) -> Conversation {
        self.open();
        let last = self.connection.send(from, self.now, bytes, &mut self.frames);
        self.now = self.now.max(last);
        self
    }

    /// The client sends these bytes.
    pub fn request(self, bytes: impl AsRef<[u8]>) -> Conversation {
        self.send(Side::Client, bytes.as_ref())
    }

    /// The server sends these bytes.
    pub fn response(self, bytes: impl AsRef<[u8]>) -> Conversation {
        self.send(Side::Server, bytes.as_ref())
    }

    /// A request and, a few milliseconds later, its response.
    pub fn exchange(self, request: impl AsRef<[u8]>, response: impl AsRef<[u8]>) -> Conversation {
        self.request(request).pause(DEFAULT_SERVICE).response(response)
    }

    /// Both sides end with FIN, the client first.
    pub fn close(mut self) -> Conversation {
        self.open();
        self.now = self.connection.close(Side::Client, self.now, &mut self.frames);
        self
    }

    /// One side ends with RST.
    pub fn reset(mut self, by: Side) -> Conversation {
        self.open();
        self.now = self.connection.reset(by, self.now, &mut self.frames);
        self
    }

    /// The frames, in order of time.
    pub fn frames(mut self) -> Vec<(Timestamp, Vec<u8>)> {
        self.connection.flush(&mut self.frames);
        in_order(self.frames)
    }

    /// A capture file of this conversation alone.
    pub fn pcap(self) -> Vec<u8> {
        pcap(&self.frames(), FULL_SNAPLEN)
    }
}

/// Sorts by time (what was first stays first at equal times) and makes times strictly increasing.
pub fn in_order(mut frames: Vec<(Timestamp, Vec<u8>)>) -> Vec<(Timestamp, Vec<u8>)> {
    frames.sort_by_key(|(at, _)| *at);
    let mut last = Timestamp::MIN;
    for (at, _) in &mut frames {
        *at = (*at).max(Timestamp(last.0.saturating_add(1)));
        last = *at;
    }
    frames
}

/// Several conversations as one capture sees them.
pub fn merge(conversations: impl IntoIterator<Item = Conversation>) -> Vec<(Timestamp, Vec<u8>)> {
    in_order(conversations.into_iter().flat_map(Conversation::frames).collect())
}
