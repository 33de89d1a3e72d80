//! How many clients use a host as a habit, and how much each asks, so that silence can be told from a quiet hour.
//!
//! In goes what came in each window that the sensor watched, also where that was nothing; out come what the last minutes
//! brought, in visits and requests, and what was to be expected: by the last hour and, once it is known, by this hour of the
//! day and this day of the week, whichever is less. A visit is a client in a window, however much it asked: a crawler that
//! ends its round is one visitor less. Both are medians or long means, so that a burst raises no expectation. Blocks settle before they
//! are a measure, and not at all while a drop is told of. Windows in which nothing came of any host are not watched: a sensor
//! that sees nothing knows nothing.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::AddAssign;

/// A block of the last hour: two minutes.
const BLOCK: u64 = 12;
/// Blocks that are a measure, and those that have not settled.
const BLOCKS: usize = 30;
const FRESH: usize = 5;
/// The newest of the settled blocks, for a host whose traffic is falling anyway.
const NEWEST: usize = 5;
/// Windows of which each is remembered: the longest horizon.
const REMEMBERED: usize = crate::rule::MOST_DROP_WINDOWS as usize;
/// Windows of an hour of the day from which on it is known: another day than this one.
const KNOWN_HOUR: f64 = 400.0;
/// Windows that an hour of the day weighs at most (two weeks), and a day of the week (two months).
const MOST_OF_HOUR: f64 = 14.0 * 360.0;
const MOST_OF_DAY: f64 = 8.0 * 8640.0;
/// Windows by which a day of the week is drawn to what is usual on any day.
const POOLED: f64 = 2160.0;
/// Relative variance that any traffic has from one block to another, beyond chance.
const LEAST_VARIANCE: f64 = 0.02;
/// Blocks so many times the median are bursts, which say nothing about how low it goes.
const BURST: f64 = 3.0;
/// Windows of event time, an hour, for which a drop is told. Then what is there is the habit: a service that was moved away is not
/// an outage for ever.
const ADOPTED: i64 = 360;
const WINDOWS_A_DAY: i64 = 8640;
const WINDOWS_AN_HOUR: i64 = 360;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watched {
    visits: f64,
    windows: f64,
}

impl Watched {
    fn add(&mut self, visits: u64, most: f64) {
        self.visits += visits as f64;
        self.windows += 1.0;
        if self.windows > most {
            self.visits /= 2.0;
            self.windows /= 2.0;
        }
    }

    fn rate(&self) -> f64 {
        if self.windows > 0.0 { self.visits / self.windows } else { 0.0 }
    }
}

/// What came in a window, a block or a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Came {
    /// Clients in each window.
    pub visits: u64,
    pub requests: u64,
}

impl AddAssign for Came {
    fn add_assign(&mut self, other: Came) {
        self.visits += other.visits;
        self.requests += other.requests;
    }
}

impl Came {
    fn per_visit(&self) -> f64 {
        self.requests as f64 / self.visits.max(1) as f64
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// The last watched windows, the newest last.
    windows: VecDeque<Came>,
    /// Blocks that have settled, and those that have not, the newest last.
    settled: VecDeque<Came>,
    fresh: VecDeque<Came>,
    /// The block being filled, and its windows.
    block: Came,
    filled: u64,
    hours: [Watched; 24],
    days: [Watched; 7],
    /// The window in which a drop was told that is not over.
    #[serde(default)]
    dropped: Option<i64>,
}

/// What is to be expected of a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Visits in a window.
    pub a_window: f64,
    /// Shape of the gamma distribution of its rate.
    pub shape: f64,
    /// Requests for each visit, and the shape of its distribution.
    pub per_visit: f64,
    pub shape_per_visit: f64,
    /// The quietest block, as a share of the median one: a host that sleeps now and then is not steady.
    pub steadiness: f64,
    /// Whether the hour of the day was known.
    pub by_hour: bool,
}

