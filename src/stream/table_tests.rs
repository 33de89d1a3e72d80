use super::*;
use crate::packet::{Control, Peer};
use std::collections::BTreeMap;

/// Takes flows whose bytes begin with `H` for its own and gives up those that begin with `X`.
#[derive(Default)]
struct Reader {
    opened: u32,
    events: u32,
    closed: Vec<u16>,
    bytes: BTreeMap<u16, Vec<u8>>,
}

impl Handler for Reader {
    type State = Interest;

    fn open(&mut self, _info: &FlowInfo) -> Interest {
        self.opened += 1;
        Interest::Undecided
    }

    fn event(&mut self, info: &FlowInfo, state: &mut Interest, _: Direction, event: Event<'_>) -> Interest {
        self.events += 1;
        if let Event::Data(chunk) = event {
            self.bytes.entry(info.key.high.port).or_default().extend_from_slice(chunk.bytes);
            *state = match chunk.bytes[0] {
                b'H' => Interest::Ours,
                b'X' => Interest::None,
                _ => *state,
            };
        }
        *state
    }

    fn close(&mut self, info: &FlowInfo, _state: Interest, _time: Timestamp) {
        self.closed.push(info.key.high.port);
    }
}

struct Bench {
    table: FlowTable<Interest>,
    reader: Reader,
    clock: Timestamp,
}

const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;

impl Bench {
    fn new(limits: FlowLimits) -> Bench {
        Bench { table: FlowTable::new(limits), reader: Reader::default(), clock: Timestamp(0) }
    }

    /// A segment of the client with this port; its stream begins at sequence number 1.
    fn client(&mut self, port: u16, sequence: u32, flags: u8, payload: &[u8]) {
        self.send(port, Direction::FromHigh, sequence, 1, flags, payload);
    }

    fn server(&mut self, port: u16, sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) {
        self.send(port, Direction::FromLow, sequence, acknowledgement, flags, payload);
    }

    fn send(
        &mut self,
        port: u16,
        direction: Direction,
        sequence: u32,
        acknowledgement: u32,
        flags: u8,
        payload: &[u8],
    ) {
        self.clock = self.clock.saturating_add(Duration::from_micros(10));
        let server = Peer { address: [10, 0, 0, 1].into(), port: 80 };
        let client = Peer { address: [10, 0, 0, 2].into(), port };
        let (flow, _) = FlowKey::of(client, server);
        let segment = Segment {
            time: self.clock,
            flow,
            hash: mix(u64::from(port)),
            direction,
            sequence,
            acknowledgement,
            flags: TcpFlags(flags),
            control: Control::default(),
            payload,
            cut: 0,
        };
        self.table.segment(&segment, &mut self.reader);
    }

    fn wait(&mut self, span: Duration) {
        self.clock = self.clock.saturating_add(span);
        self.table.expire(self.clock, &mut self.reader);
    }

    fn bytes(&self, port: u16) -> &[u8] {
        self.reader.bytes.get(&port).map_or(&[], Vec::as_slice)
    }
}

fn small() -> FlowLimits {
    FlowLimits { flows: 100, ..FlowLimits::default() }
}

#[test]
fn a_syn_flood_does_not_push_out_the_flows_that_speak_our_protocol() {
    let mut bench = Bench::new(small());
    for port in 0..50 {
        bench.client(port, 1, ACK, b"Hello");
    }
    for port in 1000..5000 {
        bench.client(port, 0, SYN, b"");
    }
    assert!(bench.reader.closed.iter().all(|port| *port >= 1000));
    assert_eq!((bench.table.len(), bench.table.counters.flows_evicted_of_ours), (100, 0));
    bench.client(7, 6, ACK, b" again");
    assert_eq!(bench.bytes(7), b"Hello again");
}

#[test]
fn flows_that_said_nothing_give_way_before_those_that_said_something() {
    let mut bench = Bench::new(small());
    for port in 0..30 {
        bench.client(port, 1, ACK, b"Hello");
    }
    for port in 100..130 {
        bench.client(port, 1, ACK, b"what");
    }
    // A SYN flood pushes out its own, the oldest first.
    for port in 1000..1090 {
        bench.client(port, 0, SYN, b"");
    }
    let evicted: Vec<u16> = (1000..1050).collect();
    assert_eq!(bench.reader.closed, evicted);
    // A flood of connections that say something pushes out what is silent, then its own, and none that speaks our
    // protocol.
    for port in 2000..3000 {
        bench.client(port, 0, SYN, b"");
        bench.client(port, 1, ACK, b"noise");
    }
    assert!(bench.reader.closed.iter().all(|port| *port >= 100));
    let undecided = bench.reader.closed.iter().position(|port| (100..130).contains(port));
    assert!(undecided.is_some_and(|at| bench.reader.closed[..at].iter().filter(|port| **port < 2000).count() == 90));
    assert_eq!((bench.table.len(), bench.table.counters.flows_evicted_of_ours), (100, 0));
}

