//! Incidents: what detectors find window after window, told once.
//!
//! A finding opens an incident, or belongs to one that is open: because it goes on with what was found before, or because
//! it is about the same actor, or about the same endpoint. What one detector finds of an incident is one of its *voices*;
//! the voices in their order are its timeline (a scan, then stuffing, then exposure). An incident has one severity, that of
//! its worst voice, and one id, a hash of detector, subject and window of the finding that opened it, so that the same
//! capture gives the same ids. It is told of again (`updated`) when a voice joins, when it got worse, or when a voice
//! has doubled, at intervals that double; it is `closed` when nothing came of it for a while.
//!
//! Bounds: [`MAX_OPEN`] incidents of [`MOST_VOICES`] voices. Past it the least of them gives way to what is worse, so that nobody
//! silences the sensor by making many small ones.

mod known;
mod listing;
mod telling;
mod told;

pub use listing::{IncidentTally, OpenIncident};
pub use told::told_since;

use super::record::{AlertRecord, IncidentState, Severity};
use crate::baseline::Store;
use crate::detect::{self, Finding};
use crate::hash::HashKey;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use crate::window::start_of;
use known::Known;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use telling::record_of;

/// An incident is over when nothing came of it for so long, at least: the shortest span of the detectors.
const QUIET: Duration = Duration::from_secs(600);
/// Who guesses at logins pauses, and a slow campaign hovers about the floors: that is still the same attack.
const LOGINS_QUIET: Duration = Duration::from_secs(3600);
/// An endpoint that nobody listed, or that is open, is no news each time somebody uses it.
const ENDPOINT_QUIET: Duration = Duration::from_secs(86_400);
/// Nor is a batch that comes back each night: a day, and what its start wanders.
const BATCH_QUIET: Duration = Duration::from_secs(26 * 3600);

fn quiet_of(finding: &Finding) -> Duration {
    match finding.detector {
        "shadow_endpoint" | "undocumented_parameter" | "unauthenticated_data_exposure" | "privileged_function" => {
            ENDPOINT_QUIET
        }
        "object_enumeration" | "data_exfiltration" => BATCH_QUIET,
        "credential_stuffing" | "password_spraying" | "brute_force" | "user_enumeration" => LOGINS_QUIET,
        // What is counted over hours hovers about its floor for as long.
        _ => QUIET.max(Duration::from_secs(finding.reasons.horizon_seconds.unwrap_or(0))),
    }
}

/// What was heard of so much later than now was heard before the clock was set back.
const CLOCK_SET_BACK: Duration = Duration::from_secs(3600);

/// The shortest time between two records of one incident; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// A pause that has doubled so often is longer than any incident.
const MOST_DOUBLINGS: u64 = 20;
/// Incidents open at once: when so many are, more say nothing new. What comes past it is counted and not told.
const MAX_OPEN: usize = 4096;
/// Bytes of the state that open incidents take with what they show: the state keeps no value of more than 48 MiB.
const MOST_SAVED: usize = 32 << 20;
/// Accounts of a voice: as many as attempts remember.
const MOST_ACCOUNTS: usize = crate::window::SUCCEEDED;
/// Voices of one incident; what else is found of its actor opens another.
const MOST_VOICES: usize = 16;

/// What one detector finds of an incident.
#[derive(Serialize, Deserialize)]
struct Voice {
    /// What makes two findings the same, see [`identity_of`].
    identity: String,
    finding: Finding,
    /// Worst so far: it does not get better while the incident is open.
    severity: Severity,
    told_count: u64,
    first_seen: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Incident {
    id: String,
    /// In the order in which they joined; never empty.
    voices: Vec<Voice>,
    /// Records so far: the sequence of the last one.
    told: u64,
    told_severity: Severity,
    told_at: Timestamp,
    /// Somebody knows: it is not told of again, unless it gets worse, and when it is over.
    is_acknowledged: bool,
    /// Somebody closed it while no sensor ran: it is over with the next window.
    #[serde(default)]
    is_to_close: bool,
    /// It was heard of in this run; else it was open before, and is no more than that.
    #[serde(skip)]
    is_heard: bool,
}

/// As states have it: of now, and of before incidents had voices.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Now(Incident),
    Before(Box<SingleVoice>),
}

/// All that the next run goes on with: as it is kept now, and as it was before anything was known.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Now { open: BTreeMap<String, serde_json::Value>, known: BTreeMap<String, serde_json::Value> },
    Before(BTreeMap<String, serde_json::Value>),
}

