//! Who sent a request: the client's address and the principal behind its credentials.

use super::snapshot::Settings;
use crate::hash::{HashKey, HashedMap};
use crate::http::{Field, Head};
use crate::inspect::{self, Caller, Injections};
use crate::rule::ApiNames;
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Kinds of credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    Basic,
    Bearer,
    ApiKey,
    Session,
}

impl CredentialKind {
    pub const ALL: [CredentialKind; 4] =
        [CredentialKind::Basic, CredentialKind::Bearer, CredentialKind::ApiKey, CredentialKind::Session];

    pub fn name(self) -> &'static str {
        match self {
            CredentialKind::Basic => "basic",
            CredentialKind::Bearer => "bearer",
            CredentialKind::ApiKey => "api_key",
            CredentialKind::Session => "session",
        }
    }
}

/// The credentials of one request. Values are keyed hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credentials {
    pub kind: CredentialKind,
    pub principal: u64,
    /// User name and password, where they go with each request: of Basic authentication, or of the message.
    pub basic: Option<Caller>,
    /// It outlives sessions: an API key, a Basic account, a token that is no person's.
    pub is_lasting: bool,
    /// Code in what the head of a token says of its key.
    pub code: Injections,
}

impl Credentials {
    /// The principal of every token that nobody signed.
    pub const UNSIGNED: u64 = u64::from_be_bytes(*b"unsigned");

    /// Those of a user name and a password.
    pub fn of_caller(caller: Caller) -> Credentials {
        let (principal, basic, code) = (caller.user, Some(caller), Injections::default());
        Credentials { kind: CredentialKind::Basic, principal, basic, is_lasting: true, code }
    }

    pub fn is_unsigned(&self) -> bool {
        self.principal == Credentials::UNSIGNED
    }
}

/// What a token was found to be.
#[derive(Clone, Copy)]
struct Token {
    principal: u64,
    is_lasting: bool,
    code: Injections,
}

/// Entries of each memory below; at the bound it is emptied. It only saves work: what it answers is a pure function.
const REMEMBERED: usize = 4096;

/// Remembers what tokens and cookie names were found to be, so that a long-lived one is taken apart once.
#[derive(Default)]
pub struct Memory {
    bearers: HashedMap<Token>,
    cookies: HashMap<Box<[u8]>, bool>,
    /// When lasting credentials were seen last.
    seen: HashedMap<Timestamp>,
}

/// What was seen so lately is no news.
const LATELY: Duration = Duration::from_secs(3600);

