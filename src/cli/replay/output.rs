//! Where a replay writes: alerts on standard output, EVE lines to a file or standard output.

use crate::alert::human::{Style, write_alert};
use crate::alert::record::{AlertRecord, EveRecord, EventType, write_line};
use crate::pipeline::Verdict;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What standard output carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standard {
    /// Alerts for people.
    Readable,
    /// Alerts as EVE lines.
    Alerts,
    /// The chosen EVE lines.
    Events,
    Nothing,
}

/// Alerts that wait for transactions at once. They wait for about a minute of traffic; more than this is a flood.
const HELD_ALERTS: usize = 10_000;

pub struct Output {
    standard: Standard,
    style: Style,
    stdout: BufWriter<io::Stdout>,
    file: Option<BufWriter<File>>,
    file_name: String,
    events: Vec<EventType>,
    buffer: Vec<u8>,
    /// EVE lines of alerts that lines of earlier transactions may still have to precede: an alert is told when its
    /// window closes, a transaction's line when nothing earlier can come any more.
    held: VecDeque<Vec<u8>>,
    newest_alert: Option<Timestamp>,
}

impl Output {
    /// `eve` is the file of `--eve`, `-` for standard output. `is_quiet` writes nothing at all.
    pub fn open(eve: Option<&Path>, events: &[EventType], json: bool, is_quiet: bool) -> anyhow::Result<Output> {
        let to_stdout = eve.is_some_and(|path| path.as_os_str() == "-");
        let standard = match (is_quiet, to_stdout, json) {
            (true, ..) => Standard::Nothing,
            (_, true, _) => Standard::Events,
            (_, _, true) => Standard::Alerts,
            _ => Standard::Readable,
        };
        let file = match eve.filter(|_| !to_stdout) {
            None => None,
            Some(path) => Some(BufWriter::new(File::create(path).map_err(|error| {
                anyhow::anyhow!("cannot write `{}`: {error}; choose another file with --eve", path.display())
            })?)),
        };
        Ok(Output {
            standard,
            style: Style::of_stdout(),
            stdout: BufWriter::new(io::stdout()),
            file,
            file_name: eve.map_or(String::new(), |path| path.display().to_string()),
            events: events.to_vec(),
            buffer: Vec::new(),
            held: VecDeque::new(),
            newest_alert: None,
        })
    }

    /// Time of the newest alert, written or not.
    pub fn newest_alert(&self) -> Option<Timestamp> {
        self.newest_alert
    }

    pub fn wants(&self, event: EventType) -> bool {
        self.events.contains(&event) && (self.file.is_some() || self.standard == Standard::Events)
    }

    pub fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        for alert in &verdict.alerts {
            self.newest_alert = self.newest_alert.max(Some(alert.timestamp));
            self.alert_line(alert)?;
            match self.standard {
                Standard::Readable => write_alert(&mut self.stdout, alert, self.style, false)?,
                Standard::Alerts => {
                    self.buffer.clear();
                    write_line(alert, &mut self.buffer);
                    self.stdout.write_all(&self.buffer)?;
                }
                Standard::Events | Standard::Nothing => {}
            }
        }
        for line in &verdict.lines {
            while self.held.front().is_some_and(|alert| place_of(alert) < place_of(line)) {
                self.release_one()?;
            }
            self.eve(line)?;
        }
        // Whoever follows the log wants an alert when it is raised.
        if verdict.alerts.is_empty() || self.standard == Standard::Nothing { Ok(()) } else { self.flush() }
    }

    /// The EVE line of an alert, at once or, where transactions have lines too, at its place among them.
    fn alert_line(&mut self, alert: &AlertRecord) -> io::Result<()> {
        if !(self.wants(EventType::Alert) && self.wants(EventType::Http)) {
            return self.record(alert);
        }
        let mut line = Vec::new();
        write_line(alert, &mut line);
        self.held.push_back(line);
        if self.held.len() > HELD_ALERTS { self.release_one() } else { Ok(()) }
    }

    fn release_one(&mut self) -> io::Result<()> {
        let Some(line) = self.held.pop_front() else { return Ok(()) };
        self.eve(&line)
    }

    /// No more transactions come: what waits for them is written.
    pub fn release(&mut self) -> io::Result<()> {
        while !self.held.is_empty() {
            self.release_one()?;
        }
        Ok(())
    }

    /// One EVE record, where its kind is wanted.
    pub fn record<D: Serialize>(&mut self, record: &EveRecord<'_, D>) -> io::Result<()> {
        if !self.wants(record.event_type) {
            return Ok(());
        }
        self.buffer.clear();
        write_line(record, &mut self.buffer);
        let line = std::mem::take(&mut self.buffer);
        let written = self.eve(&line);
        self.buffer = line;
        written
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        match &mut self.file {
            Some(file) => file.flush().map_err(|error| named(error, &self.file_name)),
            None => Ok(()),
        }
    }

    fn eve(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.write_all(line).map_err(|error| named(error, &self.file_name));
        }
        if self.standard == Standard::Events { self.stdout.write_all(line) } else { Ok(()) }
    }
}

fn named(error: io::Error, file: &str) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write `{file}`: {error}; make room or choose another file with --eve"))
}

/// The time a line begins with, as text: `{"timestamp":"2025-11-23T10:00:00.123456+0000"`. It sorts like the time.
fn place_of(line: &[u8]) -> &[u8] {
    const TIME_ENDS_AT: usize = r#"{"timestamp":"2025-11-23T10:00:00.123456+0000""#.len();
    &line[..line.len().min(TIME_ENDS_AT)] // never past the end
}
