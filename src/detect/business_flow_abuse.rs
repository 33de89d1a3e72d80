//! `business_flow_abuse`: somebody uses a function that changes something far more than others do, and than he did himself.
//!
//! Sees: requests answered with 2xx that change something (orders, bookings, coupons, votes, messages) of one account at one endpoint, or of
//! one address that does not sign in, against all that others did there in ten minutes and against its own past. Misses: what is
//! spread over many accounts; keys and other programs, which do so by trade; functions that apps call all the time; what is refused
//! (`client_error_spike`). Logins, registrations, resets and codes have detectors of their own.

use super::reasons::Reasons;
use super::stats::{rate_interval, rate_test};
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::{ReachState, SPANS, tier_of};
use crate::window::WINDOW;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.business_flow_abuse;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in &scene.touched.reaches {
        let Some(state) = scene.store.reaches.get(key) else { continue };
        findings.extend(rules.horizons_seconds.iter().find_map(|span| excess(scene, *key, &state, tier_of(*span))));
    }
}

fn excess(scene: &Scene<'_>, key: u64, state: &ReachState, tier: usize) -> Option<Finding> {
    let rules = &scene.rules.business_flow_abuse;
    let uses = state.recent.sum(tier, |reach| reach.uses);
    if uses < rules.min_uses {
        return None;
    }
    let reach = state.recent.view(tier)?;
    let (floor_key, floor) = match reach.principal {
        Some(_) => ("min_uses", rules.min_uses),
        None => ("min_uses_of_address", rules.min_uses_of_address),
    };
    let endpoint = scene.store.endpoints.get(&reach.endpoint)?;
    let looks = endpoint.uses.as_deref().filter(|looks| looks.count() >= rules.min_peers)?;
    let growth = ((SPANS[tier] / SPANS[0]) as f64).powf(rules.growth_exponent);
    let others = looks.quantile(rules.peer_quantile);
    let own = state.past(tier, scene.window);
    let normal = |count: u64| (count as f64 * growth).ceil();
    let usual = normal(others.max(own));
    if uses < floor || others > rules.max_usual || (uses as f64) < rules.factor * usual {
        return None;
    }
    let probability = rate_test(uses, growth, looks.sum(), looks.count() as f64, rules.prior_strength);
    let probability = scene.rare("business_flow_abuse", key, probability)?;
    let [low, high] = rate_interval(growth, looks.sum(), looks.count() as f64, rules.prior_strength, uses);
    let severity = if uses >= rules.many_uses { rules.many_severity } else { rules.alert.severity };
    let subject = reach.principal.map_or(Subject::Client(reach.client), Subject::Principal);
    let mut finding =
        Finding::new("business_flow_abuse", subject, severity, reach.moment).with_evidence(&reach.evidence);
    finding.endpoint = Some(reach.endpoint);
    finding.client = Some(reach.client);
    finding.client_count = 1;
    finding.client_sample = vec![reach.client];
    finding.count = uses;
    finding.probability = Some(probability);
    finding.observed = format!("{uses} times done in {}", span_in_words(&reach.moment));
    let by_past = if own > 0 { format!(", {} by its own past", normal(own)) } else { String::new() };
    finding.expected = Some(format!(
        "at most {} for {} of {} looks at others{by_past}",
        normal(others),
        percent(rules.peer_quantile),
        looks.count()
    ));
    finding.reasons = Reasons::over(SPANS[tier] as u64 * WINDOW.as_secs())
        .floor(floor_key, floor as f64, uses as f64)
        .floor("factor", rules.factor, uses as f64 / usual.max(1.0))
        .interval(low as f64, high as f64);
    finding.spoils = vec![Spoiled::Reach(key)];
    Some(finding)
}
