use super::lines::Lines;
use super::*;
use crate::alert::record::{AlertRecord, Severity, SubjectKind, TimelineEntry, samples};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::Duration;

/// 10:02:00 to 10:05:00 around the sample alert (10:02:10 to 10:04:09, alerted 10:04:10).
pub const STUFFING: &str = r#"{"attack":"credential_stuffing","level":"easy","start":"2025-11-23T10:02:00.000000+0000","end":"2025-11-23T10:05:00.000000+0000","clients":["203.0.113.7"],"endpoints":["POST api.shop.example/v1/login"],"detectors":["credential_stuffing"],"may":["client_error_spike"],"transactions":600}"#;
const DEPLOY: &str = r#"{"benign":"deploy","start":"2025-11-23T12:00:00.000000+0000","end":"2025-11-23T12:30:00.000000+0000","endpoints":["GET api.shop.example/v2/users/{user_id}"],"may":["shadow_endpoint"],"max_severity":"medium","transactions":9}"#;
const SUMMARY: &str =
    r#"{"summary":{"transactions":100,"first":"2025-11-23T00:00:00+0000","last":"2025-11-24T00:00:00+0000"}}"#;

pub fn truth(lines: &[&str]) -> Truth {
    Truth::parse(Lines::new("truth".to_owned(), Cursor::new(lines.join("\n")))).unwrap()
}

pub fn alert(change: impl FnOnce(&mut AlertRecord)) -> AlertRecord {
    let mut record = samples::alert();
    change(&mut record);
    record
}

fn of_deploy(severity: Severity) -> AlertRecord {
    let time = Timestamp::parse("2025-11-23T12:10:00Z").unwrap();
    alert(|record| {
        (record.timestamp, record.apitap.first_seen, record.apitap.last_seen) = (time, time, time);
        record.apitap.incident = "deploy".to_owned();
        record.apitap.detector = "shadow_endpoint".to_owned();
        record.apitap.severity = severity;
        record.apitap.endpoint = Some("GET api.shop.example /v2/users/{id}".to_owned());
    })
}

pub fn run_of(truth: &Truth, alerts: &[AlertRecord]) -> Run {
    let (mut log, mut traffic) = (AlertLog::default(), Traffic::default());
    alerts.iter().for_each(|record| log.take(record));
    truth.tell_span(&mut traffic);
    Run::of(vec!["truth".to_owned()], truth, &log, &traffic)
}

fn evaluated(lines: &[&str], alerts: &[AlertRecord]) -> Evaluation {
    Evaluation::of(run_of(&truth(lines), alerts))
}

/// Attacks missed and false incidents.
fn missed_and_false(lines: &[&str], alerts: &[AlertRecord]) -> (u64, u64) {
    let evaluation = evaluated(lines, alerts);
    (evaluation.missed(), evaluation.false_count(Severity::Low))
}

fn detector(evaluation: &Evaluation, name: &str) -> DetectorMeasure {
    evaluation.detectors().into_iter().find(|measure| measure.detector == name).unwrap()
}

#[test]
fn an_attack_is_found_by_its_detector_and_the_delay_is_told() {
    let evaluation = evaluated(&[STUFFING, SUMMARY], &[samples::alert()]);
    assert_eq!((evaluation.missed(), evaluation.incidents(), evaluation.event_days()), (0, 1, 1.0));
    let attack = &evaluation.runs[0].attacks[0];
    let (detector, delay) = attack.first().unwrap();
    assert_eq!((detector, attack.severity), ("credential_stuffing", Some(Severity::High)));
    assert!((delay.seconds - 130.123).abs() < 0.001 && delay.windows == 14, "{attack:?}");
}

#[test]
fn a_detector_that_may_speak_does_not_find_and_is_not_false() {
    let spike = alert(|r| r.apitap.detector = "client_error_spike".to_owned());
    let evaluation = evaluated(&[STUFFING], &[spike]);
    assert_eq!((evaluation.missed(), evaluation.false_count(Severity::Low)), (1, 0));
    assert_eq!(evaluation.runs[0].attacks[0].also, BTreeSet::from(["client_error_spike".to_owned()]));
    assert_eq!(detector(&evaluation, "credential_stuffing").recall, Share::new(0, 1));
    assert_eq!(detector(&evaluation, "client_error_spike").precision, Share::new(1, 1));
}

