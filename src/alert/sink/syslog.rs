//! Syslog: alerts as messages of RFC 5424, over UDP (RFC 5426), TCP with octet counting (RFC 6587 §3.4.1) or TLS
//! (RFC 5425).
//!
//! A message is the EVE line. It is cut down to [`MESSAGE_BYTES`], evidence first: many servers cut it anywhere else. No
//! transport of syslog acknowledges anything. Messages count as sent when the other kernel has acknowledged their bytes
//! and the connection held for [`SETTLING`] afterwards: a server that is killed with messages unread resets it, and then
//! they are sent again. Over UDP they count as sent when no refusal came back for [`UDP_SETTLING`].

use super::delivery::{Carrier, Failure};
use super::settings::{SyslogAddress, SyslogSettings, Transport};
use super::{SinkError, certificates};
use crate::alert::record::{Severity, write_printable};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What rsyslog takes unless it is told otherwise (`maxMessageSize`), and a little room.
const MESSAGE_BYTES: usize = 8000;
const BATCH: usize = 256;
/// Datagrams sent at once, and then looked after for [`UDP_SETTLING`]: more would overflow the receive buffer of a server,
/// which is some 200 kB on Linux unless it is told otherwise, and nobody would know.
const UDP_BATCH: usize = 8;
const UDP_SETTLING: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server that was killed may take to say so.
const SETTLING: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_millis(10);

pub(super) struct Syslog {
    settings: SyslogSettings,
    host: String,
    process: u32,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Syslog {
    pub fn new(settings: &SyslogSettings) -> Result<Syslog, SinkError> {
        let tls = (settings.address.transport == Transport::Tls).then(|| tls_config(settings)).transpose()?;
        // RFC 5424 §6.2.4: `-` where the name is not known. The units hide /proc/sys.
        let machine = rustix::system::uname();
        let host = machine.nodename().to_string_lossy();
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        Ok(Syslog {
            settings: settings.clone(),
            host: if host.is_empty() { "-".to_owned() } else { host },
            process: std::process::id(),
            tls,
            connection: None,
        })
    }

    /// RFC 5424 §6. MSGID is the detector.
    fn message(&self, record: &[u8]) -> Vec<u8> {
        let value: Value = serde_json::from_slice(record).unwrap_or_default();
        let severity = value["apitap"]["severity"].as_str().and_then(|name| name.parse::<Severity>().ok());
        let priority = u32::from(self.settings.facility.number()) * 8 + severity.map_or(NOTICE, level_of);
        // RFC 5424 wants `Z` or a colon in the offset; ours is always UTC.
        let time = value["timestamp"].as_str().and_then(|time| time.strip_suffix("+0000"));
        let time = time.map_or("-".to_owned(), |time| format!("{time}Z"));
        let detector = value["apitap"]["detector"].as_str().filter(|name| !name.is_empty()).unwrap_or("-");
        let detector: String = detector.chars().filter(char::is_ascii_graphic).take(32).collect();
        let (app, host, process) = (&self.settings.app_name, &self.host, self.process);
        let mut message = format!("<{priority}>1 {time} {host} {app} {process} {detector} - ").into_bytes();
        let room = MESSAGE_BYTES.saturating_sub(message.len());
        if record.len() <= room {
            message.extend(record)
        } else {
            message.extend(cut_down(value, room))
        }
        message
    }

    fn connect(&self) -> io::Result<Connection> {
        let SyslogAddress { transport, host, port } = &self.settings.address;
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host.as_str(), *port).to_socket_addrs()? {
            if *transport == Transport::Udp {
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                match socket.connect(address) {
                    Ok(()) => return Ok(Connection::Udp(socket)),
                    Err(error) => failed = error,
                }
                continue;
            }
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return self.over(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn over(&self, mut stream: TcpStream) -> io::Result<Connection> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Connection::Tcp(stream)) };
        stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        let name = ServerName::try_from(self.settings.address.host.clone()).map_err(io::Error::other)?;
        let mut client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while client.is_handshaking() {
            client.complete_io(&mut stream)?;
        }
        Ok(Connection::Tls(Box::new(StreamOwned::new(client, stream))))
    }
}

impl Carrier for Syslog {
    fn kind(&self) -> &'static str {
        "syslog"
    }

    fn name(&self) -> String {
        format!("syslog at {}", self.settings.address)
    }

    fn batch(&self) -> usize {
        if self.settings.address.transport == Transport::Udp { UDP_BATCH } else { BATCH }
    }

    fn carry(&mut self, records: &[Vec<u8>]) -> Result<(), Failure> {
        let messages: Vec<Vec<u8>> = records.iter().map(|record| self.message(record)).collect();
        let mut sent = || {
            let mut connection = match self.connection.take().filter(Connection::is_alive) {
                Some(connection) => connection,
                None => self.connect()?,
            };
            connection.send(&messages)?;
            self.connection = Some(connection);
            Ok(())
        };
        sent().map_err(|error: io::Error| Failure::Later(error.to_string()))
    }
}

