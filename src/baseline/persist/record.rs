//! Records: what is kept of one key, as it stands in exports, in cuts and in the database.
//!
//! In: kind, key and a value in JSON (readable with other tools, and open to fields that come later), or none where the
//! key is gone. Out: a flat sequence of bytes and back. Refused: kinds that are not known, and records that are cut.

use std::io;

/// What a key is of. The order is that of the records in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// What is kept once: see `Single`.
    Single,
    Endpoint,
    Client,
    Principal,
    Host,
    LoginClient,
    LoginAccount,
    Reach,
    Network,
}

impl Kind {
    pub const COUNT: usize = 9;
    pub const ALL: [Kind; Kind::COUNT] = [
        Kind::Single,
        Kind::Endpoint,
        Kind::Client,
        Kind::Principal,
        Kind::Host,
        Kind::LoginClient,
        Kind::LoginAccount,
        Kind::Reach,
        Kind::Network,
    ];

    /// Its name in statistics, and that of its tree in the database.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Single => "single",
            Kind::Endpoint => "endpoints",
            Kind::Client => "clients",
            Kind::Principal => "principals",
            Kind::Host => "hosts",
            Kind::LoginClient => "login_clients",
            Kind::LoginAccount => "login_accounts",
            Kind::Reach => "reaches",
            Kind::Network => "networks",
        }
    }

    /// Whether it is of a subject and a place together: such keys are most of what is written, and hold for a day or so.
    pub fn is_pair(self) -> bool {
        matches!(self, Kind::LoginClient | Kind::LoginAccount | Kind::Reach)
    }

    fn of(byte: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(byte)).copied()
    }
}

/// What is kept once; the number is the key of its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Single {
    /// Learned parameters.
    Learned,
    /// Open incidents, as `alert` writes them.
    Incidents,
    /// Time of the newest frame that taught.
    Newest,
    /// Until when windows only teach.
    LearnUntil,
    /// Sums over all runs, by name.
    Counters,
    /// What alerts told later are not older than.
    Judged,
    /// How rare is rare.
    Odds,
    /// When there was traffic.
    Watched,
}

/// Kind and key: the order of records.
pub type Place = (Kind, u64);

/// A record: its place, and its value where it is not gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'r> {
    pub place: Place,
    pub value: Option<&'r [u8]>,
}

/// The length that says that a key is gone.
const GONE: u32 = u32::MAX;
/// Kind, key, length.
const HEAD_BYTES: usize = 13;

/// Bytes of the longest value that is kept: far above the open incidents of a flood.
pub const MAX_VALUE: usize = 48 << 20;

/// Appends a record whose value `write` appends; none where it is gone or cannot be written.
pub fn push(bytes: &mut Vec<u8>, place: Place, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    bytes.push(place.0 as u8);
    bytes.extend_from_slice(&place.1.to_be_bytes());
    let length_at = bytes.len();
    bytes.extend_from_slice(&GONE.to_be_bytes());
    let value_at = bytes.len();
    let is_there = write(bytes);
    let length = bytes.len() - value_at;
    if is_there && length <= MAX_VALUE {
        bytes[length_at..value_at].copy_from_slice(&(length as u32).to_be_bytes());
    } else {
        bytes.truncate(value_at);
    }
}

/// The record at the start of some bytes, and what follows it. `None` where it is cut or of no known kind.
pub fn first_of(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let kind = Kind::of(head[0])?;
    let key = u64::from_be_bytes(*head[1..].first_chunk()?);
    let length = u32::from_be_bytes(*head.last_chunk()?);
    if length == GONE {
        return Some((Record { place: (kind, key), value: None }, rest));
    }
    let (value, rest) = rest.split_at_checked(length as usize)?;
    Some((Record { place: (kind, key), value: Some(value) }, rest))
}

/// A block is full with so many bytes, give or take a record.
const BLOCK_BYTES: usize = 1 << 20;
/// zstd's fastest ordinary level: records shrink to an eighth, at hundreds of megabytes a second.
const LEVEL: i32 = 1;

/// Records one after the other, in memory: full blocks are compressed, for a cut of a busy site is a hundred megabytes.
#[derive(Default)]
pub struct Records {
    full: Vec<Block>,
    /// The block that is being filled.
    block: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

struct Block {
    bytes: Vec<u8>,
    /// Of the records, where they are compressed.
    length: Option<usize>,
}

impl Records {
    /// Appends a record, see [`push`].
    pub fn push(&mut self, place: Place, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        push(&mut self.block, place, write);
        if self.block.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        if self.compressor.is_none() {
            self.compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        let compressed = self.compressor.as_mut().and_then(|compressor| compressor.compress(&self.block).ok());
        let length = compressed.as_ref().map(|_| self.block.len());
        let bytes = compressed.map_or_else(|| std::mem::take(&mut self.block), |bytes| bytes.as_slice().to_vec());
        self.block.clear();
        self.full.push(Block { bytes, length });
    }

    /// Gives every record in order, until one cannot be taken.
    pub fn each(&self, mut take: impl FnMut(Record<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut decompressor = zstd::bulk::Decompressor::new()?;
        let mut records = Vec::new();
        for block in &self.full {
            match block.length {
                Some(length) => {
                    records.clear();
                    records.reserve(length);
                    decompressor.decompress_to_buffer(&block.bytes, &mut records)?;
                    each_of(&records, &mut take)?;
                }
                None => each_of(&block.bytes, &mut take)?,
            }
        }
        each_of(&self.block, &mut take)
    }
}

fn each_of(mut bytes: &[u8], take: &mut impl FnMut(Record<'_>) -> io::Result<()>) -> io::Result<()> {
    while let Some((record, rest)) = first_of(bytes) {
        take(record)?;
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order_from_few_bytes() {
        let mut records = Records::default();
        let value = |key: u64| format!("{{\"key\":{key},\"zeros\":[{}]}}", "0,".repeat(500));
        for key in 0..5000 {
            records.push((Kind::Client, key), |bytes| {
                bytes.extend_from_slice(value(key).as_bytes());
                key % 7 > 0
            });
        }
        let held: usize = records.full.iter().map(|block| block.bytes.capacity()).sum();
        assert!(records.full.len() == 4 && held < 1 << 20, "{held}");
        let mut next = 0;
        records
            .each(|record| {
                assert_eq!(record.place, (Kind::Client, next));
                assert_eq!(record.value, (next % 7 > 0).then(|| value(next)).as_deref().map(str::as_bytes));
                next += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(next, 5000);
        assert!(records.each(|_| Err(io::Error::other("full"))).is_err());
    }
}
