//! Whether a path segment, decoded, looks like an identifier, and where in it the value lies.
//!
//! By its looks alone: one segment, no memory of others, so that every worker judges alike. Where looks do not decide
//! (`alice`, `red-shoes`, `user42`) the answer is no; the inventory learns those from their siblings. Names with digits
//! that are words of the trade (`v2.1`, `oauth2`, `sha256`, `i18n`) must not be taken for identifiers: an endpoint lost
//! in another is worse than one too many, which learning still mends.

use super::formats::{is_date, is_email, is_uuid, is_version};
use crate::inspect::is_secret_value;
use std::ops::Range;

/// What kind of value stands where a template has a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    Integer,
    Uuid,
    Ulid,
    Hex,
    Date,
    Email,
    /// Base64, nanoid, KSUID and the like: letters and digits that change class too often for words.
    Token,
    /// Digits in text, long (`INV-0004711`), or in groups (`978-3-16-148410-0`, `192.0.2.1`).
    Digits,
    /// A word that only its siblings show to be a value: known from learning, never from looks.
    Slug,
}

impl ParamKind {
    pub fn placeholder(self) -> &'static str {
        match self {
            ParamKind::Date => "{date}",
            ParamKind::Email => "{email}",
            _ => "{id}",
        }
    }

    /// Whether the placeholder is the general one, which learned values share, so that `/users/42` and `/users/alice`
    /// are one endpoint once users are known to be values.
    pub(super) fn is_id(self) -> bool {
        !matches!(self, ParamKind::Date | ParamKind::Email)
    }
}

/// A value in a segment; what surrounds it (an extension, a verb, a function name) belongs to the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: ParamKind,
    pub range: Range<usize>,
}

/// Shortest letters-only segment that may be a token: below, names in camelCase are more frequent (22 characters are
/// 128 bits of base64, 16 are 96).
const LETTER_TOKEN_BYTES: usize = 16;
/// Shortest token that mixes digits with both cases of letters (nanoid and YouTube use 10 and 11, Stripe 14).
const MIXED_TOKEN_BYTES: usize = 8;
/// From here on nothing without a separator is a word.
const WORDLESS_BYTES: usize = 48;
/// Shortest hexadecimal string taken for one without further evidence: a CRC-32 or an abbreviated commit.
const HEX_BYTES: usize = 8;
/// Digits in a row that make a value of whatever surrounds them. Four are also years and standards (`rfc7807`).
const LONG_RUN_DIGITS: usize = 5;
/// Bodies whose standards are numbered with five digits and more (`iso27001`).
const STANDARDS: [&[u8]; 5] = [b"iso", b"rfc", b"ieee", b"din", b"cve"];

const OTHER: u8 = 0;
const DIGIT: u8 = 1;
const LOWER: u8 = 2;
const UPPER: u8 = 3;
/// Punctuation that words are joined with.
const JOINER: u8 = 4;
const DOT: u8 = 5;
/// Punctuation that needs a closer look: `@`, `=`, `(`, `:`, `+` and other characters legal in a path.
const PECULIAR: u8 = 6;

const fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'z' => LOWER,
        b'A'..=b'Z' => UPPER,
        b'-' | b'_' | b'~' => JOINER,
        b'.' => DOT,
        b'@' | b'=' | b'(' | b')' | b':' | b'+' | b',' | b'!' | b'$' | b'\'' | b'*' | b'&' => PECULIAR,
        _ => OTHER,
    }
}

/// Bits of a counter; one counter for each class fits a word.
const COUNTER_BITS: u32 = 9;
/// What can be counted without overflow. Longer segments are never judged.
const MAX_COUNT: usize = (1 << COUNTER_BITS) - 1;

/// For each byte a one in the counter of its class: counting is one addition a byte.
const ONE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = 1 << (class(byte as u8) as u32 * COUNTER_BITS);
        byte += 1;
    }
    table
};

/// How many bytes of each class a segment has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    counters: u64,
    length: usize,
}

impl Looks {
    #[inline]
    pub fn of(segment: &[u8]) -> Looks {
        let counted = segment.get(..MAX_COUNT).unwrap_or(segment);
        let counters = counted.iter().fold(0, |counters, byte| counters + ONE[usize::from(*byte)]); // a table of 256
        Looks { counters, length: segment.len() }
    }

    #[inline]
    fn count(&self, class: u8) -> usize {
        (self.counters >> (u32::from(class) * COUNTER_BITS)) as usize & MAX_COUNT
    }

