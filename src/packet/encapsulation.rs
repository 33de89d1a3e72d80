//! What wraps the traffic that is looked at: kinds of tags and tunnels, their counts, and the way through them.
//!
//! A [`Path`] goes with one frame from the outermost header to TCP: it counts each header that was recognised, bounds
//! how many there may be, and gathers what of them is part of the flow's identity.

use super::PacketCounters;
use crate::hash::mix;

/// A header that wraps another link or network layer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Encapsulation {
    Vlan,
    VnTag,
    Etag,
    FabricPath,
    ProviderBackbone,
    SecurityGroupTag,
    Macsec,
    Mpls,
    PseudoWire,
    Pppoe,
    Nsh,
    Gre,
    Nvgre,
    Erspan,
    Wccp,
    IpInIp,
    EtherIp,
    AuthenticationHeader,
    Esp,
    Vxlan,
    VxlanGpe,
    Geneve,
    Gtp,
    Teredo,
    Ayiya,
    MplsInUdp,
    L2tp,
    Capwap,
    Tzsp,
    Wifi,
}

pub const ENCAPSULATIONS: usize = 30;

/// Each with the name that people read, and the names of its two counters. In the order of [`Encapsulation`].
const NAMES: [(Encapsulation, &str, &str, &str); ENCAPSULATIONS] = [
    (Encapsulation::Vlan, "VLAN", "encapsulated_vlan", "skipped_vlan"),
    (Encapsulation::VnTag, "VN-tag", "encapsulated_vntag", "skipped_vntag"),
    (Encapsulation::Etag, "802.1BR E-tag", "encapsulated_etag", "skipped_etag"),
    (Encapsulation::FabricPath, "FabricPath", "encapsulated_fabricpath", "skipped_fabricpath"),
    (Encapsulation::ProviderBackbone, "802.1ah", "encapsulated_pbb", "skipped_pbb"),
    (Encapsulation::SecurityGroupTag, "security group tag", "encapsulated_sgt", "skipped_sgt"),
    (Encapsulation::Macsec, "MACsec", "encapsulated_macsec", "skipped_macsec"),
    (Encapsulation::Mpls, "MPLS", "encapsulated_mpls", "skipped_mpls"),
    (Encapsulation::PseudoWire, "pseudo-wire", "encapsulated_pseudowire", "skipped_pseudowire"),
    (Encapsulation::Pppoe, "PPPoE", "encapsulated_pppoe", "skipped_pppoe"),
    (Encapsulation::Nsh, "NSH", "encapsulated_nsh", "skipped_nsh"),
    (Encapsulation::Gre, "GRE", "encapsulated_gre", "skipped_gre"),
    (Encapsulation::Nvgre, "NVGRE", "encapsulated_nvgre", "skipped_nvgre"),
    (Encapsulation::Erspan, "ERSPAN", "encapsulated_erspan", "skipped_erspan"),
    (Encapsulation::Wccp, "WCCP", "encapsulated_wccp", "skipped_wccp"),
    (Encapsulation::IpInIp, "IP in IP", "encapsulated_ip", "skipped_ip"),
    (Encapsulation::EtherIp, "EtherIP", "encapsulated_etherip", "skipped_etherip"),
    (Encapsulation::AuthenticationHeader, "IPsec AH", "encapsulated_ah", "skipped_ah"),
    (Encapsulation::Esp, "IPsec ESP", "encapsulated_esp", "skipped_esp"),
    (Encapsulation::Vxlan, "VXLAN", "encapsulated_vxlan", "skipped_vxlan"),
    (Encapsulation::VxlanGpe, "VXLAN-GPE", "encapsulated_vxlan_gpe", "skipped_vxlan_gpe"),
    (Encapsulation::Geneve, "Geneve", "encapsulated_geneve", "skipped_geneve"),
    (Encapsulation::Gtp, "GTP-U", "encapsulated_gtp", "skipped_gtp"),
    (Encapsulation::Teredo, "Teredo", "encapsulated_teredo", "skipped_teredo"),
    (Encapsulation::Ayiya, "AYIYA", "encapsulated_ayiya", "skipped_ayiya"),
    (Encapsulation::MplsInUdp, "MPLS in UDP", "encapsulated_mpls_in_udp", "skipped_mpls_in_udp"),
    (Encapsulation::L2tp, "L2TP", "encapsulated_l2tp", "skipped_l2tp"),
    (Encapsulation::Capwap, "CAPWAP", "encapsulated_capwap", "skipped_capwap"),
    (Encapsulation::Tzsp, "TZSP", "encapsulated_tzsp", "skipped_tzsp"),
    (Encapsulation::Wifi, "802.11", "encapsulated_wifi", "skipped_wifi"),
];

impl Encapsulation {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1 // the table has each
    }

    /// Whether it wraps packets of another network, where a tag only marks those of this one.
    pub fn is_tunnel(self) -> bool {
        use Encapsulation::{Etag, FabricPath, Macsec, ProviderBackbone, SecurityGroupTag, Vlan, VnTag};
        !matches!(self, Vlan | VnTag | Etag | FabricPath | ProviderBackbone | SecurityGroupTag | Macsec)
    }
}

/// How often each kind was seen, a stack of MPLS labels as one, and how often it was not looked into: encrypted, no
/// header of that kind after all, or with nothing readable inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncapsulationCounters {
    seen: [u64; ENCAPSULATIONS],
    skipped: [u64; ENCAPSULATIONS],
}

impl EncapsulationCounters {
    pub fn seen(&self, kind: Encapsulation) -> u64 {
        self.seen[kind as usize]
    }

