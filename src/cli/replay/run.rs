//! Captures through the pipeline: the part of a replay that `inventory` and `evaluate` share.

use super::progress::Progress;
use crate::alert::Incidents;
use crate::api::Settings;
use crate::baseline::persist::Recovered;
use crate::baseline::{Singles, State, Store, StoreLimits};
use crate::capture::{self, CaptureError, Filter, FrameSource, MergedSource, open_all};
use crate::cli::args::{ReadingArgs, Redact};
use crate::cli::replay::threads_of;
use crate::config::Config;
use crate::hash::HashKey;
use crate::packet::{Decoder, PacketCounters, PacketLimits, Tunnels};
use crate::pipeline::{Failure, Judge, JudgeOptions, Limits, Pipeline, PipelineOptions, Verdict, Wanted};
use crate::rule::Ruleset;
use crate::time::Timestamp;
use anyhow::Context;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a run needs, whoever asks for it.
pub struct Setup {
    pub tunnels: Tunnels,
    pub packet_limits: PacketLimits,
    pub rules: Arc<Ruleset>,
    pub settings: Arc<Settings>,
    pub learn: Option<Duration>,
    pub threads: usize,
    pub limits: StoreLimits,
    pub partition: Limits,
    pub filter: Option<Filter>,
    pub redact: Redact,
    pub show_progress: bool,
    pub is_frozen: bool,
    pub store: Arc<Store>,
    pub key: Option<HashKey>,
    pub learned: Vec<(String, String)>,
    /// Until when the windows of an earlier run only teach.
    pub learn_until: Option<Timestamp>,
    /// Sums of earlier runs, by name.
    pub counters: BTreeMap<String, u64>,
    /// Open incidents of an earlier run. Where there is a state, those of this run stay open too.
    pub incidents: Option<Vec<u8>>,
    /// How rare is rare, as an earlier run learned it.
    pub odds: Vec<u8>,
    pub keeps_incidents: bool,
    /// The newest time that a state knows.
    pub newest: Option<Timestamp>,
    /// The state is newer than this: older captures are refused.
    pub not_before: Option<Timestamp>,
}

impl Setup {
    /// What arguments and a configuration say, without a state.
    pub fn of(args: &ReadingArgs, config: &Config) -> anyhow::Result<Setup> {
        let mut rules = Ruleset::load(args.rules.as_deref().or(config.rules.folder.as_deref()))?;
        config.apply(&mut rules);
        let rules = Arc::new(rules);
        Ok(Setup {
            tunnels: config.tunnels(),
            packet_limits: config.packet_limits(),
            settings: Arc::new(settings_of(config, &rules, &args.openapi)?),
            rules,
            learn: Some(args.learn.unwrap_or(config.learning.duration)),
            threads: threads_of(args.threads),
            limits: config.store_limits(),
            partition: Limits::of(config),
            filter: args.filter.as_deref().map(Filter::compile).transpose()?,
            redact: config.privacy.redact,
            show_progress: !args.no_progress,
            is_frozen: false,
            store: Arc::default(),
            key: None,
            learned: Vec::new(),
            learn_until: None,
            counters: BTreeMap::new(),
            odds: Vec::new(),
            incidents: None,
            keeps_incidents: false,
            newest: None,
            not_before: None,
        })
    }

    /// Goes on from what a state holds; what of it had to be put aside is said.
    pub fn remember(&mut self, state: &State, args: &ReadingArgs) -> anyhow::Result<()> {
        state.notes().iter().for_each(|note| crate::cli::note(note));
        let Recovered { store, singles, left_out } = state.recover()?;
        if left_out > 0 {
            crate::cli::note(&format!("{left_out} records of the state are of another apitap, and are left out"));
        }
        if !state.is_new() {
            // A state has learned already, or has begun to; an explicit --learn counts anew.
            self.learn = args.learn;
            let is_under_way = |until: &Timestamp| singles.newest.is_none_or(|newest| newest < *until);
            self.learn_until = singles.learn_until.filter(|until| args.learn.is_none() && is_under_way(until));
        }
        self.store = Arc::new(store);
        self.key = Some(state.key());
        self.learned =
            singles.learned.iter_sorted().map(|(host, prefix)| (host.to_string(), prefix.to_string())).collect();
        self.incidents = Some(singles.incidents).filter(|json| !json.is_empty());
        self.odds = singles.odds;
        self.counters = singles.counters;
        self.newest = singles.newest;
        Ok(())
    }
}

/// Who hears what the judge says.
pub trait Audience: Send {
    fn hear(&mut self, judge: &Judge, verdict: Verdict);

    /// Whether a line for each transaction is wanted.
    fn wants_transactions(&self) -> bool {
        false
    }

    /// Raised when reading on is of no use.
    fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::default()
    }
}

/// The audience, as the judge's thread and the reader's share it.
pub type Hall = Arc<Mutex<dyn Audience>>;

