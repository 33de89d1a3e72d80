//! Alerts for people: one aligned line each, and the details below it on demand.
//!
//! In: an alert record, as `replay` makes it and as `tail` reads it back. Out: text for a terminal or a pipe. All that
//! came off the wire is escaped; colour appears on a terminal that wants it and nowhere else.

use super::escape::{escape, fit, push_padded, width};
use super::record::{AlertDetail, AlertRecord, Evidence, IncidentState, Severity, SubjectKind, TimelineEntry};
use crate::time::Timestamp;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Columns. Longer texts push what follows to the right, up to the `MOST` that keep one line readable.
const SEVERITY_COLUMNS: usize = "CRITICAL".len();
const DETECTOR_COLUMNS: usize = "unauthenticated_data_exposure".len();
const ENDPOINT_COLUMNS: usize = 40;
const ENDPOINT_COLUMNS_MOST: usize = 80;
const ORIGIN_COLUMNS: usize = 33;
const ORIGIN_COLUMNS_MOST: usize = 64;
/// A sentence is far shorter; this bounds what a hostile log could print.
const TEXT_COLUMNS_MOST: usize = 1000;
/// Client addresses spelled out in the details.
const CLIENTS_SHOWN: usize = 10;
/// Accounts.
const ACCOUNTS_SHOWN: usize = 8;

/// How lines are to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    pub colour: bool,
}

/// What of the environment decides on colour.
#[derive(Clone, Default, Debug)]
pub struct Environment {
    pub no_color: Option<String>,
    pub clicolor_force: Option<String>,
    pub term: Option<String>,
    pub is_terminal: bool,
}

impl Style {
    /// For standard output as it is.
    pub fn of_stdout() -> Style {
        let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Style::decided_by(&Environment {
            no_color: variable("NO_COLOR"),
            clicolor_force: variable("CLICOLOR_FORCE"),
            term: variable("TERM"),
            is_terminal: std::io::stdout().is_terminal(),
        })
    }

    /// `NO_COLOR` (set and not empty, <https://no-color.org>) forbids colour, then `CLICOLOR_FORCE` (set and not `0`,
    /// <https://bixense.com/clicolors>) demands it; else a terminal gets it unless `TERM` is `dumb` or missing.
    pub fn decided_by(environment: &Environment) -> Style {
        let is_set = |value: &Option<String>, off: &str| value.as_deref().is_some_and(|v| !v.is_empty() && v != off);
        let colour = if is_set(&environment.no_color, "") {
            false
        } else if is_set(&environment.clicolor_force, "0") {
            true
        } else {
            environment.is_terminal && is_set(&environment.term, "dumb")
        };
        Style { colour }
    }

    fn paint(self, text: &str, paint: Paint) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", paint.code()) } else { text.to_owned() }
    }
}

/// The few colours used; they read on dark and on light backgrounds.
#[derive(Clone, Copy)]
enum Paint {
    Severity(Severity),
    Dim,
    Bold,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Severity(Severity::Critical) => "1;97;41",
            Paint::Severity(Severity::High) => "1;31",
            Paint::Severity(Severity::Medium) => "33",
            Paint::Severity(Severity::Low) => "36",
            Paint::Dim => "2",
            Paint::Bold => "1",
        }
    }
}

/// Writes one alert: its line, and with `details` the block below it.
pub fn write_alert(out: &mut dyn Write, record: &AlertRecord, style: Style, details: bool) -> std::io::Result<()> {
    out.write_all(line(record, style).as_bytes())?;
    out.write_all(b"\n")?;
    if details {
        out.write_all(self::details(record, style).as_bytes())?;
    }
    Ok(())
}

/// `2025-11-23 10:04:10  HIGH      credential_stuffing   POST api.shop.example/v1/login   from 203.0.113.7 (51 clients)
/// 412 failed logins for 380 users in 2m; 3 succeeded`, without the line feed.
pub fn line(record: &AlertRecord, style: Style) -> String {
    let alert = &record.apitap;
    let mut line = String::with_capacity(240);
    line.push_str(&style.paint(&second_of(record.timestamp), Paint::Dim));
    line.push_str("  ");
    let severity = format!("{:<SEVERITY_COLUMNS$}", alert.severity.name().to_uppercase());
    line.push_str(&style.paint(&severity, Paint::Severity(alert.severity)));
    line.push_str("  ");
    let detector = fit(&escape(&alert.detector), ENDPOINT_COLUMNS_MOST).into_owned();
    line.push_str(&style.paint(&detector, Paint::Bold));
    line.extend(std::iter::repeat_n(' ', DETECTOR_COLUMNS.saturating_sub(width(&detector))));
    line.push_str("  ");
    push_padded(&mut line, &fit(&escape(&place_of(alert)), ENDPOINT_COLUMNS_MOST), ENDPOINT_COLUMNS);
    line.push_str("  ");
    push_padded(&mut line, &fit(&escape(&origin_of(alert)), ORIGIN_COLUMNS_MOST), ORIGIN_COLUMNS);
    line.push_str("  ");
    line.push_str(&fit(&escape(&alert.observed), TEXT_COLUMNS_MOST));
    match alert.state {
        IncidentState::Opened => {}
        IncidentState::Updated => line.push_str(&style.paint("  (update)", Paint::Dim)),
        IncidentState::Closed => line.push_str(&style.paint("  (closed)", Paint::Dim)),
    }
    line
}

