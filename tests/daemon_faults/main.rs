//! The daemon in a bad world: killed, damaged, refused, without room, with a clock that jumps. It starts when it can,
//! says what is wrong when it cannot, and loses nothing that it had told.

#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/daemon.rs"]
mod daemon;

mod blind;
mod damage;
mod disk;
mod kill;
mod memory;
mod refusals;
mod signals;

use apitap::baseline::State;
use apitap::baseline::persist::probe;
use apitap::simulate::{Level, Options, Scenario};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Reproducible chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// A number from the environment: how often, or a seed.
fn number_of(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

fn probe(database: &Path) -> Result<(), String> {
    probe::by_program(Path::new(env!("CARGO_BIN_EXE_apitap")), database)
}

/// Opens a copy of a state, so that what is damaged stays for the daemon to find.
fn state_of_copy(folder: &str, copy: &str) -> State {
    copied(folder, copy);
    State::open(Path::new(copy), probe).expect("the state opens")
}

fn copied(from: &str, to: &str) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").args(["-r", from, to]).status().expect("cp starts").success());
}

fn has_alert_of(site: &daemon::Site, detector: &str) -> bool {
    site.alerts().iter().any(|alert| alert["apitap"]["detector"] == detector)
}

/// A quarter of an hour with two attacks, `later` than other traffic.
fn attacks(later: Duration) -> Options {
    let defaults = Options::default();
    Options {
        scenarios: [Scenario::Scanner, Scenario::BruteForce].map(|scenario| (scenario, Level::Easy)).to_vec(),
        duration: Duration::from_secs(15 * 60),
        quiet_first: Duration::from_secs(150),
        start: defaults.start.saturating_add(later),
        rate: 2.0,
        clients: 40,
        seed: 5,
        ..defaults
    }
}
