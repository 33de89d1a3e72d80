use super::*;
use crate::packet::{Control, FlowKey, Peer};
use crate::stream::OverlapPolicy;
use Direction::{FromHigh, FromLow};
use std::time::Duration;

/// What came out, bytes joined where they follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Out {
    Data(Direction, i64, Vec<u8>),
    Gap(Direction, i64, u64),
    Conflict(Direction, i64, u64),
    End(Direction, bool),
}

struct Bench {
    conversation: Conversation,
    limits: StreamLimits,
    counters: StreamCounters,
    held: usize,
    recent: Recent,
    overlaps: Overlaps,
    out: Vec<Out>,
    clock: Timestamp,
}

const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;

fn segment(direction: Direction, sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) -> Segment<'_> {
    let peer = |last, port| Peer { address: [10, 0, 0, last].into(), port };
    let (flow, _) = FlowKey::of(peer(1, 40_000), peer(2, 80));
    let time = Timestamp(0);
    let (flags, control) = (TcpFlags(flags), Control::default());
    Segment { time, flow, hash: 7, direction, sequence, acknowledgement, flags, control, payload, cut: 0 }
}

impl Bench {
    fn new() -> Bench {
        Bench {
            conversation: Conversation::new(),
            limits: StreamLimits::default(),
            counters: StreamCounters::default(),
            held: 0,
            recent: Recent::default(),
            overlaps: Overlaps::default(),
            out: Vec::new(),
            clock: Timestamp(0),
        }
    }

    /// After a handshake: the low side's first byte is 101, the high side's 501.
    fn open() -> Bench {
        let mut bench = Bench::new();
        bench.take(segment(FromLow, 100, 0, SYN, b""));
        bench.take(segment(FromHigh, 500, 101, SYN | ACK, b""));
        bench
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Conversation, &mut Context<'_, &mut dyn FnMut(Direction, Event<'_>)>) -> T,
    ) -> T {
        let Bench { conversation, limits, counters, held, recent, overlaps, out, .. } = self;
        let flow = &segment(FromLow, 0, 0, 0, b"").flow;
        let mut deliver = |direction: Direction, event: Event<'_>| match event {
            Event::Data(chunk) => match out.last_mut() {
                Some(Out::Data(last, offset, bytes))
                    if *last == direction && *offset + bytes.len() as i64 == chunk.offset =>
                {
                    bytes.extend_from_slice(chunk.bytes);
                }
                _ => out.push(Out::Data(direction, chunk.offset, chunk.bytes.to_vec())),
            },
            Event::Gap { offset, length, .. } => out.push(Out::Gap(direction, offset, length)),
            Event::Conflict { offset, length } => out.push(Out::Conflict(direction, offset, length)),
            Event::End { reset, .. } => out.push(Out::End(direction, reset)),
        };
        let mut context = Context {
            limits,
            counters,
            partition_held: held,
            recent,
            overlaps,
            flow,
            deliver: &mut deliver as &mut dyn FnMut(Direction, Event<'_>),
        };
        act(conversation, &mut context)
    }

    fn take(&mut self, mut segment: Segment<'_>) {
        self.clock = Timestamp(self.clock.0 + 1000);
        segment.time = self.clock;
        self.with(|conversation, context| conversation.segment(&segment, context));
        assert_eq!(self.held, self.conversation.held_cost());
    }

    fn low(&mut self, sequence: u32, payload: &[u8]) {
        self.take(segment(FromLow, sequence, 501, ACK, payload));
    }

    fn wait(&mut self, span: Duration) {
        self.clock = self.clock.saturating_add(span);
        let now = self.clock;
        self.with(|conversation, context| conversation.expire(now, context));
    }

    fn finish(&mut self) -> Vec<Out> {
        let now = self.clock;
        self.with(|conversation, context| conversation.finish(now, context));
        assert_eq!(self.held, 0);
        std::mem::take(&mut self.out)
    }
}

fn data(direction: Direction, offset: i64, bytes: &[u8]) -> Out {
    Out::Data(direction, offset, bytes.to_vec())
}

