//! Rules of the detectors of what is done to accounts besides guessing passwords: `account_abuse.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

/// Calls of one address, or for one account, within a window; what is counted is said by each detector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    pub window_seconds: u64,
    pub min_calls: u64,
    pub slow_window_seconds: u64,
    /// Calls within the slow window.
    pub slow_min_calls: u64,
    /// Requests for each call from which on who calls does other things, as people and monitors do; of one address three times
    /// the calls are nobody's.
    pub max_requests_per_call: f64,
}

/// Calls of an endpoint, against how often it is called.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsOfEndpoint {
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Calls within a horizon.
    pub min_calls: u64,
    /// Calls / usual number of calls.
    pub baseline_factor: f64,
    /// Calls that the baseline weighs at most in the test of its rate.
    pub prior_strength: f64,
}

/// Somebody asks which accounts there are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEnumeration {
    pub enabled: bool,
    /// Answers to logins that give away that there is no such account / failed logins.
    pub min_given_away_share: f64,
    /// Answers of resets and registrations that give something away.
    pub min_given_away: u64,
    pub client: Calls,
    pub endpoint: CallsOfEndpoint,
    pub alert: AlertText,
}

/// Accounts are made in bulk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationAbuse {
    pub enabled: bool,
    pub client: Calls,
    pub endpoint: CallsOfEndpoint,
    pub alert: AlertText,
}

/// Resets are asked for in bulk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetAbuse {
    pub enabled: bool,
    pub client: Calls,
    pub account: Calls,
    pub endpoint: CallsOfEndpoint,
    pub alert: AlertText,
}

impl UserEnumeration {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.share("min_given_away_share", self.min_given_away_share);
        check.at_least("min_given_away", self.min_given_away, 1);
        self.client.check("client", check);
        self.endpoint.check(check);
        self.alert.check(check);
    }
}

impl RegistrationAbuse {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        self.client.check("client", check);
        self.endpoint.check(check);
        self.alert.check(check);
    }
}

impl PasswordResetAbuse {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        self.client.check("client", check);
        self.account.check("account", check);
        self.endpoint.check(check);
        self.alert.check(check);
    }
}

impl Calls {
    fn check(&self, table: &'static str, check: &mut Check<'_>) {
        check.table(table, |check| {
            check.seconds("window_seconds", self.window_seconds);
            check.at_least("min_calls", self.min_calls, 2);
            check.at_least("slow_window_seconds", self.slow_window_seconds, self.window_seconds);
            check.seconds("slow_window_seconds", self.slow_window_seconds);
            check.at_least("slow_min_calls", self.slow_min_calls, self.min_calls);
            check.factor("max_requests_per_call", self.max_requests_per_call);
        });
    }
}

impl CallsOfEndpoint {
    fn check(&self, check: &mut Check<'_>) {
        check.table("endpoint", |check| {
            check.horizons("horizons_seconds", &self.horizons_seconds);
            check.at_least("min_calls", self.min_calls, 2);
            check.factor("baseline_factor", self.baseline_factor);
            check.strength("prior_strength", self.prior_strength);
        });
    }
}
