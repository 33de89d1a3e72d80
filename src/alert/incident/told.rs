//! What the log says was told already: incidents go on where it ends, also after an end without a last checkpoint.
//!
//! In go the log and the time up to which the saved state has judged; out come the alerts told since, and, of each, the
//! incident as it stood then. Refused, and left out: lines that are no alerts, detectors that are not known, subjects that cannot be read.

use super::{Incident, Incidents, Voice, identity_of};
use crate::alert::lines_backwards;
use crate::alert::record::{AlertDetail, AlertRecord, IncidentState, Severity, Subject, SubjectKind};
use crate::api::endpoint_key;
use crate::detect::{self, Finding};
use crate::hash::HashKey;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use crate::window::{Evidence, Moment};
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state is of a minute ago, or some: further back than this in the log is not looked.
const MOST_BYTES: u64 = 64 << 20;

/// The alerts at the end of a log behind the last that is older than `judged`, oldest first. Where it was rotated since,
/// also those of the log before. Windows that close late are told with the time of the newest, so some may be known.
pub fn told_since(log: &Path, judged: Timestamp) -> io::Result<Vec<AlertRecord>> {
    let (mut newest_first, mut left) = (Vec::new(), MOST_BYTES);
    for path in [log.to_owned(), PathBuf::from(format!("{}.1", log.display()))] {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let end = file.metadata()?.len();
        let mut is_enough = false;
        lines_backwards(&file, end, &mut |offset, line| {
            let record = alert_of(line);
            is_enough = end - offset > left || record.as_ref().is_some_and(|record| record.timestamp < judged);
            if is_enough {
                return ControlFlow::Break(());
            }
            newest_first.extend(record);
            ControlFlow::Continue(())
        })?;
        if is_enough {
            break;
        }
        left -= end; // no line was further from the end than what is left
    }
    newest_first.reverse();
    Ok(newest_first)
}

