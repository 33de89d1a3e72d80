//! Whether client and server have disagreed where a request ended: what comes behind a suspect on its connection in, the
//! answer out.
//!
//! Suspect is a request whose end is ambiguous, or whose content begins like another request. Two things show that the
//! server did read more than one request in it: it gives one more answer than there were requests; or it answers a request
//! that began, in the same flight, before the end that a longer reading of the suspect has.

use super::ambiguity::largest_length;
use super::body::Finished;
use super::exchange::{Exchange, Origin};
use super::framing::ChunkFault;
use super::head::{Field, Head};
use super::shared::Shared;
use super::{Ambiguity, Marks, Message};
use crate::time::Timestamp;

/// The last suspect of a connection.
pub(super) struct Suspect {
    head: Head,
    started: Timestamp,
    ended: Timestamp,
    marks: Marks,
    origin: Origin,
    /// The byte behind the longest body that the head announces.
    furthest_end: i64,
}

impl Suspect {
    pub fn new<R>(request: &Message<R>, origin: Origin, marks: Marks) -> Suspect {
        let body_start = origin.offset.saturating_add_unsigned(request.head.len() as u64);
        let furthest_end = body_start.saturating_add_unsigned(largest_length(&request.head));
        let Message { started, ended, .. } = *request;
        Suspect { head: request.head.clone(), started, ended, marks, origin, furthest_end }
    }

    /// True when a request that began there may be a part of the suspect.
    pub fn may_hold(&self, origin: Origin) -> bool {
        // Where nothing is acknowledged, as within TLS, nothing says that it was the same flight.
        let is_same_flight = origin.acknowledged.is_some() && origin.acknowledged == self.origin.acknowledged;
        origin.offset < self.furthest_end && is_same_flight
    }

    /// The suspect's request, without a body.
    pub fn request<R>(&self) -> Message<R> {
        let Suspect { started, ended, .. } = *self;
        Message { head: self.head.clone(), started, ended, body_length: 0, report: None }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of::<Suspect>() + self.head.len()
    }

    pub fn marks(&self) -> Marks {
        self.marks
    }
}

/// Marks without which only a Transfer-Encoding or odd chunks can make the end of a request ambiguous.
const ODD_HEAD: Marks = Marks::OBS_FOLD
    .or(Marks::BARE_LF)
    .or(Marks::BARE_CR)
    .or(Marks::SPACE_BEFORE_COLON)
    .or(Marks::LENIENT_HEAD)
    .or(Marks::CONTENT_LENGTH_CONFLICT);

/// A request is over: marks it where its end is ambiguous, and remembers it where what follows is to be compared.
pub(super) fn examine<R, O>(
    place: &mut Option<Box<Suspect>>,
    exchange: &mut Exchange<R>,
    finished: &Finished<R>,
    shared: &mut Shared<O>,
) {
    let Some(request) = &exchange.request else { return };
    let may_be_ambiguous = exchange.marks.has_any(ODD_HEAD)
        || request.head.get(Field::TransferEncoding).is_some()
        || finished.framed.fault != ChunkFault::None;
    let is_whole = !finished.marks.contains(Marks::GAP_IN_BODY);
    let is_ambiguous = may_be_ambiguous && is_whole && Ambiguity::of_request(&request.head, &finished.framed).is_some();
    if is_ambiguous {
        exchange.marks |= Marks::AMBIGUOUS_LENGTH;
        shared.counters.requests_ambiguous += 1;
    }
    if is_ambiguous || finished.carries_request {
        remember(place, Suspect::new(request, exchange.origin, exchange.marks), shared);
    }
}

/// Puts a suspect in the place of the last one, if there is room.
fn remember<O>(place: &mut Option<Box<Suspect>>, suspect: Suspect, shared: &mut Shared<O>) {
    forget(place, shared);
    let bytes = suspect.bytes();
    if shared.has_room_for_suspect(bytes) {
        shared.suspects += bytes;
        *place = Some(Box::new(suspect));
    } else {
        shared.counters.suspects_over_limit += 1;
    }
}

/// Gives back the room of a connection's suspect.
pub(super) fn forget<O>(place: &mut Option<Box<Suspect>>, shared: &mut Shared<O>) {
    if let Some(suspect) = place.take() {
        shared.suspects -= suspect.bytes(); // as it was remembered with
    }
}
