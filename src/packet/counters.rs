//! What the packet stage counts.

use super::encapsulation::EncapsulationCounters;
use crate::counts::add_counts;

/// What was seen and what was passed over, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketCounters {
    pub frames: u64,
    pub wire_bytes: u64,
    pub tcp_segments: u64,
    /// Link types that are not decoded.
    pub unknown_link: u64,
    /// Neither IPv4 nor IPv6.
    pub not_ip: u64,
    /// IP, but not TCP.
    pub not_tcp: u64,
    /// Frames with more tags and tunnels than are followed.
    pub too_deep: u64,
    /// TCP segments that were mirrored a second time, and are not given on.
    pub duplicates: u64,
    /// Headers that are shorter than they must be, or contradict themselves.
    pub malformed: u64,
    /// Frames whose payload was cut by the snap length.
    pub cut_by_snaplen: u64,
    pub bad_ip_checksum: u64,
    pub bad_tcp_checksum: u64,
    pub fragments: u64,
    pub datagrams_reassembled: u64,
    pub fragments_overlapping: u64,
    pub fragments_evicted: u64,
    /// Tags and tunnels, by kind.
    pub encapsulations: EncapsulationCounters,
}

impl PacketCounters {
    pub fn add(&mut self, other: &PacketCounters) {
        add_counts!(
            self,
            other,
            PacketCounters {
                frames,
                wire_bytes,
                tcp_segments,
                unknown_link,
                not_ip,
                not_tcp,
                too_deep,
                duplicates,
                malformed,
                cut_by_snaplen,
                bad_ip_checksum,
                bad_tcp_checksum,
                fragments,
                datagrams_reassembled,
                fragments_overlapping,
                fragments_evicted,
            } and { encapsulations }
        );
        self.encapsulations.add(&other.encapsulations);
    }

    /// Name and value of every counter, in the order of a summary.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let mut all = vec![
            ("frames", self.frames),
            ("wire_bytes", self.wire_bytes),
            ("tcp_segments", self.tcp_segments),
            ("unknown_link", self.unknown_link),
            ("not_ip", self.not_ip),
            ("not_tcp", self.not_tcp),
            ("encapsulations_too_deep", self.too_deep),
            ("duplicate_segments", self.duplicates),
            ("malformed_packets", self.malformed),
            ("cut_by_snaplen", self.cut_by_snaplen),
            ("bad_ip_checksum", self.bad_ip_checksum),
            ("bad_tcp_checksum", self.bad_tcp_checksum),
            ("ip_fragments", self.fragments),
            ("datagrams_reassembled", self.datagrams_reassembled),
            ("ip_fragments_overlapping", self.fragments_overlapping),
            ("ip_fragments_evicted", self.fragments_evicted),
        ];
        all.extend(self.encapsulations.named());
        all
    }
}
