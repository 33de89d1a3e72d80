//! How many different things: distinct user names, clients, objects, paths.
//!
//! In go keyed 64-bit hashes ([`crate::hash::HashKey`]), out comes how many different ones there were. A set is exact
//! (sorted hashes) up to [`EXACT_CAP`] members and a HyperLogLog of `R` registers above it (Flajolet, Fusy, Gandouet and
//! Meunier, 2007): [`REGISTERS`], or [`FEW_REGISTERS`] where there are many sets. Whether a set is exact depends on the size of the union alone, and registers are maxima
//! over members, so any order and grouping of inserts and merges gives the same set, byte for byte.
//!
//! The estimate is Ertl's improved raw estimator ("New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284, algorithm 6): no bias table, no change of formula between ranges; standard error about
//! 1.04 / sqrt(R): 3.25 % for 1024 registers, 6.5 % for 256. It uses only +, *, / and sqrt, which IEEE 754 rounds alike everywhere.
//!
//! Bounds: 48 bytes inline for 4 members, up to 512 bytes of heap while exact, `R` bytes as a sketch. Refused: bytes of
//! a stored set that are not sorted, of the wrong length, or with a register no 64-bit hash can give.

use crate::hash::mix;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use std::fmt;

/// Members up to which a set is kept exactly. 64 hashes are half the bytes of the sketch, and evidence floors of
/// detectors (10 users, 30 objects) lie below it, so what decides an alert near its floor is exact.
pub const EXACT_CAP: usize = 64;

/// Registers of the sketch: 2^10 gives 3.25 % standard error for 1 kB.
pub const REGISTERS: usize = 1024;
/// 6.5 % for 256 bytes.
pub const FEW_REGISTERS: usize = 256;

/// Most sets of a client or a pair have one to four members, and there are tens of thousands of them, in several spans each.
const INLINE: usize = 4;
const TAG_EXACT: u8 = 0;
const TAG_SKETCH: u8 = 1;

/// A set of keyed hashes that forgets its members, but not how many they were, once there are more than [`EXACT_CAP`].
/// `R` is a power of two.
#[derive(Clone, PartialEq, Eq)]
pub struct DistinctSet<const R: usize = REGISTERS>(Members<R>);

#[derive(Clone, PartialEq, Eq)]
enum Members<const R: usize> {
    /// Sorted, without duplicates, at most [`EXACT_CAP`].
    Exact(SmallVec<[u64; INLINE]>),
    /// More than [`EXACT_CAP`] were seen.
    Sketch(Box<[u8; R]>),
}

impl<const R: usize> Default for DistinctSet<R> {
    fn default() -> Self {
        DistinctSet::new()
    }
}

impl<const R: usize> DistinctSet<R> {
    /// Bits of a hash that choose a register.
    const INDEX_BITS: u32 = R.ilog2();
    /// Bits left to count leading zeros in; Ertl's q.
    const RANK_BITS: u32 = 64 - Self::INDEX_BITS;
    /// The largest value of a register: all rank bits zero.
    const MAX_RANK: u8 = Self::RANK_BITS as u8 + 1;
    /// Four 6-bit registers in three bytes.
    const PACKED_BYTES: usize = R / 4 * 3;

    pub fn new() -> DistinctSet<R> {
        DistinctSet(Members::Exact(SmallVec::new()))
    }

    pub fn insert(&mut self, hash: u64) {
        match &mut self.0 {
            Members::Exact(members) => match members.binary_search(&hash) {
                Ok(_) => {}
                Err(at) if members.len() < EXACT_CAP => members.insert(at, hash),
                Err(_) => {
                    let mut registers = Self::sketch_of(members);
                    Self::observe(&mut registers, hash);
                    self.0 = Members::Sketch(registers);
                }
            },
            Members::Sketch(registers) => Self::observe(registers, hash),
        }
    }

    /// The union. Commutative, associative and idempotent.
    pub fn merge(&mut self, other: &DistinctSet<R>) {
        match (&mut self.0, &other.0) {
            (Members::Sketch(mine), Members::Sketch(theirs)) => {
                for (register, other_register) in mine.iter_mut().zip(theirs.iter()) {
                    *register = (*register).max(*other_register);
                }
            }
            (_, Members::Exact(theirs)) => {
                for &hash in theirs {
                    self.insert(hash);
                }
            }
            (Members::Exact(mine), Members::Sketch(theirs)) => {
                let mut registers = theirs.clone();
                for &hash in mine.iter() {
                    Self::observe(&mut registers, hash);
                }
                self.0 = Members::Sketch(registers);
            }
        }
    }

