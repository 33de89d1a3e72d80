//! Everybody who means no harm: the cast of an ordinary day, or of a benchmark.

mod bench;
mod browser;
mod deploy;
mod machine;
mod mobile;
mod staff;

use super::Profile;
use super::exchange::Exchange;
use super::people::Person;
use super::random::Rng;
use super::shop::site::Files;
use super::stage::{Actor, Caller, Stage};
use crate::time::Timestamp;
pub use deploy::Release;
use std::rc::Rc;
use std::time::Duration;

/// Shares of the rate. What is left are web sessions, which come to about a third.
const MOBILE_SHARE: f64 = 0.42;
const MACHINE_SHARE: f64 = 0.22;
const STAFF_SHARE: f64 = 0.04;
const BROWSER_SHARE: f64 = 1.0 - MOBILE_SHARE - MACHINE_SHARE - STAFF_SHARE;

/// Transactions of a mean session, measured; they turn the rate into arrivals.
const MOBILE_SESSION: f64 = 16.8;
const BROWSER_SESSION: f64 = 25.5;
const STAFF_SESSION: f64 = 32.0;

/// Answers that fail on an ordinary day.
const BASE_FAILURE: f64 = 0.001;

/// Puts everybody on the stage.
pub fn cast(stage: &mut Stage<'_>, profile: Profile) {
    match profile {
        Profile::Day => {
            let release = deploy::cast(stage);
            let files = Rc::new(Files::new());
            people(stage, release, &files);
            machine::cast(stage, stage.world.rate * MACHINE_SHARE, &files);
        }
        Profile::Mixed | Profile::Small | Profile::Bulk => bench::cast(stage, profile),
    }
}

/// Puts only machines on the stage, for weeks in which nothing else happens: each acts every few hours.
pub fn cast_machines(stage: &mut Stage<'_>) {
    const RATE: f64 = 2e-4;
    machine::cast(stage, RATE, &Rc::new(Files::new()));
}

fn people(stage: &mut Stage<'_>, release: Release, files: &Rc<Files>) {
    let kinds = [
        (Kind::Mobile, MOBILE_SHARE / MOBILE_SESSION),
        (Kind::Browser, BROWSER_SHARE / BROWSER_SESSION),
        (Kind::Staff, STAFF_SHARE / STAFF_SESSION),
    ];
    for (kind, per_transaction) in kinds {
        let arrivals = Arrivals {
            kind,
            peak_sessions_per_second: stage.world.rate * per_transaction / stage.world.people_mean(),
            rng: Rng::named(stage.world.seed, "arrivals", kind as u64),
            release: release.clone(),
            files: files.clone(),
            count: 0,
        };
        stage.start(stage.world.start, Box::new(arrivals));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Mobile,
    Browser,
    Staff,
}

/// Sessions begin at random: a Poisson process whose rate follows the hour (thinning, Lewis and Shedler 1979).
struct Arrivals {
    kind: Kind,
    /// In the busiest hour.
    peak_sessions_per_second: f64,
    rng: Rng,
    release: Release,
    files: Rc<Files>,
    count: u64,
}

impl Actor for Arrivals {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.count > 0 && self.rng.chance(stage.world.people(now)) {
            let rng = Rng::named(stage.world.seed, "session", self.count * 4 + self.kind as u64);
            // Some come back much more often than others.
            let unit = self.rng.unit();
            let who = (unit * unit * f64::from(stage.world.clients)) as u64;
            let session: Box<dyn Actor> = match self.kind {
                Kind::Mobile => Box::new(mobile::Mobile::new(stage, who, now, &self.release, rng)),
                Kind::Browser => Box::new(browser::Browser::new(stage, who, &self.release, &self.files, rng)),
                Kind::Staff => Box::new(staff::Staff::new(stage, who, rng)),
            };
            stage.start(now, session);
        }
        self.count += 1;
        let gap = self.rng.exponential(1.0 / self.peak_sessions_per_second.max(1e-9));
        let next = now.saturating_add(Duration::from_secs_f64(gap.min(1e7)));
        (next < stage.world.end).then_some(next)
    }
}

/// How often somebody mistypes his password before it is right, and whether he gives up and resets it instead.
fn forgotten(rng: &mut Rng) -> (u32, bool) {
    match rng.below(1000) {
        0..18 => (1, false),
        18..21 => (2, false),
        21..23 => (5, true),
        _ => (0, false),
    }
}

/// What somebody types instead of his password.
fn mistyped(person: Person, attempt: u32) -> String {
    let right = person.password();
    match attempt {
        0 => right[..right.len() - 1].to_owned(), // passwords are ASCII and longer than one
        1 => right.to_lowercase(),
        _ => format!("{}{attempt}", person.last()),
    }
}

/// Time to look at a screen: seconds, with a long tail.
fn think(rng: &mut Rng) -> Duration {
    Duration::from_secs_f64(rng.log_normal(4.0, 1.0).clamp(0.3, 240.0))
}

/// Performs the exchange in the form after the front server dressed it; the next step follows `pause` after its end.
fn act(stage: &mut Stage<'_>, caller: &mut Caller, now: Timestamp, pause: Duration) -> (u16, Timestamp) {
    // Something always breaks somewhere.
    if caller.rng.chance(BASE_FAILURE) {
        stage.exchange.json(502, format_args!("{{\"error\":\"upstream\"}}"));
    }
    super::shop::dress(&mut stage.exchange, &mut caller.rng);
    let outcome = stage.perform(caller, now);
    let next = outcome.end.saturating_add(pause);
    stage.rest(caller, next);
    (outcome.status, next)
}

/// A bearer token on the request in the form.
fn bearer(exchange: &mut Exchange, token: &str) {
    exchange.header("Authorization", format_args!("Bearer {token}"));
}
