//! `credential_stuffing` and its relatives `brute_force` and `password_spraying`: logins that mostly fail.
//!
//! Sees: many user names failing at a login endpoint, from one client, from one network, or (judged by the endpoint's
//! own share of failures) from many clients; many passwords for one account; few passwords for many accounts. Users and
//! passwords are counted by keyed hash. Misses: attempts whose outcome the wire does not show.

use super::stats::ratio_test;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::EndpointState;
use crate::baseline::tier_of;
use crate::rule::Severity;
use crate::window::{Attempts, Merge};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Share of an attack's failures from which on one client, or one network, is said to be its source.
const SOURCE_SHARE: f64 = 0.8;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let mut clients: BTreeMap<u64, Vec<Attempts>> = BTreeMap::new();
    let client_tier = tier_of(scene.rules.credential_stuffing.client.window_seconds);
    for key in &scene.touched.login_clients {
        let Some(state) = scene.store.login_clients.get(key) else { continue };
        if let Some(attempts) = state.recent.view(client_tier) {
            clients.entry(attempts.endpoint).or_default().push(attempts);
        }
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(of_clients) = clients.get(key) else { continue };
        judge_endpoint(scene, *key, &state, of_clients, findings);
    }
    judge_accounts(scene, findings);
}

fn judge_endpoint(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    clients: &[Attempts],
    findings: &mut Vec<Finding>,
) {
    let rules = &scene.rules.credential_stuffing;
    let suspects: Vec<&Attempts> = clients.iter().filter(|attempts| is_suspect(scene, attempts)).collect();
    let campaign = endpoint_campaign(scene, endpoint);
    let network = if campaign.is_none() { network_campaign(scene, key, endpoint) } else { None };
    let (attempts, probability) = match (&campaign, &network, suspects.as_slice()) {
        (Some((attempts, probability)), _, _) => (attempts.clone(), Some(*probability)),
        (None, Some(attempts), _) => (attempts.clone(), None),
        (None, None, []) => return,
        (None, None, suspects) => (sum_of(suspects.iter().copied()), None),
    };
    let detector = match () {
        _ if is_spraying(scene, &suspects, &attempts) => "password_spraying",
        _ => "credential_stuffing",
    };
    let enabled = match detector {
        "password_spraying" => scene.rules.password_spraying.enabled,
        _ => rules.enabled,
    };
    if !enabled {
        return;
    }
    let suspected = sum_of(suspects.iter().copied());
    let got_in = suspected.succeeded.len();
    let severity = match (detector, got_in) {
        ("password_spraying", 0) => scene.rules.password_spraying.alert.severity,
        ("password_spraying", _) => scene.rules.password_spraying.success_severity,
        (_, 0) => rules.alert.severity,
        _ => rules.success_severity,
    };
    let mut finding = Finding::new(detector, source_of(key, &attempts, clients), severity, attempts.moment)
        .with_evidence(&attempts.evidence);
    finding.endpoint = Some(key);
    if let Subject::Network(network) = &finding.subject {
        finding.network = Some(network.clone());
    }
    finding.client_count = attempts.failing_clients.count();
    finding.client_sample = sample_of(&suspects, &attempts);
    finding.count = attempts.failures;
    finding.probability = probability;
    finding.observed = in_words(&attempts, got_in);
    let usual = &endpoint.login_failures;
    finding.expected = (usual.total >= 1.0).then(|| {
        format!("{} of logins at this endpoint fail normally", percent(usual.share()))
    });
    finding.spoils = vec![Spoiled::Logins(key), Spoiled::EndpointErrors(key)];
    finding.spoils.extend(suspects.iter().filter_map(|attempts| attempts.client).map(Spoiled::ClientErrors));
    findings.push(finding);
}

