//! A run that ends before its input: by Ctrl-C, by SIGTERM, by an output that fails. What was read is reported all the
//! same.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::Scenario;
use cli::{Folder, Run, apitap, attack_traffic, capture_of, command, frames_of, records, simulated};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static ATTACKS: LazyLock<Vec<u8>> =
    LazyLock::new(|| simulated(&attack_traffic(&[Scenario::CredentialStuffing, Scenario::Scanner])));

/// A run that reads from a pipe which stays open.
struct Live {
    child: Child,
    pipe: std::process::ChildStdin,
}

fn live(arguments: &[&str]) -> Live {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pipe = child.stdin.take().expect("a pipe");
    Live { child, pipe }
}

impl Live {
    fn write(mut self, bytes: &[u8]) -> Live {
        self.pipe.write_all(bytes).expect("the program reads");
        self
    }

    fn signal(&self, signal: i32) {
        // SAFETY: it only sends a signal, to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// What the run came to; the pipe stays open until then.
    fn ended(self) -> Run {
        let Live { child, pipe } = self;
        let started = Instant::now();
        let output = child.wait_with_output().expect("it ends");
        drop(pipe);
        assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Run { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Waits until a file has grown to something.
fn wait_for(path: &str) {
    let started = Instant::now();
    while std::fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "{path} stays empty");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_signal_ends_a_live_run_with_all_that_was_read() {
    let folder = Folder::new();
    for (signal, name, status, threads) in
        [(libc::SIGINT, "Ctrl-C", 130, "1"), (libc::SIGINT, "Ctrl-C", 130, "2"), (libc::SIGTERM, "SIGTERM", 143, "2")]
    {
        let (state, eve) = (folder.path(&format!("state{name}{threads}")), folder.path("eve.json"));
        let _ = std::fs::remove_file(&eve);
        let run = live(&["replay", "-", "--threads", threads, "--state", &state, "--eve", &eve, "--events", "http"]);
        let run = run.write(&ATTACKS);
        wait_for(&eve);
        run.signal(signal);
        let run = run.ended().with_status(status);
        assert!(run.err.contains(&format!("interrupted by {name}: this is what was read up to ")), "{}", run.err);
        assert!(run.out.contains("credential_stuffing"), "{}\n{}", run.out, run.err);
        assert_eq!(run.err.matches(" transactions, ").count(), 1, "{}", run.err);
        assert!(!run.err.contains("apitap:"), "no complaint about the end of the pipe: {}", run.err);
        assert!(!records(&folder.read("eve.json")).is_empty());
        let kept = apitap(&["inventory", "--state", &state]).with_status(0);
        assert!(kept.out.lines().count() > 2, "the state was saved: {}", kept.out);
    }
}

#[test]
fn a_signal_before_the_first_frame_is_heard() {
    let run = live(&["replay", "-"]);
    std::thread::sleep(Duration::from_millis(500));
    run.signal(libc::SIGINT);
    let run = run.ended().with_status(130);
    assert!(run.err.contains("interrupted by Ctrl-C") && !run.err.contains("is empty"), "{}", run.err);
}

#[test]
fn a_named_pipe_without_a_writer_can_be_interrupted() {
    let folder = Folder::new();
    let pipe = folder.path("pipe.pcap");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
    let run = live(&["replay", &pipe]);
    std::thread::sleep(Duration::from_millis(500));
    run.signal(libc::SIGTERM);
    run.ended().with_status(143);
    // And it is read like any capture.
    let mut child = command().args(["replay", &pipe]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::OpenOptions::new().write(true).open(&pipe).unwrap().write_all(&ATTACKS).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_the_reading_of_a_file() {
    let folder = Folder::new();
    // The capture many times over: an hour of disorder is borne.
    let frames = frames_of(&ATTACKS);
    let times = 20;
    let file = folder.write("many.pcap", capture_of(&ATTACKS, &frames.repeat(times)));
    let eve = folder.path("eve.json");
    let run = live(&["replay", &file, "--eve", &eve]);
    wait_for(&eve);
    run.signal(libc::SIGINT);
    let run = run.ended().with_status(130);
    assert!(run.err.starts_with("interrupted by Ctrl-C: this is what was read up to 2025-11-24 09:"), "{}", run.err);
    let read: usize = run.err.lines().nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(read > 0 && read < times * frames.len(), "{read} of {} frames", times * frames.len());
    let closed = records(&folder.read("eve.json")).iter().filter(|alert| alert["apitap"]["state"] == "closed").count();
    assert!(closed > 0, "what was open is closed");
}

#[test]
fn a_signal_while_the_baseline_is_read_teaches_nothing() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let baseline = folder.path("baseline");
    assert!(Command::new("mkfifo").arg(&baseline).status().expect("mkfifo starts").success());
    let run = live(&["replay", &file, "--baseline", &baseline, "--state", &folder.path("state")]);
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&baseline).unwrap();
    pipe.write_all(&ATTACKS).unwrap();
    run.signal(libc::SIGINT);
    let run = run.ended().with_status(130);
    drop(pipe);
    assert!(run.err.contains("interrupted by Ctrl-C"), "{}", run.err);
    assert!(run.err.contains("the state was left as it was") && run.out.is_empty(), "{}{}", run.out, run.err);
}

#[test]
fn a_full_disk_ends_the_run_with_what_was_found() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let whole = apitap(&["replay", &file]).with_status(0);
    let state = folder.path("state");
    for threads in ["1", "2"] {
        for events in ["alert", "http", "alert,http"] {
            let run = apitap(&[
                "replay",
                &file,
                "--threads",
                threads,
                "--state",
                &state,
                "--eve",
                "/dev/full",
                "--events",
                events,
            ])
            .with_status(1);
            assert!(
                run.err.contains("cannot write `/dev/full`: No space left") && run.err.contains("make room"),
                "{}",
                run.err
            );
            assert_eq!(run.err.matches("No space left").count(), 1, "{}", run.err);
            assert_eq!(run.err.matches(" transactions, ").count(), 1, "one summary: {}", run.err);
            assert!(!run.err.contains("\n0 frames") && !run.err.starts_with("0 frames"), "{}", run.err);
            assert!(run.err.contains("the state was left as it was before this run"), "{}", run.err);
            let first = whole.out.lines().next().unwrap();
            assert!(events != "alert" || run.out.starts_with(first), "the first alert was told: {}", run.out);
        }
    }
    let none = apitap(&["inventory", "--state", &state]).with_status(0);
    assert_eq!(none.out.lines().count(), 1, "nothing was learned: {}", none.out);
}

#[test]
fn a_full_standard_output_is_told_and_the_file_is_still_written() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for more in [&["--json"][..], &["--eve", "-", "--events", "http"], &[]] {
        let run = cli::run(command().args(["replay", &file]).args(more).stdout(full())).with_status(1);
        assert!(run.err.contains("cannot write standard output: No space left"), "{}", run.err);
        assert_eq!(run.err.matches(" transactions, ").count(), 1, "{}", run.err);
    }
}

#[test]
fn a_reader_who_leaves_early_does_not_cost_the_file_its_end() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let (whole, beside) = (folder.path("whole.json"), folder.path("beside.json"));
    apitap(&["replay", &file, "--eve", &whole]).with_status(0);
    let mut child = command()
        .args(["replay", &file, "--eve", &beside, "--fail-on", "low"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.read("beside.json"), folder.read("whole.json"));
}

#[test]
fn a_capture_is_not_overwritten_by_the_log() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", &*ATTACKS);
    let run = apitap(&["replay", &file, "--eve", &file]).with_status(1);
    assert!(run.err.contains("a.pcap` is a capture") && run.err.contains("choose another file"), "{}", run.err);
    assert!(std::fs::read(&file).unwrap() == *ATTACKS && frames_of(&ATTACKS).len() > 1000);
    let folder_named = apitap(&["replay", &file, "--eve", &folder.path("")]).with_status(1);
    assert!(folder_named.err.contains("name a file in it"), "{}", folder_named.err);
}
