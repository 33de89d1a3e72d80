//! Tunnels in UDP.
//!
//! In goes a UDP datagram, out comes the header inside it. A port alone says little, anything may be sent to it: each
//! header is checked, and what it announces must be there. What fails stays a UDP datagram that is not looked into, and
//! counts as skipped where the port says what it should have been.

use super::encapsulation::{Encapsulation, Path, Refusal};
use super::layer::{Layer, be16, is_ethernet, next_protocol, rest};

const HEADER_BYTES: usize = 8;
const VXLAN_GPE: u16 = 4790;
const TEREDO: u16 = 3544;
const AYIYA: u16 = 5072;
const AYIYA_FORWARD: u8 = 1;
const MPLS: u16 = 6635;
const L2TP: u16 = 1701;
const CAPWAP_DATA: u16 = 5247;
const TZSP: u16 = 37008;

/// A header inside, and its bytes.
type Inner<'a> = Option<(Layer, &'a [u8])>;

pub fn inside<'a>(datagram: &'a [u8], cut: usize, path: &mut Path<'_>) -> Result<Option<(Layer, &'a [u8])>, Refusal> {
    let (Ok(source), Ok(destination), Ok(length)) = (be16(datagram, 0), be16(datagram, 2), be16(datagram, 4)) else {
        return Ok(None);
    };
    // A length of zero, or beyond what is there, comes of segmentation offload and of snap lengths.
    let end = if (HEADER_BYTES..=datagram.len()).contains(&length.into()) { length.into() } else { datagram.len() };
    let Some(payload) = datagram.get(HEADER_BYTES..end) else { return Ok(None) };
    let is_of = |port| source == port || destination == port;
    let tunnels = path.tunnels;
    let (kind, found) = match destination {
        port if tunnels.vxlan_ports.contains(&port) => vxlan(payload, false, path),
        VXLAN_GPE => vxlan(payload, true, path),
        port if tunnels.geneve_ports.contains(&port) => (Encapsulation::Geneve, geneve(payload, path)),
        port if tunnels.gtp_ports.contains(&port) || tunnels.gtp_ports.contains(&source) => match gtp(payload, cut) {
            Gtp::Signalling => return Ok(None),
            Gtp::Packet(inner) => (Encapsulation::Gtp, Some((Layer::Ip, inner))),
            Gtp::None => (Encapsulation::Gtp, None),
        },
        MPLS => (Encapsulation::MplsInUdp, mpls(payload)),
        // Heartbeats and questions have another operation.
        _ if is_of(AYIYA) && payload.get(2).is_some_and(|operation| operation & 0xf != AYIYA_FORWARD) => {
            return Ok(None);
        }
        _ if is_of(AYIYA) => (Encapsulation::Ayiya, ayiya(payload)),
        _ if is_of(L2TP) => match l2tp(payload) {
            L2tp::Control => return Ok(None),
            L2tp::Frame(frame) => (Encapsulation::L2tp, Some((Layer::Ppp, frame))),
            L2tp::None => (Encapsulation::L2tp, None),
        },
        _ if is_of(CAPWAP_DATA) => (Encapsulation::Capwap, capwap(payload)),
        TZSP => (Encapsulation::Tzsp, tzsp(payload)),
        // Teredo clients speak to each other on any port; what is not theirs is not a failed tunnel.
        _ => match teredo(payload, cut, is_of(TEREDO)) {
            Some(packet) => (Encapsulation::Teredo, Some((Layer::V6, packet))),
            None => return Ok(None),
        },
    };
    let step = found.ok_or(Refusal::Skipped(kind))?;
    path.enter(kind)?;
    Ok(Some(step))
}

fn be24(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 3).map_or(0, |three| u32::from_be_bytes([0, three[0], three[1], three[2]]))
}

/// VXLAN (RFC 7348 §5): the I flag and a network. With the P flag, or on its own port, it is VXLAN-GPE
/// (draft-ietf-nvo3-vxlan-gpe §3): version 0 and a next protocol.
fn vxlan<'a>(payload: &'a [u8], is_gpe_port: bool, path: &mut Path<'_>) -> (Encapsulation, Inner<'a>) {
    const HAS_NETWORK: u8 = 0x08;
    const HAS_PROTOCOL: u8 = 0x04;
    const VERSION: u8 = 0x30;
    let Some(([flags, _, _, protocol, _, _, _, _], inner)) = payload.split_first_chunk::<8>() else {
        return (if is_gpe_port { Encapsulation::VxlanGpe } else { Encapsulation::Vxlan }, None);
    };
    let is_gpe = flags & HAS_PROTOCOL != 0 && flags & VERSION == 0;
    let kind = if is_gpe { Encapsulation::VxlanGpe } else { Encapsulation::Vxlan };
    let found = if flags & HAS_NETWORK == 0 {
        None
    } else if is_gpe {
        next_protocol(*protocol, inner).filter(is_plausible)
    } else {
        Some((Layer::Ethernet, inner)).filter(is_plausible)
    };
    if found.is_some() {
        path.vni(kind, be24(payload, 4));
    }
    (kind, found)
}

