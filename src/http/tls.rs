//! TLS that does not encrypt: suites of the NULL cipher, as meters, test rigs and misconfigured servers use them.
//!
//! In go the first words of a flow: a client that offers such a suite, a server that chooses one; then both directions. Out
//! come the application data of the records, as chunks of a flow inside. A connection whose client offers no such suite is
//! refused at its first bytes, like all TLS. Read are TLS 1.0 to 1.2, where a record of the NULL cipher is the data and
//! behind them a MAC (RFC 5246 §6.2.3.1). Reading ends where it can no longer be sure: at a gap, at what is no record, at a
//! second change of the cipher.

use super::Observer;
use super::session::{HttpHandler, HttpState, Undecided};
use crate::packet::Direction;
use crate::stream::{Chunk, Event, FlowInfo, Handler};
use crate::time::Timestamp;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Type, version, length.
const RECORD_HEADER: usize = 5;
/// What a record may hold beyond 2^14 bytes is of no use to the NULL cipher but its MAC (RFC 5246 §6.2.3).
const LONGEST_RECORD: usize = (1 << 14) + 2048;
/// A hello up to its session id: a record's header, a handshake's, version and random (RFC 5246 §7.4.1.2).
const BEFORE_SESSION_ID: usize = RECORD_HEADER + 4 + 2 + 32;

/// What the first words of a TLS peer say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hello {
    /// Nothing of a suite that does not encrypt.
    Other,
    /// Too few bytes to tell.
    More,
    /// A client offers to send unencrypted data.
    Offered,
    /// A server chose to, with so many bytes of MAC.
    Chosen(usize),
}

/// A record of version 3.x: handshake, alert, change cipher spec, application data (RFC 8446 §5.1).
pub fn is_record(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 0x03, 0..=4, ..])
}

/// Length of the MAC of a suite with the NULL cipher (IANA's registry of TLS cipher suites).
fn unencrypted(suite: [u8; 2]) -> Option<usize> {
    match u16::from_be_bytes(suite) {
        0x0001 => Some(16),                                                                         // MD5
        0x0002 | 0x002C..=0x002E | 0xC001 | 0xC006 | 0xC00B | 0xC010 | 0xC015 | 0xC039 => Some(20), // SHA-1
        0x003B | 0x00B0 | 0x00B4 | 0x00B8 | 0xC03A => Some(32),                                     // SHA-256
        0x00B1 | 0x00B5 | 0x00B9 | 0xC03B => Some(48),                                              // SHA-384
        _ => None,
    }
}

pub fn hello(bytes: &[u8]) -> Hello {
    let Some(kind) = bytes.get(RECORD_HEADER) else {
        return if bytes.first() == Some(&HANDSHAKE) && is_begun(bytes) { Hello::More } else { Hello::Other };
    };
    if bytes[0] != HANDSHAKE || !is_record(bytes) || !matches!(*kind, CLIENT_HELLO | SERVER_HELLO) {
        return Hello::Other;
    }
    let suites = bytes.get(BEFORE_SESSION_ID).map(|length| BEFORE_SESSION_ID + 1 + usize::from(*length));
    let Some(bytes) = suites.and_then(|start| bytes.get(start..)) else { return Hello::More };
    match bytes {
        [high, low, compression, ..] if *kind == SERVER_HELLO => match unencrypted([*high, *low]) {
            Some(mac) if *compression == 0 => Hello::Chosen(mac),
            _ => Hello::Other,
        },
        [high, low, listed @ ..] if *kind == CLIENT_HELLO => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (suites, _) = listed.as_chunks::<2>();
            match suites.iter().take(length / 2).any(|suite| unencrypted(*suite).is_some()) {
                true => Hello::Offered,
                false if listed.len() < length => Hello::More,
                false => Hello::Other,
            }
        }
        _ => Hello::More,
    }
}

/// The header of a record as far as it has come.
fn is_begun(bytes: &[u8]) -> bool {
    bytes.get(1).is_none_or(|major| *major == 3) && bytes.get(2).is_none_or(|minor| *minor <= 4)
}

/// What came is no record, or none that can be read.
#[derive(PartialEq, Eq, Debug)]
struct NoRecord;

/// How far the records of one direction are read.
#[derive(Default)]
struct Records {
    header: [u8; RECORD_HEADER],
    /// Bytes of the header that have come; all of them while the record itself is read.
    known: usize,
    /// Bytes of the record that are to come, and how many of these are application data.
    left: usize,
    data: usize,
    changes: u8,
    /// Where reading stands in the flow, and in the flow inside.
    outer: i64,
    inner: i64,
}

