//! Check digits and issuer ranges. Digits come in as numbers 0 to 9, letters as upper-case ASCII.

/// The Luhn formula (ISO/IEC 7812-1 annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let value = u32::from(digit);
            if place % 2 == 0 { value } else { value * 2 % 10 + value / 5 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the sum of digits times weights is a multiple of `modulus`.
pub(super) fn weighted(digits: &[u8], weights: &[u32], modulus: u32) -> bool {
    digits.len() == weights.len() && weighted_sum(digits, weights).is_multiple_of(modulus)
}

pub(super) fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, &weight)| u32::from(digit) * weight).sum()
}

/// All but the last digits; the last digit.
pub(super) fn split_check(digits: &[u8]) -> (&[u8], u32) {
    digits.split_last().map_or((digits, 10), |(&last, head)| (head, u32::from(last)))
}

/// Verhoeff's dihedral check (Verhoeff, "Error Detecting Decimal Codes", 1969); Aadhaar uses it.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const MULTIPLY: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const PERMUTE: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let mut check = 0usize;
    for (place, &digit) in digits.iter().rev().enumerate() {
        let permuted = usize::from(PERMUTE[place % 8][usize::from(digit % 10)]); // both indices are reduced
        check = usize::from(MULTIPLY[check][permuted]); // both come out of the tables: 0 to 9
    }
    check == 0
}

/// ISO 7064 MOD 11,10, as in the German tax number.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let (head, check) = split_check(digits);
    let product = head.iter().fold(10u32, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == check
}

/// An IBAN without its spaces: country, length of that country (ISO 13616 registry) and the remainder mod 97.
pub(super) fn iban(text: &[u8]) -> bool {
    let (Some(country), Some(check)) = (text.first_chunk::<2>(), text.get(2..4)) else { return false };
    if iban_length(country) != Some(text.len()) || !check.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let (head, body) = text.split_at(4); // the length was just found to be 15 or more
    body.iter().chain(head).try_fold(0u32, |rest, &byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    }) == Some(1)
}

pub(super) fn iban_length(country: &[u8; 2]) -> Option<usize> {
    Some(match country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}

/// Whether an issuer gives out card numbers of this beginning and length (ISO/IEC 7812 issuer identification
/// numbers as the networks publish them). `lenient` adds ranges that are rare and easily hit by chance: Maestro,
/// 13- and 19-digit Visa, 17- to 19-digit UnionPay; for fields that say they hold a card.
pub(super) fn card_issuer(digits: &[u8], lenient: bool) -> bool {
    let prefix = |count: usize| digits.iter().take(count).fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let (two, three, four) = (prefix(2), prefix(3), prefix(4));
    match digits.len() {
        14 => two == 36 || two == 38 || (300..=305).contains(&three) || three == 309,
        15 => two == 34 || two == 37,
        16 => {
            two / 10 == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || (644..=659).contains(&three)
                || (3528..=3589).contains(&four)
                || two == 62
                || two == 60 && matches!(prefix(3), 606 | 608)
                || (2200..=2204).contains(&four)
                || lenient && (two == 50 || (56..=69).contains(&two))
        }
        12 => lenient && (two == 50 || (56..=69).contains(&two)),
        13 => lenient && two / 10 == 4,
        17..=19 => lenient && (two == 50 || (56..=69).contains(&two) || two / 10 == 4 && digits.len() == 19),
        _ => false,
    }
}

/// A calendar date; `year` may be two digits (then it is only asked that some century has that day).
pub(super) fn date(year: u32, month: u32, day: u32) -> bool {
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400) || year == 0) => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The number that the first `count` digits write from `start`; digits beyond the end count as none.
pub(super) fn number(digits: &[u8], start: usize, count: usize) -> u32 {
    digits.iter().skip(start).take(count).fold(0, |value, &digit| value * 10 + u32::from(digit))
}

/// All digits the same: no issuer hands such a number out, and test data is full of them.
pub(super) fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
    }

    #[test]
    fn published_examples_pass_and_a_changed_digit_fails() {
        assert!(luhn(&digits("4111111111111111")) && !luhn(&digits("4111111111111112")));
        assert!(verhoeff(&digits("2363")) && !verhoeff(&digits("2364")));
        assert!(mod_11_10(&digits("86095742719")) && !mod_11_10(&digits("86095742718")));
        assert!(iban(b"GB82WEST12345698765432") && !iban(b"GB82WEST12345698765433"));
        assert!(iban(b"DE89370400440532013000") && iban(b"NO9386011117947"));
        assert!(!iban(b"GB82WEST1234569876543") && !iban(b"ZZ82WEST12345698765432") && !iban(b""));
    }

    #[test]
    fn issuers_go_by_range_and_length() {
        assert!(card_issuer(&digits("4111111111111111"), false));
        assert!(card_issuer(&digits("378282246310005"), false));
        assert!(card_issuer(&digits("2221000000000009"), false));
        assert!(!card_issuer(&digits("1700000000000"), true)); // a time in milliseconds
        assert!(!card_issuer(&digits("1234567812345670"), true));
        assert!(!card_issuer(&digits("4222222222222"), false) && card_issuer(&digits("4222222222222"), true));
    }

    #[test]
    fn dates_know_their_months_and_leap_years() {
        assert!(date(2000, 2, 29) && !date(1900, 2, 29) && date(4, 2, 29) && !date(2001, 2, 29));
        assert!(!date(2001, 13, 1) && !date(2001, 4, 31) && !date(2001, 1, 0));
    }
}
