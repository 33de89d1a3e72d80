//! A table for people: columns as wide as what stands in them, numbers to the right.

use crate::alert::escape::{escape, fit, push_padded, width};
use std::io::{self, Write};

/// Columns of the widest cell but the last.
const CELL_COLUMNS: usize = 40;
/// Columns of the last cell.
const LAST_COLUMNS: usize = 160;
const GAP: &str = "  ";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

pub struct Table<const N: usize> {
    headings: [&'static str; N],
    align: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(columns: [(&'static str, Align); N]) -> Table<N> {
        Table { headings: columns.map(|(name, _)| name), align: columns.map(|(_, align)| align), rows: Vec::new() }
    }

    /// Texts that came out of a file pass through [`cell`] before.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = self.headings.map(width);
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        self.line(out, &self.headings.map(str::to_owned), &widths)?;
        self.rows.iter().try_for_each(|row| self.line(out, row, &widths))
    }

    fn line(&self, out: &mut dyn Write, cells: &[String; N], widths: &[usize; N]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, align), columns) in cells.iter().zip(self.align).zip(widths) {
            if align == Align::Right {
                line.extend(std::iter::repeat_n(' ', columns - width(cell))); // the widest cell's width is `columns`
            }
            push_padded(&mut line, cell, if align == Align::Left { *columns } else { 0 });
            line.push_str(GAP);
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// Text of a file as a cell: harmless and short. What a spreadsheet would take for a formula is told to be text (OWASP, "CSV
/// Injection"), since tables are pasted into spreadsheets.
pub fn cell(text: &str) -> String {
    shown(text, CELL_COLUMNS)
}

/// The same for the last cell of a row, which has more room.
pub fn last_cell(text: &str) -> String {
    shown(text, LAST_COLUMNS)
}

fn shown(text: &str, columns: usize) -> String {
    let start: String = text.chars().take(columns + 1).collect(); // no more can be seen of it
    let safe = escape(&start);
    let quote = if safe.starts_with(['=', '+', '-', '@']) && safe != "-" { "'" } else { "" };
    fit(&format!("{quote}{safe}"), columns).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new([("NAME", Align::Left), ("COUNT", Align::Right), ("REST", Align::Left)]);
        table.row(["日本".to_owned(), "5".to_owned(), "x".to_owned()]);
        table.row(["abcdefg".to_owned(), "1,234,567".to_owned(), String::new()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let expected = "NAME         COUNT  REST\n日本             5  x\nabcdefg  1,234,567\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_cell_neither_acts_nor_calculates_nor_goes_on() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@x") + &cell("+x") + &cell("-x"), "'@x'+x'-x");
        assert_eq!(cell("-"), "-");
        assert_eq!(cell("\x1b[31m\n"), "\\x1b[31m\\n");
        assert_eq!(width(&cell(&"\x07".repeat(1 << 20))), CELL_COLUMNS);
        assert_eq!(width(&last_cell(&"日".repeat(1 << 20))), LAST_COLUMNS - 1);
    }
}
