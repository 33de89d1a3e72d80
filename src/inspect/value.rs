//! One value, or one stretch of text: which sensitive values are in it, and where.
//!
//! [`worth_a_look`] turns ordinary values away after one pass; it never turns away what [`scan`] would find, so
//! callers may test it or something weaker. [`scan`] walks over words (runs of letters and digits), joins digit words
//! with what people put between them, and asks `numbers`, `letters`, `secrets` and `email` about each. Both are linear
//! in the length of the text: a number is joined from a bounded count of words.

use super::block::{Summary, next_digit, summarise};
use super::class::DataClass;
use super::email;
use super::field::{Hint, hint_of};
use super::letters::{self, MAX_TOKEN, MIN_TOKEN};
use super::numbers::{self, MIN_DIGITS};
use super::secrets;
use super::sequence::{DIGIT, LETTER, Sequence, kind, kind_at};
use std::ops::Range;

/// Shortest value of any class, in bytes: `a@b.co`.
const SHORTEST_BYTES: usize = 6;
/// Fewest digits of a value whose field promises nothing: a US Medicare beneficiary number has five.
pub(super) const DIGITS_UNPROMISED: u32 = 5;
/// Fewest digits of a value whose field promises something personal: an Indian tax number has four.
pub(super) const DIGITS_PROMISED: u32 = 4;
/// Fewest digits of an unquoted number that is looked at: a local telephone number.
pub(super) const NUMBER_DIGITS: usize = 7;
/// Shortest secret that is known by its own looks.
pub(super) const SECRET_BYTES: usize = 18;
/// Text before a number that can say what it is, in bytes: `my passport number is`.
const CONTEXT_BYTES: usize = 40;

/// The summary of a value that may hold something, given what its field promises.
#[inline]
pub(super) fn worth_a_look(text: &[u8], hint: Hint) -> Option<Summary> {
    let is_long = text.len() >= SHORTEST_BYTES || hint.any(Hint::PASSWORD);
    let seen = is_long.then(|| summarise(text, 0, text.len()))?;
    is_telling(&seen, text, hint).then_some(seen)
}

/// [`worth_a_look`] by the summary of the value.
#[inline(always)]
pub(super) fn is_telling(seen: &Summary, text: &[u8], hint: Hint) -> bool {
    let personal = hint.any(Hint::PERSONAL);
    let secret = may_hold_secret(seen, text, hint);
    let enough = seen.digits >= if personal { DIGITS_PROMISED } else { DIGITS_UNPROMISED };
    seen.at
        || (secret || enough) && (personal || !ordinary(text) && !is_dull_slug(seen, text, hint, secret))
        || hint.any(Hint::PASSWORD)
}

/// Whether a text is a slug that holds nothing. Its numbers are tied to words, so without a promise they are parts of a
/// name; what is left is a secret whose prefix begins one of its words, or one that is promised.
#[inline(always)]
fn is_dull_slug(seen: &Summary, text: &[u8], hint: Hint, secret: bool) -> bool {
    seen.slug && !hint.any(Hint::API_KEY) && !(secret && secrets::may_begin_a_word(text))
}

/// Whether a secret known by its looks, or by its name, may be in a text: they are long words, and chance puts capitals
/// into all but hexadecimal ones.
#[inline(always)]
fn may_hold_secret(seen: &Summary, text: &[u8], hint: Hint) -> bool {
    let enough = seen.upper || seen.digits >= DIGITS_UNPROMISED || hint.any(Hint::API_KEY.with(Hint::HASH));
    seen.long_word && text.len() >= SECRET_BYTES && enough
}

/// Whether an unquoted scalar has digits, nothing else, and enough of them for a promising name.
pub(super) fn is_long_number(scalar: &[u8]) -> bool {
    scalar.len() >= NUMBER_DIGITS && scalar.iter().all(u8::is_ascii_digit)
}

/// Time stamps, dates and UUIDs: full of digits and never anything else.
#[inline]
pub(super) fn ordinary(text: &[u8]) -> bool {
    let at = |index: usize| text.get(index).copied().unwrap_or(0);
    match text.len() {
        36 => at(8) == b'-' && at(13) == b'-' && at(18) == b'-' && at(23) == b'-',
        10 => at(4) == b'-' && at(7) == b'-',
        16..=35 => at(4) == b'-' && at(7) == b'-' && matches!(at(10), b'T' | b' ') && at(13) == b':',
        _ => false,
    }
}

