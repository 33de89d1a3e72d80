//! Message heads: the bytes of a start line and fields in, a [`Head`] out.
//!
//! `httparse` reads what follows the grammar; what real peers accept and it refuses goes to `lenient` and is
//! marked. A head keeps its bytes in one buffer and the places of the fields that matter; nothing is copied per field.

use super::lenient;
use super::marks::Marks;
use memchr::memchr;
use smallvec::SmallVec;

/// Fields that something here reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Field {
    Host,
    UserAgent,
    ContentType,
    ContentLength,
    TransferEncoding,
    ContentEncoding,
    Connection,
    Upgrade,
    Authorization,
    Cookie,
    SetCookie,
    Location,
    Referer,
    Forwarded,
    XForwardedFor,
    WwwAuthenticate,
    /// Any of the common names for an API key or session token of its own (`X-Api-Key`, `Api-Key`, `X-Auth-Token` …).
    ApiKey,
    /// Another method than the request line's (`X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override`).
    MethodOverride,
}

const FIELDS: usize = Field::MethodOverride as usize + 1;

/// Names under which API keys and tokens travel in fields of their own, lower case.
const API_KEY_FIELDS: [&[u8]; 18] = [
    b"x-api-key",
    b"api-key",
    b"apikey",
    b"x-apikey",
    b"x-auth-token",
    b"x-access-token",
    b"x-api-token",
    b"x-session-token",
    b"x-auth-key",
    b"ocp-apim-subscription-key",
    b"private-token",
    b"x-auth",
    b"x-token",
    b"x-user-token",
    b"x-authorization",
    b"x-goog-api-key",
    b"auth-token",
    b"access-token",
];

/// How products call the field for their keys: `X-Vault-Token`, `DD-API-KEY`, `X-Hasura-Admin-Secret`.
const KEY_ENDINGS: [&[u8]; 6] = [b"-token", b"-api-key", b"-apikey", b"-access-key", b"-auth-key", b"-secret"];
/// What else is called a token: proofs that a form is one's own, places in lists, what devices are called, marks of one request.
const NO_KEYS: [&[u8]; 14] = [
    b"csrf",
    b"xsrf",
    b"forgery",
    b"verification",
    b"captcha",
    b"device",
    b"push",
    b"page",
    b"next",
    b"continuation",
    b"sync",
    b"request",
    b"trace",
    b"nonce",
];

/// Whether a name says that its value is a key. Most names do not end so, which their last letter tells.
fn ends_as_key(name: &[u8]) -> bool {
    if !matches!(name.last(), Some(b'n' | b'y' | b't' | b'N' | b'Y' | b'T')) {
        return false;
    }
    let ends = |ending: &[u8]| {
        let start = name.len().checked_sub(ending.len()).filter(|start| *start > 0);
        start.is_some_and(|start| name[start..].eq_ignore_ascii_case(ending)) // not beyond its length
    };
    KEY_ENDINGS.iter().any(|ending| ends(ending)) && {
        let lower = name.to_ascii_lowercase();
        NO_KEYS.iter().all(|other| memchr::memmem::find(&lower, other).is_none())
    }
}

impl Field {
    /// Whether it says where a message ends: no line of it may be passed over.
    fn frames(self) -> bool {
        matches!(self, Field::ContentLength | Field::TransferEncoding)
    }

