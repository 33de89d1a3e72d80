//! When there was traffic to see: who was not seen meanwhile was silent, and not just out of sight.
//!
//! Windows in, in order of time. A pause without any traffic counts as watched if it is not longer than [`LONGEST_PAUSE`]: a
//! quiet API is no sensor that was off. Bound: the last [`BREAKS`] breaks; before those, nothing was watched.

use crate::time::Timestamp;
use crate::window::start_of;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// In windows: three days, a weekend and some hours.
const LONGEST_PAUSE: i64 = 3 * 8640;
const BREAKS: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Spans of windows with traffic, both ends among them, the oldest first.
    spans: VecDeque<(i64, i64)>,
}

impl Watched {
    /// There was traffic in a window.
    pub fn note(&mut self, window: i64) {
        match self.spans.back_mut() {
            Some((_, last)) if window.saturating_sub(*last) <= LONGEST_PAUSE => *last = window.max(*last),
            _ => {
                self.spans.push_back((window, window));
                if self.spans.len() > BREAKS {
                    self.spans.pop_front();
                }
            }
        }
    }

    /// For how long it was watched between two times.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> Duration {
        let spans = self.spans.iter().map(|(first, last)| {
            let end = start_of(last.saturating_add(1));
            end.min(until).since(start_of(*first).max(from))
        });
        spans.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 8640;

    fn days(watched: &Watched, from: i64, until: i64) -> u64 {
        (watched.between(start_of(from * DAY), start_of(until * DAY)).as_secs() + 3600) / 86_400
    }

    #[test]
    fn a_quiet_weekend_is_watched_and_a_week_without_traffic_is_not() {
        let mut watched = Watched::default();
        [0, 1, 2, 5, 6, 16, 17, 18].into_iter().for_each(|day| watched.note(day * DAY));
        assert_eq!((days(&watched, 0, 6), days(&watched, 6, 16), days(&watched, 0, 18)), (6, 0, 8));
        assert_eq!((days(&watched, 17, 40), days(&watched, 30, 40)), (1, 0));
    }

    #[test]
    fn of_many_breaks_the_last_are_kept() {
        let mut watched = Watched::default();
        (0..100).for_each(|time| watched.note(time * 10 * DAY));
        assert_eq!(watched.spans.len(), BREAKS);
    }
}
