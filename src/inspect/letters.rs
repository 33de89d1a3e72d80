//! Identifiers of letters and digits (`AA 12 34 56 B`, `X9613851N`, `4EF6GH8JK12`, `GB82 WEST …`): which class, if any.
//!
//! A shape counts by itself only where chance hardly makes it (a fixed pattern of many places, or a check letter and
//! the right case); else the field name must promise it.

use super::checks::{date, iban, iban_length, number};
use super::class::DataClass;
use super::field::Hint;

/// Longest identifier looked at, in bytes: the longest IBAN has 33.
pub(super) const MAX_TOKEN: usize = 34;
/// Shortest: an Indian passport number has 8.
pub(super) const MIN_TOKEN: usize = 8;

/// Whether a token follows a pattern: `L` a letter, `D` a digit, `A` either, anything else itself.
fn like(token: &[u8], pattern: &[u8]) -> bool {
    token.len() == pattern.len()
        && token.iter().zip(pattern).all(|(&byte, &place)| match place {
            b'L' => byte.is_ascii_uppercase(),
            b'D' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphanumeric(),
            _ => byte == place,
        })
}

/// The decimal digits of a token as numbers, up to 16.
fn digits_of(token: &[u8]) -> ([u8; 16], usize) {
    let mut digits = [0u8; 16];
    let mut count = 0;
    for (slot, byte) in digits.iter_mut().zip(token.iter().filter(|byte| byte.is_ascii_digit())) {
        *slot = byte - b'0';
        count += 1;
    }
    (digits, count)
}

fn at(token: &[u8], index: usize) -> u8 {
    token.get(index).copied().unwrap_or(0)
}

/// The class of a token. `token` is in upper case without separators; `upper` says that it was in upper case on the
/// wire, `spaced` that it had separators.
pub(super) fn class_of(token: &[u8], hint: Hint, upper: bool, spaced: bool) -> Option<DataClass> {
    if token.len() < MIN_TOKEN || token.len() > MAX_TOKEN {
        return None;
    }
    if token.len() >= 15
        && token.first_chunk::<2>().is_some_and(|country| iban_length(country).is_some())
        && iban(token)
    {
        return Some(DataClass::Iban);
    }
    if hint.any(Hint::PASSPORT) && !spaced && passport(token) {
        return Some(DataClass::Passport);
    }
    if hint.any(Hint::HEALTH) && (us_dea(token) || de_health_insurance(token)) {
        return Some(DataClass::HealthId);
    }
    if hint.any(Hint::NATIONAL) && national_promised(token) {
        return Some(DataClass::NationalId);
    }
    let promised = hint.any(Hint::HEALTH.with(Hint::MEDICARE));
    if us_mbi(token) && (promised || upper && token.iter().filter(|byte| byte.is_ascii_uppercase()).count() >= 4) {
        return Some(DataClass::HealthId);
    }
    let distinct = upper && (it_fiscal_code(token) || fi_hetu(token) || es_nie(token) || uk_driving_licence(token))
        || spaced && upper && uk_nino(token)
        || upper && de_social_security(token);
    distinct.then_some(DataClass::NationalId)
}

/// Numbers that need the field's promise.
fn national_promised(token: &[u8]) -> bool {
    es_nie(token)
        || es_nif(token)
        || it_fiscal_code(token)
        || fi_hetu(token)
        || uk_nino(token)
        || uk_driving_licence(token)
        || sg_nric(token)
        || in_pan(token)
        || de_social_security(token)
        || mx_curp(token)
}

/// Passport numbers as issued: US/DE/KR letter and eight, UK/IT two letters and seven, ES three and six, IN one and
/// seven, CA two and six, and the German and Korean mixtures.
fn passport(token: &[u8]) -> bool {
    like(token, b"LDDDDDDDD")
        || like(token, b"LLDDDDDDD")
        || like(token, b"LLLDDDDDD")
        || like(token, b"LLDDDDDD")
        || like(token, b"LDDDDDDD") && at(token, 1) != b'0'
        || like(token, b"LDDDLDDDD")
        || de_passport(token)
}

