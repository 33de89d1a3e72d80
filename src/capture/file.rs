//! One capture, pcap or pcapng, plain or compressed, read from its first frame to its last.
//!
//! In go a path, standard input or any reader; out come [`Frame`]s that borrow from the read buffer, in the order of
//! the file. An error comes once, after the last frame that could be read whole; then the source has ended. A file in
//! which time runs backwards by more than [`DISORDER_LIMIT`] is refused from there on: event time could not follow it.
//!
//! Memory: one chunk (1 MiB), or the largest frame that was really there if that is larger, and the window of the
//! decompressor. No memory map: a file that is cut while it is read must be an error, not a SIGBUS.

use super::compression::{BoxedReader, Compression, decompressed};
use super::error::{CaptureError, Fault};
use super::input::Input;
use super::link::LinkType;
use super::pcap_file::{self, PcapReader};
use super::pcapng::{self, PcapngReader};
use super::recognise::{SIGNATURE_BYTES, recognise};
use super::stop;
use super::{Frame, FrameSource, Position};
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes per read: system calls cost nothing beside the copy, and the buffer still fits in a cache.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;
/// How far a frame may lie before the newest one of its file. Frames of several interfaces or queues are milliseconds
/// apart, clock steps seconds; hours mean several captures in one file.
pub const DISORDER_LIMIT: Duration = Duration::from_secs(3600);
/// Enough to tell pcap and pcapng, and pcapng's byte order.
const MAGIC_BYTES: usize = 12;

/// A frame in the input's available bytes: `from..to` of the record that ends at `whole`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located {
    pub(super) time: Timestamp,
    pub(super) link: LinkType,
    pub(super) wire_len: u32,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) whole: usize,
}

#[derive(Debug)]
enum Format {
    Pcap(PcapReader),
    Pcapng(PcapngReader),
}

/// A capture being read.
pub struct FileSource {
    path: PathBuf,
    source: u16,
    input: Input,
    compression: Option<Compression>,
    format: Format,
    /// The frame given last, still in the input.
    current: Option<Located>,
    newest: Timestamp,
    disorder_limit: Duration,
    ended: bool,
    /// Of the last frame.
    link: Option<LinkType>,
    unread: Option<Unread>,
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

/// Frames of a link type that nobody takes apart: the first of them, and how many there are of any such type.
#[derive(Clone, Copy)]
struct Unread {
    link: LinkType,
    offset: u64,
    frames: u64,
}

impl FileSource {
    /// Opens a pcap or pcapng file, plain, gzip or zstd, all told by magic; `-` is standard input.
    pub fn open(path: &Path) -> Result<FileSource, CaptureError> {
        FileSource::from_file(path, open_file(path)?, CHUNK_BYTES)
    }

    /// Reads a capture out of any reader; `path` names it in errors.
    pub fn from_reader(path: &Path, reader: impl Read + Send + 'static) -> Result<FileSource, CaptureError> {
        FileSource::start(path, Box::new(reader), None, CHUNK_BYTES)
    }

    pub(super) fn from_file(path: &Path, file: File, chunk: usize) -> Result<FileSource, CaptureError> {
        let length = regular_length(&file);
        FileSource::start(path, Box::new(file), length, chunk)
    }

    pub(super) fn start(
        path: &Path,
        reader: BoxedReader,
        total: Option<u64>,
        chunk: usize,
    ) -> Result<FileSource, CaptureError> {
        let read = Arc::new(AtomicU64::new(0));
        let counted = Box::new(Counted { reader, read: Arc::clone(&read), may_wait: total.is_none() });
        let (reader, compression) =
            decompressed(counted).map_err(|error| Fault::Io { offset: 0, error }.in_file(path, None))?;
        let mut input = Input::new(reader, chunk);
        let format = Format::of(&mut input, compression).map_err(|fault| fault.in_file(path, compression))?;
        Ok(FileSource {
            path: path.to_path_buf(),
            source: 0,
            input,
            compression,
            format,
            current: None,
            newest: Timestamp::MIN,
            disorder_limit: DISORDER_LIMIT,
            ended: false,
            link: None,
            unread: None,
            read,
            total,
        })
    }

    /// Accepts frames up to `limit` before the newest one, instead of [`DISORDER_LIMIT`].
    pub fn with_disorder_limit(mut self, limit: Duration) -> FileSource {
        self.disorder_limit = limit;
        self
    }

