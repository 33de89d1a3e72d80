//! Framing of one direction: bytes and gaps in, frames out.
//!
//! DATA passes as it comes; other frames that matter are handed on whole, as a slice of the input where they lie in
//! one. A gap inside a payload leaves the framing intact. Where a frame header is lost, the reader is **lost** until a
//! chunk begins with frames beyond doubt ([`super::sniff`]); for how long it looks is bounded.

use super::frame::{END_STREAM, FrameHeader, HEADER_BYTES, Kind, MOST_PAYLOAD, PADDED, PREFACE};
use super::sniff;
use crate::http::Side;
use crate::time::Timestamp;

enum State {
    /// Inside the client's preface.
    Preface {
        seen: usize,
    },
    /// At or inside a frame header.
    Header {
        have: usize,
    },
    /// Inside a frame that is handed on whole.
    Kept {
        header: FrameHeader,
    },
    Data {
        header: FrameHeader,
        remaining: u32,
        padding: Padding,
    },
    /// Inside a frame that is of no use.
    Skipped {
        remaining: u32,
    },
    Lost {
        chunks: u16,
    },
    Ended,
}

#[derive(Clone, Copy)]
enum Padding {
    /// The octet that says its length comes next.
    Unread,
    Length(u32),
}

/// What a step through the bytes found.
pub enum Step<'c> {
    /// The input is used up.
    More,
    /// A frame, whole.
    Frame(FrameHeader, &'c [u8]),
    /// A frame, whole, in [`Reader::payload`].
    Kept(FrameHeader),
    /// Content of a DATA frame; `is_last` when the stream ends behind it.
    Data { stream: u32, content: &'c [u8], is_last: bool },
    /// A frame longer than is kept; what belongs to it is passed over.
    TooLong(FrameHeader),
    /// A frame that no receiver accepts: where the next begins is unknown.
    Broken,
    /// Not HTTP/2 from the first bytes on.
    Foreign,
    /// The client's preface.
    Preface,
}

/// What a gap took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    Nothing,
    Data {
        stream: u32,
        length: u64,
        is_last: bool,
    },
    /// Bytes of a frame that was to be handed on whole.
    Frame(FrameHeader),
    /// The framing.
    Framing,
}

pub struct Reader {
    state: State,
    side: Side,
    header: [u8; HEADER_BYTES],
    /// What has come of a frame that is handed on whole.
    pub payload: Vec<u8>,
    /// When the frame under way began.
    pub started: Timestamp,
    /// The largest payload that its receiver allows; any, until its settings were seen.
    pub max_frame: u32,
    /// Chunks in which a lost direction looks for frames before it is given up: long bodies may be under way.
    lost_chunks: u16,
    /// No frame has been read yet, and nothing else says that this is HTTP/2.
    pub is_doubtful: bool,
    /// It was lost for too long.
    pub is_given_up: bool,
    /// It was given up just now; for whoever counts it.
    pub was_given_up: bool,
}

impl Reader {
    /// A side that has yet to begin.
    pub fn new(side: Side, is_doubtful: bool, lost_chunks: u16) -> Reader {
        let state = if side == Side::Client { State::Preface { seen: 0 } } else { State::Header { have: 0 } };
        Reader {
            state,
            side,
            header: [0; HEADER_BYTES],
            payload: Vec::new(),
            started: Timestamp(0),
            max_frame: MOST_PAYLOAD,
            is_doubtful,
            lost_chunks,
            is_given_up: false,
            was_given_up: false,
        }
    }

    /// The next byte begins a frame.
    pub fn at_frame(&mut self) {
        self.state = State::Header { have: 0 };
    }

    pub fn lose(&mut self) {
        self.payload = Vec::new();
        self.state = State::Lost { chunks: 0 };
    }

    pub fn end(&mut self) {
        self.payload = Vec::new();
        self.state = State::Ended;
    }

