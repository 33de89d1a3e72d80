//! GraphQL documents of one client that are nested deeper than people write them.

use super::shown::Shown;
use super::{EvidenceSample, Merge, Moment};
use crate::api::Observation;
use serde::{Deserialize, Serialize};

/// Levels from which on a document is kept.
pub const DEEP: u32 = crate::rule::LEAST_DEPTH;

/// Deep documents that the server did not refuse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeepDocuments {
    pub count: u64,
    /// Levels of the deepest.
    pub deepest: u32,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl DeepDocuments {
    /// A server that fails by it, or does not come to an answer, did not refuse it.
    pub(super) fn counts(observation: &Observation<'_>) -> bool {
        let was_tried = observation.is_success || observation.is_server_error() || observation.status == 0;
        observation.depth >= DEEP && was_tried
    }

    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        self.count += 1;
        self.deepest = self.deepest.max(observation.depth);
        self.moment.record(observation.started);
        shown.offer(&mut self.evidence);
    }
}

impl Merge for DeepDocuments {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.deepest = self.deepest.max(other.deepest);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }

    fn condense(&mut self) {
        self.evidence.keep_first(1);
    }
}
