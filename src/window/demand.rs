//! What one client or principal asks of each host, and how many callers may be behind it.
//!
//! An address can be a household, a carrier's NAT or a load balancer: its requests are then those of many. Who calls is
//! looked at in a sample of the transactions.

use super::aggregate::{EvidenceSample, Merge};
use super::distinct::{DistinctSet, FEW_REGISTERS};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Hosts that are told apart: those with the smallest keys. Hardly anybody asks more than two.
const HOSTS: usize = 4;
/// One transaction in so many shows who calls.
pub const SAMPLE: u64 = 16;
/// Requests of a subject within a window, in one partition, from which on those of the sample are worth being shown.
pub const SHOWN: u64 = 8;

/// What was asked of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Key of the host.
    pub host: u64,
    pub requests: u64,
    pub bytes: u64,
}

/// Ascending by host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskedByHost(SmallVec<[Asked; 1]>);

impl AskedByHost {
    pub fn add(&mut self, asked: Asked) {
        match self.0.binary_search_by_key(&asked.host, |known| known.host) {
            Ok(at) => {
                self.0[at].requests += asked.requests; // binary_search gives an index within
                self.0[at].bytes += asked.bytes;
            }
            // What is among the smallest in the end was never left out, so its count is whole.
            Err(at) if at < HOSTS => {
                self.0.insert(at, asked);
                self.0.truncate(HOSTS);
            }
            Err(_) => {}
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Asked> + '_ {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Merge for AskedByHost {
    fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|asked| self.add(asked));
    }
}

/// Who calls, by the sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Callers {
    /// Transactions looked at, and those of them with accepted credentials.
    pub sampled: u64,
    pub signed_in: u64,
    pub principals: DistinctSet<FEW_REGISTERS>,
    /// Names of client software, hashed.
    pub agents: DistinctSet<FEW_REGISTERS>,
    pub evidence: EvidenceSample<3>,
}

impl Merge for Callers {
    fn merge(&mut self, other: Self) {
        self.sampled += other.sampled;
        self.signed_in += other.signed_in;
        self.principals.merge(&other.principals);
        self.agents.merge(&other.agents);
        self.evidence.merge(&other.evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;
    use proptest::prelude::*;

    fn of(hosts: &[u64]) -> (AskedByHost, Callers) {
        let (mut asked, mut callers) = (AskedByHost::default(), Callers::default());
        for &host in hosts {
            asked.add(Asked { host, requests: 1, bytes: host });
            callers.sampled += 1;
            callers.agents.insert(mix(host));
        }
        (asked, callers)
    }

    proptest! {
        #[test]
        fn merging_in_any_order_is_counting_it_all(
            hosts in proptest::collection::vec(0u64..9, 0..60), cut in any::<prop::sample::Index>(),
        ) {
            let whole = of(&hosts);
            let (head, tail) = hosts.split_at(cut.index(hosts.len() + 1));
            for (first, second) in [(head, tail), (tail, head)] {
                let (mut merged, second) = (of(first), of(second));
                merged.0.merge(second.0);
                merged.1.merge(second.1);
                prop_assert_eq!(&merged, &whole);
            }
        }
    }
}
