//! Words of digits that belong together: `4111 1111 1111 1111` is four words and one number.
//!
//! At most [`MAX_GROUPS`] words and [`MAX_DIGITS`] digits are joined; which of them make a number is for `numbers` to say.

use super::class::DataClass;
use super::numbers::{Grouped, MAX_DIGITS, MAX_GROUPS, Separator, Style};
use std::ops::Range;

pub(super) const DIGIT: u8 = 1;
pub(super) const LETTER: u8 = 2;
/// `_` and everything beyond ASCII: parts of words, never of identifiers.
const JOINER: u8 = 4;

static KIND: [u8; 256] = {
    let mut kinds = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'_' | 0x80.. => JOINER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

#[inline(always)]
pub(super) fn kind(byte: u8) -> u8 {
    KIND[usize::from(byte)] // 256 entries
}

pub(super) fn kind_at(text: &[u8], index: usize) -> u8 {
    text.get(index).map_or(0, |&byte| kind(byte))
}

/// Words of digits in a row, each held to the next by what people write between groups.
pub(super) struct Sequence {
    digits: [u8; MAX_DIGITS],
    pub digit_count: u8,
    pub starts: [usize; MAX_GROUPS],
    pub ends: [usize; MAX_GROUPS],
    lengths: [u8; MAX_GROUPS],
    /// What stands behind each group.
    separators: [Separator; MAX_GROUPS],
    pub count: usize,
    plus: bool,
}

impl Sequence {
    /// The groups from the word of digits `start..end` on.
    pub fn from(text: &[u8], start: usize, end: usize) -> Sequence {
        let mut sequence = Sequence {
            digits: [0; MAX_DIGITS],
            digit_count: 0,
            starts: [0; MAX_GROUPS],
            ends: [0; MAX_GROUPS],
            lengths: [0; MAX_GROUPS],
            separators: [Separator::Bracket; MAX_GROUPS],
            count: 0,
            plus: matches!(text.get(..start).unwrap_or_default(), [.., b'+'] | [.., b'+', b'(']),
        };
        let (mut group, mut group_end) = (start, end);
        while sequence.push(text, group, group_end) {
            let Some((separator, next)) = separator_at(text, group_end) else { break };
            let next_end =
                next + text.iter().skip(next).take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
            if kind_at(text, next_end) != 0 {
                break;
            }
            if let Some(slot) = sequence.separators.get_mut(sequence.count - 1) {
                *slot = separator;
            }
            (group, group_end) = (next, next_end);
        }
        sequence
    }

    /// Adds a group if there is room for all of it.
    fn push(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        let length = end - start;
        let from = usize::from(self.digit_count);
        let (Some(slots), Some(bytes)) = (self.digits.get_mut(from..from + length), text.get(start..end)) else {
            return false;
        };
        if self.count == MAX_GROUPS {
            return false;
        }
        for (slot, byte) in slots.iter_mut().zip(bytes) {
            *slot = byte.wrapping_sub(b'0');
        }
        self.starts[self.count] = start; // count < MAX_GROUPS, tested above; so for the two lines below
        self.ends[self.count] = end;
        self.lengths[self.count] = length as u8;
        self.digit_count += length as u8;
        self.count += 1;
        true
    }

    /// The groups `first..last` as one number.
    pub fn grouped(&self, first: usize, last: usize) -> Option<Grouped<'_>> {
        let lengths = self.lengths.get(first..last)?;
        let skipped: usize = self.lengths.iter().take(first).map(|&length| usize::from(length)).sum();
        let count: usize = lengths.iter().map(|&length| usize::from(length)).sum();
        let separators = self.separators.get(first..last.checked_sub(1)?)?;
        let style = match separators {
            [] => Style::Bare,
            all if all.contains(&Separator::Bracket) => Style::Bracket,
            [Separator::Char(byte), rest @ ..] if rest.iter().all(|other| *other == Separator::Char(*byte)) => {
                Style::Uniform(*byte)
            }
            _ => Style::Mixed,
        };
        Some(Grouped {
            digits: self.digits.get(skipped..skipped + count)?,
            lengths,
            style,
            plus: self.plus && first == 0,
        })
    }

    /// Whether the groups `first..last` are a number of their own and not the middle of a longer one: only a space or a
    /// bracket may hold them to their neighbours, and not even a space if it is also what holds them together.
    pub fn stands_alone(&self, first: usize, last: usize, class: DataClass) -> bool {
        let spaced = last - first > 1 && self.separators.get(first) == Some(&Separator::Char(b' '));
        let free = |separator: Option<&Separator>| match separator {
            None | Some(Separator::Bracket) => true,
            Some(Separator::Char(b' ')) => !spaced || class == DataClass::PaymentCard,
            Some(_) => false,
        };
        let before = first.checked_sub(1).and_then(|index| self.separators.get(index));
        let after = (last < self.count).then(|| self.separators.get(last - 1)).flatten();
        free(before) && free(after)
    }

    /// Whether a dash, dot or slash ties the whole to a word before or behind it: `ord-4155550132`, `1.0.0-4155550132`.
    pub fn glued(&self, text: &[u8]) -> bool {
        let ties = |index: usize| matches!(text.get(index), Some(b'-' | b'.' | b'/' | b'_' | b'#' | b'%' | b'\\'));
        let start = self.starts.first().copied().unwrap_or(0);
        let end = self.ends.get(self.count.saturating_sub(1)).copied().unwrap_or(0);
        let before =
            start.checked_sub(1).is_some_and(|before| ties(before) && (before == 0 || kind_at(text, before - 1) != 0));
        before || ties(end) && kind_at(text, end + 1) != 0
    }

    /// Where the groups `first..last` are, with the plus or bracket before them.
    pub fn range(&self, first: usize, last: usize) -> Range<usize> {
        let start = self.starts.get(first).copied().unwrap_or(0);
        let end = self.ends.get(last.saturating_sub(1)).copied().unwrap_or(start);
        if first == 0 && self.plus { start - 1..end } else { start..end }
    }
}

/// What stands at `at` between two groups of digits, and where the next group begins.
fn separator_at(text: &[u8], at: usize) -> Option<(Separator, usize)> {
    let byte = *text.get(at)?;
    if matches!(byte, b' ' | b'-' | b'.' | b'/' | b':') && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
        return Some((Separator::Char(byte), at + 1));
    }
    let between =
        text.iter().skip(at).take(3).take_while(|byte| matches!(byte, b' ' | b'(' | b')' | b'-' | b'.')).count();
    let bracket = text.get(at..at + between)?.iter().any(|byte| matches!(byte, b'(' | b')'));
    (bracket && text.get(at + between).is_some_and(u8::is_ascii_digit)).then_some((Separator::Bracket, at + between))
}
