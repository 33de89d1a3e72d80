//! What a connection agrees on, and what a client overdoes: settings, pings, and the telling of abuses.

use super::connection::Connection;
use super::frame::{ACK, DEFAULT_PAYLOAD, FrameHeader, Settings};
use super::{Abuse, AbuseKind};
use crate::http::shared::Shared;
use crate::http::{Observer, Side};
use crate::stream::FlowInfo;
use crate::time::Timestamp;

/// Settings that are not acknowledged; of more the largest sizes count.
const MOST_ANNOUNCED: usize = 8;

/// Control frames of the client within a second, and what the server sent meanwhile.
#[derive(Default)]
pub(super) struct Control {
    second: i64,
    frames: u32,
    /// Frames of data that the server sent.
    pub data: u32,
}

impl Control {
    pub fn at(&mut self, time: Timestamp) -> &mut Control {
        let second = time.0.div_euclid(1_000_000_000);
        if second != self.second {
            *self = Control { second, ..Control::default() };
        }
        self
    }
}

impl<S, R> Connection<S, R> {
    pub(super) fn settings(&mut self, side: Side, header: FrameHeader, payload: &[u8]) {
        if header.has(ACK) {
            let announcing = &mut self.halves[side.other() as usize];
            if !announcing.announced.is_empty() {
                announcing.allowed = announcing.announced.remove(0);
            }
            return self.settle_table(side.other());
        }
        let settings = Settings::parse(payload);
        let half = &mut self.halves[side as usize];
        let before = half.announced.last().copied().unwrap_or(half.allowed);
        let size = settings.table_size.map_or(before, |size| size as usize);
        if half.announced.len() >= MOST_ANNOUNCED {
            half.allowed = half.allowed.max(half.announced.remove(0));
        }
        half.announced.push(size);
        let is_first = !std::mem::replace(&mut half.has_settings, true) && !half.is_unsure;
        self.settle_table(side);
        let reader = &mut self.halves[side.other() as usize].reader;
        let max_frame = settings.max_frame.unwrap_or(DEFAULT_PAYLOAD);
        reader.max_frame = if is_first { max_frame } else { reader.max_frame.max(max_frame) };
    }

    /// Tells the other side's decoder what this side allows.
    pub(super) fn settle_table(&mut self, side: Side) {
        let half = &self.halves[side as usize];
        let allowed = half.announced.iter().copied().fold(half.allowed, usize::max);
        let allowed = if half.is_unsure || !half.has_settings { None } else { Some(allowed) };
        self.halves[side.other() as usize].hpack.allow(allowed);
    }

    /// Settings and pings cost their receiver an answer (CVE-2019-9512, CVE-2019-9515). Pings that measure the path
    /// come along with data.
    pub(super) fn control_frame<O: Observer<Scan = S, Report = R>>(
        &mut self,
        info: &FlowInfo,
        side: Side,
        header: FrameHeader,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if side == Side::Server || header.has(ACK) {
            return;
        }
        let control = self.control.at(time);
        control.frames += 1;
        if control.frames > shared.limits.http2.control_frames && control.frames / 8 > control.data {
            self.abuse(info, side, AbuseKind::ControlFlood, time, shared);
        }
    }

    /// Tells of an abuse by the client.
    pub(super) fn abuse<O: Observer<Scan = S, Report = R>>(
        &self,
        info: &FlowInfo,
        side: Side,
        kind: AbuseKind,
        time: Timestamp,
        shared: &mut Shared<O>,
    ) {
        if side == Side::Client {
            shared.counters.http2_abuses += 1;
            let (client, server) = (info.key.source(self.client), info.key.source(self.client.other()));
            shared.observer.abuse(&Abuse { flow: *info, client, server, kind, time });
        }
    }
}
