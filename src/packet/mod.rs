//! Frames in, TCP segments out: link layers, tags and tunnels, IP, fragments, TCP header, flow hash.
//!
//! A [`Segment`] borrows its payload from the frame (or, for a reassembled datagram, from the decoder). What is not
//! TCP over IP, or is broken, gives no segment and is counted in [`PacketCounters`]: nothing here fails or panics on
//! any bytes. A frame cut by the capture's snap length gives the payload that is there and says in
//! [`Segment::cut`] how many bytes are missing, so that they become a gap and never wrong bytes.
//!
//! Tags and tunnels are taken off in any mix, up to [`Tunnels::depth`] of them; the flow is the inner one. What wraps it
//! is no part of the flow unless [`KeyBy`] says so (mirrors often tag one direction only). A segment that was mirrored
//! twice, where it came in and where it went out, is given once.
//!
//! Bad checksums are accepted and counted: a capturing host that offloads them sees them unset on what it sends.

mod checksum;
mod counters;
mod duplicate;
mod encapsulation;
mod flow;
mod fragment;
mod layer;
mod link;
mod network;
mod tunnel;
mod udp;
mod wifi;

pub use counters::PacketCounters;
pub use encapsulation::{Encapsulation, EncapsulationCounters, KeyBy, Tunnels};
pub use flow::{Direction, FlowKey, Peer};

use crate::capture::{Frame, LinkType};
use crate::hash::HashKey;
use crate::time::Timestamp;
use duplicate::RecentSegments;
use encapsulation::{Path, Refusal};
use fragment::FragmentTable;
use layer::{Layer, Network};
use network::Datagram;
use std::sync::{Arc, Mutex, PoisonError};

/// Flows are dealt to this many partitions; a partition is the unit of work, of limits and of determinism. With more of them each
/// fills its window with less, and what many flows share, such as an endpoint, is made and merged more often.
pub const PARTITIONS: usize = 16;

/// The TCP flags that reassembly looks at (RFC 9293 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;

    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// What else a TCP header says that decides what its receiver reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// Bytes the sender takes behind what it acknowledges, unscaled.
    pub window: u16,
    /// Of a SYN: by how many bits windows are to be shifted, where it says so (RFC 7323 §2.2).
    pub scale: Option<u8>,
    /// Which byte behind the sequence number the urgent data end before; 0 without any (RFC 9293 §3.8.5).
    pub urgent: u16,
}

impl Default for Control {
    /// The largest window, and nothing urgent.
    fn default() -> Self {
        Control { window: u16::MAX, scale: Some(14), urgent: 0 }
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
    pub control: Control,
    pub payload: &'a [u8],
    /// Payload bytes behind `payload` that were on the wire and are not in the capture.
    pub cut: u32,
}

impl Segment<'_> {
    pub fn partition(&self) -> usize {
        (self.hash >> (u64::BITS - PARTITIONS.ilog2())) as usize
    }
}

/// Limits of the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// IP datagrams that may be put together within one another: fragments of a tunnel that carries fragments.
const NESTED_REASSEMBLIES: usize = 2;

/// Turns frames into segments, and counts. One for a reader.
pub struct Decoder {
    key: HashKey,
    tunnels: Tunnels,
    /// Shared with the decoders beside it, and locked for a fragment only: those of a datagram may come over several interfaces.
    fragments: Arc<Mutex<FragmentTable>>,
    /// The datagrams of the last frame that were put together, the outer one first.
    wholes: [Vec<u8>; NESTED_REASSEMBLIES],
    recent: RecentSegments,
    pub counters: PacketCounters,
}

impl Decoder {
    pub fn new(key: HashKey, limits: PacketLimits) -> Decoder {
        Decoder {
            key,
            tunnels: Tunnels::default(),
            fragments: Arc::new(Mutex::new(FragmentTable::new(limits))),
            wholes: Default::default(),
            recent: RecentSegments::default(),
            counters: PacketCounters::default(),
        }
    }

