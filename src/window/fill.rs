//! How an observation counts in a window.

mod attempts;
mod reaches;

pub use attempts::attempts_key;
pub use reaches::use_key;

use super::aggregate::{ClientWindow, EndpointWindow, Errors, Exposure, HostWindow, PrincipalWindow, Tally};
use super::deep::DeepDocuments;
use super::demand::{SAMPLE, SHOWN};
use super::histogram::LogHistogram;
use super::leaks::leaked;
use super::served::{self, contact_key};
use super::shown::Shown;
use super::{Asked, AskedByHost, Callers, LastingUse, Window, WindowLimits};
use crate::api::Observation;
use crate::hash::{HashKey, mix};
use crate::inspect::BodyReport;
use std::net::IpAddr;
use std::sync::Arc;

/// What filling needs besides the observation.
pub struct Filling<'f> {
    pub key: &'f HashKey,
    pub limits: &'f WindowLimits,
    /// Request target as it may be written.
    pub redact: &'f dyn Fn(&str) -> String,
}

/// The key of a client's aggregates.
pub fn client_key(key: &HashKey, client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(address) => key.hash(&address.octets()),
        IpAddr::V6(address) => key.hash(&address.octets()),
    }
}

/// The key of a pair, such as a client at an endpoint.
pub fn pair_key(first: u64, second: u64) -> u64 {
    mix(first.rotate_left(17) ^ second)
}

/// Records, or bytes, of an answer from which on it is large: excess of volume is seen in such answers only.
pub const LARGE_RECORDS: u64 = 50;
pub const LARGE_BYTES: u64 = 1_000_000;

impl Window {
    /// Counts one observation.
    pub fn record(&mut self, observation: &Observation<'_>, filling: &Filling<'_>) {
        self.transactions += 1;
        let client = client_key(filling.key, observation.client);
        let host = filling.key.hash(observation.host.as_bytes());
        let mut shown = Shown::of(observation, filling);
        self.record_endpoint(observation, client, filling, &mut shown);
        self.record_client(observation, (client, host), filling, &mut shown);
        self.record_host(observation, (client, host), filling, &mut shown);
        if let Some(principal) = observation.principal {
            self.record_principal(observation, principal, (client, host), filling, &mut shown);
        }
        for attempt in observation.attempt.iter().chain(&observation.further_attempts) {
            self.record_attempt(observation, attempt, client, filling, &mut shown);
        }
        self.record_reach(observation, client, filling, &mut shown);
        self.record_use(observation, client, filling, &mut shown);
    }

    fn record_endpoint(
        &mut self,
        observation: &Observation<'_>,
        client: u64,
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        if !observation.is_known && !observation.makes_endpoint {
            return; // a scanner must not be able to fill the inventory
        }
        let entry = self
            .endpoints
            .entry(observation.endpoint, observation.is_known, filling.limits.endpoints, || new_endpoint(observation));
        let Some(endpoint) = entry else { return };
        endpoint.tally.record(observation);
        endpoint.is_made |= observation.makes_endpoint;
        endpoint.clients.insert(client);
        endpoint.client_sample.insert(client, observation.client);
        if let Some(principal) = observation.principal {
            endpoint.principals.insert(principal);
        }
        if let Some(credentials) = observation.credentials {
            endpoint.credentials[credentials.kind as usize] += 1;
        }
        if let Some(latency) = observation.latency {
            endpoint.latency.record(latency.as_micros().min(u128::from(u64::MAX)) as u64);
        }
        if observation.is_success {
            endpoint.successes += 1;
            endpoint.pages += u64::from(observation.is_page);
            endpoint.open_successes += u64::from(observation.is_anonymous());
            endpoint.sizes.record(observation.response_bytes);
            if let Some(principal) = observation.principal.filter(|_| !observation.is_open) {
                served::record(&mut endpoint.served, principal, shown);
            }
            if let Some(contact) = contact_of(observation) {
                endpoint.contacts.insert(contact_key(contact), contact);
            }
            let records = observation.response.map_or(0, |report| u64::from(report.records));
            let is_large = records >= LARGE_RECORDS || observation.response_bytes >= LARGE_BYTES;
            if !observation.is_known || is_large {
                shown.offer(&mut endpoint.evidence);
            }
            if let Some(asked) = observation.page_size {
                endpoint.paged.get_or_insert_default().record(observation, asked, records, shown);
            }
            if let Some(report) = observation.response {
                endpoint.records.record(records);
                endpoint.shapes.insert(report.shape, report.shape);
            }
        }
        if observation.is_client_error() {
            endpoint.errors.get_or_insert_default().record(observation, client, shown);
        }
        if observation.is_server_error() {
            endpoint.failures.get_or_insert_default().record(observation, client, shown);
        }
        if let Some(report) = exposed(observation) {
            endpoint.sensitive_values.record(distinct_values(report));
            endpoint.exposure.get_or_insert_default().record(observation, report, client, shown);
            if observation.is_anonymous() {
                endpoint.open_exposure.get_or_insert_default().record(observation, report, client, shown);
            }
        }
        for stray in &observation.strays {
            endpoint.strays.get_or_insert_default().record(observation, stray, client, filling.key, shown);
        }
        if let Some(report) = leaked(observation) {
            endpoint.leaks.get_or_insert_default().record(observation, report, client, shown);
        }
    }

