//! The control socket: one request a connection, a line of JSON; one reply, a line of JSON.
//!
//! Requests are [`Request`]; a reply is `{"ok": ...}` or `{"error": "..."}`. Who may use the socket is a matter of its
//! permissions (0660, owner and group of the daemon). [`ask`] is the other end, for commands.

use super::Daemon;
use super::incidents::{self, Context};
use super::suppressions::Added;
use crate::alert::inventory_records;
use crate::baseline::{Forget, Leave, State};
use crate::pipeline::{Failure, Judge};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// What can be asked of a daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    /// Configuration, rules, suppressions and descriptions are read again.
    Reload,
    Inventory,
    Incidents,
    /// What acknowledged incidents taught.
    Habits,
    Incident {
        id: String,
    },
    Acknowledge {
        id: String,
    },
    Unacknowledge {
        id: String,
    },
    Close {
        id: String,
    },
    Suppressions,
    Suppress {
        detector: Option<String>,
        endpoint: Option<String>,
        client: Option<String>,
        seconds: u64,
        reason: String,
    },
    Unsuppress {
        id: u64,
    },
    ForgetClient {
        client: IpAddr,
    },
    ForgetEndpoint {
        endpoint: String,
    },
    /// What changed is written now.
    Checkpoint,
    /// Which state folder it has.
    Folder,
    /// What the state amounts to; what changed is written first.
    Statistics,
    /// All of it is written, and where that is: whoever may read the file copies it. The daemon itself writes nowhere but
    /// into its own folders.
    Export,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Ok(Value),
    Error(String),
}

/// The judge is busy with a window at most for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// A checkpoint of a large state is written within so long.
const WRITING: Duration = Duration::from_secs(60);
/// A reply is read up to this size: an inventory of all endpoints.
const MAX_REPLY: u64 = 256 << 20;

/// Asks the daemon behind a socket.
pub fn ask(socket: &Path, request: &Request) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(2 * (PATIENCE + WRITING)))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = Vec::new();
    BufReader::new(stream.take(MAX_REPLY)).read_until(b'\n', &mut reply)?;
    if reply.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon gave no reply; is it ending?"));
    }
    serde_json::from_slice(&reply).map_err(io::Error::from)
}

/// What a line from the socket is answered with.
pub fn answer(daemon: &Arc<Daemon>, line: &[u8]) -> Vec<u8> {
    let reply = match serde_json::from_slice::<Request>(line) {
        Ok(request) => carry_out(daemon, request).map_or_else(Reply::Error, Reply::Ok),
        Err(error) => Reply::Error(format!("the request is not understood: {error}")),
    };
    let mut reply = serde_json::to_vec(&reply).unwrap_or_default(); // strings and numbers always become JSON
    reply.push(b'\n');
    reply
}

fn carry_out(daemon: &Arc<Daemon>, request: Request) -> Result<Value, String> {
    match request {
        Request::Status => value_of(&super::status::status(daemon)?),
        Request::Reload => Ok(json!(daemon.reload().map_err(|error| error.to_string())?)),
        Request::Inventory => {
            let now = daemon.board.reading().newest.unwrap_or(Timestamp(0));
            let settings = daemon.on_judge(|judge| Arc::clone(judge.settings()))?;
            value_of(&inventory_records(&daemon.store, &settings.catalogue, now))
        }
        Request::Suppressions => value_of(&daemon.suppressions.list()),
        Request::Suppress { detector, endpoint, client, seconds, reason } => {
            let new = Added::new(detector, endpoint, client, Duration::from_secs(seconds), reason)?;
            let added = daemon.suppressions.add(new).map_err(|error| format!("cannot be kept: {error}"))?;
            daemon.reload().map_err(|error| format!("kept, but not yet in force: {error}"))?;
            value_of(&added)
        }
        Request::Unsuppress { id } => {
            daemon.suppressions.remove(id)?;
            daemon.reload().map_err(|error| error.to_string())?;
            Ok(json!(format!("suppression {id} is removed")))
        }
        Request::ForgetClient { client } => forget(daemon, Forget::Client(client)),
        Request::ForgetEndpoint { endpoint } => forget(daemon, Forget::Endpoint(endpoint)),
        Request::Checkpoint => {
            write(daemon, Leave::Delta)?;
            Ok(json!("what changed is written"))
        }
        Request::Folder => {
            let folder = daemon.config().state.folder;
            Ok(json!(folder.canonicalize().unwrap_or(folder)))
        }
        Request::Statistics => {
            write(daemon, Leave::Delta)?;
            value_of(&look(daemon, State::statistics)?.map_err(|error| error.to_string())?)
        }
        Request::Export => {
            write(daemon, Leave::Whole)?;
            let export = look(daemon, State::newest_export)?;
            Ok(json!(export.canonicalize().unwrap_or(export)))
        }
        of_incidents => {
            let (store, sinks, now) = (Arc::clone(&daemon.store), Arc::clone(&daemon.sinks), daemon.now());
            daemon.on_judge(move |judge| {
                let rules = Arc::clone(judge.rules());
                let context = Context { store: &store, rules: &rules, now };
                let (reply, told) = incidents::carry_out(of_incidents, judge.incidents_mut(), &context)?;
                told.iter().for_each(|alert| sinks.alert(alert));
                Ok(reply)
            })?
        }
    }
}

