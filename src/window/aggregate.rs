//! The aggregates a window keeps for each kind of key. All merge commutatively and associatively.

use super::distinct::{DistinctSet, FEW_REGISTERS};
use super::histogram::{LogHistogram, StatusCounts};
use super::sample::{BottomK, Earliest};
use super::{
    Abuses, AnswerTimes, AskedByHost, Callers, Carriers, Contacts, DeepDocuments, Evasions, Injected, LastingUse,
    Leaks, Pages, Places, Served, Smuggling, Strays,
};
use crate::api::AccountFlow;
use crate::inspect::{ClassReport, DataClass};
use crate::packet::Peer;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::BitOrAssign;
use std::sync::Arc;

pub trait Merge: Sized {
    fn merge(&mut self, other: Self);

    /// Lets go of what is of no use once its span is over.
    fn condense(&mut self) {}

    /// What is left without the parts that were told of.
    fn without(self, told: Parts) -> Option<Self> {
        (told == Parts::default()).then_some(self)
    }
}

/// Parts of an aggregate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    pub errors: bool,
    pub logins: bool,
    pub data: bool,
}

impl Parts {
    pub const ALL: Parts = Parts { errors: true, logins: true, data: true };
}

impl BitOrAssign for Parts {
    fn bitor_assign(&mut self, other: Parts) {
        self.errors |= other.errors;
        self.logins |= other.logins;
        self.data |= other.data;
    }
}

impl<A: Merge> Merge for Option<Box<A>> {
    fn merge(&mut self, other: Self) {
        match (self.as_deref_mut(), other) {
            (_, None) => {}
            (Some(mine), Some(theirs)) => mine.merge(*theirs),
            (None, theirs) => *self = theirs,
        }
    }
}

/// First and last time of something. Empty: [`Timestamp::MAX`] and [`Timestamp::MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Default for Moment {
    fn default() -> Self {
        Moment { first: Timestamp::MAX, last: Timestamp::MIN }
    }
}

impl Moment {
    pub fn record(&mut self, time: Timestamp) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

impl Merge for Moment {
    fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Time, flow and position in the flow: names one transaction and orders evidence.
pub type EvidenceKey = (Timestamp, u64, u32);

/// A transaction as an alert shows it. Nothing secret: the URL is redacted when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub time: Timestamp,
    pub flow_id: u64,
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
    pub method: String,
    pub host: String,
    pub url: String,
    pub status: Option<u16>,
    pub length: Option<u64>,
    pub user_agent: Option<String>,
    /// `HTTP/1.1`; empty in states of before it was kept.
    #[serde(default)]
    pub protocol: Cow<'static, str>,
}

impl Evidence {
    pub fn peers(client: Peer, server: Peer) -> ((IpAddr, u16), (IpAddr, u16)) {
        ((client.address, client.port), (server.address, server.port))
    }
}

/// The transactions shown with an alert: the first five, or fewer where there are many samples.
pub type EvidenceSample<const K: usize = 5> = Earliest<EvidenceKey, Arc<Evidence>, K>;

/// Requests and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub requests: u64,
    pub statuses: StatusCounts,
    /// Requests with credentials of any kind.
    pub with_credentials: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub moment: Moment,
}

impl Merge for Tally {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.statuses.merge(&other.statuses);
        self.with_credentials += other.with_credentials;
        self.request_bytes += other.request_bytes;
        self.response_bytes += other.response_bytes;
        self.moment.merge(other.moment);
    }
}