/// German passports and identity cards (ICAO 9303 check digit, weights 7 3 1; the letters that cannot be misread).
fn de_passport(token: &[u8]) -> bool {
    let serial = token.iter().take(8).all(|byte| b"0123456789CFGHJKLMNPRTVWXYZ".contains(byte));
    if !serial || !like(token, b"LAAAAAAAD") {
        return false;
    }
    let value = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 }; // of `serial` only
    let sum: u32 = token
        .iter()
        .take(8)
        .zip([7u32, 3, 1, 7, 3, 1, 7, 3])
        .map(|(&byte, weight)| u32::from(value(byte)) * weight)
        .sum();
    sum % 10 == u32::from(at(token, 8).wrapping_sub(b'0'))
}

const ES_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn es_letter(value: u32) -> u8 {
    ES_LETTERS[(value % 23) as usize] // 23 letters
}

fn es_nif(token: &[u8]) -> bool {
    let (digits, _) = digits_of(token);
    like(token, b"DDDDDDDDL") && es_letter(number(&digits, 0, 8)) == at(token, 8)
}

fn es_nie(token: &[u8]) -> bool {
    let (digits, _) = digits_of(token);
    let prefix = match at(token, 0) {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        _ => return false,
    };
    like(token, b"LDDDDDDDL") && es_letter(prefix * 10_000_000 + number(&digits, 0, 7)) == at(token, 8)
}

/// Six consonants and vowels, year, month letter, day (plus 40 for women), place, check letter. The pattern has so many
/// fixed places that the check letter is not asked for: half the examples in the wild are made up.
fn it_fiscal_code(token: &[u8]) -> bool {
    let day = number(&digits_of(token).0, 2, 2);
    like(token, b"LLLLLLDDLDDLDDDL") && b"ABCDEHLMPRST".contains(&at(token, 8)) && (1..=71).contains(&day)
}

/// Finnish personal identity code: date, sign of the century, serial, check character modulo 31.
fn fi_hetu(token: &[u8]) -> bool {
    const CHECK: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (digits, _) = digits_of(token);
    let sign = at(token, 6);
    let shape = token.len() == 11
        && token.iter().take(6).chain(token.iter().skip(7).take(3)).all(u8::is_ascii_digit)
        && (matches!(sign, b'-' | b'+') || b"ABCDEFUVWXY".contains(&sign));
    let serial = number(&digits, 6, 3);
    shape
        && serial >= 2
        && date(number(&digits, 4, 2), number(&digits, 2, 2), number(&digits, 0, 2))
        && CHECK[(number(&digits, 0, 9) % 31) as usize] == at(token, 10) // 31 characters
}

/// National insurance number: the prefixes never given out are excluded.
fn uk_nino(token: &[u8]) -> bool {
    let (first, second) = (at(token, 0), at(token, 1));
    like(token, b"LLDDDDDDL")
        && !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && !matches!(&[first, second], b"BG" | b"GB" | b"NK" | b"KN" | b"TN" | b"NT" | b"ZZ")
        && matches!(at(token, 8), b'A'..=b'D')
}

/// Five letters of surname (padded with 9), decade, month (+50 for women), day, year, initials, two check characters.
fn uk_driving_licence(token: &[u8]) -> bool {
    let name = token.iter().take(5);
    let letters = name.clone().take_while(|byte| byte.is_ascii_uppercase()).count();
    let padded = letters >= 1 && name.skip(letters).all(|&byte| byte == b'9');
    let born = token.get(5..11).unwrap_or_default();
    let month = number(&digits_of(born).0, 1, 2);
    padded
        && like(token, b"AAAAADDDDDDAAAAA")
        && matches!(month, 1..=12 | 51..=62)
        && (1..=31).contains(&number(&digits_of(born).0, 3, 2))
        && at(token, 11).is_ascii_uppercase()
}

/// Singapore NRIC and FIN: S and T for citizens, F, G and M for foreigners; a check letter by series.
fn sg_nric(token: &[u8]) -> bool {
    if !like(token, b"LDDDDDDDL") {
        return false;
    }
    let (digits, _) = digits_of(token);
    let sum = digits
        .iter()
        .zip([2usize, 7, 6, 5, 4, 3, 2])
        .map(|(&digit, weight)| usize::from(digit) * weight)
        .sum::<usize>();
    let (offset, table): (usize, &[u8; 11]) = match at(token, 0) {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return false,
    };
    let place = (sum + offset) % 11;
    let place = if at(token, 0) == b'M' { 10 - place } else { place };
    table[place] == at(token, 8) // place is 0 to 10
}

