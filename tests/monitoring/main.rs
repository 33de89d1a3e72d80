//! What operators look at: a real Prometheus scrapes a sensor that reads an attack, and every query of the dashboard and
//! of the rules is run; Graphite's lines arrive; figures are those of a replay of the same capture.
//!
//! A test whose program is not there, or that may not capture, says `skipped` and what it lacks.

#[path = "../support/cli.rs"]
mod cli;
mod graphite;
mod prometheus;
mod sensor;

use apitap::simulate::{Options, Scenario};
use cli::{Folder, apitap, attack_traffic, frames_of, records, simulated};
use prometheus::{Prometheus, are_there};
use sensor::{Sensor, Source, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ATTACKS: [Scenario; 3] = [Scenario::CredentialStuffing, Scenario::UnauthenticatedDataExposure, Scenario::Scanner];
/// Later than any flow stays open: a frame of that time closes every window before it.
const LATER_SECONDS: u32 = 400;

/// An attack, and a last frame that ends all that came before.
fn traffic() -> Vec<u8> {
    let mut capture = simulated(&Options { rate: 3.0, ..attack_traffic(&ATTACKS) });
    let mut last = frames_of(&capture).last().expect("frames").to_vec();
    let seconds = u32::from_le_bytes(last[..4].try_into().expect("four bytes")) + LATER_SECONDS;
    last[..4].copy_from_slice(&seconds.to_le_bytes());
    capture.extend(last);
    capture
}

/// What `apitap replay` and `apitap inventory` say of a capture.
struct Replayed {
    counters: BTreeMap<String, f64>,
    endpoints: Vec<Value>,
}

impl Replayed {
    fn of(folder: &Folder, capture: &[u8]) -> Replayed {
        let file = folder.write("capture.pcap", capture);
        let told = apitap(&["replay", &file, "--stats", "--no-progress"]).with_status(0);
        let counter = |line: &str| {
            let (name, value) = line.strip_prefix("  ")?.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        let counters: BTreeMap<String, f64> = told.err.lines().chain(told.out.lines()).filter_map(counter).collect();
        assert!(counters.len() > 30, "{counters:?}");
        let lines = apitap(&["inventory", &file, "--format", "json", "--no-progress"]).with_status(0).out;
        let endpoints = records(&lines).into_iter().map(|record| record["apitap"].clone()).collect();
        Replayed { counters, endpoints }
    }

    /// Answers of an inventory whose endpoint and status are such.
    fn answers(&self, is_wanted: impl Fn(&Value, &str) -> bool) -> f64 {
        let counts = self.endpoints.iter().flat_map(|endpoint| {
            let statuses = endpoint["status"].as_object().expect("counts by status");
            statuses.iter().filter(|(status, _)| is_wanted(endpoint, status)).map(|(_, count)| count)
        });
        counts.map(|count| count.as_f64().expect("a count")).sum()
    }
}

/// Runs a command with this input; gives status and all it said.
fn piped(program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring").join(name);
    std::fs::read_to_string(path).expect("a file of docs/monitoring")
}

/// Title, and query as Prometheus gets it, of every panel.
fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&document("grafana-dashboard.json")).expect("JSON");
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
            queries.push((panel["title"].as_str().expect("a title").to_owned(), query));
        }
    }
    queries
}

/// What stands before the comparison at the end of a rule.
fn without_comparison(query: &str) -> &str {
    let place = [" > ", " < ", " == "].iter().filter_map(|operator| query.rfind(operator)).max();
    &query[..place.unwrap_or_else(|| panic!("{query} does not end in a comparison"))]
}

/// Rules that a healthy sensor which saw these attacks fires: of the attacks themselves, and of reading an old capture.
const FIRING: [&str; 3] = ["ApitapBehind", "ApitapIncident", "ApitapIncidentMinor"];

