//! State between runs, behind this one narrow interface.
//!
//! A folder in, what it holds out ([`State::recover`]); then a [`Cut`] at each checkpoint. The exports are the truth: a
//! whole one, and a delta for each checkpoint since, checksummed, written beside and renamed, two generations of them.
//! The database is a working copy of the same, filled anew wherever it differs. The hash key (mode 0600: whoever has it
//! can test guesses of user names against hashes) is in a file of its own and in every export.
//!
//! Whatever is damaged is put aside, and said in [`State::notes`]; what is left is opened. Refused are only a folder that
//! cannot be written, one that another process has, and one of another version.

mod checkpointer;
mod chosen;
mod cut;
mod database;
mod file;
mod folder;
pub(super) mod histogram_text;
mod load;
mod merge;
pub mod probe;
mod record;
mod stats;
mod working_copy;

pub use checkpointer::{Checkpointer, Progress};
pub use cut::{Cut, Leave, Singles};
pub use file::Extent;
pub use folder::{Process, size_of};
pub use load::Recovered;
pub use probe::Probe;
pub use record::Kind;
pub use stats::{Generation, Statistics};

use crate::hash::HashKey;
use chosen::Chosen;
use database::{Database, FORMER_VERSION};
use file::{Header, Reader, Unreadable, Writer, verify};
use folder::{Folder, write_beside};
use merge::Merged;
use record::{Place, Record, Records, Single};
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use working_copy::WorkingCopy;

/// Deltas after which a whole export is made, whether or not anyone asks: each is one more file to read at the start.
const MAX_DELTAS: usize = 120;
/// What a folder may take unless somebody says otherwise.
const DEFAULT_BYTES: u64 = 2 << 30;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("state folder `{}`: {source}; give a folder that apitap may write, with room on its disk", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("state folder `{}` has no state; `apitap replay --state` makes one", folder.display())]
    Missing { folder: PathBuf },
    #[error("state folder `{}` is in use by another apitap{process}; wait until that has ended, or give each a folder of its own", folder.display())]
    InUse { folder: PathBuf, process: Process },
    #[error("`{}` was written in format {found}, this apitap reads {}; use the apitap that wrote it, or move the folder away to start anew", path.display(), file::VERSION)]
    Version { path: PathBuf, found: u64 },
    #[error("`{}` cannot be read: {source}", path.display())]
    Export { path: PathBuf, source: Unreadable },
}

/// The state of a folder.
pub struct State {
    folder: Folder,
    key: HashKey,
    /// What the state is made of.
    chosen: Chosen,
    /// The number of the next checkpoint.
    next: u64,
    copy: WorkingCopy,
    notes: Vec<String>,
    is_new: bool,
    /// Hashes of what is kept once, as it was written last.
    written: BTreeMap<Place, u64>,
    /// Bytes that the folder may take, see [`State::bound`].
    most_bytes: u64,
}

/// What a checkpoint wrote.
#[derive(Clone, Default, Debug)]
pub struct Written {
    pub delta: Extent,
    pub whole: Option<Extent>,
    /// Why the working copy was given up, if it was: it is filled anew at the next whole export or start. Or that the folder
    /// takes more than it may.
    pub problem: Option<String>,
}

impl State {
    /// Opens the state of a folder, made where there is none.
    pub fn open(path: &Path, probe: Probe) -> Result<State, StateError> {
        let folder = Folder::take(path)?;
        let next = folder.numbers().highest().map_or(0, |highest| highest + 1);
        let mut notes = Vec::new();
        let chosen = chosen::choose(&folder, &mut notes)?;
        let (key, is_made) = key_of(&folder.key(), chosen.key, &mut notes).map_err(|source| failed(&folder, source))?;
        if is_made && folder.database().exists() {
            notes.push(folder.put_aside_for(&folder.database(), "its key is lost"));
        }
        let copy = WorkingCopy::open(&folder, probe, &mut notes);
        let is_new = chosen.records == 0;
        let mut state = State {
            folder,
            key,
            chosen,
            next,
            copy,
            notes,
            is_new,
            written: BTreeMap::new(),
            most_bytes: DEFAULT_BYTES,
        };
        let begun = if state.chosen.files.is_empty() { state.begin() } else { Ok(()) };
        match begun {
            // A sensor that keeps nothing sees more than none.
            Err(StateError::Folder { source, .. }) if is_full(&source) => {
                state.notes.push(format!("{}: {source}; nothing is kept until there is room", path.display()));
                return Ok(state);
            }
            begun => begun?,
        }
        if state.chosen.is_damaged
            && let Err(error) = state.export_whole()
        {
            state.notes.push(error.to_string()); // tried again at the next checkpoint
        }
        state.copy.bring_up(&state.chosen);
        state.notes.extend(state.copy.problem().map(|problem| format!("the working copy is given up: {problem}")));
        Ok(state)
    }

