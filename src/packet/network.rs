//! IP and TCP headers: an IP packet in, a datagram (or fragment), then a segment out.

use super::duplicate::{Likeness, RecentSegments};
use super::encapsulation::{Encapsulation, Refusal};
use super::{Control, Direction, FlowKey, PacketCounters, Peer, Segment, TcpFlags, checksum};
use crate::hash::HashKey;
use crate::time::Timestamp;
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const TCP: u8 = IpNumber::TCP.0;
const TCP_HEADER_BYTES: usize = 20;

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub identification: u32,
    /// Bytes from the start of the datagram's payload.
    pub offset: usize,
    pub more: bool,
}

/// The payload of an IP packet and what is needed to go on.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub payload: &'a [u8],
    /// Payload bytes that were on the wire and are not in the capture.
    pub cut: usize,
    pub fragment: Option<Fragment>,
    /// Of IPv4; 0 in IPv6.
    pub identification: u16,
}

impl Datagram<'_> {
    #[inline]
    pub fn is_whole_tcp(&self) -> bool {
        self.protocol == TCP && self.fragment.is_none()
    }
}

/// Splits `rest`, what was captured behind an IP header that announces `length` payload bytes, into the payload and
/// the number of bytes cut. Ethernet padding behind the packet is dropped.
fn bounded(rest: &[u8], length: usize) -> (&[u8], usize) {
    (&rest[..length.min(rest.len())], length.saturating_sub(rest.len()))
}

/// `missing` is what the frame lacks of its length on the wire: an announced length that is zero (segmentation
/// offload on the capturing host) means "up to the end of the frame".
#[inline(always)] // once for plain traffic, once for what is wrapped
pub fn ipv4<'a>(packet: &'a [u8], missing: usize, counters: &mut PacketCounters) -> Result<Datagram<'a>, Refusal> {
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| Refusal::Malformed)?;
    let header_bytes = header.slice().len();
    if !checksum::header_is_right(header.slice()) {
        counters.bad_ip_checksum += 1;
    }
    let rest = &packet[header_bytes..];
    let length = match usize::from(header.total_len()) {
        0 => rest.len() + missing,
        total if total < header_bytes => return Err(Refusal::Malformed),
        total => total - header_bytes,
    };
    let (payload, cut) = bounded(rest, length);
    let fragment = (header.more_fragments() || header.fragments_offset().value() != 0).then(|| Fragment {
        identification: u32::from(header.identification()),
        offset: usize::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    Ok(Datagram {
        source: IpAddr::V4(Ipv4Addr::from(header.source())),
        destination: IpAddr::V4(Ipv4Addr::from(header.destination())),
        protocol: header.protocol().0,
        payload,
        cut,
        fragment,
        identification: header.identification(),
    })
}

pub fn ipv6<'a>(packet: &'a [u8], missing: usize, counters: &mut PacketCounters) -> Result<Datagram<'a>, Refusal> {
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| Refusal::Malformed)?;
    let rest = &packet[header.slice().len()..];
    let length = match usize::from(header.payload_length()) {
        0 => rest.len() + missing,
        length => length,
    };
    let (payload, cut) = bounded(rest, length);
    let mut datagram = Datagram {
        source: IpAddr::V6(Ipv6Addr::from(header.source())),
        destination: IpAddr::V6(Ipv6Addr::from(header.destination())),
        protocol: header.next_header().0,
        payload,
        cut,
        fragment: None,
        identification: 0,
    };
    pass_extensions(&mut datagram, counters)?;
    Ok(datagram)
}

/// Passes over the extension headers at the front of an IPv6 payload. Those behind a fragment header belong to the datagram that it
/// is a part of: they are passed over once that is whole.
pub fn pass_extensions(datagram: &mut Datagram<'_>, counters: &mut PacketCounters) -> Result<(), Refusal> {
    loop {
        let payload = datagram.payload;
        // Lengths: RFC 8200 §4.3 to §4.6 in units of 8 bytes beyond the first, RFC 4302 §2.2 in units of 4 beyond two.
        let bytes = match (datagram.protocol, payload.get(1)) {
            (0 | 43 | 60 | 135 | 139 | 140, Some(length)) => 8 + usize::from(*length) * 8,
            (51, Some(length)) => 8 + usize::from(*length) * 4,
            (44, _) => 8,
            (0 | 43 | 60 | 135 | 139 | 140 | 51, None) => return Err(Refusal::Malformed),
            _ => return Ok(()),
        };
        let (extension, behind) = payload.split_at_checked(bytes).ok_or(Refusal::Malformed)?;
        if datagram.protocol == 44 {
            let word = u16::from_be_bytes([extension[2], extension[3]]);
            let identification = u32::from_be_bytes([extension[4], extension[5], extension[6], extension[7]]);
            let found = Fragment { identification, offset: usize::from(word & !7), more: word & 1 != 0 };
            // An atomic fragment (RFC 6946) is a whole datagram.
            datagram.fragment = (found.more || found.offset != 0).then_some(found);
        }
        if datagram.protocol == 51 {
            counters.encapsulations.see(Encapsulation::AuthenticationHeader);
        }
        datagram.protocol = extension[0];
        datagram.payload = behind;
        if datagram.fragment.is_some() {
            return Ok(());
        }
    }
}