/// Whether the bytes may be what they are said to be.
fn is_plausible((layer, bytes): &(Layer, &[u8])) -> bool {
    let version = bytes.first().map(|byte| byte >> 4);
    match layer {
        Layer::Ethernet => is_ethernet(bytes),
        Layer::V4 => version == Some(4),
        Layer::V6 => version == Some(6),
        _ => true,
    }
}

/// Geneve (RFC 8926 §3.4): version 0, the options' length, an ethertype, a network.
fn geneve<'a>(payload: &'a [u8], path: &mut Path<'_>) -> Inner<'a> {
    let [first, second, high, low, ..] = *payload.first_chunk::<8>()?;
    const RESERVED: u8 = 0x3f;
    if first >> 6 != 0 || second & RESERVED != 0 {
        return None;
    }
    let inner = payload.get(8 + usize::from(first & 0x3f) * 4..)?;
    let step = match u16::from_be_bytes([high, low]) {
        0x6558 => (Layer::Ethernet, inner),
        0x0800 => (Layer::V4, inner),
        0x86dd => (Layer::V6, inner),
        kind @ 0x0600.. => (Layer::EtherType(kind), inner),
        _ => return None,
    };
    if !is_plausible(&step) {
        return None;
    }
    path.vni(Encapsulation::Geneve, be24(payload, 4));
    Some(step)
}

enum Gtp<'a> {
    Packet(&'a [u8]),
    /// Echo, error indication, end marker: messages of the tunnel itself.
    Signalling,
    None,
}

/// GTP-U (3GPP TS 29.281 §5): version 1, protocol type 1, of the messages the one that carries a packet, a length that
/// fits, and a chain of extension headers in units of four bytes, each ending in the type of the next.
fn gtp(payload: &[u8], cut: usize) -> Gtp<'_> {
    const VERSION_AND_TYPE: u8 = 0xf0;
    const EXTENSION: u8 = 0x04;
    const EXTENSION_SEQUENCE_OR_NUMBER: u8 = 0x07;
    const PACKET: u8 = 0xff;
    let Some(([flags, message, high, low, ..], _)) = payload.split_first_chunk::<8>() else { return Gtp::None };
    let end = 8 + usize::from(u16::from_be_bytes([*high, *low]));
    // A length of zero comes of segmentation offload.
    if flags & VERSION_AND_TYPE != 0x30 || (end > 8 && end > payload.len() + cut) {
        return Gtp::None;
    }
    if *message != PACKET {
        return Gtp::Signalling;
    }
    let mut at = 8;
    if flags & EXTENSION_SEQUENCE_OR_NUMBER != 0 {
        at = 12;
        let mut next = if flags & EXTENSION != 0 { payload.get(11) } else { Some(&0) };
        while let Some(kind) = next
            && *kind != 0
        {
            let length = payload.get(at).map_or(0, |words| usize::from(*words) * 4);
            if length == 0 {
                return Gtp::None;
            }
            at += length;
            next = payload.get(at - 1);
        }
        if next.is_none() {
            return Gtp::None;
        }
    }
    match payload.get(at..) {
        Some(packet) if packet.first().is_some_and(|byte| matches!(byte >> 4, 4 | 6)) => Gtp::Packet(packet),
        _ => Gtp::None,
    }
}

/// MPLS in UDP (RFC 7510): the stack must end within the datagram.
fn mpls(payload: &[u8]) -> Inner<'_> {
    payload.as_chunks::<4>().0.iter().any(|label| label[2] & 1 == 1).then_some((Layer::Mpls, payload))
}

/// A forwarded packet of AYIYA (draft-massar-v6ops-ayiya-02 §3): lengths of identity and signature, the next protocol.
fn ayiya(payload: &[u8]) -> Inner<'_> {
    let [identity, signature, _, next, ..] = *payload.first_chunk::<8>()?;
    let length = 8 + (1usize << (identity >> 4)) + usize::from(signature >> 4) * 4;
    let packet = payload.get(length..)?;
    let step = match next {
        4 => (Layer::V4, packet),
        41 => (Layer::V6, packet),
        _ => return None,
    };
    is_plausible(&step).then_some(step)
}

