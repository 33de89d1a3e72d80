//! Captures: the only packet I/O.
//!
//! In go capture files, folders of them or standard input; out come [`Frame`]s, each borrowed from the read buffer,
//! with the time at which it was captured: the only clock the data path has. [`open`] reads one file, [`open_all`]
//! merges several in time order, [`Filter`] chooses frames by a BPF expression, [`write`](mod@write) makes captures
//! for tools and tests.
//!
//! Refused, with a [`CaptureError`] that names file, byte and mend: what is no pcap or pcapng, what is cut or damaged
//! (from there on; the frames before are given), and time that runs backwards by hours. An unknown link type is not
//! refused: the packet stage counts such frames.
//!
//! Bounds: a file needs its read buffer (1 MiB, or its largest frame up to 256 MiB, once that has arrived) and the
//! window of its decompressor (up to 128 MiB of zstd, only where the file uses it). Of several files, those that
//! overlap in time are read at once and share [`BUFFERS_BYTES`].

mod compression;
mod error;
mod file;
mod filter;
mod gather;
mod held;
mod input;
mod link;
pub mod live;
mod merge;
mod pcap_file;
mod pcapng;
pub mod pipe;
mod recognise;
mod stop;
pub mod vlan;
pub mod write;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use error::CaptureError;
pub use file::{DISORDER_LIMIT, FileSource};
pub use filter::{Filter, FilterError, for_kernel};
pub use gather::Skipped;
pub use held::HeldFrames;
pub use link::LinkType;
pub use merge::{BUFFERS_BYTES, MergedSource};
pub use recognise::Recognised;
pub use stop::{is_named_pipe, is_stop_requested, request_stop};

use crate::time::Timestamp;
use std::path::{Path, PathBuf};

/// A frame as it was captured. The bytes live in the read buffer until the next frame is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    pub time: Timestamp,
    pub link: LinkType,
    /// Bytes it had on the wire: never fewer than `bytes`, more where a snapshot length cut it.
    pub wire_len: u32,
    pub bytes: &'a [u8],
    /// Which file it is from: an index into [`MergedSource::files`].
    pub source: u16,
}

/// How far reading has come, for a progress bar. Bytes of the files themselves: compressed bytes where compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes read so far; a buffer ahead of the frames.
    pub read: u64,
    /// Bytes altogether; nothing where a pipe is among the inputs.
    pub total: Option<u64>,
}

/// Where frames come from.
pub trait FrameSource {
    /// The next frame; nothing when there are no more. An error is given once, behind the last good frame.
    fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError>;

    fn position(&self) -> Position;
}

/// Opens one capture: pcap or pcapng, plain, gzip or zstd, told by magic; `-` is standard input.
pub fn open(path: &Path) -> Result<FileSource, CaptureError> {
    FileSource::open(path)
}

/// Opens captures and folders of captures, to be read as one in time order.
pub fn open_all(paths: &[PathBuf]) -> Result<MergedSource, CaptureError> {
    MergedSource::open(paths)
}
