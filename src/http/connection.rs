//! One connection: the messages of both sides, read and joined into transactions.
//!
//! While nothing is missing, every message begins where the one before it ends. Once a gap swallowed the start of a
//! message, a side **resynchronises** only at a segment that begins like a message where the turn changes: it follows its
//! predecessor without a hole and acknowledges more than that did, or it starts at the very byte that the other side
//! expected next when it last spoke. A body that contains something like a head is never searched for one. Which response
//! answers which request is for [`super::exchange`].
//!
//! A response whose request was not seen may answer a HEAD and have no body. If what comes behind its head begins no
//! message, it is a body; if it does, it may be the next response, and only a change of turn says so.
//!
//! A client that pipelines sends requests while older ones are unanswered: turns prove nothing about it, and what comes
//! after a loss is passed over. Once the server has answered what was lost, and each side has all that the other sent, the
//! client begins anew; but how many requests were lost stays unknown, so what follows is given as halves.

mod messages;

use super::begin::Onward;
use super::body::{Body, Progress};
use super::exchange::{Exchanges, Last, Origin};
use super::head::{self, Field, Guess, Head};
use super::shared::Shared;
use super::suspect::{self, Suspect};
use super::{Marks, Observer, Side};
use crate::packet::Direction;
use crate::stream::{Chunk, FlowInfo};
use crate::time::Timestamp;

/// Where one side's reading stands.
enum Reading<S> {
    /// At or inside a message head.
    Head,
    Body(Box<Body<S>>),
    /// The start of a message was lost; see the module's comment.
    Resync,
    Ended,
}

struct Reader<S> {
    reading: Reading<S>,
    /// The part of a head that has come, where it came in pieces.
    partial: Vec<u8>,
    /// Where the message under way began.
    origin: Origin,
    last: Option<Last>,
    /// The last message said that it closes the connection.
    closing: bool,
    /// Messages that begin before this offset have disputed bytes.
    disputed: i64,
}

pub struct Connection<S, R> {
    pub client: Direction,
    readers: [Reader<S>; 2],
    exchanges: Exchanges<R>,
    /// The index of the exchange whose response is coming.
    answering: Option<usize>,
    transactions: u32,
    /// Its part in [`Shared::kept`]: above zero where it keeps more than any may.
    kept: usize,
    /// Something was lost.
    is_lossy: bool,
    /// Whether the response under way ends where its head says, whatever was asked: known from its first byte behind the
    /// head on.
    is_as_announced: Option<bool>,
    /// The start of the next request was lost, and an answer came that no known request waited for.
    request_was_lost: bool,
    lost_was_answered: bool,
    /// The server's last word was an interim response: the client goes on in the middle of its request.
    is_continuing: bool,
    /// Its client has proved who it is, for all that it asks from then on.
    is_proved: bool,
    is_over: bool,
    onward: Option<Box<Onward<R>>>,
    suspect: Option<Box<Suspect>>,
}

impl<S, R> Connection<S, R> {
    pub fn new(client: Direction) -> Connection<S, R> {
        let reader = || Reader {
            reading: Reading::Head,
            partial: Vec::new(),
            origin: Origin::default(),
            last: None,
            closing: false,
            disputed: i64::MIN,
        };
        Connection {
            client,
            readers: [reader(), reader()],
            exchanges: Exchanges::default(),
            answering: None,
            transactions: 0,
            kept: 0,
            is_lossy: false,
            is_as_announced: None,
            request_was_lost: false,
            lost_was_answered: false,
            is_continuing: false,
            is_proved: false,
            is_over: false,
            onward: None,
            suspect: None,
        }
    }

    /// Transactions that its flow had before.
    pub fn continue_at(&mut self, transactions: u32) {
        self.transactions = transactions;
    }

    /// True once the connection has left HTTP.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What it goes on with, once it is over.
    pub fn take_onward(&mut self) -> Option<Onward<R>> {
        self.onward.take().map(|onward| Onward { transactions: self.transactions, ..*onward })
    }

