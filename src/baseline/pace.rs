//! How fast an endpoint answers: what is usual, and whether it drifts.
//!
//! Latencies in microseconds in; out come the usual quantiles, how many answers of a window were slower than almost all
//! before, and a cumulative sum over blocks of answers. What was told of as an anomaly does not become usual.

use super::cusum::{Cusum, limit_for};
use super::generations::Generations;
use super::settling::Settling;
use crate::window::Merge;
use crate::window::distinct::DistinctSet;
use crate::window::histogram::LogHistogram;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A generation of usual latencies lasts for a day, in windows.
const GENERATION: i64 = 8640;
/// A block of the cumulative sum: five minutes, and at least so many answers.
const BLOCK_WINDOWS: i64 = 30;
const BLOCK_ANSWERS: u64 = 20;
/// Answers that are not usual yet: fewer say nothing of what is.
const LEAST_USUAL: u64 = 100;
/// The quantile whose exceedance is summed: a drift moves many answers, not only the slowest.
const DRIFT_QUANTILE: f64 = 0.75;
/// Share of the usual callers from which on a block counts. When the people sleep, machines are left, whose requests are others
/// and may take longer.
const LEAST_CALLERS: f64 = 0.5;
/// Answers that weigh in a block at most: those of one time are slow together.
const INDEPENDENT: f64 = 30.0;
/// Nothing changed, and yet the limit is crossed: once in so many blocks, ten years of an endpoint.
const BLOCKS_BETWEEN_FALSE_ALARMS: f64 = 10.0 * 365.0 * BLOCKS_A_DAY;
const BLOCKS_A_DAY: f64 = 288.0;
/// Of the cumulative sum.
static LIMIT: LazyLock<f64> = LazyLock::new(|| limit_for(BLOCKS_BETWEEN_FALSE_ALARMS));
/// Share of the way to the limit from which on there may be a drift.
const SUSPECT: f64 = 0.5;
/// Quantiles that answers are held against, and the share of a window's answers beyond them from which on it is a slow window:
/// where some answers always were slow, those that are slow now show among the others.
pub const FEW: f64 = 0.99;
pub const BULK: f64 = 0.9;
const SLOW_SHARES: [(f64, f64); 2] = [(FEW, 0.1), (BULK, 0.3)];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    usual: Generations,
    fresh: Settling<Lesson>,
    /// Window in which the younger generation began.
    since: i64,
    /// Windows with answers, of the younger generation and the older.
    windows: [u64; 2],
    drift: Cusum,
    /// The block being filled: answers, those above the quantile, what was expected of them, and its first window.
    answers: u64,
    above: u64,
    expected: f64,
    began: i64,
    #[serde(default)]
    callers: DistinctSet,
    /// Different callers of a block, by window, of the blocks of about a day; and how many blocks that were.
    #[serde(default)]
    usual_callers: f64,
    #[serde(default)]
    blocks: f64,
}

/// What has not settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lesson {
    latency: LogHistogram,
    windows: u64,
}

impl Merge for Lesson {
    fn merge(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.windows += other.windows;
    }
}

/// What is usual.
pub struct Usual {
    all: LogHistogram,
    /// Answers in a window in which it answers.
    pub a_window: f64,
}

impl Usual {
    pub fn count(&self) -> u64 {
        self.all.count()
    }

    /// Microseconds.
    pub fn quantile(&self, quantile: f64) -> u64 {
        self.all.quantile(quantile)
    }

    pub fn count_above(&self, microseconds: u64) -> u64 {
        self.all.count_above(microseconds)
    }
}

impl Pace {
    pub fn usual(&self) -> Usual {
        Usual {
            all: self.usual.all(),
            a_window: self.usual.count() as f64 / self.windows.iter().sum::<u64>().max(1) as f64,
        }
    }

    /// The share of the way to the limit that the cumulative sum has gone; from 1 on answers have slowed down for good.
    pub fn drift(&self) -> f64 {
        self.drift.sum() / *LIMIT
    }

    pub fn is_drifting(&self) -> bool {
        self.drift() >= 1.0
    }

    /// The chance that the limit is crossed in a day though nothing has changed.
    pub fn chance_of_drift(&self) -> f64 {
        BLOCKS_A_DAY / BLOCKS_BETWEEN_FALSE_ALARMS
    }

    /// Takes in a window and who called in it, before it is judged. Whether it was a slow one.
    pub fn look(&mut self, window: i64, latency: &LogHistogram, callers: &DistinctSet) -> bool {
        if latency.is_empty() || self.usual.count() < LEAST_USUAL {
            return false;
        }
        let usual = self.usual.all();
        let bound = usual.quantile(DRIFT_QUANTILE);
        let share = usual.count_above(bound) as f64 / usual.count() as f64;
        if self.answers == 0 {
            self.began = window;
        }
        self.answers += latency.count();
        self.above += latency.count_above(bound);
        self.expected += share * latency.count() as f64;
        self.callers.merge(callers);
        let lasted = window.saturating_sub(self.began);
        if lasted >= BLOCK_WINDOWS && self.answers >= BLOCK_ANSWERS {
            self.close_block(lasted);
        }
        let beyond = |quantile: f64| latency.count_above(usual.quantile(quantile)) as f64;
        SLOW_SHARES.iter().any(|(quantile, share)| beyond(*quantile) >= share * latency.count() as f64)
    }

