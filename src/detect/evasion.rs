//! `evasion`: TCP segments of one client that came twice and differ, at a login or in a call with credentials.
//!
//! Sees: transactions marked `overlap_conflict`, of which the server may have read something else than the sensor.
//! Misses: copies of bytes that are not remembered any more (`stream/recent.rs`), and transactions that were over when the
//! second copy came. No stack sends such segments: one is enough, and no baseline is needed.

use super::reasons::Reasons;
use super::{Finding, Scene, Subject, span_in_words};
use crate::baseline::state::SubjectActivity;
use crate::baseline::tier_of;
use crate::window::Evasions;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.evasion;
    if !rules.enabled {
        return;
    }
    let tier = tier_of(rules.window_seconds);
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let total = |activity: &SubjectActivity| activity.evasions.as_ref().map_or(0, |evasions| evasions.total());
        if recent.sum(tier, total) < rules.min_transactions {
            continue;
        }
        let Some(evasions) = recent.merged(tier, |activity| activity.evasions.as_deref()) else { continue };
        let subject = Subject::Client(state.address);
        let mut finding = Finding::new("evasion", subject, rules.alert.severity, evasions.moment);
        finding.client_count = 1;
        finding.client_sample = vec![state.address];
        finding.count = evasions.total();
        finding.observed = in_words(&evasions);
        finding.expected = Some("none of it".to_owned());
        let (least, found) = (rules.min_transactions as f64, evasions.total() as f64);
        finding.reasons = Reasons::over(rules.window_seconds).floor("min_transactions", least, found);
        findings.push(finding.with_evidence(&evasions.evidence));
    }
}

fn in_words(evasions: &Evasions) -> String {
    let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let parts = [(evasions.logins, "login"), (evasions.authorised, "call")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, one)| match *one {
        "call" => format!("{} with credentials", plural(*count, one)),
        _ => plural(*count, one),
    });
    let what = parts.collect::<Vec<_>>().join(" and ");
    format!("{what} with TCP segments sent twice and differently, in {}", span_in_words(&evasions.moment))
}
