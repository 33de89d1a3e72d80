//! Capture files of any bytes, plain or compressed: frames, then at most one error, then nothing.
#![no_main]

use apitap::capture::{FileSource, FrameSource};
use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Read};
use std::path::Path;

const MAX_FRAMES: usize = 10_000;
/// Compressed input is read so far: what inflates without end is the decompressors' business.
const MAX_FRAME_BYTES: usize = 4 << 20;

fuzz_target!(|input: &[u8]| {
    let reader = Cursor::new(input.to_vec()).take(1 << 20);
    let Ok(mut source) = FileSource::from_reader(Path::new("fuzzed"), reader) else { return };
    let mut bytes = 0;
    for _ in 0..MAX_FRAMES {
        match source.next() {
            Ok(Some(frame)) => {
                assert!(frame.wire_len as usize >= frame.bytes.len());
                bytes += frame.bytes.len();
                if bytes > MAX_FRAME_BYTES {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(source.next(), Ok(None)), "something behind an error");
                return;
            }
        }
    }
});