#[test]
fn prometheus_gets_an_answer_to_every_query_and_the_figures_of_a_replay() {
    if !are_there(&["prometheus", "promtool"]) {
        return;
    }
    let capture = traffic();
    let sensor = Sensor::start(Source::Pipe, "");
    let expected = Replayed::of(&sensor.folder, &capture);
    let on_interface = may_capture().then(|| Sensor::start(Source::Interface("lo"), ""));
    let ports: Vec<u16> = [Some(&sensor), on_interface.as_ref()].into_iter().flatten().map(|one| one.port).collect();
    let prometheus = Prometheus::start(&ports);
    let instance = format!("instance=\"127.0.0.1:{}\"", sensor.port);

    // In two parts, so that every counter is seen to rise.
    let middle: usize = 24 + frames_of(&capture).iter().map(|frame| frame.len()).sum::<usize>() / 2;
    let middle = frame_boundary(&capture, middle);
    let mut feeder = sensor.pipe();
    feeder.write(&capture[..middle]);
    wait_for("the first part is scraped", || {
        let seen = prometheus.query(&format!("apitap_transactions_total{{{instance}}} > 100"));
        (!seen.is_empty()).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2)); // one more scrape
    feeder.write(&capture[middle..]);
    prometheus.becomes(&format!("apitap_transactions_total{{{instance}}}"), expected.counters["transactions"]);
    std::thread::sleep(Duration::from_secs(2)); // one more scrape

    same_as_replayed(&prometheus, &instance, &expected);
    let (is_fine, said) = piped("promtool", &["check", "metrics"], &sensor.metrics());
    assert!(is_fine && said.trim().is_empty(), "{said}");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring/prometheus-rules.yml");
    let (is_fine, said) = piped("promtool", &["check", "rules", rules.to_str().expect("UTF-8")], "");
    assert!(is_fine && !said.to_lowercase().contains("warn"), "{said}");
    every_query_is_answered(&prometheus, on_interface.is_some());
}

fn frame_boundary(capture: &[u8], near: usize) -> usize {
    let mut place = 24;
    for frame in frames_of(capture) {
        if place >= near {
            break;
        }
        place += frame.len();
    }
    place
}

/// Whether this process may open an interface; says so when not.
fn may_capture() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("a /proc");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities");
    const NET_RAW: u64 = 1 << 13;
    let may = u64::from_str_radix(effective.trim(), 16).expect("hex") & NET_RAW != 0;
    if !may {
        eprintln!("skipped: the queries about interfaces; they take CAP_NET_RAW (root)");
    }
    may
}

