//! The files of an export: records in, compressed and checksummed blocks out, and back.
//!
//! A file is a header (format, number, hash key, its own CRC-32), blocks (two lengths, CRC-32 of what is stored, records
//! compressed with zstd) and an end (a block of no length, the number of records, SipHash of everything before). Records
//! are in ascending order of their place, each place once. Memory: one block, of about [`BLOCK_BYTES`] or one record.
//!
//! Refused: another format ([`Unreadable::Version`]), and whatever a checksum, a length or the order does not bear out
//! ([`Unreadable::Damaged`]). A length is believed within [`MAX_BLOCK`] only, so damage cannot ask for much memory.

use super::record::{MAX_VALUE, Place, Record, first_of, push};
use crate::hash::HashKey;
use siphasher::sip::SipHasher13;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Version of the format; another one is refused.
pub const VERSION: u32 = 3;

const MAGIC: [u8; 8] = *b"apitapST";
/// Magic, version, number, key, CRC-32.
const HEADER_BYTES: usize = 8 + 4 + 8 + 16 + 4;
/// Length stored, length of the records, CRC-32 of what is stored.
const BLOCK_HEAD_BYTES: usize = 12;
/// A block is closed when it has grown to this: enough to compress well, little where a hundred files are merged.
const BLOCK_BYTES: usize = 128 << 10;
/// The largest block that is read.
const MAX_BLOCK: usize = MAX_VALUE + 2 * BLOCK_BYTES;
/// zstd's fastest ordinary level: an export is written by a thread beside the data path.
const LEVEL: i32 = 1;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is of format {0}, this apitap reads {VERSION}")]
    Version(u32),
    #[error("{0}")]
    Damaged(&'static str),
}

/// What a file says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The checkpoint up to which it goes.
    pub number: u64,
    pub key: HashKey,
}

/// What was written, or what a whole look at a file found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    pub records: u64,
    pub bytes: u64,
}

/// A stream that is summed up as it passes.
struct Summed<S> {
    stream: S,
    sum: SipHasher13,
    bytes: u64,
}

impl<S> Summed<S> {
    fn new(stream: S) -> Summed<S> {
        Summed { stream, sum: SipHasher13::new(), bytes: 0 }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.sum.write(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<S: Write> Summed<S> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.note(bytes);
        Ok(())
    }
}

impl<S: Read> Summed<S> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Unreadable> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Unreadable::Damaged("it ends too early"),
            _ => Unreadable::Io(error),
        })?;
        self.note(bytes);
        Ok(())
    }
}

/// Writes a file.
pub struct Writer {
    out: Summed<BufWriter<File>>,
    block: Vec<u8>,
    stored: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
    records: u64,
}

impl Writer {
    pub fn begin(file: File, header: Header) -> io::Result<Writer> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&header.number.to_be_bytes());
        bytes.extend_from_slice(header.key.bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        let mut out = Summed::new(BufWriter::new(file));
        out.put(&bytes)?;
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Writer { out, block: Vec::new(), stored: Vec::new(), compressor, records: 0 })
    }

    /// Takes the next record; they come in ascending order.
    pub fn put(&mut self, record: Record<'_>) -> io::Result<()> {
        push(&mut self.block, record.place, |bytes| {
            bytes.extend_from_slice(record.value.unwrap_or_default());
            record.value.is_some()
        });
        self.records += 1;
        if self.block.len() >= BLOCK_BYTES { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> io::Result<()> {
        self.stored.resize(zstd::zstd_safe::compress_bound(self.block.len()), 0);
        let length = self.compressor.compress_to_buffer(&self.block, &mut self.stored)?;
        let stored = &self.stored[..length]; // the compressor says how much of it is used
        self.out.put(&(length as u32).to_be_bytes())?;
        self.out.put(&(self.block.len() as u32).to_be_bytes())?;
        self.out.put(&crc32fast::hash(stored).to_be_bytes())?;
        self.out.put(stored)?;
        self.block.clear();
        Ok(())
    }

    /// Ends the file and brings it to the disk.
    pub fn finish(mut self) -> io::Result<Extent> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        self.out.put(&[0; BLOCK_HEAD_BYTES])?;
        self.out.put(&self.records.to_be_bytes())?;
        let sum = self.out.sum.finish();
        self.out.put(&sum.to_be_bytes())?;
        let bytes = self.out.bytes;
        self.out.stream.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(Extent { records: self.records, bytes })
    }
}

