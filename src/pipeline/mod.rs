//! The stages wired together: a reader, workers with their partitions, one judge. Replay and daemon run the same; a daemon may
//! have several readers, which gather in threads of their own ([`Gatherer`]).
//!
//! A reader decodes frames and deals segments to the partition of their flow; marks travel with the segments wherever
//! a window closes. A worker runs its partitions to completion and at a mark hands their windows to the judge. The judge
//! merges the windows, lets the detectors look, folds, and makes the snapshot that is read after the next mark: so
//! workers and judge overlap, and yet nothing depends on who was quicker. With one thread all of it happens in the
//! reader's thread, in the same order.

mod batch;
mod judge;
mod lines;
mod partition;
mod shedding;
mod workers;

pub use batch::{Gathered, Gatherer};
pub use judge::{Forgotten, Judge, JudgeOptions, Verdict, forget};
pub use lines::{Line, LineKey};
pub use partition::{Counters, Limits, Redact, blindness};
pub use shedding::Shedding;
pub use workers::{Between, Deliver, Failure, Pipeline, PipelineOptions};

use crate::time::Timestamp;
use crate::window::window_of;
use std::time::Duration;

/// How far the watermark trails the newest frame: what several interfaces or a busy mirror put out of order.
pub const GRACE: Duration = Duration::from_secs(1);

/// The window that is open when a frame of this time is the newest.
fn open_at(newest: Timestamp) -> i64 {
    window_of(newest.saturating_sub(GRACE))
}

/// Whether segments of these two times may be given together, once [`Pipeline::time`] was told of the later one: no window closes
/// between them, and they are no further apart than frames are out of order.
pub fn may_go_together(one: Timestamp, other: Timestamp) -> bool {
    one.max(other).since(one.min(other)) <= GRACE && open_at(one) == open_at(other)
}

/// The end of an epoch: every window through `through` is closed.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Counted from 0.
    pub number: u64,
    pub through: i64,
    /// The watermark.
    pub now: Timestamp,
    /// What follows is earlier: the clock was set back.
    pub is_rewind: bool,
}

/// Where the records of the transactions go, and whether anyone wants them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub http: bool,
}

/// Counters that are told of whenever they are not zero: something was dropped, cut or evicted.
pub const LOSSES: [&str; 39] = [
    "incidents_over_limit",
    "unknown_link",
    "malformed_packets",
    "encapsulations_too_deep",
    "cut_by_snaplen",
    "ip_fragments_overlapping",
    "ip_fragments_evicted",
    "segments_out_of_window",
    "overlap_conflicts",
    "gaps",
    "gap_bytes",
    "gaps_at_limit",
    "urgent_bytes",
    "flows_evicted",
    "flows_evicted_http",
    "heads_refused",
    "heads_over_limit",
    "heads_cut",
    "trailers_over_limit",
    "bodies_undecodable",
    "bodies_over_limit",
    "pending_over_limit",
    "suspects_over_limit",
    "http2_frames_over_limit",
    "http2_framing_lost",
    "http2_directions_given_up",
    "http2_blocks_refused",
    "http2_lists_over_limit",
    "http2_table_entries_left_out",
    "http2_streams_over_limit",
    "bodies_scanned_in_part",
    "bodies_not_scanned",
    "bodies_cut",
    "hosts_refused",
    "paths_cut",
    "window_keys_left_out",
    "segments_shed",
    "keys_evicted",
    "lines_out_of_order",
];
