//! Alerts arrive: whatever is killed, full or moved meanwhile, no line is torn, none is lost, duplicates can be known.
//!
//! Against real servers: rsyslog (Debian: rsyslog, rsyslog-gnutls), Python's HTTP server, certificates of openssl. A test
//! whose program is not there, or that may not mount, says `skipped` and what it lacks.

mod log;
mod syslog;
mod webhook;

use apitap::alert::record::{AlertRecord, EventType};
use apitap::alert::sink::settings::{FileSettings, Fsync, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A record of one incident.
pub fn record(sequence: u64) -> AlertRecord {
    let record = json!({
        "timestamp": "2025-11-23T10:04:10.123456+0000",
        "event_type": "alert",
        "apitap": {
            "detector": "scanner", "incident": "9f3c00aa12de4b71", "sequence": sequence, "state": "updated",
            "severity": "high", "subject": { "kind": "client", "value": "203.0.113.7" }, "client": "203.0.113.7",
            "first_seen": "2025-11-23T10:02:10.123456+0000", "last_seen": "2025-11-23T10:04:09.123456+0000",
            "count": 200, "observed": "200 paths that do not exist ä 日本", "evidence": [], "advice": "x".repeat(300),
        }
    });
    serde_json::from_value(record).expect("a record")
}

pub fn settings(folder: &Path) -> Settings {
    Settings {
        file: FileSettings {
            path: folder.join("alerts.json"),
            events: vec![EventType::Alert, EventType::Http],
            fsync: Fsync::Interval,
            rotate_bytes: u64::MAX,
            rotate_every: Duration::ZERO,
            keep: 1000,
            compress: false,
            retention: Duration::ZERO,
        },
        stdout: false,
        syslog: None,
        webhook: None,
        spool_bytes: 16 << 20,
    }
}

/// The sequence of a line; a line that is torn is no JSON and fails.
#[track_caller]
pub fn sequence_of(line: &str) -> u64 {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    value["apitap"]["sequence"].as_u64().unwrap_or_else(|| panic!("no sequence: {line}"))
}

/// Duplicates aside, all from 1 on are there, first copies in order.
#[track_caller]
pub fn assert_all_arrived(arrived: &[u64], last: u64) {
    let mut seen = BTreeSet::new();
    let first: Vec<u64> = arrived.iter().copied().filter(|sequence| seen.insert(*sequence)).collect();
    assert!(first.iter().copied().eq(1..=last), "of {last}: {first:?}");
}

/// Whether a program is there; says so if not.
pub fn has(program: &str, package: &str) -> bool {
    let found =
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
            || Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed (Debian: {package})");
    }
    found
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port()
}

#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that is killed with this value.
pub struct Server(pub Child);

impl Server {
    pub fn start(command: &mut Command) -> Server {
        Server(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the server starts"))
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("SIGKILL"); // `kill` of std is that
        self.0.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may be dead already
        let _ = self.0.wait();
    }
}

/// Certificates of a test: `ca.pem`, and `cert.pem` with `key.pem` for 127.0.0.1.
pub fn make_certificates(folder: &Path) -> PathBuf {
    let run = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    std::fs::write(folder.join("ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").expect("a file");
    run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    run(&format!("req {key} -keyout key.pem -out request.pem -subj /CN=server"));
    run("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem");
    folder.join("ca.pem")
}
