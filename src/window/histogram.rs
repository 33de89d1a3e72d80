//! Distributions and status counts of one window, small enough to keep one for each endpoint and client.
//!
//! [`LogHistogram`] takes `u64` values (microseconds, bytes, records) into log-linear buckets, 16 to an octave, so that a
//! bucket is at most 6.25 % wide (the layout of HdrHistogram, Gil Tene). Only buckets in use are kept, sorted. What
//! comes out are quantiles, maximum and integer sums, or the whole folded into an `hdrhistogram::Histogram` of the
//! baseline. [`StatusCounts`] counts HTTP status codes. Both merge in any order; counters saturate instead of wrapping,
//! which keeps that property. Nothing is refused: every `u64` and every status has a place.
//!
//! Bounds: at most [`BUCKETS`] buckets of 8 bytes, at most 500 status codes of 8 bytes; four of each need no heap.

use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

const SUB_BUCKET_BITS: u32 = 4;
const SUB_BUCKETS: u64 = 1 << SUB_BUCKET_BITS;
/// Buckets that cover all of `u64`: 16 of width one, then 16 for each of the 60 octaves above.
pub const BUCKETS: usize = (64 - SUB_BUCKET_BITS as usize + 1) << SUB_BUCKET_BITS;

const INLINE: usize = 4;
type Counts = SmallVec<[(u16, u32); INLINE]>;

/// Largest value a dense histogram is grown for: 12 days in microseconds, a terabyte in bytes.
const DENSE_MAX: u64 = 1 << 40;

/// A sparse histogram with buckets at most 6.25 % wide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHistogram {
    count: u64,
    sum: u64,
    max: u64,
    /// Bucket and how many values fell into it, ascending, none of them empty.
    buckets: Counts,
}

impl LogHistogram {
    pub fn new() -> LogHistogram {
        LogHistogram::default()
    }

    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    pub fn record_n(&mut self, value: u64, times: u32) {
        if times == 0 {
            return;
        }
        add(&mut self.buckets, bucket_of(value), times);
        self.count = self.count.saturating_add(u64::from(times));
        self.sum = self.sum.saturating_add(value.saturating_mul(u64::from(times)));
        self.max = self.max.max(value);
    }

    /// Commutative and associative.
    pub fn merge(&mut self, other: &LogHistogram) {
        merge_counts(&mut self.buckets, &other.buckets);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The exact largest value; 0 where there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The exact mean, rounded down; 0 where there is none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }

    /// The value that a share `q` (0 to 1) of the values does not exceed: the upper end of its bucket, so at most 6.25 %
    /// too high, and never above the maximum. 0 where there is none.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = (q.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0u64;
        for &(bucket, count) in &self.buckets {
            seen = seen.saturating_add(u64::from(count));
            if seen >= rank {
                return bounds_of(bucket).1.min(self.max);
            }
        }
        self.max
    }

    /// How many values exceed `value`; those in its own bucket do not count.
    pub fn count_above(&self, value: u64) -> u64 {
        let bucket = bucket_of(value);
        self.buckets.iter().filter(|entry| entry.0 > bucket).map(|entry| u64::from(entry.1)).sum()
    }

    /// Lowest and highest value of each bucket in use, and how many fell into it, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64, u32)> {
        self.buckets.iter().map(|&(bucket, count)| {
            let (low, high) = bounds_of(bucket);
            (low, high, count)
        })
    }

    /// Adds everything to a dense histogram, each bucket at its middle; it grows as it must (it is to be `auto`), up to
    /// `DENSE_MAX`.
    pub fn into_hdr<C: Counter + From<u32>>(&self, hdr: &mut Histogram<C>) {
        for (low, high, count) in self.iter() {
            let middle = (low + (high - low) / 2).min(self.max);
            let _ = hdr.record_n(middle.min(DENSE_MAX), C::from(count)); // fails only where it may not grow
        }
    }

    /// Bytes outside the value itself, as a function of its content.
    pub fn heap_bytes(&self) -> usize {
        heap_bytes(&self.buckets)
    }
}

/// Values below 16 have a bucket each; above, the octave and the four bits after the leading one.
#[inline]
fn bucket_of(value: u64) -> u16 {
    if value < SUB_BUCKETS {
        return value as u16;
    }
    let octave = 63 - value.leading_zeros(); // at least SUB_BUCKET_BITS, since value >= 16
    let sub_bucket = (value >> (octave - SUB_BUCKET_BITS)) & (SUB_BUCKETS - 1);
    (u64::from(octave - SUB_BUCKET_BITS + 1) << SUB_BUCKET_BITS | sub_bucket) as u16
}

/// Lowest and highest value of a bucket.
fn bounds_of(bucket: u16) -> (u64, u64) {
    let (octave, sub_bucket) = (u32::from(bucket) >> SUB_BUCKET_BITS, u64::from(bucket) & (SUB_BUCKETS - 1));
    let Some(shift) = octave.checked_sub(1) else { return (u64::from(bucket), u64::from(bucket)) };
    let low = (SUB_BUCKETS + sub_bucket) << shift;
    (low, low + ((1u64 << shift) - 1))
}