    /// The field of a name, in any case. Length and first letter leave one candidate: most fields are none of these,
    /// and every field of every head comes through here.
    fn of(name: &[u8]) -> Option<Field> {
        let (field, known) = match (name.len(), name.first()? | 0x20) {
            (4, b'h') => (Field::Host, "host"),
            (6, b'c') => (Field::Cookie, "cookie"),
            (7, b'r') => (Field::Referer, "referer"),
            (7, b'u') => (Field::Upgrade, "upgrade"),
            (8, b'l') => (Field::Location, "location"),
            (9, b'f') => (Field::Forwarded, "forwarded"),
            (10, b'u') => (Field::UserAgent, "user-agent"),
            (10, b'c') => (Field::Connection, "connection"),
            (10, b's') => (Field::SetCookie, "set-cookie"),
            (12, b'c') => (Field::ContentType, "content-type"),
            (13, b'a') => (Field::Authorization, "authorization"),
            (14, b'c') => (Field::ContentLength, "content-length"),
            (16, b'c') => (Field::ContentEncoding, "content-encoding"),
            (16, b'w') => (Field::WwwAuthenticate, "www-authenticate"),
            (17, b't') => (Field::TransferEncoding, "transfer-encoding"),
            (15, b'x') if name.eq_ignore_ascii_case(b"x-forwarded-for") => return Some(Field::XForwardedFor),
            (13, b'x') if name.eq_ignore_ascii_case(b"x-http-method") => return Some(Field::MethodOverride),
            (17, b'x') if name.eq_ignore_ascii_case(b"x-method-override") => return Some(Field::MethodOverride),
            (22, b'x') => (Field::MethodOverride, "x-http-method-override"),
            (_, b'a' | b'o' | b'p' | b'x') => {
                let is_key = API_KEY_FIELDS.iter().any(|known| name.eq_ignore_ascii_case(known)) || ends_as_key(name);
                return is_key.then_some(Field::ApiKey);
            }
            _ => return ends_as_key(name).then_some(Field::ApiKey),
        };
        match name.eq_ignore_ascii_case(known.as_bytes()) {
            true => Some(field),
            false => ends_as_key(name).then_some(Field::ApiKey),
        }
    }
}

/// A place in the head's bytes; empty at 0 when the field is absent.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The place of `part` in `whole`, which it must be a slice of.
    pub(super) fn of(whole: &[u8], part: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Span { start: start as u32, end: (start + part.len()) as u32 }
    }

    fn is_absent(self) -> bool {
        self.start == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine {
    Request { method: Span, target: Span },
    Response { status: u16 },
}

/// The head of a request or response.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Box<[u8]>,
    pub(super) start: StartLine,
    pub major: u8,
    /// Minor version of HTTP/1.
    pub minor: u8,
    pub marks: Marks,
    fields: [Span; FIELDS],
    /// Second and later lines of the same field.
    more: SmallVec<[(Field, Span); 2]>,
}

/// Why bytes are not a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an HTTP/1 start line")]
pub struct NotHttp;

impl Head {
    pub fn method(&self) -> &[u8] {
        match self.start {
            StartLine::Request { method, .. } => self.at(method),
            StartLine::Response { .. } => b"",
        }
    }

    /// The request target as on the wire.
    pub fn target(&self) -> &[u8] {
        match self.start {
            StartLine::Request { target, .. } => self.at(target),
            StartLine::Response { .. } => b"",
        }
    }

    pub fn status(&self) -> u16 {
        match self.start {
            StartLine::Request { .. } => 0,
            StartLine::Response { status } => status,
        }
    }

    /// The first line of a field, without white space around it.
    pub fn get(&self, field: Field) -> Option<&[u8]> {
        let span = self.fields[field as usize];
        (!span.is_absent()).then(|| self.at(span))
    }

    /// The value of the first line whose name is wanted: for fields that no [`Field`] stands for. Looks at every line, and joins
    /// none that were folded.
    pub fn find(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        self.lines().find_map(|(name, value)| is_wanted(name).then_some(value))
    }

