//! The slow path for heads that break the grammar in ways that real peers accept: every deviation is marked.
//!
//! Accepted: obs-fold, white space before the colon, bare LF and bare CR, several spaces or tabs in the start line or behind it, another version,
//! field names and targets with odd bytes, field lines without a colon (passed over), any number of fields, status
//! lines without a reason. Refused: a start line without a version, a status that is no three digits.

use super::head::{Head, NotHttp, Span, StartLine, is_version, line_end_marks};
use super::marks::Marks;

/// The lines of a head with their place; the empty line at the end is not among them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

/// The minor version, and whether the version is one that HTTP/1 has. What claims another version (servers do, and take it
/// from clients) is read as the highest of ours (RFC 9110 §2.5).
fn version_of(version: &[u8]) -> Result<(u8, bool), NotHttp> {
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1')] => Ok((minor - b'0', true)),
        [b'H', b'T', b'T', b'P', b'/', major, ..] if is_version(version) => Ok((u8::from(*major != b'0'), false)),
        _ => Err(NotHttp),
    }
}

pub fn parse_request(bytes: &[u8]) -> Result<Head, NotHttp> {
    let line = lines(bytes).next().ok_or(NotHttp)?;
    let whole = line.len();
    let line = line.trim_ascii_end();
    let mut marks = line_end_marks(bytes);
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let method_end = line.iter().position(is_blank).ok_or(NotHttp)?;
    let version_start = line.iter().rposition(is_blank).ok_or(NotHttp)? + 1;
    let (method, version) = (&line[..method_end], &line[version_start..]);
    let target = line.get(method_end..version_start).unwrap_or(&[]).trim_ascii();
    if method.is_empty() || target.is_empty() {
        return Err(NotHttp);
    }
    let (minor, is_ours) = version_of(version)?;
    if method.len() + target.len() + version.len() + 2 != whole || !is_ours || !target.iter().all(u8::is_ascii_graphic)
    {
        marks |= Marks::LENIENT_HEAD;
    }
    let start = StartLine::Request { method: Span::of(bytes, method), target: Span::of(bytes, target) };
    fields(bytes, Head::new(bytes, start, minor, marks))
}

pub fn parse_response(bytes: &[u8]) -> Result<Head, NotHttp> {
    let line = lines(bytes).next().ok_or(NotHttp)?;
    let mut marks = line_end_marks(bytes);
    let (minor, is_ours) = version_of(line.get(..8).ok_or(NotHttp)?)?;
    let rest = line[8..].trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits != 3 || rest.get(3).is_some_and(u8::is_ascii_alphabetic) {
        return Err(NotHttp);
    }
    let status = rest[..3].iter().fold(0u16, |value, digit| value * 10 + u16::from(digit - b'0'));
    if !is_ours || line[8..].len() - rest.len() != 1 {
        marks |= Marks::LENIENT_HEAD;
    }
    fields(bytes, Head::new(bytes, StartLine::Response { status }, minor, marks))
}

fn fields(bytes: &[u8], mut head: Head) -> Result<Head, NotHttp> {
    // A field is only added when the line after it shows that its value does not go on.
    let mut open: Option<(&[u8], Span)> = None;
    for line in lines(bytes).skip(1) {
        if line.contains(&b'\r') {
            head.marks |= Marks::BARE_CR;
        }
        if matches!(line[0], b' ' | b'\t') {
            head.marks |= Marks::OBS_FOLD;
            if let Some((_, value)) = &mut open {
                value.end = Span::of(bytes, line.trim_ascii()).end;
            }
            continue;
        }
        if let Some((name, value)) = open.take() {
            head.add(name, value);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            head.marks |= Marks::LENIENT_HEAD;
            continue;
        };
        let name = line[..colon].trim_ascii_end();
        if name.len() != colon {
            head.marks |= Marks::SPACE_BEFORE_COLON;
        }
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
            head.marks |= Marks::LENIENT_HEAD;
        }
        if line[colon + 1..].iter().any(|byte| *byte < b' ' && *byte != b'\t' || *byte == 0x7f) {
            head.marks |= Marks::LENIENT_HEAD;
        }
        let value = line[colon + 1..].trim_ascii();
        open = Some((name, Span::of(bytes, value)));
    }
    if let Some((name, value)) = open {
        head.add(name, value);
    }
    Ok(head)
}

/// `tchar` of RFC 9110 §5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
