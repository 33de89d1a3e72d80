//! One run: the truth about its traffic joined with what was said of it. What is kept are facts, so that runs can be pooled.

use super::incident::{AlertLog, Incident};
use super::traffic::Traffic;
use super::truth::{Attack, Benign, Truth};
use crate::alert::record::{Severity, eve_time};
use crate::time::Timestamp;
use crate::window::{start_of, window_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// False incidents of a run that are spelled out; all are counted.
const FALSE_SPELLED_OUT: usize = 100;
/// Odds of this decade and all smaller ones are not told apart: no count of incidents could test them.
pub const LAST_DECADE: u32 = 12;

/// What came of one run.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Names of its truth files.
    pub truth: Vec<String>,
    pub event_seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<u64>,
    pub attacks: Vec<AttackResult>,
    pub benign: Vec<BenignResult>,
    /// Incidents by detector.
    pub incidents: BTreeMap<String, Tally>,
    /// Incidents by the odds that their first alert stated: a 3 stands for 1 in 1,000 or more, and less than 1 in 100.
    pub odds: BTreeMap<u32, Outcome>,
    /// The first of them.
    pub false_incidents: Vec<FalseIncident>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackResult {
    pub attack: String,
    pub level: String,
    /// Should speak.
    pub detectors: BTreeSet<String>,
    /// Those of them that spoke, and how soon.
    pub found_by: BTreeMap<String, Delay>,
    /// The worst that those said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Others that spoke of it.
    pub also: BTreeSet<String>,
}

/// From the attack's first transaction to the alert that opened the incident.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Serialize, Deserialize)]
pub struct Delay {
    pub seconds: f64,
    /// Windows that were judged in between, that of the first transaction included.
    pub windows: u64,
    /// Of the whole capture, to about a window's; none where they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<u64>,
}

/// A lawful change, and who spoke of it within what is allowed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BenignResult {
    pub benign: String,
    pub spoken_of_by: BTreeSet<String>,
}

/// What became of the incidents of one detector.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tally {
    pub of_attacks: u64,
    pub lawful: u64,
    pub of_nothing: BTreeMap<Severity, u64>,
}

/// What became of incidents with odds of one size.
#[derive(Clone, Copy, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub of_attacks: u64,
    pub lawful: u64,
    pub of_nothing: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FalseIncident {
    #[serde(with = "eve_time")]
    pub timestamp: Timestamp,
    pub incident: String,
    pub detector: String,
    pub severity: Severity,
    pub observed: String,
}

/// What an incident is, seen from the truth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    OfAttack,
    Lawful,
    OfNothing,
}

impl Run {
    /// `name`s are those of the truth files.
    pub fn of(names: Vec<String>, truth: &Truth, log: &AlertLog, traffic: &Traffic) -> Run {
        let incidents = log.incidents();
        let mut run = Run {
            truth: names,
            event_seconds: traffic.event_seconds(),
            transactions: traffic.transactions(),
            attacks: truth.attacks.iter().map(|attack| result_of_attack(attack, &incidents, traffic)).collect(),
            benign: truth.benign.iter().map(|benign| result_of_benign(benign, &incidents)).collect(),
            ..Run::default()
        };
        for incident in incidents {
            run.take(incident, verdict_on(incident, truth));
        }
        run
    }

    fn take(&mut self, incident: &Incident, verdict: Verdict) {
        let tally = self.incidents.entry(incident.detector.clone()).or_default();
        match verdict {
            Verdict::OfAttack => tally.of_attacks += 1,
            Verdict::Lawful => tally.lawful += 1,
            Verdict::OfNothing => *tally.of_nothing.entry(incident.severity).or_default() += 1,
        }
        if let Some(decade) = incident.probability.and_then(decade_of) {
            let outcome = self.odds.entry(decade).or_default();
            match verdict {
                Verdict::OfAttack => outcome.of_attacks += 1,
                Verdict::Lawful => outcome.lawful += 1,
                Verdict::OfNothing => outcome.of_nothing += 1,
            }
        }
        if verdict == Verdict::OfNothing && self.false_incidents.len() < FALSE_SPELLED_OUT {
            self.false_incidents.push(FalseIncident {
                timestamp: incident.alerted,
                incident: incident.id.clone(),
                detector: incident.detector.clone(),
                severity: incident.severity,
                observed: incident.observed.clone(),
            });
        }
    }

    /// False incidents this severe or worse.
    pub fn false_count(&self, from: Severity) -> u64 {
        let of_detectors = self.incidents.values().map(|tally| tally.false_count(from));
        of_detectors.fold(0, u64::saturating_add)
    }
}

