//! What is kept of an endpoint.

use super::new_histogram;
use super::normal::{ExposureNormal, Quarantines, Share};
use crate::api::{AccountFlow, CredentialKind};
use crate::baseline::circle::Circle;
use crate::baseline::gate::Gate;
use crate::baseline::lesson::Answers;
use crate::baseline::owners::Owners;
use crate::baseline::pace::Pace;
use crate::baseline::parameters::Parameters;
use crate::baseline::quarantine::Quarantine;
use crate::baseline::settling::{SettledShare, Settling};
use crate::baseline::tiers::Tiers;
use crate::inspect::DataClass;
use crate::rule::Severity;
use crate::window::distinct::DistinctSet;
use crate::window::histogram::LogHistogram;
use crate::window::sample::BottomK;
use crate::window::{
    Attempts, EndpointWindow, Errors, EvidenceSample, Exposure, Leaks, Merge, Moment, Pages, Parts, Tally,
};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Recent activity of an endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EndpointActivity {
    pub tally: Tally,
    pub successes: u64,
    pub errors: Option<Box<Errors>>,
    /// Answers with 5XX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Box<Errors>>,
    pub logins: Option<Box<Attempts>>,
    /// Registrations, resets or lookups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Box<Attempts>>,
    pub exposure: Option<Box<Exposure>>,
    pub open_exposure: Option<Box<Exposure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaks: Option<Box<Leaks>>,
    /// Sizes of pages that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paged: Option<Box<Pages>>,
    /// Large answers: of many records or bytes.
    pub large: EvidenceSample,
    pub sizes: LogHistogram,
    pub records: LogHistogram,
    pub sensitive_values: LogHistogram,
    /// Microseconds, and windows in which answers were slow.
    #[serde(default, skip_serializing_if = "LogHistogram::is_empty")]
    pub latency: LogHistogram,
    #[serde(default)]
    pub slow_windows: u64,
}

impl Merge for EndpointActivity {
    fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.successes += other.successes;
        self.errors.merge(other.errors);
        self.failures.merge(other.failures);
        self.logins.merge(other.logins);
        self.accounts.merge(other.accounts);
        self.exposure.merge(other.exposure);
        self.open_exposure.merge(other.open_exposure);
        self.leaks.merge(other.leaks);
        self.paged.merge(other.paged);
        self.large.merge(&other.large);
        self.sizes.merge(&other.sizes);
        self.records.merge(&other.records);
        self.sensitive_values.merge(&other.sensitive_values);
        self.latency.merge(&other.latency);
        self.slow_windows += other.slow_windows;
    }

    fn without(mut self, told: Parts) -> Option<Self> {
        if told.errors {
            // The requests as well: errors are a share of them.
            (self.tally, self.errors, self.failures) = Default::default();
        }
        if told.logins {
            (self.logins, self.accounts) = Default::default();
        }
        if told.data {
            (self.successes, self.exposure, self.open_exposure, self.leaks, self.paged) = Default::default();
            (self.large, self.sizes, self.records, self.sensitive_values) = Default::default();
        }
        Some(self)
    }
}

/// One endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointState {
    pub method: Arc<str>,
    pub host: Arc<str>,
    pub template: Arc<str>,
    pub documented: Option<bool>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deprecated: bool,
    /// That it outlived its time was told, as this bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_as_zombie: Option<Severity>,
    /// Window in which something was last told of its logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins_told: Option<i64>,
    pub moment: Moment,
    /// First seen while learning (or acknowledged): it is no stranger.
    pub is_learned: bool,
    /// Lifetime counts, for the inventory.
    pub tally: Tally,
    pub successes: u64,
    #[serde(default)]
    pub login_attempts: u64,
    #[serde(default)]
    pub failed_logins: u64,
    pub credentials: [u64; 4],
    pub clients: DistinctSet,
    pub principals: DistinctSet,
    /// Those that it serves, while they are few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Box<Circle>>,
    /// Whose its objects are, where each is one account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Box<Owners>>,
    #[serde(deserialize_with = "crate::inspect::by_class")]
    pub data_values: [u64; DataClass::COUNT],
    /// Looks of successful documents, and how many of them were pages.
    pub shapes: BottomK<u64, 4>,
    pub pages: u64,
    #[serde(with = "crate::baseline::persist::histogram_text")]
    pub latency: Histogram<u32>,
    #[serde(with = "crate::baseline::persist::histogram_text")]
    pub sizes: Histogram<u32>,
    #[serde(with = "crate::baseline::persist::histogram_text")]
    pub records: Histogram<u32>,
    #[serde(with = "crate::baseline::persist::histogram_text")]
    pub sensitive_values: Histogram<u32>,
    /// Objects that one subject reached within a short span, for all subjects.
    #[serde(with = "crate::baseline::persist::histogram_text")]
    pub reach: Histogram<u32>,
    /// Times that one subject used it within a short span, for all subjects, where it changes something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Box<LogHistogram>>,
    pub errors: SettledShare,
    /// Answers with 5XX.
    #[serde(default)]
    pub failures: SettledShare,
    pub login_failures: SettledShare,
    #[serde(default)]
    pub gate: Gate,
    /// Of failed logins, those refused as requests that make no sense.
    pub login_nonsense: SettledShare,
    pub login_sessions: Share,
    /// What is told of for days. Of latencies, of which there is one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Box<Quarantines>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_quarantine: Option<Box<Quarantine<LogHistogram>>>,
    /// Failed logins of strangers, by windows that passed.
    #[serde(default)]
    pub strange_failures: SettledShare,
    /// Whether it is for registrations, resets or lookups; and how many of strangers there were, by windows that passed.
    #[serde(default)]
    pub account_flow: Option<AccountFlow>,
    #[serde(default, alias = "account_calls")]
    pub strange_calls: SettledShare,
    pub exposure: ExposureNormal,
    pub open_exposure: ExposureNormal,
    /// How fast it answers.
    #[serde(default)]
    pub pace: Box<Pace>,
    /// Sizes of pages that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_sizes: Option<Box<LogHistogram>>,
    #[serde(default)]
    pub fresh_page_sizes: Settling<LogHistogram>,
    /// Of `sizes`, `records` and `sensitive_values`.
    pub fresh_answers: Settling<Answers>,
    pub recent: Tiers<EndpointActivity>,
    pub last_window: i64,
    /// The last window that taught.
    pub taught: i64,
    /// Who asked for it, and what was first answered with success, while it is a stranger.
    pub stranger: Option<Box<Stranger>>,
    /// Parameters that are out of place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Box<Parameters>>,
}

