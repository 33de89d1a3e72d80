//! One TCP connection as a tap beside the server sees it: what each side sends in, frames with times out.
//!
//! Handshake, segments of at most the MSS, a congestion window that doubles each round trip (RFC 5681 slow start),
//! an ACK for every second segment, delayed ACKs of the server that ride on its answer, FIN or RST at the end. The
//! client is one round-trip time away, the server is near. Nothing is lost or retransmitted here: impairments are
//! applied to the finished frames. Both sides never send at the same time.

use super::frame::{self, ACK, FIN, PSH, RST, SYN, Segment};
use crate::time::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

/// Segments of the first flight (RFC 6928).
const INITIAL_WINDOW: usize = 10;
/// Where slow start stops here: 256 segments, about 370 kB in flight.
const LARGEST_WINDOW: usize = 256;
/// From the tap to the server and back, kernel included.
const SERVER_TURNAROUND: Duration = Duration::from_micros(40);
/// Linux's delayed ACK.
const DELAYED_ACK: Duration = Duration::from_millis(40);
/// A full segment on a gigabit link.
const SEGMENT_SPACING: Duration = Duration::from_micros(12);

/// What a decoy is ahead of what it stands for.
const DECOY_LEAD: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// Takes finished frames, headers and payload apart so that they are copied once.
pub trait FrameSink {
    fn frame(&mut self, at: Timestamp, header: &[u8], payload: &[u8]);
}

impl FrameSink for Vec<(Timestamp, Vec<u8>)> {
    fn frame(&mut self, at: Timestamp, header: &[u8], payload: &[u8]) {
        self.push((at, [header, payload].concat()));
    }
}

#[derive(Clone, Debug)]
struct Party {
    address: SocketAddr,
    mac: [u8; 6],
    ttl: u8,
    /// Next sequence number to send.
    seq: u32,
    /// Packets sent, the IPv4 identification.
    identification: u16,
    window: u16,
    /// Where its millisecond clock stood at the epoch.
    clock_offset: u32,
    /// The newest timestamp value it had from its peer.
    echo: u32,
    congestion_window: usize,
    /// Not before this it may send: it has not received everything yet.
    ready: Timestamp,
}

/// State of one connection between what it sends.
#[derive(Clone, Debug)]
pub struct Connection {
    client: Party,
    server: Party,
    rtt: Duration,
    /// Payload bytes of a full segment.
    segment_bytes: usize,
    vlan: Option<u16>,
    /// When the server's delayed ACK falls due, if no answer carries it.
    owed_ack: Option<Timestamp>,
}

impl Connection {
    /// `salt` varies what is random in a real connection: initial sequence numbers, clocks, hops.
    pub fn new(client: SocketAddr, server: SocketAddr, salt: u64) -> Connection {
        let mss = if client.is_ipv4() { 1460 } else { 1440 };
        let party = |address: SocketAddr, mac: [u8; 6], ttl: u8, bits: u64| Party {
            address,
            mac,
            ttl,
            seq: bits as u32,
            identification: (bits >> 32) as u16,
            window: 502,
            clock_offset: (bits >> 20) as u32,
            echo: 0,
            congestion_window: INITIAL_WINDOW,
            ready: Timestamp::MIN,
        };
        let bits = super::super::random::scatter(salt, 0x7cb);
        let last = match server.ip() {
            std::net::IpAddr::V4(v4) => v4.octets()[3],
            std::net::IpAddr::V6(v6) => v6.octets()[15],
        };
        Connection {
            client: party(client, [0x02, 0x1b, 0x17, 0, 0x01, 0x01], 46 + (bits >> 60) as u8, bits),
            server: party(server, [0x02, 0x42, 0x0a, 0x14, 0, last], 64, bits.rotate_left(31)),
            rtt: Duration::from_micros(500),
            segment_bytes: mss - frame::TIMESTAMP_OPTION,
            vlan: None,
            owed_ack: None,
        }
    }

    pub fn with_rtt(mut self, rtt: Duration) -> Connection {
        self.rtt = rtt;
        self
    }

    pub fn with_vlan(mut self, vlan: Option<u16>) -> Connection {
        self.vlan = vlan;
        self
    }

    /// Payload bytes of a full segment, for tests that want small ones. At least one.
    pub fn with_segment_bytes(mut self, bytes: usize) -> Connection {
        self.segment_bytes = bytes.max(1);
        self
    }

