//! A request target as it may be shown: secrets out, control characters escaped.
//!
//! What is a secret, by its name or by its looks, is the caller's to say. Looked at are query parameters, `;matrix` parameters
//! and segments of the path, parameters of a fragment, and parameters of a URL that is itself the value of a parameter
//! (`?next=https%3A%2F%2Fx%2F%3Ftoken%3D...`), two levels deep. Names and values are judged after decoding.

use super::{REDACTED, percent_decode};
use std::borrow::Cow;
use std::fmt::Write;

/// Levels of URLs within URLs that are searched for secrets.
const NESTED_LEVELS: u32 = 2;

/// Whether the value of a parameter is to be hidden, or what has no name: a segment of a path, a parameter without a value.
type IsSecret<'f> = &'f dyn Fn(Option<&[u8]>, &[u8]) -> bool;

/// `target` with the values of secret parameters, secret segments and any user information replaced by `REDACTED`, names kept,
/// control and bidirectional-override characters percent-encoded. Borrows where nothing has to change.
pub fn redact<'a>(target: &'a str, is_secret: impl Fn(Option<&[u8]>, &[u8]) -> bool) -> Cow<'a, str> {
    let redacted = redact_secrets(target, &is_secret);
    // Nearly every target is printable ASCII, which bytes show faster than characters.
    let is_plain = redacted.bytes().all(|b| b.is_ascii_graphic());
    if !is_plain && redacted.chars().any(needs_escape) { Cow::Owned(escape(&redacted)) } else { redacted }
}

