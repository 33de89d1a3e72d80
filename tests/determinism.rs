//! The same traffic gives the same lines, byte for byte: for any number of threads, however the capture is split or
//! packed, whatever the order in which the reader's segments reach the partitions.

#[path = "support/cli.rs"]
mod cli;

use apitap::alert::record::write_line;
use apitap::api::snapshot::Settings;
use apitap::baseline::{Store, StoreLimits};
use apitap::capture::{Frame, LinkType};
use apitap::hash::HashKey;
use apitap::packet::{Decoder, PacketLimits};
use apitap::pipeline::{GRACE, Judge, JudgeOptions, Limits, Pipeline, PipelineOptions, Verdict, Wanted};
use apitap::rule::Ruleset;
use apitap::simulate::random::Rng;
use apitap::simulate::wire::{Conversation, DEFAULT_START, FULL_SNAPLEN, merge, pcap};
use apitap::simulate::{Options, Scenario};
use apitap::time::Timestamp;
use apitap::window::window_of;
use cli::{Folder, apitap, attack_traffic, capture_of, frames_of, simulated};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

const SCENARIOS: [Scenario; 4] =
    [Scenario::CredentialStuffing, Scenario::Scanner, Scenario::ShadowEndpoint, Scenario::UnauthenticatedDataExposure];

static CLEAN: LazyLock<Vec<u8>> = LazyLock::new(|| simulated(&attack_traffic(&SCENARIOS)));

static IMPAIRED: LazyLock<Vec<u8>> =
    LazyLock::new(|| simulated(&Options { loss: 0.01, reorder: 0.03, duplicate: 0.02, ..attack_traffic(&SCENARIOS) }));

/// EVE lines and readable alerts of a replay.
#[track_caller]
fn said(folder: &Folder, files: &[&str], threads: &str) -> (String, String) {
    let eve = folder.path("eve.json");
    let options = ["--threads", threads, "--eve", &eve, "--events", "alert,http", "--no-progress"];
    let run = apitap(&[&["replay"], files, &options].concat()).with_status(0);
    (folder.read("eve.json"), run.out)
}