    pub fn client(&self) -> SocketAddr {
        self.client.address
    }

    pub fn server(&self) -> SocketAddr {
        self.server.address
    }

    /// The earliest time at which `side` can send, having received all that is under way to it.
    pub fn ready(&self, side: Side) -> Timestamp {
        self.party(side).ready
    }

    fn party(&self, side: Side) -> &Party {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn party_mut(&mut self, side: Side) -> &mut Party {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// How long after a frame passes the tap its receiver's reaction passes it.
    fn reaction(&self, receiver: Side) -> Duration {
        match receiver {
            Side::Client => self.rtt,
            Side::Server => SERVER_TURNAROUND,
        }
    }

    /// Sends one segment exactly so; the sequence number moves by payload, SYN and FIN. What the methods below are
    /// made of, and what tests of odd connections use.
    pub fn segment(&mut self, from: Side, at: Timestamp, flags: u8, payload: &[u8], sink: &mut dyn FrameSink) {
        self.acknowledge(from, at, flags, payload, self.party(from.other()).seq, sink);
    }

    /// Moves a side's sequence number by so many bytes without sending any: what it sends next leaves a gap, or comes
    /// again.
    pub fn skip(&mut self, side: Side, bytes: i32) {
        let party = self.party_mut(side);
        party.seq = party.seq.wrapping_add_signed(bytes);
    }

    /// [`Connection::segment`] with an acknowledgement that may lie behind what the peer has sent.
    fn acknowledge(
        &mut self,
        from: Side,
        at: Timestamp,
        flags: u8,
        payload: &[u8],
        ack: u32,
        sink: &mut dyn FrameSink,
    ) {
        let vlan = self.vlan;
        let mss = (self.segment_bytes + frame::TIMESTAMP_OPTION).min(usize::from(u16::MAX)) as u16;
        let (sender, receiver) = match from {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        let clock = (at.0.div_euclid(1_000_000) as u32).wrapping_add(sender.clock_offset);
        let segment = Segment {
            source: sender.address,
            destination: receiver.address,
            source_mac: sender.mac,
            destination_mac: receiver.mac,
            vlan,
            identification: sender.identification,
            ttl: sender.ttl,
            seq: sender.seq,
            ack: if flags & ACK != 0 { ack } else { 0 },
            flags,
            window: if flags & SYN != 0 { 64_240 } else { sender.window },
            mss,
            timestamp_value: clock,
            timestamp_echo: if flags & ACK != 0 { sender.echo } else { 0 },
        };
        sink.frame(at, frame::header(&segment, payload).bytes(), payload);
        let counted = payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        sender.seq = sender.seq.wrapping_add(counted);
        sender.identification = sender.identification.wrapping_add(1);
        receiver.echo = clock;
    }

    /// The three-way handshake; the client can send at the time returned.
    pub fn open(&mut self, at: Timestamp, sink: &mut dyn FrameSink) -> Timestamp {
        self.segment(Side::Client, at, SYN, &[], sink);
        let answered = at.saturating_add(SERVER_TURNAROUND);
        self.segment(Side::Server, answered, SYN | ACK, &[], sink);
        let opened = answered.saturating_add(self.rtt);
        self.segment(Side::Client, opened, ACK, &[], sink);
        self.client.window = 65_000;
        self.server.window = 65_000;
        self.client.ready = opened.saturating_add(Duration::from_micros(5));
        self.server.ready = self.client.ready;
        self.client.ready
    }

    /// A connection whose handshake the tap did not see.
    pub fn open_unseen(&mut self, at: Timestamp) {
        self.client.window = 65_000;
        self.server.window = 65_000;
        self.client.ready = at;
        self.server.ready = at;
    }

    /// `from` sends `bytes`, not before it has received what is under way to it. Gives the time of the last segment.
    pub fn send(&mut self, from: Side, at: Timestamp, bytes: &[u8], sink: &mut dyn FrameSink) -> Timestamp {
        if bytes.is_empty() {
            return at;
        }
        let mut time = at.max(self.party(from).ready);
        self.settle_ack(from, time, sink);
        let receiver = from.other();
        let reaction = self.reaction(receiver);
        let pieces = bytes.len().div_ceil(self.segment_bytes);
        let mut sent = 0;
        let mut last = time;
        while sent < pieces {
            let flight = (pieces - sent).min(self.party(from).congestion_window);
            let mut acks: u32 = self.party(from).seq;
            let mut acks_due: smallvec::SmallVec<[(Timestamp, u32); 8]> = smallvec::SmallVec::new();
            for index in 0..flight {
                let start = (sent + index) * self.segment_bytes;
                let piece = &bytes[start..(start + self.segment_bytes).min(bytes.len())]; // `start` is before the end
                let is_last = sent + index + 1 == pieces;
                last = time;
                self.segment(from, time, if is_last { ACK | PSH } else { ACK }, piece, sink);
                acks = acks.wrapping_add(piece.len() as u32);
                if index % 2 == 1 || index + 1 == flight {
                    acks_due.push((time.saturating_add(reaction), acks));
                }
                time = time.saturating_add(SEGMENT_SPACING);
            }
            sent += flight;
            let finished = sent == pieces;
            // A server holds its last ACK back: its answer will carry it.
            if finished && receiver == Side::Server {
                acks_due.pop();
                self.owed_ack = Some(last.saturating_add(DELAYED_ACK));
            }
            for (due, number) in acks_due {
                self.acknowledge(receiver, due, ACK, &[], number, sink);
            }
            let window = &mut self.party_mut(from).congestion_window;
            *window = (*window * 2).min(LARGEST_WINDOW);
            if !finished {
                time = time.saturating_add(self.rtt);
            }
        }
        let after_ack = last.saturating_add(reaction).saturating_add(Duration::from_micros(2));
        self.party_mut(receiver).ready = after_ack;
        self.party_mut(from).ready = match from {
            Side::Client => last.saturating_add(Duration::from_micros(1)),
            Side::Server => last.saturating_add(SEGMENT_SPACING),
        };
        last
    }

    /// `from` sends bytes that belong `ahead` of what it has sent so far, and that it will send otherwise: its receiver
    /// does not get these.
    pub fn send_decoy(&mut self, from: Side, at: Timestamp, ahead: usize, bytes: &[u8], sink: &mut dyn FrameSink) {
        let mut time = at.max(self.party(from).ready);
        self.settle_ack(from, time, sink);
        self.skip(from, ahead as i32);
        for piece in bytes.chunks(self.segment_bytes) {
            self.segment(from, time, ACK | PSH, piece, sink);
            time = time.saturating_add(SEGMENT_SPACING);
        }
        self.skip(from, -((ahead + bytes.len()) as i32));
        self.party_mut(from).ready = time.saturating_add(DECOY_LEAD);
    }

    /// The server's delayed ACK goes out on its own when `from` is slow to answer or the client speaks again.
    fn settle_ack(&mut self, from: Side, at: Timestamp, sink: &mut dyn FrameSink) {
        if let Some(due) = self.owed_ack.take()
            && (due <= at || from == Side::Client)
        {
            let due = if from == Side::Client { due.min(Timestamp(at.0.saturating_sub(1))) } else { due };
            self.segment(Side::Server, due, ACK, &[], sink);
        }
    }

    /// Sends what is still owed when nothing more will follow.
    pub fn flush(&mut self, sink: &mut dyn FrameSink) {
        if let Some(due) = self.owed_ack.take() {
            self.segment(Side::Server, due, ACK, &[], sink);
        }
    }

    /// An orderly end, both sides with FIN, begun by `by`. Gives the time of the last frame.
    pub fn close(&mut self, by: Side, at: Timestamp, sink: &mut dyn FrameSink) -> Timestamp {
        let at = at.max(self.party(by).ready);
        self.settle_ack(by, at, sink);
        self.segment(by, at, FIN | ACK, &[], sink);
        let answered = at.saturating_add(self.reaction(by.other()));
        self.segment(by.other(), answered, FIN | ACK, &[], sink);
        let ended = answered.saturating_add(self.reaction(by));
        self.segment(by, ended, ACK, &[], sink);
        ended
    }

    /// An abrupt end by `by`.
    pub fn reset(&mut self, by: Side, at: Timestamp, sink: &mut dyn FrameSink) -> Timestamp {
        let at = at.max(self.party(by).ready);
        self.settle_ack(by, at, sink);
        self.segment(by, at, RST | ACK, &[], sink);
        at
    }
}
