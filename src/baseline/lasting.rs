//! What is kept of a credential that outlives sessions: where it comes from, what it asks for, how long it slept.
//!
//! Windows of a principal in, in order of time. What it does within [`AWAKE`] after a long sleep is kept apart, to be held
//! against what it did before, and joins that once it is over and nobody was told of it. Bounds: samples of eight.

use crate::api::CredentialKind;
use crate::rule::{SHORTEST_SLEEP, Severity};
use crate::time::Timestamp;
use crate::window::sample::BottomK;
use crate::window::{EvidenceSample, LastingUse, Moment, NetworkSample, PrincipalWindow};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// So long after it woke up, what it does is part of its awakening.
pub const AWAKE: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lasting {
    pub kind: CredentialKind,
    networks: BottomK<(), 8>,
    endpoints: BottomK<(), 8>,
    /// The longest sleep it came back from before.
    #[serde(default)]
    pub longest_sleep: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awakening: Option<Box<Awakening>>,
}

/// A credential that slept and is used again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Awakening {
    /// Its last use before, and its first after that.
    pub asleep: Timestamp,
    pub awake: Timestamp,
    pub last: Timestamp,
    pub requests: u64,
    pub successes: u64,
    pub networks: NetworkSample,
    pub endpoints: BottomK<(), 8>,
    pub clients: BottomK<IpAddr, 5>,
    /// It took personal data.
    pub is_sensitive: bool,
    pub evidence: EvidenceSample<3>,
    /// It was told of, as this bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Severity>,
}

impl Lasting {
    pub fn new(kind: CredentialKind) -> Lasting {
        let (networks, endpoints) = Default::default();
        Lasting { kind, networks, endpoints, longest_sleep: Duration::ZERO, awakening: None }
    }

    /// Takes in a window. `before` is when the principal was seen until then.
    pub fn absorb(&mut self, before: &Moment, window: &PrincipalWindow, used: &LastingUse) {
        let now = window.tally.moment;
        let slept = before.first <= before.last && now.first.since(before.last) >= SHORTEST_SLEEP;
        let is_over = |awakening: &mut Box<Awakening>| slept || now.first.since(awakening.awake) >= AWAKE;
        if let Some(awakening) = self.awakening.take_if(is_over) {
            self.get_used_to(&awakening);
        }
        if slept {
            self.awakening = Some(Box::new(Awakening::new(before.last, now.first)));
        }
        match &mut self.awakening {
            Some(awakening) => awakening.absorb(window, used),
            None => self.learn(&used.networks, &used.endpoints),
        }
    }

    /// The longest sleep that it has come back from for good.
    pub fn longest_return(&self, now: Timestamp) -> Duration {
        let awake = self.awakening.as_deref().filter(|awakening| now.since(awakening.awake) >= AWAKE);
        self.longest_sleep.max(awake.map_or(Duration::ZERO, Awakening::slept))
    }

    fn get_used_to(&mut self, awakening: &Awakening) {
        self.longest_sleep = self.longest_sleep.max(awakening.slept());
        if awakening.told.is_none() {
            self.learn(&awakening.networks, &awakening.endpoints);
        }
    }

    fn learn(&mut self, networks: &NetworkSample, endpoints: &BottomK<(), 8>) {
        networks.iter().for_each(|(hash, _)| self.networks.insert(hash, ()));
        self.endpoints.merge(endpoints);
    }

    /// Forgets an address; true where it was known.
    pub fn forget(&mut self, address: IpAddr) -> bool {
        self.awakening.as_deref_mut().is_some_and(|awakening| {
            let shown = awakening.evidence.retain(|evidence| !evidence.holds(address));
            awakening.clients.remove(&address) | shown
        })
    }

    /// Of the networks of an awakening, those that it never used.
    pub fn new_networks(&self, awakening: &Awakening) -> Vec<IpAddr> {
        let is_known = !self.networks.is_empty();
        let new = awakening.networks.iter().filter(|(hash, _)| is_known && self.networks.lacks(*hash));
        new.map(|(_, network)| *network).collect()
    }

    /// Of the endpoints of an awakening, the keys of those that it never used.
    pub fn new_endpoints(&self, awakening: &Awakening) -> Vec<u64> {
        let is_known = !self.endpoints.is_empty();
        let all = awakening.endpoints.iter().map(|(key, ())| key);
        all.filter(|key| is_known && self.endpoints.lacks(*key)).collect()
    }
}

impl Awakening {
    fn new(asleep: Timestamp, awake: Timestamp) -> Awakening {
        let (networks, endpoints, clients, evidence) = Default::default();
        let (requests, successes, is_sensitive, told) = (0, 0, false, None);
        Awakening {
            asleep,
            awake,
            last: awake,
            requests,
            successes,
            networks,
            endpoints,
            clients,
            is_sensitive,
            evidence,
            told,
        }
    }

    fn absorb(&mut self, window: &PrincipalWindow, used: &LastingUse) {
        self.last = self.last.max(window.tally.moment.last);
        self.requests += window.tally.requests;
        self.successes += used.successes;
        self.networks.merge(&used.networks);
        self.endpoints.merge(&used.endpoints);
        self.clients.merge(&window.client_sample);
        self.is_sensitive |= window.exposure.is_some();
        self.evidence.merge(&used.evidence);
        if let Some(exposure) = &window.exposure {
            let shown = exposure.evidence.iter();
            shown.for_each(|(key, evidence)| self.evidence.insert(*key, evidence.clone()));
        }
    }

    pub fn slept(&self) -> Duration {
        self.awake.since(self.asleep)
    }
}
