//! Metrics of the busiest endpoints, and of all others together.
//!
//! The store in; what each shown endpoint amounts to out, and what the rest does, under `other`. Bounded: at most
//! `metrics.top_endpoints` are shown. Who is shown stays so until another has twice its requests, so that series do not
//! come and go. Counters never fall: what an endpoint was counted for under `other` stays there when it gets samples of
//! its own, and the other way round. So rates are right at any time; a sum over all endpoints can exceed
//! `apitap_transactions_total` by what was counted before such a change.

use super::Daemon;
use crate::baseline::state::EndpointState;
use crate::inspect::DataClass;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// Upper bounds of the buckets of latency, in seconds.
pub const LATENCY_BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// What the labels say of all that have no samples of their own.
const OTHER: &str = "other";
/// So many times the requests of the least one shown take its place.
const DISPLACES: i64 = 2;

const DATA: usize = 5;
const BUCKETS: usize = DATA + DataClass::COUNT;
const COUNT: usize = BUCKETS + LATENCY_BOUNDS.len();
/// Counts of one endpoint: five classes of status are at the front. Signed, since [`Told::carried`] is a difference.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figures {
    counts: [i64; COUNT],
    pub requests: i64,
    pub logins: i64,
    pub failed_logins: i64,
    pub timed: i64,
    pub microseconds: i64,
}

impl Default for Figures {
    fn default() -> Self {
        Figures { counts: [0; COUNT], requests: 0, logins: 0, failed_logins: 0, timed: 0, microseconds: 0 }
    }
}

impl Figures {
    fn of(state: &EndpointState) -> Figures {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut figures = Figures {
            requests: count(state.tally.requests),
            logins: count(state.login_attempts),
            failed_logins: count(state.failed_logins),
            timed: count(state.latency.len()),
            ..Figures::default()
        };
        for (class, place) in (1..=5).zip(&mut figures.counts[..DATA]) {
            *place = count(state.tally.statuses.class(class));
        }
        for (values, place) in state.data_values.iter().zip(&mut figures.counts[DATA..BUCKETS]) {
            *place = count(*values);
        }
        let mut microseconds = 0;
        for step in state.latency.iter_recorded() {
            let (value, times) = (step.value_iterated_to(), i64::from(step.count_at_value()));
            microseconds += times * count(state.latency.median_equivalent(value));
            let seconds = state.latency.lowest_equivalent(value) as f64 / 1e6;
            for (bound, place) in LATENCY_BOUNDS.iter().zip(&mut figures.counts[BUCKETS..]) {
                *place += if seconds <= *bound { times } else { 0 };
            }
        }
        figures.microseconds = microseconds;
        figures
    }

    fn each(mut self, other: &Figures, make: impl Fn(i64, i64) -> i64) -> Figures {
        for (one, other) in self.counts.iter_mut().zip(other.counts) {
            *one = make(*one, other);
        }
        Figures {
            counts: self.counts,
            requests: make(self.requests, other.requests),
            logins: make(self.logins, other.logins),
            failed_logins: make(self.failed_logins, other.failed_logins),
            timed: make(self.timed, other.timed),
            microseconds: make(self.microseconds, other.microseconds),
        }
    }

    fn plus(self, other: &Figures) -> Figures {
        self.each(other, i64::saturating_add)
    }

    fn minus(self, other: &Figures) -> Figures {
        self.each(other, i64::saturating_sub)
    }

    /// By class of status, and `none` for requests without an answer.
    pub fn statuses(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        let answered: i64 = self.counts[..DATA].iter().sum();
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(self.counts[..DATA].iter().copied());
        classes.chain([("none", self.requests - answered)])
    }

    pub fn data(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        DataClass::ALL.iter().map(|class| class.name()).zip(self.counts[DATA..BUCKETS].iter().copied())
    }

    pub fn buckets(&self) -> impl Iterator<Item = (f64, i64)> + '_ {
        LATENCY_BOUNDS.into_iter().zip(self.counts[BUCKETS..].iter().copied())
    }
}

/// What was told of last: so that it can be gone on with.
#[derive(Default)]
pub struct Told {
    shown: BTreeSet<u64>,
    other: Figures,
    /// What is added to the sum of those that are not shown, so that it goes on from what was told.
    carried: Figures,
}

