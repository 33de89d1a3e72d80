//! Frames of any link type, several in a row so that fragments meet: nothing panics, payloads stay inside the frame.
#![no_main]

use apitap::capture::{Frame, LinkType};
use apitap::hash::HashKey;
use apitap::packet::{Decoder, KeyBy, PacketLimits, Tunnels};
use apitap::time::Timestamp;
use libfuzzer_sys::fuzz_target;

/// Ethernet more often than others: most encapsulations begin there.
const LINKS: [u16; 32] = [
    1, 1, 1, 1, 0, 6, 7, 9, 10, 12, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 122, 127, 129, 192, 219, 226,
    228, 239, 258, 276,
];
const MAX_FRAMES: usize = 64;

fuzz_target!(|input: &[u8]| {
    let limits = PacketLimits { fragmented_datagrams: 8, fragment_bytes: 4096 };
    let tunnels = Tunnels { key_by: KeyBy { vlan: true, vni: true }, ..Tunnels::default() };
    let mut decoder = Decoder::new(HashKey::new([7; 16]), limits).with(tunnels);
    let mut rest = input;
    for index in 0..MAX_FRAMES {
        let [link, cut, length, behind @ ..] = rest else { return };
        let (bytes, behind) = behind.split_at((*length as usize * 2).min(behind.len()));
        rest = behind;
        let frame = Frame {
            time: Timestamp(index as i64 * 1_000_000_000),
            link: LinkType(LINKS[*link as usize % LINKS.len()]),
            wire_len: bytes.len() as u32 + u32::from(*cut),
            bytes,
            source: 0,
        };
        if let Some(segment) = decoder.decode(&frame) {
            assert!(segment.payload.len() <= 65_535 + bytes.len());
            assert!(segment.partition() < apitap::packet::PARTITIONS);
        }
    }
});
