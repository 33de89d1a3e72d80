//! The whole pipeline against a bare loop, on generated traffic, in the same run.
//!
//! `cargo bench --bench pipeline [-- PROFILE...]` makes the traffic of each profile with `simulate` (in memory), then
//! times, in turns so that a noisy machine treats both alike: the **bare loop**, which walks the frames of the capture
//! and parses the heads that begin in a segment with `httparse`, without any state; and **apitap**, everything on, one
//! thread. Prints transactions/s, Gbit/s and the ratio of processor times (the aim is 5.7 for `mixed`), then what two
//! threads gain over one, beside what two independent bare loops gain over one on the same cores (both by the clock on
//! the wall, so only on an idle machine).

use apitap::alert::Incidents;
use apitap::api::Settings;
use apitap::baseline::{Store, StoreLimits};
use apitap::capture::{Frame, LinkType};
use apitap::hash::HashKey;
use apitap::packet::{Decoder, PacketLimits};
use apitap::pipeline::{Judge, JudgeOptions, Limits, Pipeline, PipelineOptions, Wanted};
use apitap::rule::Ruleset;
use apitap::simulate::{Options, Profile, generate};
use apitap::time::Timestamp;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of each contestant; the best counts.
const ROUNDS: usize = 5;

/// A capture in memory: its records, as the nanosecond little-endian pcap that `simulate` writes.
struct Traffic {
    bytes: Vec<u8>,
    transactions: u64,
    wire_bytes: u64,
}

impl Traffic {
    fn of(profile: Profile) -> Traffic {
        let (rate, seconds) = match profile {
            Profile::Small => (20_000.0, 10),
            Profile::Bulk => (40.0, 10),
            _ => (4_000.0, 20),
        };
        let options = Options {
            profile,
            rate,
            duration: Duration::from_secs(seconds),
            clients: 4000,
            quiet_first: Duration::ZERO,
            ..Options::default()
        };
        let mut bytes = Vec::new();
        let summary = generate(&options, &mut bytes, &mut std::io::sink()).expect("writing to memory");
        let wire_bytes = frames(&bytes).map(|(_, frame)| frame.len() as u64).sum();
        Traffic { bytes, transactions: summary.transactions, wire_bytes }
    }
}

/// The frames of a capture, time in nanoseconds first.
fn frames(bytes: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    let mut rest = &bytes[24..];
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_at_checked(16)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (frame, behind) = behind.split_at_checked(word(8) as usize)?;
        rest = behind;
        Some((i64::from(word(0)) * 1_000_000_000 + i64::from(word(4)), frame))
    })
}

/// Walks the frames and parses the heads, without state: what nothing that reads HTTP can be quicker than.
fn bare_loop(bytes: &[u8]) -> u64 {
    let mut heads = 0;
    for (_, frame) in frames(bytes) {
        let Ok(packet) = etherparse::SlicedPacket::from_ethernet(frame) else { continue };
        let Some(etherparse::TransportSlice::Tcp(tcp)) = packet.transport else { continue };
        let payload = tcp.payload();
        let mut headers = [httparse::EMPTY_HEADER; 64];
        if payload.starts_with(b"HTTP/1.") {
            heads +=
                u64::from(httparse::Response::new(&mut headers).parse(payload).is_ok_and(|found| found.is_complete()));
        } else if payload.first().is_some_and(u8::is_ascii_uppercase) {
            heads +=
                u64::from(httparse::Request::new(&mut headers).parse(payload).is_ok_and(|found| found.is_complete()));
        }
    }
    heads
}

fn apitap(bytes: &[u8], threads: usize) -> u64 {
    let key = HashKey::new(*b"benchmark key 16");
    let options = JudgeOptions {
        rules: Arc::new(Ruleset::default()),
        settings: Arc::new(Settings::default()),
        store: Arc::new(Store::default()),
        limits: StoreLimits::default(),
        learn: None,
        is_frozen: false,
    };
    let pipeline_options = PipelineOptions {
        key,
        limits: Limits::default(),
        wanted: Wanted::default(),
        redact: |target, _| target.to_string(),
        workers: if threads == 1 { 0 } else { threads },
        close_incidents: true,
    };
    let judge = Judge::new(key, options, Vec::new(), Incidents::new(key));
    let mut pipeline =
        Pipeline::start(&pipeline_options, judge, Box::new(|_, _| Ok(()))).expect("threads can be started");
    let mut decoder = Decoder::new(key, PacketLimits::default());
    for (time, bytes) in frames(bytes) {
        let time = Timestamp(time);
        let frame = Frame { time, link: LinkType::ETHERNET, wire_len: bytes.len() as u32, bytes, source: 0 };
        pipeline.time(time).expect("nothing fails here");
        if let Some(segment) = decoder.decode(&frame) {
            pipeline.segment(&segment).expect("nothing fails here");
        }
    }
    let (judge, _) = pipeline.finish(true).expect("nothing fails here");
    judge.counters().http.transactions
}

/// Seconds on the wall, and processor time of this thread: that, other programs on the machine hardly change.
#[derive(Clone, Copy)]
struct Times {
    wall: f64,
    processor: f64,
}

impl Times {
    const NONE: Times = Times { wall: f64::MAX, processor: f64::MAX };

    fn of(run: impl FnOnce() -> u64) -> Times {
        let (started, processor) = (Instant::now(), processor_seconds());
        black_box(run());
        Times { wall: started.elapsed().as_secs_f64(), processor: processor_seconds() - processor }
    }

    fn or_better(self, run: impl FnOnce() -> u64) -> Times {
        let other = Times::of(run);
        Times { wall: self.wall.min(other.wall), processor: self.processor.min(other.processor) }
    }
}

fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "this thread has a clock");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let profiles = [("mixed", Profile::Mixed), ("small", Profile::Small), ("bulk", Profile::Bulk)];
    println!(
        "{:<8} {:>12} {:>10} {:>14} {:>14} {:>8} {:>8} {:>12} {:>12}",
        "traffic", "transactions", "MB", "bare loop t/s", "apitap t/s", "Gbit/s", "ratio", "2 threads", "2 loops"
    );
    for (name, profile) in profiles {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let traffic = Traffic::of(profile);
        let (mut bare, mut ours, mut two, mut two_bare) = (Times::NONE, Times::NONE, Times::NONE, Times::NONE);
        for _ in 0..ROUNDS {
            bare = bare.or_better(|| bare_loop(&traffic.bytes));
            ours = ours.or_better(|| apitap(&traffic.bytes, 1));
            two = two.or_better(|| apitap(&traffic.bytes, 2));
            two_bare = two_bare.or_better(|| {
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| bare_loop(&traffic.bytes));
                    bare_loop(&traffic.bytes) + other.join().unwrap_or(0)
                })
            });
        }
        println!(
            "{name:<8} {:>12} {:>10.0} {:>14.0} {:>14.0} {:>8.2} {:>8.2} {:>11.2}x {:>11.2}x",
            traffic.transactions,
            traffic.wire_bytes as f64 / 1e6,
            traffic.transactions as f64 / bare.processor,
            traffic.transactions as f64 / ours.processor,
            traffic.wire_bytes as f64 * 8.0 / ours.processor / 1e9,
            ours.processor / bare.processor,
            ours.wall / two.wall,
            2.0 * bare.wall / two_bare.wall,
        );
    }
}
