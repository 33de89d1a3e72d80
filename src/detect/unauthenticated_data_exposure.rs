//! `unauthenticated_data_exposure`: personal data given to clients that sent no credentials.
//!
//! Sees: distinct sensitive values in successful answers to requests without credentials, from an endpoint where that is
//! new, or at volume anywhere. Misses: data in forms that no class covers, credentials that travel in unknown ways, and,
//! at endpoints that are open anyway, a leak that gives each client one record only.

use super::stats::ratio_test;
use super::{Finding, Reasons, Scene, Spoiled, Subject, by_sensitivity, may_reach, percent, span_in_words};
use crate::baseline::state::EndpointState;
use crate::baseline::{SPANS, tier_of};
use crate::inspect::{DataClass, Sensitivity};
use crate::rule::Severity;
use crate::window::{ClassExposure, Exposure, pair_key};

/// Answers before from which on they say who is given some.
const LEAST_ANSWERED: f64 = 10.0;
/// Answers with such data from which on an endpoint may be closed, and the share of them that goes to strangers all the same.
const ANSWERED_WHERE_CLOSED: f64 = 100.0;
const OPEN_WHERE_CLOSED: f64 = 0.01;
/// Values of one class that one person may have: an address of his own and one of his work.
pub(super) const VALUES_OF_ONE_PERSON: u64 = 2;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.unauthenticated_data_exposure;
    if !rules.enabled {
        return;
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        if rules.except_login_endpoints && state.is_entrance() {
            continue;
        }
        let found = rules.horizons_seconds.iter().find_map(|horizon| {
            let tier = tier_of(*horizon);
            let open = state.recent.buckets(tier).filter_map(|activity| activity.open_exposure.as_deref());
            let floor_of = |class: DataClass| {
                let floors = [&rules.min_values, &rules.min_values_where_closed, &rules.min_values_where_usual];
                floors.map(|floors| by_sensitivity(floors, class.sensitivity())).into_iter().min().unwrap_or(0)
            };
            if !may_reach(open, floor_of) {
                return None;
            }
            let exposure = state.recent.merged(tier, |activity| activity.open_exposure.as_deref())?;
            let successes = state.recent.sum(tier, |activity| activity.successes);
            let over: Vec<ClassExposure> = exposure
                .classes
                .iter()
                .filter(|class| is_too_much(scene, (*key, &state), &exposure, successes, class))
                .cloned()
                .collect();
            (!over.is_empty()).then_some((*horizon, exposure, over))
        });
        if let Some((horizon, exposure, over)) = found {
            let mut finding = finding_of(scene, *key, &state, &exposure, &over);
            finding.reasons = reasons_of(scene, &state, horizon, &exposure, &over);
            findings.push(finding);
        }
    }
}

fn is_too_much(
    scene: &Scene<'_>,
    (key, state): (u64, &EndpointState),
    exposure: &Exposure,
    successes: u64,
    class: &ClassExposure,
) -> bool {
    let rules = &scene.rules.unauthenticated_data_exposure;
    if rules.ignored_classes.iter().any(|name| name == class.class.name()) {
        return false;
    }
    let is_new = is_new_here(scene, (key, state), class, successes);
    let floors = match is_new {
        true if is_closed(state, exposure) => &rules.min_values_where_closed,
        true => &rules.min_values,
        false => &rules.min_values_where_usual,
    };
    class.values.count() >= by_sensitivity(floors, class.class.sensitivity())
        && (is_guarded(scene, state) || !is_own_data(exposure, class))
}

/// Whether most requests of an endpoint carry credentials, or most of those did that it answered with success before: what
/// strangers are given in a rush soon is most of the requests.
fn is_guarded(scene: &Scene<'_>, state: &EndpointState) -> bool {
    let least = scene.rules.unauthenticated_data_exposure.min_authenticated_share;
    let (answered, open) = (state.exposure.responses, state.open_exposure.responses);
    let was_guarded = answered >= LEAST_ANSWERED && answered - open >= least * answered;
    state.authenticated_share() >= least || was_guarded
}

/// Whether hardly anybody was given anything there without credentials until now.
fn is_closed(state: &EndpointState, exposure: &Exposure) -> bool {
    let (answered, open) = (state.exposure.responses, state.open_exposure.responses - exposure.responses as f64);
    answered >= ANSWERED_WHERE_CLOSED && open <= OPEN_WHERE_CLOSED * answered
}

/// Whether each client got about one record: a sign-up, a guest's order or a password reset shows everybody his own data.
pub(super) fn is_own_data(exposure: &Exposure, class: &ClassExposure) -> bool {
    class.values.count() <= VALUES_OF_ONE_PERSON * exposure.clients.count()
}

