//! Where a credential that outlives sessions was used, and for what: by principal, in the window of its time.

use super::sample::BottomK;
use super::shown::Shown;
use super::{EvidenceSample, Merge};
use crate::api::{CredentialKind, Observation};
use crate::hash::mix;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks, a /24 or /64 each.
pub type NetworkSample = BottomK<IpAddr, 8>;

/// What one credential did.
#[derive(Clone, Debug, PartialEq)]
pub struct LastingUse {
    pub kind: CredentialKind,
    pub successes: u64,
    pub networks: NetworkSample,
    /// Keys of endpoints.
    pub endpoints: BottomK<(), 8>,
    /// Transactions after it had not been seen for long.
    pub evidence: EvidenceSample<3>,
}

impl LastingUse {
    pub fn new(kind: CredentialKind) -> LastingUse {
        let (networks, endpoints, evidence) = Default::default();
        LastingUse { kind, successes: 0, networks, endpoints, evidence }
    }

    pub(super) fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        self.successes += u64::from(observation.is_success);
        let network = network_of(observation.client);
        self.networks.insert(network_hash(network), network);
        if observation.is_known || observation.makes_endpoint {
            self.endpoints.insert(observation.endpoint, ());
        }
        if observation.is_waking {
            shown.offer(&mut self.evidence);
        }
    }
}

impl Merge for LastingUse {
    fn merge(&mut self, other: Self) {
        self.successes += other.successes;
        self.networks.merge(&other.networks);
        self.endpoints.merge(&other.endpoints);
        self.evidence.merge(&other.evidence);
    }
}

/// The /24 or /64 an address is in.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 64).into(),
    }
}

/// The 64 bits of a network's prefix, spread.
pub fn network_hash(network: IpAddr) -> u64 {
    match network {
        IpAddr::V4(address) => mix(u64::from(address.to_bits())),
        IpAddr::V6(address) => mix((address.to_bits() >> 64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn used(uses: &[(u32, u64, bool)]) -> LastingUse {
        let mut lasting = LastingUse::new(CredentialKind::ApiKey);
        for (address, endpoint, is_success) in uses {
            let network = network_of(Ipv4Addr::from_bits(*address).into());
            lasting.successes += u64::from(*is_success);
            lasting.networks.insert(network_hash(network), network);
            lasting.endpoints.insert(*endpoint, ());
        }
        lasting
    }

    proptest! {
        #[test]
        fn uses_merge_in_any_order(
            uses in proptest::collection::vec((any::<u32>(), any::<u64>(), any::<bool>()), 0..40), at in 0usize..40,
        ) {
            let (one, other) = uses.split_at(at.min(uses.len()));
            let (mut forth, mut back) = (used(one), used(other));
            forth.merge(used(other));
            back.merge(used(one));
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(forth, used(&uses));
        }
    }
}
