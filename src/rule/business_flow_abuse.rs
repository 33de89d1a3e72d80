//! Rules of the detector of functions that one uses far more than others: `business_flow_abuse.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// One account, or address, uses a function that changes something far more than others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessFlowAbuse {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Uses (answered with 2xx) within a horizon, of an account.
    pub min_uses: u64,
    /// The same of an address that does not sign in.
    pub min_uses_of_address: u64,
    /// Uses / its own normal, and uses / the normal of others.
    pub factor: f64,
    /// Quantile of the uses of others that is their normal.
    pub peer_quantile: f64,
    /// Normal uses of others within ten minutes, beyond which nothing is said.
    pub max_usual: u64,
    /// Power of the span's length with which uses grow.
    pub growth_exponent: f64,
    /// Looks at others needed for a comparison.
    pub min_peers: u64,
    /// Uses that the baseline weighs at most in the test of its rate.
    pub prior_strength: f64,
    /// Uses from which on `many_severity` holds.
    pub many_uses: u64,
    pub many_severity: Severity,
    pub alert: AlertText,
}

impl BusinessFlowAbuse {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.at_least("min_uses", self.min_uses, 2);
        check.at_least("min_uses_of_address", self.min_uses_of_address, self.min_uses);
        check.factor("factor", self.factor);
        check.within("peer_quantile", self.peer_quantile, 0.5, 1.0);
        check.at_least("max_usual", self.max_usual, 1);
        check.within("growth_exponent", self.growth_exponent, 0.0, 1.0);
        check.at_least("min_peers", self.min_peers, 2);
        check.strength("prior_strength", self.prior_strength);
        check.at_least("many_uses", self.many_uses, self.min_uses);
        check.not_below("many_severity", self.many_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