#[test]
fn flows_of_ours_give_way_only_to_each_other_the_oldest_first() {
    let mut bench = Bench::new(small());
    for port in 0..101 {
        bench.client(port, 1, ACK, b"Hello");
    }
    assert_eq!(bench.reader.closed, [0]);
    assert_eq!(bench.table.counters.flows_evicted_of_ours, 1);
}

#[test]
fn each_class_has_its_own_time_out() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 1, ACK, b"Hello");
    bench.client(2, 1, ACK, b"what");
    bench.wait(Duration::from_secs(61));
    assert_eq!(bench.reader.closed, [2]);
    bench.wait(Duration::from_secs(240));
    assert_eq!(bench.reader.closed, [2, 1]);
    assert_eq!((bench.table.len(), bench.table.counters.flows_timed_out), (0, 2));
}

#[test]
fn a_flow_that_is_over_is_remembered_for_a_while() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 0, SYN, b"");
    bench.server(1, 0, 1, SYN | ACK, b"");
    bench.client(1, 1, ACK | TcpFlags::FIN, b"Hello");
    bench.server(1, 1, 7, ACK | TcpFlags::FIN, b"H");
    assert_eq!(bench.reader.closed, [1]);
    bench.client(1, 1, ACK, b"Hello"); // a retransmission: no new flow
    assert_eq!((bench.reader.opened, bench.table.len()), (1, 1));
    bench.wait(Duration::from_secs(16));
    assert!(bench.table.is_empty());
}

#[test]
fn a_port_is_reused_once_the_server_accepts_it() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 0, SYN, b"");
    bench.server(1, 0, 1, SYN | ACK, b"");
    bench.client(1, 1, ACK, b"Hello");
    bench.client(1, 90_000, SYN, b"");
    assert_eq!(bench.reader.opened, 1); // perhaps forged
    bench.server(1, 0x7000_0000, 90_001, SYN | ACK, b"");
    assert_eq!((bench.reader.opened, bench.reader.closed.as_slice()), (2, &[1][..]));
    bench.client(1, 90_001, ACK, b"Hi");
    assert_eq!(bench.bytes(1), b"HelloHi");
}

#[test]
fn another_copy_of_what_is_over_opens_nothing_and_another_answer_does() {
    let mut bench = Bench::new(FlowLimits::default());
    for _ in 0..2 {
        bench.client(1, 0, SYN, b"");
        bench.server(1, 0, 1, SYN | ACK, b"");
        bench.client(1, 1, ACK, b"Hello");
        bench.client(1, 6, TcpFlags::FIN | ACK, b"");
        bench.server(1, 1, 7, TcpFlags::FIN | ACK, b"");
    }
    assert_eq!((bench.reader.opened, bench.bytes(1)), (1, &b"Hello"[..]));
    bench.server(1, 0x7000_0000, 90_001, SYN | ACK, b""); // its SYN was lost
    bench.client(1, 90_001, ACK, b"Hi");
    assert_eq!((bench.reader.opened, bench.bytes(1)), (2, &b"HelloHi"[..]));
}

#[test]
fn a_late_syn_that_nobody_accepts_changes_nothing() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 0, SYN, b"");
    bench.server(1, 0, 1, SYN | ACK, b"");
    bench.client(1, 1, ACK, b"Hello");
    for sequence in [0x10_0000, 0] {
        bench.clock = bench.clock.saturating_add(Duration::from_secs(6));
        bench.client(1, sequence, SYN, b"");
    }
    bench.client(1, 6, ACK, b"Hi");
    assert_eq!((bench.reader.opened, bench.bytes(1)), (1, &b"HelloHi"[..]));
}

#[test]
fn of_two_syns_the_answer_says_which_one_counts() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 0, SYN, b"");
    bench.client(1, 0x10_0000, SYN, b"");
    bench.server(1, 0, 1, SYN | ACK, b"");
    bench.client(1, 1, ACK, b"Hello");
    assert_eq!(bench.bytes(1), b"Hello");
}

#[test]
fn a_reset_ahead_of_the_stream_is_not_believed_when_it_goes_on() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 0, SYN, b"");
    bench.server(1, 0, 1, SYN | ACK, b"");
    bench.client(1, 1, ACK, b"Hello");
    bench.client(1, 4_000_000, TcpFlags::RST, b"");
    bench.clock = bench.clock.saturating_add(Duration::from_secs(1));
    bench.client(1, 6, ACK, b"Hi");
    assert_eq!(bench.table.lists[Class::Over as usize].oldest, NONE);
}