impl Expected {
    /// The shape within so many windows. It was seen between blocks; within shorter spans what comes and goes counts for more.
    pub fn shape_within(&self, windows: u64) -> f64 {
        self.shape * (windows as f64 / BLOCK as f64).min(1.0)
    }
}

impl Habit {
    /// A watched window brought this. What is told as a drop does not teach.
    pub fn pass(&mut self, window: i64, came: Came, is_drop: bool, is_learning: bool) {
        self.windows.push_back(came);
        if self.windows.len() > REMEMBERED {
            self.windows.pop_front();
        }
        if is_drop {
            let since = *self.dropped.get_or_insert(window);
            if window.saturating_sub(since) >= ADOPTED {
                *self = Habit::default();
                return;
            }
            self.fresh.clear();
            (self.block, self.filled) = (Came::default(), 0);
            return;
        }
        let (hour, day) = place_of(window);
        self.hours[hour].add(came.visits, MOST_OF_HOUR); // below 24
        self.days[day].add(came.visits, MOST_OF_DAY); // below 7
        self.block += came;
        self.filled += 1;
        if self.filled == BLOCK {
            self.fresh.push_back(std::mem::take(&mut self.block));
            self.filled = 0;
        }
        while self.fresh.len() > if is_learning { 0 } else { FRESH } {
            self.settled.extend(self.fresh.pop_front());
            self.dropped = None;
        }
        while self.settled.len() > BLOCKS {
            self.settled.pop_front();
        }
    }

    /// What came in the last so many watched windows; none where fewer are known.
    pub fn last(&self, windows: usize) -> Option<Came> {
        let from = self.windows.len().checked_sub(windows)?;
        let mut sum = Came::default();
        self.windows.range(from..).for_each(|came| sum += *came);
        Some(sum)
    }

    /// What a window was to bring; none before that is known.
    pub fn expected(&self, window: i64) -> Option<Expected> {
        if self.settled.len() < NEWEST {
            return None;
        }
        let visits = || self.settled.iter().map(|block| block.visits as f64);
        let median = median_of(visits());
        let newest = median_of(visits().skip(self.settled.len() - NEWEST));
        let recent = median.min(newest) / BLOCK as f64;
        let by_hour = self.by_hour(window);
        let per_visit = median_of(self.settled.iter().map(Came::per_visit));
        Some(Expected {
            a_window: by_hour.map_or(recent, |by_hour| by_hour.min(recent)),
            shape: 1.0 / variance(visits(), median, 1.0),
            per_visit,
            shape_per_visit: 1.0 / variance(self.settled.iter().map(Came::per_visit), per_visit, median),
            steadiness: visits().fold(f64::INFINITY, f64::min) / median.max(1.0),
            by_hour: by_hour.is_some(),
        })
    }

    /// The rate of this hour of the day, drawn to that of this day of the week as far as that is known. Windows are
    /// those of the site's clock.
    fn by_hour(&self, window: i64) -> Option<f64> {
        let (hour, day) = place_of(window);
        let (hour, day) = (self.hours[hour], self.days[day]); // below 24, below 7
        let all = self.days.iter().fold(Watched::default(), |all, day| Watched {
            visits: all.visits + day.visits,
            windows: all.windows + day.windows,
        });
        if hour.windows < KNOWN_HOUR || all.rate() <= 0.0 {
            return None;
        }
        let of_day = (day.visits + POOLED * all.rate()) / ((day.windows + POOLED) * all.rate());
        Some(hour.rate() * of_day)
    }

    /// Another capture follows, with another time.
    pub fn forget_recent(&mut self) {
        self.windows.clear();
        self.fresh.clear();
        (self.block, self.filled, self.dropped) = (Came::default(), 0, None);
    }

    /// Whether a drop was told that is not over.
    pub fn is_dropped(&self) -> bool {
        self.dropped.is_some()
    }
}

