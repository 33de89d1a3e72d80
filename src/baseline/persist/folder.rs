//! The folder of a state: its names, its lock, and the ways in which a file gets in and out of it.
//!
//! ```text
//! lock                          the process that has it; the lock itself ends with the process
//! key                           16 random bytes
//! export/0000000120.whole       everything as of checkpoint 120
//! export/0000000121.delta       what checkpoint 121 changed; it belongs to the whole export with the next lower number
//! db/                           the working copy
//! *.quarantined-1764000000      what was damaged, by the time it was put aside
//! ```
//!
//! A number is used once. A file is written beside its place, brought to the disk and renamed, so what has its name is
//! whole unless the disk damages it.

use super::StateError;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const WHOLE: &str = "whole";
const DELTA: &str = "delta";
const ASIDE: &str = "quarantined-";
const BESIDE: &str = "new";

/// Databases, and files of exports, that are kept when they were put aside.
const ASIDE_DATABASES: usize = 2;
const ASIDE_FILES: usize = 8;

/// A folder that was just closed is still being let go of: it is tried again for two seconds.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The file of the hash key.
pub const KEY: &str = "key";

/// A folder that this process has.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// The numbers of the exports, in ascending order.
#[derive(Default, Debug)]
pub struct Numbers {
    pub wholes: Vec<u64>,
    pub deltas: Vec<u64>,
}

impl Numbers {
    pub fn highest(&self) -> Option<u64> {
        self.wholes.last().max(self.deltas.last()).copied()
    }
}

impl Folder {
    /// Takes a folder, made where there is none. Refused: one that another process has.
    pub fn take(path: &Path) -> Result<Folder, StateError> {
        let of_folder = |source| StateError::Folder { folder: path.to_path_buf(), source };
        for folder in [path.to_path_buf(), path.join("export")] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(of_folder)?;
        }
        let lock = lock(path)?;
        let folder = Folder { path: path.to_path_buf(), _lock: lock };
        // What a process left that was killed while it wrote.
        for left in entries(&folder.exports()).filter(|path| extension(path) == BESIDE) {
            let _ = std::fs::remove_file(left); // it takes room and nothing more
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn key(&self) -> PathBuf {
        self.path.join(KEY)
    }

    pub fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    fn exports(&self) -> PathBuf {
        self.path.join("export")
    }

    pub fn whole(&self, number: u64) -> PathBuf {
        self.exports().join(format!("{number:010}.{WHOLE}"))
    }

    pub fn delta(&self, number: u64) -> PathBuf {
        self.exports().join(format!("{number:010}.{DELTA}"))
    }

    pub fn numbers(&self) -> Numbers {
        let mut numbers = Numbers::default();
        for path in entries(&self.exports()) {
            let number = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
            match (extension(&path), number) {
                (WHOLE, Some(number)) => numbers.wholes.push(number),
                (DELTA, Some(number)) => numbers.deltas.push(number),
                _ => {}
            }
        }
        numbers.wholes.sort_unstable();
        numbers.deltas.sort_unstable();
        numbers
    }

    /// Deletes exports that are no longer needed: whole ones and deltas by their numbers.
    pub fn prune(&self, keeps_whole: impl Fn(u64) -> bool, keeps_delta: impl Fn(u64) -> bool) -> io::Result<()> {
        let numbers = self.numbers();
        for number in numbers.wholes.into_iter().filter(|number| !keeps_whole(*number)) {
            std::fs::remove_file(self.whole(number))?;
        }
        for number in numbers.deltas.into_iter().filter(|number| !keeps_delta(*number)) {
            std::fs::remove_file(self.delta(number))?;
        }
        Ok(())
    }

    /// Renames what is damaged, and deletes the oldest of what was put aside before. Gives the new name.
    pub fn put_aside(&self, path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(&self.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let aside = (now..)
            .map(|second| parent.join(format!("{name}.{ASIDE}{second}")))
            .find(|aside| !aside.exists())
            .unwrap_or_else(|| parent.join(ASIDE)); // some second is free
        std::fs::rename(path, &aside)?;
        self.bound_aside(ASIDE_DATABASES, ASIDE_FILES)?;
        Ok(aside)
    }

    /// The same, with what is to be said of it.
    pub fn put_aside_for(&self, path: &Path, problem: &str) -> String {
        let name = path.display();
        match self.put_aside(path) {
            Ok(aside) => format!("{name} is damaged ({problem}); put aside as {}", aside.display()),
            Err(error) => format!("{name} is damaged ({problem}), and cannot be put aside: {error}"),
        }
    }

    /// Keeps the newest of what was put aside.
    pub fn bound_aside(&self, databases: usize, files: usize) -> io::Result<()> {
        for (folder, kept) in [(&self.path, databases), (&self.exports(), files)] {
            let mut aside = aside_in(folder);
            aside.sort_by_cached_key(|path| time_aside(path));
            let excess = aside.len().saturating_sub(kept);
            aside.drain(..excess).try_for_each(|path| remove(&path))?;
        }
        Ok(())
    }

    /// What was put aside.
    pub fn aside(&self) -> Vec<PathBuf> {
        let mut aside = aside_in(&self.path);
        aside.extend(aside_in(&self.exports()));
        aside
    }
}

fn lock(folder: &Path) -> Result<File, StateError> {
    let of_folder = |source| StateError::Folder { folder: folder.to_path_buf(), source };
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(of_folder)?;
    let mut attempts_left = LOCK_ATTEMPTS;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::Error(source) => return Err(of_folder(source)),
            TryLockError::WouldBlock if attempts_left == 0 => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text); // who it is only helps
                let process = text.trim().parse().ok();
                return Err(StateError::InUse { folder: folder.to_path_buf(), process: Process(process) });
            }
            TryLockError::WouldBlock => {
                attempts_left -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
        }
    }
    // A full disk must not keep a sensor from starting: the number only helps.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// The process that has a folder, where it is known.
#[derive(Debug)]
pub struct Process(pub Option<u32>);

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(OsStr::to_str).unwrap_or_default()
}

fn aside_in(folder: &Path) -> Vec<PathBuf> {
    entries(folder).filter(|path| extension(path).starts_with(ASIDE)).collect()
}

fn time_aside(path: &Path) -> u64 {
    extension(path).strip_prefix(ASIDE).and_then(|time| time.parse().ok()).unwrap_or(0)
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

/// Writes a file beside its place, brings it to the disk and renames it.
pub fn write_beside<T>(path: &Path, write: impl FnOnce(File) -> io::Result<T>) -> io::Result<T> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{BESIDE}"));
    let beside = parent.join(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(write)
        .and_then(|written| std::fs::rename(&beside, path).map(|()| written));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside); // what is left would only take room
    }
    let written = written?;
    File::open(parent)?.sync_all()?;
    Ok(written)
}

/// Bytes of a file, or of all files below a folder.
pub fn size_of(path: &Path) -> u64 {
    if path.is_dir() {
        entries(path).map(|path| size_of(&path)).sum()
    } else {
        std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
    }
}
