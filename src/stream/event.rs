//! What reassembly gives, within which limits, and what it counts.

use crate::time::Timestamp;
use std::time::Duration;

/// Bytes handed on in order.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Position of the first byte in its direction's stream. 0 is the first byte after the SYN; where that was not
    /// seen, the first byte seen, or the one that the peer's first acknowledgement asked for.
    pub offset: i64,
    /// How far the sender had received the other direction's stream when it sent this.
    pub acknowledged: Option<i64>,
    /// When the frame that carried the bytes was captured.
    pub time: Timestamp,
    pub bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    Data(Chunk<'a>),
    /// `length` bytes from `offset` on are missing for good.
    Gap {
        offset: i64,
        length: u64,
        time: Timestamp,
    },
    /// Bytes from `offset` on came twice, and the copies differ. Told as soon as it is known: of bytes that were handed
    /// on already (be it behind the end), or right before those that are now.
    Conflict {
        offset: i64,
        length: u64,
    },
    /// No more bytes come in this direction.
    End {
        time: Timestamp,
        reset: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes one direction may hold out of order (bookkeeping included) before its hole is declared a gap.
    pub held_bytes: usize,
    /// Bytes all flows of a partition may hold together.
    pub partition_held_bytes: usize,
    /// How long a hole whose bytes the peer has acknowledged is waited for: mirrors deliver within milliseconds.
    pub acknowledged_grace: Duration,
    /// The same where the peer's direction is not in the capture at all, so that nothing can be acknowledged: longer
    /// than the first retransmission timeout (RFC 6298 §2: 1 s) twice over.
    pub one_sided_grace: Duration,
    /// The same where the peer's direction is there and does not acknowledge the bytes: they are still to be sent
    /// again, as retransmission timeouts back off (RFC 6298 §2.5: up to 60 s). Ends what an attacker leaves held.
    pub unacknowledged_grace: Duration,
}

impl Default for StreamLimits {
    /// 256 KiB is four full unscaled windows; 8 MiB a partition bound all partitions to 128 MiB.
    fn default() -> Self {
        StreamLimits {
            held_bytes: 256 << 10,
            partition_held_bytes: 8 << 20,
            acknowledged_grace: Duration::from_millis(500),
            one_sided_grace: Duration::from_secs(3),
            unacknowledged_grace: Duration::from_secs(60),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    pub retransmitted_segments: u64,
    pub out_of_order_segments: u64,
    /// Segments that came again with other bytes.
    pub overlap_conflicts: u64,
    /// Bytes that were delivered in order.
    pub bytes: u64,
    pub gaps: u64,
    pub gap_bytes: u64,
    /// Segments so far from the expected sequence number, or behind what their receiver takes, that they are not of the stream.
    pub out_of_window: u64,
    /// Gaps declared because a limit on held bytes was reached.
    pub gaps_at_limit: u64,
    /// Urgent bytes, which are left out of the stream.
    pub urgent_bytes: u64,
}
