//! What the sinks are told: where to write and send, how often, how much to keep.
//!
//! Typed values, filled by the configuration; addresses and names are read from their text here, and refused with a
//! message that says how to write them.

use crate::alert::record::{EventType, Severity};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub file: FileSettings,
    pub stdout: bool,
    pub syslog: Option<SyslogSettings>,
    pub webhook: Option<WebhookSettings>,
    /// Bound of the queue of each sink beside the file, on disk, and of the file's spool, in memory and on disk each.
    pub spool_bytes: u64,
}

/// The log of EVE lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSettings {
    pub path: PathBuf,
    /// Kinds of lines that are written.
    pub events: Vec<EventType>,
    pub fsync: Fsync,
    /// Bytes from which on the log is rotated.
    pub rotate_bytes: u64,
    /// Age from which on it is rotated; zero for never.
    pub rotate_every: Duration,
    /// Rotated logs that are kept.
    pub keep: u32,
    /// Whether they are compressed, the newest excepted.
    pub compress: bool,
    /// Age from which on a rotated log is removed; zero for never.
    pub retention: Duration,
}

/// When lines are forced to the disk. They are handed to the kernel at once in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// After every alert.
    Always,
    /// Once a second.
    Interval,
    Never,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyslogSettings {
    pub address: SyslogAddress,
    pub facility: Facility,
    pub app_name: String,
    /// Certificates that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookSettings {
    pub url: WebhookUrl,
    /// File whose content signs every body.
    pub secret_file: Option<PathBuf>,
    /// Alerts that one request may carry.
    pub batch: usize,
    pub template: Template,
    pub min_severity: Severity,
    pub timeout: Duration,
    /// Certificates that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

/// What the body of a request looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// `{"alerts": [...]}`, EVE records as in the log.
    Json,
    /// `{"text": "..."}`: what Slack, Mattermost and the like show as a message.
    Slack,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// RFC 5426: a datagram a message; nothing says whether it arrived.
    Udp,
    /// RFC 6587, with octet counting.
    Tcp,
    /// RFC 5425.
    Tls,
}

/// `udp://host:514`, `tcp://host:601` or `tls://host:6514`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyslogAddress {
    pub transport: Transport,
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    pub port: u16,
}

impl FromStr for SyslogAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<SyslogAddress, String> {
        let refuse =
            || format!("`{text}` is no syslog address; write udp://HOST:514, tcp://HOST:601 or tls://HOST:6514");
        let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(refuse()),
        };
        let (host, port) = host_and_port(rest).ok_or_else(refuse)?;
        Ok(SyslogAddress { transport, host, port })
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// `name:port`, `192.0.2.7:port` or `[2001:db8::7]:port`.
pub fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().ok()?.to_string(),
        None => host.to_owned(),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_ipv6 = host.parse::<std::net::Ipv6Addr>().is_ok() && text.starts_with('[');
    (is_ipv6 || (!host.is_empty() && host.chars().all(is_name))).then_some((host, port))
}

/// Where a webhook listens: `https://` or, for what stands on the same machine, `http://`. Names and passwords in it are
/// refused: a configuration is no place for secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl FromStr for WebhookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<WebhookUrl, String> {
        let refuse = || format!("`{text}` is no address of a webhook; write https://HOST/PATH");
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refuse)?;
        let uri: ureq::http::Uri = text.parse().map_err(|_| refuse())?;
        if rest.split(['/', '?']).next().is_some_and(|authority| authority.contains('@')) {
            return Err("a webhook's URL may not hold a user name or password; sign with `secret_file`".to_owned());
        }
        if uri.host().is_none_or(str::is_empty) || text.contains('#') {
            return Err(refuse());
        }
        Ok(WebhookUrl(text.to_owned()))
    }
}

/// A syslog facility, by its number (RFC 5424 §6.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facility(u8);

impl Facility {
    /// Their usual names, in the order of their numbers.
    pub const NAMES: [&'static str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
        "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];

    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Facility, String> {
        let at = Self::NAMES.iter().position(|name| *name == text);
        let refuse = || {
            let hint = crate::rule::did_you_mean(text, Self::NAMES);
            format!("there is no facility `{text}`; there are {}{hint}", Self::NAMES.join(", "))
        };
        at.map(|number| Facility(number as u8)).ok_or_else(refuse) // 24 names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_addresses_are_read_and_written_alike() {
        for text in ["udp://10.0.0.1:514", "tcp://log.example:601", "tls://[2001:db8::7]:6514"] {
            assert_eq!(text.parse::<SyslogAddress>().unwrap().to_string(), text);
        }
        let address: SyslogAddress = "tls://[::1]:6514".parse().unwrap();
        assert_eq!((address.transport, address.host.as_str(), address.port), (Transport::Tls, "::1", 6514));
    }

    #[test]
    fn what_is_no_syslog_address_is_refused() {
        for text in ["", "10.0.0.1:514", "udp://", "udp://host", "udp://host:0", "udp://host:70000", "http://host:1"] {
            assert!(text.parse::<SyslogAddress>().unwrap_err().contains("udp://HOST:514"), "{text}");
        }
        for text in ["tcp://2001:db8::7:514", "tcp://[host]:1", "tcp://a b:1", "tcp://a/b:1", "tcp://:1"] {
            assert!(text.parse::<SyslogAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_webhook_is_http_and_holds_no_password() {
        assert!("https://hooks.example/services/T0/B0?x=1".parse::<WebhookUrl>().unwrap().is_https());
        assert!(!"http://127.0.0.1:8080/".parse::<WebhookUrl>().unwrap().is_https());
        assert!("https://me:secret@hooks.example/".parse::<WebhookUrl>().unwrap_err().contains("secret_file"));
        for text in
            ["", "hooks.example", "ftp://hooks.example/", "https://", "https:///x", "https://a b/", "https://a/#x"]
        {
            assert!(text.parse::<WebhookUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn facilities_have_the_numbers_of_rfc_5424() {
        let number = |name: &str| name.parse::<Facility>().map(Facility::number);
        assert_eq!(
            (number("kern"), number("daemon"), number("local0"), number("local7")),
            (Ok(0), Ok(3), Ok(16), Ok(23))
        );
        assert!(number("local8").unwrap_err().contains("did you mean"));
    }
}
