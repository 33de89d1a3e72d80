//! The four decoders behind one call: input and an output buffer in, how much of each was used out.
//!
//! Each call gives what was produced before an error too, and puts out all that its input allows, so that the whole
//! output does not depend on how the input was split. Brotli keeps to this but for errors: what it had decoded and not yet
//! written when it met one stays in its ring buffer.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

/// What an inflate state holds: window and tables (zlib.net, "zlib Technical Details").
const INFLATE_BYTES: usize = 40 << 10;
/// What a brotli state holds without its ring buffer: Huffman tables and context maps.
const BROTLI_BYTES: usize = 48 << 10;
/// zstd windows: 8 MiB (RFC 8878 §3.1.1.1.2, made a must for HTTP by RFC 9659 §3).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// What zstd wants first: the shortest start of a frame that tells how long its header is.
const ZSTD_FRAME_START: usize = 5;
/// RFC 8878 §3.1.1.2.
const ZSTD_BLOCK_HEADER: usize = 3;

/// What one call did.
#[derive(Default)]
pub(super) struct Step {
    pub consumed: usize,
    pub produced: usize,
    pub is_corrupt: bool,
}

impl Step {
    fn consumed(consumed: usize) -> Step {
        Step { consumed, ..Step::default() }
    }

    fn corrupt() -> Step {
        Step { is_corrupt: true, ..Step::default() }
    }
}

pub(super) enum Coder {
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

impl Coder {
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Coder::Gzip(gzip) => gzip.step(input, output),
            Coder::Deflate(deflate) => deflate.step(input, output),
            Coder::Brotli(brotli) => brotli.step(input, output),
            Coder::Zstd(zstd) => zstd.step(input, output),
        }
    }

    /// Whether the coded stream reached an end that it may have.
    pub fn is_complete(&self) -> bool {
        match self {
            Coder::Gzip(gzip) => gzip.is_complete(),
            Coder::Deflate(deflate) => matches!(deflate.phase, DeflatePhase::Ended),
            Coder::Brotli(brotli) => brotli.has_ended,
            Coder::Zstd(zstd) => zstd.frames > 0 && !zstd.has_produced,
        }
    }

    /// Memory that it holds now.
    pub fn held_bytes(&self) -> usize {
        match self {
            Coder::Gzip(_) | Coder::Deflate(_) => INFLATE_BYTES,
            Coder::Brotli(brotli) => BROTLI_BYTES + brotli.state.ringbuffer_size.max(0) as usize,
            Coder::Zstd(zstd) => zstd.context.sizeof(),
        }
    }
}

/// One call of inflate; the second value is true at the end of the deflate stream.
fn inflate_step(inflate: &mut Decompress, input: &[u8], output: &mut [u8]) -> (Step, bool) {
    let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, output, FlushDecompress::None);
    let step = Step {
        consumed: (inflate.total_in() - in_before) as usize,
        produced: (inflate.total_out() - out_before) as usize,
        is_corrupt: status.is_err(),
    };
    (step, matches!(status, Ok(Status::StreamEnd)))
}

/// RFC 1952. The deflate stream inside is raw, so one kind of inflate state serves gzip and deflate. Several members
/// follow each other; other bytes after a member are ignored, as by browsers and gzip itself.
pub(super) struct Gzip {
    pub inflate: Decompress,
    phase: GzipPhase,
    /// Whether a member reached its end.
    has_member: bool,
    /// CRC and count of the decoded bytes of this member. Verifying costs about 5 % of inflating 5 kB.
    crc: Crc,
}

#[derive(Clone, Copy)]
enum GzipPhase {
    /// The ten fixed bytes: how many were read, and the flags among them.
    Fixed {
        read: u8,
        flags: u8,
    },
    /// The two bytes of the extra field's length: how many were read, and their value.
    ExtraLength {
        read: u8,
        length: u16,
        flags: u8,
    },
    Extra {
        left: u16,
        flags: u8,
    },
    /// File name or comment, up to its zero byte.
    Text {
        flags: u8,
    },
    HeaderCrc {
        left: u8,
    },
    Body,
    /// CRC and size modulo 2^32: how many of the eight bytes were read, and their value, little-endian.
    Trailer {
        read: u8,
        value: u64,
    },
    /// What follows a member and is none itself.
    Ignored,
}

const GZIP_HEADER_CRC: u8 = 0x02;
const GZIP_EXTRA: u8 = 0x04;
const GZIP_NAME: u8 = 0x08;
const GZIP_COMMENT: u8 = 0x10;
const GZIP_RESERVED: u8 = 0xe0;