    /// Opens the state of a folder that has one.
    pub fn open_existing(path: &Path, probe: Probe) -> Result<State, StateError> {
        let has_some = ["key", "export", "db"].iter().any(|name| path.join(name).exists());
        if has_some { State::open(path, probe) } else { Err(StateError::Missing { folder: path.to_path_buf() }) }
    }

    /// How many bytes the folder may take. Half of them are for the working copy, an eighth for the deltas of each of the
    /// two generations; what is left is for their whole exports, which only the number of keys bounds.
    pub fn bound(&mut self, bytes: u64) {
        self.most_bytes = bytes;
    }

    /// True when nothing was ever saved here.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn key(&self) -> HashKey {
        self.key
    }

    /// What was damaged and put aside, lost or migrated: each a line for the log.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the folder holds.
    pub fn recover(&self) -> Result<Recovered, StateError> {
        let mut recovered = Recovered::default();
        self.each(|record| {
            recovered.take(record);
            true
        })?;
        recovered.store.changes.track();
        Ok(recovered)
    }

    /// What the folder holds of endpoints and what is kept once, without a look at the rest.
    pub fn recover_endpoints(&self) -> Result<Recovered, StateError> {
        let Some(database) = self.copy.database() else { return self.recover() };
        let mut recovered = Recovered::default();
        let mut read =
            |kind| database.each(kind, |key, value| recovered.take(Record { place: (kind, key), value: Some(value) }));
        match read(Kind::Single).and_then(|()| read(Kind::Endpoint)) {
            Ok(()) => Ok(recovered),
            Err(_) => self.recover(), // the exports are the truth
        }
    }

    /// Every record in order, until one is answered with false.
    fn each(&self, mut take: impl FnMut(Record<'_>) -> bool) -> Result<(), StateError> {
        let mut walk = || {
            let mut merged = Merged::open(&self.chosen.files)?;
            while merged.next()?.is_some_and(&mut take) {}
            Ok(())
        };
        walk().map_err(|source| StateError::Export { path: self.folder.path().to_path_buf(), source })
    }

    /// Writes a cut; it is on the disk when this returns. After an error all that was there before still is.
    pub fn checkpoint(&mut self, cut: &Cut) -> Result<Written, StateError> {
        if self.chosen.files.is_empty() {
            self.begin()?; // there was no room for it before
        }
        if self.chosen.is_damaged {
            self.export_whole()?; // a delta must not come after a hole
        }
        let mut written = Written { delta: self.write_delta(cut)?, ..Written::default() };
        let is_due = cut.leave > Leave::Delta
            || self.chosen.deltas() >= MAX_DELTAS
            || self.chosen.delta_bytes() > self.most_bytes / 8;
        if is_due && self.chosen.deltas() > 0 {
            written.whole = Some(self.export_whole()?);
        }
        if cut.leave == Leave::Nothing {
            self.leave_nothing_older()?;
        }
        self.copy.keep_within(self.most_bytes / 2, &self.chosen);
        written.problem = self.copy.problem().map(str::to_string).or_else(|| self.over_bound());
        Ok(written)
    }

    /// Whole exports are as large as what there is to keep.
    fn over_bound(&self) -> Option<String> {
        let (size, most) = (size_of(self.folder.path()), self.most_bytes);
        (size > most).then(|| {
            format!(
                "the state takes {} MiB and may take {}: raise `state.max_disk_mib`, or lower the keys of `limits`",
                size >> 20,
                most >> 20
            )
        })
    }

    fn write_delta(&mut self, cut: &Cut) -> Result<Extent, StateError> {
        let singles: Vec<&(Place, Vec<u8>)> =
            cut.singles.iter().filter(|(place, value)| self.written.get(place) != Some(&sum_of(value))).collect();
        if cut.changed == 0 && singles.is_empty() {
            return Ok(Extent::default());
        }
        let path = self.folder.delta(self.next);
        let header = Header { number: self.next, key: self.key };
        let write = |file| {
            let mut writer = Writer::begin(file, header)?;
            for (place, value) in &singles {
                writer.put(Record { place: *place, value: Some(value) })?;
            }
            cut.records.each(|record| writer.put(record))?;
            writer.finish()
        };
        let extent = write_beside(&path, write).map_err(|source| failed(&self.folder, source))?;
        self.written.extend(singles.iter().map(|(place, value)| (*place, sum_of(value))));
        self.chosen.push(self.next, path);
        self.next += 1;
        self.is_new = false;
        self.copy.bring_up(&self.chosen);
        Ok(extent)
    }

    /// Makes a whole export of the last one and the deltas since: the judge has no part in it. Keeps the one before.
    fn export_whole(&mut self) -> Result<Extent, StateError> {
        // It is as of the newest delta; behind a hole it goes on with a number that nothing had.
        let number = if self.next == self.chosen.at + 1 { self.chosen.at } else { self.next };
        let before = self.chosen.base;
        let path = self.folder.whole(number);
        let extent =
            write_beside(&path, |file| self.copy_to(file, number)).map_err(|source| failed(&self.folder, source))?;
        self.chosen.begin(number, path);
        self.next = self.next.max(number + 1);
        // What cannot be deleted now is so after the next one.
        let _ = self.folder.prune(|whole| whole == number || whole == before, |delta| delta > before);
        self.copy.bring_up(&self.chosen);
        self.copy.renew(&self.chosen);
        Ok(extent)
    }

    /// Writes all that is kept to a file, without the keys that are gone.
    fn copy_to(&self, file: std::fs::File, number: u64) -> io::Result<Extent> {
        let mut writer = Writer::begin(file, Header { number, key: self.key })?;
        let mut merged = Merged::open(&self.chosen.files).map_err(io::Error::other)?;
        while let Some(record) = merged.next().map_err(io::Error::other)? {
            if record.value.is_some() {
                writer.put(record)?;
            }
        }
        writer.finish()
    }

    /// The first whole export of a folder: of its database, where there is one of before or the exports are lost.
    fn begin(&mut self) -> Result<(), StateError> {
        let Some(database) = self.copy.database() else {
            return self.begin_with(|_| Ok(()));
        };
        let path = self.folder.database();
        let of_database =
            |what: String| StateError::Export { path: path.clone(), source: io::Error::other(what).into() };
        let version = database.version().map_err(of_database)?;
        let note = match version {
            Some(FORMER_VERSION) => format!("the state was of format {FORMER_VERSION}; it is now of {}", file::VERSION),
            Some(version) if version == u64::from(file::VERSION) => {
                "there is no good export; the state is that of the working copy".to_string()
            }
            None => return self.begin_with(|_| Ok(())),
            Some(found) => return Err(StateError::Version { path, found }),
        };
        let mut records = Records::default();
        former_singles(database, &mut records).map_err(of_database)?;
        // The former version's trees have the names and values of this one's.
        for kind in Kind::ALL {
            let each = |key, value: &[u8]| {
                records.push((kind, key), |bytes| {
                    bytes.extend_from_slice(value);
                    true
                })
            };
            database.each(kind, each).map_err(of_database)?;
        }
        self.begin_with(|writer| records.each(|record| writer.put(record)))?;
        self.notes.push(note);
        Ok(())
    }

    /// A whole export that has nothing to do with what was there.
    fn begin_with(&mut self, write: impl FnOnce(&mut Writer) -> io::Result<()>) -> Result<(), StateError> {
        let (number, path) = (self.next, self.folder.whole(self.next));
        let header = Header { number, key: self.key };
        let extent = write_beside(&path, |file| {
            let mut writer = Writer::begin(file, header)?;
            write(&mut writer)?;
            writer.finish()
        })
        .map_err(|source| failed(&self.folder, source))?;
        self.chosen.begin(number, path);
        self.next = number + 1;
        self.is_new = extent.records == 0;
        self.written.clear();
        Ok(())
    }

    /// Deletes all that is older than the newest whole export, and makes the working copy anew: a log-structured
    /// database keeps what was deleted for a while.
    fn leave_nothing_older(&mut self) -> Result<(), StateError> {
        let base = self.chosen.base;
        self.folder
            .prune(|whole| whole == base, |delta| delta > base)
            .and_then(|()| self.folder.bound_aside(0, 0))
            .map_err(|source| failed(&self.folder, source))?;
        self.copy.fill_anew(&self.chosen);
        Ok(())
    }

    /// Where the newest whole export is.
    pub fn newest_export(&self) -> PathBuf {
        self.folder.whole(self.chosen.base)
    }

    /// Writes all that is kept to a file of its own.
    pub fn export(&self, path: &Path) -> Result<Extent, StateError> {
        write_beside(path, |file| self.copy_to(file, self.chosen.at))
            .map_err(|source| StateError::Export { path: path.to_path_buf(), source: source.into() })
    }

    /// Puts what an export holds in the place of what is kept, with its key. The generation before stays on the disk
    /// until the next whole export.
    pub fn import(&mut self, path: &Path) -> Result<(), StateError> {
        let unreadable = |source| match source {
            Unreadable::Version(found) => StateError::Version { path: path.to_path_buf(), found: u64::from(found) },
            source => StateError::Export { path: path.to_path_buf(), source },
        };
        let (header, _) = verify(path).map_err(unreadable)?;
        let mut reader = Reader::open(path).map_err(unreadable)?;
        let before = std::mem::replace(&mut self.key, header.key);
        let began = self.begin_with(|writer| {
            while reader.advance().map_err(io::Error::other)?.is_some() {
                reader.record().map_or(Ok(()), |record| writer.put(record))?;
            }
            Ok(())
        });
        if began.is_err() {
            self.key = before;
        }
        began?;
        self.copy.fill_anew(&self.chosen);
        write_key(&self.folder.key(), self.key).map_err(|source| failed(&self.folder, source))
    }
}

