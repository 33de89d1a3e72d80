//! `apitap doctor`: a good mirror passes, and each way in which a mirror can be bad is named with its mend. On captures
//! for what needs no rights, on a veth pair between namespaces for what does.

#[path = "support/cli.rs"]
mod cli;

use apitap::simulate::Options;
use cli::{Folder, Run, apitap, capture_of, command, frames_of, simulated};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn small() -> Options {
    Options { duration: Duration::from_secs(60), rate: 5.0, clients: 20, seed: 3, ..Options::default() }
}

/// The report on one capture, and its run.
fn report_on(capture: &[u8]) -> (Value, Run) {
    let folder = Folder::new();
    let file = folder.write("mirror.pcap", capture);
    let run = apitap(&["doctor", "--json", &file]);
    (serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err)), run)
}

#[track_caller]
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[track_caller]
fn assert_verdict(report: &Value, name: &str, verdict: &str) {
    let check = check(report, name);
    assert_eq!(check["verdict"], verdict, "{report:#}");
    assert_eq!(check.get("mend").is_some(), verdict != "ok", "{check}");
}

/// Behind the capture's header of a frame: Ethernet (14), IPv4 (20), TCP. Whether the server sent it.
fn is_from_server(frame: &[u8]) -> bool {
    let source_port = u16::from_be_bytes([frame[16 + 34], frame[16 + 35]]);
    source_port < 10_000 // clients have theirs from the upper half
}

#[test]
fn a_good_mirror_passes() {
    let (report, run) = report_on(&simulated(&small()));
    run.with_status(0);
    for name in ["frames", "vlan", "tunnels", "frame sizes", "duplicates", "directions", "handshakes", "http"] {
        assert_verdict(&report, name, "ok");
    }
    let traffic = &report["traffic"];
    assert_eq!(traffic["flows_one_sided"], 0);
    assert!(traffic["flows_judged"].as_u64() > Some(20), "{traffic:#}");
    assert_eq!(traffic["flows_by_protocol"]["http"], traffic["flows_with_payload"]);
    assert_eq!(traffic["ports"]["http"].as_object().map(|ports| ports.keys().cloned().collect::<Vec<_>>()), {
        Some(["3000", "80", "8080"].map(str::to_owned).to_vec())
    });
}

#[test]
fn a_mirror_of_one_direction_fails() {
    let whole = simulated(&small());
    for wants_server in [true, false] {
        let half: Vec<&[u8]> =
            frames_of(&whole).into_iter().filter(|frame| is_from_server(frame) == wants_server).collect();
        let (report, run) = report_on(&capture_of(&whole, &half));
        run.with_status(1);
        assert_verdict(&report, "directions", "fail");
        assert_verdict(&report, "handshakes", "warn");
        assert_eq!(report["traffic"]["flows_one_sided"], report["traffic"]["flows_judged"]);
    }
}

#[test]
fn some_one_sided_flows_are_warned_of() {
    let whole = simulated(&small());
    // What servers send to one client in eight is lost: a route of its own.
    let most: Vec<&[u8]> =
        frames_of(&whole).into_iter().filter(|frame| !is_from_server(frame) || frame[16 + 33] % 8 != 0).collect();
    let (report, run) = report_on(&capture_of(&whole, &most));
    run.with_status(0);
    assert_verdict(&report, "directions", "warn");
}

#[test]
fn tags_are_named() {
    let (report, run) = report_on(&simulated(&Options { vlan: Some(42), ..small() }));
    run.with_status(0);
    assert_verdict(&report, "directions", "ok");
    assert_eq!(check(&report, "vlan")["found"], "100 % of frames are tagged: 42");
}

#[test]
fn cut_frames_are_warned_of() {
    let (report, run) = report_on(&simulated(&Options { snaplen: 128, ..small() }));
    run.with_status(0);
    assert_verdict(&report, "frame sizes", "warn");
}

/// Ethernet and IPv4 around a UDP datagram.
fn wrapped(port: u16, inner: &[u8]) -> Vec<u8> {
    let udp_bytes = (8 + inner.len()) as u16;
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    packet.extend((20 + udp_bytes).to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2, 0xc0, 0]);
    packet.extend(port.to_be_bytes());
    packet.extend(udp_bytes.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(inner);
    packet
}

#[test]
fn a_mirror_in_a_tunnel_is_looked_into() {
    let whole = simulated(&small());
    let mut capture = whole[..24].to_vec();
    for frame in frames_of(&whole) {
        let packet = wrapped(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &frame[16..]].concat());
        capture.extend(&frame[..8]);
        capture.extend((packet.len() as u32).to_le_bytes());
        capture.extend((packet.len() as u32).to_le_bytes());
        capture.extend(packet);
    }
    let (report, run) = report_on(&capture);
    run.with_status(0);
    for name in ["frames", "tunnels", "directions", "handshakes", "http"] {
        assert_verdict(&report, name, "ok");
    }
    let tunnels = check(&report, "tunnels");
    assert!(tunnels["found"].as_str().unwrap().contains("wrapped in VXLAN 100 %; looked into"), "{tunnels}");
}

