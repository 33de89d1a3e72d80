//! What is told of for days and stays the same: a second baseline.
//!
//! In goes what windows would have taught that were told of; out comes, once it was much the same on [`STEADY_DAYS`] days on end, what
//! takes the place of the first baseline: a lasting change is the new habit, and an alarm that nobody can end is none. A day that
//! differs begins anew, and a day without anything to tell of ends it. Not for data and logins: there only an operator's
//! acknowledgement teaches, since whoever takes data or tries passwords for three days would have taught it.

use super::state::Share;
use crate::window::Merge;
use crate::window::histogram::LogHistogram;
use serde::{Deserialize, Serialize};

/// Days on end on which it must be the same.
pub const STEADY_DAYS: u32 = 3;
/// Times more or less that a day may be than those before.
const ALIKE: f64 = 1.5;
/// Requests, or answers, of a day that say anything.
const LEAST_OF_DAY: f64 = 100.0;
const DAY: i64 = 8640;

/// What can be held against another day.
pub trait Steady: Merge + Default {
    fn weight(&self) -> f64;
    /// What must stay the same.
    fn level(&self) -> f64;
}

impl Merge for Share {
    fn merge(&mut self, other: Self) {
        self.add_share(&other);
    }
}

impl Steady for Share {
    fn weight(&self) -> f64 {
        self.total
    }

    fn level(&self) -> f64 {
        self.share()
    }
}

impl Steady for LogHistogram {
    fn weight(&self) -> f64 {
        self.count() as f64
    }

    fn level(&self) -> f64 {
        self.quantile(0.5) as f64
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantine<L> {
    /// First window of the day being filled, and the last that was told of.
    since: i64,
    last: i64,
    today: L,
    /// The days that were alike, and how many.
    before: L,
    days: u32,
}

impl<L: Steady> Quarantine<L> {
    /// A window was told of and would have taught this. Gives the second baseline where it is to take the first one's place.
    pub fn add(&mut self, window: i64, lesson: L) -> Option<L> {
        let is_new = self.days == 0 && self.today.weight() <= 0.0;
        if is_new || window.saturating_sub(self.last) >= DAY {
            *self = Quarantine { since: window, ..Quarantine::default() };
        }
        self.last = window;
        if window.saturating_sub(self.since) >= DAY {
            self.since = window;
            self.end_day();
            if self.days >= STEADY_DAYS {
                return Some(std::mem::take(self).before);
            }
        }
        self.today.merge(lesson);
        None
    }

    fn end_day(&mut self) {
        let today = std::mem::take(&mut self.today);
        let (now, before) = (today.level(), self.before.level());
        let is_alike = self.days == 0 || (now <= ALIKE * before && before <= ALIKE * now);
        if today.weight() < LEAST_OF_DAY {
            (self.before, self.days) = (L::default(), 0);
        } else if is_alike {
            self.before.merge(today);
            self.days += 1;
        } else {
            (self.before, self.days) = (today, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In which window, if in any, a change is adopted that has these errors of a hundred on each day.
    fn adopted(days: &[f64]) -> Option<(usize, f64)> {
        let mut quarantine = Quarantine::default();
        (0..days.len() * DAY as usize).filter(|window| window % 100 == 0).find_map(|window| {
            let share = Share { hits: days[window / DAY as usize], total: 100.0 };
            Some((window / DAY as usize, quarantine.add(7_000_000 + window as i64, share)?.share()))
        })
    }

    #[test]
    fn three_days_that_are_alike_are_adopted_on_the_fourth() {
        assert_eq!(adopted(&[30.0; 3]), None);
        assert_eq!(adopted(&[30.0; 4]), Some((3, 0.3)));
    }

    #[test]
    fn a_day_that_differs_begins_anew() {
        assert_eq!(adopted(&[30.0, 30.0, 50.0, 50.0, 50.0, 50.0]), Some((5, 0.5)));
        assert_eq!(adopted(&[10.0, 20.0, 40.0, 80.0, 10.0, 20.0, 40.0, 80.0]), None, "what grows is never adopted");
    }

    #[test]
    fn a_day_without_anything_to_tell_of_ends_it() {
        let mut quarantine = Quarantine::default();
        let mut day = |day: i64| {
            (0..86).filter_map(|nth| quarantine.add(day * DAY + nth * 100, Share { hits: 3.0, total: 10.0 })).count()
        };
        assert_eq!([day(100), day(101), day(103), day(104), day(105), day(106)], [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_seldom_asked_is_not_adopted() {
        let mut quarantine = Quarantine::default();
        let adopted = (0..60).find_map(|nth| quarantine.add(7_000_000 + nth * 1000, Share { hits: 3.0, total: 10.0 }));
        assert_eq!(adopted, None);
    }
}