impl AttackResult {
    pub fn is_found(&self) -> bool {
        !self.found_by.is_empty()
    }

    /// Who spoke first, and how soon.
    pub fn first(&self) -> Option<(&str, Delay)> {
        let first = self.found_by.iter().min_by(|one, other| one.1.seconds.total_cmp(&other.1.seconds));
        first.map(|(detector, delay)| (detector.as_str(), *delay))
    }
}

impl Tally {
    pub fn false_count(&self, from: Severity) -> u64 {
        self.of_nothing.range(from..).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }
}

/// 1 for odds from 0.1 up to 1, 2 from 0.01, and so on; none for what is no probability.
fn decade_of(probability: f64) -> Option<u32> {
    (0.0..=1.0)
        .contains(&probability)
        .then(|| (1..LAST_DECADE).find(|decade| probability >= 10f64.powi(-(*decade as i32))).unwrap_or(LAST_DECADE))
}

fn verdict_on(incident: &Incident, truth: &Truth) -> Verdict {
    let detector = &incident.detector;
    let is_within_attack = |lets: fn(&Attack, &str) -> bool| {
        truth.attacks.iter().any(|attack| lets(attack, detector) && incident.is_within(&attack.scope))
    };
    let is_lawful =
        |benign: &Benign| benign.lets_speak(detector, incident.severity) && incident.is_within(&benign.scope);
    if is_within_attack(Attack::is_found_by) {
        Verdict::OfAttack
    } else if truth.benign.iter().any(is_lawful) {
        Verdict::Lawful
    } else if is_within_attack(Attack::lets_speak) {
        Verdict::OfAttack
    } else {
        Verdict::OfNothing
    }
}

fn result_of_attack(attack: &Attack, incidents: &[&Incident], traffic: &Traffic) -> AttackResult {
    let mut result = AttackResult {
        attack: attack.name.clone(),
        level: attack.level.clone(),
        detectors: attack.detectors.clone(),
        found_by: BTreeMap::new(),
        severity: None,
        also: BTreeSet::new(),
    };
    for incident in incidents.iter().filter(|incident| incident.is_within(&attack.scope)) {
        if attack.is_found_by(&incident.detector) {
            // They come in order of time: the first one of a detector stays.
            let delay = || delay_of(attack.scope.start, incident.alerted, traffic);
            result.found_by.entry(incident.detector.clone()).or_insert_with(delay);
            result.severity = result.severity.max(Some(incident.severity));
        } else {
            result.also.insert(incident.detector.clone());
        }
    }
    result
}

fn delay_of(start: Timestamp, alerted: Timestamp, traffic: &Traffic) -> Delay {
    // An alert bears the time at which the last window that it knows ends.
    let last = window_of(alerted.max(start)) - i64::from(alerted > start && start_of(window_of(alerted)) == alerted);
    Delay {
        seconds: alerted.since(start).as_secs_f64(),
        windows: (last - window_of(start) + 1).max(1) as u64,
        transactions: traffic.between(start, alerted),
    }
}

fn result_of_benign(benign: &Benign, incidents: &[&Incident]) -> BenignResult {
    let fitting = incidents.iter().filter(|incident| {
        benign.lets_speak(&incident.detector, incident.severity) && incident.is_within(&benign.scope)
    });
    let spoken_of_by = fitting.map(|incident| incident.detector.clone()).collect();
    BenignResult { benign: benign.name.clone(), spoken_of_by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_fall_into_decades() {
        for (probability, decade) in
            [(1.0, 1), (0.1, 1), (0.099, 2), (1e-3, 3), (9e-4, 4), (1e-300, LAST_DECADE), (0.0, 12)]
        {
            assert_eq!(decade_of(probability), Some(decade), "{probability}");
        }
        assert!(decade_of(f64::NAN).is_none() && decade_of(-0.1).is_none() && decade_of(1.1).is_none());
    }

    #[test]
    fn a_delay_counts_the_windows_that_were_judged() {
        let delay = |start: i64, alerted: i64| {
            let at = |seconds| Timestamp::from_secs_nanos(seconds, 0);
            delay_of(at(start), at(alerted), &Traffic::default()).windows
        };
        assert_eq!(
            [delay(5, 10), delay(0, 10), delay(9, 20), delay(5, 12), delay(10, 10), delay(50, 10)],
            [1, 1, 2, 2, 1, 1]
        );
    }
}
