//! What becomes of a connection's bytes, as small facts.

use crate::http::tls::tests::HELLO_OF_TLS;
use crate::http::{Head, HttpHandler, HttpLimits, HttpState, Marks, Observer, Side, Transaction};
use crate::packet::{Direction, FlowKey, Peer};
use crate::stream::{Chunk, Event, FlowInfo, Handler, Interest};
use crate::time::Timestamp;

#[path = "forms_tests.rs"]
mod forms;
#[path = "inside_tls_tests.rs"]
mod inside_tls;
#[path = "smuggling_tests.rs"]
mod smuggling;

/// Keeps transactions and the text of bodies.
#[derive(Default)]
struct Bodies {
    transactions: Vec<Transaction<String>>,
    /// Requests with the answer to a part of them, as lines.
    desyncs: Vec<String>,
}

impl Observer for Bodies {
    type Scan = String;
    type Report = String;

    fn begin(&mut self, _: Side, _: &Head) -> Option<String> {
        Some(String::new())
    }

    fn data(&mut self, scan: &mut String, bytes: &[u8]) -> bool {
        scan.push_str(std::str::from_utf8(bytes).unwrap());
        true
    }

    fn gap(&mut self, scan: &mut String) {
        scan.push_str("[gap]");
    }

    fn finish(&mut self, scan: String) -> String {
        scan
    }

    fn transaction(&mut self, transaction: Transaction<String>) {
        self.transactions.push(transaction);
    }

    fn desync(&mut self, transaction: Transaction<String>) {
        self.desyncs.push(line_of(&transaction));
    }
}

/// A transaction as a line: request, response with its body, marks.
fn line_of(transaction: &Transaction<String>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = transaction.request.as_ref().map_or("-".to_string(), |request| {
        let body = request.report.as_ref().map_or(String::new(), |body| format!(" {body:?}"));
        format!("{} {}{body}", text(request.head.method()), text(request.head.target()))
    });
    let response = transaction.response.as_ref().map_or("-".to_string(), |response| {
        let body = response.report.as_ref().map_or(String::new(), |body| format!(" {body:?}"));
        format!("{}{body}", response.head.status())
    });
    let marks: Vec<&str> = transaction.marks.names().collect();
    format!("{request} > {response} {}", marks.join(",")).trim_end().to_string()
}

/// A flow whose two sides take turns; each chunk acknowledges all that the other side has sent.
struct Flow {
    handler: HttpHandler<Bodies>,
    state: HttpState<String, String>,
    info: FlowInfo,
    sent: [i64; 2],
    interest: Interest,
}

impl Flow {
    fn new() -> Flow {
        let mut handler = HttpHandler::new(HttpLimits::default(), Bodies::default());
        let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
        let (key, client) = FlowKey::of(peer(1, 40_000), peer(2, 80));
        let info = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by: Some(client) };
        let state = handler.open(&info);
        Flow { handler, state, info, sent: [0, 0], interest: Interest::Undecided }
    }

    fn direction(side: Side) -> Direction {
        if side == Side::Client { Direction::FromLow } else { Direction::FromHigh }
    }

    fn event(&mut self, side: Side, event: Event<'_>) {
        if self.interest != Interest::None {
            self.interest = self.handler.event(&self.info, &mut self.state, Flow::direction(side), event);
        }
    }

    fn send(&mut self, side: Side, bytes: &[u8]) {
        let offset = self.sent[side as usize];
        let acknowledged = Some(self.sent[1 - side as usize]);
        self.sent[side as usize] += bytes.len() as i64;
        self.event(side, Event::Data(Chunk { offset, acknowledged, time: Timestamp(1), bytes }));
    }

    fn client(&mut self, bytes: &str) -> &mut Flow {
        self.send(Side::Client, bytes.as_bytes());
        self
    }

    fn server(&mut self, bytes: &str) -> &mut Flow {
        self.send(Side::Server, bytes.as_bytes());
        self
    }

    /// Bytes of one side that the capture has not.
    fn lose(&mut self, side: Side, length: usize) -> &mut Flow {
        let offset = self.sent[side as usize];
        self.sent[side as usize] += length as i64;
        self.event(side, Event::Gap { offset, length: length as u64, time: Timestamp(1) });
        self
    }

    /// The last bytes of one side came once more, and differently; or the next ones, where `length` is negative.
    fn dispute(&mut self, side: Side, length: i64) -> &mut Flow {
        let offset = self.sent[side as usize] - length.max(0);
        self.event(side, Event::Conflict { offset, length: length.unsigned_abs() });
        self
    }

    fn end(&mut self, side: Side, reset: bool) -> &mut Flow {
        self.event(side, Event::End { time: Timestamp(2), reset });
        self
    }

    /// The transactions so far.
    fn told(&mut self) -> Vec<String> {
        self.handler.observer().transactions.iter().map(line_of).collect()
    }

    /// Every transaction as a line.
    fn lines(&mut self) -> Vec<String> {
        let state = std::mem::replace(&mut self.state, HttpState::NotHttp);
        self.handler.close(&self.info, state, Timestamp(3));
        self.told()
    }
}

