//! Excerpts: the frames of an incident's evidence, kept as small captures, where that is asked for.
//!
//! Frames in, as the reader sees them, into a ring of [`RING_BYTES`]; alerts in, as they are told; files out,
//! `excerpts/INCIDENT-SEQUENCE.pcap` beside the log, with the frames of the evidence's connections that the ring still
//! holds. A thread of its own looks for them and writes. The folder is bounded in bytes and age, oldest first. Mode 0640:
//! an excerpt holds what was on the wire, secrets and all.

use crate::alert::record::AlertRecord;
use crate::capture::write::PcapWriter;
use crate::capture::{Frame, HeldFrames, LinkType};
use crate::hash::HashKey;
use crate::packet::{Decoder, FlowKey, PacketLimits, Peer, Tunnels};
use std::collections::{BTreeSet, VecDeque};
use std::fs::OpenOptions;
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tracing::warn;

/// Frames that are held: at 1 Gbit/s a quarter of a second, at 10 Mbit/s half a minute.
const RING_BYTES: usize = 32 << 20;
const CHUNK_BYTES: usize = 1 << 20;
/// How long frames wait in a chunk that is not full.
const CHUNK_AGE: Duration = Duration::from_secs(1);
/// How long an alert waits, so that the frames of its last transaction are in the ring.
const SETTLE: Duration = Duration::from_secs(2);
/// How often the folder is looked after where nothing is to be written: what is too old goes in any case.
const LOOK_AFTER: Duration = Duration::from_secs(3600);
/// Alerts that wait; more at once are told without an excerpt.
const QUEUE: usize = 64;

type Ring = Arc<Mutex<VecDeque<Arc<HeldFrames>>>>;

/// The reader's end: what it sees goes into the ring.
pub struct Recorder {
    ring: Ring,
    open: HeldFrames,
    since: Instant,
}

impl Recorder {
    /// One for another reader, into the same ring.
    pub fn beside(&self) -> Recorder {
        Recorder { ring: Arc::clone(&self.ring), open: HeldFrames::default(), since: Instant::now() }
    }

    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.open.push(frame);
        if self.open.byte_len() >= CHUNK_BYTES {
            self.seal(Instant::now());
        }
    }

    /// Time passes: a chunk that is not full is handed over, too.
    pub fn tick(&mut self, now: Instant) {
        if now.duration_since(self.since) >= CHUNK_AGE && !self.open.is_empty() {
            self.seal(now);
        }
    }

    fn seal(&mut self, now: Instant) {
        self.since = now;
        let chunk = Arc::new(std::mem::take(&mut self.open));
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner); // a list of whole chunks
        ring.push_back(chunk);
        let mut held: usize = ring.iter().map(|chunk| chunk.byte_len()).sum();
        while held > RING_BYTES {
            held -= ring.pop_front().map_or(held, |chunk| chunk.byte_len());
        }
    }
}

/// The judge's end: alerts whose evidence is to be kept.
#[derive(Clone)]
pub struct Excerpts(SyncSender<Wanted>);

struct Wanted {
    name: String,
    flows: BTreeSet<FlowKey>,
    told_at: Instant,
}

impl Excerpts {
    /// Never waits: when too many come at once, some go without.
    pub fn alert(&self, alert: &AlertRecord) {
        let detail = &alert.apitap;
        let flows = detail.evidence.iter().map(|shown| {
            let peer = |address, port| Peer { address, port };
            FlowKey::of(peer(shown.src_ip, shown.src_port), peer(shown.dest_ip, shown.dest_port)).0
        });
        let flows: BTreeSet<FlowKey> = flows.collect();
        if !flows.is_empty() {
            let name = format!("{}-{}.pcap", detail.incident, detail.sequence);
            let _ = self.0.try_send(Wanted { name, flows, told_at: Instant::now() });
        }
    }
}

/// Bounds of the folder.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub bytes: u64,
    /// Zero for none.
    pub age: Duration,
}

/// Makes the folder and starts the thread; it ends with the last [`Excerpts`].
pub fn start(folder: PathBuf, bounds: Bounds, tunnels: Tunnels) -> io::Result<(Recorder, Excerpts)> {
    std::fs::create_dir_all(&folder)?;
    let (wanted, queue) = sync_channel(QUEUE);
    let ring = Ring::default();
    let for_thread = Arc::clone(&ring);
    std::thread::Builder::new()
        .name("excerpts".to_owned())
        .spawn(move || write_wanted(&folder, bounds, &tunnels, &queue, &for_thread))?;
    Ok((Recorder { ring, open: HeldFrames::default(), since: Instant::now() }, Excerpts(wanted)))
}

fn write_wanted(folder: &Path, bounds: Bounds, tunnels: &Tunnels, queue: &Receiver<Wanted>, ring: &Ring) {
    loop {
        let wanted = match queue.recv_timeout(LOOK_AFTER) {
            Ok(wanted) => Some(wanted),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let written = wanted.map_or(Ok(()), |wanted| {
            std::thread::sleep(SETTLE.saturating_sub(wanted.told_at.elapsed()));
            let chunks: Vec<Arc<HeldFrames>> =
                ring.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Arc::clone).collect();
            let path = folder.join(&wanted.name);
            let written = write_excerpt(&path, &wanted.flows, tunnels, &chunks);
            if written.is_err() {
                let _ = std::fs::remove_file(&path); // a torn one is of no use, and it may never have been there
            }
            written
        });
        if let Err(error) = written.and(bound(folder, bounds)) {
            warn!("{}: an excerpt cannot be written: {error}; alerts go on without", folder.display());
        }
    }
}