fn redact_secrets<'a>(target: &'a str, is_secret: IsSecret<'_>) -> Cow<'a, str> {
    let mut out: Option<String> = None;
    let mut copied = 0;
    let mut replace = |from: usize, to: usize| {
        let out = out.get_or_insert_with(|| String::with_capacity(target.len()));
        // Both are positions of ASCII delimiters in `target` or its end, ascending: `get` always gives the slice.
        out.push_str(target.get(copied..from).unwrap_or_default());
        out.push_str(REDACTED);
        copied = to;
    };
    let mut position = 0;
    if let Some((from, to)) = user_information(target) {
        replace(from, to);
        position = to;
    }
    let path_end = target.find(['?', '#']).unwrap_or(target.len());
    // `p` is a page or a post, but beside a user (InfluxDB, Subsonic) his password.
    let names_user = || ["?u=", "&u="].iter().any(|user| target.contains(user));
    while let Some(start) = next_piece(target, position, path_end) {
        let piece = piece_at(target, start, start <= path_end);
        position = start + piece.len();
        match piece.split_once('=').filter(|(_, value)| !value.is_empty()) {
            Some((name, value))
                if is_hidden(Some(name), value, is_secret)
                    || (name == "p" && names_user())
                    || has_nested_secret(value, is_secret, NESTED_LEVELS) =>
            {
                replace(start + name.len() + 1, position);
            }
            None if is_hidden(None, piece, is_secret) => replace(start, position),
            _ => {}
        }
    }
    match out {
        Some(mut out) => {
            out.push_str(target.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
        None => Cow::Borrowed(target),
    }
}

/// Where the next parameter, or the next segment of the path, begins, from `position` on.
fn next_piece(target: &str, position: usize, path_end: usize) -> Option<usize> {
    let rest = target.as_bytes().get(position..)?.iter().zip(position..);
    let is_delimiter = |(byte, at): &(&u8, usize)| match byte {
        b'?' | b'&' | b';' | b'#' => true,
        b'/' => *at < path_end,
        _ => false,
    };
    rest.into_iter().find(is_delimiter).map(|(_, at)| at + 1)
}

/// The parameter or segment that starts at `start`, up to the next delimiter. A `?` ends none: queries may hold it bare. A `/`
/// ends one only in the path, that is before the first `?`.
fn piece_at(target: &str, start: usize, is_in_path: bool) -> &str {
    let rest = target.get(start..).unwrap_or_default();
    let is_end = |c: char| matches!(c, '&' | ';' | '#') || (is_in_path && matches!(c, '/' | '?'));
    rest.get(..rest.find(is_end).unwrap_or(rest.len())).unwrap_or_default()
}

/// Where the user information of an absolute or authority form lies.
fn user_information(target: &str) -> Option<(usize, usize)> {
    if target.starts_with('/') {
        return None;
    }
    let from = target.find("://").map_or(0, |at| at + 3);
    let authority = target.get(from..)?;
    let authority = authority.get(..authority.find(['/', '?', '#']).unwrap_or(authority.len()))?;
    let length = authority.rfind('@')?;
    (length > 0).then_some((from, from + length))
}

fn is_hidden(raw_name: Option<&str>, raw_value: &str, is_secret: IsSecret<'_>) -> bool {
    let (mut name, mut value) = (Vec::new(), Vec::new());
    let name = raw_name.map(|raw_name| percent_decode(raw_name.as_bytes(), true, &mut name));
    // A plus is a space in queries only.
    is_secret(name, percent_decode(raw_value.as_bytes(), raw_name.is_some(), &mut value))
}

/// Whether a value, decoded, reads as a URL or query with a secret parameter.
fn has_nested_secret(value: &str, is_secret: IsSecret<'_>, levels: u32) -> bool {
    if levels == 0 || !(value.contains('=') || value.contains("%3D") || value.contains("%3d") || value.contains("%25"))
    {
        return false;
    }
    let mut scratch = Vec::new();
    let decoded = String::from_utf8_lossy(percent_decode(value.as_bytes(), true, &mut scratch));
    if user_information(&decoded).is_some() && decoded.contains("://") {
        return true;
    }
    decoded.split(['?', '&', ';', '#']).any(|piece| {
        piece.split_once('=').is_some_and(|(name, value)| {
            !value.is_empty()
                && (is_hidden(Some(name), value, is_secret) || has_nested_secret(value, is_secret, levels - 1))
        }) || (piece.contains('%') && has_nested_secret(piece, is_secret, levels - 1))
    })
}

/// Control characters, and those that make a terminal show text in another order than it is.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(target: &str) -> Cow<'_, str> {
        redact(target, |name, value| matches!(name, Some(b"token" | b"api_key" | b"jsessionid")) || value == b"s3cret")
    }

    #[test]
    fn a_target_without_secrets_is_borrowed() {
        assert!(matches!(shown("/a/b?x=1&y=2"), Cow::Borrowed("/a/b?x=1&y=2")));
        assert!(matches!(shown("/tokens?token=&x"), Cow::Borrowed(_)));
    }

    #[test]
    fn values_of_secret_parameters_go_and_names_stay() {
        for (target, expected) in [
            ("/a?token=abc&x=1", "/a?token=REDACTED&x=1"),
            ("/a?x=1&token=abc=def?g", "/a?x=1&token=REDACTED"),
            ("/a?%74oken=abc", "/a?%74oken=REDACTED"),
            ("/a?x=1;token=abc;y=2", "/a?x=1;token=REDACTED;y=2"),
            ("/a?token=abc#api_key=k", "/a?token=REDACTED#api_key=REDACTED"),
            ("/a;jsessionid=77/b?x=1", "/a;jsessionid=REDACTED/b?x=1"),
            ("/a?token=a&token=b", "/a?token=REDACTED&token=REDACTED"),
            ("/a?token=a/b?c", "/a?token=REDACTED"),
            ("/a?x=caf\u{e9}&token=\u{e9}&z", "/a?x=caf\u{e9}&token=REDACTED&z"),
        ] {
            assert_eq!(shown(target), expected);
        }
    }

    #[test]
    fn what_looks_secret_goes_wherever_it_stands() {
        for (target, expected) in [
            ("/a?x=s3cret&y=2", "/a?x=REDACTED&y=2"),
            ("/a?x=s3%63ret", "/a?x=REDACTED"),
            ("/hooks/s3cret/run;v=1?x=1", "/hooks/REDACTED/run;v=1?x=1"),
            ("/hooks/s3cret", "/hooks/REDACTED"),
            ("http://shop.test/s3cret?y=s3cret", "http://shop.test/REDACTED?y=REDACTED"),
            ("/a?next=%2Fb%3Fx%3Ds3cret", "/a?next=REDACTED"),
            ("/a?path=/s3cret", "/a?path=/s3cret"),
            ("/a?s3cret&x=1", "/a?REDACTED&x=1"),
            ("/a?=s3cret", "/a?=REDACTED"),
            ("/reset/token=abc/x", "/reset/token=REDACTED/x"),
        ] {
            assert_eq!(shown(target), expected);
        }
    }

    #[test]
    fn a_password_of_one_letter_goes_beside_its_user() {
        assert_eq!(shown("/write?db=m&u=telegraf&p=metr1cs"), "/write?db=m&u=telegraf&p=REDACTED");
        assert_eq!(shown("/query?p=adm1n&u=admin"), "/query?p=REDACTED&u=admin");
        assert_eq!(shown("/list?p=2&menu=1"), "/list?p=2&menu=1");
    }

    #[test]
    fn user_information_goes() {
        assert_eq!(shown("http://bob:pw@shop.test/a@b?x"), "http://REDACTED@shop.test/a@b?x");
        assert_eq!(shown("bob:pw@shop.test:443"), "REDACTED@shop.test:443");
        assert_eq!(shown("/users/bob@shop.test"), "/users/bob@shop.test");
    }

    #[test]
    fn a_secret_in_a_url_within_the_url_goes_too() {
        assert_eq!(shown("/go?next=https%3A%2F%2Fx%2F%3Ftoken%3Dabc&y=1"), "/go?next=REDACTED&y=1");
        assert_eq!(shown("/go?next=https://x/?token=abc"), "/go?next=REDACTED");
        assert_eq!(shown("/go?next=%2Fa%3Fnext%3D%252Fb%253Ftoken%253Dabc"), "/go?next=REDACTED");
        assert_eq!(shown("/go?next=https%3A%2F%2Fx%2F%3Fpage%3D2"), "/go?next=https%3A%2F%2Fx%2F%3Fpage%3D2");
    }

    #[test]
    fn time_grows_with_the_length_and_no_faster() {
        let long = format!("/a;b=1{}", "&token=%2525253D;c=%3D".repeat(50_000));
        let start = std::time::Instant::now();
        assert!(shown(&long).contains("token=REDACTED"));
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    }

    #[test]
    fn control_and_bidirectional_characters_are_escaped() {
        assert_eq!(shown("/a\u{1b}[31m\r\n?x=\u{202e}y"), "/a%1B[31m%0D%0A?x=%E2%80%AEy");
        assert_eq!(shown("/a\n?token=b\n"), "/a%0A?token=REDACTED");
    }
}
