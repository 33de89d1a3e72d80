//! Fragments of IPv4 and IPv6 in any order, overlapping, of several datagrams: nothing panics, memory stays within its
//! bound, and what comes out is no longer than what went in.
#![no_main]

use apitap::capture::{Frame, LinkType};
use apitap::hash::HashKey;
use apitap::packet::{Decoder, PacketLimits};
use apitap::time::Timestamp;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Piece {
    is_v6: bool,
    identification: u8,
    /// In units of eight bytes.
    offset: u8,
    more: bool,
    milliseconds: u16,
    payload: Vec<u8>,
}

const TCP: u8 = 6;

impl Piece {
    fn packet(&self) -> Vec<u8> {
        let payload = &self.payload[..self.payload.len().min(512)];
        let place = u16::from(self.offset);
        let mut packet;
        if self.is_v6 {
            packet = vec![0x60, 0, 0, 0];
            packet.extend((payload.len() as u16 + 8).to_be_bytes());
            packet.extend([44, 64]);
            packet.extend([1; 16]);
            packet.extend([2; 16]);
            packet.extend([TCP, 0]);
            packet.extend((place << 3 | u16::from(self.more)).to_be_bytes());
            packet.extend([0, 0, 0, self.identification]);
        } else {
            packet = vec![0x45, 0];
            packet.extend((payload.len() as u16 + 20).to_be_bytes());
            packet.extend([0, self.identification]);
            packet.extend((place | u16::from(self.more) << 13).to_be_bytes());
            packet.extend([64, TCP, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        }
        packet.extend(payload);
        packet
    }
}

fuzz_target!(|pieces: Vec<Piece>| {
    let limits = PacketLimits { fragmented_datagrams: 8, fragment_bytes: 4096 };
    let mut decoder = Decoder::new(HashKey::new([7; 16]), limits);
    let (mut time, mut came) = (0, 0);
    for piece in &pieces {
        time += i64::from(piece.milliseconds) * 1_000_000;
        let bytes = piece.packet();
        came += bytes.len();
        let frame = Frame {
            time: Timestamp(time),
            link: LinkType(if piece.is_v6 { 229 } else { 228 }),
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            source: 0,
        };
        if let Some(segment) = decoder.decode(&frame) {
            assert!(segment.payload.len() <= came);
        }
    }
});
