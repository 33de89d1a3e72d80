//! The configuration, `apitap.toml`: what a site sets once.
//!
//! In go three layers: the embedded `default.toml`, a file, the environment. Out comes a [`Config`] of typed values.
//! Refused, with file and line or the name of the variable, and the mend: unknown keys, wrong types, values out of range,
//! values that contradict each other. Flags of the command line win over all of it; commands see to that.

mod check;
mod environment;
mod limits;
mod sections;
mod settings;

pub use sections::{
    Alert, Api, Capture, Detect, Identity, KeyPart, Learning, Limits, Metrics, OverlapRule, Privacy, Redact, Rules,
    Service, Site, State, Stream, Syslog, Webhook,
};

use crate::alert::sink::settings::{FileSettings, Settings, SyslogSettings, WebhookSettings};
use crate::baseline::StoreLimits;
use crate::http::HttpLimits;
use crate::inspect;
use crate::packet::{KeyBy, PacketLimits, Tunnels};
use crate::rule::{Check, RuleError, Ruleset, Source, Suppression, parse};
use crate::stream::{FlowLimits, Overlaps};
use crate::window::WindowLimits;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::{Table, Value};

/// Where the daemon looks for its configuration.
pub const DEFAULT_FILE: &str = "/etc/apitap/apitap.toml";

/// Every key with its default and what it means.
pub const DEFAULT_TEXT: &str = include_str!("default.toml");

/// Keys that a running daemon takes over; all others need a restart.
const RELOADABLE: [&str; 10] = [
    "site.name",
    "site.time_zone",
    "site.home_networks",
    "site.known_scanners",
    "limits.memory_mib",
    "identity.trusted_proxies",
    "rules.folder",
    "api.openapi",
    "detect.false_alarms_per_day",
    "detect.disabled",
];

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read: {source}; give the path of a readable file", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Invalid(#[from] RuleError),
    /// A variable that looks like an override and is none.
    #[error("{variable}: {message}")]
    Variable { variable: String, message: String },
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub site: Site,
    pub capture: Capture,
    pub stream: Stream,
    pub limits: Limits,
    pub identity: Identity,
    pub learning: Learning,
    pub rules: Rules,
    pub api: Api,
    pub detect: Detect,
    pub alert: Alert,
    pub state: State,
    pub metrics: Metrics,
    pub privacy: Privacy,
    pub service: Service,
    /// The values as they were written, for [`Config::differences`].
    #[serde(skip)]
    written: Table,
}

impl Default for Config {
    /// The embedded file.
    fn default() -> Config {
        Config::of(Vec::new()).expect("the embedded file is valid, as a test shows")
    }
}

/// Keys whose values differ between two configurations, as `section.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    pub reloadable: Vec<String>,
    pub needs_restart: Vec<String>,
}

