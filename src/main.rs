//! The `apitap` program: reads its arguments, runs one command, ends with its status.

use std::process::ExitCode;

fn main() -> ExitCode {
    apitap::cli::run()
}
