//! Link types: which header a frame begins with.
//!
//! In go a link type and the frame, out comes the [`Layer`] behind what the capturing side put in front: nothing for
//! Ethernet, a pseudo-header for cooked captures, nflog, pktap, radiotap and the like. Refused: link types that are not
//! decoded, and frames shorter than their header.

use super::encapsulation::Refusal;
use super::layer::{Layer, Step, be16, rest};
use crate::capture::LinkType;

/// Pseudo-headers that name another link type (pktap, PPI) do so once.
const MAX_NESTED_LINKS: usize = 2;

pub fn first_layer(mut link: LinkType, mut frame: &[u8]) -> Step<'_> {
    for _ in 0..=MAX_NESTED_LINKS {
        match link.0 {
            149 | 258 => (link, frame) = pktap(frame)?,
            192 => (link, frame) = ppi(frame)?,
            _ => return plain(link, frame),
        }
    }
    Err(Refusal::Malformed)
}

fn plain(link: LinkType, frame: &[u8]) -> Step<'_> {
    match link.0 {
        1 => Ok((Layer::Ethernet, frame)),
        0 | 108 => family(frame),
        6 => token_ring(frame),
        7 => arcnet(frame, 2),
        9 => Ok((Layer::Ppp, frame)),
        // FDDI: frame control and two addresses, then LLC.
        10 => Ok((Layer::Llc, rest(frame, 13)?)),
        12 | 14 | 101 | 228 | 229 => Ok((Layer::Ip, frame)),
        // PPP in HDLC-like framing and Cisco HDLC share a number, and their first byte tells them apart (RFC 1547 §4.3.1).
        50 if !matches!(frame.first(), Some(0x0f | 0x8f)) => Ok((Layer::Ppp, frame)),
        50 | 104 => Ok((Layer::Hdlc, frame)),
        51 => Ok((Layer::EtherType(0x8864), frame)),
        100 => Ok((Layer::Llc, frame)),
        105 => Ok((Layer::Wifi, frame)),
        107 => frame_relay(frame),
        // OpenBSD's enc: family, SPI, flags.
        109 => Ok((Layer::Ip, rest(frame, 12)?)),
        113 => cooked(be16(frame, 14)?, rest(frame, 16)?),
        // pflog: its header says how long it is, padded to four bytes.
        117 => {
            Ok((Layer::Ip, rest(frame, usize::from(*frame.first().ok_or(Refusal::Malformed)?).next_multiple_of(4))?))
        }
        119 => prism(frame),
        // IP over Fibre Channel: two addresses of 8 bytes.
        122 => Ok((Layer::Llc, rest(frame, 16)?)),
        127 => radiotap(frame),
        129 => arcnet(frame, 4),
        219 => Ok((Layer::Mpls, frame)),
        // Solaris ipnet: 24 bytes of where it came through.
        226 => Ok((Layer::Ip, rest(frame, 24)?)),
        239 => nflog(frame),
        276 => cooked(be16(frame, 0)?, rest(frame, 20)?),
        _ => Err(Refusal::UnknownLink),
    }
}

/// The protocol family is in the byte order of whichever host captured (`NULL`) or in network order (`LOOP`), and
/// AF_INET6 has a different number on each system; one byte of the four is never zero.
fn family(frame: &[u8]) -> Step<'_> {
    let packet = rest(frame, 4)?;
    match frame[..4] {
        [2, 0, 0, 0] | [0, 0, 0, 2] => Ok((Layer::V4, packet)),
        [10 | 24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 10 | 24 | 28 | 30] => Ok((Layer::V6, packet)),
        _ => Err(Refusal::NotIp),
    }
}

/// Linux cooked: an ethertype, or one of the kernel's own numbers below them (`linux/if_ether.h`).
fn cooked(protocol: u16, packet: &[u8]) -> Step<'_> {
    match protocol {
        4 => Ok((Layer::Llc, packet)),
        9 => Ok((Layer::Ppp, packet)),
        0..=1500 => Err(Refusal::NotIp),
        protocol => Ok((Layer::EtherType(protocol), packet)),
    }
}

/// Token ring: two bytes of control, two addresses; the first bit of the second announces routing information, whose
/// first five bits count its bytes (IEEE 802.5).
fn token_ring(frame: &[u8]) -> Step<'_> {
    let source = *frame.get(8).ok_or(Refusal::Malformed)?;
    let routing = if source & 0x80 == 0 { 0 } else { usize::from(frame.get(14).ok_or(Refusal::Malformed)? & 0x1f) };
    Ok((Layer::Llc, rest(frame, 14 + routing)?))
}

/// ARCNET as RFC 1051 (type 240) and RFC 1201 (212) put IP into it: the latter with a split flag, a sequence number,
/// and filler behind the flag ff. Datagrams in several frames are not put together.
fn arcnet(frame: &[u8], type_at: usize) -> Step<'_> {
    match (frame.get(type_at), frame.get(type_at + 1)) {
        (Some(240), _) => Ok((Layer::Ip, rest(frame, type_at + 1)?)),
        (Some(212), Some(0xff)) => Ok((Layer::Ip, rest(frame, type_at + 8)?)),
        (Some(212), Some(0)) => Ok((Layer::Ip, rest(frame, type_at + 4)?)),
        (Some(_), Some(_)) => Err(Refusal::NotIp),
        _ => Err(Refusal::Malformed),
    }
}

