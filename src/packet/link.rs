//! Link layers: the network packet inside a frame.
//!
//! Ethernet (also 802.3 with LLC/SNAP), any stack of 802.1Q, 802.1ad and the older QinQ tags, Linux cooked v1 and v2,
//! raw IP, BSD null and loop. This is where tunnels join: an ethertype that wraps another link or network layer is one
//! more arm in [`ethertype`].

use crate::capture::LinkType;

/// VLAN tags followed in one frame; more is not a network, it is an attack on parsers.
const MAX_VLAN_TAGS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    V4,
    V6,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    UnknownLink,
    Malformed,
    NotIp,
}

type Found<'a> = Result<(Network, &'a [u8]), Refusal>;

/// The IP packet in a frame of the given link type.
pub fn network_layer(link: LinkType, frame: &[u8]) -> Found<'_> {
    match link {
        LinkType::ETHERNET => ethernet(frame),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => by_version(frame),
        LinkType::NULL => null(frame),
        LinkType::LOOP => null(frame),
        LinkType::LINUX_SLL => ethertype(be16(frame, 14)?, rest(frame, 16)?),
        LinkType::LINUX_SLL2 => ethertype(be16(frame, 0)?, rest(frame, 20)?),
        LinkType(12 | 14) => by_version(frame),
        _ => Err(Refusal::UnknownLink),
    }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, Refusal> {
    bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).ok_or(Refusal::Malformed)
}

fn rest(bytes: &[u8], from: usize) -> Result<&[u8], Refusal> {
    bytes.get(from..).ok_or(Refusal::Malformed)
}

fn ethernet(frame: &[u8]) -> Found<'_> {
    ethertype(be16(frame, 12)?, rest(frame, 14)?)
}

/// What follows an ethertype (IEEE 802 numbers), VLAN tags passed over.
fn ethertype(mut kind: u16, mut packet: &[u8]) -> Found<'_> {
    for _ in 0..=MAX_VLAN_TAGS {
        match kind {
            0x0800 => return Ok((Network::V4, packet)),
            0x86dd => return Ok((Network::V6, packet)),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                kind = be16(packet, 2)?;
                packet = rest(packet, 4)?;
            }
            // A length instead of a type: 802.3 with LLC; SNAP (aa aa 03, organisation 0) carries an ethertype.
            0..=1500 => {
                if !packet.starts_with(&[0xaa, 0xaa, 0x03, 0, 0, 0]) {
                    return Err(Refusal::NotIp);
                }
                kind = be16(packet, 6)?;
                packet = rest(packet, 8)?;
                if kind <= 1500 {
                    return Err(Refusal::NotIp);
                }
            }
            _ => return Err(Refusal::NotIp),
        }
    }
    Err(Refusal::Malformed)
}

fn by_version(packet: &[u8]) -> Found<'_> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => Ok((Network::V4, packet)),
        Some(6) => Ok((Network::V6, packet)),
        Some(_) => Err(Refusal::NotIp),
        None => Err(Refusal::Malformed),
    }
}

/// The protocol family is in the byte order of whichever host captured (`NULL`) or in network order (`LOOP`), and
/// AF_INET6 has a different number on each system; one byte of the four is never zero.
fn null(frame: &[u8]) -> Found<'_> {
    let family = frame.get(..4).ok_or(Refusal::Malformed)?;
    let packet = rest(frame, 4)?;
    match family {
        [2, 0, 0, 0] | [0, 0, 0, 2] => Ok((Network::V4, packet)),
        [10 | 24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 10 | 24 | 28 | 30] => Ok((Network::V6, packet)),
        _ => Err(Refusal::NotIp),
    }
}
