//! An evaluation for people, and as JSON.

use super::interval::Share;
use super::measure::{Evaluation, OddsMeasure, Spread};
use super::run::{AttackResult, Delay, LAST_DECADE, Run};
use super::table::{Align::Left, Align::Right, Table, cell, last_cell};
use crate::alert::human::second_of;
use crate::alert::record::{Severity, write_printable};
use std::io::{self, Write};

/// Lines of false incidents; the rest is a number.
const FALSE_SHOWN: usize = 20;
/// Runs named in which an attack was missed.
const MISSED_SHOWN: usize = 10;

/// What an evaluation must reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// No more false incidents than this; none: any number.
    pub max_false: Option<u64>,
    /// Counting those this severe or worse.
    pub false_from: Severity,
}

impl Bounds {
    /// How many false incidents there are, where they are too many.
    fn exceeded_by(&self, evaluation: &Evaluation) -> Option<(u64, u64)> {
        let count = evaluation.false_count(self.false_from);
        self.max_false.filter(|most| count > *most).map(|most| (count, most))
    }

    pub fn are_kept_by(&self, evaluation: &Evaluation) -> bool {
        evaluation.missed() == 0 && self.exceeded_by(evaluation).is_none()
    }
}

impl Evaluation {
    pub fn write_json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        write_printable(out, &serde_json::to_string(&self.report())?)?;
        Ok(writeln!(out)?)
    }

    pub fn write_tables(&self, out: &mut dyn Write, bounds: Bounds) -> io::Result<()> {
        match &self.runs[..] {
            [run] => self.write_attacks_of(out, run)?,
            _ => self.write_attacks(out)?,
        }
        self.write_detectors(out)?;
        self.write_odds(out)?;
        self.write_false(out)?;
        self.write_sums(out)?;
        if let Some((count, most)) = bounds.exceeded_by(self) {
            let from = if bounds.false_from == Severity::Low { "" } else { bounds.false_from.name() };
            let which = if from.is_empty() { String::new() } else { format!(" of severity {from} or above") };
            writeln!(out, "FAILED: false incidents{which}: {count}, allowed: {most}")?;
        }
        if self.missed() > 0 {
            writeln!(out, "FAILED: attacks missed: {}", self.missed())?;
        }
        Ok(())
    }

    /// Of a single run: one attack a line.
    fn write_attacks_of(&self, out: &mut dyn Write, run: &Run) -> io::Result<()> {
        if run.attacks.is_empty() {
            writeln!(out, "The truth names no attack.")?;
        } else {
            let mut table = Table::new([
                ("", Left),
                ("ATTACK", Left),
                ("LEVEL", Left),
                ("FOUND BY", Left),
                ("SEVERITY", Left),
                ("AFTER", Right),
                ("WINDOWS", Right),
                ("TRANSACTIONS", Right),
                ("ALSO", Left),
            ]);
            run.attacks.iter().for_each(|attack| table.row(row_of(attack)));
            table.write(out)?;
        }
        for benign in run.benign.iter().filter(|benign| !benign.spoken_of_by.is_empty()) {
            let spoken = last_cell(&list_of(benign.spoken_of_by.iter()));
            writeln!(out, "benign  {}: a lawful change; spoken of by {spoken}", cell(&benign.benign))?;
        }
        Ok(())
    }

    fn write_attacks(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("ATTACK", Left),
            ("LEVEL", Left),
            ("FOUND", Left),
            ("AFTER, MEDIAN", Right),
            ("WORST", Right),
            ("WINDOWS", Right),
            ("TRANSACTIONS", Right),
            ("FALSE", Right),
            ("MISSED IN", Left),
        ]);
        let attacks = self.attacks();
        for attack in &attacks {
            let (seconds, delay) = (attack.delay.seconds, &attack.delay);
            let left_out = attack.missed_in.len().saturating_sub(MISSED_SHOWN);
            let more = if left_out > 0 { format!(" and {left_out} more") } else { String::new() };
            table.row([
                cell(&attack.attack),
                cell(&attack.level),
                share(attack.found),
                seconds.map_or("-".to_owned(), |spread| span(spread.median)),
                seconds.map_or("-".to_owned(), |spread| span(spread.worst)),
                pair(delay.windows),
                pair(delay.transactions),
                attack.false_incidents.to_string(),
                last_cell(&(list_of(attack.missed_in.iter().take(MISSED_SHOWN)) + &more)),
            ]);
        }
        if attacks.is_empty() { writeln!(out, "The truths name no attack.") } else { table.write(out) }
    }

    fn write_detectors(&self, out: &mut dyn Write) -> io::Result<()> {
        let detectors = self.detectors();
        if detectors.is_empty() {
            return Ok(());
        }
        let mut table = Table::new([
            ("DETECTOR", Left),
            ("RECALL (95 % INTERVAL)", Left),
            ("PRECISION (95 % INTERVAL)", Left),
            ("LAWFUL", Right),
            ("FALSE", Right),
            ("A DAY", Right),
            ("AFTER, MEDIAN", Right),
            ("WORST", Right),
            ("WINDOWS", Right),
            ("TRANSACTIONS", Right),
        ]);
        for detector in detectors {
            let seconds = detector.delay.seconds;
            table.row([
                cell(&detector.detector),
                share(detector.recall),
                share(detector.precision),
                detector.lawful.to_string(),
                detector.false_incidents.to_string(),
                detector.false_a_day.map_or("-".to_owned(), |rate| format!("{rate:.2}")),
                seconds.map_or("-".to_owned(), |spread| span(spread.median)),
                seconds.map_or("-".to_owned(), |spread| span(spread.worst)),
                pair(detector.delay.windows),
                pair(detector.delay.transactions),
            ]);
        }
        writeln!(out)?;
        table.write(out)
    }

    fn write_odds(&self, out: &mut dyn Write) -> io::Result<()> {
        let odds = self.odds();
        if odds.is_empty() {
            return Ok(());
        }
        let columns =
            [("STATED ODDS", Left), ("INCIDENTS", Right), ("OF THEM FALSE (95 % INTERVAL)", Left), ("LAWFUL", Right)];
        let mut table = Table::new(columns);
        for OddsMeasure { decade, chance, lawful } in odds {
            table.row([odds_named(decade), chance.of.to_string(), share(chance), lawful.to_string()]);
        }
        writeln!(out)?;
        table.write(out)
    }

    fn write_false(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut spelled_out: Vec<_> = self.runs.iter().flat_map(|run| &run.false_incidents).collect();
        spelled_out
            .sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.timestamp, &incident.incident));
        if !spelled_out.is_empty() {
            writeln!(out, "\nFalse incidents, the worst first:")?;
        }
        for incident in spelled_out.iter().take(FALSE_SHOWN) {
            let (at, severity) = (second_of(incident.timestamp), incident.severity);
            let (detector, observed) = (cell(&incident.detector), last_cell(&incident.observed));
            writeln!(out, "  {at}  {severity:<8}  {detector}  {observed}")?;
        }
        match self.false_count(Severity::Low).saturating_sub(FALSE_SHOWN as u64) {
            0 => Ok(()),
            more => writeln!(out, "  and {more} more"),
        }
    }

    fn write_sums(&self, out: &mut dyn Write) -> io::Result<()> {
        let by_severity: Vec<String> =
            self.false_incidents().iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
        writeln!(
            out,
            "\n{} run{}, {:.2} days of event time; incidents: {}, false: {} ({})",
            self.runs.len(),
            if self.runs.len() == 1 { "" } else { "s" },
            self.event_days(),
            self.incidents(),
            self.false_count(Severity::Low),
            by_severity.join(", ")
        )?;
        let found = self.found();
        if found.of == 0 { Ok(()) } else { writeln!(out, "attacks found: {} of {}", found.count, found.of) }
    }
}