impl Config {
    /// The defaults, over them a file if there is one, over both the variables of the process.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        Config::read(file, std::env::vars_os())
    }

    /// The same with the variables given.
    pub fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Config, ConfigError> {
        let mut layers = Vec::new();
        if let Some(path) = file {
            std::fs::metadata(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            layers.push(Source::read(path)?);
        }
        layers.push(environment::overrides(variables)?);
        Ok(Config::of(layers)?)
    }

    fn of(layers: Vec<Source>) -> Result<Config, RuleError> {
        let mut config: Config = parse(DEFAULT_TEXT, &layers)?;
        config.written = parse(DEFAULT_TEXT, &layers)?;
        let mut check = Check::new(&layers);
        config.check(&mut check);
        check.finish()?;
        Ok(config)
    }

    /// What changed from one configuration to the next, by whether a running daemon can take it over. The same span of
    /// time written in another way counts as a change.
    pub fn differences(old: &Config, new: &Config) -> Differences {
        let (old, new) = (leaves(&old.written), leaves(&new.written)); // both have every key, in the same order
        let mut differences = Differences::default();
        for ((key, before), (_, after)) in old.iter().zip(&new) {
            if before != after {
                let kind = if RELOADABLE.contains(&key.as_str()) {
                    &mut differences.reloadable
                } else {
                    &mut differences.needs_restart
                };
                kind.push(key.clone());
            }
        }
        differences
    }

    /// Takes over what a running daemon can; the rest stays as it was started with. Gives what differed.
    pub fn adopt(&mut self, new: Config) -> Differences {
        let differences = Config::differences(self, &new);
        let Config { site, limits, identity, rules, api, detect, mut written, .. } = new;
        self.limits.memory_mib = limits.memory_mib;
        (self.site, self.identity, self.rules, self.api, self.detect) = (site, identity, rules, api, detect);
        for (section, key) in RELOADABLE.iter().filter_map(|name| name.split_once('.')) {
            let value = written.get_mut(section).and_then(|section| section.as_table_mut()?.remove(key));
            if let (Some(value), Some(Value::Table(section))) = (value, self.written.get_mut(section)) {
                section.insert(key.to_owned(), value);
            }
        }
        differences
    }

    /// Has the rules judge as the configuration says.
    pub fn apply(&self, rules: &mut Ruleset) {
        rules.false_alarms_per_day = self.detect.false_alarms_per_day;
        rules.suppressions.extend(self.suppressions());
    }

    /// What is not to be reported: what scanners do that are allowed to scan, and whatever a disabled detector finds.
    pub fn suppressions(&self) -> Vec<Suppression> {
        let of = |detector: &str, client, reason: &str| Suppression {
            detector: Some(detector.to_owned()),
            endpoint: None,
            client,
            until: None,
            reason: reason.to_owned(),
        };
        let scanners = self.site.known_scanners.iter();
        let scanners =
            scanners.map(|network| of("scanner", Some(*network), "`site.known_scanners` of the configuration"));
        let disabled = self.detect.disabled.iter();
        scanners.chain(disabled.map(|name| of(name, None, "`detect.disabled` of the configuration"))).collect()
    }

    pub fn store_limits(&self) -> StoreLimits {
        let Limits { endpoints, clients, principals, hosts, pairs, .. } = self.limits;
        StoreLimits { endpoints, clients, principals, hosts, pairs, ..StoreLimits::default() }
    }

    pub fn flow_limits(&self) -> FlowLimits {
        let by_network = self.stream.overlap_by_network.iter().map(|rule| (rule.network, rule.policy)).collect();
        let overlaps = Arc::new(Overlaps { otherwise: self.stream.overlap, by_network });
        let stream = self.limits.network.stream();
        FlowLimits { flows: self.limits.flows, stream, overlaps, ..FlowLimits::default() }
    }

    pub fn packet_limits(&self) -> PacketLimits {
        self.limits.network.packets()
    }

    pub fn window_limits(&self) -> WindowLimits {
        self.limits.window.limits()
    }

    pub fn http_limits(&self) -> HttpLimits {
        let Limits { http, http2, bodies, .. } = &self.limits;
        limits::http(http, http2, bodies)
    }

    pub fn inspect_limits(&self) -> inspect::Limits {
        self.limits.bodies.inspect()
    }

    /// What tags and tunnels are taken off, and what of them stays part of a flow.
    pub fn tunnels(&self) -> Tunnels {
        let capture = &self.capture;
        Tunnels {
            vxlan_ports: capture.vxlan_ports.clone(),
            geneve_ports: capture.geneve_ports.clone(),
            gtp_ports: capture.gtp_ports.clone(),
            depth: capture.encapsulation_depth,
            key_by: KeyBy {
                vlan: capture.key_by.contains(&KeyPart::Vlan),
                vni: capture.key_by.contains(&KeyPart::Vni),
            },
        }
    }

    /// What the sinks need to know.
    pub fn sinks(&self) -> Settings {
        let alert = &self.alert;
        let syslog = alert.syslog.address.clone().map(|address| SyslogSettings {
            address,
            facility: alert.syslog.facility,
            app_name: alert.syslog.app_name.clone(),
            ca_file: alert.syslog.ca_file.clone(),
        });
        let webhook = alert.webhook.url.clone().map(|url| WebhookSettings {
            url,
            secret_file: alert.webhook.secret_file.clone(),
            batch: alert.webhook.batch,
            template: alert.webhook.template,
            min_severity: alert.webhook.min_severity,
            timeout: alert.webhook.timeout,
            ca_file: alert.webhook.ca_file.clone(),
        });
        Settings {
            file: FileSettings {
                path: alert.file.clone(),
                events: alert.events.clone(),
                fsync: alert.fsync,
                rotate_bytes: alert.rotate_mib * MIB,
                rotate_every: alert.rotate_every,
                keep: alert.rotate_keep,
                compress: alert.rotate_compress,
                retention: self.privacy.retention,
            },
            stdout: alert.stdout,
            syslog,
            webhook,
            spool_bytes: alert.spool_mib * MIB,
        }
    }
}

/// Bytes of the unit that sizes are configured in; their ranges keep the product far from 2^64.
pub const MIB: u64 = 1 << 20;

/// Every key that is no table, as `section.key`, in a fixed order.
fn leaves(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(below, value)| (format!("{key}.{below}"), value)));
            }
            _ => found.push((key.clone(), value)),
        }
    }
    found
}

#[cfg(test)]
mod tests;
