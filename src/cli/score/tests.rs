use super::*;
use crate::alert::record::samples;

/// 10:02:00 to 10:05:00 around the sample alert (10:02:10 to 10:04:09, alerted 10:04:10).
const STUFFING: &str = r#"{"attack":"credential_stuffing","level":"easy","start":"2025-11-23T10:02:00.000000+0000","end":"2025-11-23T10:05:00.000000+0000","clients":["203.0.113.7"],"endpoints":["POST api.shop.example/v1/login"],"detectors":["credential_stuffing"],"may":["client_error_spike"],"transactions":600}"#;
const DEPLOY: &str = r#"{"benign":"deploy","start":"2025-11-23T12:00:00.000000+0000","end":"2025-11-23T12:30:00.000000+0000","endpoints":["GET api.shop.example/v2/users/{user_id}"],"may":["shadow_endpoint"],"max_severity":"medium","transactions":9}"#;
const SUMMARY: &str = r#"{"summary":{"transactions":100}}"#;

fn truth(lines: &[&str]) -> Truth {
    Truth::parse(lines.join("\n").as_bytes()).unwrap()
}

fn alert(change: impl FnOnce(&mut AlertRecord)) -> AlertRecord {
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

fn score(lines: &[&str], alerts: &[AlertRecord]) -> Score {
    Score::of(&truth(lines), alerts, Severity::Low)
}

#[test]
fn an_attack_is_found_by_its_detector_and_the_delay_is_told() {
    let score = score(&[STUFFING, SUMMARY], &[samples::alert()]);
    assert_eq!((score.missed(), score.incidents, score.false_incidents.len()), (0, 1, 0));
    let attack = &score.attacks[0];
    assert_eq!((attack.detector.as_deref(), attack.severity), (Some("credential_stuffing"), Some(Severity::High)));
    assert!((attack.delay_seconds.unwrap() - 130.123).abs() < 0.001, "{attack:?}");
}

#[test]
fn a_detector_that_may_speak_does_not_find_and_is_not_false() {
    let score = score(&[STUFFING], &[alert(|r| r.apitap.detector = "client_error_spike".to_owned())]);
    assert_eq!((score.missed(), score.false_incidents.len()), (1, 0));
    assert_eq!(score.attacks[0].also, BTreeSet::from(["client_error_spike".to_owned()]));
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
        let score = score(&[STUFFING], std::slice::from_ref(&record));
        assert_eq!((score.missed(), score.false_incidents.len()), (1, 1), "{record:?}");
    }
}

#[test]
fn records_of_one_incident_count_once_and_at_their_worst() {
    let mut updated = alert(|r| r.apitap.severity = Severity::Critical);
    updated.timestamp = updated.timestamp.saturating_add(Duration::from_secs(600));
    let score = score(&[STUFFING], &[samples::alert(), updated]);
    assert_eq!(score.incidents, 1);
    assert_eq!(score.attacks[0].severity, Some(Severity::Critical));
    assert!(score.attacks[0].delay_seconds.unwrap() < 200.0);
}

#[test]
fn a_benign_change_may_be_spoken_of_up_to_its_severity() {
    let allowed = score(&[DEPLOY], &[of_deploy(Severity::Medium)]);
    assert!(allowed.false_incidents.is_empty());
    assert_eq!(allowed.benign[0].spoken_of_by, BTreeSet::from(["shadow_endpoint".to_owned()]));
    assert_eq!(score(&[DEPLOY], &[of_deploy(Severity::High)]).false_incidents.len(), 1);
    assert_eq!(score(&[], &[of_deploy(Severity::Medium)]).false_incidents.len(), 1);
    let only_high = Score::of(&truth(&[]), &[of_deploy(Severity::Medium)], Severity::High);
    assert!(only_high.false_incidents.is_empty());
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
        assert_eq!(score(&[STUFFING], std::slice::from_ref(&record)).missed(), 0, "{record:?}");
    }
}

#[test]
fn a_truth_may_name_endpoints_by_a_pattern() {
    let all = STUFFING
        .replace("POST api.shop.example/v1/login", "POST api.shop.example/*")
        .replace("203.0.113.7", "192.0.2.1");
    assert_eq!(score(&[&all], &[samples::alert()]).missed(), 0);
    assert_eq!(score(&[&all.replace("shop", "pay")], &[samples::alert()]).missed(), 1);
}

#[test]
fn names_of_parameters_do_not_matter_in_an_endpoint() {
    assert_eq!(endpoint_shape("GET h /users/{id}/x/{order}"), "GET h/users/{}/x/{}");
    assert_eq!(host_of("GET h/users/{}"), "h");
}

#[test]
fn a_broken_truth_file_is_refused_with_its_line() {
    let error = Truth::parse([STUFFING, "{"].join("\n").as_bytes()).unwrap_err();
    assert!(format!("{error:#}").starts_with("line 2"), "{error:#}");
    let error = Truth::parse(r#"{"attack":"x"}"#.as_bytes()).unwrap_err();
    assert!(format!("{error:#}").contains("missing field"), "{error:#}");
}

#[test]
fn the_report_names_what_was_missed_and_what_was_false() {
    let mut out = Vec::new();
    report::write(&mut out, &score(&[STUFFING], &[of_deploy(Severity::High)]), Some(0)).unwrap();
    let text = String::from_utf8(out).unwrap();
    for fact in
        ["MISSED   credential_stuffing", "attacks found: 0 of 1; incidents: 1, false: 1", "FAILED: attacks missed: 1"]
    {
        assert!(text.contains(fact), "{fact} is missing in\n{text}");
    }
}
