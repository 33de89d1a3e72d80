//! What clients do to exhaust a server, as HTTP tells it: counted in the window of its time, by client.

use super::fill::new_client;
use super::{Merge, Moment, Window, WindowLimits, client_key};
use crate::hash::HashKey;
use crate::http::{Abuse, AbuseKind};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What one client did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Abuses {
    counts: [u64; AbuseKind::COUNT],
    pub moment: Moment,
    /// Whom it met: of several the one with the lowest address.
    pub server: Option<IpAddr>,
}

impl Abuses {
    pub fn count(&self, kind: AbuseKind) -> u64 {
        self.counts[kind as usize]
    }

    pub fn record(&mut self, abuse: &Abuse) {
        self.counts[abuse.kind as usize] += 1;
        self.moment.record(abuse.time);
        let server = abuse.server.address;
        self.server = Some(self.server.map_or(server, |known| known.min(server)));
    }
}

impl Merge for Abuses {
    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.moment.merge(other.moment);
        self.server = [self.server, other.server].into_iter().flatten().min();
    }
}

impl Window {
    /// Counts what a client did. The client is the peer: such acts are of a connection, not of a request.
    pub fn record_abuse(&mut self, abuse: &Abuse, key: &HashKey, limits: &WindowLimits) {
        let address = abuse.client.address;
        let key = client_key(key, address);
        let entry = self.clients.entry(key, false, limits.keys, || new_client(address));
        if let Some(client) = entry {
            client.abuses.get_or_insert_default().record(abuse);
        }
    }
}
