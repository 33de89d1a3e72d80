//! Whether bytes are frames, where nothing but the bytes can say so: at the first words of a server, in the middle of a
//! connection, behind a loss.
//!
//! A chunk convinces when it is a chain of usual frames from its first byte to its last, where the last frame may go on
//! behind it, and there are two of them, or one that ends with the chunk and could hardly be anything else. That a
//! connection is HTTP/2 at all is believed only where such a chain has a header block which is read without an error and
//! has a pseudo-header of its side. Text cannot begin so: its first three bytes would be a length of megabytes.

use super::frame::{ACK, END_HEADERS, FrameHeader, HEADER_BYTES, Kind};
use super::hpack::{DEFAULT_SIZE, Decoder, Fields, ListLimits};
use crate::http::Side;

/// What the first bytes of a direction are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstWords {
    /// Settings, which is what a server begins with.
    Settings,
    More,
    Other,
}

/// Tells whether a server's first frame begins here (RFC 9113 §3.4).
pub fn first_words(bytes: &[u8]) -> FirstWords {
    match bytes.first_chunk() {
        None => {
            // The length of settings is of one octet or so; kind and the rest are fixed.
            let is_like = |(at, byte): (usize, &u8)| match at {
                0 | 4..=8 => *byte == 0,
                1 => *byte <= 1,
                3 => *byte == 4,
                _ => true,
            };
            if bytes.iter().enumerate().all(is_like) { FirstWords::More } else { FirstWords::Other }
        }
        Some(header) => {
            let header = FrameHeader::parse(header);
            let is_settings = header.kind == Kind::Settings && header.is_usual() && !header.has(ACK);
            if is_settings && header.length < 512 { FirstWords::Settings } else { FirstWords::Other }
        }
    }
}

struct Chain<'c> {
    frames: usize,
    last: FrameHeader,
    /// The last frame ends where the chunk does.
    is_even: bool,
    /// A whole header block that is not continued.
    block: Option<&'c [u8]>,
}

fn chain_of(bytes: &[u8], side: Side) -> Option<Chain<'_>> {
    let mut rest = bytes;
    let mut chain: Option<Chain<'_>> = None;
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let header = FrameHeader::parse(header);
        let is_of_side = match header.kind {
            Kind::PushPromise => side == Side::Server,
            Kind::Headers if side == Side::Client => !header.stream.is_multiple_of(2),
            _ => true,
        };
        if !header.is_usual() || !is_of_side {
            return None;
        }
        let payload = behind.get(..header.length as usize);
        let is_whole_block = header.kind == Kind::Headers && header.has(END_HEADERS);
        let block = payload.filter(|_| is_whole_block).and_then(|payload| header.content(payload));
        let before = chain.take();
        rest = behind.get(header.length as usize..).unwrap_or_default();
        chain = Some(Chain {
            frames: before.as_ref().map_or(0, |before| before.frames) + 1,
            last: header,
            is_even: payload.is_some() && rest.is_empty(),
            block: before.and_then(|before| before.block).or(block),
        });
    }
    // What is left is the start of another header.
    chain.filter(|_| rest.is_empty() || rest[0] == 0)
}

/// True when a chunk begins at a frame, in a direction that is known to be HTTP/2.
pub fn begins_with_frames(bytes: &[u8], side: Side) -> bool {
    let Some(chain) = chain_of(bytes, side) else { return false };
    chain.frames > 1
        || match chain.last.kind {
            _ if !chain.is_even => false,
            Kind::RstStream | Kind::Settings | Kind::Ping | Kind::WindowUpdate => true,
            Kind::Headers => chain.block.is_some_and(|block| pseudo_header_side(block) == Some(side)),
            _ => false,
        }
}

/// The side that a chunk in the middle of an unknown connection comes from, where it is HTTP/2 beyond doubt.
pub fn side_of(bytes: &[u8]) -> Option<Side> {
    [Side::Client, Side::Server].into_iter().find(|side| {
        let chain = chain_of(bytes, *side).filter(|chain| chain.frames > 1 || chain.is_even);
        chain.and_then(|chain| chain.block).and_then(pseudo_header_side) == Some(*side)
    })
}

/// Who sends a header block, by its pseudo-headers, when it is read without what came before.
fn pseudo_header_side(block: &[u8]) -> Option<Side> {
    const LIMITS: ListLimits = ListLimits { bytes: 16 << 10, fields: 128, expansion: 16 };
    let mut decoder = Decoder::new(DEFAULT_SIZE);
    decoder.forget();
    decoder.allow(None);
    let mut fields = Fields::default();
    decoder.decode(block, &LIMITS, &mut fields).ok()?;
    fields.iter().find_map(|(name, _)| match name {
        b":status" => Some(Side::Server),
        b":method" | b":path" | b":scheme" | b":authority" => Some(Side::Client),
        _ => None,
    })
}
