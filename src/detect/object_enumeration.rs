//! `object_enumeration`: one principal or client that walks through the object ids of an endpoint.
//!
//! Sees: many more distinct objects than the subject's own past and its peers, in sequence or at random, named in paths, queries
//! and, by numbers, in bodies. Misses: walks slower than the longest horizon, those spread over many principals, lists of objects
//! in one request, and of bodies what is neither refused nor answered with sensitive data.

use super::reasons::Reasons;
use super::stats::{rate_interval, rate_test};
use super::unauthenticated_data_exposure::VALUES_OF_ONE_PERSON;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::EndpointState;
use crate::baseline::{ReachState, SPANS, tier_of};
use crate::rule::Severity;
use crate::window::{Reach, WINDOW};

/// Share of an endpoint's requests with credentials below which it is public.
const PUBLIC_SHARE: f64 = 0.1;
/// Share of requests that were refused or met nothing, from which on ids are guessed.
const GUESSED_SHARE: f64 = 0.01;
/// The same, from which on a sequence is counted up blindly.
const BLIND_SHARE: f64 = 0.2;
/// Of the objects, up to which it may be a list of known objects of which some were deleted meanwhile.
const DELETED_SHARE: f64 = 0.05;
/// Objects are estimated, with a standard error of 6.5 % (`window::FEW_REGISTERS`): four of them and a little.
const DENSEST_SHARE: f64 = 1.3;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.object_enumeration;
    if !rules.enabled {
        return;
    }
    for key in &scene.touched.reaches {
        let Some(state) = scene.store.reaches.get(key) else { continue };
        let found = rules.horizons_seconds.iter().find_map(|horizon| walk(scene, *key, &state, tier_of(*horizon)));
        findings.extend(found);
    }
}

/// What a subject reached within a span.
struct Walk<'w> {
    key: u64,
    tier: usize,
    reach: &'w Reach,
    objects: u64,
    /// Of the range that the ids span, the part that they fill.
    share: f64,
    is_sequence: bool,
    /// What is usual by its own past.
    usual: u64,
}

/// What its peers reach in that span.
struct Normal {
    /// Nothing where too few are known.
    most: Option<u64>,
    probability: Option<f64>,
    peers: u64,
    reasons: Reasons,
}

fn walk(scene: &Scene<'_>, key: u64, state: &ReachState, tier: usize) -> Option<Finding> {
    let rules = &scene.rules.object_enumeration;
    if state.recent.sum(tier, |reach| reach.objects.count()) < rules.min_objects_in_sequence.min(rules.min_objects) {
        return None;
    }
    let reach = &state.recent.view(tier)?;
    let objects = reach.objects.count().min(reach.requests); // many are an estimate
    let share = sequential_share(reach, objects);
    let is_sequence = share >= rules.min_sequential_share;
    let objects = if is_sequence { objects.min(range_of(reach)) } else { objects };
    let past = state.past(tier, scene.window) as f64;
    let usual = (past * spans_of(tier).powf(rules.growth_exponent)).ceil() as u64;
    let walk = Walk { key, tier, reach, objects, share, is_sequence, usual };
    if !walk.is_far(scene) {
        return None;
    }
    let endpoint = scene.store.endpoints.get(&reach.endpoint)?;
    let normal = walk.normal(scene, &endpoint)?;
    let takes_data = walk.takes_data(scene);
    let severity = walk.severity(scene, &endpoint, takes_data)?;
    Some(walk.finding(scene, normal, severity, takes_data))
}

/// How many of the shortest spans a tier covers.
fn spans_of(tier: usize) -> f64 {
    (SPANS[tier] / SPANS[0]) as f64
}