    fn record_client(
        &mut self,
        observation: &Observation<'_>,
        (client, host): (u64, u64),
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let entry = self.clients.entry(client, false, filling.limits.keys, || new_client(observation.client));
        let Some(aggregate) = entry else { return };
        aggregate.tally.record(observation);
        aggregate.records += rows(observation);
        aggregate.endpoints.insert(observation.endpoint);
        let requests = aggregate.tally.requests;
        note_demand(&mut aggregate.asked, &mut aggregate.callers, observation, (host, requests), filling, shown);
        if observation.is_disputed && (observation.attempt.is_some() || observation.credentials.is_some()) {
            aggregate.evasions.get_or_insert_default().record(observation, shown);
        }
        if DeepDocuments::counts(observation) {
            aggregate.deep.get_or_insert_default().record(observation, shown);
        }
        if observation.is_client_error() && !observation.is_dead_link() {
            aggregate.errors.get_or_insert_default().record(observation, client, shown);
        }
        if observation.is_server_error() {
            aggregate.failures.get_or_insert_default().record(observation, client, shown);
        }
        if let Some(report) = exposed(observation) {
            aggregate.exposure.get_or_insert_default().record(observation, report, client, shown);
        }
        if observation.is_smuggling() {
            aggregate.smuggling.get_or_insert_default().record(observation, shown);
        }
        if !observation.injections.is_empty() {
            aggregate.injected.get_or_insert_default().record(observation, shown);
        }
        if observation.credentials.is_some_and(|credentials| credentials.is_unsigned()) {
            aggregate.unsigned.get_or_insert_default().record(observation, shown);
        }
    }

    fn record_host(
        &mut self,
        observation: &Observation<'_>,
        (client, host): (u64, u64),
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let entry = self.hosts.entry(host, observation.is_known, filling.limits.endpoints, || HostWindow {
            host: Arc::from(&*observation.host),
            tally: Tally::default(),
            clients: Default::default(),
            errors: None,
            failures: None,
        });
        let Some(host) = entry else { return };
        host.tally.record(observation);
        host.clients.insert(client);
        if observation.is_client_error() {
            host.errors.get_or_insert_default().record(observation, client, shown);
        }
        if observation.is_server_error() {
            host.failures.get_or_insert_default().record(observation, client, shown);
        }
    }

    fn record_principal(
        &mut self,
        observation: &Observation<'_>,
        principal: u64,
        (client, host): (u64, u64),
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let entry = self.principals.entry(principal, false, filling.limits.keys, PrincipalWindow::default);
        let Some(aggregate) = entry else { return };
        aggregate.tally.record(observation);
        aggregate.records += rows(observation);
        aggregate.places.record(observation, filling.key, shown);
        let requests = aggregate.tally.requests;
        note_demand(&mut aggregate.asked, &mut aggregate.callers, observation, (host, requests), filling, shown);
        aggregate.clients.insert(client);
        aggregate.client_sample.insert(client, observation.client);
        if let Some(credentials) = observation.credentials.filter(|credentials| credentials.is_lasting) {
            let new = || Box::new(LastingUse::new(credentials.kind));
            aggregate.lasting.get_or_insert_with(new).record(observation, shown);
        }
        if let Some(report) = exposed(observation) {
            aggregate.exposure.get_or_insert_default().record(observation, report, client, shown);
        }
    }
}

/// The object of another request than one that makes it, and the principal that it was given to.
fn contact_of(observation: &Observation<'_>) -> Option<(u64, u64)> {
    let object = observation.object.filter(|object| !object.is_in_body && observation.status != 201)?;
    Some((object.hash, observation.principal?))
}

fn new_endpoint(observation: &Observation<'_>) -> EndpointWindow {
    let mut endpoint = an_endpoint(&observation.method, &observation.host, observation.template);
    endpoint.documented = observation.documented;
    endpoint.is_deprecated = observation.is_deprecated;
    endpoint
}

/// A client of which nothing was counted yet.
pub fn new_client(address: IpAddr) -> ClientWindow {
    ClientWindow {
        address,
        tally: Tally::default(),
        errors: None,
        failures: None,
        exposure: None,
        records: 0,
        endpoints: Default::default(),
        abuses: None,
        evasions: None,
        deep: None,
        smuggling: None,
        injected: None,
        unsigned: None,
        asked: Default::default(),
        callers: None,
    }
}

