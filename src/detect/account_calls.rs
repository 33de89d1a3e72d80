//! Who calls an account flow too often: one client, many clients together, or anybody for one account.
//!
//! In go the attempts of a flow (registrations, resets, lookups), and what a detector counts of them. Out come [`Crowd`]s: each
//! with what was called and, where it was compared with the endpoint's own rate, how unlikely that is. What it is called is
//! the detectors' matter.
//!
//! A client is judged by floors alone, since it has no history of its own; people behind one address are known by all the
//! other things they do. Many clients are judged by how often strangers call the endpoint (gamma-Poisson, see `strangers`), less
//! those who looked around since: a campaign in the news brings people, who do.

use super::reasons::Reasons;
use super::stats::rate_interval;
use super::strangers::{Asked, rush};
use super::{Finding, Scene, Spoiled, Subject};
use crate::api::AccountFlow;
use crate::baseline::state::{EndpointActivity, EndpointState};
use crate::baseline::{SPANS, Tiers, strangers::REQUESTS_PER_ATTEMPT, tier_of};
use crate::rule::{Calls, CallsOfEndpoint};
use crate::window::{Attempts, attempts_key};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Times the floor from which on an address is nobody's, whatever else it asked for.
const NOBODYS: u64 = 3;
/// Share of an endpoint's calls from which on one client is said to be their source.
const SOURCE_SHARE: f64 = 0.8;

/// Clients of an endpoint from which on what they call is usual, and times which others are told of.
const PEERS: usize = 5;
const PEER_FACTOR: u64 = 4;

/// Calls that are too many.
pub struct Crowd {
    pub subject: Subject,
    pub endpoint: u64,
    pub flow: AccountFlow,
    pub calls: Attempts,
    /// What the detector counts of them.
    pub count: u64,
    pub probability: Option<f64>,
    /// Within the same span usually; of endpoints only.
    pub usual: Option<f64>,
    reasons: Reasons,
}

/// How a detector counts calls.
pub type Count = fn(&Attempts) -> u64;

