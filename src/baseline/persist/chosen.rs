//! Which exports of a folder make up its state: the newest whole one that is good, and the deltas after it.
//!
//! Every byte of them is looked at. A delta that is damaged or missing ends what counts; it and what comes after it is put
//! aside and said. Where a whole export is damaged the one before takes its place, and nothing is lost as long as the
//! deltas between them are there. Refused: another version, and files that cannot be opened for want of rights.

use super::StateError;
use super::file::{Extent, Header, Unreadable, verify};
use super::folder::{Folder, size_of};
use crate::hash::HashKey;
use std::io;
use std::path::{Path, PathBuf};

const BEREFT: &str = "what it follows is missing";

#[derive(Default)]
pub struct Chosen {
    /// A whole export and its deltas, oldest first; none where none is good.
    pub files: Vec<PathBuf>,
    /// The number of the whole export, and that of the newest delta or of the same.
    pub base: u64,
    pub at: u64,
    /// Records in all of them.
    pub records: u64,
    pub key: Option<HashKey>,
    /// Something was damaged, so a whole export is due.
    pub is_damaged: bool,
}

impl Chosen {
    /// What was written takes the place of what was chosen.
    pub fn begin(&mut self, number: u64, path: PathBuf) {
        (self.base, self.at, self.is_damaged) = (number, number, false);
        self.files = vec![path];
    }

    pub fn push(&mut self, number: u64, path: PathBuf) {
        self.at = number;
        self.files.push(path);
    }

    pub fn deltas(&self) -> usize {
        self.files.len().saturating_sub(1)
    }

    /// Bytes of the deltas.
    pub fn delta_bytes(&self) -> u64 {
        self.files.iter().skip(1).map(|file| size_of(file)).sum()
    }

    /// The deltas after a checkpoint, where they are there.
    pub fn after(&self, number: u64) -> Option<&[PathBuf]> {
        let passed = number.checked_sub(self.base)?; // deltas follow one another without a hole
        self.files.get(passed as usize + 1..).filter(|_| number < self.at)
    }
}

/// Chooses, and puts aside what is damaged.
pub fn choose(folder: &Folder, notes: &mut Vec<String>) -> Result<Chosen, StateError> {
    let numbers = folder.numbers();
    let mut chosen = Chosen::default();
    for number in numbers.wholes.into_iter().rev() {
        match looked_at(&folder.whole(number), number, None)? {
            Ok((header, extent)) => {
                chosen.begin(number, folder.whole(number));
                (chosen.key, chosen.records) = (Some(header.key), extent.records);
                break;
            }
            Err(problem) => notes.push(folder.put_aside_for(&folder.whole(number), &problem)),
        }
    }
    let is_damaged = !notes.is_empty();
    let (base, has_none) = (chosen.base, chosen.files.is_empty());
    let mut deltas = numbers.deltas.into_iter().filter(|number| *number > base || has_none);
    let mut lost = Vec::new();
    for number in deltas.by_ref() {
        if has_none || number != chosen.at + 1 {
            lost.push((number, BEREFT.to_string()));
            break;
        }
        match looked_at(&folder.delta(number), number, chosen.key)? {
            Ok((_, extent)) => {
                chosen.push(number, folder.delta(number));
                chosen.records += extent.records;
            }
            Err(problem) => {
                lost.push((number, problem));
                break;
            }
        }
    }
    lost.extend(deltas.map(|number| (number, BEREFT.to_string())));
    for (number, problem) in &lost {
        notes.push(folder.put_aside_for(&folder.delta(*number), problem));
    }
    if !lost.is_empty() {
        notes.push(format!("{} checkpoints are lost: the state is as of checkpoint {}", lost.len(), chosen.at));
    }
    chosen.is_damaged = is_damaged || !lost.is_empty();
    Ok(chosen)
}

/// A whole look at a file: what it is, or what is wrong with it.
fn looked_at(path: &Path, number: u64, key: Option<HashKey>) -> Result<Result<(Header, Extent), String>, StateError> {
    match verify(path) {
        Ok((header, extent)) if header.number == number && key.is_none_or(|key| key == header.key) => {
            Ok(Ok((header, extent)))
        }
        Ok(_) => Ok(Err("it belongs to another state".to_string())),
        Err(Unreadable::Version(found)) => {
            Err(StateError::Version { path: path.to_path_buf(), found: u64::from(found) })
        }
        Err(Unreadable::Io(source)) if !is_of_file(&source) => {
            Err(StateError::Export { path: path.to_path_buf(), source: Unreadable::Io(source) })
        }
        Err(damage) => Ok(Err(damage.to_string())),
    }
}

/// Whether an error is the file's own, and not of this process's rights or means.
fn is_of_file(error: &io::Error) -> bool {
    let of_means = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EINTR];
    error.kind() != io::ErrorKind::PermissionDenied
        && !error.raw_os_error().is_some_and(|code| of_means.contains(&code))
}
