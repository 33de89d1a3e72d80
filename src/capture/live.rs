//! Frames from interfaces, through libpcap.
//!
//! In go names of interfaces; out comes a source of frames for each, to be read in a thread of its own. An interface that
//! goes away or down is waited for and opened again. Refused, when it is opened first: a name that no interface has, and what
//! the rights do not allow.
//!
//! Frames come through a ring that the kernel fills and shares with the program ([`LiveOptions::buffer_bytes`]), block by
//! block: a block is handed over when it is full or [`BLOCK_WAIT`] old. What the kernel had to drop because the ring was
//! full is in [`InterfaceStatistics`].

use super::{Frame, LinkType};
use crate::time::Timestamp;
use pcap::{Active, Capture, Device, Precision};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the kernel may hold back a block of frames that is not full.
pub const BLOCK_WAIT: Duration = Duration::from_millis(100);
/// Most frames that one call of [`LiveSource::poll`] gives.
pub const TURN: usize = 512;
/// Pause between two attempts to open an interface again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("no interface was named; give one with -i or as `capture.interfaces` (`ip link` lists them)")]
    NoInterface,
    #[error("there is no interface `{name}`; there are: {known}")]
    Unknown { name: String, known: String },
    #[error(
        "capturing on `{name}` is not allowed; run apitap as root, by its systemd unit, or give the program the right \
         once: `setcap cap_net_raw+ep {program}`"
    )]
    NotAllowed { name: String, program: String },
    #[error("`{name}` cannot be opened: {reason}")]
    Open { name: String, reason: String },
}

#[derive(Clone, Debug)]
pub struct LiveOptions {
    pub interfaces: Vec<String>,
    /// Size of each interface's ring.
    pub buffer_bytes: u32,
    /// Bytes captured of a frame.
    pub snaplen: u32,
    pub promiscuous: bool,
    /// What the kernel is to let through, as [`for_kernel`](super::filter::for_kernel) says it; a kernel that does not
    /// understand it lets all through.
    pub filter: Option<String>,
}

/// What an interface did so far, over all the times it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    pub name: String,
    /// Whether it is being captured from at the moment.
    pub is_open: bool,
    /// Frames that reached the ring, and those that found no room in it.
    pub received: u64,
    pub dropped: u64,
    /// Frames that the interface itself says it dropped.
    pub dropped_by_interface: u64,
    /// Times it was lost.
    pub lost: u64,
}

/// Told of an interface, once each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Lost { name: String, reason: String },
    Back { name: String },
}

/// The frames of one interface.
pub struct LiveSource {
    options: Arc<LiveOptions>,
    number: u16,
    capture: Option<(Capture<Active>, LinkType)>,
    retry_at: Instant,
    statistics: InterfaceStatistics,
    /// The last figures of the open capture: they start anew when it is opened again.
    last: (u32, u32, u32),
    changes: Vec<Change>,
}

/// Opens every interface. One that is there but down is waited for.
pub fn open_all(options: LiveOptions) -> Result<Vec<LiveSource>, LiveError> {
    if options.interfaces.is_empty() {
        return Err(LiveError::NoInterface);
    }
    let options = Arc::new(options);
    (0u16..)
        .zip(&options.interfaces)
        .map(|(number, name)| LiveSource::open(Arc::clone(&options), number, name))
        .collect()
}

impl LiveSource {
    fn open(options: Arc<LiveOptions>, number: u16, name: &str) -> Result<LiveSource, LiveError> {
        let opened = open(name, &options);
        let mut source = LiveSource {
            options,
            number,
            capture: None,
            retry_at: Instant::now(),
            statistics: InterfaceStatistics { name: name.to_owned(), ..InterfaceStatistics::default() },
            last: (0, 0, 0),
            changes: Vec::new(),
        };
        match opened {
            Ok(opened) => source.opened(opened),
            Err(reason) => match refusal_of(name, reason) {
                Ok(error) => return Err(error),
                Err(reason) => source.lose(reason),
            },
        }
        Ok(source)
    }

