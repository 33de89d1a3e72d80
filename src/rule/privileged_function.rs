//! Rules of the detector of functions that are not everybody's: `privileged_function.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// An account is served by an endpoint that only few others use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivilegedFunction {
    pub enabled: bool,
    /// Accounts that used the endpoint.
    pub max_members: u64,
    /// All accounts / those.
    pub min_others_factor: f64,
    /// Chance that the next to come is a new one: `stats::good_turing_novelty`.
    pub max_novelty: f64,
    /// Severity where the method changes something.
    pub changing_severity: Severity,
    pub alert: AlertText,
}

/// What the baseline keeps of a circle.
pub const MOST_CIRCLE_MEMBERS: u64 = 64;

impl PrivilegedFunction {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("max_members", self.max_members, 1, MOST_CIRCLE_MEMBERS);
        check.factor("min_others_factor", self.min_others_factor);
        check.share("max_novelty", self.max_novelty);
        check.not_below("changing_severity", self.changing_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
