//! `excessive_data_exposure`: an endpoint gives far more in single responses than it did.
//!
//! Sees: responses with far more distinct personal values, records or bytes than this endpoint's; a single one, if it gives as
//! much as a table does. Misses: what was excessive from the start. Classes that are new to an endpoint are the matter of
//! `response_drift`, those who take too much that of `data_exfiltration`.

use super::unauthenticated_data_exposure::classes_in_words;
use super::{Finding, Reasons, Scene, Spoiled, Subject, by_sensitivity, span_in_words};
use crate::baseline::state::{EndpointActivity, EndpointState};
use crate::baseline::{SPANS, tier_of};
use crate::inspect::{DataClass, Sensitivity};
use crate::rule::{ExcessiveDataExposure, Severity};
use crate::window::histogram::LogHistogram;
use crate::window::{ClassExposure, Exposure, LARGE_BYTES, LARGE_RECORDS, WINDOW};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Answers that must be excessive before an endpoint is said to be: one is a report somebody asked for, or a dump.
const MIN_RESPONSES: u64 = 3;

/// Answers that an endpoint's normal volume must have been seen in: the 99th percentile of fewer is their largest.
const VOLUME_BASELINE_RESPONSES: u64 = 200;
/// Quantile of an endpoint's answers that is their normal.
const USUAL_QUANTILE: f64 = 0.99;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.excessive_data_exposure;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in scene.touched.endpoints.iter().filter(|_| rules.endpoint.enabled) {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        if !state.is_learned || state.is_entrance() {
            continue; // a stranger has no normal: others speak of it
        }
        let horizons = || rules.endpoint.horizons_seconds.iter().map(|horizon| tier_of(*horizon));
        let found = horizons().find_map(|tier| excess_of_endpoint(scene, *key, &state, tier));
        // One answer by itself, where there are no more of them.
        let found = found.or_else(|| horizons().find_map(|tier| dump_of_endpoint(scene, *key, &state, tier)));
        findings.extend(found);
    }
}

fn excess_of_endpoint(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    let found = excess_of_values(scene, key, state, tier, (1.0, MIN_RESPONSES));
    found.or_else(|| excess_of_volume(scene, key, state, tier)).map(|finding| spoiling(finding, key))
}

/// A single response that gives as much as a table, a step less severe.
fn dump_of_endpoint(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    let times = scene.rules.excessive_data_exposure.endpoint.dump_factor;
    let finding = excess_of_values(scene, key, state, tier, (times, 1))?;
    Some(spoiling(Finding { severity: finding.severity.milder(), ..finding }, key))
}

fn spoiling(finding: Finding, key: u64) -> Finding {
    Finding { spoils: vec![Spoiled::EndpointExposure(key)], ..finding }
}

/// Responses with so many `times` more personal values than this endpoint's, at least so many of them.
fn excess_of_values(
    scene: &Scene<'_>,
    key: u64,
    state: &EndpointState,
    tier: usize,
    (times, least): (f64, u64),
) -> Option<Finding> {
    let rules = &scene.rules.excessive_data_exposure;
    if state.exposure.responses < rules.endpoint.min_baseline_responses as f64 {
        return None;
    }
    let exposures = || state.recent.buckets(tier).filter_map(|activity| activity.exposure.as_deref());
    let worst = exposures().flat_map(|exposure| &exposure.classes).map(|class| class.class.sensitivity()).max()?;
    let above = answers_in_excess(state, tier, times, worst, rules);
    // What was told as something else when it came is not found again in a longer span.
    if above < least || answers_in_excess(state, 0, times, worst, rules) == 0 {
        return None;
    }
    let usual = state.sensitive_values.value_at_quantile(USUAL_QUANTILE).max(1);
    let most = largest_answer(state, tier);
    let taker = only_taker(state, tier, above);
    if least > 1 && taker.is_some_and(|client| has_it_again(scene, client, tier, most)) {
        return None; // one answer
    }
    let exposure = &state.recent.merged(tier, |activity| activity.exposure.as_deref())?;
    let severity = severity_of(scene, &exposure.classes);
    let mut finding = of_exposure(Subject::Endpoint(key), severity, exposure);
    finding.client = taker;
    let least = by_sensitivity(&rules.min_values_per_response, worst) as f64 * times;
    finding.reasons = reasons_of(rules, state, tier, times, [usual, most])
        .floor("min_values_per_response", least, most as f64)
        .fact(format!("{above} answers carried that much more"));
    finding.expected = Some(format!("at most {usual} sensitive values in 99 % of answers; now up to {most}"));
    Some(finding)
}

