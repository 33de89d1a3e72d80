//! Rules of the detector of endpoints that outlived their time: `zombie_endpoint.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// An operation that is deprecated, or older than another, and still answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZombieEndpoint {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Successful answers within the window.
    pub min_successes: u64,
    /// Whether older versions count that no description calls deprecated.
    pub older_versions: bool,
    /// Requests that the newer version must have had.
    pub min_successor_requests: u64,
    /// Requests of the newer version / requests of both.
    pub min_successor_share: f64,
    /// Requests of the newer version with credentials / its requests, from which on it asks for them.
    pub min_authenticated_share: f64,
    /// Severity where its answers carry personal data.
    pub sensitive_severity: Severity,
    /// Severity where it answers without credentials and the newer version asks for them.
    pub without_credentials_severity: Severity,
    pub alert: AlertText,
}

impl ZombieEndpoint {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_successes", self.min_successes, 1);
        check.at_least("min_successor_requests", self.min_successor_requests, 1);
        check.share("min_successor_share", self.min_successor_share);
        check.share("min_authenticated_share", self.min_authenticated_share);
        for (key, severity) in [
            ("sensitive_severity", self.sensitive_severity),
            ("without_credentials_severity", self.without_credentials_severity),
        ] {
            check.not_below(key, severity, self.alert.severity, "`alert.severity`");
        }
        self.alert.check(check);
    }
}
