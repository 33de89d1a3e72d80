//! Link layers: from any header to the IP packet behind it.
//!
//! In go a [`Layer`] and the bytes that begin with it, out comes the IP packet. One function a header, each with its
//! checks; [`network_layer`] walks from one to the next, so that headers may be stacked in any mix, as deep as the
//! [`Path`] allows. Refused: what carries something else than IP, what is encrypted, what contradicts itself.

use super::checksum;
use super::encapsulation::{Encapsulation, Path, Refusal};
use super::wifi;

/// Labels of one MPLS stack. Segment routing stacks a dozen.
const MAX_LABELS: usize = 16;

/// What bytes begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    Ethernet,
    /// What follows this ethertype (IEEE 802 numbers), or the length of 802.3.
    EtherType(u16),
    Llc,
    Ppp,
    Hdlc,
    Mpls,
    Nsh,
    Wifi,
    /// 802.11 with its header padded to a multiple of four bytes.
    PaddedWifi,
    /// IP by its version.
    Ip,
    V4,
    V6,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    V4,
    V6,
}

/// The next header and its bytes.
pub type Step<'a> = Result<(Layer, &'a [u8]), Refusal>;

pub fn be16(bytes: &[u8], at: usize) -> Result<u16, Refusal> {
    bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).ok_or(Refusal::Malformed)
}

pub fn byte(bytes: &[u8], at: usize) -> Result<u8, Refusal> {
    bytes.get(at).copied().ok_or(Refusal::Malformed)
}

pub fn rest(bytes: &[u8], from: usize) -> Result<&[u8], Refusal> {
    bytes.get(from..).ok_or(Refusal::Malformed)
}

/// The IP packet in `bytes`. Every step takes at least one byte, or enters the path.
pub fn network_layer<'a>(
    mut layer: Layer,
    mut bytes: &'a [u8],
    path: &mut Path<'_>,
) -> Result<(Network, &'a [u8]), Refusal> {
    loop {
        (layer, bytes) = match layer {
            Layer::V4 => return Ok((Network::V4, bytes)),
            Layer::V6 => return Ok((Network::V6, bytes)),
            Layer::Ip => match byte(bytes, 0)? >> 4 {
                4 => return Ok((Network::V4, bytes)),
                6 => return Ok((Network::V6, bytes)),
                _ => return Err(Refusal::NotIp),
            },
            Layer::Ethernet => (Layer::EtherType(be16(bytes, 12)?), rest(bytes, 14)?),
            Layer::EtherType(kind) => ethertype(kind, bytes, path)?,
            Layer::Llc => llc(bytes)?,
            Layer::Ppp => ppp(bytes)?,
            // Address, control, ethertype (RFC 1547 §4.3.1).
            Layer::Hdlc => (Layer::EtherType(be16(bytes, 2)?), rest(bytes, 4)?),
            Layer::Mpls => mpls(bytes, path)?,
            Layer::Nsh => nsh(bytes, path)?,
            Layer::Wifi => wifi::frame(bytes, false, path)?,
            Layer::PaddedWifi => wifi::frame(bytes, true, path)?,
        };
    }
}

/// Whether bytes that ought to be an Ethernet frame look like one: nobody sends from a group address, and the ethertype
/// is one that occurs, with IP behind it where it says so.
pub fn is_ethernet(frame: &[u8]) -> bool {
    let (Some(source), Ok(kind)) = (frame.get(6), be16(frame, 12)) else { return false };
    let behind = frame.get(14);
    source & 1 == 0
        && match kind {
            0x0800 => matches!(behind, Some(0x45..=0x4f)),
            0x86dd => matches!(behind, Some(0x60..=0x6f)),
            3..=1500 => usize::from(kind) <= frame.len() - 14, // LLC takes three; of the 14 that were just read
            0x0806 | 0x8035 | 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => true,
            0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x880b | 0x8809 | 0x888e | 0x88cc | 0x88e5 | 0x88e7 => true,
            0x8902 | 0x8903 | 0x8906 | 0x8909 | 0x8926 | 0x892f | 0x893f | 0x894f | 0x6558 | 0x9000 | 0x88f7 => true,
            _ => false,
        }
}

