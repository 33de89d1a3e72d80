use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Site {
        Site(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn settings(&self) -> FileSettings {
        FileSettings {
            path: self.path("alerts.json"),
            events: vec![EventType::Alert, EventType::Http],
            fsync: Fsync::Interval,
            rotate_bytes: 1 << 20,
            rotate_every: Duration::ZERO,
            keep: 3,
            compress: true,
            retention: Duration::ZERO,
        }
    }

    fn open(&self, settings: FileSettings) -> LogFile {
        LogFile::open(settings, &self.path("spool"), 1 << 20).unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn lines_are_in_the_file_at_once_and_the_file_is_not_for_everybody() {
    let site = Site::new();
    let mut log = site.open(site.settings());
    log.write(EventType::Alert, b"{\"a\":1}\n");
    log.write(EventType::Stats, b"{\"not\":\"wanted\"}\n");
    log.write(EventType::Http, b"{\"b\":2}\n{\"c\":3}\n");
    assert_eq!(site.read("alerts.json"), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    assert_eq!(std::fs::metadata(site.path("alerts.json")).unwrap().permissions().mode() & 0o137, 0);
    assert_eq!((log.statistics().sent, log.statistics().failed), (3, 0));
}

#[test]
fn a_torn_line_is_moved_aside_and_said() {
    let site = Site::new();
    std::fs::write(site.path("alerts.json"), "{\"whole\":1}\n{\"torn\":").unwrap();
    let mut log = site.open(site.settings());
    let notes = log.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("8 bytes were moved to"), "{notes:?}");
    log.write(EventType::Alert, b"{\"next\":1}\n");
    assert_eq!(site.read("alerts.json"), "{\"whole\":1}\n{\"next\":1}\n");
    assert_eq!(site.read("alerts.json.torn"), "{\"torn\":\n");
}

#[test]
fn a_whole_line_without_its_end_gets_one() {
    let site = Site::new();
    let long = "x".repeat(3 * BLOCK_BYTES as usize);
    std::fs::write(site.path("alerts.json"), format!("{{\"a\":1}}\n{{\"b\":\"{long}\"}}")).unwrap();
    let mut log = site.open(site.settings());
    assert!(log.take_notes()[0].contains("line feed"));
    assert_eq!(site.read("alerts.json"), format!("{{\"a\":1}}\n{{\"b\":\"{long}\"}}\n"));
}

/// `/dev/full` is a disk without room.
#[test]
fn lines_wait_for_room_and_come_in_their_order() {
    let site = Site::new();
    let (full, free) = (site.path("full"), site.path("free"));
    symlink("/dev/full", &full).unwrap();
    std::fs::write(&free, "").unwrap();
    let mut settings = site.settings();
    settings.path = site.path("link");
    symlink(&full, &settings.path).unwrap();
    let mut log = site.open(settings.clone());
    log.write(EventType::Alert, b"1\n");
    log.write(EventType::Http, b"2\n3\n");
    assert!(!log.tick());
    log.write(EventType::Alert, b"4\n");
    assert_eq!((log.statistics().queued, log.statistics().sent), (4, 0));
    let notes = log.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("No space left"), "{notes:?}");
    // Killed while it waits: what waits is on disk.
    drop(log);
    let mut log = site.open(settings.clone());
    log.write(EventType::Alert, b"5\n");
    assert!(!log.tick());
    std::fs::remove_file(&settings.path).unwrap();
    symlink(&free, &settings.path).unwrap();
    log.tick();
    while log.write_spooled() {}
    log.write(EventType::Alert, b"6\n");
    assert_eq!(site.read("free"), "1\n2\n3\n4\n5\n6\n");
    let notes = log.take_notes();
    assert!(notes.len() == 2 && notes[1].contains("written again"), "{notes:?}");
    assert_eq!(log.statistics().queued, 0);
}

#[test]
fn alerts_have_half_of_the_spool_for_themselves() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.path = site.path("link");
    symlink("/dev/full", &settings.path).unwrap();
    let mut log = site.open(settings);
    let line = format!("{}\n", "x".repeat(999));
    for _ in 0..1000 {
        log.write(EventType::Http, line.as_bytes());
    }
    let before = log.statistics();
    assert!(before.queued > 400 && before.queued < 600 && before.queued + before.dropped == 1000, "{before:?}");
    for _ in 0..300 {
        log.write(EventType::Alert, line.as_bytes());
    }
    assert_eq!(log.statistics().queued, before.queued + 300);
}

#[test]
fn the_rest_of_a_line_that_cannot_be_cut_off_comes_first() {
    let site = Site::new();
    let mut log = site.open(site.settings());
    std::fs::write(site.path("alerts.json"), "{\"be").unwrap();
    log.unfinished = b"gun\":1}\n".to_vec();
    log.write(EventType::Alert, b"{\"next\":1}\n");
    assert_eq!(site.read("alerts.json"), "{\"begun\":1}\n{\"next\":1}\n");
}

#[test]
fn rotated_logs_are_numbered_compressed_and_bounded() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.rotate_bytes = 10;
    let mut log = site.open(settings);
    for n in 1..=6 {
        log.write(EventType::Alert, format!("{{\"line\":{n}}}\n").as_bytes());
        log.tick();
        log.rotation.finish();
        assert!(log.take_notes().is_empty());
    }
    assert_eq!(site.read("alerts.json"), "");
    assert_eq!(site.read("alerts.json.1"), "{\"line\":6}\n");
    assert_eq!(unzipped(&site.path("alerts.json.2.gz")), "{\"line\":5}\n");
    assert_eq!(unzipped(&site.path("alerts.json.3.gz")), "{\"line\":4}\n");
    let mut names: Vec<String> = std::fs::read_dir(site.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["alerts.json", "alerts.json.1", "alerts.json.2.gz", "alerts.json.3.gz"]);
}

