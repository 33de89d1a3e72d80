//! `data_exfiltration`: one client or principal takes far more than it did, and far more than others do.
//!
//! Sees: distinct personal values, rows and bytes in the answers to one address or one key, token or session, over minutes,
//! hours and a day, against its own past and against what others take in that time. Who has no past is measured by the
//! greediest of the others at the same host. Misses: what is spread over many keys and addresses, a trickle that its owner's past
//! already holds, and batches that were as large while the sensor learned.

use super::stats::rate_test;
use super::unauthenticated_data_exposure::classes_in_words;
use super::{
    Finding, Reasons, Scene, Spoiled, Subject, by_sensitivity, excessive_data_exposure, may_reach, span_in_words,
};
use crate::baseline::state::{ExposureNormal, SubjectActivity, TakenNormal};
use crate::baseline::{SPANS, Tiers, tier_of};
use crate::inspect::DataClass;
use crate::rule::Taking;
use crate::window::{ClassExposure, LARGE_BYTES, LARGE_RECORDS};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Windows that a burst counts for at least: five minutes. What a batch takes all day comes in its first seconds.
const BURST_WINDOWS: u64 = 30;

/// One client or principal, with what is known of it.
struct Taker<'t> {
    subject: Subject,
    key: u64,
    recent: &'t Tiers<SubjectActivity>,
    exposure: Option<&'t ExposureNormal>,
    taken: Option<&'t TakenNormal>,
    spoiled: Spoiled,
    rules: &'t Taking,
}

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.data_exfiltration;
    if !rules.enabled || scene.is_learning {
        return;
    }
    let (before, mut peers) = (findings.len(), Peers::default());
    for key in scene.touched.principals.iter().filter(|_| rules.principal.enabled) {
        let Some(state) = scene.store.principals.get(key) else { continue };
        let Some(recent) = state.recent.as_deref() else { continue };
        let taker = Taker {
            subject: Subject::Principal(*key),
            key: *key,
            recent,
            exposure: state.exposure.as_deref(),
            taken: state.taken.as_deref(),
            spoiled: Spoiled::PrincipalExposure(*key),
            rules: &rules.principal,
        };
        let Some(mut finding) = taker.finding(scene, &mut peers) else { continue };
        if finding.client_sample.is_empty() {
            finding.client_count = state.clients.count();
            finding.client_sample = state.client_sample.iter().map(|(_, address)| *address).collect();
            finding.client = only(&finding.client_sample);
        }
        findings.push(finding);
    }
    // A key says it better than the address that it comes from.
    let told: BTreeSet<IpAddr> =
        findings[before..].iter().flat_map(|finding| &finding.client_sample).copied().collect();
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = state.recent.as_deref().filter(|_| !told.contains(&state.address)) else { continue };
        let taker = Taker {
            subject: Subject::Client(state.address),
            key: *key,
            recent,
            exposure: state.exposure.as_deref(),
            taken: state.taken.as_deref(),
            spoiled: Spoiled::ClientExposure(state.address),
            rules: &rules.client,
        };
        findings.extend(taker.finding(scene, &mut peers));
    }
}

/// Distinct values of a class that its past lets expect of a span: as if it were active all the time, as far as it has
/// been.
fn expected_of(past: &ExposureNormal, class: DataClass, tier: usize) -> f64 {
    let active = past.windows.max(1.0);
    past.class(class).values / active * active.min(SPANS[tier] as f64)
}

