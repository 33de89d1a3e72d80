//! The captures that paths of files and folders come to, and when each begins.
//!
//! In go paths, out come [`Probed`] files with the time of their first frame, what went wrong with some, and what in
//! folders is no capture. A folder stands for the captures in it and in its folders, told by their magic, by name;
//! hidden ones are left out and links to folders not followed. A file that has an end is let go again after its first
//! frame, so thousands of files cost no buffers; of at most [`MAX_KEPT_DESCRIPTORS`] a descriptor is kept.

use super::error::CaptureError;
use super::file::{CHUNK_BYTES, FileSource, is_standard_input, open_file, regular_length};
use super::merge::{MIN_CHUNK_BYTES, Slot};
use crate::time::Timestamp;
use std::fs;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

/// A quarter of the usual limit of 1,024 descriptors of a process.
pub(super) const MAX_KEPT_DESCRIPTORS: usize = 256;
/// Folders in folders; deeper is a mistake.
const MAX_FOLDER_DEPTH: u32 = 32;

/// A file of a folder that was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub path: PathBuf,
    pub reason: String,
}

/// A file that was looked into: when its first frame is due (nothing: it has none) and how it goes on from there.
pub(super) struct Probed {
    pub(super) path: PathBuf,
    pub(super) first: Option<Timestamp>,
    pub(super) length: Option<u64>,
    pub(super) slot: Slot,
}

/// What the named paths come to.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) probed: Vec<Probed>,
    pub(super) errors: Vec<CaptureError>,
    pub(super) skipped: Vec<Skipped>,
    kept: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, path: &Path) {
        if path.is_dir() {
            self.add_folder(path, 0);
            return;
        }
        if is_standard_input(path) && self.probed.iter().any(|file| is_standard_input(&file.path)) {
            let what = "standard input (`-`) can be read only once; name it once".to_owned();
            self.errors.push(CaptureError::NothingToRead { what });
            return;
        }
        if let Err(error) = self.probe(path) {
            self.errors.push(error);
        }
    }

    /// The captures of a folder and the folders in it, by name. Links to folders are not followed: they may loop.
    fn add_folder(&mut self, folder: &Path, depth: u32) {
        let failed = |error| CaptureError::Open { file: folder.to_path_buf(), error };
        let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<fs::DirEntry>>>);
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.errors.push(failed(error)),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.skip(path, "is hidden");
            } else if is_folder && depth < MAX_FOLDER_DEPTH {
                self.add_folder(&path, depth + 1);
            } else if is_folder {
                self.skip(path, "lies too deep");
            } else if !path.is_file() {
                self.skip(path, "is not a regular file");
            } else {
                match self.probe(&path) {
                    Ok(()) => {}
                    Err(CaptureError::NotACapture { recognised, .. }) => self.skip(path, &recognised.to_string()),
                    Err(CaptureError::Empty { .. }) => self.skip(path, "is empty"),
                    Err(error) => self.errors.push(error),
                }
            }
        }
    }

    fn skip(&mut self, path: PathBuf, reason: &str) {
        self.skipped.push(Skipped { path, reason: reason.to_owned() });
    }

    /// Looks into a file for the time of its first frame. A file that has an end is let go again until that is due.
    fn probe(&mut self, path: &Path) -> Result<(), CaptureError> {
        let failed = |error| CaptureError::Open { file: path.to_path_buf(), error };
        let file = open_file(path)?;
        let length = regular_length(&file);
        let can_start_again = length.is_some() && !is_standard_input(path);
        let mut again = if can_start_again { Some(file.try_clone().map_err(failed)?) } else { None };
        let chunk = if can_start_again { MIN_CHUNK_BYTES } else { CHUNK_BYTES };
        let mut source = FileSource::from_file(path, file, chunk)?;
        let first = match source.advance() {
            Ok(first) => first,
            Err(error) => {
                self.errors.push(error);
                None
            }
        };
        let slot = match (first, &mut again) {
            (None, _) => Slot::Done,
            (Some(_), None) => Slot::Reading(Box::new(source)),
            (Some(_), Some(file)) => {
                file.rewind().map_err(failed)?;
                Slot::Waiting(again.take().filter(|_| self.kept < MAX_KEPT_DESCRIPTORS))
            }
        };
        self.kept += usize::from(matches!(slot, Slot::Waiting(Some(_))));
        self.probed.push(Probed { path: path.to_path_buf(), first, length, slot });
        Ok(())
    }
}
