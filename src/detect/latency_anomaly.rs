//! `latency_anomaly`: an endpoint, or a whole host, answers far slower than it did.
//!
//! Sees: the share of answers beyond what 99 of 100 took before, within minutes, where the median or the 90th percentile has
//! grown with it; a slowdown that creeps over hours, by a cumulative sum; and many endpoints of a host at once. Whether the
//! load has grown, too, is said. Misses: endpoints that are asked seldom, or are new; what was slow while the baseline was
//! learned; a drift over days, which becomes normal. Silent where answers are not seen. Errors that come with it say it
//! better, and so does one client that floods the host.

use super::reasons::Reasons;
use super::stats::{Probability, ratio_test};
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::pace::{BULK, FEW, Usual};
use crate::baseline::state::EndpointState;
use crate::baseline::tier_of;
use crate::rule::LatencyAnomaly;
use crate::window::Moment;
use crate::window::histogram::LogHistogram;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Load that has grown so many times may be why.
const MORE_LOAD: f64 = 1.5;
/// Answers of an endpoint from which on it says something about its host.
const FEW_RESPONSES: u64 = 10;
/// Windows in the span of a second of event time.
const WINDOW_SECONDS: f64 = 10.0;

/// An endpoint whose answers are slow.
struct Slow {
    key: u64,
    responses: u64,
    /// Beyond which usual quantile; how many; how many of how many usual ones are.
    quantile: f64,
    over: u64,
    usually_over: u64,
    usually: u64,
    slow_windows: u64,
    median: [u64; 2],
    high: [u64; 2],
    load: f64,
    moment: Moment,
}

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.latency_anomaly;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let mut by_host: BTreeMap<Arc<str>, Vec<Slow>> = BTreeMap::new();
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(slow) = Slow::of(rules, *key, &state) else {
            findings.extend(drift_of(scene, *key, &state));
            continue;
        };
        findings.extend(of_endpoint(scene, &slow, &state).or_else(|| drift_of(scene, *key, &state)));
        by_host.entry(Arc::clone(&state.host)).or_default().push(slow);
    }
    let hosts = by_host.iter().filter(|(_, slow)| rules.host.enabled && slow.len() as u64 >= rules.host.min_endpoints);
    findings.extend(hosts.filter_map(|(host, slow)| of_host(scene, host, slow)));
}

impl Slow {
    /// The floors of effect: share, windows, and median or 90th percentile.
    fn of(rules: &LatencyAnomaly, key: u64, state: &EndpointState) -> Option<Slow> {
        let tier = tier_of(rules.window_seconds);
        let slow_windows = state.recent.sum(tier, |activity| activity.slow_windows);
        if slow_windows == 0 {
            return None;
        }
        let usual = state.pace.usual();
        let latency = state.recent.merged(tier, |activity| Some(&activity.latency))?;
        let responses = latency.count();
        let over = |quantile: f64| latency.count_above(usual.quantile(quantile));
        let is_over = |(quantile, share): &(f64, f64)| over(*quantile) as f64 >= share * responses as f64;
        let (quantile, _) = [(FEW, rules.min_share), (BULK, rules.min_share_of_bulk)].into_iter().find(is_over)?;
        let slow = Slow {
            key,
            responses,
            quantile,
            over: over(quantile),
            usually_over: usual.count_above(usual.quantile(quantile)),
            usually: usual.count(),
            slow_windows,
            median: [usual.quantile(0.5), latency.quantile(0.5)],
            high: [usual.quantile(0.9), latency.quantile(0.9)],
            load: load_of(state, tier, &latency, &usual),
            moment: state.recent.merged(tier, |activity| Some(&activity.tally.moment))?,
        };
        let is_slow = responses >= FEW_RESPONSES
            && slow.usually >= rules.min_baseline_responses
            && [slow.median, slow.high].iter().any(|grown| has_grown(rules, *grown, rules.factor));
        is_slow.then_some(slow)
    }

    fn share(&self) -> f64 {
        self.over as f64 / self.responses.max(1) as f64
    }
}

