//! The endpoint template of a path: `/v1/users/42/orders/2024-01-01` becomes `/v1/users/{id}/orders/{date}`.
//!
//! In: the path of a request as it was on the wire. Out, in a [`TemplateBuf`] that is reused: the template and the
//! values that stood where it has parameters. A segment is a parameter by its looks (`identifier`) or because the
//! inventory has learned so ([`LearnedParameters`]). The path is normalised first: empty and dot segments, `;matrix`
//! parameters and a trailing slash go; escapes of unreserved characters are decoded (RFC 3986 §6.2.2), everything that
//! a template could be confused by (braces, control characters) is escaped. Case and file extensions are kept.
//!
//! Nothing is refused. Bounds: past [`MAX_SEGMENTS`] segments or [`MAX_TEMPLATE_BYTES`] the tail is `{rest}`; a segment
//! longer than [`MAX_LITERAL_BYTES`] is a parameter.

mod formats;
mod identifier;
mod learned;
pub use crate::api::url::MAX_SEGMENTS;
pub use formats::is_bare_uuid;
pub use identifier::ParamKind;
pub use learned::{
    Known, LearnedParameters, Segment, numberless, parent_and_segment, segments, with_number, with_slug,
};

use crate::api::url::{PathSegments, decode_byte};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

/// Longest template. Real ones have some tens of bytes; the rest is depth nobody would read.
pub const MAX_TEMPLATE_BYTES: usize = 512;
/// Longest literal segment. No resource has so long a name; what is longer is data.
pub const MAX_LITERAL_BYTES: usize = 96;
/// What stands for a tail that was not looked at.
pub const REST: &str = "{rest}";

/// A value that stands where the template has a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub kind: ParamKind,
    /// Position of its segment in the template, from 0.
    pub position: usize,
    /// Where the value lies in the path that was given, as it was written there.
    pub range: Range<usize>,
}

/// A template with its parameters. Reused from path to path, it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct TemplateBuf {
    template: String,
    parameters: Vec<Parameter>,
    is_collapsed: bool,
}