/// Relative variance of blocks beyond a Poisson's, without bursts. Each may be a mean of so many.
fn variance(blocks: impl Iterator<Item = f64> + Clone, median: f64, each: f64) -> f64 {
    let blocks = blocks.map(|block| block.min(BURST * median));
    let count = blocks.clone().count().max(2) as f64;
    let mean = blocks.clone().sum::<f64>() / count;
    let variance = blocks.map(|block| (block - mean).powi(2)).sum::<f64>() / (count - 1.0);
    ((variance - mean / each.max(1.0)) / (mean * mean).max(f64::MIN_POSITIVE)).max(LEAST_VARIANCE)
}

/// Hour of the day, and day of the week, of a window.
fn place_of(window: i64) -> (usize, usize) {
    let hour = window.rem_euclid(WINDOWS_A_DAY) / WINDOWS_AN_HOUR;
    let day = window.div_euclid(WINDOWS_A_DAY).rem_euclid(7);
    (hour as usize, day as usize) // remainders of 24 hours and 7 days
}

fn median_of(blocks: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = blocks.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_that_stays_becomes_the_habit_also_where_little_comes_in_between() {
        let mut habit = steady(400, |_| 10);
        assert!(habit.expected(400).is_some());
        for window in 400..760 {
            habit.pass(window, of(u64::from(window % 7 == 0)), window % 3 != 0, false);
        }
        habit.pass(761, of(0), true, false);
        assert_eq!(habit.expected(762), None);
    }

    #[test]
    fn a_drop_that_is_over_is_forgotten() {
        let mut habit = steady(400, |_| 10);
        habit.pass(400, of(0), true, false);
        (401..1000).for_each(|window| habit.pass(window, of(10), false, false));
        habit.pass(1000, of(0), true, false);
        assert!(habit.expected(1001).is_some());
    }

    /// Visits that ask three times each.
    fn of(visits: u64) -> Came {
        Came { visits, requests: 3 * visits }
    }

    fn steady(windows: i64, visits: impl Fn(i64) -> u64) -> Habit {
        let mut habit = Habit::default();
        (0..windows).for_each(|window| habit.pass(window, of(visits(window)), false, true));
        habit
    }

    #[test]
    fn ten_minutes_tell_what_is_to_be_expected() {
        assert_eq!(steady(59, |_| 10).expected(59), None);
        let expected = steady(60, |window| 9 + window as u64 % 3).expected(60).unwrap();
        assert!(
            (expected.a_window - 10.0).abs() < 0.5 && expected.steadiness > 0.9 && !expected.by_hour,
            "{expected:?}"
        );
        assert_eq!((expected.shape, expected.per_visit), (1.0 / LEAST_VARIANCE, 3.0));
    }

    #[test]
    fn a_burst_raises_no_expectation() {
        let expected = steady(360, |window| if (100..130).contains(&window) { 500 } else { 10 }).expected(360).unwrap();
        assert!((expected.a_window - 10.0).abs() < 0.5, "{expected:?}");
    }

    #[test]
    fn what_is_told_as_a_drop_teaches_nothing() {
        let mut habit = steady(120, |_| 10);
        (120..130).for_each(|window| habit.pass(window, of(0), false, false));
        (130..480).for_each(|window| habit.pass(window, of(0), true, false));
        let expected = habit.expected(480).unwrap();
        assert!((expected.a_window - 10.0).abs() < 0.5, "{expected:?}");
        assert_eq!((habit.last(60), habit.last(61)), (Some(of(0)), None));
    }

    #[test]
    fn a_quiet_hour_is_known_on_the_second_day() {
        let night = |window: i64| (window % WINDOWS_A_DAY) / WINDOWS_AN_HOUR < 6;
        let habit = steady(2 * WINDOWS_A_DAY - 10, |window| if night(window) { 1 } else { 20 });
        let expected = habit.expected(2 * WINDOWS_A_DAY).unwrap();
        assert!(expected.by_hour && expected.a_window < 2.0, "the night is about to begin: {expected:?}");
    }
}
