//! Whether logins are under a campaign: failures of an endpoint, or of a network, that its ordinary days do not explain.
//!
//! In go a login endpoint with what it usually refuses, and who failed there; out come the attempts that are an attack's, and how
//! unlikely so many are, where a baseline says so. What it is called, and who is told of it, is for `credential_stuffing`.
//! Left out are guesses at single accounts, requests that made no sense, passwords sent again, and people who mistyped.

use super::Scene;
use super::brute_force::Guesses;
use super::stats::{odds_factor, ratio_test};
use super::strangers::{Asked, rush};
use crate::api::AccountFlow;
use crate::baseline::state::{AttemptsState, EndpointActivity, EndpointState, Share};
use crate::baseline::strangers::REQUESTS_PER_ATTEMPT;
use crate::baseline::{SPANS, not_understood, tier_of};
use crate::window::{Attempts, Merge, Strangers, network_of, pair_key};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Times as many user names as addresses up to which each address may be one person: people have one account, or two.
const USERS_PER_PERSON: u64 = 2;
/// The same for addresses that several people share.
const USERS_BEHIND_ADDRESS: u64 = 5;
/// Share of a login's failures below which it does not refuse wrong passwords as requests that make no sense.
const RARELY: f64 = 0.1;
/// Failures of an address up to which somebody may have mistyped.
const MOST_MISTYPED: u64 = 6;
/// Failures for each user, or password, from which on pairs are sent again; numbers of users are estimates.
const AGAIN: f64 = 1.25;
/// The endpoint's failures, where their share, or what strangers add to them, is far above its own baseline.
pub fn endpoint_campaign(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    guesses: Option<&Guesses>,
) -> Option<(Attempts, Option<f64>)> {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let usual = endpoint.login_failures.usual();
    let is_young = scene.is_learning || usual.total < floors.prior_strength;
    if let Some(attempts) = is_young.then(|| plain_campaign(scene, key, endpoint)).flatten() {
        return Some((attempts, None));
    }
    let shared = || shared_passwords(scene, key, endpoint).map(|attempts| (attempts, None));
    if scene.is_learning {
        return shared();
    }
    let more_than_usual = floors.horizons_seconds.iter().find_map(|horizon| {
        let tier = tier_of(*horizon);
        if endpoint.recent.sum(tier, failures_in) < floors.min_failures {
            return None;
        }
        let mut attempts = endpoint.recent.merged(tier, |activity| activity.logins.as_deref())?;
        // Guesses at single accounts have their own incident, and say nothing about the others.
        let accounts = guesses.iter().flat_map(|guesses| &guesses.accounts);
        let of_guesses = accounts.filter_map(|account| {
            let state = scene.store.login_accounts.get(account)?;
            Some(state.recent.sum(tier, |attempts| attempts.failures))
        });
        let of_others = of_guesses.sum::<u64>().saturating_add(nonsense_in(endpoint, &attempts, tier));
        let again = sent_again(&attempts);
        attempts.failures = attempts.failures.saturating_sub(of_others);
        let users = attempts.users.count();
        let per_user = attempts.failures as f64 / users.max(1) as f64;
        let is_of_few = per_user > scene.rules.credential_stuffing.max_failures_per_user
            && !is_same_for_all(scene, users as f64, attempts.passwords.count() as f64);
        if attempts.failures < floors.min_failures + again || users < floors.min_users || is_of_few {
            return None;
        }
        let all = attempts.failures;
        attempts.failures -= again; // more than that, see above
        let of_strangers = again * attempts.strangers.counted.min(all) / all.max(1);
        attempts.strangers.counted = attempts.strangers.counted.saturating_sub(of_others + of_strangers);
        let odds = |attempts: &Attempts| match more_than_usual_fail(scene, key, &usual, attempts) {
            Some(_) if are_own_users(scene, key, attempts) => None,
            Some(odds) => Some(odds),
            None => more_strangers_fail(scene, (key, endpoint), tier, attempts),
        };
        if scene.supposing(|| odds(&attempts)).is_some() {
            let others = mistyped_at(scene, key, tier) + guessed_slowly_at(scene, key, tier, guesses);
            attempts.failures = attempts.failures.saturating_sub(others);
            attempts.strangers.counted = attempts.strangers.counted.saturating_sub(others);
        }
        let odds = odds(&attempts).filter(|_| attempts.failures >= floors.min_failures)?;
        attempts.failures = all;
        Some((attempts, Some(odds)))
    });
    more_than_usual.or_else(shared)
}

