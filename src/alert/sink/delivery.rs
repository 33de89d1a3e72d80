//! A sink beside the log: a queue on disk, and a thread that carries what is in it to where it belongs.
//!
//! Records in, which return at once; a [`Carrier`] sends them in order, as many at a time as it likes. What it could not
//! send is tried again after a pause that doubles, with jitter, without end; what the other side refuses for good is given
//! up and counted. A sink that fails says so once, and once more when it works again.

use super::queue::{Batch, Queue};
use super::settings::Fsync;
use super::{SinkError, SinkStatistics};
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Bytes of records that are sent at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Carries records to one destination.
pub(super) trait Carrier: Send {
    /// `syslog`, `webhook`, `stdout`: the name of its queue's folder.
    fn kind(&self) -> &'static str;
    /// The destination, for messages.
    fn name(&self) -> String;
    /// Records that are sent at a time.
    fn batch(&self) -> usize;
    /// Sends records, EVE lines without their line feed. All of them have arrived, as far as the protocol lets one know,
    /// or none may have.
    fn carry(&mut self, records: &[Vec<u8>]) -> Result<(), Failure>;
}

pub(super) enum Failure {
    /// Worth trying again.
    Later(String),
    /// The other side does not want these records, whenever they come.
    Refused(String),
}

pub(super) struct Delivery {
    kind: &'static str,
    fsync: Fsync,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    inner: Mutex<Inner>,
    wake: Condvar,
}

struct Inner {
    queue: Queue,
    statistics: SinkStatistics,
    notes: Vec<String>,
    is_failing: bool,
    /// Set at the end: till when to go on.
    until: Option<Instant>,
    is_done: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner) // each step leaves it whole
    }

    /// Waits to be woken, at most so long.
    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, span: Duration) -> MutexGuard<'a, Inner> {
        self.wake.wait_timeout(inner, span).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Delivery {
    pub fn start(
        carrier: Box<dyn Carrier>,
        folder: &Path,
        bound: u64,
        fsync: Fsync,
    ) -> Result<(Delivery, Vec<String>), SinkError> {
        let (queue, notes) = Queue::open(folder, bound);
        let kind = carrier.kind();
        let inner = Inner {
            queue,
            statistics: SinkStatistics::default(),
            notes: Vec::new(),
            is_failing: false,
            until: None,
            is_done: false,
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), wake: Condvar::new() });
        let carried = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("sink-{kind}"))
            .spawn(move || {
                deliver(carrier, &carried);
                carried.lock().is_done = true;
                carried.wake.notify_all();
            })
            .map_err(SinkError::Thread)?;
        Ok((Delivery { kind, fsync, shared, thread }, notes))
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn push(&self, record: &[u8]) {
        let mut inner = self.shared.lock();
        inner.queue.push(record);
        let unsynced = if self.fsync == Fsync::Always { inner.queue.unsynced() } else { None };
        drop(inner);
        self.shared.wake.notify_all();
        if let Some(file) = unsynced {
            self.note_unsynced(file.sync_data());
        }
    }

    /// Once a second: forces the queue to the disk. What people are to be told.
    pub fn tick(&self) -> Vec<String> {
        let mut inner = self.shared.lock();
        inner.queue.settle();
        let unsynced = if self.fsync == Fsync::Never { None } else { inner.queue.unsynced() };
        drop(inner);
        if let Some(file) = unsynced {
            self.note_unsynced(file.sync_data());
        }
        std::mem::take(&mut self.shared.lock().notes)
    }

    pub fn statistics(&self) -> SinkStatistics {
        let inner = self.shared.lock();
        let mut statistics = inner.statistics.clone();
        statistics.queued = inner.queue.len();
        statistics.dropped += inner.queue.dropped();
        if let Some(trouble) = inner.queue.trouble() {
            statistics.last_error = Some(format!("the queue is in memory only: {trouble}"));
        }
        statistics
    }

    /// The thread may go on till then.
    pub fn stop(&self, until: Instant) {
        self.shared.lock().until = Some(until);
        self.shared.wake.notify_all();
    }

    /// Waits for the thread, not much longer than it may go on: one that hangs in a call ends with the process.
    pub fn finish(self, until: Instant) -> Vec<String> {
        let mut inner = self.shared.lock();
        while !inner.is_done
            && let Some(left) = until.checked_duration_since(Instant::now())
        {
            inner = self.shared.wait(inner, left);
        }
        inner.queue.settle();
        let (is_done, left, unsynced) = (inner.is_done, inner.queue.len(), inner.queue.unsynced());
        let mut notes = std::mem::take(&mut inner.notes);
        drop(inner);
        if let Some(Err(error)) = unsynced.map(|file| file.sync_data()) {
            notes.push(format!("the queue of {} cannot be forced to the disk: {error}", self.kind));
        }
        if left > 0 {
            notes.push(format!("{left} alerts for {} wait in its queue for the next start", self.kind));
        }
        if is_done {
            let _ = self.thread.join(); // a panic was printed already
        }
        notes
    }

    fn note_unsynced(&self, synced: std::io::Result<()>) {
        if let Err(error) = synced {
            self.shared.lock().statistics.last_error = Some(format!("the queue cannot be forced to the disk: {error}"));
        }
    }
}

