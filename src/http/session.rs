//! From a flow of unknown protocol to an HTTP connection: looks at the first bytes of both directions.

use super::begin::Http2Sign;
use super::connection::Connection;
use super::decode::DecoderPool;
use super::exchange::Last;
use super::head::{Guess, begins_with_known_method, guess, response_with_status};
use super::http2::{self, FirstWords};
use super::proxied::{Preamble, preamble};
use super::shared::Shared;
use super::tls::{self, Hello, Unencrypted};
use super::{HttpCounters, HttpLimits, Observer};
use crate::packet::Direction;
use crate::stream::{Chunk, Event, FlowInfo, Handler, Interest};
use crate::time::Timestamp;

/// What HTTP knows of a flow.
pub enum HttpState<S, R> {
    Undecided(Undecided),
    Http(Box<Connection<S, R>>),
    Http2(Box<http2::Connection<S, R>>),
    /// In TLS that does not encrypt.
    Unencrypted(Box<Unencrypted<S, R>>),
    NotHttp,
}

impl<S, R> HttpState<S, R> {
    /// When the oldest transaction under way began, or what may become one.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        match self {
            HttpState::Undecided(undecided) => undecided.first.as_ref().map(|first| first.time),
            HttpState::Http(connection) => connection.oldest_open(),
            HttpState::Http2(connection) => connection.oldest_open(),
            HttpState::Unencrypted(tls) => tls.inner.oldest_open(),
            HttpState::NotHttp => None,
        }
    }
}

#[derive(Default)]
pub struct Undecided {
    /// First bytes that may become the start of a message, and where they began.
    pub(super) first: Option<Box<FirstBytes>>,
    looked_at: u16,
    /// What each direction has said.
    pub(super) said: [Said; 2],
    is_socks: bool,
    /// Where HTTP begins in what a direction says, behind what a load balancer put before it.
    begins: [i64; 2],
    /// Transactions of the flow before it left HTTP, for a tunnel.
    pub(super) transactions: u32,
}

impl Undecided {
    /// What is inside of a tunnel.
    pub(super) fn behind(transactions: u32) -> Undecided {
        Undecided { transactions, ..Undecided::default() }
    }

    fn is_in_tunnel(&self) -> bool {
        self.transactions > 0
    }
}

/// What a direction said before anything was understood.
#[derive(Clone, Copy, Default)]
pub(super) struct Said {
    /// Something that begins no message.
    other: bool,
    has_gap: bool,
    last: Option<Last>,
    /// Up to where its bytes are disputed ([`Event::Conflict`]).
    pub(super) disputed: i64,
}

impl Said {
    pub(super) fn is_unknown(self) -> bool {
        self.other || self.has_gap
    }

    /// True when a message may begin at a chunk: nothing came before it, or the turn has changed since.
    fn may_begin(self, chunk: &Chunk<'_>) -> bool {
        !self.is_unknown() || self.last.is_some_and(|last| last.is_turned_by(chunk))
    }
}

pub(super) struct FirstBytes {
    pub(super) direction: Direction,
    offset: i64,
    acknowledged: Option<i64>,
    time: Timestamp,
    bytes: Vec<u8>,
}

impl FirstBytes {
    pub(super) fn chunk(&self) -> Chunk<'_> {
        Chunk { offset: self.offset, acknowledged: self.acknowledged, time: self.time, bytes: &self.bytes }
    }
}

/// Reads HTTP from the flows of a partition.
pub struct HttpHandler<O> {
    pub(super) shared: Shared<O>,
}

impl<O: Observer> HttpHandler<O> {
    pub fn new(limits: HttpLimits, observer: O) -> HttpHandler<O> {
        let shared = Shared {
            limits,
            counters: HttpCounters::default(),
            decoders: DecoderPool::new(limits.decode),
            observer,
            scratch: Default::default(),
            kept: 0,
            suspects: 0,
        };
        HttpHandler { shared }
    }

    pub fn counters(&self) -> &HttpCounters {
        &self.shared.counters
    }

    /// What was counted since the last call.
    pub fn take_counters(&mut self) -> HttpCounters {
        std::mem::take(&mut self.shared.counters)
    }

    pub fn observer(&mut self) -> &mut O {
        &mut self.shared.observer
    }

