//! What a state of 10,000 endpoints and 1,000,000 clients takes of memory, built through the library; and what its checkpoints
//! cost: cuts of all of it and of what a minute changes (600 endpoints, 6,000 clients); how long each holds up the judge, and
//! bytes written.

use apitap::baseline::persist::probe::in_process;
use apitap::baseline::{Cut, Leave, Singles, State, Store};
use apitap::service::resident_bytes;
use apitap::time::Timestamp;
use apitap::window::distinct::DistinctSet;
use apitap::window::{ClientWindow, EndpointWindow, Tally, Window, an_endpoint, new_client};
use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Instant;

const ENDPOINTS: u64 = 10_000;
const CLIENTS: u64 = 1_000_000;
const MINUTE_ENDPOINTS: u64 = 600;
const MINUTE_CLIENTS: u64 = 6_000;
/// Requests of a client in its window: who asks more is remembered in more detail.
const QUIET_REQUESTS: u64 = 14;
/// Clients of one window: as many at once would take memory that has nothing to do with the state.
const AT_ONCE: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut state = State::open(folder.path(), in_process)?;
    let store = state.recover()?.store;
    let before = resident_mib()?;
    for (index, first) in (0..).zip((0..CLIENTS).step_by(AT_ONCE as usize)) {
        use_them(&store, index, 0..ENDPOINTS, first..first + AT_ONCE);
    }
    println!("{} MiB resident, {before} before it was there", resident_mib()?);
    cut(&mut state, &store, "everything", Leave::Whole)?;
    let mut bytes = 0;
    for minute in 0..3 {
        let (endpoints, clients) = (minute * MINUTE_ENDPOINTS, minute * MINUTE_CLIENTS);
        use_them(
            &store,
            100 + minute as i64,
            endpoints..endpoints + MINUTE_ENDPOINTS,
            clients..clients + MINUTE_CLIENTS,
        );
        bytes = cut(&mut state, &store, "a minute", Leave::Delta)?;
    }
    let whole = cut(&mut state, &store, "a whole export", Leave::Whole)?;
    println!("an hour, 60 deltas and one whole export: {} MB", (60 * bytes + whole) / 1_000_000);
    Ok(())
}

fn resident_mib() -> Result<u64, Box<dyn Error>> {
    Ok(resident_bytes().ok_or("the kernel does not say what is resident")? >> 20)
}

/// A window in which these were used, absorbed and folded.
fn use_them(store: &Store, index: i64, endpoints: Range<u64>, clients: Range<u64>) {
    let mut window = Window::default();
    for key in endpoints {
        let mut endpoint: EndpointWindow =
            an_endpoint("GET", &format!("api{}.example", key % 20), &format!("/v1/things{key}/{{id}}"));
        endpoint.is_made = true;
        endpoint.successes = 20;
        endpoint.tally = a_tally(key, 200);
        for value in 1..20 {
            endpoint.latency.record(1000 + scattered(key * 20 + value) % 1_000_000);
            endpoint.sizes.record(100 + scattered(key * 30 + value) % 50_000);
            endpoint.clients.insert(scattered(key * 100 + value));
        }
        window.endpoints.put(scattered(key), endpoint);
    }
    for key in clients {
        let address = IpAddr::V4(Ipv4Addr::from_bits(scattered(key) as u32)); // its lower half
        let mut endpoints = DistinctSet::new();
        (0..4).for_each(|number| endpoints.insert(scattered((key + number) % ENDPOINTS)));
        let client = ClientWindow { tally: a_tally(key, QUIET_REQUESTS), endpoints, ..new_client(address) };
        window.clients.put(scattered(key), client);
    }
    let touched = store.absorb(index, window, true);
    store.fold(index, &touched, &BTreeSet::new());
}

/// Keys are hashes and hardly two keys have the same figures: what does not compress must not do so here.
fn a_tally(key: u64, most_requests: u64) -> Tally {
    let (requests, bytes) = (1 + scattered(key) % most_requests, scattered(key + 1) % 1_000_000);
    let mut tally = Tally { requests, request_bytes: bytes / 7, response_bytes: bytes, ..Tally::default() };
    tally.statuses.record_n(200, requests as u32); // `most_requests` at most
    tally
}

/// The finalizer of SplitMix64.
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Makes a cut, writes it, says what it took. Gives the bytes of it.
fn cut(state: &mut State, store: &Store, what: &str, leave: Leave) -> Result<u64, Box<dyn Error>> {
    let singles = Singles { newest: Some(Timestamp(1)), ..Singles::default() };
    let cut = Cut::of(store, &singles, leave);
    let started = Instant::now();
    let written = state.checkpoint(&cut)?;
    let bytes = written.delta.bytes + written.whole.map_or(0, |whole| whole.bytes);
    println!(
        "{what}: the judge was held up for {:?}; {} records, {bytes} bytes in all, written in {:?}",
        cut.took,
        written.delta.records,
        started.elapsed()
    );
    Ok(bytes)
}
