//! The sections of the configuration, as types. What each key means, its unit and range stand in `default.toml`; the
//! ranges are held in `check.rs`.

use super::limits;
use crate::alert::record::{EventType, Severity};
use crate::alert::sink::settings::{Facility, Fsync, SyslogAddress, Template, WebhookUrl};
use crate::rule::Network;
use crate::stream::OverlapPolicy;
use crate::time::parse_duration;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub name: String,
    pub time_zone: String,
    #[serde(deserialize_with = "list")]
    pub home_networks: Vec<Network>,
    #[serde(deserialize_with = "list")]
    pub known_scanners: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub interfaces: Vec<String>,
    #[serde(deserialize_with = "unless_empty")]
    pub filter: Option<String>,
    pub buffer_mib: u64,
    pub snaplen: u32,
    pub promiscuous: bool,
    /// None for as many as processors.
    #[serde(deserialize_with = "unless_zero")]
    pub threads: Option<std::num::NonZeroUsize>,
    pub vxlan_ports: Vec<u16>,
    pub geneve_ports: Vec<u16>,
    pub gtp_ports: Vec<u16>,
    pub encapsulation_depth: u32,
    pub key_by: Vec<KeyPart>,
}

/// What wraps a flow and is part of its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPart {
    Vlan,
    Vni,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    pub overlap: OverlapPolicy,
    pub overlap_by_network: Vec<OverlapRule>,
}

/// Whose bytes count where segments overlap that these hosts receive.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlapRule {
    #[serde(deserialize_with = "text")]
    pub network: Network,
    pub policy: OverlapPolicy,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// 0 for no limit.
    pub memory_mib: u64,
    pub endpoints: usize,
    pub clients: usize,
    pub principals: usize,
    pub hosts: usize,
    pub pairs: usize,
    /// Of one partition.
    pub flows: usize,
    pub network: limits::Network,
    pub http: limits::Http,
    pub http2: limits::Http2,
    pub bodies: limits::Bodies,
    pub window: limits::Window,
}

/// Who is who.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learning {
    #[serde(deserialize_with = "duration")]
    pub duration: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(deserialize_with = "unless_empty")]
    pub folder: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    pub openapi: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    pub false_alarms_per_day: f64,
    pub disabled: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    pub file: PathBuf,
    pub events: Vec<EventType>,
    pub fsync: Fsync,
    pub rotate_mib: u64,
    #[serde(deserialize_with = "duration")]
    pub rotate_every: Duration,
    pub rotate_keep: u32,
    pub rotate_compress: bool,
    pub spool_mib: u64,
    pub stdout: bool,
    pub pcap_excerpt: bool,
    pub excerpt_mib: u64,
    pub syslog: Syslog,
    pub webhook: Webhook,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    #[serde(deserialize_with = "unless_empty")]
    pub address: Option<SyslogAddress>,
    #[serde(deserialize_with = "text")]
    pub facility: Facility,
    pub app_name: String,
    #[serde(deserialize_with = "unless_empty")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    #[serde(deserialize_with = "unless_empty")]
    pub url: Option<WebhookUrl>,
    #[serde(deserialize_with = "unless_empty")]
    pub secret_file: Option<PathBuf>,
    pub batch: usize,
    pub template: Template,
    pub min_severity: Severity,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    #[serde(deserialize_with = "unless_empty")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub folder: PathBuf,
    #[serde(deserialize_with = "duration")]
    pub checkpoint: Duration,
    #[serde(deserialize_with = "duration")]
    pub export: Duration,
    pub max_disk_mib: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    #[serde(deserialize_with = "unless_empty")]
    pub listen: Option<SocketAddr>,
    pub top_endpoints: usize,
    /// `HOST:PORT`
    #[serde(deserialize_with = "unless_empty")]
    pub graphite: Option<String>,
    pub graphite_prefix: String,
    #[serde(deserialize_with = "duration")]
    pub graphite_interval: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    pub redact: Redact,
    /// Zero for as long as there is room.
    #[serde(deserialize_with = "duration")]
    pub retention: Duration,
}

/// What is blanked in URLs.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// Values of parameters that are secret by their names, and what is secret or personal by its looks.
    #[default]
    Secrets,
    /// Nothing: URLs as they were on the wire.
    None,
    /// The values of all parameters.
    All,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    #[serde(deserialize_with = "unless_empty")]
    pub socket: Option<PathBuf>,
    #[serde(deserialize_with = "unless_empty")]
    pub user: Option<String>,
    pub confine: bool,
}

/// What is written as text and means something else.
fn text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(Error::custom)
}

/// The same; nothing where the text is empty.
fn unless_empty<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(Error::custom) }
}

fn unless_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<std::num::NonZeroUsize>, D::Error> {
    Ok(std::num::NonZeroUsize::new(usize::deserialize(deserializer)?))
}

fn list<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(Error::custom)).collect()
}

/// A span of time with its unit: bare numbers, which `parse_duration` takes for seconds, are refused here as integers are.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&Cow::<'de, str>::deserialize(deserializer)?).map_err(Error::custom)
}