const ASK: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The transactions of a request and a response.
fn exchange(request: &str, response: &str) -> Vec<String> {
    Flow::new().client(request).server(response).lines()
}

#[test]
fn requests_and_responses_pair_in_order() {
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).client("POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz").server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "POST /b \"xyz\" > 200 \"ok\""]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut flow = Flow::new();
    flow.client(&[ASK, &ASK.replace("/a", "/b"), "HEAD /c HTTP/1.1\r\n\r\n"].concat());
    flow.server(&[OK, "HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"].concat());
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /b > 204", "HEAD /c > 200"]);
}

#[test]
fn responses_without_a_body_have_none() {
    let head = |status: &str| format!("HTTP/1.1 {status} x\r\nContent-Length: 50\r\n\r\n");
    for status in ["204", "304"] {
        let mut flow = Flow::new();
        flow.client(ASK).server(&head(status)).client(ASK).server(OK);
        assert_eq!(flow.lines(), [format!("GET /a > {status}"), "GET /a > 200 \"ok\"".to_string()]);
    }
}

#[test]
fn an_interim_response_is_passed_over() {
    let mut flow = Flow::new();
    flow.client("PUT /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    flow.server("HTTP/1.1 100 Continue\r\n\r\n").client("abc").server(OK);
    assert_eq!(flow.lines(), ["PUT /a \"abc\" > 200 \"ok\""]);
}

#[test]
fn an_interim_response_stands_where_the_final_one_never_came() {
    assert_eq!(exchange(ASK, "HTTP/1.1 103 Early Hints\r\n\r\n"), ["GET /a > 103"]);
}

#[test]
fn an_interim_response_stands_for_none_that_was_lost() {
    let mut flow = Flow::new();
    flow.client("PUT /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    flow.server("HTTP/1.1 100 Continue\r\n\r\n").client("abc").lose(Side::Server, OK.len()).client(ASK).server(OK);
    assert_eq!(flow.lines()[0], "PUT /a \"abc\" > - request_only");
}

#[test]
fn an_accepted_upgrade_leaves_http() {
    let ask = "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut flow = Flow::new();
    flow.client(ask).server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n").client(ASK);
    assert_eq!(flow.interest, Interest::None);
    assert_eq!(flow.lines(), ["GET /chat > 101 upgraded"]);
}

#[test]
fn a_refused_upgrade_stays_http() {
    let mut flow = Flow::new();
    flow.client("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").server(OK).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /chat > 200 \"ok\"", "GET /a > 200 \"ok\""]);
}

#[test]
fn connect_leaves_http_when_it_is_granted() {
    let ask = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    assert_eq!(exchange(ask, "HTTP/1.1 200 Connected\r\n\r\n\x16\x03\x01"), ["CONNECT h:443 > 200 upgraded"]);
    assert_eq!(exchange(ask, OK.replace("200", "407").as_str()), ["CONNECT h:443 > 407 \"ok\""]);
}

