//! A customer who orders again and again, as fast as it takes: each order is lawful, and the shop is empty.

use super::super::people::{Person, uuid};
use super::super::shop::{api, dress};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;

struct Scalper {
    plan: Plan,
    caller: Caller,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    stage.start(plan.from, Box::new(Scalper { plan, caller, done: 0 }));
}

impl Actor for Scalper {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let (exchange, start, nth) = (&mut stage.exchange, stage.world.start, u64::from(self.done));
        let person = Person(390_000 + self.plan.index as u32);
        api::place_order(exchange, person, &uuid(nth, self.plan.index), 50_000 + nth);
        attacker_token(exchange, start, self.plan.index);
        dress(exchange, &mut self.caller.rng);
        self.done += 1;
        let end = strike(stage, &mut self.caller, now, &self.plan);
        let next = self.plan.next(now, end, &mut self.caller.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
