//! However a body is cut, the report is the same; and no bytes at all do harm.

use super::bodies::{KEY, report};
use crate::inspect::{BodyKind, BodyReport, BodyScan, Limits, Role, scan_text};
use proptest::prelude::*;

const KINDS: [BodyKind; 9] = [
    BodyKind::Json,
    BodyKind::Form,
    BodyKind::Xml,
    BodyKind::Csv,
    BodyKind::Html,
    BodyKind::Text,
    BodyKind::Multipart,
    BodyKind::Binary,
    BodyKind::Unknown,
];

/// Pieces that bodies are made of: structure, names, values that count and values that do not, broken things.
const PIECES: [&str; 64] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u0040",
    " ",
    "\n",
    "{\"",
    "\":",
    "\",\"",
    "\":\"",
    "},{\"",
    "null",
    "true",
    "\"success\":",
    "false",
    "\"error\":",
    "\"email\":\"",
    "jane@example.com",
    "\"phone\" : ",
    "4155550132",
    "61412345678",
    "-",
    ".",
    "4111111111111111",
    "411111111111",
    "1111",
    "\"ssn\":\"078-05-1121\"",
    "078051121",
    "\"password\":\"hunter2\"",
    "user=jane&",
    "password=x%40y&",
    "<",
    ">",
    "</",
    "<a href=\"mailto:joe@example.com\">",
    "<email>",
    "</email>",
    "<tr>",
    "<script>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "--xx\r\n",
    "Content-Disposition: form-data; name=\"email\"\r\n\r\n",
    "\r\n",
    "a,b,c\n",
    "\"x,y\",",
    ";",
    "GB82 WEST 1234 5698 7654 32",
    "(415) 555-0132",
    "+61 412 345 678",
    "AKIAIOSFODNN7EXAMPLE",
    "\u{e9}",
    "login failed",
    "2025-11-23T10:00:00Z",
    "\"token\":\"abcdefgh1234\"",
    "                                                                      ",
];

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => (0..PIECES.len()).prop_map(|index| PIECES[index].as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..9),
        1 => (1usize..700).prop_map(|length| vec![b'x'; length]),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn small() -> Limits {
    Limits {
        max_scanned_bytes: 900,
        max_depth: 4,
        max_markup_depth: 4,
        max_columns: 3,
        max_parts: 3,
        max_distinct_per_class: 3,
        token_bytes: 64,
    }
}

fn fed(limits: Limits, role: Role, kind: BodyKind, pieces: &[&[u8]], gap_before: Option<usize>) -> BodyReport {
    let mut scan = BodyScan::new(limits, KEY);
    // A scan that was used before must not remember.
    scan.begin(Role::Response, BodyKind::Json);
    scan.feed(b"{\"a\":[{\"email\":\"old@example.com\",\"x\":\"unfinish");
    scan.begin(role, kind);
    for (index, piece) in pieces.iter().enumerate() {
        if gap_before == Some(index) {
            scan.gap();
        }
        scan.feed(piece);
    }
    scan.finish()
}

