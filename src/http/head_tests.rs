use super::*;

#[test]
fn fields_are_found_in_any_case() {
    let head = b"GET / HTTP/1.1\r\nhOSt: h\r\nCONTENT-length: 5\r\nX-API-Key: k\r\nx-forwarded-FOR: 1.2.3.4\r\nX-Other: o\r\n\r\n";
    let head = parse_request(head).unwrap();
    assert_eq!(head.get(Field::Host), Some(&b"h"[..]));
    assert_eq!(head.get(Field::ContentLength), Some(&b"5"[..]));
    assert_eq!(head.get(Field::ApiKey), Some(&b"k"[..]));
    assert_eq!(head.get(Field::XForwardedFor), Some(&b"1.2.3.4"[..]));
    assert_eq!(head.get(Field::Cookie), None);
}

#[test]
fn every_known_name_is_its_field_and_its_neighbours_are_none() {
    let known = [
        "host",
        "user-agent",
        "content-type",
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "connection",
        "upgrade",
        "authorization",
        "cookie",
        "set-cookie",
        "location",
        "referer",
        "forwarded",
        "x-forwarded-for",
        "www-authenticate",
        "x-http-method",
        "x-method-override",
        "x-http-method-override",
    ];
    for name in known {
        assert!(Field::of(name.as_bytes()).is_some_and(|field| field != Field::ApiKey), "{name}");
        assert_eq!(Field::of(name.replace(['e', 'o'], "_").as_bytes()), None, "{name}");
        assert_eq!(Field::of(format!("{name}s").as_bytes()), None, "{name}");
    }
    assert!(API_KEY_FIELDS.iter().all(|name| Field::of(name) == Some(Field::ApiKey)));
    assert_eq!(Field::of(b""), None);
}

#[test]
fn every_line_of_a_repeated_field_is_kept_in_order() {
    let head = parse_response(b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nDate: d\r\nSet-Cookie: b\r\nset-cookie: c\r\n\r\n");
    let lines: Vec<Vec<u8>> = head.unwrap().all(Field::SetCookie).map(<[u8]>::to_vec).collect();
    assert_eq!(lines, [b"a", b"b", b"c"]);
}

#[test]
fn a_folded_value_is_one_value() {
    let head = parse_request(b"GET / HTTP/1.1\r\nCookie: a=1;\r\n b=2\r\nHost: h\r\n\r\n").unwrap();
    assert_eq!(head.get(Field::Cookie), Some(&b"a=1;\r\n b=2"[..]));
    assert!(head.marks.contains(Marks::OBS_FOLD));
}

#[test]
fn more_fields_than_the_quick_parser_takes_are_read_all_the_same() {
    let many: String = (0..200).map(|index| format!("X-{index}: v\r\n")).collect();
    let head = parse_request(format!("GET / HTTP/1.1\r\n{many}Host: last\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(head.get(Field::Host), Some(&b"last"[..]));
}

#[test]
fn first_bytes_are_told_apart() {
    let cases: [(&[u8], Guess); 17] = [
        (b"GET / HTTP/1.1\r\n", Guess::Request),
        (b"\r\nGET / HTTP/1.1\r\n", Guess::Request),
        (b"M-SEARCH * HTTP/1.1\n", Guess::Request),
        (b"GET /long", Guess::More),
        (b"G", Guess::More),
        (b"", Guess::More),
        (b"HTT", Guess::More),
        (b"HTTP/1.1 200 OK", Guess::Response),
        (b"OPTIONS sip:a SIP/2.0\r\n", Guess::Neither),
        (b"SETUP rtsp://h RTSP/1.0\r\n", Guess::Neither),
        (b"USER anonymous\r\n", Guess::Neither),
        (b"\x16\x03\x01", Guess::Neither),
        (b"get / HTTP/1.1\r\n", Guess::Request),
        (b"POST / HTTP/3.0\r\n", Guess::Request),
        (b"GET / HTTP/1.1x\r\n", Guess::Neither),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", Guess::Neither),
        (b"GET \x00\x01", Guess::Neither),
    ];
    for (bytes, expected) in cases {
        assert_eq!(guess(bytes, false), expected, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_word_without_capitals_waits_for_its_line_only_where_a_message_is_due() {
    for bytes in [&b"get"[..], b"get /a HT", b"1"] {
        assert_eq!((guess(bytes, true), guess(bytes, false)), (Guess::More, Guess::Neither));
    }
}

#[test]
fn the_end_of_a_head_is_found_wherever_the_pieces_are_cut() {
    let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nbody";
    for cut in 0..head.len() {
        let whole = head_length(head, cut.saturating_sub(3).min(24)).unwrap();
        assert_eq!(whole, head.len() - 4);
        let expected = (cut >= whole).then_some(whole);
        assert_eq!(head_length(&head[..cut], 0), expected);
    }
    assert_eq!(head_length(b"GET / HTTP/1.1\n\nx", 0), Some(16));
}

#[test]
fn fields_that_end_as_keys_do_are_keys_and_other_tokens_are_not() {
    let is_key = |name: &str| {
        let head = parse_request(format!("GET / HTTP/1.1\r\nHost: a\r\n{name}: v\r\n\r\n").as_bytes()).unwrap();
        head.get(Field::ApiKey).is_some()
    };
    for name in [
        "X-Vault-Token",
        "DD-API-KEY",
        "JOB-TOKEN",
        "X-Redmine-API-Key",
        "X-Hasura-Admin-Secret",
        "X-Shopify-Access-Token",
    ] {
        assert!(is_key(name), "{name}");
    }
    for name in
        ["X-CSRF-Token", "RequestVerificationToken", "X-Device-Token", "Idempotency-Key", "X-Token-Count", "Accept"]
    {
        assert!(!is_key(name), "{name}");
    }
}
