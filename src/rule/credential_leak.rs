//! Rules of the detector of secrets in responses: `credential_leak.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Secrets in responses, where nobody signs in or has one made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialLeak {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Responses that carried a secret.
    pub min_responses: u64,
    /// Distinct tokens, below which they are not reported.
    pub min_tokens: u64,
    /// Names of data classes that do not count.
    pub ignored_classes: Vec<String>,
    /// Severity where some of it went to clients without credentials.
    pub without_credentials_severity: Severity,
    /// Severity where it was tokens only.
    pub tokens_severity: Severity,
    pub alert: AlertText,
}

impl CredentialLeak {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_responses", self.min_responses, 1);
        check.at_least("min_tokens", self.min_tokens, 1);
        check.names("ignored_classes", &self.ignored_classes);
        let open = self.without_credentials_severity;
        check.not_below("without_credentials_severity", open, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
