//! How much the clients of a host ask of it: the measure for one who asks far more.
//!
//! In goes what each client asked in a window; out comes how requests and bytes spread over clients within a span. A client
//! would need a counter of its own for that; here a sample of them has one, those with the smallest keys, so that a host
//! costs a few kilobytes however many clients it has. What is told of as abuse is taken out of the sample.

use super::generations::Generations;
use super::tiers::SPANS;
use crate::window::Asked;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A span of clients' counts, in windows: ten minutes, as long as the horizon that they are a measure for.
pub const SPAN: i64 = SPANS[0];
/// Clients that are counted at a time.
const SAMPLED: usize = 128;
/// Bytes are counted in units that answers commonly have, so that their number means something.
pub const BYTES_UNIT: u64 = 100_000;
/// Client spans after which an older half of the counts is let go.
const GENERATION: u64 = 20_000;
/// What learning leaves unfinished counts as a span, scaled up, if it is so many windows long.
const SHORTEST: i64 = 12;
/// Values above this quantile are pulled in to it: a few that are always busy say nothing of the others.
const OUTLYING: f64 = 0.98;
/// Shape of a spread that is no more than chance: as good as a Poisson distribution.
const NO_SPREAD: f64 = 1e6;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Amount {
    requests: u64,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, asked: &Asked) {
        self.requests += asked.requests;
        self.bytes += asked.bytes;
    }
}

/// How a count spreads over clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spread(Generations);

/// What a spread comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peers {
    /// Client spans that were counted.
    pub count: u64,
    /// Mean, and shape of the gamma distribution that the clients' own means have, outliers pulled in.
    pub mean: f64,
    pub shape: f64,
    histogram_end: (u64, u64),
}

impl Spread {
    fn add(&mut self, value: u64) {
        self.0.record(value);
        if self.0.young() >= GENERATION {
            self.0.turn();
        }
    }

    /// Mean and overdispersion by the moments (Anscombe, "Sampling theory of the negative binomial and logarithmic series
    /// distributions", Biometrika 37, 1950), after outliers were pulled in (winsorised).
    pub fn peers(&self) -> Peers {
        let all = self.0.all();
        let end = all.quantile(OUTLYING);
        let count = all.count() as f64;
        let values = all.iter().map(|(low, high, times)| ((low + (high - low) / 2).min(end) as f64, f64::from(times)));
        let (sum, squares) = values
            .fold((0.0, 0.0), |(sum, squares), (value, times)| (sum + value * times, squares + value * value * times));
        let mean = sum / count.max(1.0);
        let variance = (squares / count.max(1.0) - mean * mean) * count / (count - 1.0).max(1.0);
        // Less spread than a Poisson's is chance.
        let shape = if variance > mean { mean * mean / (variance - mean) } else { NO_SPREAD };
        Peers { count: all.count(), mean, shape, histogram_end: (end, all.max()) }
    }
}

impl Peers {
    /// What hardly any client exceeds, and what none did.
    pub fn high(&self) -> u64 {
        self.histogram_end.0
    }

    pub fn most(&self) -> u64 {
        self.histogram_end.1
    }
}

/// What clients ask of one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// First window of the span being counted.
    start: i64,
    sample: BTreeMap<u64, Amount>,
    all: Amount,
    pub requests: Spread,
    /// In units of [`BYTES_UNIT`].
    pub bytes: Spread,
    /// Most that all clients together asked in a span, and spans seen.
    pub most_requests: u64,
    pub most_bytes: u64,
    pub spans: u64,
    was_learning: bool,
}

impl Demand {
    /// A window begins: closes the span that is over.
    pub fn begin(&mut self, window: i64, is_learning: bool) {
        if self.sample.is_empty() {
            self.start = window;
        }
        let passed = window.saturating_sub(self.start);
        let ended_learning = self.was_learning && !is_learning && self.spans == 0 && passed >= SHORTEST;
        if passed >= SPAN || ended_learning {
            self.close(passed);
            self.start = window;
        }
        self.was_learning = is_learning;
    }

