//! What a mirror port does to frames: it loses some, delivers some late, and some twice.
//!
//! The peers received everything, so nothing is retransmitted: a lost frame is a hole in what the sensor sees. Late
//! means up to [`LATEST`], enough to pass several later frames of the same connection.

use super::super::random::Rng;
use crate::time::Timestamp;
use std::time::Duration;

/// How late a reordered frame arrives at most.
pub const LATEST: Duration = Duration::from_millis(3);
/// How long after the first the second copy arrives at most.
const DUPLICATE_LAG: Duration = Duration::from_micros(200);

/// Probabilities per frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairment {
    pub loss: f64,
    pub reorder: f64,
    pub duplicate: f64,
}

impl Impairment {
    pub fn is_none(&self) -> bool {
        self.loss <= 0.0 && self.reorder <= 0.0 && self.duplicate <= 0.0
    }

    /// When the sensor sees the frame sent at `at`: never, once, or twice.
    pub fn arrivals(&self, at: Timestamp, rng: &mut Rng) -> [Option<Timestamp>; 2] {
        let (lost, late, twice) = (rng.chance(self.loss), rng.chance(self.reorder), rng.chance(self.duplicate));
        let delay = rng.span(Duration::from_micros(20), LATEST);
        let lag = rng.span(Duration::from_nanos(200), DUPLICATE_LAG);
        let first = if late { at.saturating_add(delay) } else { at };
        if lost { [None, None] } else { [Some(first), twice.then(|| first.saturating_add(lag))] }
    }
}

/// Applies `impairment` to finished frames and puts them in the order in which they arrive.
pub fn impair(frames: &[(Timestamp, Vec<u8>)], impairment: Impairment, seed: u64) -> Vec<(Timestamp, Vec<u8>)> {
    let mut rng = Rng::named(seed, "impairment", 0);
    let mut out = Vec::with_capacity(frames.len());
    for (at, frame) in frames {
        out.extend(impairment.arrivals(*at, &mut rng).into_iter().flatten().map(|arrival| (arrival, frame.clone())));
    }
    super::in_order(out)
}
