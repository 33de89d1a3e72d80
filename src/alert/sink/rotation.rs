//! Rotation of the log, numbered as logrotate does: `alerts.json.1` is the newest, from `alerts.json.2.gz` on they are
//! compressed.
//!
//! Renames only, so that a reader that holds the log open reads on to its end. Compression has a thread of its own and
//! writes beside, then renames; while it is under way there is no rotation. Kept are so many files as the settings say,
//! and none longer than the retention.

use super::log_file::MODE;
use super::settings::FileSettings;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How often rotated logs are looked at for their age.
const RETENTION_PAUSE: Duration = Duration::from_secs(3600);

pub(super) struct Rotation {
    path: PathBuf,
    bytes: u64,
    every: Duration,
    keep: u32,
    compress: bool,
    retention: Duration,
    looked_at: Option<SystemTime>,
    compression: Option<(JoinHandle<()>, Receiver<String>)>,
    notes: Vec<String>,
}

impl Rotation {
    pub fn new(settings: &FileSettings) -> Rotation {
        Rotation {
            path: settings.path.clone(),
            bytes: settings.rotate_bytes,
            every: settings.rotate_every,
            keep: settings.keep,
            compress: settings.compress,
            retention: settings.retention,
            looked_at: None,
            compression: None,
            notes: Vec::new(),
        }
    }

    /// Whether the log is to be rotated. By the way, removes rotated ones that are too old.
    pub fn is_due(&mut self, log: &Metadata, now: SystemTime) -> bool {
        let since = |then: SystemTime| now.duration_since(then).unwrap_or_default();
        if self.looked_at.is_none_or(|then| since(then) >= RETENTION_PAUSE || then > now) {
            self.looked_at = Some(now);
            self.remove_old(now);
        }
        if self.is_compressing() || log.len() == 0 {
            return false;
        }
        let is_old = || log.created().or_else(|_| log.modified()).is_ok_and(|then| since(then) >= self.every);
        log.len() >= self.bytes || (self.every != Duration::ZERO && is_old())
    }

    /// Gives every rotated log the next number, and the log the first one. A number that is free, since a rotation was
    /// killed in the middle, is filled.
    pub fn rotate(&mut self) -> io::Result<()> {
        let is_free =
            |number: &u32| [Form::Plain, Form::Compressed].iter().all(|form| !self.name(*number, *form).exists());
        let last = (1..=self.keep).find(is_free).unwrap_or(self.keep);
        for number in (1..=last).rev() {
            for form in [Form::Plain, Form::Compressed] {
                let from = self.name(number, form);
                let moved = if number == self.keep {
                    fs::remove_file(&from)
                } else {
                    fs::rename(&from, self.name(number + 1, form))
                };
                match moved {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        fs::rename(&self.path, self.name(1, Form::Plain))?;
        self.begin_compression();
        Ok(())
    }

    /// What a compression that was killed left behind.
    pub fn remove_leftovers(&self) {
        let _ = fs::remove_file(self.part()); // most often there is none
        for number in 1..=self.keep {
            let (plain, compressed) = (self.name(number, Form::Plain), self.name(number, Form::Compressed));
            if plain.exists() && compressed.exists() {
                let _ = fs::remove_file(plain); // the compressed one got its name when it was whole
            }
        }
    }

    pub fn take_notes(&mut self) -> Vec<String> {
        if let Some((_, said)) = &self.compression {
            self.notes.extend(said.try_iter());
        }
        std::mem::take(&mut self.notes)
    }

    /// Waits for a compression that is under way.
    pub fn finish(&mut self) {
        if let Some((thread, said)) = self.compression.take() {
            let _ = thread.join(); // what it has to say it has said
            self.notes.extend(said.try_iter());
        }
    }

    fn is_compressing(&mut self) -> bool {
        if self.compression.as_ref().is_some_and(|(thread, _)| thread.is_finished()) {
            self.finish();
        }
        self.compression.is_some()
    }

    fn begin_compression(&mut self) {
        let plain: Vec<(PathBuf, PathBuf)> = (2..=self.keep)
            .map(|number| (self.name(number, Form::Plain), self.name(number, Form::Compressed)))
            .filter(|(plain, _)| self.compress && plain.exists())
            .collect();
        if plain.is_empty() {
            return;
        }
        let part = self.part();
        let (say, said) = mpsc::channel();
        let compress_all = move || {
            for (plain, compressed) in plain {
                if let Err(error) = compress(&plain, &part, &compressed) {
                    let _ = fs::remove_file(&part); // it may not have come to be
                    // A closed channel means that nobody listens any more.
                    let _ = say.send(format!("{}: cannot be compressed: {error}; it stays as it is", plain.display()));
                }
            }
        };
        match std::thread::Builder::new().name("compress-log".to_owned()).spawn(compress_all) {
            Ok(thread) => self.compression = Some((thread, said)),
            Err(error) => self.notes.push(format!("{}: cannot be compressed: {error}", self.path.display())),
        }
    }

    fn remove_old(&mut self, now: SystemTime) {
        if self.retention == Duration::ZERO {
            return;
        }
        for number in 1..=self.keep {
            for form in [Form::Plain, Form::Compressed] {
                let path = self.name(number, form);
                let written = fs::metadata(&path).and_then(|metadata| metadata.modified());
                let is_old = written.is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age > self.retention));
                if is_old && let Err(error) = fs::remove_file(&path) {
                    self.notes
                        .push(format!("{}: is past its retention and cannot be removed: {error}", path.display()));
                }
            }
        }
    }

    fn name(&self, number: u32, form: Form) -> PathBuf {
        let end = match form {
            Form::Plain => "",
            Form::Compressed => ".gz",
        };
        with_end(&self.path, &format!(".{number}{end}"))
    }

    fn part(&self) -> PathBuf {
        with_end(&self.path, ".gz.part")
    }
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Compressed,
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Through `part`, which gets the final name when it is whole and on the disk.
fn compress(plain: &Path, part: &Path, compressed: &Path) -> io::Result<()> {
    let mut from = File::open(plain)?;
    let modified = from.metadata()?.modified()?;
    let to = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(part)?;
    let mut encoder = GzEncoder::new(to, Compression::default());
    io::copy(&mut from, &mut encoder)?;
    let to = encoder.finish()?;
    to.set_modified(modified)?; // the retention counts from there
    to.sync_all()?;
    fs::rename(part, compressed)?;
    fs::remove_file(plain)
}
