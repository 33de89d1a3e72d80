//! Whether a document has the shape that the specification asks for.
//!
//! In: a document's tree and the edition it is written to. Out: its faults in the order of the walk, at most
//! [`MAX_FAULTS`]. One checker walks the tables of [`v2`] and [`v3`], which list each object's fields as the
//! specification does (OpenAPI 2.0, 3.0.4, 3.1.1, 3.2.0). Checked are types, required fields, unknown fields,
//! enumerations and the rules between the fields of an object. Within Schema Objects only types are: a sensor does not
//! use them, and unknown keywords are frequent. References are taken as they are; [`super::operations`] follows them.

mod rules;
mod v2;
mod v3;

use super::Fault;
use super::operations::{Edition, MAX_FAULTS};
use serde_json::{Map, Value};

/// What a value must be.
enum Kind {
    Any,
    Text,
    Bool,
    Number,
    /// Text of the characters of a URI reference (RFC 3986 appendix A).
    Url,
    Email,
    /// A regular expression of ECMA-262.
    Pattern,
    OneOf(&'static [&'static str]),
    List(&'static Kind),
    Map(&'static Kind),
    /// A map whose keys are names of components.
    Named(&'static Kind),
    /// Either of two, by the type of the value.
    BoolOr(&'static Kind),
    Object(&'static Shape),
    /// An object or a reference to one.
    RefOr(&'static Shape),
    /// A schema of 3.x, which from 3.1 may also be `true` or `false`.
    Schema,
}

struct Field {
    key: &'static str,
    kind: Kind,
    needed: Needed,
    /// Editions that have it, first and last.
    editions: (Edition, Edition),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Always,
    /// Up to 3.0.
    Until30,
    No,
}

impl Field {
    const fn required(key: &'static str, kind: Kind) -> Field {
        Field { key, kind, needed: Needed::Always, editions: (Edition::V2, Edition::V32) }
    }

    const fn optional(key: &'static str, kind: Kind) -> Field {
        Field { key, kind, needed: Needed::No, editions: (Edition::V2, Edition::V32) }
    }

    /// Required up to 3.0, optional from 3.1.
    const fn required_until_30(key: &'static str, kind: Kind) -> Field {
        Field { key, kind, needed: Needed::Until30, editions: (Edition::V2, Edition::V32) }
    }

    /// Optional, and unknown before an edition.
    const fn since(edition: Edition, key: &'static str, kind: Kind) -> Field {
        Field { key, kind, needed: Needed::No, editions: (edition, Edition::V32) }
    }

    const fn is_in(&self, edition: Edition) -> bool {
        self.editions.0 as u8 <= edition as u8 && edition as u8 <= self.editions.1 as u8
    }
}

/// Keys that are not fixed fields.
enum Others {
    /// Only extensions (`x-`).
    Refused,
    Ignored,
    /// Keys that begin with a slash, each a path item.
    Paths(&'static Shape),
    /// Status codes, each a response.
    Statuses(&'static Shape),
}

/// A check of an object's fields against each other.
type Rule = fn(&Map<String, Value>, &mut Check);

/// An object of the specification.
struct Shape {
    /// As the specification calls it.
    name: &'static str,
    fields: &'static [Field],
    others: Others,
    /// Rules between fields.
    rule: Option<Rule>,
}

/// The walk: where it is and what it found.
struct Check {
    edition: Edition,
    path: Vec<String>,
    faults: Vec<Fault>,
}

pub fn faults(root: &Value, edition: Edition) -> Vec<Fault> {
    let mut check = Check { edition, path: Vec::new(), faults: Vec::new() };
    let shape = if edition == Edition::V2 { &v2::ROOT } else { &v3::ROOT };
    check.object(root, shape);
    check.faults
}

impl Check {
    fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    fn fault(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        if !self.is_full() {
            self.faults.push(Fault { path: self.path.clone(), what: what.into(), mend: mend.into() });
        }
    }

    /// A fault of a field of the object that is being checked.
    fn fault_at(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.within(key, |check| check.fault(what, mend));
    }

    fn within(&mut self, key: &str, visit: impl FnOnce(&mut Check)) {
        self.path.push(key.to_owned());
        visit(self);
        self.path.pop();
    }

    fn wrong_type(&mut self, value: &Value, wanted: &str) {
        let (is, mend) = match value {
            Value::Null => ("is empty", "give it a value or leave it out"),
            Value::Bool(_) => ("is true or false", "write what is meant; text in quotes"),
            Value::Number(_) => ("is a number", "write what is meant; text in quotes"),
            Value::String(_) => ("is text", "write what is meant, without quotes"),
            Value::Array(_) => ("is a list", "write what is meant"),
            Value::Object(_) => ("is an object", "write what is meant"),
        };
        self.fault(format!("{is}; it must be {wanted}"), mend);
    }

    fn value(&mut self, value: &Value, kind: &'static Kind) {
        if self.is_full() {
            return;
        }
        match (kind, value) {
            (Kind::Any, _)
            | (Kind::Text, Value::String(_))
            | (Kind::Bool | Kind::BoolOr(_), Value::Bool(_))
            | (Kind::Number, Value::Number(_)) => {}
            (Kind::Url, Value::String(url)) => self.url(url),
            (Kind::Email, Value::String(address)) => self.email(address),
            (Kind::Pattern, Value::String(pattern)) => {
                if let Some(what) = rules::pattern_fault(pattern) {
                    self.fault(what, "correct the regular expression, or escape the character");
                }
            }
            (Kind::OneOf(allowed), Value::String(text)) => {
                if !allowed.contains(&text.as_str()) {
                    self.fault(format!("is `{text}`"), format!("it must be one of {}", allowed.join(", ")));
                }
            }
            (Kind::List(element), Value::Array(list)) => {
                for (at, value) in list.iter().enumerate() {
                    self.within(&at.to_string(), |check| check.value(value, element));
                }
            }
            (Kind::Map(entry), Value::Object(map)) => self.map(map, entry, false),
            (Kind::Named(entry), Value::Object(map)) => self.map(map, entry, true),
            (Kind::BoolOr(other), value) => self.value(value, other),
            (Kind::Object(shape), value) => self.object(value, shape),
            (Kind::RefOr(shape), value) => match value.get("$ref") {
                Some(Value::String(_)) => {}
                Some(reference) => self.within("$ref", |check| check.wrong_type(reference, "text")),
                None => self.object(value, shape),
            },
            (Kind::Schema, Value::Bool(_)) if self.edition >= Edition::V31 => {}
            (Kind::Schema, value) => match value.get("$ref") {
                Some(Value::String(_)) if self.edition == Edition::V30 => {}
                _ => self.object(value, if self.edition == Edition::V30 { &v3::SCHEMA_30 } else { &v3::SCHEMA_31 }),
            },
            (Kind::Text | Kind::Url | Kind::Email | Kind::Pattern | Kind::OneOf(_), value) => {
                self.wrong_type(value, "text")
            }
            (Kind::Bool, value) => self.wrong_type(value, "true or false"),
            (Kind::Number, value) => self.wrong_type(value, "a number"),
            (Kind::List(_), value) => self.wrong_type(value, "a list"),
            (Kind::Map(_) | Kind::Named(_), value) => self.wrong_type(value, "an object"),
        }
    }

    fn map(&mut self, map: &Map<String, Value>, entry: &'static Kind, is_named: bool) {
        let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        for (key, value) in map.iter().filter(|(key, _)| !key.starts_with("x-")) {
            if is_named && !key.bytes().all(is_name_byte) {
                self.fault_at(key, "is no name for a component", "use letters, digits, `.`, `-` and `_`");
            }
            self.within(key, |check| check.value(value, entry));
        }
    }

    fn object(&mut self, value: &Value, shape: &'static Shape) {
        let Some(map) = value.as_object() else {
            return self.wrong_type(value, &format!("an object ({})", shape.name));
        };
        let edition = self.edition;
        for field in shape.fields.iter().filter(|field| field.is_in(edition)) {
            let is_needed = match field.needed {
                Needed::Always => true,
                Needed::Until30 => edition <= Edition::V30,
                Needed::No => false,
            };
            match map.get(field.key) {
                Some(value) => self.within(field.key, |check| check.value(value, &field.kind)),
                None if is_needed => {
                    self.fault_at(
                        field.key,
                        "is missing",
                        format!("add it: {} must have it", with_article(shape.name)),
                    );
                }
                None => {}
            }
        }
        let is_field = |key: &str| shape.fields.iter().any(|field| field.key == key && field.is_in(edition));
        for (key, value) in map.iter().filter(|(key, _)| !is_field(key) && !key.starts_with("x-")) {
            self.within(key, |check| check.other(key, value, shape));
        }
        if let Some(rule) = shape.rule {
            rule(map, self);
        }
    }

    fn other(&mut self, key: &str, value: &Value, shape: &'static Shape) {
        match shape.others {
            Others::Ignored => {}
            Others::Refused => {
                let lower = key.to_ascii_lowercase();
                if shape.fields.iter().any(|field| field.key == key) {
                    return self.fault("is a field of later versions", "remove it, or raise the version at the top");
                }
                if shape.fields.iter().any(|field| field.key == lower) {
                    return self.fault("is not written so", format!("write `{lower}`, in lower case"));
                }
                let what = format!("is no field of {} in this version", with_article(shape.name));
                self.fault(what, "remove it, or let its name begin with `x-`");
            }
            Others::Paths(item) if key.starts_with('/') => self.object(value, item),
            Others::Paths(_) => self.fault("is no path", "a path begins with `/`"),
            Others::Statuses(response) if is_status(key, self.edition) => match value.get("$ref") {
                Some(Value::String(_)) => {}
                _ => self.object(value, response),
            },
            Others::Statuses(_) => self.fault("is no status", "write a code such as `200`, a range `4XX` or `default`"),
        }
    }

    fn url(&mut self, url: &str) {
        let is_foreign =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '|');
        if let Some(c) = url.chars().find(|c| is_foreign(*c)) {
            self.fault(format!("is no URL: it holds {c:?}"), "correct it, or percent-encode the character");
        }
    }

    fn email(&mut self, address: &str) {
        let is_address =
            address.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !is_address || address.contains(char::is_whitespace) {
            self.fault("is no e-mail address", "write it as `name@example.com`");
        }
    }
}

fn is_status(key: &str, edition: Edition) -> bool {
    let is_code = key.len() == 3 && key.bytes().all(|b| b.is_ascii_digit());
    let is_range = edition > Edition::V2 && matches!(key, "1XX" | "2XX" | "3XX" | "4XX" | "5XX");
    is_code || is_range || key == "default"
}

fn with_article(name: &str) -> String {
    format!("{} {name}", if name.starts_with(['a', 'e', 'i', 'o', 'u', 'O']) { "an" } else { "a" })
}
