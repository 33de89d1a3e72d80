//! Endpoints that answer outsiders: one that nobody listed, one that forgot to ask for credentials, an old version.

use super::super::exchange::Host;
use super::super::random::Rng;
use super::super::scenario::Scenario;
use super::super::shop::{CUSTOMERS, dress, office, write_list, write_product};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;

const HIDDEN: [&str; 4] =
    ["/v1/internal/customers/export", "/v2/debug/sessions", "/v1/users/dump", "/v0/admin/subscriptions"];
/// Endpoints that forget to ask for credentials; the last is one that staff uses all day, with them.
const UNGUARDED: [(Host, &str); 4] = [
    (Host::Api, "/v1/customers"),
    (Host::Api, "/v1/identity/documents"),
    (Host::Api, "/v1/kyc/records"),
    (Host::Admin, "/admin/customers"),
];

/// Old versions of what the apps and the site call, which nobody switched off.
const OUTLIVED: [&str; 3] = ["/v0/products", "/v0/search", "/v0/reviews"];

struct Leak {
    plan: Plan,
    callers: Vec<Caller>,
    host: Host,
    path: &'static str,
    rng: Rng,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let callers = (0..plan.numbers.addresses.max(1)).map(|nth| plan.caller(stage, u64::from(nth))).collect();
    let mut rng = Rng::new(plan.rng.next_u64());
    let (host, path) = match plan.scenario {
        Scenario::ShadowEndpoint => (Host::Api, *rng.pick(&HIDDEN)),
        Scenario::ZombieEndpoint => (Host::Api, *rng.pick(&OUTLIVED)),
        _ => *rng.pick(&UNGUARDED),
    };
    let from = plan.from;
    stage.start(from, Box::new(Leak { plan, callers, host, path, rng, done: 0 }));
}

impl Actor for Leak {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            for caller in &mut self.callers {
                stage.leave(caller, now);
            }
            return None;
        }
        let nth = self.rng.below(self.callers.len() as u64) as usize;
        let count = u64::from(self.plan.numbers.records.max(1));
        let first = self.rng.below(CUSTOMERS - count);
        let exchange = &mut stage.exchange;
        exchange.ask("GET", self.host, self.path, format_args!("{}?offset={}&limit={count}", self.path, self.done));
        match self.plan.scenario {
            Scenario::ShadowEndpoint => office::leaked_customers(exchange, first, count),
            Scenario::ZombieEndpoint => {
                exchange.reply_type = "application/json";
                exchange.status = 200;
                write_list(&mut exchange.reply, first..first + count, write_product);
            }
            _ => office::identity_documents(exchange, first, count),
        }
        dress(exchange, &mut self.rng);
        self.done += 1;
        let next = now.saturating_add(self.plan.pace().mul_f64(0.5 + self.rng.unit()));
        let caller = self.callers.get_mut(nth)?;
        let end = strike(stage, caller, now, &self.plan);
        for caller in &mut self.callers {
            stage.rest(caller, next);
        }
        Some(next.max(end))
    }
}
