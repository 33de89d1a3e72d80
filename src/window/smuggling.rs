//! Requests whose end is ambiguous, and answers to parts of requests: counted by client in the window of their time.

use super::fill::{Filling, client_key, new_client};
use super::shown::Shown;
use super::{EvidenceSample, Merge, Moment, Window};
use crate::api::Observation;
use crate::http::Ambiguity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What one client sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Smuggling {
    /// Ambiguous requests, by the reason.
    requests: [u64; Ambiguity::ALL.len()],
    /// Answers to parts of requests.
    pub desyncs: u64,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Smuggling {
    /// Ambiguous requests.
    pub fn requests(&self) -> u64 {
        self.requests.iter().sum()
    }

    /// The reasons that occurred.
    pub fn reasons(&self) -> impl Iterator<Item = Ambiguity> {
        Ambiguity::ALL.into_iter().filter(|reason| self.requests[*reason as usize] > 0) // an entry for each reason
    }

    /// Counts an ambiguous request, or an answer to a part of one. A request that is told a second time, with such an
    /// answer, was counted before.
    pub fn count(&mut self, ambiguity: Option<Ambiguity>, is_desync: bool, time: Timestamp) {
        if let Some(reason) = ambiguity.filter(|_| !is_desync) {
            self.requests[reason as usize] += 1; // as above
        }
        self.desyncs += u64::from(is_desync);
        self.moment.record(time);
    }

    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        // What waits for an answer that never comes is known late, and not old for that: its last time is that of its end.
        self.moment.record(observation.started);
        self.count(observation.ambiguity, observation.is_desync, observation.time);
        shown.offer(&mut self.evidence);
    }
}

impl Merge for Smuggling {
    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.requests.iter_mut().zip(other.requests) {
            *mine += theirs;
        }
        self.desyncs += other.desyncs;
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

impl Window {
    /// Counts an answer to a part of a request. Request and answer are counted as transactions where they belong.
    pub fn record_desync(&mut self, observation: &Observation<'_>, filling: &Filling<'_>) {
        let key = client_key(filling.key, observation.client);
        let entry = self.clients.entry(key, false, filling.limits.keys, || new_client(observation.client));
        if let Some(client) = entry {
            client.smuggling.get_or_insert_default().record(observation, &mut Shown::of(observation, filling));
        }
    }
}
