//! Tags and tunnels of hand-made bytes: what is right, and what is just wrong.

use super::tests::{decoder, frame, tcp_packet};
use super::*;
use Encapsulation as E;
use etherparse::PacketBuilder;

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

pub fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&MACS[..], &kind.to_be_bytes(), payload].concat()
}

pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0, 172, 16, 0, 1, 172, 16, 0, 2]);
    bytes.extend(payload);
    bytes
}

fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([protocol, 64]);
    bytes.extend([[0x20, 1, 0, 0], [1; 4], [2; 4], [3; 4]].as_flattened());
    bytes.extend([0xfd; 16]);
    bytes.extend(payload);
    bytes
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    [&[0xc0, 0][..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

pub fn over_udp(port: u16, header: &[u8], inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp(port, &[header, inner].concat())))
}

fn over_gre(header: &[u8], inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(47, &[header, inner].concat()))
}

fn tcp_over_ipv6() -> Vec<u8> {
    six_from(&[1; 16])
}

/// TCP over IPv6 from an address that begins like this.
fn six_from(prefix: &[u8]) -> Vec<u8> {
    let (mut source, mut bytes) = ([0; 16], Vec::new());
    source[..prefix.len()].copy_from_slice(prefix);
    PacketBuilder::ipv6(source, [2; 16], 64).tcp(40_000, 80, 1000, 4096).ack(77).write(&mut bytes, b"hello").unwrap();
    bytes
}

