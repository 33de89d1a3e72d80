//! Header blocks that come in several frames, and those of which a frame is missing.

use super::AbuseKind;
use super::connection::Connection;
use super::frame::{END_HEADERS, END_STREAM, FrameHeader, Kind};
use crate::http::shared::Shared;
use crate::http::{Marks, Observer, Side};
use crate::stream::FlowInfo;
use crate::time::Timestamp;

/// A header block that is not whole yet.
pub(super) struct Block {
    pub header: FrameHeader,
    /// The stream that is promised, where it is a promise.
    pub promised: Option<u32>,
    pub started: Timestamp,
    pub bytes: Vec<u8>,
    pub continuations: usize,
}

impl<S, R> Connection<S, R> {
    /// A frame was lost, or is longer than is kept; its header was read.
    pub(super) fn frame_is_lost<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        header: FrameHeader,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let half = &mut self.halves[side as usize];
        match header.kind {
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                self.is_lossy |= side == Side::Client;
                half.block = None;
                half.hpack.forget();
                if header.kind == Kind::Headers && header.has(END_STREAM) {
                    self.message_over(info, side, header.stream, time, Marks::PARTIAL, shared);
                }
            }
            Kind::Settings => {
                half.is_unsure = true;
                self.settle_table(side);
            }
            _ => {}
        }
    }

    /// A frame that is no continuation came while one had to come (RFC 9113 §6.10): the block is void.
    pub(super) fn interrupts_block<O>(&mut self, side: Side, shared: &mut Shared<O>) {
        let half = &mut self.halves[side as usize];
        if half.block.take().is_some() {
            shared.counters.http2_frames_refused += 1;
            half.hpack.forget();
        }
    }

    pub(super) fn continuation<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        header: FrameHeader,
        payload: &[u8],
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let half = &mut self.halves[side as usize];
        let Some(mut block) = half.block.take().filter(|block| block.header.stream == header.stream) else {
            half.hpack.forget(); // of a block that was given up, or that nobody saw begin
            return;
        };
        block.continuations += 1;
        let is_flood = block.continuations > shared.limits.http2.continuation_frames;
        let length = block.bytes.len() + payload.len();
        if is_flood
            || length > shared.limits.head_bytes
            || (length > shared.limits.connection_bytes && !shared.has_room_for(0))
        {
            shared.counters.heads_over_limit += 1;
            self.frame_is_lost(info, side, block.header, time, shared);
            if is_flood {
                self.abuse(info, side, AbuseKind::ContinuationFlood, time, shared);
            }
            return;
        }
        block.bytes.extend_from_slice(payload);
        if header.has(END_HEADERS) {
            let bytes = std::mem::take(&mut block.bytes);
            self.block(info, side, &block, &bytes, time, shared);
        } else {
            half.block = Some(block);
        }
    }
}
