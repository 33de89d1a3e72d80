//! The command line: what can be typed, with its help. Completions and the man page come from the same definitions.
//!
//! Values are checked as they are parsed, so that wrong usage ends with status 2 before anything is read or written.

use crate::alert::human::Style;
use crate::alert::record::Severity;
pub use crate::config::Redact;
use crate::rule::{Network, Ruleset, did_you_mean};
use crate::time::{Timestamp, parse_duration};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

mod daemon;
mod doctor;
mod evaluate;
mod replay;
mod simulate;

pub use daemon::{
    DaemonArgs, ExplainArgs, IncidentArgs, IncidentCommand, ReloadArgs, RunArgs, StatusArgs, SuppressArgs,
};
pub use doctor::DoctorArgs;
pub use evaluate::EvaluateArgs;
pub use replay::{ReadingArgs, ReplayArgs};
pub use simulate::{SimulateArgs, TrafficProfile};

/// Whether lines are coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal, as NO_COLOR, CLICOLOR_FORCE and TERM say
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    pub fn style(self) -> Style {
        match self {
            Colour::Auto => Style::of_stdout(),
            Colour::Always => Style { colour: true },
            Colour::Never => Style { colour: false },
        }
    }
}

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
    Evaluate(Box<EvaluateArgs>),
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
    /// EVE log to read; .gz works, `-` is standard input [default: `alert.file` of /etc/apitap/apitap.toml]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
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
    /// Whether lines are coloured
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Colour,
}

impl TailArgs {
    /// Whether to follow, given what standard output is.
    pub fn follows(&self, stdout_is_terminal: bool) -> bool {
        let ends_by_itself = self.is_stdin() || self.is_compressed();
        self.follow || (stdout_is_terminal && !self.no_follow && !ends_by_itself)
    }

    /// Whether not all alerts are wanted.
    pub fn is_filtering(&self) -> bool {
        let is_limited = self.severity.is_some() || self.client.is_some() || self.endpoint.is_some();
        is_limited || self.since.is_some() || !self.detector.is_empty()
    }

    pub fn is_stdin(&self) -> bool {
        self.file.as_deref().is_some_and(is_dash)
    }

    pub fn is_compressed(&self) -> bool {
        self.file.as_ref().and_then(|file| file.extension()).is_some_and(|extension| extension == "gz")
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
  apitap inventory traffic.pcap --openapi api.yaml     which endpoints are not documented, and which nobody asks for

Without FILE a running daemon is asked; the state folder itself is opened where none has it."
)]
pub struct InventoryArgs {
    /// Captures to learn from, as for `replay`
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// OpenAPI description of a watched API (may be repeated)
    #[arg(long, requires = "files", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub openapi: Vec<PathBuf>,
    /// Worker threads, at most 16; the result does not depend on it [default: as many as processors]
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

#[derive(Args, Debug)]
pub struct RulesArgs {
    #[command(subcommand)]
    pub command: RulesCommand,
}

#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Print the built-in rules with what each key means, to change what they say
    #[command(after_help = "Examples:
  apitap rules default | less
  mkdir -p /etc/apitap/rules
  apitap rules default scanner > /etc/apitap/rules/client_error_spike.toml

A file of a rules folder is laid over the built-in one of the same name (which stands above its text):
leave in it only what you change. The daemon reads the folder that apitap.toml names:
[rules] folder = \"/etc/apitap/rules\".")]
    Default {
        /// Rules of this file or detector [default: all]
        #[arg(value_name = "NAME", value_parser = rules_named)]
        name: Option<&'static str>,
    },
    /// Check the rules of a folder, as `--rules` or `rules.folder` would lay them over the built-in ones
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
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

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
    /// Print the hashes by which alerts name accounts, of user names
    #[command(after_help = "Examples:
  sudo apitap state account alice@example.com
  cut -f1 users.tsv | sudo apitap state account - | grep 3f9ac21d00b7e455

Hashes are keyed: those of another state folder are others. Case and spaces around a name do not matter.")]
    Account {
        /// User names; `-` reads one a line from standard input
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
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

/// The file of the built-in rules that has this name, or in which this detector stands.
fn rules_named(name: &str) -> Result<&'static str, String> {
    let files = Ruleset::embedded_files();
    let is_in =
        |text: &str| text.lines().any(|line| line.strip_prefix('[').is_some_and(|rest| rest == format!("{name}]")));
    let stem = |file: &'static str| file.strip_suffix(".toml").unwrap_or(file);
    let by_name = files.iter().find(|(file, _)| *file == name || stem(file) == name);
    if let Some((file, _)) = by_name.or_else(|| files.iter().find(|(_, text)| is_in(text))) {
        return Ok(file);
    }
    let names = || files.iter().map(|(file, _)| stem(file)).chain(Ruleset::detectors().iter().copied());
    Err(format!("no rules have this name; `apitap rules default` prints all{}", did_you_mean(name, names())))
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "not a number of threads; write 1 or more, or leave it out".to_owned())
}

#[cfg(test)]
mod tests;
