//! Which copy counts where segments overlap and differ: a policy for each network of receivers.
//!
//! In goes the address that a segment is sent to, out comes the [`OverlapPolicy`] of the stack there. Receivers disagree
//! about bytes that come twice, and an attacker sends one version for the sensor and one for the server (Ptacek and
//! Newsham, "Insertion, Evasion, and Denial of Service", 1998). The policies are those of Novak and Sturges, "Target-Based
//! TCP Stream Reassembly" (2007), as Snort and Suricata have them. They hold only behind a hole: bytes that came in order
//! no receiver takes back, nor does the sensor.

use crate::packet::{Direction, FlowKey};
use crate::rule::Network;
use serde::Deserialize;
use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlapPolicy {
    /// The copy that came first, as RFC 9293 §3.10.7.4 has it: Windows since Vista, and most others today.
    #[default]
    First,
    /// The copy that came last.
    Last,
    /// The first, unless a later segment begins before it, or begins with it and ends behind it: Linux 2.4 and later.
    Linux,
    /// The first, unless a later segment begins before it: Windows up to 2003, and the BSDs.
    Windows,
}

impl OverlapPolicy {
    /// Whether of two segments, by their offsets, the later one counts where they overlap.
    pub(super) fn prefers_later(self, earlier: &Range<i64>, later: &Range<i64>) -> bool {
        match self {
            OverlapPolicy::First => false,
            OverlapPolicy::Last => true,
            OverlapPolicy::Linux => {
                later.start < earlier.start || (later.start == earlier.start && later.end > earlier.end)
            }
            OverlapPolicy::Windows => later.start < earlier.start,
        }
    }
}

/// The policies of a site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlaps {
    /// Of receivers that no network of the list has.
    pub otherwise: OverlapPolicy,
    /// The first network that has the receiver counts.
    pub by_network: Vec<(Network, OverlapPolicy)>,
}

impl Overlaps {
    /// The policy of who receives what is sent in this direction of a flow.
    pub(super) fn policy(&self, flow: &FlowKey, direction: Direction) -> OverlapPolicy {
        let receiver = flow.source(direction.other()).address;
        let found = self.by_network.iter().find(|(network, _)| network.contains(receiver));
        found.map_or(self.otherwise, |(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Peer;

    /// The cases of Novak and Sturges: where the later segment begins and ends, seen from an earlier one at 10 to 20.
    #[test]
    fn each_policy_answers_the_cases_of_the_paper() {
        let cases = [
            // later segment, first, last, linux, windows
            (5..15, [false, true, true, true]),
            (5..20, [false, true, true, true]),
            (5..25, [false, true, true, true]),
            (10..15, [false, true, false, false]),
            (10..20, [false, true, false, false]),
            (10..25, [false, true, true, false]),
            (12..18, [false, true, false, false]),
            (15..20, [false, true, false, false]),
            (15..25, [false, true, false, false]),
        ];
        let policies = [OverlapPolicy::First, OverlapPolicy::Last, OverlapPolicy::Linux, OverlapPolicy::Windows];
        for (later, expected) in cases {
            assert_eq!(policies.map(|policy| policy.prefers_later(&(10..20), &later)), expected, "{later:?}");
        }
    }

    #[test]
    fn the_network_of_the_receiver_decides_and_the_first_that_has_it() {
        let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
        let (flow, to_server) = FlowKey::of(peer(9, 40_000), peer(1, 80));
        let rule = |network: &str, policy| (network.parse().unwrap(), policy);
        let overlaps = Overlaps {
            otherwise: OverlapPolicy::Last,
            by_network: vec![
                rule("10.0.0.1/32", OverlapPolicy::Linux),
                rule("10.0.0.0/29", OverlapPolicy::Windows),
                rule("fd00::/8", OverlapPolicy::First),
            ],
        };
        assert_eq!(overlaps.policy(&flow, to_server), OverlapPolicy::Linux);
        assert_eq!(overlaps.policy(&flow, to_server.other()), OverlapPolicy::Last);
    }
}
