//! Link types, 802.11, fragments and offload around tunnels, and real frames cut short.

use super::encapsulation_tests::{ethernet, ipv4, over_udp, wifi};
use super::tests::{decoder, fragments, frame, tcp_packet};
use super::*;

#[test]
fn wifi_that_cannot_be_read_is_skipped_and_what_is_no_data_is_not_ip() {
    let packet = tcp_packet(b"hello");
    let good = wifi(&packet);
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    // Protected, more fragments, a later fragment.
    for bytes in [changed(1, 0x41), changed(1, 0x05), changed(22, 1)] {
        let mut decoder = decoder();
        assert!(decoder.decode(&frame(LinkType(105), &bytes, bytes.len())).is_none());
        assert_eq!(decoder.counters.encapsulations.skipped(Encapsulation::Wifi), 1);
    }
    // A beacon, a null function.
    for bytes in [changed(0, 0x80), changed(0, 0xc8)] {
        let mut decoder = decoder();
        assert!(decoder.decode(&frame(LinkType(105), &bytes, bytes.len())).is_none());
        assert_eq!(decoder.counters.not_ip, 1);
    }
}

/// Each packet in a tunnel of its own, in fragments that come backwards.
fn tunnelled_in_fragments(packets: &[Vec<u8>], size: usize) -> Vec<Vec<u8>> {
    let wrapped = packets.iter().enumerate().map(|(index, packet)| {
        let mut outer = ipv4(4, packet);
        outer[5] = index as u8 + 7; // an identification of its own
        fragments(&outer, size)
    });
    wrapped.flat_map(|pieces| pieces.into_iter().rev()).collect()
}

#[test]
fn fragments_of_tunnels_and_in_tunnels_are_put_together() {
    let payloads = |decoder: &mut Decoder, pieces: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let decode = |piece: &Vec<u8>| {
            let segment = decoder.decode(&frame(LinkType::RAW, piece, piece.len()));
            segment.map(|segment| segment.payload.to_vec())
        };
        pieces.iter().filter_map(decode).collect()
    };
    let inside = fragments(&tcp_packet(&[b'f'; 300]), 160);
    let outside = tunnelled_in_fragments(&inside, 64);
    let mut twice = decoder();
    assert_eq!(payloads(&mut twice, &outside), [vec![b'f'; 300]]);
    assert_eq!(twice.counters.datagrams_reassembled, 1 + inside.len() as u64);
    // Fragments within fragments within fragments are too much.
    let mut thrice = decoder();
    assert!(payloads(&mut thrice, &tunnelled_in_fragments(&outside, 48)).is_empty());
    assert_eq!(thrice.counters.too_deep, inside.len() as u64);
}

#[test]
fn frames_longer_than_an_ip_length_can_say_are_read_whole() {
    let mut packet = tcp_packet(&vec![b'y'; 60_000]);
    packet.extend(vec![b'z'; 40_000]);
    packet[2..4].copy_from_slice(&[0, 0]);
    let mut tunnel = over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(0x0800, &packet));
    tunnel[16..18].copy_from_slice(&[0, 0]); // the outer packet's length, and the datagram's
    tunnel[38..40].copy_from_slice(&[0, 0]);
    for bytes in [ethernet(0x0800, &packet), tunnel] {
        let mut decoder = decoder();
        let segment = decoder.decode(&frame(LinkType::ETHERNET, &bytes, bytes.len())).unwrap();
        assert_eq!((segment.payload.len(), segment.payload[99_999], segment.cut), (100_000, b'z', 0));
        let cut = &bytes[..bytes.len() - 1000];
        let segment = decoder.decode(&frame(LinkType::ETHERNET, cut, bytes.len())).unwrap();
        assert_eq!((segment.payload.len(), segment.cut), (99_000, 1000));
    }
}

#[test]
fn the_link_types_that_are_read_are_those_that_are_said_to_be() {
    for number in 0..=300 {
        let link = LinkType(number);
        let mut decoder = decoder();
        decoder.decode(&frame(link, &[0; 64], 64));
        let is_spelling_in_files = matches!(number, 12 | 14); // which the readers turn into 101
        assert_eq!(decoder.counters.unknown_link == 0, link.is_known() || is_spelling_in_files, "{link}");
    }
}

