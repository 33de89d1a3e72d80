//! Requests that carry code for what stands behind the API, or addresses that only the server reaches.
//!
//! In go a request's target, some of its fields and the head of its body; out comes which kinds of code are in them
//! ([`Injections`]). Values are taken apart and freed of their escapes first (twice, where they are escaped twice), so that what is
//! compared is what the server would read. Kinds are told by constructions that no value has by chance: a quote with a comparison
//! that is always true behind it, a path that climbs above its root, a look-up in a log's text. Words of a language alone (`select`,
//! `script`) are no sign; nor is what people quote in letters, so that values of a body with several lines are searched for little.
//!
//! It misses: code without such constructions, what is encoded in base64 or otherwise (objects aside), bodies behind their first
//! [`BODY_BYTES`], values behind their first [`VALUE_BYTES`]. It refuses nothing, and its time is linear in those bounds.

mod address;
mod patterns;

use super::form::unescape;
use super::{BodyKind, json_strings};
use crate::hash::HashKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use patterns::{ByteSet, OBJECT_CODE, PATTERNS, compiled};
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Bytes of a request's body that are looked at.
pub(super) const BODY_BYTES: usize = 4096;
/// Bytes of a value, and of a target.
const VALUE_BYTES: usize = 2048;
/// Bytes of a field.
const FIELD_BYTES: usize = 512;

/// What the code is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Injection {
    /// A database's query language.
    Query,
    /// A shell.
    Command,
    /// A path that leaves its folder, or a file of the system.
    Path,
    /// An expression that a log, a template or a framework evaluates.
    Expression,
    /// A script for the browser of whoever sees it.
    Script,
    /// An XML entity from elsewhere.
    Entity,
    /// A line break, and behind it a field of a head, a command of mail or an entry of a log.
    ForgedLine,
    /// The address of a cloud's metadata, a scheme of no API, an address in disguise.
    HiddenAddress,
    /// An address of the server itself or of its network.
    InnerAddress,
}

impl Injection {
    pub const ALL: [Injection; 9] = [
        Injection::Query,
        Injection::Command,
        Injection::Path,
        Injection::Expression,
        Injection::Script,
        Injection::Entity,
        Injection::ForgedLine,
        Injection::HiddenAddress,
        Injection::InnerAddress,
    ];

    pub fn what(self) -> &'static str {
        match self {
            Injection::Query => "query language",
            Injection::Command => "shell commands",
            Injection::Path => "paths out of the folder",
            Injection::Expression => "expressions",
            Injection::Script => "scripts",
            Injection::Entity => "XML entities",
            Injection::ForgedLine => "forged lines",
            Injection::HiddenAddress => "hidden addresses",
            Injection::InnerAddress => "inner addresses",
        }
    }

    /// Whether the server is to send a request, and not to evaluate something.
    pub fn is_forgery(self) -> bool {
        matches!(self, Injection::HiddenAddress | Injection::InnerAddress)
    }
}

/// The kinds that one request carries.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Injections {
    kinds: u16,
    /// Keyed hash of the inner address that came first.
    pub inner_address: Option<u64>,
}

impl Injections {
    pub fn is_empty(self) -> bool {
        self.kinds == 0
    }

