//! Secrets in responses, where nobody signs in or has one made.
//!
//! A login is answered with tokens, and who makes a key is shown it once: that is what those endpoints are for. A hash of
//! a password is nobody's business, whoever asks.

use super::aggregate::{Exposure, Merge};
use super::shown::Shown;
use crate::api::{AccountFlow, Observation};
use crate::inspect::{BodyReport, ClassReport, DataClass};
use serde::{Deserialize, Serialize};

/// Tokens that one sign-in gives: for access, to identify, to refresh.
const TOKENS_OF_A_SESSION: usize = 3;
/// Keys that are made together: the name of a key and the key, or an old one and its successor.
const KEYS_MADE_TOGETHER: usize = 2;
/// Issuers' prefixes, as samples show them, of keys that are written for everybody to see: in the scripts of web pages, and
/// in documentation.
const PUBLISHED: [&str; 3] = ["AIza", "sk_test_", "rk_test_"];

/// Responses that handed out secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leaks {
    pub exposure: Exposure,
    /// Of these responses, those to clients without credentials.
    pub open_responses: u64,
}

impl Leaks {
    pub(super) fn record(
        &mut self,
        observation: &Observation<'_>,
        report: &BodyReport,
        client: u64,
        shown: &mut Shown<'_, '_>,
    ) {
        self.open_responses += u64::from(observation.is_anonymous());
        self.exposure.note(observation, report, client, shown);
        for class in report.classes.iter().filter(|class| is_leak(observation, report, class)) {
            self.exposure.add_class(class);
        }
    }
}

impl Merge for Leaks {
    fn merge(&mut self, other: Self) {
        self.exposure.merge(other.exposure);
        self.open_responses += other.open_responses;
    }
}

/// The report of a response that hands out a secret which is not what was asked for.
pub fn leaked<'o>(observation: &Observation<'o>) -> Option<&'o BodyReport> {
    let report = observation.response?;
    // Classes are sorted, and secrets are the last of them.
    let has_secret = report.classes.last().is_some_and(|class| class.class.is_secret());
    if !has_secret || !(200..300).contains(&observation.status) {
        return None;
    }
    report.classes.iter().any(|class| is_leak(observation, report, class)).then_some(report)
}

fn is_leak(observation: &Observation<'_>, report: &BodyReport, class: &ClassReport) -> bool {
    let signs_in = observation.attempt.is_some_and(|attempt| match attempt.flow {
        AccountFlow::Login | AccountFlow::Code | AccountFlow::Registration | AccountFlow::FirstStep => true,
        AccountFlow::Reset | AccountFlow::Lookup => false,
    });
    let writes = matches!(&*observation.method, "POST" | "PUT" | "PATCH");
    is_out_of_place(signs_in, writes, report, class)
}

/// Whether a secret is not what was asked for: by one who signs in, or by a request that writes.
fn is_out_of_place(signs_in: bool, writes: bool, report: &BodyReport, class: &ClassReport) -> bool {
    // One that was made: the answer is one thing, or has a field named for a token.
    let is_one = report.records <= 1 && class.distinct.len() <= KEYS_MADE_TOGETHER;
    let is_made = is_one && (writes || report.has_token && !is_of_cloud(class));
    match class.class {
        DataClass::PasswordHash => true,
        DataClass::Jwt => !signs_in && class.distinct.len() > TOKENS_OF_A_SESSION,
        DataClass::PrivateKey => !signs_in && !is_made,
        DataClass::ApiKey => !signs_in && !is_made && !is_published(class),
        DataClass::Password => !signs_in && !is_made,
        _ => false,
    }
}

/// Keys of a cloud account, which come with a token where a server is asked who it is.
fn is_of_cloud(class: &ClassReport) -> bool {
    class.class == DataClass::ApiKey && ["AKIA", "ASIA"].iter().any(|prefix| class.sample.starts_with(prefix))
}

