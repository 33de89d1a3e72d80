//! Looking at bodies, alone: bytes of JSON a second, as they come in segments and in one piece.
//!
//! `cargo bench --bench inspect` scans lists of products (ids, prices, slugs: nothing to find), lists of customers
//! (personal data in every record) and prose, each in pieces of one Ethernet segment and whole.

use apitap::hash::HashKey;
use apitap::inspect::{BodyKind, BodyScan, Limits, Role};
use std::hint::black_box;
use std::time::Instant;

/// TCP payload of a full Ethernet frame, in bytes.
const SEGMENT_BYTES: usize = 1448;
const ROUNDS: usize = 9;
/// Bytes scanned a round.
const ROUND_BYTES: usize = 32 << 20;

/// A list of records, at least so many bytes long.
fn list(bytes: usize, record: impl Fn(usize) -> String) -> String {
    let mut out = String::from("[");
    for n in 0.. {
        if out.len() >= bytes {
            break;
        }
        out.push_str(if n == 0 { "" } else { "," });
        out.push_str(&record(n));
    }
    out + "]"
}

fn products(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"id":{},"sku":"SKU-{}","slug":"ceramic-mug-{}","name":"ceramic mug","price":{}.48,"currency":"AUD","stock":{},"rating":2.0,"updated_at":"2025-11-{:02}T08:00:00Z"}}"#,
            375_000 + n,
            875_221 + n * 37,
            375_000 + n,
            n % 400,
            n % 90,
            n % 27 + 1
        )
    })
}

fn customers(bytes: usize) -> String {
    list(bytes, |n| {
        format!(
            r#"{{"customerId":"7f9c24e8-3b12-4f1a-9d7e-{n:012}","firstName":"Ada","lastName":"Lovelace","email":"ada.{n}@example.com","phone":"+61 2 9374 {:04}","dob":"1980-0{}-12","note":"called twice"}}"#,
            n % 10_000,
            n % 9 + 1
        )
    })
}

fn prose(bytes: usize) -> String {
    r#"{"article":"The quick brown fox, so they say in 2019, jumps over the lazy dog; and nothing else \"happens\" at all."},"#
        .repeat(bytes / 110 + 1)
}

/// Gigabytes a second, of the best round.
fn speed(scan: &mut BodyScan, body: &[u8], piece: usize) -> f64 {
    let times = (ROUND_BYTES / body.len()).max(1);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..times {
            scan.begin(Role::Response, BodyKind::Json);
            body.chunks(piece).for_each(|chunk| {
                scan.feed(black_box(chunk));
            });
            black_box(scan.finish());
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    (times * body.len()) as f64 / best / 1e9
}

fn main() {
    let mut scan = BodyScan::new(Limits::default(), HashKey::new(*b"benchmark key 16"));
    println!("{:<12} {:>10} {:>14} {:>14}", "body", "bytes", "segments GB/s", "whole GB/s");
    for (name, make) in [("products", products as fn(usize) -> String), ("customers", customers), ("prose", prose)] {
        for bytes in [400, 5_000, 1_000_000] {
            let body = make(bytes);
            let (segments, whole) =
                (speed(&mut scan, body.as_bytes(), SEGMENT_BYTES), speed(&mut scan, body.as_bytes(), usize::MAX));
            println!("{name:<12} {:>10} {segments:>14.2} {whole:>14.2}", body.len());
        }
    }
}
