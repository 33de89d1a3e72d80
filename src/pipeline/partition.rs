//! A partition: flows, HTTP, inspection and interpretation of its share of the traffic, and the windows they fill.
//!
//! A pure function of its segments, marks and snapshots: no lock, no clock, no I/O. Its limits are its own, so that what
//! happens at a limit is the same for any number of threads.

use super::lines::{Line, line_of};
use super::shedding::Shedding;
use super::{Mark, Wanted};
use crate::api::template::{REST, path_of};
use crate::api::{Interpreter, Observation, Snapshot};
use crate::config::Config;
use crate::counts::add_counts;
use crate::hash::HashKey;
use crate::http::{Abuse, Field, Head, HttpCounters, HttpHandler, HttpLimits, HttpState, Observer, Side, Transaction};
use crate::inspect::{self, BodyKind, BodyReport, BodyScan, Role};
use crate::packet::Segment;
use crate::stream::{FlowLimits, FlowTable, StreamCounters, TableCounters};
use crate::time::Timestamp;
use crate::window::{Filling, Window, WindowLimits, start_of, window_of};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Limits of one partition.
#[derive(Clone, Debug)]
pub struct Limits {
    pub flows: FlowLimits,
    pub http: HttpLimits,
    pub inspect: inspect::Limits,
    pub window: WindowLimits,
    /// Bodies looked at at once: each takes 20 kB while it is under way.
    pub scans: usize,
}

impl Default for Limits {
    /// 512 bodies under way in a partition are 8,192 in all, in 160 MiB.
    fn default() -> Self {
        Limits {
            flows: FlowLimits::default(),
            http: HttpLimits::default(),
            inspect: inspect::Limits::default(),
            window: WindowLimits::default(),
            scans: 512,
        }
    }
}

impl Limits {
    /// What the configuration says.
    pub fn of(config: &Config) -> Limits {
        Limits {
            flows: config.flow_limits(),
            http: config.http_limits(),
            inspect: config.inspect_limits(),
            window: config.window_limits(),
            scans: config.limits.bodies.scans,
        }
    }
}

/// How a request target may be written.
pub type Redact = fn(&str, &crate::rule::ApiNames) -> String;

/// What a partition counted in one epoch. Sums of integers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub table: TableCounters,
    pub http: HttpCounters,
    pub seen: SeenCounters,
    pub window_keys_left_out: u64,
    pub segments_shed: u64,
}

/// Requests of proxies that are not trusted from which on it is worth a word.
const LEAST_FORWARDED: u64 = 100;

/// What is wrong where most requests come from a proxy that is not trusted to say for whom.
pub fn blindness(forwarded: u64, transactions: u64) -> Option<String> {
    let is_most = forwarded >= LEAST_FORWARDED && 2 * forwarded >= transactions;
    is_most.then(|| {
        format!(
            "{forwarded} of {transactions} requests were forwarded by a proxy that is not trusted to say for whom, and all count as \
             its own: put its address into `identity.trusted_proxies`, or clients cannot be told apart"
        )
    })
}

/// Bounds that what was read ran into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenCounters {
    /// Bodies longer than is scanned.
    pub bodies_scanned_in_part: u64,
    /// Bodies that were not looked at, because [`Limits::scans`] were under way.
    pub bodies_not_scanned: u64,
    /// Bodies of which levels, columns or parts were passed over.
    pub bodies_cut: u64,
    /// Requests whose `Host` was not believed, because there are too many.
    pub hosts_refused: u64,
    /// Requests whose path was longer than a template.
    pub paths_cut: u64,
    /// Transactions with servers that are not ours, which are not judged.
    pub third_party: u64,
    /// Requests that say for whom they were forwarded, from addresses that are not trusted to.
    pub forwarded: u64,
}

impl SeenCounters {
    fn count(&mut self, transaction: &Transaction<BodyReport>, observation: Option<&Observation<'_>>, at: &Snapshot) {
        let reports =
            [&transaction.request, &transaction.response].into_iter().flatten().filter_map(|m| m.report.as_ref());
        for report in reports {
            self.bodies_scanned_in_part += u64::from(report.truncated);
            self.bodies_cut += u64::from(report.is_cut);
        }
        let Some(observation) = observation else { return };
        let head = transaction.request.as_ref().map(|request| &request.head);
        let names = |field| head.is_some_and(|head| head.get(field).is_some());
        let is_forwarded = names(Field::XForwardedFor) || names(Field::Forwarded);
        self.forwarded += u64::from(is_forwarded && !at.settings.is_trusted_proxy(transaction.client.address));
        let is_cut = path_of(observation.template).ends_with(REST) && observation.documented != Some(true);
        self.paths_cut += u64::from(is_cut);
        let hosts = &at.inventory.hosts;
        if hosts.len() >= at.settings.max_hosts {
            let named = transaction.request.as_ref().and_then(|request| request.head.get(Field::Host));
            let address = transaction.server.address.to_string();
            let is_other = named.is_some_and(|named| !named.starts_with(address.as_bytes()));
            self.hosts_refused += u64::from(is_other && observation.host == address);
        }
    }
}

