//! Sixty-four bytes at a time: which of them are quotes, backslashes, brackets, digits and so on, a bit each.
//!
//! The method is simdjson's (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, §3.1). On x86-64 it uses
//! AVX-512 or AVX2 where the processor has them and SSE2, which all have, where not; elsewhere a loop gives the same
//! ([`lanes`]).

mod lanes;

pub(super) use lanes::Lanes;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use lanes::Plain as Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use lanes::{Avx2, Avx512, Sse2 as Portable};

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// What the processor has, beyond what every one has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Width {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Width {
    /// The answer is kept by the standard library.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub fn of_processor() -> Width {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        match avx2 {
            true if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512f") => Width::Avx512,
            true => Width::Avx2,
            false => Width::Portable,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn of_processor() -> Width {
        Width::Portable
    }
}

/// The lanes at `at`; what would lie behind the end of `bytes` is spaces.
///
/// # Safety
/// As for [`Lanes::load`].
#[inline(always)]
pub(super) unsafe fn lanes_at<L: Lanes>(bytes: &[u8], at: usize) -> L {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<BLOCK>() {
        // SAFETY: the caller's promise is the same.
        Some(whole) => unsafe { L::load(whole) },
        // SAFETY: as above.
        None => unsafe { L::load_part(rest) },
    }
}

/// One bit for each byte of a block of JSON, the lowest for the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Block {
    pub quote: u64,
    pub backslash: u64,
    /// `{`, `}`, `[`, `]`.
    pub bracket: u64,
    pub digit: u64,
    pub at: u64,
    pub space: u64,
}

impl Block {
    #[inline(always)]
    pub fn of<L: Lanes>(lanes: L) -> Block {
        let folded = lanes.folded();
        Block {
            quote: lanes.eq(b'"'),
            backslash: lanes.eq(b'\\'),
            // `[` and `]` differ from `{` and `}` in bit 5 alone.
            bracket: folded.eq(b'{') | folded.eq(b'}'),
            digit: lanes.range(b'0', 10),
            at: lanes.eq(b'@'),
            space: lanes.eq(b' '),
        }
    }
}

/// What stands behind each byte of a block. Made from the lanes that begin one byte later: compilers shift a mask of a
/// comparison byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Behind {
    pub colon: u64,
    /// `,`, `}`, `]`: what ends a value.
    pub end: u64,
}

impl Behind {
    #[inline(always)]
    pub fn of<L: Lanes>(later: L) -> Behind {
        Behind { colon: later.eq(b':'), end: later.eq(b',') | later.folded().eq(b'}') }
    }
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
    /// Words of letters alone or digits alone, a letter first, a single `-` or `_` between any two: `ceramic-mug-375000`.
    /// No `-` stands behind six digits.
    pub slug: bool,
}

/// Where the first digit at or behind `at` is.
pub(super) fn next_digit(bytes: &[u8], at: usize) -> Option<usize> {
    (at..bytes.len()).step_by(BLOCK).find_map(|start| {
        // SAFETY: what is portable needs nothing.
        let digits = unsafe { lanes_at::<Portable>(bytes, start) }.range(b'0', 10);
        (digits != 0).then(|| start + digits.trailing_zeros() as usize)
    })
}

