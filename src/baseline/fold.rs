//! Learning: what a judged window teaches.
//!
//! Lessons are taken when the window is absorbed and folded in after it was judged: a window that was anomalous in some
//! dimension does not teach there, and makes nothing forget, so that an attacker cannot teach the sensor. What stays so for days
//! is another matter: see `quarantine`.

use super::habit::Came;
use super::lesson::{SubjectLesson, TakenLesson};
use super::persist::Kind;
use super::quarantine::Quarantine;
use super::settling::SettledShare;
use super::state::{ClientState, EndpointState, ExposureNormal, Quarantines, Share, TakenNormal};
use super::store::{Store, Touched};
use super::tiers::{DAY_WINDOWS, Tiers, tier_of};
use crate::rule::Severity;
use crate::window::{Merge, Parts, Reach};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What a window was anomalous in: it is not folded into that baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spoiled {
    EndpointErrors(u64),
    ClientErrors(IpAddr),
    /// The client's errors as those of an attack, which are never its habit.
    ClientAttack(IpAddr),
    HostErrors(u64),
    EndpointFailures(u64),
    ClientFailures(IpAddr),
    HostFailures(u64),
    Logins(u64),
    /// Logins as far as they would teach; what was odd about them goes on to count.
    OddLogins(u64),
    EndpointExposure(u64),
    ClientExposure(IpAddr),
    PrincipalExposure(u64),
    Reach(u64),
    /// The places of a principal.
    Places(u64),
    /// How much a client, or a principal, asks.
    ClientDemand(IpAddr),
    PrincipalDemand(u64),
    PageSizes(u64),
    EndpointPace(u64),
    HostTraffic(u64),
    /// Nothing: the endpoint was told of as a zombie, as this bad, and is not again.
    Zombie(u64, Severity),
    /// Nothing: the parameter of an endpoint, by its name's hash, was told of, as this bad.
    Parameter(u64, u64, Severity),
    /// Nothing: that the endpoint served the principal was told of.
    Outsider(u64, u64),
    /// Where the principal comes from and what it asks for, in this awakening: it was told of, as this bad.
    Awakening(u64, Severity),
}

/// Windows that a lesson stands for at most, where nothing happened in between: a week.
const MOST_WINDOWS: i64 = 7 * 8640;

/// Quantile of the looks at an endpoint up to which a look is like others.
const ORDINARY_QUANTILE: f64 = 0.95;

/// Objects of a first look that are ordinary anywhere: a page of details.
const FEW_AT_FIRST: u64 = 5;
/// Looks at an endpoint that are few.
const FEW_LOOKS: u64 = 10;

/// Windows between two looks at a subject's reach: the shortest span.
const REACH_WINDOWS: i64 = super::tiers::SPANS[0];

impl Store {
    /// Folds a judged window into the baselines, except where it was spoiled.
    pub fn fold(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        self.note_told(spoiled);
        let told_logins = self.fold_endpoints(index, touched, spoiled);
        self.fold_clients(index, touched, spoiled);
        self.fold_principals(index, touched, spoiled);
        self.fold_hosts(index, touched, spoiled);
        self.tell_attempts(touched, &told_logins);
        self.fold_habits(touched, spoiled);
        self.fold_reaches(index, touched, spoiled);
    }

    /// What was told of once is not told of again.
    fn note_told(&self, spoiled: &BTreeSet<Spoiled>) {
        for told in spoiled {
            match told {
                Spoiled::Zombie(key, severity) => {
                    if let Some(mut state) = self.endpoints.get_mut(key) {
                        state.told_as_zombie = Some(*severity);
                    }
                }
                Spoiled::Parameter(key, name, severity) => {
                    if let Some(mut state) = self.endpoints.get_mut(key)
                        && let Some(parameters) = &mut state.parameters
                    {
                        parameters.tell(*name, *severity);
                    }
                }
                Spoiled::Outsider(key, principal) => {
                    if let Some(mut state) = self.endpoints.get_mut(key)
                        && let Some(circle) = &mut state.circle
                    {
                        circle.tell(*principal);
                    }
                }
                Spoiled::Awakening(key, severity) => {
                    if let Some(mut state) = self.principals.get_mut(key)
                        && let Some(awakening) = state.lasting.as_mut().and_then(|lasting| lasting.awakening.as_mut())
                    {
                        awakening.told = Some(*severity);
                    }
                }
                _ => {}
            }
        }
    }

