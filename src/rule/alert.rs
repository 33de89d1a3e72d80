//! What an alert of a detector says, whatever it found: the same table in every rules file.

use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Signature ids of apitap: far from those that Suricata's rule sets use (below 3,000,000).
pub const SIGNATURE_IDS: std::ops::RangeInclusive<u32> = 9_000_000..=9_999_999;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertText {
    /// Stable number of the signature: scripts match on it.
    pub signature_id: u32,
    /// Counts up when the meaning of the signature changes.
    pub rev: u32,
    /// What it is, in a few words.
    pub signature: String,
    /// Classification as Suricata's `classification.config` words it.
    pub category: String,
    /// Severity where nothing makes it worse.
    pub severity: Severity,
    /// OWASP API Security Top 10 (2023), for example `API2:2023 Broken Authentication`; what is no attack has none.
    pub owasp: Option<String>,
    /// MITRE ATT&CK technique, for example `T1110.004`; what is no attack has none.
    pub attack: Option<String>,
    /// What to look at next.
    pub advice: String,
}

impl AlertText {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.table("alert", |check| {
            check.within("signature_id", self.signature_id, *SIGNATURE_IDS.start(), *SIGNATURE_IDS.end());
            check.at_least("rev", u64::from(self.rev), 1);
            check.text("signature", &self.signature);
            check.text("category", &self.category);
            for (key, text) in [("owasp", &self.owasp), ("attack", &self.attack)] {
                check.text(key, text.as_deref().unwrap_or("none"));
            }
            check.text("advice", &self.advice);
        });
    }
}