fn forget(daemon: &Arc<Daemon>, what: Forget) -> Result<Value, String> {
    let for_judge = Arc::clone(daemon);
    let forgotten = daemon.on_judge(move |judge| judge.forget(&what, &for_judge.key))?;
    match write(daemon, Leave::Nothing) {
        Ok(()) => Ok(json!(forgotten.to_string())),
        Err(error) => Err(format!("forgotten, but it is on the disk still: {error}; ask again when that is mended")),
    }
}

const LOST: &str = "the thread that writes the state was lost; restart the sensor";

/// Writes a checkpoint, and waits until it is on the disk.
fn write(daemon: &Arc<Daemon>, leave: Leave) -> Result<(), String> {
    let slow = || match daemon.checkpointer.is_lost() {
        true => LOST.to_owned(),
        false => "the state is still being written; try again".to_owned(),
    };
    let until = Instant::now() + WRITING;
    loop {
        if !daemon.checkpointer.wait(until.saturating_duration_since(Instant::now())) {
            return Err(slow());
        }
        let for_judge = Arc::clone(daemon);
        // False where somebody else's cut came first.
        if daemon.on_judge(move |judge| for_judge.checkpointer.submit(judge.cut(leave)))? {
            break;
        }
    }
    if !daemon.checkpointer.wait(until.saturating_duration_since(Instant::now())) {
        return Err(slow());
    }
    let progress = daemon.checkpointer.progress();
    match progress.last_error.filter(|_| progress.failures > 0) {
        Some((_, problem)) => Err(problem),
        None => Ok(()),
    }
}

fn look<T>(daemon: &Daemon, look: impl FnOnce(&State) -> T) -> Result<T, String> {
    daemon.checkpointer.look(look).ok_or_else(|| LOST.to_owned())
}

pub(super) fn value_of<T: Serialize>(value: &T) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

impl Daemon {
    /// Does something with the judge between two windows, and waits for it.
    pub(super) fn on_judge<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Judge) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (done, result) = channel();
        let over = |_: Failure| "the daemon is ending".to_owned();
        self.between.run(move |judge| drop(done.send(deed(judge)))).map_err(over)?;
        result.recv_timeout(PATIENCE).map_err(|_| "the daemon is too busy; try again".to_owned())
    }

    /// Event time.
    fn now(&self) -> Timestamp {
        self.board.reading().newest.unwrap_or_else(super::suppressions::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies_are_lines_that_people_can_write() {
        let request: Request = serde_json::from_str(r#"{"request":"close","id":"a1"}"#).unwrap();
        assert_eq!(request, Request::Close { id: "a1".to_owned() });
        assert!(serde_json::from_str::<Request>(r#"{"request":"close","id":"a1","force":1}"#).is_err());
        assert_eq!(serde_json::to_string(&Reply::Error("no".to_owned())).unwrap(), r#"{"error":"no"}"#);
        assert_eq!(serde_json::to_string(&Reply::Ok(json!(["x"]))).unwrap(), r#"{"ok":["x"]}"#);
    }
}
