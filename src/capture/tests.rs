//! What reading a capture promises, on bytes made by hand.

mod pcapng;
mod properties;

use super::samples::*;
use super::*;
use crate::capture::input::ByteOrder::{Big, Little};
use std::io::{self, Cursor, Read, Write};
use std::time::Duration;

/// A frame that outlives the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    nanos: i64,
    link: u16,
    wire_len: u32,
    bytes: Vec<u8>,
}

fn kept(frame: Frame<'_>) -> Kept {
    Kept { nanos: frame.time.0, link: frame.link.0, wire_len: frame.wire_len, bytes: frame.bytes.to_vec() }
}

fn drain(mut source: impl FrameSource) -> (Vec<Kept>, Option<CaptureError>) {
    let mut frames = Vec::new();
    loop {
        match source.next() {
            Ok(Some(frame)) => frames.push(kept(frame)),
            Ok(None) => return (frames, None),
            Err(error) => {
                assert!(matches!(source.next(), Ok(None)), "a source goes on after {error}");
                return (frames, Some(error));
            }
        }
    }
}

fn read_from(reader: impl Read + Send + 'static) -> (Vec<Kept>, Option<CaptureError>) {
    match FileSource::from_reader(Path::new("sample"), reader) {
        Ok(source) => drain(source),
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn read(bytes: &[u8]) -> (Vec<Kept>, Option<CaptureError>) {
    read_from(Cursor::new(bytes.to_vec()))
}

fn read_well(bytes: &[u8]) -> Vec<Kept> {
    let (frames, error) = read(bytes);
    assert!(error.is_none(), "{}", error.unwrap());
    frames
}

/// Gives the bytes in pieces of the given lengths, over and over.
struct InPieces {
    bytes: Cursor<Vec<u8>>,
    lengths: Vec<usize>,
    turn: usize,
}

impl Read for InPieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths[self.turn % self.lengths.len()].min(into.len());
        self.turn += 1;
        self.bytes.read(&mut into[..length])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// pcap

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_resolutions() {
    for order in [Big, Little] {
        for (magic, nanos) in [(MICROSECONDS, 5_000_007_000), (NANOSECONDS, 5_000_000_007)] {
            let bytes = [pcap_header(order, magic, 65_535, 113), pcap_record(order, 5, 7, 60, b"abc")].concat();
            let expected = Kept { nanos, link: 113, wire_len: 60, bytes: b"abc".to_vec() };
            assert_eq!(read_well(&bytes), [expected]);
        }
    }
}

#[test]
fn files_one_after_the_other_are_one_capture() {
    let mut bytes = Vec::new();
    for (order, magic) in [(Big, MICROSECONDS), (Little, NANOSECONDS), (Little, MICROSECONDS), (Big, NANOSECONDS)] {
        bytes.extend(pcap_header(order, magic, 65_535, 1));
        bytes.extend(pcap_record(order, 5, 7, 60, b"abc"));
        bytes.extend(pcap_header(order, magic, 65_535, 113)); // without frames
        bytes.extend(pcap_header(order, magic, 65_535, 1));
        // What is like a version is the fraction of an ordinary time.
        bytes.extend(pcap_record(order, 6, 0x0004_0002, 60, b"de"));
    }
    let nanos: Vec<i64> = read_well(&bytes).iter().map(|frame| frame.nanos).collect();
    let (micro, nano) = ([5_000_007_000, 6_262_146_000], [5_000_000_007, 6_000_262_146]);
    assert_eq!(nanos, [micro, nano, micro, nano].concat());
}

#[test]
fn kuznetsovs_record_headers_are_eight_bytes_longer() {
    let mut record = pcap_record(Little, 5, 7, 3, b"abc");
    record.splice(16..16, [2, 0, 0, 0, 8, 0, 0, 0]);
    let bytes = [pcap_header(Little, KUZNETSOV, 65_535, 1), record.clone(), record].concat();
    assert_eq!(read_well(&bytes).iter().map(|frame| &frame.bytes[..]).collect::<Vec<_>>(), [b"abc", b"abc"]);
}

#[test]
fn lengths_swapped_by_old_libpcap_are_swapped_back() {
    for minor in [2u8, 3] {
        let mut header = pcap_header(Little, MICROSECONDS, 65_535, 1);
        header[6] = minor;
        let mut record = pcap_record(Little, 5, 7, 60, b"abc");
        record[8..16].rotate_left(4);
        let frames = read_well(&[header, record].concat());
        assert_eq!((frames[0].wire_len, &frames[0].bytes[..]), (60, &b"abc"[..]));
    }
}

#[test]
fn a_header_alone_is_a_capture_without_frames() {
    assert_eq!(read_well(&pcap_header(Little, MICROSECONDS, 65_535, 1)), []);
    assert_eq!(read_well(&section(Big)), []);
}

#[test]
fn an_empty_frame_is_a_frame() {
    let frames = read_well(&pcap_at(&[1, 2], 0));
    assert_eq!(frames.iter().map(|frame| frame.bytes.len()).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_wire_length_below_the_captured_one_is_raised_to_it() {
    let bytes = [pcap_header(Little, MICROSECONDS, 65_535, 1), pcap_record(Little, 5, 7, 1, b"abc")].concat();
    assert_eq!(read_well(&bytes)[0].wire_len, 3);
}

#[test]
fn an_absurd_length_is_damage_told_with_its_byte() {
    let mut bytes = pcap_at(&[1, 2, 3], 40);
    let second = 24 + 56;
    bytes[second + 8..second + 12].copy_from_slice(&3_000_000_000u32.to_le_bytes());
    let (frames, error) = read(&bytes);
    assert_eq!(frames.len(), 1);
    let text = error.unwrap().to_string();
    assert!(text.contains("3000000000 bytes") && text.contains("at byte 80;"), "{text}");
}

#[test]
fn a_frame_above_the_ordinary_limit_is_read_where_the_file_announces_it() {
    let large = vec![9u8; 3_000_000];
    let record = pcap_record(Little, 1, 0, 3_000_000, &large);
    let announced = [pcap_header(Little, MICROSECONDS, 4_000_000, 1), record.clone()].concat();
    assert_eq!(read_well(&announced)[0].bytes, large);
    let not_announced = [pcap_header(Little, MICROSECONDS, 65_535, 1), record].concat();
    assert!(matches!(read(&not_announced).1, Some(CaptureError::Damaged { offset: 24, .. })));
}

// What is no capture, or ends early

#[test]
fn every_cut_gives_the_whole_frames_before_it_and_an_error_if_it_cuts_one() {
    let pcapng = [
        section(Little),
        interface(Little, 1, 0, &[]),
        enhanced(Little, 0, 1, 9, b"abc"),
        block(Little, 0xbad, &[0; 40]),
        enhanced(Little, 0, 2, 9, b"defgh"),
    ];
    let pcap = [
        pcap_header(Little, MICROSECONDS, 65_535, 1),
        pcap_record(Little, 1, 0, 9, b"abc"),
        pcap_record(Little, 2, 0, 9, b""),
        pcap_record(Little, 3, 0, 9, b"defgh"),
    ];
    for (pieces, first_frame) in [(&pcapng[..], 2), (&pcap[..], 1)] {
        let whole = pieces.concat();
        let all = read_well(&whole);
        for cut in 1..whole.len() {
            let mut ends = pieces.iter().scan(0, |end, piece| {
                *end += piece.len();
                Some(*end)
            });
            let at_a_border = ends.clone().any(|end| end == cut);
            let is_frame = |index: usize| index >= first_frame && !(pieces.len() == 5 && index == 3);
            let whole_frames = ends.by_ref().enumerate().filter(|(index, end)| is_frame(*index) && *end <= cut).count();
            let (frames, error) = read(&whole[..cut]);
            assert_eq!(frames, all[..whole_frames], "cut at {cut}");
            match error {
                None => assert!(at_a_border, "no error for a cut at {cut}"),
                Some(CaptureError::NotACapture { .. }) => assert!(cut < 4, "cut at {cut}"),
                Some(CaptureError::Truncated { offset, had, .. }) => {
                    assert!(!at_a_border && offset + had == cut as u64, "cut at {cut}: {offset} + {had}");
                }
                Some(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn an_empty_file_is_told() {
    assert!(read(b"").1.unwrap().to_string().contains("sample: is empty"));
    assert!(matches!(read(&gzip(b"")).1, Some(CaptureError::Empty { .. })));
}

#[test]
fn what_is_no_capture_is_told_by_what_it_looks_like() {
    for (bytes, expected) in [
        (b"<html><body>Not found</body></html>".to_vec(), "it looks like HTML"),
        (gzip(b"{\"a\": 1}"), "it is gzip of what looks like JSON"),
        (gzip(&gzip(&pcap_at(&[1], 40))), "it is gzip of what looks like gzip data"),
        (b"MZ\x90\x00\x03".to_vec(), "it looks like a Windows program"),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x00\x00\x00\x00".to_vec(), "a pcapng file with a broken first block"),
    ] {
        let text = read(&bytes).1.unwrap().to_string();
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
}

#[test]
fn a_read_error_comes_after_the_frames_before_it() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::ESTALE))
        }
    }
    let (frames, error) = read_from(Cursor::new(pcap_at(&[1, 2], 40)).chain(Failing));
    assert_eq!(frames.len(), 2);
    assert!(matches!(error, Some(CaptureError::Read { offset: 136, .. })), "{error:?}");
}

#[test]
fn a_missing_file_and_a_folder_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = open(&folder.path().join("none.pcap")).err().unwrap().to_string();
    assert!(missing.contains("none.pcap: cannot be opened") && missing.contains("check the name"), "{missing}");
    assert!(matches!(open(folder.path()), Err(CaptureError::Open { .. })));
}

// Compression

#[test]
fn compressed_captures_are_read_by_their_magic() {
    let plain = pcap_at(&(1..500).collect::<Vec<_>>(), 100);
    let expected = read_well(&plain);
    assert_eq!(read_well(&gzip(&plain)), expected);
    let (first, second) = plain.split_at(10_000);
    assert_eq!(read_well(&[gzip(first), gzip(second)].concat()), expected);
    assert_eq!(read_well(&zstd::stream::encode_all(&plain[..], 3).unwrap()), expected);
}

#[test]
fn a_cut_or_damaged_compressed_capture_gives_the_frames_before_the_place() {
    // Lengths that repeat badly, so that the frames are spread over the compressed bytes.
    let mut plain = pcap_header(Little, MICROSECONDS, 65_535, 1);
    let mut noise = 1u32;
    for second in 0..2000 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        plain.extend(pcap_record(Little, second, 0, 200, &bytes));
    }
    // As the zstd command does; without a checksum zstd does not notice damage to literal bytes.
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&plain).unwrap();
    for whole in [gzip(&plain), encoder.finish().unwrap()] {
        let (frames, error) = read(&whole[..whole.len() / 2]);
        assert!(frames.len() > 500 && frames.len() < 1500, "{} frames", frames.len());
        assert!(matches!(error, Some(CaptureError::CompressionTruncated { .. })), "{error:?}");
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 2000].fill(0xff);
        let (frames, error) = read(&damaged);
        assert!(frames.len() > 500 && error.is_some(), "{} frames, {error:?}", frames.len());
    }
}

// Time

#[test]
fn mild_disorder_is_read_and_hours_backwards_are_refused() {
    assert_eq!(read_well(&pcap_at(&[10_000, 6_401, 9_999, 6_400, 10_001], 40)).len(), 5);
    let (frames, error) = read(&pcap_at(&[10_000, 10_001, 6_400, 10_002], 40));
    assert_eq!(frames.len(), 2);
    match error {
        Some(CaptureError::TimeRunsBackwards { offset, newest, time, .. }) => {
            assert_eq!(offset, 24 + 2 * 56);
            assert_eq!(newest.since(time), Duration::from_secs(3601));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_disorder_limit_can_be_set() {
    let bytes = pcap_at(&[10_000, 100], 40);
    let source = FileSource::from_reader(Path::new("sample"), Cursor::new(bytes)).unwrap();
    let (frames, error) = drain(source.with_disorder_limit(Duration::from_secs(20_000)));
    assert_eq!((frames.len(), error.is_none()), (2, true));
}

// Live pipes

#[test]
fn a_frame_is_given_as_soon_as_it_is_whole() {
    let (reader, mut writer) = io::pipe().unwrap();
    let bytes = pcap_at(&[1, 2], 40);
    let (start, rest) = bytes.split_at(24 + 56);
    writer.write_all(start).unwrap();
    let mut source = FileSource::from_reader(Path::new("pipe"), reader).unwrap();
    assert_eq!(source.next().unwrap().unwrap().time, Timestamp::from_secs_nanos(1, 0));
    writer.write_all(rest).unwrap();
    assert_eq!(source.next().unwrap().unwrap().time, Timestamp::from_secs_nanos(2, 0));
    drop(writer);
    assert_eq!(source.next().unwrap(), None);
}

#[test]
fn a_compressed_pipe_gives_frames_as_they_are_flushed() {
    let (reader, writer) = io::pipe().unwrap();
    let bytes = pcap_at(&[1, 2], 40);
    let mut encoder = flate2::write::GzEncoder::new(writer, flate2::Compression::fast());
    encoder.write_all(&bytes[..24 + 56]).unwrap();
    encoder.flush().unwrap();
    let mut source = FileSource::from_reader(Path::new("pipe"), reader).unwrap();
    assert!(source.next().unwrap().is_some());
    encoder.write_all(&bytes[24 + 56..]).unwrap();
    drop(encoder.finish().unwrap());
    assert!(source.next().unwrap().is_some());
    assert_eq!(source.next().unwrap(), None);
}

#[test]
fn position_counts_the_bytes_of_the_file_as_it_lies_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap.gz");
    let compressed = gzip(&pcap_at(&[1; 5000], 100));
    std::fs::write(&path, &compressed).unwrap();
    let mut source = open(&path).unwrap();
    assert_eq!(source.position().total, Some(compressed.len() as u64));
    while source.next().unwrap().is_some() {}
    assert_eq!(source.position().read, compressed.len() as u64);
    let pipe = FileSource::from_reader(Path::new("pipe"), Cursor::new(compressed)).unwrap();
    assert_eq!(pipe.position().total, None);
}

// Writing

#[test]
fn what_is_written_is_read_back() {
    let mut writer = write::PcapWriter::new(Vec::new(), LinkType::LINUX_SLL2).unwrap();
    writer.write(Timestamp(1_763_892_000_123_456_789), b"abc").unwrap();
    writer.write_cut(Timestamp(1_763_892_000_123_456_790), 1500, b"defg").unwrap();
    assert!(writer.write(Timestamp(-1), b"").is_err());
    assert!(writer.write(Timestamp(0), &vec![0; 300_000]).is_err());
    let frames = read_well(&writer.finish().unwrap());
    let frame = |nanos, wire_len, bytes: &[u8]| Kept { nanos, link: 276, wire_len, bytes: bytes.to_vec() };
    assert_eq!(frames, [frame(1_763_892_000_123_456_789, 3, b"abc"), frame(1_763_892_000_123_456_790, 1500, b"defg")]);
}
