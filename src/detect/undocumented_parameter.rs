//! `undocumented_parameter`: an accepted request with a parameter that is out of place.
//!
//! Sees: names in the query or at the top of a JSON or form body that an OpenAPI description does not declare for the
//! operation, and names that tell of rights or money where they never came before (mass assignment). The server answered
//! with success: whether it heeded the parameter does not show. A header that asks for another method is one. It breaks a
//! policy: it claims no odds. Misses: fields deeper in a body, other headers, multipart forms; ordinary names where nothing is described; what came while the sensor learned,
//! unless a description speaks against it.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject};
use crate::api::parameters::Place;
use crate::baseline::Parameter;
use crate::rule::Severity;
use crate::window::distinct::{DistinctSet, FEW_REGISTERS};
use crate::window::sample::BottomK;
use crate::window::{EvidenceSample, Merge, Moment};
use std::net::IpAddr;

/// Names that a finding lists.
const LISTED: usize = 5;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    if !scene.rules.undocumented_parameter.enabled {
        return;
    }
    for key in &scene.touched.endpoints {
        let Some(state) = scene.store.endpoints.get(key) else { continue };
        let Some(parameters) = &state.parameters else { continue };
        let mut told: Vec<(Severity, u64, &Parameter)> = parameters
            .of_window(scene.window)
            .filter_map(|(name, parameter)| Some((severity_of(scene, parameter)?, name, parameter)))
            .collect();
        told.sort_by_key(|(severity, name, _)| (std::cmp::Reverse(*severity), *name));
        findings.extend(finding_of(scene, *key, &told));
    }
}

/// How bad a parameter is; nothing where it is not worth telling, or was told of.
fn severity_of(scene: &Scene<'_>, parameter: &Parameter) -> Option<Severity> {
    let rules = &scene.rules.undocumented_parameter;
    let used = &parameter.used;
    let clients = used.clients.count();
    let is_new = !scene.is_learning && parameter.before >= least_before(scene, parameter);
    let severity = match (used.is_telling, used.is_undeclared) {
        (true, true) => Some(rules.undeclared_severity),
        (true, false) => is_new.then_some(rules.new_severity),
        (false, _) => is_new.then_some(rules.alert.severity),
    };
    // Somebody else who sends a telling name is news; who sends an ordinary one is not.
    let is_told = parameter.told.is_some_and(|(told, then)| {
        severity.is_none_or(|severity| told >= severity) && (!used.is_telling || then >= clients)
    });
    severity.filter(|_| clients <= rules.max_clients && !is_told)
}

/// Requests without a name that make it new.
fn least_before(scene: &Scene<'_>, parameter: &Parameter) -> u64 {
    let rules = &scene.rules.undocumented_parameter;
    if parameter.used.is_telling { rules.min_requests_telling } else { rules.min_requests }
}

fn finding_of(scene: &Scene<'_>, key: u64, told: &[(Severity, u64, &Parameter)]) -> Option<Finding> {
    let (severity, _, worst) = told.first()?;
    let mut moment = Moment::default();
    let mut evidence: EvidenceSample = EvidenceSample::default();
    let (mut clients, mut sample): (DistinctSet<FEW_REGISTERS>, BottomK<IpAddr, 5>) = Default::default();
    for (_, _, parameter) in told {
        moment.merge(parameter.used.moment);
        clients.merge(&parameter.used.clients);
        sample.merge(&parameter.used.client_sample);
        parameter.used.evidence.iter().for_each(|(shown, transaction)| evidence.insert(*shown, transaction.clone()));
    }
    let mut finding = Finding::new("undocumented_parameter", Subject::Endpoint(key), *severity, moment);
    finding = finding.with_evidence(&evidence);
    finding.client_count = clients.count();
    finding.client_sample = sample.iter().map(|(_, address)| *address).collect();
    finding.client = finding.client_sample.first().copied().filter(|_| finding.client_count == 1);
    finding.count = told.iter().map(|(_, _, parameter)| parameter.used.requests).sum();
    let names: Vec<String> = told.iter().take(LISTED).map(|(_, _, parameter)| named(parameter)).collect();
    let more = told.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    finding.observed = format!("accepted: {}{more}", names.join(", "));
    finding.expected = Some(match worst.used.is_undeclared {
        true => "the OpenAPI description does not declare it".to_owned(),
        false => format!("never sent in {} requests", worst.before),
    });
    if !worst.used.is_undeclared || !worst.used.is_telling {
        let name = if worst.used.is_telling { "min_requests_telling" } else { "min_requests" };
        let least = least_before(scene, worst) as f64;
        finding.reasons = Reasons::default().floor(name, least, worst.before as f64);
    }
    if worst.used.is_telling {
        finding.reasons = finding.reasons.fact(match worst.used.place {
            Place::MethodOverride => "rights are often checked for the method of the request line only".to_owned(),
            _ => format!("`{}` tells of rights, money or the server's workings", worst.used.name),
        });
    }
    finding.spoils = told.iter().map(|(severity, name, _)| Spoiled::Parameter(key, *name, *severity)).collect();
    Some(finding)
}

fn named(parameter: &Parameter) -> String {
    let name = &parameter.used.name;
    match parameter.used.place {
        Place::Query => format!("`{name}` in the query"),
        Place::Body => format!("`{name}` in the body"),
        Place::MethodOverride => format!("a header that makes it {name}"),
    }
}