    /// With other ports, depth and identity than the default's.
    pub fn with(self, tunnels: Tunnels) -> Decoder {
        Decoder { tunnels, ..self }
    }

    /// A decoder for another interface of the same sensor: it counts for itself, and knows the fragments and the segments that
    /// came over this one's.
    pub fn beside(&self) -> Decoder {
        Decoder {
            key: self.key,
            tunnels: self.tunnels.clone(),
            fragments: Arc::clone(&self.fragments),
            wholes: Default::default(),
            recent: self.recent.clone(),
            counters: PacketCounters::default(),
        }
    }

    /// The segment in a frame, if there is one.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        self.counters.frames += 1;
        self.counters.wire_bytes += u64::from(frame.wire_len);
        let Decoder { key, tunnels, fragments, wholes, recent, counters } = self;
        let missing = (frame.wire_len as usize).saturating_sub(frame.bytes.len());
        let mut path = Path::new(tunnels, counters);
        // Plain IPv4 on Ethernet, which nearly all traffic is, goes first and takes no other turn.
        let outer = if frame.link == LinkType::ETHERNET && frame.bytes.get(12..14) == Some(&[8, 0]) {
            network::ipv4(&frame.bytes[14..], missing, path.counters)
        } else {
            link::first_layer(frame.link, frame.bytes)
                .and_then(|(layer, bytes)| datagram_in(layer, bytes, missing, &mut path))
        };
        let datagram = match outer {
            Ok(datagram) if datagram.is_whole_tcp() => datagram,
            Ok(datagram) => match unwrapped(frame.time, datagram, fragments, wholes, &mut path) {
                Ok(inner) => inner?,
                Err(refusal) => return path.refuse(refusal),
            },
            Err(refusal) => return path.refuse(refusal),
        };
        let scope = path.scope;
        network::tcp(frame.time, &datagram, scope, key, recent, counters)
    }
}

/// The datagram that begins with this layer.
#[inline(never)]
fn datagram_in<'a>(
    layer: Layer,
    bytes: &'a [u8],
    missing: usize,
    path: &mut Path<'_>,
) -> Result<Datagram<'a>, Refusal> {
    match layer::network_layer(layer, bytes, path)? {
        (Network::V4, packet) => network::ipv4(packet, missing, path.counters),
        (Network::V6, packet) => network::ipv6(packet, missing, path.counters),
    }
}

/// The TCP datagram within another one, which is a fragment or no TCP. Nothing: something else, or a fragment that has
/// to wait.
#[inline(never)]
fn unwrapped<'a>(
    time: Timestamp,
    mut datagram: Datagram<'a>,
    fragments: &Mutex<FragmentTable>,
    wholes: &'a mut [Vec<u8>],
    path: &mut Path<'_>,
) -> Result<Option<Datagram<'a>>, Refusal> {
    let mut wholes = wholes.iter_mut();
    loop {
        if let Some(fragment) = datagram.fragment {
            path.counters.fragments += 1;
            let whole = wholes.next().ok_or(Refusal::TooDeep)?;
            let mut fragments = fragments.lock().unwrap_or_else(PoisonError::into_inner); // nothing in it panics half-way
            match fragments.add(time, &datagram, fragment, path, whole) {
                Some(reassembled) => datagram = reassembled,
                None => return Ok(None),
            }
            if datagram.source.is_ipv6() {
                network::pass_extensions(&mut datagram, path.counters)?;
            }
            if datagram.fragment.is_some() {
                continue;
            }
        }
        while tunnel::is_authenticated(&datagram) {
            datagram = tunnel::authenticated(&datagram, path)?;
        }
        if datagram.is_whole_tcp() {
            return Ok(Some(datagram));
        }
        let Some((layer, bytes)) = tunnel::inside(&datagram, path)? else {
            path.counters.not_tcp += 1;
            return Ok(None);
        };
        datagram = datagram_in(layer, bytes, datagram.cut, path)?;
    }
}

#[cfg(test)]
mod encapsulation_tests;
#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod tests;
