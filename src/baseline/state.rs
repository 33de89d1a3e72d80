//! What is kept of each key between windows: recent activity in tiers, and what is normal.

use super::gate::Gate;
use super::habit::Habit;
use super::lasting::Lasting;
use super::lesson::{Answers, ExposureLesson, TakenLesson};
use super::pace::Pace;
use super::parameters::Parameters;
use super::peers::Demand;
use super::quarantine::Quarantine;
use super::settling::{SettledShare, Settling};
use super::tiers::Tiers;
use crate::api::{AccountFlow, CredentialKind};
use crate::inspect::DataClass;
use crate::rule::Severity;
use crate::window::distinct::DistinctSet;
use crate::window::histogram::{LogHistogram, StatusCounts};
use crate::window::sample::BottomK;
use crate::window::{
    Abuses, AskedByHost, Attempts, Callers, EndpointWindow, Errors, Evasions, EvidenceSample, Exposure, Leaks, Merge,
    Moment, Pages, Parts, Places, Smuggling, Tally,
};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Two significant digits tell a doubling from a wobble, and keep a histogram at a few kilobytes.
const SIGNIFICANT_DIGITS: u8 = 2;

/// A histogram that grows as it must. Its counts saturate.
pub fn new_histogram() -> Histogram<u32> {
    // Digits from 0 to 5 are valid.
    let mut histogram = Histogram::new(SIGNIFICANT_DIGITS).expect("two digits are valid");
    histogram.auto(true);
    histogram
}

/// Counted successes out of a total, fading by half every `HALF_LIFE_WINDOWS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub hits: f64,
    pub total: f64,
}

/// Second baselines of errors and of failures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantines {
    pub errors: Quarantine<Share>,
    pub failures: Quarantine<Share>,
}

/// A baseline forgets half in a day: what an API does changes within days, not within hours.
const HALF_LIFE_WINDOWS: f64 = 8640.0;
/// Without anything new no more is forgotten than in three days: an eighth is left to who comes once a week, and to all when
/// the clock was wrong.
const MOST_FORGOTTEN_WINDOWS: i64 = 3 * super::tiers::DAY_WINDOWS;

/// How much is left of a baseline when it learns again after so many windows.
fn left_after(windows: i64) -> f64 {
    0.5f64.powf(windows.clamp(0, MOST_FORGOTTEN_WINDOWS) as f64 / HALF_LIFE_WINDOWS)
}

impl Share {
    pub fn add(&mut self, hits: u64, total: u64) {
        self.hits += hits as f64;
        self.total += total as f64;
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        self.hits *= factor;
        self.total *= factor;
    }

    pub fn add_share(&mut self, other: &Share) {
        self.hits += other.hits;
        self.total += other.total;
    }

    pub fn share(&self) -> f64 {
        if self.total > 0.0 { self.hits / self.total } else { 0.0 }
    }
}

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

/// Sensitive data of one class that is normal for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassNormal {
    /// Distinct values and responses seen, fading.
    pub values: f64,
    pub responses: f64,
}

/// What is normal in the exposure of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExposureNormal {
    classes: [ClassNormal; DataClass::COUNT],
    /// Successful responses seen in all, fading.
    pub responses: f64,
    pub records: f64,
    pub bytes: f64,
    /// Windows in which the key was active, fading: how much time the sums above stand for.
    pub windows: f64,
    fresh: Settling<ExposureLesson>,
}

impl ExposureNormal {
    pub fn class(&self, class: DataClass) -> ClassNormal {
        self.classes[class as usize]
    }

    /// Takes in what a window teaches; it settles later, except while learning.
    pub fn teach(&mut self, window: i64, lesson: ExposureLesson, is_learning: bool) {
        let settled = if is_learning { Some(lesson) } else { self.fresh.add(window, lesson) };
        if let Some(settled) = settled {
            self.add(&settled);
        }
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh.retract();
    }

    fn add(&mut self, lesson: &ExposureLesson) {
        self.responses += lesson.successes as f64;
        self.windows += lesson.windows as f64;
        self.records += lesson.records as f64;
        self.bytes += lesson.bytes as f64;
        for (class, values, responses) in &lesson.classes {
            let normal = &mut self.classes[*class as usize];
            normal.values += *values as f64;
            normal.responses += *responses as f64;
        }
    }