/// Copies a whole export that a running daemon may replace meanwhile, and the daemon's hash key with it.
pub fn copy_export(from: &Path, to: &Path) -> Result<Extent, StateError> {
    let unreadable = |source| StateError::Export { path: from.to_path_buf(), source };
    let mut export = std::fs::File::open(from).map_err(|error| unreadable(error.into()))?;
    let (_, extent) = verify(from).map_err(unreadable)?;
    write_beside(to, |mut file| {
        io::copy(&mut export, &mut file)?;
        file.sync_all()
    })
    .map_err(|source| StateError::Export { path: to.to_path_buf(), source: source.into() })?;
    Ok(extent)
}

fn failed(folder: &Folder, source: io::Error) -> StateError {
    StateError::Folder { folder: folder.path().to_path_buf(), source }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn sum_of(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// What the former version kept once, as records.
fn former_singles(database: &Database, records: &mut Records) -> Result<(), String> {
    let newest = database.former("newest")?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
    let newest = newest.map(|newest| (newest as i64).to_string().into_bytes());
    let found = [
        (Single::Learned, database.former("learned")?),
        (Single::Incidents, database.former("incidents")?),
        (Single::Newest, newest),
    ];
    for (single, value) in found {
        let Some(value) = value else { continue };
        records.push((Kind::Single, single as u64), |bytes| {
            bytes.extend_from_slice(&value);
            true
        });
    }
    Ok(())
}

/// The key that names and values are hashed with in a folder, whoever has it open.
pub fn key_in(folder: &Path) -> io::Result<HashKey> {
    read_key(&folder.join(folder::KEY))
}

fn read_key(path: &Path) -> io::Result<HashKey> {
    let bytes = <[u8; 16]>::try_from(std::fs::read(path)?);
    bytes.map(HashKey::new).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no key"))
}

/// The key of a folder, and whether it was made just now. That of the exports wins, and a lost one is restored from them. On a
/// full disk it is kept by the first export that finds room.
fn key_of(path: &Path, exported: Option<HashKey>, notes: &mut Vec<String>) -> io::Result<(HashKey, bool)> {
    let there = match read_key(path) {
        Ok(key) => Some(key),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        Err(_) => None,
    };
    let write = |key| match write_key(path, key) {
        Err(error) if is_full(&error) => Ok(()),
        written => written,
    };
    match (exported, there) {
        (Some(exported), Some(there)) if exported == there => Ok((exported, false)),
        (Some(exported), _) => {
            notes.push(format!("{} was lost or damaged; it is restored from the export", path.display()));
            write(exported)?;
            Ok((exported, false))
        }
        (None, Some(there)) => Ok((there, false)),
        (None, None) => {
            let mut key = [0; 16];
            std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
            write(HashKey::new(key))?;
            Ok((HashKey::new(key), true))
        }
    }
}

fn write_key(path: &Path, key: HashKey) -> io::Result<()> {
    write_beside(path, |mut file| {
        file.write_all(key.bytes())?;
        file.sync_all()
    })
}

#[cfg(test)]
mod tests;
