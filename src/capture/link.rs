//! Link types: what the first byte of a frame is the first byte of.
//!
//! In go the numbers that capture files carry, out come [`LinkType`]s with one number for one meaning: the FCS bits of
//! pcap headers are cut off and the spellings of raw IP that some systems wrote into files (12 and 14, their DLT_RAW)
//! become 101. An unknown number is not refused here: the packet stage counts and skips such frames.

use std::fmt;

/// Link type as its LINKTYPE_ number (<https://www.tcpdump.org/linktypes.html>).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct LinkType(pub u16);

/// Low 26 bits of a pcap header's last field; above them are the length of the FCS and the bit that says it is valid
/// (draft-ietf-opsawg-pcap, "General File Structure").
const LINK_TYPE_BITS: u32 = 0x03FF_FFFF;
/// DLT_RAW on most systems, and on OpenBSD: not LINKTYPE_ numbers, but found in files written without libpcap.
const DLT_RAW_IN_FILES: [u16; 2] = [12, 14];

/// Those that the packet stage takes apart; 149 is what old systems wrote for 258.
const KNOWN: [u16; 30] = [
    0, 1, 6, 7, 9, 10, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 122, 127, 129, 149, 192, 219, 226,
    228, 229, 239, 258, 276,
];

/// Names of what turns up in captures, for messages.
const NAMES: [(u16, &str); 38] = [
    (0, "NULL"),
    (1, "ETHERNET"),
    (6, "IEEE802_5"),
    (7, "ARCNET_BSD"),
    (8, "SLIP"),
    (9, "PPP"),
    (10, "FDDI"),
    (50, "PPP_HDLC"),
    (51, "PPP_ETHER"),
    (100, "ATM_RFC1483"),
    (101, "RAW"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (107, "FRELAY"),
    (108, "LOOP"),
    (109, "ENC"),
    (113, "LINUX_SLL"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"),
    (147, "USER0"),
    (182, "MFR"),
    (189, "USB_LINUX"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (219, "MPLS"),
    (220, "USB_LINUX_MMAPPED"),
    (226, "IPNET"),
    (228, "IPV4"),
    (229, "IPV6"),
    (231, "DBUS"),
    (239, "NFLOG"),
    (249, "USBPCAP"),
    (253, "NETLINK"),
    (258, "PKTAP"),
    (276, "LINUX_SLL2"),
];

impl LinkType {
    /// BSD loopback: a 4-byte address family in the byte order of the capturing host.
    pub const NULL: LinkType = LinkType(0);
    pub const ETHERNET: LinkType = LinkType(1);
    /// IPv4 or IPv6 by its version nibble.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    pub const LINUX_SLL: LinkType = LinkType(113);
    pub const IPV4: LinkType = LinkType(228);
    pub const IPV6: LinkType = LinkType(229);
    pub const LINUX_SLL2: LinkType = LinkType(276);
    /// Stands for every number above 16 bits: none of them is assigned.
    pub const UNASSIGNED: LinkType = LinkType(u16::MAX);

    /// From the last field of a pcap file header, as a number.
    pub(super) fn from_pcap_header(field: u32) -> LinkType {
        match u16::try_from(field & LINK_TYPE_BITS) {
            Ok(number) => LinkType::from_file(number),
            Err(_) => LinkType::UNASSIGNED,
        }
    }

    /// From a number in a file whose field has no other bits (pcapng).
    pub(super) fn from_file(number: u16) -> LinkType {
        if DLT_RAW_IN_FILES.contains(&number) { LinkType::RAW } else { LinkType(number) }
    }

    /// Is it one of those that the packet stage takes apart?
    pub fn is_known(self) -> bool {
        KNOWN.contains(&self.0)
    }

    /// The name without its `LINKTYPE_`; `unknown` for numbers that have none here.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(number, _)| *number == self.0).map_or("unknown", |(_, name)| name)
    }

    /// The number libpcap's compiler knows it by on Linux: the DLT_ value, which differs from LINKTYPE_ for the few
    /// types whose DLT_ value is not the same on every system.
    pub(super) fn dlt(self) -> i32 {
        match self.0 {
            100 => 11,
            101 => 12,
            number => i32::from(number),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fcs_bits_do_not_hide_the_link_type() {
        assert_eq!(LinkType::from_pcap_header(0x3000_0001), LinkType::ETHERNET);
        assert_eq!(LinkType::from_pcap_header(0x4400_0071), LinkType::LINUX_SLL);
    }

    #[test]
    fn raw_ip_has_one_number() {
        for number in [12, 14, 101] {
            assert_eq!(LinkType::from_pcap_header(number), LinkType::RAW);
        }
        assert_eq!(LinkType::RAW.dlt(), 12);
    }

    #[test]
    fn an_unassigned_number_stays_unknown() {
        assert_eq!(LinkType::from_pcap_header(0x0224_0001), LinkType::UNASSIGNED);
        assert!(!LinkType::UNASSIGNED.is_known());
        assert!(LinkType(105).is_known() && !LinkType(189).is_known());
        assert_eq!(LinkType(60_000).to_string(), "unknown (60000)");
        assert_eq!(LinkType::ETHERNET.to_string(), "ETHERNET (1)");
    }
}
