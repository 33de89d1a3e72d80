//! What a flow is known by: both ends, and, where the site wants it, the network they are in.

use crate::hash::HashKey;
use std::net::IpAddr;

/// An address and port of one end of a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub port: u16,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Both ends of a connection, the smaller first, so that both directions have the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowKey {
    pub low: Peer,
    pub high: Peer,
    /// The VLAN or virtual network that the addresses belong to, where that is part of the key; 0 where it is not.
    pub scope: u32,
}

impl FlowKey {
    /// The key of a segment from `source` to `destination`, and which way that segment went.
    pub fn of(source: Peer, destination: Peer) -> (FlowKey, Direction) {
        if source <= destination {
            (FlowKey { low: source, high: destination, scope: 0 }, Direction::FromLow)
        } else {
            (FlowKey { low: destination, high: source, scope: 0 }, Direction::FromHigh)
        }
    }

    /// The same ends in another network.
    pub fn within(self, scope: u32) -> FlowKey {
        FlowKey { scope, ..self }
    }

    pub fn source(&self, direction: Direction) -> Peer {
        match direction {
            Direction::FromLow => self.low,
            Direction::FromHigh => self.high,
        }
    }

    pub fn hash(&self, key: &HashKey) -> u64 {
        let ports = [self.low.port.to_be_bytes(), self.high.port.to_be_bytes()];
        if self.scope == 0
            && let (IpAddr::V4(low), IpAddr::V4(high)) = (self.low.address, self.high.address)
        {
            return key.hash(
                [low.octets(), high.octets(), [ports[0][0], ports[0][1], ports[1][0], ports[1][1]]].as_flattened(),
            );
        }
        let mut bytes = [0u8; 40];
        let ends = [(0, &self.low, ports[0]), (18, &self.high, ports[1])];
        for (at, peer, port) in ends {
            match peer.address {
                IpAddr::V4(address) => bytes[at..at + 4].copy_from_slice(&address.octets()), // at is 0 or 18
                IpAddr::V6(address) => bytes[at..at + 16].copy_from_slice(&address.octets()),
            }
            bytes[at + 16..at + 18].copy_from_slice(&port);
        }
        bytes[36..].copy_from_slice(&self.scope.to_be_bytes());
        key.hash(if self.scope == 0 { &bytes[..36] } else { &bytes })
    }
}

/// Which end of the [`FlowKey`] sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    FromLow = 0,
    FromHigh = 1,
}

impl Direction {
    pub fn other(self) -> Direction {
        match self {
            Direction::FromLow => Direction::FromHigh,
            Direction::FromHigh => Direction::FromLow,
        }
    }
}
