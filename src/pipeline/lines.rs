//! `http` records, written by the workers. Whoever takes them puts them in order of their start.

use crate::alert::record::{
    EveRecord, EventType, FlowHead, HttpDetail, HttpFields, community_id, wire_text, write_line,
};
use crate::api::Observation;
use crate::http::{Field, Head, Transaction};
use crate::inspect::BodyReport;
use crate::time::Timestamp;
use crate::window::leaked;
use std::borrow::Cow;
use std::net::SocketAddr;

/// Start, flow and position in the flow.
pub type LineKey = (Timestamp, u64, u32);

/// A finished record.
#[derive(Debug)]
pub struct Line {
    pub key: LineKey,
    pub bytes: Vec<u8>,
}

/// The mark of a record that was made while not everything was looked at.
pub const SHED: &str = "shed";

/// The record of a transaction. `observation` is absent for a response without a request.
pub fn line_of(
    transaction: &Transaction<BodyReport>,
    observation: Option<&Observation<'_>>,
    redact: &dyn Fn(&str) -> String,
    is_shed: bool,
) -> Line {
    let request = transaction.request.as_ref().map(|message| &message.head);
    let response = transaction.response.as_ref();
    let text = |head: Option<&Head>, field: Field| -> Option<Cow<'_, str>> {
        head.and_then(|head| head.get(field)).map(|value| Cow::Owned(wire_text(value).into_owned()))
    };
    let target = request.map(|head| wire_text(head.target()));
    let version = |head: &Head| Cow::Borrowed(head.version());
    let http = HttpFields {
        hostname: hostname(request, observation),
        http_port: request.and_then(port_named),
        url: target.filter(|target| !target.is_empty()).map(|target| Cow::Owned(redact(&target))),
        http_user_agent: text(request, Field::UserAgent),
        http_content_type: text(response.map(|message| &message.head), Field::ContentType),
        http_refer: text(request, Field::Referer).map(|referer| Cow::Owned(redact(&referer))),
        http_method: request.map(|head| wire_text(head.method())).filter(|method| !method.is_empty()),
        protocol: request.or(response.map(|message| &message.head)).map(version),
        status: response.map(|message| message.head.status()),
        redirect: text(response.map(|message| &message.head), Field::Location)
            .map(|location| Cow::Owned(redact(&location))),
        length: response.map(|message| message.body_length),
    };
    let detail = HttpDetail {
        endpoint: observation
            .map(|observation| format!("{} {}{}", observation.method, observation.host, observation.template).into()),
        client: observation.map(|observation| observation.client),
        principal: observation
            .and_then(|observation| observation.principal)
            .map(|principal| format!("{principal:016x}").into()),
        flags: observation.map_or(Vec::new(), flags_of),
        marks: transaction.marks.names().chain(is_shed.then_some(SHED)).map(Cow::Borrowed).collect(),
    };
    let (client, server) = (
        SocketAddr::new(transaction.client.address, transaction.client.port),
        SocketAddr::new(transaction.server.address, transaction.server.port),
    );
    let community = community_id(0, client, server);
    let flow = FlowHead { flow_id: transaction.flow.id, client, server, community_id: &community };
    let mut record = EveRecord::new(transaction.started(), EventType::Http, detail).with_flow(flow);
    record.http = Some(http);
    let mut bytes = Vec::with_capacity(640);
    write_line(&record, &mut bytes);
    Line { key: (transaction.started(), transaction.flow.id, transaction.index), bytes }
}

/// The port of the `Host` field, where it names one.
fn port_named(head: &Head) -> Option<u16> {
    let host = head.get(Field::Host)?.trim_ascii();
    let (name, port) = host.split_at_checked(memchr::memrchr(b':', host)?)?;
    let is_name = !name.contains(&b':') || name.ends_with(b"]"); // else it is an IPv6 address without brackets
    let digits = port.get(1..).filter(|port| is_name && port.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn hostname<'h>(request: Option<&'h Head>, observation: Option<&Observation<'_>>) -> Option<Cow<'h, str>> {
    let named = request.and_then(|head| head.get(Field::Host)).is_some();
    match observation {
        Some(observation) if named || observation.target.contains("://") => Some(observation.host.to_string().into()),
        _ => None,
    }
}

/// Detectors that this transaction's own content tripped.
fn flags_of(observation: &Observation<'_>) -> Vec<Cow<'static, str>> {
    let (is_success, is_sensitive) = (observation.is_success, observation.is_sensitive());
    let tripped = [
        ("unauthenticated_data_exposure", is_success && is_sensitive && observation.is_anonymous()),
        ("shadow_endpoint", is_success && observation.documented == Some(false)),
        ("credential_leak", leaked(observation).is_some()),
        ("undocumented_parameter", !observation.strays.is_empty()),
        ("evasion", observation.is_disputed),
        ("request_smuggling", observation.is_smuggling()),
        ("injection", observation.injections.has_code()),
        ("server_side_request_forgery", observation.injections.has_forgery()),
    ];
    tripped.into_iter().filter(|(_, is_so)| *is_so).map(|(detector, _)| Cow::Borrowed(detector)).collect()
}
