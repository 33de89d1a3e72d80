//! Sinks: where alerts go.
//!
//! Records in; out go lines of the log (`log_file.rs`) and, each in a thread of its own behind a queue on disk
//! (`delivery.rs`, `queue.rs`), messages to a syslog server, requests to a webhook, lines to standard output. When
//! [`Sinks::alert`] returns, the record is in the log and in every queue, handed to the kernel: a kill loses nothing.
//! Nothing that a sink does or fails to do blocks the caller; what it cannot take waits, up to a bound. Every sink gets an
//! alert at least once; the incident and the sequence that each record carries make duplicates known.

mod certificates;
mod delivery;
mod log_file;
pub mod queue;
mod rotation;
pub mod settings;
mod stdout;
mod syslog;
mod webhook;

use crate::alert::record::{AlertRecord, EventType, Severity, write_line};
use delivery::{Carrier, Delivery};
use log_file::LogFile;
use settings::Settings;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error(
        "{}: the log cannot be opened: {source}; make its folder and the file writable for apitap, or set `alert.file` \
         to another",
        path.display()
    )]
    Log { path: PathBuf, source: io::Error },
    #[error("{}: {message}", path.display())]
    File { path: PathBuf, message: String },
    #[error("{0}")]
    Tls(String),
    #[error("a thread cannot be started: {0}; raise the limit of processes (ulimit -u, TasksMax)")]
    Thread(io::Error),
}

/// What became of the records of one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStatistics {
    /// That wait.
    pub queued: u64,
    /// That were written or sent; of the log: lines.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// That had to be given up: the queue was full, or the sink refused them.
    pub dropped: u64,
    pub last_error: Option<String>,
}

pub struct Sinks {
    log: Mutex<LogFile>,
    deliveries: Vec<(Delivery, Severity)>,
}

/// Whether the certificates and keys that sinks need can be read.
pub fn check(settings: &Settings) -> Result<(), SinkError> {
    settings.syslog.as_ref().map(syslog::Syslog::new).transpose()?;
    settings.webhook.as_ref().map(webhook::Webhook::new).transpose()?;
    Ok(())
}

impl Sinks {
    /// Opens the log and starts the threads of the other sinks. The notes are for people: what an earlier run left that
    /// had to be mended.
    pub fn open(settings: &Settings, state_folder: &Path) -> Result<(Sinks, Vec<String>), SinkError> {
        let queues = state_folder.join("queue");
        let mut log = LogFile::open(settings.file.clone(), &queues.join("file"), settings.spool_bytes)?;
        let mut notes = log.take_notes();
        let mut sinks = Sinks { log: Mutex::new(log), deliveries: Vec::new() };
        let mut start = |carrier: Box<dyn Carrier>, least: Severity| {
            let folder = queues.join(carrier.kind());
            let (delivery, said) = Delivery::start(carrier, &folder, settings.spool_bytes, settings.file.fsync)?;
            notes.extend(said);
            sinks.deliveries.push((delivery, least));
            Ok::<(), SinkError>(())
        };
        if let Some(settings) = &settings.syslog {
            start(Box::new(syslog::Syslog::new(settings)?), Severity::Low)?;
        }
        if let Some(settings) = &settings.webhook {
            start(Box::new(webhook::Webhook::new(settings)?), settings.min_severity)?;
        }
        if settings.stdout {
            start(Box::new(stdout::Stdout), Severity::Low)?;
        }
        while sinks.log().write_spooled() {}
        Ok((sinks, notes))
    }

    /// Writes an alert to the log and hands it to the other sinks.
    pub fn alert(&self, record: &AlertRecord) {
        let mut line = Vec::new();
        write_line(record, &mut line);
        self.log().write(EventType::Alert, &line);
        self.hand_on(record, &line);
    }

    /// Hands an alert that the log has to the other sinks: a kill may have come between.
    pub fn again(&self, record: &AlertRecord) {
        let mut line = Vec::new();
        write_line(record, &mut line);
        self.hand_on(record, &line);
    }

    fn hand_on(&self, record: &AlertRecord, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        for (delivery, least) in &self.deliveries {
            if record.apitap.severity >= *least {
                delivery.push(line);
            }
        }
    }

    /// One or more whole lines for the log alone. What kinds it takes is in the settings.
    pub fn line(&self, kind: EventType, lines: &[u8]) {
        self.log().write(kind, lines);
    }

    /// To be called once a second: forces lines to the disk, rotates the log, writes what waited for room. Gives what
    /// people are to be told, each thing once.
    pub fn tick(&self) -> Vec<String> {
        let mut has_more = self.log().tick();
        while has_more {
            has_more = self.log().write_spooled(); // the lock is given up between the steps
        }
        let unsynced = self.log().unsynced();
        let mut notes = self.log().take_notes();
        for (delivery, _) in &self.deliveries {
            notes.extend(delivery.tick());
        }
        // Without a lock: it may take long.
        for file in unsynced {
            if let Err(error) = file.sync_data() {
                notes.push(format!("the log cannot be forced to the disk: {error}; look at the disk"));
            }
        }
        notes
    }

    /// After the log was moved by somebody else (logrotate): goes on in a new file.
    pub fn reopen(&self) {
        self.log().reopen();
    }

    /// By the name of the sink: `file`, `syslog`, `webhook`, `stdout`.
    pub fn statistics(&self) -> BTreeMap<&'static str, SinkStatistics> {
        let mut all = BTreeMap::from([("file", self.log().statistics())]);
        all.extend(self.deliveries.iter().map(|(delivery, _)| (delivery.kind(), delivery.statistics())));
        all
    }

    /// The end: gives the sinks so much time to send what waits. What they could not send is kept for the next run.
    pub fn finish(self, patience: Duration) -> Vec<String> {
        let until = Instant::now() + patience;
        for (delivery, _) in &self.deliveries {
            delivery.stop(until);
        }
        self.log().finish();
        let mut notes = self.log().take_notes();
        for (delivery, _) in self.deliveries {
            notes.extend(delivery.finish(until));
        }
        notes
    }

    fn log(&self) -> MutexGuard<'_, LogFile> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner) // each step leaves it whole
    }
}
