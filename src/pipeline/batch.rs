//! Batches of segments on their way from the reader to a worker: copied once, into one buffer.

use crate::packet::{Control, Direction, FlowKey, Segment, TcpFlags};
use crate::time::Timestamp;

/// Segments and payload bytes after which a batch is sent.
const BATCH_SEGMENTS: usize = 1024;
const BATCH_BYTES: usize = 512 << 10;

struct Packed {
    time: Timestamp,
    flow: FlowKey,
    hash: u64,
    direction: Direction,
    sequence: u32,
    acknowledgement: u32,
    flags: TcpFlags,
    control: Control,
    end: u32,
    cut: u32,
}

#[derive(Default)]
pub struct Batch {
    segments: Vec<Packed>,
    bytes: Vec<u8>,
}

impl Batch {
    pub fn push(&mut self, segment: &Segment<'_>) {
        self.bytes.extend_from_slice(segment.payload);
        self.segments.push(Packed {
            time: segment.time,
            flow: segment.flow,
            hash: segment.hash,
            direction: segment.direction,
            sequence: segment.sequence,
            acknowledgement: segment.acknowledgement,
            flags: segment.flags,
            control: segment.control,
            end: self.bytes.len() as u32,
            cut: segment.cut,
        });
    }

    pub fn is_full(&self) -> bool {
        self.segments.len() >= BATCH_SEGMENTS || self.bytes.len() >= BATCH_BYTES
    }

    pub fn clear(&mut self) {
        self.segments.clear();
        self.bytes.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut start = 0usize;
        self.segments.iter().map(move |packed| {
            let end = packed.end as usize;
            let payload = self.bytes.get(start..end).unwrap_or(&[]);
            start = end;
            Segment {
                time: packed.time,
                flow: packed.flow,
                hash: packed.hash,
                direction: packed.direction,
                sequence: packed.sequence,
                acknowledgement: packed.acknowledgement,
                flags: packed.flags,
                control: packed.control,
                payload,
                cut: packed.cut,
            }
        })
    }
}
