//! Rules and configuration: any text is refused whole, with the file and what is wrong in it, or holds.
#![no_main]

use apitap::config::Config;
use apitap::rule::Ruleset;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("apitap-fuzz-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
});

fuzz_target!(|input: &[u8]| {
    let [choice, text @ ..] = input else { return };
    let files = Ruleset::embedded_files();
    let (name, _) = files[usize::from(*choice) % files.len()];
    let file = FOLDER.join(name);
    std::fs::write(&file, text).expect("room");
    if let Err(error) = Ruleset::load(Some(&FOLDER)) {
        assert!(error.to_string().contains(name), "{error}");
    }
    std::fs::remove_file(&file).expect("it is there");
    let config = FOLDER.join("apitap.toml");
    std::fs::write(&config, text).expect("room");
    if let Err(error) = Config::load(Some(&config)) {
        assert!(!error.to_string().is_empty());
    }
});
