//! Rules of the detectors of code and addresses in requests: `injection.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Code in the requests of one client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    pub enabled: bool,
    pub window_seconds: u64,
    pub min_requests: u64,
    /// Requests from which on the severity is the next.
    pub many_requests: u64,
    pub many_severity: Severity,
    /// Of those, answered with success.
    pub min_served: u64,
    /// Of those, answered with 5XX.
    pub min_failed: u64,
    /// Severity where so many were served, or failed.
    pub served_severity: Severity,
    pub alert: AlertText,
}

/// Addresses in the requests of one client that only the server reaches.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestForgery {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Requests with an address that nobody has reason to name.
    pub min_hidden: u64,
    /// Different addresses of the server itself or of private networks.
    pub min_inner_addresses: u64,
    /// Severity where one was answered with success.
    pub served_severity: Severity,
    pub alert: AlertText,
}

impl Injection {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_requests", self.min_requests, 1);
        check.at_least("many_requests", self.many_requests, self.min_requests);
        check.not_below("many_severity", self.many_severity, self.alert.severity, "`alert.severity`");
        check.at_least("min_served", self.min_served, 1);
        check.at_least("min_failed", self.min_failed, 1);
        check.not_below("served_severity", self.served_severity, self.many_severity, "`many_severity`");
        self.alert.check(check);
    }
}

impl RequestForgery {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_hidden", self.min_hidden, 1);
        check.at_least("min_inner_addresses", self.min_inner_addresses, 1);
        check.not_below("served_severity", self.served_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
