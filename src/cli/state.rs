//! `apitap state`: export, import, numbers, hashes of names, and forgetting, by the daemon that has the folder, or on one that none
//! has.
//!
//! An export of a daemon is its newest whole one, copied from its folder: so it takes the right to read that folder, the
//! hash key included, and not only the right to speak to the daemon.

use super::args::{DEFAULT_STATE_FOLDER, StateArgs, StateCommand};
use super::daemon::{asked, folder_of, print_text, with_socket_hint};
use crate::alert::Incidents;
use crate::alert::escape::escape;
use crate::baseline::persist::{Extent, Statistics, copy_export, key_in, probe};
use crate::baseline::{Cut, Forget, Leave, State};
use crate::inspect::user_hash;
use crate::pipeline::{Forgotten, forget};
use crate::service::Request;
use anyhow::Context;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::process::{Gid, Uid};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(args: &StateArgs) -> anyhow::Result<ExitCode> {
    let socket = &args.daemon.socket;
    match folder_of(socket, args.state.as_deref())? {
        Some(folder) => of_daemon(socket, &folder, &args.command),
        None => of_folder(args.state.as_deref().unwrap_or(Path::new(DEFAULT_STATE_FOLDER)), &args.command),
    }
}

/// Of a folder that a daemon has.
fn of_daemon(socket: &Path, folder: &Path, command: &StateCommand) -> anyhow::Result<ExitCode> {
    match command {
        StateCommand::Export { file } => {
            let newest: PathBuf =
                serde_json::from_value(asked(socket, &Request::Export)?).context("the daemon is of another version")?;
            let extent = copy_export(&newest, file)?;
            write_extent(file, &extent)?;
        }
        StateCommand::Import { .. } => anyhow::bail!(
            "a daemon has {}, and an import would put another state in the place of what it has learned; stop it \
             (`systemctl stop apitap`), import, and start it again",
            folder.display()
        ),
        StateCommand::Stats { json } => {
            let statistics = asked(socket, &Request::Statistics)?;
            write_statistics(&serde_json::from_value(statistics).context("the daemon is of another version")?, *json)?;
        }
        StateCommand::Account { names } => write_hashes(folder, names)?,
        StateCommand::Forget { client, endpoint } => {
            let request = match whom(client, endpoint)? {
                Forget::Client(client) => Request::ForgetClient { client },
                Forget::Endpoint(endpoint) => Request::ForgetEndpoint { endpoint },
            };
            return print_text(&asked(socket, &request)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Of a folder that no daemon has.
fn of_folder(folder: &Path, command: &StateCommand) -> anyhow::Result<ExitCode> {
    let done = in_folder(folder, command);
    let given = give_to_owner(folder);
    done?;
    given.with_context(|| {
        format!("what was written to {0} cannot be given to its owner; `chown -R apitap: {0}`", folder.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Root writes files of its own, which the daemon, whose folder it is, could not read. Links are not followed: the folder is
/// the daemon's, to which root does no favours beyond it.
fn give_to_owner(folder: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let top = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let of = rustix::fs::fstat(&top)?;
    if of.st_uid == 0 {
        return Ok(());
    }
    let (user, group) = (Some(Uid::from_raw(of.st_uid)), Some(Gid::from_raw(of.st_gid)));
    let mut folders = vec![top];
    while let Some(folder) = folders.pop() {
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            rustix::fs::chownat(&folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folders.extend(rustix::fs::openat(&folder, name, flags, Mode::empty()).ok()); // what is no folder is refused
        }
    }
    Ok(())
}

fn in_folder(folder: &Path, command: &StateCommand) -> anyhow::Result<()> {
    match command {
        StateCommand::Export { file } => write_extent(file, &existing(folder)?.export(file)?)?,
        StateCommand::Import { file } => {
            said(State::open(folder, probe::in_child).map_err(with_socket_hint)?).import(file)?;
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

fn existing(folder: &Path) -> anyhow::Result<State> {
    Ok(said(State::open_existing(folder, probe::in_child).map_err(with_socket_hint)?))
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
