use super::*;
use proptest::prelude::*;
use std::io::Cursor;

const ATTACK: &str = r#"{"attack":"credential_stuffing","level":"easy","start":"2025-11-23T10:02:00.000000+0000","end":"2025-11-23T10:05:00Z","clients":["203.0.113.7","198.51.100.0/24"],"endpoints":["POST api.shop.example/v1/users/{user_id}"],"detectors":["credential_stuffing"],"may":["client_error_spike"],"transactions":600}"#;

fn parsed(text: impl AsRef<[u8]>) -> Result<Truth, String> {
    Truth::parse(Lines::new("truth".to_owned(), Cursor::new(text.as_ref()))).map_err(|error| error.to_string())
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn the_lines_of_simulate_are_read() {
    let lines = [
        ATTACK,
        r#"{"benign":"deploy","start":"2025-11-23T12:00:00Z","end":"2025-11-23T12:30:00Z","endpoints":[],"may":["shadow_endpoint"],"max_severity":"medium","transactions":9}"#,
        r#"{"t":"2025-11-23T12:00:00Z","client":"192.0.2.1","label":"benign"}"#,
        r#"{"summary":{"transactions":100,"first":"2025-11-23T09:00:00.5+0000","last":"2025-11-23T13:00:00+0000","seed":1}}"#,
    ];
    let truth = parsed(lines.join("\n")).unwrap();
    let attack = &truth.attacks[0];
    assert_eq!((attack.name.as_str(), attack.level.as_str()), ("credential_stuffing", "easy"));
    assert_eq!((attack.scope.start, attack.scope.end), (time("2025-11-23T10:02:00Z"), time("2025-11-23T10:05:00Z")));
    assert_eq!(attack.scope.endpoints, ["POST api.shop.example/v1/users/{}"]);
    assert!(attack.scope.clients[1].contains("198.51.100.9".parse().unwrap()));
    assert!(attack.is_found_by("credential_stuffing") && !attack.is_found_by("client_error_spike"));
    assert!(attack.lets_speak("client_error_spike") && !attack.lets_speak("scanner"));
    let benign = &truth.benign[0];
    assert!(benign.lets_speak("shadow_endpoint", Severity::Medium) && benign.scope.is_everywhere());
    assert!(!benign.lets_speak("shadow_endpoint", Severity::High) && !benign.lets_speak("scanner", Severity::Low));
    assert_eq!(truth.traffic.unwrap().transactions, 100);
}

#[test]
fn csv_says_the_same() {
    let csv = "\u{feff}start,end,clients,endpoints,detectors,may,attack,level\r\n\
               2025-11-23T10:02:00Z,2025-11-23T10:05:00+00:00,203.0.113.7; 198.51.100.0/24,\
               \"POST api.shop.example /v1/users/{id}\",credential_stuffing,client_error_spike,credential_stuffing,easy\r\n\r\n";
    assert_eq!(parsed(csv).unwrap().attacks, parsed(ATTACK).unwrap().attacks);
}

#[test]
fn what_a_row_leaves_out_is_not_restricted() {
    let csv = "attack,benign,start,end,max_severity\n\
               \"a \"\"b\"\", c\",,2025-11-23T10:00:00Z,2025-11-23T10:05:00Z,\n\
               ,load test,2025-11-23T11:00:00Z,2025-11-23T11:05:00Z,high\n\
               ,backup,2025-11-23T12:00:00Z,2025-11-23T12:05:00Z,\n";
    let truth = parsed(csv).unwrap();
    let attack = &truth.attacks[0];
    assert_eq!((attack.name.as_str(), attack.level.as_str()), ("a \"b\", c", "-"));
    assert!(attack.scope.is_everywhere() && attack.is_found_by("scanner"));
    assert!(truth.benign[0].lets_speak("scanner", Severity::High));
    assert!(!truth.benign[0].lets_speak("scanner", Severity::Critical));
    assert!(truth.benign[1].lets_speak("scanner", Severity::Critical));
}

#[test]
fn labels_of_transactions_become_attacks() {
    let csv = "timestamp,src_ip,label\n\
               2025-11-23T10:00:05Z,192.0.2.1,sqli\n\
               2025-11-23T10:00:00Z,192.0.2.2,Benign\n\
               2025-11-23T10:00:09Z,192.0.2.3,sqli\n\
               2025-11-23T10:00:01Z,192.0.2.1,sqli\n\
               2025-11-23T10:00:02Z,,scan\n";
    let truth = parsed(csv).unwrap();
    let names: Vec<&str> = truth.attacks.iter().map(|attack| attack.name.as_str()).collect();
    assert_eq!(names, ["scan", "sqli"]);
    let sqli = &truth.attacks[1].scope;
    assert_eq!((sqli.start, sqli.end), (time("2025-11-23T10:00:01Z"), time("2025-11-23T10:00:09Z")));
    assert_eq!(sqli.clients.len(), 2);
    assert!(truth.attacks[0].scope.is_everywhere());
}

#[test]
fn what_does_not_match_is_refused_with_its_place_and_what_was_expected() {
    let csv = |row: &str| format!("attack,start,end,clients,endpoints,detectors\n{row}");
    for (text, start, part) in [
        (String::new(), "truth:1:1: ", "empty"),
        (format!("{ATTACK}\n{{"), "truth:2:1: ", "EOF"),
        (format!("{ATTACK}\n[1]"), "truth:2:", "expected"),
        (format!("{ATTACK}\n{{\"atack\":\"x\"}}"), "truth:2:8: ", "unknown field `atack`, expected one of `attack`"),
        (r#"{"attack":"x"}"#.to_owned(), "truth:1:1: ", "`start` is missing"),
        (ATTACK.replace("10:05:00Z", "10:01:00Z"), "truth:1:1: ", "lies before `start`"),
        (ATTACK.replace("2025-11-23T10:05:00Z", "noon"), "truth:1:", "`noon` is no time; expected one like 2025"),
        (ATTACK.replace("203.0.113.7", "203.0.113"), "truth:1:", "`203.0.113` is no client; expected an address"),
        (ATTACK.replace("\"detectors\":[\"cred", "\"detectors\":[\"kred"), "truth:1:", "did you mean `credential_"),
        (ATTACK.replace("\"attack\"", "\"benign\""), "truth:1:1: ", "`may` speak"),
        (csv("x,2025-11-23T10:00:00Z,late,,,"), "truth:2:24: ", "column `end`: `late` is no time"),
        (csv("x,2025-11-23T10:00:00Z,2025-11-23T10:00:00Z,,GET,"), "truth:2:46: ", "`GET` is no endpoint"),
        (csv("x,2025-11-23T10:00:00Z"), "truth:2:23: ", "2 fields; expected 6"),
        (csv("\"x,2025"), "truth:2:1: ", "does not end on its line"),
        (csv("\"x\"y,2025"), "truth:2:4: ", "expected a comma"),
        (csv(",2025-11-23T10:00:00Z,2025-11-23T10:00:00Z,,,"), "truth:2:1: ", "expected a name as `attack`"),
        ("attack,begin\nx,y\n".to_owned(), "truth:1:8: ", "there is no column `begin`; expected some of attack"),
        ("attack,attack\n".to_owned(), "truth:1:8: ", "comes twice"),
        ("src_ip,label\n192.0.2.1,x\n".to_owned(), "truth:2:1: ", "there is no column `timestamp`"),
    ] {
        let error = parsed(&text).expect_err(&text);
        assert!(error.starts_with(start) && error.contains(part), "{text}\n{error}");
    }
}

#[test]
fn a_hostile_file_is_quoted_short_and_harmless() {
    let long = "x".repeat(1 << 20);
    for text in [
        ATTACK.replace("easy", &long).into_bytes(),
        ATTACK.replace("users", &long).into_bytes(),
        ATTACK.replace("\"detectors\":[\"", &format!("\"detectors\":[\"{long}")).into_bytes(),
        ATTACK.replace("easy\"", &format!("easy\",\"{long}\":1")).into_bytes(),
        format!("attack,{long}\n").into_bytes(),
        b"attack,start\n\xff\xfe,1\n".to_vec(),
        b"{\"attack\":\"\xff\"}".to_vec(),
        format!("attack,start\n\x1b[2J,{long}\n").into_bytes(),
        vec![b'['; 1 << 20],
        vec![b'x'; 17 << 20],
    ] {
        let error = parsed(&text).unwrap_err();
        assert!(error.len() < 1200, "{}", &error[..1200]);
        assert!(error.starts_with("truth:"), "{error}");
    }
    let error = parsed("attack,start,end\nx,\x1b[2J,x\n").unwrap_err();
    assert!(error.contains("`\\x1b[2J` is no time"), "{error}");
    assert_eq!(parsed(b"attack,start\nab\xff,1\n").unwrap_err(), "truth:2:3: expected text in UTF-8");
}

#[test]
fn an_endpoint_may_be_written_in_several_ways() {
    for (text, pattern) in [
        ("GET h /users/{id}/x/{order}", "GET h/users/{}/x/{}"),
        ("GET h/users/{user_id}", "GET h/users/{}"),
        ("h/users", "* h/users"),
        ("/users", "* */users"),
        ("* */login", "* */login"),
        ("*", "* *"),
    ] {
        assert_eq!(endpoint_pattern(text).as_deref(), Ok(pattern), "{text}");
    }
    for text in ["", "GET", "GET users", "G/T h/x"] {
        assert!(endpoint_pattern(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_truth_or_refused_with_a_place(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = parsed(&bytes) {
            prop_assert!(error.starts_with("truth:"), "{error}");
        }
    }

    #[test]
    fn a_truth_with_something_else_in_it_does_no_harm(at in 0usize..300, cut in 0usize..20, text in "\\PC{0,5}|[\",;\n]{0,3}") {
        let csv = "attack,start,end,clients,endpoints\n\"a,b\",2025-11-23T10:02:00Z,2025-11-23T10:05:00Z,192.0.2.0/24,GET h/x\n";
        for whole in [ATTACK, csv] {
            let start = at.min(whole.len());
            let end = (start + cut).min(whole.len());
            let changed = [&whole.as_bytes()[..start], text.as_bytes(), &whole.as_bytes()[end..]].concat();
            match parsed(&changed) {
                Ok(truth) => prop_assert!(truth.attacks.len() <= 3),
                Err(error) => prop_assert!(error.starts_with("truth:"), "{error}"),
            }
        }
    }
}
