//! JSON as it passes: keys, strings, long numbers and records, without a tree.
//!
//! Blocks of 64 bytes give masks ([`super::block`]); only closing quotes, brackets and numbers of some length are visited
//! ([`walk`]). A string is judged where it lies unless it is cut by the end of a chunk; then its head is carried. Nesting
//! is a bit a level. Anything may be unbalanced, unterminated or no JSON at all: the walk goes on, linear, in constant
//! memory. A quote behind an odd number of backslashes is never a delimiter, inside a string or out.
//!
//! Inside arrays most values are turned away by their looks alone, so there a key is looked up only when its value is
//! not ([`Key::At`]). Outside of arrays, and in the first record, every key is looked up: it may speak of the whole.

mod escape;
mod walk;

use super::block::{Width, summarise};
use super::field::{Hint, NAME_BYTES};
use super::names::Field;
use super::sink::{SCALAR_BYTES, Sink};
use super::{Limits, Role, value};
pub(super) use escape::unescape;

/// Most levels that are told apart: a bit each.
const MAX_DEPTH: u32 = 128;
/// An object under a key like `errors` speaks of the whole if it lies this deep or less.
const ERROR_DEPTH: u32 = 3;
/// Depth to which messages in lists are read: `{"errors":[{"message":".."}]}`.
const LISTED_DEPTH: u32 = 3;

/// What the end of a chunk cut in two, outside of strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    Nothing,
    /// A whole string is carried; the next byte that is not white space says whether it is a key.
    AfterString,
    /// Behind the colon of a key whose scalar is wanted.
    BeforeScalar,
    /// The head of a scalar is carried.
    InScalar(Scalar),
}

/// Why a scalar outside of strings is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scalar {
    /// It directly follows a key that wants whatever it is.
    Wanted,
    /// It has digits enough, and follows a colon.
    Named,
    /// It has digits enough.
    Unnamed,
}

/// The key that the next values belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    Known(Field),
    /// Not looked up yet: where it lies in the chunk.
    At {
        start: usize,
        end: usize,
    },
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
    key: Key,
    /// The key's values are wanted whatever they look like. Not yet known, so false, of a key not looked up.
    wanted: bool,
    /// Keys are looked up as they come.
    eager: bool,
    /// A name of the first record promised a password: keys are looked up throughout, since passwords have no looks of their own.
    thorough: bool,
    in_string: bool,
    /// 1 if the next byte is escaped.
    escape: u64,
    cut: Cut,
    /// In this chunk, the end of the scalar that was last dealt with.
    scalar_done: usize,
    /// Bytes are missing: everything up to the next quote is of unknown standing.
    lost: bool,
    /// Bytes were missing somewhere: brackets may not match.
    gapped: bool,
    /// The last byte before this chunk, and the last that was not white space.
    last: u8,
    last_solid: u8,
    scratch: Vec<u8>,
    /// What the processor has, or less; only ever set from [`Width::of_processor`].
    width: Width,
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

/// Appends as much as fits below `limit`.
fn extend(carry: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(carry.len());
    carry.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
}

/// The strings of a text in JSON, without their escapes, and whether a colon stands behind each: for texts of bounded length. What
/// is cut off counts as far as it goes.
pub(super) fn json_strings(text: &[u8], mut each: impl FnMut(&[u8], bool)) {
    let mut scratch = Vec::new();
    let mut rest = text;
    while let Some(open) = memchr::memchr(b'"', rest) {
        let inside = rest.get(open + 1..).unwrap_or_default();
        let end = string_length(inside);
        let string = inside.get(..end).unwrap_or_default();
        rest = inside.get(end + 1..).unwrap_or_default();
        let is_name = rest.get(skip_space(rest, 0)) == Some(&b':');
        if memchr::memchr(b'\\', string).is_some() {
            unescape(string, &mut scratch);
            each(&scratch, is_name);
        } else {
            each(string, is_name);
        }
    }
}