    /// Takes in what was normal for a key that joins this one.
    pub fn join(&mut self, other: &ExposureNormal) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.values += theirs.values;
            mine.responses += theirs.responses;
        }
        self.responses += other.responses;
        self.records += other.records;
        self.bytes += other.bytes;
        self.windows = self.windows.max(other.windows);
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        for class in &mut self.classes {
            class.values *= factor;
            class.responses *= factor;
        }
        for sum in [&mut self.responses, &mut self.records, &mut self.bytes, &mut self.windows] {
            *sum *= factor;
        }
    }
}

/// How much a client or principal usually takes, whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TakenNormal {
    /// Requests, and rows and bytes of its answers, fading.
    #[serde(default)]
    pub requests: f64,
    pub records: f64,
    pub bytes: f64,
    /// Windows since requests are counted, and windows in which it was active, fading.
    #[serde(default)]
    pub counted: f64,
    pub windows: f64,
    fresh: Settling<TakenLesson>,
}

impl TakenNormal {
    /// Takes in what a window teaches; it settles later, except while learning.
    pub fn teach(&mut self, window: i64, lesson: TakenLesson, is_learning: bool) {
        let settled = if is_learning { Some(lesson) } else { self.fresh.add(window, lesson) };
        if let Some(settled) = settled {
            self.requests += settled.requests as f64;
            self.counted += settled.windows as f64;
            self.records += settled.records as f64;
            self.bytes += settled.bytes as f64;
            self.windows += settled.windows as f64;
        }
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh.retract();
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        let requests = [&mut self.requests, &mut self.counted];
        for sum in [&mut self.records, &mut self.bytes, &mut self.windows].into_iter().chain(requests) {
            *sum *= factor;
        }
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
    pub data_values: [u64; DataClass::COUNT],
    /// Looks of successful documents, and how many of them were pages.
    pub shapes: BottomK<u64, 4>,
    pub pages: u64,
    #[serde(with = "super::persist::histogram_text")]
    pub latency: Histogram<u32>,
    #[serde(with = "super::persist::histogram_text")]
    pub sizes: Histogram<u32>,
    #[serde(with = "super::persist::histogram_text")]
    pub records: Histogram<u32>,
    #[serde(with = "super::persist::histogram_text")]
    pub sensitive_values: Histogram<u32>,
    /// Objects that one subject reached within a short span, for all subjects.
    #[serde(with = "super::persist::histogram_text")]
    pub reach: Histogram<u32>,
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
    pub evidence: crate::window::EvidenceSample,
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
            data_values: [0; DataClass::COUNT],
            shapes: BottomK::new(),
            pages: 0,
            latency: new_histogram(),
            sizes: new_histogram(),
            records: new_histogram(),
            sensitive_values: new_histogram(),
            reach: new_histogram(),
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

/// One client address. Small; what makes it interesting is kept apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientState {
    pub address: IpAddr,
    pub moment: Moment,
    pub requests: u64,
    /// Client errors among its requests, fading.
    pub errors: Share,
    /// Server errors among its requests since the first of them, fading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Box<Share>>,
    /// Of a client that was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Box<Quarantines>>,
    pub exposure: Option<Box<ExposureNormal>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Box<TakenNormal>>,
    pub recent: Option<Box<Tiers<SubjectActivity>>>,
    pub last_window: i64,
    /// The last window that taught.
    pub taught: i64,
}

/// Recent activity of a client or a principal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubjectActivity {
    pub requests: u64,
    pub successes: u64,
    pub statuses: StatusCounts,
    /// Bytes and rows of its answers, and when the first and last came.
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub records: u64,
    #[serde(default)]
    pub moment: Moment,
    /// Windows in which it asked for anything.
    #[serde(default)]
    pub windows: u64,
    pub errors: Option<Box<Errors>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Box<Errors>>,
    pub exposure: Option<Box<Exposure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abuses: Option<Box<Abuses>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evasions: Option<Box<Evasions>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smuggling: Option<Box<Smuggling>>,
    /// What it asked of each host, and who may be behind it.
    #[serde(default, skip_serializing_if = "AskedByHost::is_empty")]
    pub asked: AskedByHost,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<Box<Callers>>,
}

