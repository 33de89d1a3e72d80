//! A state that is killed while it is written, and one whose files are damaged: it opens every time.

#[path = "support/cli.rs"]
mod cli;

use apitap::baseline::persist::probe;
use apitap::baseline::{Cut, Leave, Singles, State};
use apitap::time::Timestamp;
use apitap::window::{EndpointWindow, Window, an_endpoint};
use cli::{Folder, files_below};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const WRITER: &str = "APITAP_TEST_WRITES_STATE";

fn probe(database: &Path) -> Result<(), String> {
    probe::by_program(Path::new(env!("CARGO_BIN_EXE_apitap")), database)
}

/// Writes checkpoints, every fifth with a whole export, and says after each how many there were.
fn write(folder: &Path, checkpoints: i64) {
    let mut state = State::open(folder, probe).unwrap();
    let recovered = state.recover().unwrap();
    let begun = recovered.singles.newest.map_or(0, |newest| newest.0);
    for number in begun + 1..=begun + checkpoints {
        let mut window = Window::default();
        for key in [number as u64 % 50, 1000 + number as u64 % 300] {
            let endpoint = an_endpoint("GET", "a.example", &format!("/v1/{key}"));
            window.endpoints.put(key, EndpointWindow { is_made: true, ..endpoint });
        }
        recovered.store.absorb(number, window, true);
        let singles = Singles { newest: Some(Timestamp(number)), ..Singles::default() };
        let leave = if number % 5 == 0 { Leave::Whole } else { Leave::Delta };
        state.checkpoint(&Cut::of(&recovered.store, &singles, leave)).unwrap();
        println!("written {number}");
    }
}

/// The checkpoint a folder opens with, and what was said.
fn opened(folder: &Path) -> (i64, Vec<String>) {
    let state = State::open(folder, probe).unwrap();
    let recovered = state.recover().unwrap();
    assert_eq!(recovered.left_out, 0);
    (recovered.singles.newest.map_or(0, |newest| newest.0), state.notes().to_vec())
}

#[test]
fn what_was_written_is_there_also_by_a_process_of_its_own() {
    match std::env::var_os(WRITER) {
        // The process that the next test kills.
        Some(folder) => write(Path::new(&folder), i64::MAX / 2),
        None => {
            let folder = Folder::new();
            write(Path::new(&folder.path("state")), 7);
            assert_eq!(opened(Path::new(&folder.path("state"))), (7, Vec::new()));
        }
    }
}

#[test]
fn thirty_kills_lose_nothing_that_was_acknowledged() {
    let folder = Folder::new();
    let state = folder.path("state");
    let mut written = 0;
    for round in 0u64..30 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_written_is_there_also_by_a_process_of_its_own", "--nocapture"])
            .env(WRITER, &state)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + round * 37 % 200));
        child.kill().unwrap(); // SIGKILL
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        written = said.filter_map(|line| line.strip_prefix("written ")?.parse().ok()).last().unwrap_or(written);
        child.wait().unwrap();
        let (at, notes) = opened(Path::new(&state));
        assert!(at >= written, "round {round}: {written} were acknowledged, {at} are there: {notes:?}");
        written = at;
    }
    assert!(written > 30, "the writers wrote {written} checkpoints");
}

#[test]
fn whatever_file_is_damaged_the_state_opens_and_says_so() {
    let folder = Folder::new();
    let whole = folder.path("whole");
    write(Path::new(&whole), 13);
    let mut seed = 7u64;
    let mut chance = |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below.max(1)
    };
    for round in 0..36 {
        let damaged = folder.path(&format!("round{round}"));
        assert!(Command::new("cp").args(["-r", &whole, &damaged]).status().unwrap().success());
        let files = files_below(Path::new(&damaged));
        let file = &files[round % files.len()];
        let mut bytes = std::fs::read(file).unwrap();
        let at = chance(bytes.len() as u64) as usize;
        match round % 3 {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            1 => bytes.truncate(at),
            _ => bytes.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0),
        }
        let is_changed = bytes != std::fs::read(file).unwrap();
        std::fs::write(file, bytes).unwrap();
        let (at, notes) = opened(Path::new(&damaged));
        let is_export = file.parent().unwrap().ends_with("export");
        assert!(at == 13 || (is_export && (10..13).contains(&at)), "{file:?}: as of {at}: {notes:?}");
        // Whole export 10 and the deltas after it are what counts; older ones are not looked at.
        let name = file.file_name().unwrap().to_str().unwrap();
        let counts = is_export && (name == "0000000010.whole" || name > "0000000011");
        assert!(!(counts && is_changed) || notes.iter().any(|note| note.contains(name)), "{file:?}: {notes:?}");
        assert_eq!(opened(Path::new(&damaged)).0, at, "{file:?}: the second time it is the same");
    }
}
