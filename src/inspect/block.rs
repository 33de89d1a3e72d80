//! Sixty-four bytes at a time: which of them are quotes, backslashes, brackets, digits or at signs, a bit each.
//!
//! The method is simdjson's (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, §3.1). On x86-64 it
//! uses SSE2, which every such processor has; elsewhere a loop gives the same.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// One bit for each byte of a block, the lowest for the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Block {
    pub quote: u64,
    pub backslash: u64,
    /// `{`, `}`, `[`, `]`.
    pub bracket: u64,
    pub digit: u64,
    pub at: u64,
}

/// The masks of a block.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn classify(bytes: &[u8; BLOCK]) -> Block {
    // SAFETY: SSE2 is part of the x86-64 baseline (System V ABI, x86-64-v1): every such processor has it.
    unsafe { classify_sse2(bytes) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn classify_sse2(bytes: &[u8; BLOCK]) -> Block {
    use std::arch::x86_64::{
        _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let mut block = Block::default();
    for quarter in 0..4 {
        let lane = |index: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[quarter * 16 + index * 8..][..8]); // quarter <= 3 and index <= 1: within 64
            i64::from_le_bytes(word)
        };
        let data = _mm_set_epi64x(lane(1), lane(0));
        let is = |byte: u8| _mm_movemask_epi8(_mm_cmpeq_epi8(data, _mm_set1_epi8(byte as i8)));
        // `[` and `]` differ from `{` and `}` in bit 5 alone.
        let folded = _mm_or_si128(data, _mm_set1_epi8(0x20));
        let open = _mm_cmpeq_epi8(folded, _mm_set1_epi8(b'{' as i8));
        let close = _mm_cmpeq_epi8(folded, _mm_set1_epi8(b'}' as i8));
        // Moves '0'..='9' to the ten lowest signed values, so that one comparison finds them.
        let moved = _mm_add_epi8(data, _mm_set1_epi8((0x80 - b'0') as i8));
        let digit = _mm_cmplt_epi8(moved, _mm_set1_epi8((0x80 + 10u8) as i8));
        let place = |mask: i32| u64::from(mask as u32) << (quarter * 16);
        block.quote |= place(is(b'"'));
        block.backslash |= place(is(b'\\'));
        block.at |= place(is(b'@'));
        block.bracket |= place(_mm_movemask_epi8(_mm_or_si128(open, close)));
        block.digit |= place(_mm_movemask_epi8(digit));
    }
    block
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn classify(bytes: &[u8; BLOCK]) -> Block {
    classify_each(bytes)
}

/// The masks by a loop over the bytes: what [`classify`] must equal.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(super) fn classify_each(bytes: &[u8; BLOCK]) -> Block {
    let mut block = Block::default();
    for (place, &byte) in bytes.iter().enumerate() {
        let bit = 1u64 << place;
        match byte {
            b'"' => block.quote |= bit,
            b'\\' => block.backslash |= bit,
            b'{' | b'}' | b'[' | b']' => block.bracket |= bit,
            b'0'..=b'9' => block.digit |= bit,
            b'@' => block.at |= bit,
            _ => {}
        }
    }
    block
}

/// The block at `at`, padded with spaces behind the end.
#[inline(always)]
pub(super) fn block_at(bytes: &[u8], at: usize) -> Block {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<BLOCK>() {
        Some(whole) => classify(whole),
        None => {
            let mut padded = [b' '; BLOCK];
            padded[..rest.len()].copy_from_slice(rest); // rest is shorter than a block: first_chunk found none
            classify(&padded)
        }
    }
}

/// Each bit becomes the parity of the bits up to it: between an opening and a closing quote, ones.
#[inline(always)]
pub(super) fn parity_up_to(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// The bytes that a backslash escapes. `carried` is 1 if the byte before the block escapes its first.
#[inline(always)]
pub(super) fn escaped(backslash: u64, carried: u64) -> u64 {
    if backslash == 0 {
        return carried;
    }
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let potential = backslash & !carried;
    let maybe = potential << 1;
    let series = (maybe | ODD).wrapping_sub(potential);
    (series ^ ODD) ^ (backslash | carried)
}

/// Bits that begin a run of at least twelve ones.
#[inline(always)]
pub(super) fn runs_of_twelve(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    four & four >> 4 & four >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Escapes by definition: a backslash that is not itself escaped escapes the next byte.
    fn escaped_each(backslash: u64, carried: u64) -> (u64, u64) {
        let (mut result, mut escapes) = (0, carried);
        for place in 0..64 {
            let bit = backslash >> place & 1;
            result |= escapes << place;
            escapes = bit & !escapes & 1;
        }
        (result, escapes)
    }

    proptest! {
        #[test]
        fn both_ways_of_classifying_agree(bytes in proptest::collection::vec(any::<u8>(), 64)) {
            let block: [u8; 64] = bytes.try_into().unwrap();
            prop_assert_eq!(classify(&block), classify_each(&block));
        }

        #[test]
        fn escapes_follow_their_definition(a in any::<u64>(), b in any::<u64>(), carried in 0u64..2) {
            for backslash in [a, a & b, a | b] {
                prop_assert_eq!(escaped(backslash, carried), escaped_each(backslash, carried).0);
            }
        }
    }

    #[test]
    fn every_byte_is_classified_alike_in_every_place() {
        for byte in 0..=255u8 {
            for place in 0..64 {
                let mut block = [b' '; 64];
                block[place] = byte;
                assert_eq!(classify(&block), classify_each(&block), "{byte} at {place}");
            }
        }
    }

    #[test]
    fn runs_are_found_where_they_begin() {
        assert_eq!(runs_of_twelve(0xfff << 5), 1 << 5);
        assert_eq!(runs_of_twelve(0x7ff << 5), 0);
    }
}
