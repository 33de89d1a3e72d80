//! `apitap inventory`: the endpoints of captures, of a running daemon or of a state folder, as a table or as EVE lines.

use super::args::{InventoryArgs, InventoryFormat};
use super::folder::in_folder;
use super::replay::output::Output;
use super::replay::run::{self, Hall, Setup};
use super::replay::threads_of;
use super::sensor::{Sensor, existing};
use crate::alert::escape::{escape, push_padded};
use crate::alert::human::second_of;
use crate::alert::record::{EndpointRecord, write_line};
use crate::alert::{endpoint_records, inventory_records};
use crate::baseline::Store;
use crate::config::Config;
use crate::pipeline::Limits;
use crate::rule::Ruleset;
use crate::service::Request;
use crate::time::Timestamp;
use anyhow::Context;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

pub fn run(args: InventoryArgs) -> anyhow::Result<ExitCode> {
    let (records, has_errors) = if args.files.is_empty() { (of_state(&args)?, false) } else { of_captures(&args)? };
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.format {
        InventoryFormat::Json => {
            let mut line = Vec::new();
            for record in &records {
                line.clear();
                write_line(record, &mut line);
                out.write_all(&line)?;
            }
        }
        InventoryFormat::Table => write_table(&mut out, &records)?,
    }
    out.flush()?;
    Ok(if has_errors { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Of the daemon that has the state, or of a folder that none has.
fn of_state(args: &InventoryArgs) -> anyhow::Result<Vec<EndpointRecord>> {
    let sensor = Sensor::of(&args.daemon)?;
    if sensor.folder_in_use()?.is_some() {
        return serde_json::from_value(sensor.asked(&Request::Inventory)?).context("the daemon is of another version");
    }
    let folder = sensor.folder()?;
    in_folder(folder, || {
        let recovered = existing(folder)?.recover_endpoints()?;
        Ok(endpoint_records(&recovered.store, recovered.singles.newest.unwrap_or(Timestamp(0))))
    })
}

/// Of captures, and whether something of them could not be read.
fn of_captures(args: &InventoryArgs) -> anyhow::Result<(Vec<EndpointRecord>, bool)> {
    let config = Config::load(args.daemon.config.as_deref())?;
    let rules = Arc::new(Ruleset::load(config.rules.folder.as_deref())?);
    let settings = Arc::new(run::settings_of(&config, &rules, &args.openapi)?);
    let described = Arc::clone(&settings);
    let setup = Setup {
        tunnels: config.tunnels(),
        packet_limits: config.packet_limits(),
        rules,
        settings,
        learn: Some(std::time::Duration::MAX),
        threads: threads_of(args.threads),
        limits: config.store_limits(),
        partition: Limits::of(&config),
        filter: None,
        redact: Default::default(),
        show_progress: !args.no_progress,
        is_frozen: false,
        store: Arc::new(Store::default()),
        key: None,
        learned: Vec::new(),
        learn_until: None,
        counters: Default::default(),
        odds: Vec::new(),
        incidents: None,
        keeps_incidents: false,
        newest: None,
        not_before: None,
    };
    let nobody: Hall = Arc::new(Mutex::new(Output::quiet()));
    let outcome = run::run(setup, &[], &args.files, &nobody)?;
    outcome.notes.iter().for_each(|note| super::note(note));
    outcome.errors.iter().for_each(|error| super::note(&error.to_string()));
    let now = outcome.last_frame.unwrap_or(Timestamp(0));
    let records = inventory_records(outcome.judge.store(), &described.catalogue, now);
    Ok((records, !outcome.errors.is_empty()))
}

const HEADINGS: [&str; 11] = [
    "ENDPOINT",
    "REQUESTS",
    "PER MIN",
    "STATUS",
    "P50 MS",
    "P99 MS",
    "CREDENTIALS",
    "DATA",
    "FIRST SEEN",
    "LAST SEEN",
    "LISTED",
];

fn write_table(out: &mut impl Write, records: &[EndpointRecord]) -> std::io::Result<()> {
    let mut rows: Vec<Vec<String>> = vec![HEADINGS.iter().map(|heading| (*heading).to_string()).collect()];
    rows.extend(records.iter().map(row_of));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &rows {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            push_padded(&mut line, text, *width);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn row_of(record: &EndpointRecord) -> Vec<String> {
    let detail = &record.apitap;
    let pairs = |items: &mut dyn Iterator<Item = String>| {
        let joined = items.collect::<Vec<_>>().join(" ");
        if joined.is_empty() { "-".to_string() } else { joined }
    };
    vec![
        escape(&format!("{} {}{}", detail.method, detail.host, detail.template)).into_owned(),
        detail.requests.to_string(),
        format!("{:.1}", detail.rate_per_minute),
        pairs(&mut detail.status.iter().map(|(status, count)| format!("{status}×{count}"))),
        detail.latency_ms.map_or("-".into(), |latency| format!("{:.1}", latency.p50)),
        detail.latency_ms.map_or("-".into(), |latency| format!("{:.1}", latency.p99)),
        pairs(&mut detail.credentials.iter().map(|(kind, count)| format!("{kind}×{count}"))),
        pairs(&mut detail.data.iter().map(|(class, count)| format!("{class}×{count}"))),
        detail.first_seen.map_or("never".into(), second_of),
        detail.last_seen.map_or("never".into(), second_of),
        match detail.documented {
            None => "-",
            Some(true) if detail.requests == 0 => "unused",
            Some(true) => "yes",
            Some(false) => "NO",
        }
        .to_string(),
    ]
}
