//! `apitap score`: were the attacks of a truth file found, and was anything said that was not so?
//!
//! In: the truth that `apitap simulate` writes and the EVE log that `apitap replay` writes of the same traffic. Out: for
//! each attack the detector that found it, how severe and how soon; and the false incidents. Incidents are counted, not
//! records.
//!
//! An incident *fits* an attack or a benign change when it is of one of its detectors (those that should speak or that
//! may), at its time, and about its endpoints or of its clients. An attack is found when a detector that should speak
//! fits. What fits no attack, and no benign change at a severity that is allowed there, is false.

mod report;

use super::args::ScoreArgs;
use super::tail::network_contains;
use crate::alert::record::{AlertDetail, AlertRecord, EventType, Severity, SubjectKind, eve_time};
use crate::rule::pattern;
use crate::time::Timestamp;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// An incident is dated by the transactions it counts, and those of the windows around an attack may count with it.
const SLACK: Duration = Duration::from_secs(60);

pub fn run(args: &ScoreArgs) -> anyhow::Result<ExitCode> {
    let truth = Truth::read(&args.truth)?;
    let alerts = read_alerts(&args.alerts)?;
    let score = Score::of(&truth, &alerts, args.false_from);
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &score)?;
        writeln!(out)?;
    } else {
        report::write(&mut out, &score, args.max_false)?;
    }
    let too_many_false = args.max_false.is_some_and(|most| score.false_incidents.len() > most);
    Ok(if score.missed() > 0 || too_many_false { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A stretch of traffic that was an attack.
#[derive(Clone, Debug, Deserialize)]
pub struct Attack {
    pub attack: String,
    pub level: String,
    #[serde(with = "eve_time")]
    pub start: Timestamp,
    #[serde(with = "eve_time")]
    pub end: Timestamp,
    pub clients: BTreeSet<IpAddr>,
    pub endpoints: BTreeSet<String>,
    /// Should speak.
    pub detectors: Vec<String>,
    /// May speak as well.
    pub may: Vec<String>,
}

/// A lawful change of which some detectors may speak, up to a severity.
#[derive(Clone, Debug, Deserialize)]
pub struct Benign {
    pub benign: String,
    #[serde(with = "eve_time")]
    pub start: Timestamp,
    #[serde(with = "eve_time")]
    pub end: Timestamp,
    pub endpoints: BTreeSet<String>,
    pub may: Vec<String>,
    pub max_severity: Severity,
}

#[derive(Clone, Default, Debug)]
pub struct Truth {
    pub attacks: Vec<Attack>,
    pub benign: Vec<Benign>,
}

impl Truth {
    fn read(path: &Path) -> anyhow::Result<Truth> {
        let file = File::open(path).with_context(|| {
            format!("cannot read {}; `apitap simulate -o OUT.pcap` writes OUT.truth.jsonl", path.display())
        })?;
        Truth::parse(BufReader::new(file)).with_context(|| format!("{} is no truth file", path.display()))
    }

    pub fn parse(lines: impl BufRead) -> anyhow::Result<Truth> {
        let mut truth = Truth::default();
        for (index, line) in lines.lines().enumerate() {
            let place = || format!("line {}", index + 1);
            let line = line.with_context(place)?;
            let value: serde_json::Value = serde_json::from_str(&line).with_context(place)?;
            if value.get("attack").is_some() {
                truth.attacks.push(serde_json::from_value(value).with_context(place)?);
            } else if value.get("benign").is_some() {
                truth.benign.push(serde_json::from_value(value).with_context(place)?);
            } else if !value.is_object() {
                bail!("{}: not an object", place());
            }
        }
        Ok(truth)
    }
}

fn read_alerts(path: &Path) -> anyhow::Result<Vec<AlertRecord>> {
    let file = File::open(path)
        .with_context(|| format!("cannot read {}; `apitap replay CAPTURE --eve ALERTS` writes it", path.display()))?;
    let mut alerts = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), index + 1);
        let line = line.with_context(place)?;
        let kind: serde_json::Value = serde_json::from_str(&line).with_context(place)?;
        if kind.get("event_type").and_then(|kind| kind.as_str()) == Some(EventType::Alert.name()) {
            alerts.push(serde_json::from_str(&line).with_context(place)?);
        }
    }
    Ok(alerts)
}

