//! `shadow_endpoint`: an endpoint that answers with success and that nobody listed.
//!
//! Sees: endpoints outside the OpenAPI descriptions given or, where none covers them, endpoints never seen in the learned
//! baseline. Misses: what was already there while the baseline was learned. Never told of: pages that look the same for
//! every path, static files, hosts that are still being discovered.

use super::unauthenticated_data_exposure::is_own_data;
use super::{Finding, Reasons, Scene, Subject, by_sensitivity, span_in_words};
use crate::api::template::path_of;
use crate::baseline::state::{EndpointState, HostKnown, Stranger, SubjectActivity};
use crate::baseline::{SPANS, Tiers, good_turing_novelty};
use crate::inspect::DataClass;
use crate::rule::{Severity, pattern};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// New endpoints in the later half of a host's time that are nothing yet; beyond these, and one in so many of those
/// learned, new ones are everyday there.
const FEW_NEW: u64 = 4;
const MANY_NEW: u64 = 10;
/// Endpoints that appear within so much time of each other appear together.
const TOGETHER: Duration = Duration::from_secs(120);

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.shadow_endpoint;
    if !rules.enabled {
        return;
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(stranger) = state.stranger.as_deref() else { continue };
        let is_violation = state.documented == Some(false);
        if (scene.is_learning && !is_violation) || state.documented == Some(true) {
            continue;
        }
        let is_ignored = rules.ignored_methods.iter().any(|method| **method == *state.method)
            || rules.ignored_paths.iter().any(|path| pattern::matches(path, path_of(&state.template)));
        let data = sensitive_data(scene, &state);
        let enough = downloads(&state, stranger) >= rules.min_successes || (!data.is_empty() && stranger.successes > 0);
        if is_ignored
            || !enough
            || (!is_violation && is_young(scene, &state, stranger))
            || (!is_violation && data.is_empty() && is_one_more_file(scene, &state))
            || (!is_violation && !is_telling_data(scene, stranger, &data) && may_be_rare(scene, &state, stranger))
            || is_catch_all(scene, *key, &state)
        {
            continue;
        }
        findings.push(finding_of(scene, *key, &state, stranger, is_violation, &data));
    }
}

/// Its successful answers, of which the parts of one thing (206, RFC 9110 §15.3.7) are one for each client.
fn downloads(state: &EndpointState, stranger: &Stranger) -> u64 {
    let parts = state.tally.statuses.count(206).min(stranger.successes);
    stranger.successes - parts + parts.min(state.clients.count())
}

fn finding_of(
    scene: &Scene<'_>,
    key: u64,
    state: &EndpointState,
    stranger: &Stranger,
    is_violation: bool,
    data: &[Given],
) -> Finding {
    let rules = &scene.rules.shadow_endpoint;
    let is_open = stranger.open_successes > 0;
    // A page for everybody is what web sites are made of; data for everybody is another matter.
    let is_page = state.is_page();
    let severity = match (is_open, data.is_empty()) {
        (_, true) if is_probe(&state.template) => Severity::Low,
        (true, true) if is_page => rules.alert.severity,
        (true, false) => rules.sensitive_without_credentials_severity,
        (false, false) => rules.sensitive_severity,
        (true, true) => rules.without_credentials_severity,
        (false, true) => rules.alert.severity,
    };
    let mut finding = Finding::new("shadow_endpoint", Subject::Endpoint(key), severity, state.moment)
        .with_evidence(&stranger.evidence);
    finding.client_count = state.clients.count();
    finding.client_sample = stranger.clients.iter().map(|(_, address)| *address).collect();
    finding.count = stranger.successes;
    finding.observed = format!(
        "{} successful answers to {} client{} in {}, {}{}",
        stranger.successes,
        finding.client_count,
        if finding.client_count == 1 { "" } else { "s" },
        span_in_words(&state.moment),
        match stranger.open_successes {
            0 => "all with credentials".to_string(),
            open if open == stranger.successes => "without credentials".to_string(),
            open => format!("{open} without credentials"),
        },
        if data.is_empty() { String::new() } else { format!("; carries {}", in_words(data)) }
    );
    finding.expected = Some(if is_violation {
        "no OpenAPI description given names it".to_string()
    } else {
        "never seen in the learned baseline".to_string()
    });
    finding.reasons = reasons_of(scene, state, stranger, is_violation, data);
    finding
}

fn reasons_of(
    scene: &Scene<'_>,
    state: &EndpointState,
    stranger: &Stranger,
    is_violation: bool,
    data: &[Given],
) -> Reasons {
    let rules = &scene.rules.shadow_endpoint;
    let (downloads, known) = (downloads(state, stranger), stranger.known.requests);
    let mut reasons = Reasons::default();
    if downloads >= rules.min_successes {
        reasons = reasons.floor("min_successes", rules.min_successes as f64, downloads as f64);
    }
    if !is_violation {
        reasons = reasons.floor("min_baseline_requests", rules.min_baseline_requests as f64, known as f64);
    }
    if !data.is_empty() {
        reasons = reasons.fact("personal data or secrets are in what it answers".to_owned());
    }
    if stranger.open_successes > 0 {
        let (open, all) = (stranger.open_successes, stranger.successes);
        reasons = reasons.fact(format!("{open} of {all} answers were given without credentials"));
    }
    reasons.fact(format!("{known} requests of its host were seen before the first of it"))
}

