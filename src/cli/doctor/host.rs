//! What the host gives the sensor: clock, memory, room on disk, configuration, libpcap.
//!
//! Paths in, checks out. Writes nothing but a file of no name, or one that it removes, where it tries whether a folder
//! can be written to.

use super::listen::libpcap_version;
use super::report::Check;
use crate::config::{Config, DEFAULT_FILE};
use crate::rule::Ruleset;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const MEBIBYTE: u64 = 1 << 20;
/// State of 10,000 endpoints and a day of alerts fit; below the lower one the next checkpoint may not.
const DISK_WARNED: u64 = 1024 * MEBIBYTE;
const DISK_FAILED: u64 = 64 * MEBIBYTE;
/// 10,000 transactions/s take 750 MB (docs/PERFORMANCE.md), an ordinary day about 200 MB.
const MEMORY_WARNED: u64 = 1024 * MEBIBYTE;
const MEMORY_FAILED: u64 = 256 * MEBIBYTE;
/// Who the daemon runs as.
const USER: &str = "apitap";

pub fn libpcap() -> Check {
    Check::ok("libpcap", libpcap_version())
}

pub fn clock() -> Check {
    // SAFETY: all-zero is a valid `timex` (numbers only); with `modes` zero the kernel fills it in and changes nothing.
    let (state, status) = unsafe {
        let mut times: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&mut times), times.status)
    };
    if state < 0 {
        return Check::ok("clock", format!("cannot be asked: {}", std::io::Error::last_os_error()));
    }
    if state == libc::TIME_ERROR || status & libc::STA_UNSYNC != 0 {
        let mend = "install chrony, or `timedatectl set-ntp true`: times in alerts must fit those of other logs";
        return Check::warn("clock", "is not synchronised", mend);
    }
    Check::ok("clock", "is synchronised")
}

pub fn memory() -> Check {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(available) = available_memory(&text) else {
        return Check::ok("memory", "cannot be asked");
    };
    let found = format!("{} MiB available", available / MEBIBYTE);
    let mend = "give the sensor's host 1 GiB: an ordinary day takes about 200 MiB, a flood more";
    match available {
        0..MEMORY_FAILED => Check::fail("memory", found, mend),
        MEMORY_FAILED..MEMORY_WARNED => Check::warn("memory", found, mend),
        _ => Check::ok("memory", found),
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// A folder that the daemon writes to.
pub fn folder(name: &'static str, path: &Path) -> Check {
    let shown = path.display();
    let make = format!("`install -d -o {USER} -g {USER} -m 750 {shown}`; the unit makes its own folders by itself");
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return Check::fail(name, format!("{shown} is not a folder"), "name another one"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::warn(name, format!("{shown} is not there"), make);
        }
        Err(error) => return Check::fail(name, format!("{shown}: {error}"), make),
    };
    if let Err(error) = tempfile::tempfile_in(path) {
        let mend = format!("`chown {USER}: {shown}`, or run this as the daemon's user: `sudo -u {USER} apitap doctor`");
        return Check::fail(name, format!("{shown} cannot be written to: {error}"), mend);
    }
    let free = match rustix::fs::statvfs(path) {
        Ok(volume) => volume.f_bavail.saturating_mul(volume.f_frsize),
        Err(error) => return Check::fail(name, format!("{shown}: {error}"), "see to the disk"),
    };
    let found = format!("{shown}: {} MiB free", free / MEBIBYTE);
    match free {
        0..DISK_FAILED => Check::fail(name, found, "make room"),
        _ if !belongs_to_daemon(metadata.uid()) => {
            Check::warn(name, format!("{found}, but it is not {USER}'s"), format!("`chown -R {USER}: {shown}`"))
        }
        DISK_FAILED..DISK_WARNED => Check::warn(name, found, "make room: 1 GiB lasts for state and a day of alerts"),
        _ => Check::ok(name, found),
    }
}

/// Root can write anywhere, the daemon's user only to what is its own. Where that user is not there, nobody is wrong.
fn belongs_to_daemon(owner: u32) -> bool {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    !rustix::process::geteuid().is_root() || user_id(&users, USER).is_none_or(|id| id == owner)
}

/// A user's number in a file like `/etc/passwd` (passwd(5)).
fn user_id(users: &str, name: &str) -> Option<u32> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// The configuration that counts: the one that is named, or else the daemon's, where it is there.
pub fn configuration_file(named: Option<&Path>) -> Option<&Path> {
    named.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()))
}

/// The configuration, the rules and the descriptions that it names.
pub fn configuration(named: Option<&Path>) -> Check {
    let Some(path) = configuration_file(named) else {
        return Check::ok("configuration", format!("there is no {DEFAULT_FILE}: defaults are used"));
    };
    let loaded = Config::load(Some(path)).map_err(anyhow::Error::from).and_then(|config| {
        let rules = Ruleset::load(config.rules.folder.as_deref())?;
        Ok(config.settings(&rules, &[])?)
    });
    match loaded {
        Ok(_) => Check::ok("configuration", format!("{} is valid", path.display())),
        Err(error) => {
            Check::fail("configuration", crate::cli::said_of(&error), "mend that line; the daemon would not start")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn memory_is_read_from_the_kernels_table() {
        let table = "MemTotal:       24595912 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available_memory(table), Some(2 << 20));
        assert_eq!(available_memory("MemAvailable: lots\n"), None);
    }

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\napitap2:x:7:7::/:/x\napitap:x:994:992::/:/x\n";
        assert_eq!(user_id(users, "apitap"), Some(994));
        assert_eq!(user_id(users, "nobody"), None);
    }

    #[test]
    fn a_folder_is_tried_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let check = super::folder("state", folder.path());
        assert_ne!(check.verdict, Verdict::Fail, "{check:?}");
        assert!(check.found.contains("MiB free"), "{check:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(super::folder("state", &file).verdict, Verdict::Fail);
        let missing = super::folder("state", &folder.path().join("missing"));
        assert_eq!(missing.verdict, Verdict::Warn);
        assert!(missing.mend.unwrap().contains("install -d -o apitap"));
    }
}
