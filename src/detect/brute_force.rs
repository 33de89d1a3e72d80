//! `brute_force`: many passwords for one account.
//!
//! Sees: the number of different passwords that failed for a user name at a login endpoint, over minutes and over hours;
//! where logins have no user name (a PIN, a code), those of one client. Misses: logins whose password cannot be read.

use super::credential_stuffing::{in_words, sample_of};
use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject};
use crate::baseline::{Tiers, tier_of};
use crate::window::Attempts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What is being guessed at one login endpoint, and by whom.
#[derive(Default)]
pub struct Guesses {
    /// Keys of the accounts.
    pub accounts: Vec<u64>,
    pub clients: BTreeSet<IpAddr>,
}

/// Guesses by login endpoint.
pub type Guessed = BTreeMap<u64, Guesses>;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) -> Guessed {
    let mut guessed = Guessed::new();
    if !scene.rules.brute_force.enabled {
        return guessed;
    }
    for key in &scene.touched.login_accounts {
        let Some(state) = scene.store.login_accounts.get(key) else { continue };
        let Some(attempts) = guesses_in(scene, &state.recent) else { continue };
        let finding = finding_of(scene, Subject::Account(attempts.user.unwrap_or(0)), &attempts);
        let guesses = guessed.entry(attempts.endpoint).or_default();
        guesses.accounts.push(*key);
        guesses.clients.extend(&finding.client_sample);
        findings.push(finding);
    }
    for key in &scene.touched.login_clients {
        let Some(state) = scene.store.login_clients.get(key) else { continue };
        let has_users = state.recent.buckets(0).any(|attempts| !attempts.failed_users.is_empty());
        if has_users {
            continue;
        }
        let Some(attempts) = guesses_in(scene, &state.recent) else { continue };
        if let Some(client) = attempts.client.filter(|_| attempts.failed_users.is_empty()) {
            findings.push(finding_of(scene, Subject::Client(client), &attempts));
        }
    }
    guessed
}

/// The attempts within the shortest horizon in which they are guesses.
fn guesses_in(scene: &Scene<'_>, recent: &Tiers<Attempts>) -> Option<Attempts> {
    let rules = &scene.rules.brute_force;
    let horizons = [(rules.window_seconds, rules.min_failures), (rules.slow_window_seconds, rules.slow_min_failures)];
    horizons.iter().find_map(|(seconds, min_failures)| {
        let tier = tier_of(*seconds);
        let failures = recent.sum(tier, |attempts| attempts.failures);
        if failures < *min_failures
            || (failures as f64) < rules.min_failure_share * recent.sum(tier, Attempts::total) as f64
        {
            return None;
        }
        recent.view(tier).filter(|attempts| {
            attempts.passwords.count() >= rules.min_passwords && attempts.failing_clients.count() <= rules.max_clients
        })
    })
}

fn finding_of(scene: &Scene<'_>, subject: Subject, attempts: &Attempts) -> Finding {
    let rules = &scene.rules.brute_force;
    let opened: Vec<u64> = attempts.succeeded.iter().map(|(user, _)| user).collect();
    let severity = if opened.is_empty() { rules.alert.severity } else { rules.success_severity };
    let mut finding = Finding::new("brute_force", subject, severity, attempts.moment).with_evidence(&attempts.evidence);
    finding.endpoint = Some(attempts.endpoint);
    finding.client_count = attempts.failing_clients.count();
    finding.client_sample = sample_of(&[], attempts);
    finding.client = (finding.client_count == 1).then(|| finding.client_sample.first().copied()).flatten();
    finding.count = attempts.failures;
    finding.observed = in_words(attempts, &opened);
    finding.reasons = Reasons::default()
        .floor("min_failures", rules.min_failures.min(rules.slow_min_failures) as f64, attempts.failures as f64)
        .floor("min_passwords", rules.min_passwords as f64, attempts.passwords.count() as f64)
        .fact(format!("{} different passwords for one account", attempts.passwords.count().min(attempts.failures)))
        .fact(format!("{} of {} attempts failed", attempts.failures, attempts.total()))
        .fact(format!("{} opened", if opened.is_empty() { "the account was not" } else { "the account was" }));
    finding.expected = Some("people try a handful of passwords and then reset theirs".to_string());
    finding.spoils = vec![Spoiled::Logins(attempts.endpoint), Spoiled::EndpointErrors(attempts.endpoint)];
    finding.spoils.extend(finding.client_sample.iter().copied().map(Spoiled::ClientErrors));
    finding
}
