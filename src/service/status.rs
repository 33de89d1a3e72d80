//! How a running daemon is, on one page: for `apitap status`.

use super::Daemon;
use super::board::Passed;
use crate::alert::OpenIncident;
use crate::baseline::persist::size_of;
use crate::pipeline::{Judge, blindness};
use crate::rule::Ruleset;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub site: String,
    pub pid: u32,
    pub uptime_seconds: u64,
    /// Event time of the newest frame, nanoseconds since 1970.
    pub newest: Option<i64>,
    pub silence_seconds: u64,
    /// Of event time, behind the wall's.
    pub lag_seconds: f64,
    pub frames: u64,
    pub transactions: u64,
    /// Of the last five minutes, as is the share of bytes that are missing.
    pub frames_per_second: f64,
    pub transactions_per_second: f64,
    pub bits_per_second: f64,
    pub interfaces: Vec<InterfaceStatus>,
    /// What is left out for want of time, where anything is.
    pub left_out: Option<String>,
    pub shed_seconds: f64,
    /// What keeps it from telling clients apart, where something does.
    pub blindness: Option<String>,
    /// Bytes that never arrived though acknowledged, of all.
    pub missing_share: f64,
    /// Until when it only learns, nanoseconds since 1970, while it does.
    pub learning_until: Option<i64>,
    /// Detectors and whether they speak already.
    pub detectors: BTreeMap<String, String>,
    pub endpoints: usize,
    pub clients: usize,
    pub principals: usize,
    pub top_endpoints: Vec<TopEndpoint>,
    pub open_incidents: usize,
    /// The worst of them.
    pub incidents: Vec<serde_json::Value>,
    pub sinks: BTreeMap<String, SinkStatus>,
    pub checkpoint_age_seconds: Option<u64>,
    pub checkpoint_problem: Option<String>,
    pub state_bytes: u64,
    pub resident_bytes: u64,
    /// Limits that were hit, by their counters.
    pub dropped: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterfaceStatus {
    pub name: String,
    pub is_open: bool,
    pub received: u64,
    pub dropped: u64,
    pub lost: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TopEndpoint {
    pub name: String,
    pub requests: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkStatus {
    pub queued: u64,
    pub sent: u64,
    pub dropped: u64,
    pub last_error: Option<String>,
}

/// Endpoints and incidents on the page.
const TOP: usize = 10;
/// Detectors that compare with nothing that must be learned first.
const READY_AT_ONCE: [&str; 10] = [
    "brute_force",
    "otp_brute_force",
    "scanner",
    "credential_leak",
    "protocol_abuse",
    "evasion",
    "request_smuggling",
    "injection",
    "server_side_request_forgery",
    "unsigned_token",
];
/// Those that compare, but speak of what is an attack by itself, or breaks a description, meanwhile.
const READY_IN_PART: [&str; 10] = [
    "credential_stuffing",
    "password_spraying",
    "user_enumeration",
    "registration_abuse",
    "password_reset_abuse",
    "shadow_endpoint",
    "unauthenticated_data_exposure",
    "object_enumeration",
    "undocumented_parameter",
    "zombie_endpoint",
];

/// How the state of a detector begins that needs more time than others.
pub const READY_AFTER: &str = "ready after ";
const DAY_SECONDS: u64 = 86_400;

pub fn status(daemon: &Arc<Daemon>) -> Result<Status, String> {
    let store = Arc::clone(&daemon.store);
    let (incidents, min_idle) = daemon.on_judge(move |judge: &mut Judge| {
        let incidents: Vec<OpenIncident> = judge.incidents().list(&store).into_iter().take(TOP).collect();
        (incidents, judge.rules().idle_api_key.min_idle())
    })?;
    let (reading, judged) = (daemon.board.reading(), daemon.board.judged());
    let uptime = daemon.board.started.elapsed();
    let (time, lately) = daemon.board.lately(Instant::now(), &Passed::of(&reading, &judged));
    let seconds = time.as_secs_f64().max(1.0);
    let learning_until = judged.learn_until.filter(|until| judged.now.is_none_or(|now| now < *until));
    let watched = daemon.store.watched().between(Timestamp::MIN, judged.now.unwrap_or(Timestamp::MIN));
    let progress = daemon.checkpointer.progress();
    let config = daemon.config();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        site: config.site.name.clone(),
        pid: std::process::id(),
        uptime_seconds: uptime.as_secs(),
        newest: reading.newest.map(|time| time.0),
        silence_seconds: reading.silence.as_secs(),
        lag_seconds: reading.lag.unwrap_or_default().as_secs_f64(),
        frames: reading.packets.frames,
        transactions: judged.counters.http.transactions,
        frames_per_second: lately.frames as f64 / seconds,
        transactions_per_second: lately.wire.transactions as f64 / seconds,
        bits_per_second: lately.wire_bytes as f64 * 8.0 / seconds,
        interfaces: reading
            .interfaces
            .iter()
            .map(|interface| InterfaceStatus {
                name: interface.name.clone(),
                is_open: interface.is_open,
                received: interface.received,
                dropped: interface.dropped + interface.dropped_by_interface,
                lost: interface.lost,
            })
            .collect(),
        left_out: (!reading.shedding.is_none()).then(|| reading.shedding.to_string()),
        shed_seconds: reading.shed_seconds,
        blindness: blindness(lately.forwarded, lately.wire.transactions),
        missing_share: lately.wire.missing_bytes as f64 / (lately.wire.bytes + lately.wire.missing_bytes).max(1) as f64,
        learning_until: learning_until.map(|until| until.0),
        detectors: detectors(&config.detect.disabled, learning_until, min_idle.saturating_sub(watched)),
        endpoints: daemon.store.endpoints.len(),
        clients: daemon.store.clients.len(),
        principals: daemon.store.principals.len(),
        top_endpoints: top_endpoints(daemon),
        open_incidents: judged.open_incidents,
        incidents: incidents.iter().filter_map(|incident| serde_json::to_value(incident).ok()).collect(),
        sinks: daemon
            .sinks
            .statistics()
            .into_iter()
            .map(|(name, sink)| {
                let status = SinkStatus {
                    queued: sink.queued,
                    sent: sink.sent,
                    dropped: sink.dropped,
                    last_error: sink.last_error,
                };
                (name.to_owned(), status)
            })
            .collect(),
        checkpoint_age_seconds: progress.last_success.and_then(|at| at.elapsed().ok()).map(|age| age.as_secs()),
        checkpoint_problem: progress.last_error.filter(|_| progress.failures > 0).map(|(_, error)| error),
        state_bytes: size_of(&config.state.folder),
        resident_bytes: reading.resident_bytes,
        dropped: super::metrics::counters_of(&reading, &judged)
            .into_iter()
            .filter(|(name, value)| *value > 0 && crate::pipeline::LOSSES.contains(name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    })
}

/// Nothing was idle for long before the sensor watched as long: some time is left until then.
fn detectors(disabled: &[String], learning_until: Option<Timestamp>, left: Duration) -> BTreeMap<String, String> {
    let state = |name: &str| match learning_until {
        _ if disabled.iter().any(|other| other == name) => "disabled".to_owned(),
        _ if name == "idle_api_key" && !left.is_zero() => {
            format!("{READY_AFTER}{} days", left.as_secs().div_ceil(DAY_SECONDS))
        }
        Some(_) if READY_IN_PART.contains(&name) => "ready in part".to_owned(),
        Some(_) if !READY_AT_ONCE.contains(&name) && !name.starts_with("sensor_") => "learning".to_owned(),
        _ => "ready".to_owned(),
    };
    Ruleset::detectors().iter().map(|name| ((*name).to_owned(), state(name))).collect()
}

fn top_endpoints(daemon: &Daemon) -> Vec<TopEndpoint> {
    let mut ranked: Vec<(u64, u64)> =
        daemon.store.endpoints.iter().map(|state| (state.tally.requests, *state.key())).collect();
    ranked.sort_unstable_by(|one, other| other.cmp(one));
    let named = ranked.into_iter().take(TOP);
    named
        .filter_map(|(requests, key)| Some(TopEndpoint { name: daemon.store.endpoints.get(&key)?.name(), requests }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_are_detectors_and_each_is_one_or_the_other() {
        let all = Ruleset::detectors();
        assert!(READY_AT_ONCE.iter().chain(&READY_IN_PART).all(|name| all.contains(name)));
        assert!(READY_AT_ONCE.iter().all(|name| !READY_IN_PART.contains(name)));
        let some_days = Duration::from_secs(12 * DAY_SECONDS + 1);
        let meanwhile = detectors(&["scanner".to_owned()], Some(Timestamp(1)), some_days);
        assert_eq!(meanwhile["scanner"], "disabled");
        assert_eq!(meanwhile["credential_leak"], "ready");
        assert_eq!(meanwhile["object_enumeration"], "ready in part");
        assert_eq!(meanwhile["traffic_drop"], "learning");
        assert_eq!(meanwhile["idle_api_key"], "ready after 13 days");
        let later = detectors(&[], None, Duration::ZERO);
        assert_eq!((&*later["traffic_drop"], &*later["idle_api_key"]), ("ready", "ready"));
    }
}
