//! `zombie_endpoint`: an operation that outlived its time and still answers.
//!
//! Sees: what a description calls deprecated, and paths of which a newer version is in use (`/v1/x` beside `/v2/x`), once
//! they answer with success. Each is told of once, and again only if it turns out to be worse. Misses: versions in a header,
//! in the query or in the host's name, older versions under another path, and old ones that are asked more than new ones.

use super::{Finding, Reasons, Scene, Spoiled, Subject, span_in_words};
use crate::api::template::path_of;
use crate::baseline::state::EndpointState;
use crate::baseline::tier_of;
use crate::rule::Severity;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Host, method and path without its version.
type Family = (Arc<str>, Arc<str>, String);

/// The newest version of a family.
struct Newest {
    version: u32,
    template: Arc<str>,
    requests: u64,
    with_credentials: u64,
}

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.zombie_endpoint;
    if !rules.enabled {
        return;
    }
    let mut newest = None;
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let worst = rules.sensitive_severity.max(rules.without_credentials_severity);
        let version = version_of(&state.template).filter(|_| rules.older_versions && !scene.is_learning);
        let may_be_one = state.is_deprecated || version.is_some();
        if !may_be_one || state.told_as_zombie.is_some_and(|told| told >= worst) {
            continue;
        }
        let successor = version.and_then(|(version, rest)| {
            let families = newest.get_or_insert_with(|| newest_of(scene));
            let family = (Arc::clone(&state.host), Arc::clone(&state.method), rest);
            families.get(&family).filter(|newest| newest.version > version && is_in_use(scene, &state, newest))
        });
        findings.extend(finding_of(scene, *key, &state, successor));
    }
}

fn is_in_use(scene: &Scene<'_>, state: &EndpointState, newest: &Newest) -> bool {
    let rules = &scene.rules.zombie_endpoint;
    let both = newest.requests + state.tally.requests;
    newest.requests >= rules.min_successor_requests && newest.requests as f64 >= rules.min_successor_share * both as f64
}

fn finding_of(scene: &Scene<'_>, key: u64, state: &EndpointState, successor: Option<&Newest>) -> Option<Finding> {
    let rules = &scene.rules.zombie_endpoint;
    let tier = tier_of(rules.window_seconds);
    let successes = state.recent.sum(tier, |activity| activity.successes);
    if (!state.is_deprecated && successor.is_none()) || successes < rules.min_successes {
        return None;
    }
    let is_guarded = successor
        .is_some_and(|newest| newest.with_credentials as f64 >= rules.min_authenticated_share * newest.requests as f64);
    let is_open = is_guarded && state.tally.with_credentials < state.tally.requests;
    let is_sensitive = state.recent.buckets(tier).any(|activity| activity.exposure.is_some());
    let severity = [(is_open, rules.without_credentials_severity), (is_sensitive, rules.sensitive_severity)]
        .into_iter()
        .filter_map(|(holds, severity)| holds.then_some(severity))
        .fold(rules.alert.severity, Severity::max);
    if state.told_as_zombie.is_some_and(|told| told >= severity) {
        return None;
    }
    let moment = state.recent.merged(tier, |activity| Some(&activity.tally.moment))?;
    let mut finding = Finding::new("zombie_endpoint", Subject::Endpoint(key), severity, moment);
    if let Some(stranger) = &state.stranger {
        finding = finding.with_evidence(&stranger.evidence);
        finding.client_sample = stranger.clients.iter().map(|(_, address)| *address).collect();
    }
    finding.client_count = state.clients.count();
    finding.count = successes;
    finding.observed = format!(
        "{successes} successful answer{} in {}, {} clients altogether{}{}",
        if successes == 1 { "" } else { "s" },
        span_in_words(&moment),
        finding.client_count,
        if is_open { "; without credentials, which the newer version asks for" } else { "" },
        if is_sensitive { "; carries personal data" } else { "" }
    );
    finding.expected = Some(match successor {
        Some(newest) => format!("its newer version is in use: {}, {} requests", newest.template, newest.requests),
        None => "the OpenAPI description calls it deprecated".to_owned(),
    });
    finding.reasons =
        Reasons::over(rules.window_seconds).floor("min_successes", rules.min_successes as f64, successes as f64);
    if let Some(newest) = successor {
        let least = rules.min_successor_requests as f64;
        finding.reasons = finding.reasons.floor("min_successor_requests", least, newest.requests as f64);
    }
    finding.spoils = vec![Spoiled::Zombie(key, severity)];
    Some(finding)
}

/// The newest version of each path that has one and was answered with success.
fn newest_of(scene: &Scene<'_>) -> BTreeMap<Family, Newest> {
    let mut families: BTreeMap<Family, Newest> = BTreeMap::new();
    for entry in scene.store.endpoints.iter().filter(|entry| entry.successes > 0) {
        let Some((version, rest)) = version_of(&entry.template) else { continue };
        let family = (Arc::clone(&entry.host), Arc::clone(&entry.method), rest);
        if families.get(&family).is_none_or(|newest| newest.version < version) {
            let (requests, with_credentials) = (entry.tally.requests, entry.tally.with_credentials);
            let template = Arc::clone(&entry.template);
            families.insert(family, Newest { version, template, requests, with_credentials });
        }
    }
    families
}

/// A part of a template without the names of its parameters.
fn nameless(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    let mut is_name = false;
    for letter in part.chars() {
        is_name &= letter != '}';
        if !is_name {
            out.push(letter);
        }
        is_name |= letter == '{';
    }
    out
}

/// The first segment of a template that is a version, `v` and a number, and the template without that number and without the names
/// that a description may give its parameters.
fn version_of(template: &str) -> Option<(u32, String)> {
    let mut start = 0;
    for segment in path_of(template).split('/') {
        let digits = segment.strip_prefix('v').filter(|digits| (1..=3).contains(&digits.len()));
        let version = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(version) = version.and_then(|digits| digits.parse().ok()) {
            let (before, behind) = (nameless(&template[..start]), nameless(&template[start + segment.len()..]));
            return Some((version, format!("{before}v{behind}")));
        }
        start += segment.len() + 1;
    }
    None
}
