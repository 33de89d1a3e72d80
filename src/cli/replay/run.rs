//! Captures through the pipeline: the part of a replay that `inventory` shares.

use crate::alert::Incidents;
use crate::alert::record::EventType;
use crate::api::openapi::{self, Catalogue};
use crate::api::url;
use crate::api::{Settings, snapshot};
use crate::baseline::{Store, StoreLimits};
use crate::capture::{CaptureError, Filter, FrameSource, MergedSource, open_all};
use crate::cli::args::Redact;
use crate::cli::replay::output::Output;
use crate::config::Config;
use crate::hash::HashKey;
use crate::packet::{Decoder, PacketCounters, PacketLimits};
use crate::pipeline::{Failure, Judge, JudgeOptions, Limits, Pipeline, PipelineOptions, Verdict, Wanted};
use crate::rule::{ApiNames, Ruleset};
use crate::time::Timestamp;
use anyhow::Context;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a run needs, whoever asks for it.
pub struct Setup {
    pub rules: Arc<Ruleset>,
    pub settings: Arc<Settings>,
    pub learn: Option<Duration>,
    pub threads: usize,
    pub filter: Option<Filter>,
    pub redact: Redact,
    pub show_progress: bool,
    pub is_frozen: bool,
    pub store: Arc<Store>,
    pub key: Option<HashKey>,
    pub learned: Vec<(String, String)>,
    /// Open incidents of an earlier run. Where there is a state, those of this run stay open too.
    pub incidents: Option<Vec<u8>>,
    pub keeps_incidents: bool,
    /// The state is newer than this: older captures are refused.
    pub not_before: Option<Timestamp>,
}

/// What is left when the captures are through.
pub struct Outcome {
    pub judge: Judge,
    pub packets: PacketCounters,
    pub filtered_out: u64,
    /// What could not be read, in the order it was met.
    pub errors: Vec<CaptureError>,
    pub notes: Vec<String>,
    pub last_frame: Option<Timestamp>,
}

/// The default span that only teaches.
pub const LEARN: Duration = Duration::from_secs(600);

pub fn settings_of(config: &Config, rules: &Ruleset, openapi: &[PathBuf]) -> anyhow::Result<Settings> {
    let mut descriptions = Vec::new();
    for path in config.api.openapi.iter().chain(openapi) {
        descriptions.push(openapi::load(path)?);
    }
    Ok(Settings {
        names: rules.names.clone(),
        catalogue: Catalogue::new(descriptions),
        trusted_proxies: config.networks().map_err(anyhow::Error::msg)?,
        ..snapshot::Settings::default()
    })
}

/// Runs the baselines, then the captures.
pub fn run(
    setup: Setup,
    baselines: &[PathBuf],
    files: &[PathBuf],
    output: &Arc<Mutex<Output>>,
) -> anyhow::Result<Outcome> {
    let mut run = Run {
        filter: setup.filter,
        redact: setup.redact,
        threads: setup.threads,
        show_progress: setup.show_progress,
        output: Arc::clone(output),
        packets: PacketCounters::default(),
        filtered_out: 0,
        last_frame: None,
        key: setup.key,
        errors: Vec::new(),
        notes: Vec::new(),
        judge: None,
        options: Some(JudgeOptions {
            rules: setup.rules,
            settings: setup.settings,
            store: setup.store,
            limits: StoreLimits::default(),
            learn: if baselines.is_empty() { setup.learn } else { None },
            is_frozen: setup.is_frozen,
        }),
        learned: setup.learned,
        incidents: setup.incidents,
        keeps_incidents: setup.keeps_incidents,
        not_before: setup.not_before,
    };
    if !baselines.is_empty() {
        run.capture(baselines, true).context("--baseline")?;
    }
    if !files.is_empty() {
        run.capture(files, false)?;
    }
    let key = run.key.unwrap_or(HashKey::new([0; 16]));
    let judge = run.take_judge(key)?;
    Ok(Outcome {
        judge,
        packets: run.packets,
        filtered_out: run.filtered_out,
        errors: run.errors,
        notes: run.notes,
        last_frame: run.last_frame,
    })
}

