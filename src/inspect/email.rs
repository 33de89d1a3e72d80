//! E-mail addresses in text (RFC 5321 §4.1.2, of it what mail systems really hand out).

use std::ops::Range;

/// Longest local part and domain, in bytes (RFC 5321 §4.5.3.1).
const LOCAL_BYTES: usize = 64;
const DOMAIN_BYTES: usize = 253;

/// The next address in `text` at or behind `from`. Every `@` is looked at once, and each look is bounded.
pub(super) fn next(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    memchr::memchr_iter(b'@', rest).find_map(|at| address(text, from, from + at))
}

fn address(text: &[u8], from: usize, at: usize) -> Option<Range<usize>> {
    let before = text.get(from..at)?;
    let local = before.iter().rev().take(LOCAL_BYTES + 1).take_while(|&&byte| is_local(byte)).count();
    let local_bytes = before.get(before.len() - local..)?; // local <= before.len(): it counts its bytes
    let skipped = local_bytes.iter().take_while(|&&byte| matches!(byte, b'.' | b'-' | b'\'')).count();
    let local_bytes = local_bytes.get(skipped..)?;
    if local_bytes.is_empty() || local > LOCAL_BYTES || local_bytes.last() == Some(&b'.') {
        return None;
    }
    let after = text.get(at + 1..)?;
    let domain = after.iter().take(DOMAIN_BYTES).take_while(|&&byte| is_domain(byte)).count();
    let domain = domain_length(after.get(..domain)?)?;
    Some(at - local_bytes.len()..at + 1 + domain)
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || byte >= 0x80
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

/// The length of the domain without the full stop of the sentence; nothing if it is no domain name.
fn domain_length(domain: &[u8]) -> Option<usize> {
    let trimmed = domain.iter().rposition(|byte| byte.is_ascii_alphanumeric()).map_or(0, |last| last + 1);
    let domain = domain.get(..trimmed)?;
    let dot = domain.iter().rposition(|&byte| byte == b'.')?;
    let top = domain.get(dot + 1..)?;
    let alphabetic = top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic) || top.starts_with(b"xn--");
    let labels = domain.split(|&byte| byte == b'.').all(|label| !label.is_empty() && label.first() != Some(&b'-'));
    // `logo@2x.png` is a file.
    let file = [&b"png"[..], b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"css", b"js", b"html"]
        .iter()
        .any(|ending| top.eq_ignore_ascii_case(ending));
    (alphabetic && labels && !file && dot > 0).then_some(domain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<&str> {
        next(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn addresses_are_cut_out_of_text() {
        assert_eq!(first("write to <jane.doe+x@mail.example.com>."), Some("jane.doe+x@mail.example.com"));
        assert_eq!(first("a@b and c@d.org."), Some("c@d.org"));
        assert_eq!(first("user@xn--80ak6aa92e.com"), Some("user@xn--80ak6aa92e.com"));
    }

    #[test]
    fn things_with_an_at_sign_are_not_all_addresses() {
        for text in [
            "@scope/package",
            "react@18.2.0",
            "logo@2x.png",
            "info@presidio.",
            "a@@b.com@",
            "x@-a.com",
            "root@10.0.0.1",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
