//! The fields of one line of truth, whatever the format: each is read from text, and says what was expected.

use super::{Attack, Benign, Scope, Stretch, endpoint_pattern};
use crate::evaluate::lines::{kept, quoted};
use crate::rule::{Network, Ruleset, Severity, did_you_mean};
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

/// Characters of a name.
const NAME_CHARACTERS: usize = 100;

/// One line of truth. Exactly one of `attack` and `benign` names it.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub attack: Option<Name>,
    pub benign: Option<Name>,
    pub level: Option<Name>,
    pub start: Option<Time>,
    pub end: Option<Time>,
    #[serde(default)]
    pub clients: Vec<Client>,
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub detectors: Vec<Detector>,
    pub may: Option<Vec<Detector>>,
    pub max_severity: Option<Worst>,
    /// How many there were, as `simulate` says; nothing depends on it.
    #[serde(default)]
    #[allow(dead_code)] // it is there to be accepted
    pub transactions: Option<IgnoredAny>,
}

impl Entry {
    pub(super) fn stretch(self) -> Result<Stretch, String> {
        let start = self.start.ok_or("`start` is missing: when it began")?.0;
        let end = self.end.ok_or("`end` is missing: when it was over")?.0;
        if end < start {
            return Err(format!("`end` ({end}) lies before `start` ({start})"));
        }
        let scope = Scope {
            start,
            end,
            clients: self.clients.into_iter().map(|client| client.0).collect(),
            endpoints: self.endpoints.into_iter().map(|endpoint| endpoint.0).collect(),
        };
        match (self.attack, self.benign) {
            (Some(name), None) if self.max_severity.is_none() => Ok(Stretch::Attack(Attack {
                name: name.0,
                level: self.level.map_or("-".to_owned(), |level| level.0),
                scope,
                detectors: names_of(self.detectors),
                may: names_of(self.may.unwrap_or_default()),
            })),
            (None, Some(name)) if self.detectors.is_empty() && self.level.is_none() => Ok(Stretch::Benign(Benign {
                name: name.0,
                scope,
                may: self.may.map(names_of),
                max_severity: self.max_severity.map_or(Severity::Critical, |worst| worst.0),
            })),
            (Some(_), None) => Err("`max_severity` is for what is `benign`; an attack has none".to_owned()),
            (None, Some(_)) => {
                Err("`detectors` and `level` are for attacks; of what is `benign` detectors `may` speak".to_owned())
            }
            _ => Err("expected a name as `attack` or as `benign`, one of both".to_owned()),
        }
    }
}

fn names_of(detectors: Vec<Detector>) -> BTreeSet<String> {
    detectors.into_iter().map(|detector| detector.0).collect()
}

/// A value of one field, made of its text.
macro_rules! field_of_text {
    ($name:ident($inner:ty), $read:expr) => {
        #[derive(Deserialize, Clone, Debug)]
        #[serde(try_from = "String")]
        pub struct $name(pub $inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<$name, String> {
                let read: fn(&str) -> Result<$inner, String> = $read;
                read(text.trim()).map($name)
            }
        }
    };
}

field_of_text!(Name(String), |text| match text.chars().nth(NAME_CHARACTERS) {
    None if !text.is_empty() => Ok(text.to_owned()),
    None => Err("expected a name, found nothing".to_owned()),
    Some(_) => Err(format!("{} is too long for a name: at most {NAME_CHARACTERS} characters", quoted(text))),
});

field_of_text!(Time(Timestamp), |text| {
    // `Timestamp::parse` slices by bytes; times are ASCII, so refuse the rest before it.
    let time = if text.is_ascii() { Timestamp::parse(text) } else { None };
    time.ok_or_else(|| format!("{} is no time; expected one like 2025-11-23T10:00:00Z", quoted(text)))
});

field_of_text!(Client(Network), |text| text.parse().map_err(|_| {
    format!("{} is no client; expected an address or a network, for example 192.0.2.7 or 192.0.2.0/24", quoted(text))
}));

field_of_text!(Endpoint(String), endpoint_pattern);

field_of_text!(Detector(String), |text| {
    let known = Ruleset::detectors();
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    let hint = did_you_mean(&kept(text), known.iter().copied());
    Err(format!("there is no detector {}; expected one of {}{hint}", quoted(text), known.join(", ")))
});

field_of_text!(Worst(Severity), |text| {
    text.parse().map_err(|_| format!("{} is no severity; expected {}", quoted(text), Severity::NAMES.join(", ")))
});
