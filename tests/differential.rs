//! What tshark reads in simulated captures is what we read, and both are what was simulated: HTTP/1 and HTTP/2, in order
//! and in disorder, doubled, tagged, in every tunnel. Of a capture with loss nothing may be read that was not sent.
//!
//! Skipped, with the reason, where there is no tshark.

#[path = "support/cli.rs"]
mod cli;
mod support;

use apitap::http::{Marks, Transaction};
use apitap::simulate::wire::Tunnel;
use apitap::simulate::{Options, generate};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Line, has, line_of, sorted, transactions_of};

/// A port that tshark does not look for HTTP/2 at by itself.
const PARTNER_PORT: &str = "tcp.port==3000,http";

/// A few minutes of people, crawlers, partners: some hundred transactions.
fn traffic() -> Options {
    Options {
        duration: Duration::from_secs(120),
        rate: 5.0,
        clients: 40,
        seed: 11,
        log_transactions: true,
        ..Options::default()
    }
}

fn has_tshark() -> bool {
    let found = Command::new("tshark").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: tshark is not installed");
    }
    is_there
}

fn ours(capture: &Path) -> Vec<Line> {
    sorted(transactions_of(capture).iter().map(line_of).collect())
}

/// What was sent, by the simulator's own log. A client that gave up heard nothing.
fn simulated(log: &str) -> Vec<Line> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = cli::records(log).into_iter().filter(|line| line["method"].is_string());
    let status = |line: &Value| line["status"].as_u64().map_or(0, |status| status as u16);
    sorted(lines.map(|line| (text(&line["method"]), text(&line["url"]), status(&line))).collect())
}

/// The values of a field, wherever it stands in a packet, in order.
fn values<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::String(text) if field == name => found.push(text),
                    _ => values(value, name, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, name, found)),
        _ => {}
    }
}

fn first<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    let mut found = Vec::new();
    values(value, name, &mut found);
    found.first().copied()
}

/// The layers of a protocol in a packet: of several messages in a packet there are several.
fn layers<'v>(packet: &'v Value, name: &str) -> Vec<&'v Value> {
    match &packet["_source"]["layers"][name] {
        Value::Array(layers) => layers.iter().collect(),
        Value::Null => Vec::new(),
        layer => vec![layer],
    }
}

/// The requests and the final responses of a connection, of a stream in HTTP/2, each in order of appearance: in disorder
/// a response may be there before its request.
#[derive(Default)]
struct Stream {
    requests: Vec<(String, String)>,
    statuses: Vec<u16>,
}

impl Stream {
    fn lines(mut self) -> impl Iterator<Item = Line> {
        let all = self.requests.len().max(self.statuses.len());
        self.requests.resize_with(all, Default::default);
        self.statuses.resize(all, 0);
        self.requests.into_iter().zip(self.statuses).map(|((method, target), status)| (method, target, status))
    }
}

/// By connection and stream, which is 0 in HTTP/1.
type Streams = BTreeMap<(String, String), Stream>;

fn take_packet(packet: &Value, streams: &mut Streams) {
    let connection = first(&packet["_source"]["layers"]["tcp"], "tcp.stream").expect("a TCP packet");
    let mut message = |stream: &str, request: Option<(&str, &str)>, status: Option<&str>| {
        let stream = streams.entry((connection.to_owned(), stream.to_owned())).or_default();
        stream.requests.extend(request.map(|(method, target)| (method.to_owned(), target.to_owned())));
        let is_final = |status: &&str| !status.starts_with('1');
        stream.statuses.extend(status.filter(is_final).map(|status| status.parse::<u16>().expect("a status")));
    };
    for layer in layers(packet, "http") {
        let request = first(layer, "http.request.method").zip(first(layer, "http.request.uri"));
        message("0", request, first(layer, "http.response.code"));
    }
    for layer in layers(packet, "http2") {
        let request = first(layer, "http2.headers.method").zip(first(layer, "http2.headers.path"));
        message(first(layer, "http2.streamid").unwrap_or("0"), request, first(layer, "http2.headers.status"));
    }
}

