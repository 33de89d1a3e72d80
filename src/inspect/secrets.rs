//! Secrets that give themselves away: JWTs, PEM private keys, API keys with their issuer's prefix, password hashes; and what a field's name
//! makes one.

use super::class::DataClass;
use super::field::Hint;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A prefix that an issuer gives its keys, and the shape of what follows.
struct Prefix {
    text: &'static [u8],
    /// Fewest bytes of `alphabet` behind the prefix.
    least: usize,
    alphabet: Alphabet,
}

#[derive(Clone, Copy)]
enum Alphabet {
    /// Upper-case letters and digits.
    Upper,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// Hexadecimal, lower case.
    Hex,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Alnum => byte.is_ascii_alphanumeric(),
            Alphabet::Word => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
            Alphabet::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
        }
    }
}

const fn prefix(text: &'static [u8], least: usize, alphabet: Alphabet) -> Prefix {
    Prefix { text, least, alphabet }
}

/// The issuers' published prefixes (as GitHub's and GitLab's secret scanning list them).
const PREFIXES: [Prefix; 37] = [
    prefix(b"AKIA", 16, Alphabet::Upper),
    prefix(b"ASIA", 16, Alphabet::Upper),
    prefix(b"AIza", 35, Alphabet::Word),
    prefix(b"ghp_", 36, Alphabet::Alnum),
    prefix(b"gho_", 36, Alphabet::Alnum),
    prefix(b"ghu_", 36, Alphabet::Alnum),
    prefix(b"ghs_", 36, Alphabet::Alnum),
    prefix(b"ghr_", 36, Alphabet::Alnum),
    prefix(b"github_pat_", 22, Alphabet::Word),
    prefix(b"glpat-", 20, Alphabet::Word),
    prefix(b"xoxb-", 20, Alphabet::Word),
    prefix(b"xoxp-", 20, Alphabet::Word),
    prefix(b"xoxa-", 20, Alphabet::Word),
    prefix(b"xoxr-", 20, Alphabet::Word),
    prefix(b"xoxs-", 20, Alphabet::Word),
    prefix(b"xapp-", 20, Alphabet::Word),
    prefix(b"sk_live_", 16, Alphabet::Alnum),
    prefix(b"sk_test_", 16, Alphabet::Alnum),
    prefix(b"rk_live_", 16, Alphabet::Alnum),
    prefix(b"rk_test_", 16, Alphabet::Alnum),
    prefix(b"whsec_", 24, Alphabet::Alnum),
    prefix(b"sk-proj-", 32, Alphabet::Word),
    prefix(b"sk-ant-", 32, Alphabet::Word),
    prefix(b"sk-svcacct-", 32, Alphabet::Word),
    prefix(b"npm_", 36, Alphabet::Alnum),
    prefix(b"pypi-AgEI", 40, Alphabet::Word),
    prefix(b"dop_v1_", 64, Alphabet::Hex),
    prefix(b"shpat_", 32, Alphabet::Hex),
    prefix(b"shpss_", 32, Alphabet::Hex),
    prefix(b"hf_", 34, Alphabet::Alnum),
    prefix(b"ya29.", 20, Alphabet::Word),
    prefix(b"SG.", 20, Alphabet::Word),
    prefix(b"AC", 32, Alphabet::Hex),
    prefix(b"SK", 32, Alphabet::Hex),
    prefix(b"EAAA", 40, Alphabet::Alnum),
    prefix(b"dckr_pat_", 24, Alphabet::Word),
    prefix(b"hvs.", 24, Alphabet::Word),
];

/// Shortest API key with its prefix: Twilio's and Stripe's old ones; shorter words are not looked at.
const SHORTEST_KEY: usize = 18;

