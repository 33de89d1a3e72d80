//! Rules of the detector of tokens that nobody signed: `unsigned_token.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Tokens of one client that nobody signed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsignedToken {
    pub enabled: bool,
    pub window_seconds: u64,
    pub min_requests: u64,
    /// Clients that were served with such tokens, beyond which it is how the site works.
    pub most_clients: u64,
    /// Severity where one was answered with success.
    pub served_severity: Severity,
    pub alert: AlertText,
}

impl UnsignedToken {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_requests", self.min_requests, 1);
        check.at_least("most_clients", self.most_clients, 1);
        check.not_below("served_severity", self.served_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
