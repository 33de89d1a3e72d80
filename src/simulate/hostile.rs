//! Connections that are made to hurt whoever watches them: floods, fragments, bombs, lies about order.
//!
//! In go a rate, a kind and the stage; out come, among the other traffic, that many hostile streams a second, of that
//! [`Kind`] or of every kind in turn, from addresses of their own. None of it is an attack on the API that has to be
//! found, so the truth does not speak of it: it is there to see what it costs a sensor, and that the rest is still read
//! right.

use super::exchange::{Coding, Encoder, Host};
use super::random::Rng;
use super::stage::{Actor, Stage};
use super::wire::connection::{Connection, FrameSink, Side};
use super::wire::frame::{self, ACK, PSH, SYN};
use super::wire::http2::{self, END_HEADERS, END_STREAM};
use crate::time::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

/// Number among the attackers whose addresses nobody else has.
const ATTACKER: u64 = 0x4057;
/// Between two segments of one stream.
const STEP: Duration = Duration::from_micros(50);
/// Bytes of zeros in a compressed answer: a thousand times what is sent.
const BOMB_BYTES: usize = 8 << 20;
/// Members of the inner gzip stream of the nested answer.
const NESTED: usize = 100;
/// A field that is referred to so often makes a list of 8 MB.
const HPACK_VALUE: usize = 4000;
const HPACK_REFERENCES: usize = 2000;
const DEEP_BRACKETS: usize = 100_000;
const ENDLESS_LINES: usize = 4_000;
const STORM_SEGMENTS: usize = 60;
/// The smallest payload that an IPv4 fragment can carry (RFC 791 §2.3).
const FRAGMENT_BYTES: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A SYN that nobody answers.
    SynFlood,
    /// Half a request head, then silence.
    HalfOpen,
    /// A header line every ten seconds.
    Slowloris,
    /// A request in segments of one byte.
    OneByte,
    /// Segments in any order, with holes that are never filled.
    OutOfOrder,
    /// The same bytes of the stream again, with other contents.
    Overlap,
    /// An IP packet in fragments of eight bytes, the last one missing.
    Fragments,
    /// An answer that unpacks to a thousand times its size: gzip.
    Bomb,
    /// The same in zstd.
    ZstdBomb,
    /// The same in gzip in gzip: a million times.
    NestedBomb,
    /// A header list of HTTP/2 that is a thousand times its block.
    HpackBomb,
    /// A JSON body of nothing but opening brackets.
    DeepJson,
    /// A head that does not end.
    EndlessHead,
    /// A chunk of 16 exabytes.
    HugeChunk,
    /// Bytes of no protocol at all.
    Noise,
    /// A path, a host and a user that nobody names again.
    ManyNames,
}

