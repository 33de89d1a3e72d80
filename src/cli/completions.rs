//! `apitap completions` and `apitap man`: made from the definitions of the command line, so that they cannot differ.

use super::args::Cli;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::io::{self, Write};
use std::process::ExitCode;

pub fn print_completions(shell: Shell) -> anyhow::Result<ExitCode> {
    write_completions(shell, &mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

pub fn print_man_page() -> anyhow::Result<ExitCode> {
    write_man_page(&mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn write_completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new(); // the generator panics where it cannot write; a `Vec` takes all
    clap_complete::generate(shell, &mut visible(&Cli::command()), "apitap", &mut script);
    out.write_all(&script)
}

/// The command line without what only apitap itself calls.
fn visible(whole: &Command) -> Command {
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("apitap").version(env!("CARGO_PKG_VERSION")).args(whole.get_arguments().cloned()).subcommands(shown)
}

/// One page for the program and all its commands.
fn write_man_page(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let mut whole = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut whole)?;
    // Commands have no pages of their own.
    let whole = as_typed(&String::from_utf8_lossy(&whole)).replace("\napitap\\-", "\napitap ").replace("(1)\n", "\n");
    page.extend_from_slice(whole.as_bytes());
    for part in described(&command) {
        write_command(part, &mut page)?;
    }
    out.write_all(&page)
}

fn write_command(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    writeln!(page, ".SH \"{name}\"")?;
    let man = clap_mangen::Man::new(command.clone());
    let mut sections = Vec::new();
    man.render_description_section(&mut sections)?;
    man.render_synopsis_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    let mut extra = Vec::new();
    man.render_extra_section(&mut extra)?;
    sections.extend_from_slice(as_typed(&String::from_utf8_lossy(&extra)).as_bytes());
    // A section of a command is a subsection of the page.
    page.extend_from_slice(String::from_utf8_lossy(&sections).replace("\n.SH ", "\n.SS ").as_bytes());
    for part in described(command) {
        write_command(part, page)?;
    }
    Ok(())
}

/// Examples keep their lines.
fn as_typed(page: &str) -> String {
    let Some((before, extra)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (extra, after) = extra.split_once("\n.SH ").unwrap_or((extra.trim_end(), ""));
    let after = if after.is_empty() { String::new() } else { format!(".SH {after}") };
    format!("{before}.SH NOTES\n.nf\n{extra}\n.fi\n{after}")
}

fn described(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|part| part.get_name() != "help" && !part.is_hide_set())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            write_completions(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("fail-on") && script.contains("simulate"), "{shell}");
            assert!(!script.contains("probe"), "{shell}: a hidden command");
        }
    }

    #[test]
    fn the_man_page_describes_every_command_and_its_options() {
        let mut page = Vec::new();
        write_man_page(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for text in ["APITAP REPLAY", "APITAP RULES CHECK", "fail\\-on", "no\\-follow", "Exit status"] {
            assert!(page.contains(text), "{text} is missing");
        }
        let at =
            page.find("apitap replay monday.pcap.gz").or_else(|| page.find("apitap replay monday\\&.pcap")).unwrap();
        let filled = [".nf", ".fi"].map(|request| page[..at].rfind(&format!("\n{request}\n")));
        assert!(filled[0] > filled[1], "its examples keep their lines");
        assert!(!page.contains("apitap\\-replay(1)"), "there is no such page");
        assert!(!page.to_lowercase().contains("probe"), "of a hidden command");
    }
}
