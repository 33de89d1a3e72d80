//! `apitap evaluate`: captures, alerts of them or earlier results in; how good the detectors are, against the truth, out.

use super::args::{EvaluateArgs, is_dash};
use super::interrupt::{self, Signal};
use super::note;
use super::replay::run::{self, Audience, Hall, Setup};
use crate::baseline::State;
use crate::baseline::persist::probe;
use crate::capture::is_named_pipe;
use crate::config::Config;
use crate::evaluate::{AlertLog, Bounds, Evaluation, Run, Traffic, Truth};
use crate::pipeline::{Judge, Verdict};
use anyhow::{Context, bail};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let evaluation = if !args.merge.is_empty() {
        Evaluation::read(&args.merge)?
    } else if !args.alerts.is_empty() {
        of_alerts(args)?
    } else {
        match of_captures(args)? {
            Heard::Evaluation(evaluation) => evaluation,
            Heard::Interrupted(signal) => {
                note(&format!("interrupted by {}: nothing was scored", signal.name()));
                return Ok(ExitCode::from(signal.status()));
            }
        }
    };
    if let Some(path) = &args.svg {
        let unwritable = || format!("cannot write {}; choose another file with --svg", path.display());
        std::fs::write(path, evaluation.plot()).with_context(unwritable)?;
    }
    let bounds = Bounds { max_false: args.max_false, false_from: args.false_from };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        evaluation.write_json(&mut out)?;
    } else {
        evaluation.write_tables(&mut out, bounds)?;
    }
    out.flush()?;
    Ok(if bounds.are_kept_by(&evaluation) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_truth(paths: &[PathBuf]) -> anyhow::Result<Truth> {
    let mut truth = Truth::default();
    for path in paths {
        truth.extend(Truth::read(path)?);
    }
    Ok(truth)
}

fn names_of(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn of_alerts(args: &EvaluateArgs) -> anyhow::Result<Evaluation> {
    let truth = read_truth(&args.truth)?;
    let (mut log, mut traffic) = (AlertLog::default(), Traffic::default());
    for path in &args.alerts {
        log.read(path, &mut traffic)?;
    }
    truth.tell_span(&mut traffic);
    Ok(Evaluation::of(Run::of(names_of(&args.truth), &truth, &log, &traffic)))
}

enum Heard {
    Evaluation(Evaluation),
    Interrupted(Signal),
}

fn of_captures(args: &EvaluateArgs) -> anyhow::Result<Heard> {
    // What writes a pipe writes its truth beside it, and is not through with it before the end.
    let is_live = args.files.iter().any(|file| is_dash(file) || is_named_pipe(file));
    let known = if is_live { None } else { Some(read_truth(&args.truth)?) };
    let listener = Arc::new(Mutex::new(Listener::default()));
    let hall: Hall = listener.clone();
    interrupt::listen()?;
    let outcome = run::run(setup_of(args)?, &args.reading.baseline, &args.files, &hall)?;
    outcome.notes.iter().for_each(|said| note(said));
    if let Some(signal) = outcome.stopped.and_then(|_| interrupt::signal()) {
        return Ok(Heard::Interrupted(signal));
    }
    if let Some(error) = outcome.errors.first() {
        bail!("{error}; nothing was scored");
    }
    let mut listener = listener.lock().map_err(|_| anyhow::anyhow!("the alerts were lost with another thread"))?;
    for time in outcome.first_frame.iter().chain(&outcome.last_frame) {
        listener.traffic.reaches(*time);
    }
    let truth = known.map_or_else(|| read_truth(&args.truth), Ok)?;
    Ok(Heard::Evaluation(Evaluation::of(Run::of(names_of(&args.truth), &truth, &listener.log, &listener.traffic))))
}

fn setup_of(args: &EvaluateArgs) -> anyhow::Result<Setup> {
    let config = Config::load(args.reading.config.as_deref())?;
    let mut setup = Setup::of(&args.reading, &config)?;
    if let Some(folder) = &args.state {
        let state = State::open_existing(folder, probe::in_child)?;
        setup.remember(&state, &args.reading)?;
        setup.is_frozen = true;
        setup.incidents = None; // one that is open already would not be opened by the attack
    }
    Ok(setup)
}

/// Keeps what was said, and how many transactions there had been by then.
#[derive(Default)]
struct Listener {
    log: AlertLog,
    traffic: Traffic,
}

impl Audience for Listener {
    fn hear(&mut self, judge: &Judge, verdict: Verdict) {
        verdict.alerts.iter().for_each(|alert| self.log.take(alert));
        if !judge.is_baseline() {
            self.traffic.sum(verdict.now, judge.counters().http.transactions);
        }
    }
}
