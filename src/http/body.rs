//! A body as it passes: framing removed, content coding decoded, bytes shown to the observer.

use super::ambiguity::Framed;
use super::decode::{BodyDecoder, DecoderPool, Outcome, codings_of};
use super::framing::{ChunkStep, Framing};
use super::head::{Field, Guess, Head, guess};
use super::{Marks, Observer, Side};
use std::borrow::Cow;

/// The body of one message under way.
pub struct Body<S> {
    framing: Framing,
    decoder: Option<BodyDecoder>,
    scan: Option<S>,
    /// The observer has seen enough.
    is_seen: bool,
    length: u64,
    /// Bytes that came in chunked coding, framing included.
    framed: u64,
    side: Side,
    /// A request whose content begins like another one.
    carries_request: bool,
    /// What it was so far has been told.
    was_told: bool,
    marks: Marks,
}

/// The codings of a body in the order they were applied: of the content, then of a response's transfer, but for chunks
/// (RFC 9112 §7). Servers pass over those of a request, or refuse it.
fn coding_of<'h>(side: Side, head: &'h Head, framing: &Framing) -> Option<Cow<'h, str>> {
    let content = head.all(Field::ContentEncoding).map(String::from_utf8_lossy).reduce(|all, more| all + "," + more);
    if side == Side::Client || !matches!(framing, Framing::Chunked(_)) {
        return content;
    }
    let items = head.all(Field::TransferEncoding).flat_map(|line| line.split(|byte| *byte == b','));
    let transfer =
        items.filter(|item| !item.trim_ascii().eq_ignore_ascii_case(b"chunked")).map(String::from_utf8_lossy);
    content.into_iter().chain(transfer).reduce(|all, more| all + "," + more)
}

/// Where a body stands after some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    More,
    Complete,
    /// The framing broke: the message ends here and what follows it is unknown.
    Broken,
}

/// What a body was, once it is over.
pub struct Finished<R> {
    pub length: u64,
    pub report: Option<R>,
    pub marks: Marks,
    pub framed: Framed,
    /// The content of a request begins like another request.
    pub carries_request: bool,
    /// This is what came after the body was told, see [`Body::tell`].
    was_told: bool,
}

impl<R> Finished<R> {
    /// Bytes that came after the body was told.
    pub fn untold(&self) -> u64 {
        if self.was_told { self.length } else { 0 }
    }
}

impl<S> Body<S> {
    pub fn begin<O: Observer<Scan = S>>(
        side: Side,
        head: &Head,
        framing: Framing,
        pool: &mut DecoderPool,
        observer: &mut O,
    ) -> Body<S> {
        let scan = if framing == Framing::Empty { None } else { observer.begin(side, head) };
        let mut marks = Marks::none();
        let codings = scan
            .as_ref()
            .and_then(|_| coding_of(side, head, &framing))
            .map(|coding| codings_of(&coding).filter(|codings| codings.len() <= pool.max_codings()));
        let (decoder, scan) = match codings {
            None => (None, scan),
            Some(Some(codings)) if codings.is_empty() => (None, scan),
            Some(Some(codings)) => (Some(BodyDecoder::for_codings(&codings, pool)), scan),
            Some(None) => {
                marks |= Marks::UNDECODABLE_BODY;
                scan.map(|scan| observer.finish(scan)); // nothing to be seen: it is given back
                (None, None)
            }
        };
        Body {
            framing,
            decoder,
            scan,
            is_seen: false,
            length: 0,
            framed: 0,
            side,
            carries_request: false,
            was_told: false,
            marks,
        }
    }

    /// Takes in bytes, cutting what belongs to the body off the front.
    pub fn data<O: Observer<Scan = S>>(
        &mut self,
        bytes: &mut &[u8],
        pool: &mut DecoderPool,
        observer: &mut O,
    ) -> Progress {
        match &mut self.framing {
            Framing::Empty => Progress::Complete,
            Framing::UntilClose => {
                let all = std::mem::take(bytes);
                self.content(all, pool, observer);
                Progress::More
            }
            Framing::Length(remaining) => {
                let take = (*remaining).min(bytes.len() as u64) as usize;
                *remaining -= take as u64;
                let is_complete = *remaining == 0;
                let (content, rest) = bytes.split_at(take);
                *bytes = rest;
                self.content(content, pool, observer);
                if is_complete { Progress::Complete } else { Progress::More }
            }
            Framing::Chunked(_) => loop {
                let Framing::Chunked(chunked) = &mut self.framing else { return Progress::Broken };
                let before = bytes.len();
                let step = chunked.step(bytes, &mut self.marks);
                self.framed += (before - bytes.len()) as u64;
                match step {
                    ChunkStep::Data(content) => self.content(content, pool, observer),
                    ChunkStep::More => return Progress::More,
                    ChunkStep::Done => return Progress::Complete,
                    ChunkStep::Broken => return Progress::Broken,
                }
            },
        }
    }

