//! Text without structure: cut into segments that end at a line's end or at a space.

use super::Limits;
use super::sink::Sink;

/// How far back a full segment looks for a place to be cut at, in bytes.
const BACK_BYTES: usize = 128;
/// How much of a text may say that a login was refused, in bytes.
const REFUSAL_BYTES: u64 = 4096;

/// Cuts a stream into segments of bounded length. Where it cuts depends on the bytes alone, not on how they are fed.
#[derive(Clone, Copy)]
pub(super) struct Segments {
    limit: usize,
    /// Every line is a segment of its own.
    lines: bool,
}

impl Segments {
    /// Segments as long as may be: nothing that is looked for goes across the end of a line.
    pub fn of_text(limits: &Limits) -> Segments {
        Segments { limit: limits.token_bytes.max(2 * BACK_BYTES), lines: false }
    }

    /// Segments that are lines, or parts of long ones.
    pub fn of_lines(limits: &Limits) -> Segments {
        Segments { lines: true, ..Segments::of_text(limits) }
    }

    /// Hands on every segment that is complete; what is left is carried.
    pub fn feed(&self, bytes: &[u8], carry: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !carry.is_empty() && !rest.is_empty() {
            let room = rest.get(..rest.len().min(self.limit - carry.len().min(self.limit))).unwrap_or_default();
            let line = self.line_of(room);
            let taken = line.unwrap_or(room.len());
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
            let length = match self.line_of(window) {
                Some(length) => length,
                None if window.len() == self.limit => cut_of(window),
                None => break,
            };
            each(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        }
        carry.extend_from_slice(rest);
    }

    /// The length of the line that `window` begins with, if lines count and it is complete.
    fn line_of(&self, window: &[u8]) -> Option<usize> {
        let end = if self.lines { memchr::memchr(b'\n', window) } else { None };
        end.map(|at| at + 1)
    }

    /// Hands on what is carried.
    pub fn end(&self, carry: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
        if !carry.is_empty() {
            each(carry);
            carry.clear();
        }
    }
}

/// Where a full segment is cut: behind the last line's end near its own, else behind the last space, else at its end.
/// Never 0.
fn cut_of(segment: &[u8]) -> usize {
    let from = segment.len().saturating_sub(BACK_BYTES);
    let tail = segment.get(from..).unwrap_or_default();
    let place = memchr::memrchr(b'\n', tail).or_else(|| memchr::memrchr(b' ', tail));
    place.map_or(segment.len(), |at| from + at + 1)
}

/// A plain text body.
pub(super) struct Text {
    segments: Segments,
    /// Bytes of the segments handed on.
    seen: u64,
}

impl Text {
    pub fn new(limits: &Limits) -> Text {
        Text { segments: Segments::of_text(limits), seen: 0 }
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
