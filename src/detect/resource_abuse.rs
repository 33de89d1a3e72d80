//! `resource_abuse`: one client asks far more of a host than its clients do, and than it did itself.
//!
//! Sees: requests and bytes of an address within ten minutes, for each caller behind it; the same of a key that comes from
//! several addresses; pages far larger than the endpoint was asked for before, and given; documents of GraphQL that are nested
//! deeper than anyone writes them. Who has a past of his own must exceed that, too. Where a host has hardly any clients, one
//! must ask far more than all of them together did. Misses: what is spread over many addresses, each with its share; who has
//! always been that busy; few requests that each cost a server much (`latency_anomaly` sees what they do); depth that comes by
//! fragments within fragments. Wrong names of client software count as callers, twenty at most.

use super::reasons::Reasons;
use super::stats::{Probability, gamma_poisson_tail, rate_test};
use super::{Finding, Scene, Spoiled, Subject, span_in_words, window_in_words};
use crate::baseline::peers::{BYTES_UNIT, Demand, Peers, Spread};
use crate::baseline::state::{ClientState, EndpointState, SubjectActivity, TakenNormal};
use crate::baseline::{SPANS, Tiers, good_turing_novelty, tier_of};
use crate::window::{Asked, AskedByHost, Callers, Moment, Page};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is counted of a subject.
struct Measure {
    unit: &'static str,
    test: &'static str,
    /// Counts are taken in units of so much: requests come one by one, bytes by the answer.
    unit_size: u64,
    of: fn(&SubjectActivity) -> u64,
    at_host: fn(&Asked) -> u64,
    spread: fn(&Demand) -> &Spread,
    most_of_all: fn(&Demand) -> u64,
    /// What its past asked in all.
    past: fn(&TakenNormal) -> f64,
}

const MEASURES: [Measure; 2] = [
    Measure {
        unit: "requests",
        test: "resource_abuse.requests",
        unit_size: 1,
        of: |activity| activity.requests,
        at_host: |asked| asked.requests,
        spread: |demand| &demand.requests,
        most_of_all: |demand| demand.most_requests,
        past: |past| past.requests,
    },
    Measure {
        unit: "bytes",
        test: "resource_abuse.bytes",
        unit_size: BYTES_UNIT,
        of: |activity| activity.bytes,
        at_host: |asked| asked.bytes,
        spread: |demand| &demand.bytes,
        most_of_all: |demand| demand.most_bytes,
        past: |past| past.bytes,
    },
];

/// One address or key, with what is known of it.
struct Asker<'a> {
    subject: Subject,
    key: u64,
    recent: &'a Tiers<SubjectActivity>,
    past: Option<&'a TakenNormal>,
    is_key: bool,
    spoiled: Spoiled,
}

/// Callers behind an asker, and whether they sign in.
struct Behind {
    callers: u64,
    signed_in: bool,
    sample: Callers,
}

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.resource_abuse;
    if !rules.enabled {
        return;
    }
    for key in scene.touched.clients.iter().filter(|_| rules.documents.enabled) {
        findings.extend(scene.store.clients.get(key).and_then(|state| of_documents(scene, &state)));
    }
    if scene.is_learning {
        return;
    }
    let mut told: BTreeSet<IpAddr> = BTreeSet::new();
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = state.recent.as_deref() else { continue };
        let subject = Subject::Client(state.address);
        let spoiled = Spoiled::ClientDemand(state.address);
        let past = state.taken.as_deref();
        let asker = Asker { subject, key: *key, recent, past, is_key: false, spoiled };
        if let Some(finding) = asker.finding(scene) {
            told.insert(state.address);
            findings.push(finding);
        }
    }
    for key in &scene.touched.principals {
        let Some(state) = scene.store.principals.get(key) else { continue };
        // With one address, that has told it already.
        let Some(recent) = state.recent.as_deref().filter(|_| state.clients.count() > 1) else { continue };
        let spoiled = Spoiled::PrincipalDemand(*key);
        let past = state.taken.as_deref();
        let asker = Asker { subject: Subject::Principal(*key), key: *key, recent, past, is_key: true, spoiled };
        let Some(mut finding) = asker.finding(scene) else { continue };
        let sample: Vec<IpAddr> = state.client_sample.iter().map(|(_, address)| *address).collect();
        if sample.iter().all(|address| !told.contains(address)) {
            finding.client_count = state.clients.count();
            finding.client_sample = sample;
            findings.push(finding);
        }
    }
    for key in scene.touched.endpoints.iter().filter(|_| rules.pages.enabled) {
        findings.extend(scene.store.endpoints.get(key).and_then(|state| of_pages(scene, *key, &state)));
    }
}

