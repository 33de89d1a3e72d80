//! Transactions that the sensor and their server may have read differently, because bytes of them came twice and the
//! copies differ: of one client, where it matters most.

use super::shown::Shown;
use super::{EvidenceSample, Merge, Moment};
use crate::api::Observation;
use serde::{Deserialize, Serialize};

/// Disputed transactions of one client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evasions {
    /// At a login.
    pub logins: u64,
    /// With credentials, elsewhere.
    pub authorised: u64,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Evasions {
    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        match observation.attempt {
            Some(_) => self.logins += 1,
            None => self.authorised += 1,
        }
        self.moment.record(observation.started);
        shown.offer(&mut self.evidence);
    }

    pub fn total(&self) -> u64 {
        self.logins + self.authorised
    }
}

impl Merge for Evasions {
    fn merge(&mut self, other: Self) {
        self.logins += other.logins;
        self.authorised += other.authorised;
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }

    fn condense(&mut self) {
        self.evidence.keep_first(1);
    }
}