    /// Gives the endpoints whose logins were told of.
    fn fold_endpoints(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) -> BTreeSet<u64> {
        let mut told_logins = BTreeSet::new();
        for (key, lesson) in &touched.endpoint_lessons {
            let Some(mut state) = self.endpoints.get_mut(key) else { continue };
            let state = &mut *state;
            let passed = index.saturating_sub(std::mem::replace(&mut state.taught, index));
            let (at, is_learning) = ((index, passed), touched.is_learning);
            let is_shut = state.gate.is_shut(index);
            let parts = Parts {
                errors: spoiled.contains(&Spoiled::EndpointErrors(*key)),
                logins: spoiled.contains(&Spoiled::Logins(*key)) || is_shut,
                data: spoiled.contains(&Spoiled::EndpointExposure(*key)),
            };
            state.recent.tell(parts);
            if parts.logins {
                told_logins.insert(*key);
                state.logins_told = if is_shut { state.logins_told } else { Some(index) };
            }
            // What is found in the sum of a day is under way in all of it, also in windows that alone say nothing.
            let is_odd = spoiled.contains(&Spoiled::OddLogins(*key));
            let was_told = state.logins_told.is_some_and(|told| index.saturating_sub(told) < DAY_WINDOWS);
            let is_told = is_shut || is_odd || was_told;
            let told = Told {
                errors: parts.errors,
                failures: spoiled.contains(&Spoiled::EndpointFailures(*key)),
                attacks: lesson.logins > 0 || is_told,
            };
            let counts = [lesson.errors, lesson.failures, lesson.requests];
            let shares = (&mut state.errors, &mut state.failures);
            teach_shares(shares, &mut state.quarantine, at, counts, &told, is_learning);
            let nonsense = (lesson.login_nonsense, lesson.login_failures);
            teach_share(&mut state.login_nonsense, at, nonsense, is_told || told.errors, is_learning);
            let failures = (lesson.login_failures, lesson.logins);
            teach_share(&mut state.login_failures, at, failures, is_told, is_learning);
            for (usual, calls, has_any) in [
                (&mut state.strange_failures, lesson.strange_failures, lesson.logins > 0),
                (&mut state.strange_calls, lesson.strange_calls, lesson.has_account_calls),
            ] {
                let windows = match usual.is_known() {
                    true => passed.clamp(1, MOST_WINDOWS) as u64,
                    false => u64::from(has_any),
                };
                teach_share(usual, at, (calls, windows), is_told, is_learning);
            }
            if spoiled.contains(&Spoiled::EndpointPace(*key)) {
                state.pace.retract();
                let quarantine = state.slow_quarantine.get_or_insert_default();
                if let Some(usual) = quarantine.add(index, lesson.latency.clone()) {
                    state.pace.adopt(&usual);
                    state.slow_quarantine = None;
                }
            } else if !parts.errors {
                state.pace.teach(index, &lesson.latency, touched.is_learning);
            }
            if spoiled.contains(&Spoiled::PageSizes(*key)) {
                state.fresh_page_sizes.retract();
            } else if let Some(sizes) = lesson.page_sizes.clone() {
                let settled = if touched.is_learning { Some(sizes) } else { state.fresh_page_sizes.add(index, sizes) };
                state.page_sizes.merge(settled.map(Box::new));
            }
            state.login_sessions.fade(passed);
            let carriers = lesson.login_successes.max(lesson.login_sessions);
            state.login_sessions.add(lesson.login_sessions, carriers);
            if parts.data {
                state.exposure.retract();
                state.open_exposure.retract();
                state.fresh_answers.retract();
            } else {
                state.exposure.fade(passed);
                state.open_exposure.fade(passed);
                state.exposure.teach(index, lesson.exposure.clone(), touched.is_learning);
                state.open_exposure.teach(index, lesson.open_exposure.clone(), touched.is_learning);
                let answers = lesson.answers.clone();
                let settled = if touched.is_learning { Some(answers) } else { state.fresh_answers.add(index, answers) };
                if let Some(settled) = settled {
                    settled.sizes.into_hdr(&mut state.sizes);
                    settled.records.into_hdr(&mut state.records);
                    settled.sensitive_values.into_hdr(&mut state.sensitive_values);
                }
            }
        }
        told_logins
    }