/// Reads a file.
pub struct Reader {
    input: Summed<BufReader<File>>,
    header: Header,
    stored: Vec<u8>,
    block: Vec<u8>,
    /// Where the record after the present one begins in the block.
    next: usize,
    /// The present record: where it begins, and its place.
    at: usize,
    place: Option<Place>,
    decompressor: zstd::bulk::Decompressor<'static>,
    records: u64,
}

/// The head of a block: lengths and checksum; `None` for the end of the file.
fn block_head(head: [u8; BLOCK_HEAD_BYTES]) -> Result<Option<(usize, usize, u32)>, Unreadable> {
    let [stored, length, sum] =
        [0, 4, 8].map(|at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let (stored, length) = (stored as usize, length as usize);
    match (stored, length) {
        (0, 0) => Ok(None),
        (0, _) | (_, 0) => Err(Unreadable::Damaged("a block has no length")),
        _ if length > MAX_BLOCK || stored > zstd::zstd_safe::compress_bound(MAX_BLOCK) => {
            Err(Unreadable::Damaged("a block is too long"))
        }
        _ => Ok(Some((stored, length, sum))),
    }
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, Unreadable> {
        let mut input = Summed::new(BufReader::new(File::open(path)?));
        let header = header_of(input.take()?)?;
        let decompressor = zstd::bulk::Decompressor::new()?;
        let (stored, block) = (Vec::new(), Vec::new());
        Ok(Reader { input, header, stored, block, next: 0, at: 0, place: None, decompressor, records: 0 })
    }

    /// Goes on to the next record; gives its place, and none at the end.
    pub fn advance(&mut self) -> Result<Option<Place>, Unreadable> {
        if self.next == self.block.len() && !self.read_block()? {
            self.place = None;
            return Ok(None);
        }
        let rest = &self.block[self.next..]; // `next` never passes the end of the block
        let (record, behind) = first_of(rest).ok_or(Unreadable::Damaged("a record is cut"))?;
        if self.place.is_some_and(|before| before >= record.place) {
            return Err(Unreadable::Damaged("its records are out of order"));
        }
        let place = record.place;
        (self.at, self.next) = (self.next, self.block.len() - behind.len());
        self.place = Some(place);
        self.records += 1;
        Ok(Some(place))
    }

    /// The present record.
    pub fn record(&self) -> Option<Record<'_>> {
        self.place?;
        Some(first_of(&self.block[self.at..])?.0)
    }

    /// False at the end, which is checked.
    fn read_block(&mut self) -> Result<bool, Unreadable> {
        (self.next, self.at) = (0, 0);
        let Some(length) = self.read_stored()? else {
            self.block.clear();
            return Ok(false);
        };
        self.block.resize(length, 0);
        let got = self.decompressor.decompress_to_buffer(&self.stored, &mut self.block);
        if !got.is_ok_and(|got| got == length) {
            return Err(Unreadable::Damaged("a block cannot be decompressed"));
        }
        Ok(true)
    }

    /// Reads a block as it is stored; gives the length of its records, and none at the end.
    fn read_stored(&mut self) -> Result<Option<usize>, Unreadable> {
        let Some((stored, length, sum)) = block_head(self.input.take()?)? else {
            self.check_end()?;
            return Ok(None);
        };
        // In steps, so that a length that is wrong cannot ask for more than the file has.
        self.stored.clear();
        while self.stored.len() < stored {
            let from = self.stored.len();
            self.stored.resize(stored.min(from + BLOCK_BYTES), 0);
            self.input.fill(&mut self.stored[from..])?;
        }
        if crc32fast::hash(&self.stored) != sum {
            return Err(Unreadable::Damaged("the checksum of a block is wrong"));
        }
        Ok(Some(length))
    }

    fn check_end(&mut self) -> Result<(), Unreadable> {
        let records = u64::from_be_bytes(self.input.take()?);
        let sum = self.input.sum.finish();
        if u64::from_be_bytes(self.input.take()?) != sum {
            return Err(Unreadable::Damaged("the checksum of the file is wrong"));
        }
        if self.input.stream.read(&mut [0])? != 0 {
            return Err(Unreadable::Damaged("something follows its end"));
        }
        self.records = records;
        Ok(())
    }
}

