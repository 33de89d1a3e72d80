//! The reader of an interface or a pipe, in a thread of its own: frames in, parcels of decoded segments out.
//!
//! It filters, decapsulates, and gathers a batch for each worker; a [`Parcel`] of them goes to the dispatcher, over a queue with a
//! bound, when a batch is full, when nothing more is there, and before a frame of another time. It looks at a clock to ask the
//! kernel what it dropped, and to open again an interface that was lost. What it counts is in its [`Desk`].

use super::excerpts::Recorder;
use super::privileges::Privileges;
use crate::capture::live::{self, BLOCK_WAIT, Change, InterfaceStatistics, LiveSource};
use crate::capture::pipe::{PipeSource, Polled};
use crate::capture::{Filter, Frame, is_stop_requested};
use crate::packet::{Decoder, PacketCounters};
use crate::pipeline::{Gathered, Gatherer, may_go_together};
use crate::time::Timestamp;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often it looks at itself.
const LOOK: Duration = Duration::from_millis(50);
/// How often the kernel is asked what it dropped.
pub const ASK_KERNEL: Duration = Duration::from_millis(500);

/// Frames that are handed on together at most: those without a segment fill no batch.
const MOST_FRAMES: u32 = 4 * live::TURN as u32;

/// Where frames come from.
pub enum Feed {
    Interface(LiveSource),
    Pipe(PipeSource),
}

/// Segments on their way to the workers, of frames whose times lie close together.
pub struct Parcel {
    /// Time of the newest frame.
    pub newest: Timestamp,
    /// Frames, of which some hold no segment.
    pub frames: u32,
    pub segments: Gathered,
}

/// What a reader has seen so far.
#[derive(Clone, Default)]
pub struct Seen {
    pub packets: PacketCounters,
    pub filtered_out: u64,
    /// Of a pipe: nothing.
    pub interface: Option<InterfaceStatistics>,
    /// When that was: a reader that hangs leaves nothing.
    pub at: Option<Instant>,
}

/// Where a reader leaves what it has seen.
pub type Desk = Arc<Mutex<Seen>>;

pub struct Reader {
    pub feed: Feed,
    pub filter: Option<Filter>,
    pub decoder: Decoder,
    /// Keeps frames for excerpts, where they are wanted.
    pub recorder: Option<Recorder>,
    pub privileges: Privileges,
    pub parcels: Parcels,
    pub desk: Desk,
}

/// What is gathered until it is sent.
pub struct Parcels {
    gatherer: Gatherer,
    newest: Timestamp,
    frames: u32,
    queue: SyncSender<Parcel>,
    /// Nobody takes them any more.
    is_over: bool,
}

/// Starts a thread for each.
pub fn start(readers: Vec<Reader>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |(number, reader): (usize, Reader)| {
        std::thread::Builder::new().name(format!("reader-{number}")).spawn(|| reader.run())
    };
    readers.into_iter().enumerate().map(start).collect()
}

impl Reader {
    /// Reads until it is asked to stop, a pipe ends, or nobody takes what it reads.
    fn run(mut self) {
        let (mut looked_at, mut asked_at) = (Instant::now(), Instant::now());
        let mut filtered_out = 0;
        self.look(filtered_out, true);
        while !is_stop_requested() && !self.parcels.is_over {
            let Some(given) = self.turn(&mut filtered_out) else { break };
            if given < live::TURN {
                self.parcels.send();
            }
            let now = Instant::now();
            if now.duration_since(looked_at) >= LOOK {
                looked_at = now;
                let asks = now.duration_since(asked_at) >= ASK_KERNEL;
                if asks {
                    asked_at = now;
                }
                self.look(filtered_out, asks);
                if let Some(recorder) = &mut self.recorder {
                    recorder.tick(now);
                }
            }
        }
        self.parcels.send();
        self.look(filtered_out, true);
    }

    /// One turn of the source: how many frames there were; nothing when there will be no more.
    fn turn(&mut self, filtered_out: &mut u64) -> Option<usize> {
        let Reader { feed, filter, decoder, recorder, parcels, .. } = self;
        let each = |frame: Frame<'_>| {
            if let Some(recorder) = recorder {
                recorder.frame(&frame);
            }
            if filter.as_mut().is_some_and(|filter| !filter.matches(&frame)) {
                *filtered_out += 1;
            } else {
                parcels.frame(&frame, decoder);
            }
        };
        match feed {
            Feed::Interface(source) => {
                let given = source.poll(BLOCK_WAIT, each);
                for change in source.take_changes() {
                    match change {
                        Change::Lost { name, reason } => warn!("interface {name} is gone: {reason}; waiting for it"),
                        Change::Back { name } => info!("capturing on {name}"),
                    }
                }
                Some(given)
            }
            Feed::Pipe(source) => {
                let polled = source.poll(BLOCK_WAIT, each);
                source.take_errors().iter().for_each(|error| warn!("{error}"));
                match polled {
                    Polled::Frames(count) => Some(count),
                    Polled::Nothing => Some(0),
                    Polled::Ended => None,
                }
            }
        }
    }

    /// Leaves what it has seen on its desk, and looks after its interface.
    fn look(&mut self, filtered_out: u64, asks_kernel: bool) {
        let statistics = match &mut self.feed {
            Feed::Interface(source) if asks_kernel => {
                source.look_at_link();
                if source.is_lost() {
                    self.privileges.raised(|| source.reopen());
                }
                Some(source.statistics())
            }
            _ => None,
        };
        let mut seen = self.desk.lock().unwrap_or_else(PoisonError::into_inner); // figures are whole at any time
        seen.packets = self.decoder.counters.clone();
        seen.filtered_out = filtered_out;
        seen.interface = statistics.or(seen.interface.take());
        seen.at = Some(Instant::now());
    }
}

impl Parcels {
    pub fn new(gatherer: Gatherer, queue: SyncSender<Parcel>) -> Parcels {
        Parcels { gatherer, newest: Timestamp::MIN, frames: 0, queue, is_over: false }
    }

    fn frame(&mut self, frame: &Frame<'_>, decoder: &mut Decoder) {
        if self.frames > 0 && !may_go_together(self.newest, frame.time) {
            self.send();
        }
        self.newest = if self.frames == 0 { frame.time } else { self.newest.max(frame.time) };
        self.frames += 1;
        let is_full = decoder.decode(frame).is_some_and(|segment| self.gatherer.push(&segment));
        if is_full || self.frames >= MOST_FRAMES {
            self.send();
        }
    }

    /// Hands on what was gathered; waits while the queue is full.
    fn send(&mut self) {
        if self.frames > 0 {
            let parcel = Parcel { newest: self.newest, frames: self.frames, segments: self.gatherer.take() };
            self.is_over |= self.queue.send(parcel).is_err();
            self.frames = 0;
        }
    }
}
