//! `excessive_data_exposure`: far more sensitive values in responses than is normal.
//!
//! Sees: an endpoint whose single responses carry far more distinct sensitive values, records or bytes than they did, or
//! classes it never carried; a client or principal that takes far more of them than it did. Misses: what was excessive from the start.

use super::stats::{rate_test, ratio_test};
use super::unauthenticated_data_exposure::classes_in_words;
use super::{Finding, Scene, Spoiled, Subject, by_sensitivity, may_reach, span_in_words};
use crate::baseline::state::{EndpointActivity, EndpointState, ExposureNormal, SubjectActivity};
use crate::baseline::{SPANS, Tiers, tier_of};
use crate::inspect::{DataClass, Sensitivity};
use crate::rule::{Excess, Severity};
use crate::window::histogram::LogHistogram;
use crate::window::{ClassExposure, Exposure, LARGE_BYTES, LARGE_RECORDS, Moment};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Answers that must be excessive before an endpoint is said to be: one is a report somebody asked for.
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
        if !state.is_learned || state.is_login() {
            continue; // a stranger has no normal: others speak of it
        }
        let found = rules
            .endpoint
            .horizons_seconds
            .iter()
            .find_map(|horizon| excess_of_endpoint(scene, *key, &state, tier_of(*horizon)));
        findings.extend(found);
    }
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let subject = Subject::Client(state.address);
        let spoiled = Spoiled::ClientExposure(state.address);
        findings.extend(excess_of_subject(
            scene,
            subject,
            spoiled,
            state.recent.as_deref(),
            state.exposure.as_deref(),
            &rules.client,
        ));
    }
    for key in scene.touched.principals.iter().filter(|_| rules.principal.enabled) {
        let Some(state) = scene.store.principals.get(key) else { continue };
        let found = excess_of_subject(
            scene,
            Subject::Principal(*key),
            Spoiled::PrincipalExposure(*key),
            state.recent.as_deref(),
            state.exposure.as_deref(),
            &rules.principal,
        );
        findings.extend(found);
    }
}

fn excess_of_endpoint(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    let rules = &scene.rules.excessive_data_exposure;
    if state.exposure.responses < rules.endpoint.min_baseline_responses as f64 {
        return None;
    }
    let found = excess_of_values(scene, key, state, tier);
    let mut finding = found.or_else(|| excess_of_volume(scene, key, state, tier))?;
    finding.spoils = vec![Spoiled::EndpointExposure(key)];
    Some(finding)
}

/// Single responses with far more sensitive values than this endpoint's, or classes that it never carried.
fn excess_of_values(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    let rules = &scene.rules.excessive_data_exposure;
    let exposures = || state.recent.buckets(tier).filter_map(|activity| activity.exposure.as_deref());
    let worst = exposures().flat_map(|exposure| &exposure.classes).map(|class| class.class.sensitivity()).max()?;
    let usual = state.sensitive_values.value_at_quantile(USUAL_QUANTILE).max(1);
    let bound = (usual as f64 * rules.endpoint.factor) as u64;
    let floor = by_sensitivity(&rules.min_values_per_response, worst).max(bound);
    let above = state.recent.sum(tier, |activity| activity.sensitive_values.count_above(floor.saturating_sub(1)));
    let floor_of_new = |class: DataClass| match state.exposure.class(class).values {
        0.0 => by_sensitivity(&rules.min_values_of_new_class, class.sensitivity()),
        _ => u64::MAX,
    };
    if above < MIN_RESPONSES && !may_reach(exposures(), floor_of_new) {
        return None;
    }
    let exposure = &state.recent.merged(tier, |activity| activity.exposure.as_deref())?;
    let (classes, expected) = if above >= MIN_RESPONSES {
        let most = state.recent.buckets(tier).map(|activity| activity.sensitive_values.max()).max().unwrap_or(0);
        let expected = format!("at most {usual} sensitive values in 99 % of answers; now up to {most}");
        (exposure.classes.to_vec(), expected)
    } else {
        let successes = state.recent.sum(tier, |activity| activity.successes);
        let new = exposure.classes.iter().filter(|class| is_new_class(scene, state, successes, class));
        let new: Vec<ClassExposure> = new.cloned().collect();
        (!new.is_empty()).then_some((new, "this endpoint never carried such data".to_string()))?
    };
    let severity = severity_of(scene, &classes);
    let mut finding = of_exposure(Subject::Endpoint(key), severity, exposure, &classes, exposure.moment);
    finding.expected = Some(expected);
    Some(finding)
}

/// Whether an endpoint carries a class that it never carried, and not by chance: what comes in one answer of a hundred
/// may well have been missing while the sensor learned.
fn is_new_class(scene: &Scene<'_>, state: &EndpointState, successes: u64, class: &ClassExposure) -> bool {
    let rules = &scene.rules.excessive_data_exposure;
    let sensitivity = class.class.sensitivity();
    if state.exposure.class(class.class).values > 0.0
        || class.responses < MIN_RESPONSES
        || class.values.count() < by_sensitivity(&rules.min_values_of_new_class, sensitivity)
    {
        return false;
    }
    let base = state.exposure.responses as u64;
    sensitivity == Sensitivity::Critical
        || ratio_test(class.responses, successes, 0, base, base as f64).value() <= rules.endpoint.max_probability
}

