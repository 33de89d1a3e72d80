//! Attacks on logins: leaked pairs, one user's password, one password for many users.

use super::super::people::Person;
use super::super::random::{Rng, scatter};
use super::super::scenario::Scenario;
use super::super::shop::CUSTOMERS;
use super::super::shop::login::{self, LoginStyle};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, strike};
use crate::time::Timestamp;

const COMMON_PASSWORDS: [&str; 2] = ["Summer2025!", "Password123!"];

struct Attempts {
    plan: Plan,
    style: LoginStyle,
    /// One at a time; the attempts go round the addresses.
    callers: Vec<Option<Caller>>,
    done: u32,
    rng: Rng,
    victim: Person,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let style = plan.login_style();
    let callers = (0..plan.numbers.addresses.max(1)).map(|_| None).collect();
    let rng = Rng::new(plan.rng.next_u64());
    let victim = Person(plan.rng.below(CUSTOMERS) as u32);
    let from = plan.from;
    stage.start(from, Box::new(Attempts { plan, style, callers, done: 0, rng, victim }));
}

impl Attempts {
    /// Who is tried, with what, and whether it is right.
    fn attempt(&mut self) -> (Person, String, String, bool) {
        let numbers = self.plan.numbers;
        let lucky = self.rng.chance(numbers.share);
        match self.plan.scenario {
            Scenario::BruteForce => {
                let word = format!("{}{}", self.victim.first(), self.done);
                (self.victim, self.victim.email(), word, false)
            }
            Scenario::PasswordSpraying => {
                let users = numbers.records.max(1);
                let person = Person((scatter(0x59a1, u64::from(self.done % users)) % CUSTOMERS) as u32);
                let word = COMMON_PASSWORDS[(self.done / users) as usize % COMMON_PASSWORDS.len()]; // a remainder
                (person, person.email(), word.to_owned(), lucky)
            }
            _ => {
                // A leak from elsewhere: most of its addresses have no account here.
                let bits = scatter(self.plan.rng.clone().next_u64(), u64::from(self.done));
                let person = Person((bits % CUSTOMERS) as u32);
                let user = if lucky || bits >> 40 & 3 == 0 {
                    person.email()
                } else {
                    format!(
                        "{}{}@{}.example",
                        person.last().to_lowercase(),
                        bits % 9973,
                        ["old", "games", "forum"][(bits >> 50) as usize % 3]
                    )
                };
                let password =
                    if lucky { person.password() } else { format!("{}{:03}", person.first(), bits >> 32 & 0x3ff) };
                (person, user, password, lucky)
            }
        }
    }
}

impl Actor for Attempts {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        let over = self.done >= self.plan.numbers.requests || now >= self.plan.until || now >= stage.world.end;
        if over {
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
        let (person, user, password, right) = self.attempt();
        login::login(&mut stage.exchange, self.style, person, &user, &password, right, now.seconds());
        let end = strike(stage, &mut caller, now, &self.plan);
        self.done += 1;
        let pace = self.plan.pace();
        if self.callers.len() == 1 && pace < caller.keep_alive {
            self.callers[nth] = Some(caller); // `nth` is below the length
        } else {
            stage.leave(&mut caller, end);
            // The next time it comes it is the same address on a new connection.
            self.callers[nth] = Some(caller); // `nth` is below the length
        }
        Some(now.saturating_add(pace.mul_f64(0.5 + self.rng.unit())).max(if self.callers.len() == 1 {
            end
        } else {
            now
        }))
    }
}
