//! Disks that fill and empty again. As root only: it takes a small disk.

use crate::attacks;
use crate::cli::{command, frames_of, run, simulated};
use crate::daemon::{Daemon, Disk, Site};
use crate::state_of_copy;
use serde_json::Value;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// What an alert tells, without what differs between two states: the key, and with it ids.
fn told(alerts: &[Value]) -> Vec<String> {
    let tell = |alert: &Value| {
        let apitap = &alert["apitap"];
        let subject = &apitap["subject"];
        let subject = if subject["kind"] == "account" { &subject["kind"] } else { subject }; // its value is a hash
        format!("{} {} {subject} {}", apitap["detector"], apitap["state"], alert["timestamp"])
    };
    let mut told: Vec<String> =
        alerts.iter().filter(|alert| alert["apitap"]["subject"]["kind"] != "sensor").map(tell).collect();
    told.sort();
    told
}

/// What is told where nothing is in the way.
fn expected(captures: &[Vec<u8>]) -> Vec<String> {
    let site = Site::new();
    let mut daemon = site.start();
    for capture in captures {
        site.feed(capture);
    }
    read_all(&mut daemon, &site, captures);
    daemon.stop();
    told(&site.alerts())
}

/// Waits until every frame was read and as many attacks were told as captures were fed.
fn read_all(daemon: &mut Daemon, site: &Site, captures: &[Vec<u8>]) {
    let frames: usize = captures.iter().map(|capture| frames_of(capture).len()).sum();
    daemon.wait_until("all is read", |_| {
        let status = run(command().args(["status", "--json", "--socket", &site.folder.path("control.sock")]));
        serde_json::from_str::<Value>(&status.with_status(0).out).expect("JSON")["frames"] == frames
    });
    daemon.wait_until("all is told", |_| {
        let opened =
            |alert: &&Value| alert["apitap"]["detector"] == "brute_force" && alert["apitap"]["state"] == "opened";
        site.alerts().iter().filter(opened).count() >= captures.len()
    });
}

#[test]
fn alerts_that_find_no_room_wait_for_it() {
    let site = Site::new();
    let Some(disk) = Disk::mount(&site.folder.path("log"), 1024) else { return };
    let captures = [Duration::ZERO, 2 * HOUR].map(|later| simulated(&attacks(later)));
    let mut daemon = site.start();
    disk.fill();
    site.feed(&captures[0]);
    daemon.wait_for("the log cannot be written: No space left on device");
    site.feed(&captures[1]);
    std::thread::sleep(Duration::from_secs(2));
    let meanwhile = site.log();
    assert!(meanwhile.is_empty() || meanwhile.ends_with('\n'), "torn: {meanwhile}");
    disk.empty();
    daemon.wait_for("the log is written again, what waited is in it");
    read_all(&mut daemon, &site, &captures);
    let (said, _) = daemon.stop();
    assert!(!said.contains("dropped"), "{said}");
    assert_eq!(said.matches("the log cannot be written").count(), 1, "said once: {said}");
    assert_eq!(told(&site.alerts()), expected(&captures));
}

#[test]
fn alerts_that_found_no_room_are_written_after_a_kill() {
    let site = Site::new();
    let Some(disk) = Disk::mount(&site.folder.path("log"), 1024) else { return };
    let mut daemon = site.start();
    disk.fill();
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_for("the log cannot be written: No space left on device");
    std::thread::sleep(Duration::from_secs(2));
    daemon.kill();
    disk.empty();
    let mut daemon = site.start();
    daemon.wait_until("what waited is in the log", |_| {
        site.alerts().iter().any(|alert| alert["apitap"]["detector"] == "brute_force")
    });
    daemon.stop();
}

#[test]
fn a_state_that_finds_no_room_is_said_and_written_later() {
    let site = Site::new();
    let Some(disk) = Disk::mount(&site.state(), 6144) else { return };
    let mut daemon = site.start();
    disk.fill();
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_for("the state could not be written: ");
    daemon.wait_until("alerts are told all the same", |_| {
        site.alerts().iter().any(|alert| alert["apitap"]["detector"] == "brute_force")
    });
    let before = site.alerts().len();
    // Without room it ends, and starts again with what it has.
    let (said, took) = daemon.stop();
    assert!(said.contains("No space left on device") && took < Duration::from_secs(5), "{took:?} {said}");
    let mut daemon = site.start();
    site.feed(&simulated(&attacks(2 * HOUR)));
    daemon.wait_until("alerts are told all the same", |_| site.alerts().len() > before);
    disk.empty();
    std::thread::sleep(Duration::from_secs(4)); // three checkpoints
    daemon.kill();
    let recovered = state_of_copy(&site.state(), &site.folder.path("copy")).recover().unwrap();
    let newest = recovered.singles.newest.expect("a time");
    assert!(newest > attacks(2 * HOUR + HOUR / 5).start, "written once there was room: {newest:?}");
    site.start().stop();
}

#[test]
fn a_damaged_state_on_a_full_disk_is_begun_anew_when_there_is_room() {
    let site = Site::new();
    let Some(disk) = Disk::mount(&site.state(), 6144) else { return };
    site.start().stop();
    std::fs::remove_file(site.folder.path("state/key")).expect("a key");
    std::fs::remove_dir_all(site.folder.path("state/db")).expect("a database");
    for export in std::fs::read_dir(site.folder.path("state/export")).expect("exports") {
        std::fs::write(export.expect("an export").path(), "damaged").expect("a file of ours");
    }
    disk.fill();
    let mut daemon = site.start();
    daemon.wait_for("nothing is kept until there is room");
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_until("alerts are told all the same", |_| {
        site.alerts().iter().any(|alert| alert["apitap"]["detector"] == "brute_force")
    });
    disk.empty();
    std::thread::sleep(Duration::from_secs(4)); // three checkpoints
    daemon.kill();
    let recovered = state_of_copy(&site.state(), &site.folder.path("copy")).recover().unwrap();
    assert!(recovered.singles.newest.is_some() && !recovered.store.endpoints.is_empty(), "kept once there was room");
    site.start().stop();
}