enum L2tp<'a> {
    Frame(&'a [u8]),
    Control,
    None,
}

/// L2TP version 2 (RFC 2661 §3.1): flags say which of length, sequence numbers and offset are there; then PPP.
fn l2tp(payload: &[u8]) -> L2tp<'_> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const RESERVED: u16 = 0x34f0;
    let Ok(flags) = be16(payload, 0) else { return L2tp::None };
    if flags & 0xf != 2 || flags & RESERVED != 0 {
        return L2tp::None;
    }
    if flags & CONTROL != 0 {
        return L2tp::Control;
    }
    let mut at = 6 + if flags & LENGTH != 0 { 2 } else { 0 } + if flags & SEQUENCE != 0 { 4 } else { 0 };
    if flags & OFFSET != 0 {
        let Ok(offset) = be16(payload, at) else { return L2tp::None };
        at += 2 + usize::from(offset);
    }
    rest(payload, at).ok().filter(|frame| !frame.is_empty()).map_or(L2tp::None, L2tp::Frame)
}

/// CAPWAP data (RFC 5415 §4.3): version 0 and no DTLS, a header length in words; whole frames only, of 802.11 or 802.3.
fn capwap(payload: &[u8]) -> Inner<'_> {
    const IS_NATIVE: u8 = 0x01;
    const IS_FRAGMENT: u8 = 0x80;
    const IEEE_802_11: u8 = 1;
    let [preamble, first, second, third, ..] = *payload.first_chunk::<8>()?;
    let binding = second >> 1 & 0x1f;
    let frame = payload.get(usize::from(first >> 3) * 4..)?;
    if preamble != 0 || first >> 3 < 2 || third & IS_FRAGMENT != 0 {
        return None;
    }
    match second & IS_NATIVE {
        0 => Some((Layer::Ethernet, frame)).filter(is_plausible),
        _ if binding == IEEE_802_11 => Some((Layer::Wifi, frame)),
        _ => None,
    }
}

/// TZSP, by which some routers send what they capture: version 1, a received or sent packet of Ethernet or 802.11, tagged
/// fields up to the one that ends them.
fn tzsp(payload: &[u8]) -> Inner<'_> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let ([version, kind, high, low], mut fields) = payload.split_first_chunk::<4>()?;
    if *version != 1 || *kind > 1 {
        return None;
    }
    loop {
        fields = match fields {
            [END, ..] => break,
            [PADDING, behind @ ..] => behind,
            [_, length, behind @ ..] => behind.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
    match u16::from_be_bytes([*high, *low]) {
        1 => Some((Layer::Ethernet, &fields[1..])).filter(is_plausible), // behind END
        0x12 => Some((Layer::Wifi, &fields[1..])),
        _ => None,
    }
}

/// Teredo (RFC 4380 §5.1.1): authentication and origin may come first; then an IPv6 packet that ends where the datagram
/// ends. On other ports than its own, where clients speak to relays and to each other, one of the addresses must be a
/// client's, 2001::/32.
fn teredo(payload: &[u8], cut: usize, is_its_port: bool) -> Option<&[u8]> {
    const AUTHENTICATION: [u8; 2] = [0, 1];
    const ORIGIN: [u8; 2] = [0, 0];
    const ORIGIN_BYTES: usize = 8;
    const IPV6_HEADER_BYTES: usize = 40;
    const PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];
    let mut packet = payload;
    if packet.starts_with(&AUTHENTICATION) {
        // Lengths of identifier and value, then both, a nonce of eight bytes and a confirmation.
        packet = packet.get(4 + usize::from(*packet.get(2)?) + usize::from(*packet.get(3)?) + 9..)?;
    }
    if packet.starts_with(&ORIGIN) {
        packet = packet.get(ORIGIN_BYTES..)?;
    }
    let header = packet.first_chunk::<IPV6_HEADER_BYTES>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // Trailers of Teredo's extensions may follow the packet (RFC 6081 §4).
    let is_whole = IPV6_HEADER_BYTES + length <= packet.len() + cut;
    let is_exact = IPV6_HEADER_BYTES + length == packet.len() + cut;
    let is_client = header[8..12] == PREFIX || header[24..28] == PREFIX;
    (header[0] >> 4 == 6 && is_whole && (is_its_port || (is_exact && is_client))).then_some(packet)
}
