//! `request_smuggling`: one client whose requests end at different bytes for different parsers.
//!
//! Sees: what [`crate::http::Ambiguity`] lists, in requests of HTTP/1; and that a server answered a part of a request. Misses:
//! heads that are read alike and yet not followed alike (a server that ignores bodies), unless it shows in the number of
//! answers; HTTP/2 that a proxy rewrites.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject, span_in_words};
use crate::baseline::state::SubjectActivity;
use crate::baseline::tier_of;
use crate::window::Smuggling;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.request_smuggling;
    if !rules.enabled {
        return;
    }
    let tier = tier_of(rules.window_seconds);
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let of = |count: fn(&Smuggling) -> u64| {
            recent.sum(tier, |activity: &SubjectActivity| activity.smuggling.as_deref().map_or(0, count))
        };
        let (requests, desyncs) = (of(Smuggling::requests), of(|smuggling| smuggling.desyncs));
        let is_desync = desyncs >= rules.min_desyncs;
        if requests < rules.min_requests && !is_desync {
            continue;
        }
        let Some(smuggling) = recent.merged(tier, |activity| activity.smuggling.as_deref()) else { continue };
        let severity = if is_desync { rules.desync_severity } else { rules.alert.severity };
        let subject = Subject::Client(state.address);
        let finding = Finding::new("request_smuggling", subject, severity, smuggling.moment);
        let mut finding = finding.with_evidence(&smuggling.evidence);
        finding.client_count = 1;
        finding.client_sample = vec![state.address];
        finding.count = requests + desyncs;
        finding.observed = observed(&smuggling);
        finding.reasons = Reasons::over(rules.window_seconds)
            .floor("min_requests", rules.min_requests as f64, requests as f64)
            .fact(format!("{desyncs} answers show that a server read a request otherwise"));
        finding.expected = Some("every request ends at one byte".to_owned());
        finding.spoils = vec![Spoiled::ClientAttack(state.address)];
        findings.push(finding);
    }
}

fn observed(smuggling: &Smuggling) -> String {
    let several = |count: u64| if count == 1 { "" } else { "s" };
    let mut seen = Vec::new();
    let (requests, desyncs) = (smuggling.requests(), smuggling.desyncs);
    if requests > 0 {
        let reasons: Vec<&str> = smuggling.reasons().map(|reason| reason.what()).collect();
        let reasons = reasons.join("; ");
        seen.push(format!("{requests} request{} whose end is ambiguous ({reasons})", several(requests)));
    }
    if desyncs > 0 {
        seen.push(format!("{desyncs} answer{} to a part of a request", several(desyncs)));
    }
    format!("{} in {}", seen.join("; "), span_in_words(&smuggling.moment))
}