#[derive(Deserialize)]
struct SingleVoice {
    id: String,
    finding: Finding,
    severity: Severity,
    #[serde(default)]
    told: u64,
    told_count: u64,
    told_severity: Severity,
    told_at: Timestamp,
    first_seen: Timestamp,
    #[serde(default)]
    is_acknowledged: bool,
}

impl From<Stored> for Incident {
    fn from(stored: Stored) -> Incident {
        let before = match stored {
            Stored::Now(incident) => return incident,
            Stored::Before(before) => *before,
        };
        let SingleVoice {
            id,
            finding,
            severity,
            told,
            told_count,
            told_severity,
            told_at,
            first_seen,
            is_acknowledged,
        } = before;
        let voice = Voice { identity: identity_of(&finding), finding, severity, told_count, first_seen };
        Incident {
            id,
            voices: vec![voice],
            told,
            told_severity,
            told_at,
            is_acknowledged,
            is_to_close: false,
            is_heard: false,
        }
    }
}

impl Incident {
    fn severity(&self) -> Severity {
        self.voices.iter().map(|voice| voice.severity).max().unwrap_or(Severity::Low)
    }

    fn last_seen(&self) -> Option<Timestamp> {
        self.voices.iter().map(|voice| voice.finding.moment.last).max()
    }

    /// The worst voice, the first of several: it speaks for all where one must.
    fn speaker(&self) -> Option<&Voice> {
        self.voices.iter().rev().max_by_key(|voice| voice.severity)
    }

    /// How long it rests before its next record.
    fn pause(&self) -> Duration {
        FIRST_PAUSE * 2u32.pow(self.told.saturating_sub(1).min(MOST_DOUBLINGS) as u32)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.is_to_close
            || self.voices.iter().all(|voice| {
                let last = voice.finding.moment.last;
                now.since(last) > quiet_of(&voice.finding) || last.since(now) > CLOCK_SET_BACK
            })
    }
}

pub struct Incidents {
    key: HashKey,
    /// By the identity of their first voice.
    open: BTreeMap<String, Incident>,
    /// Which of them has a voice of an identity, and which is about a matter.
    by_identity: BTreeMap<String, String>,
    by_matter: BTreeMap<String, String>,
    known: Known,
    tally: IncidentTally,
}

impl Incidents {
    pub fn new(key: HashKey) -> Incidents {
        let (open, by_identity, by_matter) = Default::default();
        Incidents { key, open, by_identity, by_matter, known: Known::default(), tally: IncidentTally::default() }
    }

