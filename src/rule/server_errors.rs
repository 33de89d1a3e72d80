//! Rules of the detector that watches 5xx answers: `server_error_spike.toml`.

use super::alert::AlertText;
use super::client_errors::ErrorShare;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// More 5xx than usual, given the counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerErrorSpike {
    pub enabled: bool,
    /// Statuses (5xx) that do not count as errors.
    pub ignored_statuses: Vec<u16>,
    /// Failures / requests of an endpoint or a host, from which on `outage_severity` holds.
    pub outage_share: f64,
    pub outage_severity: Severity,
    /// Severity of one client's failures.
    pub client_severity: Severity,
    /// Failures of a client / all failures at its host, from which on it is named.
    pub min_own_share: f64,
    /// Requests of others at its host.
    pub min_others: u64,
    pub endpoint: ErrorShare,
    pub client: ErrorShare,
    pub host: ErrorShare,
    pub alert: AlertText,
}

impl ServerErrorSpike {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.statuses("ignored_statuses", &self.ignored_statuses, 500..=599);
        check.share("outage_share", self.outage_share);
        check.not_below("outage_severity", self.outage_severity, self.alert.severity, "`alert.severity`");
        check.within("min_own_share", self.min_own_share, 0.5, 1.0);
        check.at_least("min_others", self.min_others, 1);
        check.table("endpoint", |check| self.endpoint.check(check));
        check.table("client", |check| self.client.check(check));
        check.table("host", |check| self.host.check(check));
        self.alert.check(check);
    }
}