/// Share of the users who failed that share their passwords, from which on that is no chance of a large site.
const SHARED: f64 = 0.25;

/// The endpoint's failures, where addresses each try the same passwords for several users, however few each tries. People who mistype, an
/// office's also, get in soon; a release that sends nonsense for a password sends it for its own users.
fn shared_passwords(scene: &Scene<'_>, key: u64, endpoint: &EndpointState) -> Option<Attempts> {
    let least = scene.rules.password_spraying.min_shared;
    scene.rules.credential_stuffing.endpoint.horizons_seconds.iter().find_map(|horizon| {
        let tier = tier_of(*horizon);
        if endpoint.recent.sum(tier, failures_in) < least {
            return None;
        }
        let attempts = endpoint.recent.merged(tier, |activity| activity.logins.as_deref())?;
        if sharing(&attempts) < least {
            return None;
        }
        let clients = scene.store.login_clients.iter().filter(|entry| is_login_at(entry, key));
        let of_clients = clients.filter_map(|entry| entry.recent.view(tier)).filter(|attempts| !are_healed(attempts));
        let shared: u64 = of_clients.map(|attempts| sharing(&attempts)).sum();
        let users = attempts.users.count();
        let may_be_people = users <= USERS_PER_PERSON * attempts.clients.count();
        let is_spray = shared >= least
            && shared as f64 >= SHARED * users as f64
            && !(may_be_people && (scene.is_learning || are_own_users(scene, key, &attempts)));
        is_spray.then_some(attempts)
    })
}

/// Users that have a password in common with another, at least: everybody mistypes his own, so that there are as many passwords as
/// users, or more.
pub fn sharing(attempts: &Attempts) -> u64 {
    match attempts.passwords.count() {
        0 => 0,
        passwords => attempts.users.count().saturating_sub(passwords + attempts.unread),
    }
}

/// How unlikely it is that such a share fails.
fn more_than_usual_fail(scene: &Scene<'_>, key: u64, usual: &Share, attempts: &Attempts) -> Option<f64> {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let total = attempts.total();
    let share = attempts.failures as f64 / total.max(1) as f64;
    if usual.total < floors.min_baseline_logins as f64
        || share < floors.min_failure_share
        || odds_factor(share, usual.share()) < floors.baseline_factor
    {
        return None;
    }
    let (hits, base) = (usual.hits as u64, usual.total as u64);
    let probability = ratio_test(attempts.failures, total, hits, base, floors.prior_strength);
    scene.rare("credential_stuffing.endpoint", key, probability)
}

/// How unlikely it is that so many strangers fail.
fn more_strangers_fail(
    scene: &Scene<'_>,
    (key, endpoint): (u64, &EndpointState),
    tier: usize,
    attempts: &Attempts,
) -> Option<f64> {
    let rules = &scene.rules.credential_stuffing;
    let (floors, Strangers { attempts, counted }) = (&rules.strangers, attempts.strangers);
    if counted < rules.endpoint.min_failures || (counted as f64) < floors.min_failure_share * attempts as f64 {
        return None;
    }
    let (baseline_factor, prior_strength) = (floors.baseline_factor, floors.prior_strength);
    let test = "credential_stuffing.strangers";
    let asked = Asked { test, tier, count: counted, baseline_factor, prior_strength };
    let of_strangers: fn(&EndpointActivity) -> u64 =
        |activity| activity.logins.as_deref().map_or(0, |logins| logins.strangers.counted);
    Some(rush(scene, (key, endpoint), endpoint.strange_failures.usual(), of_strangers, &asked)?.probability)
}

/// Failures of each user up to which he mistyped.
const MISTYPED_EACH: u64 = 3;

