//! What the generator promises, checked by reading its captures back without its own code.

use super::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn small_day() -> Options {
    Options {
        duration: Duration::from_secs(600),
        rate: 8.0,
        clients: 200,
        quiet_first: Duration::from_secs(120),
        log_transactions: true,
        ..Options::default()
    }
}

fn made(options: &Options) -> (Vec<u8>, Vec<Value>, Summary) {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let summary = generate(options, &mut capture, &mut truth).unwrap();
    let lines = truth.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (capture, lines.map(|line| serde_json::from_slice(line).unwrap()).collect(), summary)
}

/// Time, bytes, original length.
fn records(capture: &[u8]) -> Vec<(Timestamp, &[u8], usize)> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_3c4d, 1));
    let (mut out, mut at) = (Vec::new(), 24);
    while at < capture.len() {
        let kept = word(at + 8) as usize;
        let time = Timestamp::from_secs_nanos(i64::from(word(at)), word(at + 4));
        out.push((time, &capture[at + 16..at + 16 + kept], word(at + 12) as usize));
        at += 16 + kept;
    }
    out
}

type Flow = (String, u16, String, u16);

/// The bytes of each direction, put together without looking at more than sequence order in time.
fn streams(capture: &[u8]) -> BTreeMap<Flow, Vec<u8>> {
    let mut out: BTreeMap<Flow, Vec<u8>> = BTreeMap::new();
    for (_, frame, _) in records(capture) {
        let packet = etherparse::PacketHeaders::from_ethernet_slice(frame).unwrap();
        let payload = packet.payload.slice();
        let Some(etherparse::TransportHeader::Tcp(tcp)) = packet.transport else { panic!("not TCP") };
        let (source, destination) = match packet.net {
            Some(etherparse::NetHeaders::Ipv4(ip, _)) => {
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(&ip, payload).unwrap());
                (std::net::Ipv4Addr::from(ip.source).to_string(), std::net::Ipv4Addr::from(ip.destination).to_string())
            }
            Some(etherparse::NetHeaders::Ipv6(ip, _)) => {
                assert_eq!(tcp.checksum, tcp.calc_checksum_ipv6(&ip, payload).unwrap());
                (std::net::Ipv6Addr::from(ip.source).to_string(), std::net::Ipv6Addr::from(ip.destination).to_string())
            }
            _ => panic!("not IP"),
        };
        let flow = (source, tcp.source_port, destination, tcp.destination_port);
        out.entry(flow).or_default().extend_from_slice(payload);
    }
    out
}

/// Splits a stream of requests into (method, target), by the framing of RFC 9112.
fn requests(mut stream: &[u8]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    while !stream.is_empty() {
        let head = stream.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let text = String::from_utf8(stream[..head].to_vec()).unwrap();
        let mut first = text.split(' ');
        out.push((first.next().unwrap().to_owned(), first.next().unwrap().to_owned()));
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        stream = &stream[head + length.map_or(0, |length| length.parse::<usize>().unwrap())..];
    }
    out
}

#[test]
fn the_same_options_give_the_same_bytes_and_another_seed_gives_others() {
    let options =
        Options { scenarios: vec![(Scenario::Scanner, Level::Medium)], loss: 0.01, reorder: 0.01, ..small_day() };
    assert!(made(&options).0 == made(&options).0);
    assert!(made(&options).0 != made(&Options { seed: 2, ..options }).0);
}

#[test]
fn every_logged_request_is_on_the_wire_and_no_other() {
    for (ipv6, vlan) in [(false, None), (true, Some(40))] {
        let options = Options {
            scenarios: vec![(Scenario::CredentialStuffing, Level::Easy), (Scenario::ObjectEnumeration, Level::Easy)],
            ipv6,
            vlan,
            ..small_day()
        };
        let (capture, truth, summary) = made(&options);
        let mut logged: BTreeMap<Flow, Vec<(String, String)>> = BTreeMap::new();
        for line in truth.iter().filter(|line| line.get("label").is_some()) {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let port = |name: &str| line[name].as_u64().unwrap() as u16;
            let flow = (text("client"), port("client_port"), text("server"), port("server_port"));
            logged.entry(flow).or_default().push((text("method"), text("url")));
        }
        let streams = streams(&capture);
        for (flow, expected) in &logged {
            assert_eq!(&requests(&streams[flow]), expected, "{flow:?}");
        }
        assert_eq!(logged.values().map(Vec::len).sum::<usize>() as u64, summary.transactions);
        assert_eq!(streams.len(), 2 * logged.len());
    }
}

#[test]
fn times_strictly_increase_even_when_frames_are_late() {
    let options = Options { reorder: 0.2, duplicate: 0.1, duration: Duration::from_secs(60), ..small_day() };
    let (capture, _, summary) = made(&options);
    let records = records(&capture);
    assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!(records.len() as u64, summary.frames);
    assert_eq!((records[0].0, records[records.len() - 1].0), (summary.first, summary.last));
}

