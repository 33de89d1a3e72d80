use super::*;
use crate::alert::record::EventType;
use clap::CommandFactory;
use clap::error::ErrorKind;

fn parsed(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(std::iter::once("apitap").chain(line.split(' '))).map(|cli| cli.command)
}

fn tail(line: &str) -> TailArgs {
    match parsed(line) {
        Ok(Command::Tail(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_contract_of_replay_is_understood() {
    let line = "replay a.pcap b.pcap.gz - --baseline base1 --baseline base2 --state s --rules r --config apitap.toml \
                --openapi a.yaml --openapi b.json --filter tcp --redact all --threads 4 --learn 90s --eve - \
                --events alert,http,endpoint,stats --json --fail-on critical --no-progress --stats";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let Ok(Command::Replay(args)) = parsed(&line) else { panic!("{:?}", parsed(&line)) };
    assert_eq!((args.files.len(), args.reading.baseline.len(), args.reading.openapi.len()), (3, 2, 2));
    assert_eq!((args.redact, args.reading.learn), (Some(Redact::All), Some(Duration::from_secs(90))));
    assert_eq!(args.events, EventType::NAMES.map(|name| name.parse().unwrap()));
    assert_eq!((args.fail_on, args.reading.threads.map(NonZeroUsize::get)), (Some(Severity::Critical), Some(4)));
    assert!(args.json && args.reading.no_progress && args.stats && args.eve.is_some_and(|eve| is_dash(&eve)));
}

#[test]
fn what_replay_is_not_told_is_as_documented() {
    let Ok(Command::Replay(args)) = parsed("replay a.pcap") else { panic!() };
    assert_eq!((args.redact, args.events, args.fail_on), (None, vec![EventType::Alert], None));
    assert!(!args.json && !args.reading.no_progress && !args.no_learn);
}

#[test]
fn built_in_rules_are_named_by_file_or_by_detector() {
    for (name, file) in [
        ("login.toml", None),
        ("credential_stuffing.toml", Some("credential_stuffing.toml")),
        ("suppress", Some("suppress.toml")),
        ("otp_brute_force", Some("account_abuse.toml")),
        ("scanner", Some("client_error_spike.toml")),
    ] {
        let named = match parsed(&format!("rules default {name}")) {
            Ok(Command::Rules(RulesArgs { command: RulesCommand::Default { name } })) => name,
            _ => None,
        };
        assert_eq!(named, file, "{name}");
    }
    for detector in Ruleset::detectors().iter().filter(|detector| !detector.starts_with("sensor_")) {
        assert!(rules_named(detector).is_ok(), "{detector}");
    }
}

#[test]
fn wrong_usage_is_refused_as_such() {
    for line in [
        "replay",
        "replay a --threads 0",
        "replay a --fail-on worst",
        "replay a --events alert,flow",
        "replay a --learn soon",
        "replay a --no-learn",
        "tail --detector scaner",
        "rules default scaner",
        "tail --client nobody",
        "tail --since yesterday",
        "tail --lines some",
        "tail --json -v",
        "inventory --openapi api.yaml",
        "inventory a.pcap --state dir",
        "inventory a.pcap --format xml",
        "evaluate",
        "evaluate a.pcap",
        "evaluate --truth t",
        "evaluate a.pcap --truth t --alerts b",
        "evaluate --alerts b --truth t --baseline c",
        "evaluate --merge b --truth t",
        "evaluate --merge b --threads 2",
        "evaluate --alerts b --truth t --state s",
        "evaluate a.pcap --truth t --max-false -1",
        "simulate",
        "simulate -o x --list",
        "simulate -o x --scenario phishing",
        "simulate -o x --loss 1.1",
        "simulate -o x --rate -1",
        "simulate -o x --vlan 4095",
        "simulate -o x --snaplen 10",
        "rules",
        "completions tcsh",
        "listen",
    ] {
        let error = parsed(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn a_misspelt_name_gets_the_right_one() {
    for (line, hint) in [
        ("replay a --fail-on hihg", "'high'"),
        ("replay a --evetns alert", "'--events'"),
        ("repaly a", "'replay'"),
        ("tail --detector scaner", "did you mean `scanner`?"),
        ("simulate -o x --scenario credential_stufing", "did you mean `credential_stuffing`?"),
        ("simulate -o x --scenario scanner:steal", "did you mean `stealthy`?"),
    ] {
        let message = parsed(line).expect_err(line).to_string();
        assert!(message.contains(hint), "{line}: {message}");
    }
}

#[test]
fn help_and_version_end_well() {
    for (line, kind) in [
        ("--help", ErrorKind::DisplayHelp),
        ("help", ErrorKind::DisplayHelp),
        ("help replay", ErrorKind::DisplayHelp),
        ("--version", ErrorKind::DisplayVersion),
    ] {
        let shown = parsed(line).expect_err(line);
        assert_eq!((shown.kind(), shown.exit_code()), (kind, 0), "{line}");
    }
}

#[test]
fn every_command_has_examples_or_is_a_group() {
    let command = Cli::command();
    for part in command.get_subcommands().filter(|part| !part.has_subcommands() && !part.is_hide_set()) {
        assert!(part.get_about().is_some(), "{}", part.get_name());
        let after = part.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("Example"), "{}", part.get_name());
    }
}

#[test]
fn tail_follows_on_a_terminal_unless_the_input_ends_by_itself() {
    assert!(tail("tail").follows(true) && !tail("tail").follows(false));
    assert!(tail("tail --follow").follows(false) && !tail("tail --no-follow").follows(true));
    assert!(tail("tail --no-follow --follow").follows(false) && !tail("tail --follow --no-follow").follows(true));
    assert!(
        !tail("tail a.json.1.gz").follows(true) && !tail("tail -").follows(true) && tail("tail - -f").follows(true)
    );
    assert_eq!(tail("tail").file, None);
    assert_eq!(tail("tail -n all").lines, Some(Lines::All));
}

#[test]
fn since_is_a_time_or_a_span_before_now() {
    let now = Timestamp::from_secs_nanos(1_763_892_000, 0); // 2025-11-23 10:00:00 UTC
    let since = |text: &str| text.parse::<Since>().map(|since| since.before(now).to_string());
    assert_eq!(since("2h").as_deref(), Ok("2025-11-23T08:00:00.000000+0000"));
    assert_eq!(since("2025-11-22T12:00:00+02:00").as_deref(), Ok("2025-11-22T10:00:00.000000+0000"));
    for (text, time) in [
        ("2025-11-22", "2025-11-22T00:00:00.000000+0000"),
        ("2025-11-22 09:30", "2025-11-22T09:30:00.000000+0000"),
        ("2025-11-22 09:30:05", "2025-11-22T09:30:05.000000+0000"),
    ] {
        assert_eq!(since(text).as_deref(), Ok(time));
    }
    assert!(since("2025-11-2x").is_err() && since("22.11.2025").is_err());
    assert!(since("日本語日本語日本語日本語").is_err());
}

/// Scenarios and detectors go by the same names, so that a truth file and an alert log speak of the same things.
#[test]
fn every_scenarios_detectors_can_be_asked_for() {
    for scenario in crate::simulate::scenarios() {
        for detector in scenario.detectors.iter().chain(scenario.may) {
            assert!(Ruleset::detectors().contains(detector), "{detector}");
        }
    }
}