    /// The open incidents and what is known, as JSON for the next run.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        self.to_json_within(MOST_SAVED)
    }

    /// The same; where it takes more than so many bytes, without the transactions that are shown: others will be.
    fn to_json_within(&self, most: usize) -> serde_json::Result<Vec<u8>> {
        let mut saved = serde_json::json!({ "open": self.open, "known": self.known });
        let json = serde_json::to_vec(&saved)?;
        if json.len() <= most {
            return Ok(json);
        }
        let open = saved["open"].as_object_mut().into_iter().flat_map(|open| open.values_mut());
        for voice in open.filter_map(|incident| incident["voices"].as_array_mut()).flatten() {
            voice["finding"]["evidence"] = serde_json::json!([]);
        }
        serde_json::to_vec(&saved)
    }

    /// Goes on with what an earlier run left.
    pub fn restore(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let (stored, known) = match serde_json::from_slice(json)? {
            Saved::Now { open, known } => (open, known),
            Saved::Before(open) => (open, BTreeMap::new()),
        };
        // What another version's detectors found is nothing to this one.
        let readable =
            stored.into_iter().filter_map(|(name, stored)| Some((name, serde_json::from_value(stored).ok()?)));
        self.known = Known::of(known);
        self.open = readable.map(|(name, stored): (String, Stored)| (name, Incident::from(stored))).collect();
        self.open.retain(|_, incident| !incident.voices.is_empty());
        self.index();
        Ok(())
    }

    /// Which incident has what, from scratch. Of several the first by name has it.
    fn index(&mut self) {
        self.by_identity.clear();
        self.by_matter.clear();
        for (name, incident) in &self.open {
            for voice in &incident.voices {
                self.by_identity.entry(voice.identity.clone()).or_insert_with(|| name.clone());
                for matter in matters_of(&voice.finding) {
                    self.by_matter.entry(matter).or_insert_with(|| name.clone());
                }
            }
        }
    }

    /// Takes an address out of what is open. Voices about it go, without a word; others lose what they show of it.
    /// Returns how many changed.
    pub fn forget_client(&mut self, address: IpAddr) -> u64 {
        let is_about =
            |finding: &Finding| finding.client == Some(address) || finding.subject == detect::Subject::Client(address);
        let gone = self.forget_voices(is_about);
        let mut scrubbed = 0;
        let voices = self.open.values_mut().flat_map(|incident| &mut incident.voices);
        for finding in voices.map(|voice| &mut voice.finding) {
            let shown = finding.client_sample.len() + finding.evidence.len();
            finding.client_sample.retain(|client| *client != address);
            finding.evidence.retain(|evidence| !evidence.holds(address));
            scrubbed += u64::from(finding.client_sample.len() + finding.evidence.len() < shown);
        }
        gone + scrubbed
    }

    /// Takes out what is open about endpoints, without a word. Returns how many there were.
    pub fn forget_endpoints(&mut self, endpoints: &[u64]) -> u64 {
        self.forget_voices(|finding| finding.endpoint.is_some_and(|endpoint| endpoints.contains(&endpoint)))
    }

    fn forget_voices(&mut self, is_about: impl Fn(&Finding) -> bool) -> u64 {
        let mut gone = self.known.forget(|habit| is_about(&habit.finding));
        let open = std::mem::take(&mut self.open).into_values();
        self.open.extend(open.filter_map(|mut incident| {
            let before = incident.voices.len();
            incident.voices.retain(|voice| !is_about(&voice.finding));
            gone += (before - incident.voices.len()) as u64; // which only lost some
            // Each is found by its first voice.
            Some((incident.voices.first()?.identity.clone(), incident))
        }));
        self.index();
        gone
    }

    /// Somebody knows of an open one, and of its voices when they are heard again. False where there is none of that id.
    pub fn acknowledge(&mut self, id: &str) -> bool {
        let found = self.open.values_mut().find(|incident| incident.id == id);
        found.is_some_and(|incident| {
            incident.is_acknowledged = true;
            incident.voices.iter().for_each(|voice| self.known.learn(id, voice));
            true
        })
    }

    /// Takes an acknowledgement back: what was learned of it is forgotten. False where there was none of that id.
    pub fn unacknowledge(&mut self, id: &str) -> bool {
        let learned = self.known.forget(|habit| habit.incident == id);
        let open = self.open.values_mut().find(|incident| incident.id == id && incident.is_acknowledged);
        let was_open = open.map(|incident| incident.is_acknowledged = false).is_some();
        learned > 0 || was_open
    }

    /// Whether a finding is one that somebody acknowledged: it is no news, and teaches.
    pub fn is_known(&self, finding: &Finding) -> bool {
        self.known.has(finding)
    }

    /// Closes an open one before its time. What goes on opens another.
    pub fn close_one(&mut self, id: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let name = self.open.iter().find(|(_, incident)| incident.id == id)?.0.clone();
        self.close(&name, now, store, rules)
    }

    /// Has an open one closed, and told to be, with the next window. False where there is none of that id.
    pub fn close_later(&mut self, id: &str) -> bool {
        let found = self.open.values_mut().find(|incident| incident.id == id);
        found.map(|incident| incident.is_to_close = true).is_some()
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
            if self.is_full_for(&finding) {
                match self.give_way(finding.severity, now, store, rules) {
                    Some(closed) => records.push(closed),
                    None => {
                        self.tally.over_limit += 1;
                        continue;
                    }
                }
            }
            records.extend(self.take(window, now, finding, name, rules));
        }
        self.known.expire(now);
        self.close_quiet(now, store, rules, &mut records);
        put_in_order(&mut records);
        records
    }

    /// The run is over: what is open is closed.
    pub fn finish(&mut self, now: Timestamp, store: &Store, rules: &Ruleset) -> Vec<AlertRecord> {
        let names: Vec<String> = self.open.keys().cloned().collect();
        let mut records: Vec<AlertRecord> =
            names.iter().filter_map(|name| self.close(name, now, store, rules)).collect();
        put_in_order(&mut records);
        records
    }

    fn take(
        &mut self,
        window: i64,
        now: Timestamp,
        finding: Finding,
        name: Option<String>,
        rules: &Ruleset,
    ) -> Option<AlertRecord> {
        let identity = identity_of(&finding);
        let is_known = self.known.note(&identity, &finding);
        if let Some(of) = self.by_identity.get(&identity)
            && let Some(incident) = self.open.get_mut(of)
        {
            // What it is about may change from an address to all of the endpoint.
            for matter in matters_of(&finding) {
                self.by_matter.entry(matter).or_insert_with(|| of.clone());
            }
            return goes_on(incident, &identity, now, finding, name, rules);
        }
        if is_known {
            self.tally.known += 1;
            return None;
        }
        let finding = Finding { accounts: joined(Vec::new(), &finding.accounts), ..finding };
        let matters = matters_of(&finding);
        let joined = self.joined_by(&matters);
        let (severity, told_count, first_seen) = (finding.severity, finding.count, finding.moment.first);
        let voice = Voice { identity: identity.clone(), finding, severity, told_count, first_seen };
        let is_joining = joined.is_some();
        let of = joined.unwrap_or_else(|| identity.clone());
        let incident = self.open.entry(of.clone()).or_insert_with(|| Incident {
            id: format!("{:016x}", self.key.secret("incident", format!("{identity}|{window}").as_bytes())),
            voices: Vec::new(),
            told: 0,
            told_severity: severity,
            told_at: now,
            is_acknowledged: false,
            is_to_close: false,
            is_heard: false,
        });
        let state = if incident.voices.is_empty() { IncidentState::Opened } else { IncidentState::Updated };
        let is_worse = severity > incident.told_severity;
        incident.voices.push(voice);
        let is_told = state == IncidentState::Opened || is_worse || !incident.is_acknowledged;
        let record = is_told.then(|| {
            incident.note_told(now);
            let voice = incident.voices.last()?;
            record_of(incident, voice, state, now, name, rules)
        });
        self.by_identity.insert(identity, of.clone());
        for matter in matters {
            // One that is full is followed by the next.
            if !is_joining || !self.by_matter.contains_key(&matter) {
                self.by_matter.insert(matter, of.clone());
            }
        }
        record.flatten()
    }

    /// The open incident that a finding about these matters joins.
    fn joined_by(&self, matters: &[String]) -> Option<String> {
        let of = matters.iter().find_map(|matter| self.by_matter.get(matter))?;
        self.open.get(of).filter(|open| open.voices.len() < MOST_VOICES).map(|_| of.clone())
    }

    /// Whether a finding would open one more than may be.
    fn is_full_for(&self, finding: &Finding) -> bool {
        self.open.len() >= MAX_OPEN
            && !self.by_identity.contains_key(&identity_of(finding))
            && !self.known.has(finding)
            && self.joined_by(&matters_of(finding)).is_none()
    }

    /// The least of all is closed, the longest unseen of several, where it is less than this or nothing came of it lately.
    fn give_way(&mut self, to: Severity, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let (name, least) = self.open.iter().min_by_key(|(_, one)| (one.severity(), one.last_seen()))?;
        let is_quiet = least.severity() == to && least.last_seen().is_none_or(|seen| now.since(seen) >= QUIET);
        if least.severity() >= to && !is_quiet {
            return None;
        }
        let name = name.clone();
        self.close(&name, now, store, rules)
    }

    fn close_quiet(&mut self, now: Timestamp, store: &Store, rules: &Ruleset, records: &mut Vec<AlertRecord>) {
        let over = self.open.iter().filter(|(_, incident)| incident.is_over(now));
        let over: Vec<String> = over.map(|(name, _)| name.clone()).collect();
        for name in over {
            records.extend(self.close(&name, now, store, rules));
        }
    }

    fn close(&mut self, name: &str, now: Timestamp, store: &Store, rules: &Ruleset) -> Option<AlertRecord> {
        let mut incident = self.remove(name)?;
        incident.told += 1;
        count(&mut self.tally, &incident);
        let voice = incident.speaker()?;
        record_of(&incident, voice, IncidentState::Closed, now, name_of(&voice.finding, store), rules)
    }

    fn remove(&mut self, name: &str) -> Option<Incident> {
        let incident = self.open.remove(name)?;
        self.by_identity.retain(|_, of| of != name);
        self.by_matter.retain(|_, of| of != name);
        Some(incident)
    }
}

