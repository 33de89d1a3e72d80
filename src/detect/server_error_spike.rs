//! `server_error_spike`: a share of 5XX far above the endpoint's or the host's own, or one client that alone provokes them.
//!
//! Sees: failures given the number of requests, tested against the key's baseline; of a young endpoint what is usual at its
//! host weighs in. A client is named only if others ask the same host and are served: who fuzzes or injects has the
//! failures for himself, and in an outage everybody has them. Misses: failures that were there while the baseline was
//! learned; answers that say `200` and mean an error; servers that give no answer at all (`traffic_drop`).

use super::error_share::{ErrorClass, Rules, Spike, Spikes, errors_in};
use super::stats::odds_factor;
use super::{Finding, Scene, Spoiled, Subject};
use crate::baseline::state::ClientState;
use crate::baseline::tier_of;

const SERVER_ERRORS: ErrorClass = ErrorClass {
    detector: "server_error_spike",
    what: "server errors",
    test_of_endpoint: "server_error_spike.endpoint",
    test_of_client: "server_error_spike.client",
    test_of_host: "server_error_spike.host",
    at_endpoint: |activity| activity.failures.as_deref(),
    of_subject: |activity| activity.failures.as_deref(),
    usual_at_endpoint: |state| state.failures.usual(),
    usual_of_client: |state| state.failures.as_deref().copied().unwrap_or_default(),
    usual_of_host: |state| state.failures.usual(),
    spoils_endpoint: Spoiled::EndpointFailures,
    spoils_host: Spoiled::HostFailures,
    sole_client_speaks_for_endpoint: true,
    heals: false,
    // A request and its retries: three, as the clients of clouds do.
    most_bunched: 4.0,
};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.server_error_spike;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let shares = Rules {
        ignored_statuses: &rules.ignored_statuses,
        endpoint: &rules.endpoint,
        slow: None,
        client: &rules.client,
        host: &rules.host,
        severity: rules.alert.severity,
        outage: Some((rules.outage_share, rules.outage_severity)),
    };
    let spikes = Spikes { class: &SERVER_ERRORS, rules: shares, scene };
    spikes.of_endpoints_and_hosts(findings);
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        findings.extend(scene.store.clients.get(key).and_then(|state| of_client(&spikes, *key, &state)));
    }
}

fn of_client(spikes: &Spikes<'_>, key: u64, state: &ClientState) -> Option<Finding> {
    let rules = &spikes.scene.rules.server_error_spike;
    let spike = spikes.of_client(key, state)?;
    let served = others_served(spikes, &spike)?;
    let mut finding = spikes.finding_of(Subject::Client(state.address), rules.client_severity, &rules.client, &spike);
    finding.reasons = finding.reasons.fact(served.to_owned());
    finding.spoils = vec![Spoiled::ClientFailures(state.address)];
    // What one client provokes is not normal for anybody.
    let hosts: Vec<&str> = spike.errors.evidence.iter().map(|(_, shown)| shown.host.as_str()).collect();
    let of_hosts = spikes.scene.touched.hosts.iter().copied();
    let is_his = |key: &u64| spikes.scene.store.hosts.get(key).is_some_and(|host| hosts.contains(&&*host.host));
    finding.spoils.extend(of_hosts.filter(is_his).map(Spoiled::HostFailures));
    Some(finding)
}

/// That others at the client's host are served, where its failures are the client's: all the while, or, where hardly
/// anybody else is there, as a rule.
fn others_served(spikes: &Spikes<'_>, spike: &Spike) -> Option<&'static str> {
    let rules = &spikes.scene.rules.server_error_spike;
    let (_, shown) = spike.errors.evidence.first()?;
    let host = spikes.scene.store.host_named(&shown.host)?;
    let tier = tier_of(rules.client.window_seconds);
    let failures = host.recent.sum(tier, |activity| errors_in(activity.failures.as_deref()));
    let requests = host.recent.sum(tier, |activity| activity.requests);
    let counts = &spike.counts;
    let others_failures = failures.saturating_sub(counts.errors);
    let others = requests.saturating_sub(counts.requests);
    let usual = host.failures.usual();
    let (share, served) = if others >= rules.min_others {
        (others_failures as f64 / others as f64, "others at the host are served")
    } else if usual.total >= rules.min_others as f64 {
        (usual.share(), "nobody else is there; others were served before")
    } else {
        return None;
    };
    let is_own = counts.errors as f64 >= rules.min_own_share * failures as f64;
    (is_own && odds_factor(counts.share(), share) >= rules.client.baseline_factor).then_some(served)
}
