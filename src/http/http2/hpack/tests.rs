//! The examples of RFC 7541 Appendix C, the errors of its sections, and what is known after a loss.

use super::*;

const LIMITS: ListLimits = ListLimits { bytes: 64 << 10, fields: 256, expansion: 16 };
const TABLE_BYTES: usize = 64 << 10;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn lines_of(fields: &Fields) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

fn decode(decoder: &mut Decoder, hex: &str) -> Result<(Vec<String>, usize), HpackError> {
    let mut fields = Fields::default();
    decoder.decode(&bytes_of(hex), &LIMITS, &mut fields)?;
    Ok((lines_of(&fields), fields.unknown))
}

fn assert_blocks(decoder: &mut Decoder, blocks: &[(&str, &[&str])]) {
    for (hex, expected) in blocks {
        assert_eq!(decode(decoder, hex).unwrap(), (expected.iter().map(|line| line.to_string()).collect(), 0), "{hex}");
    }
}

fn error(hex: &str) -> HpackError {
    decode(&mut Decoder::new(TABLE_BYTES), hex).unwrap_err()
}

/// Appendix C.1.
#[test]
fn integers_are_those_of_the_examples() {
    let read = |bytes: &[u8], prefix| integer(&mut &bytes[..], prefix);
    assert_eq!(read(&[0b01010], 5), Ok(10));
    assert_eq!(read(&[0b11111, 0b1001_1010, 0b1010], 5), Ok(1337));
    assert_eq!(read(&[42], 8), Ok(42));
    assert_eq!(read(&[0x1f, 0xe0, 0xff, 0xff, 0xff, 0x0f], 5), Ok(0xffff_ffff));
    assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 5), Err(HpackError::Integer));
    assert_eq!(read(&[0x7f, 0xc9, 0x80, 0x80, 0x80, 0x80, 0x00], 7), Ok(200), "with zeros in front");
    assert_eq!(read(&[0x1f, 0x80], 5), Err(HpackError::Truncated));
}

/// Appendix C.2.
#[test]
fn each_representation_is_read() {
    let literal = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    let never = "1008 7061 7373 776f 7264 0673 6563 7265 74";
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &[(literal, &["custom-key: custom-header"])]);
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &[("040c 2f73 616d 706c 652f 7061 7468", &[":path: /sample/path"])]);
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &[(never, &["password: secret"])]);
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &[("82", &[":method: GET"])]);
}

const FIRST: [&str; 4] = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const SECOND: [&str; 5] =
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"];
const THIRD: [&str; 5] =
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"];

/// Appendix C.3 and C.4.
#[test]
fn requests_share_a_table() {
    let plain = [
        ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", &FIRST[..]),
        ("8286 84be 5808 6e6f 2d63 6163 6865", &SECOND),
        ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", &THIRD),
    ];
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &plain);
    let huffman = [
        ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", &FIRST[..]),
        ("8286 84be 5886 a8eb 1064 9cbf", &SECOND),
        ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", &THIRD),
    ];
    assert_blocks(&mut Decoder::new(TABLE_BYTES), &huffman);
}