/// Idle scanners kept; bodies that interleave are few.
const IDLE_SCANS: usize = 64;

/// Idle body scanners, shared by the partitions of a worker: what a scanner remembers only saves it work, so sharing
/// changes no result, and the one used last is the one whose memory is still in the processor's cache. The lock is
/// never contended.
pub type Scanners = Arc<Mutex<Vec<Box<BodyScan>>>>;

/// Looks at bodies and transactions on behalf of HTTP.
struct Watcher {
    limits: Limits,
    key: HashKey,
    wanted: Wanted,
    redact: Redact,
    interpreter: Interpreter,
    snapshot: Arc<Snapshot>,
    idle: Scanners,
    /// Scans under way.
    scans: usize,
    /// Open windows; the first is the oldest that may still be counted in.
    windows: BTreeMap<i64, Window>,
    /// Every window before this one is closed.
    open_from: i64,
    lines: Vec<Line>,
    seen: SeenCounters,
    shedding: Shedding,
    /// Whether anything was left out since the last mark.
    has_shed: bool,
}

impl Observer for Watcher {
    type Scan = Box<BodyScan>;
    type Report = BodyReport;

    fn begin(&mut self, side: Side, head: &Head) -> Option<Box<BodyScan>> {
        let kind = BodyKind::of(head.get(Field::ContentType));
        if kind == BodyKind::Binary {
            return None;
        }
        let most = self.shedding.body_bytes(kind);
        if self.scans >= self.limits.scans || most == Some(0) {
            self.seen.bodies_not_scanned += 1;
            return None;
        }
        self.scans += 1;
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut scan = idle.unwrap_or_else(|| Box::new(BodyScan::new(self.limits.inspect, self.key)));
        let login = &self.snapshot.settings.names.login;
        scan.know_fields(&login.user_fields, &login.password_fields);
        scan.begin(if side == Side::Client { Role::Request } else { Role::Response }, kind);
        if let Some(most) = most {
            scan.look_at_most(most);
        }
        Some(scan)
    }

    fn data(&mut self, scan: &mut Box<BodyScan>, bytes: &[u8]) -> bool {
        scan.feed(bytes)
    }

    fn gap(&mut self, scan: &mut Box<BodyScan>) {
        scan.gap();
    }

    fn finish(&mut self, mut scan: Box<BodyScan>) -> BodyReport {
        let report = scan.finish();
        self.scans -= 1; // of those that `begin` gave out
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_SCANS
        {
            idle.push(scan);
        }
        report
    }

    fn transaction(&mut self, transaction: Transaction<BodyReport>) {
        let names = &self.snapshot.settings.names;
        let redact = |target: &str| (self.redact)(target, names);
        let is_ours = self.snapshot.settings.is_ours(transaction.server.address);
        self.seen.third_party += u64::from(!is_ours);
        let mut observation = is_ours.then(|| self.interpreter.observe(&transaction, &self.snapshot)).flatten();
        self.seen.count(&transaction, observation.as_ref(), &self.snapshot);
        if let Some(observation) = &mut observation {
            let index = window_of(observation.time).max(self.open_from);
            observation.time = observation.time.max(start_of(index));
            let filling = Filling { key: &self.key, limits: &self.limits.window, redact: &redact };
            window_at(&mut self.windows, index).record(observation, &filling);
        }
        if self.wanted.http {
            self.lines.push(line_of(&transaction, observation.as_ref(), &redact, !self.shedding.is_none()));
        }
    }

    fn desync(&mut self, transaction: Transaction<BodyReport>) {
        if !self.snapshot.settings.is_ours(transaction.server.address) {
            return;
        }
        let names = &self.snapshot.settings.names;
        let redact = |target: &str| (self.redact)(target, names);
        if let Some(mut observation) = self.interpreter.observe(&transaction, &self.snapshot) {
            let index = window_of(observation.time).max(self.open_from);
            observation.time = observation.time.max(start_of(index));
            let filling = Filling { key: &self.key, limits: &self.limits.window, redact: &redact };
            window_at(&mut self.windows, index).record_desync(&observation, &filling);
        }
    }

