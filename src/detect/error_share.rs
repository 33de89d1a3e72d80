//! Shares of errors judged against their baseline: what `client_error_spike` and `server_error_spike` have in common.
//!
//! In go the counts of a span and what is usual for an endpoint, a client or a host; out comes how unlikely the share is,
//! where it is far enough above the usual one. What the two count, and where they keep it, is an [`ErrorClass`].

use super::stats::{Probability, odds_factor, ratio_test};
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words, window_in_words};
use crate::api::template::path_of;
use crate::baseline::state::{ClientState, EndpointActivity, EndpointState, HostState, Share, SubjectActivity};
use crate::baseline::{Tiers, tier_of};
use crate::rule::{ErrorShare, Severity, pattern};
use crate::window::histogram::StatusCounts;
use crate::window::{Errors, Evidence, Moment};

/// Share of errors in a client's past from which on its errors are chronic: they say nothing about the endpoint.
const CHRONIC_SHARE: f64 = 0.5;
/// Requests of a client from which on its past is known.
const CHRONIC_REQUESTS: f64 = 50.0;
/// Requests of one client that its old token may have cost it, each with a try or two: an app asks for several things at once.
const MOST_REFUSED: u64 = 12;
/// Spans that slide apart cover between half and all of their length.
const SHORTER_SPAN: f64 = 0.4;
const LONGER_SPAN: f64 = 2.5;

/// A class of errors: how its detector is called, and where what it judges is kept.
pub(super) struct ErrorClass {
    pub detector: &'static str,
    pub what: &'static str,
    pub test_of_endpoint: &'static str,
    pub test_of_client: &'static str,
    pub test_of_host: &'static str,
    pub at_endpoint: fn(&EndpointActivity) -> Option<&Errors>,
    pub of_subject: fn(&SubjectActivity) -> Option<&Errors>,
    pub usual_at_endpoint: fn(&EndpointState) -> Share,
    pub usual_of_client: fn(&ClientState) -> Share,
    pub usual_of_host: fn(&HostState) -> Share,
    pub spoils_endpoint: fn(u64) -> Spoiled,
    pub spoils_host: fn(u64) -> Spoiled,
    /// Whether the errors of an endpoint's only client say something about the endpoint: the server's do.
    pub sole_client_speaks_for_endpoint: bool,
    /// Whether errors can pass by themselves: those of tokens that have run out do.
    pub heals: bool,
    /// Errors of one client that come for one reason, at most.
    pub most_bunched: f64,
}

/// What the rules say of a class.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    pub ignored_statuses: &'r [u16],
    pub endpoint: &'r ErrorShare,
    /// Of an endpoint, too, over a longer span: fewer among more. With the test.
    pub slow: Option<(&'static str, &'r ErrorShare)>,
    pub client: &'r ErrorShare,
    pub host: &'r ErrorShare,
    pub severity: Severity,
    /// Share from which on it is an outage, and how severe that is.
    pub outage: Option<(f64, Severity)>,
}

/// What is compared: counts of a span, and those of the past.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub errors: u64,
    pub requests: u64,
    pub clients: u64,
    /// Errors of clients that always fail, which are not counted.
    pub left_out: u64,
    /// See [`ErrorClass::most_bunched`].
    pub most_bunched: f64,
    pub moment: Moment,
    pub usual: Share,
}

/// A spike: its counts, how unlikely it is, and the one status it is of, where it is one.
pub(super) struct Spike {
    pub errors: Errors,
    pub counts: Counts,
    pub probability: f64,
    pub status: Option<u16>,
}

/// A class as it is judged in a window.
pub(super) struct Spikes<'s> {
    pub class: &'static ErrorClass,
    pub rules: Rules<'s>,
    pub scene: &'s Scene<'s>,
}

