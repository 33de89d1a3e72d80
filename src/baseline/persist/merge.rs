//! A whole export and the deltas after it, read as one: the newest word on each key.
//!
//! Files in, oldest first; records out in ascending order of their place, each place once, keys that are gone among them.
//! Memory: one block of each file, whatever they hold.

use super::file::{Reader, Unreadable};
use super::record::{Place, Record};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;

pub struct Merged {
    /// Newest first.
    readers: Vec<Reader>,
    /// Where each reader stands; of one place the newest comes first.
    waiting: BinaryHeap<Reverse<(Place, usize)>>,
    /// The readers that stand at the present record, the newest first.
    present: Vec<usize>,
}

impl Merged {
    pub fn open(files: &[PathBuf]) -> Result<Merged, Unreadable> {
        let mut merged = Merged { readers: Vec::new(), waiting: BinaryHeap::new(), present: Vec::new() };
        for path in files.iter().rev() {
            merged.readers.push(Reader::open(path)?);
            merged.present.push(merged.readers.len() - 1);
        }
        Ok(merged)
    }

    /// The next record.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Unreadable> {
        for index in self.present.drain(..) {
            if let Some(place) = self.readers[index].advance()? {
                self.waiting.push(Reverse((place, index)));
            }
        }
        let Some(Reverse((place, newest))) = self.waiting.pop() else { return Ok(None) };
        self.present.push(newest);
        while let Some(Reverse((_, index))) = self.waiting.peek().filter(|next| next.0.0 == place).copied() {
            self.waiting.pop();
            self.present.push(index);
        }
        Ok(self.readers[newest].record())
    }
}
