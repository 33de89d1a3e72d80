//! What the kernel says of an interface: is it there, is it up, does the card join frames.
//!
//! Names in; checks, and the MTU for the checks of the traffic, out. Looks into `/sys/class/net` and asks the driver.

use super::report::Check;
use crate::rule::did_you_mean;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

const FOLDER: &str = "/sys/class/net";
/// IFF_UP of `linux/if.h`.
const IFF_UP: u32 = 1;
/// What libpcap listens to all interfaces by; it is none itself.
const ANY: &str = "any";

pub struct Interface {
    pub checks: Vec<Check>,
    /// Whether listening makes sense.
    pub is_usable: bool,
    pub mtu: u32,
}

/// Looks at one interface. What is not known by the kernel is a failure with the names that are.
pub fn look_at(name: &str) -> Interface {
    let mtu = super::traffic::JUMBO_MTU;
    if name == ANY {
        let check = Check::warn("interface", "all of them", "name the one that the mirror arrives on: -i eth1");
        return Interface { checks: vec![check], is_usable: true, mtu };
    }
    let there_are = names();
    if !there_are.iter().any(|known| known == name) {
        let hint = did_you_mean(name, there_are.iter().map(String::as_str));
        let check = Check::fail(
            "interface",
            format!("there is no {name}"),
            format!("name one of {}{hint}", there_are.join(", ")),
        );
        return Interface { checks: vec![check], is_usable: false, mtu };
    }
    let mtu = attribute(name, "mtu").and_then(|text| text.parse().ok()).unwrap_or(mtu);
    let state = attribute(name, "operstate").unwrap_or_default();
    let flags = attribute(name, "flags")
        .and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok())
        .unwrap_or(IFF_UP);
    let is_up = flags & IFF_UP != 0;
    let check = if !is_up {
        Check::fail("interface", format!("{name} is down"), format!("`ip link set {name} up`"))
    } else if matches!(state.as_str(), "down" | "lowerlayerdown") {
        Check::fail("interface", format!("{name} is up, but has no link"), "see to the cable and the switch's port")
    } else {
        Check::ok("interface", format!("{name} is up, MTU {mtu}"))
    };
    Interface { checks: vec![check, offload(name)], is_usable: is_up, mtu }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(FOLDER)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn attribute(name: &str, attribute: &str) -> Option<String> {
    let path: PathBuf = [FOLDER, name, attribute].iter().collect();
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Generic and large receive offload join segments before they are captured: nothing is lost by it, but sizes and times
/// are no longer those of the wire.
fn offload(name: &str) -> Check {
    match (ethtool(name, ETHTOOL_GGRO), ethtool(name, ETHTOOL_GFLAGS)) {
        (Err(error), _) | (_, Err(error)) => Check::ok("offload", format!("{name} cannot be asked: {error}")),
        (Ok(gro), Ok(flags)) => {
            let on: Vec<&str> = [(gro != 0, "GRO"), (flags & ETH_FLAG_LRO != 0, "LRO")]
                .iter()
                .filter(|of| of.0)
                .map(|of| of.1)
                .collect();
            if on.is_empty() {
                Check::ok("offload", "GRO and LRO are off")
            } else {
                Check::warn(
                    "offload",
                    format!("{} on: segments arrive joined, up to 64 kB, with one time for all", on.join(" and ")),
                    format!("`ethtool -K {name} gro off lro off`"),
                )
            }
        }
    }
}

/// `linux/sockios.h` and `linux/ethtool.h`.
const SIOCETHTOOL: u32 = 0x8946;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETH_FLAG_LRO: u32 = 1 << 15;

/// `struct ethtool_value` of `linux/ethtool.h`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ifreq` of `linux/if.h`, with its union as the pointer that `SIOCETHTOOL` reads, padded to its whole size.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: *mut Value,
    rest: [u8; 16],
}

/// One number from the driver.
fn ethtool(name: &str, command: u32) -> io::Result<u32> {
    let mut value = Value { command, data: 0 };
    let mut request = Request { name: [0; libc::IFNAMSIZ], value: &mut value, rest: [0; 16] };
    // The last byte stays zero: the kernel reads the name up to there.
    for (to, from) in request.name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // Any socket will do; this one sends nothing.
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    // SAFETY: `request` is laid out as the kernel's `ifreq` and at least as large, and its pointer is to a live
    // `ethtool_value`, the structure that both commands read and write. Both outlive the call, which keeps neither.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &mut request) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(value.data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn a_name_that_is_not_there_is_told_with_those_that_are() {
        let interface = look_at("l0");
        assert!(!interface.is_usable);
        let check = &interface.checks[0];
        assert_eq!(check.verdict, Verdict::Fail);
        let mend = check.mend.as_deref().unwrap();
        assert!(mend.contains("lo") && mend.contains("did you mean `lo`?"), "{mend}");
        assert!(!look_at("../../etc").is_usable);
    }

    #[test]
    fn the_loopback_interface_has_its_mtu_and_answers_about_offload() {
        let interface = look_at("lo");
        assert!(interface.mtu >= 1280, "{}", interface.mtu);
        assert!(ethtool("lo", ETHTOOL_GGRO).is_ok_and(|on| on <= 1));
        assert!(ethtool("no-such-card", ETHTOOL_GGRO).is_err());
    }
}