impl Spikes<'_> {
    /// Spikes at the endpoints and hosts that the window touched.
    pub fn of_endpoints_and_hosts(&self, findings: &mut Vec<Finding>) {
        let (scene, rules) = (self.scene, self.rules);
        let spans = [Some((self.class.test_of_endpoint, rules.endpoint)), rules.slow];
        let spans = || spans.into_iter().flatten().filter(|(_, floors)| floors.enabled);
        for key in &scene.touched.endpoints {
            let Some(state) = scene.store.endpoints.get(key) else { continue };
            findings.extend(spans().find_map(|(test, floors)| self.of_endpoint(*key, &state, test, floors)));
        }
        for key in scene.touched.hosts.iter().filter(|_| rules.host.enabled) {
            findings.extend(scene.store.hosts.get(key).and_then(|state| self.of_host(*key, &state)));
        }
    }

    /// A spike of the errors of all clients at an endpoint.
    fn of_endpoint(&self, key: u64, state: &EndpointState, test: &'static str, floors: &ErrorShare) -> Option<Finding> {
        let class = self.class;
        let tier = tier_of(floors.window_seconds);
        let requests = state.recent.sum(tier, |activity| activity.tally.requests);
        let count = state.recent.sum(tier, |activity| errors_in((class.at_endpoint)(activity)));
        if is_everyday(count, requests, floors) {
            return None;
        }
        let errors = state.recent.merged(tier, class.at_endpoint)?;
        let mut counts = self.counts_of(&errors, requests, (class.usual_at_endpoint)(state));
        if counts.errors < floors.min_errors {
            return None;
        }
        let template = wildcards(path_of(&state.template));
        let is_here = |shown: &Evidence| {
            let path = shown.url.split('?').next().unwrap_or("");
            *shown.host == *state.host && *shown.method == *state.method && pattern::matches(&template, path)
        };
        let chronic = self.leave_out_chronic(&mut counts, tier, is_here);
        self.borrow_from_host(&mut counts, &state.host, floors);
        // Where only one client ever comes, its errors are all there is to see of the endpoint.
        let is_sole = class.sole_client_speaks_for_endpoint && state.clients.count() < floors.min_clients;
        let least_clients = if is_sole { 1 } else { floors.min_clients };
        let all = self.rare(test, key, &counts, floors, least_clients);
        let all = all.map(|probability| (None, counts, probability));
        // A status that was never there stands out where others have always been.
        let found = all.or_else(|| {
            errors.statuses.iter().find_map(|(status, count)| {
                if self.rules.ignored_statuses.contains(&status) || chronic.count(status) > 0 {
                    return None;
                }
                let before = state.tally.requests.saturating_sub(requests) as f64;
                let hits = state.tally.statuses.count(status).saturating_sub(errors.statuses.count(status)) as f64;
                let mut counts = Counts { errors: count, usual: Share { hits, total: before }, ..counts };
                self.borrow_from_host(&mut counts, &state.host, floors);
                let probability = self.rare(test, key, &counts, floors, least_clients)?;
                Some((Some(status), counts, probability))
            })
        });
        let (status, counts, probability) = found?;
        if self.is_of_few(&counts, test, floors, is_sole, is_here) {
            return None;
        }
        let spike = Spike { errors, counts, probability, status };
        let mut finding = self.finding_of(Subject::Endpoint(key), self.severity_of(&counts), floors, &spike);
        finding.spoils = vec![(class.spoils_endpoint)(key)];
        Some(finding)
    }

    /// A spike of a whole host.
    fn of_host(&self, key: u64, state: &HostState) -> Option<Finding> {
        let (class, floors, scene) = (self.class, self.rules.host, self.scene);
        let tier = tier_of(floors.window_seconds);
        let (errors, requests) = self.errors_of_subject(&state.recent, tier, floors)?;
        let mut counts = self.counts_of(&errors, requests, (class.usual_of_host)(state));
        let is_here = |shown: &Evidence| *shown.host == *state.host;
        if counts.errors >= floors.min_errors {
            self.leave_out_chronic(&mut counts, tier, is_here);
        }
        let probability = self.rare(class.test_of_host, key, &counts, floors, floors.min_clients)?;
        let test = class.test_of_host;
        if self.is_of_few(&counts, test, floors, false, is_here) {
            return None;
        }
        let spike = Spike { errors, counts, probability, status: None };
        let subject = Subject::Host(state.host.to_string());
        let mut finding = self.finding_of(subject, self.severity_of(&counts), floors, &spike);
        finding.spoils = vec![(class.spoils_host)(key)];
        // What breaks a host teaches none of its endpoints.
        finding.spoils.extend(scene.endpoints_of(&state.host).map(class.spoils_endpoint));
        Some(finding)
    }

    fn severity_of(&self, counts: &Counts) -> Severity {
        let outage = self.rules.outage.filter(|(share, _)| counts.share() >= *share);
        outage.map_or(self.rules.severity, |(_, severity)| severity)
    }

    /// A spike of one client, who is compared with everybody else at the host where nothing is known of him.
    pub fn of_client(&self, key: u64, state: &ClientState) -> Option<Spike> {
        let (class, floors) = (self.class, self.rules.client);
        let tier = tier_of(floors.window_seconds);
        let (errors, requests) = self.errors_of_subject(state.recent.as_deref()?, tier, floors)?;
        let mut counts = self.counts_of(&errors, requests, (class.usual_of_client)(state));
        if counts.errors < floors.min_errors {
            return None;
        }
        if counts.usual.total < floors.min_baseline_requests as f64 {
            let (_, shown) = errors.evidence.first()?;
            counts.usual = (class.usual_of_host)(&*self.scene.store.host_named(&shown.host)?);
        }
        let probability = self.rare(class.test_of_client, key, &counts, floors, floors.min_clients)?;
        Some(Spike { errors, counts, probability, status: None })
    }

    /// Errors and requests of a client or a host within a span, where they may be a spike.
    fn errors_of_subject(
        &self,
        recent: &Tiers<SubjectActivity>,
        tier: usize,
        floors: &ErrorShare,
    ) -> Option<(Errors, u64)> {
        let requests = recent.sum(tier, |activity| activity.requests);
        let count = recent.sum(tier, |activity| errors_in((self.class.of_subject)(activity)));
        if is_everyday(count, requests, floors) {
            return None;
        }
        Some((recent.merged(tier, self.class.of_subject)?, requests))
    }

    fn counts_of(&self, errors: &Errors, requests: u64, usual: Share) -> Counts {
        let ignored: u64 = self.rules.ignored_statuses.iter().map(|status| errors.statuses.count(*status)).sum();
        Counts {
            errors: errors.statuses.total().saturating_sub(ignored),
            requests,
            clients: errors.clients.count(),
            left_out: 0,
            most_bunched: self.class.most_bunched,
            moment: errors.moment,
            usual,
        }
    }

    /// What is usual at the host weighs in: of a young endpoint little is known.
    fn borrow_from_host(&self, counts: &mut Counts, host: &str, floors: &ErrorShare) {
        if floors.host_weight <= 0.0 {
            return;
        }
        let Some(host) = self.scene.store.host_named(host) else { return };
        let usual = (self.class.usual_of_host)(&host);
        let weight = floors.host_weight.min(usual.total);
        counts.usual.add_share(&Share { hits: usual.share() * weight, total: weight });
    }

    /// How unlikely the share is, where it is rare enough to speak.
    fn rare(
        &self,
        test: &'static str,
        key: u64,
        counts: &Counts,
        floors: &ErrorShare,
        least_clients: u64,
    ) -> Option<f64> {
        self.scene.rare(test, key, probability_of(counts, floors, least_clients)?)
    }

    fn is_chronic(&self, client: &ClientState) -> bool {
        let usual = (self.class.usual_of_client)(client);
        usual.total >= CHRONIC_REQUESTS && usual.share() >= CHRONIC_SHARE
    }

    /// Whether there is no spike without one client, without those who have healed, or without both.
    fn is_of_few(
        &self,
        counts: &Counts,
        test: &'static str,
        floors: &ErrorShare,
        is_sole: bool,
        is_here: impl Fn(&Evidence) -> bool,
    ) -> bool {
        let one = if is_sole { None } else { self.without_worst(counts, floors, &is_here) };
        let is_without = |others: Option<Counts>| others.is_some_and(|others| self.is_no_spike(&others, test, floors));
        is_without(one)
            || is_without(self.without_healed(counts, floors, &is_here))
            || is_without(one.and_then(|others| self.without_healed(&others, floors, &is_here)))
    }

    /// What is left without the client with most errors, where that is told as the client's.
    fn without_worst(
        &self,
        counts: &Counts,
        floors: &ErrorShare,
        is_here: impl Fn(&Evidence) -> bool,
    ) -> Option<Counts> {
        let (tier, of_client) = (tier_of(floors.window_seconds), self.rules.client);
        let errors_of = |activity: &SubjectActivity| errors_in((self.class.of_subject)(activity));
        let counts_of = |client: &ClientState| {
            if self.is_chronic(client) {
                return None; // left out already
            }
            let recent = client.recent.as_deref()?;
            let requests = recent.sum(tier, |activity| activity.requests);
            let errors = recent.sum(tier, errors_of);
            if !of_client.enabled || is_everyday(errors, requests, of_client) {
                return None;
            }
            let share = share_of(recent.buckets(tier).filter_map(self.class.of_subject), &is_here)?;
            let here = |count: u64| (count as f64 * share) as u64;
            Some((here(errors), here(requests), client.address))
        };
        // Spikes are rare: all clients may be looked at, also those that have just gone.
        let worst = self.scene.store.clients.iter().filter_map(|client| counts_of(&client)).max();
        worst.map(|(errors, requests, _)| Counts {
            errors: counts.errors.saturating_sub(errors),
            requests: counts.requests.saturating_sub(requests),
            clients: counts.clients.saturating_sub(1),
            ..*counts
        })
    }

    fn is_no_spike(&self, counts: &Counts, test: &'static str, floors: &ErrorShare) -> bool {
        let probability = probability_of(counts, floors, floors.min_clients);
        probability.and_then(|probability| self.scene.would_be_rare(test, probability)).is_none()
    }

    /// What is left without the clients whose tokens were refused, and who came back with better ones: tokens run out, all at
    /// once when everybody is called to his telephone.
    fn without_healed(
        &self,
        counts: &Counts,
        floors: &ErrorShare,
        is_here: impl Fn(&Evidence) -> bool,
    ) -> Option<Counts> {
        if !self.class.heals {
            return None;
        }
        let tier = tier_of(floors.window_seconds);
        let mut others = *counts;
        for client in self.scene.store.clients.iter() {
            let Some(recent) = client.recent.as_deref() else { continue };
            let refused = recent.sum(tier, |activity| errors_in((self.class.of_subject)(activity)));
            if refused > MOST_REFUSED {
                continue;
            }
            let Some(errors) = recent.merged(tier, self.class.of_subject) else { continue };
            let came_back = || {
                let successes = recent.sum(tier, |activity| activity.successes);
                let moment = recent.merged(tier, |activity| Some(&activity.moment));
                successes >= refused && moment.is_some_and(|moment| moment.last > errors.moment.last)
            };
            let Some(share) = share_of([&errors], &is_here) else { continue };
            if errors.statuses.count(401) == refused && came_back() {
                let here = (refused as f64 * share).round() as u64;
                others.errors = others.errors.saturating_sub(here);
                others.requests = others.requests.saturating_sub(here);
                others.clients = others.clients.saturating_sub(1);
            }
        }
        (others.errors < counts.errors).then_some(others)
    }

    /// Takes out, here and in the past, the clients whose requests have always failed at this place: a program that
    /// nobody mends hides what happens to the others, and at night, when the others sleep, it looks like a spike.
    /// Gives their statuses.
    fn leave_out_chronic(&self, counts: &mut Counts, tier: usize, is_here: impl Fn(&Evidence) -> bool) -> StatusCounts {
        let mut statuses = StatusCounts::default();
        let all = counts.errors;
        let seconds = seconds_of(&counts.moment);
        for key in &self.scene.touched.clients {
            let Some(client) = self.scene.store.clients.get(key) else { continue };
            if !self.is_chronic(&client) {
                continue;
            }
            let Some(recent) = client.recent.as_deref() else { continue };
            let requests = recent.sum(tier, |activity| activity.requests);
            let Some(errors) = recent.merged(tier, self.class.of_subject) else { continue };
            if let Some(share) = share_of([&errors], &is_here) {
                let usual = (self.class.usual_of_client)(&client);
                // The client's span may be longer or shorter than this one's; what is uncertain goes in its favour.
                let scale = share * (seconds / seconds_of(&errors.moment)).clamp(SHORTER_SPAN, LONGER_SPAN);
                let scaled = |count: u64| (count as f64 * scale) as u64;
                let of_client = errors.statuses.total();
                // Its errors are here, but perhaps not all that it asks: no more than its errors are usually a share of.
                let asked_here = requests.min((of_client as f64 / usual.share()) as u64);
                counts.errors = counts.errors.saturating_sub(scaled(of_client) * 5 / 4);
                counts.requests = counts.requests.saturating_sub(scaled(asked_here)).max(counts.errors);
                counts.clients = counts.clients.saturating_sub(1);
                counts.usual.hits = (counts.usual.hits - share * usual.hits).max(0.0);
                counts.usual.total = (counts.usual.total - share * usual.total).max(counts.usual.hits);
                statuses.merge(&errors.statuses);
            }
        }
        counts.left_out = all - counts.errors; // which only fell
        statuses
    }

    pub fn finding_of(&self, subject: Subject, severity: Severity, floors: &ErrorShare, spike: &Spike) -> Finding {
        let Spike { errors, counts, probability, status } = spike;
        let finding = Finding::new(self.class.detector, subject, severity, errors.moment);
        let mut finding = finding.with_evidence(&errors.evidence).with_clients(&errors.clients, &errors.client_sample);
        finding.count = counts.errors;
        finding.probability = Some(*probability);
        let of_status = status.map_or(String::new(), |status| format!(" with status {status}"));
        let left_out = match (status, counts.left_out) {
            (Some(_), _) | (_, 0) => String::new(),
            (None, left_out) => format!(", not counting about {left_out} of clients that always fail"),
        };
        finding.observed = format!(
            "{} {}{of_status} in {}, {} of {} requests in {}{left_out}; in all {}",
            counts.errors,
            self.class.what,
            span_in_words(&errors.moment),
            percent(counts.share()),
            counts.requests,
            window_in_words(floors.window_seconds),
            by_status(errors)
        );
        let usual = percent(counts.usual.share());
        finding.expected = Some(match status {
            None => format!("{usual} of requests"),
            Some(status) => format!("status {status} for {usual} of requests"),
        });
        finding.reasons = super::Reasons::over(floors.window_seconds)
            .floor("min_errors", floors.min_errors as f64, counts.errors as f64)
            .floor("min_share", floors.min_share, counts.share())
            .floor("baseline_factor", floors.baseline_factor, odds_factor(counts.share(), counts.usual.share()))
            .floor("min_baseline_requests", floors.min_baseline_requests as f64, counts.usual.total.floor())
            .fact(format!("statuses: {}", by_status(errors)));
        finding
    }
}

