//! Confinement: from here on the process writes below the folders that it was given, and nowhere else.
//!
//! In go folders; what comes out is a process that the kernel (Landlock, Linux 5.13 and later) keeps from creating,
//! changing, renaming or deleting any file elsewhere, whatever was sent to its parsers. Reading is left to the file system's
//! own rights: a reload reads rules and descriptions from wherever the configuration says. Called before threads are
//! started, since each inherits it from the one that started it. A kernel without Landlock is told of, not refused.

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus,
};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The newest of what is asked for: renames between folders, truncation (Linux 6.2).
const WANTED: ABI = ABI::V3;

/// Confines this thread and those that it starts. What is not there of the folders is made, with the mode beside each. Gives
/// what people are to be told, if anything.
pub fn confine(folders: &[(&Path, u32)]) -> Option<String> {
    match restrict(folders) {
        Ok(RulesetStatus::FullyEnforced) => None,
        Ok(RulesetStatus::PartiallyEnforced) => {
            Some("the kernel confines writing only in part (Linux before 6.2)".to_owned())
        }
        Ok(RulesetStatus::NotEnforced) => Some(
            "the kernel has no Landlock (Linux 5.13, `lsm=landlock`): writing is confined by file rights alone"
                .to_owned(),
        ),
        Err(error) => Some(format!("writing could not be confined: {error}; file rights alone confine it")),
    }
}

fn restrict(folders: &[(&Path, u32)]) -> Result<RulesetStatus, RulesetError> {
    let all = AccessFs::from_write(WANTED);
    // What goes on to devices is not a file's content: a terminal, /dev/null.
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .create()?
        .set_compatibility(CompatLevel::BestEffort);
    for (folder, mode) in folders {
        // Whoever opens it later says better than we could what is wrong with it.
        let _ = DirBuilder::new().recursive(true).mode(*mode).create(folder);
        if let Ok(folder) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(folder, all))?;
        }
    }
    if let Ok(devices) = PathFd::new("/dev") {
        rules = rules.add_rule(PathBeneath::new(devices, AccessFs::WriteFile))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind::PermissionDenied;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn writing_goes_where_it_may_and_nowhere_else() {
        let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, others) = (ours.path().to_owned(), others.path().to_owned());
        fs::write(others.join("there"), "before").unwrap();
        // A thread of its own: there is no way back.
        let confined = std::thread::spawn(move || {
            let new = ours.join("made/by/us");
            if let Some(why) = confine(&[(&new, 0o700)]) {
                return eprintln!("skipped: {why}");
            }
            assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
            fs::create_dir(new.join("a")).unwrap();
            fs::write(new.join("a/one"), "text").unwrap();
            fs::rename(new.join("a/one"), new.join("two")).unwrap();
            fs::remove_file(new.join("two")).unwrap();
            fs::write("/dev/null", "nothing").unwrap();
            assert_eq!(fs::read_to_string(others.join("there")).unwrap(), "before");
            for refused in [
                fs::write(others.join("new"), "text"),
                fs::write(others.join("there"), "after"),
                fs::remove_file(others.join("there")),
                fs::create_dir(others.join("folder")),
                fs::rename(others.join("there"), new.join("moved")),
                fs::write(ours.join("beside"), "text"),
            ] {
                assert_eq!(refused.unwrap_err().kind(), PermissionDenied);
            }
            // What it starts is confined with it.
            let shell = format!("echo text > {}/shell", others.display());
            assert!(!std::process::Command::new("sh").args(["-c", &shell]).status().unwrap().success());
            assert_eq!(fs::read_to_string(others.join("there")).unwrap(), "before");
        });
        confined.join().unwrap();
    }
}