#[test]
fn another_detector_another_time_or_another_place_is_false() {
    let later = Timestamp::parse("2025-11-23T11:00:00Z").unwrap();
    let wrong = [
        alert(|r| r.apitap.detector = "scanner".to_owned()),
        alert(|r| (r.apitap.first_seen, r.apitap.last_seen) = (later, later)),
        alert(|r| {
            r.apitap.endpoint = Some("POST pay.shop.example/v1/login".to_owned());
            (r.apitap.client, r.apitap.clients) = ("192.0.2.1".parse().ok(), None);
        }),
    ];
    for record in wrong {
        assert_eq!(missed_and_false(&[STUFFING], std::slice::from_ref(&record)), (1, 1), "{record:?}");
    }
}

#[test]
fn records_of_one_incident_count_once_and_at_their_worst() {
    let mut updated = alert(|r| (r.apitap.severity, r.apitap.sequence) = (Severity::Critical, 2));
    updated.timestamp = updated.timestamp.saturating_add(Duration::from_secs(600));
    for alerts in [[samples::alert(), updated.clone()], [updated, samples::alert()]] {
        let evaluation = evaluated(&[STUFFING], &alerts);
        assert_eq!(evaluation.incidents(), 1);
        let attack = &evaluation.runs[0].attacks[0];
        assert_eq!(attack.severity, Some(Severity::Critical));
        assert!(attack.first().unwrap().1.seconds < 200.0);
    }
}

#[test]
fn an_incident_of_several_detectors_counts_for_each_at_its_own_severity() {
    let said = |detector: &str, severity| TimelineEntry {
        detector: detector.to_owned(),
        severity,
        first_seen: samples::alert().apitap.first_seen,
        last_seen: samples::alert().apitap.last_seen,
        count: 1,
        observed: String::new(),
    };
    let timeline = vec![said("credential_stuffing", Severity::Critical), said("scanner", Severity::Low)];
    let voice = |detector: &str| {
        alert(|r| {
            (r.apitap.severity, r.apitap.timeline) = (Severity::Critical, timeline.clone());
            r.apitap.detector = detector.to_owned();
        })
    };
    let evaluation = evaluated(&[STUFFING], &[voice("credential_stuffing"), voice("scanner")]);
    assert_eq!((evaluation.incidents(), evaluation.missed()), (2, 0));
    assert_eq!((evaluation.false_count(Severity::Low), evaluation.false_count(Severity::Medium)), (1, 0));
}

#[test]
fn a_benign_change_may_be_spoken_of_up_to_its_severity() {
    let allowed = evaluated(&[DEPLOY], &[of_deploy(Severity::Medium)]);
    assert_eq!(allowed.false_count(Severity::Low), 0);
    assert_eq!(allowed.runs[0].benign[0].spoken_of_by, BTreeSet::from(["shadow_endpoint".to_owned()]));
    let measure = detector(&allowed, "shadow_endpoint");
    assert_eq!((measure.lawful, measure.precision), (1, Share::new(0, 0)), "neither right nor wrong");
    assert_eq!(missed_and_false(&[DEPLOY], &[of_deploy(Severity::High)]), (0, 1));
    let nothing_known = evaluated(&[SUMMARY], &[of_deploy(Severity::Medium)]);
    assert_eq!((nothing_known.false_count(Severity::Low), nothing_known.false_count(Severity::High)), (1, 0));
    assert_eq!(detector(&nothing_known, "shadow_endpoint").false_a_day, Some(1.0));
}

