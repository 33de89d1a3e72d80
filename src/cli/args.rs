//! The command line: what can be typed, with its help. Completions and the man page come from the same definitions.
//!
//! Values are checked as they are parsed, so that wrong usage ends with status 2 before anything is read or written.

use crate::alert::record::{EventType, Severity};
pub use crate::config::Redact;
use crate::rule::{Network, Ruleset, did_you_mean};
use crate::simulate::wire::Tunnel;
use crate::simulate::{Chosen, HostileKind};
use crate::time::{Timestamp, parse_duration};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

mod daemon;
mod doctor;

pub use daemon::{
    ExplainArgs, IncidentArgs, IncidentCommand, ReloadArgs, RunArgs, SocketArgs, StatusArgs, SuppressArgs,
};
pub use doctor::DoctorArgs;

/// Where `tail` looks for alerts unless told otherwise, and where a daemon is to write them.
pub const DEFAULT_ALERT_LOG: &str = "/var/log/apitap/alerts.json";

/// Passive API security sensor: reads mirrored traffic or captures, learns how each API normally behaves, and raises
/// alerts with their evidence.
#[derive(Parser, Debug)]
#[command(
    name = "apitap",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:
  apitap replay traffic.pcap                     what a capture shows, one alert a line
  apitap replay traffic.pcap --eve alerts.json   the same, and a log of it as EVE JSON
  apitap tail alerts.json --severity high -v     alerts of a log in plain words, with evidence and advice
  apitap inventory traffic.pcap                  which endpoints there are
  apitap simulate -o demo.pcap --scenario scanner && apitap replay demo.pcap

`apitap help COMMAND` says more. Exit status: 0 done, 1 failed, 2 wrong usage, 3 --fail-on was met,
130 or 143 ended by Ctrl-C or SIGTERM."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Run(RunArgs),
    Replay(Box<ReplayArgs>),
    Tail(TailArgs),
    Inventory(InventoryArgs),
    Simulate(SimulateArgs),
    Score(ScoreArgs),
    Doctor(DoctorArgs),
    Status(StatusArgs),
    Reload(ReloadArgs),
    Incident(IncidentArgs),
    Explain(ExplainArgs),
    Suppress(SuppressArgs),
    /// Work with detection rules
    Rules(RulesArgs),
    /// Work with the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after a state folder
    State(StateArgs),
    /// Open a database and see whether that goes well
    #[command(hide = true, name = crate::baseline::persist::probe::COMMAND)]
    ProbeDatabase {
        path: PathBuf,
    },
    /// Print the completion script of a shell
    #[command(after_help = "Example:\n  apitap completions bash > /etc/bash_completion.d/apitap")]
    Completions {
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  apitap man | man -l -")]
    Man,
}

/// Read captures and print the alerts they give rise to
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap replay monday.pcap.gz
  apitap replay --baseline last-week/ today.pcapng --eve alerts.json
  apitap replay capture.pcap --openapi api.yaml --fail-on high
  tcpdump -i eth0 -U -w - 'tcp port 8080' | apitap replay - --json | jq .apitap.observed

Without --baseline or --state the first ten minutes of the capture teach what is normal (--learn);
detectors that compare with the normal stay silent until then.
Ctrl-C or SIGTERM ends the reading: what was read is judged, the state saved, the summary printed;
a second one ends apitap at once.
Exit status: 0 done, 1 failed, 2 wrong usage, 3 --fail-on was met (1 wins over 3), 130 ended by
Ctrl-C, 143 by SIGTERM.")]
pub struct ReplayArgs {
    /// Captures: pcap or pcapng, plain, .gz or .zst; `-` is standard input; several, or a folder, are merged by time
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Capture to learn from without judging it (may be repeated)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, help_heading = "Learning")]
    pub baseline: Vec<PathBuf>,
    /// Folder that keeps baselines, inventory and open incidents between runs; made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Learning")]
    pub state: Option<PathBuf>,
    /// Event time that only teaches, where there is no baseline and no state [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Learning")]
    pub learn: Option<Duration>,
    /// Judge only: leave the state as it is (allows captures older than the state)
    #[arg(long, requires = "state", help_heading = "Learning")]
    pub no_learn: bool,
    /// Folder of rules that are laid over the built-in ones, file by file and key by key
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Configuration")]
    pub rules: Option<PathBuf>,
    /// Configuration file (apitap.toml)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// OpenAPI description of a watched API (may be repeated)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub openapi: Vec<PathBuf>,
    /// Look only at packets that match this BPF expression, also inside VLAN tags
    #[arg(long, value_name = "BPF", value_parser = NonEmptyStringValueParser::new(), help_heading = "Configuration")]
    pub filter: Option<String>,
    /// Worker threads, at most 64; the result does not depend on it [default: as many as processors]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Configuration")]
    pub threads: Option<NonZeroUsize>,
    /// What of URLs to blank: values of secret-like parameters, nothing, or all values [default: secrets]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Output")]
    pub redact: Option<Redact>,
    /// Write EVE JSON lines to this file, `-` for standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub eve: Option<PathBuf>,
    /// Kinds of EVE lines to write, comma-separated
    #[arg(
        long, value_name = "KINDS", value_delimiter = ',', default_value = "alert", help_heading = "Output",
        value_parser = among::<EventType>(&EventType::NAMES),
    )]
    pub events: Vec<EventType>,
    /// Print EVE JSON lines instead of readable ones
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// End with status 3 if there is an incident this severe or worse
    #[arg(
        long, value_name = "SEVERITY", help_heading = "Output", value_parser = among::<Severity>(&Severity::NAMES),
    )]
    pub fail_on: Option<Severity>,
    /// Show no progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
    /// Print every counter in the closing summary, not only those that matter
    #[arg(long, help_heading = "Output")]
    pub stats: bool,
}

