//! Arguments of the daemon, and of the commands that speak to one.

use crate::time::parse_duration;
use clap::{ArgGroup, Args, Subcommand, ValueHint};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// Listen on interfaces and raise alerts, until told to stop
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sudo apitap run -i eth1
  sudo apitap run -i eth1 -i eth2 --config apitap.toml
  APITAP_SERVICE__SOCKET=log/control.sock apitap run --read-fifo frames --state state/ --log-dir log/
  sudo apitap run -i eth1 --check          whether it would start

Flags win over the configuration, that over the defaults (`apitap config default` prints them).
Alerts go to /var/log/apitap/alerts.json (`apitap tail` follows it), what was learned to
/var/lib/apitap, figures to http://127.0.0.1:9464/metrics.
SIGTERM and Ctrl-C end it in good order, SIGHUP reloads, SIGUSR1 reopens the log.")]
pub struct RunArgs {
    /// Interface to listen on (may be repeated) [default: `capture.interfaces`]
    #[arg(short, long = "interface", value_name = "IFACE", value_hint = ValueHint::Other)]
    pub interfaces: Vec<String>,
    /// Read captures from this named pipe instead, `-` for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "interfaces")]
    pub read_fifo: Option<PathBuf>,
    /// Configuration file [default: /etc/apitap/apitap.toml, where it is]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Folder that keeps what was learned and open incidents [default: `state.folder`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Folder for alerts.json [default: that of `alert.file`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub log_dir: Option<PathBuf>,
    /// Worker threads, at most 16 [default: `capture.threads`]
    #[arg(long, value_name = "N", value_parser = super::threads)]
    pub threads: Option<NonZeroUsize>,
    /// Only check whether it would start: configuration, rules, descriptions, interfaces
    #[arg(long)]
    pub check: bool,
}

/// Where the daemon is that a command speaks to, and its folder where none runs.
#[derive(Args, Debug)]
pub struct DaemonArgs {
    /// Control socket of the daemon [default: `service.socket` of its configuration]
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// State folder [default: that of the running daemon, else `state.folder` of its configuration]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Configuration file of the daemon [default: /etc/apitap/apitap.toml, where it is]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Show how the sensor is
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap status
  apitap status --json | jq .interfaces

Where no daemon runs, it says so, shows what the state folder holds, and ends with status 1.")]
pub struct StatusArgs {
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Make a running daemon read configuration, rules and OpenAPI descriptions again
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap reload
  systemctl reload apitap

What is not valid is refused whole, with the reason, and what was in force stays so.
What needs a restart is named.")]
pub struct ReloadArgs {
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

/// Look at open incidents, acknowledge or close them
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap incident list                               what is open, worst first
  apitap incident show 9f3c00aa12de4b71              its story, with evidence
  apitap incident ack 9f3c00aa12de4b71               known: quiet unless it gets worse

A running daemon is asked; the state folder itself is opened where none has it.")]
pub struct IncidentArgs {
    #[command(subcommand)]
    pub command: IncidentCommand,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

#[derive(Subcommand, Debug)]
pub enum IncidentCommand {
    /// List the open ones, worst first
    List {
        /// List what was learned from acknowledged ones instead, also from those that are over
        #[arg(long)]
        learned: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the story of one with its evidence, also when it is over
    Show {
        id: String,
        /// EVE log that has it, where no daemon has it open [default: `alert.file` of the configuration]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        log: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// You know of it: it is not told again unless it gets worse
    ///
    /// Where it is a habit of somebody (a nightly batch, a new field that is meant) it is learned: found again, no worse and at most
    /// twice as much, it opens no incident until it was away for 30 days. Attacks on logins, scans and the like are told anew each time.
    Ack { id: String },
    /// Take an acknowledgement back, also of one that is over: what it taught is forgotten
    Unack { id: String },
    /// Close it now; what goes on opens another
    Close { id: String },
}

/// Print the numbers behind an incident: observed, expected, odds, floors, what weighed most
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap explain 9f3c00aa12de4b71                        of the daemon, or of its log
  apitap explain 9f3c00aa12de4b71 --log alerts.json      of a log that `apitap replay --eve` wrote")]
pub struct ExplainArgs {
    /// The incident's id; its first digits are enough in a log
    pub id: String,
    /// EVE log that has it, where no daemon has it open [default: `alert.file` of the configuration]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Keep quiet what is known, for a while
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("deed").required(true).multiple(true).args(["detector", "endpoint", "client", "list", "remove"]),
    after_help = "Examples:
  apitap suppress --detector scanner --client 192.0.2.0/24 --for 7d --reason 'our own scan'
  apitap suppress --endpoint 'GET api.example/v2/*' --for 1d --reason 'release of v2'
  apitap suppress --list
  apitap suppress --remove 3

All that is named must match. They survive a restart. Lasting ones belong into suppress.toml of the
folder that `rules.folder` names."
)]
pub struct SuppressArgs {
    /// Name of a detector
    #[arg(long, value_name = "DETECTOR", value_parser = super::detector_named)]
    pub detector: Option<String>,
    /// Only endpoints like this: METHOD host/path, host/path or /path; `*` is any text
    #[arg(long, value_name = "GLOB")]
    pub endpoint: Option<String>,
    /// Address or network
    #[arg(long, value_name = "IP")]
    pub client: Option<crate::rule::Network>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "7d")]
    pub span: Duration,
    /// Why this is not to be told
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "remove"])]
    pub reason: Option<String>,
    /// List those that hold
    #[arg(long, conflicts_with_all = ["detector", "endpoint", "client", "remove"])]
    pub list: bool,
    /// Remove one, by its number
    #[arg(long, value_name = "N")]
    pub remove: Option<u64>,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}
