//! The fixed facts of a simulation: who is where, and how busy which hour is.
//!
//! Nothing here changes while traffic is generated. Addresses of clients follow from their number; benign ones end in
//! an even octet (IPv6: even interface identifier), attackers' in an odd one, so that none is ever both.

use super::exchange::Host;
use super::random::scatter;
use crate::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// First octets of networks where people live; not reserved by RFC 6890.
const CONSUMER_OCTETS: [u8; 20] =
    [1, 14, 27, 49, 58, 60, 78, 81, 92, 101, 103, 110, 115, 121, 124, 137, 144, 150, 180, 220];

/// Share of the busiest hour, by hour of the day: nights are quiet, evenings full.
const PEOPLE_BY_HOUR: [f64; 24] = [
    0.22, 0.14, 0.10, 0.08, 0.08, 0.12, 0.25, 0.45, 0.62, 0.70, 0.74, 0.78, 0.86, 0.82, 0.76, 0.76, 0.80, 0.86, 0.93,
    1.0, 0.98, 0.84, 0.60, 0.38,
];
/// Staff work from eight to six.
const STAFF_BY_HOUR: [f64; 24] = [
    0.02, 0.02, 0.02, 0.02, 0.02, 0.03, 0.10, 0.45, 0.95, 1.0, 1.0, 0.95, 0.70, 0.85, 1.0, 0.95, 0.85, 0.50, 0.15,
    0.08, 0.05, 0.04, 0.03, 0.02,
];

/// Addresses with many people behind them: carriers' NAT.
const CARRIER_NATS: u64 = 6;

/// What [`World::speaks_http2`] draws its chance by.
const HTTP2: u64 = 0x6832;

#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    pub start: Timestamp,
    /// Nothing new starts from here on.
    pub end: Timestamp,
    /// Attacks start from here on.
    pub attacks_from: Timestamp,
    pub clients: u32,
    pub ipv6: bool,
    pub vlan: Option<u16>,
    /// Share of clients that speak HTTP/2.
    pub http2: f64,
    /// Benign transactions a second, on the mean.
    pub rate: f64,
}

