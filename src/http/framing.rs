//! Body framing: how long a message's body is (RFC 9112 §6.3), and chunked coding (§7.1) as a state machine.

use super::head::{Field, Head};
use super::marks::Marks;

/// What ends a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    Empty,
    /// Bytes still to come.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Framing {
    /// The same, with a trailer of at most so many bytes.
    pub fn with_trailer(mut self, bytes: usize) -> Framing {
        if let Framing::Chunked(chunked) = &mut self {
            chunked.trailer_room = bytes;
        }
        self
    }
}

/// What the response's framing depends on besides its own head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub by_head: bool,
    pub by_connect: bool,
}

impl Asked {
    pub fn of(request: &Head) -> Asked {
        Asked { by_head: request.method() == b"HEAD", by_connect: request.method() == b"CONNECT" }
    }
}

/// RFC 9112 §6.3 for a request.
pub fn of_request(head: &Head) -> (Framing, Marks) {
    let (coding, coding_marks) = transfer_coding(head);
    let (length, length_marks) = content_length(head);
    let marks = coding_marks | length_marks;
    match coding {
        TransferCoding::None => (length.map_or(Framing::Empty, from_length), marks),
        TransferCoding::Chunked => (Framing::Chunked(Chunked::default()), marks),
        // "the message body length cannot be determined reliably; the server MUST respond with 400": read on by the
        // length where there is one, because a server that ignores the coding does.
        TransferCoding::Other => (length.map_or(Framing::Empty, from_length), marks | Marks::BAD_TRANSFER_ENCODING),
    }
}

/// RFC 9112 §6.3 for a response.
pub fn of_response(head: &Head, asked: Asked) -> (Framing, Marks) {
    let (coding, coding_marks) = transfer_coding(head);
    let (length, length_marks) = content_length(head);
    let marks = coding_marks | length_marks;
    let status = head.status();
    if asked.by_head || (100..200).contains(&status) || status == 204 || status == 304 {
        return (Framing::Empty, marks);
    }
    if asked.by_connect && (200..300).contains(&status) {
        return (Framing::Empty, marks);
    }
    match coding {
        TransferCoding::None => (length.map_or(Framing::UntilClose, from_length), marks),
        TransferCoding::Chunked => (Framing::Chunked(Chunked::default()), marks),
        TransferCoding::Other => (Framing::UntilClose, marks),
    }
}

fn from_length(length: u64) -> Framing {
    if length == 0 { Framing::Empty } else { Framing::Length(length) }
}

enum TransferCoding {
    None,
    /// Chunked is among the codings.
    Chunked,
    Other,
}

fn transfer_coding(head: &Head) -> (TransferCoding, Marks) {
    let mut coding = TransferCoding::None;
    let mut marks = Marks::none();
    let mut chunked_seen = false;
    for line in head.all(Field::TransferEncoding) {
        for item in line.split(|byte| *byte == b',') {
            let name = item.split(|byte| *byte == b';').next().unwrap_or(&[]).trim_ascii();
            if name.is_empty() {
                continue;
            }
            if chunked_seen {
                marks |= Marks::BAD_TRANSFER_ENCODING; // chunked twice, or not last
            }
            let is_chunked = name.eq_ignore_ascii_case(b"chunked");
            chunked_seen |= is_chunked;
            // What comes after chunked is marked and passed over: so do the peers that accept it.
            coding = if chunked_seen {
                TransferCoding::Chunked
            } else if name.eq_ignore_ascii_case(b"identity") {
                TransferCoding::None // obsolete, means no coding (RFC 2616 §3.6)
            } else {
                TransferCoding::Other
            };
        }
    }
    if head.minor == 0 && chunked_seen {
        marks |= Marks::BAD_TRANSFER_ENCODING; // RFC 9112 §6.1: HTTP/1.0 with Transfer-Encoding is faulty
    }
    if head.get(Field::TransferEncoding).and(head.get(Field::ContentLength)).is_some() {
        marks |= Marks::LENGTH_AND_CHUNKED;
    }
    (coding, marks)
}

/// The length that a head announces, where it does and there is no doubt about it.
pub fn announced_length(head: &Head) -> Option<u64> {
    let (length, marks) = content_length(head);
    length.filter(|_| marks.is_empty())
}

/// The number that a value of Content-Length is, if it is one.
pub(super) fn length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// The value of Content-Length: the first that is a number. More than one is marked, also where they are equal: a recipient
/// may take those for one, or refuse them (RFC 9110 §8.6).
fn content_length(head: &Head) -> (Option<u64>, Marks) {
    let mut found = None;
    let mut marks = Marks::none();
    let values = head.all(Field::ContentLength).flat_map(|line| line.split(|byte| *byte == b','));
    for (nth, value) in values.map(length).enumerate() {
        if nth > 0 || value.is_none() {
            marks |= Marks::CONTENT_LENGTH_CONFLICT;
        }
        found = found.or(value);
    }
    (found, marks)
}

/// Chunked coding under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: ChunkState,
    /// Bytes of the trailer that may still come.
    trailer_room: usize,
    fault: ChunkFault,
}

impl Default for Chunked {
    /// Of a trailer that may be as long as it will.
    fn default() -> Self {
        Chunked { state: ChunkState::default(), trailer_room: usize::MAX, fault: ChunkFault::None }
    }
}