/// The packet as a frame of 802.11 from a station, with QoS.
pub fn wifi(packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x88, 0x01];
    bytes.extend([0; 22]);
    bytes.extend([0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    bytes.extend(packet);
    bytes
}

/// Every encapsulation around the same packet.
fn wrapped() -> Vec<(E, LinkType, Vec<u8>)> {
    let packet = tcp_packet(b"hello");
    let six = tcp_over_ipv6();
    let inner = ethernet(0x0800, &packet);
    let vxlan = [8, 0, 0, 0, 0, 0, 7, 0];
    let gtp = |header: &[u8], packet: &[u8]| {
        let length = (header.len() - 8 + packet.len()) as u16;
        let mut header = header.to_vec();
        header[2..4].copy_from_slice(&length.to_be_bytes());
        over_udp(2152, &header, packet)
    };
    let on_ethernet: Vec<(E, Vec<u8>)> = vec![
        (E::Vlan, ethernet(0x8100, &[&[0, 5, 8, 0], &packet[..]].concat())),
        (E::Vlan, ethernet(0x9100, &[&[0, 5, 0x88, 0xa8, 0, 6, 0x81, 0, 0, 7, 0x86, 0xdd], &six[..]].concat())),
        (E::VnTag, ethernet(0x8926, &[&[0, 0, 0, 0x33, 8, 0], &packet[..]].concat())),
        (E::VnTag, ethernet(0x8100, &[&[0, 1, 0x89, 0x26, 0, 0, 0, 1, 0x81, 0, 0, 9, 8, 0], &packet[..]].concat())),
        (E::Etag, ethernet(0x893f, &[&[0x10, 0, 0, 0xd3, 0, 0, 8, 0], &packet[..]].concat())),
        (E::FabricPath, ethernet(0x8903, &[&[0x20, 1], &inner[..]].concat())),
        (E::ProviderBackbone, ethernet(0x88e7, &[&[0, 0, 0, 9], &inner[..]].concat())),
        (E::SecurityGroupTag, ethernet(0x8909, &[&[1, 1, 0, 1, 0, 5, 8, 0], &packet[..]].concat())),
        (E::Macsec, ethernet(0x88e5, &[&[0x20, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0], &packet[..]].concat())),
        (E::Macsec, ethernet(0x88e5, &[&[0x40, 0, 0, 0, 0, 1, 8, 0], &packet[..]].concat())),
        (E::Mpls, ethernet(0x8847, &[&[0, 1, 0, 9, 0, 2, 1, 9], &packet[..]].concat())),
        (E::Mpls, ethernet(0x8847, &[&[0, 2, 1, 9], &six[..]].concat())),
        (E::Mpls, ethernet(0x8847, &[&[0, 2, 1, 9], &six_from(&[0xfd, 0, 0, 0x20, 0, 0, 0, 5])[..]].concat())),
        (E::Mpls, ethernet(0x8847, &[&[0, 2, 1, 9], &six_from(&[0xfd, 0, 0, 0x20, 0, 5])[..], &[9; 4]].concat())),
        (E::PseudoWire, ethernet(0x8847, &[&[0, 2, 1, 9], &inner[..]].concat())),
        (E::PseudoWire, ethernet(0x8848, &[&[0, 2, 1, 9, 0, 0, 0, 7], &inner[..]].concat())),
        (E::PseudoWire, ethernet(0x8847, &[&[0, 2, 1, 9, 0x45], &inner[1..]].concat())),
        (E::PseudoWire, ethernet(0x8847, &[&[0, 2, 1, 9, 0x64], &inner[1..]].concat())),
        (E::Pppoe, ethernet(0x8864, &[&[0x11, 0, 0, 1, 0, 47, 0, 0x21], &packet[..]].concat())),
        (E::Pppoe, ethernet(0x8864, &[&[0x11, 0, 0, 1, 0, 47, 0x57], &six[..]].concat())),
        (E::Nsh, ethernet(0x894f, &[&[0, 2, 2, 1, 0, 0, 1, 255], &packet[..]].concat())),
        (E::Nsh, ethernet(0x894f, &[&[0, 6, 1, 3][..], &[0; 20], &inner[..]].concat())),
        (E::Gre, over_gre(&[0, 0, 8, 0], &packet)),
        (E::Gre, over_gre(&[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], &packet)),
        (E::Gre, over_gre(&[0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0], &packet)),
        (E::Gre, over_gre(&[0, 0, 0x65, 0x58], &inner)),
        (E::Gre, over_gre(&[0x30, 0x81, 0x88, 0x0b, 0, 47, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0, 0x21], &packet)),
        (E::Wifi, over_gre(&[0, 0, 0x82, 0x10], &wifi(&packet))),
        (E::Nvgre, over_gre(&[0x20, 0, 0x65, 0x58, 0, 0, 7, 1], &inner)),
        (E::Erspan, over_gre(&[0, 0, 0x88, 0xbe], &inner)),
        (E::Erspan, over_gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 2], &inner)),
        (E::Erspan, over_gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20][..], &[0; 11]].concat(), &inner)),
        (
            E::Erspan,
            over_gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20][..], &[0; 10], &[1], &[0; 8]].concat(), &inner),
        ),
        (E::Erspan, over_gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20][..], &[0; 9], &[8, 0]].concat(), &packet)),
        (E::Wccp, over_gre(&[0, 0, 0x88, 0x3e, 0, 1, 2, 3], &packet)),
        (E::Wccp, over_gre(&[0, 0, 0x88, 0x3e], &packet)),
        (E::IpInIp, ethernet(0x0800, &ipv4(4, &packet))),
        (E::IpInIp, ethernet(0x0800, &ipv4(41, &six))),
        (E::IpInIp, ethernet(0x86dd, &ipv6(41, &six))),
        (E::IpInIp, ethernet(0x86dd, &ipv6(4, &packet))),
        (E::EtherIp, ethernet(0x0800, &ipv4(97, &[&[0x30, 0], &inner[..]].concat()))),
        (E::Mpls, ethernet(0x0800, &ipv4(137, &[&[0, 2, 1, 9], &packet[..]].concat()))),
        (E::AuthenticationHeader, ethernet(0x0800, &ipv4(51, &[&[4, 4, 0, 0][..], &[0; 20], &packet].concat()))),
        (E::AuthenticationHeader, ethernet(0x86dd, &ipv6(51, &[&[4, 4, 0, 0][..], &[0; 20], &packet].concat()))),
        (E::Vxlan, over_udp(4789, &vxlan, &inner)),
        (E::Vxlan, over_udp(8472, &[0x88, 0, 0, 9, 0, 0, 7, 0], &inner)),
        (E::Vxlan, ethernet(0x86dd, &ipv6(17, &udp(4789, &[&vxlan[..], &inner].concat())))),
        (E::VxlanGpe, over_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 7, 0], &packet)),
        (E::VxlanGpe, over_udp(4789, &[0x0c, 0, 0, 3, 0, 0, 7, 0], &inner)),
        (E::Nsh, over_udp(4790, &[0x0c, 0, 0, 4, 0, 0, 7, 0, 0, 2, 2, 3, 0, 0, 1, 255], &inner)),
        (E::Geneve, over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 7, 0], &inner)),
        (E::Geneve, over_udp(6081, &[2, 0x40, 8, 0, 0, 0, 7, 0, 1, 2, 0x80, 1, 9, 9, 9, 9], &packet)),
        (E::Gtp, gtp(&[0x30, 0xff, 0, 0, 0, 0, 0, 1], &packet)),
        (E::Gtp, gtp(&[0x32, 0xff, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0], &packet)),
        (E::Gtp, gtp(&[0x34, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 0, 0], &six)),
        (E::Gtp, gtp(&[0x34, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xc0, 1, 0, 9, 0x85, 1, 0x10, 0, 0], &packet)),
        (E::Teredo, over_udp(3544, &[], &six)),
        (E::Teredo, over_udp(3544, &[0, 1, 1, 1, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6], &six)),
        (E::Teredo, over_udp(50_000, &[], &ipv6(4, &packet))),
        (E::Ayiya, over_udp(5072, &[&[0x41, 0x52, 0x11, 41][..], &[0; 4], &[1; 16], &[2; 20]].concat(), &six)),
        (E::MplsInUdp, over_udp(6635, &[0, 1, 0x51, 0x3f], &packet)),
        (E::L2tp, over_udp(1701, &[0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], &packet)),
        (E::L2tp, over_udp(1701, &[0x4a, 2, 0, 60, 0, 1, 0, 2, 0, 1, 0, 2, 0, 2, 9, 9, 0, 0x21], &packet)),
        (E::Capwap, over_udp(5247, &[0, 0x10, 2, 0, 0, 0, 0, 0], &inner)),
        (E::Capwap, over_udp(5247, &[0, 0x10, 3, 0, 0, 0, 0, 0], &wifi(&packet))),
        (E::Tzsp, over_udp(37008, &[1, 0, 0, 1, 10, 1, 5, 0, 1], &inner)),
    ];
    let mut all: Vec<(E, LinkType, Vec<u8>)> =
        on_ethernet.into_iter().map(|(kind, bytes)| (kind, LinkType::ETHERNET, bytes)).collect();
    let air = wifi(&packet);
    let four_addresses = [&[8, 3][..], &[0; 28], &air[26..]].concat();
    let padded = [&air[..26], &[0; 2], &air[26..]].concat();
    let aggregate = [&air[..24], &[0x80, 0], &MACS[..], &[0, 53], &air[26..]].concat();
    let swapped = [&[air[1], air[0]], &air[2..]].concat();
    all.extend([
        (E::Wifi, LinkType(105), air.clone()),
        (E::Wifi, LinkType(105), four_addresses),
        (E::Wifi, LinkType(105), aggregate),
        (E::Wifi, LinkType(105), swapped),
        (E::Wifi, LinkType(119), [&[0x44, 0, 0, 0, 12, 0, 0, 0, 1, 2, 3, 4], &air[..]].concat()),
        (E::Wifi, LinkType(127), [&[0, 0, 8, 0, 0, 0, 0, 0], &air[..]].concat()),
        (E::Wifi, LinkType(127), [&[0, 0, 17, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20], &padded[..]].concat()),
        (E::Wifi, LinkType(192), [&[0, 0, 8, 0, 105, 0, 0, 0], &air[..]].concat()),
        (E::Pppoe, LinkType(51), [&[0x11, 0, 0, 1, 0, 47, 0, 0x21], &packet[..]].concat()),
        (E::Mpls, LinkType(9), [&[0xff, 3, 2, 0x81, 0, 2, 1, 9], &packet[..]].concat()),
        (E::Mpls, LinkType(219), [&[0, 2, 1, 9], &packet[..]].concat()),
    ]);
    all
}

