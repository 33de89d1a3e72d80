//! Figures for monitoring: the same families for Prometheus and for Graphite.
//!
//! The board, the store and the sinks in; families of samples out, and their text in Prometheus' exposition format
//! 0.0.4. Names follow Prometheus' conventions (base units, `_total` for counters). Bounded: only the busiest endpoints
//! have samples of their own, what the others amount to stands under `other`.

use super::Daemon;
use super::board::{Judged, Reading};
use super::endpoints::shown;
use super::threads;
use crate::rule::{Ruleset, Severity};
use std::fmt::Write;

/// Counters that have a family of their own, or count bytes: they have no place in a sum of events.
const NO_EVENTS: [&str; 6] =
    ["learned_parameters", "frames", "wire_bytes", "transactions", "stream_bytes", "gap_bytes"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One figure: what is added to the family's name (of histograms), labels, value.
pub struct Sample {
    pub suffix: &'static str,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

pub struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

impl Family {
    fn new(kind: Kind, name: &'static str, help: &'static str) -> Family {
        Family { name, help, kind, samples: Vec::new() }
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.add_with("", labels, value);
    }

    fn add_with(&mut self, suffix: &'static str, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push(Sample { suffix, labels, value });
    }

    fn single(kind: Kind, name: &'static str, help: &'static str, value: f64) -> Family {
        let mut family = Family::new(kind, name, help);
        family.add(&[], value);
        family
    }
}

/// All families, at this moment.
pub fn families(daemon: &Daemon) -> Vec<Family> {
    let (reading, judged) = (daemon.board.reading(), daemon.board.judged());
    let mut all = of_sensor(daemon, &reading, &judged);
    all.push(of_threads());
    all.extend(of_interfaces(&reading));
    all.push(of_events(&reading, &judged));
    all.extend(of_incidents(&judged));
    all.extend(of_sinks(daemon));
    all.extend(of_state(daemon));
    all.extend(of_endpoints(daemon));
    all
}

/// Every counter by its name in summaries.
pub fn counters_of(reading: &Reading, judged: &Judged) -> Vec<(&'static str, u64)> {
    let mut all: Vec<(&'static str, u64)> = reading.packets.named();
    all.extend(judged.counters.named());
    all.push(("keys_evicted", judged.keys_evicted));
    all.push(("windows_late", judged.late_windows));
    all.push(("learned_parameters", judged.learned_parameters as u64));
    all.push(("frames_filtered_out", reading.filtered_out));
    all.push(("findings_suppressed", judged.tally.suppressed));
    all.push(("findings_known", judged.tally.known));
    all.push(("incidents_over_limit", judged.tally.over_limit));
    all
}

fn of_sensor(daemon: &Daemon, reading: &Reading, judged: &Judged) -> Vec<Family> {
    use Kind::{Counter, Gauge};
    let mut build = Family::new(Gauge, "apitap_build_info", "Version of the sensor; always 1.");
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let started = daemon.board.started_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let judge_lag = judged.at.unwrap_or(daemon.board.started).elapsed().as_secs_f64();
    let stream = &judged.counters.table.stream;
    let store = &daemon.store;
    let mut keys = Family::new(Gauge, "apitap_keys", "What is remembered, by kind.");
    for (kind, count) in [
        ("endpoint", store.endpoints.len()),
        ("client", store.clients.len()),
        ("principal", store.principals.len()),
        ("host", store.hosts.len()),
    ] {
        keys.add(&[("kind", kind)], count as f64);
    }
    let is_learning = judged.learn_until.zip(judged.now).is_some_and(|(until, now)| now < until);
    vec![
        build,
        Family::single(Gauge, "apitap_start_time_seconds", "When the sensor started, seconds since 1970.", started),
        Family::single(Gauge, "apitap_resident_memory_bytes", "Memory in use.", reading.resident_bytes as f64),
        Family::single(Gauge, "apitap_learning", "1 while the sensor only learns.", f64::from(u8::from(is_learning))),
        keys,
        Family::single(
            Counter,
            "apitap_transactions_total",
            "HTTP transactions that were read.",
            judged.counters.http.transactions as f64,
        ),
        Family::single(Counter, "apitap_frames_total", "Frames that were taken apart.", reading.packets.frames as f64),
        Family::single(
            Counter,
            "apitap_frame_bytes_total",
            "Their bytes on the wire.",
            reading.packets.wire_bytes as f64,
        ),
        Family::single(
            Counter,
            "apitap_stream_bytes_total",
            "Bytes of TCP streams that were read.",
            stream.bytes as f64,
        ),
        Family::single(
            Counter,
            "apitap_stream_missing_bytes_total",
            "Bytes of TCP streams that never came.",
            stream.gap_bytes as f64,
        ),
        Family::single(
            Counter,
            "apitap_windows_total",
            "Windows of ten seconds that were judged.",
            judged.windows as f64,
        ),
        Family::single(
            Gauge,
            "apitap_last_window_age_seconds",
            "Time since a window was judged, or since the start; at most about 10 while all is well.",
            judge_lag,
        ),
        Family::single(Gauge, "apitap_silence_seconds", "Time since the last frame.", reading.silence.as_secs_f64()),
        Family::single(
            Gauge,
            "apitap_event_time_lag_seconds",
            "How far the time of the newest frame is behind the wall's.",
            reading.lag.unwrap_or_default().as_secs_f64(),
        ),
        Family::single(Gauge, "apitap_queue_ratio", "How full the workers' queues are, 0 to 1.", reading.backlog),
        Family::single(
            Gauge,
            "apitap_shedding_step",
            "What is left out for want of time: 0 nothing, 1 and 2 parts of bodies, 3 to 6 connections.",
            f64::from(reading.shedding.step()),
        ),
        Family::single(
            Counter,
            "apitap_shedding_seconds_total",
            "Time in which something was left out.",
            reading.shed_seconds,
        ),
        Family::single(
            Counter,
            "apitap_clock_jumps_total",
            "Times the clock of the frames jumped.",
            reading.jumps as f64,
        ),
    ]
}

/// Without a /proc there are no samples.
fn of_threads() -> Family {
    let mut spent =
        Family::new(Kind::Counter, "apitap_thread_cpu_seconds_total", "Processor time of each thread: of each stage.");
    for (name, seconds) in threads::cpu_seconds().unwrap_or_default() {
        spent.add(&[("thread", &name)], seconds);
    }
    spent
}

fn of_interfaces(reading: &Reading) -> Vec<Family> {
    let mut up = Family::new(Kind::Gauge, "apitap_interface_up", "1 while an interface is captured from.");
    let mut received =
        Family::new(Kind::Counter, "apitap_interface_frames_total", "Frames of an interface, dropped ones included.");
    let mut dropped = Family::new(
        Kind::Counter,
        "apitap_interface_dropped_total",
        "Frames that were dropped: the ring was full, or the interface itself could not.",
    );
    for interface in &reading.interfaces {
        let name = ("interface", interface.name.as_str());
        up.add(&[name], f64::from(u8::from(interface.is_open)));
        received.add(&[name], interface.received as f64);
        dropped.add(&[name, ("by", "kernel")], interface.dropped as f64);
        dropped.add(&[name, ("by", "interface")], interface.dropped_by_interface as f64);
    }
    vec![up, received, dropped]
}

/// What was dropped, cut or evicted at every bound, and all else that is counted.
fn of_events(reading: &Reading, judged: &Judged) -> Family {
    let help = "What was counted on the way, by name; limits that were hit among them (see the table of limits).";
    let mut events = Family::new(Kind::Counter, "apitap_events_total", help);
    for (name, value) in counters_of(reading, judged).into_iter().filter(|(name, _)| !NO_EVENTS.contains(name)) {
        events.add(&[("event", name)], value as f64);
    }
    events
}

fn of_incidents(judged: &Judged) -> Vec<Family> {
    let mut open = Family::new(Kind::Gauge, "apitap_incidents_open", "Incidents that are open.");
    for severity in Severity::ALL {
        for is_acknowledged in [false, true] {
            let count = judged.open_by_severity.get(&(severity, is_acknowledged)).copied().unwrap_or(0);
            let acknowledged = if is_acknowledged { "true" } else { "false" };
            open.add(&[("severity", severity.name()), ("acknowledged", acknowledged)], count as f64);
        }
    }
    let mut total =
        Family::new(Kind::Gauge, "apitap_incidents", "Incidents since the start, by the worst they reached.");
    for detector in Ruleset::detectors() {
        let counts = judged.tally.by_detector.get(detector);
        for (severity, count) in counts.into_iter().flatten() {
            total.add(&[("detector", detector), ("severity", &severity.to_string())], *count as f64);
        }
    }
    vec![
        open,
        total,
        Family::single(
            Kind::Counter,
            "apitap_alerts_total",
            "Records of incidents that were written.",
            judged.alerts as f64,
        ),
    ]
}

fn of_sinks(daemon: &Daemon) -> Vec<Family> {
    let mut queued = Family::new(Kind::Gauge, "apitap_sink_queued", "Records that wait for a sink.");
    let mut sent = Family::new(Kind::Counter, "apitap_sink_sent_total", "Records that a sink took.");
    let mut failed = Family::new(Kind::Counter, "apitap_sink_failures_total", "Attempts that failed.");
    let mut dropped = Family::new(Kind::Counter, "apitap_sink_dropped_total", "Records that had to be given up.");
    for (name, statistics) in daemon.sinks.statistics() {
        let sink = ("sink", name);
        queued.add(&[sink], statistics.queued as f64);
        sent.add(&[sink], statistics.sent as f64);
        failed.add(&[sink], statistics.failed as f64);
        dropped.add(&[sink], statistics.dropped as f64);
    }
    vec![queued, sent, failed, dropped]
}

fn of_state(daemon: &Daemon) -> Vec<Family> {
    let progress = daemon.checkpointer.progress();
    let last = progress.last_success.unwrap_or(daemon.board.started_at).elapsed().unwrap_or_default().as_secs_f64();
    vec![
        Family::single(
            Kind::Counter,
            "apitap_checkpoints_total",
            "Times that what changed was written.",
            progress.checkpoints as f64,
        ),
        Family::single(
            Kind::Gauge,
            "apitap_checkpoint_failures",
            "Attempts that failed since the last success.",
            progress.failures as f64,
        ),
        Family::single(
            Kind::Counter,
            "apitap_checkpoint_bytes_total",
            "Bytes that were written.",
            progress.bytes_written as f64,
        ),
        Family::single(
            Kind::Gauge,
            "apitap_checkpoint_age_seconds",
            "Time since the last success, or since the start.",
            last,
        ),
        Family::single(
            Kind::Gauge,
            "apitap_checkpoint_longest_cut_seconds",
            "The longest that the judge was held up.",
            progress.longest_cut.as_secs_f64(),
        ),
    ]
}

fn of_endpoints(daemon: &Daemon) -> Vec<Family> {
    let counter = |name, help| Family::new(Kind::Counter, name, help);
    let mut requests = counter("apitap_http_requests_total", "Requests to an endpoint, by class of status.");
    let mut attempts = counter("apitap_logins_total", "Attempts to log in.");
    let mut failed = counter("apitap_failed_logins_total", "Attempts to log in that failed.");
    let mut data = counter(
        "apitap_sensitive_values_total",
        "Sensitive values in responses, by class: the distinct ones of each window.",
    );
    let mut latency = Family::new(
        Kind::Histogram,
        "apitap_http_request_duration_seconds",
        "From a request's start to its response's.",
    );
    for one in shown(daemon) {
        let labels = [("method", one.method.as_str()), ("host", &one.host), ("endpoint", &one.template)];
        let figures = &one.figures;
        for (class, count) in figures.statuses().filter(|(_, count)| *count > 0) {
            requests.add(&with(&labels, "status", class), count as f64);
        }
        if figures.logins > 0 {
            attempts.add(&labels, figures.logins as f64);
            failed.add(&labels, figures.failed_logins as f64);
        }
        for (class, values) in figures.data().filter(|(_, values)| *values > 0) {
            data.add(&with(&labels, "class", class), values as f64);
        }
        if figures.timed > 0 {
            for (bound, count) in figures.buckets() {
                latency.add_with("_bucket", &with(&labels, "le", &bound.to_string()), count as f64);
            }
            latency.add_with("_bucket", &with(&labels, "le", "+Inf"), figures.timed as f64);
            latency.add_with("_sum", &labels, figures.microseconds as f64 / 1e6);
            latency.add_with("_count", &labels, figures.timed as f64);
        }
    }
    vec![requests, attempts, failed, data, latency]
}

/// An endpoint's labels and one more.
fn with<'l>(labels: &[(&'static str, &'l str); 3], name: &'static str, value: &'l str) -> [(&'static str, &'l str); 4] {
    [labels[0], labels[1], labels[2], (name, value)]
}

/// Prometheus' text format.
pub fn prometheus_text(families: &[Family]) -> String {
    let mut text = String::new();
    // A String takes all that is written to it.
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(text, "# HELP {} {}\n# TYPE {} {kind}", family.name, family.help, family.name);
        for sample in &family.samples {
            let _ = write!(text, "{}{}", family.name, sample.suffix);
            for (index, (name, value)) in sample.labels.iter().enumerate() {
                let _ = write!(text, "{}{name}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(value));
            }
            let _ = writeln!(text, "{} {}", if sample.labels.is_empty() { "" } else { "}" }, sample.value);
        }
    }
    text
}

/// A label's value: it came off the wire.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other if crate::alert::escape::is_unsafe(other) => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_label_stays_within_its_quotes() {
        let mut family = Family::new(Kind::Counter, "apitap_x_total", "An x.");
        family.add(&[("host", "a\"} 1\nb\\\u{1b}[2J")], 3.0);
        let text = prometheus_text(&[family]);
        assert_eq!(
            text,
            "# HELP apitap_x_total An x.\n# TYPE apitap_x_total counter\n\
             apitap_x_total{host=\"a\\\"} 1\\nb\\\\\u{fffd}[2J\"} 3\n"
        );
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        assert_eq!(prometheus_text(&[Family::new(Kind::Gauge, "apitap_y", "A y.")]), "");
    }
}
