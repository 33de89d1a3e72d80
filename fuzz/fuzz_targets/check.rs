//! What every transaction and every body keeps, whatever the bytes were.

use apitap::http::{Head, Marks, Observer, Side, Transaction};

#[derive(Default)]
pub struct Check {
    index: u32,
    /// Bodies that were begun and not finished.
    pub scans: i32,
}

impl Observer for Check {
    type Scan = u64;
    type Report = u64;

    fn begin(&mut self, _: Side, _: &Head) -> Option<u64> {
        self.scans += 1;
        Some(0)
    }

    fn data(&mut self, scan: &mut u64, bytes: &[u8]) -> bool {
        *scan += bytes.len() as u64;
        true
    }

    fn gap(&mut self, _: &mut u64) {}

    fn finish(&mut self, scan: u64) -> u64 {
        self.scans -= 1;
        scan
    }

    fn transaction(&mut self, transaction: Transaction<u64>) {
        assert_eq!(transaction.index, self.index);
        self.index += 1;
        assert_eq!(transaction.request.is_none(), transaction.marks.contains(Marks::RESPONSE_ONLY));
        assert_eq!(transaction.response.is_none(), transaction.marks.contains(Marks::REQUEST_ONLY));
        assert!(transaction.request.is_some() || transaction.response.is_some());
    }
}