    /// A hole of `length` bytes in the stream.
    pub fn gap<O: Observer<Scan = S>>(&mut self, length: u64, pool: &mut DecoderPool, observer: &mut O) -> Progress {
        self.marks |= Marks::GAP_IN_BODY;
        let progress = match &mut self.framing {
            Framing::UntilClose => Progress::More,
            Framing::Length(remaining) if length < *remaining => {
                *remaining -= length;
                Progress::More
            }
            Framing::Length(remaining) if length == *remaining => {
                *remaining = 0;
                Progress::Complete
            }
            Framing::Chunked(chunked) => {
                if chunked.gap(length) {
                    Progress::More
                } else {
                    Progress::Broken
                }
            }
            Framing::Length(_) | Framing::Empty => Progress::Broken,
        };
        self.framed += length;
        if progress != Progress::Broken {
            self.length += length;
        }
        if let Some(scan) = &mut self.scan {
            observer.gap(scan);
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.gap(pool);
        }
        progress
    }

    /// True when nobody said how long it will be: it may stay open.
    pub fn may_stay_open(&self) -> bool {
        matches!(self.framing, Framing::Chunked(_) | Framing::UntilClose)
    }

    /// True when there is no body.
    pub fn is_empty(&self) -> bool {
        self.framing == Framing::Empty
    }

    /// The stream ended. True when that is how this body is meant to end.
    pub fn ends_with_stream(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// What the body was so far; from here on it is only framed and counted.
    pub fn tell<O: Observer<Scan = S>>(&mut self, pool: &mut DecoderPool, observer: &mut O) -> Finished<O::Report> {
        let rest = Body {
            framing: std::mem::replace(&mut self.framing, Framing::Empty),
            decoder: None,
            scan: None,
            is_seen: true,
            length: 0,
            framed: 0,
            side: self.side,
            carries_request: false,
            was_told: true,
            marks: Marks::none(),
        };
        std::mem::replace(self, rest).finish(pool, observer)
    }

    pub fn finish<O: Observer<Scan = S>>(self, pool: &mut DecoderPool, observer: &mut O) -> Finished<O::Report> {
        let mut marks = self.marks;
        if let Some(decoder) = self.decoder {
            match decoder.finish(pool).outcome {
                Outcome::Complete | Outcome::Truncated => {}
                Outcome::Corrupt => marks |= Marks::UNDECODABLE_BODY,
                Outcome::TooLarge | Outcome::RatioExceeded => marks |= Marks::BODY_OVER_LIMIT,
            }
        }
        let framed = match &self.framing {
            Framing::Chunked(chunked) => {
                Framed { bytes: self.framed, is_complete: chunked.is_done(), fault: chunked.fault() }
            }
            _ => Framed::default(),
        };
        let report = self.scan.map(|scan| observer.finish(scan));
        Finished {
            length: self.length,
            report,
            marks,
            framed,
            carries_request: self.carries_request,
            was_told: self.was_told,
        }
    }

    fn content<O: Observer<Scan = S>>(&mut self, content: &[u8], pool: &mut DecoderPool, observer: &mut O) {
        if self.length == 0 && self.side == Side::Client {
            self.carries_request = guess(content, false) == Guess::Request;
        }
        self.length += content.len() as u64;
        let Some(scan) = self.scan.as_mut().filter(|_| !self.is_seen) else { return };
        match &mut self.decoder {
            None => self.is_seen = !observer.data(scan, content),
            Some(decoder) => {
                decoder.feed(pool, content, |decoded| self.is_seen = !observer.data(scan, decoded));
            }
        }
    }
}