/// Sensitive data that it gives, in words, where it is more than a page with a few addresses to write to. Distinct values:
/// the same page, asked for all day, stays one page.
fn sensitive_data(scene: &Scene<'_>, state: &EndpointState) -> Vec<Given> {
    let floors = &scene.rules.unauthenticated_data_exposure.min_values;
    let tier = SPANS.len() - 1;
    let exposure = state.recent.merged(tier, |activity| activity.exposure.as_deref()).unwrap_or_default();
    let leaks = state.recent.merged(tier, |activity| activity.leaks.as_deref()).unwrap_or_default();
    // Who signs up or in is answered with what he has just sent.
    let given = if state.is_entrance() { &[][..] } else { &exposure.classes[..] };
    let enough = given.iter().filter(|class| {
        class.values.count() >= by_sensitivity(floors, class.class.sensitivity()) && !is_own_data(&exposure, class)
    });
    let classes = enough.chain(&leaks.exposure.classes);
    classes.map(|class| (class.values.count(), class.class)).collect()
}

/// Distinct values of a class.
type Given = (u64, DataClass);

fn in_words(data: &[Given]) -> String {
    data.iter().map(|(count, class)| format!("{count} {}", class.name())).collect::<Vec<_>>().join(", ")
}

/// What orchestrators and monitors ask for all day: that it is there tells nobody anything.
fn is_probe(template: &str) -> bool {
    let last = template.rsplit('/').next().unwrap_or_default();
    ["health", "healthz", "healthcheck", "health-check", "ready", "readyz", "live", "livez", "alive", "ping"]
        .contains(&last)
}

/// Requests of one client for one endpoint that say something of what else there is.
const MOST_REPEATS: u64 = 10;

/// While a host is still being discovered, a new endpoint is nothing special: where little was known of the host when it
/// appeared, or much of that was seen once, or where new endpoints have kept coming.
fn is_young(scene: &Scene<'_>, state: &EndpointState, stranger: &Stranger) -> bool {
    let rules = &scene.rules.shadow_endpoint;
    let HostKnown { requests, singletons } = stranger.known;
    let mut learned = 0;
    let born = scene.store.host_named(&state.host).map(|host| host.moment.first);
    let appeared = state.moment.first;
    let half = born.map(|born| born.saturating_add(appeared.since(born) / 2));
    let (mut lately, mut visits) = (0, 0);
    for entry in scene.store.endpoints.iter().filter(|entry| entry.host == state.host) {
        if entry.is_learned {
            learned += 1;
        }
        if entry.moment.first <= appeared {
            visits += entry.clients.count();
        }
        // What came together with it, such as a release, came once.
        let came = entry.moment.first;
        let is_lately = half.is_some_and(|half| came > half) && came.saturating_add(TOGETHER) < appeared;
        lately += u64::from(is_lately && entry.successes > 0);
    }
    // A monitor that asks for one path all day makes that path known, and no other.
    let told_apart = requests.min(visits * MOST_REPEATS);
    requests < rules.min_baseline_requests
        || good_turing_novelty(singletons, told_apart) > rules.max_novelty
        || lately > FEW_NEW.max(learned / MANY_NEW)
}

/// How long a host must have been known before what was never seen there is new for certain, and not used that rarely.
const KNOWN: Duration = Duration::from_secs(86_400);
/// How unlikely it must be before then that an endpoint with so many clients since was there all the time; and with so many
/// requests, where there are so few clients that none of them can be told from the others.
const MOST_CHANCE: f64 = 1e-6;
const MOST_CHANCE_OF_FEW: f64 = 1e-3;
const FEW_CLIENTS: usize = 20;
/// Times what a client got from endpoints that nobody listed, up to which all it was ever given makes it a stranger, who came for
/// those; and the clients up to which that is looked at.
const STRANGERS_FACTOR: f64 = 1.5;
const MOST_STRANGERS: u64 = 5;
/// Answers without credentials that one client got alone, from which on it came for them.
const LONE_RUSH: u64 = 20;

/// Times the least values that are told of, from which on an endpoint gives away a table: that is no rare visit.
const TABLE_FACTOR: u64 = 10;

/// Whether what it gives speaks for itself: data for everybody, or very much of it.
fn is_telling_data(scene: &Scene<'_>, stranger: &Stranger, data: &[Given]) -> bool {
    let floors = &scene.rules.unauthenticated_data_exposure.min_values;
    let is_table = |(count, class): &Given| *count >= TABLE_FACTOR * by_sensitivity(floors, class.sensitivity());
    stranger.open_successes > 0 && !data.is_empty() || data.iter().any(is_table)
}