#[track_caller]
fn assert_same(expected: &(String, String), found: &(String, String), what: &str) {
    for (expected, found) in [(&expected.0, &found.0), (&expected.1, &found.1)] {
        let differing = expected.lines().zip(found.lines()).find(|(one, other)| one != other);
        assert_eq!(differing, None, "{what}");
        assert!(expected == found, "{what}: {} lines and {}", expected.lines().count(), found.lines().count());
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for (what, traffic) in [("clean", &*CLEAN), ("impaired", &*IMPAIRED)] {
        let folder = Folder::new();
        let file = folder.write("all.pcap", traffic);
        let one = said(&folder, &[&file], "1");
        assert!(one.0.contains(r#""event_type":"http""#) && one.0.contains(r#""event_type":"alert""#));
        assert!(one.1.contains("credential_stuffing") && one.1.contains("unauthenticated_data_exposure"), "{}", one.1);
        for threads in ["2", "8"] {
            assert_same(&one, &said(&folder, &[&file], threads), &format!("{what}, {threads} threads"));
        }
    }
}

#[test]
fn how_the_capture_is_split_and_packed_changes_nothing() {
    let folder = Folder::new();
    let whole = folder.write("whole.pcap", &*CLEAN);
    let expected = said(&folder, &[&whole], "2");
    let frames = frames_of(&CLEAN);
    let third = frames.len() / 3;

    let pieces: Vec<String> = frames
        .chunks(third + 1)
        .enumerate()
        .map(|(index, piece)| folder.write(&format!("row/{index}.pcap"), capture_of(&CLEAN, piece)))
        .collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(pieces.len(), 3);
    assert_same(&expected, &said(&folder, &pieces, "1"), "pieces one after the other");
    assert_same(&expected, &said(&folder, &[pieces[2], pieces[0], pieces[1]], "8"), "pieces named in another order");
    assert_same(&expected, &said(&folder, &[&folder.path("row")], "2"), "a folder of pieces");

    let dealt: Vec<String> = (0..3)
        .map(|part| {
            let of_part: Vec<&[u8]> = frames.iter().skip(part).step_by(3).copied().collect();
            folder.write(&format!("dealt/{part}.pcap"), capture_of(&CLEAN, &of_part))
        })
        .collect();
    let dealt: Vec<&str> = dealt.iter().map(String::as_str).collect();
    assert_same(&expected, &said(&folder, &dealt, "2"), "frames dealt to three files");

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&CLEAN).unwrap();
    let gzip = folder.write("whole.pcap.gz", gzip.finish().unwrap());
    assert_same(&expected, &said(&folder, &[&gzip], "2"), "gzip");
    let zstd = folder.write("whole.pcap.zst", zstd::encode_all(CLEAN.as_slice(), 1).unwrap());
    assert_same(&expected, &said(&folder, &[&zstd], "1"), "zstd");
}

#[test]
fn impaired_traffic_dealt_to_files_is_merged_to_the_same() {
    let folder = Folder::new();
    let whole = folder.write("whole.pcap", &*IMPAIRED);
    let frames = frames_of(&IMPAIRED);
    let dealt: Vec<String> = (0..2)
        .map(|part| {
            let of_part: Vec<&[u8]> = frames.iter().skip(part).step_by(2).copied().collect();
            folder.write(&format!("{part}.pcap"), capture_of(&IMPAIRED, &of_part))
        })
        .collect();
    assert_same(&said(&folder, &[&whole], "1"), &said(&folder, &[&dealt[0], &dealt[1]], "8"), "dealt");
}

/// Time and bytes of each frame of a capture with nanoseconds.
fn timed(capture: &[u8]) -> Vec<(Timestamp, &[u8])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    frames_of(capture)
        .into_iter()
        .map(|frame| {
            let time = Timestamp::from_secs_nanos(i64::from(number(&frame[..4])), number(&frame[4..8]));
            (time, &frame[16..])
        })
        .collect()
}

const KEY: HashKey = HashKey::new(*b"sixteen byte key");

fn frame_of<'b>((time, bytes): (Timestamp, &'b [u8])) -> Frame<'b> {
    Frame { time, link: LinkType::ETHERNET, wire_len: bytes.len() as u32, bytes, source: 0 }
}

/// What the pipeline delivers when, between two marks, segments arrive in an order that a seed chooses anew: each
/// partition gets its own in order, but nothing is kept between partitions. `readers` gather them, or none: then they are given one
/// by one.
fn delivered(frames: &[(Timestamp, &[u8])], threads: usize, seed: Option<u64>, readers: usize) -> String {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let deliver = Box::new(move |_: &Judge, verdict: Verdict| {
        let mut lines = sink.lock().unwrap();
        verdict.lines.iter().for_each(|line| lines.extend_from_slice(&line.bytes));
        verdict.alerts.iter().for_each(|alert| write_line(alert, &mut lines));
        Ok(())
    });
    let rules = Arc::new(Ruleset::default());
    let judge = JudgeOptions {
        settings: Arc::new(Settings { names: rules.names.clone(), ..Settings::default() }),
        rules,
        store: Arc::new(Store::default()),
        limits: StoreLimits::default(),
        learn: Some(Duration::from_secs(600)),
        is_frozen: false,
    };
    let options = PipelineOptions {
        key: KEY,
        limits: Limits::default(),
        wanted: Wanted { http: true },
        redact: |target, _| target.to_owned(),
        workers: if threads == 1 { 0 } else { threads },
        close_incidents: true,
    };
    let mut pipeline =
        Pipeline::start(&options, Judge::new(KEY, judge, Vec::new(), apitap::alert::Incidents::new(KEY)), deliver)
            .unwrap();
    let mut decoder = Decoder::new(KEY, PacketLimits::default());
    let mut readers: Vec<_> = (0..readers).map(|_| (decoder.beside(), pipeline.gatherer())).collect();
    let mut dealer = Decoder::new(KEY, PacketLimits::default());
    let mut random = Rng::named(seed.unwrap_or(0), "delivery", threads as u64);
    let epoch = |frame: &(Timestamp, &[u8])| window_of(frame.0.saturating_sub(GRACE));
    for between_marks in frames.chunk_by(|one, other| epoch(one) == epoch(other)) {
        for (time, _) in [between_marks[0], between_marks[between_marks.len() - 1]] {
            pipeline.time(time).unwrap();
        }
        let mut order = Vec::with_capacity(between_marks.len());
        let shuffle = random.next_u64();
        for frame in between_marks {
            let partition = dealer.decode(&frame_of(*frame)).map_or(0, |segment| segment.partition());
            let place =
                if seed.is_some() { KEY.secret("place", &(shuffle ^ partition as u64).to_le_bytes()) } else { 0 };
            order.push((place, partition, *frame));
        }
        order.sort_by_key(|(place, ..)| *place); // stable: a partition's own segments stay in order
        for (_, partition, frame) in order {
            if !readers.is_empty() {
                let of_it = partition % readers.len();
                let (decoder, gatherer) = &mut readers[of_it];
                if decoder.decode(&frame_of(frame)).is_some_and(|segment| gatherer.push(&segment)) {
                    pipeline.gathered(gatherer.take()).unwrap();
                }
            } else if let Some(segment) = decoder.decode(&frame_of(frame)) {
                pipeline.segment(&segment).unwrap();
            }
        }
        for (_, gatherer) in &mut readers {
            pipeline.gathered(gatherer.take()).unwrap();
        }
    }
    let _ = pipeline.finish(true).unwrap();
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    String::from_utf8(lines).unwrap()
}

