//! Rights: as few as capturing needs, and in force only while an interface is opened.
//!
//! Called once the interfaces are open and before threads are started (rights belong to a thread, and new threads
//! inherit them). Started as root outside systemd, the process becomes another user and keeps no right but CAP_NET_RAW;
//! that one stays permitted, not effective. No program that it starts can gain rights.

use caps::{CapSet, Capability, CapsHashSet};
use std::ffi::CString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error("the rights of root could not be given up ({step}): {reason}")]
    GiveUp { step: &'static str, reason: String },
    #[error("{path}: cannot be made for the user `{user}`: {source}")]
    Folder { path: String, user: String, source: io::Error },
}

/// What the process may still do.
#[derive(Clone, Copy)]
pub struct Privileges {
    keeps_raw: bool,
}

struct User {
    id: libc::uid_t,
    group: libc::gid_t,
}

impl Privileges {
    /// Gives up what is not needed. `folders` are made for the user that is changed to, if they are not there. A user
    /// that there is not is no reason to listen to nothing: `notes` says so, and root without its rights goes on.
    pub fn reduce(
        user: Option<&str>,
        folders: &[&Path],
        notes: &mut Vec<String>,
    ) -> Result<Privileges, PrivilegeError> {
        let failed = |step| move |reason: String| PrivilegeError::GiveUp { step, reason };
        // SAFETY: PR_SET_NO_NEW_PRIVS takes no pointers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
            return Err(failed("no new privileges")(io::Error::last_os_error().to_string()));
        }
        // SAFETY: takes and touches nothing.
        let is_root = unsafe { libc::geteuid() } == 0;
        let is_of_systemd = std::env::var_os("INVOCATION_ID").is_some();
        if let Some(name) = user.filter(|_| is_root && !is_of_systemd) {
            match find(name) {
                Some(user) => {
                    make_folders(name, &user, folders)?;
                    become_user(&user).map_err(failed("change of user"))?;
                }
                None => notes.push(format!(
                    "there is no user `{name}` to change to: staying root, but for its rights; create it (`useradd --system \
                     --no-create-home {name}`), or name another as `service.user`"
                )),
            }
        }
        let may = |set| caps::has_cap(None, set, Capability::CAP_NET_RAW).unwrap_or(false);
        let keeps_raw = may(CapSet::Permitted);
        let kept: CapsHashSet = keeps_raw.then_some(Capability::CAP_NET_RAW).into_iter().collect();
        let set =
            |set, to: &CapsHashSet| caps::set(None, set, to).map_err(|error| failed("capabilities")(error.to_string()));
        set(CapSet::Effective, &CapsHashSet::new())?;
        set(CapSet::Inheritable, &CapsHashSet::new())?;
        set(CapSet::Permitted, &kept)?;
        Ok(Privileges { keeps_raw })
    }

    /// Does something with the right to open interfaces, where there is one.
    pub fn raised<T>(&self, deed: impl FnOnce() -> T) -> T {
        let raised = self.keeps_raw && caps::raise(None, CapSet::Effective, Capability::CAP_NET_RAW).is_ok();
        let done = deed();
        if raised {
            let _ = caps::drop(None, CapSet::Effective, Capability::CAP_NET_RAW); // a right that is held can be dropped
        }
        done
    }
}

fn find(name: &str) -> Option<User> {
    let c_name = CString::new(name).ok()?;
    // SAFETY: the name ends with NUL; no other thread looks up users yet, so that what is pointed to stays.
    unsafe {
        let entry = libc::getpwnam(c_name.as_ptr()).as_ref()?;
        Some(User { id: entry.pw_uid, group: entry.pw_gid })
    }
}

/// Makes the folders that are not there and gives them to the user. One that is there is somebody's: it is left alone.
fn make_folders(name: &str, user: &User, folders: &[&Path]) -> Result<(), PrivilegeError> {
    for folder in folders.iter().filter(|folder| !folder.exists()) {
        let of = |source| PrivilegeError::Folder { path: folder.display().to_string(), user: name.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(of)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o750)).map_err(of)?;
        chown(folder, Some(user.id), Some(user.group)).map_err(of)?;
    }
    Ok(())
}

fn become_user(user: &User) -> Result<(), String> {
    let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().to_string()) };
    // SAFETY: plain numbers; the empty list of groups is not looked at.
    unsafe {
        check(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(user.group, user.group, user.group))?;
        check(libc::setresuid(user.id, user.id, user.id))?;
        check(libc::prctl(libc::PR_SET_KEEPCAPS, 0, 0, 0, 0))
    }
}