/// Every sensitive value in a text. `seen` is its summary, `hint` what the field name promises, `response` that a server
/// sent it.
pub(super) fn scan(
    text: &[u8],
    seen: &Summary,
    hint: Hint,
    response: bool,
    found: &mut impl FnMut(DataClass, Range<usize>),
) {
    let trimmed = text.trim_ascii();
    let is_promised = |_: &DataClass| !ordinary(trimmed) && secrets::secret_at(trimmed, 0).is_none();
    if let Some(class) = secrets::promised_secret(trimmed, hint, response).filter(is_promised) {
        let start = text.len() - text.trim_ascii_start().len();
        return found(class, start..start + trimmed.len());
    }
    if hint.any(Hint::BIRTH) && numbers::birth_date_with_time(trimmed) {
        let start = text.len() - text.trim_ascii_start().len();
        return found(DataClass::DateOfBirth, start..start + 10);
    }
    let address = if seen.at { email::next(text, 0) } else { None };
    if address == Some(0..text.len()) {
        return found(DataClass::Email, 0..text.len()); // most are alone
    }
    Walk { text, hint, secrets: may_hold_secret(seen, text, hint), found }.run(address);
}

/// The start of the first word at or behind `at` that has a digit, or the end. Two letters and a space before it are part
/// of it: `AA 12 34 56 B`.
fn next_digit_word(text: &[u8], at: usize) -> usize {
    let Some(digit) = next_digit(text, at) else { return text.len() };
    let before = text.get(at..digit).unwrap_or_default();
    let start = before.iter().rposition(|&byte| kind(byte) == 0).map_or(0, |place| place + 1);
    match before.get(..start).unwrap_or_default() {
        [.., other, a, b, b' '] if kind(*other) == 0 && kind(*a) == LETTER && kind(*b) == LETTER => at + start - 3,
        [a, b, b' '] if kind(*a) == LETTER && kind(*b) == LETTER => at,
        _ => at + start,
    }
}

struct Walk<'a, F: FnMut(DataClass, Range<usize>)> {
    text: &'a [u8],
    hint: Hint,
    /// A secret may be in the text: every word is looked at, not only those with digits.
    secrets: bool,
    found: &'a mut F,
}

