//! What the package promises: units that systemd accepts and rates as hardened, a configuration that is valid as it is
//! shipped, a capture that takes `CAP_NET_RAW` and nothing else. The package's own life is in `make package-test`.

#[path = "support/cli.rs"]
mod cli;

use cli::{Folder, apitap};
use std::path::Path;
use std::process::{Command, Stdio};

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
