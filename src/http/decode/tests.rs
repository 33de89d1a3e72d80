use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;

/// `users(40)` and 8 MiB of zeros, by Google's encoder at quality 11.
const BROTLI_USERS: &str = "G0QJwCwOeHPIldSXGabTj7gpt9L2TLqSfPkg8+WxGrRYukqnL0AgqhPdd5ZuQmuWxOIFLFWsgD+lNyzkjtxj9vhHkaa/fv2f+t6ck+f9lU89b9W78Krf4a+Mv19diM3hbICM1RqiYjJG6OhpY0zkYsI9wKZxwpIZ3FBoFi84MLdEKXD1E0qMqU4BueKiiNqdByV0bbcypmajwj2VVeNUU2pwK6ZavHLD3MgKbR1iIYp3CswJq4gqaJTQqzTKmN1NUMGuPavmmSA1uDWiWrzqwNyoikwdUiHKewrMqVYRVeIooYtuZUyho4K9WqMa51uklFjTUYk1rUlP";
const BROTLI_ZEROS: &str = "y///P/gnAOKxQCD3/m8=";

fn users(count: usize) -> Vec<u8> {
    let user = |i: usize| format!(r#"{{"id": {i}, "name": "user {}", "email": "u{i}@example.org"}}"#, i * 7919 % 1000);
    format!("[{}]", (0..count).map(user).collect::<Vec<_>>().join(", ")).into_bytes()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd_coded(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

/// Brotli without compression: stored meta-blocks (RFC 7932 §9.2) and an empty last one.
fn stored_brotli(plain: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    for (index, chunk) in plain.chunks(1 << 16).enumerate() {
        // Window bits 16 ("0") before the first; not last ("0"), four nibbles ("00"), length - 1, uncompressed ("1").
        let header = ((chunk.len() as u32 - 1) << 3) | 1 << 19;
        let header = if index == 0 { header << 1 } else { header };
        bytes.extend_from_slice(&header.to_le_bytes()[..3]);
        bytes.extend_from_slice(chunk);
    }
    bytes.push(if plain.is_empty() { 0b110 } else { 0b11 });
    bytes
}

/// Decodes with the given splits; gives the output and what became of it.
fn decode_split(codings: &str, body: &[u8], limits: Limits, lengths: &[usize]) -> (Vec<u8>, Decoded) {
    let mut pool = DecoderPool::new(limits);
    let mut decoder = BodyDecoder::for_encodings(codings, &mut pool).unwrap();
    let (mut output, mut rest) = (Vec::new(), body);
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        decoder.feed(&mut pool, &rest[..length], |bytes| {
            assert!(!bytes.is_empty() && bytes.len() <= BUFFER_BYTES.max(length));
            output.extend_from_slice(bytes);
        });
        rest = &rest[length..];
    }
    let decoded = decoder.finish(&mut pool);
    assert_eq!(pool.held_bytes(), 0, "what was lent came back");
    assert_eq!((decoded.input_bytes, decoded.output_bytes), (body.len() as u64, output.len() as u64));
    (output, decoded)
}

/// Compares the whole body with its split: outcome and output are equal. Of a corrupt brotli body the outputs may have
/// different lengths, but one begins with the other.
fn assert_splits_end_alike(codings: &str, body: &[u8], lengths: &[usize]) {
    let (whole, decoded) = decode_split(codings, body, Limits::default(), &[]);
    let (split, split_decoded) = decode_split(codings, body, Limits::default(), lengths);
    assert_eq!(split_decoded.outcome, decoded.outcome);
    let shorter = whole.len().min(split.len());
    assert!(whole[..shorter] == split[..shorter]);
    assert!(whole.len() == split.len() || (codings == "br" && decoded.outcome == Outcome::Corrupt), "{codings}");
}

fn decode_whole(codings: &str, body: &[u8]) -> (Vec<u8>, Outcome) {
    let (output, decoded) = decode_split(codings, body, Limits::default(), &[]);
    (output, decoded.outcome)
}

#[test]
fn every_coding_is_undone() {
    let plain = users(40);
    for (codings, body) in [
        ("gzip", gzip(&plain)),
        ("X-GZip", gzip(&plain)),
        ("deflate", zlib(&plain)),
        ("deflate", raw_deflate(&plain)),
        ("br", STANDARD.decode(BROTLI_USERS).unwrap()),
        ("br", stored_brotli(&plain)),
        ("zstd", zstd_coded(&plain)),
        ("identity", plain.clone()),
        ("", plain.clone()),
    ] {
        assert!(decode_whole(codings, &body) == (plain.clone(), Outcome::Complete), "{codings}");
    }
}

#[test]
fn stacked_codings_are_undone_in_reverse() {
    let plain = users(4000);
    let body = zstd_coded(&stored_brotli(&gzip(&plain)));
    assert!(decode_whole("gzip, br , identity,, zstd", &body) == (plain, Outcome::Complete));
}

#[test]
fn unknown_codings_and_deep_stacks_are_refused() {
    assert_eq!(codings_of("gzip, compress"), None);
    assert_eq!(codings_of("aws-chunked"), None);
    assert_eq!(codings_of("gzip,gzip,gzip,gzip"), None);
    assert_eq!(codings_of("gzip,gzip,gzip").unwrap().len(), 3);
}

#[test]
fn a_gzip_header_may_have_every_field() {
    let plain = users(10);
    let builder = GzBuilder::new().extra(vec![7; 300]).filename("users.json").comment("all of them");
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    let mut body = encoder.finish().unwrap();
    let mut with_crc = body.clone();
    with_crc[3] |= 0x02;
    let header_bytes = 10 + 2 + 300 + "users.json".len() + 1 + "all of them".len() + 1;
    with_crc.splice(header_bytes..header_bytes, [0xab, 0xcd]);
    assert!(decode_whole("gzip", &body) == (plain.clone(), Outcome::Complete));
    assert!(decode_split("gzip", &with_crc, Limits::default(), &[1]).0 == plain);
    body[3] |= 0x80;
    assert_eq!(decode_whole("gzip", &body).1, Outcome::Corrupt, "reserved flags");
}

#[test]
fn gzip_members_follow_each_other_and_other_bytes_are_ignored() {
    let plain = users(20);
    let mut body = gzip(&plain);
    body.extend_from_slice(&gzip(&plain));
    body.extend_from_slice(b"\0\0\0 padding of a careless server");
    assert!(decode_whole("gzip", &body) == ([plain.clone(), plain].concat(), Outcome::Complete));
}

#[test]
fn zstd_frames_follow_each_other_and_other_bytes_are_ignored() {
    let plain = users(20);
    let mut body = zstd_coded(&plain);
    body.extend_from_slice(&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]); // a skippable frame
    body.extend_from_slice(&zstd_coded(&plain));
    body.extend_from_slice(b"trailing bytes");
    assert!(decode_whole("zstd", &body) == ([plain.clone(), plain].concat(), Outcome::Complete));
}

#[test]
fn a_body_cut_short_is_truncated_and_gives_what_it_had() {
    let plain = users(20_000);
    for (codings, body) in
        [("gzip", gzip(&plain)), ("deflate", zlib(&plain)), ("br", stored_brotli(&plain)), ("zstd", zstd_coded(&plain))]
    {
        let (output, outcome) = decode_whole(codings, &body[..body.len() / 2]);
        assert_eq!(outcome, Outcome::Truncated, "{codings}");
        assert!(output.len() > plain.len() / 8 && plain.starts_with(&output), "{codings}");
    }
    assert_eq!(decode_whole("gzip", b"").1, Outcome::Complete, "the answer to HEAD has no body");
}

#[test]
fn a_body_that_is_not_what_it_says_is_corrupt() {
    for codings in ["gzip", "deflate", "br", "zstd"] {
        let outcome = decode_whole(codings, b"<html>an error page that a proxy wrote, uncompressed</html>").1;
        assert_eq!(outcome, Outcome::Corrupt, "{codings}");
    }
    let mut body = gzip(&users(4));
    let size_at = body.len() - 4;
    body[size_at] ^= 1;
    assert_eq!(decode_whole("gzip", &body).1, Outcome::Corrupt, "the size in the trailer is another");
    body[size_at] ^= 1;
    body[size_at - 1] ^= 1;
    assert_eq!(decode_whole("gzip", &body).1, Outcome::Corrupt, "the CRC in the trailer is another");
}

#[test]
fn blocks_before_a_broken_one_are_given_however_the_body_was_split() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    for chunk in users(100).chunks(1000) {
        encoder.write_all(chunk).unwrap();
        encoder.flush().unwrap(); // ends a block
    }
    let mut body = encoder.finish().unwrap();
    let (whole, _) = decode_whole("zstd", &body);
    assert!(whole == users(100));
    let end = body.len();
    body[end - 3..].fill(0xff); // the last block's header: a type that is reserved
    let broken = decode_split("zstd", &body, Limits::default(), &[]);
    assert!(broken.1.outcome == Outcome::Corrupt && broken.0 == whole, "{:?}", broken.1);
    assert!(decode_split("zstd", &body, Limits::default(), &[7]) == broken);
}

