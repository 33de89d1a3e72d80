//! `credential_stuffing` and its relatives `password_spraying` and, at logins, `user_enumeration`: logins of many users that
//! mostly fail.
//!
//! Sees: many user names failing at a login endpoint, from one client, from one network, or (judged by the endpoint's
//! own share of failures) from many clients. Few passwords for many users are a spray. Users and passwords are counted by
//! keyed hash. Where the answers mostly say that there is no such user, and the passwords are the same few, it is the names that
//! are asked for. Misses: attempts whose outcome the wire does not show, and those at a login that lets nobody in any more.

use super::brute_force::{Guessed, Guesses};
use super::login_campaign::{
    are_healed, endpoint_campaign, is_login_at, is_same_for_all, network_campaign, nonsense_in, sharing, sum_of,
};
use super::reasons::Reasons;
use super::stats::ratio_interval;
use super::{DetectorName, Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::api::AccountFlow;
use crate::baseline::state::{EndpointState, Share};
use crate::baseline::strangers::REQUESTS_PER_ATTEMPT;
use crate::baseline::{SPANS, Tiers, tier_of};
use crate::rule::Severity;
use crate::time::Timestamp;
use crate::window::{Attempts, Moment, SUCCEEDED, Strangers, network_of, start_of};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Share of an attack's failures from which on one client, or one network, is said to be its source.
const SOURCE_SHARE: f64 = 0.8;
/// Share of an attack's failures from which on the clients that stand out give it its name.
const NAMING_SHARE: f64 = 0.5;

/// Different users that a source must have failed for before the accounts that it opened are evidence.
const USERS_OF_A_SOURCE: u64 = 3;
/// Tries of an address up to which it may be one of a campaign's, and how long it must be gone to have done nothing else.
const TRIES_OF_A_STRANGER: u64 = 2;
const GONE: Duration = Duration::from_secs(60);
/// Failures with always another password from which on a client's errors are not told as such yet: they are about to be
/// called an attack on logins, and if ten times as many are not, they are errors like others.
const HELD_FAILURES: u64 = 10;
/// User names for each different password from which on it is the names that are asked for, where answers tell.
const NAMES_PER_PASSWORD: f64 = 3.0;
/// Of so many users beyond those of an ordinary day one must share his password with another: half of them are a spray's.
const SHARED_BY_SPRAYED: f64 = 2.0;
/// Times the failures of a spray up to which an attack may still turn out to be one.
const UNDECIDED_FACTOR: f64 = 3.0;

/// A client that was at a login endpoint in this window: what it did there within the client horizon.
struct Visitor {
    client: IpAddr,
    failures: u64,
    /// When it failed, where that goes on to become an attack, or will be seen to be none.
    held: Option<Moment>,
    /// Its attempts, where they are an attack by themselves.
    suspicious: Option<Attempts>,
}

/// Gives what is certainly an attack, but needs a few more attempts to get a name.
pub fn judge(scene: &Scene<'_>, guessed: &Guessed, findings: &mut Vec<Finding>) -> Vec<Finding> {
    let mut undecided = Vec::new();
    let mut visitors: BTreeMap<u64, Vec<Visitor>> = BTreeMap::new();
    for key in &scene.touched.login_clients {
        let Some(state) = scene.store.login_clients.get(key) else { continue };
        let Some(endpoint) = state.endpoint.filter(|_| state.flow == AccountFlow::Login) else { continue };
        if let Some(visitor) = visitor_of(scene, &state.recent) {
            visitors.entry(endpoint).or_default().push(visitor);
        }
    }
    for (key, visitors) in &mut visitors {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        if state.gate.is_shut(scene.window) {
            continue;
        }
        excuse_nonsense(scene, &state, visitors);
        undecided
            .extend(visitors.iter().filter_map(|visitor| visitor.held.map(|moment| held_back(visitor.client, moment))));
        judge_endpoint(scene, *key, &state, visitors, guessed.get(key), findings, &mut undecided);
    }
    undecided
}

fn visitor_of(scene: &Scene<'_>, recent: &Tiers<Attempts>) -> Option<Visitor> {
    let floors = &scene.rules.credential_stuffing.client;
    let client = recent.buckets(SPANS.len() - 1).find_map(|attempts| attempts.client)?;
    let failures = recent.sum(tier_of(floors.window_seconds), |attempts| attempts.failures);
    let horizons = [
        (floors.window_seconds, floors.min_failures, floors.min_users),
        (floors.slow_window_seconds, floors.slow_min_failures, floors.slow_min_users),
    ];
    let suspicious = horizons.into_iter().find_map(|(seconds, min_failures, min_users)| {
        let tier = tier_of(seconds);
        let failures = recent.sum(tier, |attempts| attempts.failures);
        let total = recent.sum(tier, Attempts::total_of_users);
        if failures < min_failures || (failures as f64) < floors.min_failure_share * total as f64 {
            return None;
        }
        let attempts = recent.view(tier)?;
        let is_attack = attempts.users.count() >= min_users && !are_healed(&attempts) && is_of_many(scene, &attempts);
        is_attack.then_some(attempts)
    });
    // Always another password: a few more, and it is known whether they are for one account or for many.
    let passwords = recent.sum(tier_of(floors.window_seconds), |attempts| attempts.passwords.count());
    let is_held =
        suspicious.is_none() && (HELD_FAILURES..HELD_FAILURES * 10).contains(&failures) && passwords * 2 >= failures;
    let held = if is_held { recent.buckets(0).next().map(|attempts| attempts.moment) } else { None };
    Some(Visitor { client, failures, held, suspicious })
}

/// Where a login refuses many as requests that make no sense, so much less of what each client failed counts.
fn excuse_nonsense(scene: &Scene<'_>, endpoint: &EndpointState, visitors: &mut [Visitor]) {
    if visitors.iter().all(|visitor| visitor.suspicious.is_none()) {
        return;
    }
    let floors = &scene.rules.credential_stuffing.client;
    let tier = tier_of(floors.window_seconds);
    let Some(attempts) = endpoint.recent.merged(tier, |activity| activity.logins.as_deref()) else { return };
    let nonsense = nonsense_in(endpoint, &attempts, tier);
    let sense = 1.0 - nonsense as f64 / attempts.failures.max(nonsense).max(1) as f64;
    let is_attack = |attempts: &Attempts| attempts.failures as f64 * sense >= floors.min_failures as f64;
    for visitor in visitors {
        visitor.suspicious.take_if(|attempts| nonsense > 0 && !is_attack(attempts));
    }
}

fn judge_endpoint(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    visitors: &[Visitor],
    guesses: Option<&Guesses>,
    findings: &mut Vec<Finding>,
    undecided: &mut Vec<Finding>,
) {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let usual = endpoint.login_failures.usual();
    let suspects: Vec<&Attempts> = visitors.iter().filter_map(|visitor| visitor.suspicious.as_ref()).collect();
    let campaign = endpoint_campaign(scene, key, endpoint, guesses);
    let failing = visitors.iter().filter(|visitor| visitor.failures > 0).map(|visitor| visitor.client);
    let network = if campaign.is_none() { network_campaign(scene, key, endpoint, failing) } else { None };
    let (attempts, probability) = match (campaign, network, suspects.as_slice()) {
        (Some((attempts, probability)), _, _) => (attempts, probability),
        (None, Some(attempts), _) => (attempts, None),
        (None, None, []) => return,
        (None, None, suspects) => (sum_of(suspects.iter().copied()), None),
    };
    let Some(detector) = name_of(scene, &usual, &suspects, &attempts) else {
        let mut held = Finding::new("password_spraying", Subject::Endpoint(key), Severity::Low, attempts.moment);
        held.client_sample = sample_of(&suspects, &attempts);
        undecided.push(held);
        return;
    };
    let campaign = Campaign { detector, attempts: &attempts, probability, suspects: &suspects };
    let finding = campaign.finding(scene, (key, &usual), visitors);
    findings.extend(finding.as_ref().and_then(|finding| names_by_time(scene, finding, &attempts)));
    findings.extend(finding);
    // Who does something else at the same login, by himself and enough of it, is told of beside it.
    let mut others: BTreeMap<DetectorName, Vec<&Attempts>> = BTreeMap::new();
    for suspect in &suspects {
        let name = name_of(scene, &usual, &[*suspect], suspect).filter(|name| *name != detector);
        if let Some(name) = name.filter(|_| suspect.failures >= floors.min_failures) {
            others.entry(name).or_default().push(*suspect);
        }
    }
    for (detector, suspects) in &others {
        let attempts = sum_of(suspects.iter().copied());
        let other = Campaign { detector, attempts: &attempts, probability: None, suspects };
        findings.extend(other.finding(scene, (key, &usual), visitors));
    }
}

/// What failed at a login, under one name.
struct Campaign<'c> {
    detector: DetectorName,
    attempts: &'c Attempts,
    probability: Option<f64>,
    /// Whose attempts are an attack by themselves.
    suspects: &'c [&'c Attempts],
}

