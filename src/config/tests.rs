use super::*;
use crate::stream::OverlapPolicy;
use std::net::IpAddr;
use std::time::Duration;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apitap.toml");
    std::fs::write(&path, text).unwrap();
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::read(Some(&path), variables).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

#[track_caller]
fn assert_refused(text: &str, variables: &[(&str, &str)], parts: &[&str]) {
    let message = read(text, variables).expect_err(text);
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn the_embedded_file_is_the_default() {
    let default = Config::default();
    assert_eq!(read("", &[]).unwrap(), default);
    assert_eq!(read(DEFAULT_TEXT, &[]).unwrap(), default);
    assert_eq!(default.learning.duration, Duration::from_secs(600));
    assert_eq!((default.capture.threads, default.alert.syslog.address.as_ref()), (None, None));
    assert_eq!(default.store_limits(), StoreLimits::default());
    assert_eq!(default.flow_limits().flows, FlowLimits::default().flows);
    assert_eq!(default.flow_limits().stream, FlowLimits::default().stream);
    assert_eq!(default.packet_limits(), crate::packet::PacketLimits::default());
    assert_eq!(default.window_limits(), crate::window::WindowLimits::default());
    assert_eq!(default.flow_limits().overlaps, FlowLimits::default().overlaps);
    assert_eq!(default.tunnels(), Tunnels::default());
    assert_eq!(default.http_limits(), crate::http::HttpLimits::default());
    assert_eq!(default.inspect_limits(), crate::inspect::Limits::default());
    assert_eq!(crate::pipeline::Limits::of(&default).scans, crate::pipeline::Limits::default().scans);
}

#[test]
fn limits_reach_the_stages_in_their_units() {
    let text = "
        [limits.network]
        fragments_kib = 256
        held_kib = 128
        [limits.window]
        new_endpoints = 9
        [limits.http]
        head_kib = 16
        connection_kib = 2
        partition_kib = 512
        [limits.http2]
        table_kib = 8
        [limits.bodies]
        decoded_mib = 2
        inspected_kib = 64
        multipart_parts = 7
        scans = 5
    ";
    let config = read(text, &[("APITAP_LIMITS__HTTP2__STREAMS", "99")]).unwrap();
    let (http, inspect) = (config.http_limits(), config.inspect_limits());
    assert_eq!((http.head_bytes, http.connection_bytes, http.partition_bytes), (16 << 10, 2 << 10, 512 << 10));
    assert_eq!((http.http2.table_bytes, http.http2.streams, http.decode.max_output), (8 << 10, 99, 2 << 20));
    assert_eq!((inspect.max_scanned_bytes, inspect.max_parts), (64 << 10, 7));
    let partition = crate::pipeline::Limits::of(&config);
    assert_eq!((partition.scans, partition.window.endpoints), (5, 9));
    assert_eq!((config.packet_limits().fragment_bytes, partition.flows.stream.held_bytes), (256 << 10, 128 << 10));
}

/// Each key stands below a comment of its own, which says `(restart)` exactly where a restart is needed. Types have no
/// defaults of their own, so that a key that is not in the file could not be read.
#[test]
fn every_key_is_explained_and_says_whether_it_needs_a_restart() {
    let (mut section, mut comment, mut keys) = (String::new(), String::new(), 0);
    for line in DEFAULT_TEXT.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            comment.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            comment += text;
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = format!("{section}.{key}");
            assert!(!comment.is_empty(), "{key} is not explained");
            assert_eq!(comment.ends_with("(restart)"), !RELOADABLE.contains(&key.as_str()), "{key}: {comment}");
            comment.clear();
            keys += 1;
        }
    }
    assert_eq!(keys, leaves(&Config::default().written).len());
    let default = Config::default();
    let known: Vec<String> = leaves(&default.written).into_iter().map(|(key, _)| key).collect();
    assert!(RELOADABLE.iter().all(|key| known.iter().any(|known| known == key)));
}

