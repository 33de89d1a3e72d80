//! Counts what shows whether a mirror is a good one: frames in, [`Figures`] out.
//!
//! It goes through the sensor's own decoder, so that what is read here is read there, tags and tunnels included; only the
//! numbers of VLANs are taken beside it. Nothing is refused: broken frames are counted as such.
//!
//! Bounds: [`MOST_FLOWS`] flows, those seen first; of each, [`LOOKED_AT`] payloads. Tags and ports are 16-bit numbers.

use crate::capture::{Frame, LinkType, vlan};
use crate::hash::HashKey;
use crate::http::head::{Guess, begins_with_known_method, guess};
use crate::http::http2;
use crate::packet::{Decoder, Encapsulation, PacketLimits, Segment, TcpFlags, Tunnels};
use crate::time::Timestamp;
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// About 6 MB; ten seconds of a busy gateway.
const MOST_FLOWS: usize = 65_536;
/// Payloads of a flow that are looked at for what protocol it is.
const LOOKED_AT: u8 = 16;
/// A flow of fewer segments says nothing of directions: a lone SYN is a scan, not a broken mirror.
const JUDGED_SEGMENTS: u64 = 3;
/// Ethernet's header, which an MTU does not count.
const ETHERNET_HEADER_BYTES: u32 = 14;
const TAG_BYTES: u32 = 4;

/// What the payload of a flow is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Http,
    Http2,
    Tls,
}

#[derive(Default)]
struct Flow {
    segments: [u64; 2],
    has_syn: bool,
    has_syn_ack: bool,
    looked_at: u8,
    protocol: Option<Protocol>,
    server_port: u16,
}

/// The counts, as they go into `--json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    pub frames: u64,
    pub bytes: u64,
    pub tcp_segments: u64,
    pub malformed: u64,
    pub not_ip: u64,
    pub unknown_link: u64,
    pub cut_by_snaplen: u64,
    /// Longest frame on the wire.
    pub largest_frame: u32,
    /// Frames longer than the interface's MTU allows; of a capture, whose MTU is not known, longer than a jumbo frame.
    pub over_mtu: u64,
    /// Frames by their outermost VLAN tag.
    pub vlans: BTreeMap<u16, u64>,
    /// Packets by what else wraps them, and of these those that are not looked into.
    pub wrapped: BTreeMap<&'static str, u64>,
    pub wrapped_unread: BTreeMap<&'static str, u64>,
    /// Frames with more tags and tunnels than are followed.
    pub too_deep: u64,
    /// TCP segments that were mirrored a second time.
    pub duplicates: u64,
    pub flows: u64,
    /// Segments of flows beyond the most that are kept.
    pub segments_passed_over: u64,
    /// Flows of at least three segments.
    pub flows_judged: u64,
    pub flows_one_sided: u64,
    /// Flows whose SYN was seen, and of these those with a SYN-ACK.
    pub flows_opened: u64,
    pub flows_answered: u64,
    /// Flows with a SYN-ACK whose SYN was not seen.
    pub flows_answered_only: u64,
    pub flows_with_payload: u64,
    pub flows_by_protocol: BTreeMap<Protocol, u64>,
    /// Flows by the server's port.
    pub ports: BTreeMap<Protocol, BTreeMap<u16, u64>>,
    /// Frames the kernel had no room for while listening.
    pub kernel_drops: u64,
    /// Frames the card or its driver dropped.
    pub interface_drops: u64,
}

/// Of a capture, whose interface's MTU is not known: jumbo frames are 9,000 bytes, and nothing on a wire is longer.
pub const JUMBO_MTU: u32 = 9_216;