impl Taker<'_> {
    fn finding(&self, scene: &Scene<'_>, peers: &mut Peers) -> Option<Finding> {
        self.rules.horizons_seconds.iter().find_map(|horizon| {
            let found = self.personal(scene, *horizon, peers).or_else(|| self.volume(scene, *horizon, peers));
            found.map(|finding| self.with_reasons(scene, finding, *horizon))
        })
    }

    /// Far more distinct personal values than its own past has, or, where it has none, than anybody else took.
    fn personal(&self, scene: &Scene<'_>, horizon: u64, peers: &mut Peers) -> Option<Finding> {
        let rules = &scene.rules.data_exfiltration;
        let tier = tier_of(horizon);
        let min_of = |class: DataClass| by_sensitivity(&rules.min_values, class.sensitivity());
        let exposures = self.recent.buckets(tier).filter_map(|activity| activity.exposure.as_deref());
        if !may_reach(exposures, min_of) {
            return None;
        }
        let exposure = self.recent.merged(tier, |activity| activity.exposure.as_deref())?;
        if exposure.responses < rules.min_answers {
            return None;
        }
        let least = self.rules.min_baseline_responses as f64;
        let past = self.exposure.filter(|normal| normal.responses >= least);
        let behind = self.people_behind(tier);
        // A short past says how much a visit takes, if not how rare more is: a batch of a few large pages.
        let over: Vec<(ClassExposure, f64)> = exposure
            .classes
            .iter()
            .map(|class| (class.clone(), self.exposure.map_or(0.0, |past| expected_of(past, class.class, tier))))
            .filter(|(class, expected)| {
                let seen = class.values.count();
                seen / behind >= min_of(class.class) && seen as f64 >= self.rules.factor * expected
            })
            .collect();
        let worst = over.iter().map(|(class, _)| class.class.sensitivity()).max()?;
        let taken: u64 = exposure.classes.iter().map(|class| class.values.count()).sum();
        let host = exposure.evidence.first().map(|(_, shown)| shown.host.as_str())?;
        let of_others = peers.others(self, scene, tier, Goods::Values { host: self.key_of(scene, host, tier) });
        let bound = self.bound_of_others(scene, &of_others, past.is_some())?;
        if ((taken / behind) as f64) < bound {
            return None;
        }
        // What an endpoint has begun to give to everybody is not what somebody takes, who for the rest takes what he always did.
        let given = excessive_data_exposure::values_not_told_yet(scene, host, tier);
        let least = over.iter().map(|(class, _)| min_of(class.class)).min().unwrap_or(0);
        let usual_of = |class: &ClassExposure| self.exposure.map_or(0.0, |past| expected_of(past, class.class, tier));
        let usual = || self.rules.factor * exposure.classes.iter().map(usual_of).sum::<f64>();
        if given > 0 && (taken.saturating_sub(given) as f64) < bound.max(least as f64).max(usual()) {
            return None;
        }
        let (over, expected, probability) = match past {
            Some(past) => self.unlikely(scene, past, over, tier)?,
            None => (over.into_iter().map(|(class, _)| class).collect(), "no past to go by".to_owned(), None),
        };
        let severity = by_sensitivity(&rules.severity, worst);
        let finding = Finding::new("data_exfiltration", self.subject.clone(), severity, exposure.moment);
        let mut finding =
            finding.with_evidence(&exposure.evidence).with_clients(&exposure.clients, &exposure.client_sample);
        finding.client = finding.client.or_else(|| only(&finding.client_sample));
        finding.count = exposure.responses;
        finding.probability = probability;
        finding.observed = format!(
            "{} in {} answers with {} records in {}",
            classes_in_words(&over),
            exposure.responses,
            exposure.records,
            span_in_words(&exposure.moment)
        );
        finding.expected = Some(format!("{expected}; {}", of_others.in_words("such values")));
        Some(finding)
    }

    /// The key of a host that it asked.
    fn key_of(&self, scene: &Scene<'_>, host: &str, tier: usize) -> Option<u64> {
        let mut asked = self.recent.buckets(tier).flat_map(|activity| activity.asked.iter());
        let is_it = |key: &u64| scene.store.hosts.get(key).is_some_and(|known| *known.host == *host);
        asked.find(|asked| is_it(&asked.host)).map(|asked| asked.host)
    }

    /// Keys that came from an address, by a sample: an office, or a proxy that nobody trusts, takes for many.
    fn people_behind(&self, tier: usize) -> u64 {
        let of_address = matches!(self.subject, Subject::Client(_));
        let callers = of_address.then(|| self.recent.merged(tier, |activity| activity.callers.as_deref())).flatten();
        callers.map_or(1, |callers| callers.principals.count().max(1))
    }

    /// Of classes with what was expected of each, those of which its past makes so much unlikely; what was expected; and how
    /// unlikely it is.
    fn unlikely(
        &self,
        scene: &Scene<'_>,
        past: &ExposureNormal,
        classes: Vec<(ClassExposure, f64)>,
        tier: usize,
    ) -> Option<(Vec<ClassExposure>, String, Option<f64>)> {
        let (mut lowest, mut usual, mut over) = (None::<f64>, 0.0, Vec::new());
        for (class, expected) in classes {
            let (seen, taught) = (class.values.count(), past.class(class.class).values as u64);
            let active = past.windows.max(1.0);
            let chance = rate_test(seen, self.active_in(tier), taught, active, self.rules.prior_strength);
            let Some(chance) = scene.rare("data_exfiltration.values", self.key, chance) else { continue };
            lowest = Some(lowest.map_or(chance, |lowest| lowest.min(chance)));
            usual += expected;
            over.push(class);
        }
        let expected = format!("about {usual:.0} such values in that time, by its own past");
        (!over.is_empty()).then_some((over, expected, lowest))
    }

    /// Windows of a span in which it was active, as its past counts them, a burst as if it had lasted; all of the span, where a
    /// state does not say.
    fn active_in(&self, tier: usize) -> f64 {
        let is_counted = self.recent.buckets(tier).all(|activity| activity.windows > 0);
        let windows = if is_counted { self.recent.sum(tier, |activity| activity.windows) } else { SPANS[tier] as u64 };
        windows.max(BURST_WINDOWS) as f64
    }

    /// Far more rows or bytes than its own past has, whatever they are.
    fn volume(&self, scene: &Scene<'_>, horizon: u64, peers: &mut Peers) -> Option<Finding> {
        let rules = &scene.rules.data_exfiltration;
        let least = rules.min_baseline_windows as f64;
        let normal = self.taken.filter(|normal| rules.volume.enabled && normal.windows >= least)?;
        let tier = tier_of(horizon);
        let (windows, active) = (SPANS[tier] as f64, normal.windows);
        let parts = [
            ("records", Goods::Records, normal.records, rules.volume.min_records, LARGE_RECORDS),
            ("bytes", Goods::Bytes, normal.bytes, rules.volume.min_bytes, LARGE_BYTES),
        ];
        parts.into_iter().find_map(|(unit, goods, taught, floor, large)| {
            let seen = goods.taken(self.recent, tier);
            let expected = taught / active * windows.min(active);
            if seen < floor || (seen as f64) < self.rules.factor * expected {
                return None;
            }
            // Rows and bytes come by the answer, so not they are counted, but the large answers that they would fill.
            let answers = |sum: u64| sum / large;
            let strength = self.rules.prior_strength;
            let chance = rate_test(answers(seen), self.active_in(tier), answers(taught as u64), active, strength);
            let of_others = peers.others(self, scene, tier, goods);
            // Most rows are a catalogue's, and some read all of it: here the greediest of the others is the measure.
            if (seen as f64) < rules.peers.factor * of_others.most() as f64 {
                return None;
            }
            let chance = scene.rare("data_exfiltration.volume", self.key, chance)?;
            let moment = self.recent.merged(tier, |activity| Some(&activity.moment))?;
            let severity = rules.alert.severity;
            let mut finding = Finding::new("data_exfiltration", self.subject.clone(), severity, moment);
            finding.client_count = 1;
            finding.client_sample = finding.client.into_iter().collect();
            finding.count = self.recent.sum(tier, |activity| activity.requests);
            finding.probability = Some(chance);
            finding.observed =
                format!("{seen} {unit} in answers to {} requests in {}", finding.count, span_in_words(&moment));
            let others = of_others.in_words(unit);
            finding.expected = Some(format!("about {expected:.0} {unit} in that time, by its own past; {others}"));
            Some(finding)
        })
    }

    /// What it must have taken to stand out from others; `None` where they say nothing of one without a past.
    fn bound_of_others(&self, scene: &Scene<'_>, others: &Others<'_>, has_past: bool) -> Option<f64> {
        let peers = &scene.rules.data_exfiltration.peers;
        let is_enough = others.count() >= peers.min_peers;
        match (has_past, is_enough) {
            (true, false) => Some(0.0),
            (true, true) => Some(peers.factor * others.quantile(peers.quantile) as f64),
            (false, false) => None,
            (false, true) => Some(peers.stranger_factor * others.most() as f64),
        }
    }

    fn with_reasons(&self, scene: &Scene<'_>, mut finding: Finding, horizon: u64) -> Finding {
        let responses = self.exposure.map_or(0.0, |past| past.responses);
        let least = self.rules.min_baseline_responses as f64;
        let (rules, answers) = (&scene.rules.data_exfiltration, finding.count as f64);
        finding.reasons = Reasons::over(horizon).floor("min_answers", rules.min_answers as f64, answers);
        if responses >= least {
            finding.reasons = finding.reasons.floor("min_baseline_responses", least, responses);
        }
        finding.spoils = vec![self.spoiled];
        finding
    }
}

