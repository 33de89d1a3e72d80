//! Everybody who means harm, and the servers' faults that do it without an attacker.

mod accounts;
mod assignment;
mod campaign;
mod evasion;
mod exposure;
mod flood;
mod forgery;
mod idle;
mod injection;
mod insider;
mod logins;
mod privilege;
mod protocol;
mod scalper;
mod servers;
mod sessions;
mod smuggling;
mod tenants;
mod walks;

use super::Profile;
use super::exchange::Exchange;
use super::people::Person;
use super::random::Rng;
use super::scenario::{Level, Numbers, Scenario};
use super::shop::login::LoginStyle;
use super::stage::{Caller, Stage};
use super::truth::Matter;
use crate::time::Timestamp;
use std::time::Duration;

/// How long before everything else the traffic begins, where an attack needs a past.
pub fn past_of(scenarios: &[(Scenario, Level)]) -> Option<Duration> {
    scenarios.iter().filter_map(|(scenario, level)| scenario.info().past(*level)).max()
}

/// Puts on the stage who was there in the past.
pub fn cast_past(stage: &mut Stage<'_>, scenarios: &[(Scenario, Level)]) {
    if past_of(scenarios).is_some() {
        idle::cast_past(stage);
    }
}

/// And who was there in the weeks since.
pub fn cast_weeks(stage: &mut Stage<'_>, scenarios: &[(Scenario, Level)]) {
    if past_of(scenarios).is_some() {
        idle::cast_weeks(stage);
    }
}

/// One attack as planned: when, how large, where its truth is kept.
#[derive(Clone, Debug)]
struct Plan {
    scenario: Scenario,
    numbers: Numbers,
    from: Timestamp,
    until: Timestamp,
    record: usize,
    /// Number among the attacks of this simulation: its addresses are its own.
    index: u64,
    rng: Rng,
}

/// Puts the attacks on the stage, one after the other within the time that is left for them.
pub fn cast(stage: &mut Stage<'_>, scenarios: &[(Scenario, Level)], profile: Profile) {
    for (index, (scenario, level)) in scenarios.iter().enumerate() {
        let plan = plan(stage, index, scenarios.len(), *scenario, *level);
        match scenario {
            Scenario::CredentialStuffing | Scenario::BruteForce | Scenario::PasswordSpraying => {
                logins::cast(stage, plan)
            }
            Scenario::SessionAnomaly => sessions::cast(stage, plan),
            Scenario::OtpBruteForce
            | Scenario::UserEnumeration
            | Scenario::RegistrationAbuse
            | Scenario::PasswordResetAbuse => accounts::cast(stage, plan),
            Scenario::ClientErrorSpike
            | Scenario::ServerErrorSpike
            | Scenario::ExcessiveDataExposure
            | Scenario::CredentialLeak
            | Scenario::LatencyAnomaly
            | Scenario::TrafficDrop
            | Scenario::ResponseDrift => servers::cast(stage, plan, profile),
            Scenario::DataExfiltration => insider::cast(stage, plan),
            Scenario::Scanner | Scenario::ObjectEnumeration => walks::cast(stage, plan),
            Scenario::ShadowEndpoint | Scenario::UnauthenticatedDataExposure | Scenario::ZombieEndpoint => {
                exposure::cast(stage, plan)
            }
            Scenario::IdleApiKey => idle::cast(stage, plan),
            Scenario::UndocumentedParameter => assignment::cast(stage, plan),
            Scenario::PrivilegedFunction => privilege::cast(stage, plan),
            Scenario::Injection | Scenario::ServerSideRequestForgery => injection::cast(stage, plan),
            Scenario::CrossAccountAccess => tenants::cast(stage, plan),
            Scenario::BusinessFlowAbuse => scalper::cast(stage, plan),
            Scenario::UnsignedToken => forgery::cast(stage, plan),
            Scenario::ProtocolAbuse => protocol::cast(stage, plan),
            Scenario::Evasion => evasion::cast(stage, plan),
            Scenario::RequestSmuggling => smuggling::cast(stage, plan),
            Scenario::ResourceAbuse => flood::cast(stage, plan),
        }
    }
}

fn plan(stage: &mut Stage<'_>, index: usize, count: usize, scenario: Scenario, level: Level) -> Plan {
    let numbers = *scenario.info().numbers(level);
    let mut rng = Rng::named(stage.world.seed, scenario.info().name, index as u64);
    let (begin, end) = (stage.world.attacks_from, stage.world.end);
    let room = end.since(begin);
    let record = stage.record(Matter::Attack(scenario, level));
    let (from, until) = match numbers.lasts {
        None => (begin.saturating_add(room.mul_f64(0.02 * rng.unit())), end),
        Some(lasts) => {
            // Each attack begins in its own part of the time; all of it fits if it can.
            let wanted = room.mul_f64((index as f64 + 0.1 + 0.5 * rng.unit()) / count as f64);
            let from = begin.saturating_add(wanted.min(room.saturating_sub(lasts)));
            (from, from.saturating_add(lasts).min(end))
        }
    };
    Plan { scenario, numbers, from, until, record, index: index as u64, rng }
}

impl Plan {
    fn lasts(&self) -> Duration {
        self.until.since(self.from)
    }

    /// Whether all that was planned is done, or its time is over, which ends with the traffic at the latest.
    fn is_over(&self, done: u32, now: Timestamp) -> bool {
        done >= self.numbers.requests || now >= self.until
    }

    /// Mean time between requests.
    fn pace(&self) -> Duration {
        self.lasts() / self.numbers.requests.max(1)
    }

    /// When the next request is made, after one that began now and ended then.
    fn next(&self, now: Timestamp, end: Timestamp, rng: &mut Rng) -> Timestamp {
        now.saturating_add(self.pace().mul_f64(0.5 + rng.unit())).max(end)
    }

    /// An attacker's client, with the tools attackers use.
    fn caller(&mut self, stage: &Stage<'_>, nth: u64) -> Caller {
        let agent = match self.numbers.lasts {
            // Who is slow also dresses up; those who share a token each have their own.
            None if self.scenario != Scenario::SessionAnomaly => {
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
            }
            _ => *self.rng.pick(&["python-requests/2.31.0", "Go-http-client/1.1", "okhttp/4.9.3", "axios/1.7.2"]),
        };
        let lines = format!("User-Agent: {agent}\r\nAccept: */*\r\n");
        Caller::new(stage.world.attacker(self.index, nth), lines, Rng::new(self.rng.next_u64()))
    }

    fn login_style(&mut self) -> LoginStyle {
        *self.rng.pick(&LoginStyle::ALL)
    }
}

/// Performs the exchange in the form as part of an attack.
fn strike(stage: &mut Stage<'_>, caller: &mut Caller, now: Timestamp, plan: &Plan) -> Timestamp {
    stage.exchange.label = plan.scenario.info().name;
    stage.counted_by = Some(plan.record);
    stage.perform(caller, now).end
}

/// A customer who signed in lawfully, for attacks that need credentials.
fn attacker_token(exchange: &mut Exchange, stage_start: Timestamp, plan_index: u64) {
    let person = Person(390_000 + plan_index as u32);
    exchange.header("Authorization", format_args!("Bearer {}", person.token(stage_start.seconds(), "customer")));
}
