//! `credential_leak`: secrets in responses, where nobody signs in or has one made.
//!
//! Sees: private keys, API keys with their issuer's prefix, password hashes, passwords in fields of that name, and many tokens at
//! once, in successful answers of any endpoint, from the first on. Misses: secrets without a form of their own (opaque tokens),
//! a single token, and a key in the answer to a request that writes: there it was most likely just made. Keys that issuers
//! mean to be seen (those of maps in web pages, test keys) do not count.

use super::unauthenticated_data_exposure::classes_in_words;
use super::{Finding, Reasons, Scene, Subject, span_in_words};
use crate::baseline::tier_of;
use crate::inspect::DataClass;
use crate::rule::CredentialLeak;
use crate::window::{ClassExposure, Leaks};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.credential_leak;
    if !rules.enabled {
        return;
    }
    let tier = tier_of(rules.window_seconds);
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let responses = |leaks: &Leaks| leaks.exposure.responses;
        if state.recent.sum(tier, |activity| activity.leaks.as_deref().map_or(0, responses)) < rules.min_responses {
            continue;
        }
        let Some(leaks) = state.recent.merged(tier, |activity| activity.leaks.as_deref()) else { continue };
        let classes: Vec<ClassExposure> =
            leaks.exposure.classes.iter().filter(|class| counts(rules, class)).cloned().collect();
        if !classes.is_empty() {
            findings.push(finding_of(rules, *key, &leaks, &classes));
        }
    }
}

fn counts(rules: &CredentialLeak, class: &ClassExposure) -> bool {
    let is_ignored = rules.ignored_classes.iter().any(|name| name == class.class.name());
    !is_ignored && (class.class != DataClass::Jwt || class.values.count() >= rules.min_tokens)
}

fn finding_of(rules: &CredentialLeak, key: u64, leaks: &Leaks, classes: &[ClassExposure]) -> Finding {
    let Leaks { exposure, open_responses } = leaks;
    let severity = if classes.iter().all(|class| class.class == DataClass::Jwt) {
        rules.tokens_severity
    } else if *open_responses > 0 {
        rules.without_credentials_severity
    } else {
        rules.alert.severity
    };
    let mut finding = Finding::new("credential_leak", Subject::Endpoint(key), severity, exposure.moment)
        .with_evidence(&exposure.evidence)
        .with_clients(&exposure.clients, &exposure.client_sample);
    finding.client = finding.only_client();
    finding.count = exposure.responses;
    finding.observed = format!(
        "{} in {} answer{} to {} client{} in {}{}",
        classes_in_words(classes),
        exposure.responses,
        if exposure.responses == 1 { "" } else { "s" },
        finding.client_count,
        if finding.client_count == 1 { "" } else { "s" },
        span_in_words(&exposure.moment),
        match open_responses {
            0 => String::new(),
            open => format!(", {open} of them without credentials"),
        }
    );
    finding.expected = Some("no response carries a secret that was not made for the one who asks".to_owned());
    finding.reasons = Reasons::over(rules.window_seconds).floor(
        "min_responses",
        rules.min_responses as f64,
        exposure.responses as f64,
    );
    finding
}
