//! Frames in, TCP segments out: link layers, VLAN tags, IP, fragments, TCP header, flow hash.
//!
//! A [`Segment`] borrows its payload from the frame (or, for a reassembled datagram, from the decoder). What is not
//! TCP over IP, or is broken, gives no segment and is counted in [`PacketCounters`]: nothing here fails or panics on
//! any bytes. A frame cut by the capture's snap length gives the payload that is there and says in
//! [`Segment::cut`] how many bytes are missing, so that they become a gap and never wrong bytes.
//!
//! Bad checksums are accepted and counted: a capturing host that offloads them sees them unset on what it sends.
//! VLAN tags are not part of the flow (mirrors often tag one direction only). Tunnels would be unwrapped in
//! `link`, where an ethertype or an IP protocol leads to another network layer.

mod checksum;
mod fragment;
mod link;
mod network;

use crate::capture::Frame;
use crate::hash::HashKey;
use crate::time::Timestamp;
use fragment::FragmentTable;
use std::net::IpAddr;

/// Flows are dealt to this many partitions; a partition is the unit of work, of limits and of determinism.
pub const PARTITIONS: usize = 64;

/// An address and port of one end of a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub port: u16,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Both ends of a connection, the smaller first, so that both directions have the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowKey {
    pub low: Peer,
    pub high: Peer,
}

impl FlowKey {
    /// The key of a segment from `source` to `destination`, and which way that segment went.
    pub fn of(source: Peer, destination: Peer) -> (FlowKey, Direction) {
        if source <= destination {
            (FlowKey { low: source, high: destination }, Direction::FromLow)
        } else {
            (FlowKey { low: destination, high: source }, Direction::FromHigh)
        }
    }

    pub fn source(&self, direction: Direction) -> Peer {
        match direction {
            Direction::FromLow => self.low,
            Direction::FromHigh => self.high,
        }
    }

    pub fn hash(&self, key: &HashKey) -> u64 {
        let ports = [self.low.port.to_be_bytes(), self.high.port.to_be_bytes()];
        if let (IpAddr::V4(low), IpAddr::V4(high)) = (self.low.address, self.high.address) {
            return key.hash(
                [low.octets(), high.octets(), [ports[0][0], ports[0][1], ports[1][0], ports[1][1]]].as_flattened(),
            );
        }
        let mut bytes = [0u8; 36];
        let ends = [(0, &self.low, ports[0]), (18, &self.high, ports[1])];
        for (at, peer, port) in ends {
            match peer.address {
                IpAddr::V4(address) => bytes[at..at + 4].copy_from_slice(&address.octets()), // at is 0 or 18
                IpAddr::V6(address) => bytes[at..at + 16].copy_from_slice(&address.octets()),
            }
            bytes[at + 16..at + 18].copy_from_slice(&port);
        }
        key.hash(&bytes)
    }
}

/// Which end of the [`FlowKey`] sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    FromLow = 0,
    FromHigh = 1,
}

impl Direction {
    pub fn other(self) -> Direction {
        match self {
            Direction::FromLow => Direction::FromHigh,
            Direction::FromHigh => Direction::FromLow,
        }
    }
}

/// The TCP flags that reassembly looks at (RFC 9293 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;

    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// One TCP segment of one flow.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    pub time: Timestamp,
    pub flow: FlowKey,
    /// Keyed and symmetric: the same for both directions.
    pub hash: u64,
    pub direction: Direction,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: TcpFlags,
    pub payload: &'a [u8],
    /// Payload bytes behind `payload` that were on the wire and are not in the capture.
    pub cut: u32,
}

impl Segment<'_> {
    pub fn partition(&self) -> usize {
        (self.hash >> 58) as usize
    }
}

/// What was seen and what was passed over, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketCounters {
    pub frames: u64,
    pub wire_bytes: u64,
    pub tcp_segments: u64,
    /// Link types that are not decoded.
    pub unknown_link: u64,
    /// Neither IPv4 nor IPv6.
    pub not_ip: u64,
    /// IP, but not TCP.
    pub not_tcp: u64,
    /// Headers that are shorter than they must be, or contradict themselves.
    pub malformed: u64,
    /// Frames whose payload was cut by the snap length.
    pub cut_by_snaplen: u64,
    pub bad_ip_checksum: u64,
    pub bad_tcp_checksum: u64,
    pub fragments: u64,
    pub datagrams_reassembled: u64,
    pub fragments_overlapping: u64,
    pub fragments_evicted: u64,
}

