//! One voice for each attack: what the detectors see of the same traffic joins the one that names it best.
//!
//! The order of precedence follows what an engineer would call it: logins before errors, a scan before errors, data given
//! to strangers before too much data, a walk through objects before what it carried and what it missed.

use super::error_share::errors_in;
use super::{DetectorName, Finding, Scene, Spoiled, Subject};
use crate::baseline::state::SubjectActivity;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// What attacks of the last minutes explain. They are remembered past their last transaction, because the spans that
/// detectors look at still hold what they left.
#[derive(Default)]
pub struct Memory {
    windows: VecDeque<(i64, Explained)>,
}

/// Windows for which an attack goes on explaining: the shortest span of the detectors.
const REMEMBERED_WINDOWS: i64 = 60;

/// Drops findings that are not fresh, and those that another one explains, be it that one that is `undecided` yet.
pub fn one_for_each_attack(scene: &Scene<'_>, findings: &mut Vec<Finding>, undecided: &[Finding], memory: &mut Memory) {
    findings.retain(|finding| finding.is_fresh(scene.window));
    leave_scans_to_walks(findings);
    memory.windows.retain(|(window, _)| scene.window.saturating_sub(*window) <= REMEMBERED_WINDOWS);
    host_or_endpoints(scene, findings, memory);
    let now = Explained::by(scene, findings);
    let soon = Explained::by(scene, undecided);
    findings.retain(|finding| {
        let earlier = memory.windows.iter().map(|(_, earlier)| earlier);
        !memory.has_another_name(finding)
            && !earlier.chain([&now, &soon]).any(|explained| explained.covers(scene, finding))
    });
    let told = Explained::by(scene, findings);
    if !told.is_empty() {
        memory.windows.push_back((scene.window, told));
    }
}

impl Memory {
    /// Whether a campaign at this login has been told under another name and not under this one. A client that does
    /// something else there by himself is another attacker.
    fn has_another_name(&self, finding: &Finding) -> bool {
        let is_campaign = matches!(finding.detector, "credential_stuffing" | "password_spraying" | "user_enumeration");
        let Some(endpoint) = finding.endpoint.filter(|_| is_campaign) else { return false };
        let told = self.windows.iter().flat_map(|(_, earlier)| &earlier.campaigns);
        let mut told = told.filter(|(at, _, _)| *at == endpoint);
        let is_told = told.clone().any(|(_, detector, _)| *detector == finding.detector);
        let is_of_one = matches!(finding.subject, Subject::Client(_));
        // Who sprays may learn by it which names there are.
        let joins = |name: DetectorName| (name, finding.detector) == ("password_spraying", "user_enumeration");
        !is_told && told.any(|(_, name, of)| !joins(name) && (!is_of_one || *of == finding.subject))
    }
}

/// A client that walks through objects that there mostly are not is no scanner: it asks for one known endpoint. Of a scan
/// and a walk of the same client the walk speaks, where it makes up most of what was missing.
fn leave_scans_to_walks(findings: &mut Vec<Finding>) {
    let walks: BTreeMap<IpAddr, u64> = findings
        .iter()
        .filter(|finding| finding.detector == "object_enumeration")
        .filter_map(|finding| Some((finding.client?, finding.count)))
        .collect();
    findings.retain(|finding| match (finding.detector, finding.client) {
        ("scanner", Some(client)) => walks.get(&client).is_none_or(|count| *count < finding.count),
        _ => true,
    });
}

/// Endpoints of a host with a rise of errors, from which on the host's own rise says it better.
const MANY_ENDPOINTS: usize = 3;

/// Where errors have risen, the endpoint says it better than its host; where they have at many endpoints, the host does.
fn host_or_endpoints(scene: &Scene<'_>, findings: &mut Vec<Finding>, memory: &Memory) {
    let now = Explained::by(scene, findings);
    let mut rising: BTreeMap<Place, BTreeSet<u64>> = BTreeMap::new();
    for (place, endpoints) in
        memory.windows.iter().map(|(_, earlier)| earlier).chain([&now]).flat_map(|all| &all.rising)
    {
        rising.entry(place.clone()).or_default().extend(endpoints);
    }
    let was_told = |place: &Place| memory.windows.iter().any(|(_, earlier)| earlier.rising_hosts.contains(place));
    let many = |place: &Place| rising.get(place).is_some_and(|endpoints| endpoints.len() >= MANY_ENDPOINTS);
    let whole: BTreeSet<&Place> = now.rising_hosts.iter().filter(|place| was_told(place) || many(place)).collect();
    findings.retain(|finding| match (finding.detector, &finding.subject) {
        (detector @ ("client_error_spike" | "server_error_spike" | "latency_anomaly"), Subject::Host(host)) => {
            let place = (detector, host.clone());
            whole.contains(&place) || !rising.contains_key(&place)
        }
        (detector @ ("client_error_spike" | "server_error_spike" | "latency_anomaly"), Subject::Endpoint(key)) => {
            let state = scene.store.endpoints.get(key);
            state.is_none_or(|state| !whole.contains(&(detector, state.host.to_string())))
        }
        _ => true,
    });
}

