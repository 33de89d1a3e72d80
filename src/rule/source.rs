//! A file of rules or of configuration: read, laid over its embedded default, checked value by value.
//!
//! In goes TOML text, in one or more layers, out comes a typed value, or a [`RuleError`] that names file, line and mend.
//! Keys that a layer leaves out keep the value below it (tables are laid over each other key by key, lists are replaced).
//! Refused: unknown keys (with the nearest known one), wrong types, values out of range, files above [`FILE_BYTES`].

use super::nearest::did_you_mean;
use super::severity::Severity;
use serde::Deserialize;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Such a file is written by hand; what is larger is something else.
pub const FILE_BYTES: u64 = 1 << 20;

/// What is wrong with rules or configuration, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("{}: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },
    /// A TOML file that no detector reads: most likely a misspelt name, whose rules would silently not hold.
    #[error("{}: no rules file has this name{hint}; the names are {}", path.display(), known.join(", "))]
    UnknownFile { path: PathBuf, hint: String, known: Vec<&'static str> },
    /// `place` is `FILE:LINE`, or the variable of the environment.
    #[error("{place}: {message}")]
    Invalid { place: String, message: String },
}

/// The text of one layer, and how messages call its lines.
pub(crate) struct Source {
    origin: Origin,
    text: String,
}

enum Origin {
    File(String),
    /// The variable that each line was made of.
    Environment(Vec<String>),
}

impl Source {
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Source {
        Source { origin: Origin::File(file.into()), text: text.into() }
    }

    /// Overrides from the environment: the name of a variable, and the line of TOML that it stands for.
    pub fn of_environment(overrides: impl IntoIterator<Item = (String, String)>) -> Source {
        let (variables, lines): (Vec<String>, Vec<String>) = overrides.into_iter().unzip();
        Source { origin: Origin::Environment(variables), text: lines.join("\n") }
    }

    pub fn read(path: &Path) -> Result<Source, RuleError> {
        let unreadable = |message: String| RuleError::Unreadable { path: path.to_owned(), message };
        let cannot =
            |error: std::io::Error| unreadable(format!("cannot be read: {error}; make it readable, or name another"));
        let bytes = std::fs::metadata(path).map_err(cannot)?.len();
        if bytes > FILE_BYTES {
            return Err(unreadable(format!("has {bytes} bytes; it may have at most {FILE_BYTES}")));
        }
        let text = std::fs::read(path).map_err(cannot)?;
        let text = String::from_utf8(text).map_err(|error| {
            unreadable(format!("is not UTF-8 at byte {}; save it as UTF-8", error.utf8_error().valid_up_to()))
        })?;
        Ok(Source::new(path.display().to_string(), text))
    }

    pub fn invalid(&self, span: Option<Range<usize>>, message: &str) -> RuleError {
        let before = self.text.get(..span.map_or(0, |span| span.start)).unwrap_or_default();
        let lines_before = before.bytes().filter(|&byte| byte == b'\n').count();
        let place = match &self.origin {
            Origin::File(file) => format!("{file}:{}", lines_before + 1),
            Origin::Environment(variables) => variables.get(lines_before).cloned().unwrap_or_default(),
        };
        RuleError::Invalid { place, message: message.to_owned() }
    }

    fn table(&self) -> Result<DeTable<'_>, RuleError> {
        let table = DeTable::parse(&self.text).map_err(|error| self.invalid(error.span(), error.message()))?;
        Ok(table.into_inner())
    }

    /// Where a key stands; nothing where its value came from the default.
    fn span_of(&self, path: &[&str]) -> Option<Range<usize>> {
        let document = DeTable::parse(&self.text).ok()?;
        let (last, tables) = path.split_last()?;
        let mut table = document.get_ref();
        for name in tables {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        table.get_key_value(*last).map(|(key, _)| key.span())
    }
}

/// The typed content of layers, from the lowest to the highest; what all of them leave out is taken from `default`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(default: &'a str, layers: &'a [Source]) -> Result<T, RuleError> {
    let embedded =
        |error: toml::de::Error| Source::new("the embedded default", default).invalid(error.span(), error.message());
    let mut whole = DeTable::parse(default).map_err(embedded)?;
    for source in layers {
        // Each by itself, so that a span is known to be one of this text.
        let mut alone = DeTable::parse(default).map_err(embedded)?;
        lay_over(alone.get_mut(), source.table()?);
        T::deserialize(toml::Deserializer::from(alone))
            .map_err(|error| source.invalid(error.span(), &with_nearest(error.message())))?;
        lay_over(whole.get_mut(), source.table()?);
    }
    T::deserialize(toml::Deserializer::from(whole)).map_err(embedded)
}

/// Tables are joined, everything else is replaced; keys keep the place where they were written last.
fn lay_over<'a>(table: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, mut value) in over {
        let mut below = table.remove(key.get_ref().as_ref());
        if let Some(DeValue::Table(lower)) = below.as_mut().map(Spanned::get_mut)
            && let DeValue::Table(upper) = value.get_mut()
        {
            lay_over(lower, std::mem::take(upper));
            std::mem::swap(lower, upper);
        }
        table.insert(key, value);
    }
}

