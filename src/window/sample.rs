//! Small samples whose members do not depend on the order in which things were seen.
//!
//! [`BottomK`] keeps the K items with the smallest hashes: a uniform sample of the distinct items (Cohen and Kaplan,
//! "Summarizing data using bottom-k sketches", 2007), the same on any number of threads. [`Earliest`] keeps the K items
//! with the smallest keys, such as the first evidence transactions. In go hash or key and payload, out come at most K
//! of them in ascending order. Nothing is refused but what lies beyond the K-th; both ask before the payload is built.
//!
//! Bounds: K items; no heap at all while empty.

use serde::{Deserialize, Deserializer, Serialize};

/// The K items with the smallest hashes. Two payloads with one hash are one item; the smaller payload stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BottomK<T, const K: usize> {
    /// Ascending by hash, each hash once.
    items: Vec<(u64, T)>,
}

impl<T, const K: usize> Default for BottomK<T, K> {
    fn default() -> Self {
        BottomK { items: Vec::new() }
    }
}

impl<T: Ord, const K: usize> BottomK<T, K> {
    pub fn new() -> Self {
        BottomK::default()
    }

    /// Whether an item with this hash is, or would become, one of the K.
    #[inline]
    pub fn would_keep(&self, hash: u64) -> bool {
        is_within::<_, _, K>(&self.items, &hash)
    }

    pub fn get(&self, hash: u64) -> Option<&T> {
        let at = self.items.binary_search_by_key(&hash, |item| item.0).ok()?;
        Some(&self.items[at].1) // binary_search gives an index within
    }

    /// Whether an item with this hash was never put in, beyond doubt: it would be here.
    pub fn lacks(&self, hash: u64) -> bool {
        self.would_keep(hash) && self.items.binary_search_by_key(&hash, |item| item.0).is_err()
    }

    pub fn insert(&mut self, hash: u64, payload: T) {
        if !self.would_keep(hash) {
            return;
        }
        match self.items.binary_search_by_key(&hash, |item| item.0) {
            Ok(at) => {
                let kept = &mut self.items[at].1; // binary_search gives an index within
                if payload < *kept {
                    *kept = payload;
                }
            }
            Err(at) => place::<_, _, K>(&mut self.items, at, hash, payload),
        }
    }

    /// The payload is built only where it may be kept.
    #[inline]
    pub fn insert_with(&mut self, hash: u64, payload: impl FnOnce() -> T) {
        if self.would_keep(hash) {
            self.insert(hash, payload());
        }
    }

    /// Takes a payload out; true where it was there. Another may have been turned away for it.
    pub fn remove(&mut self, payload: &T) -> bool {
        let before = self.items.len();
        self.items.retain(|item| item.1 != *payload);
        self.items.len() < before
    }

    /// Commutative, associative and idempotent.
    pub fn merge(&mut self, other: &Self)
    where
        T: Clone,
    {
        for (hash, payload) in &other.items {
            if !self.would_keep(*hash) {
                break; // the rest is larger still
            }
            self.insert(*hash, payload.clone());
        }
    }
}

impl<T, const K: usize> BottomK<T, K> {
    /// Hash and payload, ascending by hash.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &T)> {
        self.items.iter().map(|(hash, payload)| (*hash, payload))
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes outside the value itself, not counting what the payloads own, as a function of its content.
    pub fn heap_bytes(&self) -> usize {
        heap_bytes::<(u64, T), K>(self.items.len())
    }
}

/// Items may have been stored in any order: they are inserted anew, so that what is read is always well formed.
impl<'de, T: Ord + Deserialize<'de>, const K: usize> Deserialize<'de> for BottomK<T, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sample = BottomK::new();
        for (hash, payload) in Vec::<(u64, T)>::deserialize(deserializer)? {
            sample.insert(hash, payload);
        }
        Ok(sample)
    }
}

/// The K items with the smallest keys, for example `(Timestamp, flow_id, sequence)`.
///
/// A key names one item: where a key comes again its first payload stays. So merging is free of order as long as equal
/// keys carry equal payloads, which holds for transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Earliest<Key, T, const K: usize> {
    /// Ascending by key, each key once.
    items: Vec<(Key, T)>,
}

