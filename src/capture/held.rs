//! Frames that are kept beyond the read buffer they came in: copied once, one behind the other, into one buffer.

use super::{Frame, LinkType};
use crate::time::Timestamp;

struct Held {
    time: Timestamp,
    link: LinkType,
    wire_len: u32,
    end: usize,
}

#[derive(Default)]
pub struct HeldFrames {
    frames: Vec<Held>,
    bytes: Vec<u8>,
}

impl HeldFrames {
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.bytes.extend_from_slice(frame.bytes);
        let end = self.bytes.len();
        self.frames.push(Held { time: frame.time, link: frame.link, wire_len: frame.wire_len, end });
    }

    /// Gives the frames in order, as frames of source 0.
    pub fn each<'h>(&'h self, mut take: impl FnMut(Frame<'h>)) {
        let mut start = 0;
        for held in &self.frames {
            let bytes = &self.bytes[start..held.end]; // ends ascend to the length of `bytes`
            take(Frame { time: held.time, link: held.link, wire_len: held.wire_len, bytes, source: 0 });
            start = held.end;
        }
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes of all frames.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it; the buffers stay.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.bytes.clear();
    }
}
