//! Learning with a delay.
//!
//! What a window taught settles after 5 to 10 minutes. Until then an attack that is recognised takes back what it taught
//! while nobody knew it: who begins slowly would else be measured against himself. While learning, when nobody is judged,
//! there is no delay.

use super::state::Share;
use super::tiers::SPANS;
use crate::window::Merge;
use crate::window::histogram::LogHistogram;
use serde::{Deserialize, Serialize};

/// Windows of a half-span: half of the shortest tier.
const HALF: i64 = SPANS[0] / 2;

/// Moves the half-span being filled and the one before on to a window; gives what has settled, the older first.
fn roll<T: Default>(fresh: &mut [T; 2], start: &mut i64, window: i64) -> [T; 2] {
    let passed = window.saturating_sub(*start).div_euclid(HALF);
    if passed == 0 {
        return Default::default();
    }
    *start += passed * HALF;
    let [current, before] = std::mem::take(fresh);
    // Much later, or the clock was set back.
    if passed != 1 {
        return [before, current];
    }
    fresh[1] = current;
    [before, T::default()]
}

impl Merge for LogHistogram {
    fn merge(&mut self, other: Self) {
        LogHistogram::merge(self, &other);
    }
}

/// Lessons that have not settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settling<L> {
    /// The half-span being filled, and the one before.
    fresh: [Option<Box<L>>; 2],
    /// First window of the half-span being filled.
    start: i64,
}

impl<L> Default for Settling<L> {
    fn default() -> Self {
        Settling { fresh: [None, None], start: 0 }
    }
}

impl<L: Merge> Settling<L> {
    /// Takes in what a window teaches; gives what has settled by now.
    pub fn add(&mut self, window: i64, lesson: L) -> Option<L> {
        let [mut settled, current] = roll(&mut self.fresh, &mut self.start, window);
        settled.merge(current);
        self.fresh[0].merge(Some(Box::new(lesson)));
        settled.map(|settled| *settled)
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh = [None, None];
    }
}

/// A share that learns with the delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettledShare {
    settled: Share,
    fresh: [Share; 2],
    start: i64,
}

impl SettledShare {
    pub fn usual(&self) -> Share {
        self.settled
    }

    /// Whether anything was counted, settled or not.
    pub fn is_known(&self) -> bool {
        self.settled.total > 0.0 || self.fresh.iter().any(|fresh| fresh.total > 0.0)
    }

    pub fn add(&mut self, window: i64, hits: u64, total: u64, is_learning: bool) {
        for share in roll(&mut self.fresh, &mut self.start, window) {
            self.settled.add_share(&share);
        }
        let place = if is_learning { &mut self.settled } else { &mut self.fresh[0] };
        place.add(hits, total);
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh = Default::default();
    }

    pub fn fade(&mut self, windows: i64) {
        self.settled.fade(windows);
    }

    /// Something else is usual from now on.
    pub fn adopt(&mut self, usual: Share) {
        self.settled = usual;
    }

    pub fn add_share(&mut self, other: &SettledShare) {
        self.settled.add_share(&other.settled);
        other.fresh.iter().for_each(|fresh| self.settled.add_share(fresh));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_settles_after_five_to_ten_minutes_and_can_be_taken_back_until_then() {
        let mut share = SettledShare::default();
        share.add(1000, 5, 10, true);
        for window in 1001..1030 {
            share.add(window, 10, 10, false);
        }
        assert_eq!(share.usual(), Share { hits: 5.0, total: 10.0 });
        let mut attacked = share;
        attacked.retract();
        attacked.add(1200, 0, 0, false);
        assert_eq!(attacked.usual(), Share { hits: 5.0, total: 10.0 });
        share.add(1200, 0, 0, false);
        assert_eq!(share.usual(), Share { hits: 295.0, total: 300.0 });
    }

    #[test]
    fn settling_gives_each_lesson_once() {
        #[derive(Clone, Debug, PartialEq)]
        struct Count(u64);
        impl Merge for Count {
            fn merge(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        let mut settling = Settling::default();
        let settled: u64 = (1000..2000).filter_map(|window| settling.add(window, Count(1))).map(|count| count.0).sum();
        assert!((930..=970).contains(&settled), "{settled}");
    }
}
