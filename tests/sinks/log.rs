//! The log under kills, rotation and a full disk.

use super::{assert_all_arrived, record, sequence_of, settings, wait_until};
use apitap::alert::record::EventType;
use apitap::alert::sink::Sinks;
use apitap::alert::sink::settings::{Settings, SyslogSettings};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Names the folder in which this very test, started again as a child, writes until it is killed.
const WRITE_IN: &str = "TEST_WRITES_IN";
const KILLS: u64 = 20;

fn lines_of(path: &Path) -> Vec<u64> {
    fs::read_to_string(path).unwrap_or_default().lines().map(sequence_of).collect()
}

/// Rotated logs, the oldest first, then the log.
fn all_lines(log: &Path) -> Vec<u64> {
    // A rotation that was killed leaves a number free.
    let rotated = (1..=1000).map(|number| PathBuf::from(format!("{}.{number}", log.display())));
    let mut files: Vec<PathBuf> = rotated.filter(|path| path.exists()).collect();
    files.reverse();
    files.push(log.to_owned());
    files.iter().flat_map(|path| lines_of(path)).collect()
}

/// Also to a syslog server that is not there: its queue must survive just as well.
fn killed_settings(folder: &Path, port: u16) -> Settings {
    let mut settings = settings(folder);
    settings.file.rotate_bytes = 50_000;
    settings.syslog = Some(SyslogSettings {
        address: format!("tcp://127.0.0.1:{port}").parse().expect("an address"),
        facility: "local0".parse().expect("a facility"),
        app_name: "apitap".to_owned(),
        ca_file: None,
    });
    settings
}

/// The records of octet-counted messages (RFC 6587), until the connection ends.
pub fn frames_of(stream: TcpStream) -> Vec<u64> {
    let mut reader = BufReader::new(stream);
    let (mut sequences, mut length) = (Vec::new(), Vec::new());
    while reader.read_until(b' ', &mut length).is_ok_and(|bytes| bytes > 0) {
        let bytes: usize = String::from_utf8_lossy(&length).trim().parse().expect("a length");
        let mut message = vec![0; bytes];
        reader.read_exact(&mut message).expect("a whole message");
        let message = String::from_utf8(message).expect("text");
        sequences.push(sequence_of(&message[message.find('{').expect("a record")..]));
        length.clear();
    }
    sequences
}

/// Writes without end; says on standard output which record is written, which is when `alert` has returned.
fn write_until_killed(folder: &Path) {
    let (sinks, _) = Sinks::open(&killed_settings(folder, 9), &folder.join("state")).expect("the sinks open");
    let last = all_lines(&folder.join("alerts.json")).last().copied().unwrap_or(0);
    let mut out = std::io::stdout();
    for sequence in last + 1.. {
        sinks.alert(&record(sequence));
        writeln!(out, "written {sequence}").expect("the parent reads");
        if sequence % 16 == 0 {
            sinks.tick();
        }
    }
}

#[test]
fn a_kill_tears_no_line_and_loses_nothing_that_was_written() {
    if let Some(folder) = std::env::var_os(WRITE_IN) {
        return write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("alerts.json");
    let mut all_said: Vec<u64> = Vec::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "log::a_kill_tears_no_line_and_loses_nothing_that_was_written", "--nocapture"])
            .env(WRITE_IN, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("written ")), "the child writes");
        let reader = std::thread::spawn(move || -> Vec<u64> {
            lines.filter_map(|line| line.strip_prefix("written ")?.parse().ok()).collect()
        });
        std::thread::sleep(Duration::from_millis(20 + kill * 7 % 60));
        child.kill().expect("SIGKILL");
        child.wait().expect("it ends");
        all_said.extend(reader.join().expect("the reader ends"));
        let said = all_said.last().copied().expect("something was written");
        let opened = Sinks::open(&killed_settings(folder.path(), 9), &folder.path().join("state"));
        let (sinks, notes) = opened.expect("the sinks open");
        assert!(notes.iter().all(|note| note.contains("torn") || note.contains("no whole record")), "{notes:?}");
        let written = all_lines(&log);
        assert!(written.last().is_some_and(|newest| *newest >= said), "{said} was written: {:?}", written.last());
        assert!(written.iter().copied().eq(1..=written.len() as u64), "a line is missing or double");
        sinks.finish(Duration::ZERO);
    }
    assert!(fs::metadata(format!("{}.1", log.display())).is_ok(), "it was rotated meanwhile");

    // What waited for the syslog server through all of that arrives when there is one.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let received = std::thread::spawn(move || frames_of(listener.accept().expect("a connection").0));
    let opened = Sinks::open(&killed_settings(folder.path(), port), &folder.path().join("state"));
    let (sinks, _) = opened.expect("the sinks open");
    wait_until("the queue is empty", || sinks.statistics()["syslog"].queued == 0);
    sinks.finish(Duration::from_secs(5));
    let received: BTreeSet<u64> = received.join().expect("the server ends").into_iter().collect();
    assert!(all_said.iter().all(|sequence| received.contains(sequence)));
    eprintln!("{KILLS} kills, {} records", all_said.len());
}

