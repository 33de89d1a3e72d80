//! The daemon: all stages around live traffic, with what keeps it running for a year.
//!
//! In go a configuration and interfaces or a pipe; out come alerts, by the sinks, and figures, for whoever asks. Refused,
//! before anything is read: a configuration, rules or descriptions that are not valid, interfaces that are not there or
//! not allowed, a state folder that is in use.
//!
//! Threads: the dispatcher is the caller's; each interface has its reader; workers and judge are the pipeline's; `housekeeping` wakes each second for
//! checkpoints, health and rotation; the network side (`network`: signals, control socket, metrics) is one thread of tokio, the
//! only one. Nothing of these is on the path of the packets.

mod board;
mod clock;
mod confine;
mod control;
mod dispatcher;
mod endpoints;
mod excerpts;
mod graphite;
mod housekeeping;
pub mod incidents;
mod lines;
mod memory;
mod metrics;
mod network;
mod overload;
mod privileges;
mod reader;
mod status;
mod suppressions;
mod threads;
mod visitors;

pub use control::{Reply, Request, ask};
pub use memory::{give_freed_memory_back_soon, resident_bytes};
pub use status::{InterfaceStatus, READY_AFTER, SinkStatus, Status};
pub use suppressions::{Added, Suppressions};

use crate::alert::record::EventType;
use crate::alert::sink::Sinks;
use crate::alert::{Incidents, told_since};
use crate::baseline::persist::{Probe, Progress};
use crate::baseline::{Checkpointer, Cut, Leave, Singles, State};
use crate::capture::live::{self, LiveError, LiveOptions};
use crate::capture::pipe::PipeSource;
use crate::capture::{CaptureError, Filter, FilterError, for_kernel, is_named_pipe};
use crate::config::{Config, ConfigError};
use crate::packet::Decoder;
use crate::pipeline::{Between, Failure, Judge, JudgeOptions, Limits, Pipeline, PipelineOptions, Verdict, Wanted};
use crate::rule::{RuleError, Ruleset};
use crate::time::Timestamp;
use board::Board;
use clock::EventClock;
use dispatcher::Dispatcher;
use excerpts::{Bounds, Excerpts, Recorder};
use lines::LinesInOrder;
use privileges::{PrivilegeError, Privileges};
use reader::{Desk, Feed, Parcels, Reader};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// What the sinks get to send what waits, when the daemon ends.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a checkpoint may take to be written at the end, one that is under way and the last: seconds at a million clients,
/// else far less. The unit allows for both.
const LAST_WRITE: Duration = Duration::from_secs(40);
/// Parcels of each reader that wait for the dispatcher.
const PARCELS: usize = 2;
/// Event time that lines of transactions wait for an older one to end.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rules(#[from] RuleError),
    #[error(transparent)]
    OpenApi(#[from] crate::api::openapi::OpenApiError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    #[error(transparent)]
    State(#[from] crate::baseline::StateError),
    #[error(transparent)]
    Sinks(#[from] crate::alert::sink::SinkError),
    #[error("{0}")]
    Network(String),
    #[error("a thread cannot be started: {0}; raise the limit of processes (ulimit -u, TasksMax)")]
    Thread(#[from] io::Error),
    #[error(transparent)]
    Pipeline(#[from] Failure),
}

/// What to run, beside the configuration.
pub struct Options {
    pub config: Config,
    /// Where it was read from: a reload reads it again.
    pub config_file: Option<PathBuf>,
    /// Captures come through this pipe instead of from interfaces.
    pub pipe: Option<PathBuf>,
    pub threads: usize,
    /// How a database that may be damaged is tried first.
    pub probe: Probe,
}

/// Rules and settings as the configuration, the files it names and the suppressions of operators have them.
pub(crate) struct Ruling {
    pub rules: Arc<Ruleset>,
    pub settings: Arc<crate::api::Settings>,
    pub notes: Vec<String>,
}

impl Ruling {
    pub fn load(config: &Config, added: &[crate::rule::Suppression]) -> Result<Ruling, ServiceError> {
        let mut rules = Ruleset::load(config.rules.folder.as_deref())?;
        config.apply(&mut rules);
        rules.suppressions.extend(added.iter().cloned());
        let (settings, notes) = config.settings(&rules, &[])?;
        Ok(Ruling { rules: Arc::new(rules), settings: Arc::new(settings), notes })
    }
}

/// What the threads of a running daemon share.
pub(crate) struct Daemon {
    pub key: crate::hash::HashKey,
    pub board: Board,
    pub sinks: Arc<Sinks>,
    pub store: Arc<crate::baseline::Store>,
    pub between: Between,
    pub checkpointer: Checkpointer,
    pub config: Mutex<Config>,
    pub config_file: Option<PathBuf>,
    pub suppressions: suppressions::Suppressions,
    pub memory_limit: AtomicU64,
    /// Which endpoints have metrics of their own.
    pub told: Mutex<endpoints::Told>,
}

/// Checks that a daemon could start: everything but what only starting shows.
pub fn check(options: &Options) -> Result<(), ServiceError> {
    let ruling = Ruling::load(&options.config, &[])?;
    ruling.notes.iter().for_each(|note| warn!("{note}"));
    compiled(&options.config)?;
    open_feeds(options)?;
    Ok(())
}

/// Runs until it is asked to stop, or its pipe ends.
pub fn run(options: Options) -> Result<(), ServiceError> {
    let config = options.config.clone();
    compiled(&config)?;
    Ruling::load(&config, &[])?; // what is not valid is said before anything is touched
    let feeds = open_feeds(&options)?;
    let privileges = give_up_rights(&config)?;
    let mut notes = Vec::new();
    let mut state = State::open(&config.state.folder, options.probe)?;
    state.bound(config.state.max_disk_mib << 20);
    // At once: what was put aside is there to be told of once.
    state.notes().iter().for_each(|note| warn!("{note}"));
    let recovered = state.recover()?;
    if recovered.left_out > 0 {
        notes.push(format!("{} records of the state could not be understood and were left out", recovered.left_out));
    }
    let (sinks, said) = Sinks::open(&config.sinks(), &config.state.folder)?;
    notes.extend(said);
    let suppressions = suppressions::Suppressions::open(&config.state.folder, &mut notes);
    let ruling = Ruling::load(&config, &suppressions.active())?;
    notes.extend(ruling.notes.iter().cloned());
    notes.iter().for_each(|note| warn!("{note}"));

    let key = state.key();
    let store = Arc::new(recovered.store);
    let not_before = recovered.singles.newest;
    let judge = judge_that_goes_on(&config, ruling, &state, recovered.singles, &store, &sinks);
    let sinks = Arc::new(sinks);
    let pipeline_options = PipelineOptions {
        key,
        limits: Limits::of(&config),
        wanted: Wanted { http: config.alert.events.contains(&EventType::Http) },
        redact: config.privacy.redact.function(),
        workers: options.threads,
        close_incidents: false,
    };
    let judged = Arc::new(Mutex::new(board::Judged::default()));
    let (recorder, excerpts) = record(&config)?.unzip();
    let deliver = deliver(Arc::clone(&sinks), Arc::clone(&judged), excerpts, config.state.folder.clone());
    let pipeline = Pipeline::start(&pipeline_options, judge, deliver)?;
    let Some(between) = pipeline.between() else { return Err(ServiceError::Pipeline(Failure::Over)) };
    let daemon = Arc::new(Daemon {
        key,
        board: Board::new(judged),
        sinks,
        store: Arc::clone(&store),
        between,
        checkpointer: Checkpointer::start(state, store)?,
        memory_limit: AtomicU64::new(memory::limit(config.limits.memory_mib)),
        config: Mutex::new(config.clone()),
        config_file: options.config_file,
        suppressions,
        told: Mutex::default(),
    });
    let network = network::start(&daemon, &config)?;
    let housekeeper = housekeeping::start(Arc::clone(&daemon))?;
    announce(&config, options.pipe.as_deref());
    let (queue, parcels) = sync_channel(feeds.len() * PARCELS);
    let decoder = Decoder::new(key, config.packet_limits()).with(config.tunnels());
    let clock = EventClock::new(options.pipe.is_none());
    let mut readers = Vec::new();
    for feed in feeds {
        readers.push(Reader {
            feed,
            filter: compiled(&config)?,
            decoder: decoder.beside(),
            recorder: recorder.as_ref().map(Recorder::beside),
            privileges,
            parcels: Parcels::new(pipeline.gatherer(), queue.clone()),
            desk: Desk::default(),
        });
    }
    drop(queue); // theirs are left: when the last one ends, so does reading
    let desks = readers.iter().map(|reader| Arc::clone(&reader.desk)).collect();
    let readers = reader::start(readers)?;
    let dispatcher = Dispatcher {
        readers,
        parcels,
        desks,
        pipeline,
        clock,
        board: &daemon.board,
        not_before,
        memory_limit: &daemon.memory_limit,
    };
    let read = dispatcher.run();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]); // without systemd there is nobody to tell
    info!("ending: closing windows, writing the state");
    housekeeper.stop();
    network.stop();
    let finished = read.and_then(|(pipeline, ended)| Ok((pipeline.finish(false)?, ended)));
    let (last, ended) = match finished {
        Ok(((judge, _), ended)) => (Some(judge.cut(Leave::Whole)), ended),
        Err(failure) => (None, Err(failure)),
    };
    finish(daemon, last);
    info!("ended");
    ended?;
    Ok(())
}

/// Keeps the rights that it needs: to capture, and to write where it writes. Folders that are not there are made.
fn give_up_rights(config: &Config) -> Result<Privileges, ServiceError> {
    // What it writes to, each with the mode with which it is made.
    let log = real_file(&config.alert.file);
    let mut folders: Vec<(&Path, u32)> = vec![(&config.state.folder, 0o700)];
    // Of a link and of what it leads to: the one is renamed when the log is rotated, the other written.
    folders
        .extend([folder_of(&config.alert.file), folder_of(&log)].into_iter().flatten().map(|folder| (folder, 0o750)));
    folders.extend(config.service.socket.as_deref().and_then(folder_of).map(|folder| (folder, 0o755)));
    let mut notes = Vec::new();
    let paths: Vec<&Path> = folders.iter().map(|(folder, _)| *folder).collect();
    let privileges = Privileges::reduce(config.service.user.as_deref(), &paths, &mut notes)?;
    if config.service.confine {
        notes.extend(confine::confine(&folders));
    }
    notes.iter().for_each(|note| warn!("{note}"));
    Ok(privileges)
}

/// The judge, where it stood at the last checkpoint.
fn judge_that_goes_on(
    config: &Config,
    ruling: Ruling,
    state: &State,
    singles: Singles,
    store: &Arc<crate::baseline::Store>,
    sinks: &Sinks,
) -> Judge {
    let options = JudgeOptions {
        rules: ruling.rules,
        settings: ruling.settings,
        store: Arc::clone(store),
        limits: config.store_limits(),
        learn: (state.is_new() || singles.learn_until.is_some()).then_some(config.learning.duration),
        is_frozen: false,
    };
    let mut incidents = Incidents::new(state.key());
    if !singles.incidents.is_empty()
        && let Err(error) = incidents.restore(&singles.incidents)
    {
        warn!("the open incidents of the state cannot be read and start anew: {error}");
    }
    if !state.is_new() {
        go_on_with_told(&mut incidents, sinks, &config.alert.file, singles.judged.or(singles.newest));
    }
    let learned = singles.learned.iter_sorted().map(|(host, prefix)| (host.to_string(), prefix.to_string())).collect();
    let mut judge = Judge::new(state.key(), options, learned, incidents);
    judge.resume(singles);
    judge
}

/// The folder that a file is, or will be, in.
fn folder_of(file: &Path) -> Option<&Path> {
    file.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// The file itself, where its name is a link to it, be it there yet or not.
fn real_file(file: &Path) -> PathBuf {
    let linked = || std::fs::read_link(file).map(|to| folder_of(file).unwrap_or(Path::new(".")).join(to));
    std::fs::canonicalize(file).or_else(|_| linked()).unwrap_or_else(|_| file.to_owned())
}

/// A kill may have come between an alert and the checkpoint that would know of it: the log does. Between the log and the queues of
/// other sinks it may have come once, at the last alert.
fn go_on_with_told(incidents: &mut Incidents, sinks: &Sinks, log: &Path, judged: Option<Timestamp>) {
    let Some(judged) = judged else { return };
    match told_since(log, judged) {
        Ok(told) => match incidents.catch_up(&told) {
            0 => {}
            count => {
                info!("{count} alerts were told after the state was saved; their incidents go on");
                told.last().into_iter().for_each(|alert| sinks.again(alert));
            }
        },
        Err(error) => warn!("{}: what was told last cannot be read: {error}; incidents may open again", log.display()),
    }
}

fn compiled(config: &Config) -> Result<Option<Filter>, FilterError> {
    config.capture.filter.as_deref().map(Filter::compile).transpose()
}

/// What is to be read, each by a reader of its own.
fn open_feeds(options: &Options) -> Result<Vec<Feed>, ServiceError> {
    let capture = &options.config.capture;
    if let Some(path) = &options.pipe {
        must_be_capture(path)?;
        return Ok(vec![Feed::Pipe(PipeSource::open(path)?)]);
    }
    let interfaces = live::open_all(LiveOptions {
        interfaces: capture.interfaces.clone(),
        buffer_bytes: u32::try_from(capture.buffer_mib << 20).unwrap_or(u32::MAX),
        snaplen: capture.snaplen,
        promiscuous: capture.promiscuous,
        filter: capture.filter.as_deref().and_then(for_kernel),
    })?;
    Ok(interfaces.into_iter().map(Feed::Interface).collect())
}

/// What is no pipe can be looked at before: a daemon that ends at once, and well, is not noticed.
fn must_be_capture(path: &Path) -> Result<(), ServiceError> {
    if path != Path::new("-") && !is_named_pipe(path) {
        crate::capture::open(path)?;
    }
    Ok(())
}

/// Where frames are to be kept for excerpts.
fn record(config: &Config) -> io::Result<Option<(Recorder, Excerpts)>> {
    if !config.alert.pcap_excerpt {
        return Ok(None);
    }
    let folder = config.alert.file.parent().unwrap_or(Path::new(".")).join("excerpts");
    let bounds = Bounds { bytes: config.alert.excerpt_mib << 20, age: config.privacy.retention };
    excerpts::start(folder, bounds, config.tunnels()).map(Some)
}

fn announce(config: &Config, pipe: Option<&Path>) {
    match pipe {
        Some(pipe) => info!("reading captures from {}", pipe.display()),
        None => info!("capturing on {}", config.capture.interfaces.join(", ")),
    }
    info!("alerts go to {}", config.alert.file.display());
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]); // without systemd there is nobody to tell
}

/// What the judge's thread does with each verdict: alerts and lines to the sinks, figures to the board, and a sign of
/// life to systemd: it comes from the end of the path of the packets, so that nothing on it can hang unseen.
fn deliver(
    sinks: Arc<Sinks>,
    judged: Arc<Mutex<board::Judged>>,
    excerpts: Option<Excerpts>,
    folder: PathBuf,
) -> crate::pipeline::Deliver {
    let mut lines_in_order = LinesInOrder::within(folder);
    Box::new(move |judge: &Judge, verdict: Verdict| {
        for alert in &verdict.alerts {
            sinks.alert(alert);
            excerpts.iter().for_each(|excerpts| excerpts.alert(alert));
        }
        let before = verdict.settled.max(verdict.now.saturating_sub(PATIENCE));
        let lines = lines_in_order.pass(verdict.lines, before);
        if !lines.is_empty() {
            sinks.line(EventType::Http, &lines);
        }
        let mut figures = judged.lock().unwrap_or_else(PoisonError::into_inner);
        figures.counters = judge.counters().clone();
        figures.tally = judge.tally();
        figures.open_incidents = judge.incidents().open_count();
        figures.open_by_severity = judge.incidents().open_by_severity();
        figures.windows += 1;
        figures.alerts += verdict.alerts.len() as u64;
        figures.now = Some(verdict.now);
        figures.at = Some(Instant::now());
        figures.learn_until = judge.learn_until();
        figures.keys_evicted = judge.keys_evicted();
        figures.late_windows = judge.late_windows();
        figures.learned_parameters = judge.inventory().learned().len();
        drop(figures);
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]); // without systemd there is nobody to tell
        Ok(())
    })
}

