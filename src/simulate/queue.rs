//! Frames on their way into the capture: a heap by time, from which all that is certain is written out.
//!
//! Actors give frames in any order, but never earlier than the step in which they give them; so everything before
//! the next step's time is final. Buffers are reused: memory is bounded by what is under way at one time.

use super::Options;
use super::random::Rng;
use super::wire::connection::FrameSink;
use super::wire::impairment::Impairment;
use super::wire::{Tunnel, pcap};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

/// Written to the capture in pieces of about this size.
const OUTPUT_BYTES: usize = 1 << 20;

pub struct FrameQueue<'a> {
    /// Time, order of arrival, buffer.
    heap: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
    pushed: u64,
    /// Every frame comes in it.
    tunnel: Option<Tunnel>,
    through_tunnel: u64,
    impairment: Impairment,
    rng: Rng,
    snaplen: u32,
    capture: &'a mut dyn io::Write,
    output: Vec<u8>,
    last: Timestamp,
    pub frames: u64,
    pub bytes: u64,
    pub first: Option<Timestamp>,
}

impl<'a> FrameQueue<'a> {
    pub fn new(capture: &'a mut dyn io::Write, options: &Options) -> FrameQueue<'a> {
        let impairment = Impairment { loss: options.loss, reorder: options.reorder, duplicate: options.duplicate };
        FrameQueue {
            heap: BinaryHeap::new(),
            buffers: Vec::new(),
            free: Vec::new(),
            pushed: 0,
            tunnel: options.tunnel,
            through_tunnel: 0,
            impairment,
            rng: Rng::named(options.seed, "impairment", 0),
            snaplen: options.snaplen,
            capture,
            output: pcap::file_header(options.snaplen).to_vec(),
            last: Timestamp::MIN,
            frames: 0,
            bytes: 0,
            first: None,
        }
    }

    pub fn last(&self) -> Timestamp {
        self.last
    }

    fn push(&mut self, at: Timestamp, header: &[u8], payload: &[u8]) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.buffers.push(Vec::new());
            (self.buffers.len() - 1) as u32
        });
        let buffer = &mut self.buffers[slot as usize]; // a slot is an index into `buffers`
        buffer.clear();
        buffer.extend_from_slice(header);
        buffer.extend_from_slice(payload);
        self.heap.push(Reverse((at, self.pushed, slot)));
        self.pushed += 1;
    }

    /// Writes every frame earlier than `until`.
    pub fn write_until(&mut self, until: Timestamp) -> io::Result<()> {
        while let Some(Reverse((at, _, _))) = self.heap.peek()
            && *at < until
        {
            let Some(Reverse((at, _, slot))) = self.heap.pop() else { break };
            let at = at.max(Timestamp(self.last.0.saturating_add(1)));
            self.last = at;
            self.first.get_or_insert(at);
            let frame = &self.buffers[slot as usize]; // a slot is an index into `buffers`
            pcap::append_record(&mut self.output, at, frame, self.snaplen);
            self.frames += 1;
            self.bytes += frame.len() as u64;
            self.free.push(slot);
            if self.output.len() >= OUTPUT_BYTES {
                self.capture.write_all(&self.output)?;
                self.output.clear();
            }
        }
        Ok(())
    }

    /// Writes all that is left.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write_until(Timestamp::MAX)?;
        self.capture.write_all(&self.output)?;
        self.output.clear();
        self.capture.flush()
    }
}

impl FrameSink for FrameQueue<'_> {
    fn frame(&mut self, at: Timestamp, header: &[u8], payload: &[u8]) {
        let in_tunnel = self.tunnel.map(|tunnel| {
            self.through_tunnel += 1;
            tunnel.around(header, payload.len(), self.through_tunnel)
        });
        let header = in_tunnel.as_deref().unwrap_or(header);
        if self.impairment.is_none() {
            return self.push(at, header, payload);
        }
        for arrival in self.impairment.arrivals(at, &mut self.rng).into_iter().flatten() {
            self.push(arrival, header, payload);
        }
    }
}
