//! What is to be done by the clock on the wall: checkpoints, health, the sinks' upkeep, a line of counters.
//!
//! One thread that wakes each second. It never touches the path of the packets: what needs the judge is handed to it,
//! to be done between two windows.

use super::Daemon;
use super::board::{Passed, Reading};
use super::memory;
use crate::alert::endpoint_records;
use crate::alert::record::{EveRecord, EventType, StatsDetail, write_line};
use crate::baseline::Leave;
use crate::detect::sensor::{self, Health};
use crate::pipeline::{Judge, blindness};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

const TICK: Duration = Duration::from_secs(1);
/// A window: what is judged of the sensor is judged as often as the traffic.
const HEALTH: Duration = Duration::from_secs(10);
/// How often a line of counters is written, where they are wanted.
const STATS: Duration = Duration::from_secs(60);
/// Percent of `limits.memory_mib` from which on memory is short, and below which it no longer is.
const SHORT_PERCENT: u64 = 85;
const ENOUGH_PERCENT: u64 = 75;
/// So many seconds in a row, unless all of it is taken.
const SECONDS_SHORT: u32 = 3;
/// A checkpoint that takes longer is told of: it takes seconds at a million clients.
const LONGEST_WRITE: Duration = Duration::from_secs(180);

pub struct Housekeeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeper {
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            warn!("the housekeeping ended unexpectedly");
        }
    }
}

pub fn start(daemon: Arc<Daemon>) -> io::Result<Housekeeper> {
    let (stop, stopped) = channel::<()>();
    let thread = std::thread::Builder::new().name("housekeeping".to_owned()).spawn(move || {
        let mut house = House::new(daemon);
        while matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
            house.tick();
        }
    })?;
    Ok(Housekeeper { stop, thread })
}

struct House {
    daemon: Arc<Daemon>,
    checkpoint: Due,
    export: Due,
    health: Due,
    stats: Due,
    is_short: bool,
    seconds_short: u32,
    is_relieving: Arc<AtomicBool>,
    reading: Reading,
    passed: Passed,
    failures: u64,
    writing: Writing,
    /// That clients cannot be told apart was said.
    has_warned: bool,
    /// That the state's working copy was given up, or its folder is too large, was said.
    has_problem: bool,
}

/// How writing the state goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    Fine,
    Slow,
    Lost,
}

/// Something that is done every so often.
struct Due {
    every: Duration,
    last: Instant,
}

impl Due {
    fn new(every: Duration) -> Due {
        Due { every, last: Instant::now() }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.last) >= self.every;
        if is_due {
            self.last = now;
        }
        is_due
    }
}

