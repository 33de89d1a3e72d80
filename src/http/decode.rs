//! Content codings undone as a body passes: gzip, deflate, brotli, zstd, and up to three of them stacked.
//!
//! In go the bytes of a body in order, out come decoded slices, handed to a sink while they are in the buffer; nothing is
//! kept. [`codings_of`] reads `Content-Encoding` (RFC 9110 §8.4); codings are undone in reverse order.
//! States are expensive to make (an inflate state is about 40 kB), so a partition keeps a [`DecoderPool`] that lends them.
//!
//! Bounds ([`Limits`]): bytes out of a body, their ratio to the bytes in, window sizes (brotli's large window is off; zstd
//! at most 8 MiB, RFC 9659), and memory held by all states of a pool. At a limit, at an error or at a gap the decoder
//! ends and from then on only counts. The allowance is cut to the byte and depends on the position in the input alone,
//! not on how it was split: any segmentation of a body gives the same output and the same end. (Of a corrupt brotli body
//! more or less may be seen before the error, or before a limit that comes first.)
//!
//! Refused: codings other than these (`compress`, `aws-chunked`), more than [`MAX_CODINGS`] of them. Accepted, as browsers
//! do: raw deflate under the name of `deflate`, several gzip members, bytes after the end.

use self::coder::{Brotli, Coder, Deflate, Gzip, Zstd};
use flate2::Decompress;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zstd::zstd_safe::DCtx;

#[path = "decode/coder.rs"]
mod coder;

/// Codings stacked on one body. Two occur (a proxy compresses again); more is an attempt to exhaust someone.
pub const MAX_CODINGS: usize = 3;

/// What a decoder may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decoded bytes of one body, at each coding of a stack.
    pub max_output: u64,
    /// Decoded bytes for each byte on the wire, once `ratio_free_output` is passed.
    pub max_ratio: u32,
    /// Decoded bytes that are never judged by their ratio: repetitive JSON compresses 100-fold and is harmless.
    pub ratio_free_output: u64,
    /// Codings stacked on one body, at most [`MAX_CODINGS`].
    pub max_codings: usize,
    /// Memory of all states that one pool has lent. Past it bodies are no longer decoded. Some brotli windows (16 MiB) and
    /// some hundred gzip bodies fit; one body alone must never reach it, or its end would depend on how it was split.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_output: 64 << 20,
            max_ratio: 100,
            ratio_free_output: 1 << 20,
            max_codings: MAX_CODINGS,
            held_bytes: 96 << 20,
        }
    }
}

impl Limits {
    /// Decoded bytes allowed while the input is before `input_end`, and what it means to need more.
    fn allowance(&self, input_end: u64) -> (u64, Outcome) {
        let by_ratio = input_end.saturating_mul(u64::from(self.max_ratio)).max(self.ratio_free_output);
        if by_ratio < self.max_output {
            (by_ratio, Outcome::RatioExceeded)
        } else {
            (self.max_output, Outcome::TooLarge)
        }
    }
}

/// The ratio is judged by whole blocks of input, so that it does not depend on how the input was split.
const RATIO_BLOCK: u64 = 4096;
/// Decoded bytes handed on at once; at most three such buffers a pool.
const BUFFER_BYTES: usize = 32 << 10;

/// Idle states a pool keeps: for the bodies that a partition decodes at once. 160 kB.
const IDLE_INFLATE: usize = 4;
const IDLE_ZSTD: usize = 1;
/// A zstd state that grew above this is let go. Streaming encoders at their default level ask for a window of 2 MiB, so
/// 2.6 MB, of which only what bodies touched is resident; making it anew for each body takes as long as decoding 5 kB.
const IDLE_ZSTD_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// All there; or no coding, or no body.
    Complete,
    /// The coded stream did not reach its end, or bytes of it were lost.
    Truncated,
    Corrupt,
    /// [`Limits::max_output`] reached, or no memory left in the pool ([`Limits::held_bytes`]).
    TooLarge,
    RatioExceeded,
}

/// What became of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub outcome: Outcome,
    /// Bytes on the wire, after dechunking.
    pub input_bytes: u64,
    /// Bytes that reached the sink.
    pub output_bytes: u64,
}

/// Reads a `Content-Encoding` value (several header lines joined by commas), in the order the codings were applied;
/// `identity` and empty elements leave nothing. `None` for an unknown coding or too many.
pub fn codings_of(content_encoding: &str) -> Option<SmallVec<[Coding; MAX_CODINGS]>> {
    let mut codings = SmallVec::new();
    for name in content_encoding.split(',').map(str::trim) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("identity") {
            continue;
        }
        let coding = match () {
            _ if is("gzip") || is("x-gzip") => Coding::Gzip,
            _ if is("deflate") => Coding::Deflate,
            _ if is("br") => Coding::Brotli,
            _ if is("zstd") => Coding::Zstd,
            _ => return None,
        };
        if codings.len() == MAX_CODINGS {
            return None;
        }
        codings.push(coding);
    }
    Some(codings)
}

