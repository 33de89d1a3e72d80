//! One body: finds its format, hands its bytes to the walker of that format, and reports.

use super::csv::Csv;
use super::form::Form;
use super::injection;
use super::json::Json;
use super::markup::Markup;
use super::multipart::Multipart;
use super::operation;
use super::report::BodyReport;
use super::sink::Sink;
use super::text::Text;
use super::{BodyKind, Limits, Role};
use crate::hash::HashKey;

/// First bytes that show what an unnamed body is.
const HEAD_BYTES: usize = 64;

/// Scans one body at a time; meant to be used again for the next, with its allocations.
///
/// Memory: about 20 kB, whatever the body; [`Limits::token_bytes`] and [`Limits::max_distinct_per_class`] add to it.
pub struct BodyScan {
    limits: Limits,
    sink: Sink,
    kind: BodyKind,
    /// The first bytes are still being gathered.
    undecided: bool,
    head: Vec<u8>,
    carry: Vec<u8>,
    json: Json,
    form: Form,
    markup: Markup,
    csv: Csv,
    multipart: Multipart,
    text: Text,
    bytes: u64,
    /// Bytes that are looked at.
    most: u64,
    shaped: u64,
    truncated: bool,
    /// Bytes were missing: what comes before the next mark is the rest of something.
    lost: bool,
    /// The first bytes of a request, up to the first that are missing.
    beginning: Vec<u8>,
    is_torn: bool,
    key: HashKey,
}

impl BodyScan {
    /// `key` hashes every value at once: none is kept.
    pub fn new(limits: Limits, key: HashKey) -> BodyScan {
        BodyScan {
            sink: Sink::new(key, limits.max_distinct_per_class),
            kind: BodyKind::Unknown,
            undecided: true,
            head: Vec::with_capacity(HEAD_BYTES),
            carry: Vec::new(),
            json: Json::new(&limits),
            form: Form::new(&limits),
            markup: Markup::new(&limits),
            csv: Csv::new(&limits),
            multipart: Multipart::new(&limits),
            text: Text::new(&limits),
            bytes: 0,
            most: limits.max_scanned_bytes,
            shaped: 0,
            truncated: false,
            lost: false,
            beginning: Vec::new(),
            is_torn: false,
            key,
            limits,
        }
    }

    /// Starts a body. What an unfinished one had found is forgotten.
    pub fn begin(&mut self, role: Role, kind: BodyKind) {
        self.sink.begin(role);
        self.head.clear();
        self.carry.clear();
        self.beginning.clear();
        (self.bytes, self.most, self.shaped) = (0, self.limits.max_scanned_bytes, 0);
        (self.truncated, self.lost, self.is_torn) = (false, false, false);
        self.kind = kind;
        self.undecided = kind.doubtful();
        if !self.undecided {
            self.start();
        }
    }

    fn start(&mut self) {
        match self.kind {
            BodyKind::Json => self.json.begin(),
            BodyKind::Xml => self.markup.begin(false),
            BodyKind::Html => self.markup.begin(true),
            BodyKind::Csv => self.csv.begin(),
            BodyKind::Multipart => self.multipart.begin(),
            BodyKind::Text => self.text.begin(),
            BodyKind::Form | BodyKind::Binary | BodyKind::Unknown => {}
        }
    }

    /// Fields of a login as this site calls them, from now on.
    pub fn know_fields(&mut self, users: &[String], passwords: &[String]) {
        self.sink.names.know(users, passwords);
    }

    /// Of the body that has begun, no more than so many bytes.
    pub fn look_at_most(&mut self, bytes: u64) {
        self.most = self.most.min(bytes);
    }

