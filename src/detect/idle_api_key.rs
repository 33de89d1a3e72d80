//! `idle_api_key`: a credential that was idle for long and is used again.
//!
//! Sees: API keys, Basic accounts and tokens of machines that the sensor knows, did not see for `min_idle_days` while it watched,
//! and then sees answered with success; and whether that comes from a network the credential never used, asks for what it
//! never asked for, or takes personal data. It breaks a policy: it claims no odds. Misses: session cookies and people's
//! tokens, which come back after any holiday; kinds of credentials of which many came back before; credentials that the sensor
//! never saw used, or forgot at its limits; those that woke up before as late.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject};
use crate::api::CredentialKind;
use crate::baseline::{AWAKE, Awakening, Lasting};
use crate::window::{Moment, start_of};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is known of an awakening.
struct Candidate {
    key: u64,
    kind: CredentialKind,
    awakening: Awakening,
    idle_days: f64,
    new_networks: Vec<IpAddr>,
    new_endpoints: Vec<u64>,
}

const DAY: f64 = 86_400.0;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.idle_api_key;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let mut candidates = Vec::new();
    for key in &scene.touched.principals {
        let Some(state) = scene.store.principals.get(key) else { continue };
        candidates.extend(state.lasting.as_deref().and_then(|lasting| candidate(scene, *key, lasting)));
    }
    if candidates.is_empty() {
        return;
    }
    let others = Others::of(scene);
    candidates.retain(|candidate| {
        let of_kind = others.by_kind.get(candidate.kind.name()).copied().unwrap_or_default();
        let is_usual = of_kind.returned >= rules.max_returned
            && of_kind.returned as f64 >= rules.max_returned_share * of_kind.known as f64;
        let is_alone = others.awakened <= rules.max_together || !candidate.new_networks.is_empty();
        of_kind.known <= rules.max_credentials && !is_usual && is_alone
    });
    findings.extend(candidates.into_iter().filter_map(|candidate| candidate.finding(scene)));
}

fn candidate(scene: &Scene<'_>, key: u64, lasting: &Lasting) -> Option<Candidate> {
    let rules = &scene.rules.idle_api_key;
    let awakening = lasting.awakening.as_deref()?;
    let is_habit = awakening.slept().as_secs_f64() <= rules.habit_factor * lasting.longest_sleep.as_secs_f64();
    if awakening.slept() < rules.min_idle() || awakening.successes < rules.min_successes || is_habit {
        return None;
    }
    let idle = scene.store.watched().between(awakening.asleep, awakening.awake);
    (idle >= rules.min_idle()).then(|| Candidate {
        key,
        kind: lasting.kind,
        awakening: awakening.clone(),
        idle_days: idle.as_secs_f64() / DAY,
        new_networks: lasting.new_networks(awakening),
        new_endpoints: lasting.new_endpoints(awakening),
    })
}

/// Lasting credentials that are known.
#[derive(Default)]
struct Others {
    by_kind: BTreeMap<&'static str, OfKind>,
    /// Those that woke up just now, as late, where they always were.
    awakened: u64,
}

#[derive(Clone, Copy, Default)]
struct OfKind {
    known: u64,
    /// Those that came back from as long a silence before.
    returned: u64,
}

impl Others {
    /// It looks at all principals, but seldom: where one woke up.
    fn of(scene: &Scene<'_>) -> Others {
        let mut others = Others::default();
        let (now, min_idle) = (start_of(scene.window), scene.rules.idle_api_key.min_idle());
        for state in &scene.store.principals {
            let Some(lasting) = &state.lasting else { continue };
            let of_kind = others.by_kind.entry(lasting.kind.name()).or_default();
            of_kind.known += 1;
            of_kind.returned += u64::from(lasting.longest_return(now) >= min_idle);
            let awakened = lasting.awakening.as_deref().is_some_and(|awakening| {
                let is_recent = now.since(awakening.awake) < AWAKE && awakening.slept() >= min_idle;
                is_recent && lasting.new_networks(awakening).is_empty()
            });
            others.awakened += u64::from(awakened);
        }
        others
    }
}

impl Candidate {
    fn finding(self, scene: &Scene<'_>) -> Option<Finding> {
        let rules = &scene.rules.idle_api_key;
        let awakening = &self.awakening;
        let signs = self.signs(scene);
        let severity = match signs.len() {
            0 => rules.alert.severity,
            1 => rules.one_sign_severity,
            _ => rules.more_signs_severity,
        };
        if awakening.told.is_some_and(|told| told >= severity) {
            return None;
        }
        let moment = Moment { first: awakening.awake, last: awakening.last };
        let mut finding = Finding::new("idle_api_key", Subject::Principal(self.key), severity, moment);
        finding = finding.with_evidence(&awakening.evidence);
        finding.client_sample = awakening.clients.iter().map(|(_, address)| *address).collect();
        finding.client_count = finding.client_sample.len() as u64;
        finding.client = finding.client_sample.first().copied();
        finding.endpoint =
            self.new_endpoints.first().copied().or(awakening.endpoints.iter().next().map(|(key, ())| key));
        finding.count = awakening.requests;
        let told = if signs.is_empty() { "as before".to_owned() } else { signs.join("; ") };
        finding.observed = format!(
            "{} request{} after {:.0} days without one: {told}",
            awakening.requests,
            if awakening.requests == 1 { "" } else { "s" },
            self.idle_days.floor(),
        );
        finding.expected = Some(format!("what is not used for {} days is revoked", rules.min_idle_days));
        let least = rules.min_successes as f64;
        let mut reasons = Reasons::default().floor("min_idle_days", rules.min_idle_days, self.idle_days).floor(
            "min_successes",
            least,
            awakening.successes as f64,
        );
        reasons = signs.into_iter().fold(reasons, Reasons::fact);
        finding.reasons = reasons;
        finding.spoils = vec![Spoiled::Awakening(self.key, severity), Spoiled::PrincipalExposure(self.key)];
        Some(finding)
    }

    /// Signs that it is in other hands.
    fn signs(&self, scene: &Scene<'_>) -> Vec<String> {
        let mut signs = Vec::new();
        if let Some(network) = self.new_networks.first() {
            let length = if network.is_ipv4() { 24 } else { 64 };
            let more = self.new_networks.len() - 1;
            let others = if more > 0 { format!(" and {more} more") } else { String::new() };
            signs.push(format!("from a network it never used, {network}/{length}{others}"));
        }
        if let Some(key) = self.new_endpoints.first() {
            let name = scene.store.endpoints.get(key).map_or_else(|| "an endpoint".to_owned(), |state| state.name());
            let more = self.new_endpoints.len() - 1;
            let others = if more > 0 { format!(" and {more} more") } else { String::new() };
            signs.push(format!("asks for what it never asked for, {name}{others}"));
        }
        if self.awakening.is_sensitive {
            signs.push("takes personal data".to_owned());
        }
        signs
    }
}
