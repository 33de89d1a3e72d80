//! The exchanges of a connection: which response answers which request.
//!
//! While nothing is missing, the first request that waits is the one a response answers: both sides are **in step**. Once
//! a gap swallowed the start of a message, the number of messages is no longer known. Then a response is **proved** to
//! answer a request when it starts at the very byte that the client expected next when it sent the request, and
//! acknowledges bytes of that request; that puts both sides in step again. What is not proved is given as halves.

use super::framing::Asked;
use super::{Marks, Message};
use crate::stream::Chunk;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The last chunk of a direction: where it ended, and what it acknowledged.
#[derive(Clone, Copy)]
pub struct Last {
    pub(super) end: i64,
    pub(super) acknowledged: Option<i64>,
}

impl Last {
    pub fn of(chunk: &Chunk<'_>) -> Last {
        Last { end: chunk.offset + chunk.bytes.len() as i64, acknowledged: chunk.acknowledged }
    }

    /// True when the turn changed between this chunk and the next.
    pub fn is_turned_by(&self, next: &Chunk<'_>) -> bool {
        self.end == next.offset && self.acknowledged.is_some() && next.acknowledged > self.acknowledged
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Origin {
    pub offset: i64,
    pub acknowledged: Option<i64>,
    pub time: Timestamp,
}

/// A request and its response as far as they have come.
pub(super) struct Exchange<R> {
    pub request: Option<Message<R>>,
    pub response: Option<Message<R>>,
    pub interim: Option<Box<Message<R>>>,
    /// Where the request began, or the response where there is no request.
    pub origin: Origin,
    /// Requests before this one may be missing.
    pub after_gap: bool,
    pub request_is_whole: bool,
    pub response_is_whole: bool,
    /// The request began within what may be the body of the one before it.
    pub is_smuggled: bool,
    pub marks: Marks,
}

impl<R> Exchange<R> {
    fn bytes(&self) -> usize {
        let of = |message: Option<&Message<R>>| message.map_or(0, |message| message.head.len());
        size_of::<Self>() + of(self.request.as_ref()) + of(self.response.as_ref()) + of(self.interim.as_deref())
    }

    /// A response to a request that was not seen, of which no more than the head has come.
    pub fn is_unasked_head_up_to(&self, came: Option<i64>) -> bool {
        let head_ends = self.response.as_ref().map(|response| self.origin.offset + response.head.len() as i64);
        self.request.is_none() && head_ends.is_some() && head_ends == came
    }

    /// A response may still come.
    pub fn waits(&self) -> bool {
        self.response.is_none() && !self.response_is_whole
    }
}

/// Requests of a connection whose responses are waited for though they were given up.
const MOST_GIVEN_UP: usize = 4096;

pub(super) struct Exchanges<R> {
    /// In order of the requests. At most the last one's request is still coming. Boxed: they are large, most connections
    /// have one at a time, and the one just freed is still in a cache.
    pub queue: VecDeque<Box<Exchange<R>>>,
    /// The next response answers the first request that waits, behind those that were given up.
    pub in_step: bool,
    /// Requests that were given up while they waited, and whose responses are still to come, where both sides are in step.
    given_up: VecDeque<Asked>,
    /// The client was seen to send a request before the one before it was answered.
    pub pipelines: bool,
    /// What the queue costs in memory, without the reports.
    pub bytes: usize,
}

impl<R> Default for Exchanges<R> {
    fn default() -> Exchanges<R> {
        Exchanges { queue: VecDeque::new(), in_step: true, given_up: VecDeque::new(), pipelines: false, bytes: 0 }
    }
}

impl<R> Exchanges<R> {
    pub fn push_back(&mut self, exchange: Exchange<R>) {
        self.bytes += exchange.bytes();
        self.queue.push_back(Box::new(exchange));
    }

    pub fn push_front(&mut self, exchange: Exchange<R>) {
        self.bytes += exchange.bytes();
        self.queue.push_front(Box::new(exchange));
    }

    pub fn pop_front(&mut self) -> Option<Box<Exchange<R>>> {
        let exchange = self.queue.pop_front()?;
        self.bytes -= exchange.bytes();
        Some(exchange)
    }

    /// The final response of an exchange has begun.
    pub fn respond(&mut self, index: usize, response: Message<R>) -> &mut Exchange<R> {
        self.bytes += response.head.len();
        let exchange = &mut self.queue[index]; // whoever asks has found the exchange
        exchange.response = Some(response);
        exchange
    }

    /// An interim response has come; it takes the place of an earlier one.
    pub fn respond_meanwhile(&mut self, index: usize, interim: Message<R>) {
        let exchange = &mut self.queue[index]; // as above
        self.bytes -= exchange.bytes();
        // The client expects the final response behind the interim one.
        exchange.origin.acknowledged = exchange.origin.acknowledged.map(|had| had + interim.head.len() as i64);
        exchange.interim = Some(Box::new(interim));
        self.bytes += exchange.bytes();
    }

    /// The first request waits no more: its response comes without it.
    pub fn give_up_waiting(&mut self) {
        let waiting = self.queue.front().filter(|front| self.in_step && front.waits());
        let Some(request) = waiting.and_then(|front| front.request.as_ref()) else { return };
        self.given_up.push_back(Asked::of(&request.head));
        if self.given_up.len() > MOST_GIVEN_UP {
            self.in_step = false;
            self.given_up = VecDeque::new();
        }
    }

    /// A final response has begun that [`Exchanges::answered_by`] gave to nobody. What was asked, where it is that of a request
    /// that was given up.
    pub fn answers_given_up(&mut self) -> Option<Asked> {
        if self.in_step { self.given_up.pop_front() } else { None }
    }

    /// Responses were lost: the final ones of those that wait may be among them, and no interim one stands for them.
    pub fn forget_interim(&mut self) {
        for exchange in self.queue.iter_mut().filter(|exchange| exchange.waits() && exchange.interim.is_some()) {
            self.bytes -= exchange.bytes();
            exchange.interim = None;
            self.bytes += exchange.bytes();
        }
    }

    /// The exchange that a response which began at `origin` answers.
    pub fn answered_by(&mut self, origin: Origin) -> Option<usize> {
        if self.in_step && !self.given_up.is_empty() {
            return None;
        }
        if self.in_step {
            let first = self.queue.iter().position(|exchange| exchange.waits());
            if let Some(index) = first.filter(|index| !self.queue[*index].after_gap) {
                let asked = self.queue[index].origin;
                // A server that had not received the request says something else (408, for one).
                if origin.acknowledged.is_none_or(|had| had > asked.offset) {
                    return Some(index);
                }
            }
        }
        let proved = self.proved(origin);
        self.in_step = proved.is_some();
        self.given_up.clear();
        let index = proved?;
        // Those before it were answered in what is missing.
        for exchange in self.queue.range_mut(..index) {
            exchange.response_is_whole = true;
        }
        self.queue[index].after_gap = false;
        Some(index)
    }

    /// The exchange that a response which began at `origin` provably answers.
    pub fn proved(&self, origin: Origin) -> Option<usize> {
        let server_had = origin.acknowledged.filter(|_| !self.pipelines)?;
        self.queue.iter().position(|exchange| {
            let asked = exchange.origin;
            exchange.waits() && asked.acknowledged == Some(origin.offset) && server_had > asked.offset
        })
    }
}