/// The segment in a TCP datagram, unless it was just seen.
pub fn tcp<'a>(
    time: Timestamp,
    datagram: &Datagram<'a>,
    scope: u32,
    key: &HashKey,
    recent: &RecentSegments,
    counters: &mut PacketCounters,
) -> Option<Segment<'a>> {
    let bytes = datagram.payload;
    let Some(fixed) = bytes.first_chunk::<TCP_HEADER_BYTES>() else {
        counters.malformed += 1;
        return None;
    };
    let header_bytes = usize::from(fixed[12] >> 4) * 4;
    if header_bytes < TCP_HEADER_BYTES || header_bytes > bytes.len() + datagram.cut {
        counters.malformed += 1;
        return None;
    }
    if datagram.cut > 0 {
        counters.cut_by_snaplen += 1;
    } else if !tcp_checksum_is_right(datagram) {
        counters.bad_tcp_checksum += 1;
    }
    // The options may be cut by the snap length; the twenty fixed bytes say all that is needed.
    let payload = bytes.get(header_bytes..).unwrap_or(&[]);
    let cut = if bytes.len() < header_bytes { datagram.cut - (header_bytes - bytes.len()) } else { datagram.cut };
    let be16 = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let be32 = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let (sequence, acknowledgement) = (be32(4), be32(8));
    let (flow, direction): (FlowKey, Direction) = FlowKey::of(
        Peer { address: datagram.source, port: be16(0) },
        Peer { address: datagram.destination, port: be16(2) },
    );
    let flow = flow.within(scope);
    let hash = flow.hash(key);
    let flags = TcpFlags(fixed[13]);
    // Acknowledgements alone are alike where hosts number their packets 0, as IPv6 does.
    let is_distinct = datagram.identification != 0 || !payload.is_empty() || cut > 0;
    let like = Likeness {
        flow: hash,
        sequence,
        acknowledgement,
        identification: datagram.identification,
        checksum: be16(16),
        flags: flags.0,
        payload: payload.len(),
    };
    if is_distinct && recent.repeats(&like, time) {
        counters.duplicates += 1;
        return None;
    }
    counters.tcp_segments += 1;
    let control = Control {
        window: be16(14),
        scale: if flags.has(TcpFlags::SYN) { window_scale(bytes.get(TCP_HEADER_BYTES..header_bytes)) } else { None },
        urgent: if flags.has(TcpFlags::URG) { be16(18) } else { 0 },
    };
    let cut = cut as u32;
    Some(Segment { time, flow, hash, direction, sequence, acknowledgement, flags, control, payload, cut })
}

/// The window scale among a SYN's options: 14 at most, more means that (RFC 7323 §2.3). Where the capture cut them off, the
/// largest is assumed.
fn window_scale(options: Option<&[u8]>) -> Option<u8> {
    const MOST: u8 = 14;
    let Some(mut options) = options else { return Some(MOST) };
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [3, 3, scale, ..] => return Some(MOST.min(*scale)),
            [kind, length, ..] if *kind > 1 && *length > 1 => options.get(usize::from(*length)..)?,
            _ => return None, // the end, or what is no option
        };
    }
}

fn tcp_checksum_is_right(datagram: &Datagram<'_>) -> bool {
    match (datagram.source, datagram.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut addresses = [0u8; 8];
            addresses[..4].copy_from_slice(&source.octets());
            addresses[4..].copy_from_slice(&destination.octets());
            checksum::tcp_is_right(&addresses, datagram.payload)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut addresses = [0u8; 32];
            addresses[..16].copy_from_slice(&source.octets());
            addresses[16..].copy_from_slice(&destination.octets());
            checksum::tcp_is_right(&addresses, datagram.payload)
        }
        _ => false,
    }
}
