//! Customers who keep wish lists, each his own, and one who reads those of others: the server does not ask whose they are.

use super::super::exchange::{Exchange, Host};
use super::super::people::Person;
use super::super::random::{Rng, scatter};
use super::super::shop::dress;
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;
use std::time::Duration;

/// Customers who keep lists, and lists of each.
const TENANTS: u64 = 30;
const LISTS: u64 = 3;
const FIRST_TENANT: u32 = 380_000;

struct Tenant {
    person: Person,
    number: u64,
    caller: Caller,
}

struct Intruder {
    plan: Plan,
    caller: Caller,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    for number in 0..TENANTS {
        let person = Person(FIRST_TENANT + number as u32);
        let mut rng = Rng::new(plan.rng.next_u64());
        let first = stage.world.start.saturating_add(Duration::from_secs_f64(1.0 + 30.0 * rng.unit()));
        let lines = "User-Agent: ShopApp/7.3 (Android 15)\r\nAccept: application/json\r\n".to_owned();
        let caller = Caller::new(stage.world.attacker(plan.index, 1 + number), lines, rng);
        stage.start(first, Box::new(Tenant { person, number, caller }));
    }
    let caller = plan.caller(stage, 0);
    stage.start(plan.from, Box::new(Intruder { plan, caller, done: 0 }));
}

/// The list of a customer, by numbers of both.
fn list(exchange: &mut Exchange, tenant: u64, nth: u64) {
    let id = 100_000 + scatter(17, tenant * LISTS + nth) % 900_000;
    exchange.ask("GET", Host::Api, "/v1/wishlists/{id}", format_args!("/v1/wishlists/{id}"));
    exchange.json(200, format_args!(r#"{{"id":{id},"name":"list {nth}","products":[{},{}]}}"#, id % 977, id % 1009));
}

impl Actor for Tenant {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let issued = stage.world.start.seconds();
        let exchange = &mut stage.exchange;
        list(exchange, self.number, self.caller.rng.below(LISTS));
        exchange.header("Authorization", format_args!("Bearer {}", self.person.token(issued, "customer")));
        dress(exchange, &mut self.caller.rng);
        let end = stage.perform(&mut self.caller, now).end;
        let reading = self.caller.rng.log_normal(40.0, 0.6).clamp(5.0, 300.0);
        let next = end.saturating_add(Duration::from_secs_f64(reading));
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}

impl Actor for Intruder {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let start = stage.world.start;
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        list(exchange, rng.below(TENANTS), rng.below(LISTS));
        attacker_token(exchange, start, self.plan.index);
        dress(exchange, rng);
        self.done += 1;
        let end = strike(stage, &mut self.caller, now, &self.plan);
        let next = self.plan.next(now, end, &mut self.caller.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
