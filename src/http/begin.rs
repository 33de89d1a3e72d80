//! Where HTTP/2 begins: in a flow of unknown protocol, and behind HTTP/1.

use super::connection::Connection;
use super::session::{HttpHandler, HttpState, Undecided};
use super::{Message, Observer, Side, http2};
use crate::packet::Direction;
use crate::stream::{Chunk, Event, FlowInfo};

/// What says that a flow is HTTP/2.
#[derive(Clone, Copy)]
pub(super) enum Http2Sign {
    /// The client's preface.
    Preface,
    /// What may be the first words of a server.
    Settings,
    /// Frames of a side, in the middle of a connection.
    Frames(Side),
}

/// What a connection that has left HTTP/1 goes on with.
pub struct Onward<R> {
    pub protocol: Protocol,
    /// Bytes of the last chunk that belong to it.
    pub rest: usize,
    /// Transactions of the flow so far.
    pub transactions: u32,
    /// The request that was answered with the change.
    pub request: Option<Message<R>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// The request is that of stream 1 (RFC 7540 §3.2).
    Http2,
    /// Behind CONNECT anything may come.
    Tunnel,
}

impl<O: Observer> HttpHandler<O> {
    /// The flow is HTTP/2, or looks like it from its first words on.
    pub(super) fn http2(
        &mut self,
        info: &FlowInfo,
        undecided: &mut Undecided,
        sign: Http2Sign,
        direction: Direction,
        words: Chunk<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let client = match sign {
            Http2Sign::Preface | Http2Sign::Frames(Side::Client) => direction,
            Http2Sign::Settings | Http2Sign::Frames(Side::Server) => direction.other(),
        };
        let is_doubtful = matches!(sign, Http2Sign::Settings);
        let mut connection = http2::Connection::new(client, &self.shared.limits, is_doubtful);
        connection.continue_at(undecided.transactions);
        match sign {
            Http2Sign::Settings => {}
            Http2Sign::Preface if undecided.said[client.other() as usize].is_unknown() => connection.server_is_lost(),
            Http2Sign::Preface => {}
            Http2Sign::Frames(_) => {
                connection.picked_up(direction);
                connection.confirm(&mut self.shared);
            }
        }
        for direction in [client, client.other()] {
            connection.disputed(direction, undecided.said[direction as usize].disputed);
        }
        if let Some(first) = self.take(undecided) {
            connection.data(info, first.direction, first.chunk(), &mut self.shared);
        }
        connection.data(info, direction, words, &mut self.shared);
        if connection.is_foreign() { self.refuse(undecided) } else { Some(HttpState::Http2(Box::new(connection))) }
    }

    /// What a connection that has left HTTP/1 is now; `last` is what its last chunk left.
    pub(super) fn onward(
        &mut self,
        info: &FlowInfo,
        connection: &mut Connection<O::Scan, O::Report>,
        direction: Direction,
        event: &Event<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let Onward { protocol, rest, transactions, request } = connection.take_onward()?;
        let Event::Data(chunk) = event else { return None };
        connection.close(info, chunk.time, &mut self.shared);
        let used = chunk.bytes.len() - rest; // what is left is a part of it
        let bytes = chunk.bytes.get(used..).unwrap_or_default();
        let chunk = Chunk { offset: chunk.offset + used as i64, bytes, ..*chunk };
        match protocol {
            Protocol::Http2 => {
                let limits = &self.shared.limits;
                let mut next = http2::Connection::upgraded(connection.client, limits, request, transactions);
                next.data(info, direction, chunk, &mut self.shared);
                Some(if next.is_foreign() { HttpState::NotHttp } else { HttpState::Http2(Box::new(next)) })
            }
            Protocol::Tunnel => {
                let mut undecided = Undecided::behind(transactions);
                let decided =
                    if bytes.is_empty() { None } else { self.undecided(info, &mut undecided, direction, chunk) };
                Some(decided.unwrap_or(HttpState::Undecided(undecided)))
            }
        }
    }
}
