//! `cross_account_access`: an account is served objects that belong to others.
//!
//! Sees: an endpoint whose objects are each asked for by one account alone, again and again, and an account that is given those of
//! several others: nobody checks whose they are. It breaks a policy, and claims no odds. Misses: a first look at what nobody was
//! seen to come back to; one or two objects; accounts whose credential changes with each session; of an endpoint with many thousand objects
//! all but a sample ([`crate::baseline::Owners`]).

use super::{Finding, Reasons, Scene, Spoiled, Subject};
use crate::api::is_safe;
use crate::baseline::state::EndpointState;
use crate::baseline::{Owners, Visitor};
use crate::window::pair_key;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.cross_account_access;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(owners) = state.owners.as_deref() else { continue };
        let visitors = owners
            .visitors_in(scene.window)
            .filter(|visitor| visitor.objects() >= rules.min_objects && visitor.owners() >= rules.min_owners);
        findings.extend(visitors.filter_map(|visitor| finding_of(scene, (*key, &state), owners, visitor)));
    }
}

fn finding_of(
    scene: &Scene<'_>,
    (endpoint, state): (u64, &EndpointState),
    owners: &Owners,
    visitor: &Visitor,
) -> Option<Finding> {
    let rules = &scene.rules.cross_account_access;
    if owners.returns() < rules.min_returns || owners.owners() < rules.min_returning_owners {
        return None;
    }
    let principal = scene.store.principals.get(&visitor.principal)?;
    let severity = if is_safe(&state.method, &state.template) { rules.alert.severity } else { rules.changing_severity };
    let subject = Subject::Principal(visitor.principal);
    let mut finding = Finding::new("cross_account_access", subject, severity, visitor.moment)
        .with_clients(&principal.clients, &principal.client_sample);
    let reach = scene.store.reaches.get(&pair_key(endpoint, visitor.principal));
    if let Some(newest) = reach.as_ref().and_then(|reach| reach.recent.view(0)) {
        finding = finding.with_evidence(&newest.evidence);
    }
    finding.endpoint = Some(endpoint);
    finding.client = finding.only_client();
    finding.count = visitor.objects();
    finding.observed = format!("{} objects of {} other accounts were given", visitor.objects(), visitor.owners());
    finding.expected = Some(format!(
        "objects are their owners' alone: {} owners came back to theirs {} times",
        owners.owners(),
        owners.returns()
    ));
    finding.reasons = Reasons::default()
        .floor("min_objects", rules.min_objects as f64, visitor.objects() as f64)
        .floor("min_returns", rules.min_returns as f64, owners.returns() as f64);
    finding.spoils = vec![Spoiled::Reach(pair_key(endpoint, visitor.principal))];
    Some(finding)
}
