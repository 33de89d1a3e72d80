//! The sensor of this machine, as commands find it: a running daemon behind its socket, or the folder that none has.
//!
//! In go flags, and the configuration that the daemon reads: it says where socket, state and log are. Out come answers.
//! A running daemon is asked first. Where none runs, the folder is opened for what can be done without one; it is said
//! where there is neither. A folder that a daemon has, but not the one behind the socket, is refused.

use super::args::DaemonArgs;
use super::folder::in_folder;
use crate::alert::Incidents;
use crate::baseline::persist::{Recovered, probe};
use crate::baseline::{Cut, Leave, State, StateError};
use crate::config::{Config, DEFAULT_FILE};
use crate::rule::Ruleset;
use crate::service::incidents::{self, whole_id};
use crate::service::{Added, Reply, Request, Suppressions, ask};
use crate::time::Timestamp;
use anyhow::Context;
use serde_json::{Value, json};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Sensor {
    pub socket: PathBuf,
    /// The folder that was named: a daemon that has another is no one to ask.
    named: Option<PathBuf>,
    /// The socket was named, and nothing that says which folder goes with it.
    is_of_socket_alone: bool,
    config: Config,
}

impl Sensor {
    pub fn of(args: &DaemonArgs) -> anyhow::Result<Sensor> {
        let config = match &args.config {
            Some(file) => Config::load(Some(file))?,
            None => configured(),
        };
        let socket = args.socket.clone().or_else(|| config.service.socket.clone()).unwrap_or_default();
        let is_set = |variable: &str| std::env::var_os(variable).is_some();
        let names_socket = args.socket.is_some() || is_set("APITAP_SERVICE__SOCKET");
        let names_folder = args.state.is_some() || args.config.is_some() || is_set("APITAP_STATE__FOLDER");
        Ok(Sensor { socket, named: args.state.clone(), is_of_socket_alone: names_socket && !names_folder, config })
    }

    /// Its state folder, where no daemon runs. Refused where only its socket is known: the folder would be another sensor's.
    pub fn folder(&self) -> anyhow::Result<&Path> {
        if self.is_of_socket_alone {
            return Err(self.no_answer(&io::Error::from(ErrorKind::NotFound)));
        }
        Ok(self.named.as_deref().unwrap_or(&self.config.state.folder))
    }

    pub fn log(&self) -> &Path {
        &self.config.alert.file
    }

    /// The state folder of the running daemon, where one runs that is meant. Where a folder was named, that is not one that
    /// has another, and neither one that may not be spoken to: the folder has rights of its own.
    pub fn folder_in_use(&self) -> anyhow::Result<Option<PathBuf>> {
        let named = self.named.as_deref();
        let folder: PathBuf = match ask(&self.socket, &Request::Folder) {
            Ok(Reply::Ok(folder)) => serde_json::from_value(folder).context("the daemon is of another version")?,
            Ok(Reply::Error(error)) => anyhow::bail!("{error}"),
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && named.is_some() => return Ok(None),
            Err(error) => return Err(self.no_answer(&error)),
        };
        let is_meant = named.is_none_or(|named| named.canonicalize().is_ok_and(|named| named == folder));
        Ok(is_meant.then_some(folder))
    }

    /// What the running daemon answers; its refusals are errors here.
    pub fn asked(&self, request: &Request) -> anyhow::Result<Value> {
        match ask(&self.socket, request).map_err(|error| self.no_answer(&error))? {
            Reply::Ok(value) => Ok(value),
            Reply::Error(error) => anyhow::bail!("{error}"),
        }
    }

    /// What the running daemon answers, or the folder where none runs.
    pub fn asked_or_looked_up(&self, request: &Request) -> anyhow::Result<Value> {
        if self.folder_in_use()?.is_some() {
            return self.asked(request);
        }
        let folder = self.folder()?;
        in_folder(folder, || of_folder(folder, request, self.config.rules.folder.as_deref()))
            .map_err(|error| self.neither(error))
    }

    /// Where nothing is kept that may be read, the daemon is what is missing.
    pub fn neither(&self, error: anyhow::Error) -> anyhow::Error {
        let is_shut = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
        match error.downcast_ref::<StateError>() {
            Some(StateError::Missing { .. }) => {}
            Some(StateError::Folder { source, .. }) if is_shut(source) => {}
            _ => return error,
        }
        self.no_answer(&io::Error::from(ErrorKind::NotFound)).context(error)
    }

