//! What scripts rely on in `apitap replay`: exit status, what goes to which stream, the order of lines, redaction.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::wire::{Connection, Conversation, DEFAULT_START, FULL_SNAPLEN, Side, merge, pcap};
use apitap::simulate::{Level, Options, Scenario};
use cli::{
    Folder, HOST, SERVER, Talk, apitap, attack_traffic, capture, command, json_response, records, run, simulated,
};
use serde_json::Value;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

/// A scanner (low), and a login endpoint under attack (high and worse).
static ATTACKS: LazyLock<Vec<u8>> =
    LazyLock::new(|| simulated(&attack_traffic(&[Scenario::CredentialStuffing, Scenario::Scanner])));

static CALM: LazyLock<Vec<u8>> =
    LazyLock::new(|| simulated(&Options { duration: Duration::from_secs(5 * 60), ..attack_traffic(&[]) }));

fn http_records(file: &str, more: &[&str]) -> Vec<Value> {
    apitap(&[&["replay", file, "--eve", "-", "--events", "http"], more].concat()).with_status(0).records()
}

#[test]
fn the_status_tells_how_it_ended() {
    let folder = Folder::new();
    let (attacks, calm) = (folder.write("attacks.pcap", &*ATTACKS), folder.write("calm.pcap", &*CALM));
    let missing = folder.path("missing.pcap");
    apitap(&["replay", &calm]).with_status(0);
    apitap(&["replay", &attacks]).with_status(0);
    apitap(&["replay", &attacks, "--fail-on", "high"]).with_status(3);
    apitap(&["replay", &attacks, "--fail-on", "low"]).with_status(3);
    apitap(&["replay", &calm, "--fail-on", "low"]).with_status(0);
    let both = apitap(&["replay", &attacks, &missing, "--fail-on", "low"]).with_status(1);
    assert!(both.err.contains("missing.pcap: cannot be opened") && both.out.contains("credential_stuffing"));
    for wrong in [&["replay"][..], &["replay", &calm, "--fail-on", "worst"], &["replay", &calm, "--events", "flow"]] {
        apitap(wrong).with_status(2);
    }
}

#[test]
fn alerts_go_to_standard_output_and_the_summary_to_standard_error() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let run = apitap(&["replay", &file]).with_status(0);
    for line in run.out.lines() {
        assert!(line.starts_with("2025-11-24 09:") && !line.contains('\x1b'), "{line}");
    }
    assert!(run.out.contains("scanner"));
    let err = &run.err;
    for part in [" frames, ", " bytes, ", " flows, ", " transactions, ", " endpoints, ", " clients", " transactions/s"]
    {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(err.contains("credential_stuffing (1 ") && err.contains("scanner (1 low)"), "{err}");
    assert!(err.contains("learned until 2025-11-24 09:10:00"), "{err}");
    assert!(err.contains("nothing dropped, cut or evicted") && !err.contains("segments_retransmitted"), "{err}");
    let all = apitap(&["replay", &file, "--stats", "--no-progress"]).with_status(0);
    assert!(all.err.contains("  segments_retransmitted ") && all.err.contains("  heads_refused "), "{}", all.err);
    assert_eq!(all.out, run.out);
}

#[test]
fn colour_is_for_those_who_want_it() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let replayed = |variables: &[(&str, &str)]| {
        run(command().args(["replay", &file]).envs(variables.iter().copied())).with_status(0).out
    };
    assert!(replayed(&[("CLICOLOR_FORCE", "1")]).contains('\x1b'));
    assert!(!replayed(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
}

#[test]
fn json_and_eve_choose_what_standard_output_carries() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let of_types = |run: &cli::Run| {
        let mut types: Vec<String> =
            run.records().iter().map(|record| record["event_type"].as_str().unwrap().to_owned()).collect();
        types.sort();
        types.dedup();
        types
    };
    let json = apitap(&["replay", &file, "--json"]).with_status(0);
    assert_eq!(of_types(&json), ["alert"]);
    let dash = apitap(&["replay", &file, "--eve", "-"]).with_status(0);
    assert_eq!(dash.out, json.out);
    let both = apitap(&["replay", &file, "--json", "--eve", "-", "--events", "alert,http"]).with_status(0);
    assert_eq!(of_types(&both), ["alert", "http"]);
    let incidents = both.records().iter().filter(|record| record["event_type"] == "alert").count();
    assert_eq!(incidents, json.out.lines().count(), "one stream, each alert once");
    let beside = apitap(&["replay", &file, "--json", "--eve", &folder.path("e"), "--events", "http"]).with_status(0);
    assert_eq!(beside.out, json.out);
    assert!(records(&folder.read("e")).iter().all(|record| record["event_type"] == "http"));
}

