//! What a message means for its connection: which exchange it belongs to, what its body is framed by, and when a
//! transaction is whole.

use super::{Connection, Reading};
use crate::http::begin::{Onward, Protocol};
use crate::http::body::Body;
use crate::http::exchange::Exchange;
use crate::http::framing::{self, Asked, ChunkFault};
use crate::http::head::{Field, Head};
use crate::http::shared::Shared;
use crate::http::suspect;
use crate::http::{Marks, Message, Observer, Side, Transaction};
use crate::stream::FlowInfo;
use crate::time::Timestamp;

impl<S, R> Connection<S, R> {
    pub(super) fn request_head<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        head: Head,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if self.exchanges.queue.len() >= shared.limits.pending_requests {
            self.exchanges.pipelines = true;
            self.give_up_waiting(info, shared);
        }
        let (framing, marks) = framing::of_request(&head);
        let framing = framing.with_trailer(shared.limits.trailer_bytes);
        let body = Body::begin(Side::Client, &head, framing, &mut shared.decoders, &mut shared.observer);
        let origin = self.readers[Side::Client as usize].origin;
        let marks = marks | head.marks | self.dispute_of(Side::Client);
        let after_gap = std::mem::take(&mut self.request_was_lost);
        if let Some(before) = self.exchanges.queue.back() {
            self.exchanges.pipelines |= before.waits() && origin.acknowledged <= before.origin.acknowledged;
            let came = self.readers[Side::Server as usize].last.map(|last| last.end);
            let has_all_that_came = came.is_some() && origin.acknowledged <= came;
            // Nothing of the body came that a response to an unseen request announces: if that was a HEAD, it is whole.
            let may_be_whole = before.is_unasked_head_up_to(came) && origin.acknowledged == came;
            let is_coming = before.response.is_some() && !before.response_is_whole && !may_be_whole;
            self.exchanges.pipelines |= is_coming && has_all_that_came;
        }
        let request = Message { head, started: origin.time, ended: time, body_length: 0, report: None };
        self.exchanges.push_back(Exchange {
            request: Some(request),
            response: None,
            interim: None,
            origin,
            after_gap,
            request_is_whole: false,
            response_is_whole: false,
            is_smuggled: self.suspect.as_ref().is_some_and(|suspect| suspect.may_hold(origin)),
            marks,
        });
        self.read_body(info, Side::Client, body, time, shared);
    }

    pub(super) fn response_head<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        head: Head,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let status = head.status();
        let origin = self.readers[Side::Server as usize].origin;
        let was_in_step = self.exchanges.in_step;
        let index = self.exchanges.answered_by(origin);
        self.is_continuing = (100..200).contains(&status);
        if self.is_continuing && status != 101 {
            // Interim: the final response follows (RFC 9110 §15.2); where it never does, and was not lost, this is the answer.
            if let Some(index) = index {
                let interim = Message { head, started: origin.time, ended: time, body_length: 0, report: None };
                self.exchanges.respond_meanwhile(index, interim);
            }
            return;
        }
        let request = index.and_then(|index| self.exchanges.queue[index].request.as_ref());
        let known = request.map(|request| Asked::of(&request.head));
        self.is_proved |= status != 401 && request.is_some_and(|request| proves_connection(&request.head));
        let late = if index.is_none() { self.exchanges.answers_given_up() } else { None };
        let known = known.or(late);
        let asked = known.unwrap_or_default();
        let (framing, marks) = framing::of_response(&head, asked);
        self.is_as_announced = (known.is_some() || framing == framing::Framing::Empty).then_some(true);
        let framing = framing.with_trailer(shared.limits.trailer_bytes);
        let body = Body::begin(Side::Server, &head, framing, &mut shared.decoders, &mut shared.observer);
        let marks = marks | head.marks | self.dispute_of(Side::Server);
        let is_tunnel = asked.by_connect && (200..300).contains(&status);
        let leaves_http = status == 101 || is_tunnel;
        let protocol = match status {
            101 if head.lists(Field::Upgrade, "h2c") => Some(Protocol::Http2),
            _ if is_tunnel => Some(Protocol::Tunnel),
            _ => None,
        };
        let is_event_stream = is_event_stream(&head);
        let response = Message { head, started: origin.time, ended: time, body_length: 0, report: None };
        self.lost_was_answered |= self.request_was_lost && index.is_none() && late.is_none();
        let is_surplus = index.is_none() && late.is_none() && was_in_step && self.is_surplus(info, status);
        if is_surplus {
            self.tell_desync(info, &response, shared);
        }
        let index = index.unwrap_or_else(|| {
            // Nobody asked: half a transaction, in front of what still waits.
            self.exchanges.push_front(Exchange {
                request: None,
                response: None,
                interim: None,
                origin,
                after_gap: false,
                request_is_whole: true,
                response_is_whole: false,
                is_smuggled: false,
                marks: if is_surplus { Marks::DESYNC } else { Marks::none() },
            });
            0
        });
        let exchange = self.exchanges.respond(index, response);
        exchange.marks |= marks;
        if exchange.is_smuggled {
            exchange.marks |= Marks::DESYNC;
        }
        if self.is_proved {
            exchange.marks |= Marks::PROVED_CONNECTION;
        }
        if !exchange.request_is_whole {
            exchange.marks |= Marks::EARLY_RESPONSE;
        }
        self.answering = Some(index);
        if leaves_http {
            exchange.marks |= Marks::UPGRADED;
            exchange.request_is_whole = true;
            shared.counters.flows_upgraded += 1;
            self.onward = protocol.map(|protocol| {
                let request = exchange.request.as_mut().filter(|_| protocol == Protocol::Http2);
                // What was found in its body belongs to the answer that is to come.
                let request = request.map(|request| Message { report: request.report.take(), ..head_of(request) });
                Box::new(Onward { protocol, rest: 0, transactions: 0, request })
            });
        }
        self.read_body(info, Side::Server, body, time, shared);
        self.is_over |= leaves_http;
        if is_event_stream {
            self.tell_body(info, shared);
        }
    }

    /// Tells the transaction whose response has been coming for long.
    pub fn tell_open<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        now: Timestamp,
        shared: &mut Shared<O>,
    ) {
        let answering = self.answering.and_then(|index| self.exchanges.queue.get(index));
        let since = answering.and_then(|exchange| exchange.response.as_ref()).map(|response| response.ended);
        if since.is_some_and(|since| now.since(since) >= shared.limits.open_body) {
            self.tell_body(info, shared);
            self.account(shared);
        }
    }

    /// Tells the transaction of the response whose body is under way with what there is; the rest is only counted. What
    /// says how long it is waits, and so does a response that nobody asked for: it may have no body at all.
    fn tell_body<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        let Reading::Body(body) = &mut self.readers[Side::Server as usize].reading else { return };
        if !body.may_stay_open() {
            return;
        }
        let Some(exchange) = self.answering.and_then(|index| self.exchanges.queue.get_mut(index)) else { return };
        let (Some(response), true) = (&mut exchange.response, exchange.request.is_some()) else { return };
        let finished = body.tell(&mut shared.decoders, &mut shared.observer);
        (response.body_length, response.report) = (finished.length, finished.report);
        exchange.response_is_whole = true;
        exchange.marks |= finished.marks | Marks::OPEN_BODY;
        self.answering = None;
        shared.counters.bodies_open += 1;
        shared.count(finished.marks);
        self.emit_whole(info, shared);
    }

    fn read_body<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        body: Body<S>,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if body.is_empty() {
            self.readers[side as usize].reading = Reading::Head;
            self.message_over(info, side, time, Marks::none(), body, shared);
        } else {
            self.readers[side as usize].reading = Reading::Body(Box::new(body));
        }
    }

    /// The body under way on one side is over.
    pub(super) fn body_over<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        time: Timestamp,
        marks: Marks,
        shared: &mut Shared<O>,
    ) {
        let reading = std::mem::replace(&mut self.readers[side as usize].reading, Reading::Head);
        if let Reading::Body(body) = reading {
            self.message_over(info, side, time, marks, *body, shared);
        }
    }

    fn message_over<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        time: Timestamp,
        marks: Marks,
        body: Body<S>,
        shared: &mut Shared<O>,
    ) {
        let finished = body.finish(&mut shared.decoders, &mut shared.observer);
        shared.counters.bodies_open_bytes += finished.untold();
        let is_over_limit = finished.framed.fault == ChunkFault::TrailerOverLimit;
        shared.counters.trailers_over_limit += u64::from(is_over_limit);
        if side == Side::Server && self.may_be_over() {
            self.readers[side as usize].reading = Reading::Resync;
        }
        let marks = marks | finished.marks;
        let exchange = match side {
            Side::Client => self.exchanges.queue.back_mut(),
            Side::Server => self.answering.take().and_then(|index| self.exchanges.queue.get_mut(index)),
        };
        let Some(exchange) = exchange else { return };
        let message = match side {
            Side::Client => {
                exchange.request_is_whole = true;
                suspect::examine(&mut self.suspect, exchange, &finished, shared);
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
        shared.count(marks);
        self.emit_whole(info, shared);
    }

    /// True when a response that nobody asked for answers a part of the suspect: nothing is missing, and it is none of those
    /// that servers give unasked (RFC 9110 §15.5.9).
    fn is_surplus(&self, info: &FlowInfo, status: u16) -> bool {
        self.suspect.is_some() && !self.is_lossy && info.opened_by.is_some() && status != 408
    }

    fn tell_desync<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        response: &Message<R>,
        shared: &mut Shared<O>,
    ) {
        let Some(suspect) = &self.suspect else { return };
        shared.observer.desync(Transaction {
            flow: *info,
            client: info.key.source(self.client),
            server: info.key.source(self.client.other()),
            index: self.transactions,
            request: Some(suspect.request()),
            response: Some(head_of(response)),
            marks: suspect.marks() | Marks::DESYNC,
        });
    }

    /// Gives what is complete at the front, in order.
    fn emit_whole<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        while self.exchanges.queue.front().is_some_and(|front| front.request_is_whole && front.response_is_whole) {
            self.give_up_front(info, shared);
        }
    }

    pub(super) fn give_up_front<O: Observer<Scan = S, Report = R>>(&mut self, info: &FlowInfo, shared: &mut Shared<O>) {
        let is_coming = self.answering == Some(0);
        if let Some(mut exchange) = self.exchanges.pop_front() {
            if is_coming && let Reading::Body(body) = &mut self.readers[Side::Server as usize].reading {
                let finished = body.tell(&mut shared.decoders, &mut shared.observer);
                exchange.marks |= finished.marks | Marks::INCOMPLETE;
                if let Some(response) = &mut exchange.response {
                    (response.body_length, response.report) = (finished.length, finished.report);
                }
            }
            self.answering = self.answering.and_then(|index| index.checked_sub(1));
            self.emit(info, &mut exchange, shared);
        }
    }

    pub(super) fn emit<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        exchange: &mut Exchange<R>,
        shared: &mut Shared<O>,
    ) {
        let response = exchange.response.take().or_else(|| exchange.interim.take().map(|interim| *interim));
        let has = (exchange.request.is_some(), response.is_some());
        shared.counters.desyncs += u64::from(exchange.marks.contains(Marks::DESYNC));
        let (marks, index) = shared.count_transaction(info, &mut self.transactions, has, exchange.marks);
        shared.observer.transaction(Transaction {
            flow: *info,
            client: info.key.source(self.client),
            server: info.key.source(self.client.other()),
            index,
            request: exchange.request.take(),
            response,
            marks,
        });
    }
}

/// A stream of events that ends when somebody leaves (HTML Living Standard, "Server-sent events").
/// Whether a request says who sends all that comes on its connection, and not only itself (RFC 4559, §6).
fn proves_connection(head: &Head) -> bool {
    let scheme = head.get(Field::Authorization).and_then(|value| value.split(|byte| *byte == b' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate"))
}

fn is_event_stream(head: &Head) -> bool {
    const TYPE: &[u8] = b"text/event-stream";
    head.get(Field::ContentType)
        .and_then(|value| value.get(..TYPE.len()))
        .is_some_and(|begin| begin.eq_ignore_ascii_case(TYPE))
}

/// A message without what was found in its body.
fn head_of<R>(message: &Message<R>) -> Message<R> {
    let Message { started, ended, body_length, .. } = *message;
    Message { head: message.head.clone(), started, ended, body_length, report: None }
}
