//! `--openapi`: what a description names is no stranger, what it does not name is one from the first window on.

#[path = "support/cli.rs"]
mod cli;

use cli::{Folder, HOST, Talk, apitap, capture, json_response};
use std::collections::BTreeSet;

const DESCRIPTION: &str = r#"openapi: 3.0.3
info: {title: Bank, version: "1"}
servers:
  - url: https://api.bank.example/v1
paths:
  /accounts/{accountNumber}/transfers/{transfer}:
    parameters:
      - {name: accountNumber, in: path, required: true, schema: {type: string}}
      - {name: transfer, in: path, required: true, schema: {type: string}}
    get:
      responses: {"200": {description: fine}}
  /rates:
    get:
      responses: {"200": {description: fine}}
    post:
      responses: {"201": {description: made}}
"#;

/// Half a minute: documented and undocumented paths, and some that do not exist.
fn traffic() -> Vec<u8> {
    let mut talks = Vec::new();
    for index in 0..6 {
        let at = 5.0 * f64::from(index);
        talks.push(Talk::get(at, "192.0.2.1", &format!("/v1/accounts/savings-{index}/transfers/t{index}x")));
        talks.push(Talk::get(at + 0.5, "192.0.2.1", "/v1/rates"));
        talks.push(Talk::get(at + 1.0, "192.0.2.2", "/v1/debug/dump"));
        let missing = Talk::get(at + 1.5, "192.0.2.3", &format!("/v1/missing{index}"));
        talks.push(missing.answer(json_response("404 Not Found", "{}")));
    }
    capture(&talks)
}

#[test]
fn only_what_is_not_described_is_told_of_and_at_once() {
    let folder = Folder::new();
    let (file, description) = (folder.write("a.pcap", traffic()), folder.write("bank.yaml", DESCRIPTION));
    let run = apitap(&["replay", &file, "--openapi", &description, "--json"]).with_status(0);
    let records = run.records();
    let shadows: BTreeSet<&str> = records
        .iter()
        .filter(|record| record["apitap"]["detector"] == "shadow_endpoint")
        .map(|record| record["apitap"]["endpoint"].as_str().unwrap())
        .collect();
    assert_eq!(shadows, BTreeSet::from([format!("GET {HOST}/v1/debug/dump").as_str()]));
    let opened = records.iter().find(|record| record["apitap"]["state"] == "opened").unwrap();
    assert!(opened["timestamp"].as_str().unwrap() <= "2025-11-24T09:00:30", "{opened}");
    assert!(opened["apitap"]["expected"].as_str().unwrap().contains("OpenAPI"), "{opened}");
    let without = apitap(&["replay", &file]).with_status(0);
    assert_eq!(without.out, "", "without a description the first minutes teach");
}

