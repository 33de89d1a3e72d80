//! When to leave something out, and when to take it up again.
//!
//! How full the workers' queues are, and whether the kernel dropped or memory is short, in; a step of shedding out,
//! each time it changes. More is left out after a second that was mostly full, less after four that were not: so that
//! it does not swing.

use crate::pipeline::Shedding;
use std::time::{Duration, Instant};

/// Queues fuller than this are full.
const FULL: f64 = 0.9;
/// How long is looked at before more is left out.
const RISE: Duration = Duration::from_secs(1);
/// Share of that time that was full.
const RISE_SHARE: f64 = 0.5;
/// Time without trouble before less is left out: from the last step to none it takes 24 s.
const FALL: Duration = Duration::from_secs(4);
const FALL_SHARE: f64 = 0.05;

pub struct Overload {
    shedding: Shedding,
    since: Instant,
    samples: u32,
    full: u32,
}

impl Overload {
    pub fn new(now: Instant) -> Overload {
        Overload { shedding: Shedding::NONE, since: now, samples: 0, full: 0 }
    }

    pub fn shedding(&self) -> Shedding {
        self.shedding
    }

    /// One look. `is_pressed`: the kernel dropped frames, or memory is short. Call it some 20 times a second.
    pub fn look(&mut self, backlog: f64, is_pressed: bool, now: Instant) -> Option<Shedding> {
        self.samples += 1;
        self.full += u32::from(backlog >= FULL || is_pressed);
        let share = f64::from(self.full) / f64::from(self.samples);
        let passed = now.saturating_duration_since(self.since);
        let next = if passed >= RISE && share >= RISE_SHARE {
            self.shedding.more()
        } else if passed >= FALL && share <= FALL_SHARE {
            self.shedding.less()
        } else if passed >= FALL {
            self.shedding
        } else {
            return None;
        };
        (self.since, self.samples, self.full) = (now, 0, 0);
        (std::mem::replace(&mut self.shedding, next) != next).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps after each second of a backlog, 20 looks a second.
    fn steps(overload: &mut Overload, now: &mut Instant, seconds: u32, backlog: f64) -> Vec<u8> {
        let mut steps = Vec::new();
        for _ in 0..seconds {
            for _ in 0..20 {
                *now += Duration::from_millis(50);
                overload.look(backlog, false, *now);
            }
            steps.push(overload.shedding().step());
        }
        steps
    }

    #[test]
    fn it_rises_by_the_second_and_is_back_within_half_a_minute() {
        let mut now = Instant::now();
        let mut overload = Overload::new(now);
        assert_eq!(steps(&mut overload, &mut now, 3, 0.2), [0, 0, 0]);
        let risen = steps(&mut overload, &mut now, 8, 1.0);
        assert_eq!(*risen.last().unwrap(), 6, "{risen:?}");
        let fallen = steps(&mut overload, &mut now, 30, 0.1);
        assert!(fallen.is_sorted_by(|one, other| one >= other) && *fallen.last().unwrap() == 0, "{fallen:?}");
    }

    #[test]
    fn a_full_moment_changes_nothing() {
        let mut now = Instant::now();
        let mut overload = Overload::new(now);
        for _ in 0..20 {
            now += Duration::from_millis(50);
            assert_eq!(overload.look(1.0, false, now), None);
            assert_eq!(steps(&mut overload, &mut now, 1, 0.3), [0]);
        }
    }
}
