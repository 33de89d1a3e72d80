//! `password_reset_abuse`: password resets are asked for in bulk.
//!
//! Sees: resets for many accounts by one client, unless it is people's, or by many clients that come for nothing else, against
//! the endpoint's own rate; and resets again and again for one account, whoever asks. Where the answers tell which accounts
//! there are, `user_enumeration` speaks. Misses: resets whose request names no account that is recognised.

use super::account_calls::{Count, Crowd, crowds, for_accounts};
use super::user_enumeration::asks_for_names;
use super::{Finding, Scene, Subject, span_in_words};
use crate::api::AccountFlow;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.password_reset_abuse;
    if !rules.enabled {
        return;
    }
    let accounts: Count = |calls| calls.users.count().min(calls.total());
    let of_endpoint = ("password_reset_abuse.endpoint", &rules.endpoint);
    let crowds = crowds(scene, &[AccountFlow::Reset], &rules.client, of_endpoint, accounts);
    let of_many = crowds.into_iter().filter(|crowd| !asks_for_names(scene, crowd));
    for crowd in of_many.chain(for_accounts(scene, AccountFlow::Reset, &rules.account)) {
        findings.push(finding_of(scene, &crowd));
    }
}

fn finding_of(scene: &Scene<'_>, crowd: &Crowd) -> Finding {
    let calls = &crowd.calls;
    let mut finding = crowd.finding("password_reset_abuse", scene.rules.password_reset_abuse.alert.severity);
    let (total, span) = (calls.total(), span_in_words(&calls.moment));
    let accounts = calls.users.count().min(total);
    finding.observed = match crowd.subject {
        Subject::Account(_) => format!("{total} password resets for one account by {} in {span}", crowd.by_whom()),
        _ => format!("{total} password resets for {accounts} accounts by {} in {span}", crowd.by_whom()),
    };
    finding.expected.get_or_insert_with(|| "people ask for a reset of their own account, once or twice".to_string());
    finding.reasons = finding
        .reasons
        .fact(format!("{accounts} different accounts"))
        .fact(format!("{total} resets asked for by {}", crowd.by_whom()));
    finding
}