fn row_of(attack: &AttackResult) -> [String; 9] {
    let first = attack.first();
    let dash = || "-".to_owned();
    let of_delay = |shown: fn(Delay) -> String| first.map_or_else(dash, |(_, delay)| shown(delay));
    let others = attack.found_by.keys().filter(|detector| first.is_none_or(|(first, _)| first != **detector));
    [
        if attack.is_found() { "found" } else { "MISSED" }.to_owned(),
        cell(&attack.attack),
        cell(&attack.level),
        first.map_or_else(dash, |(detector, _)| cell(detector)),
        attack.severity.map_or_else(dash, |severity| severity.to_string()),
        of_delay(|delay| span(delay.seconds)),
        of_delay(|delay| delay.windows.to_string()),
        of_delay(|delay| delay.transactions.map_or("-".to_owned(), grouped)),
        last_cell(&list_of(others.chain(&attack.also))),
    ]
}

fn list_of<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| cell(name)).collect::<Vec<_>>().join(", ")
}

/// `19 of 20, 95.0 % (76.4-99.1)`
fn share(share: Share) -> String {
    match share.share {
        None => "-".to_owned(),
        Some(value) => {
            let Share { count, of, low, high, .. } = share;
            format!("{count} of {of}, {:.1} % ({:.1}-{:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
        }
    }
}

/// Median and worst: `13/30`.
fn pair(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |spread| {
        format!("{}/{}", grouped(spread.median.round() as u64), grouped(spread.worst.round() as u64))
    })
}

/// The odds of a decade: `1e-3 to 1e-2`.
pub fn odds_named(decade: u32) -> String {
    let power = |exponent: u32| if exponent == 0 { "1".to_owned() } else { format!("1e-{exponent}") };
    match decade {
        LAST_DECADE => format!("below {}", power(decade - 1)),
        _ => format!("{} to {}", power(decade), power(decade.saturating_sub(1))),
    }
}

/// `1,234,567`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64; // a delay is never negative
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!([grouped(0), grouped(999), grouped(1000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([span(6.4), span(90.0), span(7260.0)], ["6s", "1m30s", "2h01m"]);
        assert_eq!([odds_named(1), odds_named(3), odds_named(12)], ["1e-1 to 1", "1e-3 to 1e-2", "below 1e-11"]);
        assert_eq!([share(Share::new(0, 0)), share(Share::new(19, 20))], ["-", "19 of 20, 95.0 % (76.4-99.1)"]);
    }
}