/// What is left when the captures are through.
pub struct Outcome {
    pub judge: Judge,
    pub packets: PacketCounters,
    pub filtered_out: u64,
    /// What could not be read, in the order it was met.
    pub errors: Vec<CaptureError>,
    pub notes: Vec<String>,
    /// Of the captures; a baseline has none.
    pub first_frame: Option<Timestamp>,
    pub last_frame: Option<Timestamp>,
    /// Where a signal or a failed output ended the reading before its time.
    pub stopped: Option<Phase>,
}

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Baseline,
    Captures,
}

/// The settings of a configuration; what there is to say about the descriptions is said.
pub fn settings_of(config: &Config, rules: &Ruleset, openapi: &[PathBuf]) -> anyhow::Result<Settings> {
    let (settings, notes) = config.settings(rules, openapi)?;
    notes.iter().for_each(|note| crate::cli::note(note));
    Ok(settings)
}

/// Runs the baselines, then the captures.
pub fn run(setup: Setup, baselines: &[PathBuf], files: &[PathBuf], audience: &Hall) -> anyhow::Result<Outcome> {
    let mut run = Run {
        filter: setup.filter,
        tunnels: setup.tunnels,
        packet_limits: setup.packet_limits,
        redact: setup.redact,
        threads: setup.threads,
        partition: setup.partition,
        show_progress: setup.show_progress,
        stop: audience.lock().map_or_else(|_| Arc::default(), |audience| audience.stop_flag()),
        audience: Arc::clone(audience),
        packets: PacketCounters::default(),
        filtered_out: 0,
        first_frame: None,
        last_frame: None,
        key: setup.key,
        errors: Vec::new(),
        notes: Vec::new(),
        judge: None,
        options: Some(JudgeOptions {
            rules: setup.rules,
            settings: setup.settings,
            store: setup.store,
            limits: setup.limits,
            learn: if baselines.is_empty() { setup.learn } else { None },
            is_frozen: setup.is_frozen,
        }),
        learned: setup.learned,
        learn_until: setup.learn_until.filter(|_| baselines.is_empty()),
        counters: setup.counters,
        incidents: setup.incidents,
        odds: setup.odds,
        keeps_incidents: setup.keeps_incidents,
        not_before: setup.not_before,
    };
    let mut stopped = None;
    if !baselines.is_empty() {
        run.capture(baselines, Phase::Baseline).context("--baseline")?;
        stopped = run.must_stop().then_some(Phase::Baseline);
    }
    if !files.is_empty() && stopped.is_none() {
        run.capture(files, Phase::Captures)?;
        stopped = run.must_stop().then_some(Phase::Captures);
    }
    let key = run.key.unwrap_or(HashKey::new([0; 16]));
    let judge = run.take_judge(key)?;
    Ok(Outcome {
        judge,
        packets: run.packets,
        filtered_out: run.filtered_out,
        errors: run.errors,
        notes: run.notes,
        first_frame: run.first_frame,
        last_frame: run.last_frame,
        stopped,
    })
}

struct Run {
    filter: Option<Filter>,
    tunnels: Tunnels,
    packet_limits: PacketLimits,
    redact: Redact,
    threads: usize,
    partition: Limits,
    show_progress: bool,
    audience: Hall,
    /// Raised by the audience when reading on is of no use.
    stop: Arc<AtomicBool>,
    packets: PacketCounters,
    filtered_out: u64,
    first_frame: Option<Timestamp>,
    last_frame: Option<Timestamp>,
    key: Option<HashKey>,
    errors: Vec<CaptureError>,
    notes: Vec<String>,
    judge: Option<Judge>,
    options: Option<JudgeOptions>,
    learned: Vec<(String, String)>,
    learn_until: Option<Timestamp>,
    counters: BTreeMap<String, u64>,
    incidents: Option<Vec<u8>>,
    odds: Vec<u8>,
    keeps_incidents: bool,
    not_before: Option<Timestamp>,
}

impl Run {
    fn take_judge(&mut self, key: HashKey) -> anyhow::Result<Judge> {
        if let Some(judge) = self.judge.take() {
            return Ok(judge);
        }
        let mut incidents = Incidents::new(key);
        if let Some(json) = self.incidents.take() {
            incidents.restore(&json).context("the open incidents of --state are damaged; use another folder")?;
        }
        // The options are there until the one judge is made of them.
        let options = self.options.take().context("the judge was lost")?;
        let mut judge = Judge::new(key, options, std::mem::take(&mut self.learned), incidents);
        let (counters, odds) = (std::mem::take(&mut self.counters), std::mem::take(&mut self.odds));
        judge.resume(Singles { counters, odds, learn_until: self.learn_until, ..Singles::default() });
        Ok(judge)
    }

