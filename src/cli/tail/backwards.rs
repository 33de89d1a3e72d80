//! Where in a log the last matching alerts begin, found from its end.

use super::{Filter, Line, Lines, read_line};
use crate::alert::lines_backwards;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;

/// The offset from which reading on shows the last matches, as many as are asked for.
///
/// `is_growing`: a last line without its line feed is still being written and does not count yet.
pub fn start_of_last(file: &File, lines: Lines, filter: &Filter, is_growing: bool) -> io::Result<u64> {
    let end = file.metadata()?.len();
    let most = match lines {
        Lines::Last(most) => most,
        Lines::All if filter.since.is_none() => return Ok(0),
        Lines::All => usize::MAX,
    };
    let (mut found, mut start, mut last_line) = (0, None, true);
    // Where nothing matches, reading on starts at the line being written.
    let mut end_of_lines = end;
    lines_backwards(file, end, &mut |offset, line| {
        if std::mem::take(&mut last_line) && !line.is_empty() && is_growing {
            end_of_lines = offset;
            return ControlFlow::Continue(());
        }
        if found == most {
            return ControlFlow::Break(());
        }
        if let Line::Alert(record) = read_line(line) {
            if filter.is_past(&record) {
                return ControlFlow::Break(());
            }
            if filter.matches(&record) {
                found += 1;
                start = Some(offset);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(start.unwrap_or(end_of_lines))
}
