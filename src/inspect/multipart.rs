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
}

pub(super) struct Multipart {
    segments: Segments,
    token_bytes: usize,
    boundary: Vec<u8>,
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
            part: Part::Preamble,
            field: Field::default(),
            value: Vec::new(),
        }
    }

    pub fn begin(&mut self) {
        self.boundary.clear();
        self.value.clear();
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
        self.part = if self.boundary.is_empty() { Part::Preamble } else { Part::File };
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
            self.part = Part::Header;
            return;
        }
        if !self.boundary.is_empty() && bare.starts_with(&self.boundary) {
            self.end_part(sink);
            self.part = Part::Header;
            self.field = Field::default();
            return;
        }
        match self.part {
            Part::Preamble => {}
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
