//! State between runs: the store in sled, behind this one narrow interface.
//!
//! A folder in, a [`Store`] out, and back. The folder holds the hash key (`key`, mode 0600: whoever has it can test
//! guesses of user names against hashes) and the database. Values are JSON: readable with other tools, and open to
//! fields that come later. What cannot be read is refused with the folder's name and what to do.

use super::state::{ClientState, EndpointState, HostState, PrincipalState};
use super::store::{Map, Store};
use crate::api::template::LearnedParameters;
use crate::hash::HashKey;
use crate::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of what is stored; another version is refused.
const VERSION: u64 = 2;

/// A database that is in use is tried again for two seconds: one that was just closed is still being let go of.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("state folder `{}`: {source}; give a folder that apitap may write", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("state folder `{}` has no state; `apitap replay --state` makes one", folder.display())]
    Missing { folder: PathBuf },
    #[error("state folder `{}` is in use by another apitap; wait until that has ended, or give each a folder of its own", folder.display())]
    InUse { folder: PathBuf },
    #[error("state folder `{}`: the database cannot be opened: {source}; move the folder away to start anew", folder.display())]
    Database { folder: PathBuf, source: sled::Error },
    #[error("state folder `{}` was written in format {found}, this apitap reads {VERSION}; move the folder away to start anew", folder.display())]
    Version { folder: PathBuf, found: u64 },
    #[error("state folder `{}`: {what} is damaged; move the folder away to start anew", folder.display())]
    Damaged { folder: PathBuf, what: String },
}

/// The state of a folder.
pub struct State {
    folder: PathBuf,
    database: sled::Db,
    key: HashKey,
    is_new: bool,
}

impl State {
    /// Opens the state of a folder, made where there is none.
    pub fn open(folder: &Path) -> Result<State, StateError> {
        let of_folder = |source| StateError::Folder { folder: folder.to_path_buf(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(of_folder)?;
        let key = read_or_make_key(&folder.join("key")).map_err(of_folder)?;
        let mut attempts_left = LOCK_ATTEMPTS;
        let database = loop {
            match sled::Config::new().path(folder.join("db")).open() {
                Ok(database) => break database,
                // sled's message for a lock that another holds; it passes on no kind of its own.
                Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                    attempts_left -= 1;
                    if attempts_left == 0 {
                        return Err(StateError::InUse { folder: folder.to_path_buf() });
                    }
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(source) => return Err(StateError::Database { folder: folder.to_path_buf(), source }),
            }
        };
        let mut state = State { folder: folder.to_path_buf(), database, key, is_new: false };
        match state.number("version")? {
            None => state.is_new = true,
            Some(VERSION) => {}
            Some(found) => return Err(StateError::Version { folder: folder.to_path_buf(), found }),
        }
        Ok(state)
    }

    /// Opens the state of a folder that has one.
    pub fn open_existing(folder: &Path) -> Result<State, StateError> {
        match std::fs::metadata(folder.join("key")) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StateError::Missing { folder: folder.to_path_buf() });
            }
            Err(source) => return Err(StateError::Folder { folder: folder.to_path_buf(), source }),
        }
        State::open(folder)
    }

    /// True when nothing was ever saved here.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn key(&self) -> HashKey {
        self.key
    }

    /// Time of the newest frame that taught.
    pub fn newest(&self) -> Option<Timestamp> {
        self.number("newest").ok().flatten().map(|value| Timestamp(value as i64))
    }

    pub fn load(&self) -> Result<Store, StateError> {
        let store = Store::default();
        self.load_map::<EndpointState>("endpoints", &store.endpoints)?;
        self.load_map::<ClientState>("clients", &store.clients)?;
        self.load_map::<PrincipalState>("principals", &store.principals)?;
        self.load_map::<HostState>("hosts", &store.hosts)?;
        self.load_map("login_clients", &store.login_clients)?;
        self.load_map("login_accounts", &store.login_accounts)?;
        self.load_map("reaches", &store.reaches)?;
        Ok(store)
    }

    /// Learned parameters: host and prefix.
    pub fn learned(&self) -> Result<Vec<(String, String)>, StateError> {
        let Some(bytes) = self.get("learned")? else { return Ok(Vec::new()) };
        let learned: LearnedParameters =
            serde_json::from_slice(&bytes).map_err(|_| self.damaged("the learned parameters"))?;
        Ok(learned.iter_sorted().map(|(host, prefix)| (host.to_string(), prefix.to_string())).collect())
    }

    /// The open incidents of the last run, as they were given to [`State::save`].
    pub fn incidents(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.get("incidents")
    }

    pub fn save(
        &self,
        store: &Store,
        learned: &LearnedParameters,
        incidents: &[u8],
        newest: Option<Timestamp>,
    ) -> Result<(), StateError> {
        self.put("incidents", incidents)?;
        self.save_map("endpoints", &store.endpoints)?;
        self.save_map("clients", &store.clients)?;
        self.save_map("principals", &store.principals)?;
        self.save_map("hosts", &store.hosts)?;
        self.save_map("login_clients", &store.login_clients)?;
        self.save_map("login_accounts", &store.login_accounts)?;
        self.save_map("reaches", &store.reaches)?;
        let learned = serde_json::to_vec(learned).map_err(|_| self.damaged("the learned parameters"))?;
        self.put("learned", &learned)?;
        if let Some(newest) = newest.max(self.newest()) {
            self.put("newest", &(newest.0 as u64).to_be_bytes())?;
        }
        self.put("version", &VERSION.to_be_bytes())?;
        self.database.flush().map_err(|source| self.failed(source))?;
        Ok(())
    }

    fn load_map<V: DeserializeOwned>(&self, name: &str, map: &Map<V>) -> Result<(), StateError> {
        let tree = self.database.open_tree(name).map_err(|source| self.failed(source))?;
        for item in tree.iter() {
            let (key, value) = item.map_err(|source| self.failed(source))?;
            let key = <[u8; 8]>::try_from(key.as_ref()).map_err(|_| self.damaged(name))?;
            let value = serde_json::from_slice(&value).map_err(|error| self.damaged(&format!("{name} ({error})")))?;
            map.insert(u64::from_be_bytes(key), value);
        }
        Ok(())
    }

    fn save_map<V: Serialize>(&self, name: &str, map: &Map<V>) -> Result<(), StateError> {
        let tree = self.database.open_tree(name).map_err(|source| self.failed(source))?;
        for item in tree.iter().keys() {
            let key = item.map_err(|source| self.failed(source))?;
            let is_kept = <[u8; 8]>::try_from(key.as_ref()).is_ok_and(|key| map.contains_key(&u64::from_be_bytes(key)));
            if !is_kept {
                tree.remove(&key).map_err(|source| self.failed(source))?;
            }
        }
        for entry in map.iter() {
            let value =
                serde_json::to_vec(entry.value()).map_err(|error| self.damaged(&format!("{name} ({error})")))?;
            tree.insert(entry.key().to_be_bytes(), value).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, StateError> {
        let Some(bytes) = self.get(name)? else { return Ok(None) };
        let bytes = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| self.damaged(name))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.database.get(name).map_err(|source| self.failed(source))?.map(|value| value.to_vec()))
    }

    fn put(&self, name: &str, value: &[u8]) -> Result<(), StateError> {
        self.database.insert(name, value).map_err(|source| self.failed(source))?;
        Ok(())
    }

    fn failed(&self, source: sled::Error) -> StateError {
        StateError::Database { folder: self.folder.clone(), source }
    }

    fn damaged(&self, what: &str) -> StateError {
        StateError::Damaged { folder: self.folder.clone(), what: what.to_string() }
    }
}