    fn abuse(&mut self, abuse: &Abuse) {
        if !self.snapshot.settings.is_ours(abuse.server.address) {
            return;
        }
        let index = window_of(abuse.time).max(self.open_from);
        window_at(&mut self.windows, index).record_abuse(abuse, &self.key, &self.limits.window);
    }
}

fn window_at(windows: &mut BTreeMap<i64, Window>, index: i64) -> &mut Window {
    if !windows.contains_key(&index) {
        let new = windows.last_key_value().map_or_else(Window::default, |(_, newest)| Window::sized_like(newest));
        windows.insert(index, new);
    }
    windows.entry(index).or_default()
}

/// What a partition has to say at a mark.
#[derive(Default)]
pub struct Harvest {
    pub windows: BTreeMap<i64, Window>,
    pub lines: Vec<Line>,
    /// Not everything was looked at: these windows are no measure of what is normal.
    pub is_shed: bool,
    /// When the oldest transaction under way began, where anyone wants the lines.
    pub oldest_open: Option<Timestamp>,
    pub counters: Counters,
}

impl Harvest {
    /// Takes in another partition's harvest of the same mark.
    pub fn merge(&mut self, other: Harvest) {
        for (index, window) in other.windows {
            self.windows.entry(index).or_default().merge(window);
        }
        self.lines.extend(other.lines);
        self.is_shed |= other.is_shed;
        self.oldest_open = [self.oldest_open, other.oldest_open].into_iter().flatten().min();
        self.counters.add(&other.counters);
    }
}

pub struct Partition {
    table: FlowTable<HttpState<Box<BodyScan>, BodyReport>>,
    handler: HttpHandler<Watcher>,
    /// Segments of flows that were not read because too much came.
    segments_shed: u64,
}

impl Partition {
    pub fn new(
        key: HashKey,
        limits: Limits,
        wanted: Wanted,
        redact: Redact,
        snapshot: Arc<Snapshot>,
        idle: Scanners,
    ) -> Partition {
        let table = FlowTable::new(limits.flows.clone());
        let http = limits.http;
        let watcher = Watcher {
            limits,
            key,
            wanted,
            redact,
            interpreter: Interpreter::new(key),
            snapshot,
            idle,
            scans: 0,
            windows: BTreeMap::new(),
            open_from: i64::MIN,
            lines: Vec::new(),
            seen: SeenCounters::default(),
            shedding: Shedding::NONE,
            has_shed: false,
        };
        Partition { table, handler: HttpHandler::new(http, watcher), segments_shed: 0 }
    }

    #[inline]
    pub fn segment(&mut self, segment: &Segment<'_>) {
        if !self.handler.observer().shedding.takes_flow(segment.hash) && !self.table.knows(segment) {
            self.segments_shed += 1;
            return;
        }
        self.table.segment(segment, &mut self.handler);
    }

    /// From here on less is looked at, or everything again.
    pub fn shed(&mut self, shedding: Shedding) {
        let watcher = self.handler.observer();
        watcher.shedding = shedding;
        watcher.has_shed |= !shedding.is_none();
    }

    /// Closes the windows up to the mark.
    pub fn mark(&mut self, mark: &Mark) -> Harvest {
        self.table.expire(mark.now, &mut self.handler);
        self.table.active().for_each(|(info, state)| self.handler.tell_open(info, state, mark.now));
        if mark.is_rewind {
            self.table.rewind();
        }
        let watcher = self.handler.observer();
        watcher.open_from = if mark.is_rewind { i64::MIN } else { mark.through + 1 };
        let later = watcher.windows.split_off(&(mark.through + 1));
        let windows = std::mem::replace(&mut watcher.windows, later);
        self.harvest(windows)
    }

    /// The source is over: every flow is closed and every window with it.
    pub fn finish(&mut self, mark: &Mark) -> Harvest {
        self.table.finish(mark.now, &mut self.handler);
        let windows = std::mem::take(&mut self.handler.observer().windows);
        self.handler.observer().open_from = i64::MIN;
        self.harvest(windows)
    }

    /// What the next transactions are read with.
    pub fn read_with(&mut self, snapshot: Arc<Snapshot>) {
        self.handler.observer().snapshot = snapshot;
    }

