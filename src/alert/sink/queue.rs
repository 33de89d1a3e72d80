//! A bounded queue on disk that survives restarts and kills.
//!
//! Records in, at one end; batches of them out, at the other, where they stay until they are acknowledged: what was sent
//! and not acknowledged is sent again. A folder holds segments (`00000000000000000007.segment`) of records, each behind
//! its length and a checksum, and `acknowledged`, the place up to which they were. A record is with the kernel when
//! [`Queue::push`] returns. Where the disk takes nothing, records wait in memory, behind those on disk, until it does.
//! Both are bounded: what is oldest is dropped, a segment at a time on disk, and counted. Refused at opening, said and
//! passed over: the torn end that a power cut leaves, segments whose checksums are wrong.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Parts that the bound is cut into: so much is dropped at once.
const SEGMENTS: u64 = 8;
/// Length and checksum.
const HEADER_BYTES: usize = 8;
/// A place and its checksum.
const PLACE_BYTES: usize = 20;
const EXTENSION: &str = "segment";

pub struct Queue {
    folder: PathBuf,
    bound: u64,
    /// Oldest first; records are added to the last.
    segments: VecDeque<Segment>,
    /// Number of the next segment: none is used twice, or the place of an old one would be taken for one of a new.
    next: u64,
    /// The last segment, while it can be added to.
    writer: Option<File>,
    /// Where the oldest record begins in the first segment.
    offset: u64,
    /// What the disk did not take.
    memory: VecDeque<Vec<u8>>,
    memory_bytes: u64,
    /// Records that have left the queue since it was opened: the number of the oldest one.
    left: u64,
    dropped: u64,
    /// Why the disk took nothing, while it does not.
    trouble: Option<String>,
    has_unsynced: bool,
}

struct Segment {
    number: u64,
    /// Bytes of whole records.
    length: u64,
    /// Records that were not acknowledged.
    records: u64,
}

/// The oldest records, and what acknowledges them.
pub struct Batch {
    pub records: Vec<Vec<u8>>,
    first: u64,
}

impl Queue {
    /// Opens what an earlier run left, and says what of it could not be read. A folder that cannot be used is no reason
    /// not to start: records wait in memory then.
    pub fn open(folder: &Path, bound: u64) -> (Queue, Vec<String>) {
        let mut queue = Queue {
            folder: folder.to_owned(),
            bound,
            segments: VecDeque::new(),
            next: 1,
            writer: None,
            offset: 0,
            memory: VecDeque::new(),
            memory_bytes: 0,
            left: 0,
            dropped: 0,
            trouble: None,
            has_unsynced: false,
        };
        let mut notes = Vec::new();
        if let Err(error) = queue.read_folder(&mut notes) {
            notes.push(format!(
                "{}: the queue cannot be read: {error}; what it holds is not sent, and alerts that wait do so in memory \
                 only; make the folder readable and writable for apitap",
                folder.display()
            ));
            queue.segments.clear();
        }
        (queue, notes)
    }