#[test]
fn chunk_extensions_and_trailers_are_not_content() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5;a=b;c=\"d\"\r\nhello\r\n6\r\n world\r\n0;last\r\nExpires: never\r\nX: y\r\n\r\n";
    let mut flow = Flow::new();
    flow.client(ASK).server(response).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"hello world\"", "GET /a > 200 \"ok\""]);
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let mut flow = Flow::new();
    flow.client(ASK).server("HTTP/1.1 200 OK\r\n\r\nall ").server("there is").end(Side::Server, false);
    assert_eq!(flow.lines(), ["GET /a > 200 \"all there is\""]);
}

#[test]
fn a_reset_inside_a_body_is_marked() {
    let mut flow = Flow::new();
    flow.client(ASK).server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart").end(Side::Server, true);
    assert_eq!(flow.lines(), ["GET /a > 200 \"part\" incomplete,reset"]);
}

#[test]
fn content_lengths_that_differ_are_a_conflict_and_the_first_counts() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok";
    assert_eq!(exchange(ASK, response), ["GET /a > 200 \"ok\" content_length_conflict"]);
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok";
    assert_eq!(exchange(ASK, response), ["GET /a > 200 \"ok\" content_length_conflict"]);
}

#[test]
fn chunked_wins_over_content_length_and_is_marked() {
    let ask = "POST /a HTTP/1.1\r\nContent-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    assert_eq!(exchange(ask, OK), ["POST /a \"x\" > 200 \"ok\" length_and_chunked"]);
}

#[test]
fn codings_that_frame_nothing_are_marked() {
    let ask = "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab";
    let marks = "length_and_chunked,bad_transfer_encoding";
    assert_eq!(exchange(ask, OK), [format!("POST /a \"ab\" > 200 \"ok\" {marks}")]);
}

#[test]
fn what_peers_accept_beyond_the_grammar_is_marked() {
    let cases = [
        ("GET /a HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "obs_fold"),
        ("GET /a HTTP/1.1\r\nHost : h\r\n\r\n", "space_before_colon"),
        ("GET /a HTTP/1.1\nHost: h\n\n", "bare_lf"),
        ("GET /a HTTP/1.1\r\nX: a\rb: c\r\n\r\n", "bare_cr,lenient_head"),
        ("GET  /a HTTP/1.1\r\n\r\n", "lenient_head"),
        ("GET /a HTTP/1.1\r\nno colon\r\n\r\n", "lenient_head"),
        ("GET /a HTTP/1.1\r\nX: \x0c\r\n\r\n", "lenient_head"),
    ];
    for (request, marks) in cases {
        assert_eq!(exchange(request, OK), [format!("GET /a > 200 \"ok\" {marks}")], "{request:?}");
    }
    assert_eq!(exchange("GET /ä HTTP/1.1\r\n\r\n", OK), ["GET /ä > 200 \"ok\" lenient_head"]);
}

#[test]
fn a_target_in_absolute_form_is_kept_as_it_is() {
    assert_eq!(exchange("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n", OK), ["GET http://h/a?b > 200 \"ok\""]);
}

#[test]
fn an_early_response_is_marked() {
    let mut flow = Flow::new();
    flow.client("POST /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").server(OK).client("def");
    assert_eq!(flow.lines(), ["POST /a \"abcdef\" > 200 \"ok\" early_response"]);
}

#[test]
fn a_gap_inside_a_body_of_known_length_keeps_the_next_response() {
    let mut flow = Flow::new();
    flow.client(ASK).server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").lose(Side::Server, 5).server("yz");
    flow.client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ab[gap]yz\" gap_in_body", "GET /a > 200 \"ok\""]);
}