    /// Letters and joiners, too short for a token: what most literal segments are.
    #[inline]
    pub fn is_plain_word(&self) -> bool {
        const NOT_PLAIN: u64 = (MAX_COUNT as u64) << (DIGIT as u32 * COUNTER_BITS)
            | (MAX_COUNT as u64) << (PECULIAR as u32 * COUNTER_BITS)
            | (MAX_COUNT as u64) << (OTHER as u32 * COUNTER_BITS);
        self.counters & NOT_PLAIN == 0 && self.length < LETTER_TOKEN_BYTES
    }

    /// Percent signs, braces, control and non-ASCII bytes.
    #[inline]
    pub fn has_escapes(&self) -> bool {
        self.count(OTHER) > 0
    }

    fn letters(&self) -> usize {
        self.count(LOWER) + self.count(UPPER)
    }

    /// Punctuation of any kind.
    fn separators(&self) -> usize {
        self.count(JOINER) + self.count(DOT) + self.count(PECULIAR)
    }
}

/// The value in a segment, if it holds one.
pub(super) fn find(segment: &[u8], looks: &Looks) -> Option<Found> {
    let whole = |kind| Found { kind, range: 0..segment.len() };
    if looks.count(DIGIT) == segment.len() {
        return Some(whole(ParamKind::Integer));
    }
    if looks.count(PECULIAR) > 0 {
        if is_email(segment) {
            return Some(whole(ParamKind::Email));
        }
        if let Some(found) = key_in_parentheses(segment).or_else(|| before_verb(segment)) {
            return Some(found);
        }
    }
    if looks.count(DOT) > 0
        && let Some(found) = before_extension(segment)
    {
        return Some(found);
    }
    kind_of(segment, looks).or_else(|| is_secret_value(segment).then_some(ParamKind::Token)).map(whole)
}

/// OData keys (OData 4.01 URL conventions §4.3): `Products(42)`, `Users('alice')`.
fn key_in_parentheses(segment: &[u8]) -> Option<Found> {
    let inner_end = segment.len().checked_sub(1).filter(|end| segment.get(*end) == Some(&b')'))?;
    let open = segment.iter().position(|byte| *byte == b'(').filter(|open| *open > 0 && *open + 1 < inner_end)?;
    let inner = segment.get(open + 1..inner_end)?;
    let kind = match inner {
        [b'\'', quoted @ .., b'\''] => kind_of(quoted, &Looks::of(quoted)).unwrap_or(ParamKind::Slug),
        bare => kind_of(bare, &Looks::of(bare))?,
    };
    Some(Found { kind, range: open + 1..inner_end })
}

/// Custom methods (Google AIP-136): `42:cancel`.
fn before_verb(segment: &[u8]) -> Option<Found> {
    let colon = segment.iter().rposition(|byte| *byte == b':')?;
    let (stem, verb) = (segment.get(..colon)?, segment.get(colon + 1..)?);
    let is_verb =
        verb.len() >= 2 && verb.iter().all(u8::is_ascii_alphabetic) && !verb.iter().all(u8::is_ascii_hexdigit);
    let kind = if is_verb { kind_of(stem, &Looks::of(stem))? } else { return None };
    Some(Found { kind, range: 0..colon })
}

/// The value in a name that is known to be one by its numbers.
pub(super) fn numbered(segment: &[u8]) -> Found {
    Found { kind: ParamKind::Digits, range: 0..stem(segment) }
}

/// Where the value ends in a name that is one by its numbers: before the extensions behind the last of them.
pub(super) fn stem(segment: &[u8]) -> usize {
    let mut end = segment.len();
    for _ in 0..2 {
        let Some(dot) = segment[..end].iter().rposition(|byte| *byte == b'.') else { break }; // `end` is at most its length
        if !is_extension(&segment[dot + 1..end]) || !segment[..dot].iter().any(u8::is_ascii_digit) {
            break;
        }
        end = dot;
    }
    end
}

fn is_extension(text: &[u8]) -> bool {
    (1..=5).contains(&text.len()) && text[0].is_ascii_alphabetic() && text.iter().all(u8::is_ascii_alphanumeric)
}

/// `123.pdf`, `123.tar.gz`: the stem is the value, the extensions stay.
fn before_extension(segment: &[u8]) -> Option<Found> {
    let mut end = segment.len();
    for _ in 0..2 {
        let dot = segment.get(..end)?.iter().rposition(|byte| *byte == b'.')?;
        if dot == 0 || !is_extension(segment.get(dot + 1..end)?) {
            return None;
        }
        let stem = segment.get(..dot)?;
        if let Some(kind) = kind_of(stem, &Looks::of(stem)) {
            return Some(Found { kind, range: 0..dot });
        }
        end = dot;
    }
    None
}

