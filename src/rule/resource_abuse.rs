//! Rules of the detector of those who ask too much: `resource_abuse.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Rows of a page below which it is not kept who got it.
pub const LEAST_PAGE_ROWS: u64 = 200;
/// Levels of a document below which it is not kept who sent it.
pub const LEAST_DEPTH: u32 = 16;

/// One client asks far more than others do, and than it did.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceAbuse {
    pub enabled: bool,
    /// Span of event time that is judged.
    pub window_seconds: u64,
    /// Requests of each caller in it, below which they are not reported.
    pub min_requests: u64,
    /// The same for callers with accepted credentials.
    pub min_requests_signed_in: u64,
    /// Bytes of answers in it, below which they are not reported.
    pub min_bytes: u64,
    /// Names of client software behind one address that count as callers.
    pub max_agents: u64,
    /// Asked / what hardly any client of the host asks.
    pub peers_factor: f64,
    /// Asked / what its own past lets expect.
    pub past_factor: f64,
    /// Windows that its own past must have.
    pub min_baseline_windows: u64,
    /// Events that its own past weighs at most.
    pub prior_strength: f64,
    /// Client spans that the host must have seen.
    pub min_peers: u64,
    pub pages: PageSizes,
    pub documents: Documents,
    pub alert: AlertText,
}

/// Pages that are asked for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSizes {
    pub enabled: bool,
    /// Rows of an answer, below which it is not reported.
    pub min_rows: u64,
    /// Rows asked for, and rows given / the largest page asked for before.
    pub factor: f64,
    /// Pages that the endpoint must have been asked for before.
    pub min_baseline_pages: u64,
    pub severity: Severity,
}

/// Documents of GraphQL.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    pub enabled: bool,
    /// Levels of a document, below which it is not reported.
    pub min_depth: u32,
    pub severity: Severity,
}

impl ResourceAbuse {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_requests", self.min_requests, 1);
        check.at_least("min_requests_signed_in", self.min_requests_signed_in, 1);
        check.at_least("min_bytes", self.min_bytes, 1);
        check.at_least("max_agents", self.max_agents, 1);
        check.factor("peers_factor", self.peers_factor);
        check.factor("past_factor", self.past_factor);
        check.at_least("min_baseline_windows", self.min_baseline_windows, 1);
        check.strength("prior_strength", self.prior_strength);
        check.at_least("min_peers", self.min_peers, 1);
        check.table("pages", |check| {
            check.at_least("min_rows", self.pages.min_rows, LEAST_PAGE_ROWS);
            check.factor("factor", self.pages.factor);
            check.at_least("min_baseline_pages", self.pages.min_baseline_pages, 1);
        });
        check.table("documents", |check| {
            check.at_least("min_depth", u64::from(self.documents.min_depth), u64::from(LEAST_DEPTH));
        });
        self.alert.check(check);
    }
}
