//! Rules of the detectors that watch logins: `credential_stuffing.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Many user names, each tried once or twice, most of them failing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialStuffing {
    pub enabled: bool,
    /// Failures per user name (mean) up to which it is stuffing; above, it is brute force.
    pub max_failures_per_user: f64,
    /// Severity once a source that mostly failed has opened an account.
    pub success_severity: Severity,
    pub endpoint: StuffingOfEndpoint,
    pub strangers: StuffingByStrangers,
    pub client: StuffingFromClient,
    pub network: StuffingFromNetwork,
    pub alert: AlertText,
}

/// A login endpoint judged as a whole, against its own baseline.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuffingOfEndpoint {
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Failed logins within a horizon.
    pub min_failures: u64,
    /// Different user names among the failures.
    pub min_users: u64,
    /// Failed logins / logins.
    pub min_failure_share: f64,
    /// Odds of a failure / the baseline's odds.
    pub baseline_factor: f64,
    /// Logins that the baseline weighs at most in the test of its share.
    pub prior_strength: f64,
    /// Logins that the baseline must have seen.
    pub min_baseline_logins: u64,
    /// Failed logins within the shortest horizon, while the baseline has not.
    pub min_failures_without_baseline: u64,
    /// Failed logins / logins, while the baseline has not.
    pub min_failure_share_without_baseline: f64,
}

/// Failures of clients that do nothing else, by the horizons and floors of the endpoint.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuffingByStrangers {
    /// Failed logins / logins of strangers.
    pub min_failure_share: f64,
    /// Failed logins of strangers / usual number.
    pub baseline_factor: f64,
    /// Failures that the baseline weighs at most in the test of their rate.
    pub prior_strength: f64,
}

/// One address; no baseline needed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuffingFromClient {
    pub window_seconds: u64,
    pub min_failures: u64,
    /// Different user names among the failures.
    pub min_users: u64,
    /// Failed logins / logins of this client.
    pub min_failure_share: f64,
    pub slow_window_seconds: u64,
    /// Failures within the slow window.
    pub slow_min_failures: u64,
    /// Different user names among them.
    pub slow_min_users: u64,
}

/// One /24 or /64; no baseline needed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuffingFromNetwork {
    pub window_seconds: u64,
    pub min_failures: u64,
    /// Different user names among the failures.
    pub min_users: u64,
    /// Different client addresses among the failures.
    pub min_clients: u64,
    /// Failed logins / logins of this network.
    pub min_failure_share: f64,
}

impl CredentialStuffing {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.factor("max_failures_per_user", self.max_failures_per_user);
        check.not_below("success_severity", self.success_severity, self.alert.severity, "`alert.severity`");
        check.table("endpoint", |check| {
            let rule = &self.endpoint;
            check.horizons("horizons_seconds", &rule.horizons_seconds);
            check.at_least("min_failures", rule.min_failures, 1);
            check.at_least("min_users", rule.min_users, 2);
            check.share("min_failure_share", rule.min_failure_share);
            check.factor("baseline_factor", rule.baseline_factor);
            check.strength("prior_strength", rule.prior_strength);
            check.at_least("min_baseline_logins", rule.min_baseline_logins, 1);
            check.at_least("min_failures_without_baseline", rule.min_failures_without_baseline, rule.min_failures);
            check.share("min_failure_share_without_baseline", rule.min_failure_share_without_baseline);
        });
        check.table("strangers", |check| {
            let rule = &self.strangers;
            check.share("min_failure_share", rule.min_failure_share);
            check.factor("baseline_factor", rule.baseline_factor);
            check.strength("prior_strength", rule.prior_strength);
        });
        check.table("client", |check| {
            let rule = &self.client;
            check.seconds("window_seconds", rule.window_seconds);
            check.at_least("min_failures", rule.min_failures, 1);
            check.at_least("min_users", rule.min_users, 2);
            check.share("min_failure_share", rule.min_failure_share);
            check.at_least("slow_window_seconds", rule.slow_window_seconds, rule.window_seconds);
            check.seconds("slow_window_seconds", rule.slow_window_seconds);
            check.at_least("slow_min_failures", rule.slow_min_failures, rule.min_failures);
            check.at_least("slow_min_users", rule.slow_min_users, rule.min_users);
        });
        check.table("network", |check| {
            let rule = &self.network;
            check.seconds("window_seconds", rule.window_seconds);
            check.at_least("min_failures", rule.min_failures, 1);
            check.at_least("min_users", rule.min_users, 2);
            check.at_least("min_clients", rule.min_clients, 2);
            check.share("min_failure_share", rule.min_failure_share);
        });
        self.alert.check(check);
    }
}

/// One account or very few, many passwords; or many one-time codes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BruteForce {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Failures for one user name within the window.
    pub min_failures: u64,
    /// Client addresses that share the work on one account at most.
    pub max_clients: u64,
    /// Different passwords, or codes, among the failures: a program with an old password has one.
    pub min_passwords: u64,
    /// Failed logins / logins of the account from these clients.
    pub min_failure_share: f64,
    pub slow_window_seconds: u64,
    /// Failures for one user name within the slow window.
    pub slow_min_failures: u64,
    /// Severity once the account was opened.
    pub success_severity: Severity,
    pub alert: AlertText,
}

impl BruteForce {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_failures", self.min_failures, 1);
        check.at_least("max_clients", self.max_clients, 1);
        check.within("min_passwords", self.min_passwords, 1, self.min_failures.max(1));
        check.share("min_failure_share", self.min_failure_share);
        check.seconds("slow_window_seconds", self.slow_window_seconds);
        check.at_least("slow_window_seconds", self.slow_window_seconds, self.window_seconds);
        check.at_least("slow_min_failures", self.slow_min_failures, self.min_failures);
        check.not_below("success_severity", self.success_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}

/// Many accounts, few passwords.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSpraying {
    pub enabled: bool,
    /// Different user names among the failures.
    pub min_users: u64,
    pub min_failures: u64,
    /// Different user names / different passwords.
    pub min_users_per_password: f64,
    /// Users more than passwords among the failures of each address at an endpoint, in sum: so many share one with another.
    pub min_shared: u64,
    /// Severity once an account was opened.
    pub success_severity: Severity,
    pub alert: AlertText,
}

impl PasswordSpraying {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_users", self.min_users, 2);
        check.at_least("min_failures", self.min_failures, 1);
        check.factor("min_users_per_password", self.min_users_per_password);
        check.at_least("min_shared", self.min_shared, 2);
        check.not_below("success_severity", self.success_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
