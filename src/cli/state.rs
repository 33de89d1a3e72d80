//! `apitap state`: export, import, numbers, hashes of names, and forgetting, by the daemon that has the folder, or on one that none
//! has.
//!
//! An export of a daemon is its newest whole one, copied from its folder: so it takes the right to read that folder, the
//! hash key included, and not only the right to speak to the daemon.

use super::args::{StateArgs, StateCommand};
use super::daemon::print_text;
use super::folder::in_folder;
use super::sensor::{Sensor, existing, with_incidents, with_socket_hint};
use crate::alert::escape::escape;
use crate::baseline::persist::{Extent, Statistics, copy_export, key_in, probe};
use crate::baseline::{Forget, Leave, State};
use crate::inspect::user_hash;
use crate::pipeline::{Forgotten, forget};
use crate::service::Request;
use anyhow::Context;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(args: &StateArgs) -> anyhow::Result<ExitCode> {
    let sensor = Sensor::of(&args.daemon)?;
    if let Some(folder) = sensor.folder_in_use()? {
        return of_daemon(&sensor, &folder, &args.command);
    }
    let folder = sensor.folder()?;
    in_folder(folder, || of_folder(folder, &args.command))?;
    Ok(ExitCode::SUCCESS)
}

/// Of a folder that a daemon has.
fn of_daemon(sensor: &Sensor, folder: &Path, command: &StateCommand) -> anyhow::Result<ExitCode> {
    match command {
        StateCommand::Export { file } => {
            let newest: PathBuf =
                serde_json::from_value(sensor.asked(&Request::Export)?).context("the daemon is of another version")?;
            let extent = copy_export(&newest, file)?;
            write_extent(file, &extent)?;
        }
        StateCommand::Import { .. } => anyhow::bail!(
            "a daemon has {}, and an import would put another state in the place of what it has learned; stop it \
             (`systemctl stop apitap`), import, and start it again",
            folder.display()
        ),
        StateCommand::Stats { json } => {
            let statistics = sensor.asked(&Request::Statistics)?;
            write_statistics(&serde_json::from_value(statistics).context("the daemon is of another version")?, *json)?;
        }
        StateCommand::Account { names } => write_hashes(folder, names)?,
        StateCommand::Forget { client, endpoint } => {
            let request = match whom(client, endpoint)? {
                Forget::Client(client) => Request::ForgetClient { client },
                Forget::Endpoint(endpoint) => Request::ForgetEndpoint { endpoint },
            };
            return print_text(&sensor.asked(&request)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Of a folder that no daemon has.
fn of_folder(folder: &Path, command: &StateCommand) -> anyhow::Result<()> {
    match command {
        StateCommand::Export { file } => write_extent(file, &existing(folder)?.export(file)?)?,
        StateCommand::Import { file } => {
            let mut state = State::open(folder, probe::in_child).map_err(with_socket_hint)?;
            state.notes().iter().for_each(|note| super::note(note));
            state.import(file)?;
            writeln!(
                io::stdout(),
                "{} is now what {} holds; what it held before stays on the disk until the next whole export",
                folder.display(),
                file.display()
            )?;
        }
        StateCommand::Stats { json } => write_statistics(&existing(folder)?.statistics()?, *json)?,
        StateCommand::Account { names } => write_hashes(folder, names)?,
        StateCommand::Forget { client, endpoint } => {
            let forgotten = forget_in(&mut existing(folder)?, &whom(client, endpoint)?)?;
            writeln!(io::stdout(), "{forgotten}")?;
        }
    }
    Ok(())
}

/// The key is read where it lies: it takes the right to read it, as it would to guess who is behind a hash.
fn write_hashes(folder: &Path, names: &[String]) -> anyhow::Result<()> {
    let key = key_in(folder).with_context(|| format!("the key of {} cannot be read", folder.display()))?;
    let mut out = io::stdout().lock();
    let mut write = |name: &str| writeln!(out, "{:016x}  {}", user_hash(name.as_bytes(), &key), escape(name));
    for name in names {
        if name == "-" {
            io::stdin().lines().try_for_each(|line| write(&line?))?;
        } else {
            write(name)?;
        }
    }
    Ok(())
}

fn whom(client: &Option<IpAddr>, endpoint: &Option<String>) -> anyhow::Result<Forget> {
    match (client, endpoint) {
        (Some(address), _) => Ok(Forget::Client(*address)),
        (None, Some(name)) => Ok(Forget::Endpoint(name.clone())),
        (None, None) => anyhow::bail!("say whom to forget: --client or --endpoint"),
    }
}

/// Forgets in a folder.
fn forget_in(state: &mut State, what: &Forget) -> anyhow::Result<Forgotten> {
    let key = state.key();
    with_incidents(state, Some(Leave::Nothing), |incidents, recovered| forget(what, &key, &recovered.store, incidents))
}

fn write_extent(file: &Path, extent: &Extent) -> io::Result<()> {
    writeln!(io::stdout(), "{}: {} records, {} bytes", file.display(), extent.records, extent.bytes)
}

fn write_statistics(statistics: &Statistics, as_json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(statistics)?)?;
    } else {
        write_table(&mut out, statistics)?;
    }
    Ok(())
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