    /// Tells the transaction of a response whose body has gone on for long, at a time that does not depend on what comes.
    pub fn tell_open(&mut self, info: &FlowInfo, state: &mut HttpState<O::Scan, O::Report>, now: Timestamp) {
        match state {
            HttpState::Http(connection) => connection.tell_open(info, now, &mut self.shared),
            HttpState::Unencrypted(tls) => self.tell_open(info, &mut tls.inner, now),
            HttpState::Undecided(_) | HttpState::Http2(_) | HttpState::NotHttp => {}
        }
    }

    pub(super) fn undecided(
        &mut self,
        info: &FlowInfo,
        undecided: &mut Undecided,
        direction: Direction,
        chunk: Chunk<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let joined = match self.take(undecided) {
            Some(mut first) if first.direction == direction => {
                first.bytes.extend_from_slice(chunk.bytes);
                if says_little(&first.bytes, chunk.bytes) && self.may_wait_for(&first.bytes) {
                    undecided.said[direction as usize].last = Some(Last::of(&chunk));
                    return self.wait(undecided, direction, Some(first), &chunk);
                }
                Some(first)
            }
            // The other direction speaks while this one's first words are not whole: what it says decides.
            other => {
                self.keep(undecided, other);
                None
            }
        };
        let words = joined.as_ref().map_or(chunk, |first| first.chunk());
        let Chunk { bytes, offset, .. } = words;
        let begins = undecided.begins[direction as usize];
        if offset == 0 && begins == 0 && info.opened_by != Some(direction.other()) {
            match preamble(bytes) {
                Preamble::Length(length) => {
                    undecided.begins[direction as usize] = length as i64;
                    let rest = bytes[length..].to_vec(); // it is no longer than the bytes
                    let offset = offset + length as i64;
                    return self.undecided(info, undecided, direction, Chunk { offset, bytes: &rest, ..chunk });
                }
                Preamble::More if self.shared.has_room_for(bytes.len()) => {
                    return self.wait(undecided, direction, joined, &chunk);
                }
                Preamble::More | Preamble::None => {}
            }
        }
        let said = &mut undecided.said[direction as usize];
        let may_begin = joined.is_some() || said.may_begin(&chunk);
        said.last = Some(Last::of(&chunk));
        // The first bytes of a flow that was picked up in the middle may be the end of a word.
        let may_be_cut = offset == 0 && info.opened_by.is_none();
        let is_due = offset == begins && info.opened_by == Some(direction);
        let guessed = match guess(bytes, is_due) {
            Guess::Request if may_be_cut && !begins_with_known_method(bytes) => Guess::Neither,
            // A request line that was cut ends with an HTTP version, too.
            Guess::Response if may_be_cut => response_with_status(bytes),
            guessed if may_begin => guessed,
            _ => Guess::Neither,
        };
        let client = match guessed {
            Guess::Request if is_preface(bytes) => {
                if bytes.len() < http2::PREFACE.len() && self.shared.has_room_for(bytes.len()) {
                    return self.wait(undecided, direction, joined, &chunk);
                }
                return self.http2(info, undecided, Http2Sign::Preface, direction, words);
            }
            Guess::Request => direction,
            Guess::Response => direction.other(),
            Guess::More if self.may_wait_for(bytes) => {
                return self.wait(undecided, direction, joined, &chunk);
            }
            Guess::More | Guess::Neither => {
                return self.no_http1(info, undecided, direction, chunk, joined);
            }
        };
        Some(HttpState::Http(Box::new(self.http1(info, undecided, client, direction, words))))
    }

