//! What the threads of the daemon tell each other: the reader how it reads, the judge how far it is. Whoever asks (status,
//! metrics, health) takes a copy; nobody waits for them.

use crate::alert::IncidentTally;
use crate::capture::live::InterfaceStatistics;
use crate::packet::PacketCounters;
use crate::pipeline::{Counters, Shedding};
use crate::rule::Severity;
use crate::time::Timestamp;
use std::collections::BTreeMap;
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

pub struct Board {
    pub started: Instant,
    pub started_at: SystemTime,
    reading: Mutex<Reading>,
    judged: Arc<Mutex<Judged>>,
}

impl Board {
    /// `judged` is what the judge's thread writes to.
    pub fn new(judged: Arc<Mutex<Judged>>) -> Board {
        Board { started: Instant::now(), started_at: SystemTime::now(), reading: Mutex::default(), judged }
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
