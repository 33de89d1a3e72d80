//! Sliding sums of aggregates over spans of event time, from minutes to a day.
//!
//! A [`Tiers`] holds, for each span, two half-span buckets: the one being filled and the one before. A view of a span
//! so covers between half of it and all of it. Completed buckets of a span feed the next longer one, so a key that
//! comes once costs one bucket, and only keys that stay have the long tiers.

use crate::window::{Merge, Parts, WINDOW};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Spans in windows of 10 s: ten minutes, an hour, six hours, a day.
pub const SPANS: [i64; 4] = [60, 360, 2160, 8640];
/// Windows of a day: the longest of them.
pub(super) const DAY_WINDOWS: i64 = SPANS[3];

/// The tier that covers a horizon of so many seconds.
pub fn tier_of(seconds: u64) -> usize {
    let windows = seconds.div_ceil(WINDOW.as_secs()) as i64;
    SPANS.iter().position(|span| *span >= windows).unwrap_or(SPANS.len() - 1)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slide<A> {
    /// First window of the bucket being filled.
    start: i64,
    current: Option<Box<A>>,
    previous: Option<Box<A>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tiers<A> {
    slides: SmallVec<[Slide<A>; 1]>,
    /// Of what is in the shortest tier's buckets, these parts were an attack that was told of: they must not count again, for
    /// hours, in the longer ones.
    #[serde(default)]
    told: Parts,
}

impl<A> Default for Tiers<A> {
    fn default() -> Self {
        Tiers { slides: SmallVec::new(), told: Parts::default() }
    }
}

impl<A> Tiers<A> {
    /// Every bucket of every span.
    pub fn all(&self) -> impl Iterator<Item = &A> {
        self.slides.iter().flat_map(|slide| [&slide.current, &slide.previous]).filter_map(|bucket| bucket.as_deref())
    }

    /// The same, to take something out of them.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut A> {
        let buckets = self.slides.iter_mut().flat_map(|slide| [&mut slide.current, &mut slide.previous]);
        buckets.filter_map(|bucket| bucket.as_deref_mut())
    }
}

impl<A: Merge + Clone> Tiers<A> {
    /// Adds what a window brought. Windows come in order.
    pub fn add(&mut self, window: i64, aggregate: A) {
        self.roll(window);
        if self.slides.is_empty() {
            self.slides.push(Slide { start: window, current: None, previous: None });
        }
        self.slides[0].current.merge(Some(Box::new(aggregate)));
    }

    /// What the span of a tier amounts to. Copies whole buckets: look at sums and bounds before.
    pub fn view(&self, tier: usize) -> Option<A> {
        self.merged(tier, |bucket| Some(bucket))
    }

    /// One part of what the span of a tier amounts to; the other parts are not copied.
    pub fn merged<P: Merge + Clone>(&self, tier: usize, part: impl Fn(&A) -> Option<&P>) -> Option<P> {
        let mut parts = self.buckets(tier).filter_map(part);
        let mut sum = parts.next()?.clone();
        parts.for_each(|part| sum.merge(part.clone()));
        Some(sum)
    }

    /// The sum of a count over the span of a tier. For a number of distinct things it is an upper bound.
    pub fn sum(&self, tier: usize, count: impl Fn(&A) -> u64) -> u64 {
        self.buckets(tier).map(count).fold(0, u64::saturating_add)
    }

    /// The buckets that together are the span of a tier, without a copy.
    pub fn buckets(&self, tier: usize) -> impl Iterator<Item = &A> + Clone {
        let shown = self.slides.len().min(tier + 1);
        let previous = self.slides[..shown].last().and_then(|slide| slide.previous.as_deref());
        // The bucket before the current one of a shorter tier has already been fed upwards.
        let current = self.slides[..shown].iter().filter_map(|slide| slide.current.as_deref());
        previous.into_iter().chain(current)
    }

    /// Marks parts of what the shortest tier holds as told: they are not fed to the longer ones.
    pub fn tell(&mut self, parts: Parts) {
        self.told |= parts;
    }

    /// True when nothing is left in any tier as of `window`.
    pub fn is_spent(&mut self, window: i64) -> bool {
        self.roll(window);
        self.slides.iter().all(|slide| slide.current.is_none() && slide.previous.is_none())
    }

    fn roll(&mut self, window: i64) {
        // A tier may make the next longer one, which then rolls too.
        for (tier, span) in SPANS.into_iter().enumerate() {
            let Some(slide) = self.slides.get_mut(tier) else { return };
            let passed = window.saturating_sub(slide.start).div_euclid(span / 2);
            if passed <= 0 {
                continue;
            }
            let started = slide.start;
            slide.start += passed * (span / 2);
            let mut completed = slide.current.take();
            completed.iter_mut().for_each(|completed| completed.condense());
            slide.previous = if passed == 1 { completed.clone() } else { None };
            let told = if tier == 0 { std::mem::take(&mut self.told) } else { Parts::default() };
            let completed = completed.filter(|_| tier + 1 < SPANS.len());
            let Some(completed) = completed.and_then(|completed| completed.without(told)) else { continue };
            if self.slides.len() == tier + 1 {
                self.slides.push(Slide { start: started, current: None, previous: None });
            }
            // What is fed belongs before the longer bucket rolls on: it was filled while that one was current.
            let longer = &mut self.slides[tier + 1].current;
            longer.merge(Some(Box::new(completed)));
            longer.iter_mut().for_each(|longer| longer.condense());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::state::EndpointActivity;
    use crate::window::{Attempts, Errors, Tally};

    #[derive(Clone, Debug, PartialEq)]
    struct Count(u64);

    impl Merge for Count {
        fn merge(&mut self, other: Self) {
            self.0 += other.0;
        }
    }

    fn sum(tiers: &Tiers<Count>, tier: usize) -> u64 {
        tiers.view(tier).map_or(0, |count| count.0)
    }

    #[test]
    fn a_span_forgets_and_longer_ones_remember() {
        let mut tiers = Tiers::default();
        for window in 0..60 {
            tiers.add(window, Count(1));
        }
        assert_eq!((sum(&tiers, 0), sum(&tiers, 1)), (60, 60));
        tiers.add(200, Count(1));
        assert_eq!(sum(&tiers, 0), 1);
        assert_eq!(sum(&tiers, 1), 61);
        assert!(!tiers.is_spent(300));
        assert!(tiers.is_spent(1_000_000));
    }

    #[test]
    fn what_was_told_does_not_reach_the_longer_tiers() {
        let mut tiers = Tiers::default();
        tiers.add(0, Count(100));
        tiers.tell(Parts::ALL);
        tiers.add(40, Count(1));
        tiers.add(80, Count(1));
        assert_eq!(sum(&tiers, 1), 2);
    }

    #[test]
    fn noise_that_was_told_keeps_no_guesses_out_of_the_longer_tiers() {
        let mut tiers = Tiers::default();
        for window in 0..60 {
            let logins = Attempts { failures: 1, ..Attempts::default() };
            let tally = Tally { requests: 100, ..Tally::default() };
            let (logins, errors) = (Some(Box::new(logins)), Some(Box::new(Errors::default())));
            tiers.add(window, EndpointActivity { tally, errors, logins, ..EndpointActivity::default() });
            tiers.tell(Parts { errors: true, ..Parts::default() });
        }
        tiers.add(90, EndpointActivity::default());
        let hour = tiers.view(1).unwrap();
        assert_eq!((hour.tally.requests, hour.errors), (0, None));
        assert_eq!(hour.logins.unwrap().failures, 60);
    }

    #[test]
    fn the_spans_are_those_that_rules_may_name() {
        let seconds = SPANS.map(|windows| windows as u64 * WINDOW.as_secs());
        assert_eq!(seconds, crate::rule::SPANS_SECONDS);
    }

    #[test]
    fn a_horizon_finds_its_tier() {
        assert_eq!([300, 600, 601, 3600, 21_600, 86_400, 1_000_000].map(tier_of), [0, 0, 1, 1, 2, 3, 3]);
    }
}
