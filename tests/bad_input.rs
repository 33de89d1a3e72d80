//! Bad input gets a message that says what is wrong, where, and what to do; what was readable is still reported; nothing
//! panics.

#[path = "support/cli.rs"]
mod cli;
mod support;

use apitap::simulate::random::Rng;
use apitap::simulate::wire::DEFAULT_START;
use cli::{Folder, Run, Talk, apitap, capture, capture_of, frames_of};
use std::path::Path;
use std::time::Duration;

fn talks() -> Vec<u8> {
    let talks: Vec<Talk> = (0..20).map(|index| Talk::get(f64::from(index), "192.0.2.1", "/v1/a")).collect();
    capture(&talks)
}

/// A replay with one line a transaction on standard output.
fn replayed(file: &str) -> Run {
    apitap(&["replay", file, "--eve", "-", "--events", "http"])
}

/// It failed, said each of these, and reported so many transactions.
#[track_caller]
fn assert_failed(run: Run, transactions: usize, said: &[&str]) {
    let run = run.with_status(1);
    for part in said {
        assert!(run.err.contains(part), "`{part}` is not in: {}", run.err);
    }
    assert_eq!(run.out.lines().count(), transactions, "{}", run.err);
    assert!(run.err.contains(" transactions, ") || transactions == 0, "a summary all the same: {}", run.err);
}

#[test]
fn a_file_that_is_no_capture_is_named_with_what_it_is() {
    let folder = Folder::new();
    assert_failed(replayed(&folder.write("empty.pcap", "")), 0, &["empty.pcap: is empty"]);
    assert_failed(
        replayed(&folder.write("notes.txt", "some notes\n")),
        0,
        &["notes.txt: is not a capture", "give a pcap"],
    );
    assert_failed(replayed(&folder.path("none.pcap")), 0, &["none.pcap: cannot be opened", "check the name"]);
    std::fs::create_dir(folder.path("folder")).unwrap();
    folder.write("folder/notes.txt", "some notes\n");
    assert_failed(replayed(&folder.path("folder")), 0, &["no captures in"]);
}

#[test]
fn a_file_without_frames_is_a_quiet_success() {
    let folder = Folder::new();
    let run = replayed(&folder.write("none.pcap", capture(&[]))).with_status(0);
    assert!(run.out.is_empty() && run.err.contains("0 frames"), "{}", run.err);
}

#[test]
fn what_comes_before_the_cut_is_reported() {
    let folder = Folder::new();
    let whole = talks();
    let frames = frames_of(&whole);
    let bytes_of = |count: usize| 24 + frames[..count].iter().map(|frame| frame.len()).sum::<usize>();
    let per_talk = frames.len() / 20;
    let cut = bytes_of(10 * per_talk) + 20;
    assert_failed(
        replayed(&folder.write("cut.pcap", &whole[..cut])),
        10,
        &["cut.pcap: ends at byte", "Copy the file again"],
    );
    let zstd = zstd::encode_all(whole.as_slice(), 3).unwrap();
    let run = replayed(&folder.write("cut.pcap.zst", &zstd[..zstd.len() - 5])).with_status(1);
    assert!(run.err.contains("cut.pcap.zst: its zstd data"), "{}", run.err);
    // One bad file among good ones does not take them with it.
    let (good, bad) = (folder.write("good.pcap", &whole), folder.write("bad.pcap", "bad"));
    let run = apitap(&["replay", &bad, &good, "--eve", "-", "--events", "http"]);
    assert_failed(run, 20, &["bad.pcap: is not a capture"]);
}

#[test]
fn an_unknown_link_type_is_an_error_and_what_else_there_is_is_read() {
    let folder = Folder::new();
    let mut file = talks();
    file[20..24].copy_from_slice(&147u32.to_le_bytes()); // reserved for private use
    let bad = folder.write("link.pcap", file);
    let said = ["link.pcap: ", "link type USER0 (147), the first at byte 24", "Capture on an interface"];
    assert_failed(replayed(&bad), 0, &said);
    let good = folder.write("good.pcap", talks());
    assert_failed(apitap(&["replay", &bad, &good, "--eve", "-", "--events", "http"]), 20, &said);
}