#[test]
fn unknown_keys_are_named_with_their_line_and_the_nearest() {
    assert_refused("\n[identity]\ntrusted_proxys = []\n", &[], &["FILE:3: ", "did you mean `trusted_proxies`?"]);
    assert_refused("[alert.sylog]\naddress = \"\"\n", &[], &["FILE:1: ", "did you mean `syslog`?"]);
    assert_refused("[alerts]\n", &[], &["FILE:1: ", "did you mean `alert`?"]);
    assert_refused("[alert]\nfsync = \"allways\"\n", &[], &["FILE:2: ", "did you mean `always`?"]);
    assert_refused("[detect]\ndisabled = [\"scaner\"]\n", &[], &["FILE:2: ", "did you mean `scanner`?"]);
}

#[test]
fn values_are_checked_with_their_line() {
    let refused: [(&str, &[&str]); 32] = [
        ("[identity]\ntrusted_proxies = [\"ten\"]", &["FILE:2: ", "`ten` is no address or network"]),
        ("[learning]\nduration = \"soon\"", &["FILE:2: ", "`soon` is not a duration"]),
        ("[learning]\nduration = 600", &["FILE:2: ", "integer"]),
        ("[capture]\nbuffer_mib = 0", &["FILE:2: ", "`buffer_mib` is 0; it must be from 1 to 4096"]),
        ("[capture]\nsnaplen = 1500", &["FILE:2: ", "from 65535 to 262144"]),
        ("[capture]\nthreads = 17", &["FILE:2: ", "from 0 to 16"]),
        ("[capture]\nfilter = \"tcp prt 80\"", &["FILE:2: ", "tcp prt 80"]),
        ("[capture]\nvxlan_ports = [\"vxlan\"]", &["FILE:2: "]),
        ("[capture]\nvxlan_ports = [70000]", &["FILE:2: ", "70000"]),
        ("[capture]\ngtp_ports = [2152, 4789]", &["FILE:2: ", "port 4789 stands in `vxlan_ports` already"]),
        ("[capture]\nkey_by = [\"vlans\"]", &["FILE:2: ", "did you mean `vlan`?"]),
        ("[capture]\nencapsulation_depth = 0", &["FILE:2: ", "`encapsulation_depth` is 0; it must be from 1 to 32"]),
        ("[stream]\noverlap = \"frist\"", &["FILE:2: ", "did you mean `first`?"]),
        ("[[stream.overlap_by_network]]\nnetwork = \"net\"\npolicy = \"last\"", &["FILE:2: ", "`net` is no address"]),
        ("[stream]\noverlap_by_network = [{ network = \"10.0.0.0/8\" }]", &["FILE:2: ", "policy"]),
        ("[limits]\nmemory_mib = 12", &["FILE:2: ", "at least 64"]),
        ("[limits]\nclients = -1", &["FILE:2: ", "-1"]),
        ("[limits.http]\nhead_kib = 4", &["FILE:2: ", "`head_kib` is 4; it must be from 8 to 1024"]),
        ("[limits.http]\nhead_kib = 1024\npartition_kib = 1024", &["FILE:3: ", "less than two heads"]),
        ("[limits.http2]\nstream = 100", &["FILE:2: ", "did you mean `streams`?"]),
        ("[limits.bodies]\ncodings = 4", &["FILE:2: ", "`codings` is 4; it must be from 1 to 3"]),
        ("[site]\ntime_zone = \"../../etc/passwd\"", &["FILE:2: ", "no time zone"]),
        ("[alert]\nevents = [\"alerts\"]", &["FILE:2: ", "did you mean `alert`?"]),
        ("[alert]\nrotate_every = \"1s\"", &["FILE:2: ", "`rotate_every` is 1s; it must be from 1m to 3650d"]),
        ("[alert.syslog]\naddress = \"log.example\"", &["FILE:2: ", "udp://HOST:514"]),
        ("[alert.syslog]\nca_file = \"ca.pem\"", &["FILE:2: ", "tls://"]),
        ("[alert.webhook]\nsecret_file = \"key\"", &["FILE:2: ", "there is no `url`"]),
        ("[alert.webhook]\nmin_severity = \"urgent\"", &["FILE:2: ", "unknown"]),
        ("[metrics]\nlisten = \"9464\"", &["FILE:2: "]),
        ("[metrics]\ngraphite = \"carbon\"", &["FILE:2: ", "HOST:2003"]),
        ("[state]\n\nexport = \"1m\"\ncheckpoint = \"2m\"", &["FILE:3: ", "shorter than `checkpoint`"]),
        ("[privacy]\nredact = \"everything\"", &["FILE:2: ", "unknown"]),
    ];
    for (text, parts) in refused {
        assert_refused(text, &[], parts);
    }
    let long = format!("[service]\nsocket = \"/run/{}\"", "x".repeat(103));
    assert_refused(&long, &[], &["FILE:2: ", "`socket` has 108 bytes", "at most 107"]);
}

