//! Sixty-four bytes at a time: which of them are quotes, backslashes, brackets, digits or at signs, a bit each.
//!
//! The method is simdjson's (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, §3.1). On x86-64 it
//! uses AVX2 where the processor has it and SSE2, which all have, where not; elsewhere a loop gives the same.

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

/// A way to classify. All ways give the same.
pub(super) trait Classify {
    fn classify(bytes: &[u8; BLOCK]) -> Block;

    /// [`summarise`] in this way.
    fn summarise(bytes: &[u8], start: usize, end: usize) -> Summary;
}

/// What every processor has.
pub(super) struct Portable;

impl Classify for Portable {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn classify(bytes: &[u8; BLOCK]) -> Block {
        // SAFETY: SSE2 is part of the x86-64 baseline (System V ABI, x86-64-v1): every such processor has it.
        unsafe { classify_sse2(bytes) }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn classify(bytes: &[u8; BLOCK]) -> Block {
        classify_each(bytes)
    }

    fn summarise(bytes: &[u8], start: usize, end: usize) -> Summary {
        summarise_by(bytes, start, end, marks)
    }
}

/// AVX2, for callers that were compiled for it.
#[cfg(target_arch = "x86_64")]
pub(super) struct Wide;

#[cfg(target_arch = "x86_64")]
impl Classify for Wide {
    #[inline(always)]
    fn classify(bytes: &[u8; BLOCK]) -> Block {
        // SAFETY: only `walk_wide` and tests use this, both after `is_wide` has found AVX2.
        unsafe { classify_avx2(bytes) }
    }

    #[inline(always)]
    fn summarise(bytes: &[u8], start: usize, end: usize) -> Summary {
        // SAFETY: as above.
        summarise_by(bytes, start, end, |block| unsafe { marks_avx2(block) })
    }
}

/// Elsewhere there is no wide walk.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn is_wide() -> bool {
    false
}

/// Whether the processor has what the wide walk was compiled for. The answer is kept by the standard library.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn is_wide() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn classify_avx2(bytes: &[u8; BLOCK]) -> Block {
    use std::arch::x86_64::{
        _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set_epi64x, _mm256_set1_epi8,
    };
    let mut block = Block::default();
    for half in 0..2 {
        let lane = |index: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[half * 32 + index * 8..][..8]); // half <= 1 and index <= 3: within 64
            i64::from_le_bytes(word)
        };
        let data = _mm256_set_epi64x(lane(3), lane(2), lane(1), lane(0));
        let is = |byte: u8| _mm256_movemask_epi8(_mm256_cmpeq_epi8(data, _mm256_set1_epi8(byte as i8)));
        // As in `classify_sse2`.
        let folded = _mm256_or_si256(data, _mm256_set1_epi8(0x20));
        let open = _mm256_cmpeq_epi8(folded, _mm256_set1_epi8(b'{' as i8));
        let close = _mm256_cmpeq_epi8(folded, _mm256_set1_epi8(b'}' as i8));
        let moved = _mm256_add_epi8(data, _mm256_set1_epi8((0x80 - b'0') as i8));
        let digit = _mm256_cmpgt_epi8(_mm256_set1_epi8((0x80 + 10u8) as i8), moved);
        let place = |mask: i32| u64::from(mask as u32) << (half * 32);
        block.quote |= place(is(b'"'));
        block.backslash |= place(is(b'\\'));
        block.at |= place(is(b'@'));
        block.bracket |= place(_mm256_movemask_epi8(_mm256_or_si256(open, close)));
        block.digit |= place(_mm256_movemask_epi8(digit));
    }
    block
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

/// The masks by a loop over the bytes: what every other way must equal.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn classify_each(bytes: &[u8; BLOCK]) -> Block {
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

impl Block {
    /// The block at `at`; what would lie behind the end of `bytes` is marked as nothing.
    #[inline(always)]
    pub fn at<C: Classify>(bytes: &[u8], at: usize) -> Block {
        match bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            Some(whole) => C::classify(whole),
            None => last_block(bytes, at),
        }
    }
}

/// The last bytes of `bytes`, fewer than a block: the last whole block, shifted, where there is one.
#[inline(never)]
fn last_block(bytes: &[u8], at: usize) -> Block {
    let Some(last) = bytes.last_chunk::<BLOCK>() else { return Portable::classify(&padded(bytes, at)) };
    let block = Portable::classify(last);
    let shift = (at + BLOCK - bytes.len()).min(BLOCK - 1); // fewer than a block are left, and at least one byte
    Block {
        quote: block.quote >> shift,
        backslash: block.backslash >> shift,
        bracket: block.bracket >> shift,
        digit: block.digit >> shift,
        at: block.at >> shift,
    }
}