impl GzipPhase {
    const START: GzipPhase = GzipPhase::Fixed { read: 0, flags: 0 };

    /// What follows in the header, by the flags that are left (in the order of RFC 1952 §2.3).
    fn after_flags(flags: u8) -> GzipPhase {
        if flags & GZIP_EXTRA != 0 {
            GzipPhase::ExtraLength { read: 0, length: 0, flags: flags & !GZIP_EXTRA }
        } else if flags & GZIP_NAME != 0 {
            GzipPhase::Text { flags: flags & !GZIP_NAME }
        } else if flags & GZIP_COMMENT != 0 {
            GzipPhase::Text { flags: flags & !GZIP_COMMENT }
        } else if flags & GZIP_HEADER_CRC != 0 {
            GzipPhase::HeaderCrc { left: 2 }
        } else {
            GzipPhase::Body
        }
    }

    /// One byte of a header further; `None` where this is no gzip header.
    fn after(self, byte: u8) -> Option<GzipPhase> {
        Some(match self {
            GzipPhase::Fixed { read: 0, .. } if byte != 0x1f => return None,
            GzipPhase::Fixed { read: 1, .. } if byte != 0x8b => return None,
            GzipPhase::Fixed { read: 2, .. } if byte != 8 => return None, // deflate, the only method there is
            GzipPhase::Fixed { read: 3, .. } if byte & GZIP_RESERVED != 0 => return None,
            GzipPhase::Fixed { read: 3, .. } => GzipPhase::Fixed { read: 4, flags: byte },
            GzipPhase::Fixed { read: 9, flags } => GzipPhase::after_flags(flags),
            GzipPhase::Fixed { read, flags } => GzipPhase::Fixed { read: read + 1, flags },
            GzipPhase::ExtraLength { read: 0, flags, .. } => {
                GzipPhase::ExtraLength { read: 1, length: u16::from(byte), flags }
            }
            GzipPhase::ExtraLength { length, flags, .. } => match length | u16::from(byte) << 8 {
                0 => GzipPhase::after_flags(flags),
                left => GzipPhase::Extra { left, flags },
            },
            GzipPhase::Extra { left: 0 | 1, flags } => GzipPhase::after_flags(flags),
            GzipPhase::Extra { left, flags } => GzipPhase::Extra { left: left - 1, flags },
            GzipPhase::Text { flags } if byte == 0 => GzipPhase::after_flags(flags),
            GzipPhase::Text { .. } => self,
            GzipPhase::HeaderCrc { left: 2 } => GzipPhase::HeaderCrc { left: 1 },
            GzipPhase::HeaderCrc { .. } => GzipPhase::Body,
            GzipPhase::Body | GzipPhase::Trailer { .. } | GzipPhase::Ignored => self,
        })
    }
}

impl Gzip {
    pub fn new(inflate: Decompress) -> Gzip {
        Gzip { inflate, phase: GzipPhase::START, has_member: false, crc: Crc::new() }
    }

    /// A trailer cut short does no harm: the data are all there.
    fn is_complete(&self) -> bool {
        match self.phase {
            GzipPhase::Ignored | GzipPhase::Trailer { .. } => true,
            GzipPhase::Fixed { .. } => self.has_member,
            _ => false,
        }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let mut at = 0;
        loop {
            if let GzipPhase::Body = self.phase {
                let rest = input.get(at..).unwrap_or_default();
                let (mut step, has_ended) = inflate_step(&mut self.inflate, rest, output);
                self.crc.update(output.get(..step.produced).unwrap_or_default());
                if has_ended {
                    self.phase = GzipPhase::Trailer { read: 0, value: 0 };
                }
                step.consumed += at;
                return step;
            }
            let Some(&byte) = input.get(at) else { return Step::consumed(at) };
            at += 1;
            match self.phase {
                GzipPhase::Ignored => return Step::consumed(input.len()),
                GzipPhase::Trailer { read, value } => {
                    let value = value | u64::from(byte) << (8 * read);
                    if read < 7 {
                        self.phase = GzipPhase::Trailer { read: read + 1, value };
                    } else if value == u64::from(self.crc.sum()) | u64::from(self.crc.amount()) << 32 {
                        (self.phase, self.has_member) = (GzipPhase::START, true);
                        self.crc.reset();
                        self.inflate.reset(false);
                    } else {
                        return Step::corrupt();
                    }
                }
                phase => match phase.after(byte) {
                    Some(next) => self.phase = next,
                    None if self.has_member => self.phase = GzipPhase::Ignored,
                    None => return Step::corrupt(),
                },
            }
        }
    }
}