fn deliver(mut carrier: Box<dyn Carrier>, shared: &Shared) {
    let mut pause = FIRST_PAUSE;
    // After a refusal records go one by one, so that one does not take others with it.
    let mut singly = 0;
    while let Some(batch) = next_batch(shared, if singly > 0 { 1 } else { carrier.batch() }) {
        let count = batch.records.len();
        let outcome = carrier.carry(&batch.records);
        let mut inner = shared.lock();
        match outcome {
            Ok(()) => {
                pause = FIRST_PAUSE;
                singly = usize::saturating_sub(singly, count);
                inner.queue.acknowledge(&batch, count);
                inner.statistics.sent += count as u64;
                if std::mem::replace(&mut inner.is_failing, false) {
                    let left = inner.queue.len();
                    inner.notes.push(format!("{} takes alerts again; {left} wait for it", carrier.name()));
                }
            }
            Err(Failure::Refused(message)) if count > 1 => {
                inner.statistics.failed += 1;
                inner.statistics.last_error = Some(message);
                singly = count;
            }
            Err(Failure::Refused(message)) => {
                singly = usize::saturating_sub(singly, 1);
                inner.queue.acknowledge(&batch, 1);
                inner.statistics.failed += 1;
                inner.statistics.dropped += 1;
                inner.notes.push(format!("{} refuses an alert for good: {message}; it is in the log", carrier.name()));
                inner.statistics.last_error = Some(message);
            }
            Err(Failure::Later(message)) => {
                inner.statistics.failed += 1;
                if !std::mem::replace(&mut inner.is_failing, true) {
                    let name = carrier.name();
                    inner.notes.push(format!("{name} takes no alerts: {message}; they wait, and are tried again"));
                }
                inner.statistics.last_error = Some(message);
                if inner.until.is_some() {
                    return; // at the end one more try is worth while, and not a second one
                }
                let end = Instant::now() + with_jitter(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
                while inner.until.is_none()
                    && let Some(left) = end.checked_duration_since(Instant::now())
                {
                    inner = shared.wait(inner, left);
                }
            }
        }
    }
}

/// The next records to send, as soon as there are any. None at the end.
fn next_batch(shared: &Shared, most: usize) -> Option<Batch> {
    const LONG: Duration = Duration::from_secs(3600);
    /// What cannot be read for now is tried again.
    const UNREADABLE: Duration = Duration::from_secs(1);
    let mut inner = shared.lock();
    loop {
        if inner.until.is_some_and(|until| inner.queue.is_empty() || Instant::now() >= until) {
            return None;
        }
        if !inner.queue.is_empty() {
            let batch = inner.queue.oldest(most, BATCH_BYTES);
            if !batch.records.is_empty() {
                return Some(batch);
            }
        }
        let pause = if inner.queue.is_empty() { LONG } else { UNREADABLE };
        inner = shared.wait(inner, pause);
    }
}

/// Between half and all of a span, so that many sensors do not come back to one server at the same moment.
fn with_jitter(span: Duration) -> Duration {
    let chance = std::hash::RandomState::new().build_hasher().finish();
    span / 2 + span.mul_f64((chance % 1024) as f64 / 2048.0)
}
