use super::*;
use etherparse::PacketBuilder;

pub fn decoder() -> Decoder {
    Decoder::new(HashKey::new([7; 16]), PacketLimits::default())
}

pub fn tcp_packet(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40_000, 80, 1000, 4096)
        .ack(77)
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

pub fn frame(link: LinkType, bytes: &[u8], wire_len: usize) -> Frame<'_> {
    Frame { time: Timestamp(5), link, wire_len: wire_len as u32, bytes, source: 0 }
}

fn with_link(prefix: &[u8], packet: &[u8]) -> Vec<u8> {
    [prefix, packet].concat()
}

#[test]
fn every_link_type_leads_to_the_same_segment() {
    let packet = tcp_packet(b"hello");
    let mac = [0u8; 12];
    let cases: Vec<(LinkType, Vec<u8>)> = vec![
        (LinkType::RAW, packet.clone()),
        (LinkType::IPV4, packet.clone()),
        (LinkType::NULL, with_link(&[2, 0, 0, 0], &packet)),
        (LinkType::NULL, with_link(&[0, 0, 0, 2], &packet)),
        (LinkType::LOOP, with_link(&[0, 0, 0, 2], &packet)),
        (LinkType::ETHERNET, with_link(&[&mac[..], &[8, 0]].concat(), &packet)),
        (LinkType::ETHERNET, with_link(&[&mac[..], &[0x81, 0, 0, 5, 8, 0]].concat(), &packet)),
        (LinkType::ETHERNET, with_link(&[&mac[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 9, 8, 0]].concat(), &packet)),
        (LinkType::ETHERNET, with_link(&[&mac[..], &[0, 100, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(), &packet)),
        (LinkType::LINUX_SLL, with_link(&[&[0u8; 14][..], &[8, 0]].concat(), &packet)),
        (LinkType::LINUX_SLL2, with_link(&[&[8, 0][..], &[0u8; 18]].concat(), &packet)),
    ];
    for (link, bytes) in cases {
        let mut decoder = decoder();
        let segment = decoder.decode(&frame(link, &bytes, bytes.len())).unwrap_or_else(|| panic!("{link:?}"));
        assert_eq!(segment.payload, b"hello", "{link:?}");
        assert_eq!((segment.sequence, segment.acknowledgement, segment.cut), (1000, 77, 0));
        assert_eq!(segment.flow.source(segment.direction).port, 40_000);
        assert_eq!((decoder.counters.bad_ip_checksum, decoder.counters.bad_tcp_checksum), (0, 0));
    }
}

#[test]
fn both_directions_have_one_key_and_one_hash() {
    let (a, b) = (Peer { address: [10, 0, 0, 1].into(), port: 9 }, Peer { address: [10, 0, 0, 2].into(), port: 80 });
    let ((there, way), (back, way_back)) = (FlowKey::of(a, b), FlowKey::of(b, a));
    assert_eq!(there, back);
    assert_eq!(way, way_back.other());
    let key = HashKey::new([1; 16]);
    assert_eq!(there.hash(&key), back.hash(&key));
}

#[test]
fn a_frame_cut_by_the_snap_length_says_how_much_is_missing() {
    let packet = tcp_packet(&[b'x'; 100]);
    for kept in [20, 39] {
        assert!(decoder().decode(&frame(LinkType::RAW, &packet[..kept], packet.len())).is_none());
    }
    let mut decoder = decoder();
    let segment = decoder.decode(&frame(LinkType::RAW, &packet[..60], packet.len())).unwrap();
    assert_eq!((segment.payload.len(), segment.cut), (20, 80));
}

#[test]
fn ethernet_padding_is_not_payload() {
    let mut bytes = with_link(&[&[0u8; 12][..], &[8, 0]].concat(), &tcp_packet(b""));
    bytes.resize(60, 0);
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&frame(LinkType::ETHERNET, &bytes, 60)).unwrap().payload, b"");
}

#[test]
fn a_total_length_of_zero_means_up_to_the_end_of_the_frame() {
    let mut packet = tcp_packet(&[b'y'; 3000]);
    packet[2..4].copy_from_slice(&[0, 0]);
    let mut decoder = decoder();
    let segment = decoder.decode(&frame(LinkType::RAW, &packet, packet.len())).unwrap();
    assert_eq!(segment.payload.len(), 3000);
}

