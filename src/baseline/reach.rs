//! How many objects one subject reaches at one endpoint, and how many it usually does.

use super::tiers::{DAY_WINDOWS, SPANS, Tiers};
use crate::window::{Parts, Reach};
use serde::{Deserialize, Serialize};

/// Objects that many a client reaches at once.
const FEW_OBJECTS: u64 = 20;

/// The reach of one subject at one endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReachState {
    pub recent: Tiers<Reach>,
    /// Most objects within a short span that was over, while it was not anomalous. What is under way does not count: who
    /// begins to walk would else teach his own pace within the first windows.
    pub usual: u64,
    /// Most objects within the span under way.
    pub under_way: u64,
    /// What was usual a horizon ago, for each; none in states of before it was kept.
    #[serde(default)]
    pub before: Option<[Past; SPANS.len()]>,
    /// Window in which the subject first came; none before the first lesson.
    pub since: Option<i64>,
    /// Window in which the span under way began.
    pub noted: i64,
    pub last_window: i64,
    /// Window in which its walk was last told of: what comes within a day of it is that walk.
    #[serde(default)]
    pub told: Option<i32>,
    /// Window in which what is usual last grew.
    #[serde(default)]
    pub grown: Option<i32>,
}

/// What was usual when a horizon began, and when the one before it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    began: i64,
    usual: u64,
    before: u64,
}

impl Past {
    /// What was usual at least a horizon of so many windows ago, by what is usual `now`.
    fn at_least(self, horizon: i64, window: i64, now: u64) -> u64 {
        match window.saturating_sub(self.began).div_euclid(horizon) {
            0 => self.before,
            1 => self.usual,
            _ => now,
        }
    }

    fn pass(&mut self, horizon: i64, window: i64, now: u64) {
        let passed = window.saturating_sub(self.began).div_euclid(horizon);
        if passed == 0 {
            return;
        }
        let before = if passed == 1 { self.usual } else { now };
        *self = Past { began: self.began + passed * horizon, usual: now, before };
    }
}

impl ReachState {
    /// What was usual before the horizon that is judged began: what a walker does within it does not excuse him.
    pub fn past(&self, tier: usize, window: i64) -> u64 {
        let is_over = window.saturating_sub(self.noted) >= SPANS[0];
        let now = if is_over { self.usual_with_what_is_over(window) } else { self.usual };
        self.before.map_or(now, |past| past[tier].at_least(SPANS[tier], window, now))
    }

    /// A window passes, before it teaches.
    pub fn pass(&mut self, window: i64) {
        let now = self.usual;
        if self.since.is_none() {
            self.before = Some(Default::default());
        }
        for (past, horizon) in self.before.iter_mut().flatten().zip(SPANS) {
            past.pass(horizon, window, now);
        }
    }

    /// What is usual now always was: it was learned when nobody is judged, or in another capture.
    pub fn settle(&mut self) {
        let usual = self.usual;
        self.before.iter_mut().flatten().for_each(|past| *past = Past { usual, before: usual, ..*past });
    }

    /// A walk was told of: the span under way is its own, and no past to go by.
    pub fn tell(&mut self, window: i64) {
        self.recent.tell(Parts::ALL);
        self.under_way = self.under_way.min(self.usual);
        self.told = i32::try_from(window).ok();
    }

    pub fn was_told_lately(&self, window: i64) -> bool {
        self.told.is_some_and(|told| window - i64::from(told) < DAY_WINDOWS)
    }

    /// What is usual when the span under way is over, which nobody has folded in yet.
    fn usual_with_what_is_over(&self, window: i64) -> u64 {
        self.usual.max(self.under_way.min(self.most_learned(window)))
    }

    fn most_learned(&self, window: i64) -> u64 {
        let has_grown = self.grown.is_some_and(|grown| window - i64::from(grown) < DAY_WINDOWS);
        if has_grown { FEW_OBJECTS } else { FEW_OBJECTS.max(2 * self.usual) }
    }

    /// A span is over in which it reached so many objects. Beyond a few, what is usual at most doubles within a day: who
    /// walks ever faster would else teach each pace before the next.
    pub fn learn(&mut self, window: i64, objects: u64, is_learning: bool) {
        let most = if is_learning { u64::MAX } else { self.most_learned(window) };
        let learned = self.usual.max(objects.min(most));
        if learned > FEW_OBJECTS.max(self.usual) {
            self.grown = i32::try_from(window).ok();
        }
        self.usual = learned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_within_a_horizon_is_no_past_for_it() {
        let mut state = ReachState::default();
        state.pass(100_000);
        (state.since, state.noted) = (Some(100_000), 100_000);
        let hour = |state: &ReachState, window| state.past(1, window);
        for (window, objects) in [(100_060, 20), (100_120, 18), (100_300, 20)] {
            state.pass(window);
            state.learn(window, objects, false);
            state.noted = window;
            assert_eq!(hour(&state, window), 0, "{window}");
        }
        state.pass(100_400);
        assert_eq!((hour(&state, 100_400), state.past(0, 100_400)), (0, 20), "an hour ago it was new");
        state.pass(100_700);
        assert_eq!(hour(&state, 100_700), 20);
        let mut learned = ReachState { usual: 30, ..ReachState::default() };
        learned.pass(100_000);
        learned.settle();
        assert_eq!(learned.past(3, 100_001), 30);
        assert_eq!(ReachState { usual: 30, ..ReachState::default() }.past(3, 100), 30, "of an earlier version");
    }

    #[test]
    fn what_is_usually_reached_at_most_doubles_within_a_day() {
        let mut state = ReachState::default();
        [20, 140, 900].into_iter().for_each(|objects| state.learn(100, objects, false));
        assert_eq!((state.usual, state.grown), (40, Some(100)));
        let mut state = ReachState { usual: 30, ..ReachState::default() };
        state.learn(100, 900, false);
        assert_eq!((state.usual, state.grown), (60, Some(100)));
        state.learn(200, 900, false);
        assert_eq!(state.usual, 60);
        state.learn(100 + DAY_WINDOWS, 900, false);
        assert_eq!(state.usual, 120);
        state.learn(20_000, 900, true);
        assert_eq!(state.usual, 900);
    }
}
