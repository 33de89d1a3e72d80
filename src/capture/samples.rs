//! Captures made by hand, byte by byte, for the tests of this folder.

use super::input::ByteOrder;

/// A number's bytes in a byte order.
pub(super) fn u32_bytes(order: ByteOrder, value: u32) -> [u8; 4] {
    match order {
        ByteOrder::Big => value.to_be_bytes(),
        ByteOrder::Little => value.to_le_bytes(),
    }
}

pub(super) fn u16_bytes(order: ByteOrder, value: u16) -> [u8; 2] {
    match order {
        ByteOrder::Big => value.to_be_bytes(),
        ByteOrder::Little => value.to_le_bytes(),
    }
}

pub(super) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(super) const NANOSECONDS: u32 = 0xa1b2_3c4d;
pub(super) const KUZNETSOV: u32 = 0xa1b2_cd34;

pub(super) fn pcap_header(order: ByteOrder, magic: u32, snaplen: u32, link: u32) -> Vec<u8> {
    let mut bytes = u32_bytes(order, magic).to_vec();
    bytes.extend(u16_bytes(order, 2));
    bytes.extend(u16_bytes(order, 4));
    for field in [0, 0, snaplen, link] {
        bytes.extend(u32_bytes(order, field));
    }
    bytes
}

pub(super) fn pcap_record(order: ByteOrder, seconds: u32, fraction: u32, wire_len: u32, bytes: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    for field in [seconds, fraction, bytes.len() as u32, wire_len] {
        record.extend(u32_bytes(order, field));
    }
    record.extend(bytes);
    record
}

/// A little-endian Ethernet pcap of microseconds, a frame of `length` bytes at each of `seconds`.
pub(super) fn pcap_at(seconds: &[u32], length: usize) -> Vec<u8> {
    let mut bytes = pcap_header(ByteOrder::Little, MICROSECONDS, 262_144, 1);
    for second in seconds {
        bytes.extend(pcap_record(ByteOrder::Little, *second, 0, length as u32, &vec![*second as u8; length]));
    }
    bytes
}

/// A pcapng block: body padded, both lengths right.
pub(super) fn block(order: ByteOrder, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32_bytes(order, padded as u32 + 12);
    let mut bytes = [u32_bytes(order, kind), length].concat();
    bytes.extend(body);
    bytes.resize(8 + padded, 0);
    bytes.extend(length);
    bytes
}

pub(super) fn section(order: ByteOrder) -> Vec<u8> {
    let mut body = u32_bytes(order, 0x1A2B_3C4D).to_vec();
    body.extend(u16_bytes(order, 1));
    body.extend(u16_bytes(order, 0));
    body.extend([0xff; 8]); // section length not given
    block(order, 0x0A0D_0D0A, &body)
}

pub(super) fn option(order: ByteOrder, code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [u16_bytes(order, code), u16_bytes(order, value.len() as u16)].concat();
    bytes.extend(value);
    bytes.resize(4 + value.len().next_multiple_of(4), 0);
    bytes
}

pub(super) fn interface(order: ByteOrder, link: u16, snaplen: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let mut body = [u16_bytes(order, link), [0, 0]].concat();
    body.extend(u32_bytes(order, snaplen));
    options.iter().for_each(|option| body.extend(option));
    block(order, 1, &body)
}

pub(super) fn enhanced(order: ByteOrder, interface: u32, units: u64, wire_len: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, wire_len] {
        body.extend(u32_bytes(order, field));
    }
    body.extend(bytes);
    block(order, 6, &body)
}
