//! Rules of the detector that watches for abuse of the protocol: `protocol_abuse.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

/// What one client does to exhaust a server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolAbuse {
    pub enabled: bool,
    pub window_seconds: u64,
    /// Streams that were reset before their response began.
    pub min_resets: u64,
    /// Those / requests of this client.
    pub min_reset_share: f64,
    /// Header blocks with too many CONTINUATION frames.
    pub min_continuation_floods: u64,
    /// Header lists far larger than on the wire.
    pub min_hpack_bombs: u64,
    /// Settings and pings beyond all need.
    pub min_control_frames: u64,
    pub alert: AlertText,
}

impl ProtocolAbuse {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.seconds("window_seconds", self.window_seconds);
        check.at_least("min_resets", self.min_resets, 2);
        check.share("min_reset_share", self.min_reset_share);
        check.at_least("min_continuation_floods", self.min_continuation_floods, 1);
        check.at_least("min_hpack_bombs", self.min_hpack_bombs, 1);
        check.at_least("min_control_frames", self.min_control_frames, 1);
        self.alert.check(check);
    }
}
