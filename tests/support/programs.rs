//! Real programs, run for a test and captured on the loopback interface.
#![allow(dead_code)] // each test binary uses its part

use super::support::transactions_of;
use apitap::http::Transaction;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(15);
/// A frame is in tcpdump's hands after so long: it looks at what came each second.
const HELD_BACK: Duration = Duration::from_millis(1500);

pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}: {out}{error}", arguments.join(" "));
    out.into_owned()
}

/// What is missing for a test with these programs, if anything.
pub fn missing(tools: &[&str]) -> Option<String> {
    for tool in tools.iter().chain(&["tcpdump"]) {
        let found = command("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Some(format!("{tool} is not installed"));
        }
    }
    let probe = command("tcpdump").args(["-i", "lo", "-w", "/dev/null"]).stderr(Stdio::null()).spawn();
    let may = probe.is_ok_and(|mut probe| {
        std::thread::sleep(Duration::from_millis(300));
        let runs = probe.try_wait().is_ok_and(|ended| ended.is_none_or(|status| status.success()));
        let _ = probe.kill();
        let _ = probe.wait();
        runs
    });
    (!may).then(|| "capturing on the loopback interface is not allowed".to_owned())
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WITHIN, "not within {WITHIN:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program that ends with the test.
pub struct Service(Child);

impl Service {
    pub fn start(command: &mut Command, log: &Path) -> Service {
        let file = std::fs::File::create(log).unwrap();
        let other = file.try_clone().unwrap();
        Service(command.stdin(Stdio::null()).stdout(file).stderr(other).spawn().unwrap())
    }

    /// Starts it and waits until it takes connections.
    pub fn listening(command: &mut Command, log: &Path, port: u16) -> Service {
        let service = Service::start(command, log);
        wait_until(&format!("{command:?} listens"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
        service
    }

    pub fn interrupt(&mut self) {
        let pid = self.0.id().to_string();
        run("kill", &["-INT", &pid]);
        self.0.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the loopback interface that nobody uses.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What goes to and comes from some ports, while it lives.
pub struct Capture {
    tcpdump: Service,
    file: PathBuf,
    log: PathBuf,
}

impl Capture {
    pub fn start(folder: &Path, ports: &[u16]) -> Capture {
        let (file, log) = (folder.join("capture.pcap"), folder.join("tcpdump.log"));
        let filter = ports.iter().map(|port| format!("tcp port {port}")).collect::<Vec<_>>().join(" or ");
        let mut tcpdump = command("tcpdump");
        // Not in immediate mode: there each frame takes as much of the buffer as the longest may.
        tcpdump.args(["-i", "lo", "-U", "-B", "65536", "-s", "0", "-Z", "root", "-w"]).arg(&file);
        let tcpdump = Service::start(tcpdump.arg(filter), &log);
        wait_until("tcpdump listens", || std::fs::read_to_string(&log).unwrap().contains("listening on"));
        Capture { tcpdump, file, log }
    }

    pub fn transactions(mut self) -> Vec<Transaction<u64>> {
        std::thread::sleep(HELD_BACK);
        self.tcpdump.interrupt();
        let said = std::fs::read_to_string(&self.log).unwrap();
        assert!(said.contains("\n0 packets dropped by kernel"), "the capture is not whole: {said}");
        transactions_of(&self.file)
    }
}