/// Whether at least half of the users who failed, each a few times, got in from the same client, too: people who mistyped. Who tries
/// leaked pairs gets in with the first try, or not at all.
pub fn are_healed(attempts: &Attempts) -> bool {
    let Some(failed) = attempts.users.exact() else { return false };
    let healed = attempts.succeeded.iter().filter(|(user, _)| failed.binary_search(user).is_ok()).count();
    let are_few = attempts.failures <= MISTYPED_EACH * failed.len() as u64;
    !failed.is_empty() && are_few && 2 * healed >= failed.len()
}

/// Failures that were mistyped: of addresses of which each user who failed got in, too, or half of many.
fn mistyped_at(scene: &Scene<'_>, key: u64, tier: usize) -> u64 {
    let clients = scene.store.login_clients.iter().filter(|entry| is_login_at(entry, key));
    let mistyped = clients.filter_map(|entry| {
        let failures = entry.recent.sum(tier, |attempts| attempts.failures);
        if failures == 0 || entry.recent.sum(tier, |attempts| attempts.successes) == 0 {
            return None;
        }
        let attempts = entry.recent.view(tier)?;
        if failures > MOST_MISTYPED {
            return are_healed(&attempts).then_some(failures);
        }
        let mut users = attempts.users.clone();
        attempts.succeeded.iter().for_each(|(user, _)| users.insert(user));
        (users.count() == attempts.succeeded.len() as u64).then_some(failures)
    });
    mistyped.sum()
}

/// Failures at a few accounts beyond some each, where nobody speaks of guesses yet: too slow for that, and no campaign. Many such
/// accounts are one.
fn guessed_slowly_at(scene: &Scene<'_>, key: u64, tier: usize, guesses: Option<&Guesses>) -> u64 {
    let is_told = |account: &u64| guesses.is_some_and(|guesses| guesses.accounts.contains(account));
    let accounts = scene.store.login_accounts.iter().filter(|entry| is_login_at(entry, key) && !is_told(entry.key()));
    let beyond =
        accounts.map(|entry| entry.recent.sum(tier, |attempts| attempts.failures).saturating_sub(MISTYPED_EACH));
    let (accounts, failures) =
        beyond.filter(|beyond| *beyond > 0).fold((0, 0), |(accounts, sum), one| (accounts + 1, sum + one));
    if accounts < scene.rules.credential_stuffing.endpoint.min_users { failures } else { 0 }
}

/// Failures with a password that had failed for its user before, as programs send it: at least so many pairs were tried as
/// there are users, or passwords, and few more where each user has his own.
fn sent_again(attempts: &Attempts) -> u64 {
    let (users, passwords) = (attempts.users.count(), attempts.passwords.count());
    let pairs = users.max(passwords);
    let is_spray = passwords * 2 < users;
    let is_again = attempts.failures as f64 >= AGAIN * pairs as f64;
    if is_again && !is_spray { attempts.failures - pairs } else { 0 }
}

/// The endpoint's failures, where they need no baseline: most logins fail, and those who fail try many accounts each, or are
/// nobody who was here before. While the sensor learns, nobody was.
fn plain_campaign(scene: &Scene<'_>, key: u64, endpoint: &EndpointState) -> Option<Attempts> {
    let floors = &scene.rules.credential_stuffing.endpoint;
    let enough = |tier: &usize| endpoint.recent.sum(*tier, failures_in) >= floors.min_failures_without_baseline;
    let tier = floors.horizons_seconds.iter().map(|horizon| tier_of(*horizon)).find(enough)?;
    let attempts = endpoint.recent.merged(tier, |activity| activity.logins.as_deref())?;
    let users = attempts.users.count();
    let may_be_people = users <= USERS_PER_PERSON * attempts.clients.count();
    let failures = attempts.failures.saturating_sub(nonsense_in(endpoint, &attempts, tier));
    let is_campaign = failures >= floors.min_failures_without_baseline
        && failures as f64 >= floors.min_failure_share_without_baseline * attempts.total() as f64
        && users >= floors.min_users
        && attempts.failures as f64 <= scene.rules.credential_stuffing.max_failures_per_user * users as f64
        && !(may_be_people && (scene.is_learning || are_own_users(scene, key, &attempts)));
    is_campaign.then_some(attempts)
}

