//! The header that a load balancer puts before the first words of a connection: the PROXY protocol of HAProxy, versions 1
//! and 2 (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! In go the first bytes of a flow; out comes how long such a header is. What it says of the client is not used: whoever
//! sends one may claim any address.

/// "The maximum line lengths the receiver must support including the CRLF" (§2.1).
const MOST_OF_VERSION_1: usize = 107;
const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED_OF_VERSION_2: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preamble {
    None,
    /// Too few bytes to tell.
    More,
    /// A header of so many bytes.
    Length(usize),
}

pub fn preamble(bytes: &[u8]) -> Preamble {
    let begins_like = |known: &[u8]| {
        let seen = bytes.len().min(known.len());
        bytes[..seen] == known[..seen]
    };
    if begins_like(VERSION_1) {
        let line = &bytes[..bytes.len().min(MOST_OF_VERSION_1)];
        return match memchr::memchr(b'\n', line) {
            Some(end) => Preamble::Length(end + 1),
            None if line.len() < MOST_OF_VERSION_1 => Preamble::More,
            None => Preamble::None,
        };
    }
    if !begins_like(VERSION_2) {
        return Preamble::None;
    }
    match bytes.first_chunk::<FIXED_OF_VERSION_2>() {
        None => Preamble::More,
        Some(fixed) if fixed[12] >> 4 != 2 => Preamble::None,
        Some(fixed) => {
            let length = FIXED_OF_VERSION_2 + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
            if length <= bytes.len() { Preamble::Length(length) } else { Preamble::More }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_measured_whatever_comes_at_once() {
        let text = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 80\r\n";
        let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\xdc\x04\0\x50";
        for header in [text.as_slice(), binary.as_slice()] {
            for seen in 1..header.len() {
                assert_eq!(preamble(&header[..seen]), Preamble::More, "{seen}");
            }
            let behind = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(preamble(&behind), Preamble::Length(header.len()));
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for other in [
            &b"PROPFIND / HTTP/1.1\r\n"[..],
            b"GET / HTTP/1.1",
            b"\r\n\r\nGET /",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
            b"x",
        ] {
            assert_eq!(preamble(other), Preamble::None, "{other:?}");
        }
        assert_eq!(preamble(&[b"PROXY ".as_slice(), &[b'a'; 200]].concat()), Preamble::None);
    }
}
