//! Whether a login lets people in.
//!
//! In go the logins of each window; out comes whether nobody gets in any more where people did, while no more of them try
//! than before: a broken release, or something behind the login that is down. What fails then says nothing about who tries.
//! Misses: a campaign that begins while nobody gets in, and until what failed meanwhile has left the shortest span.

use super::state::EndpointActivity;
use super::tiers::{SPANS, Tiers, tier_of};
use crate::window::window_of;
use serde::{Deserialize, Serialize};

/// Logins that should have succeeded since the last one did: by chance none does once in 400 times.
const MISSED: f64 = 6.0;
/// Addresses that must have failed: one or two are shut out for reasons of their own.
const LEAST_CLIENTS: u64 = 5;
/// User names for each address, and for each login that should have succeeded, up to which those who fail may be the usual
/// people.
const USERS_FOR_EACH: f64 = 2.0;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The last window in which anybody got in, and the last in which it was shut.
    opened: i64,
    shut: Option<i64>,
}

impl Gate {
    /// A window had logins, which `recent` holds already, and let so many in.
    pub fn look(&mut self, window: i64, let_in: u64, recent: &Tiers<EndpointActivity>) {
        if let_in > 0 {
            self.opened = window;
        } else if self.lets_nobody_in(window, recent) {
            self.shut = Some(window);
        }
    }

    /// Whether failures of the shortest span are those of a login that was shut.
    pub fn is_shut(&self, window: i64) -> bool {
        self.shut.is_some_and(|shut| window.saturating_sub(shut) < SPANS[0])
    }

    /// What was shut is not any more.
    pub fn forget_recent(&mut self) {
        self.shut = None;
    }

    fn lets_nobody_in(&self, window: i64, recent: &Tiers<EndpointActivity>) -> bool {
        let hour = tier_of(3600);
        let succeeded = recent.sum(hour, |activity| activity.logins.as_deref().map_or(0, |logins| logins.successes));
        let first = recent.buckets(hour).map(|activity| window_of(activity.tally.moment.first)).min();
        let Some(first) = first.filter(|first| succeeded > 0 && *first <= self.opened) else { return false };
        let usual = succeeded as f64 / (self.opened - first + 1) as f64;
        let missed = usual * window.saturating_sub(self.opened).min(SPANS[0]) as f64;
        if missed < MISSED {
            return false;
        }
        let Some(tried) = recent.merged(0, |activity| activity.logins.as_deref()) else { return false };
        let (users, clients) = (tried.users.count() as f64, tried.clients.count());
        clients >= LEAST_CLIENTS && users <= USERS_FOR_EACH * missed.min(clients as f64)
    }
}