#[test]
fn bad_checksums_are_accepted_and_counted() {
    let mut packet = tcp_packet(b"abc");
    packet[36] ^= 0xff; // TCP checksum
    packet[10] ^= 0xff; // IP checksum
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&frame(LinkType::RAW, &packet, packet.len())).unwrap().payload, b"abc");
    assert_eq!((decoder.counters.bad_ip_checksum, decoder.counters.bad_tcp_checksum), (1, 1));
}

#[test]
fn ipv6_extension_headers_are_followed() {
    let mut plain = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(40_000, 80, 1, 1).write(&mut plain, b"six").unwrap();
    let mut packet = plain[..40].to_vec();
    packet[6] = 0; // hop-by-hop options
    packet[4..6].copy_from_slice(&((plain.len() - 40 + 16) as u16).to_be_bytes());
    packet.extend_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]); // then destination options
    packet.extend_from_slice(&[6, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend_from_slice(&plain[40..]);
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&frame(LinkType::IPV6, &packet, packet.len())).unwrap().payload, b"six");
    assert_eq!(decoder.counters.bad_tcp_checksum, 0);
}

/// Splits the IPv4 packet's payload into fragments of `size` bytes.
pub fn fragments(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let payload = &packet[20..];
    let count = payload.len().div_ceil(size);
    (0..count)
        .map(|index| {
            let piece = &payload[index * size..((index + 1) * size).min(payload.len())];
            let mut bytes = packet[..20].to_vec();
            bytes[2..4].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
            let more = if index + 1 < count { 0x2000 } else { 0 };
            bytes[6..8].copy_from_slice(&((index * size / 8) as u16 | more).to_be_bytes());
            bytes.extend_from_slice(piece);
            bytes
        })
        .collect()
}

#[test]
fn fragments_in_any_order_make_the_datagram() {
    let packet = tcp_packet(&(0..200).map(|i| i as u8).collect::<Vec<_>>());
    let mut pieces = fragments(&packet, 48);
    pieces.reverse();
    pieces.insert(1, pieces[0].clone()); // a duplicate is not an overlap
    let mut decoder = decoder();
    let mut whole = Vec::new();
    for piece in &pieces {
        if let Some(segment) = decoder.decode(&frame(LinkType::RAW, piece, piece.len())) {
            whole.push(segment.payload.to_vec());
        }
    }
    assert_eq!(whole, vec![packet[40..].to_vec()]);
    assert_eq!(decoder.counters.bad_tcp_checksum, 0);
    assert_eq!(decoder.counters.datagrams_reassembled, 1);
}

#[test]
fn decoders_of_several_interfaces_know_of_each_other() {
    let packet = tcp_packet(&[b'x'; 200]);
    let mut first = decoder();
    let mut second = first.beside();
    let pieces = fragments(&packet, 48);
    let (last, others) = pieces.split_last().unwrap();
    assert!(others.iter().all(|piece| first.decode(&frame(LinkType::RAW, piece, piece.len())).is_none()));
    assert_eq!(second.decode(&frame(LinkType::RAW, last, last.len())).unwrap().payload, &packet[40..]);
    assert!(first.decode(&frame(LinkType::RAW, &packet, packet.len())).is_none(), "a copy of it");
    assert_eq!((first.counters.fragments, second.counters.fragments), (others.len() as u64, 1));
    assert_eq!((first.counters.duplicates, second.counters.datagrams_reassembled), (1, 1));
}

#[test]
fn overlapping_fragments_are_dropped_and_counted() {
    let packet = tcp_packet(&[b'z'; 200]);
    let mut pieces = fragments(&packet, 48);
    let mut evil = pieces[1].clone();
    evil[6..8].copy_from_slice(&(0x2000u16 | 5).to_be_bytes()); // begins 8 bytes inside the first
    pieces.insert(1, evil);
    let mut decoder = decoder();
    assert!(pieces.iter().all(|piece| decoder.decode(&frame(LinkType::RAW, piece, piece.len())).is_none()));
    assert_eq!(decoder.counters.fragments_overlapping, 1);
}

#[test]
fn fragment_floods_are_bounded() {
    let mut decoder = decoder();
    let packet = tcp_packet(&[b'q'; 100]);
    let first = fragments(&packet, 48).remove(0);
    for id in 0..5000u16 {
        let mut piece = first.clone();
        piece[4..6].copy_from_slice(&id.to_be_bytes());
        decoder.decode(&frame(LinkType::RAW, &piece, piece.len()));
    }
    assert!(decoder.counters.fragments_evicted >= 5000 - 1025);
}