impl Memory {
    /// Whether a credential was not seen lately; from now on it was. It may have been, elsewhere or before the bound: it only
    /// chooses which transactions are shown.
    pub fn is_news(&mut self, credentials: &Credentials, now: Timestamp) -> bool {
        if let Some(last) = self.seen.get_mut(&credentials.principal) {
            return now.since(std::mem::replace(last, now)) >= LATELY;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(credentials.principal, now);
        true
    }
}

/// The credentials a request carries; the most specific kind where there are several.
pub fn credentials_of(
    head: &Head,
    query: Option<&str>,
    names: &ApiNames,
    key: &HashKey,
    memory: &mut Memory,
) -> Option<Credentials> {
    if let Some(value) = head.get(Field::Authorization)
        && let Some(found) = authorization(value, key, memory)
    {
        return Some(found);
    }
    let by_key = |value: &[u8]| Credentials {
        kind: CredentialKind::ApiKey,
        principal: key.secret("api_key", value),
        basic: None,
        is_lasting: true,
        code: Injections::default(),
    };
    let of_the_site = || names.has_api_key_headers().then(|| head.find(|name| names.is_api_key_header(name))).flatten();
    if let Some(value) = head.get(Field::ApiKey).or_else(of_the_site).filter(|value| !value.is_empty()) {
        return Some(by_key(value));
    }
    if let Some(query) = query {
        let named = super::url::QueryParameters::of(query)
            .find(|(name, value)| !value.is_empty() && names.is_api_key_parameter(name));
        if let Some((_, value)) = named {
            return Some(by_key(value.as_bytes()));
        }
    }
    session_cookie(head, names, memory).map(|value| Credentials {
        kind: CredentialKind::Session,
        principal: key.secret("session", value),
        basic: None,
        is_lasting: false,
        code: Injections::default(),
    })
}

fn authorization(value: &[u8], key: &HashKey, memory: &mut Memory) -> Option<Credentials> {
    let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
        Some(space) => (&value[..space], value[space..].trim_ascii()),
        // A token or a key without a scheme; a scheme alone is shorter.
        None if value.len() >= SHORTEST_BARE => (&b"bearer"[..], value),
        None => return None,
    };
    if rest.is_empty() {
        return None;
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = STANDARD.decode(rest).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let user = crate::inspect::user_hash(&decoded[..colon], key);
        let password = Some(key.secret("password", &decoded[colon + 1..]));
        return Some(Credentials::of_caller(Caller { user, password }));
    }
    if let Some(signer) = signer_of(scheme, rest, key) {
        return Some(signer);
    }
    // Every other scheme carries something that stands for the caller: Bearer, Token, Negotiate ...
    let hash = key.hash(rest);
    let Token { principal, is_lasting, code } = match memory.bearers.get(&hash) {
        Some(known) => *known,
        None => {
            let known = token_of(scheme, rest, key);
            if memory.bearers.len() >= REMEMBERED {
                memory.bearers.clear();
            }
            memory.bearers.insert(hash, known);
            known
        }
    };
    Some(Credentials { kind: CredentialKind::Bearer, principal, basic: None, is_lasting, code })
}

/// Who signs a request, where a scheme says so: the signature beside it is another one each time.
fn signer_of(scheme: &[u8], rest: &[u8], key: &HashKey) -> Option<Credentials> {
    let is = |names: &[&[u8]]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is(&[b"digest"]) {
        // RFC 7616, §3.4: the password itself is not there to be compared.
        let user = inspect::user_hash(parameter(rest, b"username")?, key);
        return Some(Credentials::of_caller(Caller { user, password: None }));
    }
    let id = if is(&NAMED_BEFORE_COLON) {
        rest.split(|byte| *byte == b':').next()?
    } else if scheme.len() > SIGV4.len() && scheme[scheme.len() - SIGV4.len()..].eq_ignore_ascii_case(SIGV4) {
        parameter(rest, b"Credential")?.split(|byte| *byte == b'/').next()?
    } else {
        let (_, name) = SIGNER_PARAMETERS.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known))?;
        parameter(rest, name)?
    };
    let is_lasting = !id.starts_with(AWS_SESSION_KEY);
    let (kind, principal) = (CredentialKind::ApiKey, key.secret("api_key", id));
    (!id.is_empty()).then_some(Credentials { kind, principal, basic: None, is_lasting, code: Injections::default() })
}

/// How schemes end that sign as AWS does since its version 4: `AWS4-HMAC-SHA256`, `GOOG4-HMAC-SHA256`, `TC3-HMAC-SHA256`.
const SIGV4: &[u8] = b"-HMAC-SHA256";
/// Schemes that sign as `id:signature`.
const NAMED_BEFORE_COLON: [&[u8]; 6] = [b"AWS", b"SharedKey", b"SharedKeyLite", b"GOOG1", b"OSS", b"APIAuth"];
/// Schemes that name the signer in a parameter.
const SIGNER_PARAMETERS: [(&[u8], &[u8]); 5] =
    [(b"Signature", b"keyId"), (b"Hawk", b"id"), (b"MAC", b"id"), (b"HMAC", b"username"), (b"OAuth", b"oauth_token")];
/// How identifiers of AWS begin that last for hours.
const AWS_SESSION_KEY: &[u8] = b"ASIA";

/// The value of a parameter of credentials (RFC 9110, §11.2), without its quotes.
fn parameter<'v>(list: &'v [u8], wanted: &[u8]) -> Option<&'v [u8]> {
    let mut is_quoted = false;
    let parts = list.split(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    });
    parts.map(<[u8]>::trim_ascii).find_map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        let unquoted = || value.strip_prefix(b"\"")?.strip_suffix(b"\"");
        name.eq_ignore_ascii_case(wanted).then(|| unquoted().unwrap_or(value))
    })
}

