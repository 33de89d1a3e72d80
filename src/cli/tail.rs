//! `apitap tail`: the alert log in plain words, and what is appended to it.
//!
//! In: an EVE log that someone else writes, rotates, truncates and compresses. Out: the alerts that match, one readable
//! line each. Lines that are no JSON and records that are no alerts are passed over and counted on standard error.
//! Memory is bounded: a log of any size is read from its end, a line over [`LINE_BYTES_MOST`](crate::alert::LINE_BYTES_MOST) is passed over.
//!
//! This is a tool for people beside the sensor, not part of its data path: it may look at the clock.

mod backwards;
mod filter;
mod follow;

use super::args::{Lines, TailArgs};
use super::note;
use super::sensor::configured;
use crate::alert::human::{Style, write_alert};
use crate::alert::record::{AlertRecord, EventType, write_printable};
use crate::time::Timestamp;
use anyhow::{Context, bail};
use filter::Filter;
use flate2::read::MultiGzDecoder;
use follow::{Follower, LineSplitter, Notice};
use serde::Deserialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Alerts shown where nobody says how many, as `tail` does.
const LINES_DEFAULT: Lines = Lines::Last(10);
/// How often a followed log is looked at: at once to a person, nothing to a processor.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// Bytes of one read.
const BLOCK_BYTES: usize = 64 * 1024;

pub fn run(args: &TailArgs) -> anyhow::Result<ExitCode> {
    let stdout = io::stdout();
    let log = args.file.clone().unwrap_or_else(|| configured().alert.file);
    let follows = args.follows(stdout.is_terminal());
    let filter = Filter::of(args, now());
    let mut view = View::new(io::BufWriter::new(stdout.lock()), filter, args.color.style(), args);
    let shown = show(args, &log, follows, &mut view).and_then(|()| Ok(view.out.flush()?));
    view.report_skipped();
    if shown.is_ok() && view.shown == 0 && !follows {
        note(&format!(
            "no alerts to show of {}{}",
            log.display(),
            if args.is_filtering() { ": none is as asked for" } else { "" }
        ));
    }
    shown.map(|()| ExitCode::SUCCESS)
}

fn show<W: Write>(args: &TailArgs, log: &Path, follows: bool, view: &mut View<W>) -> anyhow::Result<()> {
    let name = log.display();
    let unreadable = || format!("cannot read {name}");
    if args.is_stdin() {
        let lines = if follows { Lines::All } else { args.lines.unwrap_or(Lines::All) };
        return show_stream(io::stdin().lock(), lines, view).context("cannot read standard input");
    }
    if follows && args.is_compressed() {
        bail!("{name} is compressed: nothing is appended to it; leave --follow out");
    }
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && follows => {
            note(&format!("{name} is not there yet; waiting for it (Ctrl-C ends)"));
            return follow_log(Follower::awaiting(log), view);
        }
        Err(error) => return Err(error).with_context(|| cannot_open(log)),
    };
    let metadata = file.metadata().with_context(unreadable)?;
    if metadata.is_dir() {
        bail!("{name} is a folder; name the log in it");
    }
    let lines = args.lines.unwrap_or(if args.since.is_some() { Lines::All } else { LINES_DEFAULT });
    if args.is_compressed() {
        return show_stream(MultiGzDecoder::new(file), lines, view).with_context(unreadable);
    }
    if !metadata.is_file() {
        let lines = if follows { Lines::All } else { lines };
        return show_stream(file, lines, view).with_context(unreadable); // a named pipe
    }
    let start = backwards::start_of_last(&file, lines, &view.filter, follows).with_context(unreadable)?;
    let mut follower = Follower::reading(log, file, start).with_context(unreadable)?;
    if follows {
        return follow_log(follower, view);
    }
    follower.drain(&mut |line| view.take(line)).with_context(unreadable)?;
    follower.finish(&mut |line| view.take(line))?;
    view.skipped.overlong += follower.overlong();
    Ok(())
}

fn cannot_open(file: &Path) -> String {
    let mend = "name the log to read (`apitap replay --eve FILE` writes one) or wait for it with --follow";
    format!("cannot read {}; {mend}", file.display())
}

