//! What a subject reaches at an endpoint: the objects that it asks for, and how often it uses what changes something.

use super::super::Window;
use super::super::aggregate::Reach;
use super::super::shown::Shown;
use super::{Filling, pair_key};
use crate::api::template::path_of;
use crate::api::{Observation, Outcome, is_safe};
use crate::hash::mix;

/// Requests of a subject for objects of an endpoint, within a window, from which on they are shown as evidence.
const REACH_SHOWN: u64 = 3;
/// One in so many is shown in any case, for those who walk slowly.
const REACH_SAMPLE: u64 = 8;

/// The key of what a subject uses an endpoint for.
pub fn use_key(endpoint: u64, subject: u64) -> u64 {
    pair_key(mix(endpoint), subject)
}

impl Window {
    pub(super) fn record_reach(
        &mut self,
        observation: &Observation<'_>,
        client: u64,
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let Some(object) = observation.object else { return };
        // Only a login by its nature names many users; its attempts are counted as such. Who is let in by what goes with every
        // request of his is a caller like others.
        let is_caller = observation.credentials.is_some_and(|credentials| credentials.basic.is_some());
        let is_login = observation.attempt.is_some_and(|attempt| !is_caller || attempt.outcome != Outcome::Success);
        if is_login || (!observation.is_known && !observation.makes_endpoint) {
            return;
        }
        // What is made now was nobody's; what nobody guesses is asked for before it is made.
        let is_made = observation.status == 201 && (object.is_in_body || path_of(observation.template).ends_with('}'));
        let is_asked_before = object.is_opaque && observation.method == "HEAD";
        // What is sent may be about anything; it asks for what it is given, or refused, but for want of credentials.
        let is_asked = observation.is_sensitive() || is_miss(observation.status) && observation.status != 401;
        let is_told_of = object.is_in_body && !is_asked;
        // A server that fails gave nothing, and refused nothing.
        if is_made || is_asked_before || is_told_of || observation.is_dead_link() || observation.is_server_error() {
            return;
        }
        let subject = observation.principal.unwrap_or(client);
        let key = pair_key(observation.endpoint, subject);
        let entry = self.reaches.entry(key, false, filling.limits.keys, || new_reach(observation));
        let Some(reach) = entry else { return };
        reach.successes += u64::from(observation.is_success || observation.status == 304);
        reach.misses += u64::from(is_miss(observation.status));
        reach.sensitive += u64::from(observation.is_sensitive());
        reach.objects.insert(object.hash);
        if let Some(number) = object.number {
            reach.lowest = reach.lowest.min(number);
            reach.highest = reach.highest.max(number);
        }
        reach.record(observation, shown);
    }

    /// What somebody does with a function that changes something. Programs do that by trade.
    pub(super) fn record_use(
        &mut self,
        observation: &Observation<'_>,
        client: u64,
        filling: &Filling<'_>,
        shown: &mut Shown<'_, '_>,
    ) {
        let is_program = observation.credentials.is_some_and(|credentials| credentials.is_lasting);
        // A body may say no: codes of coupons are guessed like that.
        let is_answered = (200..300).contains(&observation.status);
        let is_change =
            is_answered && observation.attempt.is_none() && !is_safe(&observation.method, observation.template);
        if !is_change || !observation.is_known || is_program {
            return;
        }
        let key = use_key(observation.endpoint, observation.principal.unwrap_or(client));
        let entry = self.reaches.entry(key, false, filling.limits.keys, || new_reach(observation));
        let Some(reach) = entry else { return };
        reach.successes += u64::from(observation.is_success);
        reach.uses += 1;
        reach.record(observation, shown);
    }
}

/// Whether an object was refused, or there is none.
fn is_miss(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 410)
}

fn new_reach(observation: &Observation<'_>) -> Reach {
    Reach {
        endpoint: observation.endpoint,
        client: observation.client,
        principal: observation.principal,
        requests: 0,
        successes: 0,
        misses: 0,
        objects: Default::default(),
        lowest: u64::MAX,
        highest: 0,
        sensitive: 0,
        uses: 0,
        moment: Default::default(),
        evidence: Default::default(),
    }
}

impl Reach {
    fn record(&mut self, observation: &Observation<'_>, shown: &mut Shown<'_, '_>) {
        self.client = self.client.min(observation.client);
        self.requests += 1;
        self.moment.record(observation.started);
        // Nearly every subject asks for an object or two, and nothing will ever be said of them: only of those that ask
        // for more, and of a sample, is evidence worth building.
        if self.requests >= REACH_SHOWN || observation.is_one_in(REACH_SAMPLE) {
            shown.offer(&mut self.evidence);
        }
    }
}
