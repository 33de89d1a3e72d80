//! The store: what is kept of every key, read by detectors, inventory and metrics.
//!
//! Merged windows in ([`Store::absorb`]), touched keys out. One map a kind of key, so that readers (metrics, inventory,
//! checkpoints) never stop who writes. Bounded: past a limit the keys not seen for longest go first, those with a history
//! last; the order is by event time and key, never by arrival. What goes is folded into its parent: an endpoint into its
//! host, a client into its network.

use super::changes::Changes;
use super::fold::{EndpointLesson, ExposureLesson, SubjectLesson};
use super::persist::Kind;
use super::state::{
    AttemptsState, ClientState, EndpointActivity, EndpointState, Folded, HostKnown, HostState, NetworkState,
    PrincipalState, ReachState, Stranger, SubjectActivity,
};
use super::tiers::Tiers;
use crate::hash::{BuildIdentity, mix};
use crate::inspect::DataClass;
use crate::window::{
    ClientWindow, EndpointWindow, Exposure, HostWindow, Merge, Moment, PrincipalWindow, Tally, Window,
};
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub type Map<V> = DashMap<u64, V, BuildIdentity>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreLimits {
    pub endpoints: usize,
    pub clients: usize,
    pub principals: usize,
    pub hosts: usize,
    /// Networks of clients that were folded into them.
    pub networks: usize,
    /// Pairs of each kind: client or account at a login endpoint, subject at an endpoint with objects.
    pub pairs: usize,
    /// Clients, and principals, whose recent errors and exposures are kept.
    pub remarkable: usize,
}

impl Default for StoreLimits {
    /// Ten thousand endpoints of 8 to 12 kB, a million clients of 300 bytes, pairs of 300 to 1,500 bytes, what is
    /// remarkable 500 to 3,000 bytes.
    fn default() -> Self {
        StoreLimits {
            endpoints: 10_000,
            clients: 1_000_000,
            principals: 200_000,
            hosts: 2_000,
            networks: 50_000,
            pairs: 60_000,
            remarkable: 50_000,
        }
    }
}

#[derive(Default)]
pub struct Store {
    pub endpoints: Map<EndpointState>,
    pub clients: Map<ClientState>,
    pub principals: Map<PrincipalState>,
    pub hosts: Map<HostState>,
    pub login_clients: Map<AttemptsState>,
    pub login_accounts: Map<AttemptsState>,
    pub reaches: Map<ReachState>,
    /// What is left of clients past the limit.
    pub networks: Map<NetworkState>,
    pub changes: Changes,
}

/// The keys a window touched, each kind in ascending order: the order in which they are judged.
#[derive(Default, Debug)]
pub struct Touched {
    /// Whether the window only teaches.
    pub is_learning: bool,
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
    pub host_lessons: Vec<(u64, SubjectLesson)>,
}

/// Objects that a subject usually reaches, from which on it is remembered for a week: what a nightly or weekly job does
/// must not be news each time.
const REMEMBERED_REACH: u64 = 20;
const REMEMBERED_WINDOWS: i64 = 8 * 8640;

