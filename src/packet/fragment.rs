//! IP fragments in, whole datagrams out (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Fragments may come in any order, within tunnels too. A datagram with overlapping fragments is dropped whole and
//! counted, as RFC 5722 asks for IPv6 and as Linux and Windows do for both: what they drop, nobody reads. A fragment that
//! repeats bytes that are there is a duplicate and no overlap, also where another fragmentation cut it differently.
//! Bounded in datagrams and bytes; at the bound the oldest datagram goes first.

use super::encapsulation::{Path, Refusal};
use super::network::{Datagram, Fragment};
use super::{PacketCounters, PacketLimits};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// RFC 8200 §4.5: reassembly is abandoned after 60 seconds; Linux gives 30.
const REASSEMBLY_TIME: Duration = Duration::from_secs(30);
/// The largest payload an IPv4 or IPv6 datagram can have without jumbograms.
const MAX_DATAGRAM: usize = 65_535;

/// What a held fragment costs beside its bytes (map node, vector): a flood of tiny ones is bounded by it.
const PIECE_OVERHEAD: usize = 96;

/// Ends, protocol, identification, and the network they are in, where that is part of a flow's key.
type DatagramKey = (IpAddr, IpAddr, u8, u32, u32);

struct Partial {
    started: Timestamp,
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Payload length of the whole datagram, known once its last fragment is here.
    total: Option<usize>,
    /// Payload bytes that are there.
    length: usize,
    /// What they cost to hold.
    cost: usize,
    /// The protocol of the first fragment: in IPv6 that may be an extension header.
    protocol: u8,
    /// An overlap was seen: what still comes of this datagram is ignored.
    condemned: bool,
}

pub struct FragmentTable {
    limits: PacketLimits,
    partials: HashMap<DatagramKey, Partial>,
    by_age: VecDeque<DatagramKey>,
    /// What all pieces cost to hold.
    cost: usize,
}

impl FragmentTable {
    pub fn new(limits: PacketLimits) -> FragmentTable {
        FragmentTable { limits, partials: HashMap::new(), by_age: VecDeque::new(), cost: 0 }
    }

    /// Takes in one fragment; gives the datagram once it is whole, in the buffer `whole`.
    pub fn add<'a>(
        &mut self,
        time: Timestamp,
        datagram: &Datagram<'_>,
        fragment: Fragment,
        path: &mut Path<'_>,
        whole: &'a mut Vec<u8>,
    ) -> Option<Datagram<'a>> {
        self.evict(time, path.counters);
        if datagram.cut > 0 {
            return None; // a hole in the middle of a datagram: TCP above sees the whole datagram missing
        }
        let end = fragment.offset + datagram.payload.len();
        if datagram.payload.is_empty()
            || end > MAX_DATAGRAM
            || (fragment.more && !datagram.payload.len().is_multiple_of(8))
        {
            return path.refuse(Refusal::Malformed);
        }
        let scope = path.scope;
        let counters = &mut *path.counters;
        // IPv6 fragments behind the first do not know the protocol behind the extension headers: it is not in the key.
        let key_protocol = if datagram.source.is_ipv4() { datagram.protocol } else { 0 };
        let key = (datagram.source, datagram.destination, key_protocol, fragment.identification, scope);
        let partial = self.partials.entry(key).or_insert_with(|| {
            self.by_age.push_back(key);
            Partial {
                started: time,
                pieces: BTreeMap::new(),
                total: None,
                length: 0,
                cost: 0,
                protocol: datagram.protocol,
                condemned: false,
            }
        });
        if partial.condemned || partial.has(fragment.offset, datagram.payload) {
            return None;
        }
        if partial.overlaps(fragment.offset, end) || (!fragment.more && partial.contradicts(end)) {
            counters.fragments_overlapping += 1;
            self.cost -= partial.cost;
            partial.cost = 0;
            partial.pieces.clear();
            partial.condemned = true;
            return None;
        }
        if fragment.offset == 0 {
            partial.protocol = datagram.protocol;
        }
        if !fragment.more {
            partial.total = Some(end);
        }
        let cost = datagram.payload.len() + PIECE_OVERHEAD;
        partial.length += datagram.payload.len();
        partial.cost += cost;
        self.cost += cost;
        partial.pieces.insert(fragment.offset, datagram.payload.to_vec());
        if partial.total != Some(partial.length) {
            return None;
        }
        let partial = self.partials.remove(&key)?;
        // Fragments follow each other closely: the search ends after a few steps.
        if let Some(place) = self.by_age.iter().rposition(|held| *held == key) {
            self.by_age.remove(place);
        }
        self.cost -= partial.cost;
        whole.clear();
        for piece in partial.pieces.values() {
            whole.extend_from_slice(piece);
        }
        counters.datagrams_reassembled += 1;
        Some(Datagram {
            source: datagram.source,
            destination: datagram.destination,
            protocol: partial.protocol,
            payload: whole,
            cut: 0,
            fragment: None,
            identification: fragment.identification as u16, // whose upper half IPv4 does not have
        })
    }

    fn evict(&mut self, now: Timestamp, counters: &mut PacketCounters) {
        while let Some(oldest) = self.by_age.front() {
            let Some(partial) = self.partials.get(oldest) else { return }; // every key here has its partial
            let over = self.partials.len() > self.limits.fragmented_datagrams || self.cost > self.limits.fragment_bytes;
            if !over && now.since(partial.started) < REASSEMBLY_TIME {
                return;
            }
            counters.fragments_evicted += u64::from(!partial.condemned);
            self.cost -= partial.cost;
            self.partials.remove(oldest);
            self.by_age.pop_front();
        }
    }
}

impl Partial {
    /// Whether the same bytes are there already.
    fn has(&self, start: usize, mut bytes: &[u8]) -> bool {
        let mut at = start;
        let first = self.pieces.range(..=start).next_back().map_or(start, |(offset, _)| *offset);
        for (offset, piece) in self.pieces.range(first..) {
            let held = at.checked_sub(*offset).and_then(|skip| piece.get(skip..)).unwrap_or(&[]);
            let (repeated, behind) = bytes.split_at(held.len().min(bytes.len()));
            if held.is_empty() || !held.starts_with(repeated) {
                return false;
            }
            if behind.is_empty() {
                return true;
            }
            (at, bytes) = (at + repeated.len(), behind);
        }
        false
    }

    /// Whether a last fragment that ends there leaves out what is there already.
    fn contradicts(&self, end: usize) -> bool {
        let furthest = self.pieces.last_key_value().map_or(0, |(offset, piece)| offset + piece.len());
        furthest > end || self.total.is_some_and(|total| total != end)
    }

    fn overlaps(&self, start: usize, end: usize) -> bool {
        let before = self.pieces.range(..=start).next_back();
        let after = self.pieces.range(start..).next();
        before.is_some_and(|(offset, piece)| offset + piece.len() > start)
            || after.is_some_and(|(offset, _)| *offset < end)
            || self.total.is_some_and(|total| end > total)
    }
}