#[test]
fn a_default_that_another_value_puts_out_of_range_is_said_to_be_one() {
    assert_refused("[state]\ncheckpoint = \"1h\"\nexport = \"1h\"\n[site]\nname = \"\\n\"", &[], &["FILE:5: "]);
    let message = read("[state]\ncheckpoint = \"1h\"", &[("APITAP_STATE__EXPORT", "30m")]).unwrap_err();
    assert!(message.starts_with("APITAP_STATE__EXPORT: `export` is shorter"), "{message}");
}

#[test]
fn values_reach_other_stages_typed() {
    let text = r#"
        [site]
        known_scanners = ["192.0.2.0/24"]
        [capture]
        threads = 3
        [[stream.overlap_by_network]]
        network = "10.1.0.0/16"
        policy = "linux"
        [detect]
        disabled = ["shadow_endpoint"]
        [alert]
        rotate_mib = 2
        [alert.syslog]
        address = "tls://[2001:db8::7]:6514"
        facility = "local7"
        [privacy]
        retention = "7d"
    "#;
    let config = read(text, &[]).unwrap();
    let overlaps = config.flow_limits().overlaps;
    assert_eq!(overlaps.by_network, [("10.1.0.0/16".parse().unwrap(), OverlapPolicy::Linux)]);
    let sinks = config.sinks();
    assert_eq!((sinks.file.rotate_bytes, sinks.file.retention), (2 << 20, Duration::from_secs(7 * 86_400)));
    let syslog = sinks.syslog.unwrap();
    assert_eq!((syslog.address.host.as_str(), syslog.facility.number()), ("2001:db8::7", 23));
    assert!(sinks.webhook.is_none());
    let client: IpAddr = [192, 0, 2, 9].into();
    let other: IpAddr = [192, 0, 3, 9].into();
    let suppressed = |detector, client| {
        let mut all = config.suppressions().into_iter();
        all.any(|one| one.holds(detector, None, Some(client), crate::time::Timestamp(0)))
    };
    assert!(suppressed("scanner", client) && !suppressed("scanner", other) && !suppressed("brute_force", client));
    assert!(suppressed("shadow_endpoint", other));
}

