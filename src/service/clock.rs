//! Event time of a live source: it follows the frames, goes on while none come, and is not led astray by a clock that
//! jumps.
//!
//! Times of frames and a monotonic clock in; what to make of each frame's time out. A time far from what the monotonic
//! clock lets expect is put up with for [`STRIKES`] frames, as a stray; if they go on like that, it is a jump.

use crate::time::Timestamp;
use std::time::{Duration, Instant};

/// Further from what is expected than this is a jump.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Further ahead than this it is one through a pipe, too: captures may pause for some days.
const PIPE_LIMIT: Duration = Duration::from_secs(7 * 86_400);
const STRIKES: u32 = 32;

/// What a frame's time means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Time passes as it should.
    Normal,
    /// A stray: the frame counts, its time does not.
    Stray,
    /// The clock jumped by so many seconds; negative: it was set back.
    Jump(i64),
}

pub struct EventClock {
    /// Whether frames come as they are captured: then time cannot run faster than the monotonic clock. Through a pipe an
    /// old capture may come at any speed.
    is_live: bool,
    newest: Option<(Timestamp, Instant)>,
    strikes: u32,
}

impl EventClock {
    pub fn new(is_live: bool) -> EventClock {
        EventClock { is_live, newest: None, strikes: 0 }
    }

    /// A frame came at `now`.
    pub fn frame(&mut self, time: Timestamp, now: Instant) -> Step {
        let Some((newest, at)) = self.newest else {
            self.newest = Some((time, now));
            return Step::Normal;
        };
        let elapsed = now.saturating_duration_since(at);
        let is_back = time < newest.saturating_sub(LIMIT);
        let ahead = if self.is_live { LIMIT } else { PIPE_LIMIT };
        let is_ahead = time > newest.saturating_add(elapsed + ahead);
        if !is_back && !is_ahead {
            self.strikes = 0;
            if time > newest {
                self.newest = Some((time, now));
            }
            return Step::Normal;
        }
        self.strikes += 1;
        if self.strikes < STRIKES {
            return Step::Stray;
        }
        self.strikes = 0;
        self.newest = Some((time, now));
        let expected = newest.saturating_add(elapsed);
        Step::Jump((time.0.saturating_sub(expected.0)) / 1_000_000_000)
    }

    /// Event time while no frame comes.
    pub fn idle(&self, now: Instant) -> Option<Timestamp> {
        self.newest.map(|(newest, at)| newest.saturating_add(now.saturating_duration_since(at)))
    }

    /// How long none has come; since when the sensor started, where none ever came.
    pub fn silence(&self, now: Instant, started: Instant) -> Duration {
        now.saturating_duration_since(self.newest.map_or(started, |(_, at)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs_nanos(seconds, 0)
    }

    #[test]
    fn time_goes_on_while_nothing_comes() {
        let (mut clock, start) = (EventClock::new(true), Instant::now());
        assert_eq!(clock.idle(start), None);
        assert_eq!(clock.frame(at(100), start), Step::Normal);
        assert_eq!(clock.idle(start + Duration::from_secs(7)), Some(at(107)));
        assert_eq!(clock.silence(start + Duration::from_secs(7), start), Duration::from_secs(7));
        assert_eq!(clock.frame(at(95), start + Duration::from_secs(8)), Step::Normal, "mild disorder");
        assert_eq!(clock.idle(start + Duration::from_secs(8)), Some(at(108)));
    }

    #[test]
    fn a_stray_is_put_up_with_and_a_jump_is_told_once() {
        for (jump, expected) in [(-3600, -3600), (3600, 3600)] {
            let (mut clock, start) = (EventClock::new(true), Instant::now());
            clock.frame(at(10_000), start);
            assert_eq!(clock.frame(at(10_000 + jump), start), Step::Stray);
            assert_eq!(clock.frame(at(10_001), start + Duration::from_secs(1)), Step::Normal);
            let after = start + Duration::from_secs(1);
            let steps: Vec<Step> = (0..40).map(|_| clock.frame(at(10_001 + jump), after)).collect();
            assert_eq!(steps.iter().filter(|step| **step == Step::Jump(expected)).count(), 1);
            assert_eq!(steps[31], Step::Jump(expected));
            assert!(steps[32..].iter().all(|step| *step == Step::Normal));
        }
    }

    #[test]
    fn through_a_pipe_time_may_run_fast() {
        let (mut clock, start) = (EventClock::new(false), Instant::now());
        clock.frame(at(0), start);
        assert_eq!(clock.frame(at(86_400), start), Step::Normal);
        assert_eq!(clock.frame(at(10 * 365 * 86_400), start), Step::Stray);
        assert_eq!(clock.frame(at(86_401), start), Step::Normal);
    }
}
