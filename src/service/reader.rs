//! The reader of a daemon: frames from interfaces or a pipe into the pipeline, until it is asked to stop.
//!
//! On the way to the judge it alone looks at a clock that is not of the frames: to let time pass while none come, to see the
//! clock jump, to tell when the workers fall behind. What it sees of itself goes to the [`Board`].

use super::board::Board;
use super::clock::{EventClock, Step};
use super::excerpts::Recorder;
use super::overload::Overload;
use super::privileges::Privileges;
use crate::capture::live::{BLOCK_WAIT, Change, LiveSource};
use crate::capture::pipe::{PipeSource, Polled};
use crate::capture::{Filter, Frame, is_stop_requested};
use crate::packet::Decoder;
use crate::pipeline::{Failure, Pipeline};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// How often it looks at itself.
const LOOK: Duration = Duration::from_millis(50);
/// How often the kernel is asked what it dropped.
const ASK_KERNEL: Duration = Duration::from_millis(500);

/// Where frames come from.
pub enum Feed {
    Interfaces(LiveSource),
    Pipe(PipeSource),
}

pub struct Reader<'d> {
    pub feed: Feed,
    pub filter: Option<Filter>,
    pub decoder: Decoder,
    pub pipeline: Pipeline,
    /// Keeps frames for excerpts, where they are wanted.
    pub recorder: Option<Recorder>,
    pub board: &'d Board,
    pub privileges: &'d Privileges,
    /// What was learned is newer than frames before this.
    pub not_before: Option<Timestamp>,
    /// Bytes of memory at which less is looked at; 0: none.
    pub memory_limit: &'d AtomicU64,
}

/// What changes with every frame.
struct Progress {
    clock: EventClock,
    filtered_out: u64,
    failure: Result<(), Failure>,
    /// Jumps of the clock that nobody was told of, in seconds.
    jumps: Vec<i64>,
    /// Time of the last frame, and the wall's time when the turn began that gave it.
    newest: Option<Timestamp>,
    turn_at: SystemTime,
}

