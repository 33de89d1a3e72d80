//! Captures that others made, against what tshark and libpcap read in them. Runs where `APITAP_CORPUS` is set.

use super::{CaptureError, FileSource, Frame, FrameSource, LinkType};
use crate::time::Timestamp;
use pcap::{Capture, Precision};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files whose frames we count differently from tshark 4.0.17, and why.
const COUNTED_DIFFERENTLY: [(&str, &str); 4] = [
    ("pcap/pcapformat/rusticata__test017-be.pcapng", "tshark counts its four Custom Blocks; it has no packet block"),
    ("pcap/pcapformat/rusticata__test017-le.pcapng", "tshark counts its four Custom Blocks; it has no packet block"),
    (
        "pcap/robustness/tcpdump__frf16_magic_ie-oobr.pcap",
        "tshark refuses link type 182 (MFR); one whole record is there",
    ),
    ("pcap/robustness/tcpdump__vtp_asan-3.pcap", "tshark refuses link type 182 (MFR); one whole record is there"),
];
/// Files whose times differ from tshark's, and why.
const TIMED_DIFFERENTLY: [(&str, &str); 1] = [(
    "pcap/pcapformat/rusticata__test016-le.pcapng",
    "starts with a Simple Packet Block, which has no time: tshark leaves it out, here it is at 1970",
)];
/// Files refused under the usual limit, because their time runs backwards by hours.
const RUNS_BACKWARDS: [(&str, &str); 6] = [
    ("pcap/negative/ndpi__cassandra.pcap", "from 2015 to 1970, where a second capture was appended"),
    ("pcap/robustness/tcpdump__dccp_options-oobr.pcap", "fuzzed: the second frame is 2.5 hours older"),
    ("pcap/robustness/tcpdump__esis_snpa_asan-3.pcap", "fuzzed: the second frame is a week older"),
    ("pcap/robustness/tcpdump__isakmp-various-oobr.pcap", "fuzzed: from 1972 to 1970"),
    ("pcap/tls/lekensteyn__tls_pgsql-ssl.pcapng", "one frame is dated 2065, the others 2015"),
    (
        "pcap/tls/suricata__bug-1450-05_tls_DER-incomplete-content.pcap",
        "fuzzed: the second frame is of 1994, the first of 2015",
    ),
];

struct Expected {
    file: String,
    packets: u64,
    first_micros: Option<i64>,
    last_micros: Option<i64>,
}

fn expected(corpus: &Path) -> Vec<Expected> {
    let lines = std::fs::read_to_string(corpus.join("pcap/expected.jsonl")).unwrap();
    let micros = |value: &serde_json::Value| value.as_f64().map(|seconds| (seconds * 1e6).round() as i64);
    lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            Expected {
                file: line["file"].as_str().unwrap().to_owned(),
                packets: line["expected"]["packets"].as_u64().unwrap(),
                first_micros: micros(&line["expected"]["first_ts"]),
                last_micros: micros(&line["expected"]["last_ts"]),
            }
        })
        .collect()
}

fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("APITAP_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("skipped: APITAP_CORPUS is not set");
    }
    corpus
}

fn reason_for<'a>(exceptions: &[(&str, &'a str)], file: &str) -> Option<&'a str> {
    exceptions.iter().find(|(name, _)| *name == file).map(|(_, reason)| *reason)
}

