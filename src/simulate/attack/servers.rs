//! Faults of the servers: a release that refuses many clients, a dependency that fails, a filter that was lost.

use super::super::Profile;
use super::super::condition::{Condition, Effect};
use super::super::exchange::Host;
use super::super::scenario::Scenario;
use super::super::stage::Stage;
use super::Plan;

/// Endpoints whose validation may break, in the day's traffic and in the benchmarks'.
const FRAGILE_BY_DAY: [(&str, &str); 4] =
    [("POST", "/v1/carts/{id}/items"), ("GET", "/v1/search"), ("POST", "/v1/events"), ("GET", "/v1/products")];
const FRAGILE_IN_BENCHES: [(&str, &str); 3] =
    [("GET", "/v1/items/{id}"), ("GET", "/v1/stock/{id}"), ("GET", "/v1/prices/{id}")];
/// How often it is the whole host instead; its share of failures is lower then.
const WHOLE_HOST: f64 = 0.3;
const WHOLE_HOST_FACTOR: f64 = 0.5;

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan, profile: Profile) {
    let numbers = plan.numbers;
    let (endpoint, share, effect) = if plan.scenario == Scenario::ExcessiveDataExposure {
        (Some(("GET", "/v1/profile")), numbers.share, Effect::Expose { records: numbers.records })
    } else {
        let effect = if plan.scenario == Scenario::ServerErrorSpike {
            Effect::Fail(*plan.rng.pick(&[500, 502, 503, 504]))
        } else {
            Effect::Refuse(*plan.rng.pick(&[400, 422]))
        };
        let endpoint = match profile {
            Profile::Day => *plan.rng.pick(&FRAGILE_BY_DAY),
            Profile::Mixed | Profile::Small | Profile::Bulk => *plan.rng.pick(&FRAGILE_IN_BENCHES),
        };
        if plan.rng.chance(WHOLE_HOST) {
            (None, numbers.share * WHOLE_HOST_FACTOR, effect)
        } else {
            (Some(endpoint), numbers.share, effect)
        }
    };
    stage.conditions.add_first(Condition {
        host: Host::Api,
        endpoint,
        from: plan.from,
        until: plan.until,
        share,
        effect,
        record: plan.record,
    });
}
