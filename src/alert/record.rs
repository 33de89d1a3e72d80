//! The lines of the log: EVE JSON as Suricata writes it, with what is our own under `apitap`.
//!
//! In: what the pipeline found, as borrowed fields. Out: one line of JSON a record, fields in Suricata's order, so
//! that readers of EVE work unchanged. `docs/schema/eve.schema.json` describes every line.
//!
//! Bytes off the wire become text through [`wire_text`], which replaces invalid UTF-8. JSON escapes C0 controls;
//! [`write_line`] escapes DEL, C1 and the format characters that reorder text too, so that a log is safe to print.
//! Nothing here can hold a secret: principals and user names arrive as keyed hashes, evidence arrives masked.

pub mod community_id;

pub use crate::rule::Severity;
pub use community_id::community_id;

use super::escape::is_unsafe;
use crate::detect::Reasons;
use crate::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// One line of the log. `D` is what stands under `apitap`: it differs by `event_type`.
///
/// Records that belong to no one flow (`endpoint`, `stats`, an alert about silence) leave the five-tuple out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EveRecord<'a, D> {
    #[serde(with = "eve_time")]
    pub timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<u64>,
    pub event_type: EventType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_proto: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertFields<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFields<'a>>,
    pub apitap: D,
}

/// An incident was opened, updated or closed.
pub type AlertRecord = EveRecord<'static, AlertDetail>;
/// One transaction.
pub type HttpRecord<'a> = EveRecord<'a, HttpDetail<'a>>;
/// One line of the inventory.
pub type EndpointRecord = EveRecord<'static, EndpointDetail>;
/// Counters of the sensor at a point of event time.
pub type StatsRecord = EveRecord<'static, StatsDetail>;

/// The flow a record speaks of, client first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowHead<'a> {
    pub flow_id: u64,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub community_id: &'a str,
}

impl<'a, D> EveRecord<'a, D> {
    /// A record that belongs to no flow.
    pub fn new(timestamp: Timestamp, event_type: EventType, apitap: D) -> EveRecord<'a, D> {
        EveRecord {
            timestamp,
            flow_id: None,
            event_type,
            src_ip: None,
            src_port: None,
            dest_ip: None,
            dest_port: None,
            proto: None,
            app_proto: None,
            community_id: None,
            alert: None,
            http: None,
            apitap,
        }
    }

    /// The same record, about an HTTP flow over TCP.
    pub fn with_flow(mut self, flow: FlowHead<'a>) -> EveRecord<'a, D> {
        self.flow_id = Some(flow.flow_id);
        self.src_ip = Some(flow.client.ip());
        self.src_port = Some(flow.client.port());
        self.dest_ip = Some(flow.server.ip());
        self.dest_port = Some(flow.server.port());
        self.proto = Some(Cow::Borrowed("TCP"));
        self.app_proto = Some(Cow::Borrowed("http"));
        self.community_id = Some(Cow::Borrowed(flow.community_id));
        self
    }
}

/// What kind of line it is; `--events` chooses among these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    Alert,
    Http,
    Endpoint,
    Stats,
}

impl EventType {
    pub const NAMES: [&'static str; 4] = ["alert", "http", "endpoint", "stats"];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize] // one name for each variant, in the order of the variants
    }
}

impl std::str::FromStr for EventType {
    type Err = String;

    fn from_str(text: &str) -> Result<EventType, String> {
        match text {
            "alert" => Ok(EventType::Alert),
            "http" => Ok(EventType::Http),
            "endpoint" => Ok(EventType::Endpoint),
            "stats" => Ok(EventType::Stats),
            _ => Err(format!("`{text}` is not a kind of event; choose among {}", Self::NAMES.join(", "))),
        }
    }
}

/// Where an incident stands. People count incidents: an `updated` or `closed` record is no new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    Opened,
    Updated,
    Closed,
}

/// What an incident is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    Endpoint,
    Client,
    Principal,
    Network,
    Host,
    /// A user name that was tried, as a keyed hash.
    Account,
    /// The sensor itself, or an interface of it.
    Sensor,
}

