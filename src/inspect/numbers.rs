//! Digits in groups (`4111 1111 1111 1111`, `(415) 555-0132`, `078-05-1120`): which class they are, if any.
//!
//! What stands alone (a check digit and an unmistakable grouping) counts anywhere; the rest only where the field
//! name promises it. A bare run of digits without a promise is a card number or nothing.

use super::checks::{
    all_same, card_issuer, date, luhn, mod_11_10, number, split_check, verhoeff, weighted, weighted_sum,
};
use super::class::DataClass;
use super::field::Hint;

/// Most digits of one number, and most groups: a 19-digit card, and a phone number dialled in pairs.
pub(super) const MAX_DIGITS: usize = 20;
pub(super) const MAX_GROUPS: usize = 10;
/// Fewest digits of anything that counts.
pub(super) const MIN_DIGITS: usize = 6;

/// What stands between two groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Separator {
    /// One of space, dash, dot, slash, colon.
    Char(u8),
    /// `) `, ` (`, `)-` …: what only phone numbers have.
    Bracket,
}

/// How the groups of one number are held apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Bare,
    Uniform(u8),
    Bracket,
    Mixed,
}

/// A number in groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouped<'a> {
    pub digits: &'a [u8],
    pub lengths: &'a [u8],
    pub style: Style,
    /// A `+` stands before it.
    pub plus: bool,
}

impl Grouped<'_> {
    fn grouped(&self, lengths: &[u8], separators: &[u8]) -> bool {
        self.lengths == lengths && matches!(self.style, Style::Uniform(byte) if separators.contains(&byte))
    }

    fn bare(&self) -> bool {
        self.style == Style::Bare
    }

    /// Written in a way a person would: bare, or with one kind of separator.
    fn tidy(&self) -> bool {
        matches!(self.style, Style::Bare | Style::Uniform(b' ' | b'-'))
    }
}

/// The class of a number, given what the field name promises.
pub(super) fn class_of(number: &Grouped<'_>, hint: Hint) -> Option<DataClass> {
    let digits = number.digits;
    if digits.len() < MIN_DIGITS || digits.len() > MAX_DIGITS {
        return None;
    }
    if number.plus {
        return international_phone(number).then_some(DataClass::Phone);
    }
    if hint.any(Hint::BIRTH) && birth_digits(number) {
        return Some(DataClass::DateOfBirth);
    }
    if all_same(digits) {
        return None;
    }
    if payment_card(number, hint) {
        return Some(DataClass::PaymentCard);
    }
    if hint.any(Hint::PERSONAL)
        && let Some(class) = promised(number, hint)
    {
        return Some(class);
    }
    by_shape(number)
}

/// Luhn, an issuer's range and the groups printed on cards.
fn payment_card(card: &Grouped<'_>, hint: Hint) -> bool {
    let promised = hint.any(Hint::CARD);
    let groups = match card.style {
        Style::Bare => true,
        Style::Uniform(b' ' | b'-') => {
            promised || matches!(card.lengths, [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 3])
        }
        _ => false,
    };
    groups && card_issuer(card.digits, promised) && luhn(card.digits)
}

/// Classes that need the field's promise.
fn promised(number: &Grouped<'_>, hint: Hint) -> Option<DataClass> {
    let digits = number.digits;
    let tidy = number.tidy();
    if hint.any(Hint::SSN) && us_ssn_promised(number) {
        return Some(DataClass::UsSsn);
    }
    if hint.any(Hint::MEDICARE) && tidy && au_medicare(digits) {
        return Some(DataClass::AuMedicare);
    }
    if hint.any(Hint::TFN) && tidy && au_tfn(digits) {
        return Some(DataClass::AuTfn);
    }
    if hint.any(Hint::HEALTH) && tidy && (uk_nhs(digits) || us_npi(digits)) {
        return Some(DataClass::HealthId);
    }
    if hint.any(Hint::PASSPORT) && number.bare() && digits.len() == 9 && digits.first() != Some(&9) {
        return Some(DataClass::Passport);
    }
    if hint.any(Hint::NATIONAL) && national(number, hint) {
        return Some(DataClass::NationalId);
    }
    if hint.any(Hint::PHONE) && phone_promised(number) {
        return Some(DataClass::Phone);
    }
    None
}