/// The block of `-v`: what was expected, how unlikely it was, who, when, the evidence, what to do. Ends with a line feed.
pub fn details(record: &AlertRecord, style: Style) -> String {
    let alert = &record.apitap;
    let mut block = String::with_capacity(1024);
    let mut row = |name: &str, text: &str| {
        let label = style.paint(&format!("{name:<11}"), Paint::Dim);
        let _ = writeln!(block, "    {label} {}", fit(&escape(text), TEXT_COLUMNS_MOST)); // a String takes all
    };
    row("observed", &alert.observed);
    if let Some(expected) = &alert.expected {
        row("expected", expected);
    }
    if let Some(probability) = alert.probability {
        row("probability", &probability_text(probability));
    }
    row("about", &format!("{} {}", alert.subject.kind.name(), alert.subject.value));
    for (name, value) in [("principal", &alert.principal), ("network", &alert.network)] {
        if let Some(value) = value {
            row(name, value);
        }
    }
    if let Some(clients) = &alert.clients {
        let shown: Vec<String> = clients.sample.iter().take(CLIENTS_SHOWN).map(ToString::to_string).collect();
        row("clients", &listed(&shown, clients.count));
    }
    if !alert.accounts.is_empty() {
        let shown = &alert.accounts[..alert.accounts.len().min(ACCOUNTS_SHOWN)];
        let accounts = listed(shown, alert.accounts.len() as u64);
        row("opened", &format!("{accounts}; `apitap state account NAME` gives the hash of a name"));
    }
    let (first, last) = (second_of(alert.first_seen), second_of(alert.last_seen));
    row("seen", &format!("{first} to {last} UTC, {} transactions", alert.count));
    for entry in &alert.timeline {
        row("timeline", &timeline_text(entry));
    }
    for evidence in &alert.evidence {
        row("evidence", &evidence_text(evidence));
    }
    if !alert.marks.is_empty() {
        row("marked", &alert.marks.join(", "));
    }
    if let Some(owasp) = &alert.owasp {
        row("owasp", owasp);
    }
    row("incident", &format!("{} ({})", alert.incident, state_name(alert.state)));
    row("advice", &alert.advice);
    block
}

/// Those that are shown of so many.
fn listed(shown: &[String], count: u64) -> String {
    match count.saturating_sub(shown.len() as u64) {
        0 => shown.join(", "),
        left_out => format!("{} and {left_out} more", shown.join(", ")),
    }
}

/// `2025-11-23 10:04:10`, UTC.
pub fn second_of(time: Timestamp) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Where it happens: the endpoint, else what the incident is about if that is not the origin.
fn place_of(alert: &AlertDetail) -> String {
    match (&alert.endpoint, alert.subject.kind) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, SubjectKind::Endpoint | SubjectKind::Host | SubjectKind::Account | SubjectKind::Sensor) => {
            alert.subject.value.clone()
        }
        (None, SubjectKind::Client | SubjectKind::Principal | SubjectKind::Network) => "many endpoints".to_owned(),
    }
}

/// Who does it: `from 203.0.113.7 (51 clients)`.
fn origin_of(alert: &AlertDetail) -> String {
    let count = alert.clients.as_ref().map_or(0, |clients| clients.count);
    let sampled = alert.clients.as_ref().and_then(|clients| clients.sample.first().copied());
    let by_address = || alert.client.or(sampled).map(|client| client.to_string());
    let who = match alert.subject.kind {
        SubjectKind::Network => alert.network.clone().or_else(by_address),
        SubjectKind::Principal => Some(alert.principal.as_ref().unwrap_or(&alert.subject.value).clone()),
        _ => by_address().or_else(|| alert.network.clone()).or_else(|| alert.principal.clone()),
    };
    match (who, count) {
        (None, _) => String::new(),
        (Some(who), 0 | 1) => format!("from {who}"),
        (Some(who), count) => format!("from {who} ({count} clients)"),
    }
}

/// How likely, in words.
pub fn probability_text(probability: f64) -> String {
    /// Below this a reader counts zeros.
    const SMALLEST_PLAIN: f64 = 0.001;
    let figure = if probability < SMALLEST_PLAIN { format!("{probability:.0e}") } else { format!("{probability:.3}") };
    format!("{figure}, of counts this extreme if nothing had changed")
}