/// Whether a link is signed: whoever has it may follow it, and it names nobody. As S3, Google, Azure and CloudFront sign.
pub fn is_signed_link(query: &str) -> bool {
    let has = |wanted: &str, least: usize| {
        let mut parameters = super::url::QueryParameters::of(query);
        parameters.any(|(name, value)| name.eq_ignore_ascii_case(wanted) && value.len() >= least)
    };
    has("X-Amz-Signature", SIGNATURE)
        || has("X-Goog-Signature", SIGNATURE)
        || (has("sig", SIGNATURE) && has("sv", 1))
        || (has("Signature", SHORT_SIGNATURE) && (has("Key-Pair-Id", 1) || has("AWSAccessKeyId", 1)))
}

/// Shortest signature of SHA-256 in base64, and of SHA-1.
const SIGNATURE: usize = 43;
const SHORT_SIGNATURE: usize = 27;

fn token_of(scheme: &[u8], token: &[u8], key: &HashKey) -> Token {
    let Some(claims) = claims_of(token) else {
        // What proves a connection (Negotiate, NTLM), and signatures, differ from one time to the next.
        let is_lasting = OPAQUE.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        return Token { principal: key.secret("bearer", token), is_lasting, code: Injections::default() };
    };
    let head = head_of(token);
    let code = head.as_deref().map(|head| inspect::in_token_head(head, key)).unwrap_or_default();
    let (principal, is_lasting) = match subject(&claims) {
        _ if !is_signed(token, head.as_deref()) => (Credentials::UNSIGNED, false),
        Some(subject) => (key.secret("subject", subject.as_bytes()), is_machine(&claims, &subject)),
        None => (key.secret("bearer", token), false),
    };
    Token { principal, is_lasting, code }
}

/// A credential without a scheme has at least so many bytes.
const SHORTEST_BARE: usize = 16;
/// Schemes whose credential is a token that stays the same.
const OPAQUE: [&[u8]; 5] = [b"bearer", b"token", b"apikey", b"api-key", b"key"];

type Claims = serde_json::Map<String, serde_json::Value>;

/// What a JWT says (RFC 7519), read and not verified.
fn claims_of(token: &[u8]) -> Option<Claims> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let decoded = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&decoded).ok()
}

/// The head of a JWT, decoded.
fn head_of(token: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(token.split(|byte| *byte == b'.').next()?).ok()
}

/// Whether a JWT has a signature. One that says `none` (RFC 7518, §3.6), or lacks it, may say any subject: they all are one
/// principal, whoever they name.
fn is_signed(token: &[u8], head: Option<&[u8]>) -> bool {
    let signature = token.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let head: Option<Claims> = head.and_then(|head| serde_json::from_slice(head).ok());
    let algorithm = head.and_then(|head| claim(&head, "alg"));
    !signature.is_empty() && algorithm.is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("none"))
}

fn claim(claims: &Claims, name: &str) -> Option<String> {
    match claims.get(name)? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The `sub` claim (RFC 7519 §4.1.2). Client credentials tokens may name a client instead.
fn subject(claims: &Claims) -> Option<String> {
    ["sub", "client_id", "azp", "user_id", "email"].iter().find_map(|name| claim(claims, name))
}

/// Whether a token was given to a client of its own account, by the client credentials grant: its subject is the client
/// itself (RFC 9068 §2.2), or it says so. A person's comes back after any holiday.
fn is_machine(claims: &Claims, subject: &str) -> bool {
    let is_client = |name| claim(claims, name).is_some_and(|client| client == subject);
    let says_so = |name| claim(claims, name).is_some_and(|grant| grant.replace('-', "_") == "client_credentials");
    is_client("client_id") || is_client("azp") || says_so("gty") || says_so("grant_type")
}

fn session_cookie<'h>(head: &'h Head, names: &ApiNames, memory: &mut Memory) -> Option<&'h [u8]> {
    head.all(Field::Cookie).flat_map(|line| line.split(|byte| *byte == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        let is_session =
            !value.is_empty() && (is_session_cookie(name, names, memory) || (is_token(value) && !is_tracking(name)));
        is_session.then_some(value)
    })
}

