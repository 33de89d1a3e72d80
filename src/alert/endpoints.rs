//! The inventory as records: one an endpoint.

use super::record::{EndpointDetail, EndpointRecord, EveRecord, EventType, Latency};
use crate::api::CredentialKind;
use crate::baseline::state::EndpointState;
use crate::baseline::{Store, data_of};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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
    records.sort_by(|one, other| {
        let place = |record: &EndpointRecord| {
            (record.apitap.host.clone(), record.apitap.template.clone(), record.apitap.method.clone())
        };
        place(one).cmp(&place(other))
    });
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
        first_seen: state.moment.first,
        last_seen: state.moment.last,
        documented: state.documented,
    }
}
