//! Names of parameters in a request that its operation does not declare, or that ask for more than users have.
//!
//! The query and the top-level fields of the body in, the names that are out of place out: raw, decoded, never a value. What
//! is declared is known where an OpenAPI description says so; where none does, only names that tell of rights, money or the
//! workings of the server are looked at (OWASP API3:2023, mass assignment), and headers that ask for another method.

use super::openapi::Operation;
use super::url::{QueryParameters, percent_decode};
use crate::rule::ApiNames;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    #[default]
    Query,
    Body,
    /// A header that asks for another method; the name is that method.
    MethodOverride,
}

/// A parameter that is out of place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stray {
    /// Decoded; of a long name, the beginning.
    pub name: Box<[u8]>,
    pub place: Place,
    /// Its name tells of rights, money or the workings of the server.
    pub is_telling: bool,
    /// A description says what the operation takes, and this is not among it.
    pub is_undeclared: bool,
}

/// Most that are looked at in one request.
const MOST: usize = 64;
/// Longest name that is kept, in bytes.
pub const NAME_BYTES: usize = 64;

/// Names of privileges, of money and of switches that are the server's own, in lower case without `_` and `-`: what the Mass
/// Assignment Cheat Sheet of OWASP and public reports name.
const TELLING: [&str; 44] = [
    "role",
    "roles",
    "roleid",
    "userrole",
    "admin",
    "isadmin",
    "administrator",
    "isadministrator",
    "superuser",
    "issuperuser",
    "isstaff",
    "staff",
    "isroot",
    "isowner",
    "ismoderator",
    "permission",
    "permissions",
    "privilege",
    "privileges",
    "accesslevel",
    "usertype",
    "accounttype",
    "userlevel",
    "groups",
    "scope",
    "verified",
    "isverified",
    "emailverified",
    "isapproved",
    "approved",
    "ispaid",
    "ispremium",
    "premium",
    "balance",
    "credit",
    "credits",
    "creditlimit",
    "price",
    "unitprice",
    "discount",
    "debug",
    "proto",
    "constructor",
    "prototype",
];

/// Of these, what a query filters or sorts by where it only reads.
const FILTERS: [&str; 13] = [
    "approved",
    "balance",
    "credit",
    "discount",
    "emailverified",
    "groups",
    "isapproved",
    "ispaid",
    "ispremium",
    "isverified",
    "premium",
    "price",
    "verified",
];

fn is_filter(name: &[u8]) -> bool {
    FILTERS.iter().any(|filter| letters_of(name).eq(filter.bytes()))
}

/// Between the words of a name.
fn is_filler(byte: &u8) -> bool {
    matches!(byte, b'_' | b'-')
}

/// A name in lower case, its words run together.
fn letters_of(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| !is_filler(byte)).map(u8::to_ascii_lowercase)
}

/// Which letters such names begin and end with: most names are turned away by that.
const ENDS: [u32; 32] = {
    let mut ends = [0u32; 32];
    let mut nth = 0;
    while nth < TELLING.len() {
        let name = TELLING[nth].as_bytes();
        ends[(name[0] & 31) as usize] |= 1 << (name[name.len() - 1] & 31);
        nth += 1;
    }
    ends
};

/// Whether a name tells of rights, money or the workings of the server. Of `user[role]` and `user.role` the last part counts.
pub fn is_telling(name: &[u8], names: &ApiNames) -> bool {
    let name = name.strip_suffix(b"]").unwrap_or(name);
    let last = name.rsplit(|byte| matches!(byte, b'[' | b'.')).next().unwrap_or_default();
    is_built_in(last) || names.is_telling_parameter(last)
}

fn is_built_in(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    let Some(first) = name.iter().find(|byte| !is_filler(byte)) else { return false };
    let Some(last) = name.iter().rev().find(|byte| !is_filler(byte)) else { return false };
    if ENDS[usize::from(first & 31)] >> (last & 31) & 1 == 0 {
        return false; // 31 is the last of both
    }
    TELLING.iter().any(|telling| letters_of(name).eq(telling.bytes()))
}

/// The parameters of a request that are out of place. `members` are the top-level names of its body.
pub fn strays<'a>(
    method: &str,
    query: Option<&'a str>,
    members: impl Iterator<Item = &'a [u8]>,
    operation: Option<&Operation>,
    names: &ApiNames,
) -> SmallVec<[Stray; 1]> {
    let in_query = operation.and_then(|operation| operation.query.as_deref());
    let in_body = operation.and_then(|operation| operation.properties.as_deref());
    let of_query =
        query.into_iter().flat_map(QueryParameters::of).take(MOST).map(|(name, _)| (decoded(name), Place::Query));
    let of_body = members.take(MOST).map(|name| (Cow::Borrowed(name), Place::Body));
    let only_reads = matches!(method, "GET" | "HEAD");
    let mut strays = SmallVec::new();
    for (name, place) in of_query.chain(of_body) {
        let declared = if place == Place::Query { in_query } else { in_body };
        let is_undeclared = declared.is_some_and(|declared| !is_among(&name, declared));
        let is_described = declared.is_some() && !is_undeclared;
        let is_telling = is_telling(&name, names) && !(only_reads && place == Place::Query && is_filter(&name));
        if is_described || name.is_empty() || !is_undeclared && !is_telling {
            continue;
        }
        if is_telling || !names.is_ignored_parameter(&name) {
            let name = name.get(..name.len().min(NAME_BYTES)).unwrap_or_default().into();
            strays.push(Stray { name, place, is_telling, is_undeclared });
        }
    }
    strays
}

