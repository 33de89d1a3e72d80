//! `[limits.network]`, `[limits.http]`, `[limits.http2]`, `[limits.bodies]` and `[limits.window]`: what packets, heads,
//! connections, bodies and windows may cost the sensor.
//!
//! In go the keys, out come the limits of `packet`, `stream`, `http`, `inspect` and `window`. The ranges keep apart what an attacker could exhaust from
//! what a site may have; what each limit does stands in `default.toml`, its counter in `docs/ARCHITECTURE.md`.

use super::MIB;
use super::check::within;
use super::sections::duration;
use crate::http::{Http2Limits, HttpLimits, decode};
use crate::inspect;
use crate::packet::PacketLimits;
use crate::rule::Check;
use crate::stream::StreamLimits;
use crate::window::WindowLimits;
use serde::Deserialize;
use std::time::Duration;

const KIB: usize = 1 << 10;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub fragmented_datagrams: usize,
    pub fragments_kib: usize,
    pub held_kib: usize,
    pub partition_held_kib: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub head_kib: usize,
    pub repeated_fields: usize,
    pub trailer_kib: usize,
    pub pending_requests: usize,
    pub connection_kib: usize,
    pub partition_kib: usize,
    pub undecided_kib: usize,
    pub opening_chunks: u16,
    pub midstream_chunks: u16,
    #[serde(deserialize_with = "duration")]
    pub open_body: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http2 {
    pub streams: usize,
    pub table_kib: usize,
    pub list_kib: usize,
    pub fields: usize,
    pub expansion: usize,
    pub continuation_frames: usize,
    pub control_frames: u32,
    pub closed_streams: usize,
    pub lost_chunks: u16,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bodies {
    pub decoded_mib: u64,
    pub ratio: u32,
    pub unjudged_kib: u64,
    pub codings: usize,
    pub decoders_mib: usize,
    pub scans: usize,
    pub inspected_kib: u64,
    pub json_depth: u32,
    pub markup_depth: usize,
    pub csv_columns: usize,
    pub multipart_parts: u32,
    pub distinct_values: usize,
    pub value_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub keys: usize,
    pub new_endpoints: usize,
}

impl Network {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("fragmented_datagrams", self.fragmented_datagrams, 16, 1 << 20);
        check.within("fragments_kib", self.fragments_kib, 128, 1 << 20);
        check.within("held_kib", self.held_kib, 64, 64 * KIB);
        check.within("partition_held_kib", self.partition_held_kib, 256, 1 << 20);
        if self.partition_held_kib < self.held_kib {
            check.fail(
                "partition_held_kib",
                "`partition_held_kib` is less than `held_kib` of one direction; make it larger",
            );
        }
    }

    pub(super) fn packets(&self) -> PacketLimits {
        PacketLimits { fragmented_datagrams: self.fragmented_datagrams, fragment_bytes: self.fragments_kib * KIB }
    }

    pub(super) fn stream(&self) -> StreamLimits {
        StreamLimits {
            held_bytes: self.held_kib * KIB,
            partition_held_bytes: self.partition_held_kib * KIB,
            ..StreamLimits::default()
        }
    }
}

impl Window {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("keys", self.keys, 64, 1 << 20);
        check.within("new_endpoints", self.new_endpoints, 8, 10_000);
    }

    pub(super) fn limits(&self) -> WindowLimits {
        WindowLimits { keys: self.keys, endpoints: self.new_endpoints }
    }
}