/// `deflate` means zlib (RFC 9110 §8.4.1.2, RFC 1950), but some servers send raw deflate: the first two bytes tell, as
/// in browsers. The zlib checksum is not verified.
pub(super) struct Deflate {
    pub inflate: Decompress,
    phase: DeflatePhase,
}

enum DeflatePhase {
    Start,
    /// The first byte of what may be a zlib header.
    First(u8),
    Body,
    Ended,
}

impl Deflate {
    pub fn new(inflate: Decompress) -> Deflate {
        Deflate { inflate, phase: DeflatePhase::Start }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match (&self.phase, input.first()) {
            (DeflatePhase::Ended, _) => Step::consumed(input.len()),
            (DeflatePhase::Body, _) => self.inflate(input, output),
            (_, None) => Step::default(),
            (DeflatePhase::Start, Some(&first)) => {
                self.phase = DeflatePhase::First(first);
                Step::consumed(1)
            }
            (&DeflatePhase::First(first), Some(&second)) => {
                self.phase = DeflatePhase::Body;
                if is_zlib_header(first, second) {
                    return Step::consumed(1);
                }
                // Two bytes of deflate give at most a few bytes: they fit in the buffer.
                let step = self.inflate(&[first, second], output);
                Step { consumed: 1, ..step }
            }
        }
    }

    fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (step, has_ended) = inflate_step(&mut self.inflate, input, output);
        if has_ended {
            self.phase = DeflatePhase::Ended;
        }
        step
    }
}

/// RFC 1950 §2.2: method 8, a window of at most 32 kB, a check that is a multiple of 31, no preset dictionary.
fn is_zlib_header(first: u8, second: u8) -> bool {
    let check = u16::from_be_bytes([first, second]);
    first & 0x0f == 8 && first >> 4 <= 7 && check.is_multiple_of(31) && second & 0x20 == 0
}

/// RFC 7932.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    written: usize,
    has_ended: bool,
}

impl Brotli {
    pub fn new() -> Brotli {
        let allocator = StandardAlloc::default;
        // Strict: without the "large window" extension, which RFC 7932 has not.
        let state = BrotliState::new_strict(allocator(), allocator(), allocator());
        Brotli { state, written: 0, has_ended: false }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.has_ended {
            return Step::consumed(input.len());
        }
        let (mut input_left, mut consumed) = (input.len(), 0);
        let (mut output_left, mut produced) = (output.len(), 0);
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut consumed,
            input,
            &mut output_left,
            &mut produced,
            output,
            &mut self.written,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.has_ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Step { consumed, produced, is_corrupt: true },
        }
        Step { consumed, produced, is_corrupt: false }
    }
}

/// RFC 8878. Several frames follow each other; what is none after the first is ignored.
pub(super) struct Zstd {
    pub context: DCtx<'static>,
    /// How much zstd needs for its next step. It gets no more, so that each call decodes one header or one block: of
    /// several in one call, an error in the last would lose what the others gave.
    wanted: usize,
    /// Frames that reached their end.
    frames: u32,
    /// Whether the frame that is open gave output.
    has_produced: bool,
    is_ignoring: bool,
}

impl Zstd {
    pub fn new(mut context: DCtx<'static>) -> Zstd {
        // Neither can fail: a reset of the session is always possible, and 23 is within zstd's bounds (10 to 31).
        let _ = context.reset(ResetDirective::SessionOnly);
        let _ = context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX));
        Zstd { context, wanted: ZSTD_FRAME_START, frames: 0, has_produced: false, is_ignoring: false }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.is_ignoring {
            return Step::consumed(input.len());
        }
        let mut source = InBuffer::around(input.get(..self.wanted).unwrap_or(input));
        let mut target = OutBuffer::around(output);
        let result = self.context.decompress_stream(&mut target, &mut source);
        let (consumed, produced) = (source.pos(), target.pos());
        self.has_produced |= produced > 0;
        match result {
            Ok(0) => {
                self.frames = self.frames.saturating_add(1);
                self.has_produced = false;
                self.wanted = ZSTD_FRAME_START;
            }
            // zstd asks for the next block's header along with a block.
            Ok(wanted) => self.wanted = if wanted > ZSTD_BLOCK_HEADER { wanted - ZSTD_BLOCK_HEADER } else { wanted },
            Err(_) if self.frames > 0 && !self.has_produced => {
                self.is_ignoring = true;
                return Step::consumed(input.len());
            }
            Err(_) => return Step { consumed, produced, is_corrupt: true },
        }
        Step { consumed, produced, is_corrupt: false }
    }
}
