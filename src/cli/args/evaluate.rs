//! Arguments of `evaluate`.

use super::{ReadingArgs, among};
use crate::alert::record::Severity;
use clap::{ArgGroup, Args, ValueHint};
use std::path::PathBuf;

/// Measure the detectors against the truth: recall, precision, time to detect, false alarms a day, calibration
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("source").required(true).args(["files", "alerts", "merge"]),
    after_help = "Examples:
  apitap simulate -o t.pcap --scenario scanner && apitap evaluate t.pcap --truth t.truth.jsonl
  apitap evaluate friday.pcap --truth friday.csv --baseline monday.pcap --svg calibration.svg
  apitap evaluate --alerts alerts.json --truth truth.jsonl --false-from high --max-false 0
  apitap evaluate t.pcap --truth t.truth.jsonl --json > 1.json
  apitap evaluate --merge 1.json 2.json

A truth is JSON Lines, as `apitap simulate` writes them, or CSV: see docs/EVALUATION.md. An attack
is found if one of its detectors speaks at its time, of its clients or endpoints; an incident is
false if it fits no attack and no benign change. Exit status: 0 all found, 1 an attack was missed,
--max-false is exceeded, or it failed."
)]
pub struct EvaluateArgs {
    /// Captures to replay, as for `replay`; nothing is written but the result
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// What really happened (may be repeated)
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "merge",
        conflicts_with = "merge",
    )]
    pub truth: Vec<PathBuf>,
    /// Alerts that were raised already, as `replay --eve` writes them (may be repeated)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "ReadingArgs")]
    pub alerts: Vec<PathBuf>,
    /// Results of earlier runs (`--json`), to be pooled; one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, num_args = 1.., conflicts_with = "ReadingArgs")]
    pub merge: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// State to judge with, as it is: nothing is learned and nothing written
    #[arg(
        long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["alerts", "merge"],
        help_heading = "Learning",
    )]
    pub state: Option<PathBuf>,
    /// Fail if more incidents than this are false [default: any number is tolerated]
    #[arg(long, value_name = "N")]
    pub max_false: Option<u64>,
    /// Of false incidents, count for --max-false only those this severe or worse
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = among::<Severity>(&Severity::NAMES))]
    pub false_from: Severity,
    /// Print the result as JSON, which --merge reads
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Draw stated odds against what happened
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub svg: Option<PathBuf>,
}
