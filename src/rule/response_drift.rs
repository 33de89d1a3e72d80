//! Rules of the detector of classes that are new to an endpoint: `response_drift.toml`.

use super::alert::AlertText;
use super::exposure::BySensitivity;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// An endpoint's responses carry a class of personal data that they never carried.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseDrift {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Responses with the class.
    pub min_responses: u64,
    /// Responses without the class that the baseline must have seen.
    pub min_baseline_responses: u64,
    /// Distinct values of the class, below which it is not reported.
    pub min_values: BySensitivity<u64>,
    /// By the worst class that is new.
    pub severity: BySensitivity<Severity>,
    pub alert: AlertText,
}

impl ResponseDrift {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.at_least("min_responses", self.min_responses, 1);
        check.at_least("min_baseline_responses", self.min_baseline_responses, 1);
        self.min_values.check("min_values", check);
        self.severity.check("severity", check);
        self.alert.check(check);
    }
}
