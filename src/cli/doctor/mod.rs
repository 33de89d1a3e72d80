//! `apitap doctor`: is this a place where a sensor can work? Each check is ok, warn or fail, with its mend.
//!
//! In: an interface to listen to for a while, or captures; a configuration and the daemon's folders. Out: a table, or one
//! JSON object with the counts besides. Status 1 if anything failed; what is warned of does not fail.

mod host;
mod interface;
mod listen;
mod mirror;
mod report;
mod traffic;

use super::args::DoctorArgs;
use super::note;
use crate::alert::human::Style;
use crate::capture::{FrameSource, open_all};
use report::{Check, Report, Verdict};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
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
    let (mut checks, figures) = of_interfaces(args);
    checks.push(host::configuration(args.config.as_deref()));
    checks.push(host::folder("state folder", &args.state));
    checks.push(host::folder("log folder", &args.log_dir));
    checks.extend([host::memory(), host::clock(), host::libpcap()]);
    (checks, figures)
}

fn of_interfaces(args: &DoctorArgs) -> (Vec<Check>, Option<Figures>) {
    if args.interface.is_empty() {
        let mend = "name the interface that the mirror arrives on: `apitap doctor -i eth1`";
        return (vec![Check::warn("interface", "none was given: nothing was listened to", mend)], None);
    }
    let mut checks = Vec::new();
    let mut usable = Vec::new();
    let mut mtu = 0;
    for name in &args.interface {
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
    let seconds = args.duration.as_secs_f64();
    if io::stderr().is_terminal() {
        note(&format!("listening to {} for {seconds} s", usable.join(", ")));
    }
    let mut traffic = Traffic::new(mtu);
    let of_listening = listen::listen(&usable, args.duration, &mut traffic);
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
    let mut traffic = Traffic::new(JUMBO_MTU);
    while let Some(frame) = source.next()? {
        traffic.see(&frame);
    }
    let mut checks: Vec<Check> = source
        .errors()
        .iter()
        .map(|error| Check::fail("capture", error.to_string(), "capture it again, or go on with what was read"))
        .collect();
    let figures = traffic.figures();
    let seconds = traffic.last.zip(traffic.first).map_or(0.0, |(last, first)| last.since(first).as_secs_f64());
    checks.extend(mirror::checks(&figures, &format!("over {seconds:.0} s")));
    checks.extend(args.config.as_deref().map(|path| host::configuration(Some(path))));
    Ok((checks, Some(figures)))
}
