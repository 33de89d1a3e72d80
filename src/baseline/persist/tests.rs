use super::probe::in_process;
use super::*;
use crate::baseline::{Store, StoreLimits};
use crate::time::Timestamp;
use crate::window::{ClientWindow, EndpointWindow, Errors, Tally, Window, an_endpoint, client_key, new_client};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// A window in which some clients meet errors, and some endpoints answer.
fn window(key: HashKey, clients: &[u8], endpoints: &[u8]) -> Window {
    let mut window = Window::default();
    for number in clients {
        let mut errors = Errors::default();
        errors.statuses.record(404);
        let hash = client_key(&key, address(*number));
        errors.client_sample.insert(hash, address(*number));
        let tally = Tally { requests: 1, ..Tally::default() };
        let client = ClientWindow { tally, errors: Some(Box::new(errors)), ..new_client(address(*number)) };
        window.clients.put(hash, client);
    }
    for number in endpoints {
        let endpoint = EndpointWindow { is_made: true, ..an_endpoint("GET", "a.example", &format!("/v1/{number}")) };
        window.endpoints.put(u64::from(*number), endpoint);
    }
    window
}

/// All that a store holds, as JSON; what only rolls on is rolled to the window first.
fn contents(store: &Store, index: i64) -> String {
    store.bound(index, &StoreLimits::default());
    let mut all = Vec::new();
    for entry in store.clients.iter() {
        all.push((0, *entry.key(), serde_json::to_string(entry.value()).unwrap()));
    }
    for entry in store.endpoints.iter() {
        all.push((1, *entry.key(), serde_json::to_string(entry.value()).unwrap()));
    }
    for entry in store.networks.iter() {
        all.push((2, *entry.key(), serde_json::to_string(entry.value()).unwrap()));
    }
    all.sort();
    format!("{all:?}")
}

fn a_state(folder: &Path) -> State {
    State::open(folder, in_process).unwrap()
}

/// A folder with three checkpoints; after the second a whole export, where it is wished.
fn three_checkpoints(folder: &Path, has_whole: bool) -> String {
    let mut state = a_state(folder);
    let store = state.recover().unwrap().store;
    for index in 1..=3u8 {
        store.absorb(i64::from(index), window(state.key(), &[index], &[index]), true);
        let singles = Singles { newest: Some(Timestamp(i64::from(index))), ..Singles::default() };
        let leave = if has_whole && index == 2 { Leave::Whole } else { Leave::Delta };
        state.checkpoint(&Cut::of(&store, &singles, leave)).unwrap();
    }
    contents(&store, 3)
}

#[test]
fn what_is_saved_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let before = three_checkpoints(folder.path(), false);
    let state = State::open_existing(folder.path(), in_process).unwrap();
    let recovered = state.recover().unwrap();
    assert_eq!((state.is_new(), state.notes(), recovered.left_out), (false, &[][..], 0));
    assert_eq!(recovered.singles.newest, Some(Timestamp(3)));
    assert_eq!(contents(&recovered.store, 3), before);
    let endpoints = state.recover_endpoints().unwrap();
    assert_eq!((endpoints.store.endpoints.len(), endpoints.store.clients.len()), (3, 0));
    assert_eq!(endpoints.singles.newest, Some(Timestamp(3)));
}

#[test]
fn a_folder_keeps_within_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = a_state(folder.path());
    let store = state.recover().unwrap().store;
    let mut index = 0;
    let mut checkpoint = |state: &mut State| {
        index += 1;
        store.absorb(index, window(state.key(), &[1, 2, 3], &[index as u8]), true);
        state.checkpoint(&Cut::of(&store, &Singles::default(), Leave::Delta)).unwrap()
    };
    // A fresh working copy of sled takes some kilobytes; each checkpoint adds to it.
    state.bound(64 << 20);
    for _ in 0..3 {
        let written = checkpoint(&mut state);
        assert!(written.problem.is_none() && written.whole.is_none(), "{written:?}");
    }
    assert!(state.chosen.delta_bytes() > 1024);
    state.bound(1024);
    let written = checkpoint(&mut state);
    assert!(written.whole.is_some(), "the deltas are over their bound: {written:?}");
    assert!(written.problem.as_ref().is_some_and(|problem| problem.contains("max_disk_mib")), "{written:?}");
    assert!(!folder.path().join("db").exists() && state.chosen.deltas() == 0);
    state.bound(64 << 20);
    assert!(checkpoint(&mut state).problem.is_some(), "it stays given up");
    state.checkpoint(&Cut::of(&store, &Singles::default(), Leave::Whole)).unwrap();
    assert!(checkpoint(&mut state).problem.is_none() && folder.path().join("db").exists());
    assert_eq!(state.recover_endpoints().unwrap().store.endpoints.len(), 6);
}

