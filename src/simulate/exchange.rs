//! One request with its response, as a form to fill in; from it the bytes that go over the wire.
//!
//! Buffers are kept from one exchange to the next, so filling the form allocates little.

use crate::time::Timestamp;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::Duration;

/// The hosts of the shop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Host {
    Site,
    Api,
    Admin,
    Partner,
}

impl Host {
    pub const ALL: [Host; 4] = [Host::Site, Host::Api, Host::Admin, Host::Partner];

    pub fn name(self) -> &'static str {
        match self {
            Host::Site => "shop.example",
            Host::Api => "api.shop.example",
            Host::Admin => "admin.shop.example",
            Host::Partner => "partner.shop.example",
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Host::Site | Host::Api => 80,
            Host::Admin => 8080,
            Host::Partner => 3000,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    Identity,
    Gzip,
    Deflate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    Length,
    Chunked,
    /// The body ends with the connection.
    Close,
}

/// What an exchange is, for the transaction log.
pub const BENIGN: &str = "benign";

#[derive(Clone, Debug)]
pub struct Exchange {
    pub host: Host,
    pub method: &'static str,
    /// Path with identifiers as `{id}`, for truth and conditions.
    pub template: &'static str,
    /// What stands in the request line.
    pub target: String,
    /// Further request header lines, each ended by CR LF.
    pub headers: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub status: u16,
    pub reply_headers: String,
    pub reply_type: &'static str,
    pub reply: Vec<u8>,
    /// `reply` is already coded as `coding` says.
    pub reply_coded: bool,
    pub coding: Coding,
    pub framing: Framing,
    /// The server's thinking time.
    pub service: Duration,
    pub label: &'static str,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    scratch: Vec<u8>,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange {
            host: Host::Site,
            method: "GET",
            template: "/",
            target: String::new(),
            headers: String::new(),
            content_type: "",
            body: Vec::new(),
            status: 200,
            reply_headers: String::new(),
            reply_type: "",
            reply: Vec::new(),
            reply_coded: false,
            coding: Coding::Identity,
            framing: Framing::Length,
            service: Duration::from_millis(8),
            label: BENIGN,
            expects_continue: false,
            scratch: Vec::new(),
        }
    }
}

impl Exchange {
    /// Empties the form for a request of this endpoint; the answer is 200 without a body unless told.
    pub fn ask(&mut self, method: &'static str, host: Host, template: &'static str, target: fmt::Arguments<'_>) {
        self.host = host;
        self.method = method;
        self.template = template;
        self.target.clear();
        let _ = self.target.write_fmt(target);
        self.headers.clear();
        self.content_type = "";
        self.body.clear();
        self.status = 200;
        self.reply_headers.clear();
        self.reply_type = "";
        self.reply.clear();
        self.reply_coded = false;
        self.coding = Coding::Identity;
        self.framing = Framing::Length;
        self.service = Duration::from_millis(8);
        self.label = BENIGN;
        self.expects_continue = false;
    }

    pub fn header(&mut self, name: &str, value: impl fmt::Display) {
        let _ = write!(self.headers, "{name}: {value}\r\n");
    }

    pub fn reply_header(&mut self, name: &str, value: impl fmt::Display) {
        let _ = write!(self.reply_headers, "{name}: {value}\r\n");
    }

    /// The request's JSON body.
    pub fn json_body(&mut self, body: fmt::Arguments<'_>) {
        self.content_type = "application/json";
        let _ = self.body.write_fmt(body);
    }

    pub fn form_body(&mut self, body: fmt::Arguments<'_>) {
        self.content_type = "application/x-www-form-urlencoded";
        let _ = self.body.write_fmt(body);
    }

    /// The answer: a status and a JSON text; what was in the answer before is dropped.
    pub fn json(&mut self, status: u16, body: fmt::Arguments<'_>) {
        self.status = status;
        self.reply_type = "application/json";
        self.reply.clear();
        self.reply_coded = false;
        let _ = self.reply.write_fmt(body);
    }

    /// An answer without a body.
    pub fn empty(&mut self, status: u16) {
        self.status = status;
        self.reply_type = "";
        self.reply.clear();
        self.reply_coded = false;
        self.coding = Coding::Identity;
        self.framing = Framing::Length;
    }

    /// `METHOD host/template`, as truth files name an endpoint.
    pub fn endpoint(&self) -> String {
        format!("{} {}{}", self.method, self.host.name(), self.template)
    }

