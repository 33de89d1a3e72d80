//! JSON as it passes: keys, strings, long numbers and records, without a tree.
//!
//! Blocks of 64 bytes give masks ([`super::block`]); only closing quotes, brackets and long numbers are visited. A
//! string is judged where it lies unless it is cut by the end of a chunk; then its head is carried. Nesting is a bit a
//! level. Anything may be unbalanced, unterminated or no JSON at all: the walk goes on, linear, in constant memory.
//! A quote behind an odd number of backslashes is never a delimiter, inside a string or out.

use super::block::{BLOCK, block_at, escaped, parity_up_to, runs_of_twelve, summarise};
use super::field::{Field, Hint};
use super::sink::{SCALAR_BYTES, Sink};
use super::value::{self, DIGITS_UNPROMISED, SECRET_BYTES};
use super::{Limits, Role};

/// Most levels that are told apart: a bit each.
const MAX_DEPTH: u32 = 128;
/// Depth given for values inside arrays, where they speak of an element and not of the response.
const IN_ARRAY: u32 = 1000;

/// What the end of a chunk cut in two, outside of strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    Nothing,
    /// A whole string is carried; the next byte that is not white space says whether it is a key.
    AfterString,
    /// Behind the colon of a key whose scalar is wanted.
    BeforeScalar,
    /// The head of a scalar is carried; `promised` if it directly follows its key.
    InScalar { promised: bool },
}

pub(super) struct Json {
    max_depth: u32,
    token_bytes: usize,
    /// One bit a level, the lowest the innermost: an array.
    arrays: u128,
    depth: u32,
    /// Levels open beyond `max_depth`; their content is passed over.
    beyond: u64,
    /// The depth inside the array whose objects are records; 0 if none.
    record_depth: u32,
    /// Objects at the top.
    documents: u64,
    /// Objects in record arrays.
    elements: u64,
    field: Field,
    in_string: bool,
    /// 1 if the next byte is escaped.
    escape: u64,
    cut: Cut,
    /// Bytes are missing: everything up to the next quote is of unknown standing.
    lost: bool,
    /// Bytes were missing somewhere: brackets may not match.
    gapped: bool,
    last: u8,
    scratch: Vec<u8>,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Bytes of numbers, `true`, `false`, `null`.
fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The first byte that is not white space, at or behind `at`.
fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take_while(|&&byte| is_space(byte)).count()
}

fn scalar_end(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take_while(|&&byte| is_scalar(byte)).count()
}

impl Json {
    pub fn new(limits: &Limits) -> Json {
        Json {
            max_depth: limits.max_depth.clamp(1, MAX_DEPTH),
            token_bytes: limits.token_bytes,
            arrays: 0,
            depth: 0,
            beyond: 0,
            record_depth: 0,
            documents: 0,
            elements: 0,
            field: Field::default(),
            in_string: false,
            escape: 0,
            cut: Cut::Nothing,
            lost: false,
            gapped: false,
            last: 0,
            scratch: Vec::new(),
        }
    }

    pub fn begin(&mut self) {
        let scratch = std::mem::take(&mut self.scratch);
        let limits = Limits { max_depth: self.max_depth, token_bytes: self.token_bytes, ..Limits::default() };
        *self = Json { scratch, ..Json::new(&limits) };
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let Some(&last) = bytes.last() else { return };
        if let Some(from) = self.resume(bytes, carry, sink) {
            self.walk(bytes, from, carry, sink);
        }
        self.last = last;
    }

    /// Bytes are missing here.
    pub fn gap(&mut self, carry: &mut Vec<u8>) {
        carry.clear();
        self.field = Field::default();
        self.in_string = false;
        self.escape = 0;
        self.cut = Cut::Nothing;
        self.lost = true;
        self.gapped = true;
        self.last = 0;
    }

