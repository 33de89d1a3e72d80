//! Labelled API traffic as a capture, for tests, benches and the demo.
//!
//! In go [`Options`], out come a capture (nanosecond pcap, Ethernet) and a truth file: a line of JSON for each attack
//! and each benign change, a summary at the end. The same options give the same bytes. Everything is invented here;
//! nothing is sent to anybody.
//!
//! - [`wire`] turns exchanged bytes into frames; tests use it by itself.
//! - `stage` plays actors in order of time; `benign`, `attack` and `hostile` are the actors; `shop` is the API they use.
//!
//! Memory is bounded by what is under way at one time, not by the length of the capture: frames leave for the writer
//! as soon as nothing earlier can come.

mod attack;
mod benign;
mod condition;
mod exchange;
mod hostile;
mod http2;
mod link;
mod people;
mod queue;
pub mod random;
mod scenario;
mod shop;
mod stage;
#[cfg(test)]
mod tests;
mod truth;
pub mod wire;
mod world;

use crate::time::Timestamp;
pub use hostile::Kind as HostileKind;
pub use scenario::{Chosen, Level, Numbers, Scenario, ScenarioError, ScenarioInfo, scenarios};
use std::io;
use std::time::Duration;
use truth::Matter;
use wire::Tunnel;

/// What kind of benign traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// A hard ordinary day: people, machines, releases.
    #[default]
    Day,
    /// For benchmarks: JSON of 0.2 to 20 kB, 30 % gzip, 25 % chunked, about 12 requests a connection.
    Mixed,
    /// For benchmarks: transactions of about 200 bytes each way.
    Small,
    /// For benchmarks: bodies of 1 to 10 MB.
    Bulk,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    pub scenarios: Vec<(Scenario, Level)>,
    pub duration: Duration,
    /// Benign transactions a second, on the mean over `duration`.
    pub rate: f64,
    /// People (in the benchmarks' profiles: connections).
    pub clients: u32,
    pub seed: u64,
    /// Streams a second that are made to hurt whoever watches them.
    pub hostile: f64,
    /// All of them of this kind; of every kind in turn, where none is named.
    pub hostile_kind: Option<HostileKind>,
    /// Probability for each frame to be lost on its way to the capture.
    pub loss: f64,
    /// Probability for each frame to arrive late, behind later ones.
    pub reorder: f64,
    /// Probability for each frame to arrive twice.
    pub duplicate: f64,
    pub vlan: Option<u16>,
    /// Every frame comes in a tunnel of this kind.
    pub tunnel: Option<Tunnel>,
    /// Share of clients that speak HTTP/2 with prior knowledge, 0 to 1.
    pub http2: f64,
    /// All addresses are IPv6.
    pub ipv6: bool,
    pub snaplen: u32,
    pub start: Timestamp,
    pub profile: Profile,
    /// Attacks start only after so much benign time.
    pub quiet_first: Duration,
    /// A line for each transaction in the truth file.
    pub log_transactions: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            scenarios: Vec::new(),
            duration: Duration::from_secs(3600),
            rate: 20.0,
            clients: 500,
            seed: 1,
            hostile: 0.0,
            hostile_kind: None,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            vlan: None,
            tunnel: None,
            http2: 0.0,
            ipv6: false,
            snaplen: wire::FULL_SNAPLEN,
            start: wire::DEFAULT_START,
            profile: Profile::Day,
            quiet_first: Duration::from_secs(900),
            log_transactions: false,
        }
    }
}

/// What was generated.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Requests sent, answered or not.
    pub transactions: u64,
    pub connections: u64,
    /// Frames in the capture, after impairments.
    pub frames: u64,
    /// Bytes of these frames, before the snap length.
    pub bytes: u64,
    pub attacks: u64,
    #[serde(serialize_with = "as_text")]
    pub first: Timestamp,
    #[serde(serialize_with = "as_text")]
    pub last: Timestamp,
    pub seed: u64,
}

fn as_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Writes the capture and its truth. Streams: both writers get the data as it is made, in large pieces.
pub fn generate(options: &Options, pcap: &mut dyn io::Write, truth: &mut dyn io::Write) -> io::Result<Summary> {
    let queue = queue::FrameQueue::new(pcap, options);
    let end = options.start.saturating_add(options.duration);
    let world = world::World {
        seed: options.seed,
        start: options.start,
        end,
        attacks_from: options.start.saturating_add(options.quiet_first).min(end),
        clients: options.clients.max(1),
        ipv6: options.ipv6,
        vlan: options.vlan,
        http2: options.http2,
        rate: options.rate,
    };
    let mut stage = stage::Stage::new(world.clone(), queue, truth, options.log_transactions);
    if let Some(past) = attack::past_of(&options.scenarios) {
        // An ordinary day's beginning, from which whoever watches learns; then weeks in which only machines go on.
        let start = options.start.saturating_sub(past);
        let weeks = start.saturating_add(options.quiet_first);
        stage.world = world::World { start, end: weeks, attacks_from: weeks, ..world.clone() };
        if options.rate > 0.0 {
            benign::cast(&mut stage, options.profile);
        }
        attack::cast_past(&mut stage, &options.scenarios);
        stage.play()?;
        stage.world = world::World { start: weeks, end: options.start, attacks_from: options.start, ..world.clone() };
        let silence = Matter::Benign { name: "quiet_weeks", may: &["traffic_drop"], max_severity: "high" };
        stage.record_silence(silence, weeks, options.start);
        benign::cast_machines(&mut stage);
        attack::cast_weeks(&mut stage, &options.scenarios);
        stage.play()?;
        stage.world = world;
    }
    if options.rate > 0.0 {
        benign::cast(&mut stage, options.profile);
    }
    attack::cast(&mut stage, &options.scenarios, options.profile);
    if options.hostile > 0.0 {
        hostile::cast(&mut stage, options.hostile, options.hostile_kind);
    }
    stage.play()?;
    stage.finish()?;
    let attacks = stage.records.iter().filter(|record| record.is_attack() && record.start().is_some()).count();
    let summary = Summary {
        transactions: stage.transactions,
        connections: stage.connections,
        frames: stage.queue().frames,
        bytes: stage.queue().bytes,
        attacks: attacks as u64,
        first: stage.queue().first.unwrap_or(options.start),
        last: stage.queue().last().max(options.start),
        seed: options.seed,
    };
    stage.write_truth(&serde_json::json!({ "summary": summary }).to_string())?;
    Ok(summary)
}
