//! One TCP segment as an Ethernet frame: addresses, numbers and flags in, header bytes with correct checksums out.
//!
//! Ethernet II, optional 802.1Q tag, IPv4 or IPv6 without extension headers, TCP with the options Linux sends
//! (RFC 9293 §3.1, RFC 7323 timestamps and window scale, RFC 2018 SACK permitted).

use std::net::{IpAddr, SocketAddr};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// Ethernet 14, tag 4, IPv6 40, TCP 20, options 20.
pub const MAX_HEADER: usize = 98;
/// Bytes of the timestamps option with its padding, on every segment.
pub const TIMESTAMP_OPTION: usize = 12;
/// Window scale both sides announce: 2^7, so that 65,000 means 8 MB and no transfer here fills it.
const WINDOW_SCALE: u8 = 7;

/// Everything a header says.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub source_mac: [u8; 6],
    pub destination_mac: [u8; 6],
    pub vlan: Option<u16>,
    pub identification: u16,
    pub ttl: u8,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    /// Announced in a SYN.
    pub mss: u16,
    pub timestamp_value: u32,
    pub timestamp_echo: u32,
}

/// A header of known maximal size, without an allocation.
pub struct Header {
    bytes: [u8; MAX_HEADER],
    length: usize,
}

impl Header {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes); // the parts below add up to at most MAX_HEADER
        self.length = end;
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The headers of `segment` for this payload.
pub fn header(segment: &Segment, payload: &[u8]) -> Header {
    let mut out = Header { bytes: [0; MAX_HEADER], length: 0 };
    let options = if segment.flags & SYN != 0 { 20 } else { TIMESTAMP_OPTION };
    let tcp_length = 20 + options + payload.len();
    out.put(&segment.destination_mac);
    out.put(&segment.source_mac);
    if let Some(vlan) = segment.vlan {
        out.put(&[0x81, 0x00]);
        out.put(&(vlan & 0x0fff).to_be_bytes());
    }
    let pseudo = match (segment.source.ip(), segment.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.put(&[0x08, 0x00]);
            put_ipv4(&mut out, segment, source.octets(), destination.octets(), tcp_length);
            sum(&source.octets()) + sum(&destination.octets())
        }
        (source, destination) => {
            let (source, destination) = (v6_octets(source), v6_octets(destination));
            out.put(&[0x86, 0xdd, 0x60, 0, 0, 0]);
            out.put(&(tcp_length as u16).to_be_bytes());
            out.put(&[6, segment.ttl]);
            out.put(&source);
            out.put(&destination);
            sum(&source) + sum(&destination)
        }
    };
    let start = out.length;
    put_tcp(&mut out, segment, options);
    let total = pseudo + 6 + tcp_length as u64 + sum(&out.bytes[start..out.length]) + sum(payload);
    out.bytes[start + 16..start + 18].copy_from_slice(&fold(total).to_be_bytes());
    out
}

/// An Ethernet frame with an untagged IPv4 packet as fragments of `bytes` (rounded down to a multiple of eight, RFC 791
/// §3.2); any other frame is given back whole.
pub fn fragments(packet: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    const ETHERNET: usize = 14;
    const HEADERS: usize = ETHERNET + 20;
    let bytes = (bytes / 8 * 8).max(8);
    if packet.len() <= HEADERS || packet[12..15] != [0x08, 0x00, 0x45] {
        return vec![packet.to_vec()];
    }
    let (headers, payload) = packet.split_at(HEADERS);
    let pieces = payload.len().div_ceil(bytes);
    let fragment = |(index, piece): (usize, &[u8])| {
        let mut fragment = [headers, piece].concat();
        let more = if index + 1 < pieces { 0x2000 } else { 0 };
        let offset = (index * bytes / 8) as u16 | more;
        let ip = &mut fragment[ETHERNET..HEADERS]; // `fragment` begins with the headers
        ip[2..4].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
        ip[6..8].copy_from_slice(&offset.to_be_bytes());
        ip[10..12].fill(0);
        let checksum = fold(sum(ip));
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        fragment
    };
    payload.chunks(bytes).enumerate().map(fragment).collect()
}

