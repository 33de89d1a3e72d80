//! Request targets and hosts: what the request line and `Host` say, taken apart without copying.
//!
//! In: a request target of any of the four forms of RFC 9112 §3.2 and a `Host` value. Out: borrowed parts, path
//! segments after normalisation, query parameters, a normalised host, and the target as it may be shown
//! ([`redact`]). Nothing here fails on a target: what is not a form of the RFC is taken as a path. A host that is
//! not one is refused ([`normalise_host`] gives `None`), so that a scanner's `Host: ../../etc` names no endpoint.
//!
//! Bounds: [`MAX_SEGMENTS`] segments of a path are kept; a host has at most [`MAX_HOST_BYTES`] bytes.

mod redact;
pub use redact::redact;

use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Segments of a path that are looked at. REST paths have fewer than ten; what nests deeper is a file tree or an attack.
pub const MAX_SEGMENTS: usize = 24;
/// Longest domain name in text form (RFC 1035 §2.3.4 less the root label).
pub const MAX_HOST_BYTES: usize = 253;
/// What stands in the place of a secret.
pub const REDACTED: &str = "REDACTED";

/// The parts of a request target, as they were on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RequestTarget<'a> {
    /// Of the absolute form only.
    pub scheme: Option<&'a str>,
    /// Of the absolute and the authority form, with user information and port.
    pub authority: Option<&'a str>,
    /// `*` for the asterisk form, empty for the authority form, `/` where an absolute form has none.
    pub path: &'a str,
    /// Without the `?`.
    pub query: Option<&'a str>,
}

impl<'a> RequestTarget<'a> {
    pub fn parse(target: &'a str) -> RequestTarget<'a> {
        // A fragment never belongs in a request (RFC 9112 §3.2), but careless clients send it.
        let whole = memchr::memchr(b'#', target.as_bytes()).and_then(|at| target.get(..at)).unwrap_or(target);
        if whole.starts_with('/') {
            let (path, query) = split_query(whole);
            return RequestTarget { scheme: None, authority: None, path, query };
        }
        if let Some((scheme, rest)) = whole.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, tail) = rest.split_at(end);
            let (path, query) = split_query(tail);
            let path = if path.is_empty() { "/" } else { path };
            return RequestTarget { scheme: Some(scheme), authority: Some(authority), path, query };
        }
        if is_authority_form(whole) {
            return RequestTarget { scheme: None, authority: Some(whole), path: "", query: None };
        }
        let (path, query) = split_query(whole);
        RequestTarget { scheme: None, authority: None, path, query }
    }

    /// The authority without user information and port, normalised.
    pub fn host(&self) -> Option<Cow<'a, str>> {
        let authority = self.authority?;
        normalise_host(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
    }

    pub fn query_parameters(&self) -> QueryParameters<'a> {
        QueryParameters { rest: self.query.unwrap_or("") }
    }
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'?', text.as_bytes()).and_then(|at| text.split_at_checked(at)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (text, None),
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// `host:port`, as CONNECT sends it.
fn is_authority_form(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !host.contains(['/', '?'])
    })
}

/// Name and value of each query parameter, raw, in order; a parameter without `=` has an empty value.
#[derive(Clone, Debug)]
pub struct QueryParameters<'a> {
    rest: &'a str,
}

impl<'a> QueryParameters<'a> {
    /// Of a query string without its `?` (or of a form body, which is written alike).
    pub fn of(query: &'a str) -> QueryParameters<'a> {
        QueryParameters { rest: query }
    }
}

impl<'a> Iterator for QueryParameters<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (piece, rest) = self.rest.split_once('&').unwrap_or((self.rest, ""));
            self.rest = rest;
            if !piece.is_empty() {
                return Some(piece.split_once('=').unwrap_or((piece, "")));
            }
        }
        None
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The byte that starts `bytes` after percent-decoding, and how many bytes it took; a malformed escape is itself.
#[inline]
pub fn decode_byte(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [b'%', high, low, ..] => match (hex_value(*high), hex_value(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, 3)),
            _ => Some((b'%', 1)),
        },
        [first, ..] => Some((*first, 1)),
        [] => None,
    }
}