impl SubjectKind {
    pub fn name(self) -> &'static str {
        match self {
            SubjectKind::Endpoint => "endpoint",
            SubjectKind::Client => "client",
            SubjectKind::Principal => "principal",
            SubjectKind::Network => "network",
            SubjectKind::Host => "host",
            SubjectKind::Account => "account",
            SubjectKind::Sensor => "sensor",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    pub kind: SubjectKind,
    pub value: String,
}

/// Suricata's `http` object, in Suricata's order. Half transactions lack the fields of the other half.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct HttpFields<'a> {
    /// Without the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Cow<'a, str>>,
    /// The port of the `Host` header, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_port: Option<u16>,
    /// The request target as on the wire, values of secret-like parameters redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_user_agent: Option<Cow<'a, str>>,
    /// Media type of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_content_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_refer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_method: Option<Cow<'a, str>>,
    /// `HTTP/1.1`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The `Location` of a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Cow<'a, str>>,
    /// Bytes of the response body after dechunking, before inflating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// Suricata's `alert` object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlertFields<'a> {
    /// Always `allowed`: this sensor only listens.
    pub action: Cow<'a, str>,
    pub gid: u32,
    pub signature_id: u32,
    pub rev: u32,
    pub signature: Cow<'a, str>,
    pub category: Cow<'a, str>,
    /// Suricata's scale, see [`Severity::eve`].
    pub severity: u8,
}

impl<'a> AlertFields<'a> {
    pub fn new(
        signature_id: u32,
        rev: u32,
        signature: impl Into<Cow<'a, str>>,
        category: impl Into<Cow<'a, str>>,
        severity: Severity,
    ) -> AlertFields<'a> {
        AlertFields {
            action: Cow::Borrowed("allowed"),
            gid: 1,
            signature_id,
            rev,
            signature: signature.into(),
            category: category.into(),
            severity: severity.eve(),
        }
    }
}

/// `apitap` of an alert.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AlertDetail {
    pub detector: String,
    /// The same for every record of one incident.
    pub incident: String,
    /// Which record of its incident it is, from 1 on. Logs of earlier versions have none.
    #[serde(default)]
    pub sequence: u64,
    pub state: IncidentState,
    pub severity: Severity,
    /// Of counts this extreme if nothing had changed. A breach of policy claims none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    pub subject: Subject,
    /// `METHOD host/template`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// A keyed hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// `203.0.113.0/24`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<Clients>,
    /// Accounts that were opened, likely taken over: keyed hashes of their user names (`apitap state account` gives those of names).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    #[serde(with = "eve_time")]
    pub first_seen: Timestamp,
    #[serde(with = "eve_time")]
    pub last_seen: Timestamp,
    /// How many transactions the incident stands on.
    pub count: u64,
    /// In plain words: `412 failed logins for 380 users in 2m; 3 succeeded`.
    pub observed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The numbers behind it.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
    /// What the incident's detectors saw, in the order in which it began, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What was the matter with the sensor meanwhile: `shed`, it did not look at everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// `API2:2023 Broken Authentication`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owasp: Option<String>,
    /// What to look at next.
    pub advice: String,
}

#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Clients {
    pub count: u64,
    pub sample: Vec<IpAddr>,
}

/// What one detector saw of an incident.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TimelineEntry {
    pub detector: String,
    pub severity: Severity,
    #[serde(with = "eve_time")]
    pub first_seen: Timestamp,
    #[serde(with = "eve_time")]
    pub last_seen: Timestamp,
    pub count: u64,
    pub observed: String,
}

/// A transaction that shows what an alert is about, masked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    #[serde(with = "eve_time")]
    pub timestamp: Timestamp,
    pub src_ip: IpAddr,
    pub src_port: u16,
    pub dest_ip: IpAddr,
    pub dest_port: u16,
    pub http: HttpFields<'static>,
}

/// `apitap` of an `http` record.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct HttpDetail<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Cow<'a, str>>,
    /// Detectors that this transaction's own content tripped.
    #[serde(default)]
    pub flags: Vec<Cow<'a, str>>,
    /// What the wire did to it: `request_only`, `gap_in_body`, `midstream`, `obs_fold`.
    #[serde(default)]
    pub marks: Vec<Cow<'a, str>>,
}