    fn fold_clients(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        for (key, lesson) in &touched.client_lessons {
            let Some(mut state) = self.clients.get_mut(key) else { continue };
            let passed = index.saturating_sub(std::mem::replace(&mut state.taught, index));
            let told = Told {
                errors: spoiled.contains(&Spoiled::ClientErrors(state.address)),
                failures: spoiled.contains(&Spoiled::ClientFailures(state.address)),
                attacks: spoiled.contains(&Spoiled::ClientAttack(state.address)),
            };
            teach_client(&mut state, lesson, (index, passed), &told);
            let is_spoiled = spoiled.contains(&Spoiled::ClientExposure(state.address));
            teach_exposure(&mut state.exposure, lesson, (index, passed), is_spoiled, touched.is_learning);
            let is_abuse = spoiled.contains(&Spoiled::ClientDemand(state.address));
            self.teach_demand((index, *key), lesson, is_abuse, touched.is_learning);
            let is_spoiled = is_spoiled || is_abuse;
            if state.recent.is_some() || state.taken.is_some() {
                teach_taken(&mut state.taken, lesson.taken, (index, passed), is_spoiled, touched.is_learning);
            }
        }
    }

    fn fold_principals(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        for (key, lesson) in &touched.principal_lessons {
            let Some(mut state) = self.principals.get_mut(key) else { continue };
            if touched.is_learning
                && let Some(places) = &state.places
            {
                let networks = places.sum(tier_of(3600), |places| places.networks.count());
                state.usual_networks = state.usual_networks.max(networks);
            }
            if spoiled.contains(&Spoiled::Places(*key)) {
                state.places.iter_mut().for_each(|places| places.tell(Parts::ALL));
            }
            let passed = index.saturating_sub(std::mem::replace(&mut state.taught, index));
            let is_spoiled = spoiled.contains(&Spoiled::PrincipalExposure(*key));
            teach_exposure(&mut state.exposure, lesson, (index, passed), is_spoiled, touched.is_learning);
            let is_spoiled = is_spoiled || spoiled.contains(&Spoiled::PrincipalDemand(*key));
            if state.recent.is_some() || state.taken.is_some() {
                teach_taken(&mut state.taken, lesson.taken, (index, passed), is_spoiled, touched.is_learning);
            }
        }
    }

    fn fold_hosts(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        for (key, lesson) in &touched.host_lessons {
            let Some(mut state) = self.hosts.get_mut(key) else { continue };
            let lesson = &lesson.of_all;
            let passed = index.saturating_sub(std::mem::replace(&mut state.taught, index));
            let told = Told {
                errors: spoiled.contains(&Spoiled::HostErrors(*key)),
                failures: spoiled.contains(&Spoiled::HostFailures(*key)),
                attacks: false,
            };
            let state = &mut *state;
            let counts = [lesson.errors, lesson.failures, lesson.requests];
            let shares = (&mut state.errors, &mut state.failures);
            teach_shares(shares, &mut state.quarantine, (index, passed), counts, &told, touched.is_learning);
        }
    }

    /// Marks what clients and accounts did at logins that were told of.
    fn tell_attempts(&self, touched: &Touched, told_logins: &BTreeSet<u64>) {
        for (map, keys) in
            [(&self.login_clients, &touched.login_clients), (&self.login_accounts, &touched.login_accounts)]
        {
            for key in keys {
                let Some(mut state) = map.get_mut(key) else { continue };
                if state.endpoint.is_some_and(|endpoint| told_logins.contains(&endpoint)) {
                    state.recent.tell(Parts::ALL);
                }
            }
        }
    }

    /// What a client, by its window and key, asked of each host: an example to go by, or none.
    fn teach_demand(&self, (index, client): (i64, u64), lesson: &SubjectLesson, is_abuse: bool, is_learning: bool) {
        for asked in lesson.asked.iter() {
            let Some(mut host) = self.hosts.get_mut(&asked.host) else { continue };
            host.demand.begin(index, is_learning);
            if is_abuse {
                host.demand.forget(client);
            } else {
                host.demand.add(client, &asked);
            }
        }
    }

