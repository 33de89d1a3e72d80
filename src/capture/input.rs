//! The bytes of a capture, in a buffer that readers look into: large reads in, borrowed slices out.
//!
//! A read asks for as much as the buffer has room for and takes what there is, so a pipe that delivers slowly is read
//! as it delivers. The buffer starts at one chunk and doubles only when it is full of bytes that really arrived: a
//! header that claims a huge frame reserves nothing.

use super::compression::BoxedReader;
use super::error::Fault;
use std::io;

pub(super) struct Input {
    reader: BoxedReader,
    buffer: Vec<u8>,
    /// What is read and not yet consumed is `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Place of `buffer[start]` in the capture.
    offset: u64,
}

impl Input {
    /// `chunk`: bytes of the buffer to start with, so bytes per read.
    pub(super) fn new(reader: BoxedReader, chunk: usize) -> Input {
        Input { reader, buffer: vec![0; chunk.max(1)], start: 0, end: 0, offset: 0 }
    }

    /// What is there without reading.
    #[inline]
    pub(super) fn available(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes at least `count` bytes available; false when the capture ends before.
    #[inline]
    pub(super) fn has(&mut self, count: usize) -> Result<bool, Fault> {
        if self.end - self.start >= count { Ok(true) } else { self.read_until(count) }
    }

    /// Like [`Input::has`], where the end of the capture is a fault: it cuts `part`, which starts here.
    #[inline]
    pub(super) fn must_have(&mut self, count: usize, part: &'static str) -> Result<(), Fault> {
        if self.has(count)? { Ok(()) } else { Err(self.truncated(part, count as u64)) }
    }

    pub(super) fn truncated(&self, part: &'static str, wanted: u64) -> Fault {
        Fault::Truncated { offset: self.offset, part, wanted, had: self.available().len() as u64 }
    }

    /// Goes on behind the next `count` bytes, which must be available.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Goes on behind the next `count` bytes without keeping them; false when the capture ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<bool, Fault> {
        loop {
            let step = count.min(self.available().len() as u64);
            self.consume(step as usize);
            count -= step;
            if count == 0 {
                return Ok(true);
            }
            if !self.has(1)? {
                return Ok(false);
            }
        }
    }

    #[cold]
    fn read_until(&mut self, count: usize) -> Result<bool, Fault> {
        // Whoever asks has used all but the start of what it asks for, so little is moved.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < count {
            if self.end == self.buffer.len() {
                self.buffer.resize(count.min(self.buffer.len().saturating_mul(2)), 0);
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end = (self.end + read).min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io { offset: self.offset, error }),
            }
        }
        Ok(true)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.len()
    }
}

/// The order in which a capture's writer laid out the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Big,
    Little,
}

impl ByteOrder {
    /// The number at `at`; nothing when `bytes` end before it does.
    #[inline]
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(match self {
            ByteOrder::Big => u32::from_be_bytes(field),
            ByteOrder::Little => u32::from_le_bytes(field),
        })
    }

    /// The number at `at`; nothing when `bytes` end before it does.
    #[inline]
    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(match self {
            ByteOrder::Big => u16::from_be_bytes(field),
            ByteOrder::Little => u16::from_le_bytes(field),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_buffer_grows_only_with_bytes_that_arrive() {
        let mut input = Input::new(Box::new(Cursor::new(vec![1u8; 5000])), 1024);
        assert!(!input.has(200_000_000).unwrap());
        assert_eq!(input.available().len(), 5000);
        assert!(input.capacity() <= 8192, "{} bytes reserved", input.capacity());
    }

    #[test]
    fn skipping_goes_past_the_buffer_and_keeps_the_offset() {
        let mut input = Input::new(Box::new(Cursor::new((0..=255u8).cycle().take(10_000).collect::<Vec<_>>())), 64);
        assert!(input.skip(9_000).unwrap());
        assert!(input.has(1).unwrap());
        assert_eq!((input.offset(), input.available()[0], input.capacity()), (9_000, (9_000 % 256) as u8, 64));
        assert!(!input.skip(1_001).unwrap());
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        struct Failing;
        impl io::Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
        use std::io::Read;
        let mut input = Input::new(Box::new(Cursor::new(b"abcd".to_vec()).chain(Failing)), 64);
        assert!(input.has(4).unwrap());
        input.consume(3);
        assert!(matches!(input.has(2), Err(Fault::Io { offset: 3, .. })));
        assert_eq!(input.available(), b"d");
    }
}
