//! `registration_abuse`: accounts are made in bulk.
//!
//! Sees: accounts made by one client within minutes or hours, unless it is people's; and by many clients that come for
//! nothing else, against the endpoint's own rate. Misses: many addresses that also look around like people.

use super::account_calls::{Count, crowds};
use super::user_enumeration::{asks_for_names, made};
use super::{Finding, Scene, span_in_words};
use crate::api::AccountFlow;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.registration_abuse;
    if !rules.enabled {
        return;
    }
    let count: Count = made;
    let of_endpoint = ("registration_abuse.endpoint", &rules.endpoint);
    for crowd in crowds(scene, &[AccountFlow::Registration], &rules.client, of_endpoint, count) {
        if asks_for_names(scene, &crowd) {
            continue;
        }
        let calls = &crowd.calls;
        let mut finding = crowd.finding("registration_abuse", rules.alert.severity);
        finding.observed =
            format!("{} accounts made by {} in {}", crowd.count, crowd.by_whom(), span_in_words(&calls.moment));
        let passwords = calls.passwords.count();
        if passwords > 0 {
            finding
                .observed
                .push_str(&format!(", with {passwords} different password{}", if passwords == 1 { "" } else { "s" }));
        }
        finding.expected.get_or_insert_with(|| "people make one account".to_string());
        finding.reasons = finding
            .reasons
            .fact(format!("{} accounts made", crowd.count))
            .fact(format!("{passwords} different passwords"))
            .fact(format!("{} registrations refused", calls.failures));
        findings.push(finding);
    }
}
