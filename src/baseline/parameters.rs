//! What is kept of an endpoint's parameters that are out of place, by name: since when they come, and from how many clients.
//!
//! Windows in, in order of time. Bound: [`MOST`] names; an endpoint that takes any name is full, and then only names that tell
//! of rights or money are still looked at, in place of others.

use crate::rule::Severity;
use crate::window::{Merge, StrayUse, Strays};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MOST: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Parameters {
    /// By keyed hash of the name.
    #[serde(with = "serde_pairs")]
    by_name: BTreeMap<u64, Parameter>,
}

/// One name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameter {
    pub used: StrayUse,
    /// Requests to the endpoint before it first came; none where it came while the sensor learned.
    pub before: u64,
    /// Window in which it came last.
    pub last_window: i64,
    /// It was told of, as this bad, when so many clients had sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<(Severity, u64)>,
}

impl Parameters {
    /// Takes in a window. `requests` is how many the endpoint had before, 0 while learning.
    pub fn absorb(&mut self, window: i64, strays: Strays, requests: u64) {
        for ((_, hash), used) in strays.by_name {
            if let Some(known) = self.by_name.get_mut(&hash) {
                known.used.merge(used);
                known.last_window = window;
                continue;
            }
            if self.by_name.len() >= MOST {
                let ordinary = self.by_name.iter().find(|(_, known)| !known.used.is_telling && used.is_telling);
                let Some(place) = ordinary.map(|(hash, _)| *hash) else { continue };
                self.by_name.remove(&place);
            }
            self.by_name.insert(hash, Parameter { used, before: requests, last_window: window, told: None });
        }
    }

    /// Takes in what was kept of an endpoint that turned out to be the same.
    pub fn join(&mut self, other: Parameters) {
        for (hash, theirs) in other.by_name {
            let has_room = self.by_name.len() < MOST;
            match self.by_name.get_mut(&hash) {
                Some(mine) => {
                    mine.used.merge(theirs.used);
                    mine.before = mine.before.min(theirs.before);
                    mine.last_window = mine.last_window.max(theirs.last_window);
                    mine.told = mine.told.max(theirs.told);
                }
                None if has_room => {
                    self.by_name.insert(hash, theirs);
                }
                None => {}
            }
        }
    }

    /// Those that came in a window, in the order of their hashes.
    pub fn of_window(&self, window: i64) -> impl Iterator<Item = (u64, &Parameter)> {
        self.by_name.iter().filter(move |(_, known)| known.last_window == window).map(|(hash, known)| (*hash, known))
    }

    pub fn tell(&mut self, name: u64, severity: Severity) {
        if let Some(known) = self.by_name.get_mut(&name) {
            known.told = Some((severity, known.used.clients.count()));
        }
    }

    /// Another capture follows, with another time.
    pub fn forget_recent(&mut self) {
        self.by_name.values_mut().for_each(|known| (known.before, known.last_window) = (0, i64::MIN));
    }

    /// Forgets an address; true where it was known.
    pub fn forget(&mut self, address: std::net::IpAddr) -> bool {
        let forget = |known: &mut Parameter| {
            let shown = known.used.evidence.retain(|evidence| !evidence.holds(address));
            known.used.client_sample.remove(&address) | shown
        };
        self.by_name.values_mut().fold(false, |any, known| forget(known) | any)
    }
}

/// JSON has no numbers as keys.
mod serde_pairs {
    use super::{BTreeMap, Parameter};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(map: &BTreeMap<u64, Parameter>, serializer: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u64, Parameter>, D::Error> {
        Ok(Vec::<(u64, Parameter)>::deserialize(deserializer)?.into_iter().collect())
    }
}