    /// Gives the frames that are there, at most [`TURN`]; waits for at most `wait` when there are none. Returns how many there
    /// were.
    pub fn poll(&mut self, wait: Duration, mut each: impl FnMut(Frame<'_>)) -> usize {
        let Some((capture, link)) = &mut self.capture else {
            std::thread::sleep(wait);
            return 0;
        };
        let (link, source) = (*link, self.number);
        let read = capture.dispatch(Some(TURN), |packet| {
            let time = Timestamp::from_secs_nanos(packet.header.ts.tv_sec, packet.header.ts.tv_usec as u32);
            each(Frame { time, link, wire_len: packet.header.len, bytes: packet.data, source });
        });
        let given = match read {
            Ok(count) => count,
            Err(pcap::Error::TimeoutExpired) => 0,
            Err(error) => {
                self.lose(reason_of(error));
                return 0;
            }
        };
        if given == 0 {
            wait_for(capture, wait);
        }
        given
    }

    /// What happened to the interface since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether the interface is lost: then [`LiveSource::reopen`] is to be called from time to time.
    pub fn is_lost(&self) -> bool {
        self.capture.is_none()
    }

    /// Sees whether the interface was set down or up again. libpcap says nothing of it: it waits.
    pub fn look_at_link(&mut self) {
        if self.is_lost() {
            return;
        }
        let (name, is_up) = (&self.statistics.name, is_up(&self.statistics.name));
        if self.statistics.is_open && !is_up {
            self.changes.push(Change::Lost { name: name.clone(), reason: "it is down".to_owned() });
            self.statistics.lost += 1;
        } else if !self.statistics.is_open && is_up {
            self.changes.push(Change::Back { name: name.clone() });
        }
        self.statistics.is_open = is_up;
    }

    /// Opens it again, where it was lost and is there again.
    pub fn reopen(&mut self) {
        let now = Instant::now();
        if !self.is_lost() || now < self.retry_at {
            return;
        }
        self.retry_at = now + RETRY;
        if let Ok(opened) = open(&self.statistics.name, &self.options) {
            self.opened(opened);
            self.changes.push(Change::Back { name: self.statistics.name.clone() });
        }
    }

    pub fn statistics(&mut self) -> InterfaceStatistics {
        if let Some(Ok(now)) = self.capture.as_mut().map(|(capture, _)| capture.stats()) {
            // The counters of libpcap have 32 bits and wrap.
            let statistics = &mut self.statistics;
            statistics.received += u64::from(now.received.wrapping_sub(self.last.0));
            statistics.dropped += u64::from(now.dropped.wrapping_sub(self.last.1));
            statistics.dropped_by_interface += u64::from(now.if_dropped.wrapping_sub(self.last.2));
            self.last = (now.received, now.dropped, now.if_dropped);
        }
        self.statistics.clone()
    }

    fn opened(&mut self, opened: (Capture<Active>, LinkType)) {
        self.capture = Some(opened);
        self.last = (0, 0, 0);
        self.statistics.is_open = true;
    }

    fn lose(&mut self, reason: String) {
        self.statistics();
        self.capture = None;
        self.retry_at = Instant::now() + RETRY;
        self.statistics.is_open = false;
        self.statistics.lost += 1;
        self.changes.push(Change::Lost { name: self.statistics.name.clone(), reason });
    }
}

/// Until there is something to read, or it is enough.
fn wait_for(capture: &Capture<Active>, wait: Duration) {
    let mut descriptor = libc::pollfd { fd: capture.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor, which lives through the call. A signal or an error only ends the waiting early.
    unsafe {
        libc::poll(&raw mut descriptor, 1, wait.as_millis() as libc::c_int);
    }
}

/// Opens an interface, or says why not in libpcap's words.
fn open(name: &str, options: &LiveOptions) -> Result<(Capture<Active>, LinkType), String> {
    let size = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(name).map_err(reason_of)?;
    let mut capture = inactive
        .promisc(options.promiscuous)
        .snaplen(size(options.snaplen))
        .buffer_size(size(options.buffer_bytes))
        .timeout(BLOCK_WAIT.as_millis() as i32)
        .immediate_mode(false)
        .precision(Precision::Nano)
        .open()
        .and_then(Capture::setnonblock)
        .map_err(reason_of)?;
    if let Some(filter) = &options.filter {
        let _ = capture.filter(filter, true); // else the program alone does it
    }
    let link = u16::try_from(capture.get_datalink().0).map_or(LinkType::UNASSIGNED, LinkType::from_file);
    Ok((capture, link))
}

/// By the kernel's flags of it; where they cannot be read, the capture itself will tell.
fn is_up(name: &str) -> bool {
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).unwrap_or_default();
    let flags = flags.trim().strip_prefix("0x").and_then(|flags| u32::from_str_radix(flags, 16).ok());
    flags.is_none_or(|flags| flags & libc::IFF_UP as u32 != 0)
}

fn reason_of(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(reason) => reason,
        other => other.to_string(),
    }
}

/// Whether the reason is one that waiting does not mend; else it is given back.
fn refusal_of(name: &str, reason: String) -> Result<LiveError, String> {
    let lower = reason.to_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        let program = std::env::current_exe().map_or("apitap".into(), |path| path.display().to_string());
        return Ok(LiveError::NotAllowed { name: name.to_owned(), program });
    }
    if lower.contains("no such device") || lower.contains("doesn't exist") {
        return Ok(LiveError::Unknown { name: name.to_owned(), known: interfaces().join(", ") });
    }
    // An interface that is down comes up sooner or later.
    if lower.contains("not up") || lower.contains("is down") {
        return Err(reason);
    }
    Ok(LiveError::Open { name: name.to_owned(), reason })
}

/// The interfaces of this machine that frames can be captured from.
pub fn interfaces() -> Vec<String> {
    let pseudo = |name: &str| name.starts_with("nf") || name.starts_with("usbmon") || name.starts_with("bluetooth");
    let all = Device::list().unwrap_or_default();
    all.into_iter().map(|device| device.name).filter(|name| !pseudo(name)).collect()
}
