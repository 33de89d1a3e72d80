//! `injection` and `server_side_request_forgery`: one client whose requests carry code for what stands behind the API, or addresses
//! that only the server reaches.
//!
//! Sees: what [`crate::inspect::Injection`] lists, in targets, in some fields and in the beginning of bodies, and what
//! became of such requests. It breaks a policy, and claims no odds. Misses: attempts that are spread over many clients at one or two each
//! stay of low severity; code without constructions of its own.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject, span_in_words};
use crate::baseline::state::{ClientState, SubjectActivity};
use crate::baseline::{Tiers, tier_of};
use crate::inspect::Injection;
use crate::rule::Severity;
use crate::window::{Carriers, Injected};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        findings.extend(code(scene, &state, recent));
        findings.extend(forgery(scene, &state, recent));
    }
}

fn sum(recent: &Tiers<SubjectActivity>, seconds: u64, count: impl Fn(&Injected) -> u64) -> u64 {
    recent.sum(tier_of(seconds), |activity: &SubjectActivity| activity.injected.as_deref().map_or(0, &count))
}

fn code(scene: &Scene<'_>, state: &ClientState, recent: &Tiers<SubjectActivity>) -> Option<Finding> {
    let rules = &scene.rules.injection;
    if !rules.enabled || sum(recent, rules.window_seconds, |injected| injected.code.requests) < rules.min_requests {
        return None;
    }
    let injected = recent.merged(tier_of(rules.window_seconds), |activity| activity.injected.as_deref())?;
    let code = &injected.code;
    let severity = match code {
        _ if code.served >= rules.min_served || code.failed >= rules.min_failed => rules.served_severity,
        _ if code.requests >= rules.many_requests => rules.many_severity,
        _ => rules.alert.severity,
    };
    let mut finding = finding_of("injection", state, severity, code);
    finding.observed = observed(&injected, code, |kind| !kind.is_forgery());
    finding.expected = Some("no value is code".to_owned());
    finding.reasons = Reasons::over(rules.window_seconds)
        .floor("min_requests", rules.min_requests as f64, code.requests as f64)
        .fact(format!("{} were answered with success, {} with 5XX", code.served, code.failed));
    Some(finding)
}

fn forgery(scene: &Scene<'_>, state: &ClientState, recent: &Tiers<SubjectActivity>) -> Option<Finding> {
    let rules = &scene.rules.server_side_request_forgery;
    if !rules.enabled || sum(recent, rules.window_seconds, |injected| injected.forgery.requests) == 0 {
        return None;
    }
    let injected = recent.merged(tier_of(rules.window_seconds), |activity| activity.injected.as_deref())?;
    let (hidden, inner) = (injected.of_kind(Injection::HiddenAddress), injected.inner_addresses.count());
    if hidden < rules.min_hidden && inner < rules.min_inner_addresses {
        return None;
    }
    let carriers = &injected.forgery;
    let severity = if carriers.served > 0 { rules.served_severity } else { rules.alert.severity };
    let mut finding = finding_of("server_side_request_forgery", state, severity, carriers);
    finding.observed = observed(&injected, carriers, Injection::is_forgery);
    finding.expected = Some("no address that only the server reaches".to_owned());
    finding.reasons = Reasons::over(rules.window_seconds)
        .floor("min_hidden", rules.min_hidden as f64, hidden as f64)
        .fact(format!("{inner} different addresses of the server or of private networks"));
    Some(finding)
}

/// A finding of one client, by the requests of his that carry something.
pub(super) fn finding_of(
    detector: &'static str,
    state: &ClientState,
    severity: Severity,
    carriers: &Carriers,
) -> Finding {
    let subject = Subject::Client(state.address);
    let mut finding = Finding::new(detector, subject, severity, carriers.moment).with_evidence(&carriers.evidence);
    finding.client_count = 1;
    finding.client_sample = vec![state.address];
    finding.client = Some(state.address);
    finding.count = carriers.requests;
    finding.spoils = vec![Spoiled::ClientAttack(state.address)];
    finding
}

fn observed(injected: &Injected, carriers: &Carriers, is_of: impl Fn(Injection) -> bool) -> String {
    let kinds: Vec<String> =
        injected.kinds(is_of).iter().map(|(kind, count)| format!("{} ×{count}", kind.what())).collect();
    let Carriers { requests, served, failed, moment, .. } = carriers;
    let several = if *requests == 1 { "" } else { "s" };
    let (kinds, span) = (kinds.join(", "), span_in_words(moment));
    format!("{requests} request{several} with {kinds} in {span}; {served} answered with success, {failed} with 5XX")
}
