//! Rules of the detector that watches for segments that differ: `evasion.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

/// What one client does to be read differently by the sensor and by the server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evasion {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Disputed transactions at a login or with credentials.
    pub min_transactions: u64,
    pub alert: AlertText,
}

impl Evasion {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_transactions", self.min_transactions, 1);
        self.alert.check(check);
    }
}