#[test]
fn a_folder_without_state_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = State::open_existing(&folder.path().join("none"), in_process).err().unwrap().to_string();
    assert!(error.contains("has no state"), "{error}");
}

#[test]
fn a_damaged_whole_export_costs_nothing_and_a_damaged_delta_ends_what_counts() {
    for (damaged, newest) in [("0000000002.whole", 3), ("0000000003.delta", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let before = three_checkpoints(folder.path(), true);
        let path = folder.path().join("export").join(damaged);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let state = a_state(folder.path());
        let recovered = state.recover().unwrap();
        assert!(state.notes()[0].contains(damaged) && state.notes()[0].contains("put aside"), "{:?}", state.notes());
        assert_eq!(recovered.singles.newest, Some(Timestamp(newest)));
        assert_eq!(contents(&recovered.store, 3) == before, newest == 3);
        drop(state);
        assert_eq!(a_state(folder.path()).notes(), &[] as &[String], "it is said once");
    }
}

#[test]
fn a_lost_key_is_restored_and_a_damaged_database_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let before = three_checkpoints(folder.path(), true);
    let key = std::fs::read(folder.path().join("key")).unwrap();
    std::fs::remove_file(folder.path().join("key")).unwrap();
    let state = State::open(folder.path(), |_| Err("it would not open".to_string())).unwrap();
    assert!(state.notes().iter().any(|note| note.contains("restored from the export")), "{:?}", state.notes());
    assert!(state.notes().iter().any(|note| note.contains("db.quarantined-")), "{:?}", state.notes());
    assert_eq!(std::fs::read(folder.path().join("key")).unwrap(), key);
    assert_eq!(contents(&state.recover().unwrap().store, 3), before);
    assert_eq!(state.recover_endpoints().unwrap().store.endpoints.len(), 3, "the working copy is filled anew");
}

#[test]
fn without_exports_the_working_copy_serves_and_so_does_the_former_version() {
    let folder = tempfile::tempdir().unwrap();
    let before = three_checkpoints(folder.path(), true);
    std::fs::remove_dir_all(folder.path().join("export")).unwrap();
    let state = a_state(folder.path());
    assert_eq!(contents(&state.recover().unwrap().store, 3), before);
    assert!(state.notes()[0].contains("that of the working copy"), "{:?}", state.notes());
    let endpoint = state.copy.database().unwrap();
    let mut value = Vec::new();
    endpoint.each(Kind::Endpoint, |_, bytes| value = bytes.to_vec()).unwrap();
    drop(state);
    for (version, is_read) in [(2u64, true), (9, false)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), [7; 16]).unwrap();
        {
            let database = sled::open(folder.path().join("db")).unwrap();
            database.open_tree("endpoints").unwrap().insert(7u64.to_be_bytes(), value.clone()).unwrap();
            database.insert("learned", &b"{\"a.example\":[\"/v1\"]}"[..]).unwrap();
            database.insert("newest", &42u64.to_be_bytes()).unwrap();
            database.insert("version", &version.to_be_bytes()).unwrap();
            database.flush().unwrap();
        }
        let opened = State::open(folder.path(), in_process);
        if !is_read {
            let error = opened.err().unwrap().to_string();
            assert!(error.contains("format 9") && error.contains("move the folder away"), "{error}");
            continue;
        }
        let state = opened.unwrap();
        let recovered = state.recover().unwrap();
        assert_eq!((state.key(), recovered.singles.newest), (HashKey::new([7; 16]), Some(Timestamp(42))));
        assert!(recovered.singles.learned.contains("a.example", "/v1") && recovered.store.endpoints.len() == 1);
        assert!(state.notes()[0].contains("was of format 2"), "{:?}", state.notes());
    }
}

