//! Every record of a replay fits `docs/schema/eve.schema.json`, and incidents are told in order: opened, updated, closed.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::{Options, Scenario};
use cli::{Folder, apitap, attack_traffic, simulated};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The records of a replay of traffic with most kinds of attack, lossy, so that halves and marks are among them.
static RECORDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let attacks = [
        Scenario::CredentialStuffing,
        Scenario::Scanner,
        Scenario::ShadowEndpoint,
        Scenario::UnauthenticatedDataExposure,
        Scenario::ObjectEnumeration,
        Scenario::BruteForce,
    ];
    let traffic = simulated(&Options { loss: 0.002, ..attack_traffic(&attacks) });
    let folder = Folder::new();
    let file = folder.write("a.pcap", traffic);
    apitap(&["replay", &file, "--eve", "-", "--events", "alert,http,endpoint,stats"]).with_status(0).records()
});

fn of_type(kind: &str) -> impl Iterator<Item = &'static Value> {
    RECORDS.iter().filter(move |record| record["event_type"] == kind)
}

#[test]
fn every_record_fits_the_schema() {
    let schema = serde_json::from_str(include_str!("../docs/schema/eve.schema.json")).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    for record in RECORDS.iter() {
        let errors: Vec<String> =
            validator.iter_errors(record).map(|error| format!("{}: {error}", error.instance_path)).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{record}");
    }
    for kind in ["alert", "http", "endpoint", "stats"] {
        assert!(of_type(kind).next().is_some(), "no record of type {kind}");
    }
    assert_eq!(of_type("stats").count(), 1);
}

#[test]
fn flows_times_and_severities_are_as_promised() {
    for record in RECORDS.iter() {
        let time = record["timestamp"].as_str().unwrap();
        assert!(time.len() == 31 && time.ends_with("+0000"), "{record}");
        if let Some(community) = record.get("community_id") {
            let community = community.as_str().unwrap();
            assert!(community.starts_with("1:") && community.len() == 30, "{record}");
            assert!(record["flow_id"].as_i64().is_some_and(|flow| flow > 0), "{record}");
        }
    }
    let severities = BTreeMap::from([("critical", 1), ("high", 1), ("medium", 2), ("low", 3)]);
    for alert in of_type("alert") {
        let detail = &alert["apitap"];
        let severity = detail["severity"].as_str().unwrap();
        assert_eq!(alert["alert"]["severity"], severities[severity], "{alert}");
        assert!(detail["first_seen"].as_str() <= detail["last_seen"].as_str(), "{alert}");
        assert!(detail["last_seen"].as_str() <= alert["timestamp"].as_str(), "{alert}");
        let evidence = detail["evidence"].as_array().unwrap();
        assert!((1..=5).contains(&evidence.len()), "{alert}");
        for field in ["src_ip", "src_port", "dest_ip", "dest_port"] {
            assert_eq!(alert[field], evidence[0][field], "the five-tuple is the first evidence's: {alert}");
        }
        assert!(detail["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{alert}");
    }
}

#[test]
fn an_http_record_belongs_to_a_flow_that_keeps_its_ids() {
    let mut communities: BTreeMap<(u64, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut marks = BTreeSet::new();
    for record in of_type("http") {
        let flow = (record["flow_id"].as_u64().unwrap(), record["src_ip"].as_str().unwrap());
        communities.entry(flow).or_default().insert(record["community_id"].as_str().unwrap());
        let of_record = record["apitap"]["marks"].as_array().unwrap();
        marks.extend(of_record.iter().map(|mark| mark.as_str().unwrap()));
        let is_half = |half: &str| of_record.contains(&half.into());
        assert_eq!(record["http"].get("url").is_none(), is_half("response_only"), "{record}");
        assert_eq!(record["http"].get("status").is_none(), is_half("request_only"), "{record}");
    }
    assert!(communities.values().all(|ids| ids.len() == 1));
    assert!(marks.contains("request_only") && marks.contains("response_only"), "{marks:?}");
}

#[test]
fn an_incident_is_opened_once_then_updated_then_closed_once() {
    let mut stories: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for alert in of_type("alert") {
        stories.entry(alert["apitap"]["incident"].as_str().unwrap()).or_default().push(alert);
    }
    let mut detectors = BTreeSet::new();
    for (incident, records) in &stories {
        let states: Vec<&str> = records.iter().map(|record| record["apitap"]["state"].as_str().unwrap()).collect();
        let [first, between @ .., last] = &states[..] else { panic!("{incident}: {states:?}") };
        assert!(*first == "opened" && *last == "closed", "{incident}: {states:?}");
        assert!(between.iter().all(|state| *state == "updated"), "{incident}: {states:?}");
        let mut voices = BTreeSet::new();
        for record in records {
            let alert = &record["apitap"];
            voices.insert(alert["detector"].as_str().unwrap());
            let reasons = &alert["reasons"];
            assert!(reasons["floors"].is_array() || reasons["facts"].is_array(), "nothing to explain it by: {alert}");
            let timeline: BTreeSet<&str> = match alert["timeline"].as_array() {
                Some(entries) => entries.iter().map(|entry| entry["detector"].as_str().unwrap()).collect(),
                None => [alert["detector"].as_str().unwrap()].into(),
            };
            assert!(timeline.is_superset(&voices), "{incident}: {voices:?} spoke, and the timeline has {timeline:?}");
        }
        let sequences: Vec<u64> = records.iter().map(|record| record["apitap"]["sequence"].as_u64().unwrap()).collect();
        assert!(sequences.iter().copied().eq(1..=records.len() as u64), "{incident}: {sequences:?}");
        let of_time: Vec<&str> = records.iter().map(|record| record["timestamp"].as_str().unwrap()).collect();
        assert!(of_time.is_sorted(), "{incident}: {of_time:?}");
        detectors.extend(voices);
    }
    for detector in ["credential_stuffing", "scanner", "unauthenticated_data_exposure", "object_enumeration"] {
        assert!(detectors.contains(detector), "{detectors:?}");
    }
}