fn is_suspect(scene: &Scene<'_>, attempts: &Attempts) -> bool {
    let floors = &scene.rules.credential_stuffing.client;
    attempts.failures >= floors.min_failures
        && attempts.failed_users.count() >= floors.min_users
        && attempts.failures as f64 >= floors.min_failure_share * attempts.total() as f64
}

/// The endpoint's failures, where their share is far above its own baseline.
fn endpoint_campaign(scene: &Scene<'_>, endpoint: &EndpointState) -> Option<(Attempts, f64)> {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let usual = &endpoint.login_failures;
    if scene.is_learning || usual.total < floors.min_baseline_logins as f64 {
        return None;
    }
    floors.horizons_seconds.iter().find_map(|horizon| {
        let attempts = *endpoint.recent.view(tier_of(*horizon))?.logins?;
        let users = attempts.failed_users.count();
        let total = attempts.total();
        let share = attempts.failures as f64 / total.max(1) as f64;
        let per_user = attempts.failures as f64 / users.max(1) as f64;
        if attempts.failures < floors.min_failures
            || users < floors.min_users
            || share < floors.min_failure_share
            || share < floors.baseline_factor * usual.share()
            || per_user > scene.rules.credential_stuffing.max_failures_per_user
        {
            return None;
        }
        let (hits, base) = (usual.hits as u64, usual.total as u64);
        let probability = ratio_test(attempts.failures, total, hits, base, floors.prior_strength);
        (probability.value() <= floors.max_probability).then(|| (attempts, probability.rounded()))
    })
}

/// The failures of one network, where no endpoint-wide campaign explains them.
fn network_campaign(scene: &Scene<'_>, key: u64, endpoint: &EndpointState) -> Option<Attempts> {
    let floors = &scene.rules.credential_stuffing.network;
    let tier = tier_of(floors.window_seconds);
    let all = endpoint.recent.view(tier)?.logins?;
    if all.failures < floors.min_failures || all.failed_users.count() < floors.min_users {
        return None;
    }
    let mut networks: BTreeMap<IpAddr, Vec<Attempts>> = BTreeMap::new();
    for entry in scene.store.login_clients.iter() {
        let Some(attempts) = entry.recent.view(tier).filter(|attempts| attempts.endpoint == key) else { continue };
        if let Some(client) = attempts.client {
            networks.entry(network_address(client)).or_default().push(attempts);
        }
    }
    networks.values_mut().filter(|clients| clients.len() as u64 >= floors.min_clients).find_map(|clients| {
        clients.sort_by_key(|attempts| attempts.client);
        let sum = sum_of(clients.iter());
        let is_campaign = sum.failures >= floors.min_failures
            && sum.failed_users.count() >= floors.min_users
            && sum.failures as f64 >= floors.min_failure_share * sum.total() as f64;
        is_campaign.then_some(sum)
    })
}

/// Few passwords for many users. The suspects' own attempts tell best; others' failures come with other passwords.
fn is_spraying(scene: &Scene<'_>, suspects: &[&Attempts], all: &Attempts) -> bool {
    let floors = &scene.rules.password_spraying;
    let of_suspects = sum_of(suspects.iter().copied());
    let attempts = if suspects.is_empty() { all } else { &of_suspects };
    let (users, passwords) = (attempts.failed_users.count(), attempts.passwords.count());
    passwords > 0
        && users >= floors.min_users
        && attempts.failures >= floors.min_failures
        && users as f64 >= floors.min_users_per_password * passwords as f64
}

fn sum_of<'a>(all: impl IntoIterator<Item = &'a Attempts>) -> Attempts {
    let mut sum = Attempts::default();
    for attempts in all {
        sum.merge(attempts.clone());
    }
    sum
}

