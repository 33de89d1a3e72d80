//! `object_enumeration`: one principal or client that walks through the object ids of an endpoint.
//!
//! Sees: many more distinct objects than the subject's own past and its peers, in sequence or at random. Misses: walks
//! slower than the longest horizon, and those spread over many principals.

use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::ReachState;
use crate::baseline::{SPANS, tier_of};
use crate::window::Reach;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.object_enumeration;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in &scene.touched.reaches {
        let Some(state) = scene.store.reaches.get(key) else { continue };
        let found = rules
            .horizons_seconds
            .iter()
            .find_map(|horizon| walk(scene, *key, &state, tier_of(*horizon)));
        findings.extend(found);
    }
}

fn walk(scene: &Scene<'_>, key: u64, state: &ReachState, tier: usize) -> Option<Finding> {
    let rules = &scene.rules.object_enumeration;
    let reach = &state.recent.view(tier)?;
    // What is usual was learned over the shortest span; whoever goes on like that reaches so much more in a longer one.
    let spans = (SPANS[tier] / SPANS[0]) as u64;
    let usual = state.usual * spans;
    let objects = reach.objects.count();
    let is_sequence = sequential_share(reach, objects) >= rules.min_sequential_share;
    let floor = if is_sequence { rules.min_objects_in_sequence } else { rules.min_objects };
    if objects < floor || objects < (rules.reach_factor * usual as f64) as u64 {
        return None;
    }
    let endpoint = scene.store.endpoints.get(&reach.endpoint)?;
    let peers = endpoint.reach.len();
    let normal = if peers >= rules.min_peers { Some(endpoint.reach.value_at_quantile(rules.peer_quantile) * spans) } else { None };
    let is_beyond_peers = match normal {
        Some(normal) => objects as f64 >= rules.reach_factor * normal as f64,
        None => objects >= rules.min_objects_without_peers,
    };
    if !is_beyond_peers {
        return None;
    }
    let success_share = reach.successes as f64 / reach.requests.max(1) as f64;
    let severity =
        if success_share >= rules.min_success_share { rules.success_severity } else { rules.alert.severity };
    let subject = reach.principal.map_or(Subject::Client(reach.client), Subject::Principal);
    let mut finding =
        Finding::new("object_enumeration", subject, severity, reach.moment).with_evidence(&reach.evidence);
    finding.endpoint = Some(reach.endpoint);
    finding.client = Some(reach.client);
    finding.client_count = 1;
    finding.client_sample = vec![reach.client];
    finding.count = reach.requests;
    finding.observed = format!(
        "{objects} different objects in {}{}, {} answered with success, {} refused or not found",
        span_in_words(&reach.moment),
        if is_sequence { format!(", in sequence from {} to {}", reach.lowest, reach.highest) } else { String::new() },
        percent(success_share),
        reach.misses
    );
    finding.expected = Some(match normal {
        Some(normal) => format!("at most {normal} for 99 % of {peers} looks at its peers, {usual} by its own past"),
        None => format!("fewer than {} objects", rules.min_objects_without_peers),
    });
    finding.spoils = vec![Spoiled::Reach(key), Spoiled::ClientErrors(reach.client), Spoiled::ClientExposure(reach.client)];
    finding.spoils.extend(reach.principal.map(Spoiled::PrincipalExposure));
    finding.spoils.push(Spoiled::EndpointErrors(reach.endpoint));
    Some(finding)
}

/// How densely the numeric ids fill the range between the lowest and the highest.
fn sequential_share(reach: &Reach, objects: u64) -> f64 {
    if reach.lowest > reach.highest {
        return 0.0;
    }
    objects as f64 / (reach.highest - reach.lowest).saturating_add(1) as f64
}
