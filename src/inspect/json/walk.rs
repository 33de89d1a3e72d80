//! The walk over a chunk of JSON, block by block.
//!
//! Within arrays most strings need no visit: keys, which are looked up once a value of theirs is not turned away, and
//! values without a digit, an escape or a long word, which say nothing there.

use super::super::block::{
    BLOCK, Behind, Block, Lanes, Portable, Width, escaped, lanes_at, parity_up_to, runs_of_sixteen, summarise_by,
};
use super::super::sink::Sink;
use super::super::value::{self, DIGITS_PROMISED, NUMBER_DIGITS, SECRET_BYTES};
use super::{Cut, Json, extend};

/// Walks over `bytes` from `from` on.
pub(super) fn walk(json: &mut Json, bytes: &[u8], from: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
    match json.width {
        // SAFETY: whatever `width` says, `Width::of_processor` has found every feature that the function needs.
        #[cfg(target_arch = "x86_64")]
        Width::Avx512 => unsafe { walk_avx512(json, bytes, from, carry, sink) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Width::Avx2 => unsafe { walk_avx2(json, bytes, from, carry, sink) },
        // SAFETY: what is portable needs nothing.
        Width::Portable => unsafe { walk_by::<Portable>(json, bytes, from, carry, sink) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn walk_avx512(json: &mut Json, bytes: &[u8], from: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
    // SAFETY: compiled for what these lanes need.
    unsafe { walk_by::<super::super::block::Avx512>(json, bytes, from, carry, sink) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn walk_avx2(json: &mut Json, bytes: &[u8], from: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
    // SAFETY: compiled for what these lanes need.
    unsafe { walk_by::<super::super::block::Avx2>(json, bytes, from, carry, sink) }
}

/// The string that is open, as far as it lies in earlier blocks of this chunk.
struct Open {
    start: usize,
    /// A backslash or an at sign; a digit.
    marks: u64,
    digits: u64,
}

/// # Safety
/// The processor must have what `L` needs.
#[inline(always)]
unsafe fn walk_by<L: Lanes>(json: &mut Json, bytes: &[u8], from: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
    let mut at = from;
    let mut carried = json.in_string;
    let mut open = Open { start: from, marks: 0, digits: 0 };
    let mut inside_before = if json.in_string { !0u64 } else { 0 };
    let mut escape = json.escape;
    json.scalar_done = json.scalar_done.max(from);
    while at < bytes.len() {
        let left = (bytes.len() - at).min(BLOCK);
        // SAFETY: the caller's promise is the same.
        let block = Block::of(unsafe { lanes_at::<L>(bytes, at) });
        let is_escaped = escaped(block.backslash, escape);
        let quotes = block.quote & !is_escaped;
        let inside = parity_up_to(quotes) ^ inside_before;
        let (closing, opening) = (quotes & !inside, quotes & inside);
        let outside = !(inside | quotes);
        let brackets = block.bracket & outside;
        let all = closing | brackets | number_starts(block.digit & outside);
        // Keys that are not visited; the last one before an event is the event's.
        let mut keys = 0;
        let mut events = all;
        if !(json.eager | json.thorough) {
            // SAFETY: the caller's promise is the same.
            let behind = Behind::of(unsafe { lanes_at::<L>(bytes, at + 1) });
            let quiet = Quiet::of(&block, &behind, inside, opening);
            keys = closing & quiet.keys;
            events &= !(closing & (quiet.keys | quiet.values));
        }
        while events != 0 {
            let low = events & events.wrapping_neg();
            let place = at + events.trailing_zeros() as usize;
            events &= events - 1; // not 0: the loop's condition
            let passed = keys & (low - 1);
            if passed != 0 {
                keys ^= passed;
                quiet_key(json, at, passed, opening);
            }
            if low & closing != 0 {
                // Opened in this block, or in an earlier one, or in an earlier chunk.
                let before = opening & (low - 1);
                let lead = before.leading_zeros();
                let here = before != 0;
                if !here && carried {
                    carried = false;
                    json.carried_string(bytes, from, place, carry, sink);
                    continue;
                }
                let start = if here { at + BLOCK - lead as usize } else { open.start };
                let within = (low - 1) & if here { !0u64 << (BLOCK as u32 - lead) } else { !0 }; // lead is 1 to 63 here
                let (marks, digits) = if here { (0, 0) } else { (open.marks, open.digits) };
                let marks = (block.backslash | block.at) & within | marks;
                let next = bytes.get(place + 1).copied().unwrap_or(b' ');
                if next == b':' && marks == 0 {
                    key(json, bytes, start, place, carry, sink);
                    continue;
                }
                let digits = at_least(block.digit & within, DIGITS_PROMISED) | digits;
                let ends = next == b',' || next == b'}' || next == b']';
                let plain = ends && marks == 0 && !json.wanted;
                if plain
                    && (digits == 0 && place - start < SECRET_BYTES
                        // SAFETY: the caller's promise is the same.
                        || unsafe { is_dull::<L>(json, bytes, start, place, sink) })
                {
                    continue;
                }
                json.weigh(bytes, start, place, carry, sink);
            } else if low & brackets != 0 {
                json.bracket(bytes.get(place).copied().unwrap_or(0), sink);
                if json.eager | json.thorough {
                    (keys, events) = (0, all & !(low | (low - 1)));
                }
            } else if place >= json.scalar_done {
                json.number(bytes, place, carry, sink);
            }
        }
        if keys != 0 {
            quiet_key(json, at, keys, opening);
        }
        let lead = opening.leading_zeros();
        let goes_on = if opening != 0 {
            open = Open { start: at + BLOCK - lead as usize, marks: 0, digits: 0 };
            (!0u64).checked_shl(BLOCK as u32 - lead).unwrap_or(0)
        } else {
            !0
        };
        open.marks |= (block.backslash | block.at) & inside & goes_on;
        open.digits |= block.digit & inside & goes_on;
        // left is 1 to 64 in both lines
        inside_before = 0u64.wrapping_sub(inside >> (left - 1) & 1);
        escape = (block.backslash & !is_escaped) >> (left - 1) & 1;
        at += left;
    }
    json.escape = escape;
    json.in_string = inside_before != 0;
    if json.in_string {
        if !carried {
            carry.clear();
        }
        let start = if carried { from } else { open.start };
        extend(carry, bytes.get(start..).unwrap_or_default(), json.token_bytes);
    } else if json.cut == Cut::Nothing {
        json.cut_number(bytes, json.scalar_done, carry);
    }
}

/// The last of some keys that close in the block at `at`; they were opened there, too.
#[inline(always)]
fn quiet_key(json: &mut Json, at: usize, closing: u64, opening: u64) {
    let lead = closing.leading_zeros(); // at most 63: one is set
    let before = opening & !(!0u64 << (BLOCK as u32 - 1 - lead));
    let start = at + BLOCK - before.leading_zeros() as usize;
    json.key_is_at(start, at + BLOCK - 1 - lead as usize);
}

/// Where strings close that need no visit outside of records that speak for the whole, among other places.
struct Quiet {
    /// Strings without escapes, a colon behind them.
    keys: u64,
    /// Strings without digits, escapes, at signs and long words, and behind them what ends a value.
    values: u64,
}

impl Quiet {
    /// A string that was opened before the block is never quiet: the additions carry from an opening quote through the
    /// string, up to the first byte that is not to be in it, or to the closing quote.
    #[inline(always)]
    fn of(block: &Block, behind: &Behind, inside: u64, opening: u64) -> Quiet {
        let marks = block.backslash | block.at;
        let unmarked = (inside & !marks).wrapping_add(opening);
        let plain = (inside & !(marks | block.digit)).wrapping_add(opening);
        let short = runs_of_sixteen(inside & !block.space) == 0;
        Quiet { keys: unmarked & behind.colon, values: if short { plain & behind.end } else { 0 } }
    }
}

/// A key without escapes, its colon behind it.
#[inline(always)]
fn key(json: &mut Json, bytes: &[u8], start: usize, end: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
    if !(json.eager | json.thorough) {
        return json.key_is_at(start, end);
    }
    let field = sink.names.look_at(bytes, start, end);
    json.member(bytes.get(start..end).unwrap_or_default(), sink);
    json.name(field, sink);
    json.scalar_done = json.behind_colon(bytes, end + 2, carry, sink).max(json.scalar_done);
}

/// Whether a value without marks, of a key not known to want it, is turned away by a closer look.
///
/// # Safety
/// The processor must have what `L` needs.
#[inline(always)]
unsafe fn is_dull<L: Lanes>(json: &mut Json, bytes: &[u8], start: usize, end: usize, sink: &mut Sink) -> bool {
    let field = json.field(bytes, sink);
    let end = end.min(start.saturating_add(json.token_bytes));
    let text = bytes.get(start..end).unwrap_or_default();
    // SAFETY: the caller's promise is the same.
    let seen = || unsafe { summarise_by::<L>(bytes, start, end) };
    !json.wanted && (value::ordinary(text) || !value::is_telling(&seen(), text, field.hint))
}

/// Digits outside of strings that begin a run of some length, or one that goes on behind the block.
#[inline(always)]
fn number_starts(digits: u64) -> u64 {
    const _: () = assert!(NUMBER_DIGITS == 7);
    let two = digits & digits >> 1;
    let four = two & two >> 2;
    let seven = four & four >> 3;
    let open = (!digits).leading_zeros();
    let last = if open == 0 { 0 } else { 1u64.checked_shl(BLOCK as u32 - open).unwrap_or(1) };
    digits & !(digits << 1) & (seven | last)
}

/// Not 0 if at least `count` bits are set.
#[inline(always)]
fn at_least(mut bits: u64, count: u32) -> u64 {
    for _ in 1..count {
        bits &= bits.wrapping_sub(1);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashKey;
    use crate::inspect::{BodyReport, Limits, Role};
    use proptest::prelude::*;

    /// Everything that a walk leaves behind.
    fn walked(body: &[u8], width: Width) -> (u32, BodyReport) {
        let mut json = Json::new(&Limits::default());
        json.width = json.width.min(width);
        let (mut sink, mut carry) = (Sink::new(HashKey::new([5; 16]), 16), Vec::new());
        sink.begin(Role::Response);
        json.feed(body, &mut carry, &mut sink);
        let records = json.finish(&carry, &mut sink);
        let outcome = sink.outcome.verdict();
        (records, BodyReport { classes: sink.tally.take(), outcome, shape: sink.shape, ..BodyReport::default() })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn walks_of_every_width_find_the_same(
            pieces in proptest::collection::vec(
                r#"[{}\[\],:" \\]|"[a-z]{0,9}":|"[a-z0-9]{1,40}",|[0-9]{1,19}|"a@b\.co"|"phone":|"error":"#, 0..60,
            ),
        ) {
            let body = pieces.concat();
            let portable = walked(body.as_bytes(), Width::Portable);
            #[cfg(target_arch = "x86_64")]
            prop_assert_eq!(&walked(body.as_bytes(), Width::Avx2), &portable);
            prop_assert_eq!(walked(body.as_bytes(), Width::of_processor()), portable);
        }
    }
}
