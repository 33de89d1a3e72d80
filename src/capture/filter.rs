//! Chooses frames by a BPF expression (pcap-filter(7)), also inside VLAN tags.
//!
//! In goes an expression, checked when it is compiled; then frames, of any link type, each of which matches or not.
//! libpcap compiles it once per link type that turns up. A tagged frame is judged as it would be without its tags: on a
//! mirror port the tag is an accident of the mirror, and `port 80` means every frame to port 80. (Joining
//! `expr or (vlan and expr)` would be unsound: `not port 80` would let all tagged frames pass.) An expression that
//! itself speaks of tags is judged on the frame as it is.
//!
//! Refused: an expression that libpcap compiles for no link type. Frames of a link type that libpcap cannot compile it
//! for match nothing and are counted. `len`, `less` and `greater` see the captured length, which a snapshot length cuts.

use super::vlan::without_tags;
use super::{Frame, LinkType};
use pcap::{BpfInstruction, BpfProgram, Capture, Linktype};
use std::fmt;

/// Link types that an expression must compile for, at least one of them.
const TRIED_LINK_TYPES: [LinkType; 8] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::IPV4,
    LinkType::IPV6,
];
/// What an expression that is about tags has in it: the keyword, or the protocol numbers of tags.
const TAG_WORDS: [&str; 4] = ["vlan", "0x8100", "0x88a8", "0x9100"];
/// Many files are captured on few link types; a file that names thousands must not fill memory with programs.
const MAX_PROGRAMS: usize = 64;

/// The expression and what libpcap says about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the filter `{expression}` is not understood: {reason}; pcap-filter(7) describes what can be written, for example `tcp port 8080`"
)]
pub struct FilterError {
    pub expression: String,
    pub reason: String,
}

/// A compiled expression.
pub struct Filter {
    expression: String,
    sees_tags: bool,
    /// By link type; nothing where libpcap cannot compile the expression for it.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    /// The frame without its tags.
    scratch: Vec<u8>,
    not_judged: u64,
}

impl Filter {
    /// Checks and compiles `expression`.
    pub fn compile(expression: &str) -> Result<Filter, FilterError> {
        let refuse = |reason: String| FilterError { expression: expression.to_owned(), reason };
        let mut first_reason = None;
        let mut programs = Vec::new();
        for link in TRIED_LINK_TYPES {
            match program(expression, link) {
                Ok(program) => {
                    programs.push((link, Some(program)));
                    break;
                }
                Err(reason) => {
                    first_reason.get_or_insert(reason);
                    programs.push((link, None));
                }
            }
        }
        if programs.iter().all(|(_, program)| program.is_none()) {
            return Err(refuse(first_reason.unwrap_or_default()));
        }
        let sees_tags = is_about_tags(expression);
        Ok(Filter { expression: expression.to_owned(), sees_tags, programs, scratch: Vec::new(), not_judged: 0 })
    }

    /// Does the frame match?
    pub fn matches(&mut self, frame: &Frame) -> bool {
        let index = self.program_of(frame.link);
        let Some((_, Some(program))) = index.and_then(|index| self.programs.get(index)) else {
            self.not_judged += 1;
            return false;
        };
        let untagged = if self.sees_tags { None } else { without_tags(frame.link, frame.bytes, &mut self.scratch) };
        program.filter(untagged.unwrap_or(frame.bytes))
    }

    /// Frames that matched nothing because libpcap cannot compile the expression for their link type.
    pub fn not_judged(&self) -> u64 {
        self.not_judged
    }

    /// Where the program for `link` is, compiled now if need be; nothing when there are too many.
    fn program_of(&mut self, link: LinkType) -> Option<usize> {
        let found = self.programs.iter().position(|(compiled, _)| *compiled == link);
        if found.is_some() || self.programs.len() >= MAX_PROGRAMS {
            return found;
        }
        self.programs.push((link, program(&self.expression, link).ok()));
        Some(self.programs.len() - 1)
    }
}

/// An expression for the kernel, which takes tags off that a card has not and keeps them beside the frame: all that `expression`
/// matches here matches it, and what it leaves out never comes into the ring. The rest is for [`Filter`]: what tags are in
/// front of, which the kernel does not look behind. None where it could leave out too much: for an expression that
/// is about tags, or about the length, which is that of the wire there.
pub fn for_kernel(expression: &str) -> Option<String> {
    let is_about_length = words_of(expression).any(|word| ["len", "less", "greater"].contains(&word.as_str()));
    (!is_about_length && !is_about_tags(expression))
        .then(|| format!("({expression}) or ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100"))
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("expression", &self.expression).finish_non_exhaustive()
    }
}