/// Classes that their shape and check digit give away.
fn by_shape(number: &Grouped<'_>) -> Option<DataClass> {
    let digits = number.digits;
    if number.grouped(&[3, 2, 4], b"-") {
        if us_ssn(digits) {
            return Some(DataClass::UsSsn);
        }
        if us_itin(digits) {
            return Some(DataClass::NationalId);
        }
    }
    if (number.grouped(&[4, 5, 1], b" -") || number.grouped(&[4, 5, 1, 1], b" -")) && au_medicare(digits) {
        return Some(DataClass::AuMedicare);
    }
    if number.grouped(&[3, 3, 3], b" ") && au_tfn(digits) {
        return Some(DataClass::AuTfn);
    }
    if number.grouped(&[4, 4, 4], b" -") && in_aadhaar(digits)
        || number.grouped(&[6, 7], b"-") && kr_rrn(digits)
        || number.grouped(&[6, 4], b"-") && se_personnummer(digits)
        || number.grouped(&[8, 4], b"-") && se_personnummer(digits)
    {
        return Some(DataClass::NationalId);
    }
    national_phone(number).then_some(DataClass::Phone)
}

// --- phones ---

/// `+` and 8 to 15 digits that begin with a country code in use (ITU-T E.164).
fn international_phone(number: &Grouped<'_>) -> bool {
    let digits = number.digits;
    let (first, second) = (digits.first().copied().unwrap_or(0), digits.get(1).copied().unwrap_or(0));
    let country = match first {
        1 => digits.len() == 11 && second >= 2,
        2 => !matches!(second, 8),
        3 | 4 | 5 | 6 | 7 | 9 => true,
        8 => second != 3 && second != 9,
        _ => false,
    };
    country
        && (8..=15).contains(&digits.len())
        && !matches!(number.style, Style::Uniform(b':' | b'/'))
        && !all_same(digits)
}

/// National shapes that only phone numbers have: the North American `(415) 555-0132` and `415-555-0132`, and a trunk
/// `0` with a code, in two or more groups.
fn national_phone(number: &Grouped<'_>) -> bool {
    let (digits, lengths) = (number.digits, number.lengths);
    let bracket = number.style == Style::Bracket;
    if lengths == [3, 3, 4] && north_american(digits) {
        return bracket || number.style == Style::Uniform(b'-') || number.style == Style::Uniform(b'.');
    }
    if lengths == [1, 3, 3, 4] && digits.first() == Some(&1) && north_american(digits.get(1..).unwrap_or_default()) {
        return bracket || number.style == Style::Uniform(b'-');
    }
    let trunk = digits.first() == Some(&0) && digits.get(1).is_some_and(|&digit| digit != 0);
    let open = bracket || matches!(number.style, Style::Uniform(b' ' | b'-'));
    let code = matches!(lengths.first(), Some(2..=5)) || bracket && lengths.first() == Some(&1);
    let rest = lengths.iter().skip(1).all(|&length| (2..=8).contains(&length));
    let subscriber = lengths.last().is_some_and(|&last| last >= 3) || lengths.len() >= 4;
    trunk && open && code && rest && subscriber && lengths.len() >= 2 && (9..=11).contains(&digits.len())
}

/// An area code and an exchange of the North American Numbering Plan: both begin with 2 to 9.
fn north_american(digits: &[u8]) -> bool {
    digits.len() == 10 && digits.first().is_some_and(|&d| d >= 2) && digits.get(3).is_some_and(|&d| d >= 2)
}

/// In a phone field any 7 to 15 digits will do, unless they are written like a date, a time or a price.
fn phone_promised(number: &Grouped<'_>) -> bool {
    let written = match number.style {
        Style::Bare | Style::Bracket => true,
        Style::Uniform(byte) => {
            matches!(byte, b' ' | b'-' | b'.') && number.lengths != [4, 2, 2] && number.lengths.len() > 1
        }
        Style::Mixed => number.lengths.first().is_some_and(|&length| length <= 4),
    };
    written && (7..=15).contains(&number.digits.len())
}

// --- United States ---

/// Area, group and serial as the Social Security Administration assigns them; the number once printed on wallets is void.
fn us_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (number(digits, 0, 3), number(digits, 3, 2), number(digits, 5, 4));
    digits.len() == 9
        && area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !(area == 78 && group == 5 && serial == 1120)
        && !(area == 219 && group == 9 && serial == 9999)
}

fn us_ssn_promised(number: &Grouped<'_>) -> bool {
    let groups = matches!(number.lengths, [9] | [3, 2, 4] | [3, 6] | [5, 4]);
    let style = !matches!(number.style, Style::Bracket | Style::Mixed | Style::Uniform(b':' | b'/'));
    groups && style && us_ssn(number.digits)
}

