//! An incident as a record: what one of its voices says, and, where there are several, how they followed each other.

use super::{Incident, Voice};
use crate::alert::record::{
    AlertDetail, AlertFields, AlertRecord, Clients, EveRecord, EventType, Evidence, FlowHead, HttpFields,
    IncidentState, Subject, SubjectKind, TimelineEntry, community_id,
};
use crate::detect::{self, Finding};
use crate::rule::Ruleset;
use crate::time::Timestamp;
use std::net::SocketAddr;

/// The record of an incident, in the words of one of its voices.
pub(super) fn record_of(
    incident: &Incident,
    voice: &Voice,
    state: IncidentState,
    now: Timestamp,
    name: Option<String>,
    rules: &Ruleset,
) -> Option<AlertRecord> {
    let finding = &voice.finding;
    let severity = incident.severity();
    let text = rules.alert_text(finding.detector)?;
    let evidence: Vec<Evidence> = finding.evidence.iter().map(|shown| evidence_of(shown)).collect();
    let detail = AlertDetail {
        detector: finding.detector.to_string(),
        incident: incident.id.clone(),
        sequence: incident.told,
        state,
        severity,
        probability: finding.probability,
        subject: subject_of(finding, name.as_deref()),
        endpoint: name,
        client: finding.client,
        principal: finding.principal.map(|principal| format!("{principal:016x}")),
        network: finding.network.clone(),
        clients: (finding.client_count > 0)
            .then(|| Clients { count: finding.client_count, sample: finding.client_sample.clone() }),
        accounts: finding.accounts.iter().map(|account| format!("{account:016x}")).collect(),
        first_seen: voice.first_seen.min(finding.moment.first),
        last_seen: finding.moment.last,
        count: finding.count,
        observed: finding.observed.clone(),
        expected: finding.expected.clone(),
        reasons: finding.reasons.clone(),
        timeline: timeline_of(incident),
        evidence,
        marks: Vec::new(),
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
    record.alert =
        Some(AlertFields::new(text.signature_id, text.rev, text.signature.clone(), text.category.clone(), severity));
    Some(record)
}

/// What followed what, where there is more than one voice.
fn timeline_of(incident: &Incident) -> Vec<TimelineEntry> {
    if incident.voices.len() < 2 {
        return Vec::new();
    }
    let entry = |voice: &Voice| TimelineEntry {
        detector: voice.finding.detector.to_owned(),
        severity: voice.severity,
        first_seen: voice.first_seen.min(voice.finding.moment.first),
        last_seen: voice.finding.moment.last,
        count: voice.finding.count,
        observed: voice.finding.observed.clone(),
    };
    let mut timeline: Vec<TimelineEntry> = incident.voices.iter().map(entry).collect();
    timeline.sort_by(|one, other| (one.first_seen, &one.detector).cmp(&(other.first_seen, &other.detector)));
    timeline
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

pub(super) fn subject_of(finding: &Finding, name: Option<&str>) -> Subject {
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
