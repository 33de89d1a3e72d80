//! Memory: how much the process uses, how much it may, and what is given back.

use libmimalloc_sys::{mi_collect, mi_option_set_default, mi_option_t};
use std::path::{Path, PathBuf};

/// `mi_option_purge_delay` of mimalloc.h, which the bindings do not name: milliseconds.
const PURGE_DELAY: mi_option_t = 15;
/// The allocator waits for a second where nothing is said. A tenth of the memory is freed and taken again within it.
const PURGE_DELAY_MS: i64 = 50;

/// Share of what the unit or container allows at which to let go of something, before the kernel kills.
const SHARE_PERCENT: u64 = 80;

/// The allocator gives freed memory back to the kernel sooner than by itself, where the environment
/// (`MIMALLOC_PURGE_DELAY`) says nothing.
pub fn give_freed_memory_back_soon() {
    // SAFETY: sets a number.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
}

/// Gives freed memory back to the kernel at once: all that is free for everybody, and what this thread has freed.
pub fn give_back() {
    // SAFETY: touches only what nobody holds.
    unsafe { mi_collect(true) }
}

/// Memory of the process that is in use, as the kernel counts it (proc(5), statm).
pub fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes that the process is to keep within: those configured, else a share of what its control group allows, else 0 for no
/// limit.
pub fn limit(configured_mib: u64) -> u64 {
    match configured_mib {
        0 => group_limit(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"))
            .map_or(0, |most| most / 100 * SHARE_PERCENT),
        mib => mib << 20,
    }
}

/// The tightest limit of a control group and those above it (cgroups(7)): version 2, or version 1's memory controller.
fn group_limit(membership: &Path, mounted: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(membership).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (root, file) = match fields.next()? {
            "" => (mounted.to_owned(), "memory.max"),
            controllers if controllers.split(',').any(|one| one == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = root.join(fields.next()?.trim_start_matches('/'));
        let above = group.ancestors().take_while(|path| path.starts_with(&root)).map(PathBuf::from);
        above.filter_map(|path| std::fs::read_to_string(path.join(file)).ok()?.trim().parse::<u64>().ok()).min()
    });
    // Version 1 says "no limit" with the largest number of pages.
    limits.min().filter(|limit| *limit < 1 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_delay_is_the_option_that_was_meant() {
        // SAFETY: reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "mimalloc's default");
        give_freed_memory_back_soon();
        assert_eq!(delay(), PURGE_DELAY_MS);
    }

    #[test]
    fn the_process_uses_some_memory() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(limit(64), 64 << 20);
    }

    #[test]
    fn the_tightest_group_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let set = |path: &str, text: &str| {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), text).unwrap();
        };
        set("membership", "0::/system.slice/apitap.service\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), None);
        set("cgroup/system.slice/apitap.service/memory.max", "max\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), None);
        set("cgroup/system.slice/memory.max", "2147483648\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), Some(2 << 30));
        set("cgroup/system.slice/apitap.service/memory.max", "1073741824\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), Some(1 << 30));

        set("membership", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n");
        set("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), None);
        set("cgroup/memory/docker/1/memory.limit_in_bytes", "536870912\n");
        assert_eq!(group_limit(&at("membership"), &at("cgroup")), Some(512 << 20));
        assert_eq!(group_limit(&at("none"), &at("cgroup")), None);
    }
}
