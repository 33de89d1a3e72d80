//! 802.11: the LLC of a data frame.
//!
//! In go frames as they were in the air, out comes what an unprotected data frame carries. Refused: management and
//! control (not IP), protected frames and fragments (counted as skipped). Of an aggregate (A-MSDU) the first packet is
//! taken: a frame gives one segment.

use super::encapsulation::{Encapsulation, Path, Refusal};
use super::layer::{Layer, Step, be16, byte, rest};

const DATA: u8 = 2;
const QOS: u8 = 0x8;
const WITHOUT_DATA: u8 = 0x4;
/// In the second byte of frame control (IEEE 802.11 §9.2.4.1).
const TO_AND_FROM: u8 = 0x03;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
const IS_AGGREGATE: u8 = 0x80;
/// Two addresses and a length before each packet of an aggregate.
const SUBFRAME_HEADER_BYTES: usize = 14;

pub fn frame<'a>(frame: &'a [u8], is_padded: bool, path: &mut Path<'_>) -> Step<'a> {
    let (mut control, mut flags) = (byte(frame, 0)?, byte(frame, 1)?);
    // Some access points swap the two bytes on their way to the controller. Frames of a network have a bit of
    // `TO_AND_FROM`, which then stands where the version, always 0, should be.
    if control & 3 != 0 {
        (control, flags) = (flags, control);
    }
    let (version, kind, subtype) = (control & 3, control >> 2 & 3, control >> 4);
    if version != 0 || kind != DATA || subtype & WITHOUT_DATA != 0 {
        return Err(Refusal::NotIp);
    }
    let mut length = if flags & TO_AND_FROM == TO_AND_FROM { 30 } else { 24 };
    let mut is_aggregate = false;
    if subtype & QOS != 0 {
        is_aggregate = byte(frame, length)? & IS_AGGREGATE != 0;
        length += if flags & ORDER != 0 { 6 } else { 2 }; // with or without HT control
    }
    let fragment = be16(frame, 22)?.swap_bytes() & 0xf;
    if flags & (PROTECTED | MORE_FRAGMENTS) != 0 || fragment != 0 {
        return Err(Refusal::Skipped(Encapsulation::Wifi));
    }
    if is_padded {
        length = length.next_multiple_of(4);
    }
    if is_aggregate {
        length += SUBFRAME_HEADER_BYTES;
    }
    let packet = rest(frame, length)?;
    path.enter(Encapsulation::Wifi)?;
    Ok((Layer::Llc, packet))
}