impl Kind {
    pub const ALL: [(&'static str, Kind); 16] = [
        ("syn-flood", Kind::SynFlood),
        ("half-open", Kind::HalfOpen),
        ("slowloris", Kind::Slowloris),
        ("one-byte", Kind::OneByte),
        ("out-of-order", Kind::OutOfOrder),
        ("overlap", Kind::Overlap),
        ("fragments", Kind::Fragments),
        ("gzip-bomb", Kind::Bomb),
        ("zstd-bomb", Kind::ZstdBomb),
        ("nested-bomb", Kind::NestedBomb),
        ("hpack-bomb", Kind::HpackBomb),
        ("deep-json", Kind::DeepJson),
        ("endless-head", Kind::EndlessHead),
        ("huge-chunk", Kind::HugeChunk),
        ("noise", Kind::Noise),
        ("many-names", Kind::ManyNames),
    ];
}

/// Puts `rate` hostile streams a second on the stage; of every kind, where none is named.
pub fn cast(stage: &mut Stage<'_>, rate: f64, kind: Option<Kind>) {
    let rng = Rng::named(stage.world.seed, "hostile", 0);
    let start = stage.world.start;
    stage.start(start, Box::new(Hostile { rng, kind, gap: 1.0 / rate, streams: 0, bombs: Bombs::new() }));
}

/// Coded answers, each of nothing but zeros in the end.
struct Bombs {
    gzip: Vec<u8>,
    zstd: Vec<u8>,
    nested: Vec<u8>,
}

impl Bombs {
    fn new() -> Bombs {
        let zeros = vec![0; BOMB_BYTES];
        let gzip = |bytes: &[u8]| {
            let mut coded = Vec::new();
            Encoder::default().encode(Coding::Gzip, bytes, &mut coded);
            coded
        };
        let once = gzip(&zeros);
        // Into memory, at a level that there is.
        Bombs {
            nested: gzip(&once.repeat(NESTED)),
            gzip: once,
            zstd: zstd::bulk::compress(&zeros, 3).unwrap_or_default(),
        }
    }
}

struct Hostile {
    rng: Rng,
    kind: Option<Kind>,
    /// Seconds between two streams, on the mean.
    gap: f64,
    streams: u64,
    bombs: Bombs,
}

impl Actor for Hostile {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            return None;
        }
        let in_turn = Kind::ALL[(self.streams % Kind::ALL.len() as u64) as usize].1; // a remainder of the length
        let kind = self.kind.unwrap_or(in_turn);
        let client =
            SocketAddr::new(stage.world.attacker(ATTACKER, self.streams), 1024 + (self.rng.next_u64() % 64_000) as u16);
        let server = stage.world.server(Host::Api, self.streams);
        self.streams += 1;
        let connection = Connection::new(client, server, self.rng.next_u64()).with_vlan(stage.world.vlan);
        let mut stream = Stream { connection, now, sink: stage.wire() };
        self.act(kind, &mut stream);
        Some(now.saturating_add(Duration::from_secs_f64(self.rng.exponential(self.gap))))
    }
}