impl<F: FnMut(DataClass, Range<usize>)> Walk<'_, F> {
    /// Walks over the text. `address` is the first e-mail address in it.
    fn run(&mut self, mut address: Option<Range<usize>>) {
        let text = self.text;
        let mut at = 0;
        loop {
            if !self.secrets {
                at = next_digit_word(text, at);
            }
            if let Some(range) = address.clone().filter(|range| at >= range.start || at >= text.len()) {
                at = range.end;
                (self.found)(DataClass::Email, range);
                address = email::next(text, at);
                continue;
            }
            let Some(&byte) = text.get(at) else { return };
            if kind(byte) == 0 {
                at = self.mark(at, byte);
                continue;
            }
            let start = at;
            let mut kinds = 0;
            while let Some(&byte) = text.get(at) {
                let kind = kind(byte);
                if kind == 0 {
                    break;
                }
                kinds |= kind;
                at += 1;
            }
            at = self.word(start, at, kinds);
        }
    }

    /// A byte between words: only `-----BEGIN` and `$2b$` matter. Gives where to go on.
    fn mark(&mut self, at: usize, byte: u8) -> usize {
        if (byte == b'-' && self.text.get(at..at + 6) == Some(b"-----B")
            || byte == b'$' && at.checked_sub(1).is_none_or(|before| kind_at(self.text, before) == 0))
            && let Some((class, end)) = secrets::secret_at(self.text, at)
        {
            (self.found)(class, at..end);
            return end;
        }
        at + 1
    }

    /// A word from `start` to `end`. Gives where to go on.
    fn word(&mut self, start: usize, end: usize, kinds: u8) -> usize {
        if self.secrets
            && end - start >= 2
            && let Some((class, secret_end)) = secrets::secret_at(self.text, start)
        {
            (self.found)(class, start..secret_end);
            return secret_end;
        }
        if kinds & DIGIT == 0 {
            return if end - start == 2 && kinds == LETTER { self.spaced(start).unwrap_or(end) } else { end };
        }
        if kinds == DIGIT {
            return self.number(start, end);
        }
        if kinds == DIGIT | LETTER { self.mixed(start, end) } else { end }
    }

    /// `AA 12 34 56 B`: two letters and then digits in groups.
    fn spaced(&mut self, start: usize) -> Option<usize> {
        if self.text.get(start + 2) != Some(&b' ') || kind_at(self.text, start + 3) != DIGIT {
            return None;
        }
        let (token, end) = gather(self.text, start, 9, b" ")?;
        let class = letters::class_of(token.bytes(), self.hint_near(start), token.upper, true)?;
        (self.found)(class, start..end);
        Some(end)
    }

    /// A word of letters and digits, perhaps with more behind dashes. Gives where to go on.
    fn mixed(&mut self, start: usize, end: usize) -> usize {
        let hint = self.hint_near(start);
        if let Some(country) = self.text.get(start..).and_then(|rest| rest.first_chunk::<2>()) {
            let country = [country[0].to_ascii_uppercase(), country[1].to_ascii_uppercase()]; // two elements
            let length = super::checks::iban_length(&country);
            if let Some((token, iban_end)) = length.and_then(|length| gather(self.text, start, length, b" -"))
                && super::checks::iban(token.bytes())
            {
                (self.found)(DataClass::Iban, start..iban_end);
                return iban_end;
            }
        }
        let mut ends = [end; 3];
        let mut count = 1;
        while count < 3 {
            let last = ends[count - 1]; // count is 1 or 2
            if self.text.get(last) != Some(&b'-') || kind_at(self.text, last + 1) == 0 {
                break;
            }
            let next = last
                + 1
                + self.text.iter().skip(last + 1).take(MAX_TOKEN + 1).take_while(|&&byte| kind(byte) != 0).count();
            ends[count] = next; // count is 1 or 2
            count += 1;
        }
        for &stop in ends.iter().take(count).rev() {
            if let Some(class) = self.token(start, stop, hint) {
                (self.found)(class, start..stop);
                return stop;
            }
        }
        end
    }

    /// The class of the text `start..end` as one identifier, dashes in it or not.
    fn token(&self, start: usize, end: usize, hint: Hint) -> Option<DataClass> {
        let joined = |index: usize| matches!(self.text.get(index), Some(b'-' | b'_'));
        let glued = joined(end) && kind_at(self.text, end + 1) != 0
            || start
                .checked_sub(1)
                .is_some_and(|before| joined(before) && before > 0 && kind_at(self.text, before - 1) != 0);
        let raw = self.text.get(start..end)?;
        if raw.len() < MIN_TOKEN || raw.len() > MAX_TOKEN || glued && !hint.any(Hint::PERSONAL) {
            return None;
        }
        let mut token = Token::default();
        raw.iter().filter(|&&byte| byte != b'-').for_each(|&byte| token.push(byte));
        letters::class_of(token.bytes(), hint, token.upper, false).or_else(|| {
            let mut whole = Token::default();
            raw.iter().for_each(|&byte| whole.push(byte));
            if raw.len() == token.length { None } else { letters::class_of(whole.bytes(), hint, whole.upper, false) }
        })
    }

    /// A word of digits: the number it begins, or else an identifier that goes on with letters. Gives where to go on.
    fn number(&mut self, start: usize, end: usize) -> usize {
        let sequence = Sequence::from(self.text, start, end);
        if usize::from(sequence.digit_count) >= MIN_DIGITS
            && let Some(end) = self.numbers_in(&sequence)
        {
            return end;
        }
        if self.text.get(end) == Some(&b'-') && kind_at(self.text, end + 1) != 0 && (6..=8).contains(&(end - start)) {
            return self.mixed(start, end);
        }
        sequence.ends.get(sequence.count.saturating_sub(1)).copied().unwrap_or(end).max(end)
    }

    /// Reports every number that the groups make, longest first from the left. Gives the end of the last one.
    fn numbers_in(&mut self, sequence: &Sequence) -> Option<usize> {
        let start = sequence.starts.first().copied()?;
        let promised = self.hint.any(Hint::PERSONAL);
        if sequence.glued(self.text) && !promised {
            return None;
        }
        let hint = self.hint_near(start);
        let (mut first, mut reached) = (0, None);
        while first < sequence.count {
            let hit = (first + 1..=sequence.count).rev().find_map(|last| {
                let number = sequence.grouped(first, last)?;
                let hint = if !promised && number.digits.len() < 9 { hint.lacking(Hint::PHONE) } else { hint };
                let class = numbers::class_of(&number, hint)?;
                sequence.stands_alone(first, last, class).then_some((class, last))
            });
            first = match hit {
                Some((class, last)) => {
                    let range = sequence.range(first, last);
                    reached = Some(range.end);
                    (self.found)(class, range);
                    last
                }
                None => first + 1,
            };
        }
        reached.map(|_| sequence.range(0, sequence.count).end)
    }

    /// What the field promises, and failing that the words just before.
    fn hint_near(&self, start: usize) -> Hint {
        if self.hint.any(Hint::PERSONAL) || start < 4 {
            return self.hint;
        }
        let before = self.text.get(start.saturating_sub(CONTEXT_BYTES)..start).unwrap_or_default();
        // Only the sentence the number is in.
        let cut = before
            .iter()
            .rposition(|byte| matches!(byte, b'\n' | b';' | b',' | b'|' | b'"'))
            .map_or(0, |place| place + 1);
        let words = before.get(cut..).unwrap_or_default();
        if words.iter().any(u8::is_ascii_alphabetic) { self.hint.with(hint_of(words).personal()) } else { self.hint }
    }
}

