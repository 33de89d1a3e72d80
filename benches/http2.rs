//! HTTP/2 beside HTTP/1, the protocol alone: the same transactions, in order, through the `http` stage.
//!
//! `cargo bench --bench http2` has clients ask for JSON of 500 bytes, with the fields that browsers and servers send, on
//! connections of 100 requests; each message is one chunk. In HTTP/2 the first request inserts its fields into the table, and
//! the others refer to them but for the path. Prints transactions a second of both, and their ratio (the aim is a half).

use apitap::http::http2::PREFACE;
use apitap::http::{Head, HttpHandler, HttpLimits, Observer, Side, Transaction};
use apitap::packet::{Direction, FlowKey, Peer};
use apitap::stream::{Chunk, Event, FlowInfo, Handler};
use apitap::time::Timestamp;
use std::hint::black_box;
use std::time::Instant;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;
const CONNECTIONS: usize = 200;
const REQUESTS: usize = 100;

const ASKED: [(&str, &str); 7] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("accept", "application/json"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("authorization", "Bearer 5ad1c0ffee00beef5ad1c0ffee00beef5ad1c0ffee00beef"),
    ("cookie", "session=0a1b2c3d4e5f60718293a4b5c6d7e8f9; theme=dark"),
    ("referer", "https://shop.example/orders"),
];
const ANSWERED: [(&str, &str); 6] = [
    ("server", "nginx"),
    ("date", "Mon, 24 Nov 2025 09:00:00 GMT"),
    ("content-type", "application/json; charset=utf-8"),
    ("content-length", "500"),
    ("cache-control", "no-store"),
    ("x-request-id", "6f1d2c3b4a5968778695a4b3c2d1e0f9"),
];

/// Looks at nothing, and counts.
#[derive(Default)]
struct Count {
    transactions: usize,
    bytes: usize,
}

impl Observer for Count {
    type Scan = ();
    type Report = ();

    fn begin(&mut self, _: Side, _: &Head) -> Option<()> {
        Some(())
    }

    fn data(&mut self, _: &mut (), bytes: &[u8]) -> bool {
        self.bytes += bytes.len();
        true
    }

    fn gap(&mut self, _: &mut ()) {}

    fn finish(&mut self, _: ()) {}

    fn transaction(&mut self, transaction: Transaction<()>) {
        self.transactions += usize::from(transaction.request.is_some() && transaction.response.is_some());
    }
}

type Connection = Vec<(Direction, Vec<u8>)>;

fn path(request: usize) -> String {
    format!("/v1/orders/{}", 400_000 + request * 37)
}

fn http1() -> Connection {
    let mut chunks = Vec::new();
    let lines = |fields: &[(&str, &str)]| fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect::<String>();
    for request in 0..REQUESTS {
        let asked = format!("GET {} HTTP/1.1\r\nhost: api.shop.example\r\n{}\r\n", path(request), lines(&ASKED));
        let answered = format!("HTTP/1.1 200 OK\r\n{}\r\n{}", lines(&ANSWERED), "x".repeat(500));
        chunks.push((Direction::FromLow, asked.into_bytes()));
        chunks.push((Direction::FromHigh, answered.into_bytes()));
    }
    chunks
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn text(block: &mut Vec<u8>, text: &str) {
    block.push(text.len() as u8); // none here is longer than 126
    block.extend_from_slice(text.as_bytes());
}

/// Literals that are inserted the first time, then their indices.
fn fields(block: &mut Vec<u8>, fields: &[(&str, &str)], is_first: bool) {
    for (at, (name, value)) in fields.iter().enumerate() {
        if is_first {
            block.push(0x40);
            text(block, name);
            text(block, value);
        } else {
            block.push(0x80 | (61 + fields.len() - at) as u8);
        }
    }
}

fn http2() -> Connection {
    let asked: Vec<(&str, &str)> = [(":authority", "api.shop.example")].into_iter().chain(ASKED).collect();
    let mut chunks = vec![
        (Direction::FromLow, [PREFACE, &frame(4, 0, 0, b"")].concat()),
        (Direction::FromHigh, [frame(4, 0, 0, b""), frame(4, 1, 0, b"")].concat()),
    ];
    for request in 0..REQUESTS {
        let stream = 2 * request as u32 + 1;
        let mut block = vec![0x82, 0x86, 0x04]; // GET, http, and a path that is not inserted
        text(&mut block, &path(request));
        fields(&mut block, &asked, request == 0);
        chunks.push((Direction::FromLow, frame(1, 5, stream, &block)));
        let mut block = vec![0x88];
        fields(&mut block, &ANSWERED, request == 0);
        let answer = [frame(1, 4, stream, &block), frame(0, 1, stream, &[b'x'; 500])].concat();
        chunks.push((Direction::FromHigh, answer));
    }
    chunks
}

/// Transactions a second, of the best round.
fn speed(connection: &Connection) -> f64 {
    let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
    let (key, client) = FlowKey::of(peer(1, 40_000), peer(2, 80));
    let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by: Some(client) };
    let round = || {
        let mut handler = HttpHandler::new(HttpLimits::default(), Count::default());
        let started = Instant::now();
        for _ in 0..CONNECTIONS {
            let mut state = handler.open(&info);
            let mut sent = [0i64; 2];
            for (direction, bytes) in connection {
                let (offset, acknowledged) = (sent[*direction as usize], Some(sent[1 - *direction as usize]));
                sent[*direction as usize] += bytes.len() as i64;
                let chunk = Chunk { offset, acknowledged, time: Timestamp(1), bytes: black_box(bytes) };
                handler.event(&info, &mut state, *direction, Event::Data(chunk));
            }
            handler.close(&info, state, Timestamp(2));
        }
        let seconds = started.elapsed().as_secs_f64();
        let count = handler.observer();
        assert_eq!((count.transactions, count.bytes), (CONNECTIONS * REQUESTS, CONNECTIONS * REQUESTS * 500));
        count.transactions as f64 / seconds
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn main() {
    let (first, second) = (speed(&http1()), speed(&http2()));
    println!("HTTP/1 {first:.0} transactions/s, HTTP/2 {second:.0} transactions/s: {:.2}", second / first);
}
