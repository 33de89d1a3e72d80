//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, interfaces described before their frames.
//!
//! In goes an [`Input`] at the start of the file, out come [`Located`] frames in it. Sections of either byte order in
//! one file, any number of interfaces with their own link type and clock, frames in Enhanced, Simple and obsolete
//! Packet Blocks; every other block is passed over without being kept. A Simple Packet Block has no time: it gets that
//! of the frame before it. A block whose two lengths differ is damage, and so is a frame of an interface that was not
//! described; nothing of such a block is given.
//!
//! Bounds: a block that must be kept (section, interface, frame) has at most [`MAX_KEPT_BLOCK_BYTES`]; a section has at
//! most [`MAX_INTERFACES`].

use super::error::Fault;
use super::file::Located;
use super::input::{ByteOrder, Input};
use super::link::LinkType;
use super::pcap_file::MAX_FRAME_BYTES;
use crate::time::Timestamp;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// Type, total length and the total length once more at the end.
const BLOCK_OVERHEAD_BYTES: u32 = 12;
const TRAILER_BYTES: u32 = 4;
const SECTION_HEADER_MIN_BYTES: u32 = 28;
const INTERFACE_MIN_BYTES: u32 = 20;
/// Options of a section or an interface, or those behind a frame: comments of 64 KiB each, never more than a few.
const MAX_OPTION_BYTES: u32 = 16 * 1024 * 1024;
const MAX_KEPT_BLOCK_BYTES: u32 = MAX_FRAME_BYTES + MAX_OPTION_BYTES;
/// A capture on every interface of a large router has hundreds; a hostile file must not fill memory with them.
const MAX_INTERFACES: usize = 65_536;

const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// How to make nanoseconds of an interface's units of time (option if_tsresol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds each.
    Nanoseconds(u64),
    /// So many of them in a nanosecond.
    Fraction(u128),
    /// 2 to the power of so many in a second.
    BinarySecond(u32),
}

impl Unit {
    /// Where the option is missing: microseconds.
    const DEFAULT: Unit = Unit::Nanoseconds(1000);

    /// The highest bit chooses powers of two; the others are the negative exponent.
    fn of_resolution(option: u8) -> Unit {
        let exponent = u32::from(option & 0x7f);
        if option & 0x80 != 0 {
            return Unit::BinarySecond(exponent);
        }
        match exponent {
            0..=9 => Unit::Nanoseconds(10u64.pow(9 - exponent)), // at most 10^9
            // Beyond 10^38 units a nanosecond, 64 bits of units are no time at all.
            _ => Unit::Fraction(10u128.checked_pow(exponent - 9).unwrap_or(u128::MAX)),
        }
    }

    fn nanos(self, units: u64) -> i128 {
        let units = u128::from(units);
        let nanos = match self {
            Unit::Nanoseconds(each) => units * u128::from(each), // below 2^64 * 10^9 < 2^94
            Unit::Fraction(in_a_nanosecond) => units / in_a_nanosecond,
            Unit::BinarySecond(exponent) => (units * 1_000_000_000) >> exponent, // exponent is below 128
        };
        nanos as i128 // below 2^94
    }
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    unit: Unit,
    offset_seconds: i64,
}

impl Interface {
    fn time(&self, high: u32, low: u32) -> Timestamp {
        let units = u64::from(high) << 32 | u64::from(low);
        let nanos = self.unit.nanos(units) + i128::from(self.offset_seconds) * 1_000_000_000;
        Timestamp(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64) // clamped just before
    }
}

/// A block in the input's available bytes, from its type to its trailer.
#[derive(Debug, Clone, Copy)]
struct Block {
    kind: u32,
    length: u32,
    /// Where in the capture it starts.
    offset: u64,
}

impl Block {
    fn damaged(&self, what: impl Into<String>) -> Fault {
        Fault::Damaged { offset: self.offset, what: what.into() }
    }
}

#[derive(Debug)]
pub(super) struct PcapngReader {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Time of the last frame, for blocks that have none.
    last: Timestamp,
}

/// Four bytes that read the same in either order; the byte order follows at byte 8.
pub(super) fn is_pcapng(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_be_bytes())
        && match head.get(8..12) {
            Some(magic) => order_of(magic).is_some(),
            None => true,
        }
}

fn order_of(magic: &[u8]) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| order.u32_at(magic, 0) == Some(BYTE_ORDER_MAGIC))
}

