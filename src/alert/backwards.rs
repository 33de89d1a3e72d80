//! The lines of a log from its end on: a log of gigabytes costs what is looked at.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

/// A record is a few kilobytes; what is longer than this is none of ours and is passed over.
pub const LINE_BYTES_MOST: usize = 1024 * 1024;
/// Bytes of one read.
const BLOCK_BYTES: usize = 64 * 1024;

/// Visits `(offset, line)` from the last line to the first. What follows the last line feed is the first one visited,
/// empty where the file ends with one. A line over the bound is visited empty.
pub fn lines_backwards(file: &File, end: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> io::Result<()> {
    let mut block_start = end;
    let mut pending = LineEnd::default();
    let mut block = vec![0; BLOCK_BYTES];
    while block_start > 0 {
        let length = (BLOCK_BYTES as u64).min(block_start) as usize;
        block_start -= length as u64;
        let bytes = &mut block[..length]; // at most the block
        match file.read_exact_at(bytes, block_start) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()), // truncated under our hands
            Err(error) => return Err(error),
        }
        let mut line_end = length;
        for feed in memchr::memrchr_iter(b'\n', bytes) {
            let line = pending.take_with(&bytes[feed + 1..line_end]); // `feed` < `line_end` <= `length`
            if visit(block_start + feed as u64 + 1, &line).is_break() {
                return Ok(());
            }
            line_end = feed;
        }
        pending.prepend(&bytes[..line_end]); // as above
    }
    let line = pending.take_with(&[]);
    let _ = visit(0, &line);
    Ok(())
}

/// The end of a line whose beginning lies in an earlier block: the parts, last first.
#[derive(Default)]
struct LineEnd {
    parts: Vec<Vec<u8>>,
    bytes: usize,
}

impl LineEnd {
    fn prepend(&mut self, part: &[u8]) {
        self.bytes += part.len();
        if self.bytes <= LINE_BYTES_MOST {
            self.parts.push(part.to_vec());
        } else {
            self.parts.clear();
        }
    }

    fn take_with(&mut self, beginning: &[u8]) -> Vec<u8> {
        self.prepend(beginning);
        let is_overlong = std::mem::take(&mut self.bytes) > LINE_BYTES_MOST;
        let parts = std::mem::take(&mut self.parts);
        if is_overlong { Vec::new() } else { parts.into_iter().rev().flatten().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Seek, Write};

    fn visited(content: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let mut lines = Vec::new();
        lines_backwards(&file, content.len() as u64, &mut |offset, line| {
            lines.push((offset, line.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        lines.reverse();
        lines
    }

    fn expected(content: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut offset = 0;
        content
            .split(|byte| *byte == b'\n')
            .map(|line| {
                let start = offset;
                offset += line.len() as u64 + 1;
                (start, line.to_vec())
            })
            .collect()
    }

    #[test]
    fn lines_across_blocks_come_whole() {
        for length in [0, 1, BLOCK_BYTES - 2, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let content = ["x".repeat(length), "middle".to_owned(), "y".repeat(length), String::new()].join("\n");
            assert_eq!(visited(content.as_bytes()), expected(content.as_bytes()), "{length}");
        }
    }

    #[test]
    fn a_line_over_the_bound_is_visited_empty_and_the_others_as_they_are() {
        let content = ["before", &"x".repeat(LINE_BYTES_MOST + 1), "after", ""].join("\n");
        let lines: Vec<_> = visited(content.as_bytes()).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, [b"before".as_slice(), b"", b"after", b""]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn backwards_is_forwards_reversed(lines in proptest::collection::vec("[a-z]{0,9}|[a-z]{60000,70000}", 0..8)) {
            let content = lines.join("\n").into_bytes();
            prop_assert_eq!(visited(&content), if content.is_empty() { vec![(0, vec![])] } else { expected(&content) });
        }
    }
}
