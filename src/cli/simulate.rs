//! `apitap simulate`: arguments become the generator's options; the capture and its truth go to files.

use super::args::{Cli, SimulateArgs, TrafficProfile, is_dash};
use super::note;
use crate::simulate::{Options, Profile, Summary, generate, scenarios};
use anyhow::{Context, anyhow};
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Frames leave in large pieces; this keeps the system calls few.
const BUFFER_BYTES: usize = 1024 * 1024;

pub fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.out {
        let options = options_of(args).unwrap_or_else(|message| {
            Cli::command().error(ErrorKind::ValueValidation, message).exit() // status 2
        });
        write_traffic(args, &options, out)?;
    } else {
        list_scenarios(&mut io::stdout().lock())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn options_of(args: &SimulateArgs) -> Result<Options, String> {
    let default = Options::default();
    let options = Options {
        scenarios: args.scenario.iter().map(|chosen| (*chosen).into()).collect(),
        duration: args.duration.unwrap_or(default.duration),
        rate: args.rate.unwrap_or(default.rate),
        clients: args.clients.unwrap_or(default.clients),
        seed: args.seed.unwrap_or(default.seed),
        hostile: args.hostile.unwrap_or(default.hostile),
        hostile_kind: args.hostile_kind,
        loss: args.loss.unwrap_or(default.loss),
        reorder: args.reorder.unwrap_or(default.reorder),
        duplicate: args.duplicate.unwrap_or(default.duplicate),
        vlan: args.vlan,
        tunnel: args.tunnel,
        http2: args.http2.unwrap_or(default.http2),
        ipv6: args.ipv6,
        snaplen: args.snaplen.unwrap_or(default.snaplen),
        start: default.start,
        profile: match args.profile {
            TrafficProfile::Day => Profile::Day,
            TrafficProfile::Mixed => Profile::Mixed,
            TrafficProfile::Small => Profile::Small,
            TrafficProfile::Bulk => Profile::Bulk,
        },
        quiet_first: args.quiet_first.unwrap_or(default.quiet_first),
        log_transactions: args.log_transactions,
    };
    if !options.scenarios.is_empty() && options.quiet_first >= options.duration {
        let (quiet, all) = (options.quiet_first.as_secs(), options.duration.as_secs());
        return Err(format!(
            "attacks start after {quiet}s of benign time, and the traffic lasts {all}s; \
             lengthen --duration or shorten --quiet-first"
        ));
    }
    Ok(options)
}

fn write_traffic(args: &SimulateArgs, options: &Options, out: &Path) -> anyhow::Result<()> {
    let truth_path = args.truth.clone().or_else(|| truth_beside(out));
    if truth_path.as_deref() == Some(out) {
        return Err(anyhow!("the capture and its truth would both be {}; name another file", out.display()));
    }
    let mut truth: Box<dyn Write> = match &truth_path {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(io::sink()),
    };
    let capture: Box<dyn Write> = if is_dash(out) { Box::new(io::stdout().lock()) } else { Box::new(create(out)?) };
    let mut capture = BufWriter::with_capacity(BUFFER_BYTES, capture);
    let unwritable = || format!("cannot write {}", out.display());
    let summary = generate(options, &mut capture, &mut truth).with_context(unwritable)?;
    capture.flush().with_context(unwritable)?;
    truth.flush().context("cannot write the truth")?;
    note(&said_of(&summary, out, truth_path.as_deref()));
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot write {}; is the folder there and yours?", path.display()))
}

/// `traffic.truth.jsonl` for `traffic.pcap`; none for standard output.
fn truth_beside(out: &Path) -> Option<PathBuf> {
    (!is_dash(out)).then(|| out.with_extension("truth.jsonl"))
}

fn said_of(summary: &Summary, out: &Path, truth: Option<&Path>) -> String {
    const MEGABYTE: f64 = 1e6;
    let Summary { transactions, connections, frames, bytes, attacks, .. } = summary;
    let megabytes = *bytes as f64 / MEGABYTE;
    let place = if is_dash(out) { "standard output".to_owned() } else { out.display().to_string() };
    let truth = truth.map_or(String::new(), |truth| format!("; the truth is in {}", truth.display()));
    format!(
        "{place}: {transactions} transactions on {connections} connections, {attacks} attacks, \
         {frames} frames, {megabytes:.1} MB{truth}"
    )
}

fn list_scenarios(out: &mut dyn Write) -> io::Result<()> {
    for scenario in scenarios() {
        writeln!(out, "{:<30}  {}", scenario.name, scenario.what)?;
    }
    writeln!(out, "\nEach at easy, medium (the default) or stealthy: --scenario NAME:LEVEL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::wire::Tunnel;
    use crate::simulate::{HostileKind, Level, Scenario};
    use clap::Parser;

    fn parsed(arguments: &[&str]) -> SimulateArgs {
        let all = ["apitap", "simulate"].iter().chain(arguments);
        match Cli::try_parse_from(all).unwrap().command {
            super::super::args::Command::Simulate(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_the_generators_default() {
        assert_eq!(options_of(&parsed(&["-o", "x.pcap"])).unwrap(), Options::default());
    }

    #[test]
    fn every_option_reaches_the_generator() {
        let options = options_of(&parsed(&[
            "-o",
            "x.pcap",
            "--scenario",
            "scanner:easy",
            "--scenario",
            "brute_force",
            "--duration",
            "2h",
            "--rate",
            "7.5",
            "--clients",
            "9",
            "--hostile-kind",
            "slowloris",
            "--hostile",
            "3",
            "--seed",
            "42",
            "--loss",
            "0.01",
            "--reorder",
            "0.02",
            "--duplicate",
            "0.03",
            "--vlan",
            "7",
            "--tunnel",
            "vxlan",
            "--http2",
            "0.5",
            "--ipv6",
            "--snaplen",
            "128",
            "--quiet-first",
            "5m",
            "--profile",
            "small",
            "--log-transactions",
        ]))
        .unwrap();
        let expected = Options {
            scenarios: vec![(Scenario::Scanner, Level::Easy), (Scenario::BruteForce, Level::Medium)],
            duration: std::time::Duration::from_secs(7200),
            rate: 7.5,
            clients: 9,
            seed: 42,
            hostile: 3.0,
            hostile_kind: Some(HostileKind::Slowloris),
            loss: 0.01,
            reorder: 0.02,
            duplicate: 0.03,
            vlan: Some(7),
            tunnel: Some(Tunnel::Vxlan),
            http2: 0.5,
            ipv6: true,
            snaplen: 128,
            start: Options::default().start,
            profile: Profile::Small,
            quiet_first: std::time::Duration::from_secs(300),
            log_transactions: true,
        };
        assert_eq!(options, expected);
        assert_eq!(parsed(&["-o", "x.pcap", "--vlan"]).vlan, Some(100));
    }

    #[test]
    fn an_attack_that_would_never_start_is_refused() {
        let args = parsed(&["-o", "x.pcap", "--scenario", "scanner", "--duration", "10m"]);
        assert!(options_of(&args).unwrap_err().contains("--quiet-first"));
    }

    #[test]
    fn the_truth_lies_beside_the_capture() {
        assert_eq!(truth_beside(Path::new("a/b.pcap")), Some(PathBuf::from("a/b.truth.jsonl")));
        assert_eq!(truth_beside(Path::new("-")), None);
    }
}
