//! Faults of the servers: a release that refuses many clients, a dependency that fails, a filter that was lost, a field
//! too many.

use super::super::Profile;
use super::super::condition::{Condition, Effect, Field};
use super::super::exchange::Host;
use super::super::scenario::Scenario;
use super::super::stage::Stage;
use super::Plan;

/// Endpoints whose validation may break, in the day's traffic and in the benchmarks'.
const FRAGILE_BY_DAY: [(&str, &str); 4] =
    [("POST", "/v1/carts/{id}/items"), ("GET", "/v1/search"), ("POST", "/v1/events"), ("GET", "/v1/products")];
const FRAGILE_IN_BENCHES: [(&str, &str); 3] =
    [("GET", "/v1/items/{id}"), ("GET", "/v1/stock/{id}"), ("GET", "/v1/prices/{id}")];
/// Endpoints that let a secret through, and which.
const INDISCREET: [(&str, &str, Field); 5] = [
    ("GET", "/v1/profile", Field::PasswordHash),
    ("GET", "/v1/profile", Field::Password),
    ("GET", "/v1/profile", Field::PrivateKey),
    ("GET", "/v1/products/{id}", Field::CloudKey),
    ("GET", "/v1/carts/{id}", Field::CloudKey),
];
/// Endpoints without personal data that get some.
const IMPERSONAL: [(&str, &str); 3] = [("GET", "/v1/orders"), ("GET", "/v1/products/{id}"), ("GET", "/v1/carts/{id}")];
/// How often it is the whole host instead; its share of failures is lower then.
const WHOLE_HOST: f64 = 0.3;
const WHOLE_HOST_FACTOR: f64 = 0.5;

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan, profile: Profile) {
    let numbers = plan.numbers;
    let (endpoint, share, effect) = match plan.scenario {
        Scenario::ExcessiveDataExposure => {
            (Some(("GET", "/v1/profile")), numbers.share, Effect::Expose { records: numbers.records })
        }
        Scenario::CredentialLeak => {
            let (method, template, field) = *plan.rng.pick(&INDISCREET);
            (Some((method, template)), numbers.share, Effect::Add(field))
        }
        Scenario::ResponseDrift => (Some(*plan.rng.pick(&IMPERSONAL)), numbers.share, Effect::Add(Field::Contact)),
        Scenario::TrafficDrop => (None, numbers.share, Effect::Vanish),
        _ => failure(&mut plan, profile),
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

/// A validation or a dependency that breaks, for one endpoint or the whole host: where, for which share of requests, how.
fn failure(plan: &mut Plan, profile: Profile) -> (Option<(&'static str, &'static str)>, f64, Effect) {
    let numbers = plan.numbers;
    let effect = match plan.scenario {
        Scenario::ServerErrorSpike => Effect::Fail(*plan.rng.pick(&[500, 502, 503, 504])),
        Scenario::LatencyAnomaly => Effect::Slow { times: numbers.records },
        _ => Effect::Refuse(*plan.rng.pick(&[400, 422])),
    };
    let endpoint = match profile {
        Profile::Day => *plan.rng.pick(&FRAGILE_BY_DAY),
        Profile::Mixed | Profile::Small | Profile::Bulk => *plan.rng.pick(&FRAGILE_IN_BENCHES),
    };
    if plan.rng.chance(WHOLE_HOST) {
        let factor = if matches!(effect, Effect::Slow { .. }) { 1.0 } else { WHOLE_HOST_FACTOR };
        (None, numbers.share * factor, effect)
    } else {
        (Some(endpoint), numbers.share, effect)
    }
}
