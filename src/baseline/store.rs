//! The store: what is kept of every key, read by detectors, inventory and metrics.
//!
//! Merged windows in ([`Store::absorb`]), touched keys out. One map a kind of key, so that readers (metrics, inventory,
//! checkpoints) never stop who writes. How it is kept within its limits is in `bounds.rs`.

use super::Watched;
use super::changes::Changes;
use super::lasting::Lasting;
use super::lesson::{EndpointLesson, ExposureLesson, HostLesson, SubjectLesson, TakenLesson};
use super::persist::Kind;
use super::reach::ReachState;
use super::state::{
    AttemptsState, ClientState, EndpointActivity, EndpointState, Folded, HostKnown, HostState, NetworkState,
    PrincipalState, Stranger, SubjectActivity,
};
use super::tiers::Tiers;
use crate::hash::BuildIdentity;
use crate::inspect::DataClass;
use crate::window::{
    ClientWindow, EndpointWindow, Exposure, HostWindow, LARGE_BYTES, Merge, Moment, PrincipalWindow, Tally, Window,
};
use dashmap::DashMap;
use dashmap::mapref::multiple::RefMulti;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub type Map<V> = DashMap<u64, V, BuildIdentity>;

#[derive(Default)]
pub struct Store {
    pub endpoints: Map<EndpointState>,
    /// Many: in boxes, since a table has up to twice as many places as keys.
    pub clients: Map<Box<ClientState>>,
    pub principals: Map<PrincipalState>,
    pub hosts: Map<HostState>,
    pub login_clients: Map<AttemptsState>,
    pub login_accounts: Map<AttemptsState>,
    pub reaches: Map<ReachState>,
    /// What is left of clients past the limit.
    pub networks: Map<NetworkState>,
    /// When there was traffic.
    watched: Mutex<Watched>,
    pub changes: Changes,
}

/// The keys a window touched, each kind in ascending order: the order in which they are judged.
#[derive(Default, Debug)]
pub struct Touched {
    /// Whether the window only teaches.
    pub is_learning: bool,
    /// The window by the site's clock.
    pub local: i64,
    pub endpoints: Vec<u64>,
    /// Of these, those that were not in the store before.
    pub new_endpoints: Vec<u64>,
    pub clients: Vec<u64>,
    pub principals: Vec<u64>,
    pub hosts: Vec<u64>,
    pub login_clients: Vec<u64>,
    pub login_accounts: Vec<u64>,
    pub reaches: Vec<u64>,
    pub endpoint_lessons: Vec<(u64, EndpointLesson)>,
    pub client_lessons: Vec<(u64, SubjectLesson)>,
    pub principal_lessons: Vec<(u64, SubjectLesson)>,
    pub host_lessons: Vec<(u64, HostLesson)>,
}

/// Objects that a subject usually reaches, from which on it is remembered for a week: what a nightly or weekly job does
/// must not be news each time.
pub(super) const REMEMBERED_REACH: u64 = 20;
pub(super) const REMEMBERED_WINDOWS: i64 = 8 * 8640;

