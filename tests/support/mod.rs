//! What the tests share: transactions of a capture through the public stages, and the corpus.
#![allow(dead_code)] // each test binary uses its part

pub mod conversation;

use apitap::capture::{Frame, FrameSource, open};
use apitap::hash::HashKey;
use apitap::http::{Head, HttpHandler, HttpLimits, Marks, Observer, Side, Transaction};
use apitap::packet::{Decoder, PacketLimits};
use apitap::stream::{FlowLimits, FlowTable};
use apitap::time::Timestamp;
use std::path::{Path, PathBuf};

/// The folder of captures and vectors that `APITAP_CORPUS` names; says so when there is none.
pub fn corpus() -> Option<PathBuf> {
    match std::env::var_os("APITAP_CORPUS") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            assert!(folder.is_dir(), "APITAP_CORPUS names {}, which is not a folder", folder.display());
            Some(folder)
        }
        None => {
            eprintln!("skipped: APITAP_CORPUS is not set");
            None
        }
    }
}

/// The lines of a JSON Lines file.
pub fn json_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Keeps transactions, and body bytes only as their number.
#[derive(Default)]
pub struct Collector {
    pub transactions: Vec<Transaction<u64>>,
}

impl Observer for Collector {
    type Scan = u64;
    type Report = u64;

    fn begin(&mut self, _side: Side, _head: &Head) -> Option<u64> {
        Some(0)
    }

    fn data(&mut self, scan: &mut u64, bytes: &[u8]) -> bool {
        *scan += bytes.len() as u64;
        true
    }

    fn gap(&mut self, _scan: &mut u64) {}

    fn finish(&mut self, scan: u64) -> u64 {
        scan
    }

    fn transaction(&mut self, transaction: Transaction<u64>) {
        self.transactions.push(transaction);
    }
}

/// Wire to transactions, without anything behind.
pub struct Wire {
    pub decoder: Decoder,
    pub table: FlowTable<apitap::http::HttpState<u64, u64>>,
    pub handler: HttpHandler<Collector>,
    pub newest: Timestamp,
}

impl Default for Wire {
    fn default() -> Self {
        Wire::new()
    }
}

impl Wire {
    pub fn new() -> Wire {
        Wire {
            decoder: Decoder::new(HashKey::new(*b"sixteen byte key"), PacketLimits::default()),
            table: FlowTable::new(FlowLimits::default()),
            handler: HttpHandler::new(HttpLimits::default(), Collector::default()),
            newest: Timestamp::MIN,
        }
    }

    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.newest = self.newest.max(frame.time);
        if let Some(segment) = self.decoder.decode(frame) {
            self.table.segment(&segment, &mut self.handler);
        }
    }

    /// The transactions, in order of their start.
    pub fn finish(mut self) -> Vec<Transaction<u64>> {
        self.table.finish(self.newest, &mut self.handler);
        let mut transactions = std::mem::take(&mut self.handler.observer().transactions);
        transactions.sort_by_key(|transaction| (transaction.started(), transaction.flow.id, transaction.index));
        transactions
    }
}

/// The transactions of a capture file; what was readable when it breaks off.
pub fn transactions_of(path: &Path) -> Vec<Transaction<u64>> {
    let mut wire = Wire::new();
    let Ok(mut source) = open(path) else { return Vec::new() };
    while let Ok(Some(frame)) = source.next() {
        wire.frame(&frame);
    }
    wire.finish()
}

/// Method, request target and status, as dissectors log them.
pub type Line = (String, String, u16);

pub fn line_of(transaction: &Transaction<u64>) -> Line {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (method, target) = transaction
        .request
        .as_ref()
        .map_or((String::new(), String::new()), |request| (text(request.head.method()), text(request.head.target())));
    (method, target, transaction.response.as_ref().map_or(0, |response| response.head.status()))
}

/// For lists that are compared whatever their order.
pub fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort();
    lines
}

pub fn has(transaction: &Transaction<u64>, mark: Marks) -> bool {
    transaction.marks.contains(mark)
}
