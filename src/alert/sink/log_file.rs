//! The log: EVE lines appended to a file, each whole or not at all.
//!
//! Lines in; a file out that rotates (`rotation.rs`), and that others may move, delete or cut short at any time. A line is
//! with the kernel when [`LogFile::write`] returns, or in the spool: a [`Queue`] in the state folder, which is written
//! behind the log in order as soon as the log takes lines again. At half the spool's bound only alerts are taken into it.
//! What a write that failed in the middle left of a line is cut off; the torn end that a power cut left is mended at
//! opening, and said.

use super::queue::Queue;
use super::rotation::Rotation;
use super::settings::{FileSettings, Fsync};
use super::{SinkError, SinkStatistics};
use crate::alert::record::EventType;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Readable for a group that the log may be given to, writable for nobody else.
pub(super) const MODE: u32 = 0o640;
/// What waits in the spool is written in steps of so much, between which new lines get their turn.
const STEP_BYTES: usize = 1 << 20;
/// Bytes looked through at a time for the last line feed.
const BLOCK_BYTES: u64 = 1 << 16;

pub struct LogFile {
    settings: FileSettings,
    /// None while it cannot be opened.
    file: Option<File>,
    /// The rest of a line of which a write that failed left the beginning, where that could not be cut off.
    unfinished: Vec<u8>,
    spool: Queue,
    spool_bytes: u64,
    rotation: Rotation,
    statistics: SinkStatistics,
    is_failing: bool,
    /// It could not be rotated when it was due.
    is_stuck: bool,
    has_unsynced: bool,
    notes: Vec<String>,
}

impl LogFile {
    /// Opens the log and mends it. That it cannot be opened is an error, but for a full disk, which may empty again.
    pub fn open(settings: FileSettings, spool_folder: &Path, spool_bytes: u64) -> Result<LogFile, SinkError> {
        let path = settings.path.clone();
        let unusable = |source| SinkError::Log { path: path.clone(), source };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
            DirBuilder::new().recursive(true).mode(0o750).create(parent).map_err(unusable)?;
        }
        let (spool, mut notes) = Queue::open(spool_folder, spool_bytes);
        let rotation = Rotation::new(&settings);
        rotation.remove_leftovers();
        let file = match open(&path) {
            Ok(file) => {
                notes.extend(mend(&file, &path).map_err(unusable)?);
                Some(file)
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => None,
            Err(error) => return Err(unusable(error)),
        };
        let mut log = LogFile {
            settings,
            file,
            unfinished: Vec::new(),
            spool,
            spool_bytes,
            rotation,
            statistics: SinkStatistics::default(),
            is_failing: false,
            is_stuck: false,
            has_unsynced: false,
            notes,
        };
        if log.file.is_none() {
            log.fail(&io::ErrorKind::StorageFull.into());
        }
        Ok(log)
    }