impl Campaign<'_> {
    fn finding(&self, scene: &Scene<'_>, (key, usual): (u64, &Share), visitors: &[Visitor]) -> Option<Finding> {
        let Campaign { detector, attempts, probability, suspects } = *self;
        let (stuffing, spraying) = (&scene.rules.credential_stuffing, &scene.rules.password_spraying);
        let enumeration = &scene.rules.user_enumeration;
        let (is_enabled, severity, success_severity) = match detector {
            "password_spraying" => (spraying.enabled, spraying.alert.severity, spraying.success_severity),
            "user_enumeration" => (enumeration.enabled, enumeration.alert.severity, spraying.success_severity),
            _ => (stuffing.enabled, stuffing.alert.severity, stuffing.success_severity),
        };
        if !is_enabled {
            return None;
        }
        let opened = opened_accounts(scene, key, suspects, suspects.is_empty());
        let severity = if opened.is_empty() { severity } else { success_severity };
        let source = source_of(key, attempts, suspects, visitors);
        let is_of_many = matches!(source, Subject::Endpoint(_));
        let mut by_strangers =
            if is_of_many { opened_by_strangers(scene, key, attempts.moment.first) } else { Vec::new() };
        by_strangers.retain(|user| !opened.contains(user));
        let mut finding = Finding::new(detector, source, severity, attempts.moment).with_evidence(&attempts.evidence);
        finding.endpoint = Some(key);
        if let Subject::Network(network) = &finding.subject {
            finding.network = Some(network.clone());
        }
        finding.client_count = attempts.clients.count();
        finding.client_sample = sample_of(suspects, attempts);
        finding.count = attempts.failures;
        finding.probability = probability;
        finding.observed = in_words(attempts, &opened, &by_strangers);
        finding.accounts = [opened, by_strangers].concat();
        finding.expected = Some(match usual.total >= 1.0 {
            true => format!("{} of logins at this endpoint fail normally", percent(usual.share())),
            // Nothing is known of the endpoint yet.
            false => {
                let floors = &stuffing.client;
                format!("fewer than {} failures for {} users of one client", floors.min_failures, floors.min_users)
            }
        });
        finding.reasons = reasons_of(scene, usual, attempts);
        finding.spoils = vec![Spoiled::Logins(key), Spoiled::EndpointErrors(key)];
        finding.spoils.extend(suspects.iter().filter_map(|attempts| attempts.client).map(Spoiled::ClientAttack));
        Some(finding)
    }
}

