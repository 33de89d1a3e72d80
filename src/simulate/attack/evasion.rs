//! A client that says one thing to the sensor and another to the server: TCP segments that come twice, and differ.
//!
//! Logins and calls with credentials in turn. Of a login the body comes twice behind a hole, which the head fills; a call
//! comes in order and then once more, as if the first copy had died on the way to the server.

use super::super::people::Person;
use super::super::random::Rng;
use super::super::shop::api;
use super::super::shop::login::{self, LoginStyle};
use super::super::stage::{Actor, Caller, Stage};
use super::{Plan, attacker_token, strike};
use crate::time::Timestamp;

struct Evasion {
    plan: Plan,
    caller: Caller,
    style: LoginStyle,
    rng: Rng,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let caller = plan.caller(stage, 0);
    let style = plan.login_style();
    let rng = Rng::new(plan.rng.next_u64());
    stage.start(plan.from, Box::new(Evasion { plan, caller, style, rng, done: 0 }));
}

/// The part of a request that is sent first, with other numbers, and where it begins: the body, or else all of it with
/// another object.
fn decoy_of(request: &[u8]) -> (usize, Vec<u8>) {
    let body = request.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    let target = request.windows(9).position(|nine| nine == b" HTTP/1.1").unwrap_or(0);
    let object = request[..target].iter().rposition(|byte| *byte == b'/').unwrap_or(0); // `target` lies within it
    let (from, other) = if body < request.len() { (body, body..request.len()) } else { (0, object..target) };
    let mut bytes = request.to_vec();
    for digit in bytes[other].iter_mut().filter(|byte| byte.is_ascii_digit()) {
        *digit = b'0' + (*digit - b'0' + 1) % 10; // both ranges lie within the request
    }
    (from, bytes.split_off(from))
}

impl Actor for Evasion {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let person = Person(390_000 + self.plan.index as u32);
        if self.done.is_multiple_of(2) {
            let password = format!("{}{}", person.first(), 1000 + self.rng.below(9000));
            login::login(&mut stage.exchange, self.style, person, &person.email(), &password, true, now.seconds());
        } else {
            api::order(&mut stage.exchange, 1_000_000 + self.rng.below(900_000), person);
            let start = stage.world.start;
            attacker_token(&mut stage.exchange, start, self.plan.index);
        }
        stage.decoy = Some(decoy_of);
        let end = strike(stage, &mut self.caller, now, &self.plan);
        self.done += 1;
        let next = self.plan.next(now, end, &mut self.rng);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}
