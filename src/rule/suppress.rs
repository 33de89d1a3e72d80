//! What is known and shall not be reported: `suppress.toml`.

use super::nearest::nearest;
use super::pattern;
use super::source::{RuleError, Source};
use crate::time::Timestamp;
use serde::Deserialize;
use std::net::IpAddr;
use std::str::FromStr;
use toml::Spanned;

/// An address, or a network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 address is the same in its IPv6-mapped form (RFC 4291 §2.5.5.2).
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                (mine.to_bits() ^ other.to_bits()).checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                (mine.to_bits() ^ other.to_bits()).checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether they have an address in common: then one lies within the other.
    pub fn overlaps(&self, other: &Network) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let refuse = || format!("`{text}` is no address or network; write for example 192.0.2.7 or 192.0.2.0/24");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let address = if prefix.is_none() { address.to_canonical() } else { address };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(refuse)?,
            None => longest,
        };
        Ok(Network { address, prefix })
    }
}

/// One entry: all that it names must match.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppression {
    /// Name of a detector; none stands for all.
    pub detector: Option<String>,
    /// Pattern of `METHOD host/template`, of that without its method, or of the template alone.
    pub endpoint: Option<String>,
    pub client: Option<Network>,
    /// Event time from which on it no longer holds.
    pub until: Option<Timestamp>,
    pub reason: String,
}

impl Suppression {
    pub fn holds(&self, detector: &str, endpoint: Option<&str>, client: Option<IpAddr>, now: Timestamp) -> bool {
        let is_detector = self.detector.as_deref().is_none_or(|name| name == detector);
        let is_endpoint = self
            .endpoint
            .as_deref()
            .is_none_or(|wanted| endpoint.is_some_and(|found| pattern::fits_endpoint(wanted, found)));
        let is_client = self.client.is_none_or(|network| client.is_some_and(|address| network.contains(address)));
        is_detector && is_endpoint && is_client && self.until.is_none_or(|until| now < until)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuppressFile {
    suppress: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    detector: Option<Spanned<String>>,
    endpoint: Option<Spanned<String>>,
    client: Option<Spanned<String>>,
    until: Option<Spanned<toml::value::Datetime>>,
    reason: Spanned<String>,
}

impl SuppressFile {
    pub fn into_suppressions(self, source: &Source, detectors: &[&'static str]) -> Result<Vec<Suppression>, RuleError> {
        self.suppress.into_iter().map(|entry| suppression(entry, source, detectors)).collect()
    }
}

fn suppression(entry: Spanned<Entry>, source: &Source, detectors: &[&'static str]) -> Result<Suppression, RuleError> {
    let whole = entry.span();
    let Entry { detector, endpoint, client, until, reason } = entry.into_inner();
    if detector.is_none() && endpoint.is_none() && client.is_none() {
        let message =
            "an entry without `detector`, `endpoint` and `client` would suppress everything; name one of them";
        return Err(source.invalid(Some(whole), message));
    }
    if let Some(unknown) = detector.as_ref().filter(|name| !detectors.contains(&name.get_ref().as_str())) {
        let name = unknown.get_ref();
        let message = match nearest(name, detectors.iter().copied()) {
            Some(near) => format!("no detector is called `{name}`; did you mean `{near}`?"),
            None => format!("no detector is called `{name}`; they are {}", detectors.join(", ")),
        };
        return Err(source.invalid(Some(unknown.span()), &message));
    }
    if reason.get_ref().trim().is_empty() {
        return Err(source.invalid(Some(reason.span()), "`reason` is empty; say why this is not to be reported"));
    }
    let client = match client {
        Some(text) => {
            let network = text.get_ref().parse().map_err(|message: String| source.invalid(Some(text.span()), &message));
            Some(network?)
        }
        None => None,
    };
    let until = match until {
        Some(moment) => {
            let message = "`until` needs a date; write for example 2026-06-30T00:00:00Z or 2026-06-30";
            let refuse = || source.invalid(Some(moment.span()), message);
            Some(moment_of(moment.get_ref()).ok_or_else(refuse)?)
        }
        None => None,
    };
    let text = |spanned: Spanned<String>| spanned.into_inner();
    Ok(Suppression { detector: detector.map(text), endpoint: endpoint.map(text), client, until, reason: text(reason) })
}

/// A date alone is its first moment; what names no offset is UTC.
fn moment_of(datetime: &toml::value::Datetime) -> Option<Timestamp> {
    datetime.date?;
    let text = datetime.to_string();
    Timestamp::parse(&if datetime.time.is_some() { text } else { format!("{text}T00:00:00Z") })
}
