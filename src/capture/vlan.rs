//! The VLAN tags of a frame: which they are, and the frame without them, so that a filter sees it as it would be then.
//!
//! In go a frame and its link type, out come its 802.1Q and 802.1ad tags, at most `MAX_TAGS`, or the frame without them
//! in a scratch buffer; nothing when it has none. Ethernet and Linux cooked captures carry tags; other link types have no
//! place for them.

use super::LinkType;

/// 802.1Q, 802.1ad, and the numbers used for outer tags before 802.1ad.
const TAG_PROTOCOLS: [u16; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
const TAG_BYTES: usize = 4;
/// Two are usual (QinQ), more are a fault or an attack.
const MAX_TAGS: usize = 8;

/// A tag, as far as the frame is there: its control information, then the protocol of what it tags.
pub struct Tag {
    pub number: Option<u16>,
    protocol: Option<u16>,
}

/// Where a link layer's header says what comes next, and where that starts.
fn protocol_field(link: LinkType) -> Option<(usize, usize)> {
    match link {
        LinkType::ETHERNET => Some((12, 14)),
        LinkType::LINUX_SLL => Some((14, 16)),
        LinkType::LINUX_SLL2 => Some((0, 20)),
        _ => None,
    }
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..at + 2)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
}

/// The tags of a frame, the outermost first.
pub fn tags(link: LinkType, frame: &[u8]) -> impl Iterator<Item = Tag> + '_ {
    let mut next = protocol_field(link).and_then(|(field, start)| Some((be16(frame, field)?, start)));
    let tags = std::iter::from_fn(move || {
        let (_, at) = next.filter(|(protocol, _)| TAG_PROTOCOLS.contains(protocol))?;
        let protocol = be16(frame, at + 2);
        next = protocol.map(|protocol| (protocol, at + TAG_BYTES));
        Some(Tag { number: be16(frame, at).map(|control| control & 0x0fff), protocol })
    });
    tags.take(MAX_TAGS)
}

/// `frame` without its tags, written to `scratch`; nothing when it has no tag.
pub(super) fn without_tags<'a>(link: LinkType, frame: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (field, header_end) = protocol_field(link)?;
    let (mut payload_start, mut tagged) = (header_end, None);
    for tag in tags(link, frame) {
        tagged = Some(tag.protocol?);
        payload_start += TAG_BYTES;
    }
    let protocol = tagged?;
    scratch.clear();
    scratch.extend_from_slice(frame.get(..header_end)?);
    scratch.get_mut(field..field + 2)?.copy_from_slice(&protocol.to_be_bytes());
    scratch.extend_from_slice(frame.get(payload_start..)?);
    Some(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [u8; 12] = [1; 12];

    #[test]
    fn one_tag_and_two_are_taken_out() {
        let plain = [&ADDRESSES[..], &[8, 0], b"payload"].concat();
        let once = [&ADDRESSES[..], &[0x81, 0, 0, 5, 8, 0], b"payload"].concat();
        let twice = [&ADDRESSES[..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5, 8, 0], b"payload"].concat();
        let mut scratch = Vec::new();
        assert_eq!(without_tags(LinkType::ETHERNET, &once, &mut scratch), Some(&plain[..]));
        assert_eq!(without_tags(LinkType::ETHERNET, &twice, &mut scratch), Some(&plain[..]));
        assert_eq!(without_tags(LinkType::ETHERNET, &plain, &mut scratch), None);
        assert_eq!(without_tags(LinkType::RAW, &once, &mut scratch), None);
    }

    #[test]
    fn tags_of_cooked_captures_are_taken_out() {
        let sll = [&[0; 14][..], &[0x81, 0, 0, 5, 8, 0], b"payload"].concat();
        let sll2 = [&[0x81, 0][..], &[0; 18], &[0, 5, 8, 0], b"payload"].concat();
        let mut scratch = Vec::new();
        let expected = [&[0; 14][..], &[8, 0], b"payload"].concat();
        assert_eq!(without_tags(LinkType::LINUX_SLL, &sll, &mut scratch), Some(&expected[..]));
        let expected = [&[8, 0][..], &[0; 18], b"payload"].concat();
        assert_eq!(without_tags(LinkType::LINUX_SLL2, &sll2, &mut scratch), Some(&expected[..]));
    }

    #[test]
    fn a_frame_cut_inside_its_tag_is_left_alone() {
        let cut = [&ADDRESSES[..], &[0x81, 0, 0]].concat();
        assert_eq!(without_tags(LinkType::ETHERNET, &cut, &mut Vec::new()), None);
        for length in 0..12 {
            assert_eq!(without_tags(LinkType::ETHERNET, &ADDRESSES[..length], &mut Vec::new()), None);
        }
    }
}