/// Looks at the log again and again until Ctrl-C.
fn follow_log<W: Write>(mut follower: Follower, view: &mut View<W>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut look = tokio::time::interval(POLL_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        loop {
            tokio::select! {
                interrupted = &mut interrupt => return interrupted.context("cannot wait for Ctrl-C"),
                _ = look.tick() => {}
            }
            let path = follower.path().display().to_string();
            let notices = follower.poll(&mut |line| view.take(line)).with_context(|| format!("cannot read {path}"))?;
            view.out.flush()?;
            for notice in notices {
                note(&match notice {
                    Notice::Appeared => format!("{path} has appeared"),
                    Notice::Rotated => format!("{path} was rotated; following the new file"),
                    Notice::Truncated => format!("{path} was truncated; reading it from its start"),
                    Notice::Unreadable => format!("{path} may not be read (yet); trying on"),
                });
            }
        }
    });
    view.skipped.overlong += follower.overlong();
    ended
}

/// Reads to the end what can only be read forwards. Shows all matches as they come, or keeps the last of them.
fn show_stream<W: Write>(mut source: impl Read, lines: Lines, view: &mut View<W>) -> anyhow::Result<()> {
    let mut splitter = LineSplitter::default();
    let mut block = vec![0; BLOCK_BYTES];
    let mut last: VecDeque<Vec<u8>> = VecDeque::new();
    let mut take = |line: &[u8], view: &mut View<W>| -> io::Result<()> {
        let Lines::Last(most) = lines else { return view.take(line) };
        if view.matching(line).is_some() {
            last.push_back(line.to_vec());
            if last.len() > most {
                last.pop_front();
            }
        }
        Ok(())
    };
    loop {
        let count = match source.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        splitter.feed(&block[..count], &mut |line| take(line, view))?; // `read` gives no more than the block holds
        if lines == Lines::All {
            view.out.flush()?;
        }
    }
    splitter.finish(&mut |line| take(line, view))?;
    view.skipped.overlong += splitter.overlong;
    for line in last {
        view.take(&line)?;
    }
    Ok(())
}

/// What a line of the log is.
enum Line {
    Alert(Box<AlertRecord>),
    OtherEvent,
    Blank,
    NotARecord,
}

fn read_line(line: &[u8]) -> Line {
    #[derive(Deserialize)]
    struct AnyEvent {
        event_type: String,
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Blank;
    }
    match serde_json::from_slice::<AlertRecord>(line) {
        Ok(record) if record.event_type == EventType::Alert => Line::Alert(Box::new(record)),
        Ok(_) => Line::OtherEvent,
        Err(_) => match serde_json::from_slice::<AnyEvent>(line) {
            Ok(event) if event.event_type != EventType::Alert.name() => Line::OtherEvent,
            _ => Line::NotARecord,
        },
    }
}

/// Lines passed over, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Skipped {
    not_records: u64,
    other_events: u64,
    overlong: u64,
}

/// What is shown of the lines, and how.
struct View<W> {
    out: W,
    filter: Filter,
    style: Style,
    json: bool,
    details: bool,
    shown: u64,
    skipped: Skipped,
}

impl<W: Write> View<W> {
    fn new(out: W, filter: Filter, style: Style, args: &TailArgs) -> View<W> {
        View { out, filter, style, json: args.json, details: args.verbose, shown: 0, skipped: Skipped::default() }
    }

    /// The alert on this line, if it is one and is wanted; counts what is no alert.
    fn matching(&mut self, line: &[u8]) -> Option<Box<AlertRecord>> {
        match read_line(line) {
            Line::Alert(record) => return self.filter.matches(&record).then_some(record),
            Line::OtherEvent => self.skipped.other_events += 1,
            Line::NotARecord => self.skipped.not_records += 1,
            Line::Blank => {}
        }
        None
    }

    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        let Some(record) = self.matching(line) else { return Ok(()) };
        self.shown += 1;
        if self.json {
            // JSON that parsed is valid UTF-8; what could act on a terminal stands in a string and is escaped there.
            write_printable(&mut self.out, String::from_utf8_lossy(line).trim())?;
            return self.out.write_all(b"\n");
        }
        write_alert(&mut self.out, &record, self.style, self.details)
    }

    fn report_skipped(&self) {
        let Skipped { not_records, other_events, overlong } = self.skipped;
        let reasons = [
            (other_events, "record that is no alert", "records that are no alerts"),
            (not_records, "line that is no EVE record of apitap", "lines that are no EVE records of apitap"),
            (overlong, "line over 1 MiB", "lines over 1 MiB"),
        ];
        let counted = reasons.iter().filter(|(count, ..)| *count > 0);
        let said: Vec<String> =
            counted.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
        if !said.is_empty() {
            note(&format!("passed over {}", said.join(", ")));
        }
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs_nanos(since_epoch.as_secs() as i64, since_epoch.subsec_nanos())
}

#[cfg(test)]
mod tests;