/// Reads to the end, whatever the order of times; gives what `of` makes of the frames, and the error that ended it.
fn read_all<T>(path: &Path, mut of: impl FnMut(Frame<'_>) -> T) -> (Vec<T>, Option<CaptureError>) {
    let mut frames = Vec::new();
    let mut source = match FileSource::open(path) {
        Ok(source) => source.with_disorder_limit(Duration::MAX),
        Err(error) => return (frames, Some(error)),
    };
    loop {
        match source.next() {
            Ok(Some(frame)) => frames.push(of(frame)),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// Equal to the microsecond: the expected time went through a double, which is a rounding of up to one.
fn is_about(time: Option<&Timestamp>, expected_micros: Option<i64>) -> bool {
    match (time, expected_micros) {
        (Some(time), Some(expected)) => (time.0 - expected * 1000).abs() <= 1000,
        (time, expected) => time.is_none() && expected.is_none(),
    }
}

#[test]
fn every_capture_gives_the_frames_that_tshark_counts() {
    let Some(corpus) = corpus() else { return };
    let expected = expected(&corpus);
    let mut wrong = Vec::new();
    for expected in &expected {
        let (times, error) = read_all(&corpus.join(&expected.file), |frame| frame.time);
        let mut differs = |exceptions: &[(&str, &str)], what: String, differs: bool| {
            if differs != reason_for(exceptions, &expected.file).is_some() {
                wrong.push(format!("{}: {what} (error: {error:?})", expected.file));
            }
        };
        let counted = times.len() as u64;
        let what = format!("{counted} frames, tshark counts {}", expected.packets);
        differs(&COUNTED_DIFFERENTLY, what, counted != expected.packets);
        if counted == expected.packets {
            // tshark's first and last are the earliest and the latest.
            let (first, last) = (times.iter().min(), times.iter().max());
            let equal = is_about(first, expected.first_micros) && is_about(last, expected.last_micros);
            let what = format!("{first:?} to {last:?}, not {:?} to {:?}", expected.first_micros, expected.last_micros);
            differs(&TIMED_DIFFERENTLY, what, !equal);
        }
    }
    assert!(wrong.is_empty(), "{} of {} captures:\n{}", wrong.len(), expected.len(), wrong.join("\n"));
    assert!(expected.len() >= 603, "the corpus holds only {} captures", expected.len());
}

#[test]
fn only_named_captures_run_backwards() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    for expected in expected(&corpus) {
        let mut source = FileSource::open(&corpus.join(&expected.file)).unwrap();
        let error = loop {
            match source.next() {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let backwards = matches!(error, Some(CaptureError::TimeRunsBackwards { .. }));
        if backwards != reason_for(&RUNS_BACKWARDS, &expected.file).is_some() {
            wrong.push(format!("{}: {error:?}", expected.file));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Time, bytes on the wire, and the bytes.
type Seen = (Timestamp, u32, Vec<u8>);

/// What libpcap reads before it ends or refuses, and whether it read to the end. Nothing where it cannot open the file.
fn read_by_libpcap(path: &Path) -> Option<(Vec<Seen>, i32, bool)> {
    let mut capture = Capture::from_file_with_precision(path, Precision::Nano).ok()?;
    let link = capture.get_datalink().0;
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let time = Timestamp::from_secs_nanos(packet.header.ts.tv_sec, packet.header.ts.tv_usec as u32);
                frames.push((time, packet.header.len, packet.data.to_vec()));
            }
            Err(error) => return Some((frames, link, error == pcap::Error::NoMorePackets)),
        }
    }
}

/// Does our frame agree with libpcap's? libpcap cuts at the snapshot length even frames that are longer, and gives
/// lengths on the wire that are below the captured one.
fn agrees(ours: &Seen, theirs: &Seen) -> bool {
    let same_time = ours.0 == theirs.0 || theirs.0.0 == 0;
    same_time && ours.1.max(theirs.1) == ours.1 && ours.2.starts_with(&theirs.2)
}

#[test]
fn frames_are_those_that_libpcap_reads() {
    let Some(corpus) = corpus() else { return };
    let (mut compared, mut frames, mut wrong) = (0, 0, Vec::new());
    for expected in expected(&corpus) {
        let path = corpus.join(&expected.file);
        let Some((theirs, link, to_the_end)) = read_by_libpcap(&path) else { continue };
        let (ours, error) = read_all(&path, |frame| (frame.time, frame.wire_len, frame.bytes.to_vec()));
        let (links, _) = read_all(&path, |frame| frame.link);
        compared += 1;
        frames += theirs.len();
        let differing = ours.iter().zip(&theirs).position(|(ours, theirs)| !agrees(ours, theirs));
        if ours.len() < theirs.len() || (to_the_end && ours.len() != theirs.len()) || differing.is_some() {
            let (ours, theirs) = (ours.len(), theirs.len());
            wrong.push(format!("{}: {ours} and {theirs}, differ at {differing:?} ({error:?})", expected.file));
        }
        if to_the_end && links.iter().any(|ours| ours.dlt() != link) {
            wrong.push(format!(
                "{}: links {:?}, libpcap {link}",
                expected.file,
                links.first().map(LinkType::to_string)
            ));
        }
    }
    println!("{compared} captures, {frames} frames are as libpcap reads them");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 590, "libpcap read only {compared} captures");
}
