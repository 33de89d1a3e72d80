//! A real rsyslog, killed and restarted.

use super::log::frames_of;
use super::{Server, assert_all_arrived, free_port, has, make_certificates, record, settings, wait_until};
use apitap::alert::sink::Sinks;
use apitap::alert::sink::settings::{Settings, SyslogSettings};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

struct Rsyslog {
    folder: PathBuf,
    configuration: PathBuf,
    server: Server,
}

impl Rsyslog {
    /// `input` is what it listens on. It writes what it understood of each message.
    fn start(folder: &Path, input: &str) -> Rsyslog {
        let configuration = folder.join("rsyslog.conf");
        let text = format!(
            "global(workDirectory=\"{0}\" maxMessageSize=\"8k\")\nmain_queue(queue.type=\"Direct\")\n{input}\n\
             template(name=\"read\" type=\"string\" string=\"%syslogfacility-text%.%syslogseverity-text% %app-name% \
             %msgid% %msg%\\n\")\naction(type=\"omfile\" file=\"{0}/arrived\" template=\"read\")\n",
            folder.display()
        );
        fs::write(&configuration, text).expect("a configuration");
        let server = Rsyslog::run(folder, &configuration);
        Rsyslog { folder: folder.to_owned(), configuration, server }
    }

    fn run(folder: &Path, configuration: &Path) -> Server {
        let _ = fs::remove_file(folder.join("rsyslog.pid")); // there is none the first time
        Server::start(
            Command::new("rsyslogd").arg("-n").arg("-f").arg(configuration).arg("-i").arg(folder.join("rsyslog.pid")),
        )
    }

    fn restart(&mut self) {
        self.server.kill();
        self.server = Rsyslog::run(&self.folder, &self.configuration);
    }

    fn arrived(&self) -> Vec<(String, u64)> {
        let text = fs::read_to_string(self.folder.join("arrived")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                let (head, record) = line.split_once('{').unwrap_or_else(|| panic!("no record: {line}"));
                let record: Value =
                    serde_json::from_str(&format!("{{{record}")).unwrap_or_else(|e| panic!("{e}: {line}"));
                (head.trim().to_owned(), record["apitap"]["sequence"].as_u64().expect("a sequence"))
            })
            .collect()
    }

    fn sequences(&self) -> Vec<u64> {
        self.arrived().into_iter().map(|(_, sequence)| sequence).collect()
    }

    fn has(&self, sequence: u64) -> bool {
        self.sequences().contains(&sequence)
    }
}

fn with_syslog(folder: &Path, address: &str, ca_file: Option<PathBuf>) -> Settings {
    let mut settings = settings(folder);
    settings.syslog = Some(SyslogSettings {
        address: address.parse().expect("an address"),
        facility: "local3".parse().expect("a facility"),
        app_name: "sensor-7".to_owned(),
        ca_file,
    });
    settings
}

/// Alerts before, while and after the server is dead; a restart of our side while it is.
fn survives_a_kill(folder: &Path, settings: &Settings, mut rsyslog: Rsyslog) {
    let state = folder.join("state");
    let (sinks, notes) = Sinks::open(settings, &state).expect("the sinks open");
    assert!(notes.is_empty(), "{notes:?}");
    (1..=100).for_each(|sequence| sinks.alert(&record(sequence)));
    wait_until("the first alerts are there", || rsyslog.has(100));
    assert_eq!(rsyslog.arrived()[0].0, "local3.err sensor-7 scanner");
    wait_until("they count as sent", || sinks.statistics()["syslog"].sent == 100);

    sinks.tick(); // the server may have been slower to start than we were
    let failed = sinks.statistics()["syslog"].failed;

    rsyslog.server.kill();
    let before = Instant::now();
    (101..=300).for_each(|sequence| sinks.alert(&record(sequence)));
    assert!(before.elapsed() < Duration::from_secs(2), "a dead sink slows the caller: {:?}", before.elapsed());
    wait_until("the failure is noticed", || sinks.statistics()["syslog"].failed >= failed + 2);
    let notes: Vec<String> = sinks.tick();
    assert!(notes.len() == 1 && notes[0].contains("takes no alerts"), "said once: {notes:?}");
    let notes = sinks.finish(Duration::ZERO);
    assert!(notes.iter().any(|note| note.contains("200 alerts for syslog wait")), "{notes:?}");

    let (sinks, _) = Sinks::open(settings, &state).expect("the sinks open");
    (301..=310).for_each(|sequence| sinks.alert(&record(sequence)));
    rsyslog.restart();
    wait_until("all alerts are there", || rsyslog.has(310));
    wait_until("the queue is empty", || sinks.statistics()["syslog"].queued == 0);
    assert_all_arrived(&rsyslog.sequences(), 310);
    assert_eq!(sinks.statistics()["syslog"].dropped, 0);
    assert!(sinks.finish(Duration::from_secs(5)).iter().all(|note| !note.contains("for the next start")));
}

