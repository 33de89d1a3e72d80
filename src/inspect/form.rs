//! `application/x-www-form-urlencoded` bodies: pairs of names and values (WHATWG URL, "application/x-www-form-urlencoded").

use super::Limits;
use super::sink::Sink;

/// Room for the name and for the three bytes that an escaped one takes: pairs beyond are read by their head.
const NAME_ROOM: usize = 128;

pub(super) struct Form {
    pair_bytes: usize,
    scratch: Vec<u8>,
}

impl Form {
    pub fn new(limits: &Limits) -> Form {
        Form { pair_bytes: limits.token_bytes.saturating_mul(3).saturating_add(NAME_ROOM), scratch: Vec::new() }
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'&', rest) {
            self.extend(rest.get(..at).unwrap_or_default(), carry);
            self.finish(carry, sink);
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        self.extend(rest, carry);
    }

    fn extend(&self, bytes: &[u8], carry: &mut Vec<u8>) {
        let room = self.pair_bytes.saturating_sub(carry.len());
        carry.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    /// The pair that is carried.
    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) {
        let equals = memchr::memchr(b'=', carry).unwrap_or(carry.len());
        let (name, value) = (carry.get(..equals).unwrap_or_default(), carry.get(equals + 1..).unwrap_or_default());
        unescape(name, &mut self.scratch);
        let field = sink.names.look(&self.scratch);
        if !self.scratch.is_empty() {
            sink.member(&self.scratch);
        }
        unescape(value, &mut self.scratch);
        if !value.is_empty() {
            sink.value(field, &self.scratch, Some(1));
        }
        carry.clear();
    }
}

/// `+` is a space, `%41` an `A`; what is no escape stays.
pub(super) fn unescape(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let hex = |index: usize| text.get(index).and_then(|&digit| (digit as char).to_digit(16));
        let escaped = if byte == b'%' { hex(at + 1).zip(hex(at + 2)) } else { None };
        match escaped {
            Some((high, low)) => {
                into.push((high << 4 | low) as u8);
                at += 3;
            }
            None => {
                into.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
}