fn ethertype<'a>(kind: u16, packet: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    match kind {
        0x0800 => Ok((Layer::V4, packet)),
        0x86dd => Ok((Layer::V6, packet)),
        // 802.1Q, 802.1ad, and the numbers used for outer tags before it.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            let tag = be16(packet, 0)?;
            let step = tagged(Encapsulation::Vlan, packet, 2, path)?;
            path.vlan(tag);
            Ok(step)
        }
        0x8926 => tagged(Encapsulation::VnTag, packet, 4, path),
        // 802.1BR: priority and ingress, base of the E-CID, extensions of both.
        0x893f => tagged(Encapsulation::Etag, packet, 6, path),
        // Cisco's metadata with one option, the security group.
        0x8909 if packet.starts_with(&[1, 1]) => tagged(Encapsulation::SecurityGroupTag, packet, 6, path),
        0x8847 | 0x8848 => Ok((Layer::Mpls, packet)),
        0x8864 => pppoe(packet, path),
        0x88e5 => macsec(packet, path),
        0x894f => Ok((Layer::Nsh, packet)),
        0x6558 => Ok((Layer::Ethernet, packet)),
        0x880b => Ok((Layer::Ppp, packet)),
        0x8870 => Ok((Layer::Llc, packet)),
        // FabricPath: the frame's own addresses follow the tag, as they follow the I-TAG of 802.1ah.
        0x8903 => framed(Encapsulation::FabricPath, packet, 2, path),
        0x88e7 => framed(Encapsulation::ProviderBackbone, packet, 4, path),
        // A length instead of a type: 802.3.
        0..=1500 => Ok((Layer::Llc, packet)),
        _ => Err(Refusal::NotIp),
    }
}

/// A tag of `length` bytes, then the ethertype of what it tags.
fn tagged<'a>(kind: Encapsulation, packet: &'a [u8], length: usize, path: &mut Path<'_>) -> Step<'a> {
    let step = (Layer::EtherType(be16(packet, length)?), rest(packet, length + 2)?);
    path.enter(kind)?;
    Ok(step)
}

/// A tag of `length` bytes, then an Ethernet frame.
fn framed<'a>(kind: Encapsulation, packet: &'a [u8], length: usize, path: &mut Path<'_>) -> Step<'a> {
    let frame = rest(packet, length)?;
    path.enter(kind)?;
    Ok((Layer::Ethernet, frame))
}

/// SNAP with an ethertype (RFC 1042; 00 00 f8 is 802.1H), IP's own SAP, or an NLPID (RFC 2684 §5.1).
fn llc(packet: &[u8]) -> Step<'_> {
    match packet {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, ..] if *high >= 6 => {
            Ok((Layer::EtherType(u16::from_be_bytes([*high, *low])), rest(packet, 8)?))
        }
        [0x06, 0x06, 0x03, ..] => Ok((Layer::Ip, rest(packet, 3)?)),
        [0xfe, 0xfe, 0x03, 0xcc, ..] => Ok((Layer::V4, rest(packet, 4)?)),
        [0xfe, 0xfe, 0x03, 0x8e, ..] => Ok((Layer::V6, rest(packet, 4)?)),
        _ => Err(Refusal::NotIp),
    }
}

/// PPP, with or without address and control; a protocol below 256 may be one byte, which is odd (RFC 1661 §2 and §6.5).
fn ppp(frame: &[u8]) -> Step<'_> {
    let frame = if frame.starts_with(&[0xff, 0x03]) { rest(frame, 2)? } else { frame };
    let first = byte(frame, 0)?;
    let (protocol, packet) =
        if first & 1 == 1 { (u16::from(first), rest(frame, 1)?) } else { (be16(frame, 0)?, rest(frame, 2)?) };
    match protocol {
        0x0021 => Ok((Layer::V4, packet)),
        0x0057 => Ok((Layer::V6, packet)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, packet)),
        _ => Err(Refusal::NotIp),
    }
}

