//! Lines of a log put in order of event time, whatever the order in which they become known.
//!
//! A transaction's line is known when it is over and stands where it began, which may be hours before; meanwhile its
//! neighbours wait. In go lines with their [`Place`], out they come sorted once the caller knows that nothing earlier
//! follows. What waits is kept in memory up to a limit; beyond it, in sorted runs, each in a temporary file without a name,
//! that are merged on the way out, so memory is bounded and the order still exact. A file that cannot be written leaves all
//! lines in memory, one that cannot be read loses its own.

use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Where a line stands: by time as it is written (microseconds), then by flow, then by its position in the flow, then
/// as it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    microseconds: i64,
    flow: u64,
    position: u32,
    came: u64,
}

/// Bytes of lines that wait in memory, with what keeping them costs: some forty thousand transactions.
pub const HELD_BYTES: usize = 32 << 20;
/// What a held line costs beside its bytes: its place, its vector, its share of a tree node.
const LINE_COST: usize = 96;
/// Bytes read of a run at once.
const RUN_BUFFER: usize = 64 << 10;
/// Place and length in front of each line of a run.
const HEADER: usize = 8 + 8 + 4 + 8 + 4;

/// A line that waits in a temporary file, with the rest of its run behind it.
struct Run {
    file: File,
    place: Place,
    line: Vec<u8>,
    /// What is read of the rest.
    buffer: Vec<u8>,
    used: usize,
    /// What is not read yet.
    from: u64,
    to: u64,
}

pub struct LineOrder {
    limit: usize,
    held: BTreeMap<Place, Vec<u8>>,
    held_bytes: usize,
    runs: Vec<Run>,
    /// Where the files are made; where the system has its own, if none.
    folder: Option<PathBuf>,
    came: u64,
    last: Option<Place>,
    out_of_order: u64,
}

impl Default for LineOrder {
    fn default() -> LineOrder {
        LineOrder::with_limit(HELD_BYTES)
    }
}

impl LineOrder {
    /// Makes its files in a folder.
    pub fn within(folder: PathBuf) -> LineOrder {
        LineOrder { folder: Some(folder), ..LineOrder::default() }
    }

    /// Holds up to `limit` bytes in memory.
    pub fn with_limit(limit: usize) -> LineOrder {
        LineOrder {
            limit,
            held: BTreeMap::new(),
            held_bytes: 0,
            runs: Vec::new(),
            folder: None,
            came: 0,
            last: None,
            out_of_order: 0,
        }
    }

    /// Lines that came when later ones had been given out already.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// Takes a line in. Fails only where a temporary file does; the line is here all the same.
    pub fn add(&mut self, time: Timestamp, flow: u64, position: u32, line: Vec<u8>) -> io::Result<()> {
        let place = Place { microseconds: time.0.div_euclid(1000), flow, position, came: self.came };
        self.came += 1;
        self.held_bytes += line.len() + LINE_COST;
        self.held.insert(place, line);
        if self.held_bytes > self.limit { self.spill() } else { Ok(()) }
    }

    /// The first line of all; with `before`, only if it stands before that time.
    pub fn next(&mut self, before: Option<Timestamp>) -> io::Result<Option<Vec<u8>>> {
        let in_memory = self.held.first_key_value().map(|(place, _)| *place);
        let in_file = self.runs.iter().enumerate().min_by_key(|(_, run)| run.place).map(|(at, run)| (run.place, at));
        let first = match (in_memory, in_file) {
            (Some(held), Some((run, _))) => held.min(run),
            (Some(place), None) | (None, Some((place, _))) => place,
            (None, None) => return Ok(None),
        };
        if before.is_some_and(|before| first.microseconds >= before.0.div_euclid(1000)) {
            return Ok(None);
        }
        match in_file {
            Some((place, at)) if place == first => {
                self.note_given(place);
                self.next_of_run(at).map(Some)
            }
            _ => Ok(self.next_held()),
        }
    }

    /// The first of the lines in memory.
    fn next_held(&mut self) -> Option<Vec<u8>> {
        let (place, line) = self.held.pop_first()?;
        self.held_bytes -= line.len() + LINE_COST;
        self.note_given(place);
        Some(line)
    }

    fn note_given(&mut self, place: Place) {
        self.out_of_order += u64::from(self.last.is_some_and(|last| place < last));
        self.last = self.last.max(Some(place));
    }

    /// Where no file takes them: the earliest of the lines in memory, until half of the room is free. What comes behind them may
    /// be out of order.
    pub fn give_way(&mut self) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        while self.held_bytes > self.limit / 2
            && let Some(line) = self.next_held()
        {
            lines.push(line);
        }
        lines
    }

    /// Writes what is held in memory to a temporary file, as one more run.
    fn spill(&mut self) -> io::Result<()> {
        let file = self.folder.as_ref().map_or_else(tempfile::tempfile, tempfile::tempfile_in)?;
        let mut bytes = Vec::with_capacity(self.held_bytes);
        for (place, line) in &self.held {
            bytes.extend_from_slice(&place.microseconds.to_le_bytes());
            bytes.extend_from_slice(&place.flow.to_le_bytes());
            bytes.extend_from_slice(&place.position.to_le_bytes());
            bytes.extend_from_slice(&place.came.to_le_bytes());
            bytes.extend_from_slice(&(line.len() as u32).to_le_bytes()); // a line is kilobytes
            bytes.extend_from_slice(line);
        }
        file.write_all_at(&bytes, 0)?;
        let place = Place { microseconds: 0, flow: 0, position: 0, came: 0 };
        let to = bytes.len() as u64;
        let mut run = Run { file, place, line: Vec::new(), buffer: Vec::new(), used: 0, from: 0, to };
        let has_lines = run.advance()?;
        self.held.clear();
        self.held_bytes = 0;
        if has_lines {
            self.runs.push(run);
        }
        Ok(())
    }

    fn next_of_run(&mut self, at: usize) -> io::Result<Vec<u8>> {
        let Some(run) = self.runs.get_mut(at) else { return Ok(Vec::new()) };
        let line = std::mem::take(&mut run.line);
        let has_more = run.advance();
        if !matches!(has_more, Ok(true)) {
            self.runs.swap_remove(at);
        }
        has_more.map(|_| line)
    }
}