    /// What came in a window of each host, also where that was nothing. Where most requests have no answer, the sensor sees
    /// one direction only: then it does not know.
    fn fold_habits(&self, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        let of_all = |count: fn(&SubjectLesson) -> u64| {
            touched.host_lessons.iter().map(|(_, one)| count(&one.of_all)).sum::<u64>()
        };
        let (requests, answered) = (of_all(|lesson| lesson.requests), of_all(|lesson| lesson.answered));
        if requests == 0 || 2 * answered < requests {
            return;
        }
        for mut host in self.hosts.iter_mut() {
            let key = *host.key();
            let came = touched.host_lessons.binary_search_by_key(&key, |(key, _)| *key);
            let came = came.map_or_else(|_| Came::default(), |at| touched.host_lessons[at].1.came()); // it gives an index within
            let was_dropped = host.habit.is_dropped();
            host.habit.pass(touched.local, came, spoiled.contains(&Spoiled::HostTraffic(key)), touched.is_learning);
            if was_dropped || host.habit.is_dropped() {
                self.changes.note(Kind::Host, [key]);
            }
        }
    }

    /// Whether others reach so many objects of an endpoint at once, or use it so often, too.
    fn is_ordinary_look(&self, look: &Look) -> bool {
        // At a new endpoint nobody knows yet what is ordinary.
        let is_like_others = |state: &EndpointState| {
            let (looks, ordinary) = state.looks(look.is_use, ORDINARY_QUANTILE);
            !state.is_learned && looks < FEW_LOOKS || look.count <= ordinary
        };
        look.count <= FEW_AT_FIRST || self.endpoints.get(&look.endpoint).is_none_or(|state| is_like_others(&state))
    }

    fn fold_reaches(&self, index: i64, touched: &Touched, spoiled: &BTreeSet<Spoiled>) {
        for key in &touched.reaches {
            let Some(mut state) = self.reaches.get_mut(key) else { continue };
            let state = &mut *state;
            if spoiled.contains(&Spoiled::Reach(*key)) {
                state.tell(index);
                continue;
            }
            if state.was_told_lately(index) {
                continue;
            }
            let Some(look) = look_now(&state.recent) else { continue };
            let count = look.count;
            let is_first = state.since.is_none();
            state.pass(index);
            // Who was there while learning has always been there.
            state.since.get_or_insert(if touched.is_learning { i64::MIN } else { index });
            // The peers' normal takes a subject's first look, where that is like others, and the spans that are over; while
            // learning, when nobody is judged, also each doubling within a span: most subjects never come back. Who begins with
            // more than others reach would else set the norm that he is held against.
            if touched.is_learning {
                state.learn(index, count, true);
            }
            let noted = if is_first {
                (state.noted, state.under_way) = (index, count);
                (touched.is_learning || self.is_ordinary_look(&look)).then_some(count)
            } else if index.saturating_sub(state.noted) < REACH_WINDOWS {
                let has_doubled = count.ilog2() > state.under_way.max(1).ilog2();
                state.under_way = state.under_way.max(count);
                (touched.is_learning && has_doubled).then_some(count)
            } else {
                let over = std::mem::replace(&mut state.under_way, count);
                state.learn(index, over, touched.is_learning);
                state.noted = index;
                // Few use a function at all, and one who goes on would soon be a share of them.
                let teaches =
                    touched.is_learning || !look.is_use || self.is_ordinary_look(&Look { count: over, ..look });
                teaches.then_some(over)
            };
            if touched.is_learning {
                state.settle();
            }
            if let (Some(noted @ 1..), Some(mut endpoint)) = (noted, self.endpoints.get_mut(&look.endpoint)) {
                endpoint.note_look(look.is_use, noted);
                self.changes.note(Kind::Endpoint, [*endpoint.key()]);
            }
        }
    }
}

/// What a subject reaches of an endpoint, or uses it, within the shortest span: one or more.
#[derive(Clone, Copy)]
struct Look {
    endpoint: u64,
    is_use: bool,
    count: u64,
}

fn look_now(recent: &Tiers<Reach>) -> Option<Look> {
    let mut buckets = recent.buckets(0);
    let first = buckets.next()?;
    let count = match buckets.next() {
        None => first.count(),
        Some(second) if first.is_use() => first.uses + second.uses,
        Some(second) => {
            let mut objects = first.objects.clone();
            objects.merge(&second.objects);
            objects.count()
        }
    };
    Some(Look { endpoint: first.endpoint, is_use: first.is_use(), count: count.max(1) })
}

