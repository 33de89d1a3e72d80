//! The daemon's lines of transactions, in order of event time.

use crate::alert::order::LineOrder;
use crate::pipeline::Line;
use crate::time::Timestamp;
use std::io;
use std::path::PathBuf;
use tracing::warn;

/// Lines of transactions on their way to the log. A file that cannot be made, written or read ends no sensor: the log of its own
/// says so once, and lines come out of order.
pub struct LinesInOrder {
    order: LineOrder,
    is_failing: bool,
}

impl LinesInOrder {
    /// Lines that find no room in memory wait in this folder.
    pub fn within(folder: PathBuf) -> LinesInOrder {
        LinesInOrder { order: LineOrder::within(folder), is_failing: false }
    }

    /// Takes lines in, gives those that stand before a time.
    pub fn pass(&mut self, lines: Vec<Line>, before: Timestamp) -> Vec<u8> {
        let mut passed = Vec::new();
        for line in lines {
            let (time, flow, position) = line.key;
            if let Err(error) = self.order.add(time, flow, position, line.bytes) {
                self.warn(&error);
                self.order.give_way().iter().for_each(|line| passed.extend_from_slice(line));
            }
        }
        loop {
            match self.order.next(Some(before)) {
                Ok(Some(line)) => passed.extend_from_slice(&line),
                Ok(None) => return passed,
                Err(error) => self.warn(&error),
            }
        }
    }

    fn warn(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            warn!(
                "transactions that wait for their place in the log find no room on the disk and stand out of order: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_nothing_loses_no_line() {
        let mut lines = LinesInOrder::within("/nonexistent".into());
        let many = (0..50_000).map(|nth| Line { key: (Timestamp(nth * 1000), 1, 0), bytes: vec![b'\n'; 1000] });
        let early = lines.pass(many.collect(), Timestamp::MIN);
        assert!(!early.is_empty() && lines.is_failing);
        let rest = lines.pass(Vec::new(), Timestamp::MAX);
        assert_eq!(early.len() + rest.len(), 50_000_000);
    }
}