#[test]
fn the_templates_of_the_description_are_used() {
    let folder = Folder::new();
    let (file, description) = (folder.write("a.pcap", traffic()), folder.write("bank.yaml", DESCRIPTION));
    let records = apitap(&["inventory", &file, "--openapi", &description, "--format", "json"]).with_status(0).records();
    let listed: Vec<(&str, Option<bool>, u64)> = records
        .iter()
        .map(|record| &record["apitap"])
        .filter(|detail| detail["requests"] != 0)
        .map(|detail| {
            (detail["template"].as_str().unwrap(), detail["documented"].as_bool(), detail["requests"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("/v1/accounts/{accountNumber}/transfers/{transfer}", Some(true), 6),
            ("/v1/debug/dump", Some(false), 6),
            ("/v1/rates", Some(true), 6),
        ]
    );
    let http = apitap(&["replay", &file, "--openapi", &description, "--eve", "-", "--events", "http"]).with_status(0);
    let endpoint = format!("GET {HOST}/v1/accounts/{{accountNumber}}/transfers/{{transfer}}");
    assert_eq!(http.records()[0]["apitap"]["endpoint"], endpoint);
    let flagged = |url: &str| {
        let records = http.records();
        let record = records.iter().find(|record| record["http"]["url"] == url).unwrap();
        record["apitap"]["flags"].as_array().unwrap().contains(&"shadow_endpoint".into())
    };
    assert!(flagged("/v1/debug/dump") && !flagged("/v1/rates") && !flagged("/v1/missing1"));
}

#[test]
fn operations_that_nobody_asked_for_are_listed_and_counted() {
    let folder = Folder::new();
    let (file, description) = (folder.write("a.pcap", traffic()), folder.write("bank.yaml", DESCRIPTION));
    let records = apitap(&["inventory", &file, "--openapi", &description, "--format", "json"]).with_status(0).records();
    let orphans: Vec<_> = records.iter().filter(|record| record["apitap"]["requests"] == 0).collect();
    let orphan = &orphans[0]["apitap"];
    assert_eq!((orphans.len(), &orphan["method"], &orphan["template"]), (1, &"POST".into(), &"/v1/rates".into()));
    assert_eq!((&orphan["host"], &orphan["documented"]), (&HOST.into(), &true.into()));
    assert!(orphan.get("first_seen").is_none(), "{orphan}");
    let table = apitap(&["inventory", &file, "--openapi", &description]).with_status(0);
    let line = table.out.lines().find(|line| line.starts_with("POST")).unwrap();
    assert!(line.contains("/v1/rates") && line.contains("never") && line.ends_with("unused"), "{line}");
    let replay = apitap(&["replay", &file, "--openapi", &description]).with_status(0);
    assert!(replay.err.contains("1 of 3 documented operations were never asked for"), "{}", replay.err);
    let without = apitap(&["replay", &file]).with_status(0);
    assert!(!without.err.contains("never asked for"), "{}", without.err);
}

#[test]
fn a_host_that_the_description_leaves_open_is_any() {
    let folder = Folder::new();
    let open = DESCRIPTION.replace("https://api.bank.example/v1", "/v1").replace("/rates:", "/prices:");
    let (file, description) = (folder.write("a.pcap", traffic()), folder.write("bank.yaml", open));
    let table = apitap(&["inventory", &file, "--openapi", &description]).with_status(0).out;
    let unused: Vec<&str> = table.lines().filter(|line| line.ends_with("unused")).collect();
    assert!(unused.len() == 2 && unused.iter().all(|line| line.contains(" */v1/prices ")), "{table}");
}

#[test]
fn descriptions_may_come_from_the_configuration() {
    let folder = Folder::new();
    let (file, description) = (folder.write("a.pcap", traffic()), folder.write("bank.yaml", DESCRIPTION));
    let config = folder.write("apitap.toml", format!("[api]\nopenapi = [\"{description}\"]\n"));
    let run = apitap(&["replay", &file, "--config", &config]).with_status(0);
    assert!(run.out.contains("/v1/debug/dump"), "{}", run.out);
}

#[test]
fn a_broken_description_is_refused_where_it_is_broken() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", traffic());
    let cases = [
        ("syntax.yaml", DESCRIPTION.replace("  - url:", "  - [url:"), ":6:"),
        ("syntax.json", "{\"openapi\": \"3.0.0\",\n \"info\": }".to_owned(), ":2:"),
        ("shape.yaml", DESCRIPTION.replace("/rates:", "rates:"), ":12:"),
        ("other.yaml", "name: value\n".to_owned(), "openapi"),
        ("empty.yaml", String::new(), "openapi"),
    ];
    for (name, text, place) in cases {
        let description = folder.write(name, text);
        let run = apitap(&["replay", &file, "--openapi", &description]).with_status(1);
        assert!(run.err.contains(name) && run.err.contains(place) && run.out.is_empty(), "{name}: {}", run.err);
    }
    let missing = apitap(&["replay", &file, "--openapi", &folder.path("none.yaml")]).with_status(1);
    assert!(missing.err.contains("none.yaml: cannot be read"), "{}", missing.err);
    assert_eq!(missing.err.matches("No such file").count(), 1, "{}", missing.err);
}

#[test]
fn an_undeclared_path_parameter_is_warned_of_and_the_description_used() {
    let folder = Folder::new();
    let without = "      - {name: transfer, in: path, required: true, schema: {type: string}}\n";
    let description = folder.write("bank.yaml", DESCRIPTION.replace(without, ""));
    let file = folder.write("a.pcap", traffic());
    let run = apitap(&["replay", &file, "--openapi", &description, "--json"]).with_status(0);
    let whole = folder.write("whole.yaml", DESCRIPTION);
    assert_eq!(run.out, apitap(&["replay", &file, "--openapi", &whole, "--json"]).with_status(0).out);
    let warning = run.err.lines().next().unwrap();
    assert!(warning.starts_with(&format!("apitap: warning: {description}:9:5: ")), "{warning}");
    assert!(warning.contains("no path parameter `transfer`") && warning.contains("in: path"), "{warning}");
}