/// Indian permanent account number: the fourth letter is the kind of holder.
fn in_pan(token: &[u8]) -> bool {
    like(token, b"LLLLLDDDDL") && b"ABCFGHJLPTK".contains(&at(token, 3))
}

/// German pension insurance number: area, birth date, initial, serial, check digit (VKVV §2).
fn de_social_security(token: &[u8]) -> bool {
    if !like(token, b"DDDDDDDDLDDD") {
        return false;
    }
    let letter = u32::from(at(token, 8) - b'A') + 1; // an upper-case letter by the pattern above
    let expanded: Vec12 = expand(token, letter);
    let sum: u32 = expanded
        .iter()
        .zip([2u32, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(&digit, weight)| {
            let product = u32::from(digit) * weight;
            product / 10 + product % 10
        })
        .sum();
    let (digits, _) = digits_of(token);
    let day = number(&digits, 2, 2);
    let day = if day > 50 { day - 50 } else { day };
    sum % 10 == u32::from(at(token, 11) - b'0') && (1..=31).contains(&day) && (1..=12).contains(&number(&digits, 4, 2))
}

type Vec12 = [u8; 12];

/// The eleven places before the check digit with the letter written as two digits.
fn expand(token: &[u8], letter: u32) -> Vec12 {
    let mut expanded = [0u8; 12];
    let head = token.iter().take(8).map(|byte| byte.wrapping_sub(b'0'));
    let tail = token.iter().skip(9).take(2).map(|byte| byte.wrapping_sub(b'0'));
    let places = head.chain([(letter / 10) as u8, (letter % 10) as u8]).chain(tail);
    for (slot, digit) in expanded.iter_mut().zip(places) {
        *slot = digit;
    }
    expanded
}

fn mx_curp(token: &[u8]) -> bool {
    like(token, b"LLLLDDDDDDLLLLLLAD") && matches!(at(token, 10), b'H' | b'M' | b'X')
}

/// Medicare beneficiary identifier (CMS): no S, L, O, I, B, Z; the pattern C A AN N A AN N A A N N.
fn us_mbi(token: &[u8]) -> bool {
    let letter = |index: usize| b"ACDEFGHJKMNPQRTUVWXY".contains(&at(token, index));
    let digit = |index: usize| at(token, index).is_ascii_digit();
    token.len() == 11
        && matches!(at(token, 0), b'1'..=b'9')
        && letter(1)
        && (letter(2) || digit(2))
        && digit(3)
        && letter(4)
        && (letter(5) || digit(5))
        && digit(6)
        && letter(7)
        && letter(8)
        && digit(9)
        && digit(10)
}

/// DEA registration: type letter, initial, six digits, check digit.
fn us_dea(token: &[u8]) -> bool {
    let (d, count) = digits_of(token);
    let (odd, even) = (d[0] + d[2] + d[4], d[1] + d[3] + d[5]); // 16 places
    (like(token, b"LLDDDDDDD") || like(token, b"L9DDDDDDD") && count == 8)
        && b"ABCDEFGHJKLMPRSTUX".contains(&at(token, 0))
        && (odd + 2 * even) % 10 == d[6]
}

/// Krankenversichertennummer: a letter, eight digits, check digit (weights 1 2, cross sums).
fn de_health_insurance(token: &[u8]) -> bool {
    if !like(token, b"LDDDDDDDDD") {
        return false;
    }
    let letter = at(token, 0) - b'A' + 1; // an upper-case letter by the pattern above
    let (digits, _) = digits_of(token);
    let places = [letter / 10, letter % 10].into_iter().chain(digits.into_iter().take(8));
    let sum: u32 = places
        .zip([1u32, 2, 1, 2, 1, 2, 1, 2, 1, 2])
        .map(|(digit, weight)| u32::from(digit) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == u32::from(digits[8]) // 16 places
}