impl PacketCounters {
    pub fn add(&mut self, other: &PacketCounters) {
        self.frames += other.frames;
        self.wire_bytes += other.wire_bytes;
        self.tcp_segments += other.tcp_segments;
        self.unknown_link += other.unknown_link;
        self.not_ip += other.not_ip;
        self.not_tcp += other.not_tcp;
        self.malformed += other.malformed;
        self.cut_by_snaplen += other.cut_by_snaplen;
        self.bad_ip_checksum += other.bad_ip_checksum;
        self.bad_tcp_checksum += other.bad_tcp_checksum;
        self.fragments += other.fragments;
        self.datagrams_reassembled += other.datagrams_reassembled;
        self.fragments_overlapping += other.fragments_overlapping;
        self.fragments_evicted += other.fragments_evicted;
    }

    /// Name and value of every counter, in the order of a summary.
    pub fn named(&self) -> [(&'static str, u64); 14] {
        [
            ("frames", self.frames),
            ("wire_bytes", self.wire_bytes),
            ("tcp_segments", self.tcp_segments),
            ("unknown_link", self.unknown_link),
            ("not_ip", self.not_ip),
            ("not_tcp", self.not_tcp),
            ("malformed_packets", self.malformed),
            ("cut_by_snaplen", self.cut_by_snaplen),
            ("bad_ip_checksum", self.bad_ip_checksum),
            ("bad_tcp_checksum", self.bad_tcp_checksum),
            ("ip_fragments", self.fragments),
            ("datagrams_reassembled", self.datagrams_reassembled),
            ("ip_fragments_overlapping", self.fragments_overlapping),
            ("ip_fragments_evicted", self.fragments_evicted),
        ]
    }
}

/// Limits of the decoder.
#[derive(Clone, Copy, Debug)]
pub struct PacketLimits {
    /// Datagrams under reassembly at once.
    pub fragmented_datagrams: usize,
    /// Bytes held for them all together.
    pub fragment_bytes: usize,
}

impl Default for PacketLimits {
    /// 1,024 datagrams and 4 MiB: what Linux itself holds by default (`net.ipv4.ipfrag_high_thresh`).
    fn default() -> Self {
        PacketLimits { fragmented_datagrams: 1024, fragment_bytes: 4 << 20 }
    }
}

/// Turns frames into segments. One for a reader; holds the fragment table and the counters.
pub struct Decoder {
    key: HashKey,
    fragments: FragmentTable,
    pub counters: PacketCounters,
}

impl Decoder {
    pub fn new(key: HashKey, limits: PacketLimits) -> Decoder {
        Decoder { key, fragments: FragmentTable::new(limits), counters: PacketCounters::default() }
    }

    /// The segment in a frame, if there is one.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        self.counters.frames += 1;
        self.counters.wire_bytes += u64::from(frame.wire_len);
        let (protocol, packet) = match link::network_layer(frame.link, frame.bytes) {
            Ok(found) => found,
            Err(refusal) => {
                match refusal {
                    link::Refusal::UnknownLink => self.counters.unknown_link += 1,
                    link::Refusal::Malformed => self.counters.malformed += 1,
                    link::Refusal::NotIp => self.counters.not_ip += 1,
                }
                return None;
            }
        };
        let missing_from_frame = (frame.wire_len as usize).saturating_sub(frame.bytes.len());
        let datagram = match protocol {
            link::Network::V4 => network::ipv4(packet, missing_from_frame, &mut self.counters),
            link::Network::V6 => network::ipv6(packet, missing_from_frame, &mut self.counters),
        }?;
        let Decoder { key, fragments, counters } = self;
        let datagram = match datagram.fragment {
            None => datagram,
            Some(fragment) => {
                counters.fragments += 1;
                fragments.add(frame.time, &datagram, fragment, counters)?
            }
        };
        network::tcp(frame.time, &datagram, key, counters)
    }
}

#[cfg(test)]
mod tests;
