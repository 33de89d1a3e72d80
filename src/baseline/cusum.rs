//! A cumulative sum: it finds a small shift that lasts, which no single look shows (Page, "Continuous inspection schemes",
//! Biometrika 41, 1954).
//!
//! In go deviations in units of their standard deviation; what they exceed the reference by is summed, and never below
//! zero. Out comes how far the sum is. The limit follows from how often it may be crossed though nothing changed, by
//! Siegmund's approximation ("Sequential Analysis", 1985, §II.6).

use serde::{Deserialize, Serialize};

/// Half of the shift that is found soonest, in standard deviations: a shift of two.
pub const REFERENCE: f64 = 1.0;
/// No single deviation counts for more: one wild block is no drift.
const MOST: f64 = 4.0;
/// The sum goes no further than so many limits, so that it comes down once the shift is over.
const MOST_LIMITS: f64 = 2.0;
/// How much further than the limit the sum is when it crosses it, for normal deviations (Siegmund 1985).
const OVERSHOOT: f64 = 1.166;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    sum: f64,
}

impl Cusum {
    /// Takes in a deviation; `limit` bounds the sum.
    pub fn add(&mut self, deviation: f64, limit: f64) {
        if deviation.is_finite() {
            let step = deviation.clamp(-MOST, MOST) - REFERENCE;
            self.sum = (self.sum + step).clamp(0.0, MOST_LIMITS * limit);
        }
    }

    pub fn sum(self) -> f64 {
        self.sum
    }
}

/// The mean number of deviations until the sum crosses the limit, where their mean has shifted by so much.
pub fn average_run_length(reference: f64, limit: f64, shift: f64) -> f64 {
    let (drift, barrier) = (shift - reference, limit + OVERSHOOT);
    if drift.abs() < 1e-9 {
        return barrier * barrier;
    }
    ((-2.0 * drift * barrier).exp() + 2.0 * drift * barrier - 1.0) / (2.0 * drift * drift)
}

/// The limit that is crossed once in so many deviations though nothing has changed.
pub fn limit_for(run_length: f64) -> f64 {
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if average_run_length(REFERENCE, middle, 0.0) < run_length { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One-sided, as tabulated in Montgomery, "Introduction to Statistical Quality Control", §9.1 (the two-sided table, its
    /// run length without a shift doubled).
    #[test]
    fn run_lengths_are_those_of_the_tables() {
        for (limit, shift, tabulated) in
            [(4.0, 0.0, 336.0), (5.0, 0.0, 930.0), (4.0, 1.0, 8.38), (5.0, 1.0, 10.4), (5.0, 2.0, 4.01)]
        {
            let found = average_run_length(0.5, limit, shift);
            assert!((found / tabulated - 1.0).abs() < 0.04, "limit {limit} shift {shift}: {found}, not {tabulated}");
        }
    }

    #[test]
    fn a_limit_keeps_what_was_asked_of_it() {
        for run_length in [100.0, 10_000.0, 1e6] {
            let limit = limit_for(run_length);
            assert!((average_run_length(REFERENCE, limit, 0.0) / run_length - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_shift_that_lasts_is_found_and_one_wild_deviation_is_not() {
        let limit = limit_for(1e6);
        let mut sum = Cusum::default();
        sum.add(1e9, limit);
        assert!(sum.sum() < limit / 2.0);
        let mut shifted = Cusum::default();
        let steps = (1..100).find(|_| {
            shifted.add(2.0, limit);
            shifted.sum() >= limit
        });
        assert!(steps.is_some_and(|steps| steps <= 8), "{steps:?}");
        (0..30).for_each(|_| shifted.add(0.0, limit));
        assert_eq!(shifted.sum(), 0.0, "once it is over, it is over");
    }
}
