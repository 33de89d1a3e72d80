//! Incidents: what detectors find window after window, told once.
//!
//! A finding opens an incident or belongs to one that is open. An open incident is told of again (`updated`) when it
//! has doubled or got worse, at intervals that double; it is `closed` when nothing came of it for a while. The id is a
//! hash of detector, subject and opening window, so that the same capture gives the same ids.

mod told;

pub use told::told_since;

use super::record::{
    AlertDetail, AlertFields, AlertRecord, Clients, EveRecord, EventType, Evidence, FlowHead, HttpFields,
    IncidentState, Severity, Subject, SubjectKind, community_id, eve_time,
};
use crate::baseline::Store;
use crate::detect::{self, Finding};
use crate::hash::HashKey;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use crate::window::start_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// An incident is over when nothing came of it for so long: the shortest span of the detectors.
const QUIET: Duration = Duration::from_secs(600);
/// Who guesses at logins pauses, and a slow campaign hovers about the floors: that is still the same attack.
const LOGINS_QUIET: Duration = Duration::from_secs(3600);
/// An endpoint that nobody listed is no news each time somebody uses it.
const ENDPOINT_QUIET: Duration = Duration::from_secs(86_400);

fn quiet_of(finding: &Finding) -> Duration {
    match finding.detector {
        "shadow_endpoint" => ENDPOINT_QUIET,
        "credential_stuffing" | "password_spraying" | "brute_force" => LOGINS_QUIET,
        _ => QUIET,
    }
}

/// The shortest time between two records of one incident; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Incidents open at once: when so many are, more say nothing new. What comes past it is counted and not told.
const MAX_OPEN: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Incident {
    id: String,
    finding: Finding,
    /// Worst so far: it does not get better while it is open.
    severity: Severity,
    /// Records so far: the sequence of the last one. States of earlier versions have none.
    #[serde(default)]
    told: u64,
    told_count: u64,
    told_severity: Severity,
    told_at: Timestamp,
    pause: Duration,
    first_seen: Timestamp,
    /// Somebody knows: it is not told of again, unless it gets worse, and when it is over.
    #[serde(default)]
    is_acknowledged: bool,
}

/// An open incident, as operators see it in a list.
#[derive(Clone, Debug, Serialize)]
pub struct OpenIncident {
    pub id: String,
    pub detector: &'static str,
    pub severity: Severity,
    pub subject: Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(with = "eve_time")]
    pub first_seen: Timestamp,
    #[serde(with = "eve_time")]
    pub last_seen: Timestamp,
    pub count: u64,
    pub observed: String,
    pub is_acknowledged: bool,
}

/// What a run's incidents amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentTally {
    /// By detector and by the worst severity each incident reached.
    pub by_detector: BTreeMap<&'static str, BTreeMap<Severity, u64>>,
    pub suppressed: u64,
    /// Findings that were not told because too many incidents were open.
    pub over_limit: u64,
}

impl IncidentTally {
    pub fn total(&self) -> u64 {
        self.by_detector.values().flat_map(BTreeMap::values).sum()
    }

    /// Incidents at least this bad.
    pub fn at_least(&self, severity: Severity) -> u64 {
        self.by_detector.values().flat_map(|counts| counts.range(severity..)).map(|(_, count)| count).sum()
    }
}

pub struct Incidents {
    key: HashKey,
    open: BTreeMap<String, Incident>,
    tally: IncidentTally,
}

impl Incidents {
    pub fn new(key: HashKey) -> Incidents {
        Incidents { key, open: BTreeMap::new(), tally: IncidentTally::default() }
    }