struct Run {
    filter: Option<Filter>,
    redact: Redact,
    threads: usize,
    show_progress: bool,
    output: Arc<Mutex<Output>>,
    packets: PacketCounters,
    filtered_out: u64,
    last_frame: Option<Timestamp>,
    key: Option<HashKey>,
    errors: Vec<CaptureError>,
    notes: Vec<String>,
    judge: Option<Judge>,
    options: Option<JudgeOptions>,
    learned: Vec<(String, String)>,
    incidents: Option<Vec<u8>>,
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
        Ok(Judge::new(key, options, std::mem::take(&mut self.learned), incidents))
    }

    fn capture(&mut self, files: &[PathBuf], is_baseline: bool) -> anyhow::Result<()> {
        let mut source = match open_all(files) {
            Ok(source) => source,
            Err(error) => {
                self.errors.push(error);
                return Ok(());
            }
        };
        self.notes.extend(
            source.skipped().iter().map(|skipped| format!("{}: skipped: {}", skipped.path.display(), skipped.reason)),
        );
        let result = self.frames(&mut source, is_baseline);
        self.errors.extend(source.take_errors());
        result
    }

    fn frames(&mut self, source: &mut MergedSource, is_baseline: bool) -> anyhow::Result<()> {
        let mut progress = Progress::new(self.show_progress);
        let mut started: Option<(Pipeline, Decoder)> = None;
        let mut stopped = Ok(());
        loop {
            let position = if progress.is_due() { Some(source.position()) } else { None };
            if let Some(position) = position {
                progress.show(position.read, position.total);
            }
            let Ok(Some(frame)) = source.next() else { break };
            let (pipeline, decoder) = match &mut started {
                Some(started) => started,
                None => {
                    self.refuse_older(frame.time)?;
                    let key = *self.key.get_or_insert_with(|| key_of(frame.time, frame.bytes));
                    let judge = self.take_judge(key)?;
                    started.insert((self.start(judge, key, is_baseline), Decoder::new(key, PacketLimits::default())))
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
        progress.clear();
        let Some((pipeline, decoder)) = started else { return Ok(()) };
        self.packets.add(&decoder.counters);
        match pipeline.finish(!is_baseline && !self.keeps_incidents) {
            Ok((judge, _)) => {
                self.judge = Some(judge);
                stopped?;
                Ok(())
            }
            Err(Failure::Output(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        }
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

    fn start(&self, mut judge: Judge, key: HashKey, is_baseline: bool) -> Pipeline {
        judge.begin(is_baseline);
        let output = Arc::clone(&self.output);
        let deliver = Box::new(move |verdict: Verdict| match output.lock() {
            Ok(mut output) => output.verdict(&verdict),
            Err(_) => Err(std::io::Error::other("the output was given up by another thread")),
        });
        let wants_http = self.output.lock().is_ok_and(|output| output.wants(EventType::Http));
        let options = PipelineOptions {
            key,
            limits: Limits::default(),
            wanted: Wanted { http: wants_http && !is_baseline },
            redact: match self.redact {
                Redact::Secrets => redact_secrets,
                Redact::None => redact_nothing,
                Redact::All => redact_all,
            },
            threads: self.threads,
            close_incidents: !is_baseline && !self.keeps_incidents,
        };
        Pipeline::start(&options, judge, deliver)
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

fn redact_secrets(target: &str, names: &ApiNames) -> String {
    let is_secret = |name: &[u8]| {
        crate::inspect::is_secret_name(name)
            || std::str::from_utf8(name).is_ok_and(|name| names.is_redacted_parameter(name))
    };
    url::redact(target, is_secret).into_owned()
}

fn redact_nothing(target: &str, _: &ApiNames) -> String {
    target.to_string()
}

fn redact_all(target: &str, _: &ApiNames) -> String {
    url::redact(target, |_| true).into_owned()
}

/// A progress bar on standard error, a few times a second, where that is a terminal.
struct Progress {
    is_shown: bool,
    started: Instant,
    shown_at: Option<Instant>,
    frames: u64,
    calls: u32,
}

/// Frames between two looks at the clock.
const LOOKS: u32 = 8192;
const REFRESH: Duration = Duration::from_millis(200);

impl Progress {
    fn new(wanted: bool) -> Progress {
        let is_shown = wanted && std::io::stderr().is_terminal();
        Progress { is_shown, started: Instant::now(), shown_at: None, frames: 0, calls: 0 }
    }

    fn is_due(&mut self) -> bool {
        if !self.is_shown {
            return false;
        }
        self.calls = self.calls.wrapping_add(1);
        self.calls.is_multiple_of(LOOKS) && self.shown_at.is_none_or(|shown| shown.elapsed() >= REFRESH)
    }

    fn show(&mut self, read: u64, total: Option<u64>) {
        self.shown_at = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let megabytes = read as f64 / 1e6;
        let share = total.filter(|total| *total > 0).map(|total| read as f64 / total as f64);
        let bar = share.map_or(String::new(), |share| {
            let filled = (share * 30.0).clamp(0.0, 30.0) as usize;
            format!("[{}{}] {:3.0} %  ", "#".repeat(filled), " ".repeat(30 - filled), share * 100.0)
        });
        let line = format!("\r\x1b[K{bar}{megabytes:.0} MB, {} frames, {:.0} MB/s", self.frames, megabytes / seconds);
        let _ = std::io::stderr().write_all(line.as_bytes()); // a terminal that is gone needs no progress
    }

    fn clear(&mut self) {
        if self.shown_at.is_some() {
            let _ = std::io::stderr().write_all(b"\r\x1b[K"); // as above
        }
    }
}
