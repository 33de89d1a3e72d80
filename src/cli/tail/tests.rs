use super::follow::{Follower, Notice};
use super::*;
use crate::alert::LINE_BYTES_MOST;
use crate::alert::record::{Severity, samples, write_line};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;

/// A folder with a log in it.
struct Log {
    dir: tempfile::TempDir,
}

impl Log {
    fn new() -> Log {
        Log { dir: tempfile::tempdir().unwrap() }
    }

    fn with(content: &str) -> Log {
        let log = Log::new();
        fs::write(log.path(), content).unwrap();
        log
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("alerts.json")
    }

    fn append(&self, text: &str) {
        OpenOptions::new().create(true).append(true).open(self.path()).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn follower(&self) -> Follower {
        Follower::reading(&self.path(), File::open(self.path()).unwrap(), 0).unwrap()
    }

    fn args(&self) -> TailArgs {
        TailArgs {
            file: Some(self.path()),
            follow: false,
            no_follow: true,
            lines: None,
            severity: None,
            detector: Vec::new(),
            client: None,
            endpoint: None,
            since: None,
            json: false,
            verbose: false,
            color: crate::cli::args::Colour::Auto,
        }
    }
}

/// The lines of one poll, and its notices.
fn polled(follower: &mut Follower) -> (Vec<String>, Vec<Notice>) {
    let mut lines = Vec::new();
    let notices = follower
        .poll(&mut |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        })
        .unwrap();
    (lines, notices)
}

fn lines(of: &[&str]) -> (Vec<String>, Vec<Notice>) {
    (of.iter().map(|line| (*line).to_owned()).collect(), Vec::new())
}

/// The line of the `n`th alert, a second after the one before.
fn alert(n: u64) -> String {
    alert_of(n, Severity::High)
}

fn alert_of(n: u64, severity: Severity) -> String {
    let mut record = samples::alert();
    record.timestamp = record.timestamp.saturating_add(Duration::from_secs(n));
    record.apitap.severity = severity;
    record.apitap.observed = format!("alert number {n}.");
    let mut line = Vec::new();
    write_line(&record, &mut line);
    String::from_utf8(line).unwrap()
}

fn http() -> String {
    let mut line = Vec::new();
    write_line(&samples::http(), &mut line);
    String::from_utf8(line).unwrap()
}

/// What `apitap tail` prints, and what it passed over.
fn shown(args: &TailArgs) -> (String, Skipped) {
    let filter = Filter::of(args, now());
    let mut view = View::new(Vec::new(), filter, Style { colour: false }, args);
    show(args, args.file.as_deref().unwrap(), false, &mut view).unwrap();
    (String::from_utf8(view.out).unwrap(), view.skipped)
}

/// The numbers of the alerts printed.
fn numbers(args: &TailArgs) -> Vec<u64> {
    let (text, _) = shown(args);
    let number = |line: &str| line.split_once("alert number ")?.1.split_once('.')?.0.parse().ok();
    text.lines().filter_map(number).collect()
}

#[test]
fn the_last_ten_alerts_are_shown() {
    let log = Log::with(&(0..100).map(alert).collect::<String>());
    assert_eq!(numbers(&log.args()), (90..100).collect::<Vec<_>>());
    assert_eq!(numbers(&TailArgs { lines: Some(Lines::Last(3)), ..log.args() }), [97, 98, 99]);
    assert_eq!(numbers(&TailArgs { lines: Some(Lines::Last(0)), ..log.args() }), [] as [u64; 0]);
    assert_eq!(numbers(&TailArgs { lines: Some(Lines::Last(1000)), ..log.args() }).len(), 100);
}

#[test]
fn lines_count_after_the_filter_however_far_back_the_matches_lie() {
    let low = |n| alert_of(n, Severity::Low);
    let log = Log::with(&[alert(1), alert(2), alert(3), (4..2000).map(low).collect()].concat());
    let args = TailArgs { lines: Some(Lines::Last(2)), severity: Some(Severity::Medium), ..log.args() };
    assert_eq!(numbers(&args), [2, 3]);
}

