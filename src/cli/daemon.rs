//! `status`, `reload`, `incident` and `suppress`: what a daemon, or its folder, is asked and told, in plain words.

use super::args::{IncidentArgs, IncidentCommand, ReloadArgs, StatusArgs, SuppressArgs};
use super::explain;
use super::folder::in_folder;
use super::sensor::{Sensor, existing, with_incidents};
use crate::alert::escape::escape_lines;
use crate::alert::human::{Style, second_of, write_alert};
use crate::service::{READY_AFTER, Request, Status};
use crate::time::Timestamp;
use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let sensor = Sensor::of(&args.daemon)?;
    if sensor.folder_in_use()?.is_none() {
        return idle_status(&sensor, args.json);
    }
    let reply = sensor.asked(&Request::Status)?;
    if args.json {
        return print_json(&reply);
    }
    let status: Status = serde_json::from_value(reply).context("the daemon is of another version")?;
    io::stdout().write_all(page(&status).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What the folder says where no daemon runs: that none does is a failure all the same.
fn idle_status(sensor: &Sensor, as_json: bool) -> anyhow::Result<ExitCode> {
    let folder = sensor.folder()?;
    let looked_up = in_folder(folder, || {
        let mut state = existing(folder)?;
        let statistics = state.statistics()?;
        let list =
            with_incidents(&mut state, None, |incidents, known| serde_json::to_value(incidents.list(&known.store)))?;
        Ok((statistics, list?))
    });
    let (statistics, open) = looked_up.map_err(|error| sensor.neither(error))?;
    if as_json {
        print_json(&json!({ "is_running": false, "folder": folder, "state": statistics, "incidents": open }))?;
    } else {
        let mut text = format!(
            "{:<14}no daemon has {}; this is what it holds\n",
            "apitap",
            escape_lines(&folder.display().to_string())
        );
        let newest = statistics.newest.map_or("no frame yet".to_owned(), |time| format!("{} UTC", second_of(time)));
        let known: Vec<String> = statistics.keys.iter().map(|(name, count)| format!("{count} {name}")).collect();
        // A String takes all that is written to it.
        let _ = writeln!(text, "{:<14}{newest}", "event time");
        let _ = writeln!(text, "{:<14}{}", "known", known.join(", "));
        let _ = writeln!(text, "{:<14}{} on disk", "state", bytes(statistics.total_bytes));
        let _ = writeln!(text, "{:<14}{} open", "incidents", open.as_array().map_or(0, Vec::len));
        open.as_array().into_iter().flatten().for_each(|incident| incident_line(&mut text, incident));
        io::stdout().write_all(text.as_bytes())?;
    }
    Ok(ExitCode::FAILURE)
}

pub fn reload(args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    print_text(&Sensor::of(&args.daemon)?.asked(&Request::Reload)?)
}

pub fn incident(args: &IncidentArgs) -> anyhow::Result<ExitCode> {
    let sensor = Sensor::of(&args.daemon)?;
    let request = match &args.command {
        IncidentCommand::List { learned, json } => return list(&sensor, *learned, *json),
        IncidentCommand::Show { id, log, json } => {
            let record = explain::record_of(id, &sensor, log.as_deref())?;
            if *json {
                return print_json(&serde_json::to_value(&record)?);
            }
            write_alert(&mut io::stdout(), &record, Style::of_stdout(), true)?;
            return Ok(ExitCode::SUCCESS);
        }
        IncidentCommand::Ack { id } => Request::Acknowledge { id: id.clone() },
        IncidentCommand::Unack { id } => Request::Unacknowledge { id: id.clone() },
        IncidentCommand::Close { id } => Request::Close { id: id.clone() },
    };
    print_text(&sensor.asked_or_looked_up(&request)?)
}

fn list(sensor: &Sensor, is_of_learned: bool, as_json: bool) -> anyhow::Result<ExitCode> {
    let (request, none) = if is_of_learned {
        (Request::Habits, "nothing was learned from acknowledged incidents")
    } else {
        (Request::Incidents, "no incident is open")
    };
    let reply = sensor.asked_or_looked_up(&request)?;
    if as_json {
        return print_json(&reply);
    }
    io::stdout().write_all(incidents(&reply, none)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn suppress(args: &SuppressArgs) -> anyhow::Result<ExitCode> {
    let sensor = Sensor::of(&args.daemon)?;
    if args.list {
        let reply = sensor.asked_or_looked_up(&Request::Suppressions)?;
        io::stdout().write_all(suppressions(&reply)?.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(id) = args.remove {
        return print_text(&sensor.asked_or_looked_up(&Request::Unsuppress { id })?);
    }
    let request = Request::Suppress {
        detector: args.detector.clone(),
        endpoint: args.endpoint.clone(),
        client: args.client.map(|client| client.to_string()),
        seconds: args.span.as_secs(),
        reason: args.reason.clone().unwrap_or_default(),
    };
    let added: Suppression = serde_json::from_value(sensor.asked_or_looked_up(&request)?)?;
    writeln!(io::stdout(), "suppression {} holds until {} UTC", added.id, second_of(Timestamp(added.until)))?;
    Ok(ExitCode::SUCCESS)
}

fn print_json(value: &Value) -> anyhow::Result<ExitCode> {
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(value)?)?;
    Ok(ExitCode::SUCCESS)
}

pub fn print_text(value: &Value) -> anyhow::Result<ExitCode> {
    writeln!(io::stdout(), "{}", escape_lines(value.as_str().unwrap_or_default()))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Deserialize)]
struct Suppression {
    id: u64,
    detector: Option<String>,
    endpoint: Option<String>,
    client: Option<String>,
    until: i64,
    reason: String,
}

fn suppressions(reply: &Value) -> anyhow::Result<String> {
    let all: Vec<Suppression> = serde_json::from_value(reply.clone())?;
    if all.is_empty() {
        return Ok("no suppressions were added; those of suppress.toml are not listed here\n".to_owned());
    }
    let mut text = String::new();
    for one in all {
        let what = [one.detector, one.endpoint, one.client.map(|client| format!("from {client}"))];
        let what: Vec<String> = what.into_iter().flatten().collect();
        let until = second_of(Timestamp(one.until));
        // A String takes all that is written to it.
        let _ = writeln!(
            text,
            "{:>4}  until {until}  {}  ({})",
            one.id,
            escape_lines(&what.join("  ")),
            escape_lines(&one.reason)
        );
    }
    Ok(text)
}

fn incidents(reply: &Value, none: &str) -> anyhow::Result<String> {
    let all = reply.as_array().context("the daemon is of another version")?;
    if all.is_empty() {
        return Ok(format!("{none}\n"));
    }
    let mut text = String::new();
    all.iter().for_each(|incident| incident_line(&mut text, incident));
    Ok(text)
}

fn incident_line(text: &mut String, incident: &Value) {
    let field = |name: &str| escape_lines(incident[name].as_str().unwrap_or_default());
    let about = incident["endpoint"].as_str().or(incident["subject"]["value"].as_str()).unwrap_or_default();
    let known = if incident["is_acknowledged"] == true { "  (acknowledged)" } else { "" };
    // A String takes all that is written to it.
    let _ = writeln!(
        text,
        "{}  {:<8}  {:<29}  {}{known}\n    {}",
        field("id"),
        field("severity").to_uppercase(),
        field("detector"),
        escape_lines(about),
        field("observed"),
    );
}

fn page(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // A String takes all that is written to it.
        let _ = writeln!(text, "{name:<14}{}", escape_lines(&value));
    };
    let site = if status.site.is_empty() { String::new() } else { format!("{}, ", status.site) };
    line("apitap", format!("{site}version {}, pid {}, up {}", status.version, status.pid, span(status.uptime_seconds)));
    let newest = status.newest.map_or("no frame yet".to_owned(), |time| format!("{} UTC", second_of(Timestamp(time))));
    line(
        "event time",
        format!("{newest}, {:.1} s behind; silent for {}", status.lag_seconds, span(status.silence_seconds)),
    );
    line(
        "traffic",
        format!(
            "{} frames, {} transactions; in the last 5 min {:.0} frames/s, {:.0} transactions/s, {:.1} Mbit/s",
            status.frames,
            status.transactions,
            status.frames_per_second,
            status.transactions_per_second,
            status.bits_per_second / 1e6
        ),
    );
    for one in &status.interfaces {
        let state = if one.is_open { "captured from" } else { "GONE, waited for" };
        let text =
            format!("{} {state}; {} frames, {} dropped, lost {} times", one.name, one.received, one.dropped, one.lost);
        line("interface", text);
    }
    let all = "everything is looked at".to_owned();
    let shed = format!("{} (for {:.0} s so far)", status.left_out.clone().unwrap_or(all), status.shed_seconds);
    line("load", shed);
    if let Some(blindness) = &status.blindness {
        line("CLIENTS", blindness.clone());
    }
    line("loss", format!("{:.2} % of bytes never arrived, in the last 5 min", status.missing_share * 100.0));
    let learning = status.learning_until.map(|until| format!("until {} UTC", second_of(Timestamp(until))));
    let waiting = |state: &str| {
        let names = status.detectors.iter().filter(|(_, of)| *of == state).map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    if let Some(until) = learning {
        line("learning", format!("{until}; till then silent: {}", waiting("learning")));
        line("", format!("and in part: {}", waiting("ready in part")));
    }
    for (name, of) in status.detectors.iter().filter(|(_, of)| of.starts_with(READY_AFTER)) {
        line("later", format!("{name} is {of}"));
    }
    if !waiting("disabled").is_empty() {
        line("disabled", waiting("disabled"));
    }
    line(
        "known",
        format!("{} endpoints, {} clients, {} principals", status.endpoints, status.clients, status.principals),
    );
    line(
        "state",
        format!(
            "{} on disk, {}; memory {}",
            bytes(status.state_bytes),
            status
                .checkpoint_age_seconds
                .map_or("not written yet".to_owned(), |age| format!("written {} ago", span(age))),
            bytes(status.resident_bytes)
        ),
    );
    if let Some(problem) = &status.checkpoint_problem {
        line("", format!("CANNOT BE WRITTEN: {problem}"));
    }
    for (name, sink) in &status.sinks {
        let error = sink.last_error.as_ref().map_or(String::new(), |error| format!("; last error: {error}"));
        let text = format!("{name}: {} sent, {} waiting, {} given up{error}", sink.sent, sink.queued, sink.dropped);
        line("sink", text);
    }
    let dropped: Vec<String> =
        status.dropped.iter().map(|(name, value)| format!("{} {value}", name.replace('_', " "))).collect();
    line("dropped", if dropped.is_empty() { "nothing dropped, cut or evicted".to_owned() } else { dropped.join(", ") });
    for (index, endpoint) in status.top_endpoints.iter().enumerate() {
        line(if index == 0 { "busiest" } else { "" }, format!("{:>10}  {}", endpoint.requests, endpoint.name));
    }
    line("incidents", format!("{} open", status.open_incidents));
    status.incidents.iter().for_each(|incident| incident_line(&mut text, incident));
    text
}

fn span(seconds: u64) -> String {
    let span = Duration::from_secs(seconds).as_secs();
    match span {
        0..60 => format!("{span} s"),
        60..3600 => format!("{} min", span / 60),
        3600..86_400 => format!("{} h {} min", span / 3600, span % 3600 / 60),
        _ => format!("{} d {} h", span / 86_400, span % 86_400 / 3600),
    }
}

fn bytes(count: u64) -> String {
    format!("{:.1} MiB", count as f64 / f64::from(1 << 20))
}