/// Whether the two bytes begin any secret. Part of the fast path.
#[inline]
fn may_begin(pair: &[u8; 2]) -> bool {
    matches!(
        pair,
        b"AK"
            | b"AS"
            | b"AI"
            | b"gh"
            | b"gi"
            | b"gl"
            | b"xo"
            | b"xa"
            | b"sk"
            | b"rk"
            | b"wh"
            | b"np"
            | b"py"
            | b"do"
            | b"dc"
            | b"sh"
            | b"hf"
            | b"hv"
            | b"ya"
            | b"SG"
            | b"AC"
            | b"SK"
            | b"EA"
            | b"ey"
            | b"--"
            | b"$2"
            | b"$1"
            | b"$5"
            | b"$6"
            | b"$a"
            | b"$y"
            | b"$s"
            | b"$p"
    )
}

/// Whether any word of a text, dashes between them, begins like a secret.
pub(super) fn may_begin_a_word(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'-').any(|word| word.first_chunk::<2>().is_some_and(may_begin))
}

/// The secret that begins exactly at `start`, a place with no letter or digit before it, and where it ends.
pub(super) fn secret_at(text: &[u8], start: usize) -> Option<(DataClass, usize)> {
    let rest = text.get(start..)?;
    if !may_begin(rest.first_chunk::<2>()?) {
        return None;
    }
    match rest.first()? {
        b'e' if rest.starts_with(b"eyJ") => jwt_length(rest).map(|length| (DataClass::Jwt, start + length)),
        b'-' if rest.starts_with(b"-----BEGIN ") => {
            private_key_length(rest).map(|length| (DataClass::PrivateKey, start + length))
        }
        b'$' => crypt_hash_length(rest).map(|length| (DataClass::PasswordHash, start + length)),
        _ => api_key_length(rest).map(|length| (DataClass::ApiKey, start + length)),
    }
}

fn api_key_length(rest: &[u8]) -> Option<usize> {
    if rest.get(..SHORTEST_KEY)?.contains(&b' ') {
        return None;
    }
    PREFIXES.iter().find_map(|prefix| {
        let body = rest.strip_prefix(prefix.text)?;
        let length = body.iter().take_while(|&&byte| prefix.alphabet.has(byte)).count();
        let closed = body.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        // A word of one kind of letters (`sk_live_placeholder…`, `hf_xxxx…`) is documentation.
        let body = body.get(..length)?;
        let varied = body.iter().any(u8::is_ascii_digit)
            || body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase);
        let varied = varied && body.iter().any(|byte| Some(byte) != body.first());
        (length >= prefix.least && closed && varied).then_some(prefix.text.len() + length)
    })
}

/// Three parts of base64url whose first decodes to a JSON object with an `alg` (RFC 7519, RFC 7515 §4.1.1). Only as much
/// as is here can be judged: of a longer token the head must do.
fn jwt_length(rest: &[u8]) -> Option<usize> {
    let part = |from: usize| {
        rest.get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|&&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            .count()
    };
    let header = part(0);
    if rest.get(header) != Some(&b'.') {
        return None;
    }
    let payload = part(header + 1);
    let payload_end = header + 1 + payload;
    let cut = payload_end == rest.len();
    if !cut && rest.get(payload_end) != Some(&b'.') {
        return None;
    }
    let signature = if cut { 0 } else { part(payload_end + 1) };
    let names_algorithm = decodes_to_object(rest.get(..header)?, b"\"alg\"");
    let claims = rest.get(header + 1..header + 4) == Some(b"eyJ")
        && (cut || decodes_to_object(rest.get(header + 1..payload_end)?, b"\""));
    (names_algorithm && claims).then_some(if cut { payload_end } else { payload_end + 1 + signature })
}

/// Whether base64url text decodes to what begins and ends like a JSON object and holds `member`.
fn decodes_to_object(text: &[u8], member: &[u8]) -> bool {
    let mut buffer = [0u8; 1024];
    let text = text.get(..text.len().min(1360)).unwrap_or_default(); // 1360 characters give 1020 bytes
    let Ok(length) = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer) else { return false };
    let decoded = buffer.get(..length).unwrap_or_default();
    decoded.first() == Some(&b'{') && memchr::memmem::find(decoded, member).is_some()
}