#[test]
fn a_gap_inside_a_chunk_keeps_the_next_chunk() {
    let mut flow = Flow::new();
    flow.client(ASK).server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab").lose(Side::Server, 5);
    flow.server("yz\r\n2\r\nok\r\n0\r\n\r\n").client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ab[gap]yzok\" gap_in_body", "GET /a > 200 \"ok\""]);
}

#[test]
fn a_gap_over_a_responses_head_resynchronises_where_the_turn_changes() {
    let mut flow = Flow::new();
    flow.client(ASK).lose(Side::Server, 50).server("HTTP/1.1 200 fake, inside the lost one's body\r\n\r\n");
    flow.client(&ASK.replace("/a", "/b")).server(OK);
    assert_eq!(flow.lines(), ["GET /a > - request_only", "GET /b > 200 \"ok\""]);
}

#[test]
fn a_gap_over_a_requests_head_resynchronises_where_the_turn_changes() {
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).lose(Side::Client, 60).client("GET /fake HTTP/1.1\r\n\r\n").server(OK);
    flow.client(&ASK.replace("/a", "/c")).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "- > 200 \"ok\" response_only", "GET /c > 200 \"ok\""]);
}

#[test]
fn a_lost_response_and_a_lost_request_do_not_make_a_pair() {
    let mut flow = Flow::new();
    flow.client(ASK).lose(Side::Server, OK.len()).lose(Side::Client, ASK.len()).server(OK);
    flow.client(&ASK.replace("/a", "/c")).server(OK);
    let lines = flow.lines();
    assert!(lines.contains(&"GET /a > - request_only".to_string()), "{lines:?}");
    assert!(lines.contains(&"GET /c > 200 \"ok\"".to_string()), "{lines:?}");
}

#[test]
fn after_a_loss_a_client_that_pipelines_gets_halves() {
    let mut flow = Flow::new();
    flow.client(&[ASK, &ASK.replace("/a", "/b")].concat()).lose(Side::Server, OK.len()).server(OK);
    assert_eq!(flow.lines(), ["GET /a > - request_only", "GET /b > - request_only"]);
}

#[test]
fn a_client_that_pipelines_and_sends_what_is_refused_hides_nothing_that_follows() {
    let mut flow = Flow::new();
    flow.client(&[ASK, &ASK.replace("/a", "/b"), "G\x01T / HTTP/1.1\r\n\r\n"].concat());
    flow.server(&[OK, OK].concat()).client("body").server("HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n");
    flow.client(&ASK.replace("/a", "/c")).server(OK).client(&ASK.replace("/a", "/d")).server(OK);
    let lines = flow.lines();
    assert_eq!(lines[..2], ["GET /a > 200 \"ok\"", "GET /b > 200 \"ok\""]);
    for line in ["- > 501 response_only", "GET /c > - request_only", "GET /d > - request_only"] {
        assert!(lines.contains(&line.to_string()), "{lines:?}");
    }
    assert_eq!(lines.iter().filter(|line| *line == "- > 200 \"ok\" response_only").count(), 2, "{lines:?}");
}

#[test]
fn a_response_that_the_server_sent_before_the_request_came_does_not_answer_it() {
    let mut flow = Flow::new();
    flow.client(ASK).server(OK);
    let (offset, acknowledged) = (flow.sent[1], Some(flow.sent[0])); // sent while the next request is on its way
    flow.client(&ASK.replace("/a", "/b"));
    let bytes = b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n";
    flow.event(Side::Server, Event::Data(Chunk { offset, acknowledged, time: Timestamp(1), bytes }));
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "- > 408 response_only", "GET /b > - request_only"]);
}

#[test]
fn the_responses_of_a_capture_of_one_direction_are_halves() {
    let mut flow = Flow::new();
    flow.server(OK);
    flow.sent[0] += 100;
    flow.server("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"); // answers a HEAD, as its next shows
    flow.sent[0] += 100;
    flow.server(OK);
    let [ok, head] = ["- > 200 \"ok\" response_only", "- > 200 \"\" incomplete,response_only"];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let marks = |line: &str| line.split(' ').take(4).collect::<Vec<_>>().join(" ");
    assert_eq!(sorted(flow.lines()).iter().map(|l| marks(l)).collect::<Vec<_>>(), [head, ok, ok].map(marks));
}

