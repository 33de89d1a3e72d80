//! `traffic_drop`: far fewer clients than there should be use a steady host, or none.
//!
//! Sees: visits (a client in a window of ten seconds) of a minute, five or ten, against what the last hour and this hour of the
//! day let expect, whichever is less, with the overdispersion that its traffic has (a gamma-Poisson's lower tail). A drop
//! to less than two fifths counts; or to three fifths, where those who are left also ask less than half each, since part of what is
//! asked does not arrive. Windows without a request of the host count. Misses: hosts with few or fitful clients, and new ones;
//! single endpoints. Silent where the sensor may be blind: where nothing came of any host, where requests come without
//! answers, and while it leaves out packets, windows do not count (`sensor_silent` and the like speak). Errors and slow
//! answers of the host say it better.

use super::reasons::Reasons;
use super::stats::{Probability, gamma_poisson_lower_tail};
use super::{Finding, Scene, Spoiled, Subject};
use crate::baseline::habit::{Came, Expected};
use crate::baseline::state::HostState;
use crate::rule::TrafficDrop;
use crate::window::{Moment, start_of};

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.traffic_drop;
    if !rules.enabled || scene.is_learning {
        return;
    }
    // Silent hosts touch nothing: all are looked at, in a fixed order.
    let mut found: Vec<(u64, Finding)> = scene
        .store
        .hosts
        .iter()
        .filter_map(|state| of_host(scene, *state.key(), &state).map(|finding| (*state.key(), finding)))
        .collect();
    found.sort_unstable_by_key(|(key, _)| *key);
    findings.extend(found.into_iter().map(|(_, finding)| finding));
}

fn of_host(scene: &Scene<'_>, key: u64, state: &HostState) -> Option<Finding> {
    let rules = &scene.rules.traffic_drop;
    let expected = state.habit.expected(scene.touched.local)?;
    if expected.steadiness < rules.least_steadiness(expected.a_window).1 {
        return None;
    }
    // What has come back is over, whatever the longer spans still hold.
    let shortest = rules.horizons_windows.first()?;
    Shortfall::of(rules, &expected, *shortest, state.habit.last(*shortest as usize)?)?;
    let (shortfall, chance) = rules.horizons_windows.iter().find_map(|windows| {
        let shortfall = Shortfall::of(rules, &expected, *windows, state.habit.last(*windows as usize)?)?;
        if shortfall.mean < rules.min_expected {
            return None;
        }
        let chance = scene.rare("traffic_drop", key, Probability::new(shortfall.chance(&expected)))?;
        Some((shortfall, chance))
    })?;
    Some(finding_of(scene, key, state, &expected, &shortfall, chance))
}

/// Windows that brought less than they should.
struct Shortfall {
    windows: u64,
    came: Came,
    /// Visits and requests that were to be expected.
    mean: f64,
    mean_requests: f64,
    /// Whether only part of what each client asks came, too.
    is_thinned: bool,
}

impl Shortfall {
    fn of(rules: &TrafficDrop, expected: &Expected, windows: u64, came: Came) -> Option<Shortfall> {
        let mean = expected.a_window * windows as f64;
        let mean_requests = mean * expected.per_visit;
        let (visits, requests) = (came.visits as f64, came.requests as f64);
        let is_low = visits <= rules.max_share * mean;
        let is_thinned = !is_low
            && visits <= rules.thinned.max_visit_share * mean
            && requests <= rules.thinned.max_request_share * mean_requests;
        (is_low || is_thinned).then_some(Shortfall { windows, came, mean, mean_requests, is_thinned })
    }

    /// How unlikely it is: so few visits and, where they are thinned, so few requests of each as well (Fisher's method, since
    /// how many come and how much each asks are different things).
    fn chance(&self, expected: &Expected) -> f64 {
        let shape = expected.shape_within(self.windows);
        let few = gamma_poisson_lower_tail(self.came.visits, self.mean, shape, shape);
        if !self.is_thinned {
            return few;
        }
        let of_visits = self.came.visits as f64 * expected.per_visit;
        let shape = expected.shape_per_visit;
        let both = few * gamma_poisson_lower_tail(self.came.requests, of_visits, shape, shape);
        if both > 0.0 { both * (1.0 - both.ln()) } else { 0.0 }
    }
}

fn finding_of(
    scene: &Scene<'_>,
    key: u64,
    state: &HostState,
    expected: &Expected,
    shortfall: &Shortfall,
    chance: f64,
) -> Finding {
    let rules = &scene.rules.traffic_drop;
    let Shortfall { windows, came: Came { visits: count, requests }, mean, mean_requests, is_thinned } = *shortfall;
    let severity = if count == 0 { rules.silence_severity } else { rules.alert.severity };
    let seconds = windows * crate::window::WINDOW.as_secs();
    let moment = Moment { first: start_of(scene.window - windows as i64), last: start_of(scene.window) };
    let mut finding = Finding::new("traffic_drop", Subject::Host(state.host.to_string()), severity, moment);
    finding.count = count;
    finding.probability = Some(chance);
    finding.observed = match count {
        0 => format!("no request in {seconds} s"),
        _ => {
            let share = 100.0 * count as f64 / mean;
            let asked = match is_thinned {
                true => format!(", with {requests} requests ({:.0} %)", 100.0 * requests as f64 / mean_requests),
                false => String::new(),
            };
            format!("{count} visits in {seconds} s ({share:.0} % of what was to be expected){asked}")
        }
    };
    let by = if expected.by_hour { "this hour of the day and the last hour" } else { "the last hour" };
    finding.expected = Some(format!("about {mean:.0} visits (a client in ten seconds), by {by}"));
    let (floor, least) = rules.least_steadiness(expected.a_window);
    finding.reasons =
        Reasons::over(seconds).floor("min_expected", rules.min_expected, mean).floor(floor, least, expected.steadiness);
    finding.spoils = vec![Spoiled::HostTraffic(key)];
    finding
}
