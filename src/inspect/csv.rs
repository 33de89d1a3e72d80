//! Comma-, semicolon- or tab-separated rows (RFC 4180). The first row names the columns.

use super::Limits;
use super::field::NAME_BYTES;
use super::names::Field;
use super::sink::Sink;
use smallvec::SmallVec;

pub(super) struct Csv {
    token_bytes: usize,
    max_columns: usize,
    columns: SmallVec<[Field; 16]>,
    /// What stands between fields; 0 until the first row has shown it.
    delimiter: u8,
    column: usize,
    in_header: bool,
    in_quotes: bool,
    /// The row has anything but its line end.
    row_open: bool,
    rows: u32,
}

impl Csv {
    pub fn new(limits: &Limits) -> Csv {
        Csv {
            token_bytes: limits.token_bytes.max(NAME_BYTES),
            max_columns: limits.max_columns,
            columns: SmallVec::new(),
            delimiter: 0,
            column: 0,
            in_header: true,
            in_quotes: false,
            row_open: false,
            rows: 0,
        }
    }

    pub fn begin(&mut self) {
        self.columns.clear();
        *self = Csv {
            columns: std::mem::take(&mut self.columns),
            max_columns: self.max_columns,
            ..Csv::new(&Limits { token_bytes: self.token_bytes, ..Limits::default() })
        };
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = self.next_mark(rest);
            let (text, behind) = rest.split_at(end.unwrap_or(rest.len())); // a place within rest, or its end
            let whole = carry.is_empty() && matches!(behind.first(), Some(byte) if *byte != b'"');
            self.row_open |= text.iter().any(|&byte| byte != b'\r');
            if !whole {
                let room = self.token_bytes.saturating_sub(carry.len());
                carry.extend_from_slice(text.get(..text.len().min(room)).unwrap_or_default());
            }
            let Some(&mark) = behind.first() else { return };
            rest = behind.get(1..).unwrap_or_default();
            let field = std::mem::take(carry);
            let head = if whole { text.get(..text.len().min(self.token_bytes)).unwrap_or_default() } else { &field };
            match mark {
                b'"' => self.in_quotes = !self.in_quotes,
                b'\n' => self.end_row(head, sink),
                _ => {
                    self.delimiter = mark;
                    self.end_field(head, sink);
                }
            }
            *carry = field;
            if mark != b'"' {
                carry.clear();
            }
        }
    }

    /// The next byte that ends a field, or opens or closes quotes. A line's end in quotes is text, but not in the first
    /// row: a stray quote there would swallow all.
    fn next_mark(&self, rest: &[u8]) -> Option<usize> {
        match (self.in_quotes, self.delimiter) {
            (true, _) if self.in_header => memchr::memchr2(b'"', b'\n', rest),
            (true, _) => memchr::memchr(b'"', rest),
            (false, 0) => rest.iter().position(|byte| matches!(byte, b'"' | b'\n' | b',' | b';' | b'\t')),
            (false, delimiter) => memchr::memchr3(delimiter, b'"', b'\n', rest),
        }
    }

    pub fn gap(&mut self, carry: &mut Vec<u8>) {
        carry.clear();
        // The rest of the row is skipped, for which column it goes on in is not known.
        (self.in_quotes, self.row_open, self.column) = (false, false, 0);
    }

    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) -> u32 {
        self.end_row(carry, sink);
        carry.clear();
        self.rows
    }

    fn end_field(&mut self, text: &[u8], sink: &mut Sink) {
        self.row_open = true;
        let text = text.trim_ascii();
        if self.in_header {
            let field = sink.names.look(text);
            sink.shape_next(field.name);
            if self.columns.len() < self.max_columns {
                self.columns.push(field);
            } else {
                sink.is_cut = true;
            }
        } else {
            let field = self.columns.get(self.column).copied().unwrap_or_default();
            sink.value(field, text, Some(1));
        }
        self.column = self.column.saturating_add(1);
    }

    fn end_row(&mut self, text: &[u8], sink: &mut Sink) {
        self.in_quotes = false;
        if self.row_open {
            self.end_field(text, sink);
            if self.in_header && self.is_data() {
                self.columns.clear();
            }
            if !self.in_header || self.columns.is_empty() {
                self.rows = self.rows.saturating_add(1);
            }
            self.in_header = false;
        }
        sink.records = u64::from(self.rows);
        self.column = 0;
        self.row_open = false;
    }

    /// Whether the first row names nothing that is known and has a single column: then it may as well be a list.
    fn is_data(&self) -> bool {
        self.columns.len() == 1 && self.columns.iter().all(|field| field.hint == super::field::Hint::NONE)
    }
}
