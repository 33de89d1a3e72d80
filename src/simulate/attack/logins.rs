//! Attacks on logins: leaked pairs, one user's password, one password for many users.

use super::super::people::Person;
use super::super::random::{Rng, scatter};
use super::super::scenario::{Numbers, Scenario};
use super::super::shop::CUSTOMERS;
use super::super::shop::login;
use super::super::stage::Stage;
use super::{Plan, campaign};

const COMMON_PASSWORDS: [&str; 2] = ["Summer2025!", "Password123!"];

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let style = plan.login_style();
    let victim = Person(plan.rng.below(CUSTOMERS) as u32);
    let (scenario, numbers) = (plan.scenario, plan.numbers);
    let next: campaign::Next = Box::new(move |exchange, rng, nth, now| {
        let (person, user, password, right) = attempt(scenario, &numbers, victim, nth, rng);
        login::login(exchange, style, person, &user, &password, right, now.seconds());
    });
    campaign::cast(stage, plan, next);
}

/// Who is tried, with what, and whether it is right.
fn attempt(
    scenario: Scenario,
    numbers: &Numbers,
    victim: Person,
    nth: u32,
    rng: &mut Rng,
) -> (Person, String, String, bool) {
    let lucky = rng.chance(numbers.share);
    match scenario {
        Scenario::BruteForce => (victim, victim.email(), format!("{}{nth}", victim.first()), false),
        Scenario::PasswordSpraying => {
            let users = numbers.records.max(1);
            let person = Person((scatter(0x59a1, u64::from(nth % users)) % CUSTOMERS) as u32);
            let word = COMMON_PASSWORDS[(nth / users) as usize % COMMON_PASSWORDS.len()]; // a remainder
            (person, person.email(), word.to_owned(), lucky)
        }
        _ => {
            // A leak from elsewhere: most of its addresses have no account here.
            let bits = scatter(rng.clone().next_u64(), u64::from(nth));
            let person = Person((bits % CUSTOMERS) as u32);
            let user = if lucky || bits >> 40 & 3 == 0 { person.email() } else { elsewhere(person, bits) };
            let password =
                if lucky { person.password() } else { format!("{}{:03}", person.first(), bits >> 32 & 0x3ff) };
            (person, user, password, lucky)
        }
    }
}

/// An address that has no account here.
pub fn elsewhere(person: Person, bits: u64) -> String {
    let provider = ["old", "games", "forum"][(bits >> 50) as usize % 3]; // a remainder
    format!("{}{}@{provider}.example", person.last().to_lowercase(), bits % 9973)
}
