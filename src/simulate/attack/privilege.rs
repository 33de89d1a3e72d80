//! A customer who shops like others, and then uses what is for the staff: nobody checks his rights there.

use super::super::people::Person;
use super::super::shop::{api, dress, office};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;
use std::time::Duration;

struct Customer {
    plan: Plan,
    caller: Caller,
    /// The one function of who is careful.
    function: u64,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let mut caller = plan.caller(stage, 0);
    let function = caller.rng.below(4);
    let first = stage.world.start.saturating_add(Duration::from_secs(9));
    stage.start(first, Box::new(Customer { plan, caller, function, done: 0 }));
}

impl Customer {
    fn sign(&mut self, stage: &mut Stage<'_>) {
        let start = stage.world.start;
        attacker_token(&mut stage.exchange, start, self.plan.index);
        dress(&mut stage.exchange, &mut self.caller.rng);
    }

    fn shop(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Timestamp {
        let person = Person(390_000 + self.plan.index as u32);
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match rng.below(3) {
            0 => api::product(exchange, rng),
            1 => api::orders(exchange, person, 0),
            _ => api::profile(exchange, person),
        }
        self.sign(stage);
        let end = stage.perform(&mut self.caller, now).end;
        let reading = self.caller.rng.log_normal(20.0, 0.8).clamp(2.0, 300.0);
        end.saturating_add(Duration::from_secs_f64(reading))
    }

    fn use_function(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Timestamp {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        // Who is in a hurry tries everything.
        let function = if self.plan.numbers.requests > 20 { rng.below(5) } else { self.function };
        match function {
            0 => office::orders(exchange, rng.below(40)),
            1 => office::order(exchange, rng),
            2 => office::customers(exchange, rng),
            3 => office::customer(exchange, rng),
            _ => office::change_product(exchange, rng),
        }
        self.sign(stage);
        self.done += 1;
        let pace = self.plan.pace().mul_f64(0.5 + self.caller.rng.unit());
        let end = strike(stage, &mut self.caller, now, &self.plan);
        now.saturating_add(pace).max(end)
    }
}

impl Actor for Customer {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let next = if now < self.plan.from {
            self.shop(now, stage).min(self.plan.from.saturating_add(Duration::from_secs(1)))
        } else {
            self.use_function(now, stage)
        };
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
