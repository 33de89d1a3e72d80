//! Attempts at accounts: by endpoint, by client there, by account there.

use super::super::Window;
use super::super::aggregate::Attempts;
use super::super::shown::Shown;
use super::{Filling, new_endpoint, pair_key};
use crate::api::{AccountFlow, Attempt, Observation, Outcome};
use crate::hash::mix;
use crate::inspect::AccountSaid;
use std::net::IpAddr;

/// The key of the attempts of a client, or for an account, in a flow at an endpoint: it may serve several flows.
pub fn attempts_key(endpoint: u64, flow: AccountFlow, subject: u64) -> u64 {
    match flow {
        AccountFlow::Login => pair_key(endpoint, subject),
        flow => pair_key(mix(endpoint ^ flow as u64), subject),
    }
}

impl Window {
    pub(super) fn record_attempt(
        &mut self,
        observation: &Observation<'_>,
        attempt: &Attempt,
        client: u64,
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let (endpoint, flow) = (observation.endpoint, attempt.flow);
        let new = |from: Option<(u64, IpAddr)>, user: Option<u64>| Attempts {
            endpoint,
            client: from.map(|(_, address)| address),
            client_key: from.map_or(0, |(key, _)| key),
            user,
            flow,
            ..Attempts::default()
        };
        let is_known = observation.is_known;
        if let Some(window) =
            self.endpoints.entry(endpoint, is_known, filling.limits.endpoints, || new_endpoint(observation))
        {
            let attempts = match flow {
                AccountFlow::Login => Some(&mut window.logins),
                AccountFlow::Code => None,
                _ => Some(&mut window.accounts),
            };
            if let Some(attempts) = attempts {
                let attempts = attempts.get_or_insert_with(|| Box::new(new(None, None)));
                attempts.record(observation, attempt, client, shown);
            }
        }
        let key = attempts_key(endpoint, flow, client);
        if let Some(attempts) =
            self.login_clients.entry(key, false, filling.limits.keys, || new(Some((client, observation.client)), None))
        {
            attempts.record(observation, attempt, client, shown);
        }
        // Where a code names nobody, it is for the session that waits for it.
        let account = attempt.user.or(observation.principal.filter(|_| flow == AccountFlow::Code));
        if let Some(user) = account {
            let key = attempts_key(endpoint, flow, user);
            if let Some(attempts) = self.login_accounts.entry(key, false, filling.limits.keys, || new(None, Some(user)))
            {
                attempts.record(observation, attempt, client, shown);
            }
        }
    }
}

impl Attempts {
    fn record(&mut self, observation: &Observation<'_>, attempt: &Attempt, client: u64, shown: &mut Shown<'_, '_>) {
        self.with_session += u64::from(attempt.opens_session);
        let counts = match attempt.flow {
            AccountFlow::Login | AccountFlow::Code => attempt.outcome == Outcome::Failure,
            _ => true,
        };
        match attempt.outcome {
            Outcome::Unknown => self.unknown += 1,
            Outcome::Success => {
                self.successes += 1;
                if let Some(user) = attempt.user {
                    self.succeeded.insert(user, user);
                }
            }
            Outcome::Failure => self.failures += 1,
        }
        self.given_away += u64::from(match attempt.flow {
            AccountFlow::Registration => attempt.said == Some(AccountSaid::Taken),
            _ => attempt.said == Some(AccountSaid::Unknown),
        });
        if !counts {
            return;
        }
        if let Some(user) = attempt.user {
            self.users.insert(user);
        }
        match attempt.secret {
            Some(secret) => self.passwords.insert(secret),
            None => self.unread += 1,
        }
        // Who is locked out or too quick is refused without a look.
        let was_looked_at = attempt.flow == AccountFlow::Login && !matches!(observation.status, 423 | 429);
        if let Some(latency) = observation.latency.filter(|_| was_looked_at) {
            self.refused_after.record(latency);
        }
        self.clients.insert(client);
        self.client_sample.insert(client, observation.client);
        self.moment.record(observation.started);
        shown.offer(&mut self.evidence);
    }
}
