//! One client that asks for far more than its share: as fast as it can, or for pages of thousands of rows.

use super::super::random::Rng;
use super::super::shop::{PRODUCTS, api};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;

/// Requests that wait for an answer at a time, where it is fast.
const CONNECTIONS: u64 = 16;
/// Requests for large pages are so many times fewer.
const FEWER_PAGES: u32 = 200;

#[derive(Clone, Copy)]
enum Wanted {
    /// The same search again and again, as a load generator asks.
    Search,
    /// Another search each time, so that no cache helps.
    Searches,
    /// The catalogue in pages of so many rows.
    Pages(u64),
}

struct Flood {
    plan: Plan,
    callers: Vec<Caller>,
    rng: Rng,
    wanted: Wanted,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let mut rng = Rng::new(plan.rng.next_u64());
    let wanted = if rng.chance(plan.numbers.share) {
        plan.numbers.requests /= FEWER_PAGES;
        Wanted::Pages(u64::from(plan.numbers.records))
    } else {
        *rng.pick(&[Wanted::Search, Wanted::Searches])
    };
    let connections = if plan.pace().as_secs_f64() < 0.02 { CONNECTIONS } else { 1 };
    let first = plan.caller(stage, 0);
    let more = (1..connections).map(|_| Caller::new(first.address, first.lines.clone(), Rng::new(rng.next_u64())));
    let mut callers: Vec<Caller> = more.collect();
    callers.push(first);
    stage.start(plan.from, Box::new(Flood { plan, callers, rng, wanted, done: 0 }));
}

impl Flood {
    fn fill(&mut self, stage: &mut Stage<'_>) {
        let exchange = &mut stage.exchange;
        match self.wanted {
            Wanted::Search => api::search(exchange, &mut Rng::new(self.plan.index), 1),
            Wanted::Searches => api::search(exchange, &mut self.rng, 1),
            Wanted::Pages(rows) => api::products(exchange, u64::from(self.done) * rows % PRODUCTS, rows),
        }
    }
}

impl Actor for Flood {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            self.callers.iter_mut().for_each(|caller| stage.leave(caller, now));
            return None;
        }
        self.fill(stage);
        let nth = self.done as usize % self.callers.len(); // a remainder of the length
        let caller = &mut self.callers[nth];
        let end = strike(stage, caller, now, &self.plan);
        self.done += 1;
        let mut next = now.saturating_add(self.plan.pace().mul_f64(0.5 + self.rng.unit()));
        if self.callers.len() == 1 {
            next = next.max(end);
        }
        self.callers.iter_mut().for_each(|caller| stage.rest(caller, next));
        Some(next)
    }
}