/// An identifier in upper case, without separators.
struct Token {
    bytes: [u8; MAX_TOKEN],
    length: usize,
    /// No letter was in lower case.
    upper: bool,
}

impl Default for Token {
    fn default() -> Token {
        Token { bytes: [0; MAX_TOKEN], length: 0, upper: true }
    }
}

impl Token {
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte.to_ascii_uppercase();
            self.length += 1;
            self.upper &= !byte.is_ascii_lowercase();
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Exactly `count` letters and digits from `start`, single separators between them skipped; nothing if the word goes on
/// behind them.
fn gather(text: &[u8], start: usize, count: usize, separators: &[u8]) -> Option<(Token, usize)> {
    let mut token = Token::default();
    let mut at = start;
    while token.length < count {
        let byte = *text.get(at)?;
        if byte.is_ascii_alphanumeric() {
            token.push(byte);
        } else if !separators.contains(&byte) || kind_at(text, at.checked_sub(1)?) == 0 {
            return None;
        }
        at += 1;
        if token.length >= MAX_TOKEN {
            break;
        }
    }
    (token.length == count && kind_at(text, at) == 0).then_some((token, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found_in(text: &str, hint: Hint) -> Vec<DataClass> {
        let seen = summarise(text.as_bytes(), 0, text.len());
        let mut found = Vec::new();
        scan(text.as_bytes(), &seen, hint, true, &mut |class, _| found.push(class));
        found
    }

    #[test]
    fn a_key_that_chance_would_not_make_is_turned_away_and_not_found() {
        let text = "sk_live_aaaaa4111aaaaask_live_"; // four digits, no capital
        assert!(worth_a_look(text.as_bytes(), Hint::default()).is_none());
        assert_eq!(found_in(text, Hint::default()), []);
        let text = "411100sk-proj-00sk-proj-411100000000"; // dashes where a UUID has them
        let hint = hint_of(b"api_key");
        assert!(worth_a_look(text.as_bytes(), hint).is_none() && found_in(text, hint).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_turned_away_holds_nothing(
            text in "([a-z]{1,6}|[0-9]{1,10}|sk_live_|ghp_|sk-proj-|AKIA[A-Z0-9]{16}|4111|-1111|AB-?123456C|[-_./ @+]){1,8}",
            promise in "(|phone|passport|api_key|password|password_hash|medicare_number|dob)",
        ) {
            let hint = hint_of(promise.as_bytes());
            if worth_a_look(text.as_bytes(), hint).is_none() && text.len() >= SHORTEST_BYTES {
                prop_assert_eq!(found_in(&text, hint), vec![]);
            }
        }
    }
}
