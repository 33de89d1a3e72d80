//! Requests that carry code for what stands behind the API, or addresses that only the server reaches.
//!
//! In go a request's target, some of its fields and the head of its body; out comes which kinds of code are in them
//! ([`Injections`]). Values are taken apart and freed of their escapes first (twice, where they are escaped twice), so that what is
//! compared is what the server would read. Kinds are told by constructions that no value has by chance: a quote with a comparison
//! that is always true behind it, a path that climbs above its root, a look-up in a log's text. Words of a language alone (`select`,
//! `script`) are no sign.
//!
//! It misses: code without such constructions, what is encoded in base64 or otherwise, bodies behind their first
//! [`BODY_BYTES`], values behind their first [`VALUE_BYTES`]. It refuses nothing, and its time is linear in those bounds.

use super::form::unescape;
use super::{BodyKind, json_strings};
use crate::hash::HashKey;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
    /// A line break and a field of a head.
    HeaderLine,
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
        Injection::HeaderLine,
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
            Injection::HeaderLine => "header lines",
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
}

type Patterns = &'static [(Injection, &'static str)];

/// What each kind looks like; those of the second list count in heads only.
const ANYWHERE: Patterns = &[
    // ' OR '1'='1, 1) AND 5362=9128
    (
        Injection::Query,
        r##"(?:['"`)]|\b\d)\s*\)*\s*(?:\b(?:or|and|xor|having|where)\b|\|\||&&)\s*\(*\s*(?:not\s+)?(?:\d+\s*\)*\s*(?:=|<|>|!=|\blike\b)\s*\(*\d|'[^']*'\s*\)*\s*(?:=|<>|\blike\b)\s*\(*'|"[^"]*"\s*\)*\s*(?:=|<>|\blike\b)\s*\(*"|true\b\s*(?:--|#|;|$))"##,
    ),
    (
        Injection::Query,
        r##"\bunion\s+(?:all\s+|distinct\s+)?\(?\s*select\s+(?:null\b|\d|\*|@@|'|0x|\w+\s*\(|[\w.]+\s*,|[\w.]+\s+from\s+\w)"##,
    ),
    (
        Injection::Query,
        r##";\s*(?:drop\s+(?:table|database|schema|user)\b|delete\s+from\b|insert\s+into\b|update\s+\w+\s+set\b|alter\s+table\b|create\s+(?:table|user)\b|truncate\s+table\b|exec(?:ute)?\s+(?:xp_|sp_|master)|declare\s+@|waitfor\s+delay|select\s+(?:pg_)?sleep|shutdown\s*(?:--|;|$))"##,
    ),
    (
        Injection::Query,
        r##"(?:\b(?:select|and|or|if|when|then)\b|[;,('"|=])\s*\(*\s*(?:(?:pg_sleep|sleep|benchmark|randomblob)\s*\(\s*\d|dbms_lock\.sleep\s*\(|dbms_pipe\.receive_message\s*\()"##,
    ),
    (
        Injection::Query,
        r##"\b(?:extractvalue|updatexml|xp_cmdshell|xp_dirtree|utl_http\.request|utl_inaddr\.get_host\w+|load_file|sys_exec|sys_eval)\s*\(|\bwaitfor\s+delay\s*'|\binto\s+(?:out|dump)file\s*['"]|\binformation_schema\s*\.\s*\w|\bselect\s+@@|[(,]\s*@@version|\bxp_cmdshell\b"##,
    ),
    (Injection::Query, r##"\border\s+by\s+\d+\s*(?:--|#)|^[^'"\s]*['"]\s*\)*\s*;?\s*(?:--|#\s*$|/\*)"##),
    (
        Injection::Query,
        r##"\bselect\b[^;]+\bfrom\s+(?:pg_catalog|pg_shadow|sysobjects|sys\.|mysql\.|sqlite_master|all_tables|v\$|dual\b)"##,
    ),
    (
        Injection::Command,
        r##"(?:;|\||&&|\|\||`|\$\(|\n)\s*(?:(?:id|whoami|pwd|ifconfig|ipconfig|hostname)\s*(?:$|[;|&`)#])|cat\s+[/.~$]|ls\s+[-/]|dir\s+[a-z]:|uname\s+-|(?:wget|curl)\s+\S*(?:https?:|-)|nc\s+-|ncat\s|ping\s+-[cn]\s*\d|nslookup\s+\S+\.|sleep\s+\d+\s*(?:$|[;|&`)'"#])|timeout\s+/?t?\s*\d|powershell\b|cmd(?:\.exe)?\s+/c|/(?:usr/)?bin/\w|(?:ba)?sh\s+-[ci]|rm\s+-rf|net\s+user\b|chmod\s+[+\d])"##,
    ),
    (Injection::Command, r##"\(\)\s*\{\s*:?\s*;?\s*\}\s*;"##),
    (
        Injection::Path,
        r##"/etc/(?:passwd|shadow|group|hosts)\b|/proc/self/|\bboot\.ini\b|\bwin\.ini\b|[a-z]:[/\\]+windows[/\\]|\bweb-inf[/\\]|php://(?:filter|input)|(?:^|/)\.(?:git/config|env|aws/credentials|ssh/id_\w+)$"##,
    ),
    (
        Injection::Expression,
        r##"\$\{\s*jndi\s*:|\$\{(?:\s*(?:lower|upper|env|sys|date|java|ctx|base64)\s*:|[^}$]*::-)[^}]*\}.*:.*//|\$\{\$\{"##,
    ),
    (
        Injection::Expression,
        r##"\{\{\s*['"]?\d+['"]?\s*\*\s*['"]?\d+['"]?\s*\}\}|[$#]\{\s*\d+\s*\*\s*\d+\s*\}|<%=?\s*\d+\s*\*\s*\d+|__subclasses__|__globals__|__mro__|getruntime\(\)\s*\.\s*exec|new\s+java\.lang\.processbuilder|t\(java\.lang\.|class\.module\.classloader|#_memberaccess|%\{\s*\(?#"##,
    ),
    (
        Injection::Script,
        r##"<script[^>]*>[^<]*\b(?:alert|prompt|confirm|eval|fetch)\s*[(`]|<\w[^<>]*[\s/]on\w+\s*=\s*['"]?[^<>]*\b(?:alert|prompt|confirm|eval|fetch)\s*[(`]|javascript\s*:\S*\b(?:alert|prompt|confirm|eval)\s*[(`]|document\s*\.\s*cookie"##,
    ),
    (Injection::Entity, r##"<!entity\s+%?\s*\S+\s+(?:system|public)\s|<!doctype[^>\[]*\[\s*<!entity"##),
];
const IN_HEADS: Patterns = &[
    (Injection::Path, r##"(?:\.\.[/\\]){2}|\.\.;/|\.{4}//|\.\.(?:\xc0\xaf|%c0%af)|\x00\.?\w{0,4}$"##),
    (Injection::Script, r##"<script\b|<(?:svg|img|body|iframe|input|video|audio|details|a|div)\b[^>]*[\s/]on\w+\s*="##),
    (
        Injection::HeaderLine,
        r##"[\r\n]\s*(?:set-cookie|location|content-length|content-type|x-[\w-]+)\s*:|[\r\n]+http/1\."##,
    ),
];

/// The lists with their patterns compiled, each for itself: one automaton of all grows without end at random input, and then is slow.
static PATTERNS: LazyLock<[Vec<(Injection, Regex)>; 2]> = LazyLock::new(|| {
    [ANYWHERE, IN_HEADS].map(|list| list.iter().map(|(kind, pattern)| (*kind, compiled(pattern))).collect())
});

fn compiled(pattern: &str) -> Regex {
    let regex = RegexBuilder::new(pattern).case_insensitive(true).unicode(false).dot_matches_new_line(true).build();
    regex.expect("patterns are constants, and a test compiles them")
}

/// Whether a target is worth taking apart: nearly none is, and every request comes through here.
fn is_odd(raw: &[u8]) -> bool {
    // Without a way out before the end: so it takes many bytes at a time.
    let [has_mark, has_pair] = raw.iter().fold([false; 2], |[mark, pair], byte| {
        let is_mark = matches!(byte, b'%' | b'\'' | b'"' | b'<' | b'|' | b'`' | b'$' | b'{' | b'\\');
        [mark | is_mark, pair | matches!(byte, b'.' | b':')]
    });
    has_mark || has_pair && (holds(raw, b"..") || holds(raw, b"://"))
}

/// Whether a value without escapes may hold anything.
fn may_hold_code(value: &[u8]) -> bool {
    let is_mark = |byte: &u8| {
        matches!(byte, b'\'' | b'"' | b'<' | b'|' | b'`' | b'$' | b'{' | b'\\' | b';' | b'(' | b'*' | 0..=b' ')
    };
    value.iter().any(is_mark) || [&b".."[..], b"://", b"/etc/", b"/."].iter().any(|part| holds(value, part))
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
    if may_be {
        look(head_of(value, FIELD_BYTES), Place::Field, key, &mut found);
    }
    found
}

/// What the head of a request's body carries.
pub(super) fn in_body(kind: BodyKind, body: &[u8], key: &HashKey) -> Injections {
    let mut found = Injections::default();
    let body = text_of(body);
    match kind {
        BodyKind::Json => {
            json_strings(body, |text, is_name| {
                if !is_name {
                    look(text, Place::Body, key, &mut found);
                }
            });
            if has_operator_in_login(body) {
                found.add(Injection::Query);
            }
        }
        BodyKind::Form => body.split(|byte| *byte == b'&').for_each(|piece| pair(piece, Place::Body, key, &mut found)),
        BodyKind::Xml | BodyKind::Html | BodyKind::Multipart | BodyKind::Text => {
            look(body, Place::Body, key, &mut found);
        }
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

/// `"password": {"$ne": null}`.
fn has_operator_in_login(body: &[u8]) -> bool {
    static OPERATOR: LazyLock<Regex> =
        LazyLock::new(|| compiled(r#""(?:pass\w*|pwd|user\w*|login|email|token)"\s*:\s*\{\s*"\$\w+"\s*:"#));
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
    if value.len() < SHORTEST || !may_hold_code(value) {
        return;
    }
    let bare = without_comments(value);
    let lists = &PATTERNS[..if place == Place::Body { 1 } else { 2 }]; // there are two
    for (kind, pattern) in lists.iter().flatten() {
        if !found.contains(*kind) && pattern.is_match(&bare) {
            found.add(*kind);
        }
    }
    if place != Place::Field {
        address_in(value, key, found);
    }
}

/// `';--`
const SHORTEST: usize = 4;

/// Comments of SQL stand for spaces: `UNION/**/SELECT`.
fn without_comments(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !holds(value, b"/*") || !holds(value, b"*/") {
        return value.into();
    }
    let mut bare = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest, b"/*") {
        let Some(length) = memchr::memmem::find(&rest[start + 2..], b"*/") else { break };
        bare.extend_from_slice(&rest[..start]);
        bare.push(b' ');
        rest = &rest[start + 2 + length + 2..];
    }
    bare.extend_from_slice(rest);
    bare.into()
}

/// Names under which clouds answer their machines.
const METADATA_HOSTS: [&str; 4] =
    ["metadata.google.internal", "metadata.azure.internal", "instance-data", "metadata.tencentyun.com"];
/// Addresses under which they do (AWS, GCP, Azure, Oracle; Alibaba; ECS tasks; AWS over IPv6).
const METADATA_ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// Schemes that no API asks for and that libraries follow.
const STRANGE_SCHEMES: [&str; 6] = ["gopher", "dict", "tftp", "jar", "netdoc", "expect"];
/// Folders of a server: apps name their own files by `file:`, too.
const SYSTEM_FOLDERS: [&str; 5] = ["/etc/", "/proc/", "/root/", "/var/", "/c:"];

/// A value that is an address which the server is to go to.
fn address_in(value: &[u8], key: &HashKey, found: &mut Injections) {
    let Some(text) = std::str::from_utf8(value.trim_ascii()).ok() else { return };
    let Some((scheme, rest)) = text.split_once("://") else { return };
    let is_one_of = |names: &[&str]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let is_file = is_one_of(&["file"]) && SYSTEM_FOLDERS.iter().any(|folder| rest.starts_with(folder));
    if is_file || is_one_of(&STRANGE_SCHEMES) {
        return found.add(Injection::HiddenAddress);
    }
    if !is_one_of(&["http", "https", "ftp", "ws", "wss"]) {
        return;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((inner, _)) => inner,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let (address, is_disguised) = match address_of(&host) {
        Some(read) => read,
        None if METADATA_HOSTS.contains(&&*host) => return found.add(Injection::HiddenAddress),
        None if host == "localhost" || host.ends_with(".localhost") => (IpAddr::V4(Ipv4Addr::LOCALHOST), false),
        None => return,
    };
    if METADATA_ADDRESSES.contains(&address) || is_disguised {
        found.add(Injection::HiddenAddress);
    } else if is_inner(address) {
        found.add(Injection::InnerAddress);
        found.inner_address = found.inner_address.or(Some(key.hash(authority.as_bytes())));
    }
}

/// The address that a host is, and whether it is written so that a filter does not know it: in one number, in octal or hexadecimal
/// parts (as `inet_aton` reads them), or mapped into IPv6.
fn address_of(host: &str) -> Option<(IpAddr, bool)> {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let mapped = address.to_ipv4_mapped();
            return Some(mapped.map_or((IpAddr::V6(address), false), |inner| (IpAddr::V4(inner), true)));
        }
        Ok(address) => return Some((address, false)),
        Err(_) => {}
    }
    let mut parts = host.split('.').map(|part| {
        let (digits, radix) = match part.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (part, 8),
            None => (part, 10),
        };
        u32::from_str_radix(digits, radix).ok()
    });
    let mut numbers = [0u32; 4];
    let mut count = 0;
    for number in &mut numbers {
        let Some(part) = parts.next() else { break };
        *number = part?;
        count += 1;
    }
    if parts.next().is_some() || count == 0 {
        return None;
    }
    let last = numbers[count - 1]; // count is 1 to 4
    let heads = numbers[..count - 1].iter().enumerate(); // as above
    let high = heads.fold(0u32, |sum, (at, part)| sum | (part & 0xff) << (24 - 8 * at));
    Some((IpAddr::V4(Ipv4Addr::from(high | last)), true))
}

fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
#[path = "injection_tests.rs"]
mod tests;
