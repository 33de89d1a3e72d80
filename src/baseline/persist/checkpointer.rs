//! The thread that brings cuts to the disk.
//!
//! Cuts in, by a queue of [`QUEUE`]; what became of them out, in [`Progress`], for whoever asks. Nobody waits for it: a
//! cut that finds the queue full, or that cannot be written, is handed back to the store, so that the next one says all
//! that it said; and what it was to leave is still owed. Who wants to be sure that a cut is written, or to read what is,
//! waits for it ([`Checkpointer::wait`], [`Checkpointer::look`]).

use super::{Cut, Leave, State};
use crate::baseline::store::Store;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Cuts that wait: one is written, one comes. More would only take memory.
const QUEUE: usize = 1;
/// Pause between two looks at whether a cut is written.
const POLL: Duration = Duration::from_millis(10);

/// What became of the cuts.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub checkpoints: u64,
    /// Of deltas and whole exports.
    pub bytes_written: u64,
    pub last_success: Option<SystemTime>,
    /// Of a checkpoint, with its time; it stays until the next one.
    pub last_error: Option<(SystemTime, String)>,
    /// Checkpoints that failed since the last success.
    pub failures: u64,
    /// Cuts that found the queue full.
    pub skipped: u64,
    /// The longest that a cut held up the judge, and the longest that writing one took.
    pub longest_cut: Duration,
    pub longest_write: Duration,
    /// As [`Written::problem`](super::Written::problem) says.
    pub problem: Option<String>,
}

#[derive(Default)]
struct Shared {
    progress: Progress,
    /// Cuts that are waiting or being written.
    under_way: usize,
    /// Since when the first of them is being written, or waits for it.
    waits_since: Option<Instant>,
    owed: Option<Leave>,
}

pub struct Checkpointer {
    cuts: Option<SyncSender<Cut>>,
    thread: Option<JoinHandle<()>>,
    state: Arc<Mutex<State>>,
    shared: Arc<Mutex<Shared>>,
    store: Arc<Store>,
}

impl Checkpointer {
    /// Takes over a state, whose records came from or go into the store.
    pub fn start(state: State, store: Arc<Store>) -> std::io::Result<Checkpointer> {
        let (cuts, queue) = sync_channel(QUEUE);
        let shared = Arc::<Mutex<Shared>>::default();
        let state = Arc::new(Mutex::new(state));
        let thread = {
            let (state, shared, store) = (Arc::clone(&state), Arc::clone(&shared), Arc::clone(&store));
            std::thread::Builder::new()
                .name("checkpoints".to_string())
                .spawn(move || write_cuts(&state, &queue, &shared, &store))?
        };
        Ok(Checkpointer { cuts: Some(cuts), thread: Some(thread), state, shared, store })
    }

    /// Whether a cut would be taken: else making one is work for nothing.
    pub fn is_ready(&self) -> bool {
        locked(&self.shared).under_way <= QUEUE
    }

    /// Hands over a cut; false where the queue is full. Never waits.
    pub fn submit(&self, cut: Cut) -> bool {
        let mut shared = locked(&self.shared);
        shared.progress.longest_cut = shared.progress.longest_cut.max(cut.took);
        let Some(cuts) = &self.cuts else { return false }; // only while it is dropped
        match cuts.try_send(cut) {
            Ok(()) => {
                shared.under_way += 1;
                shared.waits_since.get_or_insert_with(Instant::now);
                true
            }
            Err(refused) => {
                let cut = match refused {
                    std::sync::mpsc::TrySendError::Full(cut) | std::sync::mpsc::TrySendError::Disconnected(cut) => cut,
                };
                cut.hand_back(&self.store);
                shared.owed = shared.owed.max(Some(cut.leave));
                shared.progress.skipped += 1;
                false
            }
        }
    }

    pub fn progress(&self) -> Progress {
        locked(&self.shared).progress.clone()
    }

    /// Waits until what was handed over is written, or could not be; false if that takes longer, or never comes.
    pub fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while locked(&self.shared).under_way > 0 {
            if Instant::now() >= until || self.is_lost() {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// Whether the thread ended before its time: nothing will be written any more.
    pub fn is_lost(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// How long the cut that is being written takes so far.
    pub fn waiting(&self) -> Duration {
        locked(&self.shared).waits_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Looks at the state between two cuts; the next one waits for it. None where the thread was lost while writing.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> Option<T> {
        self.state.lock().ok().map(|state| look(&state))
    }

    /// Waits for what was handed over, and tells whether all of it is written, and what became of it. A thread that takes
    /// longer is left to itself.
    pub fn end(mut self, patience: Duration) -> (bool, Progress) {
        let is_written = self.wait(patience);
        if !is_written {
            self.thread = None;
        }
        (is_written, self.progress())
    }

    /// Writes what was handed over, and gives the state back; none where the thread was lost.
    pub fn finish(mut self) -> Option<State> {
        self.cuts = None;
        self.thread.take()?.join().ok()?;
        let state = Arc::clone(&self.state);
        drop(self);
        Arc::try_unwrap(state).ok()?.into_inner().ok()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.cuts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a thread that panicked has said so
        }
    }
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner) // numbers are whole at any time
}

fn write_cuts(state: &Mutex<State>, queue: &Receiver<Cut>, shared: &Mutex<Shared>, store: &Store) {
    while let Ok(mut cut) = queue.recv() {
        cut.leave = locked(shared).owed.take().map_or(cut.leave, |owed| owed.max(cut.leave));
        let started = Instant::now();
        // Nobody else changes it: it is whole even where who looked at it panicked.
        let result = state.lock().unwrap_or_else(PoisonError::into_inner).checkpoint(&cut);
        if result.is_err() {
            cut.hand_back(store);
        }
        let mut shared = locked(shared);
        shared.under_way -= 1;
        shared.waits_since = (shared.under_way > 0).then(Instant::now);
        if result.is_err() {
            shared.owed = shared.owed.max(Some(cut.leave));
        }
        let progress = &mut shared.progress;
        progress.longest_write = progress.longest_write.max(started.elapsed());
        match result {
            Ok(written) => {
                progress.checkpoints += 1;
                progress.bytes_written += written.delta.bytes + written.whole.map_or(0, |whole| whole.bytes);
                progress.last_success = Some(SystemTime::now());
                progress.failures = 0;
                progress.problem = written.problem;
            }
            Err(error) => {
                progress.failures += 1;
                progress.last_error = Some((SystemTime::now(), error.to_string()));
            }
        }
    }
}
