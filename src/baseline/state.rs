//! What is kept of each key between windows: recent activity in tiers, and what is normal.

mod endpoint;
mod normal;

pub use endpoint::{EndpointActivity, EndpointState, HostKnown, Stranger};
pub use normal::{ClassNormal, ExposureNormal, Quarantines, Share, TakenNormal};

use crate::api::AccountFlow;
use crate::baseline::habit::Habit;
use crate::baseline::lasting::Lasting;
use crate::baseline::peers::Demand;
use crate::baseline::settling::SettledShare;
use crate::baseline::tiers::Tiers;
use crate::window::distinct::DistinctSet;
use crate::window::histogram::StatusCounts;
use crate::window::sample::BottomK;
use crate::window::{
    Abuses, AskedByHost, Attempts, Callers, Carriers, DeepDocuments, Errors, Evasions, Exposure, Injected, Merge,
    Moment, Places, Smuggling,
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
    pub deep: Option<Box<DeepDocuments>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smuggling: Option<Box<Smuggling>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injected: Option<Box<Injected>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<Box<Carriers>>,
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
        self.deep.merge(other.deep);
        self.smuggling.merge(other.smuggling);
        self.injected.merge(other.injected);
        self.unsigned.merge(other.unsigned);
        self.asked.merge(other.asked);
        self.callers.merge(other.callers);
    }

    /// There are many of them: one transaction each shows what was long ago.
    fn condense(&mut self) {
        self.errors.iter_mut().for_each(|errors| errors.evidence.keep_first(1));
        self.failures.iter_mut().for_each(|failures| failures.evidence.keep_first(1));
        self.smuggling.iter_mut().for_each(|smuggling| smuggling.evidence.keep_first(1));
        let injected = self.injected.iter_mut().flat_map(|injected| [&mut injected.code, &mut injected.forgery]);
        let carriers = injected.chain(self.unsigned.as_deref_mut());
        carriers.for_each(|carriers| carriers.evidence.keep_first(1));
        self.callers.iter_mut().for_each(|callers| callers.evidence.keep_first(1));
        self.exposure.iter_mut().for_each(|exposure| exposure.evidence.keep_first(1));
        self.evasions.iter_mut().for_each(|evasions| evasions.condense());
        self.deep.iter_mut().for_each(|deep| deep.condense());
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