    fn no_answer(&self, error: &io::Error) -> anyhow::Error {
        let mend = match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                "is the daemon running (`systemctl status apitap`)? --socket says where its socket is, --state what to look into \
                 without one"
            }
            ErrorKind::PermissionDenied => "only root and the daemon's group may speak to it: use sudo",
            _ => "try again",
        };
        anyhow::anyhow!("{}: no answer from a daemon: {error}; {mend}", self.socket.display())
    }
}

/// The configuration of this machine's daemon. One that may not be read, or that is not valid, is as if it were not there:
/// `apitap config check` is for that.
pub fn configured() -> Config {
    let file = Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists());
    Config::load(file).or_else(|_| Config::load(None)).unwrap_or_default()
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Opens a folder that has a state, and says what was wrong with it.
pub fn existing(folder: &Path) -> anyhow::Result<State> {
    let state = State::open_existing(folder, probe::in_child).map_err(with_socket_hint)?;
    state.notes().iter().for_each(|note| super::note(note));
    Ok(state)
}

/// What is said of a folder that could not be opened: a daemon that has it is found by its socket.
pub fn with_socket_hint(error: StateError) -> anyhow::Error {
    let is_in_use = matches!(error, StateError::InUse { .. });
    let error = anyhow::Error::from(error);
    if is_in_use { error.context("a daemon that has the folder does it when asked: give its --socket") } else { error }
}

/// What a daemon that has this folder would answer, without one.
fn of_folder(folder: &Path, request: &Request, rules: Option<&Path>) -> anyhow::Result<Value> {
    let mut state = existing(folder)?;
    let refused = |reason: String| anyhow::anyhow!("{reason}");
    match request.clone() {
        Request::Suppressions => Ok(serde_json::to_value(suppressions(folder).list())?),
        Request::Suppress { detector, endpoint, client, seconds, reason } => {
            let new = Added::new(detector, endpoint, client, Duration::from_secs(seconds), reason).map_err(refused)?;
            Ok(serde_json::to_value(suppressions(folder).add(new)?)?)
        }
        Request::Unsuppress { id } => {
            suppressions(folder).remove(id).map_err(refused)?;
            Ok(json!(format!("suppression {id} is removed")))
        }
        request => {
            let changes = !matches!(request, Request::Incidents | Request::Habits | Request::Incident { .. });
            let rules = Ruleset::load(rules).unwrap_or_default(); // they only name and advise here
            with_incidents(&mut state, changes.then_some(Leave::Delta), |incidents, recovered| {
                let now = recovered.singles.newest.unwrap_or(Timestamp(0));
                let context = incidents::Context { store: &recovered.store, rules: &rules, now };
                match request {
                    // Sinks and log hear of it from the daemon.
                    Request::Close { id } => {
                        let id = whole_id(incidents, id)?;
                        if !incidents.close_later(&id) {
                            return Err(incidents::unknown(&id));
                        }
                        Ok(json!(format!("{id} is closed; that is told when the sensor runs again")))
                    }
                    request => incidents::carry_out(request, incidents, &context).map(|(reply, _)| reply),
                }
            })?
            .map_err(refused)
        }
    }
}

fn suppressions(folder: &Path) -> Suppressions {
    let mut notes = Vec::new();
    let suppressions = Suppressions::open(folder, &mut notes);
    notes.iter().for_each(|note| super::note(note));
    suppressions
}

/// Does something with the incidents of a folder, and writes what that changed, where it is wished.
pub fn with_incidents<T>(
    state: &mut State,
    leave: Option<Leave>,
    deed: impl FnOnce(&mut Incidents, &Recovered) -> T,
) -> anyhow::Result<T> {
    // Of clients only what is to be forgotten changes.
    let mut recovered = if leave == Some(Leave::Nothing) { state.recover()? } else { state.recover_endpoints()? };
    let mut incidents = Incidents::new(state.key());
    if !recovered.singles.incidents.is_empty() {
        incidents.restore(&recovered.singles.incidents).context("the open incidents of the state are damaged")?;
    }
    let done = deed(&mut incidents, &recovered);
    if let Some(leave) = leave {
        recovered.singles.incidents = incidents.to_json()?;
        state.checkpoint(&Cut::of(&recovered.store, &recovered.singles, leave))?;
    }
    Ok(done)
}
