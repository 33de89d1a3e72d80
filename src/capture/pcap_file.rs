//! The pcap format (draft-ietf-opsawg-pcap): a file header, then frames, each with a header of its own.
//!
//! In goes an [`Input`] at the start of the file, out come [`Located`] frames in it. Both byte orders, microseconds and
//! nanoseconds, the record header that Alexey Kuznetsov's patched libpcap wrote, and the swapped lengths of libpcap
//! before 2.4 (both as libpcap's `sf-pcap.c` reads them). Files may follow one another (`cat`, or a pipe whose next writer
//! came before the end was seen): a file header in the place of a frame's begins the next. A length that no writer could
//! have meant is damage: there is nothing in the format to find the next frame by, so reading ends there.

use super::error::Fault;
use super::file::Located;
use super::input::{ByteOrder, Input};
use super::link::LinkType;
use crate::time::Timestamp;

const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
/// Behind the usual fields: interface index, protocol, packet type, padding.
const KUZNETSOV_RECORD_HEADER_BYTES: usize = 24;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const MAGIC_KUZNETSOV: u32 = 0xa1b2_cd34;

/// The largest snapshot length libpcap and Wireshark take for ordinary link types (MAXIMUM_SNAPLEN,
/// WTAP_MAX_PACKET_SIZE_STANDARD).
const ORDINARY_FRAME_BYTES: u32 = 256 * 1024;
/// No frame is larger, whatever its file announces: 256 MiB, above the 128 MiB of D-Bus and USB captures.
pub(super) const MAX_FRAME_BYTES: u32 = 256 * 1024 * 1024;
/// D-Bus and USB, whose frames may be large whatever the snapshot length says (`max_snaplen_for_dlt` in libpcap).
const LARGE_FRAME_LINK_TYPES: [u16; 4] = [189, 220, 231, 249];

/// Where older libpcap wrote the two lengths of a record (`swap_hdr`, `fix_length` in libpcap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LengthOrder {
    CapturedFirst,
    WireFirst,
    /// The smaller one is the captured length.
    Unsure,
}

#[derive(Debug)]
pub(super) struct PcapReader {
    order: ByteOrder,
    /// Nanoseconds in a unit of a record's second time field.
    unit_nanos: i64,
    record_header: usize,
    lengths: LengthOrder,
    link: LinkType,
    /// A larger captured length is damage.
    max_captured: u32,
}

/// What the first four bytes of a pcap file say; nothing when they start no pcap file.
fn magic_of(head: &[u8]) -> Option<(ByteOrder, u32)> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
        let magic = order.u32_at(head, 0)?;
        matches!(magic, MAGIC_MICROSECONDS | MAGIC_NANOSECONDS | MAGIC_KUZNETSOV).then_some((order, magic))
    })
}

/// Whether the header of a frame, with this second time field, is the header of another file of version 2.4.
#[inline]
fn is_file_header(header: &[u8], fraction: u32) -> bool {
    // The version in any byte order; it stands where a frame has its time's fraction, which is hardly ever this.
    matches!(fraction, 0x0004_0002 | 0x0400_0200 | 0x0002_0004 | 0x0200_0400) && magic_of(header).is_some()
}

pub(super) fn is_pcap(head: &[u8]) -> bool {
    magic_of(head).is_some()
}

impl PcapReader {
    pub(super) fn start(input: &mut Input) -> Result<PcapReader, Fault> {
        const PART: &str = "the file header";
        input.must_have(FILE_HEADER_BYTES, PART)?;
        let header = input.available();
        let truncated = || input.truncated(PART, FILE_HEADER_BYTES as u64);
        let (order, magic) = magic_of(header).ok_or_else(truncated)?;
        let version = (order.u16_at(header, 4).ok_or_else(truncated)?, order.u16_at(header, 6).ok_or_else(truncated)?);
        let snaplen = order.u32_at(header, 16).ok_or_else(truncated)?;
        let link = LinkType::from_pcap_header(order.u32_at(header, 20).ok_or_else(truncated)?);
        let reader = PcapReader {
            order,
            unit_nanos: if magic == MAGIC_NANOSECONDS { 1 } else { 1000 },
            record_header: if magic == MAGIC_KUZNETSOV { KUZNETSOV_RECORD_HEADER_BYTES } else { RECORD_HEADER_BYTES },
            lengths: match version {
                (2, 0..=2) | (543, _) => LengthOrder::WireFirst,
                (2, 3) => LengthOrder::Unsure,
                _ => LengthOrder::CapturedFirst,
            },
            link,
            max_captured: if LARGE_FRAME_LINK_TYPES.contains(&link.0) {
                MAX_FRAME_BYTES
            } else {
                snaplen.clamp(ORDINARY_FRAME_BYTES, MAX_FRAME_BYTES)
            },
        };
        input.consume(FILE_HEADER_BYTES);
        Ok(reader)
    }

    /// The next frame in `input`, left there to be looked at; nothing at the end of the file.
    #[inline]
    pub(super) fn locate(&mut self, input: &mut Input) -> Result<Option<Located>, Fault> {
        const PART: &str = "a frame";
        let (seconds, fraction, third, fourth) = loop {
            if !input.has(self.record_header)? {
                return if input.available().is_empty() {
                    Ok(None)
                } else {
                    Err(input.truncated("a frame's header", self.record_header as u64))
                };
            }
            let header = input.available();
            let field =
                |at| self.order.u32_at(header, at).ok_or_else(|| input.truncated(PART, self.record_header as u64));
            let fields = (field(0)?, field(4)?, field(8)?, field(12)?);
            if !is_file_header(header, fields.1) {
                break fields;
            }
            *self = PcapReader::start(input)?;
        };
        let (captured, on_wire) = match self.lengths {
            LengthOrder::CapturedFirst => (third, fourth),
            LengthOrder::WireFirst => (fourth, third),
            LengthOrder::Unsure => (third.min(fourth), third.max(fourth)),
        };
        if captured > self.max_captured {
            return Err(Fault::Damaged {
                offset: input.offset(),
                what: format!("a frame claims {captured} bytes, more than the {} possible here,", self.max_captured),
            });
        }
        let whole = self.record_header + captured as usize;
        input.must_have(whole, PART)?;
        // At most 2^32 seconds and 2^32 microseconds: far from the limits of i64.
        let nanos = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.unit_nanos;
        Ok(Some(Located {
            time: Timestamp(nanos),
            link: self.link,
            wire_len: on_wire.max(captured),
            from: self.record_header,
            to: whole,
            whole,
        }))
    }
}