    /// When the oldest transaction under way began.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        let exchanges = self.exchanges.queue.iter().map(|exchange| exchange.origin.time);
        let heads = self.readers.iter().filter(|reader| !reader.partial.is_empty()).map(|reader| reader.origin.time);
        exchanges.chain(heads).min()
    }

    /// One direction may have sent messages before the first one that was understood.
    pub fn missed(&mut self, direction: Direction) {
        self.is_lossy = true;
        match self.side(direction) {
            Side::Client => (self.request_was_lost, self.lost_was_answered) = (true, false),
            Side::Server => self.exchanges.in_step = false,
        }
    }

    /// One direction is in the middle of something that was not understood; `last` was its last chunk.
    pub fn starts_unknown(&mut self, direction: Direction, last: Option<Last>) {
        self.missed(direction);
        let reader = &mut self.readers[self.side(direction) as usize];
        reader.reading = Reading::Resync;
        reader.last = last;
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
        if self.turns_at(side, &chunk) {
            self.body_over(info, side, chunk.time, Marks::INCOMPLETE, shared);
            self.readers[side as usize].reading = Reading::Head;
        }
        self.readers[side as usize].last = Some(Last::of(&chunk));
        self.is_lossy |= side == Side::Server && self.has_unseen_requests(&chunk);
        while !bytes.is_empty() && !self.is_over {
            let reader = &mut self.readers[side as usize];
            match &mut reader.reading {
                Reading::Resync | Reading::Ended => return,
                Reading::Body(body) => {
                    if side == Side::Server && self.is_as_announced.is_none() {
                        self.is_as_announced = Some(!begins_message(side, bytes, false));
                    }
                    match body.data(&mut bytes, &mut shared.decoders, &mut shared.observer) {
                        Progress::More => {}
                        Progress::Complete => self.body_over(info, side, chunk.time, Marks::none(), shared),
                        Progress::Broken => {
                            self.body_over(info, side, chunk.time, Marks::INCOMPLETE, shared);
                            self.lose(side);
                        }
                    }
                }
                Reading::Head => self.head_bytes(info, side, &chunk, &mut bytes, shared),
            }
        }
        if let Some(onward) = &mut self.onward {
            onward.rest = bytes.len();
        }
        self.account(shared);
        while self.kept > 0 && !shared.has_room_for(0) && !self.exchanges.queue.is_empty() {
            self.give_up_waiting(info, shared);
            self.account(shared);
        }
    }

    /// True when a server's chunk acknowledges more than was seen of the client: reassembly does not call it a gap as long
    /// as nothing comes behind it. (A client that is not in the capture at all proves nothing; one byte more is the FIN's
    /// own sequence number.)
    fn has_unseen_requests(&self, chunk: &Chunk<'_>) -> bool {
        let seen = self.readers[Side::Client as usize].last;
        seen.is_some_and(|last| chunk.acknowledged.is_some_and(|had| had > last.end + 1))
    }

    /// Brings the account of what the partition keeps up to date.
    fn account<O>(&mut self, shared: &mut Shared<O>) {
        let partial = self.readers.iter().map(|reader| reader.partial.capacity()).sum::<usize>();
        let now = (self.exchanges.bytes + partial).saturating_sub(shared.limits.connection_bytes);
        shared.kept = shared.kept + now - self.kept; // what this connection keeps is part of the sum
        self.kept = now;
    }

    /// Too much waits for a response: the oldest becomes half a transaction.
    fn give_up_waiting<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        shared.counters.pending_over_limit += 1;
        self.exchanges.give_up_waiting();
        self.give_up_front(info, shared);
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
        self.is_lossy = true;
        if side == Side::Server {
            self.is_as_announced.get_or_insert(false);
            self.exchanges.forget_interim();
        }
        match &mut self.readers[side as usize].reading {
            Reading::Body(body) => match body.gap(length, &mut shared.decoders, &mut shared.observer) {
                Progress::More => {}
                Progress::Complete => self.body_over(info, side, time, Marks::none(), shared),
                Progress::Broken => {
                    self.body_over(info, side, time, Marks::INCOMPLETE, shared);
                    self.lose(side);
                }
            },
            Reading::Head => self.lose(side),
            Reading::Resync | Reading::Ended => {}
        }
    }

    /// Bytes of one direction came twice, and the copies differ: whatever of it is under way is marked. What is over is
    /// over; what the bytes come for yet is marked when it begins.
    pub fn conflict(&mut self, direction: Direction, offset: i64, length: u64) {
        let side = self.side(direction);
        let end = offset + length as i64;
        let reader = &self.readers[side as usize];
        let read = reader.last.map_or(0, |last| last.end);
        match side {
            Side::Client => {
                let mut behind = read;
                for exchange in self.exchanges.queue.iter_mut().rev().filter(|exchange| exchange.request.is_some()) {
                    let is_coming = !exchange.request_is_whole && offset >= read;
                    if exchange.origin.offset < end && (offset < behind || is_coming) {
                        exchange.marks |= Marks::OVERLAP_CONFLICT;
                    }
                    behind = exchange.origin.offset;
                }
            }
            Side::Server if reader.origin.offset < end => {
                if let Some(exchange) = self.answering.and_then(|index| self.exchanges.queue.get_mut(index)) {
                    exchange.marks |= Marks::OVERLAP_CONFLICT;
                }
            }
            Side::Server => {}
        }
        self.disputed(direction, end);
    }

    /// Messages of one direction that begin before `until` have disputed bytes.
    pub fn disputed(&mut self, direction: Direction, until: i64) {
        let reader = &mut self.readers[self.side(direction) as usize];
        reader.disputed = reader.disputed.max(until);
    }

    /// The mark of the message that begins now, if its bytes are disputed.
    fn dispute_of(&self, side: Side) -> Marks {
        let reader = &self.readers[side as usize];
        if reader.origin.offset < reader.disputed { Marks::OVERLAP_CONFLICT } else { Marks::none() }
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
        let reader = &mut self.readers[side as usize];
        if let Reading::Body(body) = &reader.reading {
            let mut marks = Marks::none();
            if !body.ends_with_stream() || reset {
                marks |= Marks::INCOMPLETE;
            }
            if reset {
                marks |= Marks::RESET;
            }
            self.body_over(info, side, time, marks, shared);
        }
        self.readers[side as usize].reading = Reading::Ended;
        self.readers[side as usize].partial = Vec::new();
    }

    /// The flow is over: what still waits is given as halves.
    pub fn close<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        for direction in [self.client, self.client.other()] {
            self.end(info, direction, time, false, shared);
        }
        while let Some(mut exchange) = self.exchanges.pop_front() {
            self.emit(info, &mut exchange, shared);
        }
        suspect::forget(&mut self.suspect, shared);
        self.account(shared);
    }

    /// The start of the next message is lost: wait for the turn to change.
    fn lose(&mut self, side: Side) {
        let reader = &mut self.readers[side as usize];
        reader.partial = Vec::new();
        reader.reading = Reading::Resync;
        self.missed(if side == Side::Client { self.client } else { self.client.other() });
    }

    /// True when a chunk begins a message though the one before it may not have been read to its end: where the turn
    /// changes.
    fn turns_at(&self, side: Side, chunk: &Chunk<'_>) -> bool {
        let may_turn = match self.readers[side as usize].reading {
            Reading::Resync => true,
            // What comes behind its head may be the next response, if it answers a HEAD.
            Reading::Body(_) => side == Side::Server && self.may_be_over(),
            Reading::Head | Reading::Ended => false,
        };
        if !may_turn {
            return false;
        }
        let turns = match self.exchanges.pipelines {
            true => side == Side::Client && self.begins_anew(chunk),
            false => self.turn_changes(side, chunk),
        };
        turns && begins_message(side, chunk.bytes, false)
    }

    /// True when a client's chunk comes while nothing is under way: all that was lost may have been answered, and each side
    /// has all that the other sent.
    fn begins_anew(&self, chunk: &Chunk<'_>) -> bool {
        let server = &self.readers[Side::Server as usize];
        let is_resting = matches!(server.reading, Reading::Head) && server.partial.is_empty();
        let has_all = |last: Last| last.acknowledged == Some(chunk.offset) && chunk.acknowledged == Some(last.end);
        self.lost_was_answered
            && is_resting
            && !self.is_continuing
            && server.last.is_some_and(has_all)
            && !self.exchanges.queue.iter().any(|exchange| exchange.waits())
    }

    fn turn_changes(&self, side: Side, chunk: &Chunk<'_>) -> bool {
        let reader = &self.readers[side as usize];
        if reader.last.is_some_and(|last| last.is_turned_by(chunk)) {
            return !(side == Side::Client && self.is_continuing);
        }
        match side {
            Side::Server => {
                let origin = Origin { offset: chunk.offset, acknowledged: chunk.acknowledged, time: chunk.time };
                self.exchanges.proved(origin).is_some()
            }
            Side::Client => {
                let expected = self.readers[Side::Server as usize].last.and_then(|last| last.acknowledged);
                expected == Some(chunk.offset)
                    && !self.is_continuing
                    && reader.last.is_none_or(|last| chunk.acknowledged > last.acknowledged)
            }
        }
    }

    /// True when the response under way may have no body, because the request that it answers may have been a HEAD: it
    /// was not seen, and what comes behind the head is not proved to be anything else than the next response.
    fn may_be_over(&self) -> bool {
        self.is_unasked() && self.is_as_announced != Some(true)
    }

    /// True when the response under way answers a request that was not seen.
    fn is_unasked(&self) -> bool {
        self.answering
            .and_then(|index| self.exchanges.queue.get(index))
            .is_some_and(|exchange| exchange.request.is_none())
    }

    fn head_bytes<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        chunk: &Chunk<'_>,
        bytes: &mut &[u8],
        shared: &mut Shared<O>,
    ) {
        let reader = &mut self.readers[side as usize];
        if reader.partial.is_empty() {
            *bytes = head::skip_empty_lines(bytes);
            if bytes.is_empty() {
                return;
            }
            if !begins_message(side, bytes, true) {
                shared.counters.heads_refused += 1;
                self.lose(side);
                return;
            }
            let offset = chunk.offset + (chunk.bytes.len() - bytes.len()) as i64;
            reader.origin = Origin { offset, acknowledged: chunk.acknowledged, time: chunk.time };
            if let Some(length) = head::head_length(bytes, 0) {
                let (whole, rest) = bytes.split_at(length);
                *bytes = rest;
                self.head(info, side, whole, chunk.time, shared);
                return;
            }
        }
        let known = reader.partial.len();
        reader.partial.extend_from_slice(bytes);
        match head::head_length(&reader.partial, known.saturating_sub(3)) {
            Some(length) => {
                *bytes = bytes.get(length.saturating_sub(known)..).unwrap_or(&[]);
                let whole = std::mem::take(&mut reader.partial);
                self.head(info, side, whole.get(..length).unwrap_or(&whole), chunk.time, shared);
            }
            None => {
                *bytes = &[];
                let is_large = reader.partial.len() > shared.limits.connection_bytes && !shared.has_room_for(0);
                if is_large || reader.partial.len() > shared.limits.head_bytes {
                    shared.counters.heads_over_limit += 1;
                    self.lose(side);
                }
            }
        }
    }

    fn head<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        whole: &[u8],
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let parsed = match side {
            Side::Client => head::parse_request(whole),
            Side::Server => head::parse_response(whole),
        };
        let Ok(mut head) = parsed else {
            shared.counters.heads_refused += 1;
            self.lose(side);
            return;
        };
        shared.counters.heads_cut += u64::from(head.cut(shared.limits.repeated_fields));
        if std::mem::replace(&mut self.readers[side as usize].closing, closes(&head)) {
            head.marks |= Marks::AFTER_CLOSE;
        }
        match side {
            Side::Client => self.request_head(info, head, time, shared),
            Side::Server => self.response_head(info, head, time, shared),
        }
    }
}

fn begins_message(side: Side, bytes: &[u8], is_due: bool) -> bool {
    match side {
        Side::Client => matches!(head::guess(bytes, is_due), Guess::More | Guess::Request),
        Side::Server => head::may_begin_response(bytes),
    }
}

/// True when a message says that it is the last on its connection (RFC 9112 §9.3).
fn closes(head: &Head) -> bool {
    head.lists(Field::Connection, "close") || (head.minor == 0 && !head.lists(Field::Connection, "keep-alive"))
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