fn v6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn put_ipv4(out: &mut Header, segment: &Segment, source: [u8; 4], destination: [u8; 4], tcp_length: usize) {
    let start = out.length;
    out.put(&[0x45, 0]);
    out.put(&((20 + tcp_length) as u16).to_be_bytes());
    out.put(&segment.identification.to_be_bytes());
    out.put(&[0x40, 0, segment.ttl, 6, 0, 0]); // do not fragment; TCP; checksum follows
    out.put(&source);
    out.put(&destination);
    let checksum = fold(sum(&out.bytes[start..out.length]));
    out.bytes[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
}

fn put_tcp(out: &mut Header, segment: &Segment, options: usize) {
    out.put(&segment.source.port().to_be_bytes());
    out.put(&segment.destination.port().to_be_bytes());
    out.put(&segment.seq.to_be_bytes());
    out.put(&segment.ack.to_be_bytes());
    out.put(&[(((20 + options) / 4) << 4) as u8, segment.flags]);
    out.put(&segment.window.to_be_bytes());
    out.put(&[0, 0, 0, 0]); // checksum follows; no urgent pointer
    if segment.flags & SYN != 0 {
        out.put(&[2, 4]);
        out.put(&segment.mss.to_be_bytes());
        out.put(&[4, 2, 8, 10]);
    } else {
        out.put(&[1, 1, 8, 10]);
    }
    out.put(&segment.timestamp_value.to_be_bytes());
    out.put(&segment.timestamp_echo.to_be_bytes());
    if segment.flags & SYN != 0 {
        out.put(&[1, 3, 3, WINDOW_SCALE]);
    }
}

/// Sum of 16-bit big-endian words (RFC 1071), taken 32 bits at a time; an odd last byte counts as padded with zero.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(4);
    let mut total: u64 = 0;
    for chunk in &mut chunks {
        total += u64::from(u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])); // chunks of four
    }
    let mut last = [0u8; 4];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    total += u64::from(u32::from_be_bytes(last));
    (total >> 48) + ((total >> 32) & 0xffff) + ((total >> 16) & 0xffff) + (total & 0xffff)
}

pub(super) fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    !(total as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), !0xddf2);
        assert_eq!(fold(sum(&[0xff])), !0xff00);
    }

    #[test]
    fn a_reader_of_frames_agrees_with_what_was_written() {
        for (source, destination) in [("192.0.2.1:4000", "198.51.100.2:80"), ("[2001:db8::1]:4000", "[2001:db8::2]:80")]
        {
            let segment = Segment {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                source_mac: [2; 6],
                destination_mac: [4; 6],
                vlan: Some(12),
                identification: 9,
                ttl: 61,
                seq: 77,
                ack: 88,
                flags: ACK | PSH,
                window: 501,
                mss: 1460,
                timestamp_value: 5,
                timestamp_echo: 6,
            };
            let mut frame = header(&segment, b"odd").bytes().to_vec();
            frame.extend_from_slice(b"odd");
            let parsed = etherparse::PacketHeaders::from_ethernet_slice(&frame).unwrap();
            let Some(etherparse::TransportHeader::Tcp(tcp)) = parsed.transport else { panic!("no TCP") };
            assert_eq!((tcp.sequence_number, tcp.acknowledgment_number, tcp.psh), (77, 88, true));
            assert_eq!(parsed.payload.slice(), b"odd");
            let expected = match parsed.net {
                Some(etherparse::NetHeaders::Ipv4(ip, _)) => {
                    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    tcp.calc_checksum_ipv4(&ip, b"odd").unwrap()
                }
                Some(etherparse::NetHeaders::Ipv6(ip, _)) => tcp.calc_checksum_ipv6(&ip, b"odd").unwrap(),
                _ => panic!("no IP"),
            };
            assert_eq!(tcp.checksum, expected);
        }
    }
}
