//! Reader and workers: segments to partitions, marks to all, harvests to the judge.

use super::batch::Batch;
use super::judge::{Judge, Verdict};
use super::partition::{Harvest, Limits, Partition, Redact, Scanners};
use super::{GRACE, Mark, Wanted};
use crate::api::Snapshot;
use crate::hash::HashKey;
use crate::packet::{PARTITIONS, Segment};
use crate::time::Timestamp;
use crate::window::{start_of, window_of};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Batches under way to one worker: enough to ride over an uneven moment, at half a megabyte each.
const QUEUE: usize = 8;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("a worker thread ended unexpectedly; this is a defect, please report it with the message above")]
    WorkerLost,
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// What takes the judge's verdicts: the sinks.
pub type Deliver = Box<dyn FnMut(Verdict) -> std::io::Result<()> + Send>;

enum ToWorker {
    Batch(Batch),
    Mark(Mark),
    Finish(Mark),
}

enum Mode {
    /// Everything in the reader's thread.
    Inline { partitions: Vec<Partition>, judge: Box<Judge>, deliver: Deliver, next: Arc<Snapshot> },
    Threads {
        workers: Vec<WorkerHandle>,
        returned: Receiver<Batch>,
        judge: JoinHandle<(Box<Judge>, Deliver, Result<(), std::io::Error>)>,
    },
}

struct WorkerHandle {
    queue: SyncSender<ToWorker>,
    batch: Batch,
    thread: JoinHandle<()>,
}

/// One capture on its way through all stages.
pub struct Pipeline {
    mode: Mode,
    /// Newest frame so far, and the window that is being filled.
    newest: Timestamp,
    open: Option<i64>,
    marks: u64,
}

pub struct PipelineOptions {
    pub key: HashKey,
    pub limits: Limits,
    pub wanted: Wanted,
    pub redact: Redact,
    pub threads: usize,
    /// Whether the end of the capture closes the incidents that are open.
    pub close_incidents: bool,
}

impl Pipeline {
    pub fn start(options: &PipelineOptions, judge: Judge, deliver: Deliver) -> Pipeline {
        let snapshot = judge.snapshot();
        let new = |scanners: &Scanners| {
            let (snapshot, scanners) = (Arc::clone(&snapshot), Arc::clone(scanners));
            Partition::new(options.key, options.limits, options.wanted, options.redact, snapshot, scanners)
        };
        let mode = if options.threads <= 1 {
            let scanners = Scanners::default();
            let partitions = (0..PARTITIONS).map(|_| new(&scanners)).collect();
            Mode::Inline { partitions, judge: Box::new(judge), deliver, next: Arc::clone(&snapshot) }
        } else {
            threads(options, judge, deliver, new)
        };
        Pipeline { mode, newest: Timestamp::MIN, open: None, marks: 0 }
    }