/// Whether from `usual` to `now`, in microseconds, is so many times more, and enough to be felt.
fn has_grown(rules: &LatencyAnomaly, [usual, now]: [u64; 2], factor: f64) -> bool {
    now as f64 >= factor * usual as f64 && now.saturating_sub(usual) >= rules.min_added_milliseconds * 1000
}

/// How many times the usual load of an endpoint it is, while it answers.
fn load_of(state: &EndpointState, tier: usize, latency: &LogHistogram, usual: &Usual) -> f64 {
    let Some(moment) = state.recent.merged(tier, |activity| Some(&activity.tally.moment)) else { return 1.0 };
    let windows = (moment.last.since(moment.first).as_secs_f64() / WINDOW_SECONDS).max(1.0);
    latency.count() as f64 / windows / usual.a_window.max(f64::MIN_POSITIVE)
}

fn of_endpoint(scene: &Scene<'_>, slow: &Slow, state: &EndpointState) -> Option<Finding> {
    let rules = &scene.rules.latency_anomaly;
    if slow.responses < rules.min_responses || slow.slow_windows < rules.min_slow_windows {
        return None;
    }
    let chance = chance_of(rules, std::slice::from_ref(slow));
    let chance = scene.rare("latency_anomaly.endpoint", slow.key, chance)?;
    let severity = rules.alert.severity;
    let mut finding = Finding::new("latency_anomaly", Subject::Endpoint(slow.key), severity, slow.moment);
    finding.client_count = state.clients.count();
    finding.count = slow.over;
    finding.probability = Some(chance);
    finding.observed = format!(
        "{} of {} answers ({}) slower than {} of 100 were, in {}; median {}, 90th percentile {}{}",
        slow.over,
        slow.responses,
        percent(slow.share()),
        (slow.quantile * 100.0).round(),
        span_in_words(&slow.moment),
        milliseconds(slow.median[1]),
        milliseconds(slow.high[1]),
        load_in_words(slow.load),
    );
    finding.expected =
        Some(format!("median {}, 90th percentile {}", milliseconds(slow.median[0]), milliseconds(slow.high[0])));
    finding.reasons = reasons(rules, std::slice::from_ref(slow));
    finding.spoils = vec![Spoiled::EndpointPace(slow.key)];
    Some(finding)
}

/// A slowdown that creeps: no minute stands out, but the hours do.
fn drift_of(scene: &Scene<'_>, key: u64, state: &EndpointState) -> Option<Finding> {
    let rules = &scene.rules.latency_anomaly;
    if !rules.drift.enabled || !state.pace.is_drifting() {
        return None;
    }
    let tier = tier_of(rules.window_seconds);
    let latency = state.recent.merged(tier, |activity| Some(&activity.latency))?;
    let usual = state.pace.usual();
    let median = [usual.quantile(0.5), latency.quantile(0.5)];
    if latency.count() < rules.min_responses || !has_grown(rules, median, rules.drift.factor) {
        return None;
    }
    let moment = state.recent.merged(tier, |activity| Some(&activity.tally.moment))?;
    let mut finding = Finding::new("latency_anomaly", Subject::Endpoint(key), rules.alert.severity, moment);
    finding.client_count = state.clients.count();
    finding.count = latency.count();
    finding.probability = Some(state.pace.chance_of_drift());
    finding.observed = format!(
        "slower for longer than chance lets it be: median {} in {} answers{}",
        milliseconds(median[1]),
        latency.count(),
        load_in_words(load_of(state, tier, &latency, &usual))
    );
    finding.expected = Some(format!("median {}", milliseconds(median[0])));
    finding.reasons = Reasons::over(rules.window_seconds)
        .floor("min_responses", rules.min_responses as f64, latency.count() as f64)
        .floor("drift.factor", rules.drift.factor, median[1] as f64 / median[0].max(1) as f64)
        .fact(format!("cumulative sum at {:.1} times its limit", state.pace.drift()));
    finding.spoils = vec![Spoiled::EndpointPace(key)];
    Some(finding)
}

