//! Suppressions that operators added while the daemon ran: kept in the state folder, beside those of the rules.
//!
//! In go what is not to be told, until when and why; out come [`Suppression`]s. The file is written beside and renamed.
//! A file that cannot be read is put aside and said: no suppression is better than no daemon.

use crate::rule::{Network, Ruleset, Suppression, did_you_mean};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

const FILE: &str = "suppressions.json";
/// More than anybody looks through.
const MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Nanoseconds since 1970, UTC.
    pub until: i64,
    pub reason: String,
}

impl Added {
    /// One that begins now, without a number yet. Refused: one that would keep all quiet, one without a reason, and names
    /// that nothing has.
    pub fn new(
        detector: Option<String>,
        endpoint: Option<String>,
        client: Option<String>,
        span: Duration,
        reason: String,
    ) -> Result<Added, String> {
        if detector.is_none() && endpoint.is_none() && client.is_none() {
            return Err("name a detector, an endpoint or a client: nothing would be told any more otherwise".to_owned());
        }
        if reason.trim().is_empty() {
            return Err("say why this is not to be told (--reason)".to_owned());
        }
        if let Some(name) = detector.as_deref().filter(|name| !Ruleset::detectors().contains(name)) {
            let hint = did_you_mean(name, Ruleset::detectors().iter().copied());
            return Err(format!("no detector is called `{name}`{hint}"));
        }
        if let Some(client) = &client {
            client.parse::<Network>()?;
        }
        Ok(Added { id: 0, detector, endpoint, client, until: now().saturating_add(span).0, reason })
    }

    /// None where the client is neither an address nor a network.
    pub fn suppression(&self) -> Option<Suppression> {
        Some(Suppression {
            detector: self.detector.clone(),
            endpoint: self.endpoint.clone(),
            client: self.client.as_deref().map(str::parse).transpose().ok()?,
            until: Some(Timestamp(self.until)),
            reason: self.reason.clone(),
        })
    }
}

pub struct Suppressions {
    path: PathBuf,
    added: Mutex<Vec<Added>>,
}

impl Suppressions {
    pub fn open(folder: &Path, notes: &mut Vec<String>) -> Suppressions {
        let path = folder.join(FILE);
        let read = std::fs::read(&path).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
        let added = read.unwrap_or_else(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                let aside = path.with_extension("json.damaged");
                let moved = std::fs::rename(&path, &aside).is_ok();
                let kept = if moved { format!("; put aside as {}", aside.display()) } else { String::new() };
                notes.push(format!("{}: the suppressions cannot be read: {error}{kept}", path.display()));
            }
            Vec::new()
        });
        Suppressions { path, added: Mutex::new(added) }
    }

    /// Those that hold still, by the wall's time.
    pub fn active(&self) -> Vec<Suppression> {
        self.list().iter().filter_map(Added::suppression).collect()
    }

    pub fn list(&self) -> Vec<Added> {
        let now = now();
        self.lock().iter().filter(|added| added.until > now.0).cloned().collect()
    }

    /// Adds one, and gives it its number.
    pub fn add(&self, mut new: Added) -> io::Result<Added> {
        let mut added = self.lock();
        let mut next = added.clone();
        let now = now();
        next.retain(|added| added.until > now.0);
        if next.len() >= MAX {
            return Err(io::Error::other(format!("there are {MAX} suppressions already; remove some first")));
        }
        new.id = added.iter().map(|added| added.id).max().unwrap_or(0) + 1;
        next.push(new.clone());
        self.write(&next)?;
        *added = next;
        Ok(new)
    }

    /// Removes one by its number.
    pub fn remove(&self, id: u64) -> Result<(), String> {
        let mut added = self.lock();
        let mut next = added.clone();
        next.retain(|added| added.id != id);
        if next.len() == added.len() {
            return Err(format!("there is no suppression {id}; `apitap suppress --list` shows those that there are"));
        }
        self.write(&next).map_err(|error| error.to_string())?;
        *added = next;
        Ok(())
    }

    fn write(&self, added: &[Added]) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(added)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Added>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner) // replaced as a whole
    }
}

/// The wall's time: an expiry is set by people, for people.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an(until: Timestamp) -> Added {
        Added {
            id: 0,
            detector: Some("scanner".to_owned()),
            endpoint: None,
            client: Some("192.0.2.0/24".to_owned()),
            until: until.0,
            reason: "our own scan".to_owned(),
        }
    }

    #[test]
    fn what_is_added_comes_back_until_it_is_over_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Vec::new();
        let all = Suppressions::open(folder.path(), &mut notes);
        let first = all.add(an(now().saturating_add(Duration::from_secs(60)))).unwrap();
        all.add(an(now().saturating_sub(Duration::from_secs(60)))).unwrap();
        let again = Suppressions::open(folder.path(), &mut notes);
        assert_eq!(again.list(), std::slice::from_ref(&first));
        assert_eq!(again.active().len(), 1);
        assert!(again.remove(first.id).is_ok() && again.remove(first.id).is_err());
        assert!(Suppressions::open(folder.path(), &mut notes).list().is_empty() && notes.is_empty());
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "[{").unwrap();
        let mut notes = Vec::new();
        assert!(Suppressions::open(folder.path(), &mut notes).list().is_empty());
        assert!(notes.len() == 1 && folder.path().join("suppressions.json.damaged").exists(), "{notes:?}");
    }
}
