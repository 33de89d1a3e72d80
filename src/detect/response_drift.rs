//! `response_drift`: an endpoint's responses carry a class of personal data that they never carried.
//!
//! Sees: a field too many after a release, in a few responses already, where the endpoint is known well enough for its
//! absence not to have been chance. Misses: fields of no class (a salary, a score), classes that it always carried now and
//! then, and what was there from the start. Secrets are the matter of `credential_leak`.

use super::stats::ratio_test;
use super::unauthenticated_data_exposure::classes_in_words;
use super::{Finding, Reasons, Scene, Spoiled, Subject, by_sensitivity, may_reach, percent, span_in_words};
use crate::baseline::state::EndpointState;
use crate::baseline::tier_of;
use crate::inspect::DataClass;
use crate::window::ClassExposure;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.response_drift;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let is_known = state.is_learned && state.exposure.responses >= rules.min_baseline_responses as f64;
        if is_known && !state.is_entrance() {
            findings.extend(rules.horizons_seconds.iter().find_map(|horizon| drift_of(scene, *key, &state, *horizon)));
        }
    }
}

fn drift_of(scene: &Scene<'_>, key: u64, state: &EndpointState, horizon: u64) -> Option<Finding> {
    let rules = &scene.rules.response_drift;
    let tier = tier_of(horizon);
    let is_new = |class: DataClass| state.exposure.class(class).values == 0.0;
    let floor_of = |class: DataClass| match is_new(class) {
        true => by_sensitivity(&rules.min_values, class.sensitivity()),
        false => u64::MAX,
    };
    if !may_reach(state.recent.buckets(tier).filter_map(|activity| activity.exposure.as_deref()), floor_of) {
        return None;
    }
    let exposure = state.recent.merged(tier, |activity| activity.exposure.as_deref())?;
    let successes = state.recent.sum(tier, |activity| activity.successes);
    let base = state.exposure.responses as u64;
    let mut probability: Option<f64> = None;
    let new: Vec<ClassExposure> = exposure
        .classes
        .iter()
        .filter(|class| {
            if class.responses < rules.min_responses || class.values.count() < floor_of(class.class) {
                return false;
            }
            // What comes in one answer of a hundred may well have been missing while the sensor learned.
            let chance = ratio_test(class.responses, successes, 0, base, base as f64);
            let Some(chance) = scene.rare("response_drift", key, chance) else { return false };
            probability = Some(probability.map_or(chance, |lowest| lowest.min(chance)));
            true
        })
        .cloned()
        .collect();
    let worst = new.iter().map(|class| class.class.sensitivity()).max()?;
    let most = new.iter().map(|class| class.responses).max()?;
    let severity = by_sensitivity(&rules.severity, worst);
    let mut finding = Finding::new("response_drift", Subject::Endpoint(key), severity, exposure.moment)
        .with_evidence(&exposure.evidence)
        .with_clients(&exposure.clients, &exposure.client_sample);
    finding.count = most;
    finding.probability = probability;
    finding.observed = format!(
        "{} in {most} of {successes} answers ({}) in {}",
        classes_in_words(&new),
        percent(most as f64 / successes.max(1) as f64),
        span_in_words(&exposure.moment)
    );
    finding.expected = Some(format!("this endpoint never carried such data, in {base} answers"));
    finding.reasons = Reasons::over(horizon).floor("min_responses", rules.min_responses as f64, most as f64).floor(
        "min_baseline_responses",
        rules.min_baseline_responses as f64,
        base as f64,
    );
    finding.spoils = vec![Spoiled::EndpointExposure(key)];
    Some(finding)
}