impl Store {
    /// Takes in the merged window. While `is_learning`, new endpoints are no strangers.
    pub fn absorb(&self, index: i64, mut window: Window, is_learning: bool) -> Touched {
        self.count_strangers(&mut window);
        let mut touched = Touched { is_learning, local: index, ..Touched::default() };
        self.watched().note(index);
        let mut known_hosts: BTreeMap<Arc<str>, HostKnown> = BTreeMap::new();
        for (key, endpoint) in window.endpoints.into_sorted() {
            let is_new = !self.endpoints.contains_key(&key);
            if !endpoint.is_made && is_new {
                continue;
            }
            let known = (is_new && !is_learning).then(|| {
                let host = Arc::clone(&endpoint.host);
                *known_hosts.entry(host).or_insert_with_key(|host| self.host_known(host))
            });
            let outsiders = if is_learning { Vec::new() } else { self.outsiders_at(key, &endpoint) };
            let mut state = self.endpoints.entry(key).or_insert_with(|| EndpointState::new(&endpoint, is_learning));
            touched.endpoint_lessons.push((key, EndpointLesson::of(&endpoint)));
            if !endpoint.served.is_empty() {
                state.circle.get_or_insert_default().absorb(index, &endpoint.served, &outsiders);
            }
            if !endpoint.contacts.is_empty() {
                let (owners, moment) = (state.owners.get_or_insert_default(), endpoint.tally.moment);
                owners.absorb(index, &endpoint.contacts, moment, is_learning);
            }
            absorb_endpoint(&mut state, index, endpoint, is_learning);
            if let (Some(stranger), Some(known)) = (state.stranger.as_deref_mut(), known) {
                stranger.known = known;
            }
            touched.endpoints.push(key);
            if is_new {
                touched.new_endpoints.push(key);
            }
        }
        for (key, client) in window.clients.into_sorted() {
            let mut state = self.clients.entry(key).or_insert_with(|| Box::new(new_client(&client)));
            let mut lesson = lesson_of(&client.tally, client.exposure.as_deref(), client.records);
            lesson.asked = client.asked.clone();
            // What is not judged does not teach: dead links.
            lesson.errors = client.errors.as_deref().map_or(0, |errors| errors.statuses.total());
            touched.client_lessons.push((key, lesson));
            absorb_client(&mut state, index, client);
            touched.clients.push(key);
        }
        for (key, principal) in window.principals.into_sorted() {
            let mut state = self.principals.entry(key).or_insert_with(new_principal);
            touched
                .principal_lessons
                .push((key, lesson_of(&principal.tally, principal.exposure.as_deref(), principal.records)));
            absorb_principal(&mut state, index, principal);
            touched.principals.push(key);
        }
        for (key, host) in window.hosts.into_sorted() {
            let mut state = self.hosts.entry(key).or_insert_with(|| new_host(&host));
            let lesson = HostLesson { of_all: lesson_of(&host.tally, None, 0), clients: host.clients.count() };
            touched.host_lessons.push((key, lesson));
            absorb_host(&mut state, index, host);
            touched.hosts.push(key);
        }
        for (key, attempts) in window.login_clients.into_sorted() {
            let mut state = self.login_clients.entry(key).or_default();
            (state.endpoint, state.flow) = (Some(attempts.endpoint), attempts.flow);
            state.recent.add(index, attempts);
            state.last_window = index;
            touched.login_clients.push(key);
        }
        for (key, attempts) in window.login_accounts.into_sorted() {
            let mut state = self.login_accounts.entry(key).or_default();
            (state.endpoint, state.flow) = (Some(attempts.endpoint), attempts.flow);
            state.recent.add(index, attempts);
            state.last_window = index;
            touched.login_accounts.push(key);
        }
        for (key, reach) in window.reaches.into_sorted() {
            let mut state = self.reaches.entry(key).or_default();
            state.recent.add(index, reach);
            state.last_window = index;
            touched.reaches.push(key);
        }
        self.note_touched(&touched);
        touched
    }

