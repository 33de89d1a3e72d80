//! `client_error_spike`: a share of 4XX far above the endpoint's, the client's or the host's own.
//!
//! Sees: errors given the number of requests, tested against the key's baseline, at an endpoint also status by status; a
//! client without a past is compared with its host. Misses: errors that were there while the baseline was learned, and
//! endpoints that have none. What a scan or stuffing explains joins those.

use super::stats::{odds_factor, ratio_test};
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::{ClientState, EndpointState, Share, SubjectActivity};
use crate::baseline::{Tiers, tier_of};
use crate::rule::{ErrorShare, Severity, pattern};
use crate::window::histogram::StatusCounts;
use crate::window::{Errors, Evidence, Moment};

/// Share of errors in a client's past from which on its errors are chronic: they say nothing about the endpoint.
const CHRONIC_SHARE: f64 = 0.5;
/// Requests of a client from which on its past is known.
const CHRONIC_REQUESTS: f64 = 50.0;

/// What is compared: counts of a span, and those of the past.
#[derive(Clone, Copy)]
struct Counts {
    errors: u64,
    requests: u64,
    clients: u64,
    /// Errors of clients that always fail, which are not counted.
    left_out: u64,
    moment: Moment,
    usual: Share,
}

/// Spans that slide apart cover between half and all of their length.
const SHORTER_SPAN: f64 = 0.4;
const LONGER_SPAN: f64 = 2.5;

fn seconds_of(moment: &Moment) -> f64 {
    moment.last.since(moment.first).as_secs_f64().max(1.0)
}

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.client_error_spike;
    if !rules.enabled || scene.is_learning {
        return;
    }
    for key in scene.touched.endpoints.iter().filter(|_| rules.endpoint.enabled) {
        findings.extend(scene.store.endpoints.get(key).and_then(|state| of_endpoint(scene, *key, &state)));
    }
    for key in scene.touched.hosts.iter().filter(|_| rules.host.enabled) {
        let Some(state) = scene.store.hosts.get(key) else { continue };
        let tier = tier_of(rules.host.window_seconds);
        let Some((errors, requests)) = errors_of_subject(&state.recent, tier, &rules.host) else { continue };
        let mut counts = counts_of(scene, &errors, requests, &state.errors.usual());
        if counts.errors >= rules.host.min_errors {
            counts.leave_out_chronic(scene, tier, |shown| *shown.host == *state.host);
        }
        let Some(probability) = is_spike(&counts, &rules.host) else { continue };
        if counts.is_of_one(scene, &rules.host, |shown| *shown.host == *state.host) {
            continue;
        }
        let subject = Subject::Host(state.host.to_string());
        let mut finding = finding_of(subject, rules.alert.severity, &errors, &counts, probability, None);
        finding.spoils = vec![Spoiled::HostErrors(*key)];
        // What breaks a host teaches none of its endpoints.
        let is_of_host = |key: &u64| scene.store.endpoints.get(key).is_some_and(|endpoint| endpoint.host == state.host);
        let of_host = scene.touched.endpoints.iter().copied().filter(is_of_host);
        finding.spoils.extend(of_host.map(Spoiled::EndpointErrors));
        findings.push(finding);
    }
    for key in scene.touched.clients.iter().filter(|_| rules.client.enabled) {
        findings.extend(scene.store.clients.get(key).and_then(|state| of_client(scene, &state)));
    }
}

fn of_endpoint(scene: &Scene<'_>, key: u64, state: &EndpointState) -> Option<Finding> {
    let rules = &scene.rules.client_error_spike;
    let tier = tier_of(rules.endpoint.window_seconds);
    let requests = state.recent.sum(tier, |activity| activity.tally.requests);
    let count = state.recent.sum(tier, |activity| errors_in(activity.errors.as_deref()));
    if is_everyday(count, requests, &rules.endpoint) {
        return None;
    }
    let errors = &state.recent.merged(tier, |activity| activity.errors.as_deref())?;
    let mut counts = counts_of(scene, errors, requests, &state.errors.usual());
    if counts.errors < rules.endpoint.min_errors {
        return None;
    }
    let template = wildcards(&state.template);
    let is_here = |shown: &Evidence| {
        let path = shown.url.split('?').next().unwrap_or("");
        *shown.host == *state.host && *shown.method == *state.method && pattern::matches(&template, path)
    };
    let chronic = counts.leave_out_chronic(scene, tier, is_here);
    let all = is_spike(&counts, &rules.endpoint).map(|probability| (None, counts, probability));
    // A status that was never there stands out where others have always been.
    let found = all.or_else(|| {
        errors.statuses.iter().find_map(|(status, count)| {
            if rules.ignored_statuses.contains(&status) || chronic.count(status) > 0 {
                return None;
            }
            let before = state.tally.requests.saturating_sub(requests) as f64;
            let hits = state.tally.statuses.count(status).saturating_sub(errors.statuses.count(status)) as f64;
            let of_status = Counts { errors: count, usual: Share { hits, total: before }, ..counts };
            is_spike(&of_status, &rules.endpoint).map(|probability| (Some(status), of_status, probability))
        })
    });
    let (status, counts, probability) = found?;
    if counts.is_of_one(scene, &rules.endpoint, is_here) {
        return None;
    }
    let subject = Subject::Endpoint(key);
    let mut finding = finding_of(subject, rules.alert.severity, errors, &counts, probability, status);
    finding.spoils = vec![Spoiled::EndpointErrors(key)];
    Some(finding)
}