/// `apitap` of an `endpoint` record: one line of the inventory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EndpointDetail {
    pub method: String,
    pub host: String,
    pub template: String,
    /// All methods seen on this host and template, sorted.
    pub methods: Vec<String>,
    /// Responses by status code.
    pub status: BTreeMap<u16, u64>,
    pub requests: u64,
    pub rate_per_minute: f64,
    /// Absent where no response was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Requests by the kind of credential they carried; `none` among them.
    pub credentials: BTreeMap<String, u64>,
    /// Sensitive values by class.
    pub data: BTreeMap<String, u64>,
    /// Absent for an operation that a description names and nobody asked for.
    #[serde(default, with = "eve_time_if_any", skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    #[serde(default, with = "eve_time_if_any", skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Absent where no OpenAPI description was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documented: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

/// `apitap` of a `stats` record. Event time only, no uptime: a replay must give the same line.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct StatsDetail {
    pub counters: BTreeMap<String, u64>,
}

/// Bytes off the wire as text: invalid UTF-8 becomes U+FFFD. Borrows wherever the bytes are valid.
pub fn wire_text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Appends a record and a newline. Fails only where a value cannot be JSON, which no record of ours holds.
pub fn write_line<D: Serialize>(record: &EveRecord<'_, D>, out: &mut Vec<u8>) {
    let start = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, PrintableJson);
    if record.serialize(&mut serializer).is_err() {
        out.truncate(start); // a `Vec` takes every byte and every key is a string or a number: not reached
        return;
    }
    out.push(b'\n');
}

/// JSON without white space in which every character that could act on a terminal is written as `\uXXXX`.
struct PrintableJson;

impl serde_json::ser::Formatter for PrintableJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_printable(writer, fragment)
    }
}

/// Writes what stands in a string of JSON, or a line of JSON, so that printing it is harmless; its meaning stays.
pub fn write_printable<W: ?Sized + io::Write>(writer: &mut W, json: &str) -> io::Result<()> {
    const DEL: u8 = 0x7f;
    if json.bytes().all(|byte| (b' '..DEL).contains(&byte)) {
        return writer.write_all(json.as_bytes());
    }
    let mut printed = 0;
    for (at, c) in json.char_indices().filter(|(_, c)| is_unsafe(*c)) {
        writer.write_all(&json.as_bytes()[printed..at])?; // `printed` and `at` are character boundaries
        if !c.is_ascii_whitespace() {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        } else {
            writer.write_all(b" ")?; // white space between the values
        }
        printed = at + c.len_utf8();
    }
    writer.write_all(&json.as_bytes()[printed..]) // as above
}

/// The same, where there is one; it is left out where there is none.
mod eve_time_if_any {
    use super::*;

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => eve_time::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        eve_time::deserialize(deserializer).map(Some)
    }
}

/// `#[serde(with = "eve_time")]`: a [`Timestamp`] as its `Display` text. Written out by hand: formatting machinery costs more than the rest of a line.
pub mod eve_time {
    use super::*;

    const MICROSECOND: u32 = 1000;

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let (year, month, day, hour, minute, second) = time.civil();
        let Some(year) = u32::try_from(year).ok().filter(|year| *year <= 9999) else {
            return serializer.collect_str(time); // the bounds of i64 nanoseconds lie in 1677 and 2262: not reached
        };
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        let mut put = |at: usize, width: usize, mut value: u32| {
            for digit in text[at..at + width].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, hour);
        put(14, 2, minute);
        put(17, 2, second);
        put(20, 6, time.subsec_nanos() / MICROSECOND);
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        // `Timestamp::parse` slices by bytes; times are ASCII, so refuse the rest before it.
        let time = if text.is_ascii() { Timestamp::parse(&text) } else { None };
        time.ok_or_else(|| serde::de::Error::custom("not a time like 2025-11-23T10:00:00.123456+0000"))
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
