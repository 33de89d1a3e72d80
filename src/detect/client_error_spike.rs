//! `client_error_spike`: a share of 4XX far above the endpoint's, the client's or the host's own.
//!
//! Sees: errors given the number of requests, tested against the key's baseline, at an endpoint also status by status; a
//! client without a past is compared with its host. Misses: errors that were there while the baseline was learned, and
//! endpoints that have none. What a scan or stuffing explains joins those.

use super::error_share::{ErrorClass, Rules, Spikes};
use super::{Finding, Scene, Spoiled, Subject};
use crate::baseline::state::ClientState;

const CLIENT_ERRORS: ErrorClass = ErrorClass {
    detector: "client_error_spike",
    what: "client errors",
    test_of_endpoint: "client_error_spike.endpoint",
    test_of_client: "client_error_spike.client",
    test_of_host: "client_error_spike.host",
    at_endpoint: |activity| activity.errors.as_deref(),
    of_subject: |activity| activity.errors.as_deref(),
    usual_at_endpoint: |state| state.errors.usual(),
    usual_of_client: |state| state.errors,
    usual_of_host: |state| state.errors.usual(),
    spoils_endpoint: Spoiled::EndpointErrors,
    spoils_host: Spoiled::HostErrors,
    sole_client_speaks_for_endpoint: false,
    heals: true,
    most_bunched: f64::INFINITY,
};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.client_error_spike;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let shares = Rules {
        ignored_statuses: &rules.ignored_statuses,
        endpoint: &rules.endpoint,
        slow: Some(("client_error_spike.slow", &rules.slow)),
        client: &rules.client,
        host: &rules.host,
        severity: rules.alert.severity,
        outage: None,
    };
    let spikes = Spikes { class: &CLIENT_ERRORS, rules: shares, scene };
    spikes.of_endpoints_and_hosts(findings);
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        findings.extend(scene.store.clients.get(key).and_then(|state| of_client(&spikes, *key, &state)));
    }
}

fn of_client(spikes: &Spikes<'_>, key: u64, state: &ClientState) -> Option<Finding> {
    let rules = &spikes.scene.rules.client_error_spike;
    let spike = spikes.of_client(key, state)?;
    let mut finding = spikes.finding_of(Subject::Client(state.address), rules.client_severity, &rules.client, &spike);
    finding.spoils = vec![Spoiled::ClientErrors(state.address)];
    Some(finding)
}