/// Attacks on accounts: what they leave for others to see is errors.
const ACCOUNT_ATTACKS: [DetectorName; 7] = [
    "credential_stuffing",
    "password_spraying",
    "brute_force",
    "otp_brute_force",
    "user_enumeration",
    "registration_abuse",
    "password_reset_abuse",
];

fn actors(finding: &Finding) -> impl Iterator<Item = IpAddr> {
    finding.client_sample.iter().copied().chain(finding.client)
}

/// A host, and the detector that sees errors rise there.
type Place = (&'static str, String);

#[derive(Default, PartialEq)]
struct Explained {
    error_endpoints: BTreeSet<u64>,
    error_hosts: BTreeSet<String>,
    /// Endpoints whose errors have risen, by host; and hosts whose errors have as a whole.
    rising: BTreeMap<Place, BTreeSet<u64>>,
    rising_hosts: BTreeSet<Place>,
    error_clients: BTreeSet<IpAddr>,
    /// Clients whose server errors are an attack's, or everybody's.
    failure_clients: BTreeSet<IpAddr>,
    exposure_endpoints: BTreeSet<u64>,
    exposure_clients: BTreeSet<IpAddr>,
    exposure_principals: BTreeSet<u64>,
    walked_endpoints: BTreeSet<u64>,
    scanners: BTreeSet<IpAddr>,
    /// Clients that walk through objects, and how many requests they made for it.
    walkers: BTreeMap<IpAddr, u64>,
    /// Login endpoints under a campaign, what it is called, and who it comes from.
    campaigns: BTreeSet<(u64, DetectorName, Subject)>,
    /// Hosts of endpoints that give too much: those who took it are not each an incident.
    exposure_hosts: BTreeSet<String>,
    /// Endpoints that give more than they did: what they give is part of that.
    generous_endpoints: BTreeSet<u64>,
    /// Clients that take more than anybody: what only they took is no fault of the endpoint.
    takers: BTreeSet<IpAddr>,
    /// Clients that are named for what they do: that they ask much for it is part of that.
    named: BTreeSet<IpAddr>,
    /// Clients that ask far more than others, and what they ask: it is slow for that.
    demanding: BTreeSet<IpAddr>,
    flooded_hosts: BTreeSet<String>,
    /// Endpoints that somebody asked for pages far too large, without personal data in them.
    large_pages: BTreeSet<u64>,
}

impl Explained {
    fn by(scene: &Scene<'_>, findings: &[Finding]) -> Explained {
        let mut explained = Explained::default();
        for finding in findings {
            explained.add_actors(scene, finding);
            explained.add_traces(scene, finding);
        }
        explained
    }

    /// Who a finding names, for what he does or for how much he asks.
    fn add_actors(&mut self, scene: &Scene<'_>, finding: &Finding) {
        match finding.detector {
            // Its rows and bytes come of how often it asks.
            "resource_abuse" => {
                // One deep document is no reason to ask for much.
                self.demanding.extend(finding.client.filter(|_| finding.probability.is_some()));
                self.large_pages.extend(finding.endpoint.filter(|key| !gives_personal_data(scene, *key)));
                self.flooded_hosts.extend(finding.evidence.iter().map(|evidence| evidence.host.clone()));
            }
            "data_exfiltration" if is_volume(finding) => {}
            detector if ACCOUNT_ATTACKS.contains(&detector) => self.named.extend(actors(finding)),
            "scanner"
            | "protocol_abuse"
            | "request_smuggling"
            | "injection"
            | "server_side_request_forgery"
            | "unsigned_token"
            | "business_flow_abuse"
            | "object_enumeration"
            | "unauthenticated_data_exposure"
            | "data_exfiltration" => self.named.extend(actors(finding)),
            "client_error_spike" | "server_error_spike" => self.named.extend(finding.client),
            "excessive_data_exposure" if finding.endpoint.is_some_and(|key| gives_personal_data(scene, key)) => {
                self.named.extend(finding.client);
            }
            _ => {}
        }
    }

    /// What a finding leaves for other detectors to see.
    fn add_traces(&mut self, scene: &Scene<'_>, finding: &Finding) {
        let host = finding.endpoint.and_then(|key| scene.store.endpoints.get(&key).map(|state| state.host.to_string()));
        match finding.detector {
            detector if ACCOUNT_ATTACKS.contains(&detector) => {
                self.error_endpoints.extend(finding.endpoint);
                self.error_hosts.extend(host);
                self.error_clients.extend(&finding.client_sample);
                self.failure_clients.extend(&finding.client_sample);
                if matches!(finding.detector, "credential_stuffing" | "password_spraying" | "user_enumeration") {
                    let of = |endpoint| (endpoint, finding.detector, finding.subject.clone());
                    self.campaigns.extend(finding.endpoint.map(of));
                }
            }
            "scanner" => {
                self.error_clients.extend(&finding.client_sample);
                self.failure_clients.extend(&finding.client_sample);
                self.scanners.extend(&finding.client_sample);
                self.error_hosts.extend(finding.evidence.iter().map(|evidence| evidence.host.clone()));
            }
            // Servers refuse such requests with 400, or break at them.
            "request_smuggling" | "injection" | "server_side_request_forgery" | "unsigned_token" => {
                self.error_clients.extend(finding.client);
                self.failure_clients.extend(finding.client);
            }
            "object_enumeration" => {
                self.error_endpoints.extend(finding.endpoint);
                self.error_hosts.extend(host);
                self.error_clients.extend(finding.client);
                self.failure_clients.extend(finding.client);
                self.walkers.extend(finding.client.map(|client| (client, finding.count)));
                self.walked_endpoints.extend(finding.endpoint);
                self.exposure_clients.extend(finding.client);
                self.exposure_principals.extend(finding.principal);
            }
            "unauthenticated_data_exposure" => {
                self.exposure_endpoints.extend(finding.endpoint);
                self.exposure_hosts.extend(host);
                self.exposure_clients.extend(&finding.client_sample);
            }
            "excessive_data_exposure" => {
                self.generous_endpoints.extend(finding.endpoint);
                // Where one client took all of it, that client may be the matter.
                self.exposure_hosts.extend(host.filter(|_| finding.client.is_none()));
            }
            // Whoever asks gets what the endpoint should not give.
            "response_drift" => self.exposure_hosts.extend(host),
            "data_exfiltration" => {
                self.takers.extend(finding.client);
                self.takers.extend(&finding.client_sample);
            }
            "client_error_spike" | "server_error_spike" | "latency_anomaly" => self.add_rise(finding, host),
            _ => {}
        }
    }

    /// A rise of errors or of slow answers: the endpoint says it better than its host, and both better than each client.
    fn add_rise(&mut self, finding: &Finding, host: Option<String>) {
        let is_of_client = matches!(finding.subject, Subject::Client(_));
        match (&finding.subject, host) {
            (Subject::Endpoint(key), Some(host)) => {
                self.rising.entry((finding.detector, host)).or_default().insert(*key);
            }
            (Subject::Host(host), _) => {
                self.rising_hosts.insert((finding.detector, host.clone()));
            }
            _ => {}
        }
        // Who provokes failures is mostly refused, too: his failures say it better.
        match (finding.detector, is_of_client) {
            ("client_error_spike", true) | ("latency_anomaly", _) => {}
            ("client_error_spike", false) | (_, true) => self.error_clients.extend(&finding.client_sample),
            (_, false) => self.failure_clients.extend(&finding.client_sample),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Explained::default()
    }

    fn covers(&self, scene: &Scene<'_>, finding: &Finding) -> bool {
        match (finding.detector, &finding.subject) {
            ("client_error_spike", Subject::Endpoint(key)) => self.error_endpoints.contains(key),
            ("client_error_spike", Subject::Host(host)) => self.error_hosts.contains(host),
            ("client_error_spike", Subject::Client(client)) => self.error_clients.contains(client),
            ("server_error_spike", Subject::Client(client)) => self.failure_clients.contains(client),
            ("excessive_data_exposure", Subject::Endpoint(key)) => {
                self.exposure_endpoints.contains(key)
                    || finding.client.is_some_and(|client| self.takers.contains(&client))
                    || self.large_pages.contains(key)
            }
            ("response_drift", Subject::Endpoint(key)) => {
                self.exposure_endpoints.contains(key) || self.generous_endpoints.contains(key)
            }
            ("data_exfiltration", Subject::Client(client)) => {
                self.exposure_clients.contains(client)
                    || self.is_of_exposing_host(finding)
                    || (is_volume(finding) && self.demanding.contains(client))
            }
            ("data_exfiltration", Subject::Principal(principal)) => {
                self.exposure_principals.contains(principal)
                    || finding.client_sample.iter().any(|client| self.exposure_clients.contains(client))
                    || self.is_of_exposing_host(finding)
                    || (is_volume(finding)
                        && finding.client_sample.iter().any(|client| self.demanding.contains(client)))
            }
            // What fails is often slow as well: failures explain about as many slow answers.
            ("latency_anomaly", Subject::Host(host)) => {
                let state = scene.store.host_named(host);
                let failures = state.map_or(0, |state| state.recent.sum(0, |a| errors_in(a.failures.as_deref())));
                self.flooded_hosts.contains(host) || (self.fails_at(host, None) && 2 * failures >= finding.count)
            }
            ("latency_anomaly", Subject::Endpoint(key)) => {
                let Some(state) = scene.store.endpoints.get(key) else { return false };
                let failures = state.recent.sum(0, |activity| errors_in(activity.failures.as_deref()));
                let fails = self.fails_at(&state.host, Some(*key)) && 2 * failures >= finding.count;
                self.flooded_hosts.contains(&*state.host) || fails
            }
            // Where requests still fail or are slow, that is the story; silence is its own.
            ("traffic_drop", Subject::Host(host)) => {
                let fails = self.fails_at(host, None) && has_failed_since(scene, host, finding.moment.first);
                let place = ("latency_anomaly", host.clone());
                fails || (finding.count > 0 && self.rising_hosts.contains(&place))
            }
            ("resource_abuse", Subject::Client(client)) => {
                self.named.contains(client)
                    || finding.endpoint.is_some_and(|key| {
                        gives_personal_data(scene, key)
                            && (self.generous_endpoints.contains(&key) || self.exposure_endpoints.contains(&key))
                    })
            }
            ("resource_abuse", _) => {
                let clients = &finding.client_sample;
                clients.iter().any(|client| self.named.contains(client))
            }
            ("cross_account_access", Subject::Principal(principal)) => self.exposure_principals.contains(principal),
            // What is named for what it sends, or for the objects that it changes.
            ("business_flow_abuse", _) => {
                finding.endpoint.is_some_and(|key| self.walked_endpoints.contains(&key))
                    || finding.client.is_some_and(|client| self.error_clients.contains(&client))
            }
            ("object_enumeration", Subject::Client(client)) => self.scanners.contains(client),
            ("scanner", Subject::Client(client)) => {
                self.walkers.get(client).is_some_and(|walked| *walked >= finding.count)
            }
            _ => false,
        }
    }

    /// Whether server errors have risen at a host, or at an endpoint of it.
    fn fails_at(&self, host: &str, endpoint: Option<u64>) -> bool {
        let place = ("server_error_spike", host.to_owned());
        let endpoints = self.rising.get(&place);
        let is_rising = endpoints.is_some_and(|keys| endpoint.is_none_or(|key| keys.contains(&key)));
        self.rising_hosts.contains(&place) || is_rising
    }

    fn is_of_exposing_host(&self, finding: &Finding) -> bool {
        finding.evidence.iter().any(|evidence| self.exposure_hosts.contains(&evidence.host))
    }
}

/// Whether a host failed since then.
fn has_failed_since(scene: &Scene<'_>, host: &str, since: Timestamp) -> bool {
    let state = scene.store.host_named(host);
    let failed =
        |activity: &SubjectActivity| activity.failures.as_ref().is_some_and(|errors| errors.moment.last >= since);
    state.is_some_and(|state| state.recent.buckets(0).any(failed))
}

/// Whether an endpoint gave personal data in the last minutes.
fn gives_personal_data(scene: &Scene<'_>, endpoint: u64) -> bool {
    let state = scene.store.endpoints.get(&endpoint);
    state.is_some_and(|state| state.recent.buckets(0).any(|activity| activity.exposure.is_some()))
}

/// Rows and bytes, whatever they are: only personal data are shown as evidence.
fn is_volume(finding: &Finding) -> bool {
    finding.detector == "data_exfiltration" && finding.evidence.is_empty()
}

/// Everything that findings of a window spoil, sorted.
pub fn spoiled_by<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> BTreeSet<Spoiled> {
    findings.into_iter().flat_map(|finding| finding.spoils.iter().copied()).collect()
}
