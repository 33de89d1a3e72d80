//! Runs pooled: recall, precision, delays and false alarms a day, by detector and by attack, and stated odds against what
//! happened.

use super::EvaluateError;
use super::interval::Share;
use super::lines::Lines;
use super::run::{AttackResult, LAST_DECADE, Outcome, Run};
use crate::alert::record::Severity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

const DAY_SECONDS: f64 = 86_400.0;

/// Any number of runs. All that is measured follows from them, in whatever order they came.
#[derive(Clone, Default, PartialEq, Debug, Deserialize)]
pub struct Evaluation {
    pub runs: Vec<Run>,
}

/// How good one detector is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DetectorMeasure {
    pub detector: String,
    /// Of the attacks of which it should speak, those of which it did.
    pub recall: Share,
    /// Of its incidents that are not lawful, those that are of an attack.
    pub precision: Share,
    pub lawful: u64,
    pub false_incidents: u64,
    pub false_a_day: Option<f64>,
    pub delay: Delays,
}

/// How often an attack of one level was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AttackMeasure {
    pub attack: String,
    pub level: String,
    pub found: Share,
    /// Truth files of the runs in which it was not.
    pub missed_in: Vec<String>,
    pub delay: Delays,
    /// Of the runs in which it occurs.
    pub false_incidents: u64,
}

/// Incidents whose odds lie between 1 in 10^decade and ten times that.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OddsMeasure {
    pub decade: u32,
    /// How many of the incidents were false.
    pub chance: Share,
    pub lawful: u64,
}

/// From the attack's first transaction to the first alert.
#[derive(Clone, Default, PartialEq, Debug, Serialize)]
pub struct Delays {
    pub seconds: Option<Spread>,
    pub windows: Option<Spread>,
    pub transactions: Option<Spread>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Spread {
    pub median: f64,
    pub worst: f64,
}

/// An evaluation as JSON: the runs, and what follows from them for those who do not want to calculate it again.
#[derive(Serialize)]
pub struct Report<'a> {
    pub found: Share,
    pub incidents: u64,
    pub false_incidents: BTreeMap<Severity, u64>,
    pub event_days: f64,
    pub attacks: Vec<AttackMeasure>,
    pub detectors: Vec<DetectorMeasure>,
    pub odds: Vec<OddsMeasure>,
    pub runs: &'a [Run],
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let worst = *values.last()?;
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Spread { median: low.midpoint(high), worst })
    }
}

impl Delays {
    fn of(delays: &[super::run::Delay]) -> Delays {
        Delays {
            seconds: Spread::of(delays.iter().map(|delay| delay.seconds)),
            windows: Spread::of(delays.iter().map(|delay| delay.windows as f64)),
            transactions: Spread::of(delays.iter().filter_map(|delay| delay.transactions).map(|count| count as f64)),
        }
    }
}

impl Evaluation {
    pub fn of(run: Run) -> Evaluation {
        Evaluation { runs: vec![run] }
    }

    /// Results of earlier runs, one a line.
    pub fn read(paths: &[PathBuf]) -> Result<Evaluation, EvaluateError> {
        let mut runs = Vec::new();
        for path in paths {
            let mut lines = Lines::open(path, "`apitap evaluate --json` writes such a result")?;
            while let Some(line) = lines.next()? {
                let read: Evaluation = serde_json::from_str(&line).map_err(|error| lines.misfit_of_json(&error))?;
                runs.extend(read.runs);
            }
        }
        Ok(Evaluation { runs })
    }

