//! `--state`: what one replay learned the next one knows. And `apitap inventory`, which shows it.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::wire::DEFAULT_START;
use apitap::time::Timestamp;
use cli::{Folder, HOST, Talk, apitap, capture_from, json_response};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const CLIENT: &str = "192.0.2.1";

fn hours_later(hours: u64) -> Timestamp {
    DEFAULT_START.saturating_add(Duration::from_secs(3600 * hours))
}

/// Twenty minutes of `/v1/known` and `/v1/users/{id}`.
fn first_day() -> Vec<u8> {
    let talks: Vec<Talk> = (0..400)
        .map(|index| {
            let user = format!("/v1/users/{}", 1000 + index % 7);
            Talk::get(3.0 * f64::from(index), CLIENT, if index % 4 == 0 { &user } else { "/v1/known" })
        })
        .collect();
    capture_from(&talks, DEFAULT_START)
}

/// Five minutes of `/v1/known`, and now and then `/v1/strange`.
fn with_a_stranger(start: Timestamp) -> Vec<u8> {
    let talks: Vec<Talk> = (0..60)
        .map(|index| {
            let target = if index % 6 == 5 { "/v1/strange" } else { "/v1/known" };
            Talk::get(5.0 * f64::from(index), CLIENT, target)
        })
        .collect();
    capture_from(&talks, start)
}

/// The inventory of a state as JSON.
fn inventory(state: &str) -> String {
    apitap(&["inventory", "--state", state, "--format", "json"]).with_status(0).out
}

fn endpoint<'r>(records: &'r [Value], template: &str) -> &'r Value {
    let found = records.iter().map(|record| &record["apitap"]).find(|detail| detail["template"] == template);
    found.unwrap_or_else(|| panic!("{template} is not among {records:#?}"))
}

#[test]
fn a_second_replay_goes_on_where_the_first_ended() {
    let folder = Folder::new();
    let state = folder.path("state");
    let first = folder.write("first.pcap", first_day());
    let second = folder.write("second.pcap", with_a_stranger(hours_later(1)));

    let told = apitap(&["replay", &first, "--state", &state]).with_status(0);
    assert!(told.err.contains("learned until 2025-11-24 09:10:00"), "{}", told.err);
    let told = apitap(&["replay", &second, "--state", &state]).with_status(0);
    assert!(!told.err.contains("learned until"), "a state needs no second learning phase: {}", told.err);
    assert!(told.out.contains("shadow_endpoint") && told.out.contains("/v1/strange"), "{}", told.out);
    assert!(!told.out.contains("/v1/known"), "{}", told.out);

    let records = cli::records(&inventory(&state));
    assert_eq!(endpoint(&records, "/v1/known")["requests"], 300 + 50);
    assert_eq!(endpoint(&records, "/v1/strange")["requests"], 10);
    assert_eq!(endpoint(&records, "/v1/known")["first_seen"].as_str().unwrap()[..16], *"2025-11-24T09:00");
    assert_eq!(endpoint(&records, "/v1/known")["last_seen"].as_str().unwrap()[..16], *"2025-11-24T10:04");
}

#[test]
fn a_phase_of_learning_that_is_not_over_goes_on() {
    let folder = Folder::new();
    let state = folder.path("state");
    let known: Vec<Talk> = (0..60).map(|index| Talk::get(5.0 * f64::from(index), CLIENT, "/v1/known")).collect();
    let first = folder.write("first.pcap", capture_from(&known, DEFAULT_START));
    let five_minutes_later = DEFAULT_START.saturating_add(Duration::from_secs(300));
    let second = folder.write("second.pcap", with_a_stranger(five_minutes_later));
    apitap(&["replay", &first, "--state", &state]).with_status(0);
    let told = apitap(&["replay", &second, "--state", &state]).with_status(0);
    assert!(told.err.contains("learned until 2025-11-24 09:10:00"), "{}", told.err);
    assert!(!told.out.contains("shadow_endpoint"), "{}", told.out);
}

#[test]
fn an_older_capture_is_refused_unless_nothing_is_learned_from_it() {
    let folder = Folder::new();
    let state = folder.path("state");
    let later = folder.write("later.pcap", first_day());
    let older = folder.write("older.pcap", with_a_stranger(Timestamp(DEFAULT_START.0 - 3_600_000_000_000)));
    apitap(&["replay", &later, "--state", &state]).with_status(0);
    let before = inventory(&state);

    let refused = apitap(&["replay", &older, "--state", &state]).with_status(1);
    assert!(refused.err.contains("2025-11-24T08:00:00") && refused.err.contains("--no-learn"), "{}", refused.err);
    assert_eq!((refused.out.as_str(), inventory(&state)), ("", before.clone()));

    let judged = apitap(&["replay", &older, "--state", &state, "--no-learn"]).with_status(0);
    assert!(judged.out.contains("/v1/strange"), "{}{}", judged.out, judged.err);
    assert_eq!(inventory(&state), before);
    // What was judged without learning is still a stranger.
    let again = folder.write("again.pcap", with_a_stranger(hours_later(2)));
    let told = apitap(&["replay", &again, "--state", &state]).with_status(0);
    assert!(told.out.contains("shadow_endpoint") && told.out.contains("/v1/strange"), "{}", told.out);
}