#[test]
fn http_inside_socks_is_read() {
    let mut flow = Flow::new();
    flow.client("\x05\x01\x00").server("\x05\x00").client("\x05\x01\x00\x03\x01h\x00\x50");
    flow.server("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50").client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\""]);
}

#[test]
fn other_protocols_are_given_up_after_their_first_words() {
    for (client, server) in [
        (HELLO_OF_TLS, ""),
        ("SSH-2.0-OpenSSH_9\r\n", "SSH-2.0-OpenSSH_9\r\n"),
        ("EHLO h\r\n", "220 mail ESMTP\r\n"),
        ("OPTIONS sip:h SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"),
    ] {
        let mut flow = Flow::new();
        flow.client(client);
        if !server.is_empty() {
            flow.server(server);
        }
        assert_eq!(flow.interest, Interest::None, "{client:?}");
    }
}

#[test]
fn a_flow_picked_up_inside_a_word_is_not_believed() {
    let mut flow = Flow::new();
    flow.info.opened_by = None;
    flow.client("T /cut HTTP/1.1\r\n\r\n").server(OK).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["- > 200 \"ok\" midstream,response_only", "GET /a > 200 \"ok\" midstream"].map(swap));

    /// Marks come in the order of their bits.
    fn swap(line: &str) -> String {
        line.replace("midstream,response_only", "response_only,midstream")
    }
}

#[test]
fn a_head_over_the_limit_is_given_up_and_the_next_turn_is_read() {
    let mut flow = Flow::new();
    flow.client("GET /big HTTP/1.1\r\n");
    for _ in 0..70 {
        flow.client(&format!("X: {}\r\n", "x".repeat(1000)));
    }
    flow.client("\r\n").server(OK).client(ASK).server(OK);
    assert_eq!(flow.handler.counters().heads_over_limit, 1);
    assert_eq!(flow.lines(), ["- > 200 \"ok\" response_only", "GET /a > 200 \"ok\""]);
}

#[test]
fn data_after_a_message_that_closes_is_marked() {
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let mut flow = Flow::new();
    flow.client(ASK).server(closing).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /a > 200 \"ok\" after_close"]);
}

#[test]
fn requests_that_wait_are_bounded() {
    let mut flow = Flow::new();
    flow.client(&ASK.repeat(500));
    let pending = HttpLimits::default().pending_requests;
    assert_eq!(flow.handler.observer().transactions.len(), 500 - pending);
    assert!(flow.handler.observer().transactions.iter().all(|t| t.marks.contains(Marks::REQUEST_ONLY)));
}

#[test]
fn requests_that_were_given_up_leave_the_others_to_their_responses() {
    let mut flow = Flow::new();
    let pending = HttpLimits::default().pending_requests;
    flow.client(&ASK.repeat(pending + 2)).server(&OK.repeat(pending + 2)).client(ASK).server(OK);
    let told = flow.lines();
    assert_eq!(told.iter().filter(|line| *line == "GET /a > 200 \"ok\"").count(), pending + 1);
    assert_eq!(told.len(), pending + 1 + 4, "two requests and two responses alone");
}

#[test]
fn what_a_request_that_was_given_up_asked_is_remembered_for_its_response() {
    let mut flow = Flow::new();
    let pending = HttpLimits::default().pending_requests;
    flow.client("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n").client(&ASK.repeat(pending));
    flow.server("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").server(&OK.repeat(pending));
    let told = flow.lines();
    assert_eq!(told.iter().filter(|line| *line == "GET /a > 200 \"ok\"").count(), pending, "{told:?}");
}