#[test]
fn time_that_runs_back_by_hours_ends_the_file_there() {
    let folder = Folder::new();
    let first = talks();
    let earlier = cli::capture_from(
        &[Talk::get(0.0, "192.0.2.9", "/v1/earlier")],
        apitap::time::Timestamp(DEFAULT_START.0 - Duration::from_secs(5 * 3600).as_nanos() as i64),
    );
    let file = capture_of(&first, &[frames_of(&first), frames_of(&earlier)].concat());
    let run = replayed(&folder.write("back.pcap", file));
    assert_failed(run, 20, &["back.pcap: time runs backwards at byte", "reordercap"]);
}

#[test]
fn packets_without_bytes_do_no_harm() {
    let folder = Folder::new();
    let first = talks();
    let mut empty = frames_of(&first)[0][..16].to_vec();
    empty[8..16].fill(0);
    let mut frames = frames_of(&first);
    for place in [0, 7, 30] {
        frames.insert(place, &empty);
    }
    // The copied time is the first frame's: the late ones count as mild disorder.
    let run = replayed(&folder.write("zero.pcap", capture_of(&first, &frames))).with_status(0);
    assert_eq!(run.out.lines().count(), 20);
    assert!(run.err.contains("malformed packets 3"), "{}", run.err);
}

#[test]
fn a_full_disk_is_told_with_the_file() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", talks());
    for threads in ["1", "2"] {
        let run =
            apitap(&["replay", &file, "--threads", threads, "--eve", "/dev/full", "--events", "http"]).with_status(1);
        assert!(run.err.contains("/dev/full") && run.err.contains("make room"), "{}", run.err);
        assert_eq!(run.err.matches("No space left").count(), 1, "{}", run.err);
    }
    let nowhere = apitap(&["replay", &file, "--eve", &folder.path("no/such/eve.json")]).with_status(1);
    assert!(nowhere.err.contains("eve.json") && nowhere.err.contains("--eve"), "{}", nowhere.err);
}

#[test]
fn rules_and_configuration_are_refused_where_they_are_wrong() {
    let folder = Folder::new();
    let file = folder.write("a.pcap", talks());
    let replayed = |option: &str, path: &str| apitap(&["replay", &file, option, path]).with_status(1).err;

    let missing = replayed("--rules", &folder.path("none"));
    assert!(missing.contains("none: the rules folder cannot be read"), "{missing}");
    assert!(missing.contains("; name a folder of rules, or none"), "{missing}");
    folder.write("broken/scanner.toml", "[scanner\n");
    folder.write("broken/shadow_endpoint.toml", "[shadow_endpoint]\nenabled = true\nmin_success = 3\n");
    let broken = replayed("--rules", &folder.path("broken"));
    assert!(broken.contains(".toml:"), "{broken}");
    folder.write("unknown/shadow_endpoint.toml", "[shadow_endpoint]\nenabled = true\nmin_success = 3\n");
    let unknown = replayed("--rules", &folder.path("unknown"));
    assert!(unknown.contains("shadow_endpoint.toml:3") && unknown.contains("min_success"), "{unknown}");

    let missing = replayed("--config", &folder.path("none.toml"));
    assert!(missing.contains("none.toml: cannot be read"), "{missing}");
    assert_eq!(missing.matches("No such file").count(), 1, "{missing}");
    let config = folder.write("apitap.toml", "[identity]\n\ntrusted_proxys = []\n");
    let unknown = replayed("--config", &config);
    assert!(unknown.contains("apitap.toml:3") && unknown.contains("trusted_proxys"), "{unknown}");
    let config = folder.write("proxies.toml", "[identity]\ntrusted_proxies = [\"ten\"]\n");
    assert!(replayed("--config", &config).contains("proxies.toml"));

    let state = folder.write("state", "a file where a folder is wanted");
    let refused = replayed("--state", &state);
    assert!(refused.contains("state folder") && refused.contains("give a folder"), "{refused}");
}

#[track_caller]
fn assert_survived(run: &Run, what: &str) {
    assert!(matches!(run.status, Some(0 | 1)) && !run.err.contains("panicked"), "{what}: {:?} {}", run.status, run.err);
}