/// Individual taxpayer identification number: 9xx-50..65, 70..88, 90..92, 94..99 (IRS Pub. 4757).
fn us_itin(digits: &[u8]) -> bool {
    let group = number(digits, 3, 2);
    digits.len() == 9 && digits.first() == Some(&9) && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// National Provider Identifier: Luhn over 80840 and the number (45 CFR 162.406).
fn us_npi(digits: &[u8]) -> bool {
    let mut prefixed = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if digits.len() != 10 || !matches!(digits.first(), Some(1 | 2)) {
        return false;
    }
    prefixed[5..].copy_from_slice(digits); // 15 - 5 = 10 digits, tested above
    luhn(&prefixed)
}

// --- Australia ---

/// Medicare card: first digit 2 to 6, weights 1 3 7 9 1 3 7 9 over the first eight, check digit ninth, then the issue
/// and perhaps the person's reference.
fn au_medicare(digits: &[u8]) -> bool {
    let check = digits.get(8).copied().map_or(10, u32::from);
    matches!(digits.len(), 10 | 11)
        && matches!(digits.first(), Some(2..=6))
        && weighted_sum(digits.get(..8).unwrap_or_default(), &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == check
        && digits.get(9).is_some_and(|&issue| issue != 0)
}

/// Tax file number: weights 1 4 3 7 5 8 6 9 10, modulo 11.
fn au_tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10], 11) || weighted(digits, &[10, 7, 8, 4, 6, 3, 5, 1], 11)
}

// --- identity numbers of other countries: all with check digits ---

/// The scheme of the country that the name gives; of every country where it gives none.
fn national(number: &Grouped<'_>, hint: Hint) -> bool {
    let digits = number.digits;
    let of = |country: Hint| hint.any(country) || !hint.any(Hint::COUNTRY);
    let tidy = number.tidy();
    match digits.len() {
        9 => tidy && of(Hint::CA) && ca_sin(digits) || !hint.any(Hint::COUNTRY) && us_itin_promised(number),
        10 => tidy && of(Hint::SE) && se_personnummer(digits),
        11 => {
            tidy && of(Hint::PL) && pl_pesel(digits)
                || tidy && of(Hint::TR) && tr_id(digits)
                || tidy && of(Hint::DE) && de_tax_id(digits)
                || (tidy || number.lengths == [3, 3, 3, 2]) && of(Hint::BR) && br_cpf(digits)
        }
        12 => {
            (tidy || number.style == Style::Uniform(b':')) && of(Hint::IN) && in_aadhaar(digits)
                || tidy && of(Hint::SE) && se_personnummer(digits)
        }
        13 => {
            tidy && of(Hint::ZA) && za_id(digits)
                || tidy && of(Hint::KR) && kr_rrn(digits)
                || tidy && of(Hint::TH) && th_id(digits)
        }
        _ => false,
    }
}

fn us_itin_promised(number: &Grouped<'_>) -> bool {
    let groups = matches!(number.lengths, [9] | [3, 2, 4] | [3, 6] | [5, 4]);
    groups && matches!(number.style, Style::Bare | Style::Uniform(b' ' | b'-')) && us_itin(number.digits)
}

fn ca_sin(digits: &[u8]) -> bool {
    !matches!(digits.first(), Some(0 | 8)) && luhn(digits)
}

/// Six digits of birth date, three of serial, Luhn over the last ten; with or without century. A coordination number
/// adds 60 to the day.
fn se_personnummer(digits: &[u8]) -> bool {
    let short = digits.len().checked_sub(10).and_then(|start| digits.get(start..)).unwrap_or_default();
    let century = digits.len() == 10 || digits.len() == 12 && matches!(number(digits, 0, 2), 18..=20);
    let day = number(short, 4, 2);
    let day = if day > 60 { day - 60 } else { day };
    let year = if digits.len() == 12 { number(digits, 0, 4) } else { number(short, 0, 2) };
    century && date(year, number(short, 2, 2), day) && luhn(short)
}

/// Birth date with the century in the month (+80 for 18xx, +20 for 20xx, …), weights 1 3 7 9.
fn pl_pesel(digits: &[u8]) -> bool {
    let month = number(digits, 2, 2);
    date(number(digits, 0, 2), month % 20, number(digits, 4, 2))
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10)
}

fn tr_id(digits: &[u8]) -> bool {
    let at = |index: usize| digits.get(index).copied().map_or(0, i32::from);
    let (odd, even) = (at(0) + at(2) + at(4) + at(6) + at(8), at(1) + at(3) + at(5) + at(7));
    at(0) != 0 && (odd * 7 - even).rem_euclid(10) == at(9) && (odd + even + at(9)) % 10 == at(10)
}