fn evidence_text(evidence: &Evidence) -> String {
    let http = &evidence.http;
    let mut text = second_of(evidence.timestamp);
    // A String takes all that is written to it.
    let _ = write!(text, "  {}:{}", evidence.src_ip, evidence.src_port);
    let _ = write!(text, "  {}", http.http_method.as_deref().unwrap_or("?"));
    let _ = write!(text, " {}{}", http.hostname.as_deref().unwrap_or(""), http.url.as_deref().unwrap_or(""));
    if let Some(status) = http.status {
        let _ = write!(text, "  {status}");
    }
    if let Some(length) = http.length {
        let _ = write!(text, "  {length} bytes");
    }
    text
}

fn timeline_text(entry: &TimelineEntry) -> String {
    let (first, last) = (second_of(entry.first_seen), second_of(entry.last_seen));
    format!("{first} to {last}  {} ({}): {}", entry.detector, entry.severity.name(), entry.observed)
}

/// A span in its largest unit that divides it: `10m`, `6h`, `1d`.
pub fn duration_text(span: Duration) -> String {
    let seconds = span.as_secs();
    match [(86_400, "d"), (3600, "h"), (60, "m")]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

fn state_name(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Opened => "opened",
        IncidentState::Updated => "updated",
        IncidentState::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::samples;

    const PLAIN: Style = Style { colour: false };

    #[test]
    fn an_alert_is_one_aligned_line() {
        assert_eq!(
            line(&samples::alert(), PLAIN),
            "2025-11-23 10:04:10  HIGH      credential_stuffing            POST api.shop.example/v1/login            \
             from 203.0.113.7 (51 clients)      412 failed logins for 380 users in 2m; 3 succeeded"
        );
    }

    #[test]
    fn the_details_say_what_was_expected_how_unlikely_and_what_to_do() {
        let text = details(&samples::alert(), PLAIN);
        for fact in [
            "expected    under 5 failed logins in 2m",
            "probability 1e-40, of counts this extreme",
            "clients     198.51.100.9, 203.0.113.7 and 49 more",
            "seen        2025-11-23 10:02:10 to 2025-11-23 10:04:09 UTC, 415 transactions",
            "evidence    2025-11-23 10:02:10  203.0.113.7:40112  POST api.shop.example/v1/login  401  42 bytes",
            "incident    9f3c00aa12de4b71 (opened)",
            "advice      ",
        ] {
            assert!(text.contains(fact), "{fact} is missing in\n{text}");
        }
    }

    #[test]
    fn nothing_off_the_wire_reaches_the_terminal_raw() {
        let mut record = samples::alert();
        record.apitap.endpoint = Some("GET x/\x1b]0;owned\x07".to_owned());
        record.apitap.observed = "a\nb\u{202e}".to_owned();
        record.apitap.evidence[0].http.url = Some("/\x1b[2J".into());
        let text = line(&record, PLAIN) + &details(&record, PLAIN);
        assert!(text.chars().all(|c| c == '\n' || !crate::alert::escape::is_unsafe(c)), "{text:?}");
        assert_eq!(line(&record, PLAIN).lines().count(), 1);
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let record = samples::alert();
        let coloured = line(&record, Style { colour: true });
        assert!(coloured.contains("\x1b[1;31mHIGH"));
        let mut stripped = String::new();
        for (i, part) in coloured.split('\x1b').enumerate() {
            stripped.push_str(if i == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        assert_eq!(stripped, line(&record, PLAIN));
    }

    #[test]
    fn an_incident_of_a_network_names_the_network() {
        let mut record = samples::alert();
        record.apitap.subject.kind = SubjectKind::Network;
        record.apitap.network = Some("203.0.113.0/24".to_owned());
        record.apitap.state = IncidentState::Closed;
        let text = line(&record, PLAIN);
        assert!(text.contains("from 203.0.113.0/24 (51 clients)") && text.ends_with("(closed)"), "{text}");
    }

    #[test]
    fn no_color_wins_then_clicolor_force_then_the_terminal() {
        let decide = |no_color: Option<&str>, force: Option<&str>, term: &str, is_terminal| {
            let own = |value: Option<&str>| value.map(str::to_owned);
            let term = Some(term.to_owned());
            Style::decided_by(&Environment { no_color: own(no_color), clicolor_force: own(force), term, is_terminal })
                .colour
        };
        assert!(decide(None, None, "xterm", true));
        assert!(!decide(None, None, "xterm", false));
        assert!(!decide(None, None, "dumb", true));
        assert!(!decide(Some("1"), Some("1"), "xterm", true));
        assert!(decide(Some(""), Some("1"), "xterm", false));
        assert!(!decide(None, Some("0"), "xterm", false));
        assert!(!decide(None, None, "", true));
    }
}
