//! The database of a folder, kept as of the exports.
//!
//! In: the exports that were chosen. Out: records of one kind, without reading the rest; and all of them where the exports
//! are lost. It is opened only when a probe has survived that; what has not is put aside. Where it fails while it is in
//! use it is given up, and filled anew at the next whole export or start: a checkpoint does not depend on it.

use super::chosen::Chosen;
use super::database::Database;
use super::folder::{Folder, size_of};
use super::merge::Merged;
use super::probe::Probe;
use std::path::PathBuf;

pub struct WorkingCopy {
    path: PathBuf,
    database: Option<Database>,
    /// Why there is none.
    problem: Option<String>,
}

impl WorkingCopy {
    /// Opens it, if it stands up to being looked at; else it is put aside.
    pub fn open(folder: &Folder, probe: Probe, notes: &mut Vec<String>) -> WorkingCopy {
        let path = folder.database();
        let mut copy = WorkingCopy { path, database: None, problem: None };
        if copy.path.exists() {
            match probe(&copy.path).and_then(|()| Database::open(&copy.path)) {
                Ok(database) => copy.database = Some(database),
                Err(error) => notes.push(folder.put_aside_for(&copy.path, &error)),
            }
        }
        copy
    }

    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Makes it what the exports are; where it was given up it stays so.
    pub fn bring_up(&mut self, chosen: &Chosen) {
        if self.problem.is_some() {
            return;
        }
        match self.brought_up(chosen) {
            Ok(database) => self.database = Some(database),
            Err(error) => self.problem = Some(error),
        }
    }

    /// After a whole export: one that was given up is filled anew.
    pub fn renew(&mut self, chosen: &Chosen) {
        if self.problem.is_some() {
            self.fill_anew(chosen);
        }
    }

    /// A log-structured database grows with what is written: one that takes more than `most` bytes is filled anew, and given
    /// up where that does not help.
    pub fn keep_within(&mut self, most: u64, chosen: &Chosen) {
        if size_of(&self.path) <= most {
            return;
        }
        self.fill_anew(chosen);
        let size = size_of(&self.path);
        if size > most && self.problem.is_none() {
            let (size, most) = (size >> 20, most >> 20);
            self.problem = Some(match self.remove() {
                Ok(()) => {
                    format!(
                        "its working copy takes {size} MiB and may take {most}: `state.max_disk_mib` is small for this site"
                    )
                }
                Err(error) => error.to_string(),
            });
        }
    }

    pub fn fill_anew(&mut self, chosen: &Chosen) {
        (self.database, self.problem) = (None, None);
        self.bring_up(chosen);
    }

    /// Closes it and deletes its files.
    pub fn remove(&mut self) -> std::io::Result<()> {
        self.database = None;
        if self.path.exists() { std::fs::remove_dir_all(&self.path) } else { Ok(()) }
    }

    fn brought_up(&mut self, chosen: &Chosen) -> Result<Database, String> {
        if let Some(database) = self.database.take() {
            let there = database.at()?;
            if there == Some(chosen.at) {
                return Ok(database);
            }
            if let Some(deltas) = there.and_then(|there| chosen.after(there)) {
                database.apply(chosen.at, &mut open(deltas)?)?;
                return Ok(database);
            }
        }
        self.remove().map_err(|error| error.to_string())?;
        let database = Database::open(&self.path)?;
        database.apply(chosen.at, &mut open(&chosen.files)?)?;
        Ok(database)
    }
}

fn open(files: &[PathBuf]) -> Result<Merged, String> {
    Merged::open(files).map_err(|error| error.to_string())
}
