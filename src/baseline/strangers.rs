//! How much of what is tried at accounts comes from strangers: clients that do nothing else.
//!
//! In go the attempts of a window and what the store knows of their clients; out come, for each endpoint, the attempts of strangers,
//! and those of them that count. A person opens the site before and uses it afterwards; who only tries accounts is nobody's
//! customer. It is told by what a client did until now, and for good: what is usual and what is judged are counted alike, so
//! that a person whose first request is a login is a stranger in both. Misses: campaigns that load pages like a browser.

use super::store::Store;
use super::tiers::SPANS;
use crate::api::AccountFlow;
use crate::window::{Attempts, Merge, Strangers, Window};
use std::collections::BTreeMap;

/// Times as many requests as attempts from which on somebody came for more.
pub const REQUESTS_PER_ATTEMPT: u64 = 4;

impl Store {
    /// Notes the strangers in the attempts of each endpoint, before the window is taken in.
    pub(super) fn count_strangers(&self, window: &mut Window) {
        let mut strangers: BTreeMap<(u64, AccountFlow), Strangers> = BTreeMap::new();
        for (key, attempts) in window.login_clients.iter() {
            let client = attempts.client_key;
            let now = window.clients.get(client).map_or(0, |client| client.tally.requests);
            let requests = self.clients.get(&client).map_or(0, |client| client.requests) + now;
            let earlier = self.login_clients.get(&key);
            let earlier = earlier.map_or(0, |attempts| attempts.recent.sum(SPANS.len() - 1, Attempts::total));
            if requests < REQUESTS_PER_ATTEMPT * (earlier + attempts.total()) {
                let counted = Strangers { attempts: attempts.total(), counted: attempts.counted() };
                strangers.entry((attempts.endpoint, attempts.flow)).or_default().merge(counted);
            }
        }
        for ((endpoint, flow), strangers) in strangers {
            let Some(endpoint) = window.endpoints.get_mut(endpoint) else { continue };
            let attempts = [&mut endpoint.logins, &mut endpoint.accounts];
            if let Some(attempts) = attempts.into_iter().flatten().find(|attempts| attempts.flow == flow) {
                attempts.strangers = strangers;
            }
        }
    }
}