impl House {
    fn new(daemon: Arc<Daemon>) -> House {
        let config = daemon.config();
        House {
            checkpoint: Due::new(config.state.checkpoint),
            export: Due::new(config.state.export),
            health: Due::new(HEALTH),
            stats: Due::new(STATS),
            is_short: false,
            seconds_short: 0,
            is_relieving: Arc::default(),
            reading: Reading::default(),
            passed: Passed::default(),
            failures: 0,
            writing: Writing::Fine,
            has_warned: false,
            has_problem: false,
            daemon,
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.daemon.sinks.tick().iter().for_each(|note| warn!("{note}"));
        self.keep_within_memory();
        if self.checkpoint.is_due(now) && self.daemon.checkpointer.is_ready() {
            let is_whole = self.export.is_due(now);
            let leave = if is_whole { Leave::Whole } else { Leave::Delta };
            if is_whole {
                self.write_endpoints();
            }
            let daemon = Arc::clone(&self.daemon);
            self.with_judge(move |judge| {
                daemon.checkpointer.submit(judge.cut(leave));
            });
        }
        let progress = self.daemon.checkpointer.progress();
        if progress.failures > self.failures
            && let Some((_, problem)) = &progress.last_error
        {
            warn!("the state could not be written: {problem}; trying again at the next checkpoint");
        }
        self.failures = progress.failures;
        if let Some(problem) = progress.problem.as_ref().filter(|_| !self.has_problem) {
            warn!("the state: {problem}");
        }
        self.has_problem = progress.problem.is_some();
        self.watch_checkpoints();
        if self.health.is_due(now) {
            self.judge_health();
        }
        if self.stats.is_due(now) {
            self.write_stats();
        }
    }

    /// What is not written for long is said once, and when it is written again; what never will be, too.
    fn watch_checkpoints(&mut self) {
        let checkpointer = &self.daemon.checkpointer;
        let waiting = checkpointer.waiting();
        let writing = match () {
            _ if checkpointer.is_lost() => Writing::Lost,
            _ if waiting >= LONGEST_WRITE => Writing::Slow,
            _ => Writing::Fine,
        };
        if std::mem::replace(&mut self.writing, writing) == writing {
            return;
        }
        match writing {
            Writing::Fine => info!("checkpoints are written again"),
            Writing::Slow => {
                warn!("a checkpoint is not written for {} s; is the disk slow, or gone?", waiting.as_secs());
            }
            Writing::Lost => {
                error!("the thread that writes the state was lost: nothing is saved any more; restart the sensor");
            }
        }
    }

    /// Load is shed at the limit. What was freed is given back before, then what is known let go of, or nothing but memory
    /// would be won: a step each second.
    fn keep_within_memory(&mut self) {
        let limit = self.daemon.memory_limit.load(Ordering::Relaxed);
        let mut resident = memory::resident_bytes().unwrap_or(0);
        if limit > 0 && resident >= limit / 100 * SHORT_PERCENT {
            memory::give_back();
            resident = memory::resident_bytes().unwrap_or(resident);
        }
        self.daemon.board.set_reading(|reading| reading.resident_bytes = resident);
        if limit == 0 || resident < limit / 100 * ENOUGH_PERCENT {
            self.is_short = false;
        }
        if limit == 0 || resident < limit / 100 * SHORT_PERCENT {
            self.seconds_short = 0;
            return;
        }
        // What a checkpoint takes for a moment is no shortage.
        self.seconds_short += 1;
        if self.seconds_short < SECONDS_SHORT && resident < limit {
            return;
        }
        if !std::mem::replace(&mut self.is_short, true) {
            warn!(
                "memory is short: {} of {} MiB (`limits.memory_mib`); clients, principals and pairs that are new or were not seen \
                 for longest are forgotten",
                resident >> 20,
                limit >> 20
            );
        }
        // Not another step before the last was taken: the judge may be busy.
        if !self.is_relieving.swap(true, Ordering::Relaxed) {
            let is_relieving = Arc::clone(&self.is_relieving);
            self.with_judge(move |judge| {
                judge.relieve();
                memory::give_back();
                is_relieving.store(false, Ordering::Relaxed);
            });
        }
    }

    fn judge_health(&mut self) {
        let (reading, judged) = (self.daemon.board.reading(), self.daemon.board.judged());
        let (now, passed) = (Instant::now(), Passed::of(&reading, &judged));
        let (_, lately) = self.daemon.board.lately(now, &passed);
        let blindness = blindness(lately.forwarded, lately.wire.transactions);
        if let Some(blindness) = blindness.filter(|_| !std::mem::replace(&mut self.has_warned, true)) {
            warn!("{blindness}");
        }
        let window = passed.since(&self.passed);
        let health = health_of((&self.reading, &reading), window, lately);
        self.daemon.board.note_passed(now, passed.clone());
        let sinks = Arc::clone(&self.daemon.sinks);
        self.with_judge(move |judge| {
            let findings = sensor::judge(&health, judge.rules());
            judge.tell(health.now, findings).iter().for_each(|alert| sinks.alert(alert));
        });
        (self.reading, self.passed) = (reading, passed);
    }

    fn write_stats(&self) {
        let (reading, judged) = (self.daemon.board.reading(), self.daemon.board.judged());
        let Some(now) = reading.newest else { return };
        if !self.daemon.config().alert.events.contains(&EventType::Stats) {
            return;
        }
        let counters = super::metrics::counters_of(&reading, &judged);
        let counters = counters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut line = Vec::new();
        write_line(&EveRecord::new(now, EventType::Stats, StatsDetail { counters }), &mut line);
        self.daemon.sinks.line(EventType::Stats, &line);
    }

    /// The inventory, as often as all of the state is written, where it is wanted.
    fn write_endpoints(&self) {
        let Some(now) = self.daemon.board.reading().newest else { return };
        if self.daemon.config().alert.events.contains(&EventType::Endpoint) {
            let mut lines = Vec::new();
            endpoint_records(&self.daemon.store, now).iter().for_each(|record| write_line(record, &mut lines));
            self.daemon.sinks.line(EventType::Endpoint, &lines);
        }
    }

    /// When the run is over there is nobody left to do it, and no need.
    fn with_judge(&self, deed: impl FnOnce(&mut Judge) + Send + 'static) {
        let _ = self.daemon.between.run(deed);
    }
}

/// What happened between two looks, and lately.
fn health_of((before, reading): (&Reading, &Reading), window: Passed, lately: Passed) -> Health {
    let sum = |reading: &Reading, of: fn(&crate::capture::live::InterfaceStatistics) -> u64| {
        reading.interfaces.iter().map(of).sum::<u64>()
    };
    let received = sum(reading, |interface| interface.received) - sum(before, |interface| interface.received);
    let dropped = sum(reading, |interface| interface.dropped) - sum(before, |interface| interface.dropped);
    Health {
        now: reading.newest.unwrap_or_else(super::suppressions::now),
        silence: reading.silence,
        window: window.wire,
        lately: lately.wire,
        frames: received.saturating_sub(dropped),
        frames_dropped: dropped,
        left_out: (!reading.shedding.is_none()).then(|| reading.shedding.to_string()),
        clock_jump: (reading.jumps > before.jumps).then_some(reading.last_jump),
        interfaces_lost: lost(reading),
    }
}

fn lost(reading: &Reading) -> Vec<String> {
    reading.interfaces.iter().filter(|interface| !interface.is_open).map(|interface| interface.name.clone()).collect()
}
