//! TCP as it comes off a wire, by the book and against it: what is exchanged comes out, whatever the connection does.

mod support;

use apitap::capture::{Frame, LinkType};
use apitap::http::{Marks, Transaction};
use apitap::simulate::wire::frame::{ACK, FIN, PSH, RST, SYN, fragments};
use apitap::simulate::wire::{Connection, Conversation, DEFAULT_START, Side};
use apitap::stream::{FlowLimits, FlowTable, OverlapPolicy, Overlaps};
use apitap::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use support::{Wire, line_of};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Ethernet, and IPv4 behind it.
const ETHERNET: usize = 14;
const IPV4: usize = 20;

fn ask(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n").into_bytes()
}

/// A connection told segment by segment, a millisecond each.
struct Talk {
    connection: Connection,
    frames: Vec<(Timestamp, Vec<u8>)>,
    now: Timestamp,
}

impl Talk {
    fn new(client: &str, server: &str, salt: u64) -> Talk {
        let connection = Connection::new(client.parse().unwrap(), server.parse().unwrap(), salt);
        Talk { connection, frames: Vec::new(), now: DEFAULT_START }
    }

    fn v4() -> Talk {
        Talk::new("192.0.2.7:40001", "198.51.100.1:80", 7)
    }

    fn v6() -> Talk {
        Talk::new("[2001:db8::7]:40001", "[2001:db8::1]:80", 7)
    }

    fn say(mut self, from: Side, flags: u8, payload: &[u8]) -> Talk {
        self.now = self.now.saturating_add(Duration::from_millis(1));
        self.connection.segment(from, self.now, flags, payload, &mut self.frames);
        self
    }

    fn client(self, payload: &[u8]) -> Talk {
        self.say(Side::Client, ACK | PSH, payload)
    }

    fn server(self, payload: &[u8]) -> Talk {
        self.say(Side::Server, ACK | PSH, payload)
    }

    fn open(self) -> Talk {
        self.say(Side::Client, SYN, b"").say(Side::Server, SYN | ACK, b"").say(Side::Client, ACK, b"")
    }

    fn close(self) -> Talk {
        self.say(Side::Client, FIN | ACK, b"").say(Side::Server, FIN | ACK, b"").say(Side::Client, ACK, b"")
    }

    /// What a side sends next lies so many bytes ahead, or comes again.
    fn skip(mut self, side: Side, bytes: i32) -> Talk {
        self.connection.skip(side, bytes);
        self
    }

    fn pause(mut self, span: Duration) -> Talk {
        self.now = self.now.saturating_add(span);
        self
    }

