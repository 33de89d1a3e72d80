//! What is wrong with the servers for a while: releases that break, deploys that fail, filters that were lost.
//!
//! A condition changes the answers to benign requests that match it, from one time to another, for a share of them.
//! Where it is an attack or a benign change of its own, the truth record counts what it changed.

use super::exchange::{Coding, Exchange, Framing, Host};
use super::people::Person;
use super::random::Rng;
use crate::time::Timestamp;
use std::io::Write as _;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Effect {
    /// None; the requests are only counted.
    Nothing,
    /// The request is refused as wrong with this status.
    Refuse(u16),
    /// The server fails, with this status.
    Fail(u16),
    /// The answer holds this many customers' records instead of the caller's own.
    Expose { records: u32 },
    /// The request does not come.
    Vanish,
    /// The server takes so many times as long.
    Slow { times: u32 },
    /// The answer, a JSON object, has one field too many.
    Add(Field),
}

/// A field that a serialiser let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// E-mail and phone of somebody.
    Contact,
    PasswordHash,
    Password,
    /// The key of the servers' own account at a cloud provider.
    CloudKey,
    /// The servers' own private key.
    PrivateKey,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Condition {
    pub host: Host,
    /// Method and template; none for every endpoint of the host that takes input.
    pub endpoint: Option<(&'static str, &'static str)>,
    pub from: Timestamp,
    pub until: Timestamp,
    pub share: f64,
    pub effect: Effect,
    /// The truth record that counts it.
    pub record: usize,
}

impl Condition {
    fn matches(&self, exchange: &Exchange, at: Timestamp) -> bool {
        let endpoint = match self.endpoint {
            Some((method, template)) => exchange.method == method && exchange.template == template,
            None => exchange.method != "OPTIONS" && exchange.template != "/healthz",
        };
        let can_take = !matches!(self.effect, Effect::Add(_)) || is_open_object(exchange);
        endpoint
            && can_take
            && exchange.host == self.host
            && (exchange.status < 400 || self.effect == Effect::Vanish)
            && (self.from..self.until).contains(&at)
    }
}

#[derive(Clone, Debug)]
pub struct Conditions {
    all: Vec<Condition>,
    rng: Rng,
}

impl Conditions {
    pub fn new(seed: u64) -> Conditions {
        Conditions { all: Vec::new(), rng: Rng::named(seed, "conditions", 0) }
    }

    pub fn add(&mut self, condition: Condition) {
        self.all.push(condition);
    }

    /// Before those there are: the first that matches decides.
    pub fn add_first(&mut self, condition: Condition) {
        self.all.insert(0, condition);
    }

    /// Whether the request in `exchange` does not come at all; gives the record that counts it.
    pub fn vanishes(&mut self, exchange: &Exchange, at: Timestamp) -> Option<usize> {
        let rng = &mut self.rng;
        let mut all = self.all.iter().filter(|one| one.effect == Effect::Vanish);
        all.find(|one| one.matches(exchange, at) && rng.chance(one.share)).map(|one| one.record)
    }

    /// Slows the answer of `exchange` down, whatever else is wrong with it; gives the record that counts it.
    pub fn slow_down(&mut self, exchange: &mut Exchange, at: Timestamp) -> Option<usize> {
        let Conditions { all, rng } = self;
        all.iter().find_map(|one| match one.effect {
            Effect::Slow { times } if one.matches(exchange, at) && rng.chance(one.share) => {
                exchange.service *= times;
                Some(one.record)
            }
            _ => None,
        })
    }

    /// Changes the answer of `exchange` if something is wrong; gives the record that counts it.
    pub fn apply(&mut self, exchange: &mut Exchange, at: Timestamp) -> Option<usize> {
        let rng = &mut self.rng;
        let mut all = self.all.iter().filter(|one| !matches!(one.effect, Effect::Vanish | Effect::Slow { .. }));
        let found = all.find(|one| one.matches(exchange, at) && rng.chance(one.share))?;
        if found.effect == Effect::Nothing {
            return Some(found.record);
        }
        if let Effect::Add(field) = found.effect {
            add(field, &mut exchange.reply, rng);
            return Some(found.record);
        }
        exchange.reply_headers.clear();
        exchange.coding = Coding::Identity;
        exchange.framing = Framing::Length;
        match found.effect {
            Effect::Nothing | Effect::Vanish | Effect::Slow { .. } | Effect::Add(_) => {} // done above
            Effect::Refuse(status) => exchange.json(
                status,
                format_args!(r#"{{"error":"validation_failed","field":"quantity","message":"expected integer"}}"#),
            ),
            Effect::Fail(status) => {
                exchange.json(status, format_args!(r#"{{"error":"internal","trace":"{:016x}"}}"#, rng.next_u64()));
            }
            Effect::Expose { records } => {
                exchange.reply.clear();
                exchange.reply_coded = false;
                exchange.reply_type = "application/json";
                let count = rng.between(u64::from(records / 2).max(1), u64::from(records) * 3 / 2);
                customer_records(&mut exchange.reply, (0..count).map(|_| Person(rng.below(400_000) as u32)));
            }
        }
        Some(found.record)
    }
}

/// Whether the answer is a JSON object that is not coded yet.
fn is_open_object(exchange: &Exchange) -> bool {
    exchange.status == 200 && !exchange.reply_coded && exchange.reply.first() == Some(&b'{')
}

/// Puts a field at the end of a JSON object.
fn add(field: Field, object: &mut Vec<u8>, rng: &mut Rng) {
    let mut letters =
        |alphabet: &[u8], count: usize| -> String { (0..count).map(|_| char::from(*rng.pick(alphabet))).collect() };
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let text = match field {
        Field::Contact => {
            let person = Person(rng.below(400_000) as u32);
            format!(r#","owner":{{"email":"{}","phone":"{}"}}}}"#, person.email(), person.phone())
        }
        Field::PasswordHash => format!(r#","password_hash":"$2b$12${}"}}"#, letters(LETTERS, 53)),
        Field::Password => format!(r#","password":"{}7"}}"#, letters(LETTERS, 9)),
        Field::CloudKey => format!(r#","storage":{{"access_key":"AKIA{}"}}}}"#, letters(&LETTERS[..26], 15) + "7"),
        Field::PrivateKey => {
            let body: Vec<String> = (0..12).map(|_| letters(LETTERS, 64)).collect();
            let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
            format!(r#","signing_key":"{begin}\n{}\n{end}\n"}}"#, body.join("\\n"))
        }
    };
    object.truncate(object.len().saturating_sub(1)); // its closing brace
    object.extend_from_slice(text.as_bytes());
}

/// A JSON array of customers with e-mail, phone, address and card, as a careless serialiser writes them.
pub fn customer_records(out: &mut Vec<u8>, people: impl Iterator<Item = Person>) {
    out.push(b'[');
    for (index, person) in people.enumerate() {
        let (suburb, state, postcode) = person.town();
        let comma = if index == 0 { "" } else { "," };
        // Writing into memory cannot fail.
        let _ = write!(
            out,
            r#"{comma}{{"id":{},"name":"{} {}","email":"{}","phone":"{}","address":"{}, {suburb} {state} {postcode}","card":"{}","tier":"{}"}}"#,
            person.0,
            person.first(),
            person.last(),
            person.email(),
            person.phone(),
            person.street(),
            person.card(),
            if person.0 % 5 == 0 { "gold" } else { "basic" },
        );
    }
    out.push(b']');
}