impl PcapngReader {
    /// The byte order is that of the first section, which [`PcapngReader::locate`] reads.
    pub(super) fn new() -> PcapngReader {
        PcapngReader { order: ByteOrder::Little, interfaces: Vec::new(), last: Timestamp(0) }
    }

    /// The next frame in `input`, left there to be looked at; nothing at the end of the file.
    pub(super) fn locate(&mut self, input: &mut Input) -> Result<Option<Located>, Fault> {
        loop {
            let Some(block) = self.block(input)? else { return Ok(None) };
            match block.kind {
                ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => {
                    self.keep(&block, input)?;
                    let located = self.frame(&block, input.available())?;
                    self.last = located.time;
                    return Ok(Some(located));
                }
                SECTION_HEADER => {
                    self.keep(&block, input)?;
                    self.section(&block, input.available())?;
                    input.consume(block.length as usize);
                }
                INTERFACE_DESCRIPTION => {
                    self.keep(&block, input)?;
                    self.interface(&block, input.available())?;
                    input.consume(block.length as usize);
                }
                _ => self.pass_over(&block, input)?,
            }
        }
    }

    /// The head of the block that starts here; a section's sets the byte order.
    fn block(&mut self, input: &mut Input) -> Result<Option<Block>, Fault> {
        const PART: &str = "a block's header";
        if !input.has(BLOCK_OVERHEAD_BYTES as usize)? {
            return if input.available().is_empty() {
                Ok(None)
            } else {
                Err(input.truncated(PART, u64::from(BLOCK_OVERHEAD_BYTES)))
            };
        }
        let (head, offset) = (input.available(), input.offset());
        if head.starts_with(&SECTION_HEADER.to_be_bytes()) {
            self.order = head.get(8..12).and_then(order_of).ok_or_else(|| Fault::Damaged {
                offset,
                what: "a section header has no byte-order magic".to_owned(),
            })?;
        }
        let field = |at| self.order.u32_at(head, at).ok_or_else(|| input.truncated(PART, BLOCK_OVERHEAD_BYTES.into()));
        let block = Block { kind: field(0)?, length: field(4)?, offset };
        if block.length < BLOCK_OVERHEAD_BYTES || !block.length.is_multiple_of(4) {
            return Err(block.damaged(format!(
                "a block of type {:#x} claims {} bytes; it needs a multiple of 4 from 12 up",
                block.kind, block.length
            )));
        }
        Ok(Some(block))
    }

    /// Makes all of `block` available and checks its second length.
    fn keep(&self, block: &Block, input: &mut Input) -> Result<(), Fault> {
        let limit = match block.kind {
            SECTION_HEADER | INTERFACE_DESCRIPTION => MAX_OPTION_BYTES,
            _ => MAX_KEPT_BLOCK_BYTES,
        };
        if block.length > limit {
            let what = format!("a block of type {:#x} claims {} bytes, more than {limit},", block.kind, block.length);
            return Err(block.damaged(what));
        }
        input.must_have(block.length as usize, "a block")?;
        self.check_trailer(block, self.order.u32_at(input.available(), (block.length - TRAILER_BYTES) as usize))
    }

    fn check_trailer(&self, block: &Block, trailer: Option<u32>) -> Result<(), Fault> {
        if trailer == Some(block.length) {
            return Ok(());
        }
        Err(block.damaged(format!(
            "a block of type {:#x} starts with the length {} and ends with {},",
            block.kind,
            block.length,
            trailer.unwrap_or_default()
        )))
    }

    fn pass_over(&self, block: &Block, input: &mut Input) -> Result<(), Fault> {
        let truncated = |input: &Input| Fault::Truncated {
            offset: block.offset,
            part: "a block",
            wanted: block.length.into(),
            had: input.offset() - block.offset + input.available().len() as u64,
        };
        if !input.skip(u64::from(block.length - TRAILER_BYTES))? || !input.has(TRAILER_BYTES as usize)? {
            return Err(truncated(input));
        }
        self.check_trailer(block, self.order.u32_at(input.available(), 0))?;
        input.consume(TRAILER_BYTES as usize);
        Ok(())
    }

    fn section(&mut self, block: &Block, bytes: &[u8]) -> Result<(), Fault> {
        let major = self.order.u16_at(bytes, 12).filter(|_| block.length >= SECTION_HEADER_MIN_BYTES);
        match major {
            Some(1) => {
                self.interfaces.clear();
                Ok(())
            }
            Some(other) => {
                Err(block.damaged(format!("a section of pcapng version {other}, where only 1 is known, starts")))
            }
            None => Err(block.damaged(format!("a section header of {} bytes is too short", block.length))),
        }
    }