impl TemplateBuf {
    pub fn template(&self) -> &str {
        &self.template
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The values of the parameters in `path`, which must be the path the template was made of.
    pub fn values<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (ParamKind, &'a str)> {
        self.parameters.iter().filter_map(|parameter| Some((parameter.kind, path.get(parameter.range.clone())?)))
    }

    /// Whether a bound was met, so that the template ends in `{rest}`.
    pub fn is_collapsed(&self) -> bool {
        self.is_collapsed
    }
}

/// The template of a path by its looks.
pub fn template_of(path: &str, out: &mut TemplateBuf) {
    build(path, None, out);
}

/// The template of a path by its looks and by what was learned of `host` (normalised, as [`LearnedParameters`] has it).
pub fn template_with(path: &str, host: &str, learned: &LearnedParameters, out: &mut TemplateBuf) {
    build(path, learned.of_host(host), out);
}

fn build(path: &str, learned: Option<&learned::Prefixes>, out: &mut TemplateBuf) {
    out.template.clear();
    out.parameters.clear();
    out.is_collapsed = false;
    let segments = PathSegments::of(path);
    for (position, segment) in segments.list.iter().copied().enumerate() {
        let (before, parameters_before) = (out.template.len(), out.parameters.len());
        let known = learned.map_or(Known::Word, |prefixes| learned::known(prefixes, &mut out.template, segment));
        out.template.push('/');
        push_segment(path, segment, position, known, out);
        if out.template.len() > MAX_TEMPLATE_BYTES - REST.len() - 1 {
            out.template.truncate(before);
            out.parameters.truncate(parameters_before);
            return collapse(out);
        }
    }
    if segments.is_cut {
        collapse(out);
    } else if out.template.is_empty() {
        out.template.push('/');
    }
}

fn collapse(out: &mut TemplateBuf) {
    out.template.push('/');
    out.template.push_str(REST);
    out.is_collapsed = true;
}

fn push_segment(path: &str, segment: &str, position: usize, known: Known, out: &mut TemplateBuf) {
    let is_learned = known == Known::Value;
    if segment.len() > MAX_LITERAL_BYTES {
        return push_parameter(path, segment, position, ParamKind::Token, out);
    }
    let looks = identifier::Looks::of(segment.as_bytes());
    if looks.is_plain_word() && !is_learned {
        return out.template.push_str(segment);
    }
    if looks.has_escapes() {
        return push_escaped(path, segment, position, is_learned, out);
    }
    let by_numbers = || (known == Known::Numbered).then(|| identifier::numbered(segment.as_bytes()));
    match identifier::find(segment.as_bytes(), &looks).or_else(by_numbers) {
        Some(found) if !(is_learned && found.kind.is_id()) => {
            // `find` cuts at ASCII delimiters only, so `get` always gives the slice.
            let part = |range: Range<usize>| segment.get(range).unwrap_or_default();
            out.template.push_str(part(0..found.range.start));
            push_parameter(path, part(found.range.clone()), position, found.kind, out);
            out.template.push_str(part(found.range.end..segment.len()));
        }
        Some(found) => push_parameter(path, segment, position, found.kind, out),
        None if is_learned => push_parameter(path, segment, position, ParamKind::Slug, out),
        None => out.template.push_str(segment),
    }
}

fn push_parameter(path: &str, value: &str, position: usize, kind: ParamKind, out: &mut TemplateBuf) {
    // `value` is a slice of `path`, so the difference of their addresses is its offset.
    let start = value.as_ptr() as usize - path.as_ptr() as usize;
    out.parameters.push(Parameter { kind, position, range: start..start + value.len() });
    out.template.push_str(kind.placeholder());
}

/// A segment with escapes or with bytes that must be escaped: judged as it reads once decoded.
fn push_escaped(path: &str, segment: &str, position: usize, is_learned: bool, out: &mut TemplateBuf) {
    let mut decoded: SmallVec<[u8; MAX_LITERAL_BYTES]> = SmallVec::new();
    let mut rest = segment.as_bytes();
    while let Some((byte, taken)) = decode_byte(rest) {
        decoded.push(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    let looks = identifier::Looks::of(&decoded);
    let Some(found) = identifier::find(&decoded, &looks) else {
        if is_learned {
            return push_parameter(path, segment, position, ParamKind::Slug, out);
        }
        return decoded.iter().for_each(|byte| push_normalised(*byte, &mut out.template));
    };
    if is_learned && found.kind.is_id() {
        return push_parameter(path, segment, position, found.kind, out);
    }
    // Where the value lies in the path is only plain when what surrounds it is written without escapes.
    let (before, after) = (found.range.start, decoded.len() - found.range.end);
    let start = raw_offset(segment, before);
    let end = raw_offset(segment, decoded.len() - after);
    decoded[..before].iter().for_each(|byte| push_normalised(*byte, &mut out.template)); // within: a range of `decoded`
    push_parameter(path, segment.get(start..end).unwrap_or(segment), position, found.kind, out);
    decoded[found.range.end..].iter().for_each(|byte| push_normalised(*byte, &mut out.template)); // as above
}

/// Where in `segment` the byte is written that is at `position` once decoded.
fn raw_offset(segment: &str, position: usize) -> usize {
    let bytes = segment.as_bytes();
    (0..position).fold(0, |at, _| at + decode_byte(bytes.get(at..).unwrap_or_default()).map_or(0, |(_, taken)| taken))
}

/// Unreserved characters and those that paths carry bare as they are, everything else escaped.
fn push_normalised(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() || b"-._~!$'()*+,=:@&".contains(&byte) {
        out.push(char::from(byte));
    } else {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]); // below 16
        out.extend(['%', digit(byte >> 4), digit(byte)]);
    }
}

/// Stands between a path and an operation that requests name within: no path holds it (RFC 3986 §3.5).
const OPERATION: char = '#';

/// `/graphql` and `query.user` together.
pub(super) fn with_operation(path: &str, operation: &str, template: &mut String) {
    template.clear();
    template.extend([path, "#", operation]);
}

/// The operation that a template names.
pub fn operation_of(template: &str) -> Option<&str> {
    template.split_once(OPERATION).map(|(_, operation)| operation)
}

/// A template without its operation.
pub fn path_of(template: &str) -> &str {
    template.split(OPERATION).next().unwrap_or(template)
}

/// A path, behind which the parts of the template's operation stand as further segments.
pub(super) fn as_path<'p>(path: &'p str, template: &str) -> Cow<'p, str> {
    match operation_of(template) {
        Some(operation) => Cow::Owned(format!("{path}/{}", operation.replace('.', "/"))),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(path: &str) -> String {
        let mut out = TemplateBuf::default();
        template_of(path, &mut out);
        out.template().to_owned()
    }

    #[test]
    fn values_in_a_path_become_parameters() {
        for (path, expected) in [
            ("/v1/users/42/orders/2024-01-01", "/v1/users/{id}/orders/{date}"),
            ("/", "/"),
            ("", "/"),
            ("*", "/*"),
            ("/users", "/users"),
            ("/Users/", "/Users"),
            ("/users//42", "/users/{id}"),
            ("/a/./b/../42", "/a/{id}"),
            ("/invoices/123.pdf", "/invoices/{id}.pdf"),
            ("/users/bob%40example.com", "/users/{email}"),
            ("/users/42;v=1/x", "/users/{id}/x"),
            ("/odata/Products(42)/Name", "/odata/Products({id})/Name"),
            ("/v1/jobs/42:cancel", "/v1/jobs/{id}:cancel"),
            ("/at/2024-01-01T10%3A00%3A00Z", "/at/{date}"),
            ("/caf%c3%a9/x", "/caf%C3%A9/x"),
            ("/caf\u{e9}/x", "/caf%C3%A9/x"),
            ("/%7Ealice/%61bc", "/~alice/abc"),
            ("/{id}/\u{1b}[2J", "/%7Bid%7D/%1B%5B2J"),
            ("/a%2Fb/100%", "/a%2Fb/100%25"),
        ] {
            assert_eq!(template(path), expected, "{path}");
        }
    }

    #[test]
    fn values_are_found_where_they_stand_in_the_path() {
        let mut out = TemplateBuf::default();
        let path = "//users/./42/x%2E%2e/bob%40example.com/7%34.pdf";
        template_of(path, &mut out);
        assert_eq!(out.template(), "/users/{id}/x../{email}/{id}.pdf");
        let values: Vec<_> = out.values(path).collect();
        let expected =
            [(ParamKind::Integer, "42"), (ParamKind::Email, "bob%40example.com"), (ParamKind::Integer, "7%34")];
        assert_eq!(values, expected);
        assert_eq!(out.parameters().iter().map(|p| p.position).collect::<Vec<_>>(), [1, 3, 4]);
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = template(&"/a".repeat(1000));
        assert_eq!(deep, format!("{}/{REST}", "/a".repeat(MAX_SEGMENTS)));
        let wide = template(&format!("/{}", "%7b".repeat(32)).repeat(8));
        assert!(wide.len() <= MAX_TEMPLATE_BYTES && wide.ends_with("/{rest}"), "{wide}");
        assert_eq!(template(&format!("/files/{}", "x".repeat(97))), "/files/{id}");
        let mut out = TemplateBuf::default();
        template_of(&"/42".repeat(1000), &mut out);
        assert!(out.is_collapsed());
        template_of("/a", &mut out);
        assert!(!out.is_collapsed() && out.parameters().is_empty());
    }

    #[test]
    fn what_was_learned_of_a_host_holds_for_that_host_only() {
        let mut learned = LearnedParameters::new();
        assert!(learned.learn("shop.test", "/v1/articles"));
        assert!(!learned.learn("shop.test", "/v1/articles/"), "known");
        assert!(learned.learn("shop.test", "/v1/articles/{id}/by"));
        let mut out = TemplateBuf::default();
        let mut with = |path: &str, host: &str| {
            template_with(path, host, &learned, &mut out);
            (out.template().to_owned(), out.parameters().iter().map(|p| p.kind).collect::<Vec<_>>())
        };
        let (id, slug) = ("/v1/articles/{id}".to_owned(), ParamKind::Slug);
        assert_eq!(with("/v1/articles/red-shoes", "shop.test"), (id.clone(), vec![slug]));
        assert_eq!(with("/v1/articles/caf%C3%A9", "shop.test"), (id.clone(), vec![slug]));
        assert_eq!(with("/v1/articles/42", "shop.test"), (id.clone(), vec![ParamKind::Integer]));
        assert_eq!(with("/v1/articles/42.pdf", "shop.test"), (id.clone(), vec![ParamKind::Integer]));
        assert_eq!(
            with("/v1/articles/2024-01-01", "shop.test"),
            ("/v1/articles/{date}".to_owned(), vec![ParamKind::Date])
        );
        assert_eq!(with("/v1/articles/red/by/alice", "shop.test"), (id + "/by/{id}", vec![slug, slug]));
        assert_eq!(with("/v1/articles", "shop.test").0, "/v1/articles");
        assert_eq!(with("/v1/articles/red-shoes", "other.test").0, "/v1/articles/red-shoes");
        let written = serde_json::to_string(&learned).unwrap();
        assert_eq!(written, r#"{"shop.test":["/v1/articles","/v1/articles/{id}/by"]}"#);
        let mut read: LearnedParameters = serde_json::from_str(&written).unwrap();
        assert!(read.iter_sorted().eq(learned.iter_sorted()));
        assert!(read.forget("shop.test", "/v1/articles") && !read.forget("shop.test", "/v1/articles"));
        assert_eq!(read.len(), 1);
    }

    #[test]
    fn what_is_asked_of_every_host_is_none_of_its_pages() {
        let mut learned = LearnedParameters::new();
        assert!(learned.learn("shop.test", "") && learned.learn("shop.test", "/{id}"));
        let mut out = TemplateBuf::default();
        let mut with = |path: &str| {
            template_with(path, "shop.test", &learned, &mut out);
            out.template().to_owned()
        };
        assert_eq!(with("/favicon.ico"), "/favicon.ico");
        assert_eq!(with("/apple-touch-icon-precomposed.png"), "/apple-touch-icon-precomposed.png");
        assert_eq!(with("/.well-known/security.txt"), "/.well-known/security.txt");
        assert_eq!(with("/about/favicon.ico"), "/{id}/{id}");
        assert_eq!(with("/about/_debug"), "/{id}/_debug", "a function beside the objects");
        assert_eq!(with("/about/_Debug7"), "/{id}/{id}");
    }

    #[test]
    fn a_template_comes_apart_and_takes_a_slug() {
        let parts: Vec<_> = segments("/v1/articles/red/{id}.pdf").map(|s| (s.prefix, s.text, s.is_parameter)).collect();
        let expected = [
            ("", "v1", false),
            ("/v1", "articles", false),
            ("/v1/articles", "red", false),
            ("/v1/articles/red", "{id}.pdf", true),
        ];
        assert_eq!(parts, expected);
        assert_eq!(parent_and_segment("/v1/articles/red", 2), Some(("/v1/articles", "red")));
        assert_eq!(parent_and_segment("/v1/articles/{id}", 2), None);
        assert_eq!(with_slug("/v1/articles/red/x", 2), "/v1/articles/{id}/x");
        assert_eq!(with_slug("/", 0), "/");
    }

    proptest::proptest! {
        #[test]
        fn any_path_gives_a_bounded_template_that_is_its_own_kind(path in "[/a-z0-9.;%{}@:()\u{e9}\u{1}-]{0,80}") {
            let mut out = TemplateBuf::default();
            template_of(&path, &mut out);
            proptest::prop_assert!(out.template().starts_with('/') && out.template().len() <= MAX_TEMPLATE_BYTES);
            proptest::prop_assert!(out.template().bytes().all(|b| b.is_ascii_graphic()));
            proptest::prop_assert_eq!(out.values(&path).count(), out.parameters().len());
            let placeholders = out.template().matches('{').count() - usize::from(out.is_collapsed());
            proptest::prop_assert_eq!(placeholders, out.parameters().len());
        }
    }
}