#[test]
fn impairments_change_only_which_frames_are_seen() {
    let plain = Options { duration: Duration::from_secs(120), ..small_day() };
    let (whole, _, summary) = made(&plain);
    let (lossy, _, fewer) = made(&Options { loss: 0.1, ..plain.clone() });
    let share = fewer.frames as f64 / summary.frames as f64;
    assert!((0.87..0.93).contains(&share), "{share}");
    assert_eq!(fewer.transactions, summary.transactions);
    let all: BTreeSet<&[u8]> = records(&whole).into_iter().map(|record| record.1).collect();
    assert!(records(&lossy).iter().all(|record| all.contains(record.1)));
    let (_, _, more) = made(&Options { duplicate: 0.5, ..plain.clone() });
    assert!(more.frames > summary.frames * 14 / 10);
    let (cut, _, _) = made(&Options { snaplen: 96, ..plain });
    assert!(records(&cut).iter().all(|record| record.1.len() == record.2.min(96)));
}

#[test]
fn every_attack_at_every_level_has_its_truth_after_the_quiet_time() {
    for info in scenarios() {
        for level in Level::ALL {
            let options =
                Options { scenarios: vec![(info.scenario, level)], rate: 20.0, log_transactions: false, ..small_day() };
            let (_, truth, summary) = made(&options);
            let attacks: Vec<&Value> = truth.iter().filter(|line| line.get("attack").is_some()).collect();
            assert_eq!(attacks.len(), 1, "{}:{level}", info.name);
            assert_eq!(summary.attacks, 1);
            let attack = attacks[0];
            let start = Timestamp::parse(attack["start"].as_str().unwrap()).unwrap();
            assert!(start.since(options.start) >= options.quiet_first, "{attack}");
            assert_eq!((attack["attack"].as_str(), attack["level"].as_str()), (Some(info.name), Some(level.name())));
            let wanted = u64::from(info.numbers(level).requests);
            let done = attack["transactions"].as_u64().unwrap();
            // An attack whose time is longer than what is left is cut short.
            assert!(done > 0 && (wanted == 0 || (wanted * 3 / 10..=wanted).contains(&done)), "{attack}");
            assert!(!attack["endpoints"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn attacks_leave_the_benign_requests_as_they_were() {
    let benign = |options: &Options| -> Vec<(String, String, String)> {
        let lines = made(options).1;
        let lines = lines.iter().filter(|line| line["label"] == "benign");
        lines.map(|line| (line["t"].to_string(), line["client"].to_string(), line["url"].to_string())).collect()
    };
    let alone = small_day();
    let attacked = Options { scenarios: vec![(Scenario::PasswordSpraying, Level::Easy)], ..alone.clone() };
    assert!(benign(&alone) == benign(&attacked));
}

#[test]
fn a_day_has_about_the_rate_and_the_failed_logins_it_should() {
    let options = Options { duration: Duration::from_secs(2 * 3600), rate: 10.0, clients: 2000, ..small_day() };
    let (_, truth, summary) = made(&options);
    let rate = summary.transactions as f64 / 7200.0;
    assert!((8.5..11.5).contains(&rate), "{rate}");
    let logins: Vec<&Value> = truth.iter().filter(|line| line["url"] == "/v1/login").collect();
    let failed = logins.iter().filter(|line| line["status"] == 401).count() as f64 / logins.len() as f64;
    assert!((0.01..0.07).contains(&failed), "{failed} of {}", logins.len());
    let endpoints: BTreeSet<(&str, &str)> =
        truth.iter().filter_map(|line| Some((line["method"].as_str()?, line["host"].as_str()?))).collect();
    assert!(endpoints.len() >= 10, "{endpoints:?}");
    assert!(truth.iter().any(|line| line["benign"] == "deploy_adds_endpoint"));
}

#[test]
fn empty_and_odd_options_give_an_empty_or_small_capture() {
    let nothing = Options { rate: 0.0, ..small_day() };
    assert_eq!(made(&nothing).0.len(), 24);
    for duration in [Duration::ZERO, Duration::from_millis(1)] {
        let brief = Options { duration, scenarios: vec![(Scenario::Scanner, Level::Easy)], ..small_day() };
        assert_eq!(made(&brief).2.attacks, 0);
    }
    let alone = Options { rate: 0.0, clients: 0, scenarios: vec![(Scenario::BruteForce, Level::Easy)], ..small_day() };
    let (_, truth, summary) = made(&alone);
    assert!(summary.transactions > 300);
    assert!(truth.iter().filter(|line| line.get("label").is_some()).all(|line| line["label"] == "brute_force"));
    let slow = Options { rate: 0.001, ..small_day() };
    assert!(made(&slow).2.transactions < 200, "only what comes however slow the rest");
}

#[test]
fn bench_profiles_have_the_sizes_they_promise() {
    let options =
        |profile, rate| Options { profile, rate, duration: Duration::from_secs(10), clients: 50, ..small_day() };
    let bytes_each = |options: &Options| {
        let (_, _, summary) = made(options);
        summary.bytes / summary.transactions.max(1)
    };
    let small = bytes_each(&options(Profile::Small, 200.0));
    assert!((400..900).contains(&small), "{small}");
    let mixed = bytes_each(&options(Profile::Mixed, 200.0));
    assert!((2500..6500).contains(&mixed), "{mixed}");
    let bulk = bytes_each(&options(Profile::Bulk, 2.0));
    assert!(bulk > 1_000_000, "{bulk}");
}