/// The lowest and highest status code that HTTP defines classes for (RFC 9110 §15).
const STATUS_RANGE: std::ops::RangeInclusive<u16> = 100..=599;

/// How often each HTTP status was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusCounts {
    /// 1xx to 5xx, and last what lies outside 100 to 599.
    classes: [u32; 6],
    /// Status and count, ascending, none of them zero; only 100 to 599.
    statuses: Counts,
}

impl StatusCounts {
    pub fn new() -> StatusCounts {
        StatusCounts::default()
    }

    #[inline]
    pub fn record(&mut self, status: u16) {
        self.record_n(status, 1);
    }

    pub fn record_n(&mut self, status: u16, times: u32) {
        if times == 0 {
            return;
        }
        if STATUS_RANGE.contains(&status) {
            add(&mut self.statuses, status, times);
        }
        let class = &mut self.classes[class_of(status)]; // class_of gives 0 to 5
        *class = class.saturating_add(times);
    }

    /// Commutative and associative.
    pub fn merge(&mut self, other: &StatusCounts) {
        merge_counts(&mut self.statuses, &other.statuses);
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// How often exactly this status (100 to 599) was answered.
    pub fn count(&self, status: u16) -> u64 {
        let at = self.statuses.binary_search_by_key(&status, |entry| entry.0);
        at.ok().and_then(|at| self.statuses.get(at)).map_or(0, |entry| u64::from(entry.1))
    }

    /// All of one class, by its first digit: `class(4)` is 4xx. 0 for a class that there is not.
    pub fn class(&self, first_digit: u16) -> u64 {
        if (1..=5).contains(&first_digit) {
            u64::from(self.classes[class_of(first_digit * 100)]) // class_of gives 0 to 5
        } else {
            0
        }
    }

    /// Answers with a status outside 100 to 599.
    pub fn out_of_range(&self) -> u64 {
        u64::from(self.classes[5]) // six classes
    }

    pub fn total(&self) -> u64 {
        self.classes.iter().map(|&count| u64::from(count)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Status (100 to 599) and count, ascending by status.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u16, u64)> {
        self.statuses.iter().map(|&(status, count)| (status, u64::from(count)))
    }

    /// Bytes outside the value itself, as a function of its content.
    pub fn heap_bytes(&self) -> usize {
        heap_bytes(&self.statuses)
    }
}

/// Where a status is counted in `classes`.
fn class_of(status: u16) -> usize {
    if STATUS_RANGE.contains(&status) { usize::from(status / 100 - 1) } else { 5 }
}

fn add(counts: &mut Counts, key: u16, times: u32) {
    match counts.binary_search_by_key(&key, |entry| entry.0) {
        Ok(at) => counts[at].1 = counts[at].1.saturating_add(times), // binary_search gives an index within
        Err(at) => counts.insert(at, (key, times)),
    }
}

fn merge_counts(mine: &mut Counts, theirs: &[(u16, u32)]) {
    let (mut at, keys) = (0, mine.len());
    // Most merges bring no new key; then nothing moves and nothing is allocated.
    let mut unknown: SmallVec<[(u16, u32); 16]> = SmallVec::new();
    for &(key, count) in theirs {
        while at < keys && mine[at].0 < key {
            at += 1; // stops at `keys`, the length
        }
        match mine.get_mut(at) {
            Some(entry) if entry.0 == key => entry.1 = entry.1.saturating_add(count),
            _ => unknown.push((key, count)),
        }
    }
    if !unknown.is_empty() {
        mine.extend_from_slice(&unknown);
        mine.sort_unstable_by_key(|entry| entry.0); // keys are distinct
    }
}

fn heap_bytes(counts: &Counts) -> usize {
    if counts.len() <= INLINE { 0 } else { counts.len().next_power_of_two() * size_of::<(u16, u32)>() }
}

/// Counts that were stored are added anew, so that what is read is sorted, without duplicates and without zeros.
fn counts_of(stored: &[(u16, u32)], highest: u16) -> Option<Counts> {
    let mut counts = Counts::new();
    for &(key, count) in stored {
        if key > highest || count == 0 {
            return None;
        }
        add(&mut counts, key, count);
    }
    Some(counts)
}

impl Serialize for LogHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.count, self.sum, self.max, self.buckets.as_slice()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LogHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (count, sum, max, stored) = <(u64, u64, u64, Vec<(u16, u32)>)>::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom("a histogram has a bucket that no value falls into");
        Ok(LogHistogram { count, sum, max, buckets: counts_of(&stored, BUCKETS as u16 - 1).ok_or_else(refuse)? })
    }
}

