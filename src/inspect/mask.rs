//! Samples of values that a person may see: enough to recognise the kind, never enough to use it.

use super::class::DataClass;

/// Longest masked sample, in bytes.
const SAMPLE_BYTES: usize = 64;
/// Digits of a number that stay readable.
const LAST_DIGITS: usize = 4;
/// Numbers need this many digits and letters hidden for each shown, else nothing of them is shown.
const HIDDEN_AT_LEAST: usize = 4;

/// A masked sample of a value: `j***@e***.com`, `****-****-****-4242`. Control characters and bytes beyond ASCII never
/// come through.
pub fn mask(class: DataClass, value: &[u8]) -> String {
    match class {
        DataClass::Email => email(value),
        DataClass::DateOfBirth => keep_last(value, 0),
        DataClass::Jwt => "eyJ***".to_owned(),
        DataClass::PrivateKey => "-----BEGIN *** PRIVATE KEY".to_owned(),
        DataClass::PasswordHash => crypt_scheme(value),
        DataClass::Password => "***".to_owned(),
        DataClass::ApiKey => issuer(value),
        _ => keep_last(value, LAST_DIGITS),
    }
}

fn email(value: &[u8]) -> String {
    let at = value.iter().position(|&byte| byte == b'@').unwrap_or(value.len());
    let (local, domain) = (value.get(..at).unwrap_or_default(), value.get(at + 1..).unwrap_or_default());
    let dot = domain.iter().rposition(|&byte| byte == b'.').unwrap_or(domain.len());
    let mut masked = String::with_capacity(24);
    push_first(&mut masked, local);
    masked.push_str("***@");
    push_first(&mut masked, domain);
    masked.push_str("***");
    masked.extend(domain.iter().skip(dot).take(12).filter(|byte| byte.is_ascii_graphic()).map(|&byte| byte as char));
    masked
}

fn push_first(masked: &mut String, value: &[u8]) {
    masked.extend(value.first().filter(|byte| byte.is_ascii_alphanumeric()).map(|&byte| byte as char));
}

/// Every letter and digit starred but the last few; separators stay.
fn keep_last(value: &[u8], keep: usize) -> String {
    let value = value.get(..value.len().min(SAMPLE_BYTES)).unwrap_or_default();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let keep = if letters >= keep + HIDDEN_AT_LEAST { keep } else { 0 };
    let mut left = letters;
    value
        .iter()
        .map(|&byte| {
            if byte.is_ascii_alphanumeric() {
                left -= 1; // counted above
                if left < keep { byte as char } else { '*' }
            } else if matches!(byte, b' ' | b'-' | b'.' | b'/' | b'+' | b'(' | b')' | b':') {
                byte as char
            } else {
                '*'
            }
        })
        .collect()
}

/// `$2b$***`: the scheme and nothing of salt or hash.
fn crypt_scheme(value: &[u8]) -> String {
    let scheme: String = match value.first() {
        Some(b'$') => {
            value.iter().skip(1).take(12).take_while(|byte| byte.is_ascii_alphanumeric()).map(|&b| b as char).collect()
        }
        _ => return "***".to_owned(),
    };
    format!("${scheme}$***")
}

/// The issuer's prefix of a key: at most 8 bytes up to its last separator, else at most 4, and only of keys long enough.
fn issuer(value: &[u8]) -> String {
    const KNOWN: [&[u8]; 8] = [b"AKIA", b"ASIA", b"AIza", b"EAAA", b"AC", b"SK", b"SG.", b"hvs."];
    let head = value.get(..value.len().min(8)).unwrap_or_default();
    let separator = head.iter().rposition(|byte| matches!(byte, b'_' | b'-' | b'.'));
    let shown = match separator {
        Some(place) if value.len() >= 24 => place + 1,
        _ => KNOWN.iter().find(|known| value.starts_with(known)).map_or(0, |known| known.len()),
    };
    let prefix = head.iter().take(shown).filter(|byte| byte.is_ascii_graphic()).map(|&byte| byte as char);
    prefix.chain("***".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_show_the_kind_and_not_the_value() {
        assert_eq!(mask(DataClass::Email, b"jane@example.com"), "j***@e***.com");
        assert_eq!(mask(DataClass::PaymentCard, b"4242-4242-4242-4242"), "****-****-****-4242");
        assert_eq!(mask(DataClass::PaymentCard, b"4242424242424242"), "************4242");
        assert_eq!(mask(DataClass::DateOfBirth, b"1980-01-31"), "****-**-**");
        assert_eq!(mask(DataClass::PasswordHash, b"$2b$12$abcdefghijklmnopqrstuv"), "$2b$***");
        assert_eq!(mask(DataClass::ApiKey, b"sk_live_4eC39HqLyjWDarjtT1zdp7dc"), "sk_live_***");
        assert_eq!(mask(DataClass::ApiKey, b"AKIAIOSFODNN7EXAMPLE"), "AKIA***");
        assert_eq!(mask(DataClass::Phone, b"1234567"), "*******");
    }

    #[test]
    fn no_sample_carries_a_control_character() {
        for class in DataClass::ALL {
            let masked = mask(class, b"\x1b[31m\n4242\xff42@\x00.\x07");
            assert!(masked.chars().all(|c| c.is_ascii() && !c.is_ascii_control()), "{class}: {masked:?}");
        }
    }
}