    /// What the words are that are no beginning of HTTP/1: HTTP/2, TLS that hides nothing, or nothing known, for a while.
    fn no_http1(
        &mut self,
        info: &FlowInfo,
        undecided: &mut Undecided,
        direction: Direction,
        chunk: Chunk<'_>,
        joined: Option<Box<FirstBytes>>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let words = joined.as_ref().map_or(chunk, |first| first.chunk());
        let Chunk { bytes, offset, .. } = words;
        if is_preface(bytes) {
            return self.http2(info, undecided, Http2Sign::Preface, direction, words);
        }
        let is_answer = offset == 0 && info.opened_by == Some(direction.other());
        if is_answer || (undecided.is_in_tunnel() && undecided.looked_at == 0) {
            match http2::first_words(bytes) {
                FirstWords::Settings => {
                    return self.http2(info, undecided, Http2Sign::Settings, direction, words);
                }
                FirstWords::More => return self.wait(undecided, direction, joined, &chunk),
                FirstWords::Other => {}
            }
        }
        match tls::hello(bytes) {
            Hello::Chosen(mac) => return self.inside_tls(info, undecided, mac, direction, words),
            Hello::More if self.may_wait_for(bytes) => {
                return self.wait(undecided, direction, joined, &chunk);
            }
            Hello::Offered if undecided.looked_at == 0 => {
                undecided.looked_at = 1;
                return None; // what the server chooses decides
            }
            Hello::Offered | Hello::More | Hello::Other => {}
        }
        // A request that is no request may still be answered in HTTP: the other direction decides.
        undecided.is_socks |= undecided.looked_at == 0 && is_socks_greeting(bytes);
        undecided.said[direction as usize].other = true;
        let is_midstream = info.opened_by.is_none() || undecided.said.iter().any(|said| said.has_gap);
        if let Some(side) = if is_midstream { http2::side_of(bytes) } else { None } {
            return self.http2(info, undecided, Http2Sign::Frames(side), direction, words);
        }
        let both = undecided.said.iter().all(|said| said.other) && !undecided.is_socks;
        undecided.looked_at = undecided.looked_at.saturating_add(1);
        let limits = &self.shared.limits;
        let limit = if is_midstream { limits.midstream_chunks } else { limits.opening_chunks };
        let give_up = undecided.looked_at > limit || tls::is_record(bytes) || (both && !is_midstream);
        if give_up { self.refuse(undecided) } else { None }
    }

    /// A connection of HTTP/1, with what was said before it was known for one.
    fn http1(
        &mut self,
        info: &FlowInfo,
        undecided: &mut Undecided,
        client: Direction,
        direction: Direction,
        words: Chunk<'_>,
    ) -> Connection<O::Scan, O::Report> {
        let mut connection = Connection::new(client);
        connection.continue_at(undecided.transactions);
        for side in [client, client.other()] {
            let said = undecided.said[side as usize];
            let begins = side == direction || undecided.first.as_ref().is_some_and(|first| first.direction == side);
            if said.is_unknown() && !begins {
                connection.starts_unknown(side, said.last);
            } else if said.is_unknown() || info.opened_by.is_none() {
                connection.missed(side);
            }
            connection.disputed(side, said.disputed);
        }
        if let Some(first) = self.take(undecided) {
            connection.data(info, first.direction, first.chunk(), &mut self.shared);
        }
        connection.data(info, direction, words, &mut self.shared);
        connection
    }

    fn keep(&mut self, undecided: &mut Undecided, first: Option<Box<FirstBytes>>) {
        self.take(undecided); // of the other direction, perhaps
        self.shared.kept += first.as_ref().map_or(0, |first| first.bytes.len());
        undecided.first = first;
    }

    pub(super) fn take(&mut self, undecided: &mut Undecided) -> Option<Box<FirstBytes>> {
        let first = undecided.first.take()?;
        self.shared.kept -= first.bytes.len(); // added by `keep`
        Some(first)
    }

    /// Whether so many bytes that say nothing yet may be kept until more come.
    fn may_wait_for(&self, bytes: &[u8]) -> bool {
        bytes.len() < self.shared.limits.undecided_bytes && self.shared.has_room_for(bytes.len())
    }

    /// These bytes may yet become something: they are kept.
    fn wait(
        &mut self,
        undecided: &mut Undecided,
        direction: Direction,
        joined: Option<Box<FirstBytes>>,
        chunk: &Chunk<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let Chunk { offset, acknowledged, time, bytes } = *chunk;
        let first = joined
            .unwrap_or_else(|| Box::new(FirstBytes { direction, offset, acknowledged, time, bytes: bytes.to_vec() }));
        self.keep(undecided, Some(first));
        None
    }

    pub(super) fn refuse(&mut self, undecided: &Undecided) -> Option<HttpState<O::Scan, O::Report>> {
        self.shared.counters.flows_not_http += u64::from(!undecided.is_in_tunnel());
        Some(HttpState::NotHttp)
    }
}

/// Whether first words are long, and a few more bytes of the same line need no look at all of them: who sends byte after byte would
/// have them looked at as often. What comes of them is seen with the next kibibyte, or where the line ends.
fn says_little(bytes: &[u8], more: &[u8]) -> bool {
    const LONG: usize = 4096;
    const FEW: usize = 64;
    let fills = bytes.len() / 1024 > (bytes.len() - more.len()) / 1024; // `more` is their end
    bytes.len() > LONG && more.len() < FEW && !fills && !more.contains(&b'\n')
}

