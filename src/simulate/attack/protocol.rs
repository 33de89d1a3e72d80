//! One client that uses HTTP/2 to exhaust a server: streams reset as soon as they are opened, or header blocks that do not
//! end or that expand.

use super::super::exchange::Host;
use super::super::random::Rng;
use super::super::stage::{Actor, Stage};
use super::super::wire::connection::{Connection, Side};
use super::super::wire::http2::{END_HEADERS, END_STREAM, Kind, PREFACE, expanding, frame, literal};
use super::Plan;
use crate::time::Timestamp;
use std::net::SocketAddr;

const PATH: &str = "/v1/products";
/// Streams of one flight of the client.
const FLIGHT: u32 = 50;
/// RST_STREAM and GOAWAY say why (RFC 9113 §7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 11];
/// CONTINUATION frames of a block that does not end.
const CONTINUATIONS: usize = 200;
/// A field that is inserted once and referred to many times: its list is a thousand times as large.
const BOMB_VALUE: usize = 4000;
const BOMB_REFERENCES: usize = 2000;

struct Abuse {
    plan: Plan,
    client: SocketAddr,
    rng: Rng,
    connection: Option<Connection>,
    next_stream: u32,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let mut rng = Rng::new(plan.rng.next_u64());
    let client = SocketAddr::new(stage.world.attacker(plan.index, 0), 1024 + rng.below(60_000) as u16);
    let abuse = Abuse { client, rng, connection: None, next_stream: 1, done: 0, plan };
    stage.start(abuse.plan.from, Box::new(abuse));
}

impl Abuse {
    fn open(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Connection {
        self.client.set_port(1024 + (self.client.port() + 1) % 60_000);
        let server = stage.world.server(Host::Api, self.rng.next_u64());
        let connection = Connection::new(self.client, server, self.rng.next_u64()).with_vlan(stage.world.vlan);
        let mut connection = connection;
        let mut at = connection.open(now, stage.wire());
        let settings = frame(Kind::Settings, 0, 0, b"");
        at = connection.send(Side::Client, at, &[PREFACE, &settings].concat(), stage.wire());
        let acknowledged = frame(Kind::Settings, 1, 0, b"");
        at = connection.send(Side::Server, at, &[settings, acknowledged.clone()].concat(), stage.wire());
        connection.send(Side::Client, at, &acknowledged, stage.wire());
        self.next_stream = 1;
        connection
    }

    fn request() -> Vec<u8> {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", PATH), (":authority", Host::Api.name())];
        fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
    }

    /// Opens streams and resets them.
    fn resets(&mut self, streams: u32) -> Vec<u8> {
        let request = Abuse::request();
        let mut bytes = Vec::new();
        for _ in 0..streams {
            let stream = self.next_stream;
            self.next_stream += 2;
            bytes.extend(frame(Kind::Headers, END_STREAM | END_HEADERS, stream, &request));
            bytes.extend(frame(Kind::RstStream, 0, stream, &CANCEL));
        }
        bytes
    }

    /// A block that does not end, or one that expands, in turn.
    fn block(&self) -> Vec<u8> {
        let stream = self.next_stream;
        if self.done.is_multiple_of(2) {
            let mut bytes = frame(Kind::Headers, END_STREAM, stream, &Abuse::request());
            let more = frame(Kind::Continuation, 0, stream, &literal("x-filler", "x"));
            (0..CONTINUATIONS).for_each(|_| bytes.extend_from_slice(&more));
            return bytes;
        }
        let block = expanding(Abuse::request(), BOMB_VALUE, BOMB_REFERENCES);
        frame(Kind::Headers, END_STREAM | END_HEADERS, stream, &block)
    }
}

impl Actor for Abuse {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            if let Some(mut connection) = self.connection.take() {
                connection.close(Side::Client, now, stage.wire());
            }
            return None;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open(now, stage),
        };
        let at = now.max(connection.ready(Side::Client));
        let is_slow = self.plan.numbers.lasts.is_none();
        let (bytes, count) = if is_slow {
            (self.block(), 1)
        } else {
            let streams = FLIGHT.min(self.plan.numbers.requests - self.done);
            (self.resets(streams), streams)
        };
        let end = connection.send(Side::Client, at, &bytes, stage.wire());
        for _ in 0..count {
            let endpoint = format!("GET {}{PATH}", Host::Api.name());
            stage.records[self.plan.record].note(at, self.client.ip(), endpoint); // made when it was planned
        }
        self.done += count;
        if is_slow {
            let end = connection.send(Side::Server, end, &frame(Kind::GoAway, 0, 0, &ENHANCE_YOUR_CALM), stage.wire());
            connection.close(Side::Server, end, stage.wire());
        } else {
            self.connection = Some(connection);
        }
        let pace = self.plan.pace().mul_f64(f64::from(count) * (0.5 + self.rng.unit()));
        Some(now.saturating_add(pace).max(end))
    }
}
