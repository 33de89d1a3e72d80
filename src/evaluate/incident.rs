//! What was said: the alerts of a log, taken together by incident and detector. An incident of which several detectors speak
//! counts for each of them: each has to answer for what it said.

use super::EvaluateError;
use super::lines::{Lines, kept};
use super::traffic::Traffic;
use super::truth::{Scope, endpoint_shape};
use crate::alert::record::{AlertDetail, AlertRecord, EventType, Severity, SubjectKind};
use crate::rule::{Network, pattern};
use crate::time::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// An incident is dated by the transactions it counts, and those of the windows around an attack may count with it.
const SLACK: Duration = Duration::from_secs(60);

/// All records of one detector about one incident, taken together.
#[derive(Clone, PartialEq, Debug)]
pub struct Incident {
    pub id: String,
    pub detector: String,
    /// The worst it reached.
    pub severity: Severity,
    /// When it was first spoken of.
    pub alerted: Timestamp,
    /// The odds stated then.
    pub probability: Option<f64>,
    /// What was observed then.
    pub observed: String,
    first_seen: Timestamp,
    last_seen: Timestamp,
    endpoints: BTreeSet<String>,
    clients: BTreeSet<IpAddr>,
    networks: BTreeSet<String>,
    hosts: BTreeSet<String>,
    /// Tells the first record from the others, in whatever order they come.
    opening: (Timestamp, u64),
}

/// The incidents of an alert log.
#[derive(Clone, Default, Debug)]
pub struct AlertLog {
    /// By id and detector.
    incidents: BTreeMap<(String, String), Incident>,
}

/// What kind of line it is; the rest is read where it is an alert.
#[derive(Deserialize)]
struct Kind {
    event_type: EventType,
    timestamp: Timestamped,
}

#[derive(Deserialize)]
struct Timestamped(#[serde(with = "crate::alert::record::eve_time")] Timestamp);

impl AlertLog {
    pub fn take(&mut self, record: &AlertRecord) {
        let voice = (kept(&record.apitap.incident), kept(&record.apitap.detector));
        let opened = |(id, detector): &(String, String)| Incident::opened_by(id, detector, record);
        self.incidents.entry(voice).or_insert_with_key(opened).take(record);
    }

    /// Reads a log of EVE lines. Alerts are taken; of other lines, as far as there are any, the traffic is known.
    pub fn read(&mut self, path: &Path, traffic: &mut Traffic) -> Result<(), EvaluateError> {
        let mut lines = Lines::open(path, "`apitap replay CAPTURE --eve FILE` writes such a log")?;
        let mut transactions = Vec::new();
        while let Some(line) = lines.next()? {
            let kind: Kind = serde_json::from_str(&line).map_err(|error| lines.misfit_of_json(&error))?;
            traffic.reaches(kind.timestamp.0);
            match kind.event_type {
                EventType::Alert => {
                    self.take(&serde_json::from_str(&line).map_err(|error| lines.misfit_of_json(&error))?);
                }
                EventType::Http => transactions.push(kind.timestamp.0),
                EventType::Endpoint | EventType::Stats => {}
            }
        }
        transactions.sort_unstable();
        for (time, before) in transactions.iter().zip(0..) {
            traffic.sum(*time, before);
        }
        Ok(())
    }

    /// In the order in which they were first spoken of.
    pub fn incidents(&self) -> Vec<&Incident> {
        let mut incidents: Vec<&Incident> = self.incidents.values().collect();
        incidents.sort_by_key(|incident| (incident.alerted, &incident.id, &incident.detector));
        incidents
    }
}

impl Incident {
    fn opened_by(id: &str, detector: &str, record: &AlertRecord) -> Incident {
        let alert = &record.apitap;
        Incident {
            id: id.to_owned(),
            detector: detector.to_owned(),
            severity: own_severity(alert),
            alerted: record.timestamp,
            probability: alert.probability,
            observed: kept(&alert.observed),
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
            endpoints: BTreeSet::new(),
            clients: BTreeSet::new(),
            networks: BTreeSet::new(),
            hosts: BTreeSet::new(),
            opening: (record.timestamp, alert.sequence),
        }
    }

    fn take(&mut self, record: &AlertRecord) {
        let alert = &record.apitap;
        if (record.timestamp, alert.sequence) < self.opening {
            self.opening = (record.timestamp, alert.sequence);
            self.probability = alert.probability;
            self.observed = kept(&alert.observed);
        }
        self.severity = self.severity.max(own_severity(alert));
        self.alerted = self.alerted.min(record.timestamp);
        self.first_seen = self.first_seen.min(alert.first_seen);
        self.last_seen = self.last_seen.max(alert.last_seen);
        self.endpoints.extend(alert.endpoint.as_deref().map(endpoint_shape));
        self.clients.extend(alert.client);
        self.clients.extend(alert.clients.iter().flat_map(|clients| clients.sample.iter().copied()));
        self.networks.extend(alert.network.clone());
        if alert.subject.kind == SubjectKind::Host {
            self.hosts.insert(kept(&alert.subject.value));
        }
    }

    /// Whether it lies in a stretch of traffic: at its time, and about its endpoints or of its clients. A stretch that
    /// names neither is all the traffic of its time.
    pub fn is_within(&self, scope: &Scope) -> bool {
        let is_then =
            self.first_seen <= scope.end.saturating_add(SLACK) && self.last_seen.saturating_add(SLACK) >= scope.start;
        is_then && (scope.is_everywhere() || self.is_about(&scope.endpoints) || self.is_of(&scope.clients))
    }

    fn is_about(&self, endpoints: &[String]) -> bool {
        endpoints.iter().any(|shape| {
            // A scanner's is `GET api.example/*`.
            self.endpoints.iter().any(|own| pattern::matches(shape, own))
                || self.hosts.iter().any(|host| pattern::matches(host_of(shape), host))
        })
    }

    fn is_of(&self, clients: &[Network]) -> bool {
        let networks: Vec<Network> = self.networks.iter().filter_map(|network| network.parse().ok()).collect();
        clients.iter().any(|named| {
            self.clients.iter().any(|client| named.contains(*client))
                || networks.iter().any(|network| network.overlaps(named))
        })
    }
}

/// How bad the detector of a record found it: an incident of several has the severity of its worst.
fn own_severity(alert: &AlertDetail) -> Severity {
    let own = alert.timeline.iter().filter(|entry| entry.detector == alert.detector).map(|entry| entry.severity);
    own.max().unwrap_or(alert.severity)
}

fn host_of(shape: &str) -> &str {
    let place = shape.split_once(' ').map_or(shape, |(_, place)| place);
    place.split_once('/').map_or(place, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_stands_between_method_and_path() {
        assert_eq!(host_of("GET h/users/{}"), "h");
        assert_eq!(host_of("* *.example/x"), "*.example");
    }
}