    /// The end of the body. A string without its closing quote is dropped.
    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) -> u32 {
        match self.cut {
            Cut::AfterString => self.string(carry, sink),
            Cut::InScalar { promised } => self.scalar(carry, promised, sink),
            Cut::Nothing | Cut::BeforeScalar => {}
        }
        let records = if self.documents > 1 || self.elements == 0 { self.documents } else { self.elements };
        u32::try_from(records).unwrap_or(u32::MAX)
    }

    /// Ends what the last chunk left open. Gives where the walk begins; nothing if the chunk is used up.
    fn resume(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) -> Option<usize> {
        if self.lost {
            return self.find_quote(bytes);
        }
        match self.cut {
            Cut::Nothing => Some(0),
            Cut::AfterString => {
                let next = skip_space(bytes, 0);
                let &byte = bytes.get(next)?;
                self.cut = Cut::Nothing;
                if byte != b':' {
                    self.string(carry, sink);
                    return Some(next);
                }
                self.named(carry, sink);
                Some(self.behind_colon(bytes, next + 1, carry, sink))
            }
            Cut::BeforeScalar => {
                self.cut = Cut::Nothing;
                Some(self.behind_colon(bytes, 0, carry, sink))
            }
            Cut::InScalar { promised } => {
                let end = scalar_end(bytes, 0);
                extend(carry, bytes.get(..end).unwrap_or_default(), SCALAR_BYTES + 1);
                if end < bytes.len() {
                    self.cut = Cut::Nothing;
                    self.scalar(carry, promised, sink);
                }
                (end < bytes.len()).then_some(end)
            }
        }
    }

    /// After a gap: the next quote opens a string if something structural stands before it, else it closes one.
    fn find_quote(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            let is_escaped = std::mem::take(&mut self.escape) == 1;
            if byte == b'\\' && !is_escaped {
                self.escape = 1;
            }
            if byte == b'"' && !is_escaped {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last);
                self.lost = false;
                let opens = matches!(before, b'{' | b'[' | b',' | b':') || is_space(before);
                return Some(if opens { at } else { at + 1 });
            }
        }
        None
    }

    #[inline(always)]
    fn walk(&mut self, bytes: &[u8], from: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
        let mut at = from;
        let mut carried = self.in_string;
        let mut string_start = from;
        let (mut open_marks, mut open_digits) = (0u64, 0u64);
        let mut inside_before = if self.in_string { !0u64 } else { 0 };
        let mut scalar_done = from;
        while at < bytes.len() {
            let left = (bytes.len() - at).min(BLOCK);
            let block = block_at(bytes, at);
            let is_escaped = escaped(block.backslash, self.escape);
            let quotes = block.quote & !is_escaped;
            let inside = parity_up_to(quotes) ^ inside_before;
            let (closing, opening) = (quotes & !inside, quotes & inside);
            let outside = !(inside | quotes);
            let brackets = block.bracket & outside;
            let digits = block.digit & outside;
            let mut events = closing | brackets | number_starts(digits);
            while events != 0 {
                let low = events & events.wrapping_neg();
                events ^= low;
                let place = at + low.trailing_zeros() as usize;
                if low & closing != 0 {
                    let before = opening & (low - 1);
                    if carried {
                        carried = false;
                        let done = self.carried_string(bytes, from, place, carry, sink);
                        scalar_done = scalar_done.max(done);
                        continue;
                    }
                    // Opened in this block, or in an earlier one whose marks are in `open_marks` and `open_digits`.
                    let here = before != 0;
                    let start = if here { at + BLOCK - before.leading_zeros() as usize } else { string_start };
                    let within = (low - 1) & if here { !0u64.checked_shr(before.leading_zeros()).unwrap_or(0) } else { !0 };
                    let backslash = block.backslash & within | if here { 0 } else { open_marks };
                    if bytes.get(place + 1) == Some(&b':') {
                        scalar_done = self.key(bytes, start, place, backslash, carry, sink);
                    } else {
                        let many = has_at_least(block.digit & within, DIGITS_UNPROMISED) || !here && open_digits != 0;
                        let done = self.short_string(bytes, start, place, backslash | block.at & within, many, carry, sink);
                        scalar_done = scalar_done.max(done);
                    }
                } else if low & brackets != 0 {
                    self.bracket(bytes.get(place).copied().unwrap_or(0), sink);
                } else if place >= scalar_done {
                    scalar_done = self.long_number(bytes, place, carry, sink);
                }
            }
            if opening != 0 {
                string_start = at + BLOCK - opening.leading_zeros() as usize;
                (open_marks, open_digits) = (0, 0);
            }
            // Of a string that goes on: whether it has marks or a digit so far.
            let open = inside & if opening != 0 { !0u64.checked_shr(opening.leading_zeros()).unwrap_or(0) } else { !0 };
            open_marks |= (block.backslash | block.at) & open;
            open_digits |= block.digit & open;
            inside_before = if inside >> (left - 1) & 1 == 1 { !0 } else { 0 }; // left is 1 to 64
            self.escape = escape_behind(block.backslash, is_escaped, left);
            at += left;
        }
        self.in_string = inside_before != 0;
        if self.in_string {
            if !carried {
                carry.clear();
            }
            let start = if carried { from } else { string_start };
            extend(carry, bytes.get(start..).unwrap_or_default(), self.token_bytes);
        } else if self.cut == Cut::Nothing {
            self.cut_number(bytes, from.max(scalar_done), carry);
        }
    }

    /// A string that lies within one block and is no key: turned away by its masks, if it can be.
    #[inline(always)]
    fn short_string(&mut self, bytes: &[u8], start: usize, end: usize, marks: u64, many: bool, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let length = end - start;
        let hint = self.field.hint;
        if marks == 0 && !sink.wants_scalar(hint) && next_is_end(bytes, end + 1) {
            let dull = length < SECRET_BYTES && !many || value::ordinary(bytes.get(start..end).unwrap_or_default());
            if dull {
                return end;
            }
        }
        self.long_string(bytes, start, end, carry, sink)
    }

    /// A key within one block, its colon behind it. Gives where the scalar that was dealt with ends.
    #[inline(always)]
    fn key(&mut self, bytes: &[u8], start: usize, end: usize, backslash: u64, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        if backslash != 0 || end - start > self.token_bytes {
            self.named(bytes.get(start..end.min(start.saturating_add(self.token_bytes))).unwrap_or_default(), sink);
        } else {
            let field = sink.names.look_at(bytes, start, end);
            self.name(field, sink);
        }
        self.behind_colon(bytes, end + 2, carry, sink)
    }

    /// A string that lies within the chunk. Gives where what was dealt with ends.
    #[inline(never)]
    fn long_string(&mut self, bytes: &[u8], start: usize, end: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let stop = end.min(start.saturating_add(self.token_bytes));
        let next = skip_space(bytes, end + 1);
        match bytes.get(next) {
            Some(b':') => {
                self.named(bytes.get(start..stop).unwrap_or_default(), sink);
                return self.behind_colon(bytes, next + 1, carry, sink);
            }
            Some(_) => self.string_at(bytes, start, stop, sink),
            None => {
                carry.clear();
                carry.extend_from_slice(bytes.get(start..stop).unwrap_or_default());
                self.cut = Cut::AfterString;
            }
        }
        end
    }

    /// A string whose head is carried and whose end is at `end`.
    #[cold]
    fn carried_string(&mut self, bytes: &[u8], from: usize, end: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        extend(carry, bytes.get(from..end).unwrap_or_default(), self.token_bytes);
        let whole = std::mem::take(carry);
        let next = skip_space(bytes, end + 1);
        match bytes.get(next) {
            Some(b':') => {
                self.named(&whole, sink);
                *carry = whole;
                return self.behind_colon(bytes, next + 1, carry, sink);
            }
            Some(_) => {
                self.string(&whole, sink);
                *carry = whole;
            }
            None => {
                *carry = whole;
                self.cut = Cut::AfterString;
            }
        }
        end
    }

    /// Looks at a scalar behind the colon, if the key's hint wants it. Gives where it ends, or `at`.
    #[inline(always)]
    fn behind_colon(&mut self, bytes: &[u8], at: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        if !sink.wants_scalar(self.field.hint) {
            return at;
        }
        self.wanted_scalar(bytes, at, carry, sink)
    }

    #[inline(never)]
    fn wanted_scalar(&mut self, bytes: &[u8], at: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let start = skip_space(bytes, at);
        let end = scalar_end(bytes, start);
        if start >= bytes.len() {
            self.cut = Cut::BeforeScalar;
        } else if end >= bytes.len() {
            self.carry_scalar(bytes, start, true, carry);
        } else if end > start {
            self.scalar(bytes.get(start..end).unwrap_or_default(), true, sink);
        }
        end
    }

    /// Digits outside of strings that may be long enough, at `start`. Gives where the number ends.
    #[cold]
    fn long_number(&mut self, bytes: &[u8], start: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let end = scalar_end(bytes, start);
        let before = start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last);
        if is_scalar(before) || before == b'"' {
            return end;
        }
        if end >= bytes.len() {
            self.carry_scalar(bytes, start, false, carry);
        } else {
            self.scalar(bytes.get(start..end).unwrap_or_default(), false, sink);
        }
        end
    }

    /// The end of the chunk may have cut a short number: it may turn out to be long.
    fn cut_number(&mut self, bytes: &[u8], from: usize, carry: &mut Vec<u8>) {
        let open = bytes.get(from..).unwrap_or_default();
        let length = open.iter().rev().take(SCALAR_BYTES + 1).take_while(|&&byte| is_scalar(byte)).count();
        let start = bytes.len() - length; // length counts bytes of the chunk
        let before = start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last);
        if length > 0 {
            self.carry_scalar(bytes, start, false, carry);
            if before == b'"' || is_scalar(before) {
                carry.resize(SCALAR_BYTES + 1, 0); // too long to be looked at: the middle of something
            }
        }
    }

    fn carry_scalar(&mut self, bytes: &[u8], start: usize, promised: bool, carry: &mut Vec<u8>) {
        carry.clear();
        extend(carry, bytes.get(start..).unwrap_or_default(), SCALAR_BYTES + 1);
        self.cut = Cut::InScalar { promised };
    }

    fn scalar(&mut self, text: &[u8], promised: bool, sink: &mut Sink) {
        if self.beyond == 0 {
            sink.scalar(self.field, text, promised, self.speaking_depth());
        }
    }

    /// A string value, escapes and all.
    fn string(&mut self, text: &[u8], sink: &mut Sink) {
        self.string_at(text, 0, text.len(), sink);
    }

    /// A string value where it lies: `bytes[start..end]`.
    #[inline]
    fn string_at(&mut self, bytes: &[u8], start: usize, end: usize, sink: &mut Sink) {
        if self.beyond > 0 {
            return;
        }
        let text = bytes.get(start..end).unwrap_or_default();
        let seen = summarise(bytes, start, end);
        let hint = self.field.hint;
        if seen.backslash {
            unescape(text, &mut self.scratch);
            sink.value(self.field, &self.scratch, self.speaking_depth());
        } else if sink.forces(hint) {
            sink.value(self.field, text, self.speaking_depth());
        } else if value::is_telling(&seen, text, hint) {
            sink.look(text, hint);
        }
    }

    /// A key, escapes and all.
    fn named(&mut self, text: &[u8], sink: &mut Sink) {
        if memchr::memchr(b'\\', text).is_none() {
            let field = sink.names.look(text);
            return self.name(field, sink);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        unescape(text, &mut scratch);
        let field = sink.names.look(&scratch);
        self.name(field, sink);
        self.scratch = scratch;
    }

    #[inline(always)]
    fn name(&mut self, field: Field, sink: &mut Sink) {
        self.field = field;
        let top = self.depth == 1 && self.documents == 1 || self.depth == 2 && self.record_depth == 1 && self.elements == 1;
        if top {
            sink.shape_member(self.field.name);
        }
    }

    /// How deep a value is for what it says of the whole.
    fn speaking_depth(&self) -> u32 {
        if self.arrays == 0 { self.depth } else { IN_ARRAY }
    }

    fn bracket(&mut self, byte: u8, sink: &mut Sink) {
        match byte {
            b'{' => self.open(false, sink),
            b'[' => self.open(true, sink),
            b'}' => self.close(false),
            _ => self.close(true),
        }
    }

    fn open(&mut self, array: bool, sink: &mut Sink) {
        if self.beyond > 0 || self.depth >= self.max_depth {
            self.beyond += 1;
            return;
        }
        if !array {
            let hint = self.field.hint;
            if hint.any(Hint::ERROR) && sink.role == Role::Response && self.depth <= 3 {
                sink.outcome.error();
            }
            if self.depth == 0 {
                self.documents += 1;
            } else if self.arrays & 1 == 1 && (self.record_depth == 0 || self.record_depth == self.depth) {
                self.record_depth = self.depth;
                self.elements += 1;
            }
            sink.records = self.documents + self.elements;
        }
        self.arrays = self.arrays << 1 | u128::from(array);
        self.depth += 1;
    }

    fn close(&mut self, array: bool) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        if self.gapped {
            self.close_lost(array);
        }
        self.depth = self.depth.saturating_sub(1);
        self.arrays >>= 1;
        if self.record_depth > self.depth {
            self.record_depth = 0;
        }
        if !array {
            self.field = Field::default();
        }
    }

    /// After a gap some closing brackets were not seen: this one closes the innermost of its kind.
    fn close_lost(&mut self, array: bool) {
        let wanted = u128::from(array);
        let levels = (0..self.depth).find(|level| self.arrays >> level & 1 == wanted).unwrap_or(0);
        self.depth -= levels; // levels is below depth
        self.arrays >>= levels;
    }
}