/// A voice is heard again.
fn goes_on(
    incident: &mut Incident,
    identity: &str,
    now: Timestamp,
    finding: Finding,
    name: Option<String>,
    rules: &Ruleset,
) -> Option<AlertRecord> {
    let at = incident.voices.iter().position(|voice| voice.identity == identity)?;
    incident.is_heard = true;
    let is_rested = now.since(incident.told_at) >= incident.pause();
    let voice = &mut incident.voices[at]; // as just found
    voice.severity = voice.severity.max(finding.severity);
    let severity = voice.severity;
    let before = std::mem::replace(&mut voice.finding, finding);
    if !before.evidence.is_empty() {
        voice.finding.evidence = before.evidence;
    }
    voice.finding.accounts = joined(before.accounts, &voice.finding.accounts);
    voice.finding.probability = voice.finding.probability.or(before.probability);
    if voice.finding.severity < severity {
        (voice.finding.severity, voice.finding.observed) = (severity, before.observed); // what was worst stays said
    }
    let is_doubled = voice.finding.count >= voice.told_count.saturating_mul(2);
    let is_worse = severity > incident.told_severity;
    if !(is_worse || is_doubled && is_rested && !incident.is_acknowledged) {
        return None;
    }
    voice.told_count = voice.finding.count;
    incident.note_told(now);
    record_of(incident, incident.voices.get(at)?, IncidentState::Updated, now, name, rules)
}

