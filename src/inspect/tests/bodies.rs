//! Whole bodies in, reports out.

use crate::hash::HashKey;
use crate::inspect::{AccountSaid, BodyKind, BodyReport, BodyScan, CodeField, DataClass, Limits, Role, user_hash};

pub(super) const KEY: HashKey = HashKey::new([7; 16]);

pub(super) fn report(role: Role, kind: BodyKind, body: &[u8]) -> BodyReport {
    let mut scan = BodyScan::new(Limits::default(), KEY);
    scan.begin(role, kind);
    scan.feed(body);
    scan.finish()
}

fn members(kind: BodyKind, body: &str) -> String {
    let report = report(Role::Request, kind, body.as_bytes());
    let names: Vec<String> = report.members().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.join(" ")
}

#[test]
fn the_top_level_fields_of_a_request_are_named_and_no_others() {
    let json = r#"{"a":1, "b\u0063":{"inner":2}, "list":[{"x":1},{"y":2}], "e":null}"#;
    assert_eq!(members(BodyKind::Json, json), "a bc list e");
    assert_eq!(members(BodyKind::Json, r#"[{"a":1}]"#), "");
    assert_eq!(members(BodyKind::Form, "a=1&is%5Fadmin=1&&b"), "a is_admin b");
    let many: String = (0..500).map(|n| format!(r#""field_{n}":1,"#)).collect();
    let kept = members(BodyKind::Json, &format!("{{{many}\"last\":1}}"));
    assert!(kept.len() < 2048 && kept.starts_with("field_0 field_1 "), "{}", kept.len());
    assert_eq!(response(json).members().count(), 0);
}

fn response(body: &str) -> BodyReport {
    report(Role::Response, BodyKind::Json, body.as_bytes())
}

fn request(body: &str) -> BodyReport {
    report(Role::Request, BodyKind::Json, body.as_bytes())
}

fn counts(report: &BodyReport) -> Vec<(DataClass, u32, usize, u32)> {
    report.classes.iter().map(|c| (c.class, c.occurrences, c.distinct.len(), c.records)).collect()
}

#[test]
fn an_ordinary_answer_carries_nothing() {
    let report = response(
        r#"{"id":"9f1c2a34-1111-4222-8333-444455556666","created_at":"2025-11-23T10:00:00.123456Z","total":1299.00,
        "updated":1700000000,"ms":1700000000123,"snowflake":1234567890123456789,"sku":"AB-1234-XY-77","version":"1.2.3-4567",
        "sha":"da39a3ee5e6b4b0d3255bfef95601890afd80709","ip":"192.168.100.101","price":"12.99","number":"1234567890",
        "tracking":"1Z999AA10123456784","date":"2025-11-23","phone_id":4155550132,"ratio":0.4111111111111111,
        "name":"Widget 3000","url":"https://cdn.example.com/a/b/1234567890123/img-800x600.png","code":"200-300-400"}"#,
    );
    assert_eq!(counts(&report), []);
    assert_eq!((report.records, report.outcome, report.has_token), (1, None, false));
}

#[test]
fn classes_are_counted_by_occurrence_distinct_value_and_record() {
    let report = response(
        r#"{"total":3,"users":[{"email":"jane@example.com","alt":"JANE@example.com"},{"email":"joe@example.com"},{"x":1}]}"#,
    );
    assert_eq!(counts(&report), [(DataClass::Email, 3, 2, 2)]);
    assert_eq!(report.classes[0].sample, "j***@e***.com");
    assert_eq!(report.records, 3);
}

#[test]
fn records_are_the_objects_of_the_outermost_arrays() {
    assert_eq!(response(r#"{"a":[{"b":[{"c":1},{"c":2}]},{"b":[]}]}"#).records, 2);
    assert_eq!(response(r#"[{"a":1},{"a":2},{"a":3}]"#).records, 3);
    assert_eq!(response(r#"{"a":[{},{}],"b":[{}]}"#).records, 3);
    assert_eq!(response("{\"a\":1}\n{\"a\":2}\n").records, 2);
    assert_eq!(response(r#"{"a":[1,2,3]}"#).records, 1);
    assert_eq!(response("[]").records, 0);
}

#[test]
fn numbers_without_quotes_count_like_strings() {
    let quoted = response(r#"{"card":"4111111111111111","phone":"61412345678"}"#);
    let bare = response(r#"{"card": 4111111111111111 , "phone":61412345678}"#);
    assert_eq!(counts(&bare), [(DataClass::PaymentCard, 1, 1, 1), (DataClass::Phone, 1, 1, 1)]);
    assert_eq!(counts(&bare), counts(&quoted));
    assert_eq!(bare.classes[0].distinct, quoted.classes[0].distinct);
    assert_eq!(counts(&response(r#"{"v":4111111111111111}"#)), [(DataClass::PaymentCard, 1, 1, 1)]);
    assert_eq!(counts(&response(r#"{"v":4111111111111111.5}"#)), []);
    assert_eq!(counts(&response(r#"{"v":-4111111111111111}"#)), []);
}

#[test]
fn the_field_decides_about_bare_digits() {
    for (body, expected) in [
        (r#"{"id":"4155550132"}"#, None),
        (r#"{"phone":"4155550132"}"#, Some(DataClass::Phone)),
        (r#"{"ref":"078051121"}"#, None),
        (r#"{"customerSSN":"078051121"}"#, Some(DataClass::UsSsn)),
        (r#"{"ref":"078-05-1121"}"#, Some(DataClass::UsSsn)),
        (r#"{"created":"1980-01-31"}"#, None),
        (r#"{"dateOfBirth":"1980-01-31"}"#, Some(DataClass::DateOfBirth)),
        (r#"{"birth_date":"1980-01-31T00:00:00Z"}"#, Some(DataClass::DateOfBirth)),
        (r#"{"dob":"1/31/1980"}"#, Some(DataClass::DateOfBirth)),
        (r#"{"passportNumber":"AB1234567"}"#, Some(DataClass::Passport)),
        (r#"{"sku":"AB1234567"}"#, None),
        (r#"{"account":"GB82 WEST 1234 5698 7654 32"}"#, Some(DataClass::Iban)),
        (r#"{"account":"DE89370400440532013000"}"#, Some(DataClass::Iban)),
        (r#"{"account":"DE89370400440532013001"}"#, None),
    ] {
        let found: Vec<DataClass> = response(body).classes.iter().map(|c| c.class).collect();
        assert_eq!(found, Vec::from_iter(expected), "{body}");
    }
}

#[test]
fn secrets_are_known_by_their_looks() {
    let jwt =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    for (value, class) in [
        (jwt, DataClass::Jwt),
        ("-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA", DataClass::PrivateKey),
        ("AKIAIOSFODNN7EXAMPLE", DataClass::ApiKey),
        ("key=AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", DataClass::ApiKey),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", DataClass::ApiKey),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", DataClass::ApiKey),
        ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", DataClass::PasswordHash),
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaasdfasdfA", DataClass::PasswordHash),
    ] {
        let found = response(&format!("{{\"v\":\"{value}\"}}"));
        assert_eq!(found.classes.iter().map(|c| c.class).collect::<Vec<_>>(), [class], "{value}");
        assert!(!found.classes[0].sample.contains(&value[12..]), "{value}");
    }
    let hash = r#"{"password_hash":"5f4dcc3b5aa765d61d8327deb882cf99"}"#;
    assert_eq!(counts(&response(hash)), [(DataClass::PasswordHash, 1, 1, 1)]);
    assert_eq!(counts(&response(r#"{"etag":"5f4dcc3b5aa765d61d8327deb882cf99"}"#)), []);
    let users = r#"{"users":[{"email":"a@b.example","password":"pass1"},{"email":"c@d.example","password":"pass2"},
        {"email":"e@f.example","password":"S3cr3t!"},{"email":"g@h.example","password":"tr\u00f6nen@x"}]}"#;
    assert_eq!(counts(&response(users)), [(DataClass::Email, 4, 4, 4), (DataClass::Password, 3, 3, 3)]);
    for not in [
        "Password",
        "Passwort123 vergessen?",
        "required|min:8",
        "errors.password.length",
        "ERR_1001",
        "********",
        "11111111",
        "{{password1}}",
        "[REDACTED1]",
        "/v1/password/reset",
        "https://x.example/reset1",
        "2025-11-24T10:00:00Z",
        "string",
        "\u{8bf7}\u{8f93}\u{5165}8\u{4f4d}",
        "p1",
    ] {
        assert_eq!(counts(&response(&format!(r#"{{"password":"{not}"}}"#))), [], "{not}");
    }
    assert_eq!(counts(&request(r#"{"username":"a","password":"S3cr3t!"}"#)), []);
    for not in
        ["eyJub3QiOiJhIGp3dCJ9.eyJh.b", "sk_live_placeholderplaceholder", "AKIAIOSFODNN", "-----BEGIN CERTIFICATE-----"]
    {
        assert_eq!(counts(&response(&format!("{{\"v\":\"{not}\"}}"))), [], "{not}");
    }
}

#[test]
fn escapes_in_strings_and_names_are_undone() {
    assert_eq!(counts(&response(r#"{"v":"jane\u0040example.com"}"#)), [(DataClass::Email, 1, 1, 1)]);
    assert_eq!(counts(&response(r#"{"ph\u006fne":"4155550132"}"#)), [(DataClass::Phone, 1, 1, 1)]);
    assert_eq!(counts(&response(r#"{"v":"a\\","w":"jane@example.com"}"#)), [(DataClass::Email, 1, 1, 1)]);
    assert_eq!(counts(&response(r#"{"v":"say \"jane@example.com\""}"#)), [(DataClass::Email, 1, 1, 1)]);
}

#[test]
fn an_answer_may_give_an_account_away() {
    let account = |body: &str| response(body).account;
    for unknown in [
        r#"{"message":"User not found"}"#,
        r#"{"error":{"code":400,"message":"EMAIL_NOT_FOUND"}}"#,
        r#"{"error":"No account with that e-mail"}"#,
        r#"{"detail":"This email address is not registered"}"#,
        r#"{"message":"Given Email is not registered! "}"#,
        r#"{"msg":"user doesn't exist"}"#,
        r#"{"errors":["No account with that email"]}"#,
        r#"{"errors":[{"field":"email","message":"No account with that email"}]}"#,
        r#"{"error":"Sorry, we don't recognize that email"}"#,
    ] {
        assert_eq!(account(unknown), Some(AccountSaid::Unknown), "{unknown}");
    }
    for taken in [
        r#"{"message":"Email already registered! Try Again"}"#,
        r#"{"error":"EMAIL_EXISTS"}"#,
        r#"{"error":"user_exists"}"#,
        r#"{"message":"This username is taken."}"#,
    ] {
        assert_eq!(account(taken), Some(AccountSaid::Taken), "{taken}");
    }
    for neither in [
        r#"{"error":"invalid_credentials","message":"Wrong e-mail or password"}"#,
        r#"{"message":"Unknown user or wrong password"}"#,
        r#"{"error":"order not found"}"#,
        r#"{"name":"User not found"}"#,
    ] {
        assert_eq!(account(neither), None, "{neither}");
    }
    let page = report(Role::Response, BodyKind::Text, b"Sorry, we could not find an account for jane@example.com");
    assert_eq!(page.account, Some(AccountSaid::Unknown));
}

#[test]
fn login_fields_are_taken_from_requests_alone() {
    let body = r#"{"username":" Jane@Example.com ","password":"hunter2","otp":"123456"}"#;
    let login = request(body).login;
    assert!(login.has_password);
    assert_eq!(login.code, Some(CodeField { hash: KEY.secret("code", b"123456"), is_certain: true }));
    assert!(request(r#"{"code":"123456"}"#).login.code.is_some_and(|code| !code.is_certain));
    assert_eq!(request(r#"{"code":"SAVE10"}"#).login.code, None, "a coupon");
    assert_eq!(login.user, Some(user_hash(b"jane@example.com", &KEY)));
    assert_eq!(login.password, Some(KEY.secret("password", b"hunter2")));
    assert!(!response(body).login.has_password);
    let nested = request(r#"{"variables":{"input":{"email":"jane@example.com","password":"hunter2"}}}"#);
    assert_eq!((nested.login.user, nested.login.password), (login.user, login.password));
    let form = report(Role::Request, BodyKind::Form, b"user=jane%40example.com&pass=hunter2&remember=1");
    assert_eq!((form.login.user, form.login.password), (login.user, login.password));
    let multipart = "--xx\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\njane@example.com\r\n--xx\r\n\
        Content-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--xx--\r\n";
    let multipart = report(Role::Request, BodyKind::Multipart, multipart.as_bytes());
    assert_eq!((multipart.login.user, multipart.login.password), (login.user, login.password));
    assert_eq!(request(r#"{"query":"shoes","page":2}"#).login, Default::default());
}

#[test]
fn responses_say_whether_it_worked() {
    for (body, outcome) in [
        (r#"{"success":false}"#, Some(false)),
        (r#"{"success": true}"#, Some(true)),
        (r#"{"status":"error","message":"x"}"#, Some(false)),
        (r#"{"status":"ok"}"#, Some(true)),
        (r#"{"error":"invalid_grant"}"#, Some(false)),
        (r#"{"error":{"code":401}}"#, Some(false)),
        (r#"{"errors":[{"message":"no"}]}"#, Some(false)),
        (r#"{"error":null,"data":{}}"#, None),
        (r#"{"errors":[]}"#, None),
        (r#"{"authenticated":false}"#, Some(false)),
        (r#"{"message":"Invalid credentials."}"#, Some(false)),
        (r#"{"access_token":"abcdefgh12345","expires_in":3600}"#, Some(true)),
        (r#"{"data":{"token":"abcdefgh12345"}}"#, Some(true)),
        (r#"{"items":[{"status":"failed"},{"success":false}]}"#, None),
        (r#"{"id":1,"name":"x"}"#, None),
    ] {
        assert_eq!(response(body).outcome, outcome, "{body}");
    }
    for (body, wants_more) in [
        (r#"{"mfa_required":true,"challenge":"c29tZXRoaW5n"}"#, true),
        (r#"{"status":"MFA_REQUIRED"}"#, true),
        (r#"{"error":"mfa_required","mfa_token":"Fe26.2abcdef"}"#, true),
        (r#"{"passwordExpired":true}"#, true),
        (r#"{"ChallengeName":"SMS_MFA","Session":"abcdefgh12345"}"#, true),
        (r#"{"mfa_required":false,"access_token":"abcdefgh12345"}"#, false),
        (r#"{"status":"otp_invalid"}"#, false),
        (r#"{"status":"failed"}"#, false),
    ] {
        assert_eq!(response(body).wants_more, wants_more, "{body}");
    }
    assert!(response(r#"{"access_token":"abcdefgh12345"}"#).has_token);
    assert!(!response(r#"{"csrf_token":"abcdefgh12345","next_page_token":"abcdefgh12345"}"#).has_token);
    let page = b"<html><body><form><p class=error>Incorrect username or password.</p></form></body></html>";
    assert_eq!(report(Role::Response, BodyKind::Html, page).outcome, Some(false));
    assert_eq!(report(Role::Response, BodyKind::Text, b"Login failed").outcome, Some(false));
    assert_eq!(report(Role::Response, BodyKind::Text, b"Welcome").outcome, None);
}

#[test]
fn a_decoy_beside_what_is_tried_hides_nothing() {
    let sent = |text: &str| report(Role::Request, BodyKind::Form, text.as_bytes()).login;
    let tried = |user: &str| sent(&format!("username=bob&password=hunter2&username={user}&password=p1"));
    assert!(tried("ann").user.is_some() && tried("ann").user != tried("joe").user);
    assert_ne!(tried("ann").password, sent("username=bob&password=hunter2").password);
    assert_eq!(sent("user=bob&username=bob&password=x").user, sent("username=bob&password=x").user);
    assert_eq!(
        sent("id=7&username=bob&password=x").user,
        sent("username=bob&password=x").user,
        "what is certain counts"
    );
    let padded = |password: &str| sent(&format!("username=bob&password={password}{}", "%20".repeat(300))).password;
    assert!(padded("a").is_some() && padded("a") != padded("b"));
    let (body, query) = (sent("username=bob&password=x"), sent("username=ann&password=y"));
    assert_ne!(body.together(&query).user, body.user);
    assert_eq!(body.together(&body), body);
}

#[test]
fn pages_that_look_the_same_have_the_same_shape() {
    let shape = |body: &str| response(body).shape;
    assert_eq!(shape(r#"{"path":"/a","error":"x"}"#), shape(r#"{"error":"yyyyyyy","path":"/b/c"}"#));
    assert_ne!(shape(r#"{"path":"/a"}"#), shape(r#"{"id":"/a"}"#));
    assert_eq!(shape(r#"[{"a":1},{"a":2,"b":3}]"#), shape(r#"[{"a":7}]"#));
    let page = |title: &str| {
        let page =
            format!("<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
        report(Role::Response, BodyKind::Html, page.as_bytes()).shape
    };
    assert_eq!(page("one"), page("another"));
}

#[test]
fn a_request_may_ask_for_a_large_page() {
    for (kind, body, expected) in [
        (BodyKind::Json, r#"{"query":"a","limit":500}"#, Some(500)),
        (BodyKind::Json, r#"{"filter":{"limit":7},"page":{"size":"500"}}"#, Some(500)),
        (BodyKind::Json, r#"{"limit":"all","count":7,"price":{"max":900}}"#, None),
        (BodyKind::Json, r#"{"shoes":[{"size":43}]}"#, None),
        (BodyKind::Json, r#"{"query":"query($n:Int){users(first:$n){id}}","variables":{"first":500}}"#, Some(500)),
        (BodyKind::Form, "q=a&per_page=500", Some(500)),
        (BodyKind::Xml, "<e><b><Search><maxResults>500</maxResults></Search></b></e>", Some(500)),
    ] {
        assert_eq!(report(Role::Request, kind, body.as_bytes()).page_size, expected, "{body}");
    }
}

#[test]
fn a_soap_fault_says_no_and_may_refuse_who_calls() {
    let fault = |inner: &str| format!("<s:Envelope><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>");
    let of = |text: &str| {
        let report = report(Role::Response, BodyKind::Xml, text.as_bytes());
        (report.outcome, report.refuses_login)
    };
    for refused in [
        "<faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring>",
        "<faultcode>s:Client</faultcode><faultstring>The security token could not be authenticated</faultstring>",
        "<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>Invalid username or password</s:Text></s:Reason>",
    ] {
        assert_eq!(of(&fault(refused)), (Some(false), true), "{refused}");
    }
    assert_eq!(
        of(&fault("<faultcode>s:Client</faultcode><faultstring>No such policy</faultstring>")),
        (Some(false), false)
    );
    assert_eq!(of("<s:Envelope><s:Body><r><text>invalid password</text></r></s:Body></s:Envelope>"), (None, false));
    assert!(!of("<a><b><c><Fault><x>invalid password</x></Fault></c></b></a>").1);
}

#[test]
fn xml_and_csv_have_records_and_named_fields() {
    let xml = r#"<?xml version="1.0"?><users><user id="1"><email>jane@example.com</email><ssn>078051121</ssn></user>
        <user id="2"><email>joe@example.com</email></user><user/></users>"#;
    let xml = report(Role::Response, BodyKind::Xml, xml.as_bytes());
    assert_eq!(xml.records, 3);
    assert_eq!(counts(&xml), [(DataClass::Email, 2, 2, 2), (DataClass::UsSsn, 1, 1, 1)]);
    let csv = "id,email,phone\n1,jane@example.com,4155550132\n2,\"joe@example.com\",4155550133\n";
    let csv = report(Role::Response, BodyKind::Csv, csv.as_bytes());
    assert_eq!(csv.records, 2);
    assert_eq!(counts(&csv), [(DataClass::Email, 2, 2, 2), (DataClass::Phone, 2, 2, 2)]);
}

#[test]
fn json_that_says_it_is_html_is_read_as_json() {
    let report = report(Role::Response, BodyKind::Html, b"  {\"success\":false}");
    assert_eq!(report.outcome, Some(false));
}

/// A form of so many fields, the last of them a password.
fn form_of(parts: usize) -> String {
    let part =
        |name: &str, value: &str| format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let mut body: String = (1..parts).map(|nth| part(&format!("field{nth}"), "v")).collect();
    body += &part("password", "hunter2");
    body + "--xx--\r\n"
}

#[test]
fn parts_beyond_the_limit_are_passed_over_and_said() {
    let of = |parts| report(Role::Request, BodyKind::Multipart, form_of(parts).as_bytes());
    let (all, cut) = (of(1000), of(1001));
    assert_eq!((all.login.has_password, all.is_cut), (true, false));
    assert_eq!((cut.login.has_password, cut.is_cut), (false, true));
    let many = of(10_000);
    assert_eq!((many.login.has_password, many.is_cut, many.truncated), (false, true, false));
}

#[test]
fn each_part_of_a_multipart_is_inspected() {
    let body = "--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nwrite to jane@example.com\r\n\
                --xx\r\nContent-Disposition: form-data; name=\"list\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
                john@example.com\r\n--xx--\r\n";
    let found = report(Role::Response, BodyKind::Multipart, body.as_bytes());
    assert_eq!(found.class(DataClass::Email).map(|email| email.distinct.len()), Some(2));
}

/// One multipart in another is a part whose lines are looked at like those of a file.
#[test]
fn what_is_nested_in_a_part_is_inspected() {
    let body = "--xx\r\nContent-Type: multipart/mixed; boundary=yy\r\n\r\n\
                --yy\r\nContent-Type: text/plain\r\n\r\njane@example.com\r\n--yy--\r\n--xx--\r\n";
    let found = report(Role::Response, BodyKind::Multipart, body.as_bytes());
    assert_eq!(found.class(DataClass::Email).map(|email| email.occurrences), Some(1));
    // Ranges of a file: what they hold is text of it.
    let body = "--r\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-15/99\r\n\r\njane@example.com\r\n\
                --r\r\nContent-Type: text/plain\r\nContent-Range: bytes 40-55/99\r\n\r\njohn@example.com\r\n--r--\r\n";
    let kind = BodyKind::of(Some(b"multipart/byteranges; boundary=r"));
    let found = report(Role::Response, kind, body.as_bytes());
    assert_eq!(found.class(DataClass::Email).map(|email| email.distinct.len()), Some(2));
}

#[test]
fn a_multipart_without_a_boundary_is_harmless() {
    for body in ["", "--", "no boundary at all\r\njane@example.com", "--\r\n--\r\n--", &"-".repeat(4000)] {
        let found = report(Role::Request, BodyKind::Multipart, body.as_bytes());
        assert_eq!((found.login.has_password, found.is_cut), (false, false), "{body}");
    }
}

#[test]
fn what_is_passed_over_at_a_limit_is_said() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(!report(Role::Response, BodyKind::Json, deep(64).as_bytes()).is_cut);
    assert!(report(Role::Response, BodyKind::Json, deep(65).as_bytes()).is_cut);
    let nested = |levels: usize| format!("{}x{}", "<a>".repeat(levels), "</a>".repeat(levels));
    assert!(!report(Role::Response, BodyKind::Xml, nested(64).as_bytes()).is_cut);
    assert!(report(Role::Response, BodyKind::Xml, nested(65).as_bytes()).is_cut);
    let row = |columns: usize| format!("{}\n1,2\n", vec!["c"; columns].join(","));
    assert!(!report(Role::Response, BodyKind::Csv, row(128).as_bytes()).is_cut);
    assert!(report(Role::Response, BodyKind::Csv, row(129).as_bytes()).is_cut);
}

#[test]
fn a_request_says_what_it_asks_for() {
    let number = |kind, body: &str| report(Role::Request, kind, body.as_bytes()).object.map(|object| object.number);
    for (kind, body, expected) in [
        (BodyKind::Json, r#"{"account_id": 1001, "currency": "EUR"}"#, Some(1001)),
        (BodyKind::Json, r#"{"query":"query($id: ID!){user(id:$id){email}}","variables":{"id":"17"}}"#, Some(17)),
        (BodyKind::Json, r#"{"order":"INV-0042"}"#, Some(42)),
        (BodyKind::Json, r#"{"id":"550e8400-e29b-41d4-a716-446655440000","page":3}"#, None),
        (BodyKind::Json, r#"[{"id":1},{"id":2}]"#, None),
        (BodyKind::Form, "user=7&page=3", Some(7)),
        (BodyKind::Xml, "<getAccount><accountId>5</accountId></getAccount>", Some(5)),
    ] {
        assert_eq!(number(kind, body), expected, "{body}");
    }
    let of = |body: &str| report(Role::Request, BodyKind::Json, body.as_bytes()).object;
    assert_ne!(of(r#"{"tenant_id":1,"id":7}"#), of(r#"{"tenant_id":2,"id":7}"#));
    assert_eq!(report(Role::Response, BodyKind::Json, br#"{"id":7}"#).object, None);
}
