//! Header fields in, a [`Head`] out that reads like one of HTTP/1, so that nothing behind it need know the version.
//!
//! `:authority` becomes Host, without user information; crumbs of a cookie are joined (RFC 9113 §8.2.3). What RFC 9113
//! §8 calls malformed is read all the same and marked. A part of the request that is unknown is empty.

use super::hpack::Fields;
use crate::http::Marks;
use crate::http::head::{Head, Span, StartLine};
use smallvec::SmallVec;

/// The pseudo-headers of a block (RFC 9113 §8.3).
#[derive(Default)]
pub struct Pseudo<'f> {
    pub method: Option<&'f [u8]>,
    pub path: Option<&'f [u8]>,
    pub authority: Option<&'f [u8]>,
    pub protocol: Option<&'f [u8]>,
    pub status: Option<u16>,
    scheme: bool,
    is_malformed: bool,
}

impl<'f> Pseudo<'f> {
    pub fn of(fields: &'f Fields) -> Pseudo<'f> {
        let mut pseudo = Pseudo::default();
        let mut is_behind = false;
        for (name, value) in fields.iter() {
            if name.first() != Some(&b':') {
                is_behind = true;
                continue;
            }
            let mut had = false;
            match name {
                b":method" => had = set(&mut pseudo.method, value),
                b":path" => had = set(&mut pseudo.path, value),
                b":authority" => had = set(&mut pseudo.authority, value),
                b":protocol" => had = set(&mut pseudo.protocol, value),
                b":scheme" => had = std::mem::replace(&mut pseudo.scheme, true),
                b":status" => match status_of(value) {
                    Some(status) if pseudo.status.is_none() => pseudo.status = Some(status),
                    _ => had = true,
                },
                _ => had = true,
            }
            pseudo.is_malformed |= had || is_behind;
        }
        pseudo
    }

    /// True for the head of a request, as far as it is known.
    pub fn is_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.authority.is_some() || self.scheme
    }
}

/// Sets what is not set. True when it was.
fn set<'f>(place: &mut Option<&'f [u8]>, value: &'f [u8]) -> bool {
    let had = place.is_some();
    place.get_or_insert(value);
    had
}

fn status_of(value: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = value else { return None };
    Some([a, b, c].iter().fold(0, |status, digit| status * 10 + u16::from(**digit - b'0')))
}

/// Fields that a connection of HTTP/1 has and one of HTTP/2 must not (RFC 9113 §8.2.2).
fn is_of_connection(name: &[u8]) -> bool {
    matches!(name, b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade")
}

/// Builds heads; its buffers are used again.
#[derive(Default)]
pub struct HeadBuilder {
    bytes: Vec<u8>,
    /// Names and values.
    lines: Vec<(Span, Span)>,
}

impl HeadBuilder {
    pub fn request(&mut self, fields: &Fields, pseudo: &Pseudo<'_>) -> Head {
        self.clear();
        let method = self.append(pseudo.method.unwrap_or_default());
        self.bytes.push(b' ');
        let is_connect = pseudo.method == Some(b"CONNECT") && pseudo.protocol.is_none();
        // RFC 9113 §8.5: CONNECT has no path; its target is the authority.
        let path = pseudo.path.or(pseudo.authority.filter(|_| is_connect)).unwrap_or_default();
        let target = self.append(path);
        self.bytes.extend_from_slice(b" HTTP/2\r\n");
        let mut marks = marks_of(fields, pseudo);
        let is_whole = pseudo.method.is_some() && (pseudo.path.is_some() || is_connect) && !pseudo.is_malformed;
        if !is_whole && fields.unknown == 0 || pseudo.status.is_some() {
            marks |= Marks::LENIENT_HEAD;
        }
        if let Some(authority) = pseudo.authority {
            // RFC 9113 §8.3.1: no user information belongs there.
            let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or(authority);
            if host.len() != authority.len() {
                marks |= Marks::BAD_HOST;
            }
            self.line(b"host", host);
        }
        marks |= self.fields(fields, pseudo.authority);
        self.head(StartLine::Request { method, target }, marks)
    }

    pub fn response(&mut self, fields: &Fields, pseudo: &Pseudo<'_>, status: u16) -> Head {
        self.clear();
        self.bytes.extend_from_slice(b"HTTP/2 ");
        for place in [100, 10, 1] {
            self.bytes.push(b'0' + (status / place % 10) as u8); // a digit
        }
        self.bytes.extend_from_slice(b"\r\n");
        let mut marks = marks_of(fields, pseudo);
        if pseudo.is_request() || pseudo.is_malformed {
            marks |= Marks::LENIENT_HEAD;
        }
        marks |= self.fields(fields, None);
        self.head(StartLine::Response { status }, marks)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span { start, end: self.bytes.len() as u32 }
    }

    fn line(&mut self, name: &[u8], value: &[u8]) {
        let name = self.append(name);
        self.bytes.extend_from_slice(b": ");
        let value = self.append(value);
        self.bytes.extend_from_slice(b"\r\n");
        self.lines.push((name, value));
    }

    /// Writes the fields that are no pseudo-headers, and tells what is wrong with them.
    fn fields(&mut self, fields: &Fields, authority: Option<&[u8]>) -> Marks {
        let mut marks = Marks::none();
        let mut crumbs: SmallVec<[&[u8]; 8]> = SmallVec::new();
        for (name, value) in fields.iter() {
            if name.first() == Some(&b':') {
                continue;
            }
            // RFC 9113 §8.2.1: no upper case, no line ends, no spaces around.
            let is_bad_name = name.is_empty() || name.iter().any(|byte| *byte <= b' ' || byte.is_ascii_uppercase());
            let is_bad_value = value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
            if is_bad_name || is_bad_value || is_of_connection(name) {
                marks |= Marks::LENIENT_HEAD;
            }
            match name {
                b"cookie" => crumbs.push(value.trim_ascii()),
                b"host" => match authority {
                    None => self.line(name, value.trim_ascii()),
                    Some(authority) if authority == value => {}
                    Some(_) => marks |= Marks::BAD_HOST, // §8.3.1: :authority counts
                },
                _ => self.line(name, value.trim_ascii()),
            }
        }
        match crumbs.as_slice() {
            [] => {}
            [whole] => self.line(b"cookie", whole),
            crumbs => self.line(b"cookie", &crumbs.join(&b"; "[..])),
        }
        marks
    }

    fn head(&mut self, start: StartLine, marks: Marks) -> Head {
        self.bytes.extend_from_slice(b"\r\n");
        let mut head = Head::new(&self.bytes, start, 0, marks);
        head.major = 2;
        for (name, value) in &self.lines {
            let name = self.bytes.get(name.start as usize..name.end as usize).unwrap_or_default();
            head.add(name, *value);
        }
        head
    }
}

fn marks_of(fields: &Fields, pseudo: &Pseudo<'_>) -> Marks {
    let mut marks = Marks::none();
    if fields.unknown > 0 {
        marks |= Marks::PARTIAL;
    }
    if fields.left_out > 0 {
        marks |= Marks::FIELDS_OVER_LIMIT;
    }
    if pseudo.is_malformed {
        marks |= Marks::LENIENT_HEAD;
    }
    marks
}