/// Gives everything up in order: what waits is sent, written or kept. A disk that hangs keeps no alert from the sinks.
fn finish(daemon: Arc<Daemon>, last: Option<Cut>) {
    // The threads have ended; one that answers a client may still hold it for a moment.
    let until = Instant::now() + LAST_WORDS;
    while Arc::strong_count(&daemon) > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    match Arc::try_unwrap(daemon) {
        Ok(daemon) => {
            match Arc::try_unwrap(daemon.sinks) {
                Ok(sinks) => sinks.finish(LAST_WORDS).iter().for_each(|note| warn!("{note}")),
                Err(_) => warn!("the sinks are still in use: what waits is kept for the next start"),
            }
            let is_taken = hand_over(&daemon.checkpointer, last);
            let (is_written, progress) = daemon.checkpointer.end(LAST_WRITE);
            tell_of_the_last(&progress, is_taken && is_written);
        }
        Err(daemon) => {
            warn!(
                "a client of the control socket is still being answered; what waits for sinks is kept for the next start"
            );
            let is_written = hand_over(&daemon.checkpointer, last) && daemon.checkpointer.wait(LAST_WRITE);
            tell_of_the_last(&daemon.checkpointer.progress(), is_written);
        }
    }
}

/// Hands over the last cut once the one before is written; false where that takes too long.
fn hand_over(checkpointer: &Checkpointer, last: Option<Cut>) -> bool {
    last.is_none_or(|last| checkpointer.wait(LAST_WRITE) && checkpointer.submit(last))
}