#[test]
fn what_is_forgotten_is_on_no_disk_and_an_export_can_be_imported() {
    let folder = tempfile::tempdir().unwrap();
    three_checkpoints(folder.path(), true);
    let mut state = a_state(folder.path());
    let recovered = state.recover().unwrap();
    let what = crate::baseline::Forget::Client(address(2));
    assert_eq!(recovered.store.forget(&what, &state.key()).0.len(), 1);
    state.checkpoint(&Cut::of(&recovered.store, &recovered.singles, Leave::Nothing)).unwrap();
    let statistics = state.statistics().unwrap();
    assert_eq!((statistics.generations.len(), statistics.keys["clients"], statistics.put_aside), (1, 2, 0));
    let backup = folder.path().join("backup");
    state.export(&backup).unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut copy = a_state(other.path());
    copy.import(&backup).unwrap();
    assert_eq!(copy.key(), state.key());
    assert_eq!(contents(&copy.recover().unwrap().store, 3), contents(&recovered.store, 3));
    assert!(!contents(&recovered.store, 3).contains("192.0.2.2"));
}

#[test]
fn a_cut_that_cannot_be_written_is_said_again_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let state = a_state(folder.path());
    let key = state.key();
    let store = std::sync::Arc::new(state.recover().unwrap().store);
    let export = folder.path().join("export");
    let checkpointer = Checkpointer::start(state, std::sync::Arc::clone(&store)).unwrap();
    let wait_for = |is_so: &dyn Fn(&Progress) -> bool| {
        while !is_so(&checkpointer.progress()) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    store.absorb(1, window(key, &[1], &[1]), true);
    std::fs::rename(&export, folder.path().join("away")).unwrap();
    assert!(checkpointer.submit(Cut::of(&store, &Singles::default(), Leave::Whole)));
    wait_for(&|progress| progress.failures == 1);
    assert!(checkpointer.progress().last_error.unwrap().1.contains("with room on its disk"));
    std::fs::rename(folder.path().join("away"), &export).unwrap();
    assert!(checkpointer.submit(Cut::of(&store, &Singles::default(), Leave::Delta)));
    wait_for(&|progress| progress.checkpoints == 1);
    assert!(checkpointer.wait(std::time::Duration::from_secs(60)) && checkpointer.waiting().is_zero());
    assert!(!checkpointer.is_lost());
    let state = checkpointer.finish().unwrap();
    assert_eq!(state.chosen.deltas(), 0, "the whole export was still owed");
    assert_eq!(contents(&state.recover().unwrap().store, 1), contents(&store, 1));
}

#[test]
fn a_checkpoint_that_hangs_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let state = a_state(folder.path());
    let store = std::sync::Arc::new(state.recover().unwrap().store);
    let checkpointer = Checkpointer::start(state, std::sync::Arc::clone(&store)).unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        // Who looks at the state holds up the thread as a disk that hangs does.
        let looking = &checkpointer;
        scope.spawn(move || looking.look(|_| (begun.send(()), released.recv())));
        begins.recv().unwrap();
        assert!(checkpointer.submit(Cut::of(&store, &Singles::default(), Leave::Delta)));
        assert!(!checkpointer.wait(std::time::Duration::from_millis(50)));
        assert!(!checkpointer.waiting().is_zero());
        drop(release);
    });
    assert!(checkpointer.end(std::time::Duration::from_secs(60)).0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_whole_export_and_its_deltas_are_the_store(
        steps in proptest::collection::vec(
            (proptest::collection::vec(0u8..40, 0..12), proptest::collection::vec(0u8..12, 0..4), 0u8..6),
            1..12,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut state = a_state(folder.path());
        let store = state.recover().unwrap().store;
        let limits = StoreLimits { clients: 20, endpoints: 8, remarkable: 10, ..StoreLimits::default() };
        let mut index = 1000;
        for (clients, endpoints, deed) in &steps {
            index += 1 + i64::from(*deed) * 20;
            let touched = store.absorb(index, window(state.key(), clients, endpoints), *deed == 1);
            store.fold(index, &touched, &Default::default());
            match deed {
                2 | 3 => drop(store.bound(index, &limits)),
                5 => store.forget_recent(),
                _ => {}
            }
            let leave = if *deed == 4 { Leave::Whole } else { Leave::Delta };
            state.checkpoint(&Cut::of(&store, &Singles::default(), leave)).unwrap();
        }
        drop(state);
        let state = a_state(folder.path());
        prop_assert_eq!(contents(&state.recover().unwrap().store, index), contents(&store, index));
        prop_assert!(state.notes().is_empty());
    }
}