/// Whether giving this class without credentials is new at this endpoint.
fn is_new_here(scene: &Scene<'_>, (key, state): (u64, &EndpointState), class: &ClassExposure, successes: u64) -> bool {
    let usual = &state.open_exposure;
    if scene.is_learning || is_usual(scene, state, class.class) {
        return false;
    }
    if !state.is_learned || is_guarded(scene, state) {
        return true;
    }
    // An open endpoint: that nobody saw such a value there before must not be chance. One that writes to strangers what
    // people wrote has a telephone number in it now and then.
    let base = usual.responses as u64;
    let chance = ratio_test(class.responses, successes, 0, base, base as f64);
    base > 0
        && scene.rare("unauthenticated_data_exposure.new_class", pair_key(key, class.class as u64), chance).is_some()
}

/// Whether the endpoint gave such data without credentials before. What it began to give within the horizon that is judged is
/// a part of the matter: who is slow would else be usual before there is enough to speak of.
fn is_usual(scene: &Scene<'_>, state: &EndpointState, class: DataClass) -> bool {
    let longest =
        scene.rules.unauthenticated_data_exposure.horizons_seconds.iter().map(|horizon| tier_of(*horizon)).max();
    let windows = longest.map_or(0, |tier| SPANS[tier]);
    state.open_exposure.class(class).is_older_than(windows, scene.window)
}

fn finding_of(
    scene: &Scene<'_>,
    key: u64,
    state: &EndpointState,
    exposure: &Exposure,
    over: &[ClassExposure],
) -> Finding {
    let rules = &scene.rules.unauthenticated_data_exposure;
    let severity = over.iter().map(|class| severity_of(scene, state, class)).max().unwrap_or(rules.alert.severity);
    let mut finding = Finding::new("unauthenticated_data_exposure", Subject::Endpoint(key), severity, exposure.moment)
        .with_evidence(&exposure.evidence)
        .with_clients(&exposure.clients, &exposure.client_sample);
    finding.client = finding.only_client();
    finding.count = exposure.responses;
    finding.observed = format!(
        "{} in {} answers without credentials to {} client{} in {}",
        classes_in_words(over),
        exposure.responses,
        finding.client_count,
        if finding.client_count == 1 { "" } else { "s" },
        span_in_words(&exposure.moment)
    );
    finding.expected = Some(if state.open_exposure.responses > 0.0 {
        "such data only to clients with credentials, or less of it".to_string()
    } else {
        format!(
            "no such data without credentials; {} of requests here carry some",
            percent(state.authenticated_share())
        )
    });
    finding.spoils = vec![Spoiled::EndpointExposure(key)];
    finding.spoils.extend(finding.client_sample.iter().copied().map(Spoiled::ClientExposure));
    finding
}

fn reasons_of(
    scene: &Scene<'_>,
    state: &EndpointState,
    horizon: u64,
    exposure: &Exposure,
    over: &[ClassExposure],
) -> Reasons {
    let reasons = Reasons::over(horizon);
    let Some(worst) = over.iter().max_by_key(|class| (class.class.sensitivity(), class.values.count())) else {
        return reasons;
    };
    let (values, name) = (worst.values.count(), worst.class.name());
    let least = by_sensitivity(&scene.rules.unauthenticated_data_exposure.min_values, worst.class.sensitivity());
    let before = state.open_exposure.class(worst.class).values;
    let each = values as f64 / exposure.clients.count().max(1) as f64;
    reasons
        .floor("min_values", least as f64, values as f64)
        .fact(match before > 0.0 {
            true => format!("about {before:.0} {name} were given without credentials before"),
            false => format!("no {name} was given without credentials before"),
        })
        .fact(format!("{each:.0} different {name} for each client"))
        .fact(format!("{} of its requests carry credentials", percent(state.authenticated_share())))
}

fn severity_of(scene: &Scene<'_>, state: &EndpointState, class: &ClassExposure) -> Severity {
    let rules = &scene.rules.unauthenticated_data_exposure;
    let sensitivity: Sensitivity = class.class.sensitivity();
    let severity = by_sensitivity(&rules.severity, sensitivity);
    // A public directory is large; that does not make it worse.
    if !is_usual(scene, state, class.class)
        && class.values.count() >= by_sensitivity(&rules.escalating_values, sensitivity)
    {
        severity.worse()
    } else {
        severity
    }
}

/// `412 email (j***@e***.com), 398 phone`, most sensitive first.
pub fn classes_in_words(classes: &[ClassExposure]) -> String {
    let mut sorted: Vec<&ClassExposure> = classes.iter().collect();
    sorted.sort_by_key(|class| (std::cmp::Reverse(class.class.sensitivity()), class.class));
    let words: Vec<String> = sorted
        .iter()
        .take(4)
        .map(|class| {
            let sample = class.sample.iter().next().map_or(String::new(), |(_, sample)| format!(" ({sample})"));
            format!("{} {}{sample}", class.values.count(), class.class.name())
        })
        .collect();
    words.join(", ")
}