fn tshark(capture: &Path) -> Vec<Line> {
    let output = Command::new("tshark")
        .args(["-2", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-d", PARTNER_PORT, "-r"])
        .arg(capture)
        .args(["-Y", "http.request || http.response || http2.header", "-T", "json", "--no-duplicate-keys"])
        .args(["-J", "tcp http http2"])
        .output()
        .expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packets: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut streams = Streams::new();
    packets.iter().for_each(|packet| take_packet(packet, &mut streams));
    sorted(streams.into_values().flat_map(Stream::lines).collect())
}

/// How often each stands in the first list more than in the second.
fn surplus(of: &[Line], over: &[Line]) -> Vec<(Line, i64)> {
    let mut counts = BTreeMap::<&Line, i64>::new();
    of.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    over.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(line, count)| (line.clone(), count)).collect()
}

fn assert_same(what: &str, left: &[Line], right: &[Line]) {
    assert_eq!((surplus(left, right), surplus(right, left)), (Vec::new(), Vec::new()), "{what}");
}

/// The capture of these options in a folder, and what was sent.
fn capture(folder: &cli::Folder, options: &Options) -> (std::path::PathBuf, Vec<Line>) {
    let (mut capture, mut log) = (Vec::new(), Vec::new());
    generate(options, &mut capture, &mut log).expect("memory takes it");
    let path = folder.write("traffic.pcap", capture);
    (path.into(), simulated(&String::from_utf8(log).expect("text")))
}

fn compare(what: &str, options: &Options) {
    let folder = cli::Folder::new();
    let (path, sent) = capture(&folder, options);
    assert!(sent.len() > 300, "{what}: only {} transactions", sent.len());
    assert_same(&format!("{what}: we, and what was sent"), &ours(&path), &sent);
    assert_same(&format!("{what}: we, and tshark"), &ours(&path), &tshark(&path));
}

#[test]
fn plain_traffic_is_read_alike() {
    if has_tshark() {
        for http2 in [0.0, 1.0] {
            compare(&format!("{http2} of HTTP/2"), &Options { http2, ..traffic() });
            compare(&format!("{http2} of HTTP/2, IPv6"), &Options { http2, ipv6: true, seed: 12, ..traffic() });
        }
    }
}

#[test]
fn disorder_and_doubles_are_read_alike() {
    if has_tshark() {
        for http2 in [0.0, 1.0] {
            compare("reordered", &Options { http2, reorder: 0.02, ..traffic() });
            compare("doubled", &Options { http2, duplicate: 0.05, ..traffic() });
        }
    }
}

#[test]
fn what_comes_in_a_tunnel_is_read_alike() {
    if has_tshark() {
        let mixed = Options { http2: 0.5, ..traffic() };
        compare("tagged", &Options { vlan: Some(100), ..mixed.clone() });
        for (name, tunnel) in Tunnel::ALL {
            compare(name, &Options { tunnel: Some(tunnel), ..mixed.clone() });
            let within = Options { tunnel: Some(tunnel), vlan: Some(7), ipv6: true, ..mixed.clone() };
            compare(&format!("IPv6 with a tag in {name}"), &within);
        }
    }
}

#[test]
fn of_what_is_lost_nothing_is_made_up() {
    for (http2, loss) in [(0.0, 0.01), (1.0, 0.01), (0.5, 0.05)] {
        let folder = cli::Folder::new();
        let (path, sent) = capture(&folder, &Options { http2, loss, ..traffic() });
        let is_whole = |t: &&Transaction<u64>| t.request.is_some() && t.response.is_some() && !has(t, Marks::PARTIAL);
        let ours: Vec<Line> = transactions_of(&path).iter().filter(is_whole).map(line_of).collect();
        assert_eq!(surplus(&ours, &sent), Vec::new(), "{http2} of HTTP/2, {loss} lost");
        assert!(ours.len() * 2 > sent.len(), "{http2} of HTTP/2, {loss} lost: {} of {}", ours.len(), sent.len());
    }
}