fn same_as_replayed(prometheus: &Prometheus, instance: &str, expected: &Replayed) {
    let figure = |query: String| {
        let result = prometheus.query(&query);
        assert_eq!(result.len(), 1, "{query}: {result:?}");
        result[0].1
    };
    assert_eq!(figure(format!("apitap_frames_total{{{instance}}}")), expected.counters["frames"]);
    assert_eq!(figure(format!("apitap_frame_bytes_total{{{instance}}}")), expected.counters["wire_bytes"]);
    assert_eq!(figure(format!("apitap_stream_bytes_total{{{instance}}}")), expected.counters["stream_bytes"]);
    for class in ["2", "3", "4", "5"] {
        let replayed = expected.answers(|_, status| status.starts_with(class));
        let query = format!("sum(apitap_http_requests_total{{{instance},status=\"{class}xx\"}}) or vector(0)");
        assert_eq!(figure(query.clone()), replayed, "{query}");
    }
    let failed = expected.answers(|endpoint, status| endpoint["template"] == "/v1/login" && status == "401");
    assert!(failed > 50.0, "{failed}");
    assert_eq!(figure(format!("sum(apitap_failed_logins_total{{{instance}}})")), failed);
    let requests: f64 = expected.endpoints.iter().map(|endpoint| endpoint["requests"].as_f64().expect("a count")).sum();
    assert_eq!(figure(format!("sum(apitap_http_requests_total{{{instance}}})")), requests);
    let mut compared = 0;
    for (labels, value) in prometheus.query(&format!("apitap_events_total{{{instance}}}")) {
        let event = labels["event"].as_str().expect("a name");
        assert_eq!(Some(&value), expected.counters.get(event), "{event}");
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
    let data: f64 = expected
        .endpoints
        .iter()
        .flat_map(|endpoint| endpoint["data"].as_object().expect("counts by class").values())
        .map(|count| count.as_f64().expect("a count"))
        .sum();
    // Many distinct values are estimated from their keyed hashes, and the keys of two runs differ.
    let told = figure(format!("sum(apitap_sensitive_values_total{{{instance}}})"));
    assert!(data > 0.0 && (told - data).abs() < 0.02 * data, "{told} {data}");
}

fn every_query_is_answered(prometheus: &Prometheus, has_interface: bool) {
    let mut failed = Vec::new();
    let mut run = |what: &str, query: &str| {
        if query.contains("apitap_interface") && !has_interface {
            return;
        }
        let result = prometheus.query(query);
        if !result.iter().any(|(_, value)| value.is_finite()) {
            failed.push(format!("{what}: {query}: {result:?}"));
        }
    };
    let queries = dashboard_queries();
    assert!(queries.len() > 40, "{}", queries.len());
    for (title, query) in &queries {
        run(title, query);
    }
    let rules = prometheus.rules();
    assert!(rules.len() > 10, "{}", rules.len());
    for (name, query) in &rules {
        let is_firing = FIRING.contains(&name.as_str());
        run(name, if is_firing { query } else { without_comparison(query) });
        // The whole of it is a query that Prometheus understands, and a healthy sensor gives it nothing.
        let result = prometheus.query(query);
        assert!(is_firing || result.is_empty(), "{name} fires: {result:?}");
    }
    assert!(failed.is_empty(), "without data:\n{}", failed.join("\n"));
    assert!(!prometheus.label_values("instance", "apitap_build_info").is_empty());
}

#[test]
fn endpoints_beyond_the_bound_are_summed_up() {
    let capture = traffic();
    let sensor = Sensor::start(Source::Pipe, "top_endpoints = 3");
    let expected = Replayed::of(&sensor.folder, &capture);
    let requests: f64 = expected.endpoints.iter().map(|endpoint| endpoint["requests"].as_f64().expect("a count")).sum();
    assert!(expected.endpoints.len() > 10, "{}", expected.endpoints.len());
    // Nothing is asked for before the end: so nobody was shown who is not among the busiest.
    let mut feeder = sensor.pipe();
    feeder.write(&capture);
    let status = || apitap(&["status", "--json", "--socket", &sensor.folder.path("socket")]).with_status(0).out;
    wait_for("all was read", || {
        let status: Value = serde_json::from_str(&status()).expect("JSON");
        (status["transactions"].as_f64()? == expected.counters["transactions"]).then_some(())
    });
    let text = sensor.metrics();
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("apitap_http_requests_total{")) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (labels, _) = series.split_once(",status=").expect("a status");
        *sums.entry(labels.to_owned()).or_default() += value.parse::<f64>().expect("a number");
    }
    assert_eq!(sums.len(), 4, "{sums:?}");
    assert!(sums.keys().any(|labels| labels.contains("endpoint=\"other\"")), "{sums:?}");
    assert_eq!(sums.values().sum::<f64>(), requests);
    let mut busiest: Vec<f64> =
        expected.endpoints.iter().map(|endpoint| endpoint["requests"].as_f64().expect("a count")).collect();
    busiest.sort_by(|one, other| other.total_cmp(one));
    let mut shown: Vec<f64> =
        sums.iter().filter(|(labels, _)| !labels.contains("\"other\"")).map(|(_, sum)| *sum).collect();
    shown.sort_by(|one, other| other.total_cmp(one));
    assert_eq!(shown, busiest[..3]);
}
