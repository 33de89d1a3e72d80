//! What can be asked of incidents, by whoever has them: the judge of a daemon, or a command that opened the folder.
//!
//! In go a request and the incidents; out comes the reply, and the alert that everybody is to be told, if there is one.
//! Refused: an id that nobody knows or several begin with, and every request that takes a running daemon.

use super::control::{Request, value_of};
use crate::alert::Incidents;
use crate::alert::record::AlertRecord;
use crate::baseline::Store;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use serde_json::{Value, json};

/// What names and times of incidents come from.
pub struct Context<'c> {
    pub store: &'c Store,
    pub rules: &'c Ruleset,
    /// Event time.
    pub now: Timestamp,
}

pub fn carry_out(
    request: Request,
    incidents: &mut Incidents,
    context: &Context<'_>,
) -> Result<(Value, Option<AlertRecord>), String> {
    let Context { store, rules, now } = *context;
    let reply = match request {
        Request::Incidents => value_of(&incidents.list(store))?,
        Request::Habits => value_of(&incidents.habits(store))?,
        Request::Incident { id } => {
            let id = whole_id(incidents, id)?;
            value_of(&incidents.show(&id, now, store, rules).ok_or_else(|| unknown(&id))?)?
        }
        Request::Acknowledge { id } => {
            let id = whole_id(incidents, id)?;
            if !incidents.acknowledge(&id) {
                return Err(unknown(&id));
            }
            json!(format!("{id} is acknowledged: what is found in it again, up to twice as much, is no news"))
        }
        Request::Unacknowledge { id } => {
            let id = whole_id(incidents, id)?;
            if !incidents.unacknowledge(&id) {
                return Err(format!(
                    "no acknowledged incident has the id {id}; `apitap incident list --learned` shows those that have taught"
                ));
            }
            json!(format!("{id} is not acknowledged any more: what is found of it is told again"))
        }
        Request::Close { id } => {
            let id = whole_id(incidents, id)?;
            let closed = incidents.close_one(&id, now, store, rules).ok_or_else(|| unknown(&id))?;
            return Ok((json!(format!("{id} is closed")), Some(closed)));
        }
        _ => return Err("only a running daemon can do that; start it (`systemctl start apitap`)".to_owned()),
    };
    Ok((reply, None))
}

pub fn unknown(id: &str) -> String {
    format!("no open incident has the id {id}; `apitap incident list` shows those that are")
}

/// The whole id of an incident of which the beginning was given. What is not known stays as it is.
pub fn whole_id(incidents: &Incidents, begin: String) -> Result<String, String> {
    let mut like = incidents.ids_like(&begin);
    match like.len() {
        0 => Ok(begin),
        1 => Ok(like.remove(0)),
        count => {
            like.truncate(5);
            Err(format!("{count} incidents begin with {begin}, such as {}; give more of its digits", like.join(", ")))
        }
    }
}
