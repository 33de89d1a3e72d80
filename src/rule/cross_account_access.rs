//! Rules of the detector of objects that are given to others than their owners: `cross_account_access.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// An account that is served what belongs to others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossAccountAccess {
    pub enabled: bool,
    /// Objects of others, of the sample that is kept.
    pub min_objects: u64,
    /// Accounts that they belong to.
    pub min_owners: u64,
    /// Visits of owners to what was theirs already, before anything is theirs alone.
    pub min_returns: u64,
    /// Owners that came back.
    pub min_returning_owners: u64,
    /// Severity where the request changes something.
    pub changing_severity: Severity,
    pub alert: AlertText,
}

impl CrossAccountAccess {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_objects", self.min_objects, 1);
        check.at_least("min_owners", self.min_owners, 1);
        check.at_least("min_returns", self.min_returns, 1);
        check.at_least("min_returning_owners", self.min_returning_owners, 1);
        check.not_below("changing_severity", self.changing_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