fn of_client(scene: &Scene<'_>, state: &ClientState) -> Option<Finding> {
    let rules = &scene.rules.client_error_spike;
    let tier = tier_of(rules.client.window_seconds);
    let (errors, requests) = errors_of_subject(state.recent.as_deref()?, tier, &rules.client)?;
    let errors = &errors;
    let mut counts = counts_of(scene, errors, requests, &state.errors);
    if counts.errors < rules.client.min_errors {
        return None;
    }
    if state.errors.total < rules.client.min_baseline_requests as f64 {
        // Whoever is new is compared with everybody else at the host.
        let (_, shown) = errors.evidence.first()?;
        counts.usual = scene.store.hosts.iter().find(|host| *host.host == *shown.host)?.errors.usual();
    }
    let probability = is_spike(&counts, &rules.client)?;
    let subject = Subject::Client(state.address);
    let mut finding = finding_of(subject, rules.client_severity, errors, &counts, probability, None);
    finding.spoils = vec![Spoiled::ClientErrors(state.address)];
    Some(finding)
}

/// Errors and requests of a client or a host within a span, where they may be a spike.
fn errors_of_subject(recent: &Tiers<SubjectActivity>, tier: usize, floors: &ErrorShare) -> Option<(Errors, u64)> {
    let requests = recent.sum(tier, |activity| activity.requests);
    let count = recent.sum(tier, |activity| errors_in(activity.errors.as_deref()));
    if is_everyday(count, requests, floors) {
        return None;
    }
    Some((recent.merged(tier, |activity| activity.errors.as_deref())?, requests))
}

fn errors_in(errors: Option<&Errors>) -> u64 {
    errors.map_or(0, |errors| errors.statuses.total())
}

/// Whether so few errors are no spike, whatever the baseline says.
fn is_everyday(errors: u64, requests: u64, floors: &ErrorShare) -> bool {
    errors < floors.min_errors || (errors as f64) < floors.min_share * requests as f64
}

fn counts_of(scene: &Scene<'_>, errors: &Errors, requests: u64, usual: &Share) -> Counts {
    let ignored = &scene.rules.client_error_spike.ignored_statuses;
    let ignored: u64 = ignored.iter().map(|status| errors.statuses.count(*status)).sum();
    Counts {
        errors: errors.statuses.total().saturating_sub(ignored),
        requests,
        clients: errors.clients.count(),
        left_out: 0,
        moment: errors.moment,
        usual: *usual,
    }
}

fn is_chronic(client: &ClientState) -> bool {
    client.errors.total >= CHRONIC_REQUESTS && client.errors.share() >= CHRONIC_SHARE
}

impl Counts {
    /// Whether one client makes the spike, and without it there is none: then it is told as the client's.
    fn is_of_one(&self, scene: &Scene<'_>, floors: &ErrorShare, is_here: impl Fn(&Evidence) -> bool) -> bool {
        let (tier, of_client) = (tier_of(floors.window_seconds), &scene.rules.client_error_spike.client);
        let counts_of = |client: &ClientState| {
            if is_chronic(client) {
                return None; // left out already
            }
            let recent = client.recent.as_deref()?;
            let requests = recent.sum(tier, |activity| activity.requests);
            let errors = recent.sum(tier, |activity| errors_in(activity.errors.as_deref()));
            let mut shown = recent.buckets(tier).filter_map(|activity| activity.errors.as_deref());
            let is_told = of_client.enabled && !is_everyday(errors, requests, of_client);
            let mut is_only_here = || shown.all(|errors| errors.evidence.iter().all(|(_, shown)| is_here(shown)));
            (is_told && is_only_here()).then_some((errors, requests, client.address))
        };
        // Spikes are rare: all clients may be looked at, also those that have just gone.
        let worst = scene.store.clients.iter().filter_map(|client| counts_of(&client)).max();
        let Some((errors, requests, _)) = worst else { return false };
        let others = Counts {
            errors: self.errors.saturating_sub(errors),
            requests: self.requests.saturating_sub(requests),
            clients: self.clients.saturating_sub(1),
            ..*self
        };
        is_spike(&others, floors).is_none()
    }

