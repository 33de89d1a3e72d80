//! The daemon on a mirror of a real wire: nginx with a small API, curl as clients, attacks among them.

mod site;

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
        let config = format!(
            "learning.duration = \"{learning}\"\nmetrics.listen = \"127.0.0.1:9464\"\n[service]\nsocket = \"{0}/control\"\n\
             user = \"\"\n[alert]\nfile = \"{0}/alerts.json\"\n[state]\nfolder = \"{0}/state\"\n",
            folder.display()
        );
        std::fs::write(folder.join("apitap.toml"), config).unwrap();
        let log = std::fs::File::create(folder.join("run.log")).unwrap();
        let child = site
            .beside_server(APITAP)
            .args(["run", "-i", MIRROR, "--config"])
            .arg(folder.join("apitap.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Daemon { child, folder: folder.to_path_buf(), site };
        daemon.wait("it says what it captures on", Duration::from_secs(20), || daemon.log().contains("capturing on"));
        daemon
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("run.log")).unwrap()
    }

    fn alerts(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("alerts.json")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines of JSON")).collect()
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

/// Incidents by what they say, without what depends on the key.
fn incidents(alerts: &[Value]) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let opened = alerts.iter().filter(|alert| alert["apitap"]["state"] == "opened");
    opened
        .map(|alert| {
            let apitap = &alert["apitap"];
            format!(
                "{} {} {} {} {}",
                text(&alert["timestamp"]),
                text(&apitap["detector"]),
                text(&apitap["endpoint"]),
                text(&apitap["client"]),
                text(&apitap["observed"])
            )
        })
        .collect()
}

fn url(path: &str) -> String {
    format!("url = \"http://{SERVER}:{PORT}{path}\"")
}

/// What everybody does all day: products, and orders of their own.
fn ordinary(site: &Site, folder: &Path) {
    for host in 10..22u8 {
        let token = format!("header = \"Authorization: Bearer token-of-{host}\"");
        let products = (0..12).map(|_| url("/v1/products"));
        let orders = (0..3).map(|n| format!("{}\n{token}", url(&format!("/v1/orders/{}", u32::from(host) * 1000 + n))));
        let login = [format!(
            "{}\nheader = \"Content-Type: application/json\"\ndata = \"{{\\\"username\\\":\\\"u{host}\\\",\\\"password\\\":\\\"right\\\"}}\"",
            url("/v1/login")
        )];
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

    let login = |n: u32| {
        format!(
            "{}\nheader = \"Content-Type: application/json\"\ndata = \"{{\\\"username\\\":\\\"victim{n}\\\",\\\"password\\\":\\\"pass{n}\\\"}}\"",
            url("/v1/login")
        )
    };
    site.requests(folder.path(), 30, (0..80).map(login));
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
    let login = |n: u32| format!("{}\ndata = \"username=victim{n}&password=pass{n}\"", url("/v1/login"));
    site.requests(folder.path(), 30, (0..80).map(login));
    daemon.wait_for_alert("credential_stuffing", WITHIN);
    daemon.end();
}
