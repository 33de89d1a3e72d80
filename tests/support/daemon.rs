//! Runs the daemon on a pipe: a place of its own with configuration, state, log and pipe; what it says; its end.
#![allow(dead_code)] // each test binary uses its part

use super::cli::{Folder, Run, command, records_so_far};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where a daemon lives.
pub struct Site {
    pub folder: Folder,
    /// Keys of the configuration, as variables of the environment.
    settings: Vec<(String, String)>,
}

impl Site {
    /// A state that is written each second, a log that is not rotated, two minutes of learning, no open ports.
    pub fn new() -> Site {
        let folder = Folder::new();
        made_pipe(&folder.path("pipe"));
        let site = Site { settings: Vec::new(), folder };
        let (state, log, socket) =
            (site.state(), site.folder.path("log/alerts.json"), site.folder.path("control.sock"));
        site.set("STATE__FOLDER", &state)
            .set("STATE__CHECKPOINT", "1s")
            .set("STATE__EXPORT", "1m")
            .set("ALERT__FILE", &log)
            .set("ALERT__ROTATE_EVERY", "0s")
            .set("LEARNING__DURATION", "2m")
            .set("METRICS__LISTEN", "")
            .set("SERVICE__SOCKET", &socket)
            .set("SERVICE__USER", "")
    }

    /// Another value of a key, `SECTION__KEY`.
    pub fn set(mut self, key: &str, value: &str) -> Site {
        let key = format!("APITAP_{key}");
        self.settings.retain(|(other, _)| *other != key);
        self.settings.push((key, value.to_owned()));
        self
    }

    pub fn state(&self) -> String {
        self.folder.path("state")
    }

    /// The lines of the log.
    pub fn alerts(&self) -> Vec<Value> {
        records_so_far(&self.log())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path("log/alerts.json")).unwrap_or_default()
    }

    /// The command that starts the daemon on the pipe.
    pub fn command(&self) -> Command {
        let mut command = command();
        command.args(["run", "--read-fifo", &self.folder.path("pipe")]).envs(self.settings());
        command
    }

    /// Starts the daemon; what it says is in a file.
    pub fn spawn(&self) -> Daemon {
        let said = self.folder.path("said");
        let file = OpenOptions::new().create(true).append(true).open(&said).expect("a file");
        let from = file.metadata().expect("a length").len() as usize;
        let child = self.command().stdout(Stdio::null()).stderr(file).spawn().expect("the program starts");
        Daemon { child, said, from }
    }

    /// Starts the daemon and waits until it reads.
    #[track_caller]
    pub fn start(&self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.wait_for("reading captures from");
        daemon
    }

    /// Runs a daemon that is expected to refuse to start.
    #[track_caller]
    pub fn refused(&self) -> Run {
        refused(&mut self.command())
    }

    /// The keys of the configuration that are not at their defaults, as variables of the environment.
    pub fn settings(&self) -> impl Iterator<Item = (String, String)> {
        self.settings.iter().cloned()
    }

    /// Writes a capture into the pipe, as fast as it is read, and waits until the daemon has let go of the pipe: what
    /// the next one writes before that would be a part of this capture.
    pub fn feed(&self, capture: &[u8]) {
        self.pipe().write_all(capture).expect("the daemon reads");
        let has_reader = || {
            let mut options = OpenOptions::new();
            options.write(true).custom_flags(libc::O_NONBLOCK).open(self.folder.path("pipe")).is_ok()
        };
        let started = Instant::now();
        while has_reader() {
            assert!(started.elapsed() < PATIENCE, "the daemon does not read to the end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The pipe, once the daemon has opened it.
    pub fn pipe(&self) -> File {
        OpenOptions::new().write(true).open(self.folder.path("pipe")).expect("a pipe")
    }
}

/// Runs a command that must fail before long, with one complaint.
#[track_caller]
pub fn refused(command: &mut Command) -> Run {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    while child.try_wait().expect("a child").is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().expect("a child");
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Run { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }.with_status(1)
}

pub fn made_pipe(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo starts").success());
}

pub struct Daemon {
    child: Child,
    said: String,
    from: usize,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said since it was started.
    pub fn said(&self) -> String {
        let all = std::fs::read(&self.said).expect("a file");
        String::from_utf8(all[self.from..].to_vec()).expect("words are UTF-8")
    }

    /// Waits until it has said something.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        self.wait_until(&format!("it says `{words}`"), |daemon| daemon.said().contains(words));
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&Daemon) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended ({ended:?}) and not: {what}\n{}", self.said());
            assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: it only sends a signal, to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// `kill -9`. Gives what it had said.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
        self.words()
    }

    /// SIGTERM; it must end well. Gives what it had said and how long it took.
    #[track_caller]
    pub fn stop(mut self) -> (String, Duration) {
        let started = Instant::now();
        self.signal(libc::SIGTERM);
        while self.child.try_wait().expect("a child").is_none() {
            assert!(started.elapsed() < PATIENCE, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = started.elapsed();
        let status = self.child.wait().expect("a child");
        assert_eq!(status.code(), Some(0), "{status}\n{}", self.said());
        (self.words(), took)
    }

    #[track_caller]
    fn words(&self) -> String {
        let said = self.said();
        assert!(!said.contains("panicked"), "{said}");
        said
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that a failed test leaves must not live on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A disk of its own, of so much room, that ends with the test; none where that is not allowed, which is said.
pub struct Disk(String);

impl Disk {
    pub fn mount(at: &str, kib: u32) -> Option<Disk> {
        std::fs::create_dir_all(at).expect("a folder");
        let options = format!("size={kib}k,mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs", at]).output();
        if !mounted.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: a small disk cannot be mounted; run this test as root");
            return None;
        }
        Some(Disk(at.to_owned()))
    }

    pub fn make_read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro", &self.0]).status();
        assert!(done.expect("mount starts").success());
    }

    /// Leaves no byte of room.
    pub fn fill(&self) {
        let mut ballast = File::create(Path::new(&self.0).join("ballast")).expect("a file");
        for block in [1 << 16, 4096, 1] {
            while ballast.write_all(&vec![b'.'; block]).is_ok() {}
        }
    }

    pub fn empty(&self) {
        std::fs::remove_file(Path::new(&self.0).join("ballast")).expect("the ballast");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy", &self.0]).status(); // nothing else can be done about it
    }
}