    /// Name and value of every line, in order; none that were folded are joined.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.bytes.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
        })
    }

    /// Whether a byte is anywhere in it.
    pub fn holds(&self, byte: u8) -> bool {
        memchr(byte, &self.bytes).is_some()
    }

    /// Every line of a field, in order.
    pub fn all(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.get(field)
            .into_iter()
            .chain(self.more.iter().filter(move |(more, _)| *more == field).map(|(_, span)| self.at(*span)))
    }

    /// The protocol's version, as it is written.
    pub fn version(&self) -> &'static str {
        match (self.major, self.minor) {
            (2, _) => "HTTP/2",
            (_, 0) => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }

    /// Bytes of the head: on the wire in HTTP/1, as they would be there in HTTP/2.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The whole head as on the wire.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// True when a list field has a member, in any case (RFC 9110 §5.6.1).
    pub fn lists(&self, field: Field, member: &str) -> bool {
        self.all(field).any(|line| {
            line.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
        })
    }

    fn at(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or(&[])
    }

    pub(super) fn new(bytes: &[u8], start: StartLine, minor: u8, marks: Marks) -> Head {
        Head {
            bytes: bytes.into(),
            start,
            major: 1,
            minor,
            marks,
            fields: [Span::default(); FIELDS],
            more: SmallVec::new(),
        }
    }

    pub(super) fn add(&mut self, name: &[u8], value: Span) {
        let Some(field) = Field::of(name) else { return };
        let slot = &mut self.fields[field as usize];
        if slot.is_absent() {
            *slot = value;
        } else {
            self.more.push((field, value));
        }
    }

    /// Lets go of lines that repeat a field, beyond so many, but of none that frames the message. True when there were more.
    pub(super) fn cut(&mut self, repeated: usize) -> bool {
        let is_cut = self.more.len() > repeated;
        if is_cut {
            let mut kept = 0;
            self.more.retain(|(field, _)| {
                kept += usize::from(!field.frames());
                field.frames() || kept <= repeated
            });
            self.more.shrink_to_fit();
            self.marks |= Marks::FIELDS_OVER_LIMIT;
        }
        is_cut
    }
}

/// Fields read by the quick parser; a head with more goes to the lenient one, which has no such limit.
const QUICK_FIELDS: usize = 64;

/// What the bytes at the start of a message are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guess {
    Request,
    Response,
    /// Too few bytes to tell.
    More,
    Neither,
}

/// Tells from the first bytes whether a message begins here. Only HTTP/1 is HTTP; a request line must be whole (or the
/// target longer than [`MAX_SNIFFED_LINE`]) before it is believed, because SIP, RTSP and ICAP requests look alike up
/// to their version.
///
/// Where a message must begin here, `is_due`, any word may become a method; elsewhere it takes capitals, as methods have by
/// convention (RFC 9110 §9.1), to wait for the rest of the line.
pub fn guess(bytes: &[u8], is_due: bool) -> Guess {
    let bytes = skip_empty_lines(bytes);
    match begins_response(bytes) {
        Some(true) => return Guess::Response,
        None => return Guess::More,
        Some(false) => {}
    }
    let method = bytes.iter().take(MAX_METHOD + 1).take_while(|byte| is_method_byte(**byte)).count();
    if method > MAX_METHOD {
        return Guess::Neither;
    }
    let is_usual = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    let may_become = is_due || bytes[..method].iter().all(is_usual);
    match bytes.get(method) {
        None => return if may_become { Guess::More } else { Guess::Neither },
        Some(b' ' | b'\t') if method > 0 => {}
        Some(_) => return Guess::Neither,
    }
    match memchr(b'\n', bytes) {
        Some(end) => {
            let line = bytes[..end].trim_ascii_end();
            let version =
                line.iter().rposition(|byte| matches!(byte, b' ' | b'\t')).map_or(&[][..], |at| &line[at + 1..]);
            if is_version(version) { Guess::Request } else { Guess::Neither }
        }
        // A lone LF-less line of binary data must not be waited for: a target has no control characters.
        None if bytes.iter().any(|byte| *byte < b'\t') => Guess::Neither,
        None if bytes.len() >= MAX_SNIFFED_LINE || !may_become => Guess::Neither,
        None => Guess::More,
    }
}

/// What begins like a response is one with a status behind the version.
pub fn response_with_status(bytes: &[u8]) -> Guess {
    match bytes.get(b"HTTP/1.1".len()..) {
        Some([b' ', status @ ..]) if status.iter().take(3).all(u8::is_ascii_digit) => {
            if status.len() < 3 {
                Guess::More
            } else {
                Guess::Response
            }
        }
        _ => Guess::Neither,
    }
}

/// True when a request line begins with a method that is no ending of another (RFC 9110 §9.3, RFC 5789, RFC 4918).
pub fn begins_with_known_method(bytes: &[u8]) -> bool {
    const KNOWN: [&[u8]; 14] = [
        b"GET",
        b"POST",
        b"PUT",
        b"HEAD",
        b"DELETE",
        b"OPTIONS",
        b"PATCH",
        b"CONNECT",
        b"TRACE",
        b"PROPFIND",
        b"MKCOL",
        b"REPORT",
        b"SEARCH",
        b"MOVE",
    ];
    let bytes = skip_empty_lines(bytes);
    KNOWN.iter().any(|method| bytes.strip_prefix(*method).is_some_and(|rest| rest.starts_with(b" ")))
}

