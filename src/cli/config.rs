//! `apitap config`: the configuration with every default; whether a file is valid.
//!
//! The check reads what the configuration names as well (rules, OpenAPI descriptions, certificates, the webhook's key): a
//! daemon would need them.

use super::args::ConfigCommand;
use super::note;
use crate::alert;
use crate::api::openapi;
use crate::config::{Config, DEFAULT_FILE, DEFAULT_TEXT};
use crate::rule::Ruleset;
use anyhow::Context;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Default => io::stdout().write_all(DEFAULT_TEXT.as_bytes())?,
        ConfigCommand::Check { file } => {
            let file = file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            check(file)?;
            writeln!(io::stdout(), "{} is valid", file.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(Some(file))?;
    Ruleset::load(config.rules.folder.as_deref()).with_context(|| format!("{}: `rules.folder`", file.display()))?;
    alert::sink::check(&config.sinks()).with_context(|| file.display().to_string())?;
    for path in &config.api.openapi {
        let read = openapi::load_tolerant(path).with_context(|| format!("{}: `api.openapi`", file.display()))?;
        for warning in &read.warnings {
            note(&format!("warning: {warning}"));
        }
    }
    Ok(())
}
