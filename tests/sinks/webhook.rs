//! A real HTTP server, killed and restarted; it verifies signatures with an implementation that is not ours.

use super::{Server, assert_all_arrived, free_port, has, make_certificates, record, settings, wait_until};
use apitap::alert::record::Severity;
use apitap::alert::sink::Sinks;
use apitap::alert::sink::settings::{Settings, Template, WebhookSettings};
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Writes each body that is signed well to `arrived` before it answers; answers what stands in `status`, if that is there.
const SERVER: &str = r#"
import hashlib, hmac, http.server, os, ssl, sys
folder, port, tls = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tls"
key = open(folder + "/key", "rb").read().strip()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        status = 401
        if hmac.compare_digest(wanted, self.headers.get("X-Apitap-Signature", "")):
            status = int(open(folder + "/status").read()) if os.path.exists(folder + "/status") else 200
            if status == 200:
                with open(folder + "/arrived", "ab") as out:
                    out.write(body + b"\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

struct Receiver {
    folder: PathBuf,
    port: u16,
    scheme: &'static str,
    server: Server,
}

impl Receiver {
    fn start(folder: &Path, is_tls: bool) -> Receiver {
        fs::write(folder.join("server.py"), SERVER).expect("a program");
        fs::write(folder.join("key"), "a key of the site\n").expect("a key");
        let (port, scheme) = (free_port(), if is_tls { "https" } else { "http" });
        Receiver { folder: folder.to_owned(), port, scheme, server: Receiver::run(folder, port, scheme) }
    }

    fn run(folder: &Path, port: u16, scheme: &str) -> Server {
        let tls = if scheme == "https" { "tls" } else { "plain" };
        let server = Server::start(
            Command::new("python3").arg(folder.join("server.py")).arg(folder).arg(port.to_string()).arg(tls),
        );
        wait_until("the server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    fn restart(&mut self) {
        self.server.kill();
        self.server = Receiver::run(&self.folder, self.port, self.scheme);
    }

    fn bodies(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("arrived")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    fn sequences(&self) -> Vec<u64> {
        let bodies = self.bodies();
        let alerts = bodies.iter().flat_map(|body| body["alerts"].as_array().expect("alerts"));
        alerts.map(|alert| alert["apitap"]["sequence"].as_u64().expect("a sequence")).collect()
    }

    fn settings(&self, change: impl FnOnce(&mut WebhookSettings)) -> Settings {
        let mut webhook = WebhookSettings {
            url: format!("{}://127.0.0.1:{}/hook", self.scheme, self.port).parse().expect("a URL"),
            secret_file: Some(self.folder.join("key")),
            batch: 10,
            template: Template::Json,
            min_severity: Severity::Low,
            timeout: Duration::from_secs(5),
            ca_file: None,
        };
        change(&mut webhook);
        let mut settings = settings(&self.folder);
        settings.webhook = Some(webhook);
        settings
    }
}

#[test]
fn a_webhook_survives_kills_of_its_server() {
    if !has("python3", "python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut receiver = Receiver::start(folder.path(), false);
    let settings = receiver.settings(|_| {});
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    for sequence in 1..=300 {
        sinks.alert(&record(sequence));
        if sequence % 100 == 50 {
            receiver.restart();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    wait_until("all alerts are there", || sinks.statistics()["webhook"].queued == 0);
    assert_all_arrived(&receiver.sequences(), 300);
    assert!(receiver.bodies().iter().all(|body| body["alerts"].as_array().is_some_and(|alerts| alerts.len() <= 10)));

    // Dead for long: what waits is sent by the next run.
    receiver.server.kill();
    (301..=320).for_each(|sequence| sinks.alert(&record(sequence)));
    sinks.finish(Duration::from_millis(200));
    receiver.restart();
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    wait_until("the rest is there", || sinks.statistics()["webhook"].queued == 0);
    assert_all_arrived(&receiver.sequences(), 320);
}

#[test]
fn a_wrong_key_waits_and_a_refused_alert_does_not_hold_up_the_others() {
    if !has("python3", "python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(folder.path(), false);
    fs::write(folder.path().join("other-key"), "wrong").expect("a key");
    let settings = receiver.settings(|webhook| webhook.secret_file = Some(folder.path().join("other-key")));
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    sinks.alert(&record(1));
    wait_until("it is refused", || {
        sinks.statistics()["webhook"].last_error.as_ref().is_some_and(|error| error.contains("401"))
    });
    assert_eq!(sinks.statistics()["webhook"].queued, 1);
    sinks.finish(Duration::ZERO);

    fs::write(folder.path().join("status"), "400").expect("a status");
    let (sinks, _) = Sinks::open(&receiver.settings(|_| {}), &folder.path().join("state")).expect("the sinks open");
    wait_until("it is given up", || sinks.statistics()["webhook"].dropped == 1);
    fs::remove_file(folder.path().join("status")).expect("the status");
    sinks.alert(&record(2));
    wait_until("the next one is there", || receiver.sequences() == [2]);
}

#[test]
fn https_is_trusted_by_its_authority_alone_and_people_read_text() {
    if !has("python3", "python3") || !has("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = make_certificates(folder.path());
    let receiver = Receiver::start(folder.path(), true);
    let stranger = tempfile::tempdir().expect("a folder");
    let other = make_certificates(stranger.path());
    let (sinks, _) =
        Sinks::open(&receiver.settings(|webhook| webhook.ca_file = Some(other)), &stranger.path().join("state"))
            .expect("the sinks open");
    sinks.alert(&record(1));
    wait_until("the certificate is refused", || {
        sinks.statistics()["webhook"]
            .last_error
            .as_ref()
            .is_some_and(|error| error.to_lowercase().contains("certificate"))
    });
    sinks.finish(Duration::ZERO);

    let settings = receiver.settings(|webhook| {
        webhook.ca_file = Some(ca_file);
        webhook.template = Template::Slack;
        webhook.min_severity = Severity::High;
    });
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    let mut minor = record(1);
    minor.apitap.severity = Severity::Medium;
    sinks.alert(&minor);
    sinks.alert(&record(2));
    wait_until("a message is there", || !receiver.bodies().is_empty());
    let notes = sinks.finish(Duration::from_secs(5));
    assert!(notes.is_empty(), "{notes:?}");
    let bodies = receiver.bodies();
    let text = bodies[0]["text"].as_str().expect("text");
    assert!(
        bodies.len() == 1 && text.contains("HIGH scanner") && text.contains("200 paths that do not exist"),
        "{text}"
    );
}

#[test]
fn certificates_and_keys_that_cannot_be_read_are_said_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |change: &dyn Fn(&mut WebhookSettings)| {
        let mut webhook = WebhookSettings {
            url: "https://127.0.0.1:9/".parse().expect("a URL"),
            secret_file: None,
            batch: 1,
            template: Template::Json,
            min_severity: Severity::Low,
            timeout: Duration::from_secs(1),
            ca_file: None,
        };
        change(&mut webhook);
        let mut settings = settings(folder.path());
        settings.webhook = Some(webhook);
        Sinks::open(&settings, &folder.path().join("state")).err().expect("an error").to_string()
    };
    let missing = folder.path().join("none");
    let error = with(&|webhook| webhook.ca_file = Some(missing.clone()));
    assert!(error.contains("none: the certificates cannot be read"), "{error}");
    let empty = folder.path().join("empty");
    fs::write(&empty, "").expect("a file");
    let error = with(&|webhook| webhook.ca_file = Some(empty.clone()));
    assert!(error.contains("holds no certificate"), "{error}");
    fs::copy("/etc/hosts", folder.path().join("ca.pem")).expect("a file that is no PEM");
    let error = with(&|webhook| webhook.ca_file = Some(folder.path().join("ca.pem")));
    assert!(error.contains("holds no certificate"), "{error}");
}
