//! HPACK (RFC 7541): header blocks of one direction of a connection in, header fields out.
//!
//! [`Decoder::decode`] reads one block into [`Fields`], which is used again and again, so that a field costs no
//! allocation. A field whose name or value stands in a part of the dynamic table that nobody saw is counted as unknown;
//! it is never guessed.
//!
//! Refused, as RFC 7541 says: integers that overflow, indices of no entry, Huffman strings with an end of string, with
//! padding that is no ones or longer than 7 bits, table sizes above what the receiver allows or after the first field.
//! Bounded: what is kept of a header list ([`ListLimits`]), the bytes a block may expand to, the dynamic table.

mod dynamic_table;
mod huffman;
mod static_table;

pub use dynamic_table::DEFAULT_SIZE;
pub use static_table::get as static_entry;

use dynamic_table::{DynamicTable, ENTRY_OVERHEAD, Found};

/// Why a block cannot be read. From there on the state of the direction is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HpackError {
    #[error("the block ends inside a field")]
    Truncated,
    #[error("an integer is too large")]
    Integer,
    #[error("a Huffman string has an end of string or false padding")]
    Huffman,
    #[error("an index has no entry")]
    Index,
    #[error("the table is resized beyond what the receiver allows")]
    TableSize,
    #[error("the table is resized behind a field")]
    LateTableSize,
    #[error("the block expands beyond all bounds")]
    Expansion,
}

/// What is kept of one header list.
#[derive(Clone, Copy, Debug)]
pub struct ListLimits {
    /// Size by the count of RFC 9113 §10.5.1: names, values, and 32 bytes a field.
    pub bytes: usize,
    pub fields: usize,
    /// How many times `bytes` a list may come to, before its block is given up.
    pub expansion: usize,
}

#[derive(Clone, Copy)]
struct Place {
    start: u32,
    name: u32,
    value: u32,
}

/// A decoded header list.
#[derive(Default)]
pub struct Fields {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Size of the whole list, as far as it is known.
    pub size: usize,
    /// Fields beyond the limits, decoded and not kept.
    pub left_out: usize,
    /// Fields of which the name or the value is unknown.
    pub unknown: usize,
}

impl Fields {
    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places.iter().map(|place| {
            let both = self.bytes.get(place.start as usize..).unwrap_or_default();
            let (name, rest) = both.split_at_checked(place.name as usize).unwrap_or_default();
            (name, rest.get(..place.value as usize).unwrap_or_default())
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        (self.size, self.left_out, self.unknown) = (0, 0, 0);
    }

    /// Takes in what was appended to the bytes from `start` on, or cuts it off where there is no room.
    fn add(&mut self, start: usize, name: usize, limits: &ListLimits) -> Result<(), HpackError> {
        let value = self.bytes.len() - start - name; // name and value are what was appended
        self.size += name + value + ENTRY_OVERHEAD;
        if self.size > limits.bytes.saturating_mul(limits.expansion) {
            return Err(HpackError::Expansion);
        }
        if self.size > limits.bytes || self.places.len() >= limits.fields {
            self.left_out += 1;
            self.bytes.truncate(start);
        } else {
            self.places.push(Place { start: start as u32, name: name as u32, value: value as u32 });
        }
        Ok(())
    }

    fn add_unknown(&mut self, start: usize) {
        self.unknown += 1;
        self.size += ENTRY_OVERHEAD;
        self.bytes.truncate(start);
    }
}

/// The header compression state of one direction.
pub struct Decoder {
    table: DynamicTable,
    /// The largest table that the receiver allows; `None` while it is unknown.
    allowed: Option<usize>,
}

impl Decoder {
    /// At the start of a connection, keeping at most `table_bytes` of the dynamic table.
    pub fn new(table_bytes: usize) -> Decoder {
        Decoder { table: DynamicTable::new(table_bytes), allowed: Some(DEFAULT_SIZE) }
    }

    /// Blocks were missed.
    pub fn forget(&mut self) {
        self.table.forget();
    }

    /// The receiver allows so much from here on; `None` when what it allows was not seen.
    pub fn allow(&mut self, table_size: Option<usize>) {
        self.allowed = table_size;
    }

    pub fn has_unknown(&self) -> bool {
        self.table.has_unknown()
    }

    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    /// Entries that were not kept since the last call, because the table is bounded.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.table.left_out)
    }

    /// Reads a whole block. After an error the state is that of a direction of which blocks were missed.
    pub fn decode(&mut self, block: &[u8], limits: &ListLimits, fields: &mut Fields) -> Result<(), HpackError> {
        fields.clear();
        let result = self.fields(block, limits, fields);
        if result.is_err() {
            self.forget();
        }
        result
    }

