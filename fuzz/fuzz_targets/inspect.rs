//! Bodies of every kind that is looked into: JSON, forms, multipart, XML, CSV, text. What is reported does not depend on
//! how the bytes were split.
#![no_main]

use apitap::hash::HashKey;
use apitap::inspect::{BodyKind, BodyReport, BodyScan, Limits, Role};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 8] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "multipart/mixed",
    "application/xml",
    "text/html",
    "text/csv",
    "text/plain",
];

fn report<'b>(role: Role, kind: BodyKind, pieces: impl Iterator<Item = &'b [u8]>) -> BodyReport {
    let limits = Limits { max_scanned_bytes: 64 << 10, ..Limits::default() };
    let mut scan = BodyScan::new(limits, HashKey::new([7; 16]));
    scan.begin(role, kind);
    for piece in pieces {
        if !scan.feed(piece) {
            break;
        }
    }
    scan.finish()
}

fuzz_target!(|input: &[u8]| {
    let [choice, size, body @ ..] = input else { return };
    let kind = BodyKind::of(Some(TYPES[usize::from(*choice >> 1) % TYPES.len()].as_bytes()));
    let role = || if choice & 1 == 0 { Role::Request } else { Role::Response };
    let whole = report(role(), kind, std::iter::once(body));
    let split = report(role(), kind, body.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, split, "{kind:?}");
});