    /// How many different hashes were inserted: exact, or Ertl's estimate, which never falls back below the cap that a
    /// sketch is known to have passed.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Members::Exact(members) => members.len() as u64,
            Members::Sketch(registers) => (Self::estimate(registers) + 0.5).max((EXACT_CAP + 1) as f64) as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Members::Exact(members) if members.is_empty())
    }

    pub fn is_exact(&self) -> bool {
        matches!(self.0, Members::Exact(_))
    }

    /// The members in ascending order, while they are still known.
    pub fn exact(&self) -> Option<&[u64]> {
        match &self.0 {
            Members::Exact(members) => Some(members),
            Members::Sketch(_) => None,
        }
    }

    /// Bytes outside the value itself, as a function of its content (so that what depends on it is deterministic).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Members::Exact(members) if members.len() <= INLINE => 0,
            Members::Exact(members) => members.len().next_power_of_two() * size_of::<u64>(),
            Members::Sketch(_) => R,
        }
    }

    /// The stored form: a tag, then the sorted hashes (little-endian) or the registers packed to 6 bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Members::Exact(members) => {
                let mut bytes = Vec::with_capacity(1 + members.len() * 8);
                bytes.push(TAG_EXACT);
                members.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
                bytes
            }
            Members::Sketch(registers) => {
                let mut bytes = Vec::with_capacity(1 + Self::PACKED_BYTES);
                bytes.push(TAG_SKETCH);
                for four in registers.as_chunks::<4>().0 {
                    let word = four.iter().rev().fold(0u32, |word, &register| word << 6 | u32::from(register));
                    bytes.extend_from_slice(&word.to_le_bytes()[..3]); // a u32 has 4 bytes
                }
                bytes
            }
        }
    }

    /// The inverse of [`DistinctSet::to_bytes`]; says what is wrong with anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<DistinctSet<R>, &'static str> {
        let (&tag, body) = bytes.split_first().ok_or("a distinct set has no bytes")?;
        match tag {
            TAG_EXACT => {
                let (chunks, rest) = body.as_chunks::<8>();
                if !rest.is_empty() || chunks.len() > EXACT_CAP {
                    return Err("an exact distinct set has the wrong length");
                }
                let members: SmallVec<[u64; INLINE]> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
                if members.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err("an exact distinct set is not sorted");
                }
                Ok(DistinctSet(Members::Exact(members)))
            }
            TAG_SKETCH if body.len() == Self::PACKED_BYTES => {
                let mut registers = Box::new([0u8; R]);
                for (four, packed) in registers.as_chunks_mut::<4>().0.iter_mut().zip(body.as_chunks::<3>().0) {
                    let mut word = u32::from_le_bytes([packed[0], packed[1], packed[2], 0]);
                    for register in four {
                        *register = (word & 0x3f) as u8;
                        word >>= 6;
                    }
                }
                if registers.iter().any(|&register| register > Self::MAX_RANK) {
                    return Err("a distinct sketch has an impossible register");
                }
                Ok(DistinctSet(Members::Sketch(registers)))
            }
            TAG_SKETCH => Err("a distinct sketch has the wrong length"),
            _ => Err("a distinct set has an unknown tag"),
        }
    }

    fn sketch_of(members: &[u64]) -> Box<[u8; R]> {
        let mut registers = Box::new([0u8; R]);
        members.iter().for_each(|&hash| Self::observe(&mut registers, hash));
        registers
    }

    #[inline]
    fn observe(registers: &mut [u8; R], hash: u64) {
        let (index, rank) = Self::place_of(hash);
        registers[index] = registers[index].max(rank); // index < R by place_of
    }

    /// Register and rank of a hash. Mixed first, because the same hash also chooses partitions and samples: a sample of the
    /// smallest hashes must not be a sample of the first registers.
    #[inline]
    fn place_of(hash: u64) -> (usize, u8) {
        let mixed = mix(hash);
        let index = (mixed >> Self::RANK_BITS) as usize;
        let rank = (mixed << Self::INDEX_BITS).leading_zeros().min(Self::RANK_BITS) as u8 + 1;
        (index, rank)
    }

    /// Ertl 2017, algorithm 6.
    fn estimate(registers: &[u8; R]) -> f64 {
        let mut of_rank = [0u32; 65];
        for &register in registers {
            of_rank[usize::from(register.min(Self::MAX_RANK))] += 1; // clamped to the array
        }
        let m = R as f64;
        let mut z = m * tau(1.0 - f64::from(of_rank[usize::from(Self::MAX_RANK)]) / m); // the array's last element
        for &registers_at in of_rank[1..usize::from(Self::MAX_RANK)].iter().rev() {
            z = 0.5 * (z + f64::from(registers_at));
        }
        z += m * sigma(f64::from(of_rank[0]) / m); // the array's first element
        m / (2.0 * std::f64::consts::LN_2) * (m / z)
    }
}