    /// Deviation of the block, its answers being overdispersed as a beta-binomial's are; where few of the usual callers are
    /// there it says nothing.
    fn close_block(&mut self, lasted: i64) {
        let answers = std::mem::take(&mut self.answers) as f64;
        let above = std::mem::take(&mut self.above) as f64;
        let expected = std::mem::take(&mut self.expected);
        let callers = std::mem::take(&mut self.callers).count() as f64 / lasted as f64;
        self.blocks = (self.blocks + 1.0).min(BLOCKS_A_DAY);
        self.usual_callers += (callers - self.usual_callers) / self.blocks;
        if callers < LEAST_CALLERS * self.usual_callers {
            return;
        }
        let share = (expected / answers).clamp(0.01, 0.99);
        let variance = answers * share * (1.0 - share) * (1.0 + (answers - 1.0) / (INDEPENDENT + 1.0));
        self.drift.add((above - expected) / variance.sqrt(), *LIMIT);
    }

    /// Takes in what a window teaches; it settles later, except while learning. What may be a drift does not teach: it would
    /// become usual as fast as it creeps.
    pub fn teach(&mut self, window: i64, latency: &LogHistogram, is_learning: bool) {
        if latency.is_empty() || (!is_learning && self.drift() >= SUSPECT) {
            return;
        }
        if self.usual.count() == 0 {
            self.since = window;
        }
        if window.saturating_sub(self.since) >= GENERATION {
            self.usual.turn();
            self.windows = [0, self.windows[0]];
            self.since = window;
        }
        let lesson = Lesson { latency: latency.clone(), windows: 1 };
        let settled = if is_learning { Some(lesson) } else { self.fresh.add(window, lesson) };
        if let Some(settled) = settled {
            self.usual.merge(&settled.latency);
            self.windows[0] += settled.windows;
        }
    }

    /// Something else is usual from now on, of so many windows.
    pub fn adopt(&mut self, usual: &LogHistogram) {
        let a_window = self.usual().a_window.max(1.0);
        self.usual = Generations::default();
        self.usual.merge(usual);
        self.windows = [(usual.count() as f64 / a_window) as u64, 0];
        self.drift = Cusum::default();
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh.retract();
    }

    /// Another capture follows, with another time.
    pub fn forget_recent(&mut self) {
        (self.answers, self.above, self.expected, self.since) = (0, 0, 0.0, 0);
        self.callers = DistinctSet::default();
        self.drift = Cusum::default();
    }

    pub fn join(&mut self, other: &Pace) {
        self.usual.merge(&other.usual.all());
        self.windows[0] = self.windows[0].max(other.windows[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(milliseconds: impl Iterator<Item = u64>) -> LogHistogram {
        let mut latency = LogHistogram::new();
        milliseconds.for_each(|milliseconds| latency.record(milliseconds * 1000));
        latency
    }

    /// Ten answers between 10 and 109 ms a window.
    fn usual_window(window: i64) -> LogHistogram {
        answers((0..10).map(|nth| 10 + (window as u64 * 37 + nth * 61) % 100))
    }

    fn of(count: u64) -> DistinctSet {
        let mut callers = DistinctSet::default();
        (0..count).for_each(|caller| callers.insert(crate::hash::mix(caller)));
        callers
    }

    fn learned() -> Pace {
        let mut pace = Pace::default();
        (0..60).for_each(|window| pace.teach(window, &usual_window(window), true));
        pace
    }

    #[test]
    fn slow_windows_are_those_beyond_what_is_usual() {
        let mut pace = learned();
        assert!(!pace.look(60, &usual_window(60), &of(5)));
        assert!(pace.look(61, &answers([20, 30, 400].into_iter()), &of(3)));
        let usual = pace.usual();
        assert!((usual.quantile(0.5) as f64 / 60_000.0 - 1.0).abs() < 0.1 && (usual.a_window - 10.0).abs() < 0.1);
    }

    #[test]
    fn a_small_slowdown_that_lasts_is_a_drift_and_ordinary_days_are_none() {
        let mut pace = learned();
        (60..8000).for_each(|window| {
            pace.look(window, &usual_window(window), &of(5));
        });
        assert!(pace.drift() < 0.5, "{}", pace.drift());
        let began = 8000;
        let found = (began..began + 2000).find(|window| {
            let slower = answers((0..10).map(|nth| (10 + (*window as u64 * 37 + nth * 61) % 100) * 8 / 5));
            pace.look(*window, &slower, &of(5));
            pace.drift() >= 1.0
        });
        assert!(found.is_some_and(|window| window > began + 60), "{found:?}");
    }

    #[test]
    fn a_night_in_which_slow_requests_are_left_is_no_drift() {
        let mut pace = learned();
        (60..1500).for_each(|window| {
            pace.look(window, &usual_window(window), &of(20));
        });
        let before = pace.drift();
        let night = answers((0..10).map(|nth| 80 + nth * 5));
        (1500..2500).for_each(|window| {
            pace.look(window, &night, &of(4));
        });
        assert!(pace.drift() < before.max(0.5), "{before}, then {}", pace.drift());
    }

    #[test]
    fn what_is_taken_back_is_not_usual() {
        let mut pace = learned();
        (60..70).for_each(|window| pace.teach(window, &answers([5000].into_iter()), false));
        pace.retract();
        (200..400).for_each(|window| pace.teach(window, &usual_window(window), false));
        assert!(pace.usual().quantile(1.0) < 120_000);
    }
}