    /// A host by its name. Looks at all.
    pub fn host_named(&self, name: &str) -> Option<RefMulti<'_, u64, HostState>> {
        self.hosts.iter().find(|host| *host.host == *name)
    }

    /// When there was traffic.
    pub fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner) // spans are whole at any time
    }

    fn note_touched(&self, touched: &Touched) {
        for (kind, keys) in [
            (Kind::Endpoint, &touched.endpoints),
            (Kind::Client, &touched.clients),
            (Kind::Principal, &touched.principals),
            (Kind::Host, &touched.hosts),
            (Kind::LoginClient, &touched.login_clients),
            (Kind::LoginAccount, &touched.login_accounts),
            (Kind::Reach, &touched.reaches),
        ] {
            self.changes.note(kind, keys.iter().copied());
        }
    }

    fn note_all(&self) {
        fn keys<V>(map: &Map<V>) -> impl Iterator<Item = u64> {
            map.iter().map(|entry| *entry.key())
        }
        self.changes.note(Kind::Endpoint, keys(&self.endpoints));
        self.changes.note(Kind::Client, keys(&self.clients));
        self.changes.note(Kind::Principal, keys(&self.principals));
        self.changes.note(Kind::Host, keys(&self.hosts));
        self.changes.note(Kind::LoginClient, keys(&self.login_clients));
        self.changes.note(Kind::LoginAccount, keys(&self.login_accounts));
        self.changes.note(Kind::Reach, keys(&self.reaches));
    }

    /// How well a host is known. Looks at all endpoints.
    pub fn host_known(&self, host: &str) -> HostKnown {
        let mut known = HostKnown::default();
        for entry in self.endpoints.iter().filter(|entry| *entry.host == *host) {
            known.requests += entry.tally.requests;
            known.singletons += u64::from(entry.tally.requests == 1);
        }
        known
    }

    /// Forgets recent activity and what is told by window numbers, and keeps what is normal: another capture follows,
    /// with another time.
    pub fn forget_recent(&self) {
        self.note_all();
        self.login_clients.clear();
        self.login_accounts.clear();
        self.reaches.retain(|_, state| {
            (state.recent, state.since) = (Tiers::default(), Some(i64::MIN));
            (state.noted, state.under_way, state.last_window) = (0, 0, 0);
            (state.told, state.grown) = (None, None);
            state.settle();
            state.usual >= REMEMBERED_REACH
        });
        for mut state in self.endpoints.iter_mut() {
            state.recent = Tiers::default();
            state.parameters.iter_mut().for_each(|parameters| parameters.forget_recent());
            state.circle.iter_mut().for_each(|circle| circle.forget_recent());
            state.owners.iter_mut().for_each(|owners| owners.forget_recent());
            state.pace.forget_recent();
            (state.logins_told, state.quarantine, state.slow_quarantine) = (None, None, None);
            state.gate.forget_recent();
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.clients.iter_mut() {
            (state.recent, state.quarantine) = (None, None);
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.principals.iter_mut() {
            (state.recent, state.places) = (None, None);
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.hosts.iter_mut() {
            state.recent = Tiers::default();
            state.demand.end();
            state.habit.forget_recent();
            state.quarantine = None;
            (state.last_window, state.taught) = (0, i64::MAX);
        }
    }
}

fn lesson_of(tally: &Tally, exposure: Option<&Exposure>, records: u64) -> SubjectLesson {
    let successes = tally.statuses.class(2);
    SubjectLesson {
        requests: tally.requests,
        answered: tally.statuses.total(),
        errors: tally.statuses.class(4),
        failures: tally.statuses.class(5),
        exposure: ExposureLesson::of(exposure, successes),
        taken: TakenLesson { requests: tally.requests, records, bytes: tally.response_bytes, windows: 1 },
        asked: Default::default(),
    }
}

fn absorb_endpoint(state: &mut EndpointState, index: i64, mut window: EndpointWindow, is_learning: bool) {
    if let Some(strays) = window.strays.take() {
        let before = if is_learning { 0 } else { state.tally.requests };
        state.parameters.get_or_insert_default().absorb(index, *strays, before);
    }
    state.documented = window.documented.or(state.documented);
    if window.documented.is_some() {
        state.is_deprecated = window.is_deprecated; // what the newest description says
    }
    state.moment.merge(window.tally.moment);
    state.tally.merge(window.tally.clone());
    state.successes += window.successes;
    if let Some(logins) = &window.logins {
        state.login_attempts += logins.failures + logins.successes + logins.unknown;
        state.failed_logins += logins.failures;
    }
    if let Some(accounts) = &window.accounts {
        state.account_flow = Some(accounts.flow);
    }
    for (mine, theirs) in state.credentials.iter_mut().zip(window.credentials) {
        *mine += theirs;
    }
    state.clients.merge(&window.clients);
    state.principals.merge(&window.principals);
    state.shapes.merge(&window.shapes);
    state.pages += window.pages;
    window.latency.into_hdr(&mut state.latency);
    let slow_windows = u64::from(state.pace.look(index, &window.latency, &window.clients));
    let leaked = window.leaks.iter().flat_map(|leaks| &leaks.exposure.classes);
    for class in window.exposure.iter().flat_map(|exposure| &exposure.classes).chain(leaked) {
        state.data_values[class.class as usize] += class.values.count();
    }
    let mut large = crate::window::EvidenceSample::default();
    // What a description does not name stays a stranger, whether or not it was there while the baseline was learned.
    if !state.is_learned || state.documented == Some(false) {
        let stranger = state.stranger.get_or_insert_with(|| Box::new(Stranger::default()));
        stranger.successes += window.successes;
        stranger.open_successes += window.open_successes;
        stranger.evidence.merge(&window.evidence);
        stranger.clients.merge(&window.client_sample);
    }
    if state.is_learned {
        large = window.evidence;
    }
    state.last_window = index;
    // A window of which most was not read says nothing of who got in.
    let logins = window.logins.as_deref().filter(|logins| logins.successes > 0 || logins.unknown <= logins.failures);
    let logins = logins.map(|logins| [logins.successes, logins.failures]);
    state.recent.add(
        index,
        EndpointActivity {
            tally: window.tally,
            successes: window.successes,
            errors: window.errors,
            failures: window.failures,
            logins: window.logins,
            accounts: window.accounts,
            exposure: window.exposure,
            open_exposure: window.open_exposure,
            leaks: window.leaks,
            paged: window.paged,
            large,
            sizes: window.sizes,
            records: window.records,
            sensitive_values: window.sensitive_values,
            latency: window.latency,
            slow_windows,
        },
    );
    if let Some(logins) = logins {
        state.gate.look(index, logins, &state.recent);
    }
}

fn new_client(window: &ClientWindow) -> ClientState {
    ClientState {
        address: window.address,
        moment: Moment::default(),
        requests: 0,
        errors: Default::default(),
        failures: None,
        quarantine: None,
        exposure: None,
        taken: None,
        recent: None,
        last_window: 0,
        taught: 0,
    }
}

/// Rows that a client takes within a window, from which on it takes much.
const MANY_RECORDS: u64 = 200;

/// Requests of a client within a window, from which on it asks much.
const MANY_REQUESTS: u64 = 15;

/// Only a client with errors, exposure, abuses, evasions, deep documents, smuggling, code or forged tokens, or one that asks or takes much, is
/// interesting enough for recent activity of its own.
fn add_activity(recent: &mut Option<Box<Tiers<SubjectActivity>>>, index: i64, activity: SubjectActivity) {
    let is_interesting = activity.errors.is_some()
        || activity.failures.is_some()
        || activity.exposure.is_some()
        || activity.abuses.is_some()
        || activity.evasions.is_some()
        || activity.deep.is_some()
        || activity.smuggling.is_some()
        || activity.injected.is_some()
        || activity.unsigned.is_some()
        || activity.requests >= MANY_REQUESTS
        || activity.records >= MANY_RECORDS
        || activity.bytes >= LARGE_BYTES;
    if is_interesting || recent.is_some() {
        recent.get_or_insert_default().add(index, activity);
    }
}

fn absorb_client(state: &mut ClientState, index: i64, window: ClientWindow) {
    state.moment.merge(window.tally.moment);
    let others = [window.abuses.as_ref().map(|a| a.moment), window.smuggling.as_ref().map(|s| s.moment)];
    others.into_iter().flatten().for_each(|moment| state.moment.merge(moment));
    state.requests += window.tally.requests;
    state.last_window = index;
    let activity = SubjectActivity {
        requests: window.tally.requests,
        successes: window.tally.statuses.class(2),
        statuses: window.tally.statuses,
        bytes: window.tally.response_bytes,
        records: window.records,
        moment: window.tally.moment,
        windows: 1,
        errors: window.errors,
        failures: window.failures,
        exposure: window.exposure,
        abuses: window.abuses,
        evasions: window.evasions,
        deep: window.deep,
        smuggling: window.smuggling,
        injected: window.injected,
        unsigned: window.unsigned,
        asked: window.asked,
        callers: window.callers,
    };
    add_activity(&mut state.recent, index, activity);
}

fn new_principal() -> PrincipalState {
    PrincipalState {
        moment: Moment::default(),
        requests: 0,
        clients: Default::default(),
        client_sample: Default::default(),
        exposure: None,
        taken: None,
        place: (0, 0),
        places: None,
        usual_networks: 0,
        lasting: None,
        recent: None,
        last_window: 0,
        taught: 0,
    }
}

fn absorb_principal(state: &mut PrincipalState, index: i64, window: PrincipalWindow) {
    if let Some(used) = &window.lasting {
        let lasting = state.lasting.get_or_insert_with(|| Box::new(Lasting::new(used.kind)));
        lasting.absorb(&state.moment, &window, used);
    }
    state.moment.merge(window.tally.moment);
    state.requests += window.tally.requests;
    state.clients.merge(&window.clients);
    state.client_sample.merge(&window.client_sample);
    state.absorb_places(index, window.places);
    state.last_window = index;
    let activity = SubjectActivity {
        requests: window.tally.requests,
        successes: window.tally.statuses.class(2),
        statuses: window.tally.statuses,
        bytes: window.tally.response_bytes,
        records: window.records,
        moment: window.tally.moment,
        windows: 1,
        errors: None,
        failures: None,
        exposure: window.exposure,
        abuses: None,
        evasions: None,
        deep: None,
        smuggling: None,
        injected: None,
        unsigned: None,
        asked: window.asked,
        callers: window.callers,
    };
    add_activity(&mut state.recent, index, activity);
}

fn new_host(window: &HostWindow) -> HostState {
    HostState {
        host: window.host.clone(),
        moment: Moment::default(),
        requests: 0,
        errors: Default::default(),
        failures: Default::default(),
        endpoints: 0,
        demand: Default::default(),
        habit: Default::default(),
        quarantine: None,
        folded: Folded::default(),
        recent: Tiers::default(),
        last_window: 0,
        taught: 0,
    }
}

fn absorb_host(state: &mut HostState, index: i64, window: HostWindow) {
    state.moment.merge(window.tally.moment);
    state.requests += window.tally.requests;
    state.last_window = index;
    state.recent.add(
        index,
        SubjectActivity {
            requests: window.tally.requests,
            successes: window.tally.statuses.class(2),
            statuses: window.tally.statuses,
            bytes: window.tally.response_bytes,
            records: 0,
            moment: window.tally.moment,
            windows: 1,
            errors: window.errors,
            failures: window.failures,
            exposure: None,
            abuses: None,
            evasions: None,
            deep: None,
            smuggling: None,
            injected: None,
            unsigned: None,
            asked: Default::default(),
            callers: None,
        },
    );
}

/// The names of the classes in a set of counts, with the counts.
pub fn data_of(values: &[u64; DataClass::COUNT]) -> impl Iterator<Item = (DataClass, u64)> + '_ {
    DataClass::ALL.into_iter().zip(values.iter().copied()).filter(|(_, count)| *count > 0)
}
