//! One voice for each attack: what the detectors see of the same traffic joins the one that names it best.
//!
//! The order of precedence follows what an engineer would call it: logins before errors, a scan before errors, data given
//! to strangers before too much data, a walk through objects before what it carried and what it missed.

use super::{Finding, Scene, Spoiled, Subject};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Drops findings that another one explains.
pub fn one_for_each_attack(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let explained = Explained::by(scene, findings);
    findings.retain(|finding| !explained.covers(finding));
}

#[derive(Default)]
struct Explained {
    error_endpoints: BTreeSet<u64>,
    error_hosts: BTreeSet<String>,
    error_clients: BTreeSet<IpAddr>,
    exposure_endpoints: BTreeSet<u64>,
    exposure_clients: BTreeSet<IpAddr>,
    exposure_principals: BTreeSet<u64>,
    walked_endpoints: BTreeSet<u64>,
    scanners: BTreeSet<IpAddr>,
    /// Accounts under a campaign against many: each alone is no guess at one.
    login_endpoints: BTreeSet<u64>,
}

impl Explained {
    fn by(scene: &Scene<'_>, findings: &[Finding]) -> Explained {
        let mut explained = Explained::default();
        for finding in findings {
            let host = finding.endpoint.and_then(|key| scene.store.endpoints.get(&key).map(|state| state.host.to_string()));
            match finding.detector {
                "credential_stuffing" | "password_spraying" | "brute_force" => {
                    explained.error_endpoints.extend(finding.endpoint);
                    explained.error_hosts.extend(host);
                    explained.error_clients.extend(&finding.client_sample);
                    if finding.detector != "brute_force" {
                        explained.login_endpoints.extend(finding.endpoint);
                    }
                }
                "scanner" => {
                    explained.error_clients.extend(&finding.client_sample);
                    explained.scanners.extend(&finding.client_sample);
                    explained.error_hosts.extend(finding.evidence.iter().map(|evidence| evidence.host.clone()));
                }
                "object_enumeration" => {
                    explained.error_endpoints.extend(finding.endpoint);
                    explained.error_hosts.extend(host);
                    explained.error_clients.extend(finding.client);
                    explained.walked_endpoints.extend(finding.endpoint);
                    explained.exposure_clients.extend(finding.client);
                    explained.exposure_principals.extend(finding.principal);
                }
                "unauthenticated_data_exposure" => {
                    explained.exposure_endpoints.extend(finding.endpoint);
                    explained.exposure_clients.extend(&finding.client_sample);
                }
                "excessive_data_exposure" if matches!(finding.subject, Subject::Endpoint(_)) => {
                    explained.exposure_clients.extend(&finding.client_sample);
                }
                "client_error_spike" => {
                    // The endpoint says it better than its host, and both better than each client.
                    if matches!(finding.subject, Subject::Endpoint(_)) {
                        explained.error_hosts.extend(host);
                    }
                    if !matches!(finding.subject, Subject::Client(_)) {
                        explained.error_clients.extend(&finding.client_sample);
                    }
                }
                _ => {}
            }
        }
        explained
    }

    fn covers(&self, finding: &Finding) -> bool {
        match (finding.detector, &finding.subject) {
            ("client_error_spike", Subject::Endpoint(key)) => self.error_endpoints.contains(key),
            ("client_error_spike", Subject::Host(host)) => self.error_hosts.contains(host),
            ("client_error_spike", Subject::Client(client)) => self.error_clients.contains(client),
            ("excessive_data_exposure", Subject::Endpoint(key)) => self.exposure_endpoints.contains(key),
            ("excessive_data_exposure", Subject::Client(client)) => self.exposure_clients.contains(client),
            ("excessive_data_exposure", Subject::Principal(principal)) => {
                self.exposure_principals.contains(principal)
                    || finding.client_sample.iter().any(|client| self.exposure_clients.contains(client))
            }
            ("object_enumeration", Subject::Client(client)) => self.scanners.contains(client),
            _ => false,
        }
    }
}

/// Everything that the findings of a window spoil, sorted.
pub fn spoiled_by(findings: &[Finding]) -> BTreeSet<Spoiled> {
    findings.iter().flat_map(|finding| finding.spoils.iter().copied()).collect()
}
