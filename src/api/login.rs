//! What came of a login attempt, or of another request of an account flow.

use super::account::{AccountFlow, is_login_page};
use super::snapshot::LoginHabit;
use crate::http::{Field, Head, Message};
use crate::inspect::BodyReport;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Success,
    Failure,
    Unknown,
}

/// The outcome of an attempt, from the response to it.
pub fn outcome_of(
    flow: AccountFlow,
    path: &str,
    response: Option<&Message<BodyReport>>,
    opens_session: bool,
    habit: Option<LoginHabit>,
) -> Outcome {
    let Some(response) = response else { return Outcome::Unknown };
    let report = response.report.as_ref();
    if flow == AccountFlow::Login && report.is_some_and(|report| report.wants_more) {
        return Outcome::Success;
    }
    let said = report.and_then(|report| report.outcome);
    let is_read = is_read(response);
    match response.head.status() {
        400 | 401 | 403 | 404 | 409 | 410 | 422 | 423 | 429 => Outcome::Failure,
        200..=299 => match said {
            Some(false) => Outcome::Failure,
            Some(true) => Outcome::Success,
            // What was not read may have said no; many give a session to whoever comes.
            _ if !is_read => Outcome::Unknown,
            _ if opens_session => Outcome::Success,
            // Nothing was said: what successes here carry, and this one lacks, tells.
            None => match habit {
                Some(LoginHabit { successes_carry_session: true }) => Outcome::Failure,
                _ => Outcome::Unknown,
            },
        },
        300..=399 => match response.head.get(Field::Location) {
            Some(location) if leads_back(location, path) => Outcome::Failure,
            Some(_) => match habit {
                Some(LoginHabit { successes_carry_session: true }) if !opens_session => Outcome::Failure,
                _ => Outcome::Success,
            },
            None => Outcome::Unknown,
        },
        // Some refuse a code as an error of their own.
        500.. if flow == AccountFlow::Code && said == Some(false) => Outcome::Failure,
        _ => Outcome::Unknown,
    }
}

/// Whether all of an answer's body was looked at.
pub fn is_read(response: &Message<BodyReport>) -> bool {
    response.report.as_ref().map_or(response.body_length == 0, |report| !report.truncated)
}

/// Words in the target of a redirect that say the login failed.
const FAILURE_WORDS: [&str; 9] =
    ["error", "fail", "invalid", "denied", "incorrect", "fehler", "erreur", "erro=", "echec"];

/// True when a redirect leads back to the login page, or to one that says no.
fn leads_back(location: &[u8], path: &str) -> bool {
    let location = String::from_utf8_lossy(location).to_ascii_lowercase();
    let rest =
        location.split_once("://").map_or(location.as_str(), |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let (target, query) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
    let last = target.trim_end_matches('/').rsplit('/').next().unwrap_or("");
    target == path.to_ascii_lowercase()
        || is_login_page(target)
        || FAILURE_WORDS.iter().any(|word| last.contains(word) || query.contains(word))
}

/// True when a request with this head could be a login by its method.
pub fn may_be_login(head: &Head) -> bool {
    matches!(head.method(), b"POST" | b"PUT" | b"PATCH" | b"GET")
}
