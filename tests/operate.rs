//! The commands around a running daemon: status, incidents, suppressions, reloading, inventory and state through its
//! control socket; and what the socket bears from who means it ill.

#[path = "support/cli.rs"]
mod cli;
#[path = "support/sensor.rs"]
mod sensor;

use apitap::simulate::wire::DEFAULT_START;
use cli::{Folder, Run, Talk, apitap, capture_from, command, json_response};
use sensor::{Site, until};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

const CLIENT: &str = "192.0.2.1";

/// Clients that ask for paths that there are not, `count` each within 20 s, from a second of the capture's time on.
fn scans(second: u64, scanners: &[&str], count: u32) -> Vec<u8> {
    let mut talks = vec![Talk::get(0.0, CLIENT, "/v1/known"), Talk::get(30.0, CLIENT, "/v1/known")];
    for scanner in scanners {
        talks.extend((0..count).map(|index| {
            let talk =
                Talk::get(f64::from(index) * 20.0 / f64::from(count), scanner, &format!("/s{second}/x{index}.php"));
            talk.answer(json_response("404 Not Found", "{}"))
        }));
    }
    talks.sort_by(|one, other| one.at.total_cmp(&other.at));
    capture_from(&talks, DEFAULT_START.saturating_add(Duration::from_secs(second)))
}

fn client_of(alert: &Value) -> &str {
    alert["src_ip"].as_str().unwrap_or_default()
}

/// The records about a scanner.
fn told_of(site: &Site, scanner: &str) -> Vec<Value> {
    let mut alerts = site.alerts();
    alerts.retain(|alert| alert["apitap"]["detector"] == "scanner" && client_of(alert) == scanner);
    alerts
}

fn states_of(site: &Site, scanner: &str) -> Vec<String> {
    let text = |alert: &Value| alert["apitap"]["state"].as_str().expect("a state").to_owned();
    told_of(site, scanner).iter().map(text).collect()
}