    /// The next bytes of the body. Any split of the same bytes gives the same report. False when no more are wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let room = self.most.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let fits = usize::try_from(room).unwrap_or(usize::MAX);
        let scanned = bytes.get(..fits).unwrap_or(bytes);
        if !scanned.is_empty() {
            self.scan(scanned);
        }
        if scanned.len() < bytes.len() && !self.truncated {
            self.truncated = true;
            self.decide();
            self.lose();
        }
        !self.truncated
    }

    /// Bytes are missing here: the value under way is dropped, the rest goes on as well as it can.
    pub fn gap(&mut self) {
        if !self.truncated {
            self.decide();
            self.lose();
        }
    }

    /// Ends the body.
    pub fn finish(&mut self) -> BodyReport {
        self.decide();
        let (carry, sink) = (&mut self.carry, &mut self.sink);
        let records = match self.kind {
            BodyKind::Json => self.json.finish(carry, sink),
            BodyKind::Xml | BodyKind::Html => self.markup.finish(carry, sink),
            BodyKind::Csv => self.csv.finish(carry, sink),
            BodyKind::Form => {
                self.form.finish(carry, sink);
                0
            }
            BodyKind::Multipart => {
                self.multipart.finish(carry, sink);
                0
            }
            BodyKind::Text => {
                self.text.finish(carry, sink);
                0
            }
            BodyKind::Binary | BodyKind::Unknown => 0,
        };
        let response = sink.role == Role::Response;
        let report = BodyReport {
            records,
            classes: sink.tally.take(),
            login: sink.login.take(),
            outcome: if response { sink.outcome.verdict() } else { None },
            refuses_login: response && sink.outcome.refuses_login(),
            wants_more: response && sink.outcome.wants_more(),
            account: if response { sink.outcome.account() } else { None },
            has_token: response && sink.outcome.has_token(),
            shape: crate::hash::mix(sink.shape ^ (self.kind as u64) << 56 ^ 0x5bd1_e995),
            bytes: self.bytes,
            truncated: self.truncated,
            is_rpc: sink.is_rpc,
            is_cut: sink.is_cut,
            object: sink.object.map(Box::new),
            page_size: sink.page_size,
            members: (!sink.members.is_empty()).then(|| sink.members.as_slice().into()),
            calls: operation::in_body(self.kind, &self.beginning, &self.key),
            injections: injection::in_body(self.kind, &self.beginning, &self.key),
        };
        // Whatever is fed before the next `begin` belongs to no body.
        self.kind = BodyKind::Unknown;
        report
    }

    /// The format that the body turned out to be in.
    pub fn kind(&self) -> BodyKind {
        self.kind
    }

    fn scan(&mut self, bytes: &[u8]) {
        if self.sink.role == Role::Request && !self.is_torn {
            let room = injection::BODY_BYTES.saturating_sub(self.beginning.len());
            self.beginning.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        if !self.undecided {
            return self.dispatch(bytes);
        }
        let skipped = if self.head.is_empty() { bytes.len() - bytes.trim_ascii_start().len() } else { 0 };
        let rest = bytes.get(skipped..).unwrap_or_default();
        let taken = rest.len().min(HEAD_BYTES - self.head.len().min(HEAD_BYTES));
        let (head, behind) = rest.split_at(taken); // taken <= rest.len()
        self.head.extend_from_slice(head);
        if self.head.len() >= HEAD_BYTES {
            self.decide();
            self.dispatch(behind);
        }
    }

    /// Decides by the bytes there are, and hands them on.
    fn decide(&mut self) {
        if !self.undecided {
            return;
        }
        self.undecided = false;
        self.kind = self.kind.sniffed(&self.head);
        self.start();
        let head = std::mem::take(&mut self.head);
        self.dispatch(&head);
        self.head = head;
    }

    fn dispatch(&mut self, bytes: &[u8]) {
        if self.lost && self.kind != BodyKind::Json {
            let Some(mark) = bytes.iter().position(|&byte| self.is_mark(byte)) else { return };
            self.lost = false;
            return self.walk(bytes.get(mark..).unwrap_or_default());
        }
        self.walk(bytes);
    }

    /// What no value of the format goes across.
    fn is_mark(&self, byte: u8) -> bool {
        match self.kind {
            BodyKind::Form => byte == b'&',
            BodyKind::Xml | BodyKind::Html => byte == b'<',
            BodyKind::Csv | BodyKind::Multipart => byte == b'\n',
            _ => byte.is_ascii_whitespace(),
        }
    }

    fn walk(&mut self, bytes: &[u8]) {
        let (carry, sink) = (&mut self.carry, &mut self.sink);
        match self.kind {
            BodyKind::Json => return self.json.feed(bytes, carry, sink),
            BodyKind::Xml | BodyKind::Html => return self.markup.feed(bytes, carry, sink),
            BodyKind::Csv => return self.csv.feed(bytes, carry, sink),
            BodyKind::Form => self.form.feed(bytes, carry, sink),
            BodyKind::Multipart => self.multipart.feed(bytes, carry, sink),
            BodyKind::Text => self.text.feed(bytes, carry, sink),
            BodyKind::Binary | BodyKind::Unknown => {}
        }
        self.shape_bytes(bytes);
    }

    /// Formats without names take their shape from the kinds of their first characters.
    fn shape_bytes(&mut self, bytes: &[u8]) {
        let left = (HEAD_BYTES as u64).saturating_sub(self.shaped) as usize; // at most 64
        for byte in bytes.iter().take(left) {
            let kind = match byte {
                b'0'..=b'9' => 1,
                b'a'..=b'z' | b'A'..=b'Z' => 2,
                b' ' | b'\t' | b'\r' | b'\n' => 3,
                0..=0x1f | 0x7f.. => 4,
                _ => u64::from(*byte),
            };
            self.sink.shape_next(kind);
            self.shaped += 1;
        }
    }

    fn lose(&mut self) {
        (self.lost, self.is_torn) = (true, true);
        let carry = &mut self.carry;
        match self.kind {
            BodyKind::Json => self.json.gap(carry),
            BodyKind::Xml | BodyKind::Html => self.markup.gap(carry),
            BodyKind::Csv => self.csv.gap(carry),
            BodyKind::Multipart => self.multipart.gap(carry),
            BodyKind::Form | BodyKind::Text | BodyKind::Binary | BodyKind::Unknown => carry.clear(),
        }
    }
}
