//! What the wire did to a transaction: a small set of named marks.

/// A set of marks. Merging is a union.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Marks(u32);

macro_rules! marks {
    ($($(#[$doc:meta])* $constant:ident = $bit:literal, $name:literal;)*) => {
        impl Marks {
            $($(#[$doc])* pub const $constant: Marks = Marks(1 << $bit);)*
            const NAMES: &[(Marks, &'static str)] = &[$((Marks::$constant, $name)),*];
        }
    };
}

marks! {
    /// No response was seen.
    REQUEST_ONLY = 0, "request_only";
    /// No request was seen.
    RESPONSE_ONLY = 1, "response_only";
    /// Bytes of a body are missing in the capture.
    GAP_IN_BODY = 2, "gap_in_body";
    /// The flow was picked up after its beginning.
    MIDSTREAM = 3, "midstream";
    /// The message ended before its framing said so.
    INCOMPLETE = 4, "incomplete";
    /// A field value continued on the next line (RFC 9112 §5.2).
    OBS_FOLD = 5, "obs_fold";
    /// Lines ended with LF alone (RFC 9112 §2.2).
    BARE_LF = 6, "bare_lf";
    /// A CR stood where no LF follows (RFC 9112 §2.2).
    BARE_CR = 7, "bare_cr";
    /// White space before a field's colon (RFC 9112 §5.1).
    SPACE_BEFORE_COLON = 8, "space_before_colon";
    /// A start line or field line that does not follow the grammar, read as peers commonly read it.
    LENIENT_HEAD = 9, "lenient_head";
    /// More than one value of Content-Length, or one that is no number (RFC 9112 §6.3).
    CONTENT_LENGTH_CONFLICT = 10, "content_length_conflict";
    /// Content-Length beside Transfer-Encoding (RFC 9112 §6.1).
    LENGTH_AND_CHUNKED = 11, "length_and_chunked";
    /// Transfer codings that this side of the message cannot be framed by (RFC 9112 §6.1, §6.3).
    BAD_TRANSFER_ENCODING = 12, "bad_transfer_encoding";
    /// Chunks that do not follow the grammar (RFC 9112 §7.1).
    LENIENT_CHUNK = 13, "lenient_chunk";
    /// The flow leaves HTTP here: CONNECT, or an Upgrade that was accepted.
    UPGRADED = 14, "upgraded";
    /// The response began before the request was complete.
    EARLY_RESPONSE = 15, "early_response";
    /// Content-Encoding that could not be decoded.
    UNDECODABLE_BODY = 16, "undecodable_body";
    /// A body that inflates past the limits: the rest was not looked at.
    BODY_OVER_LIMIT = 17, "body_over_limit";
    /// The connection was reset, or the stream of HTTP/2.
    RESET = 18, "reset";
    /// Data came after a message that closes the connection (RFC 9112 §9.6).
    AFTER_CLOSE = 19, "after_close";
    /// More than one Host field, none in HTTP/1.1, or one that is no host (RFC 9112 §3.2).
    BAD_HOST = 20, "bad_host";
    /// Header fields of it are unknown, because what they refer to was sent when nobody saw it (RFC 7541 §2.3).
    PARTIAL = 21, "partial";
    /// More header fields than are kept.
    FIELDS_OVER_LIMIT = 22, "fields_over_limit";
    /// The server asked by itself, on behalf of the client (RFC 9113 §8.4).
    PUSHED = 23, "pushed";
    /// Some of its bytes came twice, and the copies differ: the other side may have read something else.
    OVERLAP_CONFLICT = 24, "overlap_conflict";
    /// Two parsers may disagree where the request ends (RFC 9112 §11.2).
    AMBIGUOUS_LENGTH = 25, "ambiguous_length";
    /// Client and server did disagree where a request ended: the server answers what was a part of another request.
    DESYNC = 26, "desync";
    /// The body of the response went on when the transaction was told.
    OPEN_BODY = 27, "open_body";
    /// The client proved once who it is for all requests of the connection (NTLM, Negotiate).
    PROVED_CONNECTION = 28, "proved_connection";
}

impl Marks {
    pub const fn none() -> Marks {
        Marks(0)
    }

    pub const fn or(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }

    pub const fn contains(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when at least one of `others` is in the set.
    pub const fn has_any(self, others: Marks) -> bool {
        self.0 & others.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the marks in the set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Marks::NAMES.iter().filter(move |(mark, _)| self.contains(*mark)).map(|(_, name)| *name)
    }
}

impl std::ops::BitOr for Marks {
    type Output = Marks;
    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Marks) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
