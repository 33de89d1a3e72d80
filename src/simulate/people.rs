//! Invented people: from a number, always the same name, address, phone, card and identity numbers.
//!
//! Numbers with check digits are valid (Luhn for cards, ISO/IEC 7812; the Medicare weights 1 3 7 9), because a sensor
//! tells them from other digits by that. Card numbers lie in ranges that test systems use, nobody has these.

use super::random::scatter;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;

const FIRST_NAMES: [&str; 48] = [
    "Olivia", "Noah", "Amelia", "Jack", "Isla", "William", "Mia", "Leo", "Ava", "Thomas", "Grace", "Henry", "Zoe",
    "Lucas", "Ruby", "Oscar", "Priya", "Arjun", "Mei", "Wei", "Fatima", "Omar", "Chloe", "Hugo", "Sofia", "Mateo",
    "Ingrid", "Lars", "Aoife", "Liam", "Hannah", "Jonas", "Elena", "Marco", "Yuki", "Haruto", "Nina", "Pavel", "Sarah",
    "David", "Emily", "James", "Leila", "Samuel", "Maria", "Peter", "Alice", "Victor",
];
const LAST_NAMES: [&str; 48] = [
    "Smith", "Jones", "Williams", "Brown", "Wilson", "Taylor", "Nguyen", "Johnson", "Martin", "White", "Anderson",
    "Walker", "Thompson", "Lee", "Ryan", "Robinson", "Kelly", "King", "Campbell", "Singh", "Chen", "Patel", "Khan",
    "Rossi", "Muller", "Schmidt", "Garcia", "Lopez", "Novak", "Kowalski", "Jensen", "Larsen", "Dubois", "Moreau",
    "Silva", "Costa", "Tanaka", "Sato", "Kim", "Park", "Murphy", "Byrne", "Fischer", "Weber", "Bianchi", "Popescu",
    "Ivanov", "Haddad",
];
const STREETS: [&str; 16] = [
    "Wattle St",
    "George St",
    "Victoria Rd",
    "Church Ln",
    "Station Rd",
    "High St",
    "Albert Ave",
    "Mill Rd",
    "Park Ave",
    "Banksia Ct",
    "Elizabeth St",
    "King St",
    "Harbour Dr",
    "Ocean Pde",
    "Maple Cres",
    "Railway Tce",
];
const TOWNS: [(&str, &str, &str); 10] = [
    ("Newtown", "NSW", "2042"),
    ("Fitzroy", "VIC", "3065"),
    ("Paddington", "QLD", "4064"),
    ("Glenelg", "SA", "5045"),
    ("Fremantle", "WA", "6160"),
    ("Hobart", "TAS", "7000"),
    ("Braddon", "ACT", "2612"),
    ("Geelong", "VIC", "3220"),
    ("Parramatta", "NSW", "2150"),
    ("Cairns", "QLD", "4870"),
];
const MAIL_PROVIDERS: [&str; 5] =
    ["mailbox.example", "post.example", "inbox.example", "webmail.example", "fastpost.example"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Person(pub u32);

impl Person {
    fn trait_of(self, which: u64) -> u64 {
        scatter(0x9e09_1e00 + which, u64::from(self.0))
    }

    fn choose<T: Copy>(self, which: u64, from: &[T]) -> T {
        from[(self.trait_of(which) % from.len() as u64) as usize] // the remainder is below the length
    }

    pub fn first(self) -> &'static str {
        self.choose(1, &FIRST_NAMES)
    }

    pub fn last(self) -> &'static str {
        self.choose(2, &LAST_NAMES)
    }

    pub fn email(self) -> String {
        let provider = self.choose(3, &MAIL_PROVIDERS);
        format!("{}.{}{}@{provider}", self.first().to_lowercase(), self.last().to_lowercase(), self.0)
    }

    /// An Australian mobile in international form.
    pub fn phone(self) -> String {
        let digits = self.trait_of(4) % 100_000_000;
        format!("+61 4{:02} {:03} {:03}", digits / 1_000_000, digits / 1000 % 1000, digits % 1000)
    }

    pub fn street(self) -> String {
        format!("{} {}", self.trait_of(5) % 180 + 1, self.choose(6, &STREETS))
    }

    /// Suburb, state, postcode.
    pub fn town(self) -> (&'static str, &'static str, &'static str) {
        self.choose(7, &TOWNS)
    }

    pub fn birth_date(self) -> String {
        let bits = self.trait_of(8);
        format!("{}-{:02}-{:02}", 1948 + bits % 57, bits / 57 % 12 + 1, bits / 700 % 28 + 1)
    }

    /// Sixteen digits that pass Luhn, beginning 4 (Visa) or 51 to 55 (Mastercard).
    pub fn card(self) -> String {
        let bits = self.trait_of(9);
        let issuer = if bits & 1 == 0 {
            format!("4{:05}", bits >> 1 & 0xffff)
        } else {
            format!("5{}{:04}", bits % 5 + 1, bits >> 9 & 0xfff)
        };
        let mut digits = format!("{issuer}{:09}", (bits >> 20) % 1_000_000_000);
        let total: u32 = digits.bytes().enumerate().map(|(place, byte)| luhn_part(place, u32::from(byte - b'0'))).sum();
        let _ = write!(digits, "{}", (10 - total % 10) % 10);
        digits
    }

    pub fn card_last4(self) -> String {
        self.card()[12..].to_owned() // sixteen digits
    }

    /// Ten digits: eight, their check digit, and the issue number.
    pub fn medicare(self) -> String {
        let bits = self.trait_of(10);
        let body = format!("{}{:07}", bits % 5 + 2, (bits >> 8) % 10_000_000);
        let check: u32 =
            body.bytes().zip([1u32, 3, 7, 9, 1, 3, 7, 9]).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
        format!("{body}{}1", check % 10)
    }

    /// An Australian passport: a letter (two since 2019) and seven digits.
    pub fn passport(self) -> String {
        let bits = self.trait_of(11);
        format!("{}{:07}", if bits & 1 == 0 { "N" } else { "PA" }, (bits >> 8) % 10_000_000)
    }

    /// What this person means to type. Everyone's differs.
    pub fn password(self) -> String {
        format!("{}{}!{:04x}", self.choose(12, &FIRST_NAMES), self.trait_of(13) % 90 + 10, self.trait_of(14) & 0xffff)
    }

    /// Order ids of a person lie anywhere among all orders.
    pub fn order(self, nth: u32) -> u32 {
        (1_000_000 + scatter(0x06de + u64::from(nth), u64::from(self.0)) % 900_000) as u32
    }

    pub fn order_count(self) -> u32 {
        (self.trait_of(15) % 9 + 1) as u32
    }

    /// A bearer token of this person, issued at `issued` (seconds). Its signature is noise, nobody here verifies it.
    pub fn token(self, issued: i64, scope: &str) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"2025-10"}"#);
        let claims = format!(
            r#"{{"iss":"https://auth.shop.example","sub":"u{}","scope":"{scope}","iat":{issued},"exp":{}}}"#,
            self.0,
            issued + 3600
        );
        let mut signature = [0u8; 64];
        for (index, chunk) in signature.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&scatter(issued as u64, u64::from(self.0) << 8 | index as u64).to_be_bytes());
        }
        format!("{head}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token that he, or anybody else, could write himself.
    pub fn unsigned_token(self, issued: i64) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let claims = format!(r#"{{"sub":"u{}","scope":"customer","iat":{issued}}}"#, self.0);
        format!("{head}.{}.", URL_SAFE_NO_PAD.encode(claims))
    }

    /// A session cookie's value.
    pub fn session(self, issued: i64) -> String {
        format!("{:016x}{:016x}", scatter(issued as u64, u64::from(self.0)), self.trait_of(16))
    }
}

fn luhn_part(place: usize, digit: u32) -> u32 {
    match place % 2 {
        0 if digit > 4 => digit * 2 - 9,
        0 => digit * 2,
        _ => digit,
    }
}

/// A version 4 UUID from two numbers.
pub fn uuid(what: u64, index: u64) -> String {
    let (high, low) = (scatter(what, index), scatter(what ^ 0x55, index));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        (low >> 48 & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_numbers_carry_valid_check_digits() {
        for id in 0..500 {
            let card = Person(id).card();
            assert_eq!(card.len(), 16, "{card}");
            let total: u32 =
                card.bytes().enumerate().map(|(place, byte)| luhn_part(place, u32::from(byte - b'0'))).sum();
            assert_eq!(total % 10, 0, "{card}");
            assert_eq!(Person(id).medicare().len(), 10);
            assert_eq!(uuid(1, u64::from(id)).len(), 36);
        }
    }

    #[test]
    fn a_person_stays_the_same_and_differs_from_others() {
        assert_eq!(Person(7).email(), Person(7).email());
        assert_ne!(Person(7).email(), Person(8).email());
        assert_eq!(Person(7).token(100, "customer").split('.').count(), 3);
    }
}
