//! Rules of the detector that watches walks through object ids: `object_enumeration.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// One principal or client that walks through the object ids of an endpoint.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectEnumeration {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Different objects within a horizon.
    pub min_objects: u64,
    /// Different objects that are enough where ids were taken in sequence.
    pub min_objects_in_sequence: u64,
    /// Different objects / the range of their numbers, from which on it is a sequence.
    pub min_sequential_share: f64,
    /// Objects / its own normal, and objects / the peers' normal.
    pub reach_factor: f64,
    /// The same where ids are guessed in sequence.
    pub reach_factor_guessed: f64,
    /// Quantile of the peers' reach that is their normal.
    pub peer_quantile: f64,
    /// Power of the span's length with which the peers' reach grows: 0 for who always looks at the same objects, 1 for who
    /// never comes back to one.
    pub growth_exponent: f64,
    /// The same of peers, where the ids that were taken are a sequence; the lower of both holds.
    pub growth_exponent_in_sequence: f64,
    /// Peers needed for a comparison.
    pub min_peers: u64,
    /// Different objects within a horizon, with fewer peers.
    pub min_objects_without_peers: u64,
    /// Different objects within ten minutes while the sensor learns, taken in sequence.
    pub min_objects_while_learning: u64,
    /// Objects that the baseline weighs at most in the test of its rate.
    pub prior_strength: f64,
    /// Requests that gave an object / requests, from which on `success_severity` holds.
    pub min_success_share: f64,
    pub success_severity: Severity,
    pub alert: AlertText,
}

impl ObjectEnumeration {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.at_least("min_objects", self.min_objects, 2);
        check.within("min_objects_in_sequence", self.min_objects_in_sequence, 2, self.min_objects.max(2));
        check.share("min_sequential_share", self.min_sequential_share);
        check.factor("reach_factor", self.reach_factor);
        check.factor("reach_factor_guessed", self.reach_factor_guessed);
        check.within("peer_quantile", self.peer_quantile, 0.5, 1.0);
        check.within("growth_exponent", self.growth_exponent, 0.0, 1.0);
        check.within("growth_exponent_in_sequence", self.growth_exponent_in_sequence, 0.0, 1.0);
        check.at_least("min_peers", self.min_peers, 2);
        check.at_least("min_objects_without_peers", self.min_objects_without_peers, self.min_objects);
        check.at_least("min_objects_while_learning", self.min_objects_while_learning, self.min_objects_in_sequence);
        check.strength("prior_strength", self.prior_strength);
        check.share("min_success_share", self.min_success_share);
        check.not_below("success_severity", self.success_severity, self.alert.severity, "`alert.severity`");
        self.alert.check(check);
    }
}
