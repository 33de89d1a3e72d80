//! A short live capture: interfaces in, frames into [`Traffic`], and checks of the capture itself out.
//!
//! All interfaces are read in turn by one thread, so that flows whose directions arrive on two cards are whole. Refused:
//! an interface that libpcap cannot open, with its reason.
//!
//! Bounds: [`BUFFER_BYTES`] of the kernel's memory an interface.

use super::report::Check;
use super::traffic::Traffic;
use crate::capture::{Frame, LinkType};
use crate::time::Timestamp;
use pcap::{Active, Capture, Device, Error};
use std::ffi::{CStr, c_char};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const BUFFER_BYTES: i32 = 16 << 20;
/// The kernel hands a block on when it is full or this old.
const BLOCK_AGE_MILLISECONDS: i32 = 50;
/// With nothing to read on any interface. Far below the age of a block.
const PAUSE: Duration = Duration::from_millis(5);
/// Frames of one interface before it is the next one's turn.
const TURN: usize = 256;
/// A frame is this much older or newer than now at most, blocks and pauses included.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

struct Line<'a> {
    name: &'a str,
    capture: Capture<Active>,
    link: LinkType,
}

/// Listens for a while. Checks of rights, of drops and of the frames' clock.
pub fn listen(names: &[&str], duration: Duration, traffic: &mut Traffic) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut lines = Vec::new();
    for name in names {
        match open(name) {
            Ok(line) => lines.push(line),
            Err(error) => checks.push(refused(name, &error)),
        }
    }
    if lines.is_empty() {
        return checks;
    }
    let opened: Vec<_> = lines.iter().map(|line| line.name).collect();
    checks.push(Check::ok("rights", format!("may capture on {}", opened.join(", "))));
    let end = Instant::now() + duration;
    let mut apart = Duration::ZERO;
    while Instant::now() < end && !lines.is_empty() {
        let mut has_read = false;
        lines.retain_mut(|line| match read(line, traffic) {
            Ok(newest) => {
                if let Some(newest) = newest {
                    has_read = true;
                    apart = apart.max(distance_from_now(newest));
                }
                true
            }
            Err(error) => {
                let mend = "see why the interface went (`dmesg`, `ip link`)";
                checks.push(Check::fail("capture", format!("{} gave up: {error}", line.name), mend));
                false
            }
        });
        if !has_read {
            std::thread::sleep(PAUSE);
        }
    }
    for line in &mut lines {
        checks.push(drops(line, traffic));
    }
    if traffic.last.is_some() {
        checks.push(frame_times(apart));
    }
    checks
}

fn open<'a>(name: &&'a str) -> Result<Line<'a>, Error> {
    // Snap length: libpcap's own largest, as the sensor takes.
    let capture = Capture::from_device(Device::from(*name))?
        .promisc(true)
        .snaplen(262_144)
        .buffer_size(BUFFER_BYTES)
        .timeout(BLOCK_AGE_MILLISECONDS)
        .open()?
        .setnonblock()?;
    // On Linux a DLT_ number is its LINKTYPE_ number, but for raw IP, where the decoder knows both.
    let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX));
    Ok(Line { name, capture, link })
}

fn refused(name: &str, error: &Error) -> Check {
    let reason = error.to_string();
    let reason = reason.trim_start_matches("libpcap error: ");
    let is_about_rights = reason.contains("permi") || reason.contains("permitted");
    Check::fail(
        if is_about_rights { "rights" } else { "capture" },
        format!("cannot capture on {name}: {reason}"),
        if is_about_rights {
            "run as root, or `setcap cap_net_raw+ep` on the program; the unit gives the daemon this right by itself"
        } else {
            "see `ip link` for the interface and `dmesg` for its driver"
        },
    )
}

/// Reads what is there, at most a turn. Gives the time of the newest frame.
fn read(line: &mut Line, traffic: &mut Traffic) -> Result<Option<Timestamp>, Error> {
    let mut newest = None;
    for _ in 0..TURN {
        let packet = match line.capture.next_packet() {
            Ok(packet) => packet,
            Err(Error::TimeoutExpired | Error::NoMorePackets) => break,
            Err(error) => return Err(error),
        };
        let time = packet.header.ts;
        let time = Timestamp::from_secs_nanos(time.tv_sec, time.tv_usec as u32 * 1000); // below a second
        traffic.see(&Frame { time, link: line.link, wire_len: packet.header.len, bytes: packet.data, source: 0 });
        newest = Some(time);
    }
    Ok(newest)
}

fn distance_from_now(time: Timestamp) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_secs_nanos(now.as_secs() as i64, now.subsec_nanos());
    now.since(time).max(time.since(now))
}

fn drops(line: &mut Line, traffic: &mut Traffic) -> Check {
    let stats = match line.capture.stats() {
        Ok(stats) => stats,
        Err(error) => return Check::ok("drops", format!("{} does not count them: {error}", line.name)),
    };
    traffic.add_drops(u64::from(stats.dropped), u64::from(stats.if_dropped));
    let found = format!("{}: {} dropped by the kernel, {} by the card", line.name, stats.dropped, stats.if_dropped);
    if stats.if_dropped > 0 {
        let mend =
            format!("`ethtool -G {} rx 4096`, and see whether the mirror carries more than the card can", line.name);
        return Check::warn("drops", found, mend);
    }
    if stats.dropped > 0 {
        return Check::warn("drops", found, "the host is too busy: give it more processors, or mirror less");
    }
    Check::ok("drops", found)
}

fn frame_times(apart: Duration) -> Check {
    let found = format!("frames are at most {:.1} s from the host's clock", apart.as_secs_f64());
    if apart > CLOCK_TOLERANCE {
        let mend = "set the clock of what stamps the frames (card, packet broker), or take the host's stamps";
        return Check::warn("frame times", found, mend);
    }
    Check::ok("frame times", found)
}

unsafe extern "C" {
    /// Of libpcap, which the `pcap` crate links.
    fn pcap_lib_version() -> *const c_char;
}

/// What libpcap says of itself, `libpcap version 1.10.3 (with TPACKET_V3)`.
pub fn libpcap_version() -> String {
    // SAFETY: takes nothing, and gives a string that lives as long as the library (pcap_lib_version(3PCAP)).
    let version = unsafe { CStr::from_ptr(pcap_lib_version()) };
    version.to_string_lossy().into_owned()
}