/// Lends decoder states and buffers; one for each partition.
pub struct DecoderPool {
    limits: Limits,
    inflate: Vec<Decompress>,
    zstd: Vec<DCtx<'static>>,
    buffers: [Vec<u8>; MAX_CODINGS],
    /// Memory of the states that are lent. Shared with the decoders, so that one that is dropped gives its share back.
    held: Arc<AtomicUsize>,
}

impl DecoderPool {
    pub fn new(limits: Limits) -> DecoderPool {
        DecoderPool { limits, inflate: Vec::new(), zstd: Vec::new(), buffers: Default::default(), held: Arc::default() }
    }

    /// Codings that may be stacked on one body.
    pub fn max_codings(&self) -> usize {
        self.limits.max_codings
    }

    /// Memory of the states that are lent.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn lend(&mut self, coding: Coding) -> Coder {
        match coding {
            Coding::Gzip => Coder::Gzip(Gzip::new(self.lend_inflate())),
            Coding::Deflate => Coder::Deflate(Deflate::new(self.lend_inflate())),
            Coding::Brotli => Coder::Brotli(Box::new(Brotli::new())),
            Coding::Zstd => Coder::Zstd(Zstd::new(self.zstd.pop().unwrap_or_else(DCtx::create))),
        }
    }

    fn lend_inflate(&mut self) -> Decompress {
        match self.inflate.pop() {
            Some(mut inflate) => {
                inflate.reset(false);
                inflate
            }
            None => Decompress::new(false),
        }
    }

    fn take_back(&mut self, coder: Coder) {
        match coder {
            Coder::Gzip(Gzip { inflate, .. }) | Coder::Deflate(Deflate { inflate, .. }) => {
                if self.inflate.len() < IDLE_INFLATE {
                    self.inflate.push(inflate);
                }
            }
            Coder::Zstd(Zstd { context, .. }) => {
                if self.zstd.len() < IDLE_ZSTD && context.sizeof() <= IDLE_ZSTD_BYTES {
                    self.zstd.push(context);
                }
            }
            Coder::Brotli(_) => {} // cannot be reset
        }
    }

    fn has_room(&self) -> bool {
        self.held_bytes() <= self.limits.held_bytes
    }
}