#[test]
fn udp_survives_a_kill() {
    if !has("rsyslogd", "rsyslog") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let input = format!("module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")");
    let settings = with_syslog(folder.path(), &format!("udp://127.0.0.1:{port}"), None);
    survives_a_kill(folder.path(), &settings, Rsyslog::start(folder.path(), &input));
}

#[test]
fn tcp_survives_a_kill() {
    if !has("rsyslogd", "rsyslog") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let input = format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")");
    let settings = with_syslog(folder.path(), &format!("tcp://127.0.0.1:{port}"), None);
    survives_a_kill(folder.path(), &settings, Rsyslog::start(folder.path(), &input));
}

#[test]
fn tcp_loses_nothing_to_kills_while_it_sends() {
    if !has("rsyslogd", "rsyslog") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let input = format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")");
    let settings = with_syslog(folder.path(), &format!("tcp://127.0.0.1:{port}"), None);
    let mut rsyslog = Rsyslog::start(folder.path(), &input);
    let (sinks, _) = Sinks::open(&settings, &folder.path().join("state")).expect("the sinks open");
    let mut sequence = 0;
    for _ in 0..4 {
        for _ in 0..100 {
            sequence += 1;
            sinks.alert(&record(sequence));
            std::thread::sleep(Duration::from_millis(3));
        }
        rsyslog.restart();
    }
    wait_until("all alerts are there", || rsyslog.has(sequence) && sinks.statistics()["syslog"].queued == 0);
    assert_all_arrived(&rsyslog.sequences(), sequence);
}

/// What a server does that is killed with messages in its receive buffer.
#[test]
fn messages_that_were_taken_and_not_read_are_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", listener.local_addr().expect("an address"));
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        let (unread, _) = listener.accept().expect("a connection");
        unread.peek(&mut [0]).expect("a message");
        drop(unread); // with bytes unread: that resets the connection
        let (stream, _) = listener.accept().expect("a connection");
        say.send(frames_of(stream))
    });
    let (sinks, _) =
        Sinks::open(&with_syslog(folder.path(), &address, None), &folder.path().join("state")).expect("opens");
    sinks.alert(&record(1));
    wait_until("it counts as sent", || sinks.statistics()["syslog"].sent == 1);
    sinks.finish(Duration::from_secs(5));
    assert_eq!(said.recv_timeout(Duration::from_secs(5)), Ok(vec![1]));
}

#[test]
fn tls_survives_a_kill_and_trusts_only_its_authority() {
    if !has("rsyslogd", "rsyslog") || !has("openssl", "openssl") {
        return;
    }
    let driver = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    if !driver.iter().any(|folder| Path::new(folder).join("rsyslog/lmnsd_gtls.so").exists()) {
        eprintln!("skipped: rsyslog cannot speak TLS (Debian: rsyslog-gnutls)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = make_certificates(folder.path());
    let port = free_port();
    let input = format!(
        "global(defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{0}/ca.pem\" \
         defaultNetstreamDriverCertFile=\"{0}/cert.pem\" defaultNetstreamDriverKeyFile=\"{0}/key.pem\")\n\
         module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")",
        folder.path().display()
    );
    let address = format!("tls://127.0.0.1:{port}");
    let rsyslog = Rsyslog::start(folder.path(), &input);

    let stranger = tempfile::tempdir().expect("a folder");
    let other = with_syslog(stranger.path(), &address, Some(make_certificates(stranger.path())));
    let (sinks, _) = Sinks::open(&other, &stranger.path().join("state")).expect("the sinks open");
    sinks.alert(&record(1));
    wait_until("the certificate is refused", || {
        sinks.statistics()["syslog"].last_error.as_ref().is_some_and(|error| error.contains("certificate"))
    });
    sinks.finish(Duration::ZERO);
    assert!(rsyslog.arrived().is_empty());

    survives_a_kill(folder.path(), &with_syslog(folder.path(), &address, Some(ca_file)), rsyslog);
}