/// Steuerliche Identifikationsnummer: no leading zero, no digit more than three times in the first ten, ISO 7064
/// MOD 11,10.
fn de_tax_id(digits: &[u8]) -> bool {
    let most = (0..10).map(|digit| digits.iter().take(10).filter(|&&other| other == digit).count()).max();
    digits.len() == 11 && digits.first() != Some(&0) && most <= Some(3) && mod_11_10(digits)
}

fn br_cpf(digits: &[u8]) -> bool {
    let check = |count: usize| {
        let weights = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
        let sum = weighted_sum(digits.get(..count).unwrap_or_default(), weights.get(10 - count..).unwrap_or_default());
        sum * 10 % 11 % 10 == digits.get(count).copied().map_or(10, u32::from)
    };
    digits.len() == 11 && check(9) && check(10)
}

fn in_aadhaar(digits: &[u8]) -> bool {
    digits.len() == 12 && digits.first().is_some_and(|&digit| digit >= 2) && verhoeff(digits)
}

/// Resident registration number: birth date, a digit for century and sex, and a region code (00 to 95). The check digit
/// was dropped in 2020 for citizens (1 to 4); of foreigners (5 to 8) it is asked.
fn kr_rrn(digits: &[u8]) -> bool {
    let (head, check) = split_check(digits);
    let sum = weighted_sum(head, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
    let sex = digits.get(6).copied().unwrap_or(0);
    digits.len() == 13
        && date(number(digits, 0, 2), number(digits, 2, 2), number(digits, 4, 2))
        && ((1..=4).contains(&sex) || (5..=8).contains(&sex) && (13 - sum) % 10 == check)
        && number(digits, 7, 2) <= 95
}

fn za_id(digits: &[u8]) -> bool {
    date(number(digits, 0, 2), number(digits, 2, 2), number(digits, 4, 2))
        && digits.get(10).is_some_and(|&status| status <= 2)
        && luhn(digits)
}

/// Thai national id: no leading zero, weights 13 to 2, modulo 11.
fn th_id(digits: &[u8]) -> bool {
    let (head, check) = split_check(digits);
    let sum = weighted_sum(head, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    digits.first().is_some_and(|&digit| (1..=8).contains(&digit)) && (11 - sum % 11) % 10 == check
}

fn uk_nhs(digits: &[u8]) -> bool {
    weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11)
}

// --- dates of birth ---

/// A date of birth: eight digits, year first or last, or three groups with any usual separator.
fn birth_digits(number_: &Grouped<'_>) -> bool {
    let digits = number_.digits;
    let plausible = |year: u32, month: u32, day: u32| (1900..=2035).contains(&year) && date(year, month, day);
    let either = |year: u32, a: u32, b: u32| plausible(year, a, b) || plausible(year, b, a);
    match (number_.style, number_.lengths) {
        (Style::Bare, [8]) => {
            plausible(number(digits, 0, 4), number(digits, 4, 2), number(digits, 6, 2))
                || either(number(digits, 4, 4), number(digits, 0, 2), number(digits, 2, 2))
        }
        (Style::Uniform(b'-' | b'/' | b'.' | b' '), &[4, month @ 1..=2, day @ 1..=2]) => {
            let (month, day) = (usize::from(month), usize::from(day));
            plausible(number(digits, 0, 4), number(digits, 4, month), number(digits, 4 + month, day))
        }
        (Style::Uniform(b'-' | b'/' | b'.' | b' '), &[first @ 1..=2, second @ 1..=2, 4]) => {
            let (first, second) = (usize::from(first), usize::from(second));
            either(number(digits, first + second, 4), number(digits, 0, first), number(digits, first, second))
        }
        _ => false,
    }
}

/// A date of birth at the head of a time stamp: `1980-01-31T00:00:00Z`.
pub(super) fn birth_date_with_time(text: &[u8]) -> bool {
    let Some(head) = text.first_chunk::<11>() else { return false };
    let mut digits = [0u8; 8];
    for (slot, index) in digits.iter_mut().zip([0usize, 1, 2, 3, 5, 6, 8, 9]) {
        let byte = head[index]; // the indices above are below 11
        if !byte.is_ascii_digit() {
            return false;
        }
        *slot = byte - b'0';
    }
    head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b't')
        && birth_digits(&Grouped { digits: &digits, lengths: &[4, 2, 2], style: Style::Uniform(b'-'), plus: false })
}