#[test]
fn since_shows_all_from_then_on_without_reading_what_is_older() {
    let log = Log::with(
        &["no alert, and older than all that is asked for\n".repeat(9), (0..9000).map(alert).collect()].concat(),
    );
    let since = Timestamp::parse("2025-11-23T12:33:50.123456Z").unwrap(); // 8,980 s after the first
    let args = TailArgs { since: Some(super::super::args::Since::Time(since)), ..log.args() };
    assert_eq!(numbers(&args), (8980..9000).collect::<Vec<_>>());
    assert_eq!(shown(&args).1, Skipped::default());
}

#[test]
fn what_is_no_alert_is_passed_over_and_counted() {
    let log = Log::with(
        &[&alert(1), "plain text\n", &http(), "{\"event_type\":\"alert\"}\n", "\n", "[1]\n", &alert(2)].concat(),
    );
    let (_, skipped) = shown(&log.args());
    assert_eq!(numbers(&log.args()), [1, 2]);
    assert_eq!(skipped, Skipped { not_records: 3, other_events: 1, overlong: 0 });
}

#[test]
fn a_last_line_without_its_line_feed_is_shown_when_not_following() {
    let log = Log::with(&[&alert(1), alert(2).trim_end()].concat());
    assert_eq!(numbers(&log.args()), [1, 2]);
}

#[test]
fn compressed_logs_are_read_to_their_last_lines() {
    let log = Log::new();
    let mut gz = GzEncoder::new(File::create(log.path().with_extension("json.1.gz")).unwrap(), Compression::fast());
    gz.write_all((0..50).map(alert).collect::<String>().as_bytes()).unwrap();
    gz.finish().unwrap();
    let args =
        TailArgs { file: Some(log.path().with_extension("json.1.gz")), lines: Some(Lines::Last(4)), ..log.args() };
    assert_eq!(numbers(&args), [46, 47, 48, 49]);
}

#[test]
fn json_output_is_the_logs_own_line_made_printable() {
    let line = alert(1).replace("alert number", "\u{9b}31m number");
    let log = Log::with(&line);
    let (text, _) = shown(&TailArgs { json: true, ..log.args() });
    assert_eq!(text, alert(1).replace("alert number", "\\u009b31m number"));
}

#[test]
fn a_missing_log_and_a_folder_are_refused_with_the_mend() {
    let log = Log::new();
    let refused = |args: &TailArgs| {
        let mut view = View::new(Vec::new(), Filter::default(), Style::default(), args);
        format!("{:#}", show(args, args.file.as_deref().unwrap(), false, &mut view).unwrap_err())
    };
    assert!(refused(&log.args()).contains("--follow"));
    assert!(refused(&TailArgs { file: Some(log.dir.path().to_owned()), ..log.args() }).contains("folder"));
}

#[test]
fn appended_lines_come_once_each_and_whole() {
    let log = Log::with("one\ntwo\n");
    let mut follower = log.follower();
    assert_eq!(polled(&mut follower), lines(&["one", "two"]));
    assert_eq!(polled(&mut follower), lines(&[]));
    log.append("thr");
    assert_eq!(polled(&mut follower), lines(&[]), "waits for the line feed");
    log.append("ee\nfour\n");
    assert_eq!(polled(&mut follower), lines(&["three", "four"]));
}

#[test]
fn a_rename_loses_nothing_on_either_side() {
    let log = Log::with("one\n");
    let mut follower = log.follower();
    assert_eq!(polled(&mut follower), lines(&["one"]));
    log.append("two\n");
    let old = log.path().with_extension("json.1");
    fs::rename(log.path(), &old).unwrap();
    assert_eq!(polled(&mut follower), lines(&["two"]), "the name leads nowhere: the old file is kept");
    log.append("");
    let mut writer = OpenOptions::new().append(true).open(&old).unwrap();
    writer.write_all(b"three\n").unwrap();
    assert_eq!(polled(&mut follower), lines(&["three"]), "the writer has not gone over yet");
    writer.write_all(b"four\n").unwrap();
    log.append("five\n");
    let (seen, notices) = polled(&mut follower);
    assert_eq!((seen, notices), (vec!["four".to_owned(), "five".to_owned()], vec![Notice::Rotated]));
    log.append("six\n");
    assert_eq!(polled(&mut follower), lines(&["six"]));
}

