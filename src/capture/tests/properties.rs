//! What holds for any capture, however it arrives, and for bytes that are none.

use super::*;
use proptest::prelude::*;

/// A capture of some frames, in one of the formats and compressions.
fn capture() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let frames = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20);
    (frames, 0..4u8, any::<bool>()).prop_map(|(frames, kind, big)| {
        let order = if big { Big } else { Little };
        let pcapng = kind % 2 == 1;
        let mut bytes = if pcapng {
            [section(order), interface(order, 1, 0, &[])].concat()
        } else {
            pcap_header(order, NANOSECONDS, 65_535, 1)
        };
        for (index, frame) in frames.iter().enumerate() {
            let length = frame.len() as u32;
            if pcapng {
                bytes.extend(enhanced(order, 0, index as u64, length, frame));
                bytes.extend(block(order, 0xbad, &vec![0; index * 7]));
            } else {
                bytes.extend(pcap_record(order, index as u32, 0, length, frame));
            }
        }
        (if kind >= 2 { gzip(&bytes) } else { bytes }, frames.len())
    })
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        (bytes, count) in capture(), lengths in prop::collection::vec(1..300usize, 1..8), buffer in 1..4000usize,
    ) {
        let whole = read_well(&bytes);
        prop_assert_eq!(whole.len(), count);
        let pieces = || InPieces { bytes: Cursor::new(bytes.clone()), lengths: lengths.clone(), turn: 0 };
        let (frames, error) = read_from(pieces());
        prop_assert!(error.is_none());
        prop_assert_eq!(&frames, &whole);
        // The buffer's first size must not matter either.
        let source = FileSource::start(Path::new("sample"), Box::new(pieces()), None, buffer).unwrap();
        prop_assert_eq!(&drain(source).0, &whole);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        (mut bytes, _) in capture(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        tail in prop::collection::vec(any::<u8>(), 0..64), cut in any::<prop::sample::Index>(),
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.extend(tail);
        read(&bytes);
        bytes.truncate(cut.index(bytes.len()) + 1);
        read(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_magic_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..6usize) {
        let start: Vec<u8> = match kind {
            0 => pcap_header(Little, MICROSECONDS, 65_535, 1),
            1 => pcap_header(Big, KUZNETSOV, u32::MAX, 1),
            2 => [section(Little), interface(Little, 1, 0, &[])].concat(),
            3 => vec![0x1f, 0x8b, 8],
            4 => vec![0x28, 0xb5, 0x2f, 0xfd],
            _ => Vec::new(),
        };
        read(&[start, bytes].concat());
    }
}
