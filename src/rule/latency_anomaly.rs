//! Rules of the detector of slow answers: `latency_anomaly.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// An endpoint or host answers far slower than it did.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyAnomaly {
    pub enabled: bool,
    /// Span of event time that is judged.
    pub window_seconds: u64,
    /// Answers of an endpoint in it.
    pub min_responses: u64,
    /// Answers that the baseline must have seen.
    pub min_baseline_responses: u64,
    /// Share of answers beyond the baseline's 99th percentile.
    pub min_share: f64,
    /// Share of answers beyond the baseline's 90th percentile.
    pub min_share_of_bulk: f64,
    /// Windows with slow answers.
    pub min_slow_windows: u64,
    /// Median, or 90th percentile / that of the baseline.
    pub factor: f64,
    /// Milliseconds that these have grown by.
    pub min_added_milliseconds: u64,
    /// Answers that the baseline weighs at most.
    pub prior_strength: f64,
    pub drift: Drift,
    pub host: SlowHost,
    pub alert: AlertText,
}

/// A slowdown that creeps.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub enabled: bool,
    /// Median / that of the baseline.
    pub factor: f64,
}

/// Many endpoints at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowHost {
    pub enabled: bool,
    pub min_endpoints: u64,
    pub severity: Severity,
}

impl LatencyAnomaly {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_responses", self.min_responses, 1);
        check.at_least("min_baseline_responses", self.min_baseline_responses, 1);
        check.share("min_share", self.min_share);
        check.share("min_share_of_bulk", self.min_share_of_bulk);
        check.at_least("min_slow_windows", self.min_slow_windows, 1);
        check.factor("factor", self.factor);
        check.strength("prior_strength", self.prior_strength);
        check.table("drift", |check| check.factor("factor", self.drift.factor));
        check.table("host", |check| check.at_least("min_endpoints", self.host.min_endpoints, 2));
        self.alert.check(check);
    }
}
