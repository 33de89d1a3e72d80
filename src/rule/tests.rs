use super::*;

/// Loads a folder with these files.
fn load(files: &[(&str, &str)]) -> Result<Ruleset, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    // Messages name the file below the folder.
    let prefix = format!("{}/", folder.path().display());
    Ruleset::load(Some(folder.path())).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn refusal(name: &str, text: &str) -> String {
    load(&[(name, text)]).expect_err("the file is refused")
}

#[test]
fn the_embedded_rules_are_valid() {
    let rules = Ruleset::default();
    assert_eq!(Ruleset::load(None).unwrap(), rules);
    assert_eq!(load(&[]).unwrap(), rules, "an empty folder changes nothing");
    assert!(rules.suppressions.is_empty());
}

#[test]
fn every_embedded_file_stands_by_itself_in_a_folder() {
    assert_eq!(load(EMBEDDED).unwrap(), Ruleset::default());
}

#[test]
fn every_detector_has_its_own_signature() {
    let rules = Ruleset::default();
    let texts: Vec<_> = Ruleset::detectors().iter().map(|name| rules.alert_text(name).expect(name)).collect();
    let ids: Vec<u32> = texts.iter().map(|text| text.signature_id).collect();
    assert!(ids.is_sorted_by(|one, next| one < next) && ids[0] == 9_000_001, "{ids:?}");
    for (index, text) in texts.iter().enumerate() {
        let is_of_sensor = Ruleset::detectors()[index].starts_with("sensor_");
        // Availability has no id in the OWASP API Security Top 10.
        let has_owasp = !is_of_sensor && Ruleset::detectors()[index] != "traffic_drop";
        assert_eq!(text.owasp.as_ref().is_some_and(|owasp| owasp.starts_with("API")), has_owasp);
        assert_eq!(text.attack.as_ref().is_some_and(|attack| attack.starts_with('T')), !is_of_sensor);
    }
    assert_eq!(rules.alert_text("frobnicator"), None);
}

#[test]
fn a_folder_changes_only_what_it_names() {
    let rules =
        load(&[("client_error_spike.toml", "[scanner]\nmin_paths = 7\n[client_error_spike.host]\nenabled = false\n")]);
    let mut expected = Ruleset::default();
    expected.scanner.min_paths = 7;
    expected.client_error_spike.host.enabled = false;
    assert_eq!(rules.unwrap(), expected);
}

#[test]
fn whole_numbers_do_for_fractions_and_lists_are_replaced() {
    let rules = load(&[
        ("credential_stuffing.toml", "[credential_stuffing.endpoint]\nbaseline_factor = 3\nhorizons_seconds = [3600]"),
        ("api.toml", "session.cookies = ['shop']"),
    ]);
    let rules = rules.unwrap();
    assert_eq!(rules.credential_stuffing.endpoint.baseline_factor, 3.0);
    assert_eq!(rules.credential_stuffing.endpoint.horizons_seconds, [3600]);
    assert!(rules.names.is_session_cookie("SHOP") && !rules.names.is_session_cookie("phpsessid"));
}

