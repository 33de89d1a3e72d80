//! Forgetting on request: a client's address, or an endpoint.
//!
//! In: whom to forget. Out: the store without it, the keys that changed noted, so that the next cut takes it from the disk.
//! An address goes from clients, login attempts and reaches, and from the samples and the evidence that others keep. What
//! stays are sums, and keyed hashes in sets of distinct things, which name nobody.

use super::persist::Kind;
use super::state::{EndpointActivity, SubjectActivity};
use super::store::{Map, Store};
use super::tiers::Tiers;
use crate::hash::HashKey;
use crate::window::{Attempts, Errors, Evidence, EvidenceSample, Exposure, client_key};
use std::net::IpAddr;

/// What is to be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Forget {
    Client(IpAddr),
    /// `METHOD host/template`, as alerts name it.
    Endpoint(String),
}

impl Evidence {
    pub fn holds(&self, address: IpAddr) -> bool {
        self.source.0 == address || self.destination.0 == address
    }
}

impl Store {
    /// Forgets. Returns the keys of what is gone as a whole, and how many others were changed.
    pub fn forget(&self, what: &Forget, key: &HashKey) -> (Vec<u64>, u64) {
        match what {
            Forget::Client(address) => self.forget_client(*address, key),
            Forget::Endpoint(name) => (self.forget_endpoint(name), 0),
        }
    }

    fn forget_client(&self, address: IpAddr, key: &HashKey) -> (Vec<u64>, u64) {
        let client = client_key(key, address);
        let gone = self.clients.remove(&client).map(|_| client);
        self.changes.note(Kind::Client, gone);
        let is_of = |recent: &Tiers<Attempts>| recent.all().any(|attempts| attempts.client == Some(address));
        self.retain(Kind::LoginClient, &self.login_clients, |state| !is_of(&state.recent));
        self.retain(Kind::Reach, &self.reaches, |state| !state.recent.all().any(|reach| reach.client == address));
        let mut scrubbed = 0;
        scrubbed += self.scrub(Kind::Endpoint, &self.endpoints, |state| {
            let stranger = state.stranger.as_deref_mut().is_some_and(|stranger| {
                let evidence = scrub_evidence(&mut stranger.evidence, address);
                stranger.clients.remove(&address) | evidence
            });
            let parameters = state.parameters.as_deref_mut().is_some_and(|parameters| parameters.forget(address));
            let circle = state.circle.as_deref_mut().is_some_and(|circle| circle.forget(address));
            stranger | parameters | circle | scrub_all(&mut state.recent, |activity| scrub_endpoint(activity, address))
        });
        scrubbed += self.scrub(Kind::Client, &self.clients, |state| {
            let recent = state.recent.as_deref_mut();
            recent.is_some_and(|recent| scrub_all(recent, |activity| scrub_subject(activity, address)))
        });
        scrubbed += self.scrub(Kind::Principal, &self.principals, |state| {
            let recent = state.recent.as_deref_mut();
            let recent = recent.is_some_and(|recent| scrub_all(recent, |activity| scrub_subject(activity, address)));
            let places = state.places.as_deref_mut().is_some_and(|places| {
                scrub_all(places, |one| scrub_evidence(&mut one.evidence, address) | one.sample.remove(&address))
            });
            let lasting = state.lasting.as_deref_mut().is_some_and(|lasting| lasting.forget(address));
            state.client_sample.remove(&address) | recent | places | lasting
        });
        scrubbed += self.scrub(Kind::Host, &self.hosts, |state| {
            scrub_all(&mut state.recent, |activity| scrub_subject(activity, address))
        });
        for (kind, map) in [(Kind::LoginClient, &self.login_clients), (Kind::LoginAccount, &self.login_accounts)] {
            scrubbed += self
                .scrub(kind, map, |state| scrub_all(&mut state.recent, |attempts| scrub_attempts(attempts, address)));
        }
        scrubbed += self.scrub(Kind::Reach, &self.reaches, |state| {
            scrub_all(&mut state.recent, |reach| scrub_evidence(&mut reach.evidence, address))
        });
        (gone.into_iter().collect(), scrubbed)
    }

    fn scrub<V>(&self, kind: Kind, map: &Map<V>, mut scrub: impl FnMut(&mut V) -> bool) -> u64 {
        let mut scrubbed = 0;
        for mut entry in map.iter_mut() {
            if scrub(entry.value_mut()) {
                self.changes.note(kind, [*entry.key()]);
                scrubbed += 1;
            }
        }
        scrubbed
    }