/// All records of one voice of an incident, taken together.
#[derive(Clone, Debug)]
struct Incident {
    id: String,
    detector: String,
    /// The worst it reached.
    severity: Severity,
    /// When it was first spoken of.
    alerted: Timestamp,
    first_seen: Timestamp,
    last_seen: Timestamp,
    endpoints: BTreeSet<String>,
    clients: BTreeSet<IpAddr>,
    networks: BTreeSet<String>,
    hosts: BTreeSet<String>,
    observed: String,
}

impl Incident {
    fn opened_by(record: &AlertRecord) -> Incident {
        let alert = &record.apitap;
        Incident {
            id: alert.incident.clone(),
            detector: alert.detector.clone(),
            severity: own_severity(alert),
            alerted: record.timestamp,
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
            endpoints: BTreeSet::new(),
            clients: BTreeSet::new(),
            networks: BTreeSet::new(),
            hosts: BTreeSet::new(),
            observed: String::new(),
        }
    }

    fn take(&mut self, record: &AlertRecord) {
        let alert = &record.apitap;
        self.severity = self.severity.max(own_severity(alert));
        self.alerted = self.alerted.min(record.timestamp);
        self.first_seen = self.first_seen.min(alert.first_seen);
        self.last_seen = self.last_seen.max(alert.last_seen);
        self.endpoints.extend(alert.endpoint.as_deref().map(endpoint_shape));
        self.clients.extend(alert.client);
        self.clients.extend(alert.clients.iter().flat_map(|clients| clients.sample.iter().copied()));
        self.networks.extend(alert.network.clone());
        if alert.subject.kind == SubjectKind::Host {
            self.hosts.insert(alert.subject.value.clone());
        }
        self.observed.clone_from(&alert.observed);
    }

    fn is_at(&self, start: Timestamp, end: Timestamp) -> bool {
        self.first_seen <= end.saturating_add(SLACK) && self.last_seen.saturating_add(SLACK) >= start
    }

    fn is_about(&self, endpoints: &BTreeSet<String>) -> bool {
        endpoints.iter().any(|endpoint| {
            let shape = endpoint_shape(endpoint); // a scanner's is `GET api.example/*`
            self.endpoints.iter().any(|own| pattern::matches(&shape, own))
                || self.hosts.iter().any(|host| host_of(&shape) == host)
        })
    }

    fn is_of(&self, clients: &BTreeSet<IpAddr>) -> bool {
        clients.iter().any(|client| {
            self.clients.contains(client) || self.networks.iter().any(|network| network_contains(network, *client))
        })
    }

    fn fits_attack(&self, attack: &Attack) -> bool {
        self.is_at(attack.start, attack.end) && (self.is_about(&attack.endpoints) || self.is_of(&attack.clients))
    }

    fn fits_benign(&self, benign: &Benign) -> bool {
        benign.may.contains(&self.detector)
            && self.severity <= benign.max_severity
            && self.is_at(benign.start, benign.end)
            && (benign.endpoints.is_empty() || self.is_about(&benign.endpoints))
    }
}

/// An endpoint without what may be named differently: `GET api.example/users/{}`.
fn endpoint_shape(endpoint: &str) -> String {
    let mut shape = String::with_capacity(endpoint.len());
    let mut inside = false;
    for c in endpoint.replacen(" /", "/", 1).chars() {
        match c {
            '{' => {
                inside = true;
                shape.push(c);
            }
            '}' => {
                inside = false;
                shape.push(c);
            }
            _ if inside => {}
            _ => shape.push(c),
        }
    }
    shape
}

fn host_of(shape: &str) -> &str {
    let place = shape.split_once(' ').map_or(shape, |(_, place)| place);
    place.split_once('/').map_or(place, |(host, _)| host)
}

/// How the sensor did.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Score {
    pub attacks: Vec<AttackScore>,
    pub benign: Vec<BenignScore>,
    pub false_incidents: Vec<FalseIncident>,
    pub incidents: usize,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AttackScore {
    pub attack: String,
    pub level: String,
    pub found: bool,
    /// Of the earliest incident that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// From the attack's first request to the alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<f64>,
    /// Detectors that spoke of it besides.
    pub also: BTreeSet<String>,
}

