//! Conversations of HTTP/2 and what is seen in them, as small facts.

mod abuse;
mod loss;
mod messages;
mod start;

use super::{Abuse, AbuseKind};
use crate::http::{Head, HttpHandler, HttpLimits, HttpState, Marks, Observer, Side, Transaction};
use crate::packet::{Direction, FlowKey, Peer};
use crate::stream::{Chunk, Event, FlowInfo, Handler, Interest};
use crate::time::Timestamp;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITY: u8 = 0x20;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

pub fn data(stream: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    frame(0, flags, stream, content)
}

pub fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    frame(1, flags | END_HEADERS, stream, block)
}

pub fn reset(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, &8u32.to_be_bytes())
}

pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        pairs.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(4, 0, 0, &payload)
}

pub fn settings_ack() -> Vec<u8> {
    frame(4, 1, 0, b"")
}

pub fn preface() -> Vec<u8> {
    [super::PREFACE, &settings(&[(3, 100)])].concat()
}

/// A block of literals without indexing.
pub fn plain(fields: &[(&str, &str)]) -> Vec<u8> {
    block(0, fields)
}

/// A block of literals that are inserted into the table.
pub fn indexed(fields: &[(&str, &str)]) -> Vec<u8> {
    block(0x40, fields)
}

fn block(representation: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(representation);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

pub fn get(path: &str) -> Vec<u8> {
    plain(&[(":method", "GET"), (":scheme", "http"), (":authority", "api.example"), (":path", path)])
}

pub fn status(status: &str) -> Vec<u8> {
    plain(&[(":status", status), ("content-type", "application/json")])
}

/// Keeps transactions, the text of bodies and abuses.
#[derive(Default)]
pub struct Seen {
    pub transactions: Vec<Transaction<String>>,
    pub abuses: Vec<AbuseKind>,
    scans: i64,
}

impl Seen {
    /// Bodies that are under way.
    pub fn scans(&self) -> i64 {
        self.scans
    }
}

impl Observer for Seen {
    type Scan = String;
    type Report = String;

    fn begin(&mut self, _: Side, _: &Head) -> Option<String> {
        self.scans += 1;
        Some(String::new())
    }

    fn data(&mut self, scan: &mut String, bytes: &[u8]) -> bool {
        scan.push_str(&String::from_utf8_lossy(bytes));
        true
    }

    fn gap(&mut self, scan: &mut String) {
        scan.push_str("[gap]");
    }

    fn finish(&mut self, scan: String) -> String {
        self.scans -= 1;
        scan
    }

    fn transaction(&mut self, transaction: Transaction<String>) {
        assert_eq!(transaction.index as usize, self.transactions.len());
        self.transactions.push(transaction);
    }

    fn abuse(&mut self, abuse: &Abuse) {
        self.abuses.push(abuse.kind);
    }
}

/// A flow whose two sides take turns; each chunk acknowledges all that the other side has sent.
pub struct Flow {
    pub handler: HttpHandler<Seen>,
    state: HttpState<String, String>,
    info: FlowInfo,
    sent: [i64; 2],
    pub interest: Interest,
    pub time: Timestamp,
    /// Bytes of a chunk, at most.
    pub split: usize,
}

impl Flow {
    pub fn new() -> Flow {
        Flow::with(HttpLimits::default(), true)
    }

    /// One that was picked up in the middle.
    pub fn midstream() -> Flow {
        Flow::with(HttpLimits::default(), false)
    }

    pub fn with(limits: HttpLimits, is_opened: bool) -> Flow {
        let mut handler = HttpHandler::new(limits, Seen::default());
        let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
        let (key, client) = FlowKey::of(peer(1, 40_000), peer(2, 80));
        let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by: is_opened.then_some(client) };
        let state = handler.open(&info);
        let interest = Interest::Undecided;
        Flow { handler, state, info, sent: [0, 0], interest, time: Timestamp(1), split: usize::MAX }
    }

    fn event(&mut self, side: Side, event: Event<'_>) {
        if self.interest != Interest::None {
            let direction = if side == Side::Client { Direction::FromLow } else { Direction::FromHigh };
            self.interest = self.handler.event(&self.info, &mut self.state, direction, event);
        }
    }

    pub fn say(&mut self, side: Side, bytes: &[u8]) -> &mut Flow {
        let acknowledged = Some(self.sent[1 - side as usize]);
        for bytes in bytes.chunks(self.split) {
            let offset = self.sent[side as usize];
            self.sent[side as usize] += bytes.len() as i64;
            self.event(side, Event::Data(Chunk { offset, acknowledged, time: self.time, bytes }));
        }
        self
    }

    pub fn client(&mut self, frames: &[Vec<u8>]) -> &mut Flow {
        self.say(Side::Client, &frames.concat())
    }

    pub fn server(&mut self, frames: &[Vec<u8>]) -> &mut Flow {
        self.say(Side::Server, &frames.concat())
    }

    pub fn miss(&mut self, side: Side, length: usize) -> &mut Flow {
        let offset = self.sent[side as usize];
        self.sent[side as usize] += length as i64;
        self.event(side, Event::Gap { offset, length: length as u64, time: self.time });
        self
    }

    /// Both sides have said hello.
    pub fn greeted() -> Flow {
        let mut flow = Flow::new();
        flow.client(&[preface()]).server(&[settings(&[]), settings_ack()]).client(&[settings_ack()]);
        flow
    }

    pub fn finish(mut self) -> Seen {
        self.handler.close(&self.info, self.state, Timestamp(9));
        let seen = std::mem::take(self.handler.observer());
        assert_eq!(seen.scans, 0, "a body was begun and not finished");
        seen
    }

    /// Method, target, status and response body of each transaction.
    pub fn lines(self) -> Vec<String> {
        self.finish().transactions.iter().map(line_of).collect()
    }
}

pub fn line_of(transaction: &Transaction<String>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = transaction.request.as_ref().map_or("-".into(), |request| {
        let body = request.report.as_deref().map_or(String::new(), |body| format!(" <{body}>"));
        format!("{} {}{body}", text(request.head.method()), text(request.head.target()))
    });
    let response = transaction.response.as_ref().map_or("-".into(), |response| {
        let body = response.report.as_deref().map_or(String::new(), |body| format!(" <{body}>"));
        format!("{}{body}", response.head.status())
    });
    format!("{request} -> {response}")
}

pub fn marks_of(seen: &Seen) -> Vec<Marks> {
    seen.transactions.iter().map(|transaction| transaction.marks).collect()
}