#[test]
fn pseudo_headers_are_passed_over() {
    let packet = tcp_packet(b"hello");
    let framed = ethernet(0x0800, &packet);
    let llc = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &packet[..]].concat();
    let word = |value: u32| value.to_le_bytes();
    let cases: Vec<(u16, Vec<u8>)> = vec![
        (6, [&[0x10, 0x40][..], &[0; 6], &[0x80, 0, 0, 0, 0, 0], &[6, 0x30, 1, 2, 3, 4], &llc].concat()),
        (6, [&[0x10, 0x40][..], &[0; 12], &llc].concat()),
        (7, [&[1, 2, 240], &packet[..]].concat()),
        (9, [&[0xff, 3, 0, 0x21], &packet[..]].concat()),
        (9, [&[0x21], &packet[..]].concat()),
        (10, [&[0x50][..], &[0; 12], &llc].concat()),
        (50, [&[0xff, 3, 0, 0x21], &packet[..]].concat()),
        (50, [&[0x0f, 0, 8, 0], &packet[..]].concat()),
        (100, llc.clone()),
        (100, [&[0xfe, 0xfe, 3, 0xcc], &packet[..]].concat()),
        (104, [&[0x8f, 0, 8, 0], &packet[..]].concat()),
        (107, [&[0x18, 0x61, 8, 0], &packet[..]].concat()),
        (107, [&[0x18, 0x61, 3, 0xcc], &packet[..]].concat()),
        (107, [&[0x18, 0x60, 0x60, 1, 3, 0, 0x80, 0, 0, 0, 8, 0], &packet[..]].concat()),
        (109, [&[2, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0], &packet[..]].concat()),
        (113, [&[0; 14][..], &[0, 4], &llc].concat()),
        (117, [&[61, 2][..], &[0; 62], &packet].concat()),
        (122, [&[0; 16][..], &llc].concat()),
        (129, [&[1, 2, 3, 4, 240], &packet[..]].concat()),
        (129, [&[1, 2, 3, 4, 212, 0, 0, 9], &packet[..]].concat()),
        (129, [&[1, 2, 3, 4, 212, 0xff, 0, 0, 0xff, 0, 0, 9], &packet[..]].concat()),
        (149, [&word(12)[..], &word(1), &word(101), &packet].concat()),
        (192, [&[0, 0, 8, 0, 1, 0, 0, 0], &framed[..]].concat()),
        (226, [&[1, 2][..], &[0; 22], &packet].concat()),
        (239, [&[2, 0, 0, 0, 5, 0, 10, 0, 7, 0, 0, 0, 49, 0, 9, 0], &packet[..]].concat()),
        (239, [&[2, 0, 0, 0, 0, 5, 0, 10, 7, 0, 0, 0, 0, 49, 0, 9], &packet[..]].concat()),
        (258, [&word(16)[..], &word(1), &word(1), &word(9), &framed].concat()),
        (258, [&16u32.to_be_bytes()[..], &[0, 0, 0, 1], &[0, 0, 0, 1], &word(9), &framed].concat()),
    ];
    for (link, bytes) in cases {
        let mut whole = decoder();
        let found = whole.decode(&frame(LinkType(link), &bytes, bytes.len())).map(|segment| segment.payload);
        assert_eq!(found, Some(&b"hello"[..]), "{link} {bytes:x?}");
        for kept in 0..bytes.len() {
            decoder().decode(&frame(LinkType(link), &bytes[..kept], kept));
        }
    }
}

/// Where the corpus is: the frames of its captures of tags and tunnels, cut at every byte.
#[test]
fn no_cut_of_a_real_frame_panics_or_makes_bytes() {
    const MOST_FRAMES: usize = 60;
    const LONGEST: usize = 400;
    let Some(corpus) = std::env::var_os("APITAP_CORPUS") else {
        println!("skipped: APITAP_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("pcap/encapsulation");
    let mut cuts = 0usize;
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(mut source) = crate::capture::open(&entry.unwrap().path()) else { continue };
        for _ in 0..MOST_FRAMES {
            use crate::capture::FrameSource as _;
            let Ok(Some(whole)) = source.next() else { break };
            for kept in 0..whole.bytes.len().min(LONGEST) {
                let mut decoder = decoder();
                let cut = Frame { bytes: &whole.bytes[..kept], ..whole };
                if let Some(segment) = decoder.decode(&cut) {
                    assert!(segment.payload.len() <= kept);
                }
                cuts += 1;
            }
        }
    }
    assert!(cuts > 100_000, "only {cuts}: is the corpus whole?");
}
