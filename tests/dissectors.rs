//! The transactions of real captures are those that independent dissectors saw.
//!
//! Compared are method, request target and status of every transaction, as a multiset. A capture agrees when this is
//! what tshark lists (two passes, default preferences; a response that it pairs with no request counts as one without
//! method and target), with the hosts and lengths of response bodies where it knows them, or what Suricata logged, whose list
//! has neither. Of long captures the lists hold the first 150 transactions and their
//! number; compared are then the number of requests and the first 150. Where no dissector agrees, the capture stands
//! in [`DIFFERENT`] with the reason. More transactions than both of them see are right where the bytes of the capture
//! prove each one: those captures are in [`PROVED`], too.

mod support;

use apitap::http::{Field, Transaction};
use support::{Line, corpus, json_lines, line_of, sorted, transactions_of};

/// Topics whose HTTP/1 must agree.
const COMPARED: [&str; 8] =
    ["http1", "reassembly", "pcapformat", "encapsulation", "robustness", "tls", "websocket", "negative"];
/// Topics whose HTTP/2 must agree.
const HTTP2: [&str; 1] = ["http2"];
/// Of the captures with HTTP/2, the share that must agree.
const HTTP2_PERCENT: usize = 98;
/// Topics in which nothing may be invented where no dissector sees anything.
const BARREN: [&str; 4] = ["negative", "robustness", "tls", "encapsulation"];
/// Of the captures compared, the share that must be right: agree, or show more and prove it.
const RIGHT_PERCENT: usize = 98;
/// Longest list that is kept of a capture.
const LISTED: usize = 150;

/// Captures in which we see something else than any dissector, and why.
const DIFFERENT: [(&str, &str); 6] = [
    (
        "pcap/encapsulation/zeek__erspan.pcap",
        "tshark marks 22 requests (frames 100 to 278) and lists 17 of them; Suricata logs 16 of the 22. All 22 are here, \
         with the answers that are in the capture: what answers frame 263 lacks its first 10,220 bytes (frame 264 \
         acknowledges byte 18,816, frame 254 before it byte 8,596), and the list gives it a status all the same",
    ),
    (
        "pcap/http1/zeek__http_methods.pcap",
        "40 of the 49 requests have no version (`OPTIONS`), half a version (`HTTP/1.`) or no space before target or \
         version (`GET/HTTP/1.1`). tshark reads 18 of these as requests, Suricata all, and 26 of them a second time. We \
         read a request only with an HTTP version behind it, and give the responses as halves",
    ),
    (
        "pcap/pcapformat/brimcap__alerts.pcap",
        "all responses of these requests are in the capture (stream 4: frame 244 starts at the byte that frame 112, the \
         request, acknowledges). tshark lists ten without status, because a body is not whole at the end of the \
         capture; Suricata drops what comes after a client's reset (stream 4) and behind gaps",
    ),
    (
        "pcap/reassembly/arkime__no-syn-ack.pcap",
        "the response (frame 10) starts at the byte that the request (frame 8) acknowledges: a pair. tshark gives no \
         status because the body is cut by the end of the capture, Suricata wants the SYN-ACK",
    ),
    (
        "pcap/reassembly/suricata__tcp-urgp-01-oob_tcp-urgent1.pcap",
        "frame 5 is one urgent byte, `X` (pointer 1). The server (Werkzeug) leaves it out of what it reads, as RFC 6093 §2 \
         says of sockets, and serves `/malicious`; Suricata was run with its policy `inline` and logs `/malicXious`, tshark \
         sees no request",
    ),
    (
        "pcap/tls/lekensteyn__tls_tls-null.pcapng",
        "HTTP in TLS of the NULL cipher. The response, `HTTP/1.0 200 ok`, begins in frame 11 and ends with the connection; \
         tshark gives the request no status because nothing closes its body but the FIN",
    ),
];

/// Of these, those in which we see more than either dissector, and the bytes prove it.
const PROVED: [&str; 1] = ["pcap/encapsulation/zeek__erspan.pcap"];

