//! Staff in the back office: inside addresses, office hours, many customers' orders one after the other, lawfully.

use super::super::exchange::Host;
use super::super::people::Person;
use super::super::random::Rng;
use super::super::shop::{dress, office};
use super::super::stage::{Actor, Caller, Stage};
use super::think;
use crate::time::Timestamp;

/// How many work there.
const EMPLOYEES: u64 = 40;

pub struct Staff {
    caller: Caller,
    cookie: String,
    left: u32,
    page: u64,
    begun: bool,
}

impl Staff {
    pub fn new(stage: &Stage<'_>, who: u64, mut rng: Rng) -> Staff {
        let employee = who % EMPLOYEES;
        let lines = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
                     Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\n";
        let left = rng.exponential(30.0) as u32 + 3;
        Staff {
            cookie: Person(900_000 + employee as u32).session(stage.world.start.seconds()),
            caller: Caller::new(stage.world.inside(1, employee), lines.to_owned(), rng).inside(),
            left,
            page: 1,
            begun: false,
        }
    }
}

impl Actor for Staff {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        // Few stay late: sessions outside office hours mostly do not happen.
        let goes_home = !self.begun && !self.caller.rng.chance(stage.world.staff(now).max(0.1));
        if self.left == 0 || goes_home || now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        self.begun = true;
        self.left -= 1;
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match rng.weighted(&[20, 34, 16, 18, 6, 2]) {
            0 => {
                office::orders(exchange, self.page);
                self.page += 1;
            }
            1 => office::order(exchange, rng),
            2 => office::customers(exchange, rng),
            3 => office::customer(exchange, rng),
            4 => office::change_product(exchange, rng),
            _ => {
                exchange.ask(
                    "GET",
                    Host::Admin,
                    "/admin/orders/{id}",
                    format_args!("/admin/orders/{}", rng.below(1000)),
                );
                exchange.json(404, format_args!(r#"{{"error":"no such order"}}"#));
            }
        }
        exchange.header("Cookie", format_args!("staff={}", self.cookie));
        dress(exchange, rng);
        let outcome = stage.perform(&mut self.caller, now);
        let next = outcome.end.saturating_add(think(&mut self.caller.rng) * 2);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