#[test]
fn a_value_out_of_range_is_refused_with_file_and_line() {
    let text = "# mine\n[scanner]\nmin_missing_share = 0.4\nmin_paths = 0\n";
    assert_eq!(
        refusal("client_error_spike.toml", text),
        "client_error_spike.toml:4: `min_paths` is 0; it must be at least 2"
    );
    for (name, text, expected) in [
        (
            "client_error_spike.toml",
            "[scanner]\nmin_missing_share = 1.5",
            "2: `min_missing_share` is 1.5; it must be from 0 to 1",
        ),
        (
            "client_error_spike.toml",
            "[scanner]\nmin_missing_share = nan",
            "2: `min_missing_share` is NaN; it must be from 0 to 1",
        ),
        (
            "client_error_spike.toml",
            "[scanner]\nstatuses = [404, 200]",
            "2: `statuses` has 200; it must have statuses from 400 to 499",
        ),
        (
            "object_enumeration.toml",
            "object_enumeration.peer_quantile = 0.4",
            "1: `peer_quantile` is 0.4; it must be from 0.5 to 1",
        ),
        (
            "object_enumeration.toml",
            "[object_enumeration]\nhorizons_seconds = [3600, 600]",
            "2: `horizons_seconds` must go from the shortest span to the longest",
        ),
        (
            "client_error_spike.toml",
            "[scanner]\nwindow_seconds = 300",
            "2: `window_seconds` is 300; it must be 600, 3600, 21600 or 86400, the spans that are kept",
        ),
        (
            "object_enumeration.toml",
            "[object_enumeration]\nhorizons_seconds = []",
            "2: `horizons_seconds` has 0 spans; it must have 1 to 4",
        ),
        ("object_enumeration.toml", "[object_enumeration.alert]\nadvice = ''", "2: `advice` must be a line of text"),
        (
            "data_exfiltration.toml",
            "\n[data_exfiltration.min_values]\nhigh = 3000",
            "2: `medium` is 100; it must be at least 3000 (its value is the default)",
        ),
        (
            "shadow_endpoint.toml",
            "[shadow_endpoint]\nignored_methods = ['get']",
            "2: `ignored_methods` has small letters; methods are case-sensitive: write GET",
        ),
        (
            "credential_stuffing.toml",
            "[brute_force]\nsuccess_severity = 'low'",
            "2: `success_severity` is low; it must not be below `alert.severity`, which is medium",
        ),
    ] {
        assert_eq!(refusal(name, text), format!("{name}:{expected}"));
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known() {
    let message = refusal("client_error_spike.toml", "[scanner]\nenabled = true\nmin_path = 3");
    assert!(message.starts_with("client_error_spike.toml:3: unknown field `min_path`"), "{message}");
    assert!(message.ends_with("did you mean `min_paths`?"), "{message}");
    let message = refusal("client_error_spike.toml", "\n[scaner]\nenabled = true");
    assert!(
        message.starts_with("client_error_spike.toml:2: ") && message.ends_with("did you mean `scanner`?"),
        "{message}"
    );
    let message = refusal("object_enumeration.toml", "[object_enumeration.alert]\nseverity = 'hihg'");
    assert!(
        message.starts_with("object_enumeration.toml:2: ") && message.ends_with("did you mean `high`?"),
        "{message}"
    );
}

#[test]
fn wrong_types_and_broken_toml_are_refused_with_their_line() {
    for text in [
        "[scanner]\nmin_paths = 'many'",
        "[scanner]\nmin_paths = -1",
        "[scanner]\nmin_paths = ",
        "[scanner]\n]",
        "scanner = 1\n[scanner.alert]\n",
    ] {
        let message = refusal("client_error_spike.toml", text);
        assert!(message.starts_with("client_error_spike.toml:2: ") || text.starts_with("scanner"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn an_unknown_file_is_refused_but_only_toml_files_are_rules() {
    let message = refusal("credential_stufing.toml", "");
    assert!(
        message.contains("did you mean credential_stuffing.toml?") && message.contains("suppress.toml"),
        "{message}"
    );
    assert!(load(&[("README.md", "notes"), ("suppress.toml~", "[")]).is_ok());
}

#[test]
fn what_cannot_be_read_is_said() {
    let message = Ruleset::load(Some(Path::new("/nowhere/rules"))).unwrap_err().to_string();
    assert!(message.starts_with("/nowhere/rules: the rules folder cannot be read: "), "{message}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("api.toml"), b"# caf\xe9").unwrap();
    let message = Ruleset::load(Some(folder.path())).unwrap_err().to_string();
    assert!(message.ends_with("api.toml: is not UTF-8 at byte 5; save it as UTF-8"), "{message}");
    std::fs::write(folder.path().join("api.toml"), vec![b'#'; FILE_BYTES as usize + 1]).unwrap();
    assert!(Ruleset::load(Some(folder.path())).unwrap_err().to_string().contains("at most 1048576"));
}

const SUPPRESS: &str = r#"
[[suppress]]
detector = "scanner"
client = "192.0.2.0/24"
reason = "our own scan"

[[suppress]]
endpoint = "POST * /login"
until = 2025-11-24
reason = "load test"
"#;

#[test]
fn a_suppression_holds_where_all_it_names_matches() {
    let rules = load(&[("suppress.toml", SUPPRESS)]).unwrap();
    let now = Timestamp::parse("2025-11-23T23:59:59Z").unwrap();
    let later = Timestamp::parse("2025-11-24T00:00:00Z").unwrap();
    let ours: Option<IpAddr> = Some("192.0.2.9".parse().unwrap());
    let mapped: Option<IpAddr> = Some("::ffff:192.0.2.9".parse().unwrap());
    let other: Option<IpAddr> = Some("192.0.3.9".parse().unwrap());
    assert!(rules.suppressed("scanner", None, ours, now) && rules.suppressed("scanner", None, mapped, later));
    assert!(!rules.suppressed("scanner", None, other, now) && !rules.suppressed("scanner", None, None, now));
    assert!(!rules.suppressed("brute_force", None, ours, now));
    let login = Some("POST shop.example.com/login");
    assert_eq!(rules.suppression("brute_force", login, other, now).unwrap().reason, "load test");
    assert!(!rules.suppressed("brute_force", login, other, later), "until then");
    assert!(!rules.suppressed("brute_force", Some("POST shop.example.com/logins"), other, now));
}

#[test]
fn suppressions_that_make_no_sense_are_refused() {
    for (entry, expected) in [
        ("reason = 'quiet'", "2: an entry without"),
        ("detector = 'scaner'\nreason = 'x'", "3: no detector is called `scaner`; did you mean `scanner`?"),
        ("client = '10.0.0.0/40'\nreason = 'x'", "3: `10.0.0.0/40` is no address or network"),
        ("client = '10.0.0.1'\nreason = ' '", "4: `reason` is empty"),
        ("client = '10.0.0.1'", "2: missing field `reason`"),
        ("client = '10.0.0.1'\nuntil = 10:00:00\nreason = 'x'", "4: `until` needs a date"),
        ("clint = '10.0.0.1'\nreason = 'x'", "3: unknown field `clint`"),
    ] {
        let message = refusal("suppress.toml", &format!("\n[[suppress]]\n{entry}\n"));
        assert!(message.starts_with(&format!("suppress.toml:{expected}")), "{message}");
    }
}

#[test]
fn networks_contain_what_they_say() {
    let contains =
        |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
    assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
    assert!(contains("2001:db8::/32", "2001:db8:ffff::1") && !contains("2001:db8::/32", "2001:db9::1"));
    assert!(contains("::/0", "2001:db8::1") && contains("10.1.2.3", "10.1.2.3") && !contains("10.1.2.3", "10.1.2.4"));
}

#[test]
fn names_are_known_by_pattern() {
    let names = Ruleset::default().names;
    assert!(names.is_session_cookie("PHPSESSID") && names.is_session_cookie("_shop_session"));
    assert!(!names.is_session_cookie("theme") && !names.is_session_cookie("csrftoken"));
    assert!(names.is_redacted_parameter("access_token") && !names.is_redacted_parameter("page"));
    assert_eq!(names.is_login_endpoint("POST shop.example.com/enter"), None);
}
