//! Requests whose end two parsers may place at different bytes: a head and how its body was framed in, the reason out.
//!
//! Who reads less than another leaves bytes that the other takes for a request: request smuggling (RFC 9112 §11.2; J.
//! Kettle, "HTTP Desync Attacks: Request Smuggling Reborn", 2019). Here is said what may be read in two ways, not what is
//! against the grammar: a folded `X-Note`, `Content-Length: 5, 5` or `0005` end the body at one byte for whoever accepts them.
//!
//! A head with odd lines is read twice, as the strictest parser does and as the most lenient one does; only what they see
//! of `Content-Length` and `Transfer-Encoding` is compared. Nothing here decides how a body is framed: see
//! [`framing`](super::framing).

use super::framing::{self, ChunkFault};
use super::head::{Field, Head};
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Why two parsers may disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ambiguity {
    /// Content-Length beside chunked coding, and they end at different bytes (CL.TE, TE.CL).
    TwoFramings,
    /// Codings that are `chunked` to some and unknown to others (TE.TE).
    Coding,
    /// Lengths that differ, or are no number.
    Length,
    /// A framing field in a line that some do not read, or read otherwise.
    HiddenField,
    /// Chunks that some read and others do not, or elsewhere.
    Chunks,
}

impl Ambiguity {
    pub const ALL: [Ambiguity; 5] =
        [Ambiguity::TwoFramings, Ambiguity::Coding, Ambiguity::Length, Ambiguity::HiddenField, Ambiguity::Chunks];

    /// In words, for people.
    pub fn what(self) -> &'static str {
        match self {
            Ambiguity::TwoFramings => "Content-Length beside Transfer-Encoding, with different ends",
            Ambiguity::Coding => "a Transfer-Encoding that not everybody reads as chunked",
            Ambiguity::Length => "Content-Length that differs or is no number",
            Ambiguity::HiddenField => "a framing field in a line that not everybody reads",
            Ambiguity::Chunks => "chunks that not everybody reads alike",
        }
    }

    /// What a head alone leaves open; of [`Ambiguity::TwoFramings`] the body has the last word.
    pub fn of_head(head: &Head) -> Option<Ambiguity> {
        if !head.marks.is_empty() && has_hidden_field(head.bytes()) {
            return Some(Ambiguity::HiddenField);
        }
        if lengths_of(head).is_none() {
            return Some(Ambiguity::Length);
        }
        match coding_of(head) {
            Coding::Doubtful => Some(Ambiguity::Coding),
            Coding::Chunked if head.get(Field::ContentLength).is_some() => Some(Ambiguity::TwoFramings),
            Coding::Chunked | Coding::None => None,
        }
    }

    /// What a request leaves open, once its body is over.
    pub fn of_request(head: &Head, framed: &Framed) -> Option<Ambiguity> {
        let of_head = Ambiguity::of_head(head).filter(|found| match found {
            Ambiguity::TwoFramings => lengths_of(head).flatten().is_some_and(|length| framed.disagrees_with(length)),
            _ => true,
        });
        of_head.or_else(|| framed.is_faulty(head).then_some(Ambiguity::Chunks))
    }

    /// The reason of a request that is known to be ambiguous, by its head.
    pub fn reason(head: &Head) -> Ambiguity {
        Ambiguity::of_head(head).unwrap_or(Ambiguity::Chunks)
    }
}

/// How the chunks of a body were framed; all zero where there were none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Framed {
    /// Bytes on the wire, chunk sizes and trailer included.
    pub bytes: u64,
    /// The last chunk and the trailer came.
    pub is_complete: bool,
    pub fault: ChunkFault,
}

impl Framed {
    /// True when a reader that goes by this length ends elsewhere.
    fn disagrees_with(&self, length: u64) -> bool {
        if self.is_complete { self.bytes != length } else { self.bytes > length }
    }

    /// A client whose lines all end with LF alone does so in its chunks, too.
    fn is_faulty(&self, head: &Head) -> bool {
        match self.fault {
            ChunkFault::None | ChunkFault::TrailerOverLimit => false,
            ChunkFault::BareLf => memmem::find(head.bytes(), b"\r\n").is_some(),
            ChunkFault::NoChunk => true,
        }
    }
}

/// The byte behind the body for whoever goes by the largest length in the head; 0 without one.
pub fn largest_length(head: &Head) -> u64 {
    head.all(Field::ContentLength)
        .flat_map(|line| line.split(|byte| *byte == b','))
        .filter_map(framing::length)
        .max()
        .unwrap_or(0)
}