/// What of a window was told of.
struct Told {
    errors: bool,
    failures: bool,
    /// Attempts at accounts, and what else is an attack by its nature: its errors are among those.
    attacks: bool,
}

/// A window's hits and total. `at` is the window, and how many passed since the last; what was told of makes nothing forget.
fn teach_share(share: &mut SettledShare, at: (i64, i64), (hits, total): (u64, u64), is_told: bool, is_learning: bool) {
    if is_told {
        share.retract();
        return;
    }
    share.fade(at.1);
    if total > 0 {
        share.add(at.0, hits, total, is_learning);
    }
}

/// A window's errors and failures, of so many requests, of an endpoint or a host; what is told of goes to the second baseline.
fn teach_shares(
    (errors, failures): (&mut SettledShare, &mut SettledShare),
    quarantine: &mut Option<Box<Quarantines>>,
    at: (i64, i64),
    counts: [u64; 3],
    told: &Told,
    is_learning: bool,
) {
    let [erring, failing, requests] = counts;
    teach_share(errors, at, (erring, requests), told.errors, is_learning);
    teach_share(failures, at, (failing, requests), told.failures, is_learning);
    let [second_errors, second_failures] = set_aside(quarantine, at.0, counts, told);
    second_errors.into_iter().for_each(|usual| errors.adopt(usual));
    second_failures.into_iter().for_each(|usual| failures.adopt(usual));
}

/// Errors and failures that were told of go to the second baselines; gives those that are to take the place of the first.
fn set_aside(
    quarantine: &mut Option<Box<Quarantines>>,
    window: i64,
    [erring, failing, requests]: [u64; 3],
    told: &Told,
) -> [Option<Share>; 2] {
    let mut add = |hits: u64, second: fn(&mut Quarantines) -> &mut Quarantine<Share>| {
        let lesson = Share { hits: hits as f64, total: requests as f64 };
        second(quarantine.get_or_insert_default()).add(window, lesson)
    };
    let errors = (told.errors && !told.attacks).then(|| add(erring, |both| &mut both.errors)).flatten();
    let failures = told.failures.then(|| add(failing, |both| &mut both.failures)).flatten();
    [errors, failures]
}

/// A client's errors and failures. Most clients never meet a server error: only of one that did is anything kept.
fn teach_client(state: &mut ClientState, lesson: &SubjectLesson, (index, passed): (i64, i64), told: &Told) {
    if !told.errors && !told.attacks {
        state.errors.fade(passed);
        state.errors.add(lesson.errors, lesson.requests);
    }
    if !told.failures && (state.failures.is_some() || lesson.failures > 0) {
        let failures = state.failures.get_or_insert_default();
        failures.fade(passed);
        failures.add(lesson.failures, lesson.requests);
    }
    let counts = [lesson.errors, lesson.failures, lesson.requests];
    let [errors, failures] = set_aside(&mut state.quarantine, index, counts, told);
    state.errors = errors.unwrap_or(state.errors);
    state.failures = failures.map(Box::new).or_else(|| state.failures.take());
}

/// Only a key that carries sensitive data has an exposure to learn. `at` is the window, and how many passed since the last.
fn teach_exposure(
    normal: &mut Option<Box<ExposureNormal>>,
    lesson: &SubjectLesson,
    at: (i64, i64),
    is_spoiled: bool,
    is_learning: bool,
) {
    if normal.is_none() && lesson.exposure.classes.is_empty() {
        return;
    }
    let normal = normal.get_or_insert_default();
    if is_spoiled {
        normal.retract();
    } else {
        normal.fade(at.1);
        normal.teach(at.0, lesson.exposure.clone(), is_learning);
    }
}

/// Only of a key whose recent activity is kept it is known what is usual. `at` as for [`teach_exposure`].
fn teach_taken(
    normal: &mut Option<Box<TakenNormal>>,
    lesson: TakenLesson,
    at: (i64, i64),
    is_spoiled: bool,
    is_learning: bool,
) {
    let normal = normal.get_or_insert_default();
    if is_spoiled {
        normal.retract();
    } else {
        normal.fade(at.1);
        normal.teach(at.0, lesson, is_learning);
    }
}