    /// Writes one or more whole lines.
    pub fn write(&mut self, kind: EventType, lines: &[u8]) {
        if !self.settings.events.contains(&kind) || lines.is_empty() {
            return;
        }
        let mut rest = lines;
        if self.spool.is_empty() {
            match self.append(lines) {
                Ok(()) => {
                    self.statistics.sent += lines_of(lines);
                    if self.settings.fsync == Fsync::Always && kind == EventType::Alert {
                        self.sync();
                    }
                    return;
                }
                Err((written, error)) => {
                    self.statistics.sent += lines_of(&lines[..written]);
                    rest = &lines[written..]; // `written` counts whole lines of `lines`
                    self.fail(&error);
                }
            }
        }
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            if kind == EventType::Alert || self.spool.bytes() < self.spool_bytes / 2 {
                self.spool.push(line);
            } else {
                self.statistics.dropped += 1;
            }
        }
        if self.settings.fsync == Fsync::Always && kind == EventType::Alert {
            self.sync();
        }
    }

    /// Once a second: looks whether the log was moved, rotates it, and writes what waits. Whether more waits.
    pub fn tick(&mut self) -> bool {
        let is_ours = match (&self.file, fs::metadata(&self.settings.path)) {
            (Some(file), Ok(found)) => file.metadata().is_ok_and(|mine| is_same(&mine, &found)),
            _ => false,
        };
        if !is_ours {
            self.reopen();
        }
        self.rotate_if_due();
        self.spool.settle();
        self.write_spooled()
    }

    /// Closes the file and opens what stands under its name now, or makes it anew.
    pub fn reopen(&mut self) {
        if !self.unfinished.is_empty() {
            let _ = self.finish_line(); // it belongs behind its beginning; where that fails it is mended by a reader
            self.unfinished.clear();
        }
        self.sync();
        match open(&self.settings.path).and_then(|file| {
            let note = mend(&file, &self.settings.path)?;
            Ok((file, note))
        }) {
            Ok((file, note)) => {
                self.file = Some(file);
                self.notes.extend(note);
            }
            Err(error) => {
                self.file = None;
                self.fail(&error);
            }
        }
    }

    /// A step of what waits in the spool. Whether there is more that can be written at once.
    pub fn write_spooled(&mut self) -> bool {
        if self.spool.is_empty() {
            self.recovered();
            return false;
        }
        let batch = self.spool.oldest(usize::MAX, STEP_BYTES);
        let bytes = batch.records.concat();
        let (written, error) = match self.append(&bytes) {
            Ok(()) => (batch.records.len(), None),
            Err((written, error)) => (lines_of(&bytes[..written]) as usize, Some(error)),
        };
        self.statistics.sent += written as u64;
        self.spool.acknowledge(&batch, written);
        match error {
            Some(error) => {
                self.fail(&error);
                false
            }
            None => {
                if self.spool.is_empty() {
                    self.recovered();
                }
                !self.spool.is_empty()
            }
        }
    }

    /// The files that are to be forced to the disk, once, for whoever can wait for it.
    pub fn unsynced(&mut self) -> Vec<File> {
        let mut files = Vec::new();
        if self.settings.fsync != Fsync::Never {
            if std::mem::take(&mut self.has_unsynced) {
                files.extend(self.file.as_ref().and_then(|file| file.try_clone().ok()));
            }
            files.extend(self.spool.unsynced());
        }
        files
    }

    pub fn statistics(&self) -> SinkStatistics {
        let mut statistics = self.statistics.clone();
        statistics.queued = self.spool.len();
        statistics.dropped += self.spool.dropped();
        statistics
    }

    /// What is to be told to people, once.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.notes.append(&mut self.rotation.take_notes());
        std::mem::take(&mut self.notes)
    }

    /// The end: what waits is written if it can be, and all of it forced to the disk.
    pub fn finish(&mut self) {
        while self.write_spooled() {}
        self.sync();
        self.rotation.finish();
    }

    fn sync(&mut self) {
        for file in self.unsynced() {
            if let Err(error) = file.sync_data() {
                self.statistics.failed += 1;
                self.statistics.last_error = Some(format!("{}: {error}", self.settings.path.display()));
            }
        }
    }

    fn rotate_if_due(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| self.unfinished.is_empty()) else { return };
        let Ok(metadata) = file.metadata() else { return };
        if !self.rotation.is_due(&metadata, SystemTime::now()) {
            return;
        }
        self.sync();
        let rotated = self.rotation.rotate();
        let was_stuck = std::mem::replace(&mut self.is_stuck, rotated.is_err());
        match rotated {
            Ok(()) => self.reopen(),
            Err(error) if !was_stuck => self.notes.push(format!(
                "{}: the log cannot be rotated: {error}; it grows until it can: make its folder writable for apitap",
                self.settings.path.display()
            )),
            Err(_) => {}
        }
    }

    /// Appends whole lines. On failure, how many bytes of whole lines were written, or will be by `unfinished`.
    fn append(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.finish_line().map_err(|error| (0, error))?;
        let Some(file) = self.file.as_mut() else { return Err((0, io::ErrorKind::NotFound.into())) };
        // Others may have cut it short since: logrotate's `copytruncate`.
        let start = file.metadata().map_err(|error| (0, error))?.len();
        self.has_unsynced = true;
        let mut written = 0;
        while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
            let error = match file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(bytes) => {
                    written += bytes;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let begin = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |at| at + 1);
            if begin == written || file.set_len(start + begin as u64).is_ok() {
                return Err((begin, error));
            }
            // An append-only file (`chattr +a`) cannot be cut: the rest of the line comes before all others.
            let end = memchr::memchr(b'\n', rest).map_or(lines.len(), |at| written + at + 1);
            self.unfinished = lines[written..end].to_owned();
            return Err((end, error));
        }
        Ok(())
    }

    fn finish_line(&mut self) -> io::Result<()> {
        while !self.unfinished.is_empty() {
            let Some(file) = self.file.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
            match file.write(&self.unfinished) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => drop(self.unfinished.drain(..bytes)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: &io::Error) {
        self.statistics.failed += 1;
        self.statistics.last_error = Some(format!("{}: {error}", self.settings.path.display()));
        if !std::mem::replace(&mut self.is_failing, true) {
            self.notes.push(format!(
                "{}: the log cannot be written: {error}; up to {} MiB of lines wait in the state folder until it can: \
                 make room, or make it writable for apitap",
                self.settings.path.display(),
                self.spool_bytes >> 20
            ));
        }
    }

    fn recovered(&mut self) {
        if self.file.is_some() && std::mem::replace(&mut self.is_failing, false) {
            let dropped = self.statistics().dropped;
            let lost = if dropped == 0 { String::new() } else { format!("; {dropped} lines had to be dropped so far") };
            self.notes.push(format!(
                "{}: the log is written again, what waited is in it{lost}",
                self.settings.path.display()
            ));
        }
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn lines_of(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// What follows the last line feed is a line without its end, which gets one, or the beginning of a line, which goes to a
/// file of its own beside the log.
fn mend(mut file: &File, path: &Path) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    let begin = end_of_lines(file, length)?;
    if begin == length {
        return Ok(None);
    }
    let mut tail = vec![0; usize::try_from(length - begin).map_err(io::Error::other)?];
    file.read_exact_at(&mut tail, begin)?;
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&tail).is_ok() {
        file.write_all(b"\n")?;
        return Ok(Some(format!("{}: the last line had no line feed; one was added", path.display())));
    }
    let aside = PathBuf::from(format!("{}.torn", path.display()));
    let moved = OpenOptions::new().append(true).create(true).mode(MODE).open(&aside).and_then(|mut torn| {
        tail.push(b'\n');
        torn.write_all(&tail)
    });
    let bytes = length - begin;
    let cut = moved.and_then(|()| file.set_len(begin));
    match cut {
        Ok(()) => Ok(Some(format!(
            "{}: the last line was torn, most likely by a power cut; its {bytes} bytes were moved to {}",
            path.display(),
            aside.display()
        ))),
        // An append-only file, or no room: the torn line is closed, so that the next one stands by itself.
        Err(error) => {
            file.write_all(b"\n")?;
            Ok(Some(format!(
                "{}: the last line is torn and stays so: its {bytes} bytes cannot be moved to {}: {error}",
                path.display(),
                aside.display()
            )))
        }
    }
}

/// Where the last line that has a line feed ends.
fn end_of_lines(mut file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(begin))?;
        block.clear();
        file.take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
