//! Takes the VLAN tags out of a frame, so that a filter sees it as it would be without them.
//!
//! In go a frame and its link type, out comes the frame without its 802.1Q and 802.1ad tags, however many
//! ([`MAX_TAGS`]), in a scratch buffer; nothing when it has none. Ethernet and Linux cooked captures carry tags; other
//! link types have no place for them.

use super::LinkType;

/// 802.1Q, 802.1ad, and the number used for outer tags before 802.1ad.
const TAG_PROTOCOLS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const TAG_BYTES: usize = 4;
/// Two are usual (QinQ), more are a fault or an attack.
const MAX_TAGS: usize = 8;

/// Where a link layer's header says what comes next, and where that starts.
fn protocol_field(link: LinkType) -> Option<(usize, usize)> {
    match link {
        LinkType::ETHERNET => Some((12, 14)),
        LinkType::LINUX_SLL => Some((14, 16)),
        LinkType::LINUX_SLL2 => Some((0, 20)),
        _ => None,
    }
}

/// `frame` without its tags, written to `scratch`; nothing when it has no tag.
pub(super) fn without_tags<'a>(link: LinkType, frame: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (field, header_end) = protocol_field(link)?;
    let protocol_at = |at: usize| frame.get(at..at + 2)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
    let mut protocol = protocol_at(field)?;
    let mut payload_start = header_end;
    while TAG_PROTOCOLS.contains(&protocol) && payload_start < header_end + MAX_TAGS * TAG_BYTES {
        // A tag is its control information, then the protocol of what it tags.
        protocol = protocol_at(payload_start + 2)?;
        payload_start += TAG_BYTES;
    }
    if payload_start == header_end {
        return None;
    }
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