fn only(clients: &[IpAddr]) -> Option<IpAddr> {
    (clients.len() == 1).then(|| clients.first().copied()).flatten()
}

/// What is counted of what somebody took.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Goods {
    /// Personal values, of those who asked a host; of all, where its key is not known.
    Values {
        host: Option<u64>,
    },
    Records,
    Bytes,
}

impl Goods {
    fn taken(&self, recent: &Tiers<SubjectActivity>, tier: usize) -> u64 {
        recent.sum(tier, |activity| match self {
            Goods::Values { host } => values_at(activity, *host),
            Goods::Records => activity.records,
            Goods::Bytes => activity.bytes,
        })
    }
}

/// Personal values in all classes, an upper bound of the distinct ones, of who asked a host.
fn values_at(activity: &SubjectActivity, host: Option<u64>) -> u64 {
    let Some(exposure) = activity.exposure.as_deref() else { return 0 };
    let is_there = host.is_none_or(|host| activity.asked.iter().any(|asked| asked.host == host));
    if is_there { exposure.classes.iter().map(|class| class.values.count()).sum() } else { 0 }
}

/// What all clients, or all principals, took within a span, ascending. To know it, all of them are looked at, so it is
/// counted once in a window, and only where somebody took much.
#[derive(Default)]
struct Peers {
    taken: HashMap<(bool, usize, Goods), Vec<u64>>,
}