/// Digits outside of strings that begin a run of twelve, or one that goes on behind the block.
#[inline(always)]
fn number_starts(digits: u64) -> u64 {
    let starts = digits & !(digits << 1);
    starts & (runs_of_twelve(digits) | last_run(digits))
}

/// The first bit of the run that touches the end of the block.
#[inline(always)]
fn last_run(digits: u64) -> u64 {
    let length = (!digits).leading_zeros();
    if length == 0 { 0 } else { 1u64.checked_shl(64 - length).unwrap_or(1) }
}

/// 1 if the byte behind the first `left` bytes of a block is escaped.
#[inline(always)]
fn escape_behind(backslash: u64, is_escaped: u64, left: usize) -> u64 {
    (backslash & !is_escaped) >> (left - 1) & 1 // left is 1 to 64
}

#[inline(always)]
fn has_at_least(mut bits: u64, count: u32) -> bool {
    for _ in 1..count {
        bits &= bits.wrapping_sub(1);
    }
    bits != 0
}

/// A value is surely behind its closing quote if a comma or a bracket follows at once.
#[inline(always)]
fn next_is_end(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b',' | b'}' | b']'))
}

/// Appends as much as fits below `limit`.
fn extend(carry: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(carry.len());
    carry.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
}

/// A JSON string without its escapes (RFC 8259 §7). A lone surrogate or a cut escape becomes a question mark.
pub(super) fn unescape(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        into.extend_from_slice(plain);
        let (byte, length) = match escape.get(1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b' | b'f') => (b' ', 2),
            Some(b'u') => {
                let code = escape.get(2..6).and_then(hex).and_then(char::from_u32).unwrap_or('?');
                let mut buffer = [0u8; 4];
                into.extend_from_slice(code.encode_utf8(&mut buffer).as_bytes());
                rest = escape.get(escape.len().min(6)..).unwrap_or_default();
                continue;
            }
            Some(&other) => (other, 2),
            None => (b'?', 1),
        };
        into.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, &digit| Some(value << 4 | (digit as char).to_digit(16)?))
}