    pub fn add(&mut self, client: u64, asked: &Asked) {
        self.all.add(asked);
        if let Some(amount) = self.sample.get_mut(&client) {
            return amount.add(asked);
        }
        // What is put out by a smaller key does not come back, so what is left at the end was counted from its start.
        self.sample.entry(client).or_default().add(asked);
        if self.sample.len() > SAMPLED {
            self.sample.pop_last();
        }
    }

    /// What this client asked was no example.
    pub fn forget(&mut self, client: u64) {
        if let Some(amount) = self.sample.remove(&client) {
            self.all.requests = self.all.requests.saturating_sub(amount.requests);
            self.all.bytes = self.all.bytes.saturating_sub(amount.bytes);
        }
    }

    /// Another capture follows: what was counted of a span is a span.
    pub fn end(&mut self) {
        if !self.sample.is_empty() {
            self.close(SPAN);
        }
        (self.start, self.was_learning) = (0, false);
    }

    fn close(&mut self, windows: i64) {
        let scale = |count: u64| if windows < SPAN { count * SPAN as u64 / windows.max(1) as u64 } else { count };
        for amount in std::mem::take(&mut self.sample).into_values() {
            self.requests.add(scale(amount.requests));
            self.bytes.add(scale(amount.bytes) / BYTES_UNIT);
        }
        let all = std::mem::take(&mut self.all);
        self.most_requests = self.most_requests.max(scale(all.requests));
        self.most_bytes = self.most_bytes.max(scale(all.bytes));
        self.spans += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(requests: u64) -> Asked {
        Asked { host: 1, requests, bytes: 0 }
    }

    #[test]
    fn mean_and_spread_are_those_of_the_clients() {
        let mut demand = Demand::default();
        for window in 0..SPAN + 1 {
            demand.begin(window, false);
            (0..100).for_each(|client| demand.add(client, &asked(1 + client % 3)));
        }
        let peers = demand.requests.peers();
        // Sixty windows of one, two or three requests.
        assert_eq!((peers.count, demand.spans), (100, 1));
        assert!((peers.mean / 120.0 - 1.0).abs() < 0.05, "{peers:?}");
        let variance = peers.mean + peers.mean * peers.mean / peers.shape;
        assert!((variance / (60.0 * 60.0 * 2.0 / 3.0) - 1.0).abs() < 0.15, "{peers:?}");
    }

    #[test]
    fn one_that_is_always_busy_hides_nobody() {
        let mut demand = Demand::default();
        for window in 0..SPAN + 1 {
            demand.begin(window, false);
            (0..100).for_each(|client| demand.add(client, &asked(1)));
            demand.add(100, &asked(1000));
        }
        let peers = demand.requests.peers();
        assert!(peers.high() < 70 && peers.most() >= 60_000 && peers.mean < 70.0, "{peers:?}");
    }

    #[test]
    fn what_was_abuse_is_no_example() {
        let mut demand = Demand::default();
        for window in 0..SPAN + 1 {
            demand.begin(window, false);
            (0..20).for_each(|client| demand.add(client, &asked(1)));
            demand.add(99, &asked(500));
            demand.forget(99);
        }
        assert_eq!((demand.requests.peers().count, demand.most_requests), (20, 1200));
    }

    #[test]
    fn learning_that_ends_early_is_scaled_up() {
        let mut demand = Demand::default();
        for window in 0..31 {
            demand.begin(window, window < 30);
            demand.add(1, &asked(1));
        }
        assert_eq!((demand.spans, demand.most_requests), (1, 60));
    }

    #[test]
    fn a_host_costs_no_more_for_many_clients() {
        let mut demand = Demand::default();
        demand.begin(0, false);
        (0..10_000).for_each(|client| demand.add(client * 7919 % 10_007, &asked(1)));
        assert_eq!((demand.sample.len(), demand.all.requests), (SAMPLED, 10_000));
    }
}