    fn harvest(&mut self, windows: BTreeMap<i64, Window>) -> Harvest {
        let counters = Counters {
            table: std::mem::take(&mut self.table.counters),
            http: self.handler.take_counters(),
            seen: std::mem::take(&mut self.handler.observer().seen),
            window_keys_left_out: windows.values().map(Window::left_out).sum(),
            segments_shed: std::mem::take(&mut self.segments_shed),
        };
        let watcher = self.handler.observer();
        let is_shed = std::mem::replace(&mut watcher.has_shed, !watcher.shedding.is_none());
        let wants_lines = watcher.wanted.http;
        let oldest_open = if wants_lines { self.table.states().filter_map(HttpState::oldest_open).min() } else { None };
        Harvest { windows, lines: std::mem::take(&mut self.handler.observer().lines), is_shed, oldest_open, counters }
    }
}

impl Counters {
    pub fn add(&mut self, other: &Counters) {
        let Counters { table, http, .. } = other;
        add_counts!(
            self.table,
            table,
            TableCounters { flows, flows_of_ours, flows_evicted, flows_evicted_of_ours, flows_timed_out } and { stream }
        );
        add_counts!(
            self.table.stream,
            &table.stream,
            StreamCounters {
                retransmitted_segments,
                out_of_order_segments,
                overlap_conflicts,
                bytes,
                gaps,
                gap_bytes,
                out_of_window,
                gaps_at_limit,
                urgent_bytes,
            }
        );
        self.http.add(http);
        add_counts!(
            self.seen,
            &other.seen,
            SeenCounters {
                bodies_scanned_in_part,
                bodies_not_scanned,
                bodies_cut,
                hosts_refused,
                paths_cut,
                third_party,
                forwarded,
            }
        );
        add_counts!(self, other, Counters { window_keys_left_out, segments_shed } and { table, http, seen });
    }

    /// Name and value of every counter, in the order of a summary.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let (table, stream, http) = (&self.table, &self.table.stream, &self.http);
        vec![
            ("flows", table.flows),
            ("flows_http", table.flows_of_ours),
            ("flows_timed_out", table.flows_timed_out),
            ("flows_evicted", table.flows_evicted),
            ("flows_evicted_http", table.flows_evicted_of_ours),
            ("segments_retransmitted", stream.retransmitted_segments),
            ("segments_out_of_order", stream.out_of_order_segments),
            ("segments_out_of_window", stream.out_of_window),
            ("overlap_conflicts", stream.overlap_conflicts),
            ("stream_bytes", stream.bytes),
            ("gaps", stream.gaps),
            ("gap_bytes", stream.gap_bytes),
            ("gaps_at_limit", stream.gaps_at_limit),
            ("urgent_bytes", stream.urgent_bytes),
            ("transactions", http.transactions),
            ("requests_only", http.requests_only),
            ("responses_only", http.responses_only),
            ("flows_not_http", http.flows_not_http),
            ("flows_http2", http.flows_http2),
            ("flows_upgraded", http.flows_upgraded),
            ("heads_refused", http.heads_refused),
            ("heads_over_limit", http.heads_over_limit),
            ("heads_cut", http.heads_cut),
            ("trailers_over_limit", http.trailers_over_limit),
            ("bodies_with_gap", http.bodies_with_gap),
            ("bodies_incomplete", http.bodies_incomplete),
            ("bodies_undecodable", http.bodies_undecodable),
            ("bodies_over_limit", http.bodies_over_limit),
            ("bodies_open", http.bodies_open),
            ("bodies_open_bytes", http.bodies_open_bytes),
            ("requests_ambiguous", http.requests_ambiguous),
            ("desyncs", http.desyncs),
            ("suspects_over_limit", http.suspects_over_limit),
            ("pending_over_limit", http.pending_over_limit),
            ("http2_frames_refused", http.http2_frames_refused),
            ("http2_frames_over_limit", http.http2_frames_over_limit),
            ("http2_framing_lost", http.http2_framing_lost),
            ("http2_directions_given_up", http.http2_directions_given_up),
            ("http2_blocks_refused", http.http2_blocks_refused),
            ("http2_lists_over_limit", http.http2_lists_over_limit),
            ("http2_table_entries_left_out", http.http2_table_entries_left_out),
            ("http2_streams_over_limit", http.http2_streams_over_limit),
            ("http2_abuses", http.http2_abuses),
            ("bodies_scanned_in_part", self.seen.bodies_scanned_in_part),
            ("bodies_not_scanned", self.seen.bodies_not_scanned),
            ("bodies_cut", self.seen.bodies_cut),
            ("hosts_refused", self.seen.hosts_refused),
            ("paths_cut", self.seen.paths_cut),
            ("third_party", self.seen.third_party),
            ("forwarded_by_untrusted", self.seen.forwarded),
            ("window_keys_left_out", self.window_keys_left_out),
            ("segments_shed", self.segments_shed),
        ]
    }
}