/// The ids of open incidents, by client.
fn open(site: &Site) -> Vec<(String, String)> {
    let list = site.asked(&["incident", "list", "--json"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().expect("a list").iter().map(|one| (text(&one["subject"]["value"]), text(&one["id"]))).collect()
}

#[test]
fn incidents_are_listed_shown_acknowledged_and_closed() {
    let site = Site::new();
    let sensor = site.start();
    let quiet = site.ask(&["incident", "list"]).with_status(0);
    assert_eq!(quiet.out, "no incident is open\n");

    let (known, other) = ("198.51.100.7", "198.51.100.8");
    site.feed(&scans(0, &[known, other], 30));
    until("both scans are told", || open(&site).len() == 2);
    let id_of = |client: &str| open(&site).into_iter().find(|(of, _)| of == client).expect("it is open").1;
    let (known_id, other_id) = (id_of(known), id_of(other));
    let list = site.ask(&["incident", "list"]).with_status(0).out;
    assert!(list.contains(&known_id) && list.contains("scanner") && !list.contains("acknowledged"), "{list}");
    let shown = site.ask(&["incident", "show", &known_id]).with_status(0).out;
    assert!(shown.contains(known) && shown.contains("advice") && shown.contains("evidence"), "{shown}");
    assert_eq!(site.asked(&["incident", "show", "--json", &known_id])["apitap"]["incident"], known_id);

    let said = site.ask(&["incident", "ack", &known_id]).with_status(0).out;
    assert!(said.contains("acknowledged"), "{said}");
    let list = site.ask(&["incident", "list"]).with_status(0).out;
    assert_eq!(list.matches("acknowledged").count(), 1, "{list}");
    // Both go on, ten times as much and more than a minute later: one is told of.
    site.feed(&scans(120, &[known, other], 300));
    until("the one that nobody knows is told again", || states_of(&site, other).contains(&"updated".to_owned()));
    assert_eq!(states_of(&site, known), ["opened"]);
    // What is still on its way would open it again; the last request waits for its window to end.
    let all = (2 + 2 * 30) + (2 + 2 * 300) - 1;
    until("all of it is judged", || site.asked(&["status", "--json"])["transactions"].as_u64() >= Some(all));

    site.ask(&["incident", "close", &other_id]).with_status(0);
    assert_eq!(states_of(&site, other).last().map(String::as_str), Some("closed"));
    assert_eq!(open(&site), [(known.to_owned(), known_id.clone())]);
    site.ask(&["incident", "unack", &known_id]).with_status(0);
    assert!(!site.ask(&["incident", "list"]).with_status(0).out.contains("acknowledged"));
    let refused = site.ask(&["incident", "unack", &known_id]).with_status(1).err;
    assert!(refused.contains(&known_id) && refused.contains("incident list --learned"), "{refused}");
    // A scan is no habit of anybody.
    let learned = site.ask(&["incident", "list", "--learned"]).with_status(0).out;
    assert_eq!(learned, "nothing was learned from acknowledged incidents\n");
    // What is over is in the log, and is explained from there.
    let log = site.folder.path("log/alerts.json");
    let shown = site.ask(&["incident", "show", "--log", &log, &other_id]).with_status(0).out;
    assert!(shown.contains(other) && shown.contains("(closed)"), "{shown}");
    let explained = site.ask(&["explain", "--log", &log, &other_id]).with_status(0).out;
    assert!(explained.contains("min_paths is ") && explained.contains("(over)"), "{explained}");
    let explained = site.ask(&["explain", &known_id]).with_status(0).out;
    assert!(explained.contains("min_paths is ") && explained.contains("(open)"), "{explained}");
    for deed in ["show", "ack", "close"] {
        let refused = site.ask(&["incident", deed, &other_id]).with_status(1).err;
        assert!(refused.contains(&other_id) && refused.contains("apitap incident list"), "{refused}");
    }
    sensor.stop();
}

#[test]
fn suppressions_survive_a_restart_and_a_reload_takes_over_what_changed() {
    let site = Site::new();
    let rules = site.folder.write("rules/suppress.toml", "suppress = []\n");
    let rules_key = format!("[rules]\nfolder = {:?}\n", rules.strip_suffix("/suppress.toml").unwrap());
    site.write_config(&rules_key);
    let sensor = site.start();
    let (ours, stranger) = ("198.51.100.7", "198.51.100.8");
    let added = site.ask(&["suppress", "--client", ours, "--for", "1h", "--reason", "our own scan"]).with_status(0).out;
    assert!(added.starts_with("suppression 1 holds until "), "{added}");
    site.feed(&scans(0, &[ours, stranger], 30));
    until("the stranger is told", || !told_of(&site, stranger).is_empty());
    assert!(told_of(&site, ours).is_empty());
    sensor.stop();

    let sensor = site.start();
    let list = site.ask(&["suppress", "--list"]).with_status(0).out;
    assert!(list.contains(ours) && list.contains("our own scan"), "{list}");
    let another = "198.51.100.9";
    site.feed(&scans(1000, &[ours, another], 30));
    until("another is told", || !told_of(&site, another).is_empty());
    assert!(told_of(&site, ours).is_empty());
    site.ask(&["suppress", "--remove", "1"]).with_status(0);
    let refused = site.ask(&["suppress", "--remove", "1"]).with_status(1).err;
    assert!(refused.contains("--list"), "{refused}");
    site.feed(&scans(2000, &[ours], 30));
    until("ours is told, now that it is not kept quiet", || !told_of(&site, ours).is_empty());

    // What is not valid is refused whole, with its line; what was in force stays so.
    site.folder.write("rules/suppress.toml", "[[suppress]]\ndetector = \"scaner\"\nreason = \"typo\"\n");
    let refused = site.ask(&["reload"]).with_status(1).err;
    assert!(refused.contains("suppress.toml:2") && refused.contains("scanner"), "{refused}");
    let (unknown, known) = ("198.51.100.20", "198.51.100.21");
    let text = format!("[[suppress]]\ndetector = \"scanner\"\nclient = \"{known}\"\nreason = \"known\"\n");
    site.folder.write("rules/suppress.toml", text);
    site.write_config(&format!("{rules_key}[capture]\nsnaplen = 131072\n[site]\nname = \"lab\"\n"));
    for taken in [true, false] {
        let said = site.ask(&["reload"]).with_status(0).out;
        assert_eq!(said.contains("taken over: site.name"), taken, "{said}");
        assert!(said.contains("need a restart: capture.snaplen"), "said as long as it is so: {said}");
    }
    assert_eq!(site.asked(&["status", "--json"])["site"], "lab");
    site.feed(&scans(3000, &[known, unknown], 30));
    until("the unknown one is told", || !told_of(&site, unknown).is_empty());
    assert!(told_of(&site, known).is_empty());
    sensor.stop();
}

/// The inventory as records, without the time at which it was asked for.
fn endpoints(run: Run) -> Vec<Value> {
    let mut records = run.with_status(0).records();
    records.iter_mut().for_each(|record| drop(record.as_object_mut().expect("a record").remove("timestamp")));
    records
}

fn requests_in(endpoints: &[Value]) -> u64 {
    endpoints.iter().filter_map(|record| record["apitap"]["requests"].as_u64()).sum()
}

#[test]
fn inventory_and_state_are_those_of_the_folder() {
    let site = Site::new();
    let sensor = site.start();
    let capture = site.folder.path("traffic.pcap");
    let simulated = |out: &str| {
        let mut simulate = command();
        simulate.args(["simulate", "-o", out, "--duration", "3m", "--rate", "5", "--clients", "20", "--seed", "4"]);
        simulate
    };
    cli::run(&mut simulated(&capture)).with_status(0);
    let wanted = requests_in(&endpoints(apitap(&["inventory", &capture, "--format", "json", "--no-progress"])));
    let pipe = std::fs::OpenOptions::new().write(true).open(site.folder.path("pipe")).unwrap();
    assert!(simulated("-").stdout(Stdio::from(pipe)).status().unwrap().success());
    let through_socket = || endpoints(site.ask(&["inventory", "--format", "json"]));
    until("all requests are judged", || requests_in(&through_socket()) == wanted);

    // The counters come with each second's reading, the inventory with each window.
    until("the status has counted them", || {
        let status = site.asked(&["status", "--json"]);
        status["transactions"].as_u64() >= Some(wanted) && status["frames"].as_u64() > Some(1000)
    });
    let page = site.ask(&["status"]).with_status(0).out;
    for line in ["apitap", "event time", "traffic", "load", "loss", "known", "state", "sink", "dropped", "busiest"] {
        assert!(page.lines().any(|found| found.starts_with(line)), "no {line} in\n{page}");
    }
    let table = site.ask(&["inventory"]).with_status(0).out;
    assert!(table.starts_with("ENDPOINT") && table.lines().count() == 1 + through_socket().len(), "{table}");

    // What is forgotten is gone at once, from the disk too.
    let talks: Vec<Talk> = (0..5).map(|index| Talk::get(f64::from(index), CLIENT, "/v1/known")).collect();
    site.feed(&capture_from(&talks, DEFAULT_START.saturating_add(Duration::from_secs(600))));
    until("those of the client are judged", || requests_in(&through_socket()) == wanted + 5);
    let state = site.folder.path("state");
    let stats = |more: &[&str]| site.asked(&[&["state", "stats", "--json"], more].concat());
    let clients = |statistics: Value| statistics["keys"]["clients"].as_u64().expect("a number");
    let before = clients(stats(&[]));
    let said = site.ask(&["state", "forget", "--client", CLIENT]).with_status(0).out;
    assert!(said.contains("forgotten: 1 by name") && said.contains("deleted"), "{said}");
    assert_eq!(clients(stats(&["--state", &state])), before - 1);
    let is_known = |record: &Value| record["apitap"]["template"] == "/v1/known";
    assert!(through_socket().iter().any(is_known));
    let name = format!("GET {}/v1/known", cli::HOST);
    let said = site.ask(&["state", "forget", "--endpoint", &name]).with_status(0).out;
    assert!(said.contains("forgotten: 1 by name"), "{said}");
    let left = through_socket();
    assert!(!left.iter().any(is_known));

    let export = site.folder.path("backup.apitap");
    let said = site.ask(&["state", "export", &export]).with_status(0).out;
    assert!(said.contains("records"), "{said}");
    let refused = site.ask(&["state", "import", &export]).with_status(1).err;
    assert!(refused.contains("systemctl stop apitap"), "{refused}");
    // Another folder is another matter: it is opened, not asked for.
    let copy = site.folder.path("copy");
    site.ask(&["state", "import", &export, "--state", &copy]).with_status(0);
    assert_eq!(endpoints(site.ask(&["inventory", "--format", "json", "--state", &copy])), left);
    let without_socket =
        apitap(&["state", "stats", "--state", &state, "--socket", &site.folder.path("none")]).with_status(1).err;
    assert!(without_socket.contains("in use") && without_socket.contains("--socket"), "{without_socket}");

    let while_it_ran = stats(&[]);
    sensor.stop();
    assert_eq!(stats(&["--state", &state])["keys"], while_it_ran["keys"]);
    assert_eq!(endpoints(site.ask(&["inventory", "--format", "json", "--state", &state])), left);
}

#[test]
fn incidents_and_suppressions_are_looked_after_while_no_daemon_runs() {
    let site = Site::new();
    let sensor = site.start();
    let (known, other) = ("198.51.100.7", "198.51.100.8");
    site.feed(&scans(0, &[known, other], 30));
    until("both are told of", || !told_of(&site, known).is_empty() && !told_of(&site, other).is_empty());
    let ids_in = |list: &Value| -> Vec<String> {
        let mut ids: Vec<String> =
            list.as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let while_it_ran = ids_in(&site.asked(&["incident", "list", "--json"]));
    sensor.stop();

    let config = site.folder.path("apitap.toml");
    let idle = |arguments: &[&str]| apitap(&[arguments, &["--config", &config]].concat());
    let list = || -> Value { serde_json::from_str(&idle(&["incident", "list", "--json"]).with_status(0).out).unwrap() };
    let open = list();
    assert_eq!(ids_in(&open), while_it_ran, "the folder says what the daemon said");
    let status = idle(&["status"]).with_status(1).out;
    assert!(status.contains("no daemon has") && status.contains("incidents     2 open"), "{status}");
    let status: Value = serde_json::from_str(&idle(&["status", "--json"]).with_status(1).out).unwrap();
    assert!(status["is_running"] == false && status["incidents"] == open, "{status}");

    let id_of = |scanner: &str| {
        let all = open.as_array().expect("a list");
        let of = all.iter().find(|incident| incident["subject"]["value"] == scanner).expect("an incident");
        of["id"].as_str().expect("an id").to_owned()
    };
    let shown = idle(&["incident", "show", &id_of(known)]).with_status(0).out;
    assert!(shown.contains(known), "{shown}");
    idle(&["incident", "ack", &id_of(known)]).with_status(0);
    let said = idle(&["incident", "close", &id_of(other)]).with_status(0).out;
    assert!(said.contains("told when the sensor runs again"), "{said}");
    assert!(list().as_array().is_some_and(|all| all.len() == 1 && all[0]["is_acknowledged"] == true), "{}", list());
    let refused = idle(&["incident", "ack", "0123456789abcdef"]).with_status(1).err;
    assert!(refused.contains("no open incident has the id"), "{refused}");
    let ours = "198.51.100.9";
    idle(&["suppress", "--client", ours, "--for", "1h", "--reason", "our own scan"]).with_status(0);
    assert!(idle(&["suppress", "--list"]).with_status(0).out.contains(ours));
    let refused = idle(&["reload"]).with_status(1).err;
    assert!(refused.contains("is the daemon running"), "{refused}");

    let sensor = site.start();
    let left = site.asked(&["incident", "list", "--json"]);
    assert!(ids_in(&left) == [id_of(known)] && left[0]["is_acknowledged"] == true, "{left}");
    site.feed(&scans(100, &[ours, "198.51.100.10"], 30));
    until("the other scan is told of", || !told_of(&site, "198.51.100.10").is_empty());
    assert!(told_of(&site, ours).is_empty());
    assert_eq!(states_of(&site, other).last().map(String::as_str), Some("closed"));
    sensor.stop();
}

#[test]
fn a_socket_that_is_not_there_is_named_with_the_mend() {
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let none = folder.path("none");
    for arguments in [&["status"][..], &["reload"], &["incident", "list"], &["suppress", "--list"]] {
        let run = cli::run(command().args(arguments).args(["--socket", &socket, "--state", &none]));
        let refused = run.with_status(1).err;
        assert!(refused.contains(&socket) && refused.contains("is the daemon running"), "{refused}");
    }
    // Those of which the folder is what matters name that.
    for arguments in [&["inventory"][..], &["state", "stats"]] {
        let refused =
            cli::run(command().args(arguments).args(["--socket", &socket, "--state", &none])).with_status(1).err;
        assert!(refused.contains("has no state"), "{refused}");
    }
}

/// What the socket answers to these bytes; nothing where it hangs up.
fn answer_to(site: &Site, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(site.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(sensor::PATIENCE)).expect("a timeout");
    let _ = stream.write_all(bytes); // it may hang up in the midst
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply); // so it may here
    reply
}

#[test]
fn what_is_hostile_on_the_socket_harms_nothing() {
    let site = Site::new();
    let sensor = site.start();
    for garbage in [&b"\n"[..], b"{\n", b"\xff\xfe\x00\n", b"null\n", b"{\"request\":\"stop\"}\n", b"[[[[[[[[\n"] {
        let reply = answer_to(&site, garbage);
        assert!(reply.contains("the request is not understood"), "{garbage:?}: {reply}");
    }
    assert!(answer_to(&site, &"[".repeat(60_000).into_bytes()).len() < 4096);
    let reply = answer_to(&site, &vec![b'x'; 1 << 20]);
    assert!(reply.is_empty() || reply.contains("not understood"), "{reply}");
    let hostile = format!("{{\"request\":\"incident\",\"id\":\"{}\"}}\n", "\\u001b[2J".repeat(1000));
    assert!(answer_to(&site, hostile.as_bytes()).contains("no open incident"));

    // Who says nothing is sent away, and so are a hundred of them; others wait for them a little.
    let asked = Instant::now();
    let silent: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(site.socket()).expect("room")).collect();
    site.ask(&["status"]).with_status(0);
    println!("a status behind 100 silent clients came after {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    drop(silent);
    // A hundred that ask at once are all answered.
    let replies: Vec<String> = std::thread::scope(|scope| {
        let ask = || answer_to(&site, b"{\"request\":\"suppressions\"}\n");
        let askers: Vec<_> = (0..100).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().expect("an answer")).collect()
    });
    assert!(replies.iter().all(|reply| reply == "{\"ok\":[]}\n"), "{replies:?}");
    site.feed(&scans(0, &["198.51.100.7"], 30));
    until("it still does its work", || !told_of(&site, "198.51.100.7").is_empty());
    assert!(sensor.stop() < Duration::from_secs(5));
}
