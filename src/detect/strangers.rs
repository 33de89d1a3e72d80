//! Whether strangers, clients that do nothing else, try more at accounts than they usually do (see `baseline::strangers`).
//!
//! In go their attempts within a span and what an endpoint knows of them; out comes how unlikely so many are. What is usual is what
//! was usual before the span: who is patient would else become his own measure before there is enough to speak of.

use super::Scene;
use super::stats::rate_test;
use crate::baseline::SPANS;
use crate::baseline::state::{EndpointActivity, EndpointState, Share};
use crate::window::window_of;

/// Windows that the baseline must have seen: five minutes.
const LEAST_WINDOWS: f64 = 30.0;

/// Attempts of strangers that are to be judged, and by which rules.
pub struct Asked {
    /// Under which what is found is calibrated.
    pub test: &'static str,
    pub tier: usize,
    pub count: u64,
    pub baseline_factor: f64,
    pub prior_strength: f64,
}

/// What is unusual about it.
pub struct Rush {
    /// Before the span, by windows.
    pub before: Share,
    /// In a span like this.
    pub usual: f64,
    pub probability: f64,
}

pub fn rush(
    scene: &Scene<'_>,
    (key, endpoint): (u64, &EndpointState),
    settled: Share,
    count_of: fn(&EndpointActivity) -> u64,
    asked: &Asked,
) -> Option<Rush> {
    let before = before(scene, endpoint, settled, count_of, asked.tier)?;
    // A span holds between half of its windows and all of them.
    let windows = SPANS[asked.tier] as f64;
    let usual = before.share() * windows;
    if (asked.count as f64) < asked.baseline_factor * usual {
        return None;
    }
    let chance = rate_test(asked.count, windows, before.hits as u64, before.total, asked.prior_strength);
    let probability = scene.rare(asked.test, key, chance)?;
    Some(Rush { before, usual, probability })
}

/// What had settled before the span. Where nobody tried anything for long, all windows count in which somebody used the host.
fn before(
    scene: &Scene<'_>,
    endpoint: &EndpointState,
    settled: Share,
    count_of: fn(&EndpointActivity) -> u64,
    tier: usize,
) -> Option<Share> {
    let mut before = settled;
    if before.total < LEAST_WINDOWS {
        let host = scene.store.host_named(&endpoint.host);
        let watched = host.map_or(0, |host| scene.window.saturating_sub(window_of(host.moment.first)));
        before.total = before.total.max(watched as f64);
    }
    // What came in the shortest span has not settled, and need not be taken out.
    let within = endpoint.recent.sum(tier, count_of).saturating_sub(endpoint.recent.sum(0, count_of));
    before.hits = (before.hits - within as f64).max(0.0);
    before.total -= (SPANS[tier] - SPANS[0]) as f64;
    (before.total >= LEAST_WINDOWS).then_some(before)
}
