//! Rules of the detector of those who take too much: `data_exfiltration.toml`.

use super::alert::AlertText;
use super::exposure::BySensitivity;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// One client or principal takes far more than it did, and than others do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataExfiltration {
    pub enabled: bool,
    /// Answers with personal values within a horizon.
    pub min_answers: u64,
    /// Windows of a past in which it took anything, before the rows and bytes of it are a measure.
    pub min_baseline_windows: u64,
    /// Distinct values of a class within a horizon, below which they are not reported.
    pub min_values: BySensitivity<u64>,
    pub volume: Volume,
    pub peers: Peers,
    pub client: Taking,
    pub principal: Taking,
    /// By the worst class that was taken; rows and bytes alone have `alert.severity`.
    pub severity: BySensitivity<Severity>,
    pub alert: AlertText,
}

/// Rows and bytes, whatever they are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    pub enabled: bool,
    /// Rows within a horizon, below which they are not reported.
    pub min_records: u64,
    /// Bytes within a horizon, below which they are not reported.
    pub min_bytes: u64,
}

/// What others take.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// Others that took anything, below which they are no measure.
    pub min_peers: u64,
    /// Taken / the quantile of what others took.
    pub factor: f64,
    /// Of others, by what they took.
    pub quantile: f64,
    /// Taken / the most that anybody else took, for who has no past.
    pub stranger_factor: f64,
}

/// What one kind of subject takes, judged against its own past.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Taken / expected within a horizon.
    pub factor: f64,
    /// Events that the past weighs at most in the test of its rate.
    pub prior_strength: f64,
    /// Responses that the past must have.
    pub min_baseline_responses: u64,
}

impl DataExfiltration {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_answers", self.min_answers, 1);
        check.at_least("min_baseline_windows", self.min_baseline_windows, 1);
        self.min_values.check("min_values", check);
        check.table("volume", |check| {
            check.at_least("min_records", self.volume.min_records, 1);
            check.at_least("min_bytes", self.volume.min_bytes, 1);
        });
        check.table("peers", |check| {
            check.at_least("min_peers", self.peers.min_peers, 1);
            check.factor("factor", self.peers.factor);
            check.share("quantile", self.peers.quantile);
            check.factor("stranger_factor", self.peers.stranger_factor);
        });
        check.table("client", |check| self.client.check(check));
        check.table("principal", |check| self.principal.check(check));
        self.severity.check("severity", check);
        self.alert.check(check);
    }
}

impl Taking {
    fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.factor("factor", self.factor);
        check.strength("prior_strength", self.prior_strength);
        check.at_least("min_baseline_responses", self.min_baseline_responses, 1);
    }
}
