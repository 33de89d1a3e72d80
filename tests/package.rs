//! What the package promises: units that systemd accepts and rates as hardened, a configuration that is valid as it is
//! shipped, a capture that takes `CAP_NET_RAW` and nothing else. The package's own life is in `make package-test`.

#[path = "support/cli.rs"]
mod cli;
#[path = "support/sensor.rs"]
mod sensor;

use cli::{Folder, apitap};
use sensor::{Site, until};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What `systemd-analyze security` may say at most, of 10.
const MOST_EXPOSURE: f64 = 2.0;

fn packaged(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The units as they are installed, but for the place of the program, in files of their own.
fn units(folder: &Folder) -> [String; 2] {
    [("apitap.service", "apitap.service"), ("apitap@.service", "apitap@eth1.service")].map(|(unit, name)| {
        let text = packaged(&format!("systemd/{unit}")).replace("/usr/bin/apitap", env!("CARGO_BIN_EXE_apitap"));
        folder.write(name, text)
    })
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    if !has("systemd-analyze") {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let folder = Folder::new();
    for unit in units(&folder) {
        let output = Command::new("systemd-analyze").args(["verify", "--man=no", &unit]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{unit}: {said}");
    }
}

#[test]
fn the_units_are_hardened() {
    if !has("systemd-analyze") {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let folder = Folder::new();
    for unit in units(&folder) {
        let output = Command::new("systemd-analyze").args(["security", "--offline=true", &unit]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let exposure: f64 = said
            .lines()
            .find_map(|line| line.split_once("Overall exposure level for ")?.1.split_once(": "))
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no figure in {said}"));
        println!("{unit}: {exposure}");
        assert!(exposure <= MOST_EXPOSURE, "{said}");
    }
}

#[test]
fn an_instance_shares_nothing_that_is_written_to() {
    let (whole, instance) = (packaged("systemd/apitap.service"), packaged("systemd/apitap@.service"));
    for key in ["StateDirectory=", "LogsDirectory=", "RuntimeDirectory="] {
        let value_in = |unit: &str| unit.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        assert_eq!(value_in(&whole).as_deref(), Some("apitap"), "{key}");
        assert_eq!(value_in(&instance).as_deref(), Some("apitap-%i"), "{key}");
    }
    for own in
        ["--state /var/lib/apitap-%i", "--log-dir /var/log/apitap-%i", "-i %i", "SOCKET=/run/apitap-%i/", "LISTEN=\n"]
    {
        assert!(instance.contains(own), "{own}");
    }
}

#[test]
fn the_configuration_is_valid_as_it_is_shipped_and_with_its_examples() {
    let folder = Folder::new();
    let shipped = packaged("packaging/apitap.toml");
    let is_key = |line: &str| line.starts_with('[') || line.contains(" = ");
    let with_examples: String = shipped
        .lines()
        .filter_map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(with_examples.matches(" = ").count() >= 3, "{with_examples}");
    for text in [&shipped, &with_examples] {
        let file = folder.write("apitap.toml", text);
        apitap(&["config", "check", &file]).with_status(0);
    }
}

/// What the unit gives is enough: no other right, no locked memory, no way to gain more.
#[test]
fn capturing_takes_one_capability() {
    let id = std::process::id();
    let name = format!("package-{id}");
    let ip = |arguments: &[&str]| {
        Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !has("setpriv") || !ip(&["netns", "add", &name]) {
        println!("skipped: making network namespaces takes root, iproute2 and setpriv");
        return;
    }
    // The user that runs it must be able to reach the program.
    let program = std::env::temp_dir().join(format!("apitap-{id}"));
    std::fs::copy(env!("CARGO_BIN_EXE_apitap"), &program).unwrap();
    ip(&["-n", &name, "link", "set", "lo", "up"]);
    let run = |capabilities: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &name, "sh", "-c", "ulimit -l 0; exec \"$@\"", "sh", "setpriv"]);
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.args([set, capabilities]);
        }
        cli::run(command.arg(&program).args(["doctor", "-i", "lo", "--duration", "1s"]))
    };
    let (with, without) = (run("-all,+net_raw"), run("-all"));
    ip(&["netns", "delete", &name]);
    std::fs::remove_file(&program).unwrap();
    assert!(with.out.contains("may capture on lo"), "{}{}", with.out, with.err);
    assert!(without.out.contains("fail  rights"), "{}{}", without.out, without.err);
}

/// One that any user may run: what PATH finds first may be in root's home.
const PYTHON: &str = "/usr/bin/python3";

/// Calls of a group of systemd, those of the groups in it included.
fn calls_of(group: &str) -> BTreeSet<String> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", group]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().skip(1).map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.flat_map(|name| if name.starts_with('@') { calls_of(name) } else { [name.to_owned()].into() }).collect()
}

/// The calls that the unit's filter lets through: its lines in their order (systemd.exec(5)).
fn allowed_calls() -> String {
    let mut allowed = BTreeSet::new();
    for line in packaged("systemd/apitap.service").lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (is_denied, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
        let calls = names.split(' ').flat_map(|name| match name.starts_with('@') {
            true => calls_of(name),
            false => [name.to_owned()].into(),
        });
        for call in calls {
            if is_denied {
                allowed.remove(&call)
            } else {
                allowed.insert(call)
            };
        }
    }
    Vec::from_iter(allowed).join(",")
}

/// The sensor within what the unit leaves it: one right, a file system to read, its own folders, the calls of the filter.
#[test]
fn the_sensor_lives_within_what_the_unit_leaves_it() {
    let id = std::process::id();
    let name = format!("confined-{id}");
    let ip = |arguments: &[&str]| {
        Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !["setpriv", "unshare", PYTHON, "systemd-analyze"].iter().all(|program| has(program))
        || !ip(&["netns", "add", &name])
    {
        println!("skipped: it takes root, iproute2, util-linux, python3 and systemd-analyze");
        return;
    }
    ip(&["-n", &name, "link", "set", "lo", "up"]);
    let site = Site::new();
    let shared = Folder::new();
    let (program, confined) = (shared.path("apitap"), shared.path("confined.py"));
    std::fs::copy(env!("CARGO_BIN_EXE_apitap"), &program).unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/confined.py"), &confined).unwrap();
    let folder = site.folder.path("");
    let root = folder.trim_end_matches('/').to_owned();
    assert!(Command::new("chown").args(["-R", "65534:65534", &root]).status().unwrap().success());
    assert!(Command::new("chmod").args(["-R", "a+rX", &shared.path("")]).status().unwrap().success());
    let calls = allowed_calls();
    assert!(calls.contains("epoll_wait") && !calls.contains("setuid"), "{calls}");
    let start = || {
        let mut command = Command::new("ip");
        let mounts = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind / && shift && exec \"$@\"";
        command.args(["netns", "exec", &name, "unshare", "--mount", "sh", "-c", mounts, "sh", &root]);
        command.args(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.args([set, "-all,+net_raw"]);
        }
        command.args([PYTHON, &confined, &calls, &program]).env("INVOCATION_ID", "0");
        site.start_on(&mut command, &["-i", "lo"])
    };
    for is_new in [true, false] {
        let sensor = start();
        let process = std::fs::read_to_string(format!("/proc/{}/status", sensor.child.id())).unwrap();
        // A filter, no way to gain rights, CAP_NET_RAW (13) permitted and nothing in force.
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapPrm:\t0000000000002000", "CapEff:\t0000000000000000"] {
            assert!(process.contains(line), "no {line} in {process}");
        }
        until("frames come", || {
            let datagram = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))";
            assert!(ip(&["netns", "exec", &name, "python3", "-c", datagram]));
            let status = site.asked(&["status", "--json"]);
            status["frames"].as_u64() > Some(0) && status["interfaces"][0]["is_open"] == true
        });
        site.ask(&["state", "stats"]).with_status(0);
        assert!(sensor.stop() < Duration::from_secs(5));
        let said = site.folder.read("daemon.log");
        assert!(
            !said.contains("put aside") && !said.contains("ERROR") && !said.contains("not permitted"),
            "{is_new}: {said}"
        );
    }
    ip(&["netns", "delete", &name]);
}