#[test]
fn lines_stand_in_order_of_event_time() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let eve = folder.path("eve.json");
    for (events, kinds) in [("http,endpoint,stats,alert", 4), ("alert", 1), ("http", 1), ("endpoint,stats", 2)] {
        apitap(&["replay", &file, "--eve", &eve, "--events", events]).with_status(0);
        let records = records(&folder.read("eve.json"));
        for pair in records.windows(2) {
            let time = |record: &Value| record["timestamp"].as_str().unwrap().to_owned();
            let flows = (pair[0]["flow_id"].as_u64(), pair[1]["flow_id"].as_u64());
            let ties = time(&pair[0]) == time(&pair[1]) && flows.0.is_some() && flows.1.is_some();
            let in_order = if ties { flows.0 <= flows.1 } else { time(&pair[0]) <= time(&pair[1]) };
            assert!(in_order, "{events}:\n{}\n{}", pair[0], pair[1]);
        }
        let mut seen: Vec<&str> = records.iter().map(|record| record["event_type"].as_str().unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), kinds, "{seen:?}");
    }
}

#[test]
fn a_long_transaction_stands_where_it_began() {
    let folder = Folder::new();
    let after = |seconds: u64| DEFAULT_START.saturating_add(Duration::from_secs(seconds));
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    // One is answered after an hour, one comes in pieces; meanwhile others come and go.
    let download = Conversation::new("192.0.2.1:4000", SERVER)
        .at(after(5))
        .request(get("/v1/long"))
        .response("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n");
    let download = (0..40).fold(download, |talk, _| talk.pause(Duration::from_secs(90)).response("x".repeat(100)));
    let asked = get("/v1/pieces");
    let (first, rest) = asked.split_at(8);
    let (second, third) = rest.split_at(2);
    let pieces = Conversation::new("192.0.2.1:4001", SERVER).at(after(9)).request(first);
    let pieces = pieces.pause(Duration::from_secs(50)).request(second);
    let pieces = pieces.pause(Duration::from_secs(50)).request(third).response(json_response("200 OK", "{}"));
    let others = (0..400).map(|index: u16| {
        Conversation::new(&format!("192.0.2.2:{}", 5000 + index), SERVER)
            .at(after(u64::from(index) * 10))
            .exchange(get(&format!("/v1/other/{index}")), json_response("200 OK", "{}"))
            .close()
    });
    let frames = merge([download.close(), pieces.close()].into_iter().chain(others));
    let file = folder.write("long.pcap", pcap(&frames, FULL_SNAPLEN));
    for threads in ["1", "3"] {
        let run = apitap(&["replay", &file, "--threads", threads, "--eve", "-", "--events", "http,stats"]);
        let mut records = run.with_status(0).records();
        let stats = records.pop().unwrap();
        assert_eq!(stats["apitap"]["counters"]["lines_out_of_order"], 0, "{stats}");
        assert_eq!(records.len(), 402);
        let times: Vec<&str> = records.iter().map(|record| record["timestamp"].as_str().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(records[..3].iter().any(|record| record["http"]["url"] == "/v1/long"), "{:#?}", &records[..3]);
        assert!(records[..4].iter().any(|record| record["http"]["url"] == "/v1/pieces"), "{:#?}", &records[..4]);
    }
    // From a pipe they are not waited for so long, which is told.
    let live = run(command()
        .args(["replay", "-", "--eve", "-", "--events", "http"])
        .stdin(Stdio::from(std::fs::File::open(&file).unwrap())))
    .with_status(0);
    assert!(live.err.contains("lines out of order 1") && live.records().len() == 402, "{}", live.err);
}

#[test]
fn at_one_time_lines_stand_in_order_of_flow_and_position() {
    let folder = Folder::new();
    // Clients whose connections are opened at the same moment, with several requests in one segment each.
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let talks = (0..12u16).map(|index| {
        let three: String = (0..3).map(|part| get(&format!("/v1/{index}/{part}"))).collect();
        Conversation::new(&format!("192.0.2.{}:4000", index + 1), SERVER)
            .exchange(three, json_response("200 OK", "{}").repeat(3))
            .close()
    });
    let file = folder.write("ties.pcap", pcap(&merge(talks), FULL_SNAPLEN));
    let records = http_records(&file, &[]);
    assert_eq!(records.len(), 36);
    let place = |record: &Value| {
        let part = record["http"]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        (record["timestamp"].as_str().unwrap().to_owned(), record["flow_id"].as_u64().unwrap(), part)
    };
    let places: Vec<_> = records.iter().map(place).collect();
    assert!(places.is_sorted() && places[0].0 == places[35].0, "{places:#?}");
}

#[test]
fn bounds_that_were_reached_are_told() {
    let folder = Folder::new();
    let talk = |at: f64, host: &str, target: &str| {
        let talk = Talk::get(at, "192.0.2.1", target);
        Talk { request: talk.request.replace(HOST, host), ..talk }
    };
    // More names of hosts than are believed, and some that come later still.
    let mut talks: Vec<Talk> = (0..1100).map(|n| talk(f64::from(n) * 0.01, &format!("h{n}.example"), "/a")).collect();
    talks.extend([30.0, 45.0].map(|at| talk(at, "h1.example", "/a"))); // a snapshot is read two windows later
    talks.extend((0..5).map(|n| talk(60.0 + f64::from(n), &format!("late{n}.example"), "/a")));
    talks.extend((0..3).map(|n| talk(70.0 + f64::from(n), "h1.example", &"/deep".repeat(30))));
    talks.push(
        talk(80.0, "h1.example", "/big").answer(json_response("200 OK", &format!("[{}1]", "1,".repeat(5 << 20)))),
    );
    let file = folder.write("bounds.pcap", capture(&talks));
    for threads in ["1", "2"] {
        let run = apitap(&["replay", &file, "--threads", threads, "--stats"]).with_status(0);
        let said = run.err.lines().find(|line| line.starts_with("dropped, cut or evicted: ")).unwrap();
        for bound in ["bodies scanned in part 1", "hosts refused 5", "paths cut 3"] {
            assert!(said.contains(bound), "{bound}: {said}");
        }
        assert!(run.err.contains("  learned_parameters ") && run.err.contains("  lines_out_of_order "), "{}", run.err);
    }
}

#[test]
fn a_filter_also_looks_inside_vlan_tags() {
    let folder = Folder::new();
    let talk = |client: &str, vlan: bool| {
        let talk = Conversation::new(client, SERVER);
        let talk = if vlan { talk.vlan(42) } else { talk };
        talk.exchange(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), json_response("200 OK", "{}")).close()
    };
    let talks = [("192.0.2.1:4001", false), ("192.0.2.2:4002", true), ("192.0.2.3:4003", true)];
    let file = folder.write("v.pcap", pcap(&merge(talks.map(|(client, vlan)| talk(client, vlan))), FULL_SNAPLEN));
    assert_eq!(http_records(&file, &[]).len(), 3);
    let of_two = http_records(&file, &["--filter", "host 192.0.2.2"]);
    assert_eq!((of_two.len(), &of_two[0]["src_ip"]), (1, &Value::from("192.0.2.2")));
    assert_eq!(http_records(&file, &["--filter", "tcp port 80"]).len(), 3);
    assert_eq!(http_records(&file, &["--filter", "not tcp"]).len(), 0);
    let wrong = apitap(&["replay", &file, "--filter", "tcp prot 80"]).with_status(1);
    assert!(wrong.err.contains("tcp prot 80"), "{}", wrong.err);
}

