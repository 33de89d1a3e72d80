//! Frames and header fields of HTTP/2, as a client writes that does not care for size (RFC 9113 §4.1, RFC 7541 §6.2.2).

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Data = 0,
    Headers = 1,
    RstStream = 3,
    Settings = 4,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// A frame. Payloads are shorter than 16 MiB.
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + payload.len());
    append_frame(kind, flags, stream, payload, &mut bytes);
    bytes
}

pub fn append_frame(kind: Kind, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]); // of four octets
    out.extend_from_slice(&[kind as u8, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A field that is not inserted into any table. Name and value are shorter than 127 bytes.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

/// A header block that expands: behind these fields one of `value` bytes, 127 to 16,510, and `references` to it.
pub fn expanding(mut block: Vec<u8>, value: usize, references: usize) -> Vec<u8> {
    let rest = value - 127; // a length of two octets (RFC 7541 §5.1)
    block.extend_from_slice(&[0x40, 1, b'x', 0x7f, (rest & 0x7f) as u8 | 0x80, (rest >> 7) as u8]);
    block.extend(std::iter::repeat_n(b'o', value));
    block.extend(std::iter::repeat_n(0xbe, references)); // the newest entry of the dynamic table
    block
}