/// A lawful change, and who spoke of it within what is allowed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BenignScore {
    pub benign: String,
    pub spoken_of_by: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FalseIncident {
    #[serde(with = "eve_time")]
    pub timestamp: Timestamp,
    pub incident: String,
    pub detector: String,
    pub severity: Severity,
    pub observed: String,
}

impl Score {
    pub fn of(truth: &Truth, alerts: &[AlertRecord], false_from: Severity) -> Score {
        let incidents = incidents_of(alerts);
        let fits_any = |incident: &Incident| {
            let of_attack = |attack: &Attack| {
                let named = attack.detectors.contains(&incident.detector) || attack.may.contains(&incident.detector);
                named && incident.fits_attack(attack)
            };
            truth.attacks.iter().any(of_attack) || truth.benign.iter().any(|benign| incident.fits_benign(benign))
        };
        let false_incidents = incidents
            .iter()
            .filter(|incident| incident.severity >= false_from && !fits_any(incident))
            .map(|incident| FalseIncident {
                timestamp: incident.alerted,
                incident: incident.id.clone(),
                detector: incident.detector.clone(),
                severity: incident.severity,
                observed: incident.observed.clone(),
            })
            .collect();
        let attacks = truth.attacks.iter().map(|attack| score_attack(attack, &incidents)).collect();
        let benign = truth.benign.iter().map(|benign| score_benign(benign, &incidents)).collect();
        Score { attacks, benign, false_incidents, incidents: incidents.len() }
    }

    pub fn missed(&self) -> usize {
        self.attacks.iter().filter(|attack| !attack.found).count()
    }
}

fn score_attack(attack: &Attack, incidents: &[Incident]) -> AttackScore {
    let fitting: Vec<&Incident> = incidents.iter().filter(|incident| incident.fits_attack(attack)).collect();
    let finders = fitting.iter().filter(|incident| attack.detectors.contains(&incident.detector));
    let first = finders.min_by_key(|incident| (incident.alerted, incident.id.clone()));
    let worst = fitting
        .iter()
        .filter(|incident| first.is_some_and(|first| first.detector == incident.detector))
        .map(|incident| incident.severity)
        .max();
    AttackScore {
        attack: attack.attack.clone(),
        level: attack.level.clone(),
        found: first.is_some(),
        detector: first.map(|incident| incident.detector.clone()),
        severity: worst,
        delay_seconds: first.map(|incident| incident.alerted.since(attack.start).as_secs_f64()),
        also: fitting
            .iter()
            .map(|incident| &incident.detector)
            .filter(|detector| first.is_none_or(|first| first.detector != **detector))
            .cloned()
            .collect(),
    }
}

fn score_benign(benign: &Benign, incidents: &[Incident]) -> BenignScore {
    let fitting = incidents.iter().filter(|incident| incident.fits_benign(benign));
    let spoken_of_by = fitting.map(|incident| incident.detector.clone()).collect();
    BenignScore { benign: benign.benign.clone(), spoken_of_by }
}

/// How bad the detector of a record found it: an incident of several has the severity of its worst.
fn own_severity(alert: &AlertDetail) -> Severity {
    let own = alert.timeline.iter().filter(|entry| entry.detector == alert.detector).map(|entry| entry.severity);
    own.max().unwrap_or(alert.severity)
}

/// Incidents in the order in which they were first spoken of.
fn incidents_of(alerts: &[AlertRecord]) -> Vec<Incident> {
    let mut incidents: BTreeMap<(&str, &str), Incident> = BTreeMap::new();
    for record in alerts {
        let voice = (record.apitap.incident.as_str(), record.apitap.detector.as_str());
        let incident = incidents.entry(voice).or_insert_with(|| Incident::opened_by(record));
        incident.take(record);
    }
    let mut incidents: Vec<Incident> = incidents.into_values().collect();
    incidents.sort_by(|one, other| (one.alerted, &one.id).cmp(&(other.alerted, &other.id)));
    incidents
}

#[cfg(test)]
mod tests;