impl Store {
    /// Takes in the merged window. While `is_learning`, new endpoints are no strangers.
    pub fn absorb(&self, index: i64, window: Window, is_learning: bool) -> Touched {
        let mut touched = Touched { is_learning, ..Touched::default() };
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
            let mut state = self.endpoints.entry(key).or_insert_with(|| EndpointState::new(&endpoint, is_learning));
            touched.endpoint_lessons.push((key, EndpointLesson::of(&endpoint)));
            absorb_endpoint(&mut state, index, endpoint);
            if let (Some(stranger), Some(known)) = (state.stranger.as_deref_mut(), known) {
                stranger.known = known;
            }
            touched.endpoints.push(key);
            if is_new {
                touched.new_endpoints.push(key);
            }
        }
        for (key, client) in window.clients.into_sorted() {
            let mut state = self.clients.entry(key).or_insert_with(|| new_client(&client));
            touched.client_lessons.push((key, lesson_of(&client.tally, client.exposure.as_deref())));
            absorb_client(&mut state, index, client);
            touched.clients.push(key);
        }
        for (key, principal) in window.principals.into_sorted() {
            let mut state = self.principals.entry(key).or_insert_with(new_principal);
            touched.principal_lessons.push((key, lesson_of(&principal.tally, principal.exposure.as_deref())));
            absorb_principal(&mut state, index, principal);
            touched.principals.push(key);
        }
        for (key, host) in window.hosts.into_sorted() {
            let mut state = self.hosts.entry(key).or_insert_with(|| new_host(&host));
            touched.host_lessons.push((key, lesson_of(&host.tally, None)));
            absorb_host(&mut state, index, host);
            touched.hosts.push(key);
        }
        for (key, attempts) in window.login_clients.into_sorted() {
            let mut state = self.login_clients.entry(key).or_default();
            state.endpoint = Some(attempts.endpoint);
            state.recent.add(index, attempts);
            state.last_window = index;
            touched.login_clients.push(key);
        }
        for (key, attempts) in window.login_accounts.into_sorted() {
            let mut state = self.login_accounts.entry(key).or_default();
            state.endpoint = Some(attempts.endpoint);
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

    fn host_known(&self, host: &str) -> HostKnown {
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
            state.usual >= REMEMBERED_REACH
        });
        for mut state in self.endpoints.iter_mut() {
            state.recent = Tiers::default();
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.clients.iter_mut() {
            state.recent = None;
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.principals.iter_mut() {
            state.recent = None;
            (state.last_window, state.taught) = (0, i64::MAX);
        }
        for mut state in self.hosts.iter_mut() {
            state.recent = Tiers::default();
            (state.last_window, state.taught) = (0, i64::MAX);
        }
    }

    /// Drops what is spent, and folds what is past the limits into its parent. Returns how many keys the limits cost.
    pub fn bound(&self, index: i64, limits: &StoreLimits) -> u64 {
        self.drop_spent(index);
        let costs = [
            self.lighten(
                (Kind::Client, &self.clients, limits.remarkable),
                |state| state.recent.is_some().then_some((state.requests > 1, state.last_window)),
                |state| state.recent = None,
            ),
            self.lighten(
                (Kind::Principal, &self.principals, limits.remarkable),
                |state| state.recent.is_some().then_some((state.requests > 1, state.last_window)),
                |state| state.recent = None,
            ),
            self.evict(
                (Kind::Endpoint, &self.endpoints, limits.endpoints),
                |state| (state.is_learned, state.last_window),
                |state| self.fold_endpoint(&state),
            ),
            self.evict(
                (Kind::Client, &self.clients, limits.clients),
                |state| (state.requests > 1, state.last_window),
                |state| self.fold_client(&state),
            ),
            self.evict(
                (Kind::Principal, &self.principals, limits.principals),
                |state| (state.requests > 1, state.last_window),
                drop,
            ),
            self.evict((Kind::Host, &self.hosts, limits.hosts), |state| (state.requests > 1, state.last_window), drop),
            self.evict(
                (Kind::Network, &self.networks, limits.networks),
                |state| (state.folded.keys > 1, state.last_window),
                drop,
            ),
            self.evict((Kind::LoginClient, &self.login_clients, limits.pairs), |state| (true, state.last_window), drop),
            self.evict(
                (Kind::LoginAccount, &self.login_accounts, limits.pairs),
                |state| (true, state.last_window),
                drop,
            ),
            self.evict((Kind::Reach, &self.reaches, limits.pairs), |state| (true, state.last_window), drop),
        ];
        costs.into_iter().sum()
    }

    /// Limits under which [`Store::bound`] lets go of a quarter and more of what there is many of. Endpoints and hosts are few,
    /// and what is known of them took long to learn.
    pub fn tightened(&self, limits: &StoreLimits) -> StoreLimits {
        let of = |limit: usize, count: usize| limit.min(count - count / 4);
        let clients = self.clients.iter().filter(|state| state.recent.is_some()).count();
        let principals = self.principals.iter().filter(|state| state.recent.is_some()).count();
        let pairs = self.reaches.len().max(self.login_clients.len()).max(self.login_accounts.len());
        StoreLimits {
            clients: of(limits.clients, self.clients.len()),
            principals: of(limits.principals, self.principals.len()),
            pairs: of(limits.pairs, pairs),
            remarkable: of(limits.remarkable, clients.max(principals)),
            ..*limits
        }
    }

    fn drop_spent(&self, index: i64) {
        self.retain(Kind::LoginClient, &self.login_clients, |state| !state.recent.is_spent(index));
        self.retain(Kind::LoginAccount, &self.login_accounts, |state| !state.recent.is_spent(index));
        self.retain(Kind::Reach, &self.reaches, |state| {
            let is_of_baseline = state.last_window == 0;
            let is_recent = index.saturating_sub(state.last_window) < REMEMBERED_WINDOWS;
            let is_remembered = state.usual >= REMEMBERED_REACH && (is_of_baseline || is_recent);
            !state.recent.is_spent(index) || is_remembered
        });
        for mut state in self.clients.iter_mut() {
            if state.recent.take_if(|recent| recent.is_spent(index)).is_some() {
                self.changes.note(Kind::Client, [*state.key()]);
            }
        }
        for mut state in self.principals.iter_mut() {
            if state.recent.take_if(|recent| recent.is_spent(index)).is_some() {
                self.changes.note(Kind::Principal, [*state.key()]);
            }
        }
    }

    /// Drops what does not pass.
    pub(super) fn retain<V>(&self, kind: Kind, map: &Map<V>, passes: impl Fn(&mut V) -> bool) {
        map.retain(|key, state| {
            let is_kept = passes(state);
            if !is_kept {
                self.changes.note(kind, [*key]);
            }
            is_kept
        });
    }

    /// Brings a map down to nine tenths of its limit, lowest rank first.
    fn evict<V>(
        &self,
        (kind, map, limit): (Kind, &Map<V>, usize),
        rank: impl Fn(&V) -> (bool, i64),
        fold: impl Fn(V),
    ) -> u64 {
        if map.len() <= limit {
            return 0;
        }
        let keys = lowest(map, limit, |state| Some(rank(state)));
        for (_, state) in keys.iter().filter_map(|key| map.remove(key)) {
            fold(state);
        }
        self.changes.note(kind, keys.iter().copied());
        keys.len() as u64
    }

    /// Takes from the lowest of what has a rank what makes them heavy; they stay.
    fn lighten<V>(
        &self,
        (kind, map, limit): (Kind, &Map<V>, usize),
        rank: impl Fn(&V) -> Option<(bool, i64)>,
        take: impl Fn(&mut V),
    ) -> u64 {
        let keys = lowest(map, limit, rank);
        for mut state in keys.iter().filter_map(|key| map.get_mut(key)) {
            take(&mut state);
        }
        self.changes.note(kind, keys.iter().copied());
        keys.len() as u64
    }

    fn fold_endpoint(&self, state: &EndpointState) {
        // Hosts are few, and an endpoint does not know its host's key.
        if let Some(mut host) = self.hosts.iter_mut().find(|host| host.host == state.host) {
            host.folded.add(state.tally.requests, state.tally.statuses.class(4), state.moment);
            self.changes.note(Kind::Host, [*host.key()]);
        }
    }

    fn fold_client(&self, state: &ClientState) {
        let network = network_of(state.address);
        let key = network_key(network);
        let mut kept = self.networks.entry(key).or_insert_with(|| NetworkState::new(network));
        kept.folded.add(state.requests, state.errors.hits as u64, state.moment);
        kept.last_window = kept.last_window.max(state.last_window);
        self.changes.note(Kind::Network, [key]);
    }
}

/// The /24 or /64 an address is in.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 64).into(),
    }
}