#[test]
fn an_answer_that_is_given_up_while_it_comes_says_how_far_it_came() {
    let mut flow = Flow::new();
    let pending = HttpLimits::default().pending_requests;
    flow.client(ASK).server("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour");
    flow.client(&ASK.repeat(pending)).server("more").server(&OK.repeat(pending));
    let told = flow.lines();
    assert_eq!(told[0], "GET /a > 200 \"four\" incomplete");
    assert_eq!(told[1..], vec!["GET /a > 200 \"ok\""; pending]);
}

#[test]
fn disputed_bytes_mark_the_transaction_whose_they_are() {
    let whole = "GET /a > 200 \"ok\"";
    let marked = "GET /a > 200 \"ok\" overlap_conflict";
    // Of a request that waits for its answer, of one that is coming in pieces, of one that begins with them.
    assert_eq!(Flow::new().client(ASK).dispute(Side::Client, 5).server(OK).lines(), [marked]);
    let (first, second) = ASK.split_at(9);
    assert_eq!(Flow::new().client(first).dispute(Side::Client, 9).client(second).server(OK).lines(), [marked]);
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).dispute(Side::Client, -4).client(ASK).server(OK).client(ASK).server(OK);
    assert_eq!(flow.lines(), [whole, marked, whole]);
    // Of an answer.
    let (first, second) = OK.split_at(30);
    assert_eq!(Flow::new().client(ASK).server(first).dispute(Side::Server, 9).server(second).lines(), [marked]);
    assert_eq!(Flow::new().client(ASK).dispute(Side::Server, -9).server(OK).lines(), [marked]);
}

#[test]
fn disputed_bytes_leave_other_transactions_alone() {
    // What is over is not marked, nor is what comes next.
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).dispute(Side::Client, 5).dispute(Side::Server, 5).client(ASK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\""; 2]);
    // Of pipelined requests the last one's bytes are disputed.
    let mut flow = Flow::new();
    flow.client(ASK).client(ASK).dispute(Side::Client, 5).server(OK).server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", "GET /a > 200 \"ok\" overlap_conflict"]);
    // And those of a body that is still to come.
    let mut flow = Flow::new();
    flow.client("POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nx").dispute(Side::Client, -2).client("yz").server(OK);
    assert_eq!(flow.lines(), ["POST /b \"xyz\" > 200 \"ok\" overlap_conflict"]);
}

/// What answers a HEAD that was lost announces a body which does not come: the client's next request says that it is whole.
#[test]
fn a_lost_head_request_costs_its_own_transaction_and_no_other() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    for asked in [0, 1, 2] {
        let mut flow = Flow::new();
        for _ in 0..asked {
            flow.client(ASK).server(OK);
        }
        // The hole shows when something comes behind it.
        let offset = flow.sent[Side::Client as usize];
        flow.sent[Side::Client as usize] += 40;
        flow.server(head);
        flow.event(Side::Client, Event::Gap { offset, length: 40, time: Timestamp(1) });
        flow.client(ASK).server(OK).client(ASK).server(OK);
        let lines = flow.lines();
        let mut expected = vec!["GET /a > 200 \"ok\"".to_string(); asked + 3];
        expected[asked] = "- > 200 \"\" response_only,incomplete".to_string();
        assert_eq!(lines, expected, "{asked}");
    }
}

/// The body that is coming looks like a response, and the client does not wait for it.
#[test]
fn a_body_to_a_lost_request_is_searched_for_no_answer() {
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).lose(Side::Client, 40);
    flow.server("HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n:").client(ASK);
    flow.server("HTTP/1.1 666 No\r\nContent-Length: 0\r\n\r\n").server(OK);
    assert!(flow.lines().iter().all(|line| !line.contains("> 666")));
}

#[test]
fn a_stream_of_events_is_told_with_its_head() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut flow = Flow::new();
    flow.client(ASK).server(head);
    assert_eq!(flow.told(), ["GET /a > 200 \"\" open_body"]);
    // It ends, and the connection goes on.
    flow.server("a\r\ndata: one\n\r\n").server("0\r\n\r\n").client(&ASK.replace("/a", "/b")).server(OK);
    let counters = flow.handler.counters();
    assert_eq!((counters.bodies_open, counters.bodies_open_bytes, counters.transactions), (1, 10, 2));
    assert_eq!(flow.lines(), ["GET /a > 200 \"\" open_body", "GET /b > 200 \"ok\""]);
}

