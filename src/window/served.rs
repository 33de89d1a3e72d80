//! Whom an endpoint served: principals of a window, each with the first of its transactions; and who was given which object.
//!
//! Of principals all, while they are fewer than [`MOST_SERVED`]: enough to know who belongs to a small circle. Of objects those with the
//! smallest hashes.

use super::Evidence;
use super::aggregate::EvidenceKey;
use super::sample::BottomK;
use super::shown::Shown;
use std::cmp::Ordering;
use std::sync::Arc;

/// Principals of a window that are kept; so many are as good as everybody.
pub const MOST_SERVED: usize = 16;

/// By principal.
pub type Served = BottomK<Service, MOST_SERVED>;

/// Objects, each with a principal that was given it: a sample.
pub type Contacts = BottomK<(u64, u64), 64>;

/// Where a contact stands: by its object, and then by some bits of its principal.
pub fn contact_key((object, principal): (u64, u64)) -> u64 {
    const OF_PRINCIPAL: u64 = 0xffff;
    object & !OF_PRINCIPAL | principal & OF_PRINCIPAL
}

/// The first transaction of a principal; its key names it.
#[derive(Clone, Debug)]
pub struct Service {
    pub key: EvidenceKey,
    pub evidence: Arc<Evidence>,
}

impl PartialEq for Service {
    fn eq(&self, other: &Service) -> bool {
        self.key == other.key
    }
}

impl Eq for Service {}

impl PartialOrd for Service {
    fn partial_cmp(&self, other: &Service) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Service {
    fn cmp(&self, other: &Service) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// Counts a transaction of a principal that was served; what is shown is built where it is kept.
pub(super) fn record(served: &mut Served, principal: u64, shown: &mut Shown<'_, '_>) {
    let key = shown.key();
    let is_news = match served.get(principal) {
        Some(first) => key < first.key,
        None => served.would_keep(principal),
    };
    if is_news {
        served.insert(principal, Service { key, evidence: shown.evidence() });
    }
}
