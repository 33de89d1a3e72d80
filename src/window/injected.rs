//! Requests that carry code or addresses for the server, or a token that nobody signed: counted by client in the window of their time.

use super::distinct::{DistinctSet, FEW_REGISTERS};
use super::shown::Shown;
use super::{EvidenceSample, Merge, Moment};
use crate::api::Observation;
use crate::inspect::{Injection, Injections};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What one client sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Injected {
    /// Requests by what they carry; one may carry several.
    kinds: [u64; Injection::ALL.len()],
    pub code: Carriers,
    pub forgery: Carriers,
    /// Different addresses of the server itself or of its network.
    pub inner_addresses: DistinctSet<FEW_REGISTERS>,
}

/// Requests that carry something of a kind, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carriers {
    pub requests: u64,
    pub served: u64,
    pub failed: u64,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Carriers {
    /// Counts a request.
    pub fn count(&mut self, is_served: bool, has_failed: bool, time: Timestamp) {
        self.requests += 1;
        self.served += u64::from(is_served);
        self.failed += u64::from(has_failed);
        self.moment.record(time);
    }

    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        self.count(observation.is_success, observation.is_server_error(), observation.started);
        shown.offer(&mut self.evidence);
    }
}

impl Injected {
    pub fn of_kind(&self, kind: Injection) -> u64 {
        self.kinds[kind as usize] // an entry for each kind
    }

    /// The kinds that occurred, the most frequent first.
    pub fn kinds(&self, is_wanted: impl Fn(Injection) -> bool) -> Vec<(Injection, u64)> {
        let counts = Injection::ALL.into_iter().map(|kind| (kind, self.of_kind(kind)));
        let mut kinds: Vec<_> = counts.filter(|(kind, count)| *count > 0 && is_wanted(*kind)).collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        kinds
    }

    /// Counts a request.
    pub fn count(&mut self, injections: Injections, is_served: bool, has_failed: bool, time: Timestamp) {
        for kind in injections.iter() {
            self.kinds[kind as usize] += 1; // as above
        }
        for carriers in self.carriers_of(injections) {
            carriers.count(is_served, has_failed, time);
        }
        if let Some(address) = injections.inner_address {
            self.inner_addresses.insert(address);
        }
    }

    fn carriers_of(&mut self, injections: Injections) -> impl Iterator<Item = &mut Carriers> {
        let code = injections.has_code().then_some(&mut self.code);
        code.into_iter().chain(injections.has_forgery().then_some(&mut self.forgery))
    }

    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        let injections = observation.injections;
        self.count(injections, observation.is_success, observation.is_server_error(), observation.started);
        self.carriers_of(injections).for_each(|carriers| shown.offer(&mut carriers.evidence));
    }
}

impl Merge for Injected {
    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.kinds.iter_mut().zip(other.kinds) {
            *mine += theirs;
        }
        self.code.merge(other.code);
        self.forgery.merge(other.forgery);
        self.inner_addresses.merge(&other.inner_addresses);
    }
}

impl Merge for Carriers {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.served += other.served;
        self.failed += other.failed;
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}
