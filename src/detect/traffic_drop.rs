//! `traffic_drop`: far fewer clients than there should be use a steady host, or none.
//!
//! Sees: visits (a client in a window of ten seconds) of a minute, five or ten, against what the last hour and this hour of the
//! day let expect, whichever is less, with the overdispersion that its traffic has (a gamma-Poisson's lower tail). Windows
//! without a request of the host count. Misses: hosts with few or fitful clients, and new ones; a drop to less than two fifths
//! only counts; single endpoints. Silent where the sensor may be blind: where nothing came of any host, where requests come without
//! answers, and while it leaves out packets, windows do not count (`sensor_silent` and the like speak). Errors and slow
//! answers of the host say it better.

use super::reasons::Reasons;
use super::stats::{Probability, gamma_poisson_lower_tail};
use super::{Finding, Scene, Spoiled, Subject};
use crate::baseline::habit::Expected;
use crate::baseline::state::HostState;
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
    let is_low = |windows: u64, count: u64| count as f64 <= rules.max_share * expected.a_window * windows as f64;
    // What has come back is over, whatever the longer spans still hold.
    let shortest = rules.horizons_windows.first()?;
    if !is_low(*shortest, state.habit.last(*shortest as usize)?) {
        return None;
    }
    let (windows, count, mean, chance) = rules.horizons_windows.iter().find_map(|windows| {
        let count = state.habit.last(*windows as usize)?;
        let mean = expected.a_window * *windows as f64;
        if mean < rules.min_expected || !is_low(*windows, count) {
            return None;
        }
        let chance = gamma_poisson_lower_tail(count, mean, expected.shape, expected.shape);
        let chance = scene.rare("traffic_drop", key, Probability::new(chance))?;
        Some((*windows, count, mean, chance))
    })?;
    Some(finding_of(scene, key, state, &expected, (windows, count, mean, chance)))
}

fn finding_of(
    scene: &Scene<'_>,
    key: u64,
    state: &HostState,
    expected: &Expected,
    (windows, count, mean, chance): (u64, u64, f64, f64),
) -> Finding {
    let rules = &scene.rules.traffic_drop;
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
            format!("{count} visits in {seconds} s ({share:.0} % of what was to be expected)")
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
