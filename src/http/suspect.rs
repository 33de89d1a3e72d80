//! Whether client and server have disagreed where a request ended: what comes behind a suspect on its connection in, the
//! answer out.
//!
//! Suspect is a request whose end is ambiguous, or whose content begins like another request. Two things show that the
//! server did read more than one request in it: it gives one more answer than there were requests; or it answers a request
//! that began, in the same flight, before the end that a longer reading of the suspect has.

use super::ambiguity::largest_length;
use super::exchange::Origin;
use super::head::Head;
use super::{Marks, Message};
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
        origin.offset < self.furthest_end && origin.acknowledged == self.origin.acknowledged
    }

    /// The suspect's request, without a body.
    pub fn request<R>(&self) -> Message<R> {
        let Suspect { started, ended, .. } = *self;
        Message { head: self.head.clone(), started, ended, body_length: 0, report: None }
    }

    pub fn marks(&self) -> Marks {
        self.marks
    }
}
