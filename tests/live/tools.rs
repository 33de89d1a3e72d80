//! Attackers' tools, a load test and a crawler against the site: each is called by its right name, or by none.

use super::site::{self, PORT, SERVER, Site};
use super::{Daemon, login, ordinary, url};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const TOOLS: [&str; 6] = ["hydra", "ffuf", "gobuster", "sqlmap", "wrk", "wget"];
const LEARNING: Duration = Duration::from_secs(30);

/// Lines of a file that a tool reads.
fn list(folder: &Path, name: &str, lines: impl Iterator<Item = String>) -> String {
    let path = folder.join(name);
    let mut text = String::new();
    lines.for_each(|line| writeln!(text, "{line}").unwrap());
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Besides what everybody does: the form, the search and the pages are used now and then. One of 120 mistypes.
fn browse(site: &Site, folder: &Path, round: u8) {
    ordinary(site, folder);
    for host in 10..22u8 {
        let form = |password: &str| format!("{}\ndata = \"username=u{host}&password={password}\"", url("/login"));
        let searches = (0..3).map(|n| url(&format!("/v1/search?id={}", u32::from(host) + n)));
        let pages = [
            url("/"),
            url("/login"),
            form(if round.is_multiple_of(10) && host == 12 { "mistyped" } else { "right" }),
            url("/pages/3"),
        ];
        site.requests(folder, host, searches.chain(pages).chain([login(&format!("u{host}"), "right")]));
    }
}

#[test]
fn tools_are_called_by_their_names() {
    let missing = site::missing().or_else(|| TOOLS.iter().find_map(|tool| site::missing_tool(tool)));
    if let Some(missing) = missing {
        return eprintln!("skipped: {missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = Site::new("to", folder);
    let daemon = Daemon::start(&site, folder, &format!("{}s", LEARNING.as_secs()));
    let started = Instant::now();
    for round in 0..u8::MAX {
        browse(&site, folder, round);
        if started.elapsed() > LEARNING {
            break;
        }
    }
    assert!(daemon.alerts().is_empty(), "{:?}", daemon.alerts());

    let pairs = list(folder, "pairs", (0..150).map(|n| format!("user{n}@mail.example:pw{}x", n * 7)));
    let words = list(folder, "words", (0..150).map(|n| format!("word{n}")));
    let users = list(folder, "users", (0..60).map(|n| format!("person{n}")));
    let paths = list(folder, "paths", (0..200).map(|n| format!("admin-{n}")));
    let port = PORT.to_string();
    let form = "/login:username=^USER^&password=^PASS^:S=Welcome";
    let base = format!("http://{SERVER}:{PORT}");
    let (fuzz, search, load) =
        (format!("{base}/FUZZ"), format!("{base}/v1/search?id=1"), format!("{base}/v1/search?id=7"));
    let output = folder.join("sqlmap").display().to_string();
    let crawl = folder.join("crawl").display().to_string();
    let of = |flags: &[&str]| -> Vec<String> { flags.iter().map(|flag| (*flag).to_owned()).collect() };
    let hydra = |flags: &[&str]| of(&[flags, &["-s", &port, "-t", "4", SERVER, "http-post-form", form]].concat());
    // Who, with what, and what may be said of it: the first must be.
    let runs: [(u8, &str, Vec<String>, &[&str]); 8] = [
        (30, "hydra", hydra(&["-C", &pairs]), &["credential_stuffing"]),
        (31, "hydra", hydra(&["-l", "root", "-P", &words]), &["brute_force"]),
        (32, "hydra", hydra(&["-L", &users, "-p", "Summer2025"]), &["password_spraying"]),
        (33, "ffuf", of(&["-u", &fuzz, "-w", &paths, "-t", "8"]), &["scanner"]),
        (34, "gobuster", of(&["dir", "-q", "-u", &base, "-w", &paths]), &["scanner"]),
        (
            35,
            "sqlmap",
            of(&["-u", &search, "--batch", "--level", "2", "--output-dir", &output]),
            &["injection", "server_error_spike"],
        ),
        (36, "wrk", of(&["-t1", "-c4", "-d4", &load]), &["", "resource_abuse"]),
        (37, "wget", of(&["-q", "-r", "-l", "9", "-P", &crawl, &base]), &[""]),
    ];
    for (host, tool, arguments, names) in &runs {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = site.tool(*host, tool, &arguments);
        let client = format!("10.213.0.{host}");
        let is_told = || {
            daemon
                .alerts()
                .iter()
                .any(|alert| alert["apitap"]["client"] == client.as_str() || alert["src_ip"] == client.as_str())
        };
        if names[0].is_empty() {
            std::thread::sleep(Duration::from_secs(12));
        } else {
            daemon.wait(
                &format!("{tool}: {names:?}\n{}", String::from_utf8_lossy(&output.stdout)),
                Duration::from_secs(25),
                is_told,
            );
        }
        browse(&site, folder, 1);
    }
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // On a machine with few processors the tools slow the site down, and that is told, too: of the endpoint, not of a tool.
    for alert in daemon.end().iter().filter(|alert| alert["apitap"]["detector"] != "latency_anomaly") {
        let apitap = &alert["apitap"];
        let who = apitap["client"].as_str().unwrap_or_else(|| panic!("it is about nobody: {alert}")).to_owned();
        said.entry(who).or_default().insert(apitap["detector"].as_str().unwrap().to_owned());
    }
    println!("{said:?}");
    for (host, tool, _, names) in &runs {
        let told = said.remove(&format!("10.213.0.{host}")).unwrap_or_default();
        assert!(names[0].is_empty() || told.contains(names[0]), "{tool}: {told:?}");
        assert!(told.iter().all(|name| names.contains(&name.as_str())), "{tool}: {told:?}");
    }
    assert!(said.is_empty(), "of others: {said:?}");
}