fn ends() -> [Out; 2] {
    [Out::End(FromLow, false), Out::End(FromHigh, false)]
}

#[test]
fn in_order_bytes_pass_through_and_disorder_is_mended() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.low(107, b"ghi");
    bench.low(104, b"def");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdefghi")]);
    assert_eq!((bench.held, bench.counters.out_of_order_segments), (0, 1));
}

#[test]
fn keep_alive_probes_and_retransmissions_add_nothing() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.low(103, b"\0"); // RFC 9293 §3.8.4: one garbage byte before the next
    bench.low(103, b"");
    bench.low(101, b"abc");
    bench.low(104, b"def");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdef")]);
}

#[test]
fn a_zero_window_probe_carries_the_next_byte_once() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    for _ in 0..3 {
        bench.low(104, b"d"); // RFC 9293 §3.8.6.1
    }
    bench.low(104, b"def");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdef")]);
}

#[test]
fn overlaps_follow_the_first_copy_and_differences_are_counted() {
    let mut bench = Bench::open();
    bench.low(104, b"DEF");
    bench.low(103, b"xyyyz");
    bench.low(101, b"ab");
    let conflict = Out::Conflict(FromLow, 3, 3);
    assert_eq!(bench.out, [data(FromLow, 0, b"abx"), conflict.clone(), data(FromLow, 3, b"DEFz")]);
    assert_eq!(bench.counters.overlap_conflicts, 1);
    bench.low(106, b"FzG");
    assert_eq!(bench.out, [data(FromLow, 0, b"abx"), conflict, data(FromLow, 3, b"DEFzG")]);
}

