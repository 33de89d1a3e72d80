//! One client that walks: through a word list of paths, or through other people's objects.

use super::super::people::Person;
use super::super::random::{Rng, scatter};
use super::super::scenario::Scenario;
use super::super::shop::{CUSTOMERS, api, site};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;

const WORDS: [&str; 40] = [
    "admin",
    "backup",
    ".git/config",
    ".env",
    "config.json",
    "wp-login.php",
    "phpinfo.php",
    "server-status",
    "actuator/env",
    "actuator/heapdump",
    "api-docs",
    "swagger.json",
    "graphql",
    "debug",
    "console",
    "test",
    "old",
    "dev",
    "staging",
    "db.sql",
    "dump.sql",
    "users",
    "internal",
    "private",
    "metrics",
    "trace",
    "status",
    "setup",
    "install",
    "login.jsp",
    "manager/html",
    "jenkins",
    "solr/admin",
    "xmlrpc.php",
    "id_rsa",
    "secrets",
    "tokens",
    "export",
    "import",
    "upload.php",
];
const PREFIXES: [&str; 9] = ["", "api/", "v1/", "v2/", "old/", "app/", "rest/", "internal/", "public/"];

struct Walk {
    plan: Plan,
    caller: Caller,
    rng: Rng,
    done: u32,
    first_id: u64,
    on_site: bool,
    in_sequence: bool,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    let mut rng = Rng::new(plan.rng.next_u64());
    let walk = Walk {
        first_id: 1_000_000 + rng.below(800_000),
        on_site: rng.chance(0.4),
        // Who has time takes ids at random.
        in_sequence: plan.pace().as_secs_f64() < 1.0,
        done: 0,
        caller,
        rng,
        plan,
    };
    stage.start(walk.plan.from, Box::new(walk));
}

impl Walk {
    fn next_path(&self) -> String {
        let place = self.done as usize;
        let word = WORDS[place % WORDS.len()]; // a remainder of the length
        let round = place / WORDS.len();
        let prefix = PREFIXES[round % PREFIXES.len()]; // a remainder of the length
        let suffix = match round / PREFIXES.len() {
            0 => "",
            1 => "~",
            2 => ".bak",
            3 => ".old",
            _ => "/1",
        };
        format!("/{prefix}{word}{suffix}")
    }

    fn fill(&mut self, stage: &mut Stage<'_>) {
        let start = stage.world.start;
        let exchange = &mut stage.exchange;
        if self.plan.scenario == Scenario::Scanner {
            let path = self.next_path();
            if self.on_site {
                site::missing(exchange, &path);
            } else {
                api::not_found(exchange, &path);
            }
            // A few exist, behind a lock.
            if self.rng.chance(0.02) {
                exchange.json(403, format_args!(r#"{{"error":"forbidden"}}"#));
            }
            return;
        }
        let id = if self.in_sequence {
            self.first_id + u64::from(self.done)
        } else {
            1_000_000 + scatter(self.first_id, u64::from(self.done)) % 900_000
        };
        api::order(exchange, id, Person((scatter(7, id) % CUSTOMERS) as u32));
        if !self.rng.chance(self.plan.numbers.share) {
            exchange.json(404, format_args!(r#"{{"error":"no_such_order","id":{id}}}"#));
        }
        attacker_token(exchange, start, self.plan.index);
    }
}

impl Actor for Walk {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        self.fill(stage);
        let end = strike(stage, &mut self.caller, now, &self.plan);
        self.done += 1;
        let next = self.plan.next(now, end, &mut self.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
