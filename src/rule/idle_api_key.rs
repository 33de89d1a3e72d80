//! Rules of the detector of credentials that wake up: `idle_api_key.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;
use std::time::Duration;

/// A credential that outlives sessions, was idle for long, and is used again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdleApiKey {
    pub enabled: bool,
    /// Without a request, while the sensor watched.
    pub min_idle_days: f64,
    /// Requests answered with success since it woke up.
    pub min_successes: u64,
    /// Times the longest silence that it came back from before.
    pub habit_factor: f64,
    /// Known credentials of its kind.
    pub max_credentials: u64,
    /// Of its kind that came back from as long a silence before, as a number and as a share of those known.
    pub max_returned: u64,
    pub max_returned_share: f64,
    /// Credentials that wake up within ten minutes, from networks that they always used.
    pub max_together: u64,
    /// Severity with one sign that it is in other hands.
    pub one_sign_severity: Severity,
    pub more_signs_severity: Severity,
    pub alert: AlertText,
}

/// Shorter silences are no sleep: nothing is kept of them.
pub const SHORTEST_SLEEP: Duration = Duration::from_secs(3600);

const DAY: f64 = 86_400.0;
/// Ten years.
const MOST_DAYS: f64 = 3653.0;

impl IdleApiKey {
    pub fn min_idle(&self) -> Duration {
        Duration::from_secs_f64(self.min_idle_days.clamp(0.0, MOST_DAYS) * DAY)
    }

    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("min_idle_days", self.min_idle_days, SHORTEST_SLEEP.as_secs_f64() / DAY, MOST_DAYS);
        check.at_least("min_successes", self.min_successes, 1);
        check.factor("habit_factor", self.habit_factor);
        check.at_least("max_credentials", self.max_credentials, 1);
        check.at_least("max_returned", self.max_returned, 1);
        check.within("max_returned_share", self.max_returned_share, 0.0, 1.0);
        check.at_least("max_together", self.max_together, 1);
        check.not_below("one_sign_severity", self.one_sign_severity, self.alert.severity, "`alert.severity`");
        check.not_below("more_signs_severity", self.more_signs_severity, self.one_sign_severity, "`one_sign_severity`");
        self.alert.check(check);
    }
}