impl Hostile {
    fn act(&mut self, kind: Kind, stream: &mut Stream<'_>) {
        let name = self.rng.next_u64();
        match kind {
            Kind::SynFlood => stream.segment(Side::Client, SYN, &[]),
            Kind::HalfOpen => stream.open().client(b"POST /v1/orders HTTP/1.1\r\nHost: api.shop.example\r\nContent-Le"),
            Kind::Slowloris => {
                stream.open().client(b"GET / HTTP/1.1\r\nHost: api.shop.example\r\n");
                for line in 0..6 {
                    stream.pause(Duration::from_secs(10));
                    stream.client(format!("X-{line}: {name}\r\n").as_bytes());
                }
            }
            Kind::OneByte => {
                stream.open();
                let request = format!("GET /v1/items/{} HTTP/1.1\r\nHost: api.shop.example\r\n\r\n", name % 50_000);
                request.as_bytes().chunks(1).for_each(|byte| stream.segment(Side::Client, ACK | PSH, byte));
            }
            Kind::OutOfOrder => {
                stream.open();
                for _ in 0..STORM_SEGMENTS {
                    let jump = self.rng.below(65_536) as i32 - 16_384;
                    stream.connection.skip(Side::Client, jump);
                    stream.segment(Side::Client, ACK, &[b'o'; 700]);
                }
            }
            Kind::Overlap => {
                stream.open();
                for path in ["/v1/profile", "/v1/hidden0"] {
                    let request = format!("GET {path} HTTP/1.1\r\nHost: api.shop.example\r\n\r\n");
                    stream.client(request.as_bytes());
                    stream.connection.skip(Side::Client, -(request.len() as i32));
                }
            }
            Kind::Fragments => stream.open().fragments(&[b'f'; 400]),
            Kind::Bomb => stream.open().answer("gzip", &self.bombs.gzip),
            Kind::ZstdBomb => stream.open().answer("zstd", &self.bombs.zstd),
            Kind::NestedBomb => stream.open().answer("gzip, gzip", &self.bombs.nested),
            Kind::HpackBomb => {
                let request = [(":method", "GET"), (":scheme", "http"), (":path", "/v1/profile")];
                let fields: Vec<u8> = request.iter().flat_map(|(name, value)| http2::literal(name, value)).collect();
                let block = http2::expanding(fields, HPACK_VALUE, HPACK_REFERENCES);
                stream.open().client(http2::PREFACE);
                stream.client(&http2::frame(http2::Kind::Settings, 0, 0, &[]));
                stream.client(&http2::frame(http2::Kind::Headers, END_STREAM | END_HEADERS, 1, &block));
            }
            Kind::DeepJson => {
                stream.open();
                let head = format!(
                    "POST /v1/orders HTTP/1.1\r\nHost: api.shop.example\r\nContent-Type: application/json\r\n\
                     Content-Length: {DEEP_BRACKETS}\r\n\r\n"
                );
                stream.client(head.as_bytes());
                stream.client(&[b'['; DEEP_BRACKETS]);
            }
            Kind::EndlessHead => {
                stream.open().client(b"GET / HTTP/1.1\r\nHost: api.shop.example\r\n");
                let line = format!("X-Filler: {name:064x}\r\n");
                stream.client(line.repeat(ENDLESS_LINES).as_bytes());
            }
            Kind::HugeChunk => stream.open().client(
                b"POST /v1/orders HTTP/1.1\r\nHost: api.shop.example\r\nTransfer-Encoding: chunked\r\n\r\n\
                  fffffffffffffffe\r\n{",
            ),
            Kind::Noise => {
                stream.open();
                let noise: Vec<u8> = (0..180).flat_map(|_| self.rng.next_u64().to_le_bytes()).collect();
                stream.client(&noise);
                stream.server(&noise);
            }
            Kind::ManyNames => {
                let body = format!(r#"{{"email":"{name:x}@example.net","password":"p{name:x}"}}"#);
                let head = format!(
                    "POST /{name:x}/login HTTP/1.1\r\nHost: {name:x}.example\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.open().client(head.as_bytes());
                stream.server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
        }
    }
}

/// One hostile connection and the time that it has come to.
struct Stream<'a> {
    connection: Connection,
    now: Timestamp,
    sink: &'a mut dyn FrameSink,
}

impl Stream<'_> {
    fn open(&mut self) -> &mut Self {
        self.now = self.connection.open(self.now, self.sink);
        self
    }

    fn pause(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
    }

    fn client(&mut self, bytes: &[u8]) {
        self.now = self.connection.send(Side::Client, self.now, bytes, self.sink);
    }

    fn server(&mut self, bytes: &[u8]) {
        self.now = self.connection.send(Side::Server, self.now, bytes, self.sink);
    }

    /// A request, and an answer in this coding.
    fn answer(&mut self, coding: &str, body: &[u8]) {
        self.client(b"GET /v1/feeds/7 HTTP/1.1\r\nHost: api.shop.example\r\n\r\n");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.server(head.as_bytes());
        self.server(body);
    }

    fn segment(&mut self, from: Side, flags: u8, payload: &[u8]) {
        self.connection.segment(from, self.now, flags, payload, self.sink);
        self.pause(STEP);
    }

    /// Sends a segment of the client in fragments, all but the last.
    fn fragments(&mut self, payload: &[u8]) {
        let mut whole: Vec<(Timestamp, Vec<u8>)> = Vec::new();
        self.connection.segment(Side::Client, self.now, ACK | PSH, payload, &mut whole);
        for (_, packet) in &whole {
            let fragments = frame::fragments(packet, FRAGMENT_BYTES);
            for fragment in fragments.iter().rev().skip(1) {
                self.sink.frame(self.now, fragment, &[]);
                self.pause(STEP);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, generate};
    use super::*;

    #[test]
    fn every_kind_is_in_the_capture_and_the_rest_of_it_unchanged() {
        let options = Options { duration: Duration::from_secs(20), rate: 5.0, clients: 5, ..Options::default() };
        let capture = |hostile: f64| {
            let mut pcap = Vec::new();
            generate(&Options { hostile, ..options.clone() }, &mut pcap, &mut std::io::sink()).unwrap();
            pcap
        };
        let (without, with) = (capture(0.0), capture(2.0));
        assert!(with.len() > without.len() + 2 * DEEP_BRACKETS);
        assert_eq!(with, capture(2.0), "the same options give the same bytes");
        let has = |text: &str| with.windows(text.len()).any(|found| found == text.as_bytes());
        for text in [
            "X-Filler",
            "[[[[[[[[",
            "fffffffffffffffe",
            "/v1/hidden0",
            "Content-Encoding: gzip\r",
            "Encoding: gzip, gzip",
            "Encoding: zstd",
            "PRI * HTTP/2.0",
            "ooooo",
        ] {
            assert!(has(text), "{text}");
        }
    }
}
