//! The static Huffman code of HPACK (RFC 7541 §5.2, Appendix B).
//!
//! The code is canonical: within a length, codes count up in the order of their symbols. So its lengths are all that is
//! written down; codes and look-up tables are computed from them when this is compiled.

use super::HpackError;

/// Symbols: the 256 bytes and the end of string, which no string may contain.
const SYMBOLS: usize = 257;
const END_OF_STRING: u16 = 256;
const SHORTEST: u32 = 5;
const LONGEST: u32 = 30;

/// Bits of each symbol's code.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6,
    12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15,
    5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20,
    22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
    23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26,
    27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,];

/// Of each length: the first code, how many there are, and where their symbols begin in [`Code::symbols`].
#[derive(Clone, Copy)]
struct Length {
    first: u32,
    count: u32,
    begin: u32,
}

struct Code {
    lengths: [Length; LONGEST as usize + 1],
    /// In the order of their codes.
    symbols: [u16; SYMBOLS],
    /// By the next 8 bits: the symbol and its length, where a code of at most 8 bits begins there; else length 0.
    short: [(u8, u8); 256],
}

static CODE: Code = Code::new();

impl Code {
    const fn new() -> Code {
        let mut code = Code {
            lengths: [Length { first: 0, count: 0, begin: 0 }; LONGEST as usize + 1],
            symbols: [0; SYMBOLS],
            short: [(0, 0); 256],
        };
        let (mut next, mut placed, mut length) = (0u32, 0usize, SHORTEST);
        while length <= LONGEST {
            code.lengths[length as usize] = Length { first: next, count: 0, begin: placed as u32 };
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as u32 == length {
                    code.symbols[placed] = symbol as u16;
                    placed += 1;
                    if length <= 8 {
                        let mut below = 0;
                        while below < 1 << (8 - length) {
                            let bits = (next << (8 - length)) + below;
                            code.short[bits as usize] = (symbol as u8, length as u8);
                            below += 1;
                        }
                    }
                    code.lengths[length as usize].count += 1;
                    next += 1;
                }
                symbol += 1;
            }
            next <<= 1;
            length += 1;
        }
        code
    }

    /// The symbol at the top of `window`, and its length.
    fn long(&self, window: u64) -> Option<(u16, u32)> {
        (9..=LONGEST).find_map(|length| {
            let bits = (window >> (64 - length)) as u32;
            let Length { first, count, begin } = self.lengths[length as usize];
            let place = bits.checked_sub(first).filter(|place| *place < count)?;
            Some((self.symbols[(begin + place) as usize], length)) // codes of a length have their symbols behind `begin`
        })
    }
}

/// Decodes a string, appending it to `out`.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    out.reserve(coded.len() * 8 / SHORTEST as usize);
    // Bits not yet decoded, at the top; what is below them is ones, as padding is.
    let mut window = u64::MAX;
    let mut bits = 0u32;
    let mut rest = coded.iter();
    loop {
        while bits <= 56 {
            let Some(byte) = rest.next() else { break };
            let shift = 56 - bits;
            window = window & !(0xff << shift) | u64::from(*byte) << shift;
            bits += 8;
        }
        if bits == 0 {
            return Ok(());
        }
        let (symbol, length) = match CODE.short[(window >> 56) as usize] {
            (_, 0) => match CODE.long(window) {
                Some((symbol, length)) if length <= bits && symbol != END_OF_STRING => (symbol as u8, length),
                // Ones are a part of the end of string; it must not be there whole, nor padding be a byte or more.
                _ if bits < 8 && window == u64::MAX => return Ok(()),
                _ => return Err(HpackError::Huffman),
            },
            (symbol, length) if u32::from(length) <= bits => (symbol, u32::from(length)),
            _ if window == u64::MAX => return Ok(()),
            _ => return Err(HpackError::Huffman),
        };
        out.push(symbol);
        window = window << length | ((1 << length) - 1);
        bits -= length;
    }
}