#[test]
fn what_is_inside_is_the_flow_and_each_kind_is_counted() {
    for (index, (kind, link, bytes)) in wrapped().into_iter().enumerate() {
        let mut decoder = decoder();
        let what = format!("{index}: {kind:?} {bytes:x?}");
        let segment = decoder.decode(&frame(link, &bytes, bytes.len())).unwrap_or_else(|| panic!("{what}"));
        assert_eq!((segment.payload, segment.sequence, segment.cut), (&b"hello"[..], 1000, 0), "{what}");
        assert_eq!((segment.flow.low.port, segment.flow.high.port, segment.flow.scope), {
            let from_low = segment.direction == Direction::FromLow;
            if from_low { (40_000, 80, 0) } else { (80, 40_000, 0) }
        });
        assert_eq!(decoder.counters.bad_tcp_checksum, 0, "{what}");
        assert!(decoder.counters.encapsulations.seen(kind) > 0, "{what}");
        assert!(decoder.counters.encapsulations.kinds().all(|(_, _, skipped)| skipped == 0), "{what}");
    }
}

#[test]
fn frames_cut_at_any_byte_give_a_part_or_nothing() {
    for (kind, link, bytes) in wrapped() {
        for kept in 0..bytes.len() {
            let mut decoder = decoder();
            // Once by the snap length, once as if it had been no longer.
            if let Some(segment) = decoder.decode(&frame(link, &bytes[..kept], bytes.len())) {
                assert_eq!(segment.payload.len() + segment.cut as usize, 5, "{kind:?} cut at {kept}");
                assert!(b"hello".starts_with(segment.payload), "{kind:?} cut at {kept}");
            }
            if let Some(segment) = decoder.decode(&frame(link, &bytes[..kept], kept)) {
                assert!(b"hello".starts_with(segment.payload), "{kind:?} cut at {kept}");
            }
        }
    }
}

