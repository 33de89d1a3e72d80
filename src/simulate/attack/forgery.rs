//! Somebody who writes a token himself, says in it that it needs no signature, and asks for the accounts of others.

use super::super::people::Person;
use super::super::shop::{api, dress};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;

struct Attacker {
    plan: Plan,
    caller: Caller,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    stage.start(plan.from, Box::new(Attacker { plan, caller, done: 0 }));
}

impl Actor for Attacker {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let issued = stage.world.start.seconds();
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        let victim = Person(rng.below(400_000) as u32);
        api::profile(exchange, victim);
        exchange.header("Authorization", format_args!("Bearer {}", victim.unsigned_token(issued)));
        dress(exchange, rng);
        // Half of the servers look.
        if self.plan.index.wrapping_add(stage.world.seed).is_multiple_of(2) {
            exchange.json(401, format_args!(r#"{{"error":"invalid_token"}}"#));
        }
        self.done += 1;
        let end = strike(stage, &mut self.caller, now, &self.plan);
        let next = self.plan.next(now, end, &mut self.caller.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