    /// Changes the last frame.
    fn change(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Talk {
        if let Some((_, frame)) = self.frames.last_mut() {
            change(frame);
        }
        self
    }

    /// The last frame does not reach the capture.
    fn lost(mut self) -> Talk {
        self.frames.pop();
        self
    }

    fn transactions(self) -> Vec<Transaction<u64>> {
        transactions_of(self.frames)
    }

    fn lines(self) -> Vec<String> {
        lines_of(&self.transactions())
    }
}

fn feed(wire: &mut Wire, frames: Vec<(Timestamp, Vec<u8>)>) {
    for (time, bytes) in frames {
        wire.frame(&Frame { time, link: LinkType::ETHERNET, bytes: &bytes, wire_len: bytes.len() as u32, source: 0 });
    }
}

fn transactions_of(frames: Vec<(Timestamp, Vec<u8>)>) -> Vec<Transaction<u64>> {
    let mut wire = Wire::new();
    feed(&mut wire, frames);
    wire.finish()
}

/// `GET /a 200` for each, with the marks behind it.
fn lines_of(transactions: &[Transaction<u64>]) -> Vec<String> {
    let line = |transaction: &Transaction<u64>| {
        let (method, target, status) = line_of(transaction);
        let marks: Vec<&str> = transaction.marks.names().collect();
        let line = format!("{method} {target} {status} {}", marks.join(","));
        line.trim().to_owned()
    };
    transactions.iter().map(line).collect()
}

#[test]
fn fast_open_carries_a_request_in_the_syn() {
    // RFC 7413 §2: the server takes it.
    let taken = Talk::v4().say(Side::Client, SYN, &ask("/a")).say(Side::Server, SYN | ACK, b"").server(OK);
    assert_eq!(taken.client(&ask("/b")).server(OK).lines(), ["GET /a 200", "GET /b 200"]);
    // It answers in its SYN-ACK.
    let at_once = Talk::v4().say(Side::Client, SYN, &ask("/a")).say(Side::Server, SYN | ACK, OK);
    assert_eq!(at_once.client(&ask("/b")).server(OK).lines(), ["GET /a 200", "GET /b 200"]);
    // §3: it acknowledges the SYN alone, and the request comes once more.
    let length = ask("/a").len() as i32;
    let refused = Talk::v4().say(Side::Client, SYN, &ask("/a")).skip(Side::Client, -length);
    let refused = refused.say(Side::Server, SYN | ACK, b"").client(&ask("/a")).server(OK);
    assert_eq!(refused.client(&ask("/b")).server(OK).lines(), ["GET /a 200", "GET /b 200"]);
}

#[test]
fn an_urgent_byte_is_read_apart_as_servers_do() {
    // RFC 6093 §2: though it is part of the stream, sockets leave it out unless they are asked to have it in line.
    const URG: u8 = 0x20;
    let pointed = |frame: &mut Vec<u8>| frame[ETHERNET + IPV4 + 18..ETHERNET + IPV4 + 20].copy_from_slice(&[0, 1]);
    let request = ask("/a");
    let talk = Talk::v4().open().client(&request[..6]).say(Side::Client, ACK | URG, b"X").change(pointed);
    let talk = talk.client(&request[6..]).server(OK).client(&ask("/b")).server(OK);
    assert_eq!(talk.lines(), ["GET /a 200 overlap_conflict", "GET /b 200"]);
}

#[test]
fn a_reset_of_an_impostor_ends_nothing() {
    // Out of every window (RFC 5961 §3), and within it, where the supposed sender goes on.
    for distance in [100_000_000, -100_000_000, 300] {
        let talk = Talk::v4().open().client(&ask("/a")).server(OK);
        let talk = talk.skip(Side::Server, distance).say(Side::Server, RST, b"").skip(Side::Server, -distance);
        let talk = talk.client(&ask("/b")).server(OK);
        assert_eq!(talk.lines(), ["GET /a 200", "GET /b 200"], "{distance}");
    }
}

#[test]
fn a_syn_on_an_open_flow_that_nobody_accepts_changes_nothing() {
    for distance in [50_000, -50_000, 1_000_000_000] {
        let talk = Talk::v4().open().client(&ask("/a")).server(OK);
        // A SYN counts as a byte.
        let talk = talk.skip(Side::Client, distance).say(Side::Client, SYN, b"").skip(Side::Client, -distance - 1);
        assert_eq!(talk.client(&ask("/b")).server(OK).lines(), ["GET /a 200", "GET /b 200"], "{distance}");
    }
}

#[test]
fn a_port_is_used_again_within_seconds() {
    let reused = |ends: fn(Talk) -> Talk| {
        let first = ends(Talk::v4().open().client(&ask("/a")).server(OK));
        let mut second = Talk::new("192.0.2.7:40001", "198.51.100.1:80", 99);
        (second.now, second.frames) = (first.now, first.frames);
        second.pause(Duration::from_secs(2)).open().client(&ask("/b")).server(OK).lines()
    };
    assert_eq!(reused(Talk::close), ["GET /a 200", "GET /b 200"]);
    assert_eq!(reused(|talk| talk.say(Side::Client, RST | ACK, b"")), ["GET /a 200", "GET /b 200"]);
    // Its end is not in the capture: the server's answer says that the port is free.
    assert_eq!(reused(|talk| talk), ["GET /a 200", "GET /b 200"]);
}

#[test]
fn tags_on_one_side_only_are_one_flow() {
    let mut talk = Talk::v4();
    talk.connection = talk.connection.with_vlan(Some(12));
    let mut talk = talk.open().client(&ask("/a")).server(OK).client(&ask("/b")).server(OK).close();
    let client = talk.frames[0].1[6..12].to_vec();
    for (_, frame) in talk.frames.iter_mut().filter(|(_, frame)| frame[6..12] != client) {
        frame.drain(12..16);
    }
    assert_eq!(talk.lines(), ["GET /a 200", "GET /b 200"]);
}

/// What a card hands to its host before it is cut into segments, or after many were put together.
#[test]
fn a_frame_of_more_than_64_kilobytes_is_read_whole() {
    let body = vec![b'x'; 150_000];
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(&body);
    // IPv4 has no length for it: Linux writes 0.
    let no_length = |frame: &mut Vec<u8>| {
        frame[ETHERNET + 2..ETHERNET + 4].fill(0);
        frame[ETHERNET + 10..ETHERNET + 12].fill(0);
        let words = frame[ETHERNET..ETHERNET + IPV4].chunks_exact(2);
        let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
        let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
        frame[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&checksum.to_be_bytes());
    };
    // IPv6 has the jumbo payload option (RFC 2675 §2), or 0 as well.
    let no_payload_length = |frame: &mut Vec<u8>| frame[ETHERNET + 4..ETHERNET + 6].fill(0);
    let jumbo = |frame: &mut Vec<u8>| {
        frame[ETHERNET + 4..ETHERNET + 6].fill(0);
        frame[ETHERNET + 6] = 0; // hop-by-hop options
        let length = (frame.len() - ETHERNET - 40 + 8) as u32;
        let option = [&[6, 0, 0xc2, 4][..], &length.to_be_bytes()].concat();
        frame.splice(ETHERNET + 40..ETHERNET + 40, option);
    };
    let whole = |talk: Talk, change: &dyn Fn(&mut Vec<u8>)| {
        let talk = talk.open().client(&ask("/a")).server(&answer).change(change).client(&ask("/b")).server(OK);
        let transactions = talk.transactions();
        assert_eq!(lines_of(&transactions), ["GET /a 200", "GET /b 200"]);
        assert_eq!(transactions[0].response.as_ref().map(|response| response.body_length), Some(150_000));
    };
    whole(Talk::v4(), &no_length);
    whole(Talk::v6(), &no_payload_length);
    whole(Talk::v6(), &jumbo);
}

#[test]
fn an_atomic_fragment_is_a_whole_datagram() {
    // RFC 6946: a fragment header, and nothing that is fragmented.
    let atomic = |frame: &mut Vec<u8>| {
        let header = [6, 0, 0, 0, 0, 0, 0, 9];
        let length = u16::from_be_bytes([frame[ETHERNET + 4], frame[ETHERNET + 5]]) + 8;
        frame[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&length.to_be_bytes());
        frame[ETHERNET + 6] = 44;
        frame.splice(ETHERNET + 40..ETHERNET + 40, header);
    };
    let talk = Talk::v6().open().client(&ask("/a")).change(atomic).server(OK).change(atomic);
    assert_eq!(talk.client(&ask("/b")).change(atomic).server(OK).lines(), ["GET /a 200", "GET /b 200"]);
}

#[test]
fn fragments_that_overlap_are_dropped_and_the_segment_that_comes_again_counts() {
    let request = ask("/a");
    let mut talk = Talk::v4().open().client(&request);
    let Some((at, whole)) = talk.frames.pop() else { panic!("a frame was sent") };
    let mut pieces = fragments(&whole, 24);
    let mut forged = pieces[1].clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    pieces.insert(1, forged); // in the place of the true one, with another byte
    talk.frames.extend(pieces.into_iter().map(|piece| (at, piece)));
    let again = -(request.len() as i32);
    let talk = talk.skip(Side::Client, again).client(&request).server(OK).client(&ask("/b")).server(OK);
    let mut wire = Wire::new();
    feed(&mut wire, talk.frames);
    assert_eq!(wire.decoder.counters.fragments_overlapping, 1);
    assert_eq!(lines_of(&wire.finish()), ["GET /a 200", "GET /b 200"]);
}

/// Wherever a capture begins, in a head or in a chunk: what follows the next turn is whole, and nothing is invented.
#[test]
fn a_capture_may_begin_anywhere() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nHTTP/1.1 404 No!\r\n4\r\nwxyz\r\n0\r\n\r\n";
    let mut talk = Conversation::new("192.0.2.7:40001", "198.51.100.1:80").segment_bytes(7);
    for path in ["/a", "/b", "/c", "/d"] {
        talk = talk.exchange(ask(path), chunked);
    }
    let frames = talk.frames();
    let exchanged = ["GET /a 200", "GET /b 200", "GET /c 200", "GET /d 200"];
    assert_eq!(lines_of(&transactions_of(frames.clone())), exchanged);
    for start in 1..frames.len() {
        let transactions = transactions_of(frames[start..].to_vec());
        let pairs: Vec<_> = transactions.iter().filter(|t| t.request.is_some() && t.response.is_some()).collect();
        for transaction in &transactions {
            let (method, target, status) = line_of(transaction);
            let is_right = match transaction.request {
                Some(_) => exchanged.contains(&format!("{method} {target} 200").as_str()),
                None => true,
            };
            assert!(is_right && matches!(status, 0 | 200), "from frame {start}: {:?}", lines_of(&transactions));
        }
        // Each exchange has as many frames; of the one in which the capture begins there may be a part.
        let later = (frames.len() - start) * 4 / frames.len();
        assert!(pairs.len() >= later, "from frame {start}: {:?}", lines_of(&transactions));
    }
}

