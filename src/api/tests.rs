use super::*;
use crate::http::head::parse_request;
use crate::packet::{FlowKey, Peer};
use crate::stream::FlowInfo;

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

/// A part of a JWT.
fn part(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn keys_and_machines_outlive_sessions_and_people_do_not() {
    let jwt = |claims: &str| format!("Authorization: Bearer {}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(claims));
    for (line, is_lasting) in [
        ("X-API-Key: pk_1234567890abcdef".to_owned(), true),
        ("Authorization: Basic YTpi".to_owned(), true),
        ("Authorization: Bearer 2YotnFZFEjr1zCsicMWpAA".to_owned(), true),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIA7/20260101/x/s3/aws4_request, Signature=fe5f80".to_owned(),
            true,
        ),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=ASIA7/20260101/x/s3/aws4_request, Signature=fe5f80".to_owned(),
            false,
        ),
        ("Authorization: NTLM TlRMTVNTUAADAAAA".to_owned(), false),
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
fn who_signs_each_request_is_one_principal() {
    let of = |line: &str| {
        let head =
            parse_request(format!("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: {line}\r\n\r\n").as_bytes()).unwrap();
        let (names, key) = (crate::rule::Ruleset::default().names, HashKey::new([1; 16]));
        let found = identity::credentials_of(&head, None, &names, &key, &mut Default::default()).unwrap();
        (found.kind, found.principal)
    };
    for [first, second, other] in [
        [
            "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature=fe5f80",
            "AWS4-HMAC-SHA256 SignedHeaders=host;range,Credential=AKIA1/20260102/eu/s3/aws4_request,Signature=11",
            "AWS4-HMAC-SHA256 Credential=AKIA2/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature=fe5f80",
        ],
        ["AWS AKIA1:frJIUN8DYpKDtOLCwo=", "AWS AKIA1:qgk2+6Sv9/oM7G3qLEj=", "AWS AKIA2:qgk2+6Sv9/oM7G3qLEj="],
        [
            r#"Signature keyId="a, b",algorithm="hmac-sha256",signature="Mg==""#,
            r#"Signature algorithm="hmac-sha256", keyId="a, b", signature="Nx==""#,
            r#"Signature keyId="a",algorithm="hmac-sha256",signature="Mg==""#,
        ],
        [
            r#"Digest username="ann", realm="r", nonce="1", uri="/a", response="6629""#,
            r#"Digest realm="r", nonce="2", uri="/b", response="11aa", username="ann""#,
            r#"Digest username="bob", realm="r", nonce="1", uri="/a", response="6629""#,
        ],
    ] {
        assert_eq!(of(first), of(second));
        assert_ne!(of(first), of(other));
        assert_ne!(of(first).0, CredentialKind::Bearer, "{first}");
    }
    assert_eq!(of(r#"Digest username="ann", response="6629""#), of("Basic YW5uOng="));
    // What names nobody stands for itself.
    assert_ne!(of("Digest response=\"1\""), of("Digest response=\"2\""));
}

#[test]
fn a_signed_link_is_not_open_to_everybody() {
    let signature = "0f".repeat(32);
    for (query, is_signed) in [
        (format!("X-Amz-Credential=AKIA1%2F2026&X-Amz-Expires=300&X-Amz-Signature={signature}"), true),
        (format!("sv=2024-11-04&se=2026-01-01&sig={signature}"), true),
        (format!("Expires=1767225600&Signature={signature}&Key-Pair-Id=K2"), true),
        (format!("sig={signature}"), false),
        ("X-Amz-Signature=1".to_owned(), false),
        ("page=2".to_owned(), false),
    ] {
        assert_eq!(identity::is_signed_link(&query), is_signed, "{query}");
    }
}

#[test]
fn code_in_the_head_of_a_token_is_seen() {
    let code_of = |head: &str| {
        let token = format!("{}.{}.c2ln", part(head), part(r#"{"sub":"u7"}"#));
        let lines = format!("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        let head = parse_request(lines.as_bytes()).unwrap();
        let (names, key) = (crate::rule::Ruleset::default().names, HashKey::new([1; 16]));
        let found = identity::credentials_of(&head, None, &names, &key, &mut Default::default()).unwrap();
        (found.is_unsigned(), found.code.iter().collect::<Vec<_>>())
    };
    use crate::inspect::Injection;
    assert_eq!(code_of(r#"{"alg":"RS256","kid":"2025-10/main"}"#), (false, vec![]));
    assert_eq!(code_of(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#), (false, vec![Injection::Path]));
    assert_eq!(code_of(r#"{"alg":"HS256","kid":"x' UNION SELECT 'k'-- -"}"#), (false, vec![Injection::Query]));
    assert_eq!(code_of(r#"{"alg":"none"}"#), (true, vec![]));
}

#[test]
fn tokens_that_nobody_signed_are_one_principal_whoever_they_name() {
    let principal_of = |subject: &str, algorithm: &str, signature: &str| {
        let header = part(&format!(r#"{{"alg":"{algorithm}"}}"#));
        let line = format!("Authorization: Bearer {header}.{}.{signature}", part(&format!(r#"{{"sub":"{subject}"}}"#)));
        let head = parse_request(format!("GET /a HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").as_bytes()).unwrap();
        let (names, key) = (crate::rule::Ruleset::default().names, HashKey::new([1; 16]));
        identity::credentials_of(&head, None, &names, &key, &mut Default::default()).unwrap().principal
    };
    let signed = principal_of("u7", "HS256", "c2ln");
    assert_eq!(principal_of("u7", "RS256", "b3RoZXI"), signed);
    assert_ne!(principal_of("u8", "HS256", "c2ln"), signed);
    let unsigned = principal_of("u7", "none", "");
    assert_ne!(unsigned, signed);
    for (algorithm, signature) in [("nOnE", "c2ln"), ("HS256", "")] {
        assert_eq!(principal_of("u8", algorithm, signature), unsigned, "{algorithm}");
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

/// A call of SOAP with a `UsernameToken`, and its answer.
fn soap(password: &str, status: u16, answer: &str) -> Transaction<BodyReport> {
    let mut transaction = partial("POST /services/Policy HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n\r\n");
    transaction.marks = Marks::default();
    let scanned = |role, text: &str| {
        let mut scan = inspect::BodyScan::new(inspect::Limits::default(), HashKey::new([1; 16]));
        scan.begin(role, inspect::BodyKind::Xml);
        scan.feed(text.as_bytes());
        Some(scan.finish())
    };
    let envelope = format!(
        "<s:Envelope><s:Header><w:Security><w:UsernameToken><w:Username>brk1</w:Username><w:Password>{password}</w:Password>\
         </w:UsernameToken></w:Security></s:Header><s:Body><p:GetPolicy><policyNo>7000</policyNo></p:GetPolicy></s:Body></s:Envelope>"
    );
    let request = transaction.request.as_mut().unwrap();
    (request.report, request.head.marks) = (scanned(inspect::Role::Request, &envelope), Marks::default());
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\n\r\n");
    let head = crate::http::head::parse_response(head.as_bytes()).unwrap();
    let report = scanned(inspect::Role::Response, &format!("<s:Envelope><s:Body>{answer}</s:Body></s:Envelope>"));
    let (started, ended, body_length) = (Timestamp(0), Timestamp(0), 1);
    transaction.response = Some(Message { head, started, ended, body_length, report });
    transaction
}

#[test]
fn a_username_token_goes_with_each_call_as_basic_credentials_do() {
    let (mut interpreter, snapshot) = (Interpreter::new(HashKey::new([1; 16])), Snapshot::default());
    let user = inspect::user_hash(b"brk1", &HashKey::new([1; 16]));
    let mut outcome = |transaction: &Transaction<BodyReport>| {
        let observation = interpreter.observe(transaction, &snapshot).unwrap();
        let attempt = observation.attempt.unwrap();
        assert_eq!((attempt.user, observation.credentials.unwrap().kind), (Some(user), CredentialKind::Basic));
        assert!(!observation.is_anonymous());
        (attempt.outcome, observation.principal, observation.object.map(|object| object.is_in_body))
    };
    let answered = soap("right", 200, "<GetPolicyResponse><name>Jane</name></GetPolicyResponse>");
    assert_eq!(outcome(&answered), (Outcome::Success, Some(user), Some(false)));
    let refused = "<s:Fault><faultcode>w:FailedAuthentication</faultcode></s:Fault>";
    assert_eq!(outcome(&soap("wrong", 500, refused)), (Outcome::Failure, None, None));
    let failed = "<s:Fault><faultcode>s:Server</faultcode></s:Fault>";
    assert_eq!(outcome(&soap("right", 500, failed)), (Outcome::Unknown, None, None));
}

#[test]
fn an_operation_reads_by_its_kind_or_its_first_verb() {
    for (operation, expected) in [
        ("query.user", true),
        ("mutation.findAndDelete", false),
        ("user.list", true),
        ("get_user", true),
        ("GetUser", true),
        ("eth_getBalance", true),
        ("mark_as_read", false),
        ("delete_list", false),
        ("listen", false),
        ("transfer", false),
    ] {
        assert_eq!(only_reads(operation), expected, "{operation}");
    }
}