/// PPPoE session (RFC 2516 §4): version and type 1, code 0, session, length, then PPP.
fn pppoe<'a>(packet: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let frame = rest(packet, 6)?;
    if packet[0] != 0x11 || packet[1] != 0 {
        return Err(Refusal::Malformed);
    }
    path.enter(Encapsulation::Pppoe)?;
    Ok((Layer::Ppp, frame))
}

/// MACsec (802.1AE §9): the two bits that say whether the user data was changed must be clear.
fn macsec<'a>(packet: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    const HAS_CHANNEL: u8 = 0x20;
    const IS_CHANGED: u8 = 0x0c;
    let control = byte(packet, 0)?;
    if control & IS_CHANGED != 0 {
        return Err(Refusal::Skipped(Encapsulation::Macsec));
    }
    // Control, short length, packet number, and the secure channel's eight bytes.
    tagged(Encapsulation::Macsec, packet, if control & HAS_CHANNEL != 0 { 14 } else { 6 }, path)
}

/// A stack of MPLS labels (RFC 3032), and what is below it, which nothing but its first nibble tells (RFC 4928 §3):
/// 4 and 6 are IP, 0 the control word of a pseudo-wire (RFC 4385 §3), 1 an associated channel. An Ethernet pseudo-wire
/// without a control word begins with any nibble, so a good frame goes before a packet that does not add up.
fn mpls<'a>(packet: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let bottom = packet.as_chunks::<4>().0.iter().take(MAX_LABELS).position(|label| label[2] & 1 == 1);
    let inner = rest(packet, (bottom.ok_or(Refusal::Malformed)? + 1) * 4)?;
    path.enter(Encapsulation::Mpls)?;
    let pseudo_wire = |path: &mut Path<'_>, frame| {
        path.enter(Encapsulation::PseudoWire)?;
        Ok((Layer::Ethernet, frame))
    };
    match byte(inner, 0)? >> 4 {
        4 if is_ethernet(inner) && !inner.get(..20).is_some_and(checksum::header_is_right) => pseudo_wire(path, inner),
        6 if is_ethernet(inner) && !is_as_long_as_said(inner) => pseudo_wire(path, inner),
        4 => Ok((Layer::V4, inner)),
        6 => Ok((Layer::V6, inner)),
        0 if inner.get(4..).is_some_and(is_ethernet) => pseudo_wire(path, &inner[4..]),
        _ if is_ethernet(inner) => pseudo_wire(path, inner),
        1 => Err(Refusal::NotIp),
        _ => Err(Refusal::Skipped(Encapsulation::PseudoWire)),
    }
}

/// Whether an IPv6 packet ends where the bytes end, give or take a frame check sequence.
fn is_as_long_as_said(packet: &[u8]) -> bool {
    const HEADER: usize = 40;
    const CHECK_SEQUENCE: usize = 4;
    let said = be16(packet, 4).map_or(0, |payload| HEADER + usize::from(payload));
    (said..=said + CHECK_SEQUENCE).contains(&packet.len())
}

/// Network service header (RFC 8300 §2.2): version 0, a length in words, the kind of metadata, the next protocol.
fn nsh<'a>(packet: &'a [u8], path: &mut Path<'_>) -> Step<'a> {
    let [first, second, _, protocol] = *packet.first_chunk().ok_or(Refusal::Malformed)?;
    let length = usize::from(second & 0x3f) * 4;
    if first >> 6 != 0 || length < 8 {
        return Err(Refusal::Skipped(Encapsulation::Nsh));
    }
    let inner = rest(packet, length)?;
    path.enter(Encapsulation::Nsh)?;
    next_protocol(protocol, inner).ok_or(Refusal::NotIp)
}

/// The numbers that NSH and VXLAN-GPE share (RFC 8300 §9.1.6).
pub fn next_protocol(protocol: u8, inner: &[u8]) -> Option<(Layer, &[u8])> {
    match protocol {
        1 => Some((Layer::V4, inner)),
        2 => Some((Layer::V6, inner)),
        3 => Some((Layer::Ethernet, inner)),
        4 => Some((Layer::Nsh, inner)),
        5 => Some((Layer::Mpls, inner)),
        _ => None,
    }
}
