//! `apitap evaluate`: recall, precision and delays of the built binary, against a truth in every format.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::{Level, Options, Scenario, generate, scenarios};
use cli::{Folder, Run, apitap, attack_traffic, command, run};
use serde_json::Value;
use std::fs::File;
use std::sync::LazyLock;
use std::time::Duration;

/// A capture with two attacks, and its truth.
static TRAFFIC: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let options: Options = attack_traffic(&[Scenario::CredentialStuffing, Scenario::Scanner]);
    generate(&options, &mut capture, &mut truth).expect("memory takes it");
    (capture, truth)
});

fn written(folder: &Folder) -> (String, String) {
    (folder.write("t.pcap", &TRAFFIC.0), folder.write("t.truth.jsonl", &TRAFFIC.1))
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
}

#[test]
fn captures_are_replayed_and_scored() {
    let folder = Folder::new();
    let (capture, truth) = written(&folder);
    let table = apitap(&["evaluate", &capture, "--truth", &truth, "--max-false", "0"]).with_status(0).out;
    for fact in
        ["found  credential_stuffing", "found  scanner", "1 of 1, 100.0 % (20.7-100.0)", "attacks found: 2 of 2"]
    {
        assert!(table.contains(fact), "{fact}:\n{table}");
    }
    let result = json(&apitap(&["evaluate", &capture, "--truth", &truth, "--json", "--threads", "1"]).with_status(0));
    assert_eq!(result["found"]["count"], 2);
    let run = &result["runs"][0];
    assert!(run["transactions"].as_u64().unwrap() > 3000 && run["event_seconds"].as_f64().unwrap() > 1700.0, "{run}");
    for attack in run["attacks"].as_array().unwrap() {
        let delay = &attack["found_by"][attack["attack"].as_str().unwrap()];
        let seconds = delay["seconds"].as_f64().unwrap();
        assert!(seconds > 0.0 && delay["windows"].as_f64().unwrap() <= seconds / 10.0 + 2.0, "{delay}");
        assert!(delay["transactions"].as_u64().unwrap() > 0, "{delay}");
    }
}

#[test]
fn an_alert_log_and_a_pipe_give_the_same_as_the_capture() {
    let folder = Folder::new();
    let (capture, truth) = written(&folder);
    let eve = folder.path("eve.json");
    apitap(&["replay", &capture, "--eve", &eve, "--events", "alert,http"]).with_status(0);
    let of_capture = json(&apitap(&["evaluate", &capture, "--truth", &truth, "--json"]).with_status(0));
    let of_log = json(&apitap(&["evaluate", "--alerts", &eve, "--truth", &truth, "--json"]).with_status(0));
    let piped = run(command()
        .args(["evaluate", "-", "--truth", &truth, "--json"])
        .stdin(File::open(&capture).expect("the capture is there")))
    .with_status(0);
    assert_eq!(json(&piped), of_capture);
    for part in ["found", "incidents", "false_incidents", "odds"] {
        assert_eq!(of_log[part], of_capture[part], "{part}");
    }
    for (one, other) in [&of_log, &of_capture].map(|result| result["runs"][0]["attacks"].as_array().unwrap())[0]
        .iter()
        .zip(of_capture["runs"][0]["attacks"].as_array().unwrap())
    {
        let of = |attack: &Value| attack["found_by"][attack["attack"].as_str().unwrap()].clone();
        assert_eq!(
            (of(one)["seconds"].clone(), of(one)["windows"].clone()),
            (of(other)["seconds"].clone(), of(other)["windows"].clone())
        );
        let counts = [of(one), of(other)].map(|delay| delay["transactions"].as_f64().unwrap());
        assert!((counts[0] - counts[1]).abs() <= 60.0, "a window's more or less: {counts:?}");
    }
}