    fn interface(&mut self, block: &Block, bytes: &[u8]) -> Result<(), Fault> {
        if block.length < INTERFACE_MIN_BYTES {
            return Err(block.damaged(format!("an interface description of {} bytes is too short", block.length)));
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(block.damaged(format!("a section has more than {MAX_INTERFACES} interfaces")));
        }
        let (Some(link), Some(snaplen)) = (self.order.u16_at(bytes, 8), self.order.u32_at(bytes, 12)) else {
            return Err(block.damaged("an interface description is too short"));
        };
        let mut interface =
            Interface { link: LinkType::from_file(link), snaplen, unit: Unit::DEFAULT, offset_seconds: 0 };
        let options = bytes.get(16..(block.length - TRAILER_BYTES) as usize).unwrap_or_default();
        self.read_options(options, &mut interface);
        self.interfaces.push(interface);
        Ok(())
    }

    /// Options that are cut or have a wrong length say nothing; what they would have said keeps its default.
    fn read_options(&self, mut options: &[u8], interface: &mut Interface) {
        while let (Some(code), Some(length)) = (self.order.u16_at(options, 0), self.order.u16_at(options, 2)) {
            let length = usize::from(length);
            let Some(value) = options.get(4..4 + length) else { return };
            match (code, length) {
                (OPTION_END, _) => return,
                (OPTION_TIME_RESOLUTION, 1) => {
                    interface.unit = value.first().map_or(Unit::DEFAULT, |option| Unit::of_resolution(*option));
                }
                (OPTION_TIME_OFFSET, 8) => {
                    let halves = (self.order.u32_at(value, 0), self.order.u32_at(value, 4));
                    if let (Some(first), Some(second)) = halves {
                        let (high, low) = if self.order == ByteOrder::Big { (first, second) } else { (second, first) };
                        interface.offset_seconds = (u64::from(high) << 32 | u64::from(low)) as i64; // signed on the wire
                    }
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    /// The frame of a packet block that is wholly in `bytes`.
    #[inline]
    fn frame(&self, block: &Block, bytes: &[u8]) -> Result<Located, Fault> {
        let too_short = || block.damaged(format!("a packet block of {} bytes is too short", block.length));
        let field = |at| self.order.u32_at(bytes, at).ok_or_else(too_short);
        // Where the frame starts; its interface, time, captured and original length.
        let room = |from: u32| block.length.checked_sub(from + TRAILER_BYTES).ok_or_else(too_short);
        if block.kind == SIMPLE_PACKET {
            const FROM: u32 = 12;
            let (interface, on_wire, room) = (self.described(block, 0)?, field(8)?, room(FROM)?);
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            return self.located(block, interface.link, self.last, FROM, on_wire.min(snaplen).min(room), on_wire);
        }
        const FROM: u32 = 28;
        let number = match block.kind {
            OBSOLETE_PACKET => self.order.u16_at(bytes, 8).map(u32::from).ok_or_else(too_short)?,
            _ => field(8)?,
        };
        let (interface, room) = (self.described(block, number)?, room(FROM)?);
        let (time, captured) = (interface.time(field(12)?, field(16)?), field(20)?);
        if captured > room {
            let what = format!("a frame claims {captured} bytes in a block with room for {room},");
            return Err(block.damaged(what));
        }
        self.located(block, interface.link, time, FROM, captured, field(24)?)
    }

    fn located(
        &self,
        block: &Block,
        link: LinkType,
        time: Timestamp,
        from: u32,
        captured: u32,
        on_wire: u32,
    ) -> Result<Located, Fault> {
        if captured > MAX_FRAME_BYTES {
            return Err(block.damaged(format!("a frame of {captured} bytes, more than {MAX_FRAME_BYTES}, starts")));
        }
        Ok(Located {
            time,
            link,
            wire_len: on_wire.max(captured),
            from: from as usize,
            to: from as usize + captured as usize,
            whole: block.length as usize,
        })
    }

    fn described(&self, block: &Block, number: u32) -> Result<&Interface, Fault> {
        self.interfaces.get(number as usize).ok_or_else(|| {
            block.damaged(format!(
                "a frame names interface {number}, of {} that its section describes,",
                self.interfaces.len()
            ))
        })
    }
}
