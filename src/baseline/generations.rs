//! A histogram that forgets: two generations, of which the older is let go when the younger is full.

use crate::window::histogram::LogHistogram;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generations {
    younger: LogHistogram,
    older: LogHistogram,
}

impl Generations {
    pub fn record(&mut self, value: u64) {
        self.younger.record(value);
    }

    pub fn merge(&mut self, values: &LogHistogram) {
        self.younger.merge(values);
    }

    /// Values in the younger generation.
    pub fn young(&self) -> u64 {
        self.younger.count()
    }

    /// What was young is old from now on.
    pub fn turn(&mut self) {
        self.older = std::mem::take(&mut self.younger);
    }

    pub fn count(&self) -> u64 {
        self.younger.count().saturating_add(self.older.count())
    }

    /// Both generations.
    pub fn all(&self) -> LogHistogram {
        let mut all = self.younger.clone();
        all.merge(&self.older);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_two_generations_old_is_forgotten() {
        let mut values = Generations::default();
        for generation in [1, 2, 3] {
            (0..10).for_each(|_| values.record(generation));
            values.turn();
        }
        assert_eq!((values.count(), values.all().max(), values.all().count_above(2)), (10, 3, 10));
    }
}
