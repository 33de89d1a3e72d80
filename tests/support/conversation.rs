//! Conversations for property tests: a script of transactions, and the frames in which two hosts exchange it.

use apitap::capture::{Frame, LinkType};
use apitap::time::Timestamp;
use proptest::prelude::*;

/// IPv4 packets in the order in which a tap between the hosts saw them.
pub type Frames = Vec<Vec<u8>>;

#[derive(Clone, Debug)]
pub struct Script {
    pub turns: Vec<Turn>,
    /// Initial sequence numbers of client and server.
    pub initial: [u32; 2],
    /// Sizes of segments, used in turn.
    pub segments: Vec<usize>,
    /// Which segments the peer acknowledges with an empty segment of its own, used in turn.
    pub acknowledge: Vec<bool>,
}

/// One request and its response.
#[derive(Clone, Debug)]
pub struct Turn {
    pub id: u32,
    pub method: &'static str,
    pub request_length: u64,
    pub request_is_chunked: bool,
    pub status: u16,
    /// Length of the body, or for HEAD, 204 and 304 of the body that there would be.
    pub announced_length: u64,
    pub response_is_chunked: bool,
    /// An interim response comes first.
    pub continues: bool,
    /// Sent together with the request before it.
    pub is_pipelined: bool,
    /// Bodies consist of things that look like messages.
    pub is_hostile: bool,
}

impl Turn {
    pub fn response_length(&self) -> u64 {
        let has_none = self.method == "HEAD" || self.status == 204 || self.status == 304;
        if has_none { 0 } else { self.announced_length }
    }

    fn body(&self, length: u64) -> Vec<u8> {
        let text: &[u8] = match (self.is_hostile, self.id % 2) {
            (true, 0) => b"HTTP/1.1 200 OK\r\nLocation: /id/666\r\nContent-Length: 0\r\n\r\n",
            (true, _) => b"GET /id/666 HTTP/1.1\r\nHost: h\r\n\r\n",
            (false, _) => b"{\"name\": \"value\", \"list\": [1, 2, 3]}\n",
        };
        text.iter().copied().cycle().take(length as usize).collect()
    }

    pub fn request(&self) -> Vec<u8> {
        let mut bytes = format!("{} /id/{} HTTP/1.1\r\nHost: h\r\n", self.method, self.id).into_bytes();
        append_body(&mut bytes, &self.body(self.request_length), self.request_is_chunked, self.request_length > 0);
        bytes
    }

    pub fn response(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(format!("HTTP/1.1 {} Reason\r\nLocation: /id/{}\r\n", self.status, self.id).as_bytes());
        if self.status == 204 || self.status == 304 {
            bytes.extend_from_slice(b"\r\n");
        } else if self.method == "HEAD" {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.announced_length).as_bytes());
        } else {
            append_body(&mut bytes, &self.body(self.announced_length), self.response_is_chunked, true);
        }
        bytes
    }
}