/// The same password for many names, and the login takes longer for some: whatever he is after, he learns who there is.
fn names_by_time(scene: &Scene<'_>, spray: &Finding, attempts: &Attempts) -> Option<Finding> {
    let rules = &scene.rules.user_enumeration;
    if !rules.enabled || spray.detector != "password_spraying" {
        return None;
    }
    let [quick, slow] = attempts.refused_after.groups()?;
    let observed = format!(
        "the time of an answer tells which names there are: about {} ms for {} refusals, {} ms for {}",
        quick.typical.as_millis(),
        quick.answers,
        slow.typical.as_millis(),
        slow.answers
    );
    let expected = Some("refusals that all take as long".to_owned());
    let (detector, severity) = ("user_enumeration", rules.alert.severity);
    let subject = spray.endpoint.map_or(spray.subject.clone(), Subject::Endpoint); // whoever sprays
    Some(Finding { detector, subject, severity, observed, expected, probability: None, ..spray.clone() })
}

/// The numbers behind it.
fn reasons_of(scene: &Scene<'_>, usual: &Share, attempts: &Attempts) -> Reasons {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let (failures, total) = (attempts.failures, attempts.total());
    let users = attempts.users.count().min(failures);
    let mut reasons = Reasons::default();
    if usual.total >= 1.0 {
        let (hits, base) = (usual.hits as u64, usual.total as u64);
        let [low, high] = ratio_interval(total, hits, base, floors.prior_strength);
        reasons = reasons.interval(low as f64, high as f64);
    }
    let clients = attempts.clients.count();
    let share = failures as f64 / total.max(1) as f64;
    let per_client = users as f64 / clients.max(1) as f64;
    let Strangers { attempts: tried, counted: strangers } = attempts.strangers;
    reasons
        .fact(format!("{} of {total} logins failed, {} is usual", percent(share), percent(usual.share())))
        .fact(format!("{per_client:.1} accounts for each of {clients} sources"))
        .fact(format!("{strangers} of {tried} logins of addresses that do nothing else failed"))
}

