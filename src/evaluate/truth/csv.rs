//! A truth in CSV (RFC 4180): a header line that names the columns, in any order, and a row for each stretch of traffic; or
//! a row for each transaction (`timestamp`, `label`, and `src_ip` if known), as public data sets come.
//!
//! Lists within a field are parted by `;`. A field with commas stands in quotes, and ends on its line.

use super::entry::{Client, Detector, Endpoint, Entry, Name, Time, Worst};
use super::{Attack, Scope, Truth};
use crate::evaluate::lines::{Lines, kept, quoted};
use crate::evaluate::{EvaluateError, Misfit};
use crate::rule::did_you_mean;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

const OF_STRETCHES: [&str; 11] = [
    "attack",
    "benign",
    "level",
    "start",
    "end",
    "clients",
    "endpoints",
    "detectors",
    "may",
    "max_severity",
    "transactions",
];
const OF_TRANSACTIONS: [&str; 3] = ["timestamp", "src_ip", "label"];
/// Labels of ordinary transactions; any other names an attack.
const ORDINARY: [&str; 6] = ["", "-", "0", "benign", "normal", "ordinary"];

/// By label: first and last transaction, and the clients.
type Labelled = BTreeMap<String, (Timestamp, Timestamp, BTreeSet<String>)>;

/// A field and the column of its first character, from 1.
struct Field {
    text: String,
    column: usize,
}

pub fn parse(header: String, mut lines: Lines<impl BufRead>) -> Result<Truth, EvaluateError> {
    let names = fields_of(&header, &lines)?;
    let is_of_transactions = names.iter().any(|name| name.text.trim() == "label");
    let known: &[&str] = if is_of_transactions { &OF_TRANSACTIONS } else { &OF_STRETCHES };
    let mut columns = Vec::new();
    for name in names {
        let Some(column) = known.iter().find(|known| **known == name.text.trim()) else {
            let hint = did_you_mean(&kept(&name.text), known.iter().copied());
            let message =
                format!("there is no column {}; expected some of {}{hint}", quoted(&name.text), known.join(", "));
            return Err(lines.misfit(name.column, message).into());
        };
        if columns.contains(column) {
            return Err(lines.misfit(name.column, format!("the column `{column}` comes twice")).into());
        }
        columns.push(*column);
    }
    let mut truth = Truth::default();
    let mut labelled = Labelled::new();
    while let Some(line) = lines.next()? {
        let fields = fields_of(&line, &lines)?;
        if fields.len() != columns.len() {
            let message = format!("{} fields; expected {}, as the first line has", fields.len(), columns.len());
            return Err(lines.misfit(line.chars().count() + 1, message).into());
        }
        let row = columns.iter().copied().zip(fields);
        if is_of_transactions {
            take_transaction(row, &mut labelled, &lines)?;
        } else {
            let entry = entry_of(row, &lines)?;
            truth.add(entry.stretch().map_err(|message| lines.misfit(1, message))?);
        }
    }
    for (name, (start, end, clients)) in labelled {
        let scope = Scope {
            start,
            end,
            clients: clients.iter().flat_map(|text| text.parse()).collect(),
            endpoints: Vec::new(),
        };
        let level = "-".to_owned();
        truth.attacks.push(Attack { name, level, scope, detectors: BTreeSet::new(), may: BTreeSet::new() });
    }
    Ok(truth)
}

fn entry_of(row: impl Iterator<Item = (&'static str, Field)>, lines: &Lines<impl BufRead>) -> Result<Entry, Misfit> {
    let mut entry = Entry::default();
    for (column, field) in row {
        if field.text.trim().is_empty() {
            continue;
        }
        let refuse = |message: String| lines.misfit(field.column, format!("column `{column}`: {message}"));
        match column {
            "attack" => entry.attack = Some(Name::try_from(field.text).map_err(refuse)?),
            "benign" => entry.benign = Some(Name::try_from(field.text).map_err(refuse)?),
            "level" => entry.level = Some(Name::try_from(field.text).map_err(refuse)?),
            "start" => entry.start = Some(Time::try_from(field.text).map_err(refuse)?),
            "end" => entry.end = Some(Time::try_from(field.text).map_err(refuse)?),
            "clients" => entry.clients = list_of::<Client>(&field.text).map_err(refuse)?,
            "endpoints" => entry.endpoints = list_of::<Endpoint>(&field.text).map_err(refuse)?,
            "detectors" => entry.detectors = list_of::<Detector>(&field.text).map_err(refuse)?,
            "may" => entry.may = Some(list_of::<Detector>(&field.text).map_err(refuse)?),
            "max_severity" => entry.max_severity = Some(Worst::try_from(field.text).map_err(refuse)?),
            _ => {} // `transactions`, on which nothing depends
        }
    }
    Ok(entry)
}

fn list_of<T: TryFrom<String, Error = String>>(text: &str) -> Result<Vec<T>, String> {
    text.split(';').filter(|item| !item.trim().is_empty()).map(|item| T::try_from(item.to_owned())).collect()
}

/// Transactions with one label are one attack, from the first to the last of them.
fn take_transaction(
    row: impl Iterator<Item = (&'static str, Field)>,
    labelled: &mut Labelled,
    lines: &Lines<impl BufRead>,
) -> Result<(), Misfit> {
    let (mut time, mut client, mut label): (Option<Timestamp>, Option<Client>, Option<Name>) = (None, None, None);
    for (column, field) in row {
        let refuse = |message: String| lines.misfit(field.column, format!("column `{column}`: {message}"));
        match column {
            "timestamp" => time = Some(Time::try_from(field.text).map_err(refuse)?.0),
            "src_ip" if !field.text.trim().is_empty() => client = Some(Client::try_from(field.text).map_err(refuse)?),
            "label" if !ORDINARY.contains(&field.text.trim().to_ascii_lowercase().as_str()) => {
                label = Some(Name::try_from(field.text).map_err(refuse)?);
            }
            _ => {}
        }
    }
    let time = time.ok_or_else(|| lines.misfit(1, "there is no column `timestamp`".to_owned()))?;
    let Some(Name(label)) = label else { return Ok(()) };
    let (start, end, clients) = labelled.entry(label).or_insert((time, time, BTreeSet::new()));
    (*start, *end) = ((*start).min(time), (*end).max(time));
    clients.extend(client.map(|Client(network)| network.to_string()));
    Ok(())
}

/// The fields of a line.
fn fields_of(line: &str, lines: &Lines<impl BufRead>) -> Result<Vec<Field>, Misfit> {
    let mut fields = Vec::new();
    let mut rest = line;
    let mut column = 1;
    loop {
        let (text, taken) = if let Some(inside) = rest.strip_prefix('"') {
            let (text, taken) = quoted_field(inside)
                .ok_or_else(|| lines.misfit(column, "a field in quotes that does not end on its line".to_owned()))?;
            (text, taken + 1)
        } else {
            let taken = rest.find(',').unwrap_or(rest.len());
            (rest[..taken].to_owned(), taken)
        };
        fields.push(Field { text, column });
        column += rest[..taken].chars().count();
        rest = &rest[taken..];
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => return Ok(fields),
            None => return Err(lines.misfit(column, "expected a comma behind a field in quotes".to_owned())),
        }
        column += 1;
    }
}

/// What stands in quotes, and the bytes up to behind the closing one. A doubled quote stands for itself.
fn quoted_field(inside: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = 0;
    loop {
        let end = at + inside[at..].find('"')?;
        text.push_str(&inside[at..end]);
        at = end + 1;
        if !inside[at..].starts_with('"') {
            return Some((text, at));
        }
        text.push('"');
        at += 1;
    }
}