/// Show alerts of a log in plain words and follow it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap tail
  apitap tail --severity high --since 2h -v
  apitap tail alerts.json --endpoint 'POST */v1/login' --no-follow
  apitap tail /var/log/apitap/alerts.json.1.gz --lines 100
  apitap replay traffic.pcap --json | apitap tail -

Like `tail -F`, following goes on when the log is rotated (renamed and made anew) or truncated, and
waits for a log that is not there yet. It is the default when standard output is a terminal, except
for compressed files and standard input, which end. Ctrl-C ends it, with status 0.")]
pub struct TailArgs {
    /// EVE log to read; .gz works, `-` is standard input
    #[arg(value_name = "FILE", default_value = DEFAULT_ALERT_LOG, value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Go on with what is appended [default: if standard output is a terminal]
    #[arg(short = 'f', long, overrides_with = "no_follow")]
    pub follow: bool,
    /// End when the log has been read
    #[arg(long, overrides_with = "follow")]
    pub no_follow: bool,
    /// Show this many of the last matching alerts, or `all` [default: 10; with --since or standard input: all]
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<Lines>,
    /// Only alerts this severe or worse
    #[arg(long, value_name = "SEVERITY", value_parser = among::<Severity>(&Severity::NAMES))]
    pub severity: Option<Severity>,
    /// Only alerts of this detector (may be repeated)
    #[arg(long, value_name = "DETECTOR", value_parser = detector_named)]
    pub detector: Vec<String>,
    /// Only alerts that name this client, as an address or a network: as the client, among the sample, in the evidence
    #[arg(long, value_name = "IP")]
    pub client: Option<Network>,
    /// Only alerts about endpoints like this: METHOD host/path, host/path or /path; `*` is any text
    #[arg(long, value_name = "GLOB", value_parser = NonEmptyStringValueParser::new())]
    pub endpoint: Option<String>,
    /// Only alerts since a time (2025-11-23T10:00:00Z, 2025-11-23; UTC) or a span before now (2h)
    #[arg(long, value_name = "T", value_parser = Since::from_str)]
    pub since: Option<Since>,
    /// Print the log's own JSON lines
    #[arg(long)]
    pub json: bool,
    /// Print the details below each alert: expected, probability, evidence, advice
    #[arg(short, long, conflicts_with = "json")]
    pub verbose: bool,
}

impl TailArgs {
    /// Whether to follow, given what standard output is.
    pub fn follows(&self, stdout_is_terminal: bool) -> bool {
        let ends_by_itself = self.is_stdin() || self.is_compressed();
        self.follow || (stdout_is_terminal && !self.no_follow && !ends_by_itself)
    }

    pub fn is_stdin(&self) -> bool {
        is_dash(&self.file)
    }

    pub fn is_compressed(&self) -> bool {
        self.file.extension().is_some_and(|extension| extension == "gz")
    }
}

/// What `--lines` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lines {
    Last(usize),
    All,
}

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Lines, String> {
        match text {
            "all" => Ok(Lines::All),
            _ => text.parse().map(Lines::Last).map_err(|_| "write a number or `all`".to_owned()),
        }
    }
}

/// What `--since` means: a point of time, or a span before now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    Time(Timestamp),
    Ago(Duration),
}

impl Since {
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Since::Time(time) => time,
            Since::Ago(span) => now.saturating_sub(span),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        // `Timestamp::parse` slices by bytes; times are ASCII, so refuse the rest before it.
        if text.is_ascii() {
            // People leave out what is zero, and write a space for the `T`, as alerts are printed.
            let whole = match text.len() {
                10 => format!("{text}T00:00:00"),
                16 => format!("{text}:00"),
                _ => text.to_owned(),
            };
            if let Some(time) = Timestamp::parse(&whole) {
                return Ok(Since::Time(time));
            }
        }
        parse_duration(text).map(Since::Ago).map_err(|_| {
            "not a time or a span; write for example 2025-11-23T10:00:00Z, 2025-11-23, 90s, 10m, 2h or 1d".to_owned()
        })
    }
}

/// List the endpoints that captures, a running daemon or a state folder know
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("source").args(["state", "files"]),
    after_help = "Examples:
  apitap inventory                                     what the running daemon knows
  apitap inventory traffic.pcap
  apitap inventory --state /var/lib/apitap --format json
  apitap inventory traffic.pcap --openapi api.yaml     which endpoints are not documented