#[test]
fn what_is_no_such_tunnel_after_all_is_skipped_and_counted() {
    let packet = tcp_packet(b"hello");
    let inner = ethernet(0x0800, &packet);
    let unknown = ethernet(0x1234, &packet);
    let group = [&MACS[..6], &[3, 0, 0, 0, 0, 2, 8, 0], &packet[..]].concat();
    let gtp = |flags: u8, message: u8, length: u16, rest: &[u8]| {
        let [high, low] = length.to_be_bytes();
        over_udp(2152, &[flags, message, high, low, 0, 0, 0, 1], rest)
    };
    let cases: Vec<(E, Vec<u8>)> = vec![
        (E::Vxlan, over_udp(4789, &[0, 0, 0, 0, 0, 0, 7, 0], &inner)),
        (E::Vxlan, over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &unknown)),
        (E::Vxlan, over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &group)),
        (E::Vxlan, over_udp(4789, &[8, 0, 0, 0, 0, 0, 7], &[])),
        (E::VxlanGpe, over_udp(4790, &[0x0c, 0, 0, 9, 0, 0, 7, 0], &packet)),
        (E::VxlanGpe, over_udp(4790, &[0x0c, 0, 0, 2, 0, 0, 7, 0], &packet)),
        (E::Geneve, over_udp(6081, &[0x40, 0, 0x65, 0x58, 0, 0, 7, 0], &inner)),
        (E::Geneve, over_udp(6081, &[0, 1, 0x65, 0x58, 0, 0, 7, 0], &inner)),
        (E::Geneve, over_udp(6081, &[0x3f, 0, 0x65, 0x58, 0, 0, 7, 0], &inner)),
        (E::Gtp, gtp(0x50, 0xff, packet.len() as u16, &packet)),
        (E::Gtp, gtp(0x20, 0xff, packet.len() as u16, &packet)),
        (E::Gtp, gtp(0x30, 0xff, packet.len() as u16 + 1, &packet)),
        (E::Gtp, gtp(0x30, 0xff, packet.len() as u16, &[0x15; 60])),
        (E::Gtp, gtp(0x34, 0xff, 20, &[&[0, 0, 0, 0x85, 0][..], &[0; 20]].concat())),
        (E::Ayiya, over_udp(5072, &[0x41, 0x52, 0x11, 41], &[0; 80])),
        (E::MplsInUdp, over_udp(6635, &[0, 1, 0x50, 0x3f], &[0; 20])),
        (E::L2tp, over_udp(1701, &[0, 3, 0, 1, 0, 2, 0xff, 3, 0, 0x21], &packet)),
        (E::Capwap, over_udp(5247, &[1, 0x10, 2, 0, 0, 0, 0, 0], &inner)),
        (E::Tzsp, over_udp(37008, &[2, 0, 0, 1, 1], &inner)),
        (E::IpInIp, ethernet(0x0800, &ipv4(4, &tcp_over_ipv6()))),
        (E::IpInIp, ethernet(0x0800, &ipv4(41, &packet))),
        (E::EtherIp, ethernet(0x0800, &ipv4(97, &[&[0x30, 1], &inner[..]].concat()))),
        (E::Gre, over_gre(&[0, 2, 8, 0], &packet)),
        (E::Gre, over_gre(&[0, 1, 0x88, 0x0b], &packet)),
        (E::Gre, over_gre(&[0, 0, 0, 0], &packet)),
        (E::Erspan, over_gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x30, 0, 0, 1, 0, 0, 0, 2], &inner)),
        (E::Esp, ethernet(0x0800, &ipv4(50, &[7; 80]))),
        (E::Macsec, ethernet(0x88e5, &[&[0x2c, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8], &packet[..]].concat())),
        (E::Nsh, ethernet(0x894f, &[&[0x40, 2, 2, 1, 0, 0, 1, 255], &packet[..]].concat())),
        (E::PseudoWire, ethernet(0x8847, &[&[0, 2, 1, 9], &unknown[..]].concat())),
        // A good header, and nothing good behind it.
        (E::Gtp, gtp(0x30, 0xff, 6, &[0x45, 0, 0, 3, 0, 0])),
        (E::Teredo, over_udp(3544, &[], &ipv6(60, &[6]))),
    ];
    for (kind, bytes) in cases {
        let mut decoder = decoder();
        assert!(decoder.decode(&frame(LinkType::ETHERNET, &bytes, bytes.len())).is_none(), "{kind:?} {bytes:x?}");
        assert_eq!(decoder.counters.encapsulations.skipped(kind), 1, "{kind:?} {bytes:x?}");
        assert_eq!(decoder.counters.malformed, 0, "{kind:?} {bytes:x?}");
    }
}