fn is_published(class: &ClassReport) -> bool {
    class.distinct.len() == 1 && PUBLISHED.iter().any(|prefix| class.sample.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: DataClass, count: u64, sample: &str) -> ClassReport {
        let distinct = (0..count).collect();
        ClassReport { class, occurrences: count as u32, distinct, records: count as u32, sample: sample.to_owned() }
    }

    fn report(records: u32, has_token: bool) -> BodyReport {
        BodyReport { records, has_token, ..BodyReport::default() }
    }

    #[test]
    fn a_key_that_was_just_made_is_shown_once() {
        let key = class(DataClass::ApiKey, 1, "sk_live_***");
        assert!(!is_out_of_place(false, true, &report(1, false), &key), "POST /keys");
        assert!(is_out_of_place(false, false, &report(1, false), &key), "GET /keys/7");
        assert!(is_out_of_place(false, true, &report(20, false), &class(DataClass::ApiKey, 20, "sk_live_***")));
        assert!(!is_out_of_place(false, true, &report(1, false), &class(DataClass::PrivateKey, 1, "-----")));
        assert!(is_out_of_place(false, false, &report(1, false), &class(DataClass::PrivateKey, 1, "-----")));
        assert!(!is_out_of_place(false, false, &report(1, true), &key), "a token, in a field named so");
        let cloud = class(DataClass::ApiKey, 1, "ASIA***");
        assert!(is_out_of_place(false, false, &report(1, true), &cloud), "what a server is told of itself");
    }

    #[test]
    fn tokens_of_a_session_are_no_leak_and_those_of_many_are() {
        let body = report(1, false);
        assert!(!is_out_of_place(false, false, &body, &class(DataClass::Jwt, 3, "eyJ***")));
        assert!(is_out_of_place(false, false, &body, &class(DataClass::Jwt, 4, "eyJ***")));
        assert!(!is_out_of_place(true, true, &body, &class(DataClass::Jwt, 9, "eyJ***")), "a login");
    }

    #[test]
    fn a_password_hash_is_nobodys_business() {
        for (signs_in, writes) in [(false, false), (true, true)] {
            assert!(is_out_of_place(signs_in, writes, &report(1, true), &class(DataClass::PasswordHash, 1, "$2b$***")));
        }
    }

    #[test]
    fn a_password_that_is_shown_to_who_sets_it_is_none() {
        let password = |count| class(DataClass::Password, count, "***");
        assert!(is_out_of_place(false, false, &report(1, false), &password(1)), "GET /profile");
        assert!(is_out_of_place(false, false, &report(30, false), &password(30)), "GET /users");
        assert!(!is_out_of_place(false, true, &report(1, false), &password(1)), "POST /databases");
        assert!(!is_out_of_place(true, true, &report(1, false), &password(1)), "POST /register");
    }

    #[test]
    fn keys_for_everybody_to_see_and_personal_data_are_no_secrets() {
        for sample in ["AIza***", "sk_test_***"] {
            assert!(!is_out_of_place(false, false, &report(1, false), &class(DataClass::ApiKey, 1, sample)));
            assert!(is_out_of_place(false, false, &report(1, false), &class(DataClass::ApiKey, 2, sample)));
        }
        assert!(!is_out_of_place(false, false, &report(1, false), &class(DataClass::Email, 50, "j***")));
    }

    #[test]
    fn leaks_merge_in_any_order() {
        let leak = |open: u64, kind: DataClass, count: u64| {
            let mut leaks = Leaks { open_responses: open, ..Leaks::default() };
            leaks.exposure.responses = 1;
            leaks.exposure.add_class(&class(kind, count, "***"));
            leaks
        };
        let parts = [
            leak(0, DataClass::ApiKey, 2),
            leak(1, DataClass::PasswordHash, 5),
            leak(1, DataClass::ApiKey, 7),
            leak(0, DataClass::Jwt, 9),
        ];
        let merged = |order: [usize; 4]| {
            let mut sum = Leaks::default();
            order.into_iter().for_each(|at| sum.merge(parts[at].clone()));
            sum
        };
        let first = merged([0, 1, 2, 3]);
        assert_eq!(first, merged([3, 2, 1, 0]));
        assert_eq!(first, merged([2, 0, 3, 1]));
        assert_eq!((first.open_responses, first.exposure.responses), (2, 4));
    }
}