/// Errors of one class, the client's (4XX) or the server's (5XX), with what tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    pub statuses: StatusCounts,
    /// Distinct paths that were not found.
    pub missing_paths: DistinctSet,
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 5>,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Merge for Errors {
    fn merge(&mut self, other: Self) {
        self.statuses.merge(&other.statuses);
        self.missing_paths.merge(&other.missing_paths);
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

/// Attempts of one account flow: at an endpoint, of a client there, or for an account there. Users, secrets, clients, moment
/// and evidence are those of attempts that count: of logins and codes the failed ones, of the other flows all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// The endpoint's key, and the address or the user this is about, where it is about one.
    pub endpoint: u64,
    pub client: Option<IpAddr>,
    #[serde(default)]
    pub client_key: u64,
    pub user: Option<u64>,
    #[serde(default)]
    pub flow: AccountFlow,
    pub failures: u64,
    pub successes: u64,
    /// Attempts whose outcome is not known.
    pub unknown: u64,
    /// Successes that came with a session cookie or a token.
    pub with_session: u64,
    /// Answers that gave away whether there is such an account: that there is none; at a registration that there is.
    #[serde(default)]
    pub given_away: u64,
    /// How long it took to refuse a login.
    #[serde(default)]
    pub refused_after: AnswerTimes,
    /// Of an endpoint: what comes from clients that do nothing else.
    #[serde(default)]
    pub strangers: Strangers,
    #[serde(alias = "failed_users")]
    pub users: DistinctSet,
    /// Passwords, or codes.
    pub passwords: DistinctSet,
    /// Those that count whose password nobody could read.
    #[serde(default)]
    pub unread: u64,
    #[serde(alias = "failing_clients")]
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 16>,
    /// Users that got in.
    pub succeeded: BottomK<u64, SUCCEEDED>,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

/// Users that got in that are remembered: as many as an incident lists.
pub const SUCCEEDED: usize = 256;
/// Fewer different users than that are few.
const FEW_USERS: usize = 8;

impl Attempts {
    pub fn total(&self) -> u64 {
        self.failures + self.successes + self.unknown
    }

    /// All of them, but of successes the different users, where those are few: who logs in to an account of his own between
    /// tries proves nothing.
    pub fn total_of_users(&self) -> u64 {
        self.failures + self.unknown + self.successes_of_users()
    }

    pub fn successes_of_users(&self) -> u64 {
        let few = self.succeeded.len() < FEW_USERS;
        if few { self.successes.min(self.succeeded.len() as u64) } else { self.successes }
    }

    /// Attempts that count.
    pub fn counted(&self) -> u64 {
        match self.flow {
            AccountFlow::Login | AccountFlow::Code => self.failures,
            _ => self.total(),
        }
    }
}

/// Attempts of clients that do nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strangers {
    pub attempts: u64,
    /// Those of them that count.
    pub counted: u64,
}

impl Merge for Strangers {
    fn merge(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.counted += other.counted;
    }
}

impl Merge for Attempts {
    fn merge(&mut self, other: Self) {
        self.endpoint = self.endpoint.max(other.endpoint);
        self.client = self.client.max(other.client);
        self.client_key = self.client_key.max(other.client_key);
        self.strangers.merge(other.strangers);
        self.user = self.user.max(other.user);
        self.flow = self.flow.max(other.flow);
        self.failures += other.failures;
        self.successes += other.successes;
        self.unknown += other.unknown;
        self.with_session += other.with_session;
        self.given_away += other.given_away;
        self.refused_after.merge(&other.refused_after);
        self.users.merge(&other.users);
        self.passwords.merge(&other.passwords);
        self.unread += other.unread;
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.succeeded.merge(&other.succeeded);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

/// Sensitive values of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassExposure {
    pub class: DataClass,
    pub occurrences: u64,
    pub records: u64,
    pub responses: u64,
    pub values: DistinctSet,
    /// One masked value: that of the smallest hash.
    pub sample: BottomK<String, 1>,
}

/// Personal data in responses; or, of [`Leaks`], secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// Responses that carried any.
    pub responses: u64,
    pub records: u64,
    pub bytes: u64,
    /// Sorted by class.
    pub classes: SmallVec<[ClassExposure; 1]>,
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 5>,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Exposure {
    pub fn class(&self, class: DataClass) -> Option<&ClassExposure> {
        self.classes.binary_search_by_key(&class, |exposure| exposure.class).ok().map(|at| &self.classes[at])
    }

    pub fn add_class(&mut self, report: &ClassReport) {
        let at = match self.classes.binary_search_by_key(&report.class, |exposure| exposure.class) {
            Ok(at) => at,
            Err(at) => {
                self.classes.insert(
                    at,
                    ClassExposure {
                        class: report.class,
                        occurrences: 0,
                        records: 0,
                        responses: 0,
                        values: DistinctSet::new(),
                        sample: BottomK::new(),
                    },
                );
                at
            }
        };
        let exposure = &mut self.classes[at];
        exposure.occurrences += u64::from(report.occurrences);
        exposure.records += u64::from(report.records);
        exposure.responses += 1;
        for value in &report.distinct {
            exposure.values.insert(*value);
        }
        if let Some(smallest) = report.distinct.first() {
            exposure.sample.insert_with(*smallest, || report.sample.clone());
        }
    }
}

impl Merge for Exposure {
    fn merge(&mut self, other: Self) {
        self.responses += other.responses;
        self.records += other.records;
        self.bytes += other.bytes;
        for theirs in other.classes {
            match self.classes.binary_search_by_key(&theirs.class, |exposure| exposure.class) {
                Ok(at) => {
                    let mine = &mut self.classes[at];
                    mine.occurrences += theirs.occurrences;
                    mine.records += theirs.records;
                    mine.responses += theirs.responses;
                    mine.values.merge(&theirs.values);
                    mine.sample.merge(&theirs.sample);
                }
                Err(at) => self.classes.insert(at, theirs),
            }
        }
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

/// One endpoint: method, host and path template.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointWindow {
    pub method: Arc<str>,
    pub host: Arc<str>,
    pub template: Arc<str>,
    pub tally: Tally,
    /// Something in this window makes it an endpoint (a success, a login, a candidate's status).
    pub is_made: bool,
    /// Whether a description names it; `None` where no description covers its host.
    pub documented: Option<bool>,
    /// A description says that it is on its way out.
    pub is_deprecated: bool,
    /// Successful responses, and of these with a body that says "no", or that is a page like any other.
    pub successes: u64,
    /// Microseconds from the end of the request to the start of the response.
    pub latency: LogHistogram,
    /// Body bytes of successful responses.
    pub sizes: LogHistogram,
    /// Rows of successful responses.
    pub records: LogHistogram,
    /// Distinct sensitive values in successful responses that carry any.
    pub sensitive_values: LogHistogram,
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 5>,
    pub principals: DistinctSet,
    /// Principals that were answered with success, unless they are known to be many.
    pub served: Served,
    /// Who was served which object.
    pub contacts: Contacts,
    /// Fingerprints of the looks of successful documents, and how many of those were pages, not data.
    pub shapes: BottomK<u64, 4>,
    pub pages: u64,
    /// Successes without credentials.
    pub open_successes: u64,
    pub errors: Option<Box<Errors>>,
    /// Answers with 5XX.
    pub failures: Option<Box<Errors>>,
    pub logins: Option<Box<Attempts>>,
    /// Registrations, resets or lookups; an endpoint is for one of them.
    pub accounts: Option<Box<Attempts>>,
    pub exposure: Option<Box<Exposure>>,
    /// The part of the exposure that went to clients without credentials.
    pub open_exposure: Option<Box<Exposure>>,
    /// Secrets in responses.
    pub leaks: Option<Box<Leaks>>,
    /// Parameters that are out of place.
    pub strays: Option<Box<Strays>>,
    /// Sizes of pages that were asked for.
    pub paged: Option<Box<Pages>>,
    /// Requests by kind of credentials, in the order of [`crate::api::CredentialKind::ALL`].
    pub credentials: [u64; 4],
    /// First successful transactions, and first large ones.
    pub evidence: EvidenceSample,
}

impl Merge for EndpointWindow {
    fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.is_made |= other.is_made;
        self.documented = self.documented.max(other.documented);
        self.is_deprecated |= other.is_deprecated;
        self.successes += other.successes;
        self.latency.merge(&other.latency);
        self.sizes.merge(&other.sizes);
        self.records.merge(&other.records);
        self.sensitive_values.merge(&other.sensitive_values);
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.principals.merge(&other.principals);
        self.served.merge(&other.served);
        self.contacts.merge(&other.contacts);
        self.shapes.merge(&other.shapes);
        self.pages += other.pages;
        self.open_successes += other.open_successes;
        self.errors.merge(other.errors);
        self.failures.merge(other.failures);
        self.logins.merge(other.logins);
        self.accounts.merge(other.accounts);
        self.exposure.merge(other.exposure);
        self.open_exposure.merge(other.open_exposure);
        self.leaks.merge(other.leaks);
        self.strays.merge(other.strays);
        self.paged.merge(other.paged);
        for (mine, theirs) in self.credentials.iter_mut().zip(other.credentials) {
            *mine += theirs;
        }
        self.evidence.merge(&other.evidence);
    }
}

/// One client address.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientWindow {
    pub address: IpAddr,
    pub tally: Tally,
    pub errors: Option<Box<Errors>>,
    pub failures: Option<Box<Errors>>,
    pub exposure: Option<Box<Exposure>>,
    /// Rows of successful responses.
    pub records: u64,
    /// Endpoints it used.
    pub endpoints: DistinctSet,
    pub abuses: Option<Box<Abuses>>,
    pub evasions: Option<Box<Evasions>>,
    pub deep: Option<Box<DeepDocuments>>,
    pub smuggling: Option<Box<Smuggling>>,
    pub injected: Option<Box<Injected>>,
    /// Requests with a token that nobody signed.
    pub unsigned: Option<Box<Carriers>>,
    /// What it asked of each host, and who may be behind it.
    pub asked: AskedByHost,
    pub callers: Option<Box<Callers>>,
}

impl Merge for ClientWindow {
    fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.errors.merge(other.errors);
        self.failures.merge(other.failures);
        self.exposure.merge(other.exposure);
        self.records += other.records;
        self.endpoints.merge(&other.endpoints);
        self.abuses.merge(other.abuses);
        self.evasions.merge(other.evasions);
        self.deep.merge(other.deep);
        self.smuggling.merge(other.smuggling);
        self.injected.merge(other.injected);
        self.unsigned.merge(other.unsigned);
        self.asked.merge(other.asked);
        self.callers.merge(other.callers);
    }
}