#[test]
fn no_bytes_make_it_panic() {
    let folder = Folder::new();
    let whole = talks();
    for seed in 0..12 {
        let mut random = Rng::named(seed, "bad bytes", 0);
        // Nothing but noise behind the header.
        let noise: Vec<u8> = (0..20_000).map(|_| random.next_u64() as u8).collect();
        let file = folder.write("noise.pcap", [&whole[..24], &noise].concat());
        assert_survived(&replayed(&file), &format!("noise {seed}"));
        // Sound frames in which some bytes are wrong.
        let mut hurt = whole.clone();
        for _ in 0..(1 << seed) {
            let place = 24 + random.below(hurt.len() as u64 - 24) as usize;
            hurt[place] = random.next_u64() as u8;
        }
        assert_survived(&replayed(&folder.write("hurt.pcap", hurt)), &format!("hurt {seed}"));
    }
}

/// The captures of the corpus that once broke other programs.
#[test]
fn captures_that_broke_other_programs_break_nothing() {
    const CAPTURES: usize = 50;
    let Some(corpus) = support::corpus() else { return };
    let folder = corpus.join("pcap/robustness");
    let captures: Vec<_> = cli::files_below(&folder).into_iter().filter(|path| is_capture(path)).collect();
    assert!(captures.len() >= CAPTURES, "{} has only {} captures", folder.display(), captures.len());
    let step = captures.len() / CAPTURES;
    for path in captures.iter().step_by(step.max(1)).take(CAPTURES) {
        assert_survived(&replayed(path.to_str().unwrap()), &path.display().to_string());
    }
}

fn is_capture(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["pcap", "pcapng", "cap", "gz", "zst"].iter().any(|end| name.ends_with(end))
}

/// Escape sequences, C1 controls, bidirectional overrides and separators, wherever a client may put them.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}evil\u{2066}\u{2028}\u{feff}";

#[test]
fn nothing_off_the_wire_acts_on_a_terminal() {
    let folder = Folder::new();
    let people: Vec<String> =
        (0..40).map(|n| format!(r#"{{"email":"jane{n}@{HOSTILE}mail.example","card":"4539148803436467"}}"#)).collect();
    let mut talks = Vec::new();
    for index in 0..40 {
        let talk = Talk::get(f64::from(index), "192.0.2.1", &format!("/v1/{HOSTILE}/people?q={HOSTILE}"));
        let talk = talk.header("User-Agent", HOSTILE).header("Referer", HOSTILE);
        talks.push(talk.answer(cli::json_response("200 OK", &format!("[{}]", people.join(",")))));
        let login = format!(r#"{{"username":"{HOSTILE}{index}","password":"x{index}"}}"#);
        let talk = Talk::post(f64::from(index) + 0.5, "192.0.2.2", "/v1/login", "application/json", &login);
        talks.push(talk.answer(cli::json_response("401 Unauthorized", "{}")));
    }
    let file = folder.write("a.pcap", capture(&talks));
    let hostile_name = folder.write("b\u{1b}[31m\u{202e}.pcap", "no capture");
    let eve = folder.path("eve.json");
    let all = "alert,http,endpoint,stats";
    let runs = [
        apitap(&["replay", &file, "--learn", "1s", "--eve", &eve, "--events", all, "--redact", "none"]),
        apitap(&["replay", &file, "--learn", "1s", "--json", "--redact", "none"]),
        apitap(&["replay", &file, "--eve", "-", "--events", all, "--redact", "none"]),
        apitap(&["inventory", &file]),
        apitap(&["tail", &eve, "--no-follow", "--lines", "all", "-v"]),
        apitap(&["tail", &eve, "--no-follow", "--lines", "all", "--json"]),
        apitap(&["replay", &hostile_name]),
    ];
    let is_active = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{feff}')
    };
    for run in &runs {
        assert!(!run.out.is_empty() || run.status == Some(1), "{}", run.err);
        for text in [&run.out, &run.err] {
            assert!(!text.contains(is_active), "{text:?}");
        }
    }
    assert!(
        runs[0].out.contains("credential_stuffing") || runs[0].out.contains("password_spraying"),
        "{}",
        runs[0].out
    );
    assert!(runs[2].out.contains("people"), "{}", runs[2].out);
    assert!(runs[6].err.contains("is not a capture"), "{}", runs[6].err);
}
