//! What is shown of a transaction: built where something keeps it, once for all that do.

use super::aggregate::{Evidence, EvidenceKey, EvidenceSample};
use super::fill::Filling;
use crate::api::Observation;
use std::sync::Arc;

/// Builds the evidence of one transaction at most once.
pub(super) struct Shown<'a, 'b> {
    observation: &'a Observation<'b>,
    filling: &'a Filling<'a>,
    built: Option<Arc<Evidence>>,
}

impl<'a, 'b> Shown<'a, 'b> {
    pub(super) fn of(observation: &'a Observation<'b>, filling: &'a Filling<'a>) -> Shown<'a, 'b> {
        Shown { observation, filling, built: None }
    }

    pub(super) fn offer<const K: usize>(&mut self, sample: &mut EvidenceSample<K>) {
        let key = self.key();
        if sample.would_keep(&key) {
            sample.insert(key, self.evidence());
        }
    }

    pub(super) fn key(&self) -> EvidenceKey {
        (self.observation.started, self.observation.flow_id, self.observation.index)
    }

    pub(super) fn evidence(&mut self) -> Arc<Evidence> {
        let (observation, filling) = (self.observation, self.filling);
        Arc::clone(self.built.get_or_insert_with(|| Arc::new(evidence_of(observation, filling))))
    }
}

/// Characters of a request target and of the name of a program that are shown; a head may have sixty-four thousand.
const SHOWN_TARGET: usize = 2048;
const SHOWN_AGENT: usize = 512;

/// The first characters of a text, with a sign where there are more.
pub fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]), // a boundary of characters
        None => text.to_owned(),
    }
}

fn evidence_of(observation: &Observation<'_>, filling: &Filling<'_>) -> Evidence {
    let (source, destination) = Evidence::peers(observation.client_peer, observation.server_peer);
    Evidence {
        time: observation.started,
        flow_id: observation.flow_id,
        source,
        destination,
        method: observation.method.to_string(),
        host: observation.host.to_string(),
        url: shortened(&(filling.redact)(&observation.target), SHOWN_TARGET),
        status: (observation.status != 0).then_some(observation.status),
        length: (observation.status != 0).then_some(observation.response_bytes),
        user_agent: observation.user_agent.as_deref().map(|agent| shortened(agent, SHOWN_AGENT)),
        protocol: observation.protocol.into(),
    }
}