/// The length that all values agree on; outer `None` where they do not. An empty value is none to everybody.
fn lengths_of(head: &Head) -> Option<Option<u64>> {
    let mut found = None;
    for value in head.all(Field::ContentLength).flat_map(|line| line.split(|byte| *byte == b',')) {
        if value.trim_ascii().is_empty() {
            continue;
        }
        let length = framing::length(value)?;
        if *found.get_or_insert(length) != length {
            return None;
        }
    }
    Some(found)
}

enum Coding {
    /// None that frames a body.
    None,
    Chunked,
    Doubtful,
}

/// Codings that may stand before `chunked` (RFC 9112 §7).
const CODINGS: [&[u8]; 7] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"br", b"zstd"];

fn coding_of(head: &Head) -> Coding {
    let (mut chunked, mut is_last, mut is_odd) = (0, false, false);
    let mut is_disguised = false;
    for item in head.all(Field::TransferEncoding).flat_map(|line| line.split(|byte| *byte == b',')) {
        let item = item.trim_ascii();
        if item.is_empty() {
            continue;
        }
        is_last = item.eq_ignore_ascii_case(b"chunked");
        chunked += u32::from(is_last);
        is_odd |= !is_last && !CODINGS.iter().any(|known| item.eq_ignore_ascii_case(known));
        is_disguised |= !is_last && item.windows(b"chunked".len()).any(|part| part.eq_ignore_ascii_case(b"chunked"));
    }
    match chunked {
        0 if !is_disguised => Coding::None,
        // HTTP/1.0 knows no codings (RFC 9112 §6.1).
        1 if is_last && !is_odd && head.minor > 0 => Coding::Chunked,
        _ => Coding::Doubtful,
    }
}

/// A framing field and its value.
type Seen = (Field, Vec<u8>);

fn framing_field(name: &[u8]) -> Option<Field> {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    match () {
        _ if is(b"content-length") => Some(Field::ContentLength),
        _ if is(b"transfer-encoding") => Some(Field::TransferEncoding),
        _ => None,
    }
}

/// True when the strictest and the most lenient reader of a head do not see the same framing fields.
fn has_hidden_field(head: &[u8]) -> bool {
    seen_strictly(head) != seen_leniently(head)
}

/// `text` without what `is_blank` at both ends.
fn trimmed(text: &[u8], is_blank: fn(&u8) -> bool) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |at| at + 1);
    text.get(start..end).unwrap_or(&[])
}

/// The framing field of a line, whose name and value are bare of what `is_blank` around them.
fn field_of(line: &[u8], of_name: fn(&u8) -> bool, of_value: fn(&u8) -> bool) -> Option<Seen> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((framing_field(trimmed(name, of_name))?, trimmed(value.get(1..)?, of_value).to_vec()))
}

/// White space of the grammar (RFC 9110 §5.6.3).
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_unseen(byte: &u8) -> bool {
    *byte <= b' ' || *byte == 0x7f
}

/// Lines end with CR LF (or all of them with LF), a name ends at its colon, and what begins with white space goes on with
/// the line before.
fn seen_strictly(head: &[u8]) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut is_open = false; // the next line may go on with the field seen last
    for line in strict_lines(head).skip(1) {
        if line.first().is_some_and(is_blank) {
            if let Some((_, value)) = seen.last_mut().filter(|_| is_open) {
                value.push(b' ');
                value.extend_from_slice(trimmed(line, is_blank));
            }
            continue;
        }
        let field = field_of(line, |_| false, is_blank);
        is_open = field.is_some();
        seen.extend(field);
    }
    seen
}

fn strict_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end: &[u8] = if memmem::find(head, b"\r\n").is_some() { b"\r\n" } else { b"\n" };
    let mut rest = head;
    std::iter::from_fn(move || {
        let at = memmem::find(rest, end)?;
        let line = rest.get(..at)?;
        rest = rest.get(at + end.len()..)?;
        Some(line)
    })
}

/// Lines end with CR or LF, and whatever cannot be seen is passed over around names and values.
fn seen_leniently(head: &[u8]) -> Vec<Seen> {
    let lines = head.split(|byte| matches!(byte, b'\r' | b'\n')).skip(1);
    lines.filter_map(|line| field_of(line, is_unseen, is_unseen)).collect()
}

#[cfg(test)]
#[path = "ambiguity_tests.rs"]
mod tests;
