//! Frames as a classic capture file: little-endian, nanoseconds (magic a1b23c4d), Ethernet
//! (draft-ietf-opsawg-pcap). Times earlier than 1970 are written as 1970.

use crate::time::Timestamp;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;
/// What libpcap calls "everything".
pub const FULL_SNAPLEN: u32 = 262_144;

pub fn file_header(snaplen: u32) -> [u8; 24] {
    let mut out = [0u8; 24];
    out[0..4].copy_from_slice(&MAGIC_NANOSECONDS.to_le_bytes());
    out[4..8].copy_from_slice(&[2, 0, 4, 0]); // version 2.4
    out[16..20].copy_from_slice(&snaplen.to_le_bytes());
    out[20..24].copy_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
    out
}

/// Appends one record, cut to `snaplen`.
pub fn append_record(out: &mut Vec<u8>, at: Timestamp, frame: &[u8], snaplen: u32) {
    let kept = frame.len().min(snaplen as usize);
    let at = at.max(Timestamp(0));
    let mut head = [0u8; 16];
    head[0..4].copy_from_slice(&(at.seconds() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&at.subsec_nanos().to_le_bytes());
    head[8..12].copy_from_slice(&(kept as u32).to_le_bytes());
    head[12..16].copy_from_slice(&(frame.len() as u32).to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&frame[..kept]); // `kept` is at most the frame's length
}

/// A whole capture file of these frames, in the order given.
pub fn pcap(frames: &[(Timestamp, Vec<u8>)], snaplen: u32) -> Vec<u8> {
    let mut out = file_header(snaplen).to_vec();
    for (at, frame) in frames {
        append_record(&mut out, *at, frame, snaplen);
    }
    out
}