#[test]
fn a_fragment_that_repeats_what_is_there_is_no_overlap() {
    let packet = tcp_packet(&(0..200).map(|i| i as u8).collect::<Vec<_>>());
    let mut pieces = fragments(&packet, 48);
    let other = fragments(&packet, 96); // as another router would have cut it
    pieces.insert(2, other[0].clone());
    let mut decoder = decoder();
    let found = pieces.iter().filter(|piece| decoder.decode(&frame(LinkType::RAW, piece, piece.len())).is_some());
    assert_eq!(found.count(), 1);
    assert_eq!((decoder.counters.fragments_overlapping, decoder.counters.datagrams_reassembled), (0, 1));
}

#[test]
fn an_atomic_fragment_is_a_whole_datagram() {
    let mut plain = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(40_000, 80, 1, 1).write(&mut plain, b"six").unwrap();
    let mut packet = plain[..40].to_vec();
    packet[6] = 44;
    packet[4..6].copy_from_slice(&((plain.len() - 40 + 8) as u16).to_be_bytes());
    packet.extend_from_slice(&[6, 0, 0, 0, 0, 0, 0, 9]);
    packet.extend_from_slice(&plain[40..]);
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&frame(LinkType::IPV6, &packet, packet.len())).unwrap().payload, b"six");
    assert_eq!(decoder.counters.fragments, 0);
}

#[test]
fn headers_behind_an_ipv6_fragment_header_belong_to_the_datagram() {
    let mut plain = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(40_000, 80, 1, 1).write(&mut plain, &[b'6'; 60]).unwrap();
    // Thirteen times destination options, then TCP.
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let mut whole: Vec<u8> = (0..13).flat_map(|nth| options(if nth < 12 { 60 } else { 6 })).collect();
    whole.extend_from_slice(&plain[40..]);
    let piece = |range: std::ops::Range<usize>| {
        let more = u16::from(range.end < whole.len());
        let mut packet = plain[..40].to_vec();
        packet[6] = 44;
        packet[4..6].copy_from_slice(&((range.len() + 8) as u16).to_be_bytes());
        packet.extend_from_slice(&[60, 0]);
        packet.extend_from_slice(&(range.start as u16 | more).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 9]);
        packet.extend_from_slice(&whole[range]);
        packet
    };
    let pieces = [piece(120..whole.len()), piece(0..120)];
    let mut decoder = decoder();
    let found: Vec<_> = pieces
        .iter()
        .filter_map(|piece| Some(decoder.decode(&frame(LinkType::IPV6, piece, piece.len()))?.payload.to_vec()))
        .collect();
    assert_eq!(found, [[b'6'; 60]]);
    assert_eq!((decoder.counters.datagrams_reassembled, decoder.counters.bad_tcp_checksum), (1, 0));
}

#[test]
fn a_last_fragment_that_ends_before_another_condemns_the_datagram() {
    let packet = tcp_packet(&[b'z'; 20]); // 40 bytes of TCP
    let piece = |offset: u16, bytes: &[u8], more: bool| {
        let mut piece = packet[..20].to_vec();
        piece[2..4].copy_from_slice(&((20 + bytes.len()) as u16).to_be_bytes());
        piece[6..8].copy_from_slice(&((offset / 8) | if more { 0x2000 } else { 0 }).to_be_bytes());
        piece.extend_from_slice(bytes);
        piece
    };
    let tcp = &packet[20..];
    let pieces = [piece(0, &tcp[..24], true), piece(1000, &tcp[24..32], true), piece(32, &tcp[32..], false)];
    let mut decoder = decoder();
    assert!(pieces.iter().all(|piece| decoder.decode(&frame(LinkType::RAW, piece, piece.len())).is_none()));
    assert_eq!(decoder.counters.fragments_overlapping, 1);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(link in 0u16..300,
                          bytes in prop::collection::vec(any::<u8>(), 0..200), extra in 0usize..100) {
            let mut decoder = decoder();
            decoder.decode(&frame(LinkType(link), &bytes, bytes.len() + extra));
        }

        #[test]
        fn no_damage_to_a_good_packet_panics(at in 0usize..60, value in any::<u8>(), keep in 0usize..140) {
            let mut packet = tcp_packet(&[b'x'; 100]);
            packet[at] = value;
            let mut decoder = decoder();
            decoder.decode(&frame(LinkType::RAW, &packet[..keep.min(packet.len())], packet.len()));
        }
    }
}