/// `raw` percent-decoded: itself where it holds no escape, else written to `scratch` (its old content is dropped).
/// `plus_is_space` is the rule of query strings and forms, not of paths.
pub fn percent_decode<'a>(raw: &'a [u8], plus_is_space: bool, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let is_escaped = |byte: &u8| *byte == b'%' || (plus_is_space && *byte == b'+');
    if !raw.iter().any(is_escaped) {
        return raw;
    }
    scratch.clear();
    let mut rest = raw;
    while let Some((byte, taken)) = decode_byte(rest) {
        let is_plus = plus_is_space && taken == 1 && byte == b'+';
        scratch.push(if is_plus { b' ' } else { byte });
        rest = rest.get(taken..).unwrap_or_default();
    }
    scratch
}

/// The segments of a path: empty ones dropped, `;matrix` parameters cut off, `.` and `..` applied (RFC 3986 §5.2.4),
/// also where they are written `%2e`.
#[derive(Debug, Default)]
pub struct PathSegments<'a> {
    pub list: SmallVec<[&'a str; MAX_SEGMENTS]>,
    /// The path had more than [`MAX_SEGMENTS`]; the rest is not in `list`.
    pub is_cut: bool,
}

impl<'a> PathSegments<'a> {
    #[inline]
    pub fn of(path: &'a str) -> PathSegments<'a> {
        let mut segments = PathSegments::default();
        let (mut start, mut parameters) = (0, usize::MAX);
        for (at, byte) in path.bytes().enumerate() {
            if byte == b'/' {
                // Both ends stand at ASCII characters, so `get` always gives the segment.
                if !segments.push(path.get(start..at.min(parameters)).unwrap_or_default()) {
                    return segments;
                }
                (start, parameters) = (at + 1, usize::MAX);
            } else if byte == b';' {
                parameters = parameters.min(at);
            }
        }
        segments.push(path.get(start..path.len().min(parameters)).unwrap_or_default()); // as above
        segments
    }

    /// False once the list is full.
    #[inline]
    fn push(&mut self, segment: &'a str) -> bool {
        match segment.as_bytes().first() {
            None => return true,
            Some(b'.' | b'%') => match dots_of(segment) {
                Some(1) => return true,
                Some(2) => {
                    self.list.pop();
                    return true;
                }
                _ => {}
            },
            Some(_) => {}
        }
        if self.list.len() == MAX_SEGMENTS {
            self.is_cut = true;
            return false;
        }
        self.list.push(segment);
        true
    }
}

/// How many dots a segment that is nothing but dots has.
fn dots_of(segment: &str) -> Option<usize> {
    let (mut rest, mut dots) = (segment.as_bytes(), 0);
    while let Some((byte, taken)) = decode_byte(rest) {
        if byte != b'.' {
            return None;
        }
        dots += 1;
        rest = rest.get(taken..).unwrap_or_default();
    }
    Some(dots)
}

/// The host of a `Host` value: lower case, without port and trailing dot; an IPv6 address in its shortest form within
/// brackets. `None` where it is no host (RFC 3986 §3.2.2; of registered names, what DNS and `_service` names use).
/// Borrows where nothing has to change.
pub fn normalise_host(raw: &str) -> Option<Cow<'_, str>> {
    let raw = raw.trim_matches([' ', '\t']);
    if let Some(bracketed) = raw.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port.then(|| Cow::Owned(format!("[{address}]")));
    }
    let name = match memchr::memchr(b':', raw.as_bytes()).and_then(|at| raw.split_at_checked(at)) {
        Some((name, port)) if is_port(port.get(1..).unwrap_or_default()) => name,
        Some(_) => return None,
        None => raw,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > MAX_HOST_BYTES {
        return None;
    }
    let (mut before, mut has_upper) = (b'.', false);
    for byte in name.bytes() {
        let is_name_byte =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || byte == b'.' && before != b'.';
        if !is_name_byte {
            return None;
        }
        has_upper |= byte.is_ascii_uppercase();
        before = byte;
    }
    Some(if has_upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> (Option<&str>, Option<&str>, &str, Option<&str>) {
        let target = RequestTarget::parse(target);
        (target.scheme, target.authority, target.path, target.query)
    }

    #[test]
    fn the_four_forms_of_a_target_are_told_apart() {
        assert_eq!(parts("/a/b?x=1&y=2"), (None, None, "/a/b", Some("x=1&y=2")));
        assert_eq!(parts("http://u:p@Shop.test:80/a?q"), (Some("http"), Some("u:p@Shop.test:80"), "/a", Some("q")));
        assert_eq!(parts("https://shop.test"), (Some("https"), Some("shop.test"), "/", None));
        assert_eq!(parts("https://shop.test?a=1"), (Some("https"), Some("shop.test"), "/", Some("a=1")));
        assert_eq!(parts("shop.test:443"), (None, Some("shop.test:443"), "", None));
        assert_eq!(parts("*"), (None, None, "*", None));
        assert_eq!(parts(""), (None, None, "", None));
        assert_eq!(parts("index.html?x"), (None, None, "index.html", Some("x")));
        assert_eq!(parts("//evil.test/a"), (None, None, "//evil.test/a", None), "not an authority (RFC 9112 §3.2.1)");
        assert_eq!(parts("/go?to=http://x/#top"), (None, None, "/go", Some("to=http://x/")));
        assert_eq!(parts("/a?b?c"), (None, None, "/a", Some("b?c")));
    }

    #[test]
    fn the_host_of_an_absolute_target_has_neither_user_nor_port() {
        assert_eq!(RequestTarget::parse("http://u:p@Shop.test:80/").host().as_deref(), Some("shop.test"));
        assert_eq!(RequestTarget::parse("/a").host(), None);
    }

    #[test]
    fn hosts_are_normalised_and_nonsense_is_refused() {
        for (raw, host) in [
            ("shop.test", Some("shop.test")),
            (" Shop.Test.:8080 ", Some("shop.test")),
            ("shop.test:", Some("shop.test")),
            ("_srv.shop_1.test", Some("_srv.shop_1.test")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("[2001:DB8:0:0:0:0:0:1]:443", Some("[2001:db8::1]")),
            ("[::1]", Some("[::1]")),
            ("[::1", None),
            ("[nonsense]", None),
            ("[::1]x", None),
            ("::1", None),
            ("", None),
            (".", None),
            ("a..b", None),
            ("shop.test:http", None),
            ("shop.test:123456", None),
            ("../../etc", None),
            ("a b", None),
            ("caf\u{e9}.test", None),
            ("x\ny", None),
        ] {
            assert_eq!(normalise_host(raw).as_deref(), host, "{raw:?}");
        }
        assert!(matches!(normalise_host("shop.test:80"), Some(Cow::Borrowed(_))));
        assert_eq!(normalise_host(&"a".repeat(254)), None);
    }

    #[test]
    fn query_parameters_come_raw_and_in_order() {
        let list: Vec<_> = RequestTarget::parse("/?a=1&&b=x%20y=z&flag&=v").query_parameters().collect();
        assert_eq!(list, [("a", "1"), ("b", "x%20y=z"), ("flag", ""), ("", "v")]);
        assert_eq!(RequestTarget::parse("/").query_parameters().count(), 0);
    }

    #[test]
    fn percent_decoding_keeps_what_is_malformed() {
        let mut scratch = Vec::new();
        assert_eq!(percent_decode(b"a%2Fb%20c", false, &mut scratch), b"a/b c");
        assert_eq!(percent_decode(b"100%&%zz%4", false, &mut scratch), b"100%&%zz%4");
        assert_eq!(percent_decode(b"a+b%2B", true, &mut scratch), b"a b+");
        assert_eq!(percent_decode(b"a+b", false, &mut scratch), b"a+b");
    }

    #[test]
    fn path_segments_are_normalised() {
        for (path, list) in [
            ("/a//b/", vec!["a", "b"]),
            ("/a/./b/../c", vec!["a", "c"]),
            ("/a/%2e%2E/c", vec!["c"]),
            ("/../../etc", vec!["etc"]),
            ("/a;jsessionid=1/b;v=2", vec!["a", "b"]),
            ("/a/..;/b", vec!["b"]),
            ("/.well-known/x", vec![".well-known", "x"]),
            ("/...", vec!["..."]),
            ("", vec![]),
            ("*", vec!["*"]),
        ] {
            let segments = PathSegments::of(path);
            assert_eq!(segments.list.as_slice(), list.as_slice(), "{path}");
            assert!(!segments.is_cut);
        }
        let deep = PathSegments::of(&"/a".repeat(MAX_SEGMENTS + 1)).is_cut;
        assert!(deep);
    }
}
