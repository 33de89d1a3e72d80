//! Which format a body is in: by its `Content-Type`, or by its first bytes.

/// The formats that are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum BodyKind {
    Json,
    Form,
    Xml,
    Csv,
    Html,
    Text,
    Multipart,
    Binary,
    /// Not said; the first bytes decide.
    #[default]
    Unknown,
}

impl BodyKind {
    /// The kind that a `Content-Type` field value names (RFC 9110 §8.3).
    pub fn of(content_type: Option<&[u8]>) -> BodyKind {
        let Some(value) = content_type else { return BodyKind::Unknown };
        let media = value.split(|&byte| matches!(byte, b';' | b',')).next().unwrap_or_default().trim_ascii();
        let mut lower = [0u8; 96];
        let length = media.len().min(lower.len());
        for (slot, byte) in lower.iter_mut().zip(media) {
            *slot = byte.to_ascii_lowercase();
        }
        let media = lower.get(..length).unwrap_or_default();
        match media {
            b"application/json"
            | b"text/json"
            | b"application/x-ndjson"
            | b"application/ndjson"
            | b"application/jsonl"
            | b"application/graphql"
            | b"application/javascript"
            | b"text/javascript" => BodyKind::Json,
            b"application/x-www-form-urlencoded" => BodyKind::Form,
            b"application/xml" | b"text/xml" => BodyKind::Xml,
            b"text/csv" | b"application/csv" | b"text/tab-separated-values" => BodyKind::Csv,
            b"text/html" | b"application/xhtml+xml" => BodyKind::Html,
            b"" | b"application/octet-stream" | b"binary/octet-stream" | b"application/unknown" => BodyKind::Unknown,
            _ if media.ends_with(b"+json") || media.ends_with(b"json-seq") => BodyKind::Json,
            _ if media.starts_with(b"image/svg") || media.ends_with(b"+xml") => BodyKind::Xml,
            _ if media.starts_with(b"multipart/") => BodyKind::Multipart,
            _ if media.starts_with(b"text/") || media.ends_with(b"yaml") => BodyKind::Text,
            _ if [&b"image/"[..], b"audio/", b"video/", b"font/"].iter().any(|top| media.starts_with(top)) => {
                BodyKind::Binary
            }
            b"application/pdf"
            | b"application/zip"
            | b"application/gzip"
            | b"application/wasm"
            | b"application/grpc"
            | b"application/x-protobuf"
            | b"application/protobuf"
            | b"application/msgpack" => BodyKind::Binary,
            _ => BodyKind::Unknown,
        }
    }

    /// Whether the first bytes are asked even though a type was given: servers that answer JSON as `text/html` are many.
    pub(super) fn doubtful(self) -> bool {
        matches!(self, BodyKind::Unknown | BodyKind::Html | BodyKind::Text)
    }

    /// The kind by the first bytes (white space before them skipped), given what was claimed.
    pub(super) fn sniffed(self, head: &[u8]) -> BodyKind {
        let mut solid = head.iter().filter(|byte| !byte.is_ascii_whitespace());
        let json = matches!(
            (solid.next(), solid.next()),
            (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{' | b'[' | b'"' | b']'))
        );
        if json {
            return BodyKind::Json;
        }
        if self != BodyKind::Unknown {
            return self;
        }
        let starts = |prefix: &[u8]| head.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if starts(b"<!doctype html") || starts(b"<html") {
            return BodyKind::Html;
        }
        if head.first() == Some(&b'<') {
            return BodyKind::Xml;
        }
        let control =
            head.iter().any(|&byte| byte < 0x20 && !byte.is_ascii_whitespace() && byte != 0x1b || byte == 0x7f);
        if control || std::str::from_utf8(head).is_err_and(|error| error.error_len().is_some()) {
            return BodyKind::Binary;
        }
        let name = head.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_-.[]%+".contains(&byte)).count();
        if name > 0 && head.get(name) == Some(&b'=') && !head.iter().any(u8::is_ascii_whitespace) {
            return BodyKind::Form;
        }
        BodyKind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_their_kind() {
        for (value, kind) in [
            ("application/json; charset=utf-8", BodyKind::Json),
            ("Application/Problem+JSON", BodyKind::Json),
            ("application/x-www-form-urlencoded", BodyKind::Form),
            ("application/soap+xml", BodyKind::Xml),
            ("text/csv", BodyKind::Csv),
            ("multipart/form-data; boundary=x", BodyKind::Multipart),
            ("image/png", BodyKind::Binary),
            ("text/plain", BodyKind::Text),
            ("", BodyKind::Unknown),
        ] {
            assert_eq!(BodyKind::of(Some(value.as_bytes())), kind, "{value}");
        }
        assert_eq!(BodyKind::of(None), BodyKind::Unknown);
    }

    #[test]
    fn first_bytes_tell_what_was_not_said() {
        for (head, kind) in [
            (&b"{\"a\":1}"[..], BodyKind::Json),
            (b"[ {\"a\"", BodyKind::Json),
            (b"<!DOCTYPE html><html>", BodyKind::Html),
            (b"<soap:Envelope>", BodyKind::Xml),
            (b"user=jane&password=x", BodyKind::Form),
            (b"\x89PNG\r\n\x1a\n\0\0", BodyKind::Binary),
            (b"[INFO] started", BodyKind::Text),
            (b"", BodyKind::Text),
        ] {
            assert_eq!(BodyKind::Unknown.sniffed(head), kind, "{head:?}");
        }
        assert_eq!(BodyKind::Html.sniffed(b"{\"success\":false}"), BodyKind::Json);
    }
}