#[test]
fn what_belongs_to_the_tunnel_itself_or_to_nobody_is_not_tcp() {
    let packet = tcp_packet(b"hello");
    let cases = [
        over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 9, 0, 0], &[]), // an echo request
        over_udp(1701, &[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0], &[]), // a control message
        over_udp(5072, &[0x41, 0x52, 0x10, 41], &[0; 80]),             // a heartbeat
        over_udp(53, &[], &packet),
        over_udp(50_000, &[], &ipv6(41, &packet)[..60]), // no Teredo: it does not end where the datagram ends
        over_udp(50_000, &[], &tcp_over_ipv6()),         // nor this: no client's address
    ];
    for bytes in cases {
        let mut decoder = decoder();
        assert!(decoder.decode(&frame(LinkType::ETHERNET, &bytes, bytes.len())).is_none(), "{bytes:x?}");
        assert_eq!((decoder.counters.not_tcp, decoder.counters.encapsulations.kinds().count()), (1, 0), "{bytes:x?}");
    }
}

#[test]
fn wrapping_is_followed_to_its_bound_and_no_deeper() {
    let tagged = |tags: usize| {
        let tags = [0x81, 0, 0, 7].repeat(tags);
        [&MACS[..], &tags, &[8, 0], &tcp_packet(b"deep")].concat()
    };
    let nested = |times: usize| (0..times).fold(tcp_packet(b"deep"), |inner, _| ipv4(4, &inner));
    let cases = [(LinkType::ETHERNET, tagged(10), tagged(11)), (LinkType::RAW, nested(10), nested(11))];
    for (link, most, over) in cases {
        let mut decoder = decoder();
        assert_eq!(decoder.decode(&frame(link, &most, most.len())).unwrap().payload, b"deep");
        assert_eq!(decoder.counters.too_deep, 0);
        assert!(decoder.decode(&frame(link, &over, over.len())).is_none());
        assert_eq!(decoder.counters.too_deep, 1);
    }
    // Thousands of headers cost no more than those that are followed.
    let bombs = [
        (LinkType::ETHERNET, tagged(16_000)),
        (LinkType::RAW, nested(3000)),
        (LinkType(219), [0, 1, 0, 9].repeat(16_000)),
        (LinkType::ETHERNET, [&MACS[..], &[0, 0, 2, 2, 4, 0, 0, 0, 0].repeat(5000)].concat()),
        (LinkType(239), [&[2, 0, 0, 0][..], &[4, 0, 1, 0].repeat(16_000)].concat()),
        (LinkType(107), vec![0; 60_000]),
    ];
    for (link, bytes) in bombs {
        assert!(decoder().decode(&frame(link, &bytes, bytes.len())).is_none(), "{link}");
    }
}