impl<const R: usize> Extend<u64> for DistinctSet<R> {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, hashes: I) {
        hashes.into_iter().for_each(|hash| self.insert(hash));
    }
}

impl<const R: usize> FromIterator<u64> for DistinctSet<R> {
    fn from_iter<I: IntoIterator<Item = u64>>(hashes: I) -> Self {
        let mut set = DistinctSet::new();
        set.extend(hashes);
        set
    }
}

impl<const R: usize> fmt::Debug for DistinctSet<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinctSet({}{})", if self.is_exact() { "" } else { "~" }, self.count())
    }
}

/// sigma(x) = x + sum over k >= 1 of x^(2^k) 2^(k-1), summed until it no longer grows.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// tau(x) = (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k) / 3, summed until it no longer shrinks.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Bytes where the format has them, base64 text where it has not (JSON would write a list of numbers).
impl<const R: usize> Serialize for DistinctSet<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_bytes();
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
        } else {
            serializer.serialize_bytes(&bytes)
        }
    }
}

impl<'de, const R: usize> Deserialize<'de> for DistinctSet<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Stored<const R: usize>;
        impl<const R: usize> Visitor<'_> for Stored<R> {
            type Value = DistinctSet<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a distinct set")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<DistinctSet<R>, E> {
                DistinctSet::from_bytes(bytes).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DistinctSet<R>, E> {
                let bytes = STANDARD_NO_PAD.decode(text).map_err(E::custom)?;
                DistinctSet::from_bytes(&bytes).map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Stored::<R>)
        } else {
            deserializer.deserialize_bytes(Stored::<R>)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashKey;
    use proptest::prelude::*;

    type Wide = DistinctSet;
    type Narrow = DistinctSet<FEW_REGISTERS>;

    fn hashes(from: u64, to: u64) -> impl Iterator<Item = u64> {
        let key = HashKey::new([7; 16]);
        (from..to).map(move |n| key.hash(&n.to_le_bytes()))
    }

    #[test]
    fn a_set_is_exact_up_to_its_cap_and_counts_each_member_once() {
        let mut set: DistinctSet = hashes(0, 64).chain(hashes(0, 64)).collect();
        assert_eq!((set.count(), set.is_exact()), (64, true));
        assert_eq!(set.exact().map(<[u64]>::len), Some(64));
        set.extend(hashes(64, 65));
        assert!(!set.is_exact() && set.exact().is_none());
        assert!((65..=70).contains(&set.count()), "{set:?}");
    }

    #[test]
    fn memory_is_what_the_content_says() {
        assert_eq!(size_of::<DistinctSet>(), 48);
        assert_eq!(hashes(0, 4).collect::<DistinctSet>().heap_bytes(), 0);
        assert_eq!(hashes(0, 33).collect::<DistinctSet>().heap_bytes(), 512);
        assert_eq!(hashes(0, 65).collect::<Wide>().heap_bytes(), 1024);
        assert_eq!(hashes(0, 65).collect::<Narrow>().heap_bytes(), 256);
    }

    /// The relative standard error over independent sets must be near theory at every size, without a bias near the
    /// change from one formula to the other, which the original estimator had at 2.5 times its registers.
    #[test]
    fn the_estimate_errs_as_theory_says_and_is_not_biased() {
        errs::<REGISTERS>();
        errs::<FEW_REGISTERS>();
    }

    fn errs<const R: usize>() {
        const TRIALS: u64 = 60;
        let theory = 1.04 / (R as f64).sqrt();
        for size in [100, 700, 2_560, 5_000, 50_000] {
            let errors = (0..TRIALS).map(|trial| {
                let base = (trial + 1) << 32;
                let set: DistinctSet<R> = hashes(base, base + size).collect();
                set.count() as f64 / size as f64 - 1.0
            });
            let errors: Vec<f64> = errors.collect();
            let mean = errors.iter().sum::<f64>() / TRIALS as f64;
            let deviation = (errors.iter().map(|e| e * e).sum::<f64>() / TRIALS as f64).sqrt();
            assert!(deviation < 1.3 * theory, "size {size}: standard error {deviation}");
            assert!(mean.abs() < 0.45 * theory, "size {size}: bias {mean}");
        }
    }

    #[test]
    fn estimates_at_the_ends_are_finite() {
        assert!(Wide::estimate(&[0; REGISTERS]) == 0.0);
        let full = DistinctSet(Members::Sketch(Box::new([Wide::MAX_RANK; REGISTERS])));
        assert_eq!(full.count(), u64::MAX);
        assert_eq!(Wide::place_of(0).1, Wide::MAX_RANK);
    }

    #[test]
    fn broken_bytes_are_refused() {
        let good = hashes(0, 3).collect::<DistinctSet>().to_bytes();
        assert!(Wide::from_bytes(&good[..good.len() - 1]).is_err());
        assert!(Wide::from_bytes(&[]).is_err());
        assert!(Wide::from_bytes(&[9]).is_err());
        let mut twice = vec![TAG_EXACT];
        twice.extend_from_slice(&[5; 16]);
        assert!(Wide::from_bytes(&twice).is_err());
        let mut sketch = vec![TAG_SKETCH];
        sketch.extend_from_slice(&[0xff; Wide::PACKED_BYTES]);
        assert!(Wide::from_bytes(&sketch).is_err());
        assert!(serde_json::from_str::<DistinctSet>("\"!\"").is_err());
    }

    proptest! {
        #[test]
        fn any_order_and_grouping_gives_the_same_bytes(
            size in prop_oneof![0u64..20, 60u64..70, 100u64..2000],
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            seed in any::<u64>(),
        ) {
            let members: Vec<u64> = hashes(0, size).collect();
            let whole: DistinctSet = members.iter().copied().collect();
            prop_assert_eq!(whole.is_exact(), size <= EXACT_CAP as u64);

            let mut shuffled = members.clone();
            shuffled.sort_by_key(|hash| mix(hash ^ seed));
            let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(members.len() + 1)).collect();
            edges.extend([0, members.len()]);
            edges.sort_unstable();
            // Groups overlap by a few members, so that duplicates cross the edges.
            let groups: Vec<DistinctSet> = edges
                .windows(2)
                .map(|edge| shuffled[edge[0].saturating_sub(3)..edge[1]].iter().copied().collect())
                .collect();

            let mut forwards = Wide::new();
            groups.iter().for_each(|group| forwards.merge(group));
            let mut backwards = Wide::new();
            groups.iter().rev().for_each(|group| backwards.merge(group));
            let mut nested = Wide::new();
            for pair in groups.chunks(2) {
                let mut both = pair[pair.len() - 1].clone();
                both.merge(&pair[0]);
                both.merge(&nested);
                nested = both;
            }
            for merged in [forwards, backwards, nested] {
                prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
                prop_assert_eq!(merged.heap_bytes(), whole.heap_bytes());
                prop_assert_eq!(&merged, &whole);
            }
        }

        #[test]
        fn a_stored_set_comes_back_equal(size in prop_oneof![0u64..100, Just(5000)]) {
            let set: DistinctSet = hashes(0, size).collect();
            prop_assert_eq!(&Wide::from_bytes(&set.to_bytes()).unwrap(), &set);
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(&serde_json::from_str::<DistinctSet>(&text).unwrap(), &set);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
            if let Ok(set) = Wide::from_bytes(&bytes) {
                prop_assert_eq!(set.to_bytes(), bytes);
            }
        }
    }
}