impl Merge for SubjectActivity {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.successes += other.successes;
        self.statuses.merge(&other.statuses);
        self.bytes += other.bytes;
        self.records += other.records;
        self.moment.merge(other.moment);
        self.windows += other.windows;
        self.errors.merge(other.errors);
        self.failures.merge(other.failures);
        self.exposure.merge(other.exposure);
        self.abuses.merge(other.abuses);
        self.evasions.merge(other.evasions);
        self.smuggling.merge(other.smuggling);
        self.asked.merge(other.asked);
        self.callers.merge(other.callers);
    }

    /// There are many of them: one transaction each shows what was long ago.
    fn condense(&mut self) {
        self.errors.iter_mut().for_each(|errors| errors.evidence.keep_first(1));
        self.failures.iter_mut().for_each(|failures| failures.evidence.keep_first(1));
        self.smuggling.iter_mut().for_each(|smuggling| smuggling.evidence.keep_first(1));
        self.callers.iter_mut().for_each(|callers| callers.evidence.keep_first(1));
        self.exposure.iter_mut().for_each(|exposure| exposure.evidence.keep_first(1));
        self.evasions.iter_mut().for_each(|evasions| evasions.condense());
    }
}

/// One principal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrincipalState {
    pub moment: Moment,
    pub requests: u64,
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 5>,
    pub exposure: Option<Box<ExposureNormal>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Box<TakenNormal>>,
    /// Network and program that it was last used with, while it was one of each.
    #[serde(default)]
    pub place: (u64, u64),
    /// Once there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Box<Tiers<Places>>>,
    /// Most networks within an hour, while it was learned.
    #[serde(default)]
    pub usual_networks: u64,
    /// Where its credential outlives sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Box<Lasting>>,
    pub recent: Option<Box<Tiers<SubjectActivity>>>,
    pub last_window: i64,
    /// The last window that taught.
    pub taught: i64,
}

impl PrincipalState {
    /// Takes in where it was used. Most credentials are used from one place: only of others is more kept.
    pub fn absorb_places(&mut self, index: i64, mut places: Places) {
        let known = std::mem::take(&mut self.place);
        if let Some(only) = places.only() {
            self.place = only;
            if self.places.is_none() && (known == (0, 0) || known == only) {
                return;
            }
        }
        if self.places.is_none() && known != (0, 0) {
            places.networks.insert(known.0);
            places.agents.insert(known.1);
        }
        self.places.get_or_insert_default().add(index, places);
    }
}

/// One host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostState {
    pub host: Arc<str>,
    pub moment: Moment,
    pub requests: u64,
    pub errors: SettledShare,
    /// Answers with 5XX.
    #[serde(default)]
    pub failures: SettledShare,
    /// Endpoints seen, and those of them seen once: how new a new one is here.
    pub endpoints: u64,
    /// How much each of its clients asks.
    #[serde(default)]
    pub demand: Box<Demand>,
    /// How many clients use it, and when. An earlier `habit` counted requests, and is left behind.
    #[serde(default, rename = "visits")]
    pub habit: Box<Habit>,
    /// What is told of for days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Box<Quarantines>>,
    /// Endpoints past the limit.
    #[serde(default)]
    pub folded: Folded,
    pub recent: Tiers<SubjectActivity>,
    pub last_window: i64,
    /// The last window that taught.
    pub taught: i64,
}

/// What is left of keys that were folded into their parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folded {
    /// Times that a key was folded: one that comes back may be so again.
    pub keys: u64,
    pub requests: u64,
    /// Client errors among these.
    pub errors: u64,
    pub moment: Moment,
}

impl Folded {
    pub fn add(&mut self, requests: u64, errors: u64, moment: Moment) {
        self.keys += 1;
        self.requests += requests;
        self.errors += errors;
        self.moment.merge(moment);
    }
}

/// The clients of one network, a /24 or /64, that were folded into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NetworkState {
    pub network: IpAddr,
    pub folded: Folded,
    pub last_window: i64,
}

impl NetworkState {
    pub fn new(network: IpAddr) -> NetworkState {
        NetworkState { network, folded: Folded::default(), last_window: 0 }
    }
}

/// Attempts of one client, or for one account, of one flow at one endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AttemptsState {
    /// Key of the endpoint.
    pub endpoint: Option<u64>,
    #[serde(default)]
    pub flow: AccountFlow,
    pub recent: Tiers<Attempts>,
    pub last_window: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_earlier_version_counted_otherwise_is_left_behind() {
        let mut earlier = json!({
            "host": "a.example", "moment": Moment::default(), "requests": 7, "errors": SettledShare::default(),
            "endpoints": 1, "recent": Tiers::<SubjectActivity>::default(), "last_window": 0, "taught": 0,
        });
        earlier["habit"] = json!({ "hours": [{ "requests": 4000.0, "windows": 360.0 }] });
        let host: HostState = serde_json::from_value(earlier).unwrap();
        assert_eq!((host.requests, *host.habit), (7, Habit::default()));
    }
}
