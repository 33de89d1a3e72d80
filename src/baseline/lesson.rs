//! Lessons: what one window would teach, taken when it is absorbed. Whether it does is for `fold`, once the window was judged.

use super::habit::Came;
use crate::inspect::DataClass;
use crate::window::histogram::{LogHistogram, StatusCounts};
use crate::window::{AskedByHost, EndpointWindow, Exposure, Merge};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Sensitive data of one window, as far as it teaches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExposureLesson {
    /// Class, distinct values, responses.
    pub classes: SmallVec<[(DataClass, u64, u64); 2]>,
    pub records: u64,
    pub bytes: u64,
    pub successes: u64,
    pub windows: u64,
}

impl Merge for ExposureLesson {
    fn merge(&mut self, other: Self) {
        for (class, values, responses) in other.classes {
            match self.classes.iter_mut().find(|(mine, _, _)| *mine == class) {
                Some(mine) => (mine.1, mine.2) = (mine.1 + values, mine.2 + responses),
                None => self.classes.push((class, values, responses)),
            }
        }
        self.records += other.records;
        self.bytes += other.bytes;
        self.successes += other.successes;
        self.windows += other.windows;
    }
}

/// What a client or principal took in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TakenLesson {
    #[serde(default)]
    pub requests: u64,
    pub records: u64,
    pub bytes: u64,
    pub windows: u64,
}

impl Merge for TakenLesson {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.records += other.records;
        self.bytes += other.bytes;
        self.windows += other.windows;
    }
}

/// Statuses of requests that a server cannot make sense of.
const NOT_UNDERSTOOD: [u16; 4] = [400, 405, 415, 422];

/// Answers that say so.
pub fn not_understood(statuses: &StatusCounts) -> u64 {
    NOT_UNDERSTOOD.map(|status| statuses.count(status)).into_iter().sum()
}

/// How large successful answers were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    pub sizes: LogHistogram,
    pub records: LogHistogram,
    pub sensitive_values: LogHistogram,
}

impl Merge for Answers {
    fn merge(&mut self, other: Self) {
        self.sizes.merge(&other.sizes);
        self.records.merge(&other.records);
        self.sensitive_values.merge(&other.sensitive_values);
    }
}

impl ExposureLesson {
    pub fn of(exposure: Option<&Exposure>, successes: u64) -> ExposureLesson {
        let Some(exposure) = exposure else {
            return ExposureLesson { successes, windows: 1, ..ExposureLesson::default() };
        };
        ExposureLesson {
            classes: exposure
                .classes
                .iter()
                .map(|class| (class.class, class.values.count(), class.responses))
                .collect(),
            records: exposure.records,
            bytes: exposure.bytes,
            successes,
            windows: 1,
        }
    }
}

/// What one window teaches about an endpoint.
#[derive(Clone, Debug)]
pub struct EndpointLesson {
    pub requests: u64,
    pub errors: u64,
    pub failures: u64,
    pub login_failures: u64,
    pub login_nonsense: u64,
    pub logins: u64,
    pub login_successes: u64,
    pub login_sessions: u64,
    /// Failed logins of strangers.
    pub strange_failures: u64,
    /// Registrations, resets and lookups: whether there were any, and those of strangers.
    pub has_account_calls: bool,
    pub strange_calls: u64,
    pub exposure: ExposureLesson,
    pub open_exposure: ExposureLesson,
    pub answers: Answers,
    pub page_sizes: Option<LogHistogram>,
    pub latency: LogHistogram,
}

impl EndpointLesson {
    pub fn of(window: &EndpointWindow) -> EndpointLesson {
        let logins = window.logins.as_deref();
        EndpointLesson {
            requests: window.tally.requests,
            errors: window.tally.statuses.class(4),
            failures: window.tally.statuses.class(5),
            login_failures: logins.map_or(0, |logins| logins.failures),
            login_nonsense: logins.map_or(0, |logins| not_understood(&window.tally.statuses).min(logins.failures)),
            logins: logins.map_or(0, |logins| logins.total()),
            login_successes: logins.map_or(0, |logins| logins.successes),
            login_sessions: logins.map_or(0, |logins| logins.with_session),
            strange_failures: logins.map_or(0, |logins| logins.strangers.counted),
            has_account_calls: window.accounts.is_some(),
            strange_calls: window.accounts.as_deref().map_or(0, |calls| calls.strangers.counted),
            exposure: ExposureLesson::of(window.exposure.as_deref(), window.successes),
            open_exposure: ExposureLesson::of(window.open_exposure.as_deref(), window.open_successes),
            answers: Answers {
                sizes: window.sizes.clone(),
                records: window.records.clone(),
                sensitive_values: window.sensitive_values.clone(),
            },
            latency: window.latency.clone(),
            page_sizes: window.paged.as_deref().map(|paged| paged.asked.clone()),
        }
    }
}

/// What one window teaches about a client, principal or host.
#[derive(Clone, Debug)]
pub struct SubjectLesson {
    pub requests: u64,
    pub answered: u64,
    pub errors: u64,
    pub failures: u64,
    pub exposure: ExposureLesson,
    pub taken: TakenLesson,
    /// Of clients.
    pub asked: AskedByHost,
}

/// What a window says of a host.
#[derive(Clone, Debug)]
pub struct HostLesson {
    pub of_all: SubjectLesson,
    /// Different clients.
    pub clients: u64,
}

impl HostLesson {
    pub(super) fn came(&self) -> Came {
        Came { visits: self.clients, requests: self.of_all.requests }
    }
}
