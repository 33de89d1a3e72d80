//! Processor time of each thread: what each stage costs.
//!
//! The kernel's figures in (proc(5), stat); seconds by name out. Threads that stay are named: `dispatcher`, `reader-0`, `worker-0`
//! and so on, `judge`, `network`, `housekeeping`, `checkpoints`, `pipe`, sinks. What is left of the process's time is `other`:
//! helpers that come and go.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const STAYING: [&str; 5] = ["judge", "network", "housekeeping", "checkpoints", "pipe"];
/// Followed by a number or the kind of a sink.
const NUMBERED: [&str; 3] = ["reader-", "worker-", "sink-"];
/// The main thread.
const DISPATCHER: &str = "dispatcher";
const OTHER: &str = "other";

/// Seconds of processor time so far, by thread.
pub fn cpu_seconds() -> io::Result<BTreeMap<String, f64>> {
    let process = std::process::id().to_string();
    let mut ticks: BTreeMap<String, u64> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/task")?.flatten() {
        let Some((name, spent)) = stat(&entry.path()) else { continue }; // it ended meanwhile
        let name = if *entry.file_name() == *process { DISPATCHER.to_owned() } else { name };
        let stays = name == DISPATCHER
            || STAYING.contains(&name.as_str())
            || NUMBERED.iter().any(|prefix| name.starts_with(prefix));
        if stays {
            *ticks.entry(name).or_default() += spent;
        }
    }
    let named: u64 = ticks.values().sum();
    let all = stat(Path::new("/proc/self")).map_or(named, |(_, all)| all);
    ticks.insert(OTHER.to_owned(), all.saturating_sub(named));
    let a_second = rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks.into_iter().map(|(name, ticks)| (name, ticks as f64 / a_second)).collect())
}

/// Name and ticks, of user and system, of a thread or process.
fn stat(folder: &Path) -> Option<(String, u64)> {
    parse(&std::fs::read_to_string(folder.join("stat")).ok()?)
}

/// `tid (name) state ...`: the name may hold anything, parentheses too. utime and stime are the 14th and 15th field.
fn parse(stat: &str) -> Option<(String, u64)> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat.get(end + 1..)?.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((stat.get(start + 1..end)?.to_owned(), user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses() {
        let line = "7 (a) b (c)) S 1 7 7 0 -1 4194304 10 0 0 0 21 4 0 0 20 0 1 0 100 1 1";
        assert_eq!(parse(line), Some(("a) b (c)".to_owned(), 25)));
        assert_eq!(parse("7 (a"), None);
    }

    #[test]
    fn a_named_thread_that_works_is_seen_to() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let spin = move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                std::hint::spin_loop();
            }
        };
        let thread = std::thread::Builder::new().name("worker-77".to_owned()).spawn(spin).unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let spent = || cpu_seconds().unwrap().get("worker-77").copied().unwrap_or(0.0);
        while spent() < 0.05 && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(spent() >= 0.05, "{:?}", cpu_seconds());
        drop(stop);
        thread.join().unwrap();
    }
}
