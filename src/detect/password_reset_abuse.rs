//! `password_reset_abuse`: password resets, or codes, are asked for in bulk.
//!
//! Sees: resets, and first steps of a login as which codes are sent, for many accounts by one client, unless it is people's, or by
//! many clients that come for nothing else, against the endpoint's own rate; and again and again for one account, whoever asks.
//! Where the answers tell which accounts there are, `user_enumeration` speaks. Misses: requests whose account is not recognised.

use super::account_calls::{Count, Crowd, crowds, for_accounts};
use super::user_enumeration::asks_for_names;
use super::{Finding, Scene, Subject, span_in_words};
use crate::api::AccountFlow;

/// What sends a mail or a message, which annoys whoever gets it and costs whoever sends it.
const FLOWS: [AccountFlow; 2] = [AccountFlow::Reset, AccountFlow::FirstStep];

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.password_reset_abuse;
    if !rules.enabled {
        return;
    }
    let accounts: Count = |calls| calls.users.count().min(calls.total());
    let of_endpoint = ("password_reset_abuse.endpoint", &rules.endpoint);
    let crowds = crowds(scene, &FLOWS, &rules.client, of_endpoint, accounts);
    let of_many = crowds.into_iter().filter(|crowd| !asks_for_names(scene, crowd));
    let of_one = FLOWS.into_iter().flat_map(|flow| for_accounts(scene, flow, &rules.account));
    findings.extend(of_many.chain(of_one).map(|crowd| finding_of(scene, &crowd)));
}

fn finding_of(scene: &Scene<'_>, crowd: &Crowd) -> Finding {
    let calls = &crowd.calls;
    let mut finding = crowd.finding("password_reset_abuse", scene.rules.password_reset_abuse.alert.severity);
    let (total, span) = (calls.total(), span_in_words(&calls.moment));
    let accounts = calls.users.count().min(total);
    let what = if crowd.flow == AccountFlow::Reset { "password resets" } else { "logins begun or codes sent" };
    finding.observed = match crowd.subject {
        Subject::Account(_) => format!("{total} {what} for one account by {} in {span}", crowd.by_whom()),
        _ => format!("{total} {what} for {accounts} accounts by {} in {span}", crowd.by_whom()),
    };
    finding.expected.get_or_insert_with(|| "people ask for their own account, once or twice".to_string());
    finding.reasons = finding
        .reasons
        .fact(format!("{accounts} different accounts"))
        .fact(format!("{total} {what} by {}", crowd.by_whom()));
    finding
}