/// Cuts `body` where the numbers say.
fn cut<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([0, body.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_report(
        body in bodies(), kind in 0..KINDS.len(), request in any::<bool>(), little in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let role = if request { Role::Request } else { Role::Response };
        let limits = if little { small() } else { Limits::default() };
        let whole = fed(limits, role, KINDS[kind], &[&body], None);
        prop_assert_eq!(&fed(limits, role, KINDS[kind], &cut(&body, &cuts), None), &whole);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        prop_assert_eq!(&fed(limits, role, KINDS[kind], &bytes, None), &whole);
    }

    #[test]
    fn any_split_around_a_gap_gives_the_same_report(
        before in bodies(), after in bodies(), kind in 0..KINDS.len(), cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let whole = fed(Limits::default(), Role::Response, KINDS[kind], &[&before, &after], Some(1));
        let mut pieces = cut(&before, &cuts);
        let gap = pieces.len();
        pieces.extend(cut(&after, &cuts));
        prop_assert_eq!(fed(Limits::default(), Role::Response, KINDS[kind], &pieces, Some(gap)), whole);
    }

    #[test]
    fn random_bytes_do_no_harm(body in proptest::collection::vec(any::<u8>(), 0..3000), kind in 0..KINDS.len()) {
        let report = report(Role::Response, KINDS[kind], &body);
        prop_assert_eq!(report.bytes, body.len() as u64);
        scan_text(&body, Some("phone"), Role::Request);
    }

    #[test]
    fn places_are_within_the_text(body in bodies()) {
        for field in [None, Some("id_number"), Some("dob"), Some("phone"), Some("password"), Some("password_hash")] {
            for (class, range) in scan_text(&body, field, Role::Response) {
                prop_assert!(range.start < range.end && range.end <= body.len(), "{} {:?}", class, range);
            }
        }
    }
}

#[test]
fn a_gap_drops_the_value_under_way_and_nothing_else() {
    let mut scan = BodyScan::new(Limits::default(), KEY);
    scan.begin(Role::Response, BodyKind::Json);
    scan.feed(b"{\"users\":[{\"email\":\"jane@exam");
    scan.gap();
    scan.feed(b"ple.com\",\"n\":1},{\"email\":\"joe@example.com\"},{\"email\":\"ann@example.com\"}]}");
    let report = scan.finish();
    assert_eq!(report.classes.len(), 1);
    assert_eq!((report.classes[0].occurrences, report.records), (2, 3));
}

#[test]
fn the_rest_of_a_cut_value_is_not_a_value() {
    for (kind, before, after) in [
        (BodyKind::Text, "mail ja", "ne@example.com and joe@example.com"),
        (BodyKind::Form, "a=1&user=ja", "ne@example.com=x&mail=joe@example.com"),
        (BodyKind::Csv, "id,email\n1,ja", "ne@example.com\n2,joe@example.com\n"),
        (BodyKind::Xml, "<a><email>ja", "ne@example.com</email><email>joe@example.com</email></a>"),
        (BodyKind::Html, "<p>ja", "ne@example.com</p><p>joe@example.com</p>"),
        (BodyKind::Json, "{\"a\":\"ja", "ne@example.com\",\"b\":\"joe@example.com\"}"),
        (BodyKind::Json, "{\"a\":41111111", "11111111,\"phone\":4155550132}"),
    ] {
        let whole = fed(Limits::default(), Role::Response, kind, &[before.as_bytes(), after.as_bytes()], None);
        assert_ne!(whole.classes.first().map_or(0, |class| class.distinct.len()), 0, "{kind:?}");
        let cut = fed(Limits::default(), Role::Response, kind, &[before.as_bytes(), after.as_bytes()], Some(1));
        assert_eq!(
            cut.classes.first().map(|class| (class.occurrences, class.distinct.len())),
            Some((1, 1)),
            "{kind:?}"
        );
        assert!(
            cut.classes[0].distinct.iter().all(|hash| whole.classes.iter().any(|class| class.distinct.contains(hash)))
        );
    }
}

#[test]
fn what_is_past_the_limit_is_only_counted() {
    let limits = Limits { max_scanned_bytes: 20, ..Limits::default() };
    let mut scan = BodyScan::new(limits, KEY);
    scan.begin(Role::Response, BodyKind::Json);
    scan.feed(b"{\"a\":\"jane@example.com\"}");
    let report = scan.finish();
    assert!(report.truncated && report.classes.is_empty());
    assert_eq!(report.bytes, 24);
}

#[test]
fn the_smallest_hashes_are_kept_whatever_the_order() {
    let limits = Limits { max_distinct_per_class: 5, ..Limits::default() };
    let mut addresses: Vec<String> = (0..200).map(|n| format!("\"user{n}@example.com\"")).collect();
    let forward = fed(limits, Role::Response, BodyKind::Json, &[format!("[{}]", addresses.join(",")).as_bytes()], None);
    addresses.reverse();
    let backward =
        fed(limits, Role::Response, BodyKind::Json, &[format!("[{}]", addresses.join(",")).as_bytes()], None);
    assert_eq!(forward.classes[0].distinct, backward.classes[0].distinct);
    assert_eq!((forward.classes[0].distinct.len(), forward.classes[0].occurrences), (5, 200));
}

#[test]
fn hostile_bodies_take_linear_time_and_little_memory() {
    // 10 MB each; a quadratic step anywhere would take hours.
    const SIZE: usize = 10 << 20;
    let limits = Limits { max_scanned_bytes: u64::MAX, ..Limits::default() };
    let repeated = |piece: &str| piece.repeat(SIZE / piece.len());
    for body in [
        repeated("["),
        repeated("{\"a\":"),
        repeated("]}"),
        repeated("\\"),
        repeated("\""),
        repeated("a"),
        repeated("@"),
        repeated("1"),
        repeated("1 "),
        repeated("1-"),
        repeated("a1-"),
        repeated("a@"),
        repeated("<"),
        repeated("<a>"),
        repeated("&"),
        repeated("eyJ"),
        repeated("\"a\"     "),
        repeated("$2b$"),
        repeated("----------BEGIN "),
        format!("\"{}", repeated("x@y.z ")),
        format!("{{\"phone\":{}", repeated("        ")),
    ] {
        for kind in [BodyKind::Json, BodyKind::Text, BodyKind::Xml, BodyKind::Csv, BodyKind::Form, BodyKind::Multipart]
        {
            let mut scan = BodyScan::new(limits, KEY);
            scan.begin(Role::Response, kind);
            for chunk in body.as_bytes().chunks(1400) {
                scan.feed(chunk);
            }
            assert_eq!(scan.finish().bytes, body.len() as u64);
        }
    }
}

#[test]
fn what_lies_too_deep_is_passed_over_rightly() {
    let limits = Limits { max_depth: 3, ..Limits::default() };
    let body = br#"{"a":{"b":{"c":{"d":["x@example.com",{"e":"y@example.com"}]}}},"f":"z@example.com"}"#;
    let report = fed(limits, Role::Response, BodyKind::Json, &[body], None);
    assert_eq!(report.classes[0].occurrences, 1);
}

/// Found by fuzzing: a name straight in an array, behind brackets that do not match.
#[test]
fn what_is_no_json_is_read_alike_however_it_is_cut() {
    let body = b"[{]{\"\"]]{\"\"][\"\"\"\":";
    let whole = fed(Limits::default(), Role::Request, BodyKind::Json, &[body], None);
    for at in 1..body.len() {
        let (head, tail) = body.split_at(at);
        assert_eq!(fed(Limits::default(), Role::Request, BodyKind::Json, &[head, tail], None), whole, "cut at {at}");
    }
}