/// What comes out of `abc`, a hole, `DEFGHI`, then a segment that overlaps it, then the hole's bytes; and how often bytes
/// were disputed.
fn overlapped(policy: OverlapPolicy, sequence: u32, later: &[u8]) -> (String, u64) {
    let mut bench = Bench::open();
    bench.overlaps.otherwise = policy;
    bench.low(101, b"abc");
    bench.low(107, b"DEFGHI");
    bench.low(sequence, later);
    let conflicts = bench.counters.overlap_conflicts;
    bench.low(104, &b"..."[..(sequence.min(107) - 104) as usize]);
    let bytes = bench.out.iter().filter_map(|out| match out {
        Out::Data(_, _, bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    (bytes.collect(), conflicts)
}

#[test]
fn behind_a_hole_the_receivers_policy_says_whose_bytes_count() {
    use OverlapPolicy::{First, Last, Linux, Windows};
    let cases = [
        // begins before the held segment
        (105, &b"23def"[..], ["abc.23DEFGHI", "abc.23defGHI", "abc.23defGHI", "abc.23defGHI"]),
        // begins with it and ends behind it
        (107, b"defghijk", ["abc...DEFGHIjk", "abc...defghijk", "abc...defghijk", "abc...DEFGHIjk"]),
        (107, b"defghi", ["abc...DEFGHI", "abc...defghi", "abc...DEFGHI", "abc...DEFGHI"]),
        // begins within it
        (109, b"fghijk", ["abc...DEFGHIjk", "abc...DEfghijk", "abc...DEFGHIjk", "abc...DEFGHIjk"]),
    ];
    for (sequence, later, expected) in cases {
        for (policy, expected) in [First, Last, Linux, Windows].into_iter().zip(expected) {
            assert_eq!(overlapped(policy, sequence, later), (expected.to_owned(), 1), "{policy:?} {sequence}");
        }
    }
    assert_eq!(overlapped(Last, 105, b"23DEFG"), ("abc.23DEFGHI".to_owned(), 0));
}

#[test]
fn what_a_receiver_has_it_does_not_take_again() {
    for acknowledged in [101, 104] {
        let mut bench = Bench::open();
        bench.overlaps.otherwise = OverlapPolicy::Last;
        // Behind no hole: what it answers to has not come here yet.
        bench.take(segment(FromLow, 101, 504, ACK, b"abc"));
        bench.take(segment(FromHigh, 504, acknowledged, ACK, b""));
        bench.take(segment(FromLow, 101, 504, ACK, b"xyz"));
        bench.take(segment(FromHigh, 501, 101, ACK, b"yes"));
        assert_eq!(bench.out.last(), Some(&data(FromLow, 0, b"abc")), "{acknowledged}");
        assert_eq!(bench.counters.overlap_conflicts, 1);
    }
}

#[test]
fn a_copy_that_differs_from_what_was_handed_on_is_told_and_changes_nothing() {
    let mut bench = Bench::open();
    bench.overlaps.otherwise = OverlapPolicy::Last;
    bench.low(101, b"GET /a");
    bench.low(101, b"GET /a");
    assert_eq!(bench.counters.overlap_conflicts, 0);
    bench.low(105, b"/b HTTP");
    let conflict = Out::Conflict(FromLow, 5, 1);
    assert_eq!(bench.out, [data(FromLow, 0, b"GET /a"), conflict, data(FromLow, 6, b" HTTP")]);
    assert_eq!(bench.counters.overlap_conflicts, 1);
}

#[test]
fn sequence_numbers_wrap() {
    let mut bench = Bench::new();
    bench.take(segment(FromLow, u32::MAX - 2, 0, SYN, b""));
    bench.take(segment(FromHigh, 500, u32::MAX - 1, SYN | ACK, b""));
    bench.low(u32::MAX - 1, b"ab");
    bench.low(1, b"de");
    bench.low(0, b"c");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcde")]);
}

#[test]
fn a_response_waits_for_the_request_that_it_acknowledges() {
    let mut bench = Bench::open();
    bench.take(segment(FromHigh, 501, 104, ACK, b"yes"));
    assert_eq!(bench.out, []);
    bench.low(101, b"ask");
    assert_eq!(bench.out, [data(FromLow, 0, b"ask"), data(FromHigh, 0, b"yes")]);
}

/// Of two cards one is handed over first.
#[test]
fn a_server_that_is_heard_before_its_client_opens_waits_for_it() {
    let mut bench = Bench::new();
    bench.take(segment(FromHigh, 500, 101, SYN | ACK, b""));
    bench.take(segment(FromHigh, 501, 104, ACK, b"yes"));
    assert_eq!(bench.out, []);
    bench.take(segment(FromLow, 100, 0, SYN, b""));
    assert_eq!(bench.out, []);
    bench.low(101, b"ask");
    assert_eq!(bench.out, [data(FromLow, 0, b"ask"), data(FromHigh, 0, b"yes")]);
}

#[test]
fn a_direction_that_is_alone_in_the_capture_waits_once() {
    let mut bench = Bench::new();
    bench.take(segment(FromHigh, 500, 101, SYN | ACK, b""));
    bench.take(segment(FromHigh, 501, 104, ACK, b"yes"));
    bench.wait(bench.limits.acknowledged_grace + Duration::from_millis(1));
    assert_eq!(bench.out, [data(FromHigh, 0, b"yes")]);
    bench.take(segment(FromHigh, 504, 110, ACK, b"no"));
    assert_eq!(bench.out, [data(FromHigh, 0, b"yesno")]);
}

#[test]
fn the_wait_for_the_other_direction_ends_after_its_grace() {
    let mut bench = Bench::open();
    bench.take(segment(FromHigh, 501, 104, ACK, b"yes"));
    bench.wait(bench.limits.acknowledged_grace);
    assert_eq!(bench.out, []);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.out, [data(FromHigh, 0, b"yes")]);
}

#[test]
fn a_hole_becomes_a_gap_once_the_peer_has_its_bytes_and_the_grace_is_over() {
    let mut bench = Bench::open();
    bench.low(104, b"def");
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.out, []); // not acknowledged: it will be sent again
    bench.take(segment(FromHigh, 501, 107, ACK, b""));
    assert_eq!(bench.out, [Out::Gap(FromLow, 0, 3), data(FromLow, 3, b"def")]);
}

#[test]
fn a_hole_that_nobody_acknowledges_does_not_hold_bytes_for_ever() {
    let mut bench = Bench::open();
    bench.low(104, b"def");
    bench.wait(bench.limits.unacknowledged_grace + Duration::from_secs(1));
    assert_eq!(bench.out, [Out::Gap(FromLow, 0, 3), data(FromLow, 3, b"def")]);
}

#[test]
fn without_the_peer_a_hole_waits_for_retransmissions() {
    let mut bench = Bench::new();
    bench.take(segment(FromLow, 100, 0, SYN, b""));
    bench.low(104, b"def");
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.out, []);
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.out, [Out::Gap(FromLow, 0, 3), data(FromLow, 3, b"def")]);
}

