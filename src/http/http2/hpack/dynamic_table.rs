//! The dynamic table of HPACK (RFC 7541 §2.3.2, §4): entries in, entries by their distance from the newest out.
//!
//! When bytes were lost, or the connection was picked up in the middle, the entries of before are **unknown**. Indices
//! count from the newest entry, so those inserted since are found by the same index as ever; an index beyond them names
//! an unknown entry, until the table is known to hold no more than what was seen: once it was emptied, or what was seen
//! fills it.

use std::collections::VecDeque;

/// What an entry costs beside its bytes (RFC 7541 §4.1).
pub const ENTRY_OVERHEAD: usize = 32;
/// The size at the start of a connection (RFC 9113 §6.5.2).
pub const DEFAULT_SIZE: usize = 4096;

#[derive(Clone, Copy)]
struct Entry {
    /// Position of its name in all bytes that were ever inserted; the value is behind it.
    start: u64,
    name: u32,
    value: u32,
    is_name_known: bool,
}

impl Entry {
    fn cost(&self) -> usize {
        self.name as usize + self.value as usize + ENTRY_OVERHEAD
    }
}

/// An entry of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'t> {
    Entry(&'t [u8], &'t [u8]),
    /// Inserted when nobody saw it, at least its name.
    Unknown,
    /// There is no such entry.
    Missing,
}

pub struct DynamicTable {
    /// The newest first.
    entries: VecDeque<Entry>,
    /// Bytes of the entries, oldest first. The first `dead` of them belong to evicted ones.
    bytes: Vec<u8>,
    dead: usize,
    /// Position of the first of `bytes` in all that were ever inserted.
    origin: u64,
    /// By the count of RFC 7541 §4.1.
    size: usize,
    /// What the encoder keeps to; `None` while it is unknown.
    max_size: Option<usize>,
    /// What is kept here at most.
    bound: usize,
    /// Older entries than those here may exist.
    has_unknown: bool,
    /// Entries that the encoder has and the bound left out.
    pub left_out: u64,
}

impl DynamicTable {
    pub fn new(bound: usize) -> DynamicTable {
        DynamicTable {
            entries: VecDeque::new(),
            bytes: Vec::new(),
            dead: 0,
            origin: 0,
            size: 0,
            max_size: Some(DEFAULT_SIZE),
            bound,
            has_unknown: false,
            left_out: 0,
        }
    }

    /// What the encoder did was not seen, from here back.
    pub fn forget(&mut self) {
        *self = DynamicTable {
            max_size: None,
            has_unknown: true,
            left_out: self.left_out,
            ..DynamicTable::new(self.bound)
        };
    }

    /// True while an index may name an entry that nobody saw.
    pub fn has_unknown(&self) -> bool {
        self.has_unknown
    }

    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The encoder says how large it may be from here on.
    pub fn resize(&mut self, max_size: usize) {
        self.max_size = Some(max_size);
        self.fit(max_size);
        self.has_unknown &= max_size > 0;
        self.compact();
    }

    /// The entry at an index from 0, the newest.
    pub fn get(&self, index: usize) -> Found<'_> {
        match self.entries.get(index) {
            None if self.has_unknown => Found::Unknown,
            None => Found::Missing,
            Some(entry) if !entry.is_name_known => Found::Unknown,
            Some(entry) => {
                let start = (entry.start - self.origin) as usize; // entries lie behind the origin
                let (name, value) = (entry.name as usize, entry.value as usize);
                match self.bytes.get(start..start + name + value) {
                    Some(both) => Found::Entry(&both[..name], &both[name..]),
                    None => Found::Missing,
                }
            }
        }
    }

    /// Inserts an entry; a name that is `None` is unknown.
    pub fn insert(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let cost = name.map_or(0, <[u8]>::len) + value.len() + ENTRY_OVERHEAD;
        match self.max_size {
            // Whether the encoder's table has room for it, or was emptied by it (RFC 7541 §4.4), nobody knows.
            None if cost > DEFAULT_SIZE => return self.forget(),
            None => {}
            Some(max_size) if cost > max_size => {
                self.fit(0);
                self.has_unknown = false;
                return self.compact();
            }
            Some(max_size) => self.fit(max_size - cost),
        }
        // What is of no use takes its place all the same, so that older entries are found where they are.
        let is_kept = name.is_some() && cost <= self.bound;
        self.left_out += u64::from(name.is_some() && !is_kept);
        let (name, value) = match name {
            Some(name) if is_kept => (name, value),
            _ => (&[][..], &[][..]),
        };
        let entry = Entry {
            start: self.origin + self.bytes.len() as u64,
            name: name.len() as u32,
            value: value.len() as u32,
            is_name_known: is_kept,
        };
        while self.size + entry.cost() > self.bound && self.evict() {
            self.has_unknown = true; // the encoder still has it
            self.left_out += 1;
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.size += entry.cost();
        self.entries.push_front(entry);
        self.compact();
    }

    /// Evicts until the size is at most `size`. Where what was seen is too much, what is older went before.
    fn fit(&mut self, size: usize) {
        self.has_unknown &= self.size <= size;
        while self.size > size && self.evict() {}
    }

    fn evict(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_back() else { return false };
        self.size -= oldest.cost(); // was added when it was inserted
        self.dead += oldest.name as usize + oldest.value as usize;
        true
    }

    /// Drops the bytes of evicted entries once they are the greater part.
    fn compact(&mut self) {
        if self.entries.is_empty() {
            self.origin += self.bytes.len() as u64;
            self.bytes.clear();
            self.dead = 0;
        } else if self.dead > self.bytes.len() / 2 && self.dead >= DEFAULT_SIZE / 2 {
            self.origin += self.dead as u64;
            self.bytes.drain(..self.dead);
            self.dead = 0;
        }
    }
}
