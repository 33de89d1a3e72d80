//! Batches of segments on their way from a reader to a worker: copied once, into one buffer.
//!
//! Batches go round between readers and workers by way of a [`Pool`]. A reader with a thread of its own fills one for each
//! worker, in a [`Gatherer`], and hands on what it [`Gathered`].

use crate::packet::{Control, Direction, FlowKey, Segment, TcpFlags};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Segments and payload bytes after which a batch is sent.
const BATCH_SEGMENTS: usize = 1024;
const BATCH_BYTES: usize = 512 << 10;

struct Packed {
    time: Timestamp,
    flow: FlowKey,
    hash: u64,
    direction: Direction,
    sequence: u32,
    acknowledgement: u32,
    flags: TcpFlags,
    control: Control,
    end: u32,
    cut: u32,
}

#[derive(Default)]
pub struct Batch {
    segments: Vec<Packed>,
    bytes: Vec<u8>,
}

impl Batch {
    pub fn push(&mut self, segment: &Segment<'_>) {
        self.bytes.extend_from_slice(segment.payload);
        self.segments.push(Packed {
            time: segment.time,
            flow: segment.flow,
            hash: segment.hash,
            direction: segment.direction,
            sequence: segment.sequence,
            acknowledgement: segment.acknowledgement,
            flags: segment.flags,
            control: segment.control,
            end: self.bytes.len() as u32,
            cut: segment.cut,
        });
    }

    pub fn is_full(&self) -> bool {
        self.segments.len() >= BATCH_SEGMENTS || self.bytes.len() >= BATCH_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    fn clear(&mut self) {
        self.segments.clear();
        self.bytes.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut start = 0usize;
        self.segments.iter().map(move |packed| {
            let end = packed.end as usize;
            let payload = self.bytes.get(start..end).unwrap_or(&[]);
            start = end;
            Segment {
                time: packed.time,
                flow: packed.flow,
                hash: packed.hash,
                direction: packed.direction,
                sequence: packed.sequence,
                acknowledgement: packed.acknowledgement,
                flags: packed.flags,
                control: packed.control,
                payload,
                cut: packed.cut,
            }
        })
    }
}

/// Empty batches, and how many are being worked off.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Idle>,
    under_way: AtomicUsize,
}

#[derive(Default)]
struct Idle {
    batches: Vec<Batch>,
    /// Fewest that were here since the last mark: these were of no use.
    spare: usize,
}

impl Pool {
    /// An empty batch.
    pub fn take(&self) -> Batch {
        let mut idle = self.idle();
        let batch = idle.batches.pop();
        idle.spare = idle.spare.min(idle.batches.len());
        batch.unwrap_or_default()
    }

    /// A batch goes to a worker.
    pub fn sent(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker is through with it.
    pub fn done(&self, mut batch: Batch) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        batch.clear();
        self.idle().batches.push(batch);
    }

    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Lets go of what a stall has left and nobody needed since.
    pub fn trim(&self) {
        let mut idle = self.idle();
        let spare = idle.spare.min(idle.batches.len());
        idle.batches.drain(..spare);
        idle.spare = idle.batches.len();
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner) // a list of whole batches
    }
}

/// Fills a batch for each worker, in a reader's thread.
pub struct Gatherer {
    pool: Arc<Pool>,
    batches: Vec<Batch>,
}

/// What a reader gathered: the batch of each worker.
pub struct Gathered(pub(super) Vec<Batch>);

impl Gatherer {
    pub(super) fn new(pool: Arc<Pool>, workers: usize) -> Gatherer {
        Gatherer { pool, batches: (0..workers).map(|_| Batch::default()).collect() }
    }

    /// Whether a batch is full now: then it is time to [`Gatherer::take`] them.
    #[inline]
    pub fn push(&mut self, segment: &Segment<'_>) -> bool {
        let workers = self.batches.len();
        let batch = &mut self.batches[segment.partition() % workers];
        batch.push(segment);
        batch.is_full()
    }

    pub fn take(&mut self) -> Gathered {
        let pool = &self.pool;
        let filled =
            |batch: &mut Batch| if batch.is_empty() { Batch::default() } else { std::mem::replace(batch, pool.take()) };
        Gathered(self.batches.iter_mut().map(filled).collect())
    }
}

impl Gathered {
    /// Their times are not to be trusted: they count as of this one.
    pub fn set_time(&mut self, time: Timestamp) {
        self.0.iter_mut().flat_map(|batch| &mut batch.segments).for_each(|packed| packed.time = time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stall_left_is_let_go_of() {
        let pool = Pool::default();
        let stalled: Vec<Batch> = (0..16).map(|_| pool.take()).collect();
        stalled.iter().for_each(|_| pool.sent());
        stalled.into_iter().for_each(|batch| pool.done(batch));
        assert_eq!((pool.under_way(), pool.idle().batches.len()), (0, 16));
        for _ in 0..3 {
            let batch = pool.take();
            pool.sent();
            pool.done(batch);
            pool.trim();
        }
        assert_eq!(pool.idle().batches.len(), 1);
    }
}
