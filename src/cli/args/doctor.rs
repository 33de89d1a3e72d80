//! The arguments of `apitap doctor`.

use crate::time::parse_duration;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Longer than this is no check any more.
const LONGEST_LISTEN: Duration = Duration::from_secs(3600);

/// Check whether a sensor can do its work here: interface, mirror, host, configuration
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  apitap doctor -i eth1                   listen for ten seconds, then say what is wrong and how to mend it
  apitap doctor -i eth1 -i eth2           a tap that gives each direction on a card of its own
  apitap doctor mirror.pcap               the checks of the traffic, on a capture
  apitap doctor                           the interfaces of the configuration, and the checks of the host
  apitap doctor -i eth1 --json | jq '.checks[] | select(.verdict != \"ok\")'

Each line is ok, warn or fail, with the mend below it. Exit status: 0 nothing failed, 1 something did, 2 wrong usage.")]
pub struct DoctorArgs {
    /// Captures to check instead of an interface, as for `replay`
    #[arg(value_name = "FILE", conflicts_with = "interface", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Interface that the mirrored traffic arrives on (may be repeated) [default: `capture.interfaces`]
    #[arg(short, long, value_name = "IFACE")]
    pub interface: Vec<String>,
    /// Configuration file [default: /etc/apitap/apitap.toml, if it is there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Folder that the daemon keeps its state in [default: `state.folder`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Folder that the daemon writes its alerts to [default: that of `alert.file`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub log_dir: Option<PathBuf>,
    /// How long to listen
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = listening)]
    pub duration: Duration,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

fn listening(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("nothing can be heard in no time; write for example 10s".to_owned()),
        long if long > LONGEST_LISTEN => Err("at most 1h; `apitap run` listens for longer".to_owned()),
        span => Ok(span),
    }
}
