//! A score as a table for people.

use super::{AttackScore, Score};
use crate::alert::escape::{escape, fit};
use crate::alert::human::second_of;
use std::io::{self, Write};

/// Columns of what a false incident observed.
const OBSERVED_COLUMNS: usize = 80;
/// False incidents spelled out; the rest is a number.
const FALSE_SHOWN: usize = 20;

pub fn write(out: &mut dyn Write, score: &Score, max_false: Option<usize>) -> io::Result<()> {
    if score.attacks.is_empty() {
        writeln!(out, "The truth file names no attack.")?;
    } else {
        writeln!(
            out,
            "{:<8} {:<31} {:<9} {:<31} {:<9} {:>8}  ALSO",
            "", "ATTACK", "LEVEL", "FOUND BY", "SEVERITY", "AFTER"
        )?;
    }
    for attack in &score.attacks {
        write_attack(out, attack)?;
    }
    for benign in score.benign.iter().filter(|benign| !benign.spoken_of_by.is_empty()) {
        let spoken: Vec<_> = benign.spoken_of_by.iter().map(|detector| escape(detector)).collect();
        writeln!(
            out,
            "{:<8} {:<31} a lawful change; spoken of by {}",
            "benign",
            escape(&benign.benign),
            spoken.join(", ")
        )?;
    }
    let count = score.false_incidents.len();
    let (attacks, found) = (score.attacks.len(), score.attacks.len() - score.missed());
    writeln!(out, "\nattacks found: {found} of {attacks}; incidents: {}, false: {count}", score.incidents)?;
    for incident in score.false_incidents.iter().take(FALSE_SHOWN) {
        let observed = escape(&incident.observed);
        let (at, severity) = (second_of(incident.timestamp), incident.severity.name());
        let detector = escape(&incident.detector);
        writeln!(out, "  false  {at}  {severity:<8}  {detector}  {}", fit(&observed, OBSERVED_COLUMNS))?;
    }
    if count > FALSE_SHOWN {
        writeln!(out, "  and {} more", count - FALSE_SHOWN)?;
    }
    if let Some(most) = max_false.filter(|most| count > *most) {
        writeln!(out, "FAILED: false incidents: {count}, allowed: {most}")?;
    }
    if score.missed() > 0 {
        writeln!(out, "FAILED: attacks missed: {}", score.missed())?;
    }
    Ok(())
}

fn write_attack(out: &mut dyn Write, score: &AttackScore) -> io::Result<()> {
    let verdict = if score.found { "found" } else { "MISSED" };
    let detector = escape(score.detector.as_deref().unwrap_or("-")).into_owned();
    let severity = score.severity.map_or("-", |severity| severity.name());
    let after = score.delay_seconds.map_or("-".to_owned(), span);
    let also: Vec<_> = score.also.iter().map(|detector| escape(detector)).collect();
    let line = format!(
        "{verdict:<8} {:<31} {:<9} {detector:<31} {severity:<9} {after:>8}  {}",
        escape(&score.attack),
        escape(&score.level),
        also.join(", ")
    );
    writeln!(out, "{}", line.trim_end())
}

fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64; // a delay is never negative
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}