impl Http {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("head_kib", self.head_kib, 8, 1024);
        check.within("repeated_fields", self.repeated_fields, 8, 1024);
        check.within("trailer_kib", self.trailer_kib, 1, 1024);
        check.within("pending_requests", self.pending_requests, 1, 10_000);
        check.within("connection_kib", self.connection_kib, 1, 64);
        check.within("partition_kib", self.partition_kib, 256, 64 * KIB);
        if self.partition_kib < 2 * self.head_kib {
            check.fail("partition_kib", "`partition_kib` is less than two heads of `head_kib`; make it larger");
        }
        check.within("undecided_kib", self.undecided_kib, 1, 64);
        check.within("opening_chunks", self.opening_chunks, 1, 1000);
        check.within("midstream_chunks", self.midstream_chunks, 1, 60_000);
        within(check, "open_body", self.open_body, Duration::from_secs(1), Duration::from_secs(3600));
    }
}

impl Http2 {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("streams", self.streams, 16, 10_000);
        check.within("table_kib", self.table_kib, 4, 1024);
        check.within("list_kib", self.list_kib, 8, 1024);
        check.within("fields", self.fields, 32, 10_000);
        check.within("expansion", self.expansion, 1, 64);
        check.within("continuation_frames", self.continuation_frames, 4, 10_000);
        check.within("control_frames", self.control_frames, 10, 1_000_000);
        check.within("closed_streams", self.closed_streams, 1, 1024);
        check.within("lost_chunks", self.lost_chunks, 1, 60_000);
    }
}

impl Bodies {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("decoded_mib", self.decoded_mib, 1, 4096);
        check.within("ratio", self.ratio, 10, 10_000);
        check.within("unjudged_kib", self.unjudged_kib, 1, 64 << 10);
        check.within("codings", self.codings, 1, decode::MAX_CODINGS);
        check.within("decoders_mib", self.decoders_mib, 24, 1024);
        check.within("scans", self.scans, 1, 10_000);
        check.within("inspected_kib", self.inspected_kib, 16, 1 << 20);
        check.within("json_depth", self.json_depth, 4, 128);
        check.within("markup_depth", self.markup_depth, 4, 64);
        check.within("csv_columns", self.csv_columns, 8, 10_000);
        check.within("multipart_parts", self.multipart_parts, 1, 1_000_000);
        check.within("distinct_values", self.distinct_values, 16, 4096);
        check.within("value_bytes", self.value_bytes, 64, 4096);
    }

    fn decode(&self) -> decode::Limits {
        decode::Limits {
            max_output: self.decoded_mib * MIB,
            max_ratio: self.ratio,
            ratio_free_output: self.unjudged_kib * KIB as u64,
            max_codings: self.codings,
            held_bytes: self.decoders_mib * (KIB * KIB),
        }
    }

    pub(super) fn inspect(&self) -> inspect::Limits {
        inspect::Limits {
            max_scanned_bytes: self.inspected_kib * KIB as u64,
            max_depth: self.json_depth,
            max_markup_depth: self.markup_depth,
            max_columns: self.csv_columns,
            max_parts: self.multipart_parts,
            max_distinct_per_class: self.distinct_values,
            token_bytes: self.value_bytes,
        }
    }
}

/// The limits of `http`.
pub(super) fn http(http: &Http, http2: &Http2, bodies: &Bodies) -> HttpLimits {
    HttpLimits {
        head_bytes: http.head_kib * KIB,
        repeated_fields: http.repeated_fields,
        trailer_bytes: http.trailer_kib * KIB,
        pending_requests: http.pending_requests,
        connection_bytes: http.connection_kib * KIB,
        partition_bytes: http.partition_kib * KIB,
        undecided_bytes: http.undecided_kib * KIB,
        opening_chunks: http.opening_chunks,
        midstream_chunks: http.midstream_chunks,
        open_body: http.open_body,
        decode: bodies.decode(),
        http2: Http2Limits {
            streams: http2.streams,
            table_bytes: http2.table_kib * KIB,
            list_bytes: http2.list_kib * KIB,
            fields: http2.fields,
            expansion: http2.expansion,
            continuation_frames: http2.continuation_frames,
            control_frames: http2.control_frames,
            closed_streams: http2.closed_streams,
            lost_chunks: http2.lost_chunks,
        },
    }
}