impl Peers {
    /// What all others of a taker's kind took; who took nothing is not counted.
    fn others(&mut self, taker: &Taker<'_>, scene: &Scene<'_>, tier: usize, goods: Goods) -> Others<'_> {
        let own = goods.taken(taker.recent, tier);
        let is_principal = matches!(taker.subject, Subject::Principal(_));
        let all = self.taken.entry((is_principal, tier, goods)).or_insert_with_key(|(_, _, goods)| {
            let of = |recent: &Option<Box<Tiers<SubjectActivity>>>| {
                recent.as_deref().map_or(0, |recent| goods.taken(recent, tier))
            };
            let mut all: Vec<u64> = match is_principal {
                true => scene.store.principals.iter().map(|state| of(&state.recent)).collect(),
                false => scene.store.clients.iter().map(|state| of(&state.recent)).collect(),
            };
            all.retain(|taken| *taken > 0);
            all.sort_unstable();
            all
        });
        let (below, rest) = all.split_at(all.partition_point(|taken| *taken < own));
        Others { below, above: rest.strip_prefix(&[own]).unwrap_or(rest) }
    }
}

/// What others took, ascending: before and after the place of the one that is compared with them.
struct Others<'p> {
    below: &'p [u64],
    above: &'p [u64],
}

impl Others<'_> {
    fn count(&self) -> u64 {
        (self.below.len() + self.above.len()) as u64
    }

    fn most(&self) -> u64 {
        self.above.last().or(self.below.last()).copied().unwrap_or(0)
    }

    /// 0 where there are none.
    fn quantile(&self, quantile: f64) -> u64 {
        let rank = ((quantile * self.count() as f64).ceil() as usize).max(1) - 1;
        self.below.iter().chain(self.above).nth(rank).copied().unwrap_or_else(|| self.most())
    }

    fn in_words(&self, unit: &str) -> String {
        match self.count() {
            0 => "nobody else took any".to_owned(),
            count => format!("of {count} others at most {} {unit}", self.most()),
        }
    }
}