/// A request whose end is sent ahead, and then as a whole with another number.
fn overlapping() -> Vec<u8> {
    let request = "GET /orders/111 HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let other = request.replace("111", "222");
    let mut connection = Connection::new("192.0.2.7:40001".parse().unwrap(), "198.51.100.1:80".parse().unwrap(), 1);
    let mut frames = Vec::new();
    let at = connection.open(DEFAULT_START, &mut frames);
    connection.send_decoy(Side::Client, at, 10, &other.as_bytes()[10..], &mut frames);
    let at = connection.send(Side::Client, at, request.as_bytes(), &mut frames);
    connection.send(Side::Server, at, b"HTTP/1.1 204 No Content\r\n\r\n", &mut frames);
    pcap(&frames, FULL_SNAPLEN)
}

#[test]
fn the_configuration_says_which_of_two_copies_is_read() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", overlapping());
    let last = folder.write("last.toml", "[stream]\noverlap = \"last\"\n");
    let network = "[[stream.overlap_by_network]]\nnetwork = \"198.51.100.0/24\"\npolicy = \"linux\"\n";
    let linux = folder.write("linux.toml", network);
    let copies: [(&[&str], &str); 3] = [(&[], "222"), (&["--config", &last], "111"), (&["--config", &linux], "111")];
    for (options, number) in copies {
        let records = http_records(&file, options);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["http"]["url"], format!("/orders/{number}"), "{options:?}");
        assert_eq!(records[0]["apitap"]["marks"], serde_json::json!(["overlap_conflict"]), "{options:?}");
    }
}