impl Walk<'_> {
    /// Objects from which on it is told of.
    fn floor(&self, scene: &Scene<'_>) -> (&'static str, u64) {
        let rules = &scene.rules.object_enumeration;
        match self.is_sequence {
            true => ("min_objects_in_sequence", rules.min_objects_in_sequence),
            false => ("min_objects", rules.min_objects),
        }
    }

    fn factor(&self, scene: &Scene<'_>) -> f64 {
        let rules = &scene.rules.object_enumeration;
        let is_blind = self.is_sequence && self.missed(BLIND_SHARE);
        if is_blind { rules.reach_factor_guessed } else { rules.reach_factor }
    }

    /// Whether at least this share of the requests was refused or met nothing.
    fn missed(&self, share: f64) -> bool {
        self.reach.misses as f64 >= share * self.reach.requests as f64
    }

    /// Whether misses are more than deleted objects explain.
    fn is_guessing(&self) -> bool {
        self.reach.misses as f64 >= DELETED_SHARE * self.objects as f64
    }

    /// Beyond its own past: a steady program reaches more in a longer span, at its own pace all day, with `reach_factor`.
    fn is_far(&self, scene: &Scene<'_>) -> bool {
        let rules = &scene.rules.object_enumeration;
        if scene.is_learning {
            // Nothing is normal yet; but a program that takes so many in a row knows which there are.
            let is_quick = self.tier == 0 && self.objects >= rules.min_objects_while_learning;
            return self.is_sequence && self.missed(GUESSED_SHARE) && is_quick;
        }
        let (_, floor) = self.floor(scene);
        self.objects >= floor && self.objects >= (self.factor(scene) * self.usual as f64) as u64
    }

    /// What its peers reach; none if it is within that.
    fn normal(&self, scene: &Scene<'_>, endpoint: &EndpointState) -> Option<Normal> {
        let rules = &scene.rules.object_enumeration;
        let is_new = !scene.is_learning && endpoint.reach.len() < rules.min_peers;
        let known = is_new.then(|| best_known_method(scene, endpoint)).flatten();
        let known = known.and_then(|key| scene.store.endpoints.get(&key));
        let looks = known.as_ref().map_or(&endpoint.reach, |known| &known.reach);
        let peers = looks.len();
        let reasons = Reasons::over(SPANS[self.tier] as u64 * WINDOW.as_secs());
        if scene.is_learning || peers < rules.min_peers {
            let is_enough = scene.is_learning || self.objects >= rules.min_objects_without_peers;
            return is_enough.then_some(Normal { most: None, probability: None, peers, reasons });
        }
        // Who goes on reaches more, but also comes back to the objects he knows; and nobody's own objects are one after the other.
        let most = if self.is_sequence { rules.growth_exponent_in_sequence } else { 1.0 };
        let growth = spans_of(self.tier).powf(rules.growth_exponent.min(most));
        let normal = looks.value_at_quantile(rules.peer_quantile) as f64 * growth;
        let reached = (looks.mean() * peers as f64) as u64;
        let probability = rate_test(self.objects, growth, reached, peers as f64, rules.prior_strength);
        if (self.objects as f64) < self.factor(scene) * normal {
            return None;
        }
        let probability = scene.rare("object_enumeration", self.key, probability)?;
        let [low, high] = rate_interval(growth, reached, peers as f64, rules.prior_strength, self.objects);
        let reasons = reasons.interval(low as f64, high as f64);
        Some(Normal { most: Some(normal.ceil() as u64), probability: Some(probability), peers, reasons })
    }

    /// None for a web site, which anybody may read page by page.
    fn severity(&self, scene: &Scene<'_>, endpoint: &EndpointState, takes_data: bool) -> Option<Severity> {
        let rules = &scene.rules.object_enumeration;
        let reach = self.reach;
        let is_own = reach.sensitive > 0 && !takes_data;
        // Who reads many pages that everybody may read, without personal data in them, is a crawler: known, not feared.
        let is_public = reach.principal.is_none() && !takes_data && endpoint.authenticated_share() < PUBLIC_SHARE;
        let is_page = !takes_data && endpoint.successes > 0 && endpoint.is_page();
        Some(match () {
            _ if is_public && is_page => return None,
            // Sites give everybody a session: it need not be one that was signed in for.
            _ if is_public || is_page => Severity::Low,
            // An app that loads all that its user has.
            _ if is_own && reach.misses == 0 && !self.is_sequence && self.objects < rules.min_objects_without_peers => {
                Severity::Low
            }
            // Who is hardly ever refused, and takes no personal data, may be a new program that is entitled to all of it.
            _ if scene.is_learning || !self.is_guessing() && !takes_data => rules.alert.severity,
            _ if self.success_share() >= rules.min_success_share => rules.success_severity,
            _ => rules.alert.severity,
        })
    }

    /// Personal data, not of itself alone.
    fn takes_data(&self, scene: &Scene<'_>) -> bool {
        self.reach.sensitive > 0 && !gets_only_own(scene, self.reach, self.tier)
    }

    fn success_share(&self) -> f64 {
        self.reach.successes as f64 / self.reach.requests.max(1) as f64
    }

    fn finding(&self, scene: &Scene<'_>, normal: Normal, severity: Severity, takes_data: bool) -> Finding {
        let (reach, objects) = (self.reach, self.objects);
        let subject = reach.principal.map_or(Subject::Client(reach.client), Subject::Principal);
        let mut finding =
            Finding::new("object_enumeration", subject, severity, reach.moment).with_evidence(&reach.evidence);
        finding.endpoint = Some(reach.endpoint);
        finding.client = Some(reach.client);
        finding.client_count = 1;
        finding.client_sample = vec![reach.client];
        finding.count = reach.requests;
        finding.probability = normal.probability;
        finding.observed = format!(
            "{objects} different objects in {}{}, {} answered with success, {} refused or not found",
            span_in_words(&reach.moment),
            match self.is_sequence {
                true => format!(", in sequence from {} to {}", reach.lowest, reach.highest),
                false => String::new(),
            },
            percent(self.success_share()),
            reach.misses
        );
        finding.expected = Some(self.expected(scene, &normal));
        finding.reasons = self.reasons(scene, normal, takes_data);
        finding.spoils =
            vec![Spoiled::Reach(self.key), Spoiled::ClientAttack(reach.client), Spoiled::ClientExposure(reach.client)];
        finding.spoils.extend(reach.principal.map(Spoiled::PrincipalExposure));
        // What is refused or not there is answered faster than the rest.
        finding.spoils.extend([Spoiled::EndpointErrors(reach.endpoint), Spoiled::EndpointPace(reach.endpoint)]);
        finding
    }

    fn expected(&self, scene: &Scene<'_>, normal: &Normal) -> String {
        let rules = &scene.rules.object_enumeration;
        let Some(most) = normal.most else { return format!("fewer than {} objects", rules.min_objects_without_peers) };
        let own = match self.usual {
            0 => String::new(),
            usual => format!(", {usual} by its own past"),
        };
        format!("at most {most} for {} of {} looks at its peers{own}", percent(rules.peer_quantile), normal.peers)
    }

    fn reasons(&self, scene: &Scene<'_>, normal: Normal, takes_data: bool) -> Reasons {
        let (floor_key, floor) = self.floor(scene);
        let mut reasons = normal.reasons.floor(floor_key, floor as f64, self.objects as f64);
        if let Some(most) = normal.most {
            reasons =
                reasons.fact(format!("{:.0} times what its peers reach", self.objects as f64 / most.max(1) as f64));
        }
        if self.is_guessing() {
            let share = self.reach.misses as f64 / self.reach.requests.max(1) as f64;
            reasons = reasons
                .fact(format!("{} of its requests were refused or met nothing: ids are guessed", percent(share)));
        }
        if self.is_sequence {
            reasons = reasons.fact(format!("the ids fill {} of the range they span", percent(self.share.min(1.0))));
        }
        if takes_data {
            reasons = reasons.fact(format!("{} answers carried sensitive data", self.reach.sensitive));
        }
        reasons
    }
}

