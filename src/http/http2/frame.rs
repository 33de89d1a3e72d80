//! Frames (RFC 9113 §4.1, §6): the nine octets of a header in, what they say out; padding and priority taken off.

/// What a client says first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Its first line, which is like that of a request.
pub const PREFACE_LINE: &[u8] = PREFACE.split_at(14).0;
pub const HEADER_BYTES: usize = 9;
/// The largest payload that is allowed without SETTINGS_MAX_FRAME_SIZE (§6.5.2).
pub const DEFAULT_PAYLOAD: u32 = 1 << 14;
/// The largest payload that a header can announce.
pub const MOST_PAYLOAD: u32 = (1 << 24) - 1;

pub const END_STREAM: u8 = 0x01;
pub const ACK: u8 = 0x01;
pub const END_HEADERS: u8 = 0x04;
pub const PADDED: u8 = 0x08;
pub const PRIORITY: u8 = 0x20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Other(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    pub length: u32,
    pub kind: Kind,
    pub flags: u8,
    pub stream: u32,
    is_reserved_set: bool,
}

impl FrameHeader {
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> FrameHeader {
        let [a, b, c, kind, flags, stream @ ..] = *bytes;
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            other => Kind::Other(other),
        };
        let stream = u32::from_be_bytes(stream);
        FrameHeader {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: stream & (u32::MAX >> 1),
            is_reserved_set: stream >> 31 != 0,
        }
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// True when no receiver would call it an error of the connection by itself: what has a fixed length has it, and
    /// what belongs to a stream, or to none, does so.
    pub fn is_valid(&self) -> bool {
        let on_stream = self.stream != 0;
        match self.kind {
            Kind::Data | Kind::Headers | Kind::PushPromise | Kind::Continuation => on_stream,
            // A wrong length is an error of its stream alone (RFC 9113 §6.3).
            Kind::Priority => on_stream,
            Kind::RstStream => on_stream && self.length == 4,
            Kind::Settings if self.has(ACK) => !on_stream && self.length == 0,
            Kind::Settings => !on_stream && self.length.is_multiple_of(6),
            Kind::Ping => !on_stream && self.length == 8,
            Kind::GoAway => !on_stream && self.length >= 8,
            Kind::WindowUpdate => self.length == 4,
            Kind::Other(_) => true,
        }
    }

    /// True when it also has nothing that is unused or rare: for places where it is not sure that a frame begins.
    pub fn is_usual(&self) -> bool {
        let known_flags = match self.kind {
            Kind::Data => END_STREAM | PADDED,
            Kind::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Kind::Settings | Kind::Ping => ACK,
            Kind::PushPromise => END_HEADERS | PADDED,
            Kind::Continuation => END_HEADERS,
            Kind::Priority | Kind::RstStream | Kind::GoAway | Kind::WindowUpdate => 0,
            Kind::Other(_) => return false,
        };
        let has_length = self.kind != Kind::Priority || self.length == 5;
        self.is_valid()
            && has_length
            && !self.is_reserved_set
            && self.flags & !known_flags == 0
            && self.length <= DEFAULT_PAYLOAD
    }

    /// The payload without padding and priority (§6.1, §6.2, §6.6); `None` where they are longer than it.
    pub fn content<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        let mut content = payload;
        if self.has(PADDED) {
            let (padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
        }
        if self.kind == Kind::Headers && self.has(PRIORITY) {
            content = content.get(5..)?;
        }
        Some(content)
    }
}

/// SETTINGS_HEADER_TABLE_SIZE and SETTINGS_MAX_FRAME_SIZE (§6.5.2), as far as a payload has them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Settings {
    pub table_size: Option<u32>,
    pub max_frame: Option<u32>,
}

impl Settings {
    pub fn parse(payload: &[u8]) -> Settings {
        let mut settings = Settings::default();
        for setting in payload.chunks_exact(6) {
            let [high, low, value @ ..] = setting else { continue };
            let Ok(value) = value.try_into().map(u32::from_be_bytes) else { continue };
            match u16::from_be_bytes([*high, *low]) {
                1 => settings.table_size = Some(value),
                5 => settings.max_frame = Some(value.clamp(DEFAULT_PAYLOAD, MOST_PAYLOAD)),
                _ => {}
            }
        }
        settings
    }
}

/// The number of 31 bits at the start of a payload: an error code, a stream.
pub fn number(payload: &[u8]) -> Option<u32> {
    let first: [u8; 4] = payload.get(..4)?.try_into().ok()?;
    Some(u32::from_be_bytes(first) & (u32::MAX >> 1))
}