/// Whether it may have been there all the time, used now and then by those who use the host anyway: on a host that is known
/// for less than a day, where no stranger came for it. Each client comes by himself, with any of the host's requests: that none
/// of them came before the first of them has the chance that all but he came with the later requests.
fn may_be_rare(scene: &Scene<'_>, state: &EndpointState, stranger: &Stranger) -> bool {
    let Some(host) = scene.store.host_named(&state.host) else { return false };
    let (before, since) = (state.moment.first.since(host.moment.first), state.moment.last.since(state.moment.first));
    let clients = state.clients.count();
    // Of one client alone chance says nothing.
    let is_lone_rush = clients < 2 && stranger.open_successes >= LONE_RUSH;
    if before >= KNOWN || since >= KNOWN || is_lone_rush {
        return false;
    }
    let each = stranger.successes.div_ceil(clients.max(1));
    let came_for_it = |key: u64| {
        let Some(client) = scene.store.clients.get(&key) else { return true };
        // Recent activity is kept from the first error on; what came before was all given.
        let lately = |recent: &Tiers<SubjectActivity>| {
            let of_all = |count: fn(&SubjectActivity) -> u64| recent.sum(SPANS.len() - 1, count);
            (of_all(|activity| activity.requests), of_all(|activity| activity.successes))
        };
        let (asked, given) = client.recent.as_deref().map_or((0, 0), lately);
        let given = client.requests.saturating_sub(asked) + given;
        given as f64 <= STRANGERS_FACTOR * given_by_strangers(scene, &state.host, key) as f64
    };
    let may_be_strangers = clients <= MOST_STRANGERS && each >= scene.rules.shadow_endpoint.min_successes;
    if may_be_strangers && stranger.clients.iter().any(|(client, _)| came_for_it(client)) {
        return false;
    }
    let (earlier, all) = (stranger.known.requests, scene.store.host_known(&state.host).requests);
    let later = all.saturating_sub(earlier) as f64 / all.max(1) as f64;
    let (comers, most_chance) = match scene.store.clients.len() {
        0..FEW_CLIENTS => (stranger.successes, MOST_CHANCE_OF_FEW),
        _ => (clients, MOST_CHANCE),
    };
    later.powf(comers.saturating_sub(1) as f64) > most_chance
}

/// What a client got from endpoints of a host that nobody listed, as far as it is among those who are known to have asked.
fn given_by_strangers(scene: &Scene<'_>, host: &str, client: u64) -> u64 {
    let is_rare = |state: &EndpointState| !state.is_learned && state.clients.count() <= MOST_STRANGERS;
    let of_host = scene.store.endpoints.iter().filter(|state| *state.host == *host && is_rare(state));
    let given = of_host.filter_map(|state| {
        let stranger = state.stranger.as_deref()?;
        let has_asked = stranger.clients.iter().any(|(known, _)| known == client);
        has_asked.then(|| stranger.successes.div_ceil(state.clients.count().max(1)))
    });
    given.sum()
}

/// Fewest files of a kind beside each other.
const FILES: usize = 2;

/// Whether it is a file beside others of its kind: one more manual. Ids in a name make an endpoint of all of them.
fn is_one_more_file(scene: &Scene<'_>, state: &EndpointState) -> bool {
    let Some((folder, kind)) = file_of(&state.template) else { return false };
    let endpoints = scene.store.endpoints.iter();
    let others = endpoints.filter(|entry| {
        entry.host == state.host
            && entry.method == state.method
            && entry.successes > 0
            && entry.moment.first.saturating_add(TOGETHER) < state.moment.first
            && file_of(&entry.template) == Some((folder, kind))
    });
    others.take(FILES).count() == FILES
}

/// Extensions of documents. Programs have others: what a `.php` answers is its own affair.
const DOCUMENTS: [&str; 14] =
    ["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "epub", "txt", "md", "mp3", "mp4"];

/// The folder of a document, and the extension of its name.
fn file_of(template: &str) -> Option<(&str, &str)> {
    let (folder, name) = template.rsplit_once('/')?;
    let (stem, kind) = name.rsplit_once('.')?;
    let is_document = DOCUMENTS.iter().any(|known| kind.eq_ignore_ascii_case(known));
    (is_document && !stem.is_empty() && !name.contains('{')).then_some((folder, kind))
}

/// True where other paths of the host answer with pages of the same look: that page is the answer to everything.
fn is_catch_all(scene: &Scene<'_>, key: u64, state: &EndpointState) -> bool {
    if !state.is_page() {
        return false;
    }
    let Some((shape, _)) = state.shapes.iter().next() else { return false };
    // Many values of its last segment, and all give the same page.
    if state.template.ends_with('}') && state.shapes.len() == 1 {
        return true;
    }
    let endpoints = scene.store.endpoints.iter();
    let others = endpoints.filter(|entry| *entry.key() != key && entry.host == state.host && entry.pages > 0);
    let alike = others.filter(|entry| entry.shapes.iter().any(|(other, _)| other == shape));
    // The operations of a service answer alike, and have one path.
    let alike: BTreeSet<(Arc<str>, String)> =
        alike.map(|entry| (Arc::clone(&entry.method), path_of(&entry.template).to_owned())).collect();
    alike.len() as u64 + 1 >= scene.rules.shadow_endpoint.catch_all_min_paths
}
