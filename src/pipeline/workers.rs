//! Reader and workers: segments to partitions, marks to all, harvests to the judge.

use super::batch::{Batch, Gathered, Gatherer, Pool};
use super::judge::{Judge, Verdict};
use super::partition::{Harvest, Limits, Partition, Redact, Scanners};
use super::shedding::Shedding;
use super::{GRACE, Mark, Wanted, open_at};
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
    #[error("a reader thread ended unexpectedly; this is a defect, please report it with the message above")]
    ReaderLost,
    #[error("the run is over")]
    Over,
    #[error(
        "a thread cannot be started: {0}; raise the limit of processes (ulimit -u, TasksMax), or take fewer --threads"
    )]
    Thread(std::io::Error),
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// What takes the judge's verdicts, and may look at the judge: the sinks.
pub type Deliver = Box<dyn FnMut(&Judge, Verdict) -> std::io::Result<()> + Send>;

enum ToWorker {
    Batch(Batch),
    Mark(Mark),
    Shed(Shedding),
    Finish(Mark),
}

/// What the judge's thread receives: harvests, and deeds that are done between two windows.
enum ToJudge {
    Report(Box<Report>),
    Between(Deed),
}

type Deed = Box<dyn FnOnce(&mut Judge) + Send>;

/// Lets others do something with the judge between two windows, such as a checkpoint or a change of rules.
#[derive(Clone)]
pub struct Between(SyncSender<ToJudge>);

impl Between {
    /// Does it as soon as the judge is free; workers go on meanwhile. Fails when the run is over.
    pub fn run(&self, deed: impl FnOnce(&mut Judge) + Send + 'static) -> Result<(), Failure> {
        self.0.send(ToJudge::Between(Box::new(deed))).map_err(|_| Failure::Over)
    }
}

enum Mode {
    /// Everything in the reader's thread.
    Inline { partitions: Vec<Partition>, judge: Box<Judge>, deliver: Deliver, next: Arc<Snapshot> },
    Threads {
        workers: Vec<WorkerHandle>,
        pool: Arc<Pool>,
        between: Between,
        judge: JoinHandle<(Box<Judge>, Deliver, Result<(), std::io::Error>)>,
    },
}

struct WorkerHandle {
    queue: SyncSender<ToWorker>,
    batch: Batch,
    thread: JoinHandle<()>,
}

impl WorkerHandle {
    fn send(&self, pool: &Pool, batch: Batch) -> Result<(), Failure> {
        pool.sent();
        self.queue.send(ToWorker::Batch(batch)).map_err(|_| Failure::WorkerLost)
    }

    /// Sends what was gathered here, and gathers in another batch.
    fn send_batch(&mut self, pool: &Pool) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.batch, pool.take());
        self.send(pool, full)
    }
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
    /// Threads beside the reader's, and one more for the judge; 0: everything in the reader's thread.
    pub workers: usize,
    /// Whether the end of the capture closes the incidents that are open.
    pub close_incidents: bool,
}

impl Pipeline {
    pub fn start(options: &PipelineOptions, judge: Judge, deliver: Deliver) -> Result<Pipeline, Failure> {
        let snapshot = judge.snapshot();
        let new = |scanners: &Scanners| {
            let (snapshot, scanners) = (Arc::clone(&snapshot), Arc::clone(scanners));
            Partition::new(options.key, options.limits.clone(), options.wanted, options.redact, snapshot, scanners)
        };
        let mode = if options.workers == 0 {
            let scanners = Scanners::default();
            let partitions = (0..PARTITIONS).map(|_| new(&scanners)).collect();
            Mode::Inline { partitions, judge: Box::new(judge), deliver, next: Arc::clone(&snapshot) }
        } else {
            threads(options, judge, deliver, new)?
        };
        Ok(Pipeline { mode, newest: Timestamp::MIN, open: None, marks: 0 })
    }