    /// The open incidents as JSON, for the next run.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&self.open)
    }

    /// Goes on with the open incidents of an earlier run.
    pub fn restore(&mut self, json: &[u8]) -> serde_json::Result<()> {
        self.open = serde_json::from_slice(json)?;
        Ok(())
    }

    /// Takes an address out of what is open. Incidents about it go, without a word; others lose what they show of it.
    /// Returns how many changed.
    pub fn forget_client(&mut self, address: IpAddr) -> u64 {
        let before = self.open.len();
        self.open.retain(|_, incident| {
            incident.finding.client != Some(address) && incident.finding.subject != detect::Subject::Client(address)
        });
        let gone = before - self.open.len();
        let mut scrubbed = 0;
        for finding in self.open.values_mut().map(|incident| &mut incident.finding) {
            let shown = finding.client_sample.len() + finding.evidence.len();
            finding.client_sample.retain(|client| *client != address);
            finding.evidence.retain(|evidence| !evidence.holds(address));
            scrubbed += u64::from(finding.client_sample.len() + finding.evidence.len() < shown);
        }
        gone as u64 + scrubbed
    }

    /// Takes out what is open about endpoints, without a word. Returns how many there were.
    pub fn forget_endpoints(&mut self, endpoints: &[u64]) -> u64 {
        let before = self.open.len();
        self.open
            .retain(|_, incident| !incident.finding.endpoint.is_some_and(|endpoint| endpoints.contains(&endpoint)));
        (before - self.open.len()) as u64
    }

    /// The incidents so far, the open ones among them.
    pub fn tally(&self) -> IncidentTally {
        let mut tally = self.tally.clone();
        for incident in self.open.values() {
            count(&mut tally, incident);
        }
        tally
    }

    /// How many are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// How many are open, by severity and by whether somebody acknowledged them.
    pub fn open_by_severity(&self) -> BTreeMap<(Severity, bool), u64> {
        let mut counts = BTreeMap::new();
        for incident in self.open.values() {
            *counts.entry((incident.severity, incident.is_acknowledged)).or_default() += 1;
        }
        counts
    }

    /// The open ones, worst first.
    pub fn list(&self, store: &Store) -> Vec<OpenIncident> {
        let mut list: Vec<OpenIncident> = self.open.values().map(|incident| open_incident(incident, store)).collect();
        list.sort_by(|one, other| {
            (other.severity, other.last_seen, &one.id).cmp(&(one.severity, one.last_seen, &other.id))
        });
        list
    }

    /// The whole record of an open one, as it would be told now.
    pub fn show(&self, id: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let incident = self.open.values().find(|incident| incident.id == id)?;
        record_of(incident, IncidentState::Updated, now, name_of(&incident.finding, store), rules)
    }

    /// Somebody knows of an open one. False where there is none of that id.
    pub fn acknowledge(&mut self, id: &str) -> bool {
        let found = self.open.values_mut().find(|incident| incident.id == id);
        found.is_some_and(|incident| {
            incident.is_acknowledged = true;
            true
        })
    }

    /// Closes an open one before its time. What goes on opens another.
    pub fn close_one(&mut self, id: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let identity = self.open.iter().find(|(_, incident)| incident.id == id)?.0.clone();
        self.close(&identity, now, store, rules)
    }

    /// Takes in what was found in a window; gives what is to be told, in order.
    pub fn update(&mut self, window: i64, findings: Vec<Finding>, store: &Store, rules: &Ruleset) -> Vec<AlertRecord> {
        let now = start_of(window + 1);
        let mut records = Vec::new();
        for finding in findings {
            let name = name_of(&finding, store);
            if rules.suppressed(finding.detector, name.as_deref(), finding.client, now) {
                self.tally.suppressed += 1;
                continue;
            }
            self.take(window, now, finding, name, rules, &mut records);
        }
        self.close_quiet(now, store, rules, &mut records);
        records.sort_by_key(|one| (one.timestamp, one.flow_id));
        records
    }

    /// The run is over: what is open is closed.
    pub fn finish(&mut self, now: Timestamp, store: &Store, rules: &Ruleset) -> Vec<AlertRecord> {
        let keys: Vec<String> = self.open.keys().cloned().collect();
        let mut records: Vec<AlertRecord> = keys.iter().filter_map(|key| self.close(key, now, store, rules)).collect();
        records.sort_by_key(|one| (one.timestamp, one.flow_id));
        records
    }

    fn take(
        &mut self,
        window: i64,
        now: Timestamp,
        finding: Finding,
        name: Option<String>,
        rules: &Ruleset,
        records: &mut Vec<AlertRecord>,
    ) {
        let identity = identity_of(&finding);
        if let Some(incident) = self.open.get_mut(&identity) {
            incident.severity = incident.severity.max(finding.severity);
            let evidence = std::mem::take(&mut incident.finding.evidence);
            incident.finding = finding;
            incident.finding.severity = incident.severity;
            incident.finding.evidence = evidence;
            let doubled = incident.finding.count >= incident.told_count.saturating_mul(2);
            let worse = incident.severity > incident.told_severity;
            let rested = now.since(incident.told_at) >= incident.pause;
            if worse || (doubled && rested && !incident.is_acknowledged) {
                incident.told += 1;
                incident.told_count = incident.finding.count;
                incident.told_severity = incident.severity;
                incident.told_at = now;
                incident.pause *= 2;
                records.extend(record_of(incident, IncidentState::Updated, now, name, rules));
            }
            return;
        }
        if self.open.len() >= MAX_OPEN {
            self.tally.over_limit += 1;
            return;
        }
        let id = format!("{:016x}", self.key.secret("incident", format!("{identity}|{window}").as_bytes()));
        let incident = Incident {
            id,
            severity: finding.severity,
            told: 1,
            told_count: finding.count,
            told_severity: finding.severity,
            told_at: now,
            pause: FIRST_PAUSE,
            first_seen: finding.moment.first,
            is_acknowledged: false,
            finding,
        };
        records.extend(record_of(&incident, IncidentState::Opened, now, name, rules));
        self.open.insert(identity, incident);
    }

    fn close_quiet(&mut self, now: Timestamp, store: &Store, rules: &Ruleset, records: &mut Vec<AlertRecord>) {
        let quiet: Vec<String> = self
            .open
            .iter()
            .filter(|(_, incident)| now.since(incident.finding.moment.last) > quiet_of(&incident.finding))
            .map(|(identity, _)| identity.clone())
            .collect();
        for identity in quiet {
            records.extend(self.close(&identity, now, store, rules));
        }
    }

    fn close(&mut self, identity: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let mut incident = self.open.remove(identity)?;
        incident.told += 1;
        count(&mut self.tally, &incident);
        let name = name_of(&incident.finding, store);
        record_of(&incident, IncidentState::Closed, now, name, rules)
    }
}

