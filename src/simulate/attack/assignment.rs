//! Mass assignment: a customer whose requests carry fields that no form of the shop has, and the server takes them.

use super::super::people::{Person, uuid};
use super::super::random::Rng;
use super::super::shop::{api, dress};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;

/// What is tried in a body, and in a query.
const FIELDS: [&str; 8] = [
    r#""role":"admin""#,
    r#""is_admin":true"#,
    r#""isStaff":true"#,
    r#""balance":100000"#,
    r#""verified":true"#,
    r#""discount":100"#,
    r#""price":1"#,
    r#""permissions":["*"]"#,
];
const SWITCHES: [&str; 3] = ["debug=true", "admin=1", "role=admin"];

struct Customer {
    plan: Plan,
    caller: Caller,
    rng: Rng,
    /// The one field of who is careful.
    field: usize,
    form: u64,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    let mut rng = Rng::new(plan.rng.next_u64());
    let (field, form) = (rng.below(FIELDS.len() as u64) as usize, rng.below(4));
    stage.start(plan.from, Box::new(Customer { plan, caller, rng, field, form, done: 0 }));
}

impl Customer {
    fn fill(&mut self, stage: &mut Stage<'_>) {
        let person = Person(390_000 + self.plan.index as u32);
        // Who is in a hurry tries everything everywhere.
        let tries_all = self.plan.numbers.requests > 20;
        let form = if tries_all { self.rng.below(4) } else { self.form };
        let field = if self.plan.numbers.lasts.is_some() { self.rng.below(8) as usize } else { self.field };
        let exchange = &mut stage.exchange;
        let cart = uuid(0xca27, u64::from(person.0));
        match form {
            0 => api::change_profile(exchange, person),
            1 => api::place_order(exchange, person, &cart, 80_000 + u64::from(self.done)),
            2 => api::add_to_cart(exchange, &cart, &mut self.rng),
            _ => {
                api::products(exchange, self.rng.below(1000), 20);
                exchange.target.push('&');
                exchange.target.push_str(SWITCHES[field % SWITCHES.len()]); // a remainder of the length
            }
        }
        if exchange.body.pop().is_some() {
            // Behind the last field of the object; the brace comes back.
            exchange.body.extend_from_slice(format!(",{}}}", FIELDS[field]).as_bytes()); // `field` is below 8
        }
    }
}

impl Actor for Customer {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        self.fill(stage);
        let start = stage.world.start;
        attacker_token(&mut stage.exchange, start, self.plan.index);
        dress(&mut stage.exchange, &mut self.rng);
        self.done += 1;
        let end = strike(stage, &mut self.caller, now, &self.plan);
        let next = self.plan.next(now, end, &mut self.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
