//! Rules of the detectors that watch what is given away: `shadow_endpoint.toml`, `excessive_data_exposure.toml`,
//! `unauthenticated_data_exposure.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// One value for each sensitivity of data classes (`inspect` says which class has which).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BySensitivity<T> {
    pub low: T,
    pub medium: T,
    pub high: T,
    pub critical: T,
}

impl BySensitivity<u64> {
    /// Floors fall as sensitivity rises.
    pub(super) fn check(&self, name: &'static str, check: &mut Check<'_>) {
        check.table(name, |check| {
            check.at_least("critical", self.critical, 1);
            check.at_least("high", self.high, self.critical);
            check.at_least("medium", self.medium, self.high);
            check.at_least("low", self.low, self.medium);
        });
    }
}

impl BySensitivity<Severity> {
    /// Severities rise with sensitivity.
    pub(super) fn check(&self, name: &'static str, check: &mut Check<'_>) {
        check.table(name, |check| {
            check.not_below("medium", self.medium, self.low, "`low`");
            check.not_below("high", self.high, self.medium, "`medium`");
            check.not_below("critical", self.critical, self.high, "`high`");
        });
    }
}

/// An endpoint that answers with success and that nobody listed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowEndpoint {
    pub enabled: bool,
    /// Successful answers before it is believed.
    pub min_successes: u64,
    /// Requests that the host's baseline must have seen.
    pub min_baseline_requests: u64,
    /// `stats::good_turing_novelty` of the host's endpoints, above which the host is still being learned.
    pub max_novelty: f64,
    /// Unknown paths that answer alike, from which on the host answers everything.
    pub catch_all_min_paths: u64,
    /// Upper-case methods that are never reported.
    pub ignored_methods: Vec<String>,
    /// Patterns of paths that are never reported.
    pub ignored_paths: Vec<String>,
    /// Severity where it answers without credentials.
    pub without_credentials_severity: Severity,
    /// Severity where its answers carry sensitive data.
    pub sensitive_severity: Severity,
    /// Severity where both hold.
    pub sensitive_without_credentials_severity: Severity,
    pub alert: AlertText,
}

impl ShadowEndpoint {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_successes", self.min_successes, 1);
        check.at_least("min_baseline_requests", self.min_baseline_requests, 1);
        check.share("max_novelty", self.max_novelty);
        check.at_least("catch_all_min_paths", self.catch_all_min_paths, 2);
        check.names("ignored_methods", &self.ignored_methods);
        if self.ignored_methods.iter().any(|method| method.contains(|letter: char| letter.is_ascii_lowercase())) {
            check.fail("ignored_methods", "`ignored_methods` has small letters; methods are case-sensitive: write GET");
        }
        check.names("ignored_paths", &self.ignored_paths);
        let both = self.sensitive_without_credentials_severity;
        let either = self.sensitive_severity.max(self.without_credentials_severity);
        check.not_below("sensitive_without_credentials_severity", both, either, "either alone");
        self.alert.check(check);
    }
}

/// Single responses of an endpoint with far more personal values, records or bytes than it gave.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcessiveDataExposure {
    pub enabled: bool,
    /// Records within a horizon, below which their volume is not reported.
    pub min_records: u64,
    /// Response bytes within a horizon, below which their volume is not reported.
    pub min_bytes: u64,
    /// Distinct values in one response, below which the response is not reported.
    pub min_values_per_response: BySensitivity<u64>,
    pub endpoint: ExcessOfEndpoint,
    /// By the worst class in excess; records and bytes alone have `alert.severity`.
    pub severity: BySensitivity<Severity>,
    pub alert: AlertText,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcessOfEndpoint {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Observed in one response / the baseline's 99th percentile.
    pub factor: f64,
    /// A response is told of by itself from so many times `factor` and the least values on.
    pub dump_factor: f64,
    /// Responses that the baseline must have seen.
    pub min_baseline_responses: u64,
}

impl ExcessiveDataExposure {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_records", self.min_records, 1);
        check.at_least("min_bytes", self.min_bytes, 1);
        self.min_values_per_response.check("min_values_per_response", check);
        check.table("endpoint", |check| self.endpoint.check(check));
        self.severity.check("severity", check);
        self.alert.check(check);
    }
}

impl ExcessOfEndpoint {
    fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.factor("factor", self.factor);
        check.factor("dump_factor", self.dump_factor);
        check.at_least("min_baseline_responses", self.min_baseline_responses, 1);
    }
}

/// Personal data given to clients that sent no credentials.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnauthenticatedDataExposure {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Baseline requests with credentials / baseline requests, from which on an answer without them is new.
    pub min_authenticated_share: f64,
    /// Whether login endpoints are left out.
    pub except_login_endpoints: bool,
    /// Names of data classes that do not count.
    pub ignored_classes: Vec<String>,
    /// Distinct values within a horizon, where giving them is new.
    pub min_values: BySensitivity<u64>,
    /// The same where the endpoint gave hardly anything to anybody without credentials.
    pub min_values_where_closed: BySensitivity<u64>,
    /// Distinct values within a horizon, where the endpoint always gave such values without credentials.
    pub min_values_where_usual: BySensitivity<u64>,
    /// By the worst class.
    pub severity: BySensitivity<Severity>,
    /// Distinct values from which on the severity is one step worse.
    pub escalating_values: BySensitivity<u64>,
    pub alert: AlertText,
}

impl UnauthenticatedDataExposure {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.share("min_authenticated_share", self.min_authenticated_share);
        check.names("ignored_classes", &self.ignored_classes);
        self.min_values.check("min_values", check);
        self.min_values_where_closed.check("min_values_where_closed", check);
        self.min_values_where_usual.check("min_values_where_usual", check);
        self.severity.check("severity", check);
        self.escalating_values.check("escalating_values", check);
        self.alert.check(check);
    }
}
