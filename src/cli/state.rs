//! `apitap state`: export, import, numbers, and forgetting, on a folder that no other apitap has.

use super::args::{StateArgs, StateCommand};
use crate::alert::Incidents;
use crate::baseline::persist::{Statistics, probe};
use crate::baseline::{Cut, Forget, Leave, State};
use crate::pipeline::{Forgotten, forget};
use anyhow::Context;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub fn run(args: &StateArgs) -> anyhow::Result<ExitCode> {
    let folder = &args.state;
    let mut out = io::stdout();
    match &args.command {
        StateCommand::Export { file } => {
            let extent = existing(folder)?.export(file)?;
            writeln!(out, "{}: {} records, {} bytes", file.display(), extent.records, extent.bytes)?;
        }
        StateCommand::Import { file } => {
            said(State::open(folder, probe::in_child)?).import(file)?;
            writeln!(
                out,
                "{} is now what {} holds; what it held before stays on the disk until the next whole export",
                folder.display(),
                file.display()
            )?;
        }
        StateCommand::Stats { json } => {
            let statistics = existing(folder)?.statistics()?;
            if *json {
                writeln!(out, "{}", serde_json::to_string(&statistics)?)?;
            } else {
                write_table(&mut out, &statistics)?;
            }
        }
        StateCommand::Forget { client, endpoint } => {
            let what = match (client, endpoint) {
                (Some(address), _) => Forget::Client(*address),
                (None, Some(name)) => Forget::Endpoint(name.clone()),
                (None, None) => anyhow::bail!("say whom to forget: --client or --endpoint"),
            };
            let forgotten = forget_in(&mut existing(folder)?, &what)?;
            writeln!(
                out,
                "forgotten: {} by name, in {} other places; older generations and what was put aside are deleted",
                forgotten.subjects, forgotten.others
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn existing(folder: &Path) -> anyhow::Result<State> {
    Ok(said(State::open_existing(folder, probe::in_child)?))
}

fn said(state: State) -> State {
    state.notes().iter().for_each(|note| super::note(note));
    state
}

/// Forgets in a folder.
fn forget_in(state: &mut State, what: &Forget) -> anyhow::Result<Forgotten> {
    let mut recovered = state.recover()?;
    let mut incidents = Incidents::new(state.key());
    if !recovered.singles.incidents.is_empty() {
        incidents.restore(&recovered.singles.incidents).context("the open incidents of the state are damaged")?;
    }
    let forgotten = forget(what, &state.key(), &recovered.store, &mut incidents);
    recovered.singles.incidents = incidents.to_json()?;
    state.checkpoint(&Cut::of(&recovered.store, &recovered.singles, Leave::Nothing))?;
    Ok(forgotten)
}

fn write_table(out: &mut impl Write, statistics: &Statistics) -> io::Result<()> {
    let newest = statistics.newest.map_or("none".to_string(), |newest| newest.to_string());
    writeln!(out, "newest frame      {newest}")?;
    writeln!(out, "checkpoint        {}", statistics.checkpoint)?;
    for (name, count) in &statistics.keys {
        writeln!(out, "{name:<17} {count}")?;
    }
    for one in &statistics.generations {
        let (bytes, deltas, delta_bytes) = (one.bytes, one.deltas, one.delta_bytes);
        writeln!(out, "generation        {}: {bytes} bytes, {deltas} deltas of {delta_bytes} bytes", one.number)?;
    }
    writeln!(out, "working copy      {} bytes", statistics.database_bytes)?;
    writeln!(out, "put aside         {} of {} bytes", statistics.put_aside, statistics.put_aside_bytes)?;
    writeln!(out, "in all            {} bytes", statistics.total_bytes)
}