    /// Takes out, here and in the past, the clients whose requests have always failed at this place: a program that
    /// nobody mends hides what happens to the others, and at night, when the others sleep, it looks like a spike.
    /// Gives their statuses.
    fn leave_out_chronic(
        &mut self,
        scene: &Scene<'_>,
        tier: usize,
        is_here: impl Fn(&Evidence) -> bool,
    ) -> StatusCounts {
        let mut statuses = StatusCounts::default();
        let all = self.errors;
        let seconds = seconds_of(&self.moment);
        for key in &scene.touched.clients {
            let Some(client) = scene.store.clients.get(key) else { continue };
            if !is_chronic(&client) {
                continue;
            }
            let Some(recent) = client.recent.as_deref() else { continue };
            let requests = recent.sum(tier, |activity| activity.requests);
            let Some(errors) = recent.merged(tier, |activity| activity.errors.as_deref()) else { continue };
            if errors.evidence.iter().all(|(_, shown)| is_here(shown)) {
                // The client's span may be longer or shorter than this one's; what is uncertain goes in its favour.
                let scale = (seconds / seconds_of(&errors.moment)).clamp(SHORTER_SPAN, LONGER_SPAN);
                let scaled = |count: u64| (count as f64 * scale) as u64;
                self.errors = self.errors.saturating_sub(scaled(errors.statuses.total()) * 5 / 4);
                self.requests = self.requests.saturating_sub(scaled(requests));
                self.clients = self.clients.saturating_sub(1);
                self.usual.hits = (self.usual.hits - client.errors.hits).max(0.0);
                self.usual.total = (self.usual.total - client.errors.total).max(self.usual.hits);
                statuses.merge(&errors.statuses);
            }
        }
        self.left_out = all - self.errors; // which only fell
        statuses
    }
}

/// How unlikely the share is, where it is far enough above the usual one.
fn is_spike(counts: &Counts, floors: &ErrorShare) -> Option<f64> {
    let Counts { errors, requests, clients, usual, .. } = *counts;
    let share = errors as f64 / requests.max(1) as f64;
    if errors < floors.min_errors
        || share < floors.min_share
        || usual.total < floors.min_baseline_requests as f64
        || odds_factor(share, usual.share()) < floors.baseline_factor
        || clients < floors.min_clients
    {
        return None;
    }
    // Errors of one client come together: an expired token fails ten times in a row. So many clients have failed, each in
    // so large a bunch, and only the clients are independent of each other (a design effect: Kish, "Survey Sampling", §5.4).
    let bunch = if clients > 1 { (errors as f64 / clients as f64).max(1.0) } else { 1.0 };
    let bunches = |count: u64| (count as f64 / bunch).round() as u64;
    let (hits, total) = (usual.hits as u64, usual.total as u64);
    let probability = ratio_test(bunches(errors), bunches(requests), hits, total, floors.prior_strength);
    (probability.value() <= floors.max_probability).then(|| probability.rounded())
}

fn finding_of(
    subject: Subject,
    severity: Severity,
    errors: &Errors,
    counts: &Counts,
    probability: f64,
    status: Option<u16>,
) -> Finding {
    let mut finding =
        Finding::new("client_error_spike", subject, severity, errors.moment).with_evidence(&errors.evidence);
    finding.client_count = errors.clients.count();
    finding.client_sample = errors.client_sample.iter().map(|(_, address)| *address).collect();
    finding.count = counts.errors;
    finding.probability = Some(probability);
    let of_status = status.map_or(String::new(), |status| format!(" with status {status}"));
    let left_out = match (status, counts.left_out) {
        (Some(_), _) | (_, 0) => String::new(),
        (None, left_out) => format!(", not counting about {left_out} of clients that always fail"),
    };
    finding.observed = format!(
        "{} client errors{of_status} in {} requests ({}) in {}{left_out}; in all {}",
        counts.errors,
        counts.requests,
        percent(counts.errors as f64 / counts.requests.max(1) as f64),
        span_in_words(&errors.moment),
        by_status(errors)
    );
    let usual = percent(counts.usual.share());
    finding.expected = Some(match status {
        None => format!("{usual} of requests"),
        Some(status) => format!("status {status} for {usual} of requests"),
    });
    finding
}

/// A template as a pattern: `/carts/{id}/items` is `/carts/*/items`.
fn wildcards(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.contains('{') { "*" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// `400 ×12, 422 ×9`, most frequent first.
fn by_status(errors: &Errors) -> String {
    let mut counts: Vec<(u64, u16)> = errors.statuses.iter().map(|(status, count)| (count, status)).collect();
    counts.sort_by_key(|(count, status)| (std::cmp::Reverse(*count), *status));
    let words: Vec<String> = counts.iter().take(4).map(|(count, status)| format!("{status} ×{count}")).collect();
    words.join(", ")
}
