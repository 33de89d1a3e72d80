//! `kill -9` at random moments under load: nothing that was told is lost, what was learned is behind by no more than the
//! checkpoints say, incidents go on. `make kill-test` does it 200 times.

use crate::cli::command;
use crate::daemon::{Daemon, Site};
use crate::{Chance, number_of, state_of_copy};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const DEFAULT_KILLS: u64 = 20;
const SEED: u64 = 2026;
/// Event time runs so much faster than the wall's: 1,200 transactions/s.
const SPEED: f64 = 150.0;
const RATE: &str = "8";
/// Of traffic, for each kill: more than a life takes.
const TRAFFIC: Duration = Duration::from_secs(20 * SPEED as u64);
/// A state is written each second. Twice that may be lost: the checkpoint that was being written, and what came since;
/// and the housekeeper wakes each second. Three more for a machine that is busy.
const BEHIND: Duration = Duration::from_secs(6);

/// Traffic without end, through the pipe, at a steady pace; who reads it may come and go.
struct Traffic {
    simulate: Child,
    is_over: Arc<AtomicBool>,
    /// Seconds of event time, and when they were written.
    fed: Arc<Mutex<Vec<(Instant, i64)>>>,
    thread: Option<JoinHandle<()>>,
    pipe: PathBuf,
}

