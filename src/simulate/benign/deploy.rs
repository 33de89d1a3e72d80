//! Releases: the app's new version that spreads over hours, and the servers' deploys that add an endpoint and fail
//! for some minutes.

use super::super::condition::{Condition, Effect};
use super::super::exchange::Host;
use super::super::random::{Rng, scatter};
use super::super::shop::api;
use super::super::stage::Stage;
use super::super::truth::Matter;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A deploy's failing minutes, and how many answers fail in them.
const FAILING: Duration = Duration::from_secs(180);
const FAILING_SHARE: f64 = 0.06;
/// At most one deploy in so much time, and none in a simulation much shorter.
const BETWEEN_DEPLOYS: Duration = Duration::from_secs(8 * 3600);
const SHORTEST: Duration = Duration::from_secs(1800);
/// How long the app's new version takes to reach everybody who gets it, as a share of the whole time.
const ROLLOUT_SHARE: f64 = 0.5;

/// The app's version that is rolled out.
pub const NEW_VERSION: &str = "5.3.0";

/// When what becomes available.
#[derive(Clone, Debug)]
pub struct Release {
    /// Begin and end of the app's rollout.
    rollout: (Timestamp, Timestamp),
    /// Each deploy's time; the n-th adds the n-th new endpoint.
    deploys: Arc<[Timestamp]>,
    /// Counts the new version's first requests.
    pub rollout_record: usize,
}

impl Release {
    /// The version person `who` has at `now`.
    pub fn app_version(&self, now: Timestamp, who: u64) -> &'static str {
        let (begin, end) = self.rollout;
        let spread = now.since(begin).as_secs_f64() / end.since(begin).as_secs_f64().max(1.0);
        let place = (scatter(0x40_11, who) % 1000) as f64 / 1000.0;
        if place < spread { NEW_VERSION } else { "5.2.1" }
    }

    /// One of the endpoints that deploys have added by `now`.
    pub fn live_endpoint(&self, now: Timestamp, rng: &mut Rng) -> Option<usize> {
        let live = self.deploys.iter().filter(|at| **at <= now).count();
        (live > 0).then(|| rng.below(live as u64) as usize)
    }
}

/// Plans the releases, with their conditions and truth records.
pub fn cast(stage: &mut Stage<'_>) -> Release {
    let world = &stage.world;
    let mut rng = Rng::named(world.seed, "deploy", 0);
    let (start, length) = (world.start, world.length());
    let after = |share: f64| start.saturating_add(length.mul_f64(share));
    let rollout = (after(0.3), after(0.3 + ROLLOUT_SHARE));
    let count = if length < SHORTEST {
        0
    } else {
        ((length.as_secs() / BETWEEN_DEPLOYS.as_secs()) as usize).clamp(1, api::NEW_ENDPOINTS.len())
    };
    let mut deploys: Vec<Timestamp> =
        (0..count).map(|nth| after((nth as f64 + 0.45 + 0.3 * rng.unit()) / count as f64)).collect();
    deploys.sort();
    for (nth, from) in deploys.iter().copied().enumerate() {
        let record = stage.record(Matter::Benign {
            name: "deploy_adds_endpoint",
            may: &["shadow_endpoint"],
            max_severity: "medium",
        });
        let template = api::NEW_ENDPOINTS[nth % api::NEW_ENDPOINTS.len()]; // a remainder of the length
        stage.conditions.add(Condition {
            host: Host::Api,
            endpoint: Some(("GET", template)),
            from,
            until: Timestamp::MAX,
            share: 1.0,
            effect: Effect::Nothing,
            record,
        });
        let failing = stage.record(Matter::Benign {
            name: "deploy_fails_briefly",
            may: &["server_error_spike"],
            max_severity: "medium",
        });
        stage.conditions.add(Condition {
            host: Host::Api,
            endpoint: None,
            from,
            until: from.saturating_add(FAILING),
            share: FAILING_SHARE,
            effect: Effect::Fail(500),
            record: failing,
        });
    }
    let rollout_record = stage.record(Matter::Benign { name: "app_rollout", may: &[], max_severity: "medium" });
    Release { rollout, deploys: deploys.into(), rollout_record }
}
