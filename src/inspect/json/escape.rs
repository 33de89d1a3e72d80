//! JSON strings without their escapes.

/// A JSON string without its escapes (RFC 8259 §7). A lone surrogate or a cut escape becomes a question mark.
pub(in crate::inspect) fn unescape(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        into.extend_from_slice(plain);
        let (byte, length) = match escape.get(1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b' | b'f') => (b' ', 2),
            Some(b'u') => {
                let code = escape.get(2..6).and_then(hex).and_then(char::from_u32).unwrap_or('?');
                let mut buffer = [0u8; 4];
                into.extend_from_slice(code.encode_utf8(&mut buffer).as_bytes());
                rest = escape.get(escape.len().min(6)..).unwrap_or_default();
                continue;
            }
            Some(&other) => (other, 2),
            None => (b'?', 1),
        };
        into.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, &digit| Some(value << 4 | (digit as char).to_digit(16)?))
}