#[test]
fn at_the_limit_the_hole_becomes_a_gap() {
    let mut bench = Bench::open();
    bench.limits.held_bytes = 1000;
    bench.low(104, &[b'x'; 500]);
    bench.low(604, &[b'x'; 500]);
    assert_eq!(bench.out, [Out::Gap(FromLow, 0, 3), Out::Data(FromLow, 3, vec![b'x'; 1000])]);
    assert_eq!((bench.held, bench.counters.gaps_at_limit), (0, 1));
}

#[test]
fn a_frame_cut_by_the_snap_length_is_followed_by_a_gap() {
    let mut bench = Bench::open();
    bench.take(Segment { cut: 7, ..segment(FromLow, 101, 501, ACK, b"abc") });
    bench.low(111, b"k");
    assert_eq!(bench.out, [data(FromLow, 0, b"abc"), Out::Gap(FromLow, 3, 7), data(FromLow, 10, b"k")]);
}

#[test]
fn a_cut_copy_does_not_replace_a_held_one() {
    let mut bench = Bench::open();
    bench.low(104, b"def");
    bench.take(Segment { cut: 3, ..segment(FromLow, 104, 501, ACK, b"") });
    bench.low(101, b"abc");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdef")]);
}

#[test]
fn one_side_may_close_and_the_other_go_on() {
    let mut bench = Bench::open();
    bench.take(segment(FromLow, 101, 501, ACK | FIN, b"ask"));
    bench.take(segment(FromHigh, 501, 105, ACK, b"long"));
    assert!(!bench.conversation.has_ended());
    bench.take(segment(FromHigh, 505, 105, ACK | FIN, b" answer"));
    let whole = [data(FromLow, 0, b"ask"), Out::End(FromLow, false), data(FromHigh, 0, b"long answer")];
    assert_eq!(bench.out[..3], whole);
    assert_eq!(bench.out[3..], [Out::End(FromHigh, false)]);
    assert!(bench.conversation.has_ended());
}

#[test]
fn a_fin_before_the_last_bytes_ends_behind_them() {
    let mut bench = Bench::open();
    bench.take(segment(FromLow, 107, 501, ACK | FIN, b""));
    bench.low(104, b"def");
    bench.low(101, b"abc");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdef"), Out::End(FromLow, false)]);
}

#[test]
fn a_lost_fin_is_made_up_for_at_the_end() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.take(segment(FromHigh, 501, 105, ACK | FIN, b"")); // acknowledges the FIN at 104, which was not seen
    let mut expected = vec![data(FromLow, 0, b"abc"), Out::End(FromHigh, false)];
    expected.push(Out::End(FromLow, false));
    assert_eq!(bench.finish(), expected);
}

#[test]
fn bytes_that_only_their_acknowledgement_tells_of_are_a_gap_at_the_end() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.take(segment(FromHigh, 501, 204, ACK, b""));
    let [low, high] = ends();
    assert_eq!(bench.finish(), [data(FromLow, 0, b"abc"), Out::Gap(FromLow, 3, 100), low, high]);
}

#[test]
fn a_reset_out_of_the_window_is_not_believed() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.take(segment(FromLow, 104u32.wrapping_add(50 << 20), 0, RST, b""));
    assert!(!bench.conversation.is_over());
    assert_eq!(bench.counters.out_of_window, 1);
}

#[test]
fn a_forged_reset_ends_nothing_when_its_sender_goes_on() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    bench.take(segment(FromLow, 104, 0, RST, b""));
    assert!(bench.conversation.is_over());
    bench.low(104, b"def");
    assert!(!bench.conversation.is_over());
    let [low, high] = ends();
    assert_eq!(bench.finish(), [data(FromLow, 0, b"abcdef"), low, high]);
}