/// A decoder's share of the memory that its pool has lent, given back when it ends, however it ends.
struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Share {
    fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.held.fetch_add(bytes, Ordering::Relaxed);
            self.held.fetch_sub(self.bytes, Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The decoder of one body.
pub struct BodyDecoder {
    state: State,
    input_bytes: u64,
    output_bytes: u64,
}

enum State {
    /// No coding: the body passes as it is, without limits of ours.
    Identity,
    Decoding(Box<Decoding>),
    /// Ended before its time; bytes are only counted.
    Deaf(Outcome),
}

/// Boxed, since most bodies have no coding, and a decoder lies in every connection.
struct Decoding {
    /// In the order of undoing: the coding applied last comes first.
    stages: SmallVec<[Stage; 1]>,
    share: Share,
}

struct Stage {
    coder: Coder,
    output_bytes: u64,
}

impl BodyDecoder {
    /// The decoder for a `Content-Encoding` value; `None` where it cannot be undone.
    #[cfg(test)]
    pub fn for_encodings(content_encoding: &str, pool: &mut DecoderPool) -> Option<BodyDecoder> {
        Some(BodyDecoder::for_codings(&codings_of(content_encoding)?, pool))
    }

    /// The decoder for codings in the order they were applied, of which the last [`MAX_CODINGS`] are undone.
    pub fn for_codings(codings: &[Coding], pool: &mut DecoderPool) -> BodyDecoder {
        let mut decoder = BodyDecoder { state: State::Identity, input_bytes: 0, output_bytes: 0 };
        if !codings.is_empty() {
            let lend = |&coding| Stage { coder: pool.lend(coding), output_bytes: 0 };
            let stages: SmallVec<[Stage; 1]> = codings.iter().rev().take(MAX_CODINGS).map(lend).collect();
            let mut share = Share { held: Arc::clone(&pool.held), bytes: 0 };
            share.set(held_by(&stages));
            decoder.state = State::Decoding(Box::new(Decoding { stages, share }));
            decoder.stop_without_room(pool);
        }
        decoder
    }

    /// Takes the next bytes of the body and hands what they decode to on to `sink`, in slices of at most 32 kB.
    pub fn feed(&mut self, pool: &mut DecoderPool, input: &[u8], mut sink: impl FnMut(&[u8])) {
        let position = self.input_bytes;
        self.input_bytes += input.len() as u64;
        match &mut self.state {
            State::Identity => {
                self.output_bytes += input.len() as u64;
                sink(input);
            }
            State::Deaf(_) => {}
            State::Decoding(decoding) => {
                let Decoding { stages, share } = &mut **decoding;
                let output_bytes = &mut self.output_bytes;
                let mut counting_sink = |bytes: &[u8]| {
                    *output_bytes += bytes.len() as u64;
                    sink(bytes);
                };
                let result = decode(stages, pool, position, input, &mut counting_sink);
                share.set(held_by(stages));
                match result {
                    Err(outcome) => self.go_deaf(pool, outcome),
                    Ok(()) => self.stop_without_room(pool),
                }
            }
        }
    }

    /// Bytes of the body were lost: a coded stream cannot be taken up again behind them.
    pub fn gap(&mut self, pool: &mut DecoderPool) {
        if let State::Decoding(_) = self.state {
            self.go_deaf(pool, Outcome::Truncated);
        }
    }

    /// The body ended, or was given up. Gives the states back.
    pub fn finish(mut self, pool: &mut DecoderPool) -> Decoded {
        let outcome = match &self.state {
            State::Identity => Outcome::Complete,
            State::Deaf(outcome) => *outcome,
            State::Decoding(decoding) => {
                let mut stages = decoding.stages.iter();
                let is_complete = self.input_bytes == 0 || stages.all(|stage| stage.coder.is_complete());
                if is_complete { Outcome::Complete } else { Outcome::Truncated }
            }
        };
        self.go_deaf(pool, outcome);
        Decoded { outcome, input_bytes: self.input_bytes, output_bytes: self.output_bytes }
    }

    /// False once it ended before its time: what follows is only counted.
    #[cfg(test)]
    pub fn is_decoding(&self) -> bool {
        !matches!(self.state, State::Deaf(_))
    }

    fn stop_without_room(&mut self, pool: &mut DecoderPool) {
        if !pool.has_room() {
            self.go_deaf(pool, Outcome::TooLarge);
        }
    }

    fn go_deaf(&mut self, pool: &mut DecoderPool, outcome: Outcome) {
        if let State::Decoding(decoding) = std::mem::replace(&mut self.state, State::Deaf(outcome)) {
            decoding.stages.into_iter().for_each(|stage| pool.take_back(stage.coder));
        }
    }
}

fn held_by(stages: &[Stage]) -> usize {
    stages.iter().map(|stage| stage.coder.held_bytes()).sum()
}

/// Decodes `input`, which starts at `position` in the body, block by block of [`RATIO_BLOCK`].
fn decode(
    stages: &mut [Stage],
    pool: &mut DecoderPool,
    mut position: u64,
    mut input: &[u8],
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Outcome> {
    while !input.is_empty() {
        let block_end = (position / RATIO_BLOCK + 1) * RATIO_BLOCK;
        let (block, rest) = input.split_at(input.len().min((block_end - position) as usize)); // at most its length
        run(stages, &mut pool.buffers, pool.limits.allowance(block_end), block, sink)?;
        position += block.len() as u64;
        input = rest;
    }
    Ok(())
}

/// Drives `input` through the stages, each into its own buffer, the last into `sink`.
fn run(
    stages: &mut [Stage],
    buffers: &mut [Vec<u8>],
    allowance: (u64, Outcome),
    mut input: &[u8],
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Outcome> {
    let (Some((stage, later_stages)), Some((buffer, later_buffers))) =
        (stages.split_first_mut(), buffers.split_first_mut())
    else {
        sink(input);
        return Ok(());
    };
    buffer.resize(BUFFER_BYTES, 0); // changes nothing after the first time in the life of a pool
    loop {
        let step = stage.coder.step(input, buffer);
        let allowed = allowance.0.saturating_sub(stage.output_bytes).min(step.produced as u64) as usize;
        stage.output_bytes += allowed as u64;
        if let Some(bytes) = buffer.get(..allowed).filter(|bytes| !bytes.is_empty()) {
            run(later_stages, later_buffers, allowance, bytes, sink)?;
        }
        if allowed < step.produced {
            return Err(allowance.1);
        }
        if step.is_corrupt {
            return Err(Outcome::Corrupt);
        }
        input = input.get(step.consumed..).unwrap_or_default();
        let is_stuck = step.consumed == 0 && step.produced == 0;
        if is_stuck || (input.is_empty() && step.produced < BUFFER_BYTES) {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[path = "decode/tests.rs"]
mod tests;