/// The failures of one network, of those that clients failed from in this window.
pub fn network_campaign(
    scene: &Scene<'_>,
    key: u64,
    endpoint: &EndpointState,
    failing: impl Iterator<Item = IpAddr>,
) -> Option<Attempts> {
    let floors = &scene.rules.credential_stuffing.network;
    let tier = tier_of(floors.window_seconds);
    let mut networks: BTreeMap<IpAddr, Vec<u64>> = failing.map(|client| (network_of(client), Vec::new())).collect();
    if networks.is_empty() || endpoint.recent.sum(tier, failures_in) < floors.min_failures {
        return None;
    }
    for entry in scene.store.login_clients.iter().filter(|entry| is_login_at(entry, key)) {
        let client = entry.recent.buckets(tier).find_map(|attempts| attempts.client);
        if let Some(members) = client.and_then(|client| networks.get_mut(&network_of(client))) {
            members.push(*entry.key());
        }
    }
    networks.values_mut().filter(|members| members.len() as u64 >= floors.min_clients).find_map(|members| {
        members.sort_unstable();
        let states = || members.iter().filter_map(|member| scene.store.login_clients.get(member));
        let failures: u64 = states().map(|state| state.recent.sum(tier, |attempts| attempts.failures)).sum();
        let total: u64 = states().map(|state| state.recent.sum(tier, Attempts::total)).sum();
        if failures < floors.min_failures || (failures as f64) < floors.min_failure_share * total as f64 {
            return None;
        }
        let of_members: Vec<Attempts> = states().filter_map(|state| state.recent.view(tier)).collect();
        let sum = sum_of(&of_members);
        let is_campaign = sum.users.count() >= floors.min_users && sum.clients.count() >= floors.min_clients;
        is_campaign.then_some(sum)
    })
}

/// Whether those who fail are the endpoint's own users: about one account an address, and most of the addresses have been
/// here before, for other things than to log in. A release that breaks the login looks like this; a campaign comes from
/// addresses that nobody knows, or tries many accounts from each.
fn are_own_users(scene: &Scene<'_>, key: u64, attempts: &Attempts) -> bool {
    if attempts.users.count() > USERS_PER_PERSON * attempts.clients.count() {
        return false;
    }
    let known = attempts.client_sample.iter().filter(|(client, _)| {
        let Some(state) = scene.store.clients.get(client) else { return false };
        let longest = SPANS.len() - 1;
        let own = scene.store.login_clients.get(&pair_key(key, *client));
        let logins = own.as_ref().map_or(0, |own| own.recent.sum(longest, Attempts::total));
        let failed = own.and_then(|own| own.recent.buckets(longest).map(|attempts| attempts.moment.first).min());
        failed.is_some_and(|failed| state.moment.first < failed) && state.requests >= REQUESTS_PER_ATTEMPT * logins
    });
    known.count() * 2 > attempts.client_sample.len()
}

/// Failures that are no attempts: refused as requests that make no sense, by a login that refuses wrong passwords otherwise,
/// where those who fail may be anybody, a few accounts an address. That is a broken release, which others speak of.
pub fn nonsense_in(endpoint: &EndpointState, attempts: &Attempts, tier: usize) -> u64 {
    let usual = endpoint.login_nonsense.usual();
    let may_be_anybody = attempts.users.count() <= USERS_BEHIND_ADDRESS * attempts.clients.count();
    if !may_be_anybody || usual.total < 1.0 || usual.share() > RARELY {
        return 0;
    }
    endpoint.recent.sum(tier, |activity| not_understood(&activity.tally.statuses))
}

/// Few passwords for many users.
pub fn is_same_for_all(scene: &Scene<'_>, users: f64, passwords: f64) -> bool {
    let floors = &scene.rules.password_spraying;
    passwords > 0.0 && users >= floors.min_users as f64 && users >= floors.min_users_per_password * passwords
}

pub fn is_login_at(state: &AttemptsState, key: u64) -> bool {
    state.endpoint == Some(key) && state.flow == AccountFlow::Login
}

fn failures_in(activity: &EndpointActivity) -> u64 {
    activity.logins.as_deref().map_or(0, |logins| logins.failures)
}

pub fn sum_of<'a>(all: impl IntoIterator<Item = &'a Attempts>) -> Attempts {
    let mut sum = Attempts::default();
    for attempts in all {
        sum.merge(attempts.clone());
    }
    sum
}
