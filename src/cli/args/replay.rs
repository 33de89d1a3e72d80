//! Arguments of `replay`, and of what else reads captures and judges them.

use super::{Colour, among, threads};
use crate::alert::record::{EventType, Severity};
use crate::config::Redact;
use crate::time::parse_duration;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// How captures are read and judged.
#[derive(Args, Debug)]
pub struct ReadingArgs {
    /// Capture to learn from without judging it (may be repeated)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, help_heading = "Learning")]
    pub baseline: Vec<PathBuf>,
    /// Event time that only teaches, where there is no baseline and no state [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Learning")]
    pub learn: Option<Duration>,
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
    /// Worker threads, at most 16; the result does not depend on it [default: as many as processors]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Configuration")]
    pub threads: Option<NonZeroUsize>,
    /// Show no progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
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
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Folder that keeps baselines, inventory and open incidents between runs; made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Learning")]
    pub state: Option<PathBuf>,
    /// Judge only: leave the state as it is (allows captures older than the state)
    #[arg(long, requires = "state", help_heading = "Learning")]
    pub no_learn: bool,
    /// What of URLs to blank: values of secret-like parameters, nothing, or all values [default: secrets]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Output")]
    pub redact: Option<Redact>,
    /// Write EVE JSON lines to this file, which is emptied first; `-` for standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub eve: Option<PathBuf>,
    /// Kinds of EVE lines to write, comma-separated
    #[arg(
        long, value_name = "KINDS", value_delimiter = ',', default_value = "alert", requires = "eve", help_heading = "Output",
        value_parser = among::<EventType>(&EventType::NAMES),
    )]
    pub events: Vec<EventType>,
    /// Print EVE JSON lines instead of readable ones
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Print the details below each alert: expected, probability, evidence, advice
    #[arg(short, long, conflicts_with = "json", help_heading = "Output")]
    pub verbose: bool,
    /// Whether readable lines are coloured
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, help_heading = "Output")]
    pub color: Colour,
    /// Print no progress bar and no closing summary; problems are still said
    #[arg(short, long, conflicts_with = "stats", help_heading = "Output")]
    pub quiet: bool,
    /// End with status 3 if there is an incident this severe or worse
    #[arg(
        long, value_name = "SEVERITY", help_heading = "Output", value_parser = among::<Severity>(&Severity::NAMES),
    )]
    pub fail_on: Option<Severity>,
    /// Print every counter in the closing summary, not only those that matter
    #[arg(long, help_heading = "Output")]
    pub stats: bool,
}
