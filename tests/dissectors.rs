//! The transactions of real captures are those that independent dissectors saw.

mod support;

use support::{Line, corpus, json_lines, line_of, transactions_of};

fn number(value: &serde_json::Value) -> u16 {
    value.as_u64().and_then(|value| u16::try_from(value).ok()).unwrap_or(0)
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or("").to_string()
}

/// What tshark saw: requests with their status, and responses without a request.
fn tshark(row: &serde_json::Value) -> Vec<Line> {
    let expected = &row["expected"];
    let mut lines: Vec<Line> = expected["transactions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|transaction| transaction["proto"] == "h1")
        .map(|transaction| (text(&transaction["method"]), text(&transaction["uri"]), number(&transaction["status"])))
        .collect();
    for response in expected["unpaired_responses"].as_array().into_iter().flatten() {
        lines.push((String::new(), String::new(), number(response)));
    }
    lines.sort();
    lines
}

/// What Suricata logged.
fn suricata(row: &serde_json::Value) -> Option<Vec<Line>> {
    let transactions = row["peer"]["suricata_run"]["transactions"].as_array()?;
    let mut lines: Vec<Line> =
        transactions.iter().map(|line| (text(&line[0]), text(&line[1]), number(&line[2]))).collect();
    for line in &mut lines {
        // How Suricata writes "no request seen".
        if line.1 == "/libhtp::request_uri_not_seen" {
            line.1.clear();
        }
    }
    lines.sort();
    Some(lines)
}

#[test]
fn survey() {
    let Some(corpus) = corpus() else { return };
    for row in json_lines(&corpus.join("pcap/expected.jsonl")) {
        let file = text(&row["file"]);
        let mut ours: Vec<Line> = transactions_of(&corpus.join(&file)).iter().map(line_of).collect();
        ours.sort();
        let tshark = tshark(&row);
        let suricata = suricata(&row);
        let topic = text(&row["topic"]);
        let equal = ours == tshark || suricata.as_ref() == Some(&ours);
        let any = !tshark.is_empty() || suricata.as_ref().is_some_and(|lines| !lines.is_empty());
        println!(
            "{} {topic} {file} any={any} ours={} tshark={} suricata={:?}",
            if equal { "SAME" } else { "DIFF" },
            ours.len(),
            tshark.len(),
            suricata.as_ref().map(Vec::len)
        );
        if !equal && std::env::var_os("SHOW").is_some_and(|show| file.contains(show.to_str().unwrap())) {
            println!("   ours {ours:#?}\n   tshark {tshark:#?}\n   suricata {suricata:#?}");
        }
    }
}