#[test]
fn a_lost_message_leaves_its_other_half_and_no_other() {
    let exchanges = |lost: &str| {
        let mut talk = Talk::v4().open();
        for path in ["/a", "/b", "/c"] {
            talk = talk.client(&ask(path));
            talk = if lost == path { talk.lost() } else { talk };
            talk = talk.server(OK);
            talk = if lost.strip_suffix('!') == Some(path) { talk.lost() } else { talk };
            talk = talk.pause(Duration::from_secs(1));
        }
        talk.close().lines()
    };
    assert_eq!(exchanges(""), ["GET /a 200", "GET /b 200", "GET /c 200"]);
    assert_eq!(exchanges("/a"), ["200 response_only", "GET /b 200", "GET /c 200"]);
    assert_eq!(exchanges("/b"), ["GET /a 200", "200 response_only", "GET /c 200"]);
    assert_eq!(exchanges("/c"), ["GET /a 200", "GET /b 200", "200 response_only"]);
    assert_eq!(exchanges("/a!"), ["GET /a 0 request_only", "GET /b 200", "GET /c 200"]);
    assert_eq!(exchanges("/b!"), ["GET /a 200", "GET /b 0 request_only", "GET /c 200"]);
    assert_eq!(exchanges("/c!"), ["GET /a 200", "GET /b 200", "GET /c 0 request_only"]);
}