/// serde's message for an unknown key or variant, and the known one that is nearest.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(typed), true) = (quoted.next(), message.starts_with("unknown ")) else { return message.to_owned() };
    format!("{message}{}", did_you_mean(typed, quoted))
}

/// Checks the values of one file, with its layers, and keeps the first that is out of range.
pub(crate) struct Check<'a> {
    layers: &'a [Source],
    path: Vec<&'static str>,
    error: Option<RuleError>,
}

impl<'a> Check<'a> {
    pub fn new(layers: &'a [Source]) -> Check<'a> {
        Check { layers, path: Vec::new(), error: None }
    }

    pub fn finish(self) -> Result<(), RuleError> {
        self.error.map_or(Ok(()), Err)
    }

    pub fn table(&mut self, name: &'static str, checks: impl FnOnce(&mut Self)) {
        self.path.push(name);
        checks(self);
        self.path.pop();
    }

    pub fn fail(&mut self, key: &'static str, message: &str) {
        let Some(lowest) = self.layers.first() else { return }; // nothing but the embedded default, which a test checks
        if self.error.is_none() {
            self.path.push(key);
            let found = |path: &[&str]| {
                self.layers.iter().rev().find_map(|source| source.span_of(path).map(|span| (source, span)))
            };
            self.error = Some(match found(&self.path) {
                Some((source, span)) => source.invalid(Some(span), message),
                // A default may be out of range too: beside another value that a layer changed.
                None => {
                    let message = format!("{message} (its value is the default)");
                    match found(&self.path[..self.path.len() - 1]) {
                        // `key` was pushed
                        Some((source, span)) => source.invalid(Some(span), &message),
                        None => lowest.invalid(None, &message),
                    }
                }
            });
            self.path.pop();
        }
    }

    pub fn at_least(&mut self, key: &'static str, value: u64, least: u64) {
        if value < least {
            self.fail(key, &format!("`{key}` is {value}; it must be at least {least}"));
        }
    }

    pub fn within<T: PartialOrd + Display>(&mut self, key: &'static str, value: T, least: T, most: T) {
        // Negated, so that what is not a number fails.
        if !(value >= least && value <= most) {
            self.fail(key, &format!("`{key}` is {value}; it must be from {least} to {most}"));
        }
    }

    pub fn share(&mut self, key: &'static str, value: f64) {
        self.within(key, value, 0.0, 1.0);
    }

    /// How many times the normal.
    pub fn factor(&mut self, key: &'static str, value: f64) {
        self.within(key, value, 1.0, 1e6);
    }

    /// Observations that a baseline weighs.
    pub fn strength(&mut self, key: &'static str, value: f64) {
        self.within(key, value, 1.0, 1e6);
    }

    pub fn seconds(&mut self, key: &'static str, value: u64) {
        if !SPANS_SECONDS.contains(&value) {
            let spans = "600, 3600, 21600 or 86400, the spans that are kept";
            self.fail(key, &format!("`{key}` is {value}; it must be {spans}"));
        }
    }

    pub fn horizons(&mut self, key: &'static str, seconds: &[u64]) {
        if seconds.is_empty() || seconds.len() > MAX_HORIZONS {
            self.fail(key, &format!("`{key}` has {} spans; it must have 1 to {MAX_HORIZONS}", seconds.len()));
        }
        for &span in seconds {
            self.seconds(key, span);
        }
        if seconds.windows(2).any(|pair| pair[0] >= pair[1]) {
            self.fail(key, &format!("`{key}` must go from the shortest span to the longest"));
        }
    }

    pub fn text(&mut self, key: &'static str, value: &str) {
        if value.trim().is_empty() || value.chars().any(char::is_control) {
            self.fail(key, &format!("`{key}` must be a line of text"));
        }
    }

    /// A list of names or patterns: none empty.
    pub fn names(&mut self, key: &'static str, values: &[String]) {
        if values.iter().any(|value| value.trim().is_empty()) {
            self.fail(key, &format!("`{key}` has an empty name; take it out"));
        }
    }

    pub fn statuses(&mut self, key: &'static str, statuses: &[u16], range: RangeInclusive<u16>) {
        let (least, most) = (range.start(), range.end());
        for &status in statuses {
            if !range.contains(&status) {
                self.fail(key, &format!("`{key}` has {status}; it must have statuses from {least} to {most}"));
            }
        }
    }

    /// A severity that stands for something worse than another.
    pub fn not_below(&mut self, key: &'static str, value: Severity, least: Severity, of: &str) {
        if value < least {
            self.fail(key, &format!("`{key}` is {value}; it must not be below {of}, which is {least}"));
        }
    }
}

/// The spans of the tiers that the store keeps: nothing else can be judged.
pub(crate) const SPANS_SECONDS: [u64; 4] = [600, 3_600, 21_600, 86_400];
const MAX_HORIZONS: usize = SPANS_SECONDS.len();
