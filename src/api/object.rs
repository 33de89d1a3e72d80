//! What a request asks for: the object that its path, its query or its body names.
//!
//! In: the values of the path, raw query parameters, and the numbers of the body that `inspect` found. Out: one keyed hash, and
//! the number by which objects are counted up. A path that ends in a value names its object whole. One that ends in a
//! word names a collection, in which the query may name the object; where neither does, the body may. A date names none.

use super::template::{ParamKind, TemplateBuf, is_bare_uuid};
use super::url;
use crate::hash::HashKey;
use crate::inspect::{NamedObject, ObjectName, object_name};
use smallvec::SmallVec;

/// The object a request names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    pub hash: u64,
    /// At the end of the value that names it; of several values, the sum.
    pub number: Option<u64>,
    /// Drawn from so many that nobody guesses one.
    pub is_opaque: bool,
    /// The body names it: what is sent may as well be about an object as ask for it.
    pub is_in_body: bool,
}

/// Shortest digest that nobody guesses, in hexadecimal digits; shorter ones are counters with a time before them, as ObjectIds.
const DIGEST_DIGITS: usize = 32;
/// Shortest run of letters and digits of a token that nobody guesses: 71 bits in base62.
const OPAQUE_RUN: usize = 12;

/// Whether a value is drawn from so many that nobody guesses one.
fn is_opaque(kind: ParamKind, value: &str) -> bool {
    match kind {
        // Of versions 1 and 6 most is a time and a machine.
        ParamKind::Uuid => value.split('-').nth(2).is_some_and(|part| part.starts_with(['3', '4', '5', '7', '8'])),
        ParamKind::Ulid => true,
        ParamKind::Hex => value.len() >= DIGEST_DIGITS && !value.starts_with("00000000"),
        ParamKind::Token => value.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= OPAQUE_RUN),
        _ => false,
    }
}

/// Parameters of a query that name an object together.
const MOST: usize = 4;

/// Where a request may name its object.
pub(super) struct Named<'a> {
    pub template: &'a TemplateBuf,
    /// The template that a description has for the path.
    pub by_description: Option<&'a str>,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub body: Option<&'a NamedObject>,
}

impl Named<'_> {
    pub fn object(&self, key: &HashKey, scratch: &mut Vec<u8>) -> Option<Object> {
        scratch.clear();
        let mut named = None;
        for (kind, value) in self.template.values(self.path).filter(|(kind, _)| *kind != ParamKind::Date) {
            add(&mut named, scratch, value, is_opaque(kind, value));
        }
        if named.is_none()
            && let Some(value) = self.by_description.and_then(|template| value_at_parameter(template, self.path))
        {
            add(&mut named, scratch, value, false);
        }
        let template = self.by_description.unwrap_or(self.template.template());
        if named.is_none() || !template.ends_with('}') {
            // In a collection that the path names, and beside other names, what nobody guesses is of a visit.
            let in_query: SmallVec<[(&str, bool); MOST]> = self.in_query().collect();
            let is_guessable = named.is_some() || in_query.iter().any(|(_, is_opaque)| !is_opaque);
            for (value, is_opaque) in in_query.into_iter().filter(|(_, is_opaque)| !(is_guessable && *is_opaque)) {
                add(&mut named, scratch, value, is_opaque);
            }
        }
        if let Some((number, is_opaque)) = named {
            let number = number.filter(|_| !is_opaque);
            return Some(Object { hash: key.hash(scratch), number, is_opaque, is_in_body: false });
        }
        let body = self.body?;
        let hash = key.hash(&body.hash.to_le_bytes());
        Some(Object { hash, number: Some(body.number), is_opaque: false, is_in_body: true })
    }

    fn in_query(&self) -> impl Iterator<Item = (&str, bool)> {
        let parameters = url::QueryParameters::of(self.query.unwrap_or_default());
        let named = parameters.filter(|(name, value)| names_object(name, value) && may_name(value));
        named.take(MOST).map(|(_, value)| (value, is_bare_uuid(value.as_bytes()) && is_opaque(ParamKind::Uuid, value)))
    }
}

