//! A window: what one slice of event time amounts to, keyed by endpoint, client, principal, host and pairs of them.
//!
//! Observations in, one [`Window`] a slice and partition out. Everything in a window is a commutative, associative
//! aggregate of integers, sets and samples, so that merging the windows of all partitions gives the same result in any
//! order, on any number of threads. Keys are bounded; what the bound leaves out is chosen by the key's hash, of those that came
//! before it was reached, and keys with a history come first.

mod abuses;
mod aggregate;
mod deep;
mod demand;
pub mod distinct;
mod evasions;
mod fill;
pub mod histogram;
mod injected;
mod lasting;
mod leaks;
mod pages;
mod places;
pub mod sample;
mod served;
mod shown;
mod smuggling;
mod strays;
mod times;

pub use abuses::Abuses;
pub use aggregate::{
    Attempts, ClassExposure, ClientWindow, EndpointWindow, Errors, Evidence, EvidenceKey, EvidenceSample, Exposure,
    HostWindow, Merge, Moment, Parts, PrincipalWindow, Reach, SUCCEEDED, Strangers, Tally,
};
pub use deep::DeepDocuments;
pub use demand::{Asked, AskedByHost, Callers};
pub use evasions::Evasions;
pub use fill::{
    Filling, LARGE_BYTES, LARGE_RECORDS, an_endpoint, attempts_key, client_key, new_client, pair_key, use_key,
};
pub use injected::{Carriers, Injected};
pub use lasting::{LastingUse, NetworkSample, network_hash, network_of};
pub use leaks::{Leaks, leaked};
pub use pages::{LARGE_PAGE, Page, Pages};
pub use places::Places;
pub use served::{Contacts, MOST_SERVED, Served, Service, contact_key};
pub use shown::shortened;
pub use smuggling::Smuggling;
pub use strays::{StrayUse, Strays};
pub use times::{AnswerTimes, Group};

use crate::hash::{BuildIdentity, HashedMap};
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::time::Duration;

/// Length of a window.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Which window an event time belongs to: windows since the Unix epoch.
pub fn window_of(time: crate::time::Timestamp) -> i64 {
    time.0.div_euclid(WINDOW.as_nanos() as i64)
}

/// When a window begins.
pub fn start_of(window: i64) -> crate::time::Timestamp {
    crate::time::Timestamp(window.saturating_mul(WINDOW.as_nanos() as i64))
}

/// What one partition's window keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// Keys of each other kind.
    pub keys: usize,
    /// Endpoints, and hosts, that are not known yet; each takes some kilobytes.
    pub endpoints: usize,
}

impl Default for WindowLimits {
    /// In 16 partitions 65,536 clients active and 8,192 endpoints new within ten seconds.
    fn default() -> Self {
        WindowLimits { keys: 4096, endpoints: 512 }
    }
}

/// The aggregates of one slice of event time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    pub endpoints: Keyed<EndpointWindow>,
    pub clients: Keyed<ClientWindow>,
    pub principals: Keyed<PrincipalWindow>,
    pub hosts: Keyed<HostWindow>,
    /// Login attempts of one client at one endpoint.
    pub login_clients: Keyed<Attempts>,
    /// Login attempts for one user name at one endpoint.
    pub login_accounts: Keyed<Attempts>,
    /// Objects of one endpoint that one client or principal asked for.
    pub reaches: Keyed<Reach>,
    pub transactions: u64,
}

impl Window {
    /// An empty window with room for as much as `other` holds: traffic is much the same from one window to the next.
    pub fn sized_like(other: &Window) -> Window {
        Window {
            endpoints: Keyed::with_room_for(other.endpoints.len()),
            clients: Keyed::with_room_for(other.clients.len()),
            principals: Keyed::with_room_for(other.principals.len()),
            hosts: Keyed::with_room_for(other.hosts.len()),
            login_clients: Keyed::with_room_for(other.login_clients.len()),
            login_accounts: Keyed::with_room_for(other.login_accounts.len()),
            reaches: Keyed::with_room_for(other.reaches.len()),
            transactions: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.transactions == 0
    }

    pub fn merge(&mut self, other: Window) {
        self.endpoints.merge(other.endpoints);
        self.clients.merge(other.clients);
        self.principals.merge(other.principals);
        self.hosts.merge(other.hosts);
        self.login_clients.merge(other.login_clients);
        self.login_accounts.merge(other.login_accounts);
        self.reaches.merge(other.reaches);
        self.transactions += other.transactions;
    }

    /// Keys that the bounds left out.
    pub fn left_out(&self) -> u64 {
        self.endpoints.left_out
            + self.clients.left_out
            + self.principals.left_out
            + self.hosts.left_out
            + self.login_clients.left_out
            + self.login_accounts.left_out
            + self.reaches.left_out
    }
}

/// Aggregates by keyed hash, bounded.
#[derive(Clone, Debug)]
pub struct Keyed<A> {
    /// Boxed: tables grow anew in every window, and growing moves what they hold.
    map: HashedMap<Box<A>>,
    /// Of these, the ones that were known before: the bound is for the others.
    known: HashSet<u64, BuildIdentity>,
    /// Times that the bound turned a new key away or put a kept one out.
    pub left_out: u64,
    /// The largest hash that may come in, once the bound was reached.
    ceiling: u64,
}

impl<A> Default for Keyed<A> {
    fn default() -> Self {
        Keyed { map: HashedMap::default(), known: HashSet::default(), left_out: 0, ceiling: u64::MAX }
    }
}

/// What was known when it came is no part of what came.
impl<A: PartialEq> PartialEq for Keyed<A> {
    fn eq(&self, other: &Self) -> bool {
        (&self.map, self.left_out, self.ceiling) == (&other.map, other.left_out, other.ceiling)
    }
}

impl<A> Keyed<A> {
    fn with_room_for(keys: usize) -> Keyed<A> {
        Keyed { map: HashedMap::with_capacity_and_hasher(keys, BuildIdentity::default()), ..Keyed::default() }
    }