fn name_of(finding: &Finding, store: &Store) -> Option<String> {
    finding.endpoint.and_then(|key| store.endpoints.get(&key).map(|state| state.name()))
}

fn open_incident(incident: &Incident, store: &Store) -> OpenIncident {
    let finding = &incident.finding;
    let endpoint = name_of(finding, store);
    OpenIncident {
        id: incident.id.clone(),
        detector: finding.detector,
        severity: incident.severity,
        subject: subject_of(finding, endpoint.as_deref()),
        endpoint,
        first_seen: incident.first_seen,
        last_seen: finding.moment.last,
        count: finding.count,
        observed: finding.observed.clone(),
        is_acknowledged: incident.is_acknowledged,
    }
}

fn count(tally: &mut IncidentTally, incident: &Incident) {
    *tally.by_detector.entry(incident.finding.detector).or_default().entry(incident.severity).or_default() += 1;
}

/// What makes two findings one incident. A campaign against a login endpoint is one, whatever its sources turn out
/// to be; else detector, subject and endpoint.
fn identity_of(finding: &Finding) -> String {
    match (finding.detector, finding.endpoint) {
        ("credential_stuffing" | "password_spraying", Some(endpoint)) => {
            format!("{}|{endpoint:016x}", finding.detector)
        }
        // One client that guesses at one account after the other is one incident.
        ("brute_force", Some(endpoint)) if finding.client.is_some() => {
            format!("brute_force|{:?}|{endpoint:016x}", finding.client)
        }
        (detector, Some(endpoint)) => format!("{detector}|{:?}|{endpoint:016x}", finding.subject),
        (detector, None) => format!("{detector}|{:?}", finding.subject),
    }
}

