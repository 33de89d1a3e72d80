//! Rules of the detector of credentials that are used from many places: `session_anomaly.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

/// One credential is used from many networks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionAnomaly {
    pub enabled: bool,
    /// Spans of event time, each judged by itself, ascending.
    pub horizons_seconds: Vec<u64>,
    /// Networks, where there are several programs; within the first horizon.
    pub min_networks: u64,
    /// The same within those between the first and the last.
    pub slow_min_networks: u64,
    pub min_agents: u64,
    /// Networks with one program alone, or within the last horizon.
    pub min_networks_alone: u64,
    /// Networks / most networks within an hour while it was learned.
    pub factor: f64,
    pub alert: AlertText,
}

impl SessionAnomaly {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.horizons("horizons_seconds", &self.horizons_seconds);
        check.at_least("min_networks", self.min_networks, 2);
        check.at_least("slow_min_networks", self.slow_min_networks, self.min_networks);
        check.at_least("min_agents", self.min_agents, 1);
        check.at_least("min_networks_alone", self.min_networks_alone, self.min_networks);
        check.factor("factor", self.factor);
        self.alert.check(check);
    }
}