/// Appendix C.5 and C.6: a table of 256 bytes, so that entries are evicted.
#[test]
fn responses_evict_entries() {
    let first: [&str; 4] = [
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ];
    let mut second = first;
    second[0] = ":status: 307";
    let third = [
        ":status: 200",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com",
        "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ];
    let plain = [
        (
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 \
             474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            &first[..],
        ),
        ("4803 3330 37c1 c0bf", &second),
        (
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 \
             666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 \
             3630 303b 2076 6572 7369 6f6e 3d31",
            &third,
        ),
    ];
    let huffman = [
        (
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 \
             63c7 8f0b 97c8 e9ae 82ae 43d3",
            &first[..],
        ),
        ("4883 640e ffc1 c0bf", &second),
        (
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 \
             b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            &third,
        ),
    ];
    for blocks in [plain, huffman] {
        let mut decoder = Decoder::new(TABLE_BYTES);
        decode(&mut decoder, "3fe1 01").unwrap(); // to 256 bytes
        assert_blocks(&mut decoder, &blocks);
        // Four were evicted: what is left are three.
        assert!(decode(&mut decoder, "c0").is_ok());
        assert_eq!(decode(&mut decoder, "c1"), Err(HpackError::Index));
    }
}

#[test]
fn what_the_standard_calls_an_error_is_one() {
    assert_eq!(error("80"), HpackError::Index);
    assert_eq!(error("be"), HpackError::Index);
    assert_eq!(error("7e 01 61"), HpackError::Index);
    assert_eq!(error("82 20"), HpackError::LateTableSize);
    assert_eq!(error("3fe2 1f"), HpackError::TableSize); // 4097
    assert!(decode(&mut Decoder::new(TABLE_BYTES), "3fe1 1f").is_ok());
    assert_eq!(error("40"), HpackError::Truncated);
    assert_eq!(error("40 0a 61"), HpackError::Truncated);
    assert_eq!(error("40 01 61"), HpackError::Truncated);
    assert_eq!(error("ffff ffff ffff ffff ffff ff"), HpackError::Integer);
}

#[test]
fn huffman_padding_is_ones_and_shorter_than_a_byte() {
    let decoded = |hex| {
        let mut out = Vec::new();
        huffman::decode(&bytes_of(hex), &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    assert_eq!(decoded(""), Ok(String::new()));
    assert_eq!(decoded("f1e3 c2e5 f23a 6ba0 ab90 f4ff"), Ok("www.example.com".into()));
    assert_eq!(decoded("1f"), Ok("a".into()));
    assert_eq!(decoded("18"), Err(HpackError::Huffman)); // a, and padding of zeros
    assert_eq!(decoded("1fff"), Err(HpackError::Huffman)); // 11 bits of padding
    assert_eq!(decoded("ff"), Err(HpackError::Huffman));
    assert_eq!(decoded("ffff ffff"), Err(HpackError::Huffman)); // the end of string itself
}

/// All bytes in order, as Appendix B codes them.
const EVERY_BYTE: &str = "\
        ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffeb \
        fffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3f \
        ffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58 \
        f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7f \
        fbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffb \
        fffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdaff \
        feeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0fff \
        f17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1fffebfffe3ffff3fff \
        ff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff87fff \
        fe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ff \
        ffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fff \
        ffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf";

#[test]
fn every_byte_has_its_code() {
    let mut out = Vec::new();
    assert_eq!(huffman::decode(&bytes_of(EVERY_BYTE), &mut out), Ok(()));
    assert_eq!(out, (0..=255).collect::<Vec<u8>>());
}

#[test]
fn behind_a_loss_new_entries_are_known_and_older_ones_are_not() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    decoder.forget();
    // A method of the static table, an unknown entry, a literal that is inserted.
    assert_eq!(decode(&mut decoder, "82 be 40 01 61 01 62"), Ok((vec![":method: GET".into(), "a: b".into()], 1)));
    // The newest is known; the next is not, though it may look like one of ours.
    assert_eq!(decode(&mut decoder, "be bf"), Ok((vec!["a: b".into()], 1)));
    // A literal with the name of an unknown entry is unknown, and takes its place.
    assert_eq!(decode(&mut decoder, "7f 00 01 63"), Ok((vec![], 1)));
    assert_eq!(decode(&mut decoder, "be bf c0"), Ok((vec!["a: b".into()], 2)));
    // Once emptied, nothing is unknown any more.
    assert_eq!(decode(&mut decoder, "20 82"), Ok((vec![":method: GET".into()], 0)));
    assert_eq!(decode(&mut decoder, "be"), Err(HpackError::Index));
}

#[test]
fn a_table_that_was_seen_to_fill_is_known() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    decoder.forget();
    decoder.allow(None);
    decode(&mut decoder, "3f 21").unwrap(); // to 64 bytes: an entry of 34 fits, two do not
    assert_eq!(decode(&mut decoder, "40 01 61 01 62 bf"), Ok((vec!["a: b".into()], 1)));
    assert_eq!(decode(&mut decoder, "40 01 63 01 64 be"), Ok((vec!["c: d".into(), "c: d".into()], 0)));
    assert_eq!(decode(&mut decoder, "bf"), Err(HpackError::Index));
}

#[test]
fn an_entry_that_may_not_have_fitted_makes_the_older_ones_unknown() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    decoder.forget();
    decode(&mut decoder, "40 01 61 01 62").unwrap();
    let long = format!("40 01 78 7f a1 1f {}", "79".repeat(4128));
    assert_eq!(decode(&mut decoder, &long).unwrap().0.len(), 1);
    assert_eq!(decode(&mut decoder, "be bf"), Ok((vec![], 2)));
}

#[test]
fn a_table_beyond_our_bound_keeps_its_newest_entries() {
    let mut decoder = Decoder::new(100);
    decoder.allow(None);
    decode(&mut decoder, "40 01 61 01 31 40 01 61 01 32 40 01 61 01 33").unwrap();
    assert_eq!(decode(&mut decoder, "be bf c0"), Ok((vec!["a: 3".into(), "a: 2".into()], 1)));
    assert_eq!(decoder.take_left_out(), 1);
    // An entry larger than the bound is counted, not kept.
    decode(&mut decoder, &format!("40 01 61 64 {}", "62".repeat(100))).unwrap();
    assert_eq!(decode(&mut decoder, "bf be"), Ok((vec!["a: 3".into()], 1)));
}

#[test]
fn a_list_is_kept_up_to_its_limits_and_a_block_does_not_expand_for_ever() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    let mut fields = Fields::default();
    let limits = ListLimits { bytes: 200, fields: 3, expansion: 16 };
    decoder.decode(&bytes_of("82 82 82 82"), &limits, &mut fields).unwrap();
    assert_eq!((fields.iter().count(), fields.left_out, fields.size), (3, 1, 4 * 42));
    decoder.decode(&bytes_of(&format!("40 01 61 64 {}", "62".repeat(100))), &limits, &mut fields).unwrap();
    decoder.decode(&[0xbe; 3], &limits, &mut fields).unwrap();
    assert_eq!((fields.iter().count(), fields.left_out), (1, 2));
    assert_eq!(decoder.decode(&[0xbe; 30], &limits, &mut fields), Err(HpackError::Expansion));
    assert!(decoder.has_unknown());
}

/// What six encoders made of the same header lists.
#[test]
fn the_vectors_of_other_encoders_decode() {
    let Some(corpus) = std::env::var_os("APITAP_CORPUS") else {
        eprintln!("skipped: APITAP_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("hpack");
    let mut blocks = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let story: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mut decoder = Decoder::new(TABLE_BYTES);
        for case in story["cases"].as_array().unwrap() {
            if let Some(size) = case["header_table_size"].as_u64() {
                decoder.allow(Some(size as usize));
            }
            let expected: Vec<String> = case["headers"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|field| field.as_object().unwrap())
                .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap()))
                .collect();
            let wire = case["wire"].as_str().unwrap();
            assert_eq!(decode(&mut decoder, wire), Ok((expected, 0)), "{} {}", path.display(), case["seqno"]);
            blocks += 1;
        }
    }
    assert!(blocks > 1000, "only {blocks} blocks: is the corpus whole?");
}