#[test]
fn shuffled_delivery_between_readers_and_workers_changes_nothing() {
    let traffic = simulated(&Options {
        duration: Duration::from_secs(16 * 60),
        ..attack_traffic(&[Scenario::Scanner, Scenario::UnauthenticatedDataExposure])
    });
    let frames = timed(&traffic);
    let expected = delivered(&frames, 1, None, 0);
    assert!(expected.contains(r#""event_type":"http""#) && expected.contains(r#""event_type":"alert""#));
    for (seed, (threads, readers)) in [(1, 0), (1, 2), (2, 0), (3, 1), (5, 3), (16, 0)].into_iter().enumerate() {
        let found = delivered(&frames, threads, Some(seed as u64), readers);
        let differing = expected.lines().zip(found.lines()).find(|(one, other)| one != other);
        assert_eq!(differing, None, "{threads} threads, seed {seed}");
        assert_eq!(expected.len(), found.len(), "{threads} threads, seed {seed}");
    }
}

/// Streams of events and long polls are told while they go on, at times that depend on no thread.
#[test]
fn bodies_that_stay_open_are_told_at_the_same_time_by_any_number_of_threads() {
    let head = |kind: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let conversations = (0..40u64).map(|nth| {
        let kind = if nth % 2 == 0 { "text/event-stream" } else { "application/json" };
        let start = DEFAULT_START.saturating_add(Duration::from_millis(nth * 731));
        let mut conversation = Conversation::new(&format!("198.51.100.{}:4000{}", nth + 1, nth % 10), "10.20.0.11:80")
            .at(start)
            .exchange(format!("GET /open/{nth} HTTP/1.1\r\nHost: h.example\r\n\r\n"), head(kind));
        for _ in 0..=nth {
            conversation = conversation.pause(Duration::from_secs(4)).response("4\r\n\"a\"\n\r\n");
        }
        conversation.response("0\r\n\r\n").close()
    });
    let folder = Folder::new();
    let file = folder.write("open.pcap", pcap(&merge(conversations), FULL_SNAPLEN));
    let one = said(&folder, &[&file], "1");
    let open = one.0.lines().filter(|line| line.contains("open_body")).count();
    // All streams of events, and the polls that go on for half a minute and to the end of its window.
    assert!((30..=36).contains(&open), "{open} of {}", one.0.lines().count());
    assert_eq!(one.0.lines().filter(|line| line.contains(r#""event_type":"http""#)).count(), 40);
    for threads in ["2", "8"] {
        assert_same(&one, &said(&folder, &[&file], threads), &format!("{threads} threads"));
    }
}
