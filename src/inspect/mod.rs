//! Content checks: bytes of bodies, header values and query values in; classes of sensitive data, records, login
//! fields and outcomes out. Sans-I/O, streaming, no clock.
//!
//! [`BodyScan`] takes one body in any pieces and gives a [`BodyReport`]; [`scan_text`] looks at one value. A value is
//! hashed with the sensor's key the moment it is recognised; only counts, hashes and one masked sample a class are
//! kept ([`mask`]).
//!
//! What counts is decided in this order: a name that promises something, a shape that only one thing has,
//! a check digit. Ordinary ids, time stamps, prices, UUIDs and hashes do not count: bare digits without a promise are
//! a payment card (issuer, length and Luhn) or nothing.
//!
//! It refuses nothing: broken UTF-8, unbalanced brackets, endless strings and missing bytes are walked over, in linear
//! time and in memory bounded by [`Limits`]. Not looked into: formats other than [`BodyKind`] names, images, archives,
//! text in other encodings than UTF-8 and its supersets of ASCII.

mod block;
mod body;
mod checks;
mod class;
mod csv;
mod email;
mod field;
mod form;
mod injection;
mod json;
mod kind;
mod letters;
mod markup;
mod mask;
mod multipart;
mod names;
mod numbers;
mod object;
mod operation;
mod paging;
mod phrases;
mod plain;
mod report;
mod secrets;
mod sequence;
mod sink;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod verdict;
mod words;

pub use body::BodyScan;
pub use class::{DataClass, Sensitivity, by_class};
pub use field::is_secret_name;
pub use injection::{Injection, Injections, in_cookies, in_field, in_other_field, in_target, in_token_head};
use json::json_strings;
pub use kind::BodyKind;
pub use mask::mask;
pub use object::{NamedObject, ObjectName, object_name};
pub use operation::{Caller, Calls, Protocol, in_document};
pub use paging::page_size_in_query;
pub use report::{AccountSaid, BodyReport, ClassReport, CodeField, LoginFields};
pub use verdict::{code_of, user_hash};
pub use words::is_password as is_password_name;

use std::ops::Range;

/// Who sent the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    Request,
    Response,
}

/// Bounds of a scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a body that are looked at; past them they are only counted.
    pub max_scanned_bytes: u64,
    /// JSON levels that are looked into; what is deeper is passed over. At most 128.
    pub max_depth: u32,
    /// Levels of XML and HTML whose names are kept. At most 64.
    pub max_markup_depth: usize,
    /// Columns of CSV whose names are kept; further ones have no name.
    pub max_columns: usize,
    /// Parts of a multipart body that are looked into.
    pub max_parts: u32,
    /// Distinct values kept of each class, as hashes of 8 bytes.
    pub max_distinct_per_class: usize,
    /// Longest value that is looked at; of a longer one, its head. At least 64.
    pub token_bytes: usize,
}

impl Default for Limits {
    /// 8 MiB is more than an API answers at once; 64 levels more than anyone nests; 128 columns and 1,000 parts (as Tomcat
    /// takes) more than anyone writes; 256 values tell a leak from a profile; 512 bytes hold the head of a JWT or of a PEM
    /// block.
    fn default() -> Limits {
        Limits {
            max_scanned_bytes: 8 << 20,
            max_depth: 64,
            max_markup_depth: 64,
            max_columns: 128,
            max_parts: 1000,
            max_distinct_per_class: 256,
            token_bytes: 512,
        }
    }
}

/// Whether all of a text is a secret that gives itself away: a token, an API key.
pub fn is_secret_value(text: &[u8]) -> bool {
    secrets::secret_at(text, 0).is_some_and(|(_, end)| end == text.len())
}

/// Every sensitive value in one text, with its place. `field` is the name of the field that holds the text: weak shapes
/// count only where it promises them.
pub fn scan_text(text: &[u8], field: Option<&str>, role: Role) -> Vec<(DataClass, Range<usize>)> {
    let hint = field.map_or(field::Hint::NONE, |name| field::hint_of(name.as_bytes()));
    let mut found = Vec::new();
    if let Some(seen) = value::worth_a_look(text, hint) {
        value::scan(text, &seen, hint, role == Role::Response, &mut |class, range| found.push((class, range)));
    }
    found
}
