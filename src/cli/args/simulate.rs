//! Arguments of `simulate`.

use super::did_you_mean;
use crate::simulate::wire::Tunnel;
use crate::simulate::{Chosen, HostileKind};
use crate::time::parse_duration;
use clap::{ArgGroup, Args, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Make labelled traffic: a capture, and beside it the truth about it
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("deed").required(true).args(["out", "list"]),
    after_help = "Examples:
  apitap simulate --list
  apitap simulate -o day.pcap --duration 1d --rate 12
  apitap simulate -o mixed.pcap --scenario credential_stuffing:stealthy --scenario scanner:easy --seed 7
  apitap simulate -o - | apitap replay -

The same options and seed give the same bytes. OUT.truth.jsonl says, for each attack, when, from whom, against
what, and which detectors should speak; `apitap evaluate` compares alerts with it."
)]
pub struct SimulateArgs {
    /// Capture to write (pcap), `-` for standard output; the truth goes to OUT.truth.jsonl
    #[arg(short, long, value_name = "OUT.pcap", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// File for the truth [default: OUT.truth.jsonl; with `-o -`: none]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub truth: Option<PathBuf>,
    /// Attack to mix in, as NAME or NAME:easy, NAME:medium, NAME:stealthy (may be repeated)
    #[arg(long, value_name = "NAME", value_parser = scenario_named)]
    pub scenario: Vec<Chosen>,
    /// Length of the traffic, in its own time [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Benign transactions a second, on average; 0 for none [default: 20]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Benign clients [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clients: Option<u32>,
    /// Hostile streams a second (floods, bombs, fragments, conflicting overlaps) that nobody should trip over [default: 0]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub hostile: Option<f64>,
    /// What the hostile streams are [default: of every kind in turn]
    #[arg(long, value_name = "KIND", value_parser = |text: &str| named(text, "kind", HostileKind::ALL), requires = "hostile")]
    pub hostile_kind: Option<HostileKind>,
    /// Seed of all chance [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Benign time before the first attack [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub quiet_first: Option<Duration>,
    /// Kind of benign traffic: a hard ordinary day, or one of the benchmarks'
    #[arg(long, value_enum, value_name = "PROFILE", default_value_t)]
    pub profile: TrafficProfile,
    /// Write a line for each transaction to the truth, too
    #[arg(long)]
    pub log_transactions: bool,
    /// Share of frames the capture lost, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Impairments")]
    pub loss: Option<f64>,
    /// Share of frames captured out of order, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Impairments")]
    pub reorder: Option<f64>,
    /// Share of frames captured twice, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Impairments")]
    pub duplicate: Option<f64>,
    /// Tag frames with a VLAN [100 where no id is given]
    #[arg(
        long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..4095), num_args = 0..=1,
        default_missing_value = "100", help_heading = "Impairments",
    )]
    pub vlan: Option<u16>,
    /// Put every frame into a tunnel
    #[arg(long, value_name = "KIND", value_parser = |text: &str| named(text, "tunnel", Tunnel::ALL), help_heading = "Impairments")]
    pub tunnel: Option<Tunnel>,
    /// Share of clients that speak HTTP/2 with prior knowledge, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub http2: Option<f64>,
    /// Speak IPv6
    #[arg(long, help_heading = "Impairments")]
    pub ipv6: bool,
    /// Cut frames to this many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..), help_heading = "Impairments")]
    pub snaplen: Option<u32>,
    /// List the scenarios and leave
    #[arg(long)]
    pub list: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrafficProfile {
    /// People, machines, releases.
    #[default]
    Day,
    /// JSON of 0.2 to 20 kB, 30 % gzip, 25 % chunked.
    Mixed,
    /// Transactions of about 200 bytes each way.
    Small,
    /// Bodies of 1 to 10 MB.
    Bulk,
}

fn scenario_named(text: &str) -> Result<Chosen, String> {
    text.parse::<Chosen>().map_err(|error| {
        let (name, level) = text.split_once(':').unwrap_or((text, ""));
        let names = crate::simulate::scenarios().iter().map(|scenario| scenario.name);
        let is_known = names.clone().any(|known| known == name);
        let hint = if is_known { did_you_mean(level, LEVELS) } else { did_you_mean(name, names) };
        format!("{error}{hint}")
    })
}

/// The one of this name; `what` they are.
fn named<T, const N: usize>(text: &str, what: &str, all: [(&'static str, T); N]) -> Result<T, String> {
    let names = all.each_ref().map(|(name, _)| *name);
    all.into_iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| value)
        .ok_or_else(|| format!("there is no such {what}; there are: {}{}", names.join(", "), did_you_mean(text, names)))
}

const LEVELS: [&str; 3] = ["easy", "medium", "stealthy"];

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("not a share; write a number from 0 to 1, for example 0.01".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("not a rate; write a number a second, 0 or more".to_owned()),
    }
}
