//! What a body scan gives: counts, keyed hashes and masked samples; never a value.

use super::class::DataClass;
use super::injection::Injections;
use super::mask::mask;
use super::object::NamedObject;
use super::operation::Calls;
use crate::hash::{HashKey, mix};
use smallvec::SmallVec;
use std::ops::Range;

/// What one body said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyReport {
    /// Rows: objects in JSON arrays (the outermost such arrays), documents of NDJSON, repeated XML siblings, CSV rows,
    /// HTML table rows. A single JSON object is one.
    pub records: u32,
    /// Sorted by class.
    pub classes: SmallVec<[ClassReport; 2]>,
    pub login: LoginFields,
    /// Names of a request's top-level fields, a zero byte behind each; the first, and the beginnings of long ones.
    pub members: Option<Box<[u8]>>,
    /// Code that a request carries.
    pub injections: Injections,
    /// What a request asks for.
    pub object: Option<Box<NamedObject>>,
    /// The largest page that a request asks for, in rows.
    pub page_size: Option<u64>,
    /// What a request calls, where its path does not say it.
    pub calls: Option<Box<Calls>>,
    /// What a response says of success; `None` where it says nothing.
    pub outcome: Option<bool>,
    /// A response says in so many words that a login was refused.
    pub refuses_login: bool,
    /// What a response gives away of an account.
    pub account: Option<AccountSaid>,
    /// A password was right, and something more is wanted: a second factor, a new password.
    pub wants_more: bool,
    /// A response carries a session or access token in a field named so.
    pub has_token: bool,
    /// Fingerprint of the look of the document that ignores values: catch-all pages of different paths share it.
    pub shape: u64,
    pub bytes: u64,
    /// The body was longer than [`super::Limits::max_scanned_bytes`]; the rest was only counted.
    pub truncated: bool,
    /// An object of JSON-RPC, by its version.
    pub is_rpc: bool,
    /// Levels, columns or parts beyond [`super::Limits`] were passed over, or their names.
    pub is_cut: bool,
}

impl BodyReport {
    /// Names of a request's top-level fields: of JSON and of forms.
    pub fn members(&self) -> impl Iterator<Item = &[u8]> {
        let names = self.members.iter().flat_map(|members| members.split(|byte| *byte == 0));
        names.filter(|name| !name.is_empty())
    }

    pub fn class(&self, class: DataClass) -> Option<&ClassReport> {
        self.classes.iter().find(|report| report.class == class)
    }
}

/// One class in one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassReport {
    pub class: DataClass,
    pub occurrences: u32,
    /// Sorted keyed hashes of the distinct values: of more than [`super::Limits::max_distinct_per_class`] the smallest,
    /// so that merging samples does not depend on the order.
    pub distinct: SmallVec<[u64; 4]>,
    /// Distinct records that carried it.
    pub records: u32,
    /// The first value, masked.
    pub sample: String,
}

/// The login fields of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginFields {
    pub has_password: bool,
    /// Its field is named so that it can be nothing else; else it may be a card's PIN, or a secret of another kind.
    pub is_password_certain: bool,
    pub code: Option<CodeField>,
    /// Keyed hash (purpose `user`) of the user name, trimmed and in lower case.
    pub user: Option<u64>,
    /// Its field is named so that it can be nothing else; else it may be a device's.
    pub is_user_certain: bool,
    /// Keyed hash (purpose `password`).
    pub password: Option<u64>,
}

impl LoginFields {
    /// Two at once: who says the one and the other says something else than who says either.
    pub fn together(self, other: &LoginFields) -> LoginFields {
        let both = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(of_both(one, other)),
            (one, other) => one.or(other),
        };
        LoginFields { user: both(self.user, other.user), password: both(self.password, other.password), ..self }
    }
}

/// The hash of two values that came for one.
pub(super) fn of_both(one: u64, other: u64) -> u64 {
    if one == other { one } else { mix(one ^ other.rotate_left(32)) }
}

/// A one-time code of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeField {
    /// Keyed hash (purpose `code`).
    pub hash: u64,
    /// Its field is named so that it can be nothing else; else it may be a coupon's or a country's.
    pub is_certain: bool,
}

/// What an answer gives away of the account that a request named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSaid {
    /// There is none of that name.
    Unknown,
    /// There is one already.
    Taken,
}

/// Longest normalised value that is hashed, in bytes; of longer ones (a JWT) the head stands for the whole.
const NORMALISED_BYTES: usize = 512;

/// Counts values by class while a body passes.
pub(super) struct Tally {
    key: HashKey,
    max_distinct: usize,
    classes: SmallVec<[ClassReport; 2]>,
    /// The record in which each class was last seen, plus one.
    last_record: [u64; DataClass::COUNT],
}

impl Tally {
    pub fn new(key: HashKey, max_distinct: usize) -> Tally {
        Tally { key, max_distinct: max_distinct.max(1), classes: SmallVec::new(), last_record: [0; DataClass::COUNT] }
    }

    pub fn clear(&mut self) {
        self.classes.clear();
        self.last_record = [0; DataClass::COUNT];
    }

    /// Counts the value at `range` of `text`, seen in the given record.
    pub fn add(&mut self, class: DataClass, text: &[u8], range: Range<usize>, record: u64) {
        let value = text.get(range).unwrap_or_default();
        let mut buffer = [0u8; NORMALISED_BYTES];
        let hash = self.key.secret(class.name(), normalised(class, value, &mut buffer));
        let index = match self.classes.binary_search_by_key(&class, |report| report.class) {
            Ok(index) => index,
            Err(index) => {
                let sample = mask(class, value);
                let distinct = SmallVec::new();
                self.classes.insert(index, ClassReport { class, occurrences: 0, distinct, records: 0, sample });
                index
            }
        };
        let (Some(report), Some(last)) = (self.classes.get_mut(index), self.last_record.get_mut(class as usize)) else {
            return;
        };
        report.occurrences = report.occurrences.saturating_add(1);
        if *last != record + 1 {
            *last = record + 1;
            report.records = report.records.saturating_add(1);
        }
        if let Err(place) = report.distinct.binary_search(&hash)
            && place < self.max_distinct
        {
            report.distinct.insert(place, hash);
            report.distinct.truncate(self.max_distinct);
        }
    }

    pub fn take(&mut self) -> SmallVec<[ClassReport; 2]> {
        std::mem::take(&mut self.classes)
    }
}

/// The same value written in another way gives the same bytes: letters and digits of numbers in upper case, addresses
/// in lower case, secrets as they are.
fn normalised<'a>(class: DataClass, value: &'a [u8], buffer: &'a mut [u8; NORMALISED_BYTES]) -> &'a [u8] {
    let mut length = 0;
    match class {
        class if class.is_secret() => {
            return value.get(..value.len().min(NORMALISED_BYTES)).unwrap_or_default();
        }
        DataClass::Email => {
            for (slot, byte) in buffer.iter_mut().zip(value) {
                *slot = byte.to_ascii_lowercase();
                length += 1;
            }
        }
        _ => {
            for (slot, byte) in buffer.iter_mut().zip(value.iter().filter(|byte| byte.is_ascii_alphanumeric())) {
                *slot = byte.to_ascii_uppercase();
                length += 1;
            }
        }
    }
    buffer.get(..length).unwrap_or_default()
}
