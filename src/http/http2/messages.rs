//! The messages of a connection: header blocks, content and resets of its streams in, transactions out.

use super::blocks::Block;
use super::connection::Connection;
use super::frame::END_STREAM;
use super::head::Pseudo;
use super::hpack::{HpackError, ListLimits};
use super::streams::Stream;
use super::{AbuseKind, Http2Limits, Scratch};
use crate::http::body::Body;
use crate::http::framing::{self, Framing};
use crate::http::head::Head;
use crate::http::shared::Shared;
use crate::http::{Marks, Message, Observer, Side, Transaction};
use crate::stream::FlowInfo;
use crate::time::Timestamp;

/// A list that grew beyond its limit is a bomb when it is so many times as large as it was on the wire.
const BOMB_RATIO: usize = 16;

impl<S, R> Connection<S, R> {
    /// A header block is whole.
    pub(super) fn block<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        block: &Block,
        bytes: &[u8],
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let mut scratch = std::mem::take(&mut shared.scratch);
        let Http2Limits { list_bytes, fields, expansion, .. } = shared.limits.http2;
        let limits = ListLimits { bytes: list_bytes, fields, expansion };
        let hpack = &mut self.halves[side as usize].hpack;
        let decoded = hpack.decode(bytes, &limits, &mut scratch.fields);
        shared.counters.http2_table_entries_left_out += hpack.take_left_out();
        let fields = &scratch.fields;
        let is_large = fields.size > limits.bytes && fields.size / BOMB_RATIO > bytes.len();
        if is_large || decoded == Err(HpackError::Expansion) {
            self.abuse(info, side, AbuseKind::HpackBomb, time, shared);
        }
        shared.counters.http2_lists_over_limit += u64::from(fields.left_out > 0);
        let ends = block.header.has(END_STREAM) && block.promised.is_none();
        let id = block.promised.unwrap_or(block.header.stream);
        match decoded {
            Ok(()) => {
                self.confirm(shared);
                match (side, block.promised) {
                    (Side::Server, None) => {
                        self.server_block(info, id, block.started, ends, time, &mut scratch, shared)
                    }
                    (_, promised) => {
                        let is_promise = promised.is_some();
                        self.client_block(info, id, block.started, ends, is_promise, time, &mut scratch, shared);
                    }
                }
            }
            Err(_) => {
                shared.counters.http2_blocks_refused += 1;
                self.is_lossy |= side == Side::Client;
                if ends {
                    self.message_over(info, side, id, time, Marks::PARTIAL, shared);
                }
            }
        }
        shared.scratch = scratch;
    }

    /// A request, trailers of one, or the request of a promise.
    #[allow(clippy::too_many_arguments)] // a block is all of these
    fn client_block<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        id: u32,
        started: Timestamp,
        ends: bool,
        is_promise: bool,
        time: Timestamp,
        scratch: &mut Scratch,
        shared: &mut Shared<O>,
    ) {
        let pseudo = Pseudo::of(&scratch.fields);
        let has_request = self.streams.get(id).is_some_and(|stream| stream.request.is_some());
        let is_late = !is_promise && id <= self.highest && !self.is_lossy;
        let is_new = !has_request && !is_late && !self.streams.was_closed(id) && id.is_multiple_of(2) == is_promise;
        if !is_new || !pseudo.is_request() {
            if ends {
                self.message_over(info, Side::Client, id, time, Marks::none(), shared);
            }
            return;
        }
        let mut head = scratch.builder.request(&scratch.fields, &pseudo);
        if is_promise {
            head.marks |= Marks::PUSHED;
        } else {
            self.highest = self.highest.max(id);
        }
        if self.streams.len() >= shared.limits.http2.streams
            && let Some(oldest) = self.streams.oldest()
        {
            shared.counters.http2_streams_over_limit += 1;
            self.give_up(info, oldest, Marks::none(), shared);
        }
        let ends = ends || is_promise;
        let body = body_of(Side::Client, &head, ends, shared);
        let disputed = self.dispute_of(Side::Client);
        self.streams.open(id, started);
        self.streams.change(id, |stream| {
            stream.marks |= head.marks | disputed;
            stream.bodies[Side::Client as usize] = body;
            stream.request = Some(Message { head, started, ended: time, body_length: 0, report: None });
            stream.is_whole[Side::Client as usize] = false;
        });
        if ends {
            self.message_over(info, Side::Client, id, time, Marks::none(), shared);
        }
    }

    /// A response, an interim one, or trailers.
    #[allow(clippy::too_many_arguments)] // as above
    fn server_block<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        id: u32,
        started: Timestamp,
        ends: bool,
        time: Timestamp,
        scratch: &mut Scratch,
        shared: &mut Shared<O>,
    ) {
        let pseudo = Pseudo::of(&scratch.fields);
        let known = self.streams.get(id);
        let is_awaited = known.as_ref().is_some_and(|stream| stream.response.is_none());
        let is_connect =
            known.and_then(|stream| stream.request.as_ref()).is_some_and(|request| request.head.method() == b"CONNECT");
        // An answer to a request that was not seen; what is under way to a stream that was closed is none.
        let is_unasked = self.streams.get(id).is_none()
            && !self.streams.was_closed(id)
            && (self.is_lossy || id > self.highest || id.is_multiple_of(2));
        let Some(status) = pseudo.status.filter(|_| is_awaited || is_unasked) else {
            let unknown = scratch.fields.unknown > 0 && is_awaited && !pseudo.is_request();
            if let (true, Some(stream)) = (unknown, self.streams.get(id)) {
                stream.marks |= Marks::PARTIAL;
            }
            if ends {
                self.message_over(info, Side::Server, id, time, Marks::none(), shared);
            }
            return;
        };
        let head = scratch.builder.response(&scratch.fields, &pseudo, status);
        if (100..200).contains(&status) && !ends {
            let interim = Message { head, started, ended: time, body_length: 0, report: None };
            self.streams.change(id, |stream| stream.interim = Some(Box::new(interim)));
            return;
        }
        let leaves_http = is_connect && (200..300).contains(&status);
        let body = body_of(Side::Server, &head, ends || leaves_http, shared);
        let disputed = self.dispute_of(Side::Server);
        self.streams.open(id, started);
        self.streams.change(id, |stream| {
            stream.marks |= head.marks | disputed;
            stream.bodies[Side::Server as usize] = body;
            stream.response = Some(Message { head, started, ended: time, body_length: 0, report: None });
            stream.is_whole[Side::Server as usize] = false; // also where content came before it, and its end
            if is_unasked {
                stream.is_whole[Side::Client as usize] = true;
            } else if !stream.is_whole[Side::Client as usize] {
                stream.marks |= Marks::EARLY_RESPONSE;
            }
        });
        if leaves_http {
            // A tunnel from here on (RFC 9113 §8.5, RFC 8441).
            self.message_over(info, Side::Client, id, time, Marks::UPGRADED, shared);
        }
        if ends || leaves_http {
            self.message_over(info, Side::Server, id, time, Marks::none(), shared);
        }
    }

    /// Content of a DATA frame.
    #[allow(clippy::too_many_arguments)] // as above
    pub(super) fn content<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        id: u32,
        content: &[u8],
        is_last: bool,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if let Some(body) = self.streams.get(id).and_then(|stream| stream.bodies[side as usize].as_mut()) {
            let mut bytes = content;
            body.data(&mut bytes, &mut shared.decoders, &mut shared.observer);
        }
        if is_last {
            self.message_over(info, side, id, time, Marks::none(), shared);
        }
    }

    #[allow(clippy::too_many_arguments)] // as above
    pub(super) fn content_is_lost<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        id: u32,
        length: u64,
        is_last: bool,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if let Some(body) = self.streams.get(id).and_then(|stream| stream.bodies[side as usize].as_mut()) {
            body.gap(length, &mut shared.decoders, &mut shared.observer);
        }
        if is_last {
            self.message_over(info, side, id, time, Marks::none(), shared);
        }
    }

    /// One side has sent all of its message; with both, the exchange is over.
    pub(super) fn message_over<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        id: u32,
        time: Timestamp,
        marks: Marks,
        shared: &mut Shared<O>,
    ) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.is_whole[side as usize] {
            return;
        }
        finish(stream, side, time, marks, shared);
        if stream.is_over()
            && let Some(mut stream) = self.streams.close(id)
        {
            self.tell(info, &mut stream, shared);
        }
    }

    /// One side resets a stream.
    pub(super) fn reset<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        id: u32,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let Some(stream) = self.streams.get(id) else { return };
        // CVE-2023-44487: asked for, and called off before anything could be answered.
        // Of what was asked before anybody watched, nobody knows whether it was answered, and it counts as no request.
        let is_known = stream.request.as_ref().is_some_and(|request| !request.head.marks.contains(Marks::PARTIAL));
        if side == Side::Client && stream.response.is_none() && is_known {
            self.abuse(info, side, AbuseKind::RapidReset, time, shared);
        }
        self.give_up_at(info, id, time, Marks::RESET, shared);
    }

    /// Nothing more comes on a stream, or there is no room for it: what has come is given.
    pub(super) fn give_up<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        id: u32,
        marks: Marks,
        shared: &mut Shared<O>,
    ) {
        let Some(stream) = self.streams.get(id) else { return };
        let time = stream.response.as_ref().or(stream.request.as_ref()).map_or(stream.started, |last| last.ended);
        self.give_up_at(info, id, time, marks, shared);
    }

    fn give_up_at<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        id: u32,
        time: Timestamp,
        marks: Marks,
        shared: &mut Shared<O>,
    ) {
        let Some(mut stream) = self.streams.close(id) else { return };
        stream.marks |= marks;
        for side in [Side::Client, Side::Server] {
            let is_coming = stream.bodies[side as usize].is_some();
            if is_coming {
                finish(&mut stream, side, time, Marks::INCOMPLETE, shared);
            }
        }
        self.tell(info, &mut stream, shared);
    }

    fn tell<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        stream: &mut Stream<S, R>,
        shared: &mut Shared<O>,
    ) {
        let response = stream.response.take().or_else(|| stream.interim.take().map(|interim| *interim));
        if stream.request.is_none() && response.is_none() {
            return;
        }
        let has = (stream.request.is_some(), response.is_some());
        let (marks, index) = shared.count_transaction(info, &mut self.transactions, has, stream.marks);
        shared.observer.transaction(Transaction {
            flow: *info,
            client: info.key.source(self.client),
            server: info.key.source(self.client.other()),
            index,
            request: stream.request.take(),
            response,
            marks,
        });
    }
}

