//! One connection: frames of both sides in, header blocks and settings kept in order, messages to [`super::messages`].
//!
//! Each direction has its framing and its header compression. Where bytes are lost inside a payload the framing goes on;
//! where a header block is lost, what it inserted is unknown from there on and messages are marked as partial. Streams are
//! told apart by their number, so a loss never pairs a request with another's response.

use super::blocks::Block;
use super::control::Control;
use super::frame::{END_HEADERS, FrameHeader, Kind, MOST_PAYLOAD, number};
use super::hpack::{DEFAULT_SIZE, Decoder};
use super::reader::{Loss, Reader, Step};
use super::streams::Streams;
use crate::http::shared::Shared;
use crate::http::{HttpLimits, Marks, Message, Observer, Side};
use crate::packet::Direction;
use crate::stream::{Chunk, FlowInfo};
use crate::time::Timestamp;
use smallvec::SmallVec;

/// One direction.
pub(super) struct Half {
    pub reader: Reader,
    pub hpack: Decoder,
    pub block: Option<Box<Block>>,
    /// Table sizes that this side allows the other, in effect and sent but not acknowledged yet.
    pub allowed: usize,
    pub announced: SmallVec<[usize; 2]>,
    /// Settings of this side were seen; before that it may allow anything.
    pub has_settings: bool,
    /// Settings of this side may have been missed.
    pub is_unsure: bool,
    /// Up to where its bytes are disputed, and whether those that are read are.
    disputed: i64,
    is_disputed: bool,
}

pub struct Connection<S, R> {
    pub client: Direction,
    pub(super) halves: [Half; 2],
    pub(super) streams: Streams<S, R>,
    /// The highest stream that the client opened.
    pub(super) highest: u32,
    pub(super) transactions: u32,
    /// The client's bytes were not all seen.
    pub(super) is_lossy: bool,
    is_confirmed: bool,
    is_foreign: bool,
    pub(super) control: Control,
    /// Its part in [`Shared::kept`]: above zero where it keeps more than any may.
    kept: usize,
}

impl<S, R> Connection<S, R> {
    /// A connection at its start. In a doubtful one only the first words will tell whether it is HTTP/2.
    pub fn new(client: Direction, limits: &HttpLimits, is_doubtful: bool) -> Connection<S, R> {
        let half = |side| Half {
            reader: Reader::new(side, is_doubtful, limits.http2.lost_chunks),
            hpack: Decoder::new(limits.http2.table_bytes),
            block: None,
            allowed: DEFAULT_SIZE,
            announced: SmallVec::new(),
            has_settings: false,
            is_unsure: false,
            disputed: 0,
            is_disputed: false,
        };
        let mut connection = Connection {
            client,
            halves: [half(Side::Client), half(Side::Server)],
            streams: Streams::new(limits.http2.closed_streams),
            highest: 0,
            transactions: 0,
            is_lossy: false,
            is_confirmed: false,
            is_foreign: false,
            control: Control::default(),
            kept: 0,
        };
        [Side::Client, Side::Server].into_iter().for_each(|side| connection.settle_table(side));
        connection
    }

    /// A connection that was HTTP/1 until the client's request was answered with a change of protocol: the request is
    /// that of stream 1 (RFC 7540 §3.2).
    pub fn upgraded(
        client: Direction,
        limits: &HttpLimits,
        request: Option<Message<R>>,
        transactions: u32,
    ) -> Connection<S, R> {
        let mut connection = Connection::new(client, limits, false);
        connection.transactions = transactions;
        connection.highest = 1;
        if let Some(mut request) = request {
            request.head.major = 2;
            connection.streams.open(1, request.started);
            connection.streams.change(1, |stream| {
                stream.request = Some(request);
                stream.is_whole[Side::Client as usize] = true;
            });
        }
        connection
    }

    /// Transactions that its flow had before.
    pub fn continue_at(&mut self, transactions: u32) {
        self.transactions = transactions;
    }

    /// The server has spoken in a way that was not understood.
    pub fn server_is_lost(&mut self) {
        self.lose_framing(Side::Server);
    }

    /// The connection was picked up at a frame of one direction; the other is somewhere.
    pub fn picked_up(&mut self, direction: Direction) {
        let side = self.side(direction);
        for side in [Side::Client, Side::Server] {
            self.lose_framing(side);
        }
        self.halves[side as usize].reader.at_frame();
    }

    /// True when its first words were those of something else.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// True when transactions came before, of HTTP/1.
    pub fn was_http(&self) -> bool {
        self.transactions > 0
    }

    /// True when neither side can be read any more.
    pub fn is_over(&self) -> bool {
        self.halves.iter().all(|half| half.reader.is_given_up)
    }

