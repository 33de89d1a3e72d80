//! Text without structure: cut into segments that end at a line's end or, in long lines, at a space.

use super::Limits;
use super::sink::Sink;

/// How far back a full segment looks for a space to be cut at, in bytes.
const BACK_BYTES: usize = 128;
/// How much of a text may say that a login was refused, in bytes.
const REFUSAL_BYTES: u64 = 4096;

/// Cuts a stream into segments. Where it cuts depends on the bytes alone, not on how they are fed.
#[derive(Clone, Copy)]
pub(super) struct Segments {
    limit: usize,
}

impl Segments {
    pub fn new(limits: &Limits) -> Segments {
        Segments { limit: limits.token_bytes.max(2 * BACK_BYTES) }
    }

    /// Hands on every segment that is complete; what is left is carried.
    pub fn feed(&self, bytes: &[u8], carry: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !carry.is_empty() && !rest.is_empty() {
            let room = rest.get(..rest.len().min(self.limit - carry.len().min(self.limit))).unwrap_or_default();
            let line = memchr::memchr(b'\n', room);
            let taken = line.map_or(room.len(), |at| at + 1);
            carry.extend_from_slice(rest.get(..taken).unwrap_or_default());
            rest = rest.get(taken..).unwrap_or_default();
            if line.is_some() {
                each(carry);
                carry.clear();
            } else if carry.len() >= self.limit {
                let cut = cut_of(carry);
                each(carry.get(..cut).unwrap_or_default());
                carry.drain(..cut);
            }
        }
        while !rest.is_empty() {
            let window = rest.get(..rest.len().min(self.limit)).unwrap_or_default();
            let length = match memchr::memchr(b'\n', window) {
                Some(at) => at + 1,
                None if window.len() == self.limit => cut_of(window),
                None => break,
            };
            each(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        }
        carry.extend_from_slice(rest);
    }

    /// Hands on what is carried.
    pub fn end(&self, carry: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
        if !carry.is_empty() {
            each(carry);
            carry.clear();
        }
    }
}

/// Where a full segment is cut: behind the last space near its end, else at its end. Never 0.
fn cut_of(segment: &[u8]) -> usize {
    let from = segment.len().saturating_sub(BACK_BYTES);
    let tail = segment.get(from..).unwrap_or_default();
    tail.iter().rposition(|&byte| byte == b' ').map_or(segment.len(), |at| from + at + 1)
}

/// A plain text body.
pub(super) struct Text {
    segments: Segments,
    /// Bytes of the segments handed on.
    seen: u64,
}

impl Text {
    pub fn new(limits: &Limits) -> Text {
        Text { segments: Segments::new(limits), seen: 0 }
    }

    pub fn begin(&mut self) {
        self.seen = 0;
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let seen = &mut self.seen;
        self.segments.feed(bytes, carry, |segment| judge(segment, seen, sink));
    }

    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) {
        let seen = &mut self.seen;
        self.segments.end(carry, |segment| judge(segment, seen, sink));
    }
}

/// A segment of text that is shown to a person: data in it, and whether it refuses a login.
pub(super) fn judge(segment: &[u8], seen: &mut u64, sink: &mut Sink) {
    if *seen < REFUSAL_BYTES {
        sink.shown(segment);
    }
    *seen = seen.saturating_add(segment.len() as u64);
    sink.text(segment);
}