fn tell_of_the_last(progress: &Progress, is_written: bool) {
    if let Some((_, problem)) = progress.last_error.as_ref().filter(|_| progress.failures > 0) {
        error!("the state could not be written: {problem}");
    } else if !is_written {
        error!("the last checkpoint was not written: what was learned since the one before is lost; is the disk slow?");
    }
}

impl Daemon {
    pub fn config(&self) -> Config {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads configuration, rules and descriptions again and takes them over, or says why not and changes nothing. Gives
    /// what was taken over, in words.
    pub fn reload(&self) -> Result<String, ServiceError> {
        // Held to the end: of two at once the later one must not bring what the earlier one read.
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Config::load(self.config_file.as_deref())?;
        let ruling = Ruling::load(&new, &self.suppressions.active())?;
        let differences = config.adopt(new);
        let mut said = vec!["rules, suppressions and OpenAPI descriptions were read again".to_string()];
        said.extend(ruling.notes.iter().cloned());
        if !differences.reloadable.is_empty() {
            said.push(format!("taken over: {}", differences.reloadable.join(", ")));
        }
        if !differences.needs_restart.is_empty() {
            said.push(format!("need a restart: {}", differences.needs_restart.join(", ")));
        }
        self.memory_limit.store(memory::limit(config.limits.memory_mib), Ordering::Relaxed);
        self.between.run(move |judge| judge.adopt(ruling.rules, ruling.settings))?;
        Ok(said.join("; "))
    }
}