pub struct Traffic {
    decoder: Decoder,
    mtu: u32,
    flows: HashMap<u64, Flow>,
    figures: Figures,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl Traffic {
    pub fn new(mtu: u32, tunnels: Tunnels) -> Traffic {
        // Whose flows these are does not leave this process, and it does not live for long.
        let decoder = Decoder::new(HashKey::new(*b"a doctor's visit"), PacketLimits::default()).with(tunnels);
        Traffic { decoder, mtu, flows: HashMap::new(), figures: Figures::default(), first: None, last: None }
    }

    pub fn see(&mut self, frame: &Frame) {
        self.first = Some(self.first.map_or(frame.time, |first| first.min(frame.time)));
        self.last = Some(self.last.map_or(frame.time, |last| last.max(frame.time)));
        let tags: Vec<u16> = vlan::tags(frame.link, frame.bytes).map_while(|tag| tag.number).collect();
        if let Some(outermost) = tags.first() {
            *self.figures.vlans.entry(*outermost).or_default() += 1;
        }
        let tag_bytes = tags.len() as u32 * TAG_BYTES; // a handful
        let header = if frame.link == LinkType::ETHERNET { ETHERNET_HEADER_BYTES + tag_bytes } else { 0 };
        self.figures.largest_frame = self.figures.largest_frame.max(frame.wire_len);
        self.figures.over_mtu += u64::from(frame.wire_len.saturating_sub(header) > self.mtu);
        if let Some(segment) = self.decoder.decode(frame) {
            see_segment(&mut self.flows, &mut self.figures, &segment);
        }
    }

    pub fn add_drops(&mut self, kernel: u64, interface: u64) {
        self.figures.kernel_drops += kernel;
        self.figures.interface_drops += interface;
    }

    pub fn figures(&self) -> Figures {
        let mut figures = self.figures.clone();
        let counters = &self.decoder.counters;
        figures.frames = counters.frames;
        figures.bytes = counters.wire_bytes;
        figures.tcp_segments = counters.tcp_segments;
        figures.malformed = counters.malformed;
        figures.not_ip = counters.not_ip;
        figures.unknown_link = counters.unknown_link;
        figures.cut_by_snaplen = counters.cut_by_snaplen;
        figures.too_deep = counters.too_deep;
        figures.duplicates = counters.duplicates;
        for (kind, seen, unread) in counters.encapsulations.kinds().filter(|(kind, ..)| *kind != Encapsulation::Vlan) {
            figures.wrapped.insert(kind.name(), seen + unread);
            figures.wrapped_unread.extend((unread > 0).then_some((kind.name(), unread)));
        }
        figures.flows = self.flows.len() as u64;
        for flow in self.flows.values() {
            let is_judged = flow.segments.iter().sum::<u64>() >= JUDGED_SEGMENTS;
            figures.flows_judged += u64::from(is_judged);
            figures.flows_one_sided += u64::from(is_judged && flow.segments.contains(&0));
            figures.flows_opened += u64::from(flow.has_syn);
            figures.flows_answered += u64::from(flow.has_syn && flow.has_syn_ack);
            figures.flows_answered_only += u64::from(!flow.has_syn && flow.has_syn_ack);
            figures.flows_with_payload += u64::from(flow.looked_at > 0);
            if let Some(protocol) = flow.protocol {
                *figures.flows_by_protocol.entry(protocol).or_default() += 1;
                *figures.ports.entry(protocol).or_default().entry(flow.server_port).or_default() += 1;
            }
        }
        figures
    }
}

fn see_segment(flows: &mut HashMap<u64, Flow>, figures: &mut Figures, segment: &Segment) {
    if flows.len() >= MOST_FLOWS && !flows.contains_key(&segment.hash) {
        figures.segments_passed_over += 1;
        return;
    }
    let flow = flows.entry(segment.hash).or_default();
    let from = segment.flow.source(segment.direction).port;
    let to = segment.flow.source(segment.direction.other()).port;
    flow.segments[segment.direction as usize] += 1;
    let opens = segment.flags.has(TcpFlags::SYN) && !segment.flags.has(TcpFlags::ACK);
    let answers = segment.flags.has(TcpFlags::SYN) && segment.flags.has(TcpFlags::ACK);
    flow.has_syn |= opens;
    flow.has_syn_ack |= answers;
    if flow.protocol.is_none() && flow.looked_at < LOOKED_AT && !segment.payload.is_empty() {
        flow.looked_at += 1;
        if let Some((protocol, server)) = recognised(segment.payload) {
            flow.protocol = Some(protocol);
            flow.server_port = match server {
                Server::Receives => to,
                Server::Sends => from,
                // Clients take theirs from the upper half (RFC 6335 §6).
                Server::Unknown => from.min(to),
            };
        }
    }
}

/// Which end of a segment the server is.
#[derive(Clone, Copy)]
enum Server {
    Sends,
    Receives,
    Unknown,
}

/// The protocol that begins in this payload.
fn recognised(payload: &[u8]) -> Option<(Protocol, Server)> {
    if payload.starts_with(http2::PREFACE_LINE) {
        return Some((Protocol::Http2, Server::Receives));
    }
    // A record of TLS: its kind, version 3.x, length, then of a handshake its kind (RFC 8446 §5.1 and §4).
    match payload {
        [0x16, 0x03, 0..=4, _, _, 1, ..] => return Some((Protocol::Tls, Server::Receives)),
        [0x16, 0x03, 0..=4, _, _, 2, ..] => return Some((Protocol::Tls, Server::Sends)),
        [0x17, 0x03, 1..=4, ..] => return Some((Protocol::Tls, Server::Unknown)),
        _ => {}
    }
    match guess(payload, false) {
        Guess::Request => Some((Protocol::Http, Server::Receives)),
        Guess::Response => Some((Protocol::Http, Server::Sends)),
        Guess::More if begins_with_known_method(payload) => Some((Protocol::Http, Server::Receives)),
        Guess::More | Guess::Neither => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Frame<'_> {
        Frame { time: Timestamp(1), link: LinkType::ETHERNET, wire_len: bytes.len() as u32, bytes, source: 0 }
    }

    fn ethernet(tags: &[u16], protocol: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in tags {
            bytes.extend([0x81, 0]);
            bytes.extend(tag.to_be_bytes());
        }
        bytes.extend(protocol.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = (20 + payload.len()) as u16;
        let mut bytes = vec![0x45, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend(payload);
        bytes
    }

    fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
        let length = (8 + payload.len()) as u16;
        [&[0xc0, 0][..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
    }

    #[test]
    fn tunnels_are_told_by_what_is_in_them() {
        let inner = ethernet(&[], 0x0800, &ipv4(17, &udp(53, &[])));
        let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0], &inner[..]].concat();
        let cases = [
            (ipv4(17, &udp(4789, &vxlan)), Some(("VXLAN", 0))),
            (ipv4(17, &udp(4789, b"no tunnel at all")), Some(("VXLAN", 1))),
            (ipv4(17, &udp(53, &vxlan)), None),
            (ipv4(47, &[&[0, 0, 0x65, 0x58], &inner[..]].concat()), Some(("GRE", 0))),
            (ipv4(4, &ipv4(17, &udp(53, &[]))), Some(("IP in IP", 0))),
            (ipv4(50, &[0; 64]), Some(("IPsec ESP", 1))),
        ];
        for (packet, expected) in cases {
            let mut traffic = Traffic::new(1500, Tunnels::default());
            traffic.see(&frame(&ethernet(&[7], 0x0800, &packet)));
            let figures = traffic.figures();
            let wrapped = expected.iter().map(|(name, _)| (*name, 1)).collect::<BTreeMap<_, _>>();
            assert_eq!(figures.wrapped, wrapped, "{packet:x?}");
            let unread = expected.iter().filter(|(_, unread)| *unread > 0).copied().collect::<BTreeMap<_, _>>();
            assert_eq!(figures.wrapped_unread, unread, "{packet:x?}");
            assert_eq!(figures.vlans, BTreeMap::from([(7, 1)]));
        }
    }

    #[test]
    fn a_tag_does_not_make_a_frame_longer_than_the_mtu() {
        let mut traffic = Traffic::new(1500, Tunnels::default());
        let packet = ipv4(17, &[0; 1480]);
        traffic.see(&frame(&ethernet(&[5, 6], 0x0800, &packet)));
        assert_eq!((traffic.figures().over_mtu, traffic.figures().largest_frame), (0, 1522));
        traffic.see(&frame(&ethernet(&[5, 6], 0x0800, &[&packet[..], &[0]].concat())));
        assert_eq!(traffic.figures().over_mtu, 1);
    }

    #[test]
    fn protocols_are_told_by_their_first_bytes() {
        let told = |payload: &[u8]| recognised(payload).map(|(protocol, _)| protocol);
        assert_eq!(told(b"GET /v1/orders HTTP/1.1\r\n"), Some(Protocol::Http));
        assert_eq!(told(b"POST /v1/orders?a=a+long+one"), Some(Protocol::Http));
        assert_eq!(told(b"HTTP/1.1 200 OK\r\n"), Some(Protocol::Http));
        assert_eq!(told(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Protocol::Http2));
        assert_eq!(told(&[0x16, 3, 1, 2, 0, 1, 0]), Some(Protocol::Tls));
        assert_eq!(told(&[0x17, 3, 3, 0, 40, 9]), Some(Protocol::Tls));
        assert_eq!(told(b"SSH-2.0-OpenSSH_9.2\r\n"), None);
        assert_eq!(told(b"INVITE sip:bob@example SIP/2.0\r\n"), None);
    }

    #[test]
    fn no_bytes_are_too_broken_to_be_counted() {
        let mut traffic = Traffic::new(1500, Tunnels::default());
        let whole = ethernet(&[9], 0x0800, &ipv4(47, &[0x10, 0, 0x88, 0xbe]));
        for length in 0..=whole.len() {
            for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL, LinkType::LINUX_SLL2, LinkType::NULL] {
                traffic.see(&Frame { link, ..frame(&whole[..length]) });
            }
        }
        assert_eq!(traffic.figures().frames, 5 * (whole.len() as u64 + 1));
    }
}
