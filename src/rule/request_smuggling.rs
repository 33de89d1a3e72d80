//! Rules of the detector of ambiguous requests: `request_smuggling.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// What one client sends that servers may read as another number of requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSmuggling {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Requests whose end is ambiguous.
    pub min_requests: u64,
    /// Answers to parts of requests.
    pub min_desyncs: u64,
    /// Severity once there are so many of these.
    pub desync_severity: Severity,
    pub alert: AlertText,
}

impl RequestSmuggling {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_requests", self.min_requests, 1);
        check.at_least("min_desyncs", self.min_desyncs, 1);
        check.not_below("desync_severity", self.desync_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