/// Clients, and endpoints with many, that call a flow too often. Where an endpoint is called by many, its clients are not each
/// told; where one client makes most of the calls, it is told alone.
pub fn crowds(
    scene: &Scene<'_>,
    flows: &[AccountFlow],
    of_client: &Calls,
    of_endpoint: (&'static str, &CallsOfEndpoint),
    count: Count,
) -> Vec<Crowd> {
    let mut crowds = clients(scene, flows, of_client, count);
    for crowd in endpoints(scene, flows, of_endpoint, count) {
        if has_one_source(scene, &crowd, count) {
            continue;
        }
        crowds.retain(|one| one.endpoint != crowd.endpoint);
        crowds.push(crowd);
    }
    crowds
}

/// Whether one client makes most of the calls of an endpoint; it need not be calling now.
fn has_one_source(scene: &Scene<'_>, crowd: &Crowd, count: Count) -> bool {
    crowd.calls.client_sample.iter().any(|(client, _)| {
        let own = scene.store.login_clients.get(&attempts_key(crowd.endpoint, crowd.flow, client));
        let calls = own.map_or(0, |own| own.recent.sum(SPANS.len() - 1, count));
        calls as f64 >= SOURCE_SHARE * crowd.count as f64
    })
}

fn clients(scene: &Scene<'_>, flows: &[AccountFlow], floors: &Calls, count: Count) -> Vec<Crowd> {
    let touched = scene.touched.login_clients.iter();
    let judged = touched.filter_map(|key| {
        let state = scene.store.login_clients.get(key)?;
        if !flows.contains(&state.flow) {
            return None;
        }
        let (endpoint, flow) = (state.endpoint?, state.flow);
        let (seconds, least, calls) = within(&state.recent, floors, count)?;
        let client = calls.client?;
        let usual = scene.store.endpoints.get(&endpoint);
        let usual = usual.map_or(0, |state| calls_of_peers(scene, (endpoint, &state), flow, count));
        let (count, least) = (count(&calls), least.max(PEER_FACTOR * usual));
        if count < least {
            return None;
        }
        if count < NOBODYS * least && is_peoples(scene, &calls, floors.max_requests_per_call) {
            return None;
        }
        let reasons = Reasons::over(seconds).floor("min_calls", least as f64, count as f64);
        let subject = Subject::Client(client);
        Some(Crowd { subject, endpoint, flow, calls, count, probability: None, usual: None, reasons })
    });
    judged.collect()
}

/// How many names clients of an endpoint that says who there is usually ask for within a day: a form that asks at every key is
/// no list of names. None where they are few.
fn calls_of_peers(scene: &Scene<'_>, (key, endpoint): (u64, &EndpointState), flow: AccountFlow, count: Count) -> u64 {
    if flow != AccountFlow::Lookup {
        return 0;
    }
    let within_a_day = SPANS.len() - 1;
    let all = endpoint.recent.merged(within_a_day, |activity| activity.accounts.as_deref()).unwrap_or_default();
    let each = all.client_sample.iter().filter_map(|(client, _)| {
        let own = scene.store.login_clients.get(&attempts_key(key, flow, client))?;
        Some(own.recent.view(within_a_day).map_or(0, |calls| count(&calls)))
    });
    let mut each: Vec<u64> = each.collect();
    each.sort_unstable();
    if each.len() < PEERS { 0 } else { each[each.len() / 2] }
}

/// Calls for one account, whoever makes them.
pub fn for_accounts(scene: &Scene<'_>, flow: AccountFlow, floors: &Calls) -> Vec<Crowd> {
    let touched = scene.touched.login_accounts.iter();
    let judged = touched.filter_map(|key| {
        let state = scene.store.login_accounts.get(key).filter(|state| state.flow == flow)?;
        let (seconds, least, calls) = within(&state.recent, floors, Attempts::total)?;
        let (endpoint, count) = (state.endpoint?, calls.total());
        if is_peoples(scene, &calls, floors.max_requests_per_call) {
            return None;
        }
        let reasons = Reasons::over(seconds).floor("min_calls", least as f64, count as f64);
        let subject = Subject::Account(calls.user?);
        Some(Crowd { subject, endpoint, flow, calls, count, probability: None, usual: None, reasons })
    });
    judged.collect()
}

/// The calls of the shortest horizon in which they reach its floor.
fn within(recent: &Tiers<Attempts>, floors: &Calls, count: Count) -> Option<(u64, u64, Attempts)> {
    let horizons = [(floors.window_seconds, floors.min_calls), (floors.slow_window_seconds, floors.slow_min_calls)];
    horizons.into_iter().find_map(|(seconds, least)| {
        let tier = tier_of(seconds);
        // Of distinct things the sum is an upper bound, and costs no copy.
        if recent.sum(tier, count) < least {
            return None;
        }
        recent.view(tier).filter(|calls| count(calls) >= least).map(|calls| (seconds, least, calls))
    })
}

fn endpoints(
    scene: &Scene<'_>,
    flows: &[AccountFlow],
    (test, floors): (&'static str, &CallsOfEndpoint),
    count: Count,
) -> Vec<Crowd> {
    if scene.is_learning {
        return Vec::new();
    }
    let judged = scene.touched.endpoints.iter().filter_map(|key| {
        let state = scene.store.endpoints.get(key)?;
        let flow = state.account_flow.filter(|flow| flows.contains(flow))?;
        floors.horizons_seconds.iter().find_map(|seconds| {
            let tier = tier_of(*seconds);
            if state.recent.sum(tier, calls_of_strangers) < floors.min_calls {
                return None;
            }
            let calls = state.recent.merged(tier, |activity| activity.accounts.as_deref())?;
            let strangers = of_strangers(scene, &calls, count);
            // So many at once are one visit.
            let each = calls_of_peers(scene, (*key, &state), flow, count).max(1);
            if strangers < each * floors.min_calls {
                return None;
            }
            let (baseline_factor, prior_strength) = (floors.baseline_factor, floors.prior_strength);
            let asked = Asked { test, tier, count: strangers, baseline_factor, prior_strength };
            let rush = rush(scene, (*key, &state), state.strange_calls.usual(), calls_of_strangers, &asked)?;
            let most = strangers.saturating_mul(2).max(floors.min_calls);
            let (windows, hits) = (SPANS[tier] as f64, rush.before.hits as u64);
            let [low, high] = rate_interval(windows, hits, rush.before.total, floors.prior_strength, most);
            let reasons = Reasons::over(*seconds)
                .interval(low as f64, high as f64)
                .floor("min_calls", floors.min_calls as f64, strangers as f64)
                .floor("baseline_factor", floors.baseline_factor, strangers as f64 / rush.usual.max(f64::EPSILON));
            Some(Crowd {
                subject: Subject::Endpoint(*key),
                endpoint: *key,
                flow,
                count: count(&calls),
                calls,
                probability: Some(rush.probability),
                usual: Some(rush.usual),
                reasons,
            })
        })
    });
    judged.collect()
}

fn calls_of_strangers(activity: &EndpointActivity) -> u64 {
    activity.accounts.as_deref().map_or(0, |calls| calls.strangers.counted)
}

/// Calls of strangers that a detector counts, less those of whom looked around since.
fn of_strangers(scene: &Scene<'_>, calls: &Attempts, count: Count) -> u64 {
    let each = calls.total().div_ceil(calls.clients.count().max(1));
    let still = |key: &u64| requests_of(scene, *key) < REQUESTS_PER_ATTEMPT * each.max(1);
    let still = calls.client_sample.iter().filter(|(key, _)| still(key)).count() as f64;
    let share = still / calls.client_sample.len().max(1) as f64;
    (share * count(calls) as f64).min(calls.strangers.counted as f64) as u64
}

/// Whether those who call do so much else that they are people, or a monitor.
fn is_peoples(scene: &Scene<'_>, calls: &Attempts, requests_per_call: f64) -> bool {
    let requests: u64 = calls.client_sample.iter().map(|(key, _)| requests_of(scene, key)).sum();
    requests as f64 >= requests_per_call * calls.total() as f64
}

/// All requests of a client so far, by its key.
fn requests_of(scene: &Scene<'_>, client: u64) -> u64 {
    scene.store.clients.get(&client).map_or(0, |state| state.requests)
}

impl Crowd {
    /// The finding of a detector about it, without what is its own.
    pub fn finding(&self, detector: super::DetectorName, severity: crate::rule::Severity) -> Finding {
        let mut finding = Finding::new(detector, self.subject.clone(), severity, self.calls.moment)
            .with_evidence(&self.calls.evidence)
            .with_clients(&self.calls.clients, &self.calls.client_sample);
        finding.endpoint = Some(self.endpoint);
        finding.count = self.count;
        finding.probability = self.probability;
        finding.reasons = self.reasons.clone();
        finding.expected = self.usual.map(|usual| format!("about {usual:.1} in that time at this endpoint"));
        finding.spoils = vec![Spoiled::Logins(self.endpoint), Spoiled::EndpointErrors(self.endpoint)];
        let clients: BTreeSet<IpAddr> = finding.client_sample.iter().copied().collect();
        finding.spoils.extend(clients.into_iter().map(Spoiled::ClientAttack));
        finding
    }

    /// How many clients called, in words.
    pub fn by_whom(&self) -> String {
        match self.calls.clients.count() {
            0 | 1 => "one client".to_string(),
            clients => format!("{clients} clients"),
        }
    }
}