/// The 64 bits of a network's prefix, spread: networks are evicted like anything else, so a crafted one gains nothing.
fn network_key(network: IpAddr) -> u64 {
    match network {
        IpAddr::V4(address) => mix(u64::from(address.to_bits())),
        IpAddr::V6(address) => mix((address.to_bits() >> 64) as u64),
    }
}

/// Of what has a rank, the keys of the lowest, where there are more than `limit`: as many as leave nine tenths of it.
fn lowest<V>(map: &Map<V>, limit: usize, rank: impl Fn(&V) -> Option<(bool, i64)>) -> Vec<u64> {
    let mut ranked: Vec<((bool, i64), u64)> =
        map.iter().filter_map(|entry| Some((rank(entry.value())?, *entry.key()))).collect();
    if ranked.len() <= limit {
        return Vec::new();
    }
    let excess = ranked.len() - limit * 9 / 10;
    ranked.select_nth_unstable(excess - 1); // within: excess is 1 to all of them
    ranked.truncate(excess);
    ranked.into_iter().map(|(_, key)| key).collect()
}

fn lesson_of(tally: &Tally, exposure: Option<&Exposure>) -> SubjectLesson {
    let successes = tally.statuses.class(2);
    SubjectLesson {
        requests: tally.requests,
        errors: tally.statuses.class(4),
        exposure: ExposureLesson::of(exposure, successes),
    }
}

