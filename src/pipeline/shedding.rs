//! What workers leave out while they cannot keep up, in steps, from what is missed least to what is missed most.
//!
//! Shedding in, decisions out; it is the reader that decides when. A body that was not read says nothing: the outcome of
//! its login is unknown. Flows are sampled by their hash, whole, so that what is seen of a flow is all of it; flows that
//! are being read already stay.

use crate::inspect::BodyKind;

/// Bytes of a body that are looked at while bodies are only looked at at their head: a login's answer, the first records
/// of a list.
const HEAD_BYTES: u64 = 16 << 10;
/// Of new flows, one in two to the power of this is still read at the last step.
const MAX_HALVINGS: u8 = 4;

/// A step of shedding; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Shedding(u8);

impl Shedding {
    pub const NONE: Shedding = Shedding(0);
    /// Bodies are only looked at at their head.
    const HEADS: u8 = 1;
    /// Of those only what carries data of an API: JSON, forms, XML.
    const NO_BULK: u8 = 2;
    const MAX: u8 = Shedding::NO_BULK + MAX_HALVINGS;

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// From 0 to 6.
    pub fn step(self) -> u8 {
        self.0
    }

    pub fn more(self) -> Shedding {
        Shedding((self.0 + 1).min(Shedding::MAX))
    }

    pub fn less(self) -> Shedding {
        Shedding(self.0.saturating_sub(1))
    }

    /// One new flow in so many is read.
    pub fn one_in(self) -> u32 {
        1 << self.0.saturating_sub(Shedding::NO_BULK)
    }

    /// Bytes of a body of this kind that are looked at, where that is less than all.
    pub fn body_bytes(self, kind: BodyKind) -> Option<u64> {
        match (self.0, kind) {
            (0, _) => None,
            (Shedding::HEADS, _) | (_, BodyKind::Json | BodyKind::Form | BodyKind::Xml) => Some(HEAD_BYTES),
            _ => Some(0),
        }
    }

    /// Whether a new flow with this hash is read.
    pub fn takes_flow(self, hash: u64) -> bool {
        // The top bits choose the partition, these the sample: they have nothing to do with each other.
        (hash as u32) & (self.one_in() - 1) == 0
    }
}

impl std::fmt::Display for Shedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("everything is looked at"),
            Shedding::HEADS => write!(f, "of bodies only the first {} KiB are looked at", HEAD_BYTES >> 10),
            Shedding::NO_BULK => {
                write!(
                    f,
                    "only the first {} KiB of JSON, forms and XML are looked at, other bodies not",
                    HEAD_BYTES >> 10
                )
            }
            _ => write!(f, "besides, of new connections only one in {} is read", self.one_in()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_leaves_out_more_and_the_last_is_the_last() {
        let mut steps = vec![Shedding::NONE];
        while steps.last().unwrap().more() != *steps.last().unwrap() {
            steps.push(steps.last().unwrap().more());
        }
        assert_eq!(steps.len(), 7);
        assert!(steps.iter().map(|step| step.one_in()).eq([1, 1, 1, 2, 4, 8, 16]));
        assert_eq!(steps[0].body_bytes(BodyKind::Text), None);
        assert_eq!(steps[1].body_bytes(BodyKind::Text), Some(HEAD_BYTES));
        assert_eq!(steps[2].body_bytes(BodyKind::Text), Some(0));
        assert_eq!(steps[6].body_bytes(BodyKind::Json), Some(HEAD_BYTES));
        for pair in steps.windows(2) {
            let taken = |step: Shedding| (0..64u64).filter(|hash| step.takes_flow(*hash)).collect::<Vec<_>>();
            assert!(taken(pair[1]).iter().all(|hash| pair[0].takes_flow(*hash)), "a sample lies within the one before");
            assert_eq!(taken(pair[1]).len(), 64 / pair[1].one_in() as usize);
            assert_eq!(pair[1].less(), pair[0]);
        }
    }
}