impl Told {
    /// Decides who is shown, and gives what the others amount to.
    fn update(&mut self, all: &BTreeMap<u64, Figures>, top: usize) -> Figures {
        let was_full = !self.shown.is_empty() && self.shown.len() >= top;
        let before = self.shown.clone();
        self.shown.retain(|key| all.contains_key(key)); // the store may have given one up
        let by_requests = |keys: &mut Vec<u64>| keys.sort_by_key(|key| (all[key].requests, *key)); // keys are of `all`
        let mut outside: Vec<u64> = all.keys().copied().filter(|key| !self.shown.contains(key)).collect();
        by_requests(&mut outside);
        let mut inside: Vec<u64> = self.shown.iter().copied().collect();
        by_requests(&mut inside);
        let too_many = inside.len().saturating_sub(top);
        inside.drain(..too_many).for_each(|key| {
            self.shown.remove(&key);
        });
        let mut least = inside.into_iter();
        while let Some(key) = outside.pop() {
            if self.shown.len() >= top {
                let Some(last) = least.next() else { break };
                if all[&key].requests < all[&last].requests.saturating_mul(DISPLACES) {
                    break;
                }
                self.shown.remove(&last);
            }
            self.shown.insert(key);
        }
        if was_full {
            for key in self.shown.difference(&before).filter_map(|key| all.get(key)) {
                self.carried = self.carried.plus(key);
            }
        }
        for key in before.difference(&self.shown).filter_map(|key| all.get(key)) {
            self.carried = self.carried.minus(key);
        }
        let rest = all.iter().filter(|(key, _)| !self.shown.contains(key));
        let sum = rest.fold(self.carried, |sum, (_, figures)| sum.plus(figures));
        // Less than was told: the store gave some up.
        self.other = sum.each(&self.other, i64::max);
        self.carried = self.carried.plus(&self.other.minus(&sum));
        self.other
    }
}

/// What is shown under one set of labels.
pub struct Shown {
    pub method: String,
    pub host: String,
    pub template: String,
    pub figures: Figures,
}

pub fn shown(daemon: &Daemon) -> Vec<Shown> {
    let top = daemon.config().metrics.top_endpoints;
    let all: BTreeMap<u64, Figures> =
        daemon.store.endpoints.iter().map(|state| (*state.key(), Figures::of(&state))).collect();
    let (keys, other) = {
        let mut told = daemon.told.lock().unwrap_or_else(PoisonError::into_inner); // it is whole but for a defect
        let other = told.update(&all, top);
        (told.shown.clone(), other)
    };
    let named = keys.iter().filter_map(|key| {
        let (state, figures) = (daemon.store.endpoints.get(key)?, *all.get(key)?);
        Some(Shown {
            method: state.method.to_string(),
            host: state.host.to_string(),
            template: state.template.to_string(),
            figures,
        })
    });
    let rest = Shown { method: OTHER.into(), host: OTHER.into(), template: OTHER.into(), figures: other };
    named.chain([rest]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(requests: &[(u64, i64)]) -> BTreeMap<u64, Figures> {
        requests.iter().map(|(key, requests)| (*key, Figures { requests: *requests, ..Figures::default() })).collect()
    }

    #[test]
    fn the_busiest_are_shown_and_the_others_summed_up() {
        let mut told = Told::default();
        let other = told.update(&of(&[(1, 5), (2, 50), (3, 7), (4, 40)]), 2);
        assert_eq!(told.shown, BTreeSet::from([2, 4]));
        assert_eq!(other.requests, 12);
    }

    #[test]
    fn all_are_others_where_none_may_be_shown() {
        let mut told = Told::default();
        assert_eq!(told.update(&of(&[(1, 5), (2, 50)]), 0).requests, 55);
        assert_eq!(told.update(&of(&[(1, 5), (2, 51)]), 0).requests, 56);
        assert!(told.shown.is_empty());
    }

    #[test]
    fn one_that_is_a_little_busier_takes_nobodys_place() {
        let mut told = Told::default();
        told.update(&of(&[(1, 10), (2, 9)]), 1);
        assert_eq!(told.update(&of(&[(1, 10), (2, 19)]), 1).requests, 19);
        assert_eq!(told.shown, BTreeSet::from([1]));
    }

    #[test]
    fn a_change_of_places_adds_nothing_and_takes_nothing_away() {
        let mut told = Told::default();
        assert_eq!(told.update(&of(&[(1, 10), (2, 8), (3, 1)]), 1).requests, 9);
        // 2 moved in: its 8 stay, and 12 more came in the same step; 1 moved out: its 10 were told already.
        let other = told.update(&of(&[(1, 10), (2, 20), (3, 1)]), 1);
        assert_eq!(told.shown, BTreeSet::from([2]));
        assert_eq!(other.requests, 21);
        assert_eq!(told.update(&of(&[(1, 13), (2, 30), (3, 1)]), 1).requests, 24);
    }

    #[test]
    fn what_the_store_gave_up_takes_nothing_away() {
        let mut told = Told::default();
        assert_eq!(told.update(&of(&[(1, 10), (2, 8), (3, 6)]), 1).requests, 14);
        assert_eq!(told.update(&of(&[(1, 10), (3, 7)]), 1).requests, 14);
        assert_eq!(told.update(&of(&[(1, 10), (3, 9)]), 1).requests, 16);
    }

    #[test]
    fn fewer_are_shown_when_fewer_may_be() {
        let mut told = Told::default();
        told.update(&of(&[(1, 10), (2, 9), (3, 8)]), 3);
        assert_eq!(told.update(&of(&[(1, 10), (2, 9), (3, 9)]), 1).requests, 0);
        assert_eq!(told.shown, BTreeSet::from([1]));
        assert_eq!(told.update(&of(&[(1, 10), (2, 11), (3, 9)]), 1).requests, 2);
    }
}