#[test]
fn variables_win_over_the_file_and_have_the_type_of_their_key() {
    let text = "[capture]\nsnaplen = 70000\ninterfaces = [\"eth0\"]\n[alert]\nstdout = false\n";
    let variables = [
        ("APITAP_CAPTURE__SNAPLEN", "80000"),
        ("APITAP_CAPTURE__INTERFACES", "eth1, eth2"),
        ("APITAP_IDENTITY__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("APITAP_ALERT__STDOUT", "true"),
        ("APITAP_ALERT__SYSLOG__ADDRESS", "udp://10.0.0.1:514"),
        ("APITAP_SITE__NAME", "a \"b\" \\ c"),
        ("APITAP_CAPTURE__VXLAN_PORTS", "4789, 20001"),
        ("APITAP_CAPTURE__KEY_BY", "vlan,vni"),
        ("APITAP_CORPUS", "/somewhere"),
        ("PATH", "/bin"),
    ];
    let config = read(text, &variables).unwrap();
    assert_eq!((config.capture.snaplen, config.alert.stdout), (80_000, true));
    assert_eq!(config.capture.interfaces, ["eth1", "eth2"]);
    assert_eq!(config.identity.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.sinks().syslog.unwrap().address.to_string(), "udp://10.0.0.1:514");
    assert_eq!(config.site.name, "a \"b\" \\ c");
    let tunnels = config.tunnels();
    assert_eq!(tunnels.vxlan_ports, [4789, 20_001]);
    assert_eq!(tunnels.key_by, KeyBy { vlan: true, vni: true });
    assert!(read(text, &[("APITAP_CAPTURE__INTERFACES", "")]).unwrap().capture.interfaces.is_empty());
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    for (name, value, parts) in [
        (
            "APITAP_CAPTURE__SNAPLENGTH",
            "1",
            ["APITAP_CAPTURE__SNAPLENGTH: ", "did you mean `APITAP_CAPTURE__SNAPLEN`?"],
        ),
        ("APITAP_CAPTURE_SNAPLEN", "1", ["APITAP_CAPTURE_SNAPLEN: ", "did you mean `APITAP_CAPTURE__SNAPLEN`?"]),
        ("APITAP_CAPTURE__SNAPLEN", "many", ["APITAP_CAPTURE__SNAPLEN: ", "`many` is no whole number"]),
        ("APITAP_CAPTURE__SNAPLEN", "1", ["APITAP_CAPTURE__SNAPLEN: ", "from 65535 to 262144"]),
        ("APITAP_ALERT__STDOUT", "yes", ["APITAP_ALERT__STDOUT: ", "neither `true` nor `false`"]),
        ("APITAP_ALERT__FSYNC", "allways", ["APITAP_ALERT__FSYNC: ", "did you mean `always`?"]),
        ("APITAP_API__OPENAPI", "[1,", ["APITAP_API__OPENAPI: ", "is no list"]),
    ] {
        // Another one before and behind it: the line that is at fault is found.
        let others = [("APITAP_ALERT__FILE", "/x"), (name, value), ("APITAP_STATE__FOLDER", "/y")];
        assert_refused("[site]\nname = \"a\"\n", &others, &parts);
    }
}

#[test]
fn differences_say_what_needs_a_restart() {
    let old = read("[site]\nname = \"a\"\n", &[]).unwrap();
    let new =
        read("[site]\nname = \"b\"\n[alert.webhook]\nbatch = 7\n", &[("APITAP_DETECT__DISABLED", "scanner")]).unwrap();
    let differences = Config::differences(&old, &new);
    assert_eq!(differences.reloadable, ["detect.disabled", "site.name"]);
    assert_eq!(differences.needs_restart, ["alert.webhook.batch"]);
    assert_eq!(Config::differences(&old, &old.clone()), Differences::default());
}

#[test]
fn what_is_no_file_or_no_text_is_refused() {
    let none = Config::read(Some(Path::new("/nonexistent/apitap.toml")), []).unwrap_err().to_string();
    assert!(none.contains("/nonexistent/apitap.toml: cannot be read"), "{none}");
    let folder = tempfile::tempdir().unwrap();
    assert!(Config::read(Some(folder.path()), []).is_err());
    let path = folder.path().join("latin1.toml");
    std::fs::write(&path, b"[site]\nname = \"\xe4\"\n").unwrap();
    let latin = Config::read(Some(&path), []).unwrap_err().to_string();
    assert!(latin.contains("is not UTF-8 at byte 15"), "{latin}");
}

#[test]
fn a_running_daemon_takes_over_what_it_can_and_says_the_rest_each_time() {
    let mut config = read("[capture]\ninterfaces = [\"eth1\"]\n", &[]).unwrap();
    config.capture.interfaces = vec!["eth2".to_owned()]; // as a flag says
    let new = read("[site]\nname = \"b\"\n[limits]\nmemory_mib = 512\nhosts = 99\n", &[]).unwrap();
    let restart = ["capture.interfaces", "limits.hosts"];
    let differences = config.adopt(new.clone());
    assert_eq!(differences.reloadable, ["limits.memory_mib", "site.name"]);
    assert_eq!(differences.needs_restart, restart);
    assert_eq!((config.site.name.as_str(), config.limits.memory_mib, config.limits.hosts), ("b", 512, 2000));
    assert_eq!(config.capture.interfaces, ["eth2"]);
    let again = config.adopt(new);
    assert!(again.reloadable.is_empty() && again.needs_restart == restart, "{again:?}");
}
