//! The shop whose traffic is simulated: for each endpoint a function that fills in a request with its usual answer.
//!
//! Four hosts: the web site, the API of the apps, the staff's back office, the partners' API. What the actors vary
//! (who asks, whether it succeeds) are arguments; sizes and details come from the generator they pass.

pub mod account;
pub mod api;
pub mod login;
pub mod office;
pub mod site;

use super::exchange::{Coding, Exchange, Framing};
use super::random::{Rng, scatter};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// What is sold.
pub const PRODUCTS: u64 = 1200;
/// Customers of the shop, more than simulated people.
pub const CUSTOMERS: u64 = 400_000;

const ADJECTIVES: [&str; 12] = [
    "classic", "compact", "solid", "light", "folding", "ceramic", "oak", "steel", "woollen", "striped", "quiet",
    "garden",
];
const NOUNS: [&str; 14] = [
    "lamp", "chair", "kettle", "desk", "blanket", "mug", "shelf", "bench", "pan", "basket", "clock", "rug", "vase",
    "stool",
];

pub fn product_name(product: u64) -> (&'static str, &'static str) {
    let bits = scatter(0x9d, product);
    // Both remainders are below the length.
    (ADJECTIVES[(bits % ADJECTIVES.len() as u64) as usize], NOUNS[((bits >> 16) % NOUNS.len() as u64) as usize])
}

/// `oak-lamp-417`.
pub fn slug(product: u64) -> String {
    let (adjective, noun) = product_name(product);
    format!("{adjective}-{noun}-{product}")
}

pub fn price(product: u64) -> String {
    let cents = scatter(0x7c1ce, product) % 40_000 + 495;
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A few products are asked for much more often than the rest.
pub fn popular_product(rng: &mut Rng) -> u64 {
    let unit = rng.unit();
    (unit * unit * unit * PRODUCTS as f64) as u64
}

pub fn write_product(out: &mut Vec<u8>, product: u64) {
    let (adjective, noun) = product_name(product);
    // Writing into memory cannot fail.
    let _ = write!(
        out,
        r#"{{"id":{product},"sku":"SKU-{:06}","slug":"{adjective}-{noun}-{product}","name":"{adjective} {noun}","price":{},"currency":"AUD","stock":{},"rating":{}.{},"updated_at":"2025-11-{:02}T08:{:02}:00Z"}}"#,
        product * 37 % 999_983,
        price(product),
        product * 13 % 90,
        product % 3 + 2,
        product % 10,
        product % 27 + 1,
        product % 60,
    );
}

/// `[a,b,…]` of what `write` writes for each number.
pub fn write_list(out: &mut Vec<u8>, items: impl Iterator<Item = u64>, write: impl Fn(&mut Vec<u8>, u64)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// How the front server sends an answer: large text compressed or chunked for many clients.
pub fn dress(exchange: &mut Exchange, rng: &mut Rng) {
    const WORTH_COMPRESSING: usize = 700;
    if exchange.reply_coded
        || exchange.reply.len() < WORTH_COMPRESSING
        || exchange.method == "HEAD"
        || exchange.status == 304
    {
        return;
    }
    exchange.coding = match rng.below(100) {
        0..65 => Coding::Gzip,
        65..70 => Coding::Deflate,
        _ => Coding::Identity,
    };
    let chunked = if exchange.coding == Coding::Identity { 0.2 } else { 0.5 };
    if exchange.framing == Framing::Length && rng.chance(chunked) {
        exchange.framing = Framing::Chunked;
    }
}

/// Milliseconds of thinking.
pub fn takes(exchange: &mut Exchange, milliseconds: u64) {
    exchange.service = Duration::from_millis(milliseconds);
}

/// A page of so many words, for HTML and descriptions.
pub fn prose(out: &mut String, words: u64, rng: &mut Rng) {
    for _ in 0..words {
        let (adjective, noun) = product_name(rng.below(4000));
        let _ = write!(out, "{adjective} {noun} ");
    }
}
