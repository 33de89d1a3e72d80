//! Tunnels in which a mirror's frames come: the headers of a finished Ethernet frame in, with those of the tunnel around it
//! out. The payload stays where it is. Both ends are the same two machines for every frame.

use super::frame::{fold, sum};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tunnel {
    /// RFC 7348, to port 4789.
    Vxlan,
    /// RFC 8926, to port 6081, with one option as AWS Gateway Load Balancer sends it.
    Geneve,
    /// RFC 2784 and 2890: GRE of Ethernet frames, with a key.
    Gre,
    /// draft-foschiano-erspan: type II, with a sequence number.
    Erspan,
    /// 3GPP TS 29.281: IP packets in GTP-U, to port 2152.
    Gtp,
    /// RFC 2003 and RFC 4213: IP in IPv4.
    IpInIp,
    /// RFC 3032: two labels before the IP packet.
    Mpls,
    /// RFC 2516: IP packets of a PPPoE session.
    Pppoe,
}

const ETHERNET: usize = 14;
const TAG: usize = 4;
const OUTER_MACS: [u8; 12] = [0x02, 0x0f, 0, 0, 0, 0x02, 0x02, 0x0f, 0, 0, 0, 0x01];
const OUTER_SOURCE: [u8; 4] = [198, 51, 100, 1];
const OUTER_DESTINATION: [u8; 4] = [198, 51, 100, 2];
const UDP: u8 = 17;
const GRE: u8 = 47;
/// Network identifier, key, session, tunnel endpoint: whatever a tunnel calls its number.
const NUMBER: u32 = 0x1234;

impl Tunnel {
    pub const ALL: [(&'static str, Tunnel); 8] = [
        ("vxlan", Tunnel::Vxlan),
        ("geneve", Tunnel::Geneve),
        ("gre", Tunnel::Gre),
        ("erspan", Tunnel::Erspan),
        ("gtp", Tunnel::Gtp),
        ("ip-in-ip", Tunnel::IpInIp),
        ("mpls", Tunnel::Mpls),
        ("pppoe", Tunnel::Pppoe),
    ];

    /// The headers of the `number`th frame through the tunnel: `header` is the inner frame's, Ethernet first, tagged or
    /// not, with IPv4 or IPv6 behind it; `payload` bytes follow it.
    pub fn around(self, header: &[u8], payload: usize, number: u64) -> Vec<u8> {
        let tagged = header[12..14] == [0x81, 0x00];
        let packet = &header[if tagged { ETHERNET + TAG } else { ETHERNET }..];
        let is_v6 = packet[0] >> 4 == 6;
        let of_frame = header.len() + payload;
        let of_packet = packet.len() + payload;
        let id = NUMBER.to_be_bytes();
        match self {
            Tunnel::Vxlan => {
                let vxlan = [8, 0, 0, 0, id[1], id[2], id[3], 0];
                over_udp(4789, number, &vxlan, header, of_frame)
            }
            Tunnel::Geneve => {
                let option = [0x01, 0x08, 0x01, 0x02, 0, 0, 0, 9, 0, 0, 0, 7];
                let geneve = [&[option.len() as u8 / 4, 0, 0x65, 0x58, id[1], id[2], id[3], 0][..], &option].concat();
                over_udp(6081, number, &geneve, header, of_frame)
            }
            Tunnel::Gre => {
                let gre = [&[0x20, 0, 0x65, 0x58][..], &id].concat();
                over_ip(GRE, number, &gre, header, of_frame)
            }
            Tunnel::Erspan => {
                let sequence = (number as u32).to_be_bytes();
                let gre = [&[0x10, 0, 0x88, 0xbe][..], &sequence, &[0x10, 0x64, 0, 0x07, 0, 0, 0, 0]].concat();
                over_ip(GRE, number, &gre, header, of_frame)
            }
            Tunnel::Gtp => {
                let length = (of_packet as u16).to_be_bytes();
                let gtp = [0x30, 0xff, length[0], length[1], id[0], id[1], id[2], id[3]];
                over_udp(2152, number, &gtp, packet, of_packet)
            }
            Tunnel::IpInIp => over_ip(if is_v6 { 41 } else { 4 }, number, &[], packet, of_packet),
            Tunnel::Mpls => {
                let labels = [[0, 0x01, 0x00, 64], [0, 0x02, 0x01, 64]].concat(); // the second is the bottom of the stack
                [&OUTER_MACS[..], &[0x88, 0x47], &labels, packet].concat()
            }
            Tunnel::Pppoe => {
                let length = (of_packet as u16 + 2).to_be_bytes();
                let protocol: u16 = if is_v6 { 0x0057 } else { 0x0021 };
                let session = [0x11, 0, id[2], id[3], length[0], length[1]];
                [&OUTER_MACS[..], &[0x88, 0x64], &session, &protocol.to_be_bytes(), packet].concat()
            }
        }
    }
}

/// `inner` is the first of `bytes` bytes that the tunnel's header `shim` stands before.
fn over_udp(port: u16, number: u64, shim: &[u8], inner: &[u8], bytes: usize) -> Vec<u8> {
    let length = (8 + shim.len() + bytes) as u16;
    let mut udp = Vec::with_capacity(8 + shim.len());
    udp.extend_from_slice(&51_000u16.to_be_bytes());
    udp.extend_from_slice(&port.to_be_bytes());
    udp.extend_from_slice(&length.to_be_bytes());
    udp.extend_from_slice(&[0, 0]); // no checksum, as tunnels may (RFC 6935)
    udp.extend_from_slice(shim);
    over_ip(UDP, number, &udp, inner, bytes)
}

fn over_ip(protocol: u8, number: u64, shim: &[u8], inner: &[u8], bytes: usize) -> Vec<u8> {
    let length = ((20 + shim.len() + bytes) as u16).to_be_bytes();
    let identification = (number as u16).to_be_bytes();
    let mut ip = [0u8; 20];
    ip[..12].copy_from_slice(&[
        0x45,
        0,
        length[0],
        length[1],
        identification[0],
        identification[1],
        0x40, // do not fragment
        0,
        62,
        protocol,
        0,
        0,
    ]);
    ip[12..16].copy_from_slice(&OUTER_SOURCE);
    ip[16..20].copy_from_slice(&OUTER_DESTINATION);
    let checksum = fold(sum(&ip));
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&OUTER_MACS[..], &[0x08, 0x00], &ip, shim, inner].concat()
}