#[test]
fn a_body_that_goes_on_is_told_when_its_time_has_come() {
    for (framing, rest) in [("Transfer-Encoding: chunked", "3\r\nxyz\r\n0\r\n\r\n"), ("Connection: close", "xyz")] {
        let start = if framing.starts_with('T') { "2\r\nab\r\n" } else { "ab" };
        let mut flow = Flow::new();
        flow.client(ASK).server(&format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{start}"));
        let at = |seconds: i64| Timestamp(1 + seconds * 1_000_000_000);
        let info = flow.info;
        flow.handler.tell_open(&info, &mut flow.state, at(29));
        assert!(flow.told().is_empty());
        flow.handler.tell_open(&info, &mut flow.state, at(30));
        flow.handler.tell_open(&info, &mut flow.state, at(60));
        assert_eq!(flow.told(), ["GET /a > 200 \"ab\" open_body"]);
        flow.server(rest).end(Side::Server, false);
        assert_eq!(flow.handler.counters().bodies_open_bytes, 3);
        assert_eq!(flow.lines(), ["GET /a > 200 \"ab\" open_body"]);
    }
}

#[test]
fn a_slow_download_of_known_length_is_told_at_its_end() {
    let mut flow = Flow::new();
    flow.client(ASK).server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
    let info = flow.info;
    flow.handler.tell_open(&info, &mut flow.state, Timestamp(i64::MAX));
    assert!(flow.told().is_empty());
    flow.server("cd");
    assert_eq!(flow.lines(), ["GET /a > 200 \"abcd\""]);
}

#[test]
fn what_answers_no_request_that_was_seen_is_not_told_before_its_end() {
    let mut flow = Flow::new();
    flow.lose(Side::Client, 50).server("HTTP/1.1 200 OK\r\n\r\nab");
    let info = flow.info;
    flow.handler.tell_open(&info, &mut flow.state, Timestamp(i64::MAX));
    assert!(flow.told().is_empty());
}

#[test]
fn a_request_behind_an_open_body_waits_for_its_own_answer() {
    let mut flow = Flow::new();
    flow.client(&[ASK, &ASK.replace("/a", "/b")].concat());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    flow.server(head).server("3\r\nabc\r\n0\r\n\r\n").server(OK);
    assert_eq!(flow.lines(), ["GET /a > 200 \"\" open_body", "GET /b > 200 \"ok\""]);
}

/// An answer to a lost HEAD announces as many bytes as the next head has: what stands behind that is no head.
#[test]
fn behind_an_answer_that_may_have_no_body_nothing_is_believed() {
    let mut flow = Flow::new();
    flow.server("HTTP/1.1 200 OK\r\nContent-Length: 57\r\n\r\n");
    flow.server("HTTP/1.1 200 OK\r\nX: 0123456789abcd\r\nContent-Length: 38\r\n\r\n");
    flow.server("HTTP/1.1 666 No\r\nContent-Length: 0\r\n\r\n");
    assert!(flow.lines().iter().all(|line| !line.contains("> 666")));
}

/// Whatever was asked: bytes that begin no message are a body, and the next answer begins where it ends.
#[test]
fn answers_to_lost_requests_follow_each_other_where_their_bodies_are_bodies() {
    let mut flow = Flow::new();
    flow.client(ASK).server(OK).lose(Side::Client, 3 * ASK.len()).server(&[OK, "HTTP/1.1 204 No\r\n\r\n", OK].concat());
    let half = "- > 200 \"ok\" response_only";
    assert_eq!(flow.lines(), ["GET /a > 200 \"ok\"", half, "- > 204 response_only", half]);
}
