//! `credential_stuffing` and its relatives `brute_force` and `password_spraying`: logins that mostly fail.
//!
//! Sees: many user names failing at a login endpoint, from one client, from one network, or (judged by the endpoint's
//! own share of failures) from many clients; many passwords for one account; few passwords for many accounts. Users and
//! passwords are counted by keyed hash. Misses: attempts whose outcome the wire does not show.

use super::stats::ratio_test;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::EndpointState;
use crate::baseline::{SPANS, tier_of};
use crate::rule::Severity;
use crate::window::{Attempts, Merge, pair_key};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Share of an attack's failures from which on one client, or one network, is said to be its source.
const SOURCE_SHARE: f64 = 0.8;

/// Times as many user names as addresses up to which each address may be one person: people have one account, or two.
const USERS_PER_PERSON: u64 = 2;
/// Times as many requests as logins from which on somebody came for more than logging in.
const REQUESTS_PER_LOGIN: u64 = 4;
/// Different users that a source must have failed for before the accounts that it opened are evidence.
const USERS_OF_A_SOURCE: u64 = 3;

/// Accounts that are being guessed, and by whom, for each login endpoint.
type Guessed = BTreeMap<u64, (Vec<u64>, BTreeSet<IpAddr>)>;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let mut guessed = Guessed::new();
    let mut guesses = Vec::new();
    judge_accounts(scene, &mut guesses, &mut guessed);
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
        judge_endpoint(scene, *key, &state, of_clients, &guessed, findings);
    }
    findings.append(&mut guesses);
}

fn judge_endpoint(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    clients: &[Attempts],
    guessed: &Guessed,
    findings: &mut Vec<Finding>,
) {
    let rules = &scene.rules.credential_stuffing;
    let suspects: Vec<&Attempts> =
        clients.iter().filter(|attempts| is_suspect(scene, attempts, guessed.get(&key))).collect();
    let campaign = endpoint_campaign(scene, key, endpoint, guessed.get(&key));
    let network = if campaign.is_none() { network_campaign(scene, key, endpoint) } else { None };
    let (attempts, probability) = match (&campaign, &network, suspects.as_slice()) {
        (Some((attempts, probability)), _, _) => (attempts.clone(), Some(*probability)),
        (None, Some(attempts), _) => (attempts.clone(), None),
        (None, None, []) => return,
        (None, None, suspects) => (sum_of(suspects.iter().copied()), None),
    };
    if is_undecided(scene, &attempts) {
        return;
    }
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
    let opened = opened_accounts(scene, key, &suspects, suspects.is_empty());
    let got_in = opened.len();
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
    finding.observed = in_words(&attempts, &opened);
    let usual = &endpoint.login_failures;
    finding.expected =
        (usual.total >= 1.0).then(|| format!("{} of logins at this endpoint fail normally", percent(usual.share())));
    finding.spoils = vec![Spoiled::Logins(key), Spoiled::EndpointErrors(key)];
    finding.spoils.extend(suspects.iter().filter_map(|attempts| attempts.client).map(Spoiled::ClientErrors));
    findings.push(finding);
}

fn is_suspect(scene: &Scene<'_>, attempts: &Attempts, guessed: Option<&(Vec<u64>, BTreeSet<IpAddr>)>) -> bool {
    let rules = &scene.rules.credential_stuffing;
    let floors = &rules.client;
    let (users, passwords) = (attempts.failed_users.count(), attempts.passwords.count());
    if attempts.failures < floors.min_failures
        || users < floors.min_users
        || (attempts.failures as f64) < floors.min_failure_share * attempts.total() as f64
    {
        return false;
    }
    if attempts.failures as f64 <= rules.max_failures_per_user * users as f64 {
        return true;
    }
    // Few accounts again and again: either they are guessed, which has a name of its own, or programs behind one address
    // keep sending the passwords they have stored, one for each.
    let is_guesser =
        guessed.is_some_and(|(_, clients)| attempts.client.is_some_and(|client| clients.contains(&client)));
    let is_retrying = passwords * 2 >= users && passwords <= users;
    !is_guesser && !is_retrying
}

/// Few users so far, and passwords that repeat: a spray that takes one user after the other looks like this at first, and
/// stuffing does not, since each leaked account has its own. A few more attempts tell.
fn is_undecided(scene: &Scene<'_>, attempts: &Attempts) -> bool {
    let floors = &scene.rules.password_spraying;
    let passwords = attempts.passwords.count();
    passwords > 0
        && attempts.failed_users.count() < floors.min_users
        && passwords * 2 <= attempts.failures
        && attempts.failures < 3 * floors.min_failures
}