/// Far more records or bytes in single responses than this endpoint's, whatever they are.
fn excess_of_volume(scene: &Scene<'_>, key: u64, state: &EndpointState, tier: usize) -> Option<Finding> {
    type Part = for<'a> fn(&'a EndpointActivity) -> &'a LogHistogram;
    let rules = &scene.rules.excessive_data_exposure;
    let records: Part = |activity| &activity.records;
    let sizes: Part = |activity| &activity.sizes;
    let judged = [
        ("records", records, &state.records, rules.min_records, LARGE_RECORDS),
        ("bytes", sizes, &state.sizes, rules.min_bytes, LARGE_BYTES),
    ];
    let (unit, now, usual, above, volume) = judged.into_iter().find_map(|(unit, recent, normal, floor, large)| {
        if state.recent.sum(tier, |activity| recent(activity).count_above(large)) < MIN_RESPONSES {
            return None;
        }
        let usual = normal.value_at_quantile(USUAL_QUANTILE).max(1);
        let bound = ((usual as f64 * rules.endpoint.factor) as u64).max(large);
        let above = state.recent.sum(tier, |activity| recent(activity).count_above(bound));
        // What is over the bound amounts to at least so much.
        let volume = above.saturating_mul(bound);
        (normal.len() >= VOLUME_BASELINE_RESPONSES && above >= MIN_RESPONSES && volume >= floor).then_some((
            unit,
            state.recent.buckets(tier).map(|activity| recent(activity).max()).max().unwrap_or(0),
            usual,
            above,
            volume,
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
    finding.client_count = takers.len() as u64;
    finding.client_sample = takers.into_iter().collect();
    Some(finding.with_evidence(&activity.large))
}

/// A client's or principal's takings over a horizon, against its own normal.
fn excess_of_subject(
    scene: &Scene<'_>,
    subject: Subject,
    spoiled: Spoiled,
    recent: Option<&Tiers<SubjectActivity>>,
    normal: Option<&ExposureNormal>,
    floors: &Excess,
) -> Option<Finding> {
    let rules = &scene.rules.excessive_data_exposure;
    let normal = normal.filter(|normal| normal.responses >= floors.min_baseline_responses as f64)?;
    floors.horizons_seconds.iter().find_map(|horizon| {
        let tier = tier_of(*horizon);
        let windows = SPANS[tier] as f64;
        let expected_of = |class: DataClass| {
            normal.class(class).values / normal.windows.max(1.0) * windows.min(normal.windows.max(1.0))
        };
        let floor_of = |class: DataClass| {
            let floor = by_sensitivity(&rules.min_values, class.sensitivity());
            floor.max((floors.factor * expected_of(class)).ceil() as u64)
        };
        let exposures = recent?.buckets(tier).filter_map(|activity| activity.exposure.as_deref());
        if !may_reach(exposures, floor_of) {
            return None;
        }
        let exposure = recent?.merged(tier, |activity| activity.exposure.as_deref())?;
        let mut lowest: Option<f64> = None;
        let mut usual = 0.0;
        let over: Vec<ClassExposure> = exposure
            .classes
            .iter()
            .filter(|class| {
                let seen = class.values.count();
                if seen < floor_of(class.class) {
                    return false;
                }
                let taught = normal.class(class.class).values;
                let probability =
                    rate_test(seen, windows, taught as u64, normal.windows.max(1.0), floors.prior_strength);
                if probability.value() > floors.max_probability {
                    return false;
                }
                lowest = Some(lowest.map_or(probability.rounded(), |lowest| lowest.min(probability.rounded())));
                usual += expected_of(class.class);
                true
            })
            .cloned()
            .collect();
        if over.is_empty() {
            return None;
        }
        let mut finding = of_exposure(subject.clone(), severity_of(scene, &over), &exposure, &over, exposure.moment);
        finding.probability = lowest;
        finding.expected = Some(format!("about {usual:.0} such values in that time, by its own past"));
        finding.spoils = vec![spoiled];
        Some(finding)
    })
}

fn of_exposure(
    subject: Subject,
    severity: Severity,
    exposure: &Exposure,
    classes: &[ClassExposure],
    moment: Moment,
) -> Finding {
    let mut finding =
        Finding::new("excessive_data_exposure", subject, severity, moment).with_evidence(&exposure.evidence);
    finding.client_count = exposure.clients.count();
    finding.client_sample = exposure.client_sample.iter().map(|(_, address)| *address).collect();
    finding.count = exposure.responses;
    finding.observed = format!(
        "{} in {} answers with {} records in {}",
        classes_in_words(classes),
        exposure.responses,
        exposure.records,
        span_in_words(&moment)
    );
    finding
}

fn severity_of(scene: &Scene<'_>, classes: &[ClassExposure]) -> Severity {
    let rules = &scene.rules.excessive_data_exposure;
    let worst = classes.iter().map(|class: &ClassExposure| DataClass::sensitivity(class.class)).max();
    worst.map_or(rules.alert.severity, |worst| by_sensitivity(&rules.severity, worst))
}
