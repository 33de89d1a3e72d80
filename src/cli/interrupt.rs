//! Ctrl-C and SIGTERM: the first asks the run to end in good order, the second ends it at once.

use crate::capture::request_stop;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

/// The signal that asked first; 0 is none.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// What a shell takes for "ended by signal N" is 128 + N.
const SIGNAL_STATUS: i32 = 128;

/// From now on the first signal only asks to stop; see [`signal`].
pub fn listen() -> io::Result<()> {
    handle(libc::SIGINT, on_signal)?;
    handle(libc::SIGTERM, on_signal)?;
    handle(libc::SIGALRM, on_alarm)
}

/// A reload or a new log that is asked for is passed over until somebody listens, and ends nobody: a start does both.
pub fn pass_over_reloads() -> io::Result<()> {
    for signal in [libc::SIGHUP, libc::SIGUSR1] {
        // SAFETY: to ignore a signal takes no handler.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The signal that asked to stop.
pub fn signal() -> Option<Signal> {
    match FIRST.load(Ordering::Relaxed) {
        0 => None,
        number => Some(Signal(number)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(i32);

impl Signal {
    pub fn name(self) -> &'static str {
        if self.0 == libc::SIGINT { "Ctrl-C" } else { "SIGTERM" }
    }

    /// 130 for SIGINT, 143 for SIGTERM.
    pub fn status(self) -> u8 {
        (SIGNAL_STATUS + self.0) as u8 // signals are below 65
    }
}

/// Without SA_RESTART: a read that waits for a pipe must return.
fn handle(signal: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    // SAFETY: an all-zero `sigaction` is a valid one (no flags, an empty mask); the handlers below call only what is
    // safe in a signal handler (signal-safety(7)): relaxed atomics, `alarm` and `_exit`.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_signal(signal: i32) {
    if FIRST.swap(signal, Ordering::Relaxed) != 0 {
        // SAFETY: `_exit` may be called anywhere and does not return.
        unsafe { libc::_exit(SIGNAL_STATUS + signal) }
    }
    request_stop();
    on_alarm(libc::SIGALRM);
}

/// A read that begins just after the signal would wait all the same: it is interrupted again every second.
extern "C" fn on_alarm(_: i32) {
    // SAFETY: `alarm` only sets a timer and may be called in a handler.
    unsafe { libc::alarm(1) };
}