#[test]
fn a_capture_that_is_played_in_a_loop_is_read_each_time() {
    for is_ended in [true, false] {
        let mut bench = Bench::new(FlowLimits::default());
        for _ in 0..3 {
            bench.client(1, 0, SYN, b"");
            bench.server(1, 0, 1, SYN | ACK, b"");
            bench.client(1, 1, ACK, b"Hello");
            if is_ended {
                bench.client(1, 6, TcpFlags::FIN | ACK, b"");
                bench.server(1, 1, 7, TcpFlags::FIN | ACK, b"");
            }
            bench.clock = bench.clock.saturating_add(Duration::from_secs(6));
        }
        assert_eq!((bench.reader.opened, bench.bytes(1)), (3, &b"HelloHelloHello"[..]));
    }
}

#[test]
fn a_forged_reset_leaves_a_flow_among_ours() {
    let mut bench = Bench::new(small());
    bench.client(1, 1, ACK, b"Hello");
    bench.client(1, 6, TcpFlags::RST, b"");
    bench.client(1, 6, ACK, b"Hi");
    assert_eq!(bench.table.counters.flows_of_ours, 1, "once");
    bench.client(2, 1, ACK, b"what");
    bench.client(2, 5, TcpFlags::RST, b"");
    bench.client(2, 5, ACK, b"ever");
    assert_eq!(bench.table.lists[Class::Over as usize].oldest, NONE);
    for port in 1000..5000 {
        bench.client(port, 0, SYN, b"");
    }
    bench.client(1, 8, ACK, b"!");
    assert_eq!(bench.bytes(1), b"HelloHi!");
    assert_eq!(bench.reader.bytes.len(), 2);
}

#[test]
fn who_goes_on_behind_his_end_begins_anew() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 1, ACK, b"Hello");
    bench.client(1, 6, TcpFlags::FIN | ACK, b""); // with a time to live that ends on the way
    bench.client(1, 6, ACK, b"!"); // a keep-alive probe of who has ended
    assert_eq!((bench.reader.opened, bench.bytes(1)), (1, &b"Hello"[..]));
    bench.client(1, 6, ACK, b"Hi");
    bench.client(1, 8, ACK, b"!");
    assert_eq!((bench.reader.opened, bench.reader.closed.as_slice()), (2, &[1][..]));
    assert_eq!(bench.bytes(1), b"HelloHi!");
}

#[test]
fn a_flow_of_no_interest_costs_a_lookup() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 1, ACK, b"X");
    let events = bench.reader.events;
    assert_eq!(bench.reader.closed, [1]);
    for index in 0..1000 {
        bench.client(1, 10_000 - index * 5, ACK, b"Hello"); // out of order: would be held otherwise
    }
    assert_eq!((bench.reader.events, bench.table.held, bench.table.len()), (events, 0, 1));
}

#[test]
fn bytes_held_by_a_partition_are_bounded_in_a_storm_of_disorder() {
    let limits = FlowLimits::default();
    let mut bench = Bench::new(limits.clone());
    let payload = [b'H'; 1400];
    for port in 0..200 {
        bench.client(port, 1, ACK, b"Hello");
        bench.server(port, 1, 6, ACK, b"Hi");
    }
    for round in 0..100 {
        for port in 0..200 {
            bench.client(port, 200_000 - round * 1400, ACK, &payload);
            assert!(bench.table.held <= limits.stream.partition_held_bytes);
        }
    }
    assert!(bench.table.counters.stream.gaps_at_limit > 0);
    let now = bench.clock;
    bench.table.finish(now, &mut bench.reader);
    assert_eq!((bench.table.held, bench.table.len(), bench.reader.closed.len()), (0, 0, 200));
}

#[test]
fn what_is_held_comes_out_when_time_passes_without_segments() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 1, ACK, b"Hello");
    bench.client(1, 9, ACK, b"again");
    bench.wait(Duration::from_secs(4));
    assert_eq!((bench.bytes(1), bench.table.held), (&b"Helloagain"[..], 0));
}

#[test]
fn acknowledgements_alone_open_no_flow() {
    let mut bench = Bench::new(FlowLimits::default());
    bench.client(1, 1, ACK, b"");
    bench.client(2, 1, TcpFlags::RST, b"");
    bench.client(3, 1, ACK | TcpFlags::FIN, b"");
    assert!(bench.table.is_empty());
}