    /// Bytes of the frame under way, where it began in another chunk.
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Header { have: 0 } | State::Lost { .. } | State::Ended)
    }

    /// A chunk begins: where the framing is lost, looks whether it begins with frames.
    pub fn chunk(&mut self, bytes: &[u8]) {
        let State::Lost { chunks } = &mut self.state else { return };
        if sniff::begins_with_frames(bytes, self.side) {
            return self.at_frame();
        }
        *chunks += 1;
        if *chunks >= self.lost_chunks {
            (self.is_given_up, self.was_given_up) = (true, true);
            self.end();
        }
    }

    /// Takes the next step, cutting what it used off the front of `bytes`. Frames above `kept` bytes are not kept.
    pub fn step<'c>(&mut self, bytes: &mut &'c [u8], time: Timestamp, kept: usize) -> Step<'c> {
        loop {
            match &mut self.state {
                State::Lost { .. } | State::Ended => {
                    *bytes = &[];
                    return Step::More;
                }
                State::Preface { seen } => {
                    let expected = PREFACE.get(*seen..).unwrap_or_default();
                    let take = expected.len().min(bytes.len());
                    let (said, rest) = bytes.split_at(take); // at most its length
                    if said != &expected[..take] {
                        return if self.is_doubtful { Step::Foreign } else { Step::Broken };
                    }
                    *seen += take;
                    *bytes = rest;
                    if *seen < PREFACE.len() {
                        return Step::More;
                    }
                    self.is_doubtful = false;
                    self.at_frame();
                    return Step::Preface;
                }
                State::Header { have } => {
                    if bytes.is_empty() {
                        return Step::More;
                    }
                    if *have == 0 {
                        self.started = time;
                    }
                    let take = (HEADER_BYTES - *have).min(bytes.len());
                    let (said, rest) = bytes.split_at(take); // at most its length
                    self.header[*have..*have + take].copy_from_slice(said); // together at most a header
                    *have += take;
                    *bytes = rest;
                    if *have < HEADER_BYTES {
                        return Step::More;
                    }
                    let header = FrameHeader::parse(&self.header);
                    if let Some(step) = self.begin(header, bytes, kept) {
                        return step;
                    }
                }
                State::Kept { header } => {
                    let header = *header;
                    let take = (header.length as usize - self.payload.len()).min(bytes.len());
                    let (said, rest) = bytes.split_at(take); // at most its length
                    self.payload.extend_from_slice(said);
                    *bytes = rest;
                    if self.payload.len() < header.length as usize {
                        return Step::More;
                    }
                    self.at_frame();
                    return Step::Kept(header);
                }
                State::Data { .. } => return self.data(bytes),
                State::Skipped { remaining } => {
                    let take = (*remaining as usize).min(bytes.len());
                    *bytes = bytes.get(take..).unwrap_or_default();
                    *remaining -= take as u32; // at most what remains
                    if *remaining > 0 {
                        return Step::More;
                    }
                    self.at_frame();
                }
            }
        }
    }

    /// A frame begins; `None` where there is nothing to tell yet.
    fn begin<'c>(&mut self, header: FrameHeader, bytes: &mut &'c [u8], kept: usize) -> Option<Step<'c>> {
        // What a server says first are settings (RFC 9113 §3.4).
        if std::mem::take(&mut self.is_doubtful) && !(header.kind == Kind::Settings && header.is_usual()) {
            return Some(Step::Foreign);
        }
        if !header.is_valid() || header.length > self.max_frame {
            return Some(Step::Broken);
        }
        let length = header.length as usize;
        match header.kind {
            Kind::Data => {
                let padding = if header.has(PADDED) { Padding::Unread } else { Padding::Length(0) };
                self.state = State::Data { header, remaining: header.length, padding };
                None
            }
            Kind::Priority | Kind::WindowUpdate | Kind::Other(_) => {
                self.state = State::Skipped { remaining: header.length };
                None
            }
            _ if length > kept => {
                self.state = State::Skipped { remaining: header.length };
                Some(Step::TooLong(header))
            }
            _ => match bytes.split_at_checked(length) {
                Some((payload, rest)) => {
                    *bytes = rest;
                    self.at_frame();
                    Some(Step::Frame(header, payload))
                }
                None => {
                    self.payload.clear();
                    self.state = State::Kept { header };
                    None
                }
            },
        }
    }

    fn data<'c>(&mut self, bytes: &mut &'c [u8]) -> Step<'c> {
        let State::Data { header, remaining, padding } = &mut self.state else { return Step::More };
        let header = *header;
        let mut content: &[u8] = &[];
        if let (Padding::Unread, Some((length, rest))) = (*padding, bytes.split_first()) {
            if *remaining == 0 || u32::from(*length) > *remaining - 1 {
                return Step::Broken; // §6.1: an error of the connection
            }
            *bytes = rest;
            *remaining -= 1;
            *padding = Padding::Length(u32::from(*length));
        }
        if let Padding::Length(padding) = *padding {
            let of_content = remaining.saturating_sub(padding) as usize;
            let take = of_content.min(bytes.len());
            let padded = (*remaining as usize - of_content).min(bytes.len() - take);
            let (said, rest) = bytes.split_at(take); // at most its length
            content = said;
            *bytes = rest.get(if take == of_content { padded } else { 0 }..).unwrap_or_default();
            *remaining -= (take + if take == of_content { padded } else { 0 }) as u32; // at most what remains
            if *remaining == 0 {
                self.at_frame();
                return Step::Data { stream: header.stream, content, is_last: header.has(END_STREAM) };
            }
        } else if *remaining == 0 {
            return Step::Broken;
        }
        if content.is_empty() { Step::More } else { Step::Data { stream: header.stream, content, is_last: false } }
    }

    /// A hole of `length` bytes.
    pub fn gap(&mut self, length: u64) -> Loss {
        match &mut self.state {
            State::Ended | State::Lost { .. } => Loss::Nothing,
            State::Preface { .. } | State::Header { .. } => Loss::Framing,
            State::Skipped { remaining } if length <= u64::from(*remaining) => {
                *remaining -= length as u32;
                Loss::Nothing
            }
            State::Kept { header } if length <= u64::from(header.length) - self.payload.len() as u64 => {
                let header = *header;
                let remaining = header.length - self.payload.len() as u32 - length as u32; // not below 0
                self.payload = Vec::new();
                self.state = State::Skipped { remaining };
                Loss::Frame(header)
            }
            State::Data { header, remaining, padding: Padding::Length(padding) } if length <= u64::from(*remaining) => {
                let of_content = u64::from(remaining.saturating_sub(*padding));
                *remaining -= length as u32;
                let loss = Loss::Data {
                    stream: header.stream,
                    length: length.min(of_content),
                    is_last: *remaining == 0 && header.has(END_STREAM),
                };
                if *remaining == 0 {
                    self.at_frame();
                }
                loss
            }
            State::Skipped { .. } | State::Kept { .. } | State::Data { .. } => Loss::Framing,
        }
    }
}