impl Run {
    /// Goes on to the run's next line; false when there is none.
    fn advance(&mut self) -> io::Result<bool> {
        if !self.has(HEADER)? {
            return Ok(false);
        }
        let mut header = [0; HEADER];
        header.copy_from_slice(&self.buffer[self.used..self.used + HEADER]); // `has` saw to it, here and below
        let [time, flow, came] = [0, 8, 20].map(|at| u64::from_le_bytes(eight(&header[at..])));
        let [position, length] = [16, 28].map(|at| u32::from_le_bytes(four(&header[at..])));
        self.used += HEADER;
        self.place = Place { microseconds: time as i64, flow, position, came };
        let length = length as usize;
        if !self.has(length)? {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.line = self.buffer[self.used..self.used + length].to_vec();
        self.used += length;
        Ok(true)
    }

    /// Reads on until so many bytes are there; false at the end of the run.
    fn has(&mut self, count: usize) -> io::Result<bool> {
        if self.buffer.len() - self.used >= count {
            return Ok(true);
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        let had = self.buffer.len();
        let more = (count - had).max(RUN_BUFFER).min(usize::try_from(self.to - self.from).unwrap_or(usize::MAX));
        self.buffer.resize(had + more, 0);
        self.file.read_exact_at(&mut self.buffer[had..], self.from)?; // `had` is within what was just made
        self.from += more as u64;
        Ok(self.buffer.len() >= count)
    }
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn four(bytes: &[u8]) -> [u8; 4] {
    bytes.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(order: &mut LineOrder, before: Option<Timestamp>) -> Vec<String> {
        std::iter::from_fn(|| order.next(before).unwrap()).map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn lines_come_by_time_as_written_then_flow_then_position_then_as_they_came() {
        let mut order = LineOrder::default();
        for (nanoseconds, flow, position, line) in [
            (2500, 1, 0, "e"),
            (2000, 2, 1, "g"),
            (2999, 2, 0, "f"),
            (1999, 9, 9, "a"),
            (2000, 1, 0, "d"),
            (1000, 9, 9, "b"),
        ] {
            order.add(Timestamp(nanoseconds), flow, position, line.into()).unwrap();
        }
        // `a` came before `b`, `e` before `d`, at the same microsecond, flow and position.
        assert_eq!(drain(&mut order, None), ["a", "b", "e", "d", "f", "g"]);
        assert_eq!(order.out_of_order(), 0);
    }

    #[test]
    fn what_may_still_be_preceded_waits_and_what_comes_too_late_is_counted() {
        let mut order = LineOrder::default();
        order.add(Timestamp(5000), 0, 0, b"5".to_vec()).unwrap();
        order.add(Timestamp(7000), 0, 0, b"7".to_vec()).unwrap();
        assert_eq!(drain(&mut order, Some(Timestamp(7000))), ["5"]);
        order.add(Timestamp(6000), 0, 0, b"6".to_vec()).unwrap();
        assert_eq!(drain(&mut order, Some(Timestamp(8000))), ["6", "7"]);
        assert_eq!(order.out_of_order(), 0);
        order.add(Timestamp(4000), 0, 0, b"4".to_vec()).unwrap();
        assert_eq!(drain(&mut order, None), ["4"]);
        assert_eq!(order.out_of_order(), 1);
    }

    #[test]
    fn where_no_file_can_be_made_no_line_is_lost() {
        let mut order = LineOrder { limit: 300, ..LineOrder::within("/nonexistent".into()) };
        for (time, line) in [(3000, "3"), (1000, "1"), (2000, "2")] {
            order.add(Timestamp(time), 0, 0, line.into()).unwrap();
        }
        order.add(Timestamp(4000), 0, 0, vec![b'4'; 200]).unwrap_err();
        assert_eq!(drain(&mut order, Some(Timestamp(2000))), ["1"]);
        assert_eq!(order.give_way().len(), 3, "it is more than half by itself");
        assert_eq!((drain(&mut order, None).len(), order.out_of_order()), (0, 0));
    }

    proptest! {
        /// However little memory there is and whenever lines are asked for, they come sorted and complete.
        #[test]
        fn a_small_memory_changes_nothing(
            lines in prop::collection::vec((0..50i64, 0..3u64, 0..3u32, 0..300usize), 0..120), limit in 0..4000usize,
        ) {
            let mut order = LineOrder::with_limit(limit);
            let mut expected = Vec::new();
            for (came, &(time, flow, position, length)) in lines.iter().enumerate() {
                let line = format!("{came}:{}", "x".repeat(length));
                order.add(Timestamp(time * 1000), flow, position, line.clone().into()).unwrap();
                expected.push(((time, flow, position, came), line));
                prop_assert!(order.held_bytes <= limit.max(LINE_COST + 400));
            }
            expected.sort();
            let mut given = drain(&mut order, Some(Timestamp(25_000)));
            prop_assert_eq!(given.len(), expected.iter().filter(|((time, ..), _)| *time < 25).count());
            given.extend(drain(&mut order, None));
            prop_assert_eq!(given, expected.into_iter().map(|(_, line)| line).collect::<Vec<_>>());
            prop_assert_eq!(order.out_of_order(), 0);
        }
    }
}