impl Asker<'_> {
    fn finding(&self, scene: &Scene<'_>) -> Option<Finding> {
        let rules = &scene.rules.resource_abuse;
        let tier = tier_of(rules.window_seconds);
        let may_be = |measure: &&Measure| self.recent.sum(tier, measure.of) >= least_of(scene, measure, false);
        let measure = MEASURES.iter().find(may_be)?;
        let behind = self.behind(scene, tier);
        MEASURES
            .iter()
            .skip_while(|first| first.unit != measure.unit)
            .find_map(|measure| self.judged(scene, tier, measure, &behind))
    }

    /// Who may be behind it, by the sample.
    fn behind(&self, scene: &Scene<'_>, tier: usize) -> Behind {
        let sample = self.recent.merged(tier, |activity| activity.callers.as_deref()).unwrap_or_default();
        let signed_in = self.is_key || sample.signed_in * 2 > sample.sampled;
        let agents = sample.agents.count().min(scene.rules.resource_abuse.max_agents);
        let callers = match (self.is_key, signed_in) {
            (true, _) => 1,
            (false, true) => sample.principals.count(),
            (false, false) => sample.principals.count().max(agents),
        };
        Behind { callers: callers.max(1), signed_in, sample }
    }

    fn judged(&self, scene: &Scene<'_>, tier: usize, measure: &Measure, behind: &Behind) -> Option<Finding> {
        let rules = &scene.rules.resource_abuse;
        let asked: AskedByHost = self.recent.merged(tier, |activity| Some(&activity.asked))?;
        let (host, count) =
            asked.iter().map(|asked| (asked.host, (measure.at_host)(&asked))).max_by_key(|(_, count)| *count)?;
        let each = count / behind.callers;
        let least = least_of(scene, measure, behind.signed_in);
        if each < least {
            return None;
        }
        let host = scene.store.hosts.get(&host)?;
        let peers = (measure.spread)(&host.demand).peers();
        let most = (measure.most_of_all)(&host.demand);
        let units = |count: u64| count / measure.unit_size;
        let is_among_peers = peers.count >= rules.min_peers;
        let (usual, by_peers) = if is_among_peers {
            (peers.high() * measure.unit_size, Probability::new(tail_of(&peers, units(each))))
        } else if host.demand.spans > 0 {
            (most, rate_test(units(count), 1.0, units(most), 1.0, rules.prior_strength))
        } else {
            return None;
        };
        if (if is_among_peers { each } else { count } as f64) < rules.peers_factor * usual as f64 {
            return None;
        }
        let past = self.past.filter(|past| past.counted >= rules.min_baseline_windows as f64);
        let expected = past.map(|past| (measure.past)(past) / past.counted * past.counted.min(SPANS[tier] as f64));
        if expected.is_some_and(|expected| (count as f64) < rules.past_factor * expected) {
            return None;
        }
        let by_past = past.map_or(Probability::MIN, |past| {
            let taught = units((measure.past)(past) as u64);
            rate_test(units(count), SPANS[tier] as f64, taught, past.counted, rules.prior_strength)
        });
        // Both must be unlikely, so the likelier of them is the odds.
        let likelier = if by_past > by_peers { by_past } else { by_peers };
        let chance = scene.rare(measure.test, self.key, likelier)?;
        let moment = self.recent.merged(tier, |activity| Some(&activity.moment))?;
        let mut finding = Finding::new("resource_abuse", self.subject.clone(), rules.alert.severity, moment)
            .with_evidence(&behind.sample.evidence);
        finding.client_count = 1;
        finding.client_sample = finding.client.into_iter().collect();
        finding.count = self.recent.sum(tier, |activity| activity.requests);
        finding.probability = Some(chance);
        finding.observed = observed(measure, count, &moment, &host.host, behind);
        let of_past =
            expected.map_or("no past of its own".to_owned(), |expected| format!("{expected:.0} by its own past"));
        finding.expected = Some(if is_among_peers {
            format!(
                "at most {usual} {} for 98 of 100 clients there in {}; {of_past}",
                measure.unit,
                window_in_words(rules.window_seconds)
            )
        } else {
            format!(
                "at most {usual} {} of all clients together in {}; {of_past}",
                measure.unit,
                window_in_words(rules.window_seconds)
            )
        });
        let floor = if measure.unit == "bytes" {
            "min_bytes"
        } else if behind.signed_in {
            "min_requests_signed_in"
        } else {
            "min_requests"
        };
        finding.reasons = Reasons::over(rules.window_seconds)
            .floor(floor, least as f64, each as f64)
            .floor("peers_factor", rules.peers_factor, count as f64 / (usual as f64).max(1.0))
            .fact(format!("{} callers behind it, by their keys and the names of their software", behind.callers))
            .fact(format!("the busiest client of the host until now: {}", peers.most() * measure.unit_size));
        finding.spoils = vec![self.spoiled];
        finding.spoils.extend(finding.client_sample.iter().map(|client| Spoiled::ClientDemand(*client)));
        // A flood has a pace of its own, which is nobody else's.
        finding.spoils.extend(scene.endpoints_of(&host.host).map(Spoiled::EndpointPace));
        Some(finding)
    }
}