fn read_or_make_key(path: &Path) -> std::io::Result<HashKey> {
    let mut key = [0u8; 16];
    match std::fs::File::open(path) {
        Ok(mut file) => {
            file.read_exact(&mut key)?;
            Ok(HashKey::new(key))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(HashKey::new(key))
        }
        Err(error) => Err(error),
    }
}

/// Histograms as their own compressed form (HdrHistogram's V2 encoding), in base64.
pub(super) mod histogram_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Deserializer as HdrReader, Serializer as HdrWriter, V2Serializer};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(histogram: &Histogram<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram<u32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let mut histogram: Histogram<u32> =
            HdrReader::new().deserialize(&mut bytes.as_slice()).map_err(serde::de::Error::custom)?;
        histogram.auto(true);
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{EndpointWindow, Window};

    #[test]
    fn what_is_saved_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (key, before) = {
            let state = State::open(folder.path()).unwrap();
            assert!(state.is_new());
            let store = Store::default();
            let mut window = Window::default();
            window
                .endpoints
                .put(7, EndpointWindow { is_made: true, ..crate::window::an_endpoint("GET", "a.example", "/v1/x") });
            store.absorb(1, window, true);
            let mut learned = LearnedParameters::new();
            learned.learn("a.example", "/v1/articles");
            state.save(&store, &learned, b"{}", Some(Timestamp(42))).unwrap();
            (state.key(), store.endpoints.get(&7).unwrap().name())
        };
        let state = State::open_existing(folder.path()).unwrap();
        assert!(!state.is_new() && state.key() == key && state.newest() == Some(Timestamp(42)));
        assert_eq!(state.incidents().unwrap().unwrap(), b"{}");
        assert_eq!(state.load().unwrap().endpoints.get(&7).unwrap().name(), before);
        assert_eq!(state.learned().unwrap(), vec![("a.example".to_string(), "/v1/articles".to_string())]);
    }

    #[test]
    fn a_folder_without_state_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = State::open_existing(&folder.path().join("none")).err().unwrap().to_string();
        assert!(error.contains("has no state"), "{error}");
    }
}