    /// Records that were neither acknowledged nor dropped.
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum::<u64>() + self.memory.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on disk and in memory.
    pub fn bytes(&self) -> u64 {
        self.disk_bytes() + self.memory_bytes
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub fn push(&mut self, record: &[u8]) {
        self.settle();
        let is_on_disk = self.memory.is_empty() && self.append_or_note(record);
        if !is_on_disk {
            self.memory_bytes += record.len() as u64;
            self.memory.push_back(record.to_owned());
            // Those on disk are older, but dropping them would not make room here.
            while self.memory_bytes > self.bound
                && let Some(oldest) = self.memory.pop_front()
            {
                self.memory_bytes -= oldest.len() as u64;
                self.dropped += 1;
                if self.disk_records() == 0 {
                    self.left += 1;
                }
            }
        }
    }

    /// Brings to the disk what waits in memory, as far as the disk takes it.
    pub fn settle(&mut self) {
        while let Some(record) = self.memory.pop_front() {
            if !self.append_or_note(&record) {
                self.memory.push_front(record);
                return;
            }
            self.memory_bytes -= record.len() as u64;
        }
    }

    /// The oldest records: at least one if there is any, at most so many, and so many bytes about.
    pub fn oldest(&mut self, most_records: usize, most_bytes: usize) -> Batch {
        let mut records = Vec::new();
        if self.disk_records() > 0 {
            while let Err(error) = self.read_oldest(most_records, most_bytes, &mut records) {
                if !records.is_empty() {
                    break;
                }
                self.trouble = Some(format!("{}: a segment cannot be read: {error}", self.folder.display()));
                if !is_damage(&error) {
                    return Batch { records, first: self.left }; // it may be readable later
                }
                self.drop_segment();
            }
        }
        if records.is_empty() && self.disk_records() == 0 {
            let mut bytes = 0;
            for record in self.memory.iter().take(most_records) {
                bytes += record.len();
                records.push(record.clone());
                if bytes >= most_bytes {
                    break;
                }
            }
        }
        Batch { records, first: self.left }
    }

    /// The first `count` records of a batch are done with. Those that were dropped meanwhile are not counted twice.
    pub fn acknowledge(&mut self, batch: &Batch, count: usize) {
        let end = batch.first + count as u64;
        let mut is_moved = false;
        while self.left < end {
            if self.disk_records() == 0 {
                let Some(record) = self.memory.pop_front() else { break };
                self.memory_bytes -= record.len() as u64;
                self.left += 1;
            } else {
                match self.pop_from_disk() {
                    Ok(_) => is_moved = true,
                    Err(error) if is_damage(&error) => self.drop_segment(),
                    Err(_) => break, // delivered once more, later
                }
            }
        }
        if is_moved && let Err(error) = self.write_place() {
            self.trouble = Some(format!("{}: {error}", self.folder.display()));
        }
    }

    /// What is to be forced to the disk, once.
    pub fn unsynced(&mut self) -> Option<File> {
        let file = self.writer.as_ref().filter(|_| self.has_unsynced)?.try_clone().ok()?;
        self.has_unsynced = false;
        Some(file)
    }

    fn disk_records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }

    fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    fn path_of(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.{EXTENSION}"))
    }