/// Frame relay: two to four bytes of address, the last has its lowest bit set; then an NLPID (RFC 2427 §3), or, as Cisco
/// has it, an ethertype.
fn frame_relay(frame: &[u8]) -> Step<'_> {
    let last = frame.iter().take(4).position(|byte| byte & 1 == 1).ok_or(Refusal::Malformed)?;
    let (mut kind, mut packet) = (be16(frame, last + 1)?, rest(frame, last + 1)?);
    if kind == 0x0300 {
        packet = rest(packet, 1)?; // a byte that aligns what follows
        kind = 0x0300 | be16(packet, 0)? & 0xff;
    }
    match kind {
        0x03cc => Ok((Layer::V4, rest(packet, 2)?)),
        0x038e => Ok((Layer::V6, rest(packet, 2)?)),
        // SNAP: organisation 0, an ethertype.
        0x0380 if packet.get(2..5) == Some(&[0, 0, 0]) => Ok((Layer::EtherType(be16(packet, 5)?), rest(packet, 7)?)),
        0x0600.. => Ok((Layer::EtherType(kind), rest(packet, 2)?)),
        _ => Err(Refusal::NotIp),
    }
}

/// Prism: message code and length, little-endian, the length counts both.
fn prism(frame: &[u8]) -> Step<'_> {
    let length = le32(frame, 4)? as usize;
    Ok((Layer::Wifi, rest(frame, length)?))
}

/// Radiotap (radiotap.org): version, padding, length; a set of presence words; the fields in order, of which only the
/// flags are of interest here: they say whether the 802.11 header is padded to four bytes, which is not read.
fn radiotap(frame: &[u8]) -> Step<'_> {
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE_PRESENCE: u32 = 1 << 31;
    const HEADER_IS_PADDED: u8 = 0x20;
    if frame.first() != Some(&0) {
        return Err(Refusal::Malformed);
    }
    let length = usize::from(be16(frame, 2)?.swap_bytes());
    let presence = le32(frame, 4)?;
    if presence & FLAGS != 0 {
        let mut at = 4;
        while le32(frame, at)? & MORE_PRESENCE != 0 {
            at += 4;
        }
        at += 4;
        if presence & TIME != 0 {
            at = at.next_multiple_of(8) + 8;
        }
        if at < length && frame.get(at).is_some_and(|flags| flags & HEADER_IS_PADDED != 0) {
            return Ok((Layer::PaddedWifi, rest(frame, length)?));
        }
    }
    Ok((Layer::Wifi, rest(frame, length)?))
}

/// nflog: family, version, resource; then attributes of a length (its own four bytes counted), a type and a value,
/// padded to four bytes, in the capturing host's byte order. Number 9 is the packet.
fn nflog(frame: &[u8]) -> Step<'_> {
    const PAYLOAD: u16 = 9;
    let mut attributes = rest(frame, 4)?;
    loop {
        let (length, kind) = (be16(attributes, 0)?, be16(attributes, 2)?);
        // A packet's attributes are shorter than 64 kB, and there are fewer than 256 types.
        let (length, kind) = if kind < 256 { (length, kind) } else { (length.swap_bytes(), kind.swap_bytes()) };
        let length = usize::from(length);
        if length < 4 {
            return Err(Refusal::Malformed);
        }
        if kind & 0x7fff == PAYLOAD {
            return Ok((Layer::Ip, attributes.get(4..length.min(attributes.len())).ok_or(Refusal::Malformed)?));
        }
        attributes = rest(attributes, length.next_multiple_of(4))?;
    }
}

/// pktap: length of its header, type of record, link type of what follows, in the capturing host's byte order. 149 is
/// the number that old systems used for it, and others for their own purposes.
fn pktap(frame: &[u8]) -> Result<(LinkType, &[u8]), Refusal> {
    const SMALLEST: u32 = 12;
    const LARGEST: u32 = 1024;
    let read = |at| le32(frame, at).map(|word| if is_swapped(frame) { word.swap_bytes() } else { word });
    let (length, record, link) = (read(0)?, read(4)?, read(8)?);
    match (record, u16::try_from(link)) {
        (1, Ok(link)) if (SMALLEST..=LARGEST).contains(&length) => Ok((LinkType(link), rest(frame, length as usize)?)),
        _ => Err(Refusal::NotIp),
    }
}

/// Whether the first word is a small number only when it is read the other way.
fn is_swapped(frame: &[u8]) -> bool {
    frame.first() == Some(&0)
}

/// PPI: version, flags, length, then the link type of what follows; all little-endian.
fn ppi(frame: &[u8]) -> Result<(LinkType, &[u8]), Refusal> {
    let length = usize::from(be16(frame, 2)?.swap_bytes());
    let link = u16::try_from(le32(frame, 4)?).map_err(|_| Refusal::UnknownLink)?;
    if length < 8 {
        return Err(Refusal::Malformed);
    }
    Ok((LinkType(link), rest(frame, length)?))
}

fn le32(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|word| u32::from_le_bytes(*word)).ok_or(Refusal::Malformed)
}