    fn capture(&mut self, files: &[PathBuf], phase: Phase) -> anyhow::Result<()> {
        let mut source = match open_all(files) {
            Ok(source) => source,
            Err(error) if phase == Phase::Baseline && !is_of_stopping(&error) => return Err(error.into()),
            Err(error) => {
                self.errors.extend(Some(error).filter(|error| !is_of_stopping(error)));
                return Ok(());
            }
        };
        self.notes.extend(
            source.skipped().iter().map(|skipped| format!("{}: skipped: {}", skipped.path.display(), skipped.reason)),
        );
        let result = self.frames(&mut source, phase == Phase::Baseline);
        self.errors.extend(source.take_errors().into_iter().filter(|error| !is_of_stopping(error)));
        result
    }

    #[inline]
    fn must_stop(&self) -> bool {
        capture::is_stop_requested() || self.stop.load(Ordering::Relaxed)
    }

    fn frames(&mut self, source: &mut MergedSource, is_baseline: bool) -> anyhow::Result<()> {
        let mut progress = Progress::new(self.show_progress);
        let mut started: Option<(Pipeline, Decoder)> = None;
        let mut stopped = Ok(());
        loop {
            let position = if progress.is_due() { Some(source.position()) } else { None };
            if let Some(position) = position {
                let _turn = self.audience.lock(); // both write to the terminal
                progress.show(position.read, position.total);
            }
            if self.must_stop() {
                break;
            }
            let Ok(Some(frame)) = source.next() else { break };
            let (pipeline, decoder) = match &mut started {
                Some(started) => started,
                None => {
                    self.refuse_older(frame.time)?;
                    let key = *self.key.get_or_insert_with(|| key_of(frame.time, frame.bytes));
                    let judge = self.take_judge(key)?;
                    let decoder = Decoder::new(key, self.packet_limits).with(self.tunnels.clone());
                    started.insert((self.start(judge, key, is_baseline)?, decoder))
                }
            };
            progress.frames += 1;
            if let Some(filter) = &mut self.filter
                && !filter.matches(&frame)
            {
                self.filtered_out += 1;
                continue;
            }
            self.last_frame = self.last_frame.max(Some(frame.time));
            if !is_baseline {
                self.first_frame = Some(self.first_frame.map_or(frame.time, |first| first.min(frame.time)));
            }
            stopped = pipeline.time(frame.time);
            if stopped.is_ok()
                && let Some(segment) = decoder.decode(&frame)
            {
                stopped = pipeline.segment(&segment);
            }
            if stopped.is_err() {
                break;
            }
        }
        progress.end();
        let Some((pipeline, decoder)) = started else { return Ok(()) };
        self.packets.add(&decoder.counters);
        let (judge, _) = pipeline.finish(!is_baseline && !self.keeps_incidents)?;
        self.judge = Some(judge);
        Ok(stopped?)
    }

    /// A capture older than the state would teach the past anew.
    fn refuse_older(&self, first: Timestamp) -> anyhow::Result<()> {
        match self.not_before {
            Some(newest) if first < newest => anyhow::bail!(
                "the capture begins at {first}, before the state ends at {newest}; judge it without learning with \
                 --no-learn, or use another --state"
            ),
            _ => Ok(()),
        }
    }

    fn start(&self, mut judge: Judge, key: HashKey, is_baseline: bool) -> Result<Pipeline, Failure> {
        judge.begin(is_baseline);
        let audience = Arc::clone(&self.audience);
        let deliver = Box::new(move |judge: &Judge, verdict: Verdict| match audience.lock() {
            Ok(mut audience) => {
                audience.hear(judge, verdict);
                Ok(())
            }
            Err(_) => Err(io::Error::other("the output was given up by another thread")),
        });
        let wants_http = self.audience.lock().is_ok_and(|audience| audience.wants_transactions());
        let options = PipelineOptions {
            key,
            limits: self.partition.clone(),
            wanted: Wanted { http: wants_http && !is_baseline },
            redact: self.redact.function(),
            workers: if self.threads == 1 { 0 } else { self.threads },
            close_incidents: !is_baseline && !self.keeps_incidents,
        };
        Pipeline::start(&options, judge, deliver)
    }
}

/// True for what only says that a pipe was given up in the middle, when asked to stop.
fn is_of_stopping(error: &CaptureError) -> bool {
    if !capture::is_stop_requested() {
        return false;
    }
    match error {
        CaptureError::Open { error, .. } => error.kind() == io::ErrorKind::Interrupted,
        CaptureError::Empty { file }
        | CaptureError::NotACapture { file, .. }
        | CaptureError::Truncated { file, .. }
        | CaptureError::CompressionTruncated { file, .. } => file == Path::new("-") || capture::is_named_pipe(file),
        _ => false,
    }
}

/// The key of a run without state: from the capture's first frame, so that a replay is reproducible.
fn key_of(time: Timestamp, bytes: &[u8]) -> HashKey {
    let seed = HashKey::new(*b"apitap first key");
    let mut key = [0u8; 16];
    key[..8].copy_from_slice(&seed.secret("first half", bytes).to_le_bytes());
    key[8..].copy_from_slice(&(seed.secret("second half", bytes) ^ time.0 as u64).to_le_bytes());
    HashKey::new(key)
}