#[test]
fn traffic_of_nothing_but_tls_fails() {
    let mut whole = simulated(&small());
    // Every payload becomes a record of TLS application data.
    let mut at = 24;
    while at < whole.len() {
        let kept = u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
        let frame = &mut whole[at + 16..at + 16 + kept];
        let payload = 34 + usize::from(frame[46] >> 4) * 4;
        if let Some(start) = frame.get_mut(payload..payload + 5) {
            start.copy_from_slice(&[0x17, 3, 3, 0, 40]);
        }
        at += 16 + kept;
    }
    let (report, run) = report_on(&whole);
    run.with_status(1);
    assert_verdict(&report, "http", "fail");
    assert!(check(&report, "http")["mend"].as_str().unwrap().contains("behind what ends TLS"));
    assert_verdict(&report, "directions", "ok");
}

#[test]
fn an_empty_capture_fails_and_a_cut_one_is_judged_as_far_as_it_goes() {
    let whole = simulated(&small());
    let (report, run) = report_on(&whole[..24]);
    run.with_status(1);
    assert_verdict(&report, "frames", "fail");
    let (report, run) = report_on(&whole[..whole.len() - 5]);
    run.with_status(1);
    assert_verdict(&report, "capture", "fail");
    assert_verdict(&report, "http", "ok");
}

#[test]
fn the_configuration_is_checked_with_its_line() {
    let folder = Folder::new();
    let config = folder.write("apitap.toml", "[identity]\ntrusted_proxys = []\n");
    let run = apitap(&["doctor", "--config", &config]).with_status(1);
    assert!(run.out.contains("apitap.toml:2") && run.out.contains("trusted_proxys"), "{}", run.out);
    let rules = folder.write("rules/scanner.toml", "");
    let text = format!("[rules]\nfolder = {:?}\n", rules.strip_suffix("/scanner.toml").unwrap());
    let config = folder.write("apitap.toml", text);
    apitap(&["doctor", "--config", &config]).with_status(1); // no rules are called so
}

