//! Records: what is kept of one key, as it stands in exports, in cuts and in the database.
//!
//! In: kind, key and a value in JSON (readable with other tools, and open to fields that come later), or none where the
//! key is gone. Out: a flat sequence of bytes and back. Refused: kinds that are not known, and records that are cut.

/// What a key is of. The order is that of the records in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// What is kept once: see `Single`.
    Single,
    Endpoint,
    Client,
    Principal,
    Host,
    LoginClient,
    LoginAccount,
    Reach,
    Network,
}

impl Kind {
    pub const COUNT: usize = 9;
    pub const ALL: [Kind; Kind::COUNT] = [
        Kind::Single,
        Kind::Endpoint,
        Kind::Client,
        Kind::Principal,
        Kind::Host,
        Kind::LoginClient,
        Kind::LoginAccount,
        Kind::Reach,
        Kind::Network,
    ];

    /// Its name in statistics, and that of its tree in the database.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Single => "single",
            Kind::Endpoint => "endpoints",
            Kind::Client => "clients",
            Kind::Principal => "principals",
            Kind::Host => "hosts",
            Kind::LoginClient => "login_clients",
            Kind::LoginAccount => "login_accounts",
            Kind::Reach => "reaches",
            Kind::Network => "networks",
        }
    }

    /// Whether it is of a subject and a place together: such keys are most of what is written, and hold for a day or so.
    pub fn is_pair(self) -> bool {
        matches!(self, Kind::LoginClient | Kind::LoginAccount | Kind::Reach)
    }

    fn of(byte: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(byte)).copied()
    }
}

/// What is kept once; the number is the key of its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Single {
    /// Learned parameters.
    Learned,
    /// Open incidents, as `alert` writes them.
    Incidents,
    /// Time of the newest frame that taught.
    Newest,
    /// Until when windows only teach.
    LearnUntil,
    /// Sums over all runs, by name.
    Counters,
    /// What alerts told later are not older than.
    Judged,
}

/// Kind and key: the order of records.
pub type Place = (Kind, u64);

/// A record: its place, and its value where it is not gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'r> {
    pub place: Place,
    pub value: Option<&'r [u8]>,
}

/// The length that says that a key is gone.
const GONE: u32 = u32::MAX;
/// Kind, key, length.
const HEAD_BYTES: usize = 13;

/// Bytes of the longest value that is kept: far above the open incidents of a flood.
pub const MAX_VALUE: usize = 48 << 20;

/// Appends a record whose value `write` appends; none where it is gone or cannot be written.
pub fn push(bytes: &mut Vec<u8>, place: Place, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    bytes.push(place.0 as u8);
    bytes.extend_from_slice(&place.1.to_be_bytes());
    let length_at = bytes.len();
    bytes.extend_from_slice(&GONE.to_be_bytes());
    let value_at = bytes.len();
    let is_there = write(bytes);
    let length = bytes.len() - value_at;
    if is_there && length <= MAX_VALUE {
        bytes[length_at..value_at].copy_from_slice(&(length as u32).to_be_bytes());
    } else {
        bytes.truncate(value_at);
    }
}

/// The record at the start of some bytes, and what follows it. `None` where it is cut or of no known kind.
pub fn first_of(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let kind = Kind::of(head[0])?;
    let key = u64::from_be_bytes(*head[1..].first_chunk()?);
    let length = u32::from_be_bytes(*head.last_chunk()?);
    if length == GONE {
        return Some((Record { place: (kind, key), value: None }, rest));
    }
    let (value, rest) = rest.split_at_checked(length as usize)?;
    Some((Record { place: (kind, key), value: Some(value) }, rest))
}

/// A block is full with so many bytes, give or take a record.
const BLOCK_BYTES: usize = 4 << 20;

/// Records one after the other, in memory. In blocks: a single buffer would be copied, and be there twice, whenever it
/// grows.
#[derive(Default)]
pub struct Records {
    blocks: Vec<Vec<u8>>,
}

impl Records {
    /// Appends a record, see [`push`].
    pub fn push(&mut self, place: Place, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK_BYTES) {
            Some(block) => push(block, place, write),
            None => {
                let mut block = Vec::new();
                push(&mut block, place, write);
                self.blocks.push(block);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.blocks.iter().flat_map(|block| {
            let mut bytes = block.as_slice();
            std::iter::from_fn(move || {
                let (record, rest) = first_of(bytes)?;
                bytes = rest;
                Some(record)
            })
        })
    }
}
