//! An employee who looks customers up like the others, and one day takes all of them.

use super::super::people::Person;
use super::super::random::Rng;
use super::super::shop::{CUSTOMERS, dress, office};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;
use std::time::Duration;

/// Numbers of employees who are nobody else.
const FIRST_INSIDER: u64 = 60;

struct Insider {
    plan: Plan,
    caller: Caller,
    cookie: String,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let rng = Rng::new(plan.rng.next_u64());
    let lines = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
                 Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\n";
    let employee = FIRST_INSIDER + plan.index;
    let caller = Caller::new(stage.world.inside(1, employee), lines.to_owned(), rng).inside();
    let cookie = Person(900_000 + employee as u32).session(stage.world.start.seconds());
    let first = stage.world.start.saturating_add(Duration::from_secs(5));
    stage.start(first, Box::new(Insider { plan, caller, cookie, done: 0 }));
}

impl Insider {
    /// What the job is: a customer or an order at a time, with time to read it.
    fn work(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Timestamp {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match rng.weighted(&[68, 7, 25]) {
            0 => office::order(exchange, rng),
            1 => office::customers(exchange, rng),
            _ => office::customer(exchange, rng),
        }
        exchange.header("Cookie", format_args!("staff={}", self.cookie));
        dress(exchange, rng);
        let end = stage.perform(&mut self.caller, now).end;
        let reading = Duration::from_secs_f64(self.caller.rng.log_normal(8.0, 0.8).clamp(1.0, 120.0));
        end.saturating_add(reading)
    }

    fn take(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Timestamp {
        let count = u64::from(self.plan.numbers.records);
        let first = (u64::from(self.done) * count) % (CUSTOMERS - count);
        office::customer_page(&mut stage.exchange, first, count);
        stage.exchange.header("Cookie", format_args!("staff={}", self.cookie));
        dress(&mut stage.exchange, &mut self.caller.rng);
        self.done += 1;
        let pace = self.plan.pace().mul_f64(0.5 + self.caller.rng.unit());
        let end = strike(stage, &mut self.caller, now, &self.plan);
        now.saturating_add(pace).max(end)
    }
}

impl Actor for Insider {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let next = if now < self.plan.from {
            self.work(now, stage).min(self.plan.from.saturating_add(Duration::from_secs(1)))
        } else {
            self.take(now, stage)
        };
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
