//! Hellos and records of TLS without encryption.

use super::*;

/// A client of TLS that offers one suite, of those that encrypt.
pub const HELLO_OF_TLS: &str =
    "\x16\x03\x01\0\x60\x01\0\0\x5c\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\x02\x13\x01\x01\0";

pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], &(content.len() as u16).to_be_bytes()[..], content].concat()
}

pub fn client_hello(suites: &[u8]) -> Vec<u8> {
    let length = (suites.len() as u16).to_be_bytes();
    record(HANDSHAKE, &[&[CLIENT_HELLO, 0, 0, 60, 3, 3], &[7; 32][..], &[0], &length, suites, &[1, 0]].concat())
}

pub fn server_hello(suite: [u8; 2], compression: u8) -> Vec<u8> {
    let session = [&[32], &[9; 32][..]].concat();
    let hello = [&[SERVER_HELLO, 0, 0, 70, 3, 3], &[7; 32][..], &session, &suite, &[compression]].concat();
    record(HANDSHAKE, &hello)
}

#[test]
fn hellos_tell_as_soon_as_the_suites_are_there() {
    let offer = client_hello(&[0x13, 0x01, 0, 0x3B, 0, 0xFF]);
    let choice = server_hello([0, 2], 0);
    for seen in 1..offer.len() - 4 {
        assert_eq!(hello(&offer[..seen]), Hello::More, "{seen}");
    }
    assert_eq!(hello(&offer[..offer.len() - 4]), Hello::Offered);
    for seen in 1..choice.len() {
        assert_eq!(hello(&choice[..seen]), Hello::More, "{seen}");
    }
    assert_eq!(hello(&choice), Hello::Chosen(20));
}

#[test]
fn what_encrypts_is_other_as_soon_as_that_is_known() {
    assert_eq!(hello(&client_hello(&[0x13, 0x01, 0xC0, 0x2F])), Hello::Other);
    assert_eq!(hello(&server_hello([0xC0, 0x2F], 0)), Hello::Other);
    assert_eq!(hello(&server_hello([0, 2], 1)), Hello::Other, "compressed");
    assert_eq!(hello(&record(APPLICATION_DATA, &[0; 50])), Hello::Other);
    for other in [&b"\x16"[..], b"\x16\x02", b"\x16\x03\x05", b"GET /", b""] {
        let expected = if other == b"\x16" { Hello::More } else { Hello::Other };
        assert_eq!(hello(other), expected, "{other:?}");
    }
}

#[test]
fn records_give_their_data_however_they_are_cut() {
    let stream = [
        record(HANDSHAKE, b"finished"),
        record(CHANGE_CIPHER_SPEC, &[1]),
        record(APPLICATION_DATA, b"hello0123456789abcdef"),
        record(21, b"alert"),
        record(APPLICATION_DATA, b"0123456789abcdef"),
        record(APPLICATION_DATA, b", world0123456789abcdef"),
    ]
    .concat();
    for size in 1..=stream.len() {
        let mut records = Records::default();
        let mut read = Vec::new();
        for mut bytes in stream.chunks(size) {
            while let Some(data) = records.next(&mut bytes, 16).unwrap() {
                read.extend_from_slice(data);
            }
        }
        assert_eq!(read, b"hello, world", "{size}");
        assert_eq!(records.inner, 12);
    }
}

#[test]
fn no_record_ends_the_reading() {
    let changed_twice = [record(CHANGE_CIPHER_SPEC, &[1]), record(CHANGE_CIPHER_SPEC, &[1])].concat();
    let shorter_than_its_mac = record(APPLICATION_DATA, &[0; 15]);
    for stream in [&changed_twice, &shorter_than_its_mac, &b"GET / HTTP/1.1".to_vec(), &vec![0x17, 3, 3, 0xFF, 0xFF]] {
        let mut bytes = stream.as_slice();
        assert_eq!(Records::default().next(&mut bytes, 16), Err(NoRecord), "{stream:?}");
    }
}
