//! Sizes of pages that requests ask for, and the largest that an endpoint gave.

use super::aggregate::{Evidence, EvidenceKey, Merge};
use super::histogram::LogHistogram;
use super::sample::Earliest;
use super::shown::Shown;
use crate::api::Observation;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

/// Rows of an answer from which on it may be one of the largest pages: with fewer nobody is hurt.
pub const LARGE_PAGE: u64 = crate::rule::LEAST_PAGE_ROWS;
/// A page that was asked for and given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub asked: u64,
    pub rows: u64,
    pub client: IpAddr,
    pub principal: Option<u64>,
    pub evidence: Arc<Evidence>,
}

/// Pages of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// Sizes that answered requests asked for.
    pub asked: LogHistogram,
    /// Those with most rows.
    pub largest: Earliest<(Reverse<u64>, EvidenceKey), Page, 3>,
}

impl Pages {
    pub(super) fn record(&mut self, observation: &Observation<'_>, asked: u64, rows: u64, shown: &mut Shown<'_, '_>) {
        self.asked.record(asked);
        let key = (Reverse(rows), shown.key());
        if rows < LARGE_PAGE || !self.largest.would_keep(&key) {
            return;
        }
        let (client, principal) = (observation.client, observation.principal);
        self.largest.insert(key, Page { asked, rows, client, principal, evidence: shown.evidence() });
    }
}

impl Merge for Pages {
    fn merge(&mut self, other: Self) {
        self.asked.merge(&other.asked);
        self.largest.merge(&other.largest);
    }
}
