//! Attacks on accounts without their passwords: codes guessed, names asked for, accounts made and resets asked for in bulk.

use super::super::exchange::Exchange;
use super::super::people::Person;
use super::super::random::scatter;
use super::super::scenario::Scenario;
use super::super::shop::{CUSTOMERS, account};
use super::super::stage::Stage;
use super::logins::elsewhere;
use super::{Plan, campaign};

/// What gives names away.
#[derive(Clone, Copy)]
enum Tell {
    /// The question whether an address is free.
    Question,
    /// The old app's reset.
    Reset,
    /// A registration of an address that is taken.
    Registration,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let seed = plan.rng.next_u64();
    let victim = Person((seed % CUSTOMERS) as u32);
    let tell = *plan.rng.pick(&[Tell::Question, Tell::Reset, Tell::Registration]);
    let scenario = plan.scenario;
    let next: campaign::Next = Box::new(move |exchange, _, nth, now| {
        let bits = scatter(seed, u64::from(nth));
        let person = Person((bits % CUSTOMERS) as u32);
        match scenario {
            Scenario::OtpBruteForce => {
                let code = format!("{:06}", bits % 1_000_000);
                account::second_factor(exchange, victim, &code, false, now.seconds());
            }
            Scenario::RegistrationAbuse => {
                let number = 2 * CUSTOMERS as u32 + nth;
                let email = format!("{}{}@inbox.example", person.first().to_lowercase(), bits >> 40);
                account::register(exchange, &email, "Welcome-2025", number, true);
            }
            Scenario::PasswordResetAbuse => account::reset_password(exchange, &person.email()),
            _ => ask_for(exchange, tell, person, bits),
        }
    });
    campaign::cast(stage, plan, next);
}

/// One name of a list, of which a fifth have an account.
fn ask_for(exchange: &mut Exchange, tell: Tell, person: Person, bits: u64) {
    let is_known = (bits >> 33).is_multiple_of(5);
    let email = if is_known { person.email() } else { elsewhere(person, bits) };
    match tell {
        Tell::Question => account::is_free(exchange, &email, !is_known),
        Tell::Reset => account::old_reset(exchange, &email, is_known),
        Tell::Registration => {
            // Without a password there will be no account; names that are taken are refused before that is noticed.
            account::register(exchange, &email, "", person.0, !is_known);
            if !is_known {
                exchange.reply.clear();
                exchange.json(422, format_args!(r#"{{"error":"validation","fields":["password"]}}"#));
            }
        }
    }
}
