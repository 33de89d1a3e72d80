//! What an operator acknowledged: the habits of somebody, known from now on.
//!
//! In go the voices of acknowledged incidents; out comes whether a finding is one of them again: the same matter, no worse
//! and no more than [`MOST_GROWTH`] times as much. Such a finding opens no incident, and what it was found in teaches. It
//! is forgotten when it was not found for [`KEPT`]. Attacks by their nature are never habits ([`ATTACKS`]): who acknowledges one
//! knows of that one.
//!
//! Bounds: [`MOST_KNOWN`] voices; the one that was not found for longest goes.

use super::{Voice, identity_of};
use crate::detect::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Growth up to which it is the same as was acknowledged.
const MOST_GROWTH: u64 = 2;
const KEPT: Duration = Duration::from_secs(30 * 86_400);
const MOST_KNOWN: usize = 4096;

/// Detectors of what nobody does as a habit.
const ATTACKS: [&str; 17] = [
    "credential_stuffing",
    "brute_force",
    "password_spraying",
    "user_enumeration",
    "otp_brute_force",
    "registration_abuse",
    "password_reset_abuse",
    "scanner",
    "evasion",
    "request_smuggling",
    "injection",
    "server_side_request_forgery",
    "unsigned_token",
    "protocol_abuse",
    "credential_leak",
    "unauthenticated_data_exposure",
    "traffic_drop",
];

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Habit {
    /// Of the incident that was acknowledged.
    #[serde(default)]
    pub incident: String,
    /// As it was acknowledged, without what it shows of others; last seen when it was found last.
    pub finding: Finding,
    pub severity: Severity,
}

/// By identity.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Known(BTreeMap<String, Habit>);

impl Known {
    /// What was saved, as far as it can be read.
    pub fn of(saved: BTreeMap<String, serde_json::Value>) -> Known {
        Known(saved.into_iter().filter_map(|(name, habit)| Some((name, serde_json::from_value(habit).ok()?))).collect())
    }

    pub fn learn(&mut self, incident: &str, voice: &Voice) {
        if ATTACKS.contains(&voice.finding.detector) {
            return;
        }
        let mut finding = voice.finding.clone();
        (finding.evidence, finding.client_sample) = Default::default();
        let habit = Habit { incident: incident.to_owned(), finding, severity: voice.severity };
        self.0.insert(voice.identity.clone(), habit);
        if self.0.len() > MOST_KNOWN {
            let oldest = self.0.iter().min_by_key(|(_, habit)| habit.finding.moment.last);
            if let Some(oldest) = oldest.map(|(identity, _)| identity.clone()) {
                self.0.remove(&oldest);
            }
        }
    }

    /// Whether this is what somebody acknowledged.
    pub fn has(&self, finding: &Finding) -> bool {
        !self.0.is_empty() && self.0.get(&identity_of(finding)).is_some_and(|habit| habit.covers(finding))
    }

    /// It was found again. Whether this is what somebody acknowledged.
    pub fn note(&mut self, identity: &str, finding: &Finding) -> bool {
        self.0.get_mut(identity).is_some_and(|habit| {
            habit.finding.moment.last = habit.finding.moment.last.max(finding.moment.last);
            habit.covers(finding)
        })
    }

    pub fn habits(&self) -> impl Iterator<Item = &Habit> {
        self.0.values()
    }

    pub fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, habit| now.since(habit.finding.moment.last) < KEPT);
    }

    /// Takes out those that are meant. Returns how many there were.
    pub fn forget(&mut self, is_meant: impl Fn(&Habit) -> bool) -> u64 {
        let before = self.0.len();
        self.0.retain(|_, habit| !is_meant(habit));
        (before - self.0.len()) as u64 // which only lost some
    }
}

impl Habit {
    fn covers(&self, finding: &Finding) -> bool {
        finding.severity <= self.severity && finding.count <= self.finding.count.saturating_mul(MOST_GROWTH)
    }
}
