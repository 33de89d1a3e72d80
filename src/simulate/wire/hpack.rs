//! HPACK as a client or server writes it (RFC 7541): fields in, a header block out.
//!
//! What comes again is an index into the static or the dynamic table, what is new goes into the dynamic table, and what
//! is secret goes into none (§7.1.3). Strings are not Huffman-coded.

use crate::http::http2::hpack::static_entry;
use std::collections::VecDeque;

/// SETTINGS_HEADER_TABLE_SIZE unless agreed otherwise (RFC 9113 §6.5.2), and what an entry counts beside its strings
/// (RFC 7541 §4.1).
const TABLE_BYTES: usize = 4096;
const ENTRY_OVERHEAD: usize = 32;
const STATIC_ENTRIES: usize = 61;

/// First bits of a field's representation, and how many bits of its first octet are left for a number (§6).
const INDEXED: (u8, u32) = (0x80, 7);
const INSERTED: (u8, u32) = (0x40, 6);
const NEVER_INDEXED: (u8, u32) = (0x10, 4);

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    /// The newest first.
    table: VecDeque<(String, String)>,
    bytes: usize,
}

impl Encoder {
    /// Appends a field; the name is in lower case.
    pub fn field(&mut self, name: &str, value: &str, out: &mut Vec<u8>) {
        let (mut whole, mut named) = (None, None);
        for (index, (there, content)) in self.entries().enumerate() {
            if there == name.as_bytes() {
                named.get_or_insert(index + 1);
                if content == value.as_bytes() {
                    whole = Some(index + 1);
                    break;
                }
            }
        }
        if let Some(index) = whole {
            return integer(INDEXED, index, out);
        }
        let is_secret = matches!(name, "authorization" | "cookie" | "set-cookie");
        integer(if is_secret { NEVER_INDEXED } else { INSERTED }, named.unwrap_or(0), out);
        if named.is_none() {
            string(name, out);
        }
        string(value, out);
        if !is_secret {
            self.insert(name, value);
        }
    }

    /// The static table, then the dynamic one.
    fn entries<'t>(&'t self) -> impl Iterator<Item = (&'t [u8], &'t [u8])> {
        let fixed = (1..=STATIC_ENTRIES).filter_map(|index| -> Option<(&'t [u8], &'t [u8])> { static_entry(index) });
        fixed.chain(self.table.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    /// An entry larger than the table empties it (§4.4).
    fn insert(&mut self, name: &str, value: &str) {
        let size = |name: &str, value: &str| name.len() + value.len() + ENTRY_OVERHEAD;
        self.bytes += size(name, value);
        self.table.push_front((name.to_owned(), value.to_owned()));
        while self.bytes > TABLE_BYTES
            && let Some((name, value)) = self.table.pop_back()
        {
            self.bytes -= size(&name, &value);
        }
    }
}

/// §5.1.
fn integer((first, bits): (u8, u32), value: usize, out: &mut Vec<u8>) {
    let most = (1usize << bits) - 1;
    if value < most {
        return out.push(first | value as u8);
    }
    out.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// §5.2, as it is.
fn string(text: &str, out: &mut Vec<u8>) {
    integer((0, 7), text.len(), out);
    out.extend_from_slice(text.as_bytes());
}