#[test]
fn other_ports_carry_tunnels_when_told_so() {
    let inner = ethernet(0x0800, &tcp_packet(b"hello"));
    let bytes = over_udp(20_001, &[8, 0, 0, 0, 0, 0, 7, 0], &inner);
    assert!(decoder().decode(&frame(LinkType::ETHERNET, &bytes, bytes.len())).is_none());
    let mut told = decoder().with(Tunnels { vxlan_ports: vec![20_001], ..Tunnels::default() });
    assert!(told.decode(&frame(LinkType::ETHERNET, &bytes, bytes.len())).is_some());
    let usual = over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &inner);
    assert!(told.decode(&frame(LinkType::ETHERNET, &usual, usual.len())).is_none());
}

#[test]
fn the_network_is_part_of_the_flow_where_that_is_wanted() {
    let inner = ethernet(0x0800, &tcp_packet(b"hello"));
    let vxlan = |network: u8| over_udp(4789, &[8, 0, 0, 0, 0, 0, network, 0], &inner);
    let tagged = |tag: u8| ethernet(0x8100, &[&[0, tag, 8, 0], &tcp_packet(b"hello")[..]].concat());
    let flow_of = |key_by: KeyBy, bytes: &[u8]| {
        let mut decoder = decoder().with(Tunnels { key_by, ..Tunnels::default() });
        let segment = decoder.decode(&frame(LinkType::ETHERNET, bytes, bytes.len())).unwrap();
        (segment.flow, segment.hash)
    };
    let (none, vlan, vni) = (KeyBy::default(), KeyBy { vlan: true, vni: false }, KeyBy { vlan: false, vni: true });
    assert_eq!(flow_of(none, &vxlan(1)), flow_of(none, &tagged(2)));
    assert_eq!(flow_of(vlan, &vxlan(1)), flow_of(none, &vxlan(2)));
    assert_ne!(flow_of(vni, &vxlan(1)).1, flow_of(vni, &vxlan(2)).1);
    assert_ne!(flow_of(vni, &vxlan(1)).0, flow_of(vni, &vxlan(2)).0);
    assert_ne!(flow_of(vlan, &tagged(1)), flow_of(vlan, &tagged(2)));
    assert_eq!(flow_of(vni, &tagged(1)), flow_of(none, &tagged(2)));
}

#[test]
fn a_packet_that_is_mirrored_twice_counts_once() {
    let packet = tcp_packet(b"hello");
    let mut routed = packet.clone();
    routed[8] -= 1; // hop limit
    let inner = ethernet(0x0800, &routed);
    let mut decoder = decoder();
    let copies = [
        ethernet(0x0800, &packet),
        ethernet(0x8100, &[&[0, 5, 8, 0], &packet[..]].concat()),
        over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &inner),
    ];
    let seen = copies.iter().filter(|bytes| decoder.decode(&frame(LinkType::ETHERNET, bytes, bytes.len())).is_some());
    assert_eq!(seen.count(), 1);
    assert_eq!((decoder.counters.tcp_segments, decoder.counters.duplicates), (1, 2));
    // The sender itself sends it again: another number, or later.
    let mut again = packet.clone();
    again[5] = 9;
    assert!(decoder.decode(&frame(LinkType::RAW, &again, again.len())).is_some());
    let later = Frame { time: Timestamp(300_000_000), ..frame(LinkType::RAW, &again, again.len()) };
    assert!(decoder.decode(&later).is_some());
}
