//! Whether a login lets people in.
//!
//! In go the logins of each window; out comes whether nobody gets in any more where people did, while no more of them try
//! than before: a broken release, or something behind the login that is down. What fails then says nothing about who tries.
//! Misses: a campaign that begins while nobody gets in, and until what failed meanwhile has left the shortest span.

use super::state::EndpointActivity;
use super::tiers::{SPANS, Tiers};
use serde::{Deserialize, Serialize};

/// Logins that should have succeeded since the last one did: by chance none does once in 400 times.
const MISSED: f64 = 6.0;
/// Addresses that must have failed: one or two are shut out for reasons of their own.
const LEAST_CLIENTS: u64 = 5;
/// User names for each address, and for each login that should have succeeded, up to which those who fail may be the usual
/// people.
const USERS_FOR_EACH: f64 = 2.0;
/// Windows in which what is usual is half forgotten: half an hour, since people come and go with the hours.
const HALF_LIFE: f64 = 180.0;
/// Windows that must have been seen before anything is usual.
const LEAST_WINDOWS: f64 = 20.0;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The last window in which anybody got in, and what failed since.
    opened: i64,
    failed: u64,
    /// The last window in which it was shut.
    shut: Option<i64>,
    /// Who got in, and in how many windows, fading.
    let_in: f64,
    windows: f64,
}

impl Gate {
    /// A window had logins, which `recent` holds already.
    pub fn look(&mut self, window: i64, logins: [u64; 2], recent: &Tiers<EndpointActivity>) {
        let [let_in, failed] = logins;
        if let_in > 0 {
            let passed = window.saturating_sub(self.opened).clamp(1, SPANS[1]) as f64;
            let passed = if self.windows > 0.0 { passed } else { 1.0 };
            let faded = 0.5f64.powf(passed / HALF_LIFE);
            self.let_in = self.let_in * faded + let_in as f64;
            self.windows = self.windows * faded + passed;
            (self.opened, self.failed) = (window, 0);
            return;
        }
        self.failed += failed;
        if self.lets_nobody_in(window, recent) {
            self.shut = Some(window);
        }
    }

    /// Whether failures of the shortest span are those of a login that was shut.
    pub fn is_shut(&self, window: i64) -> bool {
        self.shut.is_some_and(|shut| window.saturating_sub(shut) < SPANS[0])
    }

    /// What was shut is not any more, and another time begins.
    pub fn forget_recent(&mut self) {
        *self = Gate::default();
    }

    fn lets_nobody_in(&self, window: i64, recent: &Tiers<EndpointActivity>) -> bool {
        if self.windows < LEAST_WINDOWS {
            return false;
        }
        let missed = self.let_in / self.windows * window.saturating_sub(self.opened).min(SPANS[0]) as f64;
        if missed < MISSED || (self.failed as f64) < missed {
            return false;
        }
        let Some(tried) = recent.merged(0, |activity| activity.logins.as_deref()) else { return false };
        let (users, clients) = (tried.users.count() as f64, tried.clients.count());
        clients >= LEAST_CLIENTS && users <= USERS_FOR_EACH * missed.min(clients as f64)
    }
}