impl Records {
    /// The next application data in `bytes`, which move on to what is behind.
    fn next<'b>(&mut self, bytes: &mut &'b [u8], mac: usize) -> Result<Option<&'b [u8]>, NoRecord> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (data, behind) = bytes.split_at(self.data.min(bytes.len()));
                *bytes = behind;
                self.data -= data.len();
                self.left -= data.len(); // the data are a part of it
                let rest = if self.data == 0 { self.left.min(bytes.len()) } else { 0 };
                *bytes = &bytes[rest..];
                self.left -= rest;
                if !data.is_empty() {
                    self.inner += data.len() as i64;
                    return Ok(Some(data));
                }
                continue;
            }
            let (part, behind) = bytes.split_at((RECORD_HEADER - self.known).min(bytes.len()));
            *bytes = behind;
            self.header[self.known..self.known + part.len()].copy_from_slice(part); // never more than are missing
            self.known += part.len();
            if self.known == RECORD_HEADER {
                self.begin(mac)?;
            }
        }
        Ok(None)
    }

    fn begin(&mut self, mac: usize) -> Result<(), NoRecord> {
        self.known = 0;
        let [kind, _, _, high, low] = self.header;
        self.left = usize::from(u16::from_be_bytes([high, low]));
        self.changes += u8::from(kind == CHANGE_CIPHER_SPEC);
        self.data = if kind == APPLICATION_DATA { self.left.checked_sub(mac).ok_or(NoRecord)? } else { 0 };
        // Heartbeats (RFC 6520) may come between the records of an unencrypted connection, too.
        let is_known = is_record(&self.header) || matches!(self.header, [24, 3, ..]);
        if is_known && self.left <= LONGEST_RECORD && self.changes < 2 { Ok(()) } else { Err(NoRecord) }
    }
}

/// A TLS connection that does not encrypt.
pub struct Unencrypted<S, R> {
    records: [Records; 2],
    mac: usize,
    pub(super) inner: HttpState<S, R>,
}

impl<O: Observer> HttpHandler<O> {
    /// A server chose not to encrypt: from its hello on, and behind that of the client, there are records.
    pub(super) fn inside_tls(
        &mut self,
        info: &FlowInfo,
        undecided: &mut Undecided,
        mac: usize,
        direction: Direction,
        words: Chunk<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let inner = HttpState::Undecided(Undecided::behind(undecided.transactions));
        let mut tls = Unencrypted { records: Default::default(), mac, inner };
        let client_first = self.take(undecided);
        let mut are_records =
            client_first.is_none_or(|first| self.records(info, &mut tls, first.direction, first.chunk()));
        are_records &= self.records(info, &mut tls, direction, words);
        if are_records {
            Some(HttpState::Unencrypted(Box::new(tls)))
        } else {
            self.leave_tls(info, tls.inner, words.time)
        }
    }

    /// Reads what is inside of a connection that does not encrypt. Says what the flow is from now on, if it is another.
    pub(super) fn unencrypted(
        &mut self,
        info: &FlowInfo,
        tls: &mut Unencrypted<O::Scan, O::Report>,
        direction: Direction,
        event: Event<'_>,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        let time = match event {
            Event::Data(chunk) if self.records(info, tls, direction, chunk) => return None,
            Event::Data(Chunk { time, .. }) | Event::Gap { time, .. } => time,
            Event::Conflict { offset, length } => {
                let Records { outer, inner, .. } = tls.records[direction as usize];
                self.event(info, &mut tls.inner, direction, Event::Conflict { offset: offset - outer + inner, length });
                return None;
            }
            Event::End { .. } => {
                self.event(info, &mut tls.inner, direction, event);
                return None;
            }
        };
        let inner = std::mem::replace(&mut tls.inner, HttpState::NotHttp);
        self.leave_tls(info, inner, time)
    }

    /// Nothing more can be read of a flow: what is under way ends.
    fn leave_tls(
        &mut self,
        info: &FlowInfo,
        inner: HttpState<O::Scan, O::Report>,
        time: Timestamp,
    ) -> Option<HttpState<O::Scan, O::Report>> {
        if let HttpState::Undecided(undecided) = &inner {
            self.refuse(undecided);
        }
        self.close(info, inner, time);
        Some(HttpState::NotHttp)
    }

    /// Reads the records in a chunk. False: no more can be read.
    fn records(
        &mut self,
        info: &FlowInfo,
        tls: &mut Unencrypted<O::Scan, O::Report>,
        direction: Direction,
        chunk: Chunk<'_>,
    ) -> bool {
        tls.records[direction as usize].outer = chunk.offset + chunk.bytes.len() as i64;
        let mut bytes = chunk.bytes;
        loop {
            let records = &mut tls.records[direction as usize];
            let offset = records.inner;
            let data = match records.next(&mut bytes, tls.mac) {
                Ok(Some(data)) => data,
                Ok(None) => return true,
                Err(NoRecord) => return false,
            };
            // What is acknowledged counts headers and MACs, too: here order alone says what answers what.
            let inner = Chunk { offset, acknowledged: None, bytes: data, ..chunk };
            self.event(info, &mut tls.inner, direction, Event::Data(inner));
            // TLS inside of TLS is not read: how deep it goes is for the sender to choose.
            if matches!(tls.inner, HttpState::NotHttp | HttpState::Unencrypted(_)) {
                return false;
            }
        }
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
pub(super) mod tests;