    /// A frame was read: time passes. Call it before the frame's segment is given.
    pub fn time(&mut self, time: Timestamp) -> Result<(), Failure> {
        if time <= self.newest {
            return Ok(());
        }
        self.newest = time;
        let (watermark, window) = (time.saturating_sub(GRACE), open_at(time));
        match self.open {
            None => self.open = Some(window),
            Some(open) if window > open => {
                self.open = Some(window);
                let mark = Mark { number: self.marks, through: window - 1, now: watermark, is_rewind: false };
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
            Mode::Threads { workers, pool, .. } => {
                let count = workers.len();
                let worker = &mut workers[partition % count];
                worker.batch.push(segment);
                if worker.batch.is_full() {
                    worker.send_batch(pool)?;
                }
            }
        }
        Ok(())
    }

    /// What gathers segments for [`Pipeline::gathered`], in a thread of its own.
    pub fn gatherer(&self) -> Gatherer {
        match &self.mode {
            Mode::Inline { .. } => Gatherer::new(Arc::default(), 1),
            Mode::Threads { workers, pool, .. } => Gatherer::new(Arc::clone(pool), workers.len()),
        }
    }

    /// Gives what was gathered to the partitions. Call [`Pipeline::time`] before.
    pub fn gathered(&mut self, gathered: Gathered) -> Result<(), Failure> {
        let mut batches = gathered.0.into_iter().enumerate().filter(|(_, batch)| !batch.is_empty());
        match &mut self.mode {
            Mode::Inline { partitions, .. } => {
                for (_, batch) in batches {
                    batch.iter().for_each(|segment| partitions[segment.partition()].segment(&segment));
                }
                Ok(())
            }
            Mode::Threads { workers, pool, .. } => {
                batches.try_for_each(|(worker, batch)| workers[worker].send(pool, batch))
            }
        }
    }

    /// How full the workers' queues are, from 0 to 1. At 1 the next batch has to wait.
    pub fn backlog(&self) -> f64 {
        match &self.mode {
            Mode::Inline { .. } => 0.0,
            Mode::Threads { workers, pool, .. } => pool.under_way() as f64 / (workers.len() * QUEUE) as f64,
        }
    }

    /// From here on the workers do less, or all again.
    pub fn shed(&mut self, shedding: Shedding) -> Result<(), Failure> {
        match &mut self.mode {
            Mode::Inline { partitions, .. } => partitions.iter_mut().for_each(|partition| partition.shed(shedding)),
            Mode::Threads { workers, .. } => {
                for worker in workers {
                    worker.queue.send(ToWorker::Shed(shedding)).map_err(|_| Failure::WorkerLost)?;
                }
            }
        }
        Ok(())
    }

    /// The way to the judge between two windows; nothing where it has no thread of its own.
    pub fn between(&self) -> Option<Between> {
        match &self.mode {
            Mode::Inline { .. } => None,
            Mode::Threads { between, .. } => Some(between.clone()),
        }
    }

    /// Time of the newest frame.
    pub fn newest(&self) -> Option<Timestamp> {
        (self.newest != Timestamp::MIN).then_some(self.newest)
    }

    /// The clock was set back: closes every window, forgets what is recent, and begins anew.
    pub fn rewind(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let through = open.max(window_of(self.newest));
        let mark = Mark { number: self.marks, through, now: self.newest, is_rewind: true };
        self.marks += 1;
        self.newest = Timestamp::MIN;
        self.mark(mark)
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
                deliver(judge, verdict)?;
            }
            Mode::Threads { workers, pool, .. } => {
                for worker in workers {
                    worker.send_batch(pool)?;
                    worker.queue.send(ToWorker::Mark(mark)).map_err(|_| Failure::WorkerLost)?;
                }
                pool.trim();
            }
        }
        Ok(())
    }

    /// The capture is over. Gives the judge back, and the first failure of the output.
    pub fn finish(self, close_incidents: bool) -> Result<(Judge, Deliver), Failure> {
        let through =
            self.open.unwrap_or(0).max(if self.newest == Timestamp::MIN { 0 } else { window_of(self.newest) });
        let now = if self.newest == Timestamp::MIN { start_of(through) } else { self.newest };
        let mark = Mark { number: self.marks, through, now, is_rewind: false };
        match self.mode {
            Mode::Inline { mut partitions, mut judge, mut deliver, .. } => {
                let mut harvest = Harvest::default();
                for partition in &mut partitions {
                    harvest.merge(partition.finish(&mark));
                }
                let verdict = judge.finish(&mark, harvest, close_incidents);
                deliver(&judge, verdict)?;
                Ok((*judge, deliver))
            }
            Mode::Threads { workers, judge, between, pool } => {
                drop(between);
                for mut worker in workers {
                    let sent = worker.send_batch(&pool).is_ok() && worker.queue.send(ToWorker::Finish(mark)).is_ok();
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

fn threads(
    options: &PipelineOptions,
    judge: Judge,
    deliver: Deliver,
    new: impl Fn(&Scanners) -> Partition,
) -> Result<Mode, Failure> {
    let pool = Arc::<Pool>::default();
    let (to_judge, reports) = sync_channel(options.workers * 2);
    let between = Between(to_judge.clone());
    let mut snapshots: Vec<Sender<Arc<Snapshot>>> = Vec::new();
    let mut workers = Vec::new();
    for worker in 0..options.workers {
        let scanners = Scanners::default();
        let partitions: Vec<Option<Partition>> =
            (0..PARTITIONS).map(|index| (index % options.workers == worker).then(|| new(&scanners))).collect();
        let (queue, work) = sync_channel(QUEUE);
        let (to_worker, from_judge) = channel();
        snapshots.push(to_worker);
        let (to_judge, for_worker) = (to_judge.clone(), Arc::clone(&pool));
        let thread = spawn(format!("worker-{worker}"), move || {
            run_worker(partitions, &work, &for_worker, &to_judge, &from_judge)
        })?;
        workers.push(WorkerHandle { queue, batch: Batch::default(), thread });
    }
    drop(to_judge);
    let close_incidents = options.close_incidents;
    let count = options.workers;
    let judge =
        spawn("judge".to_owned(), move || run_judge(judge, deliver, &reports, &snapshots, count, close_incidents))?;
    Ok(Mode::Threads { workers, pool, between, judge })
}

/// A thread with a name, by which tools and metrics show it.
fn spawn<T: Send + 'static>(name: String, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Failure> {
    std::thread::Builder::new().name(name).spawn(work).map_err(Failure::Thread)
}

fn run_worker(
    mut partitions: Vec<Option<Partition>>,
    work: &Receiver<ToWorker>,
    pool: &Pool,
    to_judge: &SyncSender<ToJudge>,
    snapshots: &Receiver<Arc<Snapshot>>,
) {
    while let Ok(message) = work.recv() {
        match message {
            ToWorker::Batch(batch) => {
                for segment in batch.iter() {
                    if let Some(partition) = &mut partitions[segment.partition()] {
                        partition.segment(&segment);
                    }
                }
                pool.done(batch);
            }
            ToWorker::Mark(mark) => {
                let mut harvest = Harvest::default();
                for partition in partitions.iter_mut().flatten() {
                    harvest.merge(partition.mark(&mark));
                }
                // Without a judge there is nobody to work for.
                if to_judge.send(ToJudge::Report(Box::new(Report { mark, harvest, is_last: false }))).is_err() {
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
            ToWorker::Shed(shedding) => {
                partitions.iter_mut().flatten().for_each(|partition| partition.shed(shedding));
            }
            ToWorker::Finish(mark) => {
                let mut harvest = Harvest::default();
                for partition in partitions.iter_mut().flatten() {
                    harvest.merge(partition.finish(&mark));
                }
                let _ = to_judge.send(ToJudge::Report(Box::new(Report { mark, harvest, is_last: true }))); // nobody left to tell
                return;
            }
        }
    }
}

fn run_judge(
    judge: Judge,
    mut deliver: Deliver,
    reports: &Receiver<ToJudge>,
    snapshots: &[Sender<Arc<Snapshot>>],
    workers: usize,
    close_incidents: bool,
) -> (Box<Judge>, Deliver, Result<(), std::io::Error>) {
    let mut judge = Box::new(judge);
    let mut output = Ok(());
    let mut gathered: std::collections::BTreeMap<u64, (usize, Harvest)> = std::collections::BTreeMap::new();
    while let Ok(message) = reports.recv() {
        let report = match message {
            ToJudge::Report(report) => report,
            ToJudge::Between(deed) => {
                deed(&mut judge);
                continue;
            }
        };
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
            output = deliver(&judge, verdict);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Incidents;
    use crate::baseline::{Store, StoreLimits};
    use crate::capture::FrameSource;
    use crate::packet::{Decoder, PacketLimits};
    use crate::pipeline::JudgeOptions;
    use crate::simulate::{self, Level, Scenario};
    use std::time::Duration;

    fn started(workers: usize, deliver: Deliver) -> Pipeline {
        let key = HashKey::new([7; 16]);
        let judge_options = JudgeOptions {
            rules: Arc::new(crate::rule::Ruleset::default()),
            settings: Arc::new(crate::api::Settings::default()),
            store: Arc::new(Store::default()),
            limits: StoreLimits::default(),
            learn: None,
            is_frozen: false,
        };
        let options = PipelineOptions {
            key,
            limits: Limits::default(),
            wanted: Wanted::default(),
            redact: |target, _| target.to_string(),
            workers,
            close_incidents: true,
        };
        let judge = Judge::new(key, judge_options, Vec::new(), Incidents::new(key));
        Pipeline::start(&options, judge, deliver).unwrap()
    }

    /// The marks of all that is told of a credential stuffing while so much is left out.
    fn marks_of_a_stuffing(shedding: Shedding) -> Vec<Vec<String>> {
        let mut capture = tempfile::NamedTempFile::new().unwrap();
        let attack = simulate::Options {
            scenarios: vec![(Scenario::CredentialStuffing, Level::Easy)],
            duration: Duration::from_secs(600),
            rate: 1.0,
            quiet_first: Duration::ZERO,
            ..simulate::Options::default()
        };
        simulate::generate(&attack, &mut capture, &mut std::io::sink()).unwrap();
        let (told, marks) = std::sync::mpsc::channel();
        let deliver: Deliver = Box::new(move |_, verdict| {
            verdict.alerts.into_iter().for_each(|alert| told.send(alert.apitap.marks).unwrap());
            Ok(())
        });
        let mut pipeline = started(0, deliver);
        pipeline.shed(shedding).unwrap();
        let mut frames = crate::capture::open(capture.path()).unwrap();
        let mut decoder = Decoder::new(HashKey::new([7; 16]), PacketLimits::default());
        while let Some(frame) = frames.next().unwrap() {
            pipeline.time(frame.time).unwrap();
            if let Some(segment) = decoder.decode(&frame) {
                pipeline.segment(&segment).unwrap();
            }
        }
        drop(pipeline.finish(true).unwrap());
        marks.try_iter().collect()
    }

    #[test]
    fn what_is_told_while_something_is_left_out_says_so() {
        let whole = marks_of_a_stuffing(Shedding::NONE);
        assert!(!whole.is_empty() && whole.iter().all(Vec::is_empty), "{whole:?}");
        let shed = marks_of_a_stuffing(Shedding::NONE.more().more());
        assert!(!shed.is_empty() && shed.iter().all(|marks| marks == &["shed"]), "{shed:?}");
    }
}
