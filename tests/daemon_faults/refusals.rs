//! What a daemon cannot start with: it ends at once with status 1, and says what is wrong and what to do.

use crate::cli::{command, files_below};
use crate::daemon::{Disk, Site, refused};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn assert_said(run: &crate::cli::Run, words: &[&str]) {
    for words in words {
        assert!(run.err.contains(words), "not said: {words}\n{}", run.err);
    }
}

#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    for arguments in [&["run", "-i", "nosuch0"][..], &["run", "-i", "nosuch0", "--check"]] {
        let run = refused(command().args(arguments));
        assert_said(&run, &["there is no interface `nosuch0`; there are: ", "lo"]);
    }
}

#[test]
fn without_rights_the_right_is_named() {
    // The program where anybody may run it.
    let site = Site::new();
    std::fs::set_permissions(site.folder.path(""), Permissions::from_mode(0o755)).unwrap();
    let program = site.folder.path("apitap");
    std::fs::copy(env!("CARGO_BIN_EXE_apitap"), &program).unwrap();
    // SAFETY: takes and touches nothing.
    let is_root = unsafe { libc::geteuid() } == 0;
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", &program]);
        command
    } else {
        Command::new(&program)
    };
    let run = refused(command.args(["run", "-i", "lo"]).envs(site.settings()));
    assert_said(&run, &["capturing on `lo` is not allowed", "run apitap as root", "setcap cap_net_raw+ep "]);
}

#[test]
fn a_metrics_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new().set("METRICS__LISTEN", &address);
    let run = site.refused();
    assert_said(&run, &[&address, "cannot be listened on for metrics", "in use", "set `metrics.listen` to another"]);
    drop(taken);
    let (said, _) = site.start().stop();
    assert!(!said.contains("quarantined") && !said.contains("damaged"), "the state was left in order: {said}");
}

#[test]
fn a_control_socket_that_answers_is_left_alone_and_a_dead_one_is_not() {
    let site = Site::new();
    let path = site.folder.path("control.sock");
    let taken = UnixListener::bind(&path).unwrap();
    let run = site.refused();
    assert_said(&run, &[&path, "another apitap answers on the control socket", "a socket of its own"]);
    drop(taken);
    assert!(Path::new(&path).exists(), "nobody listens there any more, as after a kill");
    site.start().stop();
}

#[test]
fn a_state_folder_and_a_log_folder_that_cannot_be_written_are_named() {
    for (name, words) in [("state", "state folder"), ("log", "the log cannot be opened")] {
        let site = Site::new();
        let folder = site.folder.path(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
        // The daemon has given up the right to write everywhere by then, also where root started it.
        let run = site.refused();
        assert_said(&run, &[words, &folder, "Permission denied"]);
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        site.start().stop();
    }
}

#[test]
fn a_state_folder_and_a_log_folder_on_a_read_only_disk_are_named() {
    for (name, words) in [("state", "state folder"), ("log", "the log cannot be opened")] {
        let site = Site::new();
        let folder = site.folder.path(name);
        let Some(disk) = Disk::mount(&folder, 4096) else { return };
        disk.make_read_only();
        let run = site.refused();
        assert_said(&run, &[words, &folder, "Read-only file system"]);
    }
}

#[test]
fn a_state_of_a_newer_apitap_is_left_as_it_is() {
    let site = Site::new();
    site.start().stop();
    let export = files_below(Path::new(&site.folder.path("state/export"))).pop().expect("an export");
    let mut bytes = std::fs::read(&export).unwrap();
    // Magic, version, number, key, CRC-32 of these.
    bytes[8..12].copy_from_slice(&99u32.to_be_bytes());
    let sum = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&sum.to_be_bytes());
    std::fs::write(&export, &bytes).unwrap();
    let run = site.refused();
    assert_said(&run, &["was written in format 99", "use the apitap that wrote it, or move the folder away"]);
    assert_eq!(std::fs::read(&export).unwrap(), bytes);
}

#[test]
fn a_typo_in_the_configuration_is_told_by_its_line() {
    let site = Site::new();
    let file = site.folder.write("apitap.toml", "[capture]\nsnaplen = 65535\nfliter = \"tcp\"\n");
    let run = refused(site.command().args(["--config", &file]));
    assert_said(&run, &["apitap.toml:3: ", "fliter", "did you mean `filter`"]);
    assert!(!Path::new(&site.state()).exists(), "nothing was touched");
}

#[test]
fn a_second_daemon_on_a_state_names_the_first() {
    let site = Site::new();
    let mut first = site.start();
    let run = site.refused();
    assert_said(&run, &["is in use by another apitap", &format!("(process {})", first.pid()), "a folder of its own"]);
    site.feed(&crate::cli::simulated(&crate::attacks(std::time::Duration::ZERO)));
    first.wait_until("the first goes on", |_| {
        site.alerts().iter().any(|alert| alert["apitap"]["detector"] == "scanner")
    });
    first.stop();
}
