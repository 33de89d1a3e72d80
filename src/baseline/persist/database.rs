//! The working copy: the records by key, in sled, for whoever wants a few of them without reading all.
//!
//! Records in, a tree for each kind, keys of 8 bytes big-endian, values in JSON, from [`PACKED_FROM`] bytes on compressed with zstd;
//! `at` says which checkpoint it is as of.
//! Pairs are not kept in it ([`Kind::is_pair`]). Nothing is decided by it: where it differs from the export it is filled
//! anew. sled 0.34 may panic on what it finds damaged, so every call is guarded, and an answer is an error in words.
//! Memory: a cache of [`CACHE_BYTES`], as sled counts it: a leaf of more than 128 KiB weighs nothing there and stays, which is why
//! values are compressed.

use super::merge::Merged;
use super::record::{Kind, MAX_VALUE, Record};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

const CACHE_BYTES: u64 = 32 << 20;
/// A database that was just closed is still being let go of: it is tried again for two seconds.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of values that are handed over at once.
const BATCH_BYTES: usize = 1 << 20;
/// Batches between two flushes: what is not on the disk yet stays in memory, whatever the cache may take.
const FLUSH_BATCHES: u32 = 16;

/// Bytes of a value from which on it is compressed: to an eighth.
const PACKED_FROM: usize = 256;
const LEVEL: i32 = 1;
/// How zstd begins (RFC 8878 §3.1.1); no JSON does.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

const AT: &str = "at";
const VERSION_NAME: &str = "version";
/// Version of the database before there were exports: it held the whole state.
pub const FORMER_VERSION: u64 = 2;

pub struct Database(sled::Db);

/// Runs what may panic on damage.
fn guarded<T>(work: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("sled gave up".to_string()),
    }
}

impl Database {
    pub fn open(path: &Path) -> Result<Database, String> {
        let config =
            sled::Config::new().path(path).cache_capacity(CACHE_BYTES).mode(sled::Mode::LowSpace).flush_every_ms(None); // after each checkpoint
        let mut attempts_left = LOCK_ATTEMPTS;
        loop {
            match guarded(|| config.open()) {
                // sled's message for a lock that another holds; it passes on no kind of its own.
                Err(error) if attempts_left > 0 && error.contains("could not acquire lock") => {
                    attempts_left -= 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => return opened.map(Database),
            }
        }
    }

    /// The checkpoint it is as of.
    pub fn at(&self) -> Result<Option<u64>, String> {
        self.number(AT)
    }

    pub fn version(&self) -> Result<Option<u64>, String> {
        self.number(VERSION_NAME)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let value = guarded(|| self.0.get(name))?;
        Ok(value.and_then(|value| Some(u64::from_be_bytes(value.as_ref().try_into().ok()?))))
    }

    /// Takes in records, those that are gone among them, and is then as of `at`. On the disk when it returns.
    pub fn apply(&self, at: u64, records: &mut Merged) -> Result<(), String> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|error| error.to_string())?;
        let (kind, batch) = (Kind::Single, sled::Batch::default());
        let mut batch = Batch { database: self, kind, compressor, batch, bytes: 0, batches: 0 };
        while let Some(record) = records.next().map_err(|error| error.to_string())? {
            if !record.place.0.is_pair() {
                batch.add(record)?;
            }
        }
        batch.flush()?;
        guarded(|| {
            self.0.flush()?; // `at` must not be there before what it speaks of
            self.0.insert(VERSION_NAME, &u64::from(super::file::VERSION).to_be_bytes())?;
            self.0.insert(AT, &at.to_be_bytes())?;
            self.0.flush().map(drop)
        })
    }

    /// Every key and value of a kind.
    pub fn each(&self, kind: Kind, mut take: impl FnMut(u64, &[u8])) -> Result<(), String> {
        let tree = guarded(|| self.0.open_tree(kind.name()))?;
        let mut items = tree.iter();
        while let Some((key, value)) = guarded(|| items.next().transpose())? {
            let key = <[u8; 8]>::try_from(key.as_ref()).map_err(|_| "a key is not of 8 bytes".to_string())?;
            match value.starts_with(&MAGIC) {
                true => take(u64::from_be_bytes(key), &unpacked(&value)?),
                false => take(u64::from_be_bytes(key), &value),
            }
        }
        Ok(())
    }

    /// What the former version kept once.
    pub fn former(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(guarded(|| self.0.get(name))?.map(|value| value.to_vec()))
    }

    /// Looks at all of it.
    pub fn check(&self) -> Result<(), String> {
        self.at()?;
        for kind in Kind::ALL {
            self.each(kind, |_, _| {})?;
        }
        Ok(())
    }
}

fn unpacked(value: &[u8]) -> Result<Vec<u8>, String> {
    let size = zstd::zstd_safe::get_frame_content_size(value).ok().flatten().map(|size| size as usize);
    let size = size.filter(|size| *size <= MAX_VALUE).ok_or("a value does not say how long it is")?;
    zstd::bulk::decompress(value, size).map_err(|error| format!("a value is damaged: {error}"))
}

/// Records of one kind on their way.
struct Batch<'d> {
    database: &'d Database,
    kind: Kind,
    compressor: zstd::bulk::Compressor<'static>,
    batch: sled::Batch,
    bytes: usize,
    batches: u32,
}

impl Batch<'_> {
    fn add(&mut self, record: Record<'_>) -> Result<(), String> {
        let (kind, key) = record.place;
        if kind != self.kind || self.bytes >= BATCH_BYTES {
            self.flush()?;
            self.kind = kind;
        }
        self.bytes += 16;
        match record.value {
            Some(value) if value.len() >= PACKED_FROM => {
                let packed = self.compressor.compress(value).map_err(|error| error.to_string())?;
                self.bytes += packed.len();
                self.batch.insert(&key.to_be_bytes(), packed);
            }
            Some(value) => {
                self.bytes += value.len();
                self.batch.insert(&key.to_be_bytes(), value);
            }
            None => self.batch.remove(&key.to_be_bytes()),
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.bytes) == 0 {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.batches += 1;
        let is_due = self.batches.is_multiple_of(FLUSH_BATCHES);
        guarded(|| {
            self.database.0.open_tree(self.kind.name())?.apply_batch(batch)?;
            if is_due { self.database.0.flush().map(drop) } else { Ok(()) }
        })
    }
}
