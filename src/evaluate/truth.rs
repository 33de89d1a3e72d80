//! What really happened: attacks and lawful changes, as `apitap simulate` writes them or as somebody wrote them by hand.
//!
//! In: JSON Lines, or CSV with a header line (`csv.rs`); which of them it is, the first character says. Out: stretches of
//! traffic. A file that does not match is refused whole, with line and column and what was expected: a truth that is
//! misread gives figures that look right.

mod csv;
mod entry;

use super::EvaluateError;
use super::lines::{Lines, quoted};
use super::traffic::Traffic;
use crate::rule::{Network, Severity};
use crate::time::Timestamp;
use crate::window::shortened;
use entry::Entry;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

/// Where and when something happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Scope {
    pub start: Timestamp,
    pub end: Timestamp,
    pub clients: Vec<Network>,
    /// Patterns of `METHOD host/template`, what stands in `{}` left out.
    pub endpoints: Vec<String>,
}

impl Scope {
    /// Neither clients nor endpoints are named: all that was at that time.
    pub fn is_everywhere(&self) -> bool {
        self.clients.is_empty() && self.endpoints.is_empty()
    }
}

/// A stretch of traffic that was an attack.
#[derive(Clone, PartialEq, Debug)]
pub struct Attack {
    pub name: String,
    pub level: String,
    pub scope: Scope,
    /// Should speak; where none is named, whoever speaks has found it.
    pub detectors: BTreeSet<String>,
    /// May speak as well.
    pub may: BTreeSet<String>,
}

impl Attack {
    /// Whether this detector finds it when it speaks.
    pub fn is_found_by(&self, detector: &str) -> bool {
        self.detectors.is_empty() || self.detectors.contains(detector)
    }

    /// Whether it is no false alarm when this detector speaks of it.
    pub fn lets_speak(&self, detector: &str) -> bool {
        self.is_found_by(detector) || self.may.contains(detector)
    }
}

/// A lawful change of which some detectors may speak, up to a severity.
#[derive(Clone, PartialEq, Debug)]
pub struct Benign {
    pub name: String,
    pub scope: Scope,
    /// None: all of them.
    pub may: Option<BTreeSet<String>>,
    pub max_severity: Severity,
}

impl Benign {
    pub fn lets_speak(&self, detector: &str, severity: Severity) -> bool {
        severity <= self.max_severity && self.may.as_ref().is_none_or(|may| may.contains(detector))
    }
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Truth {
    pub attacks: Vec<Attack>,
    pub benign: Vec<Benign>,
    /// First and last packet and number of transactions, where the truth says so.
    pub traffic: Option<TrafficSummary>,
}

/// What `simulate` writes at the end.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct TrafficSummary {
    #[serde(with = "crate::alert::record::eve_time")]
    pub first: Timestamp,
    #[serde(with = "crate::alert::record::eve_time")]
    pub last: Timestamp,
    pub transactions: u64,
}

/// What a line of JSON is about.
#[derive(Deserialize)]
struct Kind {
    summary: Option<IgnoredAny>,
    /// A transaction, of `simulate --log-transactions`.
    t: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SummaryLine {
    summary: TrafficSummary,
}

/// One line of truth.
enum Stretch {
    Attack(Attack),
    Benign(Benign),
}

impl Truth {
    pub fn read(path: &Path) -> Result<Truth, EvaluateError> {
        Truth::parse(Lines::open(path, "`apitap simulate -o OUT.pcap` writes OUT.truth.jsonl")?)
    }

    pub(super) fn parse(mut lines: Lines<impl BufRead>) -> Result<Truth, EvaluateError> {
        let Some(first) = lines.next()? else {
            return Err(lines.misfit(1, "the file is empty; expected JSON Lines or CSV".to_owned()).into());
        };
        if !first.trim_start().starts_with('{') {
            return csv::parse(first, lines);
        }
        let mut truth = Truth::default();
        let mut line = Some(first);
        while let Some(text) = line {
            truth.take_json(&text, &lines)?;
            line = lines.next()?;
        }
        Ok(truth)
    }

    fn take_json(&mut self, line: &str, lines: &Lines<impl BufRead>) -> Result<(), EvaluateError> {
        let refuse = |error: serde_json::Error| lines.misfit_of_json(&error);
        let kind: Kind = serde_json::from_str(line).map_err(refuse)?;
        if kind.summary.is_some() {
            self.traffic = Some(serde_json::from_str::<SummaryLine>(line).map_err(refuse)?.summary);
        } else if kind.t.is_none() {
            let entry: Entry = serde_json::from_str(line).map_err(refuse)?;
            self.add(entry.stretch().map_err(|message| lines.misfit(1, message))?);
        }
        Ok(())
    }

    fn add(&mut self, stretch: Stretch) {
        match stretch {
            Stretch::Attack(attack) => self.attacks.push(attack),
            Stretch::Benign(benign) => self.benign.push(benign),
        }
    }

    /// When there was traffic, as far as the truth knows.
    pub fn tell_span(&self, traffic: &mut Traffic) {
        let scopes =
            self.attacks.iter().map(|attack| &attack.scope).chain(self.benign.iter().map(|benign| &benign.scope));
        let summary = self.traffic.iter().flat_map(|summary| [summary.first, summary.last]);
        scopes.flat_map(|scope| [scope.start, scope.end]).chain(summary).for_each(|time| traffic.reaches(time));
    }

    /// Puts another truth beside this one.
    pub fn extend(&mut self, other: Truth) {
        self.attacks.extend(other.attacks);
        self.benign.extend(other.benign);
        self.traffic = match (self.traffic.take(), other.traffic) {
            (Some(one), Some(other)) => Some(TrafficSummary {
                first: one.first.min(other.first),
                last: one.last.max(other.last),
                transactions: one.transactions.saturating_add(other.transactions),
            }),
            (one, other) => one.or(other),
        };
    }
}

/// Characters of an endpoint: comparing takes the product of two of them.
const ENDPOINT_CHARACTERS: usize = 2000;

/// An endpoint without what may be named differently: `GET api.example/users/{}`.
pub fn endpoint_shape(endpoint: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for c in shortened(endpoint, ENDPOINT_CHARACTERS).replacen(" /", "/", 1).chars() {
        inside = (inside || c == '{') && c != '}';
        if !inside || c == '{' {
            shape.push(c);
        }
    }
    shape
}

/// An endpoint of a truth as a pattern: `METHOD host/template`, and where the method is left out, of any method.
fn endpoint_pattern(text: &str) -> Result<String, String> {
    if text.chars().nth(ENDPOINT_CHARACTERS).is_some() {
        return Err(format!("{} is too long for an endpoint: at most {ENDPOINT_CHARACTERS} characters", quoted(text)));
    }
    let (method, place) = text.trim().split_once(' ').unwrap_or(("*", text.trim()));
    let place = place.trim_start();
    let is_method =
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic() || b"*-_".contains(&byte));
    if !is_method || !(place.contains('/') || place.contains('*')) {
        return Err(format!(
            "{} is no endpoint; expected METHOD host/template, `*` for any text, for example `GET api.example/v1/users/{{id}}`",
            quoted(text)
        ));
    }
    let host = if place.starts_with('/') { "*" } else { "" };
    Ok(endpoint_shape(&format!("{method} {host}{place}")))
}

#[cfg(test)]
mod tests;