/// Its answer announces a body that does not come, and what comes behind is not that body.
#[test]
fn a_lost_head_request_costs_no_other() {
    let mut talk = Talk::v4().open().client(&ask("/a")).server(OK);
    talk = talk.client(b"HEAD /b HTTP/1.1\r\nHost: shop.example\r\n\r\n").lost();
    talk = talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n").say(Side::Client, ACK, b"");
    for path in ["/c", "/d", "/e"] {
        talk = talk.pause(Duration::from_secs(3)).client(&ask(path)).server(OK).say(Side::Client, ACK, b"");
    }
    let expected = ["GET /a 200", "200 response_only,incomplete", "GET /c 200", "GET /d 200", "GET /e 200"];
    assert_eq!(talk.close().lines(), expected);
}

/// Behind a hole the policy of the server's network says which copy is read; either way the transaction is marked.
#[test]
fn the_servers_policy_says_which_of_two_copies_is_read() {
    let (first, second) = (ask("/a"), ask("/b"));
    let talk = || {
        let talk = Talk::v4().open().skip(Side::Client, 4).client(&first[4..]);
        let talk = talk.skip(Side::Client, 4 - first.len() as i32).client(&second[4..]);
        talk.skip(Side::Client, -(first.len() as i32)).client(&first[..4]).skip(Side::Client, first.len() as i32 - 4)
    };
    for (network, expected) in
        [("198.51.100.0/24", "GET /b 200 overlap_conflict"), ("192.0.2.0/24", "GET /a 200 overlap_conflict")]
    {
        let overlaps = Overlaps {
            otherwise: OverlapPolicy::First,
            by_network: vec![(network.parse().unwrap(), OverlapPolicy::Last)],
        };
        let mut wire = Wire::new();
        wire.table = FlowTable::new(FlowLimits { overlaps: Arc::new(overlaps), ..FlowLimits::default() });
        feed(&mut wire, talk().server(OK).client(&ask("/c")).server(OK).frames);
        assert_eq!(wire.table.counters.stream.overlap_conflicts, 1);
        assert_eq!(lines_of(&wire.finish()), [expected, "GET /c 200"], "{network}");
    }
}

/// The first copy was read when the second came: that stays so, and is told.
#[test]
fn a_request_that_comes_again_and_differs_is_marked() {
    let again = -(ask("/a").len() as i32);
    let talk = Talk::v4().open().client(&ask("/a")).skip(Side::Client, again).client(&ask("/b")).server(OK);
    let transactions = talk.client(&ask("/c")).server(OK).transactions();
    assert_eq!(lines_of(&transactions), ["GET /a 200 overlap_conflict", "GET /c 200"]);
    assert!(transactions[0].marks.contains(Marks::OVERLAP_CONFLICT));
}
