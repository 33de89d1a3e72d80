//! Reading on in a log while others append to it, rotate it and truncate it.
//!
//! Rotation by renaming: the old file is read until the new one holds something, for a writer goes on with the old one
//! until it opens the new. Truncation (`copytruncate`) is seen even where the file has already grown past the old
//! position: the bytes before the position (the seal) have changed. A line counts once its line feed is there.

use super::BLOCK_BYTES;
use crate::alert::LINE_BYTES_MOST;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes before the position that are compared to see a truncation: enough to hold a record's closing fields.
const SEAL_BYTES: usize = 256;

/// Takes one line, without its line feed.
pub type Visit<'v> = dyn FnMut(&[u8]) -> io::Result<()> + 'v;

/// What happened to the log, for the one who watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    Appeared,
    Rotated,
    Truncated,
    /// The name leads to a file that may not be read; it is tried again.
    Unreadable,
}

/// Cuts a stream of blocks into lines.
#[derive(Default)]
pub struct LineSplitter {
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// The line being read is over the bound: its rest is dropped too.
    is_overlong: bool,
    /// Lines passed over for their length.
    pub overlong: u64,
}

impl LineSplitter {
    pub fn feed(&mut self, block: &[u8], visit: &mut Visit<'_>) -> io::Result<()> {
        let mut rest = block;
        while let Some(feed) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..feed], &rest[feed + 1..]); // `feed` is an index of `rest`
            rest = after;
            if self.partial.is_empty() && !self.is_overlong && line.len() <= LINE_BYTES_MOST {
                visit(line)?;
                continue;
            }
            self.hold(line);
            self.finish(visit)?;
        }
        self.hold(rest);
        Ok(())
    }

    /// The held line is complete, or will never be.
    pub fn finish(&mut self, visit: &mut Visit<'_>) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.is_overlong) {
            self.overlong += 1;
            return Ok(());
        }
        if line.is_empty() { Ok(()) } else { visit(&line) }
    }

    fn forget(&mut self) {
        self.partial.clear();
        self.is_overlong = false;
    }

    fn hold(&mut self, part: &[u8]) {
        if self.is_overlong || self.partial.len() + part.len() > LINE_BYTES_MOST {
            self.is_overlong = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(part);
        }
    }
}

/// A log that is followed by its name.
pub struct Follower {
    path: PathBuf,
    /// None while there is no such file.
    open: Option<OpenLog>,
    splitter: LineSplitter,
    /// The last look found a file that may not be read; said once.
    is_unreadable: bool,
}

struct OpenLog {
    file: File,
    /// Device and inode: the file behind the name.
    identity: (u64, u64),
    position: u64,
    /// The last bytes before the position.
    seal: Vec<u8>,
}

impl Follower {
    /// Follows a file that is not there yet.
    pub fn awaiting(path: &Path) -> Follower {
        Follower { path: path.to_owned(), open: None, splitter: LineSplitter::default(), is_unreadable: false }
    }

    /// Follows an open file from an offset.
    pub fn reading(path: &Path, file: File, position: u64) -> io::Result<Follower> {
        let mut follower = Follower::awaiting(path);
        follower.open = Some(OpenLog::at(file, position)?);
        Ok(follower)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines passed over for their length.
    pub fn overlong(&self) -> u64 {
        self.splitter.overlong
    }

    /// Visits what has been appended since the last time, and goes over to a new file where there is one.
    pub fn poll(&mut self, visit: &mut Visit<'_>) -> io::Result<Vec<Notice>> {
        let mut notices = Vec::new();
        if let Some(log) = &mut self.open
            && log.is_truncated()?
        {
            notices.push(Notice::Truncated);
            (log.position, log.seal) = (0, Vec::new());
            self.splitter.forget();
        }
        self.drain(visit)?;
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(notices),
            Err(error) => return Err(error),
        };
        let is_same = self.open.as_ref().is_some_and(|log| log.identity == identity_of(&found));
        if is_same || (self.open.is_some() && found.len() == 0) {
            return Ok(notices);
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(notices), // gone again
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                if !std::mem::replace(&mut self.is_unreadable, true) {
                    notices.push(Notice::Unreadable);
                }
                return Ok(notices);
            }
            Err(error) => return Err(error),
        };
        self.is_unreadable = false;
        self.drain(visit)?; // what the old file got between the two looks
        self.splitter.finish(visit)?;
        notices.push(if self.open.is_some() { Notice::Rotated } else { Notice::Appeared });
        self.open = Some(OpenLog::at(file, 0)?);
        self.drain(visit)?;
        Ok(notices)
    }

    /// Visits the complete lines up to the end of the open file.
    pub fn drain(&mut self, visit: &mut Visit<'_>) -> io::Result<()> {
        let Some(log) = &mut self.open else { return Ok(()) };
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let count = match log.file.read_at(&mut block, log.position) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &block[..count]; // `read_at` gives no more than the block holds
            log.advance(bytes);
            self.splitter.feed(bytes, visit)?;
        }
    }

    /// Visits a last line that has no line feed.
    pub fn finish(&mut self, visit: &mut Visit<'_>) -> io::Result<()> {
        self.splitter.finish(visit)
    }
}

impl OpenLog {
    fn at(file: File, position: u64) -> io::Result<OpenLog> {
        let identity = identity_of(&file.metadata()?);
        let mut seal = vec![0; SEAL_BYTES.min(usize::try_from(position).unwrap_or(SEAL_BYTES))];
        let start = position - seal.len() as u64; // the seal is no longer than `position`
        let count = file.read_at(&mut seal, start)?;
        seal.truncate(count);
        Ok(OpenLog { file, identity, position, seal })
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.position += bytes.len() as u64;
        let recent = bytes.len().saturating_sub(SEAL_BYTES);
        self.seal.extend_from_slice(&bytes[recent..]); // `recent` is at most the length
        self.seal.drain(..self.seal.len().saturating_sub(SEAL_BYTES));
    }

    fn is_truncated(&self) -> io::Result<bool> {
        let mut found = vec![0; self.seal.len()];
        let start = self.position.saturating_sub(self.seal.len() as u64);
        match self.file.read_exact_at(&mut found, start) {
            Ok(()) => Ok(found != self.seal),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn identity_of(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