/// What is not told yet, and explains the errors of its client meanwhile.
fn held_back(client: IpAddr, moment: Moment) -> Finding {
    let mut held = Finding::new("password_spraying", Subject::Client(client), Severity::Low, moment);
    held.client_sample = vec![client];
    held
}

/// Whether a client's failures are those of many accounts, and not of a few that are guessed or retried.
fn is_of_many(scene: &Scene<'_>, attempts: &Attempts) -> bool {
    let (users, passwords) = (attempts.users.count(), attempts.passwords.count());
    let per_user = attempts.failures as f64 / users.max(1) as f64;
    let is_few = per_user > scene.rules.credential_stuffing.max_failures_per_user;
    // A long list of passwords is a spray all the same, where it is the same for all.
    if !is_few || is_same_for_all(scene, users as f64, passwords as f64) {
        return true;
    }
    // Programs behind one address keep sending the passwords they have stored, one for each user.
    let is_retrying = passwords * 2 >= users && passwords <= users;
    // So many passwords for each account are guesses, which have a name of their own.
    let guesses = &scene.rules.brute_force;
    let is_guessing = passwords >= guesses.min_passwords && per_user >= guesses.min_failures as f64;
    !is_retrying && !is_guessing
}

/// What the failures are called. The attempts of those who stand out tell best; else those of all, less the failures that
/// an ordinary day has: those come with another password each. `None` while a few more attempts are needed to tell.
fn name_of(scene: &Scene<'_>, usual: &Share, suspects: &[&Attempts], all: &Attempts) -> Option<DetectorName> {
    let floors = &scene.rules.password_spraying;
    let of_suspects = sum_of(suspects.iter().copied());
    let is_by_suspects = of_suspects.failures as f64 >= NAMING_SHARE * all.failures as f64;
    let (attempts, everyday) = match is_by_suspects {
        true => (&of_suspects, 0.0),
        false => (all, all.successes_of_users() as f64 * usual.share() / (1.0 - usual.share()).max(f64::EPSILON)),
    };
    let (users, passwords) = (attempts.users.count() as f64, attempts.passwords.count() as f64);
    let failures = attempts.failures as f64;
    let given_away = scene.rules.user_enumeration.min_given_away_share * failures;
    if attempts.given_away > 0 && attempts.given_away as f64 >= given_away && passwords * NAMES_PER_PASSWORD <= users {
        return Some("user_enumeration");
    }
    let shared = sharing(attempts);
    if shared >= floors.min_users && SHARED_BY_SPRAYED * shared as f64 >= users - everyday {
        return Some("password_spraying");
    }
    let everyday = everyday.min(users - 1.0).min(passwords - 1.0).max(0.0);
    let is_repeating = passwords > 0.0 && passwords * 2.0 <= failures;
    if failures - everyday >= floors.min_failures as f64
        && is_same_for_all(scene, users - everyday, passwords - everyday)
        && is_repeating
    {
        return Some("password_spraying");
    }
    // Few users so far, and passwords that repeat: a spray that takes one user after the other looks like this at first,
    // and stuffing does not, since each leaked account has its own.
    let is_undecided =
        is_repeating && users < floors.min_users as f64 && failures < UNDECIDED_FACTOR * floors.min_failures as f64;
    (!is_undecided).then_some("credential_stuffing")
}

/// The accounts that were opened by those who mostly failed. `of_all`: by any such source at the endpoint; else by the
/// suspects.
fn opened_accounts(scene: &Scene<'_>, key: u64, suspects: &[&Attempts], of_all: bool) -> Vec<u64> {
    let mut opened: BTreeSet<u64> =
        suspects.iter().flat_map(|attempts| attempts.succeeded.iter().map(|(user, _)| user)).collect();
    if of_all {
        let floors = &scene.rules.credential_stuffing.client;
        let tier = tier_of(floors.window_seconds);
        for entry in scene.store.login_clients.iter().filter(|entry| is_login_at(entry, key)) {
            if entry.recent.sum(tier, |attempts| attempts.users.count()) < USERS_OF_A_SOURCE {
                continue;
            }
            let Some(attempts) = entry.recent.view(tier) else { continue };
            if attempts.users.count() >= USERS_OF_A_SOURCE
                && attempts.failures as f64 >= floors.min_failure_share * attempts.total() as f64
            {
                opened.extend(attempts.succeeded.iter().map(|(user, _)| user));
            }
        }
    }
    opened.into_iter().collect()
}