/// Whether a response begins here, as far as the bytes tell.
pub fn may_begin_response(bytes: &[u8]) -> bool {
    begins_response(skip_empty_lines(bytes)) != Some(false)
}

/// Whether `HTTP/x.y` and a space or the end of the line begin here; `None` for too few bytes.
fn begins_response(bytes: &[u8]) -> Option<bool> {
    let is_like = |at: usize, byte: u8| match at {
        0..=4 => byte == b"HTTP/"[at],
        5 | 7 => byte.is_ascii_digit(),
        6 => byte == b'.',
        _ => matches!(byte, b' ' | b'\t' | b'\r' | b'\n'),
    };
    const SEEN: usize = b"HTTP/1.1 ".len();
    let is_like_so_far = bytes.iter().take(SEEN).enumerate().all(|(at, byte)| is_like(at, *byte));
    if is_like_so_far && bytes.len() < SEEN { None } else { Some(is_like_so_far) }
}

/// A version as servers read it: `1.01`, `1.10` and `3.0` are served as HTTP/1, too.
pub(super) fn is_version(bytes: &[u8]) -> bool {
    let Some(numbers) = bytes.strip_prefix(b"HTTP/") else { return false };
    let mut parts = numbers.split(|byte| *byte == b'.');
    let is_number = |part: &[u8]| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    matches!((parts.next(), parts.next(), parts.next()), (Some(major), Some(minor), None) if is_number(major) && is_number(minor))
}

/// The longest method that is believed; servers answer long ones with an error, and go on.
const MAX_METHOD: usize = 256;
/// How much of a request line without an end is waited for.
pub const MAX_SNIFFED_LINE: usize = 64 << 10;

/// Methods are tokens, by convention of capital letters (RFC 9110 §9.1).
fn is_method_byte(byte: u8) -> bool {
    lenient::is_token_byte(byte)
}

/// Empty lines before a start line are passed over (RFC 9112 §2.2).
pub fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The length of a whole head at the start of `bytes`, which must not begin with an empty line; `from` is where an
/// earlier call with fewer bytes left off.
pub fn head_length(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr(b'\n', bytes.get(at..)?) {
        let next = at + found + 1;
        match bytes.get(next..) {
            Some([b'\n', ..]) => return Some(next + 1),
            Some([b'\r', b'\n', ..]) => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// Reads a whole request head.
pub fn parse_request(bytes: &[u8]) -> Result<Head, NotHttp> {
    let mut storage = [const { std::mem::MaybeUninit::uninit() }; QUICK_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut storage) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return lenient::parse_request(bytes),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return lenient::parse_request(bytes);
    };
    let start =
        StartLine::Request { method: Span::of(bytes, method.as_bytes()), target: Span::of(bytes, target.as_bytes()) };
    let mut marks = line_end_marks(bytes);
    if !target.is_ascii() {
        marks |= Marks::LENIENT_HEAD;
    }
    let mut head = Head::new(bytes, start, minor, marks);
    for header in request.headers.iter() {
        head.add(header.name.as_bytes(), Span::of(bytes, header.value));
    }
    Ok(head)
}

/// Reads a whole response head.
pub fn parse_response(bytes: &[u8]) -> Result<Head, NotHttp> {
    let mut storage = [const { std::mem::MaybeUninit::uninit() }; QUICK_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut storage);
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return lenient::parse_response(bytes),
    }
    let (Some(status), Some(minor)) = (response.code, response.version) else {
        return lenient::parse_response(bytes);
    };
    let mut head = Head::new(bytes, StartLine::Response { status }, minor, line_end_marks(bytes));
    for header in response.headers.iter() {
        head.add(header.name.as_bytes(), Span::of(bytes, header.value));
    }
    Ok(head)
}

/// Marks lines that end with LF alone.
pub(super) fn line_end_marks(bytes: &[u8]) -> Marks {
    let bare = memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes[at - 1] != b'\r');
    if bare { Marks::BARE_LF } else { Marks::none() }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
