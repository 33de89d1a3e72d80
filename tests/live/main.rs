//! The daemon on a mirror of a real wire: nginx with a small API, curl as clients, attacks among them.

#[path = "../support/cli.rs"]
mod cli;
mod site;
mod tools;

use serde_json::Value;
use site::{MIRROR, PORT, SERVER, Site};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const APITAP: &str = env!("CARGO_BIN_EXE_apitap");
/// Two windows of ten seconds, and what the watermark trails behind.
const WITHIN: Duration = Duration::from_secs(22);

/// A daemon on the mirror of a site.
struct Daemon<'s> {
    child: Child,
    folder: PathBuf,
    site: &'s Site,
}

impl<'s> Daemon<'s> {
    fn start(site: &'s Site, folder: &Path, learning: &str) -> Daemon<'s> {
        Daemon::start_on(&[MIRROR], site, folder, learning, "")
    }

    /// On these interfaces, with more lines of configuration.
    fn start_on(interfaces: &[&str], site: &'s Site, folder: &Path, learning: &str, more: &str) -> Daemon<'s> {
        let config = format!(
            "learning.duration = \"{learning}\"\nmetrics.listen = \"127.0.0.1:9464\"\n[service]\nsocket = \"{0}/control\"\n\
             user = \"\"\n[alert]\nfile = \"{0}/alerts.json\"\n[state]\nfolder = \"{0}/state\"\n{more}",
            folder.display()
        );
        std::fs::write(folder.join("apitap.toml"), config).unwrap();
        let log = std::fs::File::create(folder.join("run.log")).unwrap();
        let child = site
            .beside_server(APITAP)
            .arg("run")
            .args(interfaces.iter().flat_map(|interface| ["-i", *interface]))
            .arg("--config")
            .arg(folder.join("apitap.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Daemon { child, folder: folder.to_path_buf(), site };
        daemon.wait("it says what it captures on", Duration::from_secs(20), || daemon.log().contains("capturing on"));
        daemon
    }

    fn status(&self) -> Value {
        let asked =
            Command::new(APITAP).args(["status", "--json", "--socket"]).arg(self.folder.join("control")).output();
        serde_json::from_slice(&asked.unwrap().stdout).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("run.log")).unwrap()
    }

    fn alerts(&self) -> Vec<Value> {
        cli::records_so_far(&std::fs::read_to_string(self.folder.join("alerts.json")).unwrap_or_default())
    }

    fn wait(&self, what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < within, "not within {within:?}: {what}\n{}\n{:?}", self.log(), self.alerts());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn wait_for_alert(&self, detector: &str, within: Duration) {
        let has = |alert: &Value| alert["apitap"]["detector"] == detector;
        self.wait(detector, within, || self.alerts().iter().any(has));
    }

    /// Ends it as systemd would; it must be through within five seconds, in good order.
    fn end(mut self) -> Vec<Value> {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success() && started.elapsed() < Duration::from_secs(5), "{status}\n{}", self.log());
        self.alerts()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.site; // outlives the daemon
    }
}

/// Incidents by what they say, without what depends on the key: ids, and estimates of how many are distinct.
fn incidents(alerts: &[Value]) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let opened = alerts.iter().filter(|alert| alert["apitap"]["state"] == "opened");
    opened
        .map(|alert| {
            let apitap = &alert["apitap"];
            format!(
                "{} {} {} {}",
                text(&alert["timestamp"]),
                text(&apitap["detector"]),
                text(&apitap["endpoint"]),
                text(&apitap["client"])
            )
        })
        .collect()
}

fn url(path: &str) -> String {
    format!("url = \"http://{SERVER}:{PORT}{path}\"")
}

fn login(user: &str, password: &str) -> String {
    let document = format!("{{\\\"username\\\":\\\"{user}\\\",\\\"password\\\":\\\"{password}\\\"}}");
    format!("{}\nheader = \"Content-Type: application/json\"\ndata = \"{document}\"", url("/v1/login"))
}

/// Whose address [`stuff`] uses.
const ATTACKER: &str = "10.213.0.30";

/// 80 accounts, 80 passwords, one client.
fn stuff(site: &Site, folder: &Path) {
    site.requests(folder, 30, (0..80).map(|n| login(&format!("victim{n}"), &format!("pass{n}"))));
}

/// What everybody does all day: products, and orders of their own.
fn ordinary(site: &Site, folder: &Path) {
    for host in 10..22u8 {
        let token = format!("header = \"Authorization: Bearer token-of-{host}\"");
        let products = (0..12).map(|_| url("/v1/products"));
        let orders = (0..3).map(|n| format!("{}\n{token}", url(&format!("/v1/orders/{}", u32::from(host) * 1000 + n))));
        let login = [login(&format!("u{host}"), "right")];
        site.requests(folder, host, login.into_iter().chain(products).chain(orders));
    }
}

#[test]
fn attacks_on_a_mirrored_wire_are_told_in_time_and_as_a_replay_tells_them() {
    if let Some(missing) = site::missing() {
        return eprintln!("skipped: {missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new("at", folder.path());
    let capture = folder.path().join("mirror.pcap");
    let mut tcpdump = site
        .beside_server("tcpdump")
        .args(["-i", MIRROR, "-U", "-s", "0", "-B", "65536", "-w"])
        .arg(&capture)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1)); // until it listens
    let daemon = Daemon::start(&site, folder.path(), "20s");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(21) {
        ordinary(&site, folder.path());
    }
    assert!(daemon.alerts().is_empty(), "{:?}", daemon.alerts());

    stuff(&site, folder.path());
    site.requests(folder.path(), 31, (0..150).map(|n| url(&format!("/admin/secret-{n}.php"))));
    site.requests(folder.path(), 32, (0..5).map(|_| url("/internal/customers")));
    let attacked = Instant::now();
    ordinary(&site, folder.path());
    for detector in ["credential_stuffing", "scanner", "unauthenticated_data_exposure"] {
        daemon.wait_for_alert(detector, WITHIN.saturating_sub(attacked.elapsed()));
    }
    // What the mirror still holds back belongs to both.
    std::thread::sleep(Duration::from_secs(2));
    let live = incidents(&daemon.end());
    let _ = Command::new("kill").args(["-INT", &tcpdump.id().to_string()]).status();
    tcpdump.wait().unwrap();

    let replayed = folder.path().join("replayed.json");
    let output = Command::new(APITAP)
        .args(["replay", "--learn", "20s", "--no-progress", "--eve"])
        .arg(&replayed)
        .arg(&capture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(replayed).unwrap();
    let replayed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(live, incidents(&replayed));
}

#[test]
fn an_interface_that_goes_away_is_told_and_waited_for() {
    if let Some(missing) = site::missing() {
        return eprintln!("skipped: {missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new("aw", folder.path());
    let daemon = Daemon::start(&site, folder.path(), "0s");
    site.curl(10, &[&format!("http://{SERVER}:{PORT}/v1/products")]);
    site.set_mirror(false);
    daemon.wait("the loss is logged", Duration::from_secs(10), || daemon.log().contains("interface mirror is gone"));
    daemon.wait_for_alert("sensor_interface", Duration::from_secs(25));
    site.set_mirror(true);
    let back = || daemon.log().lines().filter(|line| line.contains("capturing on mirror")).count() == 2;
    daemon.wait("it is captured from again", Duration::from_secs(10), back);
    stuff(&site, folder.path());
    daemon.wait_for_alert("credential_stuffing", WITHIN);
    daemon.end();
}

/// What goes to the server comes in on one card, what it answers on another; the kernel leaves out what is not asked for.
#[test]
fn two_directions_on_two_cards_are_one_conversation() {
    if let Some(missing) = site::missing() {
        return eprintln!("skipped: {missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new("tw", folder.path());
    site.mirror_answers_to_another("mirror2");
    let filter = format!("[capture]\nfilter = \"tcp port {PORT}\"\n");
    let daemon = Daemon::start_on(&[MIRROR, "mirror2"], &site, folder.path(), "0s", &filter);
    (0..20).for_each(|_| drop(site.curl(10, &[&format!("http://{SERVER}:1/")])));
    ordinary(&site, folder.path());
    stuff(&site, folder.path());
    daemon.wait_for_alert("credential_stuffing", WITHIN);
    let received = |at: usize| daemon.status()["interfaces"][at]["received"].as_u64().unwrap();
    assert!(received(0) > 100 && received(1) > 100, "{}", daemon.status());
    let is_all = || daemon.status()["frames"].as_u64() == Some(received(0) + received(1));
    daemon.wait("no frame is left out behind the ring", Duration::from_secs(10), is_all);
    let status = daemon.status();
    assert_eq!(status["blindness"], Value::Null, "{status}");
    daemon.end();
}

#[test]
fn too_much_is_shed_in_the_open_and_taken_up_again() {
    if let Some(missing) = site::missing() {
        return eprintln!("skipped: {missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new("ov", folder.path());
    // Held down to a tenth of a processor: two of them must make the traffic, too.
    let daemon = Daemon::start(&site, folder.path(), "0s");
    let quota = Quota::new(daemon.child.id(), 10);
    std::thread::scope(|scope| {
        scope.spawn(|| site.flood(20, 12));
        std::thread::sleep(Duration::from_secs(6));
        stuff(&site, folder.path());
    });
    daemon.wait("what is left out is logged", Duration::from_secs(5), || daemon.log().contains("too much comes"));
    daemon.wait_for_alert("sensor_overload", Duration::from_secs(30));
    drop(quota);
    let is_back = || daemon.log().contains("back to normal");
    daemon.wait("everything is looked at again", Duration::from_secs(30), is_back);
    // What was told in that time is of the sensor, or of the attack: right or absent, never wrong.
    let in_flood = daemon.alerts();
    for alert in &in_flood {
        let detector = alert["apitap"]["detector"].as_str().unwrap();
        let is_right = alert["src_ip"] == ATTACKER && ["credential_stuffing", "client_error_spike"].contains(&detector);
        assert!(detector.starts_with("sensor_") || is_right, "{alert}");
    }
    println!("in the flood: {:?}", incidents(&in_flood));
    stuff(&site, folder.path());
    daemon.wait_for_alert("credential_stuffing", WITHIN);
    daemon.end();
}

/// Holds a process down to so many percent of the time, by stopping it for the rest.
struct Quota {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Quota {
    fn new(pid: u32, percent: u64) -> Quota {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let signal = move |name: &str| {
            let _ = Command::new("kill").args([name, &pid.to_string()]).status();
        };
        let thread = std::thread::spawn(move || {
            let slice = Duration::from_millis(percent);
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                signal("-CONT");
                std::thread::sleep(slice);
                signal("-STOP");
                std::thread::sleep(Duration::from_millis(100) - slice);
            }
            signal("-CONT");
        });
        Quota { stop, thread: Some(thread) }
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.stop = std::sync::mpsc::channel().0;
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}