    /// Marks the frames as those of file number `source`.
    pub(super) fn numbered(mut self, source: u16) -> FileSource {
        self.source = source;
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on to the next frame and gives its time; nothing when the capture has ended.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<Timestamp>, CaptureError> {
        if let Some(given) = self.current.take() {
            self.input.consume(given.whole);
        }
        if self.ended {
            return Ok(None);
        }
        let located = match &mut self.format {
            Format::Pcap(reader) => reader.locate(&mut self.input),
            Format::Pcapng(reader) => reader.locate(&mut self.input),
        };
        if let Ok(Some(located)) = &located
            && (self.link != Some(located.link) || self.unread.is_some())
        {
            self.note_link(located.link);
        }
        match located {
            Ok(Some(located)) if located.time >= self.newest => {
                self.newest = located.time;
                self.current = Some(located);
                Ok(Some(located.time))
            }
            Ok(Some(located)) if self.newest.since(located.time) <= self.disorder_limit => {
                self.current = Some(located);
                Ok(Some(located.time))
            }
            Ok(Some(located)) => Err(self.runs_backwards(located.time)),
            Ok(None) => {
                self.ended = true;
                let file = self.path.clone();
                let refused =
                    |Unread { link, offset, frames }| CaptureError::UnknownLink { file, link, offset, frames };
                self.unread.map_or(Ok(None), |unread| Err(refused(unread)))
            }
            Err(fault) => {
                self.ended = true;
                Err(fault.in_file(&self.path, self.compression))
            }
        }
    }

    /// Frames of a type that is not read are given all the same: the packet stage counts them.
    #[cold]
    fn note_link(&mut self, link: LinkType) {
        self.link = Some(link);
        if !link.is_known() {
            let first = Unread { link, offset: self.input.offset(), frames: 0 };
            self.unread.get_or_insert(first).frames += 1;
        }
    }

    #[cold]
    fn runs_backwards(&mut self, time: Timestamp) -> CaptureError {
        self.ended = true;
        let (file, offset, limit) = (self.path.clone(), self.input.offset(), self.disorder_limit);
        CaptureError::TimeRunsBackwards { file, offset, newest: self.newest, time, limit }
    }

    /// The frame that [`FileSource::advance`] went to.
    #[inline]
    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let Located { time, link, wire_len, from, to, .. } = self.current?;
        let bytes = self.input.available().get(from..to)?;
        Some(Frame { time, link, wire_len, bytes, source: self.source })
    }
}

impl FrameSource for FileSource {
    #[inline]
    fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        self.advance()?;
        Ok(self.frame())
    }

    fn position(&self) -> Position {
        Position { read: self.read.load(Ordering::Relaxed), total: self.total }
    }
}

impl Format {
    fn of(input: &mut Input, compression: Option<Compression>) -> Result<Format, Fault> {
        // The answer does not matter: a shorter file is told apart by what there is of it.
        input.has(MAGIC_BYTES)?;
        let head = input.available();
        if head.is_empty() {
            return Err(Fault::Empty);
        }
        if pcap_file::is_pcap(head) {
            return PcapReader::start(input).map(Format::Pcap);
        }
        if pcapng::is_pcapng(head) {
            return Ok(Format::Pcapng(PcapngReader::new()));
        }
        // Whatever else ends early or fails here, it is no capture.
        let _ = input.has(SIGNATURE_BYTES);
        Err(Fault::NotACapture(recognise(input.available(), compression.map(Compression::name))))
    }
}

/// Counts the bytes of the file as they are read, before they are decompressed.
struct Counted {
    reader: BoxedReader,
    read: Arc<AtomicU64>,
    /// A pipe: its next bytes may never come.
    may_wait: bool,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.may_wait && stop::is_stop_requested() {
            return Ok(0);
        }
        let read = self.reader.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens `path` for reading; `-` is a handle of its own on standard input, without the buffer of `std::io::stdin`.
pub(super) fn open_file(path: &Path) -> Result<File, CaptureError> {
    let opened = if is_standard_input(path) {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else if stop::is_named_pipe(path) {
        stop::open_named_pipe(path)
    } else {
        File::open(path)
    };
    let failed = |error| CaptureError::Open { file: path.to_path_buf(), error };
    let file = opened.map_err(failed)?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok(file)
}

/// Bytes of a file that has an end and can be read again from its start; nothing for pipes and devices.
pub(super) fn regular_length(file: &File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}