#[test]
fn a_truncated_log_is_read_from_its_start() {
    let log = Log::with("one\ntwo\npart");
    let mut follower = log.follower();
    assert_eq!(polled(&mut follower), lines(&["one", "two"]));
    OpenOptions::new().write(true).open(log.path()).unwrap().set_len(0).unwrap();
    assert_eq!(polled(&mut follower), (vec![], vec![Notice::Truncated]));
    log.append("three\n");
    assert_eq!(polled(&mut follower), lines(&["three"]), "the part of a line from before is forgotten");
}

#[test]
fn a_truncation_is_seen_even_when_the_log_has_outgrown_the_old_position() {
    let log = Log::with("one\ntwo\n");
    let mut follower = log.follower();
    assert_eq!(polled(&mut follower), lines(&["one", "two"]));
    OpenOptions::new().write(true).open(log.path()).unwrap().set_len(0).unwrap();
    log.append("three\nfour\nfive\n");
    let (seen, notices) = polled(&mut follower);
    assert_eq!(
        (seen, notices),
        (vec!["three".to_owned(), "four".to_owned(), "five".to_owned()], vec![Notice::Truncated])
    );
}

#[test]
fn following_from_the_middle_knows_a_truncation_too() {
    let log = Log::with("one\ntwo\n");
    let mut follower = Follower::reading(&log.path(), File::open(log.path()).unwrap(), 4).unwrap();
    assert_eq!(polled(&mut follower), lines(&["two"]));
    fs::write(log.path(), "ONE\nTWO\n").unwrap();
    assert_eq!(polled(&mut follower).1, [Notice::Truncated]);
}

#[test]
fn a_log_that_is_not_there_yet_is_waited_for() {
    let log = Log::new();
    let mut follower = Follower::awaiting(&log.path());
    assert_eq!(polled(&mut follower), lines(&[]));
    log.append("one\n");
    assert_eq!(polled(&mut follower), (vec!["one".to_owned()], vec![Notice::Appeared]));
}

#[test]
fn a_line_over_the_bound_is_passed_over_and_its_neighbours_are_not() {
    let log = Log::with(&[&alert(1), "x".repeat(LINE_BYTES_MOST + 1).as_str(), "\n", &alert(2)].concat());
    assert_eq!(numbers(&log.args()), [1, 2]);
    assert_eq!(shown(&log.args()).1, Skipped { overlong: 1, ..Skipped::default() });
}

#[test]
fn following_starts_with_the_last_lines_and_leaves_a_part_of_a_line_for_later() {
    let next = alert(3);
    let (begin, rest) = next.split_at(40);
    let log = Log::with(&[&alert(1), &alert(2), begin].concat());
    let file = File::open(log.path()).unwrap();
    let start = backwards::start_of_last(&file, Lines::Last(1), &Filter::default(), true).unwrap();
    let mut follower = Follower::reading(&log.path(), file, start).unwrap();
    assert_eq!(polled(&mut follower), lines(&[alert(2).trim_end()]));
    log.append(rest);
    assert_eq!(polled(&mut follower), lines(&[next.trim_end()]));
}

#[test]
fn with_no_lines_asked_for_following_starts_at_the_end() {
    let log = Log::with(&[&alert(1), "{\"par"].concat());
    let file = File::open(log.path()).unwrap();
    let start = backwards::start_of_last(&file, Lines::Last(0), &Filter::default(), true).unwrap();
    assert_eq!(start, alert(1).len() as u64);
}