fn body_of<S, O: Observer<Scan = S>>(
    side: Side,
    head: &Head,
    ends: bool,
    shared: &mut Shared<O>,
) -> Option<Box<Body<S>>> {
    if ends {
        return None;
    }
    Some(Box::new(Body::begin(side, head, Framing::UntilClose, &mut shared.decoders, &mut shared.observer)))
}

/// The message of one side is over.
fn finish<S, R, O: Observer<Scan = S, Report = R>>(
    stream: &mut Stream<S, R>,
    side: Side,
    time: Timestamp,
    mut marks: Marks,
    shared: &mut Shared<O>,
) {
    stream.is_whole[side as usize] = true;
    let message = if side == Side::Client { &mut stream.request } else { &mut stream.response };
    if let Some(message) = message {
        message.ended = message.ended.max(time);
        if let Some(body) = stream.bodies[side as usize].take() {
            let finished = body.finish(&mut shared.decoders, &mut shared.observer);
            message.body_length = finished.length;
            message.report = finished.report;
            marks |= finished.marks;
            let is_whole = !marks.contains(Marks::INCOMPLETE) && !marks.contains(Marks::GAP_IN_BODY);
            // RFC 9113 §8.1.1: the length that is announced is that of the content.
            if is_whole && framing::announced_length(&message.head).is_some_and(|length| length != finished.length) {
                marks |= Marks::CONTENT_LENGTH_CONFLICT;
            }
        }
    }
    shared.count(marks);
    stream.marks |= marks;
}