#[inline(never)]
fn last_marks(bytes: &[u8], at: usize) -> Marks {
    let Some(last) = bytes.last_chunk::<BLOCK>() else { return marks(&padded(bytes, at)) };
    let marks = marks(last);
    let shift = (at + BLOCK - bytes.len()).min(BLOCK - 1); // as in `last_block`
    Marks {
        digit: marks.digit >> shift,
        at: marks.at >> shift,
        backslash: marks.backslash >> shift,
        upper: marks.upper >> shift,
        space: marks.space >> shift,
    }
}

fn padded(bytes: &[u8], at: usize) -> [u8; BLOCK] {
    let rest = bytes.get(at..).unwrap_or_default();
    let rest = rest.get(..rest.len().min(BLOCK)).unwrap_or_default();
    let mut padded = [b' '; BLOCK];
    padded[..rest.len()].copy_from_slice(rest); // at most a block, by the line above
    padded
}

/// What the bytes of one value have in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Summary {
    pub digits: u32,
    pub at: bool,
    pub backslash: bool,
    pub upper: bool,
    /// A run of sixteen bytes or more without a space.
    pub long_word: bool,
}

/// Where the first digit at or behind `at` is.
pub(super) fn next_digit(bytes: &[u8], at: usize) -> Option<usize> {
    (at..bytes.len()).step_by(BLOCK).find_map(|start| {
        let digits = Block::at::<Portable>(bytes, start).digit;
        (digits != 0).then(|| start + digits.trailing_zeros() as usize)
    })
}

/// Summarises `bytes[start..end]`. The bytes around are not judged, but may be loaded: a whole block is faster than a
/// part of one.
#[inline]
pub(super) fn summarise(bytes: &[u8], start: usize, end: usize) -> Summary {
    #[cfg(target_arch = "x86_64")]
    if is_wide() {
        // SAFETY: `is_wide` has found every feature that the function was compiled for.
        return unsafe { summarise_wide(bytes, start, end) };
    }
    Portable::summarise(bytes, start, end)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn summarise_wide(bytes: &[u8], start: usize, end: usize) -> Summary {
    Wide::summarise(bytes, start, end)
}

#[inline(always)]
fn summarise_by(bytes: &[u8], start: usize, end: usize, mark: impl Fn(&[u8; BLOCK]) -> Marks) -> Summary {
    let mut summary = Summary::default();
    let (mut at, mut run) = (start, 0u32);
    while at < end {
        let left = (end - at).min(BLOCK);
        let valid = !0u64 >> (BLOCK - left); // left is 1 to 64
        let marks = match bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            Some(whole) => mark(whole),
            None => last_marks(bytes, at),
        };
        let space = marks.space | !valid;
        summary.digits += (marks.digit & valid).count_ones();
        summary.at |= marks.at & valid != 0;
        summary.backslash |= marks.backslash & valid != 0;
        summary.upper |= marks.upper & valid != 0;
        summary.long_word |= runs_of_sixteen(!space) != 0 || run + space.trailing_zeros() >= 16;
        run = if space == 0 { run + BLOCK as u32 } else { space.leading_zeros() };
        at += left;
    }
    summary
}

