//! `apitap replay`: captures in; alerts, EVE lines and a summary out.

pub mod output;
pub mod run;
mod summary;

use super::args::ReplayArgs;
use crate::alert::endpoint_records;
use crate::alert::record::{EveRecord, EventType, StatsDetail};
use crate::api::snapshot;
use crate::baseline::Store;
use crate::capture::Filter;
use crate::config::Config;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use output::Output;
use run::{LEARN, Outcome, Setup};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use summary::Summary;

/// The status when `--fail-on` was met.
const FAIL_ON_STATUS: u8 = 3;

pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let config = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let rules = Arc::new(Ruleset::load(args.rules.as_deref().or(config.rules.folder.as_deref()))?);
    let settings: Arc<snapshot::Settings> = Arc::new(run::settings_of(&config, &rules, &args.openapi)?);
    let learn = args.learn.or(config.learning_duration().map_err(anyhow::Error::msg)?);
    let saved = args.state.as_deref().map(crate::baseline::State::open).transpose()?;
    let remembers = saved.as_ref().is_some_and(|state| !state.is_new());
    let (store, key, learned) = match &saved {
        Some(state) => (Arc::new(state.load()?), Some(state.key()), state.learned()?),
        None => (Arc::new(Store::default()), None, Vec::new()),
    };
    let setup = Setup {
        rules,
        settings,
        // A state has learned already; an explicit --learn still counts.
        learn: if remembers { learn } else { Some(learn.unwrap_or(LEARN)) },
        threads: args.threads.map_or_else(processors, |threads| threads.get()),
        filter: args.filter.as_deref().map(Filter::compile).transpose()?,
        redact: args.redact,
        show_progress: !args.no_progress,
        is_frozen: args.no_learn,
        store,
        key,
        learned,
        incidents: saved.as_ref().map(crate::baseline::State::incidents).transpose()?.flatten(),
        keeps_incidents: saved.is_some() && !args.no_learn,
        not_before: saved.as_ref().filter(|_| !args.no_learn).and_then(|state| state.newest()),
    };
    let json = args.json && args.eve.as_deref().is_none_or(|path| path.as_os_str() != "-");
    let output = Arc::new(Mutex::new(Output::open(args.eve.as_deref(), &args.events, json, false)?));
    let outcome = run::run(setup, &args.baseline, &args.files, &output)?;
    let summary = summary_of(&outcome, started);
    write_closing_records(&outcome, &summary, &output)?;
    if let Some(state) = saved.filter(|_| !args.no_learn) {
        let judge = &outcome.judge;
        let incidents = judge.incidents().to_json()?;
        state.save(judge.store(), judge.inventory().learned(), &incidents, outcome.last_frame)?;
    }
    for note in &outcome.notes {
        super::note(note);
    }
    let _ = io::stderr().write_all(summary.text(args.stats).as_bytes()); // a closed standard error is borne
    for error in &outcome.errors {
        super::note(&error.to_string());
    }
    Ok(match args.fail_on {
        _ if !outcome.errors.is_empty() => ExitCode::FAILURE,
        Some(severity) if summary.tally.at_least(severity) > 0 => ExitCode::from(FAIL_ON_STATUS),
        _ => ExitCode::SUCCESS,
    })
}

pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

fn summary_of(outcome: &Outcome, started: Instant) -> Summary {
    let judge = &outcome.judge;
    Summary {
        packets: outcome.packets.clone(),
        counters: judge.counters().clone(),
        endpoints: judge.store().endpoints.len(),
        clients: judge.store().clients.len(),
        keys_evicted: judge.keys_evicted(),
        filtered_out: outcome.filtered_out,
        tally: judge.tally(),
        learned_until: judge.learn_until(),
        last_frame: outcome.last_frame,
        elapsed: started.elapsed(),
    }
}

/// The records that stand at the end: one an endpoint, and the counters.
fn write_closing_records(outcome: &Outcome, summary: &Summary, output: &Mutex<Output>) -> anyhow::Result<()> {
    let mut output = output.lock().map_err(|_| anyhow::anyhow!("the output was given up by another thread"))?;
    output.release()?;
    // The end closes incidents when the last window ends, which is after the last frame.
    let now = outcome.last_frame.max(output.newest_alert()).unwrap_or(Timestamp(0));
    if output.wants(EventType::Endpoint) {
        for record in endpoint_records(outcome.judge.store(), now) {
            output.record(&record)?;
        }
    }
    let counters = summary.named().into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    output.record(&EveRecord::new(now, EventType::Stats, StatsDetail { counters }))?;
    output.flush()?;
    Ok(())
}