    fn fields(&mut self, block: &[u8], limits: &ListLimits, fields: &mut Fields) -> Result<(), HpackError> {
        let mut rest = block;
        let mut may_resize = true;
        while let Some(first) = rest.first() {
            match first {
                // RFC 7541 §6.3: dynamic table size update
                0x20..=0x3f => {
                    let size = integer(&mut rest, 5)?;
                    if !may_resize {
                        return Err(HpackError::LateTableSize);
                    }
                    if self.allowed.is_some_and(|allowed| size > allowed) {
                        return Err(HpackError::TableSize);
                    }
                    self.table.resize(size);
                    continue;
                }
                // §6.1: indexed field
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    self.indexed(index, limits, fields)?;
                }
                // §6.2.1: literal with incremental indexing
                0x40..=0x7f => self.literal(&mut rest, 6, true, limits, fields)?,
                // §6.2.2, §6.2.3: literal without indexing, and never indexed
                0x00..=0x1f => self.literal(&mut rest, 4, false, limits, fields)?,
            }
            may_resize = false;
        }
        Ok(())
    }

    fn indexed(&mut self, index: usize, limits: &ListLimits, fields: &mut Fields) -> Result<(), HpackError> {
        let start = fields.bytes.len();
        let name = match self.entry(index) {
            Found::Entry(name, value) => {
                fields.bytes.extend_from_slice(name);
                fields.bytes.extend_from_slice(value);
                name.len()
            }
            Found::Unknown => {
                fields.add_unknown(start);
                return Ok(());
            }
            Found::Missing => return Err(HpackError::Index),
        };
        fields.add(start, name, limits)
    }

    fn literal(
        &mut self,
        rest: &mut &[u8],
        prefix: u8,
        is_inserted: bool,
        limits: &ListLimits,
        fields: &mut Fields,
    ) -> Result<(), HpackError> {
        let start = fields.bytes.len();
        let index = integer(rest, prefix)?;
        let is_known = if index == 0 {
            string(rest, &mut fields.bytes)?;
            true
        } else {
            match self.entry(index) {
                Found::Entry(name, _) => {
                    fields.bytes.extend_from_slice(name);
                    true
                }
                Found::Unknown => false,
                Found::Missing => return Err(HpackError::Index),
            }
        };
        let name = fields.bytes.len() - start;
        string(rest, &mut fields.bytes)?;
        if is_inserted {
            let (name, value) = fields.bytes[start..].split_at(name); // both were appended above
            self.table.insert(is_known.then_some(name), value);
        }
        if is_known {
            fields.add(start, name, limits)
        } else {
            fields.add_unknown(start);
            Ok(())
        }
    }

    /// RFC 7541 §2.3.3: the static table, then the dynamic one.
    fn entry(&self, index: usize) -> Found<'_> {
        match static_table::get(index) {
            Some((name, value)) => Found::Entry(name, value),
            None if index == 0 => Found::Missing,
            None => self.table.get(index - static_table::ENTRIES - 1),
        }
    }
}

/// Octets of an integer behind its prefix. 5 hold 32 bits, more than anything has; but some are written with zeros in front, and
/// servers take that up to 63 bits (Go's `hpack`).
const MOST_OCTETS: u32 = 9;

/// RFC 7541 §5.1, cut off the front of `rest`.
fn integer(rest: &mut &[u8], prefix: u8) -> Result<usize, HpackError> {
    let (first, behind) = rest.split_first().ok_or(HpackError::Truncated)?;
    *rest = behind;
    let mask = (1u64 << prefix) - 1;
    let mut value = u64::from(*first) & mask;
    if value < mask {
        return Ok(value as usize); // of at most 8 bits
    }
    for octet in 0..MOST_OCTETS {
        let (byte, behind) = rest.split_first().ok_or(HpackError::Truncated)?;
        *rest = behind;
        value += u64::from(byte & 0x7f) << (7 * octet);
        if byte & 0x80 == 0 {
            return u32::try_from(value).map(|value| value as usize).map_err(|_| HpackError::Integer);
        }
    }
    Err(HpackError::Integer)
}

/// RFC 7541 §5.2, cut off the front of `rest` and appended to `out`.
fn string(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let is_huffman = rest.first().ok_or(HpackError::Truncated)? & 0x80 != 0;
    let length = integer(rest, 7)?;
    let (coded, behind) = rest.split_at_checked(length).ok_or(HpackError::Truncated)?;
    *rest = behind;
    if is_huffman {
        return huffman::decode(coded, out);
    }
    out.extend_from_slice(coded);
    Ok(())
}

#[cfg(test)]
mod tests;
