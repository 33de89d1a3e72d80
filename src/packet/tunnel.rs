//! Tunnels over IP: what an IP packet carries that is no TCP.
//!
//! In goes a datagram, out comes the header inside it and its bytes, if it is a tunnel of those known here or in
//! [`udp`](super::udp). Nothing for any other protocol; refused with the kind where a header says that it is a tunnel and
//! contradicts itself, is encrypted, or carries no frame.

use super::encapsulation::{Encapsulation, Path, Refusal};
use super::layer::{Layer, Step, be16, byte, rest};
use super::network::Datagram;
use super::udp;
use std::net::IpAddr;

/// What the datagram wraps; nothing where it wraps nothing.
pub fn inside<'a>(datagram: &Datagram<'a>, path: &mut Path<'_>) -> Result<Option<(Layer, &'a [u8])>, Refusal> {
    let payload = datagram.payload;
    let found = match datagram.protocol {
        4 | 94 => ip(Layer::V4, payload, path),
        41 => ip(Layer::V6, payload, path),
        17 => return udp::inside(payload, datagram.cut, path),
        47 => gre(payload, path),
        50 => Err(Refusal::Skipped(Encapsulation::Esp)),
        97 => ether_ip(payload, path),
        137 => Ok((Layer::Mpls, payload)),
        _ => return Ok(None),
    };
    found.map(Some)
}

/// AH in an IPv4 packet (RFC 4302 §2): gives the protocol behind it and its bytes. In IPv6 it is an extension header.
pub fn authenticated<'a>(datagram: &Datagram<'a>, path: &mut Path<'_>) -> Result<Datagram<'a>, Refusal> {
    let skipped = Refusal::Skipped(Encapsulation::AuthenticationHeader);
    let (Some(protocol), Some(words)) = (datagram.payload.first(), datagram.payload.get(1)) else {
        return Err(skipped);
    };
    let payload = datagram.payload.get(8 + usize::from(*words) * 4..).ok_or(skipped)?;
    path.enter(Encapsulation::AuthenticationHeader)?;
    Ok(Datagram { protocol: *protocol, payload, ..*datagram })
}

pub const AUTHENTICATION_HEADER: u8 = 51;

/// Whether the datagram has an AH that is not yet taken off.
pub fn is_authenticated(datagram: &Datagram<'_>) -> bool {
    datagram.protocol == AUTHENTICATION_HEADER && matches!(datagram.source, IpAddr::V4(_))
}

/// IP in IP (RFC 2003), 6in4 (RFC 4213), IPv6 in IPv6 (RFC 2473): the version must be the protocol's.
fn ip<'a>(layer: Layer, payload: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let version = if layer == Layer::V4 { 4 } else { 6 };
    if payload.first().is_none_or(|byte| byte >> 4 != version) {
        return Err(Refusal::Skipped(Encapsulation::IpInIp));
    }
    path.enter(Encapsulation::IpInIp)?;
    Ok((layer, payload))
}

/// RFC 3378: version 3, twelve bits of zero.
fn ether_ip<'a>(payload: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let Some(frame) = payload.strip_prefix(&[0x30, 0]) else {
        return Err(Refusal::Skipped(Encapsulation::EtherIp));
    };
    path.enter(Encapsulation::EtherIp)?;
    Ok((Layer::Ethernet, frame))
}

/// GRE (RFC 2784, RFC 2890) and the version 1 of PPTP (RFC 2637).
fn gre<'a>(payload: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let skipped = Refusal::Skipped(Encapsulation::Gre);
    let (flags, protocol) = (be16(payload, 0)?, be16(payload, 2)?);
    let version = flags & 7;
    let is_valid = match version {
        0 => true,
        1 => flags & KEY != 0 && flags & (CHECKSUM | ROUTING) == 0 && protocol == 0x880b,
        _ => false,
    };
    if !is_valid {
        return Err(skipped);
    }
    let mut at = if flags & (CHECKSUM | ROUTING) != 0 { 8 } else { 4 };
    let mut key = None;
    if flags & KEY != 0 {
        key = Some((be16(payload, at)?, byte(payload, at + 2)?));
        at += 4;
    }
    at += if flags & SEQUENCE != 0 { 4 } else { 0 };
    at += if version == 1 && flags & ACKNOWLEDGEMENT != 0 { 4 } else { 0 };
    if flags & ROUTING != 0 {
        // Source routes (RFC 1701): family, offset, length, until a family and length of zero.
        while let (family, length) = (be16(payload, at)?, byte(payload, at + 3)?)
            && (family, length) != (0, 0)
        {
            at += 4 + usize::from(length);
        }
        at += 4;
    }
    let inner = rest(payload, at)?;
    if version == 1 && inner.is_empty() {
        return Err(Refusal::NotIp); // an acknowledgement alone
    }
    match protocol {
        0x88be | 0x22eb => erspan(protocol, flags & SEQUENCE != 0, inner, path),
        0x6558 => {
            let kind = if key.is_some() { Encapsulation::Nvgre } else { Encapsulation::Gre };
            path.enter(kind)?;
            if let Some((high, low)) = key {
                path.vni(kind, u32::from(high) << 8 | u32::from(low)); // RFC 7637 §3.2
            }
            Ok((Layer::Ethernet, inner))
        }
        0x883e => wccp(inner, path),
        // Aruba's access points: 802.11, with a number of the session in the low byte.
        0x8200..=0x82ff => entered(Encapsulation::Gre, (Layer::Wifi, inner), path),
        0..=0x05ff => Err(skipped), // keep-alives
        _ => entered(Encapsulation::Gre, (Layer::EtherType(protocol), inner), path),
    }
}

fn entered<'a>(kind: Encapsulation, step: (Layer, &'a [u8]), path: &mut Path<'_>) -> Step<'a> {
    path.enter(kind)?;
    Ok(step)
}

/// ERSPAN (draft-foschiano-erspan-03 §4): type I is bare, II has 8 bytes, III has 12 and, with its O bit, 8 more. I and II
/// share a protocol; only II has a sequence number.
fn erspan<'a>(protocol: u16, has_sequence: bool, inner: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    const ETHERNET: u8 = 0;
    const IP: u8 = 2;
    let skipped = Refusal::Skipped(Encapsulation::Erspan);
    let (length, kind) = match (protocol, has_sequence, inner.first().map(|byte| byte >> 4)) {
        (0x88be, false, _) => (0, ETHERNET),
        (0x88be, true, Some(1)) => (8, ETHERNET),
        (0x22eb, _, Some(2)) => {
            let last = byte(inner, 11)?;
            let kind = byte(inner, 10)? >> 2 & 0x1f;
            (if last & 1 == 1 { 20 } else { 12 }, kind)
        }
        _ => return Err(skipped),
    };
    let frame = rest(inner, length)?;
    match kind {
        ETHERNET => entered(Encapsulation::Erspan, (Layer::Ethernet, frame), path),
        IP => entered(Encapsulation::Erspan, (Layer::Ip, frame), path),
        _ => Err(skipped),
    }
}

/// WCCP: version 1 carries the packet at once, version 2 behind a redirect header of four bytes.
fn wccp<'a>(inner: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let packet = if byte(inner, 0)? >> 4 == 4 { inner } else { rest(inner, 4)? };
    if packet.first().is_none_or(|byte| byte >> 4 != 4) {
        return Err(Refusal::Skipped(Encapsulation::Wccp));
    }
    entered(Encapsulation::Wccp, (Layer::V4, packet), path)
}