/// Bytes of a string from behind its opening quote to the one that ends it; all, where none does.
pub(super) fn string_length(inside: &[u8]) -> usize {
    let mut end = 0;
    while let Some(at) = inside.get(end..).and_then(|left| memchr::memchr2(b'"', b'\\', left)) {
        end += at;
        if inside.get(end) == Some(&b'"') {
            return end;
        }
        end += 2;
    }
    inside.len()
}

impl Json {
    pub fn new(limits: &Limits) -> Json {
        Json {
            max_depth: limits.max_depth.clamp(1, MAX_DEPTH),
            token_bytes: limits.token_bytes.max(NAME_BYTES),
            arrays: 0,
            depth: 0,
            beyond: 0,
            record_depth: 0,
            documents: 0,
            elements: 0,
            key: Key::Known(Field::default()),
            wanted: false,
            eager: true,
            thorough: false,
            in_string: false,
            escape: 0,
            cut: Cut::Nothing,
            scalar_done: 0,
            lost: false,
            gapped: false,
            last: 0,
            last_solid: 0,
            scratch: Vec::new(),
            width: Width::of_processor(),
        }
    }

    pub fn begin(&mut self) {
        let scratch = std::mem::take(&mut self.scratch);
        let limits = Limits { max_depth: self.max_depth, token_bytes: self.token_bytes, ..Limits::default() };
        *self = Json { scratch, width: self.width, ..Json::new(&limits) };
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let Some(&last) = bytes.last() else { return };
        self.scalar_done = 0;
        if let Some(from) = self.resume(bytes, carry, sink) {
            walk::walk(self, bytes, from, carry, sink);
        }
        self.field(bytes, sink);
        self.last = last;
        if let Some(&solid) = bytes.iter().rev().find(|&&byte| !is_space(byte)) {
            self.last_solid = solid;
        }
    }

    /// Bytes are missing here.
    pub fn gap(&mut self, carry: &mut Vec<u8>) {
        carry.clear();
        self.forget_key();
        self.in_string = false;
        self.escape = 0;
        self.cut = Cut::Nothing;
        self.lost = true;
        self.gapped = true;
        (self.last, self.last_solid) = (0, 0);
    }

