//! What the reading of a transaction depends on besides the transaction: an immutable picture of rules and inventory.
//!
//! Made between windows by what is below, read by every worker without a lock. Window *w* always reads the snapshot
//! made after window *w - 2*, so that nothing depends on who was quicker.

use super::openapi::Catalogue;
use super::template::LearnedParameters;
use crate::hash::BuildIdentity;
use crate::rule::ApiNames;
use crate::time::zone::Zone;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Default)]
pub struct Snapshot {
    pub inventory: Arc<Inventory>,
    pub settings: Arc<Settings>,
}

/// What the windows so far taught about the shape of the API.
#[derive(Clone, Default)]
pub struct Inventory {
    /// Slugs known to be parameters.
    pub learned: LearnedParameters,
    /// Keys of known endpoints.
    pub endpoints: HashSet<u64, BuildIdentity>,
    /// Those that serve many accounts: it does not matter whom.
    pub open: HashSet<u64, BuildIdentity>,
    /// Known host names.
    pub hosts: HashSet<Box<str>>,
    /// Login endpoints that had successes: whether those carried a session cookie or a token.
    pub logins: HashMap<u64, LoginHabit, BuildIdentity>,
}

/// What a login endpoint's successes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginHabit {
    pub successes_carry_session: bool,
}

/// What an operator configured.
pub struct Settings {
    pub names: ApiNames,
    pub catalogue: Catalogue,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Where our servers are; empty where nobody said so.
    pub home_networks: Vec<IpNetwork>,
    /// Host names beyond this many are not taken at their word (an attacker chooses them): they collapse to the
    /// server's address.
    pub max_hosts: usize,
    /// Whose hours people live by.
    pub zone: Zone,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            names: crate::rule::Ruleset::default().names,
            catalogue: Catalogue::default(),
            trusted_proxies: Vec::new(),
            home_networks: Vec::new(),
            max_hosts: 1024,
            zone: Zone::default(),
        }
    }
}

/// An address with a prefix length.
pub use crate::rule::Network as IpNetwork;

impl Settings {
    /// Whether a server is ours to watch, and no third party's that we are clients of.
    pub fn is_ours(&self, server: IpAddr) -> bool {
        self.home_networks.is_empty() || self.home_networks.iter().any(|network| network.contains(server))
    }

    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}
