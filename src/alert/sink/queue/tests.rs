use super::*;
use proptest::prelude::*;

const BOUND: u64 = 1 << 20;

fn open(folder: &Path) -> Queue {
    let (queue, notes) = Queue::open(folder, BOUND);
    assert!(notes.is_empty(), "{notes:?}");
    queue
}

fn text(batch: &Batch) -> Vec<String> {
    batch.records.iter().map(|record| String::from_utf8(record.clone()).unwrap()).collect()
}

fn drain(queue: &mut Queue) -> Vec<String> {
    let mut all = Vec::new();
    while !queue.is_empty() {
        let batch = queue.oldest(3, 1 << 16);
        assert!(!batch.records.is_empty());
        all.extend(text(&batch));
        queue.acknowledge(&batch, batch.records.len());
    }
    all
}

#[test]
fn what_is_not_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    for n in 0..10 {
        queue.push(format!("record {n}").as_bytes());
    }
    let batch = queue.oldest(4, 1 << 16);
    assert_eq!(text(&batch), ["record 0", "record 1", "record 2", "record 3"]);
    queue.acknowledge(&batch, 3);
    drop(queue);
    let mut queue = open(folder.path());
    assert_eq!(queue.len(), 7);
    queue.push(b"record 10");
    let expected: Vec<String> = (3..=10).map(|n| format!("record {n}")).collect();
    assert_eq!(drain(&mut queue), expected);
    drop(queue);
    assert!(open(folder.path()).is_empty());
}

#[test]
fn at_the_bound_the_oldest_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    for n in 0..3000 {
        queue.push(format!("{n:01000}").as_bytes());
        assert!(queue.bytes() <= BOUND);
    }
    let kept = drain(&mut queue);
    assert_eq!(kept.len() as u64 + queue.dropped(), 3000);
    assert!(kept.len() > 800, "{}", kept.len());
    let numbers: Vec<u64> = kept.iter().map(|text| text.parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(queue.dropped()..3000));
    let left: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(left < BOUND / 4, "{left}");
}

#[test]
fn what_was_dropped_while_it_was_sent_is_not_acknowledged_in_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    queue.push(b"first");
    let batch = queue.oldest(1, 1 << 16);
    for n in 0..3000 {
        queue.push(format!("{n:01000}").as_bytes());
    }
    let before = queue.len();
    queue.acknowledge(&batch, 1);
    assert_eq!(queue.len(), before);
}

#[test]
fn a_torn_end_is_said_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    queue.push(b"whole");
    queue.push(b"torn by a power cut");
    let path = queue.path_of(1);
    drop(queue);
    let length = fs::metadata(&path).unwrap().len();
    for cut in 1..(HEADER_BYTES as u64 + 19) {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - cut).unwrap();
        let (queue, notes) = Queue::open(folder.path(), BOUND);
        assert_eq!((queue.len(), notes.len()), (1, 1), "{cut}: {notes:?}");
    }
    let (mut queue, _) = Queue::open(folder.path(), BOUND);
    queue.push(b"new");
    drop(queue);
    let (mut queue, _) = Queue::open(folder.path(), BOUND);
    assert_eq!(drain(&mut queue), ["whole", "new"]);
}

#[test]
fn a_place_that_is_torn_sends_again_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    queue.push(b"a");
    queue.push(b"b");
    let batch = queue.oldest(1, 1 << 16);
    queue.acknowledge(&batch, 1);
    drop(queue);
    fs::write(folder.path().join("acknowledged"), [7; PLACE_BYTES]).unwrap();
    assert_eq!(drain(&mut open(folder.path())), ["a", "b"]);
}

#[test]
fn a_place_in_a_segment_that_was_dropped_is_not_one_of_a_new_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    for n in 0..3000 {
        queue.push(format!("{n:01000}").as_bytes());
    }
    let batch = queue.oldest(1, 1 << 16);
    queue.acknowledge(&batch, 1);
    while !queue.segments.is_empty() {
        queue.drop_segment();
    }
    queue.push(b"after");
    drop(queue);
    assert_eq!(drain(&mut open(folder.path())), ["after"]);
    let mut queue = open(folder.path());
    queue.push(b"later");
    drop(queue);
    assert_eq!(drain(&mut open(folder.path())), ["later"]);
}

#[test]
fn where_the_disk_takes_nothing_records_wait_in_memory_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    fs::write(&path, "a file where a folder is wanted").unwrap();
    let (mut queue, notes) = Queue::open(&path, BOUND);
    assert_eq!(notes.len(), 1);
    queue.push(b"a");
    queue.push(b"b");
    assert!(queue.trouble().is_some());
    let batch = queue.oldest(1, 1 << 16);
    assert_eq!(text(&batch), ["a"]);
    fs::remove_file(&path).unwrap();
    queue.push(b"c");
    assert!(queue.trouble().is_none() && queue.memory.is_empty());
    queue.acknowledge(&batch, 1);
    assert_eq!(drain(&mut open(&path)), ["b", "c"]);
}

#[test]
fn memory_is_bounded_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    fs::write(&path, "").unwrap();
    let (mut queue, _) = Queue::open(&path, BOUND);
    for n in 0..3000 {
        queue.push(format!("{n:01000}").as_bytes());
    }
    assert!(queue.bytes() <= BOUND);
    assert_eq!(queue.len() + queue.dropped(), 3000);
    let batch = queue.oldest(1, 1 << 16);
    assert_eq!(text(&batch)[0].parse::<u64>().unwrap(), queue.dropped());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, with restarts: records come once acknowledged no more, else in order.
    #[test]
    fn it_is_a_queue(deeds in proptest::collection::vec(0_u8..4, 1..200)) {
        let folder = tempfile::tempdir().unwrap();
        let bound = 1 << 14;
        let mut queue = Queue::open(folder.path(), bound).0;
        let (mut next, mut acknowledged) = (0_u64, 0_u64);
        for deed in deeds {
            match deed {
                0 | 1 if (next - acknowledged) < 50 => {
                    queue.push(format!("{next:0100}").as_bytes());
                    next += 1;
                }
                2 => {
                    let batch = queue.oldest(5, 250);
                    for (at, record) in batch.records.iter().enumerate() {
                        let number: u64 = std::str::from_utf8(record).unwrap().parse().unwrap();
                        prop_assert_eq!(number, acknowledged + at as u64);
                    }
                    let done = batch.records.len().div_ceil(2);
                    queue.acknowledge(&batch, done);
                    acknowledged += done as u64;
                }
                3 => {
                    drop(queue);
                    queue = Queue::open(folder.path(), bound).0;
                }
                _ => {}
            }
            prop_assert_eq!(queue.len(), next - acknowledged);
        }
    }
}