/// Many endpoints of a host are slow at once: none of them is the matter.
fn of_host(scene: &Scene<'_>, host: &str, slow: &[Slow]) -> Option<Finding> {
    let rules = &scene.rules.latency_anomaly;
    let responses: u64 = slow.iter().map(|slow| slow.responses).sum();
    let slow_windows = slow.iter().map(|slow| slow.slow_windows).max()?;
    if responses < rules.min_responses || slow_windows < rules.min_slow_windows {
        return None;
    }
    let state = scene.store.host_named(host)?;
    let chance = scene.rare("latency_anomaly.host", *state.key(), chance_of(rules, slow))?;
    let moment = slow.iter().fold(Moment::default(), |mut all, slow| {
        all.record(slow.moment.first);
        all.record(slow.moment.last);
        all
    });
    let over: u64 = slow.iter().map(|slow| slow.over).sum();
    let severity = rules.host.severity;
    let mut finding = Finding::new("latency_anomaly", Subject::Host(host.to_owned()), severity, moment);
    finding.count = over;
    finding.probability = Some(chance);
    let worst = slow.iter().max_by_key(|slow| slow.over)?;
    let named = scene.store.endpoints.get(&worst.key).map_or(String::new(), |state| state.name());
    finding.observed = format!(
        "{} endpoints: {over} of {responses} answers ({}) far slower than usual, in {}; most at {named}, median {}{}",
        slow.len(),
        percent(over as f64 / responses.max(1) as f64),
        span_in_words(&moment),
        milliseconds(worst.median[1]),
        load_in_words(worst.load),
    );
    finding.expected = Some(format!("median {} there", milliseconds(worst.median[0])));
    finding.reasons = reasons(rules, slow);
    finding.spoils = slow.iter().map(|slow| Spoiled::EndpointPace(slow.key)).collect();
    Some(finding)
}

fn chance_of(rules: &LatencyAnomaly, slow: &[Slow]) -> Probability {
    let sum = |of: fn(&Slow) -> u64| slow.iter().map(of).sum::<u64>();
    let (usually_over, usually) = (sum(|slow| slow.usually_over), sum(|slow| slow.usually));
    ratio_test(sum(|slow| slow.over), sum(|slow| slow.responses), usually_over, usually, rules.prior_strength)
}

fn reasons(rules: &LatencyAnomaly, slow: &[Slow]) -> Reasons {
    let sum = |of: fn(&Slow) -> u64| slow.iter().map(of).sum::<u64>() as f64;
    let most = |of: fn(&Slow) -> u64| slow.iter().map(of).max().unwrap_or(0) as f64;
    let grown = |[usual, now]: [u64; 2]| now as f64 / usual.max(1) as f64;
    let factor = slow.iter().map(|slow| grown(slow.median).max(grown(slow.high))).fold(0.0, f64::max);
    let load = slow.iter().map(|slow| slow.load).fold(0.0, f64::max);
    let is_of_few = slow.iter().all(|slow| slow.quantile == FEW);
    let (share_floor, least_share) =
        if is_of_few { ("min_share", rules.min_share) } else { ("min_share_of_bulk", rules.min_share_of_bulk) };
    Reasons::over(rules.window_seconds)
        .floor("min_responses", rules.min_responses as f64, sum(|slow| slow.responses))
        .floor(share_floor, least_share, sum(|slow| slow.over) / sum(|slow| slow.responses).max(1.0))
        .floor("min_slow_windows", rules.min_slow_windows as f64, most(|slow| slow.slow_windows))
        .floor("factor", rules.factor, factor)
        .fact(format!("load: {load:.1} times the usual"))
}

fn milliseconds(microseconds: u64) -> String {
    match microseconds {
        0..=9_999 => format!("{:.1} ms", microseconds as f64 / 1000.0),
        _ => format!("{} ms", microseconds / 1000),
    }
}

fn load_in_words(load: f64) -> String {
    if load >= MORE_LOAD { format!("; its load is {load:.1} times the usual") } else { String::new() }
}