#[test]
fn a_gap_ends_a_coded_body_but_not_a_plain_one() {
    let mut pool = DecoderPool::new(Limits::default());
    for (codings, outcome) in [("gzip", Outcome::Truncated), ("", Outcome::Complete)] {
        let mut decoder = BodyDecoder::for_encodings(codings, &mut pool).unwrap();
        decoder.gap(&mut pool);
        assert_eq!(decoder.is_decoding(), codings.is_empty());
        decoder.feed(&mut pool, b"more", |_| assert!(codings.is_empty(), "a deaf decoder gives nothing"));
        let decoded = decoder.finish(&mut pool);
        assert_eq!((decoded.outcome, decoded.input_bytes), (outcome, 4));
    }
}

#[test]
fn a_bomb_ends_at_its_ratio_and_a_large_body_at_its_size() {
    let zeros = vec![0; 8 << 20];
    for (codings, body) in [
        ("gzip", gzip(&zeros)),
        ("br", STANDARD.decode(BROTLI_ZEROS).unwrap()),
        ("zstd", zstd_coded(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ] {
        let (output, decoded) = decode_split(codings, &body, Limits::default(), &[]);
        assert_eq!(decoded.outcome, Outcome::RatioExceeded, "{codings}");
        // Before each block of input ends, 100 times its end is allowed, or 1 MiB.
        let allowed = (body.len() as u64).next_multiple_of(RATIO_BLOCK) * 100;
        assert!(output.len() as u64 <= allowed.max(1 << 20), "{codings}: {}", output.len());

        let limits = Limits { max_output: 100_000, ..Limits::default() };
        let (output, decoded) = decode_split(codings, &body, limits, &[]);
        assert_eq!((output.len(), decoded.outcome), (100_000, Outcome::TooLarge), "{codings}");
    }
}

#[test]
fn a_zstd_window_above_8_mib_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(24).unwrap();
    // Without a content size, the window size stands in the header.
    encoder.write_all(&[1; 1000]).unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(decode_whole("zstd", &body), (vec![], Outcome::Corrupt));
}

#[test]
fn brotlis_large_window_is_refused() {
    // Window bits "10001000" announce the extension's header (RFC 9841 §9.1), which RFC 7932 reserves.
    assert_eq!(decode_whole("br", &[0x11, 0x1e, 0x03, 0x00, 0x00]), (vec![], Outcome::Corrupt));
}

#[test]
fn states_are_lent_again_and_memory_is_bounded() {
    let body = gzip(&users(10));
    let mut pool = DecoderPool::new(Limits { held_bytes: 100_000, ..Limits::default() });
    let open: Vec<_> = (0..4).map(|_| BodyDecoder::for_encodings("gzip", &mut pool).unwrap()).collect();
    assert_eq!(open.iter().filter(|decoder| decoder.is_decoding()).count(), 2);
    assert_eq!(pool.held_bytes(), 80 << 10);
    drop(open);
    assert_eq!(pool.held_bytes(), 0, "a decoder that is dropped gives its memory back");
    for _ in 0..10 {
        let mut decoder = BodyDecoder::for_encodings("gzip", &mut pool).unwrap();
        decoder.feed(&mut pool, &body[..body.len() / 2], |_| {});
        decoder.finish(&mut pool);
    }
    assert_eq!(pool.inflate.len(), 1, "one state served all that came after");
}

fn coded_body() -> impl Strategy<Value = (&'static str, Vec<u8>, Vec<u8>)> {
    (0usize..6, 0usize..3000).prop_map(|(kind, count)| {
        let plain = users(count);
        match kind {
            0 => ("gzip", gzip(&plain), plain),
            1 => ("deflate", zlib(&plain), plain),
            2 => ("deflate", raw_deflate(&plain), plain),
            3 => ("br", stored_brotli(&plain), plain),
            4 => ("zstd", zstd_coded(&plain), plain),
            _ => ("gzip, zstd", zstd_coded(&gzip(&plain)), plain),
        }
    })
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1usize..4, 1usize..5000], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_split_gives_the_same_output((codings, body, plain) in coded_body(), lengths in lengths()) {
        let (output, decoded) = decode_split(codings, &body, Limits::default(), &lengths);
        prop_assert!(output == plain);
        prop_assert_eq!(decoded.outcome, Outcome::Complete);
    }

    #[test]
    fn any_split_gives_the_same_end_of_a_broken_body(
        (codings, mut body, _) in coded_body(), lengths in lengths(), at in any::<prop::sample::Index>(), bits in 1u8..=255,
    ) {
        let at = at.index(body.len());
        body[at] ^= bits;
        assert_splits_end_alike(codings, &body, &lengths);
    }

    #[test]
    fn broken_compressed_brotli_ends_alike(
        lengths in proptest::collection::vec(1usize..40, 1..9), at in 0usize..249, bits in 1u8..=255,
    ) {
        let mut body = STANDARD.decode(BROTLI_USERS).unwrap();
        body[at] ^= bits;
        assert_splits_end_alike("br", &body, &lengths);
    }

    #[test]
    fn any_split_of_a_bomb_ends_at_the_same_byte(lengths in lengths(), kind in 0usize..3, size in 1usize..(6 << 20)) {
        let zeros = vec![0; size];
        let (codings, body) = match kind {
            0 => ("gzip", gzip(&zeros)),
            1 => ("zstd", zstd_coded(&zeros)),
            _ => ("br", STANDARD.decode(BROTLI_ZEROS).unwrap()),
        };
        let limits = Limits { max_output: 2 << 20, ..Limits::default() };
        let whole = decode_split(codings, &body, limits, &[]);
        prop_assert!(decode_split(codings, &body, limits, &lengths) == whole);
        prop_assert!(whole.0.len() <= 2 << 20);
    }

    #[test]
    fn random_bytes_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..3000), start in 0usize..5, lengths in lengths(),
    ) {
        let starts: [&[u8]; 5] = [&[], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &[0x28, 0xb5, 0x2f, 0xfd], &[0x78, 0x9c], &[0x1b]];
        let body = [starts[start], &body].concat();
        for codings in ["gzip", "deflate", "br", "zstd", "zstd, gzip"] {
            assert_splits_end_alike(codings, &body, &lengths);
        }
    }
}
