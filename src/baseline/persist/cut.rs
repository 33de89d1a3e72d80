//! A cut through the state between two windows: what changed since the last one.
//!
//! The store in (which noted its changes), records out, in order: so a cut can be written as it is. The judge makes it,
//! and is held up for as long as that takes; the rest is the checkpointer's. What is kept once comes along whole, and
//! is written only where it differs from what was written last.

use super::record::{Kind, Place, Records, Single};
use crate::api::template::LearnedParameters;
use crate::baseline::store::{Map, Store};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is to be left on the disk after a cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Leave {
    /// One more delta.
    Delta,
    /// A whole export, too.
    Whole,
    /// A whole export, and nothing from before: something had to be forgotten.
    Nothing,
}

/// What is kept once.
#[derive(Clone, Debug, Default)]
pub struct Singles {
    pub learned: LearnedParameters,
    /// The open incidents, as `alert` writes them.
    pub incidents: Vec<u8>,
    /// How rare is rare, as `detect` writes it.
    pub odds: Vec<u8>,
    /// Time of the newest frame that taught.
    pub newest: Option<Timestamp>,
    /// End of the newest window that was judged: no alert told later is of an earlier time.
    pub judged: Option<Timestamp>,
    /// Until when windows only teach.
    pub learn_until: Option<Timestamp>,
    /// Sums over all runs, by name.
    pub counters: BTreeMap<String, u64>,
}

/// What a cut is made of.
pub struct Cut {
    pub leave: Leave,
    /// How long making it took.
    pub took: Duration,
    pub(super) singles: Vec<(Place, Vec<u8>)>,
    /// Of all other kinds, encoded.
    pub(super) records: Records,
    /// How many there are.
    pub(super) changed: u64,
}

impl Cut {
    /// What changed in the store since the last cut.
    pub fn of(store: &Store, singles: &Singles, leave: Leave) -> Cut {
        let started = Instant::now();
        let mut singles = singles_of(singles);
        // Numbers always become JSON.
        let watched = serde_json::to_vec(&*store.watched()).unwrap_or_default();
        singles.push(((Kind::Single, Single::Watched as u64), watched));
        let mut cut = Cut { leave, took: Duration::ZERO, singles, records: Records::default(), changed: 0 };
        for (kind, keys) in store.changes.take() {
            match kind {
                Kind::Single => {}
                Kind::Endpoint => cut.add(kind, &keys, &store.endpoints),
                Kind::Client => cut.add(kind, &keys, &store.clients),
                Kind::Principal => cut.add(kind, &keys, &store.principals),
                Kind::Host => cut.add(kind, &keys, &store.hosts),
                Kind::LoginClient => cut.add(kind, &keys, &store.login_clients),
                Kind::LoginAccount => cut.add(kind, &keys, &store.login_accounts),
                Kind::Reach => cut.add(kind, &keys, &store.reaches),
                Kind::Network => cut.add(kind, &keys, &store.networks),
            }
        }
        cut.took = started.elapsed();
        cut
    }

    /// Says what the newest frame is, for who knows it better than by the watermark.
    pub fn set_newest(&mut self, newest: Option<Timestamp>) {
        let place = (Kind::Single, Single::Newest as u64);
        let json = newest.map_or("null".to_string(), |newest| newest.0.to_string());
        for (_, value) in self.singles.iter_mut().filter(|(at, _)| *at == place) {
            *value = json.clone().into_bytes();
        }
    }

    fn add<V: Serialize>(&mut self, kind: Kind, keys: &[u64], map: &Map<V>) {
        for key in keys {
            let state = map.get(key);
            self.records.push((kind, *key), |bytes| {
                state.is_some_and(|state| serde_json::to_writer(bytes, state.value()).is_ok())
            });
        }
        self.changed += keys.len() as u64;
    }

    /// Says again that these keys changed: the cut could not be written.
    pub fn hand_back(&self, store: &Store) {
        // Memory that was just compressed is decompressed, and the closure does not fail.
        let _ = self.records.each(|record| {
            store.changes.note(record.place.0, [record.place.1]);
            Ok(())
        });
    }
}

fn singles_of(singles: &Singles) -> Vec<(Place, Vec<u8>)> {
    let all = [
        (Single::Learned, serde_json::to_vec(&singles.learned)),
        (Single::Incidents, Ok(singles.incidents.clone())),
        (Single::Newest, serde_json::to_vec(&singles.newest)),
        (Single::LearnUntil, serde_json::to_vec(&singles.learn_until)),
        (Single::Counters, serde_json::to_vec(&singles.counters)),
        (Single::Judged, serde_json::to_vec(&singles.judged)),
        (Single::Odds, Ok(singles.odds.clone())),
    ];
    // Strings, numbers and maps of them always become JSON.
    all.into_iter().filter_map(|(single, json)| Some(((Kind::Single, single as u64), json.ok()?))).collect()
}
