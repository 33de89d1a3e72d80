//! What can go wrong with a capture, said so that its owner can mend it: the file, the byte, what is wrong, what to do.
//!
//! Readers inside this module raise a [`Fault`], which knows the byte; [`FileSource`](super::FileSource) adds the file.
//! Offsets count bytes of the capture itself: of a compressed file, the bytes after decompression.

use super::compression::Compression;
use super::link::LinkType;
use super::recognise::Recognised;
use crate::time::Timestamp;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{}: cannot be opened: {error}{}", Name(file), open_mend(error))]
    Open { file: PathBuf, error: io::Error },

    #[error(
        "{}: reading failed at byte {offset}: {error}; the frames before it are used. \
             Check that the disk or mount is healthy and the file is still there, then read it again",
        Name(file)
    )]
    Read { file: PathBuf, offset: u64, error: io::Error },

    #[error(
        "{}: is empty; a capture starts with a file header even when no frame was captured. \
             Was it still being written, or did the capture fail?",
        Name(file)
    )]
    Empty { file: PathBuf },

    #[error("{}: is not a capture: it {recognised}; give a pcap or pcapng file, plain, gzip or zstd{}", Name(file), recognised.mend())]
    NotACapture { file: PathBuf, recognised: Recognised },

    #[error("{}: ends at byte {} in the middle of {part} that starts at byte {offset} ({had} of {wanted} bytes); \
             the frames before it are used. Copy the file again, or wait until it is written completely", Name(file), offset + had)]
    Truncated { file: PathBuf, offset: u64, part: &'static str, wanted: u64, had: u64 },

    #[error(
        "{}: {what} at byte {offset}; the frames before it are used. \
             Copy the file again from its origin, or save what is left of it with `editcap {} repaired.pcapng`",
        Name(file),
        Argument(file)
    )]
    Damaged { file: PathBuf, offset: u64, what: String },

    #[error(
        "{}: its {compression} data ends too early, after {offset} bytes of capture; the frames before it are used. \
             Copy the file again, or wait until it is written completely",
        Name(file)
    )]
    CompressionTruncated { file: PathBuf, compression: Compression, offset: u64 },

    #[error("{}: its {compression} data cannot be decompressed after {offset} bytes of capture ({what}); \
             the frames before it are used. {}", Name(file), compression.mend(file, what))]
    CompressionDamaged { file: PathBuf, compression: Compression, offset: u64, what: String },

    #[error("{}: time runs backwards at byte {offset}: a frame of {time} follows one of {newest}, {} earlier \
             (at most {} is taken as mild disorder); the frames before it are used. \
             If the file is several captures in one, give them apart or sort it with `reordercap {} sorted.pcapng`",
            Name(file), Span(newest.since(*time)), Span(*limit), Argument(file))]
    TimeRunsBackwards { file: PathBuf, offset: u64, newest: Timestamp, time: Timestamp, limit: Duration },

    #[error(
        "{}: {frames} frames are of link type {link}, the first at byte {offset}, which is not read; all others are used. \
             Capture on an interface of Ethernet, or as `any`, and see docs/ARCHITECTURE.md for the types that are read",
        Name(file)
    )]
    UnknownLink { file: PathBuf, link: LinkType, offset: u64, frames: u64 },

    #[error("nothing to read: {what}")]
    NothingToRead { what: String },

    /// Not one of several files could be opened.
    #[error("{}", Lines(.0))]
    Several(Vec<CaptureError>),
}

/// An error that knows the byte but not yet the file.
#[derive(Debug)]
pub(super) enum Fault {
    Io { offset: u64, error: io::Error },
    Empty,
    NotACapture(Recognised),
    Truncated { offset: u64, part: &'static str, wanted: u64, had: u64 },
    Damaged { offset: u64, what: String },
}

impl Fault {
    pub(super) fn in_file(self, file: &Path, compression: Option<Compression>) -> CaptureError {
        let file = file.to_path_buf();
        match self {
            Fault::Io { offset, error } => match compression {
                // What the operating system says has a number; what a decompressor says has none.
                Some(compression) if error.raw_os_error().is_none() => match error.kind() {
                    io::ErrorKind::UnexpectedEof => CaptureError::CompressionTruncated { file, compression, offset },
                    _ => CaptureError::CompressionDamaged { file, compression, offset, what: error.to_string() },
                },
                _ => CaptureError::Read { file, offset, error },
            },
            Fault::Empty => CaptureError::Empty { file },
            Fault::NotACapture(recognised) => CaptureError::NotACapture { file, recognised },
            Fault::Truncated { offset, part, wanted, had } => {
                CaptureError::Truncated { file, offset, part, wanted, had }
            }
            Fault::Damaged { offset, what } => CaptureError::Damaged { file, offset, what },
        }
    }
}

fn open_mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; check the name, or whether the file was removed or rotated away",
        io::ErrorKind::PermissionDenied => "; read it as a user who may, or change its permissions",
        io::ErrorKind::IsADirectory => "; give it as a folder of captures",
        _ => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => "; raise the limit of open files with `ulimit -n`",
            _ => "",
        },
    }
}

/// A file's name for messages, control characters escaped; `-` is standard input.
pub(super) struct Name<'a>(pub(super) &'a Path);

/// A file's name in a command to be typed; standard input has none there.
pub(super) struct Argument<'a>(pub(super) &'a Path);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Path::new("-") { f.write_str("FILE") } else { Name(self.0).fmt(f) }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Path::new("-") {
            return f.write_str("standard input");
        }
        for c in self.0.to_string_lossy().chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// A span of time for people: its two largest units.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{seconds}s"),
            60..3600 => write!(f, "{}m{}s", seconds / 60, seconds % 60),
            3600..86_400 => write!(f, "{}h{}m", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{}d{}h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

struct Lines<'a>(&'a [CaptureError]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_file_byte_and_mend() {
        let fault = Fault::Truncated { offset: 24, part: "a frame", wanted: 76, had: 30 };
        let text = fault.in_file(Path::new("day\n1.pcap"), None).to_string();
        assert!(
            text.starts_with("day\\n1.pcap: ends at byte 54 in the middle of a frame that starts at byte 24"),
            "{text}"
        );
        assert!(text.contains("Copy the file again"), "{text}");
    }

    #[test]
    fn backwards_time_is_told_with_both_times_and_the_span() {
        let error = CaptureError::TimeRunsBackwards {
            file: PathBuf::from("-"),
            offset: 1000,
            newest: Timestamp::from_secs_nanos(1_763_892_000, 0),
            time: Timestamp::from_secs_nanos(1_763_892_000 - 7380, 0),
            limit: Duration::from_secs(3600),
        };
        let text = error.to_string();
        assert!(text.contains("standard input: time runs backwards at byte 1000"), "{text}");
        assert!(text.contains("2h3m earlier") && text.contains("2025-11-23T10:00:00"), "{text}");
    }

    #[test]
    fn an_operating_system_error_inside_a_compressed_file_is_a_read_error() {
        let stale = io::Error::from_raw_os_error(libc::ESTALE);
        let error = Fault::Io { offset: 5, error: stale }.in_file(Path::new("a.gz"), Some(Compression::Gzip));
        assert!(matches!(error, CaptureError::Read { .. }));
        let short = io::Error::from(io::ErrorKind::UnexpectedEof);
        let error = Fault::Io { offset: 5, error: short }.in_file(Path::new("a.gz"), Some(Compression::Gzip));
        assert!(matches!(error, CaptureError::CompressionTruncated { .. }));
    }
}
