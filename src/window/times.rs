//! How long answers took, coarsely: enough to tell two kinds of work apart, such as a password that is hashed and a name
//! that nobody has.
//!
//! Durations in, two groups of them out where they lie far apart. Half an octave is one bucket; what is shorter or longer
//! than all of them counts in the outermost. Counts saturate, so that merging keeps any order.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Half octaves from [`SHORTEST_MICROS`] on: to one second.
const BUCKETS: usize = 24;
const SHORTEST_MICROS: u64 = 250;

/// Smallest group, in answers, and its share of all.
const LEAST: u32 = 5;
const LEAST_SHARE: f64 = 0.1;
/// What may lie between two groups, of the smaller.
const BETWEEN_SHARE: f64 = 0.05;
/// Buckets between them: an octave. Times of one kind of work spread over about two.
const APART: usize = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerTimes([u16; BUCKETS]);

/// Answers that took about as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub answers: u32,
    /// Their median.
    pub typical: Duration,
}

impl AnswerTimes {
    pub fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(SHORTEST_MICROS);
        // The logarithm of the square has twice as many whole parts.
        let squared = u128::from(micros) * u128::from(micros) / u128::from(SHORTEST_MICROS * SHORTEST_MICROS);
        let bucket = (squared.ilog2() as usize).min(BUCKETS - 1); // 1 at least
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    pub fn merge(&mut self, other: &AnswerTimes) {
        self.0.iter_mut().zip(other.0).for_each(|(count, other)| *count = count.saturating_add(other));
    }

    /// The quick and the slow, where there are two kinds.
    pub fn groups(&self) -> Option<[Group; 2]> {
        let sum = |counts: &[u16]| counts.iter().map(|count| u32::from(*count)).sum::<u32>();
        let all = sum(&self.0);
        let splits = (1..BUCKETS - APART).map(|at| (at, sum(&self.0[..at]), sum(&self.0[at + APART..])));
        let (at, quick, slow) = splits.max_by_key(|(_, quick, slow)| *quick.min(slow))?;
        let smaller = quick.min(slow);
        let are_two = smaller >= LEAST
            && f64::from(smaller) >= LEAST_SHARE * f64::from(all)
            && f64::from(all - quick - slow) <= BETWEEN_SHARE * f64::from(smaller);
        are_two.then(|| [self.group(0, at, quick), self.group(at + APART, BUCKETS, slow)])
    }

    fn group(&self, from: usize, to: usize, answers: u32) -> Group {
        let mut below = 0;
        let of_median = self.0[from..to].iter().position(|count| {
            below += u32::from(*count);
            2 * below >= answers
        });
        let middle = (from + of_median.unwrap_or(0)) as f64 + 0.5;
        let typical = Duration::from_micros(SHORTEST_MICROS).mul_f64((middle / 2.0).exp2());
        Group { answers, typical }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: impl IntoIterator<Item = f64>) -> AnswerTimes {
        let mut times = AnswerTimes::default();
        millis.into_iter().for_each(|millis| times.record(Duration::from_secs_f64(millis / 1000.0)));
        times
    }

    #[test]
    fn hashing_a_password_stands_apart_from_an_unknown_name() {
        let unknown = (0..80).map(|nth| 3.0 + f64::from(nth % 10) * 0.4);
        let known = (0..20).map(|nth| 85.0 + f64::from(nth) * 2.0);
        let [quick, slow] = times(unknown.chain(known)).groups().expect("two groups");
        assert_eq!((quick.answers, slow.answers), (80, 20));
        assert!((3..8).contains(&quick.typical.as_millis()), "{quick:?}");
        assert!((80..130).contains(&slow.typical.as_millis()), "{slow:?}");
    }

    #[test]
    fn one_kind_of_work_is_one_group_however_it_spreads() {
        assert_eq!(times((0..200).map(|nth| 5.0 * 1.02f64.powi(nth))).groups(), None);
        assert_eq!(times((0..200).map(|_| 20.0)).groups(), None);
        let few_slow = (0..200).map(|nth| if nth % 60 == 0 { 400.0 } else { 4.0 });
        assert_eq!(times(few_slow).groups(), None);
        assert_eq!(AnswerTimes::default().groups(), None);
    }

    #[test]
    fn what_is_out_of_range_counts_at_its_ends() {
        let extreme = (0..10).map(|nth| if nth % 2 == 0 { 0.0 } else { 1e9 });
        let [quick, slow] = times(extreme).groups().expect("two groups");
        assert_eq!((quick.answers, slow.answers), (5, 5));
        let mut full = times([1.0]);
        (0..20).for_each(|_| full.merge(&full.clone()));
        assert_eq!(full.0.iter().max(), Some(&u16::MAX));
    }
}
