//! Graphite's plaintext protocol, at a listener that takes nothing that carbon would not.

use super::sensor::{Sensor, Source, free_port, wait_for};
use super::traffic;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `path value seconds\n`, nothing else: names of letters, digits, `_` and `-` between single dots, a finite value, a
/// time of now.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "a torn line: {:?}", text.lines().last());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let mut figures = BTreeMap::new();
    for line in text.split_terminator('\n') {
        let fields: Vec<&str> = line.split(' ').collect();
        let [path, value, seconds] = fields[..] else { panic!("not three fields: {line:?}") };
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        assert!(path.split('.').all(is_name), "{line:?}");
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(value.is_finite(), "{line:?}");
        let seconds: u64 = seconds.parse().unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(now.abs_diff(seconds) < 60, "{line:?} at {now}");
        assert_eq!(figures.insert(path.to_owned(), value), None, "twice in one push: {line:?}");
    }
    figures
}

/// One push: all that comes over a connection.
fn push(listener: &TcpListener) -> BTreeMap<String, f64> {
    let accepted = wait_for("a push", || listener.accept().ok());
    let mut stream: TcpStream = accepted.0;
    stream.set_nonblocking(false).expect("a blocking stream");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text until its end");
    parsed(&text)
}

fn listen(port: u16) -> TcpListener {
    let listener = wait_for("the port is free again", || TcpListener::bind(("127.0.0.1", port)).ok());
    listener.set_nonblocking(true).expect("a listener that does not wait");
    listener
}

#[test]
fn graphite_gets_lines_again_after_it_was_away() {
    let port = free_port();
    let listener = listen(port);
    let settings =
        format!("graphite = \"127.0.0.1:{port}\"\ngraphite_prefix = \"site-1.apitap\"\ngraphite_interval = \"1s\"");
    let sensor = Sensor::start(Source::Pipe, &settings);
    let before = push(&listener);
    assert_eq!(before["site-1.apitap.transactions_total"], 0.0);
    assert!(before.keys().all(|path| path.starts_with("site-1.apitap.")), "{before:?}");

    let mut feeder = sensor.pipe();
    feeder.write(&traffic());
    let transactions = wait_for("all was read", || {
        let (seen, newest) = (sensor.figure("apitap_transactions_total")?, sensor.figure("apitap_frames_total")?);
        std::thread::sleep(Duration::from_millis(500));
        let is_still =
            sensor.figure("apitap_transactions_total")? == seen && sensor.figure("apitap_frames_total")? == newest;
        (seen > 1000.0 && is_still).then_some(seen)
    });
    let filled = wait_for("a push of all", || {
        let figures = push(&listener);
        (figures["site-1.apitap.transactions_total"] == transactions).then_some(figures)
    });
    let logins: f64 = filled.iter().filter(|(path, _)| path.contains(".failed_logins_total.")).map(|(_, v)| v).sum();
    assert!(logins > 50.0, "{filled:?}");
    assert!(filled.keys().any(|path| path.contains(".http_request_duration_seconds_count.")), "{filled:?}");
    assert!(!filled.keys().any(|path| path.contains("_bucket")), "{filled:?}");

    drop(listener);
    wait_for("it is said that nobody listens", || sensor.log().contains("cannot be reached").then_some(()));
    let again = push(&listen(port));
    assert_eq!(again["site-1.apitap.transactions_total"], transactions);
    wait_for("it is said that somebody listens again", || sensor.log().contains("takes figures again").then_some(()));
    assert_eq!(sensor.log().matches("cannot be reached").count(), 1, "{}", sensor.log());
}