fn reasons_of(
    rules: &ExcessiveDataExposure,
    state: &EndpointState,
    tier: usize,
    times: f64,
    [usual, most]: [u64; 2],
) -> Reasons {
    let (floors, responses) = (&rules.endpoint, state.exposure.responses);
    Reasons::over(SPANS[tier] as u64 * WINDOW.as_secs())
        .floor("endpoint.factor", floors.factor * times, most as f64 / usual.max(1) as f64)
        .floor("endpoint.min_baseline_responses", floors.min_baseline_responses as f64, responses)
}

/// Answers with far more personal values than this endpoint's, `worst` among them; so many times more than is worth a look.
fn answers_in_excess(
    state: &EndpointState,
    tier: usize,
    times: f64,
    worst: Sensitivity,
    rules: &ExcessiveDataExposure,
) -> u64 {
    let usual = state.sensitive_values.value_at_quantile(USUAL_QUANTILE).max(1);
    let bound = usual as f64 * rules.endpoint.factor;
    let least = by_sensitivity(&rules.min_values_per_response, worst) as f64;
    let floor = (least.max(bound) * times) as u64;
    state.recent.sum(tier, |activity| activity.sensitive_values.count_above(floor.saturating_sub(1)))
}

fn largest_answer(state: &EndpointState, tier: usize) -> u64 {
    state.recent.buckets(tier).map(|activity| activity.sensitive_values.max()).max().unwrap_or(0)
}

/// Personal values at most that a host's endpoints gave in answers in excess, too few yet to be told as that: whoever got them
/// did not take them. For those who took much: it looks at all endpoints.
pub(super) fn values_not_told_yet(scene: &Scene<'_>, host: &str, tier: usize) -> u64 {
    let rules = &scene.rules.excessive_data_exposure;
    let of_host = scene.store.endpoints.iter().filter(|state| *state.host == *host && state.is_learned);
    let begun = of_host
        .map(|state| (answers_in_excess(&state, tier, 1.0, Sensitivity::High, rules), largest_answer(&state, tier)));
    begun.filter(|(above, _)| *above < MIN_RESPONSES).map(|(above, largest)| above.saturating_mul(largest)).sum()
}

/// The client that took the excess, where it was one: what is known are the first takers of large answers, so all of so many
/// answers in excess must be large.
fn only_taker(state: &EndpointState, tier: usize, above: u64) -> Option<IpAddr> {
    let is_large = |activity: &EndpointActivity| activity.records.count_above(LARGE_RECORDS - 1);
    let large = state.recent.sum(tier, is_large);
    let mut takers =
        state.recent.buckets(tier).flat_map(|activity| activity.large.iter()).map(|(_, shown)| shown.source.0);
    let first = takers.next().filter(|_| large >= above)?;
    takers.all(|taker| taker == first).then_some(first)
}

/// Whether all that a client got, anywhere, is hardly more than the largest answer: the same again, as who has much of his own does.
fn has_it_again(scene: &Scene<'_>, client: IpAddr, tier: usize, most: u64) -> bool {
    let Some(state) = scene.store.clients.iter().find(|state| state.address == client) else { return false };
    let recent = state.recent.as_deref();
    let Some(exposure) = recent.and_then(|recent| recent.merged(tier, |activity| activity.exposure.as_deref())) else {
        return false;
    };
    let distinct: u64 = exposure.classes.iter().map(|class| class.values.count()).sum();
    2 * distinct <= 3 * most
}