/// Longest name of a method that is taken for one.
const METHOD_BYTES: usize = 16;

/// Another method than that of the request line, asked for in a header: who may only `POST` deletes by it where the server
/// heeds it.
pub fn overridden(method: &str, asked_for: &[u8]) -> Option<Stray> {
    let asked_for = asked_for.trim_ascii();
    let is_method = (1..=METHOD_BYTES).contains(&asked_for.len()) && asked_for.iter().all(u8::is_ascii_alphabetic);
    let is_another = is_method && !asked_for.eq_ignore_ascii_case(method.as_bytes());
    let name = asked_for.to_ascii_uppercase().into();
    is_another.then_some(Stray { name, place: Place::MethodOverride, is_telling: true, is_undeclared: false })
}

/// Servers often take any letter case, and a list or an object under its name with brackets.
fn is_among(name: &[u8], declared: &[String]) -> bool {
    let bare = name.split(|byte| *byte == b'[').next().unwrap_or_default();
    let is_it = |known: &str| {
        let known = known.as_bytes();
        known.eq_ignore_ascii_case(name)
            || known.split(|byte| *byte == b'[').next().unwrap_or_default().eq_ignore_ascii_case(bare)
    };
    declared.iter().any(|known| is_it(known))
}

fn decoded(name: &str) -> Cow<'_, [u8]> {
    if !name.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(name.as_bytes());
    }
    let mut scratch = Vec::new();
    Cow::Owned(percent_decode(name.as_bytes(), true, &mut scratch).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ApiNames {
        crate::rule::Ruleset::default().names
    }

    #[test]
    fn names_of_rights_and_money_are_telling_however_they_are_written() {
        let telling = |name: &str| is_telling(name.as_bytes(), &names());
        for name in
            ["role", "isAdmin", "is_admin", "IS-ADMIN", "user[role]", "user.role", "__proto__", "balance", "debug"]
        {
            assert!(telling(name), "{name}");
        }
        for name in ["", "_", "page", "q", "profile", "[", "admins_of", "a[role]x", "prices", "pricelist", "desc"] {
            assert!(!telling(name), "{name}");
        }
    }

    #[test]
    fn without_a_description_only_telling_names_are_out_of_place() {
        let members = [&b"name"[..], b"is_admin"];
        let found = strays("PATCH", Some("page=2&utm_source=x&%64ebug=1"), members.into_iter(), None, &names());
        let found: Vec<(&[u8], Place, bool)> =
            found.iter().map(|stray| (&*stray.name, stray.place, stray.is_undeclared)).collect();
        assert_eq!(found, [(&b"debug"[..], Place::Query, false), (b"is_admin", Place::Body, false)]);
    }

    #[test]
    fn a_query_that_reads_filters_by_price_and_asks_for_no_rights() {
        let found = |method| {
            strays(method, Some("price=10-50&is_verified=true&is_admin=1"), [].into_iter(), None, &names()).len()
        };
        assert_eq!((found("GET"), found("PUT")), (1, 3));
    }

    #[test]
    fn a_header_may_ask_for_another_method() {
        let asked = |method, value: &str| overridden(method, value.as_bytes()).map(|stray| stray.name.to_vec());
        assert_eq!(asked("POST", " delete "), Some(b"DELETE".to_vec()));
        for same_or_none in ["post", "", "DEL ETE", "DELETE;", "ABCDEFGHIJKLMNOPQ"] {
            assert_eq!(asked("POST", same_or_none), None, "{same_or_none:?}");
        }
    }

    #[test]
    fn with_one_everything_is_that_it_does_not_declare() {
        let text = r##"
openapi: 3.0.3
info: {title: x, version: "1"}
paths:
  /users:
    post:
      parameters:
        - {in: query, name: "ids[]", schema: {type: array}}
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/User"}}}}
      responses: {"200": {description: ok}}
    get:
      parameters: [{in: query, name: filter, schema: {type: object}}]
      responses: {"200": {description: ok}}
components:
  schemas: {User: {type: object, properties: {name: {}, Role: {}}}}
"##;
        let description = super::super::openapi::parse(text.as_bytes(), "x.yaml").unwrap();
        let of = |method: &str| description.operations.iter().find(|operation| operation.method == method);
        let found = |method: &str, query, members: &[&'static [u8]]| {
            let found = strays(method, Some(query), members.iter().copied(), of(method), &names());
            let name = |stray: &Stray| String::from_utf8_lossy(&stray.name).into_owned();
            found.iter().map(name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("POST", "ids[]=1&IDS[0]=2", &[b"name", b"role"]), "");
        assert_eq!(found("POST", "utm_source=x&verbose=1&debug=1", &[b"balance"]), "verbose debug balance");
        assert_eq!(found("GET", "anything=1&debug=1", &[b"name"]), "debug", "its query is open, and so is its body");
    }
}
