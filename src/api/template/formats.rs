//! Values and names whose format is fixed: versions, UUIDs, dates, e-mail addresses.

use std::ops::Range;

/// `v1`, `v2.1`, `v1beta2`, and numbers such as `1.1` or `2.0.3`.
pub(super) fn is_version(value: &[u8]) -> bool {
    let numbers = match value {
        [b'v' | b'V', rest @ ..] => rest,
        _ => {
            let mut groups = 0;
            return value.split(|b| *b == b'.').all(|group| {
                groups += 1;
                groups <= 3 && (1..=2).contains(&group.len()) && group.iter().all(u8::is_ascii_digit)
            }) && groups > 1;
        }
    };
    let digits = numbers.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) {
        return false;
    }
    let mut rest = numbers.get(digits..).unwrap_or_default();
    for stage in [&b"alpha"[..], b"beta", b"rc", b"p", b"preview"] {
        rest = rest.strip_prefix(stage).unwrap_or(rest);
    }
    rest.len() <= 8 && rest.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
}

/// RFC 9562 §4, also within braces or behind `urn:uuid:`.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    let value = match value {
        [b'{', inner @ .., b'}'] => inner,
        _ => value.strip_prefix(b"urn:uuid:").unwrap_or(value),
    };
    is_bare_uuid(value)
}

/// RFC 9562 §4: 32 hexadecimal digits in five groups, and nothing else.
pub fn is_bare_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A date (ISO 8601: day, month, week, quarter; or day first), a time of day behind it allowed.
pub(super) fn is_date(value: &[u8]) -> bool {
    let number = |range: Range<usize>| -> Option<u32> {
        let digits = value.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    };
    let separator = |at: usize| value.get(at).is_some_and(|b| matches!(b, b'-' | b'_' | b'.' | b':'));
    let is_day = |range| number(range).is_some_and(|day| (1..=31).contains(&day));
    let is_month = |range| number(range).is_some_and(|month| (1..=12).contains(&month));
    let is_year = |range| number(range).is_some_and(|year| (1900..2200).contains(&year));
    let is_time = |rest: &[u8]| match rest {
        [] => true,
        [b'T' | b't' | b' ' | b'_', time @ ..] => {
            time.first().is_some_and(u8::is_ascii_digit)
                && time.iter().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-' | b'Z' | b'z'))
        }
        _ => false,
    };
    if is_year(0..4) && separator(4) {
        let is_week_or_quarter = match value.get(5..).unwrap_or_default() {
            [b'W' | b'w', week @ ..] => week.len() == 2 && week.iter().all(u8::is_ascii_digit),
            [b'Q' | b'q', quarter] => (b'1'..=b'4').contains(quarter),
            _ => false,
        };
        let is_full = is_month(5..7) && separator(7) && is_day(8..10) && is_time(value.get(10..).unwrap_or_default());
        return is_week_or_quarter || is_full || (value.len() == 7 && is_month(5..7));
    }
    value.len() == 10
        && separator(2)
        && separator(5)
        && is_day(0..2)
        && (is_month(3..5) || is_day(3..5))
        && is_year(6..10)
}

/// Enough of RFC 5321 to tell an address from `@scope` and `a@b`.
pub(super) fn is_email(value: &[u8]) -> bool {
    let Some(at) = value.iter().rposition(|b| *b == b'@').filter(|at| *at > 0) else { return false };
    let domain = value.get(at + 1..).unwrap_or_default();
    let is_domain = domain.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    // The last label of a domain is never a number (RFC 3696 §2), and it is not empty.
    is_domain
        && domain.iter().rposition(|b| *b == b'.').is_some_and(|dot| {
            dot > 0
                && domain.get(dot + 1..).is_some_and(|top| top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic))
        })
}