fn least_of(scene: &Scene<'_>, measure: &Measure, signed_in: bool) -> u64 {
    let rules = &scene.rules.resource_abuse;
    match (measure.unit, signed_in) {
        ("bytes", _) => rules.min_bytes,
        (_, true) => rules.min_requests_signed_in,
        (_, false) => rules.min_requests,
    }
}

/// The chance that a client of this host asks so much.
fn tail_of(peers: &Peers, count: u64) -> f64 {
    if peers.mean <= 0.0 {
        return rate_test(count, 1.0, 0, peers.count as f64, 1.0).value();
    }
    gamma_poisson_tail(count, 1.0, peers.shape, peers.shape / peers.mean)
}

fn observed(measure: &Measure, count: u64, moment: &Moment, host: &str, behind: &Behind) -> String {
    let seconds = moment.last.since(moment.first).as_secs().max(1);
    let pace = match measure.unit {
        "bytes" => format!("{} kB/s", count / seconds / 1000),
        _ => format!("{:.1} a second", count as f64 / seconds as f64),
    };
    let callers = match behind.callers {
        1 => String::new(),
        callers => format!(", by about {callers} callers"),
    };
    format!("{count} {} to {host} in {} ({pace}){callers}", measure.unit, span_in_words(moment))
}

/// A page far larger than any that was asked for at this endpoint, and given.
fn of_pages(scene: &Scene<'_>, key: u64, state: &EndpointState) -> Option<Finding> {
    let rules = &scene.rules.resource_abuse.pages;
    let tier = tier_of(scene.rules.resource_abuse.window_seconds);
    let largest = |state: &EndpointState| {
        state.recent.buckets(tier).filter_map(|activity| activity.paged.as_deref()).map(|paged| paged.asked.max()).max()
    };
    let usual = state.page_sizes.as_deref().filter(|sizes| sizes.count() >= rules.min_baseline_pages)?;
    let bound = (rules.factor * usual.max() as f64).max(rules.min_rows as f64);
    if (largest(state)? as f64) < bound {
        return None;
    }
    let paged = state.recent.merged(tier, |activity| activity.paged.as_deref())?;
    let is_far = |page: &&Page| page.rows as f64 >= bound && page.asked as f64 >= bound;
    let pages: Vec<&Page> = paged.largest.iter().map(|(_, page)| page).filter(is_far).collect();
    let page = *pages.first()?;
    let mut moment = Moment::default();
    pages.iter().filter(|other| other.client == page.client).for_each(|page| moment.record(page.evidence.time));
    let mut finding = Finding::new("resource_abuse", Subject::Client(page.client), rules.severity, moment);
    finding.endpoint = Some(key);
    finding.client_count = 1;
    finding.client_sample = vec![page.client];
    finding.evidence =
        pages.iter().filter(|other| other.client == page.client).map(|page| page.evidence.clone()).collect();
    finding.count = paged.asked.count_above(bound as u64).max(finding.evidence.len() as u64);
    finding.probability = Some(good_turing_novelty(0, usual.count()));
    finding.observed = format!("a page of {} asked for, {} rows given, at {}", page.asked, page.rows, state.name());
    finding.expected = Some(format!("at most {} in {} pages asked for there before", usual.max(), usual.count()));
    finding.reasons = Reasons::over(scene.rules.resource_abuse.window_seconds)
        .floor("min_rows", rules.min_rows as f64, page.rows as f64)
        .floor("factor", rules.factor, page.asked as f64 / usual.max().max(1) as f64)
        .floor("min_baseline_pages", rules.min_baseline_pages as f64, usual.count() as f64);
    finding.spoils = vec![Spoiled::PageSizes(key)];
    Some(finding)
}

/// Documents that one client nests deeper than anyone needs, and the server does not refuse.
fn of_documents(scene: &Scene<'_>, state: &ClientState) -> Option<Finding> {
    let rules = &scene.rules.resource_abuse;
    let tier = tier_of(rules.window_seconds);
    let deep = state.recent.as_deref()?.merged(tier, |activity| activity.deep.as_deref())?;
    if deep.deepest < rules.documents.min_depth {
        return None;
    }
    let subject = Subject::Client(state.address);
    let mut finding = Finding::new("resource_abuse", subject, rules.documents.severity, deep.moment);
    finding.client_count = 1;
    finding.client_sample = vec![state.address];
    finding.count = deep.count;
    let documents = if deep.count == 1 { "a document".to_owned() } else { format!("{} documents", deep.count) };
    finding.observed =
        format!("{documents} of GraphQL of up to {} levels in {}", deep.deepest, span_in_words(&deep.moment));
    finding.expected = Some(format!("fewer than {} levels", rules.documents.min_depth));
    let (least, found) = (f64::from(rules.documents.min_depth), f64::from(deep.deepest));
    finding.reasons = Reasons::over(rules.window_seconds).floor("min_depth", least, found);
    Some(finding.with_evidence(&deep.evidence))
}