/// The accounts that were opened since a campaign began by addresses that do nothing else: where each tries once or twice, who
/// gets in has hardly failed. Who has only just come may be about to use what he opened, as people do.
fn opened_by_strangers(scene: &Scene<'_>, key: u64, since: Timestamp) -> Vec<u64> {
    let (longest, now) = (SPANS.len() - 1, start_of(scene.window + 1));
    let mut opened = BTreeSet::new();
    for entry in scene.store.login_clients.iter().filter(|entry| is_login_at(entry, key)) {
        let tries = entry.recent.sum(longest, Attempts::total);
        if tries > TRIES_OF_A_STRANGER || entry.recent.sum(longest, |attempts| attempts.successes) == 0 {
            continue;
        }
        let client_key =
            entry.recent.buckets(longest).find_map(|attempts| attempts.client.and(Some(attempts.client_key)));
        let Some(client) = client_key.and_then(|client| scene.store.clients.get(&client)) else { continue };
        let is_gone = client.moment.last >= since && now.since(client.moment.last) >= GONE;
        if is_gone && client.requests < REQUESTS_PER_ATTEMPT * tries {
            let attempts = entry.recent.view(longest);
            opened.extend(attempts.iter().flat_map(|attempts| attempts.succeeded.iter().map(|(user, _)| user)));
        }
    }
    opened.into_iter().collect()
}

/// One client or one network, if it stands behind most of the failures; else the endpoint.
fn source_of(key: u64, attempts: &Attempts, suspects: &[&Attempts], visitors: &[Visitor]) -> Subject {
    let most = |failures: u64| failures as f64 >= SOURCE_SHARE * attempts.failures as f64;
    let of = |visitor: &Visitor| visitor.suspicious.as_ref().map_or(visitor.failures, |attempts| attempts.failures);
    // Who guesses at one account beside it has failed as often.
    let is_source = |suspect: &&&Attempts| most(suspect.failures);
    if let Some(client) = suspects.iter().find(is_source).and_then(|suspect| suspect.client) {
        return Subject::Client(client);
    }
    let mut networks: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for visitor in visitors {
        *networks.entry(network_of(visitor.client)).or_default() += of(visitor);
    }
    let of_sample: BTreeSet<IpAddr> = attempts.client_sample.iter().map(|(_, address)| network_of(*address)).collect();
    match networks.iter().find(|(_, failures)| most(**failures)) {
        Some((address, _)) if of_sample.len() == 1 && attempts.clients.count() > 1 => Subject::Network(cidr(*address)),
        _ => Subject::Endpoint(key),
    }
}

pub fn cidr(network: IpAddr) -> String {
    format!("{network}/{}", if network.is_ipv4() { 24 } else { 64 })
}

pub(super) fn sample_of(suspects: &[&Attempts], attempts: &Attempts) -> Vec<IpAddr> {
    let mut sample: Vec<IpAddr> = suspects.iter().filter_map(|attempts| attempts.client).take(8).collect();
    for (_, address) in attempts.client_sample.iter() {
        if sample.len() < 8 && !sample.contains(address) {
            sample.push(*address);
        }
    }
    sample
}

pub(super) fn in_words(attempts: &Attempts, opened: &[u64], by_strangers: &[u64]) -> String {
    let users = attempts.users.count().min(attempts.failures); // a large number of users is an estimate
    let mut words = format!(
        "{} failed logins for {users} user{} in {}",
        attempts.failures,
        if users == 1 { "" } else { "s" },
        span_in_words(&attempts.moment)
    );
    if attempts.passwords.count() > 0 {
        let passwords = attempts.passwords.count().min(attempts.failures);
        words.push_str(&format!(", {passwords} different password{}", if passwords == 1 { "" } else { "s" }));
    }
    match (opened, by_strangers) {
        ([], []) if attempts.successes == 0 => words.push_str("; nobody got in"),
        ([], []) => words.push_str("; nobody who mostly failed was seen to get in"),
        ([], _) => {}
        (opened, _) => words.push_str(&format!("; {} opened", accounts_in_words(opened))),
    }
    if !by_strangers.is_empty() {
        let accounts = accounts_in_words(by_strangers);
        words.push_str(&format!("; {accounts} opened by addresses that did nothing else"));
    }
    words
}

/// `2 accounts (3f.. and a0..)`: how many, and the hashes of the first.
fn accounts_in_words(accounts: &[u64]) -> String {
    let shown: Vec<String> = accounts.iter().take(3).map(|user| format!("{user:016x}")).collect();
    let more = if accounts.len() > shown.len() { ", ..." } else { "" };
    let least = if accounts.len() < SUCCEEDED { "" } else { "at least " };
    let plural = if accounts.len() == 1 { "" } else { "s" };
    format!("{least}{} account{plural} ({}{more})", accounts.len(), shown.join(", "))
}
