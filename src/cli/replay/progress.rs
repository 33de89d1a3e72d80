//! How far a run has come, for whoever waits for it at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A progress bar on standard error, a few times a second, where that is a terminal.
pub struct Progress {
    is_shown: bool,
    started: Instant,
    shown_at: Option<Instant>,
    pub frames: u64,
    calls: u32,
}

/// Frames between two looks at the clock.
const LOOKS: u32 = 8192;
const REFRESH: Duration = Duration::from_millis(200);

impl Progress {
    pub fn new(wanted: bool) -> Progress {
        let is_shown = wanted && io::stderr().is_terminal();
        Progress { is_shown, started: Instant::now(), shown_at: None, frames: 0, calls: 0 }
    }

    pub fn is_due(&mut self) -> bool {
        if !self.is_shown {
            return false;
        }
        self.calls = self.calls.wrapping_add(1);
        self.calls.is_multiple_of(LOOKS) && self.shown_at.is_none_or(|shown| shown.elapsed() >= REFRESH)
    }

    pub fn show(&mut self, read: u64, total: Option<u64>) {
        self.shown_at = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let megabytes = read as f64 / 1e6;
        let share = total.filter(|total| *total > 0).map(|total| read as f64 / total as f64);
        let bar = share.map_or(String::new(), |share| {
            let filled = (share * 30.0).clamp(0.0, 30.0) as usize;
            format!("[{}{}] {:3.0} %  ", "#".repeat(filled), " ".repeat(30 - filled), share * 100.0)
        });
        let line = format!("\r\x1b[K{bar}{megabytes:.0} MB, {} frames, {:.0} MB/s", self.frames, megabytes / seconds);
        let _ = io::stderr().write_all(line.as_bytes()); // a terminal that is gone needs no progress
    }

    pub fn end(&mut self) {
        if self.shown_at.is_some() {
            clear();
        }
    }
}

/// Clears the line of the bar, for others to write there.
pub fn clear() {
    if io::stderr().is_terminal() {
        let _ = io::stderr().write_all(b"\r\x1b[K"); // as above
    }
}