    pub fn contains(self, kind: Injection) -> bool {
        self.kinds & 1 << kind as u16 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Injection> {
        Injection::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// Whether code is in it.
    pub fn has_code(self) -> bool {
        self.iter().any(|kind| !kind.is_forgery())
    }

    /// Whether an address is in it.
    pub fn has_forgery(self) -> bool {
        self.iter().any(Injection::is_forgery)
    }

    pub fn with(mut self, other: Injections) -> Injections {
        self.kinds |= other.kinds;
        self.inner_address = self.inner_address.or(other.inner_address);
        self
    }

    fn add(&mut self, kind: Injection) {
        self.kinds |= 1 << kind as u16;
    }
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// In the target: nobody writes texts there.
    Target,
    /// In a field of the head: no texts either, and an address there is where one was, or comes from.
    Field,
    /// In a body, which may be a page or a letter.
    Body,
    /// Anything else: a whole body with its marks, a field that is nobody's to read.
    Other,
}

/// Whether a target is worth taking apart: nearly none is, and every request comes through here.
fn is_odd(raw: &[u8]) -> bool {
    // Without a way out before the end: so it takes many bytes at a time.
    let [has_mark, has_pair] = raw.iter().fold([false; 2], |[mark, pair], byte| {
        let is_mark =
            matches!(byte, b'%' | b'+' | b'\'' | b'"' | b'<' | b'|' | b'`' | b'$' | b'{' | b'[' | b'\\' | b'(' | b';');
        [mark | is_mark, pair | matches!(byte, b'.' | b':')]
    });
    has_mark || has_pair && [&b".."[..], b":/", b"__proto__.", b"constructor."].iter().any(|part| holds(raw, part))
}

/// Whether a value without escapes may hold anything.
fn may_hold_code(value: &[u8]) -> bool {
    let is_mark = |byte: &u8| {
        matches!(
            byte,
            b'\'' | b'"' | b'<' | b'|' | b'`' | b'$' | b'{' | b'[' | b'\\' | b';' | b'(' | b'*' | b'?' | 0..=b' '
        )
    };
    const PARTS: [&[u8]; 6] = [b"..", b":/", b"/etc/", b"/.", b"__proto__.", b"constructor."];
    value.iter().any(is_mark) || PARTS.iter().any(|part| holds(value, part))
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

fn head_of(text: &[u8], bytes: usize) -> &[u8] {
    text.get(..bytes).unwrap_or(text)
}

/// What the target of a request carries.
pub fn in_target(target: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    let target = head_of(target, VALUE_BYTES);
    let path_end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(path_end); // memchr gives an index within
    let Some(origin) = is_odd(target).then(|| path_of(path)) else { return found };
    look(origin, Place::Target, key, &mut found);
    for piece in query.get(1..).unwrap_or_default().split(|byte| *byte == b'&') {
        pair(piece, Place::Target, key, &mut found);
    }
    found
}

/// A target in absolute form names a host, which is no address that it carries.
fn path_of(target: &[u8]) -> &[u8] {
    let Some(scheme) = memchr::memmem::find(target, b"://").filter(|at| *at < 8) else { return target };
    let rest = target.get(scheme + 3..).unwrap_or_default();
    memchr::memchr(b'/', rest).and_then(|slash| rest.get(slash..)).unwrap_or_default()
}

/// A name and a value of a query or a form, escapes and all.
fn pair(piece: &[u8], place: Place, key: &HashKey, found: &mut Injections) {
    let equals = memchr::memchr(b'=', piece);
    let (name, value) = equals.map_or((piece, &piece[piece.len()..]), |at| (&piece[..at], &piece[at + 1..]));
    look(value, place, key, found);
    if is_odd(name) {
        look(name, place, key, found);
        if names_operator(name) {
            found.add(Injection::Query);
        }
    }
}

/// `password[$ne]`: an operator of a document database where a login's value should be.
fn names_operator(name: &[u8]) -> bool {
    let mut plain = Vec::new();
    unescape(name, &mut plain);
    let Some(bracket) = memchr::memmem::find(&plain, b"[$") else { return false };
    let field = plain.get(..bracket).unwrap_or_default();
    super::words::is_password(field) || LOGIN_FIELDS.iter().any(|known| field.eq_ignore_ascii_case(known.as_bytes()))
}

const LOGIN_FIELDS: [&str; 5] = ["user", "username", "login", "email", "token"];

/// What a field of a request's head carries.
pub fn in_field(value: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    // Programs name themselves with brackets and semicolons.
    let may_be = value.iter().fold(false, |any, byte| any | matches!(byte, b'\'' | b'"' | b'<' | b'$' | b'{'));
    if may_be || holds(value, b"/etc/") {
        look(head_of(value, FIELD_BYTES), Place::Field, key, &mut found);
    }
    found
}

/// What a line of cookies carries.
pub fn in_cookies(line: &[u8], key: &HashKey) -> Injections {
    let mut found = in_field(line, key);
    let values = line.split(|byte| *byte == b';').filter_map(|pair| pair.splitn(2, |byte| *byte == b'=').nth(1));
    if values.map(|value| value.trim_ascii_start()).any(is_object_with_code) {
        found.add(Injection::Expression);
    }
    found
}

/// What a field carries that servers seldom read.
pub fn in_other_field(value: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    if memchr::memchr(b'{', value).is_some() {
        look(head_of(value, FIELD_BYTES), Place::Other, key, &mut found);
    }
    found
}

/// What the head of a token (RFC 7515, §4) carries: servers look its `kid` up in a database, or in a folder.
pub fn in_token_head(head: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    look_at_strings(head_of(head, FIELD_BYTES), Place::Field, key, &mut found);
    found
}

/// What the head of a request's body carries.
pub(super) fn in_body(kind: BodyKind, body: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    let body = text_of(body);
    match kind {
        BodyKind::Json => {
            json_strings(body, |text, is_name| match text {
                _ if !is_name => {
                    look(text, Place::Body, key, &mut found);
                    // A document of GraphQL or of JSON: its strings are values, too.
                    if is_document(text) {
                        look_at_strings(text, Place::Body, key, &mut found);
                    }
                }
                b"__proto__" => found.add(Injection::Expression),
                b"$where" => found.add(Injection::Query),
                _ => {}
            });
            if has_operator(body) {
                found.add(Injection::Query);
            }
        }
        BodyKind::Form => body.split(|byte| *byte == b'&').for_each(|piece| pair(piece, Place::Body, key, &mut found)),
        BodyKind::Multipart => {
            for part in memchr::memmem::find_iter(body, b"\r\n\r\n") {
                let content = &body[part + 4..]; // the length of what was found
                let end = memchr::memmem::find(content, b"\r\n--").unwrap_or(content.len());
                look(&content[..end], Place::Body, key, &mut found);
            }
            if FILE_OUTSIDE.is_match(body) {
                found.add(Injection::Path);
            }
        }
        BodyKind::Xml => {
            look(body, Place::Other, key, &mut found);
            let values = body.split(|byte| matches!(byte, b'<' | b'>')).filter(|piece| !piece.trim_ascii().is_empty());
            values.for_each(|piece| look(piece, Place::Body, key, &mut found));
        }
        BodyKind::Html | BodyKind::Text => look(body, Place::Body, key, &mut found),
        BodyKind::Csv | BodyKind::Binary | BodyKind::Unknown => {}
    }
    found
}

/// A body up to the first bytes that are no text: in a picture every short construction comes by chance.
fn text_of(body: &[u8]) -> &[u8] {
    let valid = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
    let text = body.get(..valid).unwrap_or(body);
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    text.iter().position(is_control).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A part of a form with a file whose name leads out of its folder.
static FILE_OUTSIDE: LazyLock<Regex> = LazyLock::new(|| compiled(r#"\bfilename="[^"\r\n]*(?:\.\.[/\\]|%00)"#));

/// The strings of a document that are no names.
fn look_at_strings(text: &[u8], place: Place, key: &HashKey, found: &mut Injections) {
    json_strings(text, |string, is_name| {
        if !is_name {
            look(string, place, key, found);
        }
    });
}

fn is_document(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 4] = [b"{", b"query", b"mutation", b"subscription"];
    BEGINNINGS.iter().any(|beginning| text.trim_ascii_start().starts_with(beginning)) && holds(text, b"{")
}

/// `"password": {"$ne": null}`: an operator of a document database in a login, or where a value of the whole body should be. Filters
/// have theirs deeper.
fn has_operator(body: &[u8]) -> bool {
    static OPERATOR: LazyLock<Regex> = LazyLock::new(|| {
        let of_login = r#""(?:pass\w*|pwd|user\w*|login|email|token)"\s*:\s*\{\s*"\$\w+"\s*:"#;
        let of_body =
            r#"^\s*\{[^{}\[\]]*"\w+"\s*:\s*\{\s*"\$(?:(?:ne|nin|not|regex|exists)"\s*:|gte?"\s*:\s*(?:""|null))"#;
        compiled(&format!("{of_login}|{of_body}"))
    });
    holds(body, b"\"$") && OPERATOR.is_match(body)
}

/// One value, escapes and all.
fn look(raw: &[u8], place: Place, key: &HashKey, found: &mut Injections) {
    let (mut plain, mut again) = (Vec::new(), Vec::new());
    let mut value = raw;
    if memchr::memchr2(b'%', b'+', raw).is_some() {
        unescape(raw, &mut plain);
        value = &plain;
        if memchr::memchr(b'%', value).is_some() {
            unescape(value, &mut again);
            value = &again;
        }
    }
    let value = head_of(value, VALUE_BYTES);
    if is_object_with_code(value) {
        found.add(Injection::Expression);
    }
    if value.len() < SHORTEST || !may_hold_code(value) {
        return;
    }
    let bare = without_comments(value);
    let is_statement = STATEMENTS.iter().any(|word| starts_with_word(&bare, word));
    let lists = match place {
        Place::Target | Place::Field => 3,
        // What has lines is a document: what people write about code is quoted in it.
        Place::Body if memchr::memchr(b'\n', value.trim_ascii()).is_none() => 2,
        Place::Body | Place::Other => 1,
    };
    let bytes = ByteSet::of(&bare);
    for pattern in PATTERNS[..lists].iter().flatten() {
        let is_meant = pattern.kind != Injection::Query || !is_statement;
        if is_meant && !found.contains(pattern.kind) && pattern.is_in(&bare, &bytes) {
            found.add(pattern.kind);
        }
    }
    if matches!(place, Place::Target | Place::Body) {
        address::look(value, key, found);
    }
}

/// `';--`
const SHORTEST: usize = 4;

/// How objects begin that programs wrote in base64: pickles of Python, streams of Java and of .NET.
const OBJECTS: [&[u8]; 8] = [b"Y29zCn", b"Y3Bvc2l4", b"gAJ", b"gAN", b"gAS", b"gAW", b"rO0AB", b"AAEAAAD"];

/// Whether a value is an object of which the classes run something while it is read.
fn is_object_with_code(value: &[u8]) -> bool {
    if !OBJECTS.iter().any(|beginning| value.starts_with(beginning)) {
        return false;
    }
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = head_of(value, VALUE_BYTES).iter().take_while(is_digit).count();
    STANDARD.decode(&value[..digits & !3]).is_ok_and(|object| OBJECT_CODE.is_match(&object)) // of the value's digits
}

/// What begins with them is a whole statement: there are APIs that take those.
const STATEMENTS: [&[u8]; 6] = [b"select", b"with", b"explain", b"insert", b"update", b"delete"];

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    let Some((head, rest)) = text.trim_ascii_start().split_at_checked(word.len()) else { return false };
    head.eq_ignore_ascii_case(word) && rest.first().is_some_and(u8::is_ascii_whitespace)
}

/// Comments of SQL stand for spaces: `UNION/**/SELECT`. MySQL reads what is in `/*!50000UNION*/`.
fn without_comments(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !holds(value, b"/*") || !holds(value, b"*/") {
        return value.into();
    }
    let mut bare = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest, b"/*") {
        let Some(length) = memchr::memmem::find(&rest[start + 2..], b"*/") else { break };
        let comment = &rest[start + 2..][..length];
        bare.extend_from_slice(&rest[..start]);
        bare.push(b' ');
        if let Some(code) = comment.strip_prefix(b"!") {
            bare.extend(code.iter().skip_while(|byte| byte.is_ascii_digit()));
            bare.push(b' ');
        }
        rest = &rest[start + 2 + length + 2..];
    }
    bare.extend_from_slice(rest);
    bare.into()
}

#[cfg(test)]
mod tests;