#[test]
fn data_before_a_reset_that_comes_after_it_counts() {
    let mut bench = Bench::open();
    bench.take(segment(FromLow, 104, 0, RST, b""));
    bench.low(101, b"abc");
    assert!(bench.conversation.is_over());
    assert_eq!(bench.finish(), [data(FromLow, 0, b"abc"), Out::End(FromLow, true), Out::End(FromHigh, true)]);
}

#[test]
fn a_flow_picked_up_in_the_middle_knows_its_place_from_acknowledgements() {
    let mut bench = Bench::new();
    bench.take(segment(FromLow, 1000, 7000, ACK, b"ask"));
    bench.take(segment(FromHigh, 7100, 1003, ACK, b"later")); // a hundred bytes before it are missing
    bench.take(segment(FromLow, 1003, 7105, ACK, b""));
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.out, [data(FromLow, 0, b"ask"), Out::Gap(FromHigh, 0, 100), data(FromHigh, 100, b"later")]);
}

#[test]
fn bytes_that_were_acknowledged_before_a_direction_was_seen_are_a_gap() {
    let mut bench = Bench::new();
    bench.take(segment(FromLow, 1000, 7000, ACK, b"ask"));
    bench.take(segment(FromLow, 1003, 7100, ACK, b"again"));
    bench.take(segment(FromHigh, 7100, 1008, ACK, b"yes"));
    assert_eq!(bench.out[1..], [Out::Gap(FromHigh, 0, 100), data(FromHigh, 100, b"yes")]);
}

#[test]
fn a_syn_that_nobody_accepts_changes_nothing() {
    let mut bench = Bench::open();
    bench.low(101, b"abc");
    let forged = segment(FromLow, 777_777, 0, SYN, b"");
    assert!(!bench.conversation.is_reopened_by(&forged, false));
    bench.take(forged);
    bench.low(104, b"def");
    assert_eq!(bench.out, [data(FromLow, 0, b"abcdef")]);
}

#[test]
fn a_syn_that_is_accepted_reopens() {
    let mut bench = Bench::open();
    let (opening, other) = (segment(FromLow, 9000, 0, SYN, b""), segment(FromHigh, 60, 1, SYN | ACK, b""));
    let accepting = segment(FromHigh, 60, 9001, SYN | ACK, b"");
    assert!(!bench.conversation.is_reopened_by(&opening, false));
    assert!(!bench.conversation.is_reopened_by(&other, false));
    assert!(bench.conversation.is_reopened_by(&accepting, false));
}

