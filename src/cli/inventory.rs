//! `apitap inventory`: the endpoints of captures or of a sensor's state, as a table or as EVE lines.

use super::args::{InventoryArgs, InventoryFormat};
use super::replay::output::Output;
use super::replay::run::{self, Setup};
use super::replay::threads_of;
use crate::alert::endpoint_records;
use crate::alert::escape::{escape, push_padded};
use crate::alert::human::second_of;
use crate::alert::record::{EndpointRecord, write_line};
use crate::baseline::persist::probe;
use crate::baseline::{State, Store};
use crate::config::Config;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

pub fn run(args: InventoryArgs) -> anyhow::Result<ExitCode> {
    let mut has_errors = false;
    let (store, now) = match &args.state {
        Some(folder) if args.files.is_empty() => {
            let state = State::open_existing(folder, probe::in_child)?;
            state.notes().iter().for_each(|note| super::note(note));
            let recovered = state.recover_endpoints()?;
            (Arc::new(recovered.store), recovered.singles.newest.unwrap_or(Timestamp(0)))
        }
        _ => {
            let config = Config::load(args.config.as_deref())?;
            let rules = Arc::new(Ruleset::load(config.rules.folder.as_deref())?);
            let settings = Arc::new(run::settings_of(&config, &rules, &args.openapi)?);
            let setup = Setup {
                rules,
                settings,
                learn: Some(std::time::Duration::MAX),
                threads: threads_of(args.threads),
                filter: None,
                redact: Default::default(),
                show_progress: !args.no_progress,
                is_frozen: false,
                store: Arc::new(Store::default()),
                key: None,
                learned: Vec::new(),
                counters: Default::default(),
                incidents: None,
                keeps_incidents: false,
                not_before: None,
            };
            let output = Arc::new(Mutex::new(Output::quiet()));
            let outcome = run::run(setup, &[], &args.files, &output)?;
            for error in &outcome.errors {
                super::note(&error.to_string());
                has_errors = true;
            }
            (Arc::clone(outcome.judge.store()), outcome.last_frame.unwrap_or(Timestamp(0)))
        }
    };
    let records = endpoint_records(&store, now);
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

const HEADINGS: [&str; 10] =
    ["ENDPOINT", "REQUESTS", "PER MIN", "STATUS", "P50 MS", "P99 MS", "CREDENTIALS", "DATA", "FIRST SEEN", "LISTED"];

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
        second_of(detail.first_seen),
        match detail.documented {
            None => "-",
            Some(true) => "yes",
            Some(false) => "NO",
        }
        .to_string(),
    ]
}