    /// The aggregate of a key. At the bound the keys with the smallest hashes stay; a key that `is_known` from earlier
    /// always gets in and stays, and does not count (the known are bounded by the store).
    pub fn entry(&mut self, key: u64, is_known: bool, limit: usize, new: impl FnOnce() -> A) -> Option<&mut A> {
        if !is_known && self.map.len() - self.known.len() >= limit && !self.map.contains_key(&key) {
            if key >= self.ceiling {
                self.left_out += 1;
                return None;
            }
            self.shrink(limit / 2);
            self.left_out += 1;
            if key >= self.ceiling {
                return None;
            }
        }
        if !is_known && key >= self.ceiling && !self.map.contains_key(&key) {
            self.left_out += 1;
            return None;
        }
        Some(match self.map.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                if is_known {
                    self.known.insert(key);
                }
                entry.insert(Box::new(new()))
            }
        })
    }

    /// Keeps the `keep` smallest keys of those that were not known; from now on only smaller ones than the first dropped come in.
    fn shrink(&mut self, keep: usize) {
        let Keyed { map, known, left_out, ceiling } = self;
        let mut keys: Vec<u64> = map.keys().copied().filter(|key| !known.contains(key)).collect();
        let Some(last) = keys.len().checked_sub(1) else {
            *ceiling = 0;
            return;
        };
        *ceiling = *keys.select_nth_unstable(keep.min(last)).1;
        let before = map.len();
        map.retain(|key, _| *key < *ceiling || known.contains(key));
        *left_out += (before - map.len()) as u64;
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn get(&self, key: u64) -> Option<&A> {
        self.map.get(&key).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, key: u64) -> Option<&mut A> {
        self.map.get_mut(&key).map(Box::as_mut)
    }

    /// In any order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &A)> {
        self.map.iter().map(|(key, aggregate)| (*key, aggregate.as_ref()))
    }

    /// Takes out the aggregates whose key is not among `known`, in ascending order.
    pub fn take_unknown(&mut self, known: &std::collections::HashSet<u64, BuildIdentity>) -> Vec<(u64, A)> {
        let mut keys: Vec<u64> = self.map.keys().copied().filter(|key| !known.contains(key)).collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| Some((key, *self.map.remove(&key)?))).collect()
    }

    /// The aggregates in ascending order of key: the only order in which anything is judged.
    pub fn into_sorted(self) -> Vec<(u64, A)> {
        let mut items: Vec<(u64, A)> = self.map.into_iter().map(|(key, aggregate)| (key, *aggregate)).collect();
        items.sort_unstable_by_key(|(key, _)| *key);
        items
    }
}

impl<A: Merge> Keyed<A> {
    /// Puts an aggregate where it belongs, merging it with what is there.
    pub fn put(&mut self, key: u64, aggregate: A) {
        self.put_boxed(key, Box::new(aggregate));
    }

    pub fn merge(&mut self, other: Keyed<A>) {
        self.left_out += other.left_out;
        if self.map.is_empty() {
            (self.map, self.known) = (other.map, other.known);
            return;
        }
        self.map.reserve(other.map.len());
        for (key, aggregate) in other.map {
            self.put_boxed(key, aggregate);
        }
    }

    fn put_boxed(&mut self, key: u64, aggregate: Box<A>) {
        match self.map.entry(key) {
            Entry::Occupied(mut entry) => entry.get_mut().merge(*aggregate),
            Entry::Vacant(entry) => {
                entry.insert(aggregate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_bound_the_known_stay_and_the_smallest_of_the_others() {
        let mut keyed: Keyed<u64> = Keyed::default();
        let known = |nth: u64| u64::MAX - nth;
        for nth in 0..20 {
            keyed.entry(known(nth), true, 8, || nth);
        }
        for key in (0..100).rev() {
            keyed.entry(key, false, 8, || key);
        }
        assert!((0..20).all(|nth| keyed.get(known(nth)) == Some(&nth)));
        assert!((0..4).all(|key| keyed.get(key) == Some(&key)));
        assert!(keyed.len() <= 28 && keyed.left_out > 0);
    }
}
