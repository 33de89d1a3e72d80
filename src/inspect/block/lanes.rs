//! Sixty-four bytes in the registers that a processor has, compared with one byte or a range at a time.

use super::BLOCK;

/// The bytes of a block, ready to be compared. A bit of an answer stands for a byte, the lowest for the first.
pub(in crate::inspect) trait Lanes: Copy {
    /// # Safety
    /// The processor must have what the implementor's name says.
    unsafe fn load(bytes: &[u8; BLOCK]) -> Self;

    /// Fewer bytes than a block; the rest is spaces.
    ///
    /// # Safety
    /// As for [`Lanes::load`].
    #[inline(always)]
    unsafe fn load_part(bytes: &[u8]) -> Self {
        let mut padded = [b' '; BLOCK];
        padded.iter_mut().zip(bytes).for_each(|(slot, &byte)| *slot = byte);
        // SAFETY: the caller's promise is the same.
        unsafe { Self::load(&padded) }
    }

    fn eq(self, byte: u8) -> u64;

    /// Bytes from `first` on, `count` of them.
    fn range(self, first: u8, count: u8) -> u64;

    /// Every byte with bit 5 set: letters in lower case, brackets curly.
    fn folded(self) -> Self;
}

/// A loop over the bytes: what every other way must equal, and the only one where no other is known.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[derive(Clone, Copy)]
pub(in crate::inspect) struct Plain([u8; BLOCK]);

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Plain {
    fn mask(&self, is: impl Fn(u8) -> bool) -> u64 {
        self.0.iter().rev().fold(0, |mask, &byte| mask << 1 | u64::from(is(byte)))
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Lanes for Plain {
    unsafe fn load(bytes: &[u8; BLOCK]) -> Plain {
        Plain(*bytes)
    }

    fn eq(self, byte: u8) -> u64 {
        self.mask(|other| other == byte)
    }

    fn range(self, first: u8, count: u8) -> u64 {
        self.mask(|byte| byte.wrapping_sub(first) < count)
    }

    fn folded(self) -> Plain {
        Plain(self.0.map(|byte| byte | 0x20))
    }
}

#[cfg(target_arch = "x86_64")]
pub(in crate::inspect) use x86::{Avx2, Avx512, Sse2};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Lanes};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(in crate::inspect) struct Sse2([__m128i; 4]);

    impl Lanes for Sse2 {
        #[inline(always)]
        unsafe fn load(bytes: &[u8; BLOCK]) -> Sse2 {
            let from = bytes.as_ptr().cast::<__m128i>();
            // SAFETY: four unaligned loads of 16 bytes lie within the 64 of `bytes`; SSE2 is part of x86-64.
            unsafe {
                Sse2([
                    _mm_loadu_si128(from),
                    _mm_loadu_si128(from.add(1)),
                    _mm_loadu_si128(from.add(2)),
                    _mm_loadu_si128(from.add(3)),
                ])
            }
        }

        #[inline(always)]
        fn eq(self, byte: u8) -> u64 {
            // SAFETY: SSE2 is part of x86-64.
            self.mask(|part| unsafe { _mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8)) })
        }

        #[inline(always)]
        fn range(self, first: u8, count: u8) -> u64 {
            // Moved to the lowest signed values, so that one comparison finds the range.
            // SAFETY: SSE2 is part of x86-64.
            self.mask(|part| unsafe {
                let moved = _mm_add_epi8(part, _mm_set1_epi8(0x80u8.wrapping_sub(first) as i8));
                _mm_cmplt_epi8(moved, _mm_set1_epi8((0x80 + count) as i8))
            })
        }

        #[inline(always)]
        fn folded(self) -> Sse2 {
            // SAFETY: SSE2 is part of x86-64.
            Sse2(self.0.map(|part| unsafe { _mm_or_si128(part, _mm_set1_epi8(0x20)) }))
        }
    }

    impl Sse2 {
        #[inline(always)]
        fn mask(self, is: impl Fn(__m128i) -> __m128i) -> u64 {
            // SAFETY: SSE2 is part of x86-64.
            let bits = |part| u64::from(unsafe { _mm_movemask_epi8(is(part)) } as u16);
            let [a, b, c, d] = self.0;
            bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48
        }
    }

    /// For callers compiled for AVX2.
    #[derive(Clone, Copy)]
    pub(in crate::inspect) struct Avx2([__m256i; 2]);

    impl Lanes for Avx2 {
        #[inline(always)]
        unsafe fn load(bytes: &[u8; BLOCK]) -> Avx2 {
            let from = bytes.as_ptr().cast::<__m256i>();
            // SAFETY: two unaligned loads of 32 bytes lie within the 64 of `bytes`; the caller promises AVX2.
            unsafe { Avx2([_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))]) }
        }

        #[inline(always)]
        fn eq(self, byte: u8) -> u64 {
            // SAFETY: whoever made `self` promised AVX2.
            self.mask(|part| unsafe { _mm256_cmpeq_epi8(part, _mm256_set1_epi8(byte as i8)) })
        }

        #[inline(always)]
        fn range(self, first: u8, count: u8) -> u64 {
            // As for SSE2.
            // SAFETY: whoever made `self` promised AVX2.
            self.mask(|part| unsafe {
                let moved = _mm256_add_epi8(part, _mm256_set1_epi8(0x80u8.wrapping_sub(first) as i8));
                _mm256_cmpgt_epi8(_mm256_set1_epi8((0x80 + count) as i8), moved)
            })
        }

        #[inline(always)]
        fn folded(self) -> Avx2 {
            // SAFETY: whoever made `self` promised AVX2.
            Avx2(self.0.map(|part| unsafe { _mm256_or_si256(part, _mm256_set1_epi8(0x20)) }))
        }
    }

    impl Avx2 {
        #[inline(always)]
        fn mask(self, is: impl Fn(__m256i) -> __m256i) -> u64 {
            // SAFETY: whoever made `self` promised AVX2.
            let bits = |part| u64::from(unsafe { _mm256_movemask_epi8(is(part)) } as u32);
            let [a, b] = self.0;
            bits(a) | bits(b) << 32
        }
    }

    /// For callers compiled for AVX-512 F and BW.
    #[derive(Clone, Copy)]
    pub(in crate::inspect) struct Avx512(__m512i);

    impl Lanes for Avx512 {
        #[inline(always)]
        unsafe fn load(bytes: &[u8; BLOCK]) -> Avx512 {
            // SAFETY: one unaligned load of the 64 bytes; the caller promises AVX-512.
            unsafe { Avx512(_mm512_loadu_si512(bytes.as_ptr().cast())) }
        }

        #[inline(always)]
        unsafe fn load_part(bytes: &[u8]) -> Avx512 {
            let present =
                !0u64 >> (BLOCK - bytes.len().clamp(1, BLOCK)) & 0u64.wrapping_sub(u64::from(!bytes.is_empty()));
            // SAFETY: lanes that `present` masks out are not read, and no other lies behind the end of `bytes`; the
            // caller promises AVX-512.
            unsafe { Avx512(_mm512_mask_loadu_epi8(_mm512_set1_epi8(b' ' as i8), present, bytes.as_ptr().cast())) }
        }

        #[inline(always)]
        fn eq(self, byte: u8) -> u64 {
            // SAFETY: whoever made `self` promised AVX-512.
            unsafe { _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(byte as i8)) }
        }

        #[inline(always)]
        fn range(self, first: u8, count: u8) -> u64 {
            // SAFETY: whoever made `self` promised AVX-512.
            unsafe {
                let moved = _mm512_sub_epi8(self.0, _mm512_set1_epi8(first as i8));
                _mm512_cmplt_epu8_mask(moved, _mm512_set1_epi8(count as i8))
            }
        }

        #[inline(always)]
        fn folded(self) -> Avx512 {
            // SAFETY: whoever made `self` promised AVX-512.
            unsafe { Avx512(_mm512_or_si512(self.0, _mm512_set1_epi8(0x20))) }
        }
    }
}