impl Counts {
    pub fn share(&self) -> f64 {
        self.errors as f64 / self.requests.max(1) as f64
    }
}

/// How unlikely the share is by the model, where it is far enough above the usual one.
fn probability_of(counts: &Counts, floors: &ErrorShare, least_clients: u64) -> Option<Probability> {
    let Counts { errors, requests, clients, usual, most_bunched, .. } = *counts;
    let share = counts.share();
    if errors < floors.min_errors
        || share < floors.min_share
        || usual.total < floors.min_baseline_requests as f64
        || odds_factor(share, usual.share()) < floors.baseline_factor
        || clients < least_clients
    {
        return None;
    }
    // Errors of one client come together: an expired token fails ten times in a row. So many clients have failed, each in
    // so large a bunch, and only the clients are independent of each other (a design effect: Kish, "Survey Sampling", §5.4).
    let bunch = if clients > 1 { (errors as f64 / clients as f64).clamp(1.0, most_bunched) } else { 1.0 };
    let bunches = |count: u64| (count as f64 / bunch).round() as u64;
    let (hits, total) = (usual.hits as u64, usual.total as u64);
    Some(ratio_test(bunches(errors), bunches(requests), hits, total, floors.prior_strength))
}

fn seconds_of(moment: &Moment) -> f64 {
    moment.last.since(moment.first).as_secs_f64().max(1.0)
}

pub(super) fn errors_in(errors: Option<&Errors>) -> u64 {
    errors.map_or(0, |errors| errors.statuses.total())
}

/// Whether so few errors are no spike, whatever the baseline says.
fn is_everyday(errors: u64, requests: u64, floors: &ErrorShare) -> bool {
    errors < floors.min_errors || (errors as f64) < floors.min_share * requests as f64
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

/// Which share of a client's errors is in a place, by the transactions that are shown of them; none where none of these is.
fn share_of<'e>(errors: impl IntoIterator<Item = &'e Errors>, is_here: impl Fn(&Evidence) -> bool) -> Option<f64> {
    let (mut here, mut all) = (0, 0);
    for (_, shown) in errors.into_iter().flat_map(|errors| errors.evidence.iter()) {
        here += u64::from(is_here(shown));
        all += 1;
    }
    (here > 0).then(|| here as f64 / all as f64)
}
