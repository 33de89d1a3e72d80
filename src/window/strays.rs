//! Parameters that are out of place: by endpoint and name, in the window of their time.
//!
//! Bound: [`MOST`] names, those that tell of rights or money before the others, of these the smallest hashes: whoever sends a
//! thousand names hides none by it.

use super::distinct::{DistinctSet, FEW_REGISTERS};
use super::sample::BottomK;
use super::shown::Shown;
use super::{EvidenceSample, Merge, Moment};
use crate::api::Observation;
use crate::api::parameters::{Place, Stray};
use crate::hash::HashKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Names of one endpoint in one window.
const MOST: usize = 16;

/// By whether the name is an ordinary one, and its keyed hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strays {
    pub by_name: BTreeMap<(bool, u64), StrayUse>,
}

/// How one name was used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StrayUse {
    /// As it may be printed.
    pub name: String,
    #[serde(default)]
    pub place: Place,
    pub is_telling: bool,
    /// A description does not list it.
    pub is_undeclared: bool,
    pub requests: u64,
    pub clients: DistinctSet<FEW_REGISTERS>,
    pub client_sample: BottomK<IpAddr, 5>,
    pub moment: Moment,
    pub evidence: EvidenceSample<2>,
}

impl Strays {
    pub(super) fn record(
        &mut self,
        observation: &Observation<'_>,
        stray: &Stray,
        client: u64,
        key: &HashKey,
        shown: &mut Shown<'_, '_>,
    ) {
        let place = (!stray.is_telling, key.hash(&stray.name) ^ stray.place as u64);
        if self.by_name.len() >= MOST && !self.by_name.contains_key(&place) {
            let is_last = self.by_name.last_key_value().is_some_and(|(last, _)| *last < place);
            if is_last {
                return;
            }
            self.by_name.pop_last();
        }
        let used = self.by_name.entry(place).or_insert_with(|| StrayUse {
            name: String::from_utf8_lossy(&stray.name).escape_debug().to_string(),
            place: stray.place,
            is_telling: stray.is_telling,
            ..StrayUse::default()
        });
        used.is_undeclared |= stray.is_undeclared;
        used.requests += 1;
        used.clients.insert(client);
        used.client_sample.insert(client, observation.client);
        used.moment.record(observation.started);
        shown.offer(&mut used.evidence);
    }
}

impl Merge for Strays {
    fn merge(&mut self, other: Self) {
        for (place, used) in other.by_name {
            match self.by_name.get_mut(&place) {
                Some(mine) => mine.merge(used),
                None => {
                    self.by_name.insert(place, used);
                }
            }
        }
        while self.by_name.len() > MOST {
            self.by_name.pop_last();
        }
    }
}

impl Merge for StrayUse {
    fn merge(&mut self, other: Self) {
        self.is_undeclared |= other.is_undeclared;
        self.requests += other.requests;
        self.clients.merge(&other.clients);
        self.client_sample.merge(&other.client_sample);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strays(names: &[(u8, bool)]) -> Strays {
        let mut strays = Strays::default();
        for (nth, is_telling) in names {
            let mut used =
                StrayUse { name: nth.to_string(), is_telling: *is_telling, requests: 1, ..StrayUse::default() };
            used.clients.insert(u64::from(*nth));
            let one = Strays { by_name: BTreeMap::from([((!is_telling, u64::from(*nth)), used)]) };
            strays.merge(one);
        }
        strays
    }

    proptest! {
        #[test]
        fn strays_merge_in_any_order_and_the_telling_ones_stay(
            names in proptest::collection::vec((0u8..60, any::<bool>()), 0..80), at in 0usize..80,
        ) {
            let (one, other) = names.split_at(at.min(names.len()));
            let (mut forth, mut back) = (strays(one), strays(other));
            forth.merge(strays(other));
            back.merge(strays(one));
            prop_assert_eq!(&forth, &back);
            prop_assert!(forth == strays(&names) && forth.by_name.len() <= MOST);
            let telling = names.iter().filter(|name| name.1).map(|name| name.0).collect::<std::collections::BTreeSet<_>>();
            let kept = forth.by_name.values().filter(|used| used.is_telling).count();
            prop_assert_eq!(kept, telling.len().min(MOST));
        }
    }
}
