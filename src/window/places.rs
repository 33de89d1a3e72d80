//! Where one principal's credential was used: from which networks, with which programs.
//!
//! A network is a provider's, a /16 or /32; a program is a `User-Agent`. A transaction in, sets out; they merge commutatively. One
//! transaction of each network is shown, as far as a window saw it beside another, and some in any case.

use super::aggregate::{EvidenceSample, Merge, Moment};
use super::distinct::{DistinctSet, FEW_REGISTERS};
use super::sample::BottomK;
use super::shown::Shown;
use crate::api::Observation;
use crate::hash::{HashKey, mix};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One in so many transactions is shown in any case.
const SHOWN: u64 = 16;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Places {
    /// Keyed by their hash, as the sample is.
    pub networks: DistinctSet<FEW_REGISTERS>,
    pub agents: DistinctSet<FEW_REGISTERS>,
    /// An address of each of some networks.
    pub sample: BottomK<IpAddr, 8>,
    pub moment: Moment,
    pub evidence: EvidenceSample,
}

impl Places {
    pub(super) fn record(&mut self, observation: &Observation<'_>, key: &HashKey, shown: &mut Shown<'_, '_>) {
        let network = provider_of(observation.client);
        self.networks.insert(network);
        self.sample.insert(network, observation.client);
        if let Some(agent) = &observation.user_agent {
            self.agents.insert(key.hash(agent.as_bytes()));
        }
        self.moment.record(observation.started);
        let is_sampled = observation.is_one_in(SHOWN);
        if self.sample.len() > 1 || is_sampled {
            shown.offer(&mut self.evidence);
        }
    }
}

impl Places {
    /// The network and the program, where there is one of each; 0 for what is not known.
    pub fn only(&self) -> Option<(u64, u64)> {
        let is_one = self.networks.count() == 1 && self.agents.count() <= 1;
        let network = self.sample.iter().next().map_or(0, |(network, _)| network);
        is_one.then(|| (network, self.agents.exact().and_then(|agents| agents.first().copied()).unwrap_or(0)))
    }
}

impl Merge for Places {
    fn merge(&mut self, other: Self) {
        self.networks.merge(&other.networks);
        self.agents.merge(&other.agents);
        self.sample.merge(&other.sample);
        self.moment.merge(other.moment);
        self.evidence.merge(&other.evidence);
    }
}

/// The provider's network of an address, a /16 or /32: within one, a carrier hands out another address for each connection.
fn provider_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mix(u64::from(address.to_bits() >> 16)),
        IpAddr::V6(address) => mix((address.to_bits() >> 96) as u64 | 1 << 40),
    }
}
