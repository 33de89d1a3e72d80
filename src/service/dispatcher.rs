//! The dispatcher of a daemon: parcels of all readers into the pipeline, until they end.
//!
//! On the way to the judge it alone looks at a clock that is not of the frames: to let time pass while none come, to see the
//! clock jump, to tell when the workers fall behind. What it sees goes to the [`Board`].

use super::board::Board;
use super::clock::{EventClock, LIMIT, Step};
use super::overload::Overload;
use super::reader::{ASK_KERNEL, Desk, Parcel};
use crate::capture::live::BLOCK_WAIT;
use crate::capture::request_stop;
use crate::packet::PacketCounters;
use crate::pipeline::{Failure, Judge, Pipeline};
use crate::time::Timestamp;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// How often it looks at itself.
const LOOK: Duration = Duration::from_millis(50);
/// How long a reader may leave nothing on its desk, which it does several times a second, before it is taken to hang.
const HANGS: Duration = Duration::from_secs(2);

pub struct Dispatcher<'d> {
    pub readers: Vec<JoinHandle<()>>,
    pub parcels: Receiver<Parcel>,
    /// Of each reader, in the order of the interfaces.
    pub desks: Vec<Desk>,
    pub pipeline: Pipeline,
    pub clock: EventClock,
    pub board: &'d Board,
    /// What was learned is newer than frames before this.
    pub not_before: Option<Timestamp>,
    /// Bytes of memory at which less is looked at; 0: none.
    pub memory_limit: &'d AtomicU64,
}

/// How far it is.
#[derive(Default)]
struct Progress {
    newest: Option<Timestamp>,
    lag: Option<Duration>,
    /// Frames that the kernel dropped so far, and when that was last seen to grow.
    dropped: u64,
    dropped_at: Option<Instant>,
}

impl Dispatcher<'_> {
    /// Goes on until no reader is left. Gives the pipeline back, and whether all of them ended well.
    pub fn run(mut self) -> Result<(Pipeline, Result<(), Failure>), Failure> {
        let started = Instant::now();
        let mut overload = Overload::new(started);
        let mut progress = Progress::default();
        let mut looked_at = started;
        loop {
            let parcel = self.parcels.recv_timeout(LOOK);
            let now = Instant::now();
            match parcel {
                Ok(parcel) => self.take(parcel, &mut progress, now)?,
                Err(RecvTimeoutError::Timeout) => {
                    // What was captured just now may be held back for so long. While a reader hangs nobody knows what waits: then no
                    // window ends, and there is no sign of life.
                    if let Some(time) = self.clock.idle(now).filter(|_| self.all_read(now)) {
                        self.pipeline.time(time.saturating_sub(2 * BLOCK_WAIT))?;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let passed = now.duration_since(looked_at);
            if passed < LOOK {
                continue;
            }
            looked_at = now;
            if self.pipeline.newest().is_none() && self.all_read(now) {
                // Until the first frame there are no windows whose end is a sign of life.
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]); // without systemd: nobody to tell
            }
            if self.readers.iter().any(JoinHandle::is_finished) {
                request_stop(); // one that ended before its time takes the others with it
            }
            let limit = self.memory_limit.load(Ordering::Relaxed);
            let is_short = limit > 0 && self.board.reading().resident_bytes >= limit;
            let backlog = self.pipeline.backlog();
            let has_dropped = progress.dropped_at.is_some_and(|at| now.duration_since(at) < ASK_KERNEL);
            if let Some(shedding) = overload.look(backlog, has_dropped || is_short, now) {
                self.pipeline.shed(shedding)?;
                if shedding.is_none() {
                    info!("back to normal: {shedding}");
                } else {
                    warn!("too much comes: {shedding}");
                }
            }
            self.report(&mut progress, &overload, backlog, passed, started);
        }
        self.report(&mut progress, &overload, 0.0, Duration::ZERO, started);
        let ended = self.readers.into_iter().try_for_each(JoinHandle::join);
        Ok((self.pipeline, ended.map_err(|_| Failure::ReaderLost)))
    }

    /// Whether every reader was at its desk lately.
    fn all_read(&self, now: Instant) -> bool {
        self.desks.iter().all(|desk| {
            let at = desk.lock().unwrap_or_else(PoisonError::into_inner).at; // figures are whole at any time
            at.is_some_and(|at| now.saturating_duration_since(at) < HANGS)
        })
    }

    fn take(&mut self, mut parcel: Parcel, progress: &mut Progress, now: Instant) -> Result<(), Failure> {
        // Of a state that is newer, what is recent says nothing about now.
        if let Some(not_before) = self.not_before.take()
            && parcel.newest < not_before.saturating_sub(LIMIT)
            && let Some(between) = self.pipeline.between()
        {
            between.run(Judge::forget_recent)?;
        }
        match self.clock.frames(parcel.newest, parcel.frames, now) {
            Step::Stray => parcel.segments.set_time(progress.newest.unwrap_or(parcel.newest)),
            step => {
                if let Step::Jump(seconds) = step {
                    self.tell_jump(seconds);
                    if seconds < 0 {
                        self.pipeline.rewind()?;
                    }
                }
                self.pipeline.time(parcel.newest)?;
                progress.newest = Some(parcel.newest);
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let newest = Duration::from_nanos(u64::try_from(parcel.newest.0).unwrap_or(0));
                progress.lag = Some(wall.saturating_sub(newest));
            }
        }
        self.pipeline.gathered(parcel.segments)
    }

    fn tell_jump(&self, seconds: i64) {
        let way = if seconds < 0 { "back" } else { "forward" };
        warn!("the frames' time went {way} by {} s", seconds.unsigned_abs());
        self.board.set_reading(|reading| {
            reading.jumps += 1;
            reading.last_jump = seconds;
        });
    }

    fn report(&self, progress: &mut Progress, overload: &Overload, backlog: f64, passed: Duration, started: Instant) {
        let now = Instant::now();
        let (mut packets, mut filtered_out, mut interfaces) = (PacketCounters::default(), 0, Vec::new());
        for desk in &self.desks {
            let seen = desk.lock().unwrap_or_else(PoisonError::into_inner); // figures are whole at any time
            packets.add(&seen.packets);
            filtered_out += seen.filtered_out;
            interfaces.extend(seen.interface.clone());
        }
        let dropped = interfaces.iter().map(|interface| interface.dropped).sum();
        if dropped > std::mem::replace(&mut progress.dropped, dropped) {
            progress.dropped_at = Some(now);
        }
        self.board.set_reading(|reading| {
            reading.packets = packets;
            reading.filtered_out = filtered_out;
            reading.interfaces = interfaces;
            let shedding = overload.shedding();
            reading.shed_times += u64::from(reading.shedding.is_none() && !shedding.is_none());
            reading.shed_seconds += if shedding.is_none() { 0.0 } else { passed.as_secs_f64() };
            reading.shedding = shedding;
            reading.backlog = backlog;
            reading.silence = self.clock.silence(now, started);
            reading.newest = self.pipeline.newest();
            reading.lag = progress.lag;
        });
    }
}
