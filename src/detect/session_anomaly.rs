//! `session_anomaly`: one session, token or key is used from many networks, or with other programs besides.
//!
//! Sees: a credential that within minutes, or an hour, comes from more providers' networks than a person on the road with a
//! phone and a computer has, with more than one program; or within a day from so many that it can only have been handed out. What a key did while the
//! sensor learned is its own: a partner with machines everywhere. Misses: a stolen cookie used from one more network with
//! the same `User-Agent`.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject, span_in_words};
use crate::baseline::state::PrincipalState;
use crate::baseline::tier_of;

/// Networks that a credential was used from while the sensor learned, from which on it is everybody's: a key in an app or a page.
const SHARED_NETWORKS: u64 = 20;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.session_anomaly;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in &scene.touched.principals {
        let Some(state) = scene.store.principals.get(key) else { continue };
        let last = rules.horizons_seconds.len() - 1; // checked to be at least one
        findings.extend(rules.horizons_seconds.iter().enumerate().find_map(|(nth, horizon)| {
            let least = match nth {
                0 => rules.min_networks,
                _ if nth < last => rules.slow_min_networks,
                _ => rules.min_networks_alone,
            };
            anomaly_of(scene, *key, &state, (*horizon, least))
        }));
    }
}

fn anomaly_of(scene: &Scene<'_>, key: u64, state: &PrincipalState, (horizon, least): (u64, u64)) -> Option<Finding> {
    let rules = &scene.rules.session_anomaly;
    if state.usual_networks >= SHARED_NETWORKS {
        return None;
    }
    let recent = state.places.as_deref()?;
    let tier = tier_of(horizon);
    let least = least.max((rules.factor * state.usual_networks as f64).ceil() as u64);
    if recent.sum(tier, |places| places.networks.count()) < least {
        return None;
    }
    let places = recent.view(tier)?;
    let (networks, agents) = (places.networks.count(), places.agents.count());
    let is_handed_out = networks >= rules.min_networks_alone.max(least);
    if networks < least || (agents < rules.min_agents && !is_handed_out) {
        return None;
    }
    let mut finding = Finding::new("session_anomaly", Subject::Principal(key), rules.alert.severity, places.moment)
        .with_evidence(&places.evidence)
        .with_clients(&state.clients, &places.sample);
    finding.count = networks;
    finding.observed = format!(
        "one credential from {networks} networks with {agents} program{} in {}",
        if agents == 1 { "" } else { "s" },
        span_in_words(&places.moment)
    );
    finding.expected = Some(match state.usual_networks {
        0 | 1 => "a session or key is used from one network, or a few".to_string(),
        usual => format!("up to {usual} networks within an hour"),
    });
    finding.reasons = Reasons::over(horizon)
        .floor("min_networks", least as f64, networks as f64)
        .fact(format!("{networks} networks"))
        .fact(format!("{agents} different User-Agents"));
    finding.spoils = vec![Spoiled::Places(key)];
    Some(finding)
}