/// By time, then by flow, but those of one incident in their sequence: it opens before it goes on.
fn put_in_order(records: &mut [AlertRecord]) {
    let mut flows = BTreeMap::new();
    for one in records.iter() {
        flows.entry(one.apitap.incident.clone()).or_insert(one.flow_id);
    }
    let flow_of = |one: &AlertRecord| flows.get(&one.apitap.incident).copied().flatten();
    records.sort_by_cached_key(|one| (one.timestamp, flow_of(one), one.apitap.incident.clone(), one.apitap.sequence));
}

/// What was opened before, and what is new.
fn joined(mut accounts: Vec<u64>, more: &[u64]) -> Vec<u64> {
    let known: BTreeSet<u64> = accounts.iter().copied().collect();
    accounts.extend(more.iter().filter(|account| !known.contains(account)));
    accounts.truncate(MOST_ACCOUNTS);
    accounts
}

impl Incident {
    fn note_told(&mut self, now: Timestamp) {
        self.told += 1;
        self.told_severity = self.severity();
        self.told_at = now;
        self.is_heard = true;
    }
}

fn name_of(finding: &Finding, store: &Store) -> Option<String> {
    finding.endpoint.and_then(|key| store.endpoints.get(&key).map(|state| state.name()))
}

fn count(tally: &mut IncidentTally, incident: &Incident) {
    let Some(speaker) = incident.speaker() else { return };
    if !incident.is_heard {
        tally.carried_over += 1;
        return;
    }
    *tally.by_detector.entry(speaker.finding.detector).or_default().entry(speaker.severity).or_default() += 1;
}

/// What makes two findings one voice. A campaign against a login endpoint is one, whatever its sources turn out
/// to be; else detector, subject and endpoint.
fn identity_of(finding: &Finding) -> String {
    match (finding.detector, finding.endpoint) {
        ("credential_stuffing" | "password_spraying", Some(endpoint)) => {
            format!("{}|{endpoint:016x}", finding.detector)
        }
        // One client that guesses at one account after the other is one incident, and so are many together.
        (detector @ ("brute_force" | "otp_brute_force"), Some(endpoint)) => {
            format!("{detector}|{:?}|{endpoint:016x}", finding.client)
        }
        (detector, Some(endpoint)) => format!("{detector}|{:?}|{endpoint:016x}", finding.subject),
        (detector, None) => format!("{detector}|{:?}", finding.subject),
    }
}

/// Who or what a finding is about: findings that share one of these are one incident. What the sensor says of itself is
/// about nobody, and so stands alone.
fn matters_of(finding: &Finding) -> Vec<String> {
    let subject = match &finding.subject {
        detect::Subject::Sensor(_) => return Vec::new(),
        detect::Subject::Endpoint(endpoint) => format!("endpoint {endpoint:016x}"),
        detect::Subject::Client(client) => format!("client {client}"),
        detect::Subject::Principal(principal) => format!("principal {principal:016x}"),
        detect::Subject::Network(network) => format!("network {network}"),
        detect::Subject::Host(host) => format!("host {host}"),
        detect::Subject::Account(account) => format!("account {account:016x}"),
    };
    let client = finding.client.map(|client| format!("client {client}"));
    let principal = finding.principal.map(|principal| format!("principal {principal:016x}"));
    let others: Vec<String> = [client, principal].into_iter().flatten().filter(|other| *other != subject).collect();
    [vec![subject], others].concat()
}

#[cfg(test)]
#[path = "incident/tests.rs"]
mod tests;