#[test]
fn the_host_is_checked_without_an_interface() {
    let folder = Folder::new();
    let config = folder.write("apitap.toml", "");
    let state = folder.path(".");
    let run = apitap(&["doctor", "--config", &config, "--state", &state, "--log-dir", &state]);
    for name in ["configuration", "state folder", "log folder", "memory", "clock", "libpcap"] {
        assert!(run.out.lines().any(|line| line[6..].starts_with(name)), "no {name} in\n{}", run.out);
    }
    assert!(run.out.contains("libpcap version 1."), "{}", run.out);
    assert!(!run.out.contains('\x1b'), "no colour in a pipe");
    let coloured = cli::run(command().env("CLICOLOR_FORCE", "1").args(["doctor", "--config", &config]));
    assert!(coloured.out.contains("\x1b[32mok"), "{}", coloured.out);
    let plain = cli::run(command().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").args(["doctor"]));
    assert!(!plain.out.contains('\x1b'));
}

#[test]
fn an_interface_that_is_not_there_fails_with_the_names_of_those_that_are() {
    let run = apitap(&["doctor", "-i", "no-such-card", "--duration", "1s"]).with_status(1);
    assert!(run.out.contains("there is no no-such-card") && run.out.contains("lo"), "{}", run.out);
    apitap(&["doctor", "-i", "lo", "file.pcap"]).with_status(2);
    apitap(&["doctor", "-i", "lo", "--duration", "0s"]).with_status(2);
}

/// Two namespaces joined by a veth pair, `tap0` in the first and `tap1` in the second, gone when dropped.
struct Wire {
    names: [String; 2],
}

impl Wire {
    /// Nothing where namespaces cannot be made.
    fn new() -> Option<Wire> {
        let id = std::process::id();
        let wire = Wire { names: [format!("doctor-a-{id}"), format!("doctor-b-{id}")] };
        let [a, b] = &wire.names;
        let made = ip(&["netns", "add", a])
            && ip(&["netns", "add", b])
            && ip(&["-n", a, "link", "add", "tap0", "type", "veth", "peer", "name", "tap1", "netns", b]);
        if !made {
            return None;
        }
        for (name, link, address) in [(a, "tap0", "10.77.0.1/24"), (b, "tap1", "10.77.0.2/24")] {
            assert!(ip(&["-n", name, "address", "add", address, "dev", link]));
            assert!(ip(&["-n", name, "link", "set", link, "up"]));
        }
        Some(wire)
    }

    fn command(&self, side: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[side], program]).env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
        command
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "delete", name]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A process that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_live_interface_is_listened_to() {
    let Some(wire) = Wire::new() else {
        println!("skipped: making network namespaces takes root and iproute2");
        return;
    };
    if !Command::new("python3").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: the server and the client of this test are in python3");
        return;
    }
    let folder = Folder::new();
    folder.write("www/orders", "[1,2,3]");
    let spawn = |command: &mut Command| Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let _server = spawn(wire.command(1, "python3").args(["-m", "http.server", "80", "-d", &folder.path("www")]));
    let client = "for i in range(200):\n  try: urllib.request.urlopen('http://10.77.0.2/orders', timeout=1).read()\n  \
                  except OSError: pass\n  time.sleep(0.02)";
    let _client = spawn(wire.command(0, "python3").args(["-c", &format!("import time, urllib.request\n{client}")]));

    let program = env!("CARGO_BIN_EXE_apitap");
    let doctor = |arguments: &[&str]| cli::run(wire.command(0, program).args(["doctor", "--json"]).args(arguments));
    let run = doctor(&["-i", "tap0", "--duration", "3s"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    for name in ["interface", "rights", "frames", "directions", "http", "drops", "frame times"] {
        assert_verdict(&report, name, "ok");
    }
    assert!(report["traffic"]["flows_by_protocol"]["http"].as_u64() > Some(10), "{report:#}");

    // Whoever has no right to capture is told so, and how to get it.
    let unprivileged = wire
        .command(0, "setpriv")
        .args(["--reuid", "65534", "--clear-groups", program])
        .args(["doctor", "--json", "-i", "tap0", "--duration", "1s"])
        .output();
    if let Some(output) = unprivileged.ok().filter(|output| !output.stdout.is_empty()) {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_verdict(&report, "rights", "fail");
        assert_eq!(output.status.code(), Some(1));
    } else {
        println!("not tried without rights: `setpriv` cannot run {program} as another user");
    }

    assert!(ip(&["-n", &wire.names[0], "link", "set", "tap0", "down"]));
    let run = doctor(&["-i", "tap0", "--duration", "1s"]).with_status(1);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_verdict(&report, "interface", "fail");
    assert_eq!(check(&report, "interface")["mend"], "`ip link set tap0 up`");
}

#[test]
fn a_silent_interface_fails() {
    let Some(wire) = SilentWire::new() else {
        println!("skipped: making network namespaces takes root and iproute2");
        return;
    };
    let run = cli::run(
        Command::new("ip")
            .args(["netns", "exec", &wire.0, env!("CARGO_BIN_EXE_apitap"), "doctor", "--json", "-i", "lo"])
            .args(["--duration", "1s"]),
    )
    .with_status(1);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_verdict(&report, "rights", "ok");
    assert_verdict(&report, "frames", "fail");
}

/// A namespace with nothing but its own loopback.
struct SilentWire(String);

impl SilentWire {
    fn new() -> Option<SilentWire> {
        let wire = SilentWire(format!("doctor-c-{}", std::process::id()));
        (ip(&["netns", "add", &wire.0]) && ip(&["-n", &wire.0, "link", "set", "lo", "up"])).then_some(wire)
    }
}

impl Drop for SilentWire {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.0]);
    }
}

#[test]
fn what_no_flag_names_is_taken_from_the_configuration() {
    let folder = Folder::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "[capture]\ninterfaces = [\"no-such-card\"]\n[state]\nfolder = {:?}\n[alert]\nfile = {:?}\n[metrics]\nlisten = \"{}\"\n\
         [service]\nsocket = {:?}\n",
        folder.path("state"),
        folder.path("log/alerts.json"),
        held.local_addr().unwrap(),
        folder.path("control.sock"),
    );
    let config = folder.write("apitap.toml", text);
    let run = apitap(&["doctor", "--config", &config, "--json"]).with_status(1);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let found = |name: &str| check(&report, name)["found"].as_str().unwrap().to_owned();
    assert!(found("interface").contains("no-such-card"), "{report:#}");
    assert!(found("state folder").contains(&folder.path("state")), "{report:#}");
    assert!(found("log folder").contains(&folder.path("log")), "{report:#}");
    assert!(found("socket").contains("control.sock"), "{report:#}");
    assert_verdict(&report, "metrics", "fail");
    // A flag wins.
    let run = apitap(&["doctor", "--config", &config, "--state", &folder.path("."), "--json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert!(check(&report, "state folder")["found"].as_str().unwrap().contains("MiB free"), "{report:#}");
}