/// The accounts that were opened by those who mostly failed. `of_all`: by any such source at the endpoint; else by the
/// suspects.
fn opened_accounts(scene: &Scene<'_>, key: u64, suspects: &[&Attempts], of_all: bool) -> Vec<u64> {
    let mut opened: BTreeSet<u64> =
        suspects.iter().flat_map(|attempts| attempts.succeeded.iter().map(|(user, _)| user)).collect();
    if of_all {
        let floors = &scene.rules.credential_stuffing.client;
        let tier = tier_of(floors.window_seconds);
        for entry in scene.store.login_clients.iter().filter(|entry| entry.endpoint == Some(key)) {
            let Some(attempts) = entry.recent.view(tier) else { continue };
            if attempts.failed_users.count() >= USERS_OF_A_SOURCE
                && attempts.failures as f64 >= floors.min_failure_share * attempts.total() as f64
            {
                opened.extend(attempts.succeeded.iter().map(|(user, _)| user));
            }
        }
    }
    opened.into_iter().collect()
}

/// Whether those who fail are the endpoint's own users: about one account an address, and most of the addresses have been
/// here before, for other things than to log in. A release that breaks the login looks like this; a campaign comes from
/// addresses that nobody knows, or tries many accounts from each.
fn are_own_users(scene: &Scene<'_>, key: u64, attempts: &Attempts) -> bool {
    if attempts.failed_users.count() > USERS_PER_PERSON * attempts.failing_clients.count() {
        return false;
    }
    let known = attempts.client_sample.iter().filter(|(client, _)| {
        let Some(state) = scene.store.clients.get(client) else { return false };
        let logins = scene.store.login_clients.get(&pair_key(key, *client));
        let logins = logins.and_then(|state| state.recent.view(SPANS.len() - 1)).map_or(0, |attempts| attempts.total());
        state.moment.first < attempts.moment.first && state.requests >= REQUESTS_PER_LOGIN * logins
    });
    known.count() * 2 > attempts.client_sample.len()
}

/// The endpoint's failures, where their share is far above its own baseline.
fn endpoint_campaign(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    guessed: Option<&(Vec<u64>, BTreeSet<IpAddr>)>,
) -> Option<(Attempts, f64)> {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let usual = &endpoint.login_failures;
    if scene.is_learning || usual.total < floors.min_baseline_logins as f64 {
        return None;
    }
    floors.horizons_seconds.iter().find_map(|horizon| {
        let tier = tier_of(*horizon);
        let mut attempts = *endpoint.recent.view(tier)?.logins?;
        // Guesses at single accounts have their own incident, and say nothing about the others.
        let accounts = guessed.iter().flat_map(|(accounts, _)| accounts);
        let guesses = accounts.filter_map(|account| scene.store.login_accounts.get(account)?.recent.view(tier));
        let guesses: u64 = guesses.map(|account| account.failures).sum();
        attempts.failures = attempts.failures.saturating_sub(guesses);
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
        let is_campaign = probability.value() <= floors.max_probability && !are_own_users(scene, key, &attempts);
        is_campaign.then(|| (attempts, probability.rounded()))
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
        Some((address, _)) if of_sample.len() == 1 && attempts.failing_clients.count() > 1 => {
            Subject::Network(cidr(*address))
        }
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

fn in_words(attempts: &Attempts, opened: &[u64]) -> String {
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
    match opened {
        [] => words.push_str("; none of the sources was seen to get in"),
        opened => {
            words.push_str(&format!("; {} account{} opened:", opened.len(), if opened.len() == 1 { "" } else { "s" }));
            for user in opened.iter().take(3) {
                words.push_str(&format!(" {user:016x}"));
            }
        }
    }
    words
}

fn judge_accounts(scene: &Scene<'_>, findings: &mut Vec<Finding>, guessed: &mut Guessed) {
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
        let opened: Vec<u64> = attempts.succeeded.iter().map(|(user, _)| user).collect();
        let severity: Severity = if !opened.is_empty() { rules.success_severity } else { rules.alert.severity };
        let mut finding =
            Finding::new("brute_force", Subject::Account(attempts.user.unwrap_or(0)), severity, attempts.moment)
                .with_evidence(&attempts.evidence);
        finding.endpoint = Some(attempts.endpoint);
        finding.client_count = attempts.failing_clients.count();
        finding.client_sample = sample_of(&[], &attempts);
        finding.client = (finding.client_count == 1).then(|| finding.client_sample.first().copied()).flatten();
        finding.count = attempts.failures;
        finding.observed = in_words(&attempts, &opened);
        finding.expected = Some("people try a handful of passwords and then reset theirs".to_string());
        finding.spoils = vec![Spoiled::Logins(attempts.endpoint), Spoiled::EndpointErrors(attempts.endpoint)];
        finding.spoils.extend(finding.client_sample.iter().copied().map(Spoiled::ClientErrors));
        let (accounts, clients) = guessed.entry(attempts.endpoint).or_default();
        accounts.push(*key);
        clients.extend(&finding.client_sample);
        findings.push(finding);
    }
}
