use super::*;
use crate::http::head::parse_request;
use crate::packet::{FlowKey, Peer};
use crate::stream::FlowInfo;

#[test]
fn what_is_tried_against_a_database_names_nothing() {
    assert!(
        ["42", "a%40b.example", "550e8400-e29b-41d4-a716-446655440000", "QUJD%3D", "inv_7|8"].into_iter().all(may_name)
    );
    let tried = ["1%20AND%201=1", "1+OR+1", "1'", "1%27--", "(SELECT", "1;DROP", "%2A"];
    assert!(!tried.into_iter().any(may_name));
}

#[test]
fn objects_are_named_by_their_ids_in_the_query_too() {
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    for (name, value) in
        [("id", "7"), ("patientId", "7"), ("patient", uuid), ("invoice_id", "INV-7"), ("msisdn", "34600")]
    {
        assert!(names_object(name, value), "{name}={value}");
    }
    for (name, value) in
        [("gclid", "7"), ("session_id", uuid), ("cursor", uuid), ("page", "7"), ("id", ""), ("q", "paid")]
    {
        assert!(!names_object(name, value), "{name}={value}");
    }
}

#[test]
fn the_number_of_an_object_is_at_its_end() {
    assert_eq!(trailing_number("42"), Some(42));
    assert_eq!(trailing_number("INV-0004711"), Some(4711));
    assert_eq!(trailing_number("é7"), Some(7));
    assert_eq!(trailing_number("abc"), None);
    assert_eq!(trailing_number("99999999999999999999999999"), None);
}

#[test]
fn an_object_that_nobody_guesses_has_no_number() {
    let (mut template, key) = (TemplateBuf::default(), HashKey::new([1; 16]));
    let mut of = |path: &str, query: Option<&str>| {
        template::template_of(path, &mut template);
        let object = object_of(&template, None, (path, query), &key, &mut Vec::new()).unwrap();
        (object.number, object.is_opaque)
    };
    assert_eq!(of("/tiles/12/654/321.png", None), (Some(321), false));
    assert_eq!(of("/avatars/9e107d9d372bb6826bd81d3542a419d6.png", None), (None, true));
    assert_eq!(of("/a/550e8400-e29b-41d4-a716-446655440000", None), (None, true));
    assert_eq!(of("/a/550e8400-e29b-41d4-a716-446655440000/pages/7", None), (Some(7), false));
    assert_eq!(of("/commits/9e107d94", None), (Some(94), false), "short enough to be tried");
    assert_eq!(of("/patients", Some("patient=550e8400-e29b-41d4-a716-446655440000")), (None, true));
    assert_eq!(of("/patients", Some("id=42")), (Some(42), false));
}

#[test]
fn a_description_says_where_a_path_has_names() {
    assert_eq!(value_at_parameter("/users/{username}", "/users/alice"), Some("alice"));
    assert_eq!(value_at_parameter("/v1/users/{name}/posts", "/v1//users/bob/posts"), Some("bob"));
    assert_eq!(value_at_parameter("/users", "/users"), None);
    assert_eq!(value_at_parameter("/users/{username}", "/users/1%27--"), None, "tried against a database");
    let key = HashKey::new([1; 16]);
    let of = |name: &str| {
        let (mut template, path) = (TemplateBuf::default(), format!("/users/{name}"));
        template::template_of(&path, &mut template);
        object_of(&template, Some("/users/{username}"), (&path, None), &key, &mut Vec::new())
    };
    assert_ne!(of("alice").unwrap().hash, of("bob").unwrap().hash);
    assert!(object_of(&TemplateBuf::default(), None, ("/users/alice", None), &key, &mut Vec::new()).is_none());
}

/// A request of which parts are unknown, because they were sent when nobody saw it.
fn partial(text: &str) -> Transaction<BodyReport> {
    let mut head = parse_request(text.as_bytes()).unwrap();
    head.marks |= Marks::PARTIAL;
    let peer = |last| Peer { address: [10, 0, 0, last].into(), port: 80 };
    let (key, _) = FlowKey::of(peer(1), peer(2));
    let flow = FlowInfo { key, id: 1, first_seen: Timestamp(0), opened_by: None };
    let (started, ended) = (Timestamp(0), Timestamp(0));
    let request = Message { head, started, ended, body_length: 0, report: None };
    let (client, server, marks) = (peer(1), peer(2), Marks::PARTIAL);
    Transaction { flow, client, server, index: 0, request: Some(request), response: None, marks }
}

#[test]
fn a_request_that_is_known_in_part_is_judged_only_where_it_names_its_endpoint() {
    let (mut interpreter, snapshot) = (Interpreter::new(HashKey::new([1; 16])), Snapshot::default());
    let without_host = partial("GET /v1/orders/7 HTTP/1.1\r\n\r\n");
    assert!(interpreter.observe(&without_host, &snapshot).is_none());
    let with_host = partial("GET /v1/orders/7 HTTP/1.1\r\nHost: api.example\r\n\r\n");
    let observation = interpreter.observe(&with_host, &snapshot).unwrap();
    // Its credentials may be among what is unknown.
    assert!(observation.credentials.is_none() && !observation.is_anonymous());
}

#[test]
fn keys_and_machines_outlive_sessions_and_people_do_not() {
    let jwt = |claims: &str| {
        use base64::Engine;
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("Authorization: Bearer {}.{}.c2ln", part(r#"{"alg":"none"}"#), part(claims))
    };
    for (line, is_lasting) in [
        ("X-API-Key: pk_1234567890abcdef".to_owned(), true),
        ("Authorization: Basic YTpi".to_owned(), true),
        ("Authorization: Bearer 2YotnFZFEjr1zCsicMWpAA".to_owned(), true),
        ("Authorization: AWS4-HMAC-SHA256 Credential=A/2026, Signature=fe5f80".to_owned(), false),
        (jwt(r#"{"sub":"u7"}"#), false),
        (jwt(r#"{"sub":"u7","client_id":"web"}"#), false),
        (jwt(r#"{"sub":"batch","client_id":"batch"}"#), true),
        (jwt(r#"{"client_id":"batch"}"#), true),
        (jwt(r#"{"sub":"x@clients","gty":"client-credentials"}"#), true),
        ("Cookie: session=0123456789abcdef0".to_owned(), false),
    ] {
        let head = parse_request(format!("GET /a HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").as_bytes()).unwrap();
        let (names, key) = (crate::rule::Ruleset::default().names, HashKey::new([1; 16]));
        let found = identity::credentials_of(&head, None, &names, &key, &mut Default::default());
        assert_eq!(found.map(|found| found.is_lasting), Some(is_lasting), "{line}");
    }
}

#[test]
fn a_site_names_the_headers_of_its_keys() {
    let head = parse_request(b"GET /a HTTP/1.1\r\nHost: a\r\nx-acme-KEY:  k7 \r\nX-Acme-Key-Id: 2\r\n\r\n").unwrap();
    let (mut names, key) = (crate::rule::Ruleset::default().names, HashKey::new([1; 16]));
    let found = |names: &_| identity::credentials_of(&head, None, names, &key, &mut Default::default());
    assert!(found(&names).is_none());
    names.api_key.headers = vec!["X-Acme-Key".to_owned()];
    assert_eq!(found(&names).map(|found| found.principal), Some(key.secret("api_key", b"k7")));
}
