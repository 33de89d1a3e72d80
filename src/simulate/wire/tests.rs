//! The builder's promises.

use super::frame::{ACK, FIN, SYN};
use super::*;
use proptest::prelude::*;

/// Direction, sequence number, acknowledgement, flags and payload of each frame.
fn segments(frames: &[(Timestamp, Vec<u8>)]) -> Vec<(bool, u32, u32, u8, Vec<u8>)> {
    let parse = |frame: &Vec<u8>| {
        let packet = etherparse::PacketHeaders::from_ethernet_slice(frame).unwrap();
        let Some(etherparse::TransportHeader::Tcp(tcp)) = packet.transport else { panic!("not TCP") };
        let flags =
            [(tcp.fin, FIN), (tcp.syn, SYN), (tcp.ack, ACK)].iter().map(|(set, flag)| u8::from(*set) * flag).sum();
        let payload = packet.payload.slice().to_vec();
        (tcp.destination_port == 80, tcp.sequence_number, tcp.acknowledgment_number, flags, payload)
    };
    frames.iter().map(|(_, frame)| parse(frame)).collect()
}

fn talk() -> Conversation {
    Conversation::new("192.0.2.7:40001", "10.20.0.11:80")
}

#[test]
fn a_conversation_opens_speaks_and_closes() {
    let frames = talk().exchange("ping", "pong").close().frames();
    let shape: Vec<(bool, u8, usize)> = segments(&frames).iter().map(|s| (s.0, s.3, s.4.len())).collect();
    let expected = [
        (true, SYN, 0),
        (false, SYN | ACK, 0),
        (true, ACK, 0),
        (true, ACK, 4),
        (false, ACK, 4),
        (true, ACK, 0),
        (true, FIN | ACK, 0),
        (false, FIN | ACK, 0),
        (true, ACK, 0),
    ];
    assert_eq!(shape, expected);
}

#[test]
fn time_is_where_the_test_puts_it() {
    let at = DEFAULT_START.saturating_add(Duration::from_secs(30));
    let frames = talk().midstream().at(at).request("late").frames();
    assert_eq!(frames[0].0, at);
}

#[test]
fn a_slow_server_acknowledges_before_it_answers() {
    let frames = talk().midstream().request("q").pause(Duration::from_secs(1)).response("a").frames();
    let shape: Vec<(bool, usize)> = segments(&frames).iter().map(|s| (s.0, s.4.len())).collect();
    assert_eq!(shape, [(true, 1), (false, 0), (false, 1), (true, 0)]);
}

#[test]
fn two_conversations_merge_in_order_of_time() {
    let other = Conversation::new("192.0.2.8:40001", "10.20.0.11:80");
    let merged = merge([talk().exchange("a", "b"), other.exchange("c", "d")]);
    assert!(merged.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!(pcap(&merged, FULL_SNAPLEN).len(), 24 + merged.iter().map(|frame| 16 + frame.1.len()).sum::<usize>());
}

proptest! {
    #[test]
    fn any_segment_size_carries_the_same_bytes_with_numbers_that_fit(
        size in 1usize..2000,
        request in proptest::collection::vec(any::<u8>(), 1..5000),
        response in proptest::collection::vec(any::<u8>(), 1..60_000),
        port in 1024u16..60_000,
    ) {
        let size = size.max(response.len() / 800);
        let client = format!("192.0.2.7:{port}");
        let frames = Conversation::new(&client, "10.20.0.11:80").segment_bytes(size).exchange(&request, &response).close().frames();
        let mut streams = [Vec::new(), Vec::new()];
        let mut next: [Option<u32>; 2] = [None, None];
        for (to_server, seq, ack, flags, payload) in segments(&frames) {
            let (mine, theirs) = (usize::from(to_server), usize::from(!to_server));
            prop_assert!(payload.len() <= size);
            if let Some(expected) = next[mine] {
                prop_assert_eq!(seq, expected, "in order, nothing twice");
            }
            if let (true, Some(sent)) = (flags & ACK != 0, next[theirs]) {
                prop_assert!(sent.wrapping_sub(ack) < 1 << 30, "acknowledges only what was sent");
            }
            let counted = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
            next[mine] = Some(seq.wrapping_add(counted));
            streams[mine].extend_from_slice(&payload);
        }
        prop_assert_eq!(&streams[1], &request);
        prop_assert_eq!(&streams[0], &response);
    }
}