#[test]
fn a_repeated_syn_does_not_reopen_and_a_new_one_after_the_end_does() {
    let mut bench = Bench::open();
    assert!(!bench.conversation.is_reopened_by(&segment(FromLow, 100, 0, SYN, b""), false));
    bench.take(segment(FromLow, 101, 501, RST | ACK, b""));
    assert!(!bench.conversation.is_reopened_by(&segment(FromLow, 100, 0, SYN, b""), false));
    assert!(bench.conversation.is_reopened_by(&segment(FromLow, 9000, 0, SYN, b""), false));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// A segment of one side's stream: where, how long, how far it is delayed, how often it comes.
    type Cut = (usize, u8, bool);

    fn cuts() -> impl Strategy<Value = Vec<Cut>> {
        prop::collection::vec(
            (1usize..200, prop_oneof![2 => Just(0u8), 1 => 0u8..30], prop::bool::weighted(0.1)),
            1..40,
        )
    }

    fn bytes(direction: Direction, length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 7 + at / 256 + direction as usize) as u8).collect()
    }

    /// Segments of both directions, cut, delayed and doubled; the last of a direction carries its FIN.
    fn delivery(streams: &[Vec<Cut>; 2], initial: [u32; 2]) -> (Vec<Segment<'static>>, [usize; 2]) {
        let mut placed = Vec::new();
        let mut lengths = [0, 0];
        for (direction, cuts) in [FromLow, FromHigh].into_iter().zip(streams) {
            let total = cuts.iter().map(|(length, _, _)| length).sum();
            lengths[direction as usize] = total;
            let all: &'static [u8] = bytes(direction, total).leak();
            let mut at = 0;
            for (index, (length, delay, doubled)) in cuts.iter().enumerate() {
                let flags = if index + 1 == cuts.len() { ACK | FIN } else { ACK };
                let first = initial[direction as usize].wrapping_add(1);
                let sequence = first.wrapping_add(at as u32);
                let acknowledgement = initial[direction.other() as usize].wrapping_add(1);
                let piece = segment(direction, sequence, acknowledgement, flags, &all[at..at + length]);
                placed.push((2 * index + usize::from(*delay), piece));
                if *doubled {
                    // Once more, longer: it overlaps what follows.
                    let end = (at + length + 50).min(total);
                    let longer = segment(direction, sequence, acknowledgement, ACK, &all[at..end]);
                    placed.push((2 * index + 7, longer));
                }
                at += length;
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        (placed.into_iter().map(|(_, segment)| segment).collect(), lengths)
    }

    fn config() -> ProptestConfig {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn any_segmentation_disorder_and_overlap_gives_the_same_bytes(
            streams in prop::array::uniform2(cuts()),
            initial in prop::array::uniform2(prop_oneof![any::<u32>(), u32::MAX - 3000..=u32::MAX]),
        ) {
            let mut bench = Bench::new();
            bench.take(segment(FromLow, initial[0], 0, SYN, b""));
            bench.take(segment(FromHigh, initial[1], initial[0].wrapping_add(1), SYN | ACK, b""));
            let (segments, lengths) = delivery(&streams, initial);
            for segment in segments {
                bench.take(segment);
            }
            prop_assert!(bench.conversation.has_ended());
            let out = bench.finish();
            for direction in [FromLow, FromHigh] {
                let mut joined = Vec::new();
                for event in &out {
                    match event {
                        Out::Data(side, offset, bytes) if *side == direction => {
                            prop_assert_eq!(*offset, joined.len() as i64);
                            joined.extend_from_slice(bytes);
                        }
                        Out::Gap(..) => prop_assert!(false, "a gap where nothing is missing"),
                        _ => {}
                    }
                }
                prop_assert_eq!(joined, bytes(direction, lengths[direction as usize]));
                prop_assert_eq!(out.iter().filter(|event| **event == Out::End(direction, false)).count(), 1);
            }
            prop_assert_eq!(bench.counters.overlap_conflicts, 0);
        }

        /// Whatever comes, what goes out is one ascending run of offsets in each direction, and the account is kept.
        #[test]
        fn no_sequence_of_segments_breaks_the_order(
            moves in prop::collection::vec(
                (any::<bool>(), -300i64..3000, -300i64..3000, any::<u8>(), 0usize..400, 0u32..3, 0u64..700), 0..80),
        ) {
            let mut bench = Bench::new();
            bench.limits.held_bytes = 2000;
            bench.limits.partition_held_bytes = 3000;
            for (is_low, sequence, acknowledgement, flags, length, cut, pause) in moves {
                let direction = if is_low { FromLow } else { FromHigh };
                let payload = bytes(direction, length);
                let mut piece =
                    segment(direction, sequence as u32, acknowledgement as u32, flags & 0x17, &payload);
                piece.cut = cut;
                bench.wait(Duration::from_millis(pause));
                bench.take(piece);
                prop_assert!(bench.held <= 3000);
            }
            let mut next = [None::<i64>; 2];
            let mut ended = [false; 2];
            for event in bench.finish() {
                let (direction, offset, length) = match event {
                    Out::Conflict(..) => continue,
                    Out::Data(direction, offset, bytes) => (direction, offset, bytes.len() as i64),
                    Out::Gap(direction, offset, length) => (direction, offset, length as i64),
                    Out::End(direction, _) => {
                        prop_assert!(!std::mem::replace(&mut ended[direction as usize], true));
                        continue;
                    }
                };
                prop_assert!(!ended[direction as usize], "bytes behind the end");
                let expected = next[direction as usize].replace(offset + length);
                prop_assert!(length > 0 && expected.is_none_or(|expected| expected == offset));
            }
            prop_assert_eq!(ended, [true, true]);
        }
    }
}

/// After a handshake in which the server takes 1,000 bytes at a time, and no window is scaled.
fn narrow() -> Bench {
    let control = Control { window: 1000, scale: None, urgent: 0 };
    let mut bench = Bench::new();
    bench.take(Segment { control, ..segment(FromLow, 100, 0, SYN, b"") });
    bench.take(Segment { control, ..segment(FromHigh, 500, 101, SYN | ACK, b"") });
    bench
}

fn acknowledge(bench: &mut Bench, sequence: u32) {
    let control = Control { window: 1000, scale: None, urgent: 0 };
    bench.take(Segment { control, ..segment(FromHigh, 501, sequence, ACK, b"") });
}

#[test]
fn what_no_receiver_takes_is_passed_over() {
    for ahead in [1_000, 66_000, 1 << 29] {
        let mut bench = narrow();
        bench.low(101, b"abc");
        acknowledge(&mut bench, 104);
        bench.take(segment(FromLow, 104 + ahead, 501, FIN | ACK, b"x"));
        bench.wait(Duration::from_secs(70));
        for at in (104..2104).step_by(500) {
            bench.low(at, &[b'd'; 500]);
            acknowledge(&mut bench, at + 500);
        }
        assert_eq!(bench.counters.gaps, 0);
        assert_eq!(bench.counters.out_of_window, 1);
        assert_eq!(bench.out, [data(FromLow, 0, &[&b"abc"[..], &[b'd'; 2000]].concat())]);
    }
}

#[test]
fn much_that_no_receiver_takes_makes_no_hole() {
    let mut bench = narrow();
    for at in 0..3000 {
        bench.low(101 + 1_000 + at * 20, b"x");
    }
    bench.low(101, b"abc");
    assert_eq!((bench.counters.gaps, bench.out.as_slice()), (0, &[data(FromLow, 0, b"abc")][..]));
}

#[test]
fn bytes_whose_permission_is_captured_later_are_waited_with() {
    let mut bench = narrow();
    bench.low(101, &[b'a'; 1000]);
    bench.low(1601, &[b'c'; 500]); // the server has taken more, and a segment is late
    acknowledge(&mut bench, 1101);
    bench.low(1101, &[b'b'; 500]);
    assert_eq!(bench.out, [data(FromLow, 0, &[[b'a'; 500], [b'a'; 500], [b'b'; 500], [b'c'; 500]].concat())]);
}

#[test]
fn real_bytes_take_the_place_of_those_that_came_too_early() {
    let mut bench = narrow();
    bench.low(101 + 1_200, b"forged");
    acknowledge(&mut bench, 601);
    bench.low(101 + 1_200, b"honest");
    bench.low(101, &[b'a'; 1_200]);
    assert_eq!(bench.out, [data(FromLow, 0, &[&[b'a'; 1_200][..], b"honest"].concat())]);
}

#[test]
fn an_urgent_byte_is_left_out_and_told() {
    let mut bench = Bench::open();
    let control = Control { urgent: 4, ..Control::default() };
    let flags = ACK | TcpFlags::URG;
    bench.take(Segment { control, ..segment(FromLow, 101, 501, flags, b"/a.!txt") });
    bench.low(108, b"abc");
    let told = [Out::Conflict(FromLow, 3, 1), data(FromLow, 0, b"/a."), data(FromLow, 4, b"txtabc")];
    assert_eq!(bench.out, told);
    // Behind a hole, and the last byte of its segment.
    bench.take(Segment { control, ..segment(FromLow, 115, 501, flags, b"mno!") });
    bench.low(111, b"ghij");
    assert_eq!(
        bench.out[2..],
        [data(FromLow, 4, b"txtabcghij"), Out::Conflict(FromLow, 17, 1), data(FromLow, 14, b"mno")]
    );
    assert_eq!(bench.counters.urgent_bytes, 2);
}
