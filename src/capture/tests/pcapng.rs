//! What reading pcapng promises.

use super::*;

#[test]
fn sections_of_different_byte_order_share_a_file() {
    let mut bytes = Vec::new();
    for (order, second) in [(Little, 1u64), (Big, 2), (Little, 3)] {
        bytes.extend(section(order));
        bytes.extend(interface(order, 1, 0, &[]));
        bytes.extend(enhanced(order, 0, second * 1_000_000, 60, b"abcde"));
    }
    let times: Vec<i64> = read_well(&bytes).iter().map(|frame| frame.nanos).collect();
    assert_eq!(times, [1_000_000_000, 2_000_000_000, 3_000_000_000]);
}

#[test]
fn interfaces_have_their_own_link_type_and_clock() {
    for order in [Little, Big] {
        let resolution = |value: u8| option(order, 9, &[value]);
        let offset = |seconds: i64| {
            let bytes = if order == Big { seconds.to_be_bytes() } else { seconds.to_le_bytes() };
            option(order, 14, &bytes)
        };
        let bytes = [
            section(order),
            interface(order, 1, 0, &[]),
            interface(order, 101, 0, &[option(order, 2, b"eth0"), resolution(9)]),
            interface(order, 276, 0, &[resolution(0x80 | 10), option(order, 0, &[])]),
            interface(order, 113, 0, &[resolution(12), offset(-3)]),
            interface(order, 14, 0, &[resolution(0), offset(2)]),
            enhanced(order, 0, 7_000_001, 3, b"abc"),
            enhanced(order, 1, 7_000_001, 3, b"abc"),
            enhanced(order, 2, 7 * 1024 + 512, 3, b"abc"),
            enhanced(order, 3, 7_000_000_001_999, 3, b"abc"),
            enhanced(order, 4, 7, 3, b"abc"),
        ]
        .concat();
        let seen: Vec<(u16, i64)> = read_well(&bytes).iter().map(|frame| (frame.link, frame.nanos)).collect();
        let expected =
            [(1, 7_000_001_000), (101, 7_000_001), (276, 7_500_000_000), (113, 4_000_000_001), (101, 9_000_000_000)];
        assert_eq!(seen, expected);
    }
}

#[test]
fn times_beyond_what_nanoseconds_hold_saturate() {
    let file = |resolution: u8, seconds: i64, units: u64| {
        let options = [option(Little, 9, &[resolution]), option(Little, 14, &seconds.to_le_bytes())];
        [section(Little), interface(Little, 1, 0, &options), enhanced(Little, 0, units, 3, b"abc")].concat()
    };
    assert_eq!(read_well(&file(0, 0, u64::MAX))[0].nanos, i64::MAX);
    assert_eq!(read_well(&file(6, i64::MIN, 0))[0].nanos, i64::MIN);
    assert_eq!(read_well(&file(127, 0, u64::MAX))[0].nanos, 0);
    assert_eq!(read_well(&file(0xff, 0, u64::MAX))[0].nanos, 0);
    assert_eq!(read_well(&file(0x80, i64::MAX, u64::MAX))[0].nanos, i64::MAX);
}

#[test]
fn simple_and_obsolete_packet_blocks_are_frames() {
    let simple = |wire_len: u32, bytes: &[u8]| block(Little, 3, &[&wire_len.to_le_bytes(), bytes].concat());
    let mut obsolete = [1u16, 0xffff].map(u16::to_le_bytes).concat();
    obsolete.extend([0u32, 9_000_000, 3, 50].map(u32::to_le_bytes).concat());
    obsolete.extend(b"xyz");
    let bytes = [
        section(Little),
        interface(Little, 1, 3, &[]), // not a multiple of 4: padding is no part of the frame
        interface(Little, 228, 0, &[]),
        simple(6, b"abc"),
        block(Little, 2, &obsolete),
        simple(3, b"abc"),
    ]
    .concat();
    let frame = |nanos, link, wire_len, bytes: &[u8]| Kept { nanos, link, wire_len, bytes: bytes.to_vec() };
    let expected = [frame(0, 1, 6, b"abc"), frame(9_000_000_000, 228, 50, b"xyz"), frame(9_000_000_000, 1, 3, b"abc")];
    assert_eq!(read_well(&bytes), expected);
}

#[test]
fn blocks_of_other_types_are_passed_over_however_large() {
    let bytes = [
        section(Little),
        block(Little, 4, &[1; 21]),
        block(Little, 0x4000_0bad, &vec![7; 3_000_000]),
        interface(Little, 1, 0, &[]),
        enhanced(Little, 0, 5, 3, b"abc"),
        block(Little, 5, &[2; 30]),
    ]
    .concat();
    assert_eq!(read_well(&bytes).len(), 1);
}

#[test]
fn broken_blocks_are_told_with_their_byte_after_the_frames_before_them() {
    let start = [section(Little), interface(Little, 1, 0, &[]), enhanced(Little, 0, 5, 3, b"abc")].concat();
    let altered = |mut block: Vec<u8>, at: usize, value: u32| {
        block[at..at + 4].copy_from_slice(&value.to_le_bytes());
        block
    };
    let frame = enhanced(Little, 0, 5, 3, b"abc");
    let last = frame.len() - 4;
    for (broken, expected) in [
        (altered(frame.clone(), last, 40), "starts with the length 36 and ends with 40"),
        (altered(block(Little, 0xbad, &[0; 8]), 16, 4), "starts with the length 20 and ends with 4"),
        (altered(frame.clone(), 4, 35), "claims 35 bytes; it needs a multiple of 4"),
        (altered(frame.clone(), 4, 8), "claims 8 bytes; it needs a multiple of 4"),
        (altered(frame.clone(), 4, 0xffff_fffc), "claims 4294967292 bytes, more than"),
        (altered(frame.clone(), 8, 1), "names interface 1, of 1 that its section describes"),
        (altered(frame.clone(), 20, 5), "claims 5 bytes in a block with room for 4"),
        (block(Little, 6, &[0; 12]), "a packet block of 24 bytes is too short"),
        (block(Little, 1, &[0; 4]), "an interface description of 16 bytes is too short"),
        (altered(section(Little), 8, 7), "no byte-order magic"),
        (altered(section(Little), 12, 9), "pcapng version 9"),
    ] {
        let (frames, error) = read(&[start.clone(), broken, frame.clone()].concat());
        assert_eq!(frames.len(), 1, "{expected}");
        let text = error.unwrap().to_string();
        assert!(text.contains(expected) && text.contains(&format!("at byte {};", start.len())), "{text}");
    }
}

#[test]
fn broken_options_leave_the_defaults() {
    let cut = [9u16, 400].map(u16::to_le_bytes).concat();
    let bytes = [section(Little), interface(Little, 1, 0, &[cut]), enhanced(Little, 0, 5, 3, b"abc")].concat();
    assert_eq!(read_well(&bytes)[0].nanos, 5_000);
}