/// Summarises `bytes[start..end]`. The bytes around are not judged, but may be loaded: a whole block is faster than a
/// part of one.
#[inline]
pub(super) fn summarise(bytes: &[u8], start: usize, end: usize) -> Summary {
    #[cfg(target_arch = "x86_64")]
    match Width::of_processor() {
        // SAFETY: `of_processor` has found every feature that the function was compiled for.
        Width::Avx512 => return unsafe { summarise_avx512(bytes, start, end) },
        // SAFETY: as above.
        Width::Avx2 => return unsafe { summarise_avx2(bytes, start, end) },
        Width::Portable => {}
    }
    // SAFETY: what is portable needs nothing.
    unsafe { summarise_by::<Portable>(bytes, start, end) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn summarise_avx512(bytes: &[u8], start: usize, end: usize) -> Summary {
    // SAFETY: compiled for what `Avx512` needs.
    unsafe { summarise_by::<Avx512>(bytes, start, end) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn summarise_avx2(bytes: &[u8], start: usize, end: usize) -> Summary {
    // SAFETY: compiled for what `Avx2` needs.
    unsafe { summarise_by::<Avx2>(bytes, start, end) }
}

/// [`summarise`] with certain lanes.
///
/// # Safety
/// As for [`Lanes::load`].
#[inline(always)]
pub(super) unsafe fn summarise_by<L: Lanes>(bytes: &[u8], start: usize, end: usize) -> Summary {
    let mut summary = Summary::default();
    let (mut at, mut run) = (start, 0u32);
    while at < end {
        let left = (end - at).min(BLOCK);
        let valid = !0u64 >> (BLOCK - left); // left is 1 to 64
        // SAFETY: the caller's promise is the same.
        let lanes = unsafe { lanes_at::<L>(bytes, at) };
        let space = lanes.eq(b' ') | !valid;
        let digit = lanes.range(b'0', 10) & valid;
        summary.digits += digit.count_ones();
        summary.at |= lanes.eq(b'@') & valid != 0;
        summary.backslash |= lanes.eq(b'\\') & valid != 0;
        summary.upper |= lanes.range(b'A', 26) & valid != 0;
        summary.long_word |= runs_of_sixteen(!space) != 0 || run + space.trailing_zeros() >= 16;
        if at == start && at + left == end {
            let letter = lanes.folded().range(b'a', 26) & valid;
            summary.slug = is_slug(valid, letter, digit, lanes.eq(b'-') & valid, lanes.eq(b'_') & valid);
        }
        run = if space == 0 { run + BLOCK as u32 } else { space.leading_zeros() };
        at += left;
    }
    summary
}

/// [`Summary::slug`], of one block.
#[inline(always)]
fn is_slug(valid: u64, letter: u64, digit: u64, dash: u64, underscore: u64) -> bool {
    let tie = dash | underscore;
    let mixed = letter << 1 & digit | digit << 1 & letter;
    let two = digit & digit << 1;
    let six = two & two << 2 & two << 4;
    letter & 1 != 0 && letter | digit | tie == valid && mixed | tie & tie << 1 | six << 1 & dash == 0
}

/// Bits that begin a run of at least sixteen ones.
#[inline(always)]
pub(super) fn runs_of_sixteen(bits: u64) -> u64 {
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
    use super::lanes::Plain;
    use super::*;
    use proptest::prelude::*;

    /// Everything that is asked of lanes.
    fn masks<L: Lanes>(lanes: L) -> (Block, Behind, [u64; 4]) {
        let others = [lanes.range(b'A', 26), lanes.folded().range(b'a', 26), lanes.eq(b'-'), lanes.eq(b'_')];
        (Block::of(lanes), Behind::of(lanes), others)
    }

    fn agree(bytes: &[u8]) {
        // SAFETY: each way that needs something is only taken where it was found.
        unsafe {
            let plain = masks(lanes_at::<Plain>(bytes, 0));
            assert_eq!(masks(lanes_at::<Portable>(bytes, 0)), plain);
            #[cfg(target_arch = "x86_64")]
            if Width::of_processor() >= Width::Avx2 {
                assert_eq!(masks(lanes_at::<Avx2>(bytes, 0)), plain);
            }
            #[cfg(target_arch = "x86_64")]
            if Width::of_processor() >= Width::Avx512 {
                assert_eq!(masks(lanes_at::<Avx512>(bytes, 0)), plain);
            }
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

    /// Slugs by definition.
    fn is_slug_each(value: &[u8]) -> bool {
        let words: Vec<&[u8]> = value.split(|byte| matches!(byte, b'-' | b'_')).collect();
        let pure = |word: &[u8]| {
            !word.is_empty() && (word.iter().all(u8::is_ascii_digit) || word.iter().all(u8::is_ascii_alphabetic))
        };
        let number_before_dash =
            value.windows(7).any(|w| w.ends_with(b"-") && w.iter().take(6).all(u8::is_ascii_digit));
        let ends_tied = value.ends_with(b"-") || value.ends_with(b"_");
        let (last, body) = words.split_last().unwrap();
        let words_are_pure = body.iter().all(|word| pure(word)) && (pure(last) || ends_tied && last.is_empty());
        value.len() <= BLOCK && value[0].is_ascii_alphabetic() && words_are_pure && !number_before_dash
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn all_ways_of_comparing_agree(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            agree(&bytes);
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
        fn a_slug_follows_its_definition(text in "([a-zA-Z]{1,4}|[0-9]{1,7}|[-_]{1,2}|[a-z0-9. ]{0,2}){1,8}") {
            prop_assume!(!text.is_empty());
            let summary = summarise(text.as_bytes(), 0, text.len());
            prop_assert_eq!(summary.slug, is_slug_each(text.as_bytes()));
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
