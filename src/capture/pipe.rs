//! Frames from a pipe that somebody else captures into, such as `tcpdump -w`.
//!
//! In goes the name of a named pipe, or `-`; out come its frames, and the word that nothing came for a while, which a
//! read that waits cannot say: a thread reads, and whoever asks takes what it has read. At most `MAX_HELD_BYTES` are
//! held between the two, then the thread waits, and with it who writes into the pipe. A named pipe whose writer ends is
//! opened again for the next one; standard input ends.

use super::{CaptureError, Frame, FrameSource, HeldFrames, is_named_pipe, is_stop_requested};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MAX_HELD_BYTES: usize = 4 << 20;
/// Pause before a pipe is opened again.
const REOPEN: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Shared {
    /// What was read and not yet taken.
    frames: HeldFrames,
    errors: Vec<CaptureError>,
    has_ended: bool,
}

#[derive(Default)]
struct Exchange {
    shared: Mutex<Shared>,
    /// Something was read, or taken.
    moved: Condvar,
}

impl Exchange {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The frames of a pipe.
pub struct PipeSource {
    exchange: Arc<Exchange>,
    /// The buffers that were emptied last: to be filled again.
    taken: HeldFrames,
}

/// How a call of [`PipeSource::poll`] came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polled {
    Frames(usize),
    Nothing,
    /// There will be no more.
    Ended,
}

impl PipeSource {
    /// Starts reading; a named pipe waits for its writer.
    pub fn open(path: &Path) -> std::io::Result<PipeSource> {
        let exchange = Arc::new(Exchange::default());
        let (for_thread, path) = (Arc::clone(&exchange), path.to_path_buf());
        std::thread::Builder::new().name("pipe".to_owned()).spawn(move || read(&path, &for_thread))?;
        Ok(PipeSource { exchange, taken: HeldFrames::default() })
    }

    /// Gives the frames that were read; waits for at most `wait` when there are none.
    pub fn poll(&mut self, wait: Duration, mut each: impl FnMut(Frame<'_>)) -> Polled {
        self.taken.clear();
        {
            let mut shared = self.exchange.lock();
            if shared.frames.is_empty() && !shared.has_ended {
                let waited = self.exchange.moved.wait_timeout(shared, wait);
                shared = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if shared.frames.is_empty() {
                return if shared.has_ended { Polled::Ended } else { Polled::Nothing };
            }
            std::mem::swap(&mut shared.frames, &mut self.taken);
        }
        self.exchange.moved.notify_all();
        self.taken.each(&mut each);
        Polled::Frames(self.taken.len())
    }

    /// What could not be read; the frames before it were given.
    pub fn take_errors(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.exchange.lock().errors)
    }
}

fn read(path: &Path, exchange: &Exchange) {
    let opens_again = is_named_pipe(path);
    loop {
        if let Err(error) = read_once(path, exchange) {
            exchange.lock().errors.push(error);
        }
        if !opens_again || is_stop_requested() {
            break;
        }
        std::thread::sleep(REOPEN);
    }
    exchange.lock().has_ended = true;
    exchange.moved.notify_all();
}

fn read_once(path: &Path, exchange: &Exchange) -> Result<(), CaptureError> {
    // What a clock that jumps means is told by who takes the frames.
    let mut source = super::open(path)?.with_disorder_limit(Duration::MAX);
    while let Some(frame) = source.next()? {
        let mut shared = exchange.lock();
        while shared.frames.byte_len() > MAX_HELD_BYTES && !is_stop_requested() {
            shared = exchange.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        if is_stop_requested() {
            break;
        }
        shared.frames.push(&frame);
        if shared.frames.len() == 1 {
            exchange.moved.notify_all();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::samples::pcap_at;
    use std::io::Write;

    #[test]
    fn a_pipe_is_read_writer_after_writer_and_says_when_nothing_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let status = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(status.success());
        let mut source = PipeSource::open(&path).unwrap();
        assert_eq!(source.poll(Duration::from_millis(20), |_| unreachable!()), Polled::Nothing);
        let mut seen = Vec::new();
        for round in 0..2u32 {
            let mut writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            writer.write_all(&pcap_at(&[round * 10 + 1, round * 10 + 2], 40)).unwrap();
            drop(writer);
            for _ in 0..100 {
                source.poll(Duration::from_millis(20), |frame| seen.push((frame.time.seconds(), frame.bytes.len())));
            }
        }
        assert_eq!(seen, [(1, 40), (2, 40), (11, 40), (12, 40)]);
        assert_eq!(source.poll(Duration::from_millis(20), |_| unreachable!()), Polled::Nothing);
        assert!(source.take_errors().is_empty());
    }
}