    pub fn skipped(&self, kind: Encapsulation) -> u64 {
        self.skipped[kind as usize]
    }

    pub(super) fn see(&mut self, kind: Encapsulation) {
        self.seen[kind as usize] += 1;
    }

    pub(super) fn skip(&mut self, kind: Encapsulation) {
        self.skipped[kind as usize] += 1;
    }

    pub(super) fn add(&mut self, other: &EncapsulationCounters) {
        let pairs = self.seen.iter_mut().zip(&other.seen).chain(self.skipped.iter_mut().zip(&other.skipped));
        pairs.for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Kinds that were seen or skipped, with both counts, in order.
    pub fn kinds(&self) -> impl Iterator<Item = (Encapsulation, u64, u64)> + '_ {
        NAMES.iter().map(|(kind, ..)| (*kind, self.seen(*kind), self.skipped(*kind))).filter(|(_, a, b)| a + b > 0)
    }

    /// Name and value of the counters that are not zero: most of the kinds never occur where one of them does.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = NAMES
            .iter()
            .flat_map(|(kind, _, seen, skipped)| [(*seen, self.seen(*kind)), (*skipped, self.skipped(*kind))]);
        counts.filter(|(_, count)| *count > 0)
    }
}

/// What of the wrapping is part of a flow's identity, beside its addresses and ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyBy {
    /// The numbers of VLAN tags.
    pub vlan: bool,
    /// The network of VXLAN, Geneve and NVGRE.
    pub vni: bool,
}

/// Which ports carry tunnels, how deep to go, and what makes a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tunnels {
    pub vxlan_ports: Vec<u16>,
    pub geneve_ports: Vec<u16>,
    pub gtp_ports: Vec<u16>,
    /// Tags and headers that are followed in one frame.
    pub depth: u32,
    pub key_by: KeyBy,
}

impl Default for Tunnels {
    /// The ports of IANA, and 8472, which Linux took before there was one. Ten headers are twice what networks stack.
    fn default() -> Self {
        Tunnels {
            vxlan_ports: vec![4789, 8472],
            geneve_ports: vec![6081],
            gtp_ports: vec![2152],
            depth: 10,
            key_by: KeyBy::default(),
        }
    }
}

/// Why a frame gives no segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    UnknownLink,
    Malformed,
    NotIp,
    /// More headers than are followed.
    TooDeep,
    /// Encrypted, or what seemed to be a header of that kind is none.
    Skipped(Encapsulation),
}

/// The way through the headers of one frame.
pub struct Path<'d> {
    pub tunnels: &'d Tunnels,
    pub counters: &'d mut PacketCounters,
    left: u32,
    /// The tunnel that is being looked into.
    pub inside: Option<Encapsulation>,
    /// Identity of the wrapping; 0 where it is no part of the flow's.
    pub scope: u32,
}

impl<'d> Path<'d> {
    pub fn new(tunnels: &'d Tunnels, counters: &'d mut PacketCounters) -> Path<'d> {
        Path { tunnels, counters, left: tunnels.depth, inside: None, scope: 0 }
    }

    /// A header was recognised.
    pub fn enter(&mut self, kind: Encapsulation) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(1).ok_or(Refusal::TooDeep)?;
        self.counters.encapsulations.see(kind);
        self.inside = Some(kind);
        Ok(())
    }

    /// Counts why a frame gave no segment. What was taken for a tunnel and is broken inside was none, it seems.
    #[cold]
    pub fn refuse<T>(&mut self, refusal: Refusal) -> Option<T> {
        let counters = &mut *self.counters;
        match (refusal, self.inside.filter(|kind| kind.is_tunnel())) {
            (Refusal::Malformed, Some(kind)) | (Refusal::Skipped(kind), _) => counters.encapsulations.skip(kind),
            (Refusal::Malformed, None) => counters.malformed += 1,
            (Refusal::UnknownLink, _) => counters.unknown_link += 1,
            (Refusal::NotIp, _) => counters.not_ip += 1,
            (Refusal::TooDeep, _) => counters.too_deep += 1,
        }
        None
    }

    pub fn vlan(&mut self, tag: u16) {
        if self.tunnels.key_by.vlan {
            self.narrow(Encapsulation::Vlan, u32::from(tag & 0x0fff));
        }
    }

    pub fn vni(&mut self, kind: Encapsulation, network: u32) {
        if self.tunnels.key_by.vni {
            self.narrow(kind, network);
        }
    }

    /// Numbers have 24 bits at most. Never 0, which means that nothing wraps the flow.
    fn narrow(&mut self, kind: Encapsulation, number: u32) {
        let one = u64::from(kind as u8) << 24 | u64::from(number);
        self.scope = (mix(u64::from(self.scope) << 32 | one) as u32).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_is_in_the_order_of_the_kinds() {
        for (index, (kind, ..)) in NAMES.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }

    #[test]
    fn the_order_of_tags_is_part_of_the_identity() {
        let tunnels = Tunnels { key_by: KeyBy { vlan: true, vni: true }, ..Tunnels::default() };
        let scope_of = |tags: &[u16]| {
            let mut counters = PacketCounters::default();
            let mut path = Path::new(&tunnels, &mut counters);
            tags.iter().for_each(|tag| path.vlan(*tag));
            path.scope
        };
        assert_eq!(scope_of(&[5, 6]), scope_of(&[0xe005, 6]), "priority is no identity");
        assert_ne!(scope_of(&[5, 6]), scope_of(&[6, 5]));
        assert_ne!(scope_of(&[0]), scope_of(&[]));
    }
}
