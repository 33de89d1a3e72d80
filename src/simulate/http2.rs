//! Exchanges as HTTP/2 (RFC 9113) with prior knowledge: what is in the form in, frames out.
//!
//! Both sides' preface and settings, header blocks with dynamic tables, long ones in CONTINUATION frames, some of them
//! padded, bodies in DATA frames of at most what both sides may send. Requests sent together are answered in their order.

use super::exchange::{Coding, Encoder, Exchange};
use super::wire::hpack;
use super::wire::http2::{END_HEADERS, END_STREAM, Kind, PADDED, PREFACE, append_frame};
use std::collections::VecDeque;

/// SETTINGS_MAX_FRAME_SIZE unless agreed otherwise (RFC 9113 §6.5.2).
const MOST_PAYLOAD: usize = 16_384;
/// SETTINGS_INITIAL_WINDOW_SIZE, so large that nobody waits: 16 MiB, as browsers say.
const WINDOW: [u8; 6] = [0, 4, 0x01, 0, 0, 0];
/// So much of a header block comes in the HEADERS frame, the rest in CONTINUATION frames.
const HEADERS_BYTES: usize = 600;
/// A stream whose number is a multiple of this has padded frames.
const PADDED_STREAMS: u32 = 5;
const PADDING: u8 = 13;
const ACK: u8 = 1;

/// One connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    client: hpack::Encoder,
    server: hpack::Encoder,
    client_began: bool,
    server_began: bool,
    streams: u32,
    /// Streams that wait for a response.
    open: VecDeque<u32>,
}

impl Session {
    pub fn request(&mut self, exchange: &Exchange, client: &str, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.client_began, true) {
            out.extend_from_slice(PREFACE);
            append_frame(Kind::Settings, 0, 0, &WINDOW, out);
            append_frame(Kind::WindowUpdate, 0, 0, &WINDOW[2..], out);
        }
        let stream = 2 * self.streams + 1;
        self.streams += 1;
        self.open.push_back(stream);
        let authority = exchange.authority();
        let pseudo = [
            (":method", exchange.method),
            (":scheme", "http"),
            (":authority", &authority),
            (":path", &exchange.target),
        ];
        let mut block = Vec::new();
        pseudo.into_iter().for_each(|(name, value)| self.client.field(name, value, &mut block));
        let length = exchange.body.len().to_string();
        let mut own = Vec::new();
        if !exchange.content_type.is_empty() {
            own.extend([("content-type", exchange.content_type), ("content-length", length.as_str())]);
        }
        if exchange.expects_continue {
            own.push(("expect", "100-continue"));
        }
        for (name, value) in lines(client).chain(lines(&exchange.headers)) {
            self.client.field(&name, value, &mut block);
        }
        own.into_iter().for_each(|(name, value)| self.client.field(name, value, &mut block));
        headers(stream, &block, exchange.body.is_empty(), out);
        if !exchange.expects_continue {
            data(stream, &exchange.body, out);
        }
    }

    pub fn proceed(&mut self, out: &mut Vec<u8>) {
        self.begin_server(out);
        let Some(stream) = self.open.front() else { return };
        let mut block = Vec::new();
        self.server.field(":status", "100", &mut block);
        headers(*stream, &block, false, out);
    }

    pub fn body(&mut self, exchange: &Exchange, out: &mut Vec<u8>) {
        let Some(stream) = self.open.front() else { return };
        data(*stream, &exchange.body, out);
    }

    pub fn response(&mut self, exchange: &mut Exchange, date: &str, encoder: &mut Encoder, out: &mut Vec<u8>) {
        self.begin_server(out);
        let Some(stream) = self.open.pop_front() else { return };
        exchange.code(encoder);
        let mut block = Vec::new();
        let status = exchange.status.to_string();
        self.server.field(":status", &status, &mut block);
        self.server.field("date", date, &mut block);
        self.server.field("server", "nginx", &mut block);
        for (name, value) in lines(&exchange.reply_headers) {
            self.server.field(&name, value, &mut block);
        }
        if !exchange.reply_type.is_empty() {
            self.server.field("content-type", exchange.reply_type, &mut block);
        }
        match exchange.coding {
            Coding::Identity => {}
            Coding::Gzip => self.server.field("content-encoding", "gzip", &mut block),
            Coding::Deflate => self.server.field("content-encoding", "deflate", &mut block),
        }
        if exchange.says_length() {
            self.server.field("content-length", &exchange.reply.len().to_string(), &mut block);
        }
        let body = if exchange.has_body() { exchange.reply.as_slice() } else { &[] };
        headers(stream, &block, body.is_empty(), out);
        data(stream, body, out);
    }

    fn begin_server(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.server_began, true) {
            append_frame(Kind::Settings, 0, 0, &WINDOW, out);
            append_frame(Kind::Settings, ACK, 0, &[], out);
        }
    }
}

/// Header lines as names in lower case and values.
fn lines(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.split_terminator("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value))
    })
}

fn headers(stream: u32, block: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let (first, rest) = block.split_at(block.len().min(HEADERS_BYTES));
    let end = if is_last { END_STREAM } else { 0 };
    let whole = if rest.is_empty() { END_HEADERS } else { 0 };
    if stream.is_multiple_of(PADDED_STREAMS) {
        let padded = [&[PADDING], first, &[0; PADDING as usize]].concat();
        append_frame(Kind::Headers, end | whole | PADDED, stream, &padded, out);
    } else {
        append_frame(Kind::Headers, end | whole, stream, first, out);
    }
    let mut pieces = rest.chunks(HEADERS_BYTES).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        append_frame(Kind::Continuation, flags, stream, piece, out);
    }
}

/// Nothing for an empty body: the HEADERS frame ended the stream.
fn data(stream: u32, body: &[u8], out: &mut Vec<u8>) {
    let is_padded = stream.is_multiple_of(PADDED_STREAMS);
    let most = if is_padded { MOST_PAYLOAD - 1 - usize::from(PADDING) } else { MOST_PAYLOAD };
    let mut pieces = body.chunks(most).peekable();
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { END_STREAM } else { 0 };
        if is_padded {
            let padded = [&[PADDING], piece, &[0; PADDING as usize]].concat();
            append_frame(Kind::Data, end | PADDED, stream, &padded, out);
        } else {
            append_frame(Kind::Data, end, stream, piece, out);
        }
    }
}
