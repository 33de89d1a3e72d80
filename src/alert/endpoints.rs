//! The inventory as records: one an endpoint.

use super::record::{EndpointDetail, EndpointRecord, EveRecord, EventType, Latency};
use crate::api::CredentialKind;
use crate::api::openapi::{Catalogue, Orphan};
use crate::api::template::path_of;
use crate::baseline::state::EndpointState;
use crate::baseline::{Store, data_of};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// All endpoints, and the operations that a description names and nobody asked for, by host, template and method.
pub fn inventory_records(store: &Store, catalogue: &Catalogue, now: Timestamp) -> Vec<EndpointRecord> {
    let mut records = endpoint_records(store, now);
    let orphans = orphans_of(store, catalogue).into_iter().map(|orphan| detail_of_orphan(&orphan));
    records.extend(orphans.map(|detail| EveRecord::new(now, EventType::Endpoint, detail)));
    records.sort_by(by_place);
    records
}

/// The operations that a description names and nobody asked for.
pub fn orphans_of<'c>(store: &Store, catalogue: &'c Catalogue) -> Vec<Orphan<'c>> {
    if catalogue.is_empty() {
        return Vec::new();
    }
    let seen = store.endpoints.iter().filter(|state| state.documented == Some(true));
    catalogue.orphans(
        seen.map(|state| (state.method.to_string(), state.host.to_string(), path_of(&state.template).to_string())),
    )
}

/// What it is called where a description leaves its host open.
const ANY_HOST: &str = "*";

fn detail_of_orphan(orphan: &Orphan<'_>) -> EndpointDetail {
    EndpointDetail {
        method: orphan.method.to_owned(),
        host: orphan.host.unwrap_or(ANY_HOST).to_owned(),
        template: orphan.template.clone(),
        methods: Vec::new(),
        status: BTreeMap::new(),
        requests: 0,
        rate_per_minute: 0.0,
        latency_ms: None,
        credentials: BTreeMap::new(),
        data: BTreeMap::new(),
        first_seen: None,
        last_seen: None,
        documented: Some(true),
    }
}

fn by_place(one: &EndpointRecord, other: &EndpointRecord) -> Ordering {
    let place = |record: &EndpointRecord| {
        (record.apitap.host.clone(), record.apitap.template.clone(), record.apitap.method.clone())
    };
    place(one).cmp(&place(other))
}

/// All endpoints, by host, template and method.
pub fn endpoint_records(store: &Store, now: Timestamp) -> Vec<EndpointRecord> {
    let mut methods: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for entry in store.endpoints.iter() {
        let place = (entry.host.to_string(), entry.template.to_string());
        methods.entry(place).or_default().insert(entry.method.to_string());
    }
    let mut records: Vec<EndpointRecord> = store
        .endpoints
        .iter()
        .map(|entry| {
            let of_place = methods.get(&(entry.host.to_string(), entry.template.to_string()));
            EveRecord::new(now, EventType::Endpoint, detail_of(&entry, of_place))
        })
        .collect();
    records.sort_by(by_place);
    records
}

fn detail_of(state: &EndpointState, methods: Option<&BTreeSet<String>>) -> EndpointDetail {
    let minutes = (state.moment.last.since(state.moment.first).as_secs_f64() / 60.0).max(1.0);
    let mut credentials: BTreeMap<String, u64> = CredentialKind::ALL
        .iter()
        .zip(state.credentials)
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| (kind.name().to_string(), count))
        .collect();
    let without = state.tally.requests - state.tally.with_credentials;
    if without > 0 {
        credentials.insert("none".to_string(), without);
    }
    let milliseconds = |quantile: f64| state.latency.value_at_quantile(quantile) as f64 / 1000.0;
    EndpointDetail {
        method: state.method.to_string(),
        host: state.host.to_string(),
        template: state.template.to_string(),
        methods: methods.map_or(Vec::new(), |methods| methods.iter().cloned().collect()),
        status: state.tally.statuses.iter().collect(),
        requests: state.tally.requests,
        rate_per_minute: (state.tally.requests as f64 / minutes * 100.0).round() / 100.0,
        latency_ms: (!state.latency.is_empty()).then(|| Latency { p50: milliseconds(0.5), p99: milliseconds(0.99) }),
        credentials,
        data: data_of(&state.data_values).map(|(class, count)| (class.name().to_string(), count)).collect(),
        first_seen: Some(state.moment.first),
        last_seen: Some(state.moment.last),
        documented: state.documented,
    }
}