impl<Key, T, const K: usize> Default for Earliest<Key, T, K> {
    fn default() -> Self {
        Earliest { items: Vec::new() }
    }
}

impl<Key: Ord, T, const K: usize> Earliest<Key, T, K> {
    pub fn new() -> Self {
        Earliest::default()
    }

    /// Whether an item with this key would become one of the K: false for one that is there already.
    #[inline]
    pub fn would_keep(&self, key: &Key) -> bool {
        is_within::<_, _, K>(&self.items, key) && self.items.binary_search_by(|item| item.0.cmp(key)).is_err()
    }

    pub fn insert(&mut self, key: Key, payload: T) {
        if !is_within::<_, _, K>(&self.items, &key) {
            return;
        }
        if let Err(at) = self.items.binary_search_by(|item| item.0.cmp(&key)) {
            place::<_, _, K>(&mut self.items, at, key, payload);
        }
    }

    /// The payload is built only where it is kept.
    #[inline]
    pub fn insert_with(&mut self, key: Key, payload: impl FnOnce() -> T) {
        if self.would_keep(&key) {
            self.insert(key, payload());
        }
    }

    /// Lets go of all but the first so many.
    pub fn keep_first(&mut self, count: usize) {
        self.items.truncate(count);
        self.items.shrink_to_fit();
    }

    /// Takes out what does not pass; true where there was any.
    pub fn retain(&mut self, passes: impl Fn(&T) -> bool) -> bool {
        let before = self.items.len();
        self.items.retain(|item| passes(&item.1));
        self.items.len() < before
    }

    /// Commutative, associative and idempotent, where a key names one item.
    pub fn merge(&mut self, other: &Self)
    where
        Key: Clone,
        T: Clone,
    {
        for (key, payload) in &other.items {
            if !is_within::<_, _, K>(&self.items, key) {
                break; // the rest is later still
            }
            self.insert_with(key.clone(), || payload.clone());
        }
    }
}

impl<Key, T, const K: usize> Earliest<Key, T, K> {
    /// Key and payload, ascending by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &T)> {
        self.items.iter().map(|(key, payload)| (key, payload))
    }

    pub fn first(&self) -> Option<(&Key, &T)> {
        self.items.first().map(|(key, payload)| (key, payload))
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes outside the value itself, not counting what keys and payloads own, as a function of its content.
    pub fn heap_bytes(&self) -> usize {
        heap_bytes::<(Key, T), K>(self.items.len())
    }
}

impl<'de, Key: Ord + Deserialize<'de>, T: Deserialize<'de>, const K: usize> Deserialize<'de> for Earliest<Key, T, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sample = Earliest::new();
        for (key, payload) in Vec::<(Key, T)>::deserialize(deserializer)? {
            sample.insert(key, payload);
        }
        Ok(sample)
    }
}

/// Whether `key` lies within the K smallest of `items` (sorted) and itself.
#[inline]
fn is_within<Key: Ord, T, const K: usize>(items: &[(Key, T)], key: &Key) -> bool {
    items.len() < K || items.last().is_some_and(|last| *key <= last.0)
}

/// Puts a new item at its place and lets go of the one that falls out.
fn place<Key, T, const K: usize>(items: &mut Vec<(Key, T)>, at: usize, key: Key, payload: T) {
    if items.len() >= K {
        items.pop();
    } else if items.len() == items.capacity() {
        let wanted = (items.len() + 1).next_power_of_two().min(K);
        items.reserve_exact(wanted - items.len());
    }
    items.insert(at, (key, payload));
}

