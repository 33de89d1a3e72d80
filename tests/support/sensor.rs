//! Runs the daemon on a named pipe, with a configuration of its own, and speaks to it by its control socket.
#![allow(dead_code)] // each test binary uses its part

use crate::cli::{Folder, Run, command, records_so_far, run};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with what a daemon needs: configuration, pipe, places for state, log and socket.
pub struct Site {
    pub folder: Folder,
}

impl Site {
    pub fn new() -> Site {
        let site = Site { folder: Folder::new() };
        let made = Command::new("mkfifo").arg(site.folder.path("pipe")).status().expect("mkfifo, of coreutils");
        assert!(made.success());
        site.write_config("");
        site
    }

    pub fn socket(&self) -> String {
        self.folder.path("control.sock")
    }

    /// The configuration, with these lines behind it.
    pub fn write_config(&self, more: &str) -> String {
        let path = |name: &str| self.folder.path(name);
        let text = format!(
            "[alert]\nfile = {:?}\n[state]\nfolder = {:?}\n[metrics]\nlisten = \"\"\n[service]\nsocket = {:?}\nuser = \"\"\n\
             [learning]\nduration = \"1m\"\n{more}",
            path("log/alerts.json"),
            path("state"),
            self.socket(),
        );
        self.folder.write("apitap.toml", text)
    }

    /// A command that speaks to the daemon here.
    pub fn ask(&self, arguments: &[&str]) -> Run {
        run(command().args(arguments).args(["--socket", &self.socket()]))
    }

    /// What such a command prints as JSON.
    #[track_caller]
    pub fn asked(&self, arguments: &[&str]) -> Value {
        let run = self.ask(arguments).with_status(0);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
    }

    pub fn alerts(&self) -> Vec<Value> {
        records_so_far(&std::fs::read_to_string(self.folder.path("log/alerts.json")).unwrap_or_default())
    }

    /// Writes a capture into the pipe. The daemon opens it again for the next.
    pub fn feed(&self, capture: &[u8]) {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(self.folder.path("pipe")).expect("the pipe");
        pipe.write_all(capture).expect("the daemon reads");
    }

    #[track_caller]
    pub fn start(&self) -> Sensor {
        self.start_with(&mut command())
    }

    /// Starts it on the pipe, in an environment that was made for it.
    #[track_caller]
    pub fn start_with(&self, command: &mut Command) -> Sensor {
        self.start_on(command, &["--read-fifo", &self.folder.path("pipe")])
    }

    /// Starts it on something, and waits until it answers.
    #[track_caller]
    pub fn start_on(&self, command: &mut Command, source: &[&str]) -> Sensor {
        let log = std::fs::File::create(self.folder.path("daemon.log")).expect("a file");
        command.args(["run", "--config", &self.folder.path("apitap.toml")]).args(source).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("the program starts");
        let mut sensor = Sensor { child };
        until("the daemon answers", || {
            let ended = sensor.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended by itself: {ended:?}\n{}", self.folder.read("daemon.log"));
            self.ask(&["status"]).status == Some(0)
        });
        sensor
    }
}

/// A daemon; killed when dropped.
pub struct Sensor {
    pub child: Child,
}

impl Sensor {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// Ends it as `systemctl stop` does; gives how long that took.
    #[track_caller]
    pub fn stop(mut self) -> Duration {
        let asked = Instant::now();
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}");
        asked.elapsed()
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
