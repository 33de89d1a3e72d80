//! A partner's key that was used, then not for weeks, and is used again; and one of a partner who just comes back.

use super::super::random::{Rng, scatter};
use super::super::shop::{CUSTOMERS, dress, office};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;
use std::time::Duration;

/// What a partner's machines are in [`super::super::world::World::machine`], and the numbers of these two.
const ROLE: u64 = 12;
const SLEEPER: u64 = 0;
const RETURNING: u64 = 1;
/// The partner who comes back was away for less than a month.
const AWAY: Duration = Duration::from_secs(20 * 86_400);
/// Between two requests of a partner: on an ordinary day, and in the weeks in which only machines go on.
const PERIOD: Duration = Duration::from_secs(40);
const WEEKS_PERIOD: Duration = Duration::from_secs(12 * 3600);

/// A partner reads what is in stock, or a page of customers, with its key.
struct Partner {
    caller: Caller,
    key: String,
    period: Duration,
    until: Timestamp,
}

/// Whoever holds the key reads with it.
struct Holder {
    plan: Plan,
    partner: Partner,
    done: u32,
}

impl Partner {
    fn new(stage: &Stage<'_>, nth: u64, period: Duration, until: Timestamp) -> Partner {
        let world = &stage.world;
        let lines = "User-Agent: python-requests/2.32.3\r\nAccept: application/json\r\n".to_owned();
        let caller = Caller::new(world.machine(ROLE, nth), lines, Rng::named(world.seed, "partner", nth));
        let key =
            format!("pk_{:016x}{:016x}", scatter(world.seed, 0x1d1e + nth), scatter(world.seed ^ 9, 0x1d1e + nth));
        Partner { caller, key, period, until }
    }

    fn sign(&self, stage: &mut Stage<'_>) {
        stage.exchange.header("X-API-Key", &self.key);
    }
}

/// The partner's key is used, and that of another one.
pub fn cast_past(stage: &mut Stage<'_>) {
    let first = stage.world.start.saturating_add(Duration::from_secs(7));
    for nth in [SLEEPER, RETURNING] {
        let partner = Partner::new(stage, nth, PERIOD, stage.world.end);
        stage.start(first, Box::new(partner));
    }
}

/// The first one is silent; the other one goes away later.
pub fn cast_weeks(stage: &mut Stage<'_>) {
    let partner = Partner::new(stage, RETURNING, WEEKS_PERIOD, stage.world.end.saturating_sub(AWAY));
    stage.start(stage.world.start, Box::new(partner));
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let returning = Partner::new(stage, RETURNING, PERIOD, stage.world.end);
    stage.start(stage.world.attacks_from, Box::new(returning));
    let mut partner = Partner::new(stage, SLEEPER, PERIOD, plan.until);
    if plan.numbers.lasts.is_some() {
        partner.caller = plan.caller(stage, 0);
    }
    let from = plan.from;
    stage.start(from, Box::new(Holder { plan, partner, done: 0 }));
}

impl Actor for Partner {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= self.until {
            stage.leave(&mut self.caller, now);
            return None;
        }
        office::partner_inventory(&mut stage.exchange, &mut self.caller.rng);
        self.sign(stage);
        dress(&mut stage.exchange, &mut self.caller.rng);
        let end = stage.perform(&mut self.caller, now).end;
        let next = end.saturating_add(self.period.mul_f64(0.9 + 0.2 * self.caller.rng.unit()));
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}

impl Actor for Holder {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.partner.caller, now);
            return None;
        }
        // Who is in a hurry takes customers; who is not, what the key was always used for.
        match self.plan.numbers.requests {
            50.. => {
                let first = self.partner.caller.rng.below(CUSTOMERS - 50);
                office::partner_customers(&mut stage.exchange, first, 50);
            }
            _ => office::partner_inventory(&mut stage.exchange, &mut self.partner.caller.rng),
        }
        self.partner.sign(stage);
        dress(&mut stage.exchange, &mut self.partner.caller.rng);
        self.done += 1;
        let pace = self.plan.pace().mul_f64(0.5 + self.partner.caller.rng.unit());
        let end = strike(stage, &mut self.partner.caller, now, &self.plan);
        let next = now.saturating_add(pace).max(end);
        stage.rest(&mut self.partner.caller, next);
        Some(next)
    }
}