/// Marks of a block that tell an ordinary value from one to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Marks {
    digit: u64,
    at: u64,
    backslash: u64,
    upper: u64,
    space: u64,
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn marks(bytes: &[u8; BLOCK]) -> Marks {
    // SAFETY: SSE2 is part of the x86-64 baseline, as in `classify`.
    unsafe { marks_sse2(bytes) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn marks_sse2(bytes: &[u8; BLOCK]) -> Marks {
    use std::arch::x86_64::{
        _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8,
    };
    let mut marks = Marks::default();
    for quarter in 0..4 {
        let lane = |index: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[quarter * 16 + index * 8..][..8]); // quarter <= 3 and index <= 1: within 64
            i64::from_le_bytes(word)
        };
        let data = _mm_set_epi64x(lane(1), lane(0));
        let is = |byte: u8| _mm_movemask_epi8(_mm_cmpeq_epi8(data, _mm_set1_epi8(byte as i8)));
        // Moves the range to the lowest signed values, so that one comparison finds it.
        let range = |first: u8, count: u8| {
            let moved = _mm_add_epi8(data, _mm_set1_epi8((0x80 - first) as i8));
            _mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8((0x80 + count) as i8)))
        };
        let place = |mask: i32| u64::from(mask as u32) << (quarter * 16);
        marks.at |= place(is(b'@'));
        marks.backslash |= place(is(b'\\'));
        marks.space |= place(is(b' '));
        marks.digit |= place(range(b'0', 10));
        marks.upper |= place(range(b'A', 26));
    }
    marks
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn marks_avx2(bytes: &[u8; BLOCK]) -> Marks {
    use std::arch::x86_64::{
        _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_set_epi64x,
        _mm256_set1_epi8,
    };
    let mut marks = Marks::default();
    for half in 0..2 {
        let lane = |index: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[half * 32 + index * 8..][..8]); // half <= 1 and index <= 3: within 64
            i64::from_le_bytes(word)
        };
        let data = _mm256_set_epi64x(lane(3), lane(2), lane(1), lane(0));
        let is = |byte: u8| _mm256_movemask_epi8(_mm256_cmpeq_epi8(data, _mm256_set1_epi8(byte as i8)));
        // As in `marks_sse2`.
        let range = |first: u8, count: u8| {
            let moved = _mm256_add_epi8(data, _mm256_set1_epi8((0x80 - first) as i8));
            _mm256_movemask_epi8(_mm256_cmpgt_epi8(_mm256_set1_epi8((0x80 + count) as i8), moved))
        };
        let place = |mask: i32| u64::from(mask as u32) << (half * 32);
        marks.at |= place(is(b'@'));
        marks.backslash |= place(is(b'\\'));
        marks.space |= place(is(b' '));
        marks.digit |= place(range(b'0', 10));
        marks.upper |= place(range(b'A', 26));
    }
    marks
}

#[cfg(not(target_arch = "x86_64"))]
fn marks(bytes: &[u8; BLOCK]) -> Marks {
    marks_each(bytes)
}

/// The marks by a loop over the bytes: what [`marks`] must equal.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn marks_each(bytes: &[u8; BLOCK]) -> Marks {
    let mut marks = Marks::default();
    for (place, &byte) in bytes.iter().enumerate() {
        let bit = 1u64 << place;
        match byte {
            b'@' => marks.at |= bit,
            b'\\' => marks.backslash |= bit,
            b' ' => marks.space |= bit,
            b'0'..=b'9' => marks.digit |= bit,
            b'A'..=b'Z' => marks.upper |= bit,
            _ => {}
        }
    }
    marks
}

/// Bits that begin a run of at least sixteen ones.
#[inline(always)]
fn runs_of_sixteen(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & eight >> 8
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agree(block: &[u8; BLOCK]) {
        assert_eq!(Portable::classify(block), classify_each(block));
        assert_eq!(marks(block), marks_each(block));
        #[cfg(target_arch = "x86_64")]
        if is_wide() {
            assert_eq!(Wide::classify(block), classify_each(block));
            // SAFETY: `is_wide` has found AVX2.
            assert_eq!(unsafe { marks_avx2(block) }, marks_each(block));
        }
    }

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
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn all_ways_of_classifying_agree(bytes in proptest::collection::vec(any::<u8>(), 64)) {
            let block: [u8; 64] = bytes.try_into().unwrap();
            agree(&block);
        }

        #[test]
        fn a_summary_follows_its_definition(text in "[a-zA-Z0-9@ ]{0,20}[a-z ]{0,90}[A-Z0-9@ ]{0,40}", start in 0usize..80, cut in 0usize..80) {
            let bytes = text.as_bytes();
            let end = bytes.len().saturating_sub(cut);
            let start = start.min(end);
            let value = &bytes[start..end];
            let summary = summarise(bytes, start, end);
            prop_assert_eq!(summary.digits as usize, value.iter().filter(|byte| byte.is_ascii_digit()).count());
            prop_assert_eq!(summary.at, value.contains(&b'@'));
            prop_assert_eq!(summary.upper, value.iter().any(u8::is_ascii_uppercase));
            prop_assert_eq!(summary.long_word, value.split(|&byte| byte == b' ').any(|word| word.len() >= 16));
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
                agree(&block);
            }
        }
    }
}
