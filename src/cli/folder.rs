//! A state folder that a command opened: what it wrote belongs to the folder's owner again when it is done.

use anyhow::Context;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::process::{Gid, Uid};
use std::io;
use std::path::Path;

/// Does something in a folder that no daemon has.
pub fn in_folder<T>(folder: &Path, deed: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let is_there = folder.exists();
    let done = deed();
    let given = if is_there || done.is_ok() { give_to_owner(folder) } else { Ok(()) };
    let done = done?;
    given.with_context(|| {
        format!("what was written to {0} cannot be given to its owner; `chown -R apitap: {0}`", folder.display())
    })?;
    Ok(done)
}

/// Root writes files of its own, which the daemon, whose folder it is, could not read. Links are not followed: the folder is
/// the daemon's, to which root does no favours beyond it.
fn give_to_owner(folder: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let top = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let of = rustix::fs::fstat(&top)?;
    if of.st_uid == 0 {
        return Ok(());
    }
    let (user, group) = (Some(Uid::from_raw(of.st_uid)), Some(Gid::from_raw(of.st_gid)));
    let mut folders = vec![top];
    while let Some(folder) = folders.pop() {
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            rustix::fs::chownat(&folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folders.extend(rustix::fs::openat(&folder, name, flags, Mode::empty()).ok()); // what is no folder is refused
        }
    }
    Ok(())
}