fn heap_bytes<Item, const K: usize>(len: usize) -> usize {
    if len == 0 { 0 } else { len.next_power_of_two().min(K) * size_of::<Item>() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;
    use proptest::prelude::*;

    type Sample = BottomK<u32, 5>;
    type Evidence = Earliest<(i64, u64), String, 5>;

    #[test]
    fn the_smallest_hashes_stay_in_order() {
        let mut sample = Sample::new();
        for hash in [90, 10, 50, 30, 70, 20, 99, 10] {
            sample.insert(hash, hash as u32);
        }
        assert_eq!(sample.iter().map(|(hash, _)| hash).collect::<Vec<_>>(), [10, 20, 30, 50, 70]);
        assert!(sample.would_keep(60) && sample.would_keep(70) && !sample.would_keep(71));
        sample.insert_with(71, || unreachable!("the payload of what is not kept is not built"));
    }

    #[test]
    fn one_hash_is_one_item_whose_smaller_payload_stands() {
        let mut sample = Sample::new();
        sample.insert(1, 8);
        sample.insert(1, 3);
        sample.insert(1, 5);
        assert_eq!(sample.iter().collect::<Vec<_>>(), [(1, &3)]);
    }

    #[test]
    fn the_earliest_evidence_stays_and_its_payload_is_built_once() {
        let mut evidence = Evidence::new();
        let mut built = 0;
        for time in [5, 3, 9, 3, 1, 2, 4, 8, 5] {
            evidence.insert_with((time, 0), || {
                built += 1;
                time.to_string()
            });
        }
        assert_eq!(evidence.iter().map(|(key, _)| key.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((built, evidence.first().unwrap().1.as_str()), (6, "1"));
        assert!(!evidence.would_keep(&(5, 0)) && !evidence.would_keep(&(5, 1)) && evidence.would_keep(&(0, 0)));
    }

    #[test]
    fn a_sample_of_none_keeps_none() {
        let mut none = BottomK::<u32, 0>::new();
        none.insert(1, 1);
        assert!(none.is_empty() && !none.would_keep(0));
    }

    #[test]
    fn memory_is_bounded_by_k() {
        let mut sample = Sample::new();
        assert_eq!((sample.heap_bytes(), sample.items.capacity()), (0, 0));
        for hash in (0..100).rev() {
            sample.insert(hash, 0);
            assert!(sample.items.capacity() * size_of::<(u64, u32)>() <= sample.heap_bytes());
        }
        assert_eq!(sample.heap_bytes(), 5 * 16);
    }

    fn evidence_of(items: &[(i64, u64)]) -> Evidence {
        let mut evidence = Evidence::new();
        items.iter().for_each(|key| evidence.insert(*key, format!("{key:?}")));
        evidence
    }

    fn sample_of(items: &[(u64, u32)]) -> Sample {
        let mut sample = Sample::new();
        items.iter().for_each(|(hash, payload)| sample.insert(*hash, *payload));
        sample
    }

    proptest! {
        #[test]
        fn samples_are_the_same_in_any_order_and_grouping(
            mut items in proptest::collection::vec((0u64..40, 0u32..4), 0..60),
            cut in any::<prop::sample::Index>(),
            second_cut in any::<prop::sample::Index>(),
            seed in any::<u64>(),
        ) {
            let whole = sample_of(&items);
            items.sort_by_key(|item| mix(item.0 << 8 ^ u64::from(item.1) ^ seed));
            let cut = cut.index(items.len() + 1);
            let second_cut = cut + second_cut.index(items.len() - cut + 1);
            let parts = [sample_of(&items[..cut]), sample_of(&items[cut..second_cut]), sample_of(&items[second_cut..])];
            for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
                let mut left = parts[order[0]].clone();
                left.merge(&parts[order[1]]);
                left.merge(&parts[order[2]]);
                let mut tail = parts[order[1]].clone();
                tail.merge(&parts[order[2]]);
                let mut right = parts[order[0]].clone();
                right.merge(&tail);
                right.merge(&tail);
                prop_assert_eq!(&left, &whole);
                prop_assert_eq!(&right, &whole);
            }
            let stored = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Sample>(&stored).unwrap(), &whole);
        }

        #[test]
        fn evidence_is_the_same_in_any_order_and_grouping(
            mut items in proptest::collection::vec((0i64..40, 0u64..3), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = evidence_of(&items);
            let mut sorted = items.clone();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.truncate(5);
            prop_assert!(whole.iter().map(|(key, _)| *key).eq(sorted));
            items.reverse();
            let (head, tail) = items.split_at(cut.index(items.len() + 1));
            let (mut head, mut tail) = (evidence_of(head), evidence_of(tail));
            let untouched = head.clone();
            head.merge(&tail);
            tail.merge(&untouched);
            prop_assert_eq!(&head, &whole);
            prop_assert_eq!(&tail, &whole);
            let stored = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Evidence>(&stored).unwrap(), &whole);
        }
    }
}