#[test]
fn an_incident_of_a_host_or_a_network_fits_its_endpoints_and_clients() {
    let host = alert(|r| {
        r.apitap.subject.kind = SubjectKind::Host;
        r.apitap.subject.value = "api.shop.example".to_owned();
        (r.apitap.endpoint, r.apitap.client, r.apitap.clients) = (None, None, None);
    });
    let network = alert(|r| {
        (r.apitap.endpoint, r.apitap.client, r.apitap.clients) = (None, None, None);
        r.apitap.network = Some("203.0.113.0/24".to_owned());
    });
    for record in [host, network] {
        assert_eq!(missed_and_false(&[STUFFING], std::slice::from_ref(&record)), (0, 0), "{record:?}");
    }
}

#[test]
fn a_truth_may_name_endpoints_by_a_pattern_and_clients_by_their_network() {
    let endpoints =
        STUFFING.replace("POST api.shop.example/v1/login", "* *.shop.example/*").replace("203.0.113.7", "192.0.2.1");
    assert_eq!(missed_and_false(&[&endpoints], &[samples::alert()]), (0, 0));
    assert_eq!(missed_and_false(&[&endpoints.replace("shop", "pay")], &[samples::alert()]), (1, 1));
    let clients = STUFFING.replace("203.0.113.7", "203.0.0.0/16").replace("/v1/login", "/v1/other");
    assert_eq!(missed_and_false(&[&clients], &[samples::alert()]), (0, 0));
    assert_eq!(missed_and_false(&[&clients.replace("203.", "204.")], &[samples::alert()]), (1, 1));
}

#[test]
fn where_no_detector_is_named_whoever_speaks_has_found_it() {
    let anyone = STUFFING.replace(r#""detectors":["credential_stuffing"],"#, "");
    let scanner = alert(|r| r.apitap.detector = "scanner".to_owned());
    let evaluation = evaluated(&[&anyone], &[scanner]);
    assert_eq!((evaluation.missed(), evaluation.false_count(Severity::Low)), (0, 0));
    let measure = detector(&evaluation, "scanner");
    assert_eq!((measure.precision, measure.recall), (Share::new(1, 1), Share::new(0, 0)), "nobody asked it to");
}

#[test]
fn stated_odds_are_held_against_what_happened() {
    let stated = |id: &str, odds: f64, client: &str| {
        alert(|r| {
            r.apitap.incident = id.to_owned();
            r.apitap.probability = Some(odds);
            (r.apitap.client, r.apitap.clients, r.apitap.endpoint) = (client.parse().ok(), None, None);
        })
    };
    let (attacker, innocent) = ("203.0.113.7", "192.0.2.1");
    let alerts = [stated("a", 2e-5, attacker), stated("b", 9e-5, innocent), stated("c", 1e-300, attacker)];
    let odds: Vec<(u32, Share)> =
        evaluated(&[STUFFING], &alerts).odds().iter().map(|measure| (measure.decade, measure.chance)).collect();
    assert_eq!(odds, [(5, Share::new(1, 2)), (12, Share::new(0, 1))]);
}

#[test]
fn runs_are_pooled_through_their_json() {
    let found = evaluated(&[STUFFING], &[samples::alert()]);
    let missed = evaluated(&[STUFFING], &[of_deploy(Severity::High)]);
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, evaluation) in [("found", &found), ("missed", &missed)] {
        let mut json = Vec::new();
        evaluation.write_json(&mut json).unwrap();
        paths.push(folder.path().join(name));
        std::fs::write(paths.last().unwrap(), json).unwrap();
    }
    let pooled = Evaluation::read(&paths).unwrap();
    assert_eq!(pooled.runs, [found.runs, missed.runs].concat());
    let [attack] = &pooled.attacks()[..] else { panic!("{:?}", pooled.attacks()) };
    assert_eq!((attack.found, attack.false_incidents), (Share::new(1, 2), 1));
    assert_eq!(attack.missed_in, ["truth"]);
    assert_eq!(attack.delay.windows, Some(Spread { median: 14.0, worst: 14.0 }));
    std::fs::write(&paths[0], "{\"runs\":[{}]}\n").unwrap();
    let error = Evaluation::read(&paths).unwrap_err().to_string();
    assert!(error.contains("found:1:") && error.contains("missing field"), "{error}");
}