/// The worst that chunk framing had which parsers do not agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ChunkFault {
    #[default]
    None,
    /// A line ended with LF alone.
    BareLf,
    /// What stood there is no chunk.
    NoChunk,
    /// The trailer was longer than is waited for.
    TrailerOverLimit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ChunkState {
    Size {
        value: u64,
        has_digits: bool,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    Data {
        remaining: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a trailer line; `empty_so_far` while nothing but a CR was seen.
    Trailer {
        empty_so_far: bool,
    },
    Done,
}

impl Default for ChunkState {
    fn default() -> Self {
        ChunkState::Size { value: 0, has_digits: false }
    }
}

/// What a step through chunked coding found.
#[derive(Debug, PartialEq, Eq)]
pub enum ChunkStep<'a> {
    /// Body bytes.
    Data(&'a [u8]),
    /// The input is used up.
    More,
    /// The body is complete; what is left belongs to the next message.
    Done,
    /// Not chunked coding.
    Broken,
}

impl Chunked {
    /// Takes the next step, cutting what it used off the front of `bytes`.
    pub fn step<'a>(&mut self, bytes: &mut &'a [u8], marks: &mut Marks) -> ChunkStep<'a> {
        loop {
            if self.state == ChunkState::Done {
                return ChunkStep::Done;
            }
            if let ChunkState::Data { remaining } = &mut self.state {
                if bytes.is_empty() {
                    return ChunkStep::More;
                }
                let take = (*remaining).min(bytes.len() as u64) as usize;
                let (data, rest) = bytes.split_at(take);
                *bytes = rest;
                *remaining -= take as u64;
                if *remaining == 0 {
                    self.state = ChunkState::DataCr;
                }
                return ChunkStep::Data(data);
            }
            let Some((byte, rest)) = bytes.split_first() else { return ChunkStep::More };
            let Some(next) = self.after(*byte, marks) else {
                self.fault = self.fault.max(ChunkFault::NoChunk);
                return ChunkStep::Broken;
            };
            *bytes = rest;
            self.state = next;
        }
    }

    /// A hole of `length` bytes. True when it lies inside the data of one chunk, so that the framing goes on.
    pub fn gap(&mut self, length: u64) -> bool {
        match &mut self.state {
            ChunkState::Data { remaining } if *remaining >= length => {
                *remaining -= length;
                if *remaining == 0 {
                    self.state = ChunkState::DataCr;
                }
                true
            }
            _ => false,
        }
    }

    /// True once the last chunk and the trailer came.
    pub fn is_done(&self) -> bool {
        self.state == ChunkState::Done
    }

    pub fn fault(&self) -> ChunkFault {
        self.fault
    }

    /// The state after one byte of chunk framing; `None` where the grammar has no such byte and peers have no mercy.
    fn after(&mut self, byte: u8, marks: &mut Marks) -> Option<ChunkState> {
        let lenient = |marks: &mut Marks, state| {
            *marks |= Marks::LENIENT_CHUNK;
            Some(state)
        };
        let mut bare_lf = |marks: &mut Marks, state| {
            self.fault = self.fault.max(ChunkFault::BareLf);
            lenient(marks, state)
        };
        match self.state {
            ChunkState::Size { value, has_digits } => match byte {
                // Zeros in front make no size larger, however many they are.
                b'0' if value == 0 => Some(ChunkState::Size { value, has_digits: true }),
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if value >> 60 == 0 => {
                    let digit = (byte as char).to_digit(16)?;
                    Some(ChunkState::Size { value: value << 4 | u64::from(digit), has_digits: true })
                }
                _ if !has_digits => None,
                b'\r' => Some(ChunkState::SizeLf { value }),
                b'\n' => bare_lf(marks, after_size(value)),
                b';' => Some(ChunkState::Extension { value }),
                b' ' | b'\t' => lenient(marks, ChunkState::Extension { value }),
                _ => None,
            },
            ChunkState::Extension { value } => match byte {
                b'\r' => Some(ChunkState::SizeLf { value }),
                b'\n' => bare_lf(marks, after_size(value)),
                _ => Some(ChunkState::Extension { value }),
            },
            ChunkState::SizeLf { value } => (byte == b'\n').then(|| after_size(value)),
            ChunkState::DataCr => match byte {
                b'\r' => Some(ChunkState::DataLf),
                b'\n' => bare_lf(marks, ChunkState::default()),
                _ => None,
            },
            ChunkState::DataLf => (byte == b'\n').then(ChunkState::default),
            ChunkState::Trailer { empty_so_far } => {
                if self.trailer_room == 0 {
                    self.fault = ChunkFault::TrailerOverLimit;
                    return None;
                }
                self.trailer_room -= 1;
                match byte {
                    b'\n' if empty_so_far => Some(ChunkState::Done),
                    b'\n' => Some(ChunkState::Trailer { empty_so_far: true }),
                    b'\r' => Some(ChunkState::Trailer { empty_so_far }),
                    _ => Some(ChunkState::Trailer { empty_so_far: false }),
                }
            }
            ChunkState::Data { .. } | ChunkState::Done => None,
        }
    }
}

fn after_size(value: u64) -> ChunkState {
    if value == 0 { ChunkState::Trailer { empty_so_far: true } } else { ChunkState::Data { remaining: value } }
}
