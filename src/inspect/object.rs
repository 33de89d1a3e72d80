//! Which fields of a request say what it asks for: `account_id`, `orderNumber`, `invoice`.
//!
//! The name of a field in, whether its value names an object out; of the values of a body, all numbers that do, as one. A visit,
//! a message or a place in a list is no object, whatever its field is called.

use super::field::Words;
use crate::hash::HashKey;

/// Letters in front of the number of an identifier (`INV-0004711`), in bytes.
const PREFIX_BYTES: usize = 8;

/// What a field's name promises of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectName {
    /// It names an object, whatever it looks like: `id`, `patientId`.
    Id,
    /// It does if it looks like an identifier: `order` may also say how a list is sorted.
    Thing,
    /// It does if it looks like an identifier, but may as well tell of who sends it: `phone`.
    Contact,
    /// Of a visit, a message or a place in a list, whatever it looks like: `session_id`, `cursor`.
    NoObject,
    Unknown,
}

/// What the values of a body name together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedObject {
    /// Keyed, of all the numbers, in their order.
    pub hash: u64,
    /// Their sum: where one of them counts up, it does.
    pub number: u64,
}

impl NamedObject {
    /// With a value that names an object, too; what has no number is passed over, since nobody counts it up.
    pub(super) fn with(known: Option<NamedObject>, value: &[u8], key: &HashKey) -> Option<NamedObject> {
        let Some(number) = number_of(value) else { return known };
        let (hash, sum) = known.map_or((0, 0), |known| (known.hash, known.number));
        let mut both = [0; 16];
        both[..8].copy_from_slice(&hash.to_le_bytes());
        both[8..].copy_from_slice(&number.to_le_bytes());
        Some(NamedObject { hash: key.hash(&both), number: sum.wrapping_add(number) })
    }
}

/// 42 of `42`, 4711 of `INV-0004711`; nothing of a UUID.
fn number_of(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (prefix, digits) = value.split_at_checked(value.len() - digits)?; // at most its length
    if prefix.len() > PREFIX_BYTES || prefix.iter().any(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What the name of a field promises, however it is written.
pub fn object_name(name: &[u8]) -> ObjectName {
    promise_of(Words::of(name).joined())
}

/// The same of a name in lower case, without separators.
pub(super) fn promise_of(name: &[u8]) -> ObjectName {
    match name {
        name if names_none(name) => ObjectName::NoObject,
        b"number" | b"msisdn" => ObjectName::Id,
        name if name.ends_with(b"id") => ObjectName::Id,
        b"phone" | b"phonenumber" | b"mobile" | b"email" | b"mail" => ObjectName::Contact,
        b"num" | b"nr" | b"no" | b"reference" => ObjectName::Thing,
        name => {
            let numbers = [&b"number"[..], b"num", b"nr", b"no", b"reference", b"ref"];
            let thing = numbers.iter().find_map(|number| name.strip_suffix(*number)).unwrap_or(name);
            if belongs_to_somebody(thing) { ObjectName::Thing } else { ObjectName::Unknown }
        }
    }
}

fn belongs_to_somebody(thing: &[u8]) -> bool {
    matches!(
        thing,
        b"account"
            | b"acct"
            | b"application"
            | b"booking"
            | b"card"
            | b"case"
            | b"claim"
            | b"contact"
            | b"contract"
            | b"customer"
            | b"doc"
            | b"document"
            | b"employee"
            | b"file"
            | b"guest"
            | b"iccid"
            | b"imei"
            | b"imsi"
            | b"invoice"
            | b"loan"
            | b"member"
            | b"meter"
            | b"mrn"
            | b"order"
            | b"parcel"
            | b"patient"
            | b"payment"
            | b"person"
            | b"plate"
            | b"policy"
            | b"profile"
            | b"receipt"
            | b"record"
            | b"report"
            | b"reservation"
            | b"shipment"
            | b"student"
            | b"ticket"
            | b"tracking"
            | b"transaction"
            | b"user"
            | b"vehicle"
            | b"vin"
    )
}

/// Visits, requests, messages and places in lists that look like ids, and words that end like them.
fn names_none(name: &[u8]) -> bool {
    matches!(
        name,
        b"afterid"
            | b"android"
            | b"batchid"
            | b"beforeid"
            | b"callid"
            | b"cid"
            | b"clientid"
            | b"commandid"
            | b"correlationid"
            | b"cursor"
            | b"cursorid"
            | b"dclid"
            | b"deviceid"
            | b"eventid"
            | b"fbclid"
            | b"fromid"
            | b"gbraid"
            | b"gclid"
            | b"grid"
            | b"impressionid"
            | b"invalid"
            | b"lastid"
            | b"maxid"
            | b"mccid"
            | b"mceid"
            | b"messageid"
            | b"minid"
            | b"msclkid"
            | b"msgid"
            | b"nextid"
            | b"nonce"
            | b"paid"
            | b"parentspanid"
            | b"pollid"
            | b"queryid"
            | b"reqid"
            | b"requestid"
            | b"rid"
            | b"seqid"
            | b"sessid"
            | b"sessionid"
            | b"sid"
            | b"sinceid"
            | b"spanid"
            | b"startid"
            | b"state"
            | b"tid"
            | b"traceid"
            | b"ttclid"
            | b"twclid"
            | b"unpaid"
            | b"valid"
            | b"viewid"
            | b"visitid"
            | b"visitorid"
            | b"void"
            | b"wbraid"
            | b"yclid"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_asked_for() {
        for (promise, names) in [
            (ObjectName::Id, &["id", "ID", "patientId", "invoice_id", "msisdn", "number", "uid"][..]),
            (ObjectName::Thing, &["account", "orderNumber", "invoice-no", "accountRef", "no", "user", "policy_number"]),
            (ObjectName::Contact, &["phone", "Email"]),
            (ObjectName::NoObject, &["gclid", "session_id", "cursor", "after_id", "valid"]),
            (ObjectName::Unknown, &["", "_", "page", "pageNumber", "q", "sort", "piano", "ref"]),
        ] {
            for name in names {
                assert_eq!(object_name(name.as_bytes()), promise, "{name}");
            }
        }
    }

    #[test]
    fn objects_of_bodies_are_numbers() {
        let number = |value: &str| number_of(value.as_bytes());
        assert_eq!(number("42"), Some(42));
        assert_eq!(number(" INV-0004711 "), Some(4711));
        for none in
            ["", "abc", "550e8400-e29b-41d4-a716-446655440000", "a1b2", "99999999999999999999", "a long prefix 7"]
        {
            assert_eq!(number(none), None, "{none}");
        }
        let key = HashKey::new([1; 16]);
        let with = |known, value: &&str| NamedObject::with(known, value.as_bytes(), &key);
        let of = |values: &[&str]| values.iter().fold(None, with);
        assert_eq!(of(&["alice"]), None);
        assert_eq!(of(&["7", "alice"]), of(&["7"]));
        assert_ne!(of(&["1", "7"]).unwrap().hash, of(&["2", "7"]).unwrap().hash);
        assert_eq!(of(&["1", "7"]).unwrap().number, 8);
    }
}
