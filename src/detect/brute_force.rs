//! `brute_force`: many passwords for one account; `otp_brute_force`: many one-time codes.
//!
//! Sees: the number of different passwords that failed for a user name at a login endpoint, over minutes and over hours;
//! where logins have no user name (a PIN), those of one client. Codes likewise: for a user name, or for the session that
//! waits for one; and those that one client tries for many accounts. Misses: logins whose password cannot be read, codes
//! in paths, and a few codes for each of many accounts from as many addresses.

use super::credential_stuffing::{in_words, sample_of};
use super::login_campaign::{is_login_at, sum_of};
use super::reasons::Reasons;
use super::{DetectorName, Finding, Scene, Spoiled, Subject};
use crate::api::AccountFlow;
use crate::baseline::state::AttemptsState;
use crate::baseline::{SPANS, Tiers, tier_of};
use crate::rule::BruteForce;
use crate::window::Attempts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What is being guessed at one login endpoint, and by whom.
#[derive(Default)]
pub struct Guesses {
    /// Keys of the accounts.
    pub accounts: BTreeSet<u64>,
    pub clients: BTreeSet<IpAddr>,
}

/// Guesses by login endpoint.
pub type Guessed = BTreeMap<u64, Guesses>;

/// Passwords for each of many addresses from which on an account is guessed at, and not shared.
const SCATTERED: u64 = 2;

/// Clients that guess beside each other at one endpoint from which on they are one attack.
const TOGETHER: usize = 3;

/// What is guessed, and the rules for it.
struct Guess<'s> {
    detector: DetectorName,
    /// `password` or `code`.
    what: &'static str,
    rules: &'s BruteForce,
}

impl<'s> Guess<'s> {
    fn of(scene: &Scene<'s>, flow: AccountFlow) -> Option<Guess<'s>> {
        let guess = match flow {
            AccountFlow::Login => Guess { detector: "brute_force", what: "password", rules: &scene.rules.brute_force },
            AccountFlow::Code => {
                Guess { detector: "otp_brute_force", what: "code", rules: &scene.rules.otp_brute_force }
            }
            AccountFlow::Registration | AccountFlow::Reset | AccountFlow::Lookup | AccountFlow::FirstStep => {
                return None;
            }
        };
        guess.rules.enabled.then_some(guess)
    }
}

/// Gives the guesses at passwords.
pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) -> Guessed {
    let mut guessed: BTreeMap<(AccountFlow, u64), Guesses> = BTreeMap::new();
    for key in &scene.touched.login_accounts {
        let Some(state) = scene.store.login_accounts.get(key) else { continue };
        let Some(guess) = Guess::of(scene, state.flow) else { continue };
        let Some(attempts) = guesses_in(guess.rules, &state.recent) else { continue };
        let opened = match state.flow {
            AccountFlow::Login => opened_by_guessers(scene, &attempts),
            _ => opened_in(&attempts),
        };
        let finding = finding_of(&guess, Subject::Account(attempts.user.unwrap_or(0)), &attempts, opened);
        let guesses = guessed.entry((state.flow, attempts.endpoint)).or_default();
        guesses.accounts.insert(*key);
        guesses.clients.extend(&finding.client_sample);
        findings.push(finding);
    }
    // Who guesses by himself, at a code or where there are no user names.
    let lone_guesses = |state: &AttemptsState| {
        let guess = Guess::of(scene, state.flow)?;
        // Passwords for many accounts are no guesses at one; codes are guesses, whoever they are for.
        let has_users = || state.recent.buckets(0).any(|attempts| !attempts.users.is_empty());
        if state.flow == AccountFlow::Login && has_users() {
            return None;
        }
        let attempts = guesses_in(guess.rules, &state.recent)?;
        let told = guessed.get(&(state.flow, attempts.endpoint));
        let is_told = |client: &IpAddr| told.is_some_and(|guesses| guesses.clients.contains(client));
        let is_of_client = state.flow == AccountFlow::Code || attempts.users.is_empty();
        let client = attempts.client.filter(|client| is_of_client && !is_told(client))?;
        Some((client, attempts))
    };
    let mut lone: BTreeMap<(AccountFlow, u64), Vec<(IpAddr, Attempts)>> = BTreeMap::new();
    for key in &scene.touched.login_clients {
        let Some(state) = scene.store.login_clients.get(key) else { continue };
        if let Some((client, attempts)) = lone_guesses(&state) {
            lone.entry((state.flow, attempts.endpoint)).or_default().push((client, attempts));
        }
    }
    for ((flow, endpoint), clients) in &lone {
        let Some(guess) = Guess::of(scene, *flow) else { continue };
        // Who guesses beside them need not have done so in this window.
        let guessing = scene.store.login_clients.iter();
        let guessing =
            guessing.filter(|one| one.flow == *flow && one.endpoint == Some(*endpoint) && lone_guesses(one).is_some());
        if guessing.take(TOGETHER).count() < TOGETHER {
            let each = clients.iter();
            findings.extend(
                each.map(|(client, attempts)| {
                    finding_of(&guess, Subject::Client(*client), attempts, opened_in(attempts))
                }),
            );
        } else {
            let all = sum_of(clients.iter().map(|(_, attempts)| attempts));
            findings.push(finding_of(&guess, Subject::Endpoint(*endpoint), &all, opened_in(&all)));
        }
    }
    let of_passwords = guessed.into_iter().filter(|((flow, _), _)| *flow == AccountFlow::Login);
    of_passwords.map(|((_, endpoint), guesses)| (endpoint, guesses)).collect()
}