/// One value more: of several the last says whether anybody guesses it, and their numbers are added up, so that where one of them
/// counts up the sum does.
fn add(named: &mut Option<(Option<u64>, bool)>, scratch: &mut Vec<u8>, value: &str, is_opaque: bool) {
    scratch.extend_from_slice(value.as_bytes());
    scratch.push(0);
    let number = if is_opaque { None } else { trailing_number(value) };
    let before = named.and_then(|(number, _)| number);
    let sum = match (before, number) {
        (Some(before), Some(number)) => Some(before.wrapping_add(number)),
        (before, number) => before.or(number),
    };
    *named = Some((sum, is_opaque));
}

/// Whether a query parameter names an object.
fn names_object(name: &str, value: &str) -> bool {
    match object_name(name.as_bytes()) {
        ObjectName::Id => !value.is_empty(),
        ObjectName::Thing | ObjectName::Contact => value.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@'),
        ObjectName::NoObject => false,
        ObjectName::Unknown => is_bare_uuid(value.as_bytes()),
    }
}

/// The last value of a path at a parameter of its described template: what has no looks of an id, such as a name.
fn value_at_parameter<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let parts = |whole: &'p str| whole.split('/').filter(|part| !part.is_empty());
    let asked = template.split('/').filter(|part| !part.is_empty());
    let values = asked.zip(parts(path)).filter(|(part, _)| part.starts_with('{') && part.ends_with('}'));
    values.map(|(_, value)| value).last().filter(|value| may_name(value))
}

