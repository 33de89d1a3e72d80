//! What the flows of a partition may keep together.

use super::*;
use crate::http::{Head, Side, Transaction};
use crate::packet::{FlowKey, Peer};

/// Counts scans that are not given back, and keeps what is told.
#[derive(Default)]
struct Balance {
    scans: i64,
    told: Vec<(bool, bool)>,
}

impl Observer for Balance {
    type Scan = ();
    type Report = ();

    fn begin(&mut self, _: Side, _: &Head) -> Option<()> {
        self.scans += 1;
        Some(())
    }

    fn data(&mut self, _: &mut (), _: &[u8]) -> bool {
        true
    }

    fn gap(&mut self, _: &mut ()) {}

    fn finish(&mut self, _: ()) {
        self.scans -= 1;
    }

    fn transaction(&mut self, transaction: Transaction<()>) {
        self.told.push((transaction.request.is_some(), transaction.response.is_some()));
    }
}

const BOUND: usize = 256 << 10;
const FLOWS: u16 = 200;
/// The account may be over its bound by what one head grew by: its memory doubles.
const SLACK: usize = 32 << 10;

struct Flows {
    handler: HttpHandler<Balance>,
    flows: Vec<(FlowInfo, HttpState<(), ()>, i64)>,
}

impl Flows {
    fn new() -> Flows {
        let limits = HttpLimits { partition_bytes: BOUND, ..HttpLimits::default() };
        let mut handler = HttpHandler::new(limits, Balance::default());
        let flows = (0..FLOWS)
            .map(|port| {
                let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
                let (key, client) = FlowKey::of(peer(1, 1024 + port), peer(2, 80));
                let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by: Some(client) };
                let state = handler.open(&info);
                (info, state, 0)
            })
            .collect();
        Flows { handler, flows }
    }

    /// Every client sends the same, one after the other.
    fn all_send(&mut self, bytes: &str) {
        self.send(0..usize::from(FLOWS), bytes);
    }

    fn send(&mut self, who: std::ops::Range<usize>, bytes: &str) {
        for (info, state, sent) in &mut self.flows[who] {
            let chunk = Chunk { offset: *sent, acknowledged: Some(0), time: Timestamp(1), bytes: bytes.as_bytes() };
            *sent += bytes.len() as i64;
            let client = info.opened_by.unwrap();
            self.handler.event(info, state, client, Event::Data(chunk));
            let kept = self.handler.shared.kept;
            assert!(kept <= BOUND + SLACK, "{kept} bytes are kept");
        }
    }

    /// Nothing is left of anything once every flow is over.
    fn close(mut self) -> Balance {
        for (info, state, _) in self.flows.drain(..) {
            self.handler.close(&info, state, Timestamp(2));
        }
        assert_eq!((self.handler.shared.kept, self.handler.shared.suspects), (0, 0));
        let balance = std::mem::take(self.handler.observer());
        assert_eq!(balance.scans, 0);
        balance
    }
}

#[test]
fn heads_that_never_end_are_given_up_at_the_bound() {
    let mut flows = Flows::new();
    flows.all_send("GET / HTTP/1.1\r\n");
    for _ in 0..20 {
        flows.all_send(&format!("X-Filler: {}\r\n", "x".repeat(900)));
    }
    assert!(flows.handler.counters().heads_over_limit > 0);
    flows.close();
}

#[test]
fn first_words_that_never_end_are_given_up_at_the_bound() {
    let mut flows = Flows::new();
    for _ in 0..20 {
        flows.all_send(&format!("GET/{}", "x".repeat(900)).replace("GET/", "GET /"));
    }
    flows.close();
}

#[test]
fn suspects_are_remembered_up_to_a_bound_and_forgotten_with_their_connections() {
    let mut flows = Flows::new();
    let field = "x".repeat(2000);
    let fields = format!("Host: h\r\nX: {field}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked");
    flows.all_send(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\nX"));
    let shared = &flows.handler.shared;
    assert!(shared.suspects <= BOUND / 8 && shared.counters.suspects_over_limit > 0, "{}", shared.suspects);
    flows.close();
}

#[test]
fn requests_that_nobody_answers_become_halves_at_the_bound() {
    let mut flows = Flows::new();
    for _ in 0..20 {
        flows.all_send(&format!("GET / HTTP/1.1\r\nHost: a\r\nX-Filler: {}\r\n\r\n", "x".repeat(900)));
    }
    assert!(flows.handler.counters().pending_over_limit > 0);
    let balance = flows.close();
    assert_eq!(balance.told, vec![(true, false); 20 * usize::from(FLOWS)]);
}

#[test]
fn what_others_keep_takes_nothing_of_an_ordinary_connection() {
    let mut flows = Flows::new();
    let (others, one) = (0..usize::from(FLOWS) - 1, usize::from(FLOWS) - 1..usize::from(FLOWS));
    let request = format!("GET / HTTP/1.1\r\nX-Filler: {}\r\n\r\n", "x".repeat(2000));
    let hoard = |flows: &mut Flows| (0..4).for_each(|_| flows.send(others.clone(), &request));
    hoard(&mut flows);
    flows.send(one.clone(), "GET /a HTTP/1.1\r\nHo");
    hoard(&mut flows);
    flows.send(one, "st: a\r\n\r\n");
    hoard(&mut flows);
    assert!(flows.handler.counters().pending_over_limit > 0);
    let (info, state, sent) = flows.flows.last_mut().unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let chunk = Chunk { offset: 0, acknowledged: Some(*sent), time: Timestamp(1), bytes: answer };
    flows.handler.event(info, state, info.opened_by.unwrap().other(), Event::Data(chunk));
    let whole = flows.handler.observer().told.iter().filter(|told| **told == (true, true));
    assert_eq!(whole.count(), 1);
    flows.close();
}

#[test]
fn bodies_in_progress_are_accounted_for_when_their_flow_ends() {
    let mut flows = Flows::new();
    flows.all_send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
    flows.all_send("POST /");
    assert!(flows.handler.observer().scans > 0);
    flows.close();
}

#[test]
fn a_body_in_an_unknown_coding_is_not_kept_waiting() {
    let mut flows = Flows::new();
    flows.all_send("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: compress\r\nContent-Length: 10\r\n\r\n12345");
    assert_eq!(flows.handler.observer().scans, 0);
    flows.close();
}

#[test]
fn first_words_may_come_byte_by_byte_however_long_they_are() {
    let mut flows = Flows::new();
    let asked = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    for at in 0..asked.len() {
        flows.send(0..1, &asked[at..at + 1]);
    }
    assert_eq!(flows.close().told, [(true, false)]);
}

#[test]
fn first_words_of_both_sides_are_given_back() {
    let mut flows = Flows::new();
    let (info, mut state, _) = flows.flows.remove(0);
    let client = info.opened_by.unwrap();
    let words = format!("WORD {}", "x".repeat(1000));
    for (nth, direction) in [client, client.other(), client, client.other()].into_iter().enumerate() {
        let chunk = Chunk {
            offset: (nth / 2 * words.len()) as i64,
            acknowledged: Some((nth.div_ceil(2) * words.len()) as i64),
            time: Timestamp(1),
            bytes: words.as_bytes(),
        };
        flows.handler.event(&info, &mut state, direction, Event::Data(chunk));
    }
    flows.handler.close(&info, state, Timestamp(2));
    flows.close();
}