fn number(value: &serde_json::Value) -> u16 {
    value.as_u64().and_then(|value| u16::try_from(value).ok()).unwrap_or(0)
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or("").to_string()
}

fn array(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The requests that tshark lists.
fn listed_by_tshark(row: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    array(&row["expected"]["transactions"]).iter().filter(|listed| listed["proto"] == "h1" || listed["proto"] == "h2")
}

fn line_listed(listed: &serde_json::Value) -> Line {
    (text(&listed["method"]), text(&listed["uri"]), number(&listed["status"]))
}

/// What tshark saw: requests with their status, and responses without a request.
fn tshark(row: &serde_json::Value) -> Vec<Line> {
    let unpaired = array(&row["expected"]["unpaired_responses"]).iter();
    let alone = unpaired.map(|status| (String::new(), String::new(), number(status)));
    listed_by_tshark(row).map(line_listed).chain(alone).collect()
}

/// Whether every transaction that tshark lists is among ours with its host and the length of its response's body.
fn has_details(row: &serde_json::Value, ours: &[Transaction<u64>]) -> bool {
    let mut left: Vec<&Transaction<u64>> = ours.iter().collect();
    listed_by_tshark(row).all(|listed| {
        let line = line_listed(listed);
        let found = left.iter().position(|transaction| {
            line_of(transaction) == line
                && (listed["host"].is_null() || text(&listed["host"]) == host_of(transaction))
                && (listed["status"].is_null() || listed["resp_body_len"].is_null() || has_length(transaction, listed))
        });
        found.map(|found| left.swap_remove(found)).is_some()
    })
}

fn host_of(transaction: &Transaction<u64>) -> String {
    let named = transaction.request.as_ref().and_then(|request| request.head.get(Field::Host));
    named.map_or(String::new(), |host| String::from_utf8_lossy(host).into_owned())
}

/// tshark gives the length of what a body decodes to, where it decodes it.
fn has_length(transaction: &Transaction<u64>, listed: &serde_json::Value) -> bool {
    let Some(response) = &transaction.response else { return false };
    let decoded = response.report.unwrap_or(0);
    let length = if listed["resp_content_encoding"].is_null() { response.body_length } else { decoded };
    listed["resp_body_len"].as_u64() == Some(length)
}

/// What Suricata logged.
fn suricata(row: &serde_json::Value) -> Option<Vec<Line>> {
    let transactions = row["peer"]["suricata_run"]["transactions"].as_array()?;
    // It logs the frames of an HTTP/2 connection that belong to no stream, too.
    let is_exchange = |line: &&serde_json::Value| !array(line).iter().all(serde_json::Value::is_null);
    let line = |line: &serde_json::Value| {
        // How Suricata writes "no request seen".
        let target = text(&line[1]);
        let target = if target == "/libhtp::request_uri_not_seen" { String::new() } else { target };
        (text(&line[0]), target, number(&line[2]))
    };
    Some(transactions.iter().filter(is_exchange).map(line).collect())
}

struct Comparison {
    file: String,
    agrees: bool,
    /// It has more transactions than either dissector.
    has_more: bool,
    /// Some dissector sees HTTP/1.
    has_http: bool,
    ours: usize,
}

fn compare(corpus: &std::path::Path, row: &serde_json::Value) -> Comparison {
    let file = text(&row["file"]);
    let transactions = transactions_of(&corpus.join(&file));
    let ours: Vec<Line> = transactions.iter().map(line_of).collect();
    let (tshark, suricata) = (tshark(row), suricata(row));
    let has_http = !tshark.is_empty() || suricata.as_ref().is_some_and(|lines| !lines.is_empty());
    let total = row["expected"]["transactions_total"].as_u64().unwrap_or(0) as usize;
    let count = ours.len();
    let has_more = count > total.max(tshark.len()).max(suricata.as_ref().map_or(0, Vec::len));
    let agrees = if total > LISTED {
        let requests = ours.iter().filter(|(method, _, _)| !method.is_empty()).count();
        let first = ours.into_iter().take(LISTED).collect();
        requests == total && sorted(first) == sorted(tshark)
    } else {
        let ours = sorted(ours);
        ours == sorted(tshark) && has_details(row, &transactions) || suricata.map(sorted).as_ref() == Some(&ours)
    };
    Comparison { file, agrees, has_more, has_http, ours: count }
}

fn comparisons(topics: &[&str]) -> Option<Vec<Comparison>> {
    let corpus = corpus()?;
    let rows = json_lines(&corpus.join("pcap/expected.jsonl"));
    let rows = rows.iter().filter(|row| topics.iter().any(|topic| row["topic"] == *topic));
    Some(rows.map(|row| compare(&corpus, row)).collect())
}

fn is_excused(comparison: &Comparison) -> bool {
    DIFFERENT.iter().any(|(file, _)| *file == comparison.file)
}

fn is_right(comparison: &Comparison) -> bool {
    comparison.agrees || comparison.has_more && PROVED.contains(&comparison.file.as_str())
}

/// Names that are not excused and differ, or are excused and agree.
fn surprises<'c>(compared: impl Iterator<Item = &'c Comparison>) -> Vec<String> {
    compared
        .filter(|comparison| comparison.agrees == is_excused(comparison))
        .map(|comparison| {
            let how = if comparison.agrees { "agrees, but is excused" } else { "differs" };
            format!("{} {how} ({} transactions)", comparison.file, comparison.ours)
        })
        .collect()
}