    /// Host and, where it is not 80, port.
    pub fn authority(&self) -> Cow<'static, str> {
        match self.host.port() {
            80 => self.host.name().into(),
            port => format!("{}:{port}", self.host.name()).into(),
        }
    }

    /// The response has a body on the wire.
    pub fn has_body(&self) -> bool {
        self.method != "HEAD" && !self.is_bare()
    }

    /// The response says how long its body is.
    pub fn says_length(&self) -> bool {
        self.framing == Framing::Length && !self.is_bare()
    }

    fn is_bare(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// Brings the reply into its coding, unless it is.
    pub fn code(&mut self, encoder: &mut Encoder) {
        if self.coding != Coding::Identity && !self.reply_coded {
            self.scratch.clear();
            encoder.encode(self.coding, &self.reply, &mut self.scratch);
            std::mem::swap(&mut self.scratch, &mut self.reply);
            self.reply_coded = true;
        }
    }

    /// Appends the request's head, and its body unless the client waits before it.
    pub fn write_request(&self, out: &mut Vec<u8>, client: &str) {
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        out.extend_from_slice(self.authority().as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(client.as_bytes());
        out.extend_from_slice(self.headers.as_bytes());
        if !self.content_type.is_empty() {
            let _ = write!(out, "Content-Type: {}\r\nContent-Length: {}\r\n", self.content_type, self.body.len());
        } else if matches!(self.method, "POST" | "PUT" | "PATCH") {
            out.extend_from_slice(b"Content-Length: 0\r\n");
        }
        if self.expects_continue {
            out.extend_from_slice(b"Expect: 100-continue\r\n\r\n");
        } else {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&self.body);
        }
    }

    /// Appends the response.
    pub fn write_response(&mut self, out: &mut Vec<u8>, date: &str, encoder: &mut Encoder) {
        let _ = write!(out, "HTTP/1.1 {} {}\r\nDate: {date}\r\nServer: nginx\r\n", self.status, reason(self.status));
        out.extend_from_slice(self.reply_headers.as_bytes());
        if !self.reply_type.is_empty() {
            let _ = write!(out, "Content-Type: {}\r\n", self.reply_type);
        }
        self.code(encoder);
        match self.coding {
            Coding::Identity => {}
            Coding::Gzip => out.extend_from_slice(b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"),
            Coding::Deflate => out.extend_from_slice(b"Content-Encoding: deflate\r\nVary: Accept-Encoding\r\n"),
        }
        match self.framing {
            Framing::Length if self.is_bare() => out.extend_from_slice(b"\r\n"),
            Framing::Length => {
                let _ = write!(out, "Content-Length: {}\r\n\r\n", self.reply.len());
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
            Framing::Close => out.extend_from_slice(b"Connection: close\r\n\r\n"),
        }
        if !self.has_body() {
            return;
        }
        if self.framing == Framing::Chunked {
            for piece in self.reply.chunks(CHUNK_BYTES) {
                let _ = write!(out, "{:x}\r\n", piece.len());
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        } else {
            out.extend_from_slice(&self.reply);
        }
    }
}

/// What nginx's proxy buffers make of a streamed answer.
const CHUNK_BYTES: usize = 4096;

/// Compresses again and again with the same tables: setting them up costs more than a small answer.
pub struct Encoder {
    raw: Compress,
    zlib: Compress,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { raw: Compress::new(Compression::fast(), false), zlib: Compress::new(Compression::fast(), true) }
    }
}

impl Encoder {
    /// Appends `plain` in this coding (gzip is RFC 1952; `deflate` is zlib, RFC 9110 §8.4.1.2).
    pub fn encode(&mut self, coding: Coding, plain: &[u8], out: &mut Vec<u8>) {
        match coding {
            Coding::Identity => out.extend_from_slice(plain),
            Coding::Gzip => {
                out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
                compress(&mut self.raw, plain, out);
                let mut crc = Crc::new();
                crc.update(plain);
                out.extend_from_slice(&crc.sum().to_le_bytes());
                out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
            }
            Coding::Deflate => compress(&mut self.zlib, plain, out),
        }
    }
}

fn compress(compress: &mut Compress, plain: &[u8], out: &mut Vec<u8>) {
    compress.reset();
    loop {
        out.reserve(plain.len() / 4 + 256);
        let taken = compress.total_in() as usize;
        // Deflate takes any input; it asks only for more room.
        match compress.compress_vec(&plain[taken..], out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) | Err(_) => return,
            Ok(Status::Ok | Status::BufError) => {}
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// `Mon, 24 Nov 2025 09:00:00 GMT` (RFC 9110 §5.6.7).
pub fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970-01-01 was a Thursday
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) = at.civil();
    let weekday = DAYS[at.seconds().div_euclid(86_400).rem_euclid(7) as usize]; // a remainder of seven
    let month = MONTHS[(month as usize - 1) % 12]; // a civil month is 1 to 12
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_as_http_wants_it() {
        assert_eq!(http_date(super::super::wire::DEFAULT_START), "Mon, 24 Nov 2025 09:00:00 GMT");
    }

    #[test]
    fn what_is_compressed_can_be_read_again() {
        use std::io::Read as _;
        let mut encoder = Encoder::default();
        for length in [0usize, 1, 700, 70_000] {
            let plain: Vec<u8> =
                (0..length as u64).map(|n| (super::super::random::scatter(n / 3, 1) & 0x3f) as u8).collect();
            let (mut gzip, mut zlib, mut back) = (Vec::new(), Vec::new(), Vec::new());
            encoder.encode(Coding::Gzip, &plain, &mut gzip);
            encoder.encode(Coding::Deflate, &plain, &mut zlib);
            flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut back).unwrap();
            assert_eq!(back, plain);
            back.clear();
            flate2::read::ZlibDecoder::new(&zlib[..]).read_to_end(&mut back).unwrap();
            assert_eq!(back, plain);
        }
    }

    #[test]
    fn an_exchange_writes_itself_as_http() {
        let mut exchange = Exchange::default();
        exchange.ask("POST", Host::Admin, "/x", format_args!("/x?y=1"));
        exchange.json_body(format_args!("{{}}"));
        exchange.json(201, format_args!("[1]"));
        exchange.framing = Framing::Chunked;
        let (mut request, mut response) = (Vec::new(), Vec::new());
        exchange.write_request(&mut request, "User-Agent: t\r\n");
        exchange.write_response(&mut response, "D", &mut Encoder::default());
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "POST /x?y=1 HTTP/1.1\r\nHost: admin.shop.example:8080\r\nUser-Agent: t\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
        assert!(
            String::from_utf8(response).unwrap().ends_with("Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n")
        );
    }
}