impl Traffic {
    fn start(pipe: PathBuf, seed: u64, kills: u64) -> Traffic {
        let length = TRAFFIC * u32::try_from(kills).expect("a number of kills");
        let mut simulate = command();
        simulate.args(["simulate", "-o", "-", "--rate", RATE, "--clients", "200", "--quiet-first", "150s"]);
        simulate.args(["--seed", &seed.to_string(), "--duration", &format!("{}s", length.as_secs())]);
        // An attack begins every five minutes or so: two seconds.
        for _ in 0..length.as_secs() / 1500 + 1 {
            for name in ["scanner", "brute_force", "credential_stuffing", "object_enumeration", "client_error_spike"] {
                simulate.args(["--scenario", &format!("{name}:easy")]);
            }
        }
        let mut simulate = simulate.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let frames = BufReader::with_capacity(1 << 20, simulate.stdout.take().expect("a pipe"));
        let (is_over, fed) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<(Instant, i64)>>>::default());
        let thread = {
            let (pipe, is_over, fed) = (pipe.clone(), Arc::clone(&is_over), Arc::clone(&fed));
            std::thread::spawn(move || feed(&pipe, frames, &is_over, &fed))
        };
        Traffic { simulate, is_over, fed, thread: Some(thread), pipe }
    }

    /// Seconds of event time that had been written by then.
    fn fed_by(&self, moment: Instant) -> Option<i64> {
        let fed = self.fed.lock().expect("no thread panicked");
        fed.iter().rev().find(|(at, _)| *at <= moment).map(|(_, seconds)| *seconds)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.simulate.kill();
        let _ = self.simulate.wait();
        // Who waits for a reader of the pipe, or for room in it, is let go.
        let reader = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&self.pipe);
        let (Ok(mut reader), Some(thread)) = (reader, self.thread.take()) else { return };
        let mut rest = vec![0; 1 << 16];
        while !thread.is_finished() {
            if reader.read(&mut rest).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn feed(pipe: &std::path::Path, mut frames: impl Read, is_over: &AtomicBool, fed: &Mutex<Vec<(Instant, i64)>>) {
    let mut header = [0; 24];
    frames.read_exact(&mut header).expect("a capture");
    let (mut begun, mut frame) = (None, Vec::new());
    let mut next = move || -> Option<(i64, Vec<u8>)> {
        frame.resize(16, 0);
        frames.read_exact(&mut frame).ok()?;
        let field = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().expect("four bytes"));
        let (seconds, length) = (i64::from(field(0)), field(8) as usize);
        frame.resize(16 + length, 0);
        frames.read_exact(&mut frame[16..]).ok()?;
        Some((seconds, frame.clone()))
    };
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut writer) = OpenOptions::new().write(true).open(pipe) else { return };
        let mut block = header.to_vec();
        loop {
            let Some((seconds, frame)) = next() else { return };
            let (first, started) = *begun.get_or_insert((seconds, Instant::now()));
            block.extend_from_slice(&frame);
            let due = started + Duration::from_secs_f64((seconds - first) as f64 / SPEED);
            let now = Instant::now();
            if due <= now && block.len() < 1 << 16 {
                continue;
            }
            std::thread::sleep(due.saturating_duration_since(now));
            match writer.write_all(&block) {
                Ok(()) => fed.lock().expect("no thread panicked").push((Instant::now(), seconds)),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => panic!("{error}"),
            }
            block.clear();
            if is_over.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// What an alert is about: an incident that is open is the only one of its kind.
fn about(alert: &Value) -> String {
    let apitap = &alert["apitap"];
    format!("{} {} {}", apitap["detector"], apitap["subject"], apitap["endpoint"])
}

fn id_of(alert: &Value) -> String {
    alert["apitap"]["incident"].as_str().expect("an id").to_owned()
}

/// A log tells each incident as one story, whoever was killed in between: opened once, nothing told twice, and of what is
/// open nothing else is opened.
fn check_story(alerts: &[Value]) -> Result<(), String> {
    let (mut open, mut told) = (BTreeMap::<String, String>::new(), BTreeMap::<String, u64>::new());
    for alert in alerts {
        let (id, about) = (id_of(alert), about(alert));
        let sequence = alert["apitap"]["sequence"].as_u64().expect("a number");
        let last = told.insert(id.clone(), sequence).unwrap_or(0);
        if sequence != last + 1 {
            return Err(format!("sequence {last} is followed by {sequence}: {alert}"));
        }
        if let Some(other) = open.get(&about).filter(|other| **other != id) {
            return Err(format!("{other} is open, and {id} is opened of the same: {about}"));
        }
        match alert["apitap"]["state"].as_str() {
            Some("closed") => open.retain(|_, known| *known != id),
            Some(state) if (state == "opened") == (sequence == 1) => drop(open.insert(about, id)),
            _ => return Err(format!("not the state of this sequence: {alert}")),
        }
    }
    Ok(())
}

/// What is known from one life to the next.
#[derive(Default)]
struct Lives {
    /// The log as the last kill left it.
    log: String,
    newest: i64,
    /// Incidents that were told of in more than one life, and how often the lag was looked at.
    went_on: BTreeSet<String>,
    lags: Vec<i64>,
}

impl Lives {
    /// Looks at what a life left that was just ended by a kill.
    fn look(
        &mut self,
        round: u64,
        site: &Site,
        traffic: &Traffic,
        ready: Option<Instant>,
        killed: Instant,
        seen: &str,
    ) {
        let log = site.log();
        assert!(log.starts_with(seen), "round {round}: what was in the log before the kill is there no more");
        assert!(log.starts_with(&self.log), "round {round}: what was there before the start is there no more");
        assert!(log.is_empty() || log.ends_with('\n'), "round {round}: torn: {:?}", log.lines().last());
        let all = crate::cli::records(&log);
        let of_this_life = crate::cli::records(&log[self.log.len()..]);

        check_story(&all).unwrap_or_else(|why| panic!("round {round}: {why}"));
        let before: BTreeSet<String> = crate::cli::records(&self.log).iter().map(id_of).collect();
        self.went_on.extend(of_this_life.iter().map(id_of).filter(|id| before.contains(id)));

        let recovered = state_of_copy(&site.state(), &site.folder.path("copy")).recover().expect("it opens");
        assert_eq!(recovered.left_out, 0);
        let newest = recovered.singles.newest.map_or(0, |time| time.seconds());
        assert!(newest >= self.newest, "round {round}: {newest}, and it was {} before", self.newest);
        if let Some(moment) = killed.checked_sub(BEHIND).filter(|moment| ready.is_some_and(|ready| ready < *moment))
            && let Some(fed) = traffic.fed_by(moment)
        {
            assert!(
                newest >= fed,
                "round {round}: {BEHIND:?} before the kill the pipe was at {fed}, the state is at {newest}: {} s \
                 of event time behind, at {SPEED} s a second",
                fed - newest
            );
            self.lags.push(traffic.fed_by(killed).unwrap_or(fed) - newest);
        }
        (self.log, self.newest) = (log, newest);
    }
}

/// Waits until it reads, or until its time is over: a kill may come before.
fn wait_for_reading(daemon: &Daemon, until: Instant) -> Option<Instant> {
    while Instant::now() < until {
        if daemon.said().contains("reading captures from") {
            return Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[test]
fn kills_at_random_moments_lose_nothing_that_was_told() {
    let (kills, seed) = (number_of("APITAP_KILLS", DEFAULT_KILLS), number_of("APITAP_SEED", SEED));
    println!("{kills} kills, APITAP_SEED={seed}");
    let mut chance = Chance(seed);
    let site = Site::new();
    let traffic = Traffic::start(site.folder.path("pipe").into(), seed, kills);
    let mut lives = Lives::default();
    for round in 0..kills {
        // Most die young, some while they start; every fifth is old enough to say how far behind its state is.
        let life = match round % 5 {
            4 => Duration::from_millis(7500 + chance.below(2500)),
            _ => Duration::from_millis(20 + chance.below(3000)),
        };
        let born = Instant::now();
        let daemon = site.spawn();
        let ready = wait_for_reading(&daemon, born + life);
        std::thread::sleep((born + life).saturating_duration_since(Instant::now()));
        let (seen, killed) = (site.log(), Instant::now());
        let said = daemon.kill();
        println!("round {round}: lived {life:?}, {} alerts in the log", seen.lines().count());
        assert!(!said.contains("torn") && !said.contains("damaged"), "round {round}: {said}");
        assert!(ready.is_some() || life < Duration::from_secs(4), "round {round}: it did not start: {said}");
        lives.look(round, &site, &traffic, ready, killed, &seen);
    }
    let mut daemon = site.start();
    daemon.wait_until("it goes on", |_| site.log().len() > lives.log.len());
    daemon.stop();
    assert!(site.log().starts_with(&lives.log));
    let (all, went_on) = (site.alerts(), lives.went_on.len());
    let worst = lives.lags.iter().max().copied().unwrap_or_default() as f64 / SPEED;
    println!("{} alerts, {went_on} incidents went on after a kill, state at most {worst:.1} s behind", all.len());
    assert!(all.len() as u64 > kills && went_on > 0 && (kills < 5 || !lives.lags.is_empty()));
}