#[test]
fn what_is_missed_or_false_fails() {
    let folder = Folder::new();
    let (capture, truth) = written(&folder);
    let nothing = folder.write("nothing.csv", "attack,start,end\n");
    let all = json(&apitap(&["evaluate", &capture, "--truth", &nothing, "--json"]).with_status(0));
    let false_of = |severity: &str| all["false_incidents"][severity].as_u64().expect("a number");
    let (from_medium, low) = (["medium", "high", "critical"].map(false_of).iter().sum::<u64>(), false_of("low"));
    assert!(from_medium > 0 && low > 0, "{all}");
    let allowing = |most: u64, from: &str| {
        apitap(&["evaluate", &capture, "--truth", &nothing, "--max-false", &most.to_string(), "--false-from", from])
    };
    let sum = from_medium + low;
    let run = allowing(sum - 1, "low").with_status(1);
    assert!(run.out.contains(&format!("FAILED: false incidents: {sum}, allowed: {}", sum - 1)), "{}", run.out);
    allowing(sum, "low").with_status(0);
    allowing(from_medium, "medium").with_status(0);
    allowing(from_medium - 1, "medium").with_status(1);
    let unseen =
        folder.write("unseen.jsonl", String::from_utf8_lossy(&TRAFFIC.1).replace("[\"scanner\"]", "[\"brute_force\"]"));
    let run = apitap(&["evaluate", &capture, "--truth", &unseen]).with_status(1);
    assert!(run.out.contains("FAILED: attacks missed: 1"), "{}", run.out);
    let broken = folder.write("broken.csv", "attack,start,end\nx,2025-11-24T09:00:00Z,later\n");
    let run = apitap(&["evaluate", &capture, "--truth", &truth, "--truth", &broken]).with_status(1);
    assert!(run.out.is_empty() && run.err.contains("broken.csv:2:24: column `end`: `later` is no time"), "{}", run.err);
    let cut = folder.write("cut.pcap", &TRAFFIC.0[..TRAFFIC.0.len() / 2]);
    let run = apitap(&["evaluate", &cut, "--truth", &truth]).with_status(1);
    assert!(run.out.is_empty() && run.err.contains("nothing was scored"), "{}", run.err);
}

#[test]
fn runs_are_pooled_and_drawn() {
    let folder = Folder::new();
    let (capture, truth) = written(&folder);
    let one = folder.write("1.json", apitap(&["evaluate", &capture, "--truth", &truth, "--json"]).with_status(0).out);
    let svg = folder.path("c.svg");
    let merged = apitap(&["evaluate", "--merge", &one, &one, &one, "--svg", &svg]).with_status(0).out;
    assert!(merged.contains("3 of 3, 100.0 % (43.9-100.0)") && merged.contains("3 runs, "), "{merged}");
    assert!(folder.read("c.svg").starts_with("<svg xmlns"));
    apitap(&["evaluate", "--merge", &one, "--svg", &folder.path("no/such/c.svg")]).with_status(1);
}

#[test]
fn a_state_is_judged_with_and_left_as_it_is() {
    let folder = Folder::new();
    let (capture, truth) = written(&folder);
    let state = folder.path("state");
    apitap(&["evaluate", &capture, "--truth", &truth, "--state", &state]).with_status(1);
    let clean = folder.write("clean.pcap", cli::simulated(&attack_traffic(&[])));
    apitap(&["replay", &clean, "--state", &state]).with_status(0);
    let stats = || {
        let told = apitap(&["state", "stats", "--state", &state, "--json"]).with_status(0).out;
        let mut stats: serde_json::Value = serde_json::from_str(&told).unwrap();
        // The lock among it names the last process: a digit more, a byte more.
        stats.as_object_mut().unwrap().remove("total_bytes").unwrap();
        stats
    };
    let before = stats();
    apitap(&["evaluate", &capture, "--truth", &truth, "--state", &state]).with_status(0);
    assert_eq!(stats(), before);
}