#[test]
fn that_a_log_cannot_be_rotated_is_said_once() {
    let site = Site::new();
    let mut settings = site.settings();
    (settings.rotate_bytes, settings.keep) = (1, 1);
    let mut log = site.open(settings);
    std::fs::create_dir(site.path("alerts.json.1")).unwrap(); // no log, and cannot be removed as one
    log.write(EventType::Alert, b"1\n");
    log.tick();
    assert!(log.take_notes().concat().contains("cannot be rotated"));
    log.tick();
    assert!(log.take_notes().is_empty());
    std::fs::remove_dir(site.path("alerts.json.1")).unwrap();
    log.tick();
    assert_eq!(site.read("alerts.json.1"), "1\n");
}

#[test]
fn an_empty_log_is_not_rotated_and_an_old_one_is() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.rotate_every = Duration::from_millis(50);
    let mut log = site.open(settings);
    std::thread::sleep(Duration::from_millis(80));
    log.tick();
    assert!(!site.path("alerts.json.1").exists());
    log.write(EventType::Alert, b"1\n");
    log.tick();
    assert_eq!(site.read("alerts.json.1"), "1\n");
}

#[test]
fn what_is_past_its_retention_is_removed() {
    let site = Site::new();
    let old = SystemTime::now() - Duration::from_secs(100);
    for (name, is_old) in [("alerts.json.1", false), ("alerts.json.2.gz", true), ("alerts.json.old", true)] {
        std::fs::write(site.path(name), "x").unwrap();
        if is_old {
            File::options().write(true).open(site.path(name)).unwrap().set_modified(old).unwrap();
        }
    }
    let mut settings = site.settings();
    settings.retention = Duration::from_secs(60);
    site.open(settings).tick();
    assert!(site.path("alerts.json.1").exists() && !site.path("alerts.json.2.gz").exists());
    assert!(site.path("alerts.json.old").exists(), "it is none of ours");
}

#[test]
fn a_log_that_was_moved_deleted_or_cut_is_noticed() {
    let site = Site::new();
    let mut log = site.open(site.settings());
    log.write(EventType::Alert, b"1\n");
    std::fs::rename(site.path("alerts.json"), site.path("moved")).unwrap();
    log.write(EventType::Alert, b"2\n");
    log.tick();
    log.write(EventType::Alert, b"3\n");
    assert_eq!((site.read("moved"), site.read("alerts.json")), ("1\n2\n".into(), "3\n".into()));
    std::fs::remove_file(site.path("alerts.json")).unwrap();
    log.reopen();
    log.write(EventType::Alert, b"4\n");
    assert_eq!(site.read("alerts.json"), "4\n");
    // logrotate's `copytruncate`
    OpenOptions::new().write(true).open(site.path("alerts.json")).unwrap().set_len(0).unwrap();
    log.write(EventType::Alert, b"5\n");
    assert_eq!(site.read("alerts.json"), "5\n");
    assert!(log.take_notes().is_empty());
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error_that_says_what_to_do() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.path = site.path("a-file/alerts.json");
    std::fs::write(site.path("a-file"), "").unwrap();
    let error = LogFile::open(settings, &site.path("spool"), 1 << 20).err().unwrap().to_string();
    assert!(
        error.contains("a-file/alerts.json: the log cannot be opened") && error.contains("`alert.file`"),
        "{error}"
    );
}
