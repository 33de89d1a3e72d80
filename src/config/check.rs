//! The ranges of the configuration's values, and what contradicts what. The ranges stand in `default.toml` too.

use super::Config;
use crate::alert::sink::settings::{Transport, host_and_port};
use crate::capture::Filter;
use crate::packet::PARTITIONS;
use crate::rule::{Check, Ruleset, did_you_mean};
use crate::time::zone::{self, Zone};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The longest path of a Unix socket (`sun_path` has 108 bytes, one of them ends it).
const SOCKET_PATH_BYTES: usize = 107;
/// Each is compared with the port of every UDP datagram.
const TUNNEL_PORTS: usize = 16;
/// RFC 5424 §6.2.5.
const APP_NAME_BYTES: usize = 48;

impl Config {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.table("site", |check| self.check_site(check));
        check.table("capture", |check| self.check_capture(check));
        check.table("limits", |check| self.check_limits(check));
        check.table("learning", |check| within(check, "duration", self.learning.duration, Duration::ZERO, 90 * DAY));
        check.table("detect", |check| self.check_detect(check));
        check.table("alert", |check| self.check_alert(check));
        check.table("state", |check| {
            let state = &self.state;
            path(check, "folder", &state.folder);
            within(check, "checkpoint", state.checkpoint, SECOND, HOUR);
            within(check, "export", state.export, MINUTE, 7 * DAY);
            if state.export < state.checkpoint {
                check.fail("export", "`export` is shorter than `checkpoint`; make it at least as long");
            }
            check.within("max_disk_mib", state.max_disk_mib, 64, 1 << 20);
        });
        check.table("metrics", |check| self.check_metrics(check));
        check.table("privacy", |check| within(check, "retention", self.privacy.retention, Duration::ZERO, 3650 * DAY));
        check.table("service", |check| {
            let bytes = self.service.socket.as_ref().map_or(0, |path| path.as_os_str().len());
            if bytes > SOCKET_PATH_BYTES {
                let message =
                    format!("`socket` has {bytes} bytes; the path of a socket has at most {SOCKET_PATH_BYTES}");
                check.fail("socket", &message);
            }
        });
    }

    fn check_site(&self, check: &mut Check<'_>) {
        if !self.site.name.is_empty() {
            check.text("name", &self.site.name);
        }
        let zone = &self.site.time_zone;
        if Zone::named(zone).is_none() {
            let message = format!(
                "there is no time zone `{zone}` in {}; write a name such as Europe/Vienna, or UTC (Debian: the zones are \
                 in the package tzdata)",
                zone::FOLDER
            );
            check.fail("time_zone", &message);
        }
    }

    fn check_capture(&self, check: &mut Check<'_>) {
        let capture = &self.capture;
        check.names("interfaces", &capture.interfaces);
        if let Some(error) = capture.filter.as_deref().and_then(|filter| Filter::compile(filter).err()) {
            check.fail("filter", &error.to_string());
        }
        check.within("buffer_mib", capture.buffer_mib, 1, 4096);
        check.within("snaplen", capture.snaplen, 65_535, 262_144);
        check.within("threads", capture.threads.map_or(0, |threads| threads.get()), 0, PARTITIONS);
        check.within("encapsulation_depth", capture.encapsulation_depth, 1, 32);
        let ports = [
            ("vxlan_ports", &capture.vxlan_ports),
            ("geneve_ports", &capture.geneve_ports),
            ("gtp_ports", &capture.gtp_ports),
        ];
        let mut taken = BTreeMap::new();
        for (key, ports) in ports {
            if ports.len() > TUNNEL_PORTS {
                check.fail(key, &format!("`{key}` names {} ports; it may name {TUNNEL_PORTS}", ports.len()));
            }
            for port in ports {
                match taken.insert(port, key) {
                    _ if *port == 0 => check.fail(key, &format!("`{key}` names port 0; give one from 1 to 65535")),
                    Some(other) => check.fail(key, &format!("port {port} stands in `{other}` already; name it once")),
                    None => {}
                }
            }
        }
    }

    fn check_limits(&self, check: &mut Check<'_>) {
        let limits = &self.limits;
        if limits.memory_mib != 0 {
            check.at_least("memory_mib", limits.memory_mib, 64);
        }
        check.within("endpoints", limits.endpoints, 100, 1_000_000);
        check.within("clients", limits.clients, 1000, 100_000_000);
        check.within("principals", limits.principals, 1000, 100_000_000);
        check.within("hosts", limits.hosts, 10, 1_000_000);
        check.within("pairs", limits.pairs, 1000, 100_000_000);
        check.within("flows", limits.flows, 64, 1_000_000);
        check.table("network", |check| limits.network.check(check));
        check.table("http", |check| limits.http.check(check));
        check.table("window", |check| limits.window.check(check));
        check.table("http2", |check| limits.http2.check(check));
        check.table("bodies", |check| limits.bodies.check(check));
    }

    fn check_detect(&self, check: &mut Check<'_>) {
        check.within("false_alarms_per_day", self.detect.false_alarms_per_day, 0.001, 1000.0);
        let known = Ruleset::detectors();
        if let Some(name) = self.detect.disabled.iter().find(|name| !known.contains(&name.as_str())) {
            let hint = did_you_mean(name, known.iter().copied());
            check.fail("disabled", &format!("no detector is called `{name}`{hint}; they are {}", known.join(", ")));
        }
    }

    fn check_alert(&self, check: &mut Check<'_>) {
        let alert = &self.alert;
        path(check, "file", &alert.file);
        if alert.file.file_name().is_none() {
            check.fail("file", "`file` is a folder; name a file in it");
        }
        check.within("rotate_mib", alert.rotate_mib, 1, 1 << 20);
        if alert.rotate_every != Duration::ZERO {
            within(check, "rotate_every", alert.rotate_every, MINUTE, 3650 * DAY);
        }
        check.within("rotate_keep", alert.rotate_keep, 1, 10_000);
        check.within("spool_mib", alert.spool_mib, 1, 1 << 16);
        check.within("excerpt_mib", alert.excerpt_mib, 1, 1 << 20);
        check.table("syslog", |check| {
            let syslog = &alert.syslog;
            let name = syslog.app_name.as_bytes();
            if name.is_empty() || name.len() > APP_NAME_BYTES || !name.iter().all(u8::is_ascii_graphic) {
                check.fail(
                    "app_name",
                    &format!("`app_name` must be 1 to {APP_NAME_BYTES} printable characters without spaces"),
                );
            }
            let is_tls = syslog.address.as_ref().is_some_and(|address| address.transport == Transport::Tls);
            if syslog.ca_file.is_some() && !is_tls {
                check.fail("ca_file", "`ca_file` is for an `address` that begins with tls://; change one of them");
            }
        });
        check.table("webhook", |check| {
            let webhook = &alert.webhook;
            if webhook.secret_file.is_some() && webhook.url.is_none() {
                check.fail("secret_file", "`secret_file` is for a webhook, and there is no `url`; give one");
            }
            if webhook.ca_file.is_some() && webhook.url.as_ref().is_none_or(|url| !url.is_https()) {
                check.fail("ca_file", "`ca_file` is for a `url` that begins with https://; change one of them");
            }
            check.within("batch", webhook.batch, 1, 1000);
            within(check, "timeout", webhook.timeout, SECOND, 5 * MINUTE);
        });
    }

    fn check_metrics(&self, check: &mut Check<'_>) {
        let metrics = &self.metrics;
        check.within("top_endpoints", metrics.top_endpoints, 0, 10_000);
        if let Some(text) = metrics.graphite.as_deref().filter(|text| host_and_port(text).is_none()) {
            check.fail("graphite", &format!("`{text}` is no server; write HOST:2003"));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if metrics.graphite_prefix.is_empty() || !metrics.graphite_prefix.chars().all(is_part) {
            check.fail("graphite_prefix", "`graphite_prefix` must be made of letters, digits, `_`, `-` and `.`");
        }
        within(check, "graphite_interval", metrics.graphite_interval, SECOND, HOUR);
    }
}

fn path(check: &mut Check<'_>, key: &'static str, path: &Path) {
    if path.as_os_str().is_empty() {
        check.fail(key, &format!("`{key}` is empty; name a path"));
    }
}

pub(super) fn within(check: &mut Check<'_>, key: &'static str, value: Duration, least: Duration, most: Duration) {
    if value < least || value > most {
        let message = format!("`{key}` is {}; it must be from {} to {}", spelled(value), spelled(least), spelled(most));
        check.fail(key, &message);
    }
}

/// As it would be written in the file, in the largest unit that fits.
fn spelled(span: Duration) -> String {
    let (seconds, milliseconds) = (span.as_secs(), span.subsec_millis());
    match seconds {
        _ if milliseconds != 0 => format!("{}ms", span.as_millis()),
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(DAY.as_secs()) => format!("{}d", seconds / DAY.as_secs()),
        _ if seconds.is_multiple_of(HOUR.as_secs()) => format!("{}h", seconds / HOUR.as_secs()),
        _ if seconds.is_multiple_of(MINUTE.as_secs()) => format!("{}m", seconds / MINUTE.as_secs()),
        _ => format!("{seconds}s"),
    }
}