/// A file has one link type, that of its first frame. Records tell flows by their ends alone.
fn write_excerpt(
    path: &Path,
    flows: &BTreeSet<FlowKey>,
    tunnels: &Tunnels,
    chunks: &[Arc<HeldFrames>],
) -> io::Result<()> {
    let mut decoder = Decoder::new(HashKey::new([0; 16]), PacketLimits::default()).with(tunnels.clone());
    let mut wanted = Vec::new();
    for chunk in chunks {
        chunk.each(|frame| {
            if decoder.decode(&frame).is_some_and(|segment| flows.contains(&segment.flow.within(0))) {
                wanted.push(frame);
            }
        });
    }
    wanted.sort_by_key(|frame| frame.time); // each reader has chunks of its own
    let mut writer: Option<(PcapWriter<BufWriter<std::fs::File>>, LinkType)> = None;
    wanted.iter().try_for_each(|frame| put(&mut writer, path, frame))?;
    writer.map_or(Ok(()), |(writer, _)| writer.finish().map(drop))
}

fn put(
    writer: &mut Option<(PcapWriter<BufWriter<std::fs::File>>, LinkType)>,
    path: &Path,
    frame: &Frame<'_>,
) -> io::Result<()> {
    if writer.is_none() {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)?;
        *writer = Some((PcapWriter::new(BufWriter::new(file), frame.link)?, frame.link));
    }
    match writer {
        Some((writer, link)) if *link == frame.link => writer.write_cut(frame.time, frame.wire_len, frame.bytes),
        _ => Ok(()),
    }
}

/// Removes what is too old, then the oldest until the rest fits.
fn bound(folder: &Path, bounds: Bounds) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let is_excerpt = entry.path().extension().is_some_and(|extension| extension == "pcap");
        if metadata.is_file() && is_excerpt {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
    let now = SystemTime::now();
    for (modified, length, path) in files {
        let age = now.duration_since(modified).unwrap_or_default();
        if total <= bounds.bytes && (bounds.age.is_zero() || age <= bounds.age) {
            break;
        }
        std::fs::remove_file(path)?;
        total -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{FrameSource, open};
    use crate::time::Timestamp;

    /// IPv4 and TCP from 10.0.0.1 to 10.0.0.2:80.
    fn packet(from_port: u16) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 41, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend(from_port.to_be_bytes());
        bytes.extend(80u16.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0, 0, 0, 0, 0, 0, b'x']);
        bytes
    }

    #[test]
    fn only_the_frames_of_the_evidence_are_kept_and_the_folder_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds { bytes: 24 + 3 * (16 + 41), age: Duration::ZERO };
        let (mut recorder, excerpts) = start(folder.path().to_path_buf(), bounds, Tunnels::default()).unwrap();
        for (second, port) in [1000, 1001, 1000, 1002, 1000].into_iter().enumerate() {
            let bytes = packet(port);
            let time = Timestamp::from_secs_nanos(second as i64, 0);
            recorder.frame(&Frame { time, link: LinkType::RAW, wire_len: 41, bytes: &bytes, source: 0 });
        }
        recorder.tick(Instant::now() + CHUNK_AGE);
        let peer = |host, port| Peer { address: std::net::Ipv4Addr::new(10, 0, 0, host).into(), port };
        for (name, port) in [("a.pcap", 1001), ("b.pcap", 1000)] {
            let flows = BTreeSet::from([FlowKey::of(peer(2, 80), peer(1, port)).0]);
            excerpts.0.send(Wanted { name: name.to_owned(), flows, told_at: Instant::now() - SETTLE }).unwrap();
        }
        let written = folder.path().join("b.pcap");
        let until = Instant::now() + Duration::from_secs(10);
        while (!written.exists() || folder.path().join("a.pcap").exists()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!folder.path().join("a.pcap").exists(), "the older one made room");
        let mut source = open(&written).unwrap();
        let mut seconds = Vec::new();
        while let Some(frame) = source.next().unwrap() {
            assert_eq!(frame.bytes, packet(1000));
            seconds.push(frame.time.seconds());
        }
        assert_eq!(seconds, [0, 2, 4]);
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let ring = Ring::default();
        let mut recorder = Recorder { ring: Arc::clone(&ring), open: HeldFrames::default(), since: Instant::now() };
        let bytes = vec![0; 60_000];
        for second in 0..1000 {
            let time = Timestamp::from_secs_nanos(second, 0);
            recorder.frame(&Frame { time, link: LinkType::RAW, wire_len: 60_000, bytes: &bytes, source: 0 });
        }
        let held: usize = ring.lock().unwrap().iter().map(|chunk| chunk.byte_len()).sum();
        assert!(held <= RING_BYTES && held > RING_BYTES - 2 * CHUNK_BYTES, "{held}");
    }
}
