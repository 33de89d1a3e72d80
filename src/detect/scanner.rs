//! `scanner`: one client that asks for many paths that there are not.
//!
//! Sees: the number of distinct missing paths of a client and their share of its requests, over minutes and over an
//! hour; where much is missing for all clients of the host, it must be twice as much. Misses: scans spread over many addresses, and those that only ask for paths that exist.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::SubjectActivity;
use crate::baseline::tier_of;
use crate::window::AskedByHost;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.scanner;
    if !rules.enabled {
        return;
    }
    let horizons = [(rules.window_seconds, rules.min_paths), (rules.slow_window_seconds, rules.slow_min_paths)];
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let found = horizons.iter().find_map(|(seconds, min_paths)| {
            let tier = tier_of(*seconds);
            let paths = |activity: &SubjectActivity| {
                activity.errors.as_deref().map_or(0, |errors| errors.missing_paths.count())
            };
            if recent.sum(tier, paths) < *min_paths {
                return None;
            }
            let errors = recent.merged(tier, |activity| activity.errors.as_deref())?;
            let requests = recent.sum(tier, |activity| activity.requests);
            let successes = recent.sum(tier, |activity| activity.successes);
            let missing: u64 = rules.statuses.iter().map(|status| errors.statuses.count(*status)).sum();
            let share = missing as f64 / requests.max(1) as f64;
            let min_share = rules.min_missing_share.max(least_share(scene, recent.merged(tier, |a| Some(&a.asked))?));
            let is_scan = errors.missing_paths.count() >= *min_paths && share >= min_share;
            let floor = (*seconds, *min_paths, min_share);
            is_scan.then_some((errors, share, successes, floor))
        });
        let Some((errors, share, successes, (seconds, min_paths, min_share))) = found else { continue };
        let paths = errors.missing_paths.count().min(errors.statuses.total()); // many are an estimate
        let has_found = successes > 0 && (scene.is_learning || found_something(scene, *key));
        let severity = if has_found { rules.found_severity } else { rules.alert.severity };
        let mut finding = Finding::new("scanner", Subject::Client(state.address), severity, errors.moment)
            .with_evidence(&errors.evidence);
        finding.client_count = 1;
        finding.client_sample = vec![state.address];
        finding.count = errors.statuses.total();
        finding.observed = format!(
            "{paths} paths that do not exist asked for in {}, {} of its requests; {successes} answered with success",
            span_in_words(&errors.moment),
            percent(share),
        );
        finding.expected = Some(format!("fewer than {min_paths} missing paths"));
        finding.reasons = Reasons::over(seconds)
            .floor("min_paths", min_paths as f64, paths as f64)
            .floor("min_missing_share", min_share, share)
            .fact(format!("{} of its requests met nothing", percent(share)))
            .fact(format!("{successes} were answered with success"));
        finding.spoils = vec![Spoiled::ClientAttack(state.address)];
        findings.push(finding);
    }
}

/// Where much is missing for everybody (mirrors of packages, tiles of maps), a scan misses twice as much: up to this share.
const MOST_MISSING: f64 = 0.9;

fn least_share(scene: &Scene<'_>, asked: AskedByHost) -> f64 {
    let busiest = asked.iter().max_by_key(|asked| asked.requests).filter(|_| !scene.is_learning);
    let host = busiest.and_then(|asked| scene.store.hosts.get(&asked.host));
    host.map_or(0.0, |host| (2.0 * host.errors.usual().share()).min(MOST_MISSING))
}

/// Whether a client was answered where nobody had been: what else it got is what everybody gets.
fn found_something(scene: &Scene<'_>, client: u64) -> bool {
    scene.store.endpoints.iter().any(|state| {
        let stranger = state.stranger.as_deref().filter(|stranger| !state.is_learned && stranger.successes > 0);
        stranger.is_some_and(|stranger| stranger.clients.iter().any(|(known, _)| known == client))
    })
}