fn alert_of(line: &[u8]) -> Option<AlertRecord> {
    memchr::memmem::find(line, br#""event_type":"alert""#)?;
    serde_json::from_slice(line).ok()
}

impl Incidents {
    /// Takes up what was told after the state was saved: what is open goes on under its id and with the next sequence, what
    /// was closed is closed. Returns how many alerts said something new.
    pub fn catch_up(&mut self, told: &[AlertRecord]) -> usize {
        told.iter().filter(|record| self.catch_up_with(record).is_some()).count()
    }

    fn catch_up_with(&mut self, record: &AlertRecord) -> Option<()> {
        let detail = &record.apitap;
        let finding = finding_of(detail, &self.key)?;
        let identity = identity_of(&finding);
        let id = &detail.incident;
        let of = self.open.iter().find(|(_, open)| open.id == *id).map(|(name, _)| name.clone());
        if detail.state == IncidentState::Closed {
            self.remove(&of?);
            return Some(());
        }
        let same = self.by_identity.get(&identity).filter(|name| Some(*name) != of.as_ref()).cloned();
        if let Some(other) = same {
            if self.open.get(&other).is_some_and(|open| open.told_at > record.timestamp) {
                return None; // over and done with before that one was opened
            }
            self.forget_voice(&other, &identity);
        }
        let name = of.unwrap_or_else(|| identity.clone());
        let incident = self.open.entry(name).or_insert_with(|| Incident {
            id: id.clone(),
            voices: Vec::new(),
            told: 0,
            told_severity: detail.severity,
            told_at: record.timestamp,
            is_acknowledged: false,
            is_to_close: false,
            is_heard: false,
        });
        if incident.told >= detail.sequence {
            return None;
        }
        (incident.told, incident.told_severity, incident.told_at) =
            (detail.sequence, detail.severity, record.timestamp);
        let (told_count, first_seen) = (detail.count, detail.first_seen);
        // The record has the incident's severity: that of the voice, unless another is worse.
        let worst = incident.voices.iter().filter(|voice| voice.identity != identity).map(|voice| voice.severity).max();
        let known = incident.voices.iter_mut().find(|voice| voice.identity == identity);
        let before = known.as_ref().map_or(Severity::Low, |voice| voice.severity);
        let severity = if worst >= Some(detail.severity) { before } else { detail.severity };
        let voice = Voice { identity, finding, severity, told_count, first_seen };
        match known {
            Some(known) => *known = voice,
            None => incident.voices.push(voice),
        }
        self.index();
        Some(())
    }

    /// A voice goes; with its last one the incident.
    fn forget_voice(&mut self, name: &str, identity: &str) {
        let Some(incident) = self.open.get_mut(name) else { return };
        incident.voices.retain(|voice| voice.identity != identity);
        if incident.voices.is_empty() {
            self.remove(name);
        } else {
            self.index();
        }
    }
}

fn finding_of(detail: &AlertDetail, key: &HashKey) -> Option<Finding> {
    let detector = Ruleset::detectors().iter().find(|known| **known == detail.detector)?;
    let moment = Moment { first: detail.first_seen, last: detail.last_seen };
    let mut finding = Finding::new(detector, subject_of(&detail.subject, key)?, detail.severity, moment);
    if let Some(name) = &detail.endpoint {
        finding.endpoint = Some(endpoint_of(name, key)?);
    }
    finding.client = detail.client;
    finding.principal = detail.principal.as_deref().and_then(hash_of);
    finding.network = detail.network.clone();
    if let Some(clients) = &detail.clients {
        (finding.client_count, finding.client_sample) = (clients.count, clients.sample.clone());
    }
    finding.accounts = detail.accounts.iter().filter_map(|account| hash_of(account)).collect();
    finding.probability = detail.probability;
    finding.count = detail.count;
    finding.observed = detail.observed.clone();
    finding.expected = detail.expected.clone();
    finding.reasons = detail.reasons.clone();
    let flow_id = 0; // of the first alone it is known, and of no use once its flow is over
    finding.evidence = detail
        .evidence
        .iter()
        .map(|shown| {
            let text = |field: &Option<Cow<'static, str>>| field.as_deref().unwrap_or_default().to_owned();
            Arc::new(Evidence {
                time: shown.timestamp,
                flow_id,
                source: (shown.src_ip, shown.src_port),
                destination: (shown.dest_ip, shown.dest_port),
                method: text(&shown.http.http_method),
                host: text(&shown.http.hostname),
                url: text(&shown.http.url),
                status: shown.http.status,
                length: shown.http.length,
                user_agent: shown.http.http_user_agent.as_deref().map(str::to_owned),
                protocol: text(&shown.http.protocol).into(),
            })
        })
        .collect();
    Some(finding)
}

fn subject_of(subject: &Subject, key: &HashKey) -> Option<detect::Subject> {
    let value = subject.value.as_str();
    Some(match subject.kind {
        SubjectKind::Endpoint => detect::Subject::Endpoint(endpoint_of(value, key).or_else(|| hash_of(value))?),
        SubjectKind::Client => detect::Subject::Client(value.parse().ok()?),
        SubjectKind::Principal => detect::Subject::Principal(hash_of(value)?),
        SubjectKind::Network => detect::Subject::Network(value.to_owned()),
        SubjectKind::Host => detect::Subject::Host(value.to_owned()),
        SubjectKind::Account => detect::Subject::Account(hash_of(value)?),
        SubjectKind::Sensor => detect::Subject::Sensor(value.to_owned()),
    })
}

fn hash_of(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The key of an endpoint by its name, `METHOD host/template`.
fn endpoint_of(name: &str, key: &HashKey) -> Option<u64> {
    let (method, place) = name.split_once(' ')?;
    let (host, template) = place.split_at(place.find('/').unwrap_or(place.len()));
    Some(endpoint_key(key, method, host, template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::write_line;
    use crate::baseline::Store;
    use crate::baseline::state::EndpointState;
    use crate::window::{an_endpoint, start_of};
    use std::time::Duration;

    const KEY: HashKey = HashKey::new([7; 16]);

    fn window_findings(store_key: u64, window: i64, count: u64) -> Vec<Finding> {
        let moment = Moment { first: start_of(1), last: start_of(window) };
        [detect::Subject::Endpoint(store_key), detect::Subject::Client("192.0.2.9".parse().unwrap())]
            .into_iter()
            .zip(["client_error_spike", "scanner"])
            .map(|(subject, detector)| {
                let mut finding = Finding::new(detector, subject, Severity::Medium, moment);
                finding.count = count;
                finding
            })
            .collect()
    }

    /// A log of these records, with other lines between them.
    fn log_of(records: &[AlertRecord], folder: &Path) -> PathBuf {
        let mut log = Vec::new();
        for record in records {
            log.extend_from_slice(b"{\"event_type\":\"stats\"}\n{\"event_type\":\"alert\", torn\n");
            write_line(record, &mut log);
        }
        let path = folder.join("alerts.json");
        std::fs::write(&path, log).unwrap();
        path
    }

    #[test]
    fn what_is_known_to_be_over_does_not_take_the_place_of_what_is_open() {
        let (store, rules) = (Store::default(), Ruleset::default());
        let mut incidents = Incidents::new(KEY);
        let before = incidents.update(10, window_findings(1, 10, 10), &store, &rules);
        incidents.finish(start_of(20), &store, &rules);
        let opened = incidents.update(30, window_findings(1, 30, 10), &store, &rules);
        let id = opened[0].apitap.incident.clone();
        assert_ne!(id, before[0].apitap.incident);
        assert!(incidents.acknowledge(&id));
        assert_eq!(incidents.catch_up(&before), 0);
        assert!(incidents.list(&store).iter().any(|open| open.id == id && open.is_acknowledged));
    }

    #[test]
    fn what_was_told_after_the_state_was_saved_goes_on() {
        let (store, rules) = (Store::default(), Ruleset::default());
        let state = EndpointState::new(&an_endpoint("GET", "api.example", "/v1/items/{id}"), true);
        let endpoint = endpoint_key(&KEY, "GET", "api.example", "/v1/items/{id}");
        assert_eq!(endpoint_of(&state.name(), &KEY), Some(endpoint));
        store.endpoints.insert(endpoint, state);
        let mut incidents = Incidents::new(KEY);
        let mut told = incidents.update(10, window_findings(endpoint, 10, 10), &store, &rules);
        let (saved, judged, after) = (incidents.to_json().unwrap(), start_of(11), start_of(12));
        told.extend(incidents.update(100, window_findings(endpoint, 100, 40), &store, &rules));
        let others = window_findings(endpoint, 101, 80).into_iter().map(|mut finding| {
            finding.client = None;
            finding.subject = detect::Subject::Host("other.example".to_owned());
            finding.endpoint = None;
            finding
        });
        told.extend(incidents.update(101, others.collect(), &store, &rules));
        assert_eq!(told.len(), 6);

        let folder = tempfile::tempdir().unwrap();
        let log = log_of(&told, folder.path());
        assert_eq!(told_since(&log, after).unwrap(), told[2..]);
        assert_eq!(told_since(&log, judged).unwrap(), told, "more of the window judged last may have come later");
        assert_eq!(told_since(&log, Timestamp::MIN).unwrap(), told);
        assert_eq!(told_since(&folder.path().join("none"), judged).unwrap(), []);
        std::fs::rename(&log, folder.path().join("alerts.json.1")).unwrap();
        let late = log_of(&told[5..], folder.path());
        std::fs::write(folder.path().join("alerts.json.1"), b"").unwrap();
        assert_eq!(told_since(&late, judged).unwrap(), told[5..]);

        let mut again = Incidents::new(KEY);
        again.restore(&saved).unwrap();
        assert_eq!(again.catch_up(&told), 4);
        assert_eq!(again.catch_up(&told), 0);
        assert_eq!(again.list(&store).len(), 3, "what was found of one host is one incident");
        // Both go on alike from here.
        let window = 100 + 60;
        let next = |incidents: &mut Incidents| {
            let records = incidents.update(window, window_findings(endpoint, window, 400), &store, &rules);
            let told = |record: &AlertRecord| (record.apitap.incident.clone(), record.apitap.sequence);
            (records.iter().map(told).collect::<Vec<_>>(), records[0].apitap.first_seen)
        };
        assert_eq!(next(&mut again), next(&mut incidents));
        let closing = again.finish(after.saturating_add(Duration::from_secs(9000)), &store, &rules);
        assert_eq!(again.catch_up(&closing), 0, "what is closed is closed");
        assert_eq!(incidents.catch_up(&closing), 3);
        assert_eq!(incidents.open_count(), 0);
    }
}