impl World {
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// The addresses that answer for a host.
    pub fn server(&self, host: Host, choice: u64) -> SocketAddr {
        let (first, count) = match host {
            Host::Site => (10, 2),
            Host::Api => (20, 3),
            Host::Admin => (30, 1),
            Host::Partner => (40, 2),
        };
        let last = first + (choice % count) as u8;
        let address = if self.ipv6 {
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x20, 0, 0, 0, 0, 0, u16::from(last)))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 20, 0, last))
        };
        SocketAddr::new(address, host.port())
    }

    /// Whether who has this address speaks HTTP/2.
    pub fn speaks_http2(&self, client: IpAddr) -> bool {
        let bits = match client {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits() as u64,
        };
        let share = (scatter(self.seed ^ HTTP2, bits) >> 11) as f64 / (1u64 << 53) as f64; // 53 bits are exact
        share < self.http2
    }

    fn outside(&self, what: u64, index: u64, odd: bool) -> IpAddr {
        let bits = scatter(self.seed ^ what, index);
        let parity = u64::from(odd);
        if self.ipv6 {
            let part = |shift: u32| (bits >> shift) as u16;
            let interface = scatter(bits, 1);
            IpAddr::V6(Ipv6Addr::new(
                0x2403 + (part(0) & 7),
                part(16) & 0x3fff,
                part(32),
                part(48),
                (interface >> 48) as u16,
                (interface >> 32) as u16,
                (interface >> 16) as u16,
                (interface as u16 & 0xfffe) | parity as u16,
            ))
        } else {
            let first = CONSUMER_OCTETS[(bits % CONSUMER_OCTETS.len() as u64) as usize]; // a remainder of the length
            let last = 2 * ((bits >> 8) % 126 + 1) + parity;
            IpAddr::V4(Ipv4Addr::new(first, (bits >> 16) as u8, (bits >> 24) as u8, last as u8))
        }
    }

    /// Where person `index` sits: one in ten behind one of a few carriers' addresses.
    pub fn home(&self, index: u64) -> IpAddr {
        match scatter(self.seed ^ 0xa7, index) % 10 {
            0 => self.outside(0xca11, index % CARRIER_NATS, false),
            _ => self.outside(0x0de, index, false),
        }
    }

    /// A machine outside, by its role and number.
    pub fn machine(&self, role: u64, index: u64) -> IpAddr {
        self.outside(0x3ac_0000 + role, index, false)
    }

    /// A machine or a person inside, 10.30.0.0/16.
    pub fn inside(&self, role: u8, index: u64) -> IpAddr {
        let last = 2 * (index % 120) + 4;
        if self.ipv6 {
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x30, u16::from(role), 0, 0, 0, 0, last as u16))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 30, role, last as u8))
        }
    }

    /// An attacker's address, for attack number `attack`.
    pub fn attacker(&self, attack: u64, index: u64) -> IpAddr {
        self.outside(0xbad_0000 + attack, index, true)
    }

    /// How busy people are at a time, as a share of the busiest hour.
    pub fn people(&self, at: Timestamp) -> f64 {
        by_hour(&PEOPLE_BY_HOUR, at)
    }

    /// The mean of [`World::people`] over the whole simulation.
    pub fn people_mean(&self) -> f64 {
        self.mean_by_hour(&PEOPLE_BY_HOUR)
    }

    /// How busy staff is at a time, from 0 to 1.
    pub fn staff(&self, at: Timestamp) -> f64 {
        by_hour(&STAFF_BY_HOUR, at)
    }

    fn mean_by_hour(&self, table: &[f64; 24]) -> f64 {
        const SAMPLES: u64 = 96;
        let step = self.length() / SAMPLES as u32;
        let total: f64 =
            (0..SAMPLES).map(|n| by_hour(table, self.start.saturating_add(step * n as u32 + step / 2))).sum();
        total / SAMPLES as f64
    }
}

/// Linear between the hours' middles; a sixth less on Saturday and Sunday.
fn by_hour(table: &[f64; 24], at: Timestamp) -> f64 {
    let seconds = at.seconds().rem_euclid(86_400) as f64;
    let place = seconds / 3600.0;
    let hour = place as usize % 24;
    let next = (hour + 1) % 24;
    let within = place.fract();
    let weekday = at.seconds().div_euclid(86_400).rem_euclid(7); // 0 is a Thursday
    let weekend = if weekday == 2 || weekday == 3 { 5.0 / 6.0 } else { 1.0 };
    (table[hour] * (1.0 - within) + table[next] * within) * weekend // both are below 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(ipv6: bool) -> World {
        let start = super::super::wire::DEFAULT_START;
        World {
            seed: 1,
            start,
            end: start.saturating_add(Duration::from_secs(86_400)),
            attacks_from: start,
            clients: 100,
            ipv6,
            vlan: None,
            http2: 0.0,
            rate: 10.0,
        }
    }

    #[test]
    fn benign_and_attacking_addresses_never_meet() {
        for ipv6 in [false, true] {
            let world = world(ipv6);
            let last = |address: IpAddr| match address {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(v6) => v6.octets()[15],
            };
            for index in 0..500 {
                assert_eq!(last(world.home(index)) % 2, 0);
                assert_eq!(last(world.attacker(3, index)) % 2, 1);
            }
        }
    }

    #[test]
    fn a_day_has_its_mean_and_a_quiet_night() {
        let world = world(false);
        let hour =
            |n: u64| world.people(world.start.saturating_add(Duration::from_secs(n * 3600))) / world.people_mean();
        let mean = (0..24).map(hour).sum::<f64>() / 24.0;
        assert!((0.97..1.03).contains(&mean), "{mean}");
        assert!(hour(18) < 0.25 && hour(10) > 1.5, "night {} evening {}", hour(18), hour(10));
    }
}
