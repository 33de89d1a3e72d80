//! Rules of the detectors that watch 4xx answers: `client_error_spike.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// More 4xx than usual, given the counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientErrorSpike {
    pub enabled: bool,
    /// Statuses (4xx) that do not count as errors.
    pub ignored_statuses: Vec<u16>,
    /// Severity of one client's errors; those of an endpoint or a host have `alert.severity`.
    pub client_severity: Severity,
    pub endpoint: ErrorShare,
    pub slow: ErrorShare,
    pub client: ErrorShare,
    pub host: ErrorShare,
    pub alert: AlertText,
}

/// A share of errors judged against its baseline, for one kind of subject.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorShare {
    pub enabled: bool,
    pub window_seconds: u64,
    pub min_errors: u64,
    /// Errors / requests.
    pub min_share: f64,
    /// Odds of an error / the baseline's odds.
    pub baseline_factor: f64,
    /// Requests that the baseline weighs at most in the test of its share.
    pub prior_strength: f64,
    /// Requests that what is usual at the host weighs in an endpoint's baseline.
    pub host_weight: f64,
    /// Requests that the baseline must have seen.
    pub min_baseline_requests: u64,
    /// Different clients among the errors.
    pub min_clients: u64,
}

impl ClientErrorSpike {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.statuses("ignored_statuses", &self.ignored_statuses, 400..=499);
        check.table("endpoint", |check| self.endpoint.check(check));
        check.table("slow", |check| self.slow.check(check));
        check.table("client", |check| self.client.check(check));
        check.table("host", |check| self.host.check(check));
        self.alert.check(check);
    }
}

impl ErrorShare {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_errors", self.min_errors, 1);
        check.share("min_share", self.min_share);
        check.factor("baseline_factor", self.baseline_factor);
        check.strength("prior_strength", self.prior_strength);
        check.within("host_weight", self.host_weight, 0.0, 1e6);
        check.at_least("min_baseline_requests", self.min_baseline_requests, 1);
        check.at_least("min_clients", self.min_clients, 1);
    }
}

/// One client that asks for many paths that there are not.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanner {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Different missing paths within the window.
    pub min_paths: u64,
    /// Requests for missing paths / requests of this client.
    pub min_missing_share: f64,
    pub slow_window_seconds: u64,
    /// Different missing paths within the slow window.
    pub slow_min_paths: u64,
    /// Statuses (4xx) that say that a path is missing.
    pub statuses: Vec<u16>,
    /// Severity once a success was among the misses.
    pub found_severity: Severity,
    pub alert: AlertText,
}

impl Scanner {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_paths", self.min_paths, 2);
        check.share("min_missing_share", self.min_missing_share);
        check.seconds("slow_window_seconds", self.slow_window_seconds);
        check.at_least("slow_window_seconds", self.slow_window_seconds, self.window_seconds);
        check.at_least("slow_min_paths", self.slow_min_paths, self.min_paths);
        check.statuses("statuses", &self.statuses, 400..=499);
        if self.statuses.is_empty() {
            check.fail("statuses", "`statuses` is empty; 404 at least says that a path is missing");
        }
        check.not_below("found_severity", self.found_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