    fn append_or_note(&mut self, record: &[u8]) -> bool {
        match self.append(record) {
            Ok(()) => {
                self.trouble = None;
                true
            }
            Err(error) => {
                self.trouble = Some(format!("{}: {error}", self.folder.display()));
                false
            }
        }
    }

    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a record is longer than the queue");
        let length = u32::try_from(record.len()).map_err(|_| too_long())?;
        let added = (HEADER_BYTES + record.len()) as u64;
        if added > self.bound {
            return Err(too_long());
        }
        while self.disk_bytes() + added > self.bound && !self.segments.is_empty() {
            self.drop_segment();
        }
        let is_full = self.segments.back().is_none_or(|segment| segment.length >= self.bound / SEGMENTS);
        if self.writer.is_none() || is_full {
            self.begin_segment()?;
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + record.len());
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(length, record).to_le_bytes());
        bytes.extend(record);
        let (Some(writer), Some(segment)) = (self.writer.as_mut(), self.segments.back_mut()) else {
            return Err(io::Error::other("there is no segment to write to")); // one was begun above
        };
        if let Err(error) = writer.write_all(&bytes) {
            // What was written of it must not stand before the next record: where it cannot be cut off, the next one
            // goes to a new segment, and opening passes over the torn end of this one.
            if writer.set_len(segment.length).is_err() {
                self.writer = None;
            }
            return Err(error);
        }
        segment.length += added;
        segment.records += 1;
        self.has_unsynced = true;
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.folder)?;
        let number = self.next;
        let path = self.path_of(number);
        let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
        self.next += 1;
        self.writer = Some(file);
        let is_first = self.segments.is_empty();
        self.segments.push_back(Segment { number, length: 0, records: 0 });
        if is_first {
            self.offset = 0;
        }
        self.pass_finished();
        Ok(())
    }

    /// Removes segments at the front that hold nothing any more.
    fn pass_finished(&mut self) {
        while self.segments.len() > 1
            && self.segments.front().is_some_and(|segment| segment.records == 0)
            && let Some(segment) = self.segments.pop_front()
        {
            let _ = fs::remove_file(self.path_of(segment.number)); // what stays is passed over by its place
            self.offset = 0;
        }
    }

    fn drop_segment(&mut self) {
        let Some(segment) = self.segments.pop_front() else { return };
        if self.segments.is_empty() {
            self.writer = None;
        }
        self.dropped += segment.records;
        self.left += segment.records;
        self.offset = 0;
        let _ = fs::remove_file(self.path_of(segment.number)); // dropped again after the next start
    }

    fn pop_from_disk(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.front_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        let mut length = [0; 4];
        File::open(self.folder.join(format!("{:020}.{EXTENSION}", segment.number)))?
            .read_exact_at(&mut length, self.offset)?;
        self.offset += (HEADER_BYTES + u32::from_le_bytes(length) as usize) as u64;
        segment.records -= 1;
        self.left += 1;
        self.pass_finished();
        Ok(())
    }

    /// Reads from the first segment that has records.
    fn read_oldest(&mut self, most_records: usize, most_bytes: usize, into: &mut Vec<Vec<u8>>) -> io::Result<()> {
        self.pass_finished();
        let Some(segment) = self.segments.front() else { return Ok(()) };
        let file = File::open(self.path_of(segment.number))?;
        let (mut at, mut bytes) = (self.offset, 0);
        while into.len() < most_records && (into.is_empty() || bytes < most_bytes) && at < segment.length {
            let mut header = [0; HEADER_BYTES];
            file.read_exact_at(&mut header, at)?;
            let (length, sum) = of_header(header);
            let mut record = vec![0; length as usize];
            if at + (HEADER_BYTES as u64) + u64::from(length) > segment.length {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a length is wrong"));
            }
            file.read_exact_at(&mut record, at + HEADER_BYTES as u64)?;
            if checksum(length, &record) != sum {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum is wrong"));
            }
            at += (HEADER_BYTES + record.len()) as u64;
            bytes += record.len();
            into.push(record);
        }
        Ok(())
    }

    /// The place is written over the last one: a cut in the middle is known by its checksum, and then all that is there
    /// is sent again.
    fn write_place(&self) -> io::Result<()> {
        let Some(segment) = self.segments.front() else { return Ok(()) };
        let mut bytes = Vec::with_capacity(PLACE_BYTES);
        bytes.extend(segment.number.to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let path = self.folder.join("acknowledged");
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o640).open(path)?.write_all_at(&bytes, 0)
    }

    fn place(&self) -> Option<(u64, u64)> {
        let bytes: [u8; PLACE_BYTES] = fs::read(self.folder.join("acknowledged")).ok()?.try_into().ok()?;
        let (place, sum) = bytes.split_at(PLACE_BYTES - 4);
        if crc32fast::hash(place).to_le_bytes() != sum {
            return None;
        }
        let (number, offset) = place.split_at(8);
        Some((u64::from_le_bytes(number.try_into().ok()?), u64::from_le_bytes(offset.try_into().ok()?)))
    }

    fn read_folder(&mut self, notes: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
            numbers.extend(stem.filter(|_| path.extension().is_some_and(|extension| extension == EXTENSION)));
        }
        numbers.sort_unstable();
        let (first, offset) = self.place().unwrap_or((0, 0));
        self.next = numbers.last().copied().unwrap_or(0).max(first) + 1;
        for number in numbers {
            let path = self.path_of(number);
            if number < first {
                let _ = fs::remove_file(path); // acknowledged already
                continue;
            }
            let begin = if number == first { offset } else { 0 };
            let whole = fs::metadata(&path)?.len();
            let (length, records) = scan(&path, begin)?;
            if length < whole {
                let bytes = whole - length;
                notes.push(format!("{}: {bytes} bytes at the end are no whole record; passed over", path.display()));
            }
            if self.segments.is_empty() {
                self.offset = begin.min(length);
            }
            self.segments.push_back(Segment { number, length, records });
        }
        // A new segment is begun behind them all.
        self.pass_finished();
        Ok(())
    }
}

/// Bytes of whole records of a segment, and how many there are from a place on.
fn scan(path: &Path, begin: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut length, mut records) = (0, 0);
    let mut record = Vec::new();
    let mut header = [0; HEADER_BYTES];
    while reader.read_exact(&mut header).is_ok() {
        let (bytes, sum) = of_header(header);
        record.clear();
        let is_whole = (&mut reader).take(u64::from(bytes)).read_to_end(&mut record)? == bytes as usize;
        if !is_whole || checksum(bytes, &record) != sum {
            break;
        }
        if length >= begin {
            records += 1;
        }
        length += (HEADER_BYTES + record.len()) as u64;
    }
    Ok((length, records))
}

fn of_header(header: [u8; HEADER_BYTES]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = header;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// Of the length too: zeros that a power cut leaves are no record.
fn checksum(length: u32, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(b"apitap");
    hasher.update(&length.to_le_bytes());
    hasher.update(record);
    hasher.finalize()
}

/// Whether what cannot be read now will not be later either.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests;
