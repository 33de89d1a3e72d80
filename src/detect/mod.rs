//! Detectors: the store after a window in, findings out. Pure: they read, they do not write, they know no output.
//!
//! One file a detector. Each looks at the keys that the window touched, at the horizons its rules name. What several
//! detectors see of one attack is sorted out by `voices`: one of them speaks, the others join.

mod account_calls;
mod brute_force;
mod business_flow_abuse;
mod client_error_spike;
mod credential_leak;
mod credential_stuffing;
mod cross_account_access;
mod data_exfiltration;
mod error_share;
mod evasion;
mod excessive_data_exposure;
mod idle_api_key;
mod injection;
mod latency_anomaly;
mod login_campaign;
mod object_enumeration;
mod odds;
mod password_reset_abuse;
mod privileged_function;
mod protocol_abuse;
mod reasons;
mod registration_abuse;
mod request_smuggling;
mod resource_abuse;
mod response_drift;
mod scanner;
pub mod sensor;
mod server_error_spike;
mod session_anomaly;
mod shadow_endpoint;
pub mod stats;
mod strangers;
mod traffic_drop;
mod unauthenticated_data_exposure;
mod undocumented_parameter;
mod unsigned_token;
mod user_enumeration;
mod voices;
mod zombie_endpoint;

pub use odds::{Odds, Trial, odd_logins};
pub use reasons::{Floor, Reasons};
pub use voices::{Memory, spoiled_by};

use crate::baseline::{Spoiled, Store, Touched};
use crate::inspect::{DataClass, Sensitivity};
use crate::rule::{BySensitivity, Ruleset, Severity};
use crate::window::distinct::DistinctSet;
use crate::window::sample::BottomK;
use crate::window::{ClassExposure, Evidence, EvidenceSample, Exposure, Moment, start_of};
use serde::{Deserialize, Deserializer, Serialize};
use stats::Probability;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    Endpoint(u64),
    Client(IpAddr),
    Principal(u64),
    /// In CIDR notation.
    Network(String),
    Host(String),
    /// A user name at a login endpoint, hashed.
    Account(u64),
    /// The sensor itself, or an interface of it.
    Sensor(String),
}

/// One of [`Ruleset::detectors`].
pub type DetectorName = &'static str;

/// One thing that a detector saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    #[serde(deserialize_with = "detector_named")]
    pub detector: DetectorName,
    pub subject: Subject,
    /// Key of the endpoint it happened at, where it is one.
    pub endpoint: Option<u64>,
    pub client: Option<IpAddr>,
    pub principal: Option<u64>,
    pub network: Option<String>,
    pub client_count: u64,
    pub client_sample: Vec<IpAddr>,
    /// Accounts that were opened by it, by the keyed hash of their user name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<u64>,
    pub severity: Severity,
    /// Of counts this extreme if nothing had changed; a breach of policy claims none.
    pub probability: Option<f64>,
    pub moment: Moment,
    pub count: u64,
    pub observed: String,
    pub expected: Option<String>,
    pub evidence: Vec<Arc<Evidence>>,
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
    #[serde(skip)]
    pub spoils: Vec<Spoiled>,
}

/// The detector of a stored finding.
fn detector_named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Ruleset::detectors().iter().find(|detector| **detector == name);
    known.copied().ok_or_else(|| serde::de::Error::custom(format!("no detector is called `{name}`")))
}

impl Finding {
    /// A finding with nothing but its subject; the detector fills in the rest.
    pub fn new(detector: &'static str, subject: Subject, severity: Severity, moment: Moment) -> Finding {
        let client = match &subject {
            Subject::Client(address) => Some(*address),
            _ => None,
        };
        let principal = match &subject {
            Subject::Principal(hash) => Some(*hash),
            _ => None,
        };
        let endpoint = match &subject {
            Subject::Endpoint(key) => Some(*key),
            _ => None,
        };
        Finding {
            detector,
            subject,
            endpoint,
            client,
            principal,
            network: None,
            client_count: 0,
            client_sample: Vec::new(),
            accounts: Vec::new(),
            severity,
            probability: None,
            moment,
            count: 0,
            observed: String::new(),
            expected: None,
            evidence: Vec::new(),
            reasons: Reasons::default(),
            spoils: Vec::new(),
        }
    }

    pub fn with_evidence<const K: usize>(mut self, sample: &EvidenceSample<K>) -> Finding {
        self.evidence = sample.iter().map(|(_, evidence)| Arc::clone(evidence)).collect();
        self
    }

    pub fn with_clients<const K: usize>(mut self, clients: &DistinctSet, sample: &BottomK<IpAddr, K>) -> Finding {
        self.client_count = clients.count();
        self.client_sample = sample.iter().map(|(_, address)| *address).collect();
        self
    }

    /// The client, where there was one.
    fn only_client(&self) -> Option<IpAddr> {
        self.client_sample.first().copied().filter(|_| self.client_count == 1)
    }

    /// Whether the window that is judged brought anything new to it.
    pub fn is_fresh(&self, window: i64) -> bool {
        self.moment.last >= start_of(window.saturating_sub(FRESH_WINDOWS))
    }
}

/// A finding stays fresh for so many windows after its last transaction: transactions count in the window they end in.
const FRESH_WINDOWS: i64 = 3;

