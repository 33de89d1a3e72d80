//! A look at the database by a process of its own, before it is opened here.
//!
//! sled 0.34 may panic, hang or ask for endless memory on a damaged file. So another process, with limits on time and
//! memory, opens it and reads it through; what does not survive that is not opened. In: the database's folder. Out:
//! nothing, or what was wrong in words.

use super::database::Database;
use super::folder::size_of;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How a database is looked at: a process of the program, or, where the library is used without it, something else.
pub type Probe = fn(&Path) -> Result<(), String>;

/// Time that a probe may take, and a second more for each so many bytes.
const TIME: Duration = Duration::from_secs(20);
const BYTES_A_SECOND: u64 = 10 << 20;
/// Address space that a probe may use, and so many times the database's size more. An allocator reserves much.
const MEMORY: u64 = 2 << 30;
const MEMORY_TIMES: u64 = 4;
const PAUSE: Duration = Duration::from_millis(5);

/// In the environment of a probe: who asked for it.
const ASKED_BY: &str = "APITAP_PROBE_ASKED_BY";

/// The program's hidden command.
pub const COMMAND: &str = "probe-database";

/// Looks at a database within this process: it must not be damaged.
pub fn in_process(database: &Path) -> Result<(), String> {
    Database::open(database)?.check()
}

/// Looks at it by a process of this program.
pub fn in_child(database: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    by_program(&program, database)
}

/// Looks at it by a process of an apitap.
pub fn by_program(program: &Path, database: &Path) -> Result<(), String> {
    let limit = TIME + Duration::from_secs(size_of(database) / BYTES_A_SECOND);
    let mut child = Command::new(program)
        .arg(COMMAND)
        .arg(database)
        .env(ASKED_BY, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{} cannot be started to look at it: {error}", program.display()))?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < limit => std::thread::sleep(PAUSE),
            waited => {
                // It may have ended just now.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match waited {
                    Err(error) => error.to_string(),
                    Ok(_) => format!("opening it took more than {} s", limit.as_secs()),
                });
            }
        }
    };
    if status.success() { Ok(()) } else { Err(format!("opening it failed ({status})")) }
}

/// What the process does that was started for it.
pub fn be_the_child(database: &Path) -> ExitCode {
    if !ends_with_its_parent() {
        return ExitCode::FAILURE;
    }
    let memory = MEMORY.saturating_add(size_of(database).saturating_mul(MEMORY_TIMES));
    let limit = libc::rlimit { rlim_cur: memory, rlim_max: memory };
    // SAFETY: the call reads one `rlimit`, which outlives it.
    if unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } != 0 {
        return ExitCode::FAILURE;
    }
    // A panic in a thread of sled's ends the process, too.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    match in_process(database) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Who asked may be killed, and started again at once: nobody else may have the database open then. False where that has
/// happened already.
fn ends_with_its_parent() -> bool {
    let Some(parent) = std::env::var(ASKED_BY).ok().and_then(|pid| pid.parse::<libc::pid_t>().ok()) else {
        return true;
    };
    // SAFETY: both take plain numbers and touch no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 && libc::getppid() == parent }
}