#[test]
fn http1_transactions_are_those_that_dissectors_saw() {
    let Some(compared) = comparisons(&COMPARED) else { return };
    assert_eq!(surprises(compared.iter()), Vec::<String>::new());
    let with_http = compared.iter().filter(|comparison| comparison.has_http);
    let agreeing = with_http.clone().filter(|comparison| comparison.agrees).count();
    let (all, right) = (with_http.clone().count(), with_http.filter(|comparison| is_right(comparison)).count());
    println!("{agreeing} of {all} captures with HTTP/1 agree, {} more prove more", right - agreeing);
    for topic in COMPARED {
        let is_of = |comparison: &&Comparison| comparison.file.starts_with(&format!("pcap/{topic}/"));
        let with_http = compared.iter().filter(|comparison| comparison.has_http).filter(is_of);
        let (all, agreeing) = (with_http.clone().count(), with_http.filter(|comparison| comparison.agrees).count());
        println!("{topic}: {agreeing} of {all}");
    }
    assert!(all > 250, "only {all} captures with HTTP/1: is the corpus whole?");
    assert!(right * 100 >= all * RIGHT_PERCENT, "only {right} of {all} are right");
}

#[test]
fn http2_transactions_are_those_that_dissectors_saw() {
    let Some(compared) = comparisons(&HTTP2) else { return };
    assert_eq!(surprises(compared.iter()), Vec::<String>::new());
    let with_http = compared.iter().filter(|comparison| comparison.has_http);
    let (all, agreeing) = (with_http.clone().count(), with_http.filter(|comparison| comparison.agrees).count());
    println!("{agreeing} of {all} captures with HTTP/2 agree");
    assert!(all >= 8, "only {all} captures with HTTP/2: is the corpus whole?");
    assert!(agreeing * 100 >= all * HTTP2_PERCENT, "only {agreeing} of {all} agree");
}

#[test]
fn nothing_is_invented_where_there_is_no_http() {
    let Some(compared) = comparisons(&BARREN) else { return };
    assert!(compared.len() > 100, "only {} captures: is the corpus whole?", compared.len());
    let invented: Vec<&str> =
        compared.iter().filter(|c| !c.has_http && c.ours > 0).map(|comparison| comparison.file.as_str()).collect();
    assert_eq!(invented, Vec::<&str>::new());
    assert_eq!(surprises(compared.iter()), Vec::<String>::new());
}
