//! What the checks came to: a table for people, or one JSON object.
//!
//! Names and mends are our own words; what is quoted (paths, names of interfaces) is escaped where it is printed.

use super::traffic::Figures;
use crate::alert::escape::escape;
use crate::alert::human::Style;
use serde::Serialize;
use std::io::{self, Write};

/// The longest name of a check, `configuration`.
const NAME_COLUMNS: usize = 13;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// The sensor works, but sees less, or not for long.
    Warn,
    /// The sensor would not start, or would see nothing of use.
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }

    /// ECMA-48: green, yellow, bold red.
    fn colour(self) -> &'static str {
        match self {
            Verdict::Ok => "32",
            Verdict::Warn => "33",
            Verdict::Fail => "1;31",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    /// What to do; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Check {
    pub fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Ok, found: found.into(), mend: None }
    }

    pub fn warn(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Warn, found: found.into(), mend: Some(mend.into()) }
    }

    pub fn fail(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Fail, found: found.into(), mend: Some(mend.into()) }
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    /// The worst of the checks.
    pub verdict: Verdict,
    pub checks: Vec<Check>,
    /// What was counted, where anything was listened to or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Figures>,
}

impl Report {
    pub fn new(checks: Vec<Check>, traffic: Option<Figures>) -> Report {
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
        Report { verdict, checks, traffic }
    }

    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub fn write_table(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        for check in &self.checks {
            let verdict = format!("{:<4}", check.verdict.name());
            let verdict =
                if style.colour { format!("\x1b[{}m{verdict}\x1b[0m", check.verdict.colour()) } else { verdict };
            writeln!(out, "{verdict}  {:<NAME_COLUMNS$}  {}", check.name, escape(&check.found))?;
            if let Some(mend) = &check.mend {
                writeln!(out, "      {:<NAME_COLUMNS$}  mend: {}", "", escape(mend))?;
            }
        }
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        writeln!(out, "{} ok, {} warn, {} fail", count(Verdict::Ok), count(Verdict::Warn), count(Verdict::Fail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(report: &Report, colour: bool) -> String {
        let mut out = Vec::new();
        report.write_table(&mut out, Style { colour }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_worst_check_is_the_verdict() {
        assert_eq!(Report::new(Vec::new(), None).verdict, Verdict::Ok);
        let warned = vec![Check::warn("clock", "a", "b"), Check::ok("memory", "c")];
        assert_eq!(Report::new(warned.clone(), None).verdict, Verdict::Warn);
        let failed = [warned, vec![Check::fail("frames", "none", "d")]].concat();
        assert_eq!(Report::new(failed, None).verdict, Verdict::Fail);
    }

    #[test]
    fn the_mend_stands_below_its_line_and_quotes_cannot_act_on_the_terminal() {
        let report =
            Report::new(vec![Check::ok("memory", "1 GB"), Check::fail("interface", "\x1b[2Jeth9", "name")], None);
        let text = text_of(&report, false);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().nth(2).unwrap().trim_start().starts_with("mend: name"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        assert!(text.ends_with("1 ok, 0 warn, 1 fail\n"), "{text}");
        assert!(text_of(&report, true).contains("\x1b[1;31mfail\x1b[0m"));
    }
}