#[test]
fn the_key_is_for_its_owner_alone_and_stays() {
    let folder = Folder::new();
    let state = folder.path("state");
    let first = folder.write("first.pcap", first_day());
    let second = folder.write("second.pcap", with_a_stranger(hours_later(1)));
    apitap(&["replay", &first, "--state", &state]).with_status(0);
    let key = std::fs::read(folder.path("state/key")).unwrap();
    let mode = |path: &str| std::fs::metadata(folder.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((key.len(), mode("state/key"), mode("state")), (16, 0o600, 0o700));
    apitap(&["replay", &second, "--state", &state]).with_status(0);
    assert_eq!(std::fs::read(folder.path("state/key")).unwrap(), key);
}

#[test]
fn the_inventory_shows_what_each_endpoint_is_like() {
    let folder = Folder::new();
    let people = r#"[{"name":"A","email":"ann.example@mail.example"},{"name":"B","email":"bob.example@mail.example"}]"#;
    let mut talks = Vec::new();
    for index in 0..10 {
        let user = Talk::get(6.0 * f64::from(index), CLIENT, &format!("/v1/users/{}", 5000 + index));
        talks.push(match index {
            9 => user.answer(json_response("404 Not Found", "{}")),
            _ => user
                .header("Authorization", "Bearer 2f7c9a0b1d3e4f5a6b7c8d9e0f1a2b3c")
                .answer(json_response("200 OK", people)),
        });
    }
    talks.push(
        Talk::post(61.0, CLIENT, "/v1/users", "application/json", "{}").answer(json_response("201 Created", "{}")),
    );
    let file = folder.write("a.pcap", capture_from(&talks, DEFAULT_START));

    let records = apitap(&["inventory", &file, "--format", "json"]).with_status(0).records();
    assert_eq!(records.len(), 2, "{records:#?}");
    let users = endpoint(&records, "/v1/users/{id}");
    assert_eq!((&users["method"], &users["host"]), (&"GET".into(), &HOST.into()));
    assert_eq!(users["status"], serde_json::json!({"200": 9, "404": 1}));
    assert_eq!(users["credentials"], serde_json::json!({"bearer": 9, "none": 1}));
    assert!(users["data"]["email"].as_u64().unwrap() >= 2, "{users}");
    assert!(users.get("documented").is_none(), "no description was given: {users}");
    let rate = users["rate_per_minute"].as_f64().unwrap();
    assert!((9.0..12.0).contains(&rate), "ten within a minute, not {rate} a minute");
    assert_eq!(endpoint(&records, "/v1/users")["status"], serde_json::json!({"201": 1}));

    let table = apitap(&["inventory", &file]).with_status(0);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].starts_with("ENDPOINT ") && lines.len() == 3, "{}", table.out);
    let row = lines.iter().find(|line| line.starts_with("GET api.bank.example/v1/users/{id} ")).unwrap();
    assert!(row.contains("200×9 404×1") && row.contains("bearer×9 none×1") && row.contains("email×"), "{row}");
    assert_eq!(table.err, "");

    // Captures and the state made of them show the same.
    let state = folder.path("state");
    apitap(&["replay", &file, "--state", &state]).with_status(0);
    let kept = cli::records(&inventory(&state));
    let details = |records: &[Value]| records.iter().map(|record| record["apitap"].clone()).collect::<Vec<Value>>();
    assert_eq!(details(&kept), details(&records));
}

#[test]
fn a_folder_without_state_has_no_inventory() {
    let folder = Folder::new();
    let none = apitap(&["inventory", "--state", &folder.path("none")]).with_status(1);
    assert!(none.err.contains("has no state") && none.err.contains("apitap replay --state"), "{}", none.err);
    let missing = apitap(&["inventory", &folder.path("none.pcap")]).with_status(1);
    assert!(missing.err.contains("none.pcap: cannot be opened"), "{}", missing.err);
}

#[test]
fn a_state_serves_one_run_at_a_time() {
    let folder = Folder::new();
    let state = folder.path("state");
    let first = folder.write("first.pcap", first_day());
    // The first run waits for its capture while it holds the state.
    let mut child = cli::command()
        .args(["replay", "-", "--state", &state])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    while !std::path::Path::new(&folder.path("state/db/conf")).exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no database is made");
        std::thread::sleep(Duration::from_millis(20));
    }
    for arguments in [&["replay", &first, "--state", &state][..], &["inventory", "--state", &state]] {
        let second = apitap(arguments).with_status(1);
        let holder = format!("is in use by another apitap (process {}); wait", child.id());
        assert!(second.err.contains(&holder), "{}", second.err);
    }
    let mut pipe = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut pipe, &first_day()).unwrap();
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(inventory(&state).contains("/v1/known"));
}

#[test]
fn accounts_are_named_by_hashes_that_the_key_of_the_state_gives() {
    let folder = Folder::new();
    let state = folder.path("state");
    let failing = |nth: u32| {
        let body = format!(r#"{{"username":"Alice@Example.com","password":"guess-{nth}"}}"#);
        let refused = json_response("401 Unauthorized", r#"{"error":"wrong"}"#);
        Talk::post(3.0 * f64::from(nth), CLIENT, "/login", "application/json", &body).answer(refused)
    };
    let capture = folder.write("guesses.pcap", capture_from(&(0..60).map(failing).collect::<Vec<_>>(), DEFAULT_START));
    let told = apitap(&["replay", &capture, "--state", &state, "--json"]).with_status(0).records();
    let guessed = told.iter().map(|record| &record["apitap"]).find(|alert| alert["detector"] == "brute_force");
    let account = guessed.and_then(|alert| alert["subject"]["value"].as_str()).expect("an account was guessed at");

    let hashes = apitap(&["state", "account", "--state", &state, " alice@example.com ", "bob"]).with_status(0).out;
    let (of_alice, of_bob) = hashes.split_once('\n').expect("a line for each name");
    assert!(of_alice.starts_with(account) && !of_bob.starts_with(account), "{account}:\n{hashes}");
    let none = apitap(&["state", "account", "--state", &folder.path("none"), "bob"]).with_status(1);
    assert!(none.err.contains("key of") && none.err.contains("none"), "{}", none.err);
}
