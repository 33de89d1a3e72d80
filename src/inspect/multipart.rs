//! `multipart/form-data` bodies (RFC 7578): each field's name and value, and the text of files.
//!
//! The boundary is taken from the first line, so nobody has to hand it in.

use super::Limits;
use super::field::NAME_BYTES;
use super::names::Field;
use super::sink::Sink;
use super::text::Segments;

/// Longest boundary with its two dashes, in bytes (RFC 2046 §5.1.1).
const BOUNDARY_BYTES: usize = 72;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Before the first boundary.
    Preamble,
    Header,
    Value,
    File,
    /// Behind the last part that is looked into.
    Beyond,
}

pub(super) struct Multipart {
    segments: Segments,
    token_bytes: usize,
    boundary: Vec<u8>,
    /// Parts that may still begin.
    room: u32,
    max_parts: u32,
    part: Part,
    field: Field,
    value: Vec<u8>,
}

impl Multipart {
    pub fn new(limits: &Limits) -> Multipart {
        Multipart {
            segments: Segments::of_lines(limits),
            token_bytes: limits.token_bytes.max(NAME_BYTES),
            boundary: Vec::new(),
            room: 0,
            max_parts: limits.max_parts,
            part: Part::Preamble,
            field: Field::default(),
            value: Vec::new(),
        }
    }

    pub fn begin(&mut self) {
        self.boundary.clear();
        self.value.clear();
        self.room = self.max_parts;
        self.part = Part::Preamble;
        self.field = Field::default();
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let segments = self.segments;
        segments.feed(bytes, carry, |line| self.line(line, sink));
    }

    pub fn gap(&mut self, carry: &mut Vec<u8>) {
        carry.clear();
        self.value.clear();
        self.field = Field::default();
        // Until the next boundary nothing is a field's value.
        self.part = match self.part {
            Part::Beyond => Part::Beyond,
            _ if self.boundary.is_empty() => Part::Preamble,
            _ => Part::File,
        };
    }

    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) {
        let segments = self.segments;
        segments.end(carry, |line| self.line(line, sink));
        self.end_part(sink);
    }

    fn line(&mut self, line: &[u8], sink: &mut Sink) {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if self.part == Part::Preamble && bare.starts_with(b"--") && (3..=BOUNDARY_BYTES).contains(&bare.len()) {
            self.boundary.extend_from_slice(bare);
            return self.begin_part(bare, sink);
        }
        if !self.boundary.is_empty() && bare.starts_with(&self.boundary) {
            self.end_part(sink);
            return self.begin_part(bare, sink);
        }
        match self.part {
            Part::Preamble | Part::Beyond => {}
            Part::Header if bare.is_empty() => {
                self.part = if self.field == Field::default() { Part::File } else { Part::Value };
            }
            Part::Header => self.header(bare, sink),
            Part::Value => {
                let room = self.token_bytes.saturating_sub(self.value.len());
                self.value.extend_from_slice(line.get(..line.len().min(room)).unwrap_or_default());
            }
            Part::File => sink.text(line),
        }
    }

    /// A line that begins with the boundary: with two more dashes it ends the last part, so that nothing follows.
    fn begin_part(&mut self, line: &[u8], sink: &mut Sink) {
        self.field = Field::default();
        let is_end = line.len() == self.boundary.len() + 2 && line.ends_with(b"--");
        if self.room == 0 {
            sink.is_cut |= !is_end;
            self.part = Part::Beyond;
        } else {
            self.room -= 1;
            self.part = Part::Header;
        }
    }

    fn header(&mut self, line: &[u8], sink: &mut Sink) {
        let is_disposition = line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case(b"content-disposition:"));
        if !is_disposition || memchr::memmem::find(line, b"filename").is_some() {
            return;
        }
        let Some(at) = memchr::memmem::find(line, b"name=") else { return };
        let behind = line.get(at + 5..).unwrap_or_default();
        let name = match behind.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|&byte| byte == b'"').next(),
            None => behind.split(|&byte| byte == b';').next(),
        };
        self.field = sink.names.look(name.unwrap_or_default().trim_ascii());
    }

    fn end_part(&mut self, sink: &mut Sink) {
        if self.part == Part::Value {
            let value = std::mem::take(&mut self.value);
            let bare = value.strip_suffix(b"\n").unwrap_or(&value);
            sink.value(self.field, bare.strip_suffix(b"\r").unwrap_or(bare), Some(1));
            self.value = value;
        }
        self.value.clear();
    }
}
