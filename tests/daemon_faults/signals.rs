//! Signals, rules that are broken, a log that is moved, a clock that is set back.

use crate::cli::simulated;
use crate::daemon::{PATIENCE, Site};
use crate::{attacks, has_alert_of, state_of_copy};
use apitap::simulate::Options;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn sigterm_in_a_flood_ends_within_five_seconds_with_the_state_written() {
    // A minute between checkpoints: what is in the state was written at the end.
    let site = Arc::new(Site::new().set("STATE__CHECKPOINT", "1m"));
    let mut daemon = site.start();
    let options = Options { rate: 400.0, clients: 500, duration: Duration::from_secs(240), ..attacks(Duration::ZERO) };
    let options = Options { scenarios: Vec::new(), ..options };
    let capture = simulated(&options);
    let is_flooding = Arc::new(AtomicBool::new(false));
    let feeder = {
        let (site, is_flooding) = (Arc::clone(&site), Arc::clone(&is_flooding));
        std::thread::spawn(move || {
            let mut pipe = site.pipe();
            // Ends when the daemon has.
            for (number, block) in capture.chunks(1 << 16).enumerate() {
                if pipe.write_all(block).is_err() {
                    return true;
                }
                is_flooding.store(number > 256, Ordering::Relaxed); // 16 MiB of some 200 are through
            }
            false
        })
    };
    daemon.wait_until("it reads", |_| is_flooding.load(Ordering::Relaxed));
    let (said, took) = daemon.stop();
    assert!(feeder.join().unwrap(), "the flood went on until the end");
    println!("ended after {took:?}");
    assert!(took < Duration::from_secs(5), "it took {took:?}\n{said}");
    assert!(!said.contains("could not be written"), "{said}");
    let recovered = state_of_copy(&site.state(), &site.folder.path("copy")).recover().unwrap();
    let newest = recovered.singles.newest.expect("something was learned");
    assert!(newest > options.start, "{newest:?}");
    assert!(recovered.store.endpoints.len() > 20, "{} endpoints", recovered.store.endpoints.len());
}

#[test]
fn a_clock_that_is_set_back_an_hour_is_told_and_windows_go_on() {
    let site = Site::new();
    let mut daemon = site.start();
    let quiet = Options { scenarios: Vec::new(), ..attacks(HOUR) };
    site.feed(&simulated(&quiet));
    // A quarter of an hour that begins an hour before the other began; with attacks.
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_for("the frames' time went back by ");
    daemon.wait_until("sensor_clock is told", |_| has_alert_of(&site, "sensor_clock"));
    daemon.wait_until("windows after the jump are judged", |_| {
        has_alert_of(&site, "scanner") && has_alert_of(&site, "brute_force")
    });
    // And forward again, which through a pipe is no jump.
    site.feed(&simulated(&attacks(2 * HOUR)));
    daemon.wait_until("windows after that are judged", |_| {
        let opened = |alert: &&serde_json::Value| {
            alert["apitap"]["detector"] == "scanner" && alert["apitap"]["state"] == "opened"
        };
        site.alerts().iter().filter(opened).count() > 1
    });
    let (said, _) = daemon.stop();
    assert_eq!(said.matches("the frames' time went").count(), 1, "{said}");
}

/// The capture with the time of the frame that comes after so many put ten years ahead.
fn with_a_stray(mut capture: Vec<u8>, frames: usize) -> Vec<u8> {
    let word = |capture: &[u8], at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().expect("four bytes"));
    let mut at = 24; // behind the file's header
    for _ in 0..frames {
        at += 16 + word(&capture, at + 8) as usize;
    }
    let ahead = word(&capture, at) + 10 * 365 * 86_400;
    capture[at..at + 4].copy_from_slice(&ahead.to_le_bytes());
    capture
}

#[test]
fn a_frame_of_another_decade_is_put_up_with() {
    let site = Site::new();
    let mut daemon = site.start();
    site.feed(&with_a_stray(simulated(&attacks(Duration::ZERO)), 2000));
    daemon.wait_until("windows after it are judged", |_| {
        has_alert_of(&site, "scanner") && has_alert_of(&site, "brute_force")
    });
    let (said, _) = daemon.stop();
    assert!(!said.contains("the frames' time went"), "{said}");
    let recovered = state_of_copy(&site.state(), &site.folder.path("copy")).recover().unwrap();
    let newest = recovered.singles.newest.expect("something was learned");
    assert!(newest < attacks(HOUR).start, "{newest:?}");
}

#[test]
fn broken_rules_are_refused_whole_and_the_old_ones_stay_in_force() {
    let site = Site::new();
    let rules = site.folder.path("rules");
    std::fs::create_dir(&rules).unwrap();
    let site = site.set("RULES__FOLDER", &rules);
    let off = "[scanner]\nenabled = false\n";
    site.folder.write("rules/client_error_spike.toml", off);
    let mut daemon = site.start();
    // It would switch the scanner on again, and is wrong further down.
    site.folder.write("rules/client_error_spike.toml", "[scanner]\nenabled = true\nmin_pahts = 3\n");
    daemon.signal(libc::SIGHUP);
    daemon.wait_for("nothing was reloaded, what was in force stays so: ");
    let said = daemon.said();
    assert!(said.contains("min_pahts") && said.contains("client_error_spike.toml:3: "), "{said}");
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_until("the other attack is told", |_| has_alert_of(&site, "brute_force"));
    assert!(!has_alert_of(&site, "scanner"), "{}", site.log());
    site.folder.write("rules/client_error_spike.toml", "[scanner]\nenabled = true\n");
    daemon.signal(libc::SIGHUP);
    daemon.wait_for("reloaded: ");
    site.feed(&simulated(&attacks(HOUR)));
    daemon.wait_until("the mended rules are in force", |_| has_alert_of(&site, "scanner"));
    daemon.stop();
}

#[test]
fn a_log_that_logrotate_moves_is_opened_anew() {
    let site = Site::new();
    let mut daemon = site.start();
    let (log, moved) = (site.folder.path("log/alerts.json"), site.folder.path("log/alerts.json.1"));
    let count = || site.alerts().len();
    site.feed(&simulated(&attacks(Duration::ZERO)));
    daemon.wait_until("the attack is told", |_| has_alert_of(&site, "brute_force"));
    // While it is silent nothing is written: the halves can be told apart.
    let mut before = (0, Instant::now());
    daemon.wait_until("it is silent", |_| {
        if before.0 != count() {
            before = (count(), Instant::now());
        }
        before.1.elapsed() > Duration::from_secs(1)
    });
    let first = site.log();
    std::fs::rename(&log, &moved).unwrap();
    daemon.signal(libc::SIGUSR1);
    daemon.wait_until("the log is there again", |_| std::path::Path::new(&log).exists());
    site.feed(&simulated(&attacks(HOUR)));
    daemon.wait_until("the next attack is told", |_| has_alert_of(&site, "scanner"));
    let (_, took) = daemon.stop();
    assert!(took < PATIENCE);
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), first, "what was moved is left alone");
    let sequences: Vec<_> = site.alerts().iter().map(|alert| alert["apitap"]["incident"].clone()).collect();
    assert!(!sequences.is_empty());
}
