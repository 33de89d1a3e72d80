//! One connection: the messages of both sides, paired into transactions.
//!
//! While nothing is missing, the first request that waits is the one a response answers. Once a gap swallowed the start
//! of a message, the number of messages is no longer known, and two rules keep pairs right:
//!
//! - a side **resynchronises** only at a segment that begins like a message and acknowledges bytes of the other side
//!   that were not acknowledged before the gap: there the turn has changed. A body that contains something like a head
//!   is never searched for one;
//! - a response answers a request only if it starts where the client had not received it yet when it sent the request
//!   (the request's acknowledgement), and was sent when the server had received the request (the response's
//!   acknowledgement). Of several such requests, the youngest that was sent in a later turn than the one before it.

use super::body::{Body, Progress};
use super::decode::DecoderPool;
use super::framing::{self, Asked, Framing};
use super::head::{self, Field, Guess, Head};
use super::{HttpCounters, HttpLimits, Marks, Message, Observer, Side, Transaction};
use crate::packet::Direction;
use crate::stream::{Chunk, FlowInfo};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// What the connections of a partition share.
pub struct Shared<O> {
    pub limits: HttpLimits,
    pub counters: HttpCounters,
    pub decoders: DecoderPool,
    pub observer: O,
}

/// Where one side's reading stands.
enum Reading<S> {
    /// At or inside a message head.
    Head,
    Body(Box<Body<S>>),
    /// The starts of messages were lost; see the module's comment.
    Resync {
        acknowledged: Option<i64>,
    },
}

struct Reader<S> {
    reading: Reading<S>,
    /// The part of a head that has come, where it came in pieces.
    partial: Vec<u8>,
    /// Where the message under way began.
    origin: Origin,
    /// The acknowledgement of the last chunk.
    acknowledged: Option<i64>,
    /// The last message said that it closes the connection.
    closing: bool,
}

#[derive(Clone, Copy, Default)]
struct Origin {
    offset: i64,
    acknowledged: Option<i64>,
    time: Timestamp,
}

/// A request and its response as far as they have come.
struct Exchange<R> {
    request: Option<Message<R>>,
    response: Option<Message<R>>,
    interim: Option<Message<R>>,
    origin: Origin,
    request_is_whole: bool,
    response_is_whole: bool,
    marks: Marks,
}

pub struct Connection<S, R> {
    pub client: Direction,
    readers: [Reader<S>; 2],
    /// In order of the requests. At most the last one's request is still coming.
    exchanges: VecDeque<Exchange<R>>,
    /// The index of the exchange whose response is coming.
    answering: Option<usize>,
    transactions: u32,
    /// The start of some message was lost.
    is_lossy: bool,
    is_over: bool,
}

impl<S, R> Connection<S, R> {
    pub fn new(client: Direction) -> Connection<S, R> {
        let reader = || Reader {
            reading: Reading::Head,
            partial: Vec::new(),
            origin: Origin::default(),
            acknowledged: None,
            closing: false,
        };
        Connection {
            client,
            readers: [reader(), reader()],
            exchanges: VecDeque::new(),
            answering: None,
            transactions: 0,
            is_lossy: false,
            is_over: false,
        }
    }