/// The kind of a value without surroundings.
fn kind_of(value: &[u8], looks: &Looks) -> Option<ParamKind> {
    if value.is_empty() {
        return None;
    }
    let (digits, letters) = (looks.count(DIGIT), looks.letters());
    if digits == value.len() {
        return Some(ParamKind::Integer);
    }
    if digits == 0 {
        return letters_only(value, looks);
    }
    if is_version(value) {
        return None;
    }
    if is_uuid(value) {
        return Some(ParamKind::Uuid);
    }
    if is_date(value) {
        return Some(ParamKind::Date);
    }
    if letters == 0 {
        return digit_groups(value, digits);
    }
    if is_hex(value, digits) {
        return Some(ParamKind::Hex);
    }
    if is_ulid(value, looks) {
        return Some(ParamKind::Ulid);
    }
    let is_padded = value.len() >= MIXED_TOKEN_BYTES && value.ends_with(b"=");
    if is_padded || is_random(value, looks) || value.split(|b| is_separator(*b)).any(is_opaque_piece) {
        return Some(ParamKind::Token);
    }
    has_long_digits(value).then_some(ParamKind::Digits)
}

/// Tokens that happen to hold no digit; padding is no word either.
fn letters_only(value: &[u8], looks: &Looks) -> Option<ParamKind> {
    if is_email(value) {
        return Some(ParamKind::Email);
    }
    let is_padded = value.len() >= MIXED_TOKEN_BYTES && value.ends_with(b"=");
    let is_wordless = value.len() >= WORDLESS_BYTES && looks.letters() == value.len();
    let is_mixed =
        looks.count(LOWER) > 0 && looks.count(UPPER) > 0 && (looks.count(JOINER) + looks.count(DOT)) * 8 <= value.len();
    let is_random = value.len() >= LETTER_TOKEN_BYTES
        && is_mixed
        && class_changes(value) >= 2
        && letters_in_words(value) * 2 < value.len();
    (is_padded || is_wordless || is_random).then_some(ParamKind::Token)
}

fn is_separator(byte: u8) -> bool {
    matches!(class(byte), JOINER | DOT | PECULIAR)
}

/// Changes between digits, lower and upper case next to each other; a capital before a small letter begins a word and
/// is none. Random base62 changes at about half its places, camelCase at every fifth.
fn class_changes(value: &[u8]) -> usize {
    let is_change = |pair: &[u8]| match pair {
        [first, second] => {
            let (first, second) = (class(*first), class(*second));
            let is_alphanumeric = |class| matches!(class, DIGIT | LOWER | UPPER);
            is_alphanumeric(first) && is_alphanumeric(second) && first != second && (first, second) != (UPPER, LOWER)
        }
        _ => false,
    };
    value.windows(2).filter(|pair| is_change(pair)).count()
}

/// How many letters stand in what may be words: a run of one case, a capital before it allowed, of three letters and
/// more of which a quarter are vowels. Of `getUserById2` seven, of `dQw4w9WgXcQ` none.
fn letters_in_words(value: &[u8]) -> usize {
    let (mut in_words, mut rest) = (0, value);
    while let Some(first) = rest.first() {
        let run_of = |class_of_run: u8, from: usize| {
            from + rest.get(from..).unwrap_or_default().iter().take_while(|b| class(**b) == class_of_run).count()
        };
        let length = match class(*first) {
            LOWER => run_of(LOWER, 0),
            UPPER if rest.get(1).is_some_and(|b| class(*b) == LOWER) => run_of(LOWER, 1),
            UPPER => run_of(UPPER, 0),
            _ => 0,
        };
        let (word, after) = rest.split_at(length.max(1)); // `rest` is not empty, and a run lies within it
        rest = after;
        let vowels = word.iter().filter(|b| b"aeiouAEIOU".contains(b)).count();
        if length >= 3 && vowels * 4 >= length {
            in_words += length;
        }
    }
    in_words
}

/// Letters and digits that change class more often than words do, and are few words. Needs at least one digit.
fn is_random(value: &[u8], looks: &Looks) -> bool {
    let separators = looks.separators();
    if value.len() < MIXED_TOKEN_BYTES || separators * 4 > value.len() || looks.has_escapes() {
        return false;
    }
    let changes = class_changes(value);
    let is_mixed_case = looks.count(LOWER) > 0 && looks.count(UPPER) > 0;
    let enough_changes = if is_mixed_case { 3 } else { 4 };
    (changes >= enough_changes && changes * 6 >= value.len() && letters_in_words(value) * 2 < value.len())
        || (value.len() >= WORDLESS_BYTES && separators == 0)
}