impl Connection {
    fn send(&mut self, messages: &[Vec<u8>]) -> io::Result<()> {
        if let Connection::Udp(socket) = self {
            for message in messages {
                socket.send(message)?;
            }
            return match read_for(socket, UDP_SETTLING) {
                Err(error) if is_silence(&error) => Ok(()),
                Err(error) => Err(error),
                Ok(()) => Ok(()), // a syslog server does not answer; whatever it is, it is there
            };
        }
        let mut framed = Vec::new();
        for message in messages {
            framed.extend(format!("{} ", message.len()).into_bytes());
            framed.extend(message);
        }
        match self {
            Connection::Udp(_) => {} // handled above
            Connection::Tcp(stream) => stream.write_all(&framed)?,
            Connection::Tls(stream) => {
                stream.write_all(&framed)?;
                stream.flush()?;
            }
        }
        self.wait_for_acknowledgement()?;
        self.hold(SETTLING)
    }

    /// Until the other kernel has all bytes.
    fn wait_for_acknowledgement(&self) -> io::Result<()> {
        let stream = match self {
            Connection::Udp(_) => return Ok(()),
            Connection::Tcp(stream) => stream,
            Connection::Tls(stream) => &stream.sock,
        };
        let end = Instant::now() + WRITE_TIMEOUT;
        while unacknowledged(stream)? > 0 {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            if Instant::now() >= end {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not acknowledge what was sent"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn is_alive(&self) -> bool {
        match self {
            Connection::Udp(socket) => socket.take_error().is_ok_and(|error| error.is_none()),
            Connection::Tcp(stream) => is_open(stream),
            Connection::Tls(stream) => is_open(&stream.sock),
        }
    }

    /// Waits so long and fails if the connection ends meanwhile.
    fn hold(&mut self, span: Duration) -> io::Result<()> {
        let end = Instant::now() + span;
        let mut ignored = [0; 512];
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            let read = match self {
                Connection::Udp(_) => return Ok(()),
                Connection::Tcp(stream) => {
                    stream.set_read_timeout(Some(left))?;
                    stream.read(&mut ignored)
                }
                Connection::Tls(stream) => {
                    stream.sock.set_read_timeout(Some(left))?;
                    stream.read(&mut ignored)
                }
            };
            match read {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
                Ok(_) => {}
                Err(error) if is_silence(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn read_for(socket: &UdpSocket, span: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(span))?;
    socket.recv(&mut [0; 512]).map(drop)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Neither closed nor reset, as far as is known by now. (TLS may have sent records that were not read yet.)
fn is_open(stream: &TcpStream) -> bool {
    let look = || {
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0; 1]);
        stream.set_nonblocking(false)?;
        peeked
    };
    match look() {
        Ok(bytes) => bytes > 0,
        Err(error) => is_silence(&error),
    }
}

/// Bytes that the kernel has sent or will send and that the other side has not acknowledged (`SIOCOUTQ`, tcp(7)).
fn unacknowledged(stream: &TcpStream) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as `stream` is borrowed, and the request writes one `int` to the address
    // that it is given, which is one of ours.
    let status = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(u64::try_from(bytes).unwrap_or(0)) }
}

fn tls_config(settings: &SyslogSettings) -> Result<Arc<ClientConfig>, SinkError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates::trusted(settings.ca_file.as_deref())?);
    if added == 0 {
        let message = "no certificate that is trusted can be used; give one that is an authority's in `ca_file`";
        return Err(SinkError::Tls(message.to_owned()));
    }
    let config = ClientConfig::builder_with_provider(certificates::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| SinkError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Severities of RFC 5424 §6.2.1.
const NOTICE: u32 = 5;

fn level_of(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => NOTICE,
    }
}

/// A record with less and less in it until it fits: without evidence from the last one on, then without what is long
/// otherwise. Incident and sequence stay to the end.
fn cut_down(mut record: Value, room: usize) -> Vec<u8> {
    while printed(&record).len() > room
        && let Some(evidence) = record["apitap"]["evidence"].as_array_mut().filter(|evidence| !evidence.is_empty())
    {
        evidence.pop();
    }
    for (table, key) in LONG {
        if printed(&record).len() <= room {
            break;
        }
        let table = if table.is_empty() { &mut record } else { &mut record[table] };
        if let Some(table) = table.as_object_mut() {
            table.remove(key);
        }
    }
    let mut text = printed(&record);
    while text.len() > room || std::str::from_utf8(&text).is_err() {
        text.pop();
    }
    text
}

/// What of a record can be long, from what is missed least to what is missed most.
const LONG: [(&str, &str); 6] = [
    ("", "http"),
    ("apitap", "clients"),
    ("apitap", "advice"),
    ("apitap", "expected"),
    ("apitap", "endpoint"),
    ("apitap", "observed"),
];

fn printed(record: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = write_printable(&mut text, &record.to_string()); // a `Vec` takes every byte
    text
}

#[cfg(test)]
mod tests;