    /// True once the connection has left HTTP.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What one direction sent before it was understood is lost: it resynchronises at its next message.
    pub fn starts_unknown(&mut self, direction: Direction) {
        self.is_lossy = true;
        self.readers[self.side(direction) as usize].reading = Reading::Resync { acknowledged: None };
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
        let reader = &mut self.readers[side as usize];
        if let Reading::Resync { acknowledged } = reader.reading {
            if chunk.acknowledged > acknowledged && begins_message(side, bytes) {
                reader.reading = Reading::Head;
            }
        }
        reader.acknowledged = chunk.acknowledged.max(reader.acknowledged);
        while !bytes.is_empty() && !self.is_over {
            let reader = &mut self.readers[side as usize];
            match &mut reader.reading {
                Reading::Resync { .. } => return,
                Reading::Body(body) => match body.data(&mut bytes, &mut shared.decoders, &mut shared.observer) {
                    Progress::More => {}
                    Progress::Complete => self.body_over(info, side, chunk.time, Marks::none(), shared),
                    Progress::Broken => {
                        self.body_over(info, side, chunk.time, Marks::INCOMPLETE, shared);
                        self.lose(side);
                    }
                },
                Reading::Head => self.head_bytes(info, side, &chunk, &mut bytes, shared),
            }
        }
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
            Reading::Resync { .. } => {}
        }
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
        self.readers[side as usize].reading = Reading::Resync { acknowledged: Some(i64::MAX) };
        self.readers[side as usize].partial = Vec::new();
    }

    /// The flow is over: what still waits is given as halves.
    pub fn close<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, time: Timestamp, shared: &mut Shared<O>) {
        for direction in [self.client, self.client.other()] {
            self.end(info, direction, time, false, shared);
        }
        while let Some(exchange) = self.exchanges.pop_front() {
            self.emit(info, exchange, shared);
        }
    }

    /// The start of the next message is lost: wait for the turn to change.
    fn lose(&mut self, side: Side) {
        let reader = &mut self.readers[side as usize];
        reader.partial = Vec::new();
        reader.reading = Reading::Resync { acknowledged: reader.acknowledged };
        self.is_lossy = true;
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
            if !begins_message(side, bytes) {
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
                if reader.partial.len() > shared.limits.head_bytes {
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
        if std::mem::replace(&mut self.readers[side as usize].closing, closes(&head)) {
            head.marks |= Marks::AFTER_CLOSE;
        }
        match side {
            Side::Client => self.request_head(info, head, time, shared),
            Side::Server => self.response_head(info, head, time, shared),
        }
    }

    fn request_head<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        head: Head,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if self.exchanges.len() >= shared.limits.pending_requests {
            shared.counters.pending_over_limit += 1;
            self.give_up_front(info, shared);
        }
        let (framing, marks) = framing::of_request(&head);
        let body = Body::begin(Side::Client, &head, framing.clone(), &mut shared.decoders, &mut shared.observer);
        let origin = self.readers[Side::Client as usize].origin;
        let marks = marks | head.marks;
        let request = Message { head, started: origin.time, ended: time, body_length: 0, report: None };
        self.exchanges.push_back(Exchange {
            request: Some(request),
            response: None,
            interim: None,
            origin,
            request_is_whole: false,
            response_is_whole: false,
            marks,
        });
        self.read_body(info, Side::Client, framing, body, time, shared);
    }

    fn response_head<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        head: Head,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let status = head.status();
        let origin = self.readers[Side::Server as usize].origin;
        let index = self.answered_by(info, origin, shared);
        if (100..200).contains(&status) && status != 101 {
            // Interim: the final response follows (RFC 9110 §15.2); where it never does, this is the answer.
            if let Some(exchange) = index.and_then(|index| self.exchanges.get_mut(index)) {
                exchange.interim = Some(Message { head, started: origin.time, ended: time, body_length: 0, report: None });
            }
            return;
        }
        let asked = index.and_then(|index| self.exchanges[index].request.as_ref()).map_or(Asked::default(), |request| {
            Asked { by_head: request.head.method() == b"HEAD", by_connect: request.head.method() == b"CONNECT" }
        });
        let (framing, marks) = framing::of_response(&head, asked);
        let body = Body::begin(Side::Server, &head, framing.clone(), &mut shared.decoders, &mut shared.observer);
        let marks = marks | head.marks;
        let leaves_http = status == 101 || (asked.by_connect && (200..300).contains(&status));
        let response = Message { head, started: origin.time, ended: time, body_length: 0, report: None };
        let index = index.unwrap_or_else(|| {
            // Nobody asked: half a transaction, in front of what still waits.
            self.exchanges.push_front(Exchange {
                request: None,
                response: None,
                interim: None,
                origin,
                request_is_whole: true,
                response_is_whole: false,
                marks: Marks::none(),
            });
            0
        });
        let exchange = &mut self.exchanges[index];
        exchange.response = Some(response);
        exchange.marks |= marks;
        if !exchange.request_is_whole {
            exchange.marks |= Marks::EARLY_RESPONSE;
        }
        self.answering = Some(index);
        if leaves_http {
            exchange.marks |= Marks::UPGRADED;
            exchange.request_is_whole = true;
            shared.counters.flows_upgraded += 1;
        }
        self.read_body(info, Side::Server, framing, body, time, shared);
        self.is_over |= leaves_http;
    }

    /// The exchange that a response which began at `origin` answers.
    fn answered_by<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        origin: Origin,
        shared: &mut Shared<O>,
    ) -> Option<usize> {
        if !self.is_lossy {
            return self.exchanges.iter().position(|exchange| exchange.response.is_none());
        }
        loop {
            let index = self.exchanges.iter().position(|exchange| exchange.response.is_none())?;
            let asked = self.exchanges[index].origin;
            let (Some(client_had), Some(server_had)) = (asked.acknowledged, origin.acknowledged) else { return None };
            if origin.offset < client_had || server_had <= asked.offset {
                return None;
            }
            let later_turn = self.exchanges.get(index + 1).is_some_and(|next| {
                next.origin.acknowledged.is_some_and(|had| had > client_had && had <= origin.offset)
            });
            if !later_turn {
                return Some(index);
            }
            self.give_up_front(info, shared);
        }
    }

    fn read_body<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        framing: Framing,
        body: Body<S>,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        self.readers[side as usize].reading = Reading::Body(Box::new(body));
        if framing == Framing::Empty {
            self.body_over(info, side, time, Marks::none(), shared);
        }
    }

    /// The message under way on one side is over.
    fn body_over<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        time: Timestamp,
        marks: Marks,
        shared: &mut Shared<O>,
    ) {
        let reading = std::mem::replace(&mut self.readers[side as usize].reading, Reading::Head);
        let Reading::Body(body) = reading else { return };
        let finished = body.finish(&mut shared.decoders, &mut shared.observer);
        let marks = marks | finished.marks;
        let exchange = match side {
            Side::Client => self.exchanges.back_mut(),
            Side::Server => self.answering.take().and_then(|index| self.exchanges.get_mut(index)),
        };
        let Some(exchange) = exchange else { return };
        let message = match side {
            Side::Client => {
                exchange.request_is_whole = true;
                exchange.request.as_mut()
            }
            Side::Server => {
                exchange.response_is_whole = true;
                exchange.response.as_mut()
            }
        };
        if let Some(message) = message {
            message.ended = time;
            message.body_length = finished.length;
            message.report = finished.report;
        }
        exchange.marks |= marks;
        count_marks(marks, &mut shared.counters);
        self.emit_whole(info, shared);
    }

    /// Gives what is complete at the front, in order.
    fn emit_whole<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        while self.exchanges.front().is_some_and(|front| front.request_is_whole && front.response_is_whole) {
            self.give_up_front(info, shared);
        }
    }

    fn give_up_front<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        if let Some(exchange) = self.exchanges.pop_front() {
            self.answering = self.answering.and_then(|index| index.checked_sub(1));
            self.emit(info, exchange, shared);
        }
    }

    fn emit<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        exchange: Exchange<R>,
        shared: &mut Shared<O>,
    ) {
        let mut marks = exchange.marks;
        let response = exchange.response.or(exchange.interim);
        if response.is_none() {
            marks |= Marks::REQUEST_ONLY;
            shared.counters.requests_only += 1;
        }
        if exchange.request.is_none() {
            marks |= Marks::RESPONSE_ONLY;
            shared.counters.responses_only += 1;
        }
        if info.opened_by.is_none() {
            marks |= Marks::MIDSTREAM;
        }
        shared.counters.transactions += 1;
        let index = self.transactions;
        self.transactions = self.transactions.saturating_add(1);
        shared.observer.transaction(Transaction {
            flow: *info,
            client: info.key.source(self.client),
            server: info.key.source(self.client.other()),
            index,
            request: exchange.request,
            response,
            marks,
        });
    }
}

fn begins_message(side: Side, bytes: &[u8]) -> bool {
    match (side, head::guess(bytes)) {
        (_, Guess::More) | (Side::Client, Guess::Request) | (Side::Server, Guess::Response) => true,
        (_, _) => false,
    }
}

/// True when a message says that it is the last on its connection (RFC 9112 §9.3).
fn closes(head: &Head) -> bool {
    head.lists(Field::Connection, "close") || (head.minor == 0 && !head.lists(Field::Connection, "keep-alive"))
}

fn count_marks(marks: Marks, counters: &mut HttpCounters) {
    counters.bodies_with_gap += u64::from(marks.contains(Marks::GAP_IN_BODY));
    counters.bodies_incomplete += u64::from(marks.contains(Marks::INCOMPLETE));
    counters.bodies_undecodable += u64::from(marks.contains(Marks::UNDECODABLE_BODY));
    counters.bodies_over_limit += u64::from(marks.contains(Marks::BODY_OVER_LIMIT));
}