    /// When the oldest transaction under way began.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        let streams = self.streams.iter().map(|stream| stream.started);
        let blocks = self.halves.iter().filter_map(|half| half.block.as_ref().map(|block| block.started));
        let frames = self.halves.iter().filter(|half| half.reader.is_inside()).map(|half| half.reader.started);
        streams.chain(blocks).chain(frames).min()
    }

    fn side(&self, direction: Direction) -> Side {
        if direction == self.client { Side::Client } else { Side::Server }
    }

    pub fn data<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        direction: Direction,
        chunk: Chunk<'_>,
        shared: &mut Shared<O>,
    ) {
        let side = self.side(direction);
        let mut bytes = chunk.bytes;
        let half = &mut self.halves[side as usize];
        half.is_disputed = chunk.offset < half.disputed || (half.is_disputed && half.block.is_some());
        let reader = &mut half.reader;
        reader.chunk(bytes);
        shared.counters.http2_directions_given_up += u64::from(std::mem::take(&mut reader.was_given_up));
        while !bytes.is_empty() && !self.is_foreign {
            let reader = &mut self.halves[side as usize].reader;
            match reader.step(&mut bytes, chunk.time, shared.limits.head_bytes) {
                Step::More => {}
                Step::Preface => self.confirm(shared),
                Step::Foreign => self.discard(shared),
                Step::Broken => {
                    shared.counters.http2_frames_refused += 1;
                    self.lose(side, shared);
                }
                Step::Data { stream, content, is_last } => {
                    self.interrupts_block(side, shared);
                    self.control.at(chunk.time).data += u32::from(side == Side::Server);
                    self.content(info, side, stream, content, is_last, chunk.time, shared);
                }
                Step::TooLong(header) => {
                    shared.counters.http2_frames_over_limit += 1;
                    self.frame_is_lost(info, side, header, chunk.time, shared);
                }
                Step::Frame(header, payload) => self.frame(info, side, header, payload, chunk.time, shared),
                Step::Kept(header) => {
                    let payload = std::mem::take(&mut reader.payload);
                    self.frame(info, side, header, &payload, chunk.time, shared);
                }
            }
        }
        self.account(info, shared);
    }

    /// Its first words are those of HTTP/2.
    pub fn confirm<O: Observer>(&mut self, shared: &mut Shared<O>) {
        shared.counters.flows_http2 += u64::from(!self.is_confirmed);
        self.is_confirmed = true;
    }

    /// Brings the account of what the partition keeps up to date, and gives up what there is no room for.
    fn account<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        self.settle(shared);
        while self.kept > 0 && !shared.has_room_for(0) {
            match self.streams.oldest() {
                Some(id) => {
                    shared.counters.pending_over_limit += 1;
                    self.give_up(info, id, Marks::none(), shared);
                }
                None if self.halves.iter().any(|half| half.hpack.memory() > 0) => {
                    shared.counters.http2_table_entries_left_out += 1;
                    self.halves.iter_mut().for_each(|half| half.hpack.forget());
                    self.settle(shared);
                    return;
                }
                None => return,
            }
            self.settle(shared);
        }
    }

    fn settle<O>(&mut self, shared: &mut Shared<O>) {
        let of = |half: &Half| {
            half.hpack.memory()
                + half.reader.payload.capacity()
                + half.block.as_ref().map_or(0, |block| block.bytes.capacity())
        };
        let all = self.streams.bytes + self.halves.iter().map(of).sum::<usize>();
        let now = all.saturating_sub(4 * shared.limits.connection_bytes);
        shared.kept = shared.kept + now - self.kept; // what this connection keeps is part of the sum
        self.kept = now;
    }

    pub fn gap<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        direction: Direction,
        length: u64,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let side = self.side(direction);
        match self.halves[side as usize].reader.gap(length) {
            Loss::Nothing => {}
            Loss::Data { stream, length, is_last } => {
                self.content_is_lost(info, side, stream, length, is_last, time, shared);
            }
            Loss::Frame(header) => self.frame_is_lost(info, side, header, time, shared),
            Loss::Framing => self.lose(side, shared),
        }
        self.account(info, shared);
    }

    /// Bytes of one direction came twice, and the copies differ. Frames of all streams stand side by side: all that are
    /// open are marked, and those whose heads are still to come with these bytes.
    pub fn conflict(&mut self, direction: Direction, offset: i64, length: u64) {
        self.streams.mark(Marks::OVERLAP_CONFLICT);
        self.disputed(direction, offset + length as i64);
    }

    /// Heads of one direction in what begins before `until` have disputed bytes.
    pub fn disputed(&mut self, direction: Direction, until: i64) {
        let half = &mut self.halves[self.side(direction) as usize];
        half.disputed = half.disputed.max(until);
    }

    /// The mark of a head that is read now, if its bytes are disputed.
    pub(super) fn dispute_of(&self, side: Side) -> Marks {
        if self.halves[side as usize].is_disputed { Marks::OVERLAP_CONFLICT } else { Marks::none() }
    }

    /// One side sends nothing more.
    pub fn end<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        direction: Direction,
        time: Timestamp,
        reset: bool,
        shared: &mut Shared<O>,
    ) {
        let side = self.side(direction);
        let half = &mut self.halves[side as usize];
        half.reader.end();
        half.block = None;
        let marks = if reset { Marks::INCOMPLETE | Marks::RESET } else { Marks::INCOMPLETE };
        for id in self.streams.ids() {
            if self.streams.get(id).is_some_and(|stream| stream.bodies[side as usize].is_some()) {
                self.message_over(info, side, id, time, marks, shared);
            }
        }
    }

    /// The flow is over: what is open is given as it is.
    pub fn close<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        for direction in [self.client, self.client.other()] {
            self.end(info, direction, time, false, shared);
        }
        for id in self.streams.ids() {
            self.give_up(info, id, Marks::none(), shared);
        }
        self.halves.iter_mut().for_each(|half| half.hpack.forget());
        self.settle(shared);
    }

    /// It is not HTTP/2 after all: nothing of it is told.
    fn discard<O: Observer<Scan = S, Report = R>>(&mut self, shared: &mut Shared<O>) {
        self.is_foreign = true;
        for id in self.streams.ids() {
            let stream = self.streams.close(id);
            for body in stream.into_iter().flat_map(|stream| stream.bodies).flatten() {
                body.finish(&mut shared.decoders, &mut shared.observer);
            }
        }
        for half in &mut self.halves {
            half.reader.end();
            half.block = None;
            half.hpack.forget();
        }
    }

    /// The place of the next frame is unknown.
    fn lose<O: Observer<Scan = S, Report = R>>(&mut self, side: Side, shared: &mut Shared<O>) {
        shared.counters.http2_framing_lost += 1;
        self.lose_framing(side);
        for id in self.streams.ids() {
            if let Some(body) = self.streams.get(id).and_then(|stream| stream.bodies[side as usize].as_mut()) {
                body.gap(0, &mut shared.decoders, &mut shared.observer);
            }
        }
    }

    fn lose_framing(&mut self, side: Side) {
        self.is_lossy |= side == Side::Client;
        let half = &mut self.halves[side as usize];
        half.reader.lose();
        half.hpack.forget();
        half.block = None;
        half.is_unsure = true;
        self.settle_table(side);
        self.halves[side.other() as usize].reader.max_frame = MOST_PAYLOAD;
    }

    fn frame<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        header: FrameHeader,
        payload: &[u8],
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if header.kind == Kind::Continuation {
            return self.continuation(info, side, header, payload, time, shared);
        }
        self.interrupts_block(side, shared);
        match header.kind {
            Kind::Headers | Kind::PushPromise => {
                let content = header.content(payload);
                let (promised, block) = match (header.kind, side) {
                    (Kind::PushPromise, Side::Server) => (content.and_then(number), content.and_then(|c| c.get(4..))),
                    (Kind::PushPromise, Side::Client) => (None, None), // only servers promise (RFC 9113 §8.4)
                    _ => (None, content),
                };
                let Some(block) = block else {
                    shared.counters.http2_frames_refused += 1;
                    self.halves[side as usize].hpack.forget();
                    return;
                };
                let started = self.halves[side as usize].reader.started;
                let mut begun = Block { header, promised, started, bytes: Vec::new(), continuations: 0 };
                if header.has(END_HEADERS) {
                    self.block(info, side, &begun, block, time, shared);
                } else {
                    begun.bytes.extend_from_slice(block);
                    self.halves[side as usize].block = Some(Box::new(begun));
                }
            }
            Kind::RstStream => self.reset(info, side, header.stream, time, shared),
            Kind::Settings => {
                self.settings(side, header, payload);
                self.control_frame(info, side, header, time, shared);
            }
            Kind::Ping => self.control_frame(info, side, header, time, shared),
            Kind::GoAway if side == Side::Server => {
                // What the server has not begun, it will not answer (RFC 9113 §6.8).
                let last = number(payload).unwrap_or(u32::MAX);
                for id in self.streams.ids().into_iter().filter(|id| *id > last && !id.is_multiple_of(2)) {
                    self.give_up(info, id, Marks::none(), shared);
                }
            }
            _ => {}
        }
    }
}