/// The attempts within the shortest horizon in which they are guesses.
fn guesses_in(rules: &BruteForce, recent: &Tiers<Attempts>) -> Option<Attempts> {
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
            let (passwords, clients) = (attempts.passwords.count(), attempts.clients.count());
            // From many addresses always another password: nobody shares an account so, and what devices have stored is one.
            let is_scattered = passwords >= SCATTERED * clients || 5 * passwords >= 4 * attempts.failures;
            passwords >= rules.min_passwords && (clients <= rules.max_clients || is_scattered)
        })
    })
}

/// Failures of an address from which on it is one of those who guess, where each of them fails that often: an owner mistypes once
/// or twice, and gets in.
const GUESSES_OF_A_SOURCE: u64 = 3;

fn opened_in(attempts: &Attempts) -> Vec<u64> {
    attempts.succeeded.iter().map(|(user, _)| user).collect()
}

/// The account that is guessed at, where one of those who failed got into it: its owner goes on logging in from elsewhere.
fn opened_by_guessers(scene: &Scene<'_>, attempts: &Attempts) -> Vec<u64> {
    let Some(user) = attempts.user.filter(|user| attempts.succeeded.iter().any(|(opened, _)| opened == *user)) else {
        return Vec::new();
    };
    let longest = SPANS.len() - 1;
    let each = attempts.failures.div_ceil(attempts.clients.count().max(1)).min(GUESSES_OF_A_SOURCE);
    let mut guessers = scene.store.login_clients.iter().filter(|one| is_login_at(one, attempts.endpoint));
    let has_got_in = guessers.any(|one| {
        one.recent.sum(longest, |one| one.failures) >= each
            && one.recent.buckets(longest).any(|one| one.succeeded.iter().any(|(opened, _)| opened == user))
    });
    if has_got_in { vec![user] } else { Vec::new() }
}

fn finding_of(guess: &Guess<'_>, subject: Subject, attempts: &Attempts, opened: Vec<u64>) -> Finding {
    let (rules, what) = (guess.rules, guess.what);
    let severity = if opened.is_empty() { rules.alert.severity } else { rules.success_severity };
    let mut finding =
        Finding::new(guess.detector, subject, severity, attempts.moment).with_evidence(&attempts.evidence);
    finding.endpoint = Some(attempts.endpoint);
    finding.client_count = attempts.clients.count();
    finding.client_sample = sample_of(&[], attempts);
    finding.client = finding.only_client();
    finding.count = attempts.failures;
    finding.observed = in_words(attempts, &opened, &[]);
    finding.reasons = Reasons::default()
        .floor("min_failures", rules.min_failures.min(rules.slow_min_failures) as f64, attempts.failures as f64)
        .floor("min_passwords", rules.min_passwords as f64, attempts.passwords.count() as f64)
        .fact(format!("{} different {what}s tried", attempts.passwords.count().min(attempts.failures)))
        .fact(format!("{} of {} attempts failed", attempts.failures, attempts.total()))
        .fact(format!("{} opened", if opened.is_empty() { "the account was not" } else { "the account was" }));
    finding.accounts = opened;
    finding.expected = Some(match guess.detector {
        "otp_brute_force" => "people mistype a code once or twice and then ask for another".to_string(),
        _ => "people try a handful of passwords and then reset theirs".to_string(),
    });
    finding.spoils = vec![Spoiled::Logins(attempts.endpoint), Spoiled::EndpointErrors(attempts.endpoint)];
    finding.spoils.extend(finding.client_sample.iter().copied().map(Spoiled::ClientAttack));
    finding
}