    pub fn report(&self) -> Report<'_> {
        Report {
            found: self.found(),
            incidents: self.incidents(),
            false_incidents: self.false_incidents(),
            event_days: self.event_days(),
            attacks: self.attacks(),
            detectors: self.detectors(),
            odds: self.odds(),
            runs: &self.runs,
        }
    }

    /// Of all attacks, those that a detector that should speak spoke of.
    pub fn found(&self) -> Share {
        Share::new(self.results().filter(|attack| attack.is_found()).count() as u64, self.results().count() as u64)
    }

    pub fn missed(&self) -> u64 {
        let found = self.found();
        found.of - found.count
    }

    pub fn incidents(&self) -> u64 {
        let tallies = self.runs.iter().flat_map(|run| run.incidents.values());
        let counts = tallies.flat_map(|tally| [tally.of_attacks, tally.lawful, tally.false_count(Severity::Low)]);
        counts.fold(0, u64::saturating_add)
    }

    /// False incidents this severe or worse.
    pub fn false_count(&self, from: Severity) -> u64 {
        self.runs.iter().map(|run| run.false_count(from)).fold(0, u64::saturating_add)
    }

    pub fn false_incidents(&self) -> BTreeMap<Severity, u64> {
        let mut by_severity: BTreeMap<Severity, u64> = Severity::ALL.map(|severity| (severity, 0)).into();
        for (severity, count) in
            self.runs.iter().flat_map(|run| run.incidents.values()).flat_map(|tally| &tally.of_nothing)
        {
            let sum = by_severity.entry(*severity).or_default();
            *sum = sum.saturating_add(*count);
        }
        by_severity
    }

    pub fn event_days(&self) -> f64 {
        let mut seconds: Vec<f64> = self.runs.iter().map(|run| run.event_seconds.max(0.0)).collect();
        seconds.sort_by(f64::total_cmp); // a sum of floats depends on the order
        seconds.iter().sum::<f64>() / DAY_SECONDS
    }

    fn results(&self) -> impl Iterator<Item = &AttackResult> {
        self.runs.iter().flat_map(|run| &run.attacks)
    }

    /// Every detector that should have spoken or has, by name.
    pub fn detectors(&self) -> Vec<DetectorMeasure> {
        let days = self.event_days();
        let mut names: Vec<&String> = self.runs.iter().flat_map(|run| run.incidents.keys()).collect();
        names.extend(self.results().flat_map(|attack| &attack.detectors));
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| self.detector(name, days)).collect()
    }

    fn detector(&self, name: &str, days: f64) -> DetectorMeasure {
        let asked: Vec<&AttackResult> = self.results().filter(|attack| attack.detectors.contains(name)).collect();
        let delays: Vec<_> = asked.iter().filter_map(|attack| attack.found_by.get(name)).copied().collect();
        let (mut of_attacks, mut lawful, mut of_nothing) = (0u64, 0u64, 0u64);
        for tally in self.runs.iter().filter_map(|run| run.incidents.get(name)) {
            of_attacks = of_attacks.saturating_add(tally.of_attacks);
            lawful = lawful.saturating_add(tally.lawful);
            of_nothing = of_nothing.saturating_add(tally.false_count(Severity::Low));
        }
        DetectorMeasure {
            detector: name.to_owned(),
            recall: Share::new(delays.len() as u64, asked.len() as u64),
            precision: Share::new(of_attacks, of_attacks.saturating_add(of_nothing)),
            lawful,
            false_incidents: of_nothing,
            false_a_day: (days > 0.0).then(|| of_nothing as f64 / days),
            delay: Delays::of(&delays),
        }
    }

    /// Every attack and level, by name.
    pub fn attacks(&self) -> Vec<AttackMeasure> {
        let mut by_name: BTreeMap<(&str, &str), Vec<(&Run, &AttackResult)>> = BTreeMap::new();
        for run in &self.runs {
            for attack in &run.attacks {
                by_name.entry((&attack.attack, &attack.level)).or_default().push((run, attack));
            }
        }
        by_name.into_iter().map(|((attack, level), occurred)| attack_measure(attack, level, &occurred)).collect()
    }

    /// From the largest odds to the smallest.
    pub fn odds(&self) -> Vec<OddsMeasure> {
        let mut sums: BTreeMap<u32, Outcome> = BTreeMap::new();
        for (decade, outcome) in self.runs.iter().flat_map(|run| &run.odds) {
            let sum = sums.entry((*decade).clamp(1, LAST_DECADE)).or_default();
            sum.of_attacks = sum.of_attacks.saturating_add(outcome.of_attacks);
            sum.lawful = sum.lawful.saturating_add(outcome.lawful);
            sum.of_nothing = sum.of_nothing.saturating_add(outcome.of_nothing);
        }
        let measure = |(decade, sum): (u32, Outcome)| OddsMeasure {
            decade,
            chance: Share::new(sum.of_nothing, sum.of_nothing.saturating_add(sum.of_attacks)),
            lawful: sum.lawful,
        };
        sums.into_iter().map(measure).collect()
    }
}

fn attack_measure(attack: &str, level: &str, occurred: &[(&Run, &AttackResult)]) -> AttackMeasure {
    let delays: Vec<_> = occurred.iter().filter_map(|(_, result)| result.first()).map(|(_, delay)| delay).collect();
    let missed = occurred.iter().filter(|(_, result)| !result.is_found());
    let mut missed_in: Vec<String> = missed.map(|(run, _)| run.truth.join(", ")).collect();
    missed_in.sort_unstable();
    // An attack may occur twice in a run, whose false incidents count once.
    let mut runs: Vec<&Run> = occurred.iter().map(|(run, _)| *run).collect();
    runs.dedup_by(|one, other| std::ptr::eq(*one, *other));
    AttackMeasure {
        attack: attack.to_owned(),
        level: level.to_owned(),
        found: Share::new(delays.len() as u64, occurred.len() as u64),
        missed_in,
        delay: Delays::of(&delays),
        false_incidents: runs.iter().map(|run| run.false_count(Severity::Low)).fold(0, u64::saturating_add),
    }
}