#[test]
fn segments_that_differ_are_an_evasion_at_every_level() {
    let folder = Folder::new();
    for level in Level::ALL {
        let traffic = Options { scenarios: vec![(Scenario::Evasion, level)], ..attack_traffic(&[]) };
        let file = folder.write("evasion.pcap", simulated(&traffic));
        let run = apitap(&["replay", &file, "--json"]).with_status(0);
        let alerts = run.records();
        let mut opened = alerts.iter().filter(|record| record["apitap"]["state"] == "opened");
        let evasion = opened.find(|record| record["apitap"]["detector"] == "evasion");
        let evasion = evasion.unwrap_or_else(|| panic!("{}: {alerts:#?}", level.name()));
        assert_eq!(evasion["alert"]["signature_id"], 9_000_017);
        assert!(evasion["apitap"].get("probability").is_none_or(Value::is_null), "{evasion}");
        assert!(!evasion["apitap"]["evidence"].as_array().unwrap().is_empty(), "{evasion}");
    }
}

#[test]
fn redaction_is_as_much_as_is_asked_for() {
    let folder = Folder::new();
    let target = "/v1/items?page=2&api_key=s3cr3tvalue&q=a%20b";
    let file = folder.write("r.pcap", capture(&[Talk::get(0.0, "192.0.2.1", target)]));
    let url = |more: &[&str]| http_records(&file, more)[0]["http"]["url"].as_str().unwrap().to_owned();
    assert_eq!(url(&["--redact", "none"]), target);
    for secrets in [url(&[]), url(&["--redact", "secrets"])] {
        assert!(secrets.contains("page=2") && secrets.contains("q=a%20b") && !secrets.contains("s3cr3t"), "{secrets}");
    }
    let all = url(&["--redact", "all"]);
    assert!(all.starts_with("/v1/items?page=") && all.contains("&q="), "{all}");
    assert!(!all.contains("page=2") && !all.contains("s3cr3t") && !all.contains("a%20b"), "{all}");
}

