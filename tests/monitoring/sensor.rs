//! A daemon that reads a named pipe or an interface, with folders, a socket and a port of its own.

use super::cli::{Folder, command};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is waited for takes seconds; a machine that is busy takes longer.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Asks until it is answered.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The body of what is served there, if it is served with this status.
pub fn get(url: &str, status: u16) -> Option<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let mut response = agent.get(url).call().ok()?;
    let body = response.body_mut().read_to_string().ok()?;
    (response.status() == status).then_some(body)
}

pub enum Source {
    Pipe,
    Interface(&'static str),
}

pub struct Sensor {
    pub folder: Folder,
    pub port: u16,
    child: Child,
}

impl Sensor {
    /// Starts one, and waits until it answers. `metrics` is added to that section of its configuration.
    pub fn start(source: Source, metrics: &str) -> Sensor {
        let (folder, port) = (Folder::new(), free_port());
        let path = |name| folder.path(name);
        let config = format!(
            "[alert]\nfile = \"{}\"\n[state]\nfolder = \"{}\"\ncheckpoint = \"1s\"\n\
             [service]\nsocket = \"{}\"\nuser = \"\"\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n{metrics}\n",
            path("log/alerts.json"),
            path("state"),
            path("socket")
        );
        std::fs::create_dir(path("log")).expect("a folder");
        let config = folder.write("apitap.toml", config);
        let log = File::create(path("sensor.log")).expect("a file");
        let mut run = command();
        run.args(["run", "--threads", "2", "--config", &config]).stderr(log).stdout(Stdio::null());
        match source {
            Source::Pipe => {
                let made = Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo is there");
                assert!(made.success());
                run.args(["--read-fifo", &path("pipe")]);
            }
            Source::Interface(name) => {
                run.args(["-i", name]);
            }
        }
        let mut sensor = Sensor { port, child: run.spawn().expect("the program starts"), folder };
        wait_for("the sensor answers", || {
            let ended = sensor.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "it ended with {ended:?}: {}", sensor.log());
            get(&sensor.url("healthz"), 200)
        });
        sensor
    }

    pub fn url(&self, page: &str) -> String {
        format!("http://127.0.0.1:{}/{page}", self.port)
    }

    pub fn log(&self) -> String {
        self.folder.read("sensor.log")
    }

    /// The end of the pipe that captures are written to. While it is open the sensor waits for more.
    pub fn pipe(&self) -> Feeder {
        Feeder(OpenOptions::new().write(true).open(self.folder.path("pipe")).expect("the pipe opens"))
    }

    pub fn metrics(&self) -> String {
        get(&self.url("metrics"), 200).expect("metrics are served")
    }

    /// One figure by its line up to the blank.
    pub fn figure(&self, series: &str) -> Option<f64> {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().expect("a number"))
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

pub struct Feeder(File);

impl Feeder {
    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the sensor reads");
    }
}