/// Does the expression name tags? Parts of host names do not count.
fn is_about_tags(expression: &str) -> bool {
    words_of(expression).any(|word| TAG_WORDS.contains(&word.as_str()))
}

fn words_of(expression: &str) -> impl Iterator<Item = String> {
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    expression.split(move |c| !in_a_name(c)).map(str::to_ascii_lowercase)
}

/// The expression compiled for one link type, or why libpcap cannot.
fn program(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    let compiled = Capture::dead(Linktype(link.dlt())).and_then(|dead| dead.compile(expression, true));
    match compiled {
        Ok(program) if program.get_instructions().iter().any(asks_the_kernel) => {
            Err(format!("for link type {link} it asks for what only a live capture knows (direction or interface)"))
        }
        Ok(program) => Ok(program),
        Err(pcap::Error::PcapError(reason)) => Err(reason),
        Err(other) => Err(other.to_string()),
    }
}

/// Does it load what the Linux kernel keeps beside a frame, which no file has? (SKF_AD_OFF in linux/filter.h; libpcap
/// compiles `inbound` or `ifindex` to that where the frame itself does not say.) An instruction shows itself as
/// `code jt jf k`, in decimal.
fn asks_the_kernel(instruction: &BpfInstruction) -> bool {
    /// BPF_LD | BPF_ABS, of a word, a half word and a byte.
    const ABSOLUTE_LOADS: [u32; 3] = [0x20, 0x28, 0x30];
    const KERNEL_OFFSETS: u32 = 0xffff_f000;
    let text = instruction.to_string();
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<u32>().ok());
    let mut fields = text.split(' ');
    let (code, offset) = (number(fields.next()), number(fields.next_back()));
    code.is_some_and(|code| ABSOLUTE_LOADS.contains(&code)) && offset.is_some_and(|offset| offset >= KERNEL_OFFSETS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// An IPv4 TCP packet between ports.
    fn packet(from: u16, to: u16) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend(from.to_be_bytes());
        bytes.extend(to.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    /// The packet on Ethernet, behind tags of the given protocols.
    fn ethernet(tags: &[u16], packet: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 5]);
        }
        bytes.extend([8, 0]);
        bytes.extend(packet);
        bytes
    }

    fn matches(filter: &mut Filter, link: LinkType, bytes: &[u8]) -> bool {
        filter.matches(&Frame { time: Timestamp(0), link, wire_len: bytes.len() as u32, bytes, source: 0 })
    }

    #[test]
    fn the_kernel_leaves_out_no_frame_that_matches() {
        for expression in ["tcp port 80", "not port 80", "host 10.0.0.1 or icmp"] {
            let mut ours = Filter::compile(expression).unwrap();
            let kernels = program(&for_kernel(expression).unwrap(), LinkType::ETHERNET).unwrap();
            for port in [80, 81] {
                for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x9100]] {
                    let frame = ethernet(tags, &packet(999, port));
                    // Of a frame with tags the kernel may have taken off the first.
                    let seen = [tags, tags.get(1..).unwrap_or_default()].map(|tags| ethernet(tags, &packet(999, port)));
                    let is_kept = seen.iter().all(|frame| kernels.filter(frame));
                    assert!(
                        is_kept || !matches(&mut ours, LinkType::ETHERNET, &frame),
                        "{expression} {port} {tags:x?}"
                    );
                }
            }
        }
        for (expression, port) in [("tcp port 80", 81), ("not port 80", 80)] {
            let kernels = program(&for_kernel(expression).unwrap(), LinkType::ETHERNET).unwrap();
            assert!(!kernels.filter(&ethernet(&[], &packet(999, port))), "{expression} leaves something out");
        }
        for expression in ["vlan 5 and port 80", "greater 100", "len <= 60", "ether proto 0x8100"] {
            assert_eq!(for_kernel(expression), None);
        }
    }

    #[test]
    fn an_expression_also_matches_inside_tags() {
        let mut filter = Filter::compile("tcp dst port 80").unwrap();
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x9100, 0x8100]] {
            assert!(matches(&mut filter, LinkType::ETHERNET, &ethernet(tags, &packet(999, 80))), "{tags:x?}");
            assert!(!matches(&mut filter, LinkType::ETHERNET, &ethernet(tags, &packet(999, 81))), "{tags:x?}");
        }
    }

    #[test]
    fn a_negated_expression_does_not_let_tagged_frames_pass() {
        let mut filter = Filter::compile("not port 80").unwrap();
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
            assert!(!matches(&mut filter, LinkType::ETHERNET, &ethernet(tags, &packet(999, 80))), "{tags:x?}");
            assert!(matches(&mut filter, LinkType::ETHERNET, &ethernet(tags, &packet(999, 81))), "{tags:x?}");
        }
    }

    #[test]
    fn an_expression_about_tags_sees_them() {
        let tagged = ethernet(&[0x8100], &packet(999, 80));
        let untagged = ethernet(&[], &packet(999, 80));
        for expression in ["vlan 5 and tcp port 80", "ether proto 0x8100", "(VLAN or udp)".to_lowercase().as_str()] {
            let mut filter = Filter::compile(expression).unwrap();
            assert!(matches(&mut filter, LinkType::ETHERNET, &tagged), "{expression}");
            assert!(!matches(&mut filter, LinkType::ETHERNET, &untagged), "{expression}");
        }
        let mut other = Filter::compile("not vlan").unwrap();
        assert!(!matches(&mut other, LinkType::ETHERNET, &tagged));
        for (expression, about_tags) in
            [("(vlan 5)", true), ("VLAN", true), ("host vlan.example", false), ("port 80", false)]
        {
            assert_eq!(is_about_tags(expression), about_tags, "{expression}");
        }
    }

    #[test]
    fn each_link_type_has_its_own_program() {
        let mut filter = Filter::compile("port 80").unwrap();
        let (hit, miss) = (packet(80, 999), packet(81, 999));
        let cooked = |packet: &[u8]| [&[0; 14][..], &[8, 0], packet].concat();
        let cooked_2 = |packet: &[u8]| [&[8, 0][..], &[0; 18], packet].concat();
        let loopback = |packet: &[u8]| [&2u32.to_ne_bytes()[..], packet].concat();
        let open_loopback = |packet: &[u8]| [&2u32.to_be_bytes()[..], packet].concat();
        let as_is = |packet: &[u8]| packet.to_vec();
        type Framing<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
        let cases: [(LinkType, Framing); 6] = [
            (LinkType::RAW, &as_is),
            (LinkType::IPV4, &as_is),
            (LinkType::LINUX_SLL, &cooked),
            (LinkType::LINUX_SLL2, &cooked_2),
            (LinkType::NULL, &loopback),
            (LinkType::LOOP, &open_loopback),
        ];
        for (link, framed) in cases {
            assert!(matches(&mut filter, link, &framed(&hit)), "{link}");
            assert!(!matches(&mut filter, link, &framed(&miss)), "{link}");
        }
        assert_eq!(filter.not_judged(), 0);
    }

    #[test]
    fn a_link_type_libpcap_cannot_compile_for_matches_nothing_and_is_counted() {
        let mut filter = Filter::compile("ether host 02:00:00:00:00:01").unwrap();
        let frame = ethernet(&[], &packet(1, 2));
        assert!(matches(&mut filter, LinkType::ETHERNET, &frame));
        assert!(!matches(&mut filter, LinkType::RAW, &frame));
        assert!(!matches(&mut filter, LinkType::UNASSIGNED, &frame));
        assert_eq!(filter.not_judged(), 2);
        (1000..1200).for_each(|number| assert!(!matches(&mut filter, LinkType(number), &frame)));
        assert!(filter.programs.len() <= MAX_PROGRAMS);
    }

    #[test]
    fn a_wrong_expression_is_told_with_libpcaps_reason() {
        let error = Filter::compile("tcp prot 80").unwrap_err();
        assert_eq!(error.expression, "tcp prot 80");
        let text = error.to_string();
        assert!(text.contains("`tcp prot 80`") && text.contains("syntax error"), "{text}");
        assert!(Filter::compile("port 80\0").is_err());
    }

    #[test]
    fn an_expression_that_only_some_link_types_can_answer_is_accepted() {
        let mut filter = Filter::compile("inbound").unwrap();
        let cooked = [&[0; 14][..], &[8, 0], &packet(1, 2)].concat();
        assert!(matches(&mut filter, LinkType::LINUX_SLL, &cooked));
        assert!(!matches(&mut filter, LinkType::ETHERNET, &ethernet(&[], &packet(1, 2))));
        assert_eq!(filter.not_judged(), 1);
    }

    #[test]
    fn an_empty_expression_matches_everything() {
        let mut filter = Filter::compile("").unwrap();
        assert!(matches(&mut filter, LinkType::ETHERNET, &ethernet(&[], &packet(1, 2))));
        assert!(matches(&mut filter, LinkType::RAW, &packet(1, 2)));
    }
}
