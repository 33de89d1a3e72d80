//! `privileged_function`: somebody is served by a function that only few others use.
//!
//! Sees: an account that has been about for long and is served, with success, by an endpoint that a small circle used again and
//! again, and nobody else of many times as many: an administrator's function without a check of rights. It breaks a policy,
//! and claims no odds. Misses: accounts that are new, as an administrator's next session is; those that belong to another circle of
//! the host; functions that many have, or that are little used. Who is an outsider is decided when he comes
//! ([`crate::baseline::Store::absorb`]).

use super::{Finding, Reasons, Scene, Spoiled, Subject};
use crate::api::is_safe;
use crate::baseline::{Circle, Outsider};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.privileged_function;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let all = scene.store.principals.len() as u64;
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(circle) = state.circle.as_deref() else { continue };
        let outsiders = circle.outsiders_in(scene.window);
        let is_safe = is_safe(&state.method, &state.template);
        let found = outsiders.filter_map(|outsider| finding_of(scene, (*key, is_safe), circle, outsider, all));
        findings.extend(found);
    }
}

/// Whether members are few, and came so often that others would have come, too, if they could.
fn is_closed(scene: &Scene<'_>, circle: &Circle, all: u64) -> bool {
    let (rules, members) = (&scene.rules.privileged_function, circle.members());
    (1..=rules.max_members).contains(&members)
        && all as f64 >= rules.min_others_factor * members as f64
        && circle.novelty() <= rules.max_novelty
}

fn finding_of(
    scene: &Scene<'_>,
    (endpoint, is_safe): (u64, bool),
    circle: &Circle,
    outsider: &Outsider,
    all: u64,
) -> Option<Finding> {
    if !is_closed(scene, circle, all) {
        return None;
    }
    let rules = &scene.rules.privileged_function;
    let principal = scene.store.principals.get(&outsider.principal)?;
    let severity = if is_safe { rules.alert.severity } else { rules.changing_severity };
    let subject = Subject::Principal(outsider.principal);
    let mut finding = Finding::new("privileged_function", subject, severity, outsider.moment)
        .with_evidence(&outsider.evidence)
        .with_clients(&principal.clients, &principal.client_sample);
    finding.endpoint = Some(endpoint);
    finding.client = finding.only_client();
    finding.count = outsider.windows;
    let (members, visits) = (circle.members(), circle.visits());
    let others = if members == 1 { "one other".to_owned() } else { format!("{members} others") };
    finding.observed = format!("an account is served by what only {others} use");
    finding.expected = Some(format!("{others} of {all} accounts came, {visits} times"));
    finding.reasons = Reasons::default()
        .floor("min_others_factor", rules.min_others_factor, all as f64 / members as f64)
        .fact(format!("{members} members of its circle came {visits} times"));
    finding.spoils = vec![Spoiled::Outsider(endpoint, outsider.principal)];
    Some(finding)
}