/// What docs/EVALUATION.md shows is what happens.
#[test]
fn the_manuals_examples_hold() {
    let manual =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/EVALUATION.md")).expect("the manual");
    let examples: Vec<&str> =
        manual.split("```csv\n").skip(1).map(|rest| rest.split("```").next().expect("its end")).collect();
    let [stretches, transactions] = examples[..] else { panic!("{examples:?}") };
    let made = manual.lines().find_map(|line| line.split_once("the truth of `apitap ")).expect("the command").1;
    let made = made.split('`').next().expect("its end");
    let folder = Folder::new();
    let capture = folder.path("day.pcap");
    let arguments: Vec<&str> = made.split(' ').map(|word| if word == "day.pcap" { &*capture } else { word }).collect();
    apitap(&arguments).with_status(0);
    let day = folder.write("day.csv", stretches);
    let run = apitap(&["evaluate", &capture, "--truth", &day, "--max-false", "0"]).with_status(0);
    assert!(run.out.contains("found  word list") && run.out.contains("release: a lawful change"), "{}", run.out);
    let labels = folder.write("labels.csv", transactions);
    let run = apitap(&["evaluate", &capture, "--truth", &labels]).with_status(0);
    assert!(run.out.contains("found  scan ") && run.out.contains("attacks found: 1 of 1"), "{}", run.out);
    let wrong =
        folder.write("truth.csv", format!("{}x,,yesterday,,,,,,\n", &stretches[..stretches.find('\n').unwrap() + 1]));
    let run = apitap(&["evaluate", &capture, "--truth", &wrong]).with_status(1);
    let message = run.err.split_once("truth.csv:").expect("its place").1.split_once(": ").expect("what it is").1;
    assert!(manual.contains(message.trim()), "{message}");
}

/// Windows after which an attack at its easiest is told: two, where its page does not say otherwise.
const SLOWER: [(&str, f64); 9] = [
    // Three objects, or thirty uses, take their time to be asked for.
    ("cross_account_access", 4.0),
    ("business_flow_abuse", 6.0),
    ("client_error_spike", 30.0),
    ("server_error_spike", 30.0),
    ("latency_anomaly", 30.0),
    ("traffic_drop", 12.0),
    ("response_drift", 12.0),
    ("password_reset_abuse", 6.0),
    ("registration_abuse", 6.0),
];

#[test]
fn all_attacks_at_once_over_an_ordinary_day_are_each_told_in_time() {
    let folder = Folder::new();
    // The one that is left out needs a month before it. Two that change the answers to the same calls would exclude each other:
    // by their names they do not.
    let mut all: Vec<_> = scenarios().iter().filter(|info| info.past(Level::Easy).is_none()).collect();
    all.sort_by_key(|info| info.name);
    let options = Options {
        scenarios: all.iter().map(|info| (info.scenario, Level::Easy)).collect(),
        duration: Duration::from_secs(80 * 60),
        quiet_first: Duration::from_secs(20 * 60),
        rate: 15.0,
        seed: 8,
        ..Options::default()
    };
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    generate(&options, &mut capture, &mut truth).expect("memory takes it");
    let (capture, truth) = (folder.write("all.pcap", &capture), folder.write("all.truth.jsonl", &truth));
    let result = json(&apitap(&["evaluate", &capture, "--truth", &truth, "--json"]).with_status(0));
    let attacks = result["runs"][0]["attacks"].as_array().unwrap();
    assert_eq!(attacks.len(), options.scenarios.len());
    for attack in attacks {
        let name = attack["attack"].as_str().unwrap();
        let windows = attack["found_by"][name]["windows"].as_f64().unwrap_or(f64::INFINITY);
        let most = SLOWER.iter().find(|(slower, _)| *slower == name).map_or(2.0, |(_, most)| *most);
        assert!(windows <= most, "{attack}");
    }
    let false_ones = &result["runs"][0]["false_incidents"];
    assert_eq!(false_ones.as_array().map(Vec::len), Some(0), "{false_ones}");
}