#[test]
fn the_report_names_what_was_missed_and_what_was_false() {
    let mut out = Vec::new();
    let evaluation = evaluated(&[STUFFING], &[of_deploy(Severity::High)]);
    let bounds = Bounds { max_false: Some(0), false_from: Severity::Low };
    assert!(!bounds.are_kept_by(&evaluation));
    evaluation.write_tables(&mut out, bounds).unwrap();
    let text = String::from_utf8(out).unwrap();
    for fact in [
        "MISSED  credential_stuffing",
        "0 of 1, 0.0 % (0.0-79.3)",
        "attacks found: 0 of 1",
        "incidents: 1, false: 1 (0 critical, 1 high, 0 medium, 0 low)",
        "FAILED: false incidents: 1, allowed: 0",
        "FAILED: attacks missed: 1",
    ] {
        assert!(text.contains(fact), "{fact} is missing in\n{text}");
    }
}

#[test]
fn no_bound_is_exceeded_by_what_is_not_severe_enough() {
    let evaluation = evaluated(&[STUFFING], &[samples::alert(), of_deploy(Severity::Medium)]);
    assert!(Bounds { max_false: None, false_from: Severity::Low }.are_kept_by(&evaluation));
    assert!(Bounds { max_false: Some(0), false_from: Severity::High }.are_kept_by(&evaluation));
    assert!(!Bounds { max_false: Some(0), false_from: Severity::Medium }.are_kept_by(&evaluation));
}

#[test]
fn hostile_text_is_harmless_and_short_wherever_it_comes_out() {
    let bomb = format!("=cmd|\x1b[2J<script>\u{202e}{}", "y".repeat(1 << 20));
    let hostile = alert(|r| {
        r.apitap.incident = bomb.clone();
        r.apitap.detector = bomb.clone();
        r.apitap.observed = bomb.clone();
    });
    let mut named = truth(&[STUFFING, DEPLOY]);
    named.attacks[0].name = bomb.chars().take(100).collect();
    let mut run = run_of(&named, &[hostile, samples::alert()]);
    run.truth = vec![bomb.clone()]; // as a result to be merged may have it
    for runs in [vec![run.clone()], vec![run.clone(), run]] {
        let evaluation = Evaluation { runs };
        let (mut table, mut json) = (Vec::new(), Vec::new());
        evaluation.write_tables(&mut table, Bounds { max_false: None, false_from: Severity::Low }).unwrap();
        evaluation.write_json(&mut json).unwrap();
        let (table, json, svg) =
            (String::from_utf8(table).unwrap(), String::from_utf8(json).unwrap(), evaluation.plot());
        for (what, text) in [("table", &table), ("json", &json), ("svg", &svg)] {
            let lines = text.replace('\n', " ");
            assert!(!lines.chars().any(crate::alert::escape::is_unsafe), "{what}");
        }
        assert!(table.len() < 8000 && svg.len() < 8000, "{} {}", table.len(), svg.len());
        assert!(table.contains("'=cmd") && !table.contains(" =cmd") && !svg.contains("cmd"), "{table}");
    }
}

#[test]
fn a_log_that_is_none_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    for (bytes, part) in [
        (&b"{\"event_type\":\"alert\"}\n"[..], "alerts:1:22: missing field `timestamp`"),
        (b"\n\xff\xff\n", "alerts:2:1: expected text in UTF-8"),
        (b"timestamp,label\n", "alerts:1:2: expected"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = AlertLog::default().read(&path, &mut Traffic::default()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let missing = AlertLog::default().read(&folder.path().join("x"), &mut Traffic::default()).unwrap_err().to_string();
    assert!(missing.contains("cannot read") && missing.contains("--eve FILE"), "{missing}");
}

#[test]
fn the_picture_is_whole_and_says_its_counts() {
    let one = alert(|r| r.apitap.probability = Some(1e-4));
    let svg = evaluated(&[STUFFING], &[one]).plot();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("odds 1e-4 to 1e-3: 0 of 1 incidents false"));
    assert_eq!(svg.matches("<circle").count(), 1);
    assert!(evaluated(&[STUFFING], &[]).plot().contains("no incident stated odds"));
}
