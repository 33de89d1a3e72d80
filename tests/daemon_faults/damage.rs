//! A state whose files were damaged: the daemon starts, and says what it put aside. `make corruption-test` does it 500
//! times.

use crate::cli::{files_below, simulated};
use crate::daemon::Site;
use crate::{Chance, attacks, copied, number_of};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_CORRUPTIONS: u64 = 30;
const SEED: u64 = 2026;
/// What follows a place that is overwritten.
const BLOCK: usize = 512;

/// Damages a file at a place. False where it is the same as before.
fn damage(file: &Path, chance: &mut Chance) -> (bool, String) {
    let before = std::fs::read(file).expect("a file");
    let mut bytes = before.clone();
    let at = chance.below(bytes.len() as u64) as usize;
    let how = match chance.below(4) {
        0 => {
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8));
            "a bit flipped"
        }
        1 => {
            bytes.truncate(at);
            "cut off"
        }
        2 => {
            bytes.iter_mut().skip(at).take(BLOCK).for_each(|byte| *byte = 0);
            "zeroes"
        }
        _ => {
            bytes.iter_mut().skip(at).take(BLOCK).for_each(|byte| *byte = chance.below(256) as u8);
            "noise"
        }
    };
    std::fs::write(file, &bytes).expect("a file");
    (bytes != before, format!("{} of {} bytes, {how} at {at}", file.display(), before.len()))
}

/// What counts of the exports: the newest whole one and the deltas after it.
fn that_count(files: &[PathBuf]) -> Vec<String> {
    let names = files.iter().filter(|file| file.parent().is_some_and(|folder| folder.ends_with("export")));
    let mut names: Vec<String> = names.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    let newest = names.iter().rposition(|name| name.ends_with(".whole")).expect("a whole export");
    names.split_off(newest)
}

#[test]
fn whatever_file_of_its_state_is_damaged_it_starts_and_says_so() {
    let corruptions = number_of("APITAP_CORRUPTIONS", DEFAULT_CORRUPTIONS);
    let seed = number_of("APITAP_SEED", SEED);
    println!("{corruptions} corruptions, APITAP_SEED={seed}");
    let mut chance = Chance(seed);
    let site = Site::new();
    let whole = site.folder.path("whole");
    let mut daemon = site.start();
    // With deltas behind the whole export, an open incident, alerts.
    for later in [0, 3600] {
        site.feed(&simulated(&attacks(Duration::from_secs(later))));
        std::thread::sleep(Duration::from_millis(2500));
    }
    daemon.wait_until("it learned", |_| site.log().contains("brute_force"));
    daemon.kill();
    std::fs::rename(site.state(), &whole).unwrap();
    let all = files_below(Path::new(&whole));
    let counting = that_count(&all);
    assert!(counting.len() > 1, "{all:?}");

    let mut said_of = 0;
    for round in 0..corruptions {
        copied(&whole, &site.state());
        let files = files_below(Path::new(&site.state()));
        // One file after the other; now and then all at once.
        let chosen: Vec<&PathBuf> = match round % 10 {
            9 => files.iter().collect(),
            _ => vec![&files[round as usize % files.len()]],
        };
        let damaged: Vec<(bool, String)> = chosen.iter().map(|file| damage(file, &mut chance)).collect();
        let what = format!("round {round}: {damaged:?}");
        println!("{what}");
        let daemon = site.start();
        let (said, took) = daemon.stop();
        assert!(took < Duration::from_secs(5), "{what}: it took {took:?} to end\n{said}");
        for (file, (is_changed, _)) in chosen.iter().zip(&damaged) {
            let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
            let is_told = said.lines().any(|line| line.contains("WARN") && line.contains(name));
            // With all of them damaged, nothing is left that the others could be told from.
            if chosen.len() == 1 && *is_changed && (counting.iter().any(|one| one == name) || name == "key") {
                assert!(is_told, "{what}: nothing is said of {name}\n{said}");
            }
            said_of += u64::from(is_told);
        }
        if chosen.len() > 1 {
            assert!(said.contains("put aside as "), "{what}\n{said}");
        }
        // It is whole again.
        let (said, _) = site.start().stop();
        assert!(!said.contains("damaged"), "{what}: the second time\n{said}");
    }
    assert!(said_of > 0 || corruptions < 10);
}