    /// A frame was read: time passes. Call it before the frame's segment is given.
    pub fn time(&mut self, time: Timestamp) -> Result<(), Failure> {
        if time <= self.newest {
            return Ok(());
        }
        self.newest = time;
        let watermark = time.saturating_sub(GRACE);
        let window = window_of(watermark);
        match self.open {
            None => self.open = Some(window),
            Some(open) if window > open => {
                self.open = Some(window);
                let mark = Mark { number: self.marks, through: window - 1, now: watermark };
                self.marks += 1;
                return self.mark(mark);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Gives a segment to the partition of its flow.
    #[inline]
    pub fn segment(&mut self, segment: &Segment<'_>) -> Result<(), Failure> {
        let partition = segment.partition();
        match &mut self.mode {
            Mode::Inline { partitions, .. } => partitions[partition].segment(segment),
            Mode::Threads { workers, returned, .. } => {
                let count = workers.len();
                let worker = &mut workers[partition % count];
                worker.batch.push(segment);
                if worker.batch.is_full() {
                    let fresh = returned.try_recv().unwrap_or_default();
                    let full = std::mem::replace(&mut worker.batch, fresh);
                    worker.queue.send(ToWorker::Batch(full)).map_err(|_| Failure::WorkerLost)?;
                }
            }
        }
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<(), Failure> {
        match &mut self.mode {
            Mode::Inline { partitions, judge, deliver, next } => {
                let mut harvest = Harvest::default();
                for partition in partitions.iter_mut() {
                    harvest.merge(partition.mark(&mark));
                    partition.read_with(Arc::clone(next));
                }
                let verdict = judge.judge(&mark, harvest);
                *next = judge.snapshot();
                deliver(verdict)?;
            }
            Mode::Threads { workers, .. } => {
                for worker in workers {
                    let full = std::mem::take(&mut worker.batch);
                    worker.queue.send(ToWorker::Batch(full)).map_err(|_| Failure::WorkerLost)?;
                    worker.queue.send(ToWorker::Mark(mark)).map_err(|_| Failure::WorkerLost)?;
                }
            }
        }
        Ok(())
    }

    /// The capture is over. Gives the judge back, and the first failure of the output.
    pub fn finish(self, close_incidents: bool) -> Result<(Judge, Deliver), Failure> {
        let through =
            self.open.unwrap_or(0).max(if self.newest == Timestamp::MIN { 0 } else { window_of(self.newest) });
        let now = if self.newest == Timestamp::MIN { start_of(through) } else { self.newest };
        let mark = Mark { number: self.marks, through, now };
        match self.mode {
            Mode::Inline { mut partitions, mut judge, mut deliver, .. } => {
                let mut harvest = Harvest::default();
                for partition in &mut partitions {
                    harvest.merge(partition.finish(&mark));
                }
                let verdict = judge.finish(&mark, harvest, close_incidents);
                deliver(verdict)?;
                Ok((*judge, deliver))
            }
            Mode::Threads { workers, judge, .. } => {
                for worker in workers {
                    let sent = worker.queue.send(ToWorker::Batch(worker.batch)).is_ok()
                        && worker.queue.send(ToWorker::Finish(mark)).is_ok();
                    drop(worker.queue);
                    if worker.thread.join().is_err() && sent {
                        return Err(Failure::WorkerLost);
                    }
                }
                let (judge, deliver, output) = judge.join().map_err(|_| Failure::WorkerLost)?;
                output?;
                Ok((*judge, deliver))
            }
        }
    }
}

/// What a worker sends the judge at a mark.
struct Report {
    mark: Mark,
    harvest: Harvest,
    is_last: bool,
}

fn threads(options: &PipelineOptions, judge: Judge, deliver: Deliver, new: impl Fn(&Scanners) -> Partition) -> Mode {
    let (give_back, returned) = channel();
    let (to_judge, reports) = sync_channel(options.threads * 2);
    let mut snapshots: Vec<Sender<Arc<Snapshot>>> = Vec::new();
    let mut workers = Vec::new();
    for worker in 0..options.threads {
        let scanners = Scanners::default();
        let partitions: Vec<Option<Partition>> =
            (0..PARTITIONS).map(|index| (index % options.threads == worker).then(|| new(&scanners))).collect();
        let (queue, work) = sync_channel(QUEUE);
        let (to_worker, from_judge) = channel();
        snapshots.push(to_worker);
        let (to_judge, give_back) = (to_judge.clone(), give_back.clone());
        let thread = std::thread::spawn(move || run_worker(partitions, &work, &give_back, &to_judge, &from_judge));
        workers.push(WorkerHandle { queue, batch: Batch::default(), thread });
    }
    drop(to_judge);
    let close_incidents = options.close_incidents;
    let count = options.threads;
    let judge = std::thread::spawn(move || run_judge(judge, deliver, &reports, &snapshots, count, close_incidents));
    Mode::Threads { workers, returned, judge }
}

fn run_worker(
    mut partitions: Vec<Option<Partition>>,
    work: &Receiver<ToWorker>,
    give_back: &Sender<Batch>,
    to_judge: &SyncSender<Report>,
    snapshots: &Receiver<Arc<Snapshot>>,
) {
    while let Ok(message) = work.recv() {
        match message {
            ToWorker::Batch(mut batch) => {
                for segment in batch.iter() {
                    if let Some(partition) = &mut partitions[segment.partition()] {
                        partition.segment(&segment);
                    }
                }
                batch.clear();
                let _ = give_back.send(batch); // the reader may have gone already
            }
            ToWorker::Mark(mark) => {
                let mut harvest = Harvest::default();
                for partition in partitions.iter_mut().flatten() {
                    harvest.merge(partition.mark(&mark));
                }
                // Without a judge there is nobody to work for.
                if to_judge.send(Report { mark, harvest, is_last: false }).is_err() {
                    return;
                }
                // The first mark is passed with the snapshot of the start; each later one with that of the mark before.
                if mark.number > 0 {
                    let Ok(snapshot) = snapshots.recv() else { return };
                    for partition in partitions.iter_mut().flatten() {
                        partition.read_with(Arc::clone(&snapshot));
                    }
                }
            }
            ToWorker::Finish(mark) => {
                let mut harvest = Harvest::default();
                for partition in partitions.iter_mut().flatten() {
                    harvest.merge(partition.finish(&mark));
                }
                let _ = to_judge.send(Report { mark, harvest, is_last: true }); // nobody left to tell
                return;
            }
        }
    }
}

fn run_judge(
    judge: Judge,
    mut deliver: Deliver,
    reports: &Receiver<Report>,
    snapshots: &[Sender<Arc<Snapshot>>],
    workers: usize,
    close_incidents: bool,
) -> (Box<Judge>, Deliver, Result<(), std::io::Error>) {
    let mut judge = Box::new(judge);
    let mut output = Ok(());
    let mut gathered: std::collections::BTreeMap<u64, (usize, Harvest)> = std::collections::BTreeMap::new();
    while let Ok(report) = reports.recv() {
        let (arrived, harvest) = gathered.entry(report.mark.number).or_default();
        *arrived += 1;
        harvest.merge(report.harvest);
        if *arrived < workers {
            continue;
        }
        let Some((_, harvest)) = gathered.remove(&report.mark.number) else { continue };
        let verdict = if report.is_last {
            judge.finish(&report.mark, harvest, close_incidents)
        } else {
            judge.judge(&report.mark, harvest)
        };
        if output.is_ok() {
            output = deliver(verdict);
        }
        if report.is_last || output.is_err() {
            break; // a worker that waits for a snapshot ends with us
        }
        let snapshot = judge.snapshot();
        for worker in snapshots {
            let _ = worker.send(Arc::clone(&snapshot)); // a worker that ended needs none
        }
    }
    (judge, deliver, output)
}
