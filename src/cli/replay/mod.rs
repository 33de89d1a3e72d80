//! `apitap replay`: captures in; alerts, EVE lines and a summary out.

pub mod output;
mod progress;
pub mod run;
mod summary;

use super::args::{ReplayArgs, is_dash};
use super::interrupt::{self, Signal};
use crate::alert::record::{EveRecord, EventType, StatsDetail};
use crate::alert::{endpoint_records, orphans_of};
use crate::baseline::persist::probe;
use crate::baseline::{Leave, State};
use crate::capture::{self, is_named_pipe};
use crate::config::Config;
use crate::packet::PARTITIONS;
use crate::time::Timestamp;
use anyhow::Context;
use output::{Ending, Output, PATIENCE, Wished};
use run::{Hall, Outcome, Phase, Setup};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use summary::Summary;

/// The status when `--fail-on` was met.
const FAIL_ON_STATUS: u8 = 3;

pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let config = Config::load(args.reading.config.as_deref())?;
    let mut setup = Setup::of(&args.reading, &config)?;
    setup.show_progress &= !args.quiet;
    setup.redact = args.redact.unwrap_or(config.privacy.redact);
    let mut saved = args.state.as_deref().map(|folder| State::open(folder, probe::in_child)).transpose()?;
    if let Some(state) = &mut saved {
        state.bound(config.state.max_disk_mib << 20);
        setup.remember(state, &args.reading)?;
    }
    let newest = setup.newest;
    setup.is_frozen = args.no_learn;
    setup.keeps_incidents = saved.is_some() && !args.no_learn;
    setup.not_before = newest.filter(|_| !args.no_learn);
    must_be_there(&args.reading.baseline, &args.files)?;
    let json = args.json && args.eve.as_deref().is_none_or(|path| path.as_os_str() != "-");
    let is_live = args.files.iter().any(|file| is_dash(file) || is_named_pipe(file));
    let saves_state = saved.is_some() && !args.no_learn;
    let output = Arc::new(Mutex::new(Output::open(&Wished {
        eve: args.eve.as_deref(),
        events: &args.events,
        json,
        verbose: args.verbose,
        style: args.color.style(),
        patience: is_live.then_some(PATIENCE),
        outlives_stdout: saves_state || args.fail_on.is_some(),
        shows_progress: setup.show_progress,
    })?));
    let audience: Hall = output.clone();
    interrupt::listen()?;
    let ran = run::run(setup, &args.reading.baseline, &args.files, &audience);
    let mut output = output.lock().map_err(|_| anyhow::anyhow!("the output was given up by another thread"))?;
    output.release(None);
    output.flush();
    let outcome = ran?;
    let mut summary = summary_of(&outcome, started);
    write_closing_records(&outcome, &mut summary, &mut output);
    let mut problems: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
    match output.ending() {
        Ending::Written => {}
        Ending::Closed => return Ok(ExitCode::SUCCESS),
        Ending::Failed(message) => problems.push(message.clone()),
    }
    if let Some(state) = saved.as_mut().filter(|_| saves_state) {
        // What nobody was told must not be known already when the run is tried again.
        if outcome.stopped == Some(Phase::Baseline) || matches!(output.ending(), Ending::Failed(_)) {
            summary.is_state_unchanged = true;
        } else if let Err(error) = save(state, &outcome, newest) {
            problems.push(super::said_of(&error));
        }
    }
    let interrupted = outcome.stopped.and_then(|_| interrupt::signal());
    summary.interrupted = interrupted.map(Signal::name);
    for note in outcome.notes.iter().filter(|_| !args.quiet) {
        super::note(note);
    }
    // Where nothing could be read there is nothing to sum up.
    if !args.quiet && (problems.is_empty() || outcome.packets.frames > 0) {
        let _ = io::stderr().write_all(summary.text(args.stats).as_bytes()); // a closed standard error is borne
    }
    for problem in &problems {
        super::note(problem);
    }
    Ok(match (interrupted, args.fail_on) {
        _ if !problems.is_empty() => ExitCode::FAILURE,
        (Some(signal), _) => ExitCode::from(signal.status()),
        (None, Some(severity)) if summary.tally.at_least(severity) > 0 => ExitCode::from(FAIL_ON_STATUS),
        _ => ExitCode::SUCCESS,
    })
}

/// Without its baseline a capture would be judged by nothing; and what was written before is not to be lost for a typo.
fn must_be_there(baselines: &[PathBuf], files: &[PathBuf]) -> anyhow::Result<()> {
    let is_missing = |path: &PathBuf| !is_dash(path) && std::fs::metadata(path).is_err();
    if let Some(baseline) = baselines.iter().find(|path| is_missing(path)) {
        capture::open(baseline).context("--baseline")?;
    }
    if !files.is_empty() && files.iter().all(is_missing) {
        capture::open_all(files)?;
    }
    Ok(())
}

fn save(state: &mut State, outcome: &Outcome, before: Option<Timestamp>) -> anyhow::Result<()> {
    let mut cut = outcome.judge.cut(Leave::Whole);
    cut.set_newest(outcome.last_frame.max(before)); // the judge knows the watermark only
    state.checkpoint(&cut)?;
    Ok(())
}

/// Threads to work with: one without a partition would be idle.
pub fn threads_of(wished: Option<NonZeroUsize>) -> usize {
    wished.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get).min(PARTITIONS)
}

fn summary_of(outcome: &Outcome, started: Instant) -> Summary {
    let judge = &outcome.judge;
    let catalogue = &judge.settings().catalogue;
    let operations = catalogue.descriptions().iter().map(|description| description.operations.len()).sum();
    let described = (!catalogue.is_empty()).then(|| (operations, orphans_of(judge.store(), catalogue).len()));
    Summary {
        described,
        packets: outcome.packets.clone(),
        counters: judge.counters().clone(),
        endpoints: judge.store().endpoints.len(),
        clients: judge.store().clients.len(),
        keys_evicted: judge.keys_evicted(),
        late_windows: judge.late_windows(),
        learned_parameters: judge.inventory().learned().len(),
        filtered_out: outcome.filtered_out,
        tally: judge.tally(),
        learned_until: judge.learn_until(),
        last_frame: outcome.last_frame,
        lines_out_of_order: 0,
        interrupted: None,
        is_state_unchanged: false,
        elapsed: started.elapsed(),
    }
}

/// The records that stand at the end: one an endpoint, and the counters.
fn write_closing_records(outcome: &Outcome, summary: &mut Summary, output: &mut Output) {
    summary.lines_out_of_order = output.lines_out_of_order();
    // The end closes incidents when the last window ends, which is after the last frame.
    let now = outcome.last_frame.max(output.newest_alert()).unwrap_or(Timestamp(0));
    if output.wants(EventType::Endpoint) {
        for record in endpoint_records(outcome.judge.store(), now) {
            output.record(&record);
        }
    }
    let counters = summary.named().into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    output.record(&EveRecord::new(now, EventType::Stats, StatsDetail { counters }));
    output.flush();
}