/// The preface of HTTP/2 as far as it has come, its line at least (RFC 9113 §3.4).
fn is_preface(bytes: &[u8]) -> bool {
    bytes.starts_with(http2::PREFACE_LINE) && bytes.iter().zip(http2::PREFACE).all(|(one, other)| one == other)
}

/// The first words of a SOCKS client: version 5 with a list of methods (RFC 1928 §3), or a version 4 CONNECT. What
/// follows the handshake may be HTTP.
fn is_socks_greeting(bytes: &[u8]) -> bool {
    match bytes {
        [5, methods, listed @ ..] => usize::from(*methods) == listed.len(),
        [4, 1, request @ ..] => request.len() >= 7 && request.ends_with(&[0]),
        _ => false,
    }
}

impl<O: Observer> Handler for HttpHandler<O> {
    type State = HttpState<O::Scan, O::Report>;

    fn open(&mut self, _info: &FlowInfo) -> Self::State {
        HttpState::Undecided(Undecided::default())
    }

    fn event(&mut self, info: &FlowInfo, state: &mut Self::State, direction: Direction, event: Event<'_>) -> Interest {
        match state {
            HttpState::Undecided(undecided) => match event {
                Event::Data(chunk) => {
                    if let Some(decided) = self.undecided(info, undecided, direction, chunk) {
                        drop(self.take(undecided));
                        *state = decided;
                    }
                }
                Event::Gap { .. } => {
                    undecided.said[direction as usize].has_gap = true;
                    if undecided.first.as_ref().is_some_and(|first| first.direction == direction) {
                        self.take(undecided);
                    }
                }
                Event::Conflict { offset, length } => {
                    let said = &mut undecided.said[direction as usize];
                    said.disputed = said.disputed.max(offset + length as i64);
                }
                Event::End { .. } => {}
            },
            HttpState::Http(connection) => {
                match event {
                    Event::Data(chunk) => connection.data(info, direction, chunk, &mut self.shared),
                    Event::Gap { length, time, .. } => connection.gap(info, direction, length, time, &mut self.shared),
                    Event::Conflict { offset, length } => connection.conflict(direction, offset, length),
                    Event::End { time, reset } => connection.end(info, direction, time, reset, &mut self.shared),
                }
                if connection.is_over() {
                    if let Some(next) = self.onward(info, connection, direction, &event) {
                        *state = next;
                    }
                    return interest_of(state);
                }
                return Interest::Ours;
            }
            HttpState::Http2(connection) => {
                match event {
                    Event::Data(chunk) => connection.data(info, direction, chunk, &mut self.shared),
                    Event::Gap { length, time, .. } => connection.gap(info, direction, length, time, &mut self.shared),
                    Event::Conflict { offset, length } => connection.conflict(direction, offset, length),
                    Event::End { time, reset } => connection.end(info, direction, time, reset, &mut self.shared),
                }
                if connection.is_foreign() {
                    self.shared.counters.flows_not_http += u64::from(!connection.was_http());
                    *state = HttpState::NotHttp;
                }
            }
            HttpState::Unencrypted(tls) => {
                if let Some(next) = self.unencrypted(info, tls, direction, event) {
                    *state = next;
                }
            }
            HttpState::NotHttp => {}
        }
        interest_of(state)
    }

    fn close(&mut self, info: &FlowInfo, state: Self::State, time: Timestamp) {
        match state {
            HttpState::Http(mut connection) => connection.close(info, time, &mut self.shared),
            HttpState::Http2(mut connection) => connection.close(info, time, &mut self.shared),
            HttpState::Unencrypted(tls) => self.close(info, tls.inner, time),
            HttpState::Undecided(mut undecided) => drop(self.take(&mut undecided)),
            HttpState::NotHttp => {}
        }
    }
}

fn interest_of<S, R>(state: &HttpState<S, R>) -> Interest {
    match state {
        HttpState::Undecided(undecided) if undecided.is_in_tunnel() => Interest::Ours,
        HttpState::Undecided(_) => Interest::Undecided,
        HttpState::Http(connection) if connection.is_over() => Interest::None,
        HttpState::Http2(connection) if connection.is_over() => Interest::None,
        HttpState::Http(_) | HttpState::Http2(_) => Interest::Ours,
        HttpState::Unencrypted(tls) => interest_of(&tls.inner),
        HttpState::NotHttp => Interest::None,
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
