//! The command line: arguments in, an exit status out. One file a subcommand.
//!
//! Status 0: done. 1: failed, with a message that says what to do. 2: wrong usage (clap's own). 3: `--fail-on` was met.
//! A closed pipe (`| head`) is no failure: whoever closed it has seen enough.

pub mod args;
mod completions;
mod config;
mod daemon;
mod doctor;
mod evaluate;
mod explain;
mod folder;
mod interrupt;
mod inventory;
mod replay;
mod run;
mod sensor;
mod simulate;
mod state;
mod tail;

use crate::alert::escape::escape_lines;
use crate::baseline::persist::probe;
use crate::rule::Ruleset;
use anyhow::Context;
use args::{Cli, Command, RulesCommand};
use clap::Parser;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    do_without_huge_pages();
    match dispatch(Cli::parse().command) {
        Ok(status) => status,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note(&said_of(&error));
            ExitCode::FAILURE
        }
    }
}

/// Each is resident whole, and what lives long comes to lie between what does not: a daemon's memory grew with that for hours. They
/// make nothing quicker here (docs/PERFORMANCE.md).
fn do_without_huge_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true); // an old kernel keeps them
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Status(args) => daemon::status(&args),
        Command::Reload(args) => daemon::reload(&args),
        Command::Incident(args) => daemon::incident(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Suppress(args) => daemon::suppress(&args),
        Command::Replay(args) => replay::run(*args),
        Command::Tail(args) => tail::run(&args),
        Command::Inventory(args) => inventory::run(args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Rules(rules) => match rules.command {
            RulesCommand::Default { name } => print_rules(name),
            RulesCommand::Check { dir } => check_rules(dir.as_deref()),
        },
        Command::Config(command) => config::run(&command),
        Command::State(args) => state::run(&args),
        Command::ProbeDatabase { path } => Ok(probe::be_the_child(&path)),
        Command::Completions { shell } => completions::print_completions(shell),
        Command::Man => completions::print_man_page(),
    }
}

fn print_rules(name: Option<&str>) -> anyhow::Result<ExitCode> {
    let is_wanted = |(file, _): &&(&str, &str)| name.is_none_or(|name| name == *file);
    let mut wanted: Vec<_> = Ruleset::embedded_files().iter().filter(is_wanted).collect();
    wanted.sort();
    let mut out = io::stdout().lock();
    for (file, text) in wanted {
        writeln!(out, "# ---- {file}\n\n{}\n", text.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check_rules(dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    Ruleset::load(dir).context("the rules are not valid")?;
    let whose = dir.map_or("the built-in rules".to_owned(), |dir| format!("the rules of {}", dir.display()));
    writeln!(io::stdout(), "{whose} are valid")?;
    Ok(ExitCode::SUCCESS)
}

/// An error and its causes, each said once: some messages quote their cause already.
fn said_of(error: &anyhow::Error) -> String {
    // What names no file of its own was on its way to standard output.
    let is_bare = error.chain().count() == 1;
    let of_io = error.downcast_ref::<io::Error>().filter(|_| is_bare);
    if let Some(full) = of_io.filter(|error| error.kind() == io::ErrorKind::StorageFull) {
        return format!("cannot write standard output: {full}; make room or send it elsewhere");
    }
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// A message on standard error. What it quotes cannot act on the terminal, and a closed standard error is borne.
fn note(message: &str) {
    let _ = writeln!(io::stderr(), "apitap: {}", escape_lines(message));
}

/// Whether the reader of what we write has gone.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let of_json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        of_io.or(of_json) == Some(io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_known_at_any_depth() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&broken().into()));
        assert!(is_closed_pipe(&anyhow::Error::from(broken()).context("cannot write")));
        assert!(is_closed_pipe(&serde_json::Error::io(broken()).into()));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::StorageFull).into()));
        assert!(!is_closed_pipe(&anyhow::anyhow!("other")));
    }

    #[test]
    fn a_cause_that_the_message_quotes_is_not_said_twice() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let cause = full().to_string();
        assert!(said_of(&full().into()).ends_with("make room or send it elsewhere"));
        assert_eq!(said_of(&anyhow::Error::from(full()).context("cannot write x")), format!("cannot write x: {cause}"));
        assert_eq!(
            said_of(&anyhow::Error::from(full()).context(format!("x: {cause}; mend"))),
            format!("x: {cause}; mend")
        );
    }
}
