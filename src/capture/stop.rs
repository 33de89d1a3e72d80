//! Asking whoever reads a capture to stop.
//!
//! One flag for the process, set where nothing else may be done: in a signal handler. A file that has an end is simply
//! not read on; a pipe may be silent for hours, so a read of it that a signal interrupts gives the end of the pipe
//! instead of waiting again.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Pipes end at their next interrupted read. Safe to call in a signal handler.
pub fn request_stop() {
    REQUESTED.store(true, Ordering::Relaxed);
}

#[inline]
pub fn is_stop_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Whether this is the name of a pipe.
pub fn is_named_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Opens a named pipe, which waits for its writer. Unlike [`File::open`] it gives up when asked to stop.
pub(super) fn open_named_pipe(path: &Path) -> io::Result<File> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    loop {
        // SAFETY: `name` is a string that ends with NUL and lives through the call.
        let descriptor = unsafe { libc::open(name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if descriptor >= 0 {
            // SAFETY: `open` has just made this descriptor, and nobody else knows it.
            return Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted || is_stop_requested() {
            return Err(error);
        }
    }
}
