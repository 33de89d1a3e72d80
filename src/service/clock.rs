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
/// How long frames from before a jump may still be on their way, over another interface.
const UNDER_WAY: Duration = Duration::from_secs(2);

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
    /// Where time would be had it not jumped last, and when it did.
    left: Option<(Timestamp, Instant)>,
    strikes: u32,
}

impl EventClock {
    pub fn new(is_live: bool) -> EventClock {
        EventClock { is_live, newest: None, left: None, strikes: 0 }
    }

    /// So many frames of about this time came at `now`.
    pub fn frames(&mut self, time: Timestamp, count: u32, now: Instant) -> Step {
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
        let is_under_way = |(left, at): (Timestamp, Instant)| {
            now.saturating_duration_since(at) < UNDER_WAY && time.max(left).since(time.min(left)) < LIMIT
        };
        if self.is_live && self.left.is_some_and(is_under_way) {
            return Step::Stray;
        }
        self.strikes += count;
        if self.strikes < STRIKES {
            return Step::Stray;
        }
        self.strikes = 0;
        self.newest = Some((time, now));
        let expected = newest.saturating_add(elapsed);
        self.left = Some((expected, now));
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
        assert_eq!(clock.frames(at(100), 1, start), Step::Normal);
        assert_eq!(clock.idle(start + Duration::from_secs(7)), Some(at(107)));
        assert_eq!(clock.silence(start + Duration::from_secs(7), start), Duration::from_secs(7));
        assert_eq!(clock.frames(at(95), 1, start + Duration::from_secs(8)), Step::Normal, "mild disorder");
        assert_eq!(clock.idle(start + Duration::from_secs(8)), Some(at(108)));
    }

    #[test]
    fn a_stray_is_put_up_with_and_a_jump_is_told_once() {
        for (jump, expected) in [(-3600, -3600), (3600, 3600)] {
            let (mut clock, start) = (EventClock::new(true), Instant::now());
            clock.frames(at(10_000), 1, start);
            assert_eq!(clock.frames(at(10_000 + jump), 1, start), Step::Stray);
            assert_eq!(clock.frames(at(10_001), 1, start + Duration::from_secs(1)), Step::Normal);
            let after = start + Duration::from_secs(1);
            let steps: Vec<Step> = (0..40).map(|_| clock.frames(at(10_001 + jump), 1, after)).collect();
            assert_eq!(steps.iter().filter(|step| **step == Step::Jump(expected)).count(), 1);
            assert_eq!(steps[31], Step::Jump(expected));
            assert!(steps[32..].iter().all(|step| *step == Step::Normal));
        }
    }

    #[test]
    fn what_another_interface_brings_from_before_a_jump_is_no_jump_back() {
        let (mut clock, start) = (EventClock::new(true), Instant::now());
        let later = |milliseconds| start + Duration::from_millis(milliseconds);
        clock.frames(at(10_000), 1, start);
        assert_eq!(clock.frames(at(6_400), 500, later(10)), Step::Jump(-3600));
        assert_eq!(clock.frames(at(10_000), 500, later(20)), Step::Stray);
        assert_eq!(clock.frames(at(6_401), 500, later(900)), Step::Normal);
        assert_eq!(clock.frames(at(10_003), 500, later(3000)), Step::Jump(3599), "the clock was set right");
    }

    #[test]
    fn through_a_pipe_time_may_run_fast() {
        let (mut clock, start) = (EventClock::new(false), Instant::now());
        clock.frames(at(0), 1, start);
        assert_eq!(clock.frames(at(86_400), 1, start), Step::Normal);
        assert_eq!(clock.frames(at(10 * 365 * 86_400), 1, start), Step::Stray);
        assert_eq!(clock.frames(at(86_401), 1, start), Step::Normal);
    }
}