impl Reader<'_> {
    /// Reads until it is asked to stop, or a pipe ends. Gives the pipeline back.
    pub fn run(mut self) -> Result<Pipeline, Failure> {
        let started = Instant::now();
        let mut overload = Overload::new(started);
        let mut progress = Progress {
            clock: EventClock::new(matches!(self.feed, Feed::Interfaces(_))),
            filtered_out: 0,
            failure: Ok(()),
            jumps: Vec::new(),
            newest: None,
            turn_at: SystemTime::now(),
        };
        let (mut looked_at, mut asked_at, mut dropped, mut has_dropped) = (started, started, 0, false);
        while !is_stop_requested() {
            let now = Instant::now();
            let given = self.turn(&mut progress, now);
            std::mem::replace(&mut progress.failure, Ok(()))?;
            for seconds in progress.jumps.drain(..) {
                self.tell_jump(seconds);
            }
            match given {
                None => break,
                Some(0) => {
                    // What was captured just now may be held back for so long.
                    if let Some(time) = progress.clock.idle(now) {
                        self.pipeline.time(time.saturating_sub(2 * BLOCK_WAIT))?;
                    }
                }
                Some(_) => progress.turn_at = SystemTime::now(),
            }
            if now.duration_since(looked_at) < LOOK {
                continue;
            }
            let passed = now.duration_since(looked_at);
            looked_at = now;
            if let Some(recorder) = &mut self.recorder {
                recorder.tick(now);
            }
            if self.pipeline.newest().is_none() {
                // Until the first frame there are no windows whose end is a sign of life.
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]); // without systemd: nobody to tell
            }
            if now.duration_since(asked_at) >= ASK_KERNEL {
                asked_at = now;
                let before = std::mem::replace(&mut dropped, self.ask_kernel());
                has_dropped = dropped > before;
            }
            let limit = self.memory_limit.load(Ordering::Relaxed);
            let is_short = limit > 0 && self.board.reading().resident_bytes >= limit;
            let backlog = self.pipeline.backlog();
            if let Some(shedding) = overload.look(backlog, has_dropped || is_short, now) {
                self.pipeline.shed(shedding)?;
                if shedding.is_none() {
                    info!("back to normal: {shedding}");
                } else {
                    warn!("too much comes: {shedding}");
                }
            }
            self.report(&progress, &overload, backlog, passed, now, started);
        }
        self.report(&progress, &overload, 0.0, Duration::ZERO, Instant::now(), started);
        Ok(self.pipeline)
    }

    /// One turn of the source: how many frames there were; nothing when there will be no more.
    fn turn(&mut self, progress: &mut Progress, now: Instant) -> Option<usize> {
        let Reader { feed, filter, decoder, pipeline, recorder, not_before, .. } = self;
        let mut each = |frame: Frame<'_>| {
            if progress.failure.is_ok() {
                if let Some(recorder) = recorder {
                    recorder.frame(&frame);
                }
                progress.failure = take(frame, filter, decoder, pipeline, not_before, progress, now);
            }
        };
        match feed {
            Feed::Interfaces(source) => {
                let given = source.poll(BLOCK_WAIT, &mut each);
                for change in source.take_changes() {
                    match change {
                        Change::Lost { name, reason } => warn!("interface {name} is gone: {reason}; waiting for it"),
                        Change::Back { name } => info!("capturing on {name}"),
                    }
                }
                Some(given)
            }
            Feed::Pipe(source) => {
                let polled = source.poll(BLOCK_WAIT, &mut each);
                source.take_errors().iter().for_each(|error| warn!("{error}"));
                match polled {
                    Polled::Frames(count) => Some(count),
                    Polled::Nothing => Some(0),
                    Polled::Ended => None,
                }
            }
        }
    }

    fn tell_jump(&self, seconds: i64) {
        let way = if seconds < 0 { "back" } else { "forward" };
        warn!("the frames' time went {way} by {} s", seconds.unsigned_abs());
        self.board.set_reading(|reading| {
            reading.jumps += 1;
            reading.last_jump = seconds;
        });
    }

    /// Frames that the kernel had no room for so far.
    fn ask_kernel(&mut self) -> u64 {
        let Feed::Interfaces(source) = &mut self.feed else { return 0 };
        source.look_at_links();
        if source.is_incomplete() {
            self.privileges.raised(|| source.reopen());
        }
        let interfaces = source.statistics();
        let dropped = interfaces.iter().map(|interface| interface.dropped).sum();
        self.board.set_reading(|reading| reading.interfaces = interfaces);
        dropped
    }

    fn report(
        &mut self,
        progress: &Progress,
        overload: &Overload,
        backlog: f64,
        passed: Duration,
        now: Instant,
        started: Instant,
    ) {
        let newest = self.pipeline.newest();
        self.board.set_reading(|reading| {
            reading.packets = self.decoder.counters.clone();
            reading.filtered_out = progress.filtered_out;
            let shedding = overload.shedding();
            reading.shed_times += u64::from(reading.shedding.is_none() && !shedding.is_none());
            reading.shed_seconds += if shedding.is_none() { 0.0 } else { passed.as_secs_f64() };
            reading.shedding = shedding;
            reading.backlog = backlog;
            reading.silence = progress.clock.silence(now, started);
            reading.newest = newest;
            reading.lag = progress.newest.map(|time| {
                let wall = progress.turn_at.duration_since(UNIX_EPOCH).unwrap_or_default();
                wall.saturating_sub(Duration::from_nanos(u64::try_from(time.0).unwrap_or(0)))
            });
        });
    }
}

fn take(
    mut frame: Frame<'_>,
    filter: &mut Option<Filter>,
    decoder: &mut Decoder,
    pipeline: &mut Pipeline,
    not_before: &mut Option<Timestamp>,
    progress: &mut Progress,
    now: Instant,
) -> Result<(), Failure> {
    if let Some(filter) = filter
        && !filter.matches(&frame)
    {
        progress.filtered_out += 1;
        return Ok(());
    }
    // Of a state that is newer, what is recent says nothing about now.
    if let Some(not_before) = not_before.take()
        && frame.time < not_before.saturating_sub(super::clock::LIMIT)
        && let Some(between) = pipeline.between()
    {
        between.run(crate::pipeline::Judge::forget_recent)?;
    }
    let step = progress.clock.frame(frame.time, now);
    if let Step::Jump(seconds) = step {
        progress.jumps.push(seconds);
        if seconds < 0 {
            pipeline.rewind()?; // before the frames that follow in this turn
        }
    }
    if step == Step::Stray {
        frame.time = progress.newest.unwrap_or(frame.time);
    } else {
        pipeline.time(frame.time)?;
        progress.newest = Some(frame.time);
    }
    match decoder.decode(&frame) {
        Some(segment) => pipeline.segment(&segment),
        None => Ok(()),
    }
}
