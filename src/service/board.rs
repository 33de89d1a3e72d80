//! What the threads of the daemon tell each other: the reader how it reads, the judge how far it is. Whoever asks (status,
//! metrics, health) takes a copy; nobody waits for them.

use crate::alert::IncidentTally;
use crate::capture::live::InterfaceStatistics;
use crate::detect::sensor::Wire;
use crate::packet::PacketCounters;
use crate::pipeline::{Counters, Shedding};
use crate::rule::Severity;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How reading goes.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub packets: PacketCounters,
    pub filtered_out: u64,
    pub interfaces: Vec<InterfaceStatistics>,
    pub shedding: Shedding,
    /// How long no frame has come.
    pub silence: Duration,
    /// Event time.
    pub newest: Option<Timestamp>,
    /// Event time less the wall's, when the newest frame came.
    pub lag: Option<Duration>,
    /// How full the workers' queues were, from 0 to 1.
    pub backlog: f64,
    /// Times the clock jumped, and by how many seconds the last time.
    pub jumps: u64,
    pub last_jump: i64,
    /// Times that something was left out, and seconds it lasted in all.
    pub shed_times: u64,
    pub shed_seconds: f64,
    pub resident_bytes: u64,
}

/// How far the judge is.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    pub counters: Counters,
    pub tally: IncidentTally,
    pub open_incidents: usize,
    /// By severity, and whether they are acknowledged.
    pub open_by_severity: BTreeMap<(Severity, bool), u64>,
    /// Windows so far.
    pub windows: u64,
    /// The watermark, and when it was reached.
    pub now: Option<Timestamp>,
    pub at: Option<Instant>,
    pub learn_until: Option<Timestamp>,
    pub keys_evicted: u64,
    pub late_windows: u64,
    pub learned_parameters: usize,
    pub alerts: u64,
}

/// What has passed so far.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    pub frames: u64,
    pub wire_bytes: u64,
    pub wire: Wire,
    /// Requests that say for whom they were forwarded, from addresses that are not trusted to.
    pub forwarded: u64,
}

impl Passed {
    pub fn of(reading: &Reading, judged: &Judged) -> Passed {
        let (http, stream) = (&judged.counters.http, &judged.counters.table.stream);
        Passed {
            frames: reading.packets.frames,
            wire_bytes: reading.packets.wire_bytes,
            wire: Wire {
                transactions: http.transactions,
                requests_only: http.requests_only,
                responses_only: http.responses_only,
                bytes: stream.bytes,
                missing_bytes: stream.gap_bytes,
            },
            forwarded: judged.counters.seen.forwarded,
        }
    }

    pub fn since(&self, before: &Passed) -> Passed {
        Passed {
            frames: self.frames.saturating_sub(before.frames),
            wire_bytes: self.wire_bytes.saturating_sub(before.wire_bytes),
            wire: self.wire.since(&before.wire),
            forwarded: self.forwarded.saturating_sub(before.forwarded),
        }
    }
}

/// What "lately" is.
const LATELY: Duration = Duration::from_secs(300);

pub struct Board {
    pub started: Instant,
    pub started_at: SystemTime,
    reading: Mutex<Reading>,
    judged: Arc<Mutex<Judged>>,
    /// Of the last minutes, the oldest first.
    passed: Mutex<VecDeque<(Instant, Passed)>>,
}

impl Board {
    /// `judged` is what the judge's thread writes to.
    pub fn new(judged: Arc<Mutex<Judged>>) -> Board {
        let (started, started_at) = (Instant::now(), SystemTime::now());
        let passed = Mutex::new(VecDeque::from([(started, Passed::default())]));
        Board { started, started_at, reading: Mutex::default(), judged, passed }
    }

    /// What has passed until now, noted every so often.
    pub fn note_passed(&self, now: Instant, passed: Passed) {
        let mut noted = locked(&self.passed);
        noted.push_back((now, passed));
        while noted.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LATELY) {
            noted.pop_front();
        }
    }

    /// What has passed in the last minutes, and how long that is.
    pub fn lately(&self, now: Instant, passed: &Passed) -> (Duration, Passed) {
        let (at, before) = locked(&self.passed).front().cloned().unwrap_or((self.started, Passed::default()));
        (now.saturating_duration_since(at), passed.since(&before))
    }

    pub fn reading(&self) -> Reading {
        locked(&self.reading).clone()
    }

    pub fn judged(&self) -> Judged {
        locked(&self.judged).clone()
    }

    pub fn set_reading(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut locked(&self.reading));
    }
}

fn locked<T>(figures: &Mutex<T>) -> MutexGuard<'_, T> {
    figures.lock().unwrap_or_else(PoisonError::into_inner) // figures are whole at any time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_lately_is_that_of_minutes() {
        let board = Board::new(Arc::default());
        let at = |seconds| board.started + Duration::from_secs(seconds);
        let frames = |frames| Passed { frames, ..Passed::default() };
        assert_eq!(board.lately(at(10), &frames(50)).1.frames, 50, "since the start");
        (1..=100).for_each(|nth| board.note_passed(at(nth * 10), frames(nth * nth)));
        let (time, passed) = board.lately(at(1000), &frames(10_000));
        assert_eq!((time.as_secs(), passed.frames), (300, 10_000 - 70 * 70));
    }
}
