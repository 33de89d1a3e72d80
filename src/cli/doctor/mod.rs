//! `apitap doctor`: is this a place where a sensor can work? Each check is ok, warn or fail, with its mend.
//!
//! In: an interface to listen to for a while, or captures; a configuration and the daemon's folders, socket and port, from
//! the configuration where no flag names them. Out: a table, or one
//! JSON object with the counts besides. Status 1 if anything failed; what is warned of does not fail.

mod daemon;
mod host;
mod interface;
mod listen;
mod mirror;
mod report;
mod traffic;

use super::args::DoctorArgs;
use super::note;
use crate::alert::human::Style;
use crate::capture::{CaptureError, FrameSource, open_all};
use crate::config::Config;
use crate::packet::Tunnels;
use report::{Check, Report, Verdict};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use traffic::{Figures, JUMBO_MTU, Traffic};

pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let (checks, figures) = if args.files.is_empty() { of_host(args) } else { of_captures(args)? };
    let report = Report::new(checks, figures);
    let mut out = io::stdout().lock();
    if args.json {
        report.write_json(&mut out)?
    } else {
        report.write_table(&mut out, Style::of_stdout())?
    }
    out.flush()?;
    Ok(if report.verdict == Verdict::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn of_host(args: &DoctorArgs) -> (Vec<Check>, Option<Figures>) {
    // What is not valid is a check of its own; the others then go by the defaults.
    let config = Config::load(host::configuration_file(args.config.as_deref())).unwrap_or_default();
    let interfaces = if args.interface.is_empty() { &config.capture.interfaces } else { &args.interface };
    let (mut checks, figures) = of_interfaces(interfaces, args.duration, config.tunnels());
    checks.push(host::configuration(args.config.as_deref()));
    checks.push(host::folder("state folder", args.state.as_deref().unwrap_or(&config.state.folder)));
    let log_folder = args.log_dir.as_deref().or(config.alert.file.parent()).unwrap_or(Path::new("."));
    checks.push(host::folder("log folder", log_folder));
    let daemon = config.service.socket.as_deref().and_then(daemon::running);
    checks.extend(config.service.socket.as_deref().map(|socket| daemon::socket(socket, daemon)));
    checks.extend(config.metrics.listen.map(|address| daemon::metrics(address, daemon)));
    checks.extend([host::memory(), host::clock(), host::libpcap()]);
    (checks, figures)
}

fn of_interfaces(interfaces: &[String], duration: Duration, tunnels: Tunnels) -> (Vec<Check>, Option<Figures>) {
    if interfaces.is_empty() {
        let mend = "name the interface that the mirror arrives on: `apitap doctor -i eth1`, or `capture.interfaces`";
        return (vec![Check::warn("interface", "none was given: nothing was listened to", mend)], None);
    }
    let mut checks = Vec::new();
    let mut usable = Vec::new();
    let mut mtu = 0;
    for name in interfaces {
        let interface = interface::look_at(name);
        checks.extend(interface.checks);
        if interface.is_usable {
            usable.push(name.as_str());
            mtu = mtu.max(interface.mtu);
        }
    }
    if usable.is_empty() {
        return (checks, None);
    }
    let seconds = duration.as_secs_f64();
    if io::stderr().is_terminal() {
        note(&format!("listening to {} for {seconds} s", usable.join(", ")));
    }
    let mut traffic = Traffic::new(mtu, tunnels);
    let of_listening = listen::listen(&usable, duration, &mut traffic);
    let could_listen = of_listening.iter().any(|check| check.name == "rights" && check.verdict == Verdict::Ok);
    checks.extend(of_listening);
    if !could_listen {
        return (checks, None);
    }
    let figures = traffic.figures();
    checks.extend(mirror::checks(&figures, &format!("in {seconds} s")));
    (checks, Some(figures))
}

/// The checks of traffic, and of a configuration that was named. Host and clock were others when it was captured.
fn of_captures(args: &DoctorArgs) -> anyhow::Result<(Vec<Check>, Option<Figures>)> {
    let mut source = open_all(&args.files)?;
    // As above: a configuration that is not valid is told of below.
    let config = Config::load(args.config.as_deref()).unwrap_or_default();
    let mut traffic = Traffic::new(JUMBO_MTU, config.tunnels());
    while let Some(frame) = source.next()? {
        traffic.see(&frame);
    }
    let mut checks: Vec<Check> = source
        .errors()
        .iter()
        .filter(|error| !matches!(error, CaptureError::UnknownLink { .. })) // the frames are counted, and told of below
        .map(|error| Check::fail("capture", error.to_string(), "capture it again, or go on with what was read"))
        .collect();
    let figures = traffic.figures();
    let seconds = traffic.last.zip(traffic.first).map_or(0.0, |(last, first)| last.since(first).as_secs_f64());
    checks.extend(mirror::checks(&figures, &format!("over {seconds:.0} s")));
    checks.extend(args.config.as_deref().map(|path| host::configuration(Some(path))));
    Ok((checks, Some(figures)))
}