/// Far more records or bytes in single responses than this endpoint's, whatever they are.
fn excess_of_volume(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    type Part = for<'a> fn(&'a EndpointActivity) -> &'a LogHistogram;
    let rules = &scene.rules.excessive_data_exposure;
    if state.exposure.responses < rules.endpoint.min_baseline_responses as f64 {
        return None;
    }
    let records: Part = |activity| &activity.records;
    let sizes: Part = |activity| &activity.sizes;
    let judged = [
        ("records", records, &state.records, rules.min_records, LARGE_RECORDS),
        ("bytes", sizes, &state.sizes, rules.min_bytes, LARGE_BYTES),
    ];
    let (unit, now, usual, above, volume, floor) =
        judged.into_iter().find_map(|(unit, recent, normal, floor, large)| {
            if state.recent.sum(tier, |activity| recent(activity).count_above(large)) < MIN_RESPONSES {
                return None;
            }
            let usual = normal.value_at_quantile(USUAL_QUANTILE).max(1);
            let bound = ((usual as f64 * rules.endpoint.factor) as u64).max(large);
            let above = state.recent.sum(tier, |activity| recent(activity).count_above(bound));
            let goes_on = state.recent.sum(0, |activity| recent(activity).count_above(bound)) > 0; // as above
            // What is over the bound amounts to at least so much.
            let volume = above.saturating_mul(bound);
            (normal.len() >= VOLUME_BASELINE_RESPONSES && above >= MIN_RESPONSES && goes_on && volume >= floor)
                .then_some((
                    unit,
                    state.recent.buckets(tier).map(|activity| recent(activity).max()).max().unwrap_or(0),
                    usual,
                    above,
                    volume,
                    floor,
                ))
        })?;
    let severity = rules.alert.severity;
    let activity = state.recent.view(tier)?;
    let mut finding = Finding::new("excessive_data_exposure", Subject::Endpoint(key), severity, activity.tally.moment);
    finding.count = above;
    finding.observed = format!(
        "{above} answers with more than {volume} {unit} together in {}, up to {now} in one",
        span_in_words(&activity.tally.moment)
    );
    finding.expected = Some(format!("at most {usual} {unit} in 99 % of answers"));
    let takers: BTreeSet<IpAddr> = activity.large.iter().map(|(_, shown)| shown.source.0).collect();
    finding.client = only_taker(state, tier, above);
    finding.reasons = reasons_of(rules, state, tier, 1.0, [usual, now])
        .floor(if unit == "bytes" { "min_bytes" } else { "min_records" }, floor as f64, volume as f64)
        .fact(format!("{above} answers carried that much more"));
    finding.client_count = takers.len() as u64;
    finding.client_sample = takers.into_iter().collect();
    Some(finding.with_evidence(&activity.large))
}

fn of_exposure(subject: Subject, severity: Severity, exposure: &Exposure) -> Finding {
    let mut finding = Finding::new("excessive_data_exposure", subject, severity, exposure.moment)
        .with_evidence(&exposure.evidence)
        .with_clients(&exposure.clients, &exposure.client_sample);
    finding.count = exposure.responses;
    finding.observed = format!(
        "{} in {} answers with {} records in {}",
        classes_in_words(&exposure.classes),
        exposure.responses,
        exposure.records,
        span_in_words(&exposure.moment)
    );
    finding
}

fn severity_of(scene: &Scene<'_>, classes: &[ClassExposure]) -> Severity {
    let rules = &scene.rules.excessive_data_exposure;
    let worst = classes.iter().map(|class: &ClassExposure| DataClass::sensitivity(class.class)).max();
    worst.map_or(rules.alert.severity, |worst| by_sensitivity(&rules.severity, worst))
}