    fn forget_endpoint(&self, name: &str) -> Vec<u64> {
        let named: Vec<u64> =
            self.endpoints.iter().filter(|state| state.name() == name).map(|state| *state.key()).collect();
        for key in &named {
            self.endpoints.remove(key);
        }
        self.changes.note(Kind::Endpoint, named.iter().copied());
        let is_of = |endpoint: u64| named.contains(&endpoint);
        for (kind, map) in [(Kind::LoginClient, &self.login_clients), (Kind::LoginAccount, &self.login_accounts)] {
            self.retain(kind, map, |state| !state.endpoint.is_some_and(is_of));
        }
        self.retain(Kind::Reach, &self.reaches, |state| !state.recent.all().any(|reach| is_of(reach.endpoint)));
        named
    }
}

fn scrub_all<A>(tiers: &mut Tiers<A>, mut scrub: impl FnMut(&mut A) -> bool) -> bool {
    let mut is_scrubbed = false;
    tiers.all_mut().for_each(|bucket| is_scrubbed |= scrub(bucket));
    is_scrubbed
}

fn scrub_evidence<const K: usize>(sample: &mut EvidenceSample<K>, address: IpAddr) -> bool {
    sample.retain(|evidence| !evidence.holds(address))
}

fn scrub_endpoint(activity: &mut EndpointActivity, address: IpAddr) -> bool {
    let errors = [&mut activity.errors, &mut activity.failures];
    let errors = errors.into_iter().flatten().fold(false, |any, one| scrub_errors(one, address) | any);
    let attempts = [&mut activity.logins, &mut activity.accounts];
    let logins = attempts.into_iter().flatten().fold(false, |any, one| scrub_attempts(one, address) | any);
    let exposures = [&mut activity.exposure, &mut activity.open_exposure];
    let exposures = exposures.into_iter().flatten().fold(false, |any, one| scrub_exposure(one, address) | any);
    let leaks = activity.leaks.as_deref_mut().is_some_and(|leaks| scrub_exposure(&mut leaks.exposure, address));
    let paged = activity
        .paged
        .as_deref_mut()
        .is_some_and(|paged| paged.largest.retain(|page| page.client != address && !page.evidence.holds(address)));
    scrub_evidence(&mut activity.large, address) | errors | logins | exposures | leaks | paged
}

fn scrub_subject(activity: &mut SubjectActivity, address: IpAddr) -> bool {
    let errors = [&mut activity.errors, &mut activity.failures];
    let errors = errors.into_iter().flatten().fold(false, |any, one| scrub_errors(one, address) | any);
    let evasions = activity.evasions.iter_mut().map(|evasions| &mut evasions.evidence);
    let smuggling = activity.smuggling.iter_mut().map(|smuggling| &mut smuggling.evidence);
    let injected = activity.injected.iter_mut().flat_map(|injected| [&mut injected.code, &mut injected.forgery]);
    let injected = injected.chain(activity.unsigned.as_deref_mut()).map(|carriers| &mut carriers.evidence);
    let callers = activity.callers.iter_mut().map(|callers| &mut callers.evidence);
    let callers = callers.fold(false, |any, one| scrub_evidence(one, address) | any);
    let deep = activity.deep.iter_mut().map(|deep| &mut deep.evidence);
    let shown = evasions
        .chain(deep)
        .chain(smuggling)
        .chain(injected)
        .fold(false, |any, one| scrub_evidence(one, address) | any);
    activity.exposure.as_deref_mut().is_some_and(|exposure| scrub_exposure(exposure, address))
        | errors
        | shown
        | callers
}

fn scrub_errors(errors: &mut Errors, address: IpAddr) -> bool {
    errors.client_sample.remove(&address) | scrub_evidence(&mut errors.evidence, address)
}

fn scrub_attempts(attempts: &mut Attempts, address: IpAddr) -> bool {
    let is_his = attempts.client.take_if(|client| *client == address).is_some();
    attempts.client_sample.remove(&address) | scrub_evidence(&mut attempts.evidence, address) | is_his
}

fn scrub_exposure(exposure: &mut Exposure, address: IpAddr) -> bool {
    exposure.client_sample.remove(&address) | scrub_evidence(&mut exposure.evidence, address)
}
