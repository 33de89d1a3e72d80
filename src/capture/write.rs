//! Writes captures: pcap, little-endian, nanoseconds, of one link type. For tools and tests.

use super::LinkType;
use crate::time::Timestamp;
use std::io::{self, Write};

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: (u16, u16) = (2, 4);
/// What tcpdump writes where no snapshot length was asked for.
const SNAPSHOT_BYTES: u32 = 256 * 1024;

/// Writes frames to `W`, which should be buffered.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    to: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    pub fn new(mut to: W, link: LinkType) -> io::Result<PcapWriter<W>> {
        to.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        to.write_all(&VERSION.0.to_le_bytes())?;
        to.write_all(&VERSION.1.to_le_bytes())?;
        to.write_all(&[0; 8])?; // time zone and accuracy, unused
        to.write_all(&SNAPSHOT_BYTES.to_le_bytes())?;
        to.write_all(&u32::from(link.0).to_le_bytes())?;
        Ok(PcapWriter { to })
    }

    /// Writes a frame that was captured whole.
    pub fn write(&mut self, time: Timestamp, bytes: &[u8]) -> io::Result<()> {
        self.write_cut(time, u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes)
    }

    /// Writes the first `bytes` of a frame that had `wire_len` on the wire. Times before 1970 and after 2106 cannot be
    /// written and are refused, as are frames above the snapshot length.
    pub fn write_cut(&mut self, time: Timestamp, wire_len: u32, bytes: &[u8]) -> io::Result<()> {
        let refuse = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let seconds = u32::try_from(time.seconds()).map_err(|_| refuse(format!("pcap cannot hold the time {time}")))?;
        let captured = u32::try_from(bytes.len()).ok().filter(|length| *length <= SNAPSHOT_BYTES).ok_or_else(|| {
            refuse(format!("a frame of {} bytes is above the snapshot length {SNAPSHOT_BYTES}", bytes.len()))
        })?;
        let mut header = [0u8; 16];
        for (field, value) in header.chunks_exact_mut(4).zip([seconds, time.subsec_nanos(), captured, wire_len]) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        self.to.write_all(&header)?;
        self.to.write_all(bytes)
    }

    /// Flushes and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}