/// Whether a raw value may be the name of a thing. What is tried against a database has spaces, quotes and brackets.
fn may_name(value: &str) -> bool {
    let mut rest = value.as_bytes();
    while let Some((byte, length)) = url::decode_byte(rest) {
        if rest.first() == Some(&b'+') || byte.is_ascii_whitespace() || b"'\"`()<>;*\\".contains(&byte) {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

/// The number at the end of an identifier: 42 of `42`, 4711 of `INV-0004711`.
fn trailing_number(value: &str) -> Option<u64> {
    let start = value
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + value[at..].chars().next().map_or(1, char::len_utf8));
    value.get(start..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::template::template_of;
    use super::*;

    fn object_of(
        path: &str,
        query: Option<&str>,
        body: Option<&NamedObject>,
        by_description: Option<&str>,
    ) -> Option<Object> {
        let mut template = TemplateBuf::default();
        template_of(path, &mut template);
        let named = Named { template: &template, by_description, path, query, body };
        named.object(&HashKey::new([1; 16]), &mut Vec::new())
    }

    fn asked(path: &str, query: Option<&str>) -> Option<Object> {
        object_of(path, query, None, None)
    }

    #[test]
    fn what_is_tried_against_a_database_names_nothing() {
        let names = ["42", "a%40b.example", "550e8400-e29b-41d4-a716-446655440000", "QUJD%3D", "inv_7|8"];
        assert!(names.into_iter().all(may_name));
        let tried = ["1%20AND%201=1", "1+OR+1", "1'", "1%27--", "(SELECT", "1;DROP", "%2A"];
        assert!(!tried.into_iter().any(may_name));
    }

    #[test]
    fn objects_are_named_by_their_ids_in_the_query_too() {
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        for (name, value) in [
            ("id", "7"),
            ("patientId", "7"),
            ("patient", uuid),
            ("invoice_id", "INV-7"),
            ("msisdn", "34600"),
            ("account", "7"),
            ("orderNumber", "A7"),
            ("email", "a@b.example"),
        ] {
            assert!(names_object(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("gclid", "7"),
            ("session_id", uuid),
            ("cursor", uuid),
            ("page", "7"),
            ("id", ""),
            ("q", "paid"),
            ("order", "asc"),
            ("account", "savings"),
        ] {
            assert!(!names_object(name, value), "{name}={value}");
        }
    }

    #[test]
    fn the_number_of_an_object_is_at_its_end() {
        assert_eq!(trailing_number("42"), Some(42));
        assert_eq!(trailing_number("INV-0004711"), Some(4711));
        assert_eq!(trailing_number("é7"), Some(7));
        assert_eq!(trailing_number("abc"), None);
        assert_eq!(trailing_number("99999999999999999999999999"), None);
    }

    #[test]
    fn an_object_that_nobody_guesses_has_no_number() {
        let of = |path: &str, query: Option<&str>| {
            let object = asked(path, query).unwrap();
            (object.number, object.is_opaque)
        };
        assert_eq!(of("/tiles/12/654/321.png", None), (Some(987), false), "the sum");
        assert_eq!(of("/avatars/9e107d9d372bb6826bd81d3542a419d6.png", None), (None, true));
        assert_eq!(of("/a/550e8400-e29b-41d4-a716-446655440000", None), (None, true));
        assert_eq!(of("/a/550e8400-e29b-41d4-a716-446655440000/pages/7", None), (Some(7), false));
        assert_eq!(of("/commits/9e107d94", None), (Some(94), false), "short enough to be tried");
        assert_eq!(of("/patients", Some("patient=550e8400-e29b-41d4-a716-446655440000")), (None, true));
        assert_eq!(of("/patients", Some("id=42")), (Some(42), false));
    }

    #[test]
    fn a_path_that_names_a_collection_leaves_the_object_to_the_query() {
        let hash = |path: &str, query: &str| asked(path, Some(query)).unwrap().hash;
        assert_ne!(hash("/tenants/5/accounts", "id=7"), hash("/tenants/5/accounts", "id=8"));
        assert_ne!(hash("/tenants/5/accounts", "id=7"), hash("/tenants/6/accounts", "id=7"));
        assert_eq!(hash("/tenants/5/accounts", "id=7&page=1"), hash("/tenants/5/accounts", "id=7&page=2"));
        assert_ne!(hash("/accounts", "tenant_id=5&id=7"), hash("/accounts", "tenant_id=5&id=8"));
        assert_eq!(hash("/accounts/5", "id=7"), hash("/accounts/5", "id=8"), "named whole");
        let visits = ["visit=550e8400-e29b-41d4-a716-446655440000", "visit=650e8400-e29b-41d4-a716-446655440000"];
        assert_eq!(hash("/tenants/5/accounts", visits[0]), hash("/tenants/5/accounts", visits[1]));
        let polled = visits.map(|visit| hash("/accounts", &format!("{visit}&id=7")));
        assert_eq!(polled[0], polled[1], "in whatever order");
        let number = |query: &str| asked("/accounts/5/entries", Some(query)).unwrap().number;
        assert_eq!(number("currency_id=1&from_account=7"), Some(6), "what stays the same moves what counts up");
    }

    #[test]
    fn a_date_is_no_object() {
        assert_eq!(asked("/reports/2026-11-30", None), None);
        assert_eq!(asked("/users/7/days/2026-11-30", None), asked("/users/7/days/2026-12-01", None));
        assert_eq!(asked("/users/7/days/2026-11-30", None).unwrap().number, Some(7));
    }

    #[test]
    fn a_body_names_what_nothing_else_does() {
        let body = NamedObject { hash: 5, number: 7 };
        let of = |path, query| object_of(path, query, Some(&body), None).unwrap();
        assert_eq!((of("/lookup", None).number, of("/lookup", None).is_in_body), (Some(7), true));
        assert!(!of("/lookup/9", None).is_in_body);
        assert!(!of("/lookup", Some("id=9")).is_in_body);
    }

    #[test]
    fn a_description_says_where_a_path_has_names() {
        assert_eq!(value_at_parameter("/users/{username}", "/users/alice"), Some("alice"));
        assert_eq!(value_at_parameter("/v1/users/{name}/posts", "/v1//users/bob/posts"), Some("bob"));
        assert_eq!(value_at_parameter("/users", "/users"), None);
        assert_eq!(value_at_parameter("/users/{username}", "/users/1%27--"), None, "tried against a database");
        let of = |name: &str| object_of(&format!("/users/{name}"), None, None, Some("/users/{username}"));
        assert_ne!(of("alice").unwrap().hash, of("bob").unwrap().hash);
        assert_eq!(asked("/users/alice", None), None);
    }
}