fn absorb_endpoint(state: &mut EndpointState, index: i64, window: EndpointWindow) {
    state.documented = window.documented.or(state.documented);
    state.moment.merge(window.tally.moment);
    state.tally.merge(window.tally.clone());
    state.successes += window.successes;
    if let Some(logins) = &window.logins {
        state.login_attempts += logins.failures + logins.successes + logins.unknown;
        state.failed_logins += logins.failures;
    }
    for (mine, theirs) in state.credentials.iter_mut().zip(window.credentials) {
        *mine += theirs;
    }
    state.clients.merge(&window.clients);
    state.principals.merge(&window.principals);
    state.shapes.merge(&window.shapes);
    state.pages += window.pages;
    window.latency.into_hdr(&mut state.latency);
    for class in window.exposure.iter().flat_map(|exposure| &exposure.classes) {
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
    state.recent.add(
        index,
        EndpointActivity {
            tally: window.tally,
            successes: window.successes,
            errors: window.errors,
            logins: window.logins,
            exposure: window.exposure,
            open_exposure: window.open_exposure,
            large,
            sizes: window.sizes,
            records: window.records,
            sensitive_values: window.sensitive_values,
        },
    );
}

fn new_client(window: &ClientWindow) -> ClientState {
    ClientState {
        address: window.address,
        moment: Moment::default(),
        requests: 0,
        errors: Default::default(),
        exposure: None,
        recent: None,
        last_window: 0,
        taught: 0,
    }
}

/// Only a client with errors, exposure or abuses is interesting enough for recent activity of its own.
fn add_activity(recent: &mut Option<Box<Tiers<SubjectActivity>>>, index: i64, activity: SubjectActivity) {
    let is_interesting = activity.errors.is_some() || activity.exposure.is_some() || activity.abuses.is_some();
    if is_interesting || recent.is_some() {
        recent.get_or_insert_default().add(index, activity);
    }
}

fn absorb_client(state: &mut ClientState, index: i64, window: ClientWindow) {
    state.moment.merge(window.tally.moment);
    if let Some(abuses) = &window.abuses {
        state.moment.merge(abuses.moment);
    }
    state.requests += window.tally.requests;
    state.last_window = index;
    let activity = SubjectActivity {
        requests: window.tally.requests,
        successes: window.tally.statuses.class(2),
        statuses: window.tally.statuses,
        errors: window.errors,
        exposure: window.exposure,
        abuses: window.abuses,
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
        recent: None,
        last_window: 0,
        taught: 0,
    }
}

fn absorb_principal(state: &mut PrincipalState, index: i64, window: PrincipalWindow) {
    state.moment.merge(window.tally.moment);
    state.requests += window.tally.requests;
    state.clients.merge(&window.clients);
    state.client_sample.merge(&window.client_sample);
    state.last_window = index;
    let activity = SubjectActivity {
        requests: window.tally.requests,
        successes: window.tally.statuses.class(2),
        statuses: window.tally.statuses,
        errors: None,
        exposure: window.exposure,
        abuses: None,
    };
    add_activity(&mut state.recent, index, activity);
}

fn new_host(window: &HostWindow) -> HostState {
    HostState {
        host: window.host.clone(),
        moment: Moment::default(),
        requests: 0,
        errors: Default::default(),
        endpoints: 0,
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
            errors: window.errors,
            exposure: None,
            abuses: None,
        },
    );
}

/// The names of the classes in a set of counts, with the counts.
pub fn data_of(values: &[u64; DataClass::COUNT]) -> impl Iterator<Item = (DataClass, u64)> + '_ {
    DataClass::ALL.into_iter().zip(values.iter().copied()).filter(|(_, count)| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Errors;

    fn failing_clients(keys: std::ops::Range<u64>) -> Window {
        let mut window = Window::default();
        for key in keys {
            let mut errors = Errors::default();
            errors.statuses.record(404);
            let tally = Tally { requests: 1, ..Tally::default() };
            let address = std::net::Ipv4Addr::from(key as u32).into();
            let client = ClientWindow {
                address,
                tally,
                errors: Some(Box::new(errors)),
                exposure: None,
                endpoints: Default::default(),
                abuses: None,
            };
            window.clients.put(key, client);
        }
        window
    }

    #[test]
    fn at_the_limit_the_longest_unseen_lose_what_is_remarkable_and_keep_their_counts() {
        let store = Store::default();
        store.absorb(1, failing_clients(0..60), false);
        store.absorb(2, failing_clients(60..120), false);
        let limits = StoreLimits { remarkable: 50, ..StoreLimits::default() };
        assert_eq!(store.bound(2, &limits), 75);
        let kept: Vec<u64> =
            store.clients.iter().filter(|state| state.recent.is_some()).map(|state| *state.key()).collect();
        assert!(kept.len() == 45 && kept.iter().all(|key| *key >= 60));
        assert!(store.clients.len() == 120 && store.clients.iter().all(|state| state.requests == 1));
        assert_eq!(store.bound(2, &limits), 0);
    }
}
