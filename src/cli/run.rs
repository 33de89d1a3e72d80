//! `apitap run`: the daemon.

use super::args::RunArgs;
use super::interrupt;
use super::replay::threads_of;
use crate::baseline::persist::probe;
use crate::config::{Config, DEFAULT_FILE};
use crate::service::{self, Options};
use std::ffi::OsStr;
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The name of the alert log in `--log-dir`, where `alert.file` has none.
const DEFAULT_ALERT_LOG: &str = "alerts.json";

pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    interrupt::pass_over_reloads()?; // before anything is read
    let is_for_journal = is_for_journal();
    start_log(is_for_journal);
    let file = args.config.clone().or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()));
    let options = Options {
        threads: threads_of(args.threads.or(Config::load(file.as_deref())?.capture.threads)),
        config: configuration(&args, file.as_deref())?,
        config_file: file,
        pipe: args.read_fifo,
        probe: probe::in_child,
    };
    if args.check {
        service::check(&options)?;
        tracing::info!("it would start");
        return Ok(ExitCode::SUCCESS);
    }
    interrupt::listen()?;
    match service::run(options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The journal wants its priority, too.
        Err(error) if is_for_journal => {
            tracing::error!("{}", super::said_of(&error.into()));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

/// The configuration, with what the flags say instead.
fn configuration(args: &RunArgs, file: Option<&Path>) -> anyhow::Result<Config> {
    let mut config = Config::load(file)?;
    if !args.interfaces.is_empty() {
        config.capture.interfaces.clone_from(&args.interfaces);
    }
    if let Some(folder) = &args.state {
        config.state.folder.clone_from(folder);
    }
    if let Some(folder) = &args.log_dir {
        let name = config.alert.file.file_name().unwrap_or(OsStr::new(DEFAULT_ALERT_LOG));
        config.alert.file = folder.join(name);
    }
    Ok(config)
}

/// The daemon's own words go to standard error: to a person's terminal, or to the journal, which has the time. What to
/// say is in `APITAP_LOG` (`info`, `debug`, `apitap::service=debug`), `APITAP_LOG_FORMAT=json` makes lines for tools.
fn start_log(is_for_journal: bool) {
    let filter = EnvFilter::try_from_env("APITAP_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let is_for_tools = std::env::var("APITAP_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A log that is set up already is the caller's.
    let _ = match (is_for_tools, is_for_journal) {
        (true, _) => log.json().try_init(),
        (false, true) => {
            let line = tracing_subscriber::fmt::format().without_time().with_target(false).with_ansi(false);
            log.event_format(WithPriority(line)).try_init()
        }
        (false, false) => log.try_init(),
    };
}

/// Whether standard error is the journal's: the variable alone is inherited by whatever a service starts (systemd.exec(5)).
fn is_for_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let numbers = stream.split_once(':').and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    let stderr = rustix::fs::fstat(std::io::stderr()).ok();
    numbers.zip(stderr).is_some_and(|(numbers, stderr): ((u64, u64), _)| numbers == (stderr.st_dev, stderr.st_ino))
}

/// Puts the priority before each line, as the journal wants it (sd-daemon(3)).
struct WithPriority<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(line, "<{priority}>")?;
        self.0.format_event(context, line, event)
    }
}
