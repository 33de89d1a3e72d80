//! Content codings: what comes out does not depend on how the bytes were split, and stays within the limits.
#![no_main]

use apitap::http::decode::{BodyDecoder, DecoderPool, Limits, Outcome, codings_of};
use libfuzzer_sys::fuzz_target;

const CODINGS: [&str; 8] =
    ["gzip", "deflate", "br", "zstd", "gzip, gzip", "br, gzip", "deflate, zstd", "gzip, br, zstd"];
const LIMITS: Limits =
    Limits { max_output: 256 << 10, max_ratio: 100, ratio_free_output: 16 << 10, max_codings: 3, held_bytes: 24 << 20 };

fn decode(pool: &mut DecoderPool, codings: &str, pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> (Vec<u8>, Outcome) {
    let codings = codings_of(codings).expect("known codings");
    let mut decoder = BodyDecoder::for_codings(&codings, pool);
    let mut decoded = Vec::new();
    for piece in pieces {
        decoder.feed(pool, piece.as_ref(), |bytes| decoded.extend_from_slice(bytes));
    }
    let outcome = decoder.finish(pool).outcome;
    (decoded, outcome)
}

fuzz_target!(|input: &[u8]| {
    let [coding, size, body @ ..] = input else { return };
    let coding = CODINGS[*coding as usize % CODINGS.len()];
    let mut pool = DecoderPool::new(LIMITS);
    let whole = decode(&mut pool, coding, std::iter::once(body));
    let split = decode(&mut pool, coding, body.chunks(usize::from(*size).max(1)));
    // Of a broken brotli stream, what was decoded last is not always handed on; so a limit may be reached before the end.
    let is_broken_brotli = coding.contains("br") && [whole.1, split.1].contains(&Outcome::Corrupt);
    assert!(is_broken_brotli || whole.1 == split.1, "{coding}: {:?} whole, {:?} split", whole.1, split.1);
    let is_prefix = whole.0.starts_with(&split.0) || split.0.starts_with(&whole.0);
    let may_differ = is_broken_brotli && is_prefix;
    assert!(may_differ || whole.0 == split.0, "{coding}: {} bytes whole, {} split", whole.0.len(), split.0.len());
    assert!(whole.0.len() as u64 <= LIMITS.max_output);
    assert_eq!(pool.held_bytes(), 0);
});