/// One principal: an API key, token subject, session or Basic user, by its keyed hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrincipalWindow {
    pub tally: Tally,
    pub clients: DistinctSet,
    pub client_sample: BottomK<IpAddr, 5>,
    pub exposure: Option<Box<Exposure>>,
    /// Rows of successful responses.
    pub records: u64,
    pub places: Places,
    /// Where its credential outlives sessions.
    pub lasting: Option<Box<LastingUse>>,
    pub asked: AskedByHost,
    pub callers: Option<Box<Callers>>,
}

impl Merge for PrincipalWindow {
    fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.exposure.merge(other.exposure);
        self.records += other.records;
        self.places.merge(other.places);
        self.lasting.merge(other.lasting);
        self.asked.merge(other.asked);
        self.callers.merge(other.callers);
    }
}

/// One host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostWindow {
    pub host: Arc<str>,
    pub tally: Tally,
    pub clients: DistinctSet<FEW_REGISTERS>,
    pub errors: Option<Box<Errors>>,
    pub failures: Option<Box<Errors>>,
}

impl Merge for HostWindow {
    fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.clients.merge(&other.clients);
        self.errors.merge(other.errors);
        self.failures.merge(other.failures);
    }
}

/// Objects of one endpoint that one subject asked for; or, by a key of its own, how often it used an endpoint that changes something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    pub endpoint: u64,
    pub client: IpAddr,
    /// The principal, where the requests carried accepted credentials.
    pub principal: Option<u64>,
    pub requests: u64,
    /// Answered with success, and with 401, 403 or 404.
    pub successes: u64,
    pub misses: u64,
    pub objects: DistinctSet<FEW_REGISTERS>,
    /// Smallest and largest numeric id.
    pub lowest: u64,
    pub highest: u64,
    /// Responses that carried sensitive data.
    pub sensitive: u64,
    /// Times that something was changed; no objects are counted then.
    #[serde(default)]
    pub uses: u64,
    pub moment: Moment,
    pub evidence: EvidenceSample<3>,
}

impl Reach {
    /// What is counted: uses, or objects.
    pub fn count(&self) -> u64 {
        if self.is_use() { self.uses } else { self.objects.count() }
    }

    pub fn is_use(&self) -> bool {
        self.uses > 0
    }
}

impl Merge for Reach {
    fn merge(&mut self, other: Self) {
        self.client = self.client.min(other.client);
        self.requests += other.requests;
        self.successes += other.successes;
        self.misses += other.misses;
        self.objects.merge(&other.objects);
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
        self.sensitive += other.sensitive;
        self.uses += other.uses;
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }

    /// There are many of them, and whoever walks on is shown by what he did last.
    fn condense(&mut self) {
        self.evidence.keep_first(0);
    }
}
