//! `unsigned_token`: one client sends tokens (JWT) that nobody signed.
//!
//! Sees: tokens whose head says `"alg":"none"`, or that lack their signature, and whether they were served: whoever makes one may
//! claim to be anybody. It breaks a policy, and claims no odds. Misses: tokens signed with a key that was guessed or taken, and all of
//! it where more clients than one attacker has are served with such tokens: there a proxy verifies them, and takes the signature away.

use super::injection::finding_of;
use super::reasons::Reasons;
use super::{Finding, Scene, span_in_words};
use crate::api::Credentials;
use crate::baseline::state::SubjectActivity;
use crate::baseline::tier_of;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.unsigned_token;
    if !rules.enabled || is_custom(scene) {
        return;
    }
    let tier = tier_of(rules.window_seconds);
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let requests = |activity: &SubjectActivity| activity.unsigned.as_ref().map_or(0, |sent| sent.requests);
        if recent.sum(tier, requests) < rules.min_requests {
            continue;
        }
        let Some(sent) = recent.merged(tier, |activity| activity.unsigned.as_deref()) else { continue };
        let severity = if sent.served > 0 { rules.served_severity } else { rules.alert.severity };
        let mut finding = finding_of("unsigned_token", &state, severity, &sent);
        finding.observed = format!(
            "{} request{} with a token that nobody signed in {}; {} answered with success",
            sent.requests,
            if sent.requests == 1 { "" } else { "s" },
            span_in_words(&sent.moment),
            sent.served
        );
        finding.expected = Some("every token has a signature".to_owned());
        finding.reasons =
            Reasons::over(rules.window_seconds).floor("min_requests", rules.min_requests as f64, sent.requests as f64);
        findings.push(finding);
    }
}

/// Whether many are served with such tokens.
fn is_custom(scene: &Scene<'_>) -> bool {
    let served = scene.store.principals.get(&Credentials::UNSIGNED);
    served.is_some_and(|state| state.clients.count() > scene.rules.unsigned_token.most_clients)
}