/// Looks at every byte of a file, and decompresses nothing.
pub fn verify(path: &Path) -> Result<(Header, Extent), Unreadable> {
    let mut reader = Reader::open(path)?;
    while reader.read_stored()?.is_some() {}
    Ok((reader.header, Extent { records: reader.records, bytes: reader.input.bytes }))
}

fn header_of(bytes: [u8; HEADER_BYTES]) -> Result<Header, Unreadable> {
    let (fields, sum) = bytes.split_at(HEADER_BYTES - 4);
    if fields[..8] != MAGIC || crc32fast::hash(fields).to_be_bytes() != *sum {
        return Err(Unreadable::Damaged("its header is damaged"));
    }
    let part = |at: usize| fields[at..].first_chunk::<4>().copied().map_or(0, u32::from_be_bytes);
    if part(8) != VERSION {
        return Err(Unreadable::Version(part(8)));
    }
    let number = u64::from(part(12)) << 32 | u64::from(part(16));
    let mut key = [0; 16];
    key.copy_from_slice(&fields[20..36]); // the fields are 36 bytes
    Ok(Header { number, key: HashKey::new(key) })
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    const HEADER: Header = Header { number: 7, key: HashKey::new([9; 16]) };

    fn written(path: &Path, records: u64) -> Extent {
        let mut writer = Writer::begin(File::create(path).unwrap(), HEADER).unwrap();
        for key in 0..records {
            let value = format!("{{\"value\":{}}}", key * 77_777);
            writer
                .put(Record { place: (Kind::Client, key), value: (key % 5 > 0).then_some(value.as_bytes()) })
                .unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(path: &Path) -> Result<u64, Unreadable> {
        let mut reader = Reader::open(path)?;
        let mut records = 0;
        while let Some((kind, key)) = reader.advance()? {
            let value = format!("{{\"value\":{}}}", key * 77_777);
            let expected = (key % 5 > 0).then_some(value.as_bytes());
            assert_eq!((kind, key, reader.record().unwrap().value), (Kind::Client, records, expected));
            records += 1;
        }
        Ok(records)
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for records in [0, 1, 50_000] {
            let extent = written(&path, records);
            assert_eq!(verify(&path).unwrap(), (HEADER, extent));
            assert_eq!(extent.bytes, std::fs::metadata(&path).unwrap().len());
            assert_eq!((read(&path).unwrap(), extent.records), (records, records));
        }
    }

    #[test]
    fn no_damaged_byte_and_no_cut_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        written(&path, 60);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bad).unwrap();
            assert!(verify(&path).is_err(), "a flipped bit at {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(verify(&path).is_err(), "cut at {at}");
        }
        std::fs::write(&path, [&good[..], &[0]].concat()).unwrap();
        assert!(verify(&path).is_err(), "one byte more");
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        written(&path, 1);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[11] = 4;
        let sum = crc32fast::hash(&bytes[..36]).to_be_bytes();
        bytes[36..40].copy_from_slice(&sum);
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(verify(&path), Err(Unreadable::Version(4))));
    }
}