#[test]
fn a_baseline_teaches_and_is_not_judged() {
    let folder = Folder::new();
    let learned: Vec<Talk> = (0..300).map(|index| Talk::get(f64::from(index), "192.0.2.1", "/v1/known")).collect();
    let judged: Vec<Talk> = (0..60)
        .map(|index| {
            let target = if index % 6 == 5 { "/v1/strange" } else { "/v1/known" };
            Talk::get(f64::from(index), "192.0.2.1", target)
        })
        .collect();
    let baseline = folder.write("baseline.pcap", capture(&learned));
    let today = folder
        .write("today.pcap", cli::capture_from(&judged, DEFAULT_START.saturating_add(Duration::from_secs(86_400))));
    let alone = apitap(&["replay", &today]).with_status(0);
    assert!(alone.out.is_empty() && alone.err.contains("(the whole capture)"), "{}{}", alone.out, alone.err);
    let eve = folder.path("eve.json");
    let told = apitap(&["replay", &today, "--baseline", &baseline, "--eve", &eve, "--events", "http"]).with_status(0);
    assert!(told.out.contains("shadow_endpoint") && told.out.contains("/v1/strange"), "{}", told.out);
    assert!(!told.out.contains("/v1/known") && !told.err.contains("learned until"), "{}{}", told.out, told.err);
    assert_eq!(records(&folder.read("eve.json")).len(), 60, "lines of the judged capture alone");
    let itself = apitap(&["replay", &baseline, "--learn", "5m"]).with_status(0);
    assert!(itself.err.contains("learned until 2025-11-24 09:05:00"), "{}", itself.err);
    let missing = apitap(&["replay", &today, "--baseline", &folder.path("none.pcap")]).with_status(1);
    assert!(missing.err.contains("none.pcap: cannot be opened"), "{}", missing.err);
}

