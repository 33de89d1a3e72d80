//! Where a replay writes: alerts on standard output, EVE lines to a file or standard output.
//!
//! Writing never fails in the caller's face: where a sink fails, the others go on, the reader is asked to stop, and
//! [`Output::ending`] says how it came out.

use super::progress;
use super::run::Audience;
use crate::alert::human::{Style, write_alert};
use crate::alert::order::LineOrder;
use crate::alert::record::{AlertRecord, EveRecord, EventType, write_line};
use crate::pipeline::{Judge, Verdict};
use crate::time::Timestamp;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// Event time that lines of a live input wait for an older transaction to end. Nobody follows a log that hangs on
/// somebody's download; lines of captures, which are not waited for, wait as long as it takes.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The place of an alert among the lines of its flow at the same time: behind them.
const BEHIND_TRANSACTIONS: u32 = u32::MAX;

/// What is to be written.
#[derive(Clone, Copy)]
pub struct Wished<'a> {
    /// The file of `--eve`, `-` for standard output.
    pub eve: Option<&'a Path>,
    pub events: &'a [EventType],
    pub json: bool,
    /// Readable alerts have their details below them.
    pub verbose: bool,
    pub style: Style,
    /// How long lines wait for an older transaction; without it, till it ends.
    pub patience: Option<Duration>,
    /// The run has a purpose even if nobody reads standard output.
    pub outlives_stdout: bool,
    /// There may be a progress bar where the alerts are to stand.
    pub shows_progress: bool,
}

/// How writing came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    Written,
    /// Whoever read standard output has seen enough, and there was nothing else to do.
    Closed,
    /// What happened, and the mend.
    Failed(String),
}

pub struct Output {
    standard: Standard,
    verbose: bool,
    style: Style,
    stdout: BufWriter<io::Stdout>,
    file: Option<BufWriter<File>>,
    file_name: String,
    events: Vec<EventType>,
    patience: Option<Duration>,
    outlives_stdout: bool,
    clears_progress: bool,
    buffer: Vec<u8>,
    /// Lines of transactions, and of alerts where both are written, on their way to their place.
    order: LineOrder,
    newest_alert: Option<Timestamp>,
    ending: Ending,
    /// Raised when reading on is of no use.
    stop: Arc<AtomicBool>,
}

impl Output {
    pub fn open(wished: &Wished<'_>) -> anyhow::Result<Output> {
        let to_stdout = wished.eve.is_some_and(|path| path.as_os_str() == "-");
        let standard = match (to_stdout, wished.json) {
            (true, _) => Standard::Events,
            (_, true) => Standard::Alerts,
            _ => Standard::Readable,
        };
        let mut output = Output::quiet();
        (output.standard, output.verbose, output.style) = (standard, wished.verbose, wished.style);
        if let Some(path) = wished.eve.filter(|_| !to_stdout) {
            output.file = Some(BufWriter::new(create(path)?));
            output.file_name = path.display().to_string();
        }
        output.events = wished.events.to_vec();
        output.patience = wished.patience;
        output.outlives_stdout = wished.outlives_stdout;
        output.clears_progress = wished.shows_progress && io::stdout().is_terminal();
        Ok(output)
    }

    /// Writes nothing at all.
    pub fn quiet() -> Output {
        Output {
            standard: Standard::Nothing,
            verbose: false,
            style: Style::of_stdout(),
            stdout: BufWriter::new(io::stdout()),
            file: None,
            file_name: String::new(),
            events: Vec::new(),
            patience: None,
            outlives_stdout: true,
            clears_progress: false,
            buffer: Vec::new(),
            order: LineOrder::default(),
            newest_alert: None,
            ending: Ending::Written,
            stop: Arc::default(),
        }
    }

    /// Time of the newest alert, written or not.
    pub fn newest_alert(&self) -> Option<Timestamp> {
        self.newest_alert
    }

    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Lines that stand behind later ones, because they came too late.
    pub fn lines_out_of_order(&self) -> u64 {
        self.order.out_of_order()
    }

    pub fn wants(&self, event: EventType) -> bool {
        self.events.contains(&event) && (self.file.is_some() || self.standard == Standard::Events)
    }

