//! A token that got away: its owner and others use it at the same time.

use super::super::people::Person;
use super::super::shop::api;
use super::super::stage::Stage;
use super::{Plan, attacker_token, campaign};

pub fn cast(stage: &mut Stage<'_>, plan: Plan) {
    let (start, index) = (stage.world.start, plan.index);
    let person = Person(390_000 + index as u32);
    let next: campaign::Next = Box::new(move |exchange, rng, _, _| {
        match rng.below(4) {
            0 => api::profile(exchange, person),
            1 => api::orders(exchange, person, 0),
            2 => api::notifications(exchange, start.seconds(), rng),
            _ => api::product(exchange, rng),
        }
        attacker_token(exchange, start, index);
    });
    campaign::cast(stage, plan, next);
}