#[test]
fn half_a_transaction_lacks_the_other_halfs_fields() {
    let folder = Folder::new();
    let exchange = Conversation::new("192.0.2.1:4001", SERVER)
        .exchange(format!("GET /v1/a HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), json_response("404 Not Found", "{}"))
        .close()
        .frames();
    const CLIENT_OF_ETHERNET_IPV4: usize = 14 + 12;
    let from_client = |frame: &[u8]| frame[CLIENT_OF_ETHERNET_IPV4..][..4] == [192, 0, 2, 1];
    let (requests, responses): (Vec<_>, Vec<_>) = exchange.into_iter().partition(|(_, frame)| from_client(frame));
    let only = |frames| http_records(&folder.write("half.pcap", pcap(frames, FULL_SNAPLEN)), &[]);

    let request = &only(&requests)[..];
    let [request] = request else { panic!("{request:?}") };
    assert_eq!(request["http"]["url"], "/v1/a");
    for absent in ["status", "length", "http_content_type"] {
        assert!(request["http"].get(absent).is_none(), "{absent}: {request}");
    }
    assert!(request["apitap"]["marks"].as_array().unwrap().contains(&"request_only".into()), "{request}");

    let response = &only(&responses)[..];
    let [response] = response else { panic!("{response:?}") };
    assert_eq!((&response["http"]["status"], &response["http"]["length"]), (&404.into(), &2.into()));
    for absent in ["url", "http_method", "hostname", "http_user_agent"] {
        assert!(response["http"].get(absent).is_none(), "{absent}: {response}");
    }
    assert!(response["apitap"]["marks"].as_array().unwrap().contains(&"response_only".into()), "{response}");
    assert_eq!((&response["src_ip"], &response["dest_port"]), (&"192.0.2.1".into(), &80.into()));
}

#[test]
fn forwarded_addresses_are_believed_from_trusted_proxies_alone() {
    let folder = Folder::new();
    let talk = |proxy: &str| Talk::get(0.0, proxy, "/").header("X-Forwarded-For", "198.51.100.77, 203.0.113.9");
    let file = folder.write("x.pcap", capture(&[talk("10.9.0.1"), talk("192.0.2.66")]));
    let config = folder.write("apitap.toml", "[identity]\ntrusted_proxies = [\"10.9.0.0/16\"]\n");
    let client = |more: &[&str], peer: &str| {
        let records = http_records(&file, more);
        let record = records.iter().find(|record| record["src_ip"] == peer).unwrap();
        record["apitap"]["client"].as_str().unwrap().to_owned()
    };
    assert_eq!(client(&[], "10.9.0.1"), "10.9.0.1");
    assert_eq!(client(&["--config", &config], "10.9.0.1"), "203.0.113.9");
    assert_eq!(client(&["--config", &config], "192.0.2.66"), "192.0.2.66");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    for threads in ["1", "2"] {
        let mut child = command()
            .args(["replay", &file, "--threads", threads, "--eve", "-", "--events", "http"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{threads} threads");
    }
}

#[test]
fn a_closed_standard_error_is_borne() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*CALM);
    let mut child =
        command().args(["replay", &file, "--stats"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn times_of_request_and_response_give_the_latency() {
    let folder = Folder::new();
    let file = folder.write("l.pcap", capture(&[Talk::get(0.0, "192.0.2.1", "/v1/a")]));
    let inventory = apitap(&["inventory", &file, "--format", "json"]).with_status(0).records();
    let p50 = inventory[0]["apitap"]["latency_ms"]["p50"].as_f64().unwrap();
    assert!((4.5..9.0).contains(&p50), "the server thought for 5 ms, not {p50}");
}

/// Secrets of the traffic, none of which may ever be written; the last is in a URL.
const SECRETS: [&str; 16] = [
    "Plant3d-JsonPassw0rd",
    "Plant3d-FormPassw0rd",
    "Plant3d-BasicPassw0rd",
    "planted.person",
    "planteduser",
    "cGxhbnRlZHVzZXI6UGxhbnQzZC1CYXNpY1Bhc3N3MHJk", // planteduser:Plant3d-BasicPassw0rd
    "eyJzdWIiOiJwbGFudGVkLXN1YmplY3QifQ",           // {"sub":"planted-subject"}
    "planted-subject",
    "plantedapikey7f3a9c2e1b",
    "plantedcookie5d1e8f",
    "plantedsession9a8b7c",
    "4539148803436467",
    "4539 1488 0343 6467",
    "jane.secretive",
    "Plant3d-Answered-T0ken",
    "plantedquerykey4b2d6e",
];

/// Logins of all kinds, mostly failing, and personal data given to anyone.
fn traffic_with_secrets() -> Vec<u8> {
    let client = "192.0.2.1";
    let mut talks = vec![Talk::get(0.0, client, "/v1/health")];
    let refused = || json_response("401 Unauthorized", r#"{"error":"wrong password Plant3d-JsonPassw0rd"}"#);
    for index in 0..80 {
        let at = 2.0 + f64::from(index) * 0.5;
        let body =
            format!(r#"{{"username":"planted.person{index}@corp.example","password":"Plant3d-JsonPassw0rd{index}"}}"#);
        let login = Talk::post(at, client, "/v1/login", "application/json", &body);
        let session = "HTTP/1.1 200 OK\r\nSet-Cookie: session=plantedsession9a8b7c; HttpOnly\r\n\
                       Content-Type: application/json\r\nContent-Length: 34\r\n\r\n{\"token\":\"Plant3d-Answered-T0ken\"}";
        talks.push(login.answer(if index % 20 == 7 { session.to_owned() } else { refused() }));
    }
    let form = "username=planteduser&password=Plant3d-FormPassw0rd&card=4539148803436467";
    talks.push(Talk::post(50.0, client, "/signin", "application/x-www-form-urlencoded", form).answer(refused()));
    let basic = "Basic cGxhbnRlZHVzZXI6UGxhbnQzZC1CYXNpY1Bhc3N3MHJk";
    talks.push(Talk::get(51.0, client, "/v1/basic").header("Authorization", basic).answer(refused()));
    talks.push(Talk::get(52.0, client, "/v1/basic").header("Authorization", basic));
    let bearer = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkLXN1YmplY3QifQ.c2lnbmF0dXJlc2lnbmF0dXJl";
    talks.push(Talk::get(53.0, client, "/v1/bearer").header("Authorization", bearer));
    talks.push(Talk::get(54.0, client, "/v1/key").header("X-Api-Key", "plantedapikey7f3a9c2e1b"));
    talks.push(Talk::get(55.0, client, "/v1/cookie").header("Cookie", "theme=dark; session=plantedcookie5d1e8f"));
    for (at, target) in
        [(56.0, "/v1/query?page=1&api_key=plantedquerykey4b2d6e"), (57.0, "/v1/query?token=plantedquerykey4b2d6e#x")]
    {
        let talk = Talk::get(at, client, target).header("Referer", &format!("https://app.example{target}"));
        let found = format!("HTTP/1.1 302 Found\r\nLocation: https://app.example{target}\r\nContent-Length: 0\r\n\r\n");
        talks.push(talk.clone());
        talks.push(Talk { at: at + 0.5, ..talk }.answer(found));
    }
    let people: Vec<String> = (0..40)
        .map(|index| {
            format!(r#"{{"email":"jane.secretive{index}@mail.example","card":"4539148803436467","alt":"4539 1488 0343 6467"}}"#)
        })
        .collect();
    for index in 0..30 {
        let talk = Talk::get(60.0 + f64::from(index), "192.0.2.2", "/v1/people");
        talks.push(talk.answer(json_response("200 OK", &format!("[{}]", people.join(",")))));
    }
    capture(&talks)
}

#[track_caller]
fn assert_no_secret(bytes: &[u8], secrets: &[&str], what: &str) {
    for secret in secrets {
        let place = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        if let Some(place) = place {
            let around = &bytes[place.saturating_sub(300)..(place + 100).min(bytes.len())];
            panic!("{what} has `{secret}`: {}", String::from_utf8_lossy(around));
        }
    }
}

#[test]
fn no_secret_of_the_traffic_is_ever_written() {
    let folder = Folder::new();
    let file = folder.write("s.pcap", traffic_with_secrets());
    let state = folder.path("state");
    let all = "alert,http,endpoint,stats";
    for redact in ["secrets", "all", "none"] {
        // With `none` the user asked for URLs as they were.
        let secrets = if redact == "none" { &SECRETS[..SECRETS.len() - 1] } else { &SECRETS[..] };
        for format in [&["--stats"][..], &["--json"], &["--eve", "-", "--events", all]] {
            let run =
                apitap(&[&["replay", &file, "--redact", redact, "--learn", "1s"], format].concat()).with_status(0);
            assert!(run.out.contains("credential_stuffing") || run.out.contains("password_spraying"), "{}", run.out);
            assert!(run.out.contains("unauthenticated_data_exposure"), "{}", run.out);
            assert_no_secret(run.out.as_bytes(), secrets, &format!("--redact {redact} {format:?}"));
            assert_no_secret(run.err.as_bytes(), secrets, "standard error");
        }
    }
    apitap(&["replay", &file, "--state", &state, "--eve", &folder.path("eve.json"), "--events", all]).with_status(0);
    assert_no_secret(folder.read("eve.json").as_bytes(), &SECRETS, "eve.json");
    for path in cli::files_below(std::path::Path::new(&state)) {
        assert_no_secret(&std::fs::read(&path).unwrap(), &SECRETS, &path.display().to_string());
    }
    for format in ["table", "json"] {
        for source in [&["--state", &state][..], &[&file]] {
            let run = apitap(&[&["inventory", "--format", format], source].concat()).with_status(0);
            assert!(run.out.contains("/v1/people"), "{}", run.out);
            assert_no_secret(run.out.as_bytes(), &SECRETS, "inventory");
        }
    }
    let tail = apitap(&["tail", &folder.path("eve.json"), "-v", "--lines", "all", "--no-follow"]).with_status(0);
    assert_no_secret(tail.out.as_bytes(), &SECRETS, "tail");
}

#[test]
fn attacks_over_http2_are_found_and_their_evidence_says_so() {
    let scenarios =
        [Scenario::Scanner, Scenario::BruteForce, Scenario::ShadowEndpoint, Scenario::ExcessiveDataExposure];
    let options = Options {
        scenarios: scenarios.map(|scenario| (scenario, Level::Easy)).to_vec(),
        duration: Duration::from_secs(25 * 60),
        quiet_first: Duration::from_secs(12 * 60),
        rate: 5.0,
        clients: 60,
        http2: 1.0,
        seed: 3,
        ..Options::default()
    };
    let folder = Folder::new();
    let capture = folder.write("http2.pcap", simulated(&options));
    let alerts = apitap(&["replay", &capture, "--json"]).with_status(0).records();
    for scenario in scenarios {
        let name = scenario.info().name;
        assert!(alerts.iter().any(|alert| alert["apitap"]["detector"] == name), "{name}: {alerts:?}");
    }
    let evidence = alerts.iter().flat_map(|alert| alert["apitap"]["evidence"].as_array().into_iter().flatten());
    let protocols: Vec<&Value> = evidence.map(|shown| &shown["http"]["protocol"]).collect();
    assert!(!protocols.is_empty() && protocols.iter().all(|protocol| **protocol == "HTTP/2"), "{protocols:?}");
}

/// What GraphQL, JSON-RPC and SOAP name within is an endpoint of its own; a batch of logins is as many as it holds (OWASP API2:2023).
#[test]
fn operations_within_requests_are_endpoints_and_each_login_of_a_batch_counts() {
    const JSON: &str = "application/json";
    let folder = Folder::new();
    let login = |user: &str| {
        format!(r#"{{"query":"mutation {{ login(username: \\"{user}\\", password: \\"right\\") {{ token }} }}"}}"#)
    };
    let mut talks: Vec<Talk> = (0..80)
        .flat_map(|n| {
            let (at, client) = (f64::from(n), format!("192.0.2.{}", n % 20 + 1));
            let query = format!(r#"{{"query":"query Mine {{ me: user(id: {n}) {{ name }} }}"}}"#);
            let call = format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"stock.get","params":[]}}"#);
            [
                Talk::post(at, &client, "/graphql", JSON, &query)
                    .answer(json_response("200 OK", r#"{"data":{"me":{"name":"A"}}}"#)),
                Talk::post(at + 0.2, &client, "/rpc", JSON, &call)
                    .answer(json_response("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":7}"#)),
                Talk::get(at + 0.4, &client, "/graphql?query=%7B+cart+%7B+id+%7D+%7D")
                    .answer(json_response("200 OK", r#"{"data":{"cart":{"id":1}}}"#)),
                Talk::post(at + 0.5, &client, "/graphql", JSON, &login(&format!("u{n}")))
                    .answer(json_response("200 OK", r#"{"data":{"login":{"token":"t0k3n-of-somebody"}}}"#)),
                // What no server knows makes no endpoint, nor does what a path without operations is asked by the way.
                Talk::get(at + 0.7, &client, &format!("/v1/stock?query=%7Bguess{n}%7D")),
                Talk::post(
                    at + 0.8,
                    &client,
                    "/v1/cart",
                    JSON,
                    &format!(r#"{{"operationName":"guess{n}","query":"{{guess}}"}}"#),
                ),
                Talk::post(at + 0.6, &client, "/graphql", JSON, &format!(r#"{{"query":"{{ guess{n} }}"}}"#))
                    .answer(json_response("200 OK", r#"{"errors":[{"message":"no such field"}]}"#)),
            ]
        })
        .collect();
    talks.extend((0..3).map(|n| {
        let logins: String = (0..30)
            .map(|alias| format!(r#"a{alias}: login(username: \"ann\", password: \"p{n}x{alias}\") {{ token }} "#))
            .collect();
        let body = format!(r#"{{"query":"mutation {{ {logins} }}"}}"#);
        let refused = r#"{"errors":[{"message":"invalid credentials"}],"data":{"a0":null}}"#;
        Talk::post(660.0 + f64::from(n), "203.0.113.9", "/graphql", JSON, &body)
            .answer(json_response("200 OK", refused))
    }));
    let file = folder.write("x.pcap", capture(&talks));
    let inventory = apitap(&["inventory", &file]).with_status(0).out;
    for endpoint in ["/graphql#query.user", "/rpc#stock.get", "/graphql#query.cart", "/graphql#mutation.login"] {
        assert!(inventory.contains(endpoint), "{endpoint}\n{inventory}");
    }
    assert!(!inventory.contains("guess"), "{inventory}");
    let alerts = apitap(&["replay", &file, "--json", "-q"]).with_status(0).records();
    let brute = alerts.iter().find(|alert| alert["apitap"]["detector"] == "brute_force").unwrap();
    assert_eq!(brute["src_ip"], "203.0.113.9");
    assert!(brute["apitap"]["endpoint"].as_str().unwrap().ends_with("/graphql#mutation.login"), "{brute}");
    assert!(brute["apitap"]["count"].as_u64().unwrap() >= 30, "{brute}");
    let others: Vec<&Value> = alerts.iter().filter(|alert| alert["src_ip"] != "203.0.113.9").collect();
    assert!(others.is_empty(), "{others:?}");
}