    fn alert(&mut self, alert: &AlertRecord) {
        match self.standard {
            Standard::Readable => {
                let written = write_alert(&mut self.stdout, alert, self.style, self.verbose);
                self.check_stdout(written);
            }
            Standard::Alerts => {
                self.buffer.clear();
                write_line(alert, &mut self.buffer);
                let written = self.stdout.write_all(&self.buffer);
                self.check_stdout(written);
            }
            Standard::Events | Standard::Nothing => {}
        }
        // An alert is told when its window closes, a transaction when nothing earlier can come any more.
        if self.wants(EventType::Alert) && self.wants(EventType::Http) {
            let mut line = Vec::new();
            write_line(alert, &mut line);
            let added = self.order.add(alert.timestamp, alert.flow_id.unwrap_or_default(), BEHIND_TRANSACTIONS, line);
            self.check_order(added);
        } else {
            self.record(alert);
        }
    }

    /// Writes the lines that stand before this time, or all.
    pub fn release(&mut self, before: Option<Timestamp>) {
        loop {
            match self.order.next(before) {
                Ok(Some(line)) => self.eve(&line),
                Ok(None) => return,
                Err(error) => return self.check_order(Err(error)),
            }
        }
    }

    /// One EVE record, where its kind is wanted.
    pub fn record<D: Serialize>(&mut self, record: &EveRecord<'_, D>) {
        if !self.wants(record.event_type) {
            return;
        }
        let mut line = std::mem::take(&mut self.buffer);
        line.clear();
        write_line(record, &mut line);
        self.eve(&line);
        self.buffer = line;
    }

    pub fn flush(&mut self) {
        let flushed = self.stdout.flush();
        self.check_stdout(flushed);
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.check_file(flushed);
    }

    fn eve(&mut self, line: &[u8]) {
        if let Some(file) = &mut self.file {
            let written = file.write_all(line);
            self.check_file(written);
        } else if self.standard == Standard::Events {
            let written = self.stdout.write_all(line);
            self.check_stdout(written);
        }
    }

    fn check_file(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        if let Some(file) = self.file.take() {
            let _ = file.into_parts(); // without another try to write what is left in its buffer
        }
        let name = std::mem::take(&mut self.file_name);
        self.fail(format!("cannot write `{name}`: {error}; make room or choose another file with --eve"));
    }

    fn check_stdout(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        self.standard = Standard::Nothing;
        let _ = std::mem::replace(&mut self.stdout, BufWriter::new(io::stdout())).into_parts(); // as above
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.fail(format!("cannot write standard output: {error}; make room or send it elsewhere"));
        } else if self.file.is_none() && !self.outlives_stdout && self.ending == Ending::Written {
            self.ending = Ending::Closed;
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn check_order(&mut self, done: io::Result<()>) {
        let Err(error) = done else { return };
        let folder = std::env::temp_dir();
        self.fail(format!(
            "cannot keep lines that wait for their place in `{}`: {error}; make room there, name another folder in \
             TMPDIR, or leave `http` out of --events",
            folder.display()
        ));
        self.order = LineOrder::default();
    }

    fn fail(&mut self, message: String) {
        self.stop.store(true, Ordering::Relaxed);
        if !matches!(self.ending, Ending::Failed(_)) {
            self.ending = Ending::Failed(message);
        }
    }
}

impl Audience for Output {
    fn hear(&mut self, _: &Judge, verdict: Verdict) {
        let writes = !verdict.alerts.is_empty() || self.standard == Standard::Events;
        if self.clears_progress && writes {
            progress::clear();
        }
        for alert in &verdict.alerts {
            self.newest_alert = self.newest_alert.max(Some(alert.timestamp));
            self.alert(alert);
        }
        for line in verdict.lines {
            let (time, flow, position) = line.key;
            let added = self.order.add(time, flow, position, line.bytes);
            self.check_order(added);
        }
        let latest = self.patience.map(|patience| verdict.now.saturating_sub(patience));
        self.release(Some(verdict.settled.max(latest.unwrap_or(verdict.settled))));
        // Whoever follows the log wants an alert when it is raised, and a live one whatever there is.
        if !verdict.alerts.is_empty() || self.patience.is_some() {
            self.flush();
        }
    }

    fn wants_transactions(&self) -> bool {
        self.wants(EventType::Http)
    }

    fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }
}

/// Makes the file of `--eve`, unless that would overwrite a capture.
fn create(path: &Path) -> anyhow::Result<File> {
    let name = path.display();
    if path.is_file() && crate::capture::open(path).is_ok() {
        anyhow::bail!("`{name}` is a capture, which --eve would overwrite; choose another file");
    }
    File::create(path).map_err(|error| {
        let mend = match error.kind() {
            io::ErrorKind::NotFound => "make its folder first, or choose another file with --eve",
            io::ErrorKind::IsADirectory => "name a file in it with --eve",
            _ => "choose another file with --eve",
        };
        anyhow::anyhow!("cannot write `{name}`: {error}; {mend}")
    })
}
