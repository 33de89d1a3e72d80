//! Rules of the detector of hosts that fall silent: `traffic_drop.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// Windows of which a host's visits are remembered one by one.
pub const MOST_DROP_WINDOWS: u64 = 60;

/// Far fewer clients use a host than should.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficDrop {
    pub enabled: bool,
    /// Spans that are judged, in watched windows, ascending.
    pub horizons_windows: Vec<u64>,
    /// Visits that a span was to bring.
    pub min_expected: f64,
    /// Visits that came / those that were to be expected.
    pub max_share: f64,
    /// Quietest block / median block of the last hour.
    pub min_steadiness: f64,
    /// Clients in ten seconds below which a host has few, and how steady it must be then.
    pub few_clients: f64,
    pub min_steadiness_of_few: f64,
    pub silence_severity: Severity,
    pub thinned: Thinned,
    pub alert: AlertText,
}

/// Fewer clients come, and what is left of each is less: part of what is asked does not arrive.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thinned {
    /// Visits that came / those that were to be expected.
    pub max_visit_share: f64,
    /// The same of requests.
    pub max_request_share: f64,
}

impl TrafficDrop {
    /// The floor of steadiness for a host that so many clients use in ten seconds, and its key.
    pub fn least_steadiness(&self, clients: f64) -> (&'static str, f64) {
        match clients < self.few_clients {
            true => ("min_steadiness_of_few", self.min_steadiness_of_few),
            false => ("min_steadiness", self.min_steadiness),
        }
    }

    pub(super) fn check(&self, check: &mut Check<'_>) {
        let is_ascending = self.horizons_windows.is_sorted_by(|one, next| one < next);
        let fits = |windows: &u64| (1..=MOST_DROP_WINDOWS).contains(windows);
        if self.horizons_windows.is_empty() || !is_ascending || !self.horizons_windows.iter().all(fits) {
            let message = format!("`horizons_windows` must ascend, each from 1 to {MOST_DROP_WINDOWS}");
            check.fail("horizons_windows", &message);
        }
        check.strength("min_expected", self.min_expected);
        check.share("max_share", self.max_share);
        check.share("min_steadiness", self.min_steadiness);
        check.strength("few_clients", self.few_clients);
        check.share("min_steadiness_of_few", self.min_steadiness_of_few);
        check.table("thinned", |check| {
            check.share("max_visit_share", self.thinned.max_visit_share);
            check.share("max_request_share", self.thinned.max_request_share);
        });
        self.alert.check(check);
    }
}