/// `-----BEGIN … PRIVATE KEY-----` (RFC 7468 §2, §10; PGP has BLOCK behind it).
fn private_key_length(rest: &[u8]) -> Option<usize> {
    let line = rest.get(..rest.len().min(64)).unwrap_or_default();
    let label = memchr::memmem::find(line, b"PRIVATE KEY")?;
    let between = line.get(b"-----BEGIN ".len()..label)?;
    between.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ').then_some(label + b"PRIVATE KEY".len())
}

/// Modular crypt format: bcrypt, MD5, SHA-256, SHA-512 crypt, yescrypt, argon2, scrypt, PBKDF2.
fn crypt_hash_length(rest: &[u8]) -> Option<usize> {
    let length = rest.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b"$./=,+-".contains(&b)).count();
    let whole = rest.get(..length)?;
    let fields = whole.iter().filter(|&&byte| byte == b'$').count();
    let bcrypt = [b"$2a$", b"$2b$", b"$2y$", b"$2x$"].iter().any(|&id| whole.starts_with(id)) && length >= 59;
    let md5 = (whole.starts_with(b"$1$") || whole.starts_with(b"$apr1$")) && length >= 25 && fields >= 3;
    let sha = (whole.starts_with(b"$5$") || whole.starts_with(b"$6$") || whole.starts_with(b"$y$"))
        && length >= 46
        && fields >= 3;
    let modern = [&b"$argon2id$"[..], b"$argon2i$", b"$argon2d$", b"$scrypt$", b"$pbkdf2"]
        .iter()
        .any(|id| whole.starts_with(id))
        && length >= 40;
    (bcrypt || md5 || sha || modern).then_some(length)
}

/// What only the field name makes a secret: a password or its hash in hexadecimal, an API key without a known prefix.
pub(super) fn promised_secret(value: &[u8], hint: Hint, response: bool) -> Option<DataClass> {
    let hashed = hint.any(Hint::HASH) || response && hint.any(Hint::PASSWORD);
    if !hashed && !hint.any(Hint::API_KEY) {
        return None;
    }
    let hex = matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) && value.iter().all(u8::is_ascii_hexdigit);
    let varied = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    if hashed && varied && (hex || django_hash(value)) {
        return Some(DataClass::PasswordHash);
    }
    if response && hint.any(Hint::PASSWORD) && is_plain_password(value) {
        return Some(DataClass::Password);
    }
    let word = value.len() >= 20
        && value.len() <= 256
        && value.iter().all(|&byte| Alphabet::Word.has(byte) || b"+/=.".contains(&byte));
    (hint.any(Hint::API_KEY) && word && varied).then_some(DataClass::ApiKey)
}

/// Shortest and longest password that is told from what else stands in a field of its name.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 4..=64;

/// Whether a value is a password as it is typed. Under the same name stand labels (`Passwort`), messages (`is too short`), rules
/// (`required|min:8`), names of either (`error.password.length`, `ERR_1001`), addresses and masks: so one word, with a digit or an `@`.
fn is_plain_password(value: &[u8]) -> bool {
    let is_constant = value.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && value.iter().any(u8::is_ascii_uppercase);
    PASSWORD_BYTES.contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_graphic() && !b"|:<>{}[]".contains(byte))
        && value.iter().any(|byte| byte.is_ascii_digit() || *byte == b'@')
        && !matches!(value.first(), Some(b'/' | b'%' | b'*'))
        && value.iter().any(|byte| Some(byte) != value.first())
        && !is_constant
}

/// `pbkdf2_sha256$…` and its siblings, as Django stores them.
fn django_hash(value: &[u8]) -> bool {
    value.starts_with(b"pbkdf2_") && value.iter().filter(|&&byte| byte == b'$').count() == 3
}