    /// The end of the body. A string without its closing quote is dropped.
    pub fn finish(&mut self, carry: &[u8], sink: &mut Sink) -> u32 {
        match self.cut {
            Cut::AfterString => self.string(carry, 0, carry.len(), sink),
            Cut::InScalar(why) => self.scalar(&[], carry, why, sink),
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
                if byte == b':' {
                    self.named(carry, sink);
                    return Some(self.behind_colon(bytes, next + 1, carry, sink));
                }
                self.string(carry, 0, carry.len(), sink);
                Some(next)
            }
            Cut::BeforeScalar => {
                self.cut = Cut::Nothing;
                Some(self.behind_colon(bytes, 0, carry, sink))
            }
            Cut::InScalar(why) => {
                let end = scalar_end(bytes, 0);
                extend(carry, bytes.get(..end).unwrap_or_default(), SCALAR_BYTES + 1);
                if end < bytes.len() {
                    self.cut = Cut::Nothing;
                    self.scalar(&[], carry, why, sink);
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

    /// The field of the values that come now.
    #[inline(always)]
    fn field(&mut self, bytes: &[u8], sink: &mut Sink) -> Field {
        match self.key {
            Key::Known(field) => field,
            Key::At { start, end } => {
                let field = sink.names.look_at(bytes, start, end);
                self.know(field, sink);
                field
            }
        }
    }

    #[inline(always)]
    fn know(&mut self, field: Field, sink: &Sink) {
        self.key = Key::Known(field);
        self.wanted = sink.wants_scalar(field.hint);
        self.thorough |= self.eager && field.hint.any(Hint::PASSWORD);
    }

    /// A key that is to be looked up only if need be.
    #[inline(always)]
    fn key_is_at(&mut self, start: usize, end: usize) {
        self.key = Key::At { start, end };
        self.wanted = false;
    }

    #[inline(always)]
    fn forget_key(&mut self) {
        self.key = Key::Known(Field::default());
        self.wanted = false;
    }

    /// A string within the chunk that its looks do not turn away, or that may be a key.
    #[inline(never)]
    fn weigh(&mut self, bytes: &[u8], start: usize, end: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
        let stop = end.min(start.saturating_add(self.token_bytes));
        let next = skip_space(bytes, end + 1);
        match bytes.get(next) {
            Some(b':') => {
                self.named(bytes.get(start..stop).unwrap_or_default(), sink);
                self.scalar_done = self.behind_colon(bytes, next + 1, carry, sink);
            }
            Some(_) => self.string(bytes, start, stop, sink),
            None => {
                carry.clear();
                carry.extend_from_slice(bytes.get(start..stop).unwrap_or_default());
                self.cut = Cut::AfterString;
            }
        }
    }

    /// A string whose head is carried and whose end is at `end`.
    #[cold]
    fn carried_string(&mut self, bytes: &[u8], from: usize, end: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
        extend(carry, bytes.get(from..end).unwrap_or_default(), self.token_bytes);
        let next = skip_space(bytes, end + 1);
        match bytes.get(next) {
            Some(b':') => {
                self.named(carry, sink);
                self.scalar_done = self.behind_colon(bytes, next + 1, carry, sink);
            }
            Some(_) => self.string(carry, 0, carry.len(), sink),
            None => self.cut = Cut::AfterString,
        }
    }

    /// Looks at a scalar behind the colon, if the key's hint wants it. Gives where it ends, or `at`.
    #[inline(always)]
    fn behind_colon(&mut self, bytes: &[u8], at: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        if self.wanted { self.wanted_scalar(bytes, at, carry, sink) } else { at }
    }

    #[inline(never)]
    fn wanted_scalar(&mut self, bytes: &[u8], at: usize, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let start = skip_space(bytes, at);
        let end = scalar_end(bytes, start);
        if start >= bytes.len() {
            self.cut = Cut::BeforeScalar;
        } else if end >= bytes.len() {
            self.carry_scalar(bytes, start, Scalar::Wanted, carry);
        } else if end > start {
            self.scalar(bytes, bytes.get(start..end).unwrap_or_default(), Scalar::Wanted, sink);
        }
        end
    }

    /// A number outside of strings, at `start`, with digits enough to be something.
    #[inline(never)]
    fn number(&mut self, bytes: &[u8], start: usize, carry: &mut Vec<u8>, sink: &mut Sink) {
        let end = scalar_end(bytes, start);
        self.scalar_done = end;
        let before = self.before(bytes, start);
        if is_scalar(before) || before == b'"' {
            return;
        }
        let why = self.reason(bytes, start);
        if end >= bytes.len() {
            self.carry_scalar(bytes, start, why, carry);
        } else {
            self.scalar(bytes, bytes.get(start..end).unwrap_or_default(), why, sink);
        }
    }

    fn before(&self, bytes: &[u8], at: usize) -> u8 {
        at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last)
    }

    /// Whether a number at `at` has a name: then the last thing before it is a colon.
    fn reason(&self, bytes: &[u8], at: usize) -> Scalar {
        let before = bytes.get(..at).unwrap_or_default();
        let solid = before.iter().rev().find(|&&byte| !is_space(byte)).copied().unwrap_or(self.last_solid);
        if solid == b':' { Scalar::Named } else { Scalar::Unnamed }
    }

    /// The end of the chunk may have cut a short number: it may turn out to be long.
    fn cut_number(&mut self, bytes: &[u8], from: usize, carry: &mut Vec<u8>) {
        let open = bytes.get(from..).unwrap_or_default();
        let length = open.iter().rev().take(SCALAR_BYTES + 1).take_while(|&&byte| is_scalar(byte)).count();
        if length == 0 {
            return;
        }
        let start = bytes.len() - length; // length counts bytes of the chunk
        let before = self.before(bytes, start);
        let why = self.reason(bytes, start);
        self.carry_scalar(bytes, start, why, carry);
        if before == b'"' || is_scalar(before) {
            carry.resize(SCALAR_BYTES + 1, 0); // too long to be looked at: the middle of something
        }
    }

    fn carry_scalar(&mut self, bytes: &[u8], start: usize, why: Scalar, carry: &mut Vec<u8>) {
        carry.clear();
        extend(carry, bytes.get(start..).unwrap_or_default(), SCALAR_BYTES + 1);
        self.cut = Cut::InScalar(why);
    }

    /// A scalar outside of strings. `bytes` is the chunk that its key may lie in.
    fn scalar(&mut self, bytes: &[u8], text: &[u8], why: Scalar, sink: &mut Sink) {
        if self.beyond > 0 || why != Scalar::Wanted && !value::is_long_number(text) {
            return;
        }
        let field = if why == Scalar::Unnamed { Field::default() } else { self.field(bytes, sink) };
        sink.scalar(field, text, self.speaking_depth());
    }

    /// A string value, escapes and all: `bytes[start..end]`.
    fn string(&mut self, bytes: &[u8], start: usize, end: usize, sink: &mut Sink) {
        if self.beyond > 0 {
            return;
        }
        let field = self.field(bytes, sink);
        let text = bytes.get(start..end).unwrap_or_default();
        let seen = summarise(bytes, start, end);
        if seen.backslash {
            unescape(text, &mut self.scratch);
            sink.value(field, &self.scratch, self.speaking_depth());
        } else {
            sink.say(field, text, self.speaking_depth());
            if self.is_in_first_of_list() {
                sink.listed(field, text);
            }
            if value::is_telling(&seen, text, field.hint) {
                sink.look(text, &seen, field.hint);
            }
        }
    }

    /// A key, escapes and all.
    fn named(&mut self, text: &[u8], sink: &mut Sink) {
        if memchr::memchr(b'\\', text).is_none() {
            self.member(text, sink);
            return self.name(sink.names.look(text), sink);
        }
        unescape(text, &mut self.scratch);
        let field = sink.names.look(&self.scratch);
        self.member(&self.scratch, sink);
        self.name(field, sink);
    }

    /// A name that may be of a request's own field. Those come while keys are looked up.
    #[inline(always)]
    fn member(&self, name: &[u8], sink: &mut Sink) {
        if self.eager && self.depth == 1 && self.documents == 1 {
            sink.member(name);
        }
    }

    #[inline(always)]
    fn name(&mut self, field: Field, sink: &mut Sink) {
        self.know(field, sink);
        let is_first =
            self.depth == 1 && self.documents == 1 || self.depth == 2 && self.record_depth == 1 && self.elements == 1;
        // Elsewhere most keys are not looked up, so none counts: one straight in an array, which is no JSON.
        if self.eager && is_first {
            sink.shape_member(field.name);
        }
    }

    /// How deep a value is, if it speaks of the whole: nothing does inside an array.
    fn speaking_depth(&self) -> Option<u32> {
        (self.arrays == 0).then_some(self.depth)
    }

    /// Errors may come as a list, of strings or of objects: the first speaks for them.
    fn is_in_first_of_list(&self) -> bool {
        self.arrays != 0 && self.depth <= LISTED_DEPTH && self.elements <= 1
    }

    #[inline(always)]
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
            sink.is_cut = true;
            return;
        }
        if !array {
            self.open_object(sink);
        }
        self.arrays = self.arrays << 1 | u128::from(array);
        self.depth += 1;
        self.eager = self.arrays == 0 || self.elements <= 1;
    }

    fn open_object(&mut self, sink: &mut Sink) {
        if let Key::Known(field) = self.key {
            let errors = field.hint.any(Hint::ERROR) && self.eager && self.depth <= ERROR_DEPTH;
            if errors && sink.role == Role::Response {
                sink.outcome.error();
            }
        }
        if self.depth == 0 {
            self.documents += 1;
        } else if self.arrays & 1 == 1 && (self.record_depth == 0 || self.record_depth == self.depth) {
            self.record_depth = self.depth;
            self.elements += 1;
        }
        sink.records = self.documents + self.elements;
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
        self.eager = self.arrays == 0 || self.elements <= 1;
        if !array {
            self.forget_key();
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