/// What detectors look at.
pub struct Scene<'s> {
    pub store: &'s Store,
    pub rules: &'s Ruleset,
    pub touched: &'s Touched,
    pub window: i64,
    /// While true, detectors that compare with a baseline are silent.
    pub is_learning: bool,
    /// Successful operations outside a description are strangers even while learning.
    pub has_descriptions: bool,
    /// How rare is rare.
    pub odds: &'s Odds,
    /// What was tested, for the odds to learn from.
    pub trials: RefCell<Vec<Trial>>,
}

impl Scene<'_> {
    /// Endpoints of a host that the window touched.
    fn endpoints_of(&self, host: &str) -> impl Iterator<Item = u64> {
        let is_of_host = move |key: &u64| self.store.endpoints.get(key).is_some_and(|endpoint| *endpoint.host == *host);
        self.touched.endpoints.iter().copied().filter(is_of_host)
    }

    /// The outcome of a test of a key: the probability as the sensor's history bears it out, where it is rare enough to
    /// speak.
    pub fn rare(&self, test: &'static str, key: u64, probability: Probability) -> Option<f64> {
        debug_assert!(odds::TESTS.contains(&test), "{test}");
        self.trials.borrow_mut().push(Trial { test, key, probability });
        self.would_be_rare(test, probability)
    }

    /// The same for what is only supposed: nothing is learned from it.
    pub fn would_be_rare(&self, test: &str, probability: Probability) -> Option<f64> {
        self.odds.rare(test, probability, self.rules.false_alarms_per_day).map(Probability::rounded)
    }

    /// Judges what is only supposed, in whatever way: nothing is learned from it either.
    pub fn supposing<T>(&self, judge: impl FnOnce() -> T) -> T {
        let learned = self.trials.borrow().len();
        let result = judge();
        self.trials.borrow_mut().truncate(learned);
        result
    }
}

/// What the detectors make of a window, in a fixed order, one voice for each attack.
pub fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Vec<Finding> {
    let mut findings = Vec::new();
    let guessed = brute_force::judge(scene, &mut findings);
    let undecided = credential_stuffing::judge(scene, &guessed, &mut findings);
    user_enumeration::judge(scene, &mut findings);
    registration_abuse::judge(scene, &mut findings);
    password_reset_abuse::judge(scene, &mut findings);
    session_anomaly::judge(scene, &mut findings);
    scanner::judge(scene, &mut findings);
    protocol_abuse::judge(scene, &mut findings);
    evasion::judge(scene, &mut findings);
    request_smuggling::judge(scene, &mut findings);
    injection::judge(scene, &mut findings);
    unsigned_token::judge(scene, &mut findings);
    credential_leak::judge(scene, &mut findings);
    unauthenticated_data_exposure::judge(scene, &mut findings);
    object_enumeration::judge(scene, &mut findings);
    cross_account_access::judge(scene, &mut findings);
    business_flow_abuse::judge(scene, &mut findings);
    data_exfiltration::judge(scene, &mut findings);
    excessive_data_exposure::judge(scene, &mut findings);
    response_drift::judge(scene, &mut findings);
    shadow_endpoint::judge(scene, &mut findings);
    zombie_endpoint::judge(scene, &mut findings);
    idle_api_key::judge(scene, &mut findings);
    undocumented_parameter::judge(scene, &mut findings);
    privileged_function::judge(scene, &mut findings);
    client_error_spike::judge(scene, &mut findings);
    server_error_spike::judge(scene, &mut findings);
    resource_abuse::judge(scene, &mut findings);
    latency_anomaly::judge(scene, &mut findings);
    traffic_drop::judge(scene, &mut findings);
    voices::one_for_each_attack(scene, &mut findings, &undecided, memory);
    findings
}

/// Whether exposures together may hold so many distinct values of some class. It copies and merges nothing: a value that
/// occurs in several of them counts in each.
fn may_reach<'e>(exposures: impl Iterator<Item = &'e Exposure> + Clone, floor_of: impl Fn(DataClass) -> u64) -> bool {
    let any_over = |count: fn(&ClassExposure) -> u64| {
        let mut sums = [0u64; DataClass::COUNT];
        for class in exposures.clone().flat_map(|exposure| &exposure.classes) {
            let sum = &mut sums[class.class as usize];
            *sum = sum.saturating_add(count(class));
        }
        DataClass::ALL.into_iter().zip(sums).any(|(class, sum)| sum > 0 && sum >= floor_of(class))
    };
    // Occurrences are a number; distinct values cost an estimate for each sketch.
    any_over(|class| class.occurrences) && any_over(|class| class.values.count())
}

/// The value for a sensitivity.
fn by_sensitivity<T: Copy>(values: &BySensitivity<T>, sensitivity: Sensitivity) -> T {
    match sensitivity {
        Sensitivity::Low => values.low,
        Sensitivity::Medium => values.medium,
        Sensitivity::High => values.high,
        Sensitivity::Critical => values.critical,
    }
}

/// A span that is judged, in words; all of them are whole minutes.
pub fn window_in_words(seconds: u64) -> String {
    format!("{} min", seconds / 60)
}

/// A span of time in words: `40s`, `12m`, `3h`, `2d`.
pub fn span_in_words(moment: &Moment) -> String {
    let seconds = moment.last.since(moment.first).as_secs().max(1);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A share in words: `3.2 %`.
fn percent(share: f64) -> String {
    if share >= 0.1 { format!("{:.0} %", share * 100.0) } else { format!("{:.1} %", share * 100.0) }
}

#[cfg(test)]
mod tests;
