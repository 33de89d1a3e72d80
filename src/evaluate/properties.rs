//! What must hold whatever the incidents are.

use super::tests::{STUFFING, alert, run_of, truth};
use super::*;
use crate::alert::record::{AlertRecord, Severity};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

const DETECTORS: [&str; 3] = ["credential_stuffing", "client_error_spike", "scanner"];

/// An alert around the attack of `STUFFING`, or far from it; of the attacker, or of somebody else.
fn any_alert() -> impl Strategy<Value = AlertRecord> {
    let odds = prop_oneof![Just(None), (0i32..15).prop_map(|exponent| Some(10f64.powi(-exponent)))];
    (0usize..3, 0u64..600, any::<bool>(), 0usize..4, 0u8..12, odds).prop_map(
        |(detector, later, is_attacker, severity, incident, odds)| {
            alert(|record| {
                let time = Timestamp::parse("2025-11-23T10:00:00Z").unwrap().saturating_add(Duration::from_secs(later));
                record.timestamp = time;
                (record.apitap.first_seen, record.apitap.last_seen) = (time, time);
                record.apitap.sequence = later;
                record.apitap.detector = DETECTORS[detector].to_owned();
                // An incident has one detector.
                record.apitap.incident = format!("{detector}-{incident}");
                record.apitap.severity = Severity::ALL[severity];
                record.apitap.probability = odds;
                record.apitap.observed = format!("{later} {severity} {odds:?}");
                (record.apitap.endpoint, record.apitap.clients) = (None, None);
                record.apitap.client = if is_attacker { "203.0.113.7" } else { "192.0.2.1" }.parse().ok();
            })
        },
    )
}

fn shuffled<T: Clone + std::fmt::Debug>(items: Vec<T>) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    (Just(items.clone()), Just(items).prop_shuffle())
}

fn distinct(mut alerts: Vec<AlertRecord>) -> Vec<AlertRecord> {
    // A sequence of an incident comes once.
    alerts.sort_by_key(|record| (record.apitap.incident.clone(), record.apitap.sequence));
    alerts.dedup_by_key(|record| (record.apitap.incident.clone(), record.apitap.sequence));
    alerts
}

fn many_alerts() -> impl Strategy<Value = Vec<AlertRecord>> {
    proptest::collection::vec(any_alert(), 0..40).prop_map(distinct)
}

proptest! {
    #[test]
    fn a_false_incident_more_never_raises_precision(alerts in many_alerts(), which in 0usize..3) {
        let truth = truth(&[STUFFING]);
        let before = Evaluation::of(run_of(&truth, &alerts));
        let later = Timestamp::parse("2025-11-25T00:00:00Z").unwrap();
        let false_one = alert(|record| {
            record.timestamp = later;
            (record.apitap.first_seen, record.apitap.last_seen) = (later, later);
            record.apitap.detector = DETECTORS[which].to_owned();
            record.apitap.incident = "one more".to_owned();
        });
        let after = Evaluation::of(run_of(&truth, &[alerts, vec![false_one]].concat()));
        prop_assert_eq!(after.false_count(Severity::Low), before.false_count(Severity::Low) + 1);
        for measure in before.detectors() {
            let now = after.detectors().into_iter().find(|other| other.detector == measure.detector).unwrap();
            prop_assert!(now.precision.share.unwrap_or(0.0) <= measure.precision.share.unwrap_or(1.0));
            prop_assert!(now.precision.high <= measure.precision.high && now.precision.low <= measure.precision.low);
            prop_assert_eq!(now.recall, measure.recall);
        }
    }

    #[test]
    fn the_order_of_lines_does_not_matter((alerts, other) in many_alerts().prop_flat_map(shuffled)) {
        let deploy = r#"{"benign":"x","start":"2025-11-23T10:00:00Z","end":"2025-11-23T10:01:00Z","clients":["192.0.2.1"]}"#;
        let (one, two) = (truth(&[STUFFING, deploy]), truth(&[deploy, STUFFING]));
        prop_assert_eq!(run_of(&one, &alerts), run_of(&two, &other));
    }

    #[test]
    fn the_order_of_runs_does_not_matter(sets in proptest::collection::vec(many_alerts(), 1..4)) {
        let truth = truth(&[STUFFING]);
        let runs: Vec<Run> = sets.iter().map(|alerts| run_of(&truth, alerts)).collect();
        let forwards = Evaluation { runs: runs.clone() };
        let backwards = Evaluation { runs: runs.into_iter().rev().collect() };
        prop_assert_eq!(forwards.detectors(), backwards.detectors());
        prop_assert_eq!(forwards.attacks(), backwards.attacks());
        prop_assert_eq!(forwards.odds(), backwards.odds());
    }

    #[test]
    fn every_incident_is_counted_once(alerts in many_alerts()) {
        let evaluation = Evaluation::of(run_of(&truth(&[STUFFING]), &alerts));
        let mut ids: Vec<_> = alerts.iter().map(|record| &record.apitap.incident).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(evaluation.incidents(), ids.len() as u64);
        let of_detectors: u64 = evaluation.detectors().iter().map(|measure| measure.precision.of + measure.lawful).sum();
        prop_assert_eq!(of_detectors, ids.len() as u64);
    }
}
