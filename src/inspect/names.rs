//! Field names looked up fast: the records of one answer repeat theirs, so recent ones are remembered.

use super::field::{Hint, NAME_BYTES, hint_of};

/// A field name after the look-up: its hints, and a hash of the name as it was on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Field {
    pub hint: Hint,
    pub name: u64,
}

/// Sets of slots: with four slots each, enough for the distinct names of most answers; 8 kB a scan.
const SETS: usize = 64;
const SLOTS: usize = 4;
/// Longest name kept, in bytes: longer ones are rare and looked up each time.
const CACHED_BYTES: usize = 24;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The name, zeros behind it.
    words: [u64; 3],
    /// Its length in the highest byte, below it the hint.
    tag: u64,
}

const HINT_BITS: u32 = 56;

/// A set-associative cache of [`Field`]s. Names are compared whole, so what it holds never changes an answer.
pub(super) struct FieldCache {
    sets: Box<[[Slot; SLOTS]; SETS]>,
    own: OwnNames,
}

/// Fields of a login as this site calls them, beside those that are known by themselves. Letter case does not matter.
#[derive(Clone, Default, PartialEq)]
struct OwnNames {
    users: Vec<String>,
    passwords: Vec<String>,
}

impl OwnNames {
    fn hint(&self, name: &[u8]) -> Hint {
        let is_one = |names: &[String]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        match (is_one(&self.passwords), is_one(&self.users)) {
            (true, _) => Hint::PASSWORD,
            (_, true) => Hint::USER,
            _ => Hint::NONE,
        }
    }
}

impl FieldCache {
    pub fn new() -> FieldCache {
        FieldCache { sets: empty(), own: OwnNames::default() }
    }

    /// From now on these are fields of a login, too.
    pub fn know(&mut self, users: &[String], passwords: &[String]) {
        if self.own.users != users || self.own.passwords != passwords {
            self.own = OwnNames { users: users.to_vec(), passwords: passwords.to_vec() };
            self.sets = empty();
        }
    }

    #[inline]
    pub fn look(&mut self, name: &[u8]) -> Field {
        self.look_at(name, 0, name.len())
    }

    /// The field named by `bytes[start..end]`. Without a branch on the length, where the bytes behind the name allow
    /// whole words to be loaded.
    #[inline(always)]
    pub fn look_at(&mut self, bytes: &[u8], start: usize, end: usize) -> Field {
        let length = end.wrapping_sub(start);
        if length.wrapping_sub(1) >= CACHED_BYTES {
            return field_of(bytes.get(start..end).unwrap_or_default(), &self.own);
        }
        let words = match bytes.get(start..).and_then(|rest| rest.first_chunk::<CACHED_BYTES>()) {
            Some(whole) => words_of(whole, length),
            None => words_of(&name_padded(bytes, start, end), length),
        };
        let name = fold(words);
        let set = &mut self.sets[(name >> 58) as usize & (SETS - 1)]; // the mask keeps it below SETS
        for slot in set.iter() {
            // Word by word: a comparison of arrays loads what was just stored in another width, which stalls.
            let differs = slot.words[0] ^ words[0] | slot.words[1] ^ words[1] | slot.words[2] ^ words[2];
            if (differs | slot.tag >> HINT_BITS ^ length as u64) == 0 {
                return Field { hint: Hint(slot.tag & ((1 << HINT_BITS) - 1)), name };
            }
        }
        fill(set, words, bytes.get(start..end).unwrap_or_default(), &self.own)
    }
}

fn empty() -> Box<[[Slot; SLOTS]; SETS]> {
    Box::new([[Slot::default(); SLOTS]; SETS])
}

/// Looks a name up and puts it first; the last of its set makes room.
#[cold]
#[inline(never)]
fn fill(set: &mut [Slot; SLOTS], words: [u64; 3], name: &[u8], own: &OwnNames) -> Field {
    let field = field_of(name, own);
    set.rotate_right(1);
    // SLOTS is not 0; a name of a set is at most CACHED_BYTES long
    set[0] = Slot { words, tag: (name.len() as u64) << HINT_BITS | field.hint.0 };
    field
}

/// A field without the cache; of a long name, by its head.
fn field_of(name: &[u8], own: &OwnNames) -> Field {
    let name = name.get(..name.len().min(NAME_BYTES)).unwrap_or_default();
    let hash = name.chunks(CACHED_BYTES).fold(0u64, |hash, chunk| {
        let words = words_of(&name_padded(chunk, 0, chunk.len()), chunk.len());
        hash.rotate_left(23) ^ fold(words)
    });
    Field { hint: hint_of(name).with(own.hint(name)), name: hash }
}

/// Spreads a name over 64 bits (multiplicative hashing; Knuth, TAOCP 3, §6.4): it picks a set of the cache and stands for
/// the name in shapes. Nobody gains by a collision: names are compared whole where it matters.
#[inline(always)]
fn fold(words: [u64; 3]) -> u64 {
    words[0].wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ words[1].wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ words[2].wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// The first `length` bytes of 24 (1 to 24) in three words, the rest zero.
#[inline(always)]
fn words_of(bytes: &[u8; CACHED_BYTES], length: usize) -> [u64; 3] {
    let word = |index: usize| {
        let mut word = [0u8; 8];
        word.copy_from_slice(&bytes[index * 8..][..8]); // index is 0 to 2: within 24
        let used = length.saturating_sub(index * 8).min(8);
        u64::from_le_bytes(word) & LOW_BYTES[used] // used is 0 to 8
    };
    [word(0), word(1), word(2)]
}

/// So many of the low bytes of a word.
const LOW_BYTES: [u64; 9] =
    [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff, 0xff_ffff_ffff, 0xffff_ffff_ffff, 0xff_ffff_ffff_ffff, !0];

#[inline(never)]
fn name_padded(bytes: &[u8], start: usize, end: usize) -> [u8; CACHED_BYTES] {
    let mut padded = [0u8; CACHED_BYTES];
    padded.iter_mut().zip(bytes.get(start..end).unwrap_or_default()).for_each(|(slot, &byte)| *slot = byte);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_never_changes_an_answer() {
        let mut cache = FieldCache::new();
        let names: Vec<String> = (0..400).map(|n| format!("{}{}", "phone_number_of_x".split_at(n % 17).0, n)).collect();
        for name in names.iter().chain(names.iter().rev()) {
            assert_eq!(cache.look(name.as_bytes()), field_of(name.as_bytes(), &OwnNames::default()));
        }
        for name in ["", "a", "ab", "abc", "abcd", "a\0", "a\0\0", "abcdefghijklmnopqrstuvwxyz"] {
            assert_eq!(cache.look(name.as_bytes()), field_of(name.as_bytes(), &OwnNames::default()));
        }
    }
}
