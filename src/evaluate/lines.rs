//! Lines of a file that may be hostile: none is longer than a bound, and what is quoted of one is short and harmless.

use super::{EvaluateError, Misfit};
use crate::alert::escape::{escape, fit};
use crate::window::shortened;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A line of truth names every client of an attack: a hundred thousand of them are 2 MB.
const LINE_BYTES: u64 = 16 << 20;
/// Editors of some systems begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Columns of what a message quotes.
const QUOTED_COLUMNS: usize = 60;
/// Characters of a message that quotes a file.
const MESSAGE_CHARACTERS: usize = 1000;
/// Characters that are kept of a name or a sentence of a file.
const KEPT_CHARACTERS: usize = 200;

/// The lines of one file, numbered from 1.
pub struct Lines<R> {
    pub file: String,
    pub number: usize,
    reader: R,
    line: Vec<u8>,
}

impl Lines<BufReader<File>> {
    /// `mend` is what to do where there is no such file.
    pub fn open(path: &Path, mend: &'static str) -> Result<Self, EvaluateError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(opened) => Ok(Lines::new(file, BufReader::new(opened))),
            Err(error) => Err(EvaluateError::Read { file, error, mend }),
        }
    }
}

impl<R: BufRead> Lines<R> {
    pub fn new(file: String, reader: R) -> Lines<R> {
        Lines { file, number: 0, reader, line: Vec::new() }
    }

    /// The next line that is not blank, without its end; none at the end of the file.
    pub fn next(&mut self) -> Result<Option<String>, EvaluateError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| EvaluateError::Read {
                file: self.file.clone(),
                error,
                mend: "nothing was scored",
            })?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LINE_BYTES && !self.line.ends_with(b"\n") {
                return Err(self.misfit(1, format!("a line of more than {} MiB", LINE_BYTES >> 20)).into());
            }
            let text = match std::str::from_utf8(&self.line) {
                Ok(text) => text.trim_start_matches(BYTE_ORDER_MARK).trim_end_matches(['\n', '\r']),
                Err(error) => {
                    return Err(self.misfit(error.valid_up_to() + 1, "expected text in UTF-8".to_owned()).into());
                }
            };
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }

    /// Something wrong at a column of the line read last.
    pub fn misfit(&self, column: usize, message: String) -> Misfit {
        Misfit { file: self.file.clone(), line: self.number, column, message }
    }

    /// The same, as the reader of JSON found it.
    pub fn misfit_of_json(&self, error: &serde_json::Error) -> Misfit {
        // It says the place behind the message; a line of JSON Lines is its line 1.
        let said = error.to_string();
        let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message);
        self.misfit(error.column().max(1), shortened(message, MESSAGE_CHARACTERS))
    }
}

/// Text of a file as a message quotes it.
pub fn quoted(text: &str) -> String {
    let start: String = text.chars().take(QUOTED_COLUMNS + 1).collect(); // escaping a megabyte to show sixty is idle
    format!("`{}`", fit(&escape(&start), QUOTED_COLUMNS))
}

/// Text of a file as it is kept: its start.
pub fn kept(text: &str) -> String {
    shortened(text, KEPT_CHARACTERS)
}