fn record_of(
    incident: &Incident,
    state: IncidentState,
    now: Timestamp,
    name: Option<String>,
    rules: &Ruleset,
) -> Option<AlertRecord> {
    let finding = &incident.finding;
    let text = rules.alert_text(finding.detector)?;
    let evidence: Vec<Evidence> = finding.evidence.iter().map(|shown| evidence_of(shown)).collect();
    let detail = AlertDetail {
        detector: finding.detector.to_string(),
        incident: incident.id.clone(),
        sequence: incident.told,
        state,
        severity: incident.severity,
        probability: finding.probability,
        subject: subject_of(finding, name.as_deref()),
        endpoint: name,
        client: finding.client,
        principal: finding.principal.map(|principal| format!("{principal:016x}")),
        network: finding.network.clone(),
        clients: (finding.client_count > 0)
            .then(|| Clients { count: finding.client_count, sample: finding.client_sample.clone() }),
        first_seen: incident.first_seen.min(finding.moment.first),
        last_seen: finding.moment.last,
        count: finding.count,
        observed: finding.observed.clone(),
        expected: finding.expected.clone(),
        evidence,
        owasp: text.owasp.clone(),
        advice: text.advice.clone(),
    };
    let mut record = EveRecord::new(now, EventType::Alert, detail);
    if let Some(first) = finding.evidence.first() {
        let (client, server) = (SocketAddr::from(first.source), SocketAddr::from(first.destination));
        record = record.with_flow(FlowHead { flow_id: first.flow_id, client, server, community_id: "" });
        record.community_id = Some(community_id(0, client, server).into());
        record.http = Some(http_of(first));
    }
    record.alert = Some(AlertFields::new(
        text.signature_id,
        text.rev,
        text.signature.clone(),
        text.category.clone(),
        incident.severity,
    ));
    Some(record)
}

fn evidence_of(shown: &crate::window::Evidence) -> Evidence {
    Evidence {
        timestamp: shown.time,
        src_ip: shown.source.0,
        src_port: shown.source.1,
        dest_ip: shown.destination.0,
        dest_port: shown.destination.1,
        http: http_of(shown),
    }
}

fn http_of(shown: &crate::window::Evidence) -> HttpFields<'static> {
    HttpFields {
        hostname: Some(shown.host.clone().into()),
        url: Some(shown.url.clone().into()),
        http_user_agent: shown.user_agent.clone().map(Into::into),
        http_method: Some(shown.method.clone().into()),
        protocol: (!shown.protocol.is_empty()).then(|| shown.protocol.clone()),
        status: shown.status,
        length: shown.length,
        ..HttpFields::default()
    }
}

fn subject_of(finding: &Finding, name: Option<&str>) -> Subject {
    let (kind, value) = match &finding.subject {
        detect::Subject::Endpoint(key) => {
            (SubjectKind::Endpoint, name.map_or_else(|| format!("{key:016x}"), str::to_string))
        }
        detect::Subject::Client(address) => (SubjectKind::Client, address.to_string()),
        detect::Subject::Principal(hash) => (SubjectKind::Principal, format!("{hash:016x}")),
        detect::Subject::Network(network) => (SubjectKind::Network, network.clone()),
        detect::Subject::Host(host) => (SubjectKind::Host, host.clone()),
        detect::Subject::Sensor(part) => (SubjectKind::Sensor, part.clone()),
        detect::Subject::Account(hash) => (SubjectKind::Account, format!("{hash:016x}")),
    };
    Subject { kind, value }
}
