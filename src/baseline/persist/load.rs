//! Records back into a store.
//!
//! A record in, its state in the store. A value that is whole by its checksum and yet no state of its kind (one of
//! another apitap) is left out and counted: what is left is worth more than none.

use super::cut::Singles;
use super::record::{Kind, Record, Single};
use crate::baseline::store::{Map, Store};
use serde::de::DeserializeOwned;

/// What a folder held.
#[derive(Default)]
pub struct Recovered {
    /// It notes its changes from now on.
    pub store: Store,
    pub singles: Singles,
    /// Records that could not be understood.
    pub left_out: u64,
}

impl Recovered {
    pub(super) fn take(&mut self, record: Record<'_>) {
        let Some(value) = record.value else { return };
        let (kind, key) = record.place;
        let store = &self.store;
        let is_understood = match kind {
            Kind::Single => self.take_single(key, value),
            Kind::Endpoint => take(&store.endpoints, key, value),
            Kind::Client => take(&store.clients, key, value),
            Kind::Principal => take(&store.principals, key, value),
            Kind::Host => take(&store.hosts, key, value),
            Kind::LoginClient => take(&store.login_clients, key, value),
            Kind::LoginAccount => take(&store.login_accounts, key, value),
            Kind::Reach => take(&store.reaches, key, value),
            Kind::Network => take(&store.networks, key, value),
        };
        self.left_out += u64::from(!is_understood);
    }

    fn take_single(&mut self, key: u64, value: &[u8]) -> bool {
        let singles = &mut self.singles;
        let of = |single: Single| single as u64 == key;
        if of(Single::Learned) {
            set(&mut singles.learned, value)
        } else if of(Single::Incidents) {
            singles.incidents = value.to_vec();
            true
        } else if of(Single::Newest) {
            set(&mut singles.newest, value)
        } else if of(Single::LearnUntil) {
            set(&mut singles.learn_until, value)
        } else if of(Single::Counters) {
            set(&mut singles.counters, value)
        } else if of(Single::Judged) {
            set(&mut singles.judged, value)
        } else if of(Single::Odds) {
            singles.odds = value.to_vec();
            true
        } else if of(Single::Watched) {
            set(&mut *self.store.watched(), value)
        } else {
            false
        }
    }
}

fn take<V: DeserializeOwned>(map: &Map<V>, key: u64, value: &[u8]) -> bool {
    serde_json::from_slice(value).map(|state| map.insert(key, state)).is_ok()
}

fn set<V: DeserializeOwned>(place: &mut V, value: &[u8]) -> bool {
    serde_json::from_slice(value).map(|value| *place = value).is_ok()
}
