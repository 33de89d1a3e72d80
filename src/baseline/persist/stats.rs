//! What a state amounts to: generations, bytes, keys. A folder in, numbers out; nothing is changed.

use super::folder::size_of;
use super::record::Kind;
use super::{State, StateError};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole export and the deltas after it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Generation {
    pub number: u64,
    pub bytes: u64,
    pub deltas: u64,
    pub delta_bytes: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Statistics {
    /// The newest checkpoint.
    pub checkpoint: u64,
    /// Time of the newest frame that taught.
    pub newest: Option<Timestamp>,
    pub keys: BTreeMap<String, u64>,
    /// Sums over all runs.
    pub counters: BTreeMap<String, u64>,
    pub generations: Vec<Generation>,
    pub database_bytes: u64,
    /// What was damaged and is kept: how much, and bytes.
    pub put_aside: usize,
    pub put_aside_bytes: u64,
    pub total_bytes: u64,
}

impl State {
    pub fn statistics(&self) -> Result<Statistics, StateError> {
        let of_keys = Kind::ALL.iter().filter(|kind| **kind != Kind::Single);
        let mut keys: BTreeMap<String, u64> = of_keys.map(|kind| (kind.name().to_owned(), 0)).collect();
        let mut recovered = super::Recovered::default();
        self.each(|record| {
            if record.place.0 == Kind::Single {
                recovered.take(record);
            } else if record.value.is_some() {
                *keys.entry(record.place.0.name().to_owned()).or_default() += 1;
            }
            true
        })?;
        let numbers = self.folder.numbers();
        let generation = |(index, number): (usize, &u64)| {
            let next = numbers.wholes.get(index + 1).copied().unwrap_or(u64::MAX);
            let deltas = numbers.deltas.iter().filter(|delta| *number < **delta && **delta <= next);
            Generation {
                number: *number,
                bytes: size_of(&self.folder.whole(*number)),
                deltas: deltas.clone().count() as u64,
                delta_bytes: deltas.map(|delta| size_of(&self.folder.delta(*delta))).sum(),
            }
        };
        let put_aside = self.folder.aside();
        Ok(Statistics {
            checkpoint: self.chosen.at,
            newest: recovered.singles.newest,
            keys,
            counters: recovered.singles.counters,
            generations: numbers.wholes.iter().enumerate().map(generation).collect(),
            database_bytes: size_of(&self.folder.database()),
            put_aside: put_aside.len(),
            put_aside_bytes: put_aside.iter().map(|path| size_of(path)).sum(),
            total_bytes: size_of(self.folder.path()),
        })
    }
}