fn append_body(bytes: &mut Vec<u8>, body: &[u8], is_chunked: bool, has_body: bool) {
    if !has_body {
        bytes.extend_from_slice(b"\r\n");
    } else if is_chunked {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for chunk in body.chunks(300) {
            bytes.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\nTrailer: t\r\n\r\n");
    } else {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
    }
}

prop_compose! {
    fn turns(hostile: bool)(
        method in prop::sample::select(vec!["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE"]),
        request in prop_oneof![0u64..1, 1u64..900],
        request_is_chunked in any::<bool>(),
        status in prop::sample::select(vec![200u16, 200, 200, 201, 204, 304, 404, 500]),
        response in prop_oneof![0u64..1, 1u64..200, 1u64..3000],
        response_is_chunked in any::<bool>(),
        continues in prop::bool::weighted(0.2),
        pipelined in prop::bool::weighted(0.5),
        is_hostile in prop::bool::weighted(if hostile { 0.7 } else { 0.0 }),
    ) -> Turn {
        let request_length = if matches!(method, "POST" | "PUT") { request } else { 0 };
        Turn {
            id: 0,
            method,
            request_length,
            request_is_chunked,
            status,
            announced_length: response,
            response_is_chunked,
            continues: continues && request_length > 0,
            is_pipelined: pipelined,
            is_hostile,
        }
    }
}

/// Scripts of one to twelve transactions, a quarter of them pipelined.
pub fn scripts(hostile: bool) -> impl Strategy<Value = Script> {
    let pieces = prop::collection::vec(prop_oneof![1usize..40, 40usize..400, Just(1460)], 1..20);
    let acknowledge = prop::collection::vec(any::<bool>(), 1..10);
    let initial = prop::array::uniform2(prop_oneof![any::<u32>(), u32::MAX - 2000..=u32::MAX]);
    let turns = prop::collection::vec(turns(hostile), 1..12);
    (turns, initial, pieces, acknowledge, prop::bool::weighted(0.25)).prop_map(
        |(mut turns, initial, segments, acknowledge, pipelines)| {
            for (index, turn) in turns.iter_mut().enumerate() {
                turn.id = index as u32 + 1;
                turn.is_pipelined &= pipelines && index > 0;
                turn.continues &= !pipelines;
                // That a body which follows "100 Continue" is no request cannot be known where both heads are lost.
                turn.is_hostile &= !turn.continues;
            }
            Script { turns, initial, segments, acknowledge }
        },
    )
}

/// Keep-alive transactions with bodies of several segments, one after the other.
pub fn plain_script(count: u32) -> Script {
    let turn = |id| Turn {
        id,
        method: if id % 3 == 0 { "POST" } else { "GET" },
        request_length: if id % 3 == 0 { 500 } else { 0 },
        request_is_chunked: false,
        status: 200,
        announced_length: 2000,
        response_is_chunked: id % 2 == 0,
        continues: false,
        is_pipelined: false,
        is_hostile: true,
    };
    Script {
        turns: (1..=count).map(turn).collect(),
        initial: [1000, u32::MAX - 100],
        segments: vec![700],
        acknowledge: vec![true, false],
    }
}

/// The hosts' side of the conversation: what each has sent.
struct Exchange<'s> {
    script: &'s Script,
    frames: Frames,
    sent: [u32; 2],
    segments: usize,
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;

impl Exchange<'_> {
    fn packet(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let sequence = self.script.initial[from].wrapping_add(self.sent[from]);
        let acknowledgement = self.script.initial[1 - from].wrapping_add(self.sent[1 - from]);
        self.frames.push(packet(from, sequence, acknowledgement, flags, payload));
        self.sent[from] += payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
    }

    /// Sends bytes in segments; the peer has all of them when it goes on.
    fn send(&mut self, from: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = self.script.segments[self.segments % self.script.segments.len()].min(rest.len());
            let (piece, behind) = rest.split_at(size);
            self.packet(from, ACK, piece);
            if self.script.acknowledge[self.segments % self.script.acknowledge.len()] {
                self.packet(1 - from, ACK, b"");
            }
            self.segments += 1;
            rest = behind;
        }
    }
}

/// The frames of a conversation; the first three are the handshake.
pub fn frames_of(script: &Script) -> Frames {
    let mut exchange = Exchange { script, frames: Vec::new(), sent: [0, 0], segments: 0 };
    exchange.packet(0, SYN, b"");
    exchange.packet(1, SYN | ACK, b"");
    exchange.packet(0, ACK, b"");
    let mut turns = script.turns.as_slice();
    while !turns.is_empty() {
        let together = 1 + turns[1..].iter().take_while(|turn| turn.is_pipelined).count();
        let (batch, rest) = turns.split_at(together);
        turns = rest;
        if batch[0].continues {
            let request = batch[0].request();
            let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
            exchange.send(0, &request[..head]);
            exchange.send(1, b"HTTP/1.1 100 Continue\r\n\r\n");
            exchange.send(0, &request[head..]);
        } else {
            exchange.send(0, &batch.iter().flat_map(Turn::request).collect::<Vec<u8>>());
        }
        exchange.send(1, &batch.iter().flat_map(Turn::response).collect::<Vec<u8>>());
    }
    exchange.packet(0, FIN | ACK, b"");
    exchange.packet(1, FIN | ACK, b"");
    exchange.packet(0, ACK, b"");
    exchange.frames
}

/// A TCP segment over IPv4, without checksums.
pub fn packet(from: usize, sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (addresses, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000u16, 80]);
    let total = (40 + payload.len()) as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
    bytes.extend_from_slice(&addresses[from]);
    bytes.extend_from_slice(&addresses[1 - from]);
    bytes.extend_from_slice(&ports[from].to_be_bytes());
    bytes.extend_from_slice(&ports[1 - from].to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&if flags & ACK != 0 { acknowledgement } else { 0 }.to_be_bytes());
    bytes.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

pub fn is_from_client(packet: &[u8]) -> bool {
    packet[15] == 1
}

pub fn frame(nanos: i64, packet: &[u8]) -> Frame<'_> {
    Frame { time: Timestamp(nanos), link: LinkType::RAW, wire_len: packet.len() as u32, bytes: packet, source: 0 }
}
