//! `client_error_spike`: a share of 4XX far above the endpoint's, the client's or the host's own.
//!
//! Sees: errors given the number of requests, tested against the key's baseline. Misses: errors that were there while the
//! baseline was learned, and keys that have none. What a scan or stuffing explains joins those.

use super::stats::ratio_test;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::Share;
use crate::baseline::tier_of;
use crate::rule::{ErrorShare, Severity};
use crate::window::Errors;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.client_error_spike;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in scene.touched.endpoints.iter().filter(|_| rules.endpoint.enabled) {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(activity) = state.recent.view(tier_of(rules.endpoint.window_seconds)) else { continue };
        let Some(errors) = activity.errors.as_deref() else { continue };
        let subject = Subject::Endpoint(*key);
        let severity = rules.alert.severity;
        if let Some(mut finding) =
            spike(scene, subject, severity, errors, activity.tally.requests, &state.errors, &rules.endpoint)
        {
            finding.spoils = vec![Spoiled::EndpointErrors(*key)];
            findings.push(finding);
        }
    }
    for key in scene.touched.hosts.iter().filter(|_| rules.host.enabled) {
        let Some(state) = scene.store.hosts.get(key) else { continue };
        let Some(activity) = state.recent.view(tier_of(rules.host.window_seconds)) else { continue };
        let Some(errors) = activity.errors.as_deref() else { continue };
        let subject = Subject::Host(state.host.to_string());
        let severity = rules.alert.severity;
        if let Some(mut finding) =
            spike(scene, subject, severity, errors, activity.requests, &state.errors, &rules.host)
        {
            finding.spoils = vec![Spoiled::HostErrors(*key)];
            findings.push(finding);
        }
    }
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let Some(activity) = recent.view(tier_of(rules.client.window_seconds)) else { continue };
        let Some(errors) = activity.errors.as_deref() else { continue };
        let subject = Subject::Client(state.address);
        if let Some(mut finding) =
            spike(scene, subject, rules.client_severity, errors, activity.requests, &state.errors, &rules.client)
        {
            finding.spoils = vec![Spoiled::ClientErrors(state.address)];
            findings.push(finding);
        }
    }
}

fn spike(
    scene: &Scene<'_>,
    subject: Subject,
    severity: Severity,
    errors: &Errors,
    requests: u64,
    usual: &Share,
    floors: &ErrorShare,
) -> Option<Finding> {
    let ignored: u64 =
        scene.rules.client_error_spike.ignored_statuses.iter().map(|status| errors.statuses.count(*status)).sum();
    let count = errors.statuses.total() - ignored;
    let share = count as f64 / requests.max(1) as f64;
    if count < floors.min_errors
        || share < floors.min_share
        || usual.total < floors.min_baseline_requests as f64
        || share < floors.baseline_factor * usual.share()
        || errors.clients.count() < floors.min_clients
    {
        return None;
    }
    let probability = ratio_test(count, requests, usual.hits as u64, usual.total as u64, floors.prior_strength);
    if probability.value() > floors.max_probability {
        return None;
    }
    let mut finding =
        Finding::new("client_error_spike", subject, severity, errors.moment).with_evidence(&errors.evidence);
    finding.client_count = errors.clients.count();
    finding.client_sample = errors.client_sample.iter().map(|(_, address)| *address).collect();
    finding.count = count;
    finding.probability = Some(probability.rounded());
    finding.observed = format!(
        "{count} client errors in {requests} requests ({}) in {}: {}",
        percent(share),
        span_in_words(&errors.moment),
        by_status(errors)
    );
    finding.expected = Some(format!("{} of requests", percent(usual.share())));
    Some(finding)
}

/// `400 ×12, 422 ×9`, most frequent first.
fn by_status(errors: &Errors) -> String {
    let mut counts: Vec<(u64, u16)> = errors.statuses.iter().map(|(status, count)| (count, status)).collect();
    counts.sort_by_key(|(count, status)| (std::cmp::Reverse(*count), *status));
    let words: Vec<String> = counts.iter().take(4).map(|(count, status)| format!("{status} ×{count}")).collect();
    words.join(", ")
}
