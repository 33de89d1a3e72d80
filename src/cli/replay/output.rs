//! Where a replay writes: alerts on standard output, EVE lines to a file or standard output.

use crate::alert::human::{Style, write_alert};
use crate::alert::record::{EveRecord, EventType, write_line};
use crate::pipeline::Verdict;
use serde::Serialize;
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

pub struct Output {
    standard: Standard,
    style: Style,
    stdout: BufWriter<io::Stdout>,
    file: Option<BufWriter<File>>,
    file_name: String,
    events: Vec<EventType>,
    buffer: Vec<u8>,
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
        })
    }

    pub fn wants(&self, event: EventType) -> bool {
        self.events.contains(&event) && (self.file.is_some() || self.standard == Standard::Events)
    }

    pub fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        for alert in &verdict.alerts {
            self.record(alert)?;
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
            self.eve(line)?;
        }
        // Whoever follows the log wants an alert when it is raised.
        if verdict.alerts.is_empty() || self.standard == Standard::Nothing { Ok(()) } else { self.flush() }
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
