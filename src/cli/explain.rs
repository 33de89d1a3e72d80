//! `apitap explain`: the numbers behind an incident.
//!
//! In: the id of an incident that a daemon has open, or that an EVE log tells of. Out: what was observed and expected, how
//! likely that is, the floors it passed, what weighed most, and how it went on. Refused: an id that several incidents
//! begin with, and one that nobody knows.

use super::args::ExplainArgs;
use super::sensor::Sensor;
use crate::alert::escape::escape;
use crate::alert::human::{duration_text, probability_text, second_of};
use crate::alert::lines_backwards;
use crate::alert::record::{AlertRecord, IncidentState};
use crate::service::Request;
use anyhow::{Context, bail};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let record = record_of(&args.id, &Sensor::of(&args.daemon)?, args.log.as_deref())?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &record)?;
        writeln!(out)?;
    } else {
        out.write_all(explained(&record).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The record of an incident: as the daemon has it open, or its folder where none runs, else the last that the log has of
/// it. A log that is named is the only one that is looked into for what no daemon has open.
pub(super) fn record_of(id: &str, sensor: &Sensor, named_log: Option<&Path>) -> anyhow::Result<AlertRecord> {
    let request = Request::Incident { id: id.to_owned() };
    let open = match named_log {
        Some(_) => sensor.asked(&request),
        None => sensor.asked_or_looked_up(&request),
    };
    if let Ok(open) = open {
        return serde_json::from_value(open).context("the daemon is of another version");
    }
    let log = named_log.unwrap_or(sensor.log());
    let file = File::open(log).with_context(|| {
        format!(
            "no daemon has the incident {id} open (`apitap incident list` shows those that are), and the log {} cannot be \
             read; give --log",
            log.display()
        )
    })?;
    let told = last_told(&file, id).with_context(|| format!("{} cannot be read", log.display()))?;
    match told.as_slice() {
        [] => bail!(
            "no incident of {} has the id {id}; `apitap tail --no-follow -v` shows those it has, and rotated logs have \
             older ones (--log)",
            log.display()
        ),
        [record] => Ok(record.clone()),
        several => {
            let ids: Vec<&str> = several.iter().map(|record| record.apitap.incident.as_str()).take(5).collect();
            bail!("{} incidents begin with {id}, such as {}; give more of its digits", several.len(), ids.join(", "))
        }
    }
}

/// The last record of each incident of a log that begins with `id`, newest first.
fn last_told(file: &File, id: &str) -> io::Result<Vec<AlertRecord>> {
    let mut found: Vec<AlertRecord> = Vec::new();
    let end = file.metadata()?.len();
    lines_backwards(file, end, &mut |_, line| {
        if memchr::memmem::find(line, id.as_bytes()).is_some()
            && let Ok(record) = serde_json::from_slice::<AlertRecord>(line)
            && record.apitap.incident.starts_with(id)
            && !found.iter().any(|known| known.apitap.incident == record.apitap.incident)
        {
            found.push(record);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The page of an incident.
fn explained(record: &AlertRecord) -> String {
    let alert = &record.apitap;
    let mut page = String::with_capacity(1024);
    // A String takes all that is written to it.
    let mut row = |name: &str, text: &str| {
        let _ = writeln!(page, "{name:<12} {}", escape(text));
    };
    let state = if alert.state == IncidentState::Closed { "over" } else { "open" };
    row("incident", &format!("{} ({state}), severity {}", alert.incident, alert.severity.name()));
    row("detector", &alert.detector);
    row("about", &format!("{} {}", alert.subject.kind.name(), alert.subject.value));
    row("observed", &alert.observed);
    if let Some(expected) = &alert.expected {
        row("expected", expected);
    }
    if let Some([low, high]) = alert.reasons.interval {
        row("", &format!("between {} and {} in 95 of 100 such spans", number(low), number(high)));
    }
    match alert.probability {
        Some(probability) => row("odds", &probability_text(probability)),
        None => row("odds", "none: it breaks a rule, whatever is usual"),
    }
    if let Some(seconds) = alert.reasons.horizon_seconds {
        row("horizon", &format!("sums of {}", duration_text(Duration::from_secs(seconds))));
    }
    for floor in &alert.reasons.floors {
        row("floor", &format!("{} is {}, and it was {}", floor.key, number(floor.least), number(floor.found)));
    }
    for fact in &alert.reasons.facts {
        row("because", fact);
    }
    for entry in &alert.timeline {
        let from = second_of(entry.first_seen);
        row("timeline", &format!("{from}  {} ({}): {}", entry.detector, entry.severity.name(), entry.observed));
    }
    row("seen", &format!("{} to {} UTC", second_of(alert.first_seen), second_of(alert.last_seen)));
    row("next", &alert.advice);
    page
}

/// Without decimals where there are none, else with three digits that say something.
fn number(value: f64) -> String {
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 {
        0
    } else if value.abs() >= 1.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::super::args::DaemonArgs;
    use super::*;
    use crate::alert::record::{samples, write_line};
    use crate::detect::Reasons;
    use std::path::PathBuf;

    fn log_of(records: &[AlertRecord]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for record in records {
            let mut line = b"{\"event_type\":\"stats\"}\nno JSON\n".to_vec();
            write_line(record, &mut line);
            file.write_all(&line).unwrap();
        }
        file
    }

    #[test]
    fn the_last_record_of_an_incident_is_found_by_its_first_digits() {
        let mut later = samples::alert();
        (later.apitap.sequence, later.apitap.observed) = (2, "more of it".to_owned());
        let mut other = samples::alert();
        other.apitap.incident = "9f3c00ffffffffff".to_owned();
        let log = log_of(&[samples::alert(), later, other]);
        let none = PathBuf::from("/nonexistent");
        let nobody = Sensor::of(&DaemonArgs { socket: Some(none.clone()), state: None, config: None }).unwrap();
        let record_of = |id: &str, log: &Path| record_of(id, &nobody, Some(log));
        let found = record_of("9f3c00aa", log.path()).unwrap();
        assert_eq!(found.apitap.observed, "more of it");
        let several = record_of("9f3c", log.path()).unwrap_err().to_string();
        assert!(several.contains("2 incidents begin with 9f3c"), "{several}");
        assert!(record_of("1234", log.path()).unwrap_err().to_string().contains("has the id 1234"));
        assert!(record_of("1234", &none).unwrap_err().to_string().contains("--log"));
    }

    #[test]
    fn the_numbers_are_printed_and_nothing_acts_on_the_terminal() {
        let mut record = samples::alert();
        let reasons = Reasons::over(600).floor("min_failures", 10.0, 412.0).interval(0.25, 4.5);
        record.apitap.reasons = reasons.fact("380 users\u{1b}[2J in two minutes".to_owned());
        let page = explained(&record);
        for line in [
            "odds         1e-40, of counts this extreme",
            "             between 0.250 and 4.5 in 95 of 100 such spans",
            "horizon      sums of 10m",
            "floor        min_failures is 10, and it was 412",
            "because      380 users",
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
        assert!(!page.contains('\u{1b}'));
    }
}
