//! The Internet checksum (RFC 1071): ones' complement sum of 16-bit words.

/// Sum of the bytes as 16-bit words, not yet folded. Adding words in host order and swapping once at the end is the
/// byte-order trick of RFC 1071 §2(B); wide registers keep it far from the profile.
fn sum(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= WIDE_BYTES && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { sum_avx2(bytes) };
    }
    sum_by::<16>(bytes)
}

/// [`sum`] of headers, addresses and what strides leave: so few words that lanes would cost more than they save.
#[inline]
fn sum_of_few(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let total: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    rest.chunks(2)
        .fold(total, |total, pair| total + u64::from(u16::from_ne_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
}

/// Shorter than this, the narrow sum is as quick.
#[cfg(target_arch = "x86_64")]
const WIDE_BYTES: usize = 64;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(bytes: &[u8]) -> u64 {
    sum_by::<64>(bytes)
}

/// [`sum`] in strides of `STRIDE` bytes, a multiple of four and at most 64.
#[inline(always)]
fn sum_by<const STRIDE: usize>(bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 16];
    let (blocks, rest) = bytes.as_chunks::<STRIDE>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().sum::<u64>() + sum_of_few(rest)
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// True when a header that contains its own checksum adds up.
pub fn header_is_right(header: &[u8]) -> bool {
    fold(sum_of_few(header)) == 0xffff
}

/// True when a TCP segment with its pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) adds up. `addresses` is source and
/// destination address as they stand in the IP header.
pub fn tcp_is_right(addresses: &[u8], segment: &[u8]) -> bool {
    let pseudo = u64::from((6u16).to_be()) + u64::from((segment.len() as u32).to_be());
    fold(sum_of_few(addresses) + pseudo + sum(segment)) == 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        // RFC 1071 §3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
        let words = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&words)).to_be(), 0xddf2);
        assert_eq!(fold(sum_of_few(&words)).to_be(), 0xddf2);
        let mut header = words.to_vec();
        header.extend_from_slice(&(!0xddf2u16).to_be_bytes());
        assert!(header_is_right(&header));
        header[3] ^= 1;
        assert!(!header_is_right(&header));
    }

    #[test]
    fn odd_lengths_are_padded_with_zero() {
        for sum in [sum, sum_of_few] {
            assert_eq!(fold(sum(&[0x12, 0x34, 0x56])), fold(sum(&[0x12, 0x34, 0x56, 0x00])));
        }
    }
}