Without FILE a running daemon is asked; the state folder itself is opened where none has it."
)]
pub struct InventoryArgs {
    /// Captures to learn from, as for `replay`
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// State folder, of a daemon or of `replay --state` [default: that of the running daemon, or /var/lib/apitap]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub daemon: SocketArgs,
    /// Configuration file (apitap.toml)
    #[arg(long, requires = "files", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// OpenAPI description of a watched API (may be repeated)
    #[arg(long, requires = "files", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub openapi: Vec<PathBuf>,
    /// Worker threads, at most 64; the result does not depend on it [default: as many as processors]
    #[arg(long, requires = "files", value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// A table for people, or EVE `endpoint` lines
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: InventoryFormat,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum InventoryFormat {
    #[default]
    Table,
    Json,
}

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
what, and which detectors should speak; `apitap score` compares alerts with it."
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

/// Compare alerts with the truth about the traffic
#[derive(Args, Debug)]
#[command(after_help = "Example:
  apitap simulate -o t.pcap --scenario scanner && apitap replay t.pcap --eve alerts.json
  apitap score t.truth.jsonl alerts.json

An attack is found if one of its detectors speaks at its time, of its clients or endpoints. An alert is false if it
fits no attack and no benign change. Exit status: 1 if an attack was missed or --max-false is exceeded.")]
pub struct ScoreArgs {
    /// Truth, as `apitap simulate` writes it
    #[arg(value_name = "TRUTH", value_hint = ValueHint::FilePath)]
    pub truth: PathBuf,
    /// Alerts, as `apitap replay --eve` writes them
    #[arg(value_name = "ALERTS", value_hint = ValueHint::FilePath)]
    pub alerts: PathBuf,
    /// Fail if more incidents than this are false [default: any number is tolerated]
    #[arg(long, value_name = "N")]
    pub max_false: Option<usize>,
    /// Count only false incidents this severe or worse
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = among::<Severity>(&Severity::NAMES))]
    pub false_from: Severity,
    /// Print the score as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct RulesArgs {
    #[command(subcommand)]
    pub command: RulesCommand,
}

#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Check the rules of a folder, as `--rules` would lay them over the built-in ones
    #[command(after_help = "Example:\n  apitap rules check /etc/apitap/rules")]
    Check {
        /// Folder of rules [default: the built-in rules]
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Print the configuration with every key at its default, and what each means
    #[command(after_help = "Example:\n  apitap config default > apitap.toml")]
    Default,
    /// Check a configuration file, what it names, and the overrides in the environment
    #[command(after_help = "Example:\n  APITAP_CAPTURE__INTERFACES=eth1 apitap config check apitap.toml")]
    Check {
        /// File to check [default: /etc/apitap/apitap.toml]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap state stats
  apitap state export backup.apitap && apitap state import backup.apitap --state elsewhere/
  apitap state forget --client 192.0.2.1

A running daemon is asked to do it; the folder itself is opened where none has it. `import` needs the
daemon stopped.")]
pub struct StateArgs {
    #[command(subcommand)]
    pub command: StateCommand,
    /// Folder of the state [default: that of the running daemon, or /var/lib/apitap]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub daemon: SocketArgs,
}

/// Where a daemon keeps its state unless told otherwise.
pub const DEFAULT_STATE_FOLDER: &str = "/var/lib/apitap";

#[derive(Subcommand, Debug)]
pub enum StateCommand {
    /// Write the whole state, with its hash key, to one file
    Export {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put what a file of `export` holds in the place of the state
    Import {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Say what the folder holds, and how large it is
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a client or an endpoint, on the disk too
    #[command(group = ArgGroup::new("whom").required(true).args(["client", "endpoint"]))]
    Forget {
        /// Address of a client
        #[arg(long, value_name = "IP")]
        client: Option<std::net::IpAddr>,
        /// Endpoint, as alerts name it: `METHOD host/template`
        #[arg(long, value_name = "ENDPOINT", value_parser = endpoint_name)]
        endpoint: Option<String>,
    },
}

/// An endpoint as alerts name it; a space between host and template is borne.
fn endpoint_name(text: &str) -> Result<String, String> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(place), template, None)
            if format!("{place}{}", template.unwrap_or_default()).contains('/') =>
        {
            Ok(format!("{method} {place}{}", template.unwrap_or_default()))
        }
        _ => Err("not an endpoint; write for example 'GET api.example/v1/users/{id}'".to_owned()),
    }
}

/// Whether a path stands for standard input or output.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A value of a closed set of names; clap names the nearest one when it is misspelt.
fn among<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

fn detector_named(name: &str) -> Result<String, String> {
    let known = Ruleset::detectors();
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = did_you_mean(name, known.iter().copied());
    Err(format!("there is no such detector; there are: {}{hint}", known.join(", ")))
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

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "not a number of threads; write 1 or more, or leave it out".to_owned())
}

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

#[cfg(test)]
mod tests;