/// What is gathered about an endpoint that nobody listed, until it is told of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stranger {
    pub successes: u64,
    pub open_successes: u64,
    pub evidence: EvidenceSample,
    /// Of those who asked for it, some.
    pub clients: BottomK<IpAddr, 5>,
    /// What was known of its host when it appeared.
    pub known: HostKnown,
}

/// How well a host is known: requests to its endpoints, and endpoints that were asked for once.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct HostKnown {
    pub requests: u64,
    pub singletons: u64,
}

/// Share of an endpoint's documents that are pages, from which on it is a page.
const PAGE_SHARE: f64 = 0.9;

impl EndpointState {
    /// Whether its documents are pages, nearly all of them.
    pub fn is_page(&self) -> bool {
        self.pages as f64 >= PAGE_SHARE * self.successes as f64
    }

    pub fn new(window: &EndpointWindow, is_learned: bool) -> EndpointState {
        EndpointState {
            method: Arc::clone(&window.method),
            host: Arc::clone(&window.host),
            template: Arc::clone(&window.template),
            documented: window.documented,
            is_deprecated: window.is_deprecated,
            told_as_zombie: None,
            logins_told: None,
            moment: Moment::default(),
            is_learned,
            tally: Tally::default(),
            successes: 0,
            login_attempts: 0,
            failed_logins: 0,
            credentials: [0; 4],
            clients: DistinctSet::new(),
            principals: DistinctSet::new(),
            circle: None,
            owners: None,
            data_values: [0; DataClass::COUNT],
            shapes: BottomK::new(),
            pages: 0,
            latency: new_histogram(),
            sizes: new_histogram(),
            records: new_histogram(),
            sensitive_values: new_histogram(),
            reach: new_histogram(),
            uses: None,
            errors: SettledShare::default(),
            failures: SettledShare::default(),
            login_failures: SettledShare::default(),
            gate: Gate::default(),
            login_nonsense: SettledShare::default(),
            login_sessions: Share::default(),
            account_flow: None,
            quarantine: None,
            slow_quarantine: None,
            strange_failures: SettledShare::default(),
            strange_calls: SettledShare::default(),
            exposure: ExposureNormal::default(),
            open_exposure: ExposureNormal::default(),
            pace: Default::default(),
            page_sizes: None,
            fresh_page_sizes: Settling::default(),
            fresh_answers: Settling::default(),
            recent: Tiers::default(),
            last_window: 0,
            taught: 0,
            stranger: None,
            parameters: None,
        }
    }

    /// `METHOD host/template`, as alerts name it.
    pub fn name(&self) -> String {
        format!("{} {}{}", self.method, self.host, self.template)
    }

    /// How many looks at its objects, or at its use, there were, and the quantile of them.
    pub fn looks(&self, is_use: bool, quantile: f64) -> (u64, u64) {
        match (is_use, &self.uses) {
            (false, _) => (self.reach.len(), self.reach.value_at_quantile(quantile)),
            (true, Some(uses)) => (uses.count(), uses.quantile(quantile)),
            (true, None) => (0, 0),
        }
    }

    /// Learns a look: so many objects, or uses.
    pub fn note_look(&mut self, is_use: bool, count: u64) {
        if is_use {
            self.uses.get_or_insert_default().record(count);
        } else {
            let _ = self.reach.record(count); // it grows by itself
        }
    }

    /// Share of its requests that carried credentials.
    pub fn authenticated_share(&self) -> f64 {
        self.tally.with_credentials as f64 / self.tally.requests.max(1) as f64
    }

    /// Whether it is where people log in or register: what it answers is about who asks. Basic credentials go with every request of
    /// an API, and one endpoint may take a login among much else.
    pub fn is_entrance(&self) -> bool {
        let with_basic = self.credentials[CredentialKind::Basic as usize];
        let is_mostly_logins = 2 * self.login_attempts.saturating_sub(with_basic) >= self.tally.requests;
        let gives_sessions = self.login_sessions.share() >= 0.5;
        self.login_failures.is_known() && (is_mostly_logins || gives_sessions)
            || self.account_flow == Some(AccountFlow::Registration)
    }
}