/// One client or one network, if it stands behind most of the failures; else the endpoint.
fn source_of(key: u64, attempts: &Attempts, clients: &[Attempts]) -> Subject {
    let most = |failures: u64| failures as f64 >= SOURCE_SHARE * attempts.failures as f64;
    if let Some(client) = clients.iter().find(|client| most(client.failures)).and_then(|client| client.client) {
        return Subject::Client(client);
    }
    let mut networks: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for client in clients {
        if let Some(address) = client.client {
            *networks.entry(network_address(address)).or_default() += client.failures;
        }
    }
    let of_sample: BTreeSet<IpAddr> =
        attempts.client_sample.iter().map(|(_, address)| network_address(*address)).collect();
    match networks.iter().find(|(_, failures)| most(**failures)) {
        Some((address, _)) if of_sample.len() == 1 && attempts.failing_clients.count() > 1 => Subject::Network(cidr(*address)),
        _ => Subject::Endpoint(key),
    }
}

/// The /24 or /64 an address is in.
pub fn network_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !0xff)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

pub fn cidr(network: IpAddr) -> String {
    format!("{network}/{}", if network.is_ipv4() { 24 } else { 64 })
}

fn sample_of(suspects: &[&Attempts], attempts: &Attempts) -> Vec<IpAddr> {
    let mut sample: Vec<IpAddr> = suspects.iter().filter_map(|attempts| attempts.client).take(8).collect();
    for (_, address) in attempts.client_sample.iter() {
        if sample.len() < 8 && !sample.contains(address) {
            sample.push(*address);
        }
    }
    sample
}

fn in_words(attempts: &Attempts, got_in: usize) -> String {
    let users = attempts.failed_users.count();
    let mut words = format!(
        "{} failed logins for {users} user{} in {}",
        attempts.failures,
        if users == 1 { "" } else { "s" },
        span_in_words(&attempts.moment)
    );
    if attempts.passwords.count() > 0 {
        words.push_str(&format!(", {} different passwords", attempts.passwords.count()));
    }
    match got_in {
        0 => words.push_str("; none of the sources got in"),
        _ => {
            words.push_str(&format!("; {got_in} account{} opened:", if got_in == 1 { "" } else { "s" }));
            for (user, _) in attempts.succeeded.iter().take(3) {
                words.push_str(&format!(" {user:016x}"));
            }
        }
    }
    words
}

fn judge_accounts(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.brute_force;
    if !rules.enabled {
        return;
    }
    let horizons = [(rules.window_seconds, rules.min_failures), (rules.slow_window_seconds, rules.slow_min_failures)];
    for key in &scene.touched.login_accounts {
        let Some(state) = scene.store.login_accounts.get(key) else { continue };
        let found = horizons.iter().find_map(|(seconds, min_failures)| {
            let attempts = state.recent.view(tier_of(*seconds))?;
            let is_guessing = attempts.failures >= *min_failures
                && attempts.passwords.count() >= rules.min_passwords
                && attempts.failing_clients.count() <= rules.max_clients
                && attempts.failures as f64 >= rules.min_failure_share * attempts.total() as f64;
            is_guessing.then_some(attempts)
        });
        let Some(attempts) = found else { continue };
        let got_in = attempts.succeeded.len();
        let severity: Severity = if got_in > 0 { rules.success_severity } else { rules.alert.severity };
        let mut finding =
            Finding::new("brute_force", Subject::Account(attempts.user.unwrap_or(0)), severity, attempts.moment)
                .with_evidence(&attempts.evidence);
        finding.endpoint = Some(attempts.endpoint);
        finding.client_count = attempts.failing_clients.count();
        finding.client_sample = sample_of(&[], &attempts);
        finding.client = (finding.client_count == 1).then(|| finding.client_sample.first().copied()).flatten();
        finding.count = attempts.failures;
        finding.observed = in_words(&attempts, got_in);
        finding.expected = Some("people try a handful of passwords and then reset theirs".to_string());
        finding.spoils = vec![Spoiled::Logins(attempts.endpoint), Spoiled::EndpointErrors(attempts.endpoint)];
        finding.spoils.extend(finding.client_sample.iter().copied().map(Spoiled::ClientErrors));
        findings.push(finding);
    }
}