/// Reads a log as `tail -F` does: to its end, then the next file of that name.
fn follow(path: PathBuf, is_over: Arc<AtomicBool>) -> Vec<u64> {
    let mut text = String::new();
    let mut file = File::open(&path).expect("the log");
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        file.read_to_string(&mut text).expect("text");
        let current = fs::metadata(&path).ok();
        let is_same = current.is_some_and(|found| file.metadata().is_ok_and(|mine| mine.ino() == found.ino()));
        if is_same && was_over {
            return text.lines().map(sequence_of).collect();
        }
        if !is_same && path.exists() {
            file.read_to_string(&mut text).expect("text"); // what came before it was renamed
            file = File::open(&path).expect("the new log");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_reader_that_follows_loses_nothing_to_rotation() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(folder.path());
    settings.file.rotate_bytes = 20_000;
    let (sinks, notes) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    assert!(notes.is_empty(), "{notes:?}");
    let is_over = Arc::new(AtomicBool::new(false));
    let (path, over) = (settings.file.path.clone(), Arc::clone(&is_over));
    let reader = std::thread::spawn(move || follow(path, over));
    for sequence in 1..=2000 {
        sinks.alert(&record(sequence));
        if sequence % 100 == 0 {
            std::thread::sleep(Duration::from_millis(10)); // a follower sees each file, as there are seconds between
            assert!(sinks.tick().is_empty());
        }
    }
    is_over.store(true, Ordering::Release);
    assert_all_arrived(&reader.join().expect("the reader ends"), 2000);
    assert!(all_lines(&settings.file.path).iter().copied().eq(1..=2000));
    assert!(folder.path().join("alerts.json.10").exists());
}

#[test]
fn many_threads_write_whole_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(folder.path());
    settings.file.rotate_bytes = 100_000;
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sinks = &sinks;
            scope.spawn(move || (0..250).for_each(|n| sinks.alert(&record(1 + thread * 250 + n))));
        }
        scope.spawn(|| {
            for _ in 0..50 {
                sinks.tick();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    });
    let mut all = all_lines(&settings.file.path);
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=1000));
}

/// A small file system of its own, unmounted with this value.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(kilobytes: u32) -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Disk(folder));
        }
        eprintln!("skipped: mounting a small disk takes root");
        None
    }

    /// Takes all room that there is.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).expect("a file");
        while file.write(&[0; 512]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.path().join("filler")).expect("the filler");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status(); // left to the system where that fails
    }
}

#[test]
fn a_full_disk_tears_no_line_and_loses_none() {
    let Some(disk) = Disk::mount(1024) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(disk.0.path());
    let state = folder.path().join("state");
    let (sinks, _) = Sinks::open(&settings, &state).expect("the sinks open");
    (1..=10).for_each(|sequence| sinks.alert(&record(sequence)));
    disk.fill();
    (11..=500).for_each(|sequence| sinks.alert(&record(sequence)));
    let notes = sinks.tick();
    assert!(notes.len() == 1 && notes[0].contains("No space left"), "{notes:?}");
    let while_full = fs::read_to_string(&settings.file.path).expect("the log");
    assert!(while_full.ends_with('\n'));
    let written = lines_of(&settings.file.path);
    assert!(written.len() >= 10 && written.len() < 500, "{}", written.len());
    assert_eq!(sinks.statistics()["file"].queued, 500 - written.len() as u64);
    assert!(sinks.tick().is_empty(), "it is said once");
    // Killed while the disk is full: what waits is in the state folder.
    std::mem::forget(sinks);
    let (sinks, _) = Sinks::open(&settings, &state).expect("the sinks open on a full disk");
    sinks.alert(&record(501));
    disk.free();
    let mut notes = sinks.tick();
    notes.extend(sinks.tick());
    assert!(notes.iter().any(|note| note.contains("written again")), "{notes:?}");
    sinks.alert(&record(502));
    assert_all_arrived(&lines_of(&settings.file.path), 502);
    assert_eq!(sinks.statistics()["file"].dropped, 0);
}

#[test]
fn where_the_state_folder_is_full_too_lines_wait_in_memory() {
    let Some(disk) = Disk::mount(1024) else { return };
    let settings = settings(disk.0.path());
    let (sinks, _) = Sinks::open(&settings, &disk.0.path().join("state")).expect("the sinks open");
    disk.fill();
    (1..=500).for_each(|sequence| sinks.alert(&record(sequence)));
    sinks.tick();
    assert!(sinks.statistics()["file"].queued > 400);
    disk.free();
    wait_until("all is written", || {
        sinks.tick();
        sinks.statistics()["file"].queued == 0
    });
    assert_all_arrived(&lines_of(&settings.file.path), 500);
}

/// Set for a child that is this very test, and writes to its standard output.
const PRINT: &str = "TEST_PRINTS_IN";

#[test]
fn standard_output_gets_the_lines_of_the_log() {
    if let Some(folder) = std::env::var_os(PRINT) {
        let folder = Path::new(&folder);
        let settings = Settings { stdout: true, ..settings(folder) };
        let (sinks, _) = Sinks::open(&settings, &folder.join("state")).expect("the sinks open");
        (1..=50).for_each(|sequence| sinks.alert(&record(sequence)));
        let notes = sinks.finish(Duration::from_secs(10));
        assert!(notes.is_empty(), "{notes:?}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "log::standard_output_gets_the_lines_of_the_log", "--nocapture"])
        .env(PRINT, folder.path())
        .output()
        .expect("the child runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let log = fs::read_to_string(folder.path().join("alerts.json")).expect("the log");
    assert!(log.lines().count() == 50 && text.contains(&log), "{text}");
}

#[test]
fn lines_of_other_kinds_go_to_the_log_alone_and_only_if_they_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(folder.path());
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    sinks.line(EventType::Http, b"{\"event_type\":\"http\"}\n");
    sinks.line(EventType::Stats, b"{\"event_type\":\"stats\"}\n");
    sinks.finish(Duration::ZERO);
    assert_eq!(fs::read_to_string(&settings.file.path).expect("the log"), "{\"event_type\":\"http\"}\n");
}