/// Whether the personal data that a principal got is of one person: his own.
fn gets_only_own(scene: &Scene<'_>, reach: &Reach, tier: usize) -> bool {
    let principal = reach.principal.and_then(|principal| scene.store.principals.get(&principal));
    let exposure =
        principal.and_then(|state| state.recent.as_ref()?.merged(tier, |activity| activity.exposure.as_deref()));
    exposure.is_some_and(|exposure| exposure.classes.iter().all(|class| class.values.count() <= VALUES_OF_ONE_PERSON))
}

/// Of the endpoints with the same path, the one of whose subjects most is known: who reads two orders does not delete a
/// hundred.
fn best_known_method(scene: &Scene<'_>, endpoint: &EndpointState) -> Option<u64> {
    let of_path = scene.store.endpoints.iter().filter(|other| other.template == endpoint.template);
    let of_path = of_path.filter(|other| other.host == endpoint.host);
    of_path.map(|other| (other.reach.len(), *other.key())).max().map(|(_, key)| key)
}

/// How densely the numeric ids fill the range between the lowest and the highest. Where there are more objects than
/// numbers in that range most are no numbers.
fn sequential_share(reach: &Reach, objects: u64) -> f64 {
    if reach.lowest > reach.highest {
        return 0.0;
    }
    let share = objects as f64 / range_of(reach) as f64;
    if share <= DENSEST_SHARE { share.min(1.0) } else { 0.0 }
}

fn range_of(reach: &Reach) -> u64 {
    reach.highest.saturating_sub(reach.lowest).saturating_add(1)
}