/// A part between separators that is an identifier in itself, such as behind the prefix of `cus_9s6XKzkNRiz8i3`.
fn is_opaque_piece(piece: &[u8]) -> bool {
    let looks = Looks::of(piece);
    let digits = looks.count(DIGIT);
    digits > 0 && digits < piece.len() && (is_hex(piece, digits) || is_ulid(piece, &looks) || is_random(piece, &looks))
}

/// 26 characters of Crockford's base 32, of one case; the first holds three bits (github.com/ulid/spec).
fn is_ulid(value: &[u8], looks: &Looks) -> bool {
    value.len() == 26
        && matches!(value.first(), Some(b'0'..=b'7'))
        && (looks.count(LOWER) == 0 || looks.count(UPPER) == 0)
        && value
            .iter()
            .all(|b| b.is_ascii_alphanumeric() && !matches!(b.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U'))
}

fn is_hex(value: &[u8], digits: usize) -> bool {
    if let Some(number) = value.strip_prefix(b"0x").or_else(|| value.strip_prefix(b"0X")) {
        return !number.is_empty() && number.iter().all(u8::is_ascii_hexdigit);
    }
    // Short ones must look stirred: `a1b2c3` is one, `abc123` and `face2` may be names.
    let is_long_enough = value.len() >= HEX_BYTES || (value.len() >= 6 && digits >= 2 && class_changes(value) >= 3);
    is_long_enough && value.iter().all(u8::is_ascii_hexdigit)
}

/// Digits and punctuation without a letter: numbers with a sign or a fraction, lists, IPv4 addresses, ISBNs, telephone
/// numbers. `24-7` and the like are too short to tell.
fn digit_groups(value: &[u8], digits: usize) -> Option<ParamKind> {
    if let [b'-' | b'+', number @ ..] = value
        && number.len() == digits
    {
        return Some(if digits <= 10 { ParamKind::Integer } else { ParamKind::Digits });
    }
    let is_group_punctuation =
        |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b',' | b':' | b'_' | b'+' | b' ');
    if !value.iter().all(is_group_punctuation) {
        return None;
    }
    let is_list = value.contains(&b',');
    (is_list || digits >= 4).then_some(ParamKind::Digits)
}

/// A run of digits too long for a name, or four with a prefix of their own (`ORD-1234`, `SKU1234`).
fn has_long_digits(value: &[u8]) -> bool {
    let is_standard = |before: &[u8]| STANDARDS.iter().any(|standard| before.eq_ignore_ascii_case(standard));
    let (mut at, mut pieces_before) = (0, 0);
    while let Some(byte) = value.get(at) {
        let run = value.get(at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        if run == 0 {
            pieces_before += usize::from(is_separator(*byte));
            at += 1;
            continue;
        }
        let before = value.get(..at).unwrap_or_default();
        let is_last = at + run == value.len();
        let year = value.get(at..at + 2).is_some_and(|century| run == 4 && matches!(century, b"19" | b"20"));
        let has_own_prefix = match before {
            [prefix @ .., b'-' | b'_' | b':' | b'.'] => pieces_before == 1 && !prefix.is_empty(),
            prefix => {
                pieces_before == 0
                    && !prefix.is_empty()
                    && prefix.len() <= 4
                    && prefix.iter().all(u8::is_ascii_uppercase)
            }
        };
        let prefix = before.strip_suffix(b"-").unwrap_or(before);
        if !is_standard(prefix) && (run >= LONG_RUN_DIGITS || (run == 4 && is_last && has_own_prefix && !year)) {
            return true;
        }
        at += run;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParamKind::*;

    fn found(segment: &str) -> Option<(ParamKind, &str)> {
        let found = find(segment.as_bytes(), &Looks::of(segment.as_bytes()))?;
        Some((found.kind, &segment[found.range]))
    }

    fn kind(segment: &str) -> Option<ParamKind> {
        found(segment).filter(|(_, value)| *value == segment).map(|(kind, _)| kind)
    }

    #[test]
    fn words_of_the_trade_are_no_identifiers() {
        let words = "v1 v2.1 V3 v1beta2 v1alpha v2.0.1 v1p1 1.1 2.0 2.0.3 oauth2 s3 2fa ipv4 ipv6 mp3 mp4 sha256 sha1 \
            md5 base64 i18n l10n web3 utf8 utf-8 x509 k8s h264 ec2 pkcs12 win32 x86_64 iso8601 iso27001 rfc3339 rfc7807 \
            rfc-7807 3ds2 p2p b2b 24x7 24-7 covid19 covid-19 log4j area51 top-10 step-2 page_3 world-cup-2022 report2024 \
            best-of-2024-edition getUserById2 userProfileV2 findAllByNameAndStatus listV2beta1 api2 user42 alice \
            red-shoes a b2 deadbeef facade decade .well-known robots.txt index.html sitemap.xml app.min.js me self \
            openid-configuration password-reset-confirmation-email-template ListObjectsV2 graphql users @scope \
            accounts:batchGet documents:commit InternationalizationSettings CustomerAccountManagementSystem \
            how-to-use-web3-in-2024 x-ray-3d mp3tomp4 office365 catch22 http2 tls1.3 tls12 a-z 0auth 3d-secure-2";
        for word in words.split_whitespace() {
            assert_eq!(found(word), None, "{word}");
        }
    }

    #[test]
    fn identifiers_are_known_by_their_looks() {
        for (segment, expected) in [
            ("42", Integer),
            ("0", Integer),
            ("-7", Integer),
            ("98765432109876543210", Integer),
            ("550e8400-e29b-41d4-a716-446655440000", Uuid),
            ("550E8400-E29B-41D4-A716-446655440000", Uuid),
            ("{550e8400-e29b-41d4-a716-446655440000}", Uuid),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Ulid),
            ("01arz3ndektsv4rrffq69g5fav", Ulid),
            ("507f1f77bcf86cd799439011", Hex),
            ("9e107d9d372bb6826bd81d3542a419d6", Hex),
            ("3f2a1b9c", Hex),
            ("a1b2c3", Hex),
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", Hex),
            ("2024-01-01", Date),
            ("2024-01-01T10:00:00Z", Date),
            ("2024-01-01T10:00:00.123+02:00", Date),
            ("2024_12_31", Date),
            ("2024-02", Date),
            ("2024-W07", Date),
            ("2024-Q3", Date),
            ("31.12.2024", Date),
            ("bob@example.com", Email),
            ("bob.b+x@mail.example.co.uk", Email),
            ("dQw4w9WgXcQ", Token),
            ("V1StGXR8_Z5jdHi6B-myT", Token),
            ("cus_9s6XKzkNRiz8i3", Token),
            ("cjld2cjxh0000qzrmn831i7rn", Token),
            ("0ujsswThIGTUYm2K8FjOOfXtY1K", Token),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", Token),
            ("YWxpY2U=", Token),
            ("TWFueSBoYW5kcyBtYWtl", Token),
            ("user_550e8400-e29b-41d4-a716-446655440000", Token),
            ("order:abc123def456", Token),
            ("JBSWY3DPEHPK3PXP", Token),
            ("AKIAIOSFODNN7EXAMPLE", Token),
            ("INV-0004711", Digits),
            ("ORD-1234", Digits),
            ("SKU1234", Digits),
            ("user12345", Digits),
            ("my-article-title-123456", Digits),
            ("978-3-16-148410-0", Digits),
            ("192.0.2.1", Digits),
            ("+61412345678", Digits),
            ("1,2,3", Digits),
            ("-33.8688,151.2093", Digits),
        ] {
            assert_eq!(kind(segment), Some(expected), "{segment}");
        }
    }

    #[test]
    fn what_surrounds_a_value_stays_in_the_template() {
        assert_eq!(found("123.pdf"), Some((Integer, "123")));
        assert_eq!(found("123.tar.gz"), Some((Integer, "123")));
        assert_eq!(found("12345.json"), Some((Integer, "12345")));
        assert_eq!(
            found("550e8400-e29b-41d4-a716-446655440000.mp3"),
            Some((Uuid, "550e8400-e29b-41d4-a716-446655440000"))
        );
        assert_eq!(found("main.3f2a1b9c.js"), Some((Token, "main.3f2a1b9c")));
        assert_eq!(found("42:cancel"), Some((Integer, "42")));
        assert_eq!(found("Products(42)"), Some((Integer, "42")));
        assert_eq!(found("Users('alice')"), Some((Slug, "'alice'")));
        assert_eq!(found("calculate(x)"), None);
    }

    #[test]
    fn random_tokens_of_usual_length_are_found_nearly_always() {
        let (mut state, mut missed) = (0x9e37_79b9_7f4a_7c15_u64, [0; 3]);
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for _ in 0..10_000 {
            for (at, length) in [11, 16, 22].into_iter().enumerate() {
                let token: Vec<u8> = (0..length).map(|_| alphabet[random(alphabet.len())]).collect();
                missed[at] += usize::from(find(&token, &Looks::of(&token)).is_none());
            }
        }
        assert!(missed[0] < 2600 && missed[1] < 700 && missed[2] < 350, "of 10,000 each: {missed:?}");
    }
}
