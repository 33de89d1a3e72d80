//! Which keys changed since the last checkpoint.
//!
//! Keys in, as the judge touches, folds or removes them; out, once a checkpoint, the keys of each kind in ascending
//! order. A key that is no longer in its map when it is taken out is gone. Costs 9 bytes a key, and nothing where no
//! state is kept. What only rolls a span on is no change: it is done again whenever the key is looked at.

use super::persist::Kind;
use crate::hash::BuildIdentity;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Keys = HashSet<u64, BuildIdentity>;

/// Taken by the judge only, and by whoever hands back what could not be written: nobody waits.
#[derive(Default)]
pub struct Changes(Mutex<Option<[Keys; Kind::COUNT]>>);

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Option<[Keys; Kind::COUNT]>> {
        // A set of keys is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on changes are noted; until then nobody asks for them.
    pub fn track(&self) {
        self.lock().get_or_insert_default();
    }

    pub fn note(&self, kind: Kind, keys: impl IntoIterator<Item = u64>) {
        if let Some(changed) = self.lock().as_mut() {
            changed[kind as usize].extend(keys);
        }
    }

    /// The keys that changed, in order; the next ones are counted anew.
    pub fn take(&self) -> Vec<(Kind, Vec<u64>)> {
        let taken = self.lock().as_mut().map(std::mem::take).unwrap_or_default();
        let sorted = |keys: Keys| {
            let mut keys: Vec<u64> = keys.into_iter().collect();
            keys.sort_unstable();
            keys
        };
        Kind::ALL.into_iter().zip(taken.map(sorted)).collect()
    }
}
