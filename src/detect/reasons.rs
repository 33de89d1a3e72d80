//! The numbers behind a finding, as `apitap explain` prints them.

use serde::{Deserialize, Serialize};

/// Facts of a finding that are kept: those that weighed most.
const FACTS: usize = 3;

/// Why a detector spoke.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// Span of time whose sums were judged, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_seconds: Option<u64>,
    /// Where the observed figure lies in 95 of 100 such spans, if nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Floors of evidence, all of them reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Floor>,
    /// What weighed most, the heaviest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

/// Evidence below which a detector is silent whatever the odds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Its key in the rules.
    pub key: String,
    pub least: f64,
    pub found: f64,
}

impl Reasons {
    /// The sums of so many seconds were judged.
    pub fn over(horizon_seconds: u64) -> Reasons {
        Reasons { horizon_seconds: Some(horizon_seconds), ..Reasons::default() }
    }

    pub fn is_empty(&self) -> bool {
        *self == Reasons::default()
    }

    /// With a floor that was reached.
    pub fn floor(mut self, key: &str, least: f64, found: f64) -> Reasons {
        self.floors.push(Floor { key: key.to_owned(), least: writable(least), found: writable(found) });
        self
    }

    /// With a fact; the heaviest come first, and what comes after the third is left out.
    pub fn fact(mut self, fact: String) -> Reasons {
        if self.facts.len() < FACTS {
            self.facts.push(fact);
        }
        self
    }

    /// With the interval in which the figure was expected.
    pub fn interval(mut self, low: f64, high: f64) -> Reasons {
        self.interval = Some([writable(low), writable(high)]);
        self
    }
}

/// Larger numbers say nothing more, and what is no number at all cannot be written as JSON: the odds of what never fails are
/// infinite.
const MOST: f64 = 1e9;

fn writable(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-MOST, MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_in_json_comes_back_all_the_same() {
        let reasons = Reasons::over(600).floor("baseline_factor", 5.0, f64::INFINITY).interval(f64::NAN, f64::INFINITY);
        let written = serde_json::to_string(&reasons).unwrap();
        assert_eq!(serde_json::from_str::<Reasons>(&written).unwrap(), reasons, "{written}");
    }

    #[test]
    fn three_facts_are_kept() {
        let facts = ["a", "b", "c", "d"].into_iter().map(str::to_owned);
        let reasons = facts.fold(Reasons::over(600), Reasons::fact);
        assert_eq!(reasons.facts, ["a", "b", "c"]);
        assert!(Reasons::default().is_empty() && !reasons.is_empty());
    }
}
