//! `user_enumeration`: somebody asks which accounts there are.
//!
//! Sees: many names at an endpoint that says whether a name is taken, at a reset, a registration or the first step of a login whose answers differ
//! between names there are and names there are not; by one client, or by many against the endpoint's own rate. At logins
//! it is named by `credential_stuffing`, which looks at the same attempts, and told beside a spray where refusals take two
//! kinds of time. Misses: answers that differ only in the time they take, elsewhere.

use super::account_calls::{Count, Crowd, crowds};
use super::{Finding, Scene, span_in_words};
use crate::api::AccountFlow;

/// Names there are and names there are not, of the answers that say so: below this share it is chance.
const LEAST_SHARE: f64 = 0.05;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.user_enumeration;
    if !rules.enabled {
        return;
    }
    const FLOWS: [AccountFlow; 4] =
        [AccountFlow::Registration, AccountFlow::Reset, AccountFlow::Lookup, AccountFlow::FirstStep];
    let names: Count = |calls| calls.users.count().min(calls.total());
    let of_endpoint = ("user_enumeration.endpoint", &rules.endpoint);
    let crowds = crowds(scene, &FLOWS, &rules.client, of_endpoint, names);
    findings.extend(crowds.iter().filter(|crowd| asks_for_names(scene, crowd)).map(|crowd| finding_of(scene, crowd)));
}

/// Whether the answers tell who there is. At a registration those that were refused are names there are.
pub(super) fn asks_for_names(scene: &Scene<'_>, crowd: &Crowd) -> bool {
    let (calls, least) = (&crowd.calls, scene.rules.user_enumeration.min_given_away);
    let given_away = calls.given_away;
    match crowd.flow {
        AccountFlow::Lookup => true,
        AccountFlow::Registration => given_away >= least && given_away > made(calls),
        AccountFlow::Reset | AccountFlow::FirstStep => {
            given_away >= least && given_away as f64 >= LEAST_SHARE * calls.total() as f64
        }
        AccountFlow::Login | AccountFlow::Code => false,
    }
}

/// Accounts that were made by registrations.
pub(super) fn made(calls: &crate::window::Attempts) -> u64 {
    (calls.successes + calls.unknown).saturating_sub(calls.given_away)
}

fn finding_of(scene: &Scene<'_>, crowd: &Crowd) -> Finding {
    let calls = &crowd.calls;
    let mut finding = crowd.finding("user_enumeration", scene.rules.user_enumeration.alert.severity);
    let way = match crowd.flow {
        AccountFlow::Registration => "registrations",
        AccountFlow::Reset => "password resets",
        AccountFlow::FirstStep => "first steps of logins",
        _ => "questions for accounts",
    };
    finding.observed = format!(
        "{} names asked for in {} {way} by {} in {}",
        crowd.count,
        calls.total(),
        crowd.by_whom(),
        span_in_words(&calls.moment)
    );
    if calls.given_away > 0 {
        let what = if crowd.flow == AccountFlow::Registration { "is taken" } else { "is unknown" };
        finding.observed.push_str(&format!("; {} answers said that the name {what}", calls.given_away));
    }
    finding.expected.get_or_insert_with(|| "people ask for their own name, once or twice".to_string());
    finding.reasons = finding.reasons.fact(format!("{} different names", crowd.count)).fact(format!(
        "{} of {} answers gave something away",
        calls.given_away,
        calls.total()
    ));
    finding
}
