//! An attack of many like requests: one at a time, going round its addresses.

use super::super::exchange::Exchange;
use super::super::random::Rng;
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;

/// Fills in the next request: of the plan's, how many were made, when it is.
pub type Next = Box<dyn FnMut(&mut Exchange, &mut Rng, u32, Timestamp)>;

struct Campaign {
    plan: Plan,
    next: Next,
    callers: Vec<Option<Caller>>,
    done: u32,
    rng: Rng,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan, next: Next) {
    let callers = (0..plan.numbers.addresses.max(1)).map(|_| None).collect();
    let rng = Rng::new(plan.rng.next_u64());
    let from = plan.from;
    stage.start(from, Box::new(Campaign { plan, next, callers, done: 0, rng }));
}

impl Actor for Campaign {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            for caller in self.callers.iter_mut().flatten() {
                stage.leave(caller, now);
            }
            return None;
        }
        let nth = self.done as usize % self.callers.len(); // at least one address
        let mut caller = match self.callers.get_mut(nth).and_then(Option::take) {
            Some(caller) => caller,
            None => self.plan.caller(stage, nth as u64),
        };
        (self.next)(&mut stage.exchange, &mut self.rng, self.done, now);
        let end = strike(stage, &mut caller, now, &self.plan);
        self.done += 1;
        let pace = self.plan.pace();
        let is_alone = self.callers.len() == 1;
        if !is_alone || pace >= caller.keep_alive {
            stage.leave(&mut caller, end);
        }
        // The next time it comes it is the same address, perhaps on a new connection.
        self.callers[nth] = Some(caller); // `nth` is below the length
        let earliest = if is_alone { end } else { now };
        Some(now.saturating_add(pace.mul_f64(0.5 + self.rng.unit())).max(earliest))
    }
}
