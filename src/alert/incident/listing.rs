//! What there is of incidents, for those who ask: their number, the open ones, and what was learned of acknowledged ones.

use super::telling::{record_of, subject_of};
use super::{Incident, Incidents, count, name_of};
use crate::alert::record::{AlertRecord, IncidentState, Severity, Subject, eve_time};
use crate::baseline::Store;
use crate::detect::Finding;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An open incident, as operators see it in a list.
#[derive(Clone, Debug, Serialize)]
pub struct OpenIncident {
    pub id: String,
    /// Of its worst voice, as what follows.
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
    /// The other detectors that had something to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<&'static str>,
    pub is_acknowledged: bool,
}

/// What the incidents of a run amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentTally {
    /// Incidents by the detector and severity of their worst voice.
    pub by_detector: BTreeMap<&'static str, BTreeMap<Severity, u64>>,
    /// Incidents of earlier runs that were open, and not heard of in this one.
    pub carried_over: u64,
    pub suppressed: u64,
    /// Findings of what somebody acknowledged before.
    pub known: u64,
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

impl Incidents {
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
            *counts.entry((incident.severity(), incident.is_acknowledged)).or_default() += 1;
        }
        counts
    }

    /// The open ones, worst first.
    pub fn list(&self, store: &Store) -> Vec<OpenIncident> {
        let open = self.open.values().filter(|incident| !incident.is_to_close);
        let mut list: Vec<OpenIncident> = open.filter_map(|incident| open_incident(incident, store)).collect();
        list.sort_by(|one, other| {
            (other.severity, other.last_seen, &one.id).cmp(&(one.severity, one.last_seen, &other.id))
        });
        list
    }

    /// The ids that begin like this, of open incidents and of those that taught; only the one where it is whole.
    pub fn ids_like(&self, begin: &str) -> Vec<String> {
        let open = self.open.values().map(|incident| incident.id.as_str());
        let known = self.known.habits().map(|habit| habit.incident.as_str());
        let like: BTreeSet<&str> = open.chain(known).filter(|id| id.starts_with(begin)).collect();
        match like.get(begin) {
            Some(whole) => vec![(*whole).to_owned()],
            None => like.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The whole record of an open one, as it would be told now.
    pub fn show(&self, id: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let incident = self.open.values().find(|incident| incident.id == id)?;
        let voice = incident.speaker()?;
        record_of(incident, voice, IncidentState::Updated, now, name_of(&voice.finding, store), rules)
    }

    /// What was learned of acknowledged incidents, by their ids, also when they are over.
    pub fn habits(&self, store: &Store) -> Vec<OpenIncident> {
        let habits = self.known.habits();
        let mut list: Vec<OpenIncident> = habits
            .map(|habit| OpenIncident {
                id: habit.incident.clone(),
                is_acknowledged: true,
                ..described(&habit.finding, habit.severity, store)
            })
            .collect();
        list.sort_by(|one, other| (&one.id, one.detector).cmp(&(&other.id, other.detector)));
        list
    }
}

fn open_incident(incident: &Incident, store: &Store) -> Option<OpenIncident> {
    let speaker = incident.speaker()?;
    let finding = &speaker.finding;
    let mut also: Vec<&str> = incident.voices.iter().map(|voice| voice.finding.detector).collect();
    also.sort_unstable();
    also.dedup();
    also.retain(|detector| *detector != finding.detector);
    Some(OpenIncident {
        id: incident.id.clone(),
        first_seen: incident.voices.iter().map(|voice| voice.first_seen).min()?,
        last_seen: incident.last_seen()?,
        also,
        is_acknowledged: incident.is_acknowledged,
        ..described(finding, incident.severity(), store)
    })
}

/// What a finding alone says of an incident.
fn described(finding: &Finding, severity: Severity, store: &Store) -> OpenIncident {
    let endpoint = name_of(finding, store);
    OpenIncident {
        id: String::new(),
        detector: finding.detector,
        severity,
        subject: subject_of(finding, endpoint.as_deref()),
        endpoint,
        first_seen: finding.moment.first,
        last_seen: finding.moment.last,
        count: finding.count,
        observed: finding.observed.clone(),
        also: Vec::new(),
        is_acknowledged: false,
    }
}
