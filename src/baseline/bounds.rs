//! Bounds of the store: past a limit the keys not seen for longest go first, those with a history last.
//!
//! The order is by event time and key, never by arrival. What goes is folded into its parent: an endpoint into its host, a
//! client into its network.

use super::persist::Kind;
use super::state::{ClientState, EndpointState, NetworkState};
use super::store::{Map, REMEMBERED_REACH, REMEMBERED_WINDOWS, Store};
use crate::window::{network_hash, network_of};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A table is sparse that has room for more than so many times what is in it and a few more.
const SPARSE: usize = 4;
const SMALL: usize = 4096;

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
    /// Ten thousand endpoints of 9 to 21 kB, a million clients of 150 bytes, pairs of 300 bytes to 8 kB, what is remarkable
    /// 500 to 3,000 bytes.
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

impl Store {
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
                |state| {
                    let is_heavy = state.recent.is_some() || state.places.is_some();
                    is_heavy.then_some((state.requests > 1, state.last_window))
                },
                |state| (state.recent, state.places) = (None, None),
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
                // Sessions come by the thousand and die; of a key its long silence is what there is to know.
                |state| (state.lasting.is_some(), state.requests > 1, state.last_window),
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
        self.give_room_back();
        costs.into_iter().sum()
    }

    /// Limits under which [`Store::bound`] lets go of a quarter and more of what there is many of. Endpoints and hosts are
    /// few, and what is known of them took long to learn.
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

    /// Gives back the room of tables that were much larger.
    fn give_room_back(&self) {
        fn trim<V>(map: &Map<V>) {
            if map.capacity() / SPARSE > map.len() + SMALL {
                map.shrink_to_fit();
            }
        }
        trim(&self.endpoints);
        trim(&self.clients);
        trim(&self.principals);
        trim(&self.hosts);
        trim(&self.networks);
        trim(&self.login_clients);
        trim(&self.login_accounts);
        trim(&self.reaches);
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
            let are_spent = state.places.take_if(|places| places.is_spent(index)).is_some();
            if state.recent.take_if(|recent| recent.is_spent(index)).is_some() || are_spent {
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
    fn evict<V, R: Ord>(
        &self,
        (kind, map, limit): (Kind, &Map<V>, usize),
        rank: impl Fn(&V) -> R,
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
        let key = network_hash(network);
        let mut kept = self.networks.entry(key).or_insert_with(|| NetworkState::new(network));
        kept.folded.add(state.requests, state.errors.hits as u64, state.moment);
        kept.last_window = kept.last_window.max(state.last_window);
        self.changes.note(Kind::Network, [key]);
    }
}

/// Of what has a rank, the keys of the lowest, where there are more than `limit`: as many as leave nine tenths of it. Looks
/// twice, for memory is short where there is much: ranks are few.
fn lowest<V, R: Ord>(map: &Map<V>, limit: usize, rank: impl Fn(&V) -> Option<R>) -> Vec<u64> {
    let mut ranks: BTreeMap<R, usize> = BTreeMap::new();
    map.iter().filter_map(|entry| rank(entry.value())).for_each(|rank| *ranks.entry(rank).or_default() += 1);
    let all: usize = ranks.values().sum();
    if all <= limit {
        return Vec::new();
    }
    let excess = all - limit * 9 / 10;
    let mut below = 0;
    let last = ranks.into_iter().find(|(_, count)| {
        below += count;
        below >= excess
    });
    let Some((last, count)) = last else { return Vec::new() };
    let (mut keys, mut of_last) = (Vec::with_capacity(excess), Vec::with_capacity(count));
    for entry in map.iter() {
        match rank(entry.value()).map(|rank| rank.cmp(&last)) {
            Some(Ordering::Less) => keys.push(*entry.key()),
            Some(Ordering::Equal) => of_last.push(*entry.key()),
            Some(Ordering::Greater) | None => {}
        }
    }
    of_last.sort_unstable();
    keys.extend(of_last.into_iter().take(excess - (below - count)));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{ClientWindow, Errors, Tally, Window, new_client};

    fn failing_clients(keys: std::ops::Range<u64>) -> Window {
        let mut window = Window::default();
        for key in keys {
            let mut errors = Errors::default();
            errors.statuses.record(404);
            let tally = Tally { requests: 1, ..Tally::default() };
            let address = std::net::Ipv4Addr::from(key as u32).into();
            let client = ClientWindow { tally, errors: Some(Box::new(errors)), ..new_client(address) };
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