/// An endpoint in which nothing was counted yet.
pub fn an_endpoint(method: &str, host: &str, template: &str) -> EndpointWindow {
    EndpointWindow {
        method: Arc::from(method),
        host: Arc::from(host),
        template: Arc::from(template),
        tally: Tally::default(),
        is_made: false,
        documented: None,
        is_deprecated: false,
        successes: 0,
        latency: LogHistogram::new(),
        sizes: LogHistogram::new(),
        records: LogHistogram::new(),
        sensitive_values: LogHistogram::new(),
        clients: Default::default(),
        client_sample: Default::default(),
        principals: Default::default(),
        served: Default::default(),
        contacts: Default::default(),
        shapes: Default::default(),
        pages: 0,
        open_successes: 0,
        errors: None,
        failures: None,
        logins: None,
        accounts: None,
        exposure: None,
        open_exposure: None,
        leaks: None,
        strays: None,
        paged: None,
        credentials: [0; 4],
        evidence: Default::default(),
    }
}

/// What a request asks of its host, the `requests`-th of the subject here; of a sample, who calls.
fn note_demand(
    asked: &mut AskedByHost,
    callers: &mut Option<Box<Callers>>,
    observation: &Observation<'_>,
    (host, requests): (u64, u64),
    filling: &Filling<'_>,
    shown: &mut Shown<'_, '_>,
) {
    asked.add(Asked { host, requests: 1, bytes: observation.response_bytes });
    if !observation.is_one_in(SAMPLE) {
        return;
    }
    let callers = callers.get_or_insert_default();
    callers.sampled += 1;
    if let Some(principal) = observation.principal {
        callers.signed_in += 1;
        callers.principals.insert(principal);
    }
    if let Some(agent) = &observation.user_agent {
        callers.agents.insert(filling.key.hash(agent.as_bytes()));
    }
    if requests >= SHOWN {
        shown.offer(&mut callers.evidence);
    }
}

/// The report of a response that exposes personal data.
fn exposed<'o>(observation: &Observation<'o>) -> Option<&'o BodyReport> {
    let report = observation.response.filter(|_| (200..300).contains(&observation.status))?;
    // Classes are sorted, and secrets are the last of them.
    let is_exposure = report.classes.first().is_some_and(|class| !class.class.is_secret());
    is_exposure.then_some(report)
}

/// Distinct personal values in one response.
pub fn distinct_values(report: &BodyReport) -> u64 {
    let personal = report.classes.iter().filter(|class| !class.class.is_secret());
    personal.map(|class| class.distinct.len() as u64).sum()
}

/// Rows of a successful response.
fn rows(observation: &Observation<'_>) -> u64 {
    observation.response.filter(|_| observation.is_success).map_or(0, |report| u64::from(report.records))
}

impl Tally {
    fn record(&mut self, observation: &Observation<'_>) {
        self.requests += 1;
        if observation.status != 0 {
            self.statuses.record(observation.status);
        }
        self.with_credentials += u64::from(observation.credentials.is_some());
        self.request_bytes += observation.request_bytes;
        self.response_bytes += observation.response_bytes;
        self.moment.record(observation.started);
    }
}

impl Errors {
    fn record(&mut self, observation: &Observation<'_>, client: u64, shown: &mut Shown<'_, '_>) {
        self.statuses.record(observation.status);
        // A missing object of a known endpoint is no path that there is not: who asks for many of those walks, or follows
        // dead links. Of an unknown one, what no list of names holds is missing once.
        let is_opaque = observation.object.is_some_and(|object| object.is_opaque);
        let is_named = is_opaque || observation.object.is_some_and(|object| object.number.is_some());
        if matches!(observation.status, 404 | 405 | 410) && !(observation.is_known && is_named) {
            self.missing_paths.insert(if is_opaque { observation.endpoint } else { observation.path });
        }
        self.clients.insert(client);
        self.client_sample.insert(client, observation.client);
        self.moment.record(observation.started);
        shown.offer(&mut self.evidence);
    }
}

impl Exposure {
    fn record(&mut self, observation: &Observation<'_>, report: &BodyReport, client: u64, shown: &mut Shown<'_, '_>) {
        self.note(observation, report, client, shown);
        for class in report.classes.iter().filter(|class| !class.class.is_secret()) {
            self.add_class(class);
        }
    }

    /// Counts a response, without the classes in it.
    pub(super) fn note(
        &mut self,
        observation: &Observation<'_>,
        report: &BodyReport,
        client: u64,
        shown: &mut Shown<'_, '_>,
    ) {
        self.responses += 1;
        self.records += u64::from(report.records);
        self.bytes += observation.response_bytes;
        self.clients.insert(client);
        self.client_sample.insert(client, observation.client);
        self.moment.record(observation.started);
        shown.offer(&mut self.evidence);
    }
}