impl Serialize for StatusCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.classes, self.statuses.as_slice()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StatusCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (classes, stored) = <([u32; 6], Vec<(u16, u32)>)>::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom("status counts have a status that HTTP has not");
        Ok(StatusCounts { classes, statuses: counts_of(&stored, *STATUS_RANGE.end()).ok_or_else(refuse)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_join_without_gaps_and_are_narrow() {
        let mut next = 0u64;
        for bucket in 0..BUCKETS as u16 {
            let (low, high) = bounds_of(bucket);
            assert_eq!(low, next);
            assert_eq!((bucket_of(low), bucket_of(high)), (bucket, bucket));
            assert!((high - low + 1) as f64 <= low as f64 / 16.0 || high == low, "bucket {bucket}");
            next = high.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends at u64::MAX");
    }

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let mut histogram = LogHistogram::new();
        (1..=10_000).for_each(|value| histogram.record(value));
        for (q, exact) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0)] {
            let found = histogram.quantile(q) as f64;
            assert!(found >= exact && found <= exact * 1.0626, "{q}: {found}");
        }
        assert_eq!((histogram.quantile(1.0), histogram.max(), histogram.mean()), (10_000, 10_000, 5_000));
        assert_eq!((histogram.quantile(0.0), histogram.count(), histogram.sum()), (1, 10_000, 50_005_000));
        assert_eq!(histogram.count_above(15), 9_985);
    }

    #[test]
    fn an_empty_histogram_answers_zero() {
        let empty = LogHistogram::new();
        assert_eq!((empty.quantile(0.5), empty.max(), empty.mean(), empty.heap_bytes()), (0, 0, 0, 0));
    }

    #[test]
    fn a_dense_histogram_takes_it_all() {
        let mut histogram = LogHistogram::new();
        for value in 0..5_000u64 {
            histogram.record(value * 7);
        }
        histogram.record(u64::MAX);
        let mut hdr = Histogram::<u32>::new(2).unwrap();
        histogram.into_hdr(&mut hdr);
        assert_eq!(hdr.len(), 5_001);
        assert!((hdr.value_at_quantile(0.5) as f64 / 17_500.0 - 1.0).abs() < 0.04);
        let mut wide = Histogram::<u64>::new(2).unwrap();
        histogram.into_hdr(&mut wide);
        assert_eq!(wide.len(), 5_001);
    }

    #[test]
    fn statuses_count_by_code_and_by_class() {
        let mut counts = StatusCounts::new();
        for status in [200, 401, 404, 401, 503, 101, 999, 0, 600] {
            counts.record(status);
        }
        assert_eq!((counts.count(401), counts.count(500), counts.count(999)), (2, 0, 0));
        assert_eq!((counts.class(4), counts.class(5), counts.class(1), counts.class(9)), (3, 1, 1, 0));
        assert_eq!((counts.total(), counts.out_of_range()), (9, 3));
        assert!(counts.iter().eq([(101, 1), (200, 1), (401, 2), (404, 1), (503, 1)]));
    }

    #[test]
    fn counters_saturate() {
        let mut histogram = LogHistogram::new();
        histogram.record_n(u64::MAX, u32::MAX);
        histogram.record_n(u64::MAX, u32::MAX);
        assert_eq!((histogram.sum(), histogram.quantile(0.5)), (u64::MAX, u64::MAX));
    }

    #[test]
    fn small_ones_need_no_heap() {
        assert_eq!((size_of::<LogHistogram>(), size_of::<StatusCounts>()), (64, 64));
        let mut counts = StatusCounts::new();
        [200, 201, 401, 500].into_iter().for_each(|status| counts.record(status));
        assert_eq!(counts.heap_bytes(), 0);
        counts.record(404);
        assert_eq!(counts.heap_bytes(), 64);
    }

    proptest! {
        #[test]
        fn merging_in_any_order_is_recording_it_all(
            values in proptest::collection::vec(any::<u64>().prop_map(|v| v >> (v % 64)), 0..80),
            cut in any::<prop::sample::Index>(),
        ) {
            let of = |values: &[u64]| {
                let (mut histogram, mut counts) = (LogHistogram::new(), StatusCounts::new());
                for &value in values {
                    histogram.record(value);
                    counts.record((value % 700) as u16);
                }
                (histogram, counts)
            };
            let whole = of(&values);
            let (head, tail) = values.split_at(cut.index(values.len() + 1));
            for (first, second) in [(head, tail), (tail, head)] {
                let (mut merged, second) = (of(first), of(second));
                merged.0.merge(&second.0);
                merged.1.merge(&second.1);
                prop_assert_eq!(&merged, &whole);
                prop_assert_eq!(merged.0.heap_bytes(), whole.0.heap_bytes());
            }
            let stored = serde_json::to_string(&whole).unwrap();
            let read: (LogHistogram, StatusCounts) = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(&read, &whole);
        }

        #[test]
        fn every_value_lies_in_its_bucket(value in any::<u64>().prop_map(|v| v >> (v % 64))) {
            let (low, high) = bounds_of(bucket_of(value));
            prop_assert!(low <= value && value <= high);
        }
    }
}