/// Shortest value that is taken for a session of an unknown name: 64 bits in hexadecimal.
const TOKEN_BYTES: usize = 16;

/// An opaque value, as sessions have it: letters and digits mixed, nothing else but what base64 and JWTs need.
fn is_token(value: &[u8]) -> bool {
    value.len() >= TOKEN_BYTES
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+/%~".contains(byte))
}

/// Beginnings of cookie names of analytics, consent, load balancing and cross-site request forgery protection: opaque
/// values that every visitor has.
const TRACKING: [&[u8]; 24] = [
    b"_ga",
    b"_gid",
    b"_gat",
    b"_gcl",
    b"_fb",
    b"_hj",
    b"_pk_",
    b"__utm",
    b"ajs_",
    b"amp_",
    b"optimizely",
    b"intercom",
    b"consent",
    b"cookie",
    b"csrf",
    b"xsrf",
    b"_csrf",
    b"__cf",
    b"cf_",
    b"_uet",
    b"mp_",
    b"visitor",
    b"awsalb",
    b"device",
];

fn is_tracking(name: &[u8]) -> bool {
    TRACKING.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

fn is_session_cookie(name: &[u8], names: &ApiNames, memory: &mut Memory) -> bool {
    if let Some(known) = memory.cookies.get(name) {
        return *known;
    }
    let is_session = names.is_session_cookie(&String::from_utf8_lossy(name));
    if memory.cookies.len() >= REMEMBERED {
        memory.cookies.clear();
    }
    memory.cookies.insert(name.into(), is_session);
    is_session
}

/// True when a response opens a session: it sets a session cookie to a value.
pub fn sets_session(head: &Head, names: &ApiNames, memory: &mut Memory) -> bool {
    head.all(Field::SetCookie).any(|line| {
        let pair = line.split(|byte| *byte == b';').next().unwrap_or(&[]).trim_ascii();
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { return false };
        let value = &pair[equals + 1..];
        let is_cleared = value.is_empty() || value == b"\"\"" || value.eq_ignore_ascii_case(b"deleted");
        !is_cleared && is_session_cookie(&pair[..equals], names, memory)
    })
}

/// The address a request came from: the peer's or, where the peer is a trusted proxy, the right-most untrusted address
/// of `Forwarded` (RFC 7239) or `X-Forwarded-For`.
pub fn client_of(peer: IpAddr, head: &Head, settings: &Settings) -> IpAddr {
    if settings.trusted_proxies.is_empty() || !settings.is_trusted_proxy(peer) {
        return peer;
    }
    let forwarded = last_untrusted(head.all(Field::Forwarded), settings, |item| {
        item.split(|byte| *byte == b';').find_map(|pair| {
            let pair = pair.trim_ascii();
            let is_for = pair.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"for="));
            is_for.then(|| &pair[4..])
        })
    });
    forwarded.or_else(|| last_untrusted(head.all(Field::XForwardedFor), settings, Some)).unwrap_or(peer)
}

fn last_untrusted<'h>(
    lines: impl Iterator<Item = &'h [u8]>,
    settings: &Settings,
    node: impl Fn(&'h [u8]) -> Option<&'h [u8]>,
) -> Option<IpAddr> {
    let items: Vec<&[u8]> = lines.flat_map(|line| line.split(|byte| *byte == b',')).collect();
    let mut found = None;
    for item in items.into_iter().rev() {
        // What cannot be read breaks the chain of trust: the last address read before it is all that is known.
        let Some(address) = node(item.trim_ascii()).and_then(parse_node) else { break };
        found = Some(address);
        if !settings.is_trusted_proxy(address) {
            break;
        }
    }
    found
}

fn parse_node(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node).ok()?.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}
